"""Revocations by the batch: all of it in one revision or none, each as if it was asked for alone; and previews."""

import json
from typing import Any

import pytest

from api.auth0.logins import staged
from api.native.asking import (
    READ,
    UNKNOWN,
    Json,
    able,
    did,
    first_organization,
    head,
    holding,
    machine,
    may,
    ok,
    outside,
    preview,
    public_id,
    refused,
    revision_of,
    revoke,
    undo,
    unwritten,
    vultr,
)
from rescind.app import VERBS
from rescind.usecases import accounts, apis
from rescind.usecases.revocations import TAKING
from tenant import Tenant, quoted
from world import Person, World, allow, deny, root_of_another


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def reader(root: World) -> tuple[Person, str, str, str]:
    """Somebody who may read by a role, by her group, and by a policy."""
    ann, policy = root.person(), root.policy(allow(READ))
    role, group = root.role(policy), root.group(ann)
    root.attach_role(role, user=ann.id)
    root.attach_role(role, group=group)
    root.attach_policy(policy, group=group)
    root.attach_policy(policy, user=ann.id)
    return ann, policy, role, group


def said(*items: tuple[str, Json]) -> Json:
    return {"revocations": [{"operation": operation, "arguments": arguments} for operation, arguments in items]}


# --- all or nothing ---------------------------------------------------------------------------------------------------


def test_all_of_it_holds_from_one_revision(root: World) -> None:
    """The log has one change, which names the operations in their order."""
    ann, policy, role, group = reader(root)
    before = head(root)
    response = revoke(
        root,
        ("roles.detach_users", {"roles": [role], "user": ann.id}),
        ("groups.remove_member", {"group": group, "user": ann.id}),
        ("policies.detach_user", {"policy": policy, "user": ann.id}),
    )
    assert ok(response) == {"revision": before + 1, "changed": True}
    assert revision_of(response) == before + 1 == head(root)
    assert not may(root, ann)
    change = ok(root.call("GET", f"/v1/changes/{before + 1}"))
    assert change["operation"] == "revocations.apply"
    assert change["cause"] == {"operations": ["roles.detach_users", "groups.remove_member", "policies.detach_user"]}
    assert len(change["closed"]) == 3
    undo(root, before + 1)
    assert may(root, ann)


def test_what_was_not_there_changes_nothing(root: World) -> None:
    ann, policy = root.person(), root.policy(allow(READ))
    with unwritten(root):
        answer = ok(revoke(root, ("policies.detach_user", {"policy": policy, "user": ann.id})))
    assert answer == {"revision": head(root), "changed": False}


BAD_ITEMS: dict[str, tuple[Json, int]] = {
    "an unknown operation": ({"operation": "roles.vanish", "arguments": {}}, 400),
    "no operation": ({"arguments": {}}, 400),
    "an empty operation": ({"operation": "", "arguments": {}}, 400),
    "an operation that is no text": ({"operation": 1, "arguments": {}}, 400),
    "something else beside": ({"operation": "roles.delete", "arguments": {"role": "{role}"}, "more": 1}, 400),
    "no arguments": ({"operation": "roles.delete"}, 400),
    "a missing argument": ({"operation": "roles.detach_users", "arguments": {"user": "{user}"}}, 400),
    "an argument too many": ({"operation": "roles.delete", "arguments": {"role": "{role}", "x": 1}}, 400),
    "a text for a list": ({"operation": "roles.detach_users", "arguments": {"user": "{user}", "roles": "{role}"}}, 400),
    "a number for a text": ({"operation": "roles.delete", "arguments": {"role": 1}}, 400),
    "null for a text": ({"operation": "roles.delete", "arguments": {"role": None}}, 400),
    "a list of numbers": ({"operation": "roles.detach_users", "arguments": {"user": "{user}", "roles": [1]}}, 400),
    "arguments that are no object": ({"operation": "roles.delete", "arguments": []}, 400),
    "something that is not there": ({"operation": "roles.delete", "arguments": {"role": UNKNOWN}}, 404),
    "somebody who is not there": ({"operation": "users.delete", "arguments": {"user": UNKNOWN}}, 404),
    "the last root": ({"operation": "users.delete", "arguments": {"user": "{root}"}}, 403),
    "what only administrators of the platform may": ({"operation": "accounts.delete", "arguments": {"user": "x"}}, 400),
    "a revocation of revocations": ({"operation": "revocations.apply", "arguments": {"items": []}}, 400),
}


