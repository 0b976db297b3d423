"""The endpoints of OAuth 2.0: tokens are issued, looked at and revoked for clients that prove who they are."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request, Response

from rescind.api.auth0 import wire
from rescind.api.exchange import Exchange
from rescind.api.exchange import Here as AnyHere
from rescind.model.errors import NotFound, Refusal, TooMany, Unauthenticated
from rescind.store.contract import Login
from rescind.usecases import accounts, tokens
from rescind.usecases.actor import ClientProof
from rescind.usecases.passwords import is_password
from rescind.usecases.tokens import Issued, NoToken, Wanted

_NEVER_STORED = {"cache-control": "no-store", "pragma": "no-cache"}
_TOO_MANY = "Your account has been blocked after multiple consecutive login attempts."
_BASIC = "basic"


async def _proven(exchange: AnyHere, request: Request) -> Exchange:
    """With HTTP Basic a client's proof stands in the header."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == _BASIC:
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Unauthenticated("unknown client") from None
        exchange.prove(ClientProof(unquote(name), unquote(secret)))
    return exchange


Here = Annotated[Exchange, Depends(_proven)]


def issue_token(exchange: Here, body: wire.TokenAsked) -> Response:
    _prove(exchange, body)
    match body.grant_type:
        case None | "":
            raise NoToken("invalid_request", "Missing required parameter: grant_type")
        case tokens.CLIENT_CREDENTIALS:
            issued = _noted(exchange, "seccft", "feccft", body, lambda: _for_client(exchange, body))
        case tokens.PASSWORD_GRANT | tokens.PASSWORD_REALM:
            issued = _for_password(exchange, body)
        case tokens.REFRESH_TOKEN:
            issued = _noted(exchange, "sertft", "fertft", body, lambda: _for_refresh_token(exchange, body))
        case other:
            raise NoToken("unsupported_grant_type", f"Unsupported grant type: {other}")
    said = {"access_token": issued.access_token, "token_type": "Bearer", "expires_in": issued.expires_in}
    more = {"scope": issued.scope, "id_token": issued.id_token, "refresh_token": issued.refresh_token}
    return exchange.say({**said, **{name: value for name, value in more.items() if value}}, **_NEVER_STORED)


def introspect_token(exchange: Here, body: wire.TokenNamed) -> Response:
    _prove(exchange, body)
    if not body.token:
        raise NoToken("invalid_request", "Missing required parameter: token")
    return exchange.say(
        exchange.read(tokens.introspect, token=body.token, is_turn=exchange.logins.is_turn), **_NEVER_STORED
    )


def revoke_token(exchange: Here, body: wire.TokenNamed) -> Response:
    _prove(exchange, body)
    if not body.token:
        raise NoToken("invalid_request", "Missing required parameter: token")
    exchange.write(tokens.revoke, token=body.token)
    return exchange.reply()


def get_userinfo(exchange: AnyHere) -> Response:
    account, scopes = exchange.read(tokens.userinfo, token=exchange.asking.token or "")
    return exchange.say(tokens.person_claims(account, scopes))


def post_userinfo(exchange: AnyHere) -> Response:
    return get_userinfo(exchange)


def _prove(exchange: Exchange, body: wire.TokenAsked | wire.TokenNamed) -> None:
    """Take the proof from the body, unless the header has it; the two must not name different clients."""
    proof = exchange.asking.client
    if proof is None:
        exchange.prove(ClientProof(body.client_id or "", body.client_secret or "", body.client_assertion or None))
    elif body.client_id not in (None, "", proof.id):
        raise Unauthenticated("unknown client")


def _for_client(exchange: Exchange, body: wire.TokenAsked) -> Issued:
    return exchange.read(
        tokens.by_client_credentials,
        audience=body.audience or None,
        scope=body.scope,
        organization=body.organization or None,
    )


def _for_password(exchange: Exchange, body: wire.TokenAsked) -> Issued:
    """One verification of a password on every path; guessing is bounded, for names that nobody has too."""
    for member in ("username", "password", *(("realm",) if body.grant_type == tokens.PASSWORD_REALM else ())):
        if not getattr(body, member):
            raise NoToken("invalid_request", f"Missing required parameter: {member}")
    name, password = body.username or "", body.password or ""
    address = exchange.asking.address
    found = exchange.before(tokens.candidate, name=name)
    if found.user is not None:
        # Whatever she is called, it is she.
        name = accounts.login_subject(found.user)
    if not exchange.logins.may_try(name, address, found.instant):
        raise TooMany(_TOO_MANY)
    is_hers = is_password(password, found.verifier)
    is_here = body.realm in (None, "", accounts.CONNECTION)
    wanted = Wanted(
        body.grant_type or "", body.audience or None, body.scope or "", organization=body.organization or None
    )
    proven = found.verifier if is_hers and is_here else None
    failed = "fp" if found.user is not None else "fu"

    def issue() -> Issued:
        if wanted.is_kept and proven is not None:
            return exchange.write(tokens.by_password_for_long, user=found.user, proven=proven, wanted=wanted)
        return exchange.read(tokens.by_password, user=found.user, proven=proven, wanted=wanted)

    issued = _noted(exchange, "s", failed, body, issue, user=found.user)
    exchange.logins.succeeded(name, address)
    return issued


def _for_refresh_token(exchange: Exchange, body: wire.TokenAsked) -> Issued:
    if not body.refresh_token:
        raise NoToken("invalid_request", "Missing required parameter: refresh_token")
    renewed = exchange.read(tokens.by_refresh_token, token=body.refresh_token, scope=body.scope or None)
    if not exchange.logins.take_turn(renewed.family, renewed.first, renewed.old, renewed.new, renewed.instant):
        exchange.write(tokens.end_reused, family=renewed.family)
        raise NoToken(*tokens.INVALID_REFRESH)
    return renewed.issued


def _noted(
    exchange: Exchange,
    succeeded: str,
    failed: str,
    body: wire.TokenAsked,
    issue: Callable[[], Issued],
    user: int | None = None,
) -> Issued:
    """Issue, and leave a trace of what was tried."""
    known = exchange.before(tokens.trace, organization=body.organization or None)
    trace = Login(
        known.instant,
        known.revision,
        succeeded,
        exchange.asking.address,
        exchange.asking.request_id,
        user=user,
        client=known.client,
        organization=known.organization,
        audience=body.audience,
        scope=body.scope,
        details=json.dumps({"user_agent": exchange.user_agent}),
    )
    try:
        issued = issue()
    except (NoToken, NotFound) as refusal:
        exchange.logins.note(replace(trace, type=failed))
        raise _as_no_token(refusal) from None
    exchange.logins.note(trace)
    return issued


def _as_no_token(refusal: Refusal) -> NoToken:
    return refusal if isinstance(refusal, NoToken) else NoToken("access_denied", refusal.message)
