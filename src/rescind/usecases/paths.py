"""Paths as people read them: the groups, roles and policies by which somebody has a statement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rescind.decision.snapshot import Path
from rescind.model.objects import ObjectKind
from rescind.usecases.unit import View


@dataclass(frozen=True, slots=True)
class Step:
    """One edge on the way: what it is, and the thing that it leads to, by kind, id and name.

    `holder` is the id of what has it. `expires_at` is in microseconds since 1970, None for never.
    """

    edge: str
    holder: str
    kind: str
    id: str
    name: str
    expires_at: int | None


def steps_of(view: View, paths: Iterable[Path]) -> list[Sequence[Step]]:
    """Paths, each from the principal to the policy or permission."""
    paths = list(paths)
    keys = {key for path in paths for fact in path for key in (fact.holder, fact.thing)}
    objects, profiles = view.reader.objects(keys), view.reader.profiles(keys)
    memberships = [found for found in objects.values() if found.kind is ObjectKind.MEMBERSHIP]
    users = {member.membership.key: member.user for member in view.members(memberships)} if memberships else {}
    return [
        [
            Step(
                fact.kind.label,
                users.get(fact.holder, objects[fact.holder]).id,
                objects[fact.thing].kind.label,
                objects[fact.thing].id,
                profiles[fact.thing].get("name", ""),
                fact.expires_at,
            )
            for fact in path
        ]
        for path in paths
    ]
