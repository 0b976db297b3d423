"""Searches: who may do something, on which resources, and what. Each result is a question that `decide` allows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace as altered

from rescind.decision.decide import decide, is_root
from rescind.decision.effective import effective_permissions
from rescind.decision.snapshot import Principal, Snapshot
from rescind.engine.decisions import Question
from rescind.engine.principals import CLIENT, SESSION, USER, by_holder, named, snapshot_of
from rescind.engine.resources import find_resource, named_by
from rescind.model.apis import RESOURCE_TYPE, scope_of
from rescind.model.documents import Statement, statements_of
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import spoken
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import PAGE_SIZE_MAX, Reader, Window
from rescind.usecases.questions import posed, resource_of, weigh

LITERALS_FROM = 1 << 62
"""Places of what no object is stored for come after those of all objects."""

_KINDS = {USER: ObjectKind.MEMBERSHIP, CLIENT: ObjectKind.CLIENT, SESSION: ObjectKind.SESSION}

Catalogue = Mapping[str, Collection[str]]
"""The actions of our own doors by the type of resource that they are about."""


@dataclass(frozen=True, slots=True)
class Found:
    """One part of the results, each with its place in the whole, and whether there are more."""

    names: Sequence[str]
    after: int | None


def subjects(reader: Reader, question: Question, window: Window) -> Found:
    """The principals of the question's type that may: users by their aliases where they have one, and else by id."""
    resource = resource_of(reader, question)

    def tried() -> Iterator[tuple[int, str]]:
        for candidate, snapshot in candidates_around(reader, question, window.after or 0):
            asked = posed(reader, question, snapshot, resource)
            if decide(asked.request, snapshot).allowed:
                yield candidate.key, name_of(reader, candidate, snapshot)

    return _part(tried(), window)


def resources(reader: Reader, question: Question, window: Window) -> Found:
    """The resources of the question's type on which the subject may: registered ones, and those that policies name."""
    asked = weigh(reader, question)
    if asked is None:
        return Found((), None)
    reaching = _bearing(reader, question.scope, asked.snapshot)

    def tried() -> Iterator[tuple[int, str]]:
        for place, id_ in _resource_ids(reader, question, reaching, window.after or 0):
            about = altered(question, resource_id=id_)
            if decide(posed(reader, about, asked.snapshot, resource_of(reader, about)).request, asked.snapshot).allowed:
                yield place, id_

    return _part(tried(), window)


def actions(reader: Reader, question: Question, window: Window, catalogue: Catalogue) -> Found:
    """The known actions that the subject may do on the resource: ours, scopes of APIs, and those that policies name."""
    asked = weigh(reader, question)
    if asked is None:
        return Found((), None)
    stored = resource_of(reader, question)
    known = set(catalogue.get(question.resource_type, ()))
    for statement in _bearing(reader, question.scope, asked.snapshot):
        known |= {spoken(action) for action in statement.actions if "*" not in action}
    if question.resource_type == RESOURCE_TYPE:
        api = reader.find_named("identifier", question.resource_id)
        held = reader.intervals_on([api.key], FactKind.API_SCOPE) if api else []
        known |= {scope_of(interval.fact.value or "") for interval in held}

    def tried() -> Iterator[tuple[int, str]]:
        for place, action in enumerate(sorted(known), 1):
            about = altered(question, action=action)
            if (
                place > (window.after or 0)
                and decide(posed(reader, about, asked.snapshot, stored).request, asked.snapshot).allowed
            ):
                yield place, action

    return _part(tried(), window)


@dataclass(frozen=True)
class Known:
    """What the living policies of a scope and of the platform name."""

    reader: Reader
    scope: int

    @cached_property
    def said(self) -> list[Statement]:
        """All their statements."""
        policies = [
            policy.key for policy in self.reader.living(ObjectKind.POLICY) if policy.owner in (self.scope, PLATFORM)
        ]
        documents = self.reader.intervals(policies, FactKind.DOCUMENT)
        return [statement for held in documents for statement in statements_of(held.fact.value or "")]

    @cached_property
    def actions(self) -> list[str]:
        """The actions that they name without a star."""
        return sorted({spoken(action) for one in self.said for action in one.actions if "*" not in action})

    @cached_property
    def resources(self) -> list[tuple[str, str]]:
        """Type and id of the resources that they name without a star, and of those that are registered."""
        named_ones = {
            (kind, spoken(id_))
            for one in self.said
            for kind, colon, id_ in (pattern.partition(":") for pattern in one.resources)
            if colon and "*" not in id_
        }
        registered = [found for found in self.reader.living(ObjectKind.RESOURCE) if found.owner == self.scope]
        fields = self.reader.profiles([found.key for found in registered])
        return sorted(named_ones | {named_by(fields[found.key]["resource"]) for found in registered})


