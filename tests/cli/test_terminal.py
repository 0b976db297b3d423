"""Decisions and removals in a terminal: a command says what the API says, and does what it showed."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from loopback import Loopback
from rescind.app import VERBS, application
from rescind.cli import main
from rescind.decision.decide import Reason
from rescind.node import build
from rescind.settings import Settings
from rescind.store.database import Database
from rescind.store.engines import engine_for
from rescind.store.verify import verify
from rescind.terminal import consent
from rescind.terminal.operations import read_arguments
from rescind.terminal.show import REASONS
from rescind.terminal.text import styled
from tenant import SECRET_KEY
from world import ROOT_KEY, Person, World, allow, deny, document, root_of_another

SECONDS_MAX = 30
NOTHING = {"lost": [], "more_lost": 0, "gained": [], "more_gained": 0}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
OFFICE = {"IpAddress": {"context.source_ip": ["10.0.0.0/8"]}}
MARKUP = "[red]Zones[/red] \x1b[2J"
"""A name that somebody chose who would like to do more with it."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RESCIND_")]:
        monkeypatch.delenv(name)
    # Without this one there is no node on PostgreSQL.
    monkeypatch.setenv("RESCIND_SECRET_KEY", SECRET_KEY)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Small:
    """Ann has the role by herself and by her group, Bob by the group, Cid in the office; and another organization.

    `api` is the same database over HTTP, as root.
    """

    database: str
    api: World
    organization: str
    slug: str
    ann: Person
    bob: Person
    cid: Person
    group: str
    role: str
    zones: str

    def run(self, *arguments: str) -> Done:
        """A command, in this process."""
        environment = {"RESCIND_DATABASE": self.database, "COLUMNS": "200"}
        done = CliRunner().invoke(main, list(arguments), env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def text(self, *arguments: str) -> str:
        """What a command inside the organization, which must succeed, says to people."""
        done = self.run(*arguments, "--organization", self.slug)
        assert done.code == 0, done.err
        return done.out

    def said(self, *arguments: str) -> Any:
        """The same for machines."""
        return json.loads(self.text(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """The one line of a command that must fail; it writes nothing."""
        before = self.revision()
        done = self.run(*arguments)
        assert done.code == 1, done
        assert done.out == ""
        assert done.err.startswith("Error: ")
        assert len(done.err.strip().splitlines()) == 1
        assert self.revision() == before
        return done.err

    def revision(self) -> int:
        store = Database(engine_for(self.database))
        revision = store.head().revision
        store.close()
        return revision

    def allowed(self, who: Person, action: str = "dns.Write") -> bool:
        """What `rescind explain` and the decision API both say."""
        said = self.said("explain", who.id, action, "zone:1")
        body = {
            "subject": {"type": "user", "id": who.id},
            "action": {"name": action},
            "resource": {"type": "zone", "id": "1"},
        }
        decided = self.api.call("POST", "/access/v1/evaluation", body).json()["decision"]
        assert said["decision"] == decided
        return bool(decided)

    @property
    def detaching(self) -> tuple[str, ...]:
        return ("roles.detach_group", f"role={self.role}", f"group={self.group}")


@pytest.fixture
def small(make_database: Callable[[str], str]) -> Iterator[Small]:
    yield from _small(make_database("sqlite"))


@pytest.fixture
def small_on_both(database: str) -> Iterator[Small]:
    yield from _small(database)


def _small(database: str) -> Iterator[Small]:
    node = build(Settings(database=database))
    with Loopback(application(node), raise_server_exceptions=False) as client:
        api = World(client, ROOT_KEY, node)
        ann, bob, cid = (api.person() for _ in range(3))
        zones = api.policy(allow("dns.Read", "dns.Write", on="zone:*"), name="Zones")
        office = api.policy(allow("dns.Read", on="zone:1", Condition=OFFICE), name="Office")
        role = api.role(zones, name="Editor")
        group = api.group(ann, bob, name="Staff")
        api.attach_role(role, group=group)
        api.attach_role(role, user=ann.id)
        api.attach_policy(office, user=cid.id)
        root_of_another(node)
        organization = api.organization()
        shown = CliRunner().invoke(main, ["log"], env={"RESCIND_DATABASE": database}).stderr
        slug = re.search(rf"(\S+)\s+\({organization}\)", shown)
        assert slug, shown
        yield Small(database, api, organization, slug[1], ann, bob, cid, group, role, zones)
    node.store.close()


def without_instant(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "instant"}


# --- explain --------------------------------------------------------------------------------------------------------


def test_explain_says_the_verdict_the_paths_and_what_would_end_it(small: Small) -> None:
    text = small.text("explain", f"email:{small.bob.email}", "dns.Read", "zone:1")
    assert text.startswith("ALLOWED")
    assert "Reason: allowed" in text
    tree = [line.strip("│├└─ ") for line in text.splitlines()]
    start = tree.index("group Staff  ends it")
    assert tree[start : start + 4] == [
        "group Staff  ends it",
        "role Editor",
        "policy Zones",
        "Allow dns.Read, dns.Write on zone:*",
    ]
    assert f"group membership: {small.bob.email} → group Staff" in text
    denied = small.text("explain", small.bob.id, "dns.Delete", "zone:1")
    assert denied.startswith("DENIED")
    assert "implicit_deny" in denied
    assert "ends it" not in denied


def test_explain_says_to_machines_what_the_api_says(small: Small) -> None:
    for who, action in ((small.ann, "dns.Read"), (small.cid, "dns.Read"), (small.bob, "dns.Delete")):
        context = {"source_ip": "10.1.2.3"}
        ours = small.said("explain", who.id, action, "zone:1", "--context", json.dumps(context))
        body = {
            "subject": {"type": "user", "id": who.id},
            "action": {"name": action},
            "resource": {"type": "zone", "id": "1"},
            "context": context,
        }
        theirs = small.api.call("POST", "/v1/explain", body).json()
        assert without_instant(ours) == without_instant(theirs)
    in_context = ("--context", json.dumps({"organization": small.organization}), "--json")
    placed = json.loads(small.run("explain", small.ann.id, "dns.Read", "zone:1", *in_context).out)
    assert placed["decision"]


def test_explain_of_a_root_and_of_nobody_is_an_answer_too(small: Small) -> None:
    text = small.text("explain", "email:root@example.org", "dns.Read", "zone:1")
    assert "Reason: root" in text
    assert "owner of Default" in text
    assert "unknown_subject" in small.text("explain", "nobody", "dns.Read", "zone:1")
    outside = small.run("explain", small.ann.id, "dns.Read", "zone:1")
    assert outside.code == 0
    assert outside.out.startswith("DENIED")
    assert "outside of all organizations" in outside.out


def test_every_reason_has_words() -> None:
    assert {*Reason, "unknown_subject"} == REASONS.keys()


# --- access and who-can ---------------------------------------------------------------------------------------------


def test_access_shows_what_somebody_has_and_what_came_and_went(small: Small) -> None:
    had = small.revision()
    tree = small.text("access", small.ann.id)
    assert tree.index("role Editor") < tree.index("group Staff")
    assert tree.count("Allow dns.Read, dns.Write on zone:*") == 2
    assert '"context.source_ip"' in small.text("access", small.cid.id)
    api = small.api.get(f"/v1/principals/{small.ann.id}/access")
    assert without_instant(small.said("access", small.ann.id)) == without_instant(api)

    small.text("revoke", *small.detaching, "--yes")
    since = small.text("access", small.bob.id, "--since", str(had))
    assert "nothing" in since
    assert "- dns.Write on zone:*" in since
    assert "by group Staff → role Editor → policy Zones" in since
    then = small.text("access", small.bob.id, "--at", str(had))
    assert "Allow dns.Read, dns.Write on zone:*" in then
    api = small.api.get(f"/v1/principals/{small.bob.id}/access", since=str(had))
    assert without_instant(small.said("access", small.bob.id, "--since", str(had))) == without_instant(api)
    assert "+ dns.Write on zone:*" in small.text("access", small.bob.id, "--at", str(had), "--since", str(had + 1))
    alike = small.text("access", small.cid.id, "--since", str(had))
    assert "nothing was lost or gained" in alike
    assert small.said("access", small.cid.id, "--since", str(had))["compared"] == NOTHING


def test_who_can_lists_who_always_may_and_who_only_under_conditions(small: Small) -> None:
    text = small.text("who-can", "dns.Read", "zone:1")
    assert small.cid.email in text
    assert "only if" in text
    assert "10.0.0.0/8" in text
    said = small.said("who-can", "dns.Read", "zone:1")
    body = {"action": {"name": "dns.Read"}, "resource": {"type": "zone", "id": "1"}}
    assert said["results"] == small.api.call("POST", "/v1/who-can", body).json()["results"]
    assert said["more"] is False
    when = {one["id"]: one["when"] for one in said["results"]}
    assert (when[small.ann.id], when[small.bob.id], when[small.cid.id]) == ("always", "always", "only_if")
    part = small.said("who-can", "dns.Read", "zone:1", "--limit", "2")
    assert (part["results"], part["more"]) == (said["results"][:2], True)
    assert "raise the --limit" in small.text("who-can", "dns.Read", "zone:1", "--limit", "2")


# --- preview and revoke ---------------------------------------------------------------------------------------------


def test_a_preview_says_what_the_api_says_and_writes_nothing(small: Small) -> None:
    before = small.revision()
    for operation, arguments in (
        ("roles.detach_group", {"role": small.role, "group": small.group}),
        ("groups.remove_member", {"group": small.group, "user": small.ann.id}),
        ("roles.detach_users", {"roles": [small.role], "user": small.ann.id}),
        ("organizations.remove_user", {"organization": small.organization, "user": small.bob.id}),
        ("policies.delete", {"policy": small.zones}),
    ):
        words = [f"{name}={value if isinstance(value, str) else ','.join(value)}" for name, value in arguments.items()]
        ours = small.said("preview", operation, *words)
        theirs = small.api.call("POST", "/v1/preview", {"operation": operation, "arguments": arguments}).json()
        # The API names its own call.
        assert without_instant(ours) == without_instant(theirs) | {"operation": operation}
    text = small.text("preview", *small.detaching)
    assert small.bob.email in text
    assert "- dns.Write on zone:*" in text
    assert re.search("Digest: [0-9a-f]{64}", text)
    assert small.ann.email not in text
    assert small.revision() == before


def test_what_stays_is_shown_with_its_paths(small: Small) -> None:
    small.api.attach_policy(small.api.policy(allow("dns.Read", on="zone:*"), name="Readers"), user=small.bob.id)
    small.api.attach_policy(small.api.policy(deny("dns.Read", on="zone:2"), name="Not two"), user=small.bob.id)
    small.api.attach_policy(small.api.policy(allow("dns.*", on="zone:1"), name="One"), user=small.bob.id)
    text = small.text("preview", *small.detaching)
    assert "- dns.Write on zone:* in part" in text
    lines = [line.strip("│├└─ ") for line in text.splitlines()]
    assert lines[lines.index("stays: Allow dns.* on zone:1") + 1] == "by policy One"


def test_what_is_revoked_is_gone_and_comes_back_with_undo(small_on_both: Small) -> None:
    small = small_on_both
    before = small.revision()
    assert small.allowed(small.bob)
    digest = small.said("preview", *small.detaching)["digest"]
    text = small.text("revoke", *small.detaching, "--if-match", digest, "--yes")
    assert "- dns.Write on zone:*" in text
    assert f"revision {before + 1}" in text
    assert small.revision() == before + 1
    assert not small.allowed(small.bob)
    assert small.allowed(small.ann)
    again = small.said("revoke", *small.detaching, "--yes")
    assert (again["revision"], again["changed"]) == (before + 1, False)

    # A revision is one of the whole database: nobody need say where it was.
    undone = small.run("undo", str(before + 1), "--yes")
    assert undone.code == 0, undone.err
    assert "+ role attachment: Staff → Editor" in undone.out
    assert small.allowed(small.bob)
    assert small.said("undo", str(before + 1), "--yes") == {"revision": before + 2, "granted": 0, "left": []}
    store = Database(engine_for(small.database))
    assert not verify(store).differences
    store.close()


def test_undo_says_what_is_left_and_why(small: Small) -> None:
    where = f"organization={small.slug}"
    done = small.run("revoke", "organizations.remove_user", where, f"user={small.bob.id}", "--yes", "--json")
    assert done.code == 0, done.err
    assert small.said("undo", str(json.loads(done.out)["revision"]), "--yes")["granted"] == 1
    assert small.allowed(small.bob)

    detached = str(small.said("revoke", *small.detaching, "--yes")["revision"])
    small.text("revoke", "roles.delete", f"role={small.role}", "--yes")
    said = small.said("undo", detached, "--yes")
    assert said["granted"] == 0
    assert [(one["fact"]["fact"], one["why"]) for one in said["left"]] == [
        ("role_attachment", "what it hung on is gone")
    ]
    text = small.text("undo", detached, "--yes")
    assert "Nothing was granted again." in text
    assert "left: role attachment: Staff → Editor: what it hung on is gone" in text


def test_an_impact_that_is_another_by_now_is_not_applied(small: Small) -> None:
    digest = small.said("preview", *small.detaching)["digest"]
    small.api.group(small.cid, name="Later")
    assert small.said("preview", *small.detaching)["digest"] == digest
    small.api.post(f"/v2/groups/{small.group}/members", {"user_id": small.cid.id, "display_name": ""})
    inside = ("--organization", small.organization)
    said = small.refused("revoke", *small.detaching, *inside, "--if-match", digest, "--yes")
    assert "no longer the one that was previewed" in said
    assert small.allowed(small.bob)


def test_what_is_applied_is_what_was_shown_even_if_somebody_writes_in_between(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question and the answer Cid joins the group: then the answer was to another question."""

    def answered(*_: object, **__: object) -> bool:
        small.api.post(f"/v2/groups/{small.group}/members", {"user_id": small.cid.id, "display_name": ""})
        return True

    monkeypatch.setattr(consent, "demand_somebody", lambda **_: None)
    monkeypatch.setattr(click, "confirm", answered)
    before = small.revision()
    done = small.run("revoke", *small.detaching, "--organization", small.organization)
    assert done.code == 1
    assert "no longer the one that was previewed" in done.err
    assert small.revision() == before + 1
    assert small.allowed(small.bob)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_at_a_terminal_revoke_shows_what_it_would_do_and_asks(small: Small, answer: str, code: int) -> None:
    before, asked_at = small.revision(), []

    def answered() -> str:
        asked_at.append(small.revision())
        return answer

    ended, shown = at_a_terminal(small, "revoke", *small.detaching, "--organization", small.slug, answered=answered)
    assert ended == code, shown
    assert asked_at == [before]
    assert b"\x1b[31m- dns.Write on zone:*" in shown
    assert small.revision() == before + (code == 0)
    assert small.allowed(small.bob) is (code == 1)


def at_a_terminal(small: Small, *words: str, answered: Callable[[], str] = lambda: "") -> tuple[int, bytes]:
    """Run a command at a terminal, where its question is answered; the code that it ends with, and all it shows."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rescind", *words],
        env={**os.environ, "RESCIND_DATABASE": small.database, "COLUMNS": "200", "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown, is_answered = b"", False
    with contextlib.suppress(OSError):  # what a terminal says when the other side has gone
        while part := os.read(leader, 4096):
            shown += part
            if b"[y/N]" in shown and not is_answered:
                os.write(leader, f"{answered()}\n".encode())
                is_answered = True
    os.close(leader)
    return process.wait(SECONDS_MAX), shown


def test_at_a_terminal_whatever_may_take_long_says_what_it_does_and_to_machines_it_does_not(small: Small) -> None:
    inside, comparing = ("--organization", small.slug), b"Comparing who may do what"
    for words, said in (
        (("preview", *small.detaching, *inside), [comparing, b"100%"]),
        (("revoke", *small.detaching, *inside, "--yes"), [comparing, b"Taking it away"]),
        (("undo", str(small.revision() + 1), "--yes"), [comparing, b"Giving it back"]),
        (("log", str(small.revision() + 1)), [comparing, b"100%"]),
        (("who-can", "dns.Write", "zone:1", *inside), [b"Going through the principals"]),
    ):
        code, shown = at_a_terminal(small, *words)
        assert code == 0, shown
        assert [one for one in said if one not in shown] == [], shown
    code, shown = at_a_terminal(small, "log", str(small.revision()), "--json")
    assert code == 0, shown
    assert comparing not in shown


def test_nothing_is_taken_where_nobody_can_be_asked(small: Small) -> None:
    inside = ("--organization", small.organization)
    assert "--yes" in small.refused("revoke", *small.detaching, *inside)
    small.text("revoke", *small.detaching, "--yes")
    assert "--yes" in small.refused("undo", str(small.revision()))


def test_arguments_are_read_as_the_operation_takes_them() -> None:
    def read(operation: str, *words: str) -> dict[str, Any]:
        return read_arguments(VERBS[operation], words)

    two = {"roles": ["a", "b"], "user": "true"}
    assert read("roles.detach_users", "roles=a,b", "user=true") == two
    assert read("roles.detach_users", "roles=a", "roles=b", "user=true") == two
    assert read("roles.detach_users", 'roles=["a", "b"]', "user=true") == two
    pairs = {"role": "r", "permissions": [["https://api/", "read:x"], ["https://api/", "read:y"]]}
    assert read("permissions.revoke_from_role", "role=r", f"permissions={json.dumps(pairs['permissions'])}") == pairs
    one_by_one = [f"permissions={json.dumps(pair)}" for pair in pairs["permissions"]]
    assert read("permissions.revoke_from_role", "role=r", *one_by_one) == pairs
    none = {"role": "r", "permissions": []}
    assert read("permissions.revoke_from_role", "role=r", "permissions=[]") == none
    policy = {"policy": "p", "document": document(), "drop_conditions": True, "name": "a=b"}
    words = ["policy=p", f"document={json.dumps(document())}", "drop_conditions=true", "name=a=b"]
    assert read("policies.update", *words) == policy
    assert read("keys.create_own", "name=1", "expires_at=null") == {"name": "1", "expires_at": None}


def test_the_operations_are_listed_with_their_arguments(run_without_database: Callable[..., Done]) -> None:
    said = {one["operation"]: one for one in json.loads(run_without_database("preview", "--list", "--json").out)}
    assert said.keys() == VERBS.keys()
    detach = said["roles.detach_users"]
    assert detach["revocation"]
    assert {one["name"]: one["required"] for one in detach["arguments"]} == {
        "roles": True,
        "user": True,
        "organization": False,
    }
    text = run_without_database("preview", "--list").out
    assert "roles=TEXT,… user=TEXT [organization=TEXT]" in text


@pytest.fixture
def run_without_database(tmp_path: Path) -> Callable[..., Done]:
    def run(*arguments: str) -> Done:
        environment = {"RESCIND_DATABASE": f"sqlite:///{tmp_path}/none.db", "COLUMNS": "200"}
        done = CliRunner().invoke(main, list(arguments), env=environment)
        assert done.exit_code == 0, done.output
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


# --- log ------------------------------------------------------------------------------------------------------------


def test_the_log_shows_the_newest_first_and_one_change_with_all_it_did(small: Small) -> None:
    small.text("revoke", *small.detaching, "--yes")
    newest = small.revision()
    text = small.text("log", "--limit", "2")
    assert "revocations.apply (roles.detach_group)" in text
    assert "command:revoke" in text
    assert "- role attachment: Staff → Editor" in text
    said = small.said("log", "--limit", "3")
    revisions = [one["revision"] for one in said["changes"]]
    assert revisions == sorted(revisions, reverse=True)
    assert revisions[0] == newest
    listed = small.api.get("/v1/changes", limit=500)
    assert said["changes"] == list(reversed(listed["changes"]))[:3]
    assert said["total"] == listed["total"]

    one = small.run("log", str(newest))
    assert one.code == 0, one.err
    for words in ("roles.detach_group", "Before", "- role attachment: Staff → Editor", small.bob.email):
        assert words in one.out
    assert "- dns.Write on zone:*" in one.out
    assert small.said("log", str(newest)) == small.api.get(f"/v1/changes/{newest}")
    assert "platform.initialise" in small.run("log", "1").out
    outside = small.run("log")
    assert outside.code == 0
    assert small.organization in outside.err


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "x", "a.B", "zone"), "TYPE:ID"),
        (("explain", "x", "a.B", "zone:1", "--context", "[1]"), "JSON object"),
        (("explain", "x", "a.B", "zone:1", "--organization", "nowhere"), "organization not found"),
        (("access", "nobody"), "principal not found"),
        (("access", "email:root@example.org", "--at", "never"), "revision"),
        (("access", "email:root@example.org", "--at", "99999"), "not written yet"),
        (("preview", "roles.nothing"), "unknown operation"),
        (("preview", "roles.delete", "role"), "NAME=VALUE"),
        (("preview", "roles.delete", "rolle=1"), "takes no `rolle`"),
        (("preview", "roles.delete", "role=1", "role=2"), "more than once"),
        (("preview", "roles.delete"), "missing required field `role`"),
        (("preview", "roles.delete", f"role={UNKNOWN}"), "role not found"),
        (("preview", "allow_lists.remove", "user=x", "subnet=y", "size=many"), "is not JSON"),
        (("revoke", "roles.attach_users", "roles=x", "user=y", "--yes"), "not a revocation"),
        (("revoke", "roles.delete", f"role={UNKNOWN}", "--yes"), "role not found"),
        (("undo", "99999", "--yes"), "change not found"),
        (("undo", "one", "--yes"), "change not found"),
        (("undo", "9" * 5000, "--yes"), "change not found"),
        (("log", "99999"), "change not found"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_what_means_nothing_is_one_line_and_nothing_is_written(
    small: Small, arguments: tuple[str, ...], words: str
) -> None:
    assert words in small.refused(*arguments)


def test_who_needs_an_organization_is_told_which_there_are(small: Small) -> None:
    session = ("--type", "session")
    for arguments in (
        ("preview", *small.detaching),
        ("access", "x", *session),
        ("explain", "x", "a.B", "zone:1", *session),
        ("who-can", "a.B", "zone:1", *session),
        ("revoke", "memberships.remove", "members=x", "--yes"),
    ):
        said = small.refused(*arguments)
        assert small.organization in said
        assert small.slug in said
    for arguments in (("access", small.ann.email), ("revoke", "roles.delete", f"role={small.role}", "--yes")):
        assert f"not found outside of all organizations: is it in one? --organization {small.slug}" in small.refused(
            *arguments
        )
    inside = ("--type", "client", "--organization", small.slug)
    assert "outside" in small.refused("explain", "x", "a.B", "zone:1", *inside)


def test_an_operation_that_asks_who_does_it_is_not_for_the_operator(small: Small) -> None:
    assert "not for the operator" in small.refused("preview", "keys.delete_own", "key=x", "--organization", small.slug)


def test_operations_of_administrators_name_the_organization_by_the_option_or_the_argument(small: Small) -> None:
    ours = small.said("preview", "memberships.remove", f"members={small.bob.id}")
    done = small.run("preview", "memberships.remove", f"members={small.bob.id}", f"organization={small.slug}", "--json")
    assert json.loads(done.out)["digest"] == ours["digest"]
    assert ours["principals"]["changed"] == 1


# --- words and weight -----------------------------------------------------------------------------------------------


def test_names_are_text(small: Small) -> None:
    """No markup, and nothing that a terminal would obey."""
    terminal_words = [
        styled(MARKUP).plain,
        styled(("\x9b2J\u202e", "red")).plain,
    ]
    assert terminal_words == ["[red]Zones[/red] \\x1b[2J", "\\x9b2J\\u202e"]
    policy = small.api.policy(allow("dns.Read"), name="[red]Zones[/red]")
    small.api.attach_policy(policy, user=small.cid.id)
    assert "policy [red]Zones[/red]" in small.text("access", small.cid.id)
    assert "→ [red]Zones[/red]" in small.text("log")
    detach = ("policies.detach_user", f"policy={policy}", f"user={small.cid.id}")
    assert "by policy [red]Zones[/red]" in small.text("preview", *detach)


EXECUTED = (
    ["explain", "{bob}", "dns.Read", "zone:1", "--organization", "{slug}", "--json"],
    ["access", "{bob}", "--organization", "{slug}"],
    ["who-can", "dns.Read", "zone:1", "--organization", "{slug}"],
    ["log"],
    ["verify"],
    ["init"],
    ["migrate"],
    ["clients", "create", "ci"],
    ["keys", "rotate"],
    ["invitations", "list"],
    ["recover", "--accept-loss"],
)


@pytest.mark.parametrize("arguments", EXECUTED, ids=lambda arguments: " ".join(arguments[:2]))
def test_a_command_has_all_that_it_needs_where_nothing_was_imported(small: Small, arguments: list[str]) -> None:
    command = [argument.format(bob=small.bob.id, slug=small.slug) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "rescind", *command],
        env={**os.environ, "RESCIND_DATABASE": small.database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "--json" in command:
        here = small.said("explain", small.bob.id, "dns.Read", "zone:1")
        assert without_instant(json.loads(done.stdout)) == without_instant(here)


@pytest.mark.parametrize("arguments", [["verify"], ["log"], ["clients", "list"]], ids=" ".join)
def test_a_command_that_plans_nothing_waits_for_no_door_and_for_no_other_database(
    make_database: Callable[[str], str], arguments: list[str]
) -> None:
    run_without(("fastapi", "rescind.app", "psycopg"), [*arguments, "--database", make_database("sqlite")])


def run_without(modules: Sequence[str], arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command, which must succeed and import none of these."""
    code = f"""
import sys
from rescind.cli import main
try:
    main({arguments!r}, prog_name="rescind")
finally:
    found = [name for name in {modules!r} if name in sys.modules]
    assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("arguments", [["--help"], ["revoke", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    # What any command imports before it is known which one it is, is not counted.
    known = (
        "rich",
        "fastapi",
        "pydantic",
        "msgspec",
        "uvicorn",
        "rescind.app",
        *(["sqlalchemy"] if len(arguments) == 1 else []),
    )
    done = run_without(known, arguments)
    for name in ("explain", "access", "who-can", "preview", "revoke", "undo", "log"):
        assert len(arguments) > 1 or f"  {name} " in done.stdout
