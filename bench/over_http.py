"""Decisions over HTTP, on SQLite and on PostgreSQL, beside a bare endpoint that knows its answers.

    .venv/bin/python bench/over_http.py [--users 100000] [--rounds 3] [--seconds 3] [--workers 1,2]

Prints Markdown tables. Rescind runs as people run it: `rescind serve`, every request with an API key, every answer
fresh. `wrk` asks, one of its threads: there is a question about every user, and each request is one of them drawn at
random, or a batch of them. Before anything is measured every worker has answered all of them once, and each answer was
held against `World.allows`: this is warm throughput. What was revoked is asked for afterwards. One request that fails
fails everything.

The bound is an ASGI endpoint on the same server with the same settings, without a framework: it decodes the same body,
looks the subject up in a dictionary and answers in as many bytes. It reads no credential, no database, no clock. Each
round measures each row on both, one after the other; shown are medians, and the ratio is the median of the rounds' own.
Each worker has its process for management calls, as is the default; what is written and listed meanwhile is measured
without that, too: `--no-management-process`.
`wrk`, the node, the writers and PostgreSQL share the machine, so that rates are lower bounds.
"""

import http.client
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, Self

import click
import msgspec
import psutil
from worlds import Question, World, body_of, identifier, make_database, user_id
from writes import HEADERS, databases

from rescind.model.objects import ObjectKind
from servers import Server, free_port
from world import ROOT_KEY

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
ROWS = ((1, 1), (1, 32), (1, 128), (100, 32), (1_000, 32))
"""Questions in a request, and connections."""
BUSY = 32
"""Connections that ask while something else is done."""
REVOCATIONS_PER_SECOND, WRITERS, READERS = 50, 16, 4
LISTS = ("/v2/users", "/v2/roles", "/v2/groups", "/v2/policies")
WITHOUT_WRK = "`wrk` is missing, so nothing was measured over HTTP; on Debian it is the package `wrk`."
_CHUNK = 1_000
_START_SECONDS_MAX = 30
_SCRIPT = """
local requests = {}
function init(args)
  math.randomseed(tonumber(args[2]))
  for body in io.lines(args[1]) do requests[#requests + 1] = wrk.format("POST", nil, nil, body) end
end
function request() return requests[math.random(#requests)] end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What `wrk` saw: requests per second, and the time of one in milliseconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of a table: what was done and by how many workers, and what share of the comparison's rate was left.

    `others` is how often per second something else was done meanwhile.
    """

    database: str
    workers: int
    what: str
    connections: int
    ratio: float
    p50: float
    others: float = 0.0


class Asked:
    """A question about every user, and the same as bodies in a file for each size of request."""

    def __init__(self, world: World, folder: Path) -> None:
        users = random.Random(world.size).sample(range(world.size), world.size)
        self.world = world
        self.questions = list(islice(world.questions(users), world.size))
        self.script = folder / "ask.lua"
        self.script.write_text(_SCRIPT)
        said = [json.dumps(body_of(question), separators=(",", ":")) for question in self.questions]
        self.bytes = statistics.mean(map(len, said))
        self.bodies = {size: folder / f"{size}.txt" for size, _ in ROWS}
        self.bodies[1].write_text("\n".join(said))
        for size in set(self.bodies) - {1}:
            batches = (",".join(said[at : at + size]) for at in range(0, len(said), size))
            self.bodies[size].write_text("\n".join(f'{{"evaluations":[{batch}]}}' for batch in batches))


@click.command()
@click.option("--users", default=100_000, show_default=True, help="Users of the world.")
@click.option("--rounds", default=3, show_default=True, help="How often each row is measured.")
@click.option("--seconds", default=3, show_default=True, help="How long each row is measured.")
@click.option("--workers", default="1,2", show_default=True, help="Processes of the server.")
def main(users: int, rounds: int, seconds: int, workers: str) -> None:
    """Measure both databases."""
    run(users, rounds, seconds, [int(number) for number in workers.split(",")])


