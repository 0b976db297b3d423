"""The manners of the face: who may call what, in which order things are refused, how pages and bodies look."""

import itertools
import re
from typing import Any, NamedTuple

import pytest

from api.auth0 import answers
from api.auth0.answers import (
    NO_API,
    NO_CLIENT,
    NO_CONNECTION,
    NO_GRANT,
    NO_GROUP,
    NO_ORGANIZATION,
    NO_ROLE,
    NO_USER,
    UNKNOWN,
    Refusal,
    assert_invalid,
    assert_refused,
    ids,
)
from tenant import CONNECTION, PASSWORD, Tenant, pairs, quoted
from world import ROOT_KEY

NO_CREDENTIAL = {"statusCode": 401, "error": "Unauthorized", "message": "Missing authentication"}
BAD_SCHEME = {
    "statusCode": 400,
    "error": "Bad Request",
    "message": "Bad HTTP authentication header format",
    "errorCode": "Bearer",
}
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-cache",
    "strict-transport-security": "max-age=31536000",
    "vary": "origin,accept-encoding",
    "x-content-type-options": "nosniff",
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OTHER_SCOPE = "read:tenant_settings"

ROLES = {"roles": [answers.ROLE]}
PERMISSIONS = {"permissions": pairs((answers.IDENTIFIER, "read:it"))}
BODIES: dict[str, Any] = {
    "empty": {},
    "name": {"name": "x"},
    "display": {"display_name": "x"},
    "roles": ROLES,
    "permissions": PERMISSIONS,
    "members": {"members": [answers.USER]},
    "users": {"users": [answers.USER]},
    "groups": {"groups": [answers.GROUP]},
    "scope": {"scope": []},
    "grant": {"grant_id": answers.GRANT},
    "connection": {"connection_id": answers.CONNECTION_ID},
    "button": {"show_as_button": True},
    "assign": {"assign_membership_on_login": True},
    "metadata": {"session_metadata": {}},
    "user": {"user_id": answers.USER},
    "invitation": {
        "inviter": {"name": "Bo"},
        "invitee": {"email": "ann@example.org"},
        "client_id": answers.CLIENT,
    },
}
REFUSALS = {
    "NO_USER": NO_USER,
    "NO_ROLE": NO_ROLE,
    "NO_API": NO_API,
    "NO_CLIENT": NO_CLIENT,
    "NO_GRANT": NO_GRANT,
    "NO_ORGANIZATION": NO_ORGANIZATION,
    "NO_CONNECTION": NO_CONNECTION,
    "NO_GROUP": NO_GROUP,
}
SHORT = {
    "u": UNKNOWN["user"],
    "r": UNKNOWN["role"],
    "o": UNKNOWN["organization"],
    "g": UNKNOWN["group"],
    "c": UNKNOWN["client"],
    "cg": UNKNOWN["grant"],
    "con": UNKNOWN["connection"],
    "i": UNKNOWN["invitation"],
    "api": UNKNOWN["api"],
    "consent": UNKNOWN["consent"],
    "query": f"resource_server_identifier={UNKNOWN['identifier']}",
    "permission": f"resource_server_identifier={UNKNOWN['identifier']}&permission_name=x",
    "sources": "effective-roles/sources/groups",
}

