"""SQLite: one file, write-ahead log, every commit on the disk before it is acknowledged."""

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry


class Sqlite:
    """See `database.Engine`."""

    # Bound when a statement is executed: the host's clock, in microseconds.
    clock: sa.ColumnElement[Any] = sa.bindparam(
        "host_clock", callable_=lambda: time.time_ns() // 1000, type_=sa.BigInteger
    )
    is_replica: sa.ColumnElement[Any] = sa.false()
    connections_max = 33

    def __init__(self, url: sa.URL) -> None:
        self.pool = sa.create_engine(
            url,
            pool_size=self.connections_max,
            max_overflow=0,
            pool_timeout=5,
            connect_args={"timeout": 5.0},
        )
        sa.event.listen(self.pool, "connect", _prepare)

    def begin(self, connection: sa.Connection, lock_milliseconds_max: int) -> None:
        """Begin with the write lock: a transaction that reads first could not take it later."""
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {lock_milliseconds_max}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_snapshot(self, connection: sa.Connection) -> None:
        """Begin; the first read fixes the state that is seen."""
        connection.exec_driver_sql("BEGIN")


def _prepare(connection: Any, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by its own rules, and commit before some statements.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # NORMAL may lose the last acknowledged revocation in a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
