"""The migrated schema is the one that the statements are built on, and what a decision loads is versioned."""

import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.sql import visitors

import rescind.store.migrate
from rescind.model.changes import CredentialEntry, Plan, ProfileEntry, body_of, chain
from rescind.model.errors import Invalid
from rescind.model.facts import FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.store import sql
from rescind.store.contract import SCHEMA_VERSION
from rescind.store.database import Database, Engine
from rescind.store.engines import engine_for
from rescind.store.migrate import migrate, schema_version
from rescind.store.schema import head, intervals, metadata
from rescind.store.verify import verify
from store.histories import History, commit, create, existence, id_of, made, opened, origin, write_at_random
from store.watch import watched


@pytest.fixture
def empty(empty_database: str) -> Iterator[Engine]:
    yield (engine := engine_for(empty_database))
    engine.pool.dispose()


@pytest.fixture
def engine(migrated: str) -> Iterator[Engine]:
    yield (engine := engine_for(migrated))
    engine.pool.dispose()


def catalogue(engine: Engine) -> dict[tuple[str, ...], str]:
    """Everything that the database itself says of its tables, columns, constraints and indexes."""
    with engine.pool.connect() as connection:
        return catalogue_seen_by(connection)


def catalogue_seen_by(connection: sa.Connection) -> dict[tuple[str, ...], str]:
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("SELECT type, tbl_name, name, sql FROM sqlite_master")
    else:
        found = connection.exec_driver_sql(
            """
            SELECT 'column', c.relname, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attcollation)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'S')
            UNION ALL
            SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'trigger', tgrelid::regclass::text, tgname, '' FROM pg_trigger WHERE NOT tgisinternal
            """
        )
    return {
        tuple(place): re.sub(r"\s+", " ", said or "")
        for *place, said in found
        if not place[1].startswith("alembic_version")
    }


def differences(engine: Engine) -> list[Any]:
    """What Alembic would change in the database to make it what the metadata says."""
    with engine.pool.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def heads(engine: Engine) -> list[Any]:
    with engine.pool.connect() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM head").all())


# --- the schema -------------------------------------------------------------------------------------------------------


def test_alembic_finds_nothing_to_change_in_a_migrated_database(engine: Engine) -> None:
    assert differences(engine) == []


def test_a_migrated_database_is_what_the_metadata_would_make(engine: Engine, make_empty: Callable[[str], str]) -> None:
    empty = engine_for(make_empty("sqlite" if engine.pool.dialect.name == "sqlite" else "postgres"))
    with empty.pool.connect() as connection:
        metadata.create_all(connection)
        connection.commit()
    assert catalogue(engine) == catalogue(empty)
    empty.pool.dispose()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE changes ADD COLUMN more INTEGER",
        "ALTER TABLE changes DROP COLUMN actor",
        "CREATE TABLE more (key INTEGER)",
        "DROP INDEX intervals_of_thing",
        (
            "DROP INDEX intervals_place; CREATE INDEX intervals_place ON intervals (holder, kind, thing, scope) "
            "WHERE revision_to IS NULL"
        ),
        "DROP INDEX intervals_place; CREATE UNIQUE INDEX intervals_place ON intervals (holder, kind, thing, scope)",
        (
            "DROP INDEX intervals_place; CREATE UNIQUE INDEX intervals_place ON intervals (holder, kind, thing, scope) "
            "WHERE revision_to IS NOT NULL"
        ),
        "DROP INDEX profiles_slug; CREATE INDEX profiles_slug ON profiles (value) WHERE field = 'email'",
        "DROP INDEX intervals_of_holder; CREATE INDEX intervals_of_holder ON intervals (revision_to, holder)",
    ],
)
def test_the_comparison_notices_every_kind_of_difference(engine: Engine, change: str) -> None:
    before = catalogue(engine)
    with engine.pool.connect() as connection:
        engine.begin(connection, 5000)
        assert catalogue_seen_by(connection) == before
        for statement in change.split(";"):
            connection.exec_driver_sql(statement)
        assert catalogue_seen_by(connection) != before
        connection.rollback()
    assert catalogue(engine) == before


# --- migrating --------------------------------------------------------------------------------------------------------


def test_an_empty_database_has_version_0_and_a_migrated_one_this_version(empty: Engine) -> None:
    assert schema_version(empty) == 0
    assert catalogue(empty) == {}, "looking leaves nothing behind"
    assert migrate(empty) == (0, SCHEMA_VERSION)
    assert schema_version(empty) == SCHEMA_VERSION
    assert len(heads(empty)) == 1


