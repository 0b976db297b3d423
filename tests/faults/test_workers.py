"""Workers: each has its share of the connections, and one that dies is followed by another at the same place."""

import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn

from rescind.workers import Workers, listeners
from servers import Server, rescind
from tenant import SECRET_KEY

CONNECTIONS = 60
SHARE_MIN = 8
"""Of sixty connections that fall on two workers by chance, fewer come to one once in a thousand million times."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workers")
    with Server(f"sqlite:///{folder}/rescind.db", folder, "--workers", "2") as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    both_listen(started)
    return started


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all workers listen on one socket")
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


def test_a_worker_that_is_killed_is_followed_by_another_and_no_connection_is_refused(server: Server) -> None:
    before = set(server.workers())
    victim = server.workers()[0]
    victim.send_signal(signal.SIGKILL)
    # Whoever falls on its socket waits for the one that follows.
    assert all(asked(server))
    after = set(server.workers())
    assert victim not in after
    assert len(after) == 2
    assert len(after & before) == 1


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
    both_listen(server)
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all workers listen on one socket")
def test_nobody_waits_for_a_worker_that_is_only_starting() -> None:
    with listeners("127.0.0.1", 0, 2) as (ready, _):
        ready.settimeout(5)
        ready.listen()
        for _ in range(CONNECTIONS):
            with socket.create_connection(ready.getsockname(), timeout=5):
                ready.accept()[0].close()


def test_a_restart_ends_with_the_first_worker_that_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on as they are: old and new ones must not be mixed for long."""
    begun = []

    class Process:
        pid, exitcode = 1, None

        def __init__(self, *_: object) -> None:
            begun.append(self)

        def wait_until_ready(self, *_: object) -> bool:
            return False

        def start(self) -> None: ...
        def kill(self) -> None: ...
        def join(self) -> None: ...

    monkeypatch.setattr("uvicorn.supervisors.multiprocess.Process", Process)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    config = uvicorn.Config("rescind.app:create", factory=True, workers=3, log_config=None)
    workers = Workers(config, [socket.socket()] * 3)
    workers.sockets[0].close()
    workers.init_processes()
    before = list(workers.processes)
    assert before == begun
    workers.restart_all()
    assert workers.processes == before
    assert len(begun) == 4


def both_listen(server: Server) -> None:
    """Wait until there are two workers again that take connections."""
    deadline = time.monotonic() + 30
    while sum(link.status == psutil.CONN_LISTEN for link in links(server)) < 2:
        assert time.monotonic() < deadline, "two workers should listen"
        time.sleep(0.1)


def links(server: Server) -> list[Any]:
    """The sockets of workers at the server's port."""
    return [
        link for worker in server.workers() for link in worker.net_connections("tcp4") if link.laddr.port == server.port
    ]


def asked(server: Server) -> Iterator[bool]:
    """Whether each of many connections of its own is answered."""
    for _ in range(CONNECTIONS):
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as one:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
                yield one.recv(12) == b"HTTP/1.1 200"
        except OSError:
            yield False
