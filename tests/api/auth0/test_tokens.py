"""Tokens: who gets which, what they say, how long they hold, and what is refused in their place."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from api.auth0 import answers
from api.auth0.answers import application
from api.auth0.logins import (
    CLIENT_CREDENTIALS,
    EMAIL,
    FAILURES_MAX,
    REALM,
    USER_GRANTS,
    Login,
    asked,
    bytes_of,
    decoded,
    jwks,
    staged,
    text_of,
    words,
)
from loopback import Loopback
from rescind.app import application as web
from rescind.node import build
from rescind.settings import Settings
from tenant import CLIENT_ID, CLIENT_SECRET, CONNECTION, ISSUER, MANAGEMENT, PASSWORD, PUBLIC_URL, Tenant, pairs, quoted


@pytest.fixture
def ann(small_tenant: Tenant) -> Login:
    return staged(small_tenant)


# --- client credentials ---------------------------------------------------------------------------------------------


def test_a_client_gets_a_management_token(tenant: Tenant) -> None:
    """On both databases: the shape of the answer, its headers, and the claims of the Auth0 profile."""
    response = tenant.grant(grant_type=CLIENT_CREDENTIALS, audience=MANAGEMENT)
    body = response.json()
    assert (response.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 86_400)
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    header, claims = decoded(body["access_token"])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": jwks(tenant)[0]["kid"]}
    assert claims == {
        "iss": ISSUER,
        "sub": f"{CLIENT_ID}@clients",
        "aud": MANAGEMENT,
        "iat": claims["iat"],
        "exp": claims["iat"] + 86_400,
        "azp": CLIENT_ID,
        "scope": body["scope"],
        "gty": "client-credentials",
    }
    assert abs(claims["iat"] - time.time()) < 60
    assert words(body["scope"]) >= {"read:users", "update:users", "read:roles", "delete:client_grants", "read:logs"}


def test_a_client_may_ask_for_less(small_tenant: Tenant) -> None:
    body = small_tenant.issue(scope="read:users read:roles")
    assert words(body["scope"]) == {"read:users", "read:roles"} == words(decoded(body["access_token"])[1]["scope"])


def _basic(client: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


ASK = {"grant_type": CLIENT_CREDENTIALS, "audience": MANAGEMENT}
OWN = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
WAYS: dict[str, dict[str, Any]] = {
    "json": {"json": {**ASK, **OWN}},
    "form": {"data": {**ASK, **OWN}},
    "basic and form": {"data": ASK, "headers": _basic()},
    "basic and json": {"json": ASK, "headers": _basic()},
    "basic and the id again": {"data": {**ASK, "client_id": CLIENT_ID}, "headers": _basic()},
    "an unknown parameter": {"json": {**ASK, **OWN, "unknown": 1}},
}
WRONG_WAYS: dict[str, dict[str, Any]] = {
    "wrong secret": {"json": {**ASK, **OWN, "client_secret": "wrong"}},
    "empty secret": {"json": {**ASK, **OWN, "client_secret": ""}},
    "no secret": {"json": {**ASK, "client_id": CLIENT_ID}},
    "unknown client": {"json": {**ASK, **OWN, "client_id": answers.CLIENT}},
    "wrong basic": {"data": ASK, "headers": _basic(secret="wrong")},
    "basic of nobody": {"data": ASK, "headers": _basic(client=answers.CLIENT)},
    "basic of one, body of another": {"data": {**ASK, "client_id": answers.CLIENT}, "headers": _basic()},
    "wrong basic, right body": {"data": {**ASK, **OWN}, "headers": _basic(secret="wrong")},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_client_may_say_who_it_is_in_every_usual_way(small_tenant: Tenant, way: str) -> None:
    response = small_tenant.http.post("/oauth/token", **WAYS[way])
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_a_client_that_is_not_known_gets_one_answer(small_tenant: Tenant, way: str) -> None:
    response = small_tenant.http.post("/oauth/token", **WRONG_WAYS[way])
    if way == "no secret" and response.status_code == 400:
        assert asked(response)[1] == "invalid_request"
    else:
        assert asked(response) == (401, "access_denied", "Unauthorized")


def _no_grant(audience: str) -> str:
    return (
        f'Client is not authorized to access "{audience}". You need to create a "client-grant" associated to this API. '
        "See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
    )


def test_each_refusal_of_a_token_has_its_words(small_tenant: Tenant) -> None:
    tenant, identifier = small_tenant, small_tenant.api("read")["identifier"]
    humans, machine = application(tenant, *USER_GRANTS), application(tenant, CLIENT_CREDENTIALS)
    unknown = answers.IDENTIFIER
    ask = {"grant_type": CLIENT_CREDENTIALS}
    cases: list[tuple[Tenant, dict[str, Any], tuple[int, str, str]]] = [
        (
            humans,
            {**ask, "audience": MANAGEMENT},
            (403, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client."),
        ),
        (machine, {**ask, "audience": MANAGEMENT}, (403, "access_denied", _no_grant(MANAGEMENT))),
        (tenant, {**ask, "audience": identifier}, (403, "access_denied", _no_grant(identifier))),
        (
            tenant,
            {**ask, "audience": unknown},
            (403, "access_denied", f"Service not enabled within domain: {unknown}"),
        ),
        (
            tenant,
            {**ask, "audience": MANAGEMENT, "scope": "read:users drop:users"},
            (403, "access_denied", "Client has not been granted scopes: drop:users"),
        ),
        (tenant, ask, (403, "access_denied", "Non-global clients are not allowed access to APIv1")),
        (tenant, {"grant_type": "magic"}, (403, "unsupported_grant_type", "Unsupported grant type: magic")),
        (tenant, {"audience": MANAGEMENT}, (400, "invalid_request", "Missing required parameter: grant_type")),
        (
            humans,
            {"grant_type": "password", "password": "x"},
            (400, "invalid_request", "Missing required parameter: username"),
        ),
        (
            humans,
            {"grant_type": "password", "username": "x"},
            (400, "invalid_request", "Missing required parameter: password"),
        ),
        (
            humans,
            {"grant_type": "refresh_token"},
            (400, "invalid_request", "Missing required parameter: refresh_token"),
        ),
        (
            humans,
            {"grant_type": "refresh_token", "refresh_token": "x"},
            (403, "invalid_grant", "Unknown or invalid refresh token."),
        ),
        (
            machine,
            {"grant_type": "password", "username": "x", "password": "x"},
            (403, "unauthorized_client", "Grant type 'password' not allowed for the client."),
        ),
    ]
    wrong = {}
    for client, parameters, expected in cases:
        response = client.grant(**parameters)
        if (found := asked(response)) != expected:
            wrong[str(parameters)] = (found, expected)
    assert not wrong


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff", b"1"])
def test_a_token_request_that_is_no_object_is_refused(small_tenant: Tenant, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert small_tenant.http.post("/oauth/token", content=content, headers=headers).status_code == 400


@pytest.mark.parametrize("value", [1, None, [], {}, True])
@pytest.mark.parametrize("member", ["client_id", "client_secret", "audience", "scope", "grant_type"])
def test_a_parameter_that_is_no_text_is_refused(small_tenant: Tenant, member: str, value: Any) -> None:
    response = small_tenant.http.post("/oauth/token", json={**ASK, **OWN, member: value})
    if value is None and member == "scope":
        assert response.status_code in (200, 400)
    else:
        assert 400 <= response.status_code < 404, response.text


def test_the_scopes_of_a_client_are_those_of_its_grant(small_tenant: Tenant) -> None:
    tenant = small_tenant
    machine = application(tenant, CLIENT_CREDENTIALS)
    api = tenant.api("read", "write", token_lifetime=600)
    body = {"client_id": machine.client_id, "audience": api["identifier"], "scope": ["read"]}
    grant = tenant.send("POST", "/client-grants", body, status=201)["id"]

    def issued() -> tuple[dict[str, Any], dict[str, Any]]:
        answer = machine.issue(audience=api["identifier"])
        return answer, decoded(answer["access_token"])[1]

    answer, claims = issued()
    assert (answer["expires_in"], answer["scope"], claims["scope"]) == (600, "read", "read")
    assert claims["permissions"] == ["read"], "RBAC is on, and the dialect carries permissions"
    assert asked(machine.grant(grant_type=CLIENT_CREDENTIALS, audience=api["identifier"], scope="write"))[0] == 403
    tenant.send("PATCH", f"/client-grants/{grant}", {"scope": []}, status=200)
    answer, claims = issued()
    assert "scope" not in claims
    assert claims["permissions"] == []
    tenant.send("PATCH", f"/client-grants/{grant}", {"allow_all_scopes": True}, status=200)
    assert words(issued()[0]["scope"]) == {"read", "write"}
    tenant.send("PATCH", f"/resource-servers/{api['id']}", {"token_dialect": "access_token"}, status=200)
    assert "permissions" not in issued()[1]
    tenant.send("DELETE", f"/client-grants/{grant}", status=204)
    assert machine.grant(grant_type=CLIENT_CREDENTIALS, audience=api["identifier"]).status_code == 403


# --- what user tokens say -------------------------------------------------------------------------------------------

DIALECTS = ("access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz")


@pytest.mark.parametrize("grant_type", ["password", REALM])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("enforced", [True, False], ids=["rbac", "no rbac"])
def test_a_token_says_what_its_api_wants_to_know(
    small_tenant: Tenant, dialect: str, grant_type: str, *, enforced: bool
) -> None:
    ann = staged(small_tenant, token_dialect=dialect, enforce_policies=enforced, token_lifetime=600)
    realm = {"realm": CONNECTION} if grant_type == REALM else {}
    body = ann.login(grant_type=grant_type, scope="openid read delete unknown", **realm)
    header, claims = decoded(body["access_token"])
    rfc9068 = dialect.startswith("rfc9068")
    granted = {"openid", "read"} if enforced else {"openid", "read", "delete"}
    client, azp = ann.client.client_id, "client_id" if rfc9068 else "azp"
    expected = {
        "iss": ISSUER,
        "sub": ann.user,
        "aud": [ann.audience, f"{ISSUER}userinfo"],
        "iat": claims["iat"],
        "exp": claims["iat"] + 600,
        azp: client,
        "scope": claims["scope"],
        **({"jti": claims.get("jti")} if rfc9068 else {"gty": "password"}),
    }
    if enforced and dialect.endswith("_authz"):
        assert sorted(claims["permissions"]) == ["read", "write"], "all that she may, whatever was asked"
        expected["permissions"] = claims["permissions"]
    assert claims == expected
    assert words(claims["scope"]) == granted == words(body["scope"])
    assert header == {"alg": "RS256", "typ": "at+jwt" if rfc9068 else "JWT", "kid": header["kid"]}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert body["id_token"]
    if rfc9068:
        assert claims["jti"] != decoded(ann.login()["access_token"])[1]["jti"]


def test_a_token_without_openid_has_one_audience_and_no_id_token(ann: Login) -> None:
    body = ann.login(scope="read")
    assert decoded(body["access_token"])[1]["aud"] == ann.audience
    assert not {"id_token", "refresh_token"} & set(body)


def test_who_has_no_permission_is_told_so(ann: Login) -> None:
    ann.tenant.user(email="bo@example.org")
    claims = decoded(ann.login(username="bo@example.org", scope="read")["access_token"])[1]
    assert claims["permissions"] == []
    assert "scope" not in claims


def test_an_id_token_is_for_the_client_and_says_who_she_is(ann: Login) -> None:
    token = ann.login(scope="openid profile email", nonce="n")["id_token"]
    header, claims = decoded(token)
    key = RSAKey.import_key(next(key for key in jwks(ann.tenant) if key["kid"] == header["kid"]))
    assert jwt.decode(token, key, algorithms=["RS256"]).claims == claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, ann.user, ann.client.client_id)
    assert (claims["email"], claims["nickname"]) == (EMAIL, "ann")
    assert "permissions" not in claims


def test_a_removal_shows_in_the_next_token_and_not_in_the_old(ann: Login) -> None:
    """The table of revocations: the old token is unchanged where it is verified offline; a new one is recomputed."""
    old = ann.login(scope="read offline_access")
    ann.tenant.send("DELETE", f"/users/{quoted(ann.user)}/roles", {"roles": [ann.role]}, status=204)
    assert sorted(decoded(old["access_token"])[1]["permissions"]) == ["read", "write"]
    assert decoded(ann.login(scope="read")["access_token"])[1]["permissions"] == ["write"]
    refreshed = ann.refresh(old["refresh_token"]).json()
    assert decoded(refreshed["access_token"])[1]["permissions"] == ["write"]
    assert "read" not in words(refreshed.get("scope"))


# --- organizations --------------------------------------------------------------------------------------------------


def test_a_login_through_an_organization_has_the_rights_of_its_member(ann: Login) -> None:
    tenant, organization = ann.tenant, ann.tenant.organization(name="acme")
    member, role = f"/organizations/{organization}/members", tenant.role((ann.audience, "delete"))
    through = {"grant_type": REALM, "realm": CONNECTION, "organization": organization, "scope": "read delete"}
    # Written before she joins, the role gives nothing.
    tenant.send("POST", f"{member}/{quoted(ann.user)}/roles", {"roles": [role]}, status=204)
    assert ann.attempt(**through).status_code in (400, 401, 403)
    tenant.send("POST", member, {"members": [ann.user]}, status=204)
    claims = decoded(ann.login(**through)["access_token"])[1]
    assert (claims["org_id"], claims["scope"], claims["permissions"]) == (organization, "delete", ["delete"])
    assert "org_id" not in decoded(ann.login(scope="read")["access_token"])[1]
    assert decoded(ann.login(scope="delete")["access_token"])[1]["permissions"] == ["read", "write"]

    token = ann.login(**{**through, "scope": "delete offline_access"})
    assert decoded(ann.refresh(token["refresh_token"]).json()["access_token"])[1]["org_id"] == organization
    token = ann.login(**{**through, "scope": "delete offline_access"})
    assert ann.introspect(token["access_token"])["active"] is True
    tenant.send("DELETE", member, {"members": [ann.user]}, status=204)
    assert ann.introspect(token["access_token"]) == {"active": False}
    assert ann.attempt(**through).status_code in (400, 401, 403)
    assert ann.refresh(token["refresh_token"]).status_code == 403
    # Who comes back starts from nothing.
    tenant.send("POST", member, {"members": [ann.user]}, status=204)
    assert decoded(ann.login(**through)["access_token"])[1]["permissions"] == []


@pytest.mark.parametrize("organization", [answers.ORGANIZATION, "acme", 1])
def test_an_organization_that_is_not_hers_lets_nobody_in(ann: Login, organization: Any) -> None:
    response = ann.attempt(grant_type=REALM, realm=CONNECTION, organization=organization)
    assert 400 <= response.status_code < 404, response.text


# --- logins that fail -----------------------------------------------------------------------------------------------


def test_a_wrong_password_and_an_unknown_user_are_one_answer(ann: Login) -> None:
    blocked = ann.tenant.user(email="bo@example.org", blocked=True)
    assert blocked
    wrong = [
        ann.attempt(password="wrong"),
        ann.attempt(username="nobody@example.org"),
        ann.attempt(username="bo@example.org", password="wrong"),
        ann.attempt(grant_type=REALM, realm=CONNECTION, password="wrong"),
        ann.attempt(username="ä" * 10_000),
    ]
    for response in wrong:
        assert asked(response) == (403, "invalid_grant", "Wrong email or password.")
        assert set(response.headers) == set(wrong[0].headers)


def test_a_realm_that_is_none_is_refused(ann: Login) -> None:
    response = ann.attempt(grant_type=REALM, realm="elsewhere")
    assert 400 <= response.status_code < 404


def test_the_audience_of_a_login_must_be_known(ann: Login) -> None:
    assert asked(ann.attempt(audience=answers.IDENTIFIER)) == (
        400,
        "invalid_request",
        "invalid audience specified for password grant exchange",
    )


def test_ten_failures_shut_out_whoever_it_is_for_the_same_words(ann: Login) -> None:
    ann.tenant.user(email="bo@example.org")
    said = []
    for username in (EMAIL, "nobody@example.org"):
        for _ in range(FAILURES_MAX):
            assert ann.attempt(username=username, password="wrong").status_code == 403
        for password in ("wrong", PASSWORD):
            response = ann.attempt(username=username, password=password)
            assert response.status_code == 429, response.text
            said.append(response.json())
    assert all(one == said[0] for one in said)
    assert ann.attempt(username="bo@example.org").status_code == 200


def test_a_blocked_user_gets_nothing(ann: Login) -> None:
    body = ann.login(scope="read offline_access")
    ann.tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"blocked": True}, status=200)
    assert asked(ann.attempt()) == (401, "unauthorized", "user is blocked")
    assert ann.refresh(body["refresh_token"]).status_code in (401, 403)
    assert ann.introspect(body["access_token"]) == {"active": False}
    ann.tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"blocked": False}, status=200)
    assert ann.attempt().status_code == 200


# --- refresh tokens -------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(tenant: Tenant) -> None:
    ann = staged(tenant)
    first = ann.login(scope="openid read write offline_access")["refresh_token"]
    other = ann.login(scope="offline_access")["refresh_token"]
    answer = ann.refresh(first)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    claims = decoded(body["access_token"])[1]
    assert (claims["sub"], claims["gty"][0]) == (ann.user, "refresh_token")
    assert words(claims["scope"]) == {"openid", "read", "write", "offline_access"}
    second = body["refresh_token"]
    assert second != first
    third = ann.refresh(second).json()["refresh_token"]
    for used in (first, third, second):
        assert asked(ann.refresh(used)) == (403, "invalid_grant", "Unknown or invalid refresh token.")
    assert ann.refresh(other).status_code == 200, "another family lives"


def test_a_refresh_asks_for_no_more_than_was_given(ann: Login) -> None:
    token = ann.login(scope="read offline_access")["refresh_token"]
    body = ann.refresh(token, scope="read write").json()
    assert "write" not in words(body.get("scope"))


def test_a_refresh_token_is_its_clients_alone(ann: Login) -> None:
    token = ann.login(scope="read offline_access")["refresh_token"]
    another = application(ann.tenant, *USER_GRANTS)
    assert another.grant(grant_type="refresh_token", refresh_token=token).status_code == 403
    thief = Tenant(ann.tenant.http, None, ann.client.client_id, "wrong")
    assert thief.grant(grant_type="refresh_token", refresh_token=token).status_code == 401
    assert ann.refresh(token).status_code == 200


def test_an_api_without_offline_access_gives_no_refresh_token(ann: Login) -> None:
    ann.tenant.send("PATCH", f"/resource-servers/{ann.api['id']}", {"allow_offline_access": False}, status=200)
    assert "refresh_token" not in ann.login(scope="read offline_access")


@pytest.mark.parametrize("end", ["user", "client", "api"])
def test_a_refresh_token_ends_with_what_it_lives_by(ann: Login, end: str) -> None:
    token = ann.login(scope="read offline_access")["refresh_token"]
    path = {
        "user": f"/users/{quoted(ann.user)}",
        "client": f"/clients/{ann.client.client_id}",
        "api": f"/resource-servers/{ann.api['id']}",
    }[end]
    ann.tenant.send("DELETE", path, status=204)
    assert ann.refresh(token).status_code in (400, 401, 403)


@pytest.mark.parametrize("how", ["json", "data"])
def test_a_revoked_refresh_token_is_gone(ann: Login, how: str) -> None:
    token = ann.login(scope="read offline_access")["refresh_token"]
    own = {"client_id": ann.client.client_id, "client_secret": ann.client.client_secret}
    another = application(ann.tenant, *USER_GRANTS)
    foreign = {"client_id": another.client_id, "client_secret": another.client_secret}
    for credentials, status, alive in (
        ({**own, "client_secret": "wrong"}, 401, True),
        (foreign, None, True),
        (own, 200, False),
        (own, 200, False),
    ):
        response = ann.tenant.http.post("/oauth/revoke", **{how: {**credentials, "token": token}})
        assert status in (None, response.status_code), response.text
        if status == 200:
            assert response.content == b""
        if alive:
            refreshed = ann.refresh(token)
            assert refreshed.status_code == 200
            token = refreshed.json()["refresh_token"]
        else:
            assert ann.refresh(token).status_code == 403
    response = ann.tenant.http.post("/oauth/revoke", json={**own, "token": "unknown"})
    assert (response.status_code, response.content) == (200, b"")


# --- introspection --------------------------------------------------------------------------------------------------


def test_introspection_says_what_holds_now(tenant: Tenant) -> None:
    ann = staged(tenant)
    token = ann.login(scope="read write")["access_token"]
    said = ann.introspect(token)
    claims = decoded(token)[1]
    assert said["active"] is True
    assert {key: said[key] for key in ("iss", "sub", "aud", "exp", "iat")} == {
        key: claims[key] for key in ("iss", "sub", "aud", "exp", "iat")
    }
    assert said["client_id"] == ann.client.client_id
    assert words(said["scope"]) == {"read", "write"}
    assert sorted(said["permissions"]) == ["read", "write"]
    tenant.send("DELETE", f"/users/{quoted(ann.user)}/roles", {"roles": [ann.role]}, status=204)
    said = ann.introspect(token)
    assert (said["active"], said["scope"], said["permissions"]) == (True, "write", ["write"])
    tenant.assign(ann.user, tenant.role((ann.audience, "delete")))
    said = ann.introspect(token)
    assert said["scope"] == "write", "a token gives no more than it was issued for"
    assert sorted(said["permissions"]) == ["delete", "write"]


@pytest.mark.parametrize("end", ["user", "client", "block"])
def test_a_token_is_not_active_when_its_user_or_client_is_gone(ann: Login, end: str) -> None:
    token = ann.login(scope="read")["access_token"]
    asker = Login(ann.tenant, application(ann.tenant, CLIENT_CREDENTIALS), ann.user, ann.api, ann.role)
    assert asker.introspect(token)["active"] is True
    if end == "block":
        ann.tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"blocked": True}, status=200)
    else:
        path = f"/users/{quoted(ann.user)}" if end == "user" else f"/clients/{ann.client.client_id}"
        ann.tenant.send("DELETE", path, status=204)
    assert asker.introspect(token) == {"active": False}


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "x" * 32])
def test_what_is_no_token_is_not_active(ann: Login, token: str) -> None:
    own = {"client_id": ann.client.client_id, "client_secret": ann.client.client_secret}
    response = ann.tenant.http.post("/oauth/introspect", data={**own, "token": token})
    if token:
        assert (response.status_code, response.json()) == (200, {"active": False})
    else:
        assert response.status_code in (200, 400)


def test_introspection_is_for_clients_alone(ann: Login) -> None:
    token = ann.login()["access_token"]
    own = {"client_id": ann.client.client_id, "client_secret": ann.client.client_secret}
    basic = _basic(ann.client.client_id, ann.client.client_secret)
    for credentials, headers, status in (
        ({}, {}, 401),
        ({**own, "client_secret": "wrong"}, {}, 401),
        ({"client_id": own["client_id"]}, {}, 401),
        ({}, {"Authorization": f"Bearer {token}"}, 401),
        (own, {}, 200),
        ({}, basic, 200),
    ):
        response = ann.tenant.http.post("/oauth/introspect", data={**credentials, "token": token}, headers=headers)
        assert response.status_code == status, response.text
    assert ann.tenant.http.post("/oauth/introspect", json={**own, "token": token}).json()["active"] is True


# --- keys and discovery ---------------------------------------------------------------------------------------------


def test_tokens_verify_with_the_published_keys(small_tenant: Tenant) -> None:
    token = small_tenant.issue()["access_token"]
    header, claims = decoded(token)
    (key,) = (key for key in jwks(small_tenant) if key["kid"] == header["kid"])
    assert set(key) >= {"kty", "use", "alg", "n", "e", "kid", "x5t", "x5c"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    assert jwt.decode(token, RSAKey.import_key(key), algorithms=["RS256"]).claims == claims
    der = base64.b64decode(key["x5c"][0])
    public = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers().n == int.from_bytes(bytes_of(key["n"]))
    assert public.key_size >= 2048
    assert key["x5t"] == text_of(hashlib.sha1(der, usedforsecurity=False).digest())


def test_the_keys_of_all_nodes_on_a_database_are_the_same(small_tenant: Tenant) -> None:
    with _another_node(small_tenant, PUBLIC_URL) as other:
        assert jwks(small_tenant) == jwks(other)


@pytest.mark.parametrize("path", ["openid-configuration", "oauth-authorization-server"])
def test_discovery_names_every_endpoint(small_tenant: Tenant, path: str) -> None:
    response = small_tenant.http.get(f"/.well-known/{path}")
    assert response.status_code == 200
    found = response.json()
    endpoints = {
        "authorization_endpoint": "authorize",
        "token_endpoint": "oauth/token",
        "device_authorization_endpoint": "oauth/device/code",
        "userinfo_endpoint": "userinfo",
        "mfa_challenge_endpoint": "mfa/challenge",
        "jwks_uri": ".well-known/jwks.json",
        "registration_endpoint": "oidc/register",
        "revocation_endpoint": "oauth/revoke",
        "introspection_endpoint": "oauth/introspect",
    }
    fixed = {
        "issuer": ISSUER,
        **{key: ISSUER + value for key, value in endpoints.items()},
        "code_challenge_methods_supported": ["S256", "plain"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "request_uri_parameter_supported": False,
        "request_parameter_supported": False,
    }
    assert {key: found.get(key) for key in fixed} == fixed
    assert {"openid", "profile", "email", "offline_access"} <= set(found["scopes_supported"])
    rest = {"response_types_supported", "claims_supported", "token_endpoint_auth_signing_alg_values_supported"}
    assert rest <= set(found)


# --- who she is -----------------------------------------------------------------------------------------------------

PROFILE = {"nickname", "name", "picture", "updated_at"}
ADDRESS = {"email", "email_verified"}


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        ("openid", set()),
        ("openid profile", PROFILE),
        ("openid email", ADDRESS),
        ("openid profile email", PROFILE | ADDRESS),
    ],
)
@pytest.mark.parametrize("opaque", [True, False], ids=["opaque", "jwt"])
def test_userinfo_says_what_the_scopes_allow(ann: Login, scope: str, keys: set[str], *, opaque: bool) -> None:
    body = ann.login(scope=scope, **({"audience": None} if opaque else {}))
    token = body["access_token"]
    assert (len(token) == 32 and "." not in token) == opaque
    for method in ("GET", "POST"):
        response = ann.tenant.http.request(method, "/userinfo", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"sub", *keys}
        assert response.json()["sub"] == ann.user
    ann.tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"blocked": True}, status=200)
    assert ann.tenant.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_opaque_token_is_good_for_nothing_else(ann: Login) -> None:
    token = ann.login(scope="openid read:users", audience=None)["access_token"]
    assert ann.tenant.with_token(token).call("GET", "/users").status_code in (400, 401)


@pytest.mark.parametrize("header", [None, "Bearer x", "Bearer", "Basic YTpi", "MANAGEMENT", "NO OPENID"])
def test_userinfo_refuses_in_plain_words(ann: Login, header: str | None) -> None:
    if header == "MANAGEMENT":
        header = f"Bearer {ann.tenant.issue()['access_token']}"
    if header == "NO OPENID":
        header = f"Bearer {ann.login(scope='read')['access_token']}"
    response = ann.tenant.http.get("/userinfo", headers={"Authorization": header} if header else {})
    assert (response.status_code, response.text) == (401, "Unauthorized")
    assert response.headers["www-authenticate"].startswith('Bearer realm="Users"')


# --- tokens at our own doors ----------------------------------------------------------------------------------------


def test_a_token_gives_what_its_client_has_now(tenant: Tenant) -> None:
    """A token's scopes are an upper bound: what is taken from its client is gone at once."""
    machine = application(tenant, CLIENT_CREDENTIALS)
    body = {"client_id": machine.client_id, "audience": MANAGEMENT, "scope": ["read:users", "read:roles"]}
    grant = tenant.send("POST", "/client-grants", body, status=201)["id"]
    assert machine.call("GET", "/roles").status_code == 200
    tenant.send("PATCH", f"/client-grants/{grant}", {"scope": ["read:users", "read:clients"]}, status=200)
    assert machine.call("GET", "/roles").status_code == 403
    assert machine.call("GET", "/users").status_code == 200
    assert machine.call("GET", "/clients").status_code == 403, "the token was issued for less"
    tenant.send("DELETE", f"/client-grants/{grant}", status=204)
    assert machine.call("GET", "/users").status_code in (401, 403)
    tenant.send("POST", "/client-grants", body, status=201)
    tenant.send("DELETE", f"/clients/{machine.client_id}", status=204)
    assert machine.call("GET", "/users").status_code == 401
    assert asked(machine.grant(grant_type=CLIENT_CREDENTIALS, audience=MANAGEMENT))[0] == 401


