"""The tables of the Auth0 face: the Management API, and the endpoints that issue tokens."""

from rescind.api.auth0 import (
    clients,
    connections,
    cut_off,
    groups,
    invitations,
    logs,
    organizations,
    resource_servers,
    roles,
    tokens,
    users,
    well_known,
)
from rescind.api.auth0.manners import MANNERS, OAUTH_MANNERS
from rescind.api.door import Door, Forms
from rescind.api.exchange import Operation
from rescind.usecases import accounts as account_cases
from rescind.usecases import apis as api_cases
from rescind.usecases import audit as audit_cases
from rescind.usecases import client_grants as grant_cases
from rescind.usecases import clients as client_cases
from rescind.usecases import effective_access as effective_cases
from rescind.usecases import group_roles as group_cases
from rescind.usecases import groups as core_group_cases
from rescind.usecases import memberships as membership_cases
from rescind.usecases import organizations as organization_cases
from rescind.usecases import permissions as permission_cases
from rescind.usecases import roles as role_cases
from rescind.usecases import signing_keys
from rescind.usecases import tickets as ticket_cases
from rescind.usecases import token_families as family_cases
from rescind.usecases import tokens as token_cases
from rescind.usecases.requirements import Requirement, needs_client, needs_nobody, needs_scope


def _in_organization(*scopes: str | tuple[str, ...]) -> Requirement:
    return needs_scope(*scopes, within=True)


_UPDATE_USER = needs_scope("update:users", "update:users_app_metadata", own=("update:current_user_metadata",))

# fmt: off
_USERS = (
    Operation(0, "GET", "/api/v2/users", account_cases.page, needs_scope("read:users"), users.list_users, 200, also=(account_cases.search,)),
    Operation(0, "POST", "/api/v2/users", account_cases.create, needs_scope("create:users"), users.create_user, 201),
    Operation(0, "GET", "/api/v2/users-by-email", account_cases.with_email, needs_scope("read:users"), users.list_users_by_email, 200),
    Operation(0, "GET", "/api/v2/users/{user_id}", account_cases.get, needs_scope("read:users", own=("read:current_user",)), users.get_user, 200),
    Operation(0, "PATCH", "/api/v2/users/{user_id}", account_cases.update, _UPDATE_USER, users.update_user, 200),
    Operation(0, "DELETE", "/api/v2/users/{user_id}", account_cases.delete, needs_scope("delete:users", own=("delete:current_user",)), users.delete_user, 204),
    Operation(0, "GET", "/api/v2/users/{user_id}/roles", role_cases.of_user, needs_scope(("read:users", "read:roles"), newer=("read:role_members",)), users.list_user_roles, 200),
    Operation(0, "POST", "/api/v2/users/{user_id}/roles", role_cases.attach_users, needs_scope("update:users", newer=("create:role_members",)), users.assign_user_roles, 204),
    Operation(0, "DELETE", "/api/v2/users/{user_id}/roles", role_cases.detach_users, needs_scope("update:users", newer=("delete:role_members",)), users.remove_user_roles, 204),
    Operation(0, "GET", "/api/v2/users/{user_id}/permissions", permission_cases.of_user, needs_scope("read:users"), users.list_user_permissions, 200),
    Operation(0, "POST", "/api/v2/users/{user_id}/permissions", permission_cases.grant_to_user, needs_scope("update:users"), users.assign_user_permissions, 201, body_names=True),
    Operation(0, "DELETE", "/api/v2/users/{user_id}/permissions", permission_cases.revoke_from_user, needs_scope("update:users"), users.remove_user_permissions, 204),
    Operation(0, "GET", "/api/v2/users/{user_id}/organizations", organization_cases.of_user, needs_scope("read:organizations", "read:users"), users.list_user_organizations, 200),
)

