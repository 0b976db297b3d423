"""What `terraform apply`, `plan`, `import` and `destroy` send for every resource, call by call, and what they conclude.

A resource below sends exactly what the provider sends through its client library, decodes what it decodes, compares
what it compares, and looks for the same words in the same errors.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from servers import Server
from world import World, allow

State = dict[str, Any]

USER_AGENT = "Terraform/1.14.0 (+https://www.terraform.io) Terraform-Plugin-SDK/2.38.1 terraform-provider-vultr/2.32.0"
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": USER_AGENT}
LIST_OPTIONS = {"PerPage": 0, "Cursor": "", "MainIP": "", "Label": "", "Tag": "", "Region": "", "Description": ""}
WAIT_SECONDS_MAX = 30


class CallError(Exception):
    """A call failed; the text is the whole body, as it is shown to the user."""


class Client:
    """The client library: the same headers on every call, a body with a new line behind it, success below 205."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[str] = []

    def send(self, method: str, path: str, body: Any = None, query: State | None = None) -> Any:
        """Make one call. Only what is decoded must be there, and must be JSON then."""
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode() + b"\n"
        answer = self.world.call(
            method, path, content=content, headers=HEADERS, params=query or {}, follow_redirects=False
        )
        self.calls.append(f"{method} {path}")
        if not 200 <= answer.status_code <= 204:
            raise CallError(answer.text)
        return json.loads(answer.content) if answer.content else None

    def pages(self, path: str, key: str, *, per_page: int = 0, with_body: bool = False) -> Iterator[Any]:
        """Read a list to its end, as the provider does: `meta` and its links are looked into unchecked."""
        options = {**LIST_OPTIONS, "PerPage": per_page}
        while True:
            query = {name: value for name, value in (("per_page", per_page), ("cursor", options["Cursor"])) if value}
            page = self.send("GET", path, options if with_body else None, query)
            yield from page[key]
            if page["meta"]["links"]["next"] == "":
                return
            assert page["meta"]["links"]["next"] != options["Cursor"], "an endless list"
            options["Cursor"] = page["meta"]["links"]["next"]


@dataclass(frozen=True)
class Resource:
    """One kind of resource.

    `arguments` and `changed` are what a user writes, before and after an edit that needs no new resource. `unread` are
    the arguments that a read does not fill in, `computed` those that it alone fills in. `gone` is the text by which a
    read knows that the resource is no more.
    """

    name: str
    create: Callable[[Client, State], str]
    read: Callable[[Client, str, State], State]
    destroy: Callable[[Client, str, State], None]
    arguments: State
    changed: State
    update: Callable[[Client, str, State, State], None] | None = None
    gone: str = ""
    unread: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    imported: bool = True

    def __str__(self) -> str:
        return self.name

    def refresh(self, client: Client, id_: str, config: State) -> State | None:
        """Read the resource again, or learn that it is gone."""
        try:
            return self.read(client, id_, config)
        except CallError as refused:
            if self.gone and self.gone in str(refused):
                return None
            raise

    def difference(self, config: State, state: State) -> State:
        """What a plan would change: arguments that read back otherwise."""
        return {
            name: (state[name], wanted)
            for name, wanted in config.items()
            if name not in self.unread and state[name] != wanted
        }


def _named(reply: Any, name: str) -> Any:
    """The inside of a wrapper, into which the provider looks unchecked."""
    assert reply[name] is not None
    return reply[name]


# --- organization ---------------------------------------------------------------------------------------------------


def organization_create(client: Client, config: State) -> str:
    return str(client.send("POST", "/v2/organizations", {"name": config["name"], "type": config["type"]})["id"])


def organization_read(client: Client, id_: str, _: State) -> State:
    found = client.send("GET", f"/v2/organizations/{id_}")
    return {name: found[name] for name in ("name", "type", "date_created")}


def organization_update(client: Client, id_: str, _: State, new: State) -> None:
    assert client.send("PUT", f"/v2/organizations/{id_}", {"name": new["name"]})["id"] == id_


def organization_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/organizations/{id_}")


# --- group ----------------------------------------------------------------------------------------------------------


def _group_body(config: State) -> State:
    return {"display_name": config["name"], "description": config["description"]}


def group_create(client: Client, config: State) -> str:
    return str(client.send("POST", "/v2/groups", _group_body(config))["id"])


def group_read(client: Client, id_: str, _: State) -> State:
    found = _named(client.send("GET", f"/v2/groups/{id_}"), "group")
    policies = _named(client.send("GET", f"/v2/groups/{id_}/policies"), "policies")
    roles = _named(client.send("GET", f"/v2/groups/{id_}/roles"), "roles")
    return {
        "name": found["display_name"],
        "description": found["description"],
        "users": {member["id"] for member in found["members"]},
        "policies": {policy["id"] for policy in policies["all"]},
        "roles": {role["id"] for role in roles["all"]},
        "date_created": found["date_created"],
    }


