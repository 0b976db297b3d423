"""What a decision point must do to be certified, over TLS, on a fixture that was loaded through our own doors."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from api.authzen.records import (
    ACTIONS,
    ASKED,
    EVALUATION,
    EVALUATIONS,
    METADATA,
    NEEDED,
    READS,
    RESOURCES,
    SEARCHED,
    SEARCHES,
    SUBJECTS,
    Body,
    Records,
    act,
    ask,
    assert_refused,
    batch,
    changed,
    decision,
    evaluated,
    found,
    gist,
    load,
    may,
    media_type,
    next_token,
    one,
    question,
    record,
    results,
    said,
    user,
    without,
)
from servers import Server
from world import World

CONTEXTS: dict[str, Body] = {
    "no context": {},
    "an empty context": {"context": {}},
    "a context": {"context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}},
}
WITH_AND_WITHOUT_CONTEXT = pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
EVERY_ENDPOINT = pytest.mark.parametrize("path", ASKED)
EVERY_SEARCH = pytest.mark.parametrize("path", SEARCHES)
TIMES = 5


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    request: pytest.FixtureRequest, make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One node for all of this file, which speaks TLS."""
    folder: Path = tmp_path_factory.mktemp("authzen")
    with Server(make_database(request.param), folder, tls=True) as started:
        yield started


@pytest.fixture(scope="module")
def records(server: Server) -> Records:
    return load(server.world())


@pytest.fixture(scope="module")
def pdp(records: Records) -> World:
    """The node, spoken to by who may ask."""
    return records.enforcer


# --- the rules of the fixture ---------------------------------------------------------------------------------------

ARCHIVED, ADMIN = {"status": "archived"}, {"role": "admin"}

RULES: dict[str, tuple[Body, bool]] = {
    "1: alice reads": (question("alice", "read", "record-1"), True),
    "2: alice writes": (question("alice", "write", "record-1"), True),
    "3: bob reads": (question("bob", "read", "record-1"), True),
    "4: bob does not write": (question("bob", "write", "record-1"), False),
    "5: alice does not write what is archived": (question("alice", "write", record("record-2", **ARCHIVED)), False),
    "5: whatever it is": (question("alice", "write", record("record-1", **ARCHIVED)), False),
    "6: an admin writes what is archived": (
        question(user("bob", **ADMIN), "write", record("record-2", **ARCHIVED)),
        True,
    ),
    "6: whatever it is": (question(user("bob", **ADMIN), "write", record("record-1", **ARCHIVED)), True),
    "6: whoever it is": (question(user("alice", **ADMIN), "write", record("record-2", **ARCHIVED)), True),
    "7: alice deletes softly": (question("alice", act("delete", soft=True), "record-1"), True),
    "8: alice does not delete for good": (question("alice", act("delete", soft=False), "record-1"), False),
    "stored: record-2 is archived": (question("alice", "write", "record-2"), False),
    "stored: bob is an admin": (question("bob", "write", "record-2"), True),
    "the request wins over a stored resource": (question("alice", "write", record("record-2", status="active")), True),
    "the request wins over a stored subject": (question(user("bob", role="clerk"), "write", "record-2"), False),
    "no word of softness": (question("alice", "delete", "record-1"), False),
}

UNKNOWN: dict[str, Body] = {
    "subject": question("nobody"),
    "subject with the properties of an admin": question(user("nobody", **ADMIN), "write", record(**ARCHIVED)),
    "type of subject": question({"type": "spaceship", "id": "alice"}),
    "action": question(action="teleport"),
    "resource": question(resource="record-9"),
    "resource with properties": question(user("bob", **ADMIN), "write", record("record-9", **ARCHIVED)),
    "type of resource": question(resource={"type": "spaceship", "id": "record-1"}),
}


@WITH_AND_WITHOUT_CONTEXT
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_the_fixture_holds_with_and_without_a_context(pdp: World, rule: str, context: Body) -> None:
    asked, expected = RULES[rule]
    assert decision(ask(pdp, EVALUATION, {**asked, **context})) is expected


