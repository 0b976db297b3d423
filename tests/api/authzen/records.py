"""Two people and two records, made through our own doors, and questions that may be asked about them."""

import copy
from dataclasses import dataclass
from typing import Any

import httpx2

from world import Person, World, allow, deny

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SUBJECTS = "/access/v1/search/subject"
RESOURCES = "/access/v1/search/resource"
ACTIONS = "/access/v1/search/action"
METADATA = "/.well-known/authzen-configuration"

EVALUATE, SEARCH = "iam.decision.Evaluate", "iam.decision.Search"
RECORDS = ["record:record-1", "record:record-2"]
PAGES_MAX = 100

Body = dict[str, Any]


# --- the fixture ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Records:
    """Alice and Bob read two records; Alice writes them too, unless they are archived; those Bob writes, an admin.

    They read by a policy on their group. Alice writes by a role of her own. What is archived, their group's role
    forbids to all but admins and lets admins write. Alice deletes softly by a policy of her own.
    """

    root: World
    enforcer: World
    """Who may ask and search, and nothing else."""
    enforcer_id: str
    root_id: str
    alice: Person
    bob: Person
    group: str
    reading: str
    writing: str
    writer: str
    keeping: str
    overriding: str
    keeper: str
    deleting: str

    @property
    def organization(self) -> str:
        return self.root.organization()


def load(root: World) -> Records:
    """Make all of it as an administrator would; the server knows nothing of it beforehand."""
    herself = root_of(root)
    alice, bob = root.person(), root.person()
    describe(root, alice, alias="alice", properties={})
    describe(root, bob, alias="bob", properties={"role": "admin"})
    register(root, "record", "record-1", status="active")
    register(root, "record", "record-2", status="archived")

    archived, admin = {"resource.status": "archived"}, {"subject.role": "admin"}
    reading = root.policy(allow("read", on=RECORDS), name="read records")
    writing = root.policy(allow("write", on=RECORDS), name="write records")
    keeping = root.policy(
        deny("write", on="record:*", Condition={"StringEquals": archived, "StringNotEquals": admin}),
        name="keep what is archived",
    )
    overriding = root.policy(
        allow("write", on=RECORDS, Condition={"StringEquals": {**archived, **admin}}), name="write what is archived"
    )
    deleting = root.policy(
        allow("delete", on=RECORDS, Condition={"Bool": {"action.soft": "true"}}), name="delete softly"
    )

    group = root.group(alice, bob, name="readers")
    root.attach_policy(reading, group=group)
    writer, keeper = root.role(writing, name="writer"), root.role(keeping, overriding, name="keeper")
    root.attach_role(writer, user=alice.id)
    root.attach_role(keeper, group=group)
    root.attach_policy(deleting, user=alice.id)

    enforcer = asker(root, EVALUATE, SEARCH)
    return Records(
        root,
        root.as_(enforcer.key),
        enforcer.id,
        herself,
        alice,
        bob,
        group,
        reading,
        writing,
        writer,
        keeping,
        overriding,
        keeper,
        deleting,
    )


def root_of(world: World) -> str:
    """The id of the only member of an organization that was just founded: its root."""
    (member,) = world.get("/v2/users")["users"]
    return str(member["id"])


def asker(root: World, *actions: str) -> Person:
    """A service user that may do these actions, and nothing else."""
    made = root.person(service=True)
    if actions:
        root.attach_policy(root.policy(allow(*actions), name="ask"), user=made.id)
    return made


def describe(root: World, person: Person, **members: Any) -> Body:
    """Change what is stored of a member: her alias, her properties."""
    response = root.call("PATCH", f"/v1/principals/{person.id}", members)
    assert response.status_code == 200, response.text
    stored = dict(response.json())
    assert {"id", "type", "alias", "properties"} <= set(stored)
    assert (stored["id"], stored["type"]) == (person.id, "user")
    return stored


def register(root: World, kind: str, name: str, **properties: Any) -> Body:
    """Store the properties of a resource, in place of those that it had."""
    response = root.call("PUT", f"/v1/resources/{kind}/{name}", {"properties": properties})
    assert response.status_code == 200, response.text
    stored = dict(response.json())
    assert (stored["type"], stored["id"], stored["properties"]) == (kind, name, properties)
    return stored


# --- questions ------------------------------------------------------------------------------------------------------


def user(name: str = "alice", /, **properties: Any) -> Body:
    return {"type": "user", "id": name, **({"properties": properties} if properties else {})}


def record(name: str = "record-1", /, **properties: Any) -> Body:
    return {"type": "record", "id": name, **({"properties": properties} if properties else {})}


def act(name: str = "read", /, **properties: Any) -> Body:
    return {"name": name, **({"properties": properties} if properties else {})}


def question(
    subject: str | Body = "alice", action: str | Body = "read", resource: str | Body = "record-1", **members: Any
) -> Body:
    """May the subject do the action on the resource? Whoever and whatever is only named has no properties."""
    return {
        "subject": user(subject) if isinstance(subject, str) else subject,
        "action": act(action) if isinstance(action, str) else action,
        "resource": record(resource) if isinstance(resource, str) else resource,
        **members,
    }


READS = question()

ASKED: dict[str, Body] = {
    EVALUATION: READS,
    EVALUATIONS: {**READS, "evaluations": [{}]},
    SUBJECTS: {**READS, "subject": {"type": "user"}},
    RESOURCES: {**READS, "resource": {"type": "record"}},
    ACTIONS: {name: READS[name] for name in ("subject", "resource")},
}
"""A question of each endpoint that must be answered with 200."""

