"""Workers: each has its share of the connections, and nobody waits for one that has died."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx2
import psutil
import pytest
import uvicorn

from rescind.workers import Workers, listeners
from servers import Server, rescind
from tenant import SECRET_KEY

CONNECTIONS = 60
SHARE_MIN = 8
"""Of sixty connections that fall on two workers by chance, fewer come to one once in a thousand million times."""

only_where_spread = pytest.mark.skipif(
    sys.platform != "linux",
    reason="Linux alone spreads connections among sockets at one address; elsewhere the workers share one, and none of "
    "this is promised",
)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workers")
    with Server(f"sqlite:///{folder}/rescind.db", folder, "--workers", "2", is_executed=True) as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    started.wait()
    return started


@only_where_spread
def test_connections_that_come_at_once_are_spread_among_the_workers(server: Server) -> None:
    connected = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    try:
        for one in connected:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n")
        for one in connected:
            assert one.recv(12) == b"HTTP/1.1 200"
        shares = [
            sum(link.laddr.port == server.port and bool(link.raddr) for link in worker.net_connections("tcp4"))
            for worker in server.workers()
        ]
    finally:
        for one in connected:
            one.close()
    assert sum(shares) == CONNECTIONS
    assert len(shares) == 2
    assert min(shares) >= SHARE_MIN, shares


def test_after_a_worker_is_killed_the_others_answer_and_another_follows(server: Server) -> None:
    before = server.workers()
    before[0].kill()
    # Until its parent has heard of it something is left of it.
    _, left = psutil.wait_procs(before[:1], timeout=30)
    assert not left
    assert all(asked(server))
    server.wait()
    after = set(server.workers())
    assert len(after) == 2
    assert after & set(before) == {before[1]}
    assert all(asked(server))


def test_each_worker_tells_what_all_of_them_have_decided(server: Server) -> None:
    world, path = server.world(), "/access/v1/evaluation"
    question = {key: {"type": "user", "id": "nobody"} for key in ("subject", "resource")} | {"action": {"name": "read"}}

    def decided() -> float:
        told = one.get("/metrics").text
        found = re.search(rf'request_seconds_count{{method="POST",route="{path}",status="200"}} (\S+)', told)
        return float(found[1]) if found else 0.0

    # One connection to one of the workers, and one for each question, which may come to either.
    with httpx2.Client(base_url=server.url) as one:
        before = decided()
        for _ in range(CONNECTIONS):
            assert world.call("POST", path, question, headers={"Connection": "close"}).status_code == 200
        deadline = time.monotonic() + 30
        while (number := decided() - before) < CONNECTIONS:
            assert time.monotonic() < deadline, number
            time.sleep(0.1)
        assert {decided() - before for _ in range(10)} == {CONNECTIONS}


def test_signals_that_would_change_the_number_of_workers_change_nothing(server: Server) -> None:
    before = set(server.workers())
    assert server.process is not None
    for number in (signal.SIGTTOU, signal.SIGTTIN):
        server.process.send_signal(number)
        time.sleep(1)
        assert set(server.workers()) == before
    assert all(asked(server))


def test_a_hang_up_replaces_every_worker(server: Server) -> None:
    before = set(server.workers())
    assert server.process is not None
    deadline = time.monotonic() + 60
    while before & set(server.workers()):
        assert time.monotonic() < deadline, "they should be replaced"
        # A new one that takes too long to start, on a busy machine, is given up, and the old ones stay.
        server.process.send_signal(signal.SIGHUP)
        time.sleep(5)
    server.wait()
    assert all(asked(server))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_at_the_same_address_is_refused(server: Server, tmp_path: Path, workers: int) -> None:
    other = {"RESCIND_DATABASE": f"sqlite:///{tmp_path}/other.db", "RESCIND_SECRET_KEY": SECRET_KEY}
    done = rescind("serve", "--port", str(server.port), "--workers", str(workers), **other)
    assert done.returncode != 0
    assert "address already in use" in done.stderr.lower()


def test_two_servers_that_start_together_do_not_share_an_address() -> None:
    """The second is refused though no worker of the first is there yet."""
    with listeners("127.0.0.1", 0, 2) as first:
        host, port = first[0].getsockname()
        with pytest.raises(OSError, match="in use"), listeners(host, port, 2):
            pass
    # After its end the address is free.
    with listeners(host, port, 2):
        pass


@only_where_spread
def test_nobody_waits_for_a_worker_that_is_only_starting() -> None:
    with listeners("127.0.0.1", 0, 2) as (ready, _):
        takes_all_connections(ready)


@only_where_spread
def test_nobody_waits_for_the_worker_that_follows_one_which_died(begun: list["Process"]) -> None:
    """Who waited for it already is told so at once, and comes again."""
    with listeners("127.0.0.1", 0, 2) as sockets:
        died, ready = sockets
        workers = Workers(config(2), sockets)
        workers.init_processes()
        died.listen()
        with socket.create_connection(died.getsockname(), timeout=5) as waits:
            begun[0].is_running = False
            workers.keep_subprocess_alive()
            with pytest.raises(ConnectionResetError):
                waits.recv(1)
        takes_all_connections(ready)
        assert workers.processes == [begun[2], begun[1]]
        followed = begun[2].sockets[0]
        assert followed.getsockname() == ready.getsockname()
        ready.close()
        takes_all_connections(followed)


def test_workers_that_die_as_soon_as_they_begin_are_followed_after_longer_and_longer_pauses(
    begun: list["Process"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them is followed at once, and so is one that has lived."""
    now = 0.0
    monkeypatch.setattr("rescind.workers.time", SimpleNamespace(monotonic=lambda: now))
    with listeners("127.0.0.1", 0, 2) as sockets:
        workers = Workers(config(2), sockets)
        workers.init_processes()
        lives = begun[1]
        at = []
        while now < 120:
            if workers.processes[0].is_running and not 40 < now < 80:
                workers.processes[0].is_running = False
            before = len(begun)
            workers.keep_subprocess_alive()
            at += [now] * (len(begun) - before)
            now += 0.5
        assert at == [0, 1.5, 4, 8.5, 17, 27.5, 38, 48.5, 80, 80.5, 82, 84.5, 89, 97.5, 108, 118.5]
        assert workers.processes[1] is lives


