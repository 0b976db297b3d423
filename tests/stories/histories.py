"""Random histories through the use cases, and the log's own account of them as the specification reads it."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from rescind.decision.decide import AccessRequest, Decision, decide
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.errors import Refusal
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.node import Node
from rescind.store.schema import intervals
from rescind.usecases import groups, organizations, policies, roles, users
from rescind.usecases.unit import Unit

Row = dict[str, Any]
EDGES = ("group_membership", "role_attachment", "policy_attachment", "permission_grant")


class History:
    """One organization that a test acts on as its operator, with two users, groups, roles and policies by number."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.organization = 0
        self.users: list[str] = []
        self.groups: list[str] = []
        self.roles: list[str] = []
        self.policies: list[str] = []
        self.found()

    def found(self) -> None:
        """Make the organization and what is in it."""

        def make(unit: Unit) -> None:
            self.organization = organizations.found(unit, name="Story", type_="Personal/Team").key
            for number in range(2):
                made = users.create(
                    unit,
                    name=f"User {number}",
                    first_name="",
                    last_name="",
                    email=f"{uuid.uuid4()}@example.org",
                    password_verifier=None,
                    api_enabled=True,
                    acls=[],
                    is_service=False,
                )
                self.users.append(made.id)
                self.groups.append(groups.create(unit, name=f"Group {number}", description=""))
                self.roles.append(
                    roles.create(unit, name="Role", description="", role_type="assignable", max_session_duration=3600)
                )

        self.act(make)
        for number in range(3):
            effect = "Deny" if number == 2 else "Allow"
            statement = {"Effect": effect, "Action": f"a{number}" if number else "*", "Resource": "*"}
            self.policies.append(
                self.act(policies.create, name="Policy", description="", document={"Statement": statement}, version="1")
            )

    def act(self, usecase: Callable[..., Any], **arguments: Any) -> Any:
        """Run a use case inside the organization and return what it returned; None if it was refused."""

        def inside(unit: Unit) -> Any:
            if self.organization:
                unit.organization = self.organization
            return usecase(unit, **arguments)

        try:
            return self.node.service.operate("test", str(uuid.uuid4()), inside).result
        except Refusal:
            return None

    def suspend(self, unit: Unit, *, user: str) -> None:
        """Suspend a member; the operator may suspend anybody, so no actor is asked for."""
        membership = unit.member(user).membership
        unit.open(Fact(FactKind.SUSPENSION, membership.key, scope=unit.organization))

    def standing_edges(self) -> set[tuple[str, int, int]]:
        """The edges that nothing has ended: what was deleted at their ends can be restored, a membership cannot."""
        facts = [row for row in self.rows() if row["revision_to"] is None]
        living = {row["holder"] for row in facts if row["kind"] == "existence"}
        with self.node.store.reading(self.revision, 0) as reader:
            kinds = reader.objects({row["holder"] for row in facts})
        return {
            (row["kind"], row["holder"], row["thing"])
            for row in facts
            if row["kind"] in EDGES
            and (row["holder"] in living or kinds[row["holder"]].kind is not ObjectKind.MEMBERSHIP)
        }

    def join(self, number: int) -> None:
        """Invite a user again who left."""

        def again(unit: Unit) -> None:
            user = unit.reader.find_object(ObjectKind.USER, self.users[number])
            assert user is not None
            if unit.membership_of(user) is None:
                users.join(unit, user, api_enabled=True)

        self.act(again)

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self.node.freshness.now().revision

    def rows(self) -> list[Row]:
        """Every interval that was ever written about this organization, as the specification reads it."""
        with self.node.store.snapshot() as connection:
            wanted = sa.select(intervals).where(intervals.c.holder >= self.organization)
            return [as_specified(row) for row in connection.execute(wanted)]

    def key(self, number: int) -> int:
        """The key of a user."""
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            user = reader.find_object(ObjectKind.USER, self.users[number])
        assert user is not None
        return user.key

    def decide(self, number: int, action: str, revision: int, instant: int) -> Decision:
        """What the product decides for a user, loaded from the store as of a revision."""
        with self.node.store.reading(revision, instant) as reader:
            principal = principal_of(reader, self.key(number), self.organization)
            return decide(AccessRequest(action, "thing", "t1"), snapshot_of(reader, principal))


def as_specified(row: sa.Row[Any]) -> Row:
    """An interval's row as the specification reads it."""
    return {
        "kind": FactKind(row.kind).label,
        "holder": row.holder,
        "thing": row.thing or None,
        "scope": row.scope or None,
        "value": row.value,
        "expires_at": row.expires_at,
        "revision_from": row.revision_from,
        "revision_to": row.revision_to,
    }


def question(user: int, organization: int, action: str) -> dict[str, Any]:
    """The same question for the specification."""
    return {
        "user": user,
        "organization": organization,
        "action": action,
        "resource": {"type": "thing", "id": "t1"},
        "subject": {},
        "context": {},
        "action_properties": {},
    }


def documents() -> list[dict[str, Any]]:
    """Documents that an edit may put in place."""
    return [
        {"Statement": [{"Effect": "Allow", "Action": "a1", "Resource": "*"}]},
        {"Statement": [{"Effect": "Deny", "Action": "a*", "Resource": "thing:*"}]},
        json.loads('{"Statement": {"Effect": "Allow", "Action": ["a0", "a2"], "Resource": ["t1"]}}'),
    ]
