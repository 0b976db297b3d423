"""The decision point in this process: what it reads, whom it answers, within which bounds, and how fresh that is."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from api.auth0 import answers
from api.auth0.answers import application as auth0_application
from api.auth0.logins import CLIENT_CREDENTIALS
from api.authzen.records import (
    ACTIONS,
    ASKED,
    EVALUATE,
    EVALUATION,
    EVALUATIONS,
    METADATA,
    READS,
    RECORDS,
    RESOURCES,
    SEARCH,
    SEARCHED,
    SEARCHES,
    SUBJECTS,
    Body,
    Records,
    act,
    ask,
    asker,
    assert_refused,
    batch,
    changed,
    decision,
    describe,
    evaluated,
    found,
    gist,
    load,
    may,
    next_token,
    one,
    question,
    record,
    register,
    results,
    root_of,
    said,
    user,
)
from api.conftest import UNKNOWN_ID, nothing_written
from loopback import Loopback
from rescind.app import application
from rescind.node import build
from rescind.settings import Settings
from tenant import CLIENT_ID, CLIENT_SECRET, MANAGEMENT, PUBLIC_URL, Tenant, quoted
from world import ROOT_KEY, Person, World, allow, root_of_another

MEBIBYTE = 1024 * 1024
ITEMS_MAX = 5000
CUT_OFF = (401, 403)

EVERY_ENDPOINT = pytest.mark.parametrize("path", ASKED)
EVERY_SEARCH = pytest.mark.parametrize("path", SEARCHES)


@dataclass(frozen=True)
class Stage:
    """The records, and the platform on the same node."""

    records: Records
    tenant: Tenant

    @property
    def root(self) -> World:
        return self.records.root

    @property
    def pdp(self) -> World:
        return self.records.enforcer

    @property
    def organization(self) -> str:
        return self.records.organization

    def platform(self, *scopes: str) -> World:
        """Spoken to with an access token of these scopes."""
        return self.root.as_(str(self.tenant.holding(*scopes).token))

    def public_id(self, person: Person) -> str:
        """What the platform calls a member."""
        return str(self.tenant.get("/users-by-email", email=person.email)[0]["user_id"])

    def public_organization(self) -> str:
        """What the platform calls the organization."""
        held = self.tenant.get(f"/users/{quoted(self.public_id(self.records.alice))}/organizations")
        return str(held[0]["id"])


def staged(tenant: Tenant) -> Stage:
    return Stage(load(World(tenant.http, ROOT_KEY, tenant.node)), tenant)


@contextmanager
def opened(database: str) -> Iterator[Stage]:
    built = build(Settings(database=database, public_url=PUBLIC_URL))
    with Loopback(application(built), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        yield staged(Tenant(client, built))
    built.store.close()


@pytest.fixture(scope="module")
def standing(make_database: Callable[[str], str]) -> Iterator[Stage]:
    """One stage for all that only ask, or are refused."""
    with opened(make_database("sqlite")) as stage:
        yield stage


@pytest.fixture
def stage(small_tenant: Tenant) -> Stage:
    """A stage of this test's own."""
    return staged(small_tenant)


def send(world: World, path: str, content: bytes, content_type: str | None = "application/json") -> httpx2.Response:
    """Bytes, with a content type or none."""
    headers = {"Authorization": f"Bearer {world.key}"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    return world.client.post(path, content=content, headers=headers)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


# --- transport ------------------------------------------------------------------------------------------------------

OTHER_TYPES = (
    None,
    "",
    "text/plain",
    "text/json",
    "application/jsonx",
    "application/json-patch+json",
    "application/problem+json",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "multipart/form-data; boundary=x",
    "json",
)


@EVERY_ENDPOINT
@pytest.mark.parametrize("content_type", OTHER_TYPES)
def test_a_body_that_does_not_say_that_it_is_json_is_refused(
    standing: Stage, path: str, content_type: str | None
) -> None:
    assert_refused(send(standing.pdp, path, encoded(ASKED[path]), content_type))


@EVERY_ENDPOINT
@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json ; a=b"],
)
def test_a_content_type_may_have_parameters_and_any_case(standing: Stage, path: str, content_type: str) -> None:
    said(send(standing.pdp, path, encoded(ASKED[path]), content_type))


MALFORMED = {
    "nothing": b"",
    "a blank": b" ",
    "a brace": b"{",
    "a missing value": b'{"subject": }',
    "a trailing comma": encoded(READS)[:-1] + b",}",
    "single quotes": b"{'subject': 'alice'}",
    "two values": encoded(READS) + encoded(READS),
    "a form": b"subject=alice",
    "XML": b"<subject>alice</subject>",
    "a broken character": b'{"subject": "\xff\xfe"}',
    "a broken character deep inside": b'{"evaluations": [{"subject": {"type": "user", "id": "\xff"}}], "context": 1}',
    "UTF-16": json.dumps(READS).encode("utf-16"),
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a string": b'"subject"',
    "a list": b"[]",
    "a list of a question": encoded([READS]),
    "an empty object": b"{}",
}


@EVERY_ENDPOINT
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_no_well_formed_question_is_refused(standing: Stage, path: str, content: bytes) -> None:
    assert_refused(send(standing.pdp, path, content))


def nested(depth: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    return opening * depth + b"1" + closing * depth


@EVERY_ENDPOINT
@pytest.mark.parametrize("place", ["unknown", "context"])
@pytest.mark.parametrize(
    "deep",
    [nested(100), nested(100, b"[", b"]"), nested(10_000), nested(10_000, b"[", b"]"), b"[" * 100_000],
    ids=["objects", "lists", "10,000 objects", "10,000 lists", "100,000 lists without an end"],
)
def test_what_is_nested_too_deep_is_refused(standing: Stage, path: str, place: str, deep: bytes) -> None:
    value = b'{"deep": ' + deep + b"}" if place == "context" else deep
    content = encoded(ASKED[path])[:-1] + b', "' + place.encode() + b'": ' + value + b"}"
    assert_refused(send(standing.pdp, path, content))


def test_what_is_nested_as_people_nest_is_read(standing: Stage) -> None:
    content = encoded(READS)[:-1] + b', "context": {"deep": ' + nested(30) + b"}}"
    assert decision(send(standing.pdp, EVALUATION, content)) is True


def padded(length: int) -> bytes:
    content = encoded({**READS, "padding": ""})
    return content.replace(b'"padding": ""', b'"padding": "' + b"x" * (length - len(content)) + b'"')


def test_a_question_of_one_mebibyte_is_read_and_one_byte_more_is_refused(standing: Stage) -> None:
    assert len(padded(MEBIBYTE)) == MEBIBYTE
    assert decision(send(standing.pdp, EVALUATION, padded(MEBIBYTE))) is True
    assert_refused(send(standing.pdp, EVALUATION, padded(MEBIBYTE + 1)))
    assert_refused(send(standing.pdp, EVALUATION, b" " * (4 * MEBIBYTE)))


@pytest.mark.parametrize("item", [{}, READS], ids=["inheriting", "complete"])
def test_a_batch_of_five_thousand_is_answered_and_one_more_is_refused(standing: Stage, item: Body) -> None:
    assert batch(standing.pdp, *[item] * ITEMS_MAX, **READS) == [True] * ITEMS_MAX
    for more in (1, ITEMS_MAX):
        assert_refused(ask(standing.pdp, EVALUATIONS, {**READS, "evaluations": [item] * (ITEMS_MAX + more)}))


STRANGE: dict[str, bytes] = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a number beyond all numbers": b"1e999999",
    "an integer of 10,000 digits": b"9" * 10_000,
    "a lone surrogate": b'"\\ud800"',
    "surrogates in the wrong order": b'"\\udc00\\ud800"',
    "NUL": b'"\\u0000"',
    "NUL in a name": b'"alice\\u0000"',
    "an empty string": b'""',
    "a very long string": b'"' + b"x" * 100_000 + b'"',
    "a star": b'"*"',
    "a star behind a name": b'"record-*"',
    "the marks of our own spelling": b'"\\u0001\\u0003"',
    "a blank": b'" alice"',
    "a path": b'"../../etc/passwd"',
    "a statement": b'"\' OR 1=1 --"',
    "letters of elsewhere": '"àlice\u202e"'.encode(),
}