def group_update(client: Client, id_: str, _: State, new: State) -> None:
    assert client.send("PUT", f"/v2/groups/{id_}", _group_body(new))["id"] == id_


def group_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/groups/{id_}")


# --- invitation -----------------------------------------------------------------------------------------------------


def invitation_create(client: Client, config: State) -> str:
    body = {"email_invited": config["email"], "permissions": {"api_enabled": config["api_enabled"]}}
    return str(client.send("POST", "/v2/invitation", body)["id"])


def invitation_read(client: Client, id_: str, _: State) -> State:
    found = client.send("GET", f"/v2/invitation/{id_}")
    read = ("email_registered", "status", "date_created", "date_responded")
    return {**{name: found[name] for name in read}, "date_expires": found["expiration_date"]}


def invitation_destroy(_: Client, __: str, ___: State) -> None:
    """Nothing is sent: the provider only forgets it."""


# --- policy ---------------------------------------------------------------------------------------------------------


def _policy_body(config: State) -> State:
    statements = [
        {"Effect": found["effect"], "Action": found["actions"], "Resource": found["resources"]}
        for found in config["statement"]
    ]
    document = {"Version": config["version"], "Statement": statements}
    return {"name": config["name"], "description": config["description"], "policy_document": document}


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def policy_create(client: Client, config: State) -> str:
    return str(client.send("POST", "/v2/policies", _policy_body(config))["id"])


def policy_read(client: Client, id_: str, _: State) -> State:
    found = _named(client.send("GET", f"/v2/policies/{id_}"), "policy")
    statements = [
        {
            "effect": each["Effect"],
            "actions": _as_list(each["Action"]),
            "resources": _as_list(each["Resource"]),
        }
        for each in found["policy_document"]["Statement"]
    ]
    read = {name: found[name] for name in ("name", "description", "is_system_policy", "date_created")}
    return {**read, "version": found["policy_document"]["Version"], "statement": statements}


def policy_update(client: Client, id_: str, _: State, new: State) -> None:
    assert client.send("PUT", f"/v2/policies/{id_}", _policy_body(new))["id"] == id_


def policy_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/policies/{id_}")


# --- role -----------------------------------------------------------------------------------------------------------


def _role_body(config: State) -> State:
    return {
        "name": config["name"],
        "description": config["description"],
        "role_type": config["type"],
        "max_session_duration": config["max_session_duration"],
    }


def role_create(client: Client, config: State) -> str:
    return str(client.send("POST", "/v2/roles", _role_body(config))["id"])


def role_read(client: Client, id_: str, _: State) -> State:
    found = _named(client.send("GET", f"/v2/roles/{id_}"), "role")
    groups = list(client.pages(f"/v2/roles/{id_}/groups", "assignments"))
    return {
        "name": found["name"],
        "description": found["description"],
        "type": found["role_type"],
        "max_session_duration": found["max_session_duration"],
        "policies": {policy["id"] for policy in found["policies"]},
        "groups": {group["group_id"] for group in groups},
        "date_created": found["date_created"],
    }


def role_update(client: Client, id_: str, _: State, new: State) -> None:
    assert client.send("PUT", f"/v2/roles/{id_}", _role_body(new))["id"] == id_


def role_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/roles/{id_}")


# --- role trust -----------------------------------------------------------------------------------------------------


def trust_create(client: Client, config: State) -> str:
    conditions: State = {}
    if config.get("hour_start") or config.get("hour_end"):
        conditions["time_of_day"] = {"start": config.get("hour_start", 0), "end": config.get("hour_end", 0)}
    if config.get("ip_range"):
        conditions["ip_address"] = sorted(config["ip_range"])
    body = {
        "role_id": config["role"],
        **({"trusted_user_id": config["user"]} if config.get("user") else {}),
        **({"trusted_group_id": config["group"]} if config.get("group") else {}),
        "trust_type": config["type"],
        "conditions": conditions,
        "valid_until": config.get("date_expires", ""),
    }
    return str(client.send("POST", "/v2/role-trusts", body)["id"])


def trust_read(client: Client, id_: str, _: State) -> State:
    found = _named(client.send("GET", f"/v2/role-trusts/{id_}"), "role_trust")
    return {
        "type": found["trust_type"],
        "hour_start": found["conditions"]["time_of_day"]["start"],
        "hour_end": found["conditions"]["time_of_day"]["end"],
        "ip_range": set(found["conditions"]["ip_address"]),
        "date_expires": found["valid_until"],
        "date_created": found["date_created"],
    }


