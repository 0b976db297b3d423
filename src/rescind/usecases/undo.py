"""Undo: what a change took is granted again, as far as that still makes sense; the rest is reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rescind.engine.resources import RESOURCE_FIELD
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.changes import Change
from rescind.model.conditions import Effect
from rescind.model.documents import statements_of
from rescind.model.errors import Forbidden
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import client_grants, history, organizations
from rescind.usecases.unit import Unit

_EDGES = (
    FactKind.GROUP_MEMBERSHIP,
    FactKind.ROLE_ATTACHMENT,
    FactKind.POLICY_ATTACHMENT,
    FactKind.PERMISSION_GRANT,
    FactKind.CLIENT_GRANT,
    FactKind.GRANT_USAGE,
    FactKind.PROPERTIES,
    FactKind.ROOT,
    FactKind.API_ACCESS,
    FactKind.TRUST,
    FactKind.TRUSTED_PARTY,
)
_VALUES = (FactKind.DOCUMENT, FactKind.ROLE_DEFINITION, FactKind.GRANT_DEFINITION, FactKind.PROPERTIES)
_HELD_BACK = (FactKind.SUSPENSION, FactKind.BLOCK)
_COME_BACK = (
    ObjectKind.GROUP,
    ObjectKind.ROLE,
    ObjectKind.ROLE_TRUST,
    ObjectKind.POLICY,
    ObjectKind.MEMBERSHIP,
    ObjectKind.ORGANIZATION,
    ObjectKind.CLIENT_GRANT,
    ObjectKind.RESOURCE,
)

_HANGING = (ObjectKind.MEMBERSHIP, ObjectKind.ROLE_TRUST, ObjectKind.CLIENT_GRANT)
"""What comes back only where something else is there."""

_RIGHTS: Mapping[tuple[FactKind, ObjectKind], tuple[str, str, str]] = {
    (FactKind.ROLE_ATTACHMENT, ObjectKind.MEMBERSHIP): (
        "iam.role.AttachUser",
        "role",
        "create:organization_member_roles",
    ),
    (FactKind.ROLE_ATTACHMENT, ObjectKind.USER): ("iam.role.AttachUser", "role", "update:users"),
    (FactKind.ROLE_ATTACHMENT, ObjectKind.GROUP): ("iam.role.AttachGroup", "role", "create:group_roles"),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.MEMBERSHIP): ("iam.policy.AttachUser", "policy", "update:users"),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.USER): ("iam.policy.AttachUser", "policy", "update:users"),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.GROUP): ("iam.policy.AttachGroup", "policy", "update:users"),
    (FactKind.POLICY_ATTACHMENT, ObjectKind.ROLE): ("iam.role.AttachPolicy", "role", "update:roles"),
    (FactKind.PERMISSION_GRANT, ObjectKind.MEMBERSHIP): ("account.user.Update", "user", "update:users"),
    (FactKind.PERMISSION_GRANT, ObjectKind.USER): ("account.user.Update", "user", "update:users"),
    (FactKind.PERMISSION_GRANT, ObjectKind.ROLE): ("iam.role.AttachPolicy", "role", "update:roles"),
    (FactKind.PERMISSION_GRANT, ObjectKind.CLIENT_GRANT): ("iam.Escalate", "organization", "update:client_grants"),
    (FactKind.CLIENT_GRANT, ObjectKind.CLIENT): ("iam.Escalate", "organization", "create:client_grants"),
    (FactKind.GROUP_MEMBERSHIP, ObjectKind.MEMBERSHIP): ("iam.group.AddMember", "group", "create:group_members"),
    (FactKind.API_ACCESS, ObjectKind.MEMBERSHIP): ("account.user.Update", "user", "update:users"),
    (FactKind.SUSPENSION, ObjectKind.MEMBERSHIP): ("iam.organization.UnsuspendUser", "organization", "update:users"),
    (FactKind.BLOCK, ObjectKind.USER): ("iam.Escalate", "organization", "update:users"),
    (FactKind.DOCUMENT, ObjectKind.POLICY): ("iam.policy.Update", "policy", "update:roles"),
    (FactKind.ROLE_DEFINITION, ObjectKind.ROLE): ("iam.role.Update", "role", "update:roles"),
    (FactKind.GRANT_DEFINITION, ObjectKind.CLIENT_GRANT): ("iam.Escalate", "organization", "update:client_grants"),
    (FactKind.GRANT_USAGE, ObjectKind.CLIENT_GRANT): (
        "iam.Escalate",
        "organization",
        "create:organization_client_grants",
    ),
    (FactKind.PROPERTIES, ObjectKind.MEMBERSHIP): ("iam.property.Update", "user", "iam.property.Update"),
    (FactKind.PROPERTIES, ObjectKind.USER): ("iam.property.Update", "user", "iam.property.Update"),
    (FactKind.PROPERTIES, ObjectKind.CLIENT): ("iam.property.Update", "user", "iam.property.Update"),
    (FactKind.PROPERTIES, ObjectKind.RESOURCE): ("iam.resource.Update", "organization", "iam.resource.Update"),
    (FactKind.TRUST, ObjectKind.ROLE_TRUST): ("iam.roletrust.Update", "roletrust", "update:roles"),
    (FactKind.TRUSTED_PARTY, ObjectKind.ROLE_TRUST): ("iam.roletrust.Update", "roletrust", "update:roles"),
    (FactKind.EXISTENCE, ObjectKind.ROLE): ("iam.role.Restore", "role", "create:roles"),
    (FactKind.EXISTENCE, ObjectKind.ROLE_TRUST): ("iam.roletrust.Restore", "roletrust", "create:roles"),
    (FactKind.EXISTENCE, ObjectKind.CLIENT_GRANT): ("iam.Escalate", "organization", "create:client_grants"),
    (FactKind.EXISTENCE, ObjectKind.RESOURCE): ("iam.resource.Update", "organization", "iam.resource.Update"),
    (FactKind.EXISTENCE, ObjectKind.GROUP): ("iam.group.Restore", "group", "create:groups"),
    (FactKind.EXISTENCE, ObjectKind.POLICY): ("iam.policy.Restore", "policy", "create:roles"),
    (FactKind.EXISTENCE, ObjectKind.MEMBERSHIP): ("iam.invitation.Create", "invitation", "create:organization_members"),
    (FactKind.EXISTENCE, ObjectKind.ORGANIZATION): ("iam.organization.Restore", "organization", "create:organizations"),
}
"""Who may grant what by hand: action and type of its target inside an organization, scope outside."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that a change took and that is not granted again, as the log says it, and why not."""

    fact: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Undone:
    """How many facts are so again, and what is left as it is."""

    granted: int
    left: Sequence[Left]


