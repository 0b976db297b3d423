"""Users, and what they have: profiles, roles, permissions. The removal of roles from a user is journey five."""

import hashlib
import re
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import (
    NO_ROLE,
    NO_ROLE_ID,
    NO_USER,
    USER_EXISTS,
    assert_invalid,
    assert_refused,
    ids,
    names,
    no_permission,
)
from tenant import CONNECTION, PASSWORD, Tenant, pairs, quoted

ANN = {"connection": CONNECTION, "email": "ann@example.org", "password": PASSWORD}
SECRETS = {"password", "connection", "verify_email", "client_id"}


# --- journey five ---------------------------------------------------------------------------------------------------


def test_roles_are_taken_from_a_user_and_what_they_gave_is_gone(tenant: Tenant) -> None:
    """Journey five, on both databases: 204 without a body; roles, holders, permissions and the next answer agree."""
    identifier = tenant.api("read:docs", "write:docs")["identifier"]
    reader = tenant.role((identifier, "read:docs"), name="reader")
    writer = tenant.role((identifier, "read:docs"), (identifier, "write:docs"), name="writer")
    keeper = tenant.role(name="keeper")
    ann, bo = tenant.user(), tenant.user()
    tenant.assign(ann, keeper, writer, reader)
    tenant.assign(bo, writer)
    path = f"/users/{quoted(ann)}"
    before = tenant.get(f"{path}/roles", include_totals="true")
    assert [role["name"] for role in before["roles"]] == ["keeper", "reader", "writer"]
    assert (before["start"], before["limit"], before["total"]) == (0, 50, 3)
    assert set(before["roles"][0]) == {"id", "name", "description"}
    assert names(tenant.get(f"{path}/permissions")) == ["read:docs", "write:docs"]

    # Duplicates are one.
    response = tenant.holding("update:users").call("DELETE", f"{path}/roles", {"roles": [reader, writer, reader]})
    assert (response.status_code, response.content) == (204, b"")

    assert ids(tenant.get(f"{path}/roles")) == [keeper]
    assert ids(tenant.get(f"/roles/{writer}/users"), "user_id") == [bo]
    assert tenant.get(f"/roles/{reader}/users", include_totals="true")["users"] == []
    assert tenant.get(f"{path}/permissions", include_totals="true")["permissions"] == []
    assert names(tenant.get(f"/users/{quoted(bo)}/permissions")) == ["read:docs", "write:docs"]
    tenant.send("DELETE", f"{path}/roles", {"roles": [reader, writer]}, status=204)
    tenant.assign(ann, reader)
    assert ids(tenant.get(f"{path}/roles")) == [keeper, reader]


def test_a_permission_of_two_paths_goes_with_the_second(small_tenant: Tenant) -> None:
    tenant, user = small_tenant, small_tenant.user()
    api = tenant.api("b", "a")
    roles = [tenant.role((api["identifier"], "a"), name=name) for name in ("first", "second")]
    tenant.assign(user, *roles)
    path = f"/users/{quoted(user)}/permissions"
    body = {"permissions": pairs((api["identifier"], "a"), (api["identifier"], "b"))}
    assert tenant.send("POST", path, body, status=201) == {}
    found = tenant.get(path)
    assert names(found) == ["a", "b"]
    assert {key: found[0][key] for key in found[0] if key != "sources"} == {
        "permission_name": "a",
        "description": "",
        "resource_server_name": "An API",
        "resource_server_identifier": api["identifier"],
    }
    direct = {"source_id": "", "source_name": "", "source_type": "DIRECT"}
    by_role = [
        {"source_id": role, "source_name": name, "source_type": "ROLE"}
        for role, name in zip(roles, ("first", "second"), strict=True)
    ]
    assert _unordered(found[0]["sources"]) == _unordered([direct, *by_role])
    assert found[1]["sources"] == [direct]

    tenant.send("DELETE", path, {"permissions": pairs((api["identifier"], "a"))}, status=204)
    assert _unordered(tenant.get(path)[0]["sources"]) == _unordered(by_role)
    tenant.send("DELETE", f"/roles/{roles[0]}/permissions", {"permissions": body["permissions"]}, status=204)
    assert tenant.get(path)[0]["sources"] == by_role[1:]
    tenant.send("DELETE", f"/users/{quoted(user)}/roles", {"roles": [roles[1]]}, status=204)
    assert names(tenant.get(path)) == ["b"]


