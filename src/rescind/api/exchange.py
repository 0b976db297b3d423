"""One request on its way: the row of its door's table, and what a handler does with both."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import signature
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from rescind.api.cursors import Cursors
from rescind.api.impacts import impact_said
from rescind.api.mail import Mail
from rescind.api.metrics import CHANGES
from rescind.api.previews import GROUPS
from rescind.engine.freshness import Moment
from rescind.model.errors import Invalid
from rescind.settings import Settings
from rescind.store.contract import Page, Window
from rescind.store.logins import Logins
from rescind.usecases.actor import Asking, ClientProof, verifier_of
from rescind.usecases.impacts import Impact
from rescind.usecases.issuer import Issuer
from rescind.usecases.requirements import Acting, Requirement
from rescind.usecases.service import Answer, Call, Service, operation_of
from rescind.usecases.unit import Unit, View
from rescind.usecases.verbs import Verbs

P = ParamSpec("P")
Result = TypeVar("Result")

_JSON = "application/json; charset=utf-8"
REQUEST_ID = "rescind.request_id"
"""Where the scope of a request has its id, if need be given before it comes to a door."""
_USER_AGENT_LENGTH_MAX = 512
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a door's table: what a call does, what it requires, and how it is answered.

    `number` is the row's number in the contract, where there is one; `body_names` says that objects which may be
    unknown are named by the body of a call whose path names none; `also` are further use cases, where the call decides
    which one it is. With `refuses_in_text` whom it does not know is told so in plain text. With `is_preview` it plans a
    write and never writes.
    """

    number: int
    method: str
    path: str
    usecase: Callable[..., Any]
    requires: Requirement
    handler: Callable[..., Response]
    status: int = 200
    answers: type[BaseModel] | None = None
    media_type: str = "application/json"
    body_names: bool = False
    also: tuple[Callable[..., Any], ...] = ()
    refuses_in_text: bool = False
    is_preview: bool = False

    @property
    def name(self) -> str:
        """What tells the row from every other."""
        return f"{self.method} {self.path}"

    @property
    def previews(self) -> bool:
        """Whether the call can be previewed: whatever writes, and is made by somebody who may be shown it."""
        return (
            writes(self.usecase)
            and not self.is_preview
            and self.requires.acting not in (Acting.GUEST, Acting.CLIENT, Acting.NOBODY)
        )


@cache
def writes(usecase: Callable[..., Any]) -> bool:
    """Whether a use case plans a write."""
    return next(iter(signature(usecase).parameters.values())).annotation is Unit


class Previewed(Exception):  # noqa: N818 - nothing went wrong: it is the way past everything that would follow a write
    """A write was previewed: `response` says what it would do."""

    def __init__(self, response: Response) -> None:
        super().__init__("previewed")
        self.response = response


