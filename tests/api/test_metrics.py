"""The numbers of a node: what is taken down in passing is counted as if it had been counted at once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rescind.api.metrics import Seconds, Tally

BOUNDS = (0.001, 0.01, 1.0)
SECONDS = some.lists(some.sampled_from([0.0, *BOUNDS, math.nextafter(0.01, 1), 5.0]) | some.floats(0, 2))


def histogram() -> Seconds:
    return Seconds("seconds", "Seconds.", ["route"], registry=None, buckets=BOUNDS).labels("x")


def numbers(seen: Seconds) -> dict[tuple[str, str], float]:
    """What a histogram tells: each bucket, the count and the sum."""
    samples = [sample for metric in seen.collect() for sample in metric.samples]
    told = {(sample.name, sample.labels.get("le", "")): sample.value for sample in samples}
    del told["seconds_created", ""]
    return told


@given(some.lists(SECONDS, max_size=3))
def test_what_was_taken_down_is_counted_as_one_by_one(batches: list[list[float]]) -> None:
    seen, once = histogram(), histogram()
    tally = Tally(seen)
    for batch in batches:
        for seconds in batch:
            tally.observe(seconds)
            once.observe(seconds)
        tally.settle()
        # Nothing is counted twice.
        tally.settle()
        assert numbers(seen) == pytest.approx(numbers(once))
