"""Random histories through both faces at once: lists, tokens, introspection and decisions say what was given and taken.

Three accounts, two groups, four roles and two APIs are acted on through the Auth0 face and the Vultr face in any order.
What must be so afterwards is said twice: by the specification, over the facts in the database, and by a model, which is
a few sets of names kept beside the calls and knows of no database.
"""

import copy
import itertools
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import sqlalchemy as sa
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

import spec
from api.auth0.answers import application
from api.auth0.logins import CLIENT_CREDENTIALS, REALM, decoded, words
from decision.worlds import request_of, said
from rescind.decision.decide import Decision, decide
from rescind.decision.snapshot import Principal
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.objects import Object, ObjectKind
from rescind.store.schema import intervals
from stories.histories import Row, as_specified
from tenant import CONNECTION, PASSWORD, Tenant
from world import World, allow, deny, root_of_another

# Where something was given: everything has a name of its own, so an edge is (holder, thing, place).
PLATFORM, INSIDE, CONTENT, GRANT = "platform", "inside", "content", "grant"
PLACES = (PLATFORM, INSIDE)
USERS = ("ann", "bob", "cyd")
GROUPS = ("red", "blue")
TENANT_ROLES, OWN_ROLES = ("reader", "writer"), ("local", "crew")
ROLES = (*TENANT_ROLES, *OWN_ROLES)
# In the order that the APIs have. `read:*` is a name like any other, though it looks like a pattern.
SCOPES = {"one": ("read", "read:*"), "two": ("read:*", "read:things")}
PERMISSIONS = tuple((api, scope) for api, scopes in SCOPES.items() for scope in scopes)
# What each policy forbids.
POLICIES: dict[str, set[tuple[str, str]]] = {
    "allow all": set(),
    "deny read": {("one", "read")},
    "deny two": {("two", "read:*"), ("two", "read:things")},
}
MACHINE = "machine"
NOT_LET_IN = {"account_ended": "invalid_grant", "account_blocked": "unauthorized"}
Permission = tuple[str, str]
Name = str | Permission


class Picks(NamedTuple):
    """What a call is about."""

    user: str = "ann"
    role: str = "reader"
    group: str = "red"
    policy: str = "allow all"
    permission: Permission = ("one", "read")


# --- the model ------------------------------------------------------------------------------------------------------


class Model:
    """What was given and not taken back, by name. Two of the three users begin as members of the organization."""

    def __init__(self) -> None:
        self.living: set[Name] = {*USERS, *GROUPS, *ROLES, *POLICIES, *PERMISSIONS}
        self.members = {"ann", "bob"}
        self.suspended: set[str] = set()
        self.blocked: set[str] = set()
        self.edges: set[tuple[Name, Name, str]] = set()
        self.whole: set[str] = set()
        """The APIs that the client was granted with every scope."""

    def lives(self, *names: Name) -> bool:
        return self.living.issuperset(names)

    def things(self, holder: Name, place: str, among: Collection[Name]) -> set[Name]:
        """What somebody or something living has there."""
        return {thing for at, thing, where in self.edges if (at, where) == (holder, place)} & {*among} & self.living

    def holders(self, thing: Name, place: str, among: Collection[Name]) -> set[Name]:
        """Who has it there; who was given a role before joining is no holder yet."""
        found = {holder for holder, at, where in self.edges if (at, where) == (thing, place)} & {*among} & self.living
        return found & {*GROUPS, *ROLES, *self.members} if place == INSIDE else found

    def leave(self, user: str) -> None:
        """What she had inside, or was to have, is gone for good."""
        self.members.discard(user)
        self.suspended.discard(user)
        self.edges = {edge for edge in self.edges if (edge[0], edge[2]) != (user, INSIDE)}

    def end(self, name: str) -> None:
        self.living.discard(name)
        if name in USERS:
            self.leave(name)

    def end_scope(self, permission: Permission) -> None:
        """It may come back by name, but to nobody who had it."""
        self.living.discard(permission)
        self.edges = {edge for edge in self.edges if edge[1] != permission}

    def scopes(self, api: str) -> list[str]:
        return [scope for scope in SCOPES[api] if (api, scope) in self.living]

    def carriers(self, user: str, place: str) -> set[Name]:
        """The user and those of her groups that count there: outside, a suspension takes them from her."""
        is_cut_off = place == PLATFORM and user in self.suspended
        return {user} if is_cut_off else {user, *self.things(user, INSIDE, GROUPS)}

    def roles(self, user: str, place: str) -> set[Name]:
        return {role for at in self.carriers(user, place) for role in self.things(at, place, ROLES)}

    def reached(self, user: str, place: str, among: Collection[Name]) -> set[Name]:
        """The policies or permissions that reach her, directly and in roles."""
        ways = [(at, place) for at in self.carriers(user, place)]
        ways += [(role, CONTENT) for role in self.roles(user, place)]
        return {thing for holder, where in ways for thing in self.things(holder, where, among)}

    def may_enter(self, user: str, place: str) -> bool:
        is_here = place == PLATFORM or user in self.members - self.suspended
        return user in self.living and user not in self.blocked and is_here

    def allows(self, who: str, permission: Permission, place: str) -> bool:
        """Whether a user or the client is allowed a scope."""
        if who == MACHINE:
            is_listed = permission in self.things(MACHINE, GRANT, PERMISSIONS)
            return place == PLATFORM and (is_listed or permission[0] in self.whole)
        denied = {one for policy in self.reached(who, place, POLICIES) for one in POLICIES[str(policy)]}
        return self.may_enter(who, place) and permission in self.reached(who, place, PERMISSIONS) - denied

    def sources(self, user: str) -> set[tuple[Permission, Name]]:
        """The permissions of her own outside the organization, and of her roles there, each with whence it is."""
        direct = {(one, "") for one in self.things(user, PLATFORM, PERMISSIONS)}
        roles = self.things(user, PLATFORM, ROLES)
        return direct | {(one, role) for role in roles for one in self.things(role, CONTENT, PERMISSIONS)}


