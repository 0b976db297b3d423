"""Groups over `/v1`: made and filled by who may in their organization, or by an administrator of the platform."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Asked
from rescind.usecases import group_roles, groups


class GroupNew(Asked):
    """`organization` is required of an administrator of the platform alone."""

    name: str
    description: str = ""
    organization: str | None = None


class NewGroup(Answered):
    """`public_id` is its name in the Auth0 face."""

    id: str
    public_id: str


class GroupMember(Asked):
    """`user` is the id of a member of the group's organization.

    `expires_at` is in microseconds since 1970; null for never.
    """

    user: str
    expires_at: int | None = None


def new_group(exchange: Here, body: GroupNew) -> Response:
    made = exchange.write(groups.create, name=body.name, description=body.description, organization=body.organization)
    return exchange.reply(NewGroup(id=made, public_id=exchange.look(group_roles.public_id_of, made)))


def add_group_member(exchange: Here, group_id: str, body: GroupMember) -> Response:
    exchange.write(groups.add_member, group=group_id, user=body.user, expires_at=body.expires_at)
    return exchange.reply()


def remove_group_member(exchange: Here, group_id: str, user_id: str) -> Response:
    exchange.write(groups.remove_member, group=group_id, user=user_id)
    return exchange.reply()
