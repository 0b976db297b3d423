"""Where a node's processes are forked from: whatever becomes of one, nothing is left over and nobody waits for ever."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
from uvicorn.config import STARTUP_FAILURE

from faults.test_management import STARTED, managed
from faults.test_shutdown import eventually
from servers import Server
from tenant import CLIENT_SECRET
from world import ROOT_KEY

_BEGINNING = """
import os, signal, socket, sys, time
from rescind.api import metrics
from rescind import fork_server
from rescind.fork_server import ForkServer
from rescind.workers import Worker

def echo(descriptor):
    link = socket.socket(fileno=descriptor)
    while said := link.recv(100):
        link.sendall(said)

def hang(descriptor):
    while True:
        time.sleep(60)

def fail(descriptor):
    raise ValueError("the child fails")

def linked(forks):
    ours, theirs = socket.socketpair()
    with theirs:
        forks.fork(theirs.fileno())
    return ours, int.from_bytes(ours.recv(4), "big")

def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
"""


def script(code: str) -> str:
    """Run code in a process without threads, where it may fork; what it says on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", _BEGINNING + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr + done.stdout


def test_each_process_has_its_own_descriptor_and_says_who_it_is() -> None:
    script("""
with ForkServer(echo) as forks:
    links = [linked(forks) for _ in range(3)]
    assert len({pid for _, pid in links}) == 3
    for number, (link, pid) in enumerate(links):
        link.sendall(b"%d" % number)
        assert link.recv(100) == b"%d" % number
        link.close()
assert not any(is_there(pid) for _, pid in links)
""")


def test_processes_that_were_forked_later_share_it() -> None:
    script("""
with ForkServer(echo) as forks:
    if (pid := os.fork()) == 0:
        link, _ = linked(forks)
        link.sendall(b"from the child")
        os._exit(link.recv(100) != b"from the child")
    assert os.waitpid(pid, 0)[1] == 0
""")


def test_a_process_that_hangs_is_killed_at_the_end() -> None:
    script("""
fork_server.ENDING_SECONDS_MAX = 0.2
with ForkServer(hang) as forks:
    _, pid = linked(forks)
assert not is_there(pid)
""")


def test_it_ends_with_all_that_came_from_it_when_its_maker_is_killed() -> None:
    said = script("""
if (maker := os.fork()) == 0:
    forks = ForkServer(echo)
    _, pid = linked(forks)
    print(forks._pid, pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(maker, 0)
""")
    left = []
    for pid in said.split():
        with contextlib.suppress(psutil.NoSuchProcess):
            left.append(psutil.Process(int(pid)))
    assert len(said.split()) == 2
    # Where no init looks after orphans, what has ended stays in the list.
    eventually(lambda: all(one.status() == psutil.STATUS_ZOMBIE for one in left if one.is_running()))


def test_one_that_fails_is_logged_and_the_next_one_comes() -> None:
    said = script("""
with ForkServer(fail) as forks:
    for _ in range(2):
        link, pid = linked(forks)
        assert link.recv(1) == b"", "it must end"
""")
    assert said.count("the child fails") == 2


def test_where_no_process_is_to_be_had_the_socket_is_closed_and_it_goes_on() -> None:
    said = script("""
right = os.fork
tried = []
def fork():
    tried.append(1)
    if len(tried) == 1:
        raise BlockingIOError(11, "no process is to be had")
    return right()
def serve(*arguments):
    os.fork = fork
    serves(*arguments)
serves, fork_server._serve = fork_server._serve, serve
with ForkServer(echo) as forks:
    link, _ = linked(forks)
    assert link.recv(1) == b""
    link, pid = linked(forks)
    link.sendall(b"x")
    assert link.recv(1) == b"x"
    link.close()
""")
    assert "no process is to be had" in said


def test_nobody_but_those_whom_it_is_for_ends_it() -> None:
    script("""
with ForkServer(echo) as forks:
    link, pid = linked(forks)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(forks._pid, number)
        os.kill(pid, number)
    time.sleep(0.2)
    link.sendall(b"x")
    assert link.recv(1) == b"x"
    linked(forks)[0].close()
    link.close()
""")


def test_a_worker_hears_signals_as_if_its_parent_had_not_looked_at_them() -> None:
    """Not even one that comes before it has begun is lost on it."""
    script("""
heard = []
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
    signal.signal(number, lambda *_: heard.append(1))
a, b = socket.socketpair()
b.setblocking(False)
signal.set_wakeup_fd(b.fileno())
def look():
    assert signal.set_wakeup_fd(-1) == -1
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert {signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)} == {signal.SIG_DFL}
worker = Worker(target=look)
worker.start()
worker.join()
assert worker.exitcode == 0
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
assert heard == [1], "of its end the parent hears"

class Told(Worker):
    def run(self):
        os.kill(os.getpid(), signal.SIGTERM)
        super().run()
worker = Told(target=time.sleep, args=[60])
worker.start()
worker.join()
assert worker.exitcode == -signal.SIGTERM
assert heard == [1, 1]
""")


