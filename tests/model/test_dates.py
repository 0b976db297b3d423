"""Dates as texts: what is written is read as the same instant, in the first year and the last, in every zone."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescind.model.conditions import parse_condition
from rescind.model.dates import read_date, write_date

zones = st.integers(-1439, 1439).map(
    lambda minutes: f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
)
ENDS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "1970-01-01", "0001-01-01T00:00:00Z"]


@given(st.datetimes(), zones)
def test_whatever_can_be_read_is_written_as_what_reads_the_same(moment: datetime, zone: str) -> None:
    instant = read_date(moment.isoformat() + zone)
    assert instant is not None
    assert read_date(write_date(instant)) == instant


@pytest.mark.parametrize("text", ENDS)
def test_the_first_and_the_last_instants_can_be_written(text: str) -> None:
    instant = read_date(text)
    assert instant is not None
    assert read_date(write_date(instant)) == instant


def test_an_instant_that_no_text_means_is_not_written() -> None:
    with pytest.raises(ValueError, match="-"):
        write_date(-(10**20))
    last = read_date(ENDS[1])
    assert last is not None
    with pytest.raises(ValueError, match=str(last)[:4]):
        write_date(last + timedelta(minutes=1) // timedelta(microseconds=1))


@pytest.mark.parametrize("said", [0, 1_700_000_000, "1700000000", "2026-01-02T03:04:05.000006+02:00", ENDS[0]])
def test_a_condition_says_its_dates_as_dates(said: object) -> None:
    """People are shown the block of a condition, and it is one that means the same."""
    condition = parse_condition({"DateLessThan": {"context.current_time": said}})
    (written,) = condition.block["DateLessThan"]["context.current_time"]
    assert "T" in written
    assert parse_condition(condition.block) == condition
