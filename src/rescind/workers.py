"""Workers: uvicorn's supervisor, with a listening socket for each of its processes, which are forked.

Where all listen on one socket, whoever is awake takes all connections that come at once, and keeps them while the
others idle. With one for each the kernel spreads them. The parent keeps the sockets, so that a worker which replaces
another by order goes on with its connections; that of one which died is closed as soon as it is known, so that nobody
waits for the next one who can be answered by another.

A forked worker has everything imported, starts at once, and shares that memory. The supervisor has one thread, and no
connection.
"""

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import cast

import structlog
from uvicorn import Config
from uvicorn.supervisors import Multiprocess, multiprocess

from rescind.fork_server import call_process, signals_held_back

_START_SECONDS_MAX = 30
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX, _LIFE_SECONDS_MIN = 1.0, 10.0, 5.0

_log = structlog.get_logger("rescind.workers")


class Workers(Multiprocess):
    """A process for each of the sockets, which are all at one address.

    The sockets are theirs: they close them, and put others at the places of some.
    """

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._listeners = sockets
        # There is no setting for how processes begin.
        multiprocess.get_subprocess = self._worker  # type: ignore[assignment, attr-defined]

    def _worker(
        self, config: Config, target: Callable[[list[socket.socket]], None], sockets: list[socket.socket]
    ) -> "Worker":
        def serve() -> None:
            for listener in self._listeners:
                if listener not in sockets:
                    listener.close()
            config.configure_logging()
            target(sockets)

        return Worker(target=serve)

    def run(self) -> None:
        """Start the workers and look after them, until a signal says to end. Without a supervisor there are none."""
        self.should_exit = Alarm()
        try:
            super().run()
        except BaseException:
            # Before it is said, which may fail, too.
            self.terminate_all()
            _log.exception("failed")
            self.join_all()
            raise

    def init_processes(self) -> None:
        """Start every worker."""
        self.processes_num = 1
        for listener in self._listeners:
            self.sockets = [listener]
            super().init_processes()
        self.processes_num = len(self.processes)
        self._lives = [_Life() for _ in self.processes]

    def keep_subprocess_alive(self) -> None:
        """Start those again that have died or hang; where none lives long, after a pause."""
        due = []
        for place, process in enumerate(self.processes):
            worker = cast("Worker", process.process)
            if worker.has_ended():
                self._listeners[place] = _next(self._listeners[place])
                # Only now is it known to have ended: whoever connects from here on is answered by another.
                worker.join()
                if not self._lives[place].is_next_due():
                    continue
            due.append(place)
        self._one_by_one(super().keep_subprocess_alive, due)

    def terminate_all(self) -> None:
        """Tell every worker to end; whoever connects after it stopped listening is refused, and does not wait."""
        super().terminate_all()
        for listener in self._listeners:
            listener.close()

    def restart_all(self) -> None:
        """Replace each worker by a new one, as long as that succeeds.

        A new one may take longer to start than one that works to say that it does.
        """
        usual = self.config.timeout_worker_healthcheck
        self.config.timeout_worker_healthcheck = _START_SECONDS_MAX
        try:
            self._one_by_one(super().restart_all, range(len(self.processes)), as_long_as_replaced=True)
        finally:
            self.config.timeout_worker_healthcheck = usual

    def handle_ttin(self) -> None:
        """Start no more than the settings say."""

    def handle_ttou(self) -> None:
        """End none: connections to its socket would wait for ever."""

    def _one_by_one(
        self, look_after: Callable[[], None], places: Iterable[int], *, as_long_as_replaced: bool = False
    ) -> None:
        """Let the supervisor look after each worker as if it was alone, so that another one gets the same socket."""
        everyone = self.processes
        try:
            for place in places:
                process = everyone[place]
                self.sockets = [self._listeners[place]]
                self.processes = [process]
                look_after()
                if self.processes[0] is not process:
                    everyone[place] = self.processes[0]
                    self._lives[place].begin()
                elif as_long_as_replaced:
                    break
        finally:
            self.processes = everyone


class _Life:
    """That of the worker at one place, from now on. One that is over soon is followed by the next after a pause.

    Not the first of them: whoever is killed is replaced at once, and only what cannot live is not tried for ever.
    """

    def __init__(self) -> None:
        self._pause = 0.0
        self.begin()

    def begin(self) -> None:
        """The next begins."""
        self._began = time.monotonic()
        self._next: float | None = None

    def is_next_due(self) -> bool:
        """Whether the next may begin, this one having ended; asked as soon as that is known, until it is."""
        now = time.monotonic()
        if self._next is None:
            is_over_soon = now < self._began + _LIFE_SECONDS_MIN
            self._next = now + self._pause * is_over_soon
            self._pause = min(2 * self._pause or _PAUSE_SECONDS, _PAUSE_SECONDS_MAX) if is_over_soon else 0.0
        return now >= self._next


class Worker(ForkProcess):
    """A process that is forked, and hears no signal as its parent would."""

    def start(self) -> None:
        """Fork it."""
        with signals_held_back():
            super().start()

    def has_ended(self) -> bool:
        """Whether it has. It stays in lists of processes until `join`."""
        return bool(wait([self.sentinel], timeout=0))

    def run(self) -> None:
        """Do what it is for."""
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        call_process("rescind-decides")
        super().run()


class Alarm(threading.Event):
    """An event for the main thread, which signals wake, too: that a child has ended, or an order."""

    def __init__(self) -> None:
        super().__init__()
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        # Nobody is woken by a signal that has no handler.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, a signal came, or the seconds are over; whether it is set."""
        if not self.is_set():
            self._heard.settimeout(timeout)
            with suppress(TimeoutError):
                self._heard.recv(4096)
        return self.is_set()


@contextmanager
def listeners(host: str, port: int, number: int) -> Iterator[list[socket.socket]]:
    """Sockets at one address, where the kernel spreads connections; where it does not, so often the same.

    None takes connections before its worker listens on it: nobody waits for one that is only starting. Whatever the
    list holds at the end is closed. Raises `OSError` if another server is there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _bound(family, (host, port)) as alone:
        address = alone.getsockname()
    sockets: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as name:
        try:
            if sys.platform == "linux":
                # Sockets that share an address would share it with those of another server, and nobody would notice.
                # Who listens there already was found out above; who is starting, too, has this name, which goes with
                # its process.
                name.bind(f"\0rescind {address[0]} {address[1]}")
                sockets.extend(_bound(family, address, is_shared=True) for _ in range(number))
            else:
                sockets += [_bound(family, address)] * number
            yield sockets
        finally:
            for one in sockets:
                one.close()


def _next(listener: socket.socket) -> socket.socket:
    """What the next worker listens on after the one of that socket has died.

    A new one, and the old is closed: connections go to the other workers until the next is there. The socket itself
    where all share it.
    """
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        return listener
    another = _bound(listener.family, listener.getsockname(), is_shared=True)
    listener.close()
    return another


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
