"""The engine answers what the facts say at the same revision and instant, whatever was written, on any node."""

import contextlib
import itertools
import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import spec
from rescind.decision.decide import AccessRequest, decide
from rescind.engine import pulse
from rescind.engine.decisions import FORESEEN_MAX, Decisions, Question, attributes_of, stored_of
from rescind.engine.kept import Kept
from rescind.model.apis import RESOURCE_TYPE, GrantTerms
from rescind.model.errors import Refusal, Unavailable
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.node import build
from rescind.settings import Settings
from rescind.store import sql
from rescind.store.database import DatabaseReader
from rescind.store.schema import intervals
from rescind.usecases import (
    accounts,
    apis,
    client_grants,
    clients,
    groups,
    keys,
    organizations,
    permissions,
    platform,
    policies,
    properties,
    resources,
    roles,
    trusts,
    users,
)
from rescind.usecases.clients import FirstClient
from rescind.usecases.questions import resource_of, weigh
from rescind.usecases.unit import Unit
from stories.histories import as_specified

API, SCOPES = "urn:x", ("read", "read:*")
MINUTE = 60_000_000
HOME = {"source_ip": "192.0.2.1", "place": "home"}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "read": {"Effect": "Allow", "Action": "a.read", "Resource": "thing:*"},
    "home": {
        "Effect": "Allow",
        "Action": ["a.write"],
        "Resource": "*",
        "Condition": {"StringEquals": {"context.place": "home"}},
    },
    "low": {
        "Effect": "Allow",
        "Action": "a.own",
        "Resource": ["thing:t1", "t2"],
        "Condition": {"NumericLessThan": {"resource.level": 3}},
    },
    "vip": {
        "Effect": "Allow",
        "Action": "a.vip",
        "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"subject.rank": "vip"}, "Null": {"subject.rank": "false"}},
    },
    "deny": {"Effect": "Deny", "Action": "*", "Resource": ["thing:t2", "resource_server:*"]},
    "assume": {"Effect": "Allow", "Action": "iam.role.AssumeRole", "Resource": "role:*"},
}
ASKED = [
    *itertools.product(("a.read", "a.write", "a.own", "a.vip"), [("thing", "t1"), ("thing", "t2")], ({}, HOME)),
    ("a.read", ("thing", ""), {}),
    ("a.read", ("other", "t1"), {}),
    *((scope, (RESOURCE_TYPE, API), {}) for scope in SCOPES),
]
Name = tuple[int, str, str]
"""A scope, by key, and the type and name of who is asked about."""
Answers = dict[tuple[Name, int], bool]


