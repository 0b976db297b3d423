"""Policies: calls 71 to 82."""

from typing import Annotated

from fastapi import Query, Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta
from rescind.usecases import policies
from rescind.usecases.policies import VERSION_DEFAULT

DropConditions = Annotated[bool, Query(description="Let the new document drop every `Condition` of the stored one.")]


def list_policies(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(policies.page, exchange.window(cursor, per_page))
    items = [say.policy(found) for found in page.items]
    return exchange.reply(wire.Policies(policies=items, meta=meta(exchange, page)))


def create_policy(exchange: Here, body: wire.PolicyNew) -> Response:
    made = exchange.write(
        policies.create,
        name=body.name,
        description=body.description or "",
        document=body.policy_document,
        version=body.version or VERSION_DEFAULT,
    )
    return exchange.reply(say.policy_both(exchange.look(policies.get, made)))


def get_policy(exchange: Here, policy_id: str) -> Response:
    return exchange.reply(wire.PolicyWrapped(policy=say.policy(exchange.read(policies.get, policy_id))))


def update_policy(
    exchange: Here, policy_id: str, body: wire.PolicyEdit, drop_conditions: DropConditions = False
) -> Response:
    exchange.write(
        policies.update,
        policy=policy_id,
        name=body.name,
        description=body.description,
        document=body.policy_document,
        drop_conditions=drop_conditions,
    )
    return exchange.reply(say.policy_both(exchange.look(policies.get, policy_id)))


def delete_policy(exchange: Here, policy_id: str) -> Response:
    exchange.write(policies.delete, policy=policy_id)
    return exchange.reply()


def restore_policy(exchange: Here, policy_id: str) -> Response:
    exchange.write(policies.restore, policy=policy_id)
    return exchange.reply(say.policy_both(exchange.look(policies.get, policy_id)))


def list_policy_groups(exchange: Here, policy_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(policies.page_groups, exchange.window(cursor, per_page), policy=policy_id)
    return exchange.reply(
        wire.PolicyGroups(
            groups=[
                wire.GroupOfPolicy(**{**dict(say.group(found.holder)), **dict(say.policy_group(found))})
                for found in page.items
            ],
            policy_group_relationships=[say.policy_group(found) for found in page.items],
            meta=meta(exchange, page),
        )
    )


def attach_policy_group(exchange: Here, policy_id: str, group_id: str) -> Response:
    exchange.write(policies.attach_group, policy=policy_id, group=group_id)
    bare = say.policy_group(exchange.look(policies.group_relation, policy_id, group_id))
    return exchange.reply(wire.PolicyGroupBoth(**dict(bare), policy_group_relationship=bare))


def detach_policy_group(exchange: Here, policy_id: str, group_id: str) -> Response:
    exchange.write(policies.detach_group, policy=policy_id, group=group_id)
    return exchange.reply()


def list_policy_users(exchange: Here, policy_id: str, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(policies.page_users, exchange.window(cursor, per_page), policy=policy_id)
    return exchange.reply(
        wire.PolicyUsers(
            users=[say.org_user(found.holder, found.at) for found in page.items],
            policy_user_relationships=[say.policy_user(found) for found in page.items],
            meta=meta(exchange, page),
        )
    )


def attach_policy_user(exchange: Here, policy_id: str, user_id: str) -> Response:
    exchange.write(policies.attach_user, policy=policy_id, user=user_id)
    bare = say.policy_user(exchange.look(policies.user_relation, policy_id, user_id))
    return exchange.reply(wire.PolicyUserBoth(**dict(bare), policy_user_relationship=bare))


def detach_policy_user(exchange: Here, policy_id: str, user_id: str) -> Response:
    exchange.write(policies.detach_user, policy=policy_id, user=user_id)
    return exchange.reply()
