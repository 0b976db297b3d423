"""The AuthZEN face: an ASGI application of its own, in front of the others, because it is asked most of all."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import msgspec
import structlog
from msgspec import UNSET
from msgspec.json import Decoder
from starlette.exceptions import HTTPException
from uuid_utils import uuid7

from rescind.api.authzen import wire
from rescind.api.authzen.callers import Caller, Callers, caller_of
from rescind.api.body import BODY_BYTES_MAX, Gone, Receive, Scope, Send, whole_body
from rescind.api.cursors import Cursors
from rescind.api.metrics import REQUEST_SECONDS, Tally
from rescind.api.refusals import detached, headers_of, status_of
from rescind.engine.decisions import Decisions, Question, Wanted
from rescind.engine.freshness import Moment
from rescind.model.errors import Invalid, Refusal, Unauthenticated
from rescind.store.contract import Reader, Store, Window
from rescind.usecases import searches, signing
from rescind.usecases.actor import Asking
from rescind.usecases.decision_points import EVALUATE, SEARCH
from rescind.usecases.issuer import Issuer
from rescind.usecases.questions import weigh
from rescind.usecases.searches import Catalogue, Found

PREFIX = "/access/v1"
METADATA = "/.well-known/authzen-configuration"
_ONE, _BATCH = f"{PREFIX}/evaluation", f"{PREFIX}/evaluations"
_SUBJECT, _RESOURCE, _ACTION = f"{PREFIX}/search/subject", f"{PREFIX}/search/resource", f"{PREFIX}/search/action"
_ANSWERED = {
    path: Tally(REQUEST_SECONDS.labels("POST", path, 200)) for path in (_ONE, _BATCH, _SUBJECT, _RESOURCE, _ACTION)
}
_LOADS_MAX = 4
"""What a question hangs on is read so often, while others write, before it is answered without the engine."""
BATCH_BYTES_MAX = 8 * BODY_BYTES_MAX

_TRUE, _FALSE = b'{"decision":true}', b'{"decision":false}'
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger("rescind.http")

_SUBJECTS, _RESOURCES, _ACTIONS = (
    Decoder(wire.SubjectSearch),
    Decoder(wire.ResourceSearch),
    Decoder(wire.ActionSearch),
)


@dataclass(slots=True)
class _Request:
    """One request: what it presents, where it comes from, and its body."""

    token: str = field(repr=False)
    address: str
    body: bytes


Headers = list[tuple[bytes, bytes]]
_Answered = tuple[bytes, Moment]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the face is put together of; `catalogue` says which actions our own doors know."""

    store: Store
    decisions: Decisions
    cursors: Cursors
    issuer: Issuer
    catalogue: Catalogue


