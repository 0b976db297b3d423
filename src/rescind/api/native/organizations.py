"""Organizations over `/v1`: one's own memberships, ownership, groups brought back, and dormant edges."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Asked, Cursor, Limit
from rescind.usecases import dormant, groups, organizations


class Membership(Answered):
    """What one is in an organization; `joined_at` is in microseconds since 1970."""

    organization: str
    name: str
    root: bool
    suspended: bool
    api_enabled: bool
    joined_at: int


class Memberships(Answered):
    memberships: list[Membership]


class Transfer(Asked):
    """`user` is the id of the member who becomes root."""

    user: str


class Group(Answered):
    id: str
    name: str
    description: str
    members: int


class DormantEdge(Answered):
    """An edge that counts for nothing while one of its ends is deleted.

    `holder` is who has something (a user, group or role, by id), `thing` what is had (a group, role or policy).
    """

    edge: str
    holder: str
    holder_kind: str
    thing: str
    thing_kind: str
    since: int
    by: str


class DormantEdges(Answered):
    """`next` and `previous` are cursors, empty at either end."""

    dormant_edges: list[DormantEdge]
    total: int
    next: str
    previous: str


def list_memberships(exchange: Here) -> Response:
    return exchange.reply(
        Memberships(
            memberships=[
                Membership(
                    organization=found.organization.organization.id,
                    name=found.organization.name,
                    root=found.is_root,
                    suspended=found.is_suspended,
                    api_enabled=found.api_enabled,
                    joined_at=found.joined_at,
                )
                for found in exchange.read(organizations.memberships)
            ]
        )
    )


def leave_organization(exchange: Here, organization_id: str) -> Response:
    exchange.write(organizations.leave, organization=organization_id)
    return exchange.reply()


def transfer_organization(exchange: Here, organization_id: str, body: Transfer) -> Response:
    exchange.write(organizations.transfer, organization=organization_id, user=body.user)
    return exchange.reply()


def restore_group(exchange: Here, group_id: str) -> Response:
    exchange.write(groups.restore, group=group_id)
    found = exchange.look(groups.get, group_id)
    return exchange.reply(
        Group(id=found.group.id, name=found.name, description=found.description, members=found.members.total)
    )


def list_dormant_edges(exchange: Here, limit: Limit = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(dormant.page, exchange.window(cursor, limit))
    before, after = exchange.cursors(page)
    edges = [
        DormantEdge(
            edge=found.kind.label,
            holder=found.holder.id,
            holder_kind=found.holder.kind.label,
            thing=found.thing.id,
            thing_kind=found.thing.kind.label,
            since=found.since,
            by=found.by,
        )
        for found in page.items
    ]
    return exchange.reply(DormantEdges(dormant_edges=edges, total=page.total, next=after, previous=before))


def end_dormant_edge(exchange: Here, holder_id: str, thing_id: str) -> Response:
    exchange.write(dormant.end, holder=holder_id, thing=thing_id)
    return exchange.reply()