# Every call: its scopes (`+` all of them, `|` or this one alone), what is said of ids that nobody has (a status, or `-`
# where the contract is silent), and a body.
TABLE = """
# P0: users, roles, APIs
GET /users read:users 200
POST /users create:users 400 empty
GET /users/{u} read:users|read:current_user NO_USER
PATCH /users/{u} update:users|update:users_app_metadata|update:current_user_metadata NO_USER name
DELETE /users/{u} delete:users|delete:current_user 204
GET /users-by-email?email=nobody@example.org read:users 200
GET /users/{u}/roles read:users+read:roles|read:role_members NO_USER
POST /users/{u}/roles update:users|create:role_members NO_USER roles
DELETE /users/{u}/roles update:users|delete:role_members NO_USER roles
GET /users/{u}/permissions read:users NO_USER
POST /users/{u}/permissions update:users NO_USER permissions
DELETE /users/{u}/permissions update:users NO_USER permissions
GET /roles read:roles 200
POST /roles create:roles 400 empty
GET /roles/{r} read:roles NO_ROLE
PATCH /roles/{r} update:roles NO_ROLE name
DELETE /roles/{r} delete:roles NO_ROLE empty
GET /roles/{r}/permissions read:roles NO_ROLE
POST /roles/{r}/permissions update:roles NO_ROLE permissions
DELETE /roles/{r}/permissions update:roles NO_ROLE permissions
GET /roles/{r}/users read:users+read:roles|read:role_members NO_ROLE
POST /roles/{r}/users update:roles|create:role_members NO_ROLE users
GET /resource-servers read:resource_servers 200
POST /resource-servers create:resource_servers 400 empty
GET /resource-servers/{api} read:resource_servers NO_API
PATCH /resource-servers/{api} update:resource_servers NO_API name
DELETE /resource-servers/{api} delete:resource_servers 204
# P1: clients, organizations, connections
GET /clients read:clients 200
POST /clients create:clients 400 empty
GET /clients/{c} read:clients NO_CLIENT
PATCH /clients/{c} update:clients NO_CLIENT name
DELETE /clients/{c} delete:clients 204
POST /clients/{c}/rotate-secret update:client_keys NO_CLIENT
GET /client-grants read:client_grants 200
POST /client-grants create:client_grants 400 empty
GET /client-grants/{cg} read:client_grants NO_GRANT
PATCH /client-grants/{cg} update:client_grants NO_GRANT scope
DELETE /client-grants/{cg} delete:client_grants 204
GET /client-grants/{cg}/organizations read:organization_client_grants NO_GRANT
GET /organizations read:organizations 200
POST /organizations create:organizations 400 empty
GET /organizations/{o} read:organizations NO_ORGANIZATION
GET /organizations/name/nobody read:organizations NO_ORGANIZATION
PATCH /organizations/{o} update:organizations NO_ORGANIZATION display
DELETE /organizations/{o} delete:organizations NO_ORGANIZATION
GET /organizations/{o}/members read:organization_members NO_ORGANIZATION
POST /organizations/{o}/members create:organization_members NO_ORGANIZATION members
DELETE /organizations/{o}/members delete:organization_members NO_ORGANIZATION members
GET /organizations/{o}/members/{u}/roles read:organization_member_roles 404
POST /organizations/{o}/members/{u}/roles create:organization_member_roles - roles
DELETE /organizations/{o}/members/{u}/roles delete:organization_member_roles - roles
GET /organizations/{o}/client-grants read:organization_client_grants -
POST /organizations/{o}/client-grants create:organization_client_grants 404 grant
DELETE /organizations/{o}/client-grants/{cg} delete:organization_client_grants NO_ORGANIZATION
GET /organizations/{o}/connections read:organization_connections -
GET /organizations/{o}/roles/{r}/members read:roles+read:organization_members 404
GET /organizations/{o}/roles/{r}/groups read:roles+read:organization_groups 404
GET /users/{u}/organizations read:organizations|read:users NO_USER
GET /connections read:connections 200
GET /connections/{con} read:connections NO_CONNECTION
# P2: groups, what is effective, invitations
GET /users/{u}/groups read:groups 404
GET /users/{u}/effective-roles read:user_effective_roles NO_USER
GET /users/{u}/{sources}?role_id={r} read:user_role_source_groups 404
GET /users/{u}/effective-permissions?{query} read:user_effective_permissions NO_USER
GET /users/{u}/effective-permissions/sources/effective-roles?{permission} read:user_permission_source_roles NO_USER
GET /roles/{r}/groups read:group_roles NO_ROLE
POST /roles/{r}/groups create:group_roles NO_ROLE groups
DELETE /roles/{r}/groups delete:group_roles NO_ROLE groups
GET /groups read:groups 200
GET /groups/{g} read:groups NO_GROUP
DELETE /groups/{g} delete:groups -
GET /groups/{g}/members read:group_members NO_GROUP
GET /groups/{g}/roles read:group_roles|update:groups NO_GROUP
POST /groups/{g}/roles create:group_roles|update:groups NO_GROUP roles
DELETE /groups/{g}/roles delete:group_roles|update:groups NO_GROUP roles
GET /organizations/{o}/members/{u}/effective-roles read:organization_member_effective_roles 404
GET /organizations/{o}/members/{u}/{sources}?role_id={r} read:organization_member_role_source_groups 404
GET /organizations/{o}/groups read:organization_groups 404
GET /organizations/{o}/groups/{g}/roles read:organization_group_roles 404
POST /organizations/{o}/groups/{g}/roles create:organization_group_roles 404 roles
DELETE /organizations/{o}/groups/{g}/roles delete:organization_group_roles 404 roles
GET /organizations/{o}/invitations read:organization_invitations 404
POST /organizations/{o}/invitations create:organization_invitations - invitation
GET /organizations/{o}/invitations/{i} read:organization_invitations 404
DELETE /organizations/{o}/invitations/{i} delete:organization_invitations 404
GET /organizations/{o}/enabled_connections read:organization_connections 404
# P2: access cut off, and the audit
GET /user-blocks/{u} read:users -
GET /user-blocks?identifier=nobody@example.org read:users -
DELETE /user-blocks/{u} update:users -
DELETE /user-blocks?identifier=nobody@example.org update:users -
GET /users/{u}/sessions read:sessions -
DELETE /users/{u}/sessions delete:sessions -
GET /users/{u}/refresh-tokens read:refresh_tokens -
DELETE /users/{u}/refresh-tokens delete:refresh_tokens -
POST /users/{u}/revoke-access delete:sessions+delete:refresh_tokens - empty
GET /sessions/unknown read:sessions -
PATCH /sessions/unknown update:sessions - metadata
DELETE /sessions/unknown delete:sessions -
POST /sessions/unknown/revoke delete:sessions+delete:refresh_tokens -
GET /refresh-tokens?user_id={u} read:refresh_tokens -
POST /refresh-tokens/revoke delete:refresh_tokens - user
GET /refresh-tokens/unknown read:refresh_tokens -
PATCH /refresh-tokens/unknown update:refresh_tokens - empty
DELETE /refresh-tokens/unknown delete:refresh_tokens -
GET /grants read:grants 200
DELETE /grants?user_id={u} delete:grants 204
DELETE /grants/{consent} delete:grants -
GET /logs read:logs|read:logs_users 200
GET /logs/unknown read:logs|read:logs_users 404
GET /users/{u}/logs read:logs|read:logs_users -
"""