def test_one_item_that_cannot_be_leaves_everything_as_it_is(root: World) -> None:
    """Whether it comes before what can be or after it."""
    ann, policy, role, _ = reader(root)
    owner = next(one for one in root.get("/v2/users")["users"] if one["email"] == "root@example.org")["id"]
    good = {"operation": "policies.delete", "arguments": {"policy": policy}}
    for item, status in BAD_ITEMS.values():
        text = json.dumps(item)
        for name, value in {"role": role, "user": ann.id, "root": owner}.items():
            text = text.replace(f"{{{name}}}", value)
        for items in ([json.loads(text), good], [good, json.loads(text)]):
            refused(root, "POST", "/v1/revocations", {"revocations": items}, status=status)
    assert may(root, ann)


@pytest.mark.parametrize(
    "body", [{}, [], None, {"revocations": []}, {"revocations": {}}, {"revocations": [None]}], ids=str
)
def test_a_body_that_asks_for_nothing_is_refused(root: World, body: Any) -> None:
    refused(root, "POST", "/v1/revocations", body, status=400)


def test_more_than_a_thousand_are_refused(root: World) -> None:
    item = ("policies.detach_user", {"policy": root.policy(allow(READ)), "user": root.person().id})
    with unwritten(root):
        ok(revoke(root, *[item] * 1001), 400)
        ok(revoke(root, *[item] * 100))


def test_what_gives_or_changes_is_no_revocation(root: World) -> None:
    for operation in sorted(VERBS.keys() - TAKING):
        detail = refused(root, "POST", "/v1/revocations", said((operation, {})), status=400)["detail"]
        assert detail == f"`{operation}` is not a revocation"


def test_every_revocation_is_something_that_can_be_asked_for() -> None:
    """A name that no door knows would be refused as unknown though it is said to be a revocation."""
    assert sorted(TAKING - VERBS.keys()) == []


# --- in their order ---------------------------------------------------------------------------------------------------


def test_what_comes_later_sees_what_came_before(root: World) -> None:
    """What an earlier item ended is not there for a later one: as if each had been asked for by itself."""
    ann, policy, role, group = reader(root)
    detach: tuple[str, Json] = ("roles.detach_group", {"role": role, "group": group})
    end: tuple[str, Json] = ("roles.delete", {"role": role})
    with unwritten(root):
        ok(revoke(root, end, detach), 404)
        ok(revoke(root, end, end), 404)
        ok(revoke(root, ("users.delete", {"user": ann.id}), ("users.delete", {"user": ann.id})), 404)
        ok(
            revoke(
                root, ("groups.delete", {"group": group}), ("groups.remove_member", {"group": group, "user": ann.id})
            ),
            404,
        )
        ok(revoke(root, end, ("dormant.end", {"holder": ann.id, "thing": role}), end), 404)
    assert ok(revoke(root, detach, detach, end, ("dormant.end", {"holder": ann.id, "thing": role})))["changed"]
    assert ann.id not in root.call("GET", "/v1/dormant-edges").text
    assert may(root, ann), "by the policy of her own"
    ok(root.call("POST", f"/v2/policies/{policy}/users/{ann.id}"), 201)


def test_an_actor_who_takes_his_own_right_cannot_use_it_for_what_comes_after(root: World) -> None:
    """Or what he may is judged at the beginning: in neither case is more done than he may."""
    person = root.person()
    policies = [
        root.policy(allow(action)) for action in ("iam.revocation.Apply", "iam.policy.DetachUser", "iam.role.Delete")
    ]
    for policy in policies:
        root.attach_policy(policy, user=person.id)
    role = root.role()
    items = [("policies.detach_user", {"policy": policy, "user": person.id}) for policy in policies]
    response = revoke(root.as_(person.key), *items, ("roles.delete", {"role": role}))
    assert response.status_code in (200, 403)
    assert root.status(f"/v2/roles/{role}") == (404 if response.status_code == 200 else 200)


def two_roots(root: World) -> tuple[World, str, str]:
    """An organization with two owners: the first one's ownership was undone."""
    first = next(one for one in root.get("/v2/users")["users"] if one["email"] == "root@example.org")["id"]
    heir = root.person()
    heirs = root.own(heir)
    mine = root.as_(root.own(Person(first, "", "")).key)
    here = root.organization()
    revision = did(mine, "POST", f"/v1/organizations/{here}/transfer", {"user": heir.id})
    undo(heirs, revision)
    return heirs, first, heir.id


