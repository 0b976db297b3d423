"""Roles over the Management API, with their permissions and holders."""

from typing import Annotated, Literal

from fastapi import Query, Response

from rescind.api.auth0 import say, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part
from rescind.model.errors import NotFound
from rescind.model.objects import ObjectKind
from rescind.usecases import permissions, roles


def list_roles(
    exchange: Here,
    part: Part,
    name_filter: Annotated[str, Query(description="What the name has in it, whatever the case of its letters.")] = "",
    type: Annotated[Literal["tenant", "organization"] | None, Query()] = None,  # noqa: A002 - the dialect's own word
    owner_id: str | None = None,
) -> Response:
    owner = owner_id if type != "tenant" else None
    found = exchange.read(roles.every, owner=owner, of_organizations=type == "organization")
    wanted = [role for role in found if name_filter.casefold() in role.name.casefold()]
    return part.say(exchange, part.part(exchange, wanted), "roles", say.role)


def create_role(exchange: Here, body: wire.RoleNew) -> Response:
    if (body.type == "organization") != (body.owner_id is not None):
        missing = "owner_id" if body.owner_id is None else "type"
        raise Said(400, f"Payload validation error: 'Missing required property: {missing}'.", "invalid_body")
    made = exchange.write(roles.define, name=body.name, description=body.description or "", owner=body.owner_id)
    found = exchange.look(roles.get, made)
    return exchange.say(say.role(found, was_described=body.description is not None))


def get_role(exchange: Here, role_id: str) -> Response:
    return exchange.say(say.role(exchange.read(roles.get, role_id)))


def update_role(exchange: Here, role_id: str, body: wire.RoleChange) -> Response:
    exchange.write(roles.redefine, role=role_id, name=body.name, description=body.description)
    return exchange.say(say.role(exchange.look(roles.get, role_id)))


def delete_role(exchange: Here, role_id: str) -> Response:
    exchange.write(roles.delete, role=role_id)
    return exchange.say({})


def list_role_permissions(exchange: Here, role_id: str, part: Part) -> Response:
    found = exchange.read(permissions.of_role, role=role_id)
    issuer = exchange.issuer
    return part.say(exchange, part.part(exchange, found), "permissions", lambda one: say.permission(issuer, one))


def add_role_permissions(exchange: Here, role_id: str, body: wire.Permissions) -> Response:
    exchange.write(permissions.grant_to_role, role=role_id, permissions=body.pairs)
    return exchange.say({})


def remove_role_permissions(exchange: Here, role_id: str, body: wire.Permissions) -> Response:
    exchange.write(permissions.revoke_from_role, role=role_id, permissions=body.pairs)
    return exchange.reply()


def list_role_users(exchange: Here, role_id: str, part: Part) -> Response:
    page = exchange.read(roles.page_holders, part.window(exchange), role=role_id)
    return part.say(exchange, page, "users", say.member)


def assign_role_users(exchange: Here, role_id: str, body: wire.Users) -> Response:
    try:
        exchange.write(roles.attach_many, role=role_id, users=list(dict.fromkeys(body.users)))
    except NotFound as missing:
        if missing.what == ObjectKind.USER.label:
            raise Said(404, "One or more of the users do not exist.") from None
        raise
    return exchange.say({})
