"""A program that uses the Auth0 SDK of Python, and says of every step that it held.

It builds up a tenant, takes roles away from a user as journey 5 does, and takes the tenant down again. It reads
`AUTH0_DOMAIN`, `AUTH0_CLIENT_ID` and `AUTH0_CLIENT_SECRET`, and runs under versions 5 and 6 of auth0-python.
"""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from auth0.authentication import GetToken
from auth0.authentication.exceptions import Auth0Error
from auth0.authentication.token_verifier import AsymmetricSignatureVerifier
from auth0.management import ManagementClient
from auth0.management.core.api_error import ApiError
from auth0.management.errors import ConflictError, ForbiddenError, NotFoundError, UnauthorizedError
from auth0.management.types import PermissionRequestPayload, ResourceServerScope

DOMAIN = os.environ["AUTH0_DOMAIN"]
CLIENT_ID = os.environ["AUTH0_CLIENT_ID"]
CLIENT_SECRET = os.environ["AUTH0_CLIENT_SECRET"]
ISSUER = f"https://{DOMAIN}/"
MANAGEMENT = f"https://{DOMAIN}/api/v2/"
VERSION = version("auth0-python")
MAJOR = int(VERSION.partition(".")[0])

API = "https://docs.example.org/v1/"
CONNECTION = "Username-Password-Authentication"
PASSWORD = "correct-Horse-1"
NOBODY = "auth0|000000000000000000000000"

