"""Client grants: what a client may do on an API, for itself or on behalf of users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rescind.model.apis import GrantTerms, grant_terms, scope_of
from rescind.model.errors import Conflict, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import apis, organizations
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.unit import Unit, View

SUBJECTS = ("client", "user")


_IN_ORGANIZATIONS = ("allow", "require")


@dataclass(frozen=True, slots=True)
class ClientGrantView:
    """A client grant as people see it: `scopes` are those that the API still has, in the order given."""

    grant: Object
    public_id: str
    client_id: str
    api: Object
    terms: GrantTerms
    scopes: Sequence[str]


def every(view: View) -> list[ClientGrantView]:
    """All client grants by age."""
    return describe(view, view.reader.living(ObjectKind.CLIENT_GRANT))


def get(view: View, grant: str) -> ClientGrantView:
    """One client grant."""
    return describe(view, [view.get(ObjectKind.CLIENT_GRANT, grant)])[0]


def of_client(view: View, client: Object, api: Object, subject: str) -> ClientGrantView | None:
    """What a client was granted on an API for itself or on behalf of users, if anything."""
    edges = [edge.thing for edge in view.facts(client.key, FactKind.CLIENT_GRANT)]
    living = [grant for grant in view.reader.objects(edges).values() if view.exists(grant.key)]
    found = [grant for grant in describe(view, living) if grant.api.key == api.key and grant.terms.subject == subject]
    return next(iter(found), None)


def create(
    unit: Unit,
    *,
    client: str,
    audience: str,
    scopes: Sequence[str],
    subject: str = "client",
    all_scopes: bool | None = None,
    organization_usage: str | None = None,
    any_organization: bool | None = None,
) -> str:
    """Grant a client scopes of an API, once for each subject, and return the grant's public id."""
    holder, api = unit.get(ObjectKind.CLIENT, client), apis.identified(unit, audience)
    if of_client(unit, holder, api, subject) is not None:
        raise Conflict(ObjectKind.CLIENT_GRANT.label, "the client was granted this API already")
    terms = GrantTerms(
        unit.issuer.stored(audience),
        subject,
        bool(all_scopes),
        tuple(dict.fromkeys(scopes)),
        organization_usage,
        any_organization,
        says_all_scopes=all_scopes is not None,
    )
    return unit.spelling(found(unit, holder, api, apis.scopes_of(unit, api), terms))


def found(unit: Unit, client: Object, api: Object, permissions: Mapping[str, Object], terms: GrantTerms) -> Object:
    """Make a client grant on an API that has these permissions, by scope."""
    grant = unit.create(ObjectKind.CLIENT_GRANT, owner=PLATFORM)
    unit.open(Fact(FactKind.CLIENT_GRANT, client.key, grant.key))
    _set(unit, grant, api, permissions, terms)
    return grant


def update(
    unit: Unit,
    *,
    grant: str,
    scopes: Sequence[str] | None = None,
    all_scopes: bool | None = None,
    organization_usage: str | None = None,
    any_organization: bool | None = None,
) -> str:
    """Change what is given. Scopes replace the list; giving up all scopes needs the list that stays."""
    found_now = unit.get(ObjectKind.CLIENT_GRANT, grant)
    known = describe(unit, [found_now])[0]
    # Not what was written once: a scope that the API lost and has again was granted to nobody.
    terms = replace(known.terms, order=tuple(known.scopes))
    if scopes is not None:
        terms = replace(terms, order=tuple(dict.fromkeys(scopes)))
    if all_scopes is not None:
        if not all_scopes and terms.all_scopes and scopes is None:
            raise Invalid("`scope` is required where `allow_all_scopes` is given up")
        terms = replace(terms, all_scopes=all_scopes, says_all_scopes=True)
    terms = replace(
        terms,
        organization_usage=organization_usage or terms.organization_usage,
        any_organization=terms.any_organization if any_organization is None else any_organization,
    )
    _set(unit, found_now, known.api, apis.scopes_of(unit, known.api), terms)
    return known.public_id


def delete(unit: Unit, *, grant: str) -> None:
    """Take all that was granted, if it was."""
    found_now = unit.lookup(ObjectKind.CLIENT_GRANT, grant)
    if found_now is not None:
        unit.end(found_now)


