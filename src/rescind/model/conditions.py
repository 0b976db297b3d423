"""Conditions: the grammar of a statement's `Condition` block, `{"<operator>": {"<key>": value | [values]}}`.

Shape and meaning are those of AWS IAM. A block is read once, at write: everything that a decision compares with
(numbers, instants, networks, patterns) stands prepared in the frozen `Condition`.

One reader per kind serves both sides, the values of a document and those of a request, so that a value means the
same wherever it stands. A reader answers None where the value cannot be converted.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from operator import eq, ge, gt, le, lt
from typing import Any

from rescind.model.addresses import Address, Network, read_address, read_network
from rescind.model.dates import read_date, write_date
from rescind.model.errors import Invalid

TESTS_PER_BLOCK = 100
VALUES_PER_TEST = 1000
LONGEST = 1000
"""Characters in one key or value of a block, and digits in any number."""

KEY_ROOTS = ("subject", "resource", "action", "context")


class Effect(StrEnum):
    """What a statement does where it applies."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of `StringLike`: `*` is any run of characters, also none; `?` is exactly one; there is no escape.

    The stars are taken out, so that bit i can say: the first i of the remaining characters are matched. All ways to
    match are followed at once, hence one pass over the text and no backtracking, whatever the pattern.
    """

    text: str
    complete: int = field(compare=False)
    """The bit that says: everything is matched."""
    stays: int = field(compare=False)
    """The bits that any character leaves where they are: those before a star."""
    any_moves: int = field(compare=False)
    """The bits that any character moves on: those before a `?`."""
    moves: Mapping[str, int] = field(compare=False)
    """For the characters of the pattern, the bits that this character moves on."""

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is of this form."""
        open_end = self.stays & self.complete
        state = 1
        for character in text:
            if not state or state & open_end:
                break
            state = (state & self.stays) | (state & self.moves.get(character, self.any_moves)) << 1
        return bool(state & self.complete)


@dataclass(frozen=True, slots=True)
class Operator:
    """What one operator means: how it reads both sides, and when a value of the request matches a listed one."""

    name: str
    needs: str = field(compare=False)
    """What its values must be, in words."""
    read_listed: Callable[[object], Any] = field(compare=False)
    read_asked: Callable[[object], Any] = field(compare=False)
    matches: Callable[[Any, Any], bool] = field(compare=False)
    """Of the value asked about and one listed value, in this order."""
    negated: bool = field(default=False, compare=False)
    if_exists: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ConditionTest:
    """One operator on one key. `path` is the key split at its dots; `values` are prepared, at least one."""

    operator: Operator
    path: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A block that may be stored: at least one test, and all of them must hold."""

    tests: tuple[ConditionTest, ...]

    @property
    def block(self) -> dict[str, dict[str, list[Any]]]:
        """The block that says the same, each value in one spelling."""
        said: dict[str, dict[str, list[Any]]] = {}
        for test in self.tests:
            values = [_spelled(test.operator, value) for value in test.values]
            said.setdefault(test.operator.name, {})[".".join(test.path)] = values
        return said


def parse_condition(block: object) -> Condition:
    """The condition that decoded JSON says, or `Invalid`."""
    if not isinstance(block, dict) or not block:
        raise Invalid("`Condition` must be an object that names at least one operator")
    tests: list[ConditionTest] = []
    for name, keys in block.items():
        operator = OPERATORS.get(name)
        if operator is None:
            raise Invalid(f"unknown condition operator {_quoted(name)}")
        if not isinstance(keys, dict) or not keys:
            raise Invalid(f"condition operator {_quoted(name)} must be an object that names at least one key")
        if len(tests) + len(keys) > TESTS_PER_BLOCK:
            raise Invalid(f"`Condition` has more than {TESTS_PER_BLOCK} tests")
        tests.extend(ConditionTest(operator, _path(key), _values(operator, key, given)) for key, given in keys.items())
    return Condition(tuple(tests))


def _path(key: str) -> tuple[str, ...]:
    _check_text(key)
    root, *rest = key.split(".")
    if root not in KEY_ROOTS or not rest:
        roots = ", ".join(f"`{root}.`" for root in KEY_ROOTS)
        raise Invalid(f"condition key {_quoted(key)} must start with one of {roots}")
    if not all(rest):
        raise Invalid(f"condition key {_quoted(key)} has an empty part")
    return (root, *rest)


def _values(operator: Operator, key: str, given: object) -> tuple[Any, ...]:
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise Invalid(f"condition operator {_quoted(operator.name)} lists no value for {_quoted(key)}")
    if len(listed) > VALUES_PER_TEST:
        raise Invalid(
            f"condition operator {_quoted(operator.name)} lists more than {VALUES_PER_TEST} values for {_quoted(key)}"
        )
    return tuple(_value(operator, key, value) for value in listed)


def _value(operator: Operator, key: str, value: object) -> Any:
    said = "the value"
    if isinstance(value, str):
        _check_text(value)
        said = _quoted(value)
    prepared = operator.read_listed(value)
    if prepared is None:
        raise Invalid(f"{said} for {_quoted(key)} is not {operator.needs}, as {_quoted(operator.name)} requires")
    return prepared


def _check_text(text: str) -> None:
    if len(text) > LONGEST:
        raise Invalid(f"{_quoted(text)} in `Condition` is longer than {LONGEST} characters")
    # To us it would be literal text, to everyone who knows AWS a variable: neither reading is safe.
    if "${" in text:
        raise Invalid(f"{_quoted(text)} in `Condition` has `${{`, but variables are not supported")


def _spelled(operator: Operator, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if operator.read_listed is _instant:
        return write_date(value)
    return value.text if isinstance(value, Pattern) else str(value)


def _quoted(text: str) -> str:
    """The user's own words, fit for a message: short, and without what no encoding or terminal can take."""
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shown)
    return f"`{shown}`"


