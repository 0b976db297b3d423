"""Directed schedules: for each planted bug the few calls that make it show itself, and the violation that it then is.

Without the bug the same calls are answered well. A schedule ends as it began: another may follow on the same cluster.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consistency.cluster import Cluster
from consistency.history import Call, Client, History
from consistency.proxy import Moment
from faults.test_freshness import Sqlite
from faults.test_writers import enter
from loopback import Loopback
from rescind.app import application
from rescind.model.objects import ObjectKind
from rescind.node import Node, build
from rescind.settings import Settings
from tenant import CLIENT_ID, CLIENT_SECRET
from world import ROOT_KEY, Person, World, allow

WRITER, READER = 0, 1
"""The nodes that a schedule writes to and reads from. They are the same process where there is one node alone."""
LANES = 16
"""So many connections to a node are served by each of its two workers but once in thirty thousand times."""
DOCUMENT = ("doc", "1")


class Scene:
    """A cluster, somebody who may read documents by a role of her own and somebody who may by her group's, and a
    client who asks and is taken down. What is there was made by a node of the test's own, which has no bug.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.history = History()
        self.client = self.another("client")
        with self.world() as world:
            self.organization = world.organization()
            may_read = world.policy(allow("doc.read"))
            self.role, self.second_role, self.role_of_group = (world.role(may_read) for _ in range(3))
            self.policy = may_read
            self.ann, self.bob, self.cyd = (world.person() for _ in range(3))
            world.attach_role(self.role, user=self.ann.id)
            world.attach_role(self.second_role, user=self.bob.id)
            self.group = world.group(self.cyd)
            world.attach_role(self.role_of_group, group=self.group)

    @contextmanager
    def world(self) -> Iterator[World]:
        """The Vultr face of a node in this process, which has no bug and is not part of the cluster."""
        node = build(Settings(database=self.cluster.database))
        with Loopback(application(node)) as http:
            yield World(http, ROOT_KEY, node)
        node.store.close()

    def another(self, name: str) -> Client:
        """A client more, for calls that are made at the same time."""
        return Client(self.history, name, self.cluster.urls, timeout=10)

    def hang_up(self) -> None:
        """Begin new connections: what these led to may have ended."""
        self.client.close()

    close = hang_up

    # --- calls ---

    def ask(self, person: Person, node: int = READER, *, client: Client | None = None, lane: int = 0) -> Call:
        """May she read the document?"""
        type_, id_ = DOCUMENT
        asked = {"user": person.id, "organization": self.organization, "action": "doc.read", "type": type_, "id": id_}
        body = {
            "subject": {"type": "user", "id": person.id},
            "action": {"name": "doc.read"},
            "resource": {"type": type_, "id": id_},
        }
        by = client or self.client
        path = "/access/v1/evaluation"
        return by.read(self._node(node), "evaluation", asked, "POST", path, body, token=ROOT_KEY, lane=lane)

    def list_groups(self, operation: str, credential: dict[str, str], token: str, node: int = READER) -> Call:
        """A call that needs the right to list groups, with a key or session of somebody's own."""
        needed = {"action": "iam.group.List", "type": "group", "id": "", "organization": self.organization}
        return self.client.read(self._node(node), operation, {**credential, **needed}, "GET", "/v2/groups", token=token)

    def write(
        self,
        operation: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        node: int = WRITER,
        client: Client | None = None,
        token: str = ROOT_KEY,
        **arguments: Any,
    ) -> Call:
        """Any write."""
        by = client or self.client
        return by.write(self._node(node), operation, arguments, method, path, body, token=token)

    def detach(self, person: Person, role: str, *, client: Client | None = None) -> Call:
        """Take a role away from somebody."""
        path = f"/v2/roles/{role}/users/{person.id}"
        closes = [self.fact("role_attachment", person.id, role)]
        return self.write("roles.detach_users", "DELETE", path, client=client, closes=closes)

    def attach(self, person: Person, role: str) -> Call:
        """Give it back."""
        path = f"/v2/roles/{role}/users/{person.id}"
        return self.write("roles.attach_users", "POST", path, opens=[self.fact("role_attachment", person.id, role)])

    def fact(self, kind: str, holder: str, thing: str | None = None) -> list[Any]:
        """A fact of the organization as the checker wants it."""
        return [kind, holder, thing, self.organization, None]

    def _node(self, node: int) -> int:
        return node % len(self.cluster.urls)

    # --- for one schedule alone ---

    def key_of(self, person: Person) -> dict[str, str]:
        """Her key, as the checker wants it."""
        with self.world() as world:
            key = world.get(f"/v2/users/{person.id}/apikeys")["api_keys"][0]["id"]
        return {"user": person.id, "key": key}

    def give(self, person: Person, action: str) -> str:
        """Let her do something by a policy of her own; its id."""
        with self.world() as world:
            policy = world.policy(allow(action))
            world.attach_policy(policy, user=person.id)
        return policy

    def session(self) -> tuple[dict[str, str], str, str]:
        """A session that somebody has opened, as the checker wants it, its token, and the trust that it lives by."""
        with self.world() as world:
            person, trust, session, _ = enter(world)
        return {"user": person.id, "session": session}, person.key, trust

    def wait_until_given(self, key: str, path: str) -> None:
        """Until the node that is read from knows what was set up. Nobody takes that down."""
        asking, deadline = self.cluster.nodes[self._node(READER)].world(key), time.monotonic() + 5
        while asking.status(path) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def public_id(self, person: Person) -> str:
        """What the Auth0 face calls her."""
        with self.world() as world:
            node: Node | None = world.node
            assert node is not None
            moment = node.freshness.now()
            with node.store.reading(moment.revision, moment.instant) as reader:
                found = reader.find_object(ObjectKind.USER, person.id)
                assert found is not None
                return reader.profiles([found.key])[found.key]["public_id"]

    def management_token(self) -> str:
        """A token of the first client's for the Management API of the node that is written to."""
        url = self.cluster.urls[WRITER]
        body = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "audience": f"{url}/api/v2/",
        }
        outside = Client(History(), "token", self.cluster.urls)
        made = outside.write(WRITER, "tokens.issue", {}, "POST", "/oauth/token", body)
        outside.close()
        return str(made.answer["access_token"])


