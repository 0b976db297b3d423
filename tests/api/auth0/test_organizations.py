"""Organizations, who is in them, what members and clients have there."""

import re
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import (
    NO_ORGANIZATION,
    ORGANIZATION_EXISTS,
    application,
    assert_invalid,
    assert_refused,
    ids,
)
from tenant import Tenant, quoted

CONSTANT = {"third_party_client_access": "block", "is_app_entitlement_active": False}


def joined(tenant: Tenant, organization: str, *users: str) -> str:
    """Add members, and return the path of the members."""
    path = f"/organizations/{organization}/members"
    tenant.send("POST", path, {"members": list(users)}, status=204)
    return path


def test_an_organization_lives_and_dies(tenant: Tenant) -> None:
    made = tenant.send("POST", "/organizations", {"name": "acme", "display_name": "Acme"}, status=201)
    assert re.fullmatch(r"org_[A-Za-z0-9]{16}", made["id"])
    assert {key: made.get(key) for key in ("name", "display_name")} == {"name": "acme", "display_name": "Acme"}
    path = f"/organizations/{made['id']}"
    found = tenant.get(path)
    assert found == {"id": made["id"], "name": "acme", "display_name": "Acme", **CONSTANT}
    assert tenant.get("/organizations/name/acme") == found
    assert found in tenant.get("/organizations")
    look = {"branding": {"logo_url": "https://example.org/l.png", "colors": {"primary": "#000000"}}}
    changed = tenant.send("PATCH", path, {"display_name": "New", **look, "metadata": {"a": "b"}}, status=200)
    assert changed == {**found, "display_name": "New", **look, "metadata": {"a": "b"}} == tenant.get(path)
    assert "metadata" not in tenant.send("PATCH", path, {"metadata": {}}, status=200)
    assert tenant.get(path)["branding"] == look["branding"]
    user = tenant.user()
    joined(tenant, made["id"], user)
    tenant.send("DELETE", path, status=204)
    for method, url, body in (
        ("GET", path, None),
        ("DELETE", path, None),
        ("PATCH", path, {"display_name": "x"}),
        ("GET", "/organizations/name/acme", None),
        ("GET", f"{path}/members", None),
    ):
        assert_refused(tenant.call(method, url, body), NO_ORGANIZATION)
    assert tenant.get(f"/users/{quoted(user)}/organizations") == []
    # Another one of that name has nobody in it.
    assert tenant.get(f"/organizations/{tenant.organization(name='acme')}/members") == []


BAD_ORGANIZATIONS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "Upper"},
    {"name": "-first"},
    {"name": "_first"},
    {"name": "has space"},
    {"name": "x" * 51},
    {"name": "ümlaut"},
    {"name": 1},
    {"name": "x", "display_name": ""},
    {"name": "x", "display_name": "x" * 256},
    {"name": "x", "metadata": {"a": 1}},
    {"name": "x", "metadata": {"a": "x" * 256}},
    {"name": "x", "metadata": {str(number): "x" for number in range(26)}},
    {"name": "x", "metadata": []},
]


@pytest.mark.parametrize("body", BAD_ORGANIZATIONS, ids=lambda body: str(body)[:50])
def test_a_malformed_organization_is_refused(small_tenant: Tenant, body: dict[str, Any]) -> None:
    before = small_tenant.get("/organizations")
    assert_invalid(small_tenant.call("POST", "/organizations", body))
    assert small_tenant.get("/organizations") == before


@pytest.mark.parametrize("name", ["a", "0", "a-b_c9", "x" * 50])
def test_names_of_organizations_have_their_form(small_tenant: Tenant, name: str) -> None:
    made = small_tenant.send("POST", "/organizations", {"name": name}, status=201)
    assert small_tenant.get(f"/organizations/name/{name}")["id"] == made["id"]


def test_the_name_of_an_organization_is_unique(small_tenant: Tenant) -> None:
    small_tenant.organization(name="acme")
    other = small_tenant.organization(name="other")
    assert_refused(small_tenant.call("POST", "/organizations", {"name": "acme"}), ORGANIZATION_EXISTS)
    assert_refused(small_tenant.call("PATCH", f"/organizations/{other}", {"name": "acme"}), ORGANIZATION_EXISTS)
    assert small_tenant.send("PATCH", f"/organizations/{other}", {"name": "other"}, status=200)["name"] == "other"


