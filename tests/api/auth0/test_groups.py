"""Groups, which the other face makes, and what their members have through them."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from api.auth0 import answers
from api.auth0.answers import NO_GROUP, application, assert_refused, ids, names
from api.auth0.logins import REALM, decoded
from tenant import CONNECTION, Tenant, pairs, quoted
from world import ROOT_KEY, Person, World, allow, deny

PASSWORD = "correct horse"  # what the world gives everybody
GROUP = re.compile(r"grp_[1-9A-HJ-NP-Za-km-z]{14,22}")
GROUPS, DIRECT, BOTH = ["groups"], ["direct"], ["direct", "groups"]


@dataclass
class Team:
    """Ann is in a group of the first organization; a role may read an API."""

    tenant: Tenant
    world: World
    person: Person
    ann: str
    organization: str
    group: str
    api: str
    role: str

    @property
    def user(self) -> str:
        return f"/users/{quoted(self.ann)}"

    @property
    def member(self) -> str:
        return f"/organizations/{self.organization}/members/{quoted(self.ann)}"

    @property
    def there(self) -> str:
        """The roles of the group in its organization."""
        return f"/organizations/{self.organization}/groups/{self.group}/roles"

    def body(self, *roles: str) -> dict[str, list[str]]:
        return {"roles": list(roles or (self.role,))}

    def effective(self, path: str, **query: str) -> dict[str, list[str]]:
        """The effective roles, or permissions of the API, with their sources."""
        kind = "permissions" if path.endswith("permissions") else "roles"
        asked = {"resource_server_identifier": self.api} if kind == "permissions" else {}
        key = "permission_name" if kind == "permissions" else "id"
        return {one[key]: sorted(one["sources"]) for one in self.tenant.get(path, **asked, **query)[kind]}

    def permissions(self, **through: str) -> list[str]:
        """What a new token of Ann's says."""
        client = application(self.tenant, "password", REALM)
        asked = {"grant_type": REALM, "realm": CONNECTION, "username": self.person.email, "password": PASSWORD}
        response = client.grant(**asked, audience=self.api, **through)
        assert response.status_code == 200, response.text
        return sorted(decoded(response.json()["access_token"])[1]["permissions"])


def staged(tenant: Tenant) -> Team:
    tenant.get("/roles")
    world = World(tenant.http, ROOT_KEY, tenant.node)
    person = world.person()
    world.group(person, name="team")
    world.group(name="nobody")
    api = tenant.api("read", "write")["identifier"]
    (ann,) = ids(tenant.get("/users-by-email", email=person.email), "user_id")
    (organization,) = ids(tenant.get(f"/users/{quoted(ann)}/organizations"))
    (group,) = (one["id"] for one in tenant.get("/groups", take=100)["groups"] if one["name"] == "team")
    return Team(tenant, world, person, ann, organization, group, api, tenant.role((api, "read"), name="reader"))


@pytest.fixture
def team(small_tenant: Tenant) -> Team:
    return staged(small_tenant)


# --- groups ---------------------------------------------------------------------------------------------------------


def test_a_group_of_the_other_face_is_found_with_its_members(tenant: Tenant) -> None:
    team = staged(tenant)
    found = tenant.get(f"/groups/{team.group}")
    assert GROUP.fullmatch(team.group)
    assert found["name"] == "team"
    assert all(isinstance(found[key], str) for key in ("id", "name", "tenant_name", "created_at", "updated_at"))
    for query in ({"name": "team"}, {"search": "tea"}):
        assert tenant.get("/groups", take=50, **query) == {"groups": [found]}
    wrapper = tenant.get("/groups", include_totals="true", per_page=50, page=0)
    assert (len(wrapper["groups"]), wrapper["start"], wrapper["limit"], wrapper["total"]) == (2, 0, 50, 2)
    (member,) = tenant.get(f"/groups/{team.group}/members")["members"]
    assert (member["id"], member["member_type"]) == (team.ann, "user")
    assert member["type"] in ("connection", "organization", "tenant")
    (one,) = tenant.get(f"{team.user}/groups", take=50)["groups"]
    assert {key: one[key] for key in found} == found
    assert one["membership_created_at"]
    assert found in tenant.get(f"/organizations/{team.organization}/groups")["groups"]


def test_a_deleted_group_is_gone_with_what_it_gave(tenant: Tenant) -> None:
    team = staged(tenant)
    tenant.send("POST", f"/groups/{team.group}/roles", team.body(), status=204)
    tenant.send("POST", team.there, team.body(), status=204)
    tenant.send("DELETE", f"/groups/{team.group}", status=204)
    assert_refused(tenant.call("GET", f"/groups/{team.group}"), NO_GROUP)
    assert team.effective(f"{team.user}/effective-roles") == {}
    assert team.effective(f"{team.member}/effective-roles") == {}
    assert tenant.get(f"/roles/{team.role}/groups")["groups"] == []
    assert [one["display_name"] for one in team.world.get("/v2/groups")["groups"]] == ["nobody"]


