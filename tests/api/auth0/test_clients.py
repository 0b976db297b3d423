"""Clients, their secrets, and what they were granted."""

import re
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import (
    GRANT_EXISTS,
    NO_API,
    NO_CLIENT,
    NO_GRANT,
    application,
    assert_invalid,
    assert_refused,
    ids,
)
from tenant import CLIENT_ID, MANAGEMENT, Tenant, pairs

DEFAULTS = {
    "is_first_party": True,
    "is_token_endpoint_ip_header_trusted": False,
    "oidc_conformant": False,
    "jwt_configuration": {"secret_encoded": False, "lifetime_in_seconds": 36_000},
    "sso_disabled": False,
    "cross_origin_authentication": False,
    "grant_types": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
    "custom_login_page_on": True,
    "refresh_token": {
        "rotation_type": "non-rotating",
        "expiration_type": "non-expiring",
        "leeway": 0,
        "token_lifetime": 2_592_000,
        "infinite_token_lifetime": True,
        "infinite_idle_token_lifetime": True,
        "idle_token_lifetime": 1_296_000,
    },
}
CLIENT_CREDENTIALS = "client_credentials"


def test_a_client_lives_and_dies(tenant: Tenant) -> None:
    made = tenant.send("POST", "/clients", {"name": "An application"}, status=201)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", made["client_id"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", made["client_secret"])
    assert {key: made.get(key) for key in DEFAULTS} == DEFAULTS
    assert "cert" in made["signing_keys"][0]
    path = f"/clients/{made['client_id']}"
    found = tenant.get(path)
    assert {key: found.get(key) for key in made} == made
    changed = tenant.send("PATCH", path, {"name": "New", "grant_types": [CLIENT_CREDENTIALS]}, status=200)
    assert (changed["name"], changed["grant_types"]) == ("New", [CLIENT_CREDENTIALS])
    assert changed["client_secret"] == made["client_secret"]
    listed = next(one for one in tenant.get("/clients") if one["client_id"] == made["client_id"])
    assert listed["tenant"]
    assert listed["global"] is False
    for _ in range(2):
        tenant.send("DELETE", path, status=204)
    for method, body in (("GET", None), ("PATCH", {"name": "x"})):
        assert_refused(tenant.call(method, path, body), NO_CLIENT)
    assert_refused(tenant.call("POST", f"{path}/rotate-secret"), NO_CLIENT)


