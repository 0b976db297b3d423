"""Decisions at full speed: principals kept as compiled policy sets, each proven fresh at every use.

What `decision.decide` would answer at the same revision and instant is what is answered here; it gives the reasons.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rescind.decision.decide import AccessRequest, Reason, decide, state_of
from rescind.decision.snapshot import Snapshot
from rescind.engine.freshness import Moment
from rescind.engine.kept import Kept, Made, Noting, Stand, Touches
from rescind.engine.policy_sets import PolicySet, PolicySets
from rescind.engine.principals import CLIENT, SESSION, USER, named, snapshot_of
from rescind.engine.pulse import Pulse
from rescind.engine.resources import find_resource
from rescind.model.apis import RESOURCE_TYPE
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM
from rescind.store.contract import Reader, Store

PRINCIPALS_MAX = 500_000
"""Principals that are kept: about 200 MB, if all are wanted."""
RESOURCES_MAX = 100_000
NAME_LENGTH_MAX = 1024
"""Nobody and nothing has a longer name."""
SHARED_MAX = 200_000
"""Groups, roles, policies and their like whose facts are kept."""

Json = Mapping[str, Any]
_NOTHING: Json = {}


@dataclass(frozen=True, slots=True)
class Question:
    """May a principal of a scope (by key) do something? Names are as people say them; the rest is what conditions read.

    What is stored of subject and resource lies under the properties that are given here.
    """

    scope: int
    subject_type: str
    subject_id: str
    action: str
    resource_type: str
    resource_id: str
    subject: Json = field(default_factory=dict)
    acting: Json = field(default_factory=dict)
    resource: Json = field(default_factory=dict)
    context: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """A principal as it is kept: its state, the policies that reach it, and what conditions read of it.

    Only a session has its snapshot with it: its rights hang on where and when it is used.
    """

    type: str
    id: str
    state: Reason | None
    policies: PolicySet
    properties: Json
    snapshot: Snapshot | None = None


def stored_of(reader: Reader, snapshot: Snapshot) -> Json:
    """What conditions read of a principal that is stored; of a session that is who her user is."""
    principal = snapshot.principal
    held = snapshot.held(principal.holder, FactKind.PROPERTIES)
    stored: dict[str, Any] = json.loads(held[0].value or "{}") if held else {}
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
    """The engine of one node. All but `load` belongs to one thread, or one event loop."""

    def __init__(self, store: Store, pulse: Pulse, touches: Touches, *, principals_max: int = PRINCIPALS_MAX) -> None:
        self.pulse = pulse
        self._store = store
        self.touches = touches
        self._sets = PolicySets()
        self._subjects: Kept[Subject] = Kept(touches, principals_max)
        self._resources: Kept[Json] = Kept(touches, RESOURCES_MAX)
        self._shared: Kept[list[Fact]] = Kept(touches, SHARED_MAX)

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
        subject = self._subjects.get((scope, USER, user))
        if subject is None or subject.state is not None or resource_type == RESOURCE_TYPE:
            return self._loaded(Question(scope, USER, user, action, resource_type, resource_id, context=context))
        rule = subject.policies.rule(action)
        if rule.settles is not None:
            return rule.settles
        if not rule.conditional:
            return rule.allows.covers(resource_type, resource_id) and not rule.denies.covers(resource_type, resource_id)
        return self._loaded(Question(scope, USER, user, action, resource_type, resource_id, context=context))

    def answer(self, question: Question, wanted: set[Wanted]) -> bool:
        """Decide at the moment. What must be read for it is added to `wanted`: the answer means nothing then."""
        name = (question.scope, question.subject_type, question.subject_id)
        subject = self._subjects.get(name)
        if subject is None:
            if len(question.subject_id) <= NAME_LENGTH_MAX:
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
        if rule.settles is not None:
            return rule.settles
        if not rule.conditional:
            return rule.allows.covers(kind, resource) and not rule.denies.covers(kind, resource)
        return rule.weighs(kind, resource, self._attributes(question, subject, wanted))

    def load(self, wanted: Collection[Wanted], stand: Stand) -> list[tuple[Wanted, Made[Any]]]:
        """Read what is wanted as of a moment, to be kept by `keep`. Raises `Unavailable`."""
        with self._store.reading(stand.moment.revision, stand.moment.instant) as reader:
            return [(name, self._read(Noting(reader, stand.generation), *name)) for name in wanted]

    def keep(self, loaded: Sequence[tuple[Wanted, Made[Any]]]) -> None:
        """Keep what was loaded."""
        for (what, *name), made in loaded:
            kept: Kept[Any] = self._subjects if what == "subject" else self._resources
            kept.put(tuple(name), made)

    def sizes(self) -> dict[str, int]:
        """How much is kept, by what."""
        return {
            "principals": len(self._subjects),
            "resources": len(self._resources),
            "shared": len(self._shared),
            "policy_sets": len(self._sets),
        }

    def _loaded(self, question: Question) -> bool:
        while True:
            wanted: set[Wanted] = set()
            answer = self.answer(question, wanted)
            if not wanted:
                return answer
            self.keep(self.load(wanted, self.touches.stand))

    def _read(self, reader: Noting, what: str, scope: int, type_: str, id_: str) -> Made[Any]:
        read = _resource if what == "resource" else self._subject
        return read(reader, scope, type_, id_)

    def _subject(self, reader: Noting, scope: int, type_: str, name: str) -> Made[Subject]:
        principal = named(reader, scope, type_, name)
        if principal is None or type_ not in (USER, CLIENT, SESSION):
            nobody = Subject(type_, name, Reason.ACCOUNT_ENDED, self._sets.of(frozenset()), {})
            # Who is unknown now may be made by a change that touches nothing else.
            return Made(nobody, reader.revision, None, generation=reader.generation)

        def fetch(keys: Collection[int]) -> list[Fact]:
            return self._facts(reader, keys, own)

        own = {principal.user, principal.membership, principal.session}
        snapshot = snapshot_of(reader, principal, fetch=fetch)
        reader.seen.update(snapshot.facts)
        if type_ == USER:
            reader.seen.add(-principal.user)
        who = principal.session or principal.user
        id_ = reader.objects([who])[who].id
        content = frozenset(
            (statement, snapshot.is_of_api(policy))
            for policy in {reach.policy for reach in snapshot.reaches}
            for statement in snapshot.statements(policy)
        )
        ends = [fact.expires_at for facts in snapshot.facts.values() for fact in facts if fact.expires_at is not None]
        subject = Subject(
            type_,
            id_,
            None if type_ == SESSION else state_of(AccessRequest("", ""), snapshot),
            self._sets.of(content),
            stored_of(reader, snapshot),
            snapshot if type_ == SESSION else None,
        )
        return reader.made(subject, min((end for end in ends if end > reader.instant), default=None))

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

    def _attributes(self, question: Question, subject: Subject, wanted: set[Wanted]) -> Json:
        """What conditions read."""
        name = (question.scope, question.resource_type, question.resource_id)
        stored = self._resources.get(name)
        if stored is None and len(question.resource_id) <= NAME_LENGTH_MAX:
            wanted.add(("resource", *name))
        return attributes_of(question, subject.properties, stored or _NOTHING, subject.id)

    def _of_session(self, question: Question, subject: Subject, snapshot: Snapshot, wanted: set[Wanted]) -> bool:
        attributes = self._attributes(question, subject, wanted)
        request = AccessRequest(question.action, question.resource_type, question.resource_id, attributes)
        return decide(request, replace(snapshot, instant=self.moment.instant)).allowed


def _resource(reader: Noting, scope: int, type_: str, id_: str) -> Made[Json]:
    found = find_resource(reader, scope, type_, id_)
    if found is None:
        # One that is registered later names its organization; outside there is nothing that it would name.
        return Made(_NOTHING, reader.revision, (-scope,) if scope else None, generation=reader.generation)
    stored = [held.fact.value or "{}" for held in reader.intervals([found.key], FactKind.PROPERTIES)]
    return reader.made(json.loads(stored[0]) if stored else _NOTHING)
