"""Workers: uvicorn's supervisor, with a listening socket for each of its processes.

Where all listen on one socket, whoever is awake takes all connections that come at once, and keeps them while the
others idle. With one for each the kernel spreads them. A socket outlives its worker: who connects meanwhile waits for
the next one.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from uvicorn import Config
from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """A process for each of the sockets, which are all at one address."""

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


@contextmanager
def listeners(host: str, port: int, number: int) -> Iterator[list[socket.socket]]:
    """Sockets at one address, where the kernel spreads connections; where it does not, so often the same.

    None takes connections before its worker listens on it: nobody waits for one that is only starting. Raises `OSError`
    if another server is there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        with _bound(family, (host, port)) as alone:
            address = alone.getsockname()
        if sys.platform != "linux":
            yield [stack.enter_context(_bound(family, address))] * number
            return
        # Sockets that share an address would share it with those of another server, and nobody would notice. Who
        # listens there already was found out above; who is starting, too, has this name, which goes with its process.
        name = stack.enter_context(socket.socket(socket.AF_UNIX))
        name.bind(f"\0rescind {address[0]} {address[1]}")
        yield [stack.enter_context(_bound(family, address, is_shared=True)) for _ in range(number)]


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
