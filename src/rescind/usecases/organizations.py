"""Organizations: made by a person who becomes their root, ended and restored whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rescind.decision.snapshot import Principal
from rescind.model.errors import Forbidden, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits, users
from rescind.usecases.actor import snapshot_of
from rescind.usecases.restoring import reopen
from rescind.usecases.unit import Unit, View

TYPE_DEFAULT = "Personal/Team"
LIST = "iam.organization.List"


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as people see it."""

    organization: Object
    name: str
    type: str


def page(view: View, window: Window) -> Page[OrganizationView]:
    """The living organizations of the person behind the key in which she may list them."""
    mine = []
    for membership in view.memberships_of(view.actor.user):
        if not view.actor.reaches(membership.owner) or not view.facts(membership.key, FactKind.API_ACCESS):
            continue
        principal = Principal(view.actor.user.key, membership.owner, membership.key)
        there = replace(view.actor, snapshot=snapshot_of(view.reader, principal))
        if there.may(LIST, "organization"):
            mine.append(membership.owner)
    if not mine:
        raise Forbidden(f"not permitted: `{LIST}`")
    found = view.reader.page_living(mine, window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def get(view: View, organization: str) -> OrganizationView:
    """One organization, in which the actor acts."""
    found = _here(view, organization)
    return describe(view, [found])[0]


def create(unit: Unit, *, name: str, type_: str) -> str:
    """Make an organization whose root is the person behind the key, which reaches it, and return its id."""
    if users.is_service(unit, unit.actor.user):
        raise Forbidden("a service user cannot found an organization")
    founded = found(unit, name=name, type_=type_)
    unit.open(Fact(FactKind.REACH, unit.actor.credential.key, founded.key, founded.key))
    member = users.join(unit, unit.actor.user, api_enabled=True)
    unit.open(Fact(FactKind.ROOT, member.membership.key, founded.key, founded.key))
    return founded.id


def found(unit: Unit, *, name: str, type_: str) -> Object:
    """Make an organization without members; the unit goes on inside it."""
    organization = unit.create(ObjectKind.ORGANIZATION, owner=PLATFORM)
    unit.organization = organization.key
    unit.write_profile(organization, name=limits.name(name), type=limits.name(type_, "type"))
    return organization


def update(unit: Unit, *, organization: str, name: str | None = None, type_: str | None = None) -> str:
    """Change what is given and leave the rest."""
    found_here = _here(unit, organization)
    if name is not None:
        unit.write_profile(found_here, name=limits.name(name))
    if type_ is not None:
        unit.write_profile(found_here, type=limits.name(type_, "type"))
    return found_here.id


def delete(unit: Unit, *, organization: str) -> None:
    """End an organization and with it all access in it; accounts stay. Its root can restore it."""
    unit.end(_here(unit, organization))


def restore(unit: Unit, *, organization: str) -> None:
    """Bring back an ended organization with everything in it; a living one is left as it is."""
    reopen(unit, _named(unit, organization))


def remove_user(unit: Unit, *, organization: str, user: str) -> None:
    """Take a user out of the organization: her membership ends for good with all that hangs on it."""
    _here(unit, organization)
    users.remove(unit, user=user)


def suspend_user(unit: Unit, *, organization: str, user: str) -> bool:
    """See `users.suspend`."""
    _here(unit, organization)
    return users.suspend(unit, user=user)


def unsuspend_user(unit: Unit, *, organization: str, user: str) -> bool:
    """See `users.unsuspend`."""
    _here(unit, organization)
    return users.unsuspend(unit, user=user)


def page_suspended(view: View, window: Window, *, organization: str) -> Page[users.UserView]:
    """The organization's suspended members."""
    _here(view, organization)
    return users.page(view, window, suspended=True)


def describe(view: View, organizations: Sequence[Object]) -> list[OrganizationView]:
    """Organizations as people see them, in their order."""
    profiles = view.reader.profiles([organization.key for organization in organizations])
    return [
        OrganizationView(
            organization,
            profiles[organization.key].get("name", ""),
            profiles[organization.key].get("type", TYPE_DEFAULT),
        )
        for organization in organizations
    ]


def _named(view: View, organization: str) -> Object:
    """The organization of that id, if it is the one in which the actor acts; every other is unknown."""
    named = view.reader.find_object(ObjectKind.ORGANIZATION, organization)
    if named is None or named.key != view.organization:
        raise NotFound(ObjectKind.ORGANIZATION.label)
    return named


def _here(view: View, organization: str) -> Object:
    """The same, living."""
    named = _named(view, organization)
    if not view.exists(named.key):
        raise NotFound(ObjectKind.ORGANIZATION.label)
    return named