class Operation(NamedTuple):
    """One row: `scopes` are all needed, each of `instead` does alone; `unknown` is what is said of unknown ids."""

    method: str
    path: str
    scopes: list[str]
    instead: set[str]
    unknown: int | Refusal | None
    body: Any


def _operation(row: str) -> Operation:
    method, path, scopes, unknown, *body = row.split()
    needed, *instead = scopes.split("|")
    expected = None if unknown == "-" else REFUSALS.get(unknown) or int(unknown)
    return Operation(
        method, path.format(**SHORT), needed.split("+"), set(instead), expected, BODIES[body[0]] if body else None
    )


OPERATIONS = [_operation(row) for row in TABLE.splitlines() if row and not row.startswith("#")]
# Who has one of these alone may do it to himself, or to one member of the body.
NARROW = {"read:current_user", "delete:current_user", "update:current_user_metadata", "update:users_app_metadata"}
OPTIONAL = {"update:groups"}  # Auth0's pages do not agree on this one


def name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


# --- who may call ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_every_call_needs_its_scopes_and_no_others(small_tenant: Tenant, operation: Operation) -> None:
    response = small_tenant.http.request(operation.method, f"/api/v2{operation.path}", json=operation.body)
    assert (response.status_code, response.json()) == (401, NO_CREDENTIAL)
    assert response.headers["www-authenticate"] == "Bearer"

    # One scope of two is as little as none.
    for held in ([OTHER_SCOPE], *([scope] for scope in operation.scopes if len(operation.scopes) > 1)):
        _assert_insufficient(small_tenant, operation, held)

    response = small_tenant.holding(*operation.scopes).call(operation.method, operation.path, operation.body)
    assert response.status_code not in (401, 403), response.text
    assert response.status_code < 500, response.text
    if isinstance(operation.unknown, tuple):
        assert_refused(response, operation.unknown)
    elif operation.unknown is not None:
        assert response.status_code == operation.unknown, response.text
    for scope in operation.instead - NARROW - OPTIONAL:
        alone = small_tenant.holding(scope).call(operation.method, operation.path, operation.body)
        assert alone.status_code not in (401, 403), alone.text