def _unordered(sources: list[dict[str, str]]) -> list[tuple[str, ...]]:
    return sorted(tuple(sorted(source.items())) for source in sources)


# --- roles of users -------------------------------------------------------------------------------------------------


def test_a_stale_role_does_not_stop_a_removal_but_stops_an_assignment(small_tenant: Tenant) -> None:
    user, role, gone = small_tenant.user(), small_tenant.role(), small_tenant.role()
    path = f"/users/{quoted(user)}/roles"
    small_tenant.send("DELETE", f"/roles/{gone}", {}, status=200)
    for unknown in (gone, answers.ROLE):
        assert_refused(small_tenant.call("POST", path, {"roles": [role, unknown]}), NO_ROLE)
        assert small_tenant.get(path) == []
        small_tenant.assign(user, role)
        small_tenant.send("DELETE", path, {"roles": [unknown, role]}, status=204)
        assert small_tenant.get(path) == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("bad", ["a role", "rol_", "rol_short", "org_AAAAAAAAAAAAAAAA", "", "auth0|x"])
def test_what_is_no_id_of_a_role_is_refused_and_changes_nothing(small_tenant: Tenant, method: str, bad: str) -> None:
    user, role = small_tenant.user(), small_tenant.role(name="a role")
    path = f"/users/{quoted(user)}/roles"
    small_tenant.assign(user, role)
    response = small_tenant.call(method, path, {"roles": [role, bad]})
    assert response.status_code == 400, response.text
    if bad:
        assert_refused(response, NO_ROLE_ID)
    assert ids(small_tenant.get(path)) == [role]
    for other in (1, None, [role], {"id": role}):
        assert_invalid(small_tenant.call(method, path, {"roles": [role, other]}))


def test_roles_assigned_twice_are_assigned_once(small_tenant: Tenant) -> None:
    user, role = small_tenant.user(), small_tenant.role()
    small_tenant.assign(user, role, role)
    small_tenant.assign(user, role)
    assert ids(small_tenant.get(f"/users/{quoted(user)}/roles")) == [role]


def test_a_user_has_fifty_roles_at_most(small_tenant: Tenant) -> None:
    tenant, user = small_tenant, small_tenant.user()
    roles = [tenant.role() for _ in range(51)]
    path = f"/users/{quoted(user)}/roles"
    for asked in (roles, roles[50:]):
        response = tenant.call("POST", path, {"roles": asked})
        assert_refused(response, (400, "No more roles can be assigned to this user.", None))
        assert len(tenant.get(path)) == (0 if asked == roles else 50)
        tenant.assign(user, *roles[:50])


def test_a_role_of_an_organization_is_not_for_users_outside_it(small_tenant: Tenant) -> None:
    tenant, user = small_tenant, small_tenant.user()
    role = tenant.role(type="organization", owner_id=tenant.organization())
    assert_invalid(tenant.call("POST", f"/users/{quoted(user)}/roles", {"roles": [tenant.role(), role]}))
    assert tenant.get(f"/users/{quoted(user)}/roles") == []
    tenant.send("DELETE", f"/users/{quoted(user)}/roles", {"roles": [role]}, status=204)


# --- permissions of users -------------------------------------------------------------------------------------------


def test_a_permission_must_exist_to_be_given_but_not_to_be_taken(small_tenant: Tenant) -> None:
    tenant, path = small_tenant, f"/users/{quoted(small_tenant.user())}/permissions"
    api = tenant.api("read")["identifier"]
    for unknown in ((api, "write"), (answers.IDENTIFIER, "read")):
        body = {"permissions": pairs((api, "read"), unknown)}
        assert_refused(tenant.call("POST", path, body), no_permission(*unknown))
        assert tenant.get(path) == []
        tenant.send("POST", path, {"permissions": pairs((api, "read"), (api, "read"))}, status=201)
        assert names(tenant.get(path)) == ["read"]
        tenant.send("DELETE", path, body, status=204)
        assert tenant.get(path) == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_permission_is_a_pair_of_texts(small_tenant: Tenant, method: str) -> None:
    path = f"/users/{quoted(small_tenant.user())}/permissions"
    pair = pairs((answers.IDENTIFIER, "read"))[0]
    bad = [{}, "x", None, {**pair, "x": 1}, {**pair, "permission_name": 1}]
    bad += [{key: pair[key]} for key in pair]
    for entry in bad:
        assert_invalid(small_tenant.call(method, path, {"permissions": [entry]}))


