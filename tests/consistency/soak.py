"""The soak: a cluster under faults and load for as long as is wanted, and then the checker over all that was answered.

    cd tests && python -m consistency.soak --seconds 60 --seed 1 --kind postgres

Prints what was done and measured and every violation, ends with one line, and exits 0 only without a violation.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from consistency.checker import Violation, check
from consistency.clients import Member, Reader, Walker, Writer, is_aimed
from consistency.cluster import KINDS, Cluster
from consistency.faults import FAULTS, Chance
from consistency.history import READ, Call, History
from consistency.stage import Stage
from tenant import PUBLIC_URL

SHOWN_MAX = 10
NANOSECONDS = 1_000_000_000
CALM_SECONDS = (1.0, 4.0)
"""Between two faults."""
LONG_SECONDS_MIN = 600.0
"""Only a run of that length has time for long faults."""
PATIENCE = 3
"""So many times as long as it should a run takes at the most."""
ENDING_SECONDS = 6.0
"""Before the end no fault begins: how soon all is well again is measured, too."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was: its name, and its two ends by the monotonic clock in nanoseconds."""

    name: str
    began: int
    ended: int


@dataclass(slots=True)
class Soak:
    """What came of a run."""

    seed: int
    history: History = field(default_factory=History)
    faults: list[Fault] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    workers: int = 0
    nodes: int = 0
    checked_seconds: float = 0.0

    @property
    def reads(self) -> list[Call]:
        """The readings that were answered."""
        return [call for call in self.history if call.kind == READ and call.status not in (0, 503)]

    @property
    def writes(self) -> list[Call]:
        """The writes that were acknowledged."""
        return [call for call in self.history if call.acknowledged]

    @property
    def aimed(self) -> list[Call]:
        """The readings that were aimed at a write."""
        calls = {call.number: call for call in self.history}
        return [call for call in self.reads if is_aimed(call, calls)]

    @property
    def revokes(self) -> list[Call]:
        """The acknowledged writes that took something away."""
        return [call for call in self.writes if call.arguments.get("takes") and call.change is not None]

    @property
    def seen_everywhere(self) -> int:
        """How many of these were followed by an aimed reading on every node; on its own, if another worker is there."""
        nodes: dict[int, set[int]] = {call.number: {call.node} if self.workers == 1 else set() for call in self.revokes}
        for call in self.aimed:
            nodes.get(call.arguments["after"], set()).add(call.node)
        return sum(len(found) == self.nodes for found in nodes.values())

    def report(self) -> str:
        """What was done and measured, for people."""
        fates = Counter(f"{call.kind} {call.fate}" for call in self.history)
        reads, aimed = self.reads, self.aimed
        lines = [
            f"seed {self.seed}, {self.nodes} nodes of {self.workers} workers, checked in {self.checked_seconds:.1f} s",
            "calls: " + ", ".join(f"{name} {count}" for name, count in sorted(fates.items())),
            f"aimed: {len(aimed)} of {len(reads)} readings ({len(aimed) / max(1, len(reads)):.0%})",
            f"revokes acknowledged: {len(self.revokes)}, read at once on every node: {self.seen_everywhere}",
            "by operation: " + _counted(call.operation for call in [*self.writes, *reads]),
            f"revoke, request to acknowledgement: {percentiles(self.revokes)}",
            f"decision: {percentiles(self.decisions)}",
            f"faults: {_counted(fault.name for fault in self.faults)}",
            f"not answered, {self._unanswered()}",
        ]
        shown = sorted(self.violations, key=lambda one: one.calls[-1].ended if one.calls else 0)[:SHOWN_MAX]
        names = Counter(violation.name for violation in self.violations)
        lines += [f"violations: {dict(names)}", *map(str, shown)] if shown else []
        lines.append(
            f"reads={len(reads)} writes={len(self.writes)} faults={len(self.faults)} violations={len(self.violations)}"
        )
        return "\n".join(lines)

    @property
    def decisions(self) -> list[Call]:
        """The single decisions that were answered."""
        return [call for call in self.reads if call.operation == "evaluation" and call.status == 200]

    @property
    def during_faults(self) -> list[Call]:
        """The calls of which some part fell into a fault. There is one fault at a time."""
        ends = [fault.ended for fault in self.faults]
        found = []
        for call in self.history:
            place = bisect_left(ends, call.began)
            if place < len(ends) and self.faults[place].began <= call.ended:
                found.append(call)
        return found

    @property
    def missed(self) -> list[Call]:
        """The calls that were not answered."""
        return [call for call in self.history if call.fate in ("unavailable", "unknown")]

    @property
    def seconds_to_recover(self) -> float:
        """How long after the end of a fault a call began, at the latest, that was not answered before the next."""
        begins = [*(fault.began for fault in self.faults[1:]), sys.maxsize]
        missed, late = self.missed, [0]
        for fault, until in zip(self.faults, begins, strict=False):
            late += [one.began - fault.ended for one in missed if fault.ended < one.began and one.ended < until]
        return max(late) / NANOSECONDS

    def _unanswered(self) -> str:
        during = {call.number for call in self.during_faults}
        ways = _counted(_way(call) for call in self.missed if call.number in during)
        outside = _counted(_way(call) for call in self.missed if call.number not in during)
        others = len(self.history) - len(during)
        return (
            f"of {len(during)} during faults: {ways}; of {others} others: {outside}; "
            f"all are answered {self.seconds_to_recover:.2f} s after the end of a fault, at the latest"
        )


