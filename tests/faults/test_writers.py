"""Writers at once: one at a time, each decided when its turn comes, and seen everywhere when it is acknowledged."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import sqlalchemy as sa

from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.verify import verify
from rescind.usecases import (
    allow_lists,
    groups,
    keys,
    organizations,
    platform,
    policies,
    roles,
    sessions,
    trusts,
    users,
)
from rescind.usecases.actor import Asking
from rescind.usecases.requirements import needs_credential
from rescind.usecases.service import Call
from rescind.usecases.unit import Unit
from servers import Server
from world import ROOT_KEY, Person, World, allow, deny

WRITES = 40
ROUNDS = 150


@pytest.fixture
def pair(database: str, serve: Callable[[str], Server]) -> tuple[Server, Server]:
    """Two nodes, each a process of its own, on one database."""
    return serve(database), serve(database)


@pytest.fixture
def other(database: str) -> Iterator[Node]:
    """A second node in this process, which shares nothing with the first but the database."""
    built = build(Settings(database=database))
    yield built
    built.store.close()


# --- two at once ----------------------------------------------------------------------------------------------------


def test_of_writes_on_two_nodes_each_is_done_or_cleanly_refused_and_has_a_revision_of_its_own(
    database: str, pair: tuple[Server, Server]
) -> None:
    before = revision_of(pair[0])
    written: list[int] = []
    refused = []

    def write(server: Server) -> None:
        with httpx2.Client(base_url=server.url, timeout=30) as client:
            for _ in range(WRITES):
                response = World(client, ROOT_KEY).call("POST", "/v2/groups", {"display_name": "group"})
                if response.status_code == 201:
                    written.append(int(response.headers["Rescind-Revision"]))
                else:
                    assert response.status_code == 503, response.text
                    assert response.headers["Retry-After"]
                    refused.append(response)

    at_once(lambda: write(pair[0]), lambda: write(pair[0]), lambda: write(pair[1]), lambda: write(pair[1]))
    assert sorted(written) == list(range(before + 1, before + 1 + len(written)))
    assert len(written) + len(refused) == 4 * WRITES
    assert len(written) > 2 * WRITES, "most writes must find their turn"
    assert revision_of(pair[0]) == revision_of(pair[1]) == before + len(written)
    assert verified(database)


def test_what_eight_clients_attach_and_detach_at_once_ends_as_the_log_explains(
    database: str, pair: tuple[Server, Server]
) -> None:
    root = pair[0].world()
    person, role = root.person(), root.role()
    before = revision_of(pair[0])
    answers: list[tuple[str, int, bool]] = []

    def toggle(server: Server, method: str) -> None:
        with httpx2.Client(base_url=server.url, timeout=30) as client:
            for _ in range(12):
                response = World(client, ROOT_KEY).call(method, f"/v2/roles/{role}/users/{person.id}")
                assert response.is_success, response.text
                revision = int(response.headers["Rescind-Revision"])
                answers.append((method, revision, "Rescind-Change" in response.headers))

    at_once(
        *(
            lambda server=server, method=method: toggle(server, method)
            for server in pair
            for method in ("POST", "DELETE", "POST", "DELETE")
        )
    )
    log = [root.get(f"/v1/changes/{number}") for number in range(before + 1, revision_of(pair[1]) + 1)]
    assert len(log) == sum(changed for _, _, changed in answers)
    attached = False
    state = {before: False}
    for change in log:
        # Attaching what is attached, or detaching what is not, is no change.
        assert change["operation"] == ("roles.detach_users" if attached else "roles.attach_users")
        assert bool(change["opened"]) is not attached
        assert bool(change["closed"]) is attached
        attached = not attached
        state[change["revision"]] = attached
    for method, revision, _ in answers:
        assert state[revision] is (method == "POST"), "an answer is true at the revision that it names"
    for server in pair:
        holders = [edge["user_id"] for edge in server.world().get(f"/v2/roles/{role}/users")["assignments"]]
        assert holders == ([person.id] if attached else [])
    assert verified(database)


# --- the right is decided when the lock is had ----------------------------------------------------------------------

Revoke = Callable[[Unit], object]
Prepared = tuple[Person, Revoke]


def by_role(world: World) -> Prepared:
    person = world.person()
    role = world.role(world.policy(allow("*")))
    world.attach_role(role, user=person.id)
    return person, lambda unit: roles.detach_users(unit, roles=[role], user=person.id)


def by_role_deleted(world: World) -> Prepared:
    person = world.person()
    role = world.role(world.policy(allow("*")))
    world.attach_role(role, user=person.id)
    return person, lambda unit: roles.delete(unit, role=role)


def by_policy_in_role(world: World) -> Prepared:
    person = world.person()
    policy = world.policy(allow("*"))
    role = world.role(policy)
    world.attach_role(role, user=person.id)
    return person, lambda unit: roles.detach_policy(unit, role=role, policy=policy)


def by_policy_edited(world: World) -> Prepared:
    person = world.person()
    policy = world.policy(allow("*"))
    world.attach_policy(policy, user=person.id)
    return person, lambda unit: policies.update(unit, policy=policy, document=allow("iam.group.List"))


def by_deny(world: World) -> Prepared:
    person, _ = by_policy_edited(world)
    denying = world.policy(deny("iam.group.Create"))
    return person, lambda unit: policies.attach_user(unit, policy=denying, user=person.id)


def by_group(world: World) -> Prepared:
    person = world.person()
    group = world.group(person)
    world.attach_policy(world.policy(allow("*")), group=group)
    return person, lambda unit: groups.remove_member(unit, group=group, user=person.id)


def by_key(world: World) -> Prepared:
    person, _ = by_policy_edited(world)
    key = world.get(f"/v2/users/{person.id}/apikeys")["api_keys"][0]["id"]
    return person, lambda unit: keys.delete_of_user(unit, user=person.id, key=key)


def by_membership(world: World) -> Prepared:
    person, _ = by_policy_edited(world)
    organization = world.organization()
    return person, lambda unit: organizations.remove_user(unit, organization=organization, user=person.id)


def by_account(world: World) -> Prepared:
    person = world.person(service=True)
    world.attach_policy(world.policy(allow("*")), user=person.id)
    return person, lambda unit: users.delete(unit, user=person.id)


def by_api_access(world: World) -> Prepared:
    person, _ = by_policy_edited(world)
    return person, lambda unit: users.update(unit, user=person.id, api_enabled=False)


def by_suspension(world: World) -> Prepared:
    person, _ = by_policy_edited(world)
    organization = world.organization()
    return person, lambda unit: organizations.suspend_user(unit, organization=organization, user=person.id)


def enter(world: World) -> tuple[Person, str, str, str]:
    """A session of a member as the writer, with its trust, its id and the policy by which she may assume."""
    person = world.person()
    role = world.role(world.policy(allow("*")), role_type="assumable")
    right = world.policy(allow("iam.role.AssumeRole"))
    world.attach_policy(right, user=person.id)
    body = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": person.id}
    trust = world.post("/v2/role-trusts", body)["id"]
    made = world.as_(person.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})
    return Person(person.id, made["session_token"], person.email), trust, made["id"], right


def by_session(world: World) -> Prepared:
    session, _, identifier, _ = enter(world)
    return session, lambda unit: sessions.end(unit, session=identifier)


def by_trust(world: World) -> Prepared:
    session, trust, _, _ = enter(world)
    return session, lambda unit: trusts.delete(unit, trust=trust)


def by_terms(world: World) -> Prepared:
    session, trust, _, _ = enter(world)
    asked = trusts.Asked(conditions={"ip_address": ["198.51.100.0/24"]})
    return session, lambda unit: trusts.update(unit, asked, trust=trust)


def by_right_to_assume(world: World) -> Prepared:
    session, _, _, right = enter(world)
    return session, lambda unit: policies.detach_user(unit, policy=right, user=session.id)


def by_allow_list(world: World) -> Prepared:
    person, _ = by_policy_edited(world)

    def close(unit: Unit) -> None:
        for subnet in ("0.0.0.0", "::"):
            allow_lists.remove(unit, user=person.id, subnet=subnet, size=0)

    return person, close


REVOCATIONS = {
    by_role: 403,
    by_role_deleted: 403,
    by_policy_in_role: 403,
    by_policy_edited: 403,
    by_deny: 403,
    by_group: 403,
    by_key: 401,
    by_membership: 401,
    by_account: 401,
    by_api_access: 403,
    by_suspension: 403,
    by_session: 401,
    by_trust: 401,
    by_terms: 401,
    by_right_to_assume: 401,
    by_allow_list: 401,
}


@pytest.fixture
def waits_for_lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Node], threading.Event]:
    """Says of a node when it has begun to ask its database for the write lock: the event is set then."""

    def watched(node: Node) -> threading.Event:
        arrived, go_on = threading.Event(), node.store.statements.execute

        def begin(_: Any, __: Any, statement: str, *___: Any) -> None:
            if statement == "BEGIN IMMEDIATE":
                arrived.set()

        def execute(connection: sa.Connection, statement: Any, values: Any) -> list[Any]:
            if isinstance(statement, sa.Update):
                arrived.set()
            return go_on(connection, statement, values)

        sa.event.listen(node.store.engine.writers, "before_cursor_execute", begin)
        monkeypatch.setattr(node.store.statements, "execute", execute)
        return arrived

    return watched


@pytest.mark.parametrize(("prepare", "status"), REVOCATIONS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_writer_whose_right_ends_while_she_waits_for_the_lock_is_refused_and_writes_nothing(
    world: World,
    node: Node,
    other: Node,
    waits_for_lock: Callable[[Node], threading.Event],
    prepare: Callable[[World], Prepared],
    status: int,
) -> None:
    person, revoke = prepare(world)
    writer = world.as_(person.key)
    assert writer.status("/v2/groups", "POST", {"display_name": "before"}) == 201

    def revoke_slowly(unit: Unit) -> Future[httpx2.Response]:
        """The lock is held here: the writer arrives, waits, and only then this is committed."""
        revoke(unit)
        arrived = waits_for_lock(node)
        waiting = pool.submit(writer.call, "POST", "/v2/groups", {"display_name": "after"})
        assert arrived.wait(10)
        time.sleep(0.1)
        assert not waiting.done(), "the writer must wait for the lock"
        return waiting

    with ThreadPoolExecutor(1) as pool:
        answer = other.service.write(as_root(), revoke_slowly)
        response = answer.result.result(timeout=10)
    assert response.status_code == status, response.text
    assert "Rescind-Revision" not in response.headers
    assert node.store.head().revision == answer.moment.revision, "nothing was written after the revocation"
    assert [group["display_name"] for group in world.get("/v2/groups")["groups"]].count("after") == 0
    assert verify(node.store).differences == []


def test_a_writer_whose_right_stays_while_she_waits_for_the_lock_gets_her_turn(
    world: World, node: Node, other: Node, waits_for_lock: Callable[[Node], threading.Event]
) -> None:
    """What holds the test above up: waiting is not what refuses."""
    person, _ = by_policy_edited(world)
    writer = world.as_(person.key)

    def rename_slowly(unit: Unit) -> Future[httpx2.Response]:
        groups.create(unit, name="meanwhile", description="")
        arrived = waits_for_lock(node)
        waiting = pool.submit(writer.call, "POST", "/v2/groups", {"display_name": "after"})
        assert arrived.wait(10)
        time.sleep(0.1)
        assert not waiting.done()
        return waiting

    with ThreadPoolExecutor(1) as pool:
        answer = other.service.write(as_root(), rename_slowly)
        response = answer.result.result(timeout=10)
    assert response.status_code == 201, response.text
    assert int(response.headers["Rescind-Revision"]) == answer.moment.revision + 1


def test_ownership_that_is_transferred_while_a_root_waits_for_the_lock_is_hers_no_more(
    world: World, node: Node, other: Node, waits_for_lock: Callable[[Node], threading.Event]
) -> None:
    heir = world.person()

    def transfer_slowly(unit: Unit) -> Future[httpx2.Response]:
        platform.transfer_root(unit, organization=organization, user=heir.id)
        arrived = waits_for_lock(node)
        waiting = pool.submit(world.call, "POST", "/v2/groups", {"display_name": "after"})
        assert arrived.wait(10)
        time.sleep(0.1)
        assert not waiting.done()
        return waiting

    organization = world.organization()
    with ThreadPoolExecutor(1) as pool:
        answer = other.service.operate("test", str(uuid.uuid4()), transfer_slowly)
        assert answer.result.result(timeout=10).status_code == 403
    assert node.store.head().revision == answer.moment.revision
    assert world.as_(heir.key).status("/v2/groups", "POST", {"display_name": "hers"}) == 201


# --- the lock that does not come ------------------------------------------------------------------------------------


def test_a_stranger_does_not_wait_for_the_lock(world: World, other: Node) -> None:
    """Whoever was met before him, and however often he comes."""
    world.group()
    with other.store.writing():
        for _ in range(2):
            assert world.as_("nobody's").status("/v2/groups", "POST", {"display_name": "late"}) == 401


def test_a_writer_waits_five_seconds_for_the_lock_and_then_is_told_to_come_again(
    world: World, node: Node, other: Node
) -> None:
    """Two writers: one waits for the other node's transaction, one behind the first in the same process."""
    before = node.store.head().revision

    def write() -> tuple[httpx2.Response, float]:
        began = time.monotonic()
        return world.call("POST", "/v2/groups", {"display_name": "late"}), time.monotonic() - began

    with ThreadPoolExecutor(3) as pool:
        with other.store.writing():
            waiting = [pool.submit(write) for _ in range(2)]
            time.sleep(1)
            # Readers do not wait.
            assert world.get("/v2/groups")["groups"] == []
            found = [future.result(timeout=20) for future in waiting]
        for response, seconds in found:
            assert response.status_code == 503, response.text
            assert int(response.headers["Retry-After"]) >= 1
            assert "Rescind-Outcome" not in response.headers, "nothing was written, and that is known"
            assert 4 < seconds < 7
    assert node.store.head().revision == before
    assert world.get("/v2/groups")["groups"] == []
    # The node has taken no harm.
    assert world.status("/v2/groups", "POST", {"display_name": "again"}) == 201
    assert node.store.head().revision == before + 1