def test_permissions_are_sorted_by_name_then_by_api(small_tenant: Tenant) -> None:
    tenant, user = small_tenant, small_tenant.user()
    one, other = (tenant.api("b", "a", identifier=f"https://{name}.example.org/")["identifier"] for name in "zy")
    path = f"/users/{quoted(user)}/permissions"
    tenant.send("POST", path, {"permissions": pairs((one, "b"), (one, "a"), (other, "a"))}, status=201)
    found = [(entry["permission_name"], entry["resource_server_identifier"]) for entry in tenant.get(path)]
    assert found == [("a", other), ("a", one), ("b", one)]


def test_what_members_have_in_an_organization_is_not_theirs_outside_it(small_tenant: Tenant) -> None:
    tenant, user = small_tenant, small_tenant.user()
    role = tenant.role((tenant.api("read")["identifier"], "read"))
    organization = tenant.organization()
    tenant.send("POST", f"/organizations/{organization}/members", {"members": [user]}, status=204)
    tenant.send("POST", f"/organizations/{organization}/members/{quoted(user)}/roles", {"roles": [role]}, status=204)
    assert tenant.get(f"/users/{quoted(user)}/permissions") == []
    assert tenant.get(f"/users/{quoted(user)}/roles") == []
    assert tenant.get(f"/roles/{role}/users") == []
    assert ids(tenant.get(f"/users/{quoted(user)}/organizations")) == [organization]


# --- making users ---------------------------------------------------------------------------------------------------


def test_a_new_user_has_the_profile_that_clients_expect(small_tenant: Tenant) -> None:
    made = small_tenant.send("POST", "/users", {**ANN, "verify_email": False, "client_id": "x"}, status=201)
    assert re.fullmatch(r"auth0\|[0-9a-f]{24}", made["user_id"])
    digest = hashlib.md5(b"ann@example.org", usedforsecurity=False).hexdigest()
    fixed = {
        "email": "ann@example.org",
        "email_verified": False,
        "name": "ann@example.org",
        "nickname": "ann",
        "picture": f"https://s.gravatar.com/avatar/{digest}"
        "?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fan.png",
        "identities": [
            {"connection": CONNECTION, "user_id": made["user_id"][6:], "provider": "auth0", "isSocial": False}
        ],
    }
    assert made == {**fixed, **{key: made[key] for key in ("user_id", "created_at", "updated_at")}}
    assert small_tenant.get(f"/users/{quoted(made['user_id'])}") == made


def test_what_was_said_of_a_new_user_is_kept_but_for_secrets(small_tenant: Tenant) -> None:
    said = {
        "user_id": "chosen",
        "username": "ann",
        "name": "Ann",
        "given_name": "A",
        "family_name": "N",
        "nickname": "annie",
        "picture": "https://example.org/a.png",
        "blocked": False,
        "email_verified": True,
        "user_metadata": {"a": {"b": 1}},
        "app_metadata": {"c": [2]},
    }
    made = small_tenant.send("POST", "/users", {**ANN, **said}, status=201)
    assert made["user_id"] == "auth0|chosen"
    assert {key: made.get(key) for key in said} == {**said, "user_id": "auth0|chosen"}
    assert made["identities"][0]["user_id"] == "chosen"
    assert not SECRETS & set(made)
    assert PASSWORD not in str(made)
    assert small_tenant.get("/users/auth0%7Cchosen") == made


BAD_USERS: dict[str, dict[str, Any]] = {
    "no connection": {"connection": None},
    "unknown connection": {"connection": "elsewhere"},
    "no password": {"password": None},
    "no email": {"email": None},
    "an email that is none": {"email": "ann"},
    "a number": {"name": 1},
    "blocked by a word": {"blocked": "yes"},
    "metadata that is a list": {"user_metadata": []},
    "metadata that is a text": {"app_metadata": "x"},
}


