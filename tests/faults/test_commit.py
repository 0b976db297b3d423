"""A connection that is lost while a write commits: the log knows whether it was done, and the client is told."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from loopback import Loopback
from rescind.app import application
from rescind.model.changes import Change
from rescind.model.errors import Unavailable
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.database import Database, DatabaseWriter
from rescind.store.verify import verify
from world import ROOT_KEY, World

COMMIT = b"COMMIT\0"
SOCKET = ".s.PGSQL.5432"


class Wire:
    """Stands between a node and its PostgreSQL, and cuts the connection on which a word is sent.

    `answered` cuts after the database has answered, else it never hears the word. `all_of_them` cuts every
    connection there is, as a restart would; `away` takes no new ones from then on.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._database = database
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/{SOCKET}")
        self._listener.listen(32)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.word: bytes | None = None
        self.answered = self.all_of_them = self.away = False
        self.cuts = 0
        self._run(self._accept)

    def cut_on(self, word: bytes, *, answered: bool = False, all_of_them: bool = False, away: bool = False) -> None:
        self.answered, self.all_of_them, self.away, self.word = answered, all_of_them or away, away, word

    def come_back(self) -> None:
        self.away, self.word = False, None

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut(*self._open)
        for thread in self._threads:
            thread.join(timeout=10)
        for found in self._open:
            found.close()

    def _run(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            if self.away and self.cuts:
                self._cut(client)
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._database)
            self._open.append(server)
            doomed = threading.Event()
            self._run(self._onward, client, server, doomed)
            self._run(self._back, client, server, doomed)

    def _onward(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        while data := self._receive(client):
            if self.word is not None and self.word in data:
                self.word = None
                if not self.answered:
                    self._end(client, server)
                    return
                doomed.set()
            try:
                server.sendall(data)
            except OSError:
                break
        self._cut(server)

    def _back(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        while data := self._receive(server):
            if doomed.is_set():
                self._end(client, server)
                return
            try:
                client.sendall(data)
            except OSError:
                return
        self._cut(client)

    def _end(self, *pair: socket.socket) -> None:
        self.cuts += 1
        self._cut(*(self._open if self.all_of_them else pair))

    @staticmethod
    def _receive(source: socket.socket) -> bytes:
        try:
            return source.recv(65536)
        except OSError:
            return b""

    @staticmethod
    def _cut(*sockets: socket.socket) -> None:
        for found in list(sockets):
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def database(make_database: Callable[[str], str]) -> str:
    return make_database("postgres")


@pytest.fixture
def wire(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    made = Wire(tmp_path_factory.mktemp("w"), f"{sa.make_url(database).query['host']}/{SOCKET}")
    yield made
    made.close()


@pytest.fixture
def far(database: str, node: Node, wire: Wire) -> Iterator[World]:
    """A node behind the wire. It has written nothing yet: what it prepares goes over the wire in words but once."""
    with Loopback(application(node), raise_server_exceptions=False) as client:
        World(client, ROOT_KEY).group(name="before")
    folder = Path(wire._listener.getsockname()).parent
    address = sa.make_url(database).update_query_dict({"host": str(folder)})
    built = build(Settings(database=address.render_as_string(hide_password=False)))
    with Loopback(application(built), raise_server_exceptions=False) as client:
        yield World(client, ROOT_KEY)
    built.store.close()


def test_a_commit_that_was_done_is_acknowledged_though_its_answer_was_lost(far: World, wire: Wire, node: Node) -> None:
    before = node.store.head().revision
    for all_of_them in (False, True):
        before += 1
        wire.cut_on(COMMIT, answered=True, all_of_them=all_of_them)
        response = far.call("POST", "/v2/groups", {"display_name": "done"})
        assert response.status_code == 201, response.text
        assert response.headers["Rescind-Revision"] == str(before)
        assert response.headers["Rescind-Change"] == f"/v1/changes/{before}"
        assert node.store.head().revision == before
    assert wire.cuts == 2
    assert names(far) == ["before", "done", "done"]
    assert not verify(node.store).differences


def test_a_commit_that_never_arrived_is_503_and_nothing_was_written(far: World, wire: Wire, node: Node) -> None:
    before = node.store.head().revision
    for all_of_them in (False, True):
        wire.cut_on(COMMIT, all_of_them=all_of_them)
        response = far.call("POST", "/v2/groups", {"display_name": "lost"})
        assert response.status_code == 503, response.text
        assert int(response.headers["Retry-After"]) >= 1
        assert "Rescind-Outcome" not in response.headers
        assert node.store.head().revision == before
    assert wire.cuts == 2
    assert names(far) == ["before"]
    assert far.call("POST", "/v2/groups", {"display_name": "again"}).headers["Rescind-Revision"] == str(before + 1)


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_a_commit_whose_fate_nobody_can_tell_is_503_and_says_so(
    far: World, wire: Wire, node: Node, *, done: bool
) -> None:
    before = node.store.head().revision
    wire.cut_on(COMMIT, answered=done, away=True)
    response = far.call("POST", "/v2/groups", {"display_name": "who knows"})
    assert response.status_code == 503, response.text
    assert response.headers["Rescind-Outcome"] == "unknown"
    assert int(response.headers["Retry-After"]) >= 1
    assert far.status("/readyz") == 503
    wire.come_back()
    assert far.status("/readyz") == 200
    assert node.store.head().revision == before + done
    assert ("who knows" in names(far)) is done
    assert far.status("/v2/groups", "POST", {"display_name": "again"}) == 201


@pytest.mark.parametrize("word", [b"UPDATE head", b"INSERT INTO changes", b"INSERT INTO intervals"])
def test_a_write_whose_connection_is_lost_before_it_commits_is_503_and_nothing_was_written(
    far: World, wire: Wire, node: Node, word: bytes
) -> None:
    before = node.store.head().revision
    wire.cut_on(word)
    response = far.call("POST", "/v2/groups", {"display_name": "lost"})
    assert wire.cuts == 1
    assert response.status_code == 503, response.text
    assert "Rescind-Outcome" not in response.headers
    assert node.store.head().revision == before
    assert names(far) == ["before"]
    assert far.status("/v2/groups", "POST", {"display_name": "again"}) == 201
    assert not verify(node.store).differences


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/groups", {"display_name": "written"}),
        ("POST", "/v2/roles", {"name": "written", "type": "assumable"}),
    ],
)
def test_a_write_whose_reply_cannot_be_read_is_never_said_to_be_none(
    far: World, node: Node, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, str]
) -> None:
    """The database goes away between the commit and the reading of what it left behind."""
    before = node.store.head().revision

    def reading(*_: object) -> NoReturn:
        raise Unavailable("the database cannot answer now")

    commit = DatabaseWriter.commit

    def committed(*arguments: Any) -> Change:
        change = commit(*arguments)
        monkeypatch.setattr(Database, "reading", reading)
        return change

    monkeypatch.setattr(DatabaseWriter, "commit", committed)
    response = far.call(method, path, body)
    monkeypatch.undo()
    assert response.status_code == 503, response.text
    assert response.headers["Rescind-Outcome"] == "unknown"
    assert node.store.head().revision == before + 1


def names(world: World) -> list[str]:
    """The groups that the node shows. Where all connections were cut, one read may pay for it."""
    world.status("/readyz")
    return [group["display_name"] for group in world.get("/v2/groups")["groups"]]
