"""APIs: their scopes are the permissions that exist."""

import re
from typing import Any

import pytest

from api.auth0.answers import API_EXISTS, NO_API, assert_invalid, assert_refused, ids, names
from tenant import MANAGEMENT, Tenant, pairs, quoted

IDENTIFIER = "https://docs.example.org/"
DEFAULTS = {
    "allow_offline_access": False,
    "skip_consent_for_verifiable_first_party_clients": False,
    "subject_type_authorization": {
        "client": {"policy": "require_client_grant"},
        "user": {"policy": "allow_all"},
    },
    "token_lifetime": 86_400,
    "token_lifetime_for_web": 7_200,
    "signing_alg": "RS256",
}


def test_an_api_lives_and_dies(tenant: Tenant) -> None:
    """On both databases: nothing is said that was not set, but the defaults."""
    made = tenant.send("POST", "/resource-servers", {"identifier": IDENTIFIER}, status=201)
    assert re.fullmatch(r"[0-9a-f]{24}", made["id"])
    assert made == {"id": made["id"], "identifier": IDENTIFIER, **DEFAULTS}
    path = f"/resource-servers/{made['id']}"
    switches = {"enforce_policies": True, "token_dialect": "access_token_authz", "name": "Docs"}
    changed = tenant.send("PATCH", path, switches, status=200)
    assert changed == {**made, **switches} == tenant.get(path)
    scopes = [{"value": "write"}, {"value": "read", "description": "r"}, {"value": "audit", "description": ""}]
    assert tenant.send("PATCH", path, {"scopes": scopes}, status=200)["scopes"] == scopes
    assert tenant.get(f"/resource-servers/{quoted(IDENTIFIER)}") == {**changed, "scopes": scopes}
    assert tenant.send("PATCH", path, {"scopes": []}, status=200)["scopes"] == []
    assert tenant.get(path)["scopes"] == []
    for _ in range(2):
        tenant.send("DELETE", path, status=204)
    assert_refused(tenant.call("GET", path), NO_API)
    assert_refused(tenant.call("PATCH", path, {"name": "x"}), NO_API)
    assert tenant.send("POST", "/resource-servers", {"identifier": IDENTIFIER}, status=201)["id"] != made["id"]


ECHOED: list[dict[str, Any]] = [
    {"signing_alg": "RS512"},
    {"signing_alg": "PS256"},
    {"token_lifetime": 0},
    {"token_lifetime": 2_592_000, "token_lifetime_for_web": 60},
    {"allow_offline_access": True},
    {"skip_consent_for_verifiable_first_party_clients": True},
    {"consent_policy": "transactional-authorization-with-mfa"},
    {"authorization_details": [{"type": "payment"}]},
    {"proof_of_possession": {"mechanism": "dpop", "required": False}},
    {"subject_type_authorization": {"client": {"policy": "deny_all"}, "user": {"policy": "allow_all"}}},
    *(
        {"token_dialect": f"{kind}{suffix}"}
        for kind in ("access_token", "rfc9068_profile")
        for suffix in ("", "_authz")
    ),
    {"enforce_policies": False},
]
BAD_APIS: list[dict[str, Any]] = [
    {"identifier": ""},
    {"identifier": "x" * 601},
    {"identifier": 1},
    {"name": "x" * 201},
    {"signing_alg": "none"},
    {"signing_alg": "ES999"},
    {"token_dialect": "other"},
    {"token_lifetime": -1},
    {"token_lifetime": 2_592_001},
    {"token_lifetime": "1"},
    {"enforce_policies": "true"},
    {"scopes": {}},
    {"scopes": ["read"]},
    {"scopes": [{"description": "no value"}]},
    {"scopes": [{"value": ""}]},
    {"scopes": [{"value": "x" * 281}]},
    {"scopes": [{"value": "x", "description": "x" * 501}]},
    {"scopes": [{"value": "x"}, {"value": "x"}]},
    {"signing_alg": "HS256", "signing_secret": "too short"},
    {"subject_type_authorization": {"user": {"policy": "sometimes"}}},
]


@pytest.mark.parametrize("members", ECHOED, ids=str)
def test_what_was_said_of_an_api_is_said_again(small_tenant: Tenant, members: dict[str, Any]) -> None:
    made = small_tenant.send("POST", "/resource-servers", {"identifier": IDENTIFIER, **members}, status=201)
    assert {key: made.get(key) for key in members} == members
    assert small_tenant.get(f"/resource-servers/{made['id']}") == made
    other = small_tenant.send("POST", "/resource-servers", {"identifier": "urn:other"}, status=201)
    changed = small_tenant.send("PATCH", f"/resource-servers/{other['id']}", members, status=200)
    assert changed == {**other, **members} == small_tenant.get(f"/resource-servers/{other['id']}")


@pytest.mark.parametrize("members", BAD_APIS, ids=lambda members: str(members)[:60])
def test_a_malformed_api_is_refused(small_tenant: Tenant, members: dict[str, Any]) -> None:
    before = small_tenant.get("/resource-servers")
    assert_invalid(small_tenant.call("POST", "/resource-servers", {"identifier": IDENTIFIER, **members}))
    assert small_tenant.get("/resource-servers") == before
    made = small_tenant.send("POST", "/resource-servers", {"identifier": IDENTIFIER}, status=201)
    if "identifier" not in members:
        assert_invalid(small_tenant.call("PATCH", f"/resource-servers/{made['id']}", members))
    assert small_tenant.get(f"/resource-servers/{made['id']}") == made


