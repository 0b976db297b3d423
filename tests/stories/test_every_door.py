"""Random histories through every door: decisions, reasons, searches and the specification agree after each step.

Both dialects, `/v1`, batches, undo, the command line and time itself change one small organization. Then the decision
API, the explanation, what somebody has, who could, and the three searches are held against the specification over the
facts in the database: now, and for what somebody had, at an older revision.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

import spec
from rescind.cli import main
from rescind.engine.decisions import Question
from rescind.engine.freshness import Moment
from rescind.store.schema import intervals
from rescind.usecases.questions import weigh
from stories.histories import Row, as_specified
from tenant import Tenant
from world import World, allow, deny, document, root_of_another

USERS, GROUPS, ROLES = ("ann", "bob", "cyd"), ("red", "blue"), ("crew", "reader")
ACTIONS, DOCUMENTS = ("doc.read", "doc.write"), ("1", "2")
CONTEXTS: tuple[dict[str, Any], ...] = ({}, {"mfa": True}, {"mfa": "odd", "hour": [1]})
TEN_MINUTES = 600_000_000
POLICIES = {
    "wide": allow("doc.*", on="doc:*"),
    "careful": allow("doc.read", on="doc:1", Condition={"Bool": {"context.mfa": "true"}}),
    "never": deny("doc.write", on="doc:1"),
    "own": allow("*", on="doc:*", Condition={"StringEquals": {"subject.team": "blue", "resource.owner": "blue"}}),
    "odd": document(
        {"Effect": "Allow", "Action": "doc.write", "Resource": "doc:2"},
        {"Effect": "Deny", "Action": "doc.*", "Resource": "*", "Condition": {"Bool": {"context.mfa": "false"}}},
    ),
}

users, groups, roles, policies = (st.sampled_from(names) for names in (USERS, GROUPS, ROLES, tuple(POLICIES)))
ends = st.sampled_from([None, 1, 2, 5])
teams = st.sampled_from(["blue", "red", None])


def step(name: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), *parts)


STEPS = st.one_of(
    step("role to user", roles, users),
    step("role to user", roles, users),
    step("role to group", roles, groups),
    step("policy to user", policies, users),
    step("policy to group", policies, groups),
    step("policy to role", policies),
    step("join", groups, users),
    step("join", groups, users),
    step("role from user", roles, users),
    step("role from group", roles, groups),
    step("policy from user", policies, users),
    step("policy from role", policies),
    step("leave", groups, users),
    step("tenant role to member", users),
    step("tenant roles from member", users),
    step("role until", roles, users, ends),
    step("policy until", policies, groups, ends),
    step("join until", groups, users, ends),
    step("suspend", users),
    step("unsuspend", users),
    step("block", users, st.booleans()),
    step("remove", users),
    step("end", st.sampled_from(["crew", "red", "wide"])),
    step("restore", st.sampled_from(["crew", "red", "wide"])),
    step("edit", policies, policies),
    step("revoke many", users),
    step("undo", st.integers(0, 5)),
    step("team", users, teams),
    step("owner", st.sampled_from(DOCUMENTS), teams),
    step("wait", st.integers(1, 3)),
    step("command", roles, users),
)

GONE: list[tuple[Any, ...]] = [
    ("policy to role", "wide"),
    ("role until", "crew", "ann", 2),
    ("join", "red", "ann"),
    ("policy until", "careful", "red", 1),
    ("remove", "ann"),
    ("undo", 0),
    ("wait", 1),
    ("wait", 2),
]


class Story:
    """One organization on the tenant's node, and every door to it."""

    def __init__(self, tenant: Tenant) -> None:
        assert tenant.node is not None
        self.node, self.tenant = tenant.node, tenant
        self.world = World(tenant.http, root_of_another(self.node), self.node)
        self.organization = self.world.organization()
        world = self.world
        self.ids = {name: world.person().id for name in USERS}
        self.ids |= {name: world.group(name=name) for name in GROUPS}
        self.ids |= {name: world.policy(said, name=name) for name, said in POLICIES.items()}
        self.ids["crew"] = world.role(name="crew")
        reader = tenant.role()
        self.ids |= {"reader": self._uuid(reader)}
        self.public = {"reader": reader, "organization": self._public(self.organization)}
        self.public |= {name: self._public(self.ids[name]) for name in USERS}
        for name in DOCUMENTS:
            self.v1("PUT", f"/resources/doc/{name}", {"properties": {}})
        self.changes: list[int] = []
        self.past: list[tuple[int, int]] = []

    def _uuid(self, public: str) -> str:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            found = reader.find_named("public_id", public)
            assert found is not None
            return found.id

    def _public(self, identifier: str) -> str:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            found = reader.find_objects([identifier])[identifier]
            return reader.profiles([found.key])[found.key]["public_id"]

    def v1(self, method: str, path: str, body: Any = None) -> Any:
        response = self.world.call(method, f"/v1{path}", body)
        assert response.status_code < 500, f"{method} {path}: {response.text}"
        return response

    # --- steps --------------------------------------------------------------------------------------------------------

    def take(self, name: str, *about: Any) -> None:
        """One step. It may be refused, and then nothing has changed; never does it fail."""
        call = STEPS_BY_NAME[name]
        response = call(self, *about)
        if response is not None:
            assert response.status_code < 500, f"{name} {about}: {response.text}"
            if "rescind-change" in response.headers:
                self.changes.append(int(response.headers["rescind-change"].rpartition("/")[2]))
        now = self.node.freshness.now()
        self.past.append((now.revision, now.instant))

    def v2(self, method: str, path: str, body: Any = None) -> Any:
        return self.world.call(method, f"/v2{path.format(**self.ids, organization=self.organization)}", body)

    def until(self, path: str, minutes: int | None) -> Any:
        at = None if minutes is None else self.node.freshness.now().instant + minutes * TEN_MINUTES
        return self.v1("PUT", path.format(**self.ids), {"expires_at": at})

    def wait(self, times: int) -> None:
        """Time passes, for this node: it never runs backwards."""
        self.node.freshness._instant = self.node.freshness.now().instant + times * TEN_MINUTES

    def undo(self, back: int) -> Any:
        if self.changes:
            revision = self.changes[max(0, len(self.changes) - 1 - back)]
            return self.v1("POST", f"/changes/{revision}/undo")
        return None

    def command(self, role: str, user: str) -> None:
        """The operator takes a role away at the terminal."""
        arguments = ["revoke", "roles.detach_users", f"roles={self.ids[role]}", f"user={self.ids[user]}"]
        options = ["--organization", self.organization, "--database", self.node.settings.database, "--yes", "--json"]
        CliRunner().invoke(main, [*arguments, *options], catch_exceptions=False)

    def revoke_many(self, user: str) -> Any:
        taken = [
            {"operation": "policies.detach_user", "arguments": {"policy": self.ids[name], "user": self.ids[user]}}
            for name in POLICIES
        ]
        taken += [
            {"operation": "groups.remove_member", "arguments": {"group": self.ids[name], "user": self.ids[user]}}
            for name in GROUPS
        ]
        return self.v1("POST", "/revocations", {"revocations": taken})

    def auth0(self, method: str, path: str, body: Any) -> Any:
        return self.tenant.call(method, path.format(**self.public), body)

    # --- what must be so ----------------------------------------------------------------------------------------------

    def check(self, older: float) -> None:
        """Every way to ask says what the specification says."""
        rows, now = self.rows(), self.node.freshness.now()
        allowed = {asked: self.specified(rows, asked, now.revision, now.instant) for asked in QUESTIONS}
        self.assert_decided(allowed)
        self.assert_explained(spec.facts_at(rows, now.revision, now.instant), allowed)
        self.assert_searched(allowed)
        for user in USERS:
            self.assert_had(rows, user, now.revision, now.instant, at="")
        revision, _ = self.past[int(older * (len(self.past) - 1))]
        if revision != now.revision:
            time = self.time_of(revision)
            self.assert_weighed(
                Moment(revision, time), QUESTIONS[::5], lambda asked: self.specified(rows, asked, revision, time)
            )
            for user in USERS:
                self.assert_had(rows, user, revision, time, at=str(revision))

    def rows(self) -> list[Row]:
        with self.node.store.snapshot() as connection:
            return [as_specified(row) for row in connection.execute(sa.select(intervals))]

    def key(self, identifier: str) -> int:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            return reader.find_objects([identifier])[identifier].key

    def time_of(self, revision: int) -> int:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            return reader.origins([revision])[revision][0]

    def stored(self, rows: list[Row], holder: int | None, revision: int, instant: int) -> dict[str, Any]:
        held = spec.held(spec.facts_at(rows, revision, instant), "properties", holder)
        return dict(json.loads(held[0]["value"])) if held else {}

    def specified(self, rows: list[Row], asked: tuple[Any, ...], revision: int, instant: int) -> spec.Verdict:
        user, action, resource, context = asked
        key, organization = self.key(self.ids[user]), self.key(self.organization)
        facts = spec.facts_at(rows, revision, instant)
        membership = spec.membership_of(facts, key, organization)
        found = [row["holder"] for row in facts if row["kind"] == "existence" and row["thing"] == organization]
        named = {name: holder for holder in found for name in [self.resource_name(holder)] if name}
        return spec.decide(
            rows,
            {
                "user": key,
                "organization": organization,
                "action": action,
                "resource": {
                    **self.stored(rows, named.get(resource), revision, instant),
                    "type": "doc",
                    "id": resource,
                },
                "subject": self.stored(rows, membership, revision, instant) if membership else {},
                "context": CONTEXTS[context],
                "action_properties": {},
            },
            revision,
            instant,
        )

    def resource_name(self, holder: int) -> str | None:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            field = reader.profiles([holder])[holder].get("resource")
        return field.rpartition(":")[2] if field else None

    def asked(self, user: str, action: str, resource: str, context: int) -> dict[str, Any]:
        return {
            "subject": {"type": "user", "id": self.ids[user]},
            "action": {"name": action},
            "resource": {"type": "doc", "id": resource},
            "context": CONTEXTS[context],
        }

    def assert_decided(self, allowed: dict[Any, spec.Verdict]) -> None:
        """The decision API, singly and by the batch, and the decision itself."""
        sent = {"evaluations": [self.asked(*asked) for asked in QUESTIONS]}
        answer = self.world.call("POST", "/access/v1/evaluations", sent)
        assert answer.status_code == 200, answer.text
        found = [one["decision"] for one in answer.json()["evaluations"]]
        assert found == [allowed[asked].allowed for asked in QUESTIONS]
        self.assert_weighed(self.node.freshness.now(), QUESTIONS[::5], lambda asked: allowed[asked])

    def assert_weighed(
        self, moment: Moment, questions: list[Any], specified: Callable[[tuple[Any, ...]], spec.Verdict]
    ) -> None:
        """The decision itself, as of any moment."""
        organization = self.key(self.organization)
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            for asked in questions:
                user, action, resource, context = asked
                question = Question(
                    organization, "user", self.ids[user], action, "doc", resource, context=CONTEXTS[context]
                )
                weighed = weigh(reader, question)
                assert (weighed is not None and weighed.decision.allowed) == specified(asked).allowed, asked

    def assert_explained(self, facts: list[Row], allowed: dict[Any, spec.Verdict]) -> None:
        """The explanation falls as the decision does, by the same statements and paths."""
        for asked in QUESTIONS[::7]:
            answer = self.v1("POST", "/explain", self.asked(*asked))
            assert answer.status_code == 200, answer.text
            said, verdict = answer.json(), allowed[asked]
            # Who is no member is nobody here, whatever is so of her account.
            is_member = spec.membership_of(facts, self.key(self.ids[asked[0]]), self.key(self.organization)) is not None
            reason = verdict.reason if is_member else "unknown_subject"
            assert (said["decision"], said["reason"]) == (verdict.allowed, reason), asked
            assert self.grounds(said["statements"]) == self.specified_grounds(verdict.because)
            assert bool(said["ends_with"]) == verdict.allowed

    def assert_searched(self, allowed: dict[Any, spec.Verdict]) -> None:
        """The searches find exactly what is allowed, and who could is everybody who is, and more."""
        for action, resource, context in itertools.product(ACTIONS, DOCUMENTS, range(len(CONTEXTS))):
            asked = self.asked("ann", action, resource, context)
            may = {self.ids[user] for user in USERS if allowed[user, action, resource, context].allowed}
            found = self.search("subject", {**asked, "subject": {"type": "user"}}, "id")
            assert found & {*map(self.ids.get, USERS)} == may, (action, resource, context)
            who = self.v1("POST", "/who-can", {**asked, "subject": {"type": "user"}}).json()["results"]
            assert {one["id"] for one in who} >= may
            always = {one["id"] for one in who if one["when"] == "always"} & {*map(self.ids.get, USERS)}
            assert always <= may
        for user, context in itertools.product(USERS, range(len(CONTEXTS))):
            asked = self.asked(user, "doc.read", "1", context)
            on = {name for name in DOCUMENTS if allowed[user, "doc.read", name, context].allowed}
            assert self.search("resource", {**asked, "resource": {"type": "doc"}}, "id") & {*DOCUMENTS} == on
            may = {action for action in ACTIONS if allowed[user, action, "1", context].allowed}
            named = {key: value for key, value in asked.items() if key != "action"}
            # An action that no policy of hers names is not known to be one.
            assert self.search("action", named, "name") & {*ACTIONS} <= may

    def search(self, kind: str, asked: dict[str, Any], member: str) -> set[str]:
        answer = self.world.call("POST", f"/access/v1/search/{kind}", asked)
        assert answer.status_code == 200, answer.text
        return {one[member] for one in answer.json()["results"]}

    def assert_had(self, rows: list[Row], user: str, revision: int, instant: int, at: str) -> None:
        """What somebody has, or had, is what reaches her by the specification."""
        answer = self.world.call("GET", f"/v1/principals/{self.ids[user]}/access", params={"at": at} if at else None)
        key, organization = self.key(self.ids[user]), self.key(self.organization)
        facts = spec.facts_at(rows, revision, instant)
        if spec.membership_of(facts, key, organization) is None:
            assert answer.status_code == 404, answer.text
            return
        assert answer.status_code == 200, answer.text
        reaching = spec.reaching(rows, key, organization, revision, instant)
        expected = {
            (policy, index, path)
            for policy, path in reaching
            for index, _ in enumerate(spec.statements_of(facts, policy))
        }
        assert self.grounds(answer.json()["permissions"]) == self.specified_grounds(expected)
        assert answer.json()["state"] == spec.state_of(facts, key, organization)

    def grounds(self, statements: list[dict[str, Any]]) -> set[Any]:
        return {
            (said["policy"]["id"], said["index"], tuple((step["edge"], step["id"]) for step in path))
            for said in statements
            for path in said["paths"]
        }

    def specified_grounds(self, because: Any) -> set[Any]:
        keys = {key for policy, _, path in because for key in (policy, *(place[2] for place in path))}
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            ids = {key: found.id for key, found in reader.objects(keys).items()}
        return {
            (ids[policy], index, tuple((kind, ids[thing]) for kind, _, thing, _ in path))
            for policy, index, path in because
        }