# --- the calls ------------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """What is sent, when it must succeed (else it must be refused), and what is so afterwards."""

    body: Any
    may: Callable[[Model, Picks], bool]
    then: Callable[[Model, Picks], object]


def lives(*fields: str) -> Callable[[Model, Picks], bool]:
    return lambda m, p: m.lives(*(getattr(p, field) for field in fields))


def is_member(*fields: str) -> Callable[[Model, Picks], bool]:
    return lambda m, p: p.user in m.members and lives(*fields)(m, p)


def is_tenant(*fields: str) -> Callable[[Model, Picks], bool]:
    """A role of the organization can be given to nobody outside."""
    return lambda m, p: p.role in TENANT_ROLES and lives(*fields)(m, p)


def is_own(*fields: str) -> Callable[[Model, Picks], bool]:
    """What is the platform's nobody changes from inside."""
    return lambda m, p: p.role in OWN_ROLES and lives(*fields)(m, p)


def always(_: Model, __: Picks) -> bool:
    return True


def give(holder: str, thing: str, place: str) -> Callable[[Model, Picks], object]:
    return lambda m, p: m.edges.add((getattr(p, holder), getattr(p, thing), place))


def take(holder: str, thing: str, place: str) -> Callable[[Model, Picks], object]:
    return lambda m, p: m.edges.discard((getattr(p, holder), getattr(p, thing), place))


def end(field: str) -> Callable[[Model, Picks], object]:
    return lambda m, p: m.end(getattr(p, field))


def revive(field: str) -> Callable[[Model, Picks], object]:
    return lambda m, p: m.living.add(getattr(p, field))


def leave(m: Model, p: Picks) -> None:
    m.leave(p.user)


def scopes_with(m: Model, p: Picks) -> Any:
    api, added = p.permission
    return {"scopes": [{"value": one} for one in SCOPES[api] if one in (added, *m.scopes(api))]}


def scopes_without(m: Model, p: Picks) -> Any:
    api, gone = p.permission
    return {"scopes": [{"value": one} for one in m.scopes(api) if one != gone]}


def grant_with(m: Model, p: Picks) -> Any:
    api, _ = p.permission
    listed = m.things(MACHINE, GRANT, PERMISSIONS) | {p.permission}
    return {"scope": [one for one in SCOPES[api] if (api, one) in listed], "allow_all_scopes": False}


def grant_without(m: Model, p: Picks) -> Any:
    api, gone = p.permission
    listed = m.things(MACHINE, GRANT, PERMISSIONS)
    return {"scope": [one for one in SCOPES[api] if (api, one) in listed and one != gone], "allow_all_scopes": False}


def grant_some(change: Callable[[set[Any], Any], object]) -> Callable[[Model, Picks], object]:
    def then(m: Model, p: Picks) -> None:
        m.whole.discard(p.permission[0])
        change(m.edges, (MACHINE, p.permission, GRANT))

    return then


NAMED_ROLE = {"roles": ["{role}"]}
NAMED_PERMISSION = {"permissions": [{"resource_server_identifier": "{api}", "permission_name": "{scope}"}]}
IN = "/organizations/{organization}"