@pytest.mark.parametrize("case", BAD_USERS)
def test_a_malformed_user_is_refused(small_tenant: Tenant, case: str) -> None:
    body = {key: value for key, value in {**ANN, **BAD_USERS[case]}.items() if value is not None}
    assert_invalid(small_tenant.call("POST", "/users", body))
    assert small_tenant.get("/users-by-email", email="ann@example.org") == []


@pytest.mark.parametrize(
    "second",
    [
        {"email": "Ann@Example.org", "user_id": "other"},
        {"email": "x@example.org", "user_id": "ann"},
        {"email": "x@example.org", "username": "ann"},
    ],
    ids=["email", "id", "username"],
)
def test_a_user_exists_once(small_tenant: Tenant, second: dict[str, str]) -> None:
    small_tenant.send("POST", "/users", {**ANN, "user_id": "ann", "username": "ann"}, status=201)
    assert_refused(small_tenant.call("POST", "/users", {**ANN, **second}), USER_EXISTS)
    assert small_tenant.get("/users-by-email", email="x@example.org") == []


# --- changing users -------------------------------------------------------------------------------------------------

METADATA: dict[str, tuple[Any, Any, Any]] = {
    "merged": ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"e": 3}, "f": 4}, {"a": 1, "b": {"e": 3}, "f": 4}),
    "null deletes": ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    "null for nothing": ({"a": 1}, {"z": None}, {"a": 1}),
}


@pytest.mark.parametrize("member", ["user_metadata", "app_metadata"])
@pytest.mark.parametrize("case", METADATA)
def test_metadata_is_merged_by_its_top_level_keys(small_tenant: Tenant, member: str, case: str) -> None:
    before, change, after = METADATA[case]
    path = f"/users/{quoted(small_tenant.user(**{member: before}))}"
    assert small_tenant.send("PATCH", path, {member: change}, status=200)[member] == after
    assert small_tenant.get(path)[member] == after


def test_empty_metadata_clears_it(small_tenant: Tenant) -> None:
    path = f"/users/{quoted(small_tenant.user(user_metadata={'a': 1}, app_metadata={'a': 1}))}"
    changed = small_tenant.send("PATCH", path, {"user_metadata": {}, "app_metadata": {}}, status=200)
    assert changed["user_metadata"] == {}
    assert "app_metadata" not in changed
    assert small_tenant.get(path) == changed


def test_a_change_leaves_the_rest_and_moves_the_time(small_tenant: Tenant) -> None:
    path = f"/users/{quoted(small_tenant.user(name='Ann', user_metadata={'a': 1}))}"
    before = small_tenant.get(path)
    after = small_tenant.send("PATCH", path, {"given_name": "A", "blocked": False}, status=200)
    assert after == {**before, "given_name": "A", "blocked": False, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    changed = small_tenant.send("PATCH", path, {"password": "another-Horse-2"}, status=200)
    assert changed["last_password_reset"] >= after["updated_at"]
    assert "password" not in changed


def test_a_password_that_is_reset_lifts_no_block(small_tenant: Tenant) -> None:
    path = f"/users/{quoted(small_tenant.user(blocked=True))}"
    assert small_tenant.send("PATCH", path, {"password": "another-Horse-2"}, status=200)["blocked"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"password": "another-Horse-2", "email": "x@example.org"},
        {"password": "another-Horse-2", "username": "x"},
        {"password": "another-Horse-2", "email_verified": True},
        {"username": "x", "email": "x@example.org"},
        {"blocked": "yes"},
        {"email": "nonsense"},
    ],
    ids=str,
)
def test_a_change_that_the_real_service_refuses_is_refused(small_tenant: Tenant, body: dict[str, Any]) -> None:
    path = f"/users/{quoted(small_tenant.user(username='ann'))}"
    before = small_tenant.get(path)
    response = small_tenant.call("PATCH", path, body)
    assert (response.status_code, response.json()["statusCode"]) == (400, 400)
    assert small_tenant.get(path) == before