@pytest.mark.parametrize("place", ["subject.type", "subject.id", "action.name", "resource.type", "resource.id"])
@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_strange_names_are_refused_or_denied(standing: Stage, place: str, value: bytes) -> None:
    content = encoded(changed(READS, place, "@@")).replace(b'"@@"', value)
    response = send(standing.pdp, EVALUATION, content)
    if response.status_code == 200:
        assert decision(response) is False
    else:
        assert_refused(response)
    for path in SEARCHES:
        name, _, field = place.partition(".")
        if name in ASKED[path] and (name != SEARCHED[path] or field == "type"):
            content = encoded(changed(ASKED[path], place, "@@")).replace(b'"@@"', value)
            response = send(standing.pdp, path, content)
            if response.status_code == 200:
                # Root may do anything with anything.
                assert not {"alice", "bob", "record-1", "read"} & set(results(said(response), path))
            else:
                assert_refused(response)


@pytest.mark.parametrize("place", ["subject", "action", "resource"])
@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b'"\\ud800"', b'"a\\u0000"'], ids=str)
def test_strange_properties_are_refused_or_decided_and_break_nothing(standing: Stage, place: str, value: bytes) -> None:
    asked = changed(question(action="teleport"), f"{place}.properties", {"odd": "@@", "status": "@@"})
    response = send(standing.pdp, EVALUATION, encoded(asked).replace(b'"@@"', value))
    if response.status_code == 200:
        assert decision(response) is False
    else:
        assert_refused(response)


WRONG = ("alice", "", 1, 1.5, True, [], [{}], None)
WRONG_TEXTS = (1, 0, 1.5, True, False, [], ["alice"], {}, {"a": "b"}, None)
WRONG_OBJECTS = ("x", 1, True, [], [{}])
WRONG_TYPES = [
    *[(place, value) for place in ("subject", "action", "resource") for value in WRONG],
    *[
        (place, value)
        for place in ("subject.type", "subject.id", "action.name", "resource.type", "resource.id")
        for value in WRONG_TEXTS
    ],
    *[(f"{place}.properties", value) for place in ("subject", "action", "resource") for value in WRONG_OBJECTS],
    *[("context", value) for value in WRONG_OBJECTS],
]


@pytest.mark.parametrize(("place", "value"), WRONG_TYPES, ids=str)
def test_a_value_of_the_wrong_type_is_refused_by_every_endpoint_that_reads_it(
    standing: Stage, place: str, value: Any
) -> None:
    """Of the thing that is searched for, nothing is read but its type."""
    name, _, field = place.partition(".")
    for path, body in ASKED.items():
        if path == EVALUATIONS:
            response = ask(standing.pdp, path, {**changed(READS, place, value), "evaluations": []})
        elif name in (*body, "context") and (SEARCHED.get(path) != name or field in ("", "type")):
            response = ask(standing.pdp, path, changed(body, place, value))
        else:
            continue
        assert_refused(response)


@pytest.mark.parametrize("value", [{}, {"0": {}}, "x", 1, True], ids=str)
def test_evaluations_that_are_no_list_are_refused(standing: Stage, value: Any) -> None:
    assert_refused(ask(standing.pdp, EVALUATIONS, {**READS, "evaluations": value}))


@pytest.mark.parametrize(
    "item", ["alice", 1, None, [], {"subject": "alice"}, {"subject": user() | {"id": 1}}, {"context": "x"}], ids=str
)
def test_an_item_of_the_wrong_type_is_never_allowed(standing: Stage, item: Any) -> None:
    """Either the batch is refused, or that item is denied and the others are answered."""
    response = ask(standing.pdp, EVALUATIONS, {**READS, "evaluations": [{}, item, {}]})
    if response.status_code == 200:
        assert [one(answer) for answer in said(response)["evaluations"]] == [True, False, True]
    else:
        assert_refused(response)