# What gives, for a user with nothing has nothing to lose.
GIVES = {
    "POST /users/{user}/roles": Call(NAMED_ROLE, is_tenant("user", "role"), give("user", "role", PLATFORM)),
    "POST /roles/{role}/users": Call({"users": ["{user}"]}, is_tenant("user", "role"), give("user", "role", PLATFORM)),
    "POST /users/{user}/permissions": Call(
        NAMED_PERMISSION, lives("user", "permission"), give("user", "permission", PLATFORM)
    ),
    "POST /roles/{role}/permissions": Call(
        NAMED_PERMISSION, lives("role", "permission"), give("role", "permission", CONTENT)
    ),
    "POST /groups/{group}/roles": Call(NAMED_ROLE, is_tenant("group", "role"), give("group", "role", PLATFORM)),
    "POST /roles/{role}/groups": Call(
        {"groups": ["{group}"]}, is_tenant("group", "role"), give("group", "role", PLATFORM)
    ),
    f"POST {IN}/members": Call({"members": ["{user}"]}, lives("user"), lambda m, p: m.members.add(p.user)),
    f"POST {IN}/members/{{user}}/roles": Call(NAMED_ROLE, lives("user", "role"), give("user", "role", INSIDE)),
    f"POST {IN}/groups/{{group}}/roles": Call(NAMED_ROLE, lives("group", "role"), give("group", "role", INSIDE)),
    "POST /v2/roles/{role}/users/{user}": Call(None, is_member("role"), give("user", "role", INSIDE)),
    "POST /v2/roles/{role}/groups/{group}": Call(None, lives("group", "role"), give("group", "role", INSIDE)),
    "POST /v2/groups/{group}/members": Call({"user_id": "{user}"}, is_member("group"), give("user", "group", INSIDE)),
    "POST /v2/policies/{policy}/users/{user}": Call(None, is_member("policy"), give("user", "policy", INSIDE)),
    "POST /v2/policies/{policy}/groups/{group}": Call(None, lives("policy", "group"), give("group", "policy", INSIDE)),
    "POST /v2/roles/{role}/policies/{policy}": Call(None, is_own("role", "policy"), give("role", "policy", CONTENT)),
}
TAKES = {
    "DELETE /users/{user}/roles": Call(NAMED_ROLE, lives("user"), take("user", "role", PLATFORM)),
    "DELETE /users/{user}/permissions": Call(NAMED_PERMISSION, lives("user"), take("user", "permission", PLATFORM)),
    "DELETE /roles/{role}/permissions": Call(NAMED_PERMISSION, lives("role"), take("role", "permission", CONTENT)),
    "DELETE /groups/{group}/roles": Call(NAMED_ROLE, lives("group"), take("group", "role", PLATFORM)),
    "DELETE /roles/{role}/groups": Call({"groups": ["{group}"]}, lives("role"), take("group", "role", PLATFORM)),
    f"DELETE {IN}/members": Call({"members": ["{user}"]}, always, leave),
    f"DELETE {IN}/members/{{user}}/roles": Call(NAMED_ROLE, lives("user"), take("user", "role", INSIDE)),
    f"DELETE {IN}/groups/{{group}}/roles": Call(NAMED_ROLE, lives("group"), take("group", "role", INSIDE)),
    "DELETE /v2/roles/{role}/users/{user}": Call(None, is_member("role"), take("user", "role", INSIDE)),
    "DELETE /v2/roles/{role}/groups/{group}": Call(None, lives("group", "role"), take("group", "role", INSIDE)),
    "DELETE /v2/groups/{group}/members/{user}": Call(None, is_member("group"), take("user", "group", INSIDE)),
    "DELETE /v2/policies/{policy}/users/{user}": Call(None, is_member("policy"), take("user", "policy", INSIDE)),
    "DELETE /v2/policies/{policy}/groups/{group}": Call(
        None, lives("policy", "group"), take("group", "policy", INSIDE)
    ),
    "DELETE /v2/roles/{role}/policies/{policy}": Call(None, is_own("role", "policy"), take("role", "policy", CONTENT)),
    f"DELETE /v2{IN}/user/{{user}}": Call(None, is_member(), leave),
    "DELETE /v2/users/{user}": Call(None, is_member(), leave),
}
# The word behind the path tells calls apart that go to the same place.
STATES = {
    "PATCH /users/{user} block": Call({"blocked": True}, lives("user"), lambda m, p: m.blocked.add(p.user)),
    "PATCH /users/{user} unblock": Call({"blocked": False}, lives("user"), lambda m, p: m.blocked.discard(p.user)),
    f"PUT /v2{IN}/user/{{user}}/suspend": Call(None, is_member(), lambda m, p: m.suspended.add(p.user)),
    f"PUT /v2{IN}/user/{{user}}/unsuspend": Call(None, is_member(), lambda m, p: m.suspended.discard(p.user)),
    "PATCH /client-grants/{grant} with": Call(grant_with, lives("permission"), grant_some(set.add)),
    "PATCH /client-grants/{grant} without": Call(grant_without, always, grant_some(set.discard)),
    "PATCH /client-grants/{grant} kept": Call({"organization_usage": "allow"}, always, lambda _, __: None),
    "PATCH /client-grants/{grant} whole": Call(
        {"allow_all_scopes": True}, always, lambda m, p: m.whole.add(p.permission[0])
    ),
}
ENDS = {
    "DELETE /users/{user}": Call(None, always, end("user")),
    "DELETE /roles/{role}": Call(None, lives("role"), end("role")),
    "DELETE /groups/{group}": Call(None, lives("group"), end("group")),
    "DELETE /v2/roles/{role}": Call(None, is_own("role"), end("role")),
    "DELETE /v2/groups/{group}": Call(None, lives("group"), end("group")),
    "DELETE /v2/policies/{policy}": Call(None, lives("policy"), end("policy")),
    "PATCH /v2/roles/{role}/restore": Call(None, is_own(), revive("role")),
    "PATCH /v2/policies/{policy}/restore": Call(None, always, revive("policy")),
    "PATCH /resource-servers/{api_id} without": Call(scopes_without, always, lambda m, p: m.end_scope(p.permission)),
    "PATCH /resource-servers/{api_id} with": Call(scopes_with, always, revive("permission")),
}
CALLS = GIVES | TAKES | STATES | ENDS
WEIGHTED = [*GIVES, *GIVES, *GIVES, *TAKES, *TAKES, *STATES, *ENDS]
Step = tuple[str, Picks, bool]
"""A call, what it is about, and whether it is about the nearest to that by which the call changes something."""