def _assert_insufficient(tenant: Tenant, operation: Operation, held: list[str]) -> None:
    # Nothing but the scope is looked at before the scope.
    path = operation.path.partition("?")[0]
    response = tenant.holding(*held).call(operation.method, path)
    assert response.status_code == 403, response.text
    said = response.json()
    words, _, named = said.pop("message").partition(": ")
    assert said == {"statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_scope"}
    assert words == "Insufficient scope, expected any of"
    needed = set(operation.scopes)
    assert needed - set(held) <= set(named.split(",")) <= needed | operation.instead, named


def test_a_missing_scope_is_named_word_for_word(small_tenant: Tenant) -> None:
    response = small_tenant.holding(OTHER_SCOPE).call("DELETE", f"/users/{UNKNOWN['user']}/permissions", PERMISSIONS)
    assert_refused(response, (403, "Insufficient scope, expected any of: update:users", "insufficient_scope"))


@pytest.mark.parametrize("header", ["Token abc", "Basic YTpi", "abc", "Bearer"])
def test_a_credential_of_another_scheme_is_a_malformed_request(small_tenant: Tenant, header: str) -> None:
    response = small_tenant.http.get("/api/v2/roles", headers={"Authorization": header})
    assert (response.status_code, response.json()) == (400, BAD_SCHEME)


@pytest.mark.parametrize("token", ["abc", "a.b.c", ROOT_KEY, "insecure", "a b"])
def test_a_bearer_that_is_no_token_is_refused(small_tenant: Tenant, token: str) -> None:
    response = small_tenant.http.get("/api/v2/roles", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code in (400, 401)
    assert response.json()["statusCode"] == response.status_code


def test_a_token_of_this_face_opens_no_other(small_tenant: Tenant) -> None:
    for path in ("//v2/users", "//v1/dormant-edges"):
        assert small_tenant.call("GET", path).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("GET", "/roles/a/b/c"), ("PUT", "/roles/a/nothing")]
)
def test_an_unknown_path_is_not_found_in_the_words_of_the_face(small_tenant: Tenant, method: str, path: str) -> None:
    said = small_tenant.send(method, path, status=404)
    assert (said["statusCode"], said["error"]) == (404, "Not Found")


@pytest.mark.parametrize("path", ["//authorize", "//login", "//oauth/device/code"])
def test_what_comes_later_is_not_found(small_tenant: Tenant, path: str) -> None:
    assert small_tenant.http.get(path[1:]).status_code == 404


# --- the order of checks --------------------------------------------------------------------------------------------


def test_the_scope_is_checked_before_the_query_the_body_and_existence(small_tenant: Tenant) -> None:
    caller = small_tenant.holding(OTHER_SCOPE)
    for query in ("", "?per_page=0"):
        assert caller.call("DELETE", f"/users/{UNKNOWN['user']}/roles{query}", {"x": 1}).status_code == 403
    assert small_tenant.http.get("/api/v2/roles?per_page=0").status_code == 401


def test_the_query_is_checked_before_existence(small_tenant: Tenant) -> None:
    response = small_tenant.call("GET", f"/users/{UNKNOWN['user']}/roles?per_page=0")
    assert_invalid(response, code="invalid_query_string")


@pytest.mark.parametrize("operation", [row for row in OPERATIONS if row.body in (ROLES, PERMISSIONS)], ids=name)
def test_the_body_is_checked_before_existence(small_tenant: Tenant, operation: Operation) -> None:
    path, (member,) = operation.path, operation.body
    assert_invalid(small_tenant.call(operation.method, path))
    bad = {
        f"Missing required property: {member}": [{}],
        "Array is too short (0), minimum 1": [{member: []}],
        "Expected type array but found type null": [{member: None}],
        "Expected type array but found type string": [{member: "x"}],
        "Additional properties not allowed: x": [{**operation.body, "x": 1}],
    }
    for detail, bodies in bad.items():
        for body in bodies:
            assert_invalid(small_tenant.call(operation.method, path, body), detail)
    for raw in (b"{", b"[]", b'"x"', b"\xff", b"1", b"[" * 10_000):
        response = small_tenant.call(operation.method, path, content=raw, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["statusCode"]) == (400, 400)


