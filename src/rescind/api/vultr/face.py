"""The table of the Vultr face: call → use case → requirement → answer. Numbers are those of the contract."""

from rescind.api.door import Door
from rescind.api.exchange import Operation
from rescind.api.vultr import (
    allow_lists,
    groups,
    invitations,
    keys,
    organizations,
    policies,
    roles,
    sessions,
    trusts,
    users,
    wire,
)
from rescind.api.vultr.manners import MANNERS
from rescind.usecases import access
from rescind.usecases import allow_lists as allow_list_cases
from rescind.usecases import groups as group_cases
from rescind.usecases import invitations as invitation_cases
from rescind.usecases import keys as key_cases
from rescind.usecases import organizations as organization_cases
from rescind.usecases import policies as policy_cases
from rescind.usecases import roles as role_cases
from rescind.usecases import sessions as session_cases
from rescind.usecases import trusts as trust_cases
from rescind.usecases import users as user_cases
from rescind.usecases.requirements import Acting, Requirement, needs, needs_credential


def _organization(action: str, acting: Acting = Acting.KEY) -> Requirement:
    return needs(f"iam.organization.{action}", on="organization", acting=acting)


def _user(action: str, *, own: bool = False) -> Requirement:
    return needs(action, on="user", own=own)


def _group(action: str) -> Requirement:
    return needs(f"iam.group.{action}", on="group")


def _role(action: str) -> Requirement:
    return needs(f"iam.role.{action}", on="role")


def _policy(action: str) -> Requirement:
    return needs(f"iam.policy.{action}", on="policy")


def _invitation(action: str) -> Requirement:
    return needs(f"iam.invitation.{action}", on="invitation")


def _trust(action: str) -> Requirement:
    return needs(f"iam.roletrust.{action}", on="roletrust")


def _session(action: str) -> Requirement:
    return needs(f"iam.assumedrole.{action}", on="session", acting=Acting.SESSION)


_SELF = needs_credential(on="user")

