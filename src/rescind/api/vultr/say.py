"""From what use cases return to the bodies of the Vultr face."""

from collections.abc import Sequence
from typing import Any

from rescind.api.vultr import wire
from rescind.api.vultr.manners import date
from rescind.model.objects import Object
from rescind.usecases.access import Held, Holding
from rescind.usecases.allow_lists import Entry
from rescind.usecases.groups import GroupView
from rescind.usecases.invitations import InvitationStatus, InvitationView
from rescind.usecases.keys import KeyView, NewKey
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.policies import PolicyView
from rescind.usecases.relations import Relation
from rescind.usecases.roles import RoleView
from rescind.usecases.sessions import SessionView
from rescind.usecases.trusts import TrustView
from rescind.usecases.users import UserView

_MASK = "*" * 12
_STATUS_FULL = {
    InvitationStatus.PENDING: "Waiting for an answer",
    InvitationStatus.ACCEPTED: "Accepted by the invited person",
    InvitationStatus.DECLINED: "Declined by the invited person",
}


def organization(found: OrganizationView) -> wire.Organization:
    """An organization."""
    return wire.Organization(
        id=found.organization.id,
        name=found.name,
        type=found.type,
        date_created=date(found.organization.created_at),
    )


def organization_both(found: OrganizationView) -> wire.OrganizationBoth:
    """The same, bare and wrapped."""
    bare = organization(found)
    return wire.OrganizationBoth(**dict(bare), organization=bare)


def user(found: UserView) -> wire.User:
    """A member of the organization."""
    first, last = _names(found)
    return wire.User(
        id=found.user.id,
        name=found.name,
        first_name=first,
        last_name=last,
        email=found.email,
        api_enabled=found.api_enabled,
        service_user=found.is_service,
        status=found.suspended_at is None,
        acls=list(found.acls),
        last_activity=date(found.used_at),
    )


def user_detail(found: UserView) -> wire.UserDetail:
    """One member, with who brought her in."""
    return wire.UserDetail(
        **dict(user(found)),
        invited_by=found.added_by,
        invited_on=date(found.membership.created_at),
        invite_accepted=True,
    )


def user_made(found: UserView, key: NewKey | None) -> wire.UserMade:
    """A user just made, with the one sight of a service user's key."""
    bare = dict(user(found))
    return wire.UserMade(**bare, api_key=key.secret) if key else wire.UserMade(**bare)


def org_user(found: UserView, assigned_at: int | None = None) -> wire.OrgUser:
    """A user as somebody's member or holder, since when."""
    first, last = _names(found)
    return wire.OrgUser(
        id=found.user.id,
        uuid=found.user.id,
        name=found.name,
        first_name=first,
        last_name=last,
        display_name=found.name,
        email=found.email,
        assignment_type="direct",
        active=found.suspended_at is None,
        service_user=found.is_service,
        date_created=date(found.membership.created_at),
        date_updated=date(found.updated_at),
        date_suspended=date(found.suspended_at),
        assigned_date=date(assigned_at),
    )


def member(found: Relation[UserView, Object]) -> wire.OrgUser:
    """A member of a group."""
    return org_user(found.holder, found.at)


def member_both(found: Relation[UserView, Object]) -> wire.GroupMemberBoth:
    """The same, bare and wrapped."""
    bare = member(found)
    return wire.GroupMemberBoth(**dict(bare), group_member=bare)


def key(found: KeyView) -> wire.Key:
    """A key, masked but for its tail."""
    return _key(found, _MASK + found.tail)


def key_made(found: KeyView, made: NewKey) -> wire.KeyWrapped:
    """A key just made: the one sight of it."""
    return wire.KeyWrapped(api_key=_key(found, made.secret))


def group(found: GroupView, assigned_at: int | None = None, used_at: int | None = None) -> wire.Group:
    """A group with the first of its members, since when somebody is in it, and when a member last used the API."""
    return wire.Group(
        id=found.group.id,
        display_name=found.name,
        description=found.description,
        members=[member(item) for item in found.members.items],
        total=found.members.total,
        status="active",
        date_created=date(found.group.created_at),
        date_updated=date(found.updated_at),
        last_activity=date(used_at),
        assigned_date=date(assigned_at),
    )


