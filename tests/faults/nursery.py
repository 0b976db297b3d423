"""A process with everything imported, which forks commands: they start in a tenth of the time."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

from servers import START_SECONDS_MAX, Server
from tenant import SECRET_KEY
from world import ROOT_EMAIL, ROOT_KEY

SECONDS_MAX = 20

_CODE = """
import json, os, signal, sys
import httptools, psycopg, uvicorn.loops.uvloop, uvicorn.protocols.http.httptools_impl, uvicorn.lifespan.on
import alembic.command, rich.console, rich.progress, rich.table
import rescind.app, rescind.cli, rescind.store.verify, rescind.usecases.platform
import sqlalchemy.dialects.postgresql.psycopg, sqlalchemy.dialects.sqlite.pysqlite

rescind.app.prepare()
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if asked["wait"] else signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        signal.alarm(asked["seconds"])
        os.chdir(asked["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, name in ((1, asked["stdout"]), (2, asked["stderr"])):
            os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), descriptor)
        os.environ.update(asked["environment"])
        COMMAND(asked["arguments"], prog_name="rescind")
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if asked["wait"] else pid, flush=True)
"""


class Nursery:
    """Forks `rescind` commands. The commands are real; only what they import was imported before.

    `command` is the function that each of them calls, by its module and name.
    """

    def __init__(self, command: str = "rescind.cli.main") -> None:
        self._lock = threading.Lock()
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import {command.rpartition('.')[0]}\n{_CODE.replace('COMMAND', command)}"],
            env={name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
            | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def fork(self, folder: Path, arguments: list[str], environment: dict[str, str]) -> int:
        """Begin a command, which writes to `serve.log` in the folder, and say its process id."""
        return self._ask(folder, arguments, environment, "serve.log", "serve.log", wait=False)

    def run(self, folder: Path, arguments: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
        """Run a command to its end, which SIGALRM is if need be: exit code, standard output and standard error."""
        files = [folder / "stdout", folder / "stderr"]
        for file in files:
            file.unlink(missing_ok=True)
        code = self._ask(folder, arguments, environment, "stdout", "stderr", wait=True)
        return code, *(file.read_text() for file in files)

    def _ask(
        self, folder: Path, arguments: list[str], environment: dict[str, str], stdout: str, stderr: str, *, wait: bool
    ) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "folder": str(folder),
            "arguments": arguments,
            # Without the first there is no node on PostgreSQL.
            "environment": {"RESCIND_SECRET_KEY": SECRET_KEY, **environment},
            "stdout": stdout,
            "stderr": stderr,
            "wait": wait,
            "seconds": SECONDS_MAX if wait else 0,
        }
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS_MAX)
        self._process.stdout.close()


class Child:
    """A forked process, as far as `Server` needs to know it. Its exit code is not to be had."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return -1
        return None

    def wait(self, timeout: float = START_SECONDS_MAX) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < deadline, "the node does not end"
            time.sleep(0.002)
        return -1

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


class ForkedServer(Server):
    """The same node, the same command, in a tenth of the time: it manages in the process that decides, unless told."""

    def __init__(self, nursery: Nursery, database: str, folder: Path, *options: str) -> None:
        super().__init__(database, folder, "--no-management-process", *options)
        self._nursery = nursery

    @property
    def environment(self) -> dict[str, str]:
        """What the node is told by its environment."""
        return {
            "RESCIND_DATABASE": self.database,
            "RESCIND_ROOT_EMAIL": ROOT_EMAIL,
            "RESCIND_ROOT_PASSWORD": "root-password",
            "RESCIND_ROOT_API_KEY": ROOT_KEY,
        }

    def start(self) -> Self:
        pid = self._nursery.fork(self.folder, ["serve", "--port", str(self.port), *self.options], self.environment)
        self.process = Child(pid)  # type: ignore[assignment] - what a test does with a process, a child can
        self.wait()
        return self
