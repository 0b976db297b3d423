"""The store's contract on either database. What differs between the two is behind `Engine`."""

import json
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hmac import compare_digest
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rescind.model.changes import Change, Origin, Plan, body_of, chain, commitment, touched_by
from rescind.model.emails import folded
from rescind.model.errors import Gone, Unavailable
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind, is_id
from rescind.store import sql
from rescind.store.contract import NEVER, Head, Page, Window
from rescind.store.statements import Statements

LOCK_SECONDS_MAX = 5.0
_KEYS_MAX = 1000
"""Keys in one statement: databases bound the number of parameters."""
_REMEMBERED_MAX = 2000
"""Things of which one reader remembers what it read."""


Found = TypeVar("Found")
P = ParamSpec("P")


class Query(Protocol):
    """A statement that a connection is asked without waiting for the answer."""

    def send(self, parameters: Mapping[str, int]) -> int:
        """Ask, and say which descriptor can be read when something of the answer is there."""

    def receive(self) -> Sequence[Any] | None:
        """The one row of the answer; None as long as it is not all there."""


class Engine(Protocol):
    """One database, and what is its own.

    `pool` gives connections on which every statement commits by itself until `begin` was called, and `writers` those
    that write to the log. `is_near` says that one row is read in microseconds. Where the clock is a parameter, being
    the host's, `news` is a statement that is cheaper than any reading, and answers with another number when other
    connections committed; of `writers` there is one then.
    """

    pool: sa.Engine
    writers: sa.Engine
    clock: sa.ColumnElement[Any]
    news: str
    is_replica: sa.ColumnElement[Any]
    connections_max: int
    is_near: bool

    def together(self, driver_connection: Any) -> AbstractContextManager[object]:
        """What is executed meanwhile may be sent at once; then its answers come, and its failure, at the end."""

    def identity(self) -> Hashable:
        """What tells the database at the address from one that takes its place; None if nothing lies there.

        Open connections lead to the one that lay there when they were made.
        """

    def begin(self, connection: sa.Connection, lock_milliseconds_max: int) -> None:
        """Begin a transaction whose first write waits that long for the lock."""

    def begin_snapshot(self, connection: sa.Connection) -> None:
        """Begin a transaction that sees one state of the database and writes nothing."""

    def prepare(self, driver_connection: Any, text: str, parameters: Collection[str]) -> Query | None:
        """A statement in the driver's words to be asked often, if that can be done without waiting.

        All its parameters are numbers.
        """


