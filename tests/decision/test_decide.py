"""The decision, held against cases and against the executable specification."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spec
from decision.worlds import Row, decide_rows, place, said, snapshot_of
from rescind.decision.cover import uncovered
from rescind.decision.effective import effective_permissions
from rescind.model.conditions import Effect
from rescind.model.documents import Statement, statements_of

CASES = json.loads((Path(__file__).parent / "cases" / "decisions.json").read_text())

NAMES = ["acme", "other", "ann", "membership", "group", "assignable", "assumable"]
DOCUMENTS = {
    "reader": {"Effect": "Allow", "Action": "disk.Read", "Resource": "*"},
    "one disk": {"Effect": "Allow", "Action": "disk.*", "Resource": "disk:d1"},
    "everything": {"Effect": "Allow", "Action": "*", "Resource": "*"},
    "no disks": {"Effect": "Deny", "Action": "disk.*", "Resource": "disk:*"},
    "permission": {"Effect": "Allow", "Action": "user.acl.DNS", "Resource": "*"},
    "from home": {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"IpAddress": {"context.source_ip": "192.0.2.0/24"}},
    },
    "not from home": {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"IpAddress": {"context.source_ip": "198.51.100.0/24"}},
    },
}
KEYS = {name: key for key, name in enumerate([*NAMES, *DOCUMENTS], 1)}


def row(kind: str, holder: str, thing: str | None = None, scope: str | None = None, more: Row | None = None) -> Row:
    return {
        "kind": kind,
        "holder": KEYS[holder],
        "thing": KEYS[thing] if thing else None,
        "scope": KEYS[scope] if scope else None,
        "value": None,
        "expires_at": None,
        "revision_from": 1,
        "revision_to": None,
        **(more or {}),
    }


def rows_of(case: dict[str, Any]) -> list[Row]:
    """The world of a case: everything exists but what it is without, and the facts that it lists."""
    rows = [row("existence", name) for name in [*NAMES, *DOCUMENTS] if name != "membership"]
    rows.append(row("existence", "membership", "ann", "acme"))
    rows = [found for found in rows if found["holder"] not in {KEYS[name] for name in case.get("without", ())}]
    for role in ("assignable", "assumable"):
        rows.append(row("role_definition", role, more={"value": json.dumps({"role_type": role})}))
    for name, statement in DOCUMENTS.items():
        rows.append(row("document", name, more={"value": json.dumps({"Statement": [statement]})}))
    for kind, holder, *rest in case["facts"]:
        more = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        rows.append(row(kind, holder, *rest, more=more))
    return rows


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """The decision and the specification both give the answer and the reasons that a person wrote down."""
    action, resource = case["ask"]
    kind, _, identifier = resource.partition(":")
    asked = {
        "user": KEYS["ann"],
        "organization": None if case.get("platform") else KEYS["acme"],
        "action": action,
        "resource": {"type": kind, "id": identifier},
        "subject": {},
        "context": case.get("context", {}),
        "action_properties": {},
    }
    world = rows_of(case), asked, case.get("revision", 5), case.get("instant", 500)
    allowed, reason, *because = case["expect"]

    decision = decide_rows(*world)

    assert (decision.allowed, decision.reason) == (allowed, reason)
    found = [
        (ground.policy, ground.statement, *(fact.kind.label for fact in ground.path)) for ground in decision.because
    ]
    assert sorted(found) == sorted((KEYS[policy], index, *kinds) for policy, index, *kinds in because)
    assert (decision.revision, decision.instant) == world[2:]
    assert said(decision) == tuple(spec.decide(*world))


# --- random worlds --------------------------------------------------------------------------------------------------

USERS, ORGANIZATIONS, MEMBERSHIPS, GROUPS, ROLES, POLICIES = (
    (1, 2),
    (11, 12),
    ((21, 1, 11), (22, 2, 11), (23, 1, 12)),
    (31, 32),
    (41, 42),
    (51, 52, 53),
)
ACTIONS = ("a", "ab", "b.c")
RESOURCES = (("s", ""), ("s", "x"), ("t", "x"), ("t", "xy"))
CONDITION_VALUES = ("v", "1", 1, 1.5, True, None, ["v"], {"a": 1}, "192.0.2.1", "2026-01-01T00:00:00Z")

LISTED = {
    "StringEquals": ["v", "1"],
    "StringNotEquals": "v",
    "StringLike": "v*",
    "NumericLessThan": 2,
    "NumericNotEquals": [1],
    "BoolIfExists": "true",
    "IpAddress": "192.0.2.0/24",
    "NotIpAddressIfExists": "192.0.2.1",
    "DateLessThan": "2026-06-01T00:00:00Z",
}
revisions = st.sampled_from([0, *range(1, 8), *range(1, 8)])
attribute_keys = st.sampled_from(["context.c", "resource.p.q", "subject.p", "action.p"])
conditions = st.dictionaries(
    st.sampled_from(sorted(LISTED)), st.lists(attribute_keys, min_size=1, max_size=2), min_size=1, max_size=2
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        "Action": draw(st.lists(st.sampled_from(["*", "*", "a", "a*", "b.*", "*c"]), min_size=1, max_size=2)),
        "Resource": draw(st.sampled_from(["*", "*", "*", "s:*", "t:x*", "x", ["s:x", "t:xy"]])),
    }
    if draw(st.integers(0, 3)) == 0:
        statement["Condition"] = {
            operator: dict.fromkeys(keys, LISTED[operator]) for operator, keys in draw(conditions).items()
        }
    return statement


LASTING = ("existence", "role_definition", "document")
OTHER_SPANS = ["never", "until", "since", "twice"]
# Worlds in which nothing exists say little.
spans_of_things = st.sampled_from(["always"] * 40 + OTHER_SPANS)
spans_of_edges = st.sampled_from(["always"] * 4 + OTHER_SPANS)


@st.composite
def intervals(draw: st.DrawFn, place: tuple[Any, ...], value: st.SearchStrategy[str] | None = None) -> list[Row]:
    """The history of one place: at most two intervals that do not overlap, revisions 1 to 6."""
    kind, holder, thing, scope = place
    first, last, again = sorted(draw(st.lists(st.integers(1, 6), min_size=3, max_size=3)))
    spans = {
        "always": [(1, None)],
        "never": [],
        "until": [(1, last)] if last > 1 else [],
        "since": [(first, None)],
        "twice": [(first, last), (again, None)] if first < last else [(again, None)],
    }[draw(spans_of_things if kind in LASTING else spans_of_edges)]
    expiries = st.sampled_from([None] * (30 if kind in LASTING else 3) + [50, 100])
    return [
        {
            "kind": kind,
            "holder": holder,
            "thing": thing,
            "scope": scope,
            "value": None if value is None else draw(value),
            "expires_at": draw(expiries),
            "revision_from": since,
            "revision_to": until,
        }
        for since, until in spans
    ]


scopes = st.sampled_from([11, 11, 11, *ORGANIZATIONS, None])
holders = st.sampled_from([21, 21, 31, 31, *USERS, *(membership for membership, _, _ in MEMBERSHIPS), *GROUPS])
edge_places = st.one_of(
    st.tuples(st.just("group_membership"), st.sampled_from([21, 21, 22, 23]), st.sampled_from(GROUPS), st.just(11)),
    st.tuples(st.just("role_attachment"), holders, st.sampled_from(ROLES), scopes),
    st.tuples(st.just("policy_attachment"), holders, st.sampled_from(POLICIES), scopes),
    st.tuples(st.just("permission_grant"), holders, st.sampled_from(POLICIES), scopes),
    st.tuples(st.just("policy_attachment"), st.sampled_from(ROLES), st.sampled_from(POLICIES), scopes),
)
state_places = st.sampled_from(
    [
        *(("suspension", membership, None, organization) for membership, _, organization in MEMBERSHIPS),
        *(("root", membership, organization, organization) for membership, _, organization in MEMBERSHIPS),
        *(("block", user, None, None) for user in USERS),
    ]
)
role_definitions = st.sampled_from(['{"role_type":"assignable"}', '{"role_type":"assumable"}'])
documents = st.lists(statements(), min_size=1, max_size=2).map(lambda found: json.dumps({"Statement": found}))


SKELETON = (
    ("group_membership", 21, 31, 11),
    ("role_attachment", 21, 41, 11),
    ("policy_attachment", 41, 51, 11),
    ("policy_attachment", 31, 52, 11),
    ("policy_attachment", 21, 53, 11),
)
"""Edges that stand in every world: most of what is drawn freely leads nowhere."""


@st.composite
def worlds(draw: st.DrawFn) -> list[Row]:
    """Users, memberships, groups, roles and policies, each with a history, and some edges and states."""
    places: list[Any] = [("existence", key, None, None) for key in (*USERS, *ORGANIZATIONS, *GROUPS, *ROLES, *POLICIES)]
    places += [("existence", *membership) for membership in MEMBERSHIPS]
    places += sorted({*SKELETON, *draw(st.sets(edge_places, max_size=8))}, key=str)
    places += sorted(draw(st.sets(state_places, max_size=1)), key=str)
    rows = [row_ for place_ in places for row_ in draw(intervals(place_))]
    for role in ROLES:
        rows += draw(intervals(("role_definition", role, None, None), role_definitions))
    for policy in POLICIES:
        rows += draw(intervals(("document", policy, None, None), documents))
    return rows


values = st.sampled_from(CONDITION_VALUES)
requests = st.fixed_dictionaries(
    {
        "user": st.sampled_from([1] * 12 + [2, 2, 2, 9]),
        "organization": st.sampled_from([11] * 8 + [12, None]),
        "action": st.sampled_from(ACTIONS),
        "resource": st.builds(
            lambda resource, value: {"type": resource[0], "id": resource[1], "p": {"q": value}},
            st.sampled_from(RESOURCES),
            values,
        ),
        "subject": st.fixed_dictionaries({"p": values}),
        "context": st.dictionaries(st.just("c"), values),
        "action_properties": st.dictionaries(st.just("p"), values),
    }
)


@settings(max_examples=400)
@given(worlds(), st.lists(requests, min_size=1, max_size=4), revisions, st.sampled_from([10, 50, 99, 100]))
def test_the_decision_is_the_specification(rows: list[Row], asked: list[Row], revision: int, instant: int) -> None:
    """In every world, at every revision and instant, effect, reason, statements and paths are the specification's."""
    for request in asked:
        assert said(decide_rows(rows, request, revision, instant)) == tuple(
            spec.decide(rows, request, revision, instant)
        )


