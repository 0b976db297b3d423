"""Freshness: no answer from before the request, none from a log that went back, none when the head cannot be read."""

import contextlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa

from loopback import Loopback
from rescind.api.mail import Mail
from rescind.app import application
from rescind.engine.activity import Activity
from rescind.engine.freshness import Freshness
from rescind.model.changes import Change
from rescind.model.errors import Unavailable
from rescind.node import Node, decisions_of
from rescind.settings import Settings
from rescind.store.contract import SCHEMA_VERSION, Head
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.logins import Logins
from rescind.store.verify import verify
from rescind.usecases.issuer import Issuer
from rescind.usecases.service import Service
from rescind.usecases.vault import Vault
from servers import Server, rescind
from tenant import SECRET_KEY
from world import ROOT_KEY, World

ISSUER = Issuer("http://127.0.0.1/", Vault(SECRET_KEY))


class Watched(Database):
    """The real store, whose reads of the head can be counted, held up, and made to say something else."""

    def __init__(self, database: str) -> None:
        super().__init__(engine_for(database))
        self.reads = 0
        self.gate: threading.Event | None = None
        self.sent = threading.Semaphore(0)
        self.told: Callable[[Head], Head] = lambda head: head

    def head(self, known: int = 0) -> Head:
        self.reads += 1
        gate = self.gate
        head = super().head(known)
        # The answer is there but has not come back: what is written from here on is not in it.
        self.sent.release()
        if gate is not None:
            assert gate.wait(20)
        return self.told(head)


def node_on(store: Database, freshness: Freshness) -> Node:
    """A node on a store that the test has its hands in."""
    service, decisions = Service(store, freshness, ISSUER), decisions_of(store, freshness)
    return Node(store, freshness, service, decisions, Activity(store), Mail(""), Logins(store), Settings())


@pytest.fixture
def store(database: str) -> Iterator[Watched]:
    opened = Watched(database)
    yield opened
    opened.close()


@pytest.fixture
def freshness(store: Watched) -> Freshness:
    return Freshness(store)


@pytest.fixture
def watched(store: Watched, freshness: Freshness) -> Iterator[World]:
    """A node on that store."""
    node = node_on(store, freshness)
    with Loopback(application(node), raise_server_exceptions=False) as client:
        yield World(client, ROOT_KEY)


# --- one read for all who wait --------------------------------------------------------------------------------------


def test_requests_that_wait_share_one_read_of_the_head(store: Watched, freshness: Freshness) -> None:
    store.gate = threading.Event()
    with ThreadPoolExecutor(17) as pool:
        first = pool.submit(freshness.now)
        assert store.sent.acquire(timeout=10)
        waiting = [pool.submit(freshness.now) for _ in range(16)]
        eventually(lambda: len(waiters(freshness)) == 16)
        store.gate.set()
        moments = {future.result(timeout=10) for future in [first, *waiting]}
    assert store.reads == 2
    assert {moment.revision for moment in moments} == {store.head().revision}


def test_a_read_that_was_under_way_when_the_request_came_is_not_its_answer(
    store: Watched, freshness: Freshness, node: Node
) -> None:
    """The write is acknowledged after the read was answered and before the request came."""
    store.gate = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(freshness.now)
        assert store.sent.acquire(timeout=10)
        revision = write(node)
        late = pool.submit(freshness.now)
        eventually(lambda: len(waiters(freshness)) == 1)
        store.gate.set()
        assert early.result(timeout=10).revision == revision - 1
        assert late.result(timeout=10).revision == revision


def test_what_the_node_wrote_before_a_loss_is_not_what_was_written_since(store: Watched, freshness: Freshness) -> None:
    """The same number may be another change after the log went back."""
    freshness.now()
    head = store.head()
    following = Change(head.revision + 1, head.time + 1, "{}", head.digest)
    freshness.written(head, following, [7])
    assert freshness.touched(head.epoch, head.revision, head.revision + 1) == {7: head.revision + 1}
    assert freshness.touched(head.epoch + 1, head.revision, head.revision + 1) is None
    freshness.written(head._replace(epoch=head.epoch + 1), following, [8])
    assert freshness.touched(head.epoch + 1, head.revision, head.revision + 1) == {8: head.revision + 1}


