"""What every face says alike when it refuses: the status, and the headers that go with it."""

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
