"""PostgreSQL through psycopg 3: as many nodes as you like on one database."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.string import TextLoader
from sqlalchemy import func
from sqlalchemy.pool import ConnectionPoolEntry

_OPTIONS = {
    # An acknowledged revocation must survive the server's end, whatever the server's default.
    "synchronous_commit": "on",
    # A node that was stopped while it held the write lock must not hold it for ever.
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}
_BIGINT = psycopg.adapters.types["int8"].oid


class Postgres:
    """See `database.Engine`."""

    clock: sa.ColumnElement[Any] = sa.cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, sa.BigInteger)
    news = ""
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
        sa.event.listen(self.pool, "connect", _read_ids_as_text)
        self.writers = self.pool

    def together(self, driver_connection: "psycopg.Connection[Any]") -> AbstractContextManager[object]:
        """One journey to the server and back for all of it."""
        return driver_connection.pipeline()

    def identity(self) -> str:
        """A server that is replaced ends its connections by itself."""
        return ""

    def begin(self, connection: sa.Connection, lock_milliseconds_max: int) -> None:
        """Begin at READ COMMITTED: what is read after the lock was had is what the lock protects."""
        connection.exec_driver_sql(
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {lock_milliseconds_max}"
        )

    def begin_snapshot(self, connection: sa.Connection) -> None:
        """Begin at REPEATABLE READ."""
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def prepare(self, driver_connection: "psycopg.Connection[Any]", text: str, parameters: Collection[str]) -> "_Query":
        """See `database.Engine.prepare`."""
        return _Query(driver_connection, text, tuple(parameters))


def _read_ids_as_text(connection: "psycopg.Connection[Any]", _: ConnectionPoolEntry) -> None:
    """An id is text everywhere here; to make more of it first takes longer than to read all the rest of a row."""
    connection.adapters.register_loader("uuid", TextLoader)


class _Query:
    """A prepared statement, asked by libpq's calls that do not wait: a thread would cost more than the answer."""

    _NAME = b"rescind"

    def __init__(self, connection: "psycopg.Connection[Any]", text: str, parameters: Sequence[str]) -> None:
        self._connection = connection.pgconn
        self._parameters = parameters
        self._values = Transformer(connection)
        self._row: tuple[Any, ...] | None = None
        numbered = text % {name: f"${place}" for place, name in enumerate(parameters, 1)}
        types = [_BIGINT] * len(parameters)
        # From some two hundred changes on the server would plan anew each time: that takes longer than the answer.
        connection.execute("SET plan_cache_mode = force_generic_plan")
        _check(self._connection.prepare(self._NAME, numbered.encode(), types), ExecStatus.COMMAND_OK)

    def send(self, parameters: Mapping[str, int]) -> int:
        """See `database.Query.send`."""
        self._row = None
        values = [b"%d" % parameters[name] for name in self._parameters]
        self._connection.send_query_prepared(self._NAME, values)
        if self._connection.flush():
            # So little fits into any buffer, unless nobody has taken anything out of it for long.
            raise psycopg.OperationalError("the connection takes no more")
        return self._connection.socket

    def receive(self) -> tuple[Any, ...] | None:
        """See `database.Query.receive`."""
        self._connection.consume_input()
        while not self._connection.is_busy():
            result = self._connection.get_result()
            if result is None:
                return self._row
            _check(result, ExecStatus.TUPLES_OK)
            self._values.set_pgresult(result)
            self._row = self._values.load_row(0, tuple)
        return None


def _check(result: PGresult, wanted: ExecStatus) -> None:
    if result.status != wanted:
        raise psycopg.OperationalError("the statement was refused")