def test_a_user_manages_what_she_was_given_and_no_longer_than_that(ann: Login) -> None:
    """System permissions of users: asked for, had, and still had."""
    tenant, path = ann.tenant, f"/users/{quoted(ann.user)}/permissions"
    everything = " ".join(scope["value"] for scope in tenant.get(f"/resource-servers/{quoted(MANAGEMENT)}")["scopes"])
    nobody = ann.attempt(audience=MANAGEMENT, scope=everything)
    if nobody.status_code == 200:
        stranger = tenant.with_token(nobody.json()["access_token"])
        for url in ("/users", "/roles", "/clients"):
            assert stranger.call("GET", url).status_code == 403
        assert stranger.call("POST", "/roles", {"name": "x"}).status_code == 403
    body = {"permissions": pairs((MANAGEMENT, "read:roles"))}
    tenant.send("POST", path, body, status=201)
    token = ann.login(audience=MANAGEMENT, scope=everything)["access_token"]
    assert words(decoded(token)[1]["scope"]) == {"read:roles"}
    own = tenant.with_token(token)
    assert own.call("GET", "/roles").status_code == 200
    assert own.call("GET", "/users").status_code == 403
    tenant.send("DELETE", path, body, status=204)
    assert own.call("GET", "/roles").status_code in (401, 403)
    tenant.send("POST", path, body, status=201)
    assert own.call("GET", "/roles").status_code == 200
    tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"blocked": True}, status=200)
    assert own.call("GET", "/roles").status_code == 401


