"""Random histories over every operation of the face: what is decided afterwards is what the specification says.

Calls are made over HTTP, by root and by members, on things that live, that ended and that never were. Every answer is
decoded as strict clients do. Then each member and each session is asked for, at the newest revision and an older one.
"""

import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

import spec
import spec_sessions
from decision.worlds import said
from loopback import Loopback
from rescind.api.exchange import Operation
from rescind.api.vultr.face import OPERATIONS as VULTR
from rescind.api.vultr.sts import OPERATIONS as STS
from rescind.app import application
from rescind.decision.decide import AccessRequest, Decision, decide
from rescind.decision.snapshot import Principal
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.objects import ObjectKind
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.schema import intervals
from rescind.store.verify import verify
from stories.histories import as_specified
from world import World, allow, deny, personal_key, root_of_another

HOME = "203.0.113.7"
ROWS = [*STS, *VULTR]
RESTORE = next(row for row in VULTR if row.handler.__name__ == "restore_organization")
ACTIONS = ("a0", "a1", "iam.role.AssumeRole", "b")
NEVER_WAS = "01890000-0000-7000-8000-000000000000"
POOL_MAX = 8

_emails = itertools.count()
DOCUMENTS = [
    allow("a0", "a1"),
    deny("a1"),
    allow("*"),
    allow("iam.role.AssumeRole", "a1"),
    allow("a1", on="thing:t1", Condition={"IpAddress": {"context.source_ip": HOME}}),
]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"ip_address": ["203.0.113.0/24"]},
    {"ip_address": ["198.51.100.0/24"]},
    {"ip_address": []},
    {"time_of_day": {"start": 0, "end": 24}},
    {"time_of_day": {"days_of_week": ["monday", "tuesday", "wednesday"]}},
    {"time_of_day": None},
]


