"""Faults: what happens to a cluster at random while it is under load. Each begins, lasts, and is over.

What cannot be brought about here, and is therefore not tested, stands in `NOT_TESTED`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from consistency.cluster import Cluster
from consistency.proxy import Moment

NOT_TESTED = (
    (
        "The clock of PostgreSQL's own machine: only those of the nodes' hosts are moved, which decide nothing there. "
        "On SQLite the node's clock is the database's, and it is moved."
    ),
    "Packets that are lost without a word: here a connection that is cut ends with a reset, or its answers come late.",
    (
        "The end of a whole machine, and disks that acknowledge what they did not write: `kill -9` ends processes, and "
        "the kernel keeps what they had written."
    ),
    "Failover to a standby, a former primary that nobody fenced, and poolers between nodes and PostgreSQL.",
    "SQLite on a network file system, or opened by several machines.",
    "Nodes on several machines, and more of them than two cores let run.",
)
"""What a sceptic may ask for and will not find here."""


class Strike(Protocol):
    """Lets a fault happen, to its end. With `is_long` it may last as long as it does in the worst of nights."""

    def __call__(self, cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None: ...


@dataclass(frozen=True)
class Fault:
    """A fault by its name, and to which clusters it can happen."""

    name: str
    strike: Strike
    fits: Callable[[Cluster], bool]


def _on_any(_: Cluster) -> bool:
    return True


def _on_workers(cluster: Cluster) -> bool:
    return cluster.workers > 1


def _on_sqlite(cluster: Cluster) -> bool:
    return cluster.kind == "sqlite"


def _on_postgres(cluster: Cluster) -> bool:
    return cluster.kind == "postgres"


def _on_own_server(cluster: Cluster) -> bool:
    return cluster.has_own_server


FAULTS: list[Fault] = []
"""Every fault."""


def _happens(fits: Callable[[Cluster], bool]) -> Callable[[Strike], Strike]:
    def register(strike: Strike) -> Strike:
        name: str = getattr(strike, "__name__")  # noqa: B009 - a protocol has no name, and functions do
        FAULTS.append(Fault(name.replace("_", " "), strike, fits))
        return strike

    return register


@_happens(_on_any)
def kill_a_node(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """`kill -9` with all its workers, and a while later it is started again."""
    node = _node(cluster, dice)
    cluster.kill(node)
    time.sleep(dice.uniform(0, 5.0 if is_long else 0.5))
    cluster.restart(node)


@_happens(_on_workers)
def kill_a_worker(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:  # noqa: ARG001 - it is short
    """`kill -9` of one worker, which its node replaces."""
    cluster.kill_worker(_node(cluster, dice), dice)


@_happens(_on_any)
def stop_and_continue_a_node(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """SIGSTOP, and seconds later SIGCONT: it wakes up with what it knew then."""
    node = _node(cluster, dice)
    cluster.pause(node)
    time.sleep(dice.uniform(1, 10 if is_long else 3))
    cluster.resume(node)


@_happens(_on_workers)
def stop_and_continue_a_worker(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:  # noqa: ARG001 - a node ends a worker that is silent for 5 s
    """The same for one worker, perhaps while it has the lock."""
    worker = dice.choice(cluster.nodes[_node(cluster, dice)].workers())
    worker.suspend()
    time.sleep(dice.uniform(1, 3))
    worker.resume()


@_happens(_on_any)
def put_the_clock_forward(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """Every node's host is ahead of the time for a while, and then it is put right."""
    _move_clocks(cluster, dice.uniform(1, 60 if is_long else 5))
    time.sleep(dice.uniform(0.5, 2))
    _move_clocks(cluster, 0)


@_happens(_on_any)
def put_the_clock_back(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """The same the other way."""
    _move_clocks(cluster, -dice.uniform(1, 3600 if is_long else 60))
    time.sleep(dice.uniform(0.5, 2))
    _move_clocks(cluster, 0)


@_happens(_on_sqlite)
def fill_the_disk(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """No file of the nodes can grow for a while."""
    with cluster.full_disk():
        time.sleep(dice.uniform(0.5, 5 if is_long else 2))


@_happens(_on_postgres)
def cut_the_connection(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """A node cannot reach the database."""
    node = _node(cluster, dice)
    cluster.cut(node)
    time.sleep(dice.uniform(0.1, 10 if is_long else 2))
    cluster.heal(node)


@_happens(_on_postgres)
def delay_the_connection(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """What the database says reaches one node late."""
    node = _node(cluster, dice)
    cluster.delay(node, dice.uniform(0.01, 0.5 if is_long else 0.2))
    time.sleep(dice.uniform(0.5, 5 if is_long else 2))
    cluster.heal(node)


@_happens(_on_postgres)
def drop_a_commit(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:  # noqa: ARG001 - it is short
    """The connection ends while a write commits: before or after that is done, and perhaps with all others."""
    node = _node(cluster, dice)
    then_cut = dice.random() < 0.5
    before = cluster.wires.drops(node)
    cluster.drop_commit(node, dice.choice(list(Moment)), then_cut=then_cut)
    deadline = time.monotonic() + 1
    while cluster.wires.drops(node) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(dice.uniform(0.05, 0.5) if then_cut else 0)
    cluster.heal(node)


@_happens(_on_own_server)
def restart_postgres(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:  # noqa: ARG001 - it is short
    """As for an update of it, or after a crash of it."""
    cluster.stop_database(crash=dice.random() < 0.5)
    cluster.start_database()


@_happens(_on_own_server)
def stop_postgres(cluster: Cluster, dice: random.Random, *, is_long: bool = False) -> None:
    """It is away for seconds: ten, if there is time."""
    cluster.stop_database(crash=dice.random() < 0.5)
    time.sleep(10 if is_long else dice.uniform(1, 3))
    cluster.start_database()


def _node(cluster: Cluster, dice: random.Random) -> int:
    return dice.randrange(len(cluster.nodes))


def _move_clocks(cluster: Cluster, seconds: float) -> None:
    for node in range(len(cluster.nodes)):
        cluster.move_clock(node, seconds)