def test_system_permissions_are_never_in_a_token_of_an_organization(ann: Login) -> None:
    tenant, organization = ann.tenant, ann.tenant.organization()
    member, role = f"/organizations/{organization}/members", tenant.role((MANAGEMENT, "read:roles"))
    tenant.send("POST", member, {"members": [ann.user]}, status=204)
    tenant.send("POST", f"{member}/{quoted(ann.user)}/roles", {"roles": [role]}, status=204)
    response = ann.attempt(
        grant_type=REALM, realm=CONNECTION, organization=organization, audience=MANAGEMENT, scope="read:roles"
    )
    if response.status_code == 200:
        assert "read:roles" not in words(response.json().get("scope"))
        assert tenant.with_token(response.json()["access_token"]).call("GET", "/roles").status_code in (401, 403)


def test_a_management_token_expires(small_tenant: Tenant) -> None:
    small_tenant.send("PATCH", f"/resource-servers/{quoted(MANAGEMENT)}", {"token_lifetime": 1}, status=200)
    brief = small_tenant.with_token(small_tenant.issue()["access_token"])
    deadline = time.monotonic() + 10
    while (response := brief.call("GET", "/roles")).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert response.status_code == 401
    assert response.json() == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Expired token received for JSON Web Token validation",
    }


