"""An impact on the wire, the same on every face. Times are microseconds since 1970, UTC."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from rescind.decision.impact import Known
from rescind.engine.freshness import Moment
from rescind.model.literals import spoken
from rescind.usecases.impacts import Group, Impact, Loses, said_of
from rescind.usecases.paths import Step


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PathStep(_Said):
    """One edge on the way: what it is, whose, and the thing that it leads to."""

    edge: str
    holder: str
    kind: str
    id: str
    name: str
    expires_at: int | None


class Covering(_Said):
    """A statement that covers something as well, and the ways by which it is had."""

    statement: dict[str, Any]
    paths: list[list[PathStep]]


class ImpactRow(_Said):
    """One pair of patterns: how much of what it allows is lost (or gained), and what allows the rest of it."""

    action: str
    resource: str
    condition: dict[str, Any] | None
    verdict: str
    paths: list[list[PathStep]]
    still: list[Covering]


class KnownResource(_Said):
    """A resource that is registered, or that a policy names."""

    type: str
    id: str


class KnownRequest(_Said):
    """A known action on a known resource: lost (or gained) `entirely`, or `only_if` conditions are so."""

    action: str
    resource: KnownResource
    verdict: str


class KnownRequests(_Said):
    """How many there are, and the first of them."""

    total: int
    requests: list[KnownRequest]


class KnownBoth(_Said):
    lost: KnownRequests
    gained: KnownRequests


class State(_Said):
    """Why nothing else counts (`suspended`, `root`, …); null where statements decide."""

    before: str | None
    after: str | None


class ImpactGroup(_Said):
    """Principals that lose and gain the same; `principals` are the first of them.

    `lost` and `gained` are the first rows of each, of which there are so many `more`; null where there are too many
    patterns to be told apart.
    """

    count: int
    principals: list[str]
    type: str
    organization: str | None
    state: State
    lost: list[ImpactRow] | None
    more_lost: int
    gained: list[ImpactRow] | None
    more_gained: int
    known: KnownBoth


class Counts(_Said):
    """How many principals were looked at, once in each of their scopes; how many lose or gain; how many are hidden.

    Of those who are hidden, or come later, it is not looked whether what they have afterwards allows the same.
    """

    looked_at: int
    changed: int
    hidden: int


class Token(_Said):
    """Tokens for an API that lost scopes, verified elsewhere, may be good until then."""

    api: str
    good_elsewhere_until: int


class ImpactSaid(_Said):
    """What a write would do. `digest` may stand in `If-Match` of the write; `holds_until` is when time changes it.

    There are so many `more` groups and sessions; the groups that come next are shown for the cursor `next_groups`.
    """

    operation: str
    revision: int
    instant: int
    digest: str
    holds_until: int | None
    opened: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    principals: Counts
    groups: list[ImpactGroup]
    more_groups: int
    next_groups: str
    sessions_ended: list[str]
    more_sessions_ended: int
    tokens: list[Token]


def impact_said(impact: Impact, operation: str, moment: Moment, next_groups: str = "") -> ImpactSaid:
    """An impact of an operation, by its name in the log, as it is said; with a cursor to the rest of its groups."""
    return ImpactSaid(
        operation=operation,
        revision=moment.revision,
        instant=moment.instant,
        digest=impact.digest,
        holds_until=impact.holds_until,
        opened=impact.opened,
        closed=impact.closed,
        principals=Counts(
            looked_at=impact.touched,
            changed=impact.changed,
            hidden=impact.hidden,
        ),
        groups=[_group(group) for group in impact.groups],
        more_groups=impact.more_groups,
        next_groups=next_groups,
        sessions_ended=impact.sessions_ended,
        more_sessions_ended=impact.more_sessions_ended,
        tokens=[Token(api=api, good_elsewhere_until=until) for api, until in impact.tokens],
    )


def paths_said(paths: Sequence[Sequence[Step]]) -> list[list[PathStep]]:
    """Paths as they are said."""
    return [[PathStep(**asdict(step)) for step in path] for path in paths]


def rows_said(rows: Sequence[Loses]) -> list[ImpactRow]:
    """Rows of what is lost or gained as they are said."""
    return [
        ImpactRow(
            action=spoken(found.row.action),
            resource=spoken(found.row.resource),
            condition=found.row.condition.block if found.row.condition else None,
            verdict=found.row.verdict,
            paths=paths_said(found.paths),
            still=[Covering(statement=said_of(kept.statement), paths=paths_said(kept.paths)) for kept in found.still],
        )
        for found in rows
    ]


def _group(group: Group) -> ImpactGroup:
    return ImpactGroup(
        count=group.count,
        principals=group.principals,
        type=group.type,
        organization=group.scope,
        state=State(before=group.before, after=group.after),
        lost=None if group.lost is None else rows_said(group.lost),
        more_lost=group.more_lost,
        gained=None if group.gained is None else rows_said(group.gained),
        more_gained=group.more_gained,
        known=KnownBoth(lost=_known(*group.known_lost), gained=_known(*group.known_gained)),
    )


def _known(known: Sequence[Known], total: int) -> KnownRequests:
    return KnownRequests(
        total=total,
        requests=[
            KnownRequest(
                action=one.action,
                resource=KnownResource(type=one.resource_type, id=one.resource_id),
                verdict=one.verdict,
            )
            for one in known
        ],
    )
