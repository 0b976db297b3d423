"""Previews: what a write is said to do is what it does, measured by the specification on what is stored afterwards.

The first part tries every removal of one edge from every small world, through the service, for real. Beyond it are
random worlds with conditions, states, expiries and deletions, through both dialects over HTTP.
"""

import itertools
import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st

import spec
from api.auth0.answers import CONNECTION_ID
from loopback import Loopback
from rescind.api.auth0.face import OPERATIONS as MANAGEMENT
from rescind.api.exchange import Operation, writes
from rescind.api.impacts import impact_said
from rescind.api.vultr.face import OPERATIONS as VULTR
from rescind.app import DOORS, application
from rescind.model.errors import Changed
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.schema import intervals
from rescind.store.verify import verify
from rescind.usecases import groups, impacts, policies, properties, roles, users
from rescind.usecases.actor import Asking
from rescind.usecases.requirements import needs_credential
from rescind.usecases.service import Call, Operator, operation_of
from rescind.usecases.unit import Unit, View
from stories.histories import Row, as_specified, question
from tenant import PUBLIC_URL, Tenant, pairs, quoted
from usecases.test_enforcement import ALL, Scene, make_scene
from world import ROOT_KEY, Person, World, allow, deny, root_of_another

Said = dict[str, Any]
"""The body of a preview."""
Request = tuple[str, str, str]
When = tuple[int, int]
"""A revision and an instant."""

LONGEST = 1 << 62


# --- what is said, against what is so -------------------------------------------------------------------------------


class Measure:
    """What the specification finds in the log for some people of one organization, before a write and after it.

    `requests` must have one of every class, and `contexts` all the ways in which conditions may hold: parts of
    requests, `context` and `subject` and `resource`, as far as they bring them.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        before: When,
        after: When,
        *,
        requests: Sequence[Request],
        contexts: Sequence[Row] = ({},),
        known: Callable[[Request], bool],
    ) -> None:
        self.rows, self.before, self.after = rows, before, after
        self.requests, self.contexts, self.known = requests, contexts, known

    def state(self, user: int, organization: int | None, when: When) -> str | None:
        found: str | None = spec.state_of(spec.facts_at(self.rows, *when), user, organization)
        return found

    def cases(self, user: int, organization: int | None, about: Request) -> list[tuple[bool, bool]]:
        """Whether the request is allowed before and after, in every context."""
        return [
            (
                self.allows(user, organization, about, context, self.before),
                self.allows(user, organization, about, context, self.after),
            )
            for context in self.contexts
        ]

    def allows(self, user: int, organization: int | None, about: Request, brought: Row, when: When) -> bool:
        return bool(spec.decide(self.rows, asking(user, organization, about, brought), *when).allowed)

    def agrees(self, said: Said, who: Mapping[str, int], organization: int, name: str) -> None:
        """Assert that a preview says this of people (keys by id), inside the organization and outside of all."""
        found: dict[tuple[str | None, str], Said] = {}
        for group in said["groups"]:
            assert group["count"] == len(group["principals"]) == len({*group["principals"]})
            assert group["lost"] is not None
            if group["type"] == "user":
                for person in group["principals"]:
                    assert (group["organization"], person) not in found, "everybody is in one group"
                    found[group["organization"], person] = group
        assert {person for _, person in found} <= who.keys(), "nobody else is said to be touched"
        for (person, key), (scope, said_scope) in itertools.product(who.items(), [(organization, name), (None, None)]):
            self._agrees_of(found.get((said_scope, person)), key, scope)

    def _agrees_of(self, group: Said | None, user: int, organization: int | None) -> None:
        cases = {about: self.cases(user, organization, about) for about in self.requests}
        if group is None:
            assert all(was == will_be for found in cases.values() for was, will_be in found), "a loss is left out"
            return
        for side, when in (("before", self.before), ("after", self.after)):
            assert group["state"][side] == self.state(user, organization, when)
        turned = {about: [(after, before) for before, after in found] for about, found in cases.items()}
        for direction, of_direction in (("lost", cases), ("gained", turned)):
            self._agrees_on_known(group["known"][direction], of_direction)
            self._agrees_on_rows(group[direction], of_direction)

    def _agrees_on_known(self, said: Said, cases: Mapping[Request, list[tuple[bool, bool]]]) -> None:
        expected = {}
        for about in filter(self.known, self.requests):
            lost, kept = (True, False) in cases[about], (True, True) in cases[about]
            if lost:
                expected[about] = "only_if" if kept else "entirely"
        listed = {
            (one["action"], one["resource"]["type"], one["resource"]["id"]): one["verdict"] for one in said["requests"]
        }
        assert said["total"] == len(said["requests"]), "few enough to be listed"
        assert {about: verdict for about, verdict in listed.items() if about in cases} == expected

    def _agrees_on_rows(self, rows: Sequence[Said], cases: Mapping[Request, list[tuple[bool, bool]]]) -> None:
        accounted = set()
        for row in rows:
            seen = set()
            for about, found in cases.items():
                applying = {index for index, context in enumerate(self.contexts) if speaks(row, about, context)}
                accounted |= {(about, index) for index in applying}
                lost = any(found[index] == (True, False) for index in applying)
                kept = {index for index in applying if found[index] == (True, True)}
                if lost or kept:
                    seen.add((lost, bool(kept)))
                for index in kept:
                    still = [one["statement"] for one in row["still"]]
                    context = self.contexts[index]
                    is_root = organization_root(still) or row["still"] == []
                    assert is_root or any(speaks_of(one, about, context) for one in still), "what stays has a path"
            assert any(lost for lost, _ in seen), "a row loses something"
            depends, stays = (True, True) in seen, (False, True) in seen
            assert row["verdict"] == ("only_if" if depends else "partly" if stays else "entirely")
        for about, found in cases.items():
            missing = {index for index, case in enumerate(found) if case == (True, False)}
            assert {(about, index) for index in missing} <= accounted, "what is lost is in a row"


def organization_root(still: Sequence[Said]) -> bool:
    return any(one["Action"] == one["Resource"] == ["*"] for one in still)


def speaks(row: Said, about: Request, context: Row) -> bool:
    condition = row["condition"] or {}
    return speaks_of(
        {"Effect": "Allow", "Action": row["action"], "Resource": row["resource"], "Condition": condition},
        about,
        context,
    )


def speaks_of(statement: Said, about: Request, context: Row) -> bool:
    return about[1] != "resource_server" and bool(spec.statement_matches(statement, asking(0, None, about, context)))


def asking(user: int, organization: int | None, about: Request, brought: Row) -> Row:
    action, kind, identifier = about
    asked = question(user, organization or 0, action)
    resource = {**brought.get("resource", {}), "type": kind, "id": identifier}
    return {**asked, "organization": organization, **brought, "resource": resource}


class Place:
    """An organization of its own, its root, and what a test makes in it, by name: everything has a key and an id."""

    def __init__(self, node: Node, client: Any) -> None:
        self.node = node
        self.root = World(client, root_of_another(node), node)
        self.keys: dict[str, int] = {}
        self.ids: dict[str, str] = {}
        self.spelled: dict[str, str] = {}

        def look(view: View) -> None:
            self.organization = view.organization
            found = view.reader.objects([view.organization])[view.organization]
            self.know({"organization": (found.key, found.id), "root": (view.actor.user.key, view.actor.user.id)})

        node.service.read(self.call(), look)

    def call(self, usecase: Callable[..., Any] | None = None, impact: str = "") -> Call:
        """Root's call of a use case, as the table of its door requires it; by default one about herself."""
        required = [row.requires for row in VULTR if row.usecase is usecase]
        asks = Asking(str(uuid.uuid4()), self.root.key, "127.0.0.1")
        return Call(asks, required[0] if required else needs_credential(on="user"), impact=impact)

    def know(self, made: Mapping[str, tuple[int, str]]) -> None:
        self.keys.update({name: key for name, (key, _) in made.items()})
        self.ids.update({name: id_ for name, (_, id_) in made.items()})

    def operate(self, usecase: Callable[[Unit], Any]) -> Any:
        """Do something here as the operator."""

        def inside(unit: Unit) -> Any:
            unit.organization = self.organization
            return usecase(unit)

        return self.node.service.operate("test", str(uuid.uuid4()), inside).result

    def make(self, *names: str, documents: Mapping[str, Any] | None = None) -> None:
        """Make users, groups and roles, by the first letters of their names, and policies."""

        def made(unit: Unit) -> None:
            for name in names:
                match name[0]:
                    case "u":
                        users.create(unit, **account(name), password_verifier=None, acls=[], is_service=False)
                    case "g":
                        groups.create(unit, name=name, description="")
                    case _:
                        kind = {"name": name, "description": "", "role_type": "assignable"}
                        roles.create(unit, **kind, max_session_duration=3600)
            for name, document in (documents or {}).items():
                policies.create(unit, name=name, description="", document=document, version="2012-10-17")
            wanted = [*names, *(documents or {})]
            kinds = (ObjectKind.USER, ObjectKind.GROUP, ObjectKind.ROLE, ObjectKind.POLICY)
            created = [one for one in unit.plan.created if one.kind in kinds]
            self.know({name: (one.key, one.id) for name, one in zip(wanted, created, strict=True)})
            self.know_members(unit)

        self.operate(made)

    def know_members(self, unit: Unit) -> None:
        """Under `m` and the name of a user, her membership."""
        names = {self.keys[name]: name for name in self.keys if name.startswith("u")}
        for fact in unit.plan.opened:
            if fact.kind is FactKind.EXISTENCE and fact.thing in names:
                self.keys[f"m{names[fact.thing]}"] = fact.holder

    def join(self, *edges: "Edge", expires_at: int | None = None) -> None:
        """Make edges so."""

        def joined(unit: Unit) -> None:
            for edge in edges:
                unit.open(self.fact(edge, expires_at))

        self.operate(joined)

    def fact(self, edge: "Edge", expires_at: int | None = None) -> Fact:
        """The fact of an edge: what a user has hangs on her membership."""
        holder, thing = edge
        holder = f"m{holder}" if holder.startswith("u") else holder
        kind = {"g": FactKind.GROUP_MEMBERSHIP, "r": FactKind.ROLE_ATTACHMENT, "p": FactKind.POLICY_ATTACHMENT}[
            thing[0]
        ]
        return Fact(kind, self.keys[holder], self.keys[thing], self.organization, expires_at=expires_at)

    def spell(self) -> None:
        """Learn what the Auth0 dialect calls everything."""

        def look(view: View) -> None:
            named = view.reader.profiles(list(self.keys.values()))
            self.spelled = {name: named[key].get("public_id", "") for name, key in self.keys.items()}

        self.node.service.inspect(look)

    @property
    def revision(self) -> int:
        return self.node.store.head(0).revision

    def rows(self) -> list[Row]:
        """All that was ever stored about this place."""
        with self.node.store.snapshot() as connection:
            wanted = sa.select(intervals).where(intervals.c.holder >= self.organization)
            return [as_specified(row) for row in connection.execute(wanted)]


