"""Every call of the Auth0 face: refused without its scopes and without a token, and answered as its document says."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.generation import GenerationMode

from api.auth0 import answers
from loopback import Loopback
from rescind.api.auth0.face import OPEN_OPERATIONS, OPERATIONS
from rescind.api.exchange import Operation
from rescind.app import application
from rescind.node import build
from rescind.settings import Settings
from rescind.usecases.managed import MANAGEMENT_SCOPES
from rescind.usecases.requirements import Acting
from tenant import PUBLIC_URL, Tenant, quoted

EVERY_ROW = pytest.mark.parametrize("row", OPERATIONS, ids=[row.name for row in OPERATIONS])
DOCUMENTED = [*OPERATIONS, *OPEN_OPERATIONS]
SENT = [(GenerationMode.POSITIVE, row) for row in DOCUMENTED]
# A call without body and paging takes anything: its document forbids nothing.
SENT += [(GenerationMode.NEGATIVE, row) for row in DOCUMENTED if {"body", "part"} & set(row.handler.__annotations__)]
OWN = {"read:current_user", "update:current_user_metadata", "delete:current_user"}
CHECKS = [checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance]

_bounded = settings(
    max_examples=6, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def standing(make_database: Callable[[str], str]) -> Iterator[Tenant]:
    """One tenant for all the calls that must leave it as it is, or whose effect does not matter."""
    built = build(Settings(database=make_database("sqlite"), public_url=PUBLIC_URL))
    with Loopback(application(built), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        yield Tenant(client, built)
    built.store.close()


@pytest.fixture(scope="module")
def known(standing: Tenant) -> dict[str, str]:
    """Something of every kind, by the placeholders of paths."""
    organization, user = standing.organization(name="known"), standing.user()
    standing.send("POST", f"/organizations/{organization}/members", {"members": [user]}, status=204)
    client = standing.send("POST", "/clients", {"name": "known"}, status=201)["client_id"]
    api = standing.api("read")
    grant = {"client_id": client, "audience": api["identifier"], "scope": ["read"], "organization_usage": "allow"}
    return {
        "user_id": user,
        "role_id": standing.role((api["identifier"], "read")),
        "organization_id": organization,
        "name": "known",
        "resource_server_id": api["id"],
        "client_id": client,
        "grant_id": standing.send("POST", "/client-grants", grant, status=201)["id"],
        "connection_id": answers.CONNECTION_ID,
        "group_id": answers.GROUP,
        "refresh_token_id": "rt_0000000000000000",
        "session_id": "unknown",
        "log_id": standing.get("/logs")[0]["log_id"],
        "invitation_id": "uinv_0000000000000000",
    }


def url(row: Operation, known: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: quoted(known[found[1]]), row.path)


def revision(standing: Tenant) -> int:
    return int(standing.call("GET", "/connections").headers["Rescind-Revision"])


@EVERY_ROW
def test_a_call_without_its_scope_is_refused_whatever_it_says(
    standing: Tenant, known: dict[str, str], row: Operation
) -> None:
    """403 with every other scope that there is, no revision spent; what is wrong with the body is not looked at."""
    lacked = {scope for group in row.requires.any_of for scope in group} | {*row.requires.newer}
    assert lacked, "each call names what it needs"
    before = revision(standing)
    others = standing.holding(*sorted({*MANAGEMENT_SCOPES} - lacked - OWN))
    for body in (None, {"nonsense": 1}):
        response = standing.http.request(
            row.method, url(row, known), headers={"Authorization": f"Bearer {others.token}"}, json=body
        )
        assert (response.status_code, response.json()["errorCode"]) == (403, "insufficient_scope"), response.text
    assert revision(standing) == before


@EVERY_ROW
@pytest.mark.parametrize(
    ("authorization", "status"), [(None, 401), ("Bearer a.b.c", 401), ("Bearer nonsense", 400), ("Basic YTpi", 400)]
)
def test_a_call_without_a_token_is_refused(
    standing: Tenant, known: dict[str, str], row: Operation, authorization: str | None, status: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = standing.http.request(row.method, url(row, known), headers=headers)
    assert response.status_code == status, response.text


def test_every_scope_of_the_table_is_one_of_the_system_api() -> None:
    """What no client can be granted, nobody could call."""
    named = {scope for row in OPERATIONS for group in row.requires.any_of for scope in group}
    named |= {scope for row in OPERATIONS for scope in (*row.requires.newer, *row.requires.own_scopes)}
    assert named <= {*MANAGEMENT_SCOPES}


def test_only_tokens_and_what_everybody_may_know_need_no_token() -> None:
    assert all(row.requires.acting in (Acting.PLATFORM, Acting.WITHIN) for row in OPERATIONS)
    assert all(row.requires.acting in (Acting.CLIENT, Acting.NOBODY) for row in OPEN_OPERATIONS)
    within = [row for row in OPERATIONS if row.path.startswith("/api/v2/organizations/{organization_id}")]
    assert [row for row in OPERATIONS if row.requires.acting is Acting.WITHIN] == within


@pytest.fixture(scope="module")
def schemas(standing: Tenant) -> dict[str, schemathesis.BaseSchema]:
    return {
        place: schemathesis.openapi.from_dict(standing.http.get(f"{place}/openapi.json").json())
        for place in ("/api/v2", "/oauth")
    }


@pytest.mark.parametrize(("mode", "row"), SENT, ids=[f"{mode.name.lower()} {row.name}" for mode, row in SENT])
def test_whatever_is_sent_is_answered_as_the_document_says(
    standing: Tenant,
    known: dict[str, str],
    schemas: dict[str, schemathesis.BaseSchema],
    row: Operation,
    mode: GenerationMode,
) -> None:
    """Never a 500; what the document does not allow is refused or passed over, and answered as it says."""
    described = schemas["/api/v2" if row in OPERATIONS else "/oauth"][row.path][row.method]
    path_parameters = {name: value for name, value in known.items() if f"{{{name}}}" in row.path}
    choices = [described.as_strategy(generation_mode=mode, path_parameters=path_parameters)]
    if path_parameters:
        choices.append(described.as_strategy(generation_mode=mode))
    standing.call("GET", "/connections")

    @_bounded
    @given(case=st.one_of(choices))
    def send(case: schemathesis.Case) -> None:
        sent: dict[str, Any] = case.as_transport_kwargs(base_url=PUBLIC_URL)
        sent.pop("cookies", None)
        content = sent.pop("data", None)
        if "json" not in sent and content is not None:
            sent["content"] = content if isinstance(content, str | bytes) else str(content)
        sent["headers"] = {**dict(sent["headers"] or {}), "Authorization": f"Bearer {standing.token}"}
        response = standing.http.request(**sent)
        case.validate_response(response, checks=CHECKS)

    send()
