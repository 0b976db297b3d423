"""What has no call of its own elsewhere: memberships, ownership, groups brought back, dormant edges, keys elsewhere."""

import time
from typing import Any

import pytest

from servers import Server
from world import Person, World, allow, root_of_another


def memberships(world: World) -> list[Any]:
    return list(world.get("/v1/memberships")["memberships"])


def test_a_person_sees_her_memberships_and_leaves_one(world: World) -> None:
    """With a key of her own she sees all; a key that somebody made for her knows its own organization alone."""
    ann = world.person()
    own = world.own(ann)
    world.attach_policy(world.policy(allow("iam.organization.Create", "iam.group.List")), user=ann.id)
    founded = own.post("/v2/organizations", {"name": "Hers"})["id"]

    assert [(found["organization"], found["root"]) for found in memberships(own)] == [
        (world.organization(), False),
        (founded, True),
    ]
    assert [found["organization"] for found in memberships(world.as_(ann.key))] == [world.organization()]

    own.delete(f"/v1/memberships/{world.organization()}")
    assert world.status(f"/v2/users/{ann.id}") == 404
    assert own.status("/v2/groups") == 401, "the key belonged to the membership that ended"


def test_the_last_root_does_not_leave(world: World) -> None:
    answer = world.call("DELETE", f"/v1/memberships/{world.organization()}")
    assert answer.status_code == 403
    assert "transfer" in answer.json()["detail"]


def test_a_key_in_the_organization_that_one_founded(world: World) -> None:
    """The founder's key reaches the new organization by a few calls only: one of them makes her a key there."""
    founded = world.post("/v2/organizations", {"name": "New"})["id"]
    made = world.post("/v1/apikeys", {"organization": founded, "name": "there"})
    there = world.as_(made["api_key"])
    assert there.get("/v2/groups")["groups"] == []
    group = there.group()
    assert world.status(f"/v2/groups/{group}") == 404
    assert world.status("/v1/apikeys", "POST", {"organization": "unknown", "name": "n"}) == 404


def test_a_key_that_somebody_made_for_her_makes_none_elsewhere(world: World) -> None:
    ann = world.person()
    assert world.node is not None
    other = world.as_(root_of_another(world.node))
    body = {"organization": other.organization(), "name": "n"}
    assert world.as_(ann.key).status("/v1/apikeys", "POST", body) == 404


def test_ownership_goes_over_whole(world: World) -> None:
    """The new root may everything, the old one is a member with what she has, and no more."""
    ann = world.person()
    organization = world.organization()

    answer = world.call("POST", f"/v1/organizations/{organization}/transfer", {"user": ann.id})

    assert answer.status_code == 204, answer.text
    assert world.as_(ann.key).status("/v2/users") == 200
    assert world.status("/v2/users") == 403
    assert world.status(f"/v1/organizations/{organization}/transfer", "POST", {"user": ann.id}) == 403
    assert [found["root"] for found in memberships(world)] == [False]


@pytest.mark.parametrize("who", ["unknown", "suspended", "removed", "without API access"])
def test_ownership_goes_to_a_member_in_good_standing(world: World, who: str) -> None:
    ann = world.person()
    organization = world.organization()
    if who == "suspended":
        world.call("PUT", f"/v2/organizations/{organization}/user/{ann.id}/suspend").raise_for_status()
    if who == "removed":
        world.delete(f"/v2/organizations/{organization}/user/{ann.id}")
    if who == "without API access":
        world.call("PATCH", f"/v2/users/{ann.id}", {"api_enabled": False}).raise_for_status()
    user = "unknown" if who == "unknown" else ann.id
    answer = world.call("POST", f"/v1/organizations/{organization}/transfer", {"user": user})
    assert answer.status_code == (404 if who in ("unknown", "removed") else 400)
    assert world.status("/v2/users") == 200


def test_a_group_comes_back_with_its_members_and_grants(world: World) -> None:
    ann = world.person()
    group = world.group(ann)
    world.attach_policy(world.policy(allow("iam.group.List")), group=group)
    world.delete(f"/v2/groups/{group}")
    assert world.as_(ann.key).status("/v2/groups") == 403
    restored = world.call("POST", f"/v1/groups/{group}/restore")
    assert (restored.status_code, restored.json()["members"]) == (200, 1)
    assert world.as_(ann.key).status("/v2/groups") == 200