OPTIONS = [
    *["x", 1, True, []],
    *[{"evaluations_semantic": value} for value in ("", "EXECUTE_ALL", "execute-all", "unknown", 1, True, [], {})],
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_that_mean_nothing_are_refused(standing: Stage, options: Any) -> None:
    assert_refused(ask(standing.pdp, EVALUATIONS, {**READS, "evaluations": [{}], "options": options}))


@EVERY_ENDPOINT
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(standing: Stage, path: str, method: str) -> None:
    response = standing.pdp.call(method, path)
    assert_refused(response, 405)
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_metadata_is_only_read(standing: Stage, method: str) -> None:
    assert_refused(standing.pdp.call(method, METADATA), 405)


@pytest.mark.parametrize(
    "path",
    [
        "/access/v1",
        "/access/v1/",
        "/access/v1/nothing",
        "/access/v1/evaluation/",
        "/access/v1/evaluation/x",
        "/access/v1/search",
        "/access/v1/search/",
        "/access/v1/search/spaceship",
        "/access/v1//evaluation",
        "/access/v1/Evaluation",
    ],
)
def test_an_unknown_path_is_not_found(standing: Stage, path: str) -> None:
    assert_refused(ask(standing.pdp, path, READS), 404)


REQUEST_NAMES = ("42", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "a name with blanks", "trace=1;span=2/ab+c", "x" * 200)


@pytest.mark.parametrize("name", REQUEST_NAMES)
def test_the_name_of_a_request_is_echoed_whatever_comes_of_it(standing: Stage, name: str) -> None:
    powerless = standing.root.as_(asker(standing.root).key)
    headers = {"X-Request-ID": name}
    for world, method, path, status in (
        (standing.pdp, "POST", EVALUATION, 200),
        (standing.pdp, "POST", "/access/v1/nothing", 404),
        (standing.pdp, "GET", EVALUATION, 405),
        (standing.pdp.as_("nobody's"), "POST", EVALUATION, 401),
        (powerless, "POST", EVALUATION, 403),
    ):
        response = world.call(method, path, READS, headers=headers)
        assert response.status_code == status
        assert response.headers.get_list("x-request-id") == [name]
    response = ask(standing.pdp, EVALUATION, content=b"{", headers=headers)
    assert (response.status_code, response.headers.get_list("x-request-id")) == (400, [name])


def test_asking_writes_nothing_and_never_goes_back(standing: Stage) -> None:
    instants = []
    with nothing_written(standing.root):
        for path, body in [*ASKED.items()] * 2:
            response = ask(standing.pdp, path, body)
            said(response)
            instants.append(response.headers["rescind-instant"])
    assert instants == sorted(instants)


# --- callers --------------------------------------------------------------------------------------------------------


def credentials(stage: Stage) -> dict[str, str | None]:
    """What admits nobody."""
    api = stage.tenant.api("read", "write")
    machine = auth0_application(stage.tenant, CLIENT_CREDENTIALS)
    grant = {"client_id": machine.client_id, "audience": api["identifier"], "scope": ["read"]}
    stage.tenant.send("POST", "/client-grants", grant, status=201)
    token = str(stage.tenant.holding(EVALUATE, SEARCH).token)
    head, claims, _ = token.split(".")
    return {
        "none": None,
        "empty": "",
        "a scheme alone": "Bearer",
        "a blank": "Bearer ",
        "a word": "Bearer nonsense",
        "what looks like a token": "Bearer a.b.c",
        "a key without scheme": stage.pdp.key,
        "another scheme": f"Basic {stage.pdp.key}",
        "a key that nobody has": f"Bearer {stage.pdp.key[:-1]}{'a' if stage.pdp.key[-1] != 'a' else 'b'}",
        "a session that nobody has": "Bearer ars-nobody",
        "a client's secret": f"Bearer {CLIENT_SECRET}",
        "a token for another API": f"Bearer {machine.issue(audience=api['identifier'])['access_token']}",
        "a token that nobody signed": f"Bearer {head}.{claims}.",
        "a token that somebody else signed": f"Bearer {head}.{claims}.{'A' * 342}",
    }


def test_who_shows_no_good_credential_is_not_answered(standing: Stage) -> None:
    """401 from every endpoint, and the refusal does not repeat what was shown."""
    for case, authorization in credentials(standing).items():
        headers = {} if authorization is None else {"Authorization": authorization}
        for path, body in [*ASKED.items(), (EVALUATIONS, {"evaluations": [{"subject": "nobody's question"}]})]:
            response = standing.pdp.client.post(path, json=body, headers=headers)
            assert response.status_code == 401, case
            assert_refused(response, 401)
            secret = (authorization or "").removeprefix("Bearer").strip()
            assert len(secret) < 8 or secret not in response.text, case


RIGHTS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "nothing": ((), set()),
    "to evaluate": ((EVALUATE,), {EVALUATION, EVALUATIONS}),
    "to search": ((SEARCH,), {*SEARCHES}),
    "both": ((EVALUATE, SEARCH), {*ASKED}),
    "everything about decisions": (("iam.decision.*",), {*ASKED}),
    "something else": (("iam.access.Read", "iam.user.List", "read", "write"), set()),
}


def assert_answered_only(world: World, paths: set[str], **context: Any) -> None:
    for path, body in ASKED.items():
        response = ask(world, path, {**body, **context})
        if path in paths:
            said(response)
        else:
            assert_refused(response, 403)


@pytest.mark.parametrize("case", RIGHTS)
def test_a_member_needs_the_right_of_each_endpoint(standing: Stage, case: str) -> None:
    actions, paths = RIGHTS[case]
    assert_answered_only(standing.root.as_(asker(standing.root, *actions).key), paths)


@pytest.mark.parametrize("case", RIGHTS)
def test_a_session_needs_them_of_its_role(standing: Stage, case: str) -> None:
    actions, paths = RIGHTS[case]
    _, token = session(standing.root, standing.root.person(), *actions)
    assert_answered_only(standing.root.as_(token), paths)


def test_root_needs_none(standing: Stage) -> None:
    assert_answered_only(standing.root, {*ASKED})


def test_the_right_is_one_on_the_organization(standing: Stage) -> None:
    here, elsewhere = asker(standing.root), asker(standing.root)
    for person, target in ((here, standing.organization), (elsewhere, UNKNOWN_ID)):
        policy = standing.root.policy(allow(EVALUATE, SEARCH, on=f"organization:{target}"))
        standing.root.attach_policy(policy, user=person.id)
    assert_answered_only(standing.root.as_(here.key), {*ASKED})
    assert_answered_only(standing.root.as_(elsewhere.key), set())


SCOPES: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "to evaluate": ((EVALUATE,), {EVALUATION, EVALUATIONS}),
    "to search": ((SEARCH,), {*SEARCHES}),
    "both": ((EVALUATE, SEARCH), {*ASKED}),
    "something else": (("read:users", "read:organizations"), set()),
}


@pytest.mark.parametrize("inside", [False, True], ids=["outside", "in an organization"])
@pytest.mark.parametrize("case", SCOPES)
def test_a_client_of_the_platform_needs_the_scope_of_each_endpoint(standing: Stage, case: str, *, inside: bool) -> None:
    scopes, paths = SCOPES[case]
    context = {"context": {"organization": standing.organization}} if inside else {}
    assert_answered_only(standing.platform(*scopes), paths, **context)


def session(root: World, person: Person, *actions: str, on: str | list[str] = "*") -> tuple[str, str]:
    """The id and the token of a session of hers in a role with these rights."""
    role = root.role(*([root.policy(allow(*actions, on=on))] if actions else []), role_type="assumable")
    trust = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": person.id}
    root.post("/v2/role-trusts", trust)
    root.attach_policy(root.policy(allow("iam.role.AssumeRole")), user=person.id)
    opened = root.as_(person.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "s"})
    return str(opened["id"]), str(opened["session_token"])


def delete_key(stage: Stage) -> None:
    path = f"/v2/users/{stage.records.enforcer_id}/apikeys"
    stage.root.delete(f"{path}/{stage.root.get(path)['api_keys'][0]['id']}")


def suspend(stage: Stage, user_id: str) -> None:
    path = f"/v2/organizations/{stage.organization}/user/{user_id}/suspend"
    assert stage.root.status(path, "PUT") == 204


def forget(stage: Stage, user_id: str) -> None:
    stage.root.delete(f"/v2/users/{user_id}")


def disarm(stage: Stage) -> None:
    held = stage.root.get(f"/v2/users/{stage.records.enforcer_id}/policies")["policies"]["direct"]
    for policy in held:
        stage.root.delete(f"/v2/policies/{policy['id']}/users/{stage.records.enforcer_id}")


