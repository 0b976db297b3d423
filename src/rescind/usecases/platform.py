"""What the operator does from the machine itself: the first initialisation, root ownership, accepting a loss."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rescind.model.documents import store_form
from rescind.model.emails import folded
from rescind.model.errors import NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.usecases import keys, limits, organizations, users
from rescind.usecases.keys import NewKey
from rescind.usecases.managed import ACLS, POLICIES, Managed
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.passwords import verifier_of_password
from rescind.usecases.unit import Member, Unit, View
from rescind.usecases.users import UserView


@dataclass(frozen=True, slots=True)
class FirstRoot:
    """The person who owns the first organization. What is None is made up."""

    email: str
    password: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)
    organization: str = "Default"


@dataclass(frozen=True, slots=True)
class Ownership:
    """An organization and its roots."""

    organization: OrganizationView
    roots: Sequence[UserView]


def initialise(unit: Unit, first: FirstRoot) -> NewKey | None:
    """Fill an empty database: managed policies, the first organization, its root and her API key.

    A database that was ever initialised is left alone: what was revoked since is not made again. Then None.
    """
    if unit.reader.revision != 0:
        return None
    for managed in POLICIES:
        _supply(unit, ObjectKind.POLICY, managed)
    for permission in ACLS.values():
        _supply(unit, ObjectKind.PERMISSION, permission)
    founded = organizations.found(unit, name=first.organization, type_=organizations.TYPE_DEFAULT)
    user = unit.create(ObjectKind.USER, owner=PLATFORM)
    unit.open(Fact(FactKind.HOME, user.key, founded.key))
    unit.write_profile(
        user,
        name="Root",
        last_name="Root",
        email=limits.email(first.email),
        email_folded=folded(first.email),
    )
    unit.write_credential(user, users.PASSWORD, verifier_of_password(limits.password(first.password)))
    member = users.join(unit, user, api_enabled=True)
    unit.open(Fact(FactKind.ROOT, member.membership.key, founded.key, founded.key))
    return keys.create(unit, member, name="root", secret=first.api_key, personal=True)


def ownerships(view: View) -> list[Ownership]:
    """Every living organization with its roots."""
    found = []
    for organization in view.reader.living(ObjectKind.ORGANIZATION):
        inside = View(view.reader, None, organization.key)
        roots = [root.fact.holder for root in inside.intervals_on(organization.key, FactKind.ROOT)]
        memberships = [member for member in view.reader.objects(roots).values() if inside.exists(member.key)]
        found.append(
            Ownership(
                organizations.describe(inside, [organization])[0], users.describe(inside, inside.members(memberships))
            )
        )
    return found


def transfer_root(unit: Unit, *, organization: str, user: str) -> None:
    """Make a member the one root of her organization."""
    member = _enter(unit, organization, user)
    unit.close(Fact(FactKind.SUSPENSION, member.membership.key, scope=unit.organization))
    organizations.hand_over(unit, member)


def new_root_key(unit: Unit, *, organization: str, user: str) -> NewKey:
    """Make an API key for a root who lost hers, and let her use it, from anywhere."""
    member = _enter(unit, organization, user)
    if not unit.is_root(member.membership):
        raise NotFound("root")
    unit.open(Fact(FactKind.API_ACCESS, member.membership.key, scope=unit.organization))
    unit.close(Fact(FactKind.ALLOW_LIST, member.membership.key, scope=unit.organization))
    return keys.create(unit, member, name="root", personal=True)


def _enter(unit: Unit, organization: str, user: str) -> Member:
    found = unit.reader.find_object(ObjectKind.ORGANIZATION, organization)
    if found is None or not unit.exists(found.key):
        raise NotFound(ObjectKind.ORGANIZATION.label)
    unit.organization = found.key
    return unit.member(user)


def _supply(unit: Unit, kind: ObjectKind, managed: Managed) -> None:
    made = unit.create(kind, identifier=managed.id)
    unit.open(Fact(FactKind.DOCUMENT, made.key, value=store_form(managed.document)))
    unit.write_profile(made, name=managed.name, description=managed.description)
