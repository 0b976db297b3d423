"""The Auth0 face of a node, spoken to as its first machine-to-machine client, and built up in a few lines."""

import itertools
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from rescind.node import Node

CLIENT_ID = "FirstClientForTests0123456789abc"
CLIENT_SECRET = "first-client-secret-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"
SECRET_KEY = "a secret key for tests, thirty-two characters or more"
DOMAIN = "id.example.org"
PUBLIC_URL = f"https://{DOMAIN}"
ISSUER = f"{PUBLIC_URL}/"
MANAGEMENT = f"{PUBLIC_URL}/api/v2/"
CONNECTION = "Username-Password-Authentication"
PASSWORD = "correct-Horse-1"

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A client of the face with one Management token, which it fetches when it is first needed.

    Every builder asserts that it succeeded and returns the id. `node` is there where it runs in this process.
    """

    http: httpx2.Client
    node: Node | None = None
    client_id: str = CLIENT_ID
    client_secret: str = field(default=CLIENT_SECRET, repr=False)
    token: str | None = field(default=None, repr=False)

    def grant(self, **parameters: Any) -> httpx2.Response:
        """A call of `/oauth/token` with this client's credentials."""
        body = {"client_id": self.client_id, "client_secret": self.client_secret, **parameters}
        return self.http.post("/oauth/token", json=body)

    def issue(self, **parameters: Any) -> dict[str, Any]:
        """The same, which must succeed: by default client credentials for the Management API."""
        asked = {"grant_type": "client_credentials", "audience": MANAGEMENT, **parameters}
        response = self.grant(**asked)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def holding(self, *scopes: str) -> "Tenant":
        """The same client with a token of these scopes only."""
        token = self.issue(scope=" ".join(scopes))["access_token"]
        return Tenant(self.http, self.node, self.client_id, self.client_secret, token)

    def with_token(self, token: str) -> "Tenant":
        """The same node, spoken to with another token."""
        return Tenant(self.http, self.node, self.client_id, self.client_secret, token)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """Any call below `/api/v2`, or elsewhere if the path begins with `//`."""
        if self.token is None:
            self.token = str(self.issue()["access_token"])
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        url = path[1:] if path.startswith("//") else f"/api/v2{path}"
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a reading that must succeed."""
        response = self.call("GET", path, params=query or None)
        assert response.status_code == 200, response.text
        return response.json()

    def send(self, method: str, path: str, body: Any = None, *, status: int) -> Any:
        """The answer of a call that must have this status; None for an empty one."""
        response = self.call(method, path, body)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    def user(self, **members: Any) -> str:
        """A new user of the built-in connection, with a password."""
        asked = {"connection": CONNECTION, "email": f"user{next(_numbers)}@example.org", "password": PASSWORD}
        return str(self.send("POST", "/users", {**asked, **members}, status=201)["user_id"])

    def api(self, *scopes: str, **members: Any) -> dict[str, Any]:
        """A new API with those scopes, RBAC on and permissions in tokens."""
        asked = {
            "identifier": f"https://api{next(_numbers)}.example.org/",
            "name": "An API",
            "scopes": [{"value": scope} for scope in scopes],
            "enforce_policies": True,
            "token_dialect": "access_token_authz",
        }
        return dict(self.send("POST", "/resource-servers", {**asked, **members}, status=201))

    def role(self, *permissions: tuple[str, str], **members: Any) -> str:
        """A new role with permissions, each an API's identifier and a scope of it."""
        role = str(self.send("POST", "/roles", {"name": f"role {next(_numbers)}", **members}, status=200)["id"])
        if permissions:
            self.send("POST", f"/roles/{role}/permissions", {"permissions": pairs(*permissions)}, status=201)
        return role

    def organization(self, **members: Any) -> str:
        """A new organization."""
        return str(self.send("POST", "/organizations", {"name": f"org-{next(_numbers)}", **members}, status=201)["id"])

    def assign(self, user: str, *roles: str) -> None:
        """Give a user roles outside every organization."""
        self.send("POST", f"/users/{quoted(user)}/roles", {"roles": list(roles)}, status=204)


def pairs(*permissions: tuple[str, str]) -> list[dict[str, str]]:
    """Permissions as bodies name them."""
    return [{"resource_server_identifier": api, "permission_name": scope} for api, scope in permissions]


def quoted(identifier: str) -> str:
    """An id as it stands in a path."""
    return quote(identifier, safe="")