CALLER_CUTS: dict[str, Callable[[Stage], None]] = {
    "its key is deleted": delete_key,
    "it is suspended": lambda stage: suspend(stage, stage.records.enforcer_id),
    "it is removed": lambda stage: forget(stage, stage.records.enforcer_id),
    "its policy is detached": disarm,
}


@pytest.mark.parametrize("cut", CALLER_CUTS)
def test_a_caller_is_not_answered_any_more_as_soon_as(stage: Stage, cut: str) -> None:
    assert_answered_only(stage.pdp, {*ASKED})
    CALLER_CUTS[cut](stage)
    for path, body in ASKED.items():
        assert_refused(ask(stage.pdp, path, body), *CUT_OFF)


def test_a_session_is_not_answered_any_more_as_soon_as_it_ends(stage: Stage) -> None:
    _, token = session(stage.root, stage.root.person(), EVALUATE, SEARCH)
    world = stage.root.as_(token)
    assert_answered_only(world, {*ASKED})
    stage.root.delete(f"/v2/assumed-roles/{token}")
    for path, body in ASKED.items():
        assert_refused(ask(world, path, body), *CUT_OFF)


def test_a_client_is_not_answered_any_more_as_soon_as_its_grant_or_itself_goes(stage: Stage) -> None:
    machine = auth0_application(stage.tenant, CLIENT_CREDENTIALS)
    wanted = {"client_id": machine.client_id, "audience": MANAGEMENT, "scope": [EVALUATE, SEARCH]}
    grant = stage.tenant.send("POST", "/client-grants", wanted, status=201)["id"]
    world = stage.root.as_(str(machine.issue()["access_token"]))
    assert_answered_only(world, {*ASKED})
    stage.tenant.send("PATCH", f"/client-grants/{grant}", {"scope": [SEARCH]}, status=200)
    assert_answered_only(world, {*SEARCHES})
    stage.tenant.send("PATCH", f"/client-grants/{grant}", {"scope": [EVALUATE, SEARCH]}, status=200)
    stage.tenant.send("DELETE", f"/clients/{machine.client_id}", status=204)
    for path, body in ASKED.items():
        assert_refused(ask(world, path, body), *CUT_OFF)


# --- where a decision is made ---------------------------------------------------------------------------------------


def inside(body: Body, organization: Any) -> Body:
    return {**body, "context": {"organization": organization}}


def test_without_another_word_a_member_asks_in_its_own_organization(standing: Stage) -> None:
    for path, body in ASKED.items():
        plain = gist(said(ask(standing.pdp, path, body)))
        for name in (standing.organization, standing.public_organization()):
            assert gist(said(ask(standing.pdp, path, inside(body, name)))) == plain


def test_a_client_of_the_platform_asks_outside_until_it_names_an_organization(standing: Stage) -> None:
    """By either of its ids. Outside, nobody knows the alias, and what she has inside does not count."""
    client = standing.platform(EVALUATE, SEARCH)
    herself = standing.records.alice.id
    assert may(client) is False
    assert may(client, user(herself)) is False
    assert found(client, RESOURCES, ASKED[RESOURCES]) == []
    for organization in (standing.organization, standing.public_organization()):
        assert decision(ask(client, EVALUATION, inside(READS, organization))) is True
        assert decision(ask(client, EVALUATION, inside(question(user(herself)), organization))) is True
        assert batch(client, {}, {"action": act("teleport")}, **inside(READS, organization)) == [True, False]
        assert {"alice", "bob"} <= set(found(client, SUBJECTS, inside(ASKED[SUBJECTS], organization)))


def test_the_founder_of_another_organization_may_ask_there(stage: Stage) -> None:
    other = stage.root.post("/v2/organizations", {"name": "Second"})["id"]
    assert decision(ask(stage.root, EVALUATION, inside(READS, other))) is False
    herself = user(stage.records.root_id)
    assert decision(ask(stage.root, EVALUATION, inside(question(herself), other))) is True


NO_ORGANIZATIONS = (UNKNOWN_ID, answers.ORGANIZATION, "nonsense", "", "*", 1, True, [], {}, ["x"])


@pytest.mark.parametrize("kind", ["member", "client"])
def test_where_nobody_may_ask_nobody_learns_why(stage: Stage, kind: str) -> None:
    """An organization that there is not, that is no name at all or another's: 403 in the same words."""
    world = stage.pdp if kind == "member" else stage.platform(EVALUATE, SEARCH)
    named: list[Any] = [*NO_ORGANIZATIONS]
    if kind == "member":
        assert stage.root.node is not None
        named.append(stage.root.as_(root_of_another(stage.root.node)).organization())
        named.append(stage.root.post("/v2/organizations", {"name": "Second"})["id"])
    for path, body in ASKED.items():
        refused = set()
        for organization in named:
            response = ask(world, path, inside(body, organization))
            assert_refused(response, 403)
            refused.add(response.text)
        assert len(refused) == 1


def test_an_item_of_a_batch_gets_nothing_from_elsewhere(stage: Stage) -> None:
    assert stage.root.node is not None
    other = stage.root.as_(root_of_another(stage.root.node))
    herself = user(root_of(other))
    item = {"subject": herself, "context": {"organization": other.organization()}}
    response = ask(stage.pdp, EVALUATIONS, {**READS, "evaluations": [{}, item]})
    if response.status_code == 200:
        assert [one(answer) for answer in said(response)["evaluations"]] == [True, False]
    else:
        assert_refused(response, 403)


def test_another_organization_s_people_aliases_and_resources_are_unknown(stage: Stage) -> None:
    assert stage.root.node is not None
    other = stage.root.as_(root_of_another(stage.root.node))
    her_root, carol, her_alice = root_of(other), other.person(), other.person()
    describe(other, carol, alias="carol", properties={"role": "admin"})
    describe(other, her_alice, alias="alice", properties={"role": "admin"})
    register(other, "record", "record-1", status="archived")
    register(other, "record", "record-7")
    other.attach_policy(other.policy(allow("read", "write", on="record:*")), user=carol.id)

    for name in ("carol", carol.id, f"email:{carol.email}", her_alice.id, her_root):
        assert may(stage.pdp, name) is False, name
    assert may(stage.pdp, "alice", "write") is True, "what is stored elsewhere is not stored here"
    assert may(stage.pdp, "alice", "write", "record-2") is False
    subjects = set(found(stage.pdp, SUBJECTS, ASKED[SUBJECTS]))
    assert not {"carol", carol.id, her_alice.id} & subjects
    reader = asker(stage.root, "*")
    assert "record-7" not in found(stage.pdp, RESOURCES, {**ASKED[RESOURCES], "subject": user(reader.id)})

    assert may(other, "carol", "write", "record-9") is True
    assert may(other, "alice") is False
    assert may(other, "bob") is False
    assert may(other, stage.records.alice.id) is False
    assert not {"bob", stage.records.alice.id} & set(found(other, SUBJECTS, ASKED[SUBJECTS]))


