"""What reaches the driver."""

import re
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa

from rescind.store.database import Database


def watched(store: Database) -> list[tuple[int, str]]:
    """Every statement that reaches the driver from now on, without its numbers, and by which connection it does."""
    statements: list[tuple[int, str]] = []

    def note(place: int, statement: str) -> None:
        # SQLite tells a statement as it runs it, with its parameters.
        statements.append((place, re.sub(r"\b\d+\b", "?", statement)))

    class Noting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            note(id(self.connection), query)
            return super().execute(query, *arguments, **options)

        def executemany(self, query: Any, *arguments: Any, **options: Any) -> Any:
            note(id(self.connection), query)
            return super().executemany(query, *arguments, **options)

    def watch(connection: Any, _: Any) -> None:
        if store.engine.pool.dialect.name == "postgresql":
            connection.cursor_factory = Noting
        else:
            connection.set_trace_callback(partial(note, id(connection)))

    for pool in {store.engine.pool, store.engine.writers}:
        sa.event.listen(pool, "connect", watch)
    return statements
