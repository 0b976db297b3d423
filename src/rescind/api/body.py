"""Bodies: bounded, and checked as strictly as whatever comes after them."""

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from rescind.model.errors import Invalid

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 64
CONTAINERS_MAX = 20_000
_SMALL_BYTES = 16 * 1024
READING = ("GET", "HEAD", "OPTIONS")
"""Methods that write nothing."""


class Gone(Exception):  # noqa: N818 - nothing went wrong here
    """The client went away before its request was there."""


async def whole_body(receive: Receive, limit: int) -> bytes:
    """The body, at most so many bytes. Raises `Invalid`, and `Gone` if the client went away."""
    body = await received(receive, limit)
    if len(body) > limit:
        raise Invalid(f"the body is longer than {limit // BODY_BYTES_MAX} MiB")
    return body


async def received(receive: Receive, limit: int) -> bytes:
    """The body as it came; of one that is longer than the limit a beginning that is, too. Raises `Gone`."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole
    body = bytearray()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > limit or not message.get("more_body"):
            return bytes(body)
        message = await receive()
    raise Gone


async def checked_body(scope: Scope, receive: Receive, *, is_form: bool = False) -> bytes:
    """The whole body, at most 1 MiB: JSON, or a form that is read later. Bodies of reading methods are ignored.

    Raises `Invalid`, and `Gone` if the client went away: half a request must do nothing.
    """
    text = await whole_body(receive, BODY_BYTES_MAX)
    if scope["method"] in READING or not text.strip():
        return b""
    if is_form:
        return text
    if len(text) > _SMALL_BYTES:
        # Large ones in a thread: others must not wait for them.
        await run_in_threadpool(check_json, text)
    else:
        check_json(text)
    return text


def is_urlencoded(scope: Scope) -> bool:
    """Whether a request says that its body is an HTML form."""
    content_type: str = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    return content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def json_of_form(body: bytes) -> bytes:
    """A form as the JSON object that has its fields as strings. Raises `Invalid` for a field that is there twice."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=100)
        found = _unique(fields)
        _check_depth(found)
    except ValueError:
        raise Invalid("the body is not a well-formed form") from None
    return json.dumps(found).encode() if body else b""


def check_json(body: bytes) -> Any:
    """Decode JSON as strictly as what comes after it: raises `Invalid` for whatever no database would store."""
    if body.count(b"[") + body.count(b"{") > CONTAINERS_MAX:
        raise Invalid("the body holds too many lists and objects")
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique)
        _check_depth(value)
    except (ValueError, RecursionError):
        raise Invalid("the body is not well-formed JSON") from None
    return value


def _unique(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
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


def with_content_type(scope: Scope, content_type: str) -> Scope:
    """Read every body as one type: clients send a content type with no body, and a body with the wrong one."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    scope["headers"] = [*headers, (b"content-type", content_type.encode())]
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
