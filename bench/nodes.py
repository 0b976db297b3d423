"""What the promise costs: revokes and decisions on 1, 2 and 4 nodes, with faults and without; and a node's start.

    .venv/bin/python bench/nodes.py [--seconds 40] [--edges 100000,1000000]

Prints Markdown tables. The first is of the soak of `tests/consistency`: nodes of one process each on PostgreSQL, whose
clients give and take and ask about it at once, all on this machine; each run is checked like any soak. The second is
the time from the start of `rescind serve` on an SQLite file with so many edges to the first decision, and from then to
that about another user.
"""

import http.client
import os
import platform
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import click
from over_http import ONE, call
from worlds import World, body_of, make_database

from consistency.soak import Soak, percentiles, run
from servers import Server
from world import ROOT_KEY

NODES = (1, 2, 4)
EDGES_PER_USER = 1.1
"""A group for each user, and for every tenth a role of his own."""
STARTS = 3


@click.command()
@click.option("--seconds", default=40.0, show_default=True, help="How long each soak takes.")
@click.option(
    "--edges", default="100000,1000000", show_default=True, help="Edges of the databases that nodes start on."
)
@click.option("--seed", default=1, show_default=True, help="Of the soaks.")
def main(seconds: float, edges: str, seed: int) -> None:
    """Measure both."""
    facts = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{facts}; {seconds:.0f} s for each row\n")
    print(
        "| nodes | faults | revoke, request to acknowledgement | decision | not answered during faults "
        "| all answered after | violations |\n|---|---|---|---|---|---|---|"
    )
    for nodes in NODES:
        for with_faults in (False, True):
            soak = run("postgres", seconds, seed, nodes=nodes, workers=1, with_faults=with_faults)
            print(row(nodes, soak), flush=True)
    print("\n| edges | start to first decision | another user, p50 |\n|---|---|---|")
    for number in filter(None, edges.split(",")):
        print(started(int(number)), flush=True)


def row(nodes: int, soak: Soak) -> str:
    """One soak's line."""
    during = soak.during_faults
    known = {one.number for one in during}
    missed = [one for one in soak.missed if one.number in known]
    cells = [
        str(nodes),
        str(len(soak.faults)),
        percentiles(soak.revokes),
        percentiles(soak.decisions),
        f"{len(missed) / len(during):.0%} of {len(during)}" if during else "",
        f"{soak.seconds_to_recover:.2f} s" if soak.faults else "",
        str(len(soak.violations)),
    ]
    return f"| {' | '.join(cells)} |"


def started(edges: int) -> str:
    """One database's line."""
    world = World.of(int(edges / EDGES_PER_USER))
    questions = [body_of(question) for question in islice(world.questions(range(world.size)), 200)]
    firsts, others = [], []
    with tempfile.TemporaryDirectory() as scratch:
        database = f"sqlite:///{scratch}/world.db"
        make_database(world, database, root_key=ROOT_KEY)
        for _ in range(STARTS):
            began = time.perf_counter()
            with Server(database, Path(scratch), is_executed=True) as server:
                connection = http.client.HTTPConnection("127.0.0.1", server.port)
                for question in questions:
                    call(connection, "POST", ONE, question)
                    others.append(time.perf_counter() - began)
                    began = time.perf_counter()
            firsts.append(others.pop(-len(questions)))
    first, other = statistics.median(firsts), statistics.median(others)
    return f"| {edges:,} | {first:.2f} s | {other * 1e3:.1f} ms |"


if __name__ == "__main__":
    main()