class Database:
    """A database with this version's schema, as `contract.Store`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.statements = Statements(engine.pool.dialect, engine.together)
        self._lock_head = sql.lock_head(engine.clock, engine.is_replica)
        self._direct: weakref.WeakSet[_Direct] = weakref.WeakSet()
        self._heads = self._head_reader(listens=False)
        self._identity: Hashable = None
        self._head_lock = threading.Lock()
        self.generation = 0
        """How often another database was found at the address."""
        # Apart from the head's: nobody who wants a connection waits for the answer of a database.
        self._renew_lock = threading.Lock()
        # One writer at a time per process: the databases' own queues are not fair, and each place in them costs
        # a connection.
        self._write_lock = threading.Lock()
        # The rest belongs to who has the lock.
        self.written: End | None = None
        """The last end that was written here."""
        self._writers_generation = 0

    def head(self, known: int = 0) -> Head:
        """See `contract.Store.head`."""
        with self._head_lock:
            return self._heads.read(known)

    def head_reader(self) -> "DatabaseHeadReader":
        """See `contract.Store.head_reader`."""
        return self._head_reader(listens=True)

    def _head_reader(self, *, listens: bool) -> "DatabaseHeadReader":
        reader = DatabaseHeadReader(self, listens=listens)
        self._direct.add(reader)
        return reader

    def is_as_written(self, known: Head) -> bool:
        """Whether asking now shows that what is known is what was written here last, and the newest still.

        While somebody writes here it does not.
        """
        if self.written is None or not self._write_lock.acquire(blocking=False):
            return False
        try:
            self._renew_writers()
            return self.written is not None and self.written.is_newest(known, self)
        finally:
            self._write_lock.release()

    def fact_reader(self) -> "DatabaseFactReader":
        """See `contract.Store.fact_reader`."""
        reader = DatabaseFactReader(self)
        self._direct.add(reader)
        return reader

    @contextmanager
    def reading(self, revision: int, instant: int) -> Iterator["DatabaseReader"]:
        """See `contract.Store.reading`."""
        with _unavailable_on_failure(), self._connect() as connection:
            ((horizon,),) = self.statements.execute(connection, sql.HORIZON, {})
            if revision < horizon:
                raise Gone(f"history before revision {horizon} was compacted")
            yield DatabaseReader(self.statements, connection, revision, instant)

    @contextmanager
    def writing(self, known: int = 0) -> Iterator["DatabaseWriter"]:
        """See `contract.Store.writing`."""
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        if not self._write_lock.acquire(timeout=LOCK_SECONDS_MAX):
            raise Unavailable("another write did not end in time")
        try:
            self.renew()
            self._renew_writers()
            generation = self._writers_generation
            with _unavailable_on_failure(), self.engine.writers.connect() as connection:
                self.engine.begin(connection, max(1, int((deadline - time.monotonic()) * 1000)))
                try:
                    (row,) = self.statements.execute(connection, self._lock_head, {"known": known})
                    *columns, last_key = row
                    head = _head(columns)
                    before = head._replace(revision=head.revision - 1)
                    yield DatabaseWriter(self, connection, generation, before, last_key + 1)
                finally:
                    # After a commit there is nothing to roll back, and this says nothing to the database.
                    connection.rollback()
        finally:
            self._write_lock.release()

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database and writes nothing, for reading all of it."""
        with _unavailable_on_failure(), self._connect() as connection:
            self.engine.begin_snapshot(connection)
            try:
                yield connection
            finally:
                connection.rollback()

    def find_credential(self, kind: str, verifier: str) -> int | None:
        """See `contract.Store.find_credential`."""
        with self.outside_the_log() as connection:
            asked = {"kind": kind, "verifier": verifier}
            return _credential(self.statements.execute(connection, sql.FIND_CREDENTIAL, asked), verifier)

    def note_uses(self, uses: Mapping[int, int]) -> None:
        """See `contract.Store.note_uses`."""
        with self.beside_the_log() as connection:
            # In one order everywhere: two nodes must not wait for each other.
            connection.execute(sql.NOTE_USE, [{"membership": key, "at": at} for key, at in sorted(uses.items())])

    @contextmanager
    def beside_the_log(self) -> Iterator[sa.Connection]:
        """A transaction for what changes no answer: it spends no revision, and waits for no lock but SQLite's."""
        with _unavailable_on_failure(), self._connect() as connection:
            self.engine.begin(connection, int(LOCK_SECONDS_MAX * 1000))
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            finally:
                connection.rollback()

    @contextmanager
    def outside_the_log(self) -> Iterator[sa.Connection]:
        """A connection to read what changes no answer, as it is now."""
        with _unavailable_on_failure(), self._connect() as connection:
            yield connection

    def change_of_request(self, request_id: str) -> Change | None:
        """The change that a request made. Waits for a commit of it that is still under way."""
        with self._connect() as connection:
            self.engine.begin(connection, int(LOCK_SECONDS_MAX * 1000))
            try:
                self.statements.execute(connection, self._lock_head, {"known": 0})
                found = self.statements.execute(connection, sql.CHANGE_OF_REQUEST, {"request": request_id})
            finally:
                connection.rollback()
        return _change(found[0]) if found else None

    def close(self) -> None:
        """See `contract.Store.close`."""
        with self._head_lock:
            for reader in list(self._direct):
                reader.close()
        self.engine.pool.dispose()
        self.engine.writers.dispose()

    def _connect(self) -> sa.Connection:
        self.renew()
        return self.engine.pool.connect()

    def renew(self) -> None:
        """Let go of connections to a database that is no longer the one at the address."""
        if self.was_replaced(self.generation):
            self._turn()

    def was_replaced(self, generation: int) -> bool:
        """Whether the database of that generation is no longer the one at the address."""
        return self.engine.identity() != self._identity or generation != self.generation

    def _turn(self) -> None:
        with self._renew_lock:
            identity = self.engine.identity()
            if identity == self._identity:
                return
            if identity is None:
                raise Unavailable("the database file is gone")
            if self._identity is not None:
                self.engine.pool.dispose()
                self.generation += 1
            # After that: who finds this one there gets no connection to the old one any more.
            self._identity = identity

    def _renew_writers(self) -> None:
        """The same for the connection that writes. Called with the write lock: else somebody may be asking on it."""
        if self._writers_generation != self.generation:
            self._writers_generation, self.written = self.generation, None
            self.engine.writers.dispose()


