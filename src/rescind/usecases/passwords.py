"""Passwords: Argon2id, with the parameters that OWASP recommends for 19 MiB."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


def is_password(password: str, verifier: str) -> bool:
    """Whether that password is the one of which the verifier was made. Takes as long."""
    try:
        return _HASHER.verify(verifier, password)
    except (VerificationError, InvalidHashError):
        return False


def verifier_of_password(password: str) -> str:
    """What is stored of a password. Takes about 20 ms: call it before a write takes the lock."""
    return _HASHER.hash(password)
