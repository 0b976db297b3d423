"""Roles, their permissions, and who has them."""

import re
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import (
    NO_ROLE,
    NO_USERS,
    ROLE_EXISTS,
    assert_invalid,
    assert_refused,
    ids,
    names,
    no_permission,
)
from tenant import Tenant, pairs, quoted
from world import ROOT_KEY, World


def test_a_role_lives_and_dies(tenant: Tenant) -> None:
    """On both databases: made with 200, changed with 200, deleted with 200 and `{}`, then unknown."""
    made = tenant.send("POST", "/roles", {"name": "viewer"}, status=200)
    assert re.fullmatch(r"rol_[A-Za-z0-9]{16}", made["id"])
    assert made == {"id": made["id"], "name": "viewer", "type": "tenant"}
    path = f"/roles/{made['id']}"
    assert tenant.get(path) == {**made, "description": ""}
    assert {**made, "description": ""} in tenant.get("/roles")
    changed = tenant.send("PATCH", path, {"description": "reads"}, status=200)
    assert changed == {**made, "description": "reads"} == tenant.get(path)
    assert tenant.send("PATCH", path, {"name": "reader"}, status=200)["name"] == "reader"
    assert tenant.get(path)["description"] == "reads"
    user = tenant.user()
    tenant.assign(user, made["id"])
    assert tenant.send("DELETE", path, {}, status=200) == {}
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert_refused(tenant.call(method, path, body), NO_ROLE)
    assert tenant.get(f"/users/{quoted(user)}/roles") == []
    assert tenant.role(name="reader") != made["id"]
    assert tenant.get(f"/users/{quoted(user)}/roles") == []


BAD_ROLES: list[Any] = [
    {"name": ""},
    {"name": None},
    {"name": 1},
    {"name": "x", "description": 1},
    {"name": "x", "type": "other"},
    {"name": "x", "type": "organization"},
    {"name": "x", "owner_id": answers.ORGANIZATION},
    {"name": "x", "type": "tenant", "owner_id": answers.ORGANIZATION},
    {"description": "x"},
]


@pytest.mark.parametrize("body", BAD_ROLES, ids=str)
def test_a_malformed_role_is_refused(small_tenant: Tenant, body: Any) -> None:
    assert_invalid(small_tenant.call("POST", "/roles", body))
    assert small_tenant.get("/roles") == []


def test_a_role_keeps_its_kind_and_its_owner(small_tenant: Tenant) -> None:
    organization = small_tenant.organization()
    path = f"/roles/{small_tenant.role()}"
    for body in ({"type": "organization"}, {"owner_id": organization}, {"name": "x", "type": "tenant"}):
        assert_invalid(small_tenant.call("PATCH", path, body), "Additional properties not allowed: ")
    assert_invalid(small_tenant.call("PATCH", path, {"name": ""}))


def test_names_are_unique_among_the_roles_of_one_owner(small_tenant: Tenant) -> None:
    tenant = small_tenant
    one, other = tenant.organization(), tenant.organization()
    owners: list[dict[str, str]] = [{}, *({"type": "organization", "owner_id": owner} for owner in (one, other))]
    for owner in owners:
        tenant.role(name="viewer", **owner)
        assert_refused(tenant.call("POST", "/roles", {"name": "viewer", **owner}), ROLE_EXISTS)
        second = tenant.role(name="Viewer", **owner)
        assert_refused(tenant.call("PATCH", f"/roles/{second}", {"name": "viewer"}), ROLE_EXISTS)
        tenant.send("PATCH", f"/roles/{second}", {"name": "Viewer", "description": "d"}, status=200)
    assert len(tenant.get("/roles")) >= 2


def test_a_role_of_an_organization_names_its_owner(small_tenant: Tenant) -> None:
    tenant, organization = small_tenant, small_tenant.organization()
    role = tenant.role(name="own", type="organization", owner_id=organization)
    found = tenant.get(f"/roles/{role}")
    assert (found["type"], found["owner_id"]) == ("organization", organization)
    common = tenant.role(name="common")
    assert ids(tenant.get("/roles", type="organization")) == [role]
    assert ids(tenant.get("/roles", owner_id=organization)) == [role]
    assert ids(tenant.get("/roles", type="tenant")) == [common]
    response = tenant.call("POST", "/roles", {"name": "x", "type": "organization", "owner_id": answers.ORGANIZATION})
    assert response.status_code in (400, 404), response.text
    tenant.send("DELETE", f"/organizations/{organization}", status=204)
    assert_refused(tenant.call("GET", f"/roles/{role}"), NO_ROLE)


def test_roles_are_found_by_a_part_of_their_name(small_tenant: Tenant) -> None:
    wanted = [small_tenant.role(name=name) for name in ("Billing Reader", "reader")]
    small_tenant.role(name="writer")
    assert sorted(ids(small_tenant.get("/roles", name_filter="READ"))) == sorted(wanted)
    assert small_tenant.get("/roles", name_filter="%") == small_tenant.get("/roles", name_filter="_") == []
    assert small_tenant.get("/roles", name_filter="READ", include_totals="true")["total"] == 2


# --- permissions ----------------------------------------------------------------------------------------------------


