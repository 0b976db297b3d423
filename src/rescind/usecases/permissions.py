"""Permissions: scopes of registered APIs, held directly or by a role."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rescind.decision.decide import AccessRequest, decide
from rescind.decision.snapshot import Snapshot
from rescind.model.apis import RESOURCE_TYPE, scope_of
from rescind.model.errors import LimitReached, NotFound
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import apis, limits
from rescind.usecases.actor import request_of
from rescind.usecases.unit import Unit, View

Pair = tuple[str, str]
"""An API's identifier as clients know it, and a scope of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """How a permission is held: directly, or by the role with that public id and name."""

    role_id: str = ""
    role_name: str = ""


@dataclass(frozen=True, slots=True)
class PermissionView:
    """A permission as people see it. `identifier` is the API's as it is stored."""

    scope: str
    description: str
    identifier: str
    api_name: str
    sources: Sequence[Source] = ()


def of_role(view: View, *, role: str) -> list[PermissionView]:
    """The permissions in a role, by scope and then by API."""
    held = _held(view, view.get(ObjectKind.ROLE, role))
    return describe(view, {interval.fact.thing: [] for interval in held})


def of_user(view: View, *, user: str) -> list[PermissionView]:
    """What a user has outside every organization, directly and by her own roles, each with its sources."""
    holder = view.user(user)
    sources: dict[int, list[Source]] = {}
    for interval in _held(view, holder):
        sources.setdefault(interval.fact.thing, []).append(Source())
    roles = view.attached_roles(holder)
    profiles = view.reader.profiles([role.key for role in roles])
    for role in sorted(roles, key=lambda role: profiles[role.key].get("name", "")):
        for interval in _held(view, role):
            source = Source(profiles[role.key]["public_id"], profiles[role.key].get("name", ""))
            sources.setdefault(interval.fact.thing, []).append(source)
    return describe(view, sources)


def grant_to_role(unit: Unit, *, role: str, permissions: Sequence[Pair], expires_at: int | None = None) -> None:
    """Put permissions into a role, for all who hold it; all or none. With `expires_at` time ends them then."""
    found = unit.get_own(ObjectKind.ROLE, role)
    _grant(unit, found, found.owner, permissions, limits.end(expires_at, unit.now))


def revoke_from_role(unit: Unit, *, role: str, permissions: Sequence[Pair]) -> None:
    """Take permissions out of a role, for all who hold it; what is not in it is passed over."""
    found = unit.get_own(ObjectKind.ROLE, role)
    _revoke(unit, found, found.owner, permissions)


def grant_to_user(unit: Unit, *, user: str, permissions: Sequence[Pair], expires_at: int | None = None) -> None:
    """Give a user permissions outside every organization; all or none. With `expires_at` time ends them then."""
    _grant(unit, unit.user(user), PLATFORM, permissions, limits.end(expires_at, unit.now))


def revoke_from_user(unit: Unit, *, user: str, permissions: Sequence[Pair]) -> None:
    """Take direct permissions from a user. What she does not have is passed over, and what roles give her stays."""
    _revoke(unit, unit.user(user), PLATFORM, permissions)


def describe(view: View, sources: dict[int, list[Source]]) -> list[PermissionView]:
    """Living permissions by key as people see them, by scope and then by API, each with its sources."""
    scopes = {
        interval.fact.holder: interval.fact
        for interval in view.reader.intervals(sources, FactKind.API_SCOPE)
        if interval.fact.alive(view.reader.instant)
    }
    said = view.reader.profiles(scopes)
    of_apis = view.reader.profiles({fact.thing for fact in scopes.values()})
    found = [
        PermissionView(
            scope_of(fact.value or ""),
            said[key].get("description", ""),
            of_apis[fact.thing]["identifier"],
            of_apis[fact.thing].get("name", ""),
            sources[key],
        )
        for key, fact in scopes.items()
    ]
    return sorted(found, key=lambda permission: (permission.scope, permission.identifier))


def effective(view: View, snapshot: Snapshot, api: Object, address: str) -> list[str]:
    """The scopes of an API that the principal is allowed now, in the API's order: those that `decide` allows."""
    identifier = view.reader.profiles([api.key])[api.key]["identifier"]
    # Nothing else allows on an API: only these need to be asked for.
    candidates = {reach.policy for reach in snapshot.reaches if snapshot.is_of_api(reach.policy)}
    has_whole_api = any(snapshot.held(key, FactKind.GRANT_DEFINITION) for key in candidates)
    asked = {
        scope: request_for(view, snapshot, scope, identifier, address)
        for scope, permission in apis.scopes_of(view, api).items()
        if has_whole_api or permission.key in candidates
    }
    allowed = {scope for scope, request in asked.items() if decide(request, snapshot).allowed}
    return [scope for scope in apis.definition_of(view, api)["scopes"] or [] if scope in allowed]


def request_for(view: View, snapshot: Snapshot, scope: str, identifier: str, address: str) -> AccessRequest:
    """The question whether the principal may use a scope of the API with that identifier, as it is stored."""
    who = view.reader.objects([snapshot.principal.user])[snapshot.principal.user]
    subject = {"type": who.kind.label, "id": who.id}
    return request_of(snapshot, scope, (RESOURCE_TYPE, identifier), address=address, subject=subject)


def _held(view: View, holder: Object) -> list[Interval]:
    """The permissions to scopes of APIs that hang on a user or role, as they are stored."""
    scope = holder.owner if holder.kind is ObjectKind.ROLE else view.organization
    return [found for found in view.intervals(holder.key, FactKind.PERMISSION_GRANT) if found.fact.scope == scope]


def _grant(unit: Unit, holder: Object, scope: int, permissions: Sequence[Pair], expires_at: int | None = None) -> None:
    before = {held.fact.thing for held in _held(unit, holder)}
    known = _scopes_of_all(unit, {identifier for identifier, _ in permissions})
    found = {_permission(holder, known, *pair).key for pair in permissions}
    for key in sorted(found):
        unit.open(Fact(FactKind.PERMISSION_GRANT, holder.key, key, scope, expires_at=expires_at))
    if len(before | found) > limits.PERMISSIONS_MAX:
        raise LimitReached(f"No more permissions can be assigned to this {holder.kind.label}.")


def _scopes_of_all(view: View, identifiers: Iterable[str]) -> dict[str, dict[str, Object]]:
    """The permissions to the scopes of those APIs that there are, by identifier and scope."""
    known = {}
    for identifier in identifiers:
        try:
            known[identifier] = apis.scopes_of(view, apis.identified(view, identifier))
        except NotFound:
            continue
    return known


def _permission(holder: Object, known: Mapping[str, Mapping[str, Object]], identifier: str, scope: str) -> Object:
    """The permission to a scope; where there is no such API, a role's is told so and a user's that it is no scope."""
    if identifier not in known and holder.kind is ObjectKind.ROLE:
        raise NotFound(ObjectKind.API.label, identifier)
    if scope not in known.get(identifier, {}):
        raise NotFound(ObjectKind.PERMISSION.label, f"{identifier} - {scope}")
    return known[identifier][scope]


def _revoke(unit: Unit, holder: Object, scope: int, permissions: Sequence[Pair]) -> None:
    known = _scopes_of_all(unit, {identifier for identifier, _ in permissions})
    for identifier, name in permissions:
        if name in known.get(identifier, {}):
            unit.close(Fact(FactKind.PERMISSION_GRANT, holder.key, known[identifier][name].key, scope))
