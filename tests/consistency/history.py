"""The history: what clients asked and were answered, and when by one clock, in a form that can be kept and checked."""

import dataclasses
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

READ, WRITE = "read", "write"
CONNECTIONS_MAX = 8
ANSWER_SECONDS_MAX = 4.0
"""After that a client gives up, and does not know what became of a write."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `began` was taken before its first byte was sent and `ended` after the last of its answer was read.

    Both are nanoseconds of this machine's monotonic clock; `clock` is what its other clock said when it began, in
    microseconds since 1970. `arguments` say what is asked in words that the checker understands. `status` is 0 if no
    answer came; `revision`, `instant`, `change` and `request_id` are those of the answer's headers. `worker` is the
    process that answers on the connection, where that was found out; without a connection nothing was `sent`.
    """

    number: int
    client: str
    node: int
    kind: str
    operation: str
    arguments: Mapping[str, Any]
    began: int
    ended: int
    status: int
    revision: int | None = None
    instant: int | None = None
    answer: Any = None
    request_id: str = ""
    change: int | None = None
    outcome_unknown: bool = False
    clock: int = 0
    worker: int | None = None
    sent: bool = True

    @property
    def acknowledged(self) -> bool:
        """Whether it is a write that was said to be done."""
        return self.fate == "acknowledged"

    @property
    def fate(self) -> str:
        """What its client knows of a call: acknowledged, unknown, unavailable (nothing was done) or refused."""
        if 200 <= self.status < 300:
            return "acknowledged" if self.kind == WRITE else "answered"
        if not self.sent:
            return "unavailable"
        if self.status == 0 or (self.status >= 500 and (self.status != 503 or self.outcome_unknown)):
            return "unknown"
        return "unavailable" if self.status == 503 else "refused"

    def __str__(self) -> str:
        """The call as it is shown to people, times in milliseconds."""
        at = f"{self.began / 1e6:.2f}…{self.ended / 1e6:.2f}"
        named = f"revision {self.revision}" if self.revision is not None else "no revision"
        asked = json.dumps(self.arguments, ensure_ascii=False)
        said = json.dumps(self.answer, ensure_ascii=False)
        return (
            f"#{self.number} {at} {self.client}→node {self.node} {self.operation} {asked[:300]} "
            f"= {self.status} at {named}, instant {self.instant}: {said[:200]}"
        )


class History:
    """The calls of all clients. Safe for any number of threads."""

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self._calls = list(calls)
        self._lock = threading.Lock()
        self._number = max((call.number for call in self._calls), default=0)

    def append(self, call: Call) -> Call:
        """Take a call down, and give it its number."""
        with self._lock:
            self._number += 1
            numbered = dataclasses.replace(call, number=self._number)
            self._calls.append(numbered)
        return numbered

    @property
    def calls(self) -> list[Call]:
        """The calls so far, in the order of their ends."""
        with self._lock:
            return list(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self._calls)

    def write(self, file: Path) -> None:
        """Keep the history as JSON, one call per line."""
        with file.open("w") as lines:
            for call in self.calls:
                lines.write(json.dumps(dataclasses.asdict(call)) + "\n")

    @classmethod
    def read(cls, file: Path) -> "History":
        """A history that was kept."""
        with file.open() as lines:
            return cls(Call(**json.loads(line)) for line in lines)


