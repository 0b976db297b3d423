"""Passwords: Argon2id, with the parameters that OWASP recommends for 19 MiB."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
NOBODYS = HASHER.hash("nobody has this password")
"""What a password is held against where there is no verifier: who is unknown must not be told by the time it takes."""


def is_password(password: str, verifier: str | None) -> bool:
    """Whether that password is the one of which the verifier was made; of none, never. Takes as long as making one."""
    try:
        return HASHER.verify(verifier or NOBODYS, password) and verifier is not None
    except (VerificationError, InvalidHashError):
        return False


def verifier_of_password(password: str) -> str:
    """What is stored of a password. Takes about 20 ms: call it before a write takes the lock."""
    return HASHER.hash(password)
