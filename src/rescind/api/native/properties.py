"""Principals and resources as enforcement points know them, over `/v1`."""

from typing import Any

from fastapi import Response
from pydantic import Field

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Asked, Cursor, Limit
from rescind.usecases import properties, resources


class PrincipalChange(Asked):
    """What is not there stays. `alias` null takes it away; of `properties` each member is set, or with null removed."""

    alias: str | None = None
    properties: dict[str, Any] | None = None


class Principal(Answered):
    """`id` is the UUID of a user or client; `alias` and `properties` are those of this scope."""

    id: str
    type: str
    alias: str | None
    properties: dict[str, Any]


class ResourceNew(Asked):
    """These properties and no others."""

    properties: dict[str, Any] = Field(default_factory=dict)


class Resource(Answered):
    type: str
    id: str
    properties: dict[str, Any]


class Resources(Answered):
    """`next` and `previous` are cursors, empty at either end."""

    resources: list[Resource]
    total: int
    next: str
    previous: str


def get_principal(exchange: Here, principal_id: str) -> Response:
    return exchange.reply(_principal(exchange.read(properties.get, principal_id)))


def update_principal(exchange: Here, principal_id: str, body: PrincipalChange) -> Response:
    changes = body.model_dump(exclude_unset=True)
    exchange.write(properties.update, principal=principal_id, changes=changes)
    return exchange.reply(_principal(exchange.look(properties.get, principal_id)))


def list_resources(exchange: Here, limit: Limit = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(resources.page, exchange.window(cursor, limit))
    before, after = exchange.cursors(page)
    found = [_resource(one) for one in page.items]
    return exchange.reply(Resources(resources=found, total=page.total, next=after, previous=before))


def get_resource(exchange: Here, resource_type: str, resource_id: str) -> Response:
    return exchange.reply(_resource(exchange.read(resources.get, resource_type, resource_id)))


def put_resource(exchange: Here, resource_type: str, resource_id: str, body: ResourceNew) -> Response:
    exchange.write(resources.put, resource_type=resource_type, resource_id=resource_id, properties=body.properties)
    return exchange.reply(_resource(exchange.look(resources.get, resource_type, resource_id)))


def delete_resource(exchange: Here, resource_type: str, resource_id: str) -> Response:
    exchange.write(resources.delete, resource_type=resource_type, resource_id=resource_id)
    return exchange.reply()


def _principal(found: properties.PrincipalView) -> Principal:
    who = found.principal
    return Principal(id=who.id, type=who.kind.label, alias=found.alias, properties=dict(found.properties))


def _resource(found: resources.ResourceView) -> Resource:
    return Resource(type=found.type, id=found.id, properties=dict(found.properties))