def trust_update(client: Client, id_: str, old: State, new: State) -> None:
    """Only what changed is sent, and conditions always, even if they are empty."""
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    conditions: State = {}
    if changed & {"hour_start", "hour_end"}:
        conditions["time_of_day"] = {"start": new.get("hour_start", 0), "end": new.get("hour_end", 0)}
    if "ip_range" in changed and new.get("ip_range"):
        conditions["ip_address"] = sorted(new["ip_range"])
    body: State = {"conditions": conditions}
    if "type" in changed:
        body["trust_type"] = new["type"]
    if "date_expires" in changed:
        body["valid_until"] = new.get("date_expires", "")
    assert client.send("PUT", f"/v2/role-trusts/{id_}", body)["id"] == id_


def trust_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/role-trusts/{id_}")


# --- role session ---------------------------------------------------------------------------------------------------


def session_create(client: Client, config: State) -> str:
    context = {"ip_address": config["ip_address"]} if "ip_address" in config else {}
    body = {
        "user_id": config["user_id"],
        "role_id": config["role_id"],
        "session_name": config["session_name"],
        **({"duration": config["duration"]} if config.get("duration") else {}),
        "context": context,
    }
    return str(client.send("POST", "/v2/assumed-roles/assume", body)["session_token"])


def session_read(client: Client, id_: str, _: State) -> State:
    found = client.send("GET", f"/v2/assumed-roles/{id_}")
    read = ("user_id", "role_id", "session_name", "conditions_met", "auth_method", "source_ip", "remaining_duration")
    dates = {"date_assumed": found["assumed_at"], "date_expires": found["expires_at"]}
    return {**{name: found[name] for name in read}, **dates}


def session_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/assumed-roles/{id_}")


# --- user -----------------------------------------------------------------------------------------------------------


def user_create(client: Client, config: State) -> str:
    body = {
        "email": config["email"],
        "name": config["name"],
        "api_enabled": config["api_enabled"],
        **({"acls": sorted(config["acl"])} if config.get("acl") else {}),
        "password": config["password"],
        **({"service_user": True} if config.get("service_user") else {}),
    }
    made = _named(client.send("POST", "/v2/users", body), "user")
    for group in sorted(config.get("groups", ())):
        client.send("POST", f"/v2/groups/{group}/members", {"user_id": made["id"], "display_name": ""})
    for role in sorted(config.get("roles", ())):
        assert client.send("POST", f"/v2/roles/{role}/users/{made['id']}")["user_id"] == made["id"]
    return str(made["id"])


def user_read(client: Client, id_: str, _: State) -> State:
    found = _named(client.send("GET", f"/v2/users/{id_}"), "user")
    groups = client.send("GET", f"/v2/users/{id_}/groups")["groups"]
    roles = _named(client.send("GET", f"/v2/users/{id_}/roles"), "roles")
    return {
        "name": found["name"],
        "email": found["email"],
        "api_enabled": found["api_enabled"],
        "acl": set(found.get("acls", ())),
        "service_user": found["service_user"],
        "groups": {group["id"] for group in groups},
        "roles": {role["id"] for role in roles["all"]},
    }


def user_update(client: Client, id_: str, old: State, new: State) -> None:
    """One call for what the user is, even if that is nothing; then one for each group and role to leave or to join."""
    said = {"email": "email", "name": "name", "password": "password", "api_enabled": "api_enabled"}
    body: State = {member: new[name] for name, member in said.items() if old.get(name) != new.get(name)}
    if old.get("acl") != new.get("acl"):
        body["acls"] = sorted(new["acl"])
    client.send("PATCH", f"/v2/users/{id_}", body)
    was, wanted = (set(found.get("groups", ())) for found in (old, new))
    for group in sorted(was - wanted):
        client.send("DELETE", f"/v2/groups/{group}/members/{id_}")
    for group in sorted(wanted - was):
        client.send("POST", f"/v2/groups/{group}/members", {"user_id": id_, "display_name": new["name"]})
    was, wanted = (set(found.get("roles", ())) for found in (old, new))
    for role in sorted(was - wanted):
        client.send("DELETE", f"/v2/roles/{role}/users/{id_}")
    for role in sorted(wanted - was):
        assert client.send("POST", f"/v2/roles/{role}/users/{id_}")["role_id"] == role


def user_destroy(client: Client, id_: str, _: State) -> None:
    client.send("DELETE", f"/v2/users/{id_}")


# --- attachments ----------------------------------------------------------------------------------------------------