BEGINNING: list[tuple[str, Picks]] = [
    ("POST /roles/{role}/permissions", Picks(role="reader", permission=("one", "read"))),
    ("POST /roles/{role}/permissions", Picks(role="reader", permission=("two", "read:*"))),
    ("POST /roles/{role}/permissions", Picks(role="writer", permission=("one", "read:*"))),
    ("POST /roles/{role}/permissions", Picks(role="local", permission=("two", "read:things"))),
    ("POST /roles/{role}/permissions", Picks(role="crew", permission=("one", "read"))),
    ("POST /v2/groups/{group}/members", Picks(user="ann", group="red")),
    ("POST /groups/{group}/roles", Picks(group="red", role="writer")),
    (f"POST {IN}/groups/{{group}}/roles", Picks(group="blue", role="reader")),
    (f"POST {IN}/members/{{user}}/roles", Picks(user="cyd", role="local")),
    ("POST /v2/roles/{role}/users/{user}", Picks(user="bob", role="crew")),
    ("POST /users/{user}/permissions", Picks(user="bob", permission=("two", "read:*"))),
    ("PATCH /client-grants/{grant} with", Picks(permission=("one", "read:*"))),
]

KINDS: tuple[tuple[Any, ...], ...] = (USERS, ROLES, GROUPS, (*POLICIES,), PERMISSIONS)
picks = st.builds(Picks, *map(st.sampled_from, KINDS))
# Three of four are aimed: most of the others would be refused, or change nothing.
steps = st.tuples(st.sampled_from(WEIGHTED), picks, st.sampled_from([True, True, True, False]))
histories = st.lists(steps, min_size=20, max_size=45)


GONE = Picks("cyd", permission=("one", "read:*"))
# A scope that comes back comes back to nobody, and what waited for somebody who never joined is gone with her.
COMES_BACK: list[Step] = [
    ("PATCH /resource-servers/{api_id} without", GONE, False),
    ("PATCH /client-grants/{grant} kept", GONE, False),
    ("PATCH /resource-servers/{api_id} with", GONE, False),
    ("PATCH /client-grants/{grant} kept", GONE, False),
    (f"DELETE {IN}/members", GONE, False),
    (f"POST {IN}/members", GONE, False),
]


def aimed(model: Model, call: str, about: Picks) -> Picks:
    """The nearest picks by which the call succeeds and changes something, or these if there are none."""
    body, may, then = CALLS[call]
    marks = {"permission": ("{scope}", "{api_id}", "{grant}")}
    named = [any(mark in f"{call} {body}" for mark in marks.get(field, (f"{{{field}}}",))) for field in Picks._fields]
    kinds = [kind if is_named else (one,) for kind, is_named, one in zip(KINDS, named, about, strict=True)]

    def changes(choice: Picks) -> bool:
        after = copy.deepcopy(model)
        return may(model, choice) and (then(after, choice), vars(after) != vars(model))[1]

    choices = sorted(
        itertools.starmap(Picks, itertools.product(*kinds)),
        key=lambda choice: sum(one != wanted for one, wanted in zip(choice, about, strict=True)),
    )
    return next(filter(changes, choices), about)


# --- the lists ------------------------------------------------------------------------------------------------------


class Listed(NamedTuple):
    """Where in the answer the items are, what names one, when there is an answer at all, and what must be in it."""

    at: str
    key: str
    when: Callable[[Model, Picks], bool]
    expected: Callable[[Model, Picks], Collection[Name]]


