"""`kill -9` at any moment: what was acknowledged stays, and what was not is there wholly or not at all."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.verify import verify
from servers import Server
from world import ROOT_KEY, World, allow

KILLS = 30
WRITERS = 4
SECONDS_MAX = 0.25
"""A node is killed after so many seconds of writing at the most."""

Place = tuple[str, str, str]
"""Fact, holder and thing of an edge, as the log says them."""


@dataclass
class Attempt:
    """One write that was sent. `place` is the edge that it opens or closes; a creation has a name instead.

    `revision` and `changed` are what the answer said, None while there was no answer.
    """

    operation: str
    place: Place | None = None
    opens: bool = True
    name: str = ""
    made: str = ""
    revision: int | None = None
    changed: bool | None = None


@dataclass
class Round:
    """What was tried between one start and the next kill, and the revisions at which it began and ended."""

    begun_at: int
    attempts: list[Attempt] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ended_at: int = 0

    @property
    def acknowledged(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.revision is not None]

    @property
    def unanswered(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.revision is None]


class Stage:
    """Two users, two roles, two policies and a group, and the random writes between them."""

    def __init__(self, world: World) -> None:
        self.users = [world.person().id for _ in range(2)]
        self.roles = [world.role(name=f"role{number}") for number in range(2)]
        self.policies = [world.policy(allow("thing.Read"), name=f"policy{number}") for number in range(2)]
        self.group = world.group()
        self.memberships: dict[str, str] = {}
        for change in log(world):
            for fact in change["opened"]:
                if fact["fact"] == "existence" and fact["thing"] in self.users:
                    self.memberships[fact["thing"]] = fact["holder"]

    def attempt(self, dice: random.Random) -> tuple[Attempt, str, str, Any]:
        """Some write: what it is to do, and its method, path and body."""
        user = dice.choice(self.users)
        opens = dice.random() < 0.5
        method = "POST" if opens else "DELETE"
        kind = dice.randrange(8)
        if kind == 0:
            name = f"group{dice.getrandbits(64):x}"
            return Attempt("groups.create", name=name), "POST", "/v2/groups", {"display_name": name}
        if kind < 4:
            role = dice.choice(self.roles)
            place = ("role_attachment", self.memberships[user], role)
            operation = "roles.attach_users" if opens else "roles.detach_users"
            return Attempt(operation, place, opens), method, f"/v2/roles/{role}/users/{user}", None
        if kind < 6:
            policy = dice.choice(self.policies)
            place = ("policy_attachment", self.memberships[user], policy)
            operation = "policies.attach_user" if opens else "policies.detach_user"
            return Attempt(operation, place, opens), method, f"/v2/policies/{policy}/users/{user}", None
        place = ("group_membership", self.memberships[user], self.group)
        path = f"/v2/groups/{self.group}/members"
        if opens:
            return Attempt("groups.add_member", place), "POST", path, {"user_id": user}
        return Attempt("groups.remove_member", place, opens=False), "DELETE", f"{path}/{user}", None

    def edges(self, world: World) -> set[Place]:
        """The edges that the node shows."""
        shown = set()
        for role in self.roles:
            for edge in world.get(f"/v2/roles/{role}/users")["assignments"]:
                shown.add(("role_attachment", self.memberships[edge["user_id"]], role))
        for policy in self.policies:
            for edge in world.get(f"/v2/policies/{policy}/users")["policy_user_relationships"]:
                shown.add(("policy_attachment", self.memberships[edge["user_id"]], policy))
        for edge in world.get(f"/v2/groups/{self.group}/members")["members"]:
            shown.add(("group_membership", self.memberships[edge["id"]], self.group))
        return shown


def test_a_write_that_was_acknowledged_survives_the_power_cut_and_no_write_is_there_in_part(
    database: str, serve: Callable[[str], Server]
) -> None:
    """Thirty times a node is killed while four clients write; the log, the tables and the clients' notes agree."""
    seed = int(os.environ.get("KILL_SEED") or random.randrange(2**32))
    print(f"KILL_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    dice = random.Random(seed)
    rounds: list[Round] = []
    server = serve(database)
    stage = Stage(server.world())
    for _ in range(KILLS):
        rounds.append(write_until_killed(server, stage, dice))
        server.start()
        rounds[-1].ended_at = revision_of(server)
        check_newest(server.world(), rounds[-1])
    world = server.world()
    changes = log(world)
    created = check_log(rounds, changes, stage.edges(world))
    for identifier, name in created.items():
        assert world.get(f"/v2/groups/{identifier}")["group"]["display_name"] == name
    check_tables(database, len(changes))
    # A test that killed idle nodes would prove nothing.
    assert sum(bool(found.acknowledged) for found in rounds) > KILLS / 2
    assert sum(bool(found.unanswered) for found in rounds) > KILLS / 2


def write_until_killed(server: Server, stage: Stage, dice: random.Random) -> Round:
    """Let the clients write, and kill the node at a random moment."""
    found = Round(revision_of(server))
    writers = [
        threading.Thread(target=write, args=(server.url, stage, random.Random(dice.getrandbits(64)), found))
        for _ in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    if dice.random() < 0.75:
        # However slow the machine is now: most kills come when writing is in full swing.
        deadline = time.monotonic() + 10
        while not found.acknowledged and time.monotonic() < deadline:
            time.sleep(0.005)
    time.sleep(dice.uniform(0.02, SECONDS_MAX))
    server.kill()
    for writer in writers:
        writer.join()
    assert not found.refused, found.refused
    return found


def write(url: str, stage: Stage, dice: random.Random, found: Round) -> None:
    """Write until the node is gone."""
    with httpx2.Client(base_url=url, timeout=30) as client:
        world = World(client, ROOT_KEY)
        while True:
            attempt, method, path, body = stage.attempt(dice)
            found.attempts.append(attempt)
            try:
                response = world.call(method, path, body)
            except httpx2.TransportError:
                return
            if not response.is_success:
                found.refused.append(f"{method} {path}: {response.status_code} {response.text}")
                return
            if attempt.operation == "groups.create":
                attempt.made = response.json()["id"]
            attempt.changed = "Rescind-Change" in response.headers
            attempt.revision = int(response.headers["Rescind-Revision"])
            if attempt.changed:
                assert response.headers["Rescind-Change"] == f"/v1/changes/{attempt.revision}"


def check_newest(world: World, found: Round) -> None:
    """The writes acknowledged just before the end are those that a careless commit would lose."""
    for attempt in found.acknowledged[-2 * WRITERS :]:
        assert attempt.revision is not None
        assert attempt.revision <= found.ended_at
        if attempt.changed:
            change = world.get(f"/v1/changes/{attempt.revision}")
            assert says(change, attempt), (attempt, change)


def check_log(rounds: list[Round], changes: list[dict[str, Any]], shown: set[Place]) -> dict[str, str]:
    """Hold the log against what the clients noted, and say which groups it made and under which names, if known."""
    assert [change["revision"] for change in changes] == list(range(1, len(changes) + 1))
    by_revision = {change["revision"]: change for change in changes}
    created: dict[str, str] = {}
    states = replay(changes)
    for number, found in enumerate(rounds):
        said = set()
        for attempt in found.acknowledged:
            assert attempt.revision is not None
            if attempt.changed:
                assert says(by_revision[attempt.revision], attempt), (number, attempt, by_revision[attempt.revision])
                assert attempt.revision not in said, f"two answers name revision {attempt.revision}"
                said.add(attempt.revision)
                if attempt.made:
                    created[attempt.made] = attempt.name
            else:
                # It was so already: no change, and the revision that was named shows it.
                assert attempt.place is not None
                assert (attempt.place in states[attempt.revision]) == attempt.opens, (number, attempt)
        # What nobody was told of is what somebody asked for in vain, each thing once.
        asked = Counter((attempt.operation, attempt.place, attempt.opens) for attempt in found.unanswered)
        assert len(found.unanswered) <= WRITERS
        for revision in sorted(set(range(found.begun_at + 1, found.ended_at + 1)) - said):
            done = asked - Counter(key for key in asked if not says(by_revision[revision], Attempt(*key)))
            assert done, (number, by_revision[revision])
            asked[next(iter(done))] -= 1
    assert states[len(changes)] == shown
    return created


def check_tables(database: str, revision: int) -> None:
    """The tables are what the log says, to the last row."""
    store = Database(engine_for(database))
    report = verify(store)
    store.close()
    assert not report.differences, report.differences
    assert report.revision == revision


def says(change: dict[str, Any], attempt: Attempt) -> bool:
    """Whether a change is exactly what was asked for."""
    if change["operation"] != attempt.operation:
        return False
    if attempt.place is None:
        made = [found["id"] for found in change["created"]]
        named = [entry["field"] for entry in change["profile"] if entry["object"] in made]
        return len(made) == 1 and (not attempt.made or made == [attempt.made]) and "name" in named
    opened, closed = places(change["opened"]), places(change["closed"])
    return (opened, closed) == (([attempt.place], []) if attempt.opens else ([], [attempt.place]))


def places(facts: list[dict[str, Any]]) -> list[Place]:
    return [(fact["fact"], fact["holder"], fact["thing"]) for fact in facts]


def replay(changes: list[dict[str, Any]]) -> dict[int, set[Place]]:
    """The edges that there are after each revision."""
    edges: set[Place] = set()
    after: dict[int, set[Place]] = {}
    kinds = ("role_attachment", "policy_attachment", "group_membership")
    for change in changes:
        edges = edges - set(places(change["closed"]))
        edges |= {place for place in places(change["opened"]) if place[0] in kinds}
        after[change["revision"]] = edges
    return after


def log(world: World) -> list[dict[str, Any]]:
    """The whole log of the organization, which is all that is written here after the first change."""
    changes: list[dict[str, Any]] = []
    cursor = ""
    while True:
        part = world.get("/v1/changes", limit=500, cursor=cursor)
        changes += part["changes"]
        cursor = part["next"]
        if not cursor:
            return changes


def revision_of(server: Server) -> int:
    return int(httpx2.get(f"{server.url}/readyz", timeout=30).json()["revision"])