def test_two_items_never_remove_the_last_root(root: World) -> None:
    """Each of two may go, and not both of them, in whatever order and by whatever operation."""
    heirs, first, second = two_roots(root)
    here = heirs.organization()
    ways = {
        "users.delete": lambda user: {"user": user},
        "organizations.remove_user": lambda user: {"organization": here, "user": user},
        "organizations.suspend_user": lambda user: {"organization": here, "user": user},
    }
    # Nobody suspends herself.
    for one, other in [(one, other) for one in ways for other in ways if "suspend" not in other]:
        items = said((one, ways[one](first)), (other, ways[other](second)))
        status = heirs.call("POST", "/v1/revocations?preview=true", items).status_code
        assert status == 403, f"{one} of the one and {other} of the other"
        refused(heirs, "POST", "/v1/revocations", items)
    ok(revoke(heirs, ("users.delete", {"user": first})))
    with unwritten(root):
        ok(revoke(heirs, ("users.delete", {"user": second})), 403)


# --- rights -----------------------------------------------------------------------------------------------------------

RIGHTS: dict[str, str] = {
    "roles.detach_users": "iam.role.DetachUser",
    "roles.detach_group": "iam.role.DetachGroup",
    "roles.detach_policy": "iam.role.DetachPolicy",
    "roles.delete": "iam.role.Delete",
    "policies.detach_user": "iam.policy.DetachUser",
    "policies.detach_group": "iam.policy.DetachGroup",
    "policies.delete": "iam.policy.Delete",
    "groups.remove_member": "iam.group.RemoveMember",
    "groups.delete": "iam.group.Delete",
    "users.delete": "account.user.Delete",
    "organizations.remove_user": "iam.organization.RemoveUser",
    "organizations.suspend_user": "iam.organization.SuspendUser",
    "keys.delete_of_user": "account.user.Update",
}


def arguments_of(operation: str, known: Json) -> Json:
    names = VERBS[operation].arguments.__struct_fields__
    return {
        name: known[name]
        for name in names
        if name in known and (name != "organization" or "organizations." in operation)
    }


@pytest.mark.parametrize("operation", RIGHTS)
def test_each_item_needs_its_own_right_besides_the_one_to_ask(root: World, operation: str) -> None:
    ann, policy, role, group = reader(root)
    known = {
        "user": ann.id,
        "policy": policy,
        "role": role,
        "roles": [role],
        "group": group,
        "organization": root.organization(),
        "key": root.get(f"/v2/users/{ann.id}/apikeys")["api_keys"][0]["id"],
    }
    body = said((operation, arguments_of(operation, known)))
    refused(able(root, "iam.revocation.Apply"), "POST", "/v1/revocations", body)
    refused(able(root, RIGHTS[operation], "iam.revocation.Preview"), "POST", "/v1/revocations", body)
    other = [RIGHTS[one] for one in RIGHTS if RIGHTS[one] != RIGHTS[operation]]
    refused(able(root, "iam.revocation.Apply", *other), "POST", "/v1/revocations", body)
    ok(able(root, "iam.revocation.Apply", RIGHTS[operation]).call("POST", "/v1/revocations", body))


def test_a_right_on_one_thing_is_none_on_another(root: World) -> None:
    """Of several that an item is about, each counts."""
    ann, policy, role, _ = reader(root)
    other = root.role(policy)
    root.attach_role(other, user=ann.id)
    person = root.person(service=True)
    for rules in (allow("iam.revocation.Apply"), allow("iam.role.*", on=f"role:{role}")):
        root.attach_policy(root.policy(rules), user=person.id)
    world = root.as_(person.key)
    for roles in ([other], [role, other], [other, role]):
        refused(world, "POST", "/v1/revocations", said(("roles.detach_users", {"roles": roles, "user": ann.id})))
    ok(revoke(world, ("roles.detach_users", {"roles": [role], "user": ann.id})))


