"""What is kept of what was read: given back as long as nothing that it was made of was touched since.

Nothing is kept by time but what time ends. What a value was made of is noted while it is made, so none is forgotten;
what a change touched stands beside it in the log.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rescind.decision.snapshot import LEADS_ON
from rescind.engine.freshness import Moment
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Reader

TOUCHED_MAX = 500_000
"""Keys of which it is known when they were touched last; beyond that everything is read anew."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Stand:
    """The moment at which something is read, and the generation of what may be kept of it."""

    moment: Moment
    generation: int


class Touches:
    """When what was touched last, by key, and the moment up to which that is known."""

    def __init__(self) -> None:
        self.moment = Moment(0, 0)
        self.epoch = 0
        self.generation = 0
        """How often everything that was read had to be forgotten."""
        self.proof = object()
        """Another one whenever anything may have changed: what was proven with it needs no other proof."""
        self._newest: dict[int, int] = {}

    @property
    def stand(self) -> "Stand":
        """Where a reading begins."""
        return Stand(self.moment, self.generation)

    def advance(self, moment: Moment, epoch: int, touched: Mapping[int, int] | None) -> None:
        """Go on to a later moment; `touched` is by which of the revisions since, None if that cannot be told.

        A new proof is published last: whoever is proving something in another thread meanwhile, by what was known
        before, has taken the old one, which proves nothing any more.
        """
        goes_on = touched is not None and epoch == self.epoch
        is_same = goes_on and not touched and moment.revision == self.moment.revision
        if touched is None or epoch != self.epoch or len(self._newest) + len(touched) > TOUCHED_MAX:
            # Also what is being read now: it began before, perhaps in a future that was lost.
            self.generation += 1
            self._newest.clear()
        else:
            self._newest.update(touched)
        self.moment, self.epoch = moment, epoch
        if not is_same:
            self.proof = object()

    def spare(self, seen: Collection[int], since: int) -> bool:
        """Whether nothing of what was seen at revision `since` was touched after it."""
        newest = self._newest
        # Most of what is kept has nothing in common with what was ever touched, and that is seen at once.
        return newest.keys().isdisjoint(seen) or all(newest.get(key, 0) <= since for key in seen)


_NONE: dict[Any, Any] = {}


@dataclass(slots=True)
class Made(Generic[Value]):
    """A value, the revision at which it is known to be true, what it was made of, and the instant when time ends it.

    With `seen` None it is good at that one revision; after its generation it is good for nothing. It was proven last
    with `proof`, if time cannot end it. What of the value is looked up most may lie `at_hand`: each step to what lies
    further away costs as much as all that is done with it. What takes its place from a later revision on, and not
    before it, may be there already: `then`, which any thread may set.
    """

    value: Value
    revision: int
    seen: tuple[int, ...] | None
    until: int | None = None
    generation: int = 0
    proof: object = None
    at_hand: dict[Any, Any] = field(default_factory=lambda: _NONE)
    then: "Made[Value] | None" = None


_ByPlace = dict[Hashable, dict[Hashable, Made[Value]]]


