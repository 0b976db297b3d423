"""How the Auth0 face says no. Clients know the texts letter by letter."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from rescind.api.door import Manners
from rescind.api.refusals import status_of, with_headers
from rescind.model.errors import (
    BadToken,
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    MissingScope,
    NotFound,
    Refusal,
    TooMany,
    Unauthenticated,
)
from rescind.model.objects import ObjectKind
from rescind.usecases.tokens import NoToken

_NOT_FOUND = {
    ObjectKind.USER.label: ("The user does not exist.", "inexistent_user"),
    ObjectKind.ROLE.label: ("The role does not exist.", None),
    ObjectKind.ORGANIZATION.label: ("No organization found by that id or name", None),
    ObjectKind.API.label: ("The resource server does not exist", "inexistent_resource_server"),
    ObjectKind.PERMISSION.label: ("This permission does not exist", "inexistent_resource_server_permission"),
    ObjectKind.CLIENT.label: ("The client does not exist", "inexistent_client"),
    ObjectKind.CLIENT_GRANT.label: ("The grant does not exist.", "inexistent_client_grant"),
    ObjectKind.INVITATION.label: ("The invitation does not exist.", "inexistent_invitation"),
    ObjectKind.GROUP.label: ("Group not found.", None),
    ObjectKind.TOKEN_FAMILY.label: ("The refresh token does not exist.", "inexistent_refresh_token"),
}
_CONFLICT = {
    ObjectKind.USER.label: ("The user already exists.", "auth0_idp_error"),
    ObjectKind.ROLE.label: ("The role already exists.", None),
    ObjectKind.ORGANIZATION.label: ("An organization with this name already exists.", None),
    ObjectKind.API.label: ("A resource server with the same identifier already exists.", "resource_conflict"),
    # Auth0's own words.
    ObjectKind.CLIENT_GRANT.label: ("A resource server with the same identifier already exists.", None),
}
_CODES: Mapping[type[Refusal], str] = {
    Invalid: "invalid_body",
    Forbidden: "operation_not_supported",
    MissingScope: "insufficient_scope",
    TooMany: "too_many_requests",
}
_FAULTS = {
    Fault.SIGNATURE: "Invalid signature received for JSON Web Token validation",
    Fault.EXPIRED: "Expired token received for JSON Web Token validation",
}
_UNUSABLE = "Invalid token"
_OAUTH_STATUS = {"invalid_request": 400, "invalid_scope": 400, "unauthorized": 401, "too_many_attempts": 429}
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


class Failure(BaseModel):
    """The body of a refusal."""

    statusCode: int  # noqa: N815 - the dialect's own word
    error: str
    message: str
    errorCode: str = ""  # noqa: N815 - the dialect's own word


class OAuthFailure(BaseModel):
    """The body of a refusal of RFC 6749."""

    error: str
    error_description: str = ""


class Said(Refusal):
    """A refusal of this face alone, in its own words."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def headers(status: int) -> Mapping[str, str]:
    """What stands on every answer. There is no limiter: who asks is told that there is room.

    But not where he was refused: clients of this dialect try some refusals again, and wait for the reset first.
    """
    always = {
        "cache-control": "no-cache",
        "content-type": "application/json; charset=utf-8",
        "strict-transport-security": "max-age=31536000",
        "vary": "origin,accept-encoding",
        "x-content-type-options": "nosniff",
    }
    if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.TOO_MANY_REQUESTS:
        return always
    return {
        **always,
        "x-ratelimit-limit": "50",
        "x-ratelimit-remaining": "49",
        "x-ratelimit-reset": str(int(time.time()) + 1),
    }


def said(status: int, message: str, code: str | None = None, **more: Any) -> Response:
    """A refusal as this face says it."""
    body = {"statusCode": status, "error": HTTPStatus(status).phrase, "message": message, **more}
    if code:
        body["errorCode"] = code
    return Response(json.dumps(body), status, media_type="application/json; charset=utf-8")


def _refusal(refusal: Refusal) -> Response:
    status = refusal.status if isinstance(refusal, Said) else status_of(refusal)
    if isinstance(refusal, Unauthenticated):
        return with_headers(_unauthenticated(status, refusal), refusal)
    return with_headers(said(status, *_words(refusal)), refusal)


def _unauthenticated(status: int, refusal: Unauthenticated) -> Response:
    if isinstance(refusal, BadToken) and refusal.fault in _FAULTS:
        return said(status, _FAULTS[refusal.fault])
    if refusal.message == "missing credential":
        return said(status, "Missing authentication")
    return said(status, _UNUSABLE, attributes={"error": _UNUSABLE})


def _words(refusal: Refusal) -> tuple[str, str | None]:
    """What is said of a refusal, and its code."""
    text, code = refusal.message, _CODES.get(type(refusal))
    match refusal:
        case Said():
            code = refusal.code
        case MissingScope():
            text = f"Insufficient scope, expected any of: {','.join(refusal.scopes)}"
        case NotFound():
            text, code = _NOT_FOUND.get(refusal.what, ("Not found", None))
            text = f"{text}: '{refusal.name}'" if refusal.name else text
        case Conflict():
            text, code = _CONFLICT.get(refusal.what, (text, None))
        case _:
            pass
    return text, code


def _plain(status: int, text: str) -> Response:
    return said(status, text)


def _oauth_refusal(refusal: Refusal) -> Response:
    match refusal:
        case NoToken():
            return _oauth(_OAUTH_STATUS.get(refusal.error, 403), refusal.error, refusal.message)
        case BadToken():
            response = Response("Unauthorized", 401, media_type="text/plain")
            response.headers["WWW-Authenticate"] = 'Bearer realm="Users", error="invalid_token"'
            return response
        case Unauthenticated():
            return _oauth(401, "access_denied", "Unauthorized")
        case TooMany():
            return _oauth(429, "too_many_attempts", refusal.message)
        case Invalid() | Said():
            return _oauth(400, "invalid_request", refusal.message)
        case _:
            return with_headers(_oauth(status_of(refusal), "server_error", refusal.message), refusal)


def _oauth(status: int, error: str, description: str) -> Response:
    body = json.dumps({"error": error, "error_description": description})
    return Response(
        body, status, {"cache-control": "no-store", "pragma": "no-cache"}, media_type="application/json; charset=utf-8"
    )


def _oauth_plain(status: int, text: str) -> Response:
    return _oauth(status, "not_found" if status == HTTPStatus.NOT_FOUND else "invalid_request", text)


# --- what is wrong with a body or a query ---------------------------------------------------------------------------


def malformed(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """What is wrong, and where, in the words of the dialect; never the value, which may be a secret."""
    where = errors[0]["loc"][0]
    if where == "query":
        text = _detail(errors[0])
        return Said(
            400, f"Query validation error: '{text}' on property {errors[0]['loc'][-1]}.", "invalid_query_string"
        )
    if where == "path":
        return Said(400, f"Path validation error: '{_detail(errors[0])}' on property id.", "invalid_uri")
    extra = [str(error["loc"][-1]) for error in errors if error["type"] == "extra_forbidden"]
    if extra and errors[0]["type"] == "extra_forbidden":
        return _invalid_body(f"Additional properties not allowed: {','.join(extra)}", errors[0]["loc"][1:-1])
    first = errors[0]
    path = first["loc"][1:-1] if first["type"] == "missing" else first["loc"][1:]
    return _invalid_body(_detail(first), path)


def _invalid_body(detail: str, path: Sequence[str | int]) -> Said:
    place = ""
    for part in path:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    on = f" on property {place}" if place else ""
    return Said(400, f"Payload validation error: '{detail}'{on}.", "invalid_body")


def _type_of(value: Any) -> str:
    return "null" if value is None else _TYPES.get(type(value), "object")


def _wrong_type(expected: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda error: f"Expected type {expected} but found type {_type_of(error.get('input'))}"


def _context(template: str) -> Callable[[Mapping[str, Any]], str]:
    def said(error: Mapping[str, Any]) -> str:
        value = error.get("input")
        return template.format(**(error.get("ctx") or {}), length=len(value) if isinstance(value, str | list) else 0)

    return said


_DETAILS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda error: (
        f"Missing required property: {error['loc'][-1]}"
        if len(error["loc"]) > 1
        else "Expected type object but found type null"
    ),
    "list_type": _wrong_type("array"),
    "string_type": _wrong_type("string"),
    "bool_type": _wrong_type("boolean"),
    "int_type": _wrong_type("integer"),
    "dict_type": _wrong_type("object"),
    "model_type": _wrong_type("object"),
    "model_attributes_type": _wrong_type("object"),
    "too_short": _context("Array is too short ({length}), minimum {min_length}"),
    "too_long": _context("Array is too long ({length}), maximum {max_length}"),
    "string_too_short": _context("String is too short ({length} chars), minimum {min_length}"),
    "string_too_long": _context("String is too long ({length} chars), maximum {max_length}"),
    "greater_than_equal": _context("Value is less than minimum {ge}"),
    "less_than_equal": _context("Value is greater than maximum {le}"),
    "literal_error": _context("No enum match, expected one of: {expected}"),
    "string_pattern_mismatch": _context("String does not match pattern {pattern}"),
}


def _detail(error: Mapping[str, Any]) -> str:
    known = _DETAILS.get(error["type"])
    return known(error) if known else str(error["msg"])


MANNERS = Manners(
    _refusal, _plain, Failure, malformed=malformed, admits_first=True, headers=headers, statuses=(409, 429)
)
OAUTH_MANNERS = Manners(
    _oauth_refusal, _oauth_plain, OAuthFailure, malformed=malformed, headers=headers, statuses=(429,)
)