def test_a_refusal_of_a_member_names_the_member(small_tenant: Tenant) -> None:
    response = small_tenant.call("DELETE", f"/users/{UNKNOWN['user']}/roles", {"roles": []})
    message = response.json()["message"]
    assert re.fullmatch(
        r"Payload validation error: 'Array is too short \(0\), minimum 1' on property roles( \(.*\))?\.", message
    )
    response = small_tenant.call("POST", "/roles", {})
    assert response.json()["message"] == "Payload validation error: 'Missing required property: name'."


# --- what is ignored, and what is not -------------------------------------------------------------------------------


def test_unknown_parameters_of_a_query_are_ignored(small_tenant: Tenant) -> None:
    user, role = quoted(small_tenant.user()), small_tenant.role()
    unknown = {"unknown": "x", "include_totals": "true", "per_page": "50", "search_engine": "v3"}
    assert small_tenant.get(f"/roles/{role}", **unknown)["id"] == role
    for method, path, body, status in (
        ("POST", f"/users/{user}/roles", {"roles": [role]}, 204),
        ("DELETE", f"/users/{user}/roles", {"roles": [role]}, 204),
        ("PATCH", f"/roles/{role}", {"name": "x"}, 200),
    ):
        assert small_tenant.call(method, path, body, params=unknown).status_code == status


@pytest.mark.parametrize("preview", ["true", "false", "", "1", "TRUE"])
def test_a_request_that_asks_for_a_preview_changes_nothing(small_tenant: Tenant, preview: str) -> None:
    user, role = small_tenant.user(), small_tenant.role()
    small_tenant.assign(user, role)
    for method, path, body in (
        ("DELETE", f"/users/{quoted(user)}/roles", {"roles": [role]}),
        ("DELETE", f"/users/{quoted(user)}", None),
        ("DELETE", f"/roles/{role}", {}),
        ("PATCH", f"/users/{quoted(user)}", {"blocked": True}),
        ("POST", "/roles", {"name": "another"}),
    ):
        response = small_tenant.call(method, path, body, params={"preview": preview})
        assert response.status_code == (200 if preview == "true" else 400), f"{method} {path} {response.text}"
    assert ids(small_tenant.get(f"/users/{quoted(user)}/roles")) == [role]
    assert len(small_tenant.get("/roles")) == 1
    assert not small_tenant.get(f"/users/{quoted(user)}").get("blocked")


STRICT = {
    "user roles": ("POST", "/users/{user}/roles", {"roles": ["{role}"]}),
    "user permissions": ("POST", "/users/{user}/permissions", {"permissions": pairs(("{api}", "read:it"))}),
    "role permissions": ("POST", "/roles/{role}/permissions", {"permissions": pairs(("{api}", "read:it"))}),
    "role users": ("POST", "/roles/{role}/users", {"users": ["{raw_user}"]}),
    "role": ("POST", "/roles", {"name": "x"}),
    "role update": ("PATCH", "/roles/{role}", {"name": "x"}),
    "role type": ("PATCH", "/roles/{role}", {"type": "tenant"}),
    "members": ("POST", "/organizations/{organization}/members", {"members": ["{raw_user}"]}),
}
TOLERANT = {
    "users": ({"connection": CONNECTION, "email": "x@example.org", "password": PASSWORD}, 201),
    "clients": ({"name": "x"}, 201),
    "resource-servers": ({"identifier": "https://x.example.org/"}, 201),
    "organizations": ({"name": "x"}, 201),
}


@pytest.mark.parametrize("case", STRICT)
def test_bodies_that_give_rights_take_no_unknown_member(small_tenant: Tenant, case: str) -> None:
    method, path, body = STRICT[case]
    user = small_tenant.user()
    known = {
        "user": quoted(user),
        "raw_user": user,
        "role": small_tenant.role(),
        "api": small_tenant.api("read:it")["identifier"],
        "organization": small_tenant.organization(),
    }
    filled = _filled(body, known)
    unknown = {**filled, "surprise": 1, "another": 2} if case != "role type" else filled
    detail = "Additional properties not allowed: " + ("type" if case == "role type" else "")
    assert_invalid(small_tenant.call(method, path.format(**known), unknown), detail)