_ROLES = (
    Operation(0, "GET", "/api/v2/roles", role_cases.every, needs_scope("read:roles"), roles.list_roles, 200),
    Operation(0, "POST", "/api/v2/roles", role_cases.define, needs_scope("create:roles"), roles.create_role, 200, body_names=True),
    Operation(0, "GET", "/api/v2/roles/{role_id}", role_cases.get, needs_scope("read:roles"), roles.get_role, 200),
    Operation(0, "PATCH", "/api/v2/roles/{role_id}", role_cases.redefine, needs_scope("update:roles"), roles.update_role, 200),
    Operation(0, "DELETE", "/api/v2/roles/{role_id}", role_cases.delete, needs_scope("delete:roles"), roles.delete_role, 200),
    Operation(0, "GET", "/api/v2/roles/{role_id}/permissions", permission_cases.of_role, needs_scope("read:roles"), roles.list_role_permissions, 200),
    Operation(0, "POST", "/api/v2/roles/{role_id}/permissions", permission_cases.grant_to_role, needs_scope("update:roles"), roles.add_role_permissions, 201),
    Operation(0, "DELETE", "/api/v2/roles/{role_id}/permissions", permission_cases.revoke_from_role, needs_scope("update:roles"), roles.remove_role_permissions, 204),
    Operation(0, "GET", "/api/v2/roles/{role_id}/users", role_cases.page_holders, needs_scope(("read:users", "read:roles"), newer=("read:role_members",)), roles.list_role_users, 200),
    Operation(0, "POST", "/api/v2/roles/{role_id}/users", role_cases.attach_many, needs_scope("update:roles", newer=("create:role_members",)), roles.assign_role_users, 200),
)

_APIS = (
    Operation(0, "GET", "/api/v2/resource-servers", api_cases.every, needs_scope("read:resource_servers"), resource_servers.list_resource_servers, 200),
    Operation(0, "POST", "/api/v2/resource-servers", api_cases.create, needs_scope("create:resource_servers"), resource_servers.create_resource_server, 201),
    Operation(0, "GET", "/api/v2/resource-servers/{resource_server_id}", api_cases.get, needs_scope("read:resource_servers"), resource_servers.get_resource_server, 200),
    Operation(0, "PATCH", "/api/v2/resource-servers/{resource_server_id}", api_cases.update, needs_scope("update:resource_servers"), resource_servers.update_resource_server, 200),
    Operation(0, "DELETE", "/api/v2/resource-servers/{resource_server_id}", api_cases.delete, needs_scope("delete:resource_servers"), resource_servers.delete_resource_server, 204),
)

_CLIENTS = (
    Operation(0, "GET", "/api/v2/clients", client_cases.every, needs_scope("read:clients"), clients.list_clients, 200),
    Operation(0, "POST", "/api/v2/clients", client_cases.create, needs_scope("create:clients"), clients.create_client, 201),
    Operation(0, "GET", "/api/v2/clients/{client_id}", client_cases.get, needs_scope("read:clients"), clients.get_client, 200),
    Operation(0, "PATCH", "/api/v2/clients/{client_id}", client_cases.update, needs_scope("update:clients"), clients.update_client, 200),
    Operation(0, "DELETE", "/api/v2/clients/{client_id}", client_cases.delete, needs_scope("delete:clients"), clients.delete_client, 204),
    Operation(0, "POST", "/api/v2/clients/{client_id}/rotate-secret", client_cases.rotate_secret, needs_scope("update:client_keys"), clients.rotate_client_secret, 200),

    Operation(0, "GET", "/api/v2/client-grants", grant_cases.every, needs_scope("read:client_grants"), clients.list_client_grants, 200),
    Operation(0, "POST", "/api/v2/client-grants", grant_cases.create, needs_scope("create:client_grants"), clients.create_client_grant, 201, body_names=True),
    Operation(0, "GET", "/api/v2/client-grants/{grant_id}", grant_cases.get, needs_scope("read:client_grants"), clients.get_client_grant, 200),
    Operation(0, "PATCH", "/api/v2/client-grants/{grant_id}", grant_cases.update, needs_scope("update:client_grants"), clients.update_client_grant, 200),
    Operation(0, "DELETE", "/api/v2/client-grants/{grant_id}", grant_cases.delete, needs_scope("delete:client_grants"), clients.delete_client_grant, 204),
    Operation(0, "GET", "/api/v2/client-grants/{grant_id}/organizations", grant_cases.organizations_of, needs_scope("read:organization_client_grants"), clients.list_client_grant_organizations, 200),

    Operation(0, "GET", "/api/v2/connections", account_cases.connections, needs_scope("read:connections"), connections.list_connections, 200),
    Operation(0, "GET", "/api/v2/connections/{connection_id}", account_cases.connections, needs_scope("read:connections"), connections.get_connection, 200),
)

