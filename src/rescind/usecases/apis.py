"""Registered APIs and their scopes. They belong to the platform; a scope is what a permission is to."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from rescind.model.apis import SYSTEM_API, scope_of, scope_value
from rescind.model.errors import Conflict, Forbidden, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import limits
from rescind.usecases.signing import SIGNING_SECRET
from rescind.usecases.unit import Unit, View

DEFAULTS: Mapping[str, Any] = {
    "allow_offline_access": False,
    "skip_consent_for_verifiable_first_party_clients": False,
    "subject_type_authorization": {"client": {"policy": "require_client_grant"}, "user": {"policy": "allow_all"}},
    "token_lifetime": 86400,
    "token_lifetime_for_web": 7200,
    "signing_alg": "RS256",
}
"""What holds of an API where nothing was said."""
DEFINING = (*DEFAULTS, "enforce_policies", "token_dialect")
"""The members that decide which tokens are issued: they are kept in the log, all others in the profile."""
SYSTEM_CHANGEABLE = ("token_lifetime", "token_lifetime_for_web", "subject_type_authorization")
SECRET_LENGTH_MIN = 16


class Members(TypedDict, total=False):
    """What may be said of an API: these decide which tokens are issued, and others are kept as they are."""

    allow_offline_access: bool | None
    skip_consent_for_verifiable_first_party_clients: bool | None
    subject_type_authorization: dict[str, dict[str, str | None] | None] | None
    token_lifetime: int | None
    token_lifetime_for_web: int | None
    signing_alg: str | None
    enforce_policies: bool | None
    token_dialect: str | None


@dataclass(frozen=True, slots=True)
class ApiView:
    """An API as people see it. `scopes` are (scope, description) in the order given, None if none were ever set."""

    api: Object
    public_id: str
    identifier: str
    name: str | None
    definition: Mapping[str, Any]
    extras: Mapping[str, Any]
    scopes: Sequence[tuple[str, str | None]] | None
    signing_secret: str | None = field(repr=False)
    client_id: str | None

    @property
    def is_system(self) -> bool:
        """Whether it is the API that manages this server."""
        return self.identifier == SYSTEM_API


def every(view: View, *, identifiers: Sequence[str] = ()) -> list[ApiView]:
    """All APIs by age, or those with these identifiers, as they are stored."""
    found = describe(view, view.reader.living(ObjectKind.API))
    return [api for api in found if not identifiers or api.identifier in identifiers]


def get(view: View, api: str) -> ApiView:
    """One API, by its public id or its identifier as clients know it."""
    return describe(view, [named(view, api)])[0]


def create(
    unit: Unit,
    *,
    identifier: str,
    name: str | None,
    scopes: Sequence[tuple[str, str | None]] | None,
    members: Members,
    signing_secret: str | None = None,
) -> str:
    """Register an API and return its public id; members that decide nothing are kept as they are."""
    stored = unit.issuer.stored(_checked_identifier(identifier))
    if stored in ("", SYSTEM_API) or f"{identifier}/".startswith(unit.issuer.url):
        raise Invalid("this identifier is reserved")
    if unit.reader.find_named("identifier", stored) is not None:
        raise Conflict(ObjectKind.API.label, "an API with this identifier exists already")
    api, _ = found(unit, stored, name, scopes, members)
    if {**DEFAULTS, **members}["signing_alg"] == "HS256":
        _write_secret(unit, api, signing_secret or secrets.token_urlsafe(32))
    return unit.spelling(api)


def found(
    unit: Unit,
    identifier: str,
    name: str | None,
    scopes: Sequence[tuple[str, str | None]] | None,
    members: Mapping[str, Any],
) -> tuple[Object, dict[str, Object]]:
    """Make an API with that identifier, which is not checked, and say its permissions by scope."""
    api = unit.create(ObjectKind.API, owner=PLATFORM)
    unit.write_profile(api, identifier=identifier, name=name, extras=_extras(members))
    permissions = {} if scopes is None else _set_scopes(unit, api, identifier, scopes, known={})
    order = None if scopes is None else [scope for scope, _ in scopes]
    members = _policies(members)
    definition = {**DEFAULTS, **{key: members[key] for key in DEFINING if key in members}, "scopes": order}
    unit.open(Fact(FactKind.API_DEFINITION, api.key, value=_stored(definition)))
    return api, permissions


def update(
    unit: Unit,
    *,
    api: str,
    members: Members,
    name: str | None = None,
    scopes: Sequence[tuple[str, str | None]] | None = None,
    signing_secret: str | None = None,
) -> str:
    """Change what is given and leave the rest. `scopes` replaces the list: what is no longer in it is taken from all.

    A member that is None is taken away.
    """
    api_now, changes = named(unit, api), _policies(members)
    known = describe(unit, [api_now])[0]
    is_more = name is not None or scopes is not None or not set(changes) <= set(SYSTEM_CHANGEABLE)
    if known.is_system and is_more:
        raise Invalid("System resource servers cannot be patched.")
    if name is not None:
        unit.write_profile(api_now, name=name)
    order: Sequence[str] | None = None if known.scopes is None else [scope for scope, _ in known.scopes]
    if scopes is not None:
        _set_scopes(unit, api_now, known.identifier, scopes, known=scopes_of(unit, api_now))
        order = [scope for scope, _ in scopes]
    enforces = known.definition.get("enforce_policies")
    if changes.get("enforce_policies", enforces) != enforces and not unit.actor.is_client:
        raise Forbidden("only a client may change whether an API enforces permissions")
    definition = {**known.definition, **{key: value for key, value in changes.items() if key in DEFINING}}
    definition = {key: value for key, value in definition.items() if value is not None}
    unit.open(Fact(FactKind.API_DEFINITION, api_now.key, value=_stored({**DEFAULTS, **definition, "scopes": order})))
    unit.write_profile(api_now, extras=_extras({**known.extras, **changes}))
    if signing_secret is not None or (definition.get("signing_alg") == "HS256" and known.signing_secret is None):
        _write_secret(unit, api_now, signing_secret or secrets.token_urlsafe(32))
    return known.public_id


def delete(unit: Unit, *, api: str) -> None:
    """End an API with all its scopes, and with them every permission to one and every grant on it, if there is one."""
    try:
        ended = named(unit, api)
    except NotFound:
        return
    if describe(unit, [ended])[0].is_system:
        raise Invalid("System resource servers cannot be deleted.")
    for permission in scopes_of(unit, ended).values():
        _end_scope(unit, permission)
    for grant in unit.intervals_on(ended.key, FactKind.GRANT_DEFINITION):
        unit.end(unit.reader.objects([grant.fact.holder])[grant.fact.holder])
    unit.end(ended)


def named(view: View, api: str) -> Object:
    """The living API with that public id, or that identifier as clients know it. Raises `NotFound`."""
    found_here = view.lookup(ObjectKind.API, api) or view.reader.find_named("identifier", view.issuer.stored(api))
    if found_here is None:
        raise NotFound(ObjectKind.API.label)
    return found_here


def identified(view: View, identifier: str) -> Object:
    """The living API with that identifier as clients know it. Raises `NotFound`."""
    api = view.reader.find_named("identifier", view.issuer.stored(identifier))
    if api is None:
        raise NotFound(ObjectKind.API.label)
    return api


def scopes_of(view: View, api: Object) -> dict[str, Object]:
    """The permissions to the scopes of an API, by scope."""
    held = view.intervals_on(api.key, FactKind.API_SCOPE)
    objects = view.reader.objects([interval.fact.holder for interval in held])
    return {scope_of(interval.fact.value or ""): objects[interval.fact.holder] for interval in held}


def definition_of(view: View, api: Object) -> dict[str, Any]:
    """What decides which tokens are issued for an API."""
    defined: dict[str, Any] = json.loads(view.facts(api.key, FactKind.API_DEFINITION)[0].value or "")
    return defined


def describe(view: View, apis: Iterable[Object]) -> list[ApiView]:
    """APIs as people see them, in their order."""
    apis = list(apis)
    profiles = view.reader.profiles([api.key for api in apis])
    described = []
    for api in apis:
        profile, definition = profiles[api.key], definition_of(view, api)
        order = definition.pop("scopes")
        permissions = scopes_of(view, api) if order else {}
        said = view.reader.profiles([permission.key for permission in permissions.values()])
        sealed = view.reader.secret(api.key, SIGNING_SECRET)
        extras = json.loads(profile.get("extras", "{}"))
        described.append(
            ApiView(
                api,
                profile["public_id"],
                profile["identifier"],
                profile.get("name"),
                definition,
                extras,
                None
                if order is None
                else [(scope, said[permissions[scope].key].get("description")) for scope in order],
                view.issuer.vault.open(sealed, api, SIGNING_SECRET) if sealed and _sees_secrets(view) else None,
                _client_of(view, profile.get("client")),
            )
        )
    return described


def extend_system(unit: Unit, scopes: Sequence[str]) -> None:
    """Give the API that manages this server scopes that a newer version knows."""
    api = identified(unit, SYSTEM_API)
    known = definition_of(unit, api)
    order = [*(known["scopes"] or []), *scopes]
    _set_scopes(unit, api, SYSTEM_API, [(scope, None) for scope in order], known=scopes_of(unit, api))
    unit.open(Fact(FactKind.API_DEFINITION, api.key, value=_stored({**known, "scopes": order})))


def is_system(view: View, api: Object) -> bool:
    """Whether it is the API that manages this server."""
    return view.reader.profiles([api.key])[api.key]["identifier"] == SYSTEM_API


def _sees_secrets(view: View) -> bool:
    """Whether who asks may see what APIs' tokens are signed with: the operator, and clients."""
    return view.asks is None or view.actor.is_client