class NotAttachedError(CallError):
    """The list does not hold the other end: the provider plans the attachment anew."""


def _attachment(holder: str, thing: str, list_key: str, member: str) -> dict[str, Any]:
    """The four calls of an attachment: made, looked for page by page, and undone."""

    def path(config: State) -> str:
        return f"/v2/{_plural(holder)}/{config[f'{holder}_id']}/{_plural(thing)}"

    def create(client: Client, config: State) -> str:
        made = client.send("POST", f"{path(config)}/{config[f'{thing}_id']}")
        if holder == "role":
            assert (made["role_id"], made[f"{thing}_id"]) == (config["role_id"], config[f"{thing}_id"])
        return f"{config[f'{holder}_id']}_{config[f'{thing}_id']}"

    def read(client: Client, _: str, config: State) -> State:
        found = [each[member] for each in client.pages(path(config), list_key)]
        if config[f"{thing}_id"] not in found:
            raise NotAttachedError(f"{thing} not attached")
        assert found.count(config[f"{thing}_id"]) == 1
        return dict(config)

    def destroy(client: Client, _: str, config: State) -> None:
        client.send("DELETE", f"{path(config)}/{config[f'{thing}_id']}")

    return {"create": create, "read": read, "destroy": destroy, "gone": "not attached", "imported": False}


def _plural(word: str) -> str:
    return {"policy": "policies"}.get(word, f"{word}s")


# --- the table ------------------------------------------------------------------------------------------------------

