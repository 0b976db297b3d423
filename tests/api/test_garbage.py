"""What a request leaves behind: nothing that waits for the collector of circles, which seldom looks."""

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rescind.api.body import BODY_BYTES_MAX
from rescind.api.exchange import Previewed
from rescind.app import application
from rescind.model.errors import Refusal
from rescind.node import Node
from world import ROOT_KEY

LARGE = BODY_BYTES_MAX - 100
QUESTION = {"subject": {"type": "user", "id": "x"}, "action": {"name": "a"}, "resource": {"type": "t", "id": "x"}}
JSON = b"application/json"
REFUSED = {
    "not JSON": ("POST", "/v2/groups", ROOT_KEY, JSON, b"x" * LARGE, 400),
    "too long": ("POST", "/v2/groups", ROOT_KEY, JSON, b"x" * (BODY_BYTES_MAX + 1), 400),
    "of a stranger": ("POST", "/v2/groups", "nobody", JSON, b'{"display_name": "%s"}' % (b"x" * 100_000), 401),
    "of the wrong shape": ("POST", "/v2/groups", ROOT_KEY, JSON, b'{"display_name": ["%s"]}' % (b"x" * LARGE), 400),
    "about nothing": ("POST", "/v2/roles/none/users/none", ROOT_KEY, JSON, b'{"x": "%s"}' % (b"x" * LARGE), 404),
    "a preview": ("POST", "/v2/groups?preview=true", ROOT_KEY, JSON, b'{"display_name": "previewed"}', 200),
    "a form": (
        *("POST", "/oauth/token", "", b"application/x-www-form-urlencoded"),
        *(b"grant_type=client_credentials&client_id=%s" % (b"x" * 100_000), 401),
    ),
    "of /v1": ("POST", "/v1/explain", "nobody", JSON, b'{"x": "%s"}' % (b"x" * LARGE), 400),
    "of /api/v2": ("POST", "/api/v2/users", "nobody", JSON, b'{"x": "%s"}' % (b"x" * LARGE), 400),
    "a decision": ("POST", "/access/v1/evaluation", "nobody", JSON, json.dumps(QUESTION).encode(), 401),
    "decisions": ("POST", "/access/v1/evaluations", "nobody", JSON, b'{"x": "%s"}' % (b"x" * LARGE), 400),
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("uncollected")
def test_what_was_refused_is_forgotten_at_once(node: Node, name: str) -> None:
    """Otherwise whoever sends much that is refused fills the memory."""
    app = application(node)
    method, target, key, content_type, body, status = REFUSED[name]
    path, _, query = target.partition("?")
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", content_type)]

    async def ask() -> int:
        said: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        await app(scope, receive, send)
        return int(said[0]["status"])

    async def ask_often() -> None:
        for _ in range(3):
            assert await ask() == status
        # A thread that waits for work still holds what it raised last, alone.
        left = [one for one in gc.get_objects() if isinstance(one, (Refusal, Previewed)) and one.__traceback__]
        assert not left, left

    asyncio.run(ask_often())
