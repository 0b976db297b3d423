"""Before every face stands one door: it names requests, demands a credential, and never says a secret in a log."""

import re
from typing import Any

import pytest
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from api.conftest import UNKNOWN_ID, Town
from api.vultr.decoders import OPERATIONS, Operation
from rescind.model.facts import FactKind
from world import ROOT_KEY, World

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SECRET = "Tr0ub4dor&3-never-to-be-said"

UNAUTHENTICATED = {"error": "Invalid API token.", "status": 401}


def bare(world: World, method: str, path: str, authorization: Any = None, **options: Any) -> Any:
    """A call with that one header, or none."""
    headers = {} if authorization is None else {"Authorization": authorization}
    return world.client.request(method, path, headers=headers, **options)


# --- request ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/roles", 200),
        ("GET", "/v2/roles/x", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/roles/", 404),
        ("PATCH", "/v2/roles", 405),
        ("POST", "/v2/roles", 400),
        ("GET", "/v2/roles?preview=true", 400),
        ("GET", "/v2/openapi.json", 200),
        ("GET", "/v1/changes", 200),
        ("GET", "/v1/changes/x", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/changes", 405),
    ],
)
def test_every_answer_of_a_face_names_its_request(standing: Town, method: str, path: str, status: int) -> None:
    named = set()
    for _ in range(3):
        answer = standing.world.call(method, path)
        assert answer.status_code == status
        assert len(answer.headers.get_list("x-request-id")) == 1
        assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])
        named.add(answer.headers["x-request-id"])
    assert len(named) == 3


def test_a_refused_credential_and_a_broken_body_are_named_too(standing: Town) -> None:
    for answer in (
        bare(standing.world, "GET", "/v2/roles"),
        standing.world.call("POST", "/v2/roles", content=b"{"),
        standing.world.call("POST", "/v2/roles", content=b" " * (2 * 1024 * 1024)),
    ):
        assert answer.status_code in (400, 401)
        assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])


def test_the_name_of_a_request_is_ours_and_not_the_caller_s(standing: Town) -> None:
    sent = "0190a0b0-0000-7000-8000-000000000001"
    answer = standing.world.call("GET", "/v2/roles", headers={"X-Request-Id": sent})
    assert answer.headers.get_list("x-request-id") != [sent]
    assert len(answer.headers.get_list("x-request-id")) == 1


def test_a_change_names_the_request_that_made_it(small_world: World) -> None:
    answer = small_world.call("POST", "/v2/groups", {"display_name": "g"})
    change = small_world.get(answer.headers["Rescind-Change"])
    assert change["request"] == answer.headers["X-Request-Id"]


# --- logs -----------------------------------------------------------------------------------------------------------


def test_one_line_is_logged_for_each_request_and_says_its_template_its_status_and_its_name(standing: Town) -> None:
    with capture_logs() as lines:
        answer = standing.world.call("GET", f"/v2/roles/{standing.ids.role}/policies?per_page=1")
    (line,) = lines
    assert line["event"] == "answered"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v2/roles/{role_id}/policies", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["milliseconds"] >= 0


def test_no_line_holds_an_id_a_token_a_name_or_a_word_of_a_body(town: Town) -> None:
    names = town.names(town.ids)
    with capture_logs() as lines:
        for operation in OPERATIONS:
            if operation.number in (5, 6):
                continue
            town.world.call(operation.method, operation.at(names), operation.with_body(names))
        town.world.call("POST", "/v2/users", {"email": "a@example.org", "name": "Ada", "password": SECRET})
        town.world.call("POST", "/v2/users", {"email": SECRET, "password": [SECRET]})
        town.world.call("POST", f"/v2/{SECRET}", content=SECRET.encode())
        town.world.call("GET", f"/v2/roles/{SECRET}?cursor={SECRET}")
        town.world.call("GET", f"/v2/assumed-roles/{SECRET}")
        bare(town.world, "GET", "/v2/roles", f"Bearer {SECRET}")
        bare(town.world, "GET", "/v2/roles", SECRET)
        bare(town.world, SECRET[:3].upper(), f"/v2/{SECRET}/{SECRET}")
        town.world.call("GET", f"/v1/{SECRET}")
    assert len(lines) == len(OPERATIONS) - 2 + 9
    said = repr(lines)
    for secret in (SECRET, ROOT_KEY, *names.values(), "example.org", "Ada", "correct horse", "New Person"):
        assert secret not in said
    for line in lines:
        assert set(line) == {"event", "log_level", "request_id", "method", "route", "status", "milliseconds"}


