"""Invitations over the Management API: a link to an application, by which a person joins an organization."""

from typing import Any

from fastapi import Response

from rescind.api.auth0 import connections, wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part, Wanted
from rescind.api.auth0.users import role_ids
from rescind.usecases import tickets
from rescind.usecases.accounts import date_of
from rescind.usecases.tickets import TicketView

SECONDS_DEFAULT = 604_800


def list_invitations(exchange: Here, organization_id: str, part: Part, wanted: Wanted, sort: str = "") -> Response:
    found = exchange.read(tickets.every)
    if sort == "created_at:1":
        found = found[::-1]
    page = part.part(exchange, found)
    items = [wanted.of(_said(ticket)) for ticket in page.items]
    if part.include_totals:
        return exchange.say({"invitations": items, "start": part.page * part.per_page, "limit": len(items)})
    return exchange.say(items)


def create_invitation(exchange: Here, organization_id: str, body: wire.InvitationNew) -> Response:
    if body.connection_id not in (None, connections.ID):
        raise Said(400, "The specified connection does not exist.", "invalid_body")
    kept = ("connection_id", "app_metadata", "user_metadata")
    said = body.model_dump(exclude_unset=True)
    made = exchange.write(
        tickets.invite,
        inviter=body.inviter.name,
        email=body.invitee.email,
        client=body.client_id,
        roles=role_ids(body) if body.roles else (),
        seconds=body.ttl_sec or SECONDS_DEFAULT,
        extras={name: said[name] for name in kept if said.get(name) is not None},
    )
    return exchange.say(_said(exchange.look(tickets.get, made)))


def get_invitation(exchange: Here, organization_id: str, invitation_id: str) -> Response:
    return exchange.say(_said(exchange.read(tickets.get, invitation_id)))


def delete_invitation(exchange: Here, organization_id: str, invitation_id: str) -> Response:
    exchange.write(tickets.withdraw, invitation=invitation_id)
    return exchange.reply()


def _said(ticket: TicketView) -> dict[str, Any]:
    return {
        "id": ticket.public_id,
        "organization_id": ticket.organization_id,
        "client_id": ticket.client_id,
        "inviter": {"name": ticket.inviter},
        "invitee": {"email": ticket.email},
        "invitation_url": ticket.url,
        "ticket_id": ticket.ticket,
        "created_at": date_of(ticket.created_at),
        "expires_at": date_of(ticket.expires_at),
        **({"roles": list(ticket.roles)} if ticket.roles else {}),
        **ticket.extras,
    }
