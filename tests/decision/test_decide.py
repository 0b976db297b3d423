"""The decision, held against cases and against the executable specification."""

import json
from itertools import product
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

FILES = [Path(__file__).parent / "cases" / name for name in ("decisions.json", "apis.json")]
CASES = [case for file in FILES for case in json.loads(file.read_text())]

SYSTEM = "urn:rescind:management"
NAMES = ["acme", "other", "ann", "group", "assignable", "assumable", "client", "client grant"]
APIS = ["api", "star api", "system api"]
MEMBERS = {"membership": ("ann", "acme"), "other membership": ("ann", "other")}
SCOPES = {
    "scope read": ("api", ["read", "https://x"]),
    "scope read:*": ("api", ["read:*", "https://x"]),
    "scope of star": ("star api", ["read", "https://*"]),
    "scope manage": ("system api", ["manage", SYSTEM]),
}
TERMS = {"order": [], "organization_usage": None, "any_organization": None, "says_all_scopes": False}
"""What is stored of a client grant besides what decides."""
DOCUMENTS = {
    "reader": {"Effect": "Allow", "Action": "disk.Read", "Resource": "*"},
    "one disk": {"Effect": "Allow", "Action": "disk.*", "Resource": "disk:d1"},
    "everything": {"Effect": "Allow", "Action": "*", "Resource": "*"},
    "no disks": {"Effect": "Deny", "Action": "disk.*", "Resource": "disk:*"},
    "all apis": {"Effect": "Allow", "Action": "*", "Resource": ["resource_server:*", "resource_server:https://x"]},
    "no apis": {"Effect": "Deny", "Action": "*", "Resource": "resource_server:*"},
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
THINGS = [*NAMES, *APIS, *SCOPES, *DOCUMENTS]
KEYS = {name: key for key, name in enumerate([*THINGS, *MEMBERS], 1)}


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
    rows = [row("existence", name) for name in THINGS]
    rows += [row("existence", name, *of) for name, of in MEMBERS.items()]
    rows = [found for found in rows if found["holder"] not in {KEYS[name] for name in case.get("without", ())}]
    for role in ("assignable", "assumable"):
        rows.append(row("role_definition", role, more={"value": json.dumps({"role_type": role})}))
    for name, statement in DOCUMENTS.items():
        rows.append(row("document", name, more={"value": json.dumps({"Statement": [statement]})}))
    for name, (api, value) in SCOPES.items():
        rows.append(row("api_scope", name, api, more={"value": json.dumps(value)}))
    for kind, holder, *rest in case["facts"]:
        more = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        if kind == "grant_definition":
            more = {**more, "value": json.dumps({**more["value"], **TERMS})}
        rows.append(row(kind, holder, *rest, more=more))
    return rows


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """The decision and the specification both give the answer and the reasons that a person wrote down."""
    action, resource = case["ask"]
    kind, _, identifier = resource.partition(":")
    asked = {
        "user": KEYS[case.get("user", "ann")],
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

USERS, ORGANIZATIONS, MEMBERSHIPS, GROUPS, ROLES, POLICIES, CLIENTS, GRANTS = (
    (1, 2),
    (11, 12),
    ((21, 1, 11), (22, 2, 11), (23, 1, 12), (24, 2, 12)),
    (31, 32),
    (41, 42),
    (51, 52, 53),
    (81, 82),
    ((91, 71), (92, 72), (93, 73)),
)
"""Memberships with their user and organization, grants to clients with their API; all else by its key."""
IDENTIFIERS = {71: "urn:x", 72: "urn:*", 73: SYSTEM}
PERMISSIONS = {
    61: (71, "read"),
    62: (71, "read:*"),
    63: (72, "read"),
    64: (72, "read:*"),
    65: (73, "read"),
    66: (73, "read:*"),
}
ACTIONS = ("a", "ab", "b.c")
API_ACTIONS = ("read", "read", "read", "read:*", "read:*", "read:*", "read:a", "a")
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


OF_API = ["resource_server:urn:x", f"resource_server:{SYSTEM}"]


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        "Action": draw(st.lists(st.sampled_from(["*", "*", "a", "a*", "b.*", "*c", "read*"]), min_size=1, max_size=2)),
        "Resource": draw(
            st.sampled_from(["*", "*", "*", "s:*", "t:x*", "x", ["s:x", "t:xy"], "resource_server:*", OF_API])
        ),
    }
    if draw(st.integers(0, 3)) == 0:
        statement["Condition"] = {
            operator: dict.fromkeys(keys, LISTED[operator]) for operator, keys in draw(conditions).items()
        }
    return statement


LASTING = ("existence", "role_definition", "document", "api_scope", "grant_definition")
OTHER_SPANS = ["never", "until", "since", "twice"]
# Worlds in which nothing exists say little.
spans_of_things = st.sampled_from(["always"] * 40 + OTHER_SPANS)
spans_of_edges = st.sampled_from(["always"] * 4 + OTHER_SPANS)
spans_of_skeletons = st.sampled_from(["always"] * 12 + OTHER_SPANS)


three_revisions = st.sampled_from(sorted(tuple(sorted(three)) for three in product(range(1, 7), repeat=3)))
expiries_of_things = st.sampled_from([None] * 30 + [50, 100])
expiries_of_edges = st.sampled_from([None] * 3 + [50, 100])


def history(
    draw: st.DrawFn,
    place: tuple[Any, ...],
    value: st.SearchStrategy[str] | None = None,
    spans_of: st.SearchStrategy[str] = spans_of_edges,
) -> list[Row]:
    """The history of one place: at most two intervals that do not overlap, revisions 1 to 6.

    A world has dozens of places, and each draw costs more than what is done with it.
    """
    kind, holder, thing, scope = place
    lasts = kind in LASTING
    expiries = expiries_of_things if lasts else expiries_of_edges
    spans: list[tuple[int, int | None]] = [(1, None)]
    if (span := draw(spans_of_things if lasts else spans_of)) != "always":
        first, last, again = draw(three_revisions)
        spans = {
            "never": [],
            "until": [(1, last)] if last > 1 else [],
            "since": [(first, None)],
            "twice": [(first, last), (again, None)] if first < last else [(again, None)],
        }[span]
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
scopes_on_apis = st.sampled_from([*ORGANIZATIONS, None, None])
holders = st.sampled_from([21, 21, 31, 31, *USERS, *(membership for membership, _, _ in MEMBERSHIPS), *GROUPS])
group_places = st.builds(
    lambda membership, group: ("group_membership", membership[0], group, membership[2]),
    st.sampled_from([MEMBERSHIPS[0], *MEMBERSHIPS]),
    st.sampled_from(GROUPS),
)
permissions = st.sampled_from([*PERMISSIONS])
edge_places = st.one_of(
    group_places,
    st.tuples(st.just("role_attachment"), holders, st.sampled_from(ROLES), scopes),
    st.tuples(st.just("policy_attachment"), holders, st.sampled_from(POLICIES), scopes),
    st.tuples(st.just("permission_grant"), holders, st.sampled_from(POLICIES), scopes),
    st.tuples(st.just("policy_attachment"), st.sampled_from(ROLES), st.sampled_from(POLICIES), scopes),
)
api_edge_places = st.one_of(
    group_places,
    st.tuples(st.just("role_attachment"), holders, st.sampled_from(ROLES), scopes_on_apis),
    st.tuples(st.just("permission_grant"), holders, permissions, scopes_on_apis),
    st.tuples(st.just("permission_grant"), st.sampled_from(ROLES), permissions, scopes),
    st.tuples(st.just("permission_grant"), st.sampled_from([grant for grant, _ in GRANTS]), permissions, st.none()),
    st.tuples(st.just("policy_attachment"), st.sampled_from([*USERS, *GROUPS]), st.sampled_from(POLICIES), st.none()),
    st.sampled_from([("client_grant", client, grant, None) for client in CLIENTS for grant, _ in GRANTS]),
)
state_places = st.sampled_from(
    [
        *(("pending", *membership) for membership in MEMBERSHIPS),
        *(("suspension", membership, None, organization) for membership, _, organization in MEMBERSHIPS),
        *(("root", membership, organization, organization) for membership, _, organization in MEMBERSHIPS),
        *(("block", user, None, None) for user in USERS),
    ]
)
role_definitions = st.sampled_from(['{"role_type":"assignable"}', '{"role_type":"assumable"}'])
# The one that allows everything and forbids APIs is drawn by name: it is what a person would write.
NO_APIS = [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Effect": "Deny", "Action": ["read", "a*"], "Resource": "resource_server:*"},
]
documents = st.one_of(
    *[st.lists(statements(), min_size=1, max_size=2)] * 3, st.sampled_from([NO_APIS, NO_APIS[:1], NO_APIS[:1]])
).map(lambda found: json.dumps({"Statement": found}))


def terms_on(api: int) -> st.SearchStrategy[str]:
    """What a client grant on that API says."""
    subjects, wholes = st.sampled_from(["client", "client", "client", "user"]), st.booleans()
    return st.builds(
        lambda subject, whole: json.dumps(
            {"identifier": IDENTIFIERS[api], "subject": subject, "all_scopes": whole, **TERMS}
        ),
        subjects,
        wholes,
    )


SKELETON = (
    ("group_membership", 21, 31, 11),
    ("role_attachment", 21, 41, 11),
    ("policy_attachment", 41, 51, 11),
    ("policy_attachment", 31, 52, 11),
    ("policy_attachment", 21, 53, 11),
)
API_SKELETON = (
    ("group_membership", 23, 32, 12),
    *(("permission_grant", holder, key, 11) for holder, key in ((21, 61), (21, 64), (21, 65), (41, 62), (31, 63))),
    *(("permission_grant", holder, key, None) for holder, key in ((1, 61), (1, 65), (31, 64), (42, 63), (42, 66))),
    ("role_attachment", 32, 41, None),
    ("role_attachment", 31, 42, None),
    ("role_attachment", 24, 41, 12),
    *(("client_grant", 81, grant, None) for grant, _ in GRANTS),
    *(
        ("permission_grant", grant, key, None)
        for key, (of, _) in PERMISSIONS.items()
        for grant, api in GRANTS
        if api == of
    ),
)
"""Edges that stand in every world: most of what is drawn freely leads nowhere."""


@st.composite
def worlds(draw: st.DrawFn) -> list[Row]:
    """Users, memberships, groups, roles and policies, each with a history, and some edges and states."""
    living = (*USERS, *ORGANIZATIONS, *GROUPS, *ROLES, *POLICIES)
    places: list[Any] = [("existence", key, None, None) for key in living]
    places += [("existence", *membership) for membership in MEMBERSHIPS]
    places += sorted({*SKELETON, *draw(st.sets(edge_places, max_size=8))}, key=str)
    places += sorted(draw(st.sets(state_places, max_size=1)), key=str)
    rows = [row_ for place_ in places for row_ in history(draw, place_)]
    for role in ROLES:
        rows += history(draw, ("role_definition", role, None, None), role_definitions)
    for policy in POLICIES:
        rows += history(draw, ("document", policy, None, None), documents)
    return rows


@st.composite
def worlds_with_apis(draw: st.DrawFn) -> list[Row]:
    """The same with registered APIs, permissions to their scopes, and clients with grants."""
    rows = draw(worlds())
    taken = {spec.place(found) for found in rows}
    places: list[Any] = [("existence", key, None, None) for key in (*IDENTIFIERS, *PERMISSIONS, *CLIENTS)]
    places += [("existence", grant, None, None) for grant, _ in GRANTS]
    drawn = draw(st.sets(api_edge_places, max_size=8)) | draw(st.sets(state_places, max_size=1))
    places += sorted({*API_SKELETON, *drawn} - taken, key=str)
    rows += [row_ for place_ in places for row_ in history(draw, place_, spans_of=spans_of_skeletons)]
    for key, (api, scope) in PERMISSIONS.items():
        rows += history(draw, ("api_scope", key, api, None), st.just(json.dumps([scope, IDENTIFIERS[api]])))
    for grant, api in GRANTS:
        rows += history(draw, ("grant_definition", grant, api, None), terms_on(api))
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


on_apis = st.fixed_dictionaries(
    {
        "user": st.sampled_from([1] * 6 + [2] * 2 + [81] * 4 + [82]),
        "organization": st.sampled_from([11, 11, 12, None, None, None]),
        "action": st.sampled_from(API_ACTIONS),
        "resource": st.sampled_from([*IDENTIFIERS.values()] * 3 + ["urn:y", ""]).map(
            lambda identifier: {"type": "resource_server", "id": identifier}
        ),
        "subject": st.just({}),
        "context": st.just({}),
        "action_properties": st.just({}),
    }
).map(lambda asked: {**asked, "organization": asked["organization"] if asked["user"] in USERS else None})


@settings(max_examples=400)
@given(
    worlds_with_apis(),
    st.lists(st.one_of(on_apis, on_apis, on_apis, requests), min_size=2, max_size=6),
    revisions,
    st.sampled_from([10, 10, 50, 99, 100]),
)
def test_the_decision_on_apis_is_the_specification(
    rows: list[Row], asked: list[Row], revision: int, instant: int
) -> None:
    """With registered APIs as well, of which users and clients ask in every scope."""
    for request in asked:
        assert said(decide_rows(rows, request, revision, instant)) == tuple(
            spec.decide(rows, request, revision, instant)
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
@given(
    worlds_with_apis(),
    st.sampled_from([*USERS, *CLIENTS, 9]),
    st.sampled_from([11, 12, None, None]),
    st.integers(1, 6),
    st.just(60),
)
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
@given(
    worlds_with_apis(), st.one_of(requests, on_apis), st.integers(1, 6), st.sampled_from(["Allow", "Deny"]), st.data()
)
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
@given(worlds_with_apis(), st.one_of(requests, on_apis), st.integers(1, 6), st.randoms())
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
