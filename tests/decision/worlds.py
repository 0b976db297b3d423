"""Worlds for the decision: rows as the specification reads them, and the same as a snapshot."""

from collections.abc import Collection, Iterable
from typing import Any

from rescind.decision.decide import AccessRequest, Decision, decide
from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.model.facts import Fact, FactKind

Row = dict[str, Any]

_KINDS = {kind.label: kind for kind in FactKind}


def fact_of(row: Row) -> Fact:
    """A row's fact; ids are keys, and None is the platform."""
    return Fact(
        _KINDS[row["kind"]], row["holder"], row["thing"] or 0, row["scope"] or 0, row["value"], row["expires_at"]
    )


def snapshot_of(rows: Iterable[Row], user: int, organization: int | None, revision: int, instant: int) -> Snapshot:
    """What the store would load for a user, or on the platform a client, in a scope, from rows."""
    live = [
        row
        for row in rows
        if row["revision_from"] <= revision and (row["revision_to"] is None or row["revision_to"] > revision)
    ]

    def fetch(keys: Collection[int]) -> list[Fact]:
        return [fact_of(row) for row in live if row["holder"] in keys]

    memberships = [
        row["holder"]
        for row in live
        if row["kind"] == "existence"
        and row["thing"] == user
        and row["scope"] == organization
        and (row["expires_at"] is None or row["expires_at"] > instant)
    ]
    principal = Principal(user, organization or 0, memberships[0] if memberships and organization else 0)
    seeds = {principal.user, principal.organization, principal.membership} - {0}
    if not principal.organization:
        seeds |= {row["holder"] for row in live if row["kind"] == "existence" and row["thing"] == user}
    return Snapshot(principal, revision, instant, gather(seeds, fetch))


def request_of(asked: Row) -> AccessRequest:
    """The specification's request as the decision takes it."""
    resource = asked["resource"]
    return AccessRequest(
        asked["action"],
        resource["type"],
        resource["id"],
        {
            "subject": {**asked["subject"], "id": asked["user"], "type": "user"},
            "resource": resource,
            "action": {**asked["action_properties"], "name": asked["action"]},
            "context": asked["context"],
        },
    )


def decide_rows(rows: Iterable[Row], asked: Row, revision: int, instant: int) -> Decision:
    """The decision on rows."""
    return decide(request_of(asked), snapshot_of(rows, asked["user"], asked["organization"], revision, instant))


def said(decision: Decision) -> tuple[bool, str, frozenset[Any]]:
    """A decision in the specification's form."""
    because = frozenset(
        (ground.policy, ground.statement, tuple(place(fact) for fact in ground.path)) for ground in decision.because
    )
    return decision.allowed, str(decision.reason), because


def place(fact: Fact) -> tuple[Any, ...]:
    """A fact's place in the specification's form."""
    return fact.kind.label, fact.holder, fact.thing or None, fact.scope or None