QUESTIONS = list(itertools.product(USERS, ACTIONS, DOCUMENTS, range(len(CONTEXTS))))

STEPS_BY_NAME: dict[str, Any] = {
    "role to user": lambda s, role, user: s.v2("POST", f"/roles/{{{role}}}/users/{{{user}}}"),
    "role to group": lambda s, role, group: s.v2("POST", f"/roles/{{{role}}}/groups/{{{group}}}"),
    "policy to user": lambda s, policy, user: s.v2("POST", f"/policies/{{{policy}}}/users/{{{user}}}"),
    "policy to group": lambda s, policy, group: s.v2("POST", f"/policies/{{{policy}}}/groups/{{{group}}}"),
    "policy to role": lambda s, policy: s.v2("POST", f"/roles/{{crew}}/policies/{{{policy}}}"),
    "join": lambda s, group, user: s.v2("POST", f"/groups/{{{group}}}/members", {"user_id": s.ids[user]}),
    "role from user": lambda s, role, user: s.v2("DELETE", f"/roles/{{{role}}}/users/{{{user}}}"),
    "role from group": lambda s, role, group: s.v2("DELETE", f"/roles/{{{role}}}/groups/{{{group}}}"),
    "policy from user": lambda s, policy, user: s.v2("DELETE", f"/policies/{{{policy}}}/users/{{{user}}}"),
    "policy from role": lambda s, policy: s.v2("DELETE", f"/roles/{{crew}}/policies/{{{policy}}}"),
    "leave": lambda s, group, user: s.v2("DELETE", f"/groups/{{{group}}}/members/{{{user}}}"),
    "tenant role to member": lambda s, user: s.auth0(
        "POST", f"/organizations/{{organization}}/members/{{{user}}}/roles", {"roles": [s.public["reader"]]}
    ),
    "tenant roles from member": lambda s, user: s.auth0(
        "DELETE", f"/organizations/{{organization}}/members/{{{user}}}/roles", {"roles": [s.public["reader"]]}
    ),
    "role until": lambda s, role, user, end: s.until(f"/roles/{{{role}}}/users/{{{user}}}", end),
    "policy until": lambda s, policy, group, end: s.until(f"/policies/{{{policy}}}/groups/{{{group}}}", end),
    "join until": lambda s, group, user, end: s.until(f"/groups/{{{group}}}/members/{{{user}}}", end),
    "suspend": lambda s, user: s.v2("PUT", f"/organizations/{{organization}}/user/{{{user}}}/suspend"),
    "unsuspend": lambda s, user: s.v2("PUT", f"/organizations/{{organization}}/user/{{{user}}}/unsuspend"),
    "block": lambda s, user, blocked: s.auth0("PATCH", f"/users/{{{user}}}", {"blocked": blocked}),
    "remove": lambda s, user: s.v2("DELETE", f"/organizations/{{organization}}/user/{{{user}}}"),
    "end": lambda s, name: s.v2("DELETE", f"/{PLURALS[name]}/{{{name}}}"),
    "restore": lambda s, name: (
        s.v1("POST", f"/groups/{s.ids[name]}/restore")
        if name == "red"
        else s.v2("PATCH", f"/{PLURALS[name]}/{{{name}}}/restore")
    ),
    "edit": lambda s, policy, other: s.v2(
        "PUT", f"/policies/{{{policy}}}?drop_conditions=true", {"name": policy, "policy_document": POLICIES[other]}
    ),
    "revoke many": Story.revoke_many,
    "undo": Story.undo,
    "team": lambda s, user, team: s.v1("PATCH", f"/principals/{s.ids[user]}", {"properties": {"team": team}}),
    "owner": lambda s, name, team: s.v1("PUT", f"/resources/doc/{name}", {"properties": {"owner": team}}),
    "wait": Story.wait,
    "command": Story.command,
}
PLURALS = {"crew": "roles", "red": "groups", "wide": "policies"}


