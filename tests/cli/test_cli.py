"""The command line: each command says what it did, once for people and once for machines, and fails in one line."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest
import sqlalchemy as sa

from loopback import Loopback
from nursery import shared
from rescind.app import application
from rescind.cli import main, serve
from rescind.model.errors import Unauthenticated
from rescind.node import build
from rescind.settings import Settings
from rescind.store.contract import SCHEMA_VERSION
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.migrate import schema_version
from rescind.store.verify import verify
from rescind.usecases.actor import Asking, authenticate
from servers import Server, free_port
from tenant import CLIENT_SECRET, SECRET_KEY
from world import ROOT_EMAIL, ROOT_KEY, World

SECONDS_MAX = 20
ALONE = "--no-management-process"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RESCIND_")]:
        monkeypatch.delenv(name)
    # Without this one there is no node on PostgreSQL.
    monkeypatch.setenv("RESCIND_SECRET_KEY", SECRET_KEY)


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    """Run a command without a terminal, in a folder of the test's own."""

    def do(*arguments: str, **environment: str) -> Done:
        return Done(*shared().run(tmp_path, list(arguments), environment))

    return do


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


# --- init -----------------------------------------------------------------------------------------------------------


def test_init_fills_an_empty_database_once_and_says_the_key_once(empty_database: str, run: Run) -> None:
    first = run("init", "--json", "--database", empty_database)
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)
    assert said.keys() == {"initialised", "api_key"}
    assert said["initialised"] is True
    assert works(empty_database, said["api_key"])
    before = revision_of(empty_database)
    again = run("init", "--json", "--database", empty_database)
    assert (again.returncode, json.loads(again.stdout)) == (0, {"initialised": False})
    for_people = run("init", "--database", empty_database, RESCIND_ROOT_API_KEY="another-key-0123456789-0123456789")
    assert for_people.returncode == 0
    assert "was initialised before" in for_people.stderr
    assert revision_of(empty_database) == before
    assert works(empty_database, said["api_key"])
    assert not works(empty_database, "another-key-0123456789-0123456789")


def test_init_without_a_terminal_writes_the_key_to_a_file_for_the_owner_alone(
    empty_database: str, run: Run, tmp_path: Path
) -> None:
    done = run("init", RESCIND_DATABASE=empty_database)
    assert done.returncode == 0, done.stderr
    file = key_file(empty_database, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_text().strip()
    assert works(empty_database, key)
    assert str(file) in done.stderr
    assert key not in done.stdout + done.stderr


def test_init_at_a_terminal_shows_the_key_there_and_nowhere_else(
    make_empty: Callable[[str], str], tmp_path: Path
) -> None:
    database = make_empty("sqlite")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rescind", "init"],
        env={**os.environ, "RESCIND_DATABASE": database},
        cwd=tmp_path,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # what a terminal says when the other side has gone
        while part := os.read(leader, 4096):
            shown += part
    os.close(leader)
    assert process.wait(SECONDS_MAX) == 0, shown
    found = re.search(r"shown this once: (\S+?)(\x1b|\s)", shown.decode())
    assert found, shown
    assert works(database, found[1])
    assert not key_file(database, tmp_path).exists()


def test_init_takes_the_first_root_from_the_variables_and_does_not_repeat_her_secrets(
    empty_database: str, run: Run, tmp_path: Path
) -> None:
    done = run(
        "init",
        RESCIND_DATABASE=empty_database,
        RESCIND_ROOT_EMAIL="first@example.org",
        RESCIND_ROOT_PASSWORD="a-password-for-root",
        RESCIND_ROOT_API_KEY=ROOT_KEY,
    )
    assert done.returncode == 0, done.stderr
    assert ROOT_KEY not in done.stdout + done.stderr
    assert "a-password-for-root" not in done.stdout + done.stderr
    assert not key_file(empty_database, tmp_path).exists()
    assert works(empty_database, ROOT_KEY)
    shown = json.loads(run("root", "show", "--json", RESCIND_DATABASE=empty_database).stdout)
    assert [row["root"] and row["email"] for row in shown] == ["first@example.org"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RESCIND_ROOT_API_KEY", "only-31-characters-long-0123456"),
        ("RESCIND_ROOT_PASSWORD", "seven77"),
        ("RESCIND_ROOT_EMAIL", "nobody"),
    ],
)
def test_a_first_root_with_a_weak_secret_is_refused_and_nothing_is_initialised(
    make_empty: Callable[[str], str], run: Run, variable: str, value: str
) -> None:
    database = make_empty("sqlite")
    for command in (("init",), ("serve", "--port", str(free_port()))):
        done = run(*command, **{"RESCIND_DATABASE": database, variable: value})
        fails_in_one_line(done)
        if variable != "RESCIND_ROOT_EMAIL":
            assert value not in done.stderr
        assert revision_of(database) == 0
    assert run("init", RESCIND_DATABASE=database).returncode == 0
    assert revision_of(database) > 0


