"""Whether a condition holds for the attributes of a request."""

from collections.abc import Mapping
from typing import Any

from rescind.model.conditions import NULL, Condition, ConditionTest, Effect, Operator


def holds(condition: Condition, attributes: Mapping[str, Any], *, effect: Effect) -> bool:
    """Whether every test of `condition` holds for `attributes`, any nested JSON; never raises.

    The key `context.a.b` is `attributes["context"]["a"]["b"]`. Where a value of the request has the wrong shape the
    answer is what grants less, hence `effect`: the test fails in an Allow and holds in a Deny.
    """
    for test in condition.tests:  # noqa: SIM110 - decisions wait for this, and a generator takes twice as long
        if not _test_holds(test, attributes, effect):
            return False
    return True


def _test_holds(test: ConditionTest, attributes: Mapping[str, Any], effect: Effect) -> bool:
    operator = test.operator
    given = _value_at(test.path, attributes)
    if operator == NULL:
        return (given is None) in test.values
    if given is None:
        return operator.negated or operator.if_exists
    asked = operator.read_asked(given)
    if asked is None:
        return effect is Effect.DENY
    return operator.negated != _matches_any(operator, asked, test.values)


def _matches_any(operator: Operator, asked: Any, values: tuple[Any, ...]) -> bool:
    for listed in values:  # noqa: SIM110 - as above
        if operator.matches(asked, listed):
            return True
    return False


def _value_at(path: tuple[str, ...], attributes: Mapping[str, Any]) -> Any:
    """The value at `path`, or None where there is none: JSON's null is absent too."""
    value: Any = attributes
    for part in path:
        # What is asked was read from JSON: nearly always it is a dictionary, and is known to be one at once.
        if not isinstance(value, dict) and not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