def test_nothing_is_remembered_by_time(store: Watched, freshness: Freshness) -> None:
    for number in range(1, 6):
        freshness.now()
        assert store.reads == number


def test_a_read_that_succeeds_is_never_answered_as_a_failure_to_those_who_waited(freshness: Freshness) -> None:
    """Threads that ask again at once begin the next read before those who wait for the last one wake up."""
    failures: list[str] = []

    def ask() -> None:
        for _ in range(300):
            try:
                freshness.now()
            except Unavailable as refusal:
                failures.append(refusal.message)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(ask) for _ in range(8)]:
            future.result(timeout=60)
    assert not failures, f"{len(failures)} of 2400 refused: {failures[0]}"


def test_a_read_that_fails_refuses_all_who_waited_for_it_and_the_next_one_answers(
    store: Watched, freshness: Freshness
) -> None:
    def refuse(_: Head) -> Head:
        raise Unavailable("the database cannot answer now")

    store.gate = threading.Event()
    store.told = refuse
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(freshness.now)]
        assert store.sent.acquire(timeout=10)
        asked += [pool.submit(freshness.now) for _ in range(8)]
        eventually(lambda: len(waiters(freshness)) == 8)
        store.gate.set()
        for future in asked:
            assert isinstance(future.exception(timeout=10), Unavailable)
    store.told = lambda head: head
    assert freshness.now().revision == store.head().revision


# --- time -----------------------------------------------------------------------------------------------------------


def test_the_instant_never_goes_back_when_the_clock_does(store: Watched, freshness: Freshness, node: Node) -> None:
    hour = 3_600_000_000
    before = freshness.now().instant
    store.told = lambda head: head._replace(clock=head.clock - hour)
    assert freshness.now().instant == before
    written = node.store.reading(write(node), before)
    with written as reader:
        time_of_change = reader.origins([reader.revision])[reader.revision][0]
    # Nor is it before the newest change, whose time another node's clock made.
    assert freshness.now().instant == max(before, time_of_change)
    store.told = lambda head: head
    later = freshness.now().instant
    assert later > before
    assert freshness.now().instant >= later


def test_a_node_whose_clock_is_behind_judges_by_the_newest_change(store: Watched, freshness: Freshness) -> None:
    store.told = lambda head: head._replace(clock=0)
    assert freshness.now().instant == store.head().time


def test_what_time_ended_stays_ended_and_changes_stay_in_order_when_the_databases_clock_goes_back(
    database: str,
) -> None:
    offset = {"microseconds": 0}
    engine = engine_for(database)
    engine.clock = sa.bindparam(
        "clock_of_test",
        callable_=lambda: time.time_ns() // 1000 + offset["microseconds"],
        type_=sa.BigInteger,
    )
    store = Database(engine)
    freshness = Freshness(store)
    node = node_on(store, freshness)
    with Loopback(application(node), raise_server_exceptions=False) as client:
        world = World(client, ROOT_KEY)
        person = world.person()
        made = world.post(f"/v2/users/{person.id}/apikeys", {"name": "short", "expire": True, "date_expire": soon(60)})
        key = made["api_key"]["api_key"]
        assert world.as_(key).status("/v2/users/me/groups") == 200
        offset["microseconds"] = 120_000_000
        assert world.as_(key).status("/v2/users/me/groups") == 401
        offset["microseconds"] = -3600_000_000
        assert world.as_(key).status("/v2/users/me/groups") == 401
        assert world.as_(key).status("/v2/apikeys", "POST", {"name": "longer"}) == 401
        for number in range(3):
            world.group(name=f"group{number}")
        times = [change["time"] for change in world.get("/v1/changes", limit=500)["changes"]]
        assert times == sorted(set(times))
    report = verify(store)
    store.close()
    assert not report.differences, report.differences