def test_nobody_takes_a_deny_away_by_a_revocation_who_may_not_give_what_it_forbids(root: World) -> None:
    """Whatever it is called: a Deny that goes gives."""
    ann = root.person()
    denied = root.policy(deny(READ))
    role, group = root.role(denied), root.group(ann)
    root.attach_policy(denied, user=ann.id)
    root.attach_role(role, group=group)
    person = root.person()
    root.attach_policy(root.policy(allow("iam.*.*", "account.user.*")), user=person.id)
    for operation, arguments in (
        ("policies.detach_user", {"policy": denied, "user": ann.id}),
        ("policies.delete", {"policy": denied}),
        ("roles.delete", {"role": role}),
        ("roles.detach_policy", {"role": role, "policy": denied}),
        ("roles.detach_group", {"role": role, "group": group}),
        ("groups.remove_member", {"group": group, "user": ann.id}),
        ("groups.delete", {"group": group}),
    ):
        refused(root.as_(person.key), "POST", "/v1/revocations", said((operation, arguments)))


def test_nothing_of_another_organization_can_be_taken_or_previewed(root: World) -> None:
    """404, as of what nobody has, whatever it is and whatever is to be done with it."""
    assert root.node is not None
    ann, policy, role, group = reader(root)
    other = root.as_(root_of_another(root.node))
    key = root.get(f"/v2/users/{ann.id}/apikeys")["api_keys"][0]["id"]
    here = root.organization()
    known = {
        "user": ann.id,
        "policy": policy,
        "role": role,
        "roles": [role],
        "group": group,
        "key": key,
        "organization": here,
    }
    nowhere = {name: [UNKNOWN] if name == "roles" else UNKNOWN for name in known}
    for operation in RIGHTS:
        for path, key_ in (("/v1/revocations", "revocations"), ("/v1/preview", "")):
            answers = []
            for names in (known, nowhere):
                item = {"operation": operation, "arguments": arguments_of(operation, names)}
                with unwritten(root):
                    answers.append(other.call("POST", path, {key_: [item]} if key_ else item))
            assert [one.status_code for one in answers] == [404, 404], (operation, path)
            assert answers[0].text == answers[1].text
    assert may(root, ann)


def test_an_organization_that_is_named_is_the_one_that_is_meant(root: World) -> None:
    """Else what was to be taken there is taken here."""
    ann, _, role, _ = reader(root)
    assert root.node is not None
    theirs = root.as_(root_of_another(root.node)).organization()
    for name in (theirs, UNKNOWN):
        with unwritten(root):
            item = ("roles.detach_users", {"roles": [role], "user": ann.id, "organization": name})
            assert revoke(root, item).status_code in (400, 403, 404), name


def test_a_session_revokes_what_its_role_may_and_no_more(root: World) -> None:
    ann, _, role, _ = reader(root)
    bob = root.person()
    entered = root.role(role_type="assumable")
    root.post("/v2/role-trusts", {"role_id": entered, "trust_type": "TemporaryAssumption", "trusted_user_id": bob.id})
    root.attach_policy(root.policy(allow("iam.role.AssumeRole", "iam.role.DetachUser")), user=bob.id)
    asked = {"role_id": entered, "session_name": "n"}
    session = root.as_(root.as_(bob.key).post("/v2/assumed-roles/assume", asked)["session_token"])
    item = ("roles.detach_users", {"roles": [role], "user": ann.id})
    own = ("keys.delete_own", {"key": root.get(f"/v2/users/{bob.id}/apikeys")["api_keys"][0]["id"]})
    refused(session, "POST", "/v1/revocations", said(item))
    root.post(f"/v2/roles/{entered}/policies/{root.policy(allow('iam.revocation.Apply'))}")
    refused(session, "POST", "/v1/revocations", said(item))
    refused(session, "POST", "/v1/revocations", said(own))
    root.post(f"/v2/roles/{entered}/policies/{root.policy(allow('iam.role.DetachUser'))}")
    ok(session.call("POST", "/v1/revocations", said(item)))


# --- offboarding ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["users.delete", "organizations.remove_user"])
def test_one_call_takes_a_person_out_of_the_organization(root: World, operation: str) -> None:
    """With her keys, groups and roles; her account and what she has elsewhere stay."""
    ann, *_ = reader(root)
    root.attach_policy(root.policy(allow("*")), user=ann.id)
    hers = root.own(ann)
    there = hers.post("/v2/organizations", {"name": "Hers"})["id"]
    key = ok(hers.call("POST", "/v1/apikeys", {"organization": there, "name": "n"}), 201)["api_key"]
    arguments = arguments_of(operation, {"user": ann.id, "organization": root.organization()})
    ok(revoke(root, (operation, arguments)))
    assert not may(root, ann)
    assert root.as_(ann.key).status("/v2/users/me/groups") == 401
    assert root.status(f"/v2/users/{ann.id}") == 404
    assert root.as_(key).status("/v2/users") == 200


