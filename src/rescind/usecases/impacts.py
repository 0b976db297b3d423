"""Impacts: whom a planned write touches, what each of them loses and gains, and what stays by which paths."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from rescind.decision.cover import TooMuchWork
from rescind.decision.decide import ASSUME_ROLE, AccessRequest, Reason, speaks_of, state_of
from rescind.decision.impact import Access, Known, Loss, Row, access_of, access_where
from rescind.decision.snapshot import Principal, Snapshot
from rescind.engine.decisions import stored_of
from rescind.engine.principals import Fetch, by_holder, snapshot_of
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.changes import Plan, fact_body
from rescind.model.conditions import Effect
from rescind.model.documents import Statement
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import spoken
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import PAGE_SIZE_MAX, Reader, Window
from rescind.usecases import apis
from rescind.usecases.actor import Actor
from rescind.usecases.paths import Step, steps_of
from rescind.usecases.planned import Planned
from rescind.usecases.searches import Known as KnownTexts
from rescind.usecases.stored import Stored
from rescind.usecases.unit import Unit, View

GROUPS_MAX = 50
PRINCIPALS_MAX = 20
KNOWN_MAX = 200
ROWS_MAX = 200
SESSIONS_MAX = 200
"""What is listed of each; the rest is counted."""
_CHUNK = 500

_EDGES_UP = {
    ObjectKind.GROUP: (FactKind.GROUP_MEMBERSHIP,),
    ObjectKind.ROLE: (FactKind.ROLE_ATTACHMENT, FactKind.ASSUMPTION),
    ObjectKind.POLICY: (FactKind.POLICY_ATTACHMENT,),
    ObjectKind.PERMISSION: (FactKind.PERMISSION_GRANT,),
    ObjectKind.CLIENT_GRANT: (FactKind.CLIENT_GRANT,),
    ObjectKind.API: (FactKind.API_SCOPE, FactKind.GRANT_DEFINITION),
    ObjectKind.ROLE_TRUST: (FactKind.SESSION_TRUST,),
    ObjectKind.API_KEY: (FactKind.SESSION_KEY,),
    ObjectKind.USER: (FactKind.EXISTENCE,),
    ObjectKind.MEMBERSHIP: (FactKind.EXISTENCE, FactKind.TRUSTED_PARTY),
    ObjectKind.SESSION: (),
}
"""By which facts what hangs on an object is reached from it, towards principals."""

_BEARS_ON_DECISIONS = frozenset(
    {
        FactKind.EXISTENCE,
        FactKind.ROOT,
        FactKind.SUSPENSION,
        FactKind.BLOCK,
        FactKind.GROUP_MEMBERSHIP,
        FactKind.ROLE_ATTACHMENT,
        FactKind.POLICY_ATTACHMENT,
        FactKind.PERMISSION_GRANT,
        FactKind.DOCUMENT,
        FactKind.ROLE_DEFINITION,
        FactKind.TRUST,
        FactKind.TRUSTED_PARTY,
        FactKind.ASSUMPTION,
        FactKind.SESSION_TRUST,
        FactKind.SESSION_KEY,
        FactKind.API_SCOPE,
        FactKind.CLIENT_GRANT,
        FactKind.GRANT_DEFINITION,
        FactKind.PROPERTIES,
    }
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement that still covers something, and the ways by which it is held."""

    statement: Statement
    paths: Sequence[Sequence[Step]]


@dataclass(frozen=True, slots=True)
class Loses:
    """One row of what is lost or gained, with what it was held by, and what covers the rest."""

    row: Row
    paths: Sequence[Sequence[Step]]
    still: Sequence[Kept]


@dataclass(slots=True)
class Group:
    """Principals that lose and gain the same. `scope` is an organization's id, None outside of all.

    `lost` and `gained` are the first rows of each, None where there is too much to be told apart; then comes `more`.
    """

    count: int
    principals: list[str]
    type: str
    scope: str | None
    before: Reason | None
    after: Reason | None
    lost: list[Loses] | None = None
    more_lost: int = 0
    gained: list[Loses] | None = None
    more_gained: int = 0
    known_lost: tuple[Sequence[Known], int] = ((), 0)
    known_gained: tuple[Sequence[Known], int] = ((), 0)


