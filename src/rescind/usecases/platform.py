"""What the operator does from the machine itself: the first initialisation, root ownership, accepting a loss."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rescind.model.apis import SYSTEM_API, GrantTerms
from rescind.model.documents import store_form
from rescind.model.emails import folded
from rescind.model.errors import NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import apis, client_grants, clients, keys, limits, organizations, signing_keys, users
from rescind.usecases.clients import FirstClient
from rescind.usecases.keys import NewKey
from rescind.usecases.managed import ACLS, MANAGEMENT_NAME, MANAGEMENT_SCOPES, POLICIES, Managed
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.passwords import verifier_of_password
from rescind.usecases.signing_keys import KeyPair
from rescind.usecases.spellings import new_spelling
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


def initialise(unit: Unit, first: FirstRoot, pair: KeyPair, client: FirstClient | None = None) -> NewKey | None:
    """Fill an empty database: managed policies, the first organization, its root and her API key.

    And the key that tokens are signed with, the API that manages this server, and a client that may do all on it.
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
    _supply_tokens(unit, pair, client)
    return keys.create(unit, member, name="root", secret=first.api_key, personal=True)


def is_complete(view: View) -> bool:
    """Whether the database has all that this version supplies: an older one may lack keys to sign with, or scopes."""
    return bool(view.reader.living(ObjectKind.SIGNING_KEY)) and not _missing_scopes(view)


def complete(unit: Unit, pair: KeyPair, client: FirstClient | None = None) -> None:
    """Give an older database what it lacks: what tokens need, scopes of ours, and public ids to what has none."""
    if missing := _missing_scopes(unit):
        apis.extend_system(unit, missing)
    if unit.reader.living(ObjectKind.SIGNING_KEY):
        return
    _supply_tokens(unit, pair, client)
    for found, profile in _without_names(unit):
        if "public_id" not in profile:
            unit.write_profile(found, public_id=new_spelling(found.kind))
        if found.kind is ObjectKind.ORGANIZATION and "slug" not in profile:
            unit.write_profile(found, slug=organizations.new_slug(profile.get("name", "")))


def new_client(unit: Unit, *, first: FirstClient, scopes: Sequence[str] | None) -> str:
    """Make a client with a grant on the API that manages this server, of these scopes or of all, and return its id."""
    api = unit.reader.find_named("identifier", SYSTEM_API)
    if api is None:
        raise NotFound(ObjectKind.API.label)
    return unit.spelling(_client(unit, first, api, apis.scopes_of(unit, api), scopes))


def client_secret(view: View, client: str) -> str:
    """The secret of a client, for the operator who just made it."""
    found = view.reader.find_named("public_id", client)
    assert found is not None
    return clients.describe(view, [found])[0].secret or ""


def ownerships(view: View) -> list[Ownership]:
    """Every living organization with its roots."""
    found = []
    for organization in view.reader.living(ObjectKind.ORGANIZATION):
        inside = view.inside(organization.key)
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


def _missing_scopes(view: View) -> list[str]:
    """The scopes of the API that manages this server that it does not have yet."""
    api = view.reader.find_named("identifier", SYSTEM_API)
    known = apis.scopes_of(view, api) if api else dict.fromkeys(MANAGEMENT_SCOPES)
    return [scope for scope in MANAGEMENT_SCOPES if scope not in known]


def _without_names(view: View) -> Iterator[tuple[Object, Mapping[str, str]]]:
    """The living objects that lack a public id, or a slug."""
    for kind in ObjectKind:
        living = view.reader.living(kind) if new_spelling(kind) else []
        profiles = view.reader.profiles([found.key for found in living])
        for found in living:
            needed = {"public_id"} | ({"slug"} if kind is ObjectKind.ORGANIZATION else set())
            if not needed <= profiles[found.key].keys():
                yield found, profiles[found.key]


def _supply_tokens(unit: Unit, pair: KeyPair, client: FirstClient | None) -> None:
    """Supply a key to sign with, the API that manages this server, and a client for it."""
    signing_keys.add(unit, pair)
    scopes: list[tuple[str, str | None]] = [(scope, None) for scope in MANAGEMENT_SCOPES]
    api, permissions = apis.found(unit, SYSTEM_API, MANAGEMENT_NAME, scopes, {})
    if client is not None:
        _client(unit, client, api, permissions, None)


def _client(
    unit: Unit, first: FirstClient, api: Object, permissions: Mapping[str, Object], scopes: Sequence[str] | None
) -> Object:
    client = clients.found(unit, first, {"grant_types": ["client_credentials"], "app_type": "non_interactive"})
    order = tuple(permissions if scopes is None else dict.fromkeys(scopes))
    client_grants.found(unit, client, api, permissions, GrantTerms(SYSTEM_API, order=order))
    return client


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
