"""An impact as JSON, the same on every face."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rescind.decision.impact import Known
from rescind.engine.freshness import Moment
from rescind.usecases.impacts import Group, Impact, Loses, said_of
from rescind.usecases.paths import Step
from rescind.usecases.service import operation_of


def impact_said(impact: Impact, operation: Callable[..., Any] | str, moment: Moment) -> str:
    """The text of an impact."""
    return json.dumps(impact_members(impact, operation, moment), ensure_ascii=False, separators=(",", ":"))


def impact_members(impact: Impact, operation: Callable[..., Any] | str, moment: Moment) -> dict[str, Any]:
    """An impact as members; times are microseconds since 1970."""
    return {
        "operation": operation if isinstance(operation, str) else operation_of(operation),
        "revision": moment.revision,
        "instant": moment.instant,
        "digest": impact.digest,
        "holds_until": impact.holds_until,
        "opened": impact.opened,
        "closed": impact.closed,
        "principals": {
            "looked_at": impact.touched,
            "changed": sum(group.count for group in impact.groups) + impact.hidden,
            "hidden": impact.hidden,
        },
        "groups": [_group(group) for group in impact.groups],
        "more_groups": impact.more_groups,
        "sessions_ended": impact.sessions_ended,
        "tokens": [{"api": api, "good_elsewhere_until": until} for api, until in impact.tokens],
    }


def paths_said(paths: Sequence[Sequence[Step]]) -> list[list[dict[str, Any]]]:
    """Paths as members."""
    return [[asdict(step) for step in path] for path in paths]


def _group(group: Group) -> dict[str, Any]:
    return {
        "count": group.count,
        "principals": group.principals,
        "type": group.type,
        "organization": group.scope,
        "state": {"before": group.before, "after": group.after},
        "lost": rows_said(group.lost),
        "gained": rows_said(group.gained),
        "known": {"lost": _known(*group.known_lost), "gained": _known(*group.known_gained)},
    }


def rows_said(rows: Sequence[Loses] | None) -> list[dict[str, Any]] | None:
    """Rows of what is lost or gained as members; null where there is too much to be told apart."""
    if rows is None:
        return None
    return [
        {
            "action": found.row.action,
            "resource": found.row.resource,
            "condition": found.row.condition.block if found.row.condition else None,
            "verdict": found.row.verdict,
            "paths": paths_said(found.paths),
            "still": [{"statement": said_of(kept.statement), "paths": paths_said(kept.paths)} for kept in found.still],
        }
        for found in rows
    ]


def _known(known: Sequence[Known], total: int) -> dict[str, Any]:
    listed = [
        {"action": one.action, "resource": {"type": one.resource_type, "id": one.resource_id}, "verdict": one.verdict}
        for one in known
    ]
    return {"total": total, "requests": listed}
