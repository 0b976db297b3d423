"""A process of its own for management calls, beside the one that decides.

An interpreter runs one thread at a time: what is managed in the process that decides holds its decisions up. The two
share a pair of sockets that nobody else can reach. While that process is not there, the deciding one manages itself.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, TypeGuard

import structlog
from msgspec import Struct, msgpack
from uuid_utils import uuid7

from rescind.api.body import BODY_BYTES_MAX, READING, App, Gone, Message, Receive, Scope, Send, received, replay
from rescind.api.door import LOST
from rescind.api.exchange import REQUEST_ID
from rescind.engine.freshness import Freshness, Seen
from rescind.fork_server import ENDING_SECONDS_MAX, PID_LENGTH, ForkServer

_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 1.0, 60.0
"""Between the end of one process and the start of the next: each time twice as long, until one has started."""
_START_SECONDS_MAX = 60.0
_WORD_SECONDS = 1.0
"""So often the process says that it lives."""
_SILENCE_SECONDS_MAX = 10.0
_UNSENT_BYTES_MAX = 16 * BODY_BYTES_MAX
"""What waits to be sent to a process that takes nothing."""

Headers = list[tuple[bytes, bytes]]
_log = structlog.get_logger("rescind.management")


class _Asked(Struct, array_like=True, gc=False):
    """A request, whole, and what whoever asks has seen."""

    number: int
    request_id: str
    method: str
    scheme: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: Headers
    address: str | None
    body: bytes
    seen: Seen


class _Answered(Struct, array_like=True, gc=False):
    """The answer to the request of that number, whole, and what whoever answers has seen."""

    number: int
    status: int
    headers: Headers
    body: bytes
    seen: Seen


_encode = msgpack.Encoder().encode
_asked, _answered = msgpack.Decoder(_Asked), msgpack.Decoder(_Answered)
_ALIVE = _Answered(0, 0, [], b"", Seen(None, 0))
"""What the process says when it has started, and then again and again."""


class Management:
    """The process as the deciding one knows it, in whose event loop everything here belongs.

    It comes from the fork server, whose processes hand their descriptor to `serve`. One that is silent for ten seconds
    is killed.
    """

    def __init__(self, forks: ForkServer, freshness: Freshness) -> None:
        self._forks = forks
        self._freshness = freshness
        self._link: asyncio.StreamWriter | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[_Answered]] = {}
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, and another one whenever it has ended, until `stop`."""
        self._life = asyncio.get_running_loop().create_task(self._live())

    async def stop(self) -> None:
        """Tell the process to end, when it has done what it was asked for."""
        if self._life is not None:
            self._life.cancel()
            with suppress(asyncio.CancelledError):
                await self._life

    def before(self, face: App) -> App:
        """The face, answered by the process if it is there.

        If it ends in the middle of a call, one that only reads is answered here; of another the fate is unknown.
        """

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if _takes(self._link):
                try:
                    body = await received(receive, BODY_BYTES_MAX)
                except Gone:
                    return
                receive = replay(body)
            # It may have ended since.
            if not _takes(self._link):
                await face(scope, receive, send)
                return
            scope[REQUEST_ID] = str(uuid7())
            try:
                answered = await self._ask(self._link, scope, body)
            except ConnectionError:
                # The process that was asked has ended; what only reads is asked again.
                scope[LOST] = scope["method"] not in READING
                await face(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": answered.status, "headers": answered.headers})
            await send({"type": "http.response.body", "body": answered.body})

        return app

    def _ask(self, link: asyncio.StreamWriter, scope: Scope, body: bytes) -> "asyncio.Future[_Answered]":
        asked = _Asked(
            next(self._numbers),
            scope[REQUEST_ID],
            scope["method"],
            scope["scheme"],
            scope["path"],
            scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            scope["client"][0] if scope["client"] else None,
            body,
            self._freshness.seen,
        )
        answer = self._waiting[asked.number] = asyncio.get_running_loop().create_future()
        _put(link, asked)
        return answer

    async def _live(self) -> None:
        pause = _PAUSE_SECONDS
        while True:
            has_started = False
            try:
                has_started = await self._live_once()
            except Exception:  # noqa: BLE001 - whatever it is, the node goes on without the process, and tries again
                _log.exception("failed")
            pause = _PAUSE_SECONDS if has_started else min(2 * pause, _PAUSE_SECONDS_MAX)
            await asyncio.sleep(pause)

    async def _live_once(self) -> bool:
        """One process, from its start to its end; whether it has started."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        reader, link = await asyncio.open_unix_connection(sock=ours)
        try:
            with theirs:
                self._forks.fork(theirs.fileno())
            async with asyncio.timeout(_START_SECONDS_MAX):
                pid = int.from_bytes(await reader.readexactly(PID_LENGTH), "big")
        except BaseException:
            link.close()
            raise
        kill = partial(_kill, pid)
        patience = loop.call_later(_START_SECONDS_MAX, kill)
        has_started = False
        try:
            async for frame in _frames(reader):
                answered = _answered.decode(frame)
                if answered.number == _ALIVE.number:
                    patience.cancel()
                    patience = loop.call_later(_SILENCE_SECONDS_MAX, kill)
                    if not has_started:
                        has_started, self._link = True, link
                        _log.info("managing", process=pid)
                    continue
                self._freshness.learn(answered.seen)
                waiting = self._waiting.pop(answered.number)
                if not waiting.done():
                    waiting.set_result(answered)
        finally:
            self._link = None
            patience.cancel()
            left, self._waiting = self._waiting, {}
            for waiting in left.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionResetError())
            if not has_started or not await _ends(reader, link):
                kill()
            link.close()
        _log.warning("ended", process=pid)
        return has_started


async def _ends(reader: asyncio.StreamReader, link: asyncio.StreamWriter) -> bool:
    """Whether the process ends in time, which is told to by this."""
    if not link.is_closing():
        link.write_eof()
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(ENDING_SECONDS_MAX):
            while await reader.read(BODY_BYTES_MAX):
                pass
            return True
    return False


def _takes(link: asyncio.StreamWriter | None) -> TypeGuard[asyncio.StreamWriter]:
    return link is not None and not link.is_closing() and link.transport.get_write_buffer_size() < _UNSENT_BYTES_MAX


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def serve(descriptor: int, app: App, freshness: Freshness) -> None:
    """Answer with an application what is asked through that socket, until the other side ends, and soon after that."""
    reader, link = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    living = asyncio.create_task(_say_that_it_lives(link))
    answering: set[asyncio.Task[None]] = set()
    async for frame in _frames(reader):
        asked = _asked.decode(frame)
        freshness.learn(asked.seen)
        task = asyncio.create_task(_answer(app, asked, freshness, link))
        answering.add(task)
        task.add_done_callback(answering.discard)
    living.cancel()
    if answering:
        await asyncio.wait(answering, timeout=ENDING_SECONDS_MAX)
    link.close()


async def _say_that_it_lives(link: asyncio.StreamWriter) -> None:
    while True:
        _put(link, _ALIVE)
        await asyncio.sleep(_WORD_SECONDS)


async def _answer(app: App, asked: _Asked, freshness: Freshness, link: asyncio.StreamWriter) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "root_path": "",
        "server": None,
        "method": asked.method,
        "scheme": asked.scheme,
        "path": asked.path,
        "raw_path": asked.raw_path,
        "query_string": asked.query_string,
        "headers": asked.headers,
        "client": (asked.address, 0) if asked.address else None,
        REQUEST_ID: asked.request_id,
    }
    answered = _Answered(asked.number, 500, [], b"", asked.seen)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered.status, answered.headers = message["status"], message["headers"]
        else:
            answered.body += message.get("body", b"")

    try:
        await app(scope, replay(asked.body), send)
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, the other side must not wait for ever
        _log.exception("failed")
    answered.seen = freshness.seen
    _put(link, answered)


def _put(link: asyncio.StreamWriter, said: _Asked | _Answered) -> None:
    if not link.is_closing():
        frame = _encode(said)
        link.write(len(frame).to_bytes(4, "big") + frame)


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What the other side says, until it ends."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            yield await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