def test_without_a_supervisor_there_are_no_workers(
    begun: list["Process"], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """If a worker cannot be replaced, the others end, and it is said why."""
    monkeypatch.setattr("rescind.workers.Alarm", threading.Event)
    with listeners("127.0.0.1", 0, 3) as sockets:
        workers = Workers(config(3), sockets)

        def fail(*_: object) -> None:
            raise OSError("no process is to be had")

        def begin() -> None:
            init()
            begun[1].is_running = False
            monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", fail)

        init = workers.init_processes
        monkeypatch.setattr(workers, "init_processes", begin)
        with pytest.raises(OSError, match="no process"):
            workers.run()
    assert [process.is_running for process in begun] == [False] * 3
    assert "no process is to be had" in "".join(capfd.readouterr())


def test_nobody_waits_for_workers_that_were_told_to_end(begun: list["Process"]) -> None:
    """Whoever comes when they listen no longer is refused."""
    with listeners("127.0.0.1", 0, 2) as sockets:
        address = sockets[0].getsockname()
        workers = Workers(config(2), sockets)
        workers.init_processes()
        sockets[0].listen()
        workers.terminate_all()
        assert not any(process.is_running for process in begun)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)


def test_the_parent_hears_of_a_child_that_ends_and_of_an_order_at_once() -> None:
    """Whether a child ends or a signal comes: it does not wait for its next look."""
    script = """
import os, signal, subprocess
from rescind.workers import Alarm
signal.signal(signal.SIGHUP, lambda *_: None)
alarm = Alarm()
child = subprocess.Popen(["true"])
assert not alarm.wait(60)
child.wait()
os.kill(os.getpid(), signal.SIGHUP)
assert not alarm.wait(60)
assert not alarm.wait(0.01)
alarm.set()
assert alarm.wait(60)
"""
    subprocess.run([sys.executable, "-c", script], timeout=30, check=True)


def test_a_restart_ends_with_the_first_worker_that_cannot_be_replaced(begun: list["Process"]) -> None:
    """The others go on as they are: old and new ones must not be mixed for long."""
    workers = Workers(config(3), [socket.socket()] * 3)
    workers.sockets[0].close()
    workers.init_processes()
    before = list(workers.processes)
    assert before == begun
    workers.restart_all()
    assert workers.processes == before
    assert len(begun) == 4


class Process:
    """A worker in the eyes of its supervisor, which does nothing and is never ready."""

    pid, exitcode = 1, None

    def __init__(self, begun: list["Process"], _: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self.process = self
        self.is_running = True
        begun.append(self)

    def is_alive(self, **_: float) -> bool:
        return self.is_running

    def has_ended(self) -> bool:
        return not self.is_running

    def wait_until_ready(self, *_: object) -> bool:
        return False

    def terminate(self) -> None:
        self.is_running = False

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def join(self) -> None: ...


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The workers that a supervisor begins, in their order."""
    found: list[Process] = []
    monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", partial(Process, found))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return found


def config(workers: int) -> uvicorn.Config:
    return uvicorn.Config("rescind.app:create", factory=True, workers=workers, log_config=None)


def takes_all_connections(listener: socket.socket) -> None:
    """Listens, and whoever connects to its address comes to it."""
    listener.settimeout(5)
    listener.listen()
    for _ in range(CONNECTIONS):
        with socket.create_connection(listener.getsockname(), timeout=5):
            listener.accept()[0].close()


def asked(server: Server) -> Iterator[bool]:
    """Whether each of many connections of its own is answered."""
    for _ in range(CONNECTIONS):
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as one:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
                yield one.recv(12) == b"HTTP/1.1 200"
        except OSError:
            yield False
