"""Invitations from beginning to end: by mail and by the operator's link, for strangers and for people with accounts."""

import json
import re
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.usecases import invitations
from rescind.usecases.actor import Asking
from rescind.usecases.requirements import needs
from rescind.usecases.service import Call
from rescind.usecases.unit import Unit
from servers import Server, free_port, rescind
from world import World, allow, root_of_another

PASSWORD = "correct horse battery"
BENT = "=?utf-8?q?X=0d=0aX-Evil:_1=0d=0a=0d=0aBODY?="
"""What mail programs read as header lines."""


def link_of(world: World, invitation: str) -> str:
    """The token that the operator's command hands out."""
    assert world.node is not None
    made = world.node.service.operate("test", f"r{time.monotonic_ns()}", invitations.link, invitation=invitation).result
    assert made.token is not None
    return made.token


def sent_link(world: World, invitation: str) -> str:
    """The token of a link that was sent by mail when the invitation was sent again."""
    assert world.node is not None
    asking = Asking(f"r{time.monotonic_ns()}", world.key)
    call = Call(asking, needs("iam.invitation.Resend", on="invitation"), invitation)
    made = world.node.service.write(call, invitations.resend, invitation=invitation, with_link=True).result
    assert made.token is not None
    return made.token


def invite(world: World, email: str = "ann@example.org", **permissions: Any) -> str:
    body = {"email_invited": email, **({"permissions": permissions} if permissions else {})}
    return str(world.post("/v2/invitation", body)["id"])


def accept(world: World, token: str, **body: Any) -> Any:
    return world.as_("").call("POST", f"/v1/invitations/{token}/accept", {"password": PASSWORD, **body})


def test_a_stranger_becomes_a_member_with_a_key_of_her_own(world: World) -> None:
    """Journey: invite, link, look, accept; she starts from nothing, and the invitation says what became of it."""
    invitation = invite(world)
    token = link_of(world, invitation)
    seen = world.as_("").get(f"/v1/invitations/{token}")
    assert (seen["email"], seen["has_account"], seen["invited_by"]) == ("ann@example.org", False, "Root")

    joined = accept(world, token, name="Ann Archer").json()

    ann = world.as_(joined["api_key"])
    assert ann.get(f"/v2/users/{joined['user']}")["user"]["email"] == "ann@example.org"
    assert ann.get("/v2/users/me/policies")["policies"]["all"] == []
    assert ann.status("/v2/users") == 403
    shown = world.get(f"/v2/invitation/{invitation}")
    assert (shown["invite_status"], shown["email_registered"]) == ("Accepted", "ann@example.org")
    assert shown["date_responded"]
    root = world.get("/v2/users")["users"][0]["id"]
    assert world.get(f"/v2/users/{joined['user']}")["user"]["invited_by"] == root
    # The key is her own: it changes her account, which no organization's administrator may.
    assert ann.call("PATCH", f"/v2/users/{joined['user']}", {"name": "Ann Baker"}).status_code == 202
    assert world.call("PATCH", f"/v2/users/{joined['user']}", {"name": "X"}).status_code == 403


def test_somebody_removed_comes_back_from_nothing(world: World) -> None:
    """Journey: removed from the organization with everything there; invited again she has nothing of it."""
    person = world.person(password=PASSWORD)
    old = world.own(person)
    world.attach_policy(world.policy(allow("iam.group.List")), user=person.id)
    world.group(person)
    assert old.status("/v2/groups") == 200
    world.delete(f"/v2/organizations/{world.organization()}/user/{person.id}")
    assert old.status("/v2/groups") == 401

    token = link_of(world, invite(world, person.email))
    assert world.as_("").get(f"/v1/invitations/{token}")["has_account"] is True
    joined = accept(world, token).json()

    assert joined["user"] == person.id
    back = world.as_(joined["api_key"])
    assert back.status("/v2/groups") == 403
    assert back.get("/v2/users/me/groups")["groups"] == []
    assert old.status("/v2/groups") == 401
    assert world.as_(person.key).status("/v2/users/me/groups") == 401


