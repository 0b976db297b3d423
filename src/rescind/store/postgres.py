"""PostgreSQL through psycopg 3: as many nodes as you like on one database."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import func

_OPTIONS = {
    # An acknowledged revocation must survive the server's end, whatever the server's default.
    "synchronous_commit": "on",
    # A node that was stopped while it held the write lock must not hold it for ever.
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}


class Postgres:
    """See `database.Engine`."""

    clock: sa.ColumnElement[Any] = sa.cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, sa.BigInteger)
    is_replica: sa.ColumnElement[Any] = func.pg_is_in_recovery()
    connections_max = 17
    is_near = False

    def __init__(self, url: sa.URL) -> None:
        self.pool = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_size=self.connections_max,
            max_overflow=0,
            pool_timeout=5,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                "tcp_user_timeout": 5000,
                "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
            },
        )

    def replaced(self) -> bool:
        """A server that is replaced ends its connections by itself."""
        return False

    def begin(self, connection: sa.Connection, lock_milliseconds_max: int) -> None:
        """Begin at READ COMMITTED: what is read after the lock was had is what the lock protects."""
        connection.exec_driver_sql(
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {lock_milliseconds_max}"
        )

    def begin_snapshot(self, connection: sa.Connection) -> None:
        """Begin at REPEATABLE READ."""
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