@settings(max_examples=200)
@given(worlds(), st.sampled_from([*USERS, 9]), st.sampled_from([11, 12, None]), st.integers(1, 6), st.just(60))
def test_effective_permissions_are_what_reaches(
    rows: list[Row], user: int, organization: int | None, revision: int, instant: int
) -> None:
    """Effective permissions are the statements of the policies that the specification says reach, path by path."""
    snapshot = snapshot_of(rows, user, organization, revision, instant)
    facts = spec.facts_at(rows, revision, instant)

    found = {
        (held.policy, held.index, tuple(place(fact) for fact in path))
        for held in effective_permissions(snapshot)
        for path in held.paths
    }

    assert found == {
        (policy, index, path)
        for policy, path in spec.reaching(rows, user, organization, revision, instant)
        for index in range(len(spec.statements_of(facts, policy)))
    }


@settings(max_examples=200)
@given(worlds(), requests, st.integers(1, 6), st.sampled_from(["Allow", "Deny"]), st.data())
def test_adding_an_allow_takes_nothing_and_adding_a_deny_gives_nothing(
    rows: list[Row], asked: Row, revision: int, effect: str, data: st.DataObject
) -> None:
    """A policy more on a member moves decisions one way only."""
    statement = {**data.draw(statements()), "Effect": effect}
    added = [
        {"kind": "existence", "holder": 99, "thing": None, "scope": None, "value": None},
        {"kind": "document", "holder": 99, "thing": None, "scope": None, "value": json.dumps({"Statement": statement})},
        {"kind": "policy_attachment", "holder": 21, "thing": 99, "scope": 11, "value": None},
    ]
    more = rows + [{**row_, "expires_at": None, "revision_from": 1, "revision_to": None} for row_ in added]
    more[-2]["value"] = json.dumps({"Statement": [statement]})

    before = decide_rows(rows, asked, revision, 60).allowed
    after = decide_rows(more, asked, revision, 60).allowed

    assert after >= before if effect == "Allow" else after <= before


