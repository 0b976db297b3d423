"""Groups over the Management API: members, and the roles that groups have outside and inside their organization."""

from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.auth0 import say, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part
from rescind.api.auth0.users import role_ids
from rescind.usecases import effective_access, group_roles, groups
from rescind.usecases.accounts import date_of
from rescind.usecases.effective_access import EffectivePermission, EffectiveRole
from rescind.usecases.group_roles import GroupAccount, Joined

_Role = Annotated[str, Query(min_length=1)]


def list_groups(
    exchange: Here, part: Part, name: str = "", search: str = "", connection_id: str = "", external_id: str = ""
) -> Response:
    found = [
        group
        for group in exchange.read(group_roles.every)
        if name in ("", group.name) and search.casefold() in group.name.casefold()
    ]
    # Groups come from no directory: none has an id there.
    listed = [] if connection_id or external_id else found
    return part.say(exchange, part.part(exchange, listed), "groups", _group(exchange), always_wrapped=True)


def get_group(exchange: Here, group_id: str) -> Response:
    return exchange.say(_group(exchange)(exchange.read(group_roles.get, group_id)))


def delete_group(exchange: Here, group_id: str) -> Response:
    exchange.write(groups.delete, group=group_id)
    return exchange.reply()


def list_group_members(exchange: Here, group_id: str, part: Part) -> Response:
    page = exchange.read(group_roles.page_members, part.window(exchange), group=group_id)

    def said(member: Joined) -> dict[str, Any]:
        kind = {"member_type": "user", "type": "organization"}
        return {"id": member.user_id, **kind, "created_at": date_of(member.at)}

    return part.say(exchange, page, "members", said, always_wrapped=True)


def list_user_groups(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(group_roles.of_user, user=user_id)

    def said(joined: Joined) -> dict[str, Any]:
        assert joined.group is not None
        return {**_group(exchange)(joined.group), "membership_created_at": date_of(joined.at)}

    return part.say(exchange, part.part(exchange, found), "groups", said, always_wrapped=True)


def list_group_roles(exchange: Here, group_id: str, part: Part) -> Response:
    found = exchange.read(group_roles.roles_of, group=group_id)
    return part.say(exchange, part.part(exchange, found), "roles", say.role, always_wrapped=True)


def assign_group_roles(exchange: Here, group_id: str, body: wire.Roles) -> Response:
    exchange.write(group_roles.attach_roles, group=group_id, roles=role_ids(body))
    return exchange.reply()


def remove_group_roles(exchange: Here, group_id: str, body: wire.Roles) -> Response:
    exchange.write(group_roles.detach_roles, group=group_id, roles=role_ids(body))
    return exchange.reply()


def list_role_groups(exchange: Here, role_id: str, part: Part) -> Response:
    found = exchange.read(group_roles.of_role, role=role_id)
    return part.say(exchange, part.part(exchange, found), "groups", _group(exchange), always_wrapped=True)


def assign_role_groups(exchange: Here, role_id: str, body: wire.Groups) -> Response:
    exchange.write(group_roles.attach_groups, role=role_id, groups=_group_ids(body))
    return exchange.reply()


def remove_role_groups(exchange: Here, role_id: str, body: wire.Groups) -> Response:
    exchange.write(group_roles.detach_groups, role=role_id, groups=_group_ids(body))
    return exchange.reply()


def list_organization_groups(exchange: Here, organization_id: str, part: Part) -> Response:
    found = exchange.read(group_roles.every)
    return part.say(exchange, part.part(exchange, found), "groups", _group(exchange), always_wrapped=True)


def list_organization_group_roles(exchange: Here, organization_id: str, group_id: str, part: Part) -> Response:
    return list_group_roles(exchange, group_id, part)


def assign_organization_group_roles(
    exchange: Here,
    organization_id: str,
    group_id: str,
    body: wire.Roles,
) -> Response:
    return assign_group_roles(exchange, group_id, body)


def remove_organization_group_roles(
    exchange: Here,
    organization_id: str,
    group_id: str,
    body: wire.Roles,
) -> Response:
    return remove_group_roles(exchange, group_id, body)


def list_organization_role_groups(exchange: Here, organization_id: str, role_id: str, part: Part) -> Response:
    return list_role_groups(exchange, role_id, part)


# --- what a user really has -----------------------------------------------------------------------------------------


def list_effective_roles(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(effective_access.roles_of, user=user_id)
    return part.say(exchange, part.part(exchange, found), "roles", _effective_role, always_wrapped=True)


def list_role_source_groups(exchange: Here, user_id: str, role_id: _Role, part: Part) -> Response:
    found = exchange.read(effective_access.groups_with, user=user_id, role=role_id)
    return part.say(exchange, part.part(exchange, found), "groups", _group(exchange), always_wrapped=True)


def list_effective_permissions(exchange: Here, user_id: str, resource_server_identifier: _Role, part: Part) -> Response:
    found = exchange.read(effective_access.permissions_of, user=user_id, api=resource_server_identifier)

    def said(one: EffectivePermission) -> dict[str, Any]:
        return {**say.permission(exchange.issuer, one.permission), "sources": list(one.sources)}

    return part.say(exchange, part.part(exchange, found), "permissions", said, always_wrapped=True)


def list_permission_source_roles(
    exchange: Here, user_id: str, resource_server_identifier: _Role, permission_name: _Role, part: Part
) -> Response:
    found = exchange.read(
        effective_access.roles_with, user=user_id, api=resource_server_identifier, scope=permission_name
    )
    return part.say(exchange, part.part(exchange, found), "roles", _effective_role, always_wrapped=True)


def list_member_effective_roles(exchange: Here, organization_id: str, user_id: str, part: Part) -> Response:
    return list_effective_roles(exchange, user_id, part)


def list_member_role_source_groups(
    exchange: Here,
    organization_id: str,
    user_id: str,
    role_id: _Role,
    part: Part,
) -> Response:
    return list_role_source_groups(exchange, user_id, role_id, part)


def _effective_role(found: EffectiveRole) -> dict[str, Any]:
    return {**say.role_in_list(found.role), "sources": list(found.sources)}


def _group(exchange: Here) -> Any:
    tenant = exchange.issuer.domain.partition(".")[0]

    def said(group: GroupAccount) -> dict[str, Any]:
        return {
            "id": group.public_id,
            "name": group.name,
            "tenant_name": tenant,
            "created_at": date_of(group.group.created_at),
            "updated_at": date_of(group.updated_at),
        }

    return said


def _group_ids(body: wire.Groups) -> list[str]:
    if not all(group.startswith("grp_") for group in body.groups):
        raise Said(400, "Invalid request payload input")
    return list(dict.fromkeys(body.groups))
