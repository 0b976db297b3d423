"""Organizations: made by a person who becomes their root, ended and restored whole."""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rescind.model.errors import Conflict, Forbidden, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits, users
from rescind.usecases.actor import admits_address, in_organization
from rescind.usecases.restoring import reopen
from rescind.usecases.unit import Member, Unit, View

TYPE_DEFAULT = "Personal/Team"
LIST = "iam.organization.List"
_SLUG_LENGTH_MAX = 50
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as people see it."""

    organization: Object
    name: str
    type: str
    public_id: str
    slug: str
    extras: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person is in one organization; `joined_at` is in microseconds since 1970."""

    organization: OrganizationView
    is_root: bool
    is_suspended: bool
    api_enabled: bool
    joined_at: int


def page(view: View, window: Window) -> Page[OrganizationView]:
    """The living organizations of the person behind the key in which she may list them."""
    mine = []
    for membership in view.memberships_of(view.actor.user):
        there = in_organization(view.reader, view.actor, membership.owner)
        api_enabled = view.facts(membership.key, FactKind.API_ACCESS)
        if there and api_enabled and _lets_in(view, membership) and there.may(LIST, "organization"):
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
    if unit.actor.is_session:
        raise Forbidden("a session cannot found an organization")
    founded = found(unit, name=name, type_=type_)
    unit.open(Fact(FactKind.REACH, unit.actor.credential.key, founded.key, founded.key))
    member = users.join(unit, unit.actor.user, api_enabled=True)
    unit.open(Fact(FactKind.ROOT, member.membership.key, founded.key, founded.key))
    return founded.id


def found(unit: Unit, *, name: str, type_: str, slug: str | None = None) -> Object:
    """Make an organization without members, with a slug made from its name where none is chosen.

    The unit goes on inside it.
    """
    organization = unit.create(ObjectKind.ORGANIZATION, owner=PLATFORM)
    unit.organization = organization.key
    unit.write_profile(
        organization, name=limits.name(name), type=limits.name(type_, "type"), slug=slug or new_slug(name)
    )
    return organization


def every(view: View, window: Window) -> Page[OrganizationView]:
    """All organizations, by age."""
    page = view.reader.page_objects(ObjectKind.ORGANIZATION, (PLATFORM,), window)
    return Page(describe(view, page.items), page.total, page.before, page.after)


def ordered(view: View, by: str, *, falling: bool) -> list[OrganizationView]:
    """All organizations by `name` (the slug), `display_name` or `created_at`."""
    found = describe(view, view.reader.living(ObjectKind.ORGANIZATION))
    keys: Mapping[str, Callable[[OrganizationView], Any]] = {
        "name": lambda one: one.slug,
        "display_name": lambda one: one.name,
        "created_at": lambda one: one.organization.key,
    }
    return sorted(found, key=keys[by], reverse=falling)


def of_user(view: View, *, user: str) -> list[OrganizationView]:
    """The living organizations that a user is a member of, by age."""
    owners = [membership.owner for membership in view.memberships_of(view.user(user))]
    living = [found for _, found in sorted(view.reader.objects(owners).items()) if view.exists(found.key)]
    return describe(view, living)


def here(view: View) -> OrganizationView:
    """The organization that a call is made in."""
    return describe(view, view.reader.objects([view.organization]).values())[0]


def with_slug(view: View, slug: str) -> OrganizationView:
    """The living organization with that slug."""
    named = view.reader.find_named("slug", slug)
    if named is None:
        raise NotFound(ObjectKind.ORGANIZATION.label)
    return describe(view, [named])[0]


def establish(unit: Unit, *, slug: str, name: str, extras: Mapping[str, Any]) -> str:
    """Make an organization that the platform runs, with a slug that no other has, and return its public id."""
    _refuse_taken(unit, slug)
    organization = found(unit, name=name, type_=TYPE_DEFAULT, slug=_checked_slug(slug))
    unit.write_profile(organization, extras=_stored(extras))
    return unit.spelling(organization)


def reshape(
    unit: Unit, *, slug: str | None = None, name: str | None = None, extras: Mapping[str, Any] | None = None
) -> None:
    """Change what is given of the organization that the call is made in; an extra that is None goes."""
    organization = unit.reader.objects([unit.organization])[unit.organization]
    if slug is not None:
        if slug != here(unit).slug:
            _refuse_taken(unit, slug)
        unit.write_profile(organization, slug=_checked_slug(slug))
    if name is not None:
        unit.write_profile(organization, name=limits.name(name, "display_name"))
    if extras is not None:
        unit.write_profile(organization, extras=_stored({**here(unit).extras, **extras}))