_ORGANIZATIONS = (
    Operation(0, "GET", "/api/v2/organizations", organization_cases.every, needs_scope("read:organizations"), organizations.list_organizations, 200, also=(organization_cases.ordered,)),
    Operation(0, "POST", "/api/v2/organizations", organization_cases.establish, needs_scope("create:organizations"), organizations.create_organization, 201),
    Operation(0, "GET", "/api/v2/organizations/name/{name}", organization_cases.with_slug, needs_scope("read:organizations"), organizations.get_organization_by_name, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}", organization_cases.here, _in_organization("read:organizations"), organizations.get_organization, 200),
    Operation(0, "PATCH", "/api/v2/organizations/{organization_id}", organization_cases.reshape, _in_organization("update:organizations"), organizations.update_organization, 200),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}", organization_cases.dissolve, _in_organization("delete:organizations"), organizations.delete_organization, 204),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/members", membership_cases.page, _in_organization("read:organization_members"), organizations.list_members, 200, also=(membership_cases.page_with_roles,)),
    Operation(0, "POST", "/api/v2/organizations/{organization_id}/members", membership_cases.add, _in_organization("create:organization_members"), organizations.add_members, 204),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}/members", membership_cases.remove, _in_organization("delete:organization_members"), organizations.remove_members, 204),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/members/{user_id}/roles", role_cases.of_user, _in_organization("read:organization_member_roles"), organizations.list_member_roles, 200),
    Operation(0, "POST", "/api/v2/organizations/{organization_id}/members/{user_id}/roles", role_cases.attach_users, _in_organization("create:organization_member_roles"), organizations.assign_member_roles, 204),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}/members/{user_id}/roles", role_cases.detach_users, _in_organization("delete:organization_member_roles"), organizations.remove_member_roles, 204),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/roles/{role_id}/members", role_cases.page_holders, _in_organization(("read:roles", "read:organization_members")), organizations.list_role_members, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/client-grants", grant_cases.of_organization, _in_organization("read:organization_client_grants"), organizations.list_organization_client_grants, 200),
    Operation(0, "POST", "/api/v2/organizations/{organization_id}/client-grants", grant_cases.associate, _in_organization("create:organization_client_grants"), organizations.add_organization_client_grant, 201),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}/client-grants/{grant_id}", grant_cases.dissociate, _in_organization("delete:organization_client_grants"), organizations.remove_organization_client_grant, 204),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/connections", account_cases.connections, _in_organization("read:organization_connections"), connections.list_organization_connections, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/enabled_connections", account_cases.connections, _in_organization("read:organization_connections"), connections.list_enabled_connections, 200),
)

_GROUPS = (
    Operation(0, "GET", "/api/v2/groups", group_cases.every, needs_scope("read:groups"), groups.list_groups, 200),
    Operation(0, "GET", "/api/v2/groups/{group_id}", group_cases.get, needs_scope("read:groups"), groups.get_group, 200),
    Operation(0, "DELETE", "/api/v2/groups/{group_id}", core_group_cases.delete, needs_scope("delete:groups"), groups.delete_group, 204),
    Operation(0, "GET", "/api/v2/groups/{group_id}/members", group_cases.page_members, needs_scope("read:group_members"), groups.list_group_members, 200),
    Operation(0, "GET", "/api/v2/groups/{group_id}/roles", group_cases.roles_of, needs_scope("read:group_roles"), groups.list_group_roles, 200),
    Operation(0, "POST", "/api/v2/groups/{group_id}/roles", group_cases.attach_roles, needs_scope("create:group_roles"), groups.assign_group_roles, 204),
    Operation(0, "DELETE", "/api/v2/groups/{group_id}/roles", group_cases.detach_roles, needs_scope("delete:group_roles"), groups.remove_group_roles, 204),
    Operation(0, "GET", "/api/v2/users/{user_id}/groups", group_cases.of_user, needs_scope("read:groups"), groups.list_user_groups, 200),
    Operation(0, "GET", "/api/v2/roles/{role_id}/groups", group_cases.of_role, needs_scope("read:group_roles"), groups.list_role_groups, 200),
    Operation(0, "POST", "/api/v2/roles/{role_id}/groups", group_cases.attach_groups, needs_scope("create:group_roles"), groups.assign_role_groups, 204),
    Operation(0, "DELETE", "/api/v2/roles/{role_id}/groups", group_cases.detach_groups, needs_scope("delete:group_roles"), groups.remove_role_groups, 204),

    Operation(0, "GET", "/api/v2/organizations/{organization_id}/groups", group_cases.every, _in_organization("read:organization_groups"), groups.list_organization_groups, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/groups/{group_id}/roles", group_cases.roles_of, _in_organization("read:organization_group_roles"), groups.list_organization_group_roles, 200),
    Operation(0, "POST", "/api/v2/organizations/{organization_id}/groups/{group_id}/roles", group_cases.attach_roles, _in_organization("create:organization_group_roles"), groups.assign_organization_group_roles, 204),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}/groups/{group_id}/roles", group_cases.detach_roles, _in_organization("delete:organization_group_roles"), groups.remove_organization_group_roles, 204),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/roles/{role_id}/groups", group_cases.of_role, _in_organization(("read:roles", "read:organization_groups")), groups.list_organization_role_groups, 200),

    Operation(0, "GET", "/api/v2/users/{user_id}/effective-roles", effective_cases.roles_of, needs_scope("read:user_effective_roles"), groups.list_effective_roles, 200),
    Operation(0, "GET", "/api/v2/users/{user_id}/effective-roles/sources/groups", effective_cases.groups_with, needs_scope("read:user_role_source_groups"), groups.list_role_source_groups, 200),
    Operation(0, "GET", "/api/v2/users/{user_id}/effective-permissions", effective_cases.permissions_of, needs_scope("read:user_effective_permissions"), groups.list_effective_permissions, 200),
    Operation(0, "GET", "/api/v2/users/{user_id}/effective-permissions/sources/effective-roles", effective_cases.roles_with, needs_scope("read:user_permission_source_roles"), groups.list_permission_source_roles, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/members/{user_id}/effective-roles", effective_cases.roles_of, _in_organization("read:organization_member_effective_roles"), groups.list_member_effective_roles, 200),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/members/{user_id}/effective-roles/sources/groups", effective_cases.groups_with, _in_organization("read:organization_member_role_source_groups"), groups.list_member_role_source_groups, 200),
)

