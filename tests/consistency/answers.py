"""What each answer must be: the question that a call asked, put to the specification at a revision and an instant.

For each operation there are two functions. One reads the answer that was given, in the form in which answers are
compared. The other says, by the facts of a `Truth` that stands at the revision, what it must be; `REFUSED` is what
whoever has no right to ask must be told by 401, 403 or 404.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import spec
import spec_sessions
from consistency.history import Call
from consistency.truth import Truth
from stories.histories import Row

Arguments = Mapping[str, Any]

REFUSED = "refused"
GIVEN = "given"
CLIENT_ADDRESS = "127.0.0.1"


class Answers:
    """The specification over the facts of a database. What was decided from the same facts is decided once."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._known: dict[Any, spec.Verdict] = {}

    def expected(self, operation: str, arguments: Arguments, revision: int, instant: int) -> Any:
        """What the call must be answered at a revision and an instant."""
        self.truth.at(revision)
        return EXPECTED[operation](self, arguments, instant)

    def instants(self, arguments: Arguments, revision: int, since: int, until: int) -> list[int]:
        """The instants from one to another at which the answer may change, the first of the two included."""
        self.truth.at(revision)
        starts = [key for name in _NAMED if (key := self.truth.keys.get(arguments.get(name, ""))) is not None]
        ends = {row["expires_at"] for row in self.truth.rows(*starts) if row["expires_at"] is not None}
        return [since, *sorted(end for end in ends if since < end <= until)]

    # --- decisions ----------------------------------------------------------------------------------------------------

    def decide(self, asked: Arguments, instant: int) -> spec.Verdict:
        """The specification's decision for `user`, or for her `session` if there is one, where the truth stands.

        `asked` has `action`, `type` and `id` of the resource, and may have `organization` and `context`.
        """
        truth = self.truth
        user, organization = truth.keys[asked["user"]], self._organization(asked)
        session = truth.keys[asked["session"]] if "session" in asked else None
        resource = truth.resources.get((asked["type"], asked["id"]))
        rows = truth.rows(user, organization, session, resource)
        alive = frozenset(row["key"] for row in rows if row["expires_at"] is None or row["expires_at"] > instant)
        question = json.dumps({name: asked.get(name) for name in _ASKED}, sort_keys=True)
        known = self._known.get((question, alive))
        if known is None:
            known = self._known[question, alive] = self._decide(asked, rows, resource, instant)
        return known

    def _decide(self, asked: Arguments, rows: list[Row], resource: int | None, instant: int) -> spec.Verdict:
        truth, revision = self.truth, self.truth.revision
        user, organization = truth.keys[asked["user"]], self._organization(asked)
        facts = spec.facts_at(rows, revision, instant)
        holder = user if organization is None else spec.membership_of(facts, user, organization)
        stored = _stored(facts, holder)
        request = {
            "user": user,
            "organization": organization,
            "action": asked["action"],
            "resource": {**_stored(facts, resource), "type": asked["type"], "id": asked["id"]},
            "subject": stored,
            "context": asked.get("context", {}),
            "action_properties": {},
        }
        verdict: spec.Verdict
        if "session" in asked:
            of_session = {**request, "session": truth.keys[asked["session"]], "subject": {"user": stored}}
            verdict = spec_sessions.decide_session(rows, of_session, revision, instant)
        else:
            verdict = spec.decide(rows, request, revision, instant)
        return verdict

    def _organization(self, asked: Arguments) -> int | None:
        named = asked.get("organization")
        return None if named is None else self.truth.keys[named]

    def alive(self, holder: int, kind: str, instant: int) -> list[Row]:
        """The facts of one kind that an object holds, and that time has not ended."""
        held = self.truth.held(kind, holder)
        return [row for row in held if row["expires_at"] is None or row["expires_at"] > instant]


_ASKED = ("user", "session", "organization", "action", "type", "id", "context")
_NAMED = ("user", "session", "organization", "key")


def _stored(facts: list[Row], holder: int | None) -> dict[str, Any]:
    held = spec.held(facts, "properties", holder) if holder is not None else []
    return dict(json.loads(held[0]["value"])) if held else {}


# --- what must be said ------------------------------------------------------------------------------------------------


def _evaluation(answers: Answers, asked: Arguments, instant: int) -> bool:
    return answers.decide(asked, instant).allowed


def _evaluations(answers: Answers, asked: Arguments, instant: int) -> list[bool]:
    return [answers.decide({**asked, **question}, instant).allowed for question in asked["questions"]]


def _search(answers: Answers, asked: Arguments, instant: int) -> list[str]:
    truth = answers.truth
    people = [truth.ids[key] for key in truth.users_of(truth.keys[asked["organization"]])]
    return sorted(person for person in people if answers.decide({**asked, "user": person}, instant).allowed)


def _explanation(answers: Answers, asked: Arguments, instant: int) -> Any:
    verdict, ids = answers.decide(asked, instant), answers.truth.ids
    # Who is no member is nobody here, whatever is so of her account.
    is_member = answers.truth.membership(answers.truth.keys[asked["user"]], answers.truth.keys[asked["organization"]])
    grounds = [
        [ids[policy], index, [[kind, ids[thing]] for kind, _, thing, _ in path]]
        for policy, index, path in verdict.because
    ]
    return [verdict.allowed, verdict.reason if is_member else "unknown_subject", sorted(grounds)]


