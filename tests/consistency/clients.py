"""The clients: writers who give and take, and look at once on every node what became of it; readers who just look."""

import contextlib
import random
import threading
import time
from collections.abc import Callable

import psutil

from consistency.cluster import Cluster
from consistency.history import Call, Client, History
from consistency.stage import ACTIONS, BY_GROUP, LISTS, Cell, Request, Stage, Write

AIMED_SECONDS_MAX = 0.050
"""A reading is aimed if it begins within that time after a write was acknowledged, elsewhere, about what it touched."""
EXPIRY_SECONDS = 0.4
UNANSWERED_SECONDS = 0.2
"""For so long a client leaves a node alone that did not answer."""
RETRY_SECONDS = 0.02
TIDYING_SECONDS_MAX = 10.0
PAUSE_SECONDS_MAX = 0.05
NEW_CONNECTION = 0.005
"""How often a lane is begun anew."""
LOOKS_MAX = 3
"""After a write: one on each node, and of other lanes as many as that makes."""
CHAINS, PAIRS, OTHERS = 5, 3, 1
"""How often something of each kind is done."""


def worker_of(cluster: Cluster) -> Callable[[int, int], int | None]:
    """Says which process of a node serves a client's port."""
    known: dict[int, list[psutil.Process]] = {}

    def serves(process: psutil.Process, node: int, port: int) -> bool:
        with contextlib.suppress(psutil.Error):
            ends = process.net_connections("tcp4")
            return any(
                end.raddr and (end.laddr.port, end.raddr.port) == (cluster.nodes[node].port, port) for end in ends
            )
        return False

    def find(node: int, port: int) -> int | None:
        for attempt in range(4):
            if attempt % 2 or node not in known:
                with contextlib.suppress(psutil.Error):
                    known[node] = cluster.nodes[node].workers()
            for process in known.get(node, []):
                if serves(process, node, port):
                    return int(process.pid)
            time.sleep(0.002)  # nobody has taken it yet
        return None

    return find


