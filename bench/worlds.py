"""Generated worlds: users, groups, roles and policies as data, questions about them, and the same in a database.

A world of N users has 10 users in a group, one role of its own for each group, 3 policies in a role, 20 policies for
1,000 users, and for the first user of every group a second role that is attached to her alone. A tenth of the policies
are Deny, a tenth hold only with `context.mfa`. The same size is the same world, wherever it is made.

`World.allows` says what is right: slow, obvious, and without one line of any engine.
"""

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from typing import Any

import sqlalchemy as sa

from rescind.model.documents import store_form
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.node import build
from rescind.settings import Settings
from rescind.store import schema
from rescind.store.engines import engine_for
from rescind.store.migrate import migrate
from rescind.usecases.clients import FirstClient
from rescind.usecases.platform import FirstRoot, initialise
from rescind.usecases.signing_keys import new_pair

USERS_PER_GROUP = 10
POLICIES_PER_ROLE = 3
USERS_PER_POLICY = 50
SERVICES, THINGS, VERBS = 20, 5, ("Create", "Read", "Update", "Delete", "List")
REGIONS = ("eu", "us", "ap")
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Policy:
    """One statement. A `*` stands only at the end of a pattern; a resource is `type:region-number`."""

    is_deny: bool
    action: str
    resource: str
    needs_mfa: bool


@dataclass(frozen=True, slots=True)
class Question:
    """May the user (by number) do it? `mfa` is said as `context.mfa`."""

    user: int
    action: str
    resource_type: str
    resource_id: str
    mfa: bool


