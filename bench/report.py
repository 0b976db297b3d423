"""Everything that is measured, and `docs/performance.md`, which says it.

    make bench
    .venv/bin/python bench/report.py [--quick]

The numbers of the page are those of this run, and so is what it says about targets.
"""

import io
import os
import platform
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import click
import decisions
import over_http
import previews
import psutil
import writes
from over_http import Measured

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
WIDTH = 120
LARGEST = 100_000
TIMES_CASBIN_FROM = 10_000

WARM_NANOSECONDS_MAX = 1_100
TIMES_CASBIN_MIN = 1_000
REVOCATION_NANOSECONDS_MAX = 50_000
OF_BARE_MIN = 0.5
OF_BARE_FROM_CONNECTIONS = {"SQLite": 1, "PostgreSQL": 32}
WHILE_REVOKING_MIN = 0.7
_CASBIN = ("pycasbin", "pycasbin by service")

In = dict[int, dict[str, decisions.Sample]]
Verdict = tuple[str, bool | None, str]
"""A target, whether it is met (None: not measured), and what was measured."""


class _Both(io.StringIO):
    """What is printed is shown, too."""

    def write(self, text: str) -> int:
        sys.stderr.write(text)
        sys.stderr.flush()
        return super().write(text)


@click.command()
@click.option("--quick", is_flag=True, help="Short rounds of everything, in smaller worlds.")
@click.option("--output", default=PAGE, type=click.Path(path_type=Path), help="Where the page goes.")
def main(quick: bool, output: Path) -> None:
    """Measure everything and write the page."""
    began = time.perf_counter()
    rounds, seconds = (3, 1) if quick else (3, 3)
    sizes = [LARGEST] if quick else [1_000, TIMES_CASBIN_FROM, LARGEST]
    in_process: In = {}
    over: list[Measured] = []
    with printed() as said_in_process:
        for size in sizes:
            in_process[size] = decisions.table(size, list(decisions.ENGINES), rounds)
        if not quick:
            decisions.table(decisions.MILLION, [decisions.Ours.name], rounds)
    with printed() as said_over_http:
        over = over_http.run(20_000 if quick else LARGEST, rounds, seconds, [1, 2])
    with printed() as said_writes:
        writes.run(seconds, 2_000 if quick else 20_000)
    with printed() as said_previews:
        previews.run([10, 1_000] if quick else [10, 1_000, 100_000], rounds)
    page = [
        "# Performance",
        paragraph(
            f"Measured by this, in {(time.perf_counter() - began) / 60:.0f} minutes. It installs the peers, pinned in "
            "`bench/peers.txt`, beside the tests' tools; the part over HTTP needs `wrk`, on Debian the package of that "
            "name, and is left out without it."
        ),
        f"```sh\n{'make bench BENCH_OPTIONS=--quick' if quick else 'make bench'}\n```",
        machine(quick=quick, rounds=rounds, seconds=seconds),
        "## Targets",
        verdicts([*of_decisions(in_process), *of_http(over)]),
        "## In process",
        what(decisions),
        said_in_process.getvalue(),
        casbin(in_process),
        "## Over HTTP",
        what(over_http),
        said_over_http.getvalue(),
        "## Writes",
        paragraph(
            "Clients attach and detach roles over `/v2`, each on a user of its own and one call after the other; every "
            "call counts. Weight is what an attachment adds to the database, each a change of its own in the log."
        ),
        said_writes.getvalue(),
        "## Previews",
        what(previews),
        said_previews.getvalue(),
    ]
    output.parent.mkdir(exist_ok=True)
    output.write_text(re.sub(r"\n{3,}", "\n\n", "\n\n".join(part.strip() for part in page)) + "\n")
    click.echo(f"\nWritten: {output.name}", err=True)


@contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is printed meanwhile."""
    kept = _Both()
    with redirect_stdout(kept):
        yield kept


def machine(*, quick: bool, rounds: int, seconds: int) -> str:
    """Facts about where this was."""
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    said = (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}. {time.strftime('%Y-%m-%d', time.gmtime())}; load averages at the end {load}. "
        f"{rounds} round{'s' if rounds > 1 else ''}, {seconds} s for each row over HTTP. Everything ran on this one "
        "machine, and everybody shares its cores: nodes, clients, databases."
    )
    if quick:
        said += " **A quick run: the order of magnitude is right, the digits are not.**"
    return paragraph(said)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def what(module: object) -> str:
    """How a bench measures, in its own words: its description without the command."""
    text = (getattr(module, "__doc__", None) or "").strip()
    parts = re.sub(r"Prints (a )?Markdown tables?\. ", "", text).split("\n\n")
    return "\n\n".join(paragraph(" ".join(part.split())) for part in parts if not part.startswith("    "))


def of_decisions(measured: In) -> Iterator[Verdict]:
    """The targets in process."""
    spoken = decisions.spoken
    ours = {size: engines[decisions.Ours.name] for size, engines in measured.items()}
    warm, again = ours[LARGEST]["plain p50"], ours[LARGEST]["again p50"]
    yield (
        f"a warm check without conditions at {LARGEST:,} users: p50 at most {spoken(WARM_NANOSECONDS_MAX)}",
        warm <= WARM_NANOSECONDS_MAX,
        f"{spoken(warm)}; of all questions {spoken(again)}",
    )
    times = {
        (size, name): engines[name]["times"]
        for size, engines in measured.items()
        for name in _CASBIN
        if size >= TIMES_CASBIN_FROM
    }
    for name, how in zip(_CASBIN, ("plain", "indexed by service"), strict=True):
        found = {size: times[size, name] for size, of in times if of == name}
        yield (
            f"from {TIMES_CASBIN_FROM:,} users at least {TIMES_CASBIN_MIN:,} times as fast as pycasbin, {how}",
            all(one >= TIMES_CASBIN_MIN for one in found.values()),
            ", ".join(f"{one:,.0f} times at {size:,}" for size, one in found.items()),
        )
    yield (
        f"a revocation in process: right at most {spoken(REVOCATION_NANOSECONDS_MAX)} after the commit",
        all(sample["right"] <= REVOCATION_NANOSECONDS_MAX for sample in ours.values()),
        ", ".join(f"{spoken(sample['right'])} at {size:,}" for size, sample in ours.items()),
    )


def of_http(measured: Sequence[Measured]) -> Iterator[Verdict]:
    """The targets over HTTP."""
    for database, least in OF_BARE_FROM_CONNECTIONS.items():
        here = [row for row in measured if row.database == database]
        beside = [row for row in here if row.what not in ("revocations", "lists") and row.connections >= least]
        where = "in every row" if least == 1 else f"from {least} connections up"
        yield (
            f"{database}: at least {OF_BARE_MIN:.0%} of the bare endpoint {where}",
            all(row.ratio >= OF_BARE_MIN for row in beside) if beside else None,
            "; ".join(
                f"{group}: {', '.join(f'{row.ratio:.0%}' for row in rows)}"
                for group, rows in grouped(beside, lambda row: row.what).items()
            ),
        )
    often = over_http.REVOCATIONS_PER_SECOND
    for database in OF_BARE_FROM_CONNECTIONS:
        busy = [row for row in measured if row.database == database and row.what == "revocations"]
        yield (
            f"{database}: with {often} revocations/s at least {WHILE_REVOKING_MIN:.0%} of the throughput without",
            all(row.ratio >= WHILE_REVOKING_MIN and row.others >= 0.9 * often for row in busy) if busy else None,
            ", ".join(f"{row.ratio:.0%} with {row.others:.0f}/s ({_of(row.workers)})" for row in busy),
        )


def _of(workers: int) -> str:
    return f"{workers} worker{'s' if workers > 1 else ''}"


def grouped(rows: Sequence[Measured], by: Callable[[Measured], str]) -> dict[str, list[Measured]]:
    """Rows by something, in the order in which they came."""
    found: dict[str, list[Measured]] = {}
    for row in rows:
        found.setdefault(by(row), []).append(row)
    return found


def verdicts(found: Sequence[Verdict]) -> str:
    """The table of targets."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    lines = [f"| {target} | {words[met]} | {seen} |" for target, met, seen in found]
    return "\n".join(["| target | met | measured |", "|---|---|---|", *lines])


def casbin(measured: In) -> str:
    """Both ratios to pycasbin."""
    said = [
        f"{size:,} users {engines[_CASBIN[0]]['times']:,.0f} and {engines[_CASBIN[1]]['times']:,.0f}"
        for size, engines in measured.items()
    ]
    return paragraph(
        "pycasbin is measured in two set-ups: its plain `Enforcer`, and its `FastEnforcer` with an index by service, "
        "which only policies that name their service allow. A warm check of theirs takes, in this order, so many times "
        f"as long as ours: at {'; at '.join(said)}."
    )


def paragraph(text: str) -> str:
    """Text in lines."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    main()