# --- a head that cannot be the end of what was known ----------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        lambda head: head._replace(revision=head.revision - 1, known_digest=None),
        lambda head: head._replace(known_digest="f" * 64),
        lambda head: head._replace(known_digest=None),
        lambda head: head._replace(schema_version=SCHEMA_VERSION + 1),
        lambda head: head._replace(is_replica=True),
        lambda head: head._replace(database=str(uuid.uuid4())),
        lambda head: head._replace(epoch=head.epoch - 1),
    ],
    ids=["fell", "digest", "forgotten", "newer schema", "replica", "another database", "older epoch"],
)
def test_a_head_that_cannot_be_trusted_is_refused_by_every_door_until_it_can(
    store: Watched, watched: World, told: Callable[[Head], Head]
) -> None:
    assert watched.status("/v2/groups") == 200
    store.told = told
    for _ in range(2):
        for path in ("/v2/groups", "/v1/changes", "/v2/users/me/groups"):
            response = watched.call("GET", path)
            assert response.status_code == 503, path
            assert int(response.headers["Retry-After"]) >= 1
        ready = watched.call("GET", "/readyz")
        assert ready.status_code == 503
        assert ready.json()["reason"]
        assert watched.status("/healthz") == 200
    store.told = lambda head: head
    assert watched.status("/v2/groups") == 200
    assert watched.status("/readyz") == 200


def test_a_newer_schema_stops_readers_and_writers(database: str, world: World) -> None:
    """A rolling update migrates the database under the old nodes. However often they are asked."""
    asked = {
        "subject": {"type": "user", "id": "nobody"},
        "action": {"name": "doc.read"},
        "resource": {"type": "doc", "id": "1"},
    }
    assert world.status("/readyz") == 200
    assert world.status("/access/v1/evaluation", "POST", asked) == 200
    execute(database, f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
    for _ in range(3):
        assert world.status("/readyz") == 503
        assert world.status("/v2/groups") == 503
        assert world.status("/access/v1/evaluation", "POST", asked) == 503
    assert world.status("/v2/groups", "POST", {"display_name": "group"}) == 503
    execute(database, f"UPDATE head SET schema_version = {SCHEMA_VERSION}")
    assert world.status("/v2/groups", "POST", {"display_name": "group"}) == 201


# --- a database that is restored from a backup ----------------------------------------------------------------------


class Sqlite:
    """A backup of a SQLite file, put back by SQLite itself while the node runs."""

    def __init__(self, database: str, _: sa.URL | None) -> None:
        self.file = Path(database.removeprefix("sqlite:///"))
        self.copy = self.file.with_suffix(".backup")

    def back_up(self) -> None:
        self._copy(self.file, self.copy)

    def restore(self) -> None:
        self._copy(self.copy, self.file)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)


class Postgres:
    """A backup of a PostgreSQL database, put back in its place: all connections end, the name stays."""

    def __init__(self, database: str, server: sa.URL | None) -> None:
        assert server is not None
        self.name = sa.make_url(database).database
        self.copy = f"{self.name}_backup"
        self.server = server

    def back_up(self) -> None:
        self._copy(self.name, self.copy)

    def restore(self) -> None:
        self._copy(self.copy, self.name)

    def _copy(self, source: str | None, target: str | None) -> None:
        with administrator(self.server) as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {source} ALLOW_CONNECTIONS false")
            disconnect(connection, source)
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY FILE_COPY")
            connection.exec_driver_sql(f"ALTER DATABASE {source} ALLOW_CONNECTIONS true")


@pytest.fixture
def backup(database: str, request: pytest.FixtureRequest) -> Sqlite | Postgres:
    if database.startswith("sqlite"):
        return Sqlite(database, None)
    return Postgres(database, request.getfixturevalue("postgres"))


