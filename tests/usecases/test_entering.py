"""What may be entered through a trust counts as held: nobody comes to a role's rights by a way that is not checked.

The actor holds the managed IAMAdministrator policy and nothing else; the role holds everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from world import Person, World, allow, deny

ADMINISTRATOR = "00000000-0000-4000-a000-000000000003"


@dataclass
class Scene:
    root: World
    admin: World
    me: Person
    role: str
    policy: str

    def trust(self, **party: str) -> str:
        """A trust of root's on the role."""
        body = {"role_id": self.role, "trust_type": "TemporaryAssumption", **party}
        return str(self.root.post("/v2/role-trusts", body)["id"])

    def enters(self, world: World | None = None) -> bool:
        """Whether somebody, or the actor, gets into the role."""
        answer = (world or self.admin).call(
            "POST", "/v2/assumed-roles/assume", {"role_id": self.role, "session_name": "n"}
        )
        return bool(answer.status_code == 201)

    def status(self, method: str, path: str, body: Any = None) -> int:
        return self.admin.status(path, method, body)


@pytest.fixture
def scene(small_world: World) -> Scene:
    root, me = small_world, small_world.person()
    root.attach_policy(ADMINISTRATOR, user=me.id)
    policy = root.policy(allow("*"))
    return Scene(root, root.as_(me.key), me, root.role(policy, role_type="assumable"), policy)


def by_the_type_of_a_role_attached_to_oneself(s: Scene) -> int:
    s.trust(trusted_user_id=s.root.person().id)
    assert s.status("POST", f"/v2/roles/{s.role}/users/{s.me.id}") == 201, "an assumable role gives nothing"
    return s.status("PUT", f"/v2/roles/{s.role}", {"role_type": "assignable"})


def by_the_type_of_a_role_whose_trust_ended(s: Scene) -> int:
    s.root.delete(f"/v2/role-trusts/{s.trust(trusted_user_id=s.root.person().id)}")
    s.status("POST", f"/v2/roles/{s.role}/users/{s.me.id}")
    return s.status("PUT", f"/v2/roles/{s.role}", {"role_type": "assignable"})


def by_a_place_in_a_trusted_group(s: Scene) -> int:
    group = s.root.group()
    s.trust(trusted_group_id=group)
    return s.status("POST", f"/v2/groups/{group}/members", {"user_id": s.me.id})


def by_bringing_back_a_trusted_group(s: Scene) -> int:
    group = s.root.group(s.me)
    s.trust(trusted_group_id=group)
    s.root.delete(f"/v2/groups/{group}")
    return s.status("POST", f"/v1/groups/{group}/restore")


def by_a_key_of_somebody_who_may_enter(s: Scene) -> int:
    bob = s.root.person()
    s.trust(trusted_user_id=bob.id)
    return s.status("POST", f"/v2/users/{bob.id}/apikeys", {"name": "n"})


def by_a_key_of_somebody_whose_group_may_enter(s: Scene) -> int:
    bob = s.root.person()
    s.trust(trusted_group_id=s.root.group(bob))
    return s.status("POST", f"/v2/users/{bob.id}/apikeys", {"name": "n"})


def by_the_password_of_somebody_who_may_enter(s: Scene) -> int:
    bob = s.root.person()
    s.trust(trusted_user_id=bob.id)
    return s.status("PATCH", f"/v2/users/{bob.id}", {"password": "known to me"})


def by_lifting_the_suspension_of_somebody_who_may_enter(s: Scene) -> int:
    bob = s.root.person()
    s.trust(trusted_user_id=bob.id)
    path = f"/v2/organizations/{s.root.organization()}/user/{bob.id}"
    s.root.call("PUT", f"{path}/suspend").raise_for_status()
    return s.status("PUT", f"{path}/unsuspend")


def by_the_api_access_of_somebody_who_may_enter(s: Scene) -> int:
    bob = s.root.person(api_enabled=False)
    s.trust(trusted_user_id=bob.id)
    return s.status("PATCH", f"/v2/users/{bob.id}", {"api_enabled": True})


def by_the_allow_list_of_somebody_who_may_enter(s: Scene) -> int:
    bob = s.root.person()
    s.trust(trusted_user_id=bob.id)
    return s.status("POST", f"/v2/users/{bob.id}/ip-whitelist", {"subnet": "203.0.113.0", "subnet_size": 24})


def by_a_key_of_somebody_whose_policy_is_deleted(s: Scene) -> int:
    bob = s.root.person()
    s.root.attach_policy(s.policy, user=bob.id)
    s.root.delete(f"/v2/policies/{s.policy}")
    return s.status("POST", f"/v2/users/{bob.id}/apikeys", {"name": "n"})


def by_a_key_of_somebody_whose_trusted_group_is_deleted(s: Scene) -> int:
    bob = s.root.person()
    group = s.root.group(bob)
    s.trust(trusted_group_id=group)
    s.root.delete(f"/v2/groups/{group}")
    return s.status("POST", f"/v2/users/{bob.id}/apikeys", {"name": "n"})


