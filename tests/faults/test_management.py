"""A process of its own for management calls: decisions do not wait for it, and nothing that is promised changes."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from api.vultr.test_allow_lists import restrict
from faults.test_freshness import Sqlite, write
from faults.test_shutdown import eventually
from rescind.api.body import BODY_BYTES_MAX, Receive, Scope, Send
from rescind.api.exchange import REQUEST_ID
from rescind.cli import _counted_together
from rescind.management import _answered, _Asked, _ends, _frames, _put, serve
from rescind.node import Node, build
from rescind.settings import Settings
from servers import Server
from tenant import CLIENT_ID, PUBLIC_URL
from world import ROOT_KEY, World, allow

QUESTION = {"subject": {"type": "user", "id": "x"}, "action": {"name": "a"}, "resource": {"type": "t", "id": "i"}}
STARTED = '"event": "managing"'
AS_ONE = ("--public-url", PUBLIC_URL)
"""Nodes with these options say the same of themselves."""


@pytest.fixture(scope="module")
def running(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A node for many tests, none of which ends it."""
    with managed(make_database("sqlite"), tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture
def server(running: Server) -> Server:
    """The same, whose process for management calls is there, be it another one than before."""
    eventually(lambda: bool(running.managers()) and is_managed(running))
    return running


def is_managed(server: Server) -> bool:
    """Whether the process for management calls has started."""
    return f'"process": {server.managers()[-1].pid}, {STARTED}' in server.log()


def groups(world: World) -> list[str]:
    """The names of all groups."""
    return [group["display_name"] for group in world.get("/v2/groups", per_page=500)["groups"]]


@contextlib.contextmanager
def managed(database: str, folder: Path, *options: str, is_executed: bool = False) -> Iterator[Server]:
    """A node on a database, whose process for management calls is there."""
    with Server(database, folder, *AS_ONE, *options, is_executed=is_executed) as started:
        eventually(lambda: STARTED in started.log())
        yield started


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[psutil.Process]:
    """The process for management calls, stopped where it stands."""
    (manager,) = server.managers()
    manager.suspend()
    eventually(lambda: manager.status() == psutil.STATUS_STOPPED)
    try:
        yield manager
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            manager.resume()


def test_decisions_do_not_wait_for_what_is_managed(server: Server) -> None:
    world = server.world()
    with ThreadPoolExecutor(1) as pool:
        with stopped(server):
            under_way = pool.submit(world.call, "POST", "/v2/groups", {"display_name": "under way"})
            for _ in range(20):
                assert server.world().call("POST", "/access/v1/evaluation", QUESTION).json() == {"decision": False}
            assert httpx2.get(f"{server.url}/readyz").status_code == 200
            assert not under_way.done()
        assert under_way.result(timeout=20).status_code == 201


def test_what_was_acknowledged_holds_at_once(database: str, tmp_path: Path) -> None:
    """It is written in one process, and decided in another one."""
    with managed(database, tmp_path) as server:
        grant_and_revoke(server.world())


def grant_and_revoke(root: World) -> None:
    ann = root.person()
    role = root.role(root.policy(allow("doc.Read", on="doc:*")))
    asked = {
        "subject": {"type": "user", "id": ann.id},
        "action": {"name": "doc.Read"},
        "resource": {"type": "doc", "id": "1"},
    }
    for _ in range(30):
        for method, is_allowed in (("POST", True), ("DELETE", False)):
            written = root.call(method, f"/v2/roles/{role}/users/{ann.id}")
            assert written.status_code in (201, 204)
            decided = root.call("POST", "/access/v1/evaluation", asked)
            assert decided.json() == {"decision": is_allowed}
            assert int(decided.headers["Rescind-Revision"]) >= int(written.headers["Rescind-Revision"])
            listed = root.call("GET", "/v2/groups")
            assert int(listed.headers["Rescind-Instant"]) >= int(decided.headers["Rescind-Instant"])


@pytest.mark.parametrize("seen_by", ["the one that decides", "the one that manages"])
def test_what_one_process_has_seen_the_other_does_not_fall_behind(
    make_database: Callable[[str], str], tmp_path: Path, seen_by: str
) -> None:
    """One hears of a write of another node; then the log goes back, and the other, who has not, is asked."""
    database = make_database("sqlite")
    other, backup = build(Settings(database=database)), Sqlite(database, None)
    with managed(database, tmp_path) as server:
        world = server.world()
        asked = {
            "the one that decides": ("POST", "/access/v1/evaluation", QUESTION),
            "the one that manages": ("GET", "/v2/groups", None),
        }
        assert [world.call(*one).status_code for one in asked.values()] == [200, 200]
        backup.back_up()
        write(other)
        assert world.call(*asked.pop(seen_by)).status_code == 200
        backup.restore()
        (left,) = asked.values()
        assert world.call(*left).status_code == 503
    other.store.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "refused"),
    [
        ("POST", "/v2/groups", {"display_name": "lost"}, "error"),
        ("POST", "/v1/revocations", {"revocations": []}, "detail"),
        ("POST", "/oauth/token", {"grant_type": "client_credentials"}, "error"),
    ],
)
def test_a_write_whose_process_ends_in_the_middle_is_of_unknown_fate(
    server: Server, method: str, path: str, body: Any, refused: str
) -> None:
    """Its face says so in its own words; the next call is answered without that process, and another one follows."""
    world = server.world()
    with ThreadPoolExecutor(1) as pool, stopped(server) as manager:
        under_way = pool.submit(world.call, method, path, body)
        time.sleep(0.3)
        assert not under_way.done()
        manager.kill()
        answer = under_way.result(timeout=20)
    assert answer.status_code == 503
    assert answer.headers["Rescind-Outcome"] == "unknown"
    assert refused in answer.json()
    # By this the log can be asked what has become of it.
    eventually(lambda: answer.headers["X-Request-Id"] in server.log())
    name = f"next of {path}"
    assert world.call("POST", "/v2/groups", {"display_name": name}).status_code == 201
    assert name in groups(world)
    assert "lost" not in groups(world)
    eventually(lambda: bool(server.managers()) and is_managed(server))
    assert manager not in server.managers()


