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

DIFFERENCES_MAX = 100
"""More are counted, not listed."""


@dataclass(slots=True)
class Report:
    """How much was compared, and where log and tables part."""

    revision: int = 0
    digest: str = GENESIS_DIGEST
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
    what some change says, and all that the changes say must be there. `progress` hears of the changes replayed and
    of the changes in all.
    """
    with database.snapshot() as connection:
        end = connection.execute(sa.select(head)).one()
        replay = _Replay(connection, lambda revision: progress(revision, end.revision))
        replay.run()
        report = replay.report
        for name in ("revision", "digest"):
            if getattr(end, name) != getattr(report, name):
                report.note(f"head: {name} is {getattr(end, name)}, the log ends with {getattr(report, name)}")
    return report


class _Replay:
    def __init__(self, connection: sa.Connection, progress: Callable[[int], None]) -> None:
        self.report = Report()
        self._connection = connection.execution_options(yield_per=1000)
        self._progress = progress
        self._ids = {row.key: row.id for row in self._rows(sa.select(objects.c.key, objects.c.id))}
        # The newest commitment to each profile field and credential, by (object, field or kind).
        self._profile: dict[tuple[str, str], tuple[int, str]] = {}
        self._credentials: dict[tuple[str, str], str] = {}

    def run(self) -> None:
        time = 0
        living = sa.select(intervals)
        created = _Rows(self._rows(sa.select(objects).where(objects.c.key != PLATFORM).order_by(objects.c.revision)))
        opened = _Rows(self._rows(living.order_by(intervals.c.revision_from)), "revision_from")
        ended = living.where(intervals.c.revision_to.is_not(None)).order_by(intervals.c.revision_to)
        closed = _Rows(self._rows(ended), "revision_to")
        for row in self._rows(sa.select(changes).order_by(changes.c.revision)):
            self._check_chain(row, time)
            time = row.time
            body = self._read(row)
            made, began, stopped = created.of(row.revision), opened.of(row.revision), closed.of(row.revision)
            self.report.objects += len(made)
            self.report.intervals += len(began)
            where = f"change {row.revision}"
            self._compare(where, "created", body, [self._object(found) for found in made])
            self._compare(where, "opened", body, [self._fact(found) for found in began])
            self._compare(
                where, "closed", body, [{**self._fact(found), "since": found.revision_from} for found in stopped]
            )
            for entry in body.get("profile", ()):
                self._profile[entry["object"], entry["field"]] = (row.revision, entry["commitment"])
            for entry in body.get("credentials", ()):
                self._credentials[entry["object"], entry["kind"]] = entry["commitment"]
            self._progress(row.revision)
        for rows, name in ((created, "object"), (opened, "interval"), (closed, "interval's end")):
            for revision in rows.left():
                self.report.note(f"revision {revision}: an {name} that no change says")
        self._compare_profiles()
        self._compare_credentials()

    def _check_chain(self, row: sa.Row[Any], time: int) -> None:
        where = f"change {row.revision}"
        if row.revision != self.report.revision + 1:
            self.report.note(f"{where}: stands after change {self.report.revision}")
        if chain(self.report.digest, row.body) != row.digest:
            self.report.note(f"{where}: its digest does not follow from its body and the digest before it")
        if row.time <= time:
            self.report.note(f"{where}: its time is not after the time before it")
        self.report.revision, self.report.digest = row.revision, row.digest

    def _read(self, row: sa.Row[Any]) -> dict[str, Any]:
        """The body, held against the columns beside it. What cannot be read was noted by its digest already."""
        try:
            body: dict[str, Any] = json.loads(row.body)
        except ValueError:
            return {}
        columns = {name: getattr(row, name) for name in ("revision", "time", "actor", "request")}
        columns["organization"] = self._ids.get(row.organization)
        for name, value in columns.items():
            if body.get(name) != value:
                self.report.note(f"change {row.revision}: its {name} is {value}, its body says {body.get(name)}")
        return body

    def _compare(self, where: str, name: str, body: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
        said = Counter(canonical(entry) for entry in body.get(name, ()))
        found = Counter(canonical(entry) for entry in rows)
        for entry in said - found:
            self.report.note(f"{where}: {name} says {entry}, the tables do not")
        for entry in found - said:
            self.report.note(f"{where}: the tables say {entry}, {name} does not")

    def _compare_profiles(self) -> None:
        """What the newest commitment to each field was made of is what the profile shows; erased is not shown."""
        kept = {
            (self._ids[row.object], row.field): (row.salt, row.value)
            for row in self._rows(sa.select(commitments).order_by(commitments.c.revision))
            if self._profile.get((self._ids[row.object], row.field), (0, ""))[0] == row.revision
        }
        shown = {(self._ids[row.object], row.field): row.value for row in self._rows(sa.select(profiles))}
        for place, (revision, committed) in self._profile.items():
            where = f"profile of {place[0]}, {place[1]}"
            if place not in kept:
                if place in shown:
                    self.report.note(f"{where}: was erased but is shown")
                continue
            salt, value = kept[place]
            if commitment(salt, value) != committed:
                self.report.note(f"{where}: change {revision} commits to another value")
            if shown.get(place) != value:
                self.report.note(f"{where}: is not what change {revision} made it")
        for place in shown.keys() - self._profile.keys():
            self.report.note(f"profile of {place[0]}, {place[1]}: no change says it")

    def _compare_credentials(self) -> None:
        left = dict(self._credentials)
        for row in self._rows(sa.select(credentials)):
            place = (self._ids[row.object], row.kind)
            committed = left.pop(place, None)
            if committed is None:
                self.report.note(f"{row.kind} of {place[0]}: no change says it")
            elif commitment(row.salt, row.verifier) != committed:
                self.report.note(f"{row.kind} of {place[0]}: is not what the log commits to")
        for owner, kind in left:
            self.report.note(f"{kind} of {owner}: is missing")

    def _rows(self, statement: sa.Select[Any]) -> Iterable[sa.Row[Any]]:
        return self._connection.execute(statement)

    def _object(self, row: sa.Row[Any]) -> dict[str, Any]:
        return {"kind": ObjectKind(row.kind).label, "id": row.id, "owner": self._ids[row.owner]}

    def _fact(self, row: sa.Row[Any]) -> dict[str, Any]:
        return fact_body(fact_of(row), self._ids)


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
