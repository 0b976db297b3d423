"""The table of `/v1`."""

from dataclasses import replace

from rescind.api.door import Door
from rescind.api.exchange import Operation
from rescind.api.impacts import ImpactSaid
from rescind.api.native import (
    assignments,
    changes,
    groups,
    invitations,
    keys,
    organizations,
    properties,
    reasons,
    revocations,
)
from rescind.api.native.manners import MANNERS
from rescind.usecases import dormant, history, verbs
from rescind.usecases import group_roles as group_role_cases
from rescind.usecases import groups as group_cases
from rescind.usecases import invitations as invitation_cases
from rescind.usecases import keys as key_cases
from rescind.usecases import organizations as organization_cases
from rescind.usecases import permissions as permission_cases
from rescind.usecases import policies as policy_cases
from rescind.usecases import properties as property_cases
from rescind.usecases import reasons as reason_cases
from rescind.usecases import resources as resource_cases
from rescind.usecases import revocations as revocation_cases
from rescind.usecases import roles as role_cases
from rescind.usecases import undo as undo_case
from rescind.usecases import users as user_cases
from rescind.usecases.requirements import (
    Acting,
    Requirement,
    needs,
    needs_credential,
    needs_link,
    needs_root,
    needs_scope,
)


def _here(action: str) -> Requirement:
    return needs(action, on="organization", acting=Acting.HERE)


def _scoped(action: str, *, on: str = "organization") -> Requirement:
    """The action in the caller's organization; for an administrator of the platform the scope of that name."""
    acting = Acting.HERE if on == "organization" else Acting.KEY
    return needs(action, on=on, acting=acting, administrators=action)


_NAMED = replace(_scoped("iam.access.Read", on="user"), named=True)
_SELF = needs_credential(on="user")
_MEMBER = needs_credential(on="organization", acting=Acting.PERSON)
_GUEST = needs_link()

