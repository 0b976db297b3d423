"""A populated node for the tests of the doors, and a copy of it for each test."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from loopback import Loopback
from rescind.app import application
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.usecases.platform import new_root_key
from world import ROOT_KEY, World, allow

UNKNOWN_ID = "0190a0b0-0000-7000-8000-00000000dead"
MANAGED_POLICY = "00000000-0000-4000-a000-000000000001"
LONGEST_SESSION = 43_200


@dataclass(frozen=True)
class Ids:
    """One object of each kind. `assumable` is a role, and `session` the token of a session of it."""

    organization: str
    user: str
    key: str
    group: str
    role: str
    policy: str
    invitation: str
    assumable: str
    trust: str
    session: str


@dataclass(frozen=True)
class Town:
    """A node in which everything exists, spoken to as root.

    Of `ids`, user, role and policy are attached to each other and to the group, and every list that they lead to
    has at least three elements; the session is the user's. Of `bare`, nothing is attached to anything, except that
    root may assume the role, and did; she may assume that of `ids` too. `foreign` are those of an organization of
    which root is no member. `desert` is the root of an organization in which there is nothing else.
    """

    world: World
    desert: World
    elsewhere: World
    ids: Ids
    bare: Ids
    foreign: Ids
    managed_policy: str
    node: Node

    def names(self, ids: Ids) -> dict[str, str]:
        """Ids by the placeholders of paths; `own_key` is a spare key of root's, or a key that is not hers."""
        return {**asdict(ids), "own_key": ids.key if ids is self.foreign else self.bare.key}

    def revision(self) -> int:
        """The newest revision of the node."""
        return int(self.world.call("GET", "/v2/roles", params={"per_page": 1}).headers["Rescind-Revision"])

    def log(self) -> tuple[int, int]:
        """What no refused call may change: the newest revision, and how many changes the organization has."""
        return self.revision(), int(self.world.get("/v1/changes", per_page=1)["total"])


@contextmanager
def nothing_written(world: World) -> Iterator[None]:
    """No revision comes out of what is done inside."""
    before = world.call("GET", "/v2/roles").headers["Rescind-Revision"]
    yield
    assert world.call("GET", "/v2/roles").headers["Rescind-Revision"] == before


@pytest.fixture
def from_address() -> Iterator[Callable[[World, str], World]]:
    """Speak to the same node with the same key from another address."""
    with ExitStack() as clients:

        def speak(world: World, address: str) -> World:
            assert world.node is not None
            app = application(world.node)
            client = Loopback(app, raise_server_exceptions=False, client=(address, 50_000))
            return World(clients.enter_context(client), world.key, world.node)

        yield speak


@pytest.fixture(scope="session")
def town_template(make_database: Callable[[str], str]) -> Town:
    """The town, built once and closed. It is only ever copied."""
    node = build(Settings(database=make_database("sqlite")))
    with Loopback(application(node), raise_server_exceptions=False) as client:
        town = _founded(node, World(client, ROOT_KEY))
        with node.store.engine.pool.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return town