def dissolve(unit: Unit) -> None:
    """End the organization that the call is made in, and with it all access in it; accounts stay."""
    unit.end(unit.reader.objects([unit.organization])[unit.organization])


def new_slug(name: str) -> str:
    """A slug that tells of a name; what is random in it makes it unique."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: _SLUG_LENGTH_MAX - 9]
    return f"{plain or 'org'}-{secrets.token_hex(4)}"


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
    """Bring back an ended organization with everything in it; a living one is left as it is.

    If another has its slug now, it gets a new one.
    """
    free_slug(unit, reopen(unit, _named(unit, organization)))


def free_slug(unit: Unit, restored: Object) -> None:
    """Give an organization that is brought back a new slug if another has its own by now."""
    profile = unit.reader.profiles([restored.key])[restored.key]
    holder = unit.reader.find_named("slug", profile.get("slug", ""))
    if holder is not None and holder.key != restored.key:
        unit.write_profile(restored, slug=new_slug(profile["name"]))


def transfer(unit: Unit, *, organization: str, user: str) -> None:
    """Make another member the one root in place of the actor, who stays a member."""
    _here(unit, organization)
    member = unit.member(user)
    if users.is_suspended(unit, member) or not unit.facts(member.membership.key, FactKind.API_ACCESS):
        raise Invalid("a member who is suspended, or may not use the API, cannot become root")
    hand_over(unit, member)


def hand_over(unit: Unit, member: Member) -> None:
    """Make a member the one root of her organization."""
    for root in unit.intervals_on(unit.organization, FactKind.ROOT):
        if root.fact.holder != member.membership.key:
            unit.close(root.fact)
    unit.open(Fact(FactKind.ROOT, member.membership.key, unit.organization, unit.organization))


def memberships(view: View) -> list[Membership]:
    """Every organization that the actor is a member of, as far as his credential reaches."""
    return [
        Membership(
            describe(view.inside(membership.owner), view.reader.objects([membership.owner]).values())[0],
            view.is_root(membership),
            bool(view.facts(membership.key, FactKind.SUSPENSION)),
            bool(view.facts(membership.key, FactKind.API_ACCESS)),
            membership.created_at,
        )
        for membership in view.memberships_of(view.actor.user)
        if view.actor.reaches(membership.owner) and view.exists(membership.owner) and _lets_in(view, membership)
    ]


def leave(unit: Unit, *, organization: str) -> None:
    """Give up one's own membership, with all that hangs on it. The last root cannot."""
    _here(unit, organization)
    users.remove(unit, user=unit.actor.user.id)


def remove_user(unit: Unit, *, organization: str, user: str) -> None:
    """Take a user out of the organization: her membership ends for good with all that hangs on it."""
    _here(unit, organization)
    users.remove(unit, user=user)


def suspend_user(unit: Unit, *, organization: str, user: str) -> bool:
    """Take all of a member's access here until it is lifted. Every assignment stays."""
    _here(unit, organization)
    return users.suspend(unit, user=user)


def unsuspend_user(unit: Unit, *, organization: str, user: str) -> bool:
    """Give back what a suspension took."""
    _here(unit, organization)
    return users.unsuspend(unit, user=user)


def page_suspended(view: View, window: Window, *, organization: str) -> Page[users.UserView]:
    """The organization's suspended members."""
    _here(view, organization)
    return users.page(view, window, suspended=True)


def describe(view: View, organizations: Iterable[Object]) -> list[OrganizationView]:
    """Organizations as people see them, in their order."""
    organizations = list(organizations)
    profiles = view.reader.profiles([organization.key for organization in organizations])
    return [
        OrganizationView(
            organization,
            profiles[organization.key].get("name", ""),
            profiles[organization.key].get("type", TYPE_DEFAULT),
            profiles[organization.key].get("public_id", ""),
            profiles[organization.key].get("slug", ""),
            json.loads(profiles[organization.key].get("extras", "{}")),
        )
        for organization in organizations
    ]


def _refuse_taken(view: View, slug: str) -> None:
    if view.reader.find_named("slug", slug) is not None:
        raise Conflict(ObjectKind.ORGANIZATION.label, "an organization with this name exists already")


def _checked_slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise Invalid("a name has 1 to 50 lower-case letters, digits, `-` and `_`, and begins with a letter or digit")
    return slug


def _stored(extras: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in extras.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _lets_in(view: View, membership: Object) -> bool:
    """Whether a membership of the actor may be used from where he is."""
    return admits_address(view.facts(membership.key, FactKind.ALLOW_LIST), view.actor.address)


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
