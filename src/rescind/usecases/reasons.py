"""Reasons: why a decision falls, what somebody has by which paths, and who could do something."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from msgspec.structs import replace as altered

from rescind.decision.cut import smallest_cut
from rescind.decision.decide import AccessRequest, Decision, Ground, Reason, decide, speaks_of
from rescind.decision.effective import effective_permissions
from rescind.decision.impact import Access, Loss, access_of
from rescind.decision.remains import Settled, remains
from rescind.decision.snapshot import Snapshot
from rescind.engine.decisions import Question
from rescind.engine.principals import named, snapshot_of
from rescind.model.conditions import Condition, Effect
from rescind.model.documents import Statement
from rescind.model.errors import NotFound, Refusal
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object
from rescind.store.contract import Window
from rescind.usecases.decision_points import EXPLAIN, elsewhere, organization_named
from rescind.usecases.impacts import Loses, explained
from rescind.usecases.paths import Step, steps_of
from rescind.usecases.properties import PRINCIPAL
from rescind.usecases.questions import Weighed, posed, resource_of, weigh
from rescind.usecases.searches import candidates_around, name_of
from rescind.usecases.service import in_named_organization
from rescind.usecases.unit import View


@dataclass(frozen=True, slots=True)
class Because:
    """A statement (`index` from 0) of a policy or permission, and every path to it."""

    policy: Object
    name: str
    index: int
    statement: Statement
    paths: Sequence[Sequence[Step]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, what decided it, and of an allow a smallest set of edges whose removal would end it."""

    allowed: bool
    reason: str
    because: Sequence[Because]
    ends_with: Sequence[Step]
    revision: int
    instant: int


@dataclass(frozen=True, slots=True)
class AccessView:
    """What a principal has in a scope at a revision and instant: its state, and every statement with its paths."""

    principal: Object
    state: Reason | None
    permissions: Sequence[Because]
    revision: int
    instant: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What one access has that the other has not: the first rows of each, and how many more there are."""

    lost: Sequence[Loses]
    more_lost: int
    gained: Sequence[Loses]
    more_gained: int


class When(StrEnum):
    """Whether somebody may whatever else a request brings."""

    ALWAYS = "always"
    ONLY_IF = "only_if"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may: always, or only if one of `conditions` holds and none of `unless` does."""

    type: str
    name: str
    when: When
    conditions: Sequence[Condition]
    unless: Sequence[Condition]
    because: Sequence[Because]


_OPEN = (Reason.ALLOWED, Reason.EXPLICIT_DENY, Reason.IMPLICIT_DENY, Reason.OUTSIDE_TERMS)
"""Decisions that statements make, or that hang on where and when a session is used."""


def explain(view: View, question: Question) -> Explanation:
    """Decide a question and say why, in the scope of who asks, or in the one that the question's context names."""
    view = _there(view, question)
    asked = weigh(view.reader, altered(question, scope=view.organization))
    if asked is None or (view.organization != PLATFORM and not asked.snapshot.principal.membership):
        # Who is no member here is unknown here, whoever he is elsewhere.
        return Explanation(False, "unknown_subject", (), (), view.reader.revision, view.reader.instant)
    decision = asked.decision
    paths = [ground.path for ground in decision.because]
    if decision.reason is Reason.ROOT:
        paths = [(root,) for root in asked.snapshot.held(asked.snapshot.principal.membership, FactKind.ROOT)]
        paths += [ground.path for ground in _without_root(asked).because]
    cut = [(edge,) for edge in smallest_cut(paths)] if decision.allowed else []
    return Explanation(
        decision.allowed,
        decision.reason,
        _because(view, asked.snapshot, decision.because),
        [step for path in steps_of(view, cut) for step in path],
        decision.revision,
        decision.instant,
    )


def _without_root(asked: Weighed) -> Decision:
    """What would be decided if the organization were not one's own: nothing is granted by a Deny."""
    snapshot = asked.snapshot
    facts = {
        holder: [fact for fact in held if fact.kind is not FactKind.ROOT] for holder, held in snapshot.facts.items()
    }
    decision = decide(asked.request, replace(snapshot, facts=facts))
    return decision if decision.allowed else replace(decision, because=())


def access(view: View, *, principal: str, type_: str) -> AccessView:
    """What a principal has here."""
    snapshot = _snapshot(view, principal, type_)
    who = snapshot.principal.session or snapshot.principal.user
    grounds = [Ground(held.policy, held.index, path) for held in effective_permissions(snapshot) for path in held.paths]
    return AccessView(
        view.reader.objects([who])[who],
        access_of(snapshot).state,
        _because(view, snapshot, grounds),
        view.reader.revision,
        view.reader.instant,
    )


def access_then(
    view: View, past: Sequence[View], *, principal: str, type_: str, is_past: bool, is_compared: bool
) -> tuple[AccessView, Difference | None]:
    """What a principal has, or had at the first moment of the past; and what came and went since the last."""
    then = past[0] if is_past else view
    if not any(_is_known(one, principal, type_) for one in (then, *past[-1:])):
        raise NotFound(PRINCIPAL)
    compared = difference(past[-1], then, principal=principal, type_=type_) if is_compared else None
    return access(then, principal=principal, type_=type_), compared


