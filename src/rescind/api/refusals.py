"""What every face says alike when it refuses: the status, and the headers that go with it."""

from typing import TypeVar

from fastapi import Response

from rescind.model.errors import (
    Changed,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refusal,
    TooMany,
    Unauthenticated,
    Unavailable,
)

Raised = TypeVar("Raised", bound=Exception)

_STATUS: dict[type[Refusal], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    Changed: 412,
    TooMany: 429,
    Unavailable: 503,
}


def detached(refused: Raised) -> Raised:
    """The same without where it was raised.

    What was raised in a thread and the call that waited for that hold each other, and with them all that was read of
    the request: up to megabytes, which nothing would free before the collector of circles looks for them.
    """
    refused.__traceback__ = refused.__context__ = None
    return refused


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal."""
    return next(status for kind, status in _STATUS.items() if isinstance(refusal, kind))


def headers_of(refusal: Refusal) -> dict[str, str]:
    """What tells a client how to go on."""
    if isinstance(refusal, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    if isinstance(refusal, Unavailable):
        return {"retry-after": "1", **({"rescind-outcome": "unknown"} if refusal.outcome_unknown else {})}
    return {}


def with_headers(response: Response, refusal: Refusal) -> Response:
    """The same response with them."""
    response.headers.update(headers_of(refusal))
    return response
