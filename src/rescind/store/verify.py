"""Verify: replay the log and hold it against the tables."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rescind.model.changes import GENESIS_DIGEST, canonical, chain, commitment, fact_body
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.store.database import Database, fact_of
from rescind.store.schema import changes, commitments, credentials, head, intervals, objects, profiles
from rescind.store.sql import INTERVAL_COLUMNS

DIFFERENCES_MAX = 100
"""More are counted, not listed."""


@dataclass(slots=True)
class Report:
    """How much was compared, and where log and tables part."""

    revision: int = 0
    digest: str = GENESIS_DIGEST
    time: int = 0
    epoch: int = 0
    intervals: int = 0
    objects: int = 0
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)

    def note(self, difference: str) -> None:
        """Take down one difference."""
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(difference)


def verify(database: Database, progress: Callable[[int, int], None] = lambda _, __: None) -> Report:
    """Replay the whole log and compare it with the tables, in one state of the database, while others write.

    Every digest must follow from the one before it; every object, interval, profile field and credential must be
    what some change says, and all that the changes say must be there. What a change says it touched must be what its
    body names; changes written before there was a place for that, the first ones of a log, need not say it. Whatever
    somebody made of the tables, the answer is a report. `progress` hears of the changes replayed and of the changes in
    all.
    """
    with database.snapshot() as connection:
        end = connection.execute(sa.select(head)).one()
        replay = _Replay(connection, lambda revision: progress(revision, end.revision))
        replay.run()
        report = replay.report
        for name in ("revision", "digest", "time", "epoch"):
            if getattr(end, name) != getattr(report, name):
                report.note(f"head: {name} is {getattr(end, name)}, the log ends with {getattr(report, name)}")
        if end.horizon != 0:
            report.note(f"head: horizon is {end.horizon}, but nothing was ever compacted")
        if end.last_key != replay.last_key:
            report.note(f"head: last_key is {end.last_key}, the last object's is {replay.last_key}")
    return report


@dataclass(frozen=True, slots=True)
class _Said:
    """The newest commitment of the log to a profile field or a credential."""

    revision: int
    time: int
    commitment: str


class _Ids(dict[int, str]):
    """The ids of objects by their keys; a key that no object has is said as such."""

    def __missing__(self, key: int) -> str:
        return f"unknown object {key}"


class _Replay:
    def __init__(self, connection: sa.Connection, progress: Callable[[int], None]) -> None:
        self.report = Report()
        self._connection = connection.execution_options(yield_per=1000)
        self._progress = progress
        self._ids = _Ids((row.key, row.id) for row in self._rows(sa.select(objects.c.key, objects.c.id)))
        self.last_key = max(self._ids, default=PLATFORM)
        # By (object, field or kind).
        self._profile: dict[tuple[str, str], _Said] = {}
        self._credentials: dict[tuple[str, str], _Said] = {}
        # Salt and value of what each profile field was last made of, as far as they were not erased.
        self._kept: dict[tuple[str, str], tuple[str, str | None]] = {}
        self._touched_since: int | None = None

    def run(self) -> None:
        living = sa.select(*INTERVAL_COLUMNS, intervals.c.revision_to)
        ended = living.where(intervals.c.revision_to.is_not(None)).order_by(intervals.c.revision_to)
        tables = {
            "an object": _Rows(
                self._rows(sa.select(objects).where(objects.c.key != PLATFORM).order_by(objects.c.revision))
            ),
            "an interval": _Rows(self._rows(living.order_by(intervals.c.revision_from)), "revision_from"),
            "an interval's end": _Rows(self._rows(ended), "revision_to"),
            "a profile's commitment": _Rows(self._rows(sa.select(commitments).order_by(commitments.c.revision))),
        }
        for row in self._rows(sa.select(changes).order_by(changes.c.revision)):
            self._check_chain(row)
            body = self._read(row)
            made, began, stopped, committed = (table.of(row.revision) for table in tables.values())
            self.report.objects += len(made)
            self.report.intervals += len(began)
            self._compare(row, "created", body, [self._object(found) for found in made])
            self._compare(row, "opened", body, [self._fact(found) for found in began])
            self._compare(
                row, "closed", body, [{**self._fact(found), "since": found.revision_from} for found in stopped]
            )
            for found in made:
                if found.created_at != row.time:
                    self.report.note(f"change {row.revision}: object {found.id} has another time")
            self._take_commitments(row, body, committed)
            self._compare_touched(row, body)
            self.report.epoch = body.get("epoch", self.report.epoch)
            self._progress(row.revision)
        for name, rows in tables.items():
            for revision in rows.left():
                self.report.note(f"revision {revision}: {name} that no change says")
        self._compare_profiles()
        self._compare_credentials()

    def _check_chain(self, row: sa.Row[Any]) -> None:
        where = f"change {row.revision}"
        if row.revision != self.report.revision + 1:
            self.report.note(f"{where}: stands after change {self.report.revision}")
        if not _follows(self.report.digest, row):
            self.report.note(f"{where}: its digest does not follow from its body and the digest before it")
        if row.time <= self.report.time:
            self.report.note(f"{where}: its time is not after the time before it")
        self.report.revision, self.report.digest, self.report.time = row.revision, row.digest, row.time

    def _read(self, row: sa.Row[Any]) -> dict[str, Any]:
        """The body, held against the columns beside it. What is no body at all was noted by its digest already."""
        body = _decoded(row.body)
        if not isinstance(body, dict):
            return {}
        columns = {name: getattr(row, name) for name in ("revision", "time", "actor", "request")}
        columns["organization"] = self._ids[row.organization]
        for name, value in columns.items():
            if body.get(name) != value:
                self.report.note(f"change {row.revision}: its {name} is {value}, its body says {body.get(name)}")
        return body

    def _compare(self, row: sa.Row[Any], name: str, body: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
        said = Counter(canonical(entry) for entry in _entries(body, name))
        found = Counter(canonical(entry) for entry in rows)
        for entry in said - found:
            self.report.note(f"change {row.revision}: {name} says {entry}, the tables do not")
        for entry in found - said:
            self.report.note(f"change {row.revision}: the tables say {entry}, {name} does not")

    def _take_commitments(self, row: sa.Row[Any], body: Mapping[str, Any], kept: Iterable[sa.Row[Any]]) -> None:
        """Note what a change commits to, and hold what is kept of it against that; erased is no difference."""
        said = {}
        for entry in _entries(body, "profile"):
            place = _text(entry, "object"), _text(entry, "field")
            said[place] = self._profile[place] = _Said(row.revision, row.time, _text(entry, "commitment"))
            self._kept.pop(place, None)
        for entry in _entries(body, "credentials"):
            place = _text(entry, "object"), _text(entry, "kind")
            self._credentials[place] = _Said(row.revision, row.time, _text(entry, "commitment"))
        for found in kept:
            place = self._ids[found.object], found.field
            where = f"profile of {place[0]}, {place[1]}"
            if place not in said:
                self.report.note(f"{where}: change {row.revision} does not commit to it")
                continue
            if not _opens(said[place].commitment, found.salt, found.value):
                self.report.note(f"{where}: change {row.revision} commits to another value")
            self._kept[place] = found.salt, found.value

    def _compare_touched(self, row: sa.Row[Any], body: Mapping[str, Any]) -> None:
        """Hold what a change says that it touched against its body, which names it all for ever.

        The rows do not: verifiers are replaced and values erased. Who reads takes a null to mean everything, so it
        hides nothing where an older version wrote it; none writes any more once a newer one has begun.
        """
        where = f"change {row.revision}"
        if row.touched is None:
            if self._touched_since is not None:
                self.report.note(f"{where}: touched is missing, though change {self._touched_since} has it")
            return
        if self._touched_since is None:
            self._touched_since = row.revision
        keys = _decoded(row.touched)
        # True and 1.0 are no keys, though they equal one.
        if not isinstance(keys, list) or any(type(key) is not int for key in keys):
            self.report.note(f"{where}: touched is no list of keys")
            return
        found = Counter(self._ids[key] if key >= 0 else f"the thing {self._ids[-key]}" for key in keys)
        said = Counter(_touched(body))
        for name in said - found:
            self.report.note(f"{where}: its body names {name}, touched does not")
        for name in found - said:
            self.report.note(f"{where}: touched names {name}, its body does not")

    def _compare_profiles(self) -> None:
        """What each field was last made of is what the profile shows; what was erased is not shown."""
        shown = {(self._ids[row.object], row.field): row for row in self._rows(sa.select(profiles))}
        for place, said in self._profile.items():
            where = f"profile of {place[0]}, {place[1]}"
            row = shown.pop(place, None)
            if place not in self._kept:
                if row is not None:
                    self.report.note(f"{where}: was erased but is shown")
                continue
            if (row.value if row is not None else None) != self._kept[place][1]:
                self.report.note(f"{where}: is not what change {said.revision} made it")
            elif row is not None and row.changed_at != said.time:
                self.report.note(f"{where}: its time is not that of change {said.revision}")
        for place in shown:
            self.report.note(f"profile of {place[0]}, {place[1]}: no change says it")

    def _compare_credentials(self) -> None:
        left = dict(self._credentials)
        for row in self._rows(sa.select(credentials)):
            place = (self._ids[row.object], row.kind)
            where = f"{row.kind} of {place[0]}"
            said = left.pop(place, None)
            if said is None:
                self.report.note(f"{where}: no change says it")
            elif not _opens(said.commitment, row.salt, row.verifier):
                self.report.note(f"{where}: is not what the log commits to")
            elif row.changed_at != said.time:
                self.report.note(f"{where}: its time is not that of change {said.revision}")
        for owner, kind in left:
            self.report.note(f"{kind} of {owner}: is missing")

    def _rows(self, statement: sa.Select[Any]) -> Iterable[sa.Row[Any]]:
        return self._connection.execute(statement)

    def _object(self, row: sa.Row[Any]) -> dict[str, Any]:
        return {"kind": _label(row.kind), "id": row.id, "owner": self._ids[row.owner]}

    def _fact(self, row: sa.Row[Any]) -> dict[str, Any]:
        try:
            fact = fact_of(row)
        except KeyError:
            return {"fact": f"unknown kind {row.kind}", "holder": self._ids[row.holder]}
        return fact_body(fact, self._ids)


class _Rows:
    """Rows in the order of a revision, taken revision by revision."""

    def __init__(self, rows: Iterable[sa.Row[Any]], column: str = "revision") -> None:
        self._rows = iter(rows)
        self._column = column
        self._next = next(self._rows, None)

    def of(self, revision: int) -> list[sa.Row[Any]]:
        """The rows of one revision, and of those before it that were not taken."""
        found = []
        while self._next is not None and getattr(self._next, self._column) <= revision:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found

    def left(self) -> list[int]:
        """The revisions of the rows that nobody took."""
        rows = [self._next, *self._rows] if self._next is not None else []
        return [getattr(row, self._column) for row in rows]


def _entries(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What a body lists under a name, as far as it is of the right shape."""
    entries = body.get(name, ())
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _text(entry: Mapping[str, Any], name: str) -> str:
    """A member that is text in every body of ours."""
    value = entry.get(name, "")
    return value if isinstance(value, str) else canonical({name: value})


def _touched(body: Mapping[str, Any]) -> set[str]:
    """What a change with that body touches, spelled by ids; see `changes.touched_by`."""
    facts = [*_entries(body, "opened"), *_entries(body, "closed")]
    things = {f"the thing {_text(fact, 'thing')}" for fact in facts if fact.get("thing") is not None}
    owners = {_text(entry, "object") for name in ("profile", "credentials") for entry in _entries(body, name)}
    return things | owners | {_text(fact, "holder") for fact in facts}


def _decoded(text: str) -> Any:
    """What JSON says; None where it is none, or deeper than anybody reads."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _label(kind: int) -> str:
    try:
        return ObjectKind(kind).label
    except ValueError:
        return f"unknown kind {kind}"


def _follows(digest: str, row: sa.Row[Any]) -> bool:
    try:
        return bool(chain(digest, row.body) == row.digest)
    except ValueError:
        return False


def _opens(committed: str, salt: str, value: str | None) -> bool:
    try:
        return commitment(salt, value) == committed
    except ValueError:
        return False
