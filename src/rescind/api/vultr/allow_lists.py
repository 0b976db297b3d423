"""Address allow-lists of users: calls 24 to 27."""

from typing import Annotated

from fastapi import Query, Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import whole
from rescind.usecases import allow_lists

Subnet = Annotated[str, Query(description="An IP address.")]
SubnetSize = Annotated[int, Query(description="The length of the prefix.")]


def list_allow_list(exchange: Here, user_id: str) -> Response:
    items = [say.allow_list_entry(found) for found in exchange.read(allow_lists.entries, user=user_id)]
    return exchange.reply(wire.AllowList(ip_whitelist=items, meta=whole(len(items))))


def get_allow_list_entry(exchange: Here, user_id: str, subnet: Subnet, subnet_size: SubnetSize) -> Response:
    found = exchange.read(allow_lists.entry, user=user_id, subnet=subnet, size=subnet_size)
    return exchange.reply(wire.AllowListEntryWrapped(ip_whitelist_entry=say.allow_list_entry(found)))


def add_allow_list_entry(exchange: Here, user_id: str, body: wire.AllowListEntryNew) -> Response:
    may_be_private = exchange.settings.private_addresses
    exchange.write(
        allow_lists.add, user=user_id, subnet=body.subnet, size=body.subnet_size, may_be_private=may_be_private
    )
    return exchange.reply()


def remove_allow_list_entry(exchange: Here, user_id: str, body: wire.AllowListEntryNew) -> Response:
    exchange.write(allow_lists.remove, user=user_id, subnet=body.subnet, size=body.subnet_size)
    return exchange.reply()
