"""Bodies of the Vultr face.

Clients decode either of two published forms of an answer, so each answer is the superset of both: bare members
and a wrapped copy, list keys of both. No member is ever null, empty collections are `[]`, dates are strings.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Asked(BaseModel):
    """What a client sends. Unknown members are ignored, types are strict, null means absent."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Answered(BaseModel):
    """What a client gets: these members and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- asked ----------------------------------------------------------------------------------------------------------


class OrganizationNew(Asked):
    name: str
    type: str | None = None


class OrganizationEdit(Asked):
    name: str | None = None
    type: str | None = None


class UserNew(Asked):
    email: str
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    password: str | None = Field(default=None, repr=False)
    api_enabled: bool | None = None
    acls: list[str] | None = None
    service_user: bool | None = None


class UserEdit(Asked):
    name: str | None = None
    email: str | None = None
    password: str | None = Field(default=None, repr=False)
    api_enabled: bool | None = None
    acls: list[str] | None = None


class KeyNew(Asked):
    name: str | None = None
    expire: bool | None = None
    date_expire: str | None = None


class GroupNew(Asked):
    display_name: str
    description: str | None = None


class GroupEdit(Asked):
    display_name: str | None = None
    description: str | None = None


class GroupMemberNew(Asked):
    user_id: str | None = None
    display_name: str | None = None


class RoleNew(Asked):
    name: str
    description: str | None = None
    role_type: str | None = None
    max_session_duration: int | None = None


class RoleEdit(Asked):
    name: str | None = None
    description: str | None = None
    role_type: str | None = None
    max_session_duration: int | None = None


class RolePolicyNew(Asked):
    policy_id: str


class PolicyNew(Asked):
    name: str
    description: str | None = None
    policy_document: dict[str, Any]
    version: str | None = None


class PolicyEdit(Asked):
    name: str | None = None
    description: str | None = None
    policy_document: dict[str, Any] | None = None


class InvitationPermissions(Asked):
    """`api_enabled` is true or false, `"yes"` or `"no"`, 1 or 0: published examples differ."""

    api_enabled: bool | int | str | None = None


class InvitationNew(Asked):
    email_invited: str
    permissions: InvitationPermissions | None = None


class AllowListEntryNew(Asked):
    subnet: str
    subnet_size: int


class TrustEdit(Asked):
    """What is absent stays as it is, members of `conditions` too; null and empty ones are cleared.

    `conditions`: `ip_address`, a list of addresses and CIDR blocks; `time_of_day` with `start` and `end` (hours from 0
    to 24, `start <= hour < end`, past midnight if `start > end`, both 0 for any hour), `timezone` (IANA, else UTC) and
    `days_of_week` (`monday` to `sunday`). `trust_type`: `TemporaryAssumption` (the role's rights), `IAMAssumption` (the
    user's too), `FederatedAssumption` (by tokens of a foreign issuer: not yet). `valid_until`: ISO 8601.
    """

    role_id: str | None = None
    trust_type: str | None = None
    trusted_user_id: str | None = None
    trusted_group_id: str | None = None
    trusted_oidc_issuer_id: str | None = None
    trusted_oidc_issuer_source: str | None = None
    conditions: dict[str, Any] | None = None
    valid_until: str | None = None


class TrustNew(TrustEdit):
    role_id: str
    trust_type: str


class AssumeContext(Asked):
    ip_address: str | None = None


class Assume(Asked):
    """`duration` is in seconds; 0 is as if it were absent: an hour, or what the role allows if that is less."""

    role_id: str
    session_name: str
    user_id: str | None = None
    oidc_issuer_id: str | None = None
    duration: int | None = None
    context: AssumeContext | None = None


# --- answered -------------------------------------------------------------------------------------------------------


class Error(Answered):
    error: str
    status: int


class Links(Answered):
    next: str
    prev: str


class Meta(Answered):
    total: int
    links: Links


class Organization(Answered):
    id: str
    name: str
    type: str
    date_created: str


class OrganizationBoth(Organization):
    organization: Organization


class Organizations(Answered):
    orgs: list[Organization]
    organizations: list[Organization]
    meta: Meta


class User(Answered):
    id: str
    name: str
    first_name: str
    last_name: str
    email: str
    api_enabled: bool
    service_user: bool
    status: bool
    acls: list[str]
    last_activity: str


class UserDetail(User):
    invited_by: str
    invited_on: str
    invite_accepted: bool


class UserMade(User):
    """With `api_key` for a service user alone, this once."""

    api_key: str = ""


class UserWrapped(Answered):
    user: UserDetail


class UserMadeWrapped(Answered):
    user: UserMade


class Users(Answered):
    users: list[User]
    meta: Meta


class OrgUser(Answered):
    """A user as member of a group, holder of a policy, or suspended."""

    id: str
    uuid: str
    name: str
    first_name: str
    last_name: str
    display_name: str
    email: str
    assignment_type: str
    active: bool
    service_user: bool
    date_created: str
    date_updated: str
    date_suspended: str
    assigned_date: str


class SuspendedUsers(Answered):
    users: list[OrgUser]
    meta: Meta


class Key(Answered):
    id: str
    api_key: str
    name: str
    expire: bool
    date_expire: str


class KeyWrapped(Answered):
    api_key: Key


class Keys(Answered):
    api_keys: list[Key]


class Group(Answered):
    """`members` holds the first 500; `total` counts them all."""

    id: str
    display_name: str
    description: str
    members: list[OrgUser]
    total: int
    status: str
    date_created: str
    date_updated: str
    last_activity: str
    assigned_date: str


class GroupWrapped(Answered):
    group: Group


class GroupBoth(Group):
    group: Group


class Groups(Answered):
    groups: list[Group]
    meta: Meta


class GroupMemberWrapped(Answered):
    group_member: OrgUser


class GroupMemberBoth(OrgUser):
    group_member: OrgUser


class GroupMembers(Answered):
    members: list[OrgUser]
    meta: Meta


class Policy(Answered):
    id: str
    name: str
    description: str
    policy_document: dict[str, Any]
    version: str
    is_system_policy: bool
    date_created: str


class PolicyWrapped(Answered):
    policy: Policy


class PolicyBoth(Policy):
    policy: Policy


class Policies(Answered):
    policies: list[Policy]
    meta: Meta


class PolicyHeld(Policy):
    source: str
    from_role: str


class PoliciesHeld(Answered):
    direct: list[PolicyHeld]
    inherited: list[PolicyHeld]
    all: list[PolicyHeld]


class UserPolicies(Answered):
    policies: PoliciesHeld
    meta: Meta


class GroupPoliciesHeld(Answered):
    direct: list[PolicyHeld]
    from_roles: list[PolicyHeld]
    all: list[PolicyHeld]


class PolicyOfRole(Policy):
    """A policy inside a role, in both published forms."""

    policy_id: str
    policy_name: str
    policy_description: str


class Role(Answered):
    id: str
    name: str
    description: str
    role_type: str
    max_session_duration: int
    policies: list[PolicyOfRole]
    date_created: str


class RoleWrapped(Answered):
    role: Role


class RoleBoth(Role):
    role: Role


class Roles(Answered):
    roles: list[Role]
    meta: Meta


class RoleHeld(Role):
    source: str


class RolesHeld(Answered):
    all: list[RoleHeld]
    direct: list[RoleHeld]
    inherited: list[RoleHeld]


class UserRoles(Answered):
    roles: RolesHeld
    meta: Meta


class GroupRole(Answered):
    id: str
    display_name: str
    name: str
    description: str
    role_type: str
    date_assigned: str
    source: str


class GroupRolesHeld(Answered):
    all: list[GroupRole]
    inherited: list[GroupRole]
    direct: list[GroupRole]


class RoleUser(Answered):
    user_id: str
    role_id: str
    role_name: str
    role_description: str
    role_type: str
    date_assigned: str
    assigned_by: str


class RoleUserBoth(RoleUser):
    role_user_relationship: RoleUser


class RoleUsers(Answered):
    assignments: list[RoleUser]
    role_user_relationships: list[RoleUser]
    meta: Meta


class RoleGroup(Answered):
    group_id: str
    group_name: str
    role_id: str
    role_name: str
    role_description: str
    role_type: str
    date_assigned: str
    assigned_by: str


class RoleGroupBoth(RoleGroup):
    role_group_relationship: RoleGroup


class RoleGroups(Answered):
    assignments: list[RoleGroup]
    role_group_relationships: list[RoleGroup]
    meta: Meta


class GroupRoles(Answered):
    roles: GroupRolesHeld
    role_group_relationships: list[RoleGroup]
    meta: Meta


class RolePolicy(Answered):
    policy_id: str
    policy_name: str
    role_id: str
    role_name: str
    role_description: str
    role_type: str
    date_assigned: str
    assigned_by: str


class RolePolicyBoth(RolePolicy):
    role_policy_relationship: RolePolicy


class RolePolicies(Answered):
    policies: list[PolicyOfRole]
    role_policy_relationships: list[RolePolicy]
    meta: Meta


class PolicyUser(Answered):
    user_id: str
    policy_id: str
    policy_name: str
    policy_description: str
    date_assigned: str
    assigned_by: str


class PolicyUserBoth(PolicyUser):
    policy_user_relationship: PolicyUser


class PolicyUsers(Answered):
    users: list[OrgUser]
    policy_user_relationships: list[PolicyUser]
    meta: Meta


class PolicyGroup(Answered):
    group_id: str
    group_name: str
    policy_id: str
    policy_name: str
    policy_description: str
    date_assigned: str
    assigned_by: str


class PolicyGroupBoth(PolicyGroup):
    policy_group_relationship: PolicyGroup


class GroupOfPolicy(Group):
    """A group holding a policy, with the members of the relation beside its own."""

    group_id: str
    group_name: str
    policy_id: str
    policy_name: str
    policy_description: str
    date_assigned: str
    assigned_by: str


class PolicyGroups(Answered):
    groups: list[GroupOfPolicy]
    policy_group_relationships: list[PolicyGroup]
    meta: Meta


class GroupPolicies(Answered):
    policies: GroupPoliciesHeld
    policy_group_relationships: list[PolicyGroup]
    meta: Meta


class Invitation(Answered):
    class Permissions(Answered):
        api_enabled: bool

    id: str
    inviter_name: str
    inviter_email: str
    email_invited: str
    email_registered: str
    permissions: Permissions
    org_id: str
    org_name: str
    status: str
    status_full: str
    invite_status: str
    date_created: str
    date_responded: str
    expiration_date: str


class InvitationBoth(Invitation):
    invitation: Invitation


class Invitations(Answered):
    invites: list[Invitation]
    invitations: list[Invitation]
    meta: Meta


class AllowListEntry(Answered):
    subnet: str
    subnet_size: int
    date_added: str
    ip_type: str


class AllowListEntryWrapped(Answered):
    ip_whitelist_entry: AllowListEntry


class AllowList(Answered):
    ip_whitelist: list[AllowListEntry]
    meta: Meta


class Account(Answered):
    """Billing is not ours: the figures are zero."""

    name: str
    email: str
    acls: list[str]
    balance: int
    pending_charges: int
    last_payment_date: str
    last_payment_amount: int


class AccountWrapped(Answered):
    account: Account


class TimeOfDay(Answered):
    start: int
    end: int
    timezone: str
    days_of_week: list[str]


class TrustConditions(Answered):
    time_of_day: TimeOfDay
    ip_address: list[str]


class Trust(Answered):
    id: str
    role_name: str
    role_id: str
    trust_type: str
    trusted_user_id: str
    user_display: str
    trusted_group_id: str
    group_display: str
    trusted_oidc_issuer_id: str
    trusted_oidc_issuer_source: str
    conditions: TrustConditions
    valid_until: str
    date_created: str


class TrustWrapped(Answered):
    role_trust: Trust


class TrustBoth(Trust):
    role_trust: Trust


class Trusts(Answered):
    role_trusts: list[Trust]
    meta: Meta


class AssumableRole(Trust):
    """A role that somebody may enter, with the trust by which: `id` is the role's."""

    name: str
    description: str
    role_type: str
    max_session_duration: int


class AssumableRoles(Answered):
    assumable_roles: list[AssumableRole]
    roles: list[AssumableRole]
    meta: Meta


class NoCredentials(Answered):
    """An object without members: there is no object storage here."""


class Session(Answered):
    """`session_token` is there for who brought it or was just given it, and empty for everybody else."""

    id: str
    session_token: str
    user_id: str
    oidc_issuer_id: str
    role_id: str
    session_name: str
    auth_method: str
    remaining_duration: int
    conditions_met: list[str]
    source_ip: str
    expires_at: str
    assumed_at: str
    s3_credentials: NoCredentials


class SessionBoth(Session):
    assumed_role_session: Session


class Sessions(Answered):
    sessions: list[Session]
    assumed_role_sessions: list[Session]
    meta: Meta