class World:
    """An organization and what is in it, on two nodes of one database. Writes go through either."""

    def __init__(self, database: str, seed: int = 0) -> None:
        self.nodes = [build(Settings(database=database)) for _ in range(2)]
        self.dice = random.Random(seed)
        # Time stands still but for what a test lets pass: both nodes see one instant.
        self.instant = self.nodes[0].freshness.now().instant + 24 * 60 * MINUTE
        self.let_pass(0)
        self.organization = self.other = PLATFORM
        self.ids: dict[str, str] = {}
        self.sessions: dict[str, str] = {}
        self.keys: dict[str, int] = {}
        self.organization = self.act(organizations.found, name="Story", type_="Personal/Team").key
        self.other = self.act(organizations.found, name="Other", type_="Personal/Team", at=PLATFORM).key
        self._fill()

    def close(self) -> None:
        for node in self.nodes:
            node.decisions.pulse.close()
            node.decisions.pulse._heads.close()
            node.store.close()

    def let_pass(self, microseconds: int) -> None:
        self.instant += microseconds
        for node in self.nodes:
            node.freshness._instant = self.instant

    def act(self, usecase: Callable[..., Any], *, at: int | None = None, node: int | None = None, **more: Any) -> Any:
        """Run a use case in an organization, by default the story's; None if it was refused."""

        def inside(unit: Unit) -> Any:
            unit.organization = self.organization if at is None else at
            return usecase(unit, **more)

        through = self.nodes[self.dice.randrange(2) if node is None else node]
        try:
            return through.service.operate("test", str(uuid.uuid4()), inside).result
        except Refusal:
            return None

    def open(self, kind: FactKind, holder: int, thing: int = 0, scope: int = 0, **more: Any) -> None:
        self.act(lambda unit: unit.open(Fact(kind, holder, thing, scope, **more)))

    def shut(self, kind: FactKind, holder: int, thing: int = 0, scope: int = 0) -> None:
        self.act(lambda unit: unit.close(Fact(kind, holder, thing, scope)))

    def end(self, key: int) -> None:
        self.act(lambda unit: unit.end(unit.reader.objects([key])[key]))

    def membership(self, user: str) -> int:
        found = self.act(lambda unit: unit.member(self.ids[user]).membership.key)
        return found or 0

    def user(self, name: str, email: str = "") -> None:
        """A new member."""
        made = self.act(
            users.create,
            name=name,
            first_name="",
            last_name="",
            email=email or f"{name}@example.org",
            password_verifier=None,
            api_enabled=True,
            acls=[],
            is_service=False,
        )
        self._know(name, ObjectKind.USER, made.id)

    def join(self, user: str) -> None:
        def again(unit: Unit) -> None:
            found = unit.user(self.ids[user])
            if unit.membership_of(found) is None:
                users.join(unit, found, api_enabled=True)

        self.act(again)

    def session(self, user: str) -> None:
        """A new session of a member in the assumable role, with a key of her own."""

        def make(unit: Unit) -> str:
            member = unit.member(self.ids[user])
            key = unit.reader.find_object(ObjectKind.API_KEY, keys_made[0])
            assert key is not None
            made = unit.create(
                ObjectKind.SESSION,
                thing=member.membership.key,
                scope=unit.organization,
                expires_at=unit.reader.instant + 60 * MINUTE,
            )
            role, trust, here = self.keys["duty"], self.keys["trust"], unit.organization
            unit.open(Fact(FactKind.ASSUMPTION, made.key, role, here, value=self.ids["duty"]))
            unit.open(Fact(FactKind.SESSION_TRUST, made.key, trust, here))
            unit.open(Fact(FactKind.SESSION_KEY, made.key, key.key, here))
            return made.id

        keys_made = [self.act(lambda unit: keys.create(unit, unit.member(self.ids[user]), name="key").id)]
        self._know(f"key of {user}", ObjectKind.API_KEY, keys_made[0])
        self._know(f"session of {user}", ObjectKind.SESSION, self.act(make))
        self.sessions[user] = self.ids[f"session of {user}"]

    def _know(self, name: str, kind: ObjectKind, identifier: str) -> None:
        self.ids[name] = identifier
        found = self.act(lambda unit: unit.reader.find_object(kind, identifier))
        self.keys[name] = found.key

    def _fill(self) -> None:
        for name in ("ann", "bob", "cyd"):
            self.user(name)
        self.act(lambda unit: users.join(unit, unit.user(self.ids["bob"]), api_enabled=True), at=self.other)
        for name in ("red", "blue"):
            self._know(name, ObjectKind.GROUP, self.act(groups.create, name=name, description=""))
        for name, role_type, at in (
            ("reader", "assignable", None),
            ("writer", "assignable", None),
            ("duty", "assumable", None),
            ("tenant", "assignable", PLATFORM),
        ):
            role: dict[str, Any] = {
                "name": name,
                "description": "",
                "role_type": role_type,
                "max_session_duration": 3600,
            }
            self._know(name, ObjectKind.ROLE, self.act(roles.create, at=at, **role))
        for name, statement in DOCUMENTS.items():
            policy: dict[str, Any] = {
                "name": name,
                "description": "",
                "document": {"Statement": statement},
                "version": "1",
            }
            self._know(name, ObjectKind.POLICY, self.act(policies.create, **policy))
        policy = {"name": "outer", "description": "", "document": {"Statement": DOCUMENTS["read"]}, "version": "1"}
        self._know("outer", ObjectKind.POLICY, self.act(policies.create, at=PLATFORM, **policy))
        scopes = [(scope, None) for scope in SCOPES]
        self.act(apis.create, at=PLATFORM, identifier=API, name="x", scopes=scopes, members={})
        self.act(clients.found, at=PLATFORM, first=FirstClient("Client", "machine"), members={})
        self.grant = self.act(self._grant, at=PLATFORM)
        self.begin()
        asked = trusts.Asked(role=self.ids["duty"], trust_type="TemporaryAssumption", group=self.ids["red"])
        self._know("trust", ObjectKind.ROLE_TRUST, self.act(trusts.create, asked=asked))
        self.session("ann")

    def begin(self) -> None:
        """Make all as it was in the beginning, as far as it is not: who has nothing has nothing to lose."""
        self.act(self._revive)
        self.act(self._give)
        self.act(roles.attach_policy, role=self.ids["tenant"], policy=self.ids["outer"], at=PLATFORM)

    def _revive(self, unit: Unit) -> None:
        ids, here = self.ids, self.organization
        for name in ("ann", "bob", "cyd"):
            user = unit.user(ids[name])
            member = unit.membership_of(user) or users.join(unit, user, api_enabled=True).membership
            unit.close(Fact(FactKind.BLOCK, user.key))
            unit.close(Fact(FactKind.SUSPENSION, member.key, scope=here))
            unit.close(Fact(FactKind.ROOT, member.key, here, here))
        for name in ("red", "blue"):
            groups.restore(unit, group=ids[name])
        for name in ("reader", "writer", "duty"):
            roles.restore(unit, role=ids[name])
        for name in DOCUMENTS:
            policies.restore(unit, policy=ids[name])

    def _give(self, unit: Unit) -> None:
        ids, here = self.ids, self.organization
        for name in ("reader", "writer", "duty"):
            roles.update(unit, role=ids[name], role_type="assumable" if name == "duty" else "assignable")
        for name, statement in DOCUMENTS.items():
            policies.update(unit, policy=ids[name], document={"Statement": statement}, drop_conditions=True)
        for role, policy in (("reader", "read"), ("writer", "home"), ("duty", "read")):
            roles.attach_policy(unit, role=ids[role], policy=ids[policy])
        groups.add_member(unit, group=ids["red"], user=ids["ann"])
        roles.attach_group(unit, role=ids["reader"], group=ids["red"])
        roles.attach_users(unit, roles=[ids["writer"]], user=ids["bob"])
        for user in ("ann", "bob"):
            policies.attach_user(unit, policy=ids["assume"], user=ids[user])
            policies.attach_user(unit, policy=ids["low"], user=ids[user])
        if unit.reader.find_named("alias", f"{here}/boss") is None:
            properties.update(unit, principal=ids["ann"], changes={"alias": "boss"})
        resources.put(unit, resource_type="thing", resource_id="t1", properties={"level": 1})

    def move_alias(self, user: str, alias: str) -> None:
        for name in ("ann", "bob", "cyd"):
            self.act(properties.update, principal=self.ids[name], changes={"alias": None})
        self.act(properties.update, principal=self.ids[user], changes={"alias": alias})

    def hand_over_address(self, user: str) -> None:
        holder = self.act(lambda unit: unit.reader.find_user("shared@example.org"))
        if holder is not None:
            self.act(lambda unit: unit.write_profile(holder, email_folded=f"{holder.id}@example.org"))
        self.act(lambda unit: unit.write_profile(unit.user(self.ids[user]), email_folded="shared@example.org"))

    def take_every_root(self) -> None:
        for name in ("ann", "bob", "cyd"):
            self.shut(FactKind.ROOT, self.membership(name), self.organization, self.organization)

    def end_scope_for_a_while(self, scope: str) -> None:
        for left in ([one for one in SCOPES if one != scope], SCOPES):
            self.act(apis.update, api=API, members={}, scopes=[(one, None) for one in left], at=PLATFORM)
            if scope not in left:
                self.check()

    def _grant(self, unit: Unit) -> str:
        client, api = unit.reader.find_named("public_id", "machine"), apis.identified(unit, API)
        assert client is not None
        known = apis.scopes_of(unit, api)
        return client_grants.found(unit, client, api, known, GrantTerms(API, order=("read",))).id

    # --- questions ---

    def names(self) -> list[Name]:
        """Everybody by every name, and some who are nobody; each in the organization, outside, and in another."""
        three = [self.ids[name] for name in ("ann", "bob", "cyd")]
        spellings = self.act(
            lambda unit: [
                unit.spelling(unit.reader.objects([self.keys[name]])[self.keys[name]]) for name in ("ann", "bob", "cyd")
            ]
        )
        emails = ["email:ANN@example.org", "email:bob@example.org", "email:shared@example.org", "email:cyd@example.org"]
        here = [*three, "boss", "clerk", "nobody", *emails, spellings[1]]
        return [
            *((self.organization, "user", name) for name in here),
            *((self.organization, "session", name) for name in [*self.sessions.values(), str(uuid.UUID(int=1))]),
            *((PLATFORM, "user", name) for name in [*three, "boss", *spellings[:2]]),
            (self.other, "user", three[1]),
            (PLATFORM, "client", "machine"),
            (self.organization, "client", "machine"),
            (self.organization, "robot", three[0]),
        ]

    def asked(self, name: Name) -> list[Question]:
        return [Question(*name, action, *resource, context=context) for action, resource, context in ASKED]

    def check(self) -> Answers:
        """Both engines answer every question as the facts do. Returns the answers."""
        names = self.names()
        answers: list[Answers] = []
        for node in self.nodes:
            moment = node.decisions.refresh()
            assert moment.instant == self.instant
            answers.append(answered(node.decisions, {name: self.asked(name) for name in names}))
        expected = self.expected(names)
        for number, found in enumerate(answers):
            wrong = {key: value for key, value in found.items() if value != expected[key]}
            assert not wrong, (number, [(name, ASKED[index], value) for (name, index), value in wrong.items()][:5])
        return expected

    def expected(self, names: Iterable[Name]) -> Answers:
        """The answers of the decision, one of each name through the very use case, and some by the specification."""
        node = self.nodes[0]
        moment = node.freshness.now()
        found: Answers = {}
        with node.store.reading(moment.revision, moment.instant) as reader:
            kept: dict[tuple[int, str, str], Any] = {}
            for name in names:
                questions = self.asked(name)
                weighed = weigh(reader, questions[self.dice.randrange(len(questions))])
                if weighed is None:
                    found |= {(name, index): False for index in range(len(questions))}
                    continue
                who = weighed.snapshot.principal.session or weighed.snapshot.principal.user
                stored, id_ = stored_of(reader, weighed.snapshot), reader.objects([who])[who].id
                for index, question in enumerate(questions):
                    thing = (question.scope, question.resource_type, question.resource_id)
                    if thing not in kept:
                        kept[thing] = resource_of(reader, question)
                    attributes = attributes_of(question, stored, kept[thing], id_)
                    request = AccessRequest(question.action, *thing[1:], attributes)
                    found[name, index] = decide(request, weighed.snapshot).allowed
                    if request == weighed.request:
                        assert found[name, index] is weighed.decision.allowed
        return found

    def assert_specified(self, answers: Answers) -> None:
        """For members and accounts by id the specification says the same."""
        node = self.nodes[1]
        moment = node.freshness.now()
        with node.store.snapshot() as connection:
            wanted = sa.select(intervals).where(intervals.c.holder >= self.organization)
            rows = [as_specified(row) for row in connection.execute(wanted)]
        with node.store.reading(moment.revision, moment.instant) as reader:
            for user, scope in itertools.product(("ann", "bob", "cyd"), (self.organization, PLATFORM)):
                index = self.dice.randrange(len(ASKED))
                action, (kind, identifier), context = ASKED[index]
                question = Question(scope, "user", self.ids[user], action, kind, identifier, context=context)
                weighed = weigh(reader, question)
                assert weighed is not None
                request = {
                    "user": self.keys[user],
                    "organization": scope or None,
                    "action": action,
                    "action_properties": {},
                    "resource": {**resource_of(reader, question), "type": kind, "id": identifier},
                    "subject": stored_of(reader, weighed.snapshot),
                    "context": context,
                }
                verdict = spec.decide(rows, request, moment.revision, moment.instant)
                assert verdict.allowed is answers[(scope, "user", self.ids[user]), index], (user, scope, ASKED[index])