auth0 = ManagementClient(domain=DOMAIN, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
keys = AsymmetricSignatureVerifier(f"https://{DOMAIN}/.well-known/jwks.json")


def main() -> None:
    done(f"auth0-python {VERSION}")
    tokens()
    apis()
    users()
    roles()
    journey()
    direct_permissions()
    clients()
    client_grants()
    connections()
    organizations()
    pages()


def tokens() -> None:
    """A token of the Management API is a JWT that anybody can verify with the published keys."""
    issued = authentication().client_credentials(MANAGEMENT)
    assert issued["token_type"] == "Bearer"
    done("client credentials")

    claims = keys.verify_signature(issued["access_token"])
    assert (claims["iss"], claims["aud"]) == (ISSUER, MANAGEMENT)
    assert (claims["sub"], claims["azp"]) == (f"{CLIENT_ID}@clients", CLIENT_ID)
    assert claims["gty"] == "client-credentials"
    assert claims["exp"] - claims["iat"] == issued["expires_in"]
    assert {"update:users", "read:roles", "delete:role_members"} <= set(claims["scope"].split())
    done("published keys")

    wrong = denied(401, authentication(secret="wrong").client_credentials, MANAGEMENT)
    assert (wrong.error_code, wrong.message) == ("access_denied", "Unauthorized")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        ManagementClient(domain=DOMAIN, client_id=CLIENT_ID, client_secret="wrong").users.list()
    done("wrong secret")

    unknown = denied(403, authentication().client_credentials, "https://unknown.example.org/")
    assert unknown.error_code == "access_denied"
    assert unknown.message == "Service not enabled within domain: https://unknown.example.org/"
    done("unknown audience")

    head, payload, signature = issued["access_token"].split(".")
    forged = ManagementClient(domain=DOMAIN, token=f"{head}.{payload}.{signature[::-1]}")
    assert refused(UnauthorizedError, forged.users.list)["error"] == "Unauthorized"
    done("forged token")


def apis() -> None:
    """APIs are found by id and by identifier, keep their scopes in order, and have RBAC switched on."""
    given = {"write:docs": "change", "read:docs": None}
    made = auth0.resource_servers.create(identifier=API, name="Documents", scopes=scopes(given))
    assert (made.identifier, made.name, made.signing_alg, made.token_lifetime) == (API, "Documents", "RS256", 86400)
    assert made.enforce_policies is None
    assert made.scopes == scopes(given)
    done("resource_servers.create")

    assert auth0.resource_servers.get(made.id).scopes == scopes(given)
    assert auth0.resource_servers.get(in_path(API)).id == made.id
    assert refused(NotFoundError, auth0.resource_servers.get, "0" * 24)["errorCode"] == "inexistent_resource_server"
    done("resource_servers.get")

    given = {"delete:docs": None, **given}
    changed = auth0.resource_servers.update(
        made.id, scopes=scopes(given), enforce_policies=True, token_dialect="access_token_authz"
    )
    assert changed.scopes == scopes(given)
    assert (changed.enforce_policies, changed.token_dialect) == (True, "access_token_authz")
    done("resource_servers.update")

    other = auth0.resource_servers.create(identifier="https://other.example.org/")
    assert {API, other.identifier, MANAGEMENT} <= {api.identifier for api in auth0.resource_servers.list(per_page=1)}
    both = auth0.resource_servers.list(identifiers=[API, other.identifier])
    assert (len(list(both)), both.response.total) == (2, 2)
    system = next(iter(auth0.resource_servers.list(identifiers=[MANAGEMENT])))
    assert (system.name, system.is_system) == ("Auth0 Management API", True)
    done("resource_servers.list")

    refused(ConflictError, auth0.resource_servers.create, identifier=API)
    done("resource_servers: conflict")

    auth0.resource_servers.delete(in_path(other.identifier))
    auth0.resource_servers.delete(other.id)  # what is gone may be deleted again
    refused(NotFoundError, auth0.resource_servers.get, other.id)
    assert refused(ApiError, auth0.resource_servers.delete, system.id)["statusCode"] == 400
    done("resource_servers.delete")


def users() -> None:
    """People are made, found, changed and deleted."""
    ann = auth0.users.create(
        connection=CONNECTION,
        email="Ann@example.org",
        password=PASSWORD,
        name="Ann Example",
        user_metadata={"colour": "red", "size": 3},
        app_metadata={"plan": "free"},
    )
    assert ann.user_id.startswith("auth0|")
    assert (ann.email, ann.email_verified, ann.name, ann.nickname) == ("ann@example.org", False, "Ann Example", "ann")
    assert ann.created_at
    assert ann.updated_at
    (identity,) = ann.identities
    assert f"{identity.provider}|{identity.user_id}" == ann.user_id
    assert (identity.connection, identity.is_social) == (CONNECTION, False)
    named = auth0.users.create(connection=CONNECTION, email="named@example.org", password=PASSWORD, user_id="of-my-own")
    assert named.user_id == "auth0|of-my-own"
    done("users.create")

    assert refused(
        ConflictError, auth0.users.create, connection=CONNECTION, email="ann@example.org", password=PASSWORD
    ) == {"statusCode": 409, "error": "Conflict", "message": "The user already exists.", "errorCode": "auth0_idp_error"}
    assert (
        refused(ApiError, auth0.users.create, connection="no-such", email="x@example.org", password=PASSWORD)["error"]
        == "Bad Request"
    )
    done("users: conflict")

    seen = auth0.users.get(ann.user_id)
    assert (seen.email, seen.user_metadata) == ("ann@example.org", {"colour": "red", "size": 3})
    part = auth0.users.get(ann.user_id, fields="email,name", include_fields=True)
    assert (part.email, part.name, part.user_id) == ("ann@example.org", "Ann Example", None)
    missing = refused(NotFoundError, auth0.users.get, NOBODY)
    assert (missing["errorCode"], missing["message"]) == ("inexistent_user", "The user does not exist.")
    done("users.get")

    changed = auth0.users.update(ann.user_id, nickname="annie", user_metadata={"colour": None, "shape": "round"})
    assert (changed.nickname, changed.user_metadata) == ("annie", {"size": 3, "shape": "round"})
    assert auth0.users.update(ann.user_id, blocked=True).blocked is True
    assert auth0.users.update(ann.user_id, blocked=False).blocked is False
    refused(NotFoundError, auth0.users.update, NOBODY, name="Nobody")
    done("users.update")

    assert [user.user_id for user in auth0.users.list_users_by_email(email="ANN@example.org")] == [ann.user_id]
    assert auth0.users.list_users_by_email(email="nobody@example.org") == []
    done("users.list_users_by_email")

    assert {ann.user_id, named.user_id} <= {user.user_id for user in auth0.users.list(per_page=1)}
    found = auth0.users.list(q='email:"ann@example.org"', search_engine="v3")
    assert ([user.user_id for user in found.items], found.response.total) == ([ann.user_id], 1)
    first = auth0.users.list(sort="email:1", per_page=1).response
    assert (first.users[0].user_id, first.start, first.limit, first.length) == (ann.user_id, 0, 1, 1)
    done("users.list")

    for user in (ann.user_id, named.user_id, named.user_id):  # what is gone may be deleted again
        auth0.users.delete(user)
    refused(NotFoundError, auth0.users.get, ann.user_id)
    done("users.delete")


def roles() -> None:
    """Roles carry permissions of APIs, and people have them."""
    made = auth0.roles.create(name="Editor")
    assert (made.name, made.description) == ("Editor", None)
    other = auth0.roles.create(name="Reader", description="looks")
    assert other.description == "looks"
    done("roles.create")

    assert refused(ConflictError, auth0.roles.create, name="Editor")["message"] == "The role already exists."
    done("roles: conflict")

    assert auth0.roles.get(made.id).description == ""
    missing = refused(NotFoundError, auth0.roles.get, "rol_0000000000000000")
    assert missing["message"] == "The role does not exist."
    done("roles.get")

    changed = auth0.roles.update(made.id, name="Chief editor", description="decides")
    assert (changed.id, changed.name, changed.description) == (made.id, "Chief editor", "decides")
    done("roles.update")

    assert {"Chief editor", "Reader"} <= {role.name for role in auth0.roles.list(per_page=1)}
    filtered = auth0.roles.list(name_filter="chief")
    assert [role.id for role in filtered.items] == [made.id]
    assert (filtered.response.start, filtered.response.limit, filtered.response.total) == (0, 50, 1)
    done("roles.list")

    auth0.roles.permissions.add(made.id, permissions=[permission("write:docs"), permission("read:docs")])
    found = list(auth0.roles.permissions.list(made.id, per_page=1))
    assert [one.permission_name for one in found] == ["read:docs", "write:docs"]
    assert {(one.resource_server_identifier, one.resource_server_name) for one in found} == {(API, "Documents")}
    assert [one.description for one in found] == ["", "change"]
    unknown = refused(NotFoundError, auth0.roles.permissions.add, made.id, permissions=[permission("no:such")])
    assert unknown["errorCode"] == "inexistent_resource_server_permission"
    auth0.roles.permissions.delete(made.id, permissions=[permission("write:docs")])
    auth0.roles.permissions.delete(made.id, permissions=[permission("write:docs")])
    assert [one.permission_name for one in auth0.roles.permissions.list(made.id)] == ["read:docs"]
    done("roles.permissions")

    ann, bob = person("ann"), person("bob")
    auth0.roles.users.assign(made.id, users=[ann, bob])
    holders = {user.user_id: user.email for user in auth0.roles.users.list(made.id, take=1)}
    assert holders == {ann: "ann@example.org", bob: "bob@example.org"}
    assert [role.id for role in auth0.users.roles.list(bob)] == [made.id]
    refused(NotFoundError, auth0.roles.users.assign, made.id, users=[NOBODY])
    done("roles.users")

    delete(auth0.roles, made.id, other.id)
    assert refused(NotFoundError, auth0.roles.delete, made.id)["message"] == "The role does not exist."
    assert list(auth0.users.roles.list(ann)) == []
    done("roles.delete")
    delete(auth0.users, ann, bob)


def journey() -> None:
    """Journey 5: several roles are taken from a user in one call, and nothing else is."""
    ann = person("ann")
    given = {}
    for scope in ("delete:docs", "read:docs", "write:docs"):
        given[scope] = auth0.roles.create(name=f"Role to {scope}", description="").id
        auth0.roles.permissions.add(given[scope], permissions=[permission(scope)])
    deleter, reader, writer = given.values()
    application = auth0.clients.create(
        name="Documents", app_type="regular_web", grant_types=["http://auth0.com/oauth/grant-type/password-realm"]
    )

    auth0.users.roles.assign(ann, roles=[writer, deleter, reader])
    before = auth0.users.roles.list(ann)
    assert [role.id for role in before] == [deleter, reader, writer], "in the order of their names"
    assert (before.response.start, before.response.limit, before.response.total) == (0, 50, 3)
    done("users.roles.assign")

    old = login(application, "ann")
    claims = keys.verify_signature(old)
    assert (claims["iss"], claims["sub"], claims["azp"]) == (ISSUER, ann, application.client_id)
    assert sorted(claims["permissions"]) == ["delete:docs", "read:docs", "write:docs"]
    done("token before")

    looker = holding("read:users", "read:roles")
    assert len(list(looker.users.roles.list(ann))) == 3
    forbidden = refused(ForbiddenError, looker.users.roles.delete, ann, roles=[deleter, writer])
    assert forbidden["errorCode"] == "insufficient_scope"
    assert forbidden["message"].startswith("Insufficient scope")
    assert "update:users" in forbidden["message"]
    assert len(list(auth0.users.roles.list(ann))) == 3
    done("users.roles.delete: insufficient scope")

    remover = holding("update:users")
    remover.users.roles.delete(ann, roles=[deleter, writer, deleter])  # a role may be named twice
    assert [role.id for role in auth0.users.roles.list(ann)] == [reader]
    assert [[user.user_id for user in auth0.roles.users.list(role)] for role in given.values()] == [[], [ann], []]
    assert [one.permission_name for one in auth0.users.permissions.list(ann)] == ["read:docs"]
    done("users.roles.delete")

    assert keys.verify_signature(old)["permissions"] == claims["permissions"]
    assert keys.verify_signature(login(application, "ann"))["permissions"] == ["read:docs"]
    done("token after")

    remover.users.roles.delete(ann, roles=[deleter, writer])
    assert [role.id for role in auth0.users.roles.list(ann)] == [reader]
    done("users.roles.delete: again")

    assert refused(NotFoundError, remover.users.roles.delete, NOBODY, roles=[reader])["errorCode"] == "inexistent_user"
    done("users.roles.delete: unknown user")

    for bad in ([], ["Role to read:docs"]):
        assert refused(ApiError, remover.users.roles.delete, ann, roles=bad)["statusCode"] == 400
    assert [role.id for role in auth0.users.roles.list(ann)] == [reader]
    done("users.roles.delete: bad body")

    delete(auth0.clients, application.client_id)
    delete(auth0.roles, *given.values())
    delete(auth0.users, ann)


def direct_permissions() -> None:
    """A permission that comes by two paths is gone when both are."""
    ann, role = person("ann"), auth0.roles.create(name="Reader").id
    auth0.roles.permissions.add(role, permissions=[permission("read:docs")])
    auth0.users.roles.assign(ann, roles=[role])
    auth0.users.permissions.create(ann, permissions=[permission("write:docs"), permission("read:docs")])
    read, write = auth0.users.permissions.list(ann, per_page=1)
    assert (read.permission_name, write.permission_name) == ("read:docs", "write:docs")
    assert (write.resource_server_identifier, write.description) == (API, "change")
    assert sorted((source["source_type"], source["source_id"]) for source in read.sources) == [
        ("DIRECT", ""),
        ("ROLE", role),
    ]
    assert [source["source_type"] for source in write.sources] == ["DIRECT"]
    done("users.permissions.list")

    refused(NotFoundError, auth0.users.permissions.create, ann, permissions=[permission("no:such")])
    refused(NotFoundError, auth0.users.permissions.create, NOBODY, permissions=[permission("read:docs")])
    done("users.permissions.create")

    for _ in range(2):
        auth0.users.permissions.delete(ann, permissions=[permission("read:docs"), permission("write:docs")])
    (left,) = auth0.users.permissions.list(ann)
    assert (left.permission_name, [source["source_type"] for source in left.sources]) == ("read:docs", ["ROLE"])
    auth0.users.roles.delete(ann, roles=[role])
    assert list(auth0.users.permissions.list(ann)) == []
    done("users.permissions.delete")

    delete(auth0.roles, role)
    delete(auth0.users, ann)


def clients() -> None:
    """Applications are made, found, changed and deleted, and get new secrets."""
    made = auth0.clients.create(name="Robot", app_type="non_interactive", grant_types=["client_credentials"])
    assert (len(made.client_id), len(made.client_secret)) == (32, 64)
    assert (made.name, made.app_type, made.grant_types) == ("Robot", "non_interactive", ["client_credentials"])
    done("clients.create")

    seen = auth0.clients.get(made.client_id)
    assert (seen.client_id, seen.client_secret) == (made.client_id, made.client_secret)
    missing = refused(NotFoundError, auth0.clients.get, "0" * 32)
    assert (missing["errorCode"], missing["message"]) == ("inexistent_client", "The client does not exist")
    done("clients.get")

    changed = auth0.clients.update(made.client_id, description="works", client_metadata={"team": "blue", "old": "1"})
    assert (changed.name, changed.description, changed.client_metadata["team"]) == ("Robot", "works", "blue")
    changed = auth0.clients.update(made.client_id, client_metadata={"old": None})
    assert changed.client_metadata == {"team": "blue"}
    done("clients.update")

    found = {client.client_id: client.name for client in auth0.clients.list(per_page=1)}
    assert found[made.client_id] == "Robot"
    assert CLIENT_ID in found
    done("clients.list")

    auth0.client_grants.create(client_id=made.client_id, audience=API, scope=["read:docs"])
    token = authentication(made.client_id, made.client_secret).client_credentials(API)["access_token"]
    claims = keys.verify_signature(token)
    assert (claims["scope"], claims["permissions"]) == ("read:docs", ["read:docs"])
    fresh = auth0.clients.rotate_secret(made.client_id)
    assert fresh.client_secret != made.client_secret
    denied(401, authentication(made.client_id, made.client_secret).client_credentials, API)
    authentication(made.client_id, fresh.client_secret).client_credentials(API)
    done("clients.rotate_secret")

    delete(auth0.clients, made.client_id, made.client_id)  # what is gone may be deleted again
    refused(NotFoundError, auth0.clients.get, made.client_id)
    denied(401, authentication(made.client_id, fresh.client_secret).client_credentials, API)
    done("clients.delete")


def client_grants() -> None:
    """What an application may do with an API is a grant of its own."""
    robot = auth0.clients.create(name="Robot", app_type="non_interactive", grant_types=["client_credentials"])
    made = auth0.client_grants.create(client_id=robot.client_id, audience=API, scope=["write:docs", "read:docs"])
    assert made.id.startswith("cgr_")
    assert (made.client_id, made.audience, made.scope) == (robot.client_id, API, ["write:docs", "read:docs"])
    assert auth0.client_grants.get(made.id).scope == ["write:docs", "read:docs"]
    done("client_grants.create")

    refused(ConflictError, auth0.client_grants.create, client_id=robot.client_id, audience=API, scope=[])
    refused(NotFoundError, auth0.client_grants.create, client_id="0" * 32, audience=API, scope=[])
    assert refused(NotFoundError, auth0.client_grants.get, "cgr_0000000000000000")["statusCode"] == 404
    done("client_grants: conflict")

    assert auth0.client_grants.update(made.id, scope=["read:docs"]).scope == ["read:docs"]
    done("client_grants.update")

    assert [grant.id for grant in auth0.client_grants.list(client_id=robot.client_id, audience=API)] == [made.id]
    assert {made.id} < {grant.id for grant in auth0.client_grants.list(take=1)}
    done("client_grants.list")

    delete(auth0.client_grants, made.id, made.id)  # what is gone may be deleted again
    denied(403, authentication(robot.client_id, robot.client_secret).client_credentials, API)
    done("client_grants.delete")
    delete(auth0.clients, robot.client_id)


def connections() -> None:
    """There is one database of users, and it is found by name and by id."""
    (found,) = auth0.connections.list(name=CONNECTION)
    assert (found.name, found.strategy) == (CONNECTION, "auth0")
    assert auth0.connections.get(found.id).name == CONNECTION
    assert found.id in [connection.id for connection in auth0.connections.list(take=1)]
    assert refused(NotFoundError, auth0.connections.get, "con_0000000000000000")["statusCode"] == 404
    done("connections")


def organizations() -> None:
    """Organizations have members, members have roles there, and applications are let in."""
    ann, bob = person("ann"), person("bob")
    viewer, editor, owner = (auth0.roles.create(name=name).id for name in ("1 viewer", "2 editor", "3 owner"))
    made = auth0.organizations.create(name="acme", display_name="Acme", metadata={"tier": "gold"})
    assert made.id.startswith("org_")
    assert (made.name, made.display_name, made.metadata) == ("acme", "Acme", {"tier": "gold"})
    refused(ConflictError, auth0.organizations.create, name="acme")
    done("organizations.create")

    assert auth0.organizations.get(made.id).name == "acme"
    assert auth0.organizations.get_by_name("acme").id == made.id
    for find, unknown in (
        (auth0.organizations.get, "org_0000000000000000"),
        (auth0.organizations.get_by_name, "nobody"),
    ):
        assert refused(NotFoundError, find, unknown)["message"] == "No organization found by that id or name"
    done("organizations.get")

    changed = auth0.organizations.update(made.id, display_name="Acme & Co", metadata={"tier": "silver"})
    assert (changed.name, changed.display_name, changed.metadata) == ("acme", "Acme & Co", {"tier": "silver"})
    done("organizations.update")

    assert [one.id for one in auth0.organizations.list() if one.name == "acme"] == [made.id]
    done("organizations.list")

    auth0.organizations.members.create(made.id, members=[ann, bob])
    auth0.organizations.members.create(made.id, members=[ann])
    members = {one.user_id: one.email for one in auth0.organizations.members.list(made.id, take=1)}
    assert members == {ann: "ann@example.org", bob: "bob@example.org"}
    part = auth0.organizations.members.list(made.id, fields="user_id", include_fields=True)
    assert {one.user_id: one.email for one in part} == {ann: None, bob: None}
    assert [one.id for one in auth0.users.organizations.list(ann)] == [made.id]
    done("organizations.members")

    of_members = auth0.organizations.members.roles
    of_members.assign(made.id, ann, roles=[owner, viewer, editor])
    of_members.assign(made.id, bob, roles=[viewer])
    assert [role.id for role in of_members.list(made.id, ann, per_page=1)] == [viewer, editor, owner]
    assert list(auth0.users.roles.list(ann)) == [], "a role in an organization is not one outside it"
    done("organizations.members.roles.assign")

    if MAJOR >= 6:
        found = auth0.organizations.roles.members.list(made.id, viewer, take=1)
        assert {one.user_id for one in found} == {ann, bob}
        done("organizations.roles.members.list")

    for _ in range(2):
        of_members.delete(made.id, ann, roles=[owner, editor])
    assert [role.id for role in of_members.list(made.id, ann)] == [viewer]
    assert [role.id for role in of_members.list(made.id, bob)] == [viewer]
    done("organizations.members.roles.delete")

    for _ in range(2):
        auth0.organizations.members.delete(made.id, members=[ann])
    assert [one.user_id for one in auth0.organizations.members.list(made.id)] == [bob]
    assert list(auth0.users.organizations.list(ann)) == []
    auth0.organizations.members.create(made.id, members=[ann])
    assert list(of_members.list(made.id, ann)) == [], "who comes back starts from nothing"
    done("organizations.members.delete")

    robot = auth0.clients.create(
        name="Robot", app_type="non_interactive", grant_types=["client_credentials"], organization_usage="allow"
    )
    grant = auth0.client_grants.create(
        client_id=robot.client_id, audience=API, scope=["read:docs"], organization_usage="allow"
    )
    auth0.organizations.client_grants.create(made.id, grant_id=grant.id)
    assert [one.id for one in auth0.organizations.client_grants.list(made.id)] == [grant.id]
    assert [one.id for one in auth0.client_grants.organizations.list(grant.id)] == [made.id]
    let_in = authentication(robot.client_id, robot.client_secret)
    token = let_in.client_credentials(API, organization=made.id)["access_token"]
    assert keys.verify_signature(token)["org_id"] == made.id
    auth0.organizations.client_grants.delete(made.id, grant.id)
    assert list(auth0.organizations.client_grants.list(made.id)) == []
    denied(403, let_in.client_credentials, API, organization=made.id)
    done("organizations.client_grants")

    assert list(auth0.organizations.connections.list(made.id)) == []
    done("organizations.connections.list")

    auth0.organizations.delete(made.id)
    refused(NotFoundError, auth0.organizations.delete, made.id)
    done("organizations.delete")
    delete(auth0.clients, robot.client_id)
    delete(auth0.roles, viewer, editor, owner)
    delete(auth0.users, ann, bob)


def pages() -> None:
    """The SDK's own iteration reaches every item, and ends: over numbered pages, and from mark to mark."""
    people = [person(f"person{number}") for number in range(5)]
    made = [auth0.roles.create(name=f"page {number}").id for number in range(5)]
    auth0.users.roles.assign(people[0], roles=made)
    for size in (1, 2, 5, 50):
        found = auth0.roles.list(name_filter="page", per_page=size)
        assert (sorted(role.id for role in found), found.response.total) == (sorted(made), 5)
        assert [role.id for role in auth0.users.roles.list(people[0], per_page=size)] == made
        everybody = [user.user_id for user in auth0.users.list(per_page=size)]
        assert set(people) <= set(everybody)
        assert len(everybody) == len(set(everybody))
    assert auth0.roles.list(page=7).items == []
    assert refused(ApiError, auth0.roles.list, per_page=101)["errorCode"] == "invalid_query_string"
    done("pages by number")

    auth0.roles.users.assign(made[0], users=people)
    spaces = [auth0.organizations.create(name=f"space-{number}").id for number in range(5)]
    auth0.organizations.members.create(spaces[0], members=people)
    for size in (1, 2, 5, 50):
        holders = [user.user_id for user in auth0.roles.users.list(made[0], take=size)]
        assert (holders[0], sorted(holders)) == (people[0], sorted(people)), "in the order of assignment"
        every = [one.id for one in auth0.organizations.list(take=size)]
        assert set(spaces) <= set(every)
        assert len(every) == len(set(every))
        members = [one.user_id for one in auth0.organizations.members.list(spaces[0], take=size)]
        assert sorted(members) == sorted(people)
    done("pages by mark")

    delete(auth0.organizations, *spaces)
    delete(auth0.roles, *made)
    delete(auth0.users, *people)


def person(name: str) -> str:
    """A new user, by id."""
    return auth0.users.create(connection=CONNECTION, email=f"{name}@example.org", password=PASSWORD).user_id


def scopes(given: dict[str, str | None]) -> list[ResourceServerScope]:
    """Scopes of an API with their descriptions; who has none has no such key."""
    return [
        ResourceServerScope(value=value, description=description) if description else ResourceServerScope(value=value)
        for value, description in given.items()
    ]


def permission(scope: str) -> PermissionRequestPayload:
    """A permission of the story's API."""
    return PermissionRequestPayload(resource_server_identifier=API, permission_name=scope)


def holding(*scopes: str) -> ManagementClient:
    """A program that may do no more with the Management API than these scopes say."""
    made = auth0.clients.create(name="Limited", app_type="non_interactive", grant_types=["client_credentials"])
    auth0.client_grants.create(client_id=made.client_id, audience=MANAGEMENT, scope=list(scopes))
    return ManagementClient(domain=DOMAIN, client_id=made.client_id, client_secret=made.client_secret)


def authentication(client: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> GetToken:
    """The other half of the SDK: it asks for tokens in JSON, where the Management client sends a form."""
    return GetToken(DOMAIN, client, client_secret=secret, timeout=30.0)


def login(application: Any, name: str) -> str:
    """A person's token for the story's API."""
    asked = authentication(application.client_id, application.client_secret)
    answer = asked.login(f"{name}@example.org", PASSWORD, realm=CONNECTION, audience=API)
    return str(answer["access_token"])


def in_path(identifier: str) -> str:
    """An identifier that holds slashes: version 5 leaves it to the caller to encode it."""
    return identifier if MAJOR >= 6 else quote(identifier, safe="")


def delete(kind: Any, *identifiers: str) -> None:
    for identifier in identifiers:
        kind.delete(identifier)


def refused(error: type[ApiError], call: Callable[..., Any], *arguments: Any, **named: Any) -> dict[str, Any]:
    """The body of the refusal in which the call must end; asked once, where the SDK asks three times at a conflict."""
    with pytest.raises(error) as refusal:
        call(*arguments, **named, request_options={"max_retries": 0})
    body = refusal.value.body
    assert body["statusCode"] == refusal.value.status_code
    assert body["error"]
    assert body["message"]
    # At a conflict the SDK would sleep until then before it asks again.
    assert body["statusCode"] != 409 or "x-ratelimit-reset" not in refusal.value.headers
    return dict(body)


def denied(status: int, call: Callable[..., Any], *arguments: Any, **named: Any) -> Auth0Error:
    """The refusal of a token in which the call must end."""
    with pytest.raises(Auth0Error) as refusal:
        call(*arguments, **named)
    assert refusal.value.status_code == status
    return refusal.value


def done(step: str) -> None:
    print(json.dumps({"step": step, "ok": True}), flush=True)  # noqa: T201  # the test reads it


if __name__ == "__main__":
    main()