def test_an_account_of_another_organization_joins_with_its_password(world: World) -> None:
    """One account, two memberships; a wrong password opens nothing, and the link stays good."""
    person = world.person(password=PASSWORD)
    assert world.node is not None
    other = world.as_(root_of_another(world.node))
    token = link_of(other, invite(other, person.email))

    assert accept(other, token, password="wrong horse battery").status_code == 403
    assert accept(other, token, password="wrong horse battery", name="Somebody Else").status_code == 403
    joined = accept(other, token)

    assert joined.status_code == 200, joined.text
    assert joined.json()["user"] == person.id
    memberships = world.as_(joined.json()["api_key"]).get("/v1/memberships")["memberships"]
    assert {found["organization"] for found in memberships} == {world.organization(), other.organization()}


def test_nobody_guesses_the_password_of_an_account_at_a_link(small_world: World) -> None:
    """Ten wrong ones from one place are the last for a while, the right one too."""
    other = small_world.as_(root_of_another(small_world.node))
    person = small_world.person()
    token = link_of(other, other.post("/v2/invitation", {"email_invited": person.email})["id"])
    for _ in range(10):
        assert accept(other, token, password="wrong horse battery").status_code == 403
    assert accept(other, token, password="correct horse").status_code == 429


def test_a_blocked_account_joins_nothing(world: World) -> None:
    person = world.person(password=PASSWORD)
    assert world.node is not None
    other = world.as_(root_of_another(world.node))
    token = link_of(other, invite(other, person.email))

    def block(unit: Unit) -> None:
        user = unit.reader.find_object(ObjectKind.USER, person.id)
        assert user is not None
        unit.open(Fact(FactKind.BLOCK, user.key))

    world.node.service.operate("test", f"r{time.monotonic_ns()}", block)
    before = world.node.store.head().revision
    assert accept(other, token).status_code == 403
    assert world.node.store.head().revision == before


def test_without_api_access_there_is_no_key(world: World) -> None:
    token = link_of(world, invite(world, api_enabled=False))
    joined = accept(world, token, name="Ann").json()
    assert "api_key" not in joined
    assert world.get(f"/v2/users/{joined['user']}")["user"]["api_enabled"] is False


def test_a_link_works_once(world: World) -> None:
    token = link_of(world, invite(world))
    assert accept(world, token, name="Ann").status_code == 200
    for answer in (
        accept(world, token, name="Ann"),
        world.call("POST", f"/v1/invitations/{token}/decline"),
        world.call("GET", f"/v1/invitations/{token}"),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_fresh_link_ends_the_older_one(world: World) -> None:
    invitation = invite(world)
    older, newer = link_of(world, invitation), link_of(world, invitation)
    assert accept(world, older, name="Ann").status_code == 404
    assert accept(world, newer, name="Ann").status_code == 200


def test_a_declined_invitation_stays_declined(world: World) -> None:
    invitation = invite(world)
    token = link_of(world, invitation)
    assert world.as_("").status(f"/v1/invitations/{token}/decline", "POST") == 204
    assert accept(world, token, name="Ann").status_code == 404
    assert world.get(f"/v2/invitation/{invitation}")["invite_status"] == "Declined"
    assert world.status(f"/v2/invitation/{invitation}/resend", "POST") == 400


def test_a_withdrawn_invitation_is_dead_at_once(world: World) -> None:
    invitation = invite(world)
    token = link_of(world, invitation)
    world.delete(f"/v1/invitations/{invitation}")
    assert accept(world, token, name="Ann").status_code == 404
    assert world.status(f"/v2/invitation/{invitation}") == 404


def test_the_link_of_an_ended_organization_is_dead(world: World) -> None:
    token = link_of(world, invite(world))
    world.delete(f"/v2/organizations/{world.organization()}")
    assert accept(world, token, name="Ann").status_code == 404


def test_nobody_lets_himself_in_again_by_an_invitation_that_he_sent(world: World) -> None:
    """It lapses when who sent it last is no member any more, until somebody else sends it again."""
    admin = world.person()
    world.attach_policy(world.policy(allow("iam.invitation.*")), user=admin.id)
    invitation = invite(world.as_(admin.key), "himself@example.org")
    # Mail was sent: the link is out, and the change that made it was the administrator's.
    token = sent_link(world.as_(admin.key), invitation)
    assert world.as_("").status(f"/v1/invitations/{token}") == 200
    world.delete(f"/v2/users/{admin.id}")
    assert accept(world, token, name="Back Again").status_code == 404
    world.call("POST", f"/v2/invitation/{invitation}/resend").raise_for_status()
    assert accept(world, token, name="Vouched For").status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        "a,b@example.org",
        ",@=?utf-8?q?=0d=0aBcc:x?=",
        "=?utf-8?q?=0d=0aBcc:x?=@x.org",
        "a@[",
        ":;@;",
        "*@[",
        "a@b@c.org",
        '"a b"@example.org',
        "a@example.org>",
        "<a@example.org",
        "a@-x.org",
        "a@x.org-",
        "a@",
        "@x.org",
    ],
)
def test_an_address_that_is_more_than_one_mailbox_is_refused(small_world: World, email: str) -> None:
    assert small_world.status("/v2/invitation", "POST", {"email_invited": email}) == 400
    body = {"email": email, "name": "n", "password": PASSWORD}
    assert small_world.status("/v2/users", "POST", body) == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Ann", "password": "short"},
        {"name": "", "password": PASSWORD},
        {"password": PASSWORD},
        {"name": "Ann"},
        {"name": 7, "password": PASSWORD},
        {"name": "Ann", "password": PASSWORD, "email": "other@example.org"},
        {"name": "A\u202enn", "password": PASSWORD},
    ],
)
def test_a_bad_answer_is_refused_and_the_link_stays_good(small_world: World, body: dict[str, Any]) -> None:
    token = link_of(small_world, invite(small_world))
    answer = small_world.call("POST", f"/v1/invitations/{token}/accept", body)
    assert answer.status_code == 400
    assert PASSWORD not in answer.text
    assert accept(small_world, token, name="Ann").status_code == 200


