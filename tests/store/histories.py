"""Histories written through a store, with a record of their own from which every answer follows without a database."""

import itertools
import random
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from rescind.decision.snapshot import LEADS_ON
from rescind.model.changes import Change, CredentialEntry, Origin, Plan, ProfileEntry
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Reader, Window
from rescind.store.database import Database
from rescind.store.engines import engine_for

ALL = Window(500)
EARLY, LATE = 5, 25
"""Two instants; what expires at 15 is alive at the one and dead at the other."""

TABLES = ("head", "changes", "objects", "intervals", "profiles", "commitments", "credentials")

EDGES = (
    (FactKind.GROUP_MEMBERSHIP, ObjectKind.MEMBERSHIP, ObjectKind.GROUP),
    (FactKind.ROLE_ATTACHMENT, ObjectKind.MEMBERSHIP, ObjectKind.ROLE),
    (FactKind.ROLE_ATTACHMENT, ObjectKind.GROUP, ObjectKind.ROLE),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.MEMBERSHIP, ObjectKind.POLICY),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.GROUP, ObjectKind.POLICY),
)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A node's store, closed at the end."""
    store = Database(engine_for(url))
    try:
        yield store
    finally:
        store.close()


def id_of(key: int) -> str:
    """The id that histories give to the object with that key, known before it is made."""
    return str(uuid.UUID(int=0)) if key == PLATFORM else str(uuid.uuid5(uuid.NAMESPACE_URL, str(key)))


def made(key: int, kind: ObjectKind, owner: int = PLATFORM) -> Object:
    """An object to be created."""
    return Object(key, id_of(key), kind, owner, 0)


def existence(key: int, thing: int = PLATFORM, scope: int = PLATFORM, expires_at: int | None = None) -> Fact:
    return Fact(FactKind.EXISTENCE, key, thing, scope, expires_at=expires_at)


def origin(organization: int = PLATFORM, actor: str = "tester", operation: str = "test.write") -> Origin:
    """The origin of one attempt to write."""
    return Origin(operation, str(uuid.uuid4()), organization, actor)


def commit(store: Database, plan: Plan | None = None, of: Origin | None = None) -> Change:
    """One write of a plan that needs no look at the store."""
    with store.writing() as writer:
        return writer.commit(plan or Plan(), of or origin())


def create(store: Database, kind: ObjectKind, owner: int = PLATFORM, **existence_of: Any) -> int:
    """Make one object that exists, with an id as histories give it, and return its key."""
    with store.writing() as writer:
        key = writer.next_key
        writer.commit(Plan([made(key, kind, owner)], [existence(key, **existence_of)]), origin())
    return key