# Words in braces are things that exist before.
RESOURCES = (
    Resource(
        "vultr_organization",
        organization_create,
        organization_read,
        organization_destroy,
        {"name": "Example", "type": "Personal/Team"},
        {"name": "Renamed", "type": "Personal/Team"},
        organization_update,
        gone="Organization not found.",
        computed=("date_created",),
    ),
    Resource(
        "vultr_organization_group",
        group_create,
        group_read,
        group_destroy,
        {"name": 'Engineers <&> "others"', "description": "They build — ünd prüfen"},
        {"name": "Engineers", "description": ""},
        group_update,
        gone="Group not found",
        computed=("users", "roles", "policies", "date_created"),
    ),
    Resource(
        "vultr_organization_invitation",
        invitation_create,
        invitation_read,
        invitation_destroy,
        {"email": "invited@example.org", "api_enabled": True},
        {"email": "invited@example.org", "api_enabled": True},
        gone="Invite not found",
        unread=("email", "api_enabled"),
        computed=("email_registered", "status", "date_created", "date_responded", "date_expires"),
    ),
    Resource(
        "vultr_organization_policy",
        policy_create,
        policy_read,
        policy_destroy,
        {
            "name": "Read",
            "description": "What may be read",
            "version": "2012-10-20",
            "statement": [
                {"effect": "Deny", "actions": ["z.y.X", "a.b.C", "a.b.C"], "resources": ["registry:*", "*"]},
                {"effect": "Allow", "actions": ["compute.*"], "resources": ["*"]},
            ],
        },
        {
            "name": "Read more",
            "description": "What may be read",
            "version": "2012-10-17",
            "statement": [{"effect": "Allow", "actions": ["compute.*", "*"], "resources": ["*"]}],
        },
        policy_update,
        gone="Policy not found",
        computed=("is_system_policy", "date_created"),
    ),
    Resource(
        "vultr_organization_policy_group_attachment",
        **_attachment("policy", "group", "groups", "id"),
        arguments={"policy_id": "{policy}", "group_id": "{group}"},
        changed={"policy_id": "{policy}", "group_id": "{group}"},
    ),
    Resource(
        "vultr_organization_policy_user_attachment",
        **_attachment("policy", "user", "users", "id"),
        arguments={"policy_id": "{policy}", "user_id": "{user}"},
        changed={"policy_id": "{policy}", "user_id": "{user}"},
    ),
    Resource(
        "vultr_organization_role",
        role_create,
        role_read,
        role_destroy,
        {"name": "Reader", "description": "Reads", "type": "assignable", "max_session_duration": 60},
        {"name": "Reader", "description": "Reads for a while", "type": "assumable", "max_session_duration": 900},
        role_update,
        gone="Role not found",
        computed=("policies", "groups", "date_created"),
    ),
    Resource(
        "vultr_organization_role_group_attachment",
        **_attachment("role", "group", "assignments", "group_id"),
        arguments={"role_id": "{role}", "group_id": "{group}"},
        changed={"role_id": "{role}", "group_id": "{group}"},
    ),
    Resource(
        "vultr_organization_role_policy_attachment",
        **_attachment("role", "policy", "policies", "id"),
        arguments={"role_id": "{role}", "policy_id": "{policy}"},
        changed={"role_id": "{role}", "policy_id": "{policy}"},
    ),
    Resource(
        "vultr_organization_role_trust",
        trust_create,
        trust_read,
        trust_destroy,
        {
            "role": "{assumable}",
            "user": "{user}",
            "type": "TemporaryAssumption",
            "hour_start": 9,
            "hour_end": 17,
            "ip_range": {"203.0.113.0/24", "2001:db8::/32"},
            "date_expires": "2099-01-02T03:04:05+00:00",
        },
        {
            "role": "{assumable}",
            "user": "{user}",
            "type": "IAMAssumption",
            "hour_start": 22,
            "hour_end": 6,
            "ip_range": {"198.51.100.7"},
            "date_expires": "2098-01-02T03:04:05Z",
        },
        trust_update,
        gone="Role trust not found",
        unread=("role", "user", "group"),
        computed=("date_created",),
    ),
    Resource(
        "vultr_organization_role_trust of a group without conditions",
        trust_create,
        trust_read,
        trust_destroy,
        {
            "role": "{assumable}",
            "group": "{group}",
            "type": "TemporaryAssumption",
            "hour_start": 0,
            "hour_end": 0,
            "ip_range": set(),
            "date_expires": "",
        },
        {
            "role": "{assumable}",
            "group": "{group}",
            "type": "TemporaryAssumption",
            "hour_start": 0,
            "hour_end": 24,
            "ip_range": {"203.0.113.7"},
            "date_expires": "",
        },
        trust_update,
        gone="Role trust not found",
        unread=("role", "user", "group"),
        computed=("date_created",),
    ),
    Resource(
        "vultr_organization_role_session",
        session_create,
        session_read,
        session_destroy,
        {
            "user_id": "{trusted}",
            "role_id": "{assumable}",
            "session_name": "deploy",
            "duration": 900,
            "ip_address": "203.0.113.7",
        },
        {
            "user_id": "{trusted}",
            "role_id": "{assumable}",
            "session_name": "deploy",
            "duration": 900,
            "ip_address": "203.0.113.7",
        },
        gone="Assumed Role Not Found",
        unread=("duration", "ip_address"),
        computed=("conditions_met", "auth_method", "source_ip", "date_assumed", "date_expires"),
    ),
    Resource(
        "vultr_organization_role_session with nothing but what it needs",
        session_create,
        session_read,
        session_destroy,
        {"user_id": "{trusted}", "role_id": "{assumable}", "session_name": "deploy"},
        {"user_id": "{trusted}", "role_id": "{assumable}", "session_name": "deploy"},
        gone="Assumed Role Not Found",
        computed=("conditions_met", "auth_method", "source_ip", "date_assumed", "date_expires"),
    ),
    Resource(
        "vultr_user",
        user_create,
        user_read,
        user_destroy,
        {
            "name": "Ada King Lovelace",
            "email": "ada@example.org",
            "password": "correct horse",
            "api_enabled": True,
            "acl": {"subscriptions", "dns", "provisioning"},
            "service_user": False,
            "groups": {"{group}"},
            "roles": {"{role}"},
        },
        {
            "name": "Ada Byron",
            "email": "byron@example.org",
            "password": "another horse",
            "api_enabled": False,
            "acl": {"billing"},
            "service_user": False,
            "groups": {"{other_group}"},
            "roles": {"{other_role}"},
        },
        user_update,
        gone="Invalid user",
        unread=("password",),
    ),
    Resource(
        "vultr_user for a service",
        user_create,
        user_read,
        user_destroy,
        {
            "name": "ci",
            "email": "ci@example.org",
            "password": "correct horse",
            "api_enabled": True,
            "acl": set(),
            "service_user": True,
            "groups": {"{group}", "{other_group}"},
            "roles": {"{role}", "{other_role}"},
        },
        {
            "name": "ci",
            "email": "ci@example.org",
            "password": "correct horse",
            "api_enabled": True,
            "acl": set(),
            "service_user": True,
            "groups": set(),
            "roles": {"{other_role}"},
        },
        user_update,
        gone="Invalid user",
        unread=("password",),
    ),
)

ALL = pytest.mark.parametrize("resource", RESOURCES, ids=str)
OF_NAME = {resource.name: resource for resource in RESOURCES}


def _filled(config: State, names: dict[str, str]) -> State:
    """A configuration with the ids of what exists."""

    def fill(value: Any) -> Any:
        if isinstance(value, set):
            return {fill(item) for item in value}
        return names[value[1:-1]] if isinstance(value, str) and value[:1] == "{" else value

    return {name: fill(value) for name, value in config.items()}