# --- outside organizations ------------------------------------------------------------------------------------------


def test_roles_of_a_group_are_its_members_until_either_goes(tenant: Tenant) -> None:
    """The table: given through a group, shown with its source, gone with role or membership of the group."""
    team = staged(tenant)
    path, roles = f"/groups/{team.group}/roles", f"{team.user}/effective-roles"
    for _ in range(2):
        tenant.send("POST", path, team.body(team.role, team.role), status=204)
    assert ids(tenant.get(path)["roles"]) == [team.role]
    assert ids(tenant.get(f"/roles/{team.role}/groups")["groups"]) == [team.group]
    (found,) = tenant.get(roles)["roles"]
    assert found == {"id": team.role, "name": "reader", "description": "", "sources": GROUPS}
    assert ids(tenant.get(f"{roles}/sources/groups", role_id=team.role)["groups"]) == [team.group]
    (permission,) = tenant.get(f"{team.user}/effective-permissions", resource_server_identifier=team.api)["permissions"]
    assert permission == {
        "resource_server_identifier": team.api,
        "permission_name": "read",
        "resource_server_name": "An API",
        "description": "",
        "sources": ["roles"],
    }
    sources = f"{team.user}/effective-permissions/sources/effective-roles"
    (source,) = tenant.get(sources, resource_server_identifier=team.api, permission_name="read")["roles"]
    assert (source["id"], source["sources"]) == (team.role, GROUPS)
    # The classic lists show what is hers alone.
    assert tenant.get(f"{team.user}/roles") == tenant.get(f"{team.user}/permissions") == []
    assert team.permissions() == ["read"]

    for _ in range(2):
        tenant.send("DELETE", path, team.body(), status=204)
    assert (team.effective(roles), team.permissions()) == ({}, [])
    tenant.send("POST", path, team.body(), status=204)
    group = next(one["id"] for one in team.world.get("/v2/groups")["groups"] if one["display_name"] == "team")
    team.world.delete(f"/v2/groups/{group}/members/{team.person.id}")
    assert (team.effective(roles), team.permissions()) == ({}, [])
    assert tenant.get(f"/groups/{team.group}/members")["members"] == []


def test_every_source_is_named_and_each_holds_alone(team: Team) -> None:
    tenant, roles, permissions = team.tenant, f"{team.user}/effective-roles", f"{team.user}/effective-permissions"
    direct = {"permissions": pairs((team.api, "read"))}
    tenant.send("POST", f"/roles/{team.role}/groups", {"groups": [team.group]}, status=204)
    tenant.assign(team.ann, team.role)
    tenant.send("POST", f"{team.user}/permissions", direct, status=201)
    assert team.effective(roles) == {team.role: BOTH}
    assert team.effective(permissions) == {"read": ["direct", "roles"]}
    tenant.send("DELETE", f"{team.user}/roles", team.body(), status=204)
    assert team.effective(roles) == {team.role: GROUPS}
    tenant.send("DELETE", f"/roles/{team.role}/groups", {"groups": [team.group]}, status=204)
    assert team.effective(roles) == {}
    assert team.effective(permissions) == {"read": DIRECT}
    tenant.send("DELETE", f"{team.user}/permissions", direct, status=204)
    assert team.effective(permissions) == {}


def test_what_is_no_group_or_no_role_changes_nothing(team: Team) -> None:
    tenant, path = team.tenant, f"/groups/{team.group}/roles"
    assert tenant.call("POST", path, team.body(team.role, answers.ROLE)).status_code in (400, 404)
    assert tenant.get(path)["roles"] == []
    groups = f"/roles/{team.role}/groups"
    assert tenant.call("POST", groups, {"groups": [team.group, answers.GROUP]}).status_code in (400, 404)
    assert tenant.get(groups)["groups"] == []
    for url, member in ((path, "roles"), (team.there, "roles"), (groups, "groups")):
        for method in ("POST", "DELETE"):
            for body in ({}, {member: []}, {member: "x"}, {member: [1]}, {member: ["nonsense"]}):
                assert tenant.call(method, url, body).status_code == 400, (method, url, body)
    tenant.send("POST", path, team.body(), status=204)
    tenant.send("DELETE", path, team.body(answers.ROLE, team.role), status=204)
    assert tenant.get(path)["roles"] == []


def test_a_group_has_ten_roles_at_most(team: Team) -> None:
    roles = [team.tenant.role() for _ in range(11)]
    for path, status in ((f"/groups/{team.group}/roles", (400, 409)), (team.there, (409,))):
        team.tenant.send("POST", path, team.body(*roles[:10]), status=204)
        assert team.tenant.call("POST", path, team.body(roles[10])).status_code in status
        assert len(team.tenant.get(path)["roles"]) == 10