def run(users: int, rounds: int, seconds: int, workers: Sequence[int]) -> list[Measured]:
    """Measure both databases, print what came out and return it: nothing if there is no `wrk`."""
    if shutil.which("wrk") is None:
        print(WITHOUT_WRK)
        return []
    facts = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    world = World.of(users)
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as scratch, databases(Path(scratch)) as both:
        asked = Asked(world, Path(scratch))
        print(
            f"{facts}; {users:,} users, as many questions of {asked.bytes:.0f} bytes; "
            f"medians of {rounds} rounds of {seconds} s"
        )
        for kind, database in both:
            make_database(world, database, root_key=ROOT_KEY)
            edges = iter(random.Random(users).sample(sorted(world.direct), len(world.direct)))
            revoked: set[int] = set()
            for number in workers:
                print(f"\n### {kind}, {number} worker{'s' if number > 1 else ''}\n", flush=True)
                folder = Path(scratch) / f"{kind}-{number}"
                folder.mkdir()
                with (
                    Server(database, folder, "--workers", str(number), is_executed=True) as ours,
                    bare(folder, users, number) as bound,
                ):
                    place = Place(kind, number, ours, bound, asked, rounds, seconds)
                    place.verify(asked.questions, revoked)
                    measured += [*place.beside_bare(), *place.while_revoking(edges, revoked), *place.while_listing()]
            print(f"\n### {kind}, 1 worker without a process for management calls\n", flush=True)
            folder = Path(scratch) / f"{kind}-alone"
            folder.mkdir()
            with Server(database, folder, "--no-management-process", is_executed=True) as ours:
                place = Place(kind, 1, ours, 0, asked, rounds, seconds)
                place.verify(asked.questions, revoked)
                place.while_revoking(edges, revoked)
                place.while_listing()
    return measured


