"""The truth: what the database itself says was so at every revision, and what its log says was done."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rescind.engine.resources import named_by
from rescind.model.objects import ObjectKind
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.schema import changes, intervals, objects, profiles
from rescind.store.verify import verify
from stories.histories import Row, as_specified

Place = tuple[str, str, str | None, str | None]
"""Where a fact is, by ids: kind, holder, thing, scope."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the log. `opened` and `closed` are the places of its facts."""

    revision: int
    time: int
    operation: str
    request: str
    actor: str
    undoes: int | None
    created: frozenset[str]
    opened: frozenset[Place]
    closed: frozenset[Place]


class Truth:
    """The log and every interval of a database, read once. `at` moves to a revision: the nearer, the faster."""

    def __init__(self, database: str) -> None:
        store = Database(engine_for(database))
        try:
            self.differences = list(verify(store).differences)
            with store.snapshot() as connection:
                self._read(connection)
        finally:
            store.close()
        self.revision = 0
        self._of_holder: dict[Any, dict[int, Row]] = defaultdict(dict)
        self._existing: dict[Any, dict[int, Row]] = defaultdict(dict)

    def _read(self, connection: sa.Connection) -> None:
        self.log = {row.revision: _entry(row) for row in connection.execute(sa.select(changes))}
        found = list(connection.execute(sa.select(objects.c.key, objects.c.id, objects.c.kind)))
        self.ids: dict[int, str] = {row.key: row.id for row in found}
        self.kinds: dict[int, ObjectKind] = {row.key: ObjectKind(row.kind) for row in found}
        self.keys: dict[str, int] = {row.id: row.key for row in found}
        self.public: dict[int, str] = {}
        self.resources: dict[tuple[str, str], int] = {}
        for row in connection.execute(sa.select(profiles.c.object, profiles.c.field, profiles.c.value)):
            if row.field == "public_id":
                self.keys[row.value] = row.object
                self.public[row.object] = row.value
            elif row.field == "resource":
                self.resources[named_by(row.value)] = row.object
        self.scopes: dict[str, list[str]] = defaultdict(list)
        self._opened: dict[int, list[Row]] = defaultdict(list)
        self._closed: dict[int, list[Row]] = defaultdict(list)
        self._users_of: dict[int, set[int]] = defaultdict(set)
        for interval in connection.execute(sa.select(intervals)):
            fact: Row = {**as_specified(interval), "key": interval.key}
            self._opened[interval.revision_from].append(fact)
            if interval.revision_to is not None:
                self._closed[interval.revision_to].append(fact)
            if fact["kind"] == "existence" and self.kinds[fact["holder"]] is ObjectKind.MEMBERSHIP:
                self._users_of[interval.scope].add(interval.thing)
            elif fact["kind"] == "api_scope":
                scope, identifier = json.loads(fact["value"])
                self.keys[f"{identifier} {scope}"] = fact["holder"]
                self.scopes[identifier].append(scope)

    @property
    def newest(self) -> int:
        """The last revision of the log."""
        return max(self.log, default=0)

    def at(self, revision: int) -> "Truth":
        """The same as of a revision: what `rows`, `held` and `live` then say is what holds there."""
        while self.revision < revision:
            self.revision += 1
            self._drop(self._closed[self.revision])
            self._take(self._opened[self.revision])
        while self.revision > revision:
            self._drop(self._opened[self.revision])
            self._take(self._closed[self.revision])
            self.revision -= 1
        return self

    def rows(self, *starts: Any) -> list[Row]:
        """Every row that holds now and can bear on these objects: theirs, and those of all that they lead to."""
        seen: set[Any] = set()
        found: dict[int, Row] = {}
        waiting = [start for start in starts if start is not None]
        while waiting:
            holder = waiting.pop()
            if holder in seen:
                continue
            seen.add(holder)
            for number, row in self._of_holder[holder].items():
                found[number] = row
                waiting += [end for end in (row["thing"], row["scope"]) if end is not None]
            # To a user lead her memberships; to an organization would lead everybody's.
            if self.kinds.get(holder) is ObjectKind.USER:
                waiting += [row["holder"] for row in self._existing[holder].values()]
        return [found[number] for number in sorted(found)]

    def held(self, kind: str, holder: int) -> list[Row]:
        """The rows of one kind that an object holds now."""
        return [row for row in self._of_holder[holder].values() if row["kind"] == kind]

    def users_of(self, organization: int) -> set[int]:
        """Everybody who was ever a member there."""
        return self._users_of[organization]

    def membership(self, user: int, organization: int) -> int | None:
        """The membership of a user in an organization now."""
        joined = self._existing[user].values()
        return next((row["holder"] for row in joined if row["scope"] == organization), None)

    def named(self, keys: Iterable[int]) -> list[str]:
        """The ids of objects, in order."""
        return sorted(self.ids[key] for key in keys)

    def _take(self, rows: list[Row]) -> None:
        for row in rows:
            self._of_holder[row["holder"]][row["key"]] = row
            if row["kind"] == "existence" and row["thing"] is not None:
                self._existing[row["thing"]][row["key"]] = row

    def _drop(self, rows: list[Row]) -> None:
        for row in rows:
            self._of_holder[row["holder"]].pop(row["key"], None)
            if row["kind"] == "existence" and row["thing"] is not None:
                self._existing[row["thing"]].pop(row["key"], None)


def _entry(row: sa.Row[Any]) -> Entry:
    body = json.loads(row.body)
    return Entry(
        row.revision,
        row.time,
        body["operation"],
        row.request,
        row.actor,
        (body.get("cause") or {}).get("undoes"),
        frozenset(made["id"] for made in body["created"]),
        frozenset(_place(fact) for fact in body["opened"]),
        frozenset(_place(fact) for fact in body["closed"]),
    )


def _place(fact: dict[str, Any]) -> Place:
    return fact["fact"], fact["holder"], fact["thing"], fact["scope"]