@WITH_AND_WITHOUT_CONTEXT
@pytest.mark.parametrize("asked", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_unknown_may_nothing_and_is_no_error(pdp: World, asked: Body, context: Body) -> None:
    assert decision(ask(pdp, EVALUATION, {**asked, **context})) is False


# --- one evaluation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_a_decision_is_a_boolean_and_its_context_an_object(pdp: World, rule: str) -> None:
    body = said(ask(pdp, EVALUATION, RULES[rule][0]))
    assert type(body["decision"]) is bool
    assert isinstance(body.get("context", {}), dict)


def test_properties_that_no_rule_reads_change_nothing(pdp: World) -> None:
    asked = question(
        user("alice", department="Sales", role="manager"),
        act("read", method="GET"),
        record("record-1", status="active", owner="bob"),
    )
    assert decision(ask(pdp, EVALUATION, asked)) is True


MORE: Body = {"foo": "bar", "futureField": {"nested": True}}


@EVERY_ENDPOINT
def test_fields_that_nobody_knows_are_ignored_wherever_they_are(pdp: World, path: str) -> None:
    plain = said(ask(pdp, path, ASKED[path]))
    deeper = {name: {**value, **MORE} if isinstance(value, dict) else value for name, value in ASKED[path].items()}
    for asked in ({**ASKED[path], **MORE}, {**deeper, **MORE}):
        assert gist(said(ask(pdp, path, asked))) == gist(plain)


@pytest.mark.parametrize(("path", "part"), [(path, part) for path, parts in NEEDED.items() for part in parts])
def test_a_question_that_lacks_a_part_is_refused(pdp: World, path: str, part: str) -> None:
    """Each entity and each of its fields, for every endpoint; the thing searched for needs a type and no id."""
    asked = without(ASKED[path], part)
    assert_refused(ask(pdp, path, {**asked, "evaluations": []} if path == EVALUATIONS else asked))


@EVERY_ENDPOINT
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(pdp: World, path: str, content_type: str) -> None:
    content = json.dumps(ASKED[path]).encode()
    assert_refused(ask(pdp, path, content=content, headers={"Content-Type": content_type}))


@EVERY_ENDPOINT
@pytest.mark.parametrize("content", [b"{", b'{"subject": ', b"not JSON", b""], ids=str)
def test_malformed_json_and_an_empty_body_are_refused(pdp: World, path: str, content: bytes) -> None:
    assert_refused(ask(pdp, path, content=content))


WRONG_TYPES: dict[str, tuple[str, Any]] = {
    "a string for the subject": ("subject", "alice"),
    "a string for the action": ("action", "read"),
    "a string for the resource": ("resource", "record-1"),
    "a number for the name of the action": ("action.name", 123),
    "a number for the type of the subject": ("subject.type", 1),
    "a number for the id of the subject": ("subject.id", 1),
    "a number for the type of the resource": ("resource.type", 1),
    "a number for the id of the resource": ("resource.id", 1),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_a_field_of_the_wrong_type_is_refused(pdp: World, case: str) -> None:
    place, value = WRONG_TYPES[case]
    assert_refused(ask(pdp, EVALUATION, changed(READS, place, value)))


@pytest.mark.parametrize("status", [200, 400, 401])
@EVERY_ENDPOINT
def test_the_name_of_a_request_is_echoed_in_answers_and_errors(pdp: World, path: str, status: int) -> None:
    sent = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    world = pdp.as_("nobody's key") if status == 401 else pdp
    response = ask(world, path, [] if status == 400 else ASKED[path], headers={"X-Request-ID": sent})
    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == [sent]


@EVERY_ENDPOINT
def test_a_request_without_a_name_is_answered(pdp: World, path: str) -> None:
    response = ask(pdp, path, ASKED[path])
    said(response)
    assert all(response.headers.get_list("x-request-id"))


@pytest.mark.parametrize("rule", RULES)
def test_the_same_question_has_the_same_answer_every_time(pdp: World, rule: str) -> None:
    asked, expected = RULES[rule]
    assert [decision(ask(pdp, EVALUATION, asked)) for _ in range(TIMES)] == [expected] * TIMES


# --- batches --------------------------------------------------------------------------------------------------------

BATCHES: dict[str, tuple[Body, list[Body], list[bool]]] = {
    "two resources": (
        {"subject": user("alice"), "action": act("read")},
        [{"resource": record("record-1")}, {"resource": record("record-2")}],
        [True, True],
    ),
    "rules 3 and 4": (
        {"subject": user("bob"), "resource": record("record-1")},
        [{"action": act("read")}, {"action": act("write")}],
        [True, False],
    ),
    "rules 4 and 3": (
        {"subject": user("bob"), "resource": record("record-1")},
        [{"action": act("write")}, {"action": act("read")}],
        [False, True],
    ),
    "no defaults": (
        {},
        [question("alice", "read", "record-1"), question("bob", "write", "record-1")],
        [True, False],
    ),
    "properties of a resource for each item": (
        {"subject": user("alice"), "action": act("write")},
        [{"resource": record("record-1", status="active")}, {"resource": record("record-2", **ARCHIVED)}],
        [True, False],
    ),
    "properties of a subject for each item": (
        {"action": act("write"), "resource": record("record-2", **ARCHIVED)},
        [{"subject": user("alice")}, {"subject": user("bob", **ADMIN)}],
        [False, True],
    ),
    "an empty item inherits everything": (READS, [{}, {"action": act("teleport")}, {}], [True, False, True]),
    "an entity is replaced whole, and its properties are not inherited": (
        question("alice", "write", record("record-1", **ARCHIVED)),
        [{}, {"resource": record("record-1")}, {"resource": record("record-1", owner="bob")}],
        [False, True, True],
    ),
    "an action is replaced whole": (
        question("alice", act("delete", soft=True)),
        [{}, {"action": act("delete")}, {"action": act("delete", soft=False)}, {"action": act("read")}],
        [True, False, False, True],
    ),
    "a subject is replaced whole": (
        question(user("alice", **ADMIN), "write", "record-2"),
        [{}, {"subject": user("alice")}, {"subject": user("bob")}],
        [True, False, True],
    ),
    "every rule": ({}, [asked for asked, _ in RULES.values()], [expected for _, expected in RULES.values()]),
}


@pytest.mark.parametrize("case", BATCHES)
def test_a_batch_has_a_decision_for_each_item_in_order(pdp: World, case: str) -> None:
    defaults, items, expected = BATCHES[case]
    assert batch(pdp, *items, **defaults) == expected
    assert batch(pdp, *items, **defaults, options={"evaluations_semantic": "execute_all"}) == expected


def test_a_batch_takes_a_context_for_all_and_a_context_for_one(pdp: World) -> None:
    items = [
        {"resource": record("record-1")},
        {
            "resource": record("record-2"),
            "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"},
        },
    ]
    decided = batch(pdp, *items, subject=user("alice"), action=act("read"), context={"time": "2025-06-27T18:03-07:00"})
    assert decided == [True, True]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("part", NEEDED[EVALUATION])
def test_an_incomplete_item_is_denied_with_its_error_and_the_others_are_answered(
    pdp: World, part: str, at: int
) -> None:
    items = [READS, READS, READS]
    items[at] = without(READS, part)
    answered = said(ask(pdp, EVALUATIONS, {"evaluations": items}))["evaluations"]
    assert [one(item) for item in answered] == [place != at for place in range(3)]
    error = answered[at]["context"]["error"]
    assert error["status"] == 400
    assert isinstance(error["message"], str)
    assert error["message"]


def test_an_empty_item_is_incomplete_where_the_defaults_are(pdp: World) -> None:
    defaults = {"subject": user("alice"), "action": act("read")}
    assert batch(pdp, {"resource": record("record-1")}, {}, **defaults) == [True, False]


def test_a_default_that_is_incomplete_spoils_no_item_that_is_complete(pdp: World) -> None:
    """The first item says all but the type of its resource, which the default does; the others say everything."""
    items = [
        {"resource": {"id": "record-1", "properties": {"status": "active"}}},
        {"resource": record("record-2", **ARCHIVED)},
        {"resource": record("record-1")},
    ]
    defaults = {"subject": user("alice"), "action": act("write"), "resource": {"type": "record"}}
    assert batch(pdp, *items, **defaults)[1:] == [False, True]


@pytest.mark.parametrize("more", [{}, {"evaluations": []}], ids=["absent", "empty"])
@pytest.mark.parametrize("rule", RULES)
def test_a_batch_that_lists_nothing_is_a_single_question(pdp: World, rule: str, more: Body) -> None:
    asked, expected = RULES[rule]
    response = ask(pdp, EVALUATIONS, {**asked, **more})
    assert decision(response) is expected
    assert gist(response.json()) == gist(ask(pdp, EVALUATION, asked).json())


# --- searches -------------------------------------------------------------------------------------------------------

FOUND: dict[str, tuple[str, Body, set[str]]] = {
    "who may read record-1": (SUBJECTS, ASKED[SUBJECTS], {"alice", "bob"}),
    "what alice may read": (RESOURCES, ASKED[RESOURCES], {"record-1", "record-2"}),
    "what alice may do with record-1": (ACTIONS, ASKED[ACTIONS], {"read", "write"}),
    "who may write record-2, which is archived": (
        SUBJECTS,
        {"subject": {"type": "user"}, "action": act("write"), "resource": record("record-2", **ARCHIVED)},
        {"bob"},
    ),
    "the same, as it is stored": (
        SUBJECTS,
        {"subject": {"type": "user"}, "action": act("write"), "resource": record("record-2")},
        {"bob"},
    ),
    "what bob may write, an admin": (
        RESOURCES,
        {"subject": user("bob", **ADMIN), "action": act("write"), "resource": {"type": "record"}},
        {"record-2"},
    ),
    "the same, as it is stored of him": (
        RESOURCES,
        {"subject": user("bob"), "action": act("write"), "resource": {"type": "record"}},
        {"record-2"},
    ),
    "what bob may do with record-2": (
        ACTIONS,
        {"subject": user("bob", **ADMIN), "resource": record("record-2", **ARCHIVED)},
        {"read", "write"},
    ),
    "what alice may write": (
        RESOURCES,
        {"subject": user("alice"), "action": act("write"), "resource": {"type": "record"}},
        {"record-1"},
    ),
    "what alice may delete softly": (
        RESOURCES,
        {"subject": user("alice"), "action": act("delete", soft=True), "resource": {"type": "record"}},
        {"record-1", "record-2"},
    ),
    "who may delete record-1 softly": (
        SUBJECTS,
        {"subject": {"type": "user"}, "action": act("delete", soft=True), "resource": record("record-1")},
        {"alice"},
    ),
}
CAST = {"alice", "bob", "record-1", "record-2", "read", "write", "delete"}


@WITH_AND_WITHOUT_CONTEXT
@pytest.mark.parametrize("case", FOUND)
def test_a_search_finds_who_and_what_may_and_nobody_else(pdp: World, case: str, context: Body) -> None:
    """Of the fixture: the node has other people and actions of its own. Each result is asked about singly, too."""
    path, asked, expected = FOUND[case]
    asked = {**asked, **context}
    body = said(ask(pdp, path, asked))
    named = results(body, path, asked.get(SEARCHED[path], {}).get("type"))
    assert set(named) & CAST == expected
    for result in body["results"]:
        assert decision(ask(pdp, EVALUATION, evaluated(path, asked, result))) is True


@pytest.mark.parametrize("path", [SUBJECTS, RESOURCES])
def test_an_id_of_the_thing_that_is_searched_for_is_ignored(pdp: World, path: str) -> None:
    expected = said(ask(pdp, path, ASKED[path]))
    for name in ("nobody", "alice", "record-2"):
        asked = changed(ASKED[path], f"{SEARCHED[path]}.id", name)
        assert said(ask(pdp, path, asked))["results"] == expected["results"]


@EVERY_SEARCH
def test_a_search_takes_a_limit_and_then_a_token_alone(pdp: World, path: str) -> None:
    """Every search of the fixture finds more than one: the first page is never the last."""
    first = said(ask(pdp, path, {**ASKED[path], "page": {"limit": 1}}))
    assert len(results(first, path)) == 1
    token = next_token(first)
    assert token
    second = said(ask(pdp, path, {**ASKED[path], "page": {"token": token}}))
    assert isinstance(second["page"]["next_token"], str)
    assert len(results(second, path)) == 1
    assert second["results"] != first["results"]


@EVERY_SEARCH
def test_pages_together_are_the_whole_and_the_last_has_an_empty_token(pdp: World, path: str) -> None:
    whole = found(pdp, path, ASKED[path])
    asked: Body = {**ASKED[path], "page": {"limit": 1}}
    named: list[str] = []
    for _ in whole:
        body = said(ask(pdp, path, asked))
        assert len(body["results"]) <= 1
        named += results(body, path)
        asked = {**ASKED[path], "page": {"token": next_token(body)}}
        if not next_token(body):
            break
    assert sorted(named) == sorted(whole)
    assert body["page"]["next_token"] == ""


NOTHING: dict[str, tuple[str, Body]] = {
    "actions of nobody": (ACTIONS, {"subject": user("nonexistent-user"), "resource": record("record-1")}),
    "actions of a spaceship": (ACTIONS, {"subject": {"type": "spaceship", "id": "alice"}, "resource": record()}),
    "actions on an unknown record": (ACTIONS, {"subject": user("alice"), "resource": record("record-9")}),
    "actions on a spaceship": (
        ACTIONS,
        {"subject": user("alice"), "resource": {"type": "spaceship", "id": "record-1"}},
    ),
    "spaceships that may read": (SUBJECTS, {**READS, "subject": {"type": "spaceship"}}),
    "what nobody may read": (RESOURCES, {**READS, "subject": user("nobody"), "resource": {"type": "record"}}),
    "what a spaceship may read": (
        RESOURCES,
        {**READS, "subject": {"type": "spaceship", "id": "alice"}, "resource": {"type": "record"}},
    ),
    "spaceships that alice may read": (RESOURCES, {**READS, "resource": {"type": "spaceship"}}),
    "what alice may teleport": (RESOURCES, {**READS, "action": act("teleport"), "resource": {"type": "record"}}),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_search_about_what_is_unknown_finds_nothing(pdp: World, case: str) -> None:
    path, asked = NOTHING[case]
    body = said(ask(pdp, path, asked))
    assert body["results"] == []
    assert next_token(body) == ""


@pytest.mark.parametrize(
    "more",
    [{"resource": record("record-9")}, {"resource": {"type": "spaceship", "id": "record-1"}}, {"action": act("beam")}],
    ids=["record", "type", "action"],
)
def test_nobody_of_the_fixture_may_do_anything_that_is_unknown(pdp: World, more: Body) -> None:
    """Root may, who owns the organization and everything in it."""
    assert not CAST & set(found(pdp, SUBJECTS, {**ASKED[SUBJECTS], **more}))


# --- discovery ------------------------------------------------------------------------------------------------------

ENDPOINTS = {
    "access_evaluation_endpoint": EVALUATION,
    "access_evaluations_endpoint": EVALUATIONS,
    "search_subject_endpoint": SUBJECTS,
    "search_resource_endpoint": RESOURCES,
    "search_action_endpoint": ACTIONS,
}


@pytest.fixture(scope="module")
def metadata(pdp: World) -> Body:
    """What the node says of itself to somebody without a credential."""
    response = pdp.client.get(METADATA)
    assert response.status_code == 200, response.text
    assert media_type(response) == "application/json"
    return dict(response.json())


def test_the_decision_point_is_the_address_that_was_asked(metadata: Body, server: Server) -> None:
    assert metadata["policy_decision_point"] == server.url


@pytest.mark.parametrize("name", ["policy_decision_point", *ENDPOINTS])
def test_every_address_is_https_without_query_or_fragment(metadata: Body, server: Server, name: str) -> None:
    parts = urlsplit(metadata[name])
    assert parts.scheme == "https"
    assert parts.netloc == urlsplit(server.url).netloc
    assert not parts.query
    assert not parts.fragment


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_address_answers_the_question_that_it_is_for(pdp: World, metadata: Body, name: str) -> None:
    said(ask(pdp, metadata[name], ASKED[ENDPOINTS[name]]))


def test_capabilities_are_names_or_not_mentioned(metadata: Body) -> None:
    capabilities = metadata.get("capabilities", ["urn:none"])
    assert capabilities
    assert all(isinstance(name, str) and name.startswith("urn:") for name in capabilities)


def test_the_signed_metadata_is_verified_by_our_published_keys_and_says_the_same(
    pdp: World, server: Server, metadata: Body
) -> None:
    published = KeySet.import_key_set(pdp.client.get("/.well-known/jwks.json").json())
    token = jwt.decode(metadata["signed_metadata"], published, algorithms=["RS256"])
    assert token.header["alg"] == "RS256"
    assert token.claims["iss"].startswith(server.url)
    plain = {name: value for name, value in metadata.items() if name != "signed_metadata"}
    assert {name: token.claims[name] for name in plain} == plain


def test_all_of_this_is_said_over_tls(pdp: World, server: Server) -> None:
    assert pdp.client.base_url.scheme == "https"
    assert server.authority is not None
    assert may(pdp) is True
