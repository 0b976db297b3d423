"""Starts `rescind serve` with one planted bug, and with a clock that a test can move. `src/` knows nothing of it.

A process that has everything imported forks the nodes; each of their processes comes by here before it answers.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from consistency.planted import plant
from rescind import app, cli

COMMAND = "consistency.launcher.main"
"""What a nursery forks."""
BUG, CLOCK = "PLANTED_BUG", "MOVED_CLOCK"
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
    """The command line; what its processes do is the same as ever, with what the environment asks for."""
    for name in ("create", "manage"):
        setattr(app, name, partial(_prepared, getattr(app, name)))
    cli.main(arguments, **options)


def _prepared(task: Callable[..., Any], *arguments: Any) -> Any:
    if CLOCK in os.environ:
        _follow(Path(os.environ[CLOCK]))
    if os.environ.get(BUG):
        plant(os.environ[BUG])
    return task(*arguments)


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
