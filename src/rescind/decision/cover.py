"""Cover: whether what somebody holds includes what somebody would be given."""

from collections.abc import Callable, Iterable, Sequence

from rescind.decision.match import contains, contains_resource, overlaps, overlaps_resource
from rescind.model.conditions import Effect
from rescind.model.documents import Statement

WORK_MAX = 3_000_000
"""Characters compared, at most: under a second."""


class TooMuchWork(Exception):  # noqa: N818 - nobody's error: the question is too large
    """Whether it is covered cannot be found out in a reasonable time."""


def uncovered(granted: Iterable[Statement], held: Iterable[Statement]) -> Statement | None:
    """The first statement of `granted` that does not lie within `held`, or None if all do.

    A statement lies within if each pair of its action and resource patterns, read without its condition, is
    contained in a pair of one unconditional Allow of `held`, and no Deny of `held`, conditional or not, has a
    request in common with it. A pair that only several Allows together would cover counts as not covered.
    Raises `TooMuchWork` if that takes comparing more than `WORK_MAX` characters: the caller must refuse then.
    """
    held = list(held)
    allows = [statement for statement in held if statement.effect is Effect.ALLOW and statement.condition is None]
    denies = [statement for statement in held if statement.effect is Effect.DENY]
    cover = _Cover()
    for statement in granted:
        if not cover.within(statement, allows) or any(cover.in_common(deny, statement) for deny in denies):
            return statement
    return None


class _Cover:
    """The comparisons, with their cost counted before each."""

    def __init__(self) -> None:
        self._work = 0

    def within(self, statement: Statement, allows: Sequence[Statement]) -> bool:
        # By sets of allows, not by pairs of patterns: a document can hold millions of pairs.
        for_action = {
            self._containing(action, [allow.actions for allow in allows], contains) for action in statement.actions
        }
        for_resource = {
            self._containing(resource, [allow.resources for allow in allows], contains_resource)
            for resource in statement.resources
        }
        return all(one & other for one in for_action for other in for_resource)

    def in_common(self, one: Statement, other: Statement) -> bool:
        return self._any_overlap(one.actions, other.actions, overlaps) and self._any_overlap(
            one.resources, other.resources, overlaps_resource
        )

    def _containing(
        self, pattern: str, candidates: Sequence[tuple[str, ...]], relation: Callable[[str, str], bool]
    ) -> frozenset[int]:
        """The indexes of those tuples of patterns of which one contains `pattern`."""
        found = set()
        for index, patterns in enumerate(candidates):
            for wide in patterns:
                self._spend(8 + len(pattern) // 8)
                if relation(wide, pattern):
                    found.add(index)
                    break
        return frozenset(found)

    def _any_overlap(self, ones: Sequence[str], others: Sequence[str], relation: Callable[[str, str], bool]) -> bool:
        for one in ones:
            for other in others:
                # Two patterns with stars are compared character by character, anything else at once.
                self._spend(len(one) * len(other) if "*" in one and "*" in other else 8 + len(one) // 8)
                if relation(one, other):
                    return True
        return False

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > WORK_MAX:
            raise TooMuchWork
