"""Decisions in process, beside those of other engines: one check, the start, memory, and one revocation.

    .venv/bin/python bench/decisions.py [--sizes 1000,10000] [--rounds 3] [--million]

Prints Markdown tables. Every engine is first held against `World.allows`, and nothing is timed if one errs. Then each
is measured in every round by a new process, one engine after the other; what is shown are medians of the rounds, and
`times ours` is the median of the ratios within a round.

A check is timed alone, less what reading the clock costs, with words that were just read, as they come off a wire.
"First sight" is the first question about a user, "new" another one about a user who was asked about, "asked before" the
same ones over and over; "without conditions" is the last where no condition is in play. Load is from nothing until the
first answer: from memory for the peers, from its SQLite file for Rescind. Memory is the growth of the resident set from
before the load until the sampled users were asked about, or for Rescind until all were (at most 100,000). A revocation
takes a role from one user; it is over with the first right answer.
"""

import gc
import os
import platform
import random
import shutil
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice, repeat
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TypeVar

import click
import msgspec
import psutil
from peers import PEERS, Engine
from worlds import Question, World, identifier, make_database, user_id

from rescind.model.objects import ObjectKind
from rescind.node import build
from rescind.settings import Settings
from rescind.usecases import roles
from rescind.usecases.unit import Unit

USERS, QUESTIONS, REVOCATIONS = 5_000, 20_000, 20
"""At most so many of each are sampled, and as far as they can be asked in the seconds below: slow engines get fewer."""
CHECK_SECONDS, REVOCATION_SECONDS, VERIFY_SECONDS = 2.0, 3.0, 10.0
EVERYBODY_MAX = 100_000
"""So many users Rescind has seen before it is asked again: each costs it memory."""
LOOKS = 1_000
MILLION = 1_000_000

Sample = dict[str, float]
"""What one process measured, by name: times in nanoseconds, memory in bytes."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A database with a world in it, to be copied, and the key of the organization."""

    file: Path
    organization: int


class Ours:
    """A node of Rescind in this process, on the world's own SQLite file."""

    name = "Rescind"

    def __init__(self, world: World, place: Place) -> None:
        self._world, self._place = world, place
        self.commit = 0

    def load(self) -> None:
        """Start a node and let it look at the head; what it keeps it reads when it is first asked for."""
        self._node = build(Settings(database=f"sqlite:///{self._place.file}"))
        self._node.decisions.refresh()

    def asking(self, question: Question) -> Callable[[], bool]:
        allows, scope = self._node.decisions.allows, self._place.organization
        user, context = user_id(question.user), {"mfa": question.mfa}
        action, kind, identifier = question.action, question.resource_type, question.resource_id
        return lambda: allows(scope, user, action, kind, identifier, context=context)

    def revoke(self, user: int) -> None:
        """Detach the role, durably (in `commit` nanoseconds), and catch up."""
        began = perf_counter_ns()
        role = identifier(ObjectKind.ROLE, self._world.direct[user])

        def detach(unit: Unit) -> list[str]:
            unit.organization = self._place.organization
            return roles.detach_users(unit, roles=[role], user=user_id(user))

        detached = self._node.service.operate("bench", str(uuid.uuid4()), detach).result
        self.commit = perf_counter_ns() - began
        assert detached
        self._node.decisions.refresh()

    def look(self) -> None:
        """Ask whether anything is new."""
        self._node.decisions.refresh()

    def close(self) -> None:
        """End the node."""
        self._node.decisions.pulse.close()
        self._node.store.close()


PEER = {peer.name: peer for peer in PEERS}
ENGINES = (Ours.name, *PEER)


