"""A process that is forked before anything runs, and forks others whenever it is asked.

Whoever answers requests has threads and connections, and must not be forked. This process has neither: what comes from
it has everything imported, starts at once, and shares that memory.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import structlog

ENDING_SECONDS_MAX = 10.0
"""For so long a process may go on after it was told to end."""
PID_LENGTH = 4
_LOOK_SECONDS = 0.01
_REAP_SECONDS = 1.0
"""What has ended stays in lists of processes at most so long."""

_log = structlog.get_logger("rescind.fork_server")


class ForkServer:
    """Where processes come from that call `child`, each with a descriptor of its own, and then end.

    It is made where no other thread runs and no connection is open. Processes that are forked later share it. None of
    them has to look after what came from it: as a context it ends with all of that.
    """

    def __init__(self, child: Callable[[int], None]) -> None:
        self._requests, theirs = socket.socketpair()
        self._pid = _forked()
        if self._pid == 0:
            self._requests.close()
            _do_alone(_serve, theirs, child)
        theirs.close()

    def fork(self, descriptor: int) -> None:
        """Ask for a process. `descriptor` is a socket's, through which it says its process id first, in four bytes.

        If there is no process to be had, the socket is closed. Raises `OSError` if this one has ended.
        """
        socket.send_fds(self._requests, [b"."], [descriptor])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._requests.close()
        os.waitpid(self._pid, 0)


def call_process(name: str) -> None:
    """Let this process have a name in lists of processes, of up to 15 characters, where the system has such names."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """No signal is heard before the end: what one raises while a process is forked would be lost."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(requests: socket.socket, child: Callable[[int], None]) -> None:
    """Fork what is asked for; when nobody is left who could ask, see everything to its end."""
    call_process("rescind-forks")
    requests.settimeout(_REAP_SECONDS)
    children: list[int] = []
    while True:
        children = [pid for pid in children if not _has_ended(pid)]
        try:
            message, descriptors, *_ = socket.recv_fds(requests, 1, 1)
        except TimeoutError:
            continue
        if not message:
            break
        try:
            pid = _forked()
        except OSError:
            _log.exception("failed")
        else:
            if pid == 0:
                requests.close()
                _do_alone(_introduced, child, descriptors[0])
            children.append(pid)
        os.close(descriptors[0])
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    while children and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        children = [pid for pid in children if not _has_ended(pid)]
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _introduced(child: Callable[[int], None], descriptor: int) -> None:
    try:
        os.write(descriptor, os.getpid().to_bytes(PID_LENGTH, "big"))
    except BrokenPipeError:
        return  # nobody waits for it any more
    child(descriptor)


def _has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] != 0


def _forked() -> int:
    """As `os.fork`; what was written and not yet sent is not there twice.

    What is forked, and what comes from it, ends with those for whom it is, whoever else is told to.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with signals_held_back():
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
    return pid


def _do_alone(task: Callable[..., None], *arguments: object) -> NoReturn:
    """Do the one thing that this process is for: what its parent had begun is not for it to finish."""
    code = 1
    try:
        task(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - the last resort: the process ends, and must not go on as its parent
        _log.exception("failed")
    finally:
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        os._exit(code)
