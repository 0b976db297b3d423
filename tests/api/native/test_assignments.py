"""Assignments that time ends: dead from that instant for decisions, lists and reasons, with nobody to sweep them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from api.auth0.logins import staged
from api.native.asking import (
    READ,
    SECOND,
    Json,
    able,
    access,
    asking,
    decides,
    explain,
    first_organization,
    head,
    holding,
    instant,
    later,
    machine,
    may,
    ok,
    outside,
    public_id,
    refused,
    revoke,
    unwritten,
    vultr,
)
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.usecases.limits import ATTACHMENTS_MAX, DIRECT_ROLES_MAX, INSTANT_MAX
from rescind.usecases.unit import Unit
from tenant import Tenant, pairs, quoted
from world import Person, World, allow, deny, root_of_another

HOUR = 3600 * SECOND


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


@dataclass
class Assignment:
    """What gives Ann the right to read: where it is put, and where it is listed."""

    path: str
    listed: str
    thing: str


def role_of_user(root: World, ann: Person) -> Assignment:
    role = root.role(root.policy(allow(READ)))
    return Assignment(f"/v1/roles/{role}/users/{ann.id}", f"/v2/roles/{role}/users", ann.id)


def role_of_group(root: World, ann: Person) -> Assignment:
    role, group = root.role(root.policy(allow(READ))), root.group(ann)
    return Assignment(f"/v1/roles/{role}/groups/{group}", f"/v2/roles/{role}/groups", group)


def policy_of_role(root: World, ann: Person) -> Assignment:
    role, policy = root.role(), root.policy(allow(READ))
    root.attach_role(role, user=ann.id)
    return Assignment(f"/v1/roles/{role}/policies/{policy}", f"/v2/roles/{role}/policies", policy)


def policy_of_user(root: World, ann: Person) -> Assignment:
    policy = root.policy(allow(READ))
    return Assignment(f"/v1/policies/{policy}/users/{ann.id}", f"/v2/policies/{policy}/users", ann.id)


def policy_of_group(root: World, ann: Person) -> Assignment:
    policy, group = root.policy(allow(READ)), root.group(ann)
    return Assignment(f"/v1/policies/{policy}/groups/{group}", f"/v2/policies/{policy}/groups", group)


def member_of_group(root: World, ann: Person) -> Assignment:
    group = root.group()
    root.attach_policy(root.policy(allow(READ)), group=group)
    return Assignment(f"/v1/groups/{group}/members/{ann.id}", f"/v2/groups/{group}/members", ann.id)


Build = Callable[[World, Person], Assignment]
ASSIGNMENTS = [role_of_user, role_of_group, policy_of_role, policy_of_user, policy_of_group, member_of_group]
EVERY = pytest.mark.parametrize("build", ASSIGNMENTS, ids=lambda build: build.__name__)


def put(world: World, path: str, end: Any = None, status: int = 204) -> None:
    ok(world.call("PUT", path, {"expires_at": end}), status)


def is_listed(root: World, made: Assignment) -> bool:
    return made.thing in root.call("GET", made.listed).text


def ends(found: Json) -> set[int | None]:
    """When the steps of an explanation end."""
    return {step["expires_at"] for one in found["statements"] for path in one["paths"] for step in path}


@EVERY
def test_it_is_dead_from_its_instant_without_a_sweep(root: World, build: Build) -> None:
    """A moment before it is there everywhere; from the instant on nowhere; and nothing is written for that."""
    ann = root.person()
    made = build(root, ann)
    assert not may(root, ann)
    end = instant(root) + HOUR
    put(root, made.path, end)
    assert may(root, ann)
    assert is_listed(root, made)
    assert end in ends(explain(root, asking(ann)))

    with unwritten(root):
        later(root, end - instant(root) - 30 * SECOND)
        assert may(root, ann)
        assert is_listed(root, made)
        later(root, end - instant(root))
        assert not may(root, ann)
        assert not is_listed(root, made)
        assert access(root, ann)["permissions"] == []
        assert explain(root, asking(ann))["reason"] == "implicit_deny"
    assert access(root, ann, at=str(end - SECOND))["permissions"], "it was so then"


@EVERY
@pytest.mark.parametrize("body", [{}, {"expires_at": None}], ids=["nothing said", "null"])
def test_without_an_end_it_lasts(root: World, build: Build, body: Json) -> None:
    ann = root.person()
    made = build(root, ann)
    ok(root.call("PUT", made.path, body), 204)
    later(root, 100 * 365 * 24 * HOUR)
    assert decides(root, asking(ann))
    assert explain(root, asking(ann))["decision"]


@EVERY
def test_granting_again_changes_the_end(root: World, build: Build) -> None:
    """Sooner, later, and without one for good; the same end once more writes nothing."""
    ann = root.person()
    made = build(root, ann)
    now = instant(root)
    for end in (now + 2 * HOUR, now + HOUR, now + 3 * HOUR, None):
        put(root, made.path, end)
        with unwritten(root):
            put(root, made.path, end)
        assert ends(explain(root, asking(ann))) - {None} == {end} - {None}
    later(root, 4 * HOUR)
    assert may(root, ann)
    assert root.call("GET", made.listed).text.count(made.thing) >= 1


@EVERY
def test_what_time_has_ended_can_be_granted_again(root: World, build: Build) -> None:
    ann = root.person()
    made = build(root, ann)
    put(root, made.path, instant(root) + HOUR)
    later(root, HOUR)
    assert not may(root, ann)
    put(root, made.path, instant(root) + HOUR)
    assert may(root, ann)
    assert is_listed(root, made)


@EVERY
def test_what_will_end_can_be_taken_before(root: World, build: Build) -> None:
    """By the call of the other face, and it does not come back."""
    ann = root.person()
    made = build(root, ann)
    put(root, made.path, instant(root) + HOUR)
    root.delete(made.path.replace("/v1/", "/v2/"))
    assert not may(root, ann)
    assert not is_listed(root, made)


BAD_ENDS: dict[str, Any] = {
    "the beginning": 0,
    "a negative one": -1,
    "now in seconds": 1_790_000_000,
    "the past": 1_600_000_000_000_000,
    "after all dates": INSTANT_MAX + 1,
    "an absurd one": 10**30,
    "an absurdly negative one": -(10**30),
    "a text": "2030-01-01",
    "digits": "1900000000000000",
    "a fraction": 1.9e15,
    "a boolean": True,
    "a list": [1],
    "an object": {},
}


@EVERY
def test_an_end_that_is_no_instant_to_come_is_refused(root: World, build: Build) -> None:
    """And what was there stays as it was."""
    made = build(root, root.person())
    with unwritten(root):
        for end in BAD_ENDS.values():
            put(root, made.path, end, 400)
    assert not is_listed(root, made)


def test_the_last_instant_that_can_be_written_is_one(root: World) -> None:
    ann = root.person()
    made = role_of_user(root, ann)
    put(root, made.path, INSTANT_MAX)
    assert may(root, ann)
    with unwritten(root):
        put(root, made.path, instant(root), 400)


@pytest.mark.parametrize("body", [{"until": 1}, {"expires_at": None, "more": 1}, [], "x", None], ids=str)
def test_a_body_that_says_something_else_is_refused(root: World, body: Any) -> None:
    """A misspelled end must not make an assignment for good."""
    made = role_of_user(root, root.person())
    with unwritten(root):
        ok(root.call("PUT", made.path, body), 400)


# --- rules that hold for them as for every grant ----------------------------------------------------------------------


def admin(root: World, *held: Json) -> World:
    """A member who administers everything and holds what else the documents say."""
    person = root.person()
    root.attach_policy(root.policy(allow("iam.*.*", "account.user.*")), user=person.id)
    for one in held:
        root.attach_policy(root.policy(one), user=person.id)
    return root.as_(person.key)


@EVERY
def test_nobody_grants_for_a_while_what_he_does_not_hold(root: World, build: Build) -> None:
    """Nor makes it last longer."""
    ann, weak = root.person(), admin(root)
    made = build(root, ann)
    end = instant(root) + HOUR
    refused(weak, "PUT", made.path, {"expires_at": end})
    put(admin(root, allow(READ)), made.path, end)
    refused(weak, "PUT", made.path, {"expires_at": end + HOUR})
    refused(weak, "PUT", made.path, {"expires_at": None})
    assert ends(explain(root, asking(ann))) - {None} == {end}


def test_nobody_lets_a_deny_run_out_who_does_not_hold_what_it_forbids(root: World) -> None:
    """An end that is put to a Deny gives what it held back."""
    ann, policy = root.person(), root.policy(deny(READ))
    root.attach_policy(policy, user=ann.id)
    path = f"/v1/policies/{policy}/users/{ann.id}"
    refused(admin(root), "PUT", path, {"expires_at": instant(root) + HOUR})
    put(admin(root, allow(READ)), path, instant(root) + HOUR)


@EVERY
def test_a_stranger_finds_nothing_to_grant(root: World, build: Build) -> None:
    assert root.node is not None
    made = build(root, root.person())
    other = root.as_(root_of_another(root.node))
    refused(other, "PUT", made.path, {}, status=404)


def test_each_needs_its_own_right(root: World) -> None:
    person = root.person()
    root.attach_policy(root.policy(allow("iam.*.List*", "iam.*.Detach*", READ)), user=person.id)
    for build in ASSIGNMENTS:
        refused(root.as_(person.key), "PUT", build(root, root.person()).path, {})


def test_an_end_can_be_put_to_one_of_as_many_as_there_may_be(root: World) -> None:
    """Who has 500 policies has no more than that when one of them gets an end."""
    ann = root.person()
    assert root.node is not None
    policy = root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)

    def fill(unit: Unit) -> None:
        organization = unit.reader.find_object(ObjectKind.ORGANIZATION, root.organization())
        assert organization is not None
        unit.organization = organization.key
        holder = unit.member(ann.id).membership
        for _ in range(ATTACHMENTS_MAX - 1):
            made = unit.create(ObjectKind.POLICY)
            unit.open(Fact(FactKind.DOCUMENT, made.key, value='{"Statement":[]}'))
            unit.open(Fact(FactKind.POLICY_ATTACHMENT, holder.key, made.key, unit.organization))

    root.node.service.operate("test", str(uuid.uuid4()), fill)
    refused(root, "PUT", f"/v1/policies/{root.policy(allow(READ))}/users/{ann.id}", {}, status=400)
    put(root, f"/v1/policies/{policy}/users/{ann.id}", instant(root) + HOUR)


def test_a_legacy_permission_ends_by_itself(root: World) -> None:
    """It is listed with the member until then; to name it again among all she has does not make it last."""
    ann = root.person(acls=["support"])

    def acls() -> set[str]:
        return set(root.get(f"/v2/users/{ann.id}")["user"]["acls"])

    end = instant(root) + HOUR
    put(root, f"/v1/users/{ann.id}/acls/dns", end)
    assert acls() == {"support", "dns"}
    with unwritten(root):
        put(root, f"/v1/users/{ann.id}/acls/dns", end)
        ok(root.call("PATCH", f"/v2/users/{ann.id}", {"acls": ["support", "dns"]}), 202)
    later(root, HOUR)
    assert acls() == {"support"}
    assert ok(revoke(root, ("users.revoke_acl", {"user": ann.id, "acl": "support"})))["changed"]
    assert acls() == set()
    put(root, f"/v1/users/{ann.id}/acls/support")
    for _ in range(2):
        ok(root.call("DELETE", f"/v1/users/{ann.id}/acls/support"), 204)
        assert acls() == set()
    refused(root, "PUT", f"/v1/users/{ann.id}/acls/nothing", {}, status=400)
    refused(root, "DELETE", f"/v1/users/{ann.id}/acls/nothing", status=400)
    refused(able(root, "iam.role.*"), "DELETE", f"/v1/users/{ann.id}/acls/support")
    refused(able(root, "iam.role.*"), "PUT", f"/v1/users/{ann.id}/acls/dns", {})
    weak = able(root, "account.user.Update")
    refused(weak, "PUT", f"/v1/users/{ann.id}/acls/dns", {})


def test_who_joins_a_group_by_the_older_call_may_leave_it_by_time(root: World) -> None:
    ann, group = root.person(), root.group()
    root.attach_policy(root.policy(allow(READ)), group=group)
    body = {"user": ann.id, "expires_at": instant(root) + HOUR}
    ok(root.call("POST", f"/v1/groups/{group}/members", body), 204)
    assert may(root, ann)
    later(root, HOUR)
    assert not may(root, ann)


# --- with tokens ------------------------------------------------------------------------------------------------------


def test_a_direct_permission_ends_by_itself_outside_of_organizations(small_tenant: Tenant) -> None:
    """The list, AuthZEN, and the reasons agree; granting again makes it last."""
    admin_ = outside(small_tenant)
    api, user = small_tenant.api("read")["identifier"], small_tenant.user()
    path, listed = f"/v1/users/{quoted(user)}/permissions", f"/users/{quoted(user)}/permissions"
    body = {"permissions": pairs((api, "read"))}
    question = asking(user, "read", {"type": "resource_server", "id": api})
    end = instant(small_tenant) + 60 * SECOND
    ok(admin_.call("PUT", path, {**body, "expires_at": end}), 204)
    assert decides(admin_, question)
    assert ends(explain(admin_, question)) == {end}
    assert len(small_tenant.get(listed)) == 1
    later(small_tenant, end - instant(small_tenant))
    assert small_tenant.get(listed) == []
    assert decides(admin_, question) is explain(admin_, question)["decision"] is False
    ok(admin_.call("PUT", path, body), 204)
    later(small_tenant, 600 * SECOND)
    assert decides(admin_, question)
    assert len(small_tenant.get(listed)) == 1
    for end_ in BAD_ENDS.values():
        refused(admin_, "PUT", path, {**body, "expires_at": end_}, status=400)
    for wrong in ({}, {"permissions": "x"}, {"permissions": [{}]}, {**body, "more": 1}, {"permissions": None}):
        refused(admin_, "PUT", path, wrong, status=400)
    refused(admin_, "PUT", path, {"permissions": pairs((api, "read"), (api, "nothing"))}, status=404)


def test_the_permissions_of_a_role_end_by_themselves(small_tenant: Tenant) -> None:
    """For all who hold it, and in its list; granting again makes them last."""
    admin_, user, role = outside(small_tenant), small_tenant.user(), small_tenant.role()
    api = small_tenant.api("read", "write")["identifier"]
    small_tenant.assign(user, role)
    path, end = f"/v1/roles/{role}/permissions", instant(small_tenant) + 60 * SECOND
    question = asking(user, "read", {"type": "resource_server", "id": api})
    ok(admin_.call("PUT", path, {"permissions": pairs((api, "read")), "expires_at": end}), 204)
    assert decides(admin_, question)
    assert end in ends(explain(admin_, question))
    assert len(small_tenant.get(f"/roles/{role}/permissions")) == 1
    later(small_tenant, end - instant(small_tenant))
    assert not decides(admin_, question)
    assert small_tenant.get(f"/roles/{role}/permissions") == []
    refused(machine(small_tenant, "update:users"), "PUT", path, {"permissions": pairs((api, "read"))})
    refused(admin_, "PUT", path, {"permissions": pairs((api, "nothing"))}, status=404)


def test_roles_of_members_and_of_groups_end_by_themselves_inside_an_organization(small_tenant: Tenant) -> None:
    """By who may assign them there, and nowhere else."""
    admin_, root = outside(small_tenant), vultr(small_tenant)
    person = root.person()
    user, there = public_id(small_tenant, person), first_organization(small_tenant)
    made = {"name": "g", "organization": there}
    group = ok(admin_.call("POST", "/v1/groups", made), 201)["public_id"]
    end = instant(small_tenant) + 60 * SECOND
    scopes = {
        f"members/{quoted(user)}": "create:organization_member_roles",
        f"groups/{group}": "create:organization_group_roles",
    }
    for holder, scope in scopes.items():
        role = small_tenant.role()
        path, listed = (f"{start}/organizations/{there}/{holder}/roles" for start in ("/v1", ""))
        put(machine(small_tenant, scope), f"{path}/{role}", end)
        assert role in small_tenant.call("GET", listed).text
        assert small_tenant.get(f"/users/{quoted(user)}/roles") == []
        refused(machine(small_tenant, "update:users"), "PUT", f"{path}/{role}", {})
        refused(root, "PUT", f"{path}/{role}", {}, status=401)
    later(small_tenant, end - instant(small_tenant))
    for holder in scopes:
        assert "rol_" not in small_tenant.call("GET", f"/organizations/{there}/{holder}/roles").text


def test_direct_permissions_are_given_by_who_has_the_scope_alone(small_tenant: Tenant) -> None:
    """A key of an organization is no credential there, not even its root's; a token without the scope is refused."""
    root = vultr(small_tenant)
    ann = root.person()
    api = small_tenant.api("read")["identifier"]
    body = {"permissions": pairs((api, "read"))}
    for name in (quoted(public_id(small_tenant, ann)), ann.id):
        refused(root, "PUT", f"/v1/users/{name}/permissions", body, status=401)
    path = f"/v1/users/{quoted(public_id(small_tenant, ann))}/permissions"
    refused(machine(small_tenant, "read:users", "update:roles"), "PUT", path, body)
    ok(machine(small_tenant, "update:users").call("PUT", path, body), 204)


