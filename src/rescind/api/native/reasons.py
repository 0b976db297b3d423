"""Why a decision falls, what somebody has, and who could do something, over `/v1`."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from rescind.api.exchange import Here
from rescind.api.impacts import ImpactRow, PathStep, paths_said, rows_said
from rescind.api.native.wire import Answered, Cursor, Limit
from rescind.decision.cover import TooMuchWork
from rescind.engine.decisions import Question
from rescind.model.errors import Invalid
from rescind.usecases import history, reasons
from rescind.usecases.impacts import said_of
from rescind.usecases.reasons import AccessView, Because, Candidate, Difference
from rescind.usecases.unit import View


class _Entity(BaseModel):
    """As AuthZEN 1.0 has it: unknown members are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: str
    id: str
    properties: dict[str, Any] = Field(default_factory=dict)


class _Kind(BaseModel):
    """What is looked for: an `id` is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: str = "user"


class _Action(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    name: str
    properties: dict[str, Any] = Field(default_factory=dict)


class Asked(BaseModel):
    """An AuthZEN evaluation request. `context.organization` names another scope for those who may ask there."""

    model_config = ConfigDict(strict=True, extra="ignore")

    subject: _Entity
    action: _Action
    resource: _Entity
    context: dict[str, Any] = Field(default_factory=dict)


class AskedWho(BaseModel):
    """The same without a subject, but for its type."""

    model_config = ConfigDict(strict=True, extra="ignore")

    subject: _Kind = Field(default_factory=_Kind)
    action: _Action
    resource: _Entity
    context: dict[str, Any] = Field(default_factory=dict)


class Policy(Answered):
    """A policy, permission or client grant."""

    type: str
    id: str
    name: str


class StatementHeld(Answered):
    """One statement (`index` from 0 in its policy) and every path to it, nearest edge first."""

    policy: Policy
    index: int
    statement: dict[str, Any]
    paths: list[list[PathStep]]


class Explanation(Answered):
    """`ends_with` is, for an allow, a smallest set of edges whose removal would end it."""

    decision: bool
    reason: str
    statements: list[StatementHeld]
    ends_with: list[PathStep]
    revision: int
    instant: int


class Who(Answered):
    """A principal."""

    type: str
    id: str


class Compared(Answered):
    """What somebody lost and gained: the first rows of each, and how many more there are."""

    lost: list[ImpactRow]
    more_lost: int
    gained: list[ImpactRow]
    more_gained: int


class Access(Answered):
    """Everything that reaches a principal. `state` is null where statements decide.

    `compared` says what was lost and gained since the moment that `since` names.
    """

    principal: Who
    state: str | None
    permissions: list[StatementHeld]
    revision: int
    instant: int
    compared: Compared | None


class Could(Answered):
    """`when` is `always`, or `only_if`: one of `conditions` holds (if there are any), and none of `unless` does."""

    type: str
    id: str
    when: str
    conditions: list[dict[str, Any]]
    unless: list[dict[str, Any]]
    statements: list[StatementHeld]


class WhoCan(Answered):
    """`next` is a cursor, empty at the end."""

    results: list[Could]
    next: str


At = Annotated[str, Query(description="The number of a revision, a date, or microseconds since 1970.")]


def explain(exchange: Here, body: Asked) -> Response:
    question = Question(
        0,
        body.subject.type,
        body.subject.id,
        body.action.name,
        body.resource.type,
        body.resource.id,
        body.subject.properties,
        body.action.properties,
        body.resource.properties,
        body.context,
    )
    found = exchange.read(reasons.explain, question)
    return exchange.reply(explanation_said(found))


def get_access(exchange: Here, principal_id: str, at: At = "", since: At = "", type: str = "user") -> Response:  # noqa: A002 - the name on the wire
    def when(view: View) -> list[Any]:
        return [history.moment_at(view, text) for text in (at, since) if text]

    try:
        found, compared = exchange.read_across(
            when, reasons.access_then, principal=principal_id, type_=type, is_past=bool(at), is_compared=bool(since)
        )
    except TooMuchWork:
        raise Invalid("there are too many patterns to tell the two apart") from None
    return exchange.reply(access_said(found, compared))


def who_can(exchange: Here, body: AskedWho, limit: Limit = 100, cursor: Cursor = "") -> Response:
    question = Question(
        0,
        body.subject.type,
        "",
        body.action.name,
        body.resource.type,
        body.resource.id,
        acting=body.action.properties,
        resource=body.resource.properties,
        context=body.context,
    )
    list_name = body.model_dump_json()
    window = exchange.window(cursor, limit, list_name)
    found, after = exchange.read(reasons.who_can, question, window)
    return exchange.reply(WhoCan(results=[could_said(one) for one in found], next=exchange.onward(after, list_name)))


def explanation_said(found: reasons.Explanation) -> Explanation:
    """An explanation as it is said."""
    return Explanation(
        decision=found.allowed,
        reason=found.reason,
        statements=[_because(one) for one in found.because],
        ends_with=paths_said([found.ends_with])[0],
        revision=found.revision,
        instant=found.instant,
    )


def access_said(found: AccessView, compared: Difference | None) -> Access:
    """What somebody has as it is said."""
    return Access(
        principal=Who(type=found.principal.kind.label, id=found.principal.id),
        state=found.state,
        permissions=[_because(one) for one in found.permissions],
        revision=found.revision,
        instant=found.instant,
        compared=_compared(compared) if compared else None,
    )


def _compared(found: Difference) -> Compared:
    return Compared(
        lost=rows_said(found.lost),
        more_lost=found.more_lost,
        gained=rows_said(found.gained),
        more_gained=found.more_gained,
    )


def _because(found: Because) -> StatementHeld:
    return StatementHeld(
        policy=Policy(type=found.policy.kind.label, id=found.policy.id, name=found.name),
        index=found.index,
        statement=said_of(found.statement),
        paths=paths_said(found.paths),
    )


def could_said(found: Candidate) -> Could:
    """Somebody who may as it is said."""
    return Could(
        type=found.type,
        id=found.name,
        when=found.when,
        conditions=[condition.block for condition in found.conditions],
        unless=[condition.block for condition in found.unless],
        statements=[_because(one) for one in found.because],
    )
