"""Invitations: a one-time link by which a person joins an organization, where she starts from nothing."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rescind.model.errors import Forbidden, Invalid, NotFound
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import keys, limits, users
from rescind.usecases.actor import LINK, verifier_of
from rescind.usecases.keys import NewKey
from rescind.usecases.relations import attach
from rescind.usecases.unit import Member, Unit, View
from rescind.usecases.users import PASSWORD

VALID_MICROSECONDS = 3 * 24 * 3600 * 1_000_000


class InvitationStatus(StrEnum):
    """What became of an invitation. One that has expired still waits: it can be sent again."""

    PENDING = "Pending"
    ACCEPTED = "Accepted"
    DECLINED = "Declined"


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An invitation as people see it. Times are in microseconds since 1970; `responded_at` None for no answer yet.

    `registered` is the address of the account that accepted: before that nobody learns whether there is one.
    """

    invitation: Object
    organization_id: str
    organization_name: str
    inviter_name: str
    inviter_email: str
    email: str
    registered: str
    api_enabled: bool
    status: InvitationStatus
    expires_at: int
    has_expired: bool
    responded_at: int | None


@dataclass(frozen=True, slots=True)
class NewLink:
    """An invitation, and the token of its one-time link where one was made."""

    id: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a guest sees of her invitation, and whether the address has an account already."""

    invitation: InvitationView
    has_account: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who joined what; with API access comes the one sight of a key of her own."""

    user_id: str
    organization_id: str
    key: NewKey | None


