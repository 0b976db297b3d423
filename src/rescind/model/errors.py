"""Every way the core can refuse, as one tree.

    Refusal
    ├── Invalid            the request cannot mean anything: wrong shape, value, limit, combination
    │   └── LimitReached   there would be more than there may be
    ├── Unauthenticated    no credential, or one that is unknown, ended or expired
    │   ├── UnknownAddress the credential may not be used from where it was
    │   └── BadToken       a signed token that is not good here; `fault` says why
    ├── Forbidden          authenticated, but the right is missing or the rule of the house says no
    │   └── MissingScope   none of `scopes` is held
    ├── Conflict           something else has what only one may have; `what` says what it is
    ├── Changed            what the caller saw before is no longer so
    ├── TooMany            too many attempts; try again later
    ├── NotFound           unknown id, or an id of another organization; `what` says of what kind
    ├── Gone               the revision asked for lies before the horizon
    └── Unavailable        the node cannot prove that its answer is fresh, or the lock was not to be had

A refusal carries fields and knows no HTTP; each face maps the tree to its own words. Messages are in lower
case, without a final period, with the user's own words in backticks; never a secret among them.
"""

from enum import Enum, auto


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The core says no. `message` may be shown to the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(Refusal):
    """The request cannot mean anything; nothing was written."""


class LimitReached(Invalid):
    """There would be more of something than there may be; nothing was written."""


class Unauthenticated(Refusal):
    """The credential is missing, unknown, ended or expired. The message never says which."""


class UnknownAddress(Unauthenticated):
    """The credential may not be used from `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(f"unauthorized address {address}")
        self.address = address


class Fault(Enum):
    """What is wrong with a signed token."""

    SIGNATURE = auto()
    EXPIRED = auto()
    UNUSABLE = auto()


class BadToken(Unauthenticated):
    """A signed token is not good here."""

    def __init__(self, fault: Fault) -> None:
        super().__init__("invalid token")
        self.fault = fault


class Forbidden(Refusal):
    """The actor may not do this; nothing was written."""


class MissingScope(Forbidden):
    """None of these scopes of the API that manages this server is held."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__(f"not permitted: {' or '.join(scopes)}")
        self.scopes = scopes


class Conflict(Refusal):
    """Something else has what only one may have; nothing was written. `what` is the label of an object's kind."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


class Changed(Refusal):
    """What the caller saw before is no longer so; nothing was written."""


class TooMany(Refusal):
    """Too many attempts from one place at one thing."""


class NotFound(Refusal):
    """There is no such thing for this actor. Another organization's objects are not found.

    `what` is the label of an object's kind, or `change`; `name` is by what it was asked for, where that is worth it.
    """

    def __init__(self, what: str, name: str = "") -> None:
        super().__init__(f"{what} not found")
        self.what = what
        self.name = name


class Gone(Refusal):
    """History before the horizon was compacted away."""


class Unavailable(Refusal):
    """Nothing can be promised now; try again.

    `outcome_unknown` is true only when a commit was sent, and its fate or what it left behind cannot be read.
    """

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