def _prepared(root: World) -> dict[str, str]:
    """What the configurations refer to."""
    trusted = root.person()
    root.attach_policy(root.policy(allow("iam.role.AssumeRole"), name="assume"), user=trusted.id)
    assumable = root.role(root.policy(allow("iam.group.List")), name="duty", role_type="assumable")
    asked = {"role_id": assumable, "trust_type": "TemporaryAssumption", "trusted_user_id": trusted.id}
    root.post("/v2/role-trusts", asked)
    return {
        "policy": root.policy(allow("a.b.C")),
        "role": root.role(name="role"),
        "other_role": root.role(name="other role"),
        "group": root.group(name="group"),
        "other_group": root.group(name="other group"),
        "user": root.person(service=True).id,
        "assumable": assumable,
        "trusted": trusted.id,
    }


def _steady(state: State | None) -> State:
    """A state without what the time alone changes."""
    assert state is not None
    return {name: value for name, value in state.items() if name != "remaining_duration"}


@pytest.fixture
def terraform(world: World) -> Client:
    return Client(world)


@pytest.fixture
def names(world: World) -> dict[str, str]:
    return _prepared(world)


# --- apply, plan, destroy -------------------------------------------------------------------------------------------


def live(resource: Resource, client: Client, names: dict[str, str]) -> None:
    """The whole life of one resource. Raises if any step is refused, and asserts that every plan in it is empty."""
    config, changed = (_filled(found, names) for found in (resource.arguments, resource.changed))
    id_ = resource.create(client, config)
    assert id_, "a resource without an id asks for the collection from now on"
    first, second = (resource.refresh(client, id_, config) for _ in range(2))
    assert _steady(first) == _steady(second)
    assert resource.difference(config, _steady(first)) == {}
    assert set(resource.computed) <= set(_steady(first))
    if resource.update is not None:
        assert resource.difference(changed, _steady(first)) != {}
        resource.update(client, id_, config, changed)
        config = changed
        first, second = (resource.refresh(client, id_, config) for _ in range(2))
        assert _steady(first) == _steady(second)
        assert resource.difference(config, _steady(first)) == {}
    if resource.imported:
        assert _steady(resource.refresh(client, id_, {})) == _steady(first)
    resource.destroy(client, id_, config)
    if resource.destroy is not invitation_destroy:
        assert resource.refresh(client, id_, config) is None


@ALL
def test_a_resource_is_applied_planned_changed_imported_and_destroyed_without_a_difference(
    resource: Resource, terraform: Client, names: dict[str, str]
) -> None:
    live(resource, terraform, names)


@ALL
def test_a_resource_that_was_deleted_behind_its_back_is_planned_anew(
    resource: Resource, terraform: Client, names: dict[str, str]
) -> None:
    config = _filled(resource.arguments, names)
    id_ = resource.create(terraform, config)
    if resource.destroy is invitation_destroy:
        id_ = names["user"]
    else:
        resource.destroy(Client(terraform.world), id_, config)
    assert resource.refresh(terraform, id_, config) is None
    if resource.name not in ("vultr_organization_invitation", "vultr_user"):
        again = resource.create(terraform, config)
        assert resource.difference(config, _steady(resource.refresh(terraform, again, config))) == {}


def test_a_person_who_was_removed_is_planned_anew_but_joins_by_invitation_alone(
    terraform: Client, names: dict[str, str]
) -> None:
    """Her account is hers and lives on: making it again would be taking it over."""
    resource = OF_NAME["vultr_user"]
    config = _filled(resource.arguments, names)
    id_ = user_create(terraform, config)
    user_destroy(terraform, id_, config)
    assert resource.refresh(terraform, id_, config) is None
    with pytest.raises(CallError, match="invitation"):
        user_create(terraform, config)
    invited = invitation_create(terraform, {"email": config["email"], "api_enabled": True})
    assert invitation_read(terraform, invited, {})["status"] == "pending"


@pytest.mark.parametrize("resource", [found for found in RESOURCES if found.gone and found.imported], ids=str)
@pytest.mark.parametrize("id_", ["0190a0b0-0000-7000-8000-00000000dead", "no-id", "a_b"])
def test_the_import_of_what_does_not_exist_finds_nothing(resource: Resource, terraform: Client, id_: str) -> None:
    assert resource.refresh(terraform, id_, {}) is None