SEARCHES = (SUBJECTS, RESOURCES, ACTIONS)
SEARCHED = {SUBJECTS: "subject", RESOURCES: "resource", ACTIONS: "action"}

PARTS = ("subject", "action", "resource", "subject.type", "subject.id", "action.name", "resource.type", "resource.id")
NEEDED: dict[str, tuple[str, ...]] = {
    EVALUATION: PARTS,
    EVALUATIONS: PARTS,
    SUBJECTS: tuple(part for part in PARTS if part != "subject.id"),
    RESOURCES: tuple(part for part in PARTS if part != "resource.id"),
    ACTIONS: tuple(part for part in PARTS if not part.startswith("action")),
}
"""What a question of each endpoint may not do without; a batch as far as it lists nothing."""


def changed(body: Body, place: str, value: Any) -> Body:
    """The same question with something else at a place such as `subject.id`."""
    result = copy.deepcopy(body)
    *above, last = place.split(".")
    at = result
    for name in above:
        at = at[name]
    at[last] = value
    return result


def without(body: Body, place: str) -> Body:
    """The same question with nothing at a place."""
    result = copy.deepcopy(body)
    *above, last = place.split(".")
    at = result
    for name in above:
        at = at[name]
    del at[last]
    return result


def ask(world: World, path: str, body: Any = None, **options: Any) -> httpx2.Response:
    """Any question."""
    return world.call("POST", path, body, **options)


def said(response: httpx2.Response) -> Body:
    """The answer to a question that must be answered, as every answer must be."""
    assert response.status_code == 200, response.text
    assert media_type(response) == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert int(response.headers["rescind-revision"]) > 0
    assert response.headers["rescind-instant"]
    body = response.json()
    assert isinstance(body, dict)
    return body


def decision(response: httpx2.Response) -> bool:
    """The one decision of an answer."""
    body = said(response)
    assert "evaluations" not in body
    return one(body)


def one(body: Body) -> bool:
    """A decision, which is a boolean, and its context, an object if there is one."""
    assert isinstance(body, dict)
    assert isinstance(body["decision"], bool)
    assert isinstance(body.get("context", {}), dict)
    return bool(body["decision"])


def may(world: World, *parts: str | Body, **members: Any) -> bool:
    """What is decided of a question, which must be answered."""
    return decision(ask(world, EVALUATION, question(*parts, **members)))


def batch(world: World, *items: Any, **members: Any) -> list[bool]:
    """What is decided of each item of a batch that was answered, in order."""
    body = said(ask(world, EVALUATIONS, {**members, "evaluations": list(items)}))
    assert "decision" not in body
    assert isinstance(body["evaluations"], list)
    return [one(item) for item in body["evaluations"]]


def gist(body: Body) -> Any:
    """What an answer decides or finds, without what it may say besides, such as when."""
    if "evaluations" in body:
        return [one(item) for item in body["evaluations"]]
    return body["results"] if "results" in body else one(body)


def results(body: Body, path: str, kind: str | None = None) -> list[str]:
    """The names in an answer to a search, which must be of one type."""
    assert isinstance(body["results"], list)
    if path == ACTIONS:
        named = [found["name"] for found in body["results"]]
    else:
        assert all(found["type"] == kind for found in body["results"] if kind)
        assert all(isinstance(found["type"], str) for found in body["results"])
        named = [found["id"] for found in body["results"]]
    assert all(isinstance(name, str) for name in named)
    assert len(set(named)) == len(named)
    return named


def found(world: World, path: str, body: Body) -> list[str]:
    """Everything that a search finds, page by page if it must be."""
    return [name for page in pages(world, path, body) for name in page]


def pages(world: World, path: str, body: Body) -> list[list[str]]:
    """The pages of a search: after the first, each is asked for by its token alone."""
    asked, listed = body, []
    for _ in range(PAGES_MAX):
        answer = said(ask(world, path, asked))
        listed.append(results(answer, path))
        token = next_token(answer)
        if not token:
            return listed
        asked = {**body, "page": {"token": token}}
    raise AssertionError("the pages have no end")


def next_token(body: Body) -> str:
    """The token of the page after an answer; empty where there is none."""
    page = body.get("page", {"next_token": ""})
    assert isinstance(page, dict)
    assert isinstance(page["next_token"], str)
    assert page.get("count", len(body["results"])) == len(body["results"])
    assert page.get("total", len(body["results"])) >= len(body["results"])
    return str(page["next_token"])


def evaluated(path: str, body: Body, result: Body) -> Body:
    """The question whose answer a result of a search is; what was searched for keeps the properties asked with it."""
    name = SEARCHED[path]
    asked = {key: value for key, value in body.items() if key != "page"}
    return {**asked, name: {**asked.get(name, {}), **result}}


def assert_refused(response: httpx2.Response, *statuses: int) -> None:
    """An error with one of those statuses: a JSON object that says something."""
    assert response.status_code in (statuses or (400,)), f"{response.status_code} {response.text[:300]}"
    assert media_type(response) == "application/json"
    body = response.json()
    assert isinstance(body, dict)
    assert any(isinstance(value, str) and value for value in body.values())
    assert "decision" not in body
    assert "results" not in body


def media_type(response: httpx2.Response) -> str:
    return str(response.headers["content-type"]).partition(";")[0].strip().lower()
