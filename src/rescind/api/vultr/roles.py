"""Roles: calls 55 to 70."""

from fastapi import Response

from rescind.api.exchange import Exchange, Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta
from rescind.usecases import roles

ROLE_TYPE_DEFAULT = "assumable"
SESSION_SECONDS_DEFAULT = 3600


def list_roles(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(roles.page, exchange.window(cursor, per_page))
    return exchange.reply(wire.Roles(roles=[say.role(found) for found in page.items], meta=meta(exchange, page)))


def create_role(exchange: Here, body: wire.RoleNew) -> Response:
    made = exchange.write(
        roles.create,
        name=body.name,
        description=body.description or "",
        role_type=body.role_type or ROLE_TYPE_DEFAULT,
        max_session_duration=SESSION_SECONDS_DEFAULT
        if body.max_session_duration is None
        else body.max_session_duration,
    )
    return exchange.reply(say.role_both(exchange.look(roles.get, made)))


def get_role(exchange: Here, role_id: str) -> Response:
    return exchange.reply(wire.RoleWrapped(role=say.role(exchange.read(roles.get, role_id))))


def update_role(exchange: Here, role_id: str, body: wire.RoleEdit) -> Response:
    exchange.write(
        roles.update,
        role=role_id,
        name=body.name,
        description=body.description,
        role_type=body.role_type,
        max_session_duration=body.max_session_duration,
    )
    return exchange.reply(say.role_both(exchange.look(roles.get, role_id)))


def delete_role(exchange: Here, role_id: str) -> Response:
    exchange.write(roles.delete, role=role_id)
    return exchange.reply()


def restore_role(exchange: Here, role_id: str) -> Response:
    exchange.write(roles.restore, role=role_id)
    return exchange.reply(say.role_both(exchange.look(roles.get, role_id)))


def list_role_groups(exchange: Here, role_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(roles.page_groups, exchange.window(cursor, per_page), role=role_id)
    relations = [say.role_group(found) for found in page.items]
    return exchange.reply(
        wire.RoleGroups(assignments=relations, role_group_relationships=relations, meta=meta(exchange, page))
    )


def attach_role_group(exchange: Here, role_id: str, group_id: str) -> Response:
    exchange.write(roles.attach_group, role=role_id, group=group_id)
    bare = say.role_group(exchange.look(roles.group_relation, role_id, group_id))
    return exchange.reply(wire.RoleGroupBoth(**dict(bare), role_group_relationship=bare))


def detach_role_group(exchange: Here, role_id: str, group_id: str) -> Response:
    exchange.write(roles.detach_group, role=role_id, group=group_id)
    return exchange.reply()


def list_role_users(exchange: Here, role_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(roles.page_users, exchange.window(cursor, per_page), role=role_id)
    relations = [say.role_user(found) for found in page.items]
    return exchange.reply(
        wire.RoleUsers(assignments=relations, role_user_relationships=relations, meta=meta(exchange, page))
    )


def attach_role_user(exchange: Here, role_id: str, user_id: str) -> Response:
    exchange.write(roles.attach_users, roles=[role_id], user=user_id)
    bare = say.role_user(exchange.look(roles.user_relation, role_id, user_id))
    return exchange.reply(wire.RoleUserBoth(**dict(bare), role_user_relationship=bare))


def detach_role_user(exchange: Here, role_id: str, user_id: str) -> Response:
    exchange.write(roles.detach_users, roles=[role_id], user=user_id)
    return exchange.reply()


def list_role_policies(exchange: Here, role_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(roles.page_policies, exchange.window(cursor, per_page), role=role_id)
    return exchange.reply(
        wire.RolePolicies(
            policies=[say.policy_of_role(found.thing) for found in page.items],
            role_policy_relationships=[say.role_policy(found) for found in page.items],
            meta=meta(exchange, page),
        )
    )


def attach_named_role_policy(exchange: Here, role_id: str, body: wire.RolePolicyNew) -> Response:
    return _attach_policy(exchange, role_id, body.policy_id)


def attach_role_policy(exchange: Here, role_id: str, policy_id: str) -> Response:
    return _attach_policy(exchange, role_id, policy_id)


def detach_role_policy(exchange: Here, role_id: str, policy_id: str) -> Response:
    exchange.write(roles.detach_policy, role=role_id, policy=policy_id)
    return exchange.reply()


def _attach_policy(exchange: Exchange, role_id: str, policy_id: str) -> Response:
    exchange.write(roles.attach_policy, role=role_id, policy=policy_id)
    bare = say.role_policy(exchange.look(roles.policy_relation, role_id, policy_id))
    return exchange.reply(wire.RolePolicyBoth(**dict(bare), role_policy_relationship=bare))
