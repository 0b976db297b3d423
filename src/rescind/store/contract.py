"""The store's promises. Both databases keep every one of them; `tests/store/test_contract.py` has a test for each.

Revisions are integers from 1; instants and times are microseconds since 1970, UTC; objects are named by key.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from rescind.model.changes import Change, Origin, Plan
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import Object, ObjectKind

PAGE_SIZE_MAX = 500
SCHEMA_VERSION = 4
"""The schema that this program writes and reads; the head row says which one a database has."""

Item = TypeVar("Item")


NEVER = 1 << 62
"""A revision that no log gets to."""


class Head(NamedTuple):
    """The end of the log, with what a node needs to know whether it may trust it.

    `clock` is the database's (SQLite: the host's) at the moment of reading. `known_digest` is the digest of the
    change at the revision that the reader said it knew, None if the log has no such change. `epoch` rises when an
    operator accepts a loss. `database` is a random name given once.
    """

    revision: int
    digest: str
    time: int
    epoch: int
    horizon: int
    schema_version: int
    clock: int
    is_replica: bool
    database: str
    known_digest: str | None = None
    said: str = ""
    """What changes touched that were read with the head, as `REVISION:[KEY,…]` with blanks between."""

    def touched(self, after: int) -> dict[int, int] | None:
        """What the changes after that revision touched, as `Reader.touched` says it; None if it was not read."""
        said = dict(entry.split(":") for entry in self.said.split())
        try:
            revisions = range(after + 1, self.revision + 1)
            return {key: revision for revision in revisions for key in json.loads(said[str(revision)])}
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted: up to `limit` items after, or before, an item's place in the list.

    `skip` leaves out as many first, where neither is said.
    """

    limit: int = 100
    after: int | None = None
    before: int | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a list. `total` counts the whole list; `before` and `after` are where its neighbours begin, if any."""

    items: Sequence[Item]
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Login:
    """One thing tried, or called: `type` is Auth0's code, `details` JSON, `revision` the newest change then.

    Objects by key; `at` is in microseconds since 1970.
    """

    at: int
    revision: int
    type: str
    address: str
    request: str
    user: int | None = None
    client: int | None = None
    organization: int | None = None
    audience: str | None = None
    scope: str | None = None
    details: str | None = None
    key: int = 0


class Reader(Protocol):
    """What is so at one revision.

    Everything but profiles, credentials and last uses must be as of `revision`, whatever is written meanwhile; those
    are as they are now.
    """

    @property
    def revision(self) -> int:
        """The revision that is read."""

    @property
    def instant(self) -> int:
        """The instant by which lists judge what time has ended."""

    def intervals(self, holders: Collection[int], *kinds: FactKind) -> list[Interval]:
        """The intervals of those holders (and kinds, if named) that hold at the revision, expired ones included."""

    def intervals_on(self, things: Collection[int], *kinds: FactKind) -> list[Interval]:
        """The same by the fact's thing."""

    def objects(self, keys: Collection[int]) -> dict[int, Object]:
        """The objects with those keys, ended ones included."""

    def find_object(self, kind: ObjectKind, identifier: str) -> Object | None:
        """The object of that kind and id, ended or not."""

    def find_objects(self, identifiers: Collection[str]) -> dict[str, Object]:
        """The objects with those ids, of whatever kind, ended or not, by id."""

    def revision_at(self, time: int) -> int:
        """The newest revision that was written at that time (microseconds since 1970) or before; 0 for none."""

    def ended(self, key: int) -> tuple[int, int] | None:
        """The revision and the time at which an object that does not exist now last ended; None if it exists."""

    def profiles(self, keys: Collection[int]) -> dict[int, dict[str, str]]:
        """The profile fields of those objects; every key is in the answer."""

    def profile_times(self, keys: Collection[int]) -> dict[int, int]:
        """When a profile field of those objects last changed."""

    def find_user(self, email: str) -> Object | None:
        """The living user with that e-mail address, whatever the case of its letters."""

    def find_named(self, field: str, value: str, *, also_ended: bool = False) -> Object | None:
        """The living object with that value in one of the naming fields of its profile.

        With `also_ended` the youngest that has it, living or not.
        """

    def find_credential(self, kind: str, verifier: str) -> int | None:
        """The key of the object that has that verifier."""

    def secret(self, of: int, kind: str) -> str | None:
        """The verifier of that kind that an object has: of a password its hash, of what is shown again the seal."""

    def last_uses(self, memberships: Collection[int]) -> dict[int, int]:
        """When those members last used the API, in microseconds since 1970; those who never did are absent."""

    def page_objects(
        self, kind: ObjectKind, owners: Collection[int], window: Window, *, with_fact: FactKind | None = None
    ) -> Page[Object]:
        """Living objects by age, oldest first; with `with_fact`, those that hold a fact of that kind."""

    def living(self, kind: ObjectKind) -> list[Object]:
        """Every living object of a kind, by age."""

    def page_living(self, keys: Collection[int], window: Window) -> Page[Object]:
        """Those of the objects with those keys that exist, by age."""

    def page_edges_of(
        self, holder: int, kind: FactKind, things: ObjectKind, scope: int, window: Window
    ) -> Page[Interval]:
        """Edges of one kind from a holder to things of one kind, oldest first.

        Those that time has not ended and whose thing exists.
        """

    def page_edges_to(
        self, thing: int, kind: FactKind, holders: ObjectKind, scope: int, window: Window
    ) -> Page[Interval]:
        """The same to one thing, whose holder exists."""

    def page_dormant_edges(self, organization: int, window: Window) -> Page[Interval]:
        """Edges of an organization that count for nothing because a role, group or policy is deleted, oldest first.

        Edges of members who left are not among them, nor those that time has ended.
        """

    def change(self, revision: int, organization: int) -> Change | None:
        """One entry of the log, if it is of that scope."""

    def page_changes(self, organization: int, window: Window) -> Page[Change]:
        """The entries of one scope, oldest first."""

    def page_every_change(self, window: Window) -> Page[Change]:
        """The entries of all scopes, oldest first."""

    def origins(self, revisions: Collection[int]) -> dict[int, tuple[int, str]]:
        """Time and actor of those changes."""

    def touched(self, after: int) -> dict[int, int] | None:
        """What the changes after that revision touched, each with the newest revision that did.

        An object is touched, by its key, when a fact that it holds, a field of its profile or a credential of its
        begins, ends or changes; as the thing of a fact it is, by its key below zero. None where a change does not say.
        """

    def surroundings(self, keys: Collection[int]) -> list[Fact]:
        """The facts of those holders and of all that they lead to, in one reading; see `snapshot.gather`."""


