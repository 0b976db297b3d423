"""The change log over HTTP, and undoing what is in it."""

from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.exchange import Exchange, Here
from rescind.api.impacts import ImpactSaid, impact_said
from rescind.api.native.wire import Answered, Cursor, Limit
from rescind.engine.freshness import Moment
from rescind.usecases import history, undo
from rescind.usecases.history import ChangeView
from rescind.usecases.impacts import Impact


class Change(Answered):
    """One change: `closed` was so before it, `opened` is so after it; `cause` says what it was made for, if anything.

    `body` is the text whose SHA-256, after the previous digest, was hashed into `digest`. `impact` is what principals
    lost and gained by it, where it was asked for.
    """

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
    cause: dict[str, Any] | None
    impact: ImpactSaid | None
    body: str
    digest: str


class Changes(Answered):
    """Part of the log, oldest first. `next` and `previous` are cursors, empty at either end."""

    changes: list[Change]
    total: int
    next: str
    previous: str


_Groups = Annotated[str, Query(description="The `next_groups` of its impact: go on with the groups after it.")]
_HasImpact = Annotated[bool, Query(description="Also say what principals lost and gained by it.")]


def list_changes(exchange: Here, limit: Limit = 100, cursor: Cursor = "", impact: _HasImpact = False) -> Response:
    page = exchange.read(history.page, exchange.window(cursor, limit))
    before, after = exchange.cursors(page)
    changes = [
        _change(exchange, str(found.change.revision), impact=True) if impact else change_said(found)
        for found in page.items
    ]
    return exchange.reply(Changes(changes=changes, total=page.total, next=after, previous=before))


def get_change(exchange: Here, revision: str, impact: _HasImpact = True, groups: _Groups = "") -> Response:
    return exchange.reply(_change(exchange, revision, impact=impact, groups=groups))


def _change(exchange: Exchange, revision: str, *, impact: bool, groups: str = "") -> Change:
    found, effect = exchange.read_across(
        lambda view: history.around(view, revision=revision) if impact else [],
        history.get,
        revision=revision,
        groups_from=exchange.groups_from(groups),
    )
    return change_said(found, effect, exchange.groups_after(effect) if effect else "")


class Left(Answered):
    """A fact that is not so again, as the log says it, and the reason."""

    fact: dict[str, Any]
    why: str


class Undone(Answered):
    """How many facts are so again, and which are not."""

    granted: int
    left: list[Left]


def undo_change(exchange: Here, revision: str) -> Response:
    done = exchange.write(undo.undo, revision=revision)
    left = [Left(fact=dict(one.fact), why=one.why) for one in done.left]
    return exchange.reply(Undone(granted=done.granted, left=left))


def change_said(found: ChangeView, impact: Impact | None = None, next_groups: str = "") -> Change:
    """A change as it is said, with its impact where it was asked for, and a cursor to the rest of its groups."""
    moment = Moment(found.change.revision, found.change.time)
    said = ("operation", "actor", "credential", "request", "created", "opened", "closed", "profile", "credentials")
    return Change(
        revision=found.change.revision,
        time=found.change.time,
        body=found.change.body,
        digest=found.change.digest,
        cause=found.body.get("cause"),
        impact=impact_said(impact, found.body["operation"], moment, next_groups) if impact else None,
        **{member: found.body[member] for member in said},
    )