def test_a_path_that_no_template_knows_is_logged_without_its_words(standing: Town) -> None:
    with capture_logs() as lines:
        standing.world.call("GET", f"/v2/nothing/{SECRET}")
        standing.world.call("GET", f"/v1/nothing/{SECRET}")
    assert [(line["route"], line["status"]) for line in lines] == [("", 404), ("", 404)]


@pytest.mark.parametrize(
    ("path", "media_type", "broken"),
    [
        (
            "/v2/policies",
            "application/json",
            f"UPDATE intervals SET value = '{{' WHERE kind = {int(FactKind.DOCUMENT)}",
        ),
        ("/v1/changes", "application/problem+json", "UPDATE changes SET body = '{'"),
    ],
)
def test_what_was_never_meant_to_happen_is_answered_logged_and_named(
    town: Town, path: str, media_type: str, broken: str
) -> None:
    _execute(town, broken)
    with capture_logs(processors=[format_exc_info]) as lines:
        answer = town.world.call("GET", path)
    _assert_fault(answer, lines, media_type)
    assert "JSONDecodeError" in lines[0]["exception"]


def test_a_fault_of_the_database_is_logged_without_what_was_to_be_stored(town: Town) -> None:
    _execute(town, "CREATE TRIGGER broken BEFORE INSERT ON profiles BEGIN SELECT RAISE(ABORT, 'no'); END")
    with capture_logs(processors=[format_exc_info]) as lines:
        answer = town.world.call("POST", "/v2/users", {"email": "ada@example.org", "name": SECRET, "password": SECRET})
    _assert_fault(answer, lines, "application/json")
    assert "ada@example.org" not in repr(lines)


def _execute(town: Town, statement: str) -> None:
    with town.node.store.engine.pool.connect() as connection:
        connection.exec_driver_sql(statement)


def _assert_fault(answer: Any, lines: list[Any], media_type: str) -> None:
    assert answer.status_code == 500
    assert answer.json()["status"] == 500
    assert answer.headers["content-type"] == media_type
    assert [line["event"] for line in lines] == ["failed", "answered"]
    assert {line["request_id"] for line in lines} == {answer.headers["x-request-id"]}
    assert lines[-1]["status"] == 500
    for secret in (SECRET, ROOT_KEY):
        assert secret not in answer.text
        assert secret not in repr(lines)


def test_the_log_of_changes_holds_no_name_no_address_no_password_and_no_key(town: Town) -> None:
    asked = {"email": "ada@example.org", "name": "Ada Lovelace", "password": SECRET}
    person = town.world.post("/v2/users", asked)["user"]["id"]
    key = town.world.post(f"/v2/users/{person}/apikeys", {"name": "Babbage"})["api_key"]["api_key"]
    town.world.call("PATCH", f"/v2/users/{person}", {"name": "Augusta King", "password": f"{SECRET}!"})
    town.world.group(name="Babbage")
    assert town.log()[1] > 4
    text = town.world.call("GET", "/v1/changes", params={"limit": 500}).text
    assert person in text
    for secret in (SECRET, key, key[-4:] + '"', ROOT_KEY, "ada@example.org", "Ada", "Lovelace", "Augusta", "Babbage"):
        assert secret not in text


def test_the_numbers_of_a_node_name_templates_and_never_paths(standing: Town) -> None:
    standing.world.get(f"/v2/roles/{standing.ids.role}")
    standing.world.call("GET", f"/v2/nothing/{SECRET}")
    text = standing.world.client.get("/metrics").text
    assert 'route="/v2/roles/{role_id}"' in text
    for secret in (standing.ids.role, SECRET, ROOT_KEY):
        assert secret not in text


# --- credentials ----------------------------------------------------------------------------------------------------

