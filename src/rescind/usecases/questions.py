"""Questions answered from the facts themselves, with reasons: what the engine answers must be the same."""

from dataclasses import dataclass

from rescind.decision.decide import AccessRequest, Decision, decide
from rescind.decision.snapshot import Snapshot
from rescind.engine.decisions import Json, Question, attributes_of, properties_in, stored_of
from rescind.engine.principals import named, snapshot_of
from rescind.engine.resources import find_resource
from rescind.store.contract import Reader


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question as the decision takes it, in the snapshot of who it is about."""

    request: AccessRequest
    snapshot: Snapshot

    @property
    def decision(self) -> Decision:
        """The answer with its reasons."""
        return decide(self.request, self.snapshot)


def weigh(reader: Reader, question: Question) -> Weighed | None:
    """Make a question ready to be decided; None if it is about nobody."""
    principal = named(reader, question.scope, question.subject_type, question.subject_id)
    if principal is None:
        return None
    return posed(reader, question, snapshot_of(reader, principal), resource_of(reader, question))


def posed(reader: Reader, question: Question, snapshot: Snapshot, resource: Json) -> Weighed:
    """A question about the principal of a snapshot, whoever it names, with what is stored of its resource."""
    who = snapshot.principal.session or snapshot.principal.user
    id_ = reader.objects([who])[who].id
    attributes = attributes_of(question, stored_of(reader, snapshot), resource, id_)
    request = AccessRequest(question.action, question.resource_type, question.resource_id, attributes)
    return Weighed(request, snapshot)


def resource_of(reader: Reader, question: Question) -> Json:
    """What is stored of the resource of a question."""
    found = find_resource(reader, question.scope, question.resource_type, question.resource_id)
    return properties_in(reader, found.key) if found else {}
