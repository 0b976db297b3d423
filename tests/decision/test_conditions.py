"""Conditions mean what AWS documents, on data; and nothing that JSON can say breaks them."""

import json
import math
import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescind.decision.conditions import holds
from rescind.model.conditions import (
    KEY_ROOTS,
    LONGEST,
    OPERATORS,
    TESTS_PER_BLOCK,
    VALUES_PER_TEST,
    Condition,
    Effect,
    parse_condition,
)
from rescind.model.errors import Invalid

TABLE = json.loads((Path(__file__).parent / "cases" / "conditions.json").read_text(encoding="utf-8"))
VALUE = "context.value"


def named(section):
    return [pytest.param(case, id=case["name"]) for case in TABLE[section]]


def asks(operator, listed, value, effect=Effect.ALLOW):
    return holds(parse_condition({operator: {VALUE: listed}}), {"context": {"value": value}}, effect=effect)


@pytest.mark.parametrize("case", named("cases"))
def test_case(case):
    """Every case of the table holds, in an Allow and in a Deny, as the table says."""
    condition = parse_condition(case["condition"])
    assert holds(condition, case["attributes"], effect=Effect.ALLOW) is case["allow"]
    assert holds(condition, case["attributes"], effect=Effect.DENY) is case["deny"]


@pytest.mark.parametrize("case", named("refused"))
def test_refused(case):
    """Every refused block of the table is refused with the words of the table."""
    with pytest.raises(Invalid) as refusal:
        parse_condition(case["condition"])
    assert case["message_contains"] in refusal.value.message


def test_every_operator_has_cases():
    """The table asks about every operator, and no operator exists that it does not know."""
    asked = {operator for case in TABLE["cases"] for operator in case["condition"]}
    assert asked == set(OPERATORS)


# What JSON files should not hold.


@pytest.mark.parametrize(
    "number",
    [math.nan, math.inf, -math.inf, 10**LONGEST, -(10**5000), "9" * (LONGEST + 1)],
    ids=["nan", "infinity", "minus infinity", "long", "too long to print", "long string"],
)
@pytest.mark.parametrize("operator", ["NumericEquals", "NumericNotEquals", "DateLessThan"])
def test_absurd_numbers(operator, number):
    """What is no finite number of bounded length is refused in a document and fails closed in a request."""
    with pytest.raises(Invalid):
        parse_condition({operator: {VALUE: number}})
    assert not asks(operator, 1, number, Effect.ALLOW)
    assert asks(operator, 1, number, Effect.DENY)


def test_longest_integer():
    """An integer too long to be spelled out cannot be read as a string."""
    assert not asks("StringNotEquals", "x", 10**5000, Effect.ALLOW)
    assert asks("StringEquals", "x", 10**5000, Effect.DENY)


def test_bound_of_tests():
    """A block may have so many tests, over all its operators, and not one more."""
    half = TESTS_PER_BLOCK // 2
    block = {operator: {f"context.k{n}": "x" for n in range(half)} for operator in ("StringEquals", "StringLike")}
    assert len(parse_condition(block).tests) == TESTS_PER_BLOCK
    with pytest.raises(Invalid, match=f"more than {TESTS_PER_BLOCK} tests"):
        parse_condition(block | {"Bool": {"context.k": True}})


def test_bound_of_values():
    """A test may list so many values, and not one more."""
    assert asks("NumericEquals", list(range(VALUES_PER_TEST)), VALUES_PER_TEST - 1)
    with pytest.raises(Invalid, match=f"more than {VALUES_PER_TEST} values"):
        parse_condition({"NumericEquals": {VALUE: list(range(VALUES_PER_TEST + 1))}})


def test_bound_of_text():
    """Keys and values of a document have a longest length; strings of a request have none."""
    assert asks("StringEquals", "x" * LONGEST, "x" * LONGEST)
    assert asks("StringLike", "*x", "x" * (LONGEST + 1))
    for block in ({"StringEquals": {VALUE: "x" * (LONGEST + 1)}}, {"StringEquals": {"context." + "x" * LONGEST: "x"}}):
        with pytest.raises(Invalid, match="is longer than"):
            parse_condition(block)


@pytest.mark.parametrize("word", ["\ud800", "\x00\x1b[2J", "x" * 100_000])
def test_messages_can_be_shown(word):
    """A message repeats the user's words only as far as any terminal and encoding can take them."""
    for block in ({word: {VALUE: "x"}}, {"Bool": {f"context.{word}": 1}}, {"Bool": {VALUE: word}}, {"Bool": {word: 1}}):
        with pytest.raises(Invalid) as refusal:
            parse_condition(block)
        message = refusal.value.message
        assert message.isprintable()
        assert message.encode()
        assert len(message) < 300


def test_conditions_are_values():
    """The same block twice gives equal conditions with one hash; another block gives another condition."""
    for case in TABLE["cases"]:
        first, again = parse_condition(case["condition"]), parse_condition(case["condition"])
        assert first == again
        assert hash(first) == hash(again)
    assert parse_condition({"StringLike": {VALUE: "a*"}}) != parse_condition({"StringLike": {VALUE: "a?"}})
    assert parse_condition({"Bool": {VALUE: True}}) != parse_condition({"BoolIfExists": {VALUE: True}})


def test_patterns_do_not_backtrack():
    """The worst pattern passes over a long text once."""
    condition = parse_condition({"StringLike": {VALUE: "*" + "?a" * 200 + "*" + "a*" * 200 + "b"}})
    start = process_time()
    assert not holds(condition, {"context": {"value": "a" * 100_000}}, effect=Effect.ALLOW)
    assert process_time() - start < 2