def _roles(answers: Answers, asked: Arguments, instant: int) -> Any:
    """The roles of a member, or of her groups: those attached to her, and all."""
    truth = answers.truth
    user, organization = truth.keys[asked["user"]], truth.keys[asked["organization"]]
    rows = truth.rows(user, organization)
    facts = spec.facts_at(rows, truth.revision, instant)
    membership = spec.membership_of(facts, user, organization)
    if membership is None or not spec.exists(facts, user):
        return REFUSED
    direct = _attached(facts, membership, organization)
    groups = [edge["thing"] for edge in spec.edges(facts, ["group_membership"], membership)]
    inherited = {role for group in groups for role in _attached(facts, group, organization)}
    return [truth.named(direct), truth.named(direct | inherited)]


def _tenant_roles(answers: Answers, asked: Arguments, instant: int) -> Any:
    """The roles that a user has outside every organization, by the ids that the Auth0 face has for them."""
    truth = answers.truth
    user = truth.keys[asked["user"]]
    facts = spec.facts_at(truth.rows(user), truth.revision, instant)
    if not spec.exists(facts, user):
        return REFUSED
    return sorted(truth.public[role] for role in _attached(facts, user, None) if spec.is_assignable(facts, role))


def _attached(facts: list[Row], holder: int, scope: int | None) -> set[int]:
    return {edge["thing"] for edge in spec.edges(facts, ["role_attachment"], holder) if edge["scope"] == scope}


def _introspection(answers: Answers, asked: Arguments, instant: int) -> Any:
    """The permissions in a user's token for a registered API that lets them be read; None for a token that is dead."""
    truth = answers.truth
    user, client = truth.keys[asked["user"]], truth.keys[asked["client"]]
    states = [spec.facts_at(truth.rows(who), truth.revision, instant) for who in (user, client)]
    if spec.state_of(states[0], user, None) is not None or not spec.exists(states[1], client):
        return None
    of_api = {"user": asked["user"], "type": spec.API, "id": asked["api"]}
    scopes = truth.scopes[asked["api"]]
    return sorted(scope for scope in scopes if answers.decide({**of_api, "action": scope}, instant).allowed)


def _own_key(answers: Answers, asked: Arguments, instant: int) -> str:
    """A call with a member's own key, which needs one action."""
    truth = answers.truth
    issued = answers.alive(truth.keys[asked["key"]], "existence", instant)
    if not issued or not answers.alive(issued[0]["thing"], "existence", instant):
        return REFUSED
    return _of_member(answers, asked, issued[0]["thing"], instant)


def _own_session(answers: Answers, asked: Arguments, instant: int) -> str:
    """A call with the token of an assumed-role session, which needs one action."""
    opened = answers.alive(answers.truth.keys[asked["session"]], "existence", instant)
    return _of_member(answers, asked, opened[0]["thing"], instant) if opened else REFUSED


def _of_member(answers: Answers, asked: Arguments, membership: int, instant: int) -> str:
    may_use = answers.alive(membership, "api_access", instant)
    given = may_use and answers.decide({**asked, "context": {"source_ip": CLIENT_ADDRESS}}, instant).allowed
    return GIVEN if given else REFUSED


def _own_token(answers: Answers, asked: Arguments, instant: int) -> str:
    """A call with an access token of a user or client for the API that manages the server, which needs one scope."""
    of_api = {"user": asked["user"], "action": asked["scope"], "type": spec.API, "id": spec.SYSTEM_API}
    return GIVEN if answers.decide(of_api, instant).allowed else REFUSED


EXPECTED: dict[str, Callable[[Answers, Arguments, int], Any]] = {
    "evaluation": _evaluation,
    "evaluations": _evaluations,
    "search": _search,
    "explanation": _explanation,
    "roles": _roles,
    "tenant roles": _tenant_roles,
    "introspection": _introspection,
    "own key": _own_key,
    "own session": _own_session,
    "own token": _own_token,
}


# --- what was said ----------------------------------------------------------------------------------------------------


def _said_reasons(answer: Any) -> Any:
    grounds = [
        [said["policy"]["id"], said["index"], [[step["edge"], step["id"]] for step in path]]
        for said in answer["statements"]
        for path in said["paths"]
    ]
    return [answer["decision"], answer["reason"], sorted(grounds)]


def _ids(items: list[Any]) -> list[str]:
    return sorted(item["id"] for item in items)


SAID: dict[str, Callable[[Any], Any]] = {
    "evaluation": lambda answer: answer["decision"],
    "evaluations": lambda answer: [one["decision"] for one in answer["evaluations"]],
    "search": lambda answer: _ids(answer["results"]),
    "explanation": _said_reasons,
    "roles": lambda answer: [_ids(answer["roles"]["direct"]), _ids(answer["roles"]["all"])],
    "tenant roles": _ids,
    "introspection": lambda answer: sorted(answer["permissions"]) if answer["active"] else None,
    "own key": lambda _: GIVEN,
    "own session": lambda _: GIVEN,
    "own token": lambda _: GIVEN,
}

REFUSALS = (401, 403, 404)


def said(call: Call) -> Any:
    """What a call was answered."""
    return REFUSED if call.status in REFUSALS else SAID[call.operation](call.answer)
