"""The one way in: every use case runs here, enforced, at one revision; every write in one transaction."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from rescind.engine.freshness import Freshness, Moment
from rescind.engine.kept import Made
from rescind.engine.principals import SESSION, USER, named
from rescind.model.changes import Change, Origin, Plan, is_same, touched_by
from rescind.model.errors import Changed, Forbidden, NotFound, Unauthenticated, UnknownAddress
from rescind.model.facts import FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.store.contract import Head, Reader, Store
from rescind.usecases import apis, sessions, tokens
from rescind.usecases.actor import (
    SESSION_PREFIX,
    Actor,
    Asking,
    Guest,
    admits_address,
    authenticate,
    authenticate_bearer,
    authenticate_client,
    find_credential,
    in_organization,
    is_signed,
    verifier_of,
    welcome,
)
from rescind.usecases.escalation import refuse_escalation
from rescind.usecases.impacts import Impact, Seen, impact_of, unseen
from rescind.usecases.issuer import Issuer
from rescind.usecases.requirements import Acting, Requirement
from rescind.usecases.unit import Unit, View

P = ParamSpec("P")
Result = TypeVar("Result")

NOBODY = "system"
"""Who acts where nobody needs to say who he is."""
FIRST_PREVIEWED_KEY = 1 << 62
"""Keys of what a preview would make: no object ever gets there."""
MET_MAX = 10_000
"""Credentials that are known to be none of a stranger, whatever became of them: they may wait for the lock at once."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    """What a use case said to whom, where, and when it is true. `change` is the log's entry if something changed."""

    result: Result
    moment: Moment
    asked: Actor | Guest | None
    organization: int
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request together with what its door requires of it.

    `target_id` names the object that the call is about: the first in its path, or else in its body. It may be a token.
    `impact` is the digest of the one that a write must have, `groups_from` the first group of one that a preview shows.
    """

    asking: Asking
    requirement: Requirement
    target_id: str = field(default="", repr=False)
    impact: str = ""
    groups_from: int = 0


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator at the machine itself, through a command, outside of organizations or in one: by id or slug.

    `impact` is the digest of the one that a write must have; `seen` hears of how far an impact has been found out.
    """

    command: str
    organization: str = ""
    impact: str = ""
    request_id: str = ""
    seen: Seen = unseen

    def place(self, reader: Reader) -> int:
        """The key of the organization. Raises `NotFound`."""
        if not self.organization:
            return PLATFORM
        name = self.organization
        found = reader.find_object(ObjectKind.ORGANIZATION, name) or reader.find_named("slug", name)
        if found is None or not reader.intervals([found.key], FactKind.EXISTENCE):
            raise NotFound(ObjectKind.ORGANIZATION.label)
        return found.key