# --- schedules --------------------------------------------------------------------------------------------------------


def take_a_role(scene: Scene) -> None:
    """Every worker knows her; her role is taken; every worker is asked."""
    for lane in range(LANES):
        assert scene.ask(scene.ann, lane=lane).answer == {"decision": True}
    scene.detach(scene.ann, scene.role)
    for lane in range(LANES):
        scene.ask(scene.ann, lane=lane)


def let_a_role_expire(scene: Scene) -> None:
    """Her role ends by itself while she is known."""
    end = time.time_ns() // 1000 + 700_000
    path, opens = (
        f"/v1/roles/{scene.role}/users/{scene.ann.id}",
        [scene.fact("role_attachment", scene.ann.id, scene.role)],
    )
    scene.write("roles.attach_users", "PUT", path, {"expires_at": end}, opens=opens)
    assert scene.ask(scene.ann).answer == {"decision": True}
    time.sleep(max(0.0, end / 1e6 - time.time()) + 0.05)
    scene.ask(scene.ann)


def edit_the_role_of_a_group(scene: Scene) -> None:
    """What the role of her group gives is taken from the role."""
    assert scene.ask(scene.cyd).answer == {"decision": True}
    role, policy = scene.role_of_group, scene.policy
    closes = [scene.fact("policy_attachment", role, policy)]
    scene.write("roles.detach_policy", "DELETE", f"/v2/roles/{role}/policies/{policy}", closes=closes)
    scene.ask(scene.cyd)


def suspend(scene: Scene) -> None:
    """She is suspended."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    path = f"/v2/organizations/{scene.organization}/user/{scene.ann.id}/suspend"
    scene.write("organizations.suspend_user", "PUT", path, opens=[scene.fact("suspension", scene.ann.id)])
    scene.ask(scene.ann)


def block(scene: Scene) -> None:
    """Her account is blocked, through the other face."""
    name, token = scene.public_id(scene.ann), scene.management_token()
    assert scene.ask(scene.ann).answer == {"decision": True}
    path = "/api/v2/users/" + name.replace("|", "%7C")
    opens = [["block", scene.ann.id, None, None, None]]
    scene.write("accounts.update", "PATCH", path, {"blocked": True}, token=token, opens=opens)
    scene.ask(scene.ann)


def take_two_at_once(scene: Scene) -> None:
    """Two people lose a role each in one revision."""
    people = [(scene.ann, scene.role), (scene.bob, scene.second_role)]
    for person, _ in people:
        assert scene.ask(person).answer == {"decision": True}
    items = [
        {"operation": "roles.detach_users", "arguments": {"roles": [role], "user": person.id}}
        for person, role in people
    ]
    closes = [scene.fact("role_attachment", person.id, role) for person, role in people]
    scene.write("revocations.apply", "POST", "/v1/revocations", {"revocations": items}, closes=closes)
    for person, _ in people:
        scene.ask(person)


def ask_while_the_head_is_read(scene: Scene) -> None:
    """The database's answers are slow to reach one node; between two requests to it something is taken."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    early = scene.another("early")
    scene.cluster.delay(READER, 0.6)
    try:
        asking = threading.Thread(target=scene.ask, args=(scene.ann,), kwargs={"client": early})
        asking.start()
        time.sleep(0.15)
        scene.detach(scene.ann, scene.role)
        scene.ask(scene.ann)
        asking.join()
    finally:
        scene.cluster.heal(READER)
        early.close()
    scene.attach(scene.ann, scene.role)


def use_a_key_twice(scene: Scene) -> None:
    """Between two calls with her own key the right to make them is taken."""
    policy, key = scene.give(scene.ann, "iam.group.List"), scene.key_of(scene.ann)
    scene.wait_until_given(scene.ann.key, "/v2/groups")
    assert scene.list_groups("own key", key, scene.ann.key).status == 200
    path, closes = (
        f"/v2/policies/{policy}/users/{scene.ann.id}",
        [scene.fact("policy_attachment", scene.ann.id, policy)],
    )
    scene.write("policies.detach_user", "DELETE", path, closes=closes)
    scene.list_groups("own key", key, scene.ann.key)


def ask_a_node_that_is_cut_off(scene: Scene) -> None:
    """One node has lost the database, which has gone on since."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    scene.cluster.cut(READER)
    try:
        scene.detach(scene.ann, scene.role)
        scene.ask(scene.ann)
    finally:
        scene.cluster.heal(READER)
    scene.ask(scene.ann)


def restore_a_backup_for_a_while(scene: Scene) -> None:
    """A backup from before an acknowledged write lies in the database's place, and then what was there again."""
    before, after = Sqlite(scene.cluster.database, None), Sqlite(scene.cluster.database, None)
    after.copy = Path(f"{after.copy}.after")
    assert scene.ask(scene.ann).answer == {"decision": True}
    before.back_up()
    scene.detach(scene.ann, scene.role)
    scene.ask(scene.ann)
    after.back_up()
    before.restore()
    scene.ask(scene.ann)
    after.restore()
    scene.ask(scene.ann)


def ask_at_once(scene: Scene) -> None:
    """The moment a write is acknowledged another node is asked."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    scene.detach(scene.ann, scene.role)
    scene.ask(scene.ann)
    time.sleep(1)


def ask_while_somebody_writes(scene: Scene) -> None:
    """A slow node writes; meanwhile another is asked over and over."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    slow = scene.another("slow")
    scene.cluster.delay(WRITER, 0.05)
    try:
        writing = threading.Thread(target=scene.detach, args=(scene.ann, scene.role), kwargs={"client": slow})
        writing.start()
        while writing.is_alive():
            scene.ask(scene.ann)
            time.sleep(0.02)
    finally:
        scene.cluster.heal(WRITER)
        slow.close()
    scene.ask(scene.ann)


def cut_a_commit(scene: Scene) -> None:
    """The connection is lost when the database should commit, and it never hears of it."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    scene.cluster.drop_commit(WRITER, Moment.BEFORE)
    scene.detach(scene.ann, scene.role)
    scene.ask(scene.ann)


def cut_off_after_a_commit(scene: Scene) -> None:
    """The database commits, and can then not be reached for a while."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    scene.cluster.drop_commit(WRITER, Moment.DONE, then_cut=True)
    back = threading.Timer(0.5, scene.cluster.heal, [WRITER])
    back.start()
    body = {"display_name": "once", "description": ""}
    scene.write("groups.create", "POST", "/v2/groups", body)
    back.join()
    scene.ask(scene.ann)


def wait_for_the_lock_while_the_right_goes(scene: Scene) -> None:
    """Somebody writes, and her right is taken by a slow write that has the lock meanwhile."""
    policy, key = scene.give(scene.ann, "iam.group.Create"), scene.key_of(scene.ann)
    right = {**key, "organization": scene.organization, "action": "iam.group.Create", "type": "group", "id": ""}
    path, closes = (
        f"/v2/policies/{policy}/users/{scene.ann.id}",
        [scene.fact("policy_attachment", scene.ann.id, policy)],
    )
    slow = scene.another("slow")
    scene.cluster.delay(WRITER, 0.05)

    def revoke() -> None:
        scene.write("policies.detach_user", "DELETE", path, client=slow, closes=closes)

    try:
        revoking = threading.Thread(target=revoke)
        revoking.start()
        while revoking.is_alive():
            body = {"display_name": "group", "description": ""}
            scene.write("groups.create", "POST", "/v2/groups", body, node=READER, token=scene.ann.key, by=right)
            time.sleep(0.02)
    finally:
        scene.cluster.heal(WRITER)
        slow.close()