class Face:
    """An organization of its own, spoken to over HTTP, and the ids of all that is, was or never was in it."""

    def __init__(self, node: Node, client: Loopback) -> None:
        self.node = node
        self.root = World(client, root_of_another(node), node)
        self.root_id = self.root.get("/v2/users")["users"][0]["id"]
        people = [self.root.person() for _ in range(2)]
        self.callers = [self.root, *(self.root.as_(person.key) for person in people)]
        # A key of her own makes keys and founds organizations: the rest of the story happens here all the same.
        self.callers.append(self.root.as_(personal_key(node, self.root.organization(), people[0].id)))
        self.root.attach_policy(self.root.policy(allow("iam.organization.Create")), user=people[0].id)
        policies = [self.root.policy(found) for found in DOCUMENTS[:3]]
        roles = [self.root.role(policies[0]), self.root.role(policies[0], role_type="assumable")]
        groups = [self.root.group(people[0]), self.root.group(people[1])]
        body = {"role_id": roles[1], "trust_type": "TemporaryAssumption", "trusted_user_id": people[0].id}
        trust = self.root.post("/v2/role-trusts", body)["id"]
        self.root.attach_policy(self.root.policy(allow("iam.role.AssumeRole")), user=people[0].id)
        self.pools: dict[str, list[str]] = {
            "organization_id": [self.root.organization()],
            "user_id": [person.id for person in people],
            "group_id": groups,
            "role_id": roles,
            "policy_id": policies,
            "trust_id": [trust],
            "invitation_id": [self.root.post("/v2/invitation", {"email_invited": "guest@example.org"})["id"]],
            "key_id": [found["id"] for found in self.root.get(f"/v2/users/{people[0].id}/apikeys")["api_keys"]],
            "session_id": [
                self.callers[1].post("/v2/assumed-roles/assume", {"role_id": roles[1], "session_name": "n"})["id"]
            ],
        }
        self.has_ended = False
        self.pools["member_id"] = self.pools["user_id"]
        self.first = self.revision

    @property
    def revision(self) -> int:
        return self.node.freshness.now().revision

    def pick(self, name: str, number: int) -> str:
        """One of a kind; seldom what never was."""
        pool = self.pools[name]
        return NEVER_WAS if not pool or number % 17 == 16 else pool[number % len(pool)]

    def take(self, row: Operation, caller: int, numbers: list[int]) -> int:
        """Make one call, remember what it made, and return its status: a fault is never one."""
        if self.has_ended and numbers[0] % 2:
            # Else the story would end here: nobody acts in an ended organization.
            row, caller = RESTORE, 0
        dice = itertools.cycle(numbers)
        path = re.sub(r"\{(\w+)\}", lambda found: self.pick(found[1], next(dice)), row.path)
        name = row.handler.__name__
        path += "?subnet=0.0.0.0&subnet_size=0" if name == "get_allow_list_entry" else ""
        sent = BODIES[name](self, lambda: next(dice)) if name in BODIES else None
        options: dict[str, Any] = {"content": urlencode(sent)} if row in STS else {}
        body = None if row in STS else sent
        response = self.callers[caller].call(row.method, path, body, **options)
        assert response.status_code < 500, response.text
        if response.is_success and name in ("delete_organization", "restore_organization"):
            self.has_ended = name == "delete_organization"
        if response.is_success and name in MAKES and response.content:
            self._remember(name, response.json())
        return int(response.status_code)

    def _remember(self, name: str, answer: dict[str, Any]) -> None:
        pool, member = MAKES[name]
        made = answer.get(member, answer) if member else answer
        self.pools[pool].append(made["session_token" if pool == "session_id" else "id"])
        # The oldest stay: they are what much hangs on.
        del self.pools[pool][2 : max(2, len(self.pools[pool]) - POOL_MAX + 2)]

    # --- what is decided ----------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Every interval of this organization and of the platform, as the specification reads it."""
        with self.node.store.snapshot() as connection:
            organization = self.key(ObjectKind.ORGANIZATION, self.pools["organization_id"][0])
            here = (intervals.c.holder >= organization) | (intervals.c.holder < 40)
            return [as_specified(row) for row in connection.execute(sa.select(intervals).where(here))]

    def key(self, kind: ObjectKind, identifier: str) -> int:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            found = reader.find_object(kind, identifier)
        assert found is not None
        return found.key

    def decide(self, asked: dict[str, Any], revision: int, instant: int) -> Decision:
        """What the product decides for a user or a session, loaded from the store as of a revision."""
        subject: dict[str, Any] = {"type": "user", "id": asked["user"]}
        session = asked.get("session", 0)
        if session:
            subject = {"type": "session", "id": session, "user": subject}
        attributes = {
            "subject": subject,
            "resource": asked["resource"],
            "action": {"name": asked["action"]},
            "context": asked["context"],
        }
        with self.node.store.reading(revision, instant) as reader:
            principal = principal_of(reader, asked["user"], asked["organization"])
            principal = Principal(principal.user, principal.organization, principal.membership, session)
            return decide(AccessRequest(asked["action"], "thing", "t1", attributes), snapshot_of(reader, principal))

    def questions(self, rows: list[dict[str, Any]], revision: int) -> Iterator[dict[str, Any]]:
        """Each member, and each session of somebody who is a member by the membership that opened it."""
        organization = self.key(ObjectKind.ORGANIZATION, self.pools["organization_id"][0])
        asked = {
            "organization": organization,
            "resource": {"type": "thing", "id": "t1"},
            "subject": {"user": {}},
            "context": {"source_ip": HOME},
            "action_properties": {},
        }
        born = {row["holder"]: row for row in rows if row["kind"] == "existence"}
        users = {row["thing"] for row in rows if row["kind"] == "existence" and row["scope"] == organization}
        for user in users & {self.key(ObjectKind.USER, found) for found in self.pools["user_id"]}:
            for action in ACTIONS:
                yield {**asked, "user": user, "action": action}
        facts = spec.facts_at(rows, revision, self.node.freshness.now().instant)
        for session in {row["holder"] for row in rows if row["kind"] == "assumption"}:
            membership = born[session]["thing"]
            user = born[membership]["thing"]
            if spec.membership_of(facts, user, organization) in (None, membership):
                for action in ACTIONS:
                    yield {**asked, "user": user, "session": session, "action": action}


def trust_body(face: Face, dice: Callable[[], int], **more: Any) -> dict[str, Any]:
    party = dice() % 3
    body = {
        **more,
        "conditions": CONDITIONS[dice() % len(CONDITIONS)],
        "trust_type": ["TemporaryAssumption", "IAMAssumption"][dice() % 2],
    }
    if party != 1:
        body["trusted_user_id"] = face.pick("user_id", dice())
    if party != 0:
        body["trusted_group_id"] = face.pick("group_id", dice())
    return body