def test_a_rotated_secret_is_new_and_the_old_is_dead(small_tenant: Tenant) -> None:
    machine = application(small_tenant, CLIENT_CREDENTIALS)
    body = {"client_id": machine.client_id, "audience": MANAGEMENT, "scope": ["read:roles"]}
    small_tenant.send("POST", "/client-grants", body, status=201)
    ask = {"grant_type": CLIENT_CREDENTIALS, "audience": MANAGEMENT}
    assert machine.grant(**ask).status_code == 200
    path = f"/clients/{machine.client_id}/rotate-secret"
    for content in (b"null\n", b"", b"{}"):
        response = small_tenant.call("POST", path, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 200, response.text
        new = Tenant(small_tenant.http, None, machine.client_id, response.json()["client_secret"])
        assert new.client_secret != machine.client_secret
        assert machine.grant(**ask).status_code == 401
        assert new.grant(**ask).status_code == 200
        machine = new


def test_secrets_are_shown_to_who_may_read_keys(small_tenant: Tenant) -> None:
    machine = application(small_tenant, CLIENT_CREDENTIALS)
    reader, keeper = small_tenant.holding("read:clients"), small_tenant.holding("read:clients", "read:client_keys")
    for path in ("/clients", f"/clients/{machine.client_id}"):
        assert machine.client_secret not in reader.call("GET", path).text
        assert machine.client_secret in keeper.call("GET", path).text


ECHOED: list[dict[str, Any]] = [
    {"app_type": "non_interactive"},
    {"description": "d", "logo_uri": "https://example.org/l.png"},
    {"callbacks": ["https://example.org/c"], "initiate_login_uri": "https://example.org/login"},
    {"organization_usage": "require", "organization_require_behavior": "pre_login_prompt"},
    {"token_endpoint_auth_method": "client_secret_basic"},
    {"client_metadata": {"a": "b"}},
    {"jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 60, "secret_encoded": False}},
    {"addons": {"samlp": {"x": [1]}}},
    {"is_first_party": False, "oidc_conformant": True},
]


@pytest.mark.parametrize("members", ECHOED, ids=str)
def test_what_was_said_of_a_client_is_said_again(small_tenant: Tenant, members: dict[str, Any]) -> None:
    made = small_tenant.send("POST", "/clients", {"name": "x", **members}, status=201)
    other = small_tenant.send("POST", "/clients", {"name": "y"}, status=201)
    changed = small_tenant.send("PATCH", f"/clients/{other['client_id']}", members, status=200)
    for answer in (made, changed, small_tenant.get(f"/clients/{made['client_id']}")):
        assert {key: answer.get(key) for key in members} == members


BAD_CLIENTS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": 1},
    {"name": "x", "grant_types": "password"},
    {"name": "x", "grant_types": [1]},
    {"name": "x", "client_metadata": []},
    {"name": "x", "is_first_party": "yes"},
]


@pytest.mark.parametrize("body", BAD_CLIENTS, ids=str)
def test_a_malformed_client_is_refused(small_tenant: Tenant, body: dict[str, Any]) -> None:
    before = len(small_tenant.get("/clients"))
    assert_invalid(small_tenant.call("POST", "/clients", body))
    assert len(small_tenant.get("/clients")) == before


def test_null_removes_and_metadata_is_merged_by_key(small_tenant: Tenant) -> None:
    metadata = {"a": "1", "b": "2"}
    body = {"name": "x", "description": "d", "client_metadata": metadata, "initiate_login_uri": "https://example.org/"}
    path = f"/clients/{small_tenant.send('POST', '/clients', body, status=201)['client_id']}"
    change = {"description": None, "initiate_login_uri": None, "client_metadata": {"a": None, "c": "3"}}
    changed = small_tenant.send("PATCH", path, change, status=200)
    assert changed["client_metadata"] == {"b": "2", "c": "3"}
    assert not {"description", "initiate_login_uri"} & {key for key, value in changed.items() if value is not None}
    assert small_tenant.get(path)["client_metadata"] == {"b": "2", "c": "3"}


def test_clients_are_filtered(small_tenant: Tenant) -> None:
    spa = small_tenant.send("POST", "/clients", {"name": "spa", "app_type": "spa"}, status=201)["client_id"]
    party = {"name": "third", "app_type": "native", "is_first_party": False}
    native = small_tenant.send("POST", "/clients", party, status=201)["client_id"]
    assert set(ids(small_tenant.get("/clients", app_type="spa,native"), "client_id")) == {spa, native}
    assert ids(small_tenant.get("/clients", is_first_party="false"), "client_id") == [native]
    assert CLIENT_ID in ids(small_tenant.get("/clients", is_global="false"), "client_id")
    found = small_tenant.get("/clients", fields="client_id,name", include_fields="true", app_type="spa")
    assert found == [{"client_id": spa, "name": "spa"}]
    assert "name" not in small_tenant.get(f"/clients/{spa}", fields="name", include_fields="false")


def test_a_client_of_an_api_is_named_there(small_tenant: Tenant) -> None:
    api = small_tenant.api()
    body = {"name": "x", "app_type": "resource_server", "resource_server_identifier": api["identifier"]}
    client = small_tenant.send("POST", "/clients", body, status=201)["client_id"]
    assert small_tenant.get(f"/resource-servers/{api['id']}")["client_id"] == client


# --- client grants --------------------------------------------------------------------------------------------------


def test_a_client_grant_lives_and_dies(tenant: Tenant) -> None:
    api = tenant.api("write", "read")["identifier"]
    client = application(tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": api, "scope": ["write", "read"]}
    made = tenant.send("POST", "/client-grants", body, status=201)
    assert re.fullmatch(r"cgr_[A-Za-z0-9]{16}", made["id"])
    assert made == {"id": made["id"], **body, "subject_type": "client"}
    path = f"/client-grants/{made['id']}"
    assert tenant.get(path) == made
    assert_refused(tenant.call("POST", "/client-grants", body), GRANT_EXISTS)
    for query in ({"client_id": client}, {"audience": api}, {"audience": api, "client_id": client}):
        assert tenant.get("/client-grants", **query) == [made]
    assert tenant.get("/client-grants", client_id=client, subject_type="user") == []
    assert tenant.send("PATCH", path, {"scope": []}, status=200)["scope"] == []
    usage = {"organization_usage": "allow", "allow_any_organization": True}
    assert tenant.send("PATCH", path, usage, status=200) == {**made, "scope": [], **usage} == tenant.get(path)
    assert tenant.get("/client-grants", allow_any_organization="true", client_id=client)[0]["id"] == made["id"]
    whole = tenant.send("PATCH", path, {"allow_all_scopes": True}, status=200)
    assert whole["allow_all_scopes"] is True
    assert "scope" not in whole
    back = tenant.send("PATCH", path, {"allow_all_scopes": False, "scope": ["read"]}, status=200)
    assert back["scope"] == ["read"]
    for _ in range(2):
        tenant.send("DELETE", path, status=204)
    assert_refused(tenant.call("GET", path), NO_GRANT)
    assert_refused(tenant.call("PATCH", path, {"scope": []}), NO_GRANT)
    assert tenant.send("POST", "/client-grants", {**body, "scope": []}, status=201)["scope"] == []


def test_a_client_may_have_a_grant_of_each_kind(small_tenant: Tenant) -> None:
    api = small_tenant.api("read")["identifier"]
    body = {"client_id": application(small_tenant, CLIENT_CREDENTIALS).client_id, "audience": api, "scope": ["read"]}
    made = [
        small_tenant.send("POST", "/client-grants", {**body, "subject_type": kind}, status=201)
        for kind in ("client", "user")
    ]
    assert made[0]["id"] != made[1]["id"]
    assert small_tenant.get("/client-grants", audience=api, subject_type="user") == made[1:]


def test_what_is_granted_must_exist(small_tenant: Tenant) -> None:
    api, client = small_tenant.api("read")["identifier"], application(small_tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": api, "scope": ["read"]}
    assert_refused(small_tenant.call("POST", "/client-grants", {**body, "client_id": answers.CLIENT}), NO_CLIENT)
    assert_refused(small_tenant.call("POST", "/client-grants", {**body, "audience": answers.IDENTIFIER}), NO_API)
    for bad in ({"scope": "read"}, {"scope": [1]}, {"audience": 1}, {"subject_type": "x"}):
        assert small_tenant.call("POST", "/client-grants", {**body, **bad}).status_code == 400
    assert small_tenant.call("POST", "/client-grants", {**body, "scope": ["drop"]}).status_code in (400, 404)
    assert small_tenant.get("/client-grants", client_id=client) == []
    made = small_tenant.send("POST", "/client-grants", body, status=201)
    path = f"/client-grants/{made['id']}"
    for bad in ({"scope": ["drop"]}, {"scope": "read"}):
        assert small_tenant.call("PATCH", path, bad).status_code in (400, 404)
    for fixed in ({"audience": answers.IDENTIFIER}, {"client_id": CLIENT_ID}):  # refused or not heard
        assert small_tenant.call("PATCH", path, fixed).status_code in (200, 400)
    assert small_tenant.get(path) == made


@pytest.mark.parametrize("end", ["client", "api", "scope"])
def test_a_grant_goes_with_what_it_is_about(small_tenant: Tenant, end: str) -> None:
    tenant, api = small_tenant, small_tenant.api("read", "write")
    machine = application(tenant, CLIENT_CREDENTIALS)
    body = {"client_id": machine.client_id, "audience": api["identifier"], "scope": ["read", "write"]}
    grant = f"/client-grants/{tenant.send('POST', '/client-grants', body, status=201)['id']}"
    if end == "scope":
        path = f"/resource-servers/{api['id']}"
        tenant.send("PATCH", path, {"scopes": [{"value": "read"}]}, status=200)
        assert machine.issue(audience=api["identifier"])["scope"] == "read"
        tenant.send("PATCH", path, {"scopes": [{"value": "read"}, {"value": "write"}]}, status=200)
        assert machine.issue(audience=api["identifier"])["scope"] == "read"
        return
    path = f"/clients/{machine.client_id}" if end == "client" else f"/resource-servers/{api['id']}"
    tenant.send("DELETE", path, status=204)
    assert_refused(tenant.call("GET", grant), NO_GRANT)
    assert tenant.get("/client-grants", client_id=machine.client_id) == []
    if end == "api":
        tenant.api("read", identifier=api["identifier"])
        ask = {"grant_type": CLIENT_CREDENTIALS, "audience": api["identifier"]}
        assert machine.grant(**ask).status_code == 403


def test_the_first_client_has_its_grant_on_the_management_api(small_tenant: Tenant) -> None:
    (grant,) = small_tenant.get("/client-grants", client_id=CLIENT_ID)
    assert grant["audience"] == MANAGEMENT
    assert {"read:users", "update:users", "create:client_grants"} <= set(grant["scope"])


# --- connections ----------------------------------------------------------------------------------------------------


def test_there_is_one_connection_for_lookups(small_tenant: Tenant) -> None:
    name = "Username-Password-Authentication"
    (found,) = small_tenant.get("/connections", name=name)
    assert re.fullmatch(r"con_[A-Za-z0-9]{16}", found["id"])
    fixed = {"name": name, "strategy": "auth0", "options": {}, "realms": [name]}
    assert {key: found.get(key) for key in fixed} == fixed
    assert isinstance(found["enabled_clients"], list)
    assert small_tenant.get(f"/connections/{found['id']}") == found
    assert small_tenant.get("/connections", include_totals="true") == {
        "total": 1,
        "start": 0,
        "limit": 50,
        "connections": [found],
    }
    assert small_tenant.get("/connections", strategy="auth0") == [found]
    assert small_tenant.get("/connections", name="x") == small_tenant.get("/connections", strategy="google") == []


def test_no_client_gives_itself_more_than_it_was_given(small_tenant: Tenant) -> None:
    """Platform clients act with the scopes that they were given: a token for less is no way to more."""
    narrow = small_tenant.holding("read:client_grants", "update:users")
    grant = small_tenant.get("/client-grants", client_id=CLIENT_ID)[0]["id"]
    assert narrow.call("PATCH", f"/client-grants/{grant}", {"scope": []}).status_code == 403
    body = {"permissions": pairs((MANAGEMENT, "read:users"))}
    assert narrow.call("POST", f"/roles/{small_tenant.role()}/permissions", body).status_code == 403
