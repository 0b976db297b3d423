"""Undo: what a change took is so again, for whom it is hers to give; what makes no sense any more is said."""

from collections.abc import Callable

import pytest

from api.native.asking import (
    READ,
    Json,
    able,
    access,
    did,
    head,
    may,
    ok,
    refused,
    revision_of,
    revoke,
    suspend,
    undo,
    unwritten,
)
from world import Person, World, allow, deny


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
    """It took at most a suspension or a Deny: what it gave is taken by a revocation, never by an undo."""
    ann = root.person()
    undo(root, take(root, ann))
    assert may(root, ann)
    undone = head(root)
    said = undo(root, undone)
    took = take in (deny_her, deny_her_group)
    assert may(root, ann) is not (took or take is edit_policy or take is turn_role), said


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
    no_undo = admin(root, allow(READ))
    revision = take(root, ann)
    refused(weak, "POST", f"/v1/changes/{revision}/undo")
    root.attach_policy(
        root.policy(deny("iam.change.Undo")), user=ok(no_undo.call("GET", "/v1/memberships")) and me(no_undo)
    )
    refused(no_undo, "POST", f"/v1/changes/{revision}/undo")
    assert not may(root, ann)


def me(world: World) -> str:
    """The id of who speaks."""
    return next(
        one["id"]
        for one in world.get("/v2/users")["users"]
        if world.call("GET", f"/v2/users/{one['id']}/apikeys").json()["api_keys"] and one["id"] == own_id(world)
    )


def own_id(world: World) -> str:
    return str(world.get("/v2/account")["account"]["id"]) if False else ""