@settings(max_examples=8, derandomize=True)
@example(GONE, 0.5)
@given(st.lists(STEPS, min_size=8, max_size=25), st.floats(0, 1))
def test_after_any_steps_through_any_door_everything_that_can_be_asked_agrees(
    tenant: Tenant, steps: list[tuple[Any, ...]], older: float
) -> None:
    story = Story(tenant)
    for name, *about in steps:
        note(f"{name} {about}")
        story.take(name, *about)
        story.check(older)


def test_every_step_is_one_that_stories_take(small_tenant: Tenant) -> None:
    """And each of them works where there is something to do."""
    story = Story(small_tenant)
    taken = {
        "role to user": ("crew", "ann"),
        "role to group": ("crew", "red"),
        "policy to user": ("wide", "ann"),
        "policy to group": ("own", "red"),
        "policy to role": ("never",),
        "join": ("red", "ann"),
        "tenant role to member": ("bob",),
        "role until": ("crew", "bob", 2),
        "policy until": ("careful", "blue", 1),
        "join until": ("blue", "bob", None),
        "team": ("ann", "blue"),
        "owner": ("1", "blue"),
        "suspend": ("ann",),
        "unsuspend": ("ann",),
        "block": ("cyd", True),
        "edit": ("careful", "odd"),
        "undo": (0,),
        "command": ("crew", "bob"),
        "role from user": ("crew", "ann"),
        "role from group": ("crew", "red"),
        "policy from user": ("wide", "ann"),
        "policy from role": ("never",),
        "leave": ("red", "ann"),
        "tenant roles from member": ("bob",),
        "revoke many": ("bob",),
        "end": ("crew",),
        "restore": ("crew",),
        "remove": ("ann",),
        "wait": (1,),
    }
    assert taken.keys() == STEPS_BY_NAME.keys()
    for name, about in taken.items():
        before = story.node.freshness.now()
        story.take(name, *about)
        after = story.node.freshness.now()
        assert after.revision > before.revision or (name == "wait" and after.instant > before.instant), name
    story.check(0.5)
