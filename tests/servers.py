"""`rescind serve` as a process that a test can start, kill, stop and start again, and other commands."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import psutil

from nursery import Child, Nursery, shared
from tenant import CLIENT_ID, CLIENT_SECRET, SECRET_KEY
from world import ROOT_EMAIL, ROOT_KEY, World

START_SECONDS_MAX = 30


class Server:
    """One node. Used as a context it is started, and killed at the end whatever happened.

    With `tls` it serves `https://localhost`, and says so to its clients; whoever trusts `authority` trusts it. It is
    forked in a nursery, or a program of its own that is executed, as a node is in real life.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        *options: str,
        port: int | None = None,
        tls: bool = False,
        nursery: Nursery | None = None,
        is_executed: bool = False,
    ) -> None:
        self.database = database
        self._nursery = nursery
        self._is_executed = is_executed
        self.folder = folder
        self.port = port or free_port()
        self.url = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"
        self.authority = folder / "tls" / "ca.pem" if tls else None
        self.options = options
        self.workers_wanted = int(options[options.index("--workers") + 1]) if "--workers" in options else 1
        if self.authority is not None:
            at = ("--tls-folder", str(self.authority.parent), "--public-url", self.url)
            self.options = ("--tls", "auto", *at, *options)
        self.process: subprocess.Popen[bytes] | Child | None = None
        self._clients: list[httpx2.Client] = []

    @property
    def environment(self) -> dict[str, str]:
        """What the node is told by its environment."""
        return {
            "RESCIND_DATABASE": self.database,
            "RESCIND_ROOT_EMAIL": ROOT_EMAIL,
            "RESCIND_ROOT_PASSWORD": "root-password",
            "RESCIND_ROOT_API_KEY": ROOT_KEY,
            "RESCIND_AUTH0_CLIENT_ID": CLIENT_ID,
            "RESCIND_AUTH0_CLIENT_SECRET": CLIENT_SECRET,
            "RESCIND_SECRET_KEY": SECRET_KEY,
        }

    def start(self) -> Self:
        """Start the node and wait until it is ready."""
        arguments = ["serve", "--port", str(self.port), *self.options]
        if self._is_executed:
            self.process = self._executed(arguments)
        else:
            self.process = (self._nursery or shared()).fork(self.folder, arguments, self.environment)
        self.wait()
        return self

    def _executed(self, arguments: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "serve.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "rescind", *arguments],
                env={**os.environ, **self.environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until the node says that it is ready, and as many processes take connections as should."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                is_ready = httpx2.get(f"{self.url}/readyz", timeout=5, verify=self.trust()).status_code == 200
                if is_ready and (self.workers_wanted == 1 or self.listening() == self.workers_wanted):
                    return
            except (httpx2.TransportError, FileNotFoundError):  # the authority is made when the node starts
                pass
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the node did not start:\n{self.log()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the node and its workers as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """Ask the node to end, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=START_SECONDS_MAX)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer: the node itself where it has no others."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        found = []
        for child in parent.children():
            with contextlib.suppress(psutil.Error):  # it may end while it is looked at
                if child.name() == "rescind-decides" and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found or [parent]

    def managers(self) -> list[psutil.Process]:
        """The processes that are for management calls alone, started or still starting."""
        assert self.process is not None
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.name() == "rescind-manages" and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def listening(self) -> int:
        """How many processes take connections."""
        found = 0
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                links = worker.net_connections("tcp4")
                found += any((link.status, link.laddr.port) == (psutil.CONN_LISTEN, self.port) for link in links)
        return found

    def log(self) -> str:
        """What the node has said so far."""
        return (self.folder / "serve.log").read_text()

    def trust(self) -> ssl.SSLContext | bool:
        """What a client of httpx verifies the node with."""
        return ssl.create_default_context(cafile=self.authority) if self.authority is not None else True

    def world(self, key: str = ROOT_KEY) -> World:
        """The node's Vultr face, spoken to with a key, as root if none is given."""
        client = httpx2.Client(base_url=self.url, timeout=30, verify=self.trust())
        self._clients.append(client)
        return World(client, key)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.kill()
        for client in self._clients:
            client.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def rescind(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the command line to its end."""
    with tempfile.TemporaryDirectory() as folder:
        code, said, complaint = shared().run(Path(folder), list(arguments), environment)
    return subprocess.CompletedProcess(arguments, code, said, complaint)
