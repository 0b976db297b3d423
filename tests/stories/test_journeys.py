"""The four journeys, over HTTP against a live server, on both databases."""

import pytest

from rescind.model.objects import ObjectKind
from rescind.node import build
from rescind.settings import Settings
from rescind.usecases import users
from rescind.usecases.unit import Unit
from servers import Server
from world import Person, World, allow


@pytest.fixture
def root(server: Server) -> World:
    return server.world()


def ids(items: list[dict[str, object]], member: str = "id") -> list[object]:
    return [item[member] for item in items]


def after_power_cut(server: Server) -> None:
    """What was acknowledged is on the disk."""
    server.kill()
    server.start()


def test_journey_1_detach_a_role_from_a_user(server: Server, root: World) -> None:
    """What the role gave is gone at once; other roles, groups and direct policies stay, with their source."""
    ann = root.person()
    bystander = root.person()
    list_groups = root.policy(allow("iam.group.List"), "list groups")
    list_roles = root.policy(allow("iam.role.List"), "list roles")
    list_users = root.policy(allow("account.user.List"), "list users")
    taken, kept = root.role(list_groups, name="taken"), root.role(list_roles, name="kept")
    group = root.group(ann, name="team")
    root.attach_policy(list_users, user=ann.id)
    root.attach_policy(root.policy(allow("iam.policy.List"), "list policies"), group=group)
    for person in (ann, bystander):
        root.attach_role(taken, user=person.id)
    root.attach_role(kept, user=ann.id)
    as_ann = root.as_(ann.key)
    assert as_ann.status("/v2/groups") == 200

    # The journey, step by step.
    role_id = next(role["id"] for role in root.get("/v2/roles")["roles"] if role["name"] == "taken")
    holders = root.get(f"/v2/roles/{role_id}/users")["assignments"]
    assert ids(holders, "user_id") == [ann.id, bystander.id]
    removal = root.delete(f"/v2/roles/{role_id}/users/{ann.id}")

    assert int(removal.headers["Rescind-Revision"]) > 0
    assert removal.headers["Rescind-Change"] == f"/v1/changes/{removal.headers['Rescind-Revision']}"
    for _ in ("at once", "after a power cut"):
        assert ids(root.get(f"/v2/roles/{role_id}/users")["assignments"], "user_id") == [bystander.id]
        roles = root.get(f"/v2/users/{ann.id}/roles")["roles"]
        assert ids(roles["all"]) == ids(roles["direct"]) == [kept]
        assert [(role["id"], role["source"]) for role in roles["all"]] == [(kept, "direct")]
        policies = root.get(f"/v2/users/{ann.id}/policies")["policies"]
        assert {(policy["name"], policy["source"]) for policy in policies["all"]} == {
            ("list users", "direct"),
            ("list roles", "role"),
            ("list policies", "group"),
        }
        assert as_ann.status("/v2/groups") == 403
        assert [as_ann.status(path) for path in ("/v2/roles", "/v2/users", "/v2/policies")] == [200, 200, 200]
        assert root.as_(bystander.key).status("/v2/groups") == 200
        assert ids(root.get(f"/v2/roles/{role_id}/policies")["policies"]) == [list_groups]
        if _ == "at once":
            after_power_cut(server)


def test_journey_2_detach_a_policy_from_a_user(server: Server, root: World) -> None:
    """What that attachment gave is gone at once; the same policy through a group keeps what it gives there."""
    ann, ben = root.person(), root.person()
    shared = root.policy(allow("iam.group.List"), "shared")
    direct = root.policy(allow("iam.role.List"), "direct")
    group = root.group(ben, name="team")
    for person in (ann, ben):
        root.attach_policy(shared, user=person.id)
    root.attach_policy(shared, group=group)
    root.attach_policy(direct, user=ann.id)
    as_ann, as_ben = root.as_(ann.key), root.as_(ben.key)
    assert [world.status("/v2/groups") for world in (as_ann, as_ben)] == [200, 200]

    policy_id = next(policy["id"] for policy in root.get("/v2/policies")["policies"] if policy["name"] == "shared")
    assert ids(root.get(f"/v2/policies/{policy_id}/users")["users"]) == [ann.id, ben.id]
    for person in (ann, ben):
        root.delete(f"/v2/policies/{policy_id}/users/{person.id}")

    for _ in ("at once", "after a power cut"):
        assert root.get(f"/v2/policies/{policy_id}/users")["users"] == []
        assert ids(root.get(f"/v2/policies/{policy_id}/groups")["groups"]) == [group]
        assert (as_ann.status("/v2/groups"), as_ann.status("/v2/roles")) == (403, 200)
        assert as_ben.status("/v2/groups") == 200
        kept = root.get(f"/v2/users/{ben.id}/policies")["policies"]
        assert [(policy["id"], policy["source"]) for policy in kept["all"]] == [(shared, "group")]
        assert kept["direct"] == []
        if _ == "at once":
            after_power_cut(server)