class Exchange:
    """One request on its way through a handler: runs the row's use case, and replies from when that is true.

    `mail` is the node's way to send some, `settings` how it runs, `logins` what was tried to come in, `verbs` what can
    be asked for by name.
    """

    def __init__(self, operation: Operation, request: Request) -> None:
        self._scope = request.scope
        self._service: Service = request.scope["rescind.service"]
        self._cursors: Cursors = request.scope["rescind.cursors"]
        self.mail: Mail = request.scope["rescind.mail"]
        self.settings: Settings = request.scope["rescind.settings"]
        self.logins: Logins = request.scope["rescind.logins"]
        self.user_agent: str = request.headers.get("user-agent", "")[:_USER_AGENT_LENGTH_MAX]
        self.verbs: Verbs = request.scope["rescind.verbs"]
        self._operation = operation
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        asking = Asking(
            request.scope[REQUEST_ID],
            token.strip() if scheme.lower() == "bearer" else None,
            request.client.host if request.client else "",
        )
        target_id = next(iter(request.path_params.values()), "")
        self._is_preview: bool = request.scope.get("rescind.preview", False)
        impact = _impact_of(request.headers.getlist("if-match"))
        if not operation.previews and (self._is_preview or (impact is not None and request.method != "GET")):
            raise Invalid("this call has no preview")
        # Who manages the platform goes on with a list after his token was renewed.
        whose = "" if operation.requires.acting in (Acting.PLATFORM, Acting.WITHIN) else verifier_of(asking.token or "")
        self._list_name = f"{request.url.path} {whose}"
        groups = request.query_params.get(GROUPS, "") if self._is_preview or operation.is_preview else ""
        self._call = Call(asking, operation.requires, target_id, impact or "", self.groups_from(groups))
        self._headers: dict[str, str] = {}
        self._written: Answer[Any] | None = None

    def read(self, usecase: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run the row's use case, which reads."""
        assert usecase in (self._operation.usecase, *self._operation.also)
        answer = self._service.read(self._call, usecase, *args, **kwargs)
        self._headers["Rescind-Revision"] = str(answer.moment.revision)
        self._headers["Rescind-Instant"] = str(answer.moment.instant)
        return answer.result

    def read_across(
        self,
        when: Callable[[View], Sequence[Moment]],
        usecase: Callable[Concatenate[View, Sequence[View], P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Run the row's use case, which reads at other moments, too."""
        assert usecase in (self._operation.usecase, *self._operation.also)
        answer = self._service.read_across(self._call, when, usecase, *args, **kwargs)
        self._headers["Rescind-Revision"] = str(answer.moment.revision)
        self._headers["Rescind-Instant"] = str(answer.moment.instant)
        return answer.result

    def write(self, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run the row's use case, which writes."""
        assert usecase in (self._operation.usecase, *self._operation.also)
        if self._is_preview:
            previewed = self._service.preview(self._call, usecase, *args, **kwargs)
            raise Previewed(self._previewed(previewed, operation_of(usecase)))
        answer = self._service.write(self._call, usecase, *args, **kwargs)
        self._headers["Rescind-Revision"] = str(answer.moment.revision)
        if answer.change is not None:
            self._headers["Rescind-Change"] = f"/v1/changes/{answer.change.revision}"
            CHANGES.inc()
            self._scope["rescind.written"] = True
        self._written = answer
        return answer.result

    def preview(
        self, operation: str, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Response:
        """Say what an operation, by its name in the log, would do, which the row's use case plans."""
        assert usecase in (self._operation.usecase, *self._operation.also)
        return self._previewed(self._service.preview(self._call, usecase, *args, **kwargs), operation)

    def _previewed(self, answer: Answer[Impact], operation: str) -> Response:
        headers = {
            "Rescind-Revision": str(answer.moment.revision),
            "Rescind-Instant": str(answer.moment.instant),
            "Cache-Control": "no-store",
            "ETag": f'"{answer.result.digest}"',
        }
        said = impact_said(answer.result, operation, answer.moment, self.groups_after(answer.result))
        return Response(said.model_dump_json(), 200, headers, media_type=_JSON)

    @property
    def operation(self) -> Operation:
        """The row of the table."""
        return self._operation

    @property
    def written(self) -> Answer[Any] | None:
        """What the call wrote, if it has."""
        return self._written

    @property
    def issuer(self) -> Issuer:
        """Who the server is to clients."""
        return self._service.issuer

    @property
    def asking(self) -> Asking:
        """What is presented, and from where."""
        return self._call.asking

    @property
    def target_id(self) -> str:
        """What the call is about, as it was named."""
        return self._call.target_id

    def admit(self) -> None:
        """Refuse who may not make this call, whatever is wrong with it."""
        self._service.admit(self._call)

    def prove(self, client: ClientProof) -> None:
        """Take a client's proof from the body, or from wherever it was."""
        self._call = replace(self._call, asking=replace(self._call.asking, client=client))

    def present(self, token: str | None) -> None:
        """Take the credential from elsewhere, where the header that is meant for one has none."""
        if self._call.asking.token is None:
            self._call = replace(self._call, asking=replace(self._call.asking, token=token))

    def target(self, identifier: str) -> None:
        """Say what the call is about, where its path names nothing."""
        self._call = replace(self._call, target_id=identifier)

    def before(self, view: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """See something under the row's requirement, or be refused now, before something costly is done for it."""
        return self._service.read(self._call, view, *args, **kwargs).result

    def look(self, view: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        """See what the write left behind, for its reply."""
        assert self._written is not None
        return self._service.look(self._written, view, *args, **kwargs)

    def window(self, cursor: str, limit: int, about: str = "") -> Window:
        """The part of a list that a cursor names. Raises `Invalid` for one that this list did not give.

        `about` is what the list is made by, besides its path.
        """
        return self._cursors.window(cursor, limit, self._list_name + about)

    def onward(self, place: int | None, about: str) -> str:
        """The cursor of what comes after a place in such a list; empty for none."""
        return self._cursors.after(place, self._list_name + about)

    def groups_from(self, cursor: str) -> int:
        """The first group of an impact that is asked for. Raises `Invalid` as `window` does."""
        return self.window(cursor, 1, GROUPS).after or 0

    def groups_after(self, impact: Impact) -> str:
        """The cursor of the groups that come after those of an impact; empty for none."""
        return self.onward(impact.next_group, GROUPS)

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

    def say(self, value: Any, **headers: str) -> Response:
        """The answer, of members that are what they are, with the row's status."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return Response(text, self._operation.status, {**self._headers, **headers}, media_type=_JSON)

    def reply_text(self, text: str) -> Response:
        """The answer in the row's own form."""
        return Response(text, self._operation.status, self._headers, media_type=self._operation.media_type)


def _impact_of(headers: list[str]) -> str | None:
    """The digest in `If-Match`. Raises `Invalid` for what is none: nobody may think that it was looked at."""
    if not headers:
        return None
    digest = headers[0].strip().removeprefix('"').removesuffix('"')
    if len(headers) > 1 or not _DIGEST.fullmatch(digest):
        raise Invalid("`If-Match` must be the digest of an impact")
    return digest


async def _exchange(request: Request) -> Exchange:
    scope = request.scope
    return Exchange(request.app.state.operations[scope["route"].name], request)


Here = Annotated[Exchange, Depends(_exchange)]
