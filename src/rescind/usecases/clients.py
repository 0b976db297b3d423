"""Clients: applications that get tokens, with a secret that is sealed and can be shown again."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import limits, signing_keys
from rescind.usecases.actor import CLIENT_SECRET
from rescind.usecases.unit import Unit, View

DEFINING = (
    "grant_types",
    "token_endpoint_auth_method",
    "is_first_party",
    "organization_usage",
    "organization_require_behavior",
    "default_organization",
)
"""The members that decide which tokens a client gets: they are kept in the log, all others in the profile."""
DEFAULTS: Mapping[str, Any] = {
    "is_first_party": True,
    "grant_types": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
}
SECRET_LENGTH_MIN = 32
READ_KEYS, UPDATE_KEYS = "read:client_keys", "update:client_keys"
PROVING = ("token_endpoint_auth_method", "client_authentication_methods")


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client as people see it. `secret` is None for who may not see it, and for a client without one.

    `certificate` is that of the key with which its tokens are signed, as PEM.
    """

    client: Object
    public_id: str
    name: str
    definition: Mapping[str, Any]
    extras: Mapping[str, Any]
    secret: str | None = field(repr=False)
    certificate: str

    @property
    def grant_types(self) -> list[str]:
        """The ways in which it may get tokens."""
        return list(self.definition.get("grant_types") or ())


@dataclass(frozen=True, slots=True)
class FirstClient:
    """A client whose id and secret an operator chose; what is None is made up."""

    name: str
    id: str | None = None
    secret: str | None = field(default=None, repr=False)


def every(view: View) -> list[ClientView]:
    """All clients by age; with their secrets for who may read them."""
    return [_seen(view, client) for client in describe(view, view.reader.living(ObjectKind.CLIENT))]


def get(view: View, client: str) -> ClientView:
    """One client; with its secret for who may read that."""
    return _seen(view, with_secret(view, client))


def with_secret(view: View, client: str) -> ClientView:
    """One client with its secret, for who just made it."""
    return describe(view, [view.get(ObjectKind.CLIENT, client)])[0]


def create(unit: Unit, *, name: str, members: Mapping[str, Any]) -> str:
    """Make a client with a new secret and return its public id; members that decide nothing are kept as they are."""
    client = found(unit, FirstClient(name), members)
    if members.get("app_type") == "resource_server" and "resource_server_identifier" in members:
        api = unit.reader.find_named("identifier", unit.issuer.stored(str(members["resource_server_identifier"])))
        if api is None:
            raise NotFound(ObjectKind.API.label)
        unit.write_profile(api, client=unit.spelling(client))
    return unit.spelling(client)


def found(unit: Unit, first: FirstClient, members: Mapping[str, Any]) -> Object:
    """Make a client, with its id and secret where they are chosen."""
    if first.id is not None:
        if not first.id.isascii() or not first.id.isalnum():
            raise Invalid("a client id has ASCII letters and digits alone")
        if unit.reader.find_named("public_id", first.id) is not None:
            raise Conflict(ObjectKind.CLIENT.label, "a client with this id exists already")
    if first.secret is not None and len(first.secret) < SECRET_LENGTH_MIN:
        raise Invalid(f"a client secret has at least {SECRET_LENGTH_MIN} characters")
    client = unit.create(ObjectKind.CLIENT, owner=PLATFORM, spelling=first.id)
    _write(unit, client, {**DEFAULTS, **members})
    unit.write_profile(client, name=limits.name(first.name))
    if members.get("token_endpoint_auth_method") != "none":
        _write_secret(unit, client, first.secret)
    return client