# fmt: off
OPERATIONS = (
    Operation(0, "GET", "/v1/changes", history.page, _scoped("iam.change.List"), changes.list_changes, 200, changes.Changes, also=(history.get,)),
    Operation(0, "GET", "/v1/changes/{revision}", history.get, _scoped("iam.change.List"), changes.get_change, 200, changes.Change),

    Operation(0, "POST", "/v1/changes/{revision}/undo", undo_case.undo, _scoped("iam.change.Undo"), changes.undo_change, 200, changes.Undone),

    Operation(0, "POST", "/v1/explain", reason_cases.explain, _scoped("iam.decision.Explain"), reasons.explain, 200, reasons.Explanation),
    Operation(0, "POST", "/v1/who-can", reason_cases.who_can, _scoped("iam.decision.Explain"), reasons.who_can, 200, reasons.WhoCan),
    Operation(0, "GET", "/v1/principals/{principal_id}/access", reason_cases.access_then, _NAMED, reasons.get_access, 200, reasons.Access),
    Operation(0, "POST", "/v1/preview", verbs.run, _scoped("iam.revocation.Preview"), revocations.preview, 200, ImpactSaid, body_names=True, is_preview=True),
    Operation(0, "POST", "/v1/revocations", revocation_cases.apply, _scoped("iam.revocation.Apply"), revocations.apply_revocations, 200, revocations.Revoked, body_names=True),

    Operation(0, "PUT", "/v1/roles/{role_id}/users/{user_id}", role_cases.attach_users, needs("iam.role.AttachUser", on="role", administrators="update:users"), assignments.put_role_user, 204),
    Operation(0, "PUT", "/v1/roles/{role_id}/groups/{group_id}", role_cases.attach_group, needs("iam.role.AttachGroup", on="role", administrators="create:group_roles"), assignments.put_role_group, 204),
    Operation(0, "PUT", "/v1/roles/{role_id}/policies/{policy_id}", role_cases.attach_policy, needs("iam.role.AttachPolicy", on="role"), assignments.put_role_policy, 204),
    Operation(0, "PUT", "/v1/policies/{policy_id}/users/{user_id}", policy_cases.attach_user, needs("iam.policy.AttachUser", on="policy"), assignments.put_policy_user, 204),
    Operation(0, "PUT", "/v1/policies/{policy_id}/groups/{group_id}", policy_cases.attach_group, needs("iam.policy.AttachGroup", on="policy"), assignments.put_policy_group, 204),
    Operation(0, "PUT", "/v1/groups/{group_id}/members/{user_id}", group_cases.add_member, needs("iam.group.AddMember", on="group", administrators="create:group_members"), assignments.put_group_member, 204),
    Operation(0, "PUT", "/v1/users/{user_id}/permissions", permission_cases.grant_to_user, needs_scope("update:users"), assignments.put_user_permissions, 204, body_names=True),
    Operation(0, "PUT", "/v1/roles/{role_id}/permissions", permission_cases.grant_to_role, needs_scope("update:roles"), assignments.put_role_permissions, 204, body_names=True),
    Operation(0, "PUT", "/v1/users/{user_id}/acls/{acl}", user_cases.grant_acl, needs("account.user.Update", on="user"), assignments.put_user_acl, 204),
    Operation(0, "DELETE", "/v1/users/{user_id}/acls/{acl}", user_cases.revoke_acl, needs("account.user.Update", on="user"), assignments.delete_user_acl, 204),
    Operation(0, "PUT", "/v1/organizations/{organization_id}/members/{user_id}/roles/{role_id}", role_cases.attach_users, needs_scope("create:organization_member_roles", within=True), assignments.put_member_role, 204),
    Operation(0, "PUT", "/v1/organizations/{organization_id}/groups/{group_id}/roles/{role_id}", group_role_cases.attach_roles, needs_scope("create:organization_group_roles", within=True), assignments.put_group_role, 204),

    Operation(0, "GET", "/v1/memberships", organization_cases.memberships, _SELF, organizations.list_memberships, 200, organizations.Memberships),
    Operation(0, "DELETE", "/v1/memberships/{organization_id}", organization_cases.leave, _MEMBER, organizations.leave_organization, 204),
    Operation(0, "POST", "/v1/organizations/{organization_id}/transfer", organization_cases.transfer, needs_root(on="organization", acting=Acting.PERSON), organizations.transfer_organization, 204),
    Operation(0, "POST", "/v1/apikeys", key_cases.create_own, _MEMBER, keys.create_key, 201, keys.Key, body_names=True),

    Operation(0, "POST", "/v1/groups", group_cases.create, needs("iam.group.Create", on="group", administrators="create:groups"), groups.new_group, 201, groups.NewGroup, body_names=True),
    Operation(0, "POST", "/v1/groups/{group_id}/members", group_cases.add_member, needs("iam.group.AddMember", on="group", administrators="create:group_members"), groups.add_group_member, 204),
    Operation(0, "DELETE", "/v1/groups/{group_id}/members/{user_id}", group_cases.remove_member, needs("iam.group.RemoveMember", on="group", administrators="delete:group_members"), groups.remove_group_member, 204),
    Operation(0, "POST", "/v1/groups/{group_id}/restore", group_cases.restore, needs("iam.group.Restore", on="group"), organizations.restore_group, 200, organizations.Group),
    Operation(0, "GET", "/v1/dormant-edges", dormant.page, _here("iam.access.Read"), organizations.list_dormant_edges, 200, organizations.DormantEdges),
    Operation(0, "DELETE", "/v1/dormant-edges/{holder_id}/{thing_id}", dormant.end, _here("iam.revocation.Apply"), organizations.end_dormant_edge, 204),

    Operation(0, "GET", "/v1/principals/{principal_id}", property_cases.get, _scoped("iam.access.Read", on="user"), properties.get_principal, 200, properties.Principal),
    Operation(0, "PATCH", "/v1/principals/{principal_id}", property_cases.update, _scoped("iam.property.Update", on="user"), properties.update_principal, 200, properties.Principal),
    Operation(0, "GET", "/v1/resources", resource_cases.page, _scoped("iam.resource.List"), properties.list_resources, 200, properties.Resources),
    Operation(0, "GET", "/v1/resources/{resource_type}/{resource_id}", resource_cases.get, _scoped("iam.resource.Read"), properties.get_resource, 200, properties.Resource),
    Operation(0, "PUT", "/v1/resources/{resource_type}/{resource_id}", resource_cases.put, _scoped("iam.resource.Update"), properties.put_resource, 200, properties.Resource),
    Operation(0, "DELETE", "/v1/resources/{resource_type}/{resource_id}", resource_cases.delete, _scoped("iam.resource.Delete"), properties.delete_resource, 204),

    # The first three are for whoever has the link, the last for who may invite.
    Operation(0, "GET", "/v1/invitations/{invitation}", invitation_cases.see, _GUEST, invitations.see_invitation, 200, invitations.Invitation),
    Operation(0, "POST", "/v1/invitations/{invitation}/accept", invitation_cases.accept, _GUEST, invitations.accept_invitation, 200, invitations.Accepted),
    Operation(0, "POST", "/v1/invitations/{invitation}/decline", invitation_cases.decline, _GUEST, invitations.decline_invitation, 204),
    Operation(0, "DELETE", "/v1/invitations/{invitation}", invitation_cases.withdraw, needs("iam.invitation.Delete", on="invitation"), invitations.withdraw_invitation, 204),
)
# fmt: on

DOOR = Door(
    "Rescind",
    "/v1",
    OPERATIONS,
    MANNERS,
    description="Times are microseconds since 1970, UTC. Everything is named by id: by UUID, or with an access token of "
    "an administrator of the platform by public id. Unknown members of bodies are refused.",
)
