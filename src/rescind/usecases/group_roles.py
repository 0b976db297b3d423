"""Groups as an administrator of the platform sees them: who is in one, and which roles it has, here or everywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rescind.model.errors import Conflict, LimitReached, NotFound
from rescind.model.facts import FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import roles
from rescind.usecases.relations import attach, detach, relations_to
from rescind.usecases.roles import RoleView, assignable
from rescind.usecases.unit import Unit, View

ROLES_MAX = 10
"""Roles of one group."""
_TOO_MANY = "No more roles can be assigned to this group."


@dataclass(frozen=True, slots=True)
class GroupAccount:
    """A group as the platform sees it. Times are in microseconds since 1970."""

    group: Object
    public_id: str
    name: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A user's public id, or a group, and when the user joined."""

    user_id: str
    at: int
    group: GroupAccount | None = None


def every(view: View) -> list[GroupAccount]:
    """The groups of the organization, outside of all organizations, by age."""
    living = view.reader.living(ObjectKind.GROUP)
    inside = [group for group in living if view.organization in (PLATFORM, group.owner) and view.exists(group.owner)]
    return describe(view, inside)


def get(view: View, group: str) -> GroupAccount:
    """One group."""
    return describe(view, [view.get(ObjectKind.GROUP, group)])[0]


def public_id_of(view: View, group: str) -> str:
    """The public id of the group with that UUID."""
    found = view.reader.find_object(ObjectKind.GROUP, group)
    if found is None:
        raise NotFound(ObjectKind.GROUP.label)
    return view.reader.profiles([found.key])[found.key]["public_id"]


def page_members(view: View, window: Window, *, group: str) -> Page[Joined]:
    """Who is in a group, by when they joined it."""
    found = view.get(ObjectKind.GROUP, group)
    there = view.inside(found.owner)
    page = relations_to(there, found, FactKind.GROUP_MEMBERSHIP, ObjectKind.MEMBERSHIP, window)
    users = [member.user for member in view.members(edge.holder for edge in page.items)]
    names = view.reader.profiles([user.key for user in users])
    items = [Joined(names[user.key]["public_id"], edge.at) for user, edge in zip(users, page.items, strict=True)]
    return Page(items, page.total, page.before, page.after)


def of_user(view: View, *, user: str) -> list[Joined]:
    """The groups of every organization that a user is in, by when she joined them."""
    found = view.user(user)
    edges = [
        edge
        for membership in view.memberships_of(found)
        for edge in view.intervals(membership.key, FactKind.GROUP_MEMBERSHIP)
        if view.exists(edge.fact.thing) and view.exists(membership.owner)
    ]
    edges.sort(key=lambda edge: edge.key)
    origins = view.reader.origins({edge.revision_from for edge in edges})
    groups = view.reader.objects([edge.fact.thing for edge in edges])
    public_id = view.reader.profiles([found.key])[found.key]["public_id"]
    return [
        Joined(public_id, origins[edge.revision_from][0], describe(view, [groups[edge.fact.thing]])[0])
        for edge in edges
    ]


def roles_of(view: View, *, group: str) -> list[RoleView]:
    """The roles attached to a group here, by name."""
    found = roles.describe(view, view.attached_roles(view.get(ObjectKind.GROUP, group)))
    return sorted((role for role in found if role.role_type == "assignable"), key=lambda role: role.name)


def of_role(view: View, *, role: str) -> list[GroupAccount]:
    """The groups to which a role is attached here, by when it was."""
    found = view.get(ObjectKind.ROLE, role)
    edges = [
        edge for edge in view.intervals_on(found.key, FactKind.ROLE_ATTACHMENT) if edge.fact.scope == view.organization
    ]
    holders = view.reader.objects([edge.fact.holder for edge in edges])
    groups = [holders[edge.fact.holder] for edge in sorted(edges, key=lambda edge: edge.key)]
    return describe(view, [found for found in groups if found.kind is ObjectKind.GROUP and view.exists(found.key)])


def attach_roles(unit: Unit, *, group: str, roles: Sequence[str], expires_at: int | None = None) -> None:
    """Attach roles to a group here, all or none. With `expires_at` time ends that then."""
    _attach(unit, unit.get(ObjectKind.GROUP, group), [assignable(unit, role) for role in roles], expires_at)


def detach_roles(unit: Unit, *, group: str, roles: Sequence[str]) -> None:
    """Detach roles from a group here; what is not attached, or unknown, is passed over."""
    found = unit.get(ObjectKind.GROUP, group)
    for role in roles:
        known = unit.lookup(ObjectKind.ROLE, role, also_ended=True)
        if known is not None:
            detach(unit, FactKind.ROLE_ATTACHMENT, found, known)


def attach_groups(unit: Unit, *, role: str, groups: Sequence[str]) -> None:
    """Attach a role to groups here, all or none."""
    unit.get(ObjectKind.ROLE, role)
    for group in [unit.get(ObjectKind.GROUP, group) for group in groups]:
        _attach(unit, group, [assignable(unit, role)])


def detach_groups(unit: Unit, *, role: str, groups: Sequence[str]) -> None:
    """Detach a role from groups here; what it is not attached to, or is unknown, is passed over."""
    found = unit.get(ObjectKind.ROLE, role)
    for group in groups:
        known = unit.lookup(ObjectKind.GROUP, group, also_ended=True)
        if known is not None:
            detach(unit, FactKind.ROLE_ATTACHMENT, known, found)


def describe(view: View, groups: Iterable[Object]) -> list[GroupAccount]:
    """Groups as the platform sees them, in their order."""
    groups = list(groups)
    keys = [group.key for group in groups]
    profiles, times = view.reader.profiles(keys), view.reader.profile_times(keys)
    return [
        GroupAccount(
            group,
            profiles[group.key]["public_id"],
            profiles[group.key].get("name", ""),
            times.get(group.key, group.created_at),
        )
        for group in groups
    ]


def _attach(unit: Unit, group: Object, found: Sequence[Object], expires_at: int | None = None) -> None:
    known = len(unit.attached_roles(group))
    attached = [attach(unit, FactKind.ROLE_ATTACHMENT, group, role, expires_at) for role in found]
    if known + sum(attached) > ROLES_MAX:
        raise (Conflict(group.kind.label, _TOO_MANY) if unit.organization else LimitReached(_TOO_MANY))
