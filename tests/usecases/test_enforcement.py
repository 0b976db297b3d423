"""Every call of every door is refused without its requirement, and to strangers, and writes nothing then."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from rescind.api.exchange import Operation
from rescind.api.native.face import OPERATIONS as NATIVE
from rescind.api.vultr.face import OPERATIONS as VULTR
from rescind.app import DOORS, application, build
from rescind.settings import Settings
from rescind.usecases.requirements import Acting
from world import ROOT_KEY, World, allow, root_of_another

ALL = [*VULTR, *NATIVE]
ENFORCED = [operation for operation in ALL if operation.requires.any_of]
TARGETED = [operation for operation in ENFORCED if "{" in operation.path and "{revision}" not in operation.path]
BODIES: dict[str, Any] = {
    "create_organization": {"name": "n"},
    "create_user": {"name": "n", "email": "n@example.org", "password": "correct horse"},
    "create_group": {"display_name": "n"},
    "create_role": {"name": "n", "role_type": "assignable"},
    "create_policy": {"name": "n", "policy_document": allow("disk.Read")},
    "update_organization": {"name": "n"},
    "update_user": {"api_enabled": False},
    "update_group": {"display_name": "n"},
    "update_role": {"name": "n"},
    "update_policy": {"name": "n", "policy_document": allow("disk.Read")},
}


@dataclass
class Scene:
    """An organization with one of everything, a member who may do nothing, and the root of another organization."""

    root: World
    nobody: World
    nobody_id: str
    stranger: World
    ids: dict[str, str]

    def path(self, operation: Operation) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: self.ids[found[1]], operation.path)

    def body(self, operation: Operation) -> Any:
        name = operation.handler.__name__
        if name == "add_group_member":
            return {"user_id": self.ids["user_id"]}
        if name == "attach_named_role_policy":
            return {"policy_id": self.ids["policy_id"]}
        return BODIES.get(name)

    def call(self, world: World, operation: Operation) -> Any:
        return world.call(operation.method, self.path(operation), self.body(operation))

    @property
    def revision(self) -> int:
        return int(self.root.call("GET", "/v2/users/me/groups").headers["Rescind-Revision"])


def make_scene(database: str) -> Iterator[Scene]:
    node = build(Settings(database=database))
    with TestClient(application(node), raise_server_exceptions=False) as client:
        root = World(client, ROOT_KEY)
        target, nobody = root.person(), root.person()
        ids = {
            "organization_id": root.organization(),
            "user_id": target.id,
            "member_id": target.id,
            "group_id": root.group(target),
            "role_id": root.role(),
            "policy_id": root.policy(allow("disk.Read")),
            "key_id": root.post(f"/v2/users/{target.id}/apikeys", {"name": "n"})["api_key"]["id"],
            "revision": "1",
        }
        yield Scene(root, root.as_(nobody.key), nobody.id, root.as_(root_of_another(node)), ids)


@pytest.fixture
def scene(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """A scene of the test's own."""
    yield from make_scene(make_database("sqlite"))


@pytest.fixture(scope="module")
def stage(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """One scene for all the calls that are refused: they must leave it as it is."""
    yield from make_scene(make_database("sqlite"))


@pytest.mark.parametrize("operation", ENFORCED, ids=[operation.name for operation in ENFORCED])
def test_a_member_without_the_right_is_refused(stage: Scene, operation: Operation) -> None:
    """403, no revision spent, and the refusal says nothing of whether the object exists."""
    before = stage.revision

    response = stage.call(stage.nobody, operation)

    assert response.status_code == 403, response.text
    assert stage.revision == before


@pytest.mark.parametrize("operation", TARGETED, ids=[operation.name for operation in TARGETED])
def test_a_stranger_finds_nothing(stage: Scene, operation: Operation) -> None:
    """404 for the root of another organization, word for word what an id that nobody has gets; no revision spent."""
    before = stage.revision

    response = stage.call(stage.stranger, operation)

    assert response.status_code == 404, response.text
    nowhere = replace(stage, ids=dict.fromkeys(stage.ids, "01890000-0000-7000-8000-000000000000"))
    assert nowhere.call(stage.stranger, operation).text == response.text
    assert stage.revision == before


@pytest.mark.parametrize("operation", ENFORCED, ids=[operation.name for operation in ENFORCED])
def test_the_right_on_the_target_suffices(scene: Scene, operation: Operation) -> None:
    """With exactly the action that the table names, on exactly the target, the call succeeds."""
    target = re.search(r"\{(\w+)_id\}", operation.path)
    resource = f"{operation.requires.on}:{scene.ids[f'{target[1]}_id'] if target else '*'}"
    # `disk.Read` is what the calls of this test grant: nobody grants what he does not hold.
    for granted in (allow(*operation.requires.any_of[0], on=resource), allow("disk.Read")):
        scene.root.attach_policy(scene.root.policy(granted), user=scene.nobody_id)

    response = scene.call(scene.nobody, operation)

    assert response.status_code == operation.status, response.text


@pytest.mark.parametrize("operation", ALL, ids=[operation.name for operation in ALL])
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic cm9vdDpyb290"])
def test_nobody_without_a_credential(stage: Scene, operation: Operation, authorization: str | None) -> None:
    """401 without a live credential."""
    headers = {} if authorization is None else {"Authorization": authorization}

    response = stage.root.client.request(
        operation.method, stage.path(operation), json=stage.body(operation), headers=headers
    )

    assert response.status_code == 401, response.text


def test_every_door_is_tested_here() -> None:
    """A new door or a call without requirement is noticed: those without are about oneself alone."""
    assert {operation.name for door in DOORS for operation in door.operations} == {row.name for row in ALL}
    free = [operation for operation in ALL if not operation.requires.any_of]
    assert all(re.match(r"/v2/(users/me/|apikeys)", operation.path) for operation in free)
    assert [row.number for row in VULTR if row.requires.acting is not Acting.KEY] == [1, 3, 4, 5, 6]