def test_a_database_of_the_first_version_is_brought_here_with_what_is_in_it(empty: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(rescind.store.migrate.__file__).parent / "migrations"))
    with empty.pool.connect() as connection:
        empty.begin(connection, 5000)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO credentials VALUES (0, 'api_key', 'hash', 'salt', 7)")
        connection.exec_driver_sql("COMMIT")
    assert migrate(empty) == (1, SCHEMA_VERSION)
    assert differences(empty) == []
    with empty.pool.connect() as connection:
        assert connection.exec_driver_sql("SELECT verifier FROM credentials").scalar_one() == "hash"


def test_a_database_of_the_version_before_is_brought_here_and_its_changes_do_not_say_what_they_touched(
    empty: Engine,
) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(rescind.store.migrate.__file__).parent / "migrations"))
    with empty.pool.connect() as connection:
        empty.begin(connection, 5000)
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.exec_driver_sql("UPDATE head SET schema_version = 3")
        for revision in (1, 2):
            write_as_version_3_did(connection, revision)
        logged = connection.exec_driver_sql("SELECT * FROM changes ORDER BY revision").all()
        connection.exec_driver_sql("COMMIT")
    assert "touched" not in logged[0]._fields
    assert migrate(empty) == (3, SCHEMA_VERSION)
    assert differences(empty) == []
    with empty.pool.connect() as connection:
        migrated = connection.exec_driver_sql("SELECT * FROM changes ORDER BY revision").all()
    assert [tuple(row) for row in migrated] == [(*row, None) for row in logged]
    with opened(empty.pool.url.render_as_string(hide_password=False)) as store:
        assert (store.head(2).known_digest, store.head().schema_version) == (logged[1].digest, SCHEMA_VERSION)
        assert verify(store).differences == []
        commit(store, Plan(profile=[ProfileEntry(1, "name", "Ann")]))
        with store.reading(3, 0) as reader:
            assert reader.touched(0) is reader.touched(1) is None
            assert reader.touched(2) == {1: 3}
            assert [fact.holder for fact in reader.surroundings([1, 2])] == [1, 2]
        with store.reading(2, 0) as reader:
            assert reader.touched(1) is None
            assert reader.touched(2) == {}
        assert verify(store).differences == []


def write_as_version_3_did(connection: sa.Connection, key: int) -> None:
    """Make one user, by a change with the revision that is her key."""
    before = connection.execute(sa.select(head.c.digest)).scalar_one()
    user, of = made(key, ObjectKind.USER), origin()
    ids = {PLATFORM: id_of(PLATFORM), key: user.id}
    body = body_of(Plan([user], [existence(key)]), of, revision=key, time=key, ids=ids, commitments={})
    digest = chain(before, body)
    row = {"key": key, "id": user.id, "kind": int(user.kind), "owner": PLATFORM, "revision": key, "created_at": key}
    connection.execute(sql.INSERT_OBJECT, row)
    said = {"organization": PLATFORM, "actor": of.actor, "request": of.request_id, "body": body, "digest": digest}
    connection.execute(sql.INSERT_CHANGE, {"revision": key, "time": key, **said})
    fact = {"kind": int(FactKind.EXISTENCE), "holder": key, "thing": PLATFORM, "scope": PLATFORM}
    connection.execute(sql.INSERT_INTERVAL, {**fact, "revision_from": key})
    connection.execute(head.update().values(revision=key, time=key, digest=digest, last_key=key))


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    with opened(engine.pool.url.render_as_string(hide_password=False)) as store:
        create(store, ObjectKind.USER)
    before = catalogue(engine), heads(engine)
    assert migrate(engine) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert (catalogue(engine), heads(engine)) == before


@pytest.mark.parametrize("_", range(2))
def test_nodes_may_migrate_one_empty_database_at_once(empty_database: str, _: int) -> None:
    nodes = 4
    start = threading.Barrier(nodes)

    def node() -> tuple[int, int]:
        engine = engine_for(empty_database)
        start.wait()
        try:
            return migrate(engine)
        finally:
            engine.pool.dispose()

    with ThreadPoolExecutor(nodes) as threads:
        versions = [running.result(60) for running in [threads.submit(node) for _ in range(nodes)]]
    assert {after for _, after in versions} == {SCHEMA_VERSION}
    engine = engine_for(empty_database)
    assert len(heads(engine)) == 1
    assert differences(engine) == []
    engine.pool.dispose()


PROCESS = """
import sys
from rescind.store.engines import engine_for
from rescind.store.migrate import migrate
engine = engine_for(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*migrate(engine))
"""