def answered(engine: Decisions, questions: dict[Name, list[Question]]) -> Answers:
    """The engine's answers at its moment, what is not kept being read."""
    while True:
        wanted: set[Any] = set()
        found = {
            (name, index): engine.answer(question, wanted)
            for name, asked in questions.items()
            for index, question in enumerate(asked)
        }
        if not wanted:
            break
        engine.keep(engine.load(wanted, engine.touches.stand))
    for name, asked in questions.items():
        if name[1] == "user":
            question = asked[0]
            thing = (question.action, question.resource_type, question.resource_id)
            said = engine.allows(name[0], name[2], *thing, context=question.context)
            assert said is found[name, 0]
    return found


# --- every write ----------------------------------------------------------------------------------------------------


def writes(world: World) -> dict[str, Callable[[], object]]:
    """Everything that may be written, each time about something else."""
    dice, act, ids, known, here = world.dice, world.act, world.ids, world.keys, world.organization
    user, group = dice.choice(["ann", "ann", "bob", "cyd"]), dice.choice(["red", "red", "blue"])
    role, policy = dice.choice(["reader", "writer", "duty"]), dice.choice(list(DOCUMENTS))
    scope, alias = dice.choice(SCOPES), dice.choice(["boss", "clerk"])
    of_user: dict[str, Any] = {"user": ids[user]}
    of_group: dict[str, Any] = {"group": ids[group]}
    soon = world.instant + 10 * MINUTE

    def member(use: Callable[[int], object]) -> Callable[[], object]:
        """About a membership, if there is one."""

        def write() -> None:
            if key := world.membership(user):
                use(key)

        return write

    def expiring(kind: FactKind, thing: int, scope: int) -> Callable[[], object]:
        return member(lambda key: world.open(kind, key, thing, scope, expires_at=soon))

    def organization_ends() -> None:
        named = {"organization": act(lambda unit: unit.reader.objects([here])[here].id)}
        act(organizations.delete, **named)
        world.check()
        act(organizations.restore, **named)

    def root() -> None:
        named = act(lambda unit: unit.reader.objects([here])[here].id)
        act(platform.transfer_root, organization=named, user=ids[user], at=PLATFORM)

    def replaced() -> None:
        """An account ends, and another begins with its address."""
        act(lambda unit: unit.write_profile(unit.user(ids["cyd"]), email_folded=f"{uuid.uuid4()}@example.org"))
        act(accounts.delete, user=ids["cyd"], at=PLATFORM)
        world.check()
        world.user("cyd", f"{uuid.uuid4()}@example.org")
        act(lambda unit: unit.write_profile(unit.user(ids["cyd"]), email_folded="cyd@example.org"))

    def trust() -> None:
        conditions: Any = dice.choice([{"ip_address": ["192.0.2.0/24"]}, {"ip_address": []}])
        trust_type = dice.choice(["TemporaryAssumption", "IAMAssumption"])
        act(trusts.update, trust=ids["trust"], asked=trusts.Asked(trust_type=trust_type, conditions=conditions))

    pair: dict[str, Any] = {"roles": [ids[role]], **of_user}
    pairs: dict[str, Any] = {"permissions": [(API, scope)]}
    by_policy: dict[str, Any] = {"policy": ids[policy]}
    definition = {"Statement": dice.sample(list(DOCUMENTS.values()), 2)}
    level = {"level": dice.choice([1, 5])}
    thing: dict[str, Any] = {"resource_type": "thing", "resource_id": dice.choice(["t1", "t2"])}
    return {
        "a role is attached to a user": lambda: act(roles.attach_users, **pair),
        "a role is detached from a user": lambda: act(roles.detach_users, **pair),
        "a role is attached to a group": lambda: act(roles.attach_group, role=ids[role], **of_group),
        "a role is detached from a group": lambda: act(roles.detach_group, role=ids[role], **of_group),
        "a policy is attached to a user": lambda: act(policies.attach_user, **by_policy, **of_user),
        "a policy is detached from a user": lambda: act(policies.detach_user, **by_policy, **of_user),
        "a policy is attached to a group": lambda: act(policies.attach_group, **by_policy, **of_group),
        "a policy is detached from a group": lambda: act(policies.detach_group, **by_policy, **of_group),
        "a policy is put into a role": lambda: act(roles.attach_policy, role=ids[role], **by_policy),
        "a policy is taken out of a role": lambda: act(roles.detach_policy, role=ids[role], **by_policy),
        "a policy is edited": lambda: act(policies.update, **by_policy, document=definition, drop_conditions=True),
        "a policy gets its document back": lambda: act(
            policies.update, **by_policy, document={"Statement": DOCUMENTS[policy]}, drop_conditions=True
        ),
        "a role changes its type": lambda: act(
            roles.update, role=ids[role], role_type=dice.choice(["assignable", "assumable"])
        ),
        "somebody enters a group": lambda: act(groups.add_member, **of_group, **of_user),
        "somebody leaves a group": lambda: act(groups.remove_member, **of_group, **of_user),
        "a group is deleted": lambda: act(groups.delete, **of_group),
        "a group is restored": lambda: act(groups.restore, **of_group),
        "a role is deleted": lambda: act(roles.delete, role=ids[role]),
        "a role is restored": lambda: act(roles.restore, role=ids[role]),
        "a policy is deleted": lambda: act(policies.delete, **by_policy),
        "a policy is restored": lambda: act(policies.restore, **by_policy),
        "the organization is deleted and restored": organization_ends,
        "somebody is suspended": member(lambda key: world.open(FactKind.SUSPENSION, key, scope=here)),
        "a suspension is lifted": member(lambda key: world.shut(FactKind.SUSPENSION, key, scope=here)),
        "somebody is blocked": lambda: world.open(FactKind.BLOCK, known[user]),
        "a block is lifted": lambda: world.shut(FactKind.BLOCK, known[user]),
        "somebody is removed": lambda: act(users.remove, **of_user),
        "somebody joins": lambda: world.join(user),
        "an account is deleted and its address taken": replaced,
        "somebody becomes root": root,
        "nobody is root": world.take_every_root,
        "an alias moves": lambda: world.move_alias(user, alias),
        "an address moves": lambda: world.hand_over_address(user),
        "properties are put": lambda: act(
            properties.update, principal=ids[user], changes={"properties": {"rank": dice.choice(["vip", "none"])}}
        ),
        "properties are taken away": lambda: act(properties.update, principal=ids[user], changes={"properties": None}),
        "a resource is put": lambda: act(resources.put, **thing, properties=level),
        "a resource is deleted": lambda: act(resources.delete, **thing),
        "a role is attached to an account": lambda: act(
            roles.attach_users, roles=[ids["tenant"]], **of_user, at=PLATFORM
        ),
        "a role is detached from an account": lambda: act(
            roles.detach_users, roles=[ids["tenant"]], **of_user, at=PLATFORM
        ),
        "a group carries a role outside": lambda: world.open(
            FactKind.ROLE_ATTACHMENT, known[group], known["tenant"], PLATFORM
        ),
        "a group carries no role outside": lambda: world.shut(
            FactKind.ROLE_ATTACHMENT, known[group], known["tenant"], PLATFORM
        ),
        "a permission is granted to an account": lambda: act(
            permissions.grant_to_user, **of_user, **pairs, at=PLATFORM
        ),
        "a permission is revoked from an account": lambda: act(
            permissions.revoke_from_user, **of_user, **pairs, at=PLATFORM
        ),
        "a permission is put into a role": lambda: act(permissions.grant_to_role, role=ids[role], **pairs),
        "a permission is taken out of a role": lambda: act(permissions.revoke_from_role, role=ids[role], **pairs),
        "an API loses a scope and has it again": lambda: world.end_scope_for_a_while(scope),
        "a client grant changes": lambda: act(
            client_grants.update, grant=world.grant, scopes=[scope], all_scopes=dice.random() < 0.5, at=PLATFORM
        ),
        "a group is entered for a while": expiring(FactKind.GROUP_MEMBERSHIP, known[group], here),
        "a role is attached for a while": expiring(FactKind.ROLE_ATTACHMENT, known[role], here),
        "a policy is attached for a while": expiring(FactKind.POLICY_ATTACHMENT, known[policy], here),
        "somebody is suspended for a while": expiring(FactKind.SUSPENSION, PLATFORM, here),
        "a policy is in a role for a while": lambda: world.open(
            FactKind.POLICY_ATTACHMENT, known[role], known[policy], here, expires_at=soon
        ),
        "a group has a role for a while": lambda: world.open(
            FactKind.ROLE_ATTACHMENT, known[group], known[role], here, expires_at=soon
        ),
        "time passes": lambda: world.let_pass(11 * MINUTE),
        "a session is opened": lambda: world.session("ann") if world.membership("ann") else None,
        "a session is ended": lambda: world.end(known["session of ann"]),
        "a session's key is ended": lambda: world.end(known["key of ann"]),
        "a trust is changed": trust,
        "a trust is deleted": lambda: act(trusts.delete, trust=ids["trust"]),
        "a trust is restored": lambda: act(trusts.restore, trust=ids["trust"]),
    }