def of_organization(view: View) -> list[ClientGrantView]:
    """The client grants that may be used in the organization, by when they were associated with it."""
    edges = sorted(view.intervals_on(view.organization, FactKind.GRANT_USAGE), key=lambda edge: edge.key)
    grants = view.reader.objects([edge.fact.holder for edge in edges])
    return describe(view, [grants[edge.fact.holder] for edge in edges if view.exists(edge.fact.holder)])


def associate(unit: Unit, *, grant: str) -> str:
    """Let a client grant be used in the organization."""
    found_now = unit.get(ObjectKind.CLIENT_GRANT, grant)
    if not is_for_organizations(unit, found_now):
        raise Invalid("this client grant may not be used in organizations: see `organization_usage`")
    if not unit.open(_usage(unit, found_now)):
        raise Conflict(ObjectKind.CLIENT_GRANT.label, "the client grant is associated with the organization already")
    return unit.spelling(found_now)


def dissociate(unit: Unit, *, grant: str) -> None:
    """No longer let a client grant be used in the organization, if it could be."""
    found_now = unit.lookup(ObjectKind.CLIENT_GRANT, grant)
    if found_now is not None:
        unit.close(_usage(unit, found_now))


def organizations_of(view: View, window: Window, *, grant: str) -> Page[OrganizationView]:
    """The organizations in which a client grant may be used."""
    found_now = view.get(ObjectKind.CLIENT_GRANT, grant)
    used = [edge.thing for edge in view.facts(found_now.key, FactKind.GRANT_USAGE)]
    page = view.reader.page_living(used, window)
    return Page(organizations.describe(view, page.items), page.total, page.before, page.after)


def is_for_organizations(view: View, grant: Object) -> bool:
    """Whether a client grant may be used in organizations at all."""
    return any(one.terms.organization_usage in _IN_ORGANIZATIONS for one in describe(view, [grant]))


def is_usable_in(view: View, grant: ClientGrantView, organization: Object) -> bool:
    """Whether a client grant may be used in an organization."""
    if grant.terms.organization_usage not in _IN_ORGANIZATIONS:
        return False
    used = [edge.thing for edge in view.facts(grant.grant.key, FactKind.GRANT_USAGE)]
    return bool(grant.terms.any_organization) or organization.key in used


def describe(view: View, grants: Iterable[Object]) -> list[ClientGrantView]:
    """Client grants as people see them, in their order; those of an API or client that ended are left out."""
    described = []
    for grant in grants:
        terms_of = view.facts(grant.key, FactKind.GRANT_DEFINITION)
        clients = view.intervals_on(grant.key, FactKind.CLIENT_GRANT)
        if not terms_of or not clients or not view.exists(terms_of[0].thing):
            continue
        terms, client = grant_terms(terms_of[0].value or ""), clients[0].fact.holder
        permissions = [edge.thing for edge in view.facts(grant.key, FactKind.PERMISSION_GRANT)]
        living = view.reader.intervals(permissions, FactKind.API_SCOPE)
        held = {scope_of(found.fact.value or "") for found in living}
        profiles = view.reader.profiles([grant.key, client])
        described.append(
            ClientGrantView(
                grant,
                profiles[grant.key]["public_id"],
                profiles[client]["public_id"],
                view.reader.objects([terms_of[0].thing])[terms_of[0].thing],
                terms,
                [scope for scope in terms.order if scope in held],
            )
        )
    return described


def _set(unit: Unit, grant: Object, api: Object, known: Mapping[str, Object], terms: GrantTerms) -> None:
    """Make these the terms of a grant, and its scopes the permissions that it holds."""
    if terms.subject not in SUBJECTS:
        raise Invalid("`subject_type` must be `client` or `user`")
    unknown = [scope for scope in terms.order if scope not in known]
    if unknown:
        raise NotFound(ObjectKind.PERMISSION.label, f"{unit.issuer.spoken(terms.identifier)} - {unknown[0]}")
    unit.open(Fact(FactKind.GRANT_DEFINITION, grant.key, api.key, value=terms.stored()))
    wanted = {known[scope].key for scope in terms.order}
    for edge in unit.facts(grant.key, FactKind.PERMISSION_GRANT):
        if edge.thing not in wanted:
            unit.close(edge)
    for key in sorted(wanted):
        unit.open(Fact(FactKind.PERMISSION_GRANT, grant.key, key))


def _usage(unit: Unit, grant: Object) -> Fact:
    return Fact(FactKind.GRANT_USAGE, grant.key, unit.organization, unit.organization)
