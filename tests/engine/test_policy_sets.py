"""Policy sets say what `decide` says, by tables instead of patterns, whatever the form of a pattern or a name."""

import gc
import itertools
import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rescind.decision.decide import AccessRequest, decide
from rescind.decision.match import matches_resource
from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.engine.policy_sets import ACTION_LENGTH_MAX, ACTIONS_MAX, Content, PolicySet, PolicySets
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API, GrantTerms, scope_value
from rescind.model.documents import statements_of
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import literal
from rescind.model.objects import PLATFORM

USER, ORGANIZATION, MEMBERSHIP, CLIENT_GRANT, FIRST_POLICY = 1, 2, 3, 4, 10
Json = dict[str, Any]

# What a document may say, and what a request may be about: everything that the one side gives a meaning to.
LETTERS, HOSTILE = "ab:*", "ab:*\x01\x02\x03"
types = st.sampled_from(["t", "u", "tt", "t:a", ":", "", "t*", "*", "\x01", RESOURCE_TYPE])
identifiers = st.one_of(st.just(""), st.text(HOSTILE, max_size=5), st.sampled_from(["*", "a*", "t:a", "\x01\x03"]))
patterns = st.one_of(
    st.just("*"),
    st.builds("{}:{}".format, st.sampled_from(["t", "u", RESOURCE_TYPE]), st.text(LETTERS, min_size=1, max_size=4)),
    st.builds("{}:*".format, st.sampled_from(["t", "u"])),
    st.text("ab", min_size=1, max_size=3),
)
# More beginnings than are tried one by one, of several lengths.
MANY = [f"t:{''.join(letters)}*" for length in (2, 3) for letters in itertools.product("ab", repeat=length)]
MANY += [f"u:{''.join(letters)}*" for letters in itertools.product("ab:", repeat=2)]
actions = st.one_of(st.sampled_from(["", "a", "ab", "*", "a*", "\x01\x03"]), st.text(HOSTILE, max_size=4))
action_patterns = st.one_of(st.sampled_from(["*", "*", "a", "a*", "*b", "a:*b"]), st.text(LETTERS, min_size=1))
conditions = st.sampled_from(
    [
        {"StringEquals": {"context.place": "home"}},
        {"StringNotEquals": {"context.place": ["home", "work"]}},
        {"NumericLessThan": {"resource.level": 3}},
        {"StringLike": {"subject.name": "a*"}, "Null": {"context.place": "false"}},
        {"StringEquals": {"resource.id": "a"}},
    ]
)
values: st.SearchStrategy[Any] = st.sampled_from(["home", "work", "abba", 2, 7, None, ["home"], {}])
attributes = st.fixed_dictionaries(
    {
        "context": st.fixed_dictionaries({}, optional={"place": values}),
        "resource": st.fixed_dictionaries({}, optional={"level": values, "id": values}),
        "subject": st.fixed_dictionaries({}, optional={"name": values}),
    }
)


@st.composite
def statements(draw: st.DrawFn) -> Json:
    many = draw(st.integers(0, 5)) == 0
    said: Json = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "Action": draw(st.lists(action_patterns, min_size=1, max_size=2)),
        "Resource": MANY if many else draw(st.lists(patterns, min_size=1, max_size=3)),
    }
    if draw(st.integers(0, 3)) == 0:
        said["Condition"] = draw(conditions)
    return said


documents = st.lists(st.lists(statements(), min_size=1, max_size=3), max_size=3)
api_names = st.sampled_from(["a", "a*", "*", "\x01\x03", "urn:x", SYSTEM_API])
api_scopes = st.lists(st.tuples(actions, api_names), max_size=3)