GIVES = ("attached", "put", "edited", "enters", "restored", "lifted", "joins", "opened", "back")


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    with contextlib.ExitStack() as stack:

        def make(database: str, seed: int = 0) -> World:
            world = World(database, seed)
            stack.callback(world.close)
            return world

        yield make


@pytest.mark.parametrize(
    ("kind", "seed", "length"),
    [*(("sqlite", seed, 50) for seed in range(3)), ("postgres", 3, 30)],
)
def test_after_every_write_both_nodes_answer_what_is_so(
    kind: str, seed: int, length: int, make_database: Callable[[str], str], make_world: Callable[..., World]
) -> None:
    """Who was given, taken, renamed, ended and brought back, through either node, by every name and in every scope."""
    world = make_world(make_database(kind), seed)
    before = world.check()
    assert any(before.values())
    changed: Counter[str] = Counter()
    for number in range(length):
        if number % 8 == 7:
            world.begin()
            before = world.check()
        # What gives is written more often.
        names = [*writes(world)]
        name = world.dice.choice([*names, *(name for name in names if any(word in name for word in GIVES))])
        try:
            writes(world)[name]()
            after = world.check()
            world.assert_specified(after)
        except AssertionError as error:
            raise AssertionError(f"after `{name}`: {error}") from error
        changed[name] += sum(after[key] != value for key, value in before.items() if key in after)
        before = after
    assert len(+changed) >= length // 6, f"{changed}"