def test_permissions_of_a_role_are_given_and_taken(tenant: Tenant) -> None:
    api = tenant.api("b", "a", scopes=[{"value": "b"}, {"value": "a", "description": "does a"}])["identifier"]
    path = f"/roles/{tenant.role()}/permissions"
    both = {"permissions": pairs((api, "b"), (api, "a"), (api, "b"))}
    for _ in range(2):
        assert tenant.send("POST", path, both, status=201) == {}
    entry = {"resource_server_identifier": api, "resource_server_name": "An API"}
    assert tenant.get(path) == [
        {**entry, "permission_name": "a", "description": "does a"},
        {**entry, "permission_name": "b", "description": ""},
    ]
    for _ in range(2):
        assert tenant.send("DELETE", path, {"permissions": pairs((api, "a"))}, status=204) is None
    assert names(tenant.get(path)) == ["b"]
    tenant.send("DELETE", path, {"permissions": pairs((answers.IDENTIFIER, "x"), (api, "b"))}, status=204)
    assert tenant.get(path) == []


def test_a_role_gets_all_permissions_or_none(small_tenant: Tenant) -> None:
    api, path = small_tenant.api("a")["identifier"], f"/roles/{small_tenant.role()}/permissions"
    unknown = answers.IDENTIFIER
    no_api = (404, f"The resource server does not exist: '{unknown}'", "inexistent_resource_server")
    for pair, refusal in (((api, "b"), no_permission(api, "b")), ((unknown, "a"), no_api)):
        assert_refused(small_tenant.call("POST", path, {"permissions": pairs((api, "a"), pair)}), refusal)
        assert small_tenant.get(path) == []


def test_renaming_a_role_shows_in_the_sources_of_permissions(small_tenant: Tenant) -> None:
    user, role = small_tenant.user(), small_tenant.role((small_tenant.api("a")["identifier"], "a"), name="old")
    small_tenant.assign(user, role)
    small_tenant.send("PATCH", f"/roles/{role}", {"name": "new"}, status=200)
    (found,) = small_tenant.get(f"/users/{quoted(user)}/permissions")
    assert found["sources"] == [{"source_id": role, "source_name": "new", "source_type": "ROLE"}]


# --- holders --------------------------------------------------------------------------------------------------------


def test_both_sides_of_an_assignment_are_one(tenant: Tenant) -> None:
    role, users = tenant.role(), [tenant.user() for _ in range(3)]
    assert tenant.send("POST", f"/roles/{role}/users", {"users": [users[2], users[2]]}, status=200) == {}
    tenant.assign(users[0], role)
    tenant.send("POST", f"/roles/{role}/users", {"users": [users[1], users[2]]}, status=200)
    found = tenant.get(f"/roles/{role}/users")
    assert ids(found, "user_id") == [users[2], users[0], users[1]], "by the time of assignment"
    assert set(found[0]) == {"user_id", "email", "picture", "name"}
    for user in users:
        assert ids(tenant.get(f"/users/{quoted(user)}/roles")) == [role]


def test_a_role_is_given_to_all_users_or_to_none(small_tenant: Tenant) -> None:
    role, user = small_tenant.role(), small_tenant.user()
    assert_refused(small_tenant.call("POST", f"/roles/{role}/users", {"users": [user, answers.USER]}), NO_USERS)
    assert small_tenant.get(f"/roles/{role}/users") == []
    for body in ({"users": []}, {}, {"users": [1]}, {"users": user}):
        assert_invalid(small_tenant.call("POST", f"/roles/{role}/users", body))


def test_there_is_no_removal_of_holders_on_the_side_of_the_role(small_tenant: Tenant) -> None:
    role, user = small_tenant.role(), small_tenant.user()
    small_tenant.assign(user, role)
    response = small_tenant.call("DELETE", f"/roles/{role}/users", {"users": [user]})
    assert response.status_code in (404, 405)
    assert ids(small_tenant.get(f"/roles/{role}/users"), "user_id") == [user]


def test_the_other_face_reads_what_a_role_may_do_and_cannot_change_it(small_tenant: Tenant) -> None:
    """A tenant role is a managed one there; its permissions are a policy with the role's id, until they are gone."""
    api = small_tenant.api("read", "write:*")["identifier"]
    role = small_tenant.role((api, "read"), (api, "write:*"), name="reader")
    world = World(small_tenant.http, ROOT_KEY, small_tenant.node)
    (there,) = (one["id"] for one in world.get("/v2/roles")["roles"] if one["name"] == "reader")
    (policy,) = world.get(f"/v2/roles/{there}/policies")["policies"]
    assert policy == world.get(f"/v2/roles/{there}")["role"]["policies"][0]
    document = world.get(f"/v2/policies/{there}")["policy"]["policy_document"]
    said = {(one["Action"][0], one["Resource"][0]) for one in document["Statement"]}
    assert said == {("read", f"resource_server:{api}"), ("write:*", f"resource_server:{api}")}
    person = world.person()
    world.attach_role(there, user=person.id)
    for method, path in (("DELETE", f"/v2/roles/{there}"), ("DELETE", f"/v2/policies/{there}")):
        assert world.status(path, method) in (403, 404)
    small_tenant.send("DELETE", f"/roles/{role}/permissions", {"permissions": pairs((api, "read"))}, status=204)
    small_tenant.send("DELETE", f"/roles/{role}/permissions", {"permissions": pairs((api, "write:*"))}, status=204)
    assert world.get(f"/v2/roles/{there}/policies")["policies"] == []
    assert world.status(f"/v2/policies/{there}") == 404
