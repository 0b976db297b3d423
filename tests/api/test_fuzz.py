"""Whatever is sent, what reads it says what is wrong and nothing else: policies, conditions, cursors, questions."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rescind.api.authzen import wire
from rescind.api.cursors import Cursors
from rescind.decision.conditions import holds
from rescind.model.conditions import OPERATORS, Effect, parse_condition
from rescind.model.documents import statements_of, store_form
from rescind.model.errors import Invalid
from rescind.store.contract import Window

texts = st.text(max_size=12) | st.sampled_from(["*", "type:*", "a:b:c", "\x01", "${x}", "::1/0", "9" * 40, "1e999999"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
operators = st.sampled_from([*OPERATORS, "Unknown", ""])
keys = st.sampled_from(["subject.a", "resource.a.b", "context.x", "action.name", "other.a", "subject", "", "."]) | texts
conditions = st.dictionaries(operators, st.dictionaries(keys, values, max_size=3) | values, max_size=3)
statements = st.fixed_dictionaries(
    {},
    optional={
        "Sid": values,
        "Effect": st.sampled_from(["Allow", "Deny", "allow"]) | values,
        "Action": texts | st.lists(texts, max_size=3) | values,
        "Resource": texts | st.lists(texts, max_size=3) | values,
        "Condition": conditions | values,
        "NotAction": values,
    },
)
documents = st.fixed_dictionaries(
    {}, optional={"Version": values, "Statement": statements | st.lists(statements, max_size=3) | values, "Id": values}
)


@settings(max_examples=400)
@given(documents | values)
def test_a_document_is_stored_as_one_that_can_be_read_or_refused(document: object) -> None:
    try:
        stored = store_form(document)
    except Invalid:
        return
    assert statements_of(stored)
    assert store_form(json.loads(stored)) == stored


@settings(max_examples=400)
@given(conditions, values, st.sampled_from(Effect))
def test_a_condition_that_can_be_stored_can_be_asked_about_anything(block: object, asked: Any, effect: Effect) -> None:
    """And the block that it says itself is one that means the same."""
    try:
        condition = parse_condition(block)
    except Invalid:
        return
    attributes = asked if isinstance(asked, dict) else {"subject": asked, "context": {"x": asked}, "resource": asked}
    verdict = holds(condition, attributes, effect=effect)
    assert isinstance(verdict, bool)
    again = parse_condition(condition.block)
    assert again == condition
    assert holds(again, attributes, effect=effect) == verdict


@settings(max_examples=300)
@given(st.text(max_size=60), st.integers(-5, 10**9), st.integers(0, 2**62))
def test_a_cursor_that_was_not_given_is_refused(text: str, limit: int, place: int) -> None:
    cursors = Cursors("key")
    given_out = cursors.after(place, "list")
    assert cursors.window(given_out, 10, "list") == Window(10, after=place)
    for cursor, name in ((text, "list"), (given_out, "another list"), (given_out[:-2] + "AA", "list")):
        if cursor in ("", given_out) and name == "list":
            continue
        with pytest.raises(Invalid):
            cursors.window(cursor, limit, name)


members = st.sampled_from(
    ["subject", "action", "resource", "context", "evaluations", "options", "page", "type", "id", "name", "properties"]
)
bodies = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=6), max_leaves=25
)


@settings(max_examples=400)
@given(st.binary(max_size=40) | bodies.map(lambda value: json.dumps(value).encode()))
def test_a_question_is_read_or_refused(body: bytes) -> None:
    for read in (wire.evaluation, wire.evaluations):
        with suppress(Invalid):
            read(body)