SESSION_ENDS: dict[str, Callable[[World], object]] = {
    "the session": lambda w: w.end(w.keys["session of ann"]),
    "its key": lambda w: w.end(w.keys["key of ann"]),
    "its trust": lambda w: w.act(trusts.delete, trust=w.ids["trust"]),
    "its role": lambda w: w.act(roles.delete, role=w.ids["duty"]),
    "the role's type": lambda w: w.act(roles.update, role=w.ids["duty"], role_type="assignable"),
    "the right to assume": lambda w: w.act(policies.detach_user, policy=w.ids["assume"], user=w.ids["ann"]),
    "the policy that says so": lambda w: w.act(policies.delete, policy=w.ids["assume"]),
    "the trusted group": lambda w: w.act(groups.delete, group=w.ids["red"]),
    "being in it": lambda w: w.act(groups.remove_member, group=w.ids["red"], user=w.ids["ann"]),
    "the trusted party": lambda w: w.shut(FactKind.TRUSTED_PARTY, w.keys["trust"], w.keys["red"], w.organization),
    "what the role holds": lambda w: w.act(roles.detach_policy, role=w.ids["duty"], policy=w.ids["read"]),
    "the terms": lambda w: w.act(
        trusts.update, trust=w.ids["trust"], asked=trusts.Asked(conditions={"ip_address": ["198.51.100.7"]})
    ),
    "the member": lambda w: w.act(users.remove, user=w.ids["ann"]),
    "her standing": lambda w: w.open(FactKind.SUSPENSION, w.membership("ann"), scope=w.organization),
    "her account": lambda w: w.open(FactKind.BLOCK, w.keys["ann"]),
    "the organization": lambda w: w.end(w.organization),
    "a denial": lambda w: w.act(
        policies.update,
        policy=w.ids["low"],
        document={"Statement": {**DOCUMENTS["deny"], "Resource": "*"}},
        drop_conditions=True,
    ),
    "its time": lambda w: w.let_pass(61 * MINUTE),
}