class News:
    """Whether others have committed since, as far as a connection is told; where it is not, there always are news."""

    def __init__(self, statement: str, driver: Any) -> None:
        self._statement = statement
        self._cursor = driver.cursor() if statement else None
        self._last = self._cursor.execute(statement).fetchall() if self._cursor else None

    def are_there(self) -> bool:
        """Ask. Raises what the driver does."""
        return not self._cursor or self._cursor.execute(self._statement).fetchall() != self._last


class End(NamedTuple):
    """An end of the log, of which generation it is, and what tells of others who go beyond it."""

    head: Head
    generation: int
    news: News

    def is_newest(self, known: Head, database: Database) -> bool:
        """Whether it is the end that is known, and nobody has gone beyond it until now. Raises what the driver does."""
        head = self.head
        return (
            head.digest == known.digest
            # A digest says nothing of what a migration, an operator or another database makes different.
            and head.epoch == known.epoch
            and head.schema_version == known.schema_version
            and head.database == known.database
            and self.generation == database.generation
            and not self.news.are_there()
        )


class _Direct:
    """A connection of its own, spoken to through the driver itself: what decisions wait for is read here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._error: type[Exception] = database.engine.pool.dialect.loaded_dbapi.Error
        self._connection: sa.Connection | None = None
        self._driver: Any = None
        self._generation = -1

    def close(self) -> None:
        """Give back the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._driver = None

    def _ask(self, ask: Callable[Concatenate[Any, P], Found], *args: P.args, **kwargs: P.kwargs) -> Found:
        """Ask the driver, on a fresh connection if the one there is has died. Raises `Unavailable`."""
        self._database.renew()
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self._drop()
        failure: Exception | None = None
        for _ in range(2):
            if self._connection is None:
                with _unavailable_on_failure():
                    self._connection = self._database.engine.pool.connect()
                    self._driver = self._connection.connection.driver_connection
            try:
                return ask(self._driver, *args, **kwargs)
            except self._error as error:
                failure = error
                # The pool learns of a dead connection by its own statements alone, and then gives out none that is
                # older: what idled there has died with this one.
                with suppress(DBAPIError):
                    self._connection.exec_driver_sql("SELECT 1")
                self._drop()
        raise Unavailable("the database could not be read") from failure

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self.close()


class DatabaseHeadReader(_Direct):
    """See `contract.HeadReader`."""

    def __init__(self, database: Database, *, listens: bool) -> None:
        super().__init__(database)
        engine = database.engine
        self._statement = database.statements.compiled(sql.read_head(engine.clock, engine.is_replica), {})
        self._query: Query | None = None
        is_told = listens and engine.news and isinstance(engine.clock, sa.BindParameter)
        self._clock = engine.clock.callable if is_told else None
        self._last: End | None = None

    def read(self, known: int = 0, since: int = NEVER) -> Head:
        """See `contract.HeadReader.read`."""
        return self._ask(self._read, known, since)

    def unchanged(self, known: Head) -> int | None:
        """See `contract.HeadReader.unchanged`."""
        if self._clock is None:
            return None
        database, last = self._database, self._last
        database.renew()
        try:
            is_newest = (last is not None and last.is_newest(known, database)) or database.is_as_written(known)
        except self._error:
            # If it is more than the connection that has died, who reads finds out.
            return None
        return self._clock() if is_newest else None

    def _read(self, driver: Any, known: int, since: int) -> Head:
        # Asked before: what is read may be newer than the number, and is then read once more.
        news = News(self._database.engine.news, driver) if self._clock else None
        parameters = self._statement.parameters({"known": known, "since": since})
        (row,) = driver.execute(self._statement.text, parameters).fetchall()
        head = _head(row)
        self._last = End(head, self._generation, news) if news else None
        return head

    def prepare(self) -> None:
        """See `contract.HeadReader.prepare`."""
        if self._query is None and self._connection is not None:
            # If this fails, the next reading finds out what has become of the connection.
            with suppress(self._error):
                parameters = self._statement.parameters({"known": 0, "since": 0})
                self._query = self._database.engine.prepare(self._driver, self._statement.text, parameters)

    def send(self, known: int = 0, since: int = NEVER) -> int | None:
        """See `contract.HeadReader.send`."""
        if self._query is None:
            return None
        try:
            return self._query.send(self._statement.parameters({"known": known, "since": since}))
        except self._error:
            return None

    def receive(self) -> Head | None:
        """See `contract.HeadReader.receive`."""
        if self._query is None:
            raise Unavailable("the database could not be read")
        try:
            row = self._query.receive()
        except self._error as error:
            raise Unavailable("the database could not be read") from error
        return _head(row) if row is not None else None

    def give_up(self) -> None:
        """See `contract.HeadReader.give_up`."""
        self._drop()

    def close(self) -> None:
        """Give back the connection."""
        self._query = self._last = None
        super().close()


