"""Invitations: calls 15 to 18."""

from fastapi import Response

from rescind.api.exchange import Exchange, Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta
from rescind.model.errors import Invalid
from rescind.usecases import invitations
from rescind.usecases.invitations import NewLink

_YES, _NO = (True, 1, "yes", "true", "1"), (False, 0, "no", "false", "0")


def list_invitations(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(invitations.page, exchange.window(cursor, per_page))
    items = [say.invitation(found) for found in page.items]
    return exchange.reply(wire.Invitations(invites=items, invitations=items, meta=meta(exchange, page)))


def create_invitation(exchange: Here, body: wire.InvitationNew) -> Response:
    permissions = body.permissions or wire.InvitationPermissions()
    made = exchange.write(
        invitations.create,
        email=body.email_invited,
        api_enabled=_flag(permissions.api_enabled),
        with_link=exchange.mail.is_configured,
    )
    return _sent(exchange, made)


def get_invitation(exchange: Here, invitation_id: str) -> Response:
    return exchange.reply(say.invitation_both(exchange.read(invitations.get, invitation_id)))


def resend_invitation(exchange: Here, invitation_id: str) -> Response:
    renewed = exchange.write(invitations.resend, invitation=invitation_id, with_link=exchange.mail.is_configured)
    return _sent(exchange, renewed)


def _sent(exchange: Exchange, link: NewLink) -> Response:
    """The invitation; its link goes by mail."""
    found = exchange.look(invitations.get, link.id)
    if link.token is not None:
        exchange.mail.send_invitation(found, link.token)
    return exchange.reply(say.invitation_both(found))


def _flag(value: bool | int | str | None) -> bool:
    if value is None or value in _YES:
        return True
    if value in _NO:
        return False
    raise Invalid("`permissions.api_enabled` must be true or false")