@click.command()
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Users of each world.")
@click.option("--rounds", default=3, show_default=True, help="How often each engine is measured.")
@click.option("--million", is_flag=True, help="Measure Rescind alone with a million users too.")
@click.option("--engines", default=",".join(ENGINES), show_default=True, help="Which engines.")
def main(sizes: str, rounds: int, million: bool, engines: str) -> None:
    """Measure every engine on worlds of each size."""
    names = [name for name in ENGINES if name in engines.split(",")]
    facts = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{facts}; medians of {rounds} interleaved rounds, each engine in a process of its own")
    for size in [int(size) for size in sizes.split(",") if size]:
        table(size, names, rounds)
    if million:
        table(MILLION, [Ours.name], rounds)


def table(size: int, names: list[str], rounds: int) -> dict[str, Sample]:
    """Verify and measure these engines on one world, print what came out, and return the medians by engine.

    Among them is `times`, how many times as long as Rescind an engine took.
    """
    context = get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as apart,
    ):
        place = Place(Path(scratch) / "world.db", 0)
        if Ours.name in names:
            place = Place(place.file, make_database(World.of(size), f"sqlite:///{place.file}"))
        print(f"\n### {size:,} users\n")
        verified = [f"{name} {apart.submit(verify, name, size, place).result():,}" for name in names]
        print(f"Answers verified: {', '.join(verified)}.\n", flush=True)
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                samples[name].append(apart.submit(measure, name, size, place).result())
    print(
        "| engine | first sight of a user, p50 / p99 | new question, p50 / p99 | asked before, p50 / p99 | times ours "
        "| load | memory MiB | revocation until right |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        print(row(name, samples[name], samples.get(Ours.name)))
    if Ours.name in names:
        middle = medians(samples[Ours.name])
        print(
            f"\nBefore that, Rescind's durable commit: {spoken(middle['commit'])}. "
            f"Its look for news when there is none: {spoken(middle['look'])}. "
            f"Asked before and without conditions: {spoken(middle['plain p50'])} / {spoken(middle['plain p99'])}."
        )
    ours = samples.get(Ours.name)
    return {
        name: medians(of) | ({"times": statistics.median(times_ours(of, ours))} if ours else {})
        for name, of in samples.items()
    }


def row(name: str, samples: list[Sample], ours: list[Sample] | None) -> str:
    """One engine's line."""
    middle = medians(samples)
    checks = [
        f"{spoken(middle[f'{what} p50'])} / {spoken(middle[f'{what} p99'])}" for what in ("first", "new", "again")
    ]
    ratios = times_ours(samples, ours) if ours else []
    cells = [
        name,
        *checks,
        f"{statistics.median(ratios):.1f}" if ratios else "",
        spoken(middle["load"]),
        f"{middle['memory'] / 2**20:,.0f}",
        spoken(middle["right"]),
    ]
    return f"| {' | '.join(cells)} |"


def times_ours(samples: list[Sample], ours: list[Sample]) -> list[float]:
    """How many times as long as ours a warm check took, in each round."""
    return [theirs["again p50"] / mine["again p50"] for theirs, mine in zip(samples, ours, strict=True)]


def medians(samples: list[Sample]) -> Sample:
    """The median of each number, over those rounds that have it."""
    names = {name for sample in samples for name in sample}
    return {name: statistics.median(sample[name] for sample in samples if name in sample) for name in names}


def spoken(nanoseconds: float) -> str:
    """A duration as people read it."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= factor:
            return f"{nanoseconds / factor:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def verify(name: str, size: int, place: Place) -> int:
    """Hold answers of one engine against what is right, before and after revocations; how many were."""
    world = World.of(size)
    right = 0
    with made(name, world, place) as engine:
        engine.load()
        for question in within(VERIFY_SECONDS, asked(world)):
            assert engine.asking(question)() == world.allows(question), (name, question)
            right += 1
        for question in within(REVOCATION_SECONDS, revoked(world)):
            revocation(engine, question)
            right += 2
    return right


def measure(name: str, size: int, place: Place) -> Sample:
    """Everything about one engine, once."""
    world = World.of(size)
    questions = asked(world)
    first, *cold = questions[: min(size, USERS)]
    everybody = range(min(size, EVERYBODY_MAX)) if name == Ours.name else ()
    with made(name, world, place) as engine:
        gc.collect()
        memory = psutil.Process().memory_info
        before = memory().rss
        began = perf_counter_ns()
        engine.load()
        engine.asking(first)()
        sample: Sample = {"load": perf_counter_ns() - began}
        taken = times(engine, cold)
        sample |= percentiles("first", taken)
        for user in everybody:
            engine.asking(Question(user, "svc0.thing0.Read", "thing0", "eu-0", mfa=True))()
        sample["memory"] = memory().rss - before
        # Of the users that were seen only: a slow engine did not come to all.
        seen = {question.user for question in questions[: len(taken) + 1]}
        later = [question for question in questions[len(cold) + 1 :] if question.user in seen]
        taken = times(engine, later)
        known = later[: len(taken)]
        again = times(engine, cycle(known))
        plain = [taken for taken, question in zip(again, cycle(known)) if not world.hangs_on_mfa(question)]
        sample |= percentiles("new", taken) | percentiles("again", again) | percentiles("plain", plain)
        sample |= medians([revocation(engine, question) for question in within(REVOCATION_SECONDS, revoked(world))])
        if isinstance(engine, Ours):
            sample["look"] = statistics.median(timed(repeat(engine.look, LOOKS)))
    return sample


def asked(world: World) -> list[Question]:
    """The questions of the sample; the first ones are each of another user."""
    chance = random.Random(world.size)
    users = chance.sample(range(world.size), min(world.size, USERS))
    return list(islice(world.questions(users), QUESTIONS))


def revoked(world: World) -> Iterator[Question]:
    """The questions that revocations answer."""
    return islice(world.revocations(), REVOCATIONS)


@contextmanager
def made(name: str, world: World, place: Place) -> Iterator[Ours | Engine]:
    """The engine, not yet loaded; ours on a copy of the database, so that each finds the same."""
    if name != Ours.name:
        yield PEER[name](world)
        return
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "world.db"
        shutil.copy(place.file, file)
        ours = Ours(world, replace(place, file=file))
        yield ours
        ours.close()


def revocation(engine: Ours | Engine, question: Question) -> Sample:
    """Take away what allows, and ask again: how long until the answer is right, beyond a durable commit of ours."""
    ask = engine.asking(question)
    assert ask()
    began = perf_counter_ns()
    engine.revoke(question.user)
    allowed = ask()
    right = perf_counter_ns() - began
    assert not allowed
    if isinstance(engine, Ours):
        return {"right": right - engine.commit, "commit": engine.commit}
    return {"right": right}


def times(engine: Ours | Engine, questions: Iterable[Question]) -> list[int]:
    """How long each check took, as far as there was time."""
    return timed(within(CHECK_SECONDS, (engine.asking(_off_the_wire(question)) for question in questions)))


def timed(calls: Iterable[Callable[[], object]]) -> list[int]:
    """How long each call took, in nanoseconds, less what it costs to read the clock."""
    clock, taken = perf_counter_ns, []
    for call in calls:
        began = clock()
        call()
        taken.append(clock() - began)
    return [max(0, one - CLOCK) for one in taken]


def within(seconds: float, items: Iterable[T]) -> Iterator[T]:
    """The items, until the time is over."""
    end = perf_counter() + seconds
    for item in items:
        yield item
        if perf_counter() > end:
            return


def percentiles(what: str, taken: list[int]) -> Sample:
    """The 50th and the 99th."""
    every = sorted(taken)
    return {f"{what} p50": statistics.median(every), f"{what} p99": every[int(len(every) * 0.99)]}


def _off_the_wire(question: Question) -> Question:
    """The same in words that were just read."""
    return msgspec.json.decode(msgspec.json.encode(question), type=Question)


def _clock() -> int:
    """What it costs to read the clock, in nanoseconds."""
    clock = perf_counter_ns
    return int(statistics.median(-clock() + clock() for _ in range(10_000)))


CLOCK = _clock()

if __name__ == "__main__":
    main()