class Writer(Protocol):
    """The one open writing transaction. Nobody else writes until it ends."""

    @property
    def head(self) -> Head:
        """The head before this write, read after the lock was taken, and the clock then."""

    def reader(self, instant: int) -> Reader:
        """What is so at that head."""

    def accept_loss(self) -> None:
        """Raise the head's epoch together with the commit that follows."""

    @property
    def next_key(self) -> int:
        """The key of the first object that this write may create; the others follow by ones."""

    def commit(self, plan: Plan, origin: Origin) -> Change:
        """Write the plan with its change as the next revision, and return when it is durable.

        Must be all or nothing. When the connection is lost while committing, the log is asked: the change is
        returned if it is there; else `Unavailable`, with `outcome_unknown` if the log cannot be asked, or another
        database lies there by now.
        """


class HeadReader(Protocol):
    """A connection of one thread's own that reads the head and runs nothing else."""

    def read(self, known: int = 0, since: int = NEVER) -> Head:
        """See `Store.head`. With it is read what the changes after revision `since` touched, if these are few."""

    def unchanged(self, known: Head) -> int | None:
        """The clock, if asking now shows that a head that is known is the newest still; None if only `read` tells."""

    def prepare(self) -> None:
        """Make ready for `send`, after a reading, where the database can be asked without waiting for it."""

    def send(self, known: int = 0, since: int = NEVER) -> int | None:
        """Ask for the same without waiting, by a connection that was made ready.

        Returns the descriptor that can be read when `receive` is to be called; None if only `read` will do, after
        `give_up`.
        """

    def receive(self) -> Head | None:
        """What was asked for by `send`; None as long as it is not all there. Raises `Unavailable`."""

    def give_up(self) -> None:
        """Wait no longer for what was asked for by `send`: its answer will not be taken for another's."""


class FactReader(Protocol):
    """A connection of one thread's own that reads facts, with little said about it."""

    def facts(self, holders: Sequence[int], revision: int) -> list[Fact]:
        """The facts of some holders as of a revision, which must not be before the horizon."""


class Store(Protocol):
    """A database with the schema of this version."""

    def fact_reader(self) -> FactReader:
        """Another connection that reads facts and nothing else."""

    def head_reader(self) -> HeadReader:
        """Another connection that reads the head and nothing else."""

    def head(self, known: int = 0) -> Head:
        """Read the head, and the digest at revision `known`.

        One statement, on a connection that does nothing else. Raises `Unavailable`.
        """

    def reading(self, revision: int, instant: int) -> AbstractContextManager[Reader]:
        """Read as of a revision. Raises `Gone` if it lies before the horizon, and `Unavailable`."""

    def writing(self, known: int = 0) -> AbstractContextManager[Writer]:
        """Take the write lock, waiting at most 5 s for it, and read the head as `head` does.

        Without a commit nothing is written and no revision is spent. Raises `Unavailable`.
        """

    def find_credential(self, kind: str, verifier: str) -> int | None:
        """The key of the object that has that verifier now, living or not. Raises `Unavailable`."""

    def note_uses(self, uses: Mapping[int, int]) -> None:
        """Remember when members, by membership, used the API: a later time counts. Spends no revision."""

    def close(self) -> None:
        """Give back every connection."""
