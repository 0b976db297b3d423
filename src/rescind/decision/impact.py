"""Impact: what one principal may no longer do, and may now do, when one access becomes another.

A request is lost iff it is allowed before and not after, gained the other way round. The patterns of both accesses
part all requests into finitely many classes, so every request is accounted for by one of its class. What conditions
ask is left open: each may hold or not, so a class may be lost always, never, or only in some circumstances.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import combinations, islice, product
from typing import Any

from rescind.decision.classes import ResourceClass, TextClass, resource_classes, text_classes
from rescind.decision.cover import TooMuchWork
from rescind.decision.decide import AccessRequest, Reason, speaks_of, state_of
from rescind.decision.effective import EffectivePermission, effective_permissions
from rescind.decision.match import matches, matches_resource
from rescind.decision.remains import Settled, remains_where
from rescind.decision.snapshot import Snapshot
from rescind.model.apis import RESOURCE_TYPE
from rescind.model.conditions import Condition, Effect
from rescind.model.documents import Statement
from rescind.model.literals import literal
from rescind.model.objects import PLATFORM

CELLS_MAX = 100_000
"""Classes of actions times classes of resources that are looked at for one difference."""

_EVERYTHING = Statement(Effect.ALLOW, ("*",), ("*",))


class Verdict(StrEnum):
    """How much of what a statement allowed is lost."""

    ENTIRELY = "entirely"
    PARTLY = "partly"
    ONLY_IF = "only_if"


@dataclass(frozen=True, slots=True)
class Holding:
    """A statement that reaches a principal; `on_api` says whether it allows on registered APIs.

    `permission` has the paths to it; without one it is what root ownership gives.
    """

    statement: Statement
    on_api: bool
    permission: EffectivePermission | None = None


@dataclass(frozen=True)
class Access:
    """What one principal may do in one scope: its state, and the statements that reach it."""

    state: Reason | None
    holdings: tuple[Holding, ...]
    within: bool

    @cached_property
    def key(self) -> tuple[Reason | None, frozenset[tuple[Statement, bool]], bool]:
        """What two accesses have in common that allow the same, whatever the paths."""
        if self.state not in (None, Reason.ROOT):
            return self.state, frozenset(), self.within
        return self.state, frozenset((held.statement, held.on_api) for held in self.holdings), self.within

    @property
    def bearing(self) -> tuple[Holding, ...]:
        """The statements that count in its state; root ownership is one of them."""
        if self.state is Reason.ROOT:
            return (Holding(_EVERYTHING, on_api=False), *self.holdings)
        return self.holdings if self.state is None else ()


@dataclass(frozen=True, slots=True)
class Row:
    """What one pair of patterns of one Allow loses: how much, and what covers the rest of it afterwards."""

    action: str
    resource: str
    condition: Condition | None
    verdict: Verdict
    holding: Holding
    still: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """One known action on one known resource that is lost, always or in some circumstances."""

    action: str
    resource_type: str
    resource_id: str
    verdict: Verdict


def access_of(snapshot: Snapshot) -> Access:
    """What the principal of a snapshot may do; not a session's, which hangs on where and when it is used."""
    holdings = tuple(
        Holding(held.statement, snapshot.is_of_api(held.policy), held) for held in effective_permissions(snapshot)
    )
    return Access(state_of(AccessRequest("", ""), snapshot), holdings, snapshot.principal.organization != PLATFORM)


def access_where(access: Access, part: str, known: Mapping[str, Any]) -> Access:
    """An access for requests of which one part (`subject`, `resource`) is known, and all of it."""
    holdings = []
    for held in access.holdings:
        said = held.statement
        settled, left = remains_where(said.condition, part, known, said.effect)
        if settled is not Settled.FAILS:
            holdings.append(replace(held, statement=replace(said, condition=left)))
    return replace(access, holdings=tuple(holdings))


def access_on(access: Access, resource_type: str, resource_id: str) -> Access:
    """An access as far as it reaches one resource."""
    spoken = literal(resource_id)
    only = (f"{resource_type}:{spoken}",)
    holdings = tuple(
        replace(held, statement=replace(held.statement, resources=only))
        for held in access.holdings
        if any(matches_resource(pattern, resource_type, spoken) for pattern in held.statement.resources)
    )
    return replace(access, holdings=holdings)