@dataclass(frozen=True, slots=True)
class Place:
    """A node of Rescind and the bare endpoint, both of so many workers."""

    database: str
    workers: int
    ours: Server
    bound: int
    asked: Asked
    rounds: int
    seconds: int

    def verify(self, questions: Sequence[Question], revoked: set[int]) -> None:
        """Ask every worker these questions and hold each answer against what is right, without the roles taken away."""
        world = self.asked.world
        right = [world.allows(question, with_direct=question.user not in revoked) for question in questions]

        def ask(connection: http.client.HTTPConnection) -> None:
            for at in range(0, len(questions), _CHUNK):
                batch = [body_of(question) for question in questions[at : at + _CHUNK]]
                answer = call(connection, "POST", MANY, {"evaluations": batch})
                assert [one["decision"] for one in answer["evaluations"]] == right[at : at + _CHUNK]
            for question, is_allowed in list(zip(questions, right, strict=True))[:200]:
                assert call(connection, "POST", ONE, body_of(question)) == {"decision": is_allowed}

        began = time.perf_counter()
        with ThreadPoolExecutor(self.workers) as threads:
            list(threads.map(ask, self._one_to_each()))
        print(f"{len(questions):,} answers of each worker were right, in {time.perf_counter() - began:.1f} s.\n")

    def beside_bare(self) -> list[Measured]:
        """Every row on both, in each round one after the other."""
        print(
            "| questions in a request | connections | decisions/s | p50 / p99 ms | bare/s | p50 / p99 ms | ours/bare |"
        )
        print("|---|---|---|---|---|---|---|", flush=True)
        taken: list[list[tuple[Load, Load]]] = [[] for _ in ROWS]
        for _ in range(self.rounds):
            for row, (size, connections) in zip(taken, ROWS, strict=True):
                row.append((self._ask(self.ours.port, size, connections), self._ask(self.bound, size, connections)))
        measured = []
        for row, (size, connections) in zip(taken, ROWS, strict=True):
            mine, theirs = middle([load for load, _ in row]), middle([load for _, load in row])
            ratio = statistics.median(load.rate / bound.rate for load, bound in row)
            print(f"| {size:,} | {connections} | {said(mine, size)} | {said(theirs, size)} | {ratio:.2f} |")
            what = f"{size:,} in a request" if size > 1 else "single"
            measured.append(Measured(self.database, self.workers, what, connections, ratio, mine.p50))
        return measured

    def while_revoking(self, edges: Iterator[int], revoked: set[int]) -> list[Measured]:
        """Single questions, while users lose roles: `edges` are those that have one, and go into `revoked`."""
        lock, before = threading.Lock(), set(revoked)

        def work(connection: http.client.HTTPConnection, _: int) -> None:
            with lock:
                user = next(edges)
                revoked.add(user)
            role = identifier(ObjectKind.ROLE, self.asked.world.direct[user])
            call(connection, "DELETE", f"/v2/roles/{role}/users/{user_id(user)}")

        found = self._beside("revocations", partial(Others, self.ours.port, WRITERS, work, REVOCATIONS_PER_SECOND))
        self.verify([question for question in self.asked.questions if question.user in revoked - before], revoked)
        return found

    def while_listing(self) -> list[Measured]:
        """Single questions, while clients list users, roles, groups and policies."""

        def work(connection: http.client.HTTPConnection, turn: int) -> None:
            call(connection, "GET", f"{LISTS[turn % len(LISTS)]}?per_page=100")

        return self._beside("lists", partial(Others, self.ours.port, READERS, work))

    def _beside(self, what: str, others: Callable[[], "Others"]) -> list[Measured]:
        """A table of two rows: without the others and with them, in each round one after the other."""
        rounds, rates = [], []
        for _ in range(self.rounds):
            alone = self._ask(self.ours.port, 1, BUSY)
            with others() as busy:
                rounds.append((alone, self._ask(self.ours.port, 1, BUSY)))
            rates.append(busy.rate)
        without, within = middle([load for load, _ in rounds]), middle([load for _, load in rounds])
        ratio = statistics.median(load.rate / alone.rate for alone, load in rounds)
        print(
            f"\n| {BUSY} connections, single questions | decisions/s | p50 / p99 ms | of without |\n|---|---|---|---|"
        )
        print(f"| alone | {said(without, 1)} | |")
        print(f"| with {statistics.median(rates):.0f} {what}/s | {said(within, 1)} | {ratio:.0%} |\n", flush=True)
        return [Measured(self.database, self.workers, what, BUSY, ratio, within.p50, statistics.median(rates))]

    def _ask(self, port: int, size: int, connections: int) -> Load:
        """Let `wrk` ask. Raises if any request fails."""
        headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
        done = subprocess.run(
            [
                *("wrk", "--latency", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "10s", *headers),
                *("-s", str(self.asked.script), f"http://127.0.0.1:{port}{ONE if size == 1 else MANY}"),
                *("--", str(self.asked.bodies[size]), str(random.randrange(1_000_000))),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        seen = json.loads(done.stdout.splitlines()[-1])
        assert seen["requests"], done.stdout
        assert not seen["failed"], done.stdout
        return Load(seen["requests"] / seen["microseconds"] * 1e6, seen["p50"] / 1e3, seen["p99"] / 1e3)

    def _one_to_each(self) -> list[http.client.HTTPConnection]:
        """A connection to each worker."""
        assert self.ours.process is not None
        node = psutil.Process(self.ours.process.pid)
        found: dict[int, http.client.HTTPConnection] = {}
        deadline = time.monotonic() + _START_SECONDS_MAX
        while len(found) < self.workers:
            assert time.monotonic() < deadline, "not every worker takes connections"
            connection = http.client.HTTPConnection("127.0.0.1", self.ours.port, timeout=60)
            call(connection, "GET", "/readyz")
            mine = connection.sock.getsockname()[1]
            for process in (node, *node.children(recursive=True)):
                for one in process.net_connections("tcp4"):
                    if one.raddr and one.raddr.port == mine and one.laddr.port == self.ours.port:
                        found.setdefault(process.pid, connection)
        return list(found.values())


class Others:
    """Clients that do something over and over as long as this context is open: as they can, or so often per second.

    Afterwards `rate` is how often per second it was done. What fails there fails here.
    """

    def __init__(
        self,
        port: int,
        clients: int,
        work: Callable[[http.client.HTTPConnection, int], None],
        per_second: float | None = None,
    ) -> None:
        self.rate = 0.0
        self._port, self._clients, self._work, self._per_second = port, clients, work, per_second
        self._turns, self._over = count(), threading.Event()

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._threads = ThreadPoolExecutor(self._clients)
        self._done = [self._threads.submit(self._go_on) for _ in range(self._clients)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads.shutdown()
        self.rate = sum(done.result() for done in self._done) / (time.perf_counter() - self._began)

    def _go_on(self) -> int:
        connection, done = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60), 0
        while not self._over.is_set():
            # One at a time by the interpreter's lock.
            turn = next(self._turns)
            due = self._began + turn / self._per_second if self._per_second else 0.0
            if self._over.wait(max(0.0, due - time.perf_counter())):
                break
            self._work(connection, turn)
            done += 1
        connection.close()
        return done


def call(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> Any:
    """A call that must succeed, and its answer."""
    connection.request(method, path, json.dumps(body) if body else None, HEADERS)
    response = connection.getresponse()
    text = response.read()
    assert 200 <= response.status < 300, (path, response.status, text)
    return json.loads(text) if text[:1] == b"{" else text


def middle(loads: list[Load]) -> Load:
    """The median of each number."""
    return Load(*(statistics.median(getattr(load, name) for load in loads) for name in ("rate", "p50", "p99")))


def said(load: Load, size: int) -> str:
    """Two cells: questions answered in a second, and the time of a request."""
    return f"{load.rate * size:,.0f} | {load.p50:.2f} / {load.p99:.2f}"


@contextmanager
def bare(folder: Path, users: int, workers: int) -> Iterator[int]:
    """The bare endpoint as a process of its own, with our server's settings; its port."""
    port = free_port()
    settings = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    settings += ["--no-proxy-headers", "--no-server-header", "--timeout-keep-alive", "75", "--workers", str(workers)]
    with (folder / "bare.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "over_http:Bare", "--factory", "--port", str(port), *settings],
            env={**os.environ, "BENCH_USERS": str(users)},
            cwd=Path(__file__).parent,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while True:
            try:
                call(http.client.HTTPConnection("127.0.0.1", port), "POST", MANY, {"evaluations": []})
                break
            except OSError:
                assert time.monotonic() < deadline, (folder / "bare.log").read_text()
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Entity(msgspec.Struct):
    type: str
    id: str


class _Action(msgspec.Struct):
    name: str


class _Evaluation(msgspec.Struct):
    subject: _Entity
    action: _Action
    resource: _Entity
    context: dict[str, Any]


class _Evaluations(msgspec.Struct):
    evaluations: list[_Evaluation]


class Bare:
    """The bound as an ASGI application: every second user may."""

    def __init__(self) -> None:
        self._known = {user_id(user): user % 2 == 0 for user in range(int(os.environ["BENCH_USERS"]))}
        self._one = msgspec.json.Decoder(_Evaluation).decode
        self._many = msgspec.json.Decoder(_Evaluations).decode
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        message = await receive()
        text = message["body"]
        while message["more_body"]:
            message = await receive()
            text += message["body"]
        if scope["path"] == ONE:
            body = b'{"decision":true}' if self._known[self._one(text).subject.id] else b'{"decision":false}'
        else:
            answers = [{"decision": self._known[one.subject.id]} for one in self._many(text).evaluations]
            body = self._encode({"evaluations": answers})
        headers = [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"rescind-revision", b"1"),
            (b"rescind-instant", b"1700000000000000"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main()
