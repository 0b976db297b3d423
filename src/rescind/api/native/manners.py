"""How `/v1` says no: RFC 9457, `application/problem+json`."""

from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from rescind.api.door import Manners
from rescind.api.refusals import status_of, with_headers
from rescind.model.errors import NotFound, Refusal
from rescind.usecases.actor import LIVING_LINK

_MEDIA_TYPE = "application/problem+json"


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
    text = refusal.message
    if isinstance(refusal, NotFound) and refusal.what == LIVING_LINK:
        text = "this link is unknown, was used, or has expired"
    return with_headers(_plain(status_of(refusal), text), refusal)


MANNERS = Manners(_refusal, _plain, Problem, _MEDIA_TYPE)
