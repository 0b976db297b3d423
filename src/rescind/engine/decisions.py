"""Decisions at full speed: principals kept as compiled policy sets, each proven fresh at every use.

What `decision.decide` would answer at the same revision and instant is what is answered here; it gives the reasons.
"""

import json
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from rescind.decision.decide import AccessRequest, Reason, decide, state_of
from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.engine.freshness import Moment
from rescind.engine.kept import Kept, Made, Noting, Stand, Touches
from rescind.engine.policy_sets import PolicySet, PolicySets, Rule
from rescind.engine.principals import CLIENT, SESSION, USER, named, snapshot_of
from rescind.engine.pulse import Pulse
from rescind.engine.resources import find_resource
from rescind.model.apis import RESOURCE_TYPE
from rescind.model.changes import Plan, touched_by
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM
from rescind.store.contract import Head, Reader, Store

PRINCIPALS_MAX = 500_000
"""Principals that are kept: about 200 MB, if all are wanted."""
RESOURCES_MAX = 100_000
NAME_LENGTH_MAX = 1024
"""Nobody and nothing has a longer name."""
SHARED_MAX = 200_000
"""Groups, roles, policies and their like whose facts are kept."""
FORESEEN_MAX = 16
"""A write that touches more makes nobody ready; and each for no more actions than that."""

Json = Mapping[str, Any]
_TYPES = (USER, CLIENT, SESSION)
_NOTHING: Json = {}
_EVERYTHING = ("subject", "resource", "action", "context")


class Question(msgspec.Struct, frozen=True, gc=False):
    """May a principal of a scope (by key) do something? Names are as people say them; the rest is what conditions read.

    What is stored of subject and resource lies under the properties that are given here.
    """

    scope: int
    subject_type: str
    subject_id: str
    action: str
    resource_type: str
    resource_id: str
    subject: Json = {}
    acting: Json = {}
    resource: Json = {}
    context: Json = {}


class Named(Protocol):
    """A subject or a resource."""

    @property
    def type(self) -> str: ...
    @property
    def id(self) -> str: ...


class Done(Protocol):
    """An action."""

    @property
    def name(self) -> str: ...


class Asked(Protocol):
    """A question in the shape in which people ask it."""

    @property
    def subject(self) -> Named: ...
    @property
    def action(self) -> Done: ...
    @property
    def resource(self) -> Named: ...
    @property
    def context(self) -> Json: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """A principal as it is kept: its state, the policies that reach it, and what conditions read of it.

    Only a session has its snapshot with it: its rights hang on where and when it is used. `principal` is who the name
    was as long as nothing of `named_by` is touched.
    """

    type: str
    id: str
    state: Reason | None
    policies: PolicySet
    properties: Json
    snapshot: Snapshot | None = None
    principal: Principal | None = None
    named_by: tuple[int, ...] = ()

    @property
    def own(self) -> tuple[int, ...]:
        """Of a member of an organization the keys whose facts are hers alone, user and membership; else none."""
        who = self.principal
        return (who.user, who.membership) if who and who.membership and not who.session else ()

    @property
    def rules(self) -> dict[str, Rule]:
        """Those of the policies by action, where these alone decide."""
        return self.policies.compiled if self.state is None and self.snapshot is None else {}


def properties_of(snapshot: Snapshot) -> Json:
    """The properties that are stored of a snapshot's principal, or of the user behind a session."""
    held = snapshot.held(snapshot.principal.holder, FactKind.PROPERTIES)
    return dict(json.loads(held[0].value or "{}")) if held else _NOTHING


def properties_in(reader: Reader, holder: int) -> Json:
    """The properties that are stored of a principal or resource, by key."""
    stored = [held.fact.value or "{}" for held in reader.intervals([holder], FactKind.PROPERTIES)]
    return dict(json.loads(stored[0])) if stored else _NOTHING


def stored_of(reader: Reader, snapshot: Snapshot) -> Json:
    """What conditions read of a principal that is stored; of a session that is who her user is."""
    principal = snapshot.principal
    stored = properties_of(snapshot)
    if not principal.session:
        return stored
    return {"user": {**stored, "type": USER, "id": reader.objects([principal.user])[principal.user].id}}


def attributes_of(question: Question, subject: Json, resource: Json, subject_id: str) -> Json:
    """What conditions read: what is stored, over it what is given, and last who and what it is."""
    user = {"user": subject["user"]} if question.subject_type == SESSION else {}
    named = {"type": question.subject_type, "id": subject_id}
    return {
        "subject": {**subject, **question.subject, **user, **named},
        "resource": {**resource, **question.resource, "type": question.resource_type, "id": question.resource_id},
        "action": {**question.acting, "name": question.action},
        "context": question.context,
    }


