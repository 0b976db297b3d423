"""Clients and client grants over the Management API."""

from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.auth0 import say, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.paging import Part, Wanted
from rescind.usecases import client_grants, clients
from rescind.usecases.clients import ClientView

DEFAULTS: dict[str, Any] = {
    "is_first_party": True,
    "is_token_endpoint_ip_header_trusted": False,
    "oidc_conformant": False,
    "jwt_configuration": {"secret_encoded": False, "lifetime_in_seconds": 36000},
    "sso_disabled": False,
    "cross_origin_authentication": False,
    "custom_login_page_on": True,
    "refresh_token": {
        "rotation_type": "non-rotating",
        "expiration_type": "non-expiring",
        "leeway": 0,
        "token_lifetime": 2_592_000,
        "infinite_token_lifetime": True,
        "infinite_idle_token_lifetime": True,
        "idle_token_lifetime": 1_296_000,
    },
}
"""What Auth0 says of a client of which nothing else was said."""


def list_clients(
    exchange: Here,
    part: Part,
    wanted: Wanted,
    is_global: Annotated[bool | None, Query()] = None,
    is_first_party: Annotated[bool | None, Query()] = None,
    app_type: Annotated[str, Query(description="Types, comma-separated.")] = "",
    q: Annotated[str, Query(description="What the name has in it.")] = "",
) -> Response:
    listed = [_said(client) for client in exchange.read(clients.every)]
    found = [
        {**client, "tenant": _tenant(exchange), "global": False}
        for client in listed
        if not is_global
        and is_first_party in (None, client["is_first_party"])
        and (not app_type or client.get("app_type") in app_type.split(","))
        and q.casefold() in client["name"].casefold()
    ]
    return part.say(exchange, part.part(exchange, found), "clients", wanted.of)


def create_client(exchange: Here, body: wire.ClientNew) -> Response:
    members = {name: value for name, value in body.members().items() if name != "name" and value is not None}
    made = exchange.write(clients.create, name=body.name, members=members)
    return exchange.say(_said(exchange.look(clients.with_secret, made)))


def get_client(exchange: Here, client_id: str, wanted: Wanted) -> Response:
    return exchange.say(wanted.of(_said(exchange.read(clients.get, client_id))))


def update_client(exchange: Here, client_id: str, body: wire.ClientChange) -> Response:
    members = {name: value for name, value in body.members().items() if name != "name"}
    exchange.write(clients.update, client=client_id, name=body.name, members=members)
    return exchange.say(_said(exchange.look(clients.get, client_id)))


def delete_client(exchange: Here, client_id: str) -> Response:
    exchange.write(clients.delete, client=client_id)
    return exchange.reply()


def rotate_client_secret(exchange: Here, client_id: str) -> Response:
    exchange.write(clients.rotate_secret, client=client_id)
    return exchange.say(_said(exchange.look(clients.with_secret, client_id)))


def list_client_grants(
    exchange: Here,
    part: Part,
    audience: str = "",
    client_id: str = "",
    subject_type: str = "",
    allow_any_organization: Annotated[bool | None, Query()] = None,
) -> Response:
    listed = [say.client_grant(exchange.issuer, grant) for grant in exchange.read(client_grants.every)]
    asked = {"audience": audience, "client_id": client_id, "subject_type": subject_type}
    found = [
        grant
        for grant in listed
        if all(not value or grant[name] == value for name, value in asked.items())
        and allow_any_organization in (None, grant.get("allow_any_organization", False))
    ]
    return part.say(exchange, part.part(exchange, found), "client_grants", dict)


def create_client_grant(exchange: Here, body: wire.ClientGrantNew) -> Response:
    made = exchange.write(
        client_grants.create,
        client=body.client_id,
        audience=body.audience,
        scopes=body.scope or (),
        subject=body.subject_type or "client",
        all_scopes=body.allow_all_scopes,
        organization_usage=body.organization_usage,
        any_organization=body.allow_any_organization,
    )
    return exchange.say(say.client_grant(exchange.issuer, exchange.look(client_grants.get, made)))


def get_client_grant(exchange: Here, grant_id: str) -> Response:
    return exchange.say(say.client_grant(exchange.issuer, exchange.read(client_grants.get, grant_id)))


def update_client_grant(exchange: Here, grant_id: str, body: wire.ClientGrantChange) -> Response:
    exchange.write(
        client_grants.update,
        grant=grant_id,
        scopes=body.scope,
        all_scopes=body.allow_all_scopes,
        organization_usage=body.organization_usage,
        any_organization=body.allow_any_organization,
    )
    return exchange.say(say.client_grant(exchange.issuer, exchange.look(client_grants.get, grant_id)))


def delete_client_grant(exchange: Here, grant_id: str) -> Response:
    exchange.write(client_grants.delete, grant=grant_id)
    return exchange.reply()


def list_client_grant_organizations(exchange: Here, grant_id: str, part: Part) -> Response:
    page = exchange.read(client_grants.organizations_of, part.window(exchange), grant=grant_id)
    return part.say(exchange, page, "organizations", say.organization, always_wrapped=True)


def _said(found: ClientView) -> dict[str, Any]:
    return say.client(found, DEFAULTS)


def _tenant(exchange: Here) -> str:
    return exchange.issuer.domain.partition(".")[0]