class DatabaseFactReader(_Direct):
    """See `contract.FactReader`."""

    def facts(self, holders: Sequence[int], revision: int) -> list[Fact]:
        """See `contract.FactReader.facts`."""
        values = {"keys": list(holders), "revision": revision}
        statement = self._database.statements.compiled(sql.INTERVALS_OF_HOLDERS, values)
        parameters = statement.parameters(values)
        return [fact_of(row) for row in self._ask(lambda driver: driver.execute(statement.text, parameters).fetchall())]


class DatabaseReader:
    """See `contract.Reader`."""

    def __init__(self, statements: Statements, connection: sa.Connection, revision: int, instant: int) -> None:
        self._statements = statements
        self._connection = connection
        self._as_of = {"revision": revision, "instant": instant}
        # What was read stays so as of a revision: a use case asks for the same again and again.
        self._held: dict[int, list[Any]] = {}
        self._objects: dict[int, Object] = {}
        self._around: tuple[frozenset[int], list[Fact]] = frozenset(), []
        self.revision = revision
        self.instant = instant

    def intervals(self, holders: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals`."""
        wanted = sorted(set(holders))
        missing = [key for key in wanted if key not in self._held]
        read: dict[int, list[Any]] = {key: [] for key in missing}
        for row in self._by_keys(sql.INTERVALS_OF_HOLDERS, missing):
            read[row.holder].append(row)
        found = [_interval(row) for key in wanted for row in (read[key] if key in read else self._held[key])]
        if len(self._held) + len(read) <= _REMEMBERED_MAX:
            self._held.update(read)
        return [interval for interval in found if interval.fact.kind in kinds] if kinds else found

    def intervals_on(self, things: Collection[int], *kinds: FactKind) -> list[Interval]:
        """See `contract.Reader.intervals_on`."""
        wanted = {"kinds": [int(kind) for kind in kinds or FactKind]}
        return [_interval(row) for row in self._by_keys(sql.INTERVALS_OF_THINGS, things, wanted)]

    def objects(self, keys: Collection[int]) -> dict[int, Object]:
        """See `contract.Reader.objects`."""
        wanted = set(keys)
        found = {key: self._objects[key] for key in wanted & self._objects.keys()}
        read = [_object(row) for row in self._by_keys(sql.OBJECTS, wanted - found.keys())]
        found |= {one.key: self._remembered(one) for one in read}
        return {key: found[key] for key in sorted(found)}

    def find_object(self, kind: ObjectKind, identifier: str) -> Object | None:
        """See `contract.Reader.find_object`."""
        if not is_id(identifier):
            return None
        row = _only(self._execute(sql.FIND_OBJECT, {"kind": int(kind), "id": identifier}))
        return self._remembered(_object(row)) if row else None

    def find_objects(self, identifiers: Collection[str]) -> dict[str, Object]:
        """See `contract.Reader.find_objects`."""
        wanted = sorted({identifier for identifier in identifiers if is_id(identifier)})
        return {
            row.id: _object(row)
            for start in range(0, len(wanted), _KEYS_MAX)
            for row in self._execute(sql.FIND_OBJECTS, {"ids": wanted[start : start + _KEYS_MAX]})
        }

    def revision_at(self, time: int) -> int:
        """See `contract.Reader.revision_at`."""
        row = _only(self._execute(sql.REVISION_AT, {"time": time}))
        return int(row.revision) if row else 0

    def ended(self, key: int) -> tuple[int, int] | None:
        """See `contract.Reader.ended`."""
        row = _only(self._execute(sql.LAST_END, {"key": key}))
        return (row.revision_to, row.time) if row else None

    def profiles(self, keys: Collection[int]) -> dict[int, dict[str, str]]:
        """See `contract.Reader.profiles`."""
        found: dict[int, dict[str, str]] = {key: {} for key in keys}
        for row in self._by_keys(sql.PROFILES, keys):
            found[row.object][row.field] = row.value
        return found

    def profile_times(self, keys: Collection[int]) -> dict[int, int]:
        """See `contract.Reader.profile_times`."""
        return {row.object: row.changed_at for row in self._by_keys(sql.PROFILE_TIMES, keys)}

    def find_user(self, email: str) -> Object | None:
        """See `contract.Reader.find_user`."""
        return self.find_named("email_folded", folded(email))

    def find_named(self, field: str, value: str, *, also_ended: bool = False) -> Object | None:
        """See `contract.Reader.find_named`."""
        if "\0" in value:
            return None
        row = _only(self._execute(sql.find_named(field, also_ended=also_ended), {"value": value}))
        return self._remembered(_object(row)) if row else None

    def find_credential(self, kind: str, verifier: str) -> int | None:
        """See `contract.Reader.find_credential`."""
        return _credential(self._execute(sql.FIND_CREDENTIAL, {"kind": kind, "verifier": verifier}), verifier)

    def secret(self, of: int, kind: str) -> str | None:
        """See `contract.Reader.secret`."""
        row = _only(self._execute(sql.SECRET, {"of_object": of, "of_kind": kind}))
        return row.verifier if row else None

    def last_uses(self, memberships: Collection[int]) -> dict[int, int]:
        """See `contract.Reader.last_uses`."""
        return {row.membership: row.at for row in self._by_keys(sql.LAST_USES, memberships)}

    def page_objects(
        self, kind: ObjectKind, owners: Collection[int], window: Window, *, with_fact: FactKind | None = None
    ) -> Page[Object]:
        """See `contract.Reader.page_objects`."""
        page = self._page(sql.living_objects(with_fact), {"kind": int(kind), "owners": list(owners)}, window)
        return Page([_object(row) for row in page.items], page.total, page.before, page.after)

    def living(self, kind: ObjectKind) -> list[Object]:
        """See `contract.Reader.living`."""
        return [_object(row) for row in self._execute(sql.LIVING_OF_KIND, {"kind": int(kind)})]

    def page_living(self, keys: Collection[int], window: Window) -> Page[Object]:
        """See `contract.Reader.page_living`."""
        # Parts in the order of keys: no statement takes them all, and one part is enough for most.
        wanted = sorted(keys)
        living = [
            row
            for start in range(0, len(wanted), _KEYS_MAX)
            for row in self._execute(sql.LIVING, {"keys": wanted[start : start + _KEYS_MAX]})
        ]
        page = _window_of(living, window)
        return Page([_object(row) for row in page.items], page.total, page.before, page.after)

    def page_edges_of(
        self, holder: int, kind: FactKind, things: ObjectKind, scope: int, window: Window
    ) -> Page[Interval]:
        """See `contract.Reader.page_edges_of`."""
        return self._page_edges(holder, kind, things, scope, window, of_holder=True)

    def page_edges_to(
        self, thing: int, kind: FactKind, holders: ObjectKind, scope: int, window: Window
    ) -> Page[Interval]:
        """See `contract.Reader.page_edges_to`."""
        return self._page_edges(thing, kind, holders, scope, window, of_holder=False)

    def page_dormant_edges(self, organization: int, window: Window) -> Page[Interval]:
        """See `contract.Reader.page_dormant_edges`."""
        page = self._page(sql.DORMANT_EDGES, {"organization": organization}, window)
        return Page([_interval(row) for row in page.items], page.total, page.before, page.after)

    def change(self, revision: int, organization: int) -> Change | None:
        """See `contract.Reader.change`."""
        row = _only(self._execute(sql.CHANGE, {"of_revision": revision, "organization": organization}))
        return _change(row) if row else None

    def page_changes(self, organization: int, window: Window) -> Page[Change]:
        """See `contract.Reader.page_changes`."""
        page = self._page(sql.CHANGES_OF_ORGANIZATION, {"organization": organization}, window)
        return Page([_change(row) for row in page.items], page.total, page.before, page.after)

    def page_every_change(self, window: Window) -> Page[Change]:
        """See `contract.Reader.page_every_change`."""
        page = self._page(sql.EVERY_CHANGE, {}, window)
        return Page([_change(row) for row in page.items], page.total, page.before, page.after)

    def origins(self, revisions: Collection[int]) -> dict[int, tuple[int, str]]:
        """See `contract.Reader.origins`."""
        return {row.revision: (row.time, row.actor) for row in self._by_keys(sql.ORIGINS, set(revisions))}

    def touched(self, after: int) -> dict[int, int] | None:
        """See `contract.Reader.touched`."""
        found: dict[int, int] = {}
        for row in self._execute(sql.TOUCHED, {"after": after}):
            if row.touched is None:
                return None
            found.update(dict.fromkeys(json.loads(row.touched), row.revision))
        return found

    def surroundings(self, keys: Collection[int]) -> list[Fact]:
        """See `contract.Reader.surroundings`."""
        asked = frozenset(keys)
        if asked == self._around[0]:
            # A preview asks twice, for what is and for what would be.
            return list(self._around[1])
        # What many lead to is found once for every part of the keys.
        statement = sql.SURROUNDINGS[self._connection.dialect.name]
        rows = list(self._by_keys(statement, keys))
        if len(keys) <= _KEYS_MAX and len(keys) + len(rows) + len(self._held) <= _REMEMBERED_MAX:
            read: dict[int, list[Any]] = {key: [] for key in keys if key != PLATFORM}
            for row in rows:
                read.setdefault(row.holder, []).append(row)
            self._held.update(read)
        found = list(dict.fromkeys(map(fact_of, rows)))
        self._around = asked, found
        return list(found)

    def _remembered(self, found: Object) -> Object:
        if len(self._objects) < _REMEMBERED_MAX:
            self._objects[found.key] = found
        return found

    def _page_edges(
        self, near: int, kind: FactKind, far: ObjectKind, scope: int, window: Window, *, of_holder: bool
    ) -> Page[Interval]:
        parameters = {"near": near, "kind": int(kind), "far_kind": int(far), "scope": scope}
        page = self._page(sql.edges(of_holder=of_holder), parameters, window)
        return Page([_interval(row) for row in page.items], page.total, page.before, page.after)

    def _page(self, listing: sql.Listing, parameters: dict[str, Any], window: Window) -> Page[Any]:
        """One window of rows whose first column is their place in the list."""
        backward = window.before is not None
        statement = listing.backward if backward else listing.onward
        mark = window.before if backward else (window.after or 0)
        # One more than wanted tells whether the list goes on.
        bounds = {"mark": mark, "limit": window.limit + 1, **({} if backward else {"skip": window.skip})}
        rows = self._execute(statement, {**parameters, **bounds})
        goes_on = len(rows) > window.limit
        rows = rows[: window.limit]
        if backward:
            rows.reverse()
        # The side that the window was reached from: is anything there?
        first, last = (rows[0][0], rows[-1][0]) if rows else (mark, mark)
        near = listing.onward if backward else listing.backward
        came_from = self._execute(near, {**parameters, "mark": last if backward else first, "limit": 1, "skip": 0})
        before, after = (goes_on, bool(came_from)) if backward else (came_from, goes_on)
        return Page(
            rows,
            self._execute(listing.total, parameters)[0][0],
            first if before else None,
            last if after else None,
        )

    def _by_keys(
        self, statement: sa.Executable, keys: Collection[int], parameters: Mapping[str, Any] | None = None
    ) -> Iterator[Any]:
        wanted = sorted(keys)
        for start in range(0, len(wanted), _KEYS_MAX):
            chunk = wanted[start : start + _KEYS_MAX]
            yield from self._execute(statement, {**(parameters or {}), "keys": chunk})

    def _execute(self, statement: sa.Executable, parameters: Mapping[str, Any]) -> list[Any]:
        return self._statements.execute(self._connection, statement, {**self._as_of, **parameters})


class DatabaseWriter:
    """See `contract.Writer`."""

    def __init__(
        self, database: Database, connection: sa.Connection, generation: int, head: Head, next_key: int
    ) -> None:
        self._database = database
        self._connection = connection
        self._generation = generation
        # Nobody else commits until this one has: from then on it is asked whether anybody did.
        try:
            self._news = News(database.engine.news, connection.connection.driver_connection)
        except database.engine.pool.dialect.loaded_dbapi.Error as error:
            raise Unavailable("the database cannot answer now") from error
        self._ended = False
        self._epoch: int | None = None
        self._reader: DatabaseReader | None = None
        self.head = head
        self.next_key = next_key

    def reader(self, instant: int) -> DatabaseReader:
        """See `contract.Writer.reader`."""
        self._reader = DatabaseReader(self._database.statements, self._connection, self.head.revision, instant)
        return self._reader

    def commit(self, plan: Plan, origin: Origin) -> Change:
        """See `contract.Writer.commit`."""
        self._refuse_after_end()
        change = self._write(plan, origin)
        self._ended = True
        try:
            self._connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            return self._resolve(origin, error)
        if self._database.was_replaced(self._generation):
            self._connection.invalidate()
            raise Unavailable("the database was replaced: the fate of this write is unknown", outcome_unknown=True)
        end = self.head._replace(digest=change.digest, epoch=self._epoch or self.head.epoch)
        self._database.written = End(end, self._generation, self._news)
        return change

    def accept_loss(self) -> None:
        """See `contract.Writer.accept_loss`."""
        self._refuse_after_end()
        # By the clock: two recoveries from the same backup must not end in the same epoch.
        self._epoch = max(self.head.epoch + 1, self.head.clock)

    def _refuse_after_end(self) -> None:
        if self._ended:
            raise RuntimeError("a write ends with its commit")

    def _write(self, plan: Plan, origin: Origin) -> Change:
        """Append the change and what it says to the open transaction."""
        statements, connection = self._database.statements, self._connection
        revision = self.head.revision + 1
        moment = max(self.head.clock, self.head.time + 1)
        salts = {
            **{(entry.object, entry.field): secrets.token_hex(16) for entry in plan.profile},
            **{(entry.object, entry.kind): secrets.token_hex(16) for entry in plan.credentials},
        }
        body = body_of(
            plan,
            origin,
            revision=revision,
            time=moment,
            ids=self._ids(plan, origin),
            epoch=self._epoch,
            commitments={
                **{
                    (entry.object, entry.field): commitment(salts[entry.object, entry.field], entry.value)
                    for entry in plan.profile
                },
                **{
                    (entry.object, entry.kind): commitment(salts[entry.object, entry.kind], entry.verifier)
                    for entry in plan.credentials
                },
            },
        )
        change = Change(revision, moment, body, chain(self.head.digest, body))
        ends = [{"interval": ended.key, "ended_at": revision} for ended in plan.closed]
        appended: list[tuple[sa.Executable, list[dict[str, Any]]]] = [
            (
                sql.INSERT_OBJECT,
                [
                    {
                        "key": made.key,
                        "id": made.id,
                        "kind": int(made.kind),
                        "owner": made.owner,
                        "revision": revision,
                        "created_at": moment,
                    }
                    for made in plan.created
                ],
            ),
            (
                sql.INSERT_CHANGE,
                [
                    {
                        "revision": revision,
                        "time": moment,
                        "organization": origin.organization,
                        "actor": origin.actor,
                        "request": origin.request_id,
                        "body": body,
                        "digest": change.digest,
                        "touched": json.dumps(touched_by(plan), separators=(",", ":")),
                    }
                ],
            ),
            (sql.INSERT_INTERVAL, [{**_columns(fact), "revision_from": revision} for fact in plan.opened]),
            (sql.DELETE_PROFILE, [{"of_object": entry.object, "of_field": entry.field} for entry in plan.profile]),
            (
                sql.INSERT_PROFILE,
                [
                    {"object": entry.object, "field": entry.field, "value": entry.value, "changed_at": moment}
                    for entry in plan.profile
                    if entry.value is not None
                ],
            ),
            (
                sql.INSERT_COMMITMENT,
                [
                    {
                        "revision": revision,
                        "object": entry.object,
                        "field": entry.field,
                        "salt": salts[entry.object, entry.field],
                        "value": entry.value,
                    }
                    for entry in plan.profile
                ],
            ),
            (
                sql.DELETE_CREDENTIAL,
                [{"of_object": entry.object, "of_kind": entry.kind} for entry in plan.credentials],
            ),
            (
                sql.INSERT_CREDENTIAL,
                [
                    {
                        "object": entry.object,
                        "kind": entry.kind,
                        "verifier": entry.verifier,
                        "salt": salts[entry.object, entry.kind],
                        "changed_at": moment,
                    }
                    for entry in plan.credentials
                ],
            ),
            (sql.ACCEPT_LOSS, [{"new_epoch": self._epoch}] if self._epoch is not None else []),
            (
                sql.ADVANCE_HEAD,
                [
                    {
                        "new_digest": change.digest,
                        "new_time": moment,
                        "new_last_key": self.next_key - 1 + len(plan.created),
                    }
                ],
            ),
        ]
        with statements.together(connection):
            ended = statements.execute_many(connection, sql.END_INTERVAL, ends)
            for statement, rows in appended:
                statements.execute_many(connection, statement, rows)
        if ended() != len(ends):
            raise RuntimeError("a plan ends intervals that live")
        return change

    def _ids(self, plan: Plan, origin: Origin) -> dict[int, str]:
        """The id of every key that the plan names."""
        facts = [*plan.opened, *(ended.fact for ended in plan.closed)]
        keys = {key for fact in facts for key in (fact.holder, fact.thing, fact.scope)}
        keys |= {made.owner for made in plan.created} | {origin.organization}
        keys |= {entry.object for entry in plan.profile} | {entry.object for entry in plan.credentials}
        ids = {made.key: made.id for made in plan.created}
        known = (self._reader or self.reader(self.head.clock)).objects(keys - ids.keys())
        return ids | {key: found.id for key, found in known.items()}

    def _resolve(self, origin: Origin, error: DBAPIError) -> Change:
        """Ask the log for the fate of a commit whose answer did not come."""
        try:
            self._connection.invalidate()
            change = self._database.change_of_request(origin.request_id)
        except (DBAPIError, PoolTimeout, Unavailable) as failure:
            raise Unavailable("the fate of this write is unknown", outcome_unknown=True) from failure
        if change is None:
            raise Unavailable("the write was lost; nothing was written") from error
        return change


def _window_of(rows: list[Any], window: Window) -> Page[Any]:
    """One window of rows that are all there, ordered by their first column."""
    if window.before is not None:
        end = sum(row[0] < window.before for row in rows)
        start = max(0, end - window.limit)
    else:
        start = sum(row[0] <= (window.after or 0) for row in rows) + window.skip
        end = min(len(rows), start + window.limit)
    part = rows[start:end]
    first, last = (part[0][0], part[-1][0]) if part else (window.after, window.before)
    return Page(part, len(rows), first if start > 0 else None, last if end < len(rows) else None)


def _credential(rows: Sequence[Any], verifier: str) -> int | None:
    """Whose credential it is that was found."""
    return rows[0].object if rows and compare_digest(rows[0].verifier, verifier) else None


def _only(rows: Sequence[Any]) -> Any:
    """The one row, or None."""
    return rows[0] if rows else None


def _head(columns: Sequence[Any]) -> Head:
    """The head of a row in its order; SQLite has no truth values."""
    *others, is_replica, database, known_digest, said = columns
    return Head._make([*others, bool(is_replica), database, known_digest, said or ""])


def _object(row: Any) -> Object:
    return Object(row.key, row.id, ObjectKind(row.kind), row.owner, row.created_at)


_KINDS = {int(kind): kind for kind in FactKind}
"""Facts are read by the thousand: an enumeration takes three times as long to look one up."""


def _interval(row: Sequence[Any]) -> Interval:
    return Interval(row[0], fact_of(row), row[7])


def fact_of(row: Sequence[Any]) -> Fact:
    """The fact of a row that begins with `sql.INTERVAL_COLUMNS`. Raises `KeyError` for a kind that nobody knows."""
    return Fact(_KINDS[row[1]], row[2], row[3], row[4], row[5], row[6])


def _change(row: Any) -> Change:
    return Change(row.revision, row.time, row.body, row.digest)


def _columns(fact: Fact) -> dict[str, Any]:
    return {
        "kind": int(fact.kind),
        "holder": fact.holder,
        "thing": fact.thing,
        "scope": fact.scope,
        "value": fact.value,
        "expires_at": fact.expires_at,
    }


@contextmanager
def _unavailable_on_failure() -> Iterator[None]:
    """Faults of the database are refusals; faults of ours (a broken constraint, a wrong type) stay errors."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable("the database cannot answer now") from error
    except DBAPIError as error:
        # SQLite says of a broken file no more than `DatabaseError`; a standby says 25006.
        if error.connection_invalidated or type(error) is DatabaseError or _sqlstate(error) == "25006":
            raise Unavailable("the database cannot be used now") from error
        # The database's own words may quote what was to be stored.
        raise RuntimeError(f"the database refused a statement: {type(error.orig).__name__}") from None


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