def test_effective_lists_say_what_they_need(team: Team) -> None:
    for path in (
        f"{team.user}/effective-permissions",
        f"{team.user}/effective-permissions/sources/effective-roles",
        f"{team.user}/effective-roles/sources/groups",
        f"{team.member}/effective-roles/sources/groups",
    ):
        response = team.tenant.call("GET", path)
        assert (response.status_code, response.json()["errorCode"]) == (400, "invalid_query_string")


# --- in an organization ---------------------------------------------------------------------------------------------


def test_roles_of_a_group_in_its_organization_are_for_there_alone(tenant: Tenant) -> None:
    team = staged(tenant)
    roles = f"{team.member}/effective-roles"
    tenant.send("POST", team.there, team.body(), status=204)
    assert ids(tenant.get(team.there)["roles"]) == [team.role]
    assert team.effective(roles) == {team.role: GROUPS}
    assert ids(tenant.get(f"{roles}/sources/groups", role_id=team.role)["groups"]) == [team.group]
    assert ids(tenant.get(f"/organizations/{team.organization}/roles/{team.role}/groups")["groups"]) == [team.group]
    assert tenant.get(f"{team.member}/roles") == []
    assert team.permissions(organization=team.organization) == ["read"]
    assert (team.permissions(), team.effective(f"{team.user}/effective-roles")) == ([], {})
    tenant.send("POST", f"{team.member}/roles", team.body(), status=204)
    assert team.effective(roles) == {team.role: BOTH}
    tenant.send("DELETE", team.there, team.body(), status=204)
    assert team.effective(roles) == {team.role: DIRECT}
    tenant.send("DELETE", f"{team.member}/roles", team.body(), status=204)
    assert (team.effective(roles), team.permissions(organization=team.organization)) == ({}, [])


def test_what_she_has_outside_is_not_hers_in_an_organization(team: Team) -> None:
    tenant = team.tenant
    tenant.assign(team.ann, team.role)
    tenant.send("POST", f"{team.user}/permissions", {"permissions": pairs((team.api, "write"))}, status=201)
    tenant.send("POST", f"/groups/{team.group}/roles", team.body(), status=204)
    assert team.permissions() == ["read", "write"]
    assert team.permissions(organization=team.organization) == []
    assert team.effective(f"{team.member}/effective-roles") == {}


def test_a_role_of_an_organization_is_for_its_groups_alone(team: Team) -> None:
    tenant, other = team.tenant, team.tenant.organization()
    own = tenant.role(type="organization", owner_id=team.organization)
    foreign = tenant.role(type="organization", owner_id=other)
    tenant.send("POST", team.there, team.body(own), status=204)
    assert tenant.call("POST", team.there, team.body(foreign)).status_code in (400, 404)
    for role in (own, foreign):
        assert tenant.call("POST", f"/groups/{team.group}/roles", team.body(role)).status_code in (400, 404)
    path = f"/organizations/{other}/groups/{team.group}/roles"
    assert tenant.call("POST", path, team.body()).status_code in (400, 404)
    assert team.effective(f"{team.member}/effective-roles") == {own: GROUPS}


# --- both faces -----------------------------------------------------------------------------------------------------


def test_no_policy_of_an_organization_gives_a_permission_of_an_api(team: Team) -> None:
    for document in (allow("*"), allow("read", "write", on=f"resource_server:{team.api}")):
        team.world.attach_policy(team.world.policy(document), user=team.person.id)
    assert team.permissions(organization=team.organization) == []
    assert team.permissions() == []


@pytest.mark.parametrize("how", ["user", "group", "role"])
def test_a_deny_of_an_organization_takes_a_permission_there(team: Team, how: str) -> None:
    tenant, world = team.tenant, team.world
    both = tenant.role((team.api, "read"), (team.api, "write"))
    tenant.send("POST", f"{team.member}/roles", {"roles": [both]}, status=204)
    tenant.assign(team.ann, both)
    assert team.permissions(organization=team.organization) == ["read", "write"]
    policy = world.policy(deny("write", on=f"resource_server:{team.api}"))
    if how == "user":
        world.attach_policy(policy, user=team.person.id)
    elif how == "group":
        group = next(one["id"] for one in world.get("/v2/groups")["groups"] if one["display_name"] == "team")
        world.attach_policy(policy, group=group)
    else:
        world.attach_role(world.role(policy), user=team.person.id)
    assert team.permissions(organization=team.organization) == ["read"]
    assert team.permissions() == ["read", "write"], "elsewhere it says nothing"
    assert names(tenant.get(f"{team.user}/permissions")) == ["read", "write"], "the classic list shows edges"


def test_who_is_removed_in_the_other_face_is_no_member_here(team: Team) -> None:
    tenant: Any = team.tenant
    tenant.send("POST", f"{team.member}/roles", team.body(), status=204)
    organization = team.world.organization()
    team.world.delete(f"/v2/organizations/{organization}/user/{team.person.id}")
    assert tenant.get(f"{team.user}/organizations") == []
    assert team.ann not in ids(tenant.get(f"/organizations/{team.organization}/members"), "user_id")
    assert tenant.get(f"{team.member}/roles") == []