_CUT_OFF = (
    Operation(0, "GET", "/api/v2/user-blocks", account_cases.names_with, needs_scope("read:users"), cut_off.list_blocks, 200, body_names=True),
    Operation(0, "DELETE", "/api/v2/user-blocks", account_cases.names_with, needs_scope("update:users"), cut_off.lift_blocks, 204, body_names=True),
    Operation(0, "GET", "/api/v2/user-blocks/{user_id}", account_cases.names_of, needs_scope("read:users"), cut_off.list_user_blocks, 200),
    Operation(0, "DELETE", "/api/v2/user-blocks/{user_id}", account_cases.names_of, needs_scope("update:users"), cut_off.lift_user_blocks, 204),

    Operation(0, "GET", "/api/v2/users/{user_id}/refresh-tokens", family_cases.of_user, needs_scope("read:refresh_tokens"), cut_off.list_user_refresh_tokens, 200),
    Operation(0, "DELETE", "/api/v2/users/{user_id}/refresh-tokens", family_cases.end_of_user, needs_scope("delete:refresh_tokens"), cut_off.end_user_refresh_tokens, 202),
    Operation(0, "POST", "/api/v2/users/{user_id}/revoke-access", family_cases.revoke_access, needs_scope(("delete:sessions", "delete:refresh_tokens")), cut_off.revoke_access, 202),
    Operation(0, "GET", "/api/v2/refresh-tokens", family_cases.of_user, needs_scope("read:refresh_tokens"), cut_off.list_refresh_tokens, 200, body_names=True),
    Operation(0, "POST", "/api/v2/refresh-tokens/revoke", family_cases.end_several, needs_scope("delete:refresh_tokens"), cut_off.end_refresh_tokens, 202, body_names=True, also=(family_cases.end_of_user, family_cases.end_of_client)),
    Operation(0, "GET", "/api/v2/refresh-tokens/{refresh_token_id}", family_cases.get, needs_scope("read:refresh_tokens"), cut_off.get_refresh_token, 200),
    Operation(0, "PATCH", "/api/v2/refresh-tokens/{refresh_token_id}", family_cases.annotate, needs_scope("update:refresh_tokens"), cut_off.update_refresh_token, 200),
    Operation(0, "DELETE", "/api/v2/refresh-tokens/{refresh_token_id}", family_cases.end, needs_scope("delete:refresh_tokens"), cut_off.end_refresh_token, 204),

    Operation(0, "GET", "/api/v2/users/{user_id}/sessions", account_cases.get, needs_scope("read:sessions"), cut_off.list_sessions, 200),
    Operation(0, "DELETE", "/api/v2/users/{user_id}/sessions", account_cases.get, needs_scope("delete:sessions"), cut_off.end_sessions, 202),
    Operation(0, "GET", "/api/v2/sessions/{session_id}", account_cases.connections, needs_scope("read:sessions"), cut_off.see_session, 200),
    Operation(0, "PATCH", "/api/v2/sessions/{session_id}", account_cases.connections, needs_scope("update:sessions"), cut_off.update_session, 200),
    Operation(0, "DELETE", "/api/v2/sessions/{session_id}", account_cases.connections, needs_scope("delete:sessions"), cut_off.end_session, 202),
    Operation(0, "POST", "/api/v2/sessions/{session_id}/revoke", account_cases.connections, needs_scope(("delete:sessions", "delete:refresh_tokens")), cut_off.revoke_session, 202),

    Operation(0, "GET", "/api/v2/grants", family_cases.every, needs_scope("read:grants"), cut_off.list_grants, 200, body_names=True),
    Operation(0, "DELETE", "/api/v2/grants", family_cases.end_of_user, needs_scope("delete:grants"), cut_off.delete_grants, 204, body_names=True),
    Operation(0, "DELETE", "/api/v2/grants/{grant_id}", family_cases.end_of_grant, needs_scope("delete:grants"), cut_off.delete_grant, 204),

    Operation(0, "GET", "/api/v2/logs", audit_cases.newest, needs_scope("read:logs", "read:logs_users"), logs.list_logs, 200, also=(audit_cases.after,)),
    Operation(0, "GET", "/api/v2/logs/{log_id}", audit_cases.get, needs_scope("read:logs", "read:logs_users"), logs.get_log, 200),
    Operation(0, "GET", "/api/v2/users/{user_id}/logs", audit_cases.newest, needs_scope("read:logs", "read:logs_users"), logs.list_user_logs, 200),

    Operation(0, "GET", "/api/v2/organizations/{organization_id}/invitations", ticket_cases.every, _in_organization("read:organization_invitations"), invitations.list_invitations, 200),
    Operation(0, "POST", "/api/v2/organizations/{organization_id}/invitations", ticket_cases.invite, _in_organization("create:organization_invitations"), invitations.create_invitation, 201),
    Operation(0, "GET", "/api/v2/organizations/{organization_id}/invitations/{invitation_id}", ticket_cases.get, _in_organization("read:organization_invitations"), invitations.get_invitation, 200),
    Operation(0, "DELETE", "/api/v2/organizations/{organization_id}/invitations/{invitation_id}", ticket_cases.withdraw, _in_organization("delete:organization_invitations"), invitations.delete_invitation, 204),
)

