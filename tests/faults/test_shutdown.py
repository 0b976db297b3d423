"""SIGTERM: what is under way is answered, nothing is begun, nothing is left behind."""

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from rescind.node import Node
from servers import Server
from world import ROOT_KEY

CONVENTIONAL = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the nodes of a test make their temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(params=[(), ("--workers", "2")], ids=["one process", "two workers"])
def running(
    database: str, tmp_path: Path, temporary: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Server, list[psutil.Process]]]:
    """A node and all its processes."""
    assert not list(temporary.iterdir())
    with Server(database, tmp_path, *request.param) as server:
        assert server.process is not None
        parent = psutil.Process(server.process.pid)
        yield server, [parent, *parent.children(recursive=True)]


def test_a_node_that_is_told_to_end_answers_what_is_under_way_and_takes_nothing_new(
    running: tuple[Server, list[psutil.Process]], node: Node
) -> None:
    server, processes = running
    world = server.world()
    before = node.store.head().revision
    # An idle connection that a client keeps must not hold the end up.
    idle = server.world()
    assert idle.status("/healthz") == 200
    with ThreadPoolExecutor(1) as pool:
        with node.store.writing():
            answer = pool.submit(world.call, "POST", "/v2/groups", {"display_name": "under way"})
            time.sleep(0.5)
            assert not answer.done(), "the write must wait for the lock"
            assert server.process is not None
            server.process.terminate()
            eventually(lambda: not listens(server))
            assert not answer.done()
            assert server.process.poll() is None, "it must wait for what is under way"
        response = answer.result(timeout=20)
    assert response.status_code == 201, response.text
    assert int(response.headers["Rescind-Revision"]) == before + 1
    assert server.process.wait(timeout=20) in CONVENTIONAL, server.log()
    assert node.store.head().revision == before + 1
    ended(server, processes)


@pytest.mark.parametrize("is_group", [False, True], ids=["the parent is told", "all are told"])
def test_a_node_that_is_told_to_end_fails_no_request(
    running: tuple[Server, list[psutil.Process]], *, is_group: bool
) -> None:
    """Clients ask over connections that they keep, until an answer says that it was the last; every one is answered."""
    server, _ = running
    assert server.process is not None
    answered = [0] * 8
    with ThreadPoolExecutor(len(answered)) as pool:
        asking = [pool.submit(ask_until_the_last, server, answered, place) for place in range(len(answered))]
        eventually(lambda: min(answered) > 10)
        if is_group:
            os.killpg(server.process.pid, signal.SIGTERM)
        else:
            server.process.terminate()
        eventually(lambda: httpx2.get(f"{server.url}/readyz").status_code == 503)
        for one in asking:
            one.result(timeout=20)
    assert server.process.wait(timeout=20) in CONVENTIONAL, server.log()


def test_a_node_with_nothing_to_do_ends_at_once_and_leaves_no_process_and_no_file(
    running: tuple[Server, list[psutil.Process]], temporary: Path
) -> None:
    server, processes = running
    assert server.world().status("/v2/groups") == 200
    began = time.monotonic()
    # Where there is no parent, as if nobody had looked at the signal: so whoever sent it takes it for a clean end.
    clean = 0 if len(server.workers()) > 1 else -signal.SIGTERM
    assert server.stop() == clean, server.log()
    assert time.monotonic() - began < 10
    ended(server, processes)
    assert "Traceback" not in server.log()
    assert [file.name for file in temporary.iterdir() if "rescind" in file.name] == []


def test_a_sqlite_database_is_one_whole_file_after_the_end(make_database: Callable[[str], str], tmp_path: Path) -> None:
    """The last connection folds the log of writes back: copying the one file is a backup."""
    database = make_database("sqlite")
    with Server(database, tmp_path) as server:
        server.world().group()
        assert server.stop() in CONVENTIONAL
    file = Path(database.removeprefix("sqlite:///"))
    assert [found.name for found in file.parent.iterdir() if found.name.startswith(file.name)] == [file.name]


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    with Server(make_database("sqlite"), tmp_path, "--workers", "2") as server:
        server.world().group()
        assert server.process is not None
        victim = server.workers()[0]
        victim.kill()
        eventually(lambda: len(server.workers()) == 2 and victim not in server.workers())
        server.wait()
        for _ in range(10):
            assert httpx2.get(f"{server.url}/readyz").status_code == 200
        assert len(server.world().get("/v2/groups")["groups"]) == 1


# --- helpers --------------------------------------------------------------------------------------------------------


def ask_until_the_last(server: Server, answered: list[int], place: int) -> None:
    """Ask for a decision again and again over one connection until it is ended by an answer; counts them there."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"Authorization": f"Bearer {ROOT_KEY}", "Content-Type": "application/json"}
    asked = {"subject": {"type": "user", "id": "x"}, "action": {"name": "a"}, "resource": {"type": "t", "id": "i"}}
    while True:
        connection.request("POST", "/access/v1/evaluation", json.dumps(asked), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        answered[place] += 1
        if response.getheader("connection") == "close":
            connection.close()
            return
        # Nothing is under way when the node is told to end, and something comes then.
        time.sleep(0.02)


def listens(server: Server) -> bool:
    """Whether a new connection is answered."""
    try:
        httpx2.get(f"{server.url}/healthz", timeout=0.5)
    except httpx2.TransportError:
        return False
    return True


def ended(server: Server, processes: list[psutil.Process]) -> None:
    """Nothing of the node is left: neither what it was, nor what it started since."""
    _, left = psutil.wait_procs(processes, timeout=5)
    assert not left
    assert server.process is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(server.process.pid, 0)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.02)