def test_after_a_restore_every_running_node_refuses_until_the_operator_accepts_the_loss(
    database: str, serve: Callable[[str], Server], backup: Sqlite | Postgres
) -> None:
    """And again after the second one: the loss that was accepted was another one."""
    nodes = [serve(database), serve(database)]
    worlds = [node.world() for node in nodes]
    worlds[0].group(name="kept")
    backup.back_up()
    for number in range(2):
        eventually(lambda: all(world.status("/readyz") == 200 for world in worlds))
        worlds[0].group(name=f"lost{number}")
        assert worlds[1].status(f"/v2/groups?per_page={number + 1}") == 200
        backup.restore()
        eventually(lambda: all(reason(world) != "the database connection was lost" for world in worlds))
        for world in worlds:
            refused(world)
        # A node that starts now knows nothing of what was lost. What it writes does not heal the others.
        late = serve(database)
        for name in ("other", "more", "longer than it was"):
            late.world().group(name=name)
        late.kill()
        for world in worlds:
            refused(world)
        done = rescind("recover", "--accept-loss", RESCIND_DATABASE=database)
        assert done.returncode == 0, done.stderr
        for world in worlds:
            assert world.status("/readyz") == 200, f"after restore {number + 1}: {reason(world)}"
            assert names(world)[:4] == ["kept", "other", "more", "longer than it was"]
            assert world.status("/v2/groups", "POST", {"display_name": "goes on"}) == 201
    assert rescind("verify", RESCIND_DATABASE=database).returncode == 0


def test_a_log_whose_last_change_was_taken_away_is_refused(database: str, serve: Callable[[str], Server]) -> None:
    """By an administrator's hand, head and all, so that only the node's own memory can tell."""
    node = serve(database)
    world = node.world()
    world.group(name="kept")
    last = int(world.call("POST", "/v2/groups", {"display_name": "lost"}).headers["Rescind-Revision"])
    execute(
        database,
        f"DELETE FROM commitments WHERE revision = {last}",
        f"DELETE FROM profiles WHERE object IN (SELECT key FROM objects WHERE revision = {last})",
        f"DELETE FROM intervals WHERE revision_from = {last}",
        f"DELETE FROM objects WHERE revision = {last}",
        f"DELETE FROM changes WHERE revision = {last}",
        f"UPDATE head SET revision = {last - 1}, digest = (SELECT digest FROM changes WHERE revision = {last - 1})",
        f"UPDATE head SET time = (SELECT time FROM changes WHERE revision = {last - 1})",
    )
    refused(world)
    # The next change takes the number of the one that is gone: the digest tells them apart.
    with Freshly(database) as other:
        assert write(other) == last
    refused(world)
    assert rescind("recover", "--accept-loss", RESCIND_DATABASE=database).returncode == 0
    assert world.status("/v2/groups") == 200


def test_a_sqlite_file_that_another_file_replaced_is_not_answered_from(
    make_database: Callable[[str], str], serve: Callable[[str], Server]
) -> None:
    """`mv backup.db rescind.db` leaves the node with a file that nobody else sees any more."""
    database = make_database("sqlite")
    world = serve(database).world()
    world.group(name="kept")
    backup = Sqlite(database, None)
    backup.back_up()
    world.group(name="lost")
    backup.copy.replace(backup.file)
    for suffix in ("-wal", "-shm"):
        Path(f"{backup.file}{suffix}").unlink(missing_ok=True)
    with Freshly(database) as other:
        write(other)
    assert world.status("/v2/groups") == 503
    assert world.status("/readyz") == 503
    # Also to somebody whose key is not in it: it may be a key that was lost.
    for whoever in (world, world.as_("rescind_nobody")):
        assert whoever.status("/v2/groups", "POST", {"display_name": "into the void"}) == 503


# --- a database that is away ----------------------------------------------------------------------------------------


