"""Who holds a role or a policy: members and groups, each with the edge that makes them holders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import groups, users
from rescind.usecases.groups import GroupView
from rescind.usecases.relations import Relation, relation, relations_to
from rescind.usecases.unit import View
from rescind.usecases.users import UserView

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Holders(Generic[Thing]):
    """The holders of one thing: `described` is the thing as people see it, `kind` the edge by which it is held."""

    view: View
    thing: Object
    kind: FactKind
    described: Thing

    def page_users(self, window: Window) -> Page[Relation[UserView, Thing]]:
        """The members to whom it is attached directly."""
        page = relations_to(self.view, self.thing, self.kind, ObjectKind.MEMBERSHIP, window)
        return Page(self._users(page.items), page.total, page.before, page.after)

    def page_groups(self, window: Window) -> Page[Relation[GroupView, Thing]]:
        """The groups to which it is attached."""
        page = relations_to(self.view, self.thing, self.kind, ObjectKind.GROUP, window)
        return Page(self._groups(page.items), page.total, page.before, page.after)

    def user(self, user: str) -> Relation[UserView, Thing]:
        """A member's edge to it, which is known to be there."""
        return self._users([relation(self.view, self.kind, self.view.member(user).membership, self.thing)])[0]

    def group(self, group: str) -> Relation[GroupView, Thing]:
        """A group's edge to it, which is known to be there."""
        return self._groups([relation(self.view, self.kind, self.view.get(ObjectKind.GROUP, group), self.thing)])[0]

    def _users(self, edges: Sequence[Relation[Object, Object]]) -> list[Relation[UserView, Thing]]:
        holders = users.describe(self.view, self.view.members(edge.holder for edge in edges))
        return [Relation(user, self.described, edge.at, edge.by) for edge, user in zip(edges, holders, strict=True)]

    def _groups(self, edges: Sequence[Relation[Object, Object]]) -> list[Relation[GroupView, Thing]]:
        holders = groups.describe(self.view, [edge.holder for edge in edges])
        return [Relation(group, self.described, edge.at, edge.by) for edge, group in zip(edges, holders, strict=True)]