# --- serve ----------------------------------------------------------------------------------------------------------


def test_serve_initialises_an_empty_database_and_never_makes_again_what_was_revoked(
    empty_database: str, tmp_path: Path
) -> None:
    """The variables of the first start stand in a unit file for ever: they must not bring a dead key back."""
    with Server(empty_database, tmp_path, ALONE) as server:
        root = server.world()
        known = [key["id"] for key in root.get("/v2/apikeys")["api_keys"]]
        assert len(known) == 1
        new = root.post("/v2/apikeys", {"name": "new"})["api_key"]["api_key"]
        heir = server.world(new)
        heir.delete(f"/v2/apikeys/{known[0]}")
        assert root.status("/v2/organizations") == 401
        before = revision_of(empty_database)
        server.stop()
        server.start()
        assert root.status("/v2/organizations") == 401
        assert heir.status("/v2/organizations") == 200
        assert revision_of(empty_database) == before
        assert ROOT_KEY not in server.log()
        assert new not in server.log()


def test_serve_without_variables_writes_the_first_key_to_a_file_and_never_to_the_log(
    make_empty: Callable[[str], str], tmp_path: Path
) -> None:
    database = make_empty("sqlite")
    with process("serve", folder=tmp_path, RESCIND_DATABASE=database, RESCIND_PORT=str(port := free_port())) as serving:
        answers(f"http://127.0.0.1:{port}", serving)
        file = key_file(database, tmp_path)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key = file.read_text().strip()
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert World(client, key).status("/v2/organizations") == 200
    assert key not in (tmp_path / "log").read_text()


def test_two_nodes_that_start_at_once_on_an_empty_database_initialise_it_once(
    empty_database: str, tmp_path: Path
) -> None:
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
    servers = [Server(empty_database, folder, ALONE) for folder in folders]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.start(), servers))
        for server in servers:
            assert len(server.world().get("/v2/organizations")["orgs"]) == 1
    finally:
        for server in servers:
            server.__exit__(None, None, None)
    assert verified(empty_database)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_node_that_cannot_use_its_certificate_says_so_at_once(
    run: "Run", make_database: Callable[[str], str], tmp_path: Path, workers: str
) -> None:
    (tmp_path / "garbage.pem").write_text("garbage")
    at = ("--tls-cert", "garbage.pem", "--tls-key", "garbage.pem", "--port", "0", "--workers", workers)
    done = run("serve", *at, RESCIND_DATABASE=make_database("sqlite"))
    assert (done.returncode, "cannot use garbage.pem" in done.stderr) == (1, True), done.stderr


def test_every_option_of_serve_is_also_a_variable_and_every_setting_an_option() -> None:
    options = {option.name: option for option in serve.params if isinstance(option, click.Option)}
    for name, option in options.items():
        assert option.envvar, name
        spelled = next(text for text in option.opts if text.startswith("--"))
        assert option.envvar == "RESCIND_" + spelled.removeprefix("--").upper().replace("-", "_")
    assert {setting.name for setting in fields(Settings)} <= options.keys()


def test_the_other_commands_take_the_database_by_option_and_by_variable() -> None:
    def commands(group: click.Group) -> Iterator[click.Command]:
        for command in group.commands.values():
            yield from commands(command) if isinstance(command, click.Group) else [command]

    found = list(commands(main))
    assert len(found) > 6
    for command in found:
        options = {option.name: option for option in command.params}
        assert options["database"].envvar == "RESCIND_DATABASE", command.name
        assert command.name == "serve" or "as_json" in options, command.name
        assert command.help, command.name