def contents(store: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.snapshot() as connection:
        return {table: sorted(map(repr, connection.execute(sa.text(f"SELECT * FROM {table}")))) for table in TABLES}


def close(store: Database, *facts: Fact) -> Change:
    """End what lives in the places of those facts."""
    with store.writing() as writer:
        return writer.commit(Plan(closed=list(at_places(writer.reader(EARLY), facts))), origin())


def at_places(reader: Reader, facts: Iterable[Fact]) -> Iterator[Interval]:
    """The stored intervals in the places of those facts."""
    for fact in facts:
        yield next(found for found in reader.intervals([fact.holder], fact.kind) if found.fact.place == fact.place)


@dataclass
class Held:
    """What the record knows of one interval."""

    fact: Fact
    since: int
    until: int | None = None


class History:
    """A store, and a record of everything that was written to it through this object, from revision 1."""

    def __init__(self, store: Database) -> None:
        self.store = store
        self.objects: dict[int, Object] = {}
        self.born: dict[int, int] = {}
        self.held: list[Held] = []
        self.changes: list[tuple[Change, Origin]] = []
        self.touched: list[set[int]] = []
        self.names: dict[int, str] = {}
        self.emails: dict[int, str] = {}

    def commit(
        self,
        created: Sequence[Object] = (),
        opened: Sequence[Fact] = (),
        closed: Sequence[Fact] = (),
        profile: Sequence[ProfileEntry] = (),
        credentials: Sequence[CredentialEntry] = (),
        organization: int = PLATFORM,
    ) -> Change:
        """Write one plan to the store, and to the record."""
        of = origin(organization, f"actor-{len(self.changes) % 3}")
        with self.store.writing() as writer:
            intervals = list(at_places(writer.reader(EARLY), closed))
            change = writer.commit(Plan(created, opened, intervals, profile, credentials), of)
        for held in self.held:
            if held.until is None and held.fact in closed:
                held.until = change.revision
        self.held += [Held(fact, change.revision) for fact in opened]
        self.objects |= {new.key: replace(new, created_at=change.time) for new in created}
        self.born |= {new.key: change.revision for new in created}
        self.changes.append((change, of))
        holders = {fact.holder for fact in (*opened, *closed)}
        things = {-fact.thing for fact in (*opened, *closed) if fact.thing != PLATFORM}
        self.touched.append(holders | things | {entry.object for entry in (*profile, *credentials)})
        self.names |= {entry.object: entry.value for entry in profile if entry.field == "name" and entry.value}
        self.emails |= {entry.object: entry.value for entry in profile if entry.field == "email_folded" and entry.value}
        return change

    @property
    def next_key(self) -> int:
        return len(self.objects) + 1

    @property
    def living(self) -> list[Fact]:
        return [held.fact for held in self.held if held.until is None]

    def keys(self, *kinds: ObjectKind) -> list[int]:
        return [key for key, found in self.objects.items() if found.kind in kinds]


def write_at_random(history: History, dice: random.Random) -> None:
    """Write something that could happen: whatever lives may end, whatever ended may come back."""
    if history.next_key <= 2:
        history.commit([made(history.next_key, ObjectKind.ORGANIZATION)], [existence(history.next_key)])
        return
    organization = dice.choice([1, 2])
    key, expires_at = history.next_key, dice.choice([None, None, 15])
    living = {fact.place for fact in history.living}
    steps = ["user", "thing", "thing", "edge", "edge", "edge", "edge", "end", "end", "restore", "regrant"]
    match steps[dice.randrange(3 if len(history.changes) < 14 else len(steps))]:
        case "user":
            user, membership = made(key, ObjectKind.USER), made(key + 1, ObjectKind.MEMBERSHIP, organization)
            email = f"User{key}@Example.org"
            history.commit(
                [user, membership],
                [existence(key), existence(key + 1, key, organization, expires_at)],
                profile=[
                    ProfileEntry(key, "name", f"name {key % 2}"),
                    ProfileEntry(key, "email", email),
                    ProfileEntry(key, "email_folded", email.casefold()),
                ],
                credentials=[CredentialEntry(key, "password", f"argon2-of-{key}")],
                organization=organization,
            )
        case "thing":
            kind = dice.choice([ObjectKind.GROUP, ObjectKind.ROLE, ObjectKind.POLICY])
            said = [Fact(FactKind.DOCUMENT, key, value=f'{{"n":{key}}}')] if kind is ObjectKind.POLICY else []
            history.commit(
                [made(key, kind, organization)],
                [existence(key, expires_at=expires_at), *said],
                organization=organization,
            )
        case "edge":
            kind, holders, things = dice.choice(EDGES)
            facts = [
                Fact(kind, holder, thing, organization, expires_at=expires_at)
                for holder, thing in itertools.product(history.keys(holders), history.keys(things))
                if (kind, holder, thing, organization) not in living
            ]
            history.commit(opened=dice.sample(facts, min(len(facts), 2)), organization=organization)
        case "end":
            history.commit(closed=dice.sample(history.living, 2), organization=organization)
        case "restore":
            ended = [held.fact for held in history.held if held.fact.kind is FactKind.EXISTENCE and held.until]
            back = [fact for fact in dict.fromkeys(ended) if fact.place not in living][:2]
            history.commit(opened=[replace(fact, expires_at=None) for fact in back], organization=organization)
        case "regrant":
            old = dice.choice(history.living)
            history.commit(closed=[old], opened=[replace(old, expires_at=expires_at)], organization=organization)


class Asked:
    """Every method of a reader asked for everything, future keys and revisions included, in comparable answers."""

    KEYS = range(60)
    REVISIONS = range(60)
    SCOPES = (PLATFORM, 1, 2)
    KINDS = (ObjectKind.USER, ObjectKind.MEMBERSHIP, ObjectKind.GROUP, ObjectKind.ROLE, ObjectKind.POLICY)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def intervals(self) -> Any:
        return _plain(self.reader.intervals(self.KEYS))

    def intervals_of_kinds(self) -> Any:
        return _plain(self.reader.intervals(self.KEYS, FactKind.EXISTENCE, FactKind.ROLE_ATTACHMENT))

    def intervals_on(self) -> Any:
        return _plain(self.reader.intervals_on(self.KEYS))

    def intervals_on_of_kinds(self) -> Any:
        return _plain(self.reader.intervals_on(self.KEYS, FactKind.EXISTENCE, FactKind.ROLE_ATTACHMENT))

    def objects(self) -> Any:
        return {key: found for key, found in self.reader.objects(self.KEYS).items() if key != PLATFORM}

    def find_object(self) -> Any:
        return [self.reader.find_object(ObjectKind.ROLE, id_of(key)) for key in self.KEYS]

    def find_objects(self) -> Any:
        return self.reader.find_objects([id_of(key) for key in self.KEYS[1:]])

    def revision_at(self) -> Any:
        """Around the time of each change that the reader tells of, and before and after them all."""
        times = [time for time, _ in self.reader.origins(self.REVISIONS).values()]
        return {time: self.reader.revision_at(time) for each in (0, *times, 2**62) for time in (each, each + 1)}

    def ended(self) -> Any:
        return [self.reader.ended(key) for key in self.KEYS]

    def find_user(self) -> Any:
        return [self.reader.find_user(f"uSeR{key}@example.ORG") for key in self.KEYS[::2]]

    def find_named(self) -> Any:
        return [self.reader.find_named("email_folded", f"user{key}@example.org") for key in self.KEYS[::2]]

    def page_objects(self) -> Any:
        return [_listed(self.reader.page_objects(kind, [1, PLATFORM], ALL)) for kind in self.KINDS]

    def page_objects_with_fact(self) -> Any:
        page = self.reader.page_objects(ObjectKind.MEMBERSHIP, [1, 2], ALL, with_fact=FactKind.ROLE_ATTACHMENT)
        return _listed(page)

    def living(self) -> Any:
        return [self.reader.living(kind) for kind in self.KINDS]

    def page_living(self) -> Any:
        return _listed(self.reader.page_living(self.KEYS[::3], ALL))

    def page_edges_of(self) -> Any:
        return self._edges(self.reader.page_edges_of, of_holder=True)

    def page_edges_to(self) -> Any:
        return self._edges(self.reader.page_edges_to, of_holder=False)

    def page_every_change(self) -> Any:
        page = self.reader.page_every_change(ALL)
        return page.total, [change.revision for change in page.items]

    def page_dormant_edges(self) -> Any:
        listed = [self.reader.page_dormant_edges(organization, ALL) for organization in (1, 2)]
        return [(page.total, _plain(page.items)) for page in listed]

    def change(self) -> Any:
        return [self.reader.change(revision, 1 + revision % 2) for revision in self.REVISIONS]

    def page_changes(self) -> Any:
        return [_listed(self.reader.page_changes(scope, ALL)) for scope in self.SCOPES]

    def origins(self) -> Any:
        return self.reader.origins(self.REVISIONS)

    def touched(self) -> Any:
        return [self.reader.touched(after) for after in (0, *self.REVISIONS[1::6])]

    def surroundings(self) -> Any:
        seeds = [{PLATFORM, key} for key in self.KEYS[:40]] + [set(self.KEYS), set(self.KEYS[30:]), set()]
        return [sorted(self.reader.surroundings(keys), key=repr) for keys in seeds]

    def _edges(self, page: Callable[..., Page[Interval]], *, of_holder: bool) -> Any:
        answers = {}
        for (kind, holders, things), near in itertools.product(EDGES, self.KEYS[:30:4]):
            listed = page(near, kind, things if of_holder else holders, 1 + near % 2, ALL)
            answers[kind, holders, things, near] = listed.total, _plain(listed.items)
        return answers


QUESTIONS = tuple(name for name in vars(Asked) if name[0].islower())


def answers_of(reader: Reader) -> dict[str, Any]:
    """What the reader answers to every question."""
    asked = Asked(reader)
    return {name: getattr(asked, name)() for name in QUESTIONS}


class Expected:
    """The same answers, from the record."""

    def __init__(self, history: History, revision: int, instant: int) -> None:
        self.history = history
        self.revision = revision
        self.instant = instant
        self.holding = [
            held for held in history.held if held.since <= revision and (held.until is None or held.until > revision)
        ]
        self.known = {key: found for key, found in history.objects.items() if history.born[key] <= revision}
        self.existing = self.holders(FactKind.EXISTENCE)

    def holders(self, kind: FactKind) -> set[int]:
        return {held.fact.holder for held in self.holding if held.fact.kind is kind and held.fact.alive(self.instant)}

    def _intervals(self, *kinds: FactKind) -> Any:
        return [(held.fact, held.since) for held in self.holding if not kinds or held.fact.kind in kinds]

    intervals = intervals_on = _intervals

    def intervals_of_kinds(self) -> Any:
        return self._intervals(FactKind.EXISTENCE, FactKind.ROLE_ATTACHMENT)

    intervals_on_of_kinds = intervals_of_kinds

    def objects(self) -> Any:
        return self.known

    def find_object(self) -> Any:
        roles = {key: found for key, found in self.known.items() if found.kind is ObjectKind.ROLE}
        return [roles.get(key) for key in Asked.KEYS]

    def find_objects(self) -> Any:
        return {found.id: found for found in self.known.values()}

    def revision_at(self) -> Any:
        times = [change.time for change, _ in self._changes()]
        return {
            time: sum(written <= time for written in times) for each in (0, *times, 2**62) for time in (each, each + 1)
        }

    def ended(self) -> Any:
        ends: dict[int, int] = {}
        for held in self.history.held:
            if held.fact.kind is FactKind.EXISTENCE and held.until is not None and held.until <= self.revision:
                ends[held.fact.holder] = max(held.until, ends.get(held.fact.holder, 0))
        return [
            (ends[key], self.history.changes[ends[key] - 1][0].time)
            if key in ends and key not in self.existing
            else None
            for key in Asked.KEYS
        ]

    def find_user(self) -> Any:
        users = {self.history.emails[found.key]: found for found in self._living(ObjectKind.USER)}
        return [users.get(f"user{key}@example.org") for key in Asked.KEYS[::2]]

    def find_named(self) -> Any:
        return self.find_user()

    def page_objects(self) -> Any:
        return [_whole([f for f in self._living(kind) if f.owner in (1, PLATFORM)]) for kind in Asked.KINDS]

    def page_objects_with_fact(self) -> Any:
        holders = self.holders(FactKind.ROLE_ATTACHMENT)
        return _whole([found for found in self._living(ObjectKind.MEMBERSHIP) if found.key in holders])

    def living(self) -> Any:
        return [self._living(kind) for kind in Asked.KINDS]

    def page_living(self) -> Any:
        return _whole([self.known[key] for key in sorted(self.existing) if key in Asked.KEYS[::3]])

    def page_edges_of(self) -> Any:
        return self._edges(of_holder=True)

    def page_edges_to(self) -> Any:
        return self._edges(of_holder=False)

    def page_every_change(self) -> Any:
        return self.revision, list(range(1, self.revision + 1))

    def page_dormant_edges(self) -> Any:
        kinds = {kind for kind, _, _ in EDGES}
        answers = []
        for organization in (1, 2):
            found = []
            for held in self.holding:
                fact, holder = held.fact, self.known[held.fact.holder]
                is_over = holder.kind is ObjectKind.MEMBERSHIP and holder.key not in self.existing
                sleeps = not {fact.holder, fact.thing} <= self.existing and not is_over
                if fact.kind in kinds and fact.alive(self.instant) and holder.owner == organization and sleeps:
                    found.append((fact, held.since))
            answers.append((len(found), found))
        return answers

    def change(self) -> Any:
        changes = self._changes()
        return [
            changes[revision - 1][0]
            if 0 < revision <= len(changes) and changes[revision - 1][1].organization == 1 + revision % 2
            else None
            for revision in Asked.REVISIONS
        ]

    def page_changes(self) -> Any:
        return [
            _whole([change for change, of in self._changes() if of.organization == scope]) for scope in Asked.SCOPES
        ]

    def origins(self) -> Any:
        return {change.revision: (change.time, of.actor) for change, of in self._changes()}

    def touched(self) -> Any:
        newest = list(enumerate(self.history.touched[: self.revision], 1))
        return [
            {key: revision for revision, keys in newest if revision > after for key in keys}
            for after in (0, *Asked.REVISIONS[1::6])
        ]

    def surroundings(self) -> Any:
        seeds = [{PLATFORM, key} for key in Asked.KEYS[:40]] + [set(Asked.KEYS), set(Asked.KEYS[30:]), set()]
        return [sorted(self._led_to(keys), key=repr) for keys in seeds]

    def _led_to(self, keys: Collection[int]) -> list[Fact]:
        """The facts of those holders and of all that they lead to."""
        reached, found = {PLATFORM}, list[Fact]()
        frontier = set(keys) - reached
        while frontier:
            reached |= frontier
            held = [one.fact for one in self.holding if one.fact.holder in frontier]
            found += held
            frontier = {key for fact in held if fact.kind in LEADS_ON for key in (fact.thing, fact.scope)} - reached
        return found

    def _changes(self) -> list[tuple[Change, Origin]]:
        return self.history.changes[: self.revision]

    def _living(self, kind: ObjectKind) -> list[Object]:
        return [self.known[key] for key in sorted(self.existing) if self.known[key].kind is kind]

    def _edges(self, *, of_holder: bool) -> Any:
        answers = {}
        for (kind, holders, things), near_key in itertools.product(EDGES, Asked.KEYS[:30:4]):
            found = []
            for held in self.holding:
                fact = held.fact
                near, far = (fact.holder, fact.thing) if of_holder else (fact.thing, fact.holder)
                far_kind = things if of_holder else holders
                asked_for = (fact.kind, near, fact.scope) == (kind, near_key, 1 + near_key % 2)
                if asked_for and fact.alive(self.instant) and far in self.existing and self.known[far].kind is far_kind:
                    found.append((fact, held.since))
            answers[kind, holders, things, near_key] = len(found), found
        return answers


def _plain(intervals: Collection[Interval]) -> list[tuple[Fact, int]]:
    """Intervals by age, without what a later write may tell of them."""
    return [(found.fact, found.revision_from) for found in sorted(intervals, key=lambda found: found.key)]


def _listed(page: Page[Any]) -> tuple[int, list[Any], int | None, int | None]:
    return page.total, list(page.items), page.before, page.after


def _whole(items: list[Any]) -> tuple[int, list[Any], None, None]:
    return len(items), items, None, None