def group_both(found: GroupView) -> wire.GroupBoth:
    """The same, bare and wrapped."""
    bare = group(found)
    return wire.GroupBoth(**dict(bare), group=bare)


def policy(found: PolicyView) -> wire.Policy:
    """A policy; its document as it was written."""
    return wire.Policy(
        id=found.policy.id,
        name=found.name,
        description=found.description,
        policy_document=found.document,
        version=found.version,
        is_system_policy=found.is_managed,
        date_created=date(found.policy.created_at),
    )


def policy_both(found: PolicyView) -> wire.PolicyBoth:
    """The same, bare and wrapped."""
    bare = policy(found)
    return wire.PolicyBoth(**dict(bare), policy=bare)


def policy_of_role(found: PolicyView) -> wire.PolicyOfRole:
    """A policy inside a role."""
    return wire.PolicyOfRole(
        **dict(policy(found)),
        **_policy(found),
    )


def policies_held(found: Sequence[Held[PolicyView]]) -> list[wire.PolicyHeld]:
    """Policies with the way by which they are held."""
    return [
        wire.PolicyHeld(**dict(policy(held.thing)), source=held.source, from_role=held.from_role or "")
        for held in found
    ]


def role(found: RoleView) -> wire.Role:
    """A role with its policies."""
    return wire.Role(
        id=found.role.id,
        name=found.name,
        description=found.description,
        role_type=found.role_type,
        max_session_duration=found.max_session_duration,
        policies=[policy_of_role(item) for item in found.policies],
        date_created=date(found.role.created_at),
    )


def role_both(found: RoleView) -> wire.RoleBoth:
    """The same, bare and wrapped."""
    bare = role(found)
    return wire.RoleBoth(**dict(bare), role=bare)


def roles_held(found: Holding[RoleView]) -> wire.RolesHeld:
    """The roles of a user, split by where they come from."""

    def said(part: Sequence[Held[RoleView]]) -> list[wire.RoleHeld]:
        return [wire.RoleHeld(**dict(role(held.thing)), source=held.source) for held in part]

    return wire.RolesHeld(all=said(found.every), direct=said(found.direct), inherited=said(found.inherited))


def group_roles(found: Sequence[Held[RoleView]]) -> list[wire.GroupRole]:
    """The roles of a group."""
    return [
        wire.GroupRole(
            id=held.thing.role.id,
            display_name=held.thing.name,
            name=held.thing.name,
            description=held.thing.description,
            role_type=held.thing.role_type,
            date_assigned=date(held.at),
            source=held.source,
        )
        for held in found
    ]


def role_user(found: Relation[UserView, RoleView]) -> wire.RoleUser:
    """A role on a user."""
    return wire.RoleUser(user_id=found.holder.user.id, **_role(found.thing), **_attached(found))


def role_group(found: Relation[GroupView, RoleView]) -> wire.RoleGroup:
    """A role on a group."""
    return wire.RoleGroup(**_group(found.holder), **_role(found.thing), **_attached(found))


def role_policy(found: Relation[RoleView, PolicyView]) -> wire.RolePolicy:
    """A policy in a role."""
    return wire.RolePolicy(
        policy_id=found.thing.policy.id, policy_name=found.thing.name, **_role(found.holder), **_attached(found)
    )


def policy_user(found: Relation[UserView, PolicyView]) -> wire.PolicyUser:
    """A policy on a user."""
    return wire.PolicyUser(user_id=found.holder.user.id, **_policy(found.thing), **_attached(found))


def policy_group(found: Relation[GroupView, PolicyView]) -> wire.PolicyGroup:
    """A policy on a group."""
    return wire.PolicyGroup(**_group(found.holder), **_policy(found.thing), **_attached(found))


def invitation(found: InvitationView) -> wire.Invitation:
    """An invitation."""
    status = found.status.value
    expired = found.has_expired and found.status is InvitationStatus.PENDING
    return wire.Invitation(
        id=found.invitation.id,
        inviter_name=found.inviter_name,
        inviter_email=found.inviter_email,
        email_invited=found.email,
        email_registered=found.registered,
        permissions=wire.Invitation.Permissions(api_enabled=found.api_enabled),
        org_id=found.organization_id,
        org_name=found.organization_name,
        status=status.lower(),
        status_full="Expired: send it again" if expired else _STATUS_FULL[found.status],
        invite_status=status,
        date_created=date(found.invitation.created_at),
        date_responded=date(found.responded_at),
        expiration_date=date(found.expires_at),
    )


