"""What one access loses to another, held against the specification asked about every request of the finest parts.

Two accesses are those of one principal at two revisions and instants of one random log, so that everything that can
differ does: edges, documents, states, existence, and what time has ended.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spec
from decision.test_decide import on_apis, requests, worlds_with_apis
from decision.worlds import Row, snapshot_of
from rescind.decision.cover import TooMuchWork
from rescind.decision.impact import Loss, Verdict, access_of
from rescind.model.literals import literal, spoken

ORGANIZATION, USER, MEMBERSHIP, POLICY = 11, 1, 21, 51
SYSTEM = "urn:rescind:management"
LATE = 60
Request = tuple[str, str, str]
When = tuple[int, int]
"""A revision and an instant."""


def asked(user: int, organization: int | None, about: Request, context: Row | None = None) -> Row:
    action, kind, identifier = about
    return {
        "user": user,
        "organization": organization,
        "action": action,
        "resource": {"type": kind, "id": identifier},
        "subject": {},
        "context": context or {},
        "action_properties": {},
    }


def loss_of(rows: list[Row], user: int, organization: int | None, before: When, after: When) -> Loss:
    return Loss(*(access_of(snapshot_of(rows, user, organization, *when)) for when in (before, after)))


def allowed(rows: list[Row], request: Row, when: When) -> bool:
    return bool(spec.decide(rows, request, *when).allowed)


def is_conditional(rows: list[Row]) -> bool:
    return any("Condition" in (row["value"] or "") for row in rows if row["kind"] == "document")


def covers(action: str, resource: str, about: Request) -> bool:
    """Whether a pair of patterns covers a request, as the specification has it; a literal is one text."""
    said, kind, identifier = about
    of_kind, colon, rest = resource.partition(":")
    covers_action = spoken(action) == said if spoken(action) != action else spec.glob(action, said)
    if colon and spoken(rest) != rest:
        return covers_action and (of_kind, spoken(rest)) == (kind, identifier)
    return covers_action and bool(spec.resource_matches(resource, kind, identifier))


def unconditional(rows: list[Row]) -> list[Row]:
    """The same log, whose documents ask for nothing."""

    def bare(text: str) -> str:
        statements = json.loads(text)["Statement"]
        return json.dumps({"Statement": [{k: v for k, v in said.items() if k != "Condition"} for said in statements]})

    return [{**row, "value": bare(row["value"])} if row["kind"] == "document" else row for row in rows]


principals = st.one_of(
    st.tuples(st.sampled_from([1, 1, 1, 2, 9]), st.sampled_from([11, 11, 11, 12, None])),
    st.tuples(st.sampled_from([81, 82]), st.none()),
)
whens = st.tuples(st.integers(1, 7), st.sampled_from([10, 60, 100]))
abouts = st.one_of(requests, on_apis).map(lambda one: (one["action"], one["resource"]["type"], one["resource"]["id"]))


@settings(max_examples=250)
@given(worlds_with_apis().map(unconditional), principals, whens, whens, st.lists(abouts, max_size=4))
def test_lost_is_what_the_specification_allows_before_and_not_after(
    rows: list[Row], principal: tuple[int, int | None], before: When, after: When, more: list[Request]
) -> None:
    """Every request of every class, and any other, is lost entirely or not at all; turned round it is gained."""
    user, organization = principal
    lost = loss_of(rows, user, organization, before, after)
    gained = Loss(lost.after, lost.before)
    assert {*lost.witnesses} == {*gained.witnesses}

    for about in [*lost.witnesses, *more]:
        was, will_be = (allowed(rows, asked(user, organization, about), when) for when in (before, after))
        assert lost.verdict(*about) == (Verdict.ENTIRELY if was and not will_be else None)
        assert gained.verdict(*about) == (Verdict.ENTIRELY if will_be and not was else None)


@settings(max_examples=200)
@given(worlds_with_apis().map(unconditional), principals, whens, whens)
def test_the_rows_account_for_every_class(
    rows: list[Row], principal: tuple[int, int | None], before: When, after: When
) -> None:
    """A row is lost entirely iff nothing that it covers stays, partly iff some does; what is in no row is not lost."""
    user, organization = principal
    loss = loss_of(rows, user, organization, before, after)
    was = {one for one in loss.witnesses if allowed(rows, asked(user, organization, one), before)}
    is_so = {one for one in loss.witnesses if allowed(rows, asked(user, organization, one), after)}

    for row in loss.rows:
        # Of an API nothing is allowed by what is not on one.
        covered = {one for one in was if covers(row.action, row.resource, one) and speaks(row.holding.on_api, one)}
        assert covered - is_so, "a row loses something"
        assert row.verdict is (Verdict.PARTLY if covered & is_so else Verdict.ENTIRELY)
        said = [(one.statement, one.on_api) for one in row.still]
        assert all(statement.effect == "Allow" for statement, _ in said)
        assert all(any(speaks_of(held, on_api, one) for held, on_api in said) for one in covered & is_so)
    for one in was - is_so:
        assert any(covers(row.action, row.resource, one) and speaks(row.holding.on_api, one) for row in loss.rows)


def speaks(on_api: bool, about: Request) -> bool:
    return on_api or about[1] != "resource_server"


def speaks_of(statement: Any, on_api: bool, about: Request) -> bool:
    pairs = itertools.product(statement.actions, statement.resources)
    return speaks(on_api, about) and any(covers(*pair, about) for pair in pairs)


KNOWN_ACTIONS = ("a", "ab", "b.c", "read", "read:*", "read:a")
KNOWN_RESOURCES = (
    *(("s", ""), ("s", "x"), ("t", "x"), ("t", "xy"), ("resource_server", "urn:x"), ("resource_server", "urn:y")),
    *(("resource_server", "urn:*"), ("resource_server", SYSTEM)),
)


@settings(max_examples=150)
@given(worlds_with_apis(), principals, whens, whens, st.integers(0, 50))
def test_known_requests_are_listed_as_they_would_be_answered_alone(
    rows: list[Row], principal: tuple[int, int | None], before: When, after: When, most: int
) -> None:
    """Known actions on known resources have the verdicts of their requests; what is not listed is counted."""
    loss = loss_of(rows, *principal, before, after)
    every = {(one, *on): loss.verdict(one, *on) for one in KNOWN_ACTIONS for on in KNOWN_RESOURCES}
    expected = {about: verdict for about, verdict in every.items() if verdict is not None}

    listed, total = loss.known(KNOWN_ACTIONS, KNOWN_RESOURCES, most)

    found = {(one.action, one.resource_type, one.resource_id): one.verdict for one in listed}
    assert total == len(expected)
    assert len(found) == len(listed) == min(most, total)
    assert found.items() <= expected.items()
    assert [*found] == sorted(found)


# --- conditions -----------------------------------------------------------------------------------------------------

VALUES: dict[str, dict[str, Any]] = {
    "StringEquals": {"listed": "v", "holds": "v", "fails": "w", "odd": ["v"]},
    "NumericLessThan": {"listed": 2, "holds": 1, "fails": 3, "odd": "one"},
    "IpAddress": {"listed": "192.0.2.0/24", "holds": "192.0.2.1", "fails": "198.51.100.1", "odd": "here"},
    "StringNotEquals": {"listed": "v", "holds": "w", "fails": "v", "odd": {}},
    "BoolIfExists": {"listed": True, "holds": "true", "fails": "false", "odd": "maybe"},
}
"""Operators with a listed value, and values for which they hold, fail, and cannot be read."""
KEYS = dict(zip(VALUES, ("c", "d", "e", "f", "g"), strict=True))
"""Each operator asks for a key of its own: then any of them may hold whatever the others do."""


def circumstances(operators: Iterable[str]) -> Iterator[Row]:
    """Every context in which each condition holds, fails, cannot be read, or finds nothing."""
    operators = sorted(operators)
    for chosen in itertools.product(("holds", "fails", "odd", None), repeat=len(operators)):
        yield {KEYS[one]: VALUES[one][how] for one, how in zip(operators, chosen, strict=True) if how is not None}


def condition(operator: str) -> Row:
    return {operator: {f"context.{KEYS[operator]}": VALUES[operator]["listed"]}}


def world_of(*policies: list[Row], state: str = "") -> list[Row]:
    """One member of one organization, with policies."""
    keys = range(POLICY, POLICY + len(policies))
    facts: list[tuple[Any, ...]] = [("existence", key, None, None, None) for key in (USER, ORGANIZATION, *keys)]
    facts += [("existence", MEMBERSHIP, USER, ORGANIZATION, None)]
    facts += [("policy_attachment", MEMBERSHIP, key, ORGANIZATION, None) for key in keys]
    for key, said in zip(keys, policies, strict=True):
        facts.append(("document", key, None, None, json.dumps({"Statement": said})))
    if state == "block":
        facts.append(("block", USER, None, None, None))
    elif state:
        facts.append((state, MEMBERSHIP, ORGANIZATION if state == "root" else None, ORGANIZATION, None))
    names = ("kind", "holder", "thing", "scope", "value")
    lasting = {"expires_at": None, "revision_from": 1, "revision_to": None}
    return [{**dict(zip(names, fact, strict=True)), **lasting} for fact in facts]


@st.composite
def conditional(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Allow", "Deny")) -> Row:
    said: Row = {
        "Effect": draw(st.sampled_from(effects)),
        "Action": draw(st.sampled_from(["*", "a", "a*", ["a", "b"]])),
        "Resource": draw(st.sampled_from(["*", "*", "s:*", "s:x", ["s:x", "t:*"]])),
    }
    operators = draw(st.sets(st.sampled_from(["StringEquals", "NumericLessThan", "IpAddress", "BoolIfExists"])))
    wanted = draw(st.sampled_from([None, *sorted(operators)]))
    return said if wanted is None else {**said, "Condition": condition(wanted)}


policies_of = st.lists(conditional(), min_size=1, max_size=4)


def operators_of(*documents: list[Row]) -> set[str]:
    return {name for said in itertools.chain(*documents) for name in said.get("Condition", {})}


def outcomes(worlds: tuple[list[Row], list[Row]], about: Request, contexts: Iterable[Row]) -> list[tuple[bool, bool]]:
    """Whether the request is allowed before, and after, in each context."""
    return [
        (
            allowed(worlds[0], asked(USER, ORGANIZATION, about, context), (1, 1)),
            allowed(worlds[1], asked(USER, ORGANIZATION, about, context), (1, 1)),
        )
        for context in contexts
    ]


def loss_between(before: list[Row], after: list[Row]) -> Loss:
    return Loss(*(access_of(snapshot_of(rows, USER, ORGANIZATION, 1, 1)) for rows in (before, after)))


@settings(max_examples=150)
@given(policies_of, policies_of)
def test_a_verdict_says_what_may_happen_in_all_circumstances(before: list[Row], after: list[Row]) -> None:
    """`ENTIRELY` iff it is lost wherever it was allowed, `ONLY_IF` iff that depends, None iff it is lost nowhere."""
    worlds = world_of(before), world_of(after)
    loss, contexts = loss_between(*worlds), list(circumstances(operators_of(before, after)))

    for about in loss.witnesses:
        found = outcomes(worlds, about, contexts)
        lost, kept = (True, False) in found, (True, True) in found
        expected = None if not lost else Verdict.ONLY_IF if kept else Verdict.ENTIRELY
        assert loss.verdict(*about) == expected, about


@settings(max_examples=100)
@given(policies_of, policies_of)
def test_a_row_speaks_of_the_circumstances_in_which_its_statement_applies(before: list[Row], after: list[Row]) -> None:
    """Its verdict is that of all its requests, wherever its own condition holds; what is lost is in some row."""
    worlds = world_of(before), world_of(after)
    loss, contexts = loss_between(*worlds), list(circumstances(operators_of(before, after)))
    found = {about: outcomes(worlds, about, contexts) for about in loss.witnesses}
    accounted: set[tuple[Request, int]] = set()

    for row in loss.rows:
        block = row.condition.block if row.condition else {}
        its = {"Effect": "Allow", "Action": row.action, "Resource": row.resource, "Condition": block}
        seen = set()
        for about in loss.witnesses:
            applying = [
                index
                for index, context in enumerate(contexts)
                if spec.statement_matches(its, asked(USER, ORGANIZATION, about, context)) and speaks(False, about)
            ]
            accounted |= {(about, index) for index in applying}
            here = {found[about][index] for index in applying}
            if here & {(True, True), (True, False)}:
                seen.add(((True, False) in here, (True, True) in here))
        assert any(lost for lost, _ in seen)
        depends, stays = (True, True) in seen, (False, True) in seen
        assert row.verdict is (Verdict.ONLY_IF if depends else Verdict.PARTLY if stays else Verdict.ENTIRELY)
    for about, cases in found.items():
        lost_in = {(about, index) for index, case in enumerate(cases) if case == (True, False)}
        assert lost_in <= accounted


@settings(max_examples=200)
@given(worlds_with_apis().filter(is_conditional), requests, whens, whens)
def test_whatever_a_request_says_of_itself_contradicts_no_verdict(
    rows: list[Row], request: Row, before: When, after: When
) -> None:
    """None is lost in no circumstances, and what is lost entirely stays in none, whatever conditions ask."""
    loss = loss_of(rows, request["user"], request["organization"], before, after)
    verdict = loss.verdict(request["action"], request["resource"]["type"], request["resource"]["id"])
    was, will_be = (allowed(rows, request, when) for when in (before, after))

    assert verdict is not None or not (was and not will_be)
    assert verdict is not Verdict.ENTIRELY or not (was and will_be)


def member_of(names: Iterable[str], **members: Any) -> list[Row]:
    """A statement for each key of a context, on that key alone."""
    return [{**EVERYTHING, **members, "Condition": {"Bool": {f"context.{name}": True}}} for name in names]


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
MANY = [f"k{number}" for number in range(15)]


@pytest.mark.parametrize("count", [0, 2, 5, 6, 8, 9, len(MANY)])
def test_of_many_conditions_no_loss_is_left_out(count: int) -> None:
    """One Allow that depends, many Denies that depend, and one more of these: it is lost where only that holds."""
    before = [*member_of(["allow"]), *member_of(MANY[:count], Effect="Deny")]
    after = [*before, *member_of(["deny"], Effect="Deny")]
    worlds = world_of(before), world_of(after)
    about = ("a", "s", "x")
    assert outcomes(worlds, about, [{"allow": True, "deny": True}, {"allow": True}]) == [(True, False), (True, True)]

    assert loss_between(*worlds).verdict(*about) is Verdict.ONLY_IF


@pytest.mark.parametrize("count", [0, 2, 6, len(MANY)])
def test_of_many_conditions_nothing_is_lost_that_stays(count: int) -> None:
    """Another way to the same, under another condition, beside many Denies: what stays is not said to be lost."""
    denies = member_of(MANY[:count], Effect="Deny")
    worlds = world_of([*member_of(["x"]), *denies]), world_of([*member_of(["x"]), *member_of(["y"]), *denies])

    assert loss_between(*worlds).verdict("a", "s", "x") is None


@pytest.mark.parametrize("count", [0, 2, 6, len(MANY)])
def test_of_many_conditions_what_may_stay_is_not_lost_entirely(count: int) -> None:
    """It stays where two particular conditions of many hold, and no other."""
    denies = member_of(MANY[:count], Effect="Deny")
    before, after = [*member_of(["x"]), *denies], [*member_of(["y"]), *denies]

    assert loss_between(world_of(before), world_of(after)).verdict("a", "s", "x") is Verdict.ONLY_IF


# --- states ---------------------------------------------------------------------------------------------------------

READ_ALL: Row = {"Effect": "Allow", "Action": "read", "Resource": "*"}
NO_DISKS: Row = {"Effect": "Deny", "Action": "*", "Resource": "disk:*"}
READ_DISK: Request = ("read", "disk", "d1")
WRITE_DISK: Request = ("write", "disk", "d1")
ON_API: Request = ("read", "resource_server", "urn:x")

STATES: list[tuple[str, list[Row], list[Row], Request, bool, bool]] = [
    ("suspension takes all", world_of([READ_ALL]), world_of([READ_ALL], state="suspension"), READ_DISK, True, False),
    ("and its end gives it back", world_of([READ_ALL], state="block"), world_of([READ_ALL]), READ_DISK, False, True),
    ("a block takes all", world_of([READ_ALL]), world_of([READ_ALL], state="block"), READ_DISK, True, False),
    (
        "a suspended one loses nothing",
        world_of([READ_ALL], state="block"),
        world_of(state="block"),
        READ_DISK,
        False,
        False,
    ),
    ("root may do everything", world_of([READ_ALL]), world_of([READ_ALL], state="root"), WRITE_DISK, False, True),
    ("root keeps what was allowed", world_of([READ_ALL]), world_of(state="root"), READ_DISK, False, False),
    ("what is no root may do little", world_of([], state="root"), world_of([READ_ALL]), WRITE_DISK, True, False),
    ("but what it is allowed", world_of([], state="root"), world_of([READ_ALL]), READ_DISK, False, False),
    ("no Deny binds root", world_of(state="root"), world_of([NO_DISKS], state="root"), READ_DISK, False, False),
    ("root owns no API", world_of(), world_of(state="root"), ON_API, False, False),
    ("policies allow on no API", world_of([READ_ALL]), world_of(), ON_API, False, False),
    ("a Deny detached gives", world_of([READ_ALL], [NO_DISKS]), world_of([READ_ALL]), READ_DISK, False, True),
    ("a Deny attached takes", world_of([READ_ALL]), world_of([READ_ALL], [NO_DISKS]), READ_DISK, True, False),
    (
        "and takes nothing else",
        world_of([READ_ALL]),
        world_of([READ_ALL], [NO_DISKS]),
        ("read", "s", "x"),
        False,
        False,
    ),
    ("a Deny alone gives nothing", world_of([NO_DISKS]), world_of(), READ_DISK, False, False),
    ("what was held twice stays", world_of([READ_ALL], [READ_ALL]), world_of([READ_ALL]), READ_DISK, False, False),
    ("an empty target is one too", world_of([READ_ALL]), world_of(), ("read", "disk", ""), True, False),
]


@pytest.mark.parametrize(
    ("before", "after", "about", "is_lost", "is_gained"), [case[1:] for case in STATES], ids=[c[0] for c in STATES]
)
def test_state(before: list[Row], after: list[Row], about: Request, is_lost: bool, is_gained: bool) -> None:
    """States, root and Denies take and give as a person wrote down, and as the specification says."""
    was, will_be = outcomes((before, after), about, [{}])[0]
    assert (was and not will_be, will_be and not was) == (is_lost, is_gained)
    loss = loss_between(before, after)

    assert (loss.verdict(*about) is Verdict.ENTIRELY) == is_lost
    assert (Loss(loss.after, loss.before).verdict(*about) is Verdict.ENTIRELY) == is_gained
    assert bool(loss.rows) or not is_lost


def with_permission(rows: list[Row], scope: str, identifier: str, organization: int | None) -> list[Row]:
    """The same world with a permission to a scope of an API, held by the member or by the user outside."""
    holder = MEMBERSHIP if organization else USER
    facts: list[tuple[Any, ...]] = [
        ("existence", 71, None, None, None),
        ("existence", 61, None, None, None),
        ("api_scope", 61, 71, None, json.dumps([scope, identifier])),
        ("permission_grant", holder, 61, organization, None),
    ]
    names = ("kind", "holder", "thing", "scope", "value")
    lasting = {"expires_at": None, "revision_from": 1, "revision_to": None}
    return rows + [{**dict(zip(names, fact, strict=True)), **lasting} for fact in facts]


@pytest.mark.parametrize("scope", ["read", "read:*", "*"])
@pytest.mark.parametrize("identifier", ["urn:x", "urn:*", SYSTEM])
@pytest.mark.parametrize("organization", [ORGANIZATION, None], ids=["inside", "outside"])
def test_a_permission_is_lost_to_the_letter(scope: str, identifier: str, organization: int | None) -> None:
    """The scope on the API, and no other; inside an organization nothing on the API that manages this server."""
    bare = world_of([READ_ALL])
    before = with_permission(bare, scope, identifier, organization)
    loss = Loss(*(access_of(snapshot_of(rows, USER, organization, 1, 1)) for rows in (before, bare)))
    is_lost = organization is None or identifier != SYSTEM

    assert loss.verdict(scope, "resource_server", identifier) == (Verdict.ENTIRELY if is_lost else None)
    assert [(row.action, row.resource) for row in loss.rows] == (
        [(literal(scope), f"resource_server:{literal(identifier)}")] if is_lost else []
    )
    for other in ((scope + "x", identifier), (scope, identifier + "x"), ("read:a", identifier), (scope, "urn:y")):
        if other != (scope, identifier):
            assert loss.verdict(other[0], "resource_server", other[1]) is None


def test_what_allows_the_same_by_other_paths_has_the_same_key() -> None:
    """Nothing is looked for between accesses that differ in their paths alone, and nothing is lost."""
    once, twice = (access_of(snapshot_of(rows, USER, ORGANIZATION, 1, 1)) for rows in WORLDS_ALIKE)

    assert once.key == twice.key
    assert once != twice
    assert Loss(once, twice).rows == Loss(twice, once).rows == []


WORLDS_ALIKE = (world_of([READ_ALL]), world_of([READ_ALL], [READ_ALL]))


def test_too_much_to_tell_apart_is_said() -> None:
    """Where there are too many classes nobody is told that nothing is lost."""
    names = ["".join(word) for word in itertools.product("ab", repeat=9)]
    lots = {"Effect": "Allow", "Action": names, "Resource": [f"s:{name}" for name in names]}
    loss = loss_between(world_of([lots]), world_of())

    with pytest.raises(TooMuchWork):
        list(loss.rows)
    assert loss.verdict(names[0], "s", names[0]) is Verdict.ENTIRELY