# Properties.

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        [10**4000, "10", "1e999999", "true", "10.0.0.1", "::1/64", "2024-03-01T12:00Z", "1709294400", "a*"]
    ),
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
# Documents that are wrong in one place reach further into the grammar than documents that are wrong everywhere.
keys = st.sampled_from([VALUE, "context.a.b", "subject.x", "context", "context.", "a.b", "context.${x}"]) | st.text()
blocks = anything | st.dictionaries(
    st.sampled_from(sorted(OPERATORS)) | st.text(),
    anything | st.dictionaries(keys, anything | st.lists(scalars, max_size=4), max_size=3),
    max_size=3,
)

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-1000, 1000, places=2).map(str)
dates = st.datetimes().map(lambda date: date.isoformat() + "Z") | st.integers(-(10**10), 10**11)
texts = st.text(alphabet="abAB*?", max_size=6) | st.text(max_size=6).filter(lambda text: "${" not in text)
strings = texts | st.booleans() | st.integers()
addresses = st.ip_addresses().map(str)
# For every pair that negates: what may be listed, and what a request may ask.
NEGATIONS = {
    "StringEquals": ("StringNotEquals", strings, strings),
    "StringEqualsIgnoreCase": ("StringNotEqualsIgnoreCase", strings, strings),
    "StringLike": ("StringNotLike", strings, strings),
    "NumericEquals": ("NumericNotEquals", numbers, numbers),
    "DateEquals": ("DateNotEquals", dates, dates),
    "IpAddress": ("NotIpAddress", st.builds("{}/{}".format, addresses, st.integers(0, 32)), addresses),
}


def listed_values(values):
    return values | st.lists(values, min_size=1, max_size=4)


@st.composite
def conditions(draw):
    """A condition that may be stored, with a test of every family on any key."""
    families = [(name, listed) for name, (negated, listed, _) in NEGATIONS.items() for name in (name, negated)]
    families += [(f"{name}IfExists", listed) for name, listed in families]
    families += [(name, st.booleans()) for name in ("Bool", "BoolIfExists", "Null")]
    chosen = draw(st.lists(st.sampled_from(families), min_size=1, max_size=4, unique_by=lambda family: family[0]))
    paths = st.sampled_from(["context.value", "context.a.b", "subject.a"])
    return {name: {draw(paths): draw(listed_values(listed))} for name, listed in chosen}


attributes = st.dictionaries(
    st.sampled_from(KEY_ROOTS) | st.text(max_size=3),
    anything | st.dictionaries(st.sampled_from(["value", "a", "b"]), anything, max_size=3),
    max_size=4,
)


@given(blocks)
def test_parse_raises_only_invalid(block):
    """Any JSON is a condition or is `Invalid`; nothing else comes out."""
    try:
        condition = parse_condition(block)
    except Invalid as refusal:
        assert refusal.message.isprintable()  # noqa: PT017 - a refusal is one of the two right answers
        assert not refusal.message.endswith(".")  # noqa: PT017 - the same
    else:
        assert isinstance(condition, Condition)
        assert hash(condition) is not None


@given(conditions(), attributes)
def test_holds_never_raises(block, request_attributes):
    """Any stored condition answers for any JSON, and what an Allow grants a Deny of the same block takes."""
    condition = parse_condition(block)
    allow = holds(condition, request_attributes, effect=Effect.ALLOW)
    deny = holds(condition, request_attributes, effect=Effect.DENY)
    assert isinstance(allow, bool)
    assert deny or not allow


@given(st.data())
@pytest.mark.parametrize("positive", NEGATIONS)
def test_negation_is_the_complement(positive, data):
    """Where the key is present and can be read, the negated operator says the opposite, under either effect."""
    negated, values, asked = NEGATIONS[positive]
    listed, value = data.draw(listed_values(values)), data.draw(asked)
    answers = {asks(positive, listed, value, effect) for effect in Effect}
    opposite = {asks(negated, listed, value, effect) for effect in Effect}
    assert len(answers) == 1
    assert opposite == {not answer for answer in answers}


@given(st.data())
@pytest.mark.parametrize("positive", NEGATIONS)
def test_unreadable_values_fail_closed(positive, data):
    """An array or object fails every test of an Allow and satisfies every test of a Deny."""
    negated, values, _ = NEGATIONS[positive]
    listed = data.draw(listed_values(values))
    value = data.draw(st.lists(anything, max_size=3) | st.dictionaries(st.text(), anything, max_size=3))
    for operator in (positive, negated, f"{positive}IfExists", f"{negated}IfExists"):
        assert not asks(operator, listed, value, Effect.ALLOW)
        assert asks(operator, listed, value, Effect.DENY)


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab\n", max_size=8))
def test_patterns_mean_the_same_as_a_regular_expression(pattern, text):
    """A pattern matches exactly what the regular expression that spells it out matches."""
    spelled = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    assert asks("StringLike", pattern, text) is bool(re.fullmatch(spelled, text, re.DOTALL))


@given(numbers, numbers)
def test_orders_agree(listed, value):
    """Exactly one of less, equal and greater holds, and the inclusive operators are made of them."""
    less, equal, greater = (asks(f"Numeric{name}", listed, value) for name in ("LessThan", "Equals", "GreaterThan"))
    assert less + equal + greater == 1
    assert asks("NumericLessThanEquals", listed, value) is (less or equal)
    assert asks("NumericGreaterThanEquals", listed, value) is (greater or equal)