def test_a_reading_call_whose_process_ends_in_the_middle_is_answered(server: Server) -> None:
    world = server.world()
    with ThreadPoolExecutor(1) as pool, stopped(server) as manager:
        under_way = pool.submit(world.call, "GET", "/v2/groups")
        time.sleep(0.3)
        assert not under_way.done()
        manager.kill()
        assert under_way.result(timeout=20).status_code == 200


def test_a_process_that_hangs_is_ended_and_what_it_was_asked_has_an_unknown_fate(server: Server) -> None:
    """It says every second that it lives; nobody waits longer than ten seconds for that."""
    world = server.world()
    with ThreadPoolExecutor(1) as pool, stopped(server) as manager:
        under_way = pool.submit(world.call, "POST", "/v2/groups", {"display_name": "lost"})
        assert under_way.result(timeout=20).headers["Rescind-Outcome"] == "unknown"
        eventually(lambda: manager not in server.managers())
    assert world.call("POST", "/v2/groups", {"display_name": "next"}).status_code == 201


@pytest.mark.parametrize("hangs", [False, True])
def test_at_the_end_the_process_is_told_and_it_is_known_whether_it_ends(
    monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    """It may answer until then; one that hangs is waited for no longer than ten seconds."""
    monkeypatch.setattr("rescind.management.ENDING_SECONDS_MAX", 0.3)

    async def end() -> bool:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, link = await asyncio.open_unix_connection(sock=ours)
            ending = asyncio.create_task(_ends(reader, link))
            await asyncio.sleep(0.05)
            assert theirs.recv(1) == b""
            theirs.sendall(b"the last answer")
            if not hangs:
                theirs.close()
            has_ended = await ending
            link.close()
        return has_ended

    assert asyncio.run(end()) is not hangs


def test_what_a_process_that_hangs_does_not_take_is_answered_without_it(server: Server) -> None:
    """Nobody fills the memory with requests that wait for it."""
    assert server.process is not None
    memory = psutil.Process(server.process.pid).memory_info
    with stopped(server):
        before = memory().rss
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                head = b"POST /v2/groups HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES_MAX
                connection.sendall(head + b"x" * BODY_BYTES_MAX)
        assert server.world().call("POST", "/v2/groups", {"display_name": "here"}).status_code == 201
        time.sleep(1)
        assert memory().rss - before < 128 * BODY_BYTES_MAX


def test_a_node_starts_where_no_temporary_folder_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with _counted_together(Settings()):
            assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_the_option_there_is_no_such_process(make_database: Callable[[str], str], tmp_path: Path) -> None:
    with Server(make_database("sqlite"), tmp_path, "--no-management-process") as server:
        assert server.world().status("/v2/groups") == 200
        assert not server.managers()
        assert STARTED not in server.log()


def test_the_process_ends_with_the_one_that_it_is_for_however_that_ends(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    with managed(make_database("sqlite"), tmp_path) as server:
        assert server.process is not None
        (manager,) = server.managers()
        os.kill(server.process.pid, signal.SIGKILL)
        psutil.wait_procs([manager], timeout=10)
        assert not manager.is_running()


def test_nobody_but_the_one_that_it_is_for_ends_the_process(server: Server) -> None:
    """A signal to all of a group must not end it while the other still has calls for it."""
    before = server.log().count(STARTED)
    (manager,) = server.managers()
    for number in (signal.SIGINT, signal.SIGTERM):
        manager.send_signal(number)
    time.sleep(0.5)
    assert server.managers() == [manager]
    assert server.world().call("POST", "/v2/groups", {"display_name": "here"}).status_code == 201
    assert server.log().count(STARTED) == before


def test_whoever_goes_away_before_his_request_is_whole_writes_nothing(server: Server) -> None:
    body = json.dumps({"display_name": "half"}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST /v2/groups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ROOT_KEY}\r\n"
        # What has come could be taken for a whole one.
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + body)
        time.sleep(0.2)
    time.sleep(0.2)
    assert "half" not in groups(server.world())


def test_a_body_that_is_too_long_is_refused_before_it_has_all_come(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = f"POST /v2/groups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ROOT_KEY}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1073741824\r\n\r\n" + b"x" * 2 * BODY_BYTES_MAX)
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_request_has_the_id_there_that_it_was_given_here(node: Node) -> None:
    """By it the log says what has become of a write whose answer was lost."""
    asked = _Asked(7, "the id", "GET", "http", "/", b"/", b"", [], "192.0.2.1", b"body", node.freshness.seen)

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope[REQUEST_ID].encode()})

    async def ask() -> bytes:
        ours, theirs = socket.socketpair()
        reader, link = await asyncio.open_unix_connection(sock=ours)
        serving = asyncio.create_task(serve(theirs.detach(), app, node.freshness))
        _put(link, asked)
        async for frame in _frames(reader):
            answered = _answered.decode(frame)
            if answered.number == asked.number:
                break
        link.close()
        await serving
        return answered.body

    assert asyncio.run(ask()) == b"the id"