# --- who and what may be named --------------------------------------------------------------------------------------


def test_a_person_may_be_named_in_every_way(standing: Stage) -> None:
    alice = standing.records.alice
    for name in (alice.id, "alice", f"email:{alice.email}", standing.public_id(alice)):
        assert may(standing.pdp, name) is True, name
        assert may(standing.pdp, name, "write", "record-2") is False, name
        named = found(standing.pdp, ACTIONS, {**ASKED[ACTIONS], "subject": user(name)})
        assert {"read", "write"} <= set(named), name


def test_what_only_looks_like_a_name_of_hers_is_unknown(standing: Stage) -> None:
    alice = standing.records.alice
    key = standing.root.get(f"/v2/users/{alice.id}/apikeys")["api_keys"][0]["id"]
    names = [alice.email, f"email: {alice.email}", "email:", "email:nobody@example.org", f"user:{alice.id}", key]
    for name in [*names, alice.key, standing.records.group, standing.organization, f"alias:{alice.id}"]:
        assert may(standing.pdp, name) is False, name


def test_a_person_without_an_alias_is_found_by_her_id(stage: Stage) -> None:
    carol = join(stage)
    assert carol.id in found(stage.pdp, SUBJECTS, ASKED[SUBJECTS])
    describe(stage.root, carol, alias="carol")
    subjects = found(stage.pdp, SUBJECTS, ASKED[SUBJECTS])
    assert "carol" in subjects
    assert carol.id not in subjects


def test_root_may_do_anything_with_anything(standing: Stage) -> None:
    root = standing.records.root_id
    assert may(standing.pdp, root, "teleport", {"type": "spaceship", "id": "1"}) is True
    assert root in found(standing.pdp, SUBJECTS, ASKED[SUBJECTS])


def test_a_session_may_what_its_role_may_until_it_ends(stage: Stage) -> None:
    carol = stage.root.person()
    id_, token = session(stage.root, carol, "read", on=RECORDS)
    subject = {"type": "session", "id": id_}
    assert may(stage.pdp, subject) is True
    assert may(stage.pdp, subject, "write") is False
    assert may(stage.pdp, carol.id) is False, "the role is not hers"
    for other in (user(id_), {"type": "session", "id": carol.id}, {"type": "session", "id": token}):
        assert may(stage.pdp, other) is False
    stage.root.delete(f"/v2/assumed-roles/{token}")
    assert may(stage.pdp, subject) is False


def test_outside_organizations_clients_and_users_may_what_they_were_given_of_an_api(stage: Stage) -> None:
    tenant, pdp = stage.tenant, stage.platform(EVALUATE, SEARCH)
    api = tenant.api("read", "write")
    machine = auth0_application(tenant, CLIENT_CREDENTIALS)
    wanted = {"client_id": machine.client_id, "audience": api["identifier"], "scope": ["read"]}
    grant = tenant.send("POST", "/client-grants", wanted, status=201)["id"]
    ann, role = tenant.user(), tenant.role((api["identifier"], "read"))
    tenant.assign(ann, role)
    resource = {"type": "resource_server", "id": api["identifier"]}
    client = {"type": "client", "id": machine.client_id}
    for subject in (client, user(ann)):
        assert may(pdp, subject, "read", resource) is True
        assert may(pdp, subject, "write", resource) is False
        assert may(pdp, subject, "read", {**resource, "id": answers.IDENTIFIER}) is False
        asked = question(subject, "read", resource, context={"organization": stage.organization})
        assert decision(ask(pdp, EVALUATION, asked)) is False, "it is no member"
    for nobody in (user(machine.client_id), {"type": "client", "id": ann}, {"type": "client", "id": answers.CLIENT}):
        assert may(pdp, nobody, "read", resource) is False
    assert may(stage.pdp, client, "read", resource) is False, "in an organization there are no clients"

    tenant.send("DELETE", f"/client-grants/{grant}", status=204)
    tenant.send("DELETE", f"/users/{quoted(ann)}/roles", {"roles": [role]}, status=204)
    for subject in (client, user(ann)):
        assert may(pdp, subject, "read", resource) is False


def test_a_client_that_was_deleted_or_a_user_that_was_blocked_may_nothing(stage: Stage) -> None:
    tenant, pdp = stage.tenant, stage.platform(EVALUATE)
    subject = {"type": "client", "id": CLIENT_ID}
    machine = auth0_application(tenant, CLIENT_CREDENTIALS)
    api = tenant.api("read")
    wanted = {"client_id": machine.client_id, "audience": api["identifier"], "scope": ["read"]}
    tenant.send("POST", "/client-grants", wanted, status=201)
    resource = {"type": "resource_server", "id": api["identifier"]}
    assert may(pdp, subject, "read", resource) is False
    subject = {**subject, "id": machine.client_id}
    assert may(pdp, subject, "read", resource) is True
    tenant.send("DELETE", f"/clients/{machine.client_id}", status=204)
    assert may(pdp, subject, "read", resource) is False
    ann = tenant.user()
    tenant.assign(ann, tenant.role((api["identifier"], "read")))
    assert may(pdp, user(ann), "read", resource) is True
    tenant.send("PATCH", f"/users/{quoted(ann)}", {"blocked": True}, status=200)
    assert may(pdp, user(ann), "read", resource) is False


# --- what conditions read -------------------------------------------------------------------------------------------