def things(holder: str, place: str, among: Collection[Name]) -> Callable[[Model, Picks], set[Name]]:
    return lambda m, p: m.things(getattr(p, holder), place, among)


def holders(thing: str, place: str, among: Collection[Name]) -> Callable[[Model, Picks], set[Name]]:
    return lambda m, p: m.holders(getattr(p, thing), place, among)


def by_groups(m: Model, p: Picks) -> set[Name]:
    return {role for group in m.things(p.user, INSIDE, GROUPS) for role in m.things(group, INSIDE, ROLES)}


def contents(m: Model, p: Picks) -> set[Name]:
    """The policies in a role, and under the role's own id what its permissions say."""
    return m.things(p.role, CONTENT, POLICIES) | ({p.role} if m.things(p.role, CONTENT, PERMISSIONS) else set())


def members(m: Model, _: Picks) -> set[str]:
    return {*m.members, "root"}


LISTS = {
    "/users/{user}/roles": Listed("", "id", lives("user"), things("user", PLATFORM, ROLES)),
    "/users/{user}/groups": Listed("groups", "id", lives("user"), things("user", INSIDE, GROUPS)),
    "/users/{user}/effective-roles": Listed("roles", "id", lives("user"), lambda m, p: m.roles(p.user, PLATFORM)),
    "/roles/{role}/users": Listed("", "user_id", lives("role"), holders("role", PLATFORM, USERS)),
    "/roles/{role}/groups": Listed("groups", "id", lives("role"), holders("role", PLATFORM, GROUPS)),
    "/groups/{group}/roles": Listed("roles", "id", lives("group"), things("group", PLATFORM, ROLES)),
    "/groups/{group}/members": Listed("members", "id", lives("group"), holders("group", INSIDE, USERS)),
    f"{IN}/members": Listed("", "user_id", always, members),
    f"{IN}/members/{{user}}/roles": Listed("", "id", lives("user"), things("user", INSIDE, ROLES)),
    f"{IN}/members/{{user}}/effective-roles": Listed("roles", "id", is_member(), lambda m, p: m.roles(p.user, INSIDE)),
    f"{IN}/roles/{{role}}/members": Listed("members", "user_id", lives("role"), holders("role", INSIDE, USERS)),
    f"{IN}/roles/{{role}}/groups": Listed("groups", "id", lives("role"), holders("role", INSIDE, GROUPS)),
    f"{IN}/groups/{{group}}/roles": Listed("roles", "id", lives("group"), things("group", INSIDE, ROLES)),
    "/v2/users": Listed("users", "id", always, members),
    f"/v2{IN}/suspended-users": Listed("users", "id", always, lambda m, _: m.suspended),
    "/v2/users/{user}/groups": Listed("groups", "id", is_member(), things("user", INSIDE, GROUPS)),
    "/v2/users/{user}/roles direct": Listed("roles.direct", "id", is_member(), things("user", INSIDE, ROLES)),
    "/v2/users/{user}/roles inherited": Listed("roles.inherited", "id", is_member(), by_groups),
    "/v2/users/{user}/policies": Listed(
        "policies.all", "id", is_member(), lambda m, p: m.reached(p.user, INSIDE, POLICIES)
    ),
    "/v2/groups/{group}/members": Listed("members", "id", lives("group"), holders("group", INSIDE, USERS)),
    "/v2/groups/{group}/roles": Listed("roles.direct", "id", lives("group"), things("group", INSIDE, ROLES)),
    "/v2/roles/{role}/users": Listed("assignments", "user_id", lives("role"), holders("role", INSIDE, USERS)),
    "/v2/roles/{role}/groups": Listed("assignments", "group_id", lives("role"), holders("role", INSIDE, GROUPS)),
    "/v2/roles/{role}/policies": Listed("policies", "id", lives("role"), contents),
    "/v2/policies/{policy}/users": Listed("users", "id", lives("policy"), holders("policy", INSIDE, USERS)),
}


# --- the story ------------------------------------------------------------------------------------------------------


class Token(NamedTuple):
    """A token of a user or the client for an API, and the scopes that it was issued with."""

    who: str
    place: str
    api: str
    text: str
    scopes: list[str]