@dataclass(slots=True)
class Impact:
    """What a write would do. `holds_until` is the next instant at which time alone changes it, None for never.

    `digest` names what is said here: the same write has another impact as soon as it has another digest, and so it has
    when that instant has passed.
    """

    opened: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    touched: int
    groups: list[Group]
    more_groups: int
    sessions_ended: list[str]
    tokens: list[tuple[str, int]]
    holds_until: int | None
    digest: str
    changed: int
    hidden: int
    next_group: int | None
    """Where the groups that come after these begin."""
    more_sessions_ended: int
    plan: Plan


def explained(rows: Sequence[Row], had: View, has: View) -> tuple[list[Loses], int]:
    """Rows with their paths: by what something was had in the one view, and what covers the rest in the other.

    The first of them, and how many more there are.
    """
    found = []
    for row in rows[:ROWS_MAX]:
        held = row.holding.permission
        still = [
            Kept(one.statement, steps_of(has, one.permission.paths) if one.permission else []) for one in row.still
        ]
        found.append(Loses(row, steps_of(had, held.paths) if held else [], still))
    return found, len(rows) - len(found)


def unseen(done: int, total: int) -> None:
    """Nobody looks on."""


Seen = Callable[[int, int], None]
"""Hears how many principals have been compared, of how many."""


def impact_of(unit: Unit, groups_from: int = 0, seen: Seen = unseen) -> Impact:
    """The impact of what a unit has planned, as far as who asks may read what the principals have."""
    plan, before = unit.plan, unit.reader
    after = Planned(before, plan)
    return _Comparison(unit, plan, before, after, seen=seen, ends=unit.ends).impact(groups_from)


def compared(
    view: View, plan: Plan, before: Reader, after: Reader, *, groups_from: int = 0, seen: Seen = unseen
) -> Impact:
    """The impact of a plan from one reader to another, as far as who asks may read what the principals have.

    Of the groups the first are told of, or those from a place on that another impact named.
    """
    return _Comparison(view, plan, before, after, seen=seen).impact(groups_from)


_Pairwise = tuple[Access, Access]
"""An access before and after."""


@dataclass(frozen=True, slots=True)
class _Session:
    """One session, by key, before and after."""

    key: int
    principal: Principal
    before: Snapshot
    after: Snapshot


@dataclass(slots=True)
class _Alike:
    """Principals with the same access before and the same after."""

    before: Access
    after: Access
    keys: list[int] = field(default_factory=list)


def _note(
    alike: dict[tuple[Any, ...], _Alike], place: tuple[int, ObjectKind], key: int, was: Access, would_be: Access
) -> None:
    """Put a principal to those with the same accesses, once, if they differ."""
    if was.key != would_be.key:
        keys = alike.setdefault((*place, was.key, would_be.key), _Alike(was, would_be)).keys
        if keys[-1:] != [key]:
            keys.append(key)