REFUSED = {
    "none": None,
    "empty": "",
    "a scheme alone": "Bearer",
    "a scheme and a blank": "Bearer ",
    "a scheme and blanks": "Bearer    ",
    "a key alone": ROOT_KEY,
    "an unknown key": f"Bearer {SECRET}",
    "a key with one character less": f"Bearer {ROOT_KEY[:-1]}",
    "a key with one character more": f"Bearer {ROOT_KEY}x",
    "a key in upper case": f"Bearer {ROOT_KEY.upper()}",
    "two keys": f"Bearer {ROOT_KEY} {ROOT_KEY}",
    "a key and a comma": f"Bearer {ROOT_KEY},",
    "a key in quotes": f'Bearer "{ROOT_KEY}"',
    "no blank": f"Bearer{ROOT_KEY}",
    "a colon": f"Bearer: {ROOT_KEY}",
    "another scheme": f"Token {ROOT_KEY}",
    "a basic scheme": "Basic cm9vdDpyb290LXBhc3N3b3Jk",
    "the scheme twice": f"Bearer Bearer {ROOT_KEY}",
    "a token of the wrong kind": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
    "ten thousand characters": "Bearer " + "x" * 10_000,
    "bytes beyond ASCII": b"Bearer \xff\xfe\xc3\xa9",
    "a scheme beyond ASCII": "B\u00e9arer x".encode(),
}


@pytest.mark.parametrize("authorization", REFUSED.values(), ids=REFUSED)
def test_whatever_is_no_living_key_is_unauthenticated(standing: Town, authorization: Any) -> None:
    before = standing.log()
    for method, path, body in (
        ("GET", "/v2/roles", None),
        ("GET", "/v2/users/me/roles", None),
        ("POST", "/v2/groups", {"display_name": "g"}),
        ("DELETE", f"/v2/roles/{standing.ids.role}/users/{standing.ids.user}", None),
    ):
        answer = bare(standing.world, method, path, authorization, **({"json": body} if body else {}))
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == UNAUTHENTICATED
    problem = bare(standing.world, "GET", "/v1/changes", authorization)
    _assert_problem(problem, 401)
    assert problem.headers["www-authenticate"].startswith("Bearer")
    for secret in (SECRET, ROOT_KEY):
        assert secret not in problem.text
    assert standing.log() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_operation_demands_a_credential(standing: Town, operation: Operation) -> None:
    names = standing.names(standing.ids)
    before = standing.log()
    for authorization in (None, f"Bearer {SECRET}"):
        body = operation.with_body(names)
        options = {"params": operation.query, **({"json": body} if body else {})}
        answer = bare(standing.world, operation.method, operation.at(names), authorization, **options)
        assert answer.status_code == 401
        assert answer.json() == UNAUTHENTICATED
    assert standing.log() == before


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_written_in_any_case(standing: Town, scheme: str) -> None:
    for path in ("/v2/roles", "/v1/changes"):
        assert bare(standing.world, "GET", path, f"{scheme} {ROOT_KEY}").status_code == 200


def test_a_key_that_was_deleted_is_unauthenticated_at_once(small_world: World) -> None:
    made = small_world.post("/v2/apikeys", {"name": "short-lived"})["api_key"]
    own = small_world.as_(made["api_key"])
    assert own.status("/v2/roles") == 200
    small_world.delete(f"/v2/apikeys/{made['id']}")
    answer = own.call("GET", "/v2/roles")
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)


def test_a_key_is_no_credential_in_the_query_or_in_another_header(standing: Town) -> None:
    for options in (
        {"params": {"api_key": ROOT_KEY, "access_token": ROOT_KEY}},
        {"headers": {"API-Key": ROOT_KEY, "X-Api-Key": ROOT_KEY}},
        {"headers": {"Cookie": f"token={ROOT_KEY}"}},
        {"headers": {"Proxy-Authorization": f"Bearer {ROOT_KEY}"}},
    ):
        assert standing.world.client.get("/v2/roles", **options).status_code == 401