def update(unit: Unit, *, client: str, members: Mapping[str, Any], name: str | None = None) -> str:
    """Change what is given; a member that is None goes. Keys of `client_metadata` are merged in the same way."""
    found_now = unit.get(ObjectKind.CLIENT, client)
    known = describe(unit, [found_now])[0]
    _demand_keys(unit, known, members)
    merged = {**known.definition, **known.extras, **members}
    if isinstance(members.get("client_metadata"), Mapping):
        both = {**(known.extras.get("client_metadata") or {}), **members["client_metadata"]}
        merged["client_metadata"] = {key: value for key, value in both.items() if value is not None}
    _write(unit, found_now, merged)
    if name is not None:
        unit.write_profile(found_now, name=limits.name(name))
    if known.secret is None and merged.get("token_endpoint_auth_method", "none") != "none":
        _write_secret(unit, found_now, None)
    return known.public_id


def delete(unit: Unit, *, client: str) -> None:
    """End a client with its grants and the refresh tokens issued to it, if it is there."""
    try:
        ended = unit.get(ObjectKind.CLIENT, client)
    except NotFound:
        return
    grants = [edge.thing for edge in unit.facts(ended.key, FactKind.CLIENT_GRANT)]
    families = [held.fact.holder for held in unit.intervals_on(ended.key, FactKind.TOKEN_FAMILY)]
    for hanging in unit.reader.objects([*grants, *families]).values():
        unit.end(hanging)
    unit.end(ended)


def rotate_secret(unit: Unit, *, client: str) -> str:
    """Give a client a new secret: the old one is good for nothing at once."""
    found_now = unit.get(ObjectKind.CLIENT, client)
    if not unit.actor.is_client:
        raise Forbidden("secrets of clients are changed by clients alone")
    _write_secret(unit, found_now, None)
    return unit.spelling(found_now)


def describe(view: View, clients: Iterable[Object]) -> list[ClientView]:
    """Clients as people see them, in their order. Secrets are for clients and the operator alone."""
    clients = list(clients)
    profiles = view.reader.profiles([client.key for client in clients])
    certificate = signing_keys.certificate(view)
    return [
        ClientView(
            client,
            profiles[client.key]["public_id"],
            profiles[client.key].get("name", ""),
            definition_of(view, client),
            json.loads(profiles[client.key].get("extras", "{}")),
            _secret(view, client),
            certificate,
        )
        for client in clients
    ]


def definition_of(view: View, client: Object) -> dict[str, Any]:
    """What decides which tokens a client gets."""
    defined: dict[str, Any] = json.loads(view.facts(client.key, FactKind.CLIENT_DEFINITION)[0].value or "")
    return defined


def _demand_keys(unit: Unit, known: ClientView, members: Mapping[str, Any]) -> None:
    """How a client proves who it is, is changed by clients that may change keys of clients, and nobody else."""
    now = {**known.definition, **known.extras}
    if all(members.get(name, now.get(name)) == now.get(name) for name in PROVING):
        return
    if not unit.actor.is_client:
        raise Forbidden("only a client may change how a client proves who it is")
    if not unit.actor.may(UPDATE_KEYS, RESOURCE_TYPE, SYSTEM_API):
        raise MissingScope((UPDATE_KEYS,))


def _seen(view: View, client: ClientView) -> ClientView:
    may_see = view.asks is None or view.actor.may(READ_KEYS, RESOURCE_TYPE, SYSTEM_API)
    return client if may_see else replace(client, secret=None)


def _secret(view: View, client: Object) -> str | None:
    sealed = view.reader.secret(client.key, CLIENT_SECRET)
    may_see = view.asks is None or view.actor.is_client
    return view.issuer.vault.open(sealed, client, CLIENT_SECRET) if sealed and may_see else None


def _write(unit: Unit, client: Object, members: Mapping[str, Any]) -> None:
    kept = {key: value for key, value in members.items() if value is not None}
    definition = {key: kept.pop(key) for key in DEFINING if key in kept}
    unit.open(Fact(FactKind.CLIENT_DEFINITION, client.key, value=_stored(definition)))
    unit.write_profile(client, extras=_stored(kept))


def _write_secret(unit: Unit, client: Object, secret: str | None) -> None:
    secret = secret or secrets.token_urlsafe(48)
    unit.write_credential(client, CLIENT_SECRET, unit.issuer.vault.seal(secret, client, CLIENT_SECRET))


def _stored(members: Mapping[str, Any]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
