"""Previews over HTTP: what it costs to be told what a removal would do, by how many users it concerns.

    .venv/bin/python bench/previews.py [--holders 10,1000,100000] [--rounds 5]

Prints a Markdown table. A role is ended that so many users hold themselves, and one is detached from a group through
which so many hold it: both with `preview=true`, so that nothing happens and each round asks the same. The world has as
many users as the largest number, each with rights of her own beside that. Medians; the node has answered once before.
"""

import http.client
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from over_http import call
from worlds import World, make_database, wide_group, wide_role
from writes import HEADERS, databases

from servers import Server
from world import ROOT_KEY

SECONDS_MAX = 10.0
"""A row that took longer than that is not measured again."""
THROUGH_GROUPS_MAX = 10_000
"""Of more users only the first removal is measured: the second costs the same, and that is much."""


@click.command()
@click.option("--holders", default="10,1000,100000", show_default=True, help="How many users hold each role.")
@click.option("--rounds", default=5, show_default=True, help="How often each preview is asked for.")
def main(holders: str, rounds: int) -> None:
    """Measure both databases."""
    run([int(number) for number in holders.split(",")], rounds)


def run(holders: Sequence[int], rounds: int) -> None:
    """Measure both databases and print what came out."""
    facts = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    world = World.of(max(holders))
    print(f"{facts}; {world.size:,} users; medians of {rounds}, what takes over {SECONDS_MAX:.0f} s once\n")
    print("| database | preview of | users concerned | users who lose | median | slowest | answer |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch, databases(Path(scratch)) as both:
        for kind, database in both:
            make_database(world, database, root_key=ROOT_KEY, wide=holders)
            folder = Path(scratch) / f"node-{kind}"
            folder.mkdir()
            with Server(database, folder, is_executed=True) as server:
                call(http.client.HTTPConnection("127.0.0.1", server.port), "GET", "/v2/roles")
                for number, concerned in enumerate(holders):
                    own, through = wide_role(world, 2 * number), wide_role(world, 2 * number + 1)
                    removals = {
                        "ending a role": f"/v2/roles/{own}",
                        "detaching one from a group": f"/v2/roles/{through}/groups/{wide_group(world, number)}",
                    }
                    if concerned > THROUGH_GROUPS_MAX:
                        removals.popitem()
                    for what, path in removals.items():
                        cells = row(server, path, concerned, rounds)
                        print(f"| {kind} | {what} | {concerned:,} | {cells} |", flush=True)


def row(server: Server, path: str, concerned: int, rounds: int) -> str:
    """Who loses something, the times of the previews, and the size of one."""
    taken: list[float] = []
    text = b""
    while len(taken) < rounds and (not taken or taken[0] < SECONDS_MAX):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        began = time.perf_counter()
        connection.request("DELETE", f"{path}?preview=true", None, HEADERS)
        response = connection.getresponse()
        text = response.read()
        taken.append(time.perf_counter() - began)
        connection.close()
        assert response.status == 200, (response.status, text)
    said: Any = msgspec.json.decode(text)["principals"]
    assert said["looked_at"] >= concerned, said
    size = f"{len(text) / 1024:,.0f} KiB"
    return f"{said['changed']:,} | {_spoken(statistics.median(taken))} | {_spoken(max(taken))} | {size}"


def _spoken(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
