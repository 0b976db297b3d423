"""Invitations for the person invited: her one-time link is all that she needs to read, accept or decline one."""

from fastapi import Response
from pydantic import Field

from rescind.api.exchange import Exchange, Here
from rescind.api.native.wire import Answered, Asked
from rescind.model.errors import TooMany
from rescind.usecases import invitations, limits
from rescind.usecases.passwords import is_password, verifier_of_password


class Invitation(Answered):
    """What one is invited to; `expires_at` is in microseconds since 1970."""

    organization: str
    name: str
    email: str
    invited_by: str
    has_account: bool
    expires_at: int


class Accept(Asked):
    """`name` for a new account; `password` is what a new account is to have, or that of the account there is."""

    name: str | None = None
    password: str = Field(repr=False)


class Accepted(Answered):
    """`api_key`, with API access alone and this once, is the person's own: it acts in every organization of hers."""

    user: str
    organization: str
    api_key: str = ""


def see_invitation(exchange: Here, invitation: str) -> Response:
    exchange.target(invitation)
    welcome = exchange.read(invitations.see)
    found = welcome.invitation
    return exchange.reply(
        Invitation(
            organization=found.organization_id,
            name=found.organization_name,
            email=found.email,
            invited_by=found.inviter_name,
            has_account=welcome.has_account,
            expires_at=found.expires_at,
        )
    )


def accept_invitation(exchange: Here, invitation: str, body: Accept) -> Response:
    exchange.target(invitation)
    proven, new = _password(exchange, body.password)
    joined = exchange.write(invitations.accept, name=body.name, password_verifier=new, proven=proven)
    key = {"api_key": joined.key.secret} if joined.key else {}
    return exchange.reply(Accepted(user=joined.user_id, organization=joined.organization_id, **key))


def decline_invitation(exchange: Here, invitation: str) -> Response:
    exchange.target(invitation)
    exchange.write(invitations.decline)
    return exchange.reply()


def withdraw_invitation(exchange: Here, invitation: str) -> Response:
    exchange.write(invitations.withdraw, invitation=invitation)
    return exchange.reply()


def _password(exchange: Exchange, password: str) -> tuple[str | None, str | None]:
    """The verifier that the password was held against, or a new one: slow on purpose, so before the lock is taken."""
    known, instant = exchange.before(invitations.known_password)
    if known is None:
        return None, verifier_of_password(limits.password(password))
    link, address = f"link {exchange.target_id}", exchange.asking.address
    if not exchange.logins.may_try(link, address, instant):
        raise TooMany("too many wrong passwords: try again in ten minutes")
    if not is_password(password, known):
        return None, None
    exchange.logins.succeeded(link, address)
    return known, None