def test_serve_is_wholly_told_by_variables(make_empty: Callable[[str], str], tmp_path: Path) -> None:
    port = free_port()
    with process(
        "serve",
        folder=tmp_path,
        RESCIND_DATABASE=make_empty("sqlite"),
        RESCIND_HOST="localhost",
        RESCIND_PORT=str(port),
        RESCIND_PUBLIC_URL="https://iam.example.org",
        RESCIND_WORKERS="2",
        RESCIND_TLS="auto",
        RESCIND_TLS_NAME="iam.example.org other.example.org",
        RESCIND_TLS_FOLDER=str(tmp_path / "certificates"),
        RESCIND_TRUSTED_PROXIES="127.0.0.1",
        RESCIND_WIRE_FAITHFUL_GRANTS="1",
        RESCIND_ROOT_EMAIL=ROOT_EMAIL,
        RESCIND_ROOT_PASSWORD="root-password",
        RESCIND_ROOT_API_KEY=ROOT_KEY,
    ) as serving:
        context = trusting(tmp_path / "certificates" / "ca.pem")
        answers(f"https://localhost:{port}", serving, context)
        with httpx2.Client(base_url=f"https://localhost:{port}", verify=context()) as client:
            assert World(client, ROOT_KEY).status("/v2/organizations") == 200
        names = alternatives(certificate_of("localhost", port, context(), "iam.example.org"))
        assert {"iam.example.org", "other.example.org"} <= names