def test_the_numbers_of_both_processes_are_told(make_database: Callable[[str], str], tmp_path: Path) -> None:
    with managed(make_database("sqlite"), tmp_path, is_executed=True) as server:
        world, before = server.world(), counted(server)
        for _ in range(3):
            assert world.status("/v2/account") == 200
            assert world.call("POST", "/access/v1/evaluation", QUESTION).status_code == 200
        after = counted(server)
    assert {route: after[route] - before.get(route, 0) for route in after if after[route] != before.get(route, 0)} == {
        "/v2/account": 3,
        "/access/v1/evaluation": 3,
    }


def test_the_address_of_a_client_is_known_there(make_database: Callable[[str], str], tmp_path: Path) -> None:
    """Also where a proxy says it: an allow-list binds to it."""
    with managed(make_database("sqlite"), tmp_path, "--trusted-proxies", "127.0.0.1") as server:
        root = server.world()
        ann = root.person()
        restrict(root, ann.id, ("203.0.113.0", 24))
        for address, status in (("203.0.113.7", 200), ("192.0.2.7", 401)):
            answer = root.as_(ann.key).call("GET", "/v2/apikeys", headers={"X-Forwarded-For": address})
            assert answer.status_code == status, answer.text
        # Of a port, which nobody asks for, he may say what he wants.
        forwarded = {"X-Forwarded-For": f"203.0.113.7:{'9' * 30}"}
        assert root.as_(ann.key).call("GET", "/v2/apikeys", headers=forwarded).status_code == 200


