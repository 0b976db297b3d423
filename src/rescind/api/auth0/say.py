"""What the Auth0 face says of things."""

from collections.abc import Mapping
from typing import Any

from rescind.usecases.accounts import AccountView, date_of, public_members
from rescind.usecases.apis import ApiView
from rescind.usecases.client_grants import ClientGrantView
from rescind.usecases.clients import ClientView
from rescind.usecases.issuer import Issuer
from rescind.usecases.organizations import OrganizationView
from rescind.usecases.permissions import PermissionView
from rescind.usecases.roles import RoleView


def user(account: AccountView, logins: tuple[int, int] | None = None) -> dict[str, Any]:
    """A user, with when she last logged in and how often, where that is known."""
    last = {"last_login": date_of(logins[0]), "logins_count": logins[1]} if logins else {}
    return public_members(account) | last


def member(account: AccountView) -> dict[str, Any]:
    """A user as one of a list of holders or members."""
    public = public_members(account)
    return {name: public.get(name, "") for name in ("user_id", "email", "picture", "name")}


def role(found: RoleView, *, was_described: bool = True) -> dict[str, Any]:
    """A role; one that was just made without a description has none."""
    said: dict[str, Any] = {"id": found.public_id, "name": found.name}
    if was_described:
        said["description"] = found.description
    return said | ({"type": "organization", "owner_id": found.owner_id} if found.owner_id else {"type": "tenant"})


def role_in_list(found: RoleView) -> dict[str, Any]:
    """A role as one of those of a user or member."""
    return {"id": found.public_id, "name": found.name, "description": found.description}


def permission(issuer: Issuer, found: PermissionView) -> dict[str, Any]:
    """A permission of a role."""
    return {
        "permission_name": found.scope,
        "description": found.description,
        "resource_server_name": found.api_name,
        "resource_server_identifier": issuer.spoken(found.identifier),
    }


def permission_of_user(issuer: Issuer, found: PermissionView) -> dict[str, Any]:
    """A permission of a user, with all that it comes from."""
    sources = [
        {
            "source_id": source.role_id,
            "source_name": source.role_name,
            "source_type": "ROLE" if source.role_id else "DIRECT",
        }
        for source in found.sources
    ]
    return {**permission(issuer, found), "sources": sources}


def api(issuer: Issuer, found: ApiView) -> dict[str, Any]:
    """A resource server."""
    said: dict[str, Any] = {
        **found.extras,
        "id": found.public_id,
        **({"name": found.name} if found.name is not None else {}),
        "identifier": issuer.spoken(found.identifier),
        **found.definition,
    }
    for name in ("client_id", "is_system", "signing_secret"):
        said.pop(name, None)
    if found.scopes is not None:
        said["scopes"] = [
            {"value": scope, **({} if description is None else {"description": description})}
            for scope, description in found.scopes
        ]
    if found.signing_secret is not None:
        said["signing_secret"] = found.signing_secret
    if found.client_id is not None:
        said["client_id"] = found.client_id
    return said | ({"is_system": True} if found.is_system else {})


def client(found: ClientView, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A client."""
    keys = {"signing_keys": [{"cert": found.certificate}]}
    known = {"name": found.name, "client_id": found.public_id}
    said = {**defaults, **found.extras, **keys, **found.definition, **known}
    return said | ({"client_secret": found.secret} if found.secret is not None else {})


def client_grant(issuer: Issuer, found: ClientGrantView) -> dict[str, Any]:
    """A client grant; what was never said of it is absent."""
    terms = found.terms
    said: dict[str, Any] = {
        "id": found.public_id,
        "client_id": found.client_id,
        "audience": issuer.spoken(terms.identifier),
        "subject_type": terms.subject,
    }
    if not terms.all_scopes:
        said["scope"] = list(found.scopes)
    if terms.says_all_scopes:
        said["allow_all_scopes"] = terms.all_scopes
    if terms.organization_usage is not None:
        said["organization_usage"] = terms.organization_usage
    if terms.any_organization is not None:
        said["allow_any_organization"] = terms.any_organization
    return said


def organization(found: OrganizationView) -> dict[str, Any]:
    """An organization."""
    return {
        "third_party_client_access": "block",
        "is_app_entitlement_active": False,
        **{name: value for name, value in found.extras.items() if name != "metadata" or value},
        "id": found.public_id,
        "name": found.slug,
        "display_name": found.name,
    }
