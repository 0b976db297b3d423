"""Spellings: the ids by which the Auth0 face knows things, random and in Auth0's own forms.

Beside its UUID each user, role, organization, group, invitation, API, client and client grant has one for life.
"""

import secrets
import string
from collections.abc import Callable

from rescind.model.objects import ObjectKind

USER_PROVIDER = "auth0"

_BASE62 = string.ascii_letters + string.digits
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_URL_SAFE = _BASE62 + "-_"


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


_FORMS: dict[ObjectKind, Callable[[], str]] = {
    ObjectKind.USER: lambda: user_spelling(secrets.token_hex(12)),
    ObjectKind.ROLE: lambda: "rol_" + _random(_BASE62, 16),
    ObjectKind.ORGANIZATION: lambda: "org_" + _random(_BASE62, 16),
    ObjectKind.GROUP: lambda: "grp_" + _random(_BASE58, 16),
    ObjectKind.INVITATION: lambda: "uinv_" + _random(_BASE62, 16),
    ObjectKind.API: lambda: secrets.token_hex(12),
    ObjectKind.CLIENT: lambda: _random(_BASE62, 32),
    ObjectKind.CLIENT_GRANT: lambda: "cgr_" + _random(_BASE62, 16),
    ObjectKind.TOKEN_FAMILY: lambda: "rt_" + _random(_BASE62, 16),
    ObjectKind.SIGNING_KEY: lambda: _random(_URL_SAFE, 21),
}


def new_spelling(kind: ObjectKind) -> str | None:
    """A new id for an object of that kind, or None if it has none but its UUID."""
    form = _FORMS.get(kind)
    return form() if form else None


def user_spelling(chosen: str) -> str:
    """The id of a user of the built-in connection whose part of it was chosen."""
    return f"{USER_PROVIDER}|{chosen}"


def is_role_spelling(text: str) -> bool:
    """Whether it has the form of a role's id."""
    prefix, _, rest = text.partition("_")
    return prefix == "rol" and len(rest) == 16 and all(letter in _BASE62 for letter in rest)
