"""A client of an application in this process: one step into its event loop for each request.

Starlette's takes eight, and each is two switches of threads: they took longer than the answers.
"""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import httpx2

from rescind.api.body import App, Message


class Loopback(httpx2.Client):
    """Speaks to the application while it is open as a context: it begins and ends with that.

    `client` is the address and port that requests come from. What the application raises is raised here, if it should
    be, or else answered as a server would.
    """

    def __init__(
        self,
        app: App,
        *,
        base_url: str = "http://testserver",
        client: tuple[str, int] = ("testclient", 50_000),
        raise_server_exceptions: bool = True,
    ) -> None:
        self._transport_in_process = _InProcess(app, client, raise_server_exceptions)
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "testclient"},
            follow_redirects=True,
            transport=self._transport_in_process,
        )

    def __enter__(self) -> Self:
        self._transport_in_process.begin()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._transport_in_process.end()


class _InProcess(httpx2.BaseTransport):
    """An event loop in a thread of its own, where the application lives."""

    def __init__(self, app: App, client: tuple[str, int], raise_server_exceptions: bool) -> None:
        self._app = app
        self._client = client
        self._raises = raise_server_exceptions

    def begin(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait_for(self._start())

    def end(self) -> None:
        try:
            self._wait_for(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._wait_for(self._answer(request, request.read()))

    def _wait_for(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = asyncio.create_task(self._app(scope, self._orders.get, self._told.put))
        await self._order("lifespan.startup")

    async def _stop(self) -> None:
        await self._order("lifespan.shutdown")
        await self._life
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    async def _order(self, what: str) -> None:
        await self._orders.put({"type": what})
        told = asyncio.create_task(self._told.get())
        await asyncio.wait([told, self._life], return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            told.cancel()
            self._life.result()
        assert told.result()["type"] == f"{what}.complete"

    async def _answer(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.raw_path.partition(b"?")[0],
            "root_path": "",
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self._client,
            "server": (url.host, url.port or {"http": 80, "https": 443}[url.scheme]),
            "state": {},
        }
        ended = asyncio.Event()
        asked = iter([{"type": "http.request", "body": body, "more_body": False}])
        started: Message = {}
        sent: list[bytes] = []

        async def receive() -> Message:
            for message in asked:
                return message
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert not started, "an answer begins once"
                started.update(message)
                return
            assert started, "an answer begins with its status"
            assert not ended.is_set(), "an answer ends once"
            sent.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                ended.set()

        try:
            await self._app(scope, receive, send)
        except Exception:
            if self._raises:
                raise
        if not started:
            assert not self._raises, "nothing was answered"
            started["status"] = 500
        content = b"" if request.method == "HEAD" else b"".join(sent)
        stream = httpx2.ByteStream(content)
        return httpx2.Response(started["status"], headers=list(started.get("headers", [])), stream=stream)
