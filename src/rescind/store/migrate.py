"""Bring a database to this version's schema: one at a time, all or nothing."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from rescind.store.contract import SCHEMA_VERSION
from rescind.store.database import Engine
from rescind.store.schema import head

# Any number that no other program on the same database is likely to choose.
_ADVISORY_LOCK = 0x5E5C12D
_WAIT_MILLISECONDS_MAX = 60_000


def schema_version(engine: Engine) -> int:
    """The schema version of the database, 0 for an empty one."""
    with engine.pool.connect() as connection:
        if not sa.inspect(connection).has_table(head.name):
            return 0
        version: int = connection.execute(sa.select(head.c.schema_version)).scalar_one()
        return version


def migrate(engine: Engine) -> tuple[int, int]:
    """Bring the database to this version's schema and return the versions before and after.

    Two nodes may call this at once on an empty database: one waits for the other. A newer schema is left alone.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    before = schema_version(engine)
    if before >= SCHEMA_VERSION:
        return before, before
    with engine.pool.connect() as connection:
        engine.begin(connection, _WAIT_MILLISECONDS_MAX)
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(head.update().values(schema_version=SCHEMA_VERSION))
        connection.exec_driver_sql("COMMIT")
    return before, SCHEMA_VERSION
