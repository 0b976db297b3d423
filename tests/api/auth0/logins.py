"""Ann, an API, a client through which she logs in, and tokens taken apart."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import httpx2

from api.auth0.answers import application
from tenant import PASSWORD, Tenant, pairs, quoted

REALM = "http://auth0.com/oauth/grant-type/password-realm"
USER_GRANTS = ("password", REALM, "refresh_token")
ROTATING = {
    "rotation_type": "rotating",
    "expiration_type": "expiring",
    "leeway": 0,
    "token_lifetime": 86_400,
    "idle_token_lifetime": 86_400,
    "infinite_token_lifetime": False,
    "infinite_idle_token_lifetime": False,
}
EMAIL = "ann@example.org"
FAILURES_MAX = 10
CLIENT_CREDENTIALS = "client_credentials"


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, unverified."""
    header, claims, _ = token.split(".")
    return json.loads(bytes_of(header)), json.loads(bytes_of(claims))


def bytes_of(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def text_of(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwks(tenant: Tenant) -> list[dict[str, Any]]:
    """The published keys."""
    return list(tenant.http.get("/.well-known/jwks.json").json()["keys"])


def asked(response: httpx2.Response) -> tuple[int, str, str]:
    """The status, the error and its description of a refused token request."""
    body = response.json()
    assert set(body) == {"error", "error_description"}, body
    return response.status_code, body["error"], body["error_description"]


def words(value: str | None) -> set[str]:
    return set((value or "").split())


@dataclass
class Login:
    """Ann, an API, and a client through which she logs in to it."""

    tenant: Tenant
    client: Tenant
    user: str
    api: dict[str, Any]
    role: str

    @property
    def audience(self) -> str:
        return str(self.api["identifier"])

    def attempt(self, password: str = PASSWORD, username: str = EMAIL, **more: Any) -> httpx2.Response:
        """A login with the password grant."""
        parameters = {"grant_type": "password", "username": username, "password": password, "audience": self.audience}
        said = {key: value for key, value in {**parameters, **more}.items() if value is not None}
        return self.client.grant(**said)

    def login(self, **more: Any) -> dict[str, Any]:
        """One that must succeed."""
        response = self.attempt(**more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def refresh(self, token: str, **more: Any) -> httpx2.Response:
        """A token for a refresh token."""
        return self.client.grant(grant_type="refresh_token", refresh_token=token, **more)

    def introspect(self, token: str) -> dict[str, Any]:
        """What the server says of a token now."""
        body = {"client_id": self.client.client_id, "client_secret": self.client.client_secret, "token": token}
        response = self.tenant.http.post("/oauth/introspect", data=body)
        assert response.status_code == 200, response.text
        return dict(response.json())


def staged(tenant: Tenant, **api: Any) -> Login:
    """Ann may read by a role and write directly; nobody lets her delete."""
    made = tenant.api("read", "write", "delete", allow_offline_access=True, **api)
    user = tenant.user(email=EMAIL)
    role = tenant.role((made["identifier"], "read"))
    tenant.assign(user, role)
    body = {"permissions": pairs((made["identifier"], "write"))}
    tenant.send("POST", f"/users/{quoted(user)}/permissions", body, status=201)
    client = application(tenant, *USER_GRANTS, CLIENT_CREDENTIALS, refresh_token=ROTATING)
    return Login(tenant, client, user, made, role)