class Service:
    """Runs use cases. `faithful_grants` lets everybody grant what he does not hold, for those who emulate.

    `used` hears of every membership, by key, that the API was used with, and when. `foresee` is asked before each
    commit for what is kept, and what takes its place when that is done.
    """

    def __init__(
        self,
        store: Store,
        freshness: Freshness,
        issuer: Issuer,
        *,
        faithful_grants: bool = False,
        used: Callable[[int, int], None] = lambda _, __: None,
        foresee: Callable[[Reader, Plan, Head], Sequence[tuple[Made[Any], Made[Any]]]] = lambda _, __, ___: (),
    ) -> None:
        self._store = store
        self._freshness = freshness
        self.issuer = issuer
        self._faithful_grants = faithful_grants
        self._note_use = used
        self._foresee = foresee
        self._met: set[str] = set()

    def read(
        self, call: Call, usecase: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[Result]:
        """Answer from the newest revision, if the actor may ask. Raises any refusal."""
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            asks, organization = admit(reader, call, self.issuer)
            self._used(asks, moment.instant)
            view = View(reader, asks, organization, self.issuer)
            return Answer(usecase(view, *args, **kwargs), moment, asks, view.organization)

    def read_across(
        self,
        call: Call,
        when: Callable[[View], Sequence[Moment]],
        usecase: Callable[Concatenate[View, Sequence[View], P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer[Result]:
        """Answer from the newest revision and from the moments that `when` names; who may ask is asked now."""
        moment = self._freshness.now()
        with ExitStack() as stack:
            reader = stack.enter_context(self._store.reading(moment.revision, moment.instant))
            asks, organization = admit(reader, call, self.issuer)
            self._used(asks, moment.instant)
            view = View(reader, asks, organization, self.issuer)
            past = [View(self._reading_then(stack, then), asks, organization, self.issuer) for then in when(view)]
            return Answer(usecase(view, past, *args, **kwargs), moment, asks, organization)

    def admit(self, call: Call) -> None:
        """Refuse who may not make a call, whatever it is about."""
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            admit(reader, call, self.issuer)

    def write(
        self, call: Call, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[Result]:
        """Lock, decide the actor's right at that head, plan, commit. A refusal is raised, and nothing is written.

        Where the call names an impact, the write must have that one still: else `Changed`.
        """
        # A stranger must not stand in the queue for the lock.
        self._refuse_unknown(call)
        seen = self.preview(call, usecase, *args, **kwargs) if call.impact else None

        def planned(reader: Reader, next_key: int, now: int) -> tuple[Unit, Result, Origin]:
            return self._planned(reader, next_key, now, call, usecase, *args, **kwargs)

        return self._write(planned, call.impact, seen)

    def preview(
        self, call: Call, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[Impact]:
        """Plan a write at the newest revision and say what it would do. Raises what the write would; writes nothing."""
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            unit, _, _ = self._planned(reader, FIRST_PREVIEWED_KEY, moment.instant + 1, call, usecase, *args, **kwargs)
            return Answer(impact_of(unit, call.groups_from), moment, unit.asks, unit.organization)

    def preview_as(
        self, operator: Operator, usecase: Callable[Concatenate[Unit, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[Impact]:
        """What the operator's write would do."""
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            unit, _, _ = self._operated(
                reader, FIRST_PREVIEWED_KEY, moment.instant + 1, operator, usecase, *args, **kwargs
            )
            return Answer(impact_of(unit, seen=operator.seen), moment, None, unit.organization)

    def operate(
        self,
        operator: Operator | str,
        request_id: str,
        usecase: Callable[Concatenate[Unit, P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer[Result]:
        """The operator's write, from the machine itself: no actor, no requirement, the same transaction and log."""
        who = replace(Operator(operator) if isinstance(operator, str) else operator, request_id=request_id)

        seen = self.preview_as(who, usecase, *args, **kwargs) if who.impact else None

        def planned(reader: Reader, next_key: int, now: int) -> tuple[Unit, Result, Origin]:
            return self._operated(reader, next_key, now, who, usecase, *args, **kwargs)

        return self._write(planned, who.impact, seen)

    def _operated(
        self,
        reader: Reader,
        next_key: int,
        now: int,
        operator: Operator,
        usecase: Callable[Concatenate[Unit, P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[Unit, Result, Origin]:
        unit = Unit(reader, None, operator.place(reader), next_key=next_key, now=now, issuer=self.issuer)
        result = usecase(unit, *args, **kwargs)
        sessions.end_for_good(unit)
        actor = f"command:{operator.command}"
        origin = Origin(operation_of(usecase), operator.request_id, unit.organization, actor, cause=unit.cause)
        return unit, result, origin

    def inspect(
        self, usecase: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[Result]:
        """The operator's look, from the machine itself, at the newest revision."""
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            return Answer(usecase(View(reader, None, PLATFORM, self.issuer), *args, **kwargs), moment, None, PLATFORM)

    def inspect_as(
        self,
        operator: Operator,
        when: Callable[[View], Sequence[Moment]],
        usecase: Callable[Concatenate[View, Sequence[View], P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer[Result]:
        """The same where the operator looks, and at the moments that `when` names beside."""
        moment = self._freshness.now()
        with ExitStack() as stack:
            reader = stack.enter_context(self._store.reading(moment.revision, moment.instant))
            view = View(reader, None, operator.place(reader), self.issuer)
            past = [View(self._reading_then(stack, then), None, view.organization, self.issuer) for then in when(view)]
            return Answer(usecase(view, past, *args, **kwargs), moment, None, view.organization)

    def _reading_then(self, stack: ExitStack, then: Moment) -> Reader:
        return stack.enter_context(self._store.reading(then.revision, then.instant))

    def accept_loss(self, request_id: str) -> Change:
        """Take the log as it is for the whole of it, though nodes may have seen a longer one, and log that."""
        with self._store.writing() as writer:
            writer.accept_loss()
            return writer.commit(Plan(), Origin("platform.accept_loss", request_id, actor="command:recover"))

    def look(
        self, answer: Answer[Any], view: Callable[Concatenate[View, P], Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """What an answered write left behind, for its reply: a view of the same place, at its revision."""
        with self._store.reading(answer.moment.revision, answer.moment.instant) as reader:
            return view(View(reader, answer.asked, answer.organization, self.issuer), *args, **kwargs)

    def _planned(
        self,
        reader: Reader,
        next_key: int,
        now: int,
        call: Call,
        usecase: Callable[Concatenate[Unit, P], Result],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[Unit, Result, Origin]:
        """What a call would write, if it may: every rule of the house is asked here, for previews as for writes."""
        asks, organization = admit(reader, call, self.issuer)
        self._used(asks, reader.instant)
        unit = Unit(reader, asks, organization, next_key=next_key, now=now, issuer=self.issuer)
        result = usecase(unit, *args, **kwargs)
        sessions.end_for_good(unit)
        if not self._faithful_grants and isinstance(asks, Actor):
            refuse_escalation(unit)
        actor, credential = asks.names if asks else (NOBODY, None)
        origin = Origin(operation_of(usecase), call.asking.request_id, unit.organization, actor, credential, unit.cause)
        return unit, result, origin

    def _refuse_unknown(self, call: Call) -> None:
        acting = call.requirement.acting
        is_told_by_more = acting in (Acting.GUEST, Acting.PLATFORM, Acting.WITHIN, Acting.CLIENT)
        if not is_told_by_more and not is_signed(call.asking.token):
            verifier = verifier_of(call.asking.token or "")
            if verifier in self._met:
                return
            try:
                find_credential(self._store, call.asking)
            except Unauthenticated:
                # Nobody is a stranger to a log that went back: that is another refusal.
                self._freshness.now()
                raise
            if len(self._met) >= MET_MAX:
                self._met.clear()
            self._met.add(verifier)
            return
        moment = self._freshness.now()
        with self._store.reading(moment.revision, moment.instant) as reader:
            if acting is Acting.GUEST:
                welcome(reader, call.target_id)
            else:
                admit(reader, call, self.issuer)

    def _used(self, asks: Actor | Guest | None, instant: int) -> None:
        if isinstance(asks, Actor) and asks.organization:
            self._note_use(asks.snapshot.principal.membership, instant)

    def _write(
        self,
        planned: Callable[[Reader, int, int], tuple[Unit, Result, Origin]],
        impact: str = "",
        seen: Answer[Impact] | None = None,
    ) -> Answer[Result]:
        """Write what is planned under the lock, if it has the impact with that digest still; empty for any."""
        known = self._freshness.known
        with self._store.writing(known.revision if known else 0) as writer:
            moment = self._freshness.accept(writer.head, known)
            now = max(writer.head.clock, writer.head.time + 1)
            reader = writer.reader(moment.instant)
            unit, result, origin = planned(reader, writer.next_key, now)
            _refuse_another(unit, impact, seen)
            if not unit.plan:
                return Answer(result, moment, unit.asks, unit.organization)
            foreseen = self._foresee(reader, unit.plan, writer.head)
            change = writer.commit(unit.plan, origin)
            for last, then in foreseen:
                # Not before: what was not written is never so. It counts from the revision of the change on.
                last.then = then
            self._freshness.written(writer.head, change, touched_by(unit.plan))
        moment = Moment(change.revision, max(moment.instant, change.time))
        return Answer(result, moment, unit.asks, unit.organization, change)


def _refuse_another(unit: Unit, impact: str, seen: Answer[Impact] | None) -> None:
    """Refuse a write that has another impact than the one with that digest, if one is named.

    What was `seen` before is still so as long as nothing was written since, the same is planned, and time has changed
    nothing: so others need not wait for the lock while much is compared.
    """
    if seen is None:
        return
    until = seen.result.holds_until
    is_so = (
        seen.moment.revision == unit.reader.revision
        and (until is None or unit.reader.instant < until)
        and is_same(seen.result.plan, unit.plan)
    )
    now = seen.result if is_so else impact_of(unit)
    if not compare_digest(now.digest, impact):
        raise Changed("the impact is no longer the one that was previewed")


def operation_of(usecase: Callable[..., Any]) -> str:
    """The name of a use case in the log: `roles.detach_users`."""
    return f"{usecase.__module__.rpartition('.')[2]}.{usecase.__name__}"


def admit(reader: Reader, call: Call, issuer: Issuer) -> tuple[Actor | Guest | None, int]:
    """Who makes a call, if he may make it, and the organization in which he does, by key. Raises any refusal."""
    match call.requirement.acting:
        case Acting.NOBODY:
            return None, PLATFORM
        case Acting.CLIENT:
            return authenticate_client(reader, call.asking, issuer), PLATFORM
        case Acting.PLATFORM | Acting.WITHIN:
            return _admit_administrator(reader, call, issuer)
        case Acting.GUEST:
            guest = welcome(reader, call.target_id)
            return guest, guest.organization
        case _ if call.requirement.administrators and is_signed(call.asking.token):
            return _admit_administrator(reader, call, issuer)
        case _:
            actor = _admit_member(reader, call)
            return actor, actor.organization


def _admit_administrator(reader: Reader, call: Call, issuer: Issuer) -> tuple[Actor, int]:
    """An administrator of the platform, outside every organization or in the one that the call names."""
    actor = _as_the_client_may(reader, authenticate_bearer(reader, call.asking, issuer), issuer)
    himself = reader.find_named("public_id", call.target_id) if call.requirement.own_scopes else None
    call.requirement.demand_scope(actor, is_own=himself is not None and himself.key == actor.user.key)
    if call.requirement.acting is not Acting.WITHIN:
        return actor, PLATFORM
    return actor, View(reader, actor, PLATFORM).get(ObjectKind.ORGANIZATION, call.target_id).key


def _as_the_client_may(reader: Reader, actor: Actor, issuer: Issuer) -> Actor:
    """A user is an administrator through a client as far as that may still act for users."""
    if actor.is_client or actor.scopes is None:
        return actor
    view = View(reader, actor, PLATFORM, issuer)
    api = apis.identified(view, issuer.management)
    try:
        allowed = tokens.bound_of(view, actor.credential, api, apis.definition_of(view, api))
    except tokens.NoToken:
        raise Unauthenticated("invalid credential") from None
    return replace(actor, scopes=actor.scopes & set(allowed))


def _admit_member(reader: Reader, call: Call) -> Actor:
    """A member of an organization, or a session of hers."""
    acting = call.requirement.acting
    actor = authenticate(reader, call.asking)
    if not actor.snapshot.exists(actor.organization):
        return _heir(reader, actor, call)
    if acting is Acting.EVERYWHERE:
        return actor
    if acting in (Acting.PERSON, Acting.HEIR):
        actor = in_named_organization(reader, actor, call.target_id, may_have_ended=acting is Acting.HEIR)
    demand(reader, actor, call.requirement, call.target_id)
    return actor


def demand(reader: Reader, actor: Actor, requirement: Requirement, target_id: str) -> None:
    """Raise any refusal unless a member may, where he acts, what is required of a call about a target."""
    acting = requirement.acting
    if acting is Acting.HEIR and not actor.snapshot.exists(actor.organization):
        # Its root stands before it, and nobody else.
        return
    if requirement.named:
        target_id = _id_of(reader, actor.organization, target_id)
    if acting is Acting.HERE:
        target_id = reader.objects([actor.organization])[actor.organization].id
    if acting is Acting.SESSION:
        view = View(reader, actor, actor.organization)
        session = sessions.find(view, target_id)
        if session is not None and sessions.is_own(view, session):
            return
        if session is None and target_id.startswith(SESSION_PREFIX):
            raise NotFound(ObjectKind.SESSION.label)
        target_id = session.id if session else target_id
    requirement.demand(actor, target_id)


def _id_of(reader: Reader, organization: int, name: str) -> str:
    """The id of the user whom a name means, herself or through her session; of nobody the name."""
    for type_ in (USER, SESSION):
        found = named(reader, organization, type_, name)
        if found is not None and found.user:
            return reader.objects([found.user])[found.user].id
    return name


def _heir(reader: Reader, actor: Actor, call: Call) -> Actor:
    """Whose key belongs to an ended organization: it is good for one thing, to restore it."""
    ended = reader.objects([actor.organization])[actor.organization]
    if call.requirement.acting is not Acting.HEIR or ended.id != call.target_id:
        raise Unauthenticated("invalid credential")
    if not actor.snapshot.held(actor.snapshot.principal.membership, FactKind.ROOT):
        raise Forbidden("only the root of an ended organization may restore it")
    return actor


def in_named_organization(reader: Reader, actor: Actor, organization_id: str, *, may_have_ended: bool) -> Actor:
    """The same person as a member of another organization, which is unknown to her unless she is one there.

    An ended one is unknown too, but for its root where she may restore it. Raises any refusal.
    """
    found = reader.find_object(ObjectKind.ORGANIZATION, organization_id)
    there = in_organization(reader, actor, found.key) if found else None
    if there is None:
        raise NotFound(ObjectKind.ORGANIZATION.label)
    membership = there.snapshot.principal.membership
    if not there.snapshot.exists(there.organization):
        if not may_have_ended:
            raise NotFound(ObjectKind.ORGANIZATION.label)
        if not there.snapshot.held(membership, FactKind.ROOT):
            raise Forbidden("only the root of an ended organization may restore it")
    if not admits_address(there.snapshot.held(membership, FactKind.ALLOW_LIST), there.address):
        raise UnknownAddress(there.address)
    if there.snapshot.held(membership, FactKind.SUSPENSION):
        raise Forbidden("suspended in this organization")
    if not there.snapshot.held(membership, FactKind.API_ACCESS):
        raise Forbidden("API access is disabled")
    return there