@pytest.mark.parametrize("link", SESSION_ENDS)
def test_a_session_ends_on_every_node_with_each_thing_that_it_lives_by(
    link: str, make_database: Callable[[str], str], make_world: Callable[..., World]
) -> None:
    world = make_world(make_database("sqlite"))
    name = (world.organization, "session", world.sessions["ann"])
    assert world.check()[name, ASKED.index(("a.read", ("thing", "t1"), HOME))]
    SESSION_ENDS[link](world)
    after = world.check()
    assert not any(after[name, index] for index in range(len(ASKED)))


# --- what is read ---------------------------------------------------------------------------------------------------


class Counted:
    """What an engine reads: which names, and the facts of whom."""

    def __init__(self, engine: Decisions, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[Any] = []
        self.facts: list[int] = []
        load = engine.load

        def counting(wanted: Any, moment: Any) -> Any:
            self.names += wanted
            return load(wanted, moment)

        monkeypatch.setattr(engine, "load", counting)
        for method in ("surroundings", "intervals"):
            read = getattr(DatabaseReader, method)

            def noting(reader: Any, holders: Any, *kinds: Any, read: Any = read) -> Any:
                self.facts += holders
                return read(reader, holders, *kinds)

            monkeypatch.setattr(DatabaseReader, method, noting)

    def clear(self) -> None:
        self.names.clear()
        self.facts.clear()


@pytest.fixture
def alone(make_database: Callable[[str], str], make_world: Callable[..., World]) -> World:
    return make_world(make_database("sqlite"))


@pytest.mark.parametrize("writer", [0, 1])
@pytest.mark.parametrize("node", [0, 1])
def test_what_a_write_is_not_about_is_not_read_anew(
    alone: World, node: int, writer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One subject is where another node wrote about her, and nobody where it wrote about no one, or the node itself."""
    engine = alone.nodes[node].decisions
    alone.check()
    counted = Counted(engine, monkeypatch)
    questions = {
        (alone.organization, "user", alone.ids[name]): alone.asked((alone.organization, "user", alone.ids[name]))
        for name in ("ann", "bob", "cyd")
    }
    for _ in range(3):
        engine.refresh()
        answered(engine, questions)
    assert not counted.names
    read = {"Statement": DOCUMENTS["read"]}
    alone.act(groups.create, name="new", description="", node=writer)
    alone.act(policies.create, name="new", description="", document=read, version="1", node=writer)
    engine.refresh()
    answered(engine, questions)
    assert not counted.names
    alone.act(policies.attach_user, policy=alone.ids["read"], user=alone.ids["cyd"], node=writer)
    counted.clear()
    engine.refresh()
    answered(engine, questions)
    assert [name[3] for name in counted.names] == ([] if writer == node else [alone.ids["cyd"]])
    alone.act(resources.put, resource_type="thing", resource_id="t1", properties={"level": 9})
    counted.clear()
    engine.refresh()
    answered(engine, questions)
    assert [name[0] for name in counted.names] == ["resource"]


def ends_what_she_has(world: World) -> None:
    """And in the same change what others have part in."""

    def both(unit: Unit) -> None:
        policies.detach_user(unit, policy=world.ids["low"], user=world.ids["ann"])
        roles.detach_policy(unit, role=world.ids["reader"], policy=world.ids["read"])

    world.act(both, node=0)


def comes_back_at_once(world: World) -> None:
    """Somebody leaves and joins again in one change, with other rights."""

    def both(unit: Unit) -> None:
        member = unit.member(world.ids["bob"])
        unit.end(member.membership)
        joined = unit.create(ObjectKind.MEMBERSHIP, thing=member.user.key, scope=unit.organization)
        read = unit.get(ObjectKind.POLICY, world.ids["read"])
        unit.open(Fact(FactKind.POLICY_ATTACHMENT, joined.key, read.key, unit.organization))

    world.act(both, node=0)


def follows_another_node(world: World) -> None:
    """Another node has changed what others have part in, and this one has not heard of it."""
    world.act(roles.detach_policy, role=world.ids["reader"], policy=world.ids["read"], node=1)
    world.act(policies.detach_user, policy=world.ids["low"], user=world.ids["ann"], node=0)


def writes_twice(world: World) -> None:
    """Two changes about one member, and nobody asks in between."""
    world.act(policies.detach_user, policy=world.ids["low"], user=world.ids["ann"], node=0)
    world.act(policies.attach_user, policy=world.ids["vip"], user=world.ids["ann"], node=0)


def is_forgotten_between(world: World) -> None:
    """All that the node had read was given up before it heard of its own change."""
    world.act(policies.detach_user, policy=world.ids["low"], user=world.ids["ann"], node=0)
    world.nodes[0].decisions.touches.advance(world.nodes[0].decisions.moment, 0, None)
    world.act(roles.detach_users, roles=[world.ids["writer"]], user=world.ids["bob"], node=1)


@pytest.mark.parametrize(
    "happens", [ends_what_she_has, comes_back_at_once, follows_another_node, writes_twice, is_forgotten_between]
)
def test_what_a_node_foresees_of_its_own_write_is_what_is_so_after_it(
    alone: World, happens: Callable[[World], None]
) -> None:
    before = alone.check()
    happens(alone)
    assert alone.check() != before


def test_who_missed_too_much_takes_nobody_for_who_she_was(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a change that is not read there is no telling whom a name means."""
    alone.check()
    monkeypatch.setattr(pulse, "_MISSED_MAX", 0)
    for _ in range(sql.NEWS_MAX):
        # What fewer changes touched is read with the head.
        alone.act(
            lambda unit: unit.write_profile(unit.get(ObjectKind.ROLE, alone.ids["reader"]), name=uuid.uuid4().hex)
        )
    comes_back_at_once(alone)
    alone.check()


def test_what_is_foreseen_counts_from_the_revision_of_the_write_on(alone: World) -> None:
    """Until the node has heard of its own write, it answers as of the moment before."""
    alone.check()
    engine, name = alone.nodes[0].decisions, (alone.organization, "user", alone.ids["ann"])
    before = answered(engine, {name: alone.asked(name)})
    alone.act(policies.detach_user, policy=alone.ids["low"], user=alone.ids["ann"], node=0)
    alone.act(groups.remove_member, group=alone.ids["red"], user=alone.ids["ann"], node=0)
    assert answered(engine, {name: alone.asked(name)}) == before
    engine.refresh()
    assert answered(engine, {name: alone.asked(name)}) != before


def test_of_many_actions_that_were_asked_of_a_member_those_that_came_last_are_foreseen(alone: World) -> None:
    node, ann = alone.nodes[0], alone.ids["ann"]
    node.decisions.refresh()
    actions = [f"a.{number}" for number in range(2 * FORESEEN_MAX)]
    for action in actions:
        node.decisions.allows(alone.organization, ann, action, "thing", "t9")
    alone.act(policies.detach_user, policy=alone.ids["low"], user=ann, node=0)
    kept = node.decisions._subjects.last(ann, alone.organization)
    assert kept is not None
    assert kept.then is not None
    assert list(kept.then.at_hand) == actions[-FORESEEN_MAX:]


def test_the_edit_of_a_role_costs_one_reading_of_it_however_many_hold_it(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holder's own facts are read again, and those of the role once for all of them."""
    many = [f"user{number}" for number in range(12)]
    for name in many:
        alone.user(name)
        alone.act(roles.attach_users, roles=[alone.ids["reader"]], user=alone.ids[name])
    engine = alone.nodes[0].decisions
    questions: dict[Name, list[Question]] = {
        name: [Question(*name, "a.read", "thing", "t9")]
        for name in ((alone.organization, "user", alone.ids[user]) for user in many)
    }
    engine.refresh()
    assert all(answered(engine, questions).values())
    shared = [alone.keys[name] for name in ("reader", "read")]
    for edit, touched in (
        (lambda: alone.act(roles.attach_policy, role=alone.ids["reader"], policy=alone.ids["deny"]), shared[:1]),
        (
            lambda: alone.act(
                policies.update,
                policy=alone.ids["read"],
                document={"Statement": DOCUMENTS["low"]},
                drop_conditions=True,
            ),
            shared[1:],
        ),
    ):
        edit()
        with monkeypatch.context() as patched:
            counted = Counted(engine, patched)
            engine.refresh()
            answered(engine, questions)
            assert sorted(name[3] for name in counted.names if name[0] == "subject") == sorted(
                alone.ids[user] for user in many
            )
            assert [counted.facts.count(key) for key in touched] == [1]
            assert alone.organization not in counted.facts
    assert not any(answered(engine, questions).values())


def test_an_unknown_name_is_asked_for_again_after_every_write(alone: World) -> None:
    """Somebody may have got it: as an alias, as an address, by coming to be."""
    world, engine = alone, alone.nodes[1].decisions
    name = (world.organization, "user", "clerk")
    question = Question(*name, "a.read", "thing", "t1")
    engine.refresh()
    assert not engine.allows(*name[::2], "a.read", "thing", "t1")
    world.act(properties.update, principal=world.ids["ann"], changes={"alias": "clerk"})
    engine.refresh()
    assert answered(engine, {name: [question]})[name, 0]


def test_a_resource_that_was_not_there_is_found_once_it_is(alone: World) -> None:
    """Inside, where that is learned from its organization, and outside of all."""
    for scope in (alone.organization, PLATFORM):
        alone.act(
            lambda unit: unit.open(Fact(FactKind.POLICY_ATTACHMENT, alone.keys["ann"], alone.keys["low"], PLATFORM))
        )
        name = (scope, "user", alone.ids["ann"])
        questions = {name: [Question(*name, "a.own", "thing", "t2")]}
        for put, expected in ((False, False), (True, True), (False, False), (True, True)):
            if put:
                alone.act(resources.put, resource_type="thing", resource_id="t2", properties={"level": 1}, at=scope)
            else:
                alone.act(resources.delete, resource_type="thing", resource_id="t2", at=scope)
            for node in alone.nodes:
                node.decisions.refresh()
                assert answered(node.decisions, questions)[name, 0] is expected


def test_a_question_that_was_read_for_while_something_was_written_is_read_for_again(alone: World) -> None:
    """What is read as of a moment that has passed counts for nothing if it was touched since."""
    engine = alone.nodes[0].decisions
    question = Question(alone.organization, "user", alone.ids["bob"], "a.write", "thing", "t1", context=HOME)
    engine.refresh()
    wanted: set[Any] = set()
    engine.answer(question, wanted)
    loaded = engine.load(wanted, engine.touches.stand)
    alone.act(roles.detach_users, roles=[alone.ids["writer"]], user=alone.ids["bob"], node=1)
    engine.refresh()
    engine.keep(loaded)
    again: set[Any] = set()
    engine.answer(question, again)
    assert {one for one in wanted if one[0] == "subject"} <= again
    assert not answered(engine, {(alone.organization, "user", alone.ids["bob"]): [question]}).popitem()[1]


@pytest.mark.parametrize("size", [2, 3])
def test_an_engine_with_little_room_answers_the_same(alone: World, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot keep it reads, and what it reads it does not mix up."""
    engine = alone.nodes[0].decisions
    monkeypatch.setattr(engine, "_subjects", Kept(engine.touches, size))
    monkeypatch.setattr(engine, "_shared", Kept(engine.touches, size))
    engine.refresh()
    names = alone.names()
    expected = alone.expected(names)
    for name in [*names, *reversed(names)]:
        found = answered(engine, {name: alone.asked(name)})
        assert found == {key: expected[key] for key in found}
        assert engine.sizes()["principals"] <= size


# --- a log that went back -------------------------------------------------------------------------------------------


def copy(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.mark.parametrize("lost", [1, 2, 6])
def test_after_a_restore_nothing_is_answered_until_the_loss_is_accepted_and_then_from_what_is_there(
    lost: int, make_database: Callable[[str], str], make_world: Callable[..., World]
) -> None:
    """Not one right that was only given in the part of the log that is lost, however long the log is then."""
    database = make_database("sqlite")
    world = make_world(database)
    file = Path(database.removeprefix("sqlite:///"))
    copy(file, file.with_suffix(".backup"))
    world.act(policies.attach_user, policy=world.ids["read"], user=world.ids["cyd"])
    for number in range(lost - 1):
        world.act(groups.create, name=f"lost {number}", description="")
    name = (world.organization, "user", world.ids["cyd"])
    assert world.check()[name, 0]
    copy(file.with_suffix(".backup"), file)
    for node in world.nodes:
        with pytest.raises(Unavailable):
            node.decisions.refresh()
    world.nodes[0].service.accept_loss(str(uuid.uuid4()))
    assert not world.check()[name, 0]
    for number in range(8):
        world.act(groups.create, name=f"after {number}", description="")
        assert not world.check()[name, 0], number


def test_after_an_accepted_loss_everything_is_read_anew(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone.check()
    engine = alone.nodes[1].decisions
    counted = Counted(engine, monkeypatch)
    name = (alone.organization, "user", alone.ids["ann"])
    questions = {name: alone.asked(name)}
    engine.refresh()
    answered(engine, questions)
    assert not counted.names
    alone.nodes[0].service.accept_loss(str(uuid.uuid4()))
    engine.refresh()
    answered(engine, questions)
    assert {one[0] for one in counted.names} == {"subject", "resource"}
    assert alone.organization in counted.facts


def test_a_reader_is_asked_as_of_the_moment(alone: World) -> None:
    """What another node writes meanwhile is not in what is loaded: it is in the next moment."""
    engine = alone.nodes[0].decisions
    moment = engine.refresh()
    alone.act(policies.attach_user, policy=alone.ids["read"], user=alone.ids["cyd"], node=1)
    name = (alone.organization, "user", alone.ids["cyd"])
    questions = {name: [Question(*name, "a.read", "thing", "t1")]}
    assert not answered(engine, questions)[name, 0]
    assert engine.moment == moment
    assert engine.refresh().revision == moment.revision + 1
    assert answered(engine, questions)[name, 0]
