"""How the Vultr face says no, counts pages and writes dates."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.door import Manners
from rescind.api.exchange import Exchange
from rescind.api.refusals import status_of, with_headers
from rescind.api.vultr import wire
from rescind.model.errors import NotFound, Refusal, Unauthenticated, UnknownAddress
from rescind.model.objects import ObjectKind
from rescind.store.contract import Page
from rescind.usecases.allow_lists import ENTRY
from rescind.usecases.trusts import ISSUER

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
    text = refusal.message
    if isinstance(refusal, NotFound):
        text = NOT_FOUND.get(refusal.what, "Not found")
    elif isinstance(refusal, UnknownAddress):
        text = f"Unauthorized IP address: {refusal.address}"
    elif isinstance(refusal, Unauthenticated):
        text = "Invalid API token."
    return with_headers(_plain(status_of(refusal), text), refusal)


MANNERS = Manners(_refusal, _plain, wire.Error)
