"""Cutting access off: blocks, sessions, refresh tokens, grants; and the log in which all of it is read."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import application, ids
from api.auth0.logins import EMAIL, FAILURES_MAX, ROTATING, USER_GRANTS, Login, staged
from tenant import CLIENT_ID, CLIENT_SECRET, PASSWORD, Tenant, quoted

TOKEN_KEYS = {
    "id",
    "user_id",
    "created_at",
    "idle_expires_at",
    "expires_at",
    "client_id",
    "session_id",
    "rotating",
    "resource_servers",
}
SESSION_KEYS = {
    "id",
    "user_id",
    "created_at",
    "updated_at",
    "authenticated_at",
    "idle_expires_at",
    "expires_at",
    "last_interacted_at",
    "device",
    "clients",
    "authentication",
}
LOG_KEYS = {"_id", "log_id", "date", "type", "description", "client_id", "client_name", "ip", "user_agent", "details"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def ann(small_tenant: Tenant) -> Login:
    return staged(small_tenant)


def path(ann: Login) -> str:
    return f"/users/{quoted(ann.user)}"


def kept(ann: Login) -> str:
    """A new refresh token."""
    return str(ann.login(scope="read offline_access")["refresh_token"])


def tokens(ann: Login) -> list[dict[str, Any]]:
    """Her refresh tokens, as the Management API lists them."""
    return list(ann.tenant.get(f"{path(ann)}/refresh-tokens")["tokens"])


# --- blocks after failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["/user-blocks/{user}", "/user-blocks?identifier={email}"])
def test_who_is_shut_out_is_listed_and_let_in_again(ann: Login, by: str) -> None:
    url = by.format(user=quoted(ann.user), email=EMAIL)
    assert ann.tenant.send("GET", url, status=200) == {"blocked_for": []}
    for _ in range(FAILURES_MAX):
        ann.attempt(password="wrong")
    assert ann.attempt().status_code == 429
    (block,) = ann.tenant.send("GET", url, status=200)["blocked_for"]
    assert block["identifier"] == EMAIL
    assert block["ip"]
    assert not ann.tenant.get(path(ann)).get("blocked"), "that is another block"
    for _ in range(2):
        ann.tenant.send("DELETE", url, status=204)
    assert ann.tenant.send("GET", url, status=200) == {"blocked_for": []}
    assert ann.attempt().status_code == 200


def test_the_block_of_an_administrator_is_not_lifted_with_the_others(ann: Login) -> None:
    ann.tenant.send("PATCH", path(ann), {"blocked": True}, status=200)
    ann.tenant.send("DELETE", f"/user-blocks/{quoted(ann.user)}", status=204)
    assert ann.attempt().status_code == 401


# --- refresh tokens and sessions ------------------------------------------------------------------------------------


def test_refresh_tokens_are_listed_as_they_are(tenant: Tenant) -> None:
    ann = staged(tenant)
    assert tokens(ann) == []
    token = kept(ann)
    (found,) = tokens(ann)
    assert set(found) >= TOKEN_KEYS
    assert (found["user_id"], found["client_id"], found["rotating"]) == (ann.user, ann.client.client_id, True)
    assert found["resource_servers"] == [{"audience": ann.audience, "scopes": found["resource_servers"][0]["scopes"]}]
    assert "read" in found["resource_servers"][0]["scopes"].split()
    assert INSTANT.fullmatch(found["created_at"])
    assert tenant.get(f"/refresh-tokens/{found['id']}") == found
    assert ids(tenant.get("/refresh-tokens", user_id=ann.user)["tokens"]) == [found["id"]]
    assert tenant.get("/refresh-tokens", user_id=ann.user, client_id=answers.CLIENT)["tokens"] == []
    assert token not in str(found)
    assert tenant.call("GET", "/refresh-tokens").status_code == 400
    newer = ann.refresh(token).json()["refresh_token"]
    (after,) = tokens(ann)
    assert INSTANT.fullmatch(after["last_exchanged_at"])
    assert tenant.call("DELETE", f"/refresh-tokens/{after['id']}").status_code in (202, 204)
    assert tokens(ann) == []
    assert ann.refresh(newer).status_code == 403
    assert tenant.call("GET", f"/refresh-tokens/{after['id']}").status_code == 404


def test_refresh_tokens_are_paged(ann: Login) -> None:
    for _ in range(3):
        kept(ann)
    url = f"{path(ann)}/refresh-tokens"
    first = ann.tenant.get(url, take=2)
    second = ann.tenant.get(url, take=2, **{"from": first["next"]})
    assert (len(first["tokens"]), len(second["tokens"]), "next" in second) == (2, 1, False)
    assert len({*ids(first["tokens"]), *ids(second["tokens"])}) == 3


def _delete_tokens(ann: Login) -> None:
    assert ann.tenant.send("DELETE", f"{path(ann)}/refresh-tokens", status=202) == {}


def _revoke_access(ann: Login) -> None:
    ann.tenant.send("POST", f"{path(ann)}/revoke-access", {}, status=202)


def _delete_grants(ann: Login) -> None:
    ann.tenant.send("DELETE", f"/grants?user_id={quoted(ann.user)}", status=204)


def _revoke(**body: Any) -> Callable[[Login], None]:
    def revoke(ann: Login) -> None:
        known = {"user_id": ann.user, "client_id": ann.client.client_id, "audience": ann.audience}
        asked = {key: known[key] if value is None else value for key, value in body.items()}
        ann.tenant.send("POST", "/refresh-tokens/revoke", asked, status=202)

    return revoke


def _revoke_ids(ann: Login) -> None:
    _revoke(ids=ids(tokens(ann)))(ann)


CUTS: dict[str, Callable[[Login], None]] = {
    "delete refresh tokens": _delete_tokens,
    "revoke access": _revoke_access,
    "delete grants": _delete_grants,
    "revoke by ids": _revoke_ids,
    "revoke by user": _revoke(user_id=None),
    "revoke by user and client": _revoke(user_id=None, client_id=None),
    "revoke by user, client and API": _revoke(user_id=None, client_id=None, audience=None),
    "revoke by client": _revoke(client_id=None),
}


@pytest.mark.parametrize("cut", CUTS)
def test_each_cut_ends_her_refresh_tokens_and_nobody_elses(ann: Login, cut: str) -> None:
    ann.tenant.user(email="bo@example.org")
    hers = [kept(ann), kept(ann)]
    other = ann.login(username="bo@example.org", scope="offline_access")["refresh_token"]
    CUTS[cut](ann)
    for token in hers:
        response = ann.refresh(token)
        assert (response.status_code, response.json()["error"]) == (403, "invalid_grant")
    assert tokens(ann) == []
    assert (ann.refresh(other).status_code == 200) == (cut != "revoke by client")
    assert ann.refresh(kept(ann)).status_code == 200, "who may log in may log in again"


def test_refresh_tokens_of_another_client_or_api_stay(ann: Login) -> None:
    token, tenant = kept(ann), ann.tenant
    other = application(tenant, *USER_GRANTS, refresh_token=ROTATING).client_id
    for body in ({"user_id": ann.user, "client_id": other}, {"client_id": other}, {"ids": ["unknown"]}):
        assert tenant.call("POST", "/refresh-tokens/revoke", body).status_code in (202, 400, 404)
    response = ann.refresh(token)
    assert response.status_code == 200
    token = response.json()["refresh_token"]
    tenant.send("POST", f"{path(ann)}/revoke-access", {"preserve_refresh_tokens": True}, status=202)
    assert ann.refresh(token).status_code == 200


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": "x"}, {"user_id": 1}, {"audience": "x"}, {"x": 1}])
def test_a_revocation_of_everything_is_refused(ann: Login, body: dict[str, Any]) -> None:
    token = kept(ann)
    assert ann.tenant.call("POST", "/refresh-tokens/revoke", body).status_code == 400
    assert ann.refresh(token).status_code == 200


def test_grants_are_not_deleted_without_saying_whose(ann: Login) -> None:
    token = kept(ann)
    assert ann.tenant.call("DELETE", "/grants").status_code == 400
    assert ann.refresh(token).status_code == 200


def test_sessions_are_listed_and_ended(ann: Login) -> None:
    kept(ann)
    tenant, url = ann.tenant, f"{path(ann)}/sessions"
    for session in tenant.get(url)["sessions"]:
        assert set(session) >= SESSION_KEYS
        assert tenant.get(f"/sessions/{session['id']}") == session
        changed = tenant.send("PATCH", f"/sessions/{session['id']}", {"session_metadata": {"a": "b"}}, status=200)
        assert changed["session_metadata"] == {"a": "b"}
    assert tenant.send("DELETE", url, status=202) == {}
    assert tenant.get(url) == {"sessions": []}


@pytest.mark.parametrize("what", ["sessions", "refresh-tokens"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_what_nobody_has_is_not_found(small_tenant: Tenant, what: str, method: str) -> None:
    body = {"session_metadata": {"a": "b"}} if method == "PATCH" and what == "sessions" else None
    if method == "PATCH" and body is None:
        body = {"refresh_token_metadata": {"a": "b"}}
    assert small_tenant.call(method, f"/{what}/unknown", body).status_code == 404


def test_user_grants_are_listed_in_their_form(ann: Login) -> None:
    kept(ann)
    found = ann.tenant.get("/grants", user_id=ann.user)
    assert all(set(grant) >= {"id", "clientID", "user_id", "audience", "scope"} for grant in found)
    wrapper = ann.tenant.get("/grants", include_totals="true", user_id=ann.user)
    assert wrapper == {"total": len(found), "start": 0, "limit": 50, "grants": found}
    _delete_grants(ann)
    assert ann.tenant.get("/grants", user_id=ann.user) == []


# --- the log --------------------------------------------------------------------------------------------------------


def test_a_removal_is_in_the_log_in_the_words_of_the_real_service(tenant: Tenant) -> None:
    user, role = tenant.user(), tenant.role()
    tenant.assign(user, role)
    tenant.call("DELETE", f"/users/{quoted(user)}/roles", {"roles": [role]}, headers={"User-Agent": "test"})
    entry = tenant.get("/logs", per_page=1)[0]
    assert set(entry) >= LOG_KEYS
    assert (entry["type"], entry["description"]) == ("sapi", "Remove roles from a user")
    assert entry["_id"] == entry["log_id"]
    assert (entry["client_id"], entry["user_agent"]) == (CLIENT_ID, "test")
    assert INSTANT.fullmatch(entry["date"])
    request, response = entry["details"]["request"], entry["details"]["response"]
    assert (request["method"], request["body"], request["channel"]) == ("delete", {"roles": [role]}, "api")
    assert request["path"].startswith("/api/v2/users/")
    assert "update:users" in request["auth"]["credentials"]["scopes"]
    assert request["auth"]["strategy"] == "jwt"
    assert response["statusCode"] == 204
    assert tenant.get(f"/logs/{entry['log_id']}") == entry
    assert tenant.call("GET", "/logs/90020000000000000000").status_code == 404


WORDS = [
    "Create a User",
    "Create a role",
    "Create a client",
    "Create an Organization",
    "Add members to an organization",
    "Delete organization",
    "Delete a User",
]


def test_each_write_has_its_title(small_tenant: Tenant) -> None:
    user = small_tenant.user()
    small_tenant.role()
    application(small_tenant, "password")
    organization = small_tenant.organization()
    small_tenant.send("POST", f"/organizations/{organization}/members", {"members": [user]}, status=204)
    small_tenant.send("DELETE", f"/organizations/{organization}", status=204)
    small_tenant.send("DELETE", f"/users/{quoted(user)}", status=204)
    said = [entry["description"] for entry in small_tenant.get("/logs", per_page=100) if entry["type"] == "sapi"]
    assert said[::-1][-len(WORDS) :] == WORDS


def test_readings_and_refused_writes_are_not_in_the_log(small_tenant: Tenant) -> None:
    small_tenant.role()
    before = ids(small_tenant.get("/logs"), "log_id")
    small_tenant.get("/roles")
    small_tenant.call("POST", "/roles", {})
    small_tenant.call("GET", f"/roles/{answers.ROLE}")
    assert ids(small_tenant.get("/logs"), "log_id") == before


def test_pages_of_the_log_go_both_ways(small_tenant: Tenant) -> None:
    for _ in range(5):
        small_tenant.role()
    newest_first = ids(small_tenant.get("/logs"), "log_id")
    assert newest_first == sorted(newest_first, reverse=True)
    wrapper = small_tenant.get("/logs", include_totals="true", per_page=2, page=1)
    assert (wrapper["start"], wrapper["limit"], wrapper["length"]) == (2, 2, 2)
    assert wrapper["total"] == len(newest_first)
    assert ids(wrapper["logs"], "log_id") == newest_first[2:4]
    after = small_tenant.get("/logs", **{"from": newest_first[3], "take": 2})
    assert ids(after, "log_id") == [newest_first[2], newest_first[1]], "ascending, after that one"
    assert small_tenant.get("/logs", **{"from": newest_first[0], "take": 2}) == []
    oldest = small_tenant.get("/logs", sort="date:1")
    assert ids(oldest, "log_id") == newest_first[::-1]
    found = small_tenant.get("/logs", q='type:"sapi" AND description:"Create a role"')
    assert len(found) == 5
    assert set(small_tenant.get("/logs", fields="type,date", per_page=1)[0]) == {"type", "date"}


def test_logins_are_in_her_log_whether_they_succeed_or_fail(ann: Login) -> None:
    ann.login()
    ann.attempt(password="wrong")
    ann.attempt(username="nobody@example.org")
    hers = {entry["type"] for entry in ann.tenant.get(f"{path(ann)}/logs")}
    assert hers & {"s", "sepft"}
    assert hers & {"fp", "fepft"}
    everybody = {entry["type"] for entry in ann.tenant.get("/logs", per_page=100)}
    assert everybody & {"fu", "f", "fepft"}
    assert "seccft" in everybody


def test_no_secret_is_in_the_log(ann: Login) -> None:
    secrets = {PASSWORD, "another-Horse-2", "wrong horse", CLIENT_SECRET, ann.client.client_secret}
    secrets |= {ann.login(scope="offline_access")["access_token"], kept(ann)}
    ann.attempt(password="wrong horse")
    ann.tenant.send("PATCH", path(ann), {"password": "another-Horse-2"}, status=200)
    rotated = ann.tenant.send("POST", f"/clients/{ann.client.client_id}/rotate-secret", status=200)["client_secret"]
    api = ann.tenant.api(signing_alg="HS256", signing_secret="a secret of an API, quite long")
    log = ann.tenant.call("GET", "/logs?per_page=100").text
    assert not {secret for secret in secrets | {rotated, api["signing_secret"]} if secret in log}