def account(name: str) -> dict[str, Any]:
    email = f"{uuid.uuid4()}@example.org"
    return {"name": name, "first_name": "", "last_name": "", "email": email, "api_enabled": True}


# --- every removal of one edge from every small world ---------------------------------------------------------------

Edge = tuple[str, str]
World3 = tuple[Edge, ...]
USERS, GROUPS, ROLES = ([f"{kind}{number}" for number in range(3)] for kind in "ugr")
POLICIES: dict[str, Any] = {"p0": allow("a"), "p1": allow("*"), "p2": deny("a")}
KINDS = ((USERS, GROUPS), (USERS, ROLES), (GROUPS, ROLES), (USERS, POLICIES), (GROUPS, POLICIES), (ROLES, POLICIES))
EDGES: list[Edge] = [edge for holders, things in KINDS for edge in itertools.product(holders, things)]
CUTS: dict[str, tuple[Callable[..., Any], Callable[[str, str], dict[str, Any]]]] = {
    "ug": (groups.remove_member, lambda user, group: {"group": group, "user": user}),
    "ur": (roles.detach_users, lambda user, role: {"roles": [role], "user": user}),
    "gr": (roles.detach_group, lambda group, role: {"role": role, "group": group}),
    "up": (policies.detach_user, lambda user, policy: {"policy": policy, "user": user}),
    "gp": (policies.detach_group, lambda group, policy: {"policy": policy, "group": group}),
    "rp": (roles.detach_policy, lambda role, policy: {"role": role, "policy": policy}),
}
"""The use case that takes away an edge, by the kinds of its ends, and what it is called with."""
WITNESSES: list[Request] = [("a", "thing", "t1"), ("b", "thing", "t1"), ("a", "resource_server", "https://x")]
"""A request of every class that these policies tell apart: `a` and any other action; nothing of theirs is on an API."""
CATALOGUE = allow("a", "b", on=["thing:t1", "thing:t2"])
"""A policy that nobody has: what it names is known, so that previews say of each whether it is lost."""
SHARDS = 4
ALL_WORLDS = bool(os.environ.get("RESCIND_TEST_ALL_WORLDS"))


def renamings() -> list[dict[str, str]]:
    """Every way to give users, groups and roles each other's names; policies are different, and keep theirs."""
    return [
        {
            **dict(zip([*USERS, *GROUPS, *ROLES], itertools.chain(*chosen), strict=True)),
            **{one: one for one in POLICIES},
        }
        for chosen in itertools.product(*(itertools.permutations(kind) for kind in (USERS, GROUPS, ROLES)))
    ]


def small_worlds() -> Iterator[tuple[World3, int]]:
    """One world of each that differ in names alone, and how many these are."""
    number = {edge: index for index, edge in enumerate(EDGES)}
    maps = [[number[names[holder], names[thing]] for holder, thing in EDGES] for names in renamings()]
    for count in range(4):
        seen: set[tuple[int, ...]] = set()
        for chosen in itertools.combinations(range(len(EDGES)), count):
            if chosen not in seen:
                alike = {tuple(sorted(renamed[one] for one in chosen)) for renamed in maps}
                seen |= alike
                yield tuple(EDGES[one] for one in chosen), len(alike)


def every_world() -> Iterator[World3]:
    """All worlds there are."""
    for count in range(4):
        yield from itertools.combinations(EDGES, count)


def test_the_small_worlds_stand_for_all_there_are() -> None:
    """26 290 worlds have at most three of the 54 edges; up to names they are 1 059, and have 3 036 removals."""
    found = [*small_worlds()]

    assert sum(alike for _, alike in found) == 1 + 54 + 54 * 53 // 2 + 54 * 53 * 52 // 6 == 26_290
    assert len({*every_world()}) == 26_290
    assert len(found) == 1_059
    assert sum(len(edges) for edges, _ in found) == 3_036


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_removal_from_every_small_world_does_what_its_preview_said(
    make_database: Callable[[str], str], shard: int
) -> None:
    """Three users, groups, roles and policies, up to three edges: 1 059 worlds, 3 036 removals, of 26 290 and 76 734.

    Each is previewed by root, then made with the preview's digest as the impact that it must have, and what it did
    to every user is what was said, by what the store holds afterwards. The worlds stand side by side in one
    organization, each with names of its own; which of the worlds that differ in names alone it is, is drawn.
    `make worlds` goes through all of them instead.
    """
    node = build(Settings(database=make_database("sqlite")))
    chance = random.Random(shard)
    names = renamings()
    worlds = [*(every_world() if ALL_WORLDS else (edges for edges, _ in small_worlds()))][shard::SHARDS]
    with Loopback(application(node)) as client:
        place = Place(node, client)
    place.make(documents={**POLICIES, "pc": CATALOGUE})
    standing: list[list[Edge]] = []
    for number, edges in enumerate(worlds):
        renamed = names[0] if ALL_WORLDS else chance.choice(names)
        standing.append([own(number, renamed[holder], renamed[thing]) for holder, thing in edges])
    for start in range(0, len(worlds), 20):
        part = range(start, min(start + 20, len(worlds)))
        place.make(*(own_name(number, name) for number in part for name in (*USERS, *GROUPS, *ROLES)))
        place.join(*(edge for number in part for edge in standing[number]))

    made: list[tuple[int, Edge, Said, When]] = []
    for turn in range(3):
        gone = []
        for number, stands in enumerate(standing):
            if turn < len(stands):
                made.append((number, stands[turn], *remove(place, stands[turn])))
                gone.append(stands[turn])
        place.join(*gone)

    of: dict[int | None, list[Row]] = {}
    for row in place.rows():
        of.setdefault(row["holder"], []).append(row)
    shared = {place.organization, *(place.keys[name] for name in POLICIES)}
    for number, edge, said, (revision, instant) in made:
        own_keys = {key for name, key in place.keys.items() if name.endswith(f"/{number}")}
        rows = [row for key in shared | own_keys for row in of.get(key, ())]
        measure = Measure(
            rows,
            (revision - 1, instant),
            (revision, instant),
            requests=WITNESSES,
            known=lambda about: about[1] == "thing",
        )
        who = {place.ids[name]: place.keys[name] for name in (own_name(number, user) for user in USERS)}
        try:
            measure.agrees(said, who, place.organization, place.ids["organization"])
        except AssertionError as error:
            raise AssertionError(f"{edge} of {standing[number]}: {error}\n{json.dumps(said)}") from error
        assert [fact["fact"] for fact in said["closed"]] == [place.fact(edge).kind.label]
        assert said["opened"] == []
    assert len(made) == sum(map(len, worlds))
    node.store.close()


def own_name(number: int, name: str) -> str:
    """What a world's own is called; the policies are everybody's."""
    return name if name in POLICIES else f"{name}/{number}"


def own(number: int, holder: str, thing: str) -> Edge:
    return own_name(number, holder), own_name(number, thing)


def remove(place: Place, edge: Edge) -> tuple[Said, When]:
    """Preview the removal of an edge, then make it, and say what was said, and the revision and instant."""
    holder, thing = edge
    usecase, called_with = CUTS[holder[0] + thing[0]]
    named = called_with(place.ids[holder], place.ids[thing])
    head = place.revision
    answer = place.node.service.preview(place.call(usecase), usecase, **named)
    assert place.revision == head, "a preview writes nothing"
    written = place.node.service.write(place.call(usecase, answer.result.digest), usecase, **named)
    assert written.change is not None
    assert written.moment.revision == head + 1
    return impact_said(answer.result, operation_of(usecase), answer.moment).model_dump(), (
        written.moment.revision,
        written.moment.instant,
    )


# --- random worlds, through both dialects ---------------------------------------------------------------------------


def asks_for(document: Any, key: str, value: Any) -> Any:
    return {
        "Statement": [
            {**said, "Condition": {"StringEquals": {f"context.{key}": value}}} for said in document["Statement"]
        ]
    }


