"""The one connection that there is: users who have a password here."""

from typing import Any

from fastapi import Response

from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part
from rescind.usecases import accounts

ID = "con_0000000000000001"
DATABASE: dict[str, Any] = {
    "id": ID,
    "name": accounts.CONNECTION,
    "strategy": "auth0",
    "options": {},
    "enabled_clients": [],
    "realms": [accounts.CONNECTION],
}


def list_connections(exchange: Here, part: Part, name: str = "", strategy: str = "") -> Response:
    exchange.read(accounts.connections)
    asked = {"name": name, "strategy": strategy}
    found = [DATABASE] if all(value in ("", DATABASE[member]) for member, value in asked.items()) else []
    return part.say(exchange, part.part(exchange, found), "connections", dict)


def get_connection(exchange: Here, connection_id: str) -> Response:
    exchange.read(accounts.connections)
    if connection_id != ID:
        raise Said(404, "The connection does not exist", "inexistent_connection")
    return exchange.say(DATABASE)


def list_organization_connections(exchange: Here, organization_id: str, part: Part) -> Response:
    exchange.read(accounts.connections)
    return part.say(exchange, part.part(exchange, []), "connections", dict)


def list_enabled_connections(exchange: Here, organization_id: str, part: Part) -> Response:
    exchange.read(accounts.connections)
    return part.say(exchange, part.part(exchange, []), "enabled_connections", dict)
