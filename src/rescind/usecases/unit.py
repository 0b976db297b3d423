"""What a use case works with: a `View` of one organization at one revision, and a `Unit` that plans a write in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from uuid_utils import uuid7

from rescind.decision.snapshot import Principal, Snapshot
from rescind.engine.principals import snapshot_of
from rescind.model.changes import CredentialEntry, Plan, ProfileEntry
from rescind.model.errors import Forbidden, NotFound
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import PAGE_SIZE_MAX, Reader, Window
from rescind.usecases.actor import Actor, Guest
from rescind.usecases.issuer import Issuer
from rescind.usecases.planned import PLANNED, Planned
from rescind.usecases.spellings import new_spelling


@dataclass(frozen=True, slots=True)
class Member:
    """A user and her membership of one organization."""

    user: Object
    membership: Object


class View:
    """One organization as its members may see it. Objects of another organization are not found.

    An administrator of the platform sees every organization's objects from outside, by their public ids; within an
    organization he sees what its members do.
    """

    def __init__(
        self, reader: Reader, asks: Actor | Guest | None, organization: int, issuer: Issuer | None = None
    ) -> None:
        self.reader = reader
        self.asks = asks
        self.organization = organization
        self._issuer = issuer

    @property
    def issuer(self) -> Issuer:
        """Who the server is to clients."""
        assert self._issuer is not None
        return self._issuer

    def inside(self, organization: int) -> "View":
        """The same look at another organization, by key."""
        return View(self.reader, self.asks, organization, self._issuer)

    @property
    def is_administered(self) -> bool:
        """Whether an administrator of the platform asks: things are named by their public ids then."""
        return isinstance(self.asks, Actor) and self.asks.is_administrator

    @property
    def actor(self) -> Actor:
        """Who asks. Guests and the operator's commands call no use case that looks at it."""
        assert isinstance(self.asks, Actor)
        return self.asks

    @property
    def guest(self) -> Guest:
        """Who asks with an invitation's link, where nobody else can."""
        assert isinstance(self.asks, Guest)
        return self.asks

    def facts(self, holder: int, *kinds: FactKind) -> list[Fact]:
        """The facts of one holder that count now."""
        return [interval.fact for interval in self.intervals(holder, *kinds)]

    def intervals(self, holder: int, *kinds: FactKind) -> list[Interval]:
        """The same, as they are stored."""
        return self._alive(self.reader.intervals([holder], *kinds))

    def intervals_on(self, thing: int, kind: FactKind) -> list[Interval]:
        """The facts of one kind about one thing that count now, as they are stored."""
        return self._alive(self.reader.intervals_on([thing], kind))

    def exists(self, key: int) -> bool:
        """Whether the object lives."""
        return bool(self.facts(key, FactKind.EXISTENCE))

    def get(self, kind: ObjectKind, identifier: str) -> Object:
        """The living object of this organization or of the platform with that id, or `NotFound`."""
        found = self.find(kind, identifier)
        if found is None or not self.exists(found.key):
            raise NotFound(kind.label)
        if self.is_administered and found.owner != PLATFORM and not self.exists(found.owner):
            raise NotFound(kind.label)
        return found

    def get_own(self, kind: ObjectKind, identifier: str) -> Object:
        """The same, to be changed: platform objects are read-only from inside an organization."""
        return self.owned(self.get(kind, identifier))

    def owned(self, found: Object) -> Object:
        """Refuse the platform's objects, to all but its administrators."""
        if found.owner != self.organization and not self.is_administered:
            raise Forbidden(f"managed {found.kind.label} objects cannot be changed")
        return found

    def find(self, kind: ObjectKind, identifier: str) -> Object | None:
        """The object of this organization or of the platform with that id, living or ended."""
        found = self.lookup(kind, identifier)
        is_outside = self.is_administered and self.organization == PLATFORM
        return found if found and (is_outside or found.owner in (self.organization, PLATFORM)) else None

    def lookup(self, kind: ObjectKind, identifier: str, *, also_ended: bool = False) -> Object | None:
        """The object with that id, whosever it is, in the spelling of who asks; by a public id a living one.

        With `also_ended` any: what is taken from somebody must not come back when its thing is restored.
        """
        if not self.is_administered:
            return self.reader.find_object(kind, identifier)
        found = self.reader.find_named("public_id", identifier, also_ended=also_ended)
        return found if found and found.kind is kind else None

    def user(self, identifier: str) -> Object:
        """The living user with that id, member of this organization or not, or `NotFound`."""
        found = self.lookup(ObjectKind.USER, identifier)
        if found is None or not self.exists(found.key):
            raise NotFound(ObjectKind.USER.label)
        return found

    def member(self, user_id: str) -> Member:
        """The living member of this organization with that user id, or `NotFound`."""
        user = self.lookup(ObjectKind.USER, user_id)
        membership = self.membership_of(user) if user else None
        if user is None or membership is None:
            raise NotFound(ObjectKind.USER.label)
        return Member(user, membership)

    def membership_of(self, user: Object) -> Object | None:
        """The user's living membership of this organization."""
        return next((held for held in self.memberships_of(user) if held.owner == self.organization), None)

    def pending_of(self, user: Object) -> Object | None:
        """The membership that waits for a user to join this organization, where something was assigned before."""
        waiting = [held.fact for held in self.intervals_on(user.key, FactKind.PENDING)]
        here = [fact.holder for fact in waiting if fact.scope == self.organization]
        return next(iter(self.reader.objects(here).values()), None)

    def memberships_of(self, user: Object) -> list[Object]:
        """The user's living memberships of every organization, ended organizations included."""
        keys = [interval.fact.holder for interval in self.intervals_on(user.key, FactKind.EXISTENCE)]
        # At once, for the reader remembers them: what hangs on a membership is mostly asked for next.
        self.reader.intervals([user.key, *keys])
        if not self.exists(user.key):
            return []
        return [found for found in self.reader.objects(keys).values() if found.kind is ObjectKind.MEMBERSHIP]

    def members(self, memberships: Iterable[Object]) -> list[Member]:
        """The users of those memberships, in their order."""
        memberships = list(memberships)
        users = {
            interval.fact.holder: interval.fact.thing
            for interval in self.reader.intervals([found.key for found in memberships], FactKind.EXISTENCE)
        }
        objects = self.reader.objects(set(users.values()))
        return [Member(objects[users[found.key]], found) for found in memberships]

    def holder(self, user_id: str) -> Object:
        """What assignments to a user hang on here: her membership of the organization, outside of all the user."""
        return self.user(user_id) if self.organization == PLATFORM else self.member(user_id).membership

    def owned_by(self, kind: ObjectKind, owner: int) -> list[Object]:
        """All living objects of a kind of one owner, by age."""
        window: Window | None = Window(PAGE_SIZE_MAX)
        found: list[Object] = []
        while window is not None:
            part = self.reader.page_objects(kind, (owner,), window)
            found += part.items
            window = None if part.after is None else Window(PAGE_SIZE_MAX, after=part.after)
        return found

    def attached_roles(self, holder: Object) -> list[Object]:
        """The living roles attached to a user, membership or group here."""
        edges = [edge for edge in self.facts(holder.key, FactKind.ROLE_ATTACHMENT) if edge.scope == self.organization]
        return [role for role in self.reader.objects([edge.thing for edge in edges]).values() if self.exists(role.key)]

    def snapshot(self, member: Member) -> Snapshot:
        """Everything that bears on that member here."""
        return snapshot_of(self.reader, Principal(member.user.key, self.organization, member.membership.key))

    def snapshot_around(self, *keys: int) -> Snapshot:
        """Everything that objects of this organization lead to, of no principal."""
        return snapshot_of(self.reader, Principal(PLATFORM, self.organization), *keys)

    def is_root(self, membership: Object) -> bool:
        """Whether the membership carries root ownership of its organization."""
        return bool(self.facts(membership.key, FactKind.ROOT))

    def _alive(self, intervals: Iterable[Interval]) -> list[Interval]:
        return [interval for interval in intervals if interval.fact.alive(self.reader.instant)]


