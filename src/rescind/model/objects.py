"""The things that exist. An object is an identity only: whether it lives, and what is true of it, are facts."""

import re
from dataclasses import dataclass
from enum import IntEnum

PLATFORM = 0
"""Key of the platform: the owner of managed definitions, and the scope outside every organization."""


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether a text is spelled as ids are. There is one spelling: by another, a Deny on an id would be passed by."""
    return _UUID.fullmatch(text) is not None


class ObjectKind(IntEnum):
    """What an object is. The numbers are stored: never change one, never use one again."""

    PLATFORM = 0
    ORGANIZATION = 1
    USER = 2
    MEMBERSHIP = 3
    GROUP = 4
    ROLE = 5
    POLICY = 6
    PERMISSION = 7
    API_KEY = 8
    ROLE_TRUST = 9
    SESSION = 10
    INVITATION = 11
    API = 12
    CLIENT = 13
    CLIENT_GRANT = 14
    SIGNING_KEY = 15
    TOKEN_FAMILY = 16
    RESOURCE = 17

    @property
    def label(self) -> str:
        """The name of the kind in messages and in the log: `api_key`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Object:
    """One identity. `key` is the integer inside the database, `id` the UUID that people see (lower case).

    `owner` is the key of the organization that the object belongs to for ever, or `PLATFORM`.
    `created_at` is in microseconds since 1970, UTC: the time of the change that made it.
    """

    key: int
    id: str
    kind: ObjectKind
    owner: int
    created_at: int