@dataclass(frozen=True)
class Loss:
    """What is allowed `before` and not `after`. Turned round it is what is gained.

    Raises `TooMuchWork` where there are too many classes to be looked at.
    """

    before: Access
    after: Access

    @cached_property
    def rows(self) -> list[Row]:
        """Every pair of patterns that loses something, in the order of the statements."""
        if self.before.key == self.after.key:
            return []
        rows = []
        for holding in self.before.bearing:
            if holding.statement.effect is not Effect.ALLOW:
                continue
            for action, resource in product(holding.statement.actions, holding.statement.resources):
                cells = [
                    (ours, theirs)
                    for ours in self._actions
                    if matches(action, literal(ours.witness))
                    for theirs in self._resources
                    if matches_resource(resource, theirs.resource_type, literal(theirs.resource_id))
                ]
                row = self._row(holding, action, resource, cells)
                if row is not None:
                    rows.append(row)
        return rows

    def known(
        self, actions: Collection[str], resources: Collection[tuple[str, str]], most: int
    ) -> tuple[list[Known], int]:
        """Those of the known actions on known resources (type and id) that are lost, at most so many, and how many."""
        found: list[Known] = []
        total = 0
        for (ours, theirs), verdict in self._known_classes(actions, resources):
            total += len(ours) * len(theirs)
            for action, (type_, id_) in islice(product(ours, theirs), most - len(found)):
                found.append(Known(action, type_, id_, verdict))
        return sorted(found, key=lambda one: (one.action, one.resource_type, one.resource_id)), total

    def _known_classes(
        self, actions: Collection[str], resources: Collection[tuple[str, str]]
    ) -> Iterator[tuple[tuple[list[str], list[tuple[str, str]]], Verdict]]:
        """The known actions and resources that are told apart by no pattern, together, where they are lost."""
        spoken_of = {pattern for said in self._statements for pattern in said.actions}
        ours: dict[frozenset[str], list[str]] = {}
        for action in actions:
            ours.setdefault(frozenset(p for p in spoken_of if matches(p, literal(action))), []).append(action)
        patterns = {pattern for said in self._statements for pattern in said.resources}
        theirs: dict[tuple[str, frozenset[str]], list[tuple[str, str]]] = {}
        for type_, id_ in resources:
            covering = frozenset(p for p in patterns if matches_resource(p, type_, literal(id_)))
            rules = f"{type_}:{id_}" if type_ == RESOURCE_TYPE else ""
            theirs.setdefault((rules, covering), []).append((type_, id_))
        for one, other in product(ours.values(), theirs.values()):
            verdict = self.verdict(one[0], *other[0])
            if verdict is not None:
                yield (one, other), verdict

    def verdict(self, action: str, resource_type: str, resource_id: str) -> Verdict | None:
        """Whether one request is lost: always, in some circumstances, or never (None)."""
        lost, kept, _ = self._weighed(action, resource_type, resource_id, None)
        if not lost:
            return None
        return Verdict.ONLY_IF if kept else Verdict.ENTIRELY

    @cached_property
    def witnesses(self) -> list[tuple[str, str, str]]:
        """One request (action, type and id of the resource) of each class."""
        return [
            (ours.witness, theirs.resource_type, theirs.resource_id)
            for ours in self._actions
            for theirs in self._resources
        ]

    @cached_property
    def _statements(self) -> list[Statement]:
        return [held.statement for held in (*self.before.bearing, *self.after.bearing)]

    @cached_property
    def _actions(self) -> list[TextClass]:
        return text_classes(pattern for said in self._statements for pattern in said.actions)

    @cached_property
    def _resources(self) -> list[ResourceClass]:
        patterns = (pattern for said in self._statements for pattern in said.resources)
        found = resource_classes(patterns, apart=(RESOURCE_TYPE,))
        if len(found) * len(self._actions) > CELLS_MAX:
            raise TooMuchWork
        return found

    def _row(
        self, holding: Holding, action: str, resource: str, cells: Sequence[tuple[TextClass, ResourceClass]]
    ) -> Row | None:
        verdicts = set()
        still: dict[Holding, None] = {}
        for ours, theirs in cells:
            lost, kept, covering = self._weighed(ours.witness, theirs.resource_type, theirs.resource_id, holding)
            if lost or kept:
                verdicts.add((lost, kept))
            if kept:
                still.update(dict.fromkeys(covering))
        if not any(lost for lost, _ in verdicts):
            return None
        if (True, True) in verdicts:
            verdict = Verdict.ONLY_IF
        else:
            verdict = Verdict.PARTLY if (False, True) in verdicts else Verdict.ENTIRELY
        return Row(action, resource, holding.statement.condition, verdict, holding, tuple(still))

    def _weighed(
        self, action: str, resource_type: str, resource_id: str, through: Holding | None
    ) -> tuple[bool, bool, list[Holding]]:
        """Whether a request may be lost, whether what was allowed may stay, and what allows it then.

        With `through` only circumstances count in which that statement applies.
        """
        about = (action, resource_type, resource_id)
        before = [
            held
            for held in self.before.bearing
            if speaks_of(held.statement, about, is_of_api=held.on_api, within=self.before.within)
        ]
        after = [
            held
            for held in self.after.bearing
            if speaks_of(held.statement, about, is_of_api=held.on_api, within=self.after.within)
        ]
        if through is not None and through not in before:
            return False, False, []
        root_before = self.before.state is Reason.ROOT and resource_type != RESOURCE_TYPE
        root_after = self.after.state is Reason.ROOT and resource_type != RESOURCE_TYPE
        conditions = list(dict.fromkeys(h.statement.condition for h in (*before, *after) if h.statement.condition))
        lost = kept = False
        for holds in _circumstances(conditions):
            if through is not None and not _applies(through, holds):
                continue
            if not (root_before or _allows(before, holds)):
                continue
            if root_after or _allows(after, holds):
                kept = True
            else:
                lost = True
        covering = [held for held in after if held.statement.effect is Effect.ALLOW] if kept else []
        return lost, kept, covering


Circumstances = frozenset[Condition]
"""The conditions that hold."""


def _circumstances(conditions: Sequence[Condition]) -> Iterator[Circumstances]:
    """The sets of conditions that hold, as far as they can make a difference: no more than two at once.

    For a loss one Allow must hold before, and at most one Deny after; to stay, one Allow on each side. Whatever else
    holds only takes from that.
    """
    yield frozenset()
    yield from map(frozenset, combinations(conditions, 1))
    yield from map(frozenset, combinations(conditions, 2))


def _allows(holdings: Iterable[Holding], holds: Circumstances) -> bool:
    allowed = False
    for held in holdings:
        if _applies(held, holds):
            if held.statement.effect is Effect.DENY:
                return False
            allowed = True
    return allowed


def _applies(held: Holding, holds: Circumstances) -> bool:
    return held.statement.condition is None or held.statement.condition in holds
