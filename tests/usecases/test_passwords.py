"""What is stored of a password. The nodes of these tests hash as cheaply as they can: see `conftest.py`."""

import subprocess
import sys

_RECOMMENDED = "$argon2id$v=19$m=19456,t=2,p=1$"


def test_passwords_are_hashed_as_owasp_recommends_and_as_long_for_people_whom_nobody_knows() -> None:
    """In a process of its own, as in every node."""
    program = """
from argon2.exceptions import VerifyMismatchError
from rescind.usecases import passwords
try:
    passwords.HASHER.verify(passwords.NOBODYS, "x")
except VerifyMismatchError:
    print(passwords.verifier_of_password("x"), passwords.NOBODYS)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [one.startswith(_RECOMMENDED) for one in said] == [True, True]