def test_what_the_parent_has_counted_is_not_counted_again() -> None:
    script("""
metrics.FRESHNESS_SECONDS.observe(1.0)
def told():
    lines = metrics.exposition()[0].decode().splitlines()
    return [line.split()[-1] for line in lines if "freshness_seconds_count" in line]
if (pid := os.fork()) == 0:
    assert told() == ["0.0"], told()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert told() == ["1.0"]
""")


def test_that_it_has_ended_is_known_at_once_though_what_came_from_it_lives() -> None:
    script("""
forks = ForkServer(echo)
link, pid = linked(forks)
os.kill(forks._pid, signal.SIGKILL)
os.waitpid(forks._pid, 0)
try:
    linked(forks)
except OSError:
    assert is_there(pid)
    link.close()
else:
    raise AssertionError("nobody is there to fork")
""")


def test_without_it_a_node_goes_on(make_database: Callable[[str], str], tmp_path: Path) -> None:
    with managed(make_database("sqlite"), tmp_path) as server:
        assert server.process is not None
        (forks,) = psutil.Process(server.process.pid).children()
        (manager,) = server.managers()
        forks.kill()
        manager.kill()
        eventually(lambda: server.log().count('"event": "failed"') > 0)
        assert server.world().call("POST", "/v2/groups", {"display_name": "here"}).status_code == 201
        assert server.log().count(STARTED) == 1
        assert server.stop() == -signal.SIGTERM


def test_what_has_ended_does_not_stay_in_lists_of_processes() -> None:
    script("""
with ForkServer(echo) as forks:
    link, pid = linked(forks)
    link.close()
    deadline = time.monotonic() + 20
    while is_there(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
""")


def test_a_signal_that_comes_while_a_process_is_forked_is_heard() -> None:
    """What it raises would be lost in the middle of a fork."""
    script("""
def end(*_):
    raise SystemExit
signal.signal(signal.SIGTERM, end)
os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    ForkServer(echo)
except SystemExit:
    pass
else:
    raise AssertionError("nobody heard it")
""")


def test_a_node_that_is_told_to_end_while_it_starts_does_whoever_swallows_that(tmp_path: Path) -> None:
    code = """
prepare = rescind.app.prepare
def told():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    except SystemExit:
        prepare()
rescind.app.prepare = told
"""
    assert served(code, tmp_path).returncode == -signal.SIGTERM


def test_a_node_whose_workers_cannot_start_ends_as_one_that_failed(tmp_path: Path) -> None:
    """Whoever looks after it can start it again."""
    code = """
def create(*_):
    raise TypeError("the worker cannot start")
rescind.app.create = create
"""
    done = served(code, tmp_path, "--workers", "2")
    assert done.returncode == STARTUP_FAILURE, done.stderr
    assert "the worker cannot start" in done.stderr + done.stdout


def served(code: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """A node that ends by itself, after code that changes something of it."""
    whole = f"{_BEGINNING}\nimport rescind.app\nfrom rescind.cli import main\n{code}\nmain(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", whole, "serve", "--port", "0", *options],
        env={**os.environ, "RESCIND_DATABASE": f"sqlite:///{folder}/rescind.db"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_node_is_told_of_the_end_of_its_processes_though_who_started_it_did_not_want_to_be(tmp_path: Path) -> None:
    code = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def prepare():
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    raise SystemExit(3)
rescind.app.prepare = prepare
"""
    assert served(code, tmp_path).returncode == 3


def test_the_system_shows_nobody_the_secrets_that_a_node_was_started_with(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    """Not in what it keeps of the environment of the first process, and of each that was forked from it."""
    with Server(make_database("sqlite"), tmp_path, "--workers", "2", is_executed=True) as server:
        eventually(lambda: len(server.managers()) == 2)
        assert server.process is not None
        first = psutil.Process(server.process.pid)
        shown = [Path(f"/proc/{one.pid}/environ").read_bytes() for one in (first, *first.children(recursive=True))]
    secrets = (b"root-password", ROOT_KEY.encode(), CLIENT_SECRET.encode())
    for environment in shown:
        assert b"RESCIND_DATABASE=sqlite" in environment
        assert not [secret for secret in secrets if secret in environment]


def test_the_secrets_that_a_node_is_started_with_are_in_the_environment_of_no_process_of_its_own(
    tmp_path: Path,
) -> None:
    code = """
os.environ |= {"RESCIND_ROOT_PASSWORD": "x", "RESCIND_ROOT_API_KEY": "y",
    "RESCIND_AUTH0_CLIENT_ID": "i" * 32, "RESCIND_AUTH0_CLIENT_SECRET": "z" * 64}
def prepare():
    assert not {name for name in os.environ if name.endswith(("PASSWORD", "API_KEY", "CLIENT_SECRET"))}
    raise SystemExit(3)
rescind.app.prepare = prepare
"""
    assert served(code, tmp_path).returncode == 3