def test_the_token_of_an_expired_link_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the invitation is still pending: it can be sent again, and then counts three days from now."""
    monkeypatch.setattr(invitations, "VALID_MICROSECONDS", -1)
    invitation = invite(world)
    token = link_of(world, invitation)
    monkeypatch.undo()
    assert accept(world, token, name="Ann").status_code == 404
    assert world.get(f"/v2/invitation/{invitation}")["invite_status"] == "Pending"
    renewed = world.call("POST", f"/v2/invitation/{invitation}/resend").json()
    assert renewed["expiration_date"] > renewed["date_created"]
    assert accept(world, token, name="Ann").status_code == 404, "what had expired stays dead"
    assert accept(world, link_of(world, invitation), name="Ann").status_code == 200


# --- by mail ----------------------------------------------------------------------------------------------------------


class Post:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        self.received.append(message_from_bytes(bytes(envelope.content or b""), policy=policy.default))
        return "250 OK"

    def wait(self, count: int) -> list[Any]:
        deadline = time.monotonic() + 20
        while len(self.received) < count:
            assert time.monotonic() < deadline, "no mail came"
            time.sleep(0.02)
        return self.received


@pytest.fixture
def post() -> Iterator[tuple[Post, str]]:
    """A mail server that wants a password, and its address."""
    handler = Post()

    def allowed(*given: Any) -> AuthResult:
        return AuthResult(success=(given[-1].login, given[-1].password) == (b"rescind", b"p@ss"))

    controller = Controller(
        handler, "127.0.0.1", free_port(), authenticator=allowed, auth_require_tls=False, auth_required=True
    )
    controller.start()
    yield handler, f"smtp://rescind:p%40ss@127.0.0.1:{controller.port}"
    controller.stop()


# The mail server's own warnings: it takes a password in clear, which crosses no network here.
@pytest.mark.filterwarnings("ignore:Session.login_data is deprecated", "ignore:Requiring AUTH")
def test_an_invitation_goes_by_mail_and_its_link_works(
    post: tuple[Post, str], make_database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the address that was set, to the public address; neither link nor mail password stands in the log."""
    handler, url = post
    monkeypatch.setenv("RESCIND_SMTP_URL", url)
    monkeypatch.setenv("RESCIND_MAIL_FROM", "iam@example.org")
    monkeypatch.setenv("RESCIND_PUBLIC_URL", "https://iam.example.org")
    with Server(make_database("sqlite"), tmp_path) as server:
        world = server.world()
        invitation = invite(world)
        [first] = handler.wait(1)
        assert (first["From"], first["To"]) == ("iam@example.org", "ann@example.org")
        assert "Default" in first["Subject"]
        found = re.search(r"https://iam\.example\.org(/v1/invitations/\S+)", first.get_content())
        assert found
        # A name that would be read as headers is text, and nothing is added by it.
        organization = world.organization()
        world.call("PUT", f"/v2/organizations/{organization}", {"name": BENT}).raise_for_status()
        # Sent again, the older link is dead.
        world.call("POST", f"/v2/invitation/{invitation}/resend").raise_for_status()
        second = handler.wait(2)[1]
        again = re.search(r"https://iam\.example\.org(/v1/invitations/\S+)", second.get_content())
        assert second["Subject"].strip() == f"Invitation to {BENT}"
        assert set(second.keys()) == set(first.keys())
        assert again
        assert world.status(found[1]) == 404
        assert world.status(again[1]) == 200
        body = {"name": "Ann", "password": PASSWORD}
        assert world.call("POST", f"{again[1]}/accept", body).status_code == 200
        log = server.log()
        for secret in (found[1].rpartition("/")[2], again[1].rpartition("/")[2], "p%40ss", "p@ss"):
            assert secret not in log