class _Comparison:
    def __init__(
        self, view: View, plan: Plan, before: Reader, after: Reader, *, seen: Seen, ends: Collection[int] = ()
    ) -> None:
        self._seen = seen
        self._view_before = View(before, view.asks, view.organization)
        self._asks = view.asks
        self._plan = plan
        self._before = before
        self._after = after
        self._view_after = View(after, view.asks, view.organization)
        self._stored = Stored(before, after, plan)
        self._ends = list(ends)
        self._accesses: dict[Any, list[_Pairwise]] = {}
        self._texts: dict[int, KnownTexts] = {}

    def impact(self, groups_from: int) -> Impact:
        touched = _touched_by(self._before, self._after, self._plan, self._stored)
        alike: dict[tuple[Any, ...], _Alike] = {}
        sessions = []
        done = 0
        for scope, keys in touched.by_scope():
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                for key, kind, was, would_be in self._compared(scope, chunk):
                    _note(alike, (scope, kind), key, was, would_be)
                done += len(chunk)
                self._seen(done, len(touched))
        for pair in self._sessions(touched.sessions):
            self._note_ends(pair.before, pair.after)
            was, would_be = _of_session(self._before, pair.before), _of_session(self._after, pair.after)
            if would_be.state is not None and was.state is None:
                sessions.append(pair)
            place = pair.principal.organization, ObjectKind.SESSION
            for before, after in self._pairs((pair.before, pair.after), (was, would_be)):
                _note(alike, place, pair.key, before, after)
        self._seen(len(touched), len(touched))
        return self._said(alike, len(touched), sessions, groups_from)

    def _pairs(self, snapshots: tuple[Snapshot, Snapshot], accesses: _Pairwise) -> list[_Pairwise]:
        """The accesses of one principal before and after: of all requests, and of those that what is stored settles."""
        return [accesses, *self._stored.accesses(snapshots, accesses)]

    def _compared(self, scope: int, keys: Sequence[int]) -> Iterator[tuple[int, ObjectKind, Access, Access]]:
        """Memberships, or outside of organizations users and clients, with their accesses before and after."""
        objects = self._after.objects(keys)
        beside = self._beside(scope, keys)
        seeds = {scope, *keys, *(key for others in beside.values() for key in others)} - {PLATFORM}
        was, would_be = by_holder(self._before.surroundings(seeds)), by_holder(self._after.surroundings(seeds))
        for key in keys:
            user = next(iter(beside.get(key, ())), PLATFORM)
            principal = Principal(key) if scope == PLATFORM else Principal(user, scope, key)
            own = [key, *beside.get(key, ())]
            # Who holds the same in the same state has the same access: most need no snapshot of their own.
            signature = scope, self._signature(was, own), self._signature(would_be, own)
            found = self._accesses.get(signature) if key not in self._stored.principals else None
            if found is None:
                before = snapshot_of(self._before, principal, fetch=was)
                after = snapshot_of(self._after, principal, fetch=would_be)
                self._note_ends(before, after)
                found = self._pairs((before, after), (access_of(before), access_of(after)))
                if key not in self._stored.principals:
                    self._accesses[signature] = found
            for pair in found:
                yield key, objects[key].kind, *pair

    def _beside(self, scope: int, keys: Sequence[int]) -> dict[int, set[int]]:
        """The users of memberships, also of those that end or begin; outside of organizations users' memberships."""
        found: dict[int, set[int]] = {}
        for reader in (self._before, self._after):
            if scope == PLATFORM:
                for held in reader.intervals_on(keys, FactKind.EXISTENCE):
                    found.setdefault(held.fact.thing, set()).add(held.fact.holder)
            else:
                for held in reader.intervals(keys, FactKind.EXISTENCE):
                    found.setdefault(held.fact.holder, set()).add(held.fact.thing)
        return found

    def _signature(self, fetch: Fetch, own: Collection[int]) -> frozenset[Any]:
        """What somebody holds herself, and in which state: all that can part her from others in the same scope."""
        instant, facts = self._before.instant, fetch(own)
        self._ends += [end for fact in facts if (end := fact.expires_at) is not None and end > instant]
        return frozenset(
            (fact.kind, PLATFORM if fact.kind is FactKind.EXISTENCE else fact.thing, fact.scope, fact.value)
            for fact in facts
            if fact.kind is not FactKind.PROPERTIES and fact.alive(instant)
        )

    def _sessions(self, keys: Collection[int]) -> Iterator[_Session]:
        objects = self._after.objects(keys)
        for key in sorted(keys):
            issued = self._before.intervals([key], FactKind.EXISTENCE)
            joined = self._before.intervals([held.fact.thing for held in issued], FactKind.EXISTENCE)
            user = joined[0].fact.thing if joined else PLATFORM
            membership = issued[0].fact.thing if issued else PLATFORM
            principal = Principal(user, objects[key].owner, membership, key)
            yield _Session(
                key,
                principal,
                snapshot_of(self._before, principal),
                snapshot_of(self._after, principal),
            )

    def _note_ends(self, *snapshots: Snapshot) -> None:
        """Note when time changes what snapshots say."""
        for snapshot in snapshots:
            self._ends += [
                fact.expires_at
                for facts in snapshot.facts.values()
                for fact in facts
                if fact.expires_at is not None and fact.expires_at > snapshot.instant
            ]

    def _said(
        self, alike: Mapping[tuple[Any, ...], _Alike], touched: int, sessions: Sequence[_Session], groups_from: int
    ) -> Impact:
        ordered = sorted(alike.items(), key=lambda item: (-len(item[1].keys), item[1].keys[0]))
        changed: set[int] = set()
        hidden: set[int] = set()
        groups: list[Group] = []
        more: list[int] = []
        readable = []
        for place, ((scope, *_), found) in enumerate(ordered):
            if not self._may_read_all(found.keys):
                hidden.update(found.keys)
                changed.update(found.keys)
                continue
            readable.append(found)
            if len(groups) == GROUPS_MAX:
                more.append(place)
            elif place >= groups_from:
                group = self._group(scope, found)
                if group.before == group.after and group.lost == group.gained == []:
                    # Other statements, which allow the same.
                    continue
                groups.append(group)
            changed.update(found.keys)
        plan, ended = self._plan, self._names_of_ended(sessions)
        ids = _ids(self._view_after, plan)
        # What the write itself gives for a while is given from then on: that is another instant each time.
        given_until = {fact.expires_at for fact in plan.opened}
        stands_until = min((end for end in self._ends if end not in given_until), default=None)
        return Impact(
            [fact_body(fact, ids) for fact in plan.opened],
            [{**fact_body(ended.fact, ids), "since": ended.revision_from} for ended in plan.closed],
            touched,
            groups,
            len(more),
            ended[:SESSIONS_MAX],
            self._tokens(readable),
            min(self._ends, default=None),
            self._digest(ordered, [pair.key for pair in sessions], stands_until),
            len(changed),
            len(hidden),
            next(iter(more), None),
            len(ended[SESSIONS_MAX:]),
            plan,
        )

    def _names_of_ended(self, sessions: Sequence[_Session]) -> list[str]:
        """The ids of sessions of people whose access may be read."""
        objects = self._after.objects({key for pair in sessions for key in (pair.key, pair.principal.user)})
        return sorted(objects[pair.key].id for pair in sessions if self._may_read(objects[pair.principal.user]))

    def _group(self, scope: int, found: _Alike) -> Group:
        who = self._people(found.keys[:PRINCIPALS_MAX])
        organization = self._after.objects([scope])[scope].id if scope != PLATFORM else None
        type_ = who[0].kind.label
        names = [person.id for person in who]
        group = Group(len(found.keys), names, type_, organization, found.before.state, found.after.state)
        try:
            lost, gained = Loss(found.before, found.after), Loss(found.after, found.before)
            group.lost, group.more_lost = explained(lost.rows, self._view_before, self._view_after)
            group.gained, group.more_gained = explained(gained.rows, self._view_after, self._view_before)
            texts = self._texts.setdefault(scope, KnownTexts(self._before, scope))
            group.known_lost = lost.known(texts.actions, texts.resources, KNOWN_MAX)
            group.known_gained = gained.known(texts.actions, texts.resources, KNOWN_MAX)
        except TooMuchWork:
            group.lost = group.gained = None
            group.more_lost = group.more_gained = 0
        return group

    def _people(self, keys: Sequence[int]) -> list[Object]:
        """The users, clients and sessions behind memberships and the rest, in their order."""
        objects = self._after.objects(keys)
        memberships = [key for key in keys if objects[key].kind is ObjectKind.MEMBERSHIP]
        users: dict[int, int] = {}
        for reader in (self._after, self._before):
            for held in reader.intervals(memberships, FactKind.EXISTENCE):
                users[held.fact.holder] = held.fact.thing
        people = self._after.objects(set(users.values()))
        return [people[users[key]] if key in users else objects[key] for key in keys]

    def _may_read_all(self, keys: Sequence[int]) -> bool:
        asks = self._asks
        # The others may of all or of none.
        is_asked_of_each = isinstance(asks, Actor) and not (asks.is_administrator or asks.is_root)
        keys = keys if is_asked_of_each else keys[:1]
        parts = (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))
        return all(self._may_read(person) for part in parts for person in self._people(part))

    def _may_read(self, person: Object) -> bool:
        asks = self._asks
        if not isinstance(asks, Actor):
            return asks is None
        if asks.is_administrator:
            return asks.may("iam.access.Read", RESOURCE_TYPE, SYSTEM_API)
        return asks.is_user(person) or asks.may("iam.access.Read", person.kind.label, person.id)

    def _tokens(self, found: Iterable[_Alike]) -> list[tuple[str, int]]:
        """The APIs on which somebody loses scopes, and until when tokens issued for them stay good elsewhere."""
        identifiers: set[str] = set()
        for one in found:
            kept = {held.statement for held in one.after.bearing}
            for held in one.before.bearing:
                if held.on_api and held.statement not in kept:
                    identifiers |= {pattern.partition(":")[2] for pattern in held.statement.resources}
        until = []
        for stored in sorted(identifiers):
            identifier = spoken(stored)
            api = self._before.find_named("identifier", identifier)
            if api is not None:
                lifetime = apis.definition_of(self._view_before, api).get("token_lifetime") or 0
                until.append((identifier, self._before.instant + int(lifetime) * 1_000_000))
        return until

    def _digest(
        self, ordered: Sequence[tuple[tuple[Any, ...], _Alike]], sessions: Sequence[int], stands_until: int | None
    ) -> str:
        # What is made has another key in a preview than in the write: it is known by its place among what is made.
        made = {created.key: -1 - place for place, created in enumerate(self._plan.created)}

        def names(keys: Iterable[int]) -> list[int]:
            return sorted(made.get(key, key) for key in keys)

        said = sorted(
            [names([scope]), names(found.keys), _access_said(found.before), _access_said(found.after)]
            for (scope, *_), found in ordered
        )
        text = json.dumps(
            [said, names(sessions), stands_until], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        return sha256(text.encode()).hexdigest()


def _touched_by(before: Reader, after: Reader, plan: Plan, stored: Stored) -> "_Touched":
    """Whose decisions a plan may change: all above what it opens and closes, and above what reads what it stores."""
    facts = [*plan.opened, *(ended.fact for ended in plan.closed)]
    bearing = [fact for fact in facts if fact.kind in _BEARS_ON_DECISIONS]
    whole = {fact.holder for fact in bearing if fact.kind in (FactKind.EXISTENCE, FactKind.BLOCK)}
    touched = _Touched(before, after, {fact.holder for fact in bearing}, whole)
    for scope, policies in stored.reading_policies():
        touched.add(_Touched(before, after, policies), scope)
    return touched


class _Touched:
    """Everybody above some objects, before and after: members by organization, people and clients outside, sessions."""

    def __init__(self, before: Reader, after: Reader, below: Collection[int], whole: Collection[int] = ()) -> None:
        self._readers = (before, after)
        self.members: dict[int, set[int]] = {}
        self.outside: set[int] = set()
        self.sessions: set[int] = set()
        self._seen: set[int] = set()
        self._whole = whole
        frontier = set(below)
        while frontier:
            self._seen |= frontier
            frontier = self._above(frontier) - self._seen

    def add(self, other: "_Touched", scope: int) -> None:
        """Take over those of one scope."""
        if scope == PLATFORM:
            self.outside |= other.outside
            return
        self.members.setdefault(scope, set()).update(other.members.get(scope, ()))
        sessions = self._readers[1].objects(other.sessions)
        self.sessions |= {key for key in other.sessions if sessions[key].owner == scope}

    def by_scope(self) -> Iterator[tuple[int, list[int]]]:
        """The memberships by organization, and outside of all the users and clients."""
        for scope, keys in sorted(self.members.items()):
            yield scope, sorted(keys)
        if self.outside:
            yield PLATFORM, sorted(self.outside)

    def __len__(self) -> int:
        return sum(map(len, self.members.values())) + len(self.outside) + len(self.sessions)

    def _above(self, keys: Collection[int]) -> set[int]:
        """What is reached from objects in one step; principals among them are taken down."""
        found: set[int] = set()
        by_kind: dict[ObjectKind, set[int]] = {}
        for object_ in self._readers[1].objects(keys).values():
            by_kind.setdefault(object_.kind, set()).add(object_.key)
        for kind, of_kind in by_kind.items():
            self._take_down(kind, of_kind)
            if kind is ObjectKind.ORGANIZATION:
                found |= self._of_organizations(of_kind)
            # What somebody has in organizations hangs on her memberships, but for whether she is there at all.
            leading = of_kind.intersection(self._whole) if kind is ObjectKind.USER else of_kind
            kinds = _EDGES_UP.get(kind, ())
            if kinds and leading:
                for reader in self._readers:
                    found |= {held.fact.holder for held in reader.intervals_on(leading, *kinds)}
        return found

    def _take_down(self, kind: ObjectKind, keys: Collection[int]) -> None:
        match kind:
            case ObjectKind.MEMBERSHIP:
                for key, object_ in self._readers[1].objects(keys).items():
                    self.members.setdefault(object_.owner, set()).add(key)
                for reader in self._readers:
                    # What her groups carry outside of organizations hangs on her membership.
                    self.outside |= {held.fact.thing for held in reader.intervals(keys, FactKind.EXISTENCE)}
            case ObjectKind.USER | ObjectKind.CLIENT:
                self.outside |= set(keys)
            case ObjectKind.SESSION:
                self.sessions |= set(keys)
            case _:
                pass

    def _of_organizations(self, keys: Collection[int]) -> set[int]:
        found: set[int] = set()
        window: Window | None = Window(PAGE_SIZE_MAX)
        while window is not None:
            page = self._readers[0].page_objects(ObjectKind.MEMBERSHIP, keys, window)
            found |= {object_.key for object_ in page.items}
            window = None if page.after is None else Window(PAGE_SIZE_MAX, after=page.after)
        return found


def _of_session(reader: Reader, snapshot: Snapshot) -> Access:
    """What a session may do in circumstances that let it be used; ended if there are none, or a link is gone."""
    access = access_of(snapshot)
    herself = replace(snapshot, principal=replace(snapshot.principal, session=PLATFORM))
    standing = state_of(AccessRequest("", ""), herself)
    if standing not in (None, Reason.ROOT):
        return replace(access, state=standing)
    assumption = snapshot.assumption
    if assumption is None:
        return replace(access, state=Reason.SESSION_ENDED)
    if standing is None and not _may_enter(access_of(herself), assumption.role_id, stored_of(reader, snapshot)["user"]):
        return replace(access, state=Reason.SESSION_ENDED)
    return replace(access, state=None)


def _may_enter(access: Access, role_id: str, user: Mapping[str, Any]) -> bool:
    """Whether who has an access may assume a role, at least in some circumstances."""
    known = {"subject": user, "resource": {"type": "role", "id": role_id}, "action": {"name": ASSUME_ROLE}}
    for part, said in known.items():
        access = access_where(access, part, said)
    about = ASSUME_ROLE, "role", role_id
    held = [one.statement for one in access.holdings if speaks_of(one.statement, about, is_of_api=False, within=True)]
    is_denied = any(one.effect is Effect.DENY and one.condition is None for one in held)
    return not is_denied and any(one.effect is Effect.ALLOW for one in held)


def _access_said(access: Access) -> list[Any]:
    state, content, within = access.key
    return [str(state), within, sorted(json.dumps([said_of(one), on_api], sort_keys=True) for one, on_api in content)]


def said_of(statement: Statement) -> dict[str, Any]:
    """A statement as a policy document would say it, its condition in one spelling."""
    said: dict[str, Any] = {
        "Effect": str(statement.effect),
        "Action": list(statement.actions),
        "Resource": list(statement.resources),
    }
    return said if statement.condition is None else {**said, "Condition": statement.condition.block}


def _ids(view: View, plan: Plan) -> dict[int, str]:
    facts: list[Fact] = [*plan.opened, *(ended.fact for ended in plan.closed)]
    keys = {key for fact in facts for key in (fact.holder, fact.thing, fact.scope)}
    made = {created.key: created.id for created in plan.created}
    return made | {key: found.id for key, found in view.reader.objects(keys - made.keys()).items()}