@pytest.mark.parametrize("path", TOLERANT)
def test_bodies_that_describe_things_take_unknown_members_and_say_them_again(small_tenant: Tenant, path: str) -> None:
    body, status = TOLERANT[path]
    small_tenant.send("POST", f"/{path}", {**body, "surprise": {"a": [1]}}, status=status)


@pytest.mark.parametrize("path", ["clients", "resource-servers"])
def test_what_is_not_understood_of_a_client_or_an_api_is_kept(small_tenant: Tenant, path: str) -> None:
    made = small_tenant.send("POST", f"/{path}", {**TOLERANT[path][0], "surprise": {"a": [1]}}, status=201)
    assert made["surprise"] == {"a": [1]}
    assert small_tenant.get(f"/{path}/{made.get('client_id') or made['id']}")["surprise"] == {"a": [1]}


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(member, known) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, known) for member in value]
    return value.format(**known) if isinstance(value, str) else value


# --- headers and bodies ---------------------------------------------------------------------------------------------


def test_every_answer_has_the_headers_of_the_real_service(small_tenant: Tenant) -> None:
    user, role = small_tenant.user(), small_tenant.role()
    small_tenant.assign(user, role)
    for method, path, body, status in (
        ("GET", "/roles", None, 200),
        ("DELETE", f"/users/{quoted(user)}/roles", {"roles": [role]}, 204),
        ("DELETE", f"/roles/{role}", {}, 200),
    ):
        response = small_tenant.call(method, path, body)
        assert response.status_code == status
        assert {key: response.headers.get(key) for key in HEADERS} == HEADERS
        limits = [int(response.headers[f"x-ratelimit-{part}"]) for part in ("limit", "remaining", "reset")]
        assert limits[1] < limits[0] < limits[2]
        assert response.content == {200: response.content, 204: b""}[status]
    assert response.json() == {}
    refused = small_tenant.call("GET", f"/roles/{role}")
    assert refused.headers["content-type"] == HEADERS["content-type"]