def test_one_call_ends_a_person_everywhere(small_tenant: Tenant) -> None:
    """With a token: in every organization at once, her account and all that hung on it; at most one revision."""
    root, admin = vultr(small_tenant), outside(small_tenant)
    ann, *_ = reader(root)
    root.attach_policy(root.policy(allow("*")), user=ann.id)
    other = small_tenant.organization()
    user = public_id(small_tenant, ann)
    small_tenant.send("POST", f"/organizations/{other}/members", {"members": [user]}, status=204)
    item: tuple[str, Json] = ("accounts.delete", {"user": user})
    for scope in ("iam.revocation.Apply", "delete:users"):
        refused(machine(small_tenant, scope), "POST", "/v1/revocations", said(item))
    both = machine(small_tenant, "iam.revocation.Apply", "delete:users")
    before = head(root)
    ok(revoke(both, item))
    assert head(root) == before + 1
    assert small_tenant.call("GET", f"/users/{quoted(user)}").status_code == 404
    assert small_tenant.get(f"/organizations/{other}/members") == []
    assert root.as_(ann.key).status("/v2/users/me/groups") == 401
    assert not may(root, ann)
    ok(revoke(admin, item))
    assert head(root) == before + 1


def test_a_role_is_taken_where_the_item_says_and_nowhere_else(small_tenant: Tenant) -> None:
    """The same operation is one inside an organization and one outside of all: which, says `organization`."""
    admin = outside(small_tenant)
    user, role, there = small_tenant.user(), small_tenant.role(), small_tenant.organization()
    inside = f"/organizations/{there}/members/{quoted(user)}/roles"
    small_tenant.send("POST", f"/organizations/{there}/members", {"members": [user]}, status=204)
    small_tenant.send("POST", inside, {"roles": [role]}, status=204)
    small_tenant.assign(user, role)

    def held() -> tuple[bool, bool]:
        outside_ = small_tenant.get(f"/users/{quoted(user)}/roles")
        return bool(outside_), bool(small_tenant.get(inside))

    assert held() == (True, True)
    ok(revoke(admin, ("roles.detach_users", {"roles": [role], "user": user, "organization": there})))
    assert held() == (True, False)
    ok(revoke(admin, ("roles.detach_users", {"roles": [role], "user": user})))
    assert held() == (False, False)


def test_the_scope_that_is_needed_is_that_of_the_call_itself(small_tenant: Tenant) -> None:
    """Inside an organization that of members' roles, outside that of users."""
    user, role, there = small_tenant.user(), small_tenant.role(), small_tenant.organization()
    small_tenant.send("POST", f"/organizations/{there}/members", {"members": [user]}, status=204)
    item: tuple[str, Json] = ("roles.detach_users", {"roles": [role], "user": user})
    within: tuple[str, Json] = (item[0], {**item[1], "organization": there})
    users = machine(small_tenant, "iam.revocation.Apply", "update:users")
    members = machine(small_tenant, "iam.revocation.Apply", "delete:organization_member_roles")
    ok(revoke(users, item))
    ok(revoke(members, within))
    refused(users, "POST", "/v1/revocations", said(within))
    refused(members, "POST", "/v1/revocations", said(item))


def test_what_was_taken_in_an_organization_is_in_its_log(small_tenant: Tenant) -> None:
    """Also when an administrator of the platform took it by a batch: as when he does it by the call itself."""
    root, admin = vultr(small_tenant), outside(small_tenant)
    ann, *_ = reader(root)
    there, user = first_organization(small_tenant), public_id(small_tenant, ann)
    before = ok(root.call("GET", "/v1/changes"))["total"]
    ok(revoke(admin, ("memberships.remove", {"members": [user], "organization": there})))
    assert not may(root, ann)
    assert ok(root.call("GET", "/v1/changes"))["total"] == before + 1


