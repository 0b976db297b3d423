"""Cover: whether what somebody holds includes what somebody would be given."""

from collections.abc import Callable, Iterable, Sequence

from rescind.decision.match import contains, contains_resource, overlaps, overlaps_resource
from rescind.model.conditions import Effect
from rescind.model.documents import Statement

Relation = Callable[[str, str], bool]


def uncovered(granted: Iterable[Statement], held: Iterable[Statement]) -> Statement | None:
    """The first statement of `granted` that does not lie within `held`, or None if all do.

    A statement lies within if each pair of its action and resource patterns, read without its condition, is
    contained in a pair of one unconditional Allow of `held`, and no Deny of `held`, conditional or not, has a
    request in common with it. A pair that only several Allows together would cover counts as not covered.
    """
    held = list(held)
    allows = [statement for statement in held if statement.effect is Effect.ALLOW and statement.condition is None]
    denies = [statement for statement in held if statement.effect is Effect.DENY]
    for statement in granted:
        if not _within(statement, allows) or any(_have_in_common(deny, statement) for deny in denies):
            return statement
    return None


def _within(statement: Statement, allows: Sequence[Statement]) -> bool:
    # By sets of allows, not by pairs of patterns: a document can hold millions of pairs.
    for_action = {_covering(action, [allow.actions for allow in allows], contains) for action in statement.actions}
    for_resource = {
        _covering(resource, [allow.resources for allow in allows], contains_resource)
        for resource in statement.resources
    }
    return all(one & other for one in for_action for other in for_resource)


def _covering(pattern: str, candidates: Sequence[tuple[str, ...]], relation: Relation) -> frozenset[int]:
    """The indexes of those tuples of patterns of which one contains `pattern`."""
    return frozenset(
        index for index, patterns in enumerate(candidates) if any(relation(wide, pattern) for wide in patterns)
    )


def _have_in_common(one: Statement, other: Statement) -> bool:
    return any(overlaps(a, b) for a in one.actions for b in other.actions) and any(
        overlaps_resource(a, b) for a in one.resources for b in other.resources
    )
