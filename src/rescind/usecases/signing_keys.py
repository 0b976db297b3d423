"""Signing keys: RSA keys that the platform signs tokens with. The public half is published, the private half sealed."""

import base64
import hashlib
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.usecases.signing import PRIVATE_KEY, opened, signs
from rescind.usecases.unit import Unit, View

KEPT_MICROSECONDS = 31 * 24 * 3600 * 1_000_000
"""A key that no longer signs is published for so long: no token lives longer than 30 days."""
_BITS = 2048


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new RSA key: the private half as PEM, the public half as the members of a JWK with its certificate."""

    private: str = field(repr=False)
    public: Mapping[str, Any]


def new_pair() -> KeyPair:
    """Make a key. Takes a tenth of a second or more: call it before a write takes the lock."""
    key = rsa.generate_private_key(65537, _BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rescind signing key")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )
    thumbprint = hashlib.sha1(certificate, usedforsecurity=False).digest()
    public = RSAKey.import_key(key.public_key()).as_dict(private=False)
    return KeyPair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "n": public["n"],
            "e": public["e"],
            "x5t": base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode(),
            "x5c": [base64.b64encode(certificate).decode()],
        },
    )


def add(unit: Unit, pair: KeyPair) -> None:
    """Publish a key with which everything is signed from now on."""
    made = unit.create(ObjectKind.SIGNING_KEY, owner=PLATFORM)
    unit.open(Fact(FactKind.SIGNING_KEY, made.key, value=json.dumps(pair.public, separators=(",", ":"))))
    unit.write_credential(made, PRIVATE_KEY, unit.issuer.vault.seal(pair.private, made, PRIVATE_KEY))


def rotate(unit: Unit, pair: KeyPair) -> None:
    """Sign with another key from now on; the older ones stay published until their tokens have expired."""
    until = unit.reader.instant + KEPT_MICROSECONDS
    for key in unit.reader.living(ObjectKind.SIGNING_KEY):
        if signs(unit.reader, key):
            unit.open(Fact(FactKind.EXISTENCE, key.key, expires_at=until))
    add(unit, pair)


def published(view: View) -> list[dict[str, Any]]:
    """The public halves of all living keys as JWKs, the one that signs first."""
    keys = sorted(view.reader.living(ObjectKind.SIGNING_KEY), key=lambda key: -key.key)
    names = view.reader.profiles([key.key for key in keys])
    return [
        {**json.loads(fact.value or ""), "kid": names[key.key]["public_id"]}
        for key in keys
        for fact in view.facts(key.key, FactKind.SIGNING_KEY)
    ]


def certificate(view: View) -> str:
    """The certificate of the key that signs, as PEM."""
    encoded = published(view)[0]["x5c"][0]
    lines = "\n".join(textwrap.wrap(encoded, 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def check_seals(view: View) -> None:
    """Raise `Unavailable` if the operator's key is not the one that secrets were sealed under."""
    for key in view.reader.living(ObjectKind.SIGNING_KEY):
        opened(view.reader, view.issuer, key)
