"""The pulse of an event loop: the newest moment, read after each request came, and what was touched up to it."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import NamedTuple

from rescind.engine.freshness import Freshness, Moment
from rescind.engine.kept import Touches
from rescind.model.errors import Unavailable
from rescind.store.contract import Head, Store

_ANSWER_SECONDS_MAX = 5.0
"""A database that has not answered by then is asked by another connection."""
_MISSED_MAX = 10_000
"""After more changes than that everything is read anew."""


class _Beat(NamedTuple):
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
        self._served: list[asyncio.Future[Moment]] = []
        """Those for whom the head is being read; who comes meanwhile is one of those who wait."""
        self._busy: asyncio.AbstractEventLoop | None = None
        """The loop in which the head is being read."""
        self._began = 0.0
        """When it was asked for last."""
        self._known: Head | None = None
        """What was known then."""
        self._is_asked = False
        """Whether it was asked for without waiting, and is not there yet."""
        self._watched: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
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
        elif self._busy is not loop:
            self._busy = loop
            loop.call_soon(self._ask)
        return await waiting

    def close(self) -> None:
        """Let go of the thread, and of those who still wait."""
        self._look_away()
        self.thread.shutdown(wait=False, cancel_futures=True)
        left, self._served, self._waiting = [*self._served, *self._waiting], [], []
        self._is_asked, self._busy = False, None
        _tell(left, Unavailable("the node is ending"))

    def _read_for_turn(self) -> None:
        """Read for all requests that came in this turn of the loop."""
        waiting, self._waiting = self._waiting, []
        began = perf_counter()
        try:
            outcome: Moment | Exception = self.refresh()
            self._freshness.observe(perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            outcome = error
        _tell(waiting, outcome)

    # Another machine is asked by callbacks: a task for each question costs as much as the question.

    def _ask(self) -> None:
        """Ask for the head, for all who wait."""
        self._served, self._waiting = self._waiting, []
        self._began, known = perf_counter(), self._freshness.known
        descriptor = self._heads.send(known.revision if known else 0)
        if descriptor is None:
            self._give_up()
        else:
            self._is_asked, self._known = True, known
            self._watch(descriptor)

    def _watch(self, descriptor: int) -> None:
        """Have what arrives there heard, until it is looked away."""
        loop = asyncio.get_running_loop()
        if self._watched != (loop, descriptor):
            self._look_away()
            self._watched = loop, descriptor
            loop.add_reader(descriptor, self._hear)
        if self._timer is None:
            self._timer = loop.call_later(_ANSWER_SECONDS_MAX, self._lose_patience)

    def _look_away(self) -> None:
        """Before a connection is closed: its number may soon be another's."""
        if self._watched is not None and not self._watched[0].is_closed():
            self._watched[0].remove_reader(self._watched[1])
        if self._timer is not None:
            self._timer.cancel()
        self._watched = self._timer = None

    def _hear(self) -> None:
        """Take the answer, as soon as it is all there."""
        try:
            head = self._heads.receive()
        except Unavailable:
            self._give_up()
            return
        if head is None or not self._is_asked:
            return
        self._is_asked = False
        try:
            moment = self._freshness.take(head, self._known)
            if self._noted(head, moment) is None and self._can_catch_up(head, moment):
                self._go_on_in_thread(partial(self._caught_up, head, moment))
                return
            outcome: _Beat | Exception = self._caught_up(head, moment)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            outcome = error
        self._end(outcome)

    def _lose_patience(self) -> None:
        """Give up what has not been answered for so long. One timer serves for one question after the other."""
        self._timer = None
        if not self._is_asked:
            return
        left = self._began + _ANSWER_SECONDS_MAX - perf_counter()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._lose_patience)
        else:
            self._give_up()

    def _give_up(self) -> None:
        """Let go of the connection: its answer, if it comes, is not the next one's. Who is served is so by another."""
        self._look_away()
        self._heads.give_up()
        self._is_asked = False
        if self._served:
            self._go_on_in_thread(self._open_and_beat)

    def _go_on_in_thread(self, beat: Callable[[], _Beat]) -> None:
        """Go on with what has to be waited for."""

        def end(beating: asyncio.Future[_Beat]) -> None:
            try:
                self._end(beating.result())
            except asyncio.CancelledError:
                self._end(Unavailable("the node is ending"))
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                self._end(error)

        try:
            asyncio.get_running_loop().run_in_executor(self.thread, beat).add_done_callback(end)
        except RuntimeError:
            # The thread takes nothing more.
            self._end(Unavailable("the node is ending"))

    def _end(self, outcome: _Beat | Exception) -> None:
        """Tell those for whom the head was read, and ask again for those who came meanwhile."""
        served, self._served = self._served, []
        if isinstance(outcome, _Beat):
            self._freshness.observe(perf_counter() - self._began)
            self._take(outcome)
            _tell(served, self._touches.moment)
        else:
            _tell(served, outcome)
        if self._waiting:
            self._ask()
        else:
            self._busy = None

    def _open_and_beat(self) -> _Beat:
        beat = self._beat()
        self._heads.prepare()
        return beat

    def _beat(self) -> _Beat:
        known = self._freshness.known
        head = self._heads.read(known.revision if known else 0)
        return self._caught_up(head, self._freshness.take(head, known))

    def _caught_up(self, head: Head, moment: Moment) -> _Beat:
        """All about a moment, reading what others touched until then."""
        touched = self._noted(head, moment)
        if touched is None and self._can_catch_up(head, moment):
            touched = self._read_touched(moment)
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
