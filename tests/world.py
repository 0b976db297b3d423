"""Build a world over the Vultr face in a few lines, and ask it questions."""

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

import httpx2

from api.vultr.decoders import STS, check_answer
from rescind.model.objects import ObjectKind
from rescind.node import Node
from rescind.usecases import keys, organizations, platform, users
from rescind.usecases.unit import Unit

ROOT_KEY = "root-key-for-tests-0123456789abcdef"
ROOT_EMAIL = "root@example.org"

_numbers = itertools.count(1)


def root_of_another(node: Node) -> str:
    """Make another organization with a root of its own, and return her key."""
    number = next(_numbers)

    def found(unit: Unit) -> tuple[str, str, str]:
        organization = organizations.found(unit, name=f"Other {number}", type_="Personal/Team")
        made = users.create(
            unit,
            name="Stranger",
            first_name="",
            last_name="",
            email=f"stranger{number}@example.org",
            password_verifier=None,
            api_enabled=True,
            acls=[],
            is_service=True,
        )
        assert made.key is not None
        return organization.id, made.id, made.key.secret

    organization, user, key = node.service.operate("test", str(uuid.uuid4()), found).result
    node.service.operate("test", str(uuid.uuid4()), platform.transfer_root, organization=organization, user=user)
    return key


@dataclass(frozen=True)
class Person:
    """A member and a key of hers."""

    id: str
    key: str
    email: str


def allow(*actions: str, on: str | list[str] = "*", **members: Any) -> dict[str, Any]:
    """A document with one statement."""
    return document({"Effect": "Allow", "Action": list(actions), "Resource": on, **members})


def deny(*actions: str, on: str | list[str] = "*", **members: Any) -> dict[str, Any]:
    """The same that forbids."""
    return document({"Effect": "Deny", "Action": list(actions), "Resource": on, **members})


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """A document of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def personal_key(node: Node, organization: str, user: str) -> str:
    """Give a member a key of her own, as she would make one for herself after logging in."""

    def make(unit: Unit) -> str:
        found = unit.reader.find_object(ObjectKind.ORGANIZATION, organization)
        assert found is not None
        unit.organization = found.key
        return keys.create(unit, unit.member(user), name="own", personal=True).secret

    return node.service.operate("test", str(uuid.uuid4()), make).result


class World:
    """A client of one face with one key. Every builder asserts that it succeeded and returns the id.

    Whatever is called, the answer must decode as strictly as its clients decode it.
    """

    def __init__(self, client: httpx2.Client, key: str, node: Node | None = None) -> None:
        self.client = client
        self.key = key
        self.node = node

    def as_(self, key: str) -> "World":
        """The same node, spoken to with another key."""
        return World(self.client, key, self.node)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """Any call, with the headers that real clients send on every one."""
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            **options.pop("headers", {}),
        }
        if body is not None:
            options["json"] = body
        response = self.client.request(method, path, headers=headers, **options)
        sent = response.request.url.raw_path.decode().partition("?")[0]
        # What a preview says is no answer of the call itself.
        is_preview = response.status_code == 200 and "preview=true" in response.request.url.query.decode()
        if sent.startswith("/v2/") and sent not in (STS, "/v2/openapi.json") and not is_preview:
            check_answer(method, sent, response.status_code, response.content)
        return response

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a call that must succeed."""
        response = self.call("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None) -> Any:
        """The same with a body."""
        response = self.call("POST", path, body)
        assert response.status_code in (201, 202), response.text
        return response.json()

    def delete(self, path: str) -> httpx2.Response:
        """A removal that must succeed: 204 without a body."""
        response = self.call("DELETE", path)
        assert response.status_code == 204, response.text
        assert response.content == b""
        return response

    def organization(self) -> str:
        """The id of the key's own organization, which must be the first that she sees."""
        return str(self.get("/v2/organizations")["orgs"][0]["id"])

    def person(self, *, service: bool = False, **members: Any) -> Person:
        """A new member with a key of her own."""
        number = next(_numbers)
        email = f"person{number}@example.org"
        asked = {"email": email, "name": f"Person {number}", "password": "correct horse", **members}
        made = self.post("/v2/users", {**asked, "service_user": service})["user"]
        if service:
            return Person(made["id"], made["api_key"], email)
        key = self.post(f"/v2/users/{made['id']}/apikeys", {"name": "test"})["api_key"]["api_key"]
        return Person(made["id"], key, email)

    def own(self, person: Person) -> "World":
        """The same node, spoken to by a person with a key of her own."""
        assert self.node is not None
        return self.as_(personal_key(self.node, self.organization(), person.id))

    def group(self, *members: Person, name: str = "group") -> str:
        """A new group with members."""
        group = str(self.post("/v2/groups", {"display_name": name, "description": ""})["id"])
        for member in members:
            self.post(f"/v2/groups/{group}/members", {"user_id": member.id, "display_name": ""})
        return group

    def policy(self, policy_document: dict[str, Any], name: str = "policy") -> str:
        """A new policy."""
        return str(self.post("/v2/policies", {"name": name, "policy_document": policy_document})["id"])

    def role(self, *policies: str, name: str = "role", role_type: str = "assignable") -> str:
        """A new role with policies."""
        role = str(self.post("/v2/roles", {"name": name, "role_type": role_type})["id"])
        for policy in policies:
            self.post(f"/v2/roles/{role}/policies/{policy}")
        return role

    def attach_role(self, role: str, *, user: str | None = None, group: str | None = None) -> None:
        """Attach a role to a member or a group."""
        self.post(f"/v2/roles/{role}/users/{user}" if user else f"/v2/roles/{role}/groups/{group}")

    def attach_policy(self, policy: str, *, user: str | None = None, group: str | None = None) -> None:
        """Attach a policy to a member or a group."""
        self.post(f"/v2/policies/{policy}/users/{user}" if user else f"/v2/policies/{policy}/groups/{group}")

    def status(self, path: str, method: str = "GET", body: Any = None) -> int:
        """The status of a call."""
        return self.call(method, path, body).status_code
