"""The pulse of an event loop: the newest moment, read after each request came, and what was touched up to it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from rescind.engine.freshness import Freshness, Moment
from rescind.engine.kept import Touches
from rescind.model.errors import Unavailable
from rescind.store.contract import Store

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

    Where reading the head costs microseconds the loop does it itself, once for all requests of one turn; where another
    machine answers, a thread does, once for all that wait when it begins.
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
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                self._take(await loop.run_in_executor(self.thread, self._beat))
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                _tell(waiting, error)
            else:
                _tell(waiting, self._touches.moment)

    def _beat(self) -> _Beat:
        began = perf_counter()
        known = self._freshness.known
        head = self._heads.read(known.revision if known else 0)
        moment = self._freshness.take(head, known)
        before = self._touches
        missed = moment.revision - before.moment.revision
        touched: Mapping[int, int] | None = {}
        if head.epoch != before.epoch or missed > _MISSED_MAX or not before.moment.revision:
            touched = None
        elif missed:
            touched = self._freshness.touched(head.epoch, before.moment.revision, moment.revision)
            if touched is None:
                with self._store.reading(moment.revision, moment.instant) as reader:
                    touched = reader.touched(before.moment.revision)
        self._freshness.observe(perf_counter() - began)
        return _Beat(moment, head.epoch, touched)

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
