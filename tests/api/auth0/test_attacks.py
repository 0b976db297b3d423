"""Attacks on the Auth0 face: what somebody with a little must not make of it, and what no request may break."""

import base64
import inspect
import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from api.auth0.answers import application
from api.auth0.logins import (
    CLIENT_CREDENTIALS,
    EMAIL,
    FAILURES_MAX,
    USER_GRANTS,
    Login,
    staged,
    text_of,
    words,
)
from rescind.api.auth0.face import OPERATIONS
from rescind.api.exchange import Operation
from rescind.model.apis import SYSTEM_API
from servers import Server, rescind
from tenant import CLIENT_ID, CLIENT_SECRET, CONNECTION, ISSUER, MANAGEMENT, PASSWORD, Tenant, pairs, quoted
from world import ROOT_KEY, World, allow

SECRET = "a secret of an API, long enough for everybody"
USERINFO = f"{ISSUER}userinfo"
FOREIGN = RSAKey.generate_key(2048)
PEM = FOREIGN.public_key.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()
LOGIN = "https://app.example.org/login"
FULL_WIDTH = 0xFF41
"""The first of the wide letters, which are folded into plain ones."""


@pytest.fixture
def ann(small_tenant: Tenant) -> Login:
    return staged(small_tenant)


def holding(ann: Login, *scopes: str) -> Tenant:
    """Ann as an administrator of the platform who was given these scopes of the Management API, and no more."""
    body = {"permissions": pairs(*((MANAGEMENT, scope) for scope in scopes))}
    ann.tenant.send("POST", f"/users/{quoted(ann.user)}/permissions", body, status=201)
    token = ann.login(audience=MANAGEMENT, scope=" ".join(scopes))["access_token"]
    return ann.tenant.with_token(token)


def machine(tenant: Tenant, *scopes: str, **members: Any) -> Tenant:
    """A client with a grant of these scopes of the Management API, and no more."""
    made = application(tenant, CLIENT_CREDENTIALS, **members)
    body = {"client_id": made.client_id, "audience": MANAGEMENT, "scope": list(scopes)}
    tenant.send("POST", "/client-grants", body, status=201)
    return made


def userinfo(tenant: Tenant, token: str) -> httpx2.Response:
    return tenant.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})


def head(tenant: Tenant) -> int:
    assert tenant.node is not None
    return tenant.node.store.head().revision


def vultr(tenant: Tenant) -> World:
    """The other face of the same node, as root of the first organization."""
    return World(tenant.http, ROOT_KEY, tenant.node)


def public_id(tenant: Tenant, email: str) -> str:
    return str(tenant.get("/users-by-email", email=email)[0]["user_id"])


def first_organization(tenant: Tenant, user: str) -> str:
    return str(tenant.get(f"/users/{quoted(user)}/organizations")[0]["id"])


# --- tokens that say more than they may -------------------------------------------------------------------------------


def _forged(secret: str, **claims: Any) -> str:
    now = int(time.time())
    said = {"iss": ISSUER, "iat": now - 5, "exp": now + 600, **claims}
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, said, OctKey.import_key(secret), algorithms=["HS256"])


@pytest.mark.parametrize("own_first", [True, False])
def test_the_secret_of_an_api_signs_for_no_second_audience(ann: Login, own_first: bool) -> None:
    """Who knows an API's signing secret is nobody at the Management API, at userinfo, or at introspection of others."""
    api = ann.tenant.api("read", signing_alg="HS256", signing_secret=SECRET)["identifier"]
    opened = {}
    for name, audience in {"management": MANAGEMENT, "userinfo": USERINFO, "another API": ann.audience}.items():
        audiences = [api, audience] if own_first else [audience, api]
        manager = {"sub": f"{CLIENT_ID}@clients", "azp": CLIENT_ID, "scope": "read:roles"}
        person = {"sub": ann.user, "azp": ann.client.client_id, "scope": "openid email"}
        token = _forged(SECRET, aud=audiences, **(manager if name == "management" else person))
        status = {
            "management": lambda token=token: ann.tenant.with_token(token).call("GET", "/roles").status_code == 200,
            "userinfo": lambda token=token: userinfo(ann.tenant, token).status_code == 200,
            "another API": lambda token=token: ann.introspect(token)["active"],
        }[name]()
        if status:
            opened[name] = audiences
    assert not opened