def invitation_both(found: InvitationView) -> wire.InvitationBoth:
    """The same, bare and wrapped."""
    bare = invitation(found)
    return wire.InvitationBoth(**dict(bare), invitation=bare)


def allow_list_entry(found: Entry) -> wire.AllowListEntry:
    """One range of an allow-list."""
    return wire.AllowListEntry(
        subnet=str(found.network.network_address),
        subnet_size=found.network.prefixlen,
        date_added=date(found.added_at),
        ip_type=f"v{found.network.version}",
    )


def account(found: UserView) -> wire.AccountWrapped:
    """The member who asks, as a customer."""
    return wire.AccountWrapped(
        account=wire.Account(
            name=found.name,
            email=found.email,
            acls=list(found.acls),
            balance=0,
            pending_charges=0,
            last_payment_date="",
            last_payment_amount=0,
        )
    )


def trust(found: TrustView) -> wire.Trust:
    """A role trust; its terms as they were written."""
    terms = found.terms
    return wire.Trust(
        id=found.trust.id,
        role_name=found.role_name,
        role_id=found.role.id,
        trust_type=terms.trust_type,
        trusted_user_id=found.user.id,
        user_display=found.user.name,
        trusted_group_id=found.group.id,
        group_display=found.group.name,
        trusted_oidc_issuer_id="",
        trusted_oidc_issuer_source=terms.issuer_source,
        conditions=wire.TrustConditions(
            time_of_day=wire.TimeOfDay(
                start=terms.start, end=terms.end, timezone=terms.timezone, days_of_week=list(terms.days)
            ),
            ip_address=list(terms.addresses),
        ),
        valid_until=terms.valid_until,
        date_created=date(found.trust.created_at),
    )


def trust_both(found: TrustView) -> wire.TrustBoth:
    """The same, bare and wrapped."""
    bare = trust(found)
    return wire.TrustBoth(**dict(bare), role_trust=bare)


def assumable_role(found: TrustView, role: RoleView) -> wire.AssumableRole:
    """A role that somebody may enter, with the trust by which."""
    return wire.AssumableRole(
        **{**dict(trust(found)), "id": role.role.id},
        name=role.name,
        description=role.description,
        role_type=role.role_type,
        max_session_duration=role.max_session_duration,
    )


def session(found: SessionView, token: str = "") -> wire.Session:
    """A session, with its token for who has it already."""
    return wire.Session(
        id=found.session.id,
        session_token=token,
        user_id=found.user.id,
        oidc_issuer_id="",
        role_id=found.role.id,
        session_name=found.name,
        auth_method=found.auth_method,
        remaining_duration=found.remaining_seconds,
        conditions_met=list(found.conditions),
        source_ip=found.source_ip,
        expires_at=date(found.expires_at),
        assumed_at=date(found.session.created_at),
        s3_credentials=wire.NoCredentials(),
    )


def session_both(found: SessionView, token: str) -> wire.SessionBoth:
    """The same, bare and wrapped."""
    bare = session(found, token)
    return wire.SessionBoth(**dict(bare), assumed_role_session=bare)


def _names(found: UserView) -> tuple[str, str]:
    if found.first_name or found.last_name:
        return found.first_name, found.last_name
    first, _, last = found.name.rpartition(" ")
    return first, last


def _key(found: KeyView, shown: str) -> wire.Key:
    return wire.Key(
        id=found.key.id,
        api_key=shown,
        name=found.name,
        expire=found.expires_at is not None,
        date_expire=date(found.expires_at),
    )


def _group(found: GroupView) -> dict[str, str]:
    return {"group_id": found.group.id, "group_name": found.name}


def _role(found: RoleView) -> dict[str, str]:
    return {
        "role_id": found.role.id,
        "role_name": found.name,
        "role_description": found.description,
        "role_type": found.role_type,
    }


def _policy(found: PolicyView) -> dict[str, Any]:
    return {"policy_id": found.policy.id, "policy_name": found.name, "policy_description": found.description}


def _attached(found: Relation[Any, Any]) -> dict[str, str]:
    return {"date_assigned": date(found.at), "assigned_by": found.by}