@settings(max_examples=200)
@given(worlds(), requests, st.integers(1, 6), st.randoms())
def test_order_does_not_matter(rows: list[Row], asked: Row, revision: int, random: Any) -> None:
    """The same facts in another order give the same decision with the same reasons in the same order."""
    shuffled = list(rows)
    random.shuffle(shuffled)

    assert decide_rows(shuffled, asked, revision, 60) == decide_rows(rows, asked, revision, 60)


@settings(max_examples=300)
@given(st.lists(statements(), max_size=3), statements(), requests)
def test_what_is_covered_is_allowed_to_the_holder(held: list[Any], given_: Any, asked: Row) -> None:
    """Whatever a statement that is found covered would allow, its giver may do himself."""
    holder = statements_of(json.dumps({"Statement": held})) if held else ()
    (statement,) = statements_of(json.dumps({"Statement": [given_]}))
    if uncovered([statement], holder) is not None:
        return

    def decided(found: list[Any]) -> bool:
        rows = [
            {"kind": "existence", "holder": 1, "thing": None, "scope": None, "value": None},
            {"kind": "existence", "holder": 51, "thing": None, "scope": None, "value": None},
            {"kind": "document", "holder": 51, "thing": None, "scope": None, "value": json.dumps({"Statement": found})},
            {"kind": "policy_attachment", "holder": 1, "thing": 51, "scope": None, "value": None},
        ]
        rows = [{**row_, "expires_at": None, "revision_from": 1, "revision_to": None} for row_ in rows]
        return decide_rows(rows, {**asked, "user": 1, "organization": None}, 1, 60).allowed

    assert decided(held) or not decided([{**given_, "Effect": "Allow"}])


