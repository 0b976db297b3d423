"""Wires between nodes and PostgreSQL, one for each node: cut, slow, or cut at the next COMMIT.

They run in a process of their own (this file), which takes one order per line and answers each with a number.
"""

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_COMMIT = b"COMMIT\0"


class Moment(StrEnum):
    """When a connection on which something is committed ends."""

    BEFORE = "before"
    """The database does not hear of it."""
    DONE = "done"
    """It is done, and the node does not hear of it."""
    TOLD = "told"
    """The node hears of it, and of nothing more."""


class Wire:
    """One node's way to the database."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._delay = 0.0
        self._drop: tuple[Moment, bool] | None = None
        self.drops = 0

    def order(self, what: str, how: Any) -> int:
        """Do what is asked for; the answer is how many commits were dropped so far."""
        match what:
            case "cut":
                self._is_cut = True
                self._abort(*self._open)
            case "heal":
                self._is_cut, self._delay, self._drop = False, 0.0, None
            case "delay":
                self._delay = how
            case "drop":
                self._drop = Moment(how[0]), how[1]
            case "drops":
                pass
            case _:
                raise ValueError(what)
        return self.drops

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on until one side ends it."""
        self._open.add(writer)
        try:
            if self._is_cut:
                return
            theirs, there = await asyncio.open_unix_connection(self._server)
            self._open.add(there)
            doomed: list[Moment] = []
            await asyncio.gather(self._onward(reader, there, writer, doomed), self._back(theirs, writer, there, doomed))
            self._open.discard(there)
        except (OSError, asyncio.CancelledError):
            pass  # one side is gone, or all wires are taken down
        finally:
            self._open.discard(writer)
            self._abort(writer)

    async def _onward(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        here: asyncio.StreamWriter,
        doomed: list[Moment],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._drop and _COMMIT in data:
                    (moment, then_cut), self._drop = self._drop, None
                    self.drops += 1
                    self._is_cut = then_cut
                    if moment is Moment.BEFORE:
                        break
                    doomed.append(moment)
                there.write(data)
                await there.drain()
        if not doomed:
            self._abort(there, here)

    async def _back(
        self,
        reader: asyncio.StreamReader,
        here: asyncio.StreamWriter,
        there: asyncio.StreamWriter,
        doomed: list[Moment],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if doomed and doomed[0] is Moment.DONE:
                    break
                if self._delay:
                    await asyncio.sleep(self._delay)
                here.write(data)
                await here.drain()
                if doomed:
                    break
        self._abort(here, there)
        if doomed and self._is_cut:
            self._abort(*self._open)

    @staticmethod
    def _abort(*writers: asyncio.StreamWriter) -> None:
        for writer in list(writers):
            # Unlike a close, an end that nobody can take for an orderly one.
            writer.transport.abort()


class Wires:
    """The wires as a test holds them: `ports` has the place where each node finds its database."""

    def __init__(self, server: str, number: int) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), server, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: list[int] = self._heard()

    def cut(self, node: int) -> None:
        """End all connections of a node, and take no new ones until `heal`."""
        self._order(node, "cut")

    def heal(self, node: int) -> None:
        """Let everything pass at once again."""
        self._order(node, "heal")

    def delay(self, node: int, seconds: float) -> None:
        """Let every answer of the database take so much longer."""
        self._order(node, "delay", seconds)

    def drop(self, node: int, moment: Moment, *, then_cut: bool = False) -> None:
        """Cut the connection on which the node sends its next COMMIT; with `then_cut` all its others, as by `cut`."""
        self._order(node, "drop", [moment, then_cut])

    def drops(self, node: int) -> int:
        """How often that has happened."""
        return self._order(node, "drops")

    def _order(self, node: int, what: str, how: Any = None) -> int:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps([node, what, how]) + "\n")
            self._process.stdin.flush()
            return int(self._heard())

    def _heard(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


async def _serve(server: str, number: int) -> None:
    wires = [Wire(server) for _ in range(number)]
    listening = [await asyncio.start_server(wire.connect, "127.0.0.1", 0) for wire in wires]
    _say([one.sockets[0].getsockname()[1] for one in listening])
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        node, what, how = json.loads(line)
        _say(wires[node].order(what, how))


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
