"""Databases whose whole history the tests wrote themselves, and copies of them."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from rescind.model.changes import GENESIS_DIGEST
from rescind.model.objects import PLATFORM
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.migrate import migrate
from rescind.store.schema import head, metadata, objects
from store.histories import opened

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def make_copy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Copy a database that nobody is connected to, and say the copy's address."""

    def copy(url: str) -> str:
        if url.startswith("sqlite"):
            file = tmp_path_factory.mktemp("db") / "rescind.db"
            for suffix in ("", "-wal"):
                if (original := Path(url.removeprefix("sqlite:///") + suffix)).exists():
                    shutil.copy(original, f"{file}{suffix}")
            return f"sqlite:///{file}"
        server: sa.URL = request.getfixturevalue("postgres")
        name, template = f"t{uuid.uuid4().hex}", sa.make_url(url).database
        admin = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        admin.dispose()
        return server.set(database=name).render_as_string(hide_password=False)

    return copy


@pytest.fixture(scope="session")
def make_migrated(make_empty: Callable[[str], str], make_copy: Callable[[str], str]) -> Callable[[str], str]:
    """Make a database with the schema and an empty log, of either kind, and say its address."""
    templates: dict[str, str] = {}

    def make(kind: str) -> str:
        if kind not in templates:
            migrate(engine := engine_for(url := make_empty(kind)))
            engine.pool.dispose()
            templates[kind] = url
        return make_copy(templates[kind])

    return make


@pytest.fixture(params=DATABASES)
def migrated(
    request: pytest.FixtureRequest, make_migrated: Callable[[str], str], emptied_postgres: list[str]
) -> Iterator[str]:
    """The address of a database with an empty log; a test that takes it runs once on each kind."""
    if request.param == "sqlite":
        yield make_migrated("sqlite")
        return
    # Emptying one takes a tenth of the time that making one does.
    url = emptied_postgres.pop() if emptied_postgres else make_migrated("postgres")
    yield url
    engine = engine_for(url)
    with engine.pool.connect() as connection:
        for table in reversed(metadata.sorted_tables):
            if table not in (head, objects):
                connection.execute(table.delete())
        connection.execute(objects.delete().where(objects.c.key != PLATFORM))
        connection.execute(
            head.update().values(revision=0, digest=GENESIS_DIGEST, time=0, epoch=0, horizon=0, last_key=0)
        )
        connection.exec_driver_sql("ALTER SEQUENCE intervals_key_seq RESTART")
    engine.pool.dispose()
    emptied_postgres.append(url)


@pytest.fixture(scope="session")
def emptied_postgres() -> list[str]:
    """The addresses of PostgreSQL databases with an empty log that no test uses now."""
    return []


@pytest.fixture
def store(migrated: str) -> Iterator[Database]:
    """A node's store with an empty log, on each kind of database."""
    with opened(migrated) as store:
        yield store


@pytest.fixture
def other(migrated: str) -> Iterator[Database]:
    """Another node's store on the same database."""
    with opened(migrated) as store:
        yield store