# --- forged tokens --------------------------------------------------------------------------------------------------

SIGNATURE = "Invalid signature received for JSON Web Token validation"
FOREIGN = RSAKey.generate_key(2048)


def _hmac(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    # By hand: no library signs with a public key.
    signed = f"{text_of(header)}.{text_of(claims)}"
    return f"{signed}.{text_of(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _pem(key: dict[str, Any]) -> bytes:
    loaded = RSAKey.import_key(key).public_key
    return loaded.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _forgeries(tenant: Tenant) -> dict[str, str]:
    token = tenant.issue()["access_token"]
    header, claims = decoded(token)
    _, body, signature = token.split(".")
    key = jwks(tenant)[0]
    pem = _pem(key)
    none = {**header, "alg": "none"}
    foreign = {"RS256": jwt.encode(header, claims, FOREIGN)}
    own = {"alg": "RS256", "typ": "JWT", "jwk": FOREIGN.as_dict(private=False)}
    spelled = [f"{text_of({**none, 'alg': alg})}.{body}." for alg in ("none", "None", "NONE", "nOnE", "")]
    return {
        **{f"alg none {number}": one for number, one in enumerate(spelled)},
        "alg none, signature kept": f"{text_of(none)}.{body}.{signature}",
        "no alg": f"{text_of({'typ': 'JWT'})}.{body}.{signature}",
        "public key as secret": _hmac({**header, "alg": "HS256"}, claims, pem),
        "public key as secret, stripped": _hmac({**header, "alg": "HS256"}, claims, pem.strip()),
        "certificate as secret": _hmac({**header, "alg": "HS256"}, claims, key["x5c"][0].encode()),
        "modulus as secret": _hmac({**header, "alg": "HS256"}, claims, bytes_of(key["n"])),
        "empty secret": _hmac({**header, "alg": "HS256"}, claims, b""),
        "client secret": _hmac({**header, "alg": "HS256"}, claims, CLIENT_SECRET.encode()),
        "foreign key": foreign["RS256"],
        "foreign key, unknown kid": jwt.encode({**header, "kid": "unknown"}, claims, FOREIGN),
        "foreign key, no kid": jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, FOREIGN),
        "a key that it brings itself": jwt.encode(own, claims, FOREIGN, algorithms=["RS256"]),
        "other claims": f"{token.split('.')[0]}.{text_of({**claims, 'exp': claims['exp'] + 1})}.{signature}",
        "another header": f"{text_of({**header, 'typ': 'x'})}.{body}.{signature}",
        "another algorithm": f"{text_of({**header, 'alg': 'PS256'})}.{body}.{signature}",
        "no signature": f"{text_of(header)}.{body}.",
        "two parts": f"{text_of(header)}.{body}",
        "four parts": f"{token}.x",
        "cut": token[:-4],
        "one letter other": token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:],
        "a list for claims": f"{text_of(header)}.{text_of([1])}.{signature}",
        "a list for a header": f"{text_of([1])}.{body}.{signature}",
        "unknown critical header": f"{text_of({**header, 'crit': ['x'], 'x': 1})}.{body}.{signature}",
    }