def test_the_id_of_a_user_stays(small_tenant: Tenant) -> None:
    user = small_tenant.user()
    assert small_tenant.call("PATCH", f"/users/{quoted(user)}", {"user_id": "other"}).status_code in (200, 400)
    assert small_tenant.get(f"/users/{quoted(user)}")["user_id"] == user
    assert_refused(small_tenant.call("GET", f"/users/{quoted('auth0|other')}"), NO_USER)


def test_a_user_cannot_take_the_address_of_another(small_tenant: Tenant) -> None:
    small_tenant.user(email="ann@example.org")
    path = f"/users/{quoted(small_tenant.user())}"
    response = small_tenant.call("PATCH", path, {"email": "ann@example.org"})
    assert response.status_code in (400, 409), response.text


def test_the_narrower_scope_changes_app_metadata_only(small_tenant: Tenant) -> None:
    path = f"/users/{quoted(small_tenant.user())}"
    narrow = small_tenant.holding("update:users_app_metadata")
    assert narrow.send("PATCH", path, {"app_metadata": {"a": 1}}, status=200)["app_metadata"] == {"a": 1}
    for body in ({"blocked": True}, {"app_metadata": {"a": 2}, "name": "x"}, {"user_metadata": {"a": 1}}):
        assert narrow.call("PATCH", path, body).status_code == 403
    assert small_tenant.get(path)["app_metadata"] == {"a": 1}


# --- ending users ---------------------------------------------------------------------------------------------------


def test_a_deleted_user_is_nowhere_and_her_address_is_free(tenant: Tenant) -> None:
    ann = tenant.user(email="ann@example.org", user_id="ann")
    role, organization = tenant.role((tenant.api("read")["identifier"], "read")), tenant.organization()
    tenant.assign(ann, role)
    tenant.send("POST", f"/organizations/{organization}/members", {"members": [ann]}, status=204)
    for _ in range(2):  # a second time too
        tenant.send("DELETE", f"/users/{quoted(ann)}", status=204)
    assert_refused(tenant.call("GET", f"/users/{quoted(ann)}"), NO_USER)
    assert_refused(tenant.call("GET", f"/users/{quoted(ann)}/roles"), NO_USER)
    assert tenant.get("/users-by-email", email="ann@example.org") == []
    assert tenant.get(f"/roles/{role}/users") == []
    assert tenant.get(f"/organizations/{organization}/members") == []
    # Who comes after her starts from nothing.
    tenant.user(email="ann@example.org", user_id="ann")
    assert tenant.get(f"/users/{quoted(ann)}/roles") == []
    assert tenant.get(f"/users/{quoted(ann)}/permissions") == []


# --- finding users --------------------------------------------------------------------------------------------------


def test_users_are_found_by_their_address_whatever_its_case(small_tenant: Tenant) -> None:
    ann = small_tenant.user(email="ann@example.org")
    small_tenant.user(email="joann@example.org")
    assert ids(small_tenant.get("/users-by-email", email="Ann@Example.org"), "user_id") == [ann]
    assert small_tenant.get("/users-by-email", email="ann@example.org", fields="email") == [
        {"email": "ann@example.org"}
    ]
    assert small_tenant.call("GET", "/users-by-email").status_code == 400


@pytest.mark.parametrize("path", ["/users", "/users/{user}", "/users-by-email"])
def test_fields_choose_members_or_leave_them_out(small_tenant: Tenant, path: str) -> None:
    user = small_tenant.user(email="ann@example.org")
    url = path.format(user=quoted(user))

    def read(**query: str) -> dict[str, Any]:
        found = small_tenant.get(url, email="ann@example.org", q="email:ann@example.org", **query)
        return dict(found if isinstance(found, dict) else found[0])

    assert read(fields="user_id,email") == {"user_id": user, "email": "ann@example.org"}
    assert read(fields="user_id,email", include_fields="true") == {"user_id": user, "email": "ann@example.org"}
    assert set(read(fields="user_id,email", include_fields="false")) == set(read()) - {"user_id", "email"}


