"""What every door does with a request: a bounded body, a table row with its requirement, a name, a log line."""

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qsl

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from uuid_utils import uuid7

from rescind.api.cursors import Cursors
from rescind.api.metrics import CHANGES, REQUEST_SECONDS
from rescind.model.errors import Invalid, Refusal
from rescind.store.contract import Page, Window
from rescind.usecases.actor import Asking, verifier_of
from rescind.usecases.requirements import Requirement
from rescind.usecases.service import Answer, Call, Service
from rescind.usecases.unit import Unit, View

P = ParamSpec("P")
Result = TypeVar("Result")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 64

_log = structlog.get_logger("rescind.http")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a door's table: what a call does, what it requires, and how it is answered.

    `number` is the row's number in the contract, where there is one.
    """

    number: int
    method: str
    path: str
    usecase: Callable[..., Any]
    requires: Requirement
    handler: Callable[..., Response]
    status: int = 200
    answers: type[BaseModel] | None = None

    @property
    def name(self) -> str:
        """What tells the row from every other."""
        return f"{self.method} {self.path}"


class Exchange:
    """One request on its way through a handler: runs the row's use case, and replies from when that is true."""

    def __init__(self, service: Service, cursors: Cursors, operation: Operation, request: Request) -> None:
        self._service = service
        self._cursors = cursors
        self._operation = operation
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        asking = Asking(
            request.scope["rescind.request_id"],
            token.strip() if scheme.lower() == "bearer" else None,
            request.client.host if request.client else "",
        )
        target_id = next(iter(request.path_params.values()), "")
        self._call = Call(asking, operation.requires, target_id)
        self._list_name = f"{request.url.path} {verifier_of(asking.token or '')}"
        self._headers: dict[str, str] = {}
        self._written: Answer[Any] | None = None

    def read(self, usecase: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run the row's use case, which reads."""
        assert usecase is self._operation.usecase
        answer = self._service.read(self._call, usecase, *args, **kwargs)
        self._headers["Rescind-Revision"] = str(answer.moment.revision)
        self._headers["Rescind-Instant"] = str(answer.moment.instant)
        return answer.result

    def write(self, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run the row's use case, which writes."""
        assert usecase is self._operation.usecase
        answer = self._service.write(self._call, usecase, *args, **kwargs)
        self._headers["Rescind-Revision"] = str(answer.moment.revision)
        if answer.change is not None:
            self._headers["Rescind-Change"] = f"/v1/changes/{answer.change.revision}"
            CHANGES.inc()
        self._written = answer
        return answer.result

    def look(self, view: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """See what the write left behind, for its reply."""
        assert self._written is not None
        return self._service.look(self._written, view, *args, **kwargs)

    def window(self, cursor: str, limit: int) -> Window:
        """The part of a list that a cursor names. Raises `Invalid` for one that this list did not give."""
        return self._cursors.window(cursor, limit, self._list_name)

    def cursors(self, page: Page[Any]) -> tuple[str, str]:
        """The cursors of the previous and the next part; empty where there is none."""
        return self._cursors.around(page, self._list_name)

    def reply(self, body: BaseModel | None = None) -> Response:
        """The answer, with the row's status."""
        if body is None:
            return Response(status_code=self._operation.status, headers=self._headers)
        # A member that was not set is absent, never null.
        text = body.model_dump_json(exclude_unset=True)
        return Response(text, self._operation.status, self._headers, media_type="application/json")


async def _exchange(request: Request) -> Exchange:
    state = request.app.state
    return Exchange(state.service, state.cursors, state.operations[request.scope["route"].name], request)


Here = Annotated[Exchange, Depends(_exchange)]


@dataclass(frozen=True, slots=True)
class Manners:
    """How one face says no. `refusal` maps a refusal to its status; `plain` says any status and text."""

    refusal: Callable[[Refusal], Response]
    plain: Callable[[int, str], Response]
    errors: type[BaseModel]
    media_type: str = "application/json"


@dataclass(slots=True)
class Door:
    """One face as an application of its own, with its table, its manners and its OpenAPI document."""

    title: str
    prefix: str
    operations: Sequence[Operation]
    manners: Manners
    app: App = field(init=False)

    def open(self, service: Service, cursors: Cursors, version: str) -> App:
        """The face as an ASGI application on a service."""
        app = FastAPI(
            title=self.title,
            version=version,
            openapi_url=f"{self.prefix}/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        app.state.service, app.state.cursors = service, cursors
        app.state.operations = {operation.name: operation for operation in self.operations}
        for operation in self.operations:
            self._route(app, operation)
        plain = self.manners.plain

        async def refused(_: Request, refusal: Exception) -> Response:
            assert isinstance(refusal, Refusal)
            return self.manners.refusal(refusal)

        async def malformed(_: Request, error: Exception) -> Response:
            assert isinstance(error, RequestValidationError)
            return self.manners.refusal(Invalid(_said(error)))

        async def unknown(_: Request, error: Exception) -> Response:
            assert isinstance(error, HTTPException)
            response = plain(error.status_code, str(error.detail))
            response.headers.update(error.headers or {})
            return response

        async def broken(_: Request, __: Exception) -> Response:
            return plain(500, "internal error")

        app.add_exception_handler(Refusal, refused)
        app.add_exception_handler(RequestValidationError, malformed)
        app.add_exception_handler(HTTPException, unknown)
        app.add_exception_handler(Exception, broken)
        self._document(app)
        return _Threshold(app, self.manners)

    def _route(self, app: FastAPI, operation: Operation) -> None:
        statuses = [400, 401, 403, 503] + ([404] if "{" in operation.path else [])
        responses: dict[int | str, dict[str, Any]] = {
            status: {
                "content": {self.manners.media_type: {"schema": _ref(self.manners.errors)}},
                "description": "Refused",
            }
            for status in statuses
        }
        responses[operation.status] = {"description": "Done"}
        if operation.answers is not None:
            responses[operation.status]["content"] = {"application/json": {"schema": _ref(operation.answers)}}
        app.add_api_route(
            operation.path,
            operation.handler,
            methods=[operation.method],
            name=operation.name,
            status_code=operation.status,
            responses=responses,
            response_model=None,
            response_class=Response,
            operation_id=f"{operation.handler.__name__}",
            summary=(operation.usecase.__doc__ or "").strip().split("\n")[0],
            tags=[operation.usecase.__module__.rpartition(".")[2]],
        )

    def _document(self, app: FastAPI) -> None:
        """Say in the OpenAPI document what is so: our own errors in place of the framework's."""
        generate = app.openapi

        def openapi() -> dict[str, Any]:
            if app.openapi_schema is None:
                document = generate()
                schemas = document.setdefault("components", {}).setdefault("schemas", {})
                models = {self.manners.errors, *(row.answers for row in self.operations if row.answers)}
                for model in sorted(models, key=lambda model: model.__name__):
                    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
                    schemas.update(schema.pop("$defs", {}))
                    schemas[model.__name__] = schema
                for path in document["paths"].values():
                    for described in path.values():
                        described["responses"].pop("422", None)
                for leftover in ("HTTPValidationError", "ValidationError"):
                    schemas.pop(leftover, None)
                document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
                document["security"] = [{"bearer": []}]
            assert app.openapi_schema is not None
            return app.openapi_schema

        app.openapi = openapi  # type: ignore[method-assign]


class _Threshold:
    """Stands before a face: names the request, bounds and checks its body, logs and counts the answer."""

    def __init__(self, app: App, manners: Manners) -> None:
        self._app = app
        self._manners = manners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        request_id = scope["rescind.request_id"] = str(uuid7())
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            body = await _checked_body(scope, receive)
            await self._app(_as_json(scope), _replay(body), sending)
        except Refusal as refusal:
            await self._manners.refusal(refusal)(scope, receive, sending)
        except Exception:  # noqa: BLE001 - the last resort: whatever it is, it is answered, logged and counted
            _log.exception("failed", request_id=request_id)
            if status == 0:
                await self._manners.plain(500, "internal error")(scope, receive, sending)
        # The route's template, never the path: ids are opaque, but a path may carry a token.
        route = getattr(scope.get("route"), "path", "")
        seconds = perf_counter() - began
        REQUEST_SECONDS.labels(scope["method"], route, status).observe(seconds)
        _log.info(
            "answered",
            request_id=request_id,
            method=scope["method"],
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
        )


async def _checked_body(scope: Scope, receive: Receive) -> bytes:
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
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
        _check_depth(value)
    except (ValueError, RecursionError):
        raise Invalid("the body is not well-formed JSON") from None
    return value


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


def _as_json(scope: Scope) -> Scope:
    """Read every body as JSON: clients send a content type with no body, and a body with the wrong one."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    scope["headers"] = [*headers, (b"content-type", b"application/json")]
    return scope


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _said(error: RequestValidationError) -> str:
    """What is wrong and where, without the value: it may be a password."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return f"`{where}`: {first['msg'].lower()}" if where else first["msg"].lower()


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