# Readers. A bool is an int in Python, so it is asked for before a number wherever both may come.

# Six digits of exponent: more than any quantity needs, and within the limits of every build of `decimal`.
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
_EPOCH_SECONDS = re.compile(r"\d{9,12}", re.ASCII)

_INTEGER_END = 10**LONGEST  # beyond it Python's own conversion to digits is slow, or refused
_FIRST_SECOND = Decimal(-62_135_596_800)  # 0001-01-01
_END_OF_SECONDS = Decimal(253_402_300_800)  # after 9999-12-31


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and -_INTEGER_END < value < _INTEGER_END:
        return value
    return None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    number = _integer(value)
    return None if number is None else str(number)


def _folded(value: object) -> str | None:
    text = _text(value)
    return None if text is None else text.casefold()


def _pattern(value: object) -> Pattern | None:
    text = _text(value)
    if text is None:
        return None
    bit, stays, any_moves = 1, 0, 0
    moves: dict[str, int] = {}
    for character in text:
        if character == "*":
            stays |= bit
            continue
        if character == "?":
            any_moves |= bit
        else:
            moves[character] = moves.get(character, 0) | bit
        bit <<= 1
    return Pattern(text, bit, stays, any_moves, {character: bits | any_moves for character, bits in moves.items()})


def _number(value: object) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if len(value) <= LONGEST and _DECIMAL.fullmatch(value) else None
    if isinstance(value, float):
        # The shortest digits that mean this float: what the person wrote, so that 0.1 equals "0.1".
        return Decimal(repr(value)) if isfinite(value) else None
    number = _integer(value)
    return None if number is None else Decimal(number)


def _instant(value: object) -> int | None:
    """Microseconds since 1970. A date without a zone is UTC; a number counts seconds since 1970.

    A string of digits counts seconds only from nine digits on: `2024` and `20240101` would be read as dates.
    """
    if isinstance(value, str) and not _EPOCH_SECONDS.fullmatch(value):
        return read_date(value)
    seconds = _number(value)
    if seconds is None or not _FIRST_SECOND <= seconds < _END_OF_SECONDS:
        return None
    return int(seconds * 1_000_000)


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _is_like(text: str, pattern: Pattern) -> bool:
    return pattern.matches(text)


def _is_within(address: Address, network: Network) -> bool:
    return address in network


_STRING = ("a string, an integer or a boolean", _text, _text)
_CASELESS = ("a string, an integer or a boolean", _folded, _folded)
_WILDCARD = ("a string, an integer or a boolean", _pattern, _text)
_NUMERIC = (f"a number of at most {LONGEST} digits", _number, _number)
_DATE = ("an ISO 8601 date or seconds since 1970", _instant, _instant)
_BOOL = ("`true` or `false`", _boolean, _boolean)
_IP = ("an IP address or a CIDR block", read_network, read_address)

NULL = Operator("Null", *_BOOL, eq)
"""Asks whether the key is absent: what is compared is the absence, not the value."""

_COMPARISONS = (
    Operator("StringEquals", *_STRING, eq),
    Operator("StringNotEquals", *_STRING, eq, negated=True),
    Operator("StringEqualsIgnoreCase", *_CASELESS, eq),
    Operator("StringNotEqualsIgnoreCase", *_CASELESS, eq, negated=True),
    Operator("StringLike", *_WILDCARD, _is_like),
    Operator("StringNotLike", *_WILDCARD, _is_like, negated=True),
    Operator("NumericEquals", *_NUMERIC, eq),
    Operator("NumericNotEquals", *_NUMERIC, eq, negated=True),
    Operator("NumericLessThan", *_NUMERIC, lt),
    Operator("NumericLessThanEquals", *_NUMERIC, le),
    Operator("NumericGreaterThan", *_NUMERIC, gt),
    Operator("NumericGreaterThanEquals", *_NUMERIC, ge),
    Operator("DateEquals", *_DATE, eq),
    Operator("DateNotEquals", *_DATE, eq, negated=True),
    Operator("DateLessThan", *_DATE, lt),
    Operator("DateLessThanEquals", *_DATE, le),
    Operator("DateGreaterThan", *_DATE, gt),
    Operator("DateGreaterThanEquals", *_DATE, ge),
    Operator("Bool", *_BOOL, eq),
    Operator("IpAddress", *_IP, _is_within),
    Operator("NotIpAddress", *_IP, _is_within, negated=True),
)

OPERATORS: Mapping[str, Operator] = {
    operator.name: operator
    for comparison in _COMPARISONS
    for operator in (comparison, replace(comparison, name=f"{comparison.name}IfExists", if_exists=True))
} | {NULL.name: NULL}
"""Every operator by its name; names are case-sensitive."""