DOCUMENTS: dict[str, Any] = {
    "p0": allow("*"),
    "p1": allow("a", on="thing:*"),
    "p2": deny("a"),
    "p3": asks_for(allow("a", "b"), "c", "v"),
    "p4": asks_for(deny("*", on="thing:t1"), "d", "v"),
    "p5": asks_for(allow("*", on="thing:t2"), "d", "v"),
    "pc": allow("a", "b", "c", on=["thing:t1", "thing:t2"]),
}
EDITS = [
    allow("b"),
    deny("b", on="thing:t1"),
    asks_for(allow("a", on="thing:t1"), "c", "v"),
    {"Statement": [*allow("a", "b")["Statement"], *asks_for(deny("b"), "d", "v")["Statement"]]},
]
REQUESTS: list[Request] = [
    *itertools.product("abc", ["thing"], ["t1", "t2", ""]),
    *(("a", "other", "x"), ("b", "other", ""), ("a", "resource_server", "https://x")),
]
HOW = {"holds": "v", "fails": "w", "odd": ["v"]}
CONTEXTS: list[Row] = [{"context": {"c": HOW[one], "d": HOW[other]}} for one, other in itertools.product(HOW, repeat=2)]
"""Both conditions hold, fail, or cannot be read: each of them whatever the other does."""

IN = "/api/v2/organizations/{organization}"
EDITED = {"policy_document": "{document}"}
STEPS: dict[str, Any] = {
    "DELETE /v2/groups/{g}/members/{u}": None,
    "POST /v2/groups/{g}/members": {"user_id": "{u}"},
    "DELETE /v2/roles/{r}/users/{u}": None,
    "POST /v2/roles/{r}/users/{u}": None,
    "DELETE /v2/roles/{r}/groups/{g}": None,
    "POST /v2/roles/{r}/groups/{g}": None,
    "DELETE /v2/roles/{r}/policies/{p}": None,
    "POST /v2/roles/{r}/policies/{p}": None,
    "DELETE /v2/policies/{p}/users/{u}": None,
    "POST /v2/policies/{p}/users/{u}": None,
    "DELETE /v2/policies/{p}/groups/{g}": None,
    "POST /v2/policies/{p}/groups/{g}": None,
    "DELETE /v2/roles/{r}": None,
    "PATCH /v2/roles/{r}/restore": None,
    "PUT /v2/roles/{r}": {"role_type": "assumable"},
    "DELETE /v2/policies/{p}": None,
    "PATCH /v2/policies/{p}/restore": None,
    "PUT /v2/policies/{p}?drop_conditions=true": EDITED,
    "DELETE /v2/groups/{g}": None,
    "POST /v1/groups/{g}/restore": None,
    "PUT /v2/organizations/{organization}/user/{u}/suspend": None,
    "PUT /v2/organizations/{organization}/user/{u}/unsuspend": None,
    "DELETE /v2/organizations/{organization}/user/{u}": None,
    "DELETE /v2/users/{u}": None,
    "POST /v1/organizations/{organization}/transfer": {"user": "{u}"},
    "DELETE /v2/organizations/{organization}": None,
    "PATCH /v2/organizations/{organization}/restore": None,
    f"POST {IN}/members": {"members": ["{u}", "{v}"]},
    f"DELETE {IN}/members": {"members": ["{u}", "{v}"]},
    f"POST {IN}/members/{{u}}/roles": {"roles": ["{r}", "{s}"]},
    f"DELETE {IN}/members/{{u}}/roles": {"roles": ["{r}", "{s}"]},
    f"POST {IN}/groups/{{g}}/roles": {"roles": ["{r}", "{s}"]},
    f"DELETE {IN}/groups/{{g}}/roles": {"roles": ["{r}", "{s}"]},
    "PATCH /api/v2/users/{u}": {"blocked": True},
    "PATCH /api/v2/users/{u}?": {"blocked": False},
    "DELETE /api/v2/users/{u}": None,
    "DELETE /api/v2/roles/{r}": None,
    "DELETE /api/v2/groups/{g}": None,
}
"""Calls of both dialects; each is a preview first, and then it is made."""


class Step(NamedTuple):
    """A call, and the numbers of what it is about; `v` and `s` are the other user and role."""

    call: str
    user: int
    group: int
    role: int
    policy: int
    edit: int

    def names(self) -> dict[str, str]:
        named = {"u": f"u{self.user}", "v": f"u{1 - self.user}", "g": f"g{self.group}", "p": f"p{self.policy}"}
        return {**named, "r": f"r{self.role}", "s": f"r{1 - self.role}", "organization": "organization"}


two = st.integers(0, 1)
steps = st.builds(Step, st.sampled_from([*STEPS]), two, two, two, st.integers(0, 5), st.integers(0, 3))
NODES = ("u0", "u1", "g0", "g1", "r0", "r1")
POSSIBLE = [
    *((holder, thing) for holder in ("u0", "u1") for thing in ("g0", "g1", "r0", "r1")),
    *itertools.product(("g0", "g1"), ("r0", "r1")),
    *itertools.product(NODES, [f"p{number}" for number in range(6)]),
]
DAY = 86_400_000_000
edges = st.dictionaries(
    st.sampled_from(POSSIBLE), st.sampled_from([None, None, None, None, -DAY, DAY, 2 * DAY]), min_size=3, max_size=9
)
"""Edges, and in how many microseconds they end."""
states = st.sampled_from([(), (), (), ("suspend", "u0"), ("suspend", "u1"), ("block", "u0")])