def use_a_session_whose_trust_goes(scene: Scene) -> None:
    """Between two calls with a session's token the trust that it was entered by is deleted."""
    session, token, trust = scene.session()
    assert scene.list_groups("own session", session, token).status == 200
    closes = [["existence", trust, None, None, None]]
    scene.write("trusts.delete", "DELETE", f"/v2/role-trusts/{trust}", closes=closes)
    scene.list_groups("own session", session, token)


def take_a_role_and_write_on(scene: Scene) -> None:
    """A node has not been asked since, when it is told of two changes at once."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    scene.detach(scene.ann, scene.role)
    scene.write("groups.create", "POST", "/v2/groups", {"display_name": "group", "description": ""})
    scene.ask(scene.ann)


def write_on_two_nodes(scene: Scene) -> None:
    """While the node that is asked writes something, another takes a role."""
    assert scene.ask(scene.ann).answer == {"decision": True}
    beside = scene.another("beside")
    body = {"display_name": "group", "description": ""}
    options = {"node": READER, "client": beside}
    writing = threading.Thread(target=scene.write, args=("groups.create", "POST", "/v2/groups", body), kwargs=options)
    writing.start()
    time.sleep(0.15)
    scene.detach(scene.ann, scene.role)
    writing.join()
    beside.close()
    scene.ask(scene.ann)
    scene.attach(scene.ann, scene.role)


def write_five_times(scene: Scene) -> None:
    """More writes than one."""
    for _ in range(5):
        scene.write("groups.create", "POST", "/v2/groups", {"display_name": "group", "description": ""})


# --- what must be caught, and how -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """What a bug needs to show itself: the kind of database, how many nodes, and how many workers each."""

    database: str
    nodes: int = 2
    workers: int = 1


SQLITE, WORKERS, POSTGRES = Kind("sqlite"), Kind("sqlite", nodes=1, workers=2), Kind("postgres")
ALONE = Kind("sqlite", nodes=1)
STALE, BACKWARDS, LOST, TWICE = "stale", "backwards", "lost", "twice"
CHAIN, WRONG, ERROR = "chain", "wrong", "error"

CONTROLS: dict[str, tuple[Kind, Callable[[Scene], None], str]] = {
    "skip_one_revalidation": (WORKERS, take_a_role, WRONG),
    "compare_revisions_the_wrong_way": (SQLITE, take_a_role, WRONG),
    "stamp_with_a_later_proof": (SQLITE, take_a_role, WRONG),
    "foresee_that_nothing_ends": (ALONE, take_a_role, WRONG),
    "acknowledge_before_commit": (SQLITE, ask_at_once, STALE),
    "join_a_read_already_sent": (POSTGRES, ask_while_the_head_is_read, STALE),
    "read_the_head_beside_an_open_cursor": (SQLITE, ask_at_once, STALE),
    "take_no_news_for_granted": (WORKERS, take_a_role, STALE),
    "listen_too_late_for_news": (SQLITE, write_on_two_nodes, STALE),
    "tell_what_the_newest_change_touched_alone": (POSTGRES, take_a_role_and_write_on, WRONG),
    "hand_out_revisions_by_a_sequence": (POSTGRES, ask_while_somebody_writes, WRONG),
    "cache_the_head_by_time": (SQLITE, use_a_key_twice, STALE),
    "forget_suspension": (SQLITE, suspend, WRONG),
    "forget_block": (SQLITE, block, WRONG),
    "forget_expiry": (SQLITE, let_a_role_expire, WRONG),
    "miss_the_second_entry_of_a_batch": (SQLITE, take_two_at_once, WRONG),
    "forget_roles_of_groups": (SQLITE, edit_the_role_of_a_group, WRONG),
    "decide_the_right_before_the_lock": (POSTGRES, wait_for_the_lock_while_the_right_goes, WRONG),
    "serve_from_cache_when_the_database_is_away": (POSTGRES, ask_a_node_that_is_cut_off, STALE),
    "accept_a_lower_revision_after_a_restore": (SQLITE, restore_a_backup_for_a_while, BACKWARDS),
    "keep_a_session_when_its_trust_goes": (SQLITE, use_a_session_whose_trust_goes, WRONG),
    "acknowledge_a_commit_that_was_cut": (POSTGRES, cut_a_commit, LOST),
    "write_again_when_the_answer_was_lost": (POSTGRES, cut_off_after_a_commit, TWICE),
    "break_the_chain": (SQLITE, write_five_times, CHAIN),
    "let_a_lost_database_be_an_error": (POSTGRES, ask_a_node_that_is_cut_off, ERROR),
}
"""For each planted bug where it is looked for, by which schedule, and as what it must be found."""