Wanted = tuple[str, int, str, str]
"""What must be read before a question can be answered: `subject` or `resource`, the scope, type and id."""


class Decisions:
    """The engine of one node. All but `load` and `foresee` belongs to one thread, or one event loop.

    `load` is called in one other at a time; `foresee` in many: it looks at what is kept without using it, and proves.
    """

    def __init__(self, store: Store, pulse: Pulse, touches: Touches, *, principals_max: int = PRINCIPALS_MAX) -> None:
        self.pulse = pulse
        self._store = store
        self.touches = touches
        self._sets = PolicySets()
        self._subjects: Kept[Subject] = Kept(touches, principals_max)
        self._resources: Kept[Json] = Kept(touches, RESOURCES_MAX)
        self._shared: Kept[list[Fact]] = Kept(touches, SHARED_MAX)
        self._direct = store.fact_reader()
        self._foreseen: list[tuple[Made[Subject], Made[Subject]]] = []

    @property
    def moment(self) -> Moment:
        """What answers are true for now."""
        return self.touches.moment

    def refresh(self) -> Moment:
        """Read the head, and know what was touched since. Raises `Unavailable`."""
        return self.pulse.refresh()

    def allows(
        self,
        scope: int,
        user: str,
        action: str,
        resource_type: str,
        resource_id: str,
        *,
        context: Json = _NOTHING,
    ) -> bool:
        """Decide at the moment of the last `refresh` for a user by id, reading what is not kept."""
        # Nearly all questions end here: each call in it, and each step from one object to the next, is to be seen in
        # the time of a decision.
        rule: Rule | None = self._subjects.at_hand(user, scope).get(action)
        if rule is not None and resource_type != RESOURCE_TYPE:
            known = rule.answers(resource_type, resource_id, context) if rule.settles is None else rule.settles
            if known is not None:
                return known
        question = Question(scope, USER, user, action, resource_type, resource_id, context=context)
        while True:
            wanted: set[Wanted] = set()
            answer = self.answer(question, wanted)
            if not wanted:
                return answer
            self.keep(self.load(wanted, self.touches.stand))

    def known(self, asked: Asked, scope: int) -> bool | None:
        """Decide a question at the moment from what is kept; None if that is not enough, and `answer` must be asked."""
        kept = self._subjects.at_hand(asked.subject.id, _place(scope, asked.subject.type))
        rule: Rule | None = kept.get(asked.action.name)
        if rule is None or asked.resource.type == RESOURCE_TYPE:
            return None
        return rule.answers(asked.resource.type, asked.resource.id, asked.context)

    def all_known(self, asked: Sequence[Asked], scopes: Sequence[int]) -> list[bool | None]:
        """The same for many questions, at least one, each in a scope.

        Each step is done for all before the next: so memory is waited for once for many, and not for each alone.
        """
        types = [one.subject.type for one in asked]
        if scopes.count(scopes[0]) == types.count(types[0]) == len(asked):
            places = [_place(scopes[0], types[0])] * len(asked)
        else:
            places = list(map(_place, scopes, types))
        kept = self._subjects.all_at_hand([one.subject.id for one in asked], places)
        rules = map(dict.get, kept, [one.action.name for one in asked])
        kinds = [one.resource.type for one in asked]
        return [
            (rule.answers(kind, one.resource.id, one.context) if rule.settles is None else rule.settles)
            if rule is not None and kind != RESOURCE_TYPE
            else None
            for rule, kind, one in zip(rules, kinds, asked, strict=True)
        ]

    def answer(self, question: Question, wanted: set[Wanted]) -> bool:
        """Decide at the moment. What must be read for it is added to `wanted`: the answer means nothing then."""
        name = (question.scope, question.subject_type, question.subject_id)
        subject = self._subjects.get(question.subject_id, _place(*name[:2]))
        if subject is None:
            if question.subject_type in _TYPES and len(question.subject_id) <= NAME_LENGTH_MAX:
                wanted.add(("subject", *name))
            return False
        if subject.snapshot is not None:
            return self._of_session(question, subject, subject.snapshot, wanted)
        state, action, kind, resource = subject.state, question.action, question.resource_type, question.resource_id
        if kind == RESOURCE_TYPE and state in (None, Reason.ROOT):
            within = question.scope != PLATFORM
            attributes = self._attributes(question, subject, wanted) if subject.policies.has_conditions else {}
            return subject.policies.allows_on_api(action, resource, attributes, within=within)
        if state is not None:
            return state is Reason.ROOT
        rule = subject.policies.rule(action)
        answer = rule.answers(kind, resource, question.context)
        if answer is not None:
            return answer
        return rule.weighs(kind, resource, self._attributes(question, subject, wanted, rule.reads))

    def load(self, wanted: Collection[Wanted], stand: Stand) -> list[tuple[Wanted, Made[Any]]]:
        """Read what is wanted as of a moment, to be kept by `keep`. Raises `Unavailable`."""
        known = {name: made for name in wanted if (made := self._again(name, stand)) is not None}
        left = [name for name in wanted if name not in known]
        if not left:
            return list(known.items())
        with self._store.reading(stand.moment.revision, stand.moment.instant) as reader:
            return [*known.items(), *((name, self._read(Noting(reader, stand.generation), *name)) for name in left)]

    def keep(self, loaded: Sequence[tuple[Wanted, Made[Any]]]) -> None:
        """Keep what was loaded."""
        for (what, scope, type_, id_), made in loaded:
            if what == "subject":
                made.at_hand = made.value.rules
                self._subjects.put(id_, made, _place(scope, type_))
            else:
                self._resources.put(id_, made, (scope, type_))

    def sizes(self) -> dict[str, int]:
        """How much is kept, by what."""
        return {
            "principals": len(self._subjects),
            "resources": len(self._resources),
            "shared": len(self._shared),
            "policy_sets": len(self._sets),
        }

    def _read(self, reader: Noting, what: str, scope: int, type_: str, id_: str) -> Made[Any]:
        read = _resource if what == "resource" else self._subject
        return read(reader, scope, type_, id_)

    def foresee(self, reader: Reader, plan: Plan, head: Head) -> list[tuple[Made[Subject], Made[Subject]]]:
        """Members as they are kept, each with what a plan at the head makes of her: her `then`, once it is written.

        So nothing need be read when one of them is asked about next. `reader` is the write's, and any thread may ask.
        """
        # What members were is let go of here, and not where the first who asks waits for it.
        foreseen = self._foreseen = []
        stand, touched = self.touches.stand, set(touched_by(plan))
        if stand.moment.revision != head.revision or len(touched) > FORESEEN_MAX:
            return foreseen
        new = {created.key for created in plan.created}
        existing = reader.intervals([key for key in touched - new if key > 0], FactKind.EXISTENCE)
        joined = [interval.fact for interval in existing if interval.fact.thing != PLATFORM]
        users = reader.objects({fact.thing for fact in joined})
        ended = {interval.key for interval in plan.closed}
        after = Stand(Moment(head.revision + 1, reader.instant), stand.generation)

        def shared(key: int) -> list[Fact] | None:
            return None if key in touched else self._shared.peek(key)

        for fact in joined:
            last = self._last_of(fact.scope, users[fact.thing].id, stand)
            if last is None or not touched.isdisjoint(last.value.named_by):
                continue
            own = last.value.own
            held = [interval.fact for interval in reader.intervals(own) if interval.key not in ended]
            held += [begun for begun in plan.opened if begun.holder in own]
            then = self._renewed(last.value, held, after, shared)
            if then is not None:
                # What was new to be asked last of those who hold the same will be asked again.
                for action in list(last.value.policies.compiled)[-FORESEEN_MAX:]:
                    then.value.policies.rule(action)
                then.at_hand = then.value.rules
                foreseen.append((last, then))
        return foreseen

    def _again(self, name: Wanted, stand: Stand) -> Made[Subject] | None:
        """A member who was kept before, from her own facts alone, if that is all that is missing."""
        what, scope, type_, id_ = name
        last = self._last_of(scope, id_, stand) if what == "subject" and type_ == USER else None
        if last is None:
            return None
        held = self._direct.facts(last.value.own, stand.moment.revision)
        return self._renewed(last.value, held, stand, self._shared.get)

    def _last_of(self, scope: int, id_: str, stand: Stand) -> Made[Subject] | None:
        """A member of an organization as she was kept last, true or not, if the name still means her."""
        last = self._subjects.last(id_, scope)
        if last is None or last.generation != stand.generation or not last.value.own:
            return None
        return last if self.touches.spare(last.value.named_by, last.revision) else None

    def _renewed(
        self, last: Subject, held: Sequence[Fact], stand: Stand, shared: Callable[[int], list[Fact] | None]
    ) -> Made[Subject] | None:
        """A member with other facts of her own, if all that these lead to is known."""
        who = last.principal
        assert who is not None

        def fetch(keys: Collection[int]) -> list[Fact]:
            found = [fact for fact in held if fact.holder in keys]
            for key in keys:
                if key not in last.own:
                    found += shared(key) or _missing()
            return found

        try:
            facts = gather({who.organization, *last.own}, fetch)
        except LookupError:
            return None
        snapshot = Snapshot(who, stand.moment.revision, stand.moment.instant, facts)
        subject = self._compiled(snapshot, USER, last.id, properties_of(snapshot), last.named_by)
        seen = tuple({*facts, *last.named_by})
        return Made(subject, stand.moment.revision, seen, _first_end(snapshot), stand.generation)

    def _subject(self, reader: Noting, scope: int, type_: str, name: str) -> Made[Subject]:
        principal = named(reader, scope, type_, name)
        if principal is None:
            nobody = Subject(type_, name, Reason.ACCOUNT_ENDED, self._sets.of(frozenset()), {})
            # Who is unknown now may be made by a change that touches nothing else.
            return Made(nobody, reader.revision, None, generation=reader.generation)

        def fetch(keys: Collection[int]) -> list[Fact]:
            return self._facts(reader, keys, own)

        named_by = (*reader.seen, -principal.user)
        own = {principal.user, principal.membership, principal.session}
        snapshot = snapshot_of(reader, principal, fetch=fetch)
        who = principal.session or principal.user
        subject = self._compiled(snapshot, type_, reader.objects([who])[who].id, stored_of(reader, snapshot), named_by)
        reader.seen.update(snapshot.facts)
        reader.seen.add(-principal.user)
        return reader.made(subject, _first_end(snapshot))

    def _compiled(
        self, snapshot: Snapshot, type_: str, id_: str, properties: Json, named_by: tuple[int, ...]
    ) -> Subject:
        content = frozenset(
            (statement, snapshot.is_of_api(policy))
            for policy in {reach.policy for reach in snapshot.reaches}
            for statement in snapshot.statements(policy)
        )
        is_session = type_ == SESSION
        state = None if is_session else state_of(AccessRequest("", ""), snapshot)
        kept = snapshot if is_session else None
        return Subject(type_, id_, state, self._sets.of(content), properties, kept, snapshot.principal, named_by)

    def _facts(self, reader: Noting, keys: Collection[int], own: Collection[int]) -> list[Fact]:
        """Facts by holder; those that others have part in are kept."""
        found: list[Fact] = []
        missing: set[int] = set()
        for key in keys:
            kept = None if key in own else self._shared.get(key)
            if kept is None:
                missing.add(key)
            else:
                found += kept
        if missing <= set(own):
            return found + [interval.fact for interval in reader.intervals(missing)] if missing else found
        around: dict[int, list[Fact]] = {key: [] for key in missing}
        for fact in reader.surroundings(missing):
            around.setdefault(fact.holder, []).append(fact)
        for key, facts in around.items():
            if key in missing:
                found += facts
            if key not in own:
                self._shared.put(key, Made(facts, reader.revision, (key,), generation=reader.generation))
        return found

    def _attributes(
        self, question: Question, subject: Subject, wanted: set[Wanted], reads: Collection[str] = _EVERYTHING
    ) -> Json:
        """What conditions read: those parts of it, and perhaps more."""
        if "resource" not in reads:
            if "subject" not in reads:
                return {"action": {**question.acting, "name": question.action}, "context": question.context}
            return attributes_of(question, subject.properties, _NOTHING, subject.id)
        place = question.scope, question.resource_type
        stored = self._resources.get(question.resource_id, place)
        if stored is None and max(len(question.resource_type), len(question.resource_id)) <= NAME_LENGTH_MAX:
            wanted.add(("resource", *place, question.resource_id))
        return attributes_of(question, subject.properties, stored or _NOTHING, subject.id)

    def _of_session(self, question: Question, subject: Subject, snapshot: Snapshot, wanted: set[Wanted]) -> bool:
        attributes = self._attributes(question, subject, wanted)
        request = AccessRequest(question.action, question.resource_type, question.resource_id, attributes)
        return decide(request, replace(snapshot, instant=self.moment.instant)).allowed


def _place(scope: int, type_: str) -> Hashable:
    """Where the principals of a type are kept in a scope: users, of whom most is asked, by a number, found soonest."""
    return scope if type_ == USER else (scope, type_)


def _first_end(snapshot: Snapshot) -> int | None:
    """The next instant at which time ends one of the facts of a snapshot."""
    ends = [fact.expires_at for facts in snapshot.facts.values() for fact in facts if fact.expires_at is not None]
    return min((end for end in ends if end > snapshot.instant), default=None)


def _missing() -> list[Fact]:
    raise LookupError


def _resource(reader: Noting, scope: int, type_: str, id_: str) -> Made[Json]:
    found = find_resource(reader, scope, type_, id_)
    if found is None:
        # One that is registered later names its organization; outside there is nothing that it would name.
        return Made(_NOTHING, reader.revision, (-scope,) if scope else None, generation=reader.generation)
    return reader.made(properties_in(reader, found.key))