def test_a_mail_server_that_is_away_costs_the_mail_and_not_the_invitation(
    make_database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCIND_SMTP_URL", f"smtp://127.0.0.1:{free_port()}")
    monkeypatch.setenv("RESCIND_MAIL_FROM", "iam@example.org")
    with Server(make_database("sqlite"), tmp_path) as server:
        world = server.world()
        invitation = invite(world)
        deadline = time.monotonic() + 20
        while "mail not sent" not in server.log():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert world.get(f"/v2/invitation/{invitation}")["invite_status"] == "Pending"


@pytest.mark.parametrize("url", ["http://localhost", "smtp://", "smtp://host:port", "localhost:25"])
def test_a_mail_server_that_cannot_be_one_is_refused_at_the_start(make_database: Any, url: str) -> None:
    done = rescind(
        "serve",
        "--port",
        str(free_port()),
        RESCIND_DATABASE=make_database("sqlite"),
        RESCIND_SMTP_URL=url,
        RESCIND_MAIL_FROM="iam@example.org",
    )
    assert done.returncode == 1
    assert "mail server" in done.stderr
    assert "Traceback" not in done.stderr


# --- by the operator's command ----------------------------------------------------------------------------------------


def test_the_operator_lists_invitations_and_hands_out_links(server: Server) -> None:
    world = server.world()
    invitation = invite(world)
    listed = json.loads(rescind("invitations", "list", "--json", RESCIND_DATABASE=server.database).stdout)
    assert [(found["id"], found["email"], found["expired"]) for found in listed] == [
        (invitation, "ann@example.org", False)
    ]
    assert invitation in rescind("invitations", "list", RESCIND_DATABASE=server.database).stdout
    made = rescind("invitations", "link", invitation, "--public-url", server.url, RESCIND_DATABASE=server.database)
    assert made.returncode == 0, made.stderr
    link = made.stdout.strip()
    assert world.client.post(f"{link}/accept", json={"name": "Ann", "password": PASSWORD}).status_code == 200
    assert json.loads(rescind("invitations", "list", "--json", RESCIND_DATABASE=server.database).stdout) == []
    nonsense = rescind("invitations", "link", invitation, "--public-url", "nonsense", RESCIND_DATABASE=server.database)
    assert nonsense.returncode == 2
    for unknown in (invitation, "unknown"):
        refused = rescind("invitations", "link", unknown, RESCIND_DATABASE=server.database)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr


def test_looking_where_there_is_no_database_makes_none(tmp_path: Path) -> None:
    file = tmp_path / "rescind.db"
    looked = rescind("invitations", "list", RESCIND_DATABASE=f"sqlite:///{file}")
    assert looked.returncode == 1
    assert "there is no database at" in looked.stderr
    assert not file.exists()
