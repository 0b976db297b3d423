"""Invitations into organizations, as the Auth0 face says them."""

import re
from datetime import datetime
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import NO_INVITATION, NO_ORGANIZATION, application, assert_refused, ids
from tenant import Tenant

LOGIN = "https://app.example.org/login"
WEEK, MONTH = 604_800, 2_592_000


def asked(tenant: Tenant, **members: Any) -> dict[str, Any]:
    """The body of an invitation to Ann."""
    client = application(tenant, "authorization_code", initiate_login_uri=LOGIN).client_id
    return {"inviter": {"name": "Bo"}, "invitee": {"email": "ann@example.org"}, "client_id": client, **members}


def seconds(invitation: dict[str, Any]) -> float:
    """How long it is good."""
    begun, ended = (datetime.fromisoformat(invitation[name]) for name in ("created_at", "expires_at"))
    return (ended - begun).total_seconds()


def test_an_invitation_lives_and_dies(tenant: Tenant) -> None:
    organization, role = tenant.organization(name="acme"), tenant.role()
    path = f"/organizations/{organization}/invitations"
    body = asked(tenant, roles=[role], app_metadata={"a": 1}, user_metadata={"b": 2}, send_invitation_email=False)
    made = tenant.send("POST", path, body, status=201)
    assert re.fullmatch(r"uinv_[A-Za-z0-9]{16}", made["id"])
    assert re.fullmatch(r"[A-Za-z0-9]{32}", made["ticket_id"])
    echoed = {key: body[key] for key in body if key != "send_invitation_email"}
    assert {key: made.get(key) for key in echoed} == echoed
    assert made["organization_id"] == organization
    ticket = made["ticket_id"]
    assert made["invitation_url"] == f"{LOGIN}?invitation={ticket}&organization={organization}&organization_name=acme"
    assert seconds(made) == WEEK
    assert tenant.get(f"{path}/{made['id']}") == made
    second = tenant.send("POST", path, {**body, "invitee": {"email": "bo@example.org"}}, status=201)
    assert ids(tenant.get(path)) == [second["id"], made["id"]], "the newest first"
    assert ids(tenant.get(path, sort="created_at:1")) == [made["id"], second["id"]]
    wrapper = tenant.get(path, include_totals="true", per_page=50)
    assert wrapper == {"invitations": [second, made], "start": 0, "limit": 2}
    assert tenant.get(path, include_totals="true", per_page=1, page=2)["invitations"] == []
    assert set(tenant.get(path, fields="id,invitee")[0]) == {"id", "invitee"}
    tenant.send("DELETE", f"{path}/{made['id']}", status=204)
    assert_refused(tenant.call("GET", f"{path}/{made['id']}"), NO_INVITATION)
    assert ids(tenant.get(path)) == [second["id"]]
    tenant.send("DELETE", f"/organizations/{organization}", status=204)
    assert_refused(tenant.call("GET", path), NO_ORGANIZATION)


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "client": ({"client_id": answers.CLIENT}, "The specified client_id does not exist."),
    "roles": (
        {"roles": [answers.ROLE, "rol_1111111111111111"]},
        f"One or more of the specified roles do not exist: {answers.ROLE}, rol_1111111111111111",
    ),
    "connection": ({"connection_id": answers.CONNECTION_ID}, "The specified connection does not exist."),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_an_invitation_names_must_exist(small_tenant: Tenant, case: str) -> None:
    path = f"/organizations/{small_tenant.organization()}/invitations"
    members, message = UNKNOWN[case]
    assert_refused(small_tenant.call("POST", path, asked(small_tenant, **members)), (400, message, "invalid_body"))
    assert small_tenant.get(path) == []


def test_a_client_without_a_login_page_cannot_invite(small_tenant: Tenant) -> None:
    path = f"/organizations/{small_tenant.organization()}/invitations"
    client = application(small_tenant, "authorization_code").client_id
    response = small_tenant.call("POST", path, asked(small_tenant, client_id=client))
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_body")
    said = response.json()["message"]
    assert said.startswith("A default login route is required to generate the invitation url.")


BAD: list[dict[str, Any]] = [
    {"inviter": None},
    {"inviter": {}},
    {"inviter": {"name": 1}},
    {"invitee": None},
    {"invitee": {}},
    {"invitee": {"email": "nonsense"}},
    {"client_id": None},
    {"roles": []},
    {"roles": ["name"]},
    {"ttl_sec": MONTH + 1},
    {"ttl_sec": -1},
    {"ttl_sec": "1"},
    {"app_metadata": []},
]


@pytest.mark.parametrize("members", BAD, ids=str)
def test_a_malformed_invitation_is_refused(small_tenant: Tenant, members: dict[str, Any]) -> None:
    path = f"/organizations/{small_tenant.organization()}/invitations"
    body = {key: value for key, value in asked(small_tenant, **members).items() if value is not None}
    response = small_tenant.call("POST", path, body)
    assert (response.status_code, response.json()["statusCode"]) == (400, 400), response.text
    assert small_tenant.get(path) == []


def test_an_invitation_is_good_as_long_as_was_said(small_tenant: Tenant) -> None:
    path = f"/organizations/{small_tenant.organization()}/invitations"
    for ttl in (60, MONTH):
        assert seconds(small_tenant.send("POST", path, asked(small_tenant, ttl_sec=ttl), status=201)) == ttl


def test_an_invitation_is_its_organizations_alone(small_tenant: Tenant) -> None:
    one, other = small_tenant.organization(), small_tenant.organization()
    body = asked(small_tenant)
    invitation = small_tenant.send("POST", f"/organizations/{one}/invitations", body, status=201)["id"]
    for method in ("GET", "DELETE"):
        response = small_tenant.call(method, f"/organizations/{other}/invitations/{invitation}")
        assert_refused(response, NO_INVITATION)
    foreign = small_tenant.role(type="organization", owner_id=other)
    response = small_tenant.call("POST", f"/organizations/{one}/invitations", {**body, "roles": [foreign]})
    assert response.status_code == 400
    assert ids(small_tenant.get(f"/organizations/{one}/invitations")) == [invitation]
