"""The pulse of an event loop: the newest moment, read after each request came, and what was touched up to it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from rescind.engine.freshness import Freshness, Moment
from rescind.engine.kept import Touches
from rescind.model.errors import Unavailable
from rescind.store.contract import Head, Store

_ANSWER_SECONDS_MAX = 5.0
"""A database that has not answered by then is asked by another connection."""
_MISSED_MAX = 10_000
"""After more changes than that everything is read anew."""


@dataclass(frozen=True, slots=True)
class _Beat:
    """One reading of the head, and what the changes since the one before touched."""

    moment: Moment
    epoch: int
    touched: Mapping[int, int] | None


class Pulse:
    """Keeps `touches` at the newest moment. Everything but `refresh` belongs to one event loop.

    Where reading the head costs microseconds the loop does it at once, for all requests of one turn. Where another
    machine answers it asks for all that wait, and goes on until the answer is there; a thread opens the connection.
    """

    def __init__(self, store: Store, freshness: Freshness, touches: Touches, *, is_near: bool) -> None:
        self._store = store
        self._freshness = freshness
        self._touches = touches
        self._is_near = is_near
        self._heads = store.head_reader()
        self._waiting: list[asyncio.Future[Moment]] = []
        self._beating: asyncio.Task[None] | None = None
        # One thread: its connection is its own, and what it reads follows what it read before.
        self.thread = ThreadPoolExecutor(1, "pulse")

    def refresh(self) -> Moment:
        """Read the head now. Raises `Unavailable`."""
        self._take(self._beat())
        return self._touches.moment

    async def now(self) -> Moment:
        """The newest moment, by a reading that begins after this call. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        # Each has a future of his own: who goes away must not take the others' answer with him.
        waiting: asyncio.Future[Moment] = loop.create_future()
        self._waiting.append(waiting)
        if self._is_near:
            if len(self._waiting) == 1:
                loop.call_soon(self._read_for_turn)
        elif self._beating is None or self._beating.done():
            self._beating = loop.create_task(self._beat_on())
        return await waiting

    def close(self) -> None:
        """Let go of the thread."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _read_for_turn(self) -> None:
        """Read for all requests that came in this turn of the loop."""
        waiting, self._waiting = self._waiting, []
        try:
            outcome: Moment | Exception = self.refresh()
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            outcome = error
        _tell(waiting, outcome)

    async def _beat_on(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                self._take(await self._beat_far())
            except asyncio.CancelledError:
                _tell([*waiting, *self._waiting], Unavailable("the node is ending"))
                raise
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                _tell(waiting, error)
            else:
                _tell(waiting, self._touches.moment)

    async def _beat_far(self) -> _Beat:
        """The same as `_beat`, by the loop itself as long as nothing has to be waited for but an answer."""
        loop = asyncio.get_running_loop()
        began, known = perf_counter(), self._freshness.known
        head = await self._asked(known.revision if known else 0)
        if head is None:
            return await loop.run_in_executor(self.thread, self._open_and_beat)
        moment = self._freshness.take(head, known)
        touched = self._noted(head, moment)
        if touched is None and self._can_catch_up(head, moment):
            touched = await loop.run_in_executor(self.thread, self._read_touched, moment)
        self._freshness.observe(perf_counter() - began)
        return _Beat(moment, head.epoch, touched)

    async def _asked(self, known: int) -> Head | None:
        """The head, if there is a connection that can be asked for it, and it answers."""
        descriptor = self._heads.send(known)
        if descriptor is None:
            return None
        head = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS_MAX):
                head = await self._heard(descriptor)
        except TimeoutError:
            pass
        finally:
            if head is None:
                # Its answer, if it comes, must not be taken for the next one's.
                self._heads.give_up()
        return head

    async def _heard(self, descriptor: int) -> Head | None:
        """What was asked for, as soon as it is all there; None if the connection ends before."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[Head | None] = loop.create_future()
        is_watched = True

        def look_away() -> None:
            nonlocal is_watched
            if is_watched:
                is_watched = False
                loop.remove_reader(descriptor)

        def hear() -> None:
            head = None
            try:
                head = self._heads.receive()
            except Unavailable:
                # At once: the connection has ended, and its number may soon be another's.
                look_away()
            if not heard.done() and (head is not None or not is_watched):
                heard.set_result(head)

        loop.add_reader(descriptor, hear)
        try:
            return await heard
        finally:
            look_away()

    def _open_and_beat(self) -> _Beat:
        beat = self._beat()
        self._heads.prepare()
        return beat

    def _beat(self) -> _Beat:
        began, known = perf_counter(), self._freshness.known
        head = self._heads.read(known.revision if known else 0)
        moment = self._freshness.take(head, known)
        touched = self._noted(head, moment)
        if touched is None and self._can_catch_up(head, moment):
            touched = self._read_touched(moment)
        self._freshness.observe(perf_counter() - began)
        return _Beat(moment, head.epoch, touched)

    def _noted(self, head: Head, moment: Moment) -> Mapping[int, int] | None:
        """What was touched since the last beat, where nobody wrote, or nobody but this node."""
        last = self._touches.moment.revision
        if head.epoch != self._touches.epoch or not last:
            return None
        return self._freshness.touched(head.epoch, last, moment.revision) if moment.revision > last else {}

    def _can_catch_up(self, head: Head, moment: Moment) -> bool:
        """Whether the log says what was touched: what is kept was read in it, and not too long ago."""
        last = self._touches.moment.revision
        return head.epoch == self._touches.epoch and 0 < last >= moment.revision - _MISSED_MAX

    def _read_touched(self, moment: Moment) -> Mapping[int, int] | None:
        """What was touched since the last beat, by the newest revision that did; None if the log does not say it."""
        with self._store.reading(moment.revision, moment.instant) as reader:
            return reader.touched(self._touches.moment.revision)

    def _take(self, beat: _Beat) -> None:
        self._touches.advance(beat.moment, beat.epoch, beat.touched)


def _tell(waiting: list[asyncio.Future[Moment]], outcome: Moment | Exception) -> None:
    for future in waiting:
        if future.done():
            continue
        if isinstance(outcome, Unavailable):
            future.set_exception(Unavailable(outcome.message))
        elif isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