CONDITIONS: dict[str, tuple[Body, list[tuple[Body, bool]]]] = {
    "a context": (
        {"Bool": {"context.trusted": "true"}},
        [
            ({"context": {"trusted": True}}, True),
            ({"context": {"trusted": False}}, False),
            ({"context": {"trusted": [True]}}, False),
            ({"context": {}}, False),
            ({}, False),
            ({"trusted": True}, False),
        ],
    ),
    "a context within a context": (
        {"NumericLessThan": {"context.device.age": 10}},
        [
            ({"context": {"device": {"age": 9}}}, True),
            ({"context": {"device": {"age": 10}}}, False),
            ({"context": {"device.age": 9}}, False),
            ({"context": {"device": 9}}, False),
        ],
    ),
    "what is asked": (
        {
            "StringEquals": {
                "action.name": "stamp",
                "resource.type": "record",
                "resource.id": "record-1",
                "subject.type": "user",
            }
        },
        [
            ({}, True),
            ({"resource": record("record-2")}, False),
            ({"resource": record("record-2", id="record-1")}, False),
            ({"action": act("stamp", name="other")}, True),
        ],
    ),
    "an action": (
        {"StringEquals": {"action.ink": ["red", "blue"]}},
        [
            ({"action": act("stamp", ink="red")}, True),
            ({"action": act("stamp", ink="green")}, False),
            ({"action": act("stamp")}, False),
        ],
    ),
    "a stored property under one of the request": (
        {"StringEquals": {"resource.status": "active", "resource.owner": "bob"}},
        [
            ({"resource": record("record-1", owner="bob")}, True),
            ({"resource": record("record-1", owner="bob", status="archived")}, False),
            ({"resource": record("record-2", owner="bob")}, False),
            ({"resource": record("record-1")}, False),
        ],
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_a_condition_reads_what_is_asked_and_what_is_stored(stage: Stage, case: str) -> None:
    """Singly and in a batch, whose items inherit or replace whole what the condition reads."""
    condition, rows = CONDITIONS[case]
    policy = stage.root.policy(allow("stamp", on=RECORDS, Condition=condition))
    stage.root.attach_policy(policy, user=stage.records.alice.id)
    plain = question("alice", "stamp")
    for more, expected in rows:
        assert decision(ask(stage.pdp, EVALUATION, {**plain, **more})) is expected, more
        assert batch(stage.pdp, {}, **{**plain, **more}) == [expected]
    items = [{name: value for name, value in more.items() if name in (*plain, "context")} for more, _ in rows]
    assert batch(stage.pdp, *items, **plain) == [expected for _, expected in rows]
    if "context" in rows[0][0]:
        defaults = {**plain, **rows[0][0]}
        assert batch(stage.pdp, {}, {"context": {}}, {"context": {"other": 1}}, **defaults) == [True, False, False]


def test_a_value_that_cannot_be_compared_grants_nothing(standing: Stage) -> None:
    for status in (["archived"], {"is": "archived"}, 1.5):
        assert may(standing.pdp, "alice", "write", record("record-1", status=status)) is False
    for soft in ("yes", ["true"], 1, {}):
        assert may(standing.pdp, "alice", act("delete", soft=soft)) is False


def test_properties_are_merged_by_member_and_null_takes_one_away(stage: Stage) -> None:
    root, bob = stage.root, stage.records.bob
    assert describe(root, bob, properties={"floor": 3})["properties"] == {"role": "admin", "floor": 3}
    assert describe(root, bob, properties={"role": None}) == {
        "id": bob.id,
        "type": "user",
        "alias": "bob",
        "properties": {"floor": 3},
    }
    assert describe(root, bob, alias="robert")["properties"] == {"floor": 3}
    assert describe(root, bob, alias=None)["alias"] in (None, "")


def test_a_registered_resource_is_read_replaced_and_removed(stage: Stage) -> None:
    path = "/v1/resources/record/record-1"
    assert stage.root.get(path)["properties"] == {"status": "active"}
    register(stage.root, "record", "record-1", owner="bob")
    assert stage.root.get(path)["properties"] == {"owner": "bob"}
    stage.root.delete(path)
    assert stage.root.status(path) == 404


@pytest.mark.parametrize("name", ["a/b", "a b", "a:b", "ä", "https://records.example.org/1?a=b"])
def test_the_id_of_a_resource_may_hold_whatever_a_path_encodes(stage: Stage, name: str) -> None:
    path = f"/v1/resources/record/{quote(name, safe='')}"
    response = stage.root.call("PUT", path, {"properties": {"status": "active"}})
    assert (response.status_code, response.json()["id"]) == (200, name)
    policy = stage.root.policy(allow("read", on="record:*", Condition={"StringEquals": {"resource.status": "active"}}))
    stage.root.attach_policy(policy, user=stage.records.alice.id)
    assert may(stage.pdp, "alice", "read", name) is True
    assert name in found(stage.pdp, RESOURCES, ASKED[RESOURCES])


@pytest.mark.parametrize("alias", ["a@b", UNKNOWN_ID, 1, [], {}, True], ids=str)
def test_an_alias_is_a_name_that_no_id_and_no_address_can_be(stage: Stage, alias: Any) -> None:
    response = stage.root.call("PATCH", f"/v1/principals/{stage.records.bob.id}", {"alias": alias})
    assert response.status_code == 400
    assert may(stage.pdp, "bob") is True


def test_two_members_cannot_have_one_alias(stage: Stage) -> None:
    response = stage.root.call("PATCH", f"/v1/principals/{stage.records.bob.id}", {"alias": "alice"})
    assert response.status_code in (400, 409)
    assert may(stage.pdp, "alice", "write") is True


# --- batches --------------------------------------------------------------------------------------------------------

YES, NO, HALF = READS, question(action="teleport"), {"subject": user()}

SEMANTICS: dict[str, tuple[str, list[Body], list[bool]]] = {
    "all of them": ("execute_all", [NO, YES, NO, YES], [False, True, False, True]),
    "until the first that is denied": ("deny_on_first_deny", [YES, YES, NO, YES, NO], [True, True, False]),
    "the first is denied": ("deny_on_first_deny", [NO, YES], [False]),
    "none is denied": ("deny_on_first_deny", [YES, YES], [True, True]),
    "what is incomplete is denied": ("deny_on_first_deny", [YES, HALF, YES], [True, False]),
    "until the first that is permitted": ("permit_on_first_permit", [NO, NO, YES, NO, YES], [False, False, True]),
    "the first is permitted": ("permit_on_first_permit", [YES, NO], [True]),
    "none is permitted": ("permit_on_first_permit", [NO, NO], [False, False]),
    "what is incomplete is not permitted": ("permit_on_first_permit", [HALF, YES, NO], [False, True]),
}


@pytest.mark.parametrize("case", SEMANTICS)
def test_a_batch_goes_on_as_long_as_it_was_told_to(standing: Stage, case: str) -> None:
    semantic, items, expected = SEMANTICS[case]
    assert batch(standing.pdp, *items, options={"evaluations_semantic": semantic}) == expected


@pytest.mark.parametrize("options", [{}, {"options": {}}, {"options": {"unknown": 1}}], ids=str)
def test_a_batch_that_is_told_nothing_answers_everything(standing: Stage, options: Body) -> None:
    assert batch(standing.pdp, NO, YES, NO, **options) == [False, True, False]


def test_defaults_count_only_for_the_item_that_replaces_none_of_them(standing: Stage) -> None:
    defaults = {"subject": user("nobody"), "action": act("teleport"), "resource": record("record-9")}
    assert batch(standing.pdp, READS, {}, READS, **defaults) == [True, False, True]


# --- searches -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(make_database: Callable[[str], str]) -> Iterator[Stage]:
    """A stage with seven more readers, and seven more records that alice may read."""
    with opened(make_database("sqlite")) as stage:
        for number in range(7):
            join(stage, f"reader-{number}")
            register(stage.root, "record", f"record-1{number}")
        policy = stage.root.policy(allow("read", "print", "copy", on="record:*"))
        stage.root.attach_policy(policy, user=stage.records.alice.id)
        yield stage


def join(stage: Stage, alias: str = "") -> Person:
    """A new member of the group, with an alias or none."""
    member = stage.root.person(service=True)
    if alias:
        describe(stage.root, member, alias=alias)
    body = {"user_id": member.id, "display_name": ""}
    stage.root.post(f"/v2/groups/{stage.records.group}/members", body)
    return member


@EVERY_SEARCH
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_are_no_longer_than_asked_and_together_the_whole(crowd: Stage, path: str, limit: int) -> None:
    """A token alone goes on as the first request began; the same limit again says the same."""
    body = ASKED[path]
    whole = found(crowd.pdp, path, body)
    assert len(whole) >= 4
    for again in ({}, {"limit": limit}):
        named: list[str] = []
        asked = {**body, "page": {"limit": limit}}
        token = "the first"
        while token:
            answer = said(ask(crowd.pdp, path, asked))
            page = results(answer, path)
            assert 0 < len(page) <= limit
            named += page
            token = next_token(answer)
            assert bool(token) == (len(named) < len(whole))
            asked = {**body, "page": {"token": token, **again}}
        assert sorted(named) == sorted(whole)


@EVERY_SEARCH
def test_every_result_is_true_when_it_is_asked_about_alone(crowd: Stage, path: str) -> None:
    answer = said(ask(crowd.pdp, path, {**ASKED[path], "page": {"limit": 100}}))
    assert answer["results"]
    for result in answer["results"]:
        assert decision(ask(crowd.pdp, EVALUATION, evaluated(path, ASKED[path], result))) is True, result


def test_a_search_finds_every_member_and_record_of_which_it_is_true(crowd: Stage) -> None:
    readers = {"alice", "bob", *(f"reader-{number}" for number in range(7))}
    assert readers <= set(found(crowd.pdp, SUBJECTS, ASKED[SUBJECTS]))
    records = {"record-1", "record-2", *(f"record-1{number}" for number in range(7))}
    assert set(found(crowd.pdp, RESOURCES, ASKED[RESOURCES])) == records
    named = set(found(crowd.pdp, ACTIONS, ASKED[ACTIONS]))
    assert {"read", "write", "print", "copy"} <= named
    assert not {"delete", EVALUATE, "*"} & named


def first_token(world: World, path: str) -> str:
    """The token behind a first page of one."""
    token = next_token(said(ask(world, path, {**ASKED[path], "page": {"limit": 1}})))
    assert token
    return token


@EVERY_SEARCH
def test_a_token_is_good_for_the_search_that_gave_it_and_for_no_other(crowd: Stage, path: str) -> None:
    token = first_token(crowd.pdp, path)
    body = ASKED[path]
    others = [name for name in ("subject", "action", "resource") if name in body and name != SEARCHED[path]]
    changes: list[Body] = [{**body, "page": {"token": token, "limit": 2}}]
    for name in others:
        field = "name" if name == "action" else "id"
        changes.append({**changed(body, f"{name}.{field}", "other"), "page": {"token": token}})
        changes.append({**changed(body, f"{name}.properties", {"a": "b"}), "page": {"token": token}})
    if path != ACTIONS:
        changes.append({**changed(body, f"{SEARCHED[path]}.type", "spaceship"), "page": {"token": token}})
    for asked in changes:
        assert_refused(ask(crowd.pdp, path, asked))
    for other in SEARCHES:
        if other != path:
            assert_refused(ask(crowd.pdp, other, {**ASKED[other], "page": {"token": token}}))


@EVERY_SEARCH
def test_a_token_that_we_did_not_give_is_refused(crowd: Stage, path: str) -> None:
    token = first_token(crowd.pdp, path)
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"
    forged = [f"{token[:middle]}{other}{token[middle + 1 :]}", token[:-4], f"{token}AAAA", token[::-1], "x", "ä", "a.b"]
    for value in forged:
        assert_refused(ask(crowd.pdp, path, {**ASKED[path], "page": {"token": value}}))


PAGES = ["x", 1, True, [], {"limit": -1}, {"limit": "1"}, {"limit": 1.5}, {"limit": True}, {"limit": []}]
PAGES += [{"token": 1}, {"token": []}, {"token": {}}, {"token": True}]


@EVERY_SEARCH
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_that_means_nothing_is_refused(standing: Stage, path: str, page: Any) -> None:
    assert_refused(ask(standing.pdp, path, {**ASKED[path], "page": page}))


@EVERY_SEARCH
@pytest.mark.parametrize("limit", [0, 10**6, 10**30])
def test_a_limit_out_of_all_proportion_breaks_nothing(standing: Stage, path: str, limit: int) -> None:
    response = ask(standing.pdp, path, {**ASKED[path], "page": {"limit": limit}})
    if response.status_code == 200:
        said(response)
    else:
        assert_refused(response)


@EVERY_SEARCH
def test_an_empty_page_and_unknown_members_of_it_are_no_page_at_all(standing: Stage, path: str) -> None:
    whole = said(ask(standing.pdp, path, ASKED[path]))["results"]
    for page in ({}, {"unknown": 1}):
        assert said(ask(standing.pdp, path, {**ASKED[path], "page": page}))["results"] == whole


# --- freshness ------------------------------------------------------------------------------------------------------

ALICE_READS, ALICE_WRITES = question("alice", "read"), question("alice", "write")
BOB_READS, BOB_WRITES = question("bob", "read"), question("bob", "write", "record-2")
DELETES = question("alice", act("delete", soft=True))


def _delete(path: str) -> Callable[[Stage], None]:
    """A removal, in whose path stand the names of the records."""

    def cut(stage: Stage) -> None:
        names = {**vars(stage.records), "a": stage.records.alice.id, "b": stage.records.bob.id}
        stage.root.delete(path.format(**names))

    return cut


def _rewrite(stage: Stage) -> None:
    body = {"name": "read records", "policy_document": allow("read", on="record:record-9")}
    response = stage.root.call("PUT", f"/v2/policies/{stage.records.reading}", body)
    assert response.status_code in (200, 202), response.text


def _leave(stage: Stage) -> None:
    stage.root.delete(f"/v2/organizations/{stage.organization}/user/{stage.records.alice.id}")


def _archive(stage: Stage) -> None:
    register(stage.root, "record", "record-1", status="archived")


def _demote(stage: Stage) -> None:
    describe(stage.root, stage.records.bob, properties={"role": "clerk"})


def _strip(stage: Stage) -> None:
    describe(stage.root, stage.records.bob, properties={"role": None})


def _unname(stage: Stage) -> None:
    describe(stage.root, stage.records.alice, alias=None)


def _rename(stage: Stage) -> None:
    describe(stage.root, stage.records.alice, alias="alix")


REMOVALS: dict[str, tuple[Callable[[Stage], None], Body]] = {
    "a policy is detached from her group": (_delete("/v2/policies/{reading}/groups/{group}"), ALICE_READS),
    "she leaves the group": (_delete("/v2/groups/{group}/members/{a}"), ALICE_READS),
    "the group is deleted": (_delete("/v2/groups/{group}"), ALICE_READS),
    "the policy is deleted": (_delete("/v2/policies/{reading}"), ALICE_READS),
    "the policy says less": (_rewrite, ALICE_READS),
    "her role is detached": (_delete("/v2/roles/{writer}/users/{a}"), ALICE_WRITES),
    "her role loses its policy": (_delete("/v2/roles/{writer}/policies/{writing}"), ALICE_WRITES),
    "her role is deleted": (_delete("/v2/roles/{writer}"), ALICE_WRITES),
    "the role of his group is detached": (_delete("/v2/roles/{keeper}/groups/{group}"), BOB_WRITES),
    "the role of his group loses its policy": (_delete("/v2/roles/{keeper}/policies/{overriding}"), BOB_WRITES),
    "a policy is detached from herself": (_delete("/v2/policies/{deleting}/users/{a}"), DELETES),
    "she is suspended": (lambda stage: suspend(stage, stage.records.alice.id), ALICE_READS),
    "she is removed": (_leave, ALICE_READS),
    "her account is deleted": (lambda stage: forget(stage, stage.records.alice.id), ALICE_READS),
    "the record is archived": (_archive, ALICE_WRITES),
    "he is no admin any more": (_demote, BOB_WRITES),
    "nothing is said of his role any more": (_strip, BOB_WRITES),
    "the record is forgotten": (_delete("/v1/resources/record/record-2"), BOB_WRITES),
    "she has no alias any more": (_unname, ALICE_READS),
    "she has another alias": (_rename, ALICE_READS),
}


@pytest.mark.parametrize("removal", REMOVALS)
def test_the_very_next_answer_after_a_removal_is_no(stage: Stage, removal: str) -> None:
    """Singly, in a batch and in each search, asked so often before that whatever remembers answers remembers these."""
    cut, asked = REMOVALS[removal]
    subjects = {**asked, "subject": {"type": "user"}}
    resources = {**asked, "resource": {"type": "record"}}
    actions = {name: asked[name] for name in ("subject", "resource")}
    who, what, action = asked["subject"]["id"], asked["resource"]["id"], asked["action"]["name"]
    for _ in range(3):
        assert decision(ask(stage.pdp, EVALUATION, asked)) is True
        assert batch(stage.pdp, {}, {}, **asked) == [True, True]
        assert who in found(stage.pdp, SUBJECTS, subjects)
        assert what in found(stage.pdp, RESOURCES, resources)
        assert action in found(stage.pdp, ACTIONS, actions) or "properties" in asked["action"]

    cut(stage)

    assert decision(ask(stage.pdp, EVALUATION, asked)) is False
    assert batch(stage.pdp, {}, {}, **asked) == [False, False]
    assert who not in found(stage.pdp, SUBJECTS, subjects)
    assert what not in found(stage.pdp, RESOURCES, resources)
    assert action not in found(stage.pdp, ACTIONS, actions)


ADDITIONS: dict[str, tuple[Callable[[Stage], None], Body]] = {
    "she becomes an admin": (
        lambda stage: describe(stage.root, stage.records.alice, properties={"role": "admin"}) and None,
        question("alice", "write", "record-2"),
    ),
    "the record is not archived any more": (
        lambda stage: register(stage.root, "record", "record-2", status="active") and None,
        question("alice", "write", "record-2"),
    ),
    "what forbade it is detached": (
        _delete("/v2/roles/{keeper}/policies/{keeping}"),
        question("alice", "write", "record-2"),
    ),
    "he gets her role": (
        lambda stage: stage.root.attach_role(stage.records.writer, user=stage.records.bob.id),
        question("bob", "write"),
    ),
}


@pytest.mark.parametrize("addition", ADDITIONS)
def test_the_very_next_answer_after_something_was_given_is_yes(stage: Stage, addition: str) -> None:
    give, asked = ADDITIONS[addition]
    assert decision(ask(stage.pdp, EVALUATION, asked)) is False
    give(stage)
    assert decision(ask(stage.pdp, EVALUATION, asked)) is True
    assert asked["subject"]["id"] in found(stage.pdp, SUBJECTS, {**asked, "subject": {"type": "user"}})


def test_an_alias_that_moves_takes_the_next_answer_with_it(stage: Stage) -> None:
    root, alice, bob = stage.root, stage.records.alice, stage.records.bob
    assert may(stage.pdp, "alice", "write") is True
    describe(root, alice, alias=None)
    describe(root, bob, alias="alice")
    assert may(stage.pdp, "alice", "write") is False
    assert may(stage.pdp, "alice", "write", "record-2") is True
    assert may(stage.pdp, "bob") is False
    assert may(stage.pdp, alice.id, "write") is True
    describe(root, alice, alias="bob")
    assert may(stage.pdp, "bob", "write") is True


def test_what_is_known_of_a_member_ends_with_the_membership(stage: Stage) -> None:
    """A new member may take the alias of one who left, and has nothing of hers."""
    _leave(stage)
    carol = stage.root.person()
    assert describe(stage.root, carol, alias="alice")["properties"] == {}
    assert may(stage.pdp, "alice") is False


def test_an_answer_names_a_revision_no_older_than_what_was_acknowledged(stage: Stage) -> None:
    for status in ("archived", "active", "archived"):
        written = stage.root.call("PUT", "/v1/resources/record/record-1", {"properties": {"status": status}})
        revision = int(written.headers["rescind-revision"])
        for path, body in ASKED.items():
            assert int(ask(stage.pdp, path, body).headers["rescind-revision"]) >= revision


def test_each_page_is_as_fresh_as_the_first(stage: Stage) -> None:
    """Who loses his right between two pages is on none that follows."""
    members = {f"reader-{number}": join(stage, f"reader-{number}").id for number in range(5)}
    asked = {**ASKED[SUBJECTS], "page": {"limit": 2}}
    first = said(ask(stage.pdp, SUBJECTS, asked))
    seen = set(results(first, SUBJECTS))
    gone = next(name for name in members if name not in seen)
    stage.root.delete(f"/v2/groups/{stage.records.group}/members/{members[gone]}")
    token = next_token(first)
    while token:
        answer = said(ask(stage.pdp, SUBJECTS, {**ASKED[SUBJECTS], "page": {"token": token}}))
        seen |= set(results(answer, SUBJECTS))
        token = next_token(answer)
    assert gone not in seen
    assert {*members} - {gone} <= seen


# --- metadata -------------------------------------------------------------------------------------------------------


def test_anybody_may_read_the_metadata_and_it_names_the_public_address(standing: Stage) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        response = standing.pdp.client.get(METADATA, headers=headers)
        assert response.status_code == 200
        body = response.json()
        assert body["policy_decision_point"] == PUBLIC_URL
        addresses = {value for name, value in body.items() if name.endswith("_endpoint")}
        assert addresses == {PUBLIC_URL + path for path in ASKED}
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", body["signed_metadata"])
