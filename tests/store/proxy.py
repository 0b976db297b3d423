"""A wire between a node and PostgreSQL that a test can cut at the moment of a commit."""

import select
import socket
import threading
import time
from enum import Enum, auto
from types import TracebackType
from typing import Self

import sqlalchemy as sa


class Cut(Enum):
    """What happens when the next COMMIT passes."""

    BEFORE = auto()
    """It does not reach the server, and both sides are cut."""
    AFTER = auto()
    """It reaches the server; its answer does not come back, and both sides are cut."""
    LATE = auto()
    """The node's side is cut at once; it reaches the server half a second later."""
    STUCK = auto()
    """The node's side is cut; the server hears nothing, and goes on waiting."""
    WRITE = auto()
    """Not at a COMMIT: at the statement before, both sides are cut."""


class Proxy:
    """Listens where `url` says and passes everything to the server, until `cut` is set and its moment comes."""

    def __init__(self, server: sa.URL) -> None:
        self._socket = f"{server.query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self.cut: Cut | None = None
        self.then_refuse = False
        self.happened = threading.Event()
        port = self._listener.getsockname()[1]
        self.url = server.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        self._threads.append(thread := threading.Thread(target=target, args=arguments))
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while not self._ended.is_set() and not (self.then_refuse and self.happened.is_set()):
                if select.select([self._listener], [], [], 0.02)[0]:
                    self._start(self._pass, self._listener.accept()[0])

    def _pass(self, node: socket.socket) -> None:
        with node, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._socket)
            while not self._ended.is_set():
                for readable in select.select([node, server], [], [], 0.02)[0]:
                    data = readable.recv(65536)
                    if (
                        readable is node
                        and self.cut
                        and (b"COMMIT" if self.cut is not Cut.WRITE else b"INSERT") in data
                    ):
                        self._cut(node, server, data)
                        return
                    if not data:
                        return
                    (server if readable is node else node).sendall(data)

    def _cut(self, node: socket.socket, server: socket.socket, data: bytes) -> None:
        cut, self.cut = self.cut, None
        self.happened.set()
        if self.then_refuse:
            time.sleep(0.1)  # the listener closes first
        if cut is Cut.AFTER:
            server.sendall(data)
            assert server.recv(65536)
        node.close()
        if cut is Cut.LATE:
            time.sleep(0.5)
            server.sendall(data)
            assert server.recv(65536)
        if cut is Cut.STUCK:
            self._ended.wait()