def test_a_node_that_cannot_have_its_port_says_so_and_ends(make_database: Callable[[str], str], run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("serve", "--port", str(taken.getsockname()[1]), RESCIND_DATABASE=make_database("sqlite"))
    assert done.returncode != 0
    assert "address already in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [("--tls-cert", "none.pem", "--tls-key", "none.key"), ("--tls-key", "none.key")])
def test_a_certificate_that_cannot_be_read_stops_serve_in_one_line(
    make_database: Callable[[str], str], run: Run, options: tuple[str, ...]
) -> None:
    """A key without its certificate must not quietly become a node without TLS."""
    done = run("serve", "--port", str(free_port()), *options, RESCIND_DATABASE=make_database("sqlite"))
    assert done.returncode != -signal.SIGALRM, "it serves all the same"
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr[-300:]


# --- --tls auto -----------------------------------------------------------------------------------------------------


def test_tls_auto_serves_a_certificate_that_a_strict_client_trusts_by_the_authority_that_is_kept(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    database = make_database("sqlite")
    folder = tmp_path / "rescind-tls"
    seen = []
    for _ in range(2):
        port = free_port()
        with process("serve", "--tls", "auto", "--port", str(port), folder=tmp_path, RESCIND_DATABASE=database) as node:
            context = trusting(folder / "ca.pem")
            answers(f"https://localhost:{port}", node, context)
            assert str(folder / "ca.pem") in (tmp_path / "log").read_text()
            for file in ("ca.key", "server.key"):
                assert stat.S_IMODE((folder / file).stat().st_mode) == 0o600, file
            for name in ("localhost", "127.0.0.1", "::1"):
                certificate = certificate_of("127.0.0.1", port, context(), name)
                assert alternatives(certificate) >= {"localhost", "127.0.0.1", "::1"}
            with pytest.raises(ssl.SSLCertVerificationError):
                certificate_of("127.0.0.1", port, context(), "example.org")
            with pytest.raises(ssl.SSLCertVerificationError):
                certificate_of("127.0.0.1", port, strict(ssl.create_default_context()), "localhost")
        seen.append(((folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()))
    assert seen[0] == seen[1], "who trusted the authority once need not do it again"


# --- migrate --------------------------------------------------------------------------------------------------------


def test_migrate_says_the_schema_before_and_after(empty_database: str, run: Run) -> None:
    first = run("migrate", "--json", "--database", empty_database)
    assert (first.returncode, json.loads(first.stdout)) == (0, {"before": 0, "after": SCHEMA_VERSION})
    again = run("migrate", "--json", "--database", empty_database)
    assert (again.returncode, json.loads(again.stdout)) == (0, {"before": SCHEMA_VERSION, "after": SCHEMA_VERSION})
    for_people = run("migrate", RESCIND_DATABASE=empty_database)
    assert for_people.returncode == 0
    assert f"Schema version {SCHEMA_VERSION} already." in for_people.stdout


# --- verify ---------------------------------------------------------------------------------------------------------


def test_verify_exits_with_0_when_the_log_proves_the_tables_and_with_1_when_they_part(database: str, run: Run) -> None:
    done = run("verify", "--json", "--database", database)
    said = json.loads(done.stdout)
    assert (done.returncode, said["verified"], said["difference_count"]) == (0, True, 0)
    assert said["differences"] == []
    assert said["revision"] == revision_of(database)
    assert re.fullmatch("[0-9a-f]{64}", said["digest"])
    assert said["objects"] > 0
    assert said["intervals"] > 0
    for_people = run("verify", RESCIND_DATABASE=database)
    assert for_people.returncode == 0
    assert said["digest"] in for_people.stdout

    execute(database, "UPDATE profiles SET value = 'Mallory' WHERE field = 'email'")
    done = run("verify", "--json", "--database", database)
    said = json.loads(done.stdout)
    assert (done.returncode, said["verified"], said["difference_count"]) == (1, False, 1)
    assert "email" in said["differences"][0]
    for_people = run("verify", RESCIND_DATABASE=database)
    assert for_people.returncode == 1
    assert said["differences"][0] in for_people.stdout.replace("\n", "")
    assert "Traceback" not in for_people.stderr


# --- recover --------------------------------------------------------------------------------------------------------


def test_recover_logs_that_a_loss_was_accepted_and_only_when_it_is_said(database: str, run: Run) -> None:
    before = revision_of(database)
    unsaid = run("recover", "--database", database)
    assert unsaid.returncode == 2
    assert "--accept-loss" in unsaid.stderr
    assert revision_of(database) == before
    done = run("recover", "--accept-loss", "--json", "--database", database)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {"revision", "digest"}
    assert json.loads(done.stdout)["revision"] == before + 1
    for_people = run("recover", "--accept-loss", RESCIND_DATABASE=database)
    assert for_people.returncode == 0
    assert f"revision {before + 2}" in for_people.stdout
    assert verified(database)


def test_a_command_that_does_not_get_the_lock_says_so_in_one_line(
    make_database: Callable[[str], str], run: Run
) -> None:
    database = make_database("sqlite")
    file = database.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        fails_in_one_line(run("recover", "--accept-loss", RESCIND_DATABASE=database))
        holder.execute("ROLLBACK")


# --- root -----------------------------------------------------------------------------------------------------------


def test_root_shows_hands_on_and_makes_a_key(database: str, run: Run, tmp_path: Path) -> None:
    with spoken_to(database) as world:
        heir = world.person()
    row = json.loads(run("root", "show", "--json", "--database", database).stdout)[0]
    assert row.keys() == {"organization", "name", "root", "email"}
    assert row["email"] == ROOT_EMAIL
    for_people = run("root", "show", RESCIND_DATABASE=database, COLUMNS="200")
    assert for_people.returncode == 0
    for value in row.values():
        assert value in for_people.stdout

    before = revision_of(database)
    transfer = ("root", "transfer", row["organization"], heir.id)
    done = run(*transfer, "--json", "--database", database)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"revision": before + 1, "changed": True})
    again = run(*transfer, "--json", "--database", database)
    assert (again.returncode, json.loads(again.stdout)) == (0, {"revision": before + 1, "changed": False})
    for_people = run(*transfer, RESCIND_DATABASE=database)
    assert for_people.returncode == 0
    assert heir.id in for_people.stdout
    shown = json.loads(run("root", "show", "--json", "--database", database).stdout)
    assert [found["root"] for found in shown] == [heir.id]

    fails_in_one_line(run("root", "key", row["organization"], row["root"], RESCIND_DATABASE=database))
    made = json.loads(run("root", "key", row["organization"], heir.id, "--json", "--database", database).stdout)
    assert made.keys() == {"id", "api_key"}
    assert works(database, made["api_key"])
    for_people = run("root", "key", row["organization"], heir.id, RESCIND_DATABASE=database)
    assert for_people.returncode == 0
    key = key_file(database, tmp_path).read_text().strip()
    assert key not in for_people.stdout + for_people.stderr
    assert works(database, key)
    assert verified(database)


@pytest.mark.parametrize("command", ["transfer", "key"])
def test_root_does_not_know_what_does_not_exist(make_database: Callable[[str], str], run: Run, command: str) -> None:
    database = make_database("sqlite")
    before = revision_of(database)
    organization = json.loads(run("root", "show", "--json", RESCIND_DATABASE=database).stdout)[0]["organization"]
    fails_in_one_line(run("root", command, organization, UNKNOWN, RESCIND_DATABASE=database))
    fails_in_one_line(run("root", command, UNKNOWN, UNKNOWN, RESCIND_DATABASE=database))
    fails_in_one_line(run("root", command, "x", "y", RESCIND_DATABASE=database))
    assert revision_of(database) == before


# --- what no command can work with ----------------------------------------------------------------------------------

COMMANDS = (
    ("verify",),
    ("migrate",),
    ("init",),
    ("serve", "--port", "1"),
    ("recover", "--accept-loss"),
    ("root", "show"),
)
PASSWORD = "s3cret-in-the-address"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unreachable_database_is_one_line_without_the_password(run: Run, command: tuple[str, ...]) -> None:
    address = f"postgresql://bob:{PASSWORD}@127.0.0.1:{free_port()}/rescind"
    fails_in_one_line(run(*command, RESCIND_DATABASE=address))


@pytest.mark.parametrize("command", [("verify",), ("migrate",)], ids=" ".join)
@pytest.mark.parametrize(
    "address",
    [
        f"mysql://bob:{PASSWORD}@localhost/rescind",
        f"{PASSWORD}@nowhere",
        "sqlite://",
        "sqlite:////nowhere/at/all/rescind.db",
        f"postgresql://bob:a@b:{PASSWORD}/rescind",
        f"postgresql://bob:{PASSWORD}@localhost/rescind?unknown=1",
    ],
    ids=["other database", "no address", "no file", "no folder", "password with @", "unknown option"],
)
def test_an_address_that_means_nothing_is_one_line_without_the_password(
    run: Run, command: tuple[str, ...], address: str
) -> None:
    fails_in_one_line(run(*command, RESCIND_DATABASE=address))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_database_is_one_line_and_stays_as_it_is(
    run: Run, command: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear database, " * 100)
    fails_in_one_line(run(*command, RESCIND_DATABASE=f"sqlite:///{file}"))
    assert file.read_text() == "Dear database, " * 100


@pytest.mark.parametrize("command", [("verify",), ("recover", "--accept-loss"), ("root", "show")], ids=" ".join)
def test_an_empty_database_is_one_line_and_stays_empty(
    make_empty: Callable[[str], str], run: Run, command: tuple[str, ...]
) -> None:
    database = make_empty("sqlite")
    done = run(*command, RESCIND_DATABASE=database)
    fails_in_one_line(done)
    assert "rescind init" in done.stderr
    engine = engine_for(database)
    assert schema_version(engine) == 0
    engine.pool.dispose()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_newer_schema_is_one_line_and_stays_as_it_is(
    make_database: Callable[[str], str], run: Run, command: tuple[str, ...]
) -> None:
    database = make_database("sqlite")
    execute(database, f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
    before = revision_of(database)
    done = run(*command, RESCIND_DATABASE=database)
    fails_in_one_line(done)
    assert "newer" in done.stderr
    assert revision_of(database) == before


# --- secrets --------------------------------------------------------------------------------------------------------


def test_no_secret_stands_in_clear_in_the_database_or_in_the_log(database: str, tmp_path: Path) -> None:
    with Server(database, tmp_path, ALONE) as server:
        root = server.world()
        person = root.person(password="the-password-of-a-person")
        machine = root.person(service=True)
        own = root.as_(person.key).post("/v2/apikeys", {"name": "own"})["api_key"]["api_key"]
        changed = root.call("PATCH", f"/v2/users/{person.id}", {"password": "her-new-password-is-this"})
        assert changed.status_code == 202, changed.text
        secrets = {
            ROOT_KEY,
            "root-password",
            "the-password-of-a-person",
            "her-new-password-is-this",
            person.key,
            machine.key,
            own,
            CLIENT_SECRET,
            SECRET_KEY,
            "PRIVATE KEY",
        }
        # Whatever goes wrong with them, too.
        assert root.as_("a-key-that-is-wrong-0123456789-0123").status("/v2/groups") == 401
        assert root.status("/v2/users", "POST", {"email": "x", "name": "", "password": ["a-wrong-password"]}) == 400
        assert root.status(f"/v2/users/{own}") == 404
        secrets |= {"a-key-that-is-wrong-0123456789-0123", "a-wrong-password"}
        log = server.log()
        assert "answered" in log
        assert [secret for secret in secrets if secret in log] == []
        stored = contents(database)
        # The net holds what it is to hold: what may stand there does.
        assert person.email.encode() in stored
        assert [secret for secret in secrets if secret.encode() in stored] == []


# --- helpers --------------------------------------------------------------------------------------------------------


def fails_in_one_line(done: Done) -> None:
    """Exit code not 0, one line that says why, no traceback, no password."""
    assert done.returncode != 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr[-300:]
    assert PASSWORD not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stdout == ""


def works(database: str, key: str) -> bool:
    """Whether the key is root's."""
    store = Database(engine_for(database))
    head = store.head()
    try:
        with store.reading(head.revision, head.clock) as reader:
            return authenticate(reader, Asking("test", key)).is_root
    except Unauthenticated:
        return False
    finally:
        store.close()


@contextlib.contextmanager
def spoken_to(database: str, key: str = ROOT_KEY) -> Iterator[World]:
    """A node in this process."""
    node = build(Settings(database=database))
    with Loopback(application(node), raise_server_exceptions=False) as client:
        yield World(client, key)
    node.store.close()


def revision_of(database: str) -> int:
    store = Database(engine_for(database))
    revision = store.head().revision
    store.close()
    return revision


def verified(database: str) -> bool:
    store = Database(engine_for(database))
    report = verify(store)
    store.close()
    assert not report.differences, report.differences
    return True


def key_file(database: str, folder: Path) -> Path:
    """Where a command without a terminal leaves a key: beside the SQLite file, else where it runs."""
    if database.startswith("sqlite"):
        folder = Path(database.removeprefix("sqlite:///")).parent
    return folder / "rescind-root-key"


def execute(database: str, statement: str) -> None:
    engine = engine_for(database)
    with engine.pool.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.pool.dispose()


def contents(database: str) -> bytes:
    """Every byte of the SQLite files, or every value of every table in PostgreSQL."""
    if database.startswith("sqlite"):
        file = Path(database.removeprefix("sqlite:///"))
        return b"".join(found.read_bytes() for found in sorted(file.parent.glob(f"{file.name}*")))
    engine = engine_for(database)
    stored = b""
    with engine.pool.connect() as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f'SELECT CAST(t AS text) FROM "{table}" AS t')
            stored += "\n".join(row[0] for row in rows).encode()
    engine.pool.dispose()
    return stored


@contextlib.contextmanager
def process(*arguments: str, folder: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that goes on until the test has seen enough."""
    with (folder / "log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "rescind", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(SECONDS_MAX)


def answers(url: str, serving: "subprocess.Popen[bytes]", context: Callable[[], Any] = lambda: True) -> None:
    """Wait until the node is ready."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        with contextlib.suppress(httpx2.TransportError, FileNotFoundError):
            if httpx2.get(f"{url}/readyz", verify=context(), timeout=5).status_code == 200:
                return
        assert serving.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not answer"
        time.sleep(0.05)


def trusting(authority: Path) -> Callable[[], ssl.SSLContext]:
    """A context that trusts that authority alone, as strictly as can be; made when the file is there."""
    return lambda: strict(ssl.create_default_context(cafile=str(authority)))


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def certificate_of(host: str, port: int, context: ssl.SSLContext, name: str) -> Any:
    """The certificate that a node shows to a client who wants to reach it by that name."""
    with (
        socket.create_connection((host, port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        return connection.getpeercert()


def alternatives(certificate: Any) -> set[str]:
    """The names in a certificate, IPv6 addresses in their short form."""
    return {value if value != "0:0:0:0:0:0:0:1" else "::1" for _, value in certificate["subjectAltName"]}