@pytest.mark.parametrize("identifier", [USERINFO, MANAGEMENT, SYSTEM_API, ISSUER, f"{ISSUER}oauth/token"])
def test_what_the_server_calls_itself_is_no_apis_identifier(ann: Login, identifier: str) -> None:
    """Else who registers it, with a secret of his own, signs for the server."""
    body = {"identifier": identifier, "signing_alg": "HS256", "signing_secret": SECRET}
    response = ann.tenant.call("POST", "/resource-servers", body)
    person = {"sub": ann.user, "azp": ann.client.client_id, "scope": "openid email"}
    assert userinfo(ann.tenant, _forged(SECRET, aud=USERINFO, **person)).status_code == 401
    assert response.status_code in (400, 409), response.text


def test_an_api_may_not_be_named_like_a_client(ann: Login) -> None:
    """An ID token is for its client alone: were there an API of that name, it would be an access token to it."""
    ann.tenant.call("POST", "/resource-servers", {"identifier": ann.client.client_id, "name": "x"})
    token = ann.login(scope="openid")["id_token"]
    assert ann.introspect(token) == {"active": False}


# --- tokens that outlive what they come from --------------------------------------------------------------------------


def next_second() -> None:
    """Tokens tell seconds: what ends and begins again within one is all the same to them."""
    time.sleep(1.01)


def test_a_token_is_not_of_the_next_user_with_the_same_id(ann: Login) -> None:
    """An id may be chosen again after its user was deleted: her tokens are not the new user's."""
    tenant = ann.tenant
    old = tenant.user(user_id="again", email="old@example.org")
    grant = {"permissions": pairs((MANAGEMENT, "read:roles"), (ann.audience, "read"))}
    tenant.send("POST", f"/users/{quoted(old)}/permissions", grant, status=201)
    manages = ann.login(username="old@example.org", audience=MANAGEMENT, scope="read:roles")["access_token"]
    reads = ann.login(username="old@example.org", scope="openid read")["access_token"]
    assert tenant.with_token(manages).call("GET", "/roles").status_code == 200
    tenant.send("DELETE", f"/users/{quoted(old)}", status=204)
    assert tenant.with_token(manages).call("GET", "/roles").status_code == 401
    next_second()
    assert tenant.user(user_id="again", email="new@example.org") == old
    tenant.send("POST", f"/users/{quoted(old)}/permissions", grant, status=201)
    assert tenant.with_token(manages).call("GET", "/roles").status_code == 401
    assert ann.introspect(reads) == {"active": False}
    assert userinfo(tenant, reads).status_code == 401


def test_a_token_of_a_membership_is_not_of_the_next_one(ann: Login) -> None:
    """Who is removed and added again starts from nothing: also her tokens."""
    tenant, organization = ann.tenant, ann.tenant.organization()
    members, body = f"/organizations/{organization}/members", {"members": [ann.user]}
    tenant.send("POST", members, body, status=204)
    token = ann.login(organization=organization, scope="openid")["access_token"]
    assert ann.introspect(token)["active"] is True
    tenant.send("DELETE", members, body, status=204)
    assert ann.introspect(token) == {"active": False}
    next_second()
    tenant.send("POST", members, body, status=204)
    assert ann.introspect(token) == {"active": False}
    assert userinfo(tenant, token).status_code == 401


def test_a_token_for_an_api_that_is_gone_is_not_active(ann: Login) -> None:
    for api in (ann.audience, ann.tenant.api("read", enforce_policies=False)["identifier"]):
        token = ann.login(audience=api, scope="read")["access_token"]
        assert ann.introspect(token)["active"] is True
        ann.tenant.send("DELETE", f"/resource-servers/{quoted(api)}", status=204)
        assert ann.introspect(token) == {"active": False}


def test_a_used_refresh_token_is_not_active(ann: Login) -> None:
    """Nor one whose second half was made up."""
    first = ann.login(scope="read offline_access")["refresh_token"]
    second = ann.refresh(first).json()["refresh_token"]
    assert ann.introspect(second)["active"] is True
    assert ann.introspect(first) == {"active": False}
    assert ann.introspect(f"{second.partition('.')[0]}.made-up") == {"active": False}


def _take_user_grant(ann: Login, audience: str) -> None:
    grants = ann.tenant.get("/client-grants", audience=audience, client_id=ann.client.client_id, subject_type="user")
    ann.tenant.send("DELETE", f"/client-grants/{grants[0]['id']}", status=204)


LESS: dict[str, Callable[[Login, str], Any]] = {
    "the client's grant for users": _take_user_grant,
    "the client is no longer first party": lambda ann, _: ann.tenant.send(
        "PATCH", f"/clients/{ann.client.client_id}", {"is_first_party": False}, status=200
    ),
    "the API refuses every client": lambda ann, audience: ann.tenant.send(
        "PATCH",
        f"/resource-servers/{quoted(audience)}",
        {"subject_type_authorization": {"client": {"policy": "require_client_grant"}, "user": {"policy": "deny_all"}}},
        status=200,
    ),
}