def test_a_write_that_fails_half_way_leaves_neither_rows_nor_a_lock(world: World, node: Node, other: Node) -> None:
    before = node.store.head()

    def fail(unit: Unit) -> None:
        groups.create(unit, name="half", description="")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        node.service.write(as_root(), fail)
    assert other.store.head().revision == before.revision
    assert other.store.head().digest == before.digest
    assert world.status("/v2/groups", "POST", {"display_name": "again"}) == 201
    assert other.service.write(as_root(), organizations.create, name="other", type_="t").moment.revision == (
        before.revision + 2
    )


# --- acknowledged is seen everywhere --------------------------------------------------------------------------------


def test_what_one_node_acknowledged_the_next_request_on_every_other_node_reflects(pair: tuple[Server, Server]) -> None:
    root = pair[0].world()
    person = root.person()
    role = root.role(root.policy(allow("iam.group.List")))
    members = [server.world(person.key) for server in pair]
    roots = [server.world() for server in pair]
    for number in range(ROUNDS):
        writer, reader = number % 2, 1 - number % 2
        attached = roots[writer].call("POST", f"/v2/roles/{role}/users/{person.id}")
        seen = members[reader].call("GET", "/v2/groups")
        assert seen.status_code == 200, f"round {number}: {seen.text}"
        assert int(seen.headers["Rescind-Revision"]) >= int(attached.headers["Rescind-Revision"])
        assert roots[writer].call("DELETE", f"/v2/roles/{role}/users/{person.id}").status_code == 204
        assert members[reader].status("/v2/groups") == 403, f"round {number}"