def test_organizations_are_sorted_as_asked(small_tenant: Tenant) -> None:
    made = [small_tenant.organization(name=name) for name in ("b", "a", "c")]
    by_name = [one for one in small_tenant.get("/organizations", sort="name:-1") if one["id"] in made]
    assert [one["name"] for one in by_name] == ["c", "b", "a"]


# --- members --------------------------------------------------------------------------------------------------------


def test_members_join_and_leave(tenant: Tenant) -> None:
    organization, users = tenant.organization(), [tenant.user() for _ in range(3)]
    path = joined(tenant, organization, users[2])
    joined(tenant, organization, users[0], users[2], users[0])
    joined(tenant, organization, users[1])
    members = tenant.get(path)
    assert ids(members, "user_id") == [users[2], users[0], users[1]], "by the time of joining"
    assert all(set(member) == {"user_id", "email", "picture", "name"} for member in members)
    assert tenant.get(path, fields="user_id", include_fields="true", take=100) == {
        "members": [{"user_id": user} for user in (users[2], users[0], users[1])]
    }
    for user in users:
        (found,) = tenant.get(f"/users/{quoted(user)}/organizations")
        assert (found["id"], set(found) >= {"id", "name", "display_name"}) == (organization, True)
    for _ in range(2):  # also who is no member
        tenant.send("DELETE", path, {"members": [users[0], users[0], answers.USER]}, status=204)
    assert ids(tenant.get(path), "user_id") == [users[2], users[1]]
    assert tenant.get(f"/users/{quoted(users[0])}/organizations", include_totals="true") == {
        "organizations": [],
        "start": 0,
        "limit": 50,
        "total": 0,
    }


def test_all_join_or_none(small_tenant: Tenant) -> None:
    organization, user = small_tenant.organization(), small_tenant.user()
    path = f"/organizations/{organization}/members"
    response = small_tenant.call("POST", path, {"members": [user, answers.USER]})
    assert_invalid(response)
    assert answers.USER in response.json()["message"]
    assert small_tenant.get(path) == []


def test_a_hundred_may_join_at_once_and_no_more(small_tenant: Tenant) -> None:
    path = f"/organizations/{small_tenant.organization()}/members"
    users = [f"auth0|{number:024x}" for number in range(101)]
    response = small_tenant.call("DELETE", path, {"members": users})
    assert_invalid(response, "Array is too long (101), maximum ")
    small_tenant.send("DELETE", path, {"members": users[:100]}, status=204)


def test_who_leaves_loses_what_she_had_there_for_good(tenant: Tenant) -> None:
    organization, user, role = tenant.organization(), tenant.user(), tenant.role()
    path = joined(tenant, organization, user)
    roles = f"{path}/{quoted(user)}/roles"
    tenant.send("POST", roles, {"roles": [role]}, status=204)
    assert ids(tenant.get(roles)) == [role]
    tenant.send("DELETE", path, {"members": [user]}, status=204)
    assert tenant.get(roles) == []
    joined(tenant, organization, user)
    assert tenant.get(roles) == []


# --- roles of members -----------------------------------------------------------------------------------------------


def test_roles_of_members_are_given_and_taken(tenant: Tenant) -> None:
    one, other, user = tenant.organization(), tenant.organization(), tenant.user()
    path = joined(tenant, one, user)
    roles = f"{path}/{quoted(user)}/roles"
    common = [tenant.role(name=name) for name in ("b", "a")]
    own = tenant.role(name="c", type="organization", owner_id=one)
    tenant.send("POST", roles, {"roles": [own, *common, own]}, status=204)
    tenant.send("POST", roles, {"roles": [own]}, status=204)
    assert ids(tenant.get(roles)) == [common[1], common[0], own], "by name"
    assert set(tenant.get(roles)[0]) == {"id", "name", "description"}
    (member,) = tenant.get(path, fields="user_id,roles", include_fields="true")
    assert sorted(ids(member["roles"])) == sorted([*common, own])
    assert set(member["roles"][0]) == {"id", "name"}
    assert ids(tenant.get(f"/organizations/{one}/roles/{own}/members")["members"], "user_id") == [user]
    assert tenant.get(f"/organizations/{one}/roles/{own}/groups") == {"groups": []}
    joined(tenant, other, user)
    assert tenant.get(f"/organizations/{other}/members/{quoted(user)}/roles") == []
    for _ in range(2):  # also what is not assigned
        tenant.send("DELETE", roles, {"roles": [common[0], answers.ROLE]}, status=204)
    assert ids(tenant.get(roles)) == [common[1], own]
    tenant.send("DELETE", f"/roles/{own}", {}, status=200)
    assert ids(tenant.get(roles)) == [common[1]]