class Walker(threading.Thread):
    """A client on its random way until it is told to stop. What fails in it is raised by `finish`."""

    def __init__(self, name: str, stage: Stage, cluster: Cluster, history: History, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.stage = stage
        self.dice = random.Random(f"{seed} {name}")
        self.lanes = [(node, lane) for node in range(len(cluster.urls)) for lane in range(cluster.workers)]
        self.client = Client(history, name, cluster.urls, worker_of=worker_of(cluster))
        self.stopping = threading.Event()
        self._unanswered: dict[int, float] = {}
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Walk on."""
        try:
            while not self.stopping.is_set():
                self.step()
        except BaseException as failure:  # noqa: BLE001 - whoever waits for the thread must hear of it
            self._failure = failure
        finally:
            self.client.close()

    def step(self) -> None:
        """One thing to do."""
        raise NotImplementedError

    def finish(self) -> None:
        """Stop, and raise what went wrong."""
        self.stopping.set()
        self.join()
        if self._failure is not None:
            raise self._failure

    def rests(self, node: int) -> bool:
        """Whether a node is left alone for now."""
        return time.monotonic() < self._unanswered.get(node, 0.0)

    def send(self, kind: str, node: int, lane: int, request: Request, **more: object) -> Call:
        """Make a call in a lane."""
        if self.dice.random() < NEW_CONNECTION:
            self.client.hang_up(node, lane)
        call = self.client.send(
            kind,
            node,
            request.operation,
            {**request.arguments, **more},
            request.method,
            request.path,
            request.body,
            token=request.token,
            lane=lane,
            # Whoever calls for himself is let in or not: these lists are long.
            remember=not request.operation.startswith("own"),
        )
        if call.status == 0:
            self._unanswered[node] = time.monotonic() + UNANSWERED_SECONDS
        return call


class Reader(Walker):
    """Looks at anybody anywhere, so that everything is in every cache."""

    def step(self) -> None:
        """One question."""
        node, lane = self.dice.choice(self.lanes)
        if self.rests(node):
            self.stopping.wait(PAUSE_SECONDS_MAX)
            return
        cell = self.dice.choice(self.stage.cells)
        look = self.dice.choice(("evaluation", "evaluations", "search", "roles", "introspection", "own key"))
        action = self.dice.choice([*LISTS] if look == "own key" else ACTIONS)
        self.send("read", node, lane, self.stage.ask(look, cell, action))
        self.stopping.wait(self.dice.uniform(0, PAUSE_SECONDS_MAX))


class Member(Walker):
    """Everybody at once with her own key: joins and leaves a group, whether or not she may just now."""

    def step(self) -> None:
        """One write."""
        node, lane = self.dice.choice(self.lanes)
        if not self.rests(node):
            self.send("write", node, lane, self.dice.choice(self.stage.hall(self.dice.choice(self.stage.cells))))
        self.stopping.wait(self.dice.uniform(0, PAUSE_SECONDS_MAX))


class Writer(Walker):
    """Gives and takes in a cell of its own. After each write it asks on every node about whom it touched."""

    def __init__(self, cell: Cell, name: str, stage: Stage, cluster: Cluster, history: History, seed: int) -> None:
        super().__init__(name, stage, cluster, history, seed)
        self.cell = cell
        self.session: tuple[str, str] | None = None
        self._pairs: list[Callable[[Cell], tuple[Write, Write]]] = [
            *(stage.role, stage.policy, stage.member, stage.group_role, stage.shelf, stage.denial, stage.suspension),
            *(stage.block, stage.edit, stage.mortal, stage.team, stage.tenant_role, stage.permission, stage.managing),
        ]
        self._taken: tuple[Call, Write] | None = None
        self._others = [self._batch, self._undo, self._expiry, self._session]

    def step(self) -> None:
        """Something given and taken again, or taken and given again."""
        match self.dice.choices(("chain", "pair", "other"), (CHAINS, PAIRS, OTHERS))[0]:
            case "chain":
                self._chain()
            case "pair":
                first, second = self.dice.choice(self._pairs)(self.cell)
                self.write(first)
                self.write_until_done(second)
            case _:
                self.dice.choice(self._others)()

    def _chain(self) -> None:
        """Everything that a batch took once is given back by undoing that, and taken again bit by bit."""
        if self._taken is None or not self.write(self.stage.undo(*self._taken)).acknowledged:
            self._batch()
            return
        pairs = [pair(self.cell) for pair in self.stage.taken_at_once]
        for _, second in self.dice.sample(pairs, len(pairs)):
            self.write_until_done(second)

    def _batch(self) -> None:
        for pair in self.stage.taken_at_once:
            self.write(pair(self.cell)[0])
        batch = self.stage.batch(self.cell)
        call = self.write_until_done(batch)
        if call.acknowledged and call.change is not None:
            self._taken = (call, batch)

    def _undo(self) -> None:
        first, second = self.dice.choice((self.stage.role, self.stage.policy, self.stage.member))(self.cell)
        self.write(first)
        taken = self.write_until_done(second)
        if taken.acknowledged and taken.change is not None:
            self.write(self.stage.undo(taken, second))
            self.write_until_done(second)

    def _expiry(self) -> None:
        ends = time.time() + EXPIRY_SECONDS
        first, second = self.stage.role(self.cell, expires_at=int(ends * 1_000_000))
        self.write(first)
        time.sleep(max(0.0, ends - time.time()))
        self.look(first, expired=int(ends * 1_000_000))
        self.write_until_done(second)

    def _session(self) -> None:
        opened = self.write(self.stage.assume(self.cell))
        if not opened.acknowledged:
            return
        self.session = (opened.answer["id"], opened.answer["session_token"])
        ending = self.stage.end_session(self.session[0])
        self.look(ending, opened)
        if self.dice.random() < 0.5:
            delete, restore = self.stage.trust(self.cell)
            self.write_until_done(delete)
            self.write_until_done(restore)
        self.write_until_done(ending)
        self.session = None

    def write(self, write: Write) -> Call:
        """Write on some node, and look at once on all."""
        while not (awake := [place for place in self.lanes if not self.rests(place[0])]):
            time.sleep(RETRY_SECONDS)
        node, lane = self.dice.choice(awake)
        call = self.send("write", node, lane, write, takes=write.takes)
        if call.acknowledged:
            self.look(write, call)
        else:
            time.sleep(RETRY_SECONDS)
        return call

    def write_until_done(self, write: Write) -> Call:
        """The same until it is acknowledged or refused: the next one begins where this one began."""
        deadline = time.monotonic() + TIDYING_SECONDS_MAX
        while True:
            call = self.write(write)
            if call.fate in ("acknowledged", "refused") or time.monotonic() > deadline:
                return call

    def look(self, write: Write, call: Call | None = None, *, expired: int | None = None) -> None:
        """Ask on every node about whom a write touched, by another worker than it was written by if there is one."""
        if not write.looks:
            return
        about = {"after": call.number} if call is not None else {"expired": expired}
        lanes = self.dice.sample(self.lanes, len(self.lanes))
        if call is not None:
            lanes.sort(key=lambda place: (place[0] == call.node, self.client.worker(*place) == call.worker))
        firsts = {node: (node, lane) for node, lane in reversed(lanes)}
        others = [place for place in lanes if place not in firsts.values()]
        for node, lane in [*firsts.values(), *others][: max(LOOKS_MAX, len(firsts))]:
            if not self.rests(node):
                self.send("read", node, lane, self._question(write), **about)

    def _question(self, write: Write) -> Request:
        look = self.dice.choice(write.looks)
        if look == "own session":
            return self.stage.ask(look, self.cell, BY_GROUP, self.session)
        # What is taken outside of organizations has no action to ask about.
        return self.stage.ask(look, self.cell, write.action or ACTIONS[0])


def is_aimed(call: Call, calls: dict[int, Call]) -> bool:
    """Whether a reading followed a write, by its number, within time and on another worker or node."""
    after = calls.get(call.arguments.get("after", 0))
    if after is None:
        return False
    is_elsewhere = call.node != after.node or (call.worker is not None and call.worker != after.worker)
    return is_elsewhere and 0 <= call.began - after.ended <= AIMED_SECONDS_MAX * 1_000_000_000