def difference(before: View, after: View, *, principal: str, type_: str) -> Difference:
    """What a principal lost and gained from one view to another. Raises `TooMuchWork`."""
    was, became = (_access(view, principal, type_) for view in (before, after))
    lost, gained = explained(Loss(was, became).rows, before, after), explained(Loss(became, was).rows, after, before)
    return Difference(*lost, *gained)


def who_can(view: View, question: Question, window: Window) -> tuple[Sequence[Candidate], int | None]:
    """The principals of the question's type who may, and where the rest begins, if there is any."""
    view = _there(view, question)
    question = altered(question, scope=view.organization)
    found: list[Candidate] = []
    last = None
    for place, candidate in _possible(view, question, window.after or 0):
        if len(found) == window.limit:
            return found, last
        found.append(candidate)
        last = place
    return found, None


def _possible(view: View, question: Question, after: int) -> Iterator[tuple[int, Candidate]]:
    resource = resource_of(view.reader, question)
    for candidate, snapshot in candidates_around(view.reader, question, after):
        asked = posed(view.reader, question, snapshot, resource)
        found = _candidate(view, snapshot, name_of(view.reader, candidate, snapshot), asked.request)
        if found is not None:
            yield candidate.key, found


def _candidate(view: View, snapshot: Snapshot, name: str, request: AccessRequest) -> Candidate | None:
    """Somebody as one who may, or None if nothing that a request brings could make it so."""
    type_ = str(request.attributes["subject"]["type"])
    reason = decide(request, snapshot).reason
    if reason is Reason.ROOT:
        return Candidate(type_, name, When.ALWAYS, (), (), ())
    is_session_open = reason is Reason.SESSION_ENDED and snapshot.assumption is not None
    if reason not in _OPEN and not is_session_open:
        return None
    may, unless, grounds = _sides(snapshot, request)
    if not grounds or None in unless:
        return None
    is_certain = None in may
    is_always = is_certain and not unless and reason is not Reason.OUTSIDE_TERMS and not is_session_open
    return Candidate(
        type_,
        name,
        When.ALWAYS if is_always else When.ONLY_IF,
        () if is_certain else tuple(condition for condition in may if condition),
        tuple(condition for condition in unless if condition),
        _because(view, snapshot, grounds),
    )


def _sides(
    snapshot: Snapshot, request: AccessRequest
) -> tuple[list[Condition | None], list[Condition | None], list[Ground]]:
    """What remains of the conditions of each Allow and each Deny that may count, None for nothing, and the Allows."""
    may: list[Condition | None] = []
    unless: list[Condition | None] = []
    grounds: list[Ground] = []
    for held in effective_permissions(snapshot):
        is_of_api = snapshot.is_of_api(held.policy)
        within = snapshot.principal.organization != PLATFORM
        if not speaks_of(held.statement, request.about, is_of_api=is_of_api, within=within):
            continue
        settled, left = remains(held.statement.condition, request.attributes, held.statement.effect)
        if settled is Settled.FAILS:
            continue
        if held.statement.effect is Effect.DENY:
            unless.append(left)
        else:
            may.append(left)
            grounds += [Ground(held.policy, held.index, path) for path in held.paths]
    return may, unless, grounds


def _there(view: View, question: Question) -> View:
    """The view of the organization that a question's context names. Raises `Forbidden` in one and the same words."""
    name = question.context.get("organization")
    if name is None:
        return view
    found = organization_named(view.reader, name) if isinstance(name, str) else None
    if found is None:
        raise elsewhere()
    if found.key == view.organization or view.is_administered:
        return view.inside(found.key)
    try:
        there = in_named_organization(view.reader, view.actor, found.id, may_have_ended=False)
    except Refusal:
        raise elsewhere() from None
    if not there.may(EXPLAIN, "organization", found.id):
        raise elsewhere()
    return View(view.reader, there, found.key, view.issuer)


def _snapshot(view: View, principal: str, type_: str) -> Snapshot:
    found = named(view.reader, view.organization, type_, principal)
    if found is None:
        raise NotFound(PRINCIPAL)
    return snapshot_of(view.reader, found)


def _access(view: View, principal: str, type_: str) -> Access:
    """What somebody may do there; nothing, where there is nobody of that name."""
    try:
        return access_of(_snapshot(view, principal, type_))
    except NotFound:
        return Access(Reason.ACCOUNT_ENDED, (), view.organization != PLATFORM)


def _is_known(view: View, principal: str, type_: str) -> bool:
    """Whether there is somebody of that name here: inside an organization, who is or was a member then."""
    found = named(view.reader, view.organization, type_, principal)
    return found is not None and (view.organization == PLATFORM or found.membership != PLATFORM)


def _because(view: View, snapshot: Snapshot, grounds: Sequence[Ground]) -> list[Because]:
    """Grounds by statement, in the order in which they were found."""
    by_statement: dict[tuple[int, int], list[tuple[Fact, ...]]] = {}
    for ground in grounds:
        by_statement.setdefault((ground.policy, ground.statement), []).append(ground.path)
    keys = {policy for policy, _ in by_statement}
    objects, profiles = view.reader.objects(keys), view.reader.profiles(keys)
    return [
        Because(
            objects[policy],
            profiles[policy].get("name", ""),
            index,
            snapshot.statements(policy)[index],
            steps_of(view, paths),
        )
        for (policy, index), paths in by_statement.items()
    ]
