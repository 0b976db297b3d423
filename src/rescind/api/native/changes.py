"""The change log over HTTP."""

from typing import Any

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Cursor, Limit
from rescind.usecases import history
from rescind.usecases.history import ChangeView


class Change(Answered):
    """One change. `body` is the text whose SHA-256, after the previous digest, was hashed into `digest`."""

    revision: int
    time: int
    operation: str
    actor: str
    credential: str | None
    request: str
    created: list[dict[str, Any]]
    opened: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    profile: list[dict[str, Any]]
    credentials: list[dict[str, Any]]
    body: str
    digest: str


class Changes(Answered):
    """Part of the log, oldest first. `next` and `previous` are cursors, empty at either end."""

    changes: list[Change]
    total: int
    next: str
    previous: str


def list_changes(exchange: Here, limit: Limit = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(history.page, exchange.window(cursor, limit))
    before, after = exchange.cursors(page)
    changes = [_change(found) for found in page.items]
    return exchange.reply(Changes(changes=changes, total=page.total, next=after, previous=before))


def get_change(exchange: Here, revision: str) -> Response:
    return exchange.reply(_change(exchange.read(history.get, revision)))


def _change(found: ChangeView) -> Change:
    said = ("operation", "actor", "credential", "request", "created", "opened", "closed", "profile", "credentials")
    return Change(
        revision=found.change.revision,
        time=found.change.time,
        body=found.change.body,
        digest=found.change.digest,
        **{member: found.body[member] for member in said},
    )