SEARCHES = {
    'email:"ann@example.org"': {"ann"},
    "email:ANN@example.org": {"ann"},
    "email:*@example.org": {"ann", "bo"},
    "email:ann*": {"ann", "cy"},
    "username:*": {"ann"},
    "email.domain:example.com": {"cy"},
    "name:ann": {"ann"},
    'name:"Bo Bee"': {"bo"},
    "given_name:X": {"cy"},
    'user_id:"auth0|bo"': {"bo"},
    "user_id:auth0|bo": {"bo"},
    "blocked:true": {"bo"},
    "email_verified:true": {"ann"},
    "NOT blocked:true": {"ann", "cy"},
    "blocked:true OR email_verified:true": {"ann", "bo"},
    "email:*@example.org AND NOT blocked:true": {"ann"},
    "email:*@example.org AND (name:ann OR name:nobody)": {"ann"},
    f'identities.connection:"{CONNECTION}"': {"ann", "bo", "cy"},
    "identities.provider:auth0 AND identities.user_id:cy": {"cy"},
    "app_metadata.plan:gold": {"ann"},
    "user_metadata.deep.color:red": {"bo"},
    "app_metadata.plan:Gold": set(),
    "_exists_:app_metadata": {"ann"},
    "_exists_:username": {"ann"},
    "created_at:[2020-01-01 TO 2999-01-01]": {"ann", "bo", "cy"},
    "created_at:{2999-01-01 TO 3999-01-01}": set(),
    "nickname:[b TO c]": {"bo"},
    r"email:ann\@example.org": {"ann"},
    "ann": {"ann"},
    "nobody": set(),
}
BAD_SEARCHES = ["(", "email:", "a AND", "email:[a TO", '"open', "NOT", ")", "email:[a b]"]


@pytest.fixture
def people(small_tenant: Tenant) -> Tenant:
    """Three people who differ in everything."""
    said: dict[str, dict[str, Any]] = {
        "ann": {
            "email": "ann@example.org",
            "name": "Ann",
            "username": "ann",
            "email_verified": True,
            "app_metadata": {"plan": "gold"},
        },
        "bo": {
            "email": "bo@example.org",
            "name": "Bo Bee",
            "blocked": True,
            "user_metadata": {"deep": {"color": "red"}},
        },
        "cy": {"email": "anna@example.com", "name": "Cy", "given_name": "x", "nickname": "zed"},
    }
    for user_id, members in said.items():
        small_tenant.user(user_id=user_id, **members)
    return small_tenant


def test_users_are_searched_as_the_real_service_searches(people: Tenant) -> None:
    wrong = {}
    for query, expected in SEARCHES.items():
        response = people.call("GET", "/users", params={"q": query, "search_engine": "v3"})
        found = {one["user_id"][6:] for one in response.json()} if response.status_code == 200 else response.text
        # Who was there before anybody was made is nobody's business here.
        if (found & {"ann", "bo", "cy"} if isinstance(found, set) else found) != expected:
            wrong[query] = found
    assert not wrong


@pytest.mark.parametrize("query", BAD_SEARCHES)
def test_a_search_that_cannot_be_read_is_refused(people: Tenant, query: str) -> None:
    response = people.call("GET", "/users", params={"q": query})
    assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_query_string")


def test_users_are_sorted_as_asked(people: Tenant) -> None:
    for sort, expected in (("email:1", ["ann", "cy", "bo"]), ("email:-1", ["bo", "cy", "ann"])):
        found = people.get("/users", sort=sort)
        assert [one["user_id"][6:] for one in found if one["user_id"][6:] in ("ann", "bo", "cy")] == expected


def test_the_total_of_a_search_is_that_of_the_search(people: Tenant) -> None:
    found = people.get("/users", q="user_id:auth0|ann OR user_id:auth0|bo", include_totals="true", per_page=1)
    assert (found["start"], found["limit"], found["length"], found["total"]) == (0, 1, 1, 2)


def test_the_members_of_an_organization_are_found_by_it(people: Tenant) -> None:
    organization = people.organization()
    people.send("POST", f"/organizations/{organization}/members", {"members": ["auth0|bo"]}, status=204)
    assert ids(people.get("/users", q=f"organization_id:{organization}"), "user_id") == ["auth0|bo"]