@pytest.mark.parametrize(
    "path",
    [
        "/v2/roles//groups",
        "/v2/roles//policies",
        "/v2/policies//users",
        "/v2/policies//groups",
        "/v2/roles/",
        "/v2/groups/",
        "/v2/policies/",
        "/v2/users/",
        "/v2/users//groups",
        "/v2/users//roles",
        "/v2/groups//policies",
        "/v2/groups//roles",
        "/v2/organizations/",
        "/v2/invitation/",
        "/v2/role-trusts/",
        "/v2/role-trusts/by-role/",
        "/v2/role-trusts/assumable/",
        "/v2/assumed-roles/",
        "/v2/assumed-roles/users//sessions",
    ],
)
def test_the_import_of_nothing_is_told_so_in_json_and_sent_nowhere_else(small_world: World, path: str) -> None:
    """With an empty id a list would decode as a missing object, and a redirect would lead to one."""
    answer = small_world.call("GET", path, headers=HEADERS, follow_redirects=False)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert "location" not in answer.headers
    assert answer.json()["status"] == 404


def test_every_resource_lives_over_real_http(server: Server) -> None:
    root = server.world()
    client, names = Client(root), _prepared(root)
    for resource in RESOURCES:
        live(resource, client, names)
    for path in ("/v2/roles//groups", "/v2/roles/", "/v2/role-trusts/", "/v2//roles"):
        answer = root.call("GET", path, headers=HEADERS, follow_redirects=False)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


# --- what the provider sends for less than everything ---------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "IAMAssumption"},
        {"date_expires": "2098-01-01T00:00:00Z"},
        {"date_expires": ""},
        {"hour_start": 8},
        {"hour_end": 18},
        {"hour_start": 0, "hour_end": 0},
        {"ip_range": {"198.51.100.0/24"}},
        {},
    ],
    ids=str,
)
def test_an_edit_of_a_part_of_a_trust_leaves_the_rest_of_it_alone(
    terraform: Client, names: dict[str, str], changed: State
) -> None:
    resource = OF_NAME["vultr_organization_role_trust"]
    config = _filled(resource.arguments, names)
    id_ = trust_create(terraform, config)
    trust_update(terraform, id_, config, {**config, **changed})
    assert resource.difference({**config, **changed}, _steady(resource.refresh(terraform, id_, config))) == {}


def test_days_that_terraform_does_not_know_survive_all_its_edits(terraform: Client, names: dict[str, str]) -> None:
    config = _filled(OF_NAME["vultr_organization_role_trust"].arguments, names)
    id_ = trust_create(terraform, config)
    path, days = f"/v2/role-trusts/{id_}", ["friday", "monday"]
    terraform.world.call("PUT", path, {"conditions": {"time_of_day": {"days_of_week": days}}})
    for changed in ({"hour_start": 8}, {"hour_start": 0, "hour_end": 0}, {"ip_range": {"203.0.113.7"}}):
        trust_update(terraform, id_, config, {**config, **changed})
        config |= changed
        time_of_day = terraform.world.get(path)["role_trust"]["conditions"]["time_of_day"]
        assert sorted(time_of_day["days_of_week"]) == days


def test_the_empty_update_that_the_provider_sends_changes_nothing(terraform: Client, names: dict[str, str]) -> None:
    """For a user of whom only groups or roles change, and for a trust of which nothing does."""
    user = _filled(OF_NAME["vultr_user"].arguments, names)
    trust = _filled(OF_NAME["vultr_organization_role_trust"].arguments, names)
    user_id, trust_id = user_create(terraform, user), trust_create(terraform, trust)
    before = terraform.world.call("GET", "/v2/roles").headers["Rescind-Revision"]
    user_update(terraform, user_id, user, user)
    trust_update(terraform, trust_id, trust, trust)
    assert terraform.world.call("GET", "/v2/roles").headers["Rescind-Revision"] == before


def test_a_role_that_comes_by_a_group_is_read_and_its_removal_is_harmless(
    terraform: Client, names: dict[str, str]
) -> None:
    """The provider reads every role as a direct one, wants to detach what it does not know, and must not fail."""
    resource = OF_NAME["vultr_user"]
    config = _filled(resource.arguments, names)
    id_ = user_create(terraform, config)
    terraform.world.attach_role(names["other_role"], group=names["group"])
    state = _steady(resource.refresh(terraform, id_, config))
    assert state["roles"] == {names["role"], names["other_role"]}
    user_update(terraform, id_, state, config)
    assert _steady(resource.refresh(terraform, id_, config)) == state


def test_an_attachment_is_found_however_long_the_list_is(terraform: Client, names: dict[str, str]) -> None:
    resource = OF_NAME["vultr_organization_policy_group_attachment"]
    for number in range(101):
        terraform.world.attach_policy(names["policy"], group=terraform.world.group(name=f"group {number}"))
    config = {"policy_id": names["policy"], "group_id": names["group"]}
    resource.create(terraform, config)
    assert resource.refresh(terraform, "", config) == config
    assert terraform.calls[-2:] == [f"GET /v2/policies/{names['policy']}/groups"] * 2