class Story:
    """An organization of its own on the tenant's node, spoken to through both faces, and the model beside it."""

    def __init__(self, tenant: Tenant) -> None:
        assert tenant.node is not None
        self.node = tenant.node
        self.tenant = tenant
        self.world = World(tenant.http, root_of_another(self.node), self.node)
        self.model = Model()
        self.tokens: list[Token] = []
        self.objects: dict[str, Object] = {}
        self.spellings: dict[str, str] = {}
        self._found()
        self.past: list[tuple[int, Model]] = []
        for call, about in BEGINNING:
            self.take(call, about)

    def _found(self) -> None:
        """Make the small world, each thing through the face that it is told to come from."""
        tenant, world = self.tenant, self.world
        organization = world.organization()
        self._know("organization", ObjectKind.ORGANIZATION, organization)
        self._know("root", ObjectKind.USER, world.get("/v2/users")["users"][0]["id"])
        self.emails = {name: f"{name}-{organization}@example.org" for name in USERS}
        for name in ("ann", "bob"):
            asked = {"email": self.emails[name], "name": name, "password": PASSWORD}
            self._know(name, ObjectKind.USER, world.post("/v2/users", asked)["user"]["id"])
        self._know("cyd", ObjectKind.USER, tenant.user(email=self.emails["cyd"]))
        for name in GROUPS:
            self._know(name, ObjectKind.GROUP, world.group(name=name))
        for name in TENANT_ROLES:
            self._know(name, ObjectKind.ROLE, tenant.role())
        owned = {"type": "organization", "owner_id": self.spellings["organization"]}
        self._know("local", ObjectKind.ROLE, tenant.role(**owned))
        self._know("crew", ObjectKind.ROLE, world.role(name="crew"))
        self.apis = {api: tenant.api(*scopes) for api, scopes in SCOPES.items()}
        documents = (allow("*"), deny("read", on="resource_server:*"), deny("read:*", on=self._resource("two")))
        for name, document in zip(POLICIES, documents, strict=True):
            self._know(name, ObjectKind.POLICY, world.policy(document))
        self.browser, self.machine = application(tenant, REALM), application(tenant, CLIENT_CREDENTIALS)
        self._know(MACHINE, ObjectKind.CLIENT, self.machine.client_id)
        self.grants = {}
        for api in SCOPES:
            asked = {"client_id": self.machine.client_id, "audience": self.identifier(api), "scope": []}
            self.grants[api] = tenant.send("POST", "/client-grants", asked, status=201)["id"]

    def _know(self, name: str, kind: ObjectKind, identifier: str) -> None:
        """Find what was just made under the id of either face."""
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            found = reader.find_named("public_id", identifier) or reader.find_object(kind, identifier)
            assert found is not None
            self.objects[name] = found
            self.spellings[name] = reader.profiles([found.key])[found.key].get("public_id", "")

    def identifier(self, api: str) -> str:
        return str(self.apis[api]["identifier"])

    def _resource(self, api: str) -> str:
        return f"{spec.API}:{self.identifier(api)}"

    def take(self, call: str, about: Picks) -> None:
        """Make a call, which succeeds exactly where the model says so."""
        body, may, then = CALLS[call]
        sent = body(self.model, about) if callable(body) else body
        note(f"{call} {tuple(about)}")
        response = self.send(*call.split()[:2], about, sent)
        expected = may(self.model, about)
        assert response.is_success == expected, f"{call} {about}: {response.status_code} {response.text}"
        assert response.status_code < 500
        if expected:
            then(self.model, about)
        self.past.append((self.node.freshness.now().revision, copy.deepcopy(self.model)))

    def send(self, method: str, path: str, about: Picks, body: Any = None, **query: Any) -> httpx2.Response:
        """A call of the face that the path belongs to, with the ids that this face knows."""
        api, scope = about.permission
        fixed = {"api": self.identifier(api), "api_id": self.apis[api]["id"], "scope": scope, "grant": self.grants[api]}
        named = {**about._asdict(), "organization": "organization"}
        known = {field: self.id(path, name) for field, name in named.items() if field != "permission"} | fixed
        address = path.format(**{field: quote(value, safe="") for field, value in known.items()})
        face = self.world if path.startswith("/v2") else self.tenant
        return face.call(method, address, _filled(body, known), params=query or None)

    def id(self, path: str, name: str) -> str:
        return self.objects[name].id if path.startswith("/v2") else self.spellings[name]

    # --- what is decided ----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Every interval of what this story has made, as the specification reads it."""
        with self.node.store.snapshot() as connection:
            mine = sa.select(intervals).where(intervals.c.holder >= self.objects["organization"].key)
            return [as_specified(row) for row in connection.execute(mine)]

    def question(self, who: str, permission: Permission, place: str) -> Row:
        api, scope = permission
        return {
            "user": self.objects[who].key,
            "organization": self.objects["organization"].key if place == INSIDE else None,
            "action": scope,
            "resource": {"type": spec.API, "id": self.identifier(api)},
            "subject": {},
            "context": {},
            "action_properties": {},
        }

    def decide(self, asked: Row, revision: int, instant: int) -> Decision:
        """What the product decides, loaded from the store as of a revision."""
        with self.node.store.reading(revision, instant) as reader:
            user, organization = asked["user"], asked["organization"]
            principal = principal_of(reader, user, organization) if organization else Principal(user)
            return decide(request_of(asked), snapshot_of(reader, principal))

    def assert_decided(self, rows: list[Row], revision: int, model: Model) -> dict[Any, spec.Verdict]:
        """As of a revision the product decides what the specification does, and that is what the model says."""
        verdicts = {}
        instant = self.node.freshness.now().instant
        for who, place, permission in itertools.product((*USERS, MACHINE), PLACES, PERMISSIONS):
            if who == MACHINE and place == INSIDE:
                continue
            asked = self.question(who, permission, place)
            verdict = spec.decide(rows, asked, revision, instant)
            context = f"{who} {place} {permission}"
            assert said(self.decide(asked, revision, instant)) == tuple(verdict), context
            assert verdict.allowed == model.allows(who, permission, place), context
            verdicts[who, place, permission] = verdict
        return verdicts

    # --- what both faces say ------------------------------------------------------------------------------------------

    def check(self, older: float) -> None:
        """All that either face says is so, and what was decided earlier is still decided as of then."""
        rows, now = self.rows(), self.node.freshness.now()
        then = self.past[int(older * (len(self.past) - 1))]
        self.assert_decided(rows, *then)
        verdicts = self.assert_decided(rows, now.revision, self.model)
        self.assert_effective(verdicts)
        facts = spec.facts_at(rows, now.revision, now.instant)
        allowed = {key: verdict.allowed for key, verdict in verdicts.items()}
        self.assert_tokens(facts, allowed)
        self.assert_lists()

    def state(self, facts: list[Row], user: str, place: str) -> str | None:
        """What keeps a user from logging in there, as the specification says it."""
        organization = self.objects["organization"].key if place == INSIDE else None
        return spec.state_of(facts, self.objects[user].key, organization)

    def assert_effective(self, verdicts: dict[Any, spec.Verdict]) -> None:
        """The effective permissions, which are shown outside, are what is allowed, each by the ways by which it is."""
        for user, api in itertools.product(USERS, SCOPES):
            asked = {"resource_server_identifier": self.identifier(api)}
            response = self.send("GET", "/users/{user}/effective-permissions", Picks(user=user), **asked)
            context = f"{user} {api}: {response.text}"
            if user not in self.model.living:
                assert response.status_code == 404, context
                continue
            assert response.status_code == 200, context
            found = [(one["permission_name"], set(one["sources"])) for one in response.json()["permissions"]]
            reasons = [(scope, verdicts[user, PLATFORM, (api, scope)]) for scope in self.model.scopes(api)]
            assert found == [(scope, _ways(verdict)) for scope, verdict in reasons if verdict.allowed], context

    def assert_tokens(self, facts: list[Row], allowed: dict[Any, bool]) -> None:
        """Who may log in gets what is allowed, and every token, new or old, is good for that and no more."""
        issued = []
        for user, place, api in itertools.product(USERS, PLACES, SCOPES):
            here = {"organization": self.spellings["organization"]} if place == INSIDE else {}
            who = {"realm": CONNECTION, "username": self.emails[user], "password": PASSWORD}
            asked = {"audience": self.identifier(api), "scope": " ".join(SCOPES[api])}
            response = self.browser.grant(grant_type=REALM, **who, **asked, **here)
            context = f"{user} {place} {api}: {response.text}"
            state = self.state(facts, user, place)
            if state is not None:
                assert response.status_code in (401, 403), context
                assert response.json()["error"] == NOT_LET_IN.get(state, "access_denied"), context
                continue
            assert response.status_code == 200, context
            issued.append(self.token(user, place, api, response.json(), allowed))
        for api in SCOPES:
            answer = self.machine.issue(audience=self.identifier(api))
            issued.append(self.token(MACHINE, PLATFORM, api, answer, allowed))
        for token in (*self.tokens, *issued):
            state = None if token.who == MACHINE else self.state(facts, token.who, token.place)
            self.assert_good_for(token, state, allowed)
        self.tokens = issued

    def token(self, who: str, place: str, api: str, answer: dict[str, Any], allowed: dict[Any, bool]) -> Token:
        """A token just issued, whose claims are what is allowed."""
        claims = decoded(answer["access_token"])[1]
        expected = [scope for scope in self.model.scopes(api) if allowed[who, place, (api, scope)]]
        context = f"{who} {place} {api}: {claims}"
        assert sorted(claims["permissions"]) == sorted(expected), context
        assert words(claims.get("scope")) == words(answer.get("scope")) == {*expected}, context
        assert claims.get("org_id") == (self.spellings["organization"] if place == INSIDE else None), context
        return Token(who, place, api, answer["access_token"], expected)

    def assert_good_for(self, token: Token, state: str | None, allowed: dict[Any, bool]) -> None:
        """A token is good for what is left of its scopes, and a user's also says all that is allowed now."""
        client = self.machine if token.who == MACHINE else self.browser
        proof = {"client_id": client.client_id, "client_secret": client.client_secret}
        response = self.tenant.http.post("/oauth/introspect", data={**proof, "token": token.text})
        assert response.status_code == 200, response.text
        found, context = response.json(), f"{token}: {response.text}"
        if state is not None:
            assert found == {"active": False}, context
            return
        held = [scope for scope in self.model.scopes(token.api) if allowed[token.who, token.place, (token.api, scope)]]
        left = [scope for scope in held if scope in token.scopes]
        assert found["active"] is True, context
        assert words(found["scope"]) == {*left}, context
        assert sorted(found["permissions"]) == sorted(left if token.who == MACHINE else held), context

    def assert_lists(self) -> None:
        """Every list of both faces has in it what the model says."""
        for path, listed in LISTS.items():
            for about in _each_named(path):
                response = self.send("GET", path.split()[0], about)
                context = f"{path} {about}: {response.text}"
                if not listed.when(self.model, about):
                    assert response.status_code in (200, 404), context
                    assert response.status_code == 404 or not _items(response.json(), listed.at), context
                    continue
                assert response.status_code == 200, context
                found = [item[listed.key] for item in _items(response.json(), listed.at)]
                expected = [self.id(path, str(name)) for name in listed.expected(self.model, about)]
                assert sorted(found) == sorted(expected), context
        for user in self.model.living & {*USERS}:
            answer = self.send("GET", "/users/{user}/permissions", Picks(user=str(user))).json()
            sources = [
                (one["resource_server_identifier"], one["permission_name"], source["source_id"])
                for one in answer
                for source in one["sources"]
            ]
            expected = [
                (self.identifier(api), scope, self.spellings.get(str(role), ""))
                for (api, scope), role in self.model.sources(str(user))
            ]
            assert sorted(sources) == sorted(expected), f"{user}: {answer}"


