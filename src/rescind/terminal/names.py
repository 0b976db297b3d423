"""What people call objects and places, as text: no name does anything to a terminal but to be shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rescind.model.facts import FactKind
from rescind.model.objects import ObjectKind
from rescind.usecases.history import ChangeView
from rescind.usecases.impacts import Impact
from rescind.usecases.unit import View

Names = Mapping[str, str]
"""What people call objects, by id."""

OUTSIDE = "outside of all organizations"


def plain(text: str) -> str:
    """A text with nothing in it that a terminal would obey."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def place_of(view: View) -> str:
    """Where a view looks, to be put behind what was found there."""
    if not view.organization:
        return OUTSIDE
    return f"in {view.reader.profiles([view.organization])[view.organization].get('name', '')}"


def names_of(view: View, ids: Iterable[str]) -> dict[str, str]:
    """What people call the objects with those ids; a membership is called as its user."""
    found = view.reader.find_objects(set(ids))
    members = [one.key for one in found.values() if one.kind is ObjectKind.MEMBERSHIP]
    users = {held.fact.holder: held.fact.thing for held in view.reader.intervals(members, FactKind.EXISTENCE)}
    profiles = view.reader.profiles({users.get(one.key, one.key) for one in found.values()})
    named = {}
    for id_, one in found.items():
        fields = profiles[users.get(one.key, one.key)]
        named[id_] = fields.get("email") or fields.get("name") or fields.get("resource") or id_
    return named


def names_of_facts(view: View, facts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The same for what facts speak of, as the log says them; who is no member by now is called as she was."""
    named = names_of(view, {fact[end] for fact in facts for end in ("holder", "thing", "scope") if fact[end]})
    for fact in facts:
        if fact["fact"] == "existence" and fact["thing"] in named:
            named[fact["holder"]] = named[fact["thing"]]
    return named


def names_of_changes(view: View, changes: Sequence[ChangeView]) -> dict[str, str]:
    """The same for who made changes and for all that they closed and opened."""
    bodies = [found.body for found in changes]
    facts = [fact for body in bodies for fact in (*body["closed"], *body["opened"])]
    return names_of(view, [body["actor"] for body in bodies]) | names_of_facts(view, facts)


def names_of_impact(view: View, impact: Impact) -> dict[str, str]:
    """The same for everything that an impact speaks of."""
    ids = {id_ for group in impact.groups for id_ in (*group.principals, group.scope) if id_}
    return names_of(view, [*ids, *impact.sessions_ended]) | names_of_facts(view, [*impact.closed, *impact.opened])