def test_an_administrator_gives_no_permission_that_she_does_not_hold(small_tenant: Tenant) -> None:
    """Neither for good nor for a while, to herself or others."""
    ann = staged(small_tenant)
    admin_ = holding(ann, "update:users")
    path = f"/v1/users/{quoted(ann.user)}/permissions"
    delete = {"permissions": pairs((ann.audience, "delete"))}
    refused(admin_, "PUT", path, delete)
    refused(admin_, "PUT", path, {**delete, "expires_at": instant(small_tenant) + HOUR})
    ok(admin_.call("PUT", path, {"permissions": pairs((ann.audience, "write"))}), 204)


def test_roles_of_a_user_and_members_of_a_group_by_token(small_tenant: Tenant) -> None:
    """By public ids; a role ends by itself, a group's members too; what has no scope takes no token."""
    admin_, root = outside(small_tenant), vultr(small_tenant)
    api, person = small_tenant.api("read")["identifier"], root.person()
    user, role = public_id(small_tenant, person), small_tenant.role((api, "read"))
    path = f"/v1/roles/{role}/users/{quoted(user)}"
    end = instant(small_tenant) + 60 * SECOND
    put(admin_, path, end)
    assert [one["id"] for one in small_tenant.get(f"/users/{quoted(user)}/roles")] == [role]
    made = {"name": "g", "organization": first_organization(small_tenant)}
    group = ok(admin_.call("POST", "/v1/groups", made), 201)["public_id"]
    member = f"/v1/groups/{group}/members/{quoted(user)}"
    put(admin_, member, end)
    assert len(small_tenant.get(f"/groups/{group}/members")["members"]) == 1
    later(small_tenant, end - instant(small_tenant))
    assert small_tenant.get(f"/users/{quoted(user)}/roles") == []
    assert small_tenant.get(f"/groups/{group}/members")["members"] == []
    refused(machine(small_tenant, "read:users"), "PUT", path, {})
    refused(machine(small_tenant, "update:users"), "PUT", member, {})
    policy = root.policy(allow(READ))
    refused(admin_, "PUT", f"/v1/policies/{policy}/users/{quoted(user)}", {}, status=401)


def test_an_end_can_be_put_to_one_of_as_many_roles_as_there_may_be(small_tenant: Tenant) -> None:
    """Who has 50 roles has no more than that when one of them gets an end."""
    admin_, user = outside(small_tenant), small_tenant.user()
    roles = [small_tenant.role() for _ in range(DIRECT_ROLES_MAX)]
    small_tenant.assign(user, *roles)
    before = head(small_tenant)
    put(admin_, f"/v1/roles/{roles[0]}/users/{quoted(user)}", instant(small_tenant) + HOUR)
    assert head(small_tenant) == before + 1