@pytest.fixture(scope="session")
def standing(town_template: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One town for all tests that only read it, or are refused."""
    yield from _copied(town_template, tmp_path_factory.mktemp("town"))


@pytest.fixture
def town(town_template: Town, tmp_path: Path) -> Iterator[Town]:
    """A town of this test's own."""
    yield from _copied(town_template, tmp_path)


def _copied(template: Town, folder: Path) -> Iterator[Town]:
    copy = folder / "town.db"
    shutil.copy(str(template.node.store.engine.pool.url.database), copy)
    node = build(Settings(database=f"sqlite:///{copy}"))
    with Loopback(application(node), raise_server_exceptions=False) as client:
        yield replace(
            template,
            world=World(client, template.world.key),
            desert=World(client, template.desert.key),
            elsewhere=World(client, template.elsewhere.key),
            node=node,
        )


def _founded(node: Node, world: World) -> Town:
    organization = world.organization()
    root = world.get("/v2/users")["users"][0]["id"]
    ids = _filled(world, organization, root)
    assumable = _assumable(world, "bare assumable")
    bare = Ids(
        organization,
        world.post("/v2/users", {"email": "bare@example.org", "name": "Bare", "service_user": True})["user"]["id"],
        world.post("/v2/apikeys", {"name": "spare"})["api_key"]["id"],
        world.group(name="bare"),
        world.role(name="bare"),
        world.policy(allow("x.y.Z"), name="bare"),
        _invited(world, "nobody"),
        assumable,
        _trusted(world, assumable, root),
        _assumed(world, assumable),
    )
    world.delete(f"/v2/users/{bare.user}/apikeys/{world.get(f'/v2/users/{bare.user}/apikeys')['api_keys'][0]['id']}")

    founder = world.person()
    # Whoever founds an organization is given everything in it, so he must hold everything.
    world.attach_policy(world.policy(allow("*")), user=founder.id)
    foreign = world.as_(founder.key).post("/v2/organizations", {"name": "Elsewhere"})["id"]
    elsewhere = world.as_(_root_key(node, foreign, founder.id))
    desert = world.post("/v2/organizations", {"name": "Desert"})["id"]
    world.post("/v2/organizations", {"name": "Third"})
    return Town(
        world=world,
        desert=world.as_(_root_key(node, desert, root)),
        elsewhere=elsewhere,
        ids=ids,
        bare=bare,
        foreign=_filled(elsewhere, foreign, founder.id),
        managed_policy=next(
            found["id"] for found in world.get("/v2/policies")["policies"] if found["is_system_policy"]
        ),
        node=node,
    )


def _filled(world: World, organization: str, root: str) -> Ids:
    people = [world.person(), world.person(service=True), world.person(service=True)]
    policies = [world.policy(allow("compute.instance.Read"), name=f"policy {number}") for number in range(3)]
    role = world.role(*policies, name="role 0")
    world.role(name="role 1")
    assumable = [_assumable(world, f"assumable {number}") for number in range(3)]
    groups = [world.group(*people, name=f"group {number}") for number in range(3)]
    for person in people:
        world.attach_role(role, user=person.id)
        world.attach_policy(policies[0], user=person.id)
    for group in groups:
        world.attach_role(role, group=group)
        world.attach_policy(policies[0], group=group)
    for _ in range(3):
        suspended = world.person(service=True)
        world.call("PUT", f"/v2/organizations/{organization}/user/{suspended.id}/suspend")
    key = world.get(f"/v2/users/{people[0].id}/apikeys")["api_keys"][0]["id"]
    invitations = [_invited(world, f"{organization}.{number}") for number in range(3)]
    trusts = [_trusted(world, assumable[0], person.id) for person in people]
    for another in assumable[1:]:
        _trusted(world, another, people[0].id)
    _trusted(world, assumable[0], root)
    world.attach_policy(world.policy(allow("iam.role.AssumeRole"), name="may assume"), user=people[0].id)
    sessions = [_assumed(world.as_(people[0].key), assumable[0]) for _ in range(3)]
    return Ids(
        organization,
        people[0].id,
        key,
        groups[0],
        role,
        policies[0],
        invitations[0],
        assumable[0],
        trusts[0],
        sessions[0],
    )


def _assumable(world: World, name: str) -> str:
    # The longest session there is outlasts every test.
    asked = {"name": name, "role_type": "assumable", "max_session_duration": LONGEST_SESSION}
    return str(world.post("/v2/roles", asked)["id"])


def _trusted(world: World, role: str, user: str) -> str:
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": user}
    return str(world.post("/v2/role-trusts", asked)["id"])


def _assumed(world: World, role: str) -> str:
    asked = {"role_id": role, "session_name": "session", "duration": LONGEST_SESSION}
    return str(world.post("/v2/assumed-roles/assume", asked)["session_token"])


def _invited(world: World, name: str) -> str:
    return str(world.post("/v2/invitation", {"email_invited": f"{name}@example.org"})["id"])


def _root_key(node: Node, organization: str, user: str) -> str:
    made = node.service.operate("test", str(uuid.uuid4()), new_root_key, organization=organization, user=user)
    return made.result.secret
