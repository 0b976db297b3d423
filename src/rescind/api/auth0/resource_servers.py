"""Registered APIs over the Management API, which calls them resource servers."""

from typing import Annotated, cast

from fastapi import Query, Response

from rescind.api.auth0 import say, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.paging import Part, Wanted
from rescind.usecases import apis

_APART = ("identifier", "name", "scopes", "signing_secret")


def list_resource_servers(
    exchange: Here, part: Part, wanted: Wanted, identifiers: Annotated[list[str] | None, Query()] = None
) -> Response:
    issuer = exchange.issuer
    named = [issuer.stored(name) for listed in identifiers or () for name in listed.split(",")]
    found = exchange.read(apis.every, identifiers=named)
    return part.say(
        exchange, part.part(exchange, found), "resource_servers", lambda one: wanted.of(say.api(issuer, one))
    )


def create_resource_server(exchange: Here, body: wire.ResourceServerNew) -> Response:
    made = exchange.write(
        apis.create,
        identifier=body.identifier,
        name=body.name,
        scopes=_scopes(body),
        members=_members(body),
        signing_secret=body.signing_secret,
    )
    return exchange.say(say.api(exchange.issuer, exchange.look(apis.get, made)))


def get_resource_server(exchange: Here, resource_server_id: str, wanted: Wanted) -> Response:
    return exchange.say(wanted.of(say.api(exchange.issuer, exchange.read(apis.get, resource_server_id))))


def update_resource_server(exchange: Here, resource_server_id: str, body: wire.ResourceServerChange) -> Response:
    exchange.write(
        apis.update,
        api=resource_server_id,
        name=body.name,
        scopes=_scopes(body),
        members=_members(body, takes_away=True),
        signing_secret=body.signing_secret,
    )
    return exchange.say(say.api(exchange.issuer, exchange.look(apis.get, resource_server_id)))


def delete_resource_server(exchange: Here, resource_server_id: str) -> Response:
    exchange.write(apis.delete, api=resource_server_id)
    return exchange.reply()


def _scopes(body: wire.ResourceServer) -> list[tuple[str, str | None]] | None:
    return None if body.scopes is None else [(scope.value, scope.description) for scope in body.scopes]


def _members(body: wire.ResourceServer, *, takes_away: bool = False) -> apis.Members:
    """What was said of the API itself; a member that is null takes it away, or is as if it was not said."""
    said = body.members().items()
    given = {name: value for name, value in said if name not in _APART and (takes_away or value is not None)}
    return cast("apis.Members", given)