def test_no_forged_token_opens_the_management_api(small_tenant: Tenant) -> None:
    opened = {}
    for name, token in _forgeries(small_tenant).items():
        response = small_tenant.with_token(token).call("GET", "/roles")
        said = response.json()
        fine = response.status_code in (400, 401) and said["statusCode"] == response.status_code
        if name.startswith(("foreign", "other", "public", "cut", "one letter")):
            fine = fine and (response.status_code, said["message"]) in ((401, SIGNATURE), (401, "Invalid token"))
        if name in ("foreign key", "one letter other"):
            fine = fine and said["message"] == SIGNATURE
        if not fine:
            opened[name] = (response.status_code, response.text)
    assert not opened


def test_no_forged_token_is_active(ann: Login) -> None:
    active = {name for name, token in _forgeries(ann.tenant).items() if ann.introspect(token) != {"active": False}}
    assert not active


def test_a_token_for_another_api_is_not_for_the_management_api(ann: Login) -> None:
    tenant = ann.tenant
    refused = {"identifier": "https://id.example.org/api/v2"}
    tenant.send("POST", "/resource-servers", refused, status=400)
    twin = tenant.api("read:roles", "create:roles", identifier="https://id.example.organisation/api/v2/")
    body = {"client_id": CLIENT_ID, "audience": twin["identifier"], "scope": ["read:roles", "create:roles"]}
    tenant.send("POST", "/client-grants", body, status=201)
    for token in (tenant.issue(audience=twin["identifier"])["access_token"], ann.login()["access_token"]):
        response = tenant.with_token(token).call("GET", "/roles")
        assert response.status_code == 401, response.text
        said = response.json()
        assert said["statusCode"] == 401
        assert said["message"] in ("Invalid token", "Client is not global.")
    assert said.get("attributes", {"error": "Invalid token"}) == {"error": "Invalid token"}


