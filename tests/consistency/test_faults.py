"""Faults one by one, each brought about at the moment that matters, and what the nodes must do then."""

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from consistency.checker import check
from consistency.cluster import KINDS, Cluster
from consistency.faults import FAULTS, Chance, Fault
from consistency.history import Call, Client, History
from consistency.launcher import COMMAND
from consistency.proxy import Moment
from consistency.schedules import LANES, READER, WRITER, Scene
from faults.test_freshness import Postgres, Sqlite, execute
from nursery import Nursery
from rescind.store.contract import SCHEMA_VERSION
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.verify import verify
from servers import rescind
from world import ROOT_KEY

ROUNDS = 4
NOBODY = {"subject": {"type": "user", "id": "x"}, "action": {"name": "a"}, "resource": {"type": "t", "id": "i"}}
Start = Callable[..., Cluster]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Nursery]:
    made = Nursery(COMMAND)
    yield made
    made.close()


@pytest.fixture
def start(
    launcher: Nursery, make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Start a cluster: by default two nodes of one process each, on an initialised database."""
    started: list[Cluster] = []

    def begin(kind: str, *, workers: int = 1, nodes: int = 2, database: str | None = None) -> Cluster:
        folder = tmp_path_factory.mktemp("cluster")
        at = database or make_database(kind)
        started.append(Cluster(kind, nodes, workers, folder, database=at, launcher=launcher))
        return started[-1].__enter__()

    yield begin
    for cluster in started:
        cluster.close()


@contextmanager
def scene_on(cluster: Cluster, *, true_clocks: bool = True) -> Iterator[Scene]:
    """A scene in which everything must be right at the end."""
    scene = Scene(cluster)
    try:
        yield scene
    finally:
        scene.close()
    assert [str(one) for one in check(scene.history, cluster.database, true_clocks=true_clocks)] == []


def is_allowed(call: Call) -> bool | None:
    return call.answer["decision"] if call.status == 200 else None


# --- the beginning --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_two_nodes_that_start_at_once_on_an_empty_database_are_one_server(
    kind: str, start: Start, make_empty: Callable[[str], str]
) -> None:
    cluster = start(kind, database=make_empty(kind))
    store = Database(engine_for(cluster.database))
    assert store.head().revision == 1, "one of them initialised it, once"
    assert verify(store).differences == []
    store.close()
    with scene_on(cluster) as scene:
        scene.detach(scene.ann, scene.role)
        assert is_allowed(scene.ask(scene.ann)) is False


# --- a node that is stopped and goes on -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_goes_on_after_it_was_stopped_does_not_answer_from_the_past(kind: str, start: Start) -> None:
    """One question is under way when it is stopped, and one comes while it is, after the revoke was acknowledged."""
    cluster, dice = start(kind), random.Random(6)
    with scene_on(cluster) as scene:
        early = scene.another("early")
        for _ in range(ROUNDS):
            assert is_allowed(scene.ask(scene.ann))
            asking = threading.Thread(target=scene.ask, args=(scene.ann,), kwargs={"client": early})
            asking.start()
            time.sleep(dice.uniform(0, 0.005))
            cluster.pause(READER)
            assert scene.detach(scene.ann, scene.role).acknowledged
            threading.Timer(0.3, cluster.resume, [READER]).start()
            late = scene.ask(scene.ann)
            assert late.ended - late.began > 200_000_000, "it must have waited for the node to go on"
            assert is_allowed(late) is False
            asking.join()
            scene.attach(scene.ann, scene.role)
        early.close()


def test_a_writer_that_is_stopped_with_the_lock_holds_up_the_others_and_nothing_is_lost(start: Start) -> None:
    cluster = start("postgres")
    with scene_on(cluster) as scene:
        slow = scene.another("slow")
        cluster.delay(WRITER, 0.05)
        writing = threading.Thread(target=scene.detach, args=(scene.ann, scene.role), kwargs={"client": slow})
        writing.start()
        wait_for_the_lock(cluster.database)
        cluster.pause(WRITER)
        threading.Timer(1, cluster.resume, [WRITER]).start()
        body = {"display_name": "after", "description": ""}
        call = scene.write("groups.create", "POST", "/v2/groups", body, node=READER)
        assert call.acknowledged
        assert call.ended - call.began > 500_000_000
        writing.join()
        cluster.heal(WRITER)
        slow.close()
        assert is_allowed(scene.ask(scene.ann)) is False


# --- time -----------------------------------------------------------------------------------------------------------


def test_what_time_has_ended_stays_ended_when_the_clock_goes_back(start: Start) -> None:
    """Forward by two minutes, and back to an hour ago: on every node, and for changes that come then."""
    cluster = start("sqlite")
    with scene_on(cluster, true_clocks=False) as scene:
        end = time.time_ns() // 1000 + 60_000_000
        path = f"/v1/roles/{scene.role}/users/{scene.ann.id}"
        opens = [scene.fact("role_attachment", scene.ann.id, scene.role)]
        scene.write("roles.attach_users", "PUT", path, {"expires_at": end}, opens=opens)
        for seconds, allowed in ((0, True), (120, False), (0, False), (-3600, False)):
            for node in (WRITER, READER):
                cluster.move_clock(node, seconds)
            instants = []
            for node in (WRITER, READER):
                call = scene.ask(scene.ann, node)
                assert is_allowed(call) is allowed, seconds
                assert call.instant is not None
                instants.append(call.instant)
            assert (min(instants) > end) is not allowed
            scene.detach(scene.bob, scene.second_role)
            assert is_allowed(scene.ask(scene.bob)) is False
            scene.attach(scene.bob, scene.second_role)
        with scene.world() as world:
            times = [change["time"] for change in world.get("/v1/changes", limit=500)["changes"]]
        assert times == sorted(set(times))


# --- a disk without space -------------------------------------------------------------------------------------------


def test_where_no_file_can_grow_writes_are_refused_and_decisions_go_on(start: Start) -> None:
    cluster = start("sqlite", nodes=1, workers=2)
    with scene_on(cluster) as scene:
        assert is_allowed(scene.ask(scene.ann))
        with cluster.full_disk():
            refused = [scene.detach(scene.ann, scene.role)]
            while refused[-1].acknowledged and len(refused) < 200:
                # What was folded back made some room in the log of writes.
                refused += [scene.attach(scene.ann, scene.role), scene.detach(scene.ann, scene.role)]
            assert refused[-1].status == 503
            assert not refused[-1].outcome_unknown
            assert scene.ask(scene.ann).status == 200
        assert scene.attach(scene.ann, scene.role).acknowledged
        assert scene.detach(scene.ann, scene.role).acknowledged
        assert is_allowed(scene.ask(scene.ann)) is False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    how = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(how, capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody but root can mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_on_a_disk_that_is_full_writes_are_refused_until_there_is_room(
    small_disk: Path, make_database: Callable[[str], str], start: Start
) -> None:
    file, filler = small_disk / "rescind.db", small_disk / "filler"
    file.write_bytes(Path(make_database("sqlite").removeprefix("sqlite:///")).read_bytes())
    cluster = start("sqlite", database=f"sqlite:///{file}")
    with scene_on(cluster) as scene:
        assert is_allowed(scene.ask(scene.ann))
        with suppress(OSError), filler.open("wb", buffering=0) as filling:
            while filling.write(bytes(4096)):
                pass
        calls = [scene.detach(scene.ann, scene.role)]
        while calls[-1].acknowledged and len(calls) < 200:
            calls += [scene.attach(scene.ann, scene.role), scene.detach(scene.ann, scene.role)]
        assert calls[-1].status == 503
        assert scene.ask(scene.ann).status == 200
        filler.unlink()
        assert scene.attach(scene.ann, scene.role).acknowledged
        assert scene.detach(scene.ann, scene.role).acknowledged
        assert is_allowed(scene.ask(scene.ann)) is False
    for node in cluster.nodes:
        node.kill()


# --- the way to the database ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("then_cut", [False, True], ids=["one connection", "every connection"])
@pytest.mark.parametrize("moment", Moment)
def test_a_commit_in_whose_middle_the_connection_ends_is_in_the_log_once_or_not_at_all_as_the_client_is_told(
    moment: Moment, *, then_cut: bool, start: Start
) -> None:
    """Nobody is told that nothing was written, if it was: where the log cannot be asked, that its fate is unknown."""
    cluster = start("postgres")
    with scene_on(cluster) as scene:
        assert is_allowed(scene.ask(scene.ann))
        cluster.drop_commit(WRITER, moment, then_cut=then_cut)
        call = scene.write("groups.create", "POST", "/v2/groups", {"display_name": "once", "description": ""})
        assert cluster.wires.drops(WRITER) == 1
        cluster.heal(WRITER)
        wait_until_ready(cluster)
        assert requests(cluster.database).count(call.request_id) == (moment is not Moment.BEFORE)
        fates = {
            Moment.BEFORE: ["unavailable"],
            Moment.DONE: ["acknowledged"],
            Moment.TOLD: ["acknowledged", "unknown"],
        }
        told = fates[moment] if moment is Moment.TOLD or not then_cut else ["unknown"]
        assert call.fate in told
        assert call.acknowledged or call.status == 503


def test_a_node_that_cannot_reach_the_database_says_so_and_answers_nothing(start: Start) -> None:
    cluster = start("postgres")
    with scene_on(cluster) as scene:
        assert is_allowed(scene.ask(scene.ann))
        world = cluster.nodes[READER].world()
        cluster.cut(READER)
        assert world.status("/readyz") == 503
        scene.detach(scene.ann, scene.role)
        assert scene.ask(scene.ann).status == 503
        cluster.heal(READER)
        wait_until_ready(cluster)
        assert is_allowed(scene.ask(scene.ann)) is False


# --- a database that is another one than before ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_restored_backup_nothing_is_answered_until_an_operator_accepts_the_loss(
    kind: str, start: Start, request: pytest.FixtureRequest
) -> None:
    """Then everything is right but for the one write that he gave up, and the checker says so."""
    cluster = start(kind)
    server: sa.URL | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    backup = Postgres(cluster.database, server) if server else Sqlite(cluster.database, None)
    scene = Scene(cluster)
    assert is_allowed(scene.ask(scene.ann))
    backup.back_up()
    wait_until_ready(cluster)
    lost = scene.detach(scene.ann, scene.role)
    assert lost.acknowledged
    assert is_allowed(scene.ask(scene.ann)) is False
    backup.restore()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        for node in (WRITER, READER):
            assert scene.ask(scene.ann, node).status == 503
        assert scene.detach(scene.bob, scene.second_role).status == 503
    done = rescind("recover", "--accept-loss", RESCIND_DATABASE=cluster.database)
    assert done.returncode == 0, done.stderr
    wait_until_ready(cluster)
    for node in (WRITER, READER):
        assert is_allowed(scene.ask(scene.ann, node))
    scene.close()
    found = check(scene.history, cluster.database)
    assert {(one.name, call.number) for one in found if one.name == "lost" for call in one.calls} == {
        ("lost", lost.number)
    }


def test_a_node_over_a_newer_schema_answers_nothing_and_does_not_start(start: Start) -> None:
    """As in an update that goes from node to node: the old ones stop when the database is migrated."""
    cluster = start("postgres")
    with scene_on(cluster) as scene:
        assert is_allowed(scene.ask(scene.ann))
        execute(cluster.database, f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
        for node in (WRITER, READER):
            assert scene.ask(scene.ann, node).status == 503
            assert cluster.nodes[node].world().status("/readyz") == 503
        assert scene.detach(scene.ann, scene.role).status == 503
        cluster.kill(READER)
        with pytest.raises(AssertionError, match="did not start"):
            cluster.restart(READER)
        execute(cluster.database, f"UPDATE head SET schema_version = {SCHEMA_VERSION}")
        cluster.restart(READER)
        scene.hang_up()
        assert scene.detach(scene.ann, scene.role).acknowledged
        assert is_allowed(scene.ask(scene.ann)) is False


# --- the faults of the soak -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_after_each_fault_of_the_soak_the_cluster_is_well_again(kind: str, launcher: Nursery, tmp_path: Path) -> None:
    """Each while somebody writes: no call fails but by 503 or with its connection, and nothing is lost."""
    # Workers are the same on both.
    nodes, workers = (1, 2) if kind == "sqlite" else (2, 1)
    with Cluster(kind, nodes, workers, tmp_path, launcher=launcher, is_mixed=True) as cluster:
        fitting = [one for one in FAULTS if one.fits(cluster)]
        with scene_on(cluster, true_clocks=False) as scene:
            for number, fault in enumerate(fitting):
                strike_and_recover(fault, cluster, scene, random.Random(number))


def strike_and_recover(fault: Fault, cluster: Cluster, scene: Scene, dice: random.Random) -> None:
    ends = threading.Event()

    def keep_writing() -> None:
        busy = scene.another(fault.name)
        while not ends.is_set():
            scene.write("groups.create", "POST", "/v2/groups", {"display_name": "x", "description": ""}, client=busy)
            time.sleep(0.05)
        busy.close()

    writing = threading.Thread(target=keep_writing)
    writing.start()
    try:
        fault.strike(cluster, Chance(dice))
    finally:
        ends.set()
        writing.join()
    wait_until_ready(cluster)
    scene.hang_up()
    for node in range(len(cluster.nodes)):
        assert scene.ask(scene.ann, node).status == 200, fault.name
    assert scene.detach(scene.ann, scene.role).acknowledged, fault.name
    assert is_allowed(scene.ask(scene.ann)) is False, fault.name
    assert scene.attach(scene.ann, scene.role).acknowledged, fault.name


# --- helpers --------------------------------------------------------------------------------------------------------


def wait_until_ready(cluster: Cluster) -> None:
    """Until every process of every node answers: each learns for itself that its connections have died."""
    deadline = time.monotonic() + 20
    client = Client(History(), "waiting", cluster.urls)
    for node in range(len(cluster.nodes)):
        left = LANES * cluster.workers
        while left:
            assert time.monotonic() < deadline, f"node {node} does not recover"
            client.hang_up(node)  # the next connection may be another worker's
            managed = client.read(node, "groups", {}, "GET", "/v2/users/me/groups", token=ROOT_KEY)
            decided = client.read(node, "evaluation", {}, "POST", "/access/v1/evaluation", NOBODY, token=ROOT_KEY)
            left = left - 1 if managed.status == decided.status == 200 else LANES * cluster.workers
    client.close()


def wait_for_the_lock(database: str) -> None:
    """Until somebody has the write lock of a PostgreSQL database."""
    engine = engine_for(database)
    deadline = time.monotonic() + 10
    with engine.pool.connect() as connection:
        while connection.exec_driver_sql("SELECT 1 FROM head FOR UPDATE SKIP LOCKED").first():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    engine.pool.dispose()


def requests(database: str) -> list[str]:
    """The request of every change of the log."""
    engine = engine_for(database)
    with engine.pool.connect() as connection:
        found = [row.request for row in connection.exec_driver_sql("SELECT request FROM changes")]
    engine.pool.dispose()
    return found