def world(said: Collection[Collection[Json]], scopes: Collection[tuple[str, str]], **how: Any) -> Snapshot:
    """A principal whom those documents and scopes of APIs reach: a member, or outside of organizations a client."""
    within, whole = how.get("within", True), how.get("whole")
    scope, holder = (ORGANIZATION, MEMBERSHIP) if within else (PLATFORM, USER)
    facts = [Fact(FactKind.EXISTENCE, USER), Fact(FactKind.EXISTENCE, ORGANIZATION)]
    facts.append(Fact(FactKind.EXISTENCE, MEMBERSHIP, USER, ORGANIZATION))
    if how.get("root"):
        facts.append(Fact(FactKind.ROOT, MEMBERSHIP, ORGANIZATION, ORGANIZATION))
    stored = [(FactKind.DOCUMENT, json.dumps({"Statement": [*document]})) for document in said]
    stored += [(FactKind.API_SCOPE, scope_value(*one)) for one in scopes]
    for key, (kind, value) in enumerate(stored, FIRST_POLICY):
        facts += [Fact(FactKind.EXISTENCE, key), Fact(kind, key, value=value)]
        edge = FactKind.POLICY_ATTACHMENT if kind is FactKind.DOCUMENT else FactKind.PERMISSION_GRANT
        facts.append(Fact(edge, holder, key, scope))
    if whole is not None:
        terms = GrantTerms(whole, all_scopes=True).stored()
        facts += [Fact(FactKind.CLIENT_GRANT, USER, CLIENT_GRANT), Fact(FactKind.EXISTENCE, CLIENT_GRANT)]
        facts.append(Fact(FactKind.GRANT_DEFINITION, CLIENT_GRANT, ORGANIZATION, value=terms))
    principal = Principal(USER, ORGANIZATION, MEMBERSHIP) if within else Principal(USER)
    found = gather([USER, MEMBERSHIP], lambda keys: [fact for fact in facts if fact.holder in keys])
    return Snapshot(principal, 1, 1, found)


def content_of(snapshot: Snapshot) -> Content:
    """What the engine makes of a snapshot."""
    policies = {reach.policy for reach in snapshot.reaches}
    return frozenset((said, snapshot.is_of_api(policy)) for policy in policies for said in snapshot.statements(policy))


def assert_same(snapshot: Snapshot, policies: PolicySet, request: AccessRequest) -> None:
    """Every way to ask the set gives the answer of the decision."""
    truth = decide(request, snapshot).allowed
    kind, identifier = request.resource_type, request.resource_id
    if kind == RESOURCE_TYPE:
        within = snapshot.principal.organization != PLATFORM
        # Attributes are not looked up for a set without conditions.
        known = request.attributes if policies.has_conditions else {}
        assert policies.allows_on_api(request.action, identifier, known, within=within) is truth
        return
    rule = policies.rule(request.action)
    assert policies.rule(request.action) is rule
    assert rule.weighs(kind, identifier, request.attributes) is truth
    assert rule.settles in (None, truth)
    answer = rule.answers(kind, identifier, request.attributes.get("context", {}))
    assert answer is truth or (answer is None and rule.reads - {"context"})


@settings(max_examples=250)
@example([[{"Effect": "Allow", "Action": "*", "Resource": MANY}]], [("a", "t", "aa"), ("a", "t", "aab*")], {})
@example([[{"Effect": "Allow", "Action": "*", "Resource": "t:a*"}]], [("", "t:a", "b"), ("", "t", "")], {})
@example([[{"Effect": "Allow", "Action": "*", "Resource": ["t:**", "a"]}]], [("", "t", ""), ("", "", "a")], {})
@given(documents, st.lists(st.tuples(actions, types, identifiers), min_size=6, max_size=12), attributes)
def test_a_set_answers_as_the_decision_does(
    said: list[list[Json]], asked: list[tuple[str, str, str]], brought: Json
) -> None:
    snapshot = world(said, ())
    policies = PolicySet(content_of(snapshot))
    for action, kind, identifier in asked:
        assert_same(snapshot, policies, AccessRequest(action, kind, identifier, brought))


@settings(max_examples=150)
@given(
    documents,
    api_scopes,
    st.one_of(st.none(), api_names),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(actions, api_names), min_size=3, max_size=8),
    attributes,
)
def test_a_set_answers_on_apis_as_the_decision_does(
    said: list[list[Json]],
    scopes: list[tuple[str, str]],
    whole: str | None,
    within: bool,
    root: bool,
    asked: list[tuple[str, str]],
    brought: Json,
) -> None:
    """To own the organization is nothing there, and names with stars are names, not patterns."""
    snapshot = world(said, scopes, whole=whole, within=within, root=root and within)
    policies = PolicySet(content_of(snapshot))
    for action, identifier in [*asked, *scopes]:
        assert_same(snapshot, policies, AccessRequest(action, RESOURCE_TYPE, identifier, brought))


@settings(max_examples=250)
@given(st.lists(patterns, max_size=4), st.booleans(), st.lists(st.tuples(types, identifiers), min_size=4, max_size=12))
def test_the_tables_cover_what_a_pattern_after_the_other_covers(
    listed: list[str], many: bool, asked: list[tuple[str, str]]
) -> None:
    """Also where there are more beginnings than are tried one by one."""
    listed = [*listed, *MANY] if many else listed
    document = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": listed or ["u:b"]}]})
    (statement,) = statements_of(document)
    rule = PolicySet(frozenset({(statement, False)})).rule("a")
    for kind, identifier in asked:
        spoken = literal(identifier)
        truth = any(matches_resource(pattern, kind, spoken) for pattern in statement.resources)
        assert rule.answers(kind, identifier, {}) is rule.weighs(kind, identifier, {}) is truth, (kind, identifier)