class Client:
    """Makes calls one after the other, and each is in the history. Its connections are kept alive.

    `urls` are the nodes. A call names its node and its lane, which is one connection to one worker. With `worker_of`,
    which says by a node and a client's port who answers there, the lanes to a node lead to different workers as far
    as chance allows.
    """

    def __init__(
        self,
        history: History,
        name: str,
        urls: list[str],
        timeout: float = ANSWER_SECONDS_MAX,
        worker_of: Callable[[int, int], int | None] = lambda _, __: None,
    ) -> None:
        self.history = history
        self.name = name
        self._hosts = [urlsplit(url).netloc for url in urls]
        self._timeout = timeout
        self._worker_of = worker_of
        self._kept: dict[tuple[int, int], tuple[http.client.HTTPConnection, int | None]] = {}

    def read(self, node: int, operation: str, arguments: Mapping[str, Any], *request: Any, **options: Any) -> Call:
        """Ask something. See `send`."""
        return self.send(READ, node, operation, arguments, *request, **options)

    def write(self, node: int, operation: str, arguments: Mapping[str, Any], *request: Any, **options: Any) -> Call:
        """Change something. See `send`."""
        return self.send(WRITE, node, operation, arguments, *request, **options)

    def send(
        self,
        kind: str,
        node: int,
        operation: str,
        arguments: Mapping[str, Any],
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        lane: int = 0,
        remember: bool = True,
    ) -> Call:
        """Make a call and take it down: what it is to the checker, and then how it is said over HTTP.

        What need not be remembered of the answer is its body.
        """
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        text = None if body is None else json.dumps(body)
        connection, worker = self._lane(node, lane)
        clock, began = time.time_ns() // 1000, time.monotonic_ns()
        status, answer = 0, None
        said: dict[str, str] = {}
        if connection is not None:
            try:
                status, said, answer = _exchange(connection, method, path, text, headers)
            except (OSError, http.client.HTTPException):
                self.hang_up(node, lane)
        return self.history.append(
            Call(
                number=0,
                client=self.name,
                node=node,
                kind=kind,
                operation=operation,
                arguments=arguments,
                began=began,
                ended=time.monotonic_ns(),
                status=status,
                revision=_number(said.get("rescind-revision")),
                instant=_number(said.get("rescind-instant")),
                answer=answer if remember else None,
                request_id=said.get("x-request-id", ""),
                change=_number(said.get("rescind-change", "").rpartition("/")[2]),
                outcome_unknown=said.get("rescind-outcome") == "unknown",
                clock=clock,
                worker=worker,
                sent=connection is not None,
            )
        )

    def worker(self, node: int, lane: int) -> int | None:
        """The process that answers in a lane, as far as it is known."""
        kept = self._kept.get((node, lane))
        return kept[1] if kept else None

    def hang_up(self, node: int, lane: int = 0) -> None:
        """Let the next call in that lane make a new connection."""
        kept = self._kept.pop((node, lane), None)
        if kept is not None:
            kept[0].close()

    def close(self) -> None:
        """Hang up everywhere."""
        for node, lane in list(self._kept):
            self.hang_up(node, lane)

    def _lane(self, node: int, lane: int) -> tuple[http.client.HTTPConnection | None, int | None]:
        """The lane's connection and who answers there; None if none can be made."""
        if (node, lane) not in self._kept:
            try:
                self._kept[node, lane] = self._connect(node)
            except OSError:
                return None, None
        return self._kept[node, lane]

    def _connect(self, node: int) -> tuple[http.client.HTTPConnection, int | None]:
        """A connection to a worker that no other lane leads to, if one is found at the first attempts."""
        known = {worker for (other, _), (_, worker) in self._kept.items() if other == node}
        made: list[http.client.HTTPConnection] = []
        try:
            while True:
                connection = http.client.HTTPConnection(self._hosts[node], timeout=self._timeout)
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                worker = self._worker_of(node, connection.sock.getsockname()[1])
                if worker not in known or len(made) == CONNECTIONS_MAX:
                    return connection, worker
                # Kept open meanwhile, so that whoever has it is the busier one.
                made.append(connection)
        finally:
            for connection in made:
                connection.close()


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, text: str | None, headers: dict[str, str]
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and decoded body of an answer."""
    connection.request(method, path, text, headers)
    response = connection.getresponse()
    raw = response.read()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, _decoded(raw)


def _number(said: str | None) -> int | None:
    return int(said) if said else None


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