def _filled(template: Any, known: dict[str, str]) -> Any:
    """A body with the ids in their places."""
    if isinstance(template, dict):
        return {key: _filled(value, known) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, known) for value in template]
    return template.format(**known) if isinstance(template, str) else template


def _items(answer: Any, at: str) -> list[dict[str, Any]]:
    for member in at.split(".") if at else ():
        answer = answer[member]
    return list(answer)


def _each_named(path: str) -> Iterator[Picks]:
    """Each thing of the one kind that a list's path names."""
    named = [("{user}", USERS), ("{role}", ROLES), ("{group}", GROUPS), ("{policy}", POLICIES)]
    kinds = [(field.strip("{}"), names) for field, names in named if field in path]
    if not kinds:
        yield Picks()
    for field, names in kinds:
        yield from (Picks()._replace(**{field: name}) for name in names)


def _ways(verdict: spec.Verdict) -> set[str]:
    """The ways by which the paths of a verdict go."""
    return {"roles" if any(edge[0] == "role_attachment" for edge in path) else "direct" for *_, path in verdict.because}


# --- the tests ------------------------------------------------------------------------------------------------------


@settings(max_examples=7, derandomize=True)
@example(COMES_BACK, 0.0, 1.0)
@given(histories, st.floats(0, 1), st.floats(0, 1))
def test_after_any_calls_of_both_faces_all_that_they_say_is_so(
    tenant: Tenant, history: list[Step], halfway: float, older: float
) -> None:
    """Once on the way and once at the end; the tokens of the first time are looked at again at the second."""
    story = Story(tenant)
    pause = int(halfway * (len(history) - 1))
    for number, (call, about, is_aimed) in enumerate(history):
        if number == pause:
            story.check(older)
        story.take(call, aimed(story.model, call, about) if is_aimed else about)
    story.check(older)


def test_histories_reach_every_call_and_every_outcome() -> None:
    """The stories are not empty, as the model tells: each call is made and refused, and each right given and denied."""
    dice = random.Random(1)
    taken: Counter[tuple[str, bool]] = Counter()
    outcomes: set[tuple[str, str, Permission, bool]] = set()
    for _ in range(150):
        model = Model()
        for call, about in BEGINNING:
            CALLS[call].then(model, about)
        for _ in range(50):
            call, about = dice.choice(WEIGHTED), Picks(*map(dice.choice, KINDS))
            about = aimed(model, call, about) if dice.random() < 0.5 else about
            is_made = CALLS[call].may(model, about)
            taken[call, is_made] += 1
            if is_made:
                CALLS[call].then(model, about)
        outcomes |= {
            (user, place, one, model.allows(user, one, place))
            for user, place, one in itertools.product(USERS, PLACES, PERMISSIONS)
        }
    always_made = {call for call in CALLS if CALLS[call].may is always}
    assert {(call, True) for call in CALLS} <= taken.keys()
    assert {(call, False) for call in CALLS.keys() - always_made} <= taken.keys()
    assert len(outcomes) == 2 * len(USERS) * len(PLACES) * len(PERMISSIONS)