@pytest.mark.parametrize("count", [15, 16, 17, 40])
def test_any_number_of_beginnings_covers_the_same(count: int) -> None:
    said = {"Effect": "Allow", "Action": "*", "Resource": [f"t:{'x' * length}y*" for length in range(count)]}
    snapshot = world([[said]], ())
    policies = PolicySet(content_of(snapshot))
    for length in range(count + 2):
        for identifier in ("x" * length, "x" * length + "y", "x" * length + "yz", "y" * length):
            assert_same(snapshot, policies, AccessRequest("a", "t", identifier))


def test_a_denial_wins_whatever_has_conditions_and_comes_first() -> None:
    """One statement of each sort about the same thing, in every combination, in and out of circumstances."""
    sorts: list[Json] = [
        {"Effect": effect, "Action": "a", "Resource": resource, **({"Condition": condition} if condition else {})}
        for effect in ("Allow", "Deny")
        for resource in ("*", "t:a")
        for condition in (None, {"StringEquals": {"context.place": "home"}})
    ]
    circumstances: list[Json] = [{"context": {"place": "home"}}, {"context": {"place": ["home"]}}, {}]
    for said in itertools.combinations(sorts, 2):
        snapshot = world([said], ())
        policies = PolicySet(content_of(snapshot))
        for where, identifier in itertools.product(circumstances, ("a", "b", "")):
            assert_same(snapshot, policies, AccessRequest("a", "t", identifier, where))


def test_what_is_denied_and_allowed_by_patterns_alone_is_as_the_decision_says() -> None:
    """Two statements of every effect about resources that say the same, more, less or something else."""
    resources = ("*", "t:*", "t:a*", "t:ab*", "t:a", "u:a*", "a")
    sorts = [
        {"Effect": effect, "Action": "a", "Resource": resource}
        for effect in ("Allow", "Deny")
        for resource in resources
    ]
    for said in itertools.product(sorts, repeat=2):
        snapshot = world([said], ())
        policies = PolicySet(content_of(snapshot))
        for kind, identifier in itertools.product(("t", "u", "t:a", ""), ("a", "ab", "b", "a*", "")):
            assert_same(snapshot, policies, AccessRequest("a", kind, identifier))


def test_whoever_asks_for_ever_new_actions_does_not_fill_the_memory() -> None:
    """And gets right answers all the while."""
    snapshot = world([[{"Effect": "Allow", "Action": "a*1", "Resource": "*"}]], ())
    policies = PolicySet(content_of(snapshot))
    for number in range(2 * ACTIONS_MAX + 10):
        action = f"a{number}"
        assert policies.rule(action).weighs("t", "x", {}) is action.endswith("1")
        assert len(policies.compiled) <= ACTIONS_MAX
    long = "a" * ACTION_LENGTH_MAX
    assert policies.rule(f"{long}1").settles is True
    assert f"{long}1" not in policies.compiled
    assert policies.rule("a1").settles is True


def test_there_is_one_set_of_a_content_as_long_as_somebody_holds_it() -> None:
    """Other policies that say the same are the same set; one word more, or an API's permission, makes another."""
    sets = PolicySets()
    allow: Json = {"Effect": "Allow", "Action": "a", "Resource": "t:*"}
    same = [content_of(world(said, ())) for said in ([[allow]], [[allow], [allow]])]
    held = [sets.of(content) for content in same]
    others = [
        sets.of(content_of(world([[{**allow, **more}]], ())))
        for more in ({"Effect": "Deny"}, {"Condition": {"Bool": {"context.x": "true"}}}, {"Resource": "t:a"})
    ]
    others.append(sets.of(frozenset((said, True) for said, _ in same[0])))
    assert held[0] is held[1]
    assert len({id(found) for found in (held[0], *others)}) == len(sets) == 5
    del held, others
    gc.collect()
    assert len(sets) == 0


def test_nobody_who_holds_nothing_is_allowed_anything() -> None:
    nothing = PolicySet(frozenset())
    assert nothing.rule("a").settles is False
    assert not nothing.has_conditions
    assert not nothing.allows_on_api("a", "urn:x", {}, within=False)
