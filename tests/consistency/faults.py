"""Faults: what happens to a cluster at random while it is under load. Each begins, lasts, and is over.

What cannot be brought about here, and is therefore not tested, stands in `NOT_TESTED`.
"""

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

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


@dataclass(frozen=True, slots=True)
class Chance:
    """What a fault leaves to chance. Where it `is_long`, some last as long as they do in the worst of nights."""

    dice: random.Random
    is_long: bool = False

    def between(self, least: float, most: float, at_worst: float | None = None) -> float:
        """A number from the least to the most, which is another one in such a night."""
        return self.dice.uniform(least, at_worst if self.is_long and at_worst is not None else most)


Strike = Callable[[Cluster, Chance], None]
"""Lets a fault happen, to its end."""


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


def _managed(cluster: Cluster) -> list[int]:
    """The nodes that manage in a process of its own."""
    return [place for place, node in enumerate(cluster.nodes) if "--management-process" in node.options]


def _on_managers(cluster: Cluster) -> bool:
    return bool(_managed(cluster))


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
        FAULTS.append(Fault(strike.__name__.replace("_", " "), strike, fits))
        return strike

    return register


@_happens(_on_any)
def kill_a_node(cluster: Cluster, chance: Chance) -> None:
    """`kill -9` with all its workers, and a while later it is started again."""
    node = _node(cluster, chance)
    cluster.kill(node)
    time.sleep(chance.between(0, 0.5, 5.0))
    cluster.restart(node)


@_happens(_on_workers)
def kill_a_worker(cluster: Cluster, chance: Chance) -> None:
    """`kill -9` of one worker, which its node replaces."""
    cluster.kill_worker(_node(cluster, chance), chance.dice)


@_happens(_on_managers)
def kill_a_management_process(cluster: Cluster, chance: Chance) -> None:
    """`kill -9` of a process that is for management calls: its worker goes on without it, until it has another."""
    cluster.kill_manager(chance.dice.choice(_managed(cluster)))
    time.sleep(chance.between(0, 2))


@_happens(_on_managers)
def stop_and_continue_a_management_process(cluster: Cluster, chance: Chance) -> None:
    """The same with SIGSTOP and SIGCONT, perhaps while it has the lock."""
    for manager in cluster.nodes[chance.dice.choice(_managed(cluster))].managers()[:1]:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ends with its worker
            manager.suspend()
            time.sleep(chance.between(1, 3))
            manager.resume()


@_happens(_on_any)
def stop_and_continue_a_node(cluster: Cluster, chance: Chance) -> None:
    """SIGSTOP, and seconds later SIGCONT: it wakes up with what it knew then."""
    node = _node(cluster, chance)
    cluster.pause(node)
    time.sleep(chance.between(1, 3, 10))
    cluster.resume(node)


@_happens(_on_workers)
def stop_and_continue_a_worker(cluster: Cluster, chance: Chance) -> None:
    """The same for one worker, perhaps while it has the lock."""
    worker = chance.dice.choice(cluster.nodes[_node(cluster, chance)].workers())
    worker.suspend()
    time.sleep(chance.between(1, 3))
    worker.resume()


@_happens(_on_any)
def put_the_clock_forward(cluster: Cluster, chance: Chance) -> None:
    """Every node's host is ahead of the time for a while, and then it is put right."""
    _move_clocks(cluster, chance.between(1, 5, 60))
    time.sleep(chance.between(0.5, 2))
    _move_clocks(cluster, 0)


@_happens(_on_any)
def put_the_clock_back(cluster: Cluster, chance: Chance) -> None:
    """The same the other way."""
    _move_clocks(cluster, -chance.between(1, 60, 3600))
    time.sleep(chance.between(0.5, 2))
    _move_clocks(cluster, 0)


@_happens(_on_sqlite)
def fill_the_disk(cluster: Cluster, chance: Chance) -> None:
    """No file of the nodes can grow for a while."""
    with cluster.full_disk():
        time.sleep(chance.between(0.5, 2, 5))


@_happens(_on_postgres)
def cut_the_connection(cluster: Cluster, chance: Chance) -> None:
    """A node cannot reach the database."""
    node = _node(cluster, chance)
    cluster.cut(node)
    time.sleep(chance.between(0.1, 2, 10))
    cluster.heal(node)


@_happens(_on_postgres)
def delay_the_connection(cluster: Cluster, chance: Chance) -> None:
    """What the database says reaches one node late."""
    node = _node(cluster, chance)
    cluster.delay(node, chance.between(0.01, 0.2, 0.5))
    time.sleep(chance.between(0.5, 2, 5))
    cluster.heal(node)


@_happens(_on_postgres)
def drop_a_commit(cluster: Cluster, chance: Chance) -> None:
    """The connection ends while a write commits: before or after that is done, and perhaps with all others."""
    node = _node(cluster, chance)
    then_cut = chance.dice.random() < 0.5
    before = cluster.wires.drops(node)
    cluster.drop_commit(node, chance.dice.choice(list(Moment)), then_cut=then_cut)
    deadline = time.monotonic() + 1
    while cluster.wires.drops(node) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(chance.between(0.05, 0.5) if then_cut else 0)
    cluster.heal(node)


@_happens(_on_own_server)
def restart_postgres(cluster: Cluster, chance: Chance) -> None:
    """As for an update of it, or after a crash of it."""
    cluster.stop_database(crash=chance.dice.random() < 0.5)
    cluster.start_database()


@_happens(_on_own_server)
def stop_postgres(cluster: Cluster, chance: Chance) -> None:
    """It is away for seconds: ten, if there is time."""
    cluster.stop_database(crash=chance.dice.random() < 0.5)
    time.sleep(10 if chance.is_long else chance.between(1, 3))
    cluster.start_database()


def _node(cluster: Cluster, chance: Chance) -> int:
    return chance.dice.randrange(len(cluster.nodes))


def _move_clocks(cluster: Cluster, seconds: float) -> None:
    for node in range(len(cluster.nodes)):
        cluster.move_clock(node, seconds)