def candidates_around(reader: Reader, question: Question, after: int) -> Iterator[tuple[Object, Snapshot]]:
    """Every principal of the question's type after a place, by age, with its snapshot."""
    for objects in _candidates(reader, question, after):
        yield from _around(reader, question.scope, objects)


def _candidates(reader: Reader, question: Question, after: int) -> Iterator[list[Object]]:
    """The principals that a search goes through, in parts, by age."""
    kind = _KINDS.get(question.subject_type)
    if kind is ObjectKind.MEMBERSHIP and question.scope == PLATFORM:
        kind = ObjectKind.USER
    if kind is None or (kind is ObjectKind.CLIENT and question.scope != PLATFORM):
        return
    window: Window | None = Window(PAGE_SIZE_MAX, after=after)
    while window is not None:
        page = reader.page_objects(kind, (question.scope,), window)
        yield list(page.items)
        window = None if page.after is None else Window(PAGE_SIZE_MAX, after=page.after)


def _around(reader: Reader, scope: int, candidates: Sequence[Object]) -> Iterator[tuple[Object, Snapshot]]:
    """Candidates with their snapshots, from one reading for all of them."""
    if not candidates:
        return
    if candidates[0].kind is ObjectKind.SESSION:
        for session in candidates:
            principal = named(reader, scope, SESSION, session.id)
            assert principal is not None
            yield session, snapshot_of(reader, principal)
        return
    keys = [candidate.key for candidate in candidates]
    joined = reader.intervals_on(keys, FactKind.EXISTENCE) if scope == PLATFORM else []
    fetch = by_holder(reader.surroundings([scope, *keys, *(held.fact.holder for held in joined)]))
    for candidate in candidates:
        principal = _principal(candidate, scope, fetch([candidate.key]))
        yield candidate, snapshot_of(reader, principal, fetch=fetch)


def _principal(candidate: Object, scope: int, facts: Iterable[Fact]) -> Principal:
    if candidate.kind is not ObjectKind.MEMBERSHIP:
        return Principal(candidate.key)
    user = next(fact.thing for fact in facts if fact.kind is FactKind.EXISTENCE)
    return Principal(user, scope, candidate.key)


def name_of(reader: Reader, candidate: Object, snapshot: Snapshot) -> str:
    """What enforcement points call a principal."""
    profile = reader.profiles([candidate.key])[candidate.key]
    if alias := profile.get("alias"):
        return alias.partition("/")[2]
    if candidate.kind is ObjectKind.CLIENT:
        return profile["public_id"]
    who = snapshot.principal.session or snapshot.principal.user
    return reader.objects([who])[who].id


def _bearing(reader: Reader, scope: int, snapshot: Snapshot) -> list[Statement]:
    """The statements that name what somebody may: his own, and for a root, who may everything, all there are."""
    return (
        Known(reader, scope).said if is_root(snapshot) else [held.statement for held in effective_permissions(snapshot)]
    )


def _resource_ids(
    reader: Reader, question: Question, reaching: Sequence[Statement], after: int
) -> Iterator[tuple[int, str]]:
    seen = set()
    window: Window | None = Window(PAGE_SIZE_MAX, after=after) if after < LITERALS_FROM else None
    while window is not None:
        page = reader.page_objects(ObjectKind.RESOURCE, (question.scope,), window)
        fields = reader.profiles([found.key for found in page.items])
        for found in page.items:
            type_, id_ = named_by(fields[found.key]["resource"])
            if type_ == question.resource_type:
                yield found.key, id_
        window = None if page.after is None else Window(PAGE_SIZE_MAX, after=page.after)
    for statement in reaching:
        for pattern in statement.resources:
            kind, colon, id_ = pattern.partition(":")
            if colon and kind == question.resource_type and "*" not in id_:
                seen.add(spoken(id_))
    for place, id_ in enumerate(sorted(seen), LITERALS_FROM + 1):
        if place > after and find_resource(reader, question.scope, question.resource_type, id_) is None:
            yield place, id_


def _part(results: Iterator[tuple[int, str]], window: Window) -> Found:
    names: list[str] = []
    last = None
    for place, name in results:
        if len(names) == window.limit:
            return Found(names, last)
        names.append(name)
        last = place
    return Found(names, None)
