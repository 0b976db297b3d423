"""How `/v1` says no: RFC 9457, `application/problem+json`."""

from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from rescind.api.door import Manners
from rescind.model.errors import (
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
    UnknownAddress,
)

_MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[Refusal], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    UnknownAddress: 401,
    Forbidden: 403,
    NotFound: 404,
    Gone: 410,
    Unavailable: 503,
}


class Problem(BaseModel):
    """RFC 9457, with `type` left at `about:blank`: the status says it."""

    model_config = ConfigDict(extra="forbid")

    title: str
    status: int
    detail: str


def _plain(status: int, text: str) -> Response:
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=text)
    return Response(body.model_dump_json(), status, media_type=_MEDIA_TYPE)


def _refusal(refusal: Refusal) -> Response:
    response = _plain(_STATUS[type(refusal)], refusal.message)
    if isinstance(refusal, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, Unavailable):
        response.headers["Retry-After"] = "1"
        if refusal.outcome_unknown:
            response.headers["Rescind-Outcome"] = "unknown"
    return response


MANNERS = Manners(_refusal, _plain, Problem, _MEDIA_TYPE)
