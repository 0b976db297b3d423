"""Limits of what people write, said once for every face. Each check returns the value or raises `Invalid`."""

import re

from rescind.model.errors import Invalid

NAME_LENGTH_MAX = 255
DESCRIPTION_LENGTH_MAX = 1000
EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024
ATTACHMENTS_MAX = 500
"""Policies on one role, user or group."""
DIRECT_ROLES_MAX = 50
"""Roles of one user outside every organization, and of one member that an administrator of the platform assigns."""
PERMISSIONS_MAX = 1000
"""Permissions of one role, and direct ones of one user."""
SCOPES_MAX = 1000
"""Scopes of one API."""
SESSION_SECONDS_MIN = 900
SESSION_SECONDS_MAX = 43_200
SESSION_SECONDS_DEFAULT = 3600
RESTORE_MICROSECONDS_MAX = 90 * 24 * 3600 * 1_000_000
"""For so long what was deleted can be restored."""

INSTANT_MAX = 253_402_300_799_999_999
"""The last instant of the year 9999, in microseconds: no date after it can be written."""

# What shows as nothing, or turns round what follows it: control characters, line ends, empty spaces, overrides.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]")
# One mailbox and nothing that a mail program would read as more than that.
_EMAIL = re.compile(r"[^@\s()<>\[\]:;,\\\"\x00-\x1f\x7f]+@[^\W_](?:[\w.-]*[^\W_])?")


def name(value: str, member: str = "name") -> str:
    """A name: not empty, at most 255 characters, none of them a control character."""
    if not value.strip():
        raise Invalid(f"`{member}` must not be empty")
    if len(value) > NAME_LENGTH_MAX:
        raise Invalid(f"`{member}` is longer than {NAME_LENGTH_MAX} characters")
    return _visible(value, member)


def description(value: str) -> str:
    """A description: at most 1,000 characters."""
    if len(value) > DESCRIPTION_LENGTH_MAX:
        raise Invalid(f"`description` is longer than {DESCRIPTION_LENGTH_MAX} characters")
    _visible(re.sub(r"[\t\r\n]", "", value), "description")
    return value


def scope(value: str) -> str:
    """The name of a scope: no white space, which parts one from the next, and no control characters."""
    if not value or any(letter.isspace() or not letter.isprintable() for letter in value):
        raise Invalid("a scope must not be empty or hold white space or control characters")
    return value


def email(value: str, member: str = "email") -> str:
    """An e-mail address, as far as its form can tell."""
    if len(value) > EMAIL_LENGTH_MAX or "=?" in value or not _EMAIL.fullmatch(value):
        raise Invalid(f"`{member}` is not an e-mail address")
    return _visible(value, member)


def password(value: str) -> str:
    """A password of 8 to 1,024 characters."""
    if not PASSWORD_LENGTH_MIN <= len(value) <= PASSWORD_LENGTH_MAX:
        raise Invalid(f"`password` must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return value


def end(value: int | None, now: int) -> int | None:
    """When time ends something, in microseconds since 1970: an instant to come that can be written; None for never."""
    if value is not None and not now < value <= INSTANT_MAX:
        raise Invalid("`expires_at` must be an instant to come, in microseconds since 1970")
    return value


def session_seconds(value: int, *, has_effect: bool) -> int:
    """The longest session of a role, in seconds: 900 to 43,200 where it has an effect, else any 32-bit number."""
    lowest, highest = (SESSION_SECONDS_MIN, SESSION_SECONDS_MAX) if has_effect else (0, 2**31 - 1)
    if not lowest <= value <= highest:
        raise Invalid(f"`max_session_duration` must be {lowest} to {highest} seconds")
    return value


def _visible(value: str, member: str) -> str:
    if _HIDDEN.search(value):
        raise Invalid(f"`{member}` must not hold control characters")
    return value
