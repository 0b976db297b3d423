"""The change log over HTTP."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from rescind.api.exchange import Here
from rescind.usecases import history
from rescind.usecases.history import ChangeView


class Change(BaseModel):
    """One change. `body` is the text whose SHA-256, after the previous digest, was hashed into `digest`."""

    model_config = ConfigDict(extra="forbid")

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


class Changes(BaseModel):
    """Part of the log, oldest first. `next` and `previous` are cursors, empty at either end."""

    model_config = ConfigDict(extra="forbid")

    changes: list[Change]
    total: int
    next: str
    previous: str


Limit = Annotated[int, Query(ge=1, description="At most 500; a larger number means 500.")]
Cursor = Annotated[str, Query(description="Where to go on: `next` or `previous` of the last part.")]


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
