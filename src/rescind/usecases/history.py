"""History: the change log as an organization may read it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rescind.engine.freshness import Moment
from rescind.model.changes import Change, Plan
from rescind.model.dates import read_date
from rescind.model.errors import Invalid, NotFound
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object
from rescind.store.contract import Page, Window
from rescind.usecases.impacts import Impact, Seen, compared, unseen
from rescind.usecases.unit import View

# One spelling of each number, and none that a column cannot hold.
_ENDS = ("holder", "thing", "scope")
_TIMES_FROM = 10**12
"""A number from here on is a time in microseconds: there are not so many revisions."""
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One entry of the log; `body` is what its digest was made of, decoded."""

    change: Change
    body: dict[str, Any]


def page(view: View, window: Window) -> Page[ChangeView]:
    """The organization's changes, oldest first."""
    found = view.reader.page_changes(view.organization, window)
    return Page([_described(change) for change in found.items], found.total, found.before, found.after)


def get(
    view: View, past: Sequence[View], *, revision: str, groups_from: int = 0, seen: Seen = unseen
) -> tuple[ChangeView, Impact | None]:
    """One change of the organization, by its number as it is spelled, with its body as it was hashed.

    With the views of `around` it comes with its impact: its first groups, or those from a place on.
    """
    change = found(view, revision)
    if not past:
        return _described(change), None
    before, after = past
    return _described(change), compared(
        view, plan_of(view, change), before.reader, after.reader, groups_from=groups_from, seen=seen
    )


def found(view: View, revision: str) -> Change:
    """The change of the organization with that number."""
    change = view.reader.change(int(revision), view.organization) if _NUMBER.fullmatch(revision) else None
    if change is None:
        raise NotFound("change")
    return change


def around(view: View, *, revision: str) -> list[Moment]:
    """The moments just before a change and with it, at the instant of the change."""
    change = found(view, revision)
    return [Moment(change.revision - 1, change.time), Moment(change.revision, change.time)]


def moment_at(view: View, at: str) -> Moment:
    """A moment of the past: the number of a revision, a date, or microseconds since 1970. Raises `Invalid`."""
    newest, instant = view.reader.revision, view.reader.instant
    if _NUMBER.fullmatch(at) and int(at) < _TIMES_FROM:
        revision = int(at)
        if revision > newest:
            raise Invalid(f"revision {revision} is not written yet")
        return Moment(revision, instant if revision == newest else view.reader.origins([revision])[revision][0])
    time = int(at) if _NUMBER.fullmatch(at) else read_date(at)
    if time is None or time > instant:
        raise Invalid("`at` is the number of a revision, or a time that has passed")
    return Moment(view.reader.revision_at(time), time)


def plan_of(view: View, change: Change) -> Plan:
    """What a change did, as a plan."""
    body = change.read()
    objects = objects_in(view, body)
    closed = [Interval(0, fact_in(objects, said), said["since"]) for said in body["closed"]]
    return Plan(opened=[fact_in(objects, said) for said in body["opened"]], closed=closed)


def objects_in(view: View, body: Mapping[str, Any]) -> dict[str, Object]:
    """The objects that the facts in a change's body name, by id."""
    facts = (*body["closed"], *body["opened"])
    return view.reader.find_objects({fact[end] for fact in facts for end in _ENDS if fact[end]})


def fact_in(objects: Mapping[str, Object], said: Mapping[str, Any]) -> Fact:
    """A fact as the log says it, with the objects that it names."""
    holder, thing, scope = (objects[said[end]].key if said[end] else PLATFORM for end in _ENDS)
    return Fact(FactKind[said["fact"].upper()], holder, thing, scope, said["value"], said["expires_at"])


def _described(change: Change) -> ChangeView:
    return ChangeView(change, change.read())
