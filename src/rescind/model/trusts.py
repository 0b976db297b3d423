"""The terms of a role trust: how its role is entered, from which addresses, at which hours, until when."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from rescind.model.addresses import Network, read_network
from rescind.model.dates import read_date
from rescind.model.errors import Invalid

TEMPORARY = "TemporaryAssumption"
IAM = "IAMAssumption"
FEDERATED = "FederatedAssumption"
TRUST_TYPES = (TEMPORARY, IAM, FEDERATED)
ISSUER_SOURCES = ("instance", "baremetal")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ADDRESSES_MAX = 500

_HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trust says, in the words in which it was written: they are given back unchanged.

    The role may be entered and used from `addresses` (none: from anywhere), while `start <= hour < end` (past
    midnight if `start > end`; both 0: at any hour) and on `days` (none: on every day) in `timezone` (empty: UTC),
    before `valid_until` (ISO 8601; empty: for ever). `issuer_source` asks for an identity that a platform vouches for.
    """

    trust_type: str
    addresses: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    timezone: str = ""
    days: tuple[str, ...] = ()
    valid_until: str = ""
    issuer_source: str = ""

    @property
    def ends_at(self) -> int | None:
        """`valid_until` in microseconds since 1970; None for ever."""
        return read_date(self.valid_until) if self.valid_until else None

    @property
    def networks(self) -> tuple[Network | None, ...]:
        """`addresses` as ranges."""
        return tuple(read_network(address) for address in self.addresses)

    @property
    def has_hours(self) -> bool:
        """Whether the hour of the day matters."""
        return bool(self.start or self.end)

    @property
    def zone(self) -> ZoneInfo | None:
        """`timezone`; None if this machine does not know it."""
        return time_zone(self.timezone or "UTC")

    def store_form(self) -> str:
        """The text to store."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def with_conditions(self, conditions: Mapping[str, Any]) -> "Terms":
        """These terms with other conditions: a missing member stays as it is, null and empty clear it.

        Raises `Invalid` for what is not known here: to leave out a restriction would grant more than was written.
        """
        merged = self
        for name, value in conditions.items():
            match name:
                case "ip_address":
                    merged = replace(merged, addresses=_addresses(value))
                case "time_of_day" if value is None or value == []:
                    merged = replace(merged, start=0, end=0, timezone="", days=())
                case "time_of_day" if isinstance(value, dict):
                    merged = _with_times(merged, value)
                case "oidc_claims" if value in (None, {}):
                    pass
                case "time_of_day":
                    raise Invalid("`conditions.time_of_day` must be an object")
                case _:
                    raise Invalid(f"`conditions.{name}` is not supported")
        if merged.has_hours and merged.start == merged.end:
            raise Invalid("`time_of_day`: `start` and `end` must differ")
        return merged


@lru_cache(maxsize=1024)
def terms_of(text: str) -> Terms:
    """Stored terms."""
    stored = json.loads(text)
    return Terms(**{**stored, "addresses": tuple(stored["addresses"]), "days": tuple(stored["days"])})


def time_zone(name: str) -> ZoneInfo | None:
    """The IANA time zone of that name, whatever the case of its letters; None if there is none."""
    known = _zones().get(name.casefold())
    return ZoneInfo(known) if known else None


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _with_times(terms: Terms, times: Mapping[str, Any]) -> Terms:
    for name, value in times.items():
        match name:
            case "start" | "end":
                hour = 0 if value is None else value
                if type(hour) is not int or not 0 <= hour <= _HOURS_PER_DAY:
                    raise Invalid(f"`time_of_day.{name}` must be an hour from 0 to {_HOURS_PER_DAY}")
                terms = replace(terms, start=hour) if name == "start" else replace(terms, end=hour)
            case "timezone":
                if value not in (None, "") and (not isinstance(value, str) or time_zone(value) is None):
                    raise Invalid("`time_of_day.timezone` is not a known time zone")
                terms = replace(terms, timezone=value or "")
            case "days_of_week":
                days = [] if value is None else value
                if not isinstance(days, list) or any(day not in DAYS for day in days):
                    raise Invalid("`time_of_day.days_of_week` must be a list of `monday` to `sunday`")
                terms = replace(terms, days=tuple(dict.fromkeys(days)))
            case _:
                raise Invalid(f"`conditions.time_of_day.{name}` is not supported")
    return terms


def _addresses(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > ADDRESSES_MAX:
        raise Invalid(f"`conditions.ip_address` must be a list of at most {ADDRESSES_MAX} addresses")
    for address in value:
        if read_network(address) is None:
            raise Invalid("`conditions.ip_address` must hold IP addresses and CIDR blocks")
    return tuple(value)
