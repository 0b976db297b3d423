"""The vault: secrets that must be shown or used again, sealed under the operator's key and never stored in clear."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rescind.model.errors import Unavailable
from rescind.model.objects import Object

KEY_LENGTH_MIN = 32
_NONCE_BYTES = 12


class Vault:
    """Seals with AES-256-GCM under a key drawn from the operator's (at least 32 characters, all of them random).

    A seal is good for one object and one kind of secret: moved elsewhere in the database it opens nothing.
    """

    def __init__(self, key: str) -> None:
        derive = HKDF(SHA256(), 32, salt=None, info=b"rescind vault 1")
        self._cipher = AESGCM(derive.derive(key.encode()))

    def seal(self, secret: str, of: Object, kind: str) -> str:
        """What may be stored of a secret of an object."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), _bound_to(of, kind))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, of: Object, kind: str) -> str:
        """The secret that was sealed. Raises `Unavailable` if that was done under another key."""
        raw = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(of, kind)).decode()
        except InvalidTag:
            raise Unavailable("the secrets of this database are sealed under another RESCIND_SECRET_KEY") from None


def _bound_to(of: Object, kind: str) -> bytes:
    return f"{kind}:{of.id}".encode()