def test_an_identifier_is_unique_and_stays(small_tenant: Tenant) -> None:
    made = small_tenant.api(identifier=IDENTIFIER)
    assert_refused(small_tenant.call("POST", "/resource-servers", {"identifier": IDENTIFIER}), API_EXISTS)
    response = small_tenant.call("PATCH", f"/resource-servers/{made['id']}", {"identifier": "urn:other"})
    assert response.status_code in (200, 400)
    assert small_tenant.get(f"/resource-servers/{made['id']}")["identifier"] == IDENTIFIER
    assert_refused(small_tenant.call("GET", "/resource-servers/urn:other"), NO_API)
    assert small_tenant.call("POST", "/resource-servers", {"identifier": MANAGEMENT}).status_code in (400, 409)


def test_null_takes_a_block_away(small_tenant: Tenant) -> None:
    blocks = {"consent_policy": "transactional-authorization-with-mfa", "authorization_details": [{"type": "x"}]}
    made = small_tenant.api(**blocks)
    for key in (*blocks, "token_encryption", "proof_of_possession"):
        assert small_tenant.send("PATCH", f"/resource-servers/{made['id']}", {key: None}, status=200).get(key) is None
    assert not set(blocks) & set(small_tenant.get(f"/resource-servers/{made['id']}"))


def test_a_secret_is_made_for_an_api_that_signs_with_one(small_tenant: Tenant) -> None:
    assert len(small_tenant.api(signing_alg="HS256")["signing_secret"]) >= 16
    assert small_tenant.api(signing_alg="HS256", signing_secret="s" * 20)["signing_secret"] == "s" * 20


def test_apis_are_found_by_their_identifiers(small_tenant: Tenant) -> None:
    one, other = (small_tenant.api(identifier=f"urn:{name}") for name in "ab")
    wanted = {one["id"], other["id"]}
    assert set(ids(small_tenant.get("/resource-servers", identifiers="urn:a,urn:b"))) == wanted
    assert set(ids(small_tenant.get("/resource-servers?identifiers=urn:a&identifiers=urn:b"))) == wanted
    assert small_tenant.get("/resource-servers?identifiers=urn:a&fields=id") == [{"id": one["id"]}]


# --- what hangs on scopes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True], ids=["scope", "api"])
def test_what_was_given_goes_with_the_scope_and_does_not_come_back_with_its_name(tenant: Tenant, whole: bool) -> None:
    api, other = tenant.api("read", "write"), tenant.api("read")
    granted = [(api["identifier"], "read"), (api["identifier"], "write"), (other["identifier"], "read")]
    role, user = tenant.role(*granted), tenant.user()
    tenant.assign(user, role)
    tenant.send("POST", f"/users/{quoted(user)}/permissions", {"permissions": pairs(*granted)}, status=201)
    path = f"/resource-servers/{api['id']}"
    if whole:
        tenant.send("DELETE", path, status=204)
        tenant.api("read", "write", identifier=api["identifier"])
        left = ["read"]
    else:
        tenant.send("PATCH", path, {"scopes": [{"value": "read"}]}, status=200)
        tenant.send("PATCH", path, {"scopes": [{"value": "read"}, {"value": "write"}]}, status=200)
        left = ["read", "read"]
    assert names(tenant.get(f"/roles/{role}/permissions")) == left
    assert names(tenant.get(f"/users/{quoted(user)}/permissions")) == left


def test_a_scope_that_stays_keeps_what_was_given(small_tenant: Tenant) -> None:
    api = small_tenant.api("read", "write")
    role = small_tenant.role((api["identifier"], "read"), (api["identifier"], "write"))
    scopes = [{"value": "new"}, {"value": "write", "description": "said anew"}, {"value": "read"}]
    small_tenant.send("PATCH", f"/resource-servers/{api['id']}", {"scopes": scopes}, status=200)
    found = small_tenant.get(f"/roles/{role}/permissions")
    assert [(entry["permission_name"], entry["description"]) for entry in found] == [
        ("read", ""),
        ("write", "said anew"),
    ]


# --- the Management API ---------------------------------------------------------------------------------------------


def test_the_management_api_is_one_of_them_and_stays(small_tenant: Tenant) -> None:
    found = small_tenant.get(f"/resource-servers/{quoted(MANAGEMENT)}")
    assert (found["identifier"], found["name"], found["is_system"]) == (MANAGEMENT, "Auth0 Management API", True)
    scopes = {scope["value"] for scope in found["scopes"]}
    assert {"read:users", "update:users", "delete:role_members", "read:user_effective_roles"} <= scopes
    assert found["id"] in ids(small_tenant.get("/resource-servers"))
    for name in (found["id"], quoted(MANAGEMENT)):
        refused = small_tenant.call("DELETE", f"/resource-servers/{name}")
        assert (refused.status_code, refused.json()["message"]) == (400, "System resource servers cannot be deleted.")
        for body in ({"scopes": []}, {"name": "x"}, {"signing_alg": "HS256"}):
            refused = small_tenant.call("PATCH", f"/resource-servers/{name}", body)
            message = refused.json().get("message")
            assert (refused.status_code, message) == (400, "System resource servers cannot be patched.")
        assert small_tenant.send("PATCH", f"/resource-servers/{name}", {"token_lifetime": 3600}, status=200)
    assert small_tenant.issue()["expires_in"] == 3600
    assert small_tenant.get(f"/resource-servers/{found['id']}")["scopes"] == found["scopes"]
