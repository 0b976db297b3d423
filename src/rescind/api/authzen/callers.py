"""Callers: who may ask here, found out once and then proven to be so at every request."""

from hashlib import sha256

from msgspec import Struct

from rescind.engine.kept import Kept, Made, Noting, Stand, Touches
from rescind.store.contract import Store
from rescind.usecases.actor import Asking
from rescind.usecases.decision_points import admission
from rescind.usecases.issuer import Issuer

CALLERS_MAX = 10_000


class Caller(Struct, frozen=True, gc=False):
    """What a request presents: the hash of its token, where it comes from, what it wants to do, and where."""

    token: bytes
    address: str
    action: str
    organization: object


def caller_of(token: str, address: str, action: str, organization: object) -> Caller:
    """The caller behind a request that comes from an address."""
    # What is no name is nobody's organization.
    named = organization if organization is None or isinstance(organization, str) else ""
    return Caller(sha256(token.encode()).digest(), address, action, named)


class Callers:
    """The scopes of callers who may ask. Nobody who may not is kept."""

    def __init__(self, store: Store, touches: Touches, issuer: Issuer) -> None:
        self._store = store
        self._issuer = issuer
        self._kept: Kept[int] = Kept(touches, CALLERS_MAX)

    def scope(self, caller: Caller) -> int | None:
        """The scope in which a caller may ask, by key, if that is known."""
        return self._kept.get(caller)

    def admit(self, caller: Caller, asking: Asking, stand: Stand) -> tuple[int, Made[int] | None]:
        """Find out at a moment in which scope a caller may ask, and what of it may be kept. Raises any refusal."""
        with self._store.reading(stand.moment.revision, stand.moment.instant) as reader:
            noting = Noting(reader, stand.generation)
            found = admission(noting, asking, caller.action, caller.organization, self._issuer)
            return found.scope, noting.made(found.scope, found.until) if found.is_lasting else None

    def keep(self, caller: Caller, made: Made[int] | None) -> None:
        """Keep what was found out."""
        if made is not None:
            self._kept.put(caller, made)