def test_an_id_token_is_no_access_token(ann: Login) -> None:
    token = ann.login(scope="openid")["id_token"]
    assert ann.tenant.with_token(token).call("GET", "/roles").status_code == 401
    assert ann.introspect(token) == {"active": False}
    assert ann.tenant.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_of_another_issuer_with_the_same_keys_is_refused(small_tenant: Tenant) -> None:
    elsewhere = "https://other.example.org"
    with _another_node(small_tenant, elsewhere) as other:
        response = other.grant(grant_type=CLIENT_CREDENTIALS, audience=f"{elsewhere}/api/v2/")
        if response.status_code != 200:
            response = other.grant(grant_type=CLIENT_CREDENTIALS, audience=MANAGEMENT)
    assert response.status_code == 200, response.text
    token = response.json()["access_token"]
    assert decoded(token)[1]["iss"] == f"{elsewhere}/"
    assert small_tenant.with_token(token).call("GET", "/roles").status_code == 401


def test_an_api_that_signs_with_a_secret_opens_nothing_else(ann: Login) -> None:
    secret = "a secret of an API, long enough for everybody"
    tenant = ann.tenant
    api = tenant.api("read", signing_alg="HS256", signing_secret=secret)
    token = ann.login(audience=api["identifier"])["access_token"]
    header, claims = decoded(token)
    key = OctKey.import_key(secret)
    assert header["alg"] == "HS256"
    assert jwt.decode(token, key, algorithms=["HS256"]).claims == claims
    now = int(time.time())

    def forged(**other: Any) -> str:
        return jwt.encode(header, {**claims, **other}, key, algorithms=["HS256"])

    assert ann.introspect(token)["active"] is True
    manager = forged(aud=MANAGEMENT, sub=f"{CLIENT_ID}@clients", azp=CLIENT_ID, scope="read:roles")
    assert tenant.with_token(manager).call("GET", "/roles").status_code == 401
    refused = {
        "expired": forged(exp=now - 120),
        "not yet valid": forged(nbf=now + 3600),
        "issued in the future": forged(iat=now + 3600, exp=now + 7200),
        "another issuer": forged(iss="https://other.example.org/"),
        "another audience": forged(aud=ann.audience),
        "no expiry": jwt.encode(header, {k: v for k, v in claims.items() if k != "exp"}, key, algorithms=["HS256"]),
        "a text for an expiry": forged(exp="never"),
        "nobody": forged(sub=answers.USER),
        "no client": forged(azp=answers.CLIENT),
        "the management API": manager,
        "none": f"{text_of({**header, 'alg': 'none'})}.{text_of(claims)}.",
    }
    active = {name for name, one in refused.items() if ann.introspect(one) != {"active": False}}
    assert not active


@contextmanager
def _another_node(tenant: Tenant, public_url: str) -> Iterator[Tenant]:
    """A node on the same database that believes to be somewhere else."""
    assert tenant.node is not None
    database = f"sqlite:///{tenant.node.store.engine.pool.url.database}"
    node = build(Settings(database=database, public_url=public_url))
    with Loopback(web(node), base_url=public_url, raise_server_exceptions=False) as client:
        yield Tenant(client, node)
    node.store.close()
