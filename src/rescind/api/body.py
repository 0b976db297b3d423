"""Bodies: bounded, and checked as strictly as whatever comes after them."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from rescind.model.errors import Invalid

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 64


async def checked_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, at most 1 MiB of JSON. Raises `Invalid`; bodies of reading methods are ignored."""
    # A request that asks for a preview must never become a removal.
    if any(
        name.strip().lower() == "preview"
        for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    ):
        raise Invalid("`preview` is not supported by this call")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise Invalid("the body is longer than 1 MiB")
        if not message.get("more_body"):
            break
    if scope["method"] in ("GET", "HEAD", "OPTIONS") or not body.strip():
        return b""
    check_json(bytes(body))
    return bytes(body)


def check_json(body: bytes) -> Any:
    """Decode JSON as strictly as what comes after it: raises `Invalid` for whatever no database would store."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique)
        _check_depth(value)
    except (ValueError, RecursionError):
        raise Invalid("the body is not well-formed JSON") from None
    return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that is there twice: one of the two values would be lost, and it may be the restriction."""
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member is there twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _check_depth(value: Any) -> None:
    """Refuse what is nested too deep, and strings that no UTF-8 or no text column can hold."""
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and ("\0" in item or not _encodable(item)):
                raise ValueError("unstorable string")
        if not below:
            return
        level = below
    raise ValueError("nested too deep")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_json(scope: Scope) -> Scope:
    """Read every body as JSON: clients send a content type with no body, and a body with the wrong one."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    scope["headers"] = [*headers, (b"content-type", b"application/json")]
    return scope


def replay(body: bytes) -> Receive:
    """A body that was read, to be read again."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