# --- dormant edges ----------------------------------------------------------------------------------------------------


def dormant(world: World) -> set[tuple[str, str, str]]:
    listed = world.get("/v1/dormant-edges")
    edges = {(found["edge"], found["holder"], found["thing"]) for found in listed["dormant_edges"]}
    assert len(edges) == listed["total"]
    return edges


def build(world: World) -> tuple[Person, str, str, str]:
    ann = world.person()
    group = world.group(ann)
    policy = world.policy(allow("iam.group.List"))
    role = world.role(policy)
    world.attach_role(role, user=ann.id)
    world.attach_role(role, group=group)
    return ann, group, role, policy


def test_what_sleeps_with_a_deleted_thing_is_listed_and_wakes_with_it(world: World) -> None:
    ann, group, role, policy = build(world)
    assert dormant(world) == set()
    world.delete(f"/v2/roles/{role}")
    assert dormant(world) == {
        ("role_attachment", ann.id, role),
        ("role_attachment", group, role),
        ("policy_attachment", role, policy),
    }
    world.call("PATCH", f"/v2/roles/{role}/restore").raise_for_status()
    assert dormant(world) == set()


def test_an_edge_that_was_ended_in_its_sleep_does_not_come_back(world: World) -> None:
    """The point of it: take somebody off a role that is deleted, before anybody restores it."""
    ann, group, role, _ = build(world)
    world.delete(f"/v2/groups/{group}/members/{ann.id}")
    world.delete(f"/v2/roles/{role}")
    world.delete(f"/v1/dormant-edges/{ann.id}/{role}")
    assert world.status(f"/v1/dormant-edges/{ann.id}/{role}", "DELETE") == 404
    world.call("PATCH", f"/v2/roles/{role}/restore").raise_for_status()
    assert world.as_(ann.key).status("/v2/groups") == 403
    assert [found["group_id"] for found in world.get(f"/v2/roles/{role}/groups")["assignments"]] == [group]


def test_an_edge_that_counts_is_not_ended_as_a_dormant_one(world: World) -> None:
    ann, _, role, _ = build(world)
    assert world.status(f"/v1/dormant-edges/{ann.id}/{role}", "DELETE") == 404
    assert world.as_(ann.key).status("/v2/groups") == 200


def test_the_edges_of_somebody_who_left_are_over_and_not_dormant(world: World) -> None:
    ann, group, role, policy = build(world)
    world.delete(f"/v2/roles/{role}")
    world.delete(f"/v2/users/{ann.id}")
    assert dormant(world) == {("role_attachment", group, role), ("policy_attachment", role, policy)}


def test_dormant_edges_come_in_pages(world: World) -> None:
    _, _, role, _ = build(world)
    world.delete(f"/v2/roles/{role}")
    seen, cursor = [], ""
    for _ in range(3):
        part = world.get("/v1/dormant-edges", limit=1, cursor=cursor)
        seen += part["dormant_edges"]
        cursor = part["next"]
    assert len({(found["holder"], found["thing"]) for found in seen}) == 3
    assert cursor == ""


# --- last activity ----------------------------------------------------------------------------------------------------


def test_a_server_tells_the_last_use_within_seconds(server: Server) -> None:
    root = server.world()
    ann = root.person()
    root.as_(ann.key).get("/v2/users/me/groups")
    deadline = time.monotonic() + 30
    while not root.get(f"/v2/users/{ann.id}")["user"]["last_activity"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_last_use_is_no_revision_and_told_where_it_is_asked_for(world: World) -> None:
    """A group's is that of whichever member used the API last."""
    assert world.node is not None
    ann, silent = world.person(), world.person()
    group, empty = world.group(ann, silent), world.group(silent)
    world.as_(ann.key).get("/v2/users/me/groups")
    before = world.node.store.head().revision

    world.node.activity.flush()

    assert world.node.store.head().revision == before
    used = world.get(f"/v2/users/{ann.id}")["user"]["last_activity"]
    assert used
    assert world.get(f"/v2/users/{silent.id}")["user"]["last_activity"] == ""
    assert world.get(f"/v2/groups/{group}", show_last_activity="true")["group"]["last_activity"] == used
    assert world.get(f"/v2/groups/{group}")["group"]["last_activity"] == ""
    assert world.get(f"/v2/groups/{empty}", show_last_activity="true")["group"]["last_activity"] == ""
