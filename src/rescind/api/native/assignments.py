"""Assignments that time may end, over `/v1`: each with the use case that every other door has for it."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.native.wire import Asked
from rescind.usecases import group_roles, groups, permissions, policies, roles, users


class Until(Asked):
    """`expires_at` is in microseconds since 1970; null for never."""

    expires_at: int | None = None


class Scope(Asked):
    """A scope of an API, both by their names."""

    resource_server_identifier: str
    permission_name: str


class ScopesUntil(Until):
    permissions: list[Scope]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(one.resource_server_identifier, one.permission_name) for one in self.permissions]


def put_role_user(exchange: Here, role_id: str, user_id: str, body: Until) -> Response:
    exchange.write(roles.attach_users, roles=[role_id], user=user_id, expires_at=body.expires_at)
    return exchange.reply()


def put_role_group(exchange: Here, role_id: str, group_id: str, body: Until) -> Response:
    exchange.write(roles.attach_group, role=role_id, group=group_id, expires_at=body.expires_at)
    return exchange.reply()


def put_role_policy(exchange: Here, role_id: str, policy_id: str, body: Until) -> Response:
    exchange.write(roles.attach_policy, role=role_id, policy=policy_id, expires_at=body.expires_at)
    return exchange.reply()


def put_policy_user(exchange: Here, policy_id: str, user_id: str, body: Until) -> Response:
    exchange.write(policies.attach_user, policy=policy_id, user=user_id, expires_at=body.expires_at)
    return exchange.reply()


def put_policy_group(exchange: Here, policy_id: str, group_id: str, body: Until) -> Response:
    exchange.write(policies.attach_group, policy=policy_id, group=group_id, expires_at=body.expires_at)
    return exchange.reply()


def put_group_member(exchange: Here, group_id: str, user_id: str, body: Until) -> Response:
    exchange.write(groups.add_member, group=group_id, user=user_id, expires_at=body.expires_at)
    return exchange.reply()


def put_user_permissions(exchange: Here, user_id: str, body: ScopesUntil) -> Response:
    exchange.write(permissions.grant_to_user, user=user_id, permissions=body.pairs, expires_at=body.expires_at)
    return exchange.reply()


def put_role_permissions(exchange: Here, role_id: str, body: ScopesUntil) -> Response:
    exchange.write(permissions.grant_to_role, role=role_id, permissions=body.pairs, expires_at=body.expires_at)
    return exchange.reply()


def put_user_acl(exchange: Here, user_id: str, acl: str, body: Until) -> Response:
    exchange.write(users.grant_acl, user=user_id, acl=acl, expires_at=body.expires_at)
    return exchange.reply()


def delete_user_acl(exchange: Here, user_id: str, acl: str) -> Response:
    exchange.write(users.revoke_acl, user=user_id, acl=acl)
    return exchange.reply()


def put_member_role(exchange: Here, user_id: str, role_id: str, body: Until) -> Response:
    exchange.write(roles.attach_users, roles=[role_id], user=user_id, expires_at=body.expires_at)
    return exchange.reply()


def put_group_role(exchange: Here, group_id: str, role_id: str, body: Until) -> Response:
    exchange.write(group_roles.attach_roles, group=group_id, roles=[role_id], expires_at=body.expires_at)
    return exchange.reply()