def test_an_administrator_of_the_platform_takes_no_deny_of_a_group_away_by_a_batch(small_tenant: Tenant) -> None:
    """Who is no client is bound by what she holds: by the call itself, and by its name."""
    login = staged(small_tenant)
    root = vultr(small_tenant)
    bob, denied = root.person(), root.policy(deny(READ))
    root.attach_policy(root.policy(allow(READ)), user=bob.id)
    group = root.group(bob)
    root.attach_policy(denied, group=group)
    admin = holding(login, "iam.revocation.Apply", "delete:group_members", "read:groups")
    public = next(one["id"] for one in small_tenant.get("/groups")["groups"])
    user = public_id(small_tenant, bob)
    refused(admin, "DELETE", f"/v1/groups/{public}/members/{quoted(user)}")
    assert not may(root, bob)
    refused(admin, "POST", "/v1/revocations", said(("groups.remove_member", {"group": public, "user": user})))
    assert not may(root, bob)


# --- previews ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", RIGHTS)
def test_a_preview_of_each_writes_nothing_and_says_who_loses(root: World, operation: str) -> None:
    ann, policy, role, group = reader(root)
    known = {
        "user": ann.id,
        "policy": policy,
        "role": role,
        "roles": [role],
        "group": group,
        "organization": root.organization(),
        "key": root.get(f"/v2/users/{ann.id}/apikeys")["api_keys"][0]["id"],
    }
    arguments = arguments_of(operation, known)
    with unwritten(root):
        found = ok(preview(root, operation, **arguments))
        same = ok(root.call("POST", "/v1/revocations?preview=true", said((operation, arguments))))
    assert found["digest"] == same["digest"]
    assert found["closed"] == same["closed"]
    assert found["closed"] or found["opened"]
    before = head(root)
    ok(revoke(root, (operation, arguments)))
    change = ok(root.call("GET", f"/v1/changes/{before + 1}"))
    assert (change["opened"], [one["holder"] for one in change["closed"]]) == (
        found["opened"],
        [one["holder"] for one in found["closed"]],
    )


def test_what_a_person_does_to_her_organizations_can_be_previewed(root: World) -> None:
    """In each as the member that she is there, whichever her key is of; the preview is that of the call itself."""
    own = root.organization()
    other = root.post("/v2/organizations", {"name": "another"})["organization"]["id"]
    ann = root.person()
    for operation, arguments, method, path, body in (
        ("organizations.delete", {"organization": own}, "DELETE", f"/v2/organizations/{own}", None),
        ("organizations.delete", {"organization": other}, "DELETE", f"/v2/organizations/{other}", None),
        (
            "organizations.update",
            {"organization": other, "name": "n"},
            "PUT",
            f"/v2/organizations/{other}",
            {"name": "n"},
        ),
        (
            "organizations.transfer",
            {"organization": own, "user": ann.id},
            "POST",
            f"/v1/organizations/{own}/transfer",
            {"user": ann.id},
        ),
        ("users.update", {"user": ann.id, "acls": ["dns"]}, "PATCH", f"/v2/users/{ann.id}", {"acls": ["dns"]}),
    ):
        with unwritten(root):
            found = ok(preview(root, operation, **arguments))
            same = ok(root.call(method, f"{path}?preview=true", body))
        assert (found["digest"], found["closed"], found["opened"]) == (same["digest"], same["closed"], same["opened"])
    world = root.as_(ann.key)
    root.attach_policy(root.policy(allow("iam.revocation.*")), user=ann.id)
    refused(world, "POST", "/v1/preview", {"operation": "organizations.delete", "arguments": {"organization": own}})
    for there in (other, UNKNOWN):
        body = {"operation": "organizations.delete", "arguments": {"organization": there}}
        refused(world, "POST", "/v1/preview", body, status=404)
    assert ok(preview(world, "organizations.leave", organization=own))["closed"]


def test_an_organization_of_ones_own_ends_by_a_batch_alone(root: World) -> None:
    """One in which one is a member by another membership is no part of a batch in this one."""
    other = root.post("/v2/organizations", {"name": "another"})["organization"]["id"]
    ann, _, role, _ = reader(root)
    ends: tuple[str, Json] = ("organizations.delete", {"organization": other})
    body = said(ends, ("roles.detach_users", {"roles": [role], "user": ann.id}))
    refused(root, "POST", "/v1/revocations", body, status=400)
    before = head(root)
    ok(revoke(root, ends))
    assert head(root) == before + 1
    assert root.status(f"/v2/organizations/{other}") == 404
    assert may(root, ann)