def test_a_form_is_a_body_too(small_tenant: Tenant) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = small_tenant.call("POST", "/roles", data={"name": "by form", "description": "d"}, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["name"] == "by form"


@pytest.mark.parametrize("content", [b"null\n", b"{}", b"null", b""])
def test_a_body_that_says_nothing_is_no_body(small_tenant: Tenant, content: bytes) -> None:
    role = small_tenant.role()
    headers = {"Content-Type": "application/json"}
    assert small_tenant.call("GET", f"/roles/{role}", content=content, headers=headers).status_code == 200
    assert small_tenant.call("DELETE", f"/roles/{role}", content=content, headers=headers).status_code == 200


def test_headers_of_clients_about_themselves_are_ignored(small_tenant: Tenant) -> None:
    odd = {
        "Auth0-Client": "e30=",
        "Auth0-Custom-Domain": "x.example.org",
        "X-Fern-Language": "Python",
        "Host": "x.test",
    }
    assert small_tenant.call("GET", "/roles", headers=odd).status_code == 200


def test_a_body_of_more_than_a_mebibyte_is_refused(small_tenant: Tenant) -> None:
    assert small_tenant.call("POST", "/roles", {"name": "x" * (1 << 20)}).status_code == 400


# --- paths ----------------------------------------------------------------------------------------------------------

IDENTIFIERS = [
    "https://api.example.org/v1",
    "https://api.example.org/v1/?a=b&c=d#e",
    "urn:my+api%2F",
    "plain",
    "ä/ö",
    "a%252Fb",
]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_an_identifier_in_a_path_is_decoded_once_after_the_path_is_split(small_tenant: Tenant, identifier: str) -> None:
    made = small_tenant.api("read:it", identifier=identifier)
    spelled = {quoted(identifier), quoted(identifier).replace("%3A", ":")}
    for name_ in spelled | {made["id"]}:
        assert small_tenant.get(f"/resource-servers/{name_}")["identifier"] == identifier
        changed = small_tenant.send("PATCH", f"/resource-servers/{name_}", {"name": "New"}, status=200)
        assert changed["id"] == made["id"]
    assert_refused(small_tenant.call("GET", f"/resource-servers/{quoted(quoted(identifier) + '/')}"), NO_API)
    small_tenant.send("DELETE", f"/resource-servers/{min(spelled)}", status=204)
    assert_refused(small_tenant.call("GET", f"/resource-servers/{made['id']}"), NO_API)


def test_the_bar_in_a_users_id_may_be_encoded(small_tenant: Tenant) -> None:
    user = small_tenant.user()
    for spelled in (quoted(user), user.replace("|", "%7c"), user):
        assert small_tenant.get(f"/users/{spelled}")["user_id"] == user
    assert_refused(small_tenant.call("GET", f"/users/{quoted(quoted(user))}"), NO_USER)


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(small_tenant: Tenant) -> dict[str, Any]:
    """Three of everything, all with each other."""
    tenant = small_tenant
    api = tenant.api("a", "b", "c")
    # The first client and the Management API are there already.
    users = [tenant.user() for _ in range(3)]
    granted = [(api["identifier"], scope) for scope in "abc"]
    roles = [tenant.role(*granted, name=f"role {letter}") for letter in "abc"]
    organizations = [tenant.organization() for _ in range(3)]
    tenant.api()
    for user in users:
        tenant.assign(user, *roles)
        tenant.send("POST", f"/users/{quoted(user)}/permissions", {"permissions": pairs(*granted)}, status=201)
    for organization in organizations:
        tenant.send("POST", f"/organizations/{organization}/members", {"members": users}, status=204)
        tenant.send(
            "POST", f"/organizations/{organization}/members/{quoted(users[0])}/roles", {"roles": roles}, status=204
        )
    for number in range(2):
        made = tenant.send("POST", "/clients", {"name": f"client {number}"}, status=201)
        grant = {"client_id": made["client_id"], "audience": api["identifier"], "scope": ["a"]}
        tenant.send("POST", "/client-grants", grant, status=201)
    return {"tenant": tenant, "user": quoted(users[0]), "role": roles[0], "organization": organizations[0]}


OFFSET = {
    "/roles": ("roles", "id"),
    "/roles/{role}/permissions": ("permissions", "permission_name"),
    "/roles/{role}/users": ("users", "user_id"),
    "/users": ("users", "user_id"),
    "/users/{user}/roles": ("roles", "id"),
    "/users/{user}/permissions": ("permissions", "permission_name"),
    "/users/{user}/organizations": ("organizations", "id"),
    "/resource-servers": ("resource_servers", "id"),
    "/clients": ("clients", "client_id"),
    "/client-grants": ("client_grants", "id"),
    "/organizations": ("organizations", "id"),
    "/organizations/{organization}/members": ("members", "user_id"),
    "/organizations/{organization}/members/{user}/roles": ("roles", "id"),
}
CHECKPOINT = {
    path: OFFSET[path]
    for path in ("/roles/{role}/users", "/organizations", "/organizations/{organization}/members", "/client-grants")
}


@pytest.mark.parametrize("path", OFFSET)
def test_pages_by_offset_are_whole_and_end(crowd: dict[str, Any], path: str) -> None:
    items, key = OFFSET[path]
    tenant, url = crowd["tenant"], path.format(**crowd)
    everything = tenant.get(url)
    assert isinstance(everything, list)
    total = len(everything)
    assert total >= 3 or path == "/client-grants"
    wrapper = tenant.get(url, include_totals="true")
    extra = {"length": total} if path == "/users" else {}
    assert wrapper == {items: everything, "start": 0, "limit": 50, "total": total, **extra}
    seen = []
    for page in range(total + 1):
        asked = tenant.get(url, include_totals="true", page=page, per_page=1)
        assert (asked["start"], asked["limit"], asked["total"]) == (page, 1, total)
        assert tenant.get(url, page=page, per_page=1) == asked[items]
        seen += asked[items]
        assert (len(asked[items]) == 1) == (page < total)
    assert ids(seen, key) == ids(everything, key)
    assert tenant.get(url, include_totals="true", page=1, per_page=2)["start"] == 2


@pytest.mark.parametrize("path", CHECKPOINT)
def test_pages_by_checkpoint_are_whole_and_end(crowd: dict[str, Any], path: str) -> None:
    items, key = CHECKPOINT[path]
    tenant, url = crowd["tenant"], path.format(**crowd)
    everything = ids(tenant.get(url), key)
    for take in (1, 2, len(everything), 100):
        seen, cursor = [], {}
        for _ in itertools.count():
            # What offset pages know is ignored beside `take`.
            page = tenant.get(url, take=take, per_page=1, page=7, include_totals="true", **cursor)
            assert set(page) <= {items, "next"}
            seen += ids(page[items], key)
            if "next" not in page:
                break
            assert len(page[items]) == take
            cursor = {"from": page["next"]}
        assert sorted(seen) == sorted(everything)
        assert len(seen) == len(everything)
    assert set(tenant.get(url, take=50)) == {items}


@pytest.mark.parametrize("path", CHECKPOINT)
@pytest.mark.parametrize("cursor", ["nonsense", "MjAyNi0wNC0yMyAwNzozODoyNS43ODgwMDBVVEMsYXV0aDB8NjllOWNj", "ä"])
def test_a_cursor_that_was_not_issued_here_is_refused(crowd: dict[str, Any], path: str, cursor: str) -> None:
    response = crowd["tenant"].call("GET", path.format(**crowd), params={"take": 1, "from": cursor})
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_paging")


def test_a_cursor_stays_good_when_what_it_points_at_goes(small_tenant: Tenant) -> None:
    role, users = small_tenant.role(), [small_tenant.user() for _ in range(4)]
    for user in users:
        small_tenant.assign(user, role)
    first = small_tenant.get(f"/roles/{role}/users", take=2)
    assert ids(first["users"], "user_id") == users[:2]
    small_tenant.send("DELETE", f"/users/{quoted(users[1])}/roles", {"roles": [role]}, status=204)
    second = small_tenant.get(f"/roles/{role}/users", take=2, **{"from": first["next"]})
    assert ids(second["users"], "user_id") == users[2:]


DEEP_USERS = (
    "You can only page through the first 1000 records. "
    "See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation"
)
DEEP_ROLES = (
    "Requesting page 20 exceeds the allowed maximum of 1000 records. "
    "To fetch results beyond 1000, use the checkpoint pagination method"
)
BAD_QUERIES = ["per_page=0", "per_page=101", "per_page=-1", "per_page=x", "page=-1", "page=x", "include_totals=maybe"]


@pytest.mark.parametrize("path", OFFSET)
def test_a_malformed_page_is_refused(crowd: dict[str, Any], path: str) -> None:
    bad = BAD_QUERIES + (["take=0", "take=101", "take=x"] if path in CHECKPOINT else [])
    for query in bad:
        response = crowd["tenant"].call("GET", f"{path.format(**crowd)}?{query}")
        assert_invalid(response, code="invalid_query_string")


def test_offset_pages_go_to_the_thousandth_record(small_tenant: Tenant) -> None:
    assert small_tenant.get("/roles", page=9, per_page=100) == []
    for url, message in (("/users?page=10&per_page=100", DEEP_USERS), ("/roles?page=20&per_page=50", DEEP_ROLES)):
        assert_refused(small_tenant.call("GET", url), (400, message, "invalid_paging"))


def test_writes_name_the_revision_from_which_they_hold(small_tenant: Tenant) -> None:
    user, role = small_tenant.user(), small_tenant.role()
    small_tenant.assign(user, role)
    body = {"roles": [role]}
    removed = small_tenant.call("DELETE", f"/users/{quoted(user)}/roles", body)
    again = small_tenant.call("DELETE", f"/users/{quoted(user)}/roles", body)
    assert removed.status_code == again.status_code == 204
    assert removed.headers["Rescind-Revision"] == again.headers["Rescind-Revision"]
    assert removed.headers["Rescind-Change"] == f"/v1/changes/{removed.headers['Rescind-Revision']}"
    assert "Rescind-Change" not in again.headers


def test_instants_have_milliseconds_and_are_utc(small_tenant: Tenant) -> None:
    user = small_tenant.get(f"/users/{quoted(small_tenant.user())}")
    assert INSTANT.fullmatch(user["created_at"])
    assert INSTANT.fullmatch(user["updated_at"])