@pytest.mark.parametrize("less", LESS)
def test_a_users_token_is_good_for_what_its_client_may_still_ask_for(ann: Login, less: str) -> None:
    """At our own doors: a token's scopes are intersected on every call with the live client and client grant."""
    tenant = ann.tenant
    policy = {"client": {"policy": "require_client_grant"}, "user": {"policy": "require_client_grant"}}
    body = {"permissions": pairs((MANAGEMENT, "read:roles"))}
    tenant.send("POST", f"/users/{quoted(ann.user)}/permissions", body, status=201)
    tokens = {}
    for audience, scope in ((MANAGEMENT, "read:roles"), (ann.audience, "read")):
        path = f"/resource-servers/{quoted(audience)}"
        tenant.send("PATCH", path, {"subject_type_authorization": policy}, status=200)
        grant = {"client_id": ann.client.client_id, "audience": audience, "scope": [scope], "subject_type": "user"}
        tenant.send("POST", "/client-grants", grant, status=201)
        tokens[audience] = ann.login(audience=audience, scope=scope)["access_token"]
        LESS[less](ann, audience)
    said = ann.introspect(tokens[ann.audience])
    assert tenant.with_token(tokens[MANAGEMENT]).call("GET", "/roles").status_code in (401, 403)
    assert not said["active"] or "read" not in words(said.get("scope"))


# --- more than one was given ------------------------------------------------------------------------------------------


