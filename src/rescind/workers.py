"""Workers: uvicorn's supervisor, with a listening socket for each of its processes.

Where all listen on one socket, whoever is awake takes all connections that come at once, and keeps them while the
others idle. With one for each the kernel spreads them. A socket outlives its worker: who connects meanwhile waits for
the next one.
"""

import socket
import sys
from collections.abc import Callable

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

_BACKLOG = 2048
"""Connections that may wait for a worker: as many as uvicorn lets."""


class Workers(Multiprocess):
    """A process for each of the sockets, which all listen at one address."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._listeners = sockets

    def init_processes(self) -> None:
        """Start every worker."""
        self.processes_num = 1
        for listener in self._listeners:
            self.sockets = [listener]
            super().init_processes()
        self.processes_num = len(self.processes)

    def keep_subprocess_alive(self) -> None:
        """Start those again that have died or hang."""
        self._one_by_one(super().keep_subprocess_alive)

    def restart_all(self) -> None:
        """Replace each worker by a new one, as long as that succeeds."""
        self._one_by_one(super().restart_all, as_long_as_replaced=True)

    def handle_ttin(self) -> None:
        """Start no more than the settings say."""

    def handle_ttou(self) -> None:
        """End none: connections to its socket would wait for ever."""

    def _one_by_one(self, look_after: Callable[[], None], *, as_long_as_replaced: bool = False) -> None:
        """Let the supervisor look after each worker as if it was alone, so that another one gets the same socket."""
        everyone = self.processes
        for place, process in enumerate(everyone):
            self.sockets = [self._listeners[place]]
            self.processes = [process]
            look_after()
            everyone[place] = self.processes[0]
            if as_long_as_replaced and everyone[place] is process:
                break
        self.processes = everyone


def listeners(host: str, port: int, number: int) -> list[socket.socket]:
    """Sockets that listen at one address, where the kernel spreads connections; where it does not, so often the same.

    Raises `OSError` if somebody listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Sockets that share an address would share it with another server that does the same, and nobody would notice.
    with _bound(family, (host, port)) as alone:
        address = alone.getsockname()
    is_shared = sys.platform == "linux"
    found = [_bound(family, address, is_shared=is_shared) for _ in range(number if is_shared else 1)]
    for one in found:
        # At once, and not when a worker is there: until then another server could come in between.
        one.listen(_BACKLOG)
    return found if is_shared else found * number


def _bound(family: socket.AddressFamily, address: tuple[str | int, ...], *, is_shared: bool = False) -> socket.socket:
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound
