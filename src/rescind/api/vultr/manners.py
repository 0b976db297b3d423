"""How the Vultr face says no, counts pages and writes dates."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.door import Manners
from rescind.api.exchange import Exchange
from rescind.api.vultr import wire
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
from rescind.model.objects import ObjectKind
from rescind.store.contract import Page
from rescind.usecases.allow_lists import ENTRY
from rescind.usecases.trusts import ISSUER

_STATUS: dict[type[Refusal], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    UnknownAddress: 401,
    Forbidden: 403,
    NotFound: 404,
    Gone: 410,
    Unavailable: 503,
}

# Terraform recognizes a missing object by these texts, letter by letter.
NOT_FOUND = {
    ObjectKind.ORGANIZATION.label: "Organization not found.",
    ObjectKind.USER.label: "Invalid user ID",
    ObjectKind.GROUP.label: "Group not found",
    ObjectKind.ROLE.label: "Role not found",
    ObjectKind.POLICY.label: "Policy not found",
    ObjectKind.API_KEY.label: "Invalid API key ID",
    ObjectKind.ROLE_TRUST.label: "Role trust not found",
    ObjectKind.SESSION.label: "Assumed Role Not Found",
    ObjectKind.INVITATION.label: "Invite not found",
    ENTRY: "Invalid IP allow-list entry",
    ISSUER: "Issuer Not Found",
}

PerPage = Annotated[int, Query(ge=1, description="At most 500; a larger number means 500.")]
Cursor = Annotated[str, Query(description="Where to go on: `meta.links.next` or `meta.links.prev` of the last part.")]


def date(microseconds: int | None) -> str:
    """`2020-10-10T01:56:20+00:00`; nothing for None."""
    if microseconds is None:
        return ""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat()


def meta(exchange: Exchange, page: Page[Any]) -> wire.Meta:
    """What stands beside every list: bare cursors, empty at either end."""
    before, after = exchange.cursors(page)
    return wire.Meta(total=page.total, links=wire.Links(next=after, prev=before))


def whole(total: int) -> wire.Meta:
    """The same for a list that is given whole."""
    return wire.Meta(total=total, links=wire.Links(next="", prev=""))


def _plain(status: int, text: str) -> Response:
    body = wire.Error(error=text, status=status)
    return Response(body.model_dump_json(), status, media_type="application/json")


def _refusal(refusal: Refusal) -> Response:
    if isinstance(refusal, NotFound):
        return _plain(404, NOT_FOUND.get(refusal.what, "Not found"))
    if isinstance(refusal, Unauthenticated):
        text = "Invalid API token."
        if isinstance(refusal, UnknownAddress):
            text = f"Unauthorized IP address: {refusal.address}"
        response = _plain(401, text)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    response = _plain(_STATUS[type(refusal)], refusal.message)
    if isinstance(refusal, Unavailable):
        response.headers["Retry-After"] = "1"
        if refusal.outcome_unknown:
            response.headers["Rescind-Outcome"] = "unknown"
    return response


MANNERS = Manners(_refusal, _plain, wire.Error)
