"""What remains of a condition: the tests that the known part of a request does not settle."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from rescind.decision.conditions import holds
from rescind.model.conditions import Condition, ConditionTest, Effect

_SETTLED = {"subject": ("type", "id"), "resource": ("type", "id"), "action": ("name",)}
"""What is known whatever else a request brings."""


class Settled(Enum):
    """What the known part says."""

    HOLDS = auto()
    FAILS = auto()
    OPEN = auto()


def remains(
    condition: Condition | None, attributes: Mapping[str, Any], effect: Effect
) -> tuple[Settled, Condition | None]:
    """Whether a condition holds whatever else a request brings, and if that is open, the tests on which it hangs.

    A key that is not there is one that a request may bring.
    """
    return _remains(condition, attributes, effect, lambda test: _is_open(test, attributes))


def remains_where(
    condition: Condition | None, part: str, known: Mapping[str, Any], effect: Effect
) -> tuple[Settled, Condition | None]:
    """The same where all is known of one part of a request (`subject`, `resource`), and nothing of the others."""
    return _remains(condition, {part: known}, effect, lambda test: test.path[0] != part)


def _remains(
    condition: Condition | None,
    attributes: Mapping[str, Any],
    effect: Effect,
    is_open: Callable[[ConditionTest], bool],
) -> tuple[Settled, Condition | None]:
    left: list[ConditionTest] = []
    for test in condition.tests if condition else ():
        if is_open(test):
            left.append(test)
        elif not holds(Condition((test,)), attributes, effect=effect):
            return Settled.FAILS, None
    return (Settled.OPEN, Condition(tuple(left))) if left else (Settled.HOLDS, None)


def _is_open(test: ConditionTest, attributes: Mapping[str, Any]) -> bool:
    if test.path[1] in _SETTLED.get(test.path[0], ()):
        return False
    value: Any = attributes
    for part in test.path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value is None