def test_processes_may_migrate_one_empty_database_at_once(empty_database: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, empty_database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert {after for _, after in answers} == {str(SCHEMA_VERSION)}
    engine = engine_for(empty_database)
    assert len(heads(engine)) == 1
    engine.pool.dispose()


@pytest.mark.parametrize("table", ["objects", "intervals", "credentials"])
def test_a_migration_that_fails_half_way_leaves_nothing_behind(empty: Engine, table: str) -> None:
    with empty.pool.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {table} (stranger INTEGER)")
        connection.commit()
    before = catalogue(empty)
    with pytest.raises(sa.exc.DBAPIError):
        migrate(empty)
    assert catalogue(empty) == before
    with empty.pool.connect() as connection:
        assert not sa.inspect(connection).has_table("alembic_version")
        connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.commit()
    assert migrate(empty) == (0, SCHEMA_VERSION)
    assert differences(empty) == []


def test_a_migration_whose_process_dies_leaves_nothing_behind(empty_database: str) -> None:
    die = (
        "import sqlalchemy as sa, os\n"
        "sa.event.listen(engine.pool, 'before_cursor_execute', "
        "lambda *a: os._exit(9) if a[2].startswith('UPDATE head') else None)\n"
    )
    script = PROCESS.replace('print("ready"', die + 'print("ready"')
    died = subprocess.run(
        [sys.executable, "-c", script, empty_database],
        input="\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (died.returncode, died.stdout) == (9, "ready\n"), died.stderr
    engine = engine_for(empty_database)
    assert catalogue(engine) == {}
    assert migrate(engine) == (0, SCHEMA_VERSION)
    engine.pool.dispose()


def test_a_newer_schema_is_left_alone(engine: Engine) -> None:
    with engine.pool.connect() as connection:
        connection.exec_driver_sql(f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
    before = catalogue(engine), heads(engine)
    try:
        assert migrate(engine) == (SCHEMA_VERSION + 1, SCHEMA_VERSION + 1)
        assert (catalogue(engine), heads(engine)) == before
    finally:
        with engine.pool.connect() as connection:
            connection.exec_driver_sql(f"UPDATE head SET schema_version = {SCHEMA_VERSION}")


def test_a_newer_schema_that_came_while_this_one_waited_is_left_alone(empty_database: str, empty: Engine) -> None:
    """The newer program holds the lock; this one has looked already, and waits for it."""

    def wait() -> None:
        older = engine_for(empty_database)
        try:
            migrate(older)
        except CommandError:
            pass  # it does not know the newer one's migrations
        finally:
            older.pool.dispose()

    config = Config()
    config.set_main_option("script_location", str(Path(rescind.store.migrate.__file__).parent / "migrations"))
    with empty.pool.connect() as connection:
        empty.begin(connection, 5000)
        if connection.dialect.name == "postgresql":
            lock = sa.func.pg_advisory_xact_lock(rescind.store.migrate._ADVISORY_LOCK)
            connection.execute(sa.select(lock))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql(f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        connection.exec_driver_sql("COMMIT")
    waiting.join()
    assert schema_version(empty) == SCHEMA_VERSION + 1


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "sqlite://", "sqlite:///", "oracle://x/y"])
def test_no_other_kind_of_database_is_taken(url: str) -> None:
    with pytest.raises(Invalid, match="is not a database that Rescind knows"):
        engine_for(url)


# --- what a decision loads --------------------------------------------------------------------------------------------

WRITTEN_ONCE = {"key", "kind", "holder", "thing", "scope", "value", "expires_at", "revision_from"}
"""Columns of an interval that never change once they are written."""
SET_ONCE = {"revision_to"}
"""What ends an interval, and is part of the condition that loads it."""

LOADERS = {"INTERVALS_OF_HOLDERS": sql.INTERVALS_OF_HOLDERS, "INTERVALS_OF_THINGS": sql.INTERVALS_OF_THINGS}


@pytest.mark.parametrize("name", LOADERS)
def test_what_a_decision_loads_is_versioned(name: str) -> None:
    read = [element for element in visitors.iterate(LOADERS[name]) if isinstance(element, sa.Column)]
    tables = {element for element in visitors.iterate(LOADERS[name]) if isinstance(element, sa.Table)}
    assert tables == {column.table for column in read} == {intervals}
    assert {column.name for column in read} <= WRITTEN_ONCE | SET_ONCE
    assert "revision_to" in {column.name for column in read}
    # The compiled statement may say no more than its elements did.
    compiled = str(LOADERS[name].compile())
    assert set(re.findall(r"\b(?:FROM|JOIN|UPDATE) +(\w+)", compiled)) == {"intervals"}
    assert set(re.findall(r"\bintervals\.(\w+)", compiled)) <= WRITTEN_ONCE | SET_ONCE
    assert not set(re.findall(r"\b(\w+)\.\w+", compiled)) - {"intervals"}


def test_an_interval_is_read_with_versioned_columns_only() -> None:
    assert {column.table for column in sql.INTERVAL_COLUMNS} == {intervals}
    assert {column.name for column in sql.INTERVAL_COLUMNS} <= WRITTEN_ONCE | SET_ONCE
    for statement in LOADERS.values():
        assert [column.name for column in statement.selected_columns] == [one.name for one in sql.INTERVAL_COLUMNS]


def test_what_holders_lead_to_is_found_by_versioned_columns_and_by_which_keys_there_are() -> None:
    """An object's key never changes, and one that nothing is said of at the revision leads nowhere."""
    read = {element for element in visitors.iterate(sql.SURROUNDINGS["sqlite"]) if isinstance(element, sa.Column)}
    stored = {(one.table.name, one.name) for one in read if isinstance(one.table, sa.Table)}
    assert stored <= {("intervals", name) for name in WRITTEN_ONCE | SET_ONCE} | {("objects", "key")}
    assert ("intervals", "revision_to") in stored
    compiled = str(sql.SURROUNDINGS["sqlite"].compile())
    assert set(re.findall(r"\b(?:FROM|JOIN|UPDATE) +(\w+)", compiled)) <= {"objects", "intervals", "reached"}
    assert set(re.findall(r"\bobjects\.(\w+)", compiled)) == {"key"}
    assert set(re.findall(r"\bintervals\.(\w+)", compiled)) <= WRITTEN_ONCE | SET_ONCE
    assert [column.name for column in sql.SURROUNDINGS["sqlite"].selected_columns] == [
        one.name for one in sql.INTERVAL_COLUMNS
    ]


def test_an_unversioned_column_would_be_noticed() -> None:
    statement = sql.INTERVALS_OF_THINGS.where(sa.exists(sa.select(sql.profiles.c.object)))
    assert {one for one in visitors.iterate(statement) if isinstance(one, sa.Table)} != {intervals}
    assert "profiles" in re.findall(r"\b(?:FROM|JOIN|UPDATE) +(\w+)", str(statement.compile()))


def test_no_write_changes_what_was_written_once(store: Database) -> None:
    updates: set[tuple[str, str, tuple[str, ...]]] = set()
    statements = watched(store)
    history, dice = History(store), random.Random(3)
    for _ in range(25):
        write_at_random(history, dice)
    for value in ("a", "b", None):
        commit(store, Plan(profile=[ProfileEntry(1, "name", value)]))
    for verifier in ("a", "b"):
        commit(store, Plan(credentials=[CredentialEntry(1, "password", verifier)]))
    with store.writing() as writer:
        writer.accept_loss()
        writer.commit(Plan(), origin())
    for _, statement in statements:
        if found := re.match(
            r"(UPDATE|DELETE FROM) (\w+)(?: SET (.*?)(?: \n?WHERE| RETURNING|$))?", statement, re.DOTALL
        ):
            verb, table, columns = found.groups()
            updates.add((verb, table, tuple(sorted(re.findall(r"(\w+) ?=", columns or "")))))
            if (verb, table) == ("UPDATE", "intervals"):
                assert "revision_to IS NULL" in statement, "an end is set once"
        else:
            assert not re.match(r"\s*(UPDATE|DELETE|REPLACE|MERGE|TRUNCATE|WITH)", statement, re.IGNORECASE), statement
            assert "ON CONFLICT" not in statement
    assert updates == {
        ("UPDATE", "intervals", ("revision_to",)),
        ("UPDATE", "head", ("revision",)),
        ("UPDATE", "head", ("digest", "last_key", "time")),
        ("UPDATE", "head", ("epoch",)),
        ("DELETE FROM", "profiles", ()),
        ("DELETE FROM", "credentials", ()),
    }


# --- how it is loaded -------------------------------------------------------------------------------------------------

OBJECTS, DEAD = 2_000, 20_000


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def large(request: pytest.FixtureRequest, make_migrated: Callable[[str], str]) -> Iterator[Engine]:
    """A database with a long history: two thousand objects, and ten dead edges for each that lives."""
    engine = engine_for(make_migrated(request.param))
    columns = "(kind, holder, thing, scope, revision_from, revision_to)"
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {})"
    identifier = "CAST(md5(CAST(n AS text)) AS uuid)" if request.param == "postgres" else "printf('%032x', n)"
    with engine.pool.connect() as connection:
        for statement in (
            f"INSERT INTO objects {numbers.format(OBJECTS)} SELECT n, {identifier}, 2, 0, 1, 1 FROM n",
            f"INSERT INTO intervals {columns} {numbers.format(OBJECTS)} SELECT 1, n, 0, 0, 1, NULL FROM n",
            (
                f"INSERT INTO intervals {columns} {numbers.format(OBJECTS)} "
                f"SELECT 8, n, 1 + n * 7 % {OBJECTS}, 0, 1, NULL FROM n"
            ),
            (
                f"INSERT INTO intervals {columns} {numbers.format(DEAD)} "
                f"SELECT 8, 1 + n % {OBJECTS}, 1 + n * 7 % {OBJECTS}, 0, 1 + n % 100, 200 + n % 100 FROM n"
            ),
            "ANALYZE",
        ):
            connection.execute(sa.text(statement))
    yield engine
    engine.pool.dispose()


PARAMETERS = {"revision": 300, "instant": 0, "keys": [5, 600, 1700], "kinds": [8, 9], "kind": 8, "limit": 10, "mark": 0}
PARAMETERS |= {"near": 5, "far_kind": 2, "scope": 0, "key": 5, "owners": [0]}

STATEMENTS: dict[str, Any] = {
    **LOADERS,
    "SURROUNDINGS": sql.SURROUNDINGS,
    "LAST_END": sql.LAST_END,
    "edges of a holder": sql.edges(of_holder=True).onward,
    "edges of a holder, backward": sql.edges(of_holder=True).backward,
    "edges of a holder, total": sql.edges(of_holder=True).total,
    "edges to a thing": sql.edges(of_holder=False).onward,
    "edges to a thing, backward": sql.edges(of_holder=False).backward,
    "edges to a thing, total": sql.edges(of_holder=False).total,
    "some that live": sql.LIVING,
}


@pytest.mark.parametrize("revision", [300, 150], ids=["newest", "past"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_intervals_are_loaded_by_an_index(large: Engine, name: str, revision: int) -> None:
    parameters = {**PARAMETERS, "revision": revision}
    said = STATEMENTS[name]
    said = said[large.pool.dialect.name] if isinstance(said, dict) else said
    bound = {one.key for one in visitors.iterate(said) if isinstance(one, sa.BindParameter)}
    statement = said.params({key: value for key, value in parameters.items() if key in bound})
    compiled = statement.compile(large.pool, compile_kwargs={"literal_binds": True, "render_postcompile": True})
    if large.pool.dialect.name == "sqlite":
        with large.pool.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
        assert not [step for step in plan if re.match(r"SCAN (intervals|anon|objects)", step)], plan
        assert [step for step in plan if re.match(r"SEARCH intervals\w* USING (COVERING )?(INTEGER|INDEX)", step)], plan
        assert not [step for step in plan if "AUTOMATIC" in step], plan
    else:
        with large.pool.connect() as connection:
            plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {compiled}".replace("%", "%%"))]
        assert not [step for step in plan if "Seq Scan on intervals" in step], "\n".join(plan)
        assert [step for step in plan if "Index" in step], "\n".join(plan)


def test_a_holder_with_a_long_past_is_read_by_its_living_facts(large: Engine) -> None:
    """The first half of the statement looks at what lives, the second at what ended after the revision."""
    statement = sql.INTERVALS_OF_HOLDERS.params(revision=300, keys=[5])
    compiled = statement.compile(large.pool, compile_kwargs={"literal_binds": True, "render_postcompile": True})
    with large.pool.connect() as connection:
        if large.pool.dialect.name == "sqlite":
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
            searches = [step for step in plan if step.startswith("SEARCH")]
            assert len(searches) == 2
            assert all("holder=? AND revision_to" in step or "intervals_place" in step for step in searches), plan
        else:
            plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {compiled}")]
            conditions = [step for step in plan if "Index Cond" in step]
            assert len(conditions) == 2
            assert all("holder" in step for step in conditions), plan
            assert any("revision_to > " in step for step in conditions), plan


def test_the_schema_is_used_by_every_node_as_it_was_migrated(store: Database) -> None:
    key = create(store, ObjectKind.USER)
    with pytest.raises(RuntimeError, match="refused a statement"):
        commit(store, Plan(opened=[existence(key)]))
    assert store.head().schema_version == SCHEMA_VERSION