class AuthZen:
    """The five endpoints and the metadata of one node."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._decisions = parts.decisions
        self._callers = Callers(parts.store, parts.decisions.touches, parts.issuer)
        self._cursors = parts.cursors
        self._issuer = parts.issuer
        self._catalogue = parts.catalogue
        self._endpoints: dict[str, Callable[[_Request], Awaitable[_Answered]]] = {
            _ONE: self._evaluate,
            _BATCH: self._evaluate_many,
            _SUBJECT: self._search_subjects,
            _RESOURCE: self._search_resources,
            _ACTION: self._search_actions,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = perf_counter()
        path = scope["path"] if scope["path"] in self._endpoints or scope["path"] == METADATA else ""
        headers: Headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        status = 200
        try:
            body = await self._answer(path, scope, receive, headers)
        except Gone:
            return
        except Refusal as refusal:
            status = status_of(refusal)
            body = _refused(status, detached(refusal).message)
            headers += _headers_of(refusal)
        except HTTPException as error:
            status, body = error.status_code, _refused(error.status_code, error.detail)
            headers += [(name.encode(), value.encode()) for name, value in (error.headers or {}).items()]
        except Exception:  # noqa: BLE001 - the last resort: whatever it is, it is answered and logged
            _log.exception("failed", route=path)
            status, body = 500, _refused(500, "internal error")
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        tally = _ANSWERED.get(path) if status == 200 else None
        (tally or REQUEST_SECONDS.labels("POST", path, status)).observe(perf_counter() - began)

    async def _answer(self, path: str, scope: Scope, receive: Receive, headers: Headers) -> bytes:
        """The body of the answer; headers that it comes with are added to `headers`."""
        content_type, token = b"", None
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = _bearer(value)
            elif name == b"content-type":
                content_type = value
            elif name == b"x-request-id":
                headers.append((name, value))
        if not path:
            raise HTTPException(404, "not found")
        endpoint = self._endpoints.get(path)
        if scope["method"] not in (("POST",) if endpoint else ("GET", "HEAD")):
            raise HTTPException(405, "method not allowed", {"allow": "POST" if endpoint else "GET"})
        if endpoint is None:
            return await self._describe()
        if token is None:
            raise Unauthenticated("missing credential")
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise Invalid("the content type must be application/json")
        text = await whole_body(receive, BATCH_BYTES_MAX if path == _BATCH else BODY_BYTES_MAX)
        address = scope["client"][0] if scope["client"] else ""
        body, moment = await endpoint(_Request(token, address, text))
        headers.append((b"rescind-revision", b"%d" % moment.revision))
        headers.append((b"rescind-instant", b"%d" % moment.instant))
        return body

    async def _evaluate(self, request: _Request) -> _Answered:
        # First the moment, for which many wait together: what is read from a body now is still at hand when it is used.
        await self._decisions.pulse.now()
        asked = wire.evaluation(request.body)
        # As in `_scope`: nearly every caller is known, and a step into another coroutine costs more than to find that.
        caller = caller_of(request.token, request.address, EVALUATE, asked.context.get("organization"))
        scope = self._callers.scope(caller)
        if scope is None:
            scope = await self._admit(caller, request)
        answer, moment = self._decisions.known(asked, scope), self._decisions.moment
        if answer is None:
            (answer,), moment = await self._answers([asked], [scope])
        return _TRUE if answer else _FALSE, moment

    async def _evaluate_many(self, request: _Request) -> _Answered:
        await self._decisions.pulse.now()
        items, asked, semantic = wire.evaluations(request.body)
        if not items:
            return await self._evaluate(request)
        scopes = await self._scopes(request, [one.context.get("organization") for one in asked])
        decided, moment = await self._answers(asked, scopes) if asked else ([], self._decisions.moment)
        if len(asked) == len(items) and semantic == wire.ALL:
            return b'{"evaluations":[%b]}' % b",".join([_TRUE if one else _FALSE for one in decided]), moment
        answers = iter(decided)
        results: list[Any] = []
        for item in items:
            allowed: bool | None = False
            if isinstance(item, Invalid):
                results.append({"decision": False, "context": {"error": {"status": 400, "message": item.message}}})
            else:
                allowed = next(answers)
                results.append({"decision": allowed})
            if (semantic == wire.UNTIL_DENIED and not allowed) or (semantic == wire.UNTIL_PERMITTED and allowed):
                break
        return _encode({"evaluations": results}), moment

    async def _search_subjects(self, request: _Request) -> _Answered:
        asked = wire.read(_SUBJECTS, request.body)

        def ask(scope: int) -> Question:
            return _question(scope, wire.Entity(asked.subject.type, ""), asked.action, asked.resource, asked.context)

        def say(name: str) -> Any:
            return {"type": asked.subject.type, "id": name}

        return await self._search(request, asked, ask, searches.subjects, say)

    async def _search_resources(self, request: _Request) -> _Answered:
        asked = wire.read(_RESOURCES, request.body)

        def ask(scope: int) -> Question:
            return _question(scope, asked.subject, asked.action, wire.Entity(asked.resource.type, ""), asked.context)

        def say(name: str) -> Any:
            return {"type": asked.resource.type, "id": name}

        return await self._search(request, asked, ask, searches.resources, say)

    async def _search_actions(self, request: _Request) -> _Answered:
        asked = wire.read(_ACTIONS, request.body)

        def ask(scope: int) -> Question:
            return _question(scope, asked.subject, wire.Action(""), asked.resource, asked.context)

        def say(name: str) -> Any:
            return {"name": name}

        search = partial(searches.actions, catalogue=self._catalogue)
        return await self._search(request, asked, ask, search, say)

    async def _search(
        self,
        request: _Request,
        asked: Any,
        ask: Callable[[int], Question],
        search: Callable[[Reader, Question, Window], Found],
        say: Callable[[str], Any],
    ) -> _Answered:
        await self._decisions.pulse.now()
        scope = await self._scope(request, SEARCH, asked.context.get("organization"))
        page = wire.Page() if asked.page is UNSET else asked.page
        question = ask(scope)
        token, limit = _place(page)
        # A token goes on with the list that it came from, and with no other.
        list_name = json.dumps([type(asked).__name__, limit, msgspec.to_builtins(question)], sort_keys=True)
        window = self._cursors.window(token, limit, list_name, size_max=wire.PAGE_MAX)
        moment = self._decisions.moment

        def run() -> Found:
            with self._store.reading(moment.revision, moment.instant) as reader:
                return search(reader, question, window)

        found = await asyncio.get_running_loop().run_in_executor(None, run)
        answer: dict[str, Any] = {"results": [say(name) for name in found.names]}
        if asked.page is not UNSET or found.after is not None:
            onward = self._cursors.after(found.after, list_name)
            answer = {
                "page": {"next_token": f"{limit}.{onward}" if onward else "", "count": len(found.names)},
                **answer,
            }
        return _encode(answer), moment

    async def _describe(self) -> bytes:
        moment = await self._decisions.pulse.now()
        base = self._issuer.url.rstrip("/")
        said = {
            "policy_decision_point": base,
            "access_evaluation_endpoint": base + _ONE,
            "access_evaluations_endpoint": base + _BATCH,
            "search_subject_endpoint": base + _SUBJECT,
            "search_resource_endpoint": base + _RESOURCE,
            "search_action_endpoint": base + _ACTION,
        }

        def sign() -> str:
            with self._store.reading(moment.revision, moment.instant) as reader:
                claims = {"iss": self._issuer.url, **said}
                return signing.sign(reader, self._issuer, claims, algorithm="RS256", token_type="JWT")  # noqa: S106 - a header

        signed = await asyncio.get_running_loop().run_in_executor(None, sign)
        return _encode({**said, "signed_metadata": signed})

    async def _scope(self, request: _Request, action: str, organization: object) -> int:
        """The scope in which the caller may ask. Raises any refusal."""
        caller = caller_of(request.token, request.address, action, organization)
        known = self._callers.scope(caller)
        return await self._admit(caller, request) if known is None else known

    async def _admit(self, caller: Caller, request: _Request) -> int:
        """The same for a caller of whom it is not known."""
        asking = Asking(str(uuid7()), request.token, request.address)
        admit = partial(self._callers.admit, caller, asking, self._decisions.touches.stand)
        scope, made = await asyncio.get_running_loop().run_in_executor(None, admit)
        self._callers.keep(caller, made)
        return scope

    async def _scopes(self, request: _Request, organizations: Sequence[object]) -> list[int]:
        """The scope in which the caller may ask, for each of those that he names. Raises any refusal."""
        if organizations.count(None) == len(organizations):
            return [await self._scope(request, EVALUATE, None)] * len(organizations)
        # What is no name is nobody's organization.
        names = ["" if name is not None and not isinstance(name, str) else name for name in organizations]
        found = {name: await self._scope(request, EVALUATE, name) for name in set(names)}
        return [found[name] for name in names]

    async def _answers(
        self, asked: Sequence[wire.Evaluation], scopes: Sequence[int]
    ) -> tuple[Sequence[bool | None], Moment]:
        """Decide all at one moment, the newest when the last thing that was missing had been read."""
        loop, decisions = asyncio.get_running_loop(), self._decisions
        for _ in range(_LOADS_MAX):
            known = decisions.all_known(asked, scopes)
            if None not in known:
                return known, decisions.moment
            wanted: set[Wanted] = set()
            answers = [
                decisions.answer(_asked(one, scope), wanted) if answer is None else answer
                for answer, one, scope in zip(known, asked, scopes, strict=True)
            ]
            if not wanted:
                return answers, decisions.moment
            load = partial(decisions.load, wanted, decisions.touches.stand)
            decisions.keep(await loop.run_in_executor(decisions.pulse.thread, load))
        # So much is written meanwhile that what is read is never the newest: then as of one moment, and not kept.
        moment = decisions.moment
        questions = list(map(_asked, asked, scopes))
        return await loop.run_in_executor(None, self._weighed, questions, moment), moment

    def _weighed(self, questions: Sequence[Question], moment: Moment) -> list[bool]:
        with self._store.reading(moment.revision, moment.instant) as reader:
            asked = [weigh(reader, question) for question in questions]
            return [one is not None and one.decision.allowed for one in asked]


def _asked(one: wire.Evaluation, scope: int) -> Question:
    return _question(scope, one.subject, one.action, one.resource, one.context)


def _question(
    scope: int, subject: wire.Entity, action: wire.Action, resource: wire.Entity, context: wire.Properties
) -> Question:
    return Question(
        scope,
        subject.type,
        subject.id,
        action.name,
        resource.type,
        resource.id,
        {} if subject.properties is UNSET else subject.properties,
        {} if action.properties is UNSET else action.properties,
        {} if resource.properties is UNSET else resource.properties,
        context,
    )


def _place(page: wire.Page) -> tuple[str, int]:
    """The cursor in a token, and how many results are wanted: as many as before, where that is not said again."""
    said = None if page.limit is UNSET else page.limit
    if said is not None and said < 1:
        raise Invalid("`page.limit` must be at least 1")
    if not page.token:
        return "", min(said or wire.PAGE_MAX, wire.PAGE_MAX)
    number, _, cursor = page.token.partition(".")
    known = int(number) if number.isascii() and number.isdigit() and len(number) <= 4 else 0
    if not cursor or not 1 <= known <= wire.PAGE_MAX or (said is not None and min(said, wire.PAGE_MAX) != known):
        raise Invalid("unknown `page.token`")
    return cursor, known


def _bearer(value: bytes) -> str | None:
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _refused(status: int, message: str) -> bytes:
    return _encode({"status": status, "message": message})


def _headers_of(refusal: Refusal) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers_of(refusal).items()]