def _asserted(client_id: str) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": str(now)}
    return {
        "client_id": client_id,
        "client_assertion": jwt.encode({"alg": "RS256"}, claims, FOREIGN),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


@pytest.mark.parametrize("who", ["a user", "a client"])
def test_who_may_not_touch_secrets_of_clients_gives_them_no_keys_either(ann: Login, who: str) -> None:
    """`update:clients` is no way to become the client that may do everything."""
    tenant = ann.tenant
    narrow = holding(ann, "update:clients") if who == "a user" else tenant.holding("update:clients")
    methods = {"private_key_jwt": {"credentials": [{"pem": PEM, "credential_type": "public_key", "name": "x"}]}}
    response = narrow.call("PATCH", f"/clients/{CLIENT_ID}", {"client_authentication_methods": methods})
    body = {"grant_type": CLIENT_CREDENTIALS, "audience": MANAGEMENT, **_asserted(CLIENT_ID)}
    assert tenant.http.post("/oauth/token", json=body).status_code == 401
    assert response.status_code == 403, response.text


def test_an_invitation_promises_no_more_than_its_maker_holds(ann: Login) -> None:
    """Else who may invite gets any role by inviting a second address of hers."""
    tenant, organization = ann.tenant, ann.tenant.organization()
    role = tenant.role((ann.audience, "delete"))
    tenant.send("POST", f"/organizations/{organization}/members", {"members": [ann.user]}, status=204)
    narrow = holding(ann, "create:organization_invitations")
    client = application(tenant, "authorization_code", initiate_login_uri=LOGIN).client_id
    body = {"inviter": {"name": "Ann"}, "invitee": {"email": "two@example.org"}, "client_id": client, "roles": [role]}
    response = narrow.call("POST", f"/organizations/{organization}/invitations", body)
    if response.status_code == 201:
        accepted = tenant.http.post(
            f"/v1/invitations/{response.json()['ticket_id']}/accept", json={"name": "Two", "password": PASSWORD}
        )
        assert accepted.status_code != 200, "she joined with a role that she could not have given herself"
    assert response.status_code == 403, response.text


def test_nobody_becomes_an_administrator_of_the_platform_by_joining_a_group(small_tenant: Tenant) -> None:
    """A member who may fill a group of her organization gives herself nothing that the group has outside of it."""
    tenant, world = small_tenant, vultr(small_tenant)
    person, group = world.person(), world.group(name="operators")
    world.attach_policy(world.policy(allow("iam.*")), user=person.id)
    user = public_id(tenant, person.email)
    (found,) = [one["id"] for one in tenant.get("/groups", take=100)["groups"] if one["name"] == "operators"]
    role = tenant.role((MANAGEMENT, "update:users"))
    tenant.send("POST", f"/groups/{found}/roles", {"roles": [role]}, status=204)
    own = world.own(person)
    joined = own.call("POST", f"/v2/groups/{group}/members", {"user_id": person.id, "display_name": ""})
    had = tenant.get(f"/users/{quoted(user)}/effective-roles", take=100)["roles"]
    assert (joined.status_code, had) == (403, []), joined.text


def test_an_organization_does_not_bring_back_a_group_that_is_more_than_its_own(small_tenant: Tenant) -> None:
    """Restoring gives what the group has outside of the organization, too."""
    tenant, world = small_tenant, vultr(small_tenant)
    person = world.person()
    group = world.group(person, name="operators")
    world.attach_policy(world.policy(allow("iam.*")), user=person.id)
    (found,) = [one["id"] for one in tenant.get("/groups", take=100)["groups"] if one["name"] == "operators"]
    tenant.send("POST", f"/groups/{found}/roles", {"roles": [tenant.role((MANAGEMENT, "update:users"))]}, status=204)
    tenant.send("DELETE", f"/groups/{found}", status=204)
    assert world.own(person).call("POST", f"/v1/groups/{group}/restore").status_code == 403


@pytest.mark.parametrize("change", ["password", "email"])
@pytest.mark.parametrize("who", ["root", "a member"])
def test_an_organization_takes_over_no_administrator_of_the_platform(ann: Login, who: str, change: str) -> None:
    """Her account's home may not change a credential by which she does more than anybody there may."""
    tenant, world = ann.tenant, vultr(ann.tenant)
    boss, person = world.person(), world.person()
    world.attach_policy(world.policy(allow("account.user.*")), user=boss.id)
    user = public_id(tenant, boss.email)
    assert user
    victim = public_id(tenant, person.email)
    body = {"permissions": pairs((MANAGEMENT, "update:users"))}
    tenant.send("POST", f"/users/{quoted(victim)}/permissions", body, status=201)
    actor = world if who == "root" else world.own(boss)
    said = {"password": "another-Horse-2"} if change == "password" else {"email": "mine@example.org"}
    response = actor.call("PATCH", f"/v2/users/{person.id}", said)
    if change == "password":
        login = ann.attempt("another-Horse-2", person.email, audience=MANAGEMENT, scope="update:users")
        assert login.status_code == 403, "logged in as the administrator"
    assert response.status_code == 403, response.text


def test_a_token_gives_no_more_than_the_token_was_good_for(ann: Login) -> None:
    """A token with few scopes is no way to those that its user has besides."""
    tenant = ann.tenant
    holding(ann, "update:users", "read:logs")
    few = tenant.with_token(ann.login(audience=MANAGEMENT, scope="update:users")["access_token"])
    other = tenant.user(email="other@example.org")
    for scope, status in (("read:logs", 403), ("update:users", 201)):
        body = {"permissions": pairs((MANAGEMENT, scope))}
        response = few.call("POST", f"/users/{quoted(other)}/permissions", body)
        assert response.status_code == status, (scope, response.text)


def test_who_lets_a_blocked_user_in_again_holds_what_she_holds(ann: Login) -> None:
    """Lifting a block gives what it held back, as lifting a suspension does."""
    tenant = ann.tenant
    other = tenant.user(email="other@example.org")
    body = {"permissions": pairs((MANAGEMENT, "delete:users"))}
    tenant.send("POST", f"/users/{quoted(other)}/permissions", body, status=201)
    tenant.send("PATCH", f"/users/{quoted(other)}", {"blocked": True}, status=200)
    narrow = holding(ann, "update:users")
    assert narrow.call("PATCH", f"/users/{quoted(other)}", {"blocked": False}).status_code == 403


def test_who_turns_rbac_off_holds_the_whole_api(ann: Login) -> None:
    """Without it every user gets every scope: that is given to all, and to herself."""
    narrow = holding(ann, "update:resource_servers")
    response = narrow.call("PATCH", f"/resource-servers/{quoted(ann.audience)}", {"enforce_policies": False})
    assert "delete" not in words(ann.login(scope="delete").get("scope"))
    assert response.status_code == 403, response.text


def test_a_client_without_a_secret_gets_nothing_for_itself(small_tenant: Tenant) -> None:
    """Its name is no secret: else whoever has read it acts with the client's grants."""
    body = {"name": "Public", "token_endpoint_auth_method": "none", "grant_types": [CLIENT_CREDENTIALS]}
    made = small_tenant.send("POST", "/clients", body, status=201)
    grant = {"client_id": made["client_id"], "audience": MANAGEMENT, "scope": ["read:users"]}
    small_tenant.call("POST", "/client-grants", grant)
    ask = {"client_id": made["client_id"], "grant_type": CLIENT_CREDENTIALS, "audience": MANAGEMENT}
    assert small_tenant.http.post("/oauth/token", json=ask).status_code in (401, 403)


def test_a_client_that_shall_have_a_secret_has_one(ann: Login) -> None:
    """Made without one, it is known by its name only as long as that is what it says of itself."""
    body = {"name": "Public", "token_endpoint_auth_method": "none", "grant_types": list(USER_GRANTS)}
    made = ann.tenant.send("POST", "/clients", body, status=201)
    change = {"token_endpoint_auth_method": "client_secret_post"}
    ann.tenant.send("PATCH", f"/clients/{made['client_id']}", change, status=200)
    ask = {"grant_type": "password", "username": EMAIL, "password": PASSWORD, "client_id": made["client_id"]}
    assert ann.tenant.http.post("/oauth/token", json=ask).status_code == 401


def test_a_public_client_looks_into_no_token_of_another(ann: Login) -> None:
    """Introspection is for clients that prove who they are: a name is no proof."""
    body = {"name": "Public", "token_endpoint_auth_method": "none", "grant_types": list(USER_GRANTS)}
    made = ann.tenant.send("POST", "/clients", body, status=201)
    token = ann.login()["access_token"]
    response = ann.tenant.http.post("/oauth/introspect", data={"client_id": made["client_id"], "token": token})
    assert response.status_code == 401 or response.json() == {"active": False}


# --- secrets, and ids that are not what they say ----------------------------------------------------------------------


def _everything_stored(tenant: Tenant) -> str:
    assert tenant.node is not None
    with tenant.node.store.engine.pool.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        rows = [connection.exec_driver_sql(f'SELECT * FROM "{table}"').all() for table in tables]
    return repr(rows)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_secret_that_somebody_chose_for_a_client_is_its_secret_or_refused(small_tenant: Tenant, method: str) -> None:
    """Never stored in clear, never shown to who may not read keys, and never said to be so while another one is."""
    chosen = "chosen-by-an-administrator-0123456789abcdefghijklmnop"
    client, path = application(small_tenant, CLIENT_CREDENTIALS), "/clients"
    if method == "PATCH":
        path = f"/clients/{client.client_id}"
    response = small_tenant.call(method, path, {"name": "x", "client_secret": chosen})
    reader = small_tenant.holding("read:clients")
    assert chosen not in _everything_stored(small_tenant)
    assert chosen not in reader.call("GET", "/clients").text
    if response.status_code < 400 and chosen in response.text:
        ask = {"client_id": response.json()["client_id"], "client_secret": chosen}
        ask |= {"grant_type": CLIENT_CREDENTIALS, "audience": MANAGEMENT}
        assert small_tenant.http.post("/oauth/token", json=ask).status_code != 401


SPOOFED = {
    "clients": {"name": "x", "client_id": CLIENT_ID, "global": True, "signing_keys": []},
    "resource-servers": {"identifier": "https://spoof.example.org/", "id": "0" * 24, "is_system": True},
    "organizations": {"name": "spoof", "id": "org_0000000000000000", "created_at": "x"},
}


@pytest.mark.parametrize("path", SPOOFED)
def test_no_member_of_a_body_becomes_the_id_that_is_shown(small_tenant: Tenant, path: str) -> None:
    """What is kept as it was said never stands in the place of what the server says: a list would name another's id."""
    key = "client_id" if path == "clients" else "id"
    body = SPOOFED[path]
    made = small_tenant.call("POST", f"/{path}", body)
    assert made.status_code in (201, 400), made.text
    plain = {name: value for name, value in body.items() if name in ("name", "identifier")}
    suffix = "2" if path == "organizations" else ""
    other = small_tenant.call("POST", f"/{path}", {name: value + suffix + "2" for name, value in plain.items()}).json()
    changed = small_tenant.call("PATCH", f"/{path}/{other[key]}", {key: body[key]})
    assert changed.status_code in (200, 400), changed.text
    listed = [one[key] for one in small_tenant.get(f"/{path}")]
    assert other[key] in listed
    assert len(set(listed)) == len(listed)
    assert all(small_tenant.call("GET", f"/{path}/{one}").status_code == 200 for one in listed)


# --- guessing ---------------------------------------------------------------------------------------------------------


def _spellings(email: str) -> Iterator[str]:
    """The same address in other letters: full width, for each place."""
    for place, letter in enumerate(email):
        if letter.isalpha():
            other = chr(ord(letter) - ord("a") + FULL_WIDTH)
            assert unicodedata.normalize("NFKC", other) == letter
            yield email[:place] + other + email[place + 1 :]


def test_another_spelling_of_a_name_is_no_second_chance(ann: Login) -> None:
    """Whatever finds her counts as her: ten wrong passwords in all."""
    tried = list(_spellings(EMAIL))[: FAILURES_MAX + 1]
    statuses = [ann.attempt("wrong", spelling).status_code for spelling in tried]
    assert 429 in statuses, "each spelling of her address has ten trials of its own"


def test_a_username_gives_no_second_ten(ann: Login) -> None:
    ann.tenant.user(email="two@example.org", username="two")
    for _ in range(FAILURES_MAX):
        ann.attempt("wrong", "two@example.org")
    assert ann.attempt("wrong", "two@example.org").status_code == 429
    assert ann.attempt("wrong", "two").status_code == 429


def test_a_username_is_nobodys_address(ann: Login) -> None:
    """Who takes the address of another as a username gets neither her logins nor, later, her name."""
    body = {"connection": CONNECTION, "username": EMAIL, "password": "another-Horse-2"}
    made = ann.tenant.call("POST", "/users", body)
    assert ann.attempt("another-Horse-2").status_code == 403
    ann.tenant.send("PATCH", f"/users/{quoted(ann.user)}", {"email": "ann@new.example.org"}, status=200)
    assert ann.attempt("another-Horse-2").status_code == 403, "the one with her old address as a username is let in"
    assert made.status_code in (400, 409), made.text


# --- what breaks ------------------------------------------------------------------------------------------------------

DEEP, NO_TEXT, LONG_NUMBER = b"[" * 100_000, b"\xff\xfe", b"1" * 10_000
KINDS: tuple[Any, ...] = ({}, 0, True, None, "\0", 10**30, [{}], [None], [1], ["\0"])


def _payloads() -> Iterator[str]:
    good = {"iss": ISSUER, "aud": MANAGEMENT, "sub": "x", "exp": 1, "iat": 1}
    head = {"alg": "RS256", "typ": "JWT", "kid": "x"}
    for kind in KINDS:
        for member in ("aud", "iss", "sub", "exp"):
            yield f"{text_of(head)}.{text_of({**good, member: kind})}.AAAA"
        for member in ("alg", "kid", "typ", "crit", "b64", "jwk"):
            yield f"{text_of({**head, member: kind})}.{text_of(good)}.AAAA"
        yield f"{text_of(kind)}.{text_of(good)}.AAAA"
        yield f"{text_of(head)}.{text_of(kind)}.AAAA"
    yield f"{text_of(head)}.{text_of(DEEP)}.AAAA"
    yield f"{text_of(DEEP)}.{text_of(good)}.AAAA"
    yield f"{text_of(head)}.{text_of(NO_TEXT)}.AAAA"
    yield f"{text_of(head)}.{text_of(LONG_NUMBER)}.AAAA"


def test_no_broken_token_breaks_the_server(tenant: Tenant) -> None:
    """On both databases, at each door: what nobody signed is refused, and never a fault of ours."""
    broken: dict[str, set[int]] = {}
    ask = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    for token in _payloads():
        responses = {
            "management": (tenant.with_token(token).call("GET", "/roles"), (400, 401)),
            "userinfo": (userinfo(tenant, token), (400, 401)),
            "introspect": (tenant.http.post("/oauth/introspect", data={**ask, "token": token}), (200,)),
            "revoke": (tenant.http.post("/oauth/revoke", data={**ask, "token": token}), (200,)),
            "assertion": (
                tenant.http.post("/oauth/token", json={"grant_type": "x", "client_assertion": token}),
                (400, 401, 403),
            ),
        }
        for door, (response, expected) in responses.items():
            if response.status_code not in expected:
                shown = [part[:60] for part in token.split(".")[:2]]
                decoded_ = [base64.urlsafe_b64decode(part + "===")[:60].decode("latin-1") for part in shown]
                broken.setdefault(f"{door} {decoded_}", set()).add(response.status_code)
    assert not broken


def test_no_odd_path_or_query_breaks_the_server(small_tenant: Tenant) -> None:
    """Each reading with odd ids in its path and odd values in its query."""
    tenant = small_tenant
    odd = ["%00", "%ff", "9" * 30]
    names = ("email", "identifier", "user_id", "owner_id", "role_id", "resource_server_identifier", "permission_name")
    names += ("client_id", "audience", "name", "q", "sort", "from", "take", "page", "fields", "identifiers", "type")
    broken = {}
    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        paths = [operation.path.replace("{", "\0").split("\0")]
        parts = [part.partition("}")[2] for part in paths[0][1:]]
        for one in odd:
            urls = ["".join([paths[0][0], *(one + rest for rest in parts)])] if parts else []
            if not parts:
                urls = [
                    paths[0][0] + "?" + "&".join(f"{name}={one}" for name in names if name != left_out)
                    for left_out in ("", "q", "from")
                ] + [f"{paths[0][0]}?{name}={one}" for name in names]
            else:
                known = "".join([paths[0][0], *("x" + rest for rest in parts)])
                urls += [f"{known}?resource_server_identifier={one}&permission_name={one}&role_id={one}"]
            for url in urls:
                status = tenant.call("GET", f"/{url}").status_code
                if status not in (200, 400, 404, 409):
                    broken[url[:120]] = status
    assert not broken


def test_no_odd_proof_breaks_the_server(tenant: Tenant) -> None:
    """On both databases: what a client says of itself may be anything."""
    broken = {}
    for name in ("\0", "%00", "%ED%A0%80", "%", "é", "x" * 5000, ""):
        basic = base64.b64encode(f"{name}:{name}".encode()).decode()
        for path in ("token", "introspect", "revoke"):
            response = tenant.http.post(
                f"/oauth/{path}", data={"grant_type": "x", "token": "x"}, headers={"Authorization": f"Basic {basic}"}
            )
            if response.status_code not in (400, 401, 403):
                broken[path, name[:10]] = response.status_code
    assert not broken


ODD: tuple[Any, ...] = ({}, "", 10**40, [None])


def _bodies(operation: Operation) -> Iterator[dict[str, Any]]:
    """What a call takes, with each member odd by itself, and all at once."""
    found = inspect.signature(operation.handler, eval_str=True).parameters.get("body")
    models = (
        [one for one in (getattr(found.annotation, "__args__", None) or [found.annotation]) if one] if found else []
    )
    members = [name for model in models for name in getattr(model, "model_fields", ())]
    for odd in ODD if members else ():
        yield dict.fromkeys(members, odd)
        for member in members:
            yield {member: odd}
            yield {member: {"user": odd, "client": odd, "policy": odd, "name": odd, "email": odd}}


def test_no_odd_body_breaks_the_server(small_tenant: Tenant) -> None:
    """Each call that writes, on things that are there, with every member odd, alone and with what is required."""
    tenant, required = (
        small_tenant,
        {
            "/api/v2/users": {"connection": CONNECTION, "email": "fuzz@example.org", "password": PASSWORD},
            "/api/v2/roles": {"name": "fuzz"},
            "/api/v2/resource-servers": {"identifier": "https://fuzz.example.org/"},
            "/api/v2/clients": {"name": "fuzz"},
            "/api/v2/client-grants": {"client_id": CLIENT_ID, "audience": "https://x/"},
            "/api/v2/organizations": {"name": "fuzz"},
        },
    )
    ids = {
        "user_id": quoted(tenant.user()),
        "role_id": tenant.role(),
        "resource_server_id": tenant.api("read")["id"],
        "client_id": application(tenant, CLIENT_CREDENTIALS).client_id,
        "organization_id": tenant.organization(),
        "group_id": "grp_x",
        "grant_id": "cgr_x",
        "refresh_token_id": "rt_x",
        "session_id": "x",
        "invitation_id": "uinv_x",
        "connection_id": "x",
    }
    broken: dict[str, int] = {}
    for operation in OPERATIONS:
        if operation.method not in ("POST", "PATCH") or operation.path.endswith("rotate-secret"):
            continue
        path = "/" + operation.path.format(**ids)
        for body in _bodies(operation):
            if len(broken) > 5:
                break
            said = {**required.get(operation.path, {}), **body}
            response = tenant.call(operation.method, path, content=json.dumps(said).encode())
            if response.status_code >= 500:
                broken.setdefault(f"{operation.name} {json.dumps(said)[:100]}", response.status_code)
    assert not broken


@pytest.mark.parametrize("policy", [{"client": None}, {"user": None}, {}, {"user": {"policy": None}}])
def test_no_policy_of_an_api_keeps_the_server_from_answering(ann: Login, policy: dict[str, Any]) -> None:
    """A token for it is issued or refused. The Management API must not be lost by a null."""
    for audience in (ann.audience, MANAGEMENT):
        body = {"subject_type_authorization": policy}
        changed = ann.tenant.call("PATCH", f"/resource-servers/{quoted(audience)}", body)
        assert changed.status_code in (200, 400), changed.text
        assert ann.attempt(audience=audience).status_code in (200, 403)
        assert ann.tenant.grant(grant_type=CLIENT_CREDENTIALS, audience=audience).status_code in (200, 403)


REVOKED = [
    {"ids": [], "user_id": "{user}"},
    {"ids": [], "client_id": "{client}"},
    {"user_id": "", "client_id": "{client}"},
    {"user_id": None, "client_id": "", "ids": [""]},
    {"user_id": "", "ids": None},
]


@pytest.mark.parametrize("body", REVOKED, ids=str)
def test_nothing_that_is_empty_means_everybody(ann: Login, body: dict[str, Any]) -> None:
    """A list that came out empty, or a user without an id, revokes nothing."""
    token = ann.login(scope="read offline_access")["refresh_token"]
    known = {"user": ann.user, "client": ann.client.client_id}
    said = {name: value.format(**known) if isinstance(value, str) else value for name, value in body.items()}
    ann.tenant.call("POST", "/refresh-tokens/revoke", said)
    assert ann.refresh(token).status_code == 200


# --- many at once, and much at once -----------------------------------------------------------------------------------


def test_a_refresh_token_that_many_use_at_once_is_good_for_one(server: Server) -> None:
    """And the family is over: one of them had no right to it."""
    with httpx2.Client(base_url=server.url, timeout=30) as http:
        tenant = Tenant(http)
        token = tenant.grant(grant_type=CLIENT_CREDENTIALS, audience=f"{server.url}/api/v2/").json()["access_token"]
        ann = staged(tenant.with_token(token))
        first = ann.login(scope="read offline_access")["refresh_token"]
        with ThreadPoolExecutor(8) as pool:
            responses = list(pool.map(lambda _: ann.refresh(first), range(8)))
        good = [response.json()["refresh_token"] for response in responses if response.status_code == 200]
        assert len(good) == 1, [response.status_code for response in responses]
        assert {response.status_code for response in responses} == {200, 403}
        assert ann.refresh(good[0]).status_code == 403
        assert ann.introspect(good[0]) == {"active": False}


def test_the_log_explains_what_eight_clients_left_behind(server: Server) -> None:
    """A role given and taken at once by many: as many changes as effects, in turns; and the log is proven."""
    with httpx2.Client(base_url=server.url, timeout=60) as http:
        ask = {"grant_type": CLIENT_CREDENTIALS, "audience": f"{server.url}/api/v2/"}
        tenant = Tenant(http).with_token(Tenant(http).grant(**ask).json()["access_token"])
        user, role = tenant.user(), tenant.role()
        path, body = f"/users/{quoted(user)}/roles", {"roles": [role]}
        with ThreadPoolExecutor(8) as pool:
            methods = ["POST", "DELETE"] * 20
            responses = list(pool.map(lambda method: (method, tenant.call(method, path, body)), methods))
        assert {response.status_code for _, response in responses} == {204}
        changes = sorted(
            (int(response.headers["Rescind-Change"].rpartition("/")[2]), method)
            for method, response in responses
            if "Rescind-Change" in response.headers
        )
        assert [method for _, method in changes] == (["POST", "DELETE"] * 20)[: len(changes)]
        assert bool(tenant.get(path)) == (len(changes) % 2 == 1)
    verified = rescind("verify", RESCIND_DATABASE=server.database)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_hundreds_of_scopes_are_no_burden(ann: Login) -> None:
    """A token with all scopes of a large API, and one asked for with 50,000 that nobody has: a second of work each."""
    tenant = ann.tenant
    scopes = [f"scope:{number}" for number in range(300)]
    api = tenant.api(*scopes)["identifier"]
    role = tenant.role(*((api, scope) for scope in scopes))
    tenant.assign(ann.user, role)
    grant = {"client_id": ann.client.client_id, "audience": api, "scope": scopes}
    tenant.send("POST", "/client-grants", grant, status=201)
    many = " ".join(f"{number}" for number in range(50_000))
    seconds = {}
    for name, ask in {
        "login": lambda: ann.login(audience=api),
        "login, much asked": lambda: ann.login(audience=api, scope=many),
        "client": lambda: ann.client.grant(grant_type=CLIENT_CREDENTIALS, audience=api),
        "client, much asked": lambda: ann.client.grant(grant_type=CLIENT_CREDENTIALS, audience=api, scope=many),
    }.items():
        began = time.process_time()
        ask()
        seconds[name] = round(time.process_time() - began, 2)
    assert max(seconds.values()) < 1, seconds


def test_what_a_stranger_tries_is_not_kept_at_length(ann: Login) -> None:
    """A failed login leaves a trace, and not a megabyte of whatever was asked for."""
    public = {"name": "Public", "token_endpoint_auth_method": "none", "grant_types": list(USER_GRANTS)}
    client = ann.tenant.send("POST", "/clients", public, status=201)["client_id"]
    long = "x" * 200_000
    ask = {"client_id": client, "grant_type": "password", "username": "nobody", "password": "wrong"}
    ann.tenant.http.post("/oauth/token", json={**ask, "scope": long, "audience": long})
    assert len(_everything_stored(ann.tenant)) < 1_000_000
    assert long not in _everything_stored(ann.tenant)