ALL = Statement(Effect.ALLOW, ("*",), ("*",))


@pytest.mark.parametrize(
    ("held", "granted", "covered"),
    [
        ([ALL], Statement(Effect.ALLOW, ("a", "b.*"), ("x", "disk:*")), True),
        ([], Statement(Effect.ALLOW, ("a",), ("*",)), False),
        ([Statement(Effect.ALLOW, ("a.*",), ("*",))], Statement(Effect.ALLOW, ("a.b*",), ("disk:1",)), True),
        ([Statement(Effect.ALLOW, ("a.*",), ("*",))], Statement(Effect.ALLOW, ("a*",), ("*",)), False),
        ([Statement(Effect.ALLOW, ("a",), ("disk:*",))], Statement(Effect.ALLOW, ("a",), ("*",)), False),
        # The actions from one statement and the resources from another are not a pair of either.
        (
            [Statement(Effect.ALLOW, ("a",), ("disk:1",)), Statement(Effect.ALLOW, ("b",), ("disk:2",))],
            Statement(Effect.ALLOW, ("a",), ("disk:2",)),
            False,
        ),
        ([ALL, Statement(Effect.DENY, ("a.b",), ("*",))], Statement(Effect.ALLOW, ("a.*",), ("*",)), False),
        ([ALL, Statement(Effect.DENY, ("a.b",), ("disk:1",))], Statement(Effect.ALLOW, ("a.*",), ("disk:2",)), True),
    ],
)
def test_cover(held: list[Statement], granted: Statement, covered: bool) -> None:
    """Only what lies in one unconditional Allow, untouched by any Deny, may be given."""
    assert (uncovered([granted], held) is None) is covered