def test_what_one_worker_acknowledged_the_next_request_to_every_other_worker_reflects(
    database: str, tmp_path: Path
) -> None:
    with Server(database, tmp_path, "--workers", "3") as server:
        root = server.world()
        person = root.person()
        role = root.role(root.policy(allow("iam.group.List")))
        with one_connection_to_each_worker(server, 3) as connections:
            for number in range(ROUNDS // 3):
                writer = World(connections[number % 3], ROOT_KEY)
                assert writer.status(f"/v2/roles/{role}/users/{person.id}", "POST") == 201
                for connection in connections:
                    assert World(connection, person.key).status("/v2/groups") == 200, f"round {number}"
                assert writer.status(f"/v2/roles/{role}/users/{person.id}", "DELETE") == 204
                for connection in connections:
                    assert World(connection, person.key).status("/v2/groups") == 403, f"round {number}"


def test_readers_under_load_are_never_refused_and_never_see_what_was_revoked(world: World) -> None:
    """Twelve readers share reads of the head, while the right comes and goes."""
    person = world.person()
    role = world.role(world.policy(allow("iam.group.List")))
    wrong: list[str] = []
    done = threading.Event()
    # Odd while a call is under way that takes the right; the readers judge only what lies between two calls.
    granted = {"generation": 0, "right": False}

    def read() -> None:
        while not done.is_set():
            before = dict(granted)
            status = world.as_(person.key).status("/v2/groups")
            after = dict(granted)
            if status not in (200, 403):
                wrong.append(f"status {status}")
            elif before == after and before["generation"] % 2 == 0 and (status == 200) is not before["right"]:
                wrong.append(f"status {status} while the right was {before['right']}")

    def change(method: str, *, right: bool) -> None:
        granted["generation"] += 1
        assert world.call(method, f"/v2/roles/{role}/users/{person.id}").is_success
        granted["right"] = right
        granted["generation"] += 1

    with ThreadPoolExecutor(12) as pool:
        readers = [pool.submit(read) for _ in range(12)]
        try:
            for _ in range(15):
                change("POST", right=True)
                time.sleep(0.02)
                change("DELETE", right=False)
                time.sleep(0.02)
        finally:
            done.set()
        for reader in readers:
            reader.result(timeout=30)
    assert not wrong, (len(wrong), wrong[:5])


# --- helpers --------------------------------------------------------------------------------------------------------


def at_once(*jobs: Callable[[], Any]) -> None:
    """Run the jobs in threads that begin together, and raise what any of them raised."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> None:
        gate.wait(10)
        job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(run, job) for job in jobs]:
            future.result(timeout=60)


def as_root() -> Call:
    """A call of root's that requires nothing more."""
    return Call(Asking(str(uuid.uuid4()), ROOT_KEY), needs_credential(on="user"))


@contextmanager
def one_connection_to_each_worker(server: Server, workers: int) -> Iterator[list[httpx2.Client]]:
    """Clients whose one kept connection each ends in another worker process."""
    assert server.process is not None
    clients: list[httpx2.Client] = []
    by_worker: dict[int, httpx2.Client] = {}
    try:
        while len(by_worker) < workers:
            assert len(clients) < 200, "a worker takes no connections"
            client = httpx2.Client(base_url=server.url, timeout=30)
            clients.append(client)
            stream = client.get("/healthz").extensions["network_stream"]
            port = stream.get_extra_info("client_addr")[1]
            for child in psutil.Process(server.process.pid).children(recursive=True):
                if any(found.raddr and found.raddr.port == port for found in child.net_connections()):
                    by_worker.setdefault(child.pid, client)
        yield list(by_worker.values())
    finally:
        for client in clients:
            client.close()


def revision_of(server: Server) -> int:
    return int(httpx2.get(f"{server.url}/readyz", timeout=30).json()["revision"])


def verified(database: str) -> bool:
    """Whether the log proves the tables."""
    node = build(Settings(database=database))
    report = verify(node.store)
    node.store.close()
    assert not report.differences, report.differences
    return True
