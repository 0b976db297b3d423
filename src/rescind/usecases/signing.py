"""Signatures: tokens signed by this server, and found out to be."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey

from rescind.model.errors import BadToken, Fault, Unavailable
from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Reader
from rescind.usecases.issuer import Issuer

PRIVATE_KEY = "private_key"
SIGNING_SECRET = "signing_secret"  # noqa: S105 - the kind of a credential
RSA_ALGORITHMS = ("RS256", "RS512", "PS256")
ASSERTION_ALGORITHMS = ("RS256", "RS384", "PS256")
ASSERTION_SECONDS_MAX = 3600
"""No client signs an assertion for longer than that."""


def sign(
    reader: Reader,
    issuer: Issuer,
    claims: Mapping[str, Any],
    *,
    algorithm: str,
    token_type: str,
    api: Object | None = None,
) -> str:
    """Sign claims as a JWT: with the newest key, or for HS256 with the secret of the API."""
    if algorithm not in RSA_ALGORITHMS:
        assert api is not None
        header = {"alg": algorithm, "typ": token_type}
        return jwt.encode(header, dict(claims), secret_of(reader, issuer, api), algorithms=[algorithm])
    key = max((key for key in reader.living(ObjectKind.SIGNING_KEY) if signs(reader, key)), key=lambda key: key.key)
    kid = reader.profiles([key.key])[key.key]["public_id"]
    header = {"alg": algorithm, "typ": token_type, "kid": kid}
    return jwt.encode(header, dict(claims), opened(reader, issuer, key), algorithms=[algorithm])


def verified(reader: Reader, token: str, issuer: Issuer, audience: str | None = None) -> dict[str, Any]:
    """The claims of a token that this server signed for `audience` (for anybody, if that is None) and that is good now.

    Raises `BadToken`: for another's or a broken signature, also one by an algorithm that is not the API's; for one
    that has expired; for everything else that is wrong with it.
    """
    try:
        unproven = jws.extract_compact(token.encode("ascii"))
        audiences = _audiences(json.loads(unproven.payload))
        key, algorithms = _proving_key(reader, issuer, unproven.headers(), audiences, audience)
        claims = jwt.decode(token, key, algorithms=algorithms).claims
    except (JoseError, ValueError, TypeError, KeyError, UnicodeError, RecursionError):
        raise BadToken(Fault.SIGNATURE) from None
    if claims.get("iss") != issuer.url:
        raise BadToken(Fault.SIGNATURE)
    now = reader.instant / 1_000_000
    times = [claims.get(name) for name in ("exp", "iat")] + [claims.get("nbf", 0)]
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
        raise BadToken(Fault.UNUSABLE)
    if claims["exp"] <= now:
        raise BadToken(Fault.EXPIRED)
    if claims["iat"] > now or claims.get("nbf", 0) > now or (audience is not None and audience not in audiences):
        raise BadToken(Fault.UNUSABLE)
    return dict(claims)


def asserted_by(assertion: str) -> str:
    """The client that an assertion (RFC 7523) says it is of; empty where it says nothing that can be read."""
    try:
        said = json.loads(jws.extract_compact(assertion.encode("ascii")).payload)
        return str(said["sub"])
    except (JoseError, ValueError, TypeError, KeyError, UnicodeError, RecursionError):
        return ""


def is_assertion(reader: Reader, assertion: str, issuer: Issuer, client: Object, client_id: str) -> bool:
    """Whether a client signed an assertion with one of the keys that it registered, for this server and for now."""
    extras = json.loads(reader.profiles([client.key])[client.key].get("extras", "{}"))
    now = reader.instant / 1_000_000
    for pem in _registered(extras):
        try:
            claims = jwt.decode(assertion, _assertion_key(pem), algorithms=list(ASSERTION_ALGORITHMS)).claims
        except (JoseError, ValueError, TypeError, UnicodeError, RecursionError):
            continue
        said = claims.get("aud")
        audiences = {str(one) for one in (said if isinstance(said, list) else [said])}
        is_for_us = not audiences.isdisjoint({issuer.url, f"{issuer.url}oauth/token"})
        lives = isinstance(claims.get("exp"), int | float) and now < claims["exp"] <= now + ASSERTION_SECONDS_MAX
        if is_for_us and lives and claims.get("iss") == claims.get("sub") == client_id:
            return True
    return False


def _registered(extras: Mapping[str, Any]) -> list[str]:
    """The public keys that a client may sign assertions with, as PEM."""
    methods = extras.get("client_authentication_methods")
    found = methods.get("private_key_jwt") if isinstance(methods, dict) else None
    credentials = found.get("credentials") if isinstance(found, dict) else None
    return [one["pem"] for one in credentials or () if isinstance(one, dict) and isinstance(one.get("pem"), str)]


def secret_of(reader: Reader, issuer: Issuer, api: Object) -> OctKey:
    """The secret that tokens for an API with HS256 are signed with."""
    sealed = reader.secret(api.key, SIGNING_SECRET)
    if sealed is None:
        raise KeyError("signing_secret")
    return OctKey.import_key(issuer.vault.open(sealed, api, SIGNING_SECRET))


def signs(reader: Reader, key: Object) -> bool:
    """Whether a living key is one to sign with, and not only published until its tokens have expired."""
    return any(existing.fact.expires_at is None for existing in reader.intervals([key.key], FactKind.EXISTENCE))


def opened(reader: Reader, issuer: Issuer, key: Object) -> RSAKey:
    """The private half of a signing key. Raises `Unavailable` if it was sealed under another key of the operator."""
    sealed = reader.secret(key.key, PRIVATE_KEY)
    if sealed is None:
        raise Unavailable("a signing key has no private half")
    return _private_key(issuer.vault.open(sealed, key, PRIVATE_KEY))


def _audiences(said: Any) -> list[str]:
    """Whom a token is for. Raises `TypeError` for what names nobody."""
    found = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
    if not all(isinstance(one, str) for one in found):
        raise TypeError("aud")
    return found


def _proving_key(
    reader: Reader, issuer: Issuer, header: Mapping[str, Any], audiences: list[str], wanted: str | None
) -> tuple[RSAKey | OctKey, list[str]]:
    """The key that must have signed a token, and by which algorithms.

    An API's secret signs for that API alone: never for the API that manages this server, and for nobody's person.
    """
    if header["alg"] == "HS256":
        apis = [api for one in audiences if (api := reader.find_named("identifier", issuer.stored(one))) is not None]
        if len(apis) != 1 or len(audiences) > 1 + (issuer.userinfo in audiences) or wanted is not None:
            raise KeyError("aud")
        return secret_of(reader, issuer, apis[0]), ["HS256"]
    kid = header["kid"]
    found = reader.find_named("public_id", kid) if isinstance(kid, str) else None
    if found is None or found.kind is not ObjectKind.SIGNING_KEY:
        raise KeyError("kid")
    public = reader.intervals([found.key], FactKind.SIGNING_KEY)[0].fact.value or ""
    return _public_key(public), list(RSA_ALGORITHMS)


@lru_cache(maxsize=64)
def _assertion_key(pem: str) -> RSAKey:
    return RSAKey.import_key(pem)


@lru_cache(maxsize=8)
def _private_key(pem: str) -> RSAKey:
    # Nobody but this platform has sealed it: to test its primes, which every process would do, takes 40 ms.
    key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return RSAKey.import_key(key)


@lru_cache(maxsize=8)
def _public_key(text: str) -> RSAKey:
    return RSAKey.import_key(json.loads(text))
