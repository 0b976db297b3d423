"""Passwords: Argon2id, with the parameters that OWASP recommends for 19 MiB."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$3th2MFnWb2/tquYXkQKIpw$cc+B0+ipsqNZwYk+By/DqVHWf5PB+O5YZHZ1aFD5e3o"
"""The verifier of a password that was thrown away. Where somebody has none it stands for hers: that takes as long, and
tells nobody who is known here.
"""


def is_password(password: str, verifier: str | None) -> bool:
    """Whether that password is the one of which the verifier was made; of none, never. Takes as long as making one."""
    try:
        return HASHER.verify(verifier or NOBODYS, password) and verifier is not None
    except (VerificationError, InvalidHashError):
        return False


def verifier_of_password(password: str) -> str:
    """What is stored of a password. Takes about 20 ms: call it before a write takes the lock."""
    return HASHER.hash(password)