def _client_of(view: View, public_id: str | None) -> str | None:
    """The client that is linked to an API, if it still is."""
    found_here = view.reader.find_named("public_id", public_id) if public_id else None
    return public_id if found_here else None


def _set_scopes(
    unit: Unit, api: Object, identifier: str, scopes: Sequence[tuple[str, str | None]], *, known: Mapping[str, Object]
) -> dict[str, Object]:
    """Make these the scopes of an API, and return the permissions by scope."""
    order = [scope for scope, _ in scopes]
    if len(set(order)) != len(order):
        raise Invalid("a scope is there twice")
    if len(order) > limits.SCOPES_MAX:
        raise Invalid(f"more than {limits.SCOPES_MAX} scopes of one API")
    permissions = {}
    for scope, description in scopes:
        permission = known.get(scope)
        if permission is None:
            permission = unit.create(ObjectKind.PERMISSION, owner=PLATFORM)
            value = scope_value(limits.scope(scope), identifier)
            unit.open(Fact(FactKind.API_SCOPE, permission.key, api.key, value=value))
            unit.write_profile(permission, name=scope)
        unit.write_profile(permission, description=description)
        permissions[scope] = permission
    for scope in known.keys() - set(order):
        _end_scope(unit, known[scope])
    return permissions


def _end_scope(unit: Unit, permission: Object) -> None:
    for interval in unit.intervals(permission.key, FactKind.API_SCOPE):
        unit.close_interval(interval)
    unit.end(permission)


def _write_secret(unit: Unit, api: Object, secret: str) -> None:
    if len(secret) < SECRET_LENGTH_MIN:
        raise Invalid(f"a signing secret has at least {SECRET_LENGTH_MIN} characters")
    if not unit.actor.is_client:
        raise Forbidden("only a client may give an API its signing secret")
    unit.write_credential(api, SIGNING_SECRET, unit.issuer.vault.seal(secret, api, SIGNING_SECRET))


def _checked_identifier(identifier: str) -> str:
    if any(letter.isspace() or not letter.isprintable() for letter in identifier):
        raise Invalid("an identifier must not hold white space or control characters")
    return identifier


def _extras(members: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in members.items() if key not in DEFINING and value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _policies(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members with whole policies for both subjects: what is null of them is as it is by default."""
    said = members.get("subject_type_authorization")
    if not isinstance(said, Mapping):
        return dict(members)
    known = DEFAULTS["subject_type_authorization"]
    whole = {one: {"policy": (said.get(one) or {}).get("policy") or known[one]["policy"]} for one in known}
    return {**members, "subject_type_authorization": whole}


def _stored(definition: Mapping[str, Any]) -> str:
    return json.dumps(definition, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