def by_a_trust_for_oneself(s: Scene) -> int:
    body = {"role_id": s.role, "trust_type": "TemporaryAssumption", "trusted_user_id": s.me.id}
    return s.status("POST", "/v2/role-trusts", body)


def by_naming_oneself_in_a_trust(s: Scene) -> int:
    return s.status(
        "PUT", f"/v2/role-trusts/{s.trust(trusted_user_id=s.root.person().id)}", {"trusted_user_id": s.me.id}
    )


def by_loosening_a_trust(s: Scene) -> int:
    trust = s.trust(trusted_user_id=s.me.id)
    s.root.call("PUT", f"/v2/role-trusts/{trust}", {"conditions": {"ip_address": ["203.0.113.1"]}})
    return s.status("PUT", f"/v2/role-trusts/{trust}", {"conditions": {"ip_address": []}})


def by_naming_oneself_in_a_trust_on_a_deleted_role(s: Scene) -> int:
    trust = s.trust(trusted_user_id=s.root.person().id)
    s.root.delete(f"/v2/roles/{s.role}")
    return s.status("PUT", f"/v2/role-trusts/{trust}", {"trusted_user_id": s.me.id})


def by_a_trust_on_a_role_whose_policy_is_deleted(s: Scene) -> int:
    s.root.delete(f"/v2/policies/{s.policy}")
    return by_a_trust_for_oneself(s)


def by_attaching_a_role_whose_policy_is_deleted(s: Scene) -> int:
    role = s.root.role(s.policy)
    s.root.delete(f"/v2/policies/{s.policy}")
    return s.status("POST", f"/v2/roles/{role}/users/{s.me.id}")


def by_a_place_in_a_group_whose_policy_is_deleted(s: Scene) -> int:
    group = s.root.group()
    s.root.attach_policy(s.policy, group=group)
    s.root.delete(f"/v2/policies/{s.policy}")
    return s.status("POST", f"/v2/groups/{group}/members", {"user_id": s.me.id})


def by_ending_the_edge_to_a_deleted_deny(s: Scene) -> int:
    forbids = s.root.policy(deny("billing.*"))
    s.root.attach_policy(forbids, user=s.me.id)
    s.root.delete(f"/v2/policies/{forbids}")
    s.root.attach_policy(s.root.policy(allow("iam.revocation.Apply")), user=s.me.id)
    return s.status("DELETE", f"/v1/dormant-edges/{s.me.id}/{forbids}")


def by_the_type_of_a_role_that_forbids(s: Scene) -> int:
    role = s.root.role(s.root.policy(deny("billing.*")))
    s.root.attach_role(role, user=s.me.id)
    return s.status("PUT", f"/v2/roles/{role}", {"role_type": "assumable"})


WAYS = [value for name, value in sorted(globals().items()) if name.startswith("by_")]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nobody_comes_to_what_he_does_not_hold(scene: Scene, way: Callable[[Scene], int]) -> None:
    """403, and he enters nothing afterwards either."""
    assert way(scene) == 403
    assert not scene.enters()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_who_holds_all_of_it_may(scene: Scene, way: Callable[[Scene], int]) -> None:
    """What holds the test above up: with everything in hand, or as one who may escalate, each of them is allowed."""
    scene.root.attach_policy(scene.root.policy(allow("*")), user=scene.me.id)
    assert way(scene) in (200, 201, 202, 204)


def test_an_expired_trust_is_not_there_for_the_taking(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody puts his name into a trust that root may extend one day."""
    other = scene.root.person()
    trust = scene.trust(trusted_user_id=other.id, valid_until="2099-01-01T00:00:00+00:00")
    # Time passes: the trust is past its end from here on.
    from rescind.decision import snapshot

    alive = snapshot.Fact.alive
    monkeypatch.setattr(snapshot.Fact, "alive", lambda fact, instant: alive(fact, instant + 10**17))
    assert scene.status("PUT", f"/v2/role-trusts/{trust}", {"trusted_user_id": scene.me.id}) == 403


def test_a_change_of_a_role_that_is_not_of_its_type_gives_nothing(scene: Scene) -> None:
    assert scene.status("PUT", f"/v2/roles/{scene.role}", {"name": "n", "max_session_duration": 900}) == 200


def test_deleting_what_may_be_entered_is_free(scene: Scene) -> None:
    """To take away is never an escalation: trust, role and group go without a word."""
    group = scene.root.group(scene.me)
    trust = scene.trust(trusted_group_id=group)
    assert scene.status("DELETE", f"/v2/groups/{group}/members/{scene.me.id}") == 204
    assert scene.status("DELETE", f"/v2/role-trusts/{trust}") == 204
    assert scene.status("DELETE", f"/v2/groups/{group}") == 204
    assert scene.status("DELETE", f"/v2/roles/{scene.role}") == 204
