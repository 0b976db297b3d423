"""A door: one face as an application of its own, with its table, its manners and its OpenAPI document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib.metadata import version
from time import perf_counter
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.convertors import register_url_convertor
from starlette.exceptions import HTTPException
from starlette.routing import Match
from uuid_utils import uuid7

from rescind.api.body import (
    App,
    Gone,
    Message,
    Receive,
    Scope,
    Send,
    checked_body,
    is_urlencoded,
    json_of_form,
    replay,
    with_content_type,
)
from rescind.api.exchange import REQUEST_ID, Exchange, Operation, Previewed
from rescind.api.impacts import ImpactSaid
from rescind.api.metrics import REQUEST_SECONDS
from rescind.api.previews import PREVIEW_PARAMETERS, is_preview
from rescind.api.refusals import detached
from rescind.api.segments import Segment, parted
from rescind.model.errors import Invalid, NotFound, Refusal, Unavailable
from rescind.usecases.requirements import Acting

NO_CONTENT = 204
METHOD_NOT_ALLOWED = 405
_FORM = "application/x-www-form-urlencoded"
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

LOST = "rescind.lost"
"""Where the scope says that its request was given to a process that has ended since."""

register_url_convertor("segment", Segment())
_log = structlog.get_logger("rescind.http")


@dataclass(frozen=True, slots=True)
class Manners:
    """How one face says no. `refusal` maps a refusal to its status; `plain` says any status and text.

    `malformed` says what is wrong with a body or query, where the face has words of its own for that; with
    `admits_first` nobody learns that who may not make the call. `statuses` are those that any call may have
    besides the usual ones; `headers` of a status stand on each answer that
    has none of these.
    """

    refusal: Callable[[Refusal], Response]
    plain: Callable[[int, str], Response]
    errors: type[BaseModel]
    media_type: str = "application/json"
    malformed: Callable[[Sequence[Any]], Refusal] | None = None
    admits_first: bool = False
    statuses: tuple[int, ...] = ()
    headers: Callable[[int], Mapping[str, str]] = lambda _: {}


class Forms(Enum):
    """Whether a face takes HTML forms."""

    NEVER = auto()
    ONLY = auto()
    ALSO = auto()
    """A form is read as the JSON object that has its fields as strings."""


@dataclass(frozen=True, slots=True)
class Door:
    """One face, before it is opened on a service."""

    title: str
    prefix: str
    operations: Sequence[Operation]
    manners: Manners
    forms: Forms = Forms.NEVER
    description: str = ""
    places: tuple[str, ...] = ()
    """Paths outside the prefix that are the face's, too."""

    def prepare(self) -> None:
        """Make what all nodes of this process, and of those that it forks, have in common."""
        _application(self)

    def open(self, node: Mapping[str, object]) -> App:
        """The face on a node's parts, as an ASGI application."""
        return _Threshold(_application(self), self, node)


@cache
def _application(door: Door) -> FastAPI:
    """The face without a service: the same for every node of a process."""
    app = FastAPI(
        title=door.title,
        description=door.description,
        version=version("rescind"),
        openapi_url=f"{door.prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.operations = {operation.name: operation for operation in door.operations}
    for operation in door.operations:
        _route(app, door.manners, operation)
    _refuse_in_its_manners(app, door.manners)
    _document(app, door)
    return app


def _after_what_was_written(refusal: Refusal, scope: Scope) -> Refusal:
    """The refusal of a call that wrote before the database went away: nobody may take it for one that did not."""
    if isinstance(refusal, Unavailable) and scope.get("rescind.written"):
        return Unavailable(refusal.message, outcome_unknown=True)
    return refusal


def _refuse_in_its_manners(app: FastAPI, manners: Manners) -> None:
    async def refused(request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)
        return manners.refusal(_after_what_was_written(detached(refusal), request.scope))

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if manners.admits_first:
            exchange = Exchange(app.state.operations[request.scope["route"].name], request)
            try:
                await run_in_threadpool(exchange.admit)
            except NotFound:
                pass
            except Refusal as refusal:
                return manners.refusal(detached(refusal))
        said = manners.malformed(error.errors()) if manners.malformed else Invalid(_said(error))
        return manners.refusal(said)

    async def previewed(_: Request, found: Exception) -> Response:
        assert isinstance(found, Previewed)
        return detached(found).response

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = manners.plain(error.status_code, str(error.detail))
        if error.status_code == METHOD_NOT_ALLOWED:
            # The framework names the methods of the first row with this path alone.
            rows = [route for route in app.routes if route.matches(request.scope)[0] is not Match.NONE]
            response.headers["Allow"] = ", ".join(sorted({m for row in rows for m in getattr(row, "methods", ())}))
        return response

    async def broken(_: Request, __: Exception) -> Response:
        return manners.plain(500, "internal error")

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(Previewed, previewed)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(Exception, broken)


def _route(app: FastAPI, manners: Manners, operation: Operation) -> None:
    names_things = "{" in operation.path or operation.body_names
    statuses = [400, 401, 403, 503, *manners.statuses, *([404] if names_things else [])]
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "content": {manners.media_type: {"schema": _ref(manners.errors)}},
            "description": "Refused",
        }
        for status in statuses
    }
    if operation.refuses_in_text:
        responses[401]["content"]["text/plain"] = {"schema": {"type": "string"}}
    responses[operation.status] = {"description": "Done"}
    if operation.answers is not None:
        responses[operation.status]["content"] = {operation.media_type: {"schema": _ref(operation.answers)}}
    elif operation.status != NO_CONTENT:
        responses[operation.status]["content"] = {operation.media_type: {"schema": {}}}
    if operation.previews:
        _describe_preview(responses, manners)
    app.add_api_route(
        # A segment is decoded once, after the path was parted: an id may hold a slash.
        operation.path.replace("}", ":segment}"),
        operation.handler,
        methods=[operation.method],
        name=operation.name,
        status_code=operation.status,
        responses=responses,
        response_model=None,
        response_class=Response,
        operation_id=f"{operation.handler.__name__}",
        openapi_extra={"parameters": PREVIEW_PARAMETERS} if operation.previews else None,
        summary=(operation.usecase.__doc__ or "").strip().split("\n")[0],
        tags=[operation.usecase.__module__.rpartition(".")[2]],
    )


