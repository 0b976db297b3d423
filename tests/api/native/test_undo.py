"""Undo: what a change took is so again, for whom it is hers to give; what makes no sense any more is said."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from api.auth0.answers import application
from api.auth0.logins import CLIENT_CREDENTIALS, staged
from api.native.asking import (
    READ,
    SECOND,
    UNKNOWN,
    Json,
    able,
    access,
    did,
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
    revision_of,
    revoke,
    suspend,
    undo,
    unwritten,
    vultr,
)
from rescind.model.objects import ObjectKind
from rescind.usecases import users
from tenant import MANAGEMENT, Tenant, pairs, quoted
from world import Person, World, allow, deny, document, root_of_another


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def admin(root: World, *held: Json) -> World:
    """A member who administers everything and holds what else the documents say."""
    person = root.person()
    root.attach_policy(root.policy(allow("iam.*.*", "account.user.*")), user=person.id)
    for one in held:
        root.attach_policy(root.policy(one), user=person.id)
    return root.as_(person.key)


def leaves(root: World, person: Person) -> int:
    return did(root, "DELETE", f"/v2/organizations/{root.organization()}/user/{person.id}")


# --- what is taken, and comes back ------------------------------------------------------------------------------------
# Each takes something from Ann, who may read, and says which change that was.

Take = Callable[[World, Person], int]


def detach_role(root: World, ann: Person) -> int:
    role = root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    return did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")


def detach_role_of_group(root: World, ann: Person) -> int:
    role, group = root.role(root.policy(allow(READ))), root.group(ann)
    root.attach_role(role, group=group)
    return did(root, "DELETE", f"/v2/roles/{role}/groups/{group}")


def detach_policy(root: World, ann: Person) -> int:
    policy = root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    return did(root, "DELETE", f"/v2/policies/{policy}/users/{ann.id}")


def detach_policy_of_group(root: World, ann: Person) -> int:
    policy, group = root.policy(allow(READ)), root.group(ann)
    root.attach_policy(policy, group=group)
    return did(root, "DELETE", f"/v2/policies/{policy}/groups/{group}")


def detach_policy_of_role(root: World, ann: Person) -> int:
    policy = root.policy(allow(READ))
    role = root.role(policy)
    root.attach_role(role, user=ann.id)
    return did(root, "DELETE", f"/v2/roles/{role}/policies/{policy}")


def remove_from_group(root: World, ann: Person) -> int:
    group = root.group(ann)
    root.attach_policy(root.policy(allow(READ)), group=group)
    return did(root, "DELETE", f"/v2/groups/{group}/members/{ann.id}")


def delete_role(root: World, ann: Person) -> int:
    role = root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    return did(root, "DELETE", f"/v2/roles/{role}")


def delete_group(root: World, ann: Person) -> int:
    group = root.group(ann)
    root.attach_role(root.role(root.policy(allow(READ))), group=group)
    return did(root, "DELETE", f"/v2/groups/{group}")


def delete_policy(root: World, ann: Person) -> int:
    policy = root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    return did(root, "DELETE", f"/v2/policies/{policy}")


def edit_policy(root: World, ann: Person) -> int:
    policy = root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    return did(root, "PUT", f"/v2/policies/{policy}", {"policy_document": allow("other.Read")})


def turn_role(root: World, ann: Person) -> int:
    role = root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    return did(root, "PUT", f"/v2/roles/{role}", {"role_type": "assumable"})


def suspend_her(root: World, ann: Person) -> int:
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    return suspend(root, ann)


def deny_her(root: World, ann: Person) -> int:
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    return did(root, "POST", f"/v2/policies/{root.policy(deny(READ))}/users/{ann.id}")


def deny_her_group(root: World, ann: Person) -> int:
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    return did(root, "POST", f"/v2/policies/{root.policy(deny(READ))}/groups/{root.group(ann)}")


def remove_her(root: World, ann: Person) -> int:
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    return leaves(root, ann)


def delete_her(root: World, ann: Person) -> int:
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    return did(root, "DELETE", f"/v2/users/{ann.id}")


def asks_of(rules: Json, key: str, value: str) -> Json:
    return {"Statement": [{**said, "Condition": {"StringEquals": {key: value}}} for said in rules["Statement"]]}


def forget_of_her(root: World, ann: Person) -> int:
    of_sales = asks_of(allow(READ), "subject.dept", "sales")
    root.attach_policy(root.policy(of_sales), user=ann.id)
    ok(root.call("PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "sales"}}))
    return did(root, "PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": None}})


def say_something_else_of_her(root: World, ann: Person) -> int:
    forget_of_her(root, ann)
    ok(root.call("PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "sales"}}))
    return did(root, "PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "legal"}})


def several_at_once(root: World, ann: Person) -> int:
    policy, group = root.policy(allow(READ)), root.group(ann)
    role = root.role(policy)
    root.attach_role(role, group=group)
    root.attach_role(role, user=ann.id)
    return revision_of(
        revoke(
            root,
            ("roles.detach_users", {"roles": [role], "user": ann.id}),
            ("groups.remove_member", {"group": group, "user": ann.id}),
            ("roles.delete", {"role": role}),
            ("groups.delete", {"group": group}),
            ("policies.delete", {"policy": policy}),
            ("organizations.suspend_user", {"organization": root.organization(), "user": ann.id}),
        )
    )


TAKEN: list[Take] = [
    detach_role,
    detach_role_of_group,
    detach_policy,
    detach_policy_of_group,
    detach_policy_of_role,
    remove_from_group,
    delete_role,
    delete_group,
    delete_policy,
    edit_policy,
    turn_role,
    suspend_her,
    deny_her,
    deny_her_group,
    remove_her,
    delete_her,
    forget_of_her,
    say_something_else_of_her,
    several_at_once,
]
EVERY = pytest.mark.parametrize("take", TAKEN, ids=lambda take: take.__name__)


@EVERY
def test_what_a_change_took_is_so_again(root: World, take: Take) -> None:
    """In one change, which says what it was made for; and nothing is left."""
    ann = root.person()
    revision = take(root, ann)
    assert not may(root, ann)

    before = head(root)
    said = undo(root, revision)

    assert said["granted"] > 0
    assert said["left"] == []
    assert head(root) == before + 1
    assert may(root, ann)
    change = ok(root.call("GET", f"/v1/changes/{before + 1}"))
    assert (change["operation"], change["cause"]) == ("undo.undo", {"undoes": revision})


@EVERY
def test_she_has_exactly_what_she_had(root: World, take: Take) -> None:
    """Every statement by every path, as at the revision before the change."""
    ann = root.person()
    revision = take(root, ann)
    undo(root, revision)
    now, then = access(root, ann), access(root, ann, at=str(revision - 1))
    for name in ("state", "permissions", "principal"):
        assert now[name] == then[name]


@EVERY
def test_an_undo_a_second_time_does_nothing(root: World, take: Take) -> None:
    revision = take(root, root.person())
    undo(root, revision)
    with unwritten(root):
        assert undo(root, revision) == {"granted": 0, "left": []}


@EVERY
def test_an_undo_that_only_gave_has_nothing_to_be_undone(root: World, take: Take) -> None:
    """But for a Deny and for what a policy or role said before: what was given is taken by a revocation."""
    ann = root.person()
    undo(root, take(root, ann))
    assert may(root, ann)
    undone = head(root)
    undo(root, undone)
    takes_again = (deny_her, deny_her_group, edit_policy, turn_role, forget_of_her, say_something_else_of_her)
    assert may(root, ann) is (take not in takes_again)


@EVERY
def test_a_preview_of_an_undo_writes_nothing(root: World, take: Take) -> None:
    ann = root.person()
    revision = take(root, ann)
    with unwritten(root):
        said = ok(root.call("POST", f"/v1/changes/{revision}/undo?preview=true"))
    assert not may(root, ann)
    assert any(group["gained"] for group in said["groups"])
    digest = {"If-Match": f'"{said["digest"]}"'}
    assert root.call("POST", f"/v1/changes/{revision}/undo", headers=digest).status_code == 200
    assert may(root, ann)


@EVERY
def test_nobody_gives_back_what_he_does_not_hold(root: World, take: Take) -> None:
    """Who administers everything but may not read is refused, and nothing is written; who may read is not."""
    ann = root.person()
    weak, strong = admin(root), admin(root, allow(READ))
    revision = take(root, ann)
    refused(weak, "POST", f"/v1/changes/{revision}/undo")
    assert not may(root, ann)
    undo(strong, revision)
    assert may(root, ann)


@EVERY
def test_who_may_undo_but_not_grant_is_refused(root: World, take: Take) -> None:
    """Even who holds everything that would come back: each grant needs the right that it needs by hand."""
    ann = root.person()
    weak = able(root, "iam.change.Undo", READ, "other.*")
    revision = take(root, ann)
    refused(weak, "POST", f"/v1/changes/{revision}/undo")
    assert not may(root, ann)


def test_who_may_grant_but_not_undo_is_refused(root: World) -> None:
    ann, bob = root.person(), root.person()
    rules = document(*allow("iam.*.*", "account.user.*", READ)["Statement"], *deny("iam.change.Undo")["Statement"])
    root.attach_policy(root.policy(rules), user=bob.id)
    revision = detach_role(root, ann)
    refused(root.as_(bob.key), "POST", f"/v1/changes/{revision}/undo")


# What it takes to grant it by hand, and no more.
BY_HAND: list[tuple[Take, str, str]] = [
    (detach_role, "iam.role.AttachUser", "role"),
    (detach_role_of_group, "iam.role.AttachGroup", "role"),
    (detach_policy, "iam.policy.AttachUser", "policy"),
    (detach_policy_of_group, "iam.policy.AttachGroup", "policy"),
    (detach_policy_of_role, "iam.role.AttachPolicy", "role"),
    (remove_from_group, "iam.group.AddMember", "group"),
    (delete_role, "iam.role.Restore", "role"),
    (delete_group, "iam.group.Restore", "group"),
    (delete_policy, "iam.policy.Restore", "policy"),
    (edit_policy, "iam.policy.Update", "policy"),
    (turn_role, "iam.role.Update", "role"),
    (suspend_her, "iam.organization.UnsuspendUser", "organization"),
    (forget_of_her, "iam.property.Update", "user"),
    (say_something_else_of_her, "iam.property.Update", "user"),
    (remove_her, "iam.invitation.Create", "invitation"),
]


@pytest.mark.parametrize(("take", "action", "on"), BY_HAND, ids=lambda value: getattr(value, "__name__", value))
def test_the_right_to_grant_it_by_hand_is_the_right_to_give_it_back(
    root: World, take: Take, action: str, on: str
) -> None:
    """On the same type of thing; and with the right on another type she is refused."""
    ann, bob = root.person(), root.person()
    for rules in (allow("iam.change.Undo"), allow(READ), allow("other.Read")):
        root.attach_policy(root.policy(rules), user=bob.id)
    other = root.policy(allow(action, on="other:*"))
    root.attach_policy(other, user=bob.id)
    revision = take(root, ann)
    refused(root.as_(bob.key), "POST", f"/v1/changes/{revision}/undo")
    root.attach_policy(root.policy(allow(action, on=f"{on}:*")), user=bob.id)
    assert undo(root.as_(bob.key), revision)["granted"] == 1


# --- what else comes back ---------------------------------------------------------------------------------------------


def test_a_trust_comes_back_and_no_session_with_it(root: World) -> None:
    """Who may restore it may undo that; she enters the role again, and not by her old session."""
    ann = root.person()
    role = root.role(root.policy(allow(READ)), role_type="assumable")
    root.attach_policy(root.policy(allow("iam.role.AssumeRole")), user=ann.id)
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    trust = root.post("/v2/role-trusts", asked)["id"]
    entering = {"role_id": role, "session_name": "n"}
    session = root.as_(root.as_(ann.key).post("/v2/assumed-roles/assume", entering)["session_token"])
    revision = did(root, "DELETE", f"/v2/role-trusts/{trust}")
    refused(root.as_(ann.key), "POST", "/v2/assumed-roles/assume", entering)
    able_to = able(root, "iam.change.Undo", READ, "iam.roletrust.Update")
    refused(able_to, "POST", f"/v1/changes/{revision}/undo")

    assert undo(able(root, "iam.change.Undo", READ, "iam.roletrust.Restore"), revision) == {"granted": 1, "left": []}

    assert session.status("/v2/roles") == 401
    root.as_(ann.key).post("/v2/assumed-roles/assume", entering)
    again = did(root, "DELETE", f"/v2/role-trusts/{trust}")
    root.delete(f"/v2/roles/{role}")
    assert [one["why"] for one in undo(root, again)["left"]] == ["what it hung on is gone"]


def test_a_resource_comes_back_with_what_was_stored_of_it(root: World) -> None:
    """Unless it was registered again: then that one stays."""
    ann, path = root.person(), "/v1/resources/thing/t1"
    root.attach_policy(root.policy(asks_of(allow(READ), "resource.tier", "low")), user=ann.id)
    ok(root.call("PUT", path, {"properties": {"tier": "low"}}))
    changed = did(root, "PUT", path, {"properties": {"tier": "high"}})
    assert not may(root, ann)
    assert undo(able(root, "iam.change.Undo", "iam.resource.Update"), changed) == {"granted": 1, "left": []}
    assert may(root, ann)
    revision = did(root, "DELETE", path)
    assert not may(root, ann)
    refused(able(root, "iam.change.Undo"), "POST", f"/v1/changes/{revision}/undo")
    assert undo(root, revision) == {"granted": 1, "left": []}
    assert may(root, ann)
    revision = did(root, "DELETE", path)
    ok(root.call("PUT", path, {"properties": {"tier": "new"}}))
    assert [one["why"] for one in undo(root, revision)["left"]] == ["there is another in its place by now"]


def test_what_a_client_was_granted_comes_back(small_tenant: Tenant) -> None:
    """With its scopes and where it may be used; unless the client was granted the API again."""
    admin_ = outside(small_tenant)
    api, client = small_tenant.api("read")["identifier"], application(small_tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": api, "scope": ["read"], "organization_usage": "allow"}
    grant = small_tenant.send("POST", "/client-grants", body, status=201)
    there = first_organization(small_tenant)
    used = f"/organizations/{there}/client-grants"
    small_tenant.send("POST", used, {"grant_id": grant["id"]}, status=201)
    ok(small_tenant.call("DELETE", f"{used}/{grant['id']}"), 204)
    assert undo(vultr(small_tenant), head(small_tenant)) == {"granted": 1, "left": []}
    ok(small_tenant.call("DELETE", f"/client-grants/{grant['id']}"), 204)
    revision = head(small_tenant)
    refused(machine(small_tenant, "iam.change.Undo"), "POST", f"/v1/changes/{revision}/undo")
    assert undo(admin_, revision) == {"granted": 1, "left": []}
    assert grant in small_tenant.get("/client-grants")
    assert [one["id"] for one in small_tenant.get(used)] == [grant["id"]]
    ok(small_tenant.call("DELETE", f"/client-grants/{grant['id']}"), 204)
    revision = head(small_tenant)
    small_tenant.send("POST", "/client-grants", body, status=201)
    assert [one["why"] for one in undo(admin_, revision)["left"]] == ["the client was granted this API again"]


def test_a_client_gets_nothing_back_that_who_undoes_may_not_grant(small_tenant: Tenant) -> None:
    ann = staged(small_tenant)
    admin_ = holding(ann, "iam.change.Undo", "create:client_grants")
    client = application(small_tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": MANAGEMENT, "scope": ["delete:users"]}
    refused(admin_, "POST", "/api/v2/client-grants", body)
    grant = small_tenant.send("POST", "/client-grants", body, status=201)
    ok(small_tenant.call("DELETE", f"/client-grants/{grant['id']}"), 204)
    refused(admin_, "POST", f"/v1/changes/{head(small_tenant)}/undo")


@pytest.mark.parametrize("ends", ["client", "api"])
def test_a_client_grant_does_not_come_back_without_its_client_or_api(small_tenant: Tenant, ends: str) -> None:
    admin_, made = outside(small_tenant), small_tenant.api("read")
    client = application(small_tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": made["identifier"], "scope": ["read"]}
    grant = small_tenant.send("POST", "/client-grants", body, status=201)["id"]
    path = {"client": f"/clients/{client}", "api": f"/resource-servers/{made['id']}"}[ends]
    ok(small_tenant.call("DELETE", path), 204)
    left = undo(admin_, head(small_tenant))["left"]
    assert "what it hung on is gone" in {one["why"] for one in left}
    assert small_tenant.call("GET", f"/client-grants/{grant}").status_code == 404


def test_a_client_grant_is_not_for_organizations_again_that_is_for_none(small_tenant: Tenant) -> None:
    api, client = small_tenant.api("read")["identifier"], application(small_tenant, CLIENT_CREDENTIALS).client_id
    body = {"client_id": client, "audience": api, "scope": ["read"], "organization_usage": "allow"}
    grant = small_tenant.send("POST", "/client-grants", body, status=201)["id"]
    used = f"/organizations/{first_organization(small_tenant)}/client-grants"
    small_tenant.send("POST", used, {"grant_id": grant}, status=201)
    ok(small_tenant.call("DELETE", f"{used}/{grant}"), 204)
    revision = head(small_tenant)
    small_tenant.send("PATCH", f"/client-grants/{grant}", {"organization_usage": "deny"}, status=200)
    said = undo(vultr(small_tenant), revision)
    assert (said["granted"], len(said["left"])) == (0, 1)
    assert small_tenant.get(used) == []


def test_a_trust_that_was_changed_has_one_role_and_one_user_again(root: World) -> None:
    """The ones that it had; unless it was changed once more."""
    ann, bob = root.person(), root.person()
    roles = [root.role(root.policy(allow(READ)), role_type="assumable") for _ in range(2)]
    for person in (ann, bob):
        root.attach_policy(root.policy(allow("iam.role.AssumeRole")), user=person.id)
    asked = {"role_id": roles[0], "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    path = f"/v2/role-trusts/{root.post('/v2/role-trusts', asked)['id']}"

    def enters(person: Person, role: str) -> bool:
        entering = {"role_id": role, "session_name": "n"}
        return root.as_(person.key).status("/v2/assumed-roles/assume", "POST", entering) == 201

    to_another_role = did(root, "PUT", path, {"role_id": roles[1]})
    assert (enters(ann, roles[0]), enters(ann, roles[1])) == (False, True)
    assert undo(root, to_another_role)["left"] == []
    assert (enters(ann, roles[0]), enters(ann, roles[1])) == (True, False)
    to_another_user = did(root, "PUT", path, {"trusted_user_id": bob.id})
    assert (enters(ann, roles[0]), enters(bob, roles[0])) == (False, True)
    assert {one["why"] for one in undo(root, to_another_user)["left"]} == {"no session comes back"}
    assert (enters(ann, roles[0]), enters(bob, roles[0])) == (True, False)
    did(root, "PUT", path, {"role_id": roles[1]})
    did(root, "PUT", path, {"role_id": roles[0]})
    again = did(root, "PUT", path, {"role_id": roles[1]})
    did(root, "PUT", path, {"role_id": root.role(role_type="assumable")})
    assert [one["why"] for one in undo(root, again)["left"]] == ["there is another in its place by now"]


def test_a_trust_comes_back_with_its_role_in_whatever_order_they_went(root: World) -> None:
    ann, role = root.person(), root.role(root.policy(allow(READ)), role_type="assumable")
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    trust = root.post("/v2/role-trusts", asked)["id"]
    items: list[tuple[str, Json]] = [("trusts.delete", {"trust": trust}), ("roles.delete", {"role": role})]
    for order in (items, items[::-1]):
        assert undo(root, revision_of(revoke(root, *order))) == {"granted": 2, "left": []}


def test_an_organization_that_comes_back_has_a_name_of_its_own(small_tenant: Tenant) -> None:
    first, second = (small_tenant.organization(name=name) for name in ("first", "second"))
    items = [("organizations.dissolve", {"organization": one}) for one in (first, second)]
    revision = revision_of(revoke(outside(small_tenant), *items))
    third = small_tenant.organization(name="first")
    undo(outside(small_tenant), revision)
    names = {one["id"]: one["name"] for one in small_tenant.get("/organizations")}
    assert (names[third], names[second]) == ("first", "second")
    assert names[first] != "first"


def test_what_was_stored_first_is_not_stored_after_an_undo(root: World) -> None:
    """A Deny may read it: so it may have taken something."""
    ann = root.person()
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    root.attach_policy(root.policy(asks_of(deny(READ), "subject.dept", "legal")), user=ann.id)
    revision = did(root, "PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "legal"}})
    assert not may(root, ann)
    assert undo(root, revision) == {"granted": 1, "left": []}
    assert may(root, ann)
    assert root.get(f"/v1/principals/{ann.id}")["properties"] == {}


def test_nothing_is_stored_again_of_what_is_gone(root: World) -> None:
    ann, path = root.person(), "/v1/resources/thing/t1"
    ok(root.call("PUT", path, {"properties": {"tier": "low"}}))
    of_thing = did(root, "PUT", path, {"properties": {"tier": "high"}})
    did(root, "DELETE", path)
    ok(root.call("PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "legal"}}))
    of_ann = did(root, "PATCH", f"/v1/principals/{ann.id}", {"properties": {"dept": "sales"}})
    leaves(root, ann)
    for revision in (of_thing, of_ann):
        with unwritten(root):
            said = undo(root, revision)
        assert (said["granted"], [one["why"] for one in said["left"]]) == (0, ["what it hung on is gone"])


# --- a person who was removed -----------------------------------------------------------------------------------------


def test_who_comes_back_enters_no_role_that_who_undoes_does_not_hold_and_no_session_lives_again(root: World) -> None:
    """By a trust that names her: as if her suspension were lifted."""
    ann, role = root.person(), root.role(root.policy(allow(READ)), role_type="assumable")
    root.attach_policy(root.policy(allow("iam.role.AssumeRole")), user=ann.id)
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    root.post("/v2/role-trusts", asked)
    entering = {"role_id": role, "session_name": "n"}
    session = root.as_(root.as_(ann.key).post("/v2/assumed-roles/assume", entering)["session_token"])
    weak = able(root, "iam.change.Undo", "iam.invitation.Create", "iam.role.AssumeRole")
    revision = leaves(root, ann)
    refused(weak, "POST", f"/v1/changes/{revision}/undo")
    undo(root, revision)
    assert session.status("/v2/roles") == 401
    root.as_(ann.key).post("/v2/assumed-roles/assume", entering)


@pytest.mark.parametrize("take", [leaves, lambda root, ann: did(root, "DELETE", f"/v2/users/{ann.id}")])
def test_a_person_who_comes_back_has_her_keys_groups_and_names(root: World, take: Take) -> None:
    """All that hung on her membership: her keys work, her alias names her, her groups list her."""
    ann, group = root.person(acls=["dns"]), root.group()
    ok(root.call("POST", f"/v2/groups/{group}/members", {"user_id": ann.id, "display_name": ""}), 201)
    root.attach_policy(root.policy(allow(READ, "iam.group.List")), group=group)
    ok(root.call("PATCH", f"/v1/principals/{ann.id}", {"alias": "ann", "properties": {"team": "blue"}}))
    paths = [f"/v1/principals/{ann.id}", f"/v2/users/{ann.id}", f"/v2/groups/{group}/members", "/v2/users"]
    paths += [f"/v2/users/{ann.id}/{kind}" for kind in ("apikeys", "groups", "roles", "policies")]
    before = [root.get(path) for path in paths]
    world = root.as_(ann.key)
    assert world.status("/v2/groups") == 200
    revision = take(root, ann)
    assert world.status("/v2/groups") == 401
    assert undo(root, revision)["left"] == []
    assert world.status("/v2/groups") == 200
    assert [root.get(path) for path in paths] == before


def test_what_she_lost_before_she_was_removed_does_not_come_back_with_her(root: World) -> None:
    ann, policy = root.person(), root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    key = root.get(f"/v2/users/{ann.id}/apikeys")["api_keys"][0]["id"]
    root.delete(f"/v2/users/{ann.id}/apikeys/{key}")
    root.delete(f"/v2/policies/{policy}/users/{ann.id}")
    suspend(root, ann)
    undo(root, leaves(root, ann))
    assert not may(root, ann)
    assert root.as_(ann.key).status("/v2/users/me/groups") == 401
    assert access(root, ann)["state"] == "suspended"


def test_a_service_user_does_not_come_back_without_her_account(root: World) -> None:
    """Accounts are never undone: both facts are left, each with why."""
    ann = root.person(service=True)
    said = undo(root, did(root, "DELETE", f"/v2/users/{ann.id}"))
    assert said["granted"] == 0
    assert sorted(one["why"] for one in said["left"]) == ["no user comes back", "what it hung on is gone"]
    assert root.as_(ann.key).status("/v2/users/me/groups") == 401


def test_root_may_be_made_a_member_again_by_root_alone(root: World) -> None:
    """Of two who own the organization one removes the other: nobody else brings an owner back."""
    first = next(one for one in root.get("/v2/users")["users"] if one["email"] == "root@example.org")["id"]
    heir, here, strong = root.person(), root.organization(), admin(root, allow("*"))
    heirs, mine = root.own(heir), root.own(Person(first, "", ""))
    moved = did(mine, "POST", f"/v1/organizations/{here}/transfer", {"user": heir.id})
    refused(mine, "POST", f"/v1/changes/{moved}/undo")
    undo(heirs, moved)
    assert {access(heirs, one)["state"] for one in (first, heir.id)} == {"root"}
    revision = leaves(heirs, Person(first, "", ""))
    refused(strong, "POST", f"/v1/changes/{revision}/undo")
    undo(heirs, revision)
    assert access(heirs, first)["state"] == "root"


# --- what makes no sense any more -------------------------------------------------------------------------------------


def whys(said: Json) -> list[str]:
    return [one["why"] for one in said["left"]]


def test_what_hung_on_something_that_is_gone_is_left(root: World) -> None:
    ann, policy = root.person(), root.policy(allow(READ))
    role = root.role(policy)
    root.attach_role(role, user=ann.id)
    revision = did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")
    root.delete(f"/v2/roles/{role}")
    with unwritten(root):
        said = undo(root, revision)
    assert (said["granted"], whys(said)) == (0, ["what it hung on is gone"])
    assert said["left"][0]["fact"]["fact"] == "role_attachment"


def test_what_hung_on_somebody_who_left_is_left(root: World) -> None:
    ann = root.person()
    revision = detach_role(root, ann)
    leaves(root, ann)
    assert whys(undo(root, revision)) == ["what it hung on is gone"]


def test_a_policy_that_was_changed_again_stays_as_it_is(root: World) -> None:
    ann, policy = root.person(), root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    revision = did(root, "PUT", f"/v2/policies/{policy}", {"policy_document": allow("other.Read")})
    ok(root.call("PUT", f"/v2/policies/{policy}", {"policy_document": allow("third.Read")}), 202)
    with unwritten(root):
        assert whys(undo(root, revision)) == ["it was changed again since"]


def test_who_is_a_member_again_starts_from_what_she_was_given_since(root: World) -> None:
    ann = root.person()
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    revision = leaves(root, ann)
    assert root.node is not None

    def join(unit: Any) -> None:
        unit.organization = unit.reader.find_object(ObjectKind.ORGANIZATION, root.organization()).key
        users.join(unit, unit.reader.find_object(ObjectKind.USER, ann.id), api_enabled=True)

    root.node.service.operate("test", str(uuid.uuid4()), join)
    with unwritten(root):
        assert whys(undo(root, revision)) == ["the person is a member again"]
    assert not may(root, ann)


def test_what_time_has_ended_meanwhile_stays_ended(root: World) -> None:
    ann, role = root.person(), root.role(root.policy(allow(READ)))
    ok(root.call("PUT", f"/v1/roles/{role}/users/{ann.id}", {"expires_at": instant(root) + 3600 * SECOND}), 204)
    revision = did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")
    assert undo(root, revision) == {"granted": 1, "left": []}
    (step,) = [step for one in access(root, ann)["permissions"] for step in one["paths"][0][:1]]
    assert step["expires_at"] is not None, "it ends when it would have ended"
    revision = did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")
    later(root, 3600 * SECOND)
    with unwritten(root):
        assert whys(undo(root, revision)) == ["time has ended it"]


def test_what_was_granted_in_its_place_stays(root: World) -> None:
    ann, role = root.person(), root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    revision = did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")
    end = instant(root) + 3600 * SECOND
    ok(root.call("PUT", f"/v1/roles/{role}/users/{ann.id}", {"expires_at": end}), 204)
    with unwritten(root):
        assert whys(undo(root, revision)) == ["there is another in its place by now"]


def test_an_end_that_was_put_to_an_assignment_is_taken_off_again(root: World) -> None:
    """That change took all that comes after it, and nothing is in its place but what it put there itself."""
    ann, role = root.person(), root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    end = instant(root) + 3600 * SECOND
    revision = did(root, "PUT", f"/v1/roles/{role}/users/{ann.id}", {"expires_at": end})
    said = undo(root, revision)
    later(root, 3600 * SECOND)
    assert may(root, ann), said


def test_credentials_do_not_come_back(root: World) -> None:
    ann = root.person()
    key = root.get(f"/v2/users/{ann.id}/apikeys")["api_keys"][0]["id"]
    with_key = root.as_(ann.key)
    revision = did(root, "DELETE", f"/v2/users/{ann.id}/apikeys/{key}")
    with unwritten(root):
        assert whys(undo(root, revision)) == ["no api_key comes back"]
    assert with_key.status("/v2/users/me/groups") == 401


@pytest.mark.parametrize("name", ["properties", "allow list", "api access", "resource", "invitation", "trust"])
def test_whatever_else_a_change_took_is_given_back_or_named(root: World, name: str) -> None:
    """Never is something left out in silence, and never does the server break."""
    ann = root.person()
    list_path = f"/v2/users/{ann.id}/ip-whitelist"
    match name:
        case "properties":
            root.call("PATCH", f"/v1/principals/{ann.id}", {"properties": {"a": 1}})
            revision = did(root, "PATCH", f"/v1/principals/{ann.id}", {"properties": None})
        case "allow list":
            entry = {"subnet": "203.0.113.0", "subnet_size": 24}
            root.call("POST", list_path, entry)
            revision = did(root, "DELETE", list_path, entry)
        case "api access":
            revision = did(root, "PATCH", f"/v2/users/{ann.id}", {"api_enabled": False})
        case "resource":
            root.call("PUT", "/v1/resources/thing/t1", {"properties": {"a": 1}})
            revision = did(root, "DELETE", "/v1/resources/thing/t1")
        case "invitation":
            sent = root.post("/v2/invitation", {"email_invited": "guest@example.org"})["id"]
            revision = did(root, "DELETE", f"/v1/invitations/{sent}")
        case _:
            role = root.role(role_type="assumable")
            asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
            trust = root.post("/v2/role-trusts", asked)["id"]
            revision = did(root, "DELETE", f"/v2/role-trusts/{trust}")
    closed = ok(root.call("GET", f"/v1/changes/{revision}"))["closed"]
    said = undo(root, revision)
    assert said["granted"] + len(said["left"]) == len(closed)
    assert all(one["why"] for one in said["left"])


def test_each_edge_of_a_batch_comes_back_unless_it_makes_no_sense(root: World) -> None:
    ann = root.person()
    first, second = root.role(root.policy(allow(READ))), root.role(root.policy(allow("other.Read")))
    for role in (first, second):
        root.attach_role(role, user=ann.id)
    revision = revision_of(revoke(root, ("roles.detach_users", {"roles": [first, second], "user": ann.id})))
    root.delete(f"/v2/roles/{second}")
    said = undo(root, revision)
    assert (said["granted"], whys(said)) == (1, ["what it hung on is gone"])
    assert may(root, ann)
    assert not may(root, ann, "other.Read")


def test_a_part_that_may_not_be_given_back_leaves_all_of_it_taken(root: World) -> None:
    ann = root.person()
    roles = [root.role(root.policy(allow(action))) for action in (READ, "other.Read")]
    for role in roles:
        root.attach_role(role, user=ann.id)
    revision = revision_of(revoke(root, ("roles.detach_users", {"roles": roles, "user": ann.id})))
    refused(admin(root, allow(READ)), "POST", f"/v1/changes/{revision}/undo")
    assert not may(root, ann)


# --- whose changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["0", "-1", "01", "1.0", "x", "999999", "9" * 18, "9" * 30, UNKNOWN, "%20"])
def test_what_is_no_change_is_not_found(root: World, number: str) -> None:
    assert refused(root, "POST", f"/v1/changes/{number}/undo", status=404)["detail"] == "change not found"


def test_the_change_of_another_organization_is_not_found(root: World) -> None:
    assert root.node is not None
    revision = detach_role(root, root.person())
    other = root.as_(root_of_another(root.node))
    assert refused(other, "POST", f"/v1/changes/{revision}/undo", status=404)["detail"] == "change not found"
    body = {"operation": "undo.undo", "arguments": {"revision": str(revision)}}
    assert refused(other, "POST", "/v1/preview", body, status=404)["detail"] == "change not found"


def test_an_administrator_of_the_platform_undoes_what_was_done_outside(small_tenant: Tenant) -> None:
    """Roles and permissions come back, the account does not; and with a token that has no scope for it nothing does."""
    admin_ = outside(small_tenant)
    api = small_tenant.api("read")["identifier"]
    user, role = small_tenant.user(), small_tenant.role((api, "read"))
    small_tenant.assign(user, role)
    path = f"/users/{quoted(user)}"
    permission = {"permissions": pairs((api, "read"))}
    small_tenant.send("POST", f"{path}/permissions", permission, status=201)

    def took(method: str, url: str, body: Any = None) -> int:
        return revision_of(small_tenant.call(method, url, body))

    before = small_tenant.get(f"{path}/roles"), small_tenant.get(f"{path}/permissions")
    taken: list[tuple[str, str, Any]] = [
        ("DELETE", f"{path}/roles", {"roles": [role]}),
        ("DELETE", f"{path}/permissions", permission),
        ("DELETE", f"/roles/{role}/permissions", permission),
        ("DELETE", f"/roles/{role}", None),
        ("PATCH", path, {"blocked": True}),
    ]
    weak = [machine(small_tenant, "iam.change.Undo"), machine(small_tenant, "update:users", "update:roles")]
    for way in taken:
        revision = took(*way)
        for one in weak:
            refused(one, "POST", f"/v1/changes/{revision}/undo")
        assert undo(admin_, revision) == {"granted": 1, "left": []}, way
    assert small_tenant.get(path)["blocked"] is False
    assert (small_tenant.get(f"{path}/roles"), small_tenant.get(f"{path}/permissions")) == before
    gone = took("DELETE", path)
    assert "no user comes back" in whys(undo(admin_, gone))
    assert small_tenant.call("GET", path).status_code == 404


def test_an_administrator_of_the_platform_gives_nothing_back_that_she_does_not_hold(small_tenant: Tenant) -> None:
    ann = staged(small_tenant)
    admin_ = holding(ann, "iam.change.Undo", "update:users")
    user = small_tenant.user()
    body = {"permissions": pairs((ann.audience, "delete"))}
    small_tenant.send("POST", f"/users/{quoted(user)}/permissions", body, status=201)
    revision = revision_of(small_tenant.call("DELETE", f"/users/{quoted(user)}/permissions", body))
    refused(admin_, "POST", f"/v1/changes/{revision}/undo")


def test_what_the_platform_took_in_an_organization_can_be_undone_by_who_sees_it_in_his_log(
    small_tenant: Tenant,
) -> None:
    """A member whom an administrator of the platform removed comes back by the organization's own root."""
    root = vultr(small_tenant)
    ann = root.person()
    root.attach_policy(root.policy(allow(READ)), user=ann.id)
    body = {"members": [public_id(small_tenant, ann)]}
    revision = revision_of(
        small_tenant.call("DELETE", f"/organizations/{first_organization(small_tenant)}/members", body)
    )
    assert not may(root, ann)
    refused(outside(small_tenant), "POST", f"/v1/changes/{revision}/undo", status=404)
    undo(root, revision)
    assert may(root, ann)
