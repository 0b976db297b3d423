"""What would be so if a plan were written: the same reader, with the plan's facts laid over what is stored."""

from collections.abc import Collection
from typing import Any

from rescind.decision.snapshot import gather
from rescind.engine.principals import by_holder
from rescind.model.changes import Plan
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object
from rescind.store.contract import Reader

PLANNED = 0
"""The key of an interval that is not stored yet."""


class Planned:
    """A reader of facts and objects after a plan; for everything else what is so before it is all that can be read."""

    def __init__(self, reader: Reader, plan: Plan) -> None:
        self._reader = reader
        self.revision = reader.revision
        self.instant = reader.instant
        self._closed = {interval.key for interval in plan.closed}
        self._ended = {interval.fact for interval in plan.closed}
        self._opened = list(plan.opened)
        self._created = {created.key: created for created in plan.created}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def intervals(self, holders: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals`."""
        stored = [found for found in self._reader.intervals(holders, *kinds) if found.key not in self._closed]
        wanted = set(holders)
        return stored + self._begun([fact for fact in self._opened if fact.holder in wanted], kinds)

    def intervals_on(self, things: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals_on`."""
        stored = [found for found in self._reader.intervals_on(things, *kinds) if found.key not in self._closed]
        wanted = set(things)
        return stored + self._begun([fact for fact in self._opened if fact.thing in wanted], kinds)

    def objects(self, keys: Collection[int]) -> dict[int, Object]:
        """See `contract.Reader.objects`."""
        made = {key: self._created[key] for key in keys if key in self._created}
        return made | self._reader.objects([key for key in keys if key not in made])

    def surroundings(self, keys: Collection[int]) -> list[Fact]:
        """See `contract.Reader.surroundings`."""
        ends = {key for fact in self._opened for key in (fact.thing, fact.scope)} - {PLATFORM}
        stored = self._reader.surroundings({*keys, *ends})
        facts = [fact for fact in stored if fact not in self._ended] + self._opened
        return [fact for held in gather(keys, by_holder(facts)).values() for fact in held]

    def _begun(self, facts: list[Fact], kinds: Collection[FactKind]) -> list[Interval]:
        return [Interval(PLANNED, fact, self.revision + 1) for fact in facts if not kinds or fact.kind in kinds]