def test_journey_3_remove_a_user_from_a_group(server: Server, root: World) -> None:
    """Everything inherited through the group is gone at once; the account, direct grants and other groups stay."""
    ann, ben = root.person(), root.person()
    left, kept = root.group(ann, ben, name="left"), root.group(ann, name="kept")
    root.attach_role(root.role(root.policy(allow("iam.group.List"))), group=left)
    root.attach_policy(root.policy(allow("account.user.List")), group=left)
    root.attach_policy(root.policy(allow("iam.role.List")), group=kept)
    root.attach_policy(root.policy(allow("iam.policy.List")), user=ann.id)
    # Somebody with the rights of a group administrator, and no others, does it.
    admin = root.person()
    root.attach_policy(root.policy(allow("iam.group.*")), user=admin.id)
    as_admin, as_ann = root.as_(admin.key), root.as_(ann.key)
    assert as_ann.status("/v2/groups") == 200

    members = as_admin.get(f"/v2/groups/{left}/members")["members"]
    assert ids(members) == [ann.id, ben.id]
    as_admin.delete(f"/v2/groups/{left}/members/{ann.id}")

    for _ in ("at once", "after a power cut"):
        assert ids(as_admin.get(f"/v2/groups/{left}/members")["members"]) == [ben.id]
        assert ids(as_admin.get(f"/v2/groups/{left}")["group"]["members"]) == [ben.id]
        assert [as_ann.status(path) for path in ("/v2/groups", "/v2/users")] == [403, 403]
        assert [as_ann.status(path) for path in ("/v2/roles", "/v2/policies")] == [200, 200]
        assert root.as_(ben.key).status("/v2/groups") == 200
        assert ids(root.get(f"/v2/users/{ann.id}/groups")["groups"]) == [kept]
        assert root.get(f"/v2/users/{ann.id}")["user"]["status"] is True
        if _ == "at once":
            after_power_cut(server)


def test_journey_4_remove_a_user_from_an_organization(server: Server, root: World) -> None:
    """All access there is gone at once; the account and other organizations stay; who comes again has nothing."""
    ann = root.person()
    role, group = root.role(root.policy(allow("iam.group.List"))), root.group(ann)
    root.attach_role(role, user=ann.id)
    root.attach_policy(root.policy(allow("iam.organization.*", "iam.role.List")), user=ann.id)
    as_ann = root.as_(ann.key)
    hers = as_ann.post("/v2/organizations", {"name": "Hers"})["id"]
    assert as_ann.status("/v2/groups") == 200

    organization = next(found["id"] for found in root.get("/v2/organizations")["orgs"] if found["name"] == "Default")
    assert ann.id in ids(root.get("/v2/users")["users"])
    root.delete(f"/v2/organizations/{organization}/user/{ann.id}")

    for _ in ("at once", "after a power cut"):
        assert ann.id not in ids(root.get("/v2/users")["users"])
        assert root.call("GET", f"/v2/users/{ann.id}").json() == {"error": "Invalid user ID", "status": 404}
        assert root.get(f"/v2/roles/{role}/users")["assignments"] == []
        assert root.get(f"/v2/groups/{group}/members")["members"] == []
        # Her key was a key to this organization: it ended with the membership.
        assert [as_ann.status(path) for path in ("/v2/groups", "/v2/roles", "/v2/organizations")] == [401, 401, 401]
        if _ == "at once":
            after_power_cut(server)

    # The account and the other organization live on, and a new membership here starts from nothing.
    key_there, key_here = rejoin(server, hers, ann), rejoin(server, organization, ann, new=True)
    assert ids(root.as_(key_there).get("/v2/organizations")["orgs"]) == [hers]
    assert root.as_(key_there).status("/v2/groups") == 200, "she is root there"
    assert root.as_(key_here).status("/v2/groups") == 403
    assert root.get(f"/v2/users/{ann.id}/roles")["roles"]["all"] == []
    assert root.get(f"/v2/users/{ann.id}/policies")["policies"]["all"] == []
    assert root.get(f"/v2/users/{ann.id}/groups")["groups"] == []
    assert as_ann.status("/v2/groups") == 401, "an old key does not come back"


def rejoin(server: Server, organization: str, person: Person, *, new: bool = False) -> str:
    """Give a person a key to an organization, with a new membership of it if wanted: as an invitation will."""
    from rescind.usecases import keys

    def join(unit: Unit) -> str:
        found = unit.reader.find_object(ObjectKind.ORGANIZATION, organization)
        user = unit.reader.find_object(ObjectKind.USER, person.id)
        assert found is not None
        assert user is not None
        unit.organization = found.key
        member = users.join(unit, user, api_enabled=True) if new else unit.member(person.id)
        return keys.create(unit, member, name="again").secret

    node = build(Settings(database=server.database))
    try:
        return node.service.operate("test", f"{organization} {person.id} {new}", join).result
    finally:
        node.store.close()
