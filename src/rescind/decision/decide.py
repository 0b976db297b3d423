"""The decision: state first, then root, then explicit deny, then allow; otherwise deny."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rescind.decision.conditions import holds
from rescind.decision.match import matches, matches_resource
from rescind.decision.snapshot import Path, Snapshot
from rescind.decision.trusts import unmet
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.conditions import Effect
from rescind.model.documents import Statement
from rescind.model.facts import FactKind
from rescind.model.literals import literal
from rescind.model.objects import PLATFORM

ASSUME_ROLE = "iam.role.AssumeRole"


About = tuple[str, str, str]
"""An action, and the type and id of the resource that it is on."""


class Reason(StrEnum):
    """Why a decision fell, in the order in which they are looked at."""

    ACCOUNT_ENDED = "account_ended"
    ACCOUNT_BLOCKED = "account_blocked"
    ORGANIZATION_ENDED = "organization_ended"
    NOT_A_MEMBER = "not_a_member"
    SUSPENDED = "suspended"
    SESSION_ENDED = "session_ended"
    OUTSIDE_TERMS = "outside_terms"
    ROOT = "root"
    EXPLICIT_DENY = "explicit_deny"
    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicit_deny"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """May the principal do `action` to the resource? `resource_id` is empty for a call without a target.

    `attributes` are what conditions read: nested JSON under `subject`, `resource`, `action` and `context`. The user
    behind a session is `subject.user`.
    """

    action: str
    resource_type: str
    resource_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> About:
        """What patterns are held against."""
        return self.action, self.resource_type, self.resource_id


@dataclass(frozen=True, slots=True)
class Ground:
    """One statement that decided (the policy's key, the statement's index from 0) and one path to it."""

    policy: int
    statement: int
    path: Path


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer with its reasons. Asking again at `revision` and `instant` gives the same."""

    allowed: bool
    reason: Reason
    because: tuple[Ground, ...]
    revision: int
    instant: int


def decide(request: AccessRequest, snapshot: Snapshot) -> Decision:
    """Decide one request. `because` holds every deciding statement with every path to it.

    On a registered API nothing allows but a permission to its scope, not even to own the organization; every Deny
    counts. On the API that manages this server nothing that was given inside an organization allows.
    """
    state = state_of(request, snapshot)
    on_api = request.resource_type == RESOURCE_TYPE
    if state is not None and not (on_api and state is Reason.ROOT):
        return _decision(snapshot, state is Reason.ROOT, state)
    about, within = request.about, snapshot.principal.organization != PLATFORM
    grounds: dict[Effect, list[Ground]] = {Effect.DENY: [], Effect.ALLOW: []}
    for reach, index, statement in snapshot.speaking_of(request.action):
        is_of_api = on_api and snapshot.is_of_api(reach.policy)
        if speaks_of(statement, about, is_of_api=is_of_api, within=within) and _holds(statement, request):
            grounds[statement.effect].append(Ground(reach.policy, index, reach.path))
    if grounds[Effect.DENY]:
        return _decision(snapshot, False, Reason.EXPLICIT_DENY, grounds[Effect.DENY])
    if grounds[Effect.ALLOW]:
        return _decision(snapshot, True, Reason.ALLOWED, grounds[Effect.ALLOW])
    return _decision(snapshot, False, Reason.IMPLICIT_DENY)


def speaks_of(statement: Statement, about: About, *, is_of_api: bool, within: bool) -> bool:
    """Whether a statement counts for a request, if its condition holds.

    `is_of_api` says that it is one that allows on registered APIs, `within` that an organization is asked about.
    """
    action, resource_type, resource_id = about
    if resource_type == RESOURCE_TYPE and statement.effect is Effect.ALLOW:
        is_out_of_reach = within and resource_id == SYSTEM_API
        if is_out_of_reach or not is_of_api:
            return False
    spoken_action, spoken_id = literal(action), literal(resource_id)
    return any(matches(pattern, spoken_action) for pattern in statement.actions) and any(
        matches_resource(pattern, resource_type, spoken_id) for pattern in statement.resources
    )


def is_root(snapshot: Snapshot) -> bool:
    """Whether the principal is the organization's root, and in a state that lets a root act."""
    return not snapshot.principal.session and _standing(snapshot) is Reason.ROOT


def state_of(request: AccessRequest, snapshot: Snapshot) -> Reason | None:
    """The reason that lies in states and root ownership, or None if statements decide.

    A session is asked whether it lives, and whether its trust lets it be used from here and now; never is it root.
    """
    standing = _standing(snapshot)
    if not snapshot.principal.session or standing not in (None, Reason.ROOT):
        return standing
    assumption = snapshot.assumption
    if assumption is None or not _may_assume(request, snapshot, assumption.role_id):
        return Reason.SESSION_ENDED
    address = _part(request.attributes, "context").get("source_ip")
    return Reason.OUTSIDE_TERMS if unmet(assumption.terms, address, snapshot.instant) else None


def _may_assume(request: AccessRequest, snapshot: Snapshot, role_id: str) -> bool:
    """Whether the user behind a session may still assume its role: decided for her, in these circumstances."""
    attributes = {
        "subject": _part(_part(request.attributes, "subject"), "user"),
        "resource": {"type": "role", "id": role_id},
        "action": {"name": ASSUME_ROLE},
        "context": _part(request.attributes, "context"),
    }
    herself = replace(snapshot, principal=replace(snapshot.principal, session=PLATFORM))
    return decide(AccessRequest(ASSUME_ROLE, "role", role_id, attributes), herself).allowed


def _part(attributes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the attributes; empty where there is none, or something else stands in its place."""
    part = attributes.get(name)
    return part if isinstance(part, Mapping) else {}


def _standing(snapshot: Snapshot) -> Reason | None:
    """The reason that lies in account, organization and membership."""
    principal = snapshot.principal
    if not snapshot.exists(principal.user):
        return Reason.ACCOUNT_ENDED
    if snapshot.held(principal.user, FactKind.BLOCK):
        return Reason.ACCOUNT_BLOCKED
    if principal.organization == PLATFORM:
        return None
    if not snapshot.exists(principal.organization):
        return Reason.ORGANIZATION_ENDED
    if not snapshot.exists(principal.membership):
        return Reason.NOT_A_MEMBER
    if snapshot.held(principal.membership, FactKind.SUSPENSION):
        return Reason.SUSPENDED
    if snapshot.held(principal.membership, FactKind.ROOT):
        return Reason.ROOT
    return None


def _holds(statement: Statement, request: AccessRequest) -> bool:
    return statement.condition is None or holds(statement.condition, request.attributes, effect=statement.effect)


def _decision(snapshot: Snapshot, allowed: bool, reason: Reason, because: list[Ground] | None = None) -> Decision:
    return Decision(allowed, reason, tuple(because or ()), snapshot.revision, snapshot.instant)