# --- the same answers -----------------------------------------------------------------------------------------------

BEARER = {"Authorization": f"Bearer {ROOT_KEY}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "/v2/groups", BEARER, b""),
    ("GET", "/v2/groups?per_page=1&cursor=&per_page=2", BEARER, b""),
    ("GET", "/v2/groups", {}, b""),
    ("GET", "/v2/groups/a%2Fb%00%FF", BEARER, b""),
    ("GET", "/v2//groups/./x/../y", BEARER, b""),
    ("GET", "/v2/groups?%zz&=&a=%C3%A9", BEARER, b""),
    ("HEAD", "/v2/groups", BEARER, b""),
    ("OPTIONS", "/v2/groups", BEARER, b""),
    ("TRACE", "/v2/groups", BEARER, b""),
    ("GET", "/v2/groups", {"Authorization": "Bearer \xe9"}, b""),
    ("GET", "/v2/groups", BEARER, b"with a body"),
    ("POST", "/v2/groups", BEARER, b""),
    ("POST", "/v2/groups", BEARER, b"{"),
    ("POST", "/v2/groups", BEARER, b"\xff\x00"),
    ("POST", "/v2/groups", BEARER, b'{"display_name": "' + b"x" * 1024 * 1024 + b'"}'),
    ("POST", "/v2/groups", BEARER, b"[" * 100_000),
    ("POST", "/v2/groups?preview=yes", BEARER, b'{"display_name": "a"}'),
    ("DELETE", "/v2/groups/x?preview=true", BEARER | {"If-Match": '"x"'}, b""),
    ("GET", "/v2/nothing", BEARER, b""),
    ("GET", "/v2", BEARER, b""),
    ("GET", "/v2/openapi.json", {}, b""),
    ("GET", "/v1/openapi.json", {}, b""),
    ("GET", "/v1/changes", BEARER, b""),
    ("POST", "/v1/explain", BEARER, json.dumps(QUESTION).encode()),
    ("POST", "/v1/explain", BEARER, b"3"),
    ("GET", "/api/v2/users", BEARER, b""),
    ("POST", "/oauth/token", FORM, b"grant_type=nothing&client_id=%s" % CLIENT_ID.encode()),
    ("POST", "/oauth/token", FORM, b"grant_type=client_credentials&grant_type=password"),
    ("GET", "/.well-known/openid-configuration", {}, b""),
    ("GET", "/.well-known/jwks.json", {}, b""),
    ("GET", "/nothing", BEARER, b""),
    ("POST", "/access/v1/evaluation", BEARER | {"Content-Type": "application/json"}, json.dumps(QUESTION).encode()),
]
OF_ITS_OWN = ("date", "x-request-id", "rescind-instant")
"""Headers that no two answers have alike."""


def test_every_request_is_answered_as_without_that_process(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Status, headers and body, whatever the request: with it on one node, without it on another."""
    alone = Server(server.database, tmp_path_factory.mktemp("alone"), "--no-management-process", *AS_ONE)
    with alone:
        for request in REQUESTS:
            assert answer_to(server, *request) == answer_to(alone, *request), request[:2]


def counted(server: Server) -> dict[str, float]:
    """How many requests were answered with 200, by route."""
    told = httpx2.get(f"{server.url}/metrics").text
    found = re.findall(r'request_seconds_count\{method="\w+",route="(.*?)",status="200"\} (\S+)', told)
    return {route: float(number) for route, number in found}


def answer_to(
    server: Server, method: str, target: str, headers: dict[str, str], body: bytes
) -> tuple[str, list[str], str]:
    """The answer to a request that is sent as it is: its first line, its headers and its body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        whole = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, text = whole.decode("latin-1").partition("\r\n\r\n")
    first, *said = head.split("\r\n")
    headers = sorted(one for one in said if one.partition(":")[0] not in OF_ITS_OWN)
    return first, headers, re.sub(r'"instant":\d+', "", text)
