"""What is stored of principals and resources where a plan changes it: whose access hangs on it, and which.

A condition reads what is stored where a request brings nothing itself. So an access is told for such requests, with
the tests settled that read it; for requests that bring something, nothing of it matters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rescind.decision.impact import Access, access_on, access_where
from rescind.decision.match import matches_resource
from rescind.decision.snapshot import Snapshot
from rescind.engine.decisions import Json, properties_in, stored_of
from rescind.engine.resources import RESOURCE_FIELD, named_by
from rescind.model.changes import Plan
from rescind.model.documents import Statement, statements_of
from rescind.model.facts import FactKind
from rescind.model.literals import literal
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Reader

SUBJECT, RESOURCE = "subject", "resource"
_BEARING = (FactKind.PROPERTIES, FactKind.EXISTENCE)
"""The facts on which hangs what is stored of a resource."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """A resource of a scope, and what is stored of it before and after."""

    scope: int
    type: str
    id: str
    before: Json
    after: Json


class Stored:
    """What a plan changes of it, from one reader to another."""

    def __init__(self, before: Reader, after: Reader, plan: Plan) -> None:
        self._before, self._after = before, after
        facts = [*plan.opened, *(ended.fact for ended in plan.closed)]
        about = {kind: {fact.holder for fact in facts if fact.kind is kind} for kind in _BEARING}
        objects = after.objects(set().union(*about.values()))
        resources = [one for _, one in sorted(objects.items()) if one.kind is ObjectKind.RESOURCE]
        self.principals = about[FactKind.PROPERTIES] - {one.key for one in resources}
        """The keys of memberships, users and clients of whom something else is stored."""
        names = _names(after, plan, resources)
        self._resources = [
            _Resource(one.owner, *names[one.key], _of_resource(before, one), _of_resource(after, one))
            for one in resources
        ]

    def reading_policies(self) -> Iterator[tuple[int, set[int]]]:
        """The scopes of the resources of which something else is stored, with the policies there that read it."""
        for scope in sorted({one.scope for one in self._resources}):
            here = [one for one in self._resources if one.scope == scope]
            policies = [key for key, said in _documents(self._before, scope) if _reads(said, here)]
            yield scope, set(policies)

    def accesses(
        self, snapshots: tuple[Snapshot, Snapshot], accesses: tuple[Access, Access]
    ) -> Iterator[tuple[Access, Access]]:
        """The accesses of one principal before and after, as what is stored settles them.

        One pair for what is stored of the principal, and one for each resource: where the department that an Allow asks
        for is taken away, it is there before without that test, and not there after. None where there is no access on
        one side: then what is stored makes no difference.
        """
        (was, would_be), (before, after) = accesses, snapshots
        if not (was.bearing and would_be.bearing):
            return
        who = before.principal
        if who.holder in self.principals:
            yield (
                access_where(was, SUBJECT, self._of_subject(self._before, before)),
                access_where(would_be, SUBJECT, self._of_subject(self._after, after)),
            )
        for one in self._resources:
            if one.scope == who.organization:
                # Who and what it is said to be is read like what is stored.
                named = {"type": one.type, "id": one.id}
                yield (
                    access_where(access_on(was, one.type, one.id), RESOURCE, {**one.before, **named}),
                    access_where(access_on(would_be, one.type, one.id), RESOURCE, {**one.after, **named}),
                )

    def _of_subject(self, reader: Reader, snapshot: Snapshot) -> Json:
        key = snapshot.principal.session or snapshot.principal.user
        who = reader.objects([key])[key]
        return {**stored_of(reader, snapshot), "type": who.kind.label, "id": who.id}


def _of_resource(reader: Reader, resource: Object) -> Json:
    """What is stored of a resource while it is registered."""
    is_there = any(held.fact.alive(reader.instant) for held in reader.intervals([resource.key], FactKind.EXISTENCE))
    return properties_in(reader, resource.key) if is_there else {}


def _names(reader: Reader, plan: Plan, resources: list[Object]) -> Mapping[int, tuple[str, str]]:
    """Types and ids of resources, also of those that are only planned."""
    fields = {entry.object: entry.value for entry in plan.profile if entry.field == RESOURCE_FIELD and entry.value}
    profiles = reader.profiles([one.key for one in resources if one.key not in fields])
    fields |= {key: profile[RESOURCE_FIELD] for key, profile in profiles.items()}
    return {key: named_by(field) for key, field in fields.items()}


def _documents(reader: Reader, scope: int) -> Iterator[tuple[int, tuple[Statement, ...]]]:
    """The living policies of a scope and of the platform, with what they say."""
    policies = [policy.key for policy in reader.living(ObjectKind.POLICY) if policy.owner in (scope, PLATFORM)]
    for held in reader.intervals(policies, FactKind.DOCUMENT):
        yield held.fact.holder, statements_of(held.fact.value or "")


def _reads(said: tuple[Statement, ...], resources: list[_Resource]) -> bool:
    """Whether a statement asks what is stored of one of the resources."""
    return any(
        matches_resource(pattern, one.type, literal(one.id))
        for statement in said
        if statement.condition and any(test.path[0] == RESOURCE for test in statement.condition.tests)
        for pattern in statement.resources
        for one in resources
    )
