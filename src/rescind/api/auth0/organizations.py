"""Organizations over the Management API: members, their roles, client grants, and the connection that there is."""

from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.auth0 import say, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.paging import Part, Wanted
from rescind.api.auth0.users import role_ids
from rescind.usecases import client_grants, memberships, organizations, roles

_APART = ("name", "display_name")


def list_organizations(
    exchange: Here,
    part: Part,
    sort: Annotated[str, Query(pattern="^((name|display_name|created_at):(1|-1))?$")] = "",
) -> Response:
    if sort:
        field, _, direction = sort.partition(":")
        found = exchange.read(organizations.ordered, field, falling=direction == "-1")
        return part.say(exchange, part.part(exchange, found), "organizations", say.organization)
    page = exchange.read(organizations.every, part.window(exchange))
    return part.say(exchange, page, "organizations", say.organization)


def create_organization(exchange: Here, body: wire.OrganizationNew) -> Response:
    extras = {name: value for name, value in body.members().items() if name not in (*_APART, "enabled_connections")}
    made = exchange.write(organizations.establish, slug=body.name, name=body.display_name or body.name, extras=extras)
    said = say.organization(exchange.look(organizations.here))
    assert said["id"] == made
    return exchange.say({**said, **({"enabled_connections": []} if body.enabled_connections else {})})


def get_organization(exchange: Here, organization_id: str) -> Response:
    return exchange.say(say.organization(exchange.read(organizations.here)))


def get_organization_by_name(exchange: Here, name: str) -> Response:
    return exchange.say(say.organization(exchange.read(organizations.with_slug, name)))


def update_organization(exchange: Here, organization_id: str, body: wire.OrganizationChange) -> Response:
    extras = {name: value for name, value in body.members().items() if name not in _APART}
    exchange.write(organizations.reshape, slug=body.name, name=body.display_name, extras=extras)
    return exchange.say(say.organization(exchange.look(organizations.here)))


def delete_organization(exchange: Here, organization_id: str) -> Response:
    exchange.write(organizations.dissolve)
    return exchange.reply()


def list_members(exchange: Here, organization_id: str, part: Part, wanted: Wanted) -> Response:
    window = part.window(exchange)
    if wanted.include and "roles" in wanted.names:
        page = exchange.read(memberships.page_with_roles, window)
        return part.say(exchange, page, "members", lambda found: wanted.of(_member_with_roles(*found)))
    return part.say(
        exchange, exchange.read(memberships.page, window), "members", lambda found: wanted.of(say.member(found))
    )


def add_members(exchange: Here, organization_id: str, body: wire.Members) -> Response:
    exchange.write(memberships.add, members=body.members)
    return exchange.reply()


def remove_members(exchange: Here, organization_id: str, body: wire.Members) -> Response:
    exchange.write(memberships.remove, members=body.members)
    return exchange.reply()


def list_member_roles(exchange: Here, organization_id: str, user_id: str, part: Part) -> Response:
    found = exchange.read(roles.of_user, user=user_id)
    return part.say(exchange, part.part(exchange, found), "roles", say.role_in_list)


def assign_member_roles(exchange: Here, organization_id: str, user_id: str, body: wire.Roles) -> Response:
    exchange.write(roles.attach_users, roles=role_ids(body), user=user_id)
    return exchange.reply()


def remove_member_roles(exchange: Here, organization_id: str, user_id: str, body: wire.Roles) -> Response:
    exchange.write(roles.detach_users, roles=role_ids(body), user=user_id)
    return exchange.reply()


def list_role_members(exchange: Here, organization_id: str, role_id: str, part: Part) -> Response:
    page = exchange.read(roles.page_holders, part.window(exchange), role=role_id)
    return part.say(exchange, page, "members", say.member, always_wrapped=True)


def list_organization_client_grants(
    exchange: Here,
    organization_id: str,
    part: Part,
    audience: str = "",
    client_id: str = "",
    grant_ids: Annotated[list[str] | None, Query()] = None,
) -> Response:
    listed = [say.client_grant(exchange.issuer, grant) for grant in exchange.read(client_grants.of_organization)]
    named = [name for names in grant_ids or () for name in names.split(",")]
    asked = {"audience": audience, "client_id": client_id}
    found = [
        grant
        for grant in listed
        if all(not value or grant[name] == value for name, value in asked.items())
        and (not named or grant["id"] in named)
    ]
    return part.say(exchange, part.part(exchange, found), "client_grants", dict)


def add_organization_client_grant(exchange: Here, organization_id: str, body: wire.GrantNamed) -> Response:
    exchange.write(client_grants.associate, grant=body.grant_id)
    found = say.client_grant(exchange.issuer, exchange.look(client_grants.get, body.grant_id))
    shown = ("client_id", "audience", "scope", "organization_usage", "allow_any_organization")
    said: dict[str, Any] = {name: found[name] for name in shown if name in found}
    return exchange.say({"grant_id": body.grant_id, "allow_any_organization": False, **said})


def remove_organization_client_grant(exchange: Here, organization_id: str, grant_id: str) -> Response:
    exchange.write(client_grants.dissociate, grant=grant_id)
    return exchange.reply()


def _member_with_roles(account: Any, held: Any) -> dict[str, Any]:
    return {**say.member(account), "roles": [{"id": role.public_id, "name": role.name} for role in held]}
