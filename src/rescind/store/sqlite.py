"""SQLite: one file, write-ahead log, every commit on the disk before it is acknowledged."""

import os
import sqlite3
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_MILLISECONDS = 5000


class Sqlite:
    """See `database.Engine`."""

    # Bound when a statement is executed: the host's clock, in microseconds.
    clock: sa.ColumnElement[Any] = sa.bindparam(
        "host_clock", callable_=lambda: time.time_ns() // 1000, type_=sa.BigInteger
    )
    news = "PRAGMA data_version"
    is_replica: sa.ColumnElement[Any] = sa.false()
    connections_max = 33
    is_near = True

    def __init__(self, url: sa.URL) -> None:
        file = Path(url.database or "")
        self._file = os.fsencode(file)
        if file.parent.is_dir() and not file.exists():
            # Password hashes and e-mail addresses are nobody else's to read; the log beside it takes this mode too.
            file.touch(mode=0o600)
        self.pool = _pool(url, self.connections_max)
        self.writers = _pool(url, 1)

    def together(self, _: Any) -> AbstractContextManager[object]:
        """There is nothing to send."""
        return nullcontext()

    def identity(self) -> tuple[int, int] | None:
        """A restored backup is often moved into place: connections would go on reading the file that is gone."""
        try:
            status = os.stat(self._file)  # noqa: PTH116 - every decision waits for this, and a `Path` takes thrice as long
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def begin(self, connection: sa.Connection, lock_milliseconds_max: int) -> None:
        """Begin with the write lock: a transaction that reads first could not take it later."""
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {lock_milliseconds_max}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")

    def begin_snapshot(self, connection: sa.Connection) -> None:
        """Begin; the first read fixes the state that is seen."""
        connection.exec_driver_sql("BEGIN")

    def prepare(self, _: Any, __: str, ___: Collection[str]) -> None:
        """There is nothing to wait for: the answer is in this process."""
        return


def _pool(url: sa.URL, size: int) -> sa.Engine:
    pool = sa.create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_MILLISECONDS / 1000},
    )
    sa.event.listen(pool, "connect", _prepare)
    return pool


def _use_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    """Switch the file over; for the lock that a fresh one needs for that, SQLite itself does not wait."""
    deadline = time.monotonic() + _BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _prepare(connection: Any, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by its own rules, and commit before some statements.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_write_ahead_log(cursor)
    # NORMAL may lose the last acknowledged revocation in a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