class Scenery(NamedTuple):
    """A node with both dialects."""

    node: Node
    tenant: Tenant


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def scenery(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Scenery]:
    """Places side by side in one database of each kind."""
    node = build(Settings(database=make_database(request.param), public_url=PUBLIC_URL))
    with Loopback(application(node), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        yield Scenery(node, Tenant(client, node))
    report = verify(node.store)
    assert not report.differences, "the log of all stories proves the tables"
    node.store.close()


def send(scenery: Scenery, place: Place, step: Step, query: str = "", **headers: str) -> Any:
    """Make the call of a step, in its own dialect."""
    method, _, path = step.call.partition(" ")
    is_auth0 = path.startswith("/api/")
    spelled = place.spelled if is_auth0 else place.ids
    words = {name: spelled[of] for name, of in step.names().items()}
    body = filled(STEPS[step.call], {**words, "document": EDITS[step.edit]})
    path = path.rstrip("?").format_map({name: quoted(word) for name, word in words.items()})
    if query:
        path += ("&" if "?" in path else "?") + query
    if is_auth0:
        return scenery.tenant.call(method, f"/{path}", body, headers=headers)
    headers["Authorization"] = f"Bearer {place.root.key}"
    return scenery.tenant.http.request(method, path, headers=headers, **({} if body is None else {"json": body}))


def filled(body: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(body, dict):
        return {name: filled(value, words) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, words) for value in body]
    return words[body[1:-1]] if isinstance(body, str) and body.startswith("{") else body


def prepared(scenery: Scenery, built: Mapping[Edge, int | None], state: tuple[str, ...]) -> Place:
    place = Place(scenery.node, scenery.tenant.http)
    place.make(*NODES, documents=DOCUMENTS)
    place.spell()
    now = scenery.node.freshness.now().instant
    for edge, ends_in in built.items():
        place.join(edge, expires_at=None if ends_in is None else now + ends_in)
    if state:
        what, who = state
        fact = Fact(FactKind.SUSPENSION, place.keys[f"m{who}"], scope=place.organization)
        place.operate(lambda unit: unit.open(Fact(FactKind.BLOCK, place.keys[who]) if what == "block" else fact))
    return place


@settings(max_examples=50)
@given(edges, states, st.lists(steps, min_size=1, max_size=3))
def test_a_preview_says_what_the_write_then_does(
    scenery: Scenery, built: dict[Edge, int | None], state: tuple[str, ...], taken: list[Step]
) -> None:
    """In any world, for any write in either dialect, to the letter; and what would be refused is refused before.

    The preview spends no revision, its digest lets the write pass, and nothing of what it says changes by time alone
    before it says so.
    """
    place = prepared(scenery, built, state)
    who = {place.ids[name]: place.keys[name] for name in ("u0", "u1", "root")}
    for step in taken:
        note(str(step))
        head = place.revision
        preview = send(scenery, place, step, "preview=true")
        assert place.revision == head, "a preview writes nothing"
        if preview.status_code != 200:
            assert send(scenery, place, step).status_code == preview.status_code
            assert place.revision == head
            continue
        said = preview.json()
        assert preview.headers["ETag"] == f'"{said["digest"]}"'
        assert int(preview.headers["Rescind-Revision"]) == said["revision"] == head

        made = send(scenery, place, step, **{"If-Match": preview.headers["ETag"]})

        assert made.status_code in (200, 201, 202, 204), made.text
        revision, instant = place.revision, said["instant"]
        # What people read may change, and no fact with it.
        assert revision - head in ([1] if said["opened"] or said["closed"] else [0, 1])
        rows, ends = place.rows(), said["holds_until"]
        expire = any(row["expires_at"] is not None for row in rows)
        for moment in {instant, *([LONGEST if ends is None else ends - 1] if expire else [])}:
            Measure(
                rows,
                (head, moment),
                (revision, moment),
                requests=REQUESTS,
                contexts=CONTEXTS if is_conditional(built, taken) else ({},),
                known=lambda about: about[1] == "thing" and about[2] != "",
            ).agrees(said, who, place.organization, place.ids["organization"])


def is_conditional(built: Mapping[Edge, int | None], taken: Sequence[Step]) -> bool:
    """Whether anybody may have a policy that asks for something."""
    held = {thing for _, thing in built} | {f"p{step.policy}" for step in taken if "{p}" in step.call}
    return bool(held & {"p3", "p4", "p5"}) or any(STEPS[step.call] == EDITED for step in taken)


# --- what is stored of principals and resources -----------------------------------------------------------------------


def asks_of(document: Any, **tests: Any) -> Any:
    """The same where these are so: `subject__dept="v"` reads `subject.dept`; None asks that there is none."""
    block: Row = {}
    for name, value in tests.items():
        operator = "Null" if value is None else "StringEquals"
        block.setdefault(operator, {})[name.replace("__", ".")] = "true" if value is None else value
    return {"Statement": [{**said, "Condition": block} for said in document["Statement"]]}


def reading_stored(changing: str, other: str) -> dict[str, Any]:
    """Documents that read what is stored under two names, of which the first will be changed; of the other one thing
    alone is asked, because conditions that exclude each other are told of as if they did not."""
    return {
        "p0": asks_of(allow("a", "b"), **{changing: "v"}),
        "p1": asks_of(deny("a", on="thing:*"), **{changing: "w"}),
        "p2": asks_of(allow("a", "c", on="thing:t1"), **{other: "v"}),
        "p3": asks_of(deny("*"), **{changing: None}),
        "p4": asks_of(allow("b"), **{changing: "v", other: "v"}),
        "p5": asks_of(allow("*"), **{changing: "w"}, context__c="v"),
        "p6": allow("a", "c"),
        "p7": asks_of(deny("c"), **{changing: None}, context__c="v"),
        "pc": allow("a", "b", "c", on=["thing:t1", "thing:t2"]),
    }


VALUES = (None, "v", "w")
stored_edges = st.dictionaries(
    st.sampled_from(
        [
            *((holder, thing) for holder in ("u0", "u1") for thing in ("g0", "g1", "r0", "r1")),
            *itertools.product(("g0", "g1"), ("r0", "r1")),
            *itertools.product(NODES, [f"p{number}" for number in range(8)]),
        ]
    ),
    st.none(),
    min_size=3,
    max_size=9,
)


class Told(Measure):
    """The same where a department is stored of one member, and a tier of one thing."""

    departments: Mapping[When, str | None]
    tiers: Mapping[When, str | None]
    who: int
    within: int

    def allows(self, user: int, organization: int | None, about: Request, brought: Row, when: When) -> bool:
        dept = self.departments[when] if (user, organization) == (self.who, self.within) else None
        tier = self.tiers[when] if about[1:] == ("thing", "t1") and organization == self.within else None
        told = {"subject": {"dept": dept} if dept else {}, "resource": {"tier": tier} if tier else {}}
        return super().allows(user, organization, about, {**told, **brought}, when)


def set_stored(scenery: Scenery, place: Place, dept: str | None, tier: str | None, **headers: str) -> None:
    for path, stored in ((f"/v1/principals/{place.ids['u0']}", {"dept": dept}), (TIER, {"tier": tier})):
        method = "PATCH" if "principals" in path else "PUT" if tier else "DELETE"
        answer = write_stored(scenery, place, method, path, stored, **headers)
        assert answer.status_code in (200, 204) or (method, answer.status_code) == ("DELETE", 404), answer.text


def write_stored(
    scenery: Scenery, place: Place, method: str, path: str, properties: Row, query: str = "", **headers: str
) -> Any:
    headers["Authorization"] = f"Bearer {place.root.key}"
    sent: Row = {} if method == "DELETE" else {"json": {"properties": properties}}
    return scenery.tenant.http.request(method, path + query, headers=headers, **sent)


TIER = "/v1/resources/thing/t1"


@settings(max_examples=40)
@given(
    stored_edges,
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
    st.booleans(),
    st.sampled_from(VALUES),
)
def test_what_is_stored_is_lost_and_gained_as_it_was_said(
    scenery: Scenery, built: dict[Edge, None], dept: str | None, tier: str | None, of_member: bool, becomes: str | None
) -> None:
    """A property is set, altered or taken away, or a resource registered or forgotten: the preview says who loses.

    It says so for requests that bring nothing in its place; what they bring of the other part, of which nothing is
    stored, is left open.
    """
    dept, tier = (dept, None) if of_member else (None, tier)
    place = Place(scenery.node, scenery.tenant.http)
    names = ("subject__dept", "resource__tier")
    place.make(*NODES, documents=reading_stored(*(names if of_member else names[::-1])))
    for edge in built:
        place.join(edge)
    set_stored(scenery, place, dept, tier)
    method = "PATCH" if of_member else "PUT" if becomes else "DELETE"
    path = f"/v1/principals/{place.ids['u0']}" if of_member else TIER
    properties = {"dept": becomes} if of_member else {"tier": becomes}
    before = place.revision

    preview = write_stored(scenery, place, method, path, properties, "?preview=true")

    assert place.revision == before, "a preview writes nothing"
    if preview.status_code == 404:
        assert (method, tier) == ("DELETE", None)
        return
    said = preview.json()
    made = write_stored(scenery, place, method, path, properties, **{"If-Match": preview.headers["ETag"]})
    assert made.status_code in (200, 204), made.text
    was, became = (before, said["instant"]), (place.revision, said["instant"])
    open_part = "resource" if of_member else "subject"
    name = "tier" if of_member else "dept"
    measure = Told(
        place.rows(),
        was,
        became,
        requests=REQUESTS,
        contexts=[
            {"context": {"c": one}, open_part: other}
            for one, other in itertools.product(HOW.values(), ({}, {name: "v"}, {name: "w"}, {name: "x"}))
        ],
        known=lambda about: about[1] == "thing" and about[2] != "",
    )
    measure.departments = {was: dept, became: becomes if of_member else dept}
    measure.tiers = {was: tier, became: tier if of_member else becomes}
    measure.who, measure.within = place.keys["u0"], place.organization
    who = {place.ids[name]: place.keys[name] for name in ("u0", "u1", "root")}
    measure.agrees(said, who, place.organization, place.ids["organization"])


# --- digests --------------------------------------------------------------------------------------------------------


class Detachment(NamedTuple):
    """A role that a group and one of its two members have, and the call that takes it from the group."""

    root: World
    ann: Person
    ben: Person
    group: str
    role: str

    @property
    def path(self) -> str:
        return f"/v2/roles/{self.role}/groups/{self.group}"

    def preview(self, world: World | None = None) -> Any:
        return (world or self.root).call("DELETE", f"{self.path}?preview=true")

    def make(self, digest: str, world: World | None = None) -> Any:
        return (world or self.root).call("DELETE", self.path, headers={"If-Match": digest})


@pytest.fixture
def detachment(world: World) -> Detachment:
    """Whom the removal touches: one keeps the role by herself."""
    ann, ben = world.person(), world.person()
    group, role = world.group(ann, ben), world.role(world.policy(allow("disk.Read", "disk.Write")))
    world.attach_role(role, group=group)
    world.attach_role(role, user=ben.id)
    return Detachment(world, ann, ben, group, role)


def head(world: World) -> int:
    assert world.node is not None
    return world.node.store.head(0).revision


def rename(at: Detachment) -> None:
    at.root.call("PUT", f"/v2/groups/{at.group}", {"display_name": "another name"})


def add_a_stranger(at: Detachment) -> None:
    at.root.attach_policy(at.root.policy(allow("*")), user=at.root.person().id)


def give_what_nobody_loses(at: Detachment) -> None:
    at.root.attach_policy(at.root.policy(allow("*")), group=at.root.group())


UNRELATED = [rename, add_a_stranger, give_what_nobody_loses]


def give_it_another_way(at: Detachment) -> None:
    at.root.attach_role(at.role, user=at.ann.id)


def let_another_in(at: Detachment) -> None:
    at.root.call("POST", f"/v2/groups/{at.group}/members", {"user_id": at.root.person().id})


def let_one_go(at: Detachment) -> None:
    at.root.delete(f"/v2/groups/{at.group}/members/{at.ann.id}")


def take_the_other_way(at: Detachment) -> None:
    at.root.delete(f"/v2/roles/{at.role}/users/{at.ben.id}")


def put_more_into_the_role(at: Detachment) -> None:
    policy = at.root.policy(allow("net.Read"))
    at.root.post(f"/v2/roles/{at.role}/policies/{policy}")


def forbid_some(at: Detachment) -> None:
    at.root.attach_policy(at.root.policy(deny("disk.Read")), user=at.ann.id)


def suspend(at: Detachment) -> None:
    organization = at.root.organization()
    assert at.root.status(f"/v2/organizations/{organization}/user/{at.ann.id}/suspend", "PUT") == 204


def do_it(at: Detachment) -> None:
    at.root.delete(at.path)


RELATED = [
    give_it_another_way,
    let_another_in,
    let_one_go,
    take_the_other_way,
    put_more_into_the_role,
    forbid_some,
    suspend,
    do_it,
]


def named(functions: Sequence[Callable[..., Any]]) -> list[str]:
    return [one.__name__ for one in functions]


def test_the_digest_lets_the_same_call_pass(detachment: Detachment) -> None:
    """Once, with quotes or without, and what it said is what happened: one of the two loses something."""
    preview = detachment.preview()
    (group,) = preview.json()["groups"]
    assert group["principals"] == [detachment.ann.id]
    assert {row["action"] for row in group["lost"]} == {"disk.Read", "disk.Write"}
    assert preview.json()["principals"]["looked_at"] >= 2

    assert detachment.make(preview.json()["digest"]).status_code == 204
    assert detachment.root.get(f"/v2/groups/{detachment.group}/roles")["roles"]["direct"] == []


@pytest.mark.parametrize("change", UNRELATED, ids=named(UNRELATED))
def test_what_does_not_touch_the_impact_does_not_hold_the_call_up(
    detachment: Detachment, change: Callable[[Detachment], None]
) -> None:
    """The digest is one of the impact, not of the revision."""
    digest = detachment.preview().headers["ETag"]
    change(detachment)

    assert detachment.make(digest).status_code == 204


@pytest.mark.parametrize("change", RELATED, ids=named(RELATED))
def test_another_impact_than_was_previewed_is_refused(
    detachment: Detachment, change: Callable[[Detachment], None]
) -> None:
    """412 and nothing is written, whatever altered it; a new preview has the digest that passes."""
    digest = detachment.preview().headers["ETag"]
    change(detachment)
    before = head(detachment.root)

    assert detachment.make(digest).status_code == 412
    assert head(detachment.root) == before
    assert detachment.make(detachment.preview().headers["ETag"]).status_code == 204


def attach_for_a_moment(detachment: Detachment) -> int:
    """Attach the role to ann, too, until an instant that comes soon; the instant."""
    node = detachment.root.node
    assert node is not None
    ends = node.freshness.now().instant + 700_000

    def until(unit: Unit) -> None:
        found = unit.reader.find_object(ObjectKind.USER, detachment.ann.id)
        role = unit.reader.find_object(ObjectKind.ROLE, detachment.role)
        assert found is not None
        assert role is not None
        unit.organization = role.owner
        member = unit.membership_of(found)
        assert member is not None
        unit.open(Fact(FactKind.ROLE_ATTACHMENT, member.key, role.key, role.owner, expires_at=ends))

    node.service.operate("test", str(uuid.uuid4()), until)
    return ends


def test_time_alone_alters_an_impact(detachment: Detachment) -> None:
    """An edge by which one would have kept something ends: the preview said until when it holds, and then 412."""
    ends = attach_for_a_moment(detachment)
    preview = detachment.preview()
    assert preview.json()["groups"] == []
    assert preview.json()["holds_until"] == ends
    before = head(detachment.root)
    time.sleep(0.8)

    assert detachment.make(preview.headers["ETag"]).status_code == 412
    assert head(detachment.root) == before
    again = detachment.preview()
    assert [group["principals"] for group in again.json()["groups"]] == [[detachment.ann.id]]
    assert again.json()["holds_until"] is None
    assert detachment.make(again.headers["ETag"]).status_code == 204


def test_a_preview_holds_no_longer_than_it_says_whatever_is_so_then(detachment: Detachment) -> None:
    """What ended was had by another path, too: nobody loses anything, as before, and still it is 412."""
    as_much = detachment.root.policy(allow("disk.Read", "disk.Write"))
    detachment.root.attach_policy(as_much, user=detachment.ann.id)
    attach_for_a_moment(detachment)
    preview = detachment.preview()
    assert preview.json()["groups"] == []
    time.sleep(0.8)

    assert detachment.make(preview.headers["ETag"]).status_code == 412
    again = detachment.preview()
    assert again.json()["groups"] == []
    assert detachment.make(again.headers["ETag"]).status_code == 204


@pytest.mark.parametrize("alters", ["nothing", "what others write", "what is planned"])
def test_what_is_otherwise_when_the_lock_is_had_than_when_it_was_compared_alters_it(
    scenery: Scenery, alters: str
) -> None:
    """An impact is compared before the write waits for its turn: what became of it until then counts all the same."""
    place = Place(scenery.node, scenery.tenant.http)
    place.make("u0", "u1", "g0", "r0", "r1", documents={"p0": allow("a"), "p1": allow("b")})
    place.join(("u0", "g0"), ("g0", "r0"), ("g0", "r1"), ("r0", "p0"), ("r1", "p1"))
    named = {"role": place.ids["r0"], "group": place.ids["g0"]}
    digest = scenery.node.service.preview(place.call(roles.detach_group), roles.detach_group, **named).result.digest
    planned = []

    def detach(unit: Unit, **named: str) -> bool:
        planned.append(unit.reader.revision)
        if alters == "what others write" and len(planned) == 1:
            place.join(("u1", "g0"))
        if alters == "what is planned" and len(planned) > 1:
            roles.detach_group(unit, role=place.ids["r1"], group=named["group"])
        return roles.detach_group(unit, **named)

    def write() -> None:
        scenery.node.service.write(place.call(roles.detach_group, digest), detach, **named)

    if alters == "nothing":
        write()
    else:
        with pytest.raises(Changed):
            write()
    assert len(planned) == 2
    assert place.revision == planned[0] + (alters != "what is planned"), "this write, the other one, or none"


def test_a_write_that_time_makes_another_is_not_the_one_that_was_seen(detachment: Detachment) -> None:
    """What was there for a while need not be given; when it has ended it would be: 412, though nothing was written."""
    root, node = detachment.root, detachment.root.node
    assert node is not None
    path, acls = f"/v2/users/{detachment.ann.id}", {"acls": ["dns"]}
    end = node.freshness.now().instant + 3_600_000_000
    assert root.status(f"/v1/users/{detachment.ann.id}/acls/dns", "PUT", {"expires_at": end}) == 204
    preview = root.call("PATCH", f"{path}?preview=true", acls)
    assert (preview.json()["opened"], preview.json()["holds_until"]) == ([], end)
    seen, write = [], node.service._write

    def later(*planned: Any) -> Any:
        seen.append(head(root))
        node.freshness._instant = end + 1
        return write(*planned)

    node.service._write = later
    made = root.call("PATCH", path, acls, headers={"If-Match": preview.headers["ETag"]})
    assert made.status_code == 412, made.text
    assert seen == [head(root)]


def test_a_resource_is_called_what_it_was_registered_as(world: World) -> None:
    """Also one with a star in its id, which is a letter there."""
    person = world.person()
    world.attach_policy(world.policy(asks_of(allow("disk.Read"), resource__tier="v")), user=person.id)
    said = world.call("PUT", "/v1/resources/disk/a*b?preview=true", {"properties": {"tier": "v"}}).json()
    (group,) = said["groups"]
    assert [row["resource"] for row in group["gained"]] == ["disk:a*b"]


def test_of_what_is_too_much_to_be_listed_the_first_is_and_the_rest_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of principals who lose the same, of what they lose, of what is known of it, and of such groups."""
    for bound in ("GROUPS_MAX", "PRINCIPALS_MAX", "ROWS_MAX", "KNOWN_MAX"):
        monkeypatch.setattr(impacts, bound, 1)
    ann, ben, cyd = (world.person() for _ in range(3))
    group = world.group(ann, ben, cyd)
    world.attach_policy(world.policy(allow("disk.Read")), user=cyd.id)
    taken = world.policy(allow("disk.Read", "disk.Write", "disk.Copy", on="disk:1"))
    world.attach_policy(taken, group=group)

    said = world.call("DELETE", f"/v2/policies/{taken}/groups/{group}?preview=true").json()
    assert (said["principals"]["changed"], said["more_groups"]) == (3, 1)
    (lose,) = said["groups"]
    assert (lose["count"], len(lose["principals"])) == (2, 1)
    assert (len(lose["lost"]), lose["more_lost"], lose["gained"], lose["more_gained"]) == (1, 2, [], 0)
    assert len(lose["known"]["lost"]["requests"]) == 1 < lose["known"]["lost"]["total"]


def test_the_groups_that_are_too_many_are_shown_part_by_part(
    detachment: Detachment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the cursor of the part before: each once, with the same digest; of the change that was made as well."""
    root, people = detachment.root, [detachment.root.person() for _ in range(3)]
    for number, person in enumerate(people):
        root.attach_policy(root.policy(allow("disk.Read", on=f"disk:{number}")), user=person.id)
        root.post(f"/v2/groups/{detachment.group}/members", {"user_id": person.id})
    monkeypatch.setattr(impacts, "GROUPS_MAX", 1)

    def parts(read: Callable[[str], Said]) -> list[Said]:
        found = [read("")]
        while found[-1]["next_groups"] and len(found) < 5:
            found.append(read(found[-1]["next_groups"]))
        assert [part["more_groups"] for part in found] == [3, 2, 1, 0]
        assert len({part["digest"] for part in found}) == 1
        return [group for part in found for group in part["groups"]]

    def previewed(cursor: str) -> Said:
        return dict(root.call("DELETE", f"{detachment.path}?preview=true&groups={cursor}").json())

    before = parts(previewed)
    named = {"operation": "roles.detach_group", "arguments": {"role": detachment.role, "group": detachment.group}}
    assert parts(lambda cursor: dict(root.call("POST", f"/v1/preview?groups={cursor}", named).json())) == before
    assert {name for group in before for name in group["principals"]} == {
        detachment.ann.id,
        *(one.id for one in people),
    }
    cursor = previewed("")["next_groups"]
    for other in ("x", cursor[:-1], cursor[::-1]):
        assert root.call("DELETE", f"{detachment.path}?preview=true&groups={other}").status_code == 400
    assert root.call("POST", f"/v1/preview?groups={cursor}", named).status_code == 400, "that is another list"
    do_it(detachment)
    path = f"/v1/changes/{head(root)}"
    assert parts(lambda cursor: dict(root.call("GET", f"{path}?groups={cursor}").json()["impact"])) == before


def test_those_who_hold_different_things_besides_lose_different_things(world: World) -> None:
    """Members of one group, with a policy or a role or another group each: what each keeps is her own."""
    people = {name: world.person() for name in ("reads", "writes", "reads by role", "writes by group", "has nothing")}
    group = world.group(*people.values())
    reading, writing = world.policy(allow("disk.Read")), world.policy(allow("disk.Write"))
    both = world.policy(allow("disk.Read", "disk.Write"))
    world.attach_policy(both, group=group)
    world.attach_policy(reading, user=people["reads"].id)
    world.attach_policy(writing, user=people["writes"].id)
    world.attach_role(world.role(reading), user=people["reads by role"].id)
    world.attach_policy(writing, group=world.group(people["writes by group"]))

    said = world.call("DELETE", f"/v2/policies/{both}/groups/{group}?preview=true").json()

    lost = {
        person: {row["action"] for row in found["lost"]} for found in said["groups"] for person in found["principals"]
    }
    read, write = {"disk.Read"}, {"disk.Write"}
    assert {name: lost[person.id] for name, person in people.items()} == {
        "reads": write,
        "writes": read,
        "reads by role": write,
        "writes by group": read,
        "has nothing": read | write,
    }


def test_a_write_that_would_do_nothing_has_a_digest_too(detachment: Detachment) -> None:
    """What is gone already loses nobody anything, and the call passes and spends no revision."""
    do_it(detachment)
    preview, before = detachment.preview(), head(detachment.root)
    assert (preview.json()["groups"], preview.json()["closed"]) == ([], [])

    assert detachment.make(preview.headers["ETag"]).status_code == 204
    assert head(detachment.root) == before


# --- who may see what -----------------------------------------------------------------------------------------------


def test_who_may_not_read_what_others_have_is_told_numbers_alone(detachment: Detachment) -> None:
    """Whoever may take the role away may preview that; without `iam.access.Read` on all of them it names nobody."""
    root, helper = detachment.root, detachment.root.person()
    root.attach_policy(root.policy(allow("iam.role.DetachGroup")), user=helper.id)
    world = root.as_(helper.key)

    preview = detachment.preview(world)

    said = preview.json()
    assert (said["principals"]["changed"], said["principals"]["hidden"]) == (1, 1)
    assert (said["groups"], said["sessions_ended"]) == ([], [])
    assert detachment.ann.id not in preview.text
    assert "disk." not in preview.text
    assert said["digest"] == detachment.preview().json()["digest"]
    root.attach_policy(root.policy(allow("iam.access.Read", on=f"user:{detachment.ann.id}")), user=helper.id)
    assert [group["principals"] for group in detachment.preview(world).json()["groups"]] == [[detachment.ann.id]]
    assert detachment.make(preview.headers["ETag"], world).status_code == 204


def test_of_several_who_lose_the_same_all_must_be_seen_for_one_to_be_named(detachment: Detachment) -> None:
    """A group that is hidden in part is hidden, and counted."""
    root, helper = detachment.root, detachment.root.person()
    take_the_other_way(detachment)
    root.attach_policy(root.policy(allow("iam.role.DetachGroup")), user=helper.id)
    root.attach_policy(root.policy(allow("iam.access.Read", on=f"user:{detachment.ann.id}")), user=helper.id)

    said = detachment.preview(root.as_(helper.key)).json()

    assert (said["principals"]["changed"], said["principals"]["hidden"]) == (2, 2)
    assert said["groups"] == []


def test_it_is_asked_of_all_and_not_only_of_those_who_are_named(
    detachment: Detachment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One principal of a group is named, and another may not be read: nobody is. So it is beyond the last group."""
    root, helper = detachment.root, detachment.root.person()
    take_the_other_way(detachment)
    root.attach_policy(root.policy(allow("iam.role.DetachGroup")), user=helper.id)
    root.attach_policy(root.policy(allow("iam.access.Read", on=f"user:{detachment.ann.id}")), user=helper.id)
    monkeypatch.setattr(impacts, "PRINCIPALS_MAX", 1)

    said = detachment.preview(root.as_(helper.key)).json()
    assert (said["principals"]["changed"], said["principals"]["hidden"], said["groups"]) == (2, 2, [])

    root.attach_policy(root.policy(allow("disk.Read")), user=detachment.ben.id)
    monkeypatch.setattr(impacts, "GROUPS_MAX", 0)
    said = detachment.preview(root.as_(helper.key)).json()
    assert (said["principals"]["changed"], said["principals"]["hidden"], said["more_groups"]) == (2, 1, 1)


@pytest.mark.parametrize("reads", [False, True])
def test_who_may_not_make_the_change_gets_no_preview_of_it(detachment: Detachment, reads: bool) -> None:
    """403, word for word what the call itself would say, whatever else she may read; 404 for what is not hers."""
    root, other = detachment.root, detachment.root.person()
    if reads:
        root.attach_policy(root.policy(allow("iam.access.Read", "iam.role.Read")), user=other.id)
    world = root.as_(other.key)

    preview = detachment.preview(world)

    assert preview.status_code == 403
    assert preview.text == world.call("DELETE", detachment.path).text
    assert root.node is not None
    stranger = root.as_(root_of_another(root.node))
    assert detachment.preview(stranger).status_code == 404
    assert root.as_("no key").call("DELETE", f"{detachment.path}?preview=true").status_code == 401


def test_nobody_learns_by_a_preview_what_he_could_not_grant(detachment: Detachment) -> None:
    """What escalates is refused before as it would be then."""
    root, helper = detachment.root, detachment.root.person()
    root.attach_policy(root.policy(allow("iam.role.AttachUser")), user=helper.id)
    path = f"/v2/roles/{detachment.role}/users/{helper.id}"
    world = root.as_(helper.key)
    before = head(root)

    refusals = [world.call("POST", asked) for asked in (f"{path}?preview=true", path)]

    assert [refusal.status_code for refusal in refusals] == [403, 403]
    assert refusals[0].text == refusals[1].text
    assert head(root) == before


# --- sessions -------------------------------------------------------------------------------------------------------


class Entered(NamedTuple):
    """Somebody with a session of a role that she may enter by a policy of a group."""

    root: World
    who: Person
    group: str
    session: Said


@pytest.fixture
def entered(small_world: World) -> Entered:
    """She may enter the role as one of the group."""
    root, who = small_world, small_world.person()
    role = root.role(root.policy(allow("disk.Read")), role_type="assumable")
    root.post("/v2/role-trusts", {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": who.id})
    group = root.group(who)
    root.attach_policy(root.policy(allow("iam.role.AssumeRole")), group=group)
    session = root.as_(who.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})
    return Entered(root, who, group, session)


def test_a_session_that_would_end_is_named(entered: Entered) -> None:
    """Who may no longer enter the role has no session of it any more: the preview says so, and so it is."""
    path = f"/v2/groups/{entered.group}/members/{entered.who.id}"
    session = entered.root.as_(entered.session["session_token"])
    asked = f"/v2/assumed-roles/{entered.session['id']}"
    assert entered.root.status(asked) == 200

    preview = entered.root.call("DELETE", f"{path}?preview=true")

    said = preview.json()
    assert said["sessions_ended"] == [entered.session["id"]]
    assert {group["type"] for group in said["groups"]} == {"user", "session"}
    assert entered.root.call("DELETE", path, headers={"If-Match": preview.headers["ETag"]}).status_code == 204
    assert session.status("/v2/roles") == 401


def test_who_loses_an_edge_and_what_is_stored_is_counted_once(scenery: Scenery) -> None:
    """In one plan both: she loses the same to requests that bring something and to those that do not."""
    place = Place(scenery.node, scenery.tenant.http)
    place.make("u0", "r0", documents={"p0": allow("a"), "p1": allow("b")})
    place.join(("u0", "r0"), ("r0", "p0"), ("u0", "p1"))

    def both(unit: Unit) -> None:
        roles.detach_users(unit, roles=[place.ids["r0"]], user=place.ids["u0"])
        properties.update(unit, principal=place.ids["u0"], changes={"properties": {"dept": "v"}})

    operator = Operator("test", organization=place.ids["organization"])
    found = scenery.node.service.preview_as(operator, both).result
    assert found.changed == 1
    assert [(group.count, group.principals) for group in found.groups if group.scope] == [(1, [place.ids["u0"]])]


def test_a_session_loses_what_its_user_was_said_to_be(entered: Entered) -> None:
    """What is stored of a person is read of her sessions, too; each is told of under its own name."""
    reads = asks_of(allow("net.Read"), subject__user__dept="v")
    role = entered.session["role_id"]
    entered.root.post(f"/v2/roles/{role}/policies/{entered.root.policy(reads)}")
    entered.root.call("PATCH", f"/v1/principals/{entered.who.id}", {"properties": {"dept": "v"}})

    path, gone = f"/v1/principals/{entered.who.id}", {"properties": {"dept": None}}
    said = entered.root.call("PATCH", f"{path}?preview=true", gone).json()

    (group,) = said["groups"]
    assert (group["type"], group["principals"]) == ("session", [entered.session["id"]])
    assert [(row["action"], row["condition"], row["verdict"]) for row in group["lost"]] == [
        ("net.Read", None, "entirely")
    ]
    assert said["sessions_ended"] == []


LETS_HER_ENTER = {
    "a stored Allow": asks_of(allow("iam.role.AssumeRole"), subject__dept="v"),
    "a Deny of what is stored": {
        "Statement": [
            *allow("iam.role.AssumeRole")["Statement"],
            *asks_of(deny("iam.role.AssumeRole"), subject__dept=None)["Statement"],
        ]
    },
    "an Allow in some circumstances": {
        "Statement": [
            {
                **allow("iam.role.AssumeRole")["Statement"][0],
                "Condition": {"DateGreaterThan": {"context.current_time": "2020-01-01"}},
            }
        ]
    },
}


@pytest.mark.parametrize("rules", LETS_HER_ENTER.values(), ids=LETS_HER_ENTER)
def test_a_session_ends_with_a_right_to_enter_that_hangs_on_something(small_world: World, rules: Any) -> None:
    """On what is stored of its user, or on circumstances: the preview names it, and says so when it comes back."""
    root, who = small_world, small_world.person()
    her, stored = f"/v1/principals/{who.id}", {"properties": {"dept": "v"}}
    role = root.role(root.policy(allow("disk.Read")), role_type="assumable")
    root.post("/v2/role-trusts", {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": who.id})
    group = root.group(who)
    root.attach_policy(root.policy(rules), group=group)
    root.call("PATCH", her, stored)
    made = root.as_(who.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})
    session = root.as_(made["session_token"])
    if "context" not in json.dumps(rules):
        gone = {"properties": {"dept": None}}
        assert root.call("PATCH", f"{her}?preview=true", gone).json()["sessions_ended"] == [made["id"]]
        root.call("PATCH", her, gone)
        assert session.status("/v2/roles") == 401
        (back,) = [
            group
            for group in root.call("PATCH", f"{her}?preview=true", stored).json()["groups"]
            if group["type"] == "session"
        ]
        assert (back["principals"], [row["action"] for row in back["gained"]]) == ([made["id"]], ["disk.Read"])
        root.call("PATCH", her, stored)
        assert session.status("/v2/roles") in (200, 403)
    removal = f"/v2/groups/{group}/members/{who.id}"
    assert root.call("DELETE", f"{removal}?preview=true").json()["sessions_ended"] == [made["id"]]
    root.delete(removal)
    assert session.status("/v2/roles") in (401, 403)


def test_entering_a_role_can_be_previewed(entered: Entered) -> None:
    """It gives nothing to her herself, makes no session, and its digest lets it pass."""
    her, path = entered.root.as_(entered.who.key), "/v2/assumed-roles/assume"
    body = {"role_id": entered.session["role_id"], "session_name": "m"}
    before = head(entered.root)

    preview = her.call("POST", f"{path}?preview=true", body)

    assert preview.status_code == 200, preview.text
    assert "ars-" not in preview.text, "no token is made up"
    assert head(entered.root) == before
    assert her.call("POST", path, body, headers={"If-Match": preview.headers["ETag"]}).status_code == 201


def test_an_impact_on_a_session_holds_until_the_session_ends(entered: Entered) -> None:
    """Time alone ends the session, and with it what the preview says of it."""
    path = f"/v2/groups/{entered.group}/members/{entered.who.id}"
    ends = datetime.fromisoformat(entered.session["expires_at"]).astimezone(UTC) + timedelta(seconds=1)

    said = entered.root.call("DELETE", f"{path}?preview=true").json()

    assert said["holds_until"] is not None
    assert said["holds_until"] <= int(ends.timestamp() * 1_000_000)


def test_who_may_not_read_what_others_have_is_not_told_of_their_sessions(entered: Entered) -> None:
    """Without `iam.access.Read` the sessions of others that would end are counted among the hidden, not named."""
    helper = entered.root.person()
    entered.root.attach_policy(entered.root.policy(allow("iam.group.RemoveMember")), user=helper.id)
    path = f"/v2/groups/{entered.group}/members/{entered.who.id}"

    preview = entered.root.as_(helper.key).call("DELETE", f"{path}?preview=true")

    assert preview.json()["principals"]["hidden"] == 2
    assert entered.session["id"] not in preview.text


# --- outside of organizations ---------------------------------------------------------------------------------------


def test_people_and_machines_who_lose_the_same_are_told_apart(small_tenant: Tenant) -> None:
    """A scope of an API ends for a user and for a client: each is said to be what it is, and both lose it."""
    api, user = small_tenant.api("read", "write"), small_tenant.user()
    client = small_tenant.send("POST", "/clients", {"name": "machine"}, status=201)["client_id"]
    granted = {"client_id": client, "audience": api["identifier"], "scope": ["read"]}
    small_tenant.send("POST", "/client-grants", granted, status=201)
    permissions = {"permissions": pairs((api["identifier"], "read"))}
    small_tenant.send("POST", f"/users/{quoted(user)}/permissions", permissions, status=201)
    path, body = f"/resource-servers/{api['id']}", {"scopes": [{"value": "write"}]}

    preview = small_tenant.call("PATCH", f"{path}?preview=true", body)

    said = preview.json()
    assert sorted(group["type"] for group in said["groups"]) == ["client", "user"]
    for group in said["groups"]:
        assert [(row["action"], row["verdict"]) for row in group["lost"]] == [("read", "entirely")]
        assert (group["organization"], group["gained"]) == (None, [])
    assert [token["api"] for token in said["tokens"]] == [api["identifier"]]
    made = small_tenant.call("PATCH", path, body, headers={"If-Match": preview.headers["ETag"]})
    assert made.status_code == 200, made.text


@pytest.mark.parametrize("identifier", ["https://things.example.org/", "urn:*"])
def test_tokens_that_stay_good_elsewhere_are_named_with_their_api(small_tenant: Tenant, identifier: str) -> None:
    """Where scopes of an API are lost it is said, under its own name, until when tokens for it may be taken."""
    api, user = small_tenant.api("read", identifier=identifier, token_lifetime=60), small_tenant.user()
    role = small_tenant.role((api["identifier"], "read"))
    small_tenant.assign(user, role)

    said = small_tenant.call("DELETE", f"/users/{quoted(user)}/roles?preview=true", {"roles": [role]}).json()

    (token,) = said["tokens"]
    assert token == {"api": identifier, "good_elsewhere_until": said["instant"] + 60_000_000}


def test_nobody_is_told_by_tokens_of_whom_he_may_not_read(small_tenant: Tenant) -> None:
    api, root = small_tenant.api("read"), World(small_tenant.http, ROOT_KEY, small_tenant.node)
    person, helper = root.person(), root.person()
    user = small_tenant.get("/users-by-email", email=person.email)[0]["user_id"]
    organizations = small_tenant.get(f"/users/{quoted(user)}/organizations")
    role = {"roles": [small_tenant.role((api["identifier"], "read"))]}
    path = f"/organizations/{organizations[0]['id']}/members/{quoted(user)}/roles"
    small_tenant.send("POST", path, role, status=204)
    root.attach_policy(root.policy(allow("account.user.Delete")), user=helper.id)

    said = {
        who: who.call("DELETE", f"/v2/users/{person.id}?preview=true").json() for who in (root, root.as_(helper.key))
    }

    assert [len(one["tokens"]) for one in said.values()] == [1, 0]
    assert [one["groups"] == [] for one in said.values()] == [False, True]


# --- every row of every door ----------------------------------------------------------------------------------------

EVERY = [row for door in DOORS for row in door.operations]


def plans(row: Operation) -> bool:
    return any(writes(usecase) for usecase in (row.usecase, *row.also))


WRITING = [row for row in EVERY if plans(row) and not row.is_preview]
READING = [row for row in EVERY if row.method == "GET"]
PREVIEWED = [row for row in WRITING if row.previews]
ODD_QUERIES = (
    *("preview", "preview=", "preview=false", "preview=1", "preview=TRUE", "Preview=true", "preview=true&preview=true"),
    *(
        "preview%3Dtrue",
        "%70review=true",
        "preview[]=true",
        "preview=true%20",
        "x=1;preview=true",
        "preview=true+",
    ),
)
ODD_DIGESTS = ("", "*", "x", '""', 'W/"' + "0" * 64 + '"', "0" * 63, "0" * 65, "A" * 64, "0" * 64 + ", " + "1" * 64)
NO_IMPACT = "0" * 64
UNKNOWN = "01890000-0000-7000-8000-000000000000"


def ids(rows: Sequence[Operation]) -> list[str]:
    return [row.name for row in rows]


@pytest.fixture(scope="module")
def standing(make_database: Callable[[str], str]) -> Iterator[Tenant]:
    """One node for all the calls that must leave it as it is."""
    node = build(Settings(database=make_database("sqlite"), public_url=PUBLIC_URL))
    with Loopback(application(node), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        yield Tenant(client, node)
    node.store.close()


@pytest.fixture(scope="module")
def stage(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """One scene for all the calls that must leave it as it is."""
    yield from make_scene(make_database("sqlite"))


@pytest.fixture
def scene(make_database: Callable[[str], str]) -> Iterator[Scene]:
    """A scene of the test's own."""
    yield from make_scene(make_database("sqlite"))


@pytest.fixture(scope="module")
def town(standing: Tenant) -> dict[str, str]:
    """Something of every kind in the Auth0 dialect, by the placeholders of paths and bodies."""
    return furnished(standing)


KNOWN_CLIENT = {"name": "known", "initiate_login_uri": "https://app.example.org/login"}


def furnished(tenant: Tenant) -> dict[str, str]:
    user, client = tenant.user(), tenant.send("POST", "/clients", KNOWN_CLIENT, status=201)["client_id"]
    organization = tenant.organization(name="known")
    tenant.send("POST", f"/organizations/{organization}/members", {"members": [user]}, status=204)
    api = tenant.api("read", "write")
    role = tenant.role((api["identifier"], "read"))
    tenant.assign(user, role)
    tenant.send(
        "POST", f"/users/{quoted(user)}/permissions", {"permissions": pairs((api["identifier"], "write"))}, status=201
    )
    granted = {"client_id": client, "audience": api["identifier"], "scope": ["read"], "organization_usage": "allow"}
    owner = tenant.send(
        "POST", f"/organizations/{organization}/members/{quoted(user)}/roles", {"roles": [role]}, status=204
    )
    assert owner is None
    group = tenant.call("POST", "//v1/groups", {"name": "known", "organization": organization})
    assert group.status_code == 201, group.text
    group_id = str(group.json()["public_id"])
    tenant.send("POST", f"/groups/{group_id}/roles", {"roles": [role]}, status=204)
    tenant.send("POST", f"/organizations/{organization}/groups/{group_id}/roles", {"roles": [role]}, status=204)
    return {
        "user_id": user,
        "other_user": tenant.user(),
        "role_id": role,
        "other_role": tenant.role((api["identifier"], "write")),
        "organization_id": organization,
        "name": "known",
        "resource_server_id": api["id"],
        "identifier": api["identifier"],
        "client_id": client,
        "other_client": tenant.send("POST", "/clients", {"name": "other"}, status=201)["client_id"],
        "grant_id": tenant.send("POST", "/client-grants", granted, status=201)["id"],
        "connection_id": CONNECTION_ID,
        "group_id": group_id,
        "refresh_token_id": "rt_0000000000000000",
        "session_id": "unknown",
        "log_id": tenant.get("/logs")[0]["log_id"],
        "invitation_id": "uinv_0000000000000000",
    }


def path_of(row: Operation, known: Mapping[str, str]) -> str:
    path = row.path
    for name in [part.partition("}")[0] for part in path.split("{")[1:]]:
        path = path.replace(f"{{{name}}}", quoted(known.get(name, UNKNOWN)))
    return path


def head_of(tenant: Tenant) -> int:
    assert tenant.node is not None
    return tenant.node.store.head(0).revision


def knock(stage: Scene, standing: Tenant, town: dict[str, str], row: Operation) -> Callable[..., Any]:
    """How to make a call of any door: as root, or as an administrator of the platform."""
    if row in ALL:
        path = stage.path(row)
        sent = stage.sent(row)
        key = stage.root.key
        client = stage.root.client
    else:
        path, sent, client = path_of(row, town), {}, standing.http
        if row in MANAGEMENT:
            body = AUTH0_BODIES.get(row.handler.__name__)
            sent = {} if body is None else {"json": filled(body, town)}
        standing.get("/roles")
        key = str(standing.token)

    def call(query: str = "", **headers: str) -> Any:
        asked = path + (("&" if "?" in path else "?") + query if query else "")
        return client.request(row.method, asked, headers={"Authorization": f"Bearer {key}", **headers}, **sent)

    return call


@pytest.mark.parametrize("row", WRITING, ids=ids(WRITING))
def test_whatever_only_looks_like_a_preview_is_refused(
    stage: Scene, standing: Tenant, town: dict[str, str], row: Operation
) -> None:
    """400 for any other spelling of `preview` and of a digest, on every call that writes, and nothing is written."""
    call = knock(stage, standing, town, row)
    before = stage.revision, head_of(standing)

    for query in ODD_QUERIES:
        assert call(query).status_code == 400, query
    for digest in ODD_DIGESTS:
        assert call(**{"If-Match": digest}).status_code == 400, digest
        assert call("preview=true", **{"If-Match": digest}).status_code == 400, digest
    if not row.previews:
        assert call("preview=true").status_code == 400
        assert call(**{"If-Match": NO_IMPACT}).status_code == 400
    assert (stage.revision, head_of(standing)) == before


@pytest.mark.parametrize("row", PREVIEWED, ids=ids(PREVIEWED))
def test_a_digest_that_is_of_no_impact_lets_nothing_pass(
    stage: Scene, standing: Tenant, town: dict[str, str], row: Operation
) -> None:
    """Whatever the call is about: it is refused, with 412 where nothing else is wrong with it; nothing is written."""
    call = knock(stage, standing, town, row)
    before = stage.revision, head_of(standing)

    preview, refusal = call("preview=true"), call(**{"If-Match": f'"{NO_IMPACT}"'})

    assert refusal.status_code == (412 if preview.status_code == 200 else preview.status_code), preview.text
    assert refusal.status_code >= 400
    assert (stage.revision, head_of(standing)) == before


@pytest.mark.parametrize("row", READING, ids=ids(READING))
def test_what_reads_has_no_preview(stage: Scene, standing: Tenant, town: dict[str, str], row: Operation) -> None:
    """400: whoever asks for one meant another call."""
    call = knock(stage, standing, town, row)

    assert call("preview=true").status_code == 400
    assert call("preview").status_code == 400


OWN = [row for row in PREVIEWED if row in ALL]
OTHERS = [row for row in PREVIEWED if row in MANAGEMENT]


@pytest.mark.parametrize("row", OWN, ids=ids(OWN))
def test_the_digest_of_its_preview_lets_every_call_pass(scene: Scene, row: Operation) -> None:
    """As root: what can be previewed is then made, and what cannot would be refused; a preview writes nothing."""
    before = scene.revision
    path, sent = scene.path(row), scene.sent(row)
    join = "&" if "?" in path else "?"
    headers = {"Authorization": f"Bearer {scene.root.key}"}

    preview = scene.root.client.request(row.method, f"{path}{join}preview=true", headers=headers, **sent)

    assert scene.revision == before
    if preview.status_code != 200:
        assert 400 <= preview.status_code < 500, preview.text
        assert scene.root.client.request(row.method, path, headers=headers, **sent).status_code == preview.status_code
        return
    digest = preview.headers["ETag"]
    made = scene.root.client.request(row.method, path, headers={**headers, "If-Match": digest}, **sent)
    assert made.status_code == row.status, made.text


PERMISSIONS = {"permissions": [{"resource_server_identifier": "{identifier}", "permission_name": "write"}]}
AUTH0_BODIES: dict[str, Any] = {
    "create_user": {
        "connection": "Username-Password-Authentication",
        "email": "x@example.org",
        "password": "correct-1H",
    },
    "update_user": {"blocked": True},
    "assign_user_roles": {"roles": ["{other_role}"]},
    "remove_user_roles": {"roles": ["{role_id}"]},
    "assign_user_permissions": {
        "permissions": [{"resource_server_identifier": "{identifier}", "permission_name": "read"}]
    },
    "remove_user_permissions": PERMISSIONS,
    "create_role": {"name": "another"},
    "update_role": {"name": "another"},
    "add_role_permissions": PERMISSIONS,
    "remove_role_permissions": {
        "permissions": [{"resource_server_identifier": "{identifier}", "permission_name": "read"}]
    },
    "assign_role_users": {"users": ["{other_user}"]},
    "create_resource_server": {"identifier": "https://another.example.org/", "name": "another"},
    "update_resource_server": {"scopes": []},
    "create_client": {"name": "another"},
    "update_client": {"name": "another"},
    "create_client_grant": {"client_id": "{other_client}", "audience": "{identifier}", "scope": ["read"]},
    "update_client_grant": {"scope": ["write"]},
    "create_organization": {"name": "another"},
    "update_organization": {"display_name": "Another"},
    "add_members": {"members": ["{other_user}"]},
    "remove_members": {"members": ["{user_id}"]},
    "assign_member_roles": {"roles": ["{other_role}"]},
    "remove_member_roles": {"roles": ["{role_id}"]},
    "add_organization_client_grant": {"grant_id": "{grant_id}"},
    "assign_group_roles": {"roles": ["{other_role}"]},
    "remove_group_roles": {"roles": ["{role_id}"]},
    "assign_role_groups": {"groups": ["{group_id}"]},
    "remove_role_groups": {"groups": ["{group_id}"]},
    "assign_organization_group_roles": {"roles": ["{other_role}"]},
    "remove_organization_group_roles": {"roles": ["{role_id}"]},
    "create_invitation": {
        "inviter": {"name": "n"},
        "invitee": {"email": "guest@example.org"},
        "client_id": "{client_id}",
    },
}


@pytest.mark.parametrize("row", OTHERS, ids=ids(OTHERS))
def test_the_digest_of_its_preview_lets_every_call_of_the_other_dialect_pass(
    make_database: Callable[[str], str], row: Operation
) -> None:
    """The same as an administrator of the platform."""
    node = build(Settings(database=make_database("sqlite"), public_url=PUBLIC_URL))
    with Loopback(application(node), base_url=PUBLIC_URL, raise_server_exceptions=False) as client:
        tenant = Tenant(client, node)
        known = furnished(tenant)
        path, body = path_of(row, known)[len("/api/v2") :], AUTH0_BODIES.get(row.handler.__name__)
        sent = filled(body, known)
        before = head_of(tenant)

        preview = tenant.call(row.method, f"{path}?preview=true", sent)

        assert head_of(tenant) == before
        if preview.status_code == 200:
            made = tenant.call(row.method, path, sent, headers={"If-Match": preview.headers["ETag"]})
            assert made.status_code == row.status, made.text
        else:
            assert 400 <= preview.status_code < 500, preview.text
            assert tenant.call(row.method, path, sent).status_code == preview.status_code
            assert body is None, preview.text
    node.store.close()