class Kept(Generic[Value]):
    """Values by place and key, as many as were wanted lately: `size_max` at most.

    A place is what many keys have in common. It is apart from them because a key that is one string is found in a
    third of the time of one that has parts.
    """

    def __init__(self, touches: Touches, size_max: int) -> None:
        self._touches = touches
        self._half = max(1, size_max // 2)
        self._young: _ByPlace[Value] = {}
        self._old: _ByPlace[Value] = {}
        self._young_number = 0
        self._old_number = 0

    def get(self, key: Hashable, place: Hashable = None) -> Value | None:
        """The value, if it is kept and true at the moment."""
        made = self._find(key, place)
        return made.value if made is not None else None

    def at_hand(self, key: Hashable, place: Hashable = None) -> dict[Any, Any]:
        """What lies at hand of a value, if it is kept and true at the moment; else nothing."""
        try:
            made = self._young[place][key]
        except KeyError:
            pass
        else:
            if made.proof is self._touches.proof:
                return made.at_hand
        return self._proven_at_hand(key, place)

    def all_at_hand(self, keys: Sequence[Hashable], places: Sequence[Hashable]) -> list[dict[Any, Any]]:
        """The same for many, at least one.

        All are looked up before the first is looked at: so the memory of many is waited for at once.
        """
        young, proof, place = self._young, self._touches.proof, places[0]
        if places.count(place) == len(places):
            found = list(map(young.get(place, _NONE).get, keys))
        else:
            found = [young.get(place, _NONE).get(key) for key, place in zip(keys, places, strict=True)]
        return [
            made.at_hand if made is not None and made.proof is proof else self._proven_at_hand(key, place)
            for made, key, place in zip(found, keys, places, strict=True)
        ]

    def last(self, key: Hashable, place: Hashable = None) -> Made[Value] | None:
        """What was kept last under a key, true or not."""
        return self._young.get(place, {}).get(key) or self._old.get(place, {}).get(key)

    def peek(self, key: Hashable, place: Hashable = None) -> Value | None:
        """The same as `get`, without taking it for a use. Any thread may ask."""
        made = self.last(key, place)
        return made.value if made is not None and self.is_true(made) else None

    def is_true(self, made: Made[Value]) -> bool:
        """Whether a value is true at the moment; it is then known to be. Any thread may ask."""
        touches = self._touches
        # The proof before anything that it is about: see `Touches.advance`.
        proof, moment = touches.proof, touches.moment
        if made.generation != touches.generation:
            return False
        if made.revision < moment.revision:
            if made.seen is None or not touches.spare(made.seen, made.revision):
                return False
            made.revision = moment.revision
        if made.until is not None:
            return moment.instant < made.until
        made.proof = proof
        return True

    def put(self, key: Hashable, made: Made[Value], place: Hashable = None) -> None:
        """Keep a value."""
        self._take_old(key, place)
        self._put(key, place, made)

    def __len__(self) -> int:
        return self._young_number + self._old_number

    def _find(self, key: Hashable, place: Hashable) -> Made[Value] | None:
        young = self._young.get(place)
        made = young.get(key) if young is not None else None
        if made is None:
            made = self._take_old(key, place)
            if made is None:
                return None
            self._put(key, place, made)
        then = made.then
        if then is not None and then.revision <= self._touches.moment.revision:
            made = then
            self._put(key, place, made)
        return made if made.proof is self._touches.proof or self.is_true(made) else None

    def _proven_at_hand(self, key: Hashable, place: Hashable) -> dict[Any, Any]:
        made = self._find(key, place)
        return made.at_hand if made is not None else _NONE

    def _put(self, key: Hashable, place: Hashable, made: Made[Value]) -> None:
        if self._young_number >= self._half:
            # What was not wanted since the last time goes.
            self._old, self._old_number = self._young, self._young_number
            self._young, self._young_number = {}, 0
        young = self._young.setdefault(place, {})
        self._young_number += key not in young
        young[key] = made

    def _take_old(self, key: Hashable, place: Hashable) -> Made[Value] | None:
        made = self._old.get(place, {}).pop(key, None)
        self._old_number -= made is not None
        return made


class Noting:
    """A reader that notes what is read through it. What cannot be noted makes `is_repeatable` false.

    A thing that is looked up by a name and found is noted by its key: names are touched with what has them.
    """

    def __init__(self, reader: Reader, generation: int = 0) -> None:
        self._reader = reader
        self.generation = generation
        self.revision = reader.revision
        self.instant = reader.instant
        self.seen: set[int] = set()
        self.until: int | None = None
        self.is_repeatable = True

    def __getattr__(self, name: str) -> Any:
        self.is_repeatable = False
        return getattr(self._reader, name)

    def made(self, value: Value, until: int | None = None) -> Made[Value]:
        """A value that was made of what was read, at most until an instant."""
        ends = [end for end in (self.until, until) if end is not None]
        seen = tuple(sorted(self.seen)) if self.is_repeatable else None
        return Made(value, self.revision, seen, min(ends, default=None), self.generation)

    def intervals(self, holders: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals`."""
        self.seen.update(holders)
        found = self._reader.intervals(holders, *kinds)
        self._note(interval.fact for interval in found)
        return found

    def intervals_on(self, things: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals_on`."""
        self.seen.update(-thing for thing in things)
        found = self._reader.intervals_on(things, *kinds)
        self._note(interval.fact for interval in found)
        return found

    def surroundings(self, keys: Collection[int]) -> list[Fact]:
        """See `contract.Reader.surroundings`."""
        found = self._reader.surroundings(keys)
        self.seen.update(keys)
        self.seen.update(key for fact in found if fact.kind in LEADS_ON for key in (fact.thing, fact.scope))
        self.seen.discard(PLATFORM)
        self._note(found)
        return found

    def objects(self, keys: Collection[int]) -> dict[int, Object]:
        """See `contract.Reader.objects`. What an object is never changes."""
        return self._reader.objects(keys)

    def origins(self, revisions: Collection[int]) -> dict[int, tuple[int, str]]:
        """See `contract.Reader.origins`. What was written stays."""
        return self._reader.origins(revisions)

    def profiles(self, keys: Collection[int]) -> dict[int, dict[str, str]]:
        """See `contract.Reader.profiles`."""
        self.seen.update(keys)
        return self._reader.profiles(keys)

    def secret(self, of: int, kind: str) -> str | None:
        """See `contract.Reader.secret`."""
        self.seen.add(of)
        return self._reader.secret(of, kind)

    def find_object(self, kind: ObjectKind, identifier: str) -> Object | None:
        """See `contract.Reader.find_object`."""
        return self._found(self._reader.find_object(kind, identifier))

    def find_user(self, email: str) -> Object | None:
        """See `contract.Reader.find_user`."""
        return self._named(self._reader.find_user(email))

    def find_named(self, field: str, value: str, *, also_ended: bool = False) -> Object | None:
        """See `contract.Reader.find_named`."""
        if also_ended:
            # A younger one may come that has the name, too.
            self.is_repeatable = False
        return self._named(self._reader.find_named(field, value, also_ended=also_ended))

    def find_credential(self, kind: str, verifier: str) -> int | None:
        """See `contract.Reader.find_credential`."""
        found = self._reader.find_credential(kind, verifier)
        if found is None:
            self.is_repeatable = False
        else:
            self.seen.add(found)
        return found

    def _named(self, found: Object | None) -> Object | None:
        if found is not None:
            # Only what lives is found by a name, and time may end it.
            self.intervals([found.key], FactKind.EXISTENCE)
        return self._found(found)

    def _found(self, found: Object | None) -> Object | None:
        if found is None:
            # Somebody else may get the name without anything that was seen being touched.
            self.is_repeatable = False
        else:
            self.seen.add(found.key)
        return found

    def _note(self, facts: Any) -> None:
        ends = [fact.expires_at for fact in facts if fact.expires_at is not None and fact.expires_at > self.instant]
        if self.until is not None:
            ends.append(self.until)
        self.until = min(ends, default=None)
