"""What Auth0 calls each of its calls that write, in the log."""

from rescind.api.exchange import Operation

_TITLES = {
    "create_user": "Create a User",
    "update_user": "Update a User",
    "delete_user": "Delete a User",
    "assign_user_roles": "Assign roles to a user",
    "remove_user_roles": "Remove roles from a user",
    "assign_user_permissions": "Assign Permissions to a User",
    "remove_user_permissions": "Remove Permissions from a User",
    "create_role": "Create a role",
    "update_role": "Update a role",
    "delete_role": "Delete a role",
    "add_role_permissions": "Associate permissions with a role",
    "remove_role_permissions": "Remove permissions from a role",
    "assign_role_users": "Assign users to a role",
    "create_resource_server": "Create a resource server",
    "update_resource_server": "Update a resource server",
    "delete_resource_server": "Delete a resource server",
    "create_client": "Create a client",
    "update_client": "Update a client",
    "delete_client": "Delete a client",
    "rotate_client_secret": "Rotate a client secret",
    "create_client_grant": "Create client grant",
    "update_client_grant": "Update client grant",
    "delete_client_grant": "Delete client grant",
    "create_organization": "Create an Organization",
    "update_organization": "Modify an Organization",
    "delete_organization": "Delete organization",
    "add_members": "Add members to an organization",
    "remove_members": "Delete members from an organization",
    "assign_member_roles": "Assign user roles to an Organization member",
    "remove_member_roles": "Delete user roles from an Organization member",
    "add_organization_client_grant": "Associate a client grant with an organization",
    "remove_organization_client_grant": "Remove a client grant from an organization",
    "create_invitation": "Create invitations to organization",
    "delete_invitation": "Delete an invitation to organization",
}


def title_of(operation: Operation) -> str:
    """The call as the log names it; those that Auth0 has no name for by the first line of what they do."""
    name = operation.handler.__name__
    return _TITLES.get(name) or (operation.usecase.__doc__ or name).split("\n")[0].rstrip(".")
