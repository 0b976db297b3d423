"""The stage: people, and what they can be given by every door; each write and each question as it is said over HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from api.auth0.answers import application
from api.auth0.logins import USER_GRANTS
from consistency.history import Call
from rescind.model.apis import SYSTEM_API
from tenant import MANAGEMENT, Tenant, pairs, quoted
from world import ROOT_KEY, World, allow, deny, document

Fact = list[Any]
"""As writes say it to the checker: fact, holder, thing, organization, value."""

DOCUMENTS = "https://documents.example.org/"
LISTS = {
    "iam.group.List": ("/v2/groups", "group"),
    "iam.policy.List": ("/v2/policies", "policy"),
    "iam.role.List": ("/v2/roles", "role"),
    "iam.roletrust.List": ("/v2/role-trusts", "roletrust"),
    "iam.invitation.List": ("/v2/invitation", "invitation"),
    "account.billing.Read": ("/v2/account", "account"),
}
"""Calls that need one action without a target: where they go, and the type of what they list."""
BY_GROUP, DIRECT, BY_ROLE, BY_SHELF, BY_TEAM, ALWAYS = LISTS
BY_EDIT, BY_MORTAL = "thing.Edit", "thing.Mortal"
ACTIONS = (*LISTS, BY_EDIT, BY_MORTAL)
"""One for each way to a right, so that whoever loses the one way loses the action."""
SCOPES = ("read:documents", "write:documents")
MANAGING = "read:roles"
ADDING, REMOVING = "iam.group.AddMember", "iam.group.RemoveMember"


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it is sent: what it is to the checker, and then over HTTP."""

    operation: str
    arguments: Mapping[str, Any]
    method: str
    path: str
    body: Any = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Write(Request):
    """A write: `takes` says that somebody can do less after it, `action` what to ask about, `looks` in which ways."""

    takes: bool = False
    action: str = ""
    looks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Somebody:
    """A member with her credentials: an API key, a token for the documents, and one for managing the server."""

    id: str
    public_id: str
    key: str = field(repr=False)
    key_id: str
    reading: str = field(repr=False)
    managing: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one writer changes: a person, and all that gives her something. Writers do not meet but in the database."""

    person: Somebody
    ids: Mapping[str, str]
    tenant_role: str
    team: str


DECIDED = (*["evaluation"] * 6, *["evaluations"] * 3, "search", "explanation")
OUTSIDE = ("introspection", "introspection", "tenant roles")


class Stage:
    """One organization on a running cluster, made through one of its nodes."""

    def __init__(self, url: str, cells: int) -> None:
        with httpx2.Client(base_url=url, timeout=30) as http:
            world, tenant = World(http, ROOT_KEY), Tenant(http)
            self.organization = world.organization()
            tenant.api(*SCOPES, identifier=DOCUMENTS)
            self.app = application(tenant, *USER_GRANTS)
            self.cells = [self._cell(world, tenant, number) for number in range(cells)]
            assert tenant.token is not None
            self.operator = tenant.token

    def _cell(self, world: World, tenant: Tenant, number: int) -> Cell:
        team = f"team {number}"
        of_team = {"StringEquals": {"subject.team": team}}
        ids = {
            "base": world.policy(allow(ALWAYS, "iam.role.AssumeRole")),
            "direct": world.policy(allow(DIRECT)),
            "of role": world.policy(allow(BY_ROLE)),
            "of group": world.policy(allow(BY_GROUP)),
            "of shelf": world.policy(allow(BY_SHELF)),
            "of team": world.policy(allow(BY_TEAM, Condition=of_team)),
            "edited": world.policy(_edited(is_wide=True)),
            "of mortal": world.policy(allow(BY_MORTAL)),
            "never": world.policy(deny("*")),
            "adding": world.policy(allow(ADDING, REMOVING)),
            "group": world.group(),
            "hall": world.group(),
            "crowd": world.group(),
        }
        ids["role"] = world.role(ids["of role"])
        ids["shelf"] = world.role()
        ids["mortal"] = world.role(ids["of mortal"])
        ids["assumed"] = world.role(ids["of group"], role_type="assumable")
        world.attach_policy(ids["of group"], group=ids["group"])
        made = world.person()
        for name in ("base", "of team", "edited", "adding"):
            world.attach_policy(ids[name], user=made.id)
        world.attach_role(ids["shelf"], user=made.id)
        world.attach_role(ids["mortal"], group=ids["crowd"])
        world.post(f"/v2/groups/{ids['crowd']}/members", {"user_id": made.id, "display_name": ""})
        trust = {"role_id": ids["assumed"], "trust_type": "TemporaryAssumption", "trusted_user_id": made.id}
        ids["trust"] = world.post("/v2/role-trusts", {**trust, "conditions": {}})["id"]
        response = world.call("PATCH", f"/v1/principals/{made.id}", {"properties": {"team": team}})
        assert response.status_code == 200, response.text
        tenant_role = tenant.role((DOCUMENTS, SCOPES[0]))
        return Cell(self._somebody(world, tenant, made.id, made.key, made.email), ids, tenant_role, team)

    def _somebody(self, world: World, tenant: Tenant, user: str, key: str, email: str) -> Somebody:
        public = str(tenant.get("/users-by-email", email=email)[0]["user_id"])
        permission = {"permissions": pairs((MANAGEMENT, MANAGING))}
        tenant.send("POST", f"/users/{quoted(public)}/permissions", permission, status=201)
        login = {"grant_type": "password", "username": email, "password": "correct horse"}
        managing = self.app.issue(**login, audience=MANAGEMENT, scope=MANAGING)["access_token"]
        reading = self.app.issue(**login, audience=DOCUMENTS)["access_token"]
        tenant.send("DELETE", f"/users/{quoted(public)}/permissions", permission, status=204)
        keys = world.get(f"/v2/users/{user}/apikeys")["api_keys"]
        return Somebody(user, public, key, keys[0]["id"], reading, managing)

    # --- writes, in pairs: what the first does the second ends --------------------------------------------------------

    def role(self, cell: Cell, expires_at: int | None = None) -> tuple[Write, Write]:
        """A role attached to a member."""
        role = cell.ids["role"]
        edge = self._here("role_attachment", cell.person.id, role)
        path = f"/roles/{role}/users/{cell.person.id}"
        attach: tuple[str, str, Any] = ("POST", f"/v2{path}", None)
        if expires_at is not None:
            attach = ("PUT", f"/v1{path}", {"expires_at": expires_at})
        looks = (*DECIDED, "roles", "own key")
        return self._edge("roles.attach_users", "roles.detach_users", edge, attach, f"/v2{path}", BY_ROLE, looks)

    def policy(self, cell: Cell) -> tuple[Write, Write]:
        """A policy attached to a member."""
        path = f"/v2/policies/{cell.ids['direct']}/users/{cell.person.id}"
        edge = self._here("policy_attachment", cell.person.id, cell.ids["direct"])
        attach = ("POST", path, None)
        return self._edge("policies.attach_user", "policies.detach_user", edge, attach, path, DIRECT)

    def member(self, cell: Cell) -> tuple[Write, Write]:
        """A member in a group that has a policy."""
        path = f"/v2/groups/{cell.ids['group']}/members"
        edge = self._here("group_membership", cell.person.id, cell.ids["group"])
        attach = ("POST", path, {"user_id": cell.person.id, "display_name": ""})
        ends = f"{path}/{cell.person.id}"
        return self._edge("groups.add_member", "groups.remove_member", edge, attach, ends, BY_GROUP)

    def group_role(self, cell: Cell) -> tuple[Write, Write]:
        """A role attached to a group that she is in."""
        path = f"/v2/roles/{cell.ids['role']}/groups/{cell.ids['crowd']}"
        edge = self._here("role_attachment", cell.ids["crowd"], cell.ids["role"])
        looks = (*DECIDED, "roles", "own key")
        return self._edge("roles.attach_group", "roles.detach_group", edge, ("POST", path, None), path, BY_ROLE, looks)

    def shelf(self, cell: Cell) -> tuple[Write, Write]:
        """A policy put into a role that she has."""
        path = f"/v2/roles/{cell.ids['shelf']}/policies/{cell.ids['of shelf']}"
        edge = self._here("policy_attachment", cell.ids["shelf"], cell.ids["of shelf"])
        attach = ("POST", path, None)
        return self._edge("roles.attach_policy", "roles.detach_policy", edge, attach, path, BY_SHELF)

    def denial(self, cell: Cell) -> tuple[Write, Write]:
        """A policy that denies everything, attached to a member: attaching it is what takes away."""
        path = f"/v2/policies/{cell.ids['never']}/users/{cell.person.id}"
        edge = self._here("policy_attachment", cell.person.id, cell.ids["never"])
        attach = ("POST", path, None)
        return self._edge("policies.attach_user", "policies.detach_user", edge, attach, path, ALWAYS, takes_first=True)

    def suspension(self, cell: Cell) -> tuple[Write, Write]:
        """A suspended member."""
        path = f"/v2/organizations/{self.organization}/user/{cell.person.id}"
        state = self._here("suspension", cell.person.id, None)
        looks = (*DECIDED, "own key", "own key")
        return (
            self._write("organizations.suspend_user", "PUT", f"{path}/suspend", [state], [], ALWAYS, looks, takes=True),
            self._write("organizations.unsuspend_user", "PUT", f"{path}/unsuspend", [], [state], ALWAYS, looks),
        )

    def block(self, cell: Cell) -> tuple[Write, Write]:
        """A blocked account."""
        path = f"/api/v2/users/{quoted(cell.person.public_id)}"
        state: Fact = ["block", cell.person.id, None, None, None]
        looks = (*DECIDED, *OUTSIDE, "own key", "own key")
        first, second = (
            Write(
                "accounts.update",
                {"opens": [state] if blocked else [], "closes": [] if blocked else [state]},
                "PATCH",
                path,
                {"blocked": blocked},
                self.operator,
                takes=blocked,
                action=ALWAYS,
                looks=looks,
            )
            for blocked in (True, False)
        )
        return first, second

    def edit(self, cell: Cell) -> tuple[Write, Write]:
        """Another text in a policy that she has."""
        policy = cell.ids["edited"]
        first, second = (
            self._write(
                "policies.update",
                "PUT",
                f"/v2/policies/{policy}",
                [["document", policy, None, None, _edited(is_wide=is_wide)]],
                [],
                BY_EDIT,
                DECIDED,
                body={"policy_document": _edited(is_wide=is_wide)},
                takes=not is_wide,
            )
            for is_wide in (False, True)
        )
        return first, second

    def mortal(self, cell: Cell) -> tuple[Write, Write]:
        """A role that she has by a group, deleted and restored."""
        path, looks = f"/v2/roles/{cell.ids['mortal']}", (*DECIDED, "roles")
        existence: Fact = ["existence", cell.ids["mortal"], None, None, None]
        return (
            self._write("roles.delete", "DELETE", path, [], [existence], BY_MORTAL, looks, takes=True),
            self._write("roles.restore", "PATCH", f"{path}/restore", [existence], [], BY_MORTAL, looks),
        )

    def team(self, cell: Cell) -> tuple[Write, Write]:
        """A stored property that a condition reads."""
        first, second = (
            self._write(
                "properties.update",
                "PATCH",
                f"/v1/principals/{cell.person.id}",
                [["properties", cell.person.id, None, self.organization, {"team": team}]],
                [],
                BY_TEAM,
                (*DECIDED, "own key"),
                body={"properties": {"team": team}},
                takes=team != cell.team,
            )
            for team in ("another", cell.team)
        )
        return first, second

    def tenant_role(self, cell: Cell) -> tuple[Write, Write]:
        """A role outside every organization, the Auth0 way."""
        edge: Fact = ["role_attachment", cell.person.id, cell.tenant_role, None, None]
        path, body = f"/api/v2/users/{quoted(cell.person.public_id)}/roles", {"roles": [cell.tenant_role]}
        return self._outside("roles.attach_users", "roles.detach_users", edge, path, body, OUTSIDE)

    def permission(self, cell: Cell) -> tuple[Write, Write]:
        """A scope of an API, given directly."""
        edge: Fact = ["permission_grant", cell.person.id, f"{DOCUMENTS} {SCOPES[1]}", None, None]
        path = f"/api/v2/users/{quoted(cell.person.public_id)}/permissions"
        body = {"permissions": pairs((DOCUMENTS, SCOPES[1]))}
        names = ("permissions.grant_to_user", "permissions.revoke_from_user")
        return self._outside(*names, edge, path, body, ("introspection",))

    def managing(self, cell: Cell) -> tuple[Write, Write]:
        """A scope of the API that manages the server."""
        edge: Fact = ["permission_grant", cell.person.id, f"{SYSTEM_API} {MANAGING}", None, None]
        path = f"/api/v2/users/{quoted(cell.person.public_id)}/permissions"
        body = {"permissions": pairs((MANAGEMENT, MANAGING))}
        names = ("permissions.grant_to_user", "permissions.revoke_from_user")
        return self._outside(*names, edge, path, body, ("own token",))

    def hall(self, cell: Cell) -> tuple[Write, Write]:
        """A group that gives nothing, which she joins and leaves by her own key: others may take her the right to."""
        hall, person = cell.ids["hall"], cell.person
        edge, path = self._here("group_membership", person.id, hall), f"/v2/groups/{hall}/members"
        by = {"user": person.id, "key": person.key_id, "organization": self.organization, "type": "group", "id": hall}
        joining = {"opens": [edge], "closes": [], "by": {**by, "action": ADDING}}
        leaving = {"opens": [], "closes": [edge], "by": {**by, "action": REMOVING}}
        body = {"user_id": person.id, "display_name": ""}
        return (
            Write("groups.add_member", joining, "POST", path, body, person.key),
            Write("groups.remove_member", leaving, "DELETE", f"{path}/{person.id}", None, person.key),
        )

    # --- other writes -------------------------------------------------------------------------------------------------

    @property
    def taken_at_once(self) -> tuple[Callable[[Cell], tuple[Write, Write]], ...]:
        """What a batch takes."""
        return self.role, self.policy, self.member, self.group_role, self.shelf

    def batch(self, cell: Cell) -> Write:
        """Several things taken in one revision."""
        role, user, crowd = cell.ids["role"], cell.person.id, cell.ids["crowd"]
        arguments: tuple[dict[str, Any], ...] = (
            {"roles": [role], "user": user},
            {"policy": cell.ids["direct"], "user": user},
            {"group": cell.ids["group"], "user": user},
            {"role": role, "group": crowd},
            {"role": cell.ids["shelf"], "policy": cell.ids["of shelf"]},
        )
        taken = [pair(cell)[1] for pair in self.taken_at_once]
        closes = [fact for write in taken for fact in write.arguments["closes"]]
        revocations = [
            {"operation": write.operation, "arguments": said} for write, said in zip(taken, arguments, strict=True)
        ]
        return self._write(
            "revocations.apply",
            "POST",
            "/v1/revocations",
            [],
            closes,
            taken[-1].action,
            ("evaluations", "evaluations", "evaluation", "roles"),
            body={"revocations": revocations},
            takes=True,
        )

    def undo(self, taken: Call, write: Write) -> Write:
        """What brings back what a write took."""
        return Write(
            "undo.undo",
            {"undoes": taken.change},
            "POST",
            f"/v1/changes/{taken.change}/undo",
            None,
            ROOT_KEY,
            action=write.action,
            looks=write.looks,
        )

    def assume(self, cell: Cell) -> Write:
        """A session of an assumed role, opened by the member herself."""
        body = {"role_id": cell.ids["assumed"], "session_name": "soak", "duration": 900}
        return Write("sessions.assume", {}, "POST", "/v2/assumed-roles/assume", body, cell.person.key)

    def end_session(self, session: str) -> Write:
        """Its end."""
        existence = self._here("existence", session, None)
        path = f"/v2/assumed-roles/{session}"
        return self._write("sessions.end", "DELETE", path, [], [existence], "", ("own session",), takes=True)

    def trust(self, cell: Cell) -> tuple[Write, Write]:
        """The trust through which the role is assumed, deleted and restored."""
        path, looks = f"/v2/role-trusts/{cell.ids['trust']}", ("own session",)
        existence: Fact = ["existence", cell.ids["trust"], None, None, None]
        return (
            self._write("trusts.delete", "DELETE", path, [], [existence], "", looks, takes=True),
            self._write("trusts.restore", "PATCH", f"{path}/restore", [existence], [], "", looks),
        )

    # --- questions ----------------------------------------------------------------------------------------------------

    def ask(self, look: str, cell: Cell, action: str, session: tuple[str, str] | None = None) -> Request:
        """A question of that kind about a person; of a session its id and its token."""
        person = cell.person
        of_her = {"user": person.id, "organization": self.organization}
        entity = {"subject": {"type": "user", "id": person.id}, "resource": {"type": "thing", "id": "1"}}
        thing = {"type": "thing", "id": "1"}
        match look:
            case "evaluation" | "explanation":
                path = "/access/v1/evaluation" if look == "evaluation" else "/v1/explain"
                body: Any = {**entity, "action": {"name": action}}
                return Request(look, {**of_her, "action": action, **thing}, "POST", path, body, ROOT_KEY)
            case "evaluations":
                questions = [{"action": one, **thing} for one in ACTIONS]
                body = {**entity, "evaluations": [{"action": {"name": one}} for one in ACTIONS]}
                arguments = {**of_her, "questions": questions}
                return Request(look, arguments, "POST", "/access/v1/evaluations", body, ROOT_KEY)
            case "search":
                body = {**entity, "subject": {"type": "user"}, "action": {"name": action}}
                arguments = {"organization": self.organization, "action": action, **thing}
                return Request(look, arguments, "POST", "/access/v1/search/subject", body, ROOT_KEY)
            case "roles":
                return Request(look, of_her, "GET", f"/v2/users/{person.id}/roles", None, ROOT_KEY)
            case "tenant roles":
                path = f"/api/v2/users/{quoted(person.public_id)}/roles"
                return Request(look, {"user": person.id}, "GET", path, None, self.operator)
            case "introspection":
                body = {"client_id": self.app.client_id, "client_secret": self.app.client_secret}
                arguments = {"user": person.id, "client": self.app.client_id, "api": DOCUMENTS}
                return Request(look, arguments, "POST", "/oauth/introspect", {**body, "token": person.reading})
            case "own token":
                arguments = {"user": person.id, "scope": MANAGING}
                return Request(look, arguments, "GET", "/api/v2/roles", None, person.managing)
            case "own key":
                path, kind = LISTS[action]
                asked = {**of_her, "key": person.key_id, "action": action, "type": kind, "id": ""}
                return Request(look, asked, "GET", path, None, person.key)
            case "own session":
                assert session is not None
                path, kind = LISTS[BY_GROUP]
                asked = {**of_her, "session": session[0], "action": BY_GROUP, "type": kind, "id": ""}
                return Request(look, asked, "GET", path, None, session[1])
            case _:
                raise ValueError(look)

    # --- how writes are said ------------------------------------------------------------------------------------------

    def _here(self, kind: str, holder: str, thing: str | None) -> Fact:
        return [kind, holder, thing, self.organization, None]

    def _write(
        self,
        operation: str,
        method: str,
        path: str,
        opens: list[Fact],
        closes: list[Fact],
        action: str,
        looks: tuple[str, ...],
        *,
        body: Any = None,
        takes: bool = False,
    ) -> Write:
        arguments = {"opens": opens, "closes": closes}
        return Write(operation, arguments, method, path, body, ROOT_KEY, takes, action, looks)

    def _edge(
        self,
        attaching: str,
        detaching: str,
        edge: Fact,
        attach: tuple[str, str, Any],
        ends: str,
        action: str,
        looks: tuple[str, ...] = (*DECIDED, "own key"),
        *,
        takes_first: bool = False,
    ) -> tuple[Write, Write]:
        method, path, body = attach
        return (
            self._write(attaching, method, path, [edge], [], action, looks, body=body, takes=takes_first),
            self._write(detaching, "DELETE", ends, [], [edge], action, looks, takes=not takes_first),
        )

    def _outside(
        self, attaching: str, detaching: str, edge: Fact, path: str, body: Any, looks: tuple[str, ...]
    ) -> tuple[Write, Write]:
        return (
            Write(attaching, {"opens": [edge], "closes": []}, "POST", path, body, self.operator, looks=looks),
            Write(detaching, {"opens": [], "closes": [edge]}, "DELETE", path, body, self.operator, True, looks=looks),
        )


def _edited(*, is_wide: bool) -> dict[str, Any]:
    return document({"Effect": "Allow", "Action": [BY_EDIT if is_wide else "thing.Nothing"], "Resource": ["*"]})
