"""One request to the Management API: its credential is a JSON Web Token, and what it wrote leaves a trace."""

import json
from json import JSONDecodeError
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from rescind.api.auth0.manners import Said
from rescind.api.auth0.titles import title_of
from rescind.api.exchange import Exchange, Operation
from rescind.store.contract import Login
from rescind.usecases.actor import Actor

_SECRETS = ("password", "client_secret", "signing_secret", "token", "refresh_token")
_HIDDEN = "*****"


class ManagementExchange(Exchange):
    """A request to the Management API."""

    def __init__(self, operation: Operation, request: Request, body: bytes) -> None:
        super().__init__(operation, request)
        header = request.headers.get("authorization")
        if header is not None:
            token = self.asking.token or ""
            if token.count(".") != 2 or " " in token:
                raise Said(400, "Bad HTTP authentication header format", "Bearer")
        self._called = {
            "method": request.method.lower(),
            "path": request.url.path,
            "query": {name: value for name, value in request.query_params.items() if name not in _SECRETS},
            "body": _without_secrets(body),
            "ip": self.asking.address,
            "userAgent": self.user_agent,
            "channel": "api",
        }

    def reply(self, body: BaseModel | None = None) -> Response:
        """The answer, and a trace of a call that wrote."""
        return self._traced(super().reply(body))

    def say(self, value: Any, **headers: str) -> Response:
        """The same, of members that are what they are."""
        return self._traced(super().say(value, **headers))

    def _traced(self, response: Response) -> Response:
        written = self.written
        if written is None or not isinstance(written.asked, Actor):
            return response
        actor = written.asked
        credentials = {"credentials": {"scopes": sorted(actor.scopes or ())}, "strategy": "jwt", "user": {}}
        details = {
            "user_agent": self.user_agent,
            "description": title_of(self.operation),
            "request": {**self._called, "auth": credentials},
            "response": {"statusCode": response.status_code},
        }
        self.logins.note(
            Login(
                written.moment.instant,
                written.moment.revision,
                "sapi",
                self.asking.address,
                self.asking.request_id,
                user=None if actor.is_client else actor.user.key,
                client=actor.credential.key,
                details=json.dumps(details, ensure_ascii=False, separators=(",", ":")),
            )
        )
        return response


async def _with_token(request: Request) -> Exchange:
    operation = request.app.state.operations[request.scope["route"].name]
    return ManagementExchange(operation, request, await request.body())


Here = Annotated[Exchange, Depends(_with_token)]


def _without_secrets(body: bytes) -> Any:
    """What may be kept of a body."""
    try:
        read = json.loads(body) if body else {}
    except JSONDecodeError:
        return {}
    if not isinstance(read, dict):
        return read
    return {name: _HIDDEN if name in _SECRETS else value for name, value in read.items()}
