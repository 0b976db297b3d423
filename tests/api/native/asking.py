"""What the tests of `/v1` ask, of whom, and what must be so around a call."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from api.auth0.answers import application
from api.auth0.logins import CLIENT_CREDENTIALS, Login
from tenant import MANAGEMENT, Tenant, pairs, quoted
from world import ROOT_KEY, Person, World, allow

EVALUATION = "/access/v1/evaluation"
SUBJECTS = "/access/v1/search/subject"
UNKNOWN = "01890000-0000-7000-8000-000000000000"
SECOND = 1_000_000
"""In microseconds."""
READ = "thing.Read"
THING = "thing:t1"

Json = dict[str, Any]

_numbers = itertools.count(1)


def asking(person: Person | str, action: str | Json = READ, resource: str | Json = THING, **members: Any) -> Json:
    """May a person, by id, do something?"""
    kind, _, name = resource.partition(":") if isinstance(resource, str) else ("", "", "")
    return {
        "subject": {"type": "user", "id": person if isinstance(person, str) else person.id},
        "action": {"name": action} if isinstance(action, str) else action,
        "resource": {"type": kind, "id": name} if isinstance(resource, str) else resource,
        **members,
    }


def of_session(session: str, **members: Any) -> Json:
    """The same of a session."""
    return {**asking("", **members), "subject": {"type": "session", "id": session}}


def ok(response: httpx2.Response, status: int = 200) -> Any:
    """The body of an answer with this status."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    return response.json() if response.content else None


def explain(world: World, question: Json) -> Json:
    return dict(ok(world.call("POST", "/v1/explain", question)))


def decides(world: World, question: Json) -> bool:
    """What AuthZEN answers."""
    return bool(ok(world.call("POST", EVALUATION, question))["decision"])


def who_can(world: World, question: Json, **query: Any) -> Json:
    return dict(ok(world.call("POST", "/v1/who-can", question, params=query)))


def access(world: World, person: Person | str, **query: Any) -> Json:
    name = person if isinstance(person, str) else person.id
    return dict(ok(world.call("GET", f"/v1/principals/{name}/access", params=query)))


def may(world: World, person: Person, action: str = READ, resource: str = THING) -> bool:
    """Whether she may: AuthZEN and `explain` say the same."""
    allowed = decides(world, asking(person, action, resource))
    assert explain(world, asking(person, action, resource))["decision"] is allowed
    return allowed


def head(world: World | Tenant) -> int:
    assert world.node is not None
    return int(world.node.store.head().revision)


def later(world: World | Tenant, microseconds: int) -> None:
    """Let time go by for the node."""
    assert world.node is not None
    freshness = world.node.freshness
    freshness._instant = freshness.now().instant + microseconds


def instant(world: World | Tenant) -> int:
    assert world.node is not None
    return int(world.node.freshness.now().instant)


@contextmanager
def unwritten(world: World | Tenant) -> Iterator[None]:
    """Nothing is written by what is done inside."""
    before = head(world)
    yield
    assert head(world) == before


def refused(world: World, method: str, path: str, body: Any = None, *, status: int = 403) -> Json:
    """The refusal of a call, which writes nothing."""
    with unwritten(world):
        return dict(ok(world.call(method, path, body), status))


def revision_of(response: httpx2.Response) -> int:
    """The change that an answered write made."""
    assert response.status_code < 300, f"{response.status_code} {response.text}"
    return int(response.headers["Rescind-Change"].rpartition("/")[2])


def did(world: World, method: str, path: str, body: Any = None) -> int:
    """Do something and say which change it was."""
    return revision_of(world.call(method, path, body))


def undo(world: World, revision: int) -> Json:
    return dict(ok(world.call("POST", f"/v1/changes/{revision}/undo")))


def revoke(world: World, *items: tuple[str, Json]) -> httpx2.Response:
    """Ask for several revocations at once."""
    said = [{"operation": operation, "arguments": arguments} for operation, arguments in items]
    return world.call("POST", "/v1/revocations", {"revocations": said})


def preview(world: World, operation: str, **arguments: Any) -> httpx2.Response:
    return world.call("POST", "/v1/preview", {"operation": operation, "arguments": arguments})


def able(root: World, *actions: str, on: str | list[str] = "*") -> World:
    """A member who may do these actions, and nothing else."""
    person = root.person(service=True)
    if actions:
        root.attach_policy(root.policy(allow(*actions, on=on)), user=person.id)
    return root.as_(person.key)


def suspend(root: World, person: Person) -> int:
    return did(root, "PUT", f"/v2/organizations/{root.organization()}/user/{person.id}/suspend")


# --- from outside of organizations ------------------------------------------------------------------------------------


def vultr(tenant: Tenant) -> World:
    """The first organization of the same node, as its root."""
    return World(tenant.http, ROOT_KEY, tenant.node)


def outside(tenant: Tenant) -> World:
    """The same calls with a token in place of a key."""
    tenant.call("GET", "/roles")
    assert tenant.token is not None
    return World(tenant.http, tenant.token, tenant.node)


def machine(tenant: Tenant, *scopes: str) -> World:
    """A client with a grant of these scopes of the Management API, and no more."""
    made = application(tenant, CLIENT_CREDENTIALS)
    body = {"client_id": made.client_id, "audience": MANAGEMENT, "scope": list(scopes)}
    tenant.send("POST", "/client-grants", body, status=201)
    return outside(made)


def holding(ann: Login, *scopes: str) -> World:
    """Ann as an administrator of the platform who was given these scopes of the Management API, and no more."""
    body = {"permissions": pairs(*((MANAGEMENT, scope) for scope in scopes))}
    ann.tenant.send("POST", f"/users/{quoted(ann.user)}/permissions", body, status=201)
    token = ann.login(audience=MANAGEMENT, scope=" ".join(scopes))["access_token"]
    return World(ann.tenant.http, token, ann.tenant.node)


def public_id(tenant: Tenant, person: Person) -> str:
    return str(tenant.get("/users-by-email", email=person.email)[0]["user_id"])


def first_organization(tenant: Tenant) -> str:
    """The public id of the organization in which `vultr` is."""
    root = tenant.get("/users-by-email", email="root@example.org")[0]["user_id"]
    return str(tenant.get(f"/users/{quoted(root)}/organizations")[0]["id"])
