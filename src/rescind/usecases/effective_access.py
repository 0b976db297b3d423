"""What a user really has, here: roles by every way, and the scopes of an API that a decision would allow."""

from collections.abc import Sequence
from dataclasses import dataclass

from rescind.decision.decide import decide
from rescind.decision.snapshot import Principal, Snapshot
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.errors import NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import apis, group_roles, permissions, roles
from rescind.usecases.group_roles import GroupAccount
from rescind.usecases.permissions import PermissionView
from rescind.usecases.roles import RoleView
from rescind.usecases.unit import View

DIRECT, BY_GROUP, BY_ROLE = "direct", "groups", "roles"


@dataclass(frozen=True, slots=True)
class EffectiveRole:
    """A role that a user has, and the ways by which she does: `direct`, `groups` or both."""

    role: RoleView
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class EffectivePermission:
    """A scope that a user is allowed, and the ways by which she is: `direct`, `roles` or both."""

    permission: PermissionView
    sources: Sequence[str]


def roles_of(view: View, *, user: str) -> list[EffectiveRole]:
    """The roles that a user has here, by name."""
    return _described(view, _ways(view, snapshot_here(view, user)))


def groups_with(view: View, *, user: str, role: str) -> list[GroupAccount]:
    """The groups through which a user has a role here."""
    snapshot, found = snapshot_here(view, user), view.get(ObjectKind.ROLE, role)
    through = [joined.thing for joined, role_key in _by_groups(view, snapshot) if role_key == found.key]
    return group_roles.describe(view, view.reader.objects(through).values())


def permissions_of(view: View, *, user: str, api: str) -> list[EffectivePermission]:
    """The scopes of an API, by its identifier as clients know it, that a user is allowed here, in the API's order."""
    snapshot, found = snapshot_here(view, user), apis.identified(view, api)
    keys = apis.scopes_of(view, found)
    described = {one.scope: one for one in permissions.describe(view, {key.key: [] for key in keys.values()})}
    return [
        EffectivePermission(described[scope], _sources(_paths(view, snapshot, found, scope)))
        for scope in permissions.effective(view, snapshot, found, view.actor.address)
    ]


def roles_with(view: View, *, user: str, api: str, scope: str) -> list[EffectiveRole]:
    """The roles through which a user is allowed a scope of an API here, by name."""
    snapshot, found = snapshot_here(view, user), apis.identified(view, api)
    if scope not in apis.scopes_of(view, found):
        raise NotFound(ObjectKind.PERMISSION.label, f"{api} - {scope}")
    paths = _paths(view, snapshot, found, scope)
    through = {edge.thing for path in paths for edge in path if edge.kind is FactKind.ROLE_ATTACHMENT}
    ways = _ways(view, snapshot)
    return _described(view, {key: sources for key, sources in ways.items() if key in through})


def snapshot_here(view: View, user: str) -> Snapshot:
    """Everything that bears on a user here; nothing does if she is no member."""
    found = view.user(user)
    if view.organization == PLATFORM:
        return snapshot_of(view.reader, Principal(found.key))
    return snapshot_of(view.reader, principal_of(view.reader, found.key, view.organization))


def _ways(view: View, snapshot: Snapshot) -> dict[int, list[str]]:
    """The roles that the principal has, by key, each with its ways."""
    ways: dict[int, list[str]] = {}
    for edge in _attached(view, snapshot, snapshot.principal.holder):
        ways.setdefault(edge.thing, []).append(DIRECT)
    for _, role in _by_groups(view, snapshot):
        if BY_GROUP not in ways.setdefault(role, []):
            ways[role].append(BY_GROUP)
    return ways


def _by_groups(view: View, snapshot: Snapshot) -> list[tuple[Fact, int]]:
    """Each membership of a group with a role, by key, that it gives."""
    members = [snapshot.principal.membership] if view.organization else snapshot.memberships
    joined = [edge for member in members for edge in snapshot.held(member, FactKind.GROUP_MEMBERSHIP)]
    return [
        (edge, attached.thing)
        for edge in joined
        if snapshot.exists(edge.thing)
        for attached in _attached(view, snapshot, edge.thing)
    ]


def _attached(view: View, snapshot: Snapshot, holder: int) -> list[Fact]:
    return [
        edge
        for edge in snapshot.held(holder, FactKind.ROLE_ATTACHMENT)
        if edge.scope == view.organization and snapshot.exists(edge.thing) and snapshot.assignable(edge.thing)
    ]


def _described(view: View, ways: dict[int, list[str]]) -> list[EffectiveRole]:
    described = roles.describe(view, list(view.reader.objects(ways).values()))
    return [EffectiveRole(role, ways[role.role.key]) for role in sorted(described, key=lambda role: role.name)]


def _paths(view: View, snapshot: Snapshot, api: Object, scope: str) -> list[tuple[Fact, ...]]:
    """The paths by which a scope is allowed, if it is."""
    identifier = view.reader.profiles([api.key])[api.key]["identifier"]
    request = permissions.request_for(view, snapshot, scope, identifier, view.actor.address)
    decision = decide(request, snapshot)
    return [ground.path for ground in decision.because] if decision.allowed else []


def _sources(paths: Sequence[tuple[Fact, ...]]) -> list[str]:
    by_role = [any(edge.kind is FactKind.ROLE_ATTACHMENT for edge in path) for path in paths]
    return [source for source, is_there in ((DIRECT, not all(by_role)), (BY_ROLE, any(by_role))) if is_there]
