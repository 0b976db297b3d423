"""What remains of a condition: what is said of it holds whatever else a request brings, as the specification has it."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spec
from rescind.decision.remains import Settled, remains
from rescind.model.conditions import Condition, Effect, parse_condition

Json = dict[str, Any]

KNOWN: Json = {
    "subject": {"type": "user", "id": "u1"},
    "resource": {"type": "thing", "id": "t1"},
    "action": {"name": "thing.Read"},
    "context": {},
}
"""What is said of every request: who, what, and of which type."""
NEVER_BROUGHT = {("subject", "type"), ("subject", "id"), ("resource", "type"), ("resource", "id"), ("action", "name")}
"""What the server sets, and no request."""
LISTED: dict[str, list[Any]] = {
    "StringEquals": ["v", "u1", "user"],
    "StringNotEquals": ["v", "thing"],
    "StringLikeIfExists": ["v*", "u*", "thing.*"],
    "NumericLessThan": [2],
    "NumericNotEqualsIfExists": [1],
    "Bool": ["true"],
    "IpAddress": ["192.0.2.0/24"],
    "Null": ["true", "false"],
}
KEYS = [
    "context.c",
    "context.p.q",
    "subject.p",
    "subject.type",
    "subject.id",
    "subject.name",
    "resource.p.q",
    "resource.id",
    "resource.name",
    "action.name",
    "action.id",
    "action.type",
]
VALUES = ("v", "vw", "u1", 1, 3, True, None, ["v"], {"q": "v"}, {"r": 1}, "192.0.2.1")

listings = st.sampled_from([(name, value) for name, values in LISTED.items() for value in values])
blocks = st.lists(st.tuples(listings, st.sampled_from(KEYS)), min_size=1, max_size=3)
brought = st.dictionaries(
    st.sampled_from([key for key in KEYS if tuple(key.split(".")) not in NEVER_BROUGHT]),
    st.sampled_from(VALUES),
    max_size=6,
)
effects = st.sampled_from(list(Effect))


def block_of(tests: list[tuple[tuple[str, Any], str]]) -> Json:
    block: Json = {}
    for (operator, value), key in tests:
        block.setdefault(operator, {})[key] = [value]
    return block


def bringing(attributes: Json, more: Json) -> Json:
    """A request that brings more: what is there stays, and what is not of the right form is left as it is."""
    result = {name: dict(part) for name, part in attributes.items()}
    for key, value in more.items():
        *above, last = key.split(".")
        at: Any = result
        for name in above:
            if at.get(name) is None:
                at[name] = {}
            # The parts are shared with other requests.
            at[name] = dict(at[name]) if isinstance(at[name], dict) else at[name]
            at = at[name]
            if not isinstance(at, dict):
                break
        else:
            if at.get(last) is None:
                at[last] = value
    return result


def holds(block: Json, attributes: Json, effect: Effect) -> bool:
    """As the specification has it."""
    return all(
        spec.holds(name, spec.find(attributes, key), spec.as_list(listed), str(effect))
        for name, tests in block.items()
        for key, listed in tests.items()
    )


def said_of(condition: Condition | None) -> Json:
    return {} if condition is None else condition.block


@settings(max_examples=300)
@given(blocks.map(block_of), brought, brought, effects)
def test_what_is_settled_stays_so_and_what_is_open_hangs_on_what_remains(
    block: Json, given_: Json, more: Json, effect: Effect
) -> None:
    """Of a request that brings whatever else: the condition is what was said of it, or what its rest is."""
    asked = bringing(KNOWN, given_)
    settled, left = remains(parse_condition(block), asked, effect)
    for whole in (asked, bringing(asked, more)):
        answer = holds(block, whole, effect)
        match settled:
            case Settled.HOLDS:
                assert left is None
                assert answer
            case Settled.FAILS:
                assert left is None
                assert not answer
            case Settled.OPEN:
                assert answer == holds(said_of(left), whole, effect)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key in ("context.c", "subject.p", "subject.name", "resource.p.q", "resource.name", "action.p", "action.id")
        for value in ("v", 1)
    ],
)
def test_what_a_request_may_bring_is_open_until_it_is_there(key: str, value: Any) -> None:
    """Only who and what it is, and the name of the action, are known beforehand: all else is the request's to say."""
    block = {"StringEquals": {key: [str(value)]}}
    for effect in Effect:
        settled, left = remains(parse_condition(block), KNOWN, effect)
        assert (settled, said_of(left)) == (Settled.OPEN, block)
        for said, expected in ((value, Settled.HOLDS), ("other", Settled.FAILS)):
            assert remains(parse_condition(block), bringing(KNOWN, {key: said}), effect) == (expected, None)


SETTLED: dict[str, tuple[Json, Settled]] = {
    "the type of the subject": ({"StringEquals": {"subject.type": ["user"]}}, Settled.HOLDS),
    "another type": ({"StringEquals": {"subject.type": ["client"]}}, Settled.FAILS),
    "the id of the resource": ({"StringLike": {"resource.id": ["t*"]}}, Settled.HOLDS),
    "the name of the action": ({"StringNotEquals": {"action.name": ["thing.Read"]}}, Settled.FAILS),
    "what fails, beside what is open": (
        {"StringEquals": {"context.c": ["v"], "subject.type": ["client"]}},
        Settled.FAILS,
    ),
    "the type of a context": ({"StringEquals": {"context.type": ["v"]}}, Settled.OPEN),
    "the user behind a session": ({"StringEquals": {"subject.user.team": ["v"]}}, Settled.OPEN),
    "what is absent": ({"Null": {"context.c": ["true"]}}, Settled.OPEN),
}


@pytest.mark.parametrize(("case", "effect"), [*itertools.product(SETTLED, Effect)])
def test_case(case: str, effect: Effect) -> None:
    block, expected = SETTLED[case]
    assert remains(parse_condition(block), KNOWN, effect)[0] is expected


def test_only_what_is_open_remains() -> None:
    block = {"StringEquals": {"context.a": ["x"], "subject.type": ["user"], "context.b": ["y"]}}
    asked = bringing(KNOWN, {"context.a": "x"})
    settled, left = remains(parse_condition(block), asked, Effect.ALLOW)
    assert (settled, said_of(left)) == (Settled.OPEN, {"StringEquals": {"context.b": ["y"]}})


@pytest.mark.parametrize(
    ("effect", "expected"), [(Effect.ALLOW, Settled.FAILS), (Effect.DENY, Settled.HOLDS)], ids=["allow", "deny"]
)
def test_what_cannot_be_read_never_allows_and_always_denies(effect: Effect, expected: Settled) -> None:
    asked = bringing(KNOWN, {"context.c": ["not", "a", "text"]})
    assert remains(parse_condition({"StringEquals": {"context.c": "v"}}), asked, effect) == (expected, None)


def test_no_condition_holds() -> None:
    assert remains(None, KNOWN, Effect.ALLOW) == (Settled.HOLDS, None)