# fmt: off
OPERATIONS = (
    Operation(1, "GET", "/v2/organizations", organization_cases.page, _organization("List", Acting.EVERYWHERE), organizations.list_organizations, 200, wire.Organizations),
    Operation(2, "POST", "/v2/organizations", organization_cases.create, _organization("Create"), organizations.create_organization, 201, wire.OrganizationBoth),
    Operation(3, "GET", "/v2/organizations/{organization_id}", organization_cases.get, _organization("Read", Acting.PERSON), organizations.get_organization, 200, wire.OrganizationBoth),
    Operation(4, "PUT", "/v2/organizations/{organization_id}", organization_cases.update, _organization("Update", Acting.PERSON), organizations.update_organization, 200, wire.OrganizationBoth),
    Operation(5, "DELETE", "/v2/organizations/{organization_id}", organization_cases.delete, _organization("Delete", Acting.PERSON), organizations.delete_organization, 204),
    Operation(6, "PATCH", "/v2/organizations/{organization_id}/restore", organization_cases.restore, _organization("Restore", Acting.HEIR), organizations.restore_organization, 204),
    Operation(7, "DELETE", "/v2/organizations/{organization_id}/user/{user_id}", organization_cases.remove_user, _organization("RemoveUser"), organizations.remove_organization_user, 204),
    Operation(8, "PUT", "/v2/organizations/{organization_id}/user/{user_id}/suspend", organization_cases.suspend_user, _organization("SuspendUser"), organizations.suspend_organization_user, 204),
    Operation(9, "PUT", "/v2/organizations/{organization_id}/user/{user_id}/unsuspend", organization_cases.unsuspend_user, _organization("UnsuspendUser"), organizations.unsuspend_organization_user, 204),
    Operation(10, "GET", "/v2/organizations/{organization_id}/suspended-users", organization_cases.page_suspended, _organization("ListSuspendedUsers"), organizations.list_suspended_users, 200, wire.SuspendedUsers),

    Operation(15, "GET", "/v2/invitation", invitation_cases.page, _invitation("List"), invitations.list_invitations, 200, wire.Invitations),
    Operation(16, "POST", "/v2/invitation", invitation_cases.create, _invitation("Create"), invitations.create_invitation, 201, wire.InvitationBoth),
    Operation(17, "GET", "/v2/invitation/{invitation_id}", invitation_cases.get, _invitation("Read"), invitations.get_invitation, 200, wire.InvitationBoth),
    Operation(18, "POST", "/v2/invitation/{invitation_id}/resend", invitation_cases.resend, _invitation("Resend"), invitations.resend_invitation, 200, wire.InvitationBoth),

    Operation(19, "GET", "/v2/users", user_cases.page, _user("account.user.List"), users.list_users, 200, wire.Users),
    Operation(20, "POST", "/v2/users", user_cases.create, _user("account.user.Create"), users.create_user, 201, wire.UserMadeWrapped),
    # `me` before the id.
    Operation(32, "GET", "/v2/users/me/groups", access.own_groups, _SELF, users.list_own_groups, 200, wire.Groups),
    Operation(33, "GET", "/v2/users/me/roles", access.own_roles, _SELF, users.list_own_roles, 200, wire.UserRoles),
    Operation(34, "GET", "/v2/users/me/policies", access.own_policies, _SELF, users.list_own_policies, 200, wire.UserPolicies),
    Operation(21, "GET", "/v2/users/{user_id}", user_cases.get, _user("account.user.Read", own=True), users.get_user, 200, wire.UserWrapped),
    Operation(22, "PATCH", "/v2/users/{user_id}", user_cases.update, _user("account.user.Update", own=True), users.update_user, 202, wire.UserWrapped),
    Operation(23, "DELETE", "/v2/users/{user_id}", user_cases.delete, _user("account.user.Delete"), users.delete_user, 204),
    Operation(24, "GET", "/v2/users/{user_id}/ip-whitelist", allow_list_cases.entries, _user("account.user.Read"), allow_lists.list_allow_list, 200, wire.AllowList),
    Operation(25, "GET", "/v2/users/{user_id}/ip-whitelist/entry", allow_list_cases.entry, _user("account.user.Read"), allow_lists.get_allow_list_entry, 200, wire.AllowListEntryWrapped),
    Operation(26, "POST", "/v2/users/{user_id}/ip-whitelist", allow_list_cases.add, _user("account.user.Update"), allow_lists.add_allow_list_entry, 204),
    Operation(27, "DELETE", "/v2/users/{user_id}/ip-whitelist", allow_list_cases.remove, _user("account.user.Update"), allow_lists.remove_allow_list_entry, 204),
    Operation(28, "GET", "/v2/users/{user_id}/apikeys", key_cases.of_user, _user("account.user.List"), keys.list_user_keys, 200, wire.Keys),
    Operation(29, "POST", "/v2/users/{user_id}/apikeys", key_cases.create_for_user, _user("account.user.Create"), keys.create_user_key, 202, wire.KeyWrapped),
    Operation(30, "GET", "/v2/users/{user_id}/apikeys/{key_id}", key_cases.get_of_user, _user("account.user.Read"), keys.get_user_key, 200, wire.KeyWrapped),
    Operation(31, "DELETE", "/v2/users/{user_id}/apikeys/{key_id}", key_cases.delete_of_user, _user("account.user.Update"), keys.delete_user_key, 204),
    Operation(35, "GET", "/v2/users/{user_id}/groups", access.groups_of_user, _user("iam.user.ListGroups", own=True), users.list_user_groups, 200, wire.Groups),
    Operation(36, "GET", "/v2/users/{user_id}/roles", access.roles_of_user, _user("iam.user.ListRoles", own=True), users.list_user_roles, 200, wire.UserRoles),
    Operation(37, "GET", "/v2/users/{user_id}/policies", access.policies_of_user, _user("iam.user.ListPolicies", own=True), users.list_user_policies, 200, wire.UserPolicies),
    Operation(38, "GET", "/v2/apikeys", key_cases.own, _SELF, keys.list_own_keys, 200, wire.Keys),
    Operation(39, "POST", "/v2/apikeys", key_cases.create_own, _SELF, keys.create_own_key, 202, wire.KeyWrapped),
    Operation(40, "GET", "/v2/apikeys/{key_id}", key_cases.get_own, _SELF, keys.get_own_key, 200, wire.KeyWrapped),
    Operation(41, "DELETE", "/v2/apikeys/{key_id}", key_cases.delete_own, _SELF, keys.delete_own_key, 204),

    Operation(42, "GET", "/v2/account", user_cases.account, needs("account.billing.Read", on="account"), users.get_account, 200, wire.AccountWrapped),

    Operation(43, "GET", "/v2/groups", group_cases.page, _group("List"), groups.list_groups, 200, wire.Groups),
    Operation(44, "POST", "/v2/groups", group_cases.create, _group("Create"), groups.create_group, 201, wire.GroupBoth),
    Operation(45, "GET", "/v2/groups/{group_id}", group_cases.get, _group("Read"), groups.get_group, 200, wire.GroupWrapped),
    Operation(46, "PUT", "/v2/groups/{group_id}", group_cases.update, _group("Update"), groups.update_group, 200, wire.GroupBoth),
    Operation(47, "DELETE", "/v2/groups/{group_id}", group_cases.delete, _group("Delete"), groups.delete_group, 204),
    Operation(48, "GET", "/v2/groups/{group_id}/members", group_cases.page_members, _group("Read"), groups.list_group_members, 200, wire.GroupMembers),
    Operation(49, "POST", "/v2/groups/{group_id}/members", group_cases.add_member, _group("AddMember"), groups.add_group_member, 201, wire.GroupMemberBoth),
    Operation(50, "GET", "/v2/groups/{group_id}/members/{member_id}", group_cases.get_member, _group("Read"), groups.get_group_member, 200, wire.GroupMemberWrapped),
    Operation(51, "DELETE", "/v2/groups/{group_id}/members/{member_id}", group_cases.remove_member, _group("RemoveMember"), groups.remove_group_member, 204),
    Operation(52, "PUT", "/v2/groups/{group_id}/members/{member_id}", group_cases.add_member, _group("AddMember"), groups.restore_group_member, 202, wire.GroupMemberWrapped),
    Operation(53, "GET", "/v2/groups/{group_id}/roles", access.roles_of_group, _group("ListRoles"), groups.list_group_roles, 200, wire.GroupRoles),
    Operation(54, "GET", "/v2/groups/{group_id}/policies", access.policies_of_group, _group("ListPolicies"), groups.list_group_policies, 200, wire.GroupPolicies),

    Operation(55, "GET", "/v2/roles", role_cases.page, _role("List"), roles.list_roles, 200, wire.Roles),
    Operation(56, "POST", "/v2/roles", role_cases.create, _role("Create"), roles.create_role, 201, wire.RoleBoth),
    Operation(57, "GET", "/v2/roles/{role_id}", role_cases.get, _role("Read"), roles.get_role, 200, wire.RoleWrapped),
    Operation(58, "PUT", "/v2/roles/{role_id}", role_cases.update, _role("Update"), roles.update_role, 200, wire.RoleBoth),
    Operation(59, "DELETE", "/v2/roles/{role_id}", role_cases.delete, _role("Delete"), roles.delete_role, 204),
    Operation(60, "PATCH", "/v2/roles/{role_id}/restore", role_cases.restore, _role("Restore"), roles.restore_role, 200, wire.RoleBoth),
    Operation(61, "GET", "/v2/roles/{role_id}/groups", role_cases.page_groups, _role("ListGroups"), roles.list_role_groups, 200, wire.RoleGroups),
    Operation(62, "POST", "/v2/roles/{role_id}/groups/{group_id}", role_cases.attach_group, _role("AttachGroup"), roles.attach_role_group, 201, wire.RoleGroupBoth),
    Operation(63, "DELETE", "/v2/roles/{role_id}/groups/{group_id}", role_cases.detach_group, _role("DetachGroup"), roles.detach_role_group, 204),
    Operation(64, "GET", "/v2/roles/{role_id}/users", role_cases.page_users, _role("ListUsers"), roles.list_role_users, 200, wire.RoleUsers),
    Operation(65, "POST", "/v2/roles/{role_id}/users/{user_id}", role_cases.attach_users, _role("AttachUser"), roles.attach_role_user, 201, wire.RoleUserBoth),
    Operation(66, "DELETE", "/v2/roles/{role_id}/users/{user_id}", role_cases.detach_users, _role("DetachUser"), roles.detach_role_user, 204),
    Operation(67, "GET", "/v2/roles/{role_id}/policies", role_cases.page_policies, _role("ListPolicies"), roles.list_role_policies, 200, wire.RolePolicies),
    Operation(68, "POST", "/v2/roles/{role_id}/policies", role_cases.attach_policy, _role("AttachPolicy"), roles.attach_named_role_policy, 201, wire.RolePolicyBoth),
    Operation(69, "POST", "/v2/roles/{role_id}/policies/{policy_id}", role_cases.attach_policy, _role("AttachPolicy"), roles.attach_role_policy, 201, wire.RolePolicyBoth),
    Operation(70, "DELETE", "/v2/roles/{role_id}/policies/{policy_id}", role_cases.detach_policy, _role("DetachPolicy"), roles.detach_role_policy, 204),

    Operation(71, "GET", "/v2/policies", policy_cases.page, _policy("List"), policies.list_policies, 200, wire.Policies),
    Operation(72, "POST", "/v2/policies", policy_cases.create, _policy("Create"), policies.create_policy, 201, wire.PolicyBoth),
    Operation(73, "GET", "/v2/policies/{policy_id}", policy_cases.get, _policy("Read"), policies.get_policy, 200, wire.PolicyWrapped),
    Operation(74, "PUT", "/v2/policies/{policy_id}", policy_cases.update, _policy("Update"), policies.update_policy, 202, wire.PolicyBoth),
    Operation(75, "DELETE", "/v2/policies/{policy_id}", policy_cases.delete, _policy("Delete"), policies.delete_policy, 204),
    Operation(76, "PATCH", "/v2/policies/{policy_id}/restore", policy_cases.restore, _policy("Restore"), policies.restore_policy, 202, wire.PolicyBoth),
    Operation(77, "GET", "/v2/policies/{policy_id}/groups", policy_cases.page_groups, _policy("ListGroups"), policies.list_policy_groups, 200, wire.PolicyGroups),
    Operation(78, "POST", "/v2/policies/{policy_id}/groups/{group_id}", policy_cases.attach_group, _policy("AttachGroup"), policies.attach_policy_group, 201, wire.PolicyGroupBoth),
    Operation(79, "DELETE", "/v2/policies/{policy_id}/groups/{group_id}", policy_cases.detach_group, _policy("DetachGroup"), policies.detach_policy_group, 204),
    Operation(80, "GET", "/v2/policies/{policy_id}/users", policy_cases.page_users, _policy("ListUsers"), policies.list_policy_users, 200, wire.PolicyUsers),
    Operation(81, "POST", "/v2/policies/{policy_id}/users/{user_id}", policy_cases.attach_user, _policy("AttachUser"), policies.attach_policy_user, 201, wire.PolicyUserBoth),
    Operation(82, "DELETE", "/v2/policies/{policy_id}/users/{user_id}", policy_cases.detach_user, _policy("DetachUser"), policies.detach_policy_user, 204),

    Operation(83, "GET", "/v2/role-trusts", trust_cases.page, _trust("List"), trusts.list_trusts, 200, wire.Trusts),
    Operation(84, "POST", "/v2/role-trusts", trust_cases.create, _trust("Create"), trusts.create_trust, 201, wire.TrustBoth, body_names=True),
    # These two before the id.
    Operation(89, "GET", "/v2/role-trusts/by-role/{role_id}", trust_cases.of_role, needs("iam.roletrust.List", on="role"), trusts.list_role_trusts, 200, wire.Trusts),
    Operation(90, "GET", "/v2/role-trusts/assumable/{user_id}", trust_cases.assumable, _user("iam.roletrust.List", own=True), trusts.list_assumable_roles, 200, wire.AssumableRoles),
    Operation(85, "GET", "/v2/role-trusts/{trust_id}", trust_cases.get, _trust("Read"), trusts.get_trust, 200, wire.TrustWrapped),
    Operation(86, "PUT", "/v2/role-trusts/{trust_id}", trust_cases.update, _trust("Update"), trusts.update_trust, 200, wire.TrustBoth),
    Operation(87, "DELETE", "/v2/role-trusts/{trust_id}", trust_cases.delete, _trust("Delete"), trusts.delete_trust, 204),
    Operation(88, "PATCH", "/v2/role-trusts/{trust_id}/restore", trust_cases.restore, _trust("Restore"), trusts.restore_trust, 200, wire.TrustWrapped),

    Operation(92, "POST", "/v2/assumed-roles/assume", session_cases.assume, _role("AssumeRole"), sessions.assume_role, 201, wire.SessionBoth, body_names=True),
    Operation(93, "GET", "/v2/assumed-roles/users/{user_id}/sessions", session_cases.of_user, _user("iam.assumedrole.Read", own=True), sessions.list_user_sessions, 200, wire.Sessions),
    Operation(94, "GET", "/v2/assumed-roles/{session_id}", session_cases.get, _session("Read"), sessions.get_session, 200, wire.SessionBoth),
    Operation(95, "DELETE", "/v2/assumed-roles/{session_id}", session_cases.end, _session("Delete"), sessions.end_session, 204),
)
# fmt: on

DOOR = Door(
    "Rescind: the Vultr IAM face",
    "/v2",
    OPERATIONS,
    MANNERS,
    description="Dates are ISO 8601 in UTC, durations are seconds. Unknown members of bodies are ignored, but in policy "
    "documents and in the conditions of trusts.",
)
