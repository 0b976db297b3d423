"""Tickets: invitations that an administrator of the platform makes for an application, with the roles they promise."""

import json
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rescind.model.errors import Forbidden, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.usecases import clients, limits, organizations
from rescind.usecases.actor import LINK, verifier_of
from rescind.usecases.roles import assignable
from rescind.usecases.unit import Unit, View

TICKET = "ticket"
LOGIN_NEEDED = (
    "A default login route is required to generate the invitation url. Set `initiate_login_uri` of the client."
)
_LETTERS = string.ascii_letters + string.digits
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class TicketView:
    """An invitation as its application sees it. Times are in microseconds since 1970; `roles` are public ids."""

    public_id: str
    organization_id: str
    client_id: str
    inviter: str
    email: str
    url: str = field(repr=False)
    ticket: str = field(repr=False)
    created_at: int
    expires_at: int
    roles: Sequence[str]
    extras: Mapping[str, Any]


def every(view: View) -> list[TicketView]:
    """The organization's tickets that nobody has answered, newest first."""
    found = view.owned_by(ObjectKind.INVITATION, view.organization)
    return [ticket for invitation in reversed(found) if (ticket := _described(view, invitation)) is not None]


def get(view: View, invitation: str) -> TicketView:
    """One ticket that nobody has answered."""
    ticket = _described(view, _own(view, invitation))
    if ticket is None:
        raise NotFound(ObjectKind.INVITATION.label)
    return ticket


def invite(
    unit: Unit,
    *,
    inviter: str,
    email: str,
    client: str,
    roles: Sequence[str],
    seconds: int,
    extras: Mapping[str, Any],
) -> str:
    """Invite an address through an application, with roles that it has from joining on, and return the public id."""
    limits.email(email)
    if roles and not unit.actor.is_client:
        raise Forbidden("only a client may promise roles")
    try:
        application = clients.get(unit, client)
    except NotFound:
        raise Invalid("The specified client_id does not exist.") from None
    if not application.extras.get("initiate_login_uri"):
        raise Invalid(LOGIN_NEEDED)
    promised, missing = [], []
    for role in dict.fromkeys(roles):
        try:
            promised.append(assignable(unit, role).id)
        except (NotFound, Invalid):
            missing.append(role)
    if missing:
        raise Invalid(f"One or more of the specified roles do not exist: {', '.join(missing)}")
    invitation = unit.create(ObjectKind.INVITATION)
    unit.write_profile(invitation, email=email, inviter=limits.name(inviter, "inviter"), client=client)
    unit.write_profile(invitation, extras=json.dumps(extras, ensure_ascii=False, separators=(",", ":")))
    value = json.dumps({"api_enabled": False, "roles": promised}, separators=(",", ":"))
    expires_at = unit.reader.instant + seconds * 1_000_000
    unit.open(Fact(FactKind.INVITATION, invitation.key, scope=unit.organization, value=value, expires_at=expires_at))
    ticket = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    unit.write_credential(invitation, LINK, verifier_of(ticket))
    unit.write_credential(invitation, TICKET, unit.issuer.vault.seal(ticket, invitation, TICKET))
    return unit.spelling(invitation)


def withdraw(unit: Unit, *, invitation: str) -> None:
    """End an invitation: its link is dead at once. Who accepted it stays a member."""
    unit.end(_own(unit, invitation))


def _own(view: View, invitation: str) -> Object:
    found = view.get(ObjectKind.INVITATION, invitation)
    if found.owner != view.organization:
        raise NotFound(ObjectKind.INVITATION.label)
    return found


def _described(view: View, invitation: Object) -> TicketView | None:
    """A ticket as its application sees it; None for an invitation of another kind, or one that was answered."""
    sealed = view.reader.secret(invitation.key, TICKET)
    if sealed is None or view.facts(invitation.key, FactKind.ACCEPTANCE, FactKind.DECLINE):
        return None
    ticket = view.issuer.vault.open(sealed, invitation, TICKET)
    waiting = view.reader.intervals([invitation.key], FactKind.INVITATION)[0].fact
    profile = view.reader.profiles([invitation.key])[invitation.key]
    here = organizations.here(view)
    named = json.loads(waiting.value or "").get("roles", ())
    roles = [role for one in named if (role := view.reader.find_object(ObjectKind.ROLE, one)) is not None]
    spelled = view.reader.profiles([role.key for role in roles])
    client = view.lookup(ObjectKind.CLIENT, profile["client"])
    route = clients.describe(view, [client])[0].extras.get("initiate_login_uri", "") if client else ""
    return TicketView(
        profile["public_id"],
        here.public_id,
        profile["client"],
        profile["inviter"],
        profile["email"],
        f"{route}?invitation={ticket}&organization={here.public_id}&organization_name={here.slug}",
        ticket,
        invitation.created_at,
        waiting.expires_at or 0,
        [spelled[role.key]["public_id"] for role in roles],
        json.loads(profile["extras"]),
    )
