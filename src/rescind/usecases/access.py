"""What a member or group has: groups, roles and policies, direct and inherited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rescind.decision.snapshot import Snapshot
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.usecases import groups, policies, roles
from rescind.usecases.groups import GroupView
from rescind.usecases.policies import PolicyView
from rescind.usecases.roles import RoleView
from rescind.usecases.unit import View

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Held(Generic[Thing]):
    """One thing that somebody has, by one way: `source` is `direct`, `group` or `role`.

    `at` is when the first edge of the way was made (microseconds) and `by` by whom; `from_role` is the id of the
    role on the way.
    """

    thing: Thing
    source: str
    at: int
    by: str
    from_role: str | None = None


@dataclass(frozen=True, slots=True)
class Holding(Generic[Thing]):
    """All that somebody has of one kind: `every` holds each thing once, by its nearest way."""

    direct: Sequence[Held[Thing]]
    inherited: Sequence[Held[Thing]]
    every: Sequence[Held[Thing]]


def own_groups(view: View) -> list[Held[GroupView]]:
    """The actor's groups."""
    return groups_of_user(view, user=view.actor.user.id)


def own_roles(view: View) -> Holding[RoleView]:
    """The actor's roles."""
    return roles_of_user(view, user=view.actor.user.id)


def own_policies(view: View) -> Holding[PolicyView]:
    """The policies that reach the actor."""
    return policies_of_user(view, user=view.actor.user.id)


def groups_of_user(view: View, *, user: str) -> list[Held[GroupView]]:
    """The groups that a member is in."""
    snapshot = view.snapshot(view.member(user))
    edges = _edges(snapshot, snapshot.principal.membership, FactKind.GROUP_MEMBERSHIP)
    objects = view.reader.objects([edge.thing for edge in edges])
    described = groups.describe(view, [objects[edge.thing] for edge in edges])
    since = _since(view, edges)
    return [Held(group, "direct", *since[edge.place]) for edge, group in zip(edges, described, strict=True)]


def roles_of_user(view: View, *, user: str) -> Holding[RoleView]:
    """The roles attached to a member, and those attached to her groups."""
    snapshot = view.snapshot(view.member(user))
    membership = snapshot.principal.membership
    ways = [_Way(edge.thing, "direct", edge) for edge in _edges(snapshot, membership, FactKind.ROLE_ATTACHMENT)]
    for joined in _edges(snapshot, membership, FactKind.GROUP_MEMBERSHIP):
        ways += [_Way(edge.thing, "group", joined) for edge in _edges(snapshot, joined.thing, FactKind.ROLE_ATTACHMENT)]
    return _roles(view, ways)


def policies_of_user(view: View, *, user: str) -> Holding[PolicyView]:
    """The policies that reach a member: attached to her, to her groups, or in a role of either."""
    snapshot = view.snapshot(view.member(user))
    return _policies(view, (reach.path for reach in snapshot.reaches))


def roles_of_group(view: View, *, group: str) -> tuple[GroupView, Holding[RoleView]]:
    """A group and the roles attached to it; nothing is inherited by one."""
    found = view.get(ObjectKind.GROUP, group)
    snapshot = view.snapshot_around(found.key)
    edges = _edges(snapshot, found.key, FactKind.ROLE_ATTACHMENT)
    held = _roles(view, [_Way(edge.thing, "direct", edge) for edge in edges])
    return groups.describe(view, [found])[0], held


def policies_of_group(view: View, *, group: str) -> tuple[GroupView, Holding[PolicyView]]:
    """A group, the policies attached to it, and those in its roles."""
    found = view.get(ObjectKind.GROUP, group)
    snapshot = view.snapshot_around(found.key)
    held = _policies(view, (reach.path for reach in snapshot.from_holder(found.key, view.organization)))
    return groups.describe(view, [found])[0], held


@dataclass(frozen=True, slots=True)
class _Way:
    """A thing, how it came, the first edge on the way, and the role on it."""

    thing: int
    source: str
    first: Fact
    role: int | None = None


_NEAREST_FIRST = ("direct", "group", "role")


def _edges(snapshot: Snapshot, holder: int, kind: FactKind) -> list[Fact]:
    return [
        fact
        for fact in snapshot.held(holder, kind)
        if fact.scope == snapshot.principal.organization and snapshot.exists(fact.thing)
    ]


def _roles(view: View, ways: Sequence[_Way]) -> Holding[RoleView]:
    objects = view.reader.objects({way.thing for way in ways})
    described = dict(zip(objects, roles.describe(view, list(objects.values())), strict=True))
    return _holding(view, ways, described)


def _policies(view: View, paths: Iterable[tuple[Fact, ...]]) -> Holding[PolicyView]:
    ways = []
    for path in paths:
        last = path[-1]
        if last.kind is not FactKind.POLICY_ATTACHMENT:
            continue
        role = next((edge.thing for edge in path if edge.kind is FactKind.ROLE_ATTACHMENT), None)
        source = "role" if role else "group" if len(path) > 1 else "direct"
        ways.append(_Way(last.thing, source, path[0], role))
    objects = view.reader.objects({way.thing for way in ways})
    described = dict(zip(objects, policies.describe(view, list(objects.values())), strict=True))
    return _holding(view, ways, described)


def _holding(view: View, ways: Sequence[_Way], described: dict[int, Thing]) -> Holding[Thing]:
    """Each thing at most once in each part, by its nearest way, in the order in which things were made."""
    since = _since(view, [way.first for way in ways])
    names = {key: found.id for key, found in view.reader.objects({way.role for way in ways if way.role}).items()}

    def nearest(among: Iterable[_Way]) -> list[Held[Thing]]:
        best: dict[int, _Way] = {}
        for way in sorted(among, key=lambda way: (way.thing, _NEAREST_FIRST.index(way.source), way.first.place)):
            best.setdefault(way.thing, way)
        return [
            Held(described[way.thing], way.source, *since[way.first.place], names[way.role] if way.role else None)
            for way in best.values()
        ]

    return Holding(
        nearest(way for way in ways if way.source == "direct"),
        nearest(way for way in ways if way.source != "direct"),
        nearest(ways),
    )


def _since(view: View, edges: Sequence[Fact]) -> dict[tuple[FactKind, int, int, int], tuple[int, str]]:
    """When and by whom each edge was made, by its place."""
    intervals = view.reader.intervals({edge.holder for edge in edges})
    origins = view.reader.origins({interval.revision_from for interval in intervals})
    return {interval.fact.place: origins[interval.revision_from] for interval in intervals}
