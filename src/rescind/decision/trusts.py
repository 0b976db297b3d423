"""Whether the terms of a trust are met, when its role is entered and at every use afterwards."""

from datetime import UTC, datetime

from rescind.model.addresses import read_address
from rescind.model.trusts import DAYS, Terms

ADDRESS = "ip_address"
HOURS = "time_of_day"
DAY = "days_of_week"


def unmet(terms: Terms, address: object, instant: int) -> list[str]:
    """The conditions that do not hold for a request from `address` at `instant` (microseconds since 1970).

    What cannot be judged does not hold.
    """
    verdicts = {ADDRESS: _address_holds(terms, address), **_times_hold(terms, instant)}
    return [condition for condition, holds in verdicts.items() if not holds]


def conditions_of(terms: Terms) -> list[str]:
    """The conditions that the terms set at all."""
    sets = {ADDRESS: terms.addresses, HOURS: terms.has_hours, DAY: terms.days}
    return [condition for condition, is_set in sets.items() if is_set]


def _address_holds(terms: Terms, address: object) -> bool:
    if not terms.addresses:
        return True
    asked = read_address(address)
    return asked is not None and any(network is not None and asked in network for network in terms.networks)


def _times_hold(terms: Terms, instant: int) -> dict[str, bool]:
    if not terms.has_hours and not terms.days:
        return {}
    zone = terms.zone
    if zone is None:
        return {HOURS: not terms.has_hours, DAY: not terms.days}
    local = datetime.fromtimestamp(instant / 1_000_000, UTC).astimezone(zone)
    within = (
        terms.start <= local.hour < terms.end
        if terms.start < terms.end
        else local.hour >= terms.start or local.hour < terms.end
    )
    return {
        HOURS: not terms.has_hours or within,
        DAY: not terms.days or DAYS[local.weekday()] in terms.days,
    }
