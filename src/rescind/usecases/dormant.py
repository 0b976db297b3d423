"""Dormant edges: those that count for nothing while a role, group or policy is deleted, and would if it came back."""

from dataclasses import dataclass

from rescind.model.errors import NotFound
from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases.unit import Unit, View

EDGE = "dormant edge"


@dataclass(frozen=True, slots=True)
class DormantEdge:
    """One edge; of a member, `holder` is the user. `since` is when it was made (microseconds), `by` by whom."""

    kind: FactKind
    holder: Object
    thing: Object
    since: int
    by: str


def page(view: View, window: Window) -> Page[DormantEdge]:
    """The organization's dormant edges, oldest first. Those of people who left are not among them: they are over."""
    found = view.reader.page_dormant_edges(view.organization, window)
    facts = [interval.fact for interval in found.items]
    objects = view.reader.objects({key for fact in facts for key in (fact.holder, fact.thing)})
    members = view.members(made for made in objects.values() if made.kind is ObjectKind.MEMBERSHIP)
    people = {member.membership.key: member.user for member in members}
    origins = view.reader.origins({interval.revision_from for interval in found.items})
    edges = [
        DormantEdge(
            interval.fact.kind,
            people.get(interval.fact.holder, objects[interval.fact.holder]),
            objects[interval.fact.thing],
            *origins[interval.revision_from],
        )
        for interval in found.items
    ]
    return Page(edges, found.total, found.before, found.after)


def end(unit: Unit, *, holder: str, thing: str) -> None:
    """End a dormant edge: it does not come back with what was deleted. An edge that counts is not found here."""
    mark: int | None = 0
    while mark is not None:
        found = unit.reader.page_dormant_edges(unit.organization, Window(500, after=mark))
        for interval in found.items:
            if _ids(unit, interval.fact.holder, interval.fact.thing) == (holder, thing):
                unit.close_interval(interval)
                return
        mark = found.after
    raise NotFound(EDGE)


def _ids(view: View, holder: int, thing: int) -> tuple[str, str]:
    objects = view.reader.objects([holder, thing])
    if objects[holder].kind is ObjectKind.MEMBERSHIP:
        return view.members([objects[holder]])[0].user.id, objects[thing].id
    return objects[holder].id, objects[thing].id