def page(view: View, window: Window) -> Page[InvitationView]:
    """The organization's invitations, answered ones included."""
    found = view.reader.page_objects(ObjectKind.INVITATION, (view.organization,), window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def get(view: View, invitation: str) -> InvitationView:
    """One invitation."""
    return describe(view, [view.get(ObjectKind.INVITATION, invitation)])[0]


def create(unit: Unit, *, email: str, api_enabled: bool, with_link: bool) -> NewLink:
    """Invite an address for three days; the link is made where it can be sent, else by the operator's command."""
    known = unit.reader.find_user(limits.email(email, "email_invited"))
    if known is not None and unit.membership_of(known) is not None:
        raise Invalid("`email_invited` belongs to a member already")
    invitation = unit.create(ObjectKind.INVITATION)
    unit.write_profile(invitation, email=email)
    _renew(unit, invitation, api_enabled=api_enabled)
    return NewLink(invitation.id, _new_token(unit, invitation) if with_link else None)


def resend(unit: Unit, *, invitation: str, with_link: bool) -> NewLink:
    """Let an invitation that was not answered be valid for three days from now.

    A new link ends the older one; a link that had expired stays dead, whether there is a new one or not.
    """
    found = unit.get(ObjectKind.INVITATION, invitation)
    if unit.reader.intervals([found.key], FactKind.ACCEPTANCE, FactKind.DECLINE):
        raise Invalid("this invitation was answered already")
    waiting = unit.reader.intervals([found.key], FactKind.INVITATION)[0]
    _renew(unit, found, api_enabled=_api_enabled(waiting.fact), named=_said(waiting.fact).get("roles", ()))
    had_expired = not waiting.fact.alive(unit.reader.instant)
    token = _new_token(unit, found) if with_link or had_expired else None
    return NewLink(found.id, token if with_link else None)


def withdraw(unit: Unit, *, invitation: str) -> None:
    """End an invitation: its link is dead at once. Who accepted it stays a member."""
    unit.end(unit.get(ObjectKind.INVITATION, invitation))


def link(unit: Unit, *, invitation: str) -> NewLink:
    """The operator's way to an invitation's link: a fresh one, valid for three days, which ends the older one."""
    found = unit.reader.find_object(ObjectKind.INVITATION, invitation)
    if found is None or not unit.exists(found.owner):
        raise NotFound(ObjectKind.INVITATION.label)
    unit.organization = found.owner
    return resend(unit, invitation=invitation, with_link=True)


def pending(view: View) -> list[InvitationView]:
    """Every invitation of every organization that was not answered."""
    living = view.reader.living(ObjectKind.INVITATION)
    described = [
        described
        for found in living
        if view.exists(found.owner)
        for described in describe(view.inside(found.owner), [found])
    ]
    return [found for found in described if found.status is InvitationStatus.PENDING]


def see(view: View) -> Welcome:
    """What the guest is invited to."""
    invitation = describe(view, [view.guest.invitation])[0]
    return Welcome(invitation, view.reader.find_user(invitation.email) is not None)


def known_password(view: View) -> tuple[str | None, int]:
    """The verifier of the password of the account that the guest's address has, if it has one, and when that was."""
    account = view.reader.find_user(_email(view, view.guest.invitation))
    if account is None:
        return None, view.reader.instant
    verifier = view.reader.secret(account.key, PASSWORD)
    if verifier is None:
        raise Forbidden("this account has no password to sign in with")
    return verifier, view.reader.instant


def accept(unit: Unit, *, name: str | None, password_verifier: str | None, proven: str | None) -> Accepted:
    """Join the organization that invites, as the account of the invited address, or with a new one.

    `password_verifier` is what a new account is to have; `proven` is the verifier that the password given was held
    against, which must still be the account's.
    """
    invitation = unit.guest.invitation
    email = _email(unit, invitation)
    user = unit.reader.find_user(email)
    if user is None:
        if name is None or password_verifier is None:
            raise Invalid("`name` and `password` are required for a new account")
        user = users.register(unit, name=name, email=email, password_verifier=password_verifier)
    elif proven is None or proven != unit.reader.secret(user.key, PASSWORD):
        raise Forbidden("the password is not that of the account with the invited address")
    elif unit.facts(user.key, FactKind.BLOCK):
        raise Forbidden("this account is blocked")
    elif unit.membership_of(user) is not None:
        raise Invalid("this account is a member already")
    waiting = unit.reader.intervals([invitation.key], FactKind.INVITATION)[0]
    api_enabled = _api_enabled(waiting.fact)
    member = users.join(unit, user, api_enabled=api_enabled)
    _assign(unit, member, _said(waiting.fact).get("roles", ()))
    unit.open(Fact(FactKind.ACCEPTANCE, invitation.key, member.membership.key, unit.organization))
    key = keys.create(unit, member, name="first", personal=True) if api_enabled else None
    return Accepted(user.id, unit.reader.objects([unit.organization])[unit.organization].id, key)


def decline(unit: Unit) -> None:
    """Turn the invitation down."""
    unit.open(Fact(FactKind.DECLINE, unit.guest.invitation.key, scope=unit.organization))


def describe(view: View, invitations: Sequence[Object]) -> list[InvitationView]:
    """Invitations of this organization as people see them, in their order."""
    keys = [found.key for found in invitations]
    held: dict[int, dict[FactKind, Interval]] = {key: {} for key in keys}
    for interval in view.reader.intervals(keys):
        held[interval.fact.holder][interval.fact.kind] = interval
    origins = view.reader.origins({interval.revision_from for facts in held.values() for interval in facts.values()})
    profiles = view.reader.profiles([view.organization, *keys])
    here = view.reader.objects([view.organization])[view.organization]
    inviters = {origins[held[key][FactKind.EXISTENCE].revision_from][1] for key in keys}
    people = {by: found for by in inviters if (found := view.reader.find_object(ObjectKind.USER, by))}
    known = view.reader.profiles([found.key for found in people.values()])
    described = []
    for invitation in invitations:
        facts = held[invitation.key]
        waiting = facts[FactKind.INVITATION].fact
        status, answer = _answer(facts)
        inviter = people.get(origins[facts[FactKind.EXISTENCE].revision_from][1])
        invited_by = known[inviter.key] if inviter else {}
        email, expires_at = profiles[invitation.key].get("email", ""), waiting.expires_at or 0
        described.append(
            InvitationView(
                invitation,
                here.id,
                profiles[view.organization].get("name", ""),
                invited_by.get("name", "") or profiles[invitation.key].get("inviter", ""),
                invited_by.get("email", ""),
                email,
                email if status is InvitationStatus.ACCEPTED else "",
                _api_enabled(waiting),
                status,
                expires_at,
                expires_at <= view.reader.instant,
                origins[answer.revision_from][0] if answer else None,
            )
        )
    return described


def _answer(facts: Mapping[FactKind, Interval]) -> tuple[InvitationStatus, Interval | None]:
    if FactKind.ACCEPTANCE in facts:
        return InvitationStatus.ACCEPTED, facts[FactKind.ACCEPTANCE]
    if FactKind.DECLINE in facts:
        return InvitationStatus.DECLINED, facts[FactKind.DECLINE]
    return InvitationStatus.PENDING, None


def _email(view: View, invitation: Object) -> str:
    return view.reader.profiles([invitation.key])[invitation.key].get("email", "")


def _api_enabled(waiting: Fact) -> bool:
    return bool(_said(waiting)["api_enabled"])


def _said(waiting: Fact) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(waiting.value or "")
    return said


def _assign(unit: Unit, member: Member, named: Sequence[str]) -> None:
    """Attach the roles that an invitation promised, as far as they are still there."""
    for identifier in named:
        role = unit.find(ObjectKind.ROLE, identifier)
        if role is not None:
            attach(unit, FactKind.ROLE_ATTACHMENT, member.membership, role)


def _renew(
    unit: Unit,
    invitation: Object,
    *,
    api_enabled: bool,
    named: Sequence[str] = (),
) -> None:
    value = json.dumps({"api_enabled": api_enabled, **({"roles": list(named)} if named else {})}, separators=(",", ":"))
    expires_at = unit.reader.instant + VALID_MICROSECONDS
    unit.open(Fact(FactKind.INVITATION, invitation.key, scope=unit.organization, value=value, expires_at=expires_at))


def _new_token(unit: Unit, invitation: Object) -> str:
    token = secrets.token_urlsafe(32)
    unit.write_credential(invitation, LINK, verifier_of(token))
    return token