OPERATIONS = (*_USERS, *_ROLES, *_APIS, *_CLIENTS, *_ORGANIZATIONS, *_GROUPS, *_CUT_OFF)

OPEN_OPERATIONS = (
    Operation(0, "POST", "/oauth/token", token_cases.by_client_credentials, needs_client(), tokens.issue_token, 200, also=(token_cases.by_password, token_cases.by_password_for_long, token_cases.by_refresh_token, token_cases.end_reused)),
    Operation(0, "POST", "/oauth/introspect", token_cases.introspect, needs_client(), tokens.introspect_token, 200),
    Operation(0, "POST", "/oauth/revoke", token_cases.revoke, needs_client(), tokens.revoke_token, 200),
    Operation(0, "GET", "/userinfo", token_cases.userinfo, needs_nobody(), tokens.get_userinfo, 200, refuses_in_text=True),
    Operation(0, "POST", "/userinfo", token_cases.userinfo, needs_nobody(), tokens.post_userinfo, 200, refuses_in_text=True),
    Operation(0, "GET", "/.well-known/jwks.json", signing_keys.published, needs_nobody(), well_known.list_signing_keys, 200),
    Operation(0, "GET", "/.well-known/openid-configuration", signing_keys.published, needs_nobody(), well_known.describe_server, 200),
    Operation(0, "GET", "/.well-known/oauth-authorization-server", signing_keys.published, needs_nobody(), well_known.describe_authorization_server, 200),
)
# fmt: on

MANAGEMENT = Door(
    "Rescind: the Auth0 Management face",
    "/api/v2",
    OPERATIONS,
    MANNERS,
    Forms.ALSO,
    description="Dates are RFC 3339 in UTC, durations are seconds. Lists are paged by number or from a checkpoint on.",
)
AUTHENTICATION = Door(
    "Rescind: tokens",
    "/oauth",
    OPEN_OPERATIONS,
    OAUTH_MANNERS,
    Forms.ALSO,
    description="Bodies are JSON or forms. Clients present themselves in the body, or by HTTP Basic.",
    places=(
        "/userinfo",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ),
)
