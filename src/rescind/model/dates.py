"""Dates as texts: ISO 8601, in one form on every version of Python."""

import re
from datetime import UTC, datetime, timedelta

_ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONES = (("Z", 0), ("+23:59", 1439), ("-23:59", -1439))


def read_date(text: str) -> int | None:
    """Microseconds since 1970; a date without a zone is UTC. None if the text is no date."""
    # The form is fixed here: what `fromisoformat` takes beyond it changes with the version of Python.
    if not _ISO_8601.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def write_date(instant: int) -> str:
    """Microseconds since 1970 as a text that `read_date` reads as the same; `ValueError` for one that it never gives.

    In UTC, but for the day before the first year and the day after the last, which only other zones have words for.
    """
    for zone, minutes in _ZONES:
        try:
            local = _EPOCH.replace(tzinfo=None) + timedelta(minutes=minutes, microseconds=instant)
        except OverflowError:
            continue
        return f"{local.isoformat()}{zone}"
    raise ValueError(instant)
