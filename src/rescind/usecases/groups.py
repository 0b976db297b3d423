"""Groups: named sets of members, carrying roles and policies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rescind.model.errors import Invalid, NotFound
from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import PAGE_SIZE_MAX, Page, Window
from rescind.usecases import limits, users
from rescind.usecases.relations import Relation, attach, detach, find_relation, relations_to
from rescind.usecases.restoring import restore_object
from rescind.usecases.unit import Unit, View
from rescind.usecases.users import UserView

LAST_USE_MICROSECONDS_MAX = 365 * 24 * 3600 * 1_000_000
"""What is longer ago is not told."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as people see it, with the first 500 of its members.

    `used_at` is when one of them last used the API, within a year, where that was asked for.
    """

    group: Object
    name: str
    description: str
    updated_at: int
    members: Page[Relation[UserView, Object]]
    used_at: int | None = None


def page(view: View, window: Window) -> Page[GroupView]:
    """The organization's groups."""
    found = view.reader.page_objects(ObjectKind.GROUP, (view.organization,), window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def get(view: View, group: str, *, with_last_use: bool = False) -> GroupView:
    """One group."""
    found = view.get(ObjectKind.GROUP, group)
    described = describe(view, [found])[0]
    if not with_last_use:
        return described
    members = [edge.fact.holder for edge in view.intervals_on(found.key, FactKind.GROUP_MEMBERSHIP)]
    uses = view.reader.last_uses([member for member in members if view.exists(member)]).values()
    recent = [at for at in uses if at > view.reader.instant - LAST_USE_MICROSECONDS_MAX]
    return replace(described, used_at=max(recent, default=None))


def create(unit: Unit, *, name: str, description: str, organization: str | None = None) -> str:
    """Make an empty group and return its id; an administrator of the platform says in which organization."""
    if unit.is_administered:
        if organization is None:
            raise Invalid("`organization` is required")
        unit.organization = unit.get(ObjectKind.ORGANIZATION, organization).key
    elif organization is not None:
        here = unit.reader.objects([unit.organization])[unit.organization]
        if organization != here.id:
            raise NotFound(ObjectKind.ORGANIZATION.label)
    group = unit.create(ObjectKind.GROUP)
    unit.write_profile(group, name=limits.name(name, "display_name"), description=limits.description(description))
    return group.id


def update(unit: Unit, *, group: str, name: str | None = None, description: str | None = None) -> str:
    """Change what is given and leave the rest."""
    found = unit.get(ObjectKind.GROUP, group)
    if name is not None:
        unit.write_profile(found, name=limits.name(name, "display_name"))
    if description is not None:
        unit.write_profile(found, description=limits.description(description))
    return found.id


def delete(unit: Unit, *, group: str) -> None:
    """End a group: its grants are gone for every member; members, roles and policies stay."""
    unit.end(unit.get(ObjectKind.GROUP, group))


def restore(unit: Unit, *, group: str) -> str:
    """Bring back an ended group; a living one is left as it is."""
    return restore_object(unit, ObjectKind.GROUP, group).id


def page_members(view: View, window: Window, *, group: str) -> Page[Relation[UserView, Object]]:
    """The group's members."""
    return _members(view, [view.get(ObjectKind.GROUP, group)], window)[0]


def get_member(view: View, group: str, user: str) -> Relation[UserView, Object]:
    """One member of the group."""
    found = view.get(ObjectKind.GROUP, group)
    edge = find_relation(view, FactKind.GROUP_MEMBERSHIP, view.member(user).membership, found)
    if edge is None:
        raise NotFound(ObjectKind.USER.label)
    return Relation(users.get(view, user), found, edge.at, edge.by)


def add_member(unit: Unit, *, group: str, user: str, expires_at: int | None = None) -> bool:
    """Put a member of the organization into the group, and say whether she was not in it."""
    found = unit.enter(unit.get(ObjectKind.GROUP, group))
    return attach(unit, FactKind.GROUP_MEMBERSHIP, unit.member(user).membership, found, expires_at)


def remove_member(unit: Unit, *, group: str, user: str) -> bool:
    """Take a member out of the group, and say whether she was in it. The account and every other path stay."""
    found = unit.enter(unit.get(ObjectKind.GROUP, group))
    return detach(unit, FactKind.GROUP_MEMBERSHIP, unit.member(user).membership, found)


def describe(view: View, groups: Sequence[Object]) -> list[GroupView]:
    """Groups as people see them, in their order."""
    keys = [group.key for group in groups]
    profiles = view.reader.profiles(keys)
    times = view.reader.profile_times(keys)
    members = _members(view, groups, Window(PAGE_SIZE_MAX))
    return [
        GroupView(
            group,
            profiles[group.key].get("name", ""),
            profiles[group.key].get("description", ""),
            times.get(group.key, group.created_at),
            found,
        )
        for group, found in zip(groups, members, strict=True)
    ]


def _members(view: View, groups: Sequence[Object], window: Window) -> list[Page[Relation[UserView, Object]]]:
    """One window of the members of each group; whoever is in several is read once."""
    pages = [relations_to(view, group, FactKind.GROUP_MEMBERSHIP, ObjectKind.MEMBERSHIP, window) for group in groups]
    memberships = {edge.holder.key: edge.holder for edges in pages for edge in edges.items}
    described = dict(zip(memberships, users.describe(view, view.members(memberships.values())), strict=True))
    return [
        Page(
            [Relation(described[edge.holder.key], group, edge.at, edge.by) for edge in edges.items],
            edges.total,
            edges.before,
            edges.after,
        )
        for group, edges in zip(groups, pages, strict=True)
    ]
