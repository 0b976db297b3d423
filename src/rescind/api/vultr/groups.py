"""Groups: calls 43 to 54."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta, whole
from rescind.model.errors import Invalid
from rescind.usecases import access, groups
from rescind.usecases.relations import Relation


def list_groups(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(groups.page, exchange.window(cursor, per_page))
    return exchange.reply(wire.Groups(groups=[say.group(found) for found in page.items], meta=meta(exchange, page)))


def create_group(exchange: Here, body: wire.GroupNew) -> Response:
    made = exchange.write(groups.create, name=body.display_name, description=body.description or "")
    return exchange.reply(say.group_both(exchange.look(groups.get, made)))


def get_group(exchange: Here, group_id: str, *, show_last_activity: bool = False) -> Response:
    found = exchange.read(groups.get, group_id, with_last_use=show_last_activity)
    return exchange.reply(wire.GroupWrapped(group=say.group(found, used_at=found.used_at)))


def update_group(exchange: Here, group_id: str, body: wire.GroupEdit) -> Response:
    exchange.write(groups.update, group=group_id, name=body.display_name, description=body.description)
    return exchange.reply(say.group_both(exchange.look(groups.get, group_id)))


def delete_group(exchange: Here, group_id: str) -> Response:
    exchange.write(groups.delete, group=group_id)
    return exchange.reply()


def list_group_members(exchange: Here, group_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(groups.page_members, exchange.window(cursor, per_page), group=group_id)
    members = [say.member(found) for found in page.items]
    return exchange.reply(wire.GroupMembers(members=members, meta=meta(exchange, page)))


def add_group_member(exchange: Here, group_id: str, body: wire.GroupMemberNew) -> Response:
    # Some clients put the id into `display_name`. A name there names nobody: people rename themselves.
    user_id = body.user_id or body.display_name
    if not user_id:
        raise Invalid("`user_id` is required")
    exchange.write(groups.add_member, group=group_id, user=user_id)
    return exchange.reply(say.member_both(exchange.look(groups.get_member, group_id, user_id)))


def get_group_member(exchange: Here, group_id: str, member_id: str) -> Response:
    found = exchange.read(groups.get_member, group_id, member_id)
    return exchange.reply(wire.GroupMemberWrapped(group_member=say.member(found)))


def remove_group_member(exchange: Here, group_id: str, member_id: str) -> Response:
    exchange.write(groups.remove_member, group=group_id, user=member_id)
    return exchange.reply()


def restore_group_member(exchange: Here, group_id: str, member_id: str) -> Response:
    exchange.write(groups.add_member, group=group_id, user=member_id)
    return exchange.reply(
        wire.GroupMemberWrapped(group_member=say.member(exchange.look(groups.get_member, group_id, member_id)))
    )


def list_group_roles(exchange: Here, group_id: str) -> Response:
    group, held = exchange.read(access.roles_of_group, group=group_id)
    roles = wire.GroupRolesHeld(
        all=say.group_roles(held.every), inherited=say.group_roles(held.inherited), direct=say.group_roles(held.direct)
    )
    relations = [say.role_group(Relation(group, role.thing, role.at, role.by)) for role in held.direct]
    return exchange.reply(wire.GroupRoles(roles=roles, role_group_relationships=relations, meta=whole(len(held.every))))


def list_group_policies(exchange: Here, group_id: str) -> Response:
    group, held = exchange.read(access.policies_of_group, group=group_id)
    policies = wire.GroupPoliciesHeld(
        direct=say.policies_held(held.direct),
        from_roles=say.policies_held(held.inherited),
        all=say.policies_held(held.every),
    )
    relations = [say.policy_group(Relation(group, policy.thing, policy.at, policy.by)) for policy in held.direct]
    return exchange.reply(
        wire.GroupPolicies(policies=policies, policy_group_relationships=relations, meta=whole(len(held.every)))
    )
