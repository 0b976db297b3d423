"""What refusals look like, word for word, and ids of every form that nobody has."""

from typing import Any

import httpx2

from tenant import Tenant, quoted

USER = "auth0|00000000000000000000dead"
ROLE = "rol_0000000000000000"
ORGANIZATION = "org_0000000000000000"
API = "00000000000000000000dead"
CLIENT = "00000000000000000000000000000000"
GRANT = "cgr_0000000000000000"
CONNECTION_ID = "con_0000000000000000"
GROUP = "grp_1111111111111111"
INVITATION = "uinv_0000000000000000"
CONSENT = "00000000000000000000dead"
IDENTIFIER = "https://nobody.example.org/"

UNKNOWN = {
    "user": quoted(USER),
    "role": ROLE,
    "organization": ORGANIZATION,
    "api": API,
    "client": CLIENT,
    "grant": GRANT,
    "connection": CONNECTION_ID,
    "group": GROUP,
    "invitation": INVITATION,
    "consent": CONSENT,
    "identifier": quoted(IDENTIFIER),
}

Refusal = tuple[int, str, str | None]

NO_USER: Refusal = (404, "The user does not exist.", "inexistent_user")
NO_USERS: Refusal = (404, "One or more of the users do not exist.", None)
NO_ROLE: Refusal = (404, "The role does not exist.", None)
NO_ORGANIZATION: Refusal = (404, "No organization found by that id or name", None)
NO_API: Refusal = (404, "The resource server does not exist", "inexistent_resource_server")
NO_CLIENT: Refusal = (404, "The client does not exist", "inexistent_client")
NO_GRANT: Refusal = (404, "The grant does not exist.", "inexistent_client_grant")
NO_INVITATION: Refusal = (404, "The invitation does not exist.", "inexistent_invitation")
NO_CONNECTION: Refusal = (404, "The connection does not exist", "inexistent_connection")
NO_GROUP: Refusal = (404, "Group not found.", None)
USER_EXISTS: Refusal = (409, "The user already exists.", "auth0_idp_error")
ROLE_EXISTS: Refusal = (409, "The role already exists.", None)
ORGANIZATION_EXISTS: Refusal = (409, "An organization with this name already exists.", None)
API_EXISTS: Refusal = (409, "A resource server with the same identifier already exists.", "resource_conflict")
GRANT_EXISTS: Refusal = (409, "A resource server with the same identifier already exists.", None)
NO_ROLE_ID: Refusal = (400, "Invalid request payload input", None)
REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
}


def no_permission(api: str, scope: str) -> Refusal:
    """A permission that its API does not define."""
    return 404, f"This permission does not exist: '{api} - {scope}'", "inexistent_resource_server_permission"


def assert_refused(response: httpx2.Response, refusal: Refusal) -> None:
    """The answer is this refusal and nothing else."""
    status, message, code = refusal
    expected = {"statusCode": status, "error": REASONS[status], "message": message}
    assert response.status_code == status, f"{response.status_code} {response.text}, not {refusal}"
    assert response.json() == expected | ({"errorCode": code} if code else {}), f"{response.text}, not {refusal}"


def assert_invalid(response: httpx2.Response, detail: str = "", *, code: str = "invalid_body") -> None:
    """The answer says that the request is malformed, and in which way where the words are known."""
    assert response.status_code == 400, f"{response.status_code} {response.text}"
    said = response.json()
    kind = {"invalid_body": "Payload", "invalid_query_string": "Query", "invalid_uri": "Path"}[code]
    assert (said["statusCode"], said["error"], said["errorCode"]) == (400, "Bad Request", code), said
    if detail:
        assert said["message"].startswith(f"{kind} validation error: '{detail}"), said
    assert set(said) <= {"statusCode", "error", "message", "errorCode"}


def ids(items: list[dict[str, Any]], key: str = "id") -> list[str]:
    """The ids of a list, in its order."""
    return [str(item[key]) for item in items]


def names(items: list[dict[str, Any]]) -> list[str]:
    """The names of permissions, in their order."""
    return [str(item["permission_name"]) for item in items]


def application(tenant: Tenant, *grant_types: str, **members: Any) -> Tenant:
    """A new client with those grant types, and with its own credentials instead of a Management token."""
    asked = {"name": "An application", "grant_types": list(grant_types), "app_type": "regular_web", **members}
    made = tenant.send("POST", "/clients", asked, status=201)
    return Tenant(tenant.http, tenant.node, made["client_id"], made["client_secret"])
