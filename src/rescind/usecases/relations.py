"""Attachments: the edges between members, groups, roles and policies, in one organization."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from rescind.model.errors import Invalid
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits
from rescind.usecases.limits import ATTACHMENTS_MAX
from rescind.usecases.unit import Unit, View

Holder = TypeVar("Holder")
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Relation(Generic[Holder, Thing]):
    """One edge with its ends, since when (microseconds) and by whom (the id of a user, or the name of a command)."""

    holder: Holder
    thing: Thing
    at: int
    by: str


def attach(unit: Unit, kind: FactKind, holder: Object, thing: Object, expires_at: int | None = None) -> bool:
    """Open an edge, and say whether it was not there. At most 500 of a kind hang on one holder.

    With `expires_at` (microseconds since 1970) time ends it then; one that is there gets another end.
    """
    edge = Fact(kind, holder.key, thing.key, unit.organization, expires_at=limits.end(expires_at, unit.now))
    was_there = any(known.place == edge.place for known in unit.facts(holder.key, kind))
    opened = unit.open(edge) and not was_there
    if opened and len(unit.facts(holder.key, kind)) >= ATTACHMENTS_MAX:
        raise Invalid(f"more than {ATTACHMENTS_MAX} on one {holder.kind.label}")
    return opened


def detach(unit: Unit, kind: FactKind, holder: Object, thing: Object) -> bool:
    """Close an edge, and say whether it was there."""
    return unit.close(Fact(kind, holder.key, thing.key, unit.organization))


def find_relation(view: View, kind: FactKind, holder: Object, thing: Object) -> Relation[Object, Object] | None:
    """The living edge from one object to another, if there is one."""
    place = Fact(kind, holder.key, thing.key, view.organization).place
    found = [interval for interval in view.intervals(holder.key, kind) if interval.fact.place == place]
    return next(iter(_relations(view, found)), None)


def relation(view: View, kind: FactKind, holder: Object, thing: Object) -> Relation[Object, Object]:
    """The same, when it is known to be there."""
    found = find_relation(view, kind, holder, thing)
    assert found is not None
    return found


def relations_to(
    view: View, thing: Object, kind: FactKind, holders: ObjectKind, window: Window
) -> Page[Relation[Object, Object]]:
    """The edges to one thing from holders of one kind, oldest first."""
    found = view.reader.page_edges_to(thing.key, kind, holders, view.organization, window)
    return Page(_relations(view, list(found.items)), found.total, found.before, found.after)


def relations_of(
    view: View, holder: Object, kind: FactKind, things: ObjectKind, window: Window
) -> Page[Relation[Object, Object]]:
    """The edges of one holder to things of one kind, oldest first."""
    found = view.reader.page_edges_of(holder.key, kind, things, view.organization, window)
    return Page(_relations(view, list(found.items)), found.total, found.before, found.after)


def _relations(view: View, intervals: list[Interval]) -> list[Relation[Object, Object]]:
    objects = view.reader.objects({key for found in intervals for key in (found.fact.holder, found.fact.thing)})
    origins = view.reader.origins({found.revision_from for found in intervals})
    return [
        Relation(objects[found.fact.holder], objects[found.fact.thing], *origins[found.revision_from])
        for found in intervals
    ]
