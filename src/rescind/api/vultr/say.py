"""From what use cases return to the bodies of the Vultr face."""

from collections.abc import Sequence
from typing import Any

from rescind.api.vultr import wire
from rescind.api.vultr.manners import date
from rescind.model.objects import Object
from rescind.usecases.access import Held, Holding
from rescind.usecases.groups import GroupView
from rescind.usecases.keys import KeyView, NewKey
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.policies import PolicyView
from rescind.usecases.relations import Relation
from rescind.usecases.roles import RoleView
from rescind.usecases.users import UserView

_MASK = "*" * 12


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
        last_activity="",
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


def group(found: GroupView, assigned_at: int | None = None) -> wire.Group:
    """A group with the first of its members, and since when somebody is in it."""
    return wire.Group(
        id=found.group.id,
        display_name=found.name,
        description=found.description,
        members=[member(item) for item in found.members.items],
        total=found.members.total,
        status="active",
        date_created=date(found.group.created_at),
        date_updated=date(found.updated_at),
        last_activity="",
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