BODIES: dict[str, Callable[[Face, Callable[[], int]], Any]] = {
    "assume_role_as_aws": lambda f, d: {
        "Action": "AssumeRole",
        "RoleArn": f.pick("role_id", d()),
        "RoleSessionName": "n",
    },
    "create_organization": lambda _, __: {"name": "n"},
    "update_organization": lambda _, __: {"name": "n"},
    "create_invitation": lambda _, __: {"email_invited": f"guest{next(_emails)}@example.org"},
    "create_user": lambda _, d: {
        "name": "n",
        "email": f"made{next(_emails)}@example.org",
        "service_user": True,
        "acls": [["dns"], ["manage_users"], []][d() % 3],
    },
    "update_user": lambda _, d: [
        {"acls": ["dns"]},
        {"acls": []},
        {"acls": ["manage_users"]},
        {"api_enabled": d() % 2 == 0},
    ][d() % 4],
    "add_allow_list_entry": lambda _, d: {"subnet": "203.0.113.0", "subnet_size": 24 + d() % 2},
    "remove_allow_list_entry": lambda _, d: {"subnet": ["203.0.113.0", "::"][d() % 2], "subnet_size": [24, 0][d() % 2]},
    "create_user_key": lambda _, __: {"name": "n"},
    "create_own_key": lambda _, __: {"name": "n"},
    "create_group": lambda _, __: {"display_name": "n"},
    "update_group": lambda _, __: {"display_name": "n"},
    "add_group_member": lambda f, d: {"user_id": f.pick("user_id", d())},
    "create_role": lambda _, d: {"name": "n", "role_type": ["assignable", "assumable"][d() % 2]},
    "update_role": lambda _, d: {"role_type": ["assignable", "assumable"][d() % 2]},
    "attach_named_role_policy": lambda f, d: {"policy_id": f.pick("policy_id", d())},
    "create_policy": lambda _, d: {"name": "n", "policy_document": DOCUMENTS[d() % len(DOCUMENTS)]},
    "update_policy": lambda _, d: {"policy_document": DOCUMENTS[d() % len(DOCUMENTS)]},
    "create_trust": lambda f, d: trust_body(f, d, role_id=f.pick("role_id", d())),
    "update_trust": trust_body,
    "assume_role": lambda f, d: {"role_id": f.pick("role_id", d()), "session_name": "n", "duration": 900},
}
MAKES = {
    "create_invitation": ("invitation_id", ""),
    "create_user": ("user_id", "user"),
    "create_user_key": ("key_id", "api_key"),
    "create_group": ("group_id", ""),
    "create_role": ("role_id", ""),
    "create_policy": ("policy_id", ""),
    "create_trust": ("trust_id", ""),
    "assume_role": ("session_id", ""),
}

# What makes sessions, and what gives and takes, more often than the rest.
OFTEN = ("assume_role", "attach_", "add_group_member", "detach_", "update_trust", "restore_", "unsuspend")
weighted = [*ROWS, *[row for row in ROWS if row.handler.__name__.startswith(OFTEN)] * 3]
calls = st.lists(
    st.tuples(
        st.sampled_from(weighted),
        st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
        st.lists(st.integers(0, 40), min_size=5, max_size=5),
    ),
    min_size=10,
    max_size=40,
)


@pytest.fixture(params=["sqlite", "postgres"], scope="module")
def make_face(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Callable[[], Face]]:
    """Faces side by side on one node, on each kind of database; at the end the log proves the tables."""
    node = build(Settings(database=make_database(request.param)))
    with Loopback(application(node), raise_server_exceptions=False, client=(HOME, 50000)) as client:
        yield lambda: Face(node, client)
    assert not verify(node.store).differences
    node.store.close()


def assert_as_specified(face: Face, revision: int) -> Counter[str]:
    """Every decision is the specification's; the reasons are returned by how often they were given."""
    rows, now = face.rows(), face.node.freshness.now()
    reasons: Counter[str] = Counter()
    for asked in face.questions(rows, revision):
        judge = spec_sessions.decide_session if "session" in asked else spec.decide
        expected = judge(rows, asked, revision, now.instant)
        assert said(face.decide(asked, revision, now.instant)) == tuple(expected), asked
        reasons[expected.reason] += 1
    return reasons


@settings(max_examples=25)
@given(calls, st.integers(0, 100))
def test_after_any_calls_the_product_is_the_specification(
    make_face: Callable[[], Face], taken: list[tuple[Operation, int, list[int]]], older: int
) -> None:
    """Now, and at any older revision of the story."""
    face = make_face()
    for row, caller, numbers in taken:
        face.take(row, caller, numbers)
    assert_as_specified(face, face.revision)
    assert_as_specified(face, face.first + (face.revision - face.first) * older // 100)


def test_histories_reach_every_operation_and_every_reason(make_face: Callable[[], Face]) -> None:
    """The stories are not empty: in a few fixed ones every call of the face succeeds and every reason is given."""
    succeeded: set[str] = set()
    reasons: Counter[str] = Counter()
    for seed in range(3):
        face, dice = make_face(), random.Random(seed)
        for conditions in (CONDITIONS[2], {"ip_address": None}):
            face.root.call("PUT", f"/v2/role-trusts/{face.pools['trust_id'][0]}", {"conditions": conditions})
            reasons += assert_as_specified(face, face.revision)
        for step in range(250):
            # What never succeeded yet is tried most.
            left = [row for row in ROWS if row.name not in succeeded]
            row = dice.choice(left if left and dice.random() < 0.7 else weighted)
            name = row.handler.__name__
            caller = {"create_organization": 3, "assume_role_as_aws": 1}.get(name, dice.choice([0, 0, 1]))
            if face.take(row, caller, [dice.randrange(40) for _ in range(5)]) < 300:
                succeeded.add(row.name)
                if name in ("suspend_organization_user", "update_trust") or step % 20 == 0:
                    reasons += assert_as_specified(face, face.revision)
    assert {row.name for row in ROWS} - succeeded == set()
    given = {"allowed", "explicit_deny", "implicit_deny", "session_ended", "outside_terms", "not_a_member", "suspended"}
    assert given - reasons.keys() == set()