def test_a_session_ends_by_a_batch_for_its_person_and_for_who_may(root: World) -> None:
    ann = root.person()
    role = root.role(root.policy(allow(READ)), role_type="assumable")
    root.attach_policy(root.policy(allow("iam.role.AssumeRole", "iam.revocation.Apply")), user=ann.id)
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    root.post("/v2/role-trusts", asked)
    entering = {"role_id": role, "session_name": "n"}
    for who in (root.as_(ann.key), root):
        session = root.as_(ann.key).post("/v2/assumed-roles/assume", entering)
        item: tuple[str, Json] = ("sessions.end", {"session": session["id"]})
        refused(able(root, "iam.revocation.Apply"), "POST", "/v1/revocations", said(item))
        ok(revoke(who, item))
        assert root.as_(session["session_token"]).status("/v2/roles") == 401


def test_an_account_is_blocked_in_a_preview_as_by_the_call(small_tenant: Tenant) -> None:
    """Secrets that a call may bring are nothing that is asked for."""
    user, role = small_tenant.user(), small_tenant.role((small_tenant.api("read")["identifier"], "read"))
    small_tenant.assign(user, role)
    blocked = {"blocked": True}
    same = ok(small_tenant.call("PATCH", f"/users/{quoted(user)}?preview=true", blocked))
    found = ok(preview(outside(small_tenant), "accounts.update", user=user, members=blocked))
    assert (found["digest"], found["groups"]) == (same["digest"], same["groups"])
    assert found["groups"]
    secret = {"operation": "accounts.update", "arguments": {"user": user, "password_verifier": "x"}}
    refused(outside(small_tenant), "POST", "/v1/preview", secret, status=400)


def test_a_batch_is_applied_only_while_its_impact_is_the_one_that_was_seen(root: World) -> None:
    """412 and nothing written as soon as it has another; 200 with the one that it has."""
    ann, policy, role, _ = reader(root)
    body = said(("roles.delete", {"role": role}), ("policies.delete", {"policy": policy}))
    path = "/v1/revocations"
    digest = ok(root.call("POST", f"{path}?preview=true", body))["digest"]
    root.attach_role(role, user=root.person().id)
    for wrong in (digest, "0" * 64):
        with unwritten(root):
            assert root.call("POST", path, body, headers={"If-Match": f'"{wrong}"'}).status_code == 412
    with unwritten(root):
        for nonsense in ("", "*", "x"):
            assert root.call("POST", path, body, headers={"If-Match": nonsense}).status_code == 400
        for query in ("preview=True", "preview=1", "preview", "preview=true&preview=true", "Preview=true"):
            assert root.call("POST", f"{path}?{query}", body).status_code == 400, query
    digest = ok(root.call("POST", f"{path}?preview=true", body))["digest"]
    assert root.call("POST", path, body, headers={"If-Match": digest}).status_code == 200
    assert not may(root, ann)


def test_a_preview_has_no_preview_and_needs_its_right(root: World) -> None:
    ann, _, role, _ = reader(root)
    body = {"operation": "roles.delete", "arguments": {"role": role}}
    refused(root, "POST", "/v1/preview?preview=true", body, status=400)
    refused(able(root, "iam.role.Delete", "iam.revocation.Apply"), "POST", "/v1/preview", body)
    refused(able(root, "iam.revocation.Preview"), "POST", "/v1/preview", body)
    both = able(root, "iam.role.Delete", "iam.revocation.Preview")
    with unwritten(root):
        ok(both.call("POST", "/v1/preview", body))
    assert may(root, ann)


def test_a_preview_of_a_grant_is_refused_as_the_grant_is(root: World) -> None:
    """It tells nothing of what would come of something that may not be done."""
    ann, policy = root.person(), root.policy(allow(READ))
    person = root.person()
    root.attach_policy(root.policy(allow("iam.*.*", "account.user.*")), user=person.id)
    body = {"operation": "policies.attach_user", "arguments": {"policy": policy, "user": ann.id}}
    refused(root.as_(person.key), "POST", "/v1/preview", body)
    with unwritten(root):
        assert ok(preview(root, "policies.attach_user", policy=policy, user=ann.id))["groups"]


ODD: list[Any] = ["", "x", "\u202e", UNKNOWN, 0, -1, 10**30, True, None, [], ["x"], [["x", "y"]], [[]], {}, {"x": {}}]