def test_while_the_database_is_away_every_answer_is_503_and_when_it_is_back_the_node_is_too(
    make_database: Callable[[str], str], postgres: sa.URL, serve: Callable[[str], Server]
) -> None:
    database = make_database("postgres")
    name = sa.make_url(database).database
    world = serve(database).world()
    for _ in range(2):
        assert world.status("/v2/groups") == 200
        with administrator(postgres) as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            disconnect(connection, name)
        for _ in range(3):
            response = world.call("GET", "/v2/groups")
            assert response.status_code == 503, response.text
            assert int(response.headers["Retry-After"]) >= 1
            response = world.call("POST", "/v2/groups", {"display_name": "nowhere"})
            assert response.status_code == 503, response.text
            assert "Rescind-Outcome" not in response.headers
            assert world.status("/readyz") == 503
            assert world.status("/healthz") == 200
        with administrator(postgres) as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert world.status("/v2/groups") == 200
        assert world.status("/v2/groups", "POST", {"display_name": "back"}) == 201
        assert world.status("/readyz") == 200
    assert names(world) == ["back", "back"]


def test_connections_that_the_database_ended_cost_no_more_than_one_answer_each(
    make_database: Callable[[str], str], postgres: sa.URL, serve: Callable[[str], Server]
) -> None:
    """A restart of PostgreSQL, between two requests: after a 503 or two the node answers again."""
    database = make_database("postgres")
    world = serve(database).world()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: world.status("/v2/groups"), range(40))) <= {200, 503}
    with administrator(postgres) as connection:
        disconnect(connection, sa.make_url(database).database)
    statuses = [world.status("/v2/groups") for _ in range(10)]
    assert set(statuses) <= {200, 503}
    assert statuses[3:] == [200] * 7, statuses


# --- helpers --------------------------------------------------------------------------------------------------------


class Freshly:
    """A second node in this process, which knows nothing of what the first has seen."""

    def __init__(self, database: str) -> None:
        self.store = Database(engine_for(database))
        freshness = Freshness(self.store)
        self.service = Service(self.store, freshness, ISSUER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def write(node: Node | Freshly) -> int:
    """A change by that node; its revision."""
    with node.store.writing() as writer:
        from rescind.model.changes import Origin, Plan

        return writer.commit(Plan(), Origin("test.write", str(uuid.uuid4()))).revision


def waiters(freshness: Freshness) -> list[Any]:
    """Who waits for a read that another thread has begun."""
    return list(freshness._turn._waiters)  # type: ignore[attr-defined] - the one way to know who waits


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.01)


def refused(world: World) -> None:
    """The node answers nothing, and says why."""
    for method, path, body in (
        ("GET", "/v2/groups", None),
        ("GET", "/v1/changes", None),
        ("POST", "/v2/groups", {"display_name": "no"}),
    ):
        response = world.call(method, path, body)
        assert response.status_code == 503, (method, path, response.text)
        assert int(response.headers["Retry-After"]) >= 1
        assert "recover" in response.text
    assert world.status("/readyz") == 503
    assert "rescind recover --accept-loss" in reason(world)


def reason(world: World) -> str:
    return str(world.call("GET", "/readyz").json().get("reason", ""))


def names(world: World) -> list[str]:
    return [group["display_name"] for group in world.get("/v2/groups")["groups"]]


def soon(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + seconds))


def execute(database: str, *statements: str) -> None:
    """Write to the database past every rule."""
    engine = engine_for(database)
    with engine.pool.connect() as connection:
        engine.begin(connection, 5000)
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("COMMIT")
    engine.pool.dispose()


@contextlib.contextmanager
def administrator(server: sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def disconnect(connection: sa.Connection, name: str | None) -> None:
    """End every other connection to a database, and wait until they are gone."""
    mine = "pid <> pg_backend_pid()"
    connection.exec_driver_sql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND {mine}"
    )
    left = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND {mine}"
    eventually(lambda: connection.exec_driver_sql(left).scalar_one() == 0)