def _describe_preview(responses: dict[int | str, dict[str, Any]], manners: Manners) -> None:
    """Say what else a call that writes may answer."""
    changed = "The impact is no longer the one that `If-Match` names"
    responses[412] = {"content": {manners.media_type: {"schema": _ref(manners.errors)}}, "description": changed}
    described = responses.setdefault(200, {"description": "With `preview=true`: what the call would do"})
    content = described.setdefault("content", {}).setdefault("application/json", {})
    done = content.get("schema")
    content["schema"] = _ref(ImpactSaid) if done is None else {"anyOf": [done, _ref(ImpactSaid)]}


def _document(app: FastAPI, door: Door) -> None:
    """Say in the OpenAPI document what is so: our own errors in place of the framework's."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            models: set[type[BaseModel]] = {
                door.manners.errors,
                ImpactSaid,
                *(row.answers for row in door.operations if row.answers),
            }
            for model in sorted(models, key=lambda model: model.__name__):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            for path in document["paths"].values():
                for described in path.values():
                    described["responses"].pop("422", None)
            for row in door.operations:
                if row.requires.acting in (Acting.GUEST, Acting.CLIENT, Acting.NOBODY):
                    # The link in the path is the credential, or the body has one, or none is needed.
                    document["paths"][row.path][row.method.lower()]["security"] = []
            for leftover in ("HTTPValidationError", "ValidationError"):
                schemas.pop(leftover, None)
            document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"bearer": []}]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


class _Threshold:
    """Stands before a face: names the request, bounds and checks its body, logs and counts the answer."""

    def __init__(self, app: App, door: Door, node: Mapping[str, object]) -> None:
        self._app = app
        self._manners = door.manners
        self._forms = door.forms
        self._content_type = _FORM if door.forms is Forms.ONLY else "application/json"
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        scope.update(self._node)
        scope["path"] = parted(scope)
        request_id = scope.setdefault(REQUEST_ID, str(uuid7()))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {name for name, _ in message["headers"]}
                manners = [(name.encode(), value.encode()) for name, value in self._manners.headers(status).items()]
                more = [header for header in manners if header[0] not in said]
                message["headers"] = [*message["headers"], *more, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            _refuse_lost(scope)
            scope["rescind.preview"] = is_preview(scope)
            is_form = self._forms is Forms.ONLY or (self._forms is Forms.ALSO and is_urlencoded(scope))
            body = await checked_body(scope, receive, is_form=is_form)
            if is_form and self._forms is Forms.ALSO:
                body = json_of_form(body)
            await self._app(with_content_type(scope, self._content_type), replay(body), sending)
        except Gone:
            return
        except Refusal as refusal:
            await self._manners.refusal(detached(refusal))(scope, receive, sending)
        except Exception:  # noqa: BLE001 - the last resort: whatever it is, it is answered, logged and counted
            _log.exception("failed", request_id=request_id)
            if status == 0:
                await self._manners.plain(500, "internal error")(scope, receive, sending)
        # The route's template, never the path: ids are opaque, but a path may carry a token.
        route = getattr(scope.get("route"), "path_format", "")
        seconds = perf_counter() - began
        # Anybody can make up a method; a label for each would fill the memory.
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        REQUEST_SECONDS.labels(method, route, status).observe(seconds)
        _log.info(
            "answered",
            request_id=request_id,
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
        )


def _refuse_lost(scope: Scope) -> None:
    if scope.get(LOST):
        raise Unavailable("the process that was asked has ended", outcome_unknown=True)


def _said(error: RequestValidationError) -> str:
    """What is wrong and where, without the value: it may be a password."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return f"`{where}`: {first['msg'].lower()}" if where else first["msg"].lower()


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
