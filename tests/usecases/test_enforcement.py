"""Every call of every door is refused without its requirement, and to strangers, and writes nothing then."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from loopback import Loopback
from rescind.api.auth0.face import OPEN_OPERATIONS as TOKENS
from rescind.api.auth0.face import OPERATIONS as MANAGEMENT
from rescind.api.exchange import Operation
from rescind.api.native.face import OPERATIONS as NATIVE
from rescind.api.vultr.face import OPERATIONS as VULTR
from rescind.api.vultr.sts import OPERATIONS as STS
from rescind.app import DOORS, VERBS, application
from rescind.node import build
from rescind.settings import Settings
from rescind.usecases.requirements import Acting
from rescind.usecases.revocations import TAKING
from world import ROOT_KEY, Person, World, allow, root_of_another

# What takes tokens of the platform's administrators alone is in `api/auth0/test_doors.py` and, of `/v1`, in
# `api/native/test_assignments.py`.
BY_TOKEN = [row for row in NATIVE if row.requires.acting in (Acting.PLATFORM, Acting.WITHIN)]
ALL = [row for row in (*STS, *VULTR, *NATIVE) if row not in BY_TOKEN]
BY_CREDENTIAL = [operation for operation in ALL if operation.requires.acting is not Acting.GUEST]
BY_LINK = [operation for operation in ALL if operation.requires.acting is Acting.GUEST]
ENFORCED = [operation for operation in ALL if operation.requires.any_of]
ROOT_ALONE = [operation for operation in ALL if operation.requires.root]
# The number of a change is no id; a resource is named by whoever registers it.
NAMED_HERE = ("{revision}", "{resource_type}")
TARGETED = [row for row in ENFORCED if "{" in row.path and not any(name in row.path for name in NAMED_HERE)]
_RESOURCE = {"type": "document", "id": "1"}
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
    "create_invitation": {"email_invited": "guest@example.org"},
    "add_allow_list_entry": {"subnet": "203.0.113.0", "subnet_size": 24},
    "remove_allow_list_entry": {"subnet": "0.0.0.0", "subnet_size": 0},
    "create_trust": {
        "role_id": "{assumable_id}",
        "trust_type": "TemporaryAssumption",
        "trusted_user_id": "{user_id}",
    },
    "update_trust": {"conditions": {"ip_address": ["203.0.113.0/24"]}},
    "assume_role": {"role_id": "{entered_id}", "session_name": "n"},
    "transfer_organization": {"user": "{user_id}"},
    "create_key": {"organization": "{organization_id}", "name": "n"},
    "accept_invitation": {"name": "n", "password": "correct horse"},
    "add_group_member": {"user_id": "{user_id}"},
    "/v1/groups": {"name": "n"},
    "/v1/groups/{group_id}/members": {"user": "{user_id}"},
    "attach_named_role_policy": {"policy_id": "{policy_id}"},
    "explain": {
        "subject": {"type": "user", "id": "nobody"},
        "action": {"name": "disk.Read"},
        "resource": _RESOURCE,
    },
    "who_can": {"action": {"name": "disk.Read"}, "resource": _RESOURCE},
    "preview": {"operation": "keys.create_own", "arguments": {"name": "n", "expires_at": None}},
    "apply_revocations": {
        "revocations": [{"operation": "dormant.end", "arguments": {"holder": "{holder_id}", "thing": "{thing_id}"}}]
    },
    "update_principal": {"alias": "somebody", "properties": {"team": "blue"}},
    "put_resource": {"properties": {"owner": "nobody"}},
    **{
        handler: {"expires_at": 4_000_000_000_000_000}
        for handler in (
            "put_role_user",
            "put_role_group",
            "put_role_policy",
            "put_policy_user",
            "put_policy_group",
            "put_group_member",
            "put_user_acl",
        )
    },
}
QUERIES = {"get_allow_list_entry": "?subnet=0.0.0.0&subnet_size=0"}


@dataclass
class Scene:
    """An organization with one of everything, a member who may do nothing, and the root of another organization."""

    root: World
    nobody: World
    nobody_id: str
    stranger: World
    ids: dict[str, str]

    def path(self, operation: Operation) -> str:
        # An id of an invitation is no link to it.
        path = re.sub(r"\{(\w+)\}", lambda found: self.ids[found[1]], operation.path)
        return path + QUERIES.get(operation.handler.__name__, "")

    def sent(self, operation: Operation) -> dict[str, Any]:
        if operation in STS:
            form = {"Action": "AssumeRole", "RoleArn": self.ids["entered_id"], "RoleSessionName": "n"}
            return {"content": urlencode(form)}
        body = BODIES.get(operation.path, BODIES.get(operation.handler.__name__))
        if body is None:
            return {}
        return {"json": self.filled(body)}

    def filled(self, value: Any) -> Any:
        """A body with the scene's ids in it."""
        if isinstance(value, dict):
            return {name: self.filled(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part) for part in value]
        return value.format_map(self.ids) if isinstance(value, str) else value

    def call(self, world: World, operation: Operation) -> Any:
        return world.call(operation.method, self.path(operation), **self.sent(operation))

    @property
    def revision(self) -> int:
        return int(self.root.call("GET", "/v2/users/me/groups").headers["Rescind-Revision"])


