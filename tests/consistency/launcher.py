"""Starts `rescind serve` with one planted bug, and with a clock that a test can move. `src/` knows nothing of it.

A process that has everything imported forks the nodes; each of their worker processes comes by here before it serves.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from consistency.planted import plant
from rescind import app, cli

COMMAND = "consistency.launcher.main"
"""What a nursery forks."""
BUG, CLOCK = "PLANTED_BUG", "MOVED_CLOCK"
SERVED, INSTEAD = "rescind.app:create", "consistency.launcher:create"
MANAGE = "consistency.launcher:manage"
_OFFSET = struct.Struct("<q")


class Clock:
    """How far the host's clock is off for one node, in a file that all its processes look into."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_bytes(_OFFSET.pack(0))

    def move(self, seconds: float) -> None:
        """Put the clock so far before (or, below zero, behind) the right time."""
        with self.file.open("r+b") as opened:
            opened.write(_OFFSET.pack(int(seconds * 1_000_000_000)))


def main(arguments: Sequence[str], **options: Any) -> None:
    """The command line; what it serves is made by `create`."""
    for name in ("run", "Config"):
        setattr(uvicorn, name, partial(_instead, getattr(uvicorn, name)))
    cli.main(arguments, **options)


def _instead(serve: Callable[..., Any], application: str, **how: Any) -> Any:
    """Serve with what was asked for; one process is run, several are configured."""
    assert application == SERVED, f"{application} is served, and not {SERVED}: no bug would be planted"
    return serve(INSTEAD, **how)


def create() -> Any:
    """What each process of a node serves: the same as ever, with what the environment asks for."""
    _prepare()
    app.MANAGE = MANAGE
    return app.create()


def manage(descriptor: int) -> None:
    """The same for the processes that are for management calls."""
    _prepare()
    app.manage(descriptor)


def _prepare() -> None:
    if CLOCK in os.environ:
        _follow(Path(os.environ[CLOCK]))
    if os.environ.get(BUG):
        plant(os.environ[BUG])


def _follow(file: Path) -> None:
    """Let the time of this process be off by what the file says."""
    with file.open("rb") as opened:
        offset = mmap.mmap(opened.fileno(), _OFFSET.size, prot=mmap.PROT_READ)
    right = time.time_ns

    def time_ns() -> int:
        moved: int = _OFFSET.unpack_from(offset)[0]
        return right() + moved

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1_000_000_000