@pytest.mark.parametrize("operation", sorted(VERBS))
def test_no_odd_argument_breaks_a_preview(standing: Any, operation: str) -> None:
    """Whatever stands in the place of an argument, and whatever is wrong with the others: refused, or previewed."""
    world, ids = standing.world, standing.ids
    known = {
        "user": ids.user,
        "principal": ids.user,
        "role": ids.role,
        "roles": [ids.role],
        "group": ids.group,
        "policy": ids.policy,
        "key": ids.key,
        "trust": ids.trust,
        "organization": ids.organization,
        "name": "n",
        "description": "",
        "document": allow(READ),
        "version": "1",
        "changes": {},
        "role_type": "assignable",
        "max_session_duration": 3600,
        "expires_at": None,
        "type_": "t",
        "resource_type": "t",
        "resource_id": "i",
        "properties": {},
        "revision": "1",
    }
    names = VERBS[operation].arguments.__struct_fields__
    broken = []
    before = standing.revision()
    for name in names:
        for odd in ODD:
            arguments = {**{one: known[one] for one in names if one in known}, name: odd}
            response = world.call("POST", "/v1/preview", {"operation": operation, "arguments": arguments})
            if response.status_code not in (200, 400, 403, 404, 409):
                broken.append((name, odd, response.status_code))
    assert not broken
    assert standing.revision() == before


PLATFORM_ODD = [
    "accounts.create",
    "accounts.update",
    "apis.create",
    "apis.update",
    "clients.create",
    "clients.update",
    "organizations.establish",
    "organizations.reshape",
    "tickets.invite",
    "client_grants.create",
    "client_grants.update",
    "token_families.annotate",
    "token_families.end_of_grant",
    "roles.define",
    "memberships.add",
    "permissions.grant_to_user",
    "permissions.grant_to_role",
    "roles.attach_users",
    "group_roles.attach_roles",
]


@pytest.mark.parametrize("operation", PLATFORM_ODD)
def test_no_odd_argument_breaks_a_preview_by_token(small_tenant: Tenant, operation: str) -> None:
    """The same outside of organizations."""
    world, user, role = outside(small_tenant), small_tenant.user(), small_tenant.role()
    api = small_tenant.api("read")["identifier"]
    known = {
        "user": user,
        "users": [user],
        "members": {"name": "n"} if operation.startswith(("clients", "accounts", "apis")) else [user],
        "api": api,
        "identifier": "urn:other",
        "role": role,
        "roles": [role],
        "client": small_tenant.client_id,
        "name": "n",
        "slug": "n",
        "description": "",
        "extras": {},
        "audience": api,
        "scopes": [],
        "subject": "client",
        "all_scopes": False,
        "organization": small_tenant.organization(),
        "permissions": [[api, "read"]],
        "email": "x@example.org",
        "inviter": "x",
        "seconds": 600,
        "owner": None,
    }
    names = VERBS[operation].arguments.__struct_fields__
    broken = []
    with unwritten(small_tenant):
        for name in names:
            for odd in [*ODD, {"x": 1}, {"grant_types": 5}, {"a": None}]:
                arguments = {**{one: known[one] for one in names if one in known}, name: odd}
                response = world.call("POST", "/v1/preview", {"operation": operation, "arguments": arguments})
                if response.status_code not in (200, 400, 403, 404, 409):
                    broken.append((name, odd, response.status_code))
        for member in MEMBERS if "members" in names else ():
            for odd in ODD:
                arguments = {**{one: known[one] for one in names if one in known}, "members": {member: odd}}
                response = world.call("POST", "/v1/preview", {"operation": operation, "arguments": arguments})
                if response.status_code not in (200, 400, 403, 404, 409):
                    broken.append((member, odd, response.status_code))
    assert not broken


MEMBERS = sorted({*accounts.Members.__annotations__, *apis.Members.__annotations__, "client_metadata", "callbacks"})


def test_a_preview_shows_no_secret(small_tenant: Tenant) -> None:
    """Nothing that a write would hand out once is handed out before it."""
    world, root = outside(small_tenant), vultr(small_tenant)
    ann = root.person()
    for caller, operation, arguments in (
        (root, "keys.create_own", {"name": "n", "expires_at": None}),
        (root, "keys.create_for_user", {"name": "n", "user": ann.id, "expires_at": None}),
        (world, "clients.rotate_secret", {"client": small_tenant.client_id}),
    ):
        text = preview(caller, operation, **arguments).text
        assert "rescind_" not in text
        assert "secret" not in text.replace("rotate_secret", "")