def test_who_may_not_is_refused_with_the_name_of_the_action(town: Town) -> None:
    key = town.world.post(f"/v2/users/{town.bare.user}/apikeys", {"name": "k"})["api_key"]["api_key"]
    nobody = town.world.as_(key)
    before = town.log()
    answer = nobody.call("POST", "/v2/groups", {"display_name": "g"})
    assert answer.status_code == 403
    assert sorted(answer.json()) == ["error", "status"]
    assert "iam.group.Create" in answer.json()["error"]
    problem = nobody.call("GET", "/v1/changes")
    _assert_problem(problem, 403)
    assert town.log() == before


def test_who_has_no_credential_hears_nothing_about_the_password_he_sent(standing: Town) -> None:
    body = {"email": "x@example.org", "name": "X", "password": "short"}
    assert bare(standing.world, "POST", "/v2/users", json=body).status_code == 401


# --- the native face and everything else ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/v1/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/changes/", 404),
        ("GET", f"/v1/changes/{UNKNOWN_ID}", 404),
        ("GET", "/v1/changes/999999", 404),
        ("POST", "/v1/changes", 405),
        ("DELETE", "/v1/changes/1", 405),
        ("GET", "/v1/changes?limit=0", 400),
        ("GET", "/v1/changes?cursor=x", 400),
    ],
)
def test_the_native_face_says_no_as_a_problem(standing: Town, method: str, path: str, status: int) -> None:
    _assert_problem(standing.world.call(method, path, follow_redirects=False), status)


def test_a_change_of_another_organization_is_unknown(standing: Town) -> None:
    own = {change["revision"] for change in standing.world.get("/v1/changes", limit=500)["changes"]}
    others = {change["revision"] for change in standing.elsewhere.get("/v1/changes", limit=500)["changes"]}
    assert others
    assert not own & others
    _assert_problem(standing.world.call("GET", f"/v1/changes/{min(others)}"), 404)
    assert standing.elsewhere.status(f"/v1/changes/{min(others)}") == 200


def _assert_problem(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) >= {"title", "status"}
    assert set(body) <= {"type", "title", "status", "detail", "instance"}
    assert body["status"] == status
    assert isinstance(body["title"], str)
    assert isinstance(body["detail"], str)


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/v3/roles", "/v2x", "/scim/v2/Users", "/authorize", "/docs", "/openapi.json"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_of_no_face_is_unknown_as_json(standing: Town, method: str, path: str) -> None:
    answer = standing.world.call(method, path, follow_redirects=False)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["status"] == 404
    assert sorted(answer.json()) == ["error", "status"]


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/", "/metrics/", "/healthz/x", "//healthz"])
def test_a_probe_has_one_spelling(standing: Town, path: str) -> None:
    answer = standing.world.client.get(f"http://testserver{path}", follow_redirects=False)
    assert answer.status_code == 404
    assert answer.json()["status"] == 404


def test_a_living_node_says_that_it_is_alive_without_a_credential(standing: Town) -> None:
    answer = standing.world.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_a_ready_node_names_its_revision_without_a_credential(standing: Town) -> None:
    answer = standing.world.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "revision": standing.revision()})


def test_a_node_counts_its_changes_and_shows_its_revision(small_world: World) -> None:
    def number(name: str) -> float:
        answer = small_world.client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        return float(re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)[1])

    before = number("rescind_changes_total")
    written = small_world.call("POST", "/v2/groups", {"display_name": "g"})
    small_world.call("POST", "/v2/groups", {"display_name": ""})
    assert number("rescind_changes_total") == before + 1
    assert number("rescind_revision") == int(written.headers["Rescind-Revision"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_needs_neither_a_credential_nor_a_well_formed_one(standing: Town, path: str) -> None:
    for authorization in (None, "garbage", f"Bearer {SECRET}"):
        assert bare(standing.world, "GET", path, authorization).status_code == 200


def test_a_refused_method_is_told_every_method_of_the_path(standing: Town) -> None:
    answer = standing.world.call("PATCH", f"/v2/groups/{standing.ids.group}")
    assert answer.status_code == 405
    assert {method.strip() for method in answer.headers["allow"].split(",")} == {"GET", "PUT", "DELETE"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_refuses_another_method_as_json(standing: Town, path: str) -> None:
    answer = standing.world.client.post(path)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/json"
