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
_ENDING = "the node is ending"
_MISSED_MAX = 10_000
"""After more changes than that everything is read anew."""
_TURNS_UNTIL_BACK = 5
"""So often does a loop turn while those who were told are answered, and those of them who have more to ask come back.

One question for all of them is worth more than two, each for a half, that are on their way by turns.
"""


_Beat = tuple[Moment, int, Mapping[int, int] | None]
"""One reading of the head: the moment, the epoch, and what the changes since the reading before touched."""


class _Question(NamedTuple):
    """The head was asked for: for whom, what was known then, and when that was."""

    waiting: "list[asyncio.Future[Moment]]"
    known: Head | None
    began: float


class Pulse:
    """Keeps `touches` at the newest moment. Everything belongs to one event loop; `refresh` is for where there is none.

    Where reading the head costs microseconds the loop does it at once, for all requests of one turn. Where another
    machine answers it asks for all that wait, and goes on until the answer is there; a thread opens the connection.
    One question is under way at a time, and whoever comes meanwhile is one of those of the next: it is on the wire
    (`_asked`), or with the thread, and its end is `_end`.
    """

    def __init__(self, store: Store, freshness: Freshness, touches: Touches, *, is_near: bool) -> None:
        self._store = store
        self._freshness = freshness
        self._touches = touches
        self._is_near = is_near
        self._heads = store.head_reader()
        self._waiting: list[asyncio.Future[Moment]] = []
        self._busy: asyncio.AbstractEventLoop | None = None
        """The loop in which somebody waits, or a question is under way."""
        self._asked: _Question | None = None
        self._watched: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        # One thread: its connection is its own, and what it reads follows what it read before.
        self.thread = ThreadPoolExecutor(1, "pulse")

    def refresh(self) -> Moment:
        """Read the head now. Raises `Unavailable`."""
        self._take(self._beat())
        return self._touches.moment

    async def now(self) -> Moment:
        """The newest moment, by a reading that begins after this call. Raises `Unavailable`."""
        if self._is_closed:
            raise Unavailable(_ENDING)
        loop = asyncio.get_running_loop()
        if self._busy is not loop:
            # Whoever waited in a loop that is gone is gone with it.
            self._busy, self._waiting, self._asked = loop, [], None
            loop.call_soon(self._read_for_turn if self._is_near else self._ask)
        # Each has a future of his own: who goes away must not take the others' answer with him.
        waiting: asyncio.Future[Moment] = loop.create_future()
        self._waiting.append(waiting)
        return await waiting

    def close(self) -> None:
        """Let go of the thread and the connection, and tell those who still wait. Nobody is answered any more."""
        self._is_closed = True
        self._look_away()
        self.thread.shutdown(wait=False, cancel_futures=True)
        left, self._waiting = self._waiting, []
        if self._asked is not None:
            self._heads.give_up()
            left, self._asked = [*self._asked.waiting, *left], None
        _tell(left, Unavailable(_ENDING))

    def _read_for_turn(self) -> None:
        """Read for all requests that came in this turn of the loop."""
        self._busy = None
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
        if not self._waiting:
            self._busy = None
            return
        question = _Question(self._waiting, self._freshness.known, perf_counter())
        self._waiting = []
        try:
            descriptor = self._heads.send(*self._wanted(question.known))
            if descriptor is None:
                self._ask_anew(question)
            else:
                self._watch(descriptor)
                self._asked = question
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            self._end(question, error)

    def _watch(self, descriptor: int) -> None:
        """Have what arrives there heard, until it is looked away."""
        loop = asyncio.get_running_loop()
        if self._watched != (loop, descriptor):
            self._look_away()
            loop.add_reader(descriptor, self._hear)
            self._watched = loop, descriptor
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
        question = self._asked
        try:
            head = self._heads.receive()
        except Exception:  # noqa: BLE001 - whatever it is, another connection is asked, now or when somebody asks
            self._look_away()
            if question is not None:
                self._ask_anew(question)
            return
        if head is None or question is None:
            return
        self._asked = None
        try:
            moment = self._freshness.take(head, question.known)
            if self._told(head, moment) is None and self._can_catch_up(head, moment):
                self._go_on_in_thread(question, partial(self._caught_up, head, moment))
                return
            outcome: _Beat | Exception = self._caught_up(head, moment)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            outcome = error
        self._end(question, outcome)

    def _lose_patience(self) -> None:
        """Give up what has not been answered for so long. One timer serves for one question after the other."""
        self._timer = None
        if self._asked is None:
            return
        left = self._asked.began + _ANSWER_SECONDS_MAX - perf_counter()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._lose_patience)
        else:
            self._ask_anew(self._asked)

    def _ask_anew(self, question: _Question) -> None:
        """Ask by another connection: an answer of this one, if it comes, must not be taken for the next one's."""
        self._asked = None
        self._look_away()
        self._heads.give_up()
        self._go_on_in_thread(question, self._open_and_beat)

    def _go_on_in_thread(self, question: _Question, beat: Callable[[], _Beat]) -> None:
        """Go on with what has to be waited for."""

        def end(beating: asyncio.Future[_Beat]) -> None:
            try:
                outcome: _Beat | Exception = beating.result()
            except asyncio.CancelledError:
                outcome = Unavailable(_ENDING)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                outcome = error
            self._end(question, outcome)

        asyncio.get_running_loop().run_in_executor(self.thread, beat).add_done_callback(end)

    def _end(self, question: _Question, outcome: _Beat | Exception) -> None:
        """Tell those for whom the head was read, and ask again for those who come until they are back."""
        if not isinstance(outcome, Exception):
            self._freshness.observe(perf_counter() - question.began)
            self._take(outcome)
            _tell(question.waiting, self._touches.moment)
        else:
            _tell(question.waiting, outcome)
        self._ask_after(_TURNS_UNTIL_BACK)

    def _ask_after(self, turns: int) -> None:
        """Ask when the loop has turned so often."""
        if turns:
            asyncio.get_running_loop().call_soon(self._ask_after, turns - 1)
        else:
            self._ask()

    def _open_and_beat(self) -> _Beat:
        beat = self._beat()
        self._heads.prepare()
        return beat

    def _beat(self) -> _Beat:
        known = self._freshness.known
        if known is not None:
            clock = self._heads.unchanged(known)
            if clock is not None:
                return self._caught_up(known, self._freshness.still(known, clock))
        head = self._heads.read(*self._wanted(known))
        return self._caught_up(head, self._freshness.take(head, known))

    def _wanted(self, known: Head | None) -> tuple[int, int]:
        """The revision that is known, and the one after which it is to be told what was touched."""
        if known is None:
            return 0, self._touches.moment.revision
        # Of its own writes this node knows it.
        return known.revision, known.revision if self._freshness.wrote(known) else self._touches.moment.revision

    def _caught_up(self, head: Head, moment: Moment) -> _Beat:
        """All about a moment, reading what others touched until then if it was not told."""
        touched = self._told(head, moment)
        if touched is None and self._can_catch_up(head, moment):
            touched = self._read_touched(moment)
        return moment, head.epoch, touched

    def _told(self, head: Head, moment: Moment) -> Mapping[int, int] | None:
        """What was touched since the last beat, if it was read with the head, or nobody but this node wrote."""
        last = self._touches.moment.revision
        if head.epoch != self._touches.epoch or not last:
            return None
        if moment.revision <= last:
            return {}
        own = self._freshness.touched(head.epoch, last, moment.revision)
        return head.touched(last) if own is None else own

    def _can_catch_up(self, head: Head, moment: Moment) -> bool:
        """Whether the log says what was touched: what is kept was read in it, and not too long ago."""
        last = self._touches.moment.revision
        return head.epoch == self._touches.epoch and 0 < last >= moment.revision - _MISSED_MAX

    def _read_touched(self, moment: Moment) -> Mapping[int, int] | None:
        """What was touched since the last beat, by the newest revision that did; None if the log does not say it."""
        with self._store.reading(moment.revision, moment.instant) as reader:
            return reader.touched(self._touches.moment.revision)

    def _take(self, beat: _Beat) -> None:
        self._touches.advance(*beat)


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