def _way(call: Call) -> str:
    if call.status == 0:
        return "no answer" if call.sent else "no connection"
    return str(call.status)


def run(
    kind: str,
    seconds: float,
    seed: int,
    *,
    nodes: int,
    workers: int,
    writers: int = 4,
    with_faults: bool = True,
    revokes_min: int = 0,
    bug: str | None = None,
    keep: Path | None = None,
    spent: Callable[[float], None] = lambda _: None,
) -> Soak:
    """Soak a cluster, every node of which may have a planted bug, and check.

    It goes on until so many revokes were looked at on every node, on a machine that is busy with other things, but
    not for ever. The history is kept in a file if one is named; `spent` hears now and then how many seconds are over.
    """
    soak = Soak(seed, workers=workers, nodes=nodes)
    with tempfile.TemporaryDirectory(prefix="rescind-soak-") as made:
        cluster = Cluster(kind, nodes, workers, Path(made), bug=bug, is_mixed=True)
        for node in cluster.nodes:
            # A token of one node is good on all: they are one server to their clients.
            node.options = (*node.options, "--public-url", PUBLIC_URL)
        with cluster:
            stage = Stage(cluster.urls[0], writers)
            walkers: list[Walker] = [
                Writer(cell, f"writer {number}", stage, cluster, soak.history, seed)
                for number, cell in enumerate(stage.cells)
            ]
            walkers.append(Reader("reader", stage, cluster, soak.history, seed))
            walkers.append(Member("member", stage, cluster, soak.history, seed))
            for walker in walkers:
                walker.start()
            try:
                dice = random.Random(f"{seed} faults")
                began = time.monotonic()
                while not _is_over(soak, began, seconds, revokes_min):
                    spent(time.monotonic() - began)
                    time.sleep(dice.uniform(*CALM_SECONDS))
                    if with_faults and time.monotonic() < began + seconds - ENDING_SECONDS:
                        _inflict(cluster, soak, Chance(dice, is_long=seconds >= LONG_SECONDS_MIN))
            finally:
                for walker in walkers:
                    walker.stopping.set()
            for walker in walkers:
                walker.finish()
            for node in cluster.nodes:
                node.kill()
            if keep is not None:
                soak.history.write(keep)
            began = time.monotonic()
            # PostgreSQL's own clock is never moved, and it is the one that counts there.
            moved = kind == "sqlite" and any("clock" in fault.name for fault in soak.faults)
            soak.violations = check(soak.history, cluster.database, true_clocks=not moved)
            soak.checked_seconds = time.monotonic() - began
    return soak


def _is_over(soak: Soak, began: float, seconds: float, revokes_min: int) -> bool:
    spent = time.monotonic() - began
    return spent >= seconds and (spent >= seconds * PATIENCE or soak.seen_everywhere >= revokes_min)


def _inflict(cluster: Cluster, soak: Soak, chance: Chance) -> None:
    """One fault, to its end."""
    fault = chance.dice.choice([one for one in FAULTS if one.fits(cluster)])
    began = time.monotonic_ns()
    fault.strike(cluster, chance)
    soak.faults.append(Fault(fault.name, began, time.monotonic_ns()))


def _counted(names: Iterable[str]) -> str:
    counted = Counter(names)
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "none"


def percentiles(calls: Sequence[Call]) -> str:
    """The median and the 99th percentile of what calls took, and how many they were."""
    if len(calls) < 2:
        return "too few"
    cuts = statistics.quantiles([call.ended - call.began for call in calls], n=100)
    return f"p50 {cuts[49] / 1e6:.1f} ms, p99 {cuts[98] / 1e6:.1f} ms ({len(calls)})"


def main() -> int:
    """The command."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--seed", type=int, default=None)
    asked.add_argument("--kind", choices=KINDS, default="postgres")
    asked.add_argument("--nodes", type=int, default=None, help="by default 2 on PostgreSQL, 1 on SQLite")
    asked.add_argument("--workers", type=int, default=None, help="by default 2 on PostgreSQL, 4 on SQLite")
    asked.add_argument("--writers", type=int, default=4)
    asked.add_argument("--no-faults", action="store_true")
    asked.add_argument("--bug", help="one of planted.py: see whether it is found")
    asked.add_argument("--keep", type=Path, help="a file for the history, as JSON lines")
    said = asked.parse_args()
    is_many = said.kind == "postgres"
    seed = random.randrange(2**32) if said.seed is None else said.seed
    print(f"SEED={seed}", flush=True)  # noqa: T201 - a command speaks
    with Progress(console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("Soaking", total=said.seconds)
        soak = run(
            said.kind,
            said.seconds,
            seed,
            nodes=said.nodes or (2 if is_many else 1),
            workers=said.workers or (2 if is_many else 4),
            writers=said.writers,
            with_faults=not said.no_faults,
            bug=said.bug,
            keep=said.keep,
            spent=lambda seconds: shown.update(bar, completed=seconds),
        )
    print(soak.report())  # noqa: T201 - a command speaks
    return 1 if soak.violations else 0


if __name__ == "__main__":
    sys.exit(main())