def undo(unit: Unit, *, revision: str) -> Undone:
    """Grant again exactly what a change took, in one change. Raises `Forbidden` for what the actor may not grant.

    Credentials, sessions and accounts do not come back. A person who was removed comes back with what she had, unless
    she is a member again.
    """
    change = history.found(unit, revision)
    unit.cause = {"undoes": change.revision}
    return _Undoing(unit, change).run()


def _outlasts(one: Fact, other: Fact) -> bool:
    """Whether time ends one fact later than another."""
    return other.expires_at is not None and (one.expires_at is None or one.expires_at > other.expires_at)


class _Undoing:
    def __init__(self, unit: Unit, change: Change) -> None:
        self._unit = unit
        self._change = change
        body = change.read()
        self._closed, self._opened = body["closed"], body["opened"]
        names = {one[end] for one in (*self._closed, *self._opened) for end in ("holder", "thing", "scope") if one[end]}
        self._objects = unit.reader.find_objects(names)
        self._granted = 0
        self._left: list[Left] = []
        self._returned: set[int] = set()

    def run(self) -> Undone:
        for said in sorted(self._closed, key=self._turn):
            fact = history.fact_in(self._objects, said)
            why = self._reopen(fact)
            if why:
                self._left.append(Left(said, why))
        for said in self._opened:
            self._lift(history.fact_in(self._objects, said))
        return Undone(self._granted, self._left)

    def _turn(self, said: Mapping[str, Any]) -> int:
        """When a fact has its turn: what exists again, then what hangs on that, and edges, which need both ends."""
        if said["fact"] != FactKind.EXISTENCE.label:
            return 2
        return int(self._objects[said["holder"]].kind in _HANGING)

    def _holder(self, fact: Fact) -> Object:
        return next(found for found in self._objects.values() if found.key == fact.holder)

    def _reopen(self, fact: Fact) -> str | None:
        """Make a fact so again, or say why not."""
        unit = self._unit
        if not fact.alive(unit.reader.instant):
            return "time has ended it"
        living = self._living(fact)
        if living is not None and living.fact == fact:
            return None
        if fact.kind in _VALUES and (living is not None or fact.kind not in _EDGES):
            return self._revert(fact, living)
        if fact.kind is FactKind.EXISTENCE:
            return self._bring_back(fact)
        if fact.kind not in _EDGES:
            return "it is nothing that is granted"
        return self._attach(fact, living)

    def _attach(self, fact: Fact, living: Interval | None) -> str | None:
        if living is not None and living.revision_from != self._change.revision:
            return "there is another in its place by now"
        if living is not None and not _outlasts(fact, living.fact):
            # It was not taken: it got a later end, or none.
            return None
        if not all(self._is_there(key) for key in (fact.holder, fact.thing, fact.scope)):
            return "what it hung on is gone"
        if fact.kind in (FactKind.TRUST, FactKind.TRUSTED_PARTY) and not self._make_way(fact):
            return "there is another in its place by now"
        if fact.kind is FactKind.GRANT_USAGE and not client_grants.is_for_organizations(self._unit, self._holder(fact)):
            return "the client grant may not be used in organizations any more"
        self._grant(fact)
        return None

    def _make_way(self, fact: Fact) -> bool:
        """Close what the change put in the place of a trust's role, or party of a kind; say whether nothing is left."""
        unit, kind = self._unit, self._unit.kind_of(fact.thing)
        others = [held for held in unit.intervals(fact.holder, fact.kind) if unit.kind_of(held.fact.thing) is kind]
        if any(held.revision_from != self._change.revision for held in others):
            return False
        for held in others:
            unit.close_interval(held)
        return True

    def _revert(self, fact: Fact, living: Interval | None) -> str | None:
        if living is None or living.revision_from != self._change.revision:
            return "it was changed again since"
        if not self._is_there(fact.holder):
            return "what it hung on is gone"
        self._grant(fact)
        return None

    def _bring_back(self, fact: Fact) -> str | None:
        found = self._holder(fact)
        if found.kind not in _COME_BACK:
            return f"no {found.kind.label} comes back"
        if found.kind is ObjectKind.MEMBERSHIP:
            joined = self._unit.intervals_on(fact.thing, FactKind.EXISTENCE)
            if any(held.fact.scope == fact.scope for held in joined):
                return "the person is a member again"
            if not self._is_there(fact.thing) or not self._is_there(fact.scope):
                return "what it hung on is gone"
            if self._unit.asks is not None and self._unit.facts(found.key, FactKind.ROOT):
                self._demand_root()
            self._free_alias(found)
        why = self._why_not(found)
        if why:
            return why
        if found.kind is ObjectKind.ORGANIZATION:
            organizations.free_slug(self._unit, found)
        self._returned.add(fact.holder)
        self._grant(fact)
        return None

    def _why_not(self, found: Object) -> str | None:
        """Why what hangs on something else does not come back, or whose place is taken."""
        match found.kind:
            case ObjectKind.ROLE_TRUST if not self._has_its_role(found):
                return "what it hung on is gone"
            case ObjectKind.CLIENT_GRANT if not self._has_both_ends(found):
                return "what it hung on is gone"
            case ObjectKind.CLIENT_GRANT if self._is_granted_anew(found):
                return "the client was granted this API again"
            case ObjectKind.RESOURCE if self._is_registered_anew(found):
                return "there is another in its place by now"
            case _:
                return None

    def _lift(self, fact: Fact) -> None:
        """End what the change began to take with: a suspension, a block, an attached policy that only denies.

        So may what it was the first to store, which a Deny may read.
        """
        is_taking = (
            fact.kind in _HELD_BACK
            or (fact.kind is FactKind.POLICY_ATTACHMENT and self._only_denies(fact.thing))
            or (fact.kind is FactKind.PROPERTIES and not self._is_successor(fact))
        )
        living = self._living(fact)
        if is_taking and living is not None and living.revision_from == self._change.revision:
            self._demand(fact)
            self._unit.close(fact)
            self._granted += 1

    def _is_successor(self, fact: Fact) -> bool:
        """Whether the change put a fact in the place of another."""
        return any(history.fact_in(self._objects, said).place == fact.place for said in self._closed)

    def _only_denies(self, policy: int) -> bool:
        documents = self._unit.facts(policy, FactKind.DOCUMENT)
        said = [statement for held in documents for statement in statements_of(held.value or "")]
        return bool(said) and all(statement.effect is Effect.DENY for statement in said)

    def _grant(self, fact: Fact) -> None:
        self._demand(fact)
        self._unit.open(fact)
        self._granted += 1

    def _demand(self, fact: Fact) -> None:
        """Raise `Forbidden` unless the actor might grant this by itself."""
        if self._unit.asks is None:
            return
        actor, holder = self._unit.actor, self._holder(fact)
        if fact.kind is FactKind.ROOT:
            self._demand_root()
            return
        action, on, scope = _RIGHTS[fact.kind, holder.kind]
        allowed = (
            actor.may(scope, RESOURCE_TYPE, SYSTEM_API)
            if actor.is_administrator
            else actor.may(action, on, self._target(fact, holder, on))
        )
        if not allowed:
            raise Forbidden(f"not permitted to grant that again: `{scope if actor.is_administrator else action}`")

    def _demand_root(self) -> None:
        if not self._unit.actor.is_root and not self._unit.actor.is_client:
            raise Forbidden("only root may give ownership back")

    def _has_its_role(self, trust: Object) -> bool:
        return any(self._is_there(held.thing) for held in self._unit.facts(trust.key, FactKind.TRUST))

    def _has_both_ends(self, grant: Object) -> bool:
        clients = [edge.fact.holder for edge in self._unit.intervals_on(grant.key, FactKind.CLIENT_GRANT)]
        about = [held.thing for held in self._unit.facts(grant.key, FactKind.GRANT_DEFINITION)]
        return bool(clients and about) and all(map(self._is_there, (*clients, *about)))

    def _is_granted_anew(self, grant: Object) -> bool:
        unit = self._unit
        return any(
            client_grants.of_client(unit, client, one.api, one.terms.subject) is not None
            for one in client_grants.describe(unit, [grant])
            for edge in unit.intervals_on(grant.key, FactKind.CLIENT_GRANT)
            for client in unit.reader.objects([edge.fact.holder]).values()
        )

    def _is_registered_anew(self, resource: Object) -> bool:
        field = self._unit.reader.profiles([resource.key])[resource.key][RESOURCE_FIELD]
        return self._unit.reader.find_named(RESOURCE_FIELD, field) is not None

    def _free_alias(self, membership: Object) -> None:
        """An alias that somebody else has by now stays hers."""
        field = self._unit.reader.profiles([membership.key])[membership.key].get("alias")
        taken = self._unit.reader.find_named("alias", field) if field else None
        if taken is not None and taken.key != membership.key:
            self._unit.write_profile(membership, alias=None)

    def _target(self, fact: Fact, holder: Object, on: str) -> str:
        """The id of what the action is on: the holder, the thing, or the user behind a membership."""
        if on == "organization" and holder.kind in (ObjectKind.MEMBERSHIP, ObjectKind.RESOURCE):
            return self._unit.reader.objects([fact.scope])[fact.scope].id
        things = [found for found in self._objects.values() if found.key in (fact.thing, fact.holder)]
        for found in things:
            if found.kind.label.replace("_", "") == on:
                return found.id
        if on == "user" and holder.kind is ObjectKind.MEMBERSHIP:
            joined = self._unit.reader.intervals([holder.key], FactKind.EXISTENCE)
            if joined:
                return self._unit.reader.objects([joined[0].fact.thing])[joined[0].fact.thing].id
        return ""

    def _living(self, fact: Fact) -> Interval | None:
        held = self._unit.intervals(fact.holder, fact.kind)
        return next((interval for interval in held if interval.fact.place == fact.place), None)

    def _is_there(self, key: int) -> bool:
        return key == PLATFORM or key in self._returned or self._unit.exists(key)
