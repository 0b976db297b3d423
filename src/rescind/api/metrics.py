"""What a node counts. With several processes the numbers of all of them are added up."""

import asyncio
import os
from bisect import bisect_left
from collections import Counter as Bag
from collections.abc import Sequence
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_SETTLING_SECONDS = 1.0


class Seconds(Histogram):
    """A histogram that takes many at once: the library's takes one, which costs more than a decision does."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        """The same as `observe` with each of them."""
        for place, number in Bag(map(partial(bisect_left, self._upper_bounds), seconds)).items():
            self._buckets[place].inc(number)
        self._sum.inc(sum(seconds))


class Tally:
    """Seconds that a histogram gets once a second, and when it is read in this process. A tally is made for good.

    `observe` takes one down, in any thread.
    """

    def __init__(self, histogram: Seconds) -> None:
        self._histogram = histogram
        self._seconds: list[float] = []
        self.observe = self._seconds.append
        _tallies.append(self)

    def forget(self) -> None:
        """Take nothing for taken down."""
        self._seconds.clear()

    def settle(self) -> None:
        """Let the histogram have what was taken down until now. One thread at a time."""
        taken = self._seconds[:]
        # Others go on taking down meanwhile, behind these.
        del self._seconds[: len(taken)]
        self._histogram.observe_all(taken)


_tallies: list[Tally] = []


def _forget() -> None:
    """Leave to the process that forked this one what it has taken down."""
    for tally in _tallies:
        tally.forget()


os.register_at_fork(after_in_child=_forget)

REQUEST_SECONDS = Seconds("rescind_request_seconds", "Time to answer a request.", ["method", "route", "status"])
FRESHNESS_SECONDS = Tally(
    Seconds(
        "rescind_freshness_seconds",
        "Time a request waited for the head of the log.",
        buckets=(0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
    )
)
CHANGES = Counter("rescind_changes", "Changes written by this node.")
REVISION = Gauge("rescind_revision", "The newest revision that this node has seen.", multiprocess_mode="max")


async def settling() -> None:
    """Settle every tally of the process once a second, until cancelled, and then once more."""
    try:
        while True:
            await asyncio.sleep(_SETTLING_SECONDS)
            _settle()
    finally:
        _settle()


def _settle() -> None:
    for tally in _tallies:
        tally.settle()


def exposition() -> tuple[bytes, str]:
    """All numbers in Prometheus' text format, and its content type."""
    _settle()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