def test_an_attachment_that_was_undone_behind_its_back_is_destroyed_without_an_error(
    terraform: Client, names: dict[str, str]
) -> None:
    for resource in RESOURCES:
        if resource.name.endswith("_attachment"):
            config = _filled(resource.arguments, names)
            for _ in range(2):
                resource.destroy(terraform, resource.create(terraform, config), config)
                resource.destroy(terraform, "", config)


def test_what_still_has_attachments_is_destroyed(terraform: Client, names: dict[str, str]) -> None:
    world = terraform.world
    for resource in RESOURCES:
        if resource.name.endswith("_attachment"):
            resource.create(terraform, _filled(resource.arguments, names))
    world.post(f"/v2/groups/{names['group']}/members", {"user_id": names["user"], "display_name": ""})
    role_destroy(terraform, names["role"], {})
    policy_destroy(terraform, names["policy"], {})
    group_destroy(terraform, names["group"], {})
    role_destroy(terraform, names["assumable"], {})
    state = OF_NAME["vultr_user"].refresh(terraform, names["user"], {})
    assert state is not None
    assert (state["groups"], state["roles"]) == (set(), set())


def test_computed_members_show_what_other_resources_attached(terraform: Client, names: dict[str, str]) -> None:
    for resource in RESOURCES:
        if resource.name.endswith("_attachment"):
            resource.create(terraform, _filled(resource.arguments, names))
    group = group_read(terraform, names["group"], {})
    assert group["roles"] == {names["role"]}
    assert group["policies"] == {names["policy"]}
    role = role_read(terraform, names["role"], {})
    assert (role["policies"], role["groups"]) == ({names["policy"]}, {names["group"]})


def test_a_session_that_expired_is_planned_anew(terraform: Client, names: dict[str, str]) -> None:
    resource = OF_NAME["vultr_organization_role_session"]
    config = {**_filled(resource.arguments, names), "duration": 1}
    id_ = session_create(terraform, config)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while resource.refresh(terraform, id_, config) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert resource.refresh(terraform, session_create(terraform, {**config, "duration": 900}), config) is not None


def test_the_key_of_a_service_user_is_there_once_and_works(terraform: Client) -> None:
    body = {"email": "s@example.org", "name": "s", "api_enabled": True, "password": "correct horse"}
    made = terraform.send("POST", "/v2/users", {**body, "service_user": True})["user"]
    assert terraform.world.as_(made["api_key"]).status("/v2/users/me/groups") == 200
    assert "api_key" not in terraform.send("GET", f"/v2/users/{made['id']}")["user"]


# --- data sources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key", "member", "per_page", "with_body"),
    [
        ("/v2/groups", "groups", "display_name", 10, True),
        ("/v2/roles", "roles", "name", 10, False),
        ("/v2/policies", "policies", "name", 0, False),
        ("/v2/users", "users", "name", 0, False),
        ("/v2/organizations", "orgs", "name", 0, False),
        ("/v2/role-trusts", "role_trusts", "role_name", 10, True),
        ("/v2/invitation", "invites", "email_invited", 10, True),
    ],
)
def test_a_data_source_finds_each_thing_once_page_by_page(
    terraform: Client, names: dict[str, str], path: str, key: str, member: str, per_page: int, with_body: bool
) -> None:
    world, wanted = terraform.world, [f"wanted-{number:02}" for number in range(23)]
    for name in wanted:
        email = f"{name}@example.org"
        if key == "groups":
            world.group(name=name)
        elif key == "roles":
            world.role(name=name)
        elif key == "policies":
            world.policy(allow("a.b.C"), name=name)
        elif key == "users":
            world.post("/v2/users", {"email": email, "name": name, "service_user": True})
        elif key == "orgs":
            world.post("/v2/organizations", {"name": name})
        elif key == "role_trusts":
            role = world.role(name=name, role_type="assumable")
            asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": names["user"]}
            world.post("/v2/role-trusts", asked)
        else:
            world.post("/v2/invitation", {"email_invited": email})
    found = list(terraform.pages(path, key, per_page=per_page, with_body=with_body))
    assert len({each["id"] for each in found}) == len(found)
    said = [each[member].partition("@")[0] for each in found]
    assert [name for name in said if name in wanted] == wanted


def test_the_account_data_source_is_answered(terraform: Client) -> None:
    account = _named(terraform.send("GET", "/v2/account"), "account")
    read = ("balance", "pending_charges", "last_payment_date", "last_payment_amount", "name", "email", "acls")
    assert set(read) <= set(account)