def test_a_role_may_wait_for_its_member(small_tenant: Tenant) -> None:
    """Written before she joins, it is listed, and hers when she does."""
    organization, user, role = small_tenant.organization(), small_tenant.user(), small_tenant.role()
    roles = f"/organizations/{organization}/members/{quoted(user)}/roles"
    small_tenant.send("POST", roles, {"roles": [role]}, status=204)
    assert ids(small_tenant.get(roles)) == [role]
    assert small_tenant.get(f"/organizations/{organization}/members") == []
    assert small_tenant.get(f"/users/{quoted(user)}/organizations") == []
    joined(small_tenant, organization, user)
    assert ids(small_tenant.get(roles)) == [role]


def test_a_role_of_another_organization_is_not_for_members(small_tenant: Tenant) -> None:
    one, other, user = small_tenant.organization(), small_tenant.organization(), small_tenant.user()
    roles = f"{joined(small_tenant, one, user)}/{quoted(user)}/roles"
    foreign, common = small_tenant.role(type="organization", owner_id=other), small_tenant.role()
    assert_invalid(small_tenant.call("POST", roles, {"roles": [common, foreign]}))
    assert small_tenant.get(roles) == []


def test_roles_of_members_are_checked_like_those_of_users(small_tenant: Tenant) -> None:
    user, role = small_tenant.user(), small_tenant.role()
    roles = f"{joined(small_tenant, small_tenant.organization(), user)}/{quoted(user)}/roles"
    assert_refused(small_tenant.call("POST", roles, {"roles": [role, answers.ROLE]}), answers.NO_ROLE)
    for method in ("POST", "DELETE"):
        assert_refused(small_tenant.call(method, roles, {"roles": [role, "name"]}), answers.NO_ROLE_ID)
    assert small_tenant.get(roles) == []


def test_a_member_has_fifty_roles_at_most(small_tenant: Tenant) -> None:
    user, made = small_tenant.user(), [small_tenant.role() for _ in range(51)]
    roles = f"{joined(small_tenant, small_tenant.organization(), user)}/{quoted(user)}/roles"
    small_tenant.send("POST", roles, {"roles": made[:50]}, status=204)
    refusal = (409, "No more roles can be assigned to this organization member.", None)
    assert_refused(small_tenant.call("POST", roles, {"roles": made[50:]}), refusal)
    small_tenant.send("POST", roles, {"roles": made[:50]}, status=204)
    assert len(small_tenant.get(roles, per_page=100)) == 50


def test_nobody_has_members_or_roles_in_an_organization_that_is_none(small_tenant: Tenant) -> None:
    user, role = quoted(small_tenant.user()), small_tenant.role()
    roles = f"/organizations/{answers.ORGANIZATION}/members/{user}/roles"
    for method, body in (("GET", None), ("POST", {"roles": [role]}), ("DELETE", {"roles": [role]})):
        assert_refused(small_tenant.call(method, roles, body), NO_ORGANIZATION)
    organization = small_tenant.organization()
    unknown = f"/organizations/{organization}/members/{quoted(answers.USER)}/roles"
    assert_refused(small_tenant.call("GET", unknown), answers.NO_USER)


# --- client grants of organizations ---------------------------------------------------------------------------------