class Unit(View):
    """A view with the write that is being planned. Nothing is written until the service commits its plan."""

    def __init__(
        self,
        reader: Reader,
        asks: Actor | Guest | None,
        organization: int,
        *,
        next_key: int,
        now: int,
        issuer: Issuer | None = None,
    ) -> None:
        super().__init__(reader, asks, organization, issuer)
        self._next_key = next_key
        self._now = now
        self._created: list[Object] = []
        self._opened: dict[tuple[FactKind, int, int, int], Fact] = {}
        self._closed: dict[int, Interval] = {}
        self._profile: dict[tuple[int, str], ProfileEntry] = {}
        self._credentials: list[CredentialEntry] = []
        self.ends: set[int] = set()
        """When time ends what was looked at: the same call may plan something else from then on."""
        self.cause: dict[str, Any] | None = None
        """What the change would be made for, where the plan does not say it; the log does."""

    def _alive(self, intervals: Iterable[Interval]) -> list[Interval]:
        alive = super()._alive(intervals)
        self.ends.update(held.fact.expires_at for held in alive if held.fact.expires_at is not None)
        return alive

    @property
    def now(self) -> int:
        """The time of the change that this would be, in microseconds since 1970."""
        return self._now

    @property
    def plan(self) -> Plan:
        """What the use case would do."""
        return Plan(
            self._created,
            list(self._opened.values()),
            list(self._closed.values()),
            list(self._profile.values()),
            self._credentials,
        )

    def create(
        self,
        kind: ObjectKind,
        *,
        owner: int | None = None,
        thing: int = PLATFORM,
        scope: int = PLATFORM,
        expires_at: int | None = None,
        identifier: str | None = None,
        spelling: str | None = None,
    ) -> Object:
        """Make an object of this organization, or of `owner`, and open its existence.

        `identifier` is its UUID and `spelling` its public id, where they are chosen.
        """
        created = self.conceive(kind, owner=owner, identifier=identifier, spelling=spelling)
        self.open(Fact(FactKind.EXISTENCE, created.key, thing, scope, expires_at=expires_at))
        return created

    def conceive(
        self,
        kind: ObjectKind,
        *,
        owner: int | None = None,
        identifier: str | None = None,
        spelling: str | None = None,
    ) -> Object:
        """Make an object that does not exist yet: what hangs on it counts for nothing."""
        key = self._next_key + len(self._created)
        owner = self.organization if owner is None else owner
        created = Object(key, identifier or str(uuid7()), kind, owner, self._now)
        self._created.append(created)
        if public_id := spelling or new_spelling(kind):
            self._profile[key, "public_id"] = ProfileEntry(key, "public_id", public_id)
        return created

    def spelling(self, of: Object) -> str:
        """The public id of an object, also of one that this unit makes."""
        entry = self._profile.get((of.key, "public_id"))
        return str((entry.value if entry else None) or self.reader.profiles([of.key])[of.key]["public_id"])

    def kind_of(self, key: int) -> ObjectKind:
        """What the object with that key is, also if this unit makes it."""
        made = next((created for created in self._created if created.key == key), None)
        return (made or self.reader.objects([key])[key]).kind

    def enter(self, found: Object) -> Object:
        """Go on inside the organization of an object, where an administrator of the platform named it from outside."""
        if self.is_administered:
            self.organization = found.owner
        return found

    def assignee(self, user_id: str) -> Object:
        """What an assignment to a user is to hang on here.

        An administrator of the platform may assign before the user has joined: then that waits, and gives nothing.
        """
        if not self.is_administered or self.organization == PLATFORM:
            return self.holder(user_id)
        user = self.user(user_id)
        known = self.membership_of(user) or self.pending_of(user)
        if known is not None:
            return known
        expected = self.conceive(ObjectKind.MEMBERSHIP)
        self.open(Fact(FactKind.PENDING, expected.key, user.key, self.organization))
        return expected

    def open(self, fact: Fact) -> bool:
        """Make a fact so, and say whether it was not so before.

        Over a fact that time has ended, or one with another value in the same place, a new interval is opened.
        """
        if fact.place in self._opened:
            self._opened[fact.place] = fact
            return True
        found = self._at(fact.place)
        if found is not None:
            if found.fact == fact and fact.alive(self.reader.instant):
                return False
            self.close_interval(found)
        self._opened[fact.place] = fact
        return True

    def close(self, fact: Fact) -> bool:
        """End the fact in that place, and say whether it was so. Nothing else is touched."""
        found = self._at(fact.place)
        if found is None or not found.fact.alive(self.reader.instant):
            return False
        self.close_interval(found)
        return True

    def end(self, ended: Object) -> None:
        """End an object's existence and nothing else: its edges count no more, and do again if it is restored."""
        for interval in self.intervals(ended.key, FactKind.EXISTENCE):
            self.close_interval(interval)

    def close_interval(self, interval: Interval) -> None:
        """Close an interval as it is stored, also one that time has ended already; do not open one that is planned."""
        if interval.key == PLANNED:
            del self._opened[interval.fact.place]
        else:
            self._closed[interval.key] = interval

    @contextmanager
    def seeing_its_plan(self) -> Iterator[None]:
        """See meanwhile what is planned so far, as whatever is done next must."""
        stored = self.reader
        self.reader = Planned(stored, self.plan)
        try:
            yield
        finally:
            self.reader = stored

    def write_profile(self, of: Object, **fields: str | None) -> None:
        """Set the fields of an object's profile that differ; None takes a field away."""
        known = self.reader.profiles([of.key])[of.key]
        for name, value in fields.items():
            if known.get(name) != value:
                self._profile[of.key, name] = ProfileEntry(of.key, name, value)

    def write_credential(self, of: Object, kind: str, verifier: str) -> None:
        """Set an object's credential in place of the one it had."""
        self._credentials.append(CredentialEntry(of.key, kind, verifier))

    def _at(self, place: tuple[FactKind, int, int, int]) -> Interval | None:
        kind, holder, *_ = place
        if any(created.key == holder for created in self._created):
            return None
        held = self.reader.intervals([holder], kind)
        return next((interval for interval in held if interval.fact.place == place), None)
