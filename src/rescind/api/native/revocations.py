"""Previews of any write, and revocations by the batch, over `/v1`."""

from typing import Any

from fastapi import Response
from pydantic import Field

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Asked
from rescind.usecases import revocations as cases
from rescind.usecases import verbs
from rescind.usecases.verbs import Item

ITEMS_MAX = 1000


class Operation(Asked):
    """A use case by its name in the log (`roles.detach_users`), with its arguments."""

    operation: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Revocations(Asked):
    """All of them are applied in one revision, or none."""

    revocations: list[Operation] = Field(min_length=1, max_length=ITEMS_MAX)


class Revoked(Answered):
    """`revision` is the one from which all of it holds; `changed` whether there was anything to take."""

    revision: int
    changed: bool


def preview(exchange: Here, body: Operation) -> Response:
    item = Item(body.operation, body.arguments)
    is_private = exchange.settings.private_addresses
    return exchange.preview(body.operation, verbs.run, exchange.verbs, [item], may_be_private=is_private)


def apply_revocations(exchange: Here, body: Revocations) -> Response:
    items = [Item(one.operation, one.arguments) for one in body.revocations]
    exchange.write(cases.apply, exchange.verbs, items)
    assert exchange.written is not None
    return exchange.reply(
        Revoked(revision=exchange.written.moment.revision, changed=exchange.written.change is not None)
    )