def granted(tenant: Tenant, **members: Any) -> dict[str, Any]:
    """A client's grant that organizations may use."""
    body = {
        "client_id": application(tenant, "client_credentials").client_id,
        "audience": tenant.api("read")["identifier"],
        "scope": ["read"],
        "organization_usage": "allow",
        "allow_any_organization": False,
        **members,
    }
    return dict(tenant.send("POST", "/client-grants", body, status=201))


def test_grants_of_clients_are_allowed_in_organizations(tenant: Tenant) -> None:
    organization, grant = tenant.organization(), granted(tenant)
    path = f"/organizations/{organization}/client-grants"
    made = tenant.send("POST", path, {"grant_id": grant["id"]}, status=201)
    kept = ("client_id", "audience", "scope", "organization_usage", "allow_any_organization")
    assert made == {"grant_id": grant["id"], **{key: grant[key] for key in kept}}
    assert tenant.get(path, include_totals="true") == {"client_grants": [grant], "start": 0, "limit": 50, "total": 1}
    for query in ({"client_id": grant["client_id"]}, {"audience": grant["audience"]}, {"grant_ids": grant["id"]}):
        assert tenant.get(path, **query) == [grant]
    assert tenant.get(path, client_id=answers.CLIENT) == []
    assert ids(tenant.get(f"/client-grants/{grant['id']}/organizations", take=50)["organizations"]) == [organization]
    assert tenant.call("POST", path, {"grant_id": grant["id"]}).status_code == 409
    for _ in range(2):
        tenant.send("DELETE", f"{path}/{grant['id']}", status=204)
    assert tenant.get(path) == []
    assert tenant.call("POST", path, {"grant_id": answers.GRANT}).status_code == 404
    for body in ({}, {"grant_id": 1}):
        assert tenant.call("POST", path, body).status_code == 400


def test_a_client_acts_in_the_organizations_that_allow_its_grant(small_tenant: Tenant) -> None:
    tenant = small_tenant
    one, other = tenant.organization(), tenant.organization()
    grant = granted(tenant)
    machine = Tenant(
        tenant.http, None, grant["client_id"], tenant.get(f"/clients/{grant['client_id']}")["client_secret"]
    )
    ask = {"grant_type": "client_credentials", "audience": grant["audience"]}
    path = f"/organizations/{one}/client-grants"
    tenant.send("POST", path, {"grant_id": grant["id"]}, status=201)
    assert machine.grant(**ask, organization=one).status_code == 200
    assert machine.grant(**ask, organization=other).status_code in (400, 401, 403)
    assert machine.grant(**ask).status_code == 200, "its use is allowed, not required"
    tenant.send("DELETE", f"{path}/{grant['id']}", status=204)
    assert machine.grant(**ask, organization=one).status_code in (400, 401, 403)
    any_ = {"allow_any_organization": True}
    tenant.send("PATCH", f"/client-grants/{grant['id']}", any_, status=200)
    assert machine.grant(**ask, organization=other).status_code == 200
    tenant.send("PATCH", f"/client-grants/{grant['id']}", {"organization_usage": "require"}, status=200)
    assert machine.grant(**ask).status_code in (400, 401, 403)
    tenant.send("PATCH", f"/client-grants/{grant['id']}", {"organization_usage": "deny"}, status=200)
    assert machine.grant(**ask, organization=other).status_code in (400, 401, 403)


def test_a_grant_that_is_deleted_is_in_no_organization(small_tenant: Tenant) -> None:
    organization, grant = small_tenant.organization(), granted(small_tenant)
    path = f"/organizations/{organization}/client-grants"
    small_tenant.send("POST", path, {"grant_id": grant["id"]}, status=201)
    small_tenant.send("DELETE", f"/client-grants/{grant['id']}", status=204)
    assert small_tenant.get(path) == []


# --- connections of organizations -----------------------------------------------------------------------------------


def test_an_organization_has_no_connection_of_its_own(small_tenant: Tenant) -> None:
    path = f"/organizations/{small_tenant.organization()}/connections"
    wrapper = {"start": 0, "limit": 50, "total": 0}
    assert small_tenant.get(path, include_totals="true", is_enabled="true")["total"] == 0
    found = small_tenant.get(path)
    assert found in ([], {"connections": [], **wrapper}, {"enabled_connections": [], **wrapper})
