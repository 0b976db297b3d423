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
            return await loop.run_in_executor(self.thread, self._beat)
        moment = self._freshness.take(head, known)
        touched = self._noted(head, moment)
        if touched is None:
            touched = await loop.run_in_executor(self.thread, self._touched, head, moment)
        self._freshness.observe(perf_counter() - began)
        return _Beat(moment, head.epoch, touched)

    async def _asked(self, known: int) -> Head | None:
        """The head, if there is a connection that can be asked for it, and it answers."""
        descriptor = self._heads.send(known)
        if descriptor is None:
            return None
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[Head | None] = loop.create_future()

        def hear() -> None:
            try:
                head = self._heads.receive()
                is_over = head is not None
            except Unavailable:
                head, is_over = None, True
            if is_over and not heard.done():
                heard.set_result(head)

        head = None
        loop.add_reader(descriptor, hear)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS_MAX):
                head = await heard
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(descriptor)
            if head is None:
                self._heads.give_up()
        return head

    def _beat(self) -> _Beat:
        began, known = perf_counter(), self._freshness.known
        head = self._heads.read(known.revision if known else 0)
        moment = self._freshness.take(head, known)
        touched = self._touched(head, moment)
        self._freshness.observe(perf_counter() - began)
        return _Beat(moment, head.epoch, touched)

    def _touched(self, head: Head, moment: Moment) -> Mapping[int, int] | None:
        """What was touched since the last beat, by the newest revision that did; None if that cannot be told."""
        noted, last = self._noted(head, moment), self._touches.moment.revision
        if noted is not None:
            return noted
        if not self._goes_on(head) or moment.revision - last > _MISSED_MAX:
            return None
        with self._store.reading(moment.revision, moment.instant) as reader:
            return reader.touched(last)

    def _noted(self, head: Head, moment: Moment) -> Mapping[int, int] | None:
        """The same where nothing has to be read: nobody wrote since, or nobody but this node."""
        last = self._touches.moment.revision
        if not self._goes_on(head):
            return None
        return self._freshness.touched(head.epoch, last, moment.revision) if moment.revision > last else {}

    def _goes_on(self, head: Head) -> bool:
        """Whether what is kept was read in the log that this is the head of."""
        return head.epoch == self._touches.epoch and self._touches.moment.revision > 0

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
