"""Dormant edges: those that count for nothing while a role, group or policy is deleted, and would if it came back."""

from collections.abc import Sequence
from dataclasses import dataclass

from rescind.model.errors import NotFound
from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases.unit import Unit, View

EDGE = "dormant edge"

_HOLDERS = (ObjectKind.GROUP, ObjectKind.ROLE)
_THINGS = (ObjectKind.GROUP, ObjectKind.ROLE, ObjectKind.POLICY)
_EDGES = (FactKind.GROUP_MEMBERSHIP, FactKind.ROLE_ATTACHMENT, FactKind.POLICY_ATTACHMENT)


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
    has, had = _find(unit, holder, _HOLDERS), _find(unit, thing, _THINGS)
    if has is not None and had is not None and not (unit.exists(has.key) and unit.exists(had.key)):
        for interval in unit.intervals(has.key, *_EDGES):
            if interval.fact.thing == had.key:
                unit.close_interval(interval)
                return
    raise NotFound(EDGE)


def _find(unit: Unit, identifier: str, kinds: Sequence[ObjectKind]) -> Object | None:
    """What has that id here, living or deleted; of a user, her living membership."""
    user = unit.reader.find_object(ObjectKind.USER, identifier)
    if user is not None:
        return unit.membership_of(user)
    return next((found for kind in kinds if (found := unit.find(kind, identifier)) is not None), None)
