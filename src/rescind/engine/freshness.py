"""Freshness: no answer from before the request arrived, and none from a log that went back.

A request asks for the moment at which it may be answered. The head is read after the request asked; requests that
wait at that moment share one read. Nothing is remembered by time.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection
from time import perf_counter
from typing import NamedTuple

from rescind.model.changes import Change
from rescind.model.errors import Unavailable
from rescind.store.contract import SCHEMA_VERSION, Head, Store

_WENT_BACK = "the log went back: an operator must run `rescind recover --accept-loss`"


class Moment(NamedTuple):
    """The revision and the instant (microseconds since 1970) that an answer is true for."""

    revision: int
    instant: int


class Seen(NamedTuple):
    """The newest head that a process has seen, and the latest instant (microseconds since 1970) it has answered by."""

    head: Head | None
    instant: int


class Freshness:
    """What this node knows of the log's end. Safe for any number of threads."""

    def __init__(self, store: Store, observe_seconds: Callable[[float], None] = lambda _: None) -> None:
        self._store = store
        self._observe_seconds = observe_seconds
        self._known: Head | None = None
        self._instant = 0
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._reads_begun = 0
        self._reads_ended = 0
        self._reading = False
        self._own: deque[tuple[int, int, dict[int, int]]] = deque(maxlen=64)
        self._outcome: Moment | Unavailable = Unavailable("nothing was read yet")

    @property
    def known(self) -> Head | None:
        """The newest head that this node has seen."""
        return self._known

    @property
    def seen(self) -> "Seen":
        """What binds the answers that follow."""
        return Seen(self._known, self._instant)

    def learn(self, seen: "Seen") -> None:
        """Let it bind the answers of this process, too, what another one of the node has seen."""
        with self._lock:
            if seen.head is not None:
                self._note(seen.head)
            self._instant = max(self._instant, seen.instant)

    def now(self) -> Moment:
        """Read the head by a read that begins after this call. Raises `Unavailable`."""
        began = perf_counter()
        with self._turn:
            # A read that is under way was sent before this request came: it must be the next one.
            wanted = self._reads_begun + 1
            while self._reads_ended < wanted:
                if self._reading:
                    self._turn.wait()
                else:
                    self._lead()
            outcome = self._outcome
        self._observe_seconds(perf_counter() - began)
        if isinstance(outcome, Unavailable):
            raise Unavailable(outcome.message)
        return outcome

    def accept(self, head: Head, known: Head | None) -> Moment:
        """Take the head that was read under the write lock, or raise `Unavailable` if it cannot be the newest.

        `head` must have been read with `known`, which was known before that read was sent.
        """
        with self._lock:
            newest = self._known
            if newest is not None and newest.epoch == head.epoch and newest.revision > head.revision:
                raise Unavailable(_WENT_BACK)
            return self._accept(head, known)

    def take(self, head: Head, known: Head | None) -> Moment:
        """Judge a head that was read elsewhere, `known` having been known before. Raises `Unavailable`."""
        with self._lock:
            return self._accept(head, known)

    def still(self, known: Head, clock: int) -> Moment:
        """Take that a head that was known is read to be the newest still, by the clock (microseconds since 1970)."""
        with self._lock:
            self._instant = max(self._instant, clock, known.time)
            return Moment(known.revision, self._instant)

    def observe(self, seconds: float) -> None:
        """Take down how long a request waited for the head."""
        self._observe_seconds(seconds)

    def written(self, head: Head, change: Change, touched: Collection[int]) -> None:
        """Note that this node's write came after `head`, and what it touched."""
        with self._lock:
            self._note(head._replace(revision=change.revision, digest=change.digest, time=change.time))
            self._own.append((head.epoch, change.revision, dict.fromkeys(touched, change.revision)))

    def wrote(self, head: Head) -> bool:
        """Whether the newest change of that head is the last one that this node wrote."""
        return bool(self._own) and self._own[-1][:2] == (head.epoch, head.revision)

    def touched(self, epoch: int, after: int, revision: int) -> dict[int, int] | None:
        """What the changes after one revision up to another touched, if this node wrote each of them lately."""
        with self._lock:
            touched: dict[int, int] = {}
            for of_epoch, of, by in reversed(self._own):
                if revision == after:
                    break
                if of == revision and of_epoch == epoch:
                    touched = by | touched
                    revision -= 1
        return touched if revision == after else None

    def _lead(self) -> None:
        """Read for all who wait. Called with the turn held, which is given up while the database answers."""
        known = self._known
        self._reading = True
        self._reads_begun += 1
        outcome: Moment | Unavailable = Unavailable("the head could not be read")
        head = None
        self._turn.release()
        try:
            head = self._store.head(known.revision if known else 0)
        except Unavailable as refusal:
            outcome = refusal
        finally:
            self._turn.acquire()
            if head is not None:
                outcome = self._judge(head, known)
            # Published with the end of the read and not before: who waited may wake after the next read began.
            self._outcome = outcome
            self._reading = False
            self._reads_ended = self._reads_begun
            self._turn.notify_all()

    def _judge(self, head: Head, known: Head | None) -> Moment | Unavailable:
        try:
            return self._accept(head, known)
        except Unavailable as refusal:
            return refusal

    def _accept(self, head: Head, known: Head | None) -> Moment:
        if head.schema_version != SCHEMA_VERSION:
            raise Unavailable("the database has the schema of another version")
        if head.is_replica:
            raise Unavailable("the database is a replica, which may lag behind")
        if known is not None and not _follows(head, known):
            raise Unavailable(_WENT_BACK)
        self._note(head)
        self._instant = max(self._instant, head.clock, head.time)
        return Moment(head.revision, self._instant)

    def _note(self, head: Head) -> None:
        # Another thread may have seen a later head while this one was being read.
        if self._known is None or (head.epoch, head.revision) > (self._known.epoch, self._known.revision):
            self._known = head


def _follows(head: Head, known: Head) -> bool:
    """Whether the log that ends in `head` contains what was known; a later epoch is an operator's word for it."""
    if head.database != known.database:
        return False
    if head.epoch != known.epoch:
        return head.epoch > known.epoch
    return known.revision == 0 or head.known_digest == known.digest