def trust(role: str, person: Person) -> dict[str, str]:
    return {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": person.id}


def make_session(root: World, person: Person) -> dict[str, str]:
    """A role that a member has entered, the trust by which, the session, and a role that nobody may enter yet."""
    role = root.role(role_type="assumable")
    trust_id = root.post("/v2/role-trusts", trust(role, person))["id"]
    root.attach_policy(root.policy(allow("iam.role.AssumeRole")), user=person.id)
    session = root.as_(person.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})
    return {
        "entered_id": role,
        "trust_id": trust_id,
        "session_id": session["id"],
        "assumable_id": root.role(role_type="assumable"),
    }


def make_scene(database: str) -> Iterator[Scene]:
    node = build(Settings(database=database))
    with Loopback(application(node), raise_server_exceptions=False) as client:
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
            "principal_id": target.id,
            "resource_type": "document",
            "resource_id": "1",
            "acl": "dns",
            "invitation_id": root.post("/v2/invitation", {"email_invited": "invited@example.org"})["id"],
        }
        ids["invitation"] = ids["invitation_id"]
        root.call("PUT", "/v1/resources/document/1", {})
        ids |= make_session(root, root.person())
        # Who may do nothing is trusted all the same: what she lacks is the right.
        root.post("/v2/role-trusts", trust(ids["entered_id"], nobody))
        ids |= {"holder_id": target.id, "thing_id": root.role()}
        root.attach_role(ids["thing_id"], user=target.id)
        root.delete(f"/v2/roles/{ids['thing_id']}")
        yield Scene(root, root.as_(nobody.key), nobody.id, root.as_(root_of_another(node)), ids)


@pytest.fixture
def scene(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """A scene of the test's own."""
    yield from make_scene(make_database("sqlite"))


@pytest.fixture(scope="module")
def stage(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """One scene for all the calls that are refused: they must leave it as it is."""
    yield from make_scene(make_database("sqlite"))


@pytest.mark.parametrize(
    "operation", [*ENFORCED, *ROOT_ALONE], ids=[operation.name for operation in [*ENFORCED, *ROOT_ALONE]]
)
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
    named = target is not None and operation.requires.acting is not Acting.HERE
    resource = f"{operation.requires.on}:{scene.ids[f'{target[1]}_id'] if target and named else '*'}"
    # This is what the calls of this test grant: nobody grants what he does not hold.
    for granted in (allow(*operation.requires.any_of[0], on=resource), allow("disk.Read", "user.acl.DNS")):
        scene.root.attach_policy(scene.root.policy(granted), user=scene.nobody_id)

    response = scene.call(scene.nobody, operation)

    assert response.status_code == operation.status, response.text


@pytest.mark.parametrize("operation", BY_LINK, ids=[operation.name for operation in BY_LINK])
def test_nobody_without_a_link(stage: Scene, operation: Operation) -> None:
    """404 for a link that nobody was given, also for root; no revision spent."""
    before = stage.revision

    response = stage.call(stage.root, operation)

    assert response.status_code == 404, response.text
    assert stage.revision == before


@pytest.mark.parametrize("operation", BY_CREDENTIAL, ids=[operation.name for operation in BY_CREDENTIAL])
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic cm9vdDpyb290"])
def test_nobody_without_a_credential(stage: Scene, operation: Operation, authorization: str | None) -> None:
    """401 without a live credential."""
    headers = {} if authorization is None else {"Authorization": authorization}

    response = stage.root.client.request(
        operation.method, stage.path(operation), headers=headers, **stage.sent(operation)
    )

    assert response.status_code == 401, response.text


def test_every_verb_that_takes_away_is_one_of_a_door() -> None:
    assert VERBS.keys() >= TAKING


def test_every_door_is_tested_here() -> None:
    """A new door or a call without requirement is noticed: those without are about oneself alone."""
    auth0 = {row.name for row in (*MANAGEMENT, *TOKENS, *BY_TOKEN)}  # `api/auth0/test_doors.py` has these
    assert {operation.name for door in DOORS for operation in door.operations} == {row.name for row in ALL} | auth0
    free = [operation for operation in BY_CREDENTIAL if not operation.requires.any_of and not operation.requires.root]
    assert all(re.match(r"/v2/(users/me/|apikeys)|/v1/(memberships|apikeys)", operation.path) for operation in free)
    assert [row.path for row in BY_LINK] == [
        "/v1/invitations/{invitation}",
        "/v1/invitations/{invitation}/accept",
        "/v1/invitations/{invitation}/decline",
    ]
    assert [row.number for row in VULTR if row.requires.acting is not Acting.KEY] == [1, 3, 4, 5, 6, 94, 95]
