"""A process with everything imported, which forks commands: they start in a tenth of the time."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SECONDS_MAX = 60
"""A command that has not ended by then is killed."""
_LOOK_SECONDS = 0.002

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
    if "ended" in asked:
        pid, status = os.waitpid(asked["ended"], os.WNOHANG)
        print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.alarm(asked["seconds"])
        os.chdir(asked["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, name in ((1, asked["stdout"]), (2, asked["stderr"])):
            os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), descriptor)
        os.environ.clear()
        os.environ.update(asked["environment"])
        COMMAND(asked["arguments"], prog_name="rescind")
    print(pid, flush=True)
"""


class Nursery:
    """Forks `rescind` commands. The commands are real; only what they import was imported before.

    `command` is the function that each of them calls, by its module and name. What is said in its environment is added
    to that of the tests.
    """

    def __init__(self, command: str = "rescind.cli.main") -> None:
        self._lock = threading.Lock()
        # Whether several processes add up what they count is settled when that is imported.
        self._counts = Path(tempfile.mkdtemp(prefix="rescind-nursery-"))
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import {command.rpartition('.')[0]}\n{_CODE.replace('COMMAND', command)}"],
            env={**os.environ, "PYTHONPATH": path, "PROMETHEUS_MULTIPROC_DIR": str(self._counts)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Whoever ends the tests by a key ends it later: it is asked about what it forked.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def fork(
        self,
        folder: Path,
        arguments: list[str],
        environment: Mapping[str, str],
        *,
        stdout: str = "serve.log",
        stderr: str = "serve.log",
        seconds: int = 0,
    ) -> "Child":
        """Begin a command in a folder, where its output goes. After so many seconds, if any, SIGALRM ends it."""
        counts = tempfile.mkdtemp(dir=self._counts)
        asked = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": {**os.environ, "PROMETHEUS_MULTIPROC_DIR": counts, **environment},
            "stdout": stdout,
            "stderr": stderr,
            "seconds": seconds,
        }
        pid = self._ask(asked)
        assert pid is not None
        return Child(self, pid)

    def run(self, folder: Path, arguments: list[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output and standard error."""
        files = [folder / "stdout", folder / "stderr"]
        for file in files:
            file.unlink(missing_ok=True)
        child = self.fork(folder, arguments, environment, stdout="stdout", stderr="stderr", seconds=SECONDS_MAX)
        code = child.wait(2 * SECONDS_MAX)
        return code, *(file.read_text() for file in files)

    def ended(self, pid: int) -> int | None:
        """The exit code of a process that was forked here, if it has ended; asked once."""
        return self._ask({"ended": pid})

    def _ask(self, asked: Mapping[str, object]) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer: int | None = json.loads(self._process.stdout.readline())
            return answer

    def close(self) -> None:
        """End it. What it forked goes on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS_MAX)
        self._process.stdout.close()
        shutil.rmtree(self._counts, ignore_errors=True)


class Child:
    """A forked process, as far as tests need to know one that was started."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        with self._lock:
            if self._code is None:
                self._code = self._nursery.ended(self.pid)
            return self._code

    def wait(self, timeout: float = SECONDS_MAX) -> int:
        """Wait for the end, so many seconds at most; the exit code."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, "the process does not end"
            time.sleep(_LOOK_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)


@cache
def shared() -> Nursery:
    """The one of this process of tests, which ends with it."""
    made = Nursery()
    atexit.register(made.close)
    return made