@dataclass(frozen=True)
class World:
    """Everything by its number. `direct` is the role that some users hold themselves, beside that of their group."""

    size: int
    policies: list[Policy]
    roles: list[list[int]]
    direct: dict[int, int]

    @staticmethod
    def of(size: int) -> "World":
        """The world of that many users."""
        chance = random.Random(size)
        groups = range(-(-size // USERS_PER_GROUP))
        policies = [_policy(chance, number) for number in range(max(POLICIES_PER_ROLE, size // USERS_PER_POLICY))]
        roles = [chance.sample(range(len(policies)), POLICIES_PER_ROLE) for _ in groups]
        return World(size, policies, roles, {group * USERS_PER_GROUP: chance.choice(groups) for group in groups})

    def group(self, user: int) -> int:
        """The group that a user is in; its role has the same number."""
        return user // USERS_PER_GROUP

    def policies_of(self, user: int, *, with_direct: bool = True) -> list[int]:
        """Every policy that reaches a user, once; without those of her direct role if that was taken away."""
        roles = [self.group(user), *([self.direct[user]] if with_direct and user in self.direct else [])]
        return sorted({policy for role in roles for policy in self.roles[role]})

    def allows(self, question: Question, *, with_direct: bool = True) -> bool:
        """What is right: an Allow that applies, and no Deny that does."""
        reaching = [self.policies[policy] for policy in self.policies_of(question.user, with_direct=with_direct)]
        return {policy.is_deny for policy in reaching if _applies(policy, question)} == {False}

    def hangs_on_mfa(self, question: Question) -> bool:
        """Whether a policy with the condition reaches the user and speaks of the action."""
        reaching = (self.policies[policy] for policy in self.policies_of(question.user))
        return any(policy.needs_mfa and _covers(policy.action, question.action) for policy in reaching)

    def questions(self, users: Sequence[int]) -> Iterator[Question]:
        """Questions about those users, one after the other and for ever, about half of them allowed."""
        chance = random.Random(self.size)
        for user in cycle(users):
            policy = self.policies[chance.choice(self.policies_of(user))]
            yield _question(chance, user, policy.action if chance.random() < 0.7 else "*")

    def revocations(self) -> Iterator[Question]:
        """Questions that are allowed by nothing but a direct role, each about another user."""
        chance = random.Random(self.size)
        for user in chance.sample(list(self.direct), len(self.direct)):
            for policy in self.roles[self.direct[user]]:
                question = _question(chance, user, self.policies[policy].action)
                if self.allows(question) and not self.allows(question, with_direct=False):
                    yield question
                    break


def identifier(kind: ObjectKind, number: int) -> str:
    """The UUID of the object of that kind and number; peers know users by it too."""
    return str(uuid.UUID(int=kind << 96 | 7 << 76 | 2 << 62 | number))


def user_id(user: int) -> str:
    """The id of a user, for every engine."""
    return identifier(ObjectKind.USER, user)


def body_of(question: Question) -> dict[str, Any]:
    """A question in AuthZEN's words."""
    return {
        "subject": {"type": "user", "id": user_id(question.user)},
        "action": {"name": question.action},
        "resource": {"type": question.resource_type, "id": question.resource_id},
        "context": {"mfa": question.mfa},
    }


def wide_role(world: World, number: int) -> str:
    """The id of a role beyond those of the world: two for each of `wide`, the user's and the group's."""
    return identifier(ObjectKind.ROLE, len(world.roles) + number)


def wide_group(world: World, number: int) -> str:
    """The id of a group beyond those of the world: one for each of `wide`."""
    return identifier(ObjectKind.GROUP, len(world.roles) + number)


def make_database(world: World, database: str, *, root_key: str | None = None, wide: Sequence[int] = ()) -> int:
    """Make the world in the first organization of an empty database, and return that organization's key.

    For each number in `wide` there are two roles more, each with a policy of its own: one that so many users hold
    themselves, one that they hold through one group. `root_key` is the root's API key. Secrets are sealed under
    `RESCIND_SECRET_KEY`, which PostgreSQL needs.

    Rows go straight into the tables, as if the first change had made them: `rescind verify` would not believe it.
    """
    migrate(engine := engine_for(database))
    engine.pool.dispose()
    node = build(Settings(database=database))
    first = FirstRoot("root@example.org", "root-password", root_key)
    node.service.operate("bench", str(uuid.uuid4()), initialise, first, new_pair(), FirstClient("bench"))
    organization = node.service.inspect(lambda view: view.reader.living(ObjectKind.ORGANIZATION)[0].key).result
    with node.store.engine.pool.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN")
        _fill(connection, world, organization, wide)
        connection.exec_driver_sql("COMMIT")
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            # As the server would by itself, a little later.
            connection.exec_driver_sql("VACUUM ANALYZE")
    node.decisions.pulse.close()
    node.store.close()
    return organization


def _fill(connection: sa.Connection, world: World, organization: int, wide: Sequence[int]) -> None:
    """Write the world's objects and facts, and move the head's last key behind them."""
    end = connection.execute(sa.select(schema.head)).one()
    keys = count(end.last_key + 1)

    def several(kind: ObjectKind, number: int) -> range:
        """Keys for so many objects of a kind, whose rows are written."""
        made = list(islice(keys, number))
        owner = PLATFORM if kind is ObjectKind.USER else organization
        common = {"kind": int(kind), "owner": owner, "revision": end.revision, "created_at": end.time}
        _insert(
            connection,
            schema.objects,
            ({"key": key, "id": identifier(kind, number), **common} for number, key in enumerate(made)),
        )
        return range(made[0], made[-1] + 1)

    own = range(len(world.policies), len(world.policies) + 2 * len(wide))
    written = [*world.policies, *(Policy(False, f"wide{number}.*", "*", False) for number in own)]
    policies = several(ObjectKind.POLICY, len(written))
    held_by_role = [*world.roles, *([number] for number in own)]
    roles = several(ObjectKind.ROLE, len(held_by_role))
    groups = several(ObjectKind.GROUP, len(world.roles) + len(wide))
    users = several(ObjectKind.USER, world.size)
    members = several(ObjectKind.MEMBERSHIP, world.size)

    def facts() -> Iterator[Fact]:
        for key, policy in zip(policies, written, strict=True):
            yield Fact(FactKind.EXISTENCE, key)
            yield Fact(FactKind.DOCUMENT, key, value=store_form(document(policy)))
        definition = json.dumps({"role_type": "assignable", "max_session_duration": 3600})
        for key, held in zip(roles, held_by_role, strict=True):
            yield Fact(FactKind.EXISTENCE, key)
            yield Fact(FactKind.ROLE_DEFINITION, key, value=definition)
            for number in held:
                yield Fact(FactKind.POLICY_ATTACHMENT, key, policies[number], organization)
        first_wide = len(world.roles)
        of_groups = [*roles[:first_wide], *roles[first_wide + 1 :: 2]]
        for key, role in zip(groups, of_groups, strict=True):
            yield Fact(FactKind.EXISTENCE, key)
            yield Fact(FactKind.ROLE_ATTACHMENT, key, role, organization)
        for user, (key, member) in enumerate(zip(users, members, strict=True)):
            yield Fact(FactKind.EXISTENCE, key)
            yield Fact(FactKind.HOME, key, organization)
            yield Fact(FactKind.EXISTENCE, member, key, organization)
            yield Fact(FactKind.GROUP_MEMBERSHIP, member, groups[world.group(user)], organization)
        for user, role in world.direct.items():
            yield Fact(FactKind.ROLE_ATTACHMENT, members[user], roles[role], organization)
        yield from _wide_facts(wide, members, roles[first_wide:], groups[first_wide:], organization)

    _insert(
        connection,
        schema.intervals,
        (
            {
                "kind": int(fact.kind),
                "holder": fact.holder,
                "thing": fact.thing,
                "scope": fact.scope,
                "value": fact.value,
                "revision_from": end.revision,
            }
            for fact in facts()
        ),
    )
    connection.execute(schema.head.update().values(last_key=members[-1]))


def _wide_facts(
    wide: Sequence[int], members: Sequence[int], roles: Sequence[int], groups: Sequence[int], organization: int
) -> Iterator[Fact]:
    """For each number, so many members who hold a role, and who are in a group."""
    for holders, role, group in zip(wide, roles[::2], groups, strict=True):
        for member in members[:holders]:
            yield Fact(FactKind.ROLE_ATTACHMENT, member, role, organization)
            yield Fact(FactKind.GROUP_MEMBERSHIP, member, group, organization)


def document(policy: Policy) -> dict[str, Any]:
    """The policy as people write one for Rescind."""
    statement: dict[str, Any] = {
        "Effect": "Deny" if policy.is_deny else "Allow",
        "Action": policy.action,
        "Resource": policy.resource,
    }
    if policy.needs_mfa:
        statement["Condition"] = {"Bool": {"context.mfa": "true"}}
    return {"Statement": [statement]}


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        connection.execute(table.insert(), chunk)


def _policy(chance: random.Random, number: int) -> Policy:
    service, thing, verb = chance.randrange(SERVICES), f"thing{chance.randrange(THINGS)}", chance.choice(VERBS)
    everything, exact = f"svc{service}.*", f"svc{service}.{thing}.{verb}"
    action = chance.choices([f"svc{service}.{thing}.*", everything, exact], [60, 15, 25])[0]
    region = chance.choice(["", "", f"{chance.choice(REGIONS)}-"])
    resource = "*" if action == everything else f"{thing}:{region}*"
    # By number, so that the smallest world has its share; some are both.
    return Policy(number % 10 == 0, action, resource, number % 11 == 0)


def _question(chance: random.Random, user: int, pattern: str) -> Question:
    """A question about a random resource and an action that the pattern covers; its parts are those of no pattern."""
    parts = pattern.split(".")
    service = parts[0] if parts[0] != "*" else f"svc{chance.randrange(SERVICES)}"
    thing = parts[1] if len(parts) > 1 and parts[1] != "*" else f"thing{chance.randrange(THINGS)}"
    verb = parts[2] if len(parts) > 2 and parts[2] != "*" else chance.choice(VERBS)
    identity = f"{chance.choice(REGIONS)}-{chance.randrange(1_000_000)}"
    return Question(user, f"{service}.{thing}.{verb}", thing, identity, chance.random() < 0.8)


def _applies(policy: Policy, question: Question) -> bool:
    return (
        _covers(policy.action, question.action)
        and _covers(policy.resource, f"{question.resource_type}:{question.resource_id}")
        and (question.mfa or not policy.needs_mfa)
    )


def _covers(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
