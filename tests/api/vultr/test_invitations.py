"""Invitations: who is asked to join, for how long, and what she has when she comes."""

import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.conftest import UNKNOWN_ID, Town, nothing_written
from world import ROOT_EMAIL, ROOT_KEY, World, allow

VALID = timedelta(days=3)
PASSWORD = "a new password"


def invite(world: World, email: str = "ada@example.org", **permissions: Any) -> dict[str, Any]:
    """A new invitation, bare."""
    asked = {"email_invited": email, **({"permissions": permissions} if permissions else {})}
    made = dict(world.post("/v2/invitation", asked))
    return dict(made["invitation"])


def read(world: World, invitation: str) -> dict[str, Any]:
    """An invitation as it stands now."""
    return dict(world.get(f"/v2/invitation/{invitation}")["invitation"])


def link(world: World, invitation: str) -> str:
    """The token of an invitation's link, as the operator's command prints it."""
    from rescind.usecases import invitations

    assert world.node is not None
    made = world.node.service.operate("test", str(uuid.uuid4()), invitations.link, invitation=invitation)
    assert made.result.id == invitation
    return str(made.result.token)


def answer(world: World, token: str, what: str, body: Any = None) -> Any:
    """What somebody with a link and no credential is told."""
    return world.client.post(f"/v1/invitations/{token}/{what}", json=body)


def accept(world: World, invitation: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The answer to an acceptance that must succeed."""
    response = answer(world, link(world, invitation["id"]), "accept", {"password": PASSWORD, **members})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return dict(response.json())


def member_emails(world: World) -> list[str]:
    return [found["email"] for found in world.get("/v2/users")["users"]]


def dates(invitation: dict[str, Any]) -> tuple[datetime, datetime]:
    """When it was made and when it ends."""
    made, ends = (datetime.fromisoformat(invitation[name]) for name in ("date_created", "expiration_date"))
    return made, ends


# --- inviting -------------------------------------------------------------------------------------------------------


def test_an_invitation_says_who_invites_whom_into_what_and_until_when(small_world: World) -> None:
    organization = small_world.get("/v2/organizations")["orgs"][0]
    made = invite(small_world, api_enabled=True)
    said = ("email_invited", "inviter_email", "org_id", "org_name", "status", "invite_status", "date_responded")
    assert [made[name] for name in said] == [
        "ada@example.org",
        ROOT_EMAIL,
        organization["id"],
        organization["name"],
        "pending",
        "Pending",
        "",
    ]
    assert made["status_full"]
    assert made["email_registered"] == ""
    begun, ends = dates(made)
    assert ends - begun == VALID
    assert read(small_world, made["id"]) == made
    listed = small_world.get("/v2/invitation")
    assert listed["invites"] == listed["invitations"] == [made]


def test_an_invitation_is_answered_bare_and_wrapped(small_world: World) -> None:
    made = small_world.post("/v2/invitation", {"email_invited": "ada@example.org"})
    for found in (made, small_world.get(f"/v2/invitation/{made['id']}")):
        wrapped = found.pop("invitation")
        assert found == wrapped
    resent = small_world.call("POST", f"/v2/invitation/{made['id']}/resend").json()
    assert resent.pop("invitation") == resent


@pytest.mark.parametrize(
    ("sent", "said"),
    [(True, True), (False, False), ("yes", True), ("no", False), (1, True), (0, False)],
)
def test_api_access_is_asked_for_in_many_forms_and_answered_in_one(small_world: World, sent: Any, said: bool) -> None:
    made = invite(small_world, api_enabled=sent)
    assert made["permissions"]["api_enabled"] is said
    assert read(small_world, made["id"])["permissions"]["api_enabled"] is said
    assert small_world.get("/v2/invitation")["invites"][0]["permissions"]["api_enabled"] is said


@pytest.mark.parametrize("members", [{}, {"permissions": {}}, {"permissions": {"roles": "x"}}])
def test_permissions_that_say_nothing_are_answered_as_a_boolean_too(
    small_world: World, members: dict[str, Any]
) -> None:
    made = small_world.post("/v2/invitation", {"email_invited": "ada@example.org", **members})
    assert type(made["permissions"]["api_enabled"]) is bool


BAD_INVITATIONS: dict[str, dict[str, Any]] = {
    "nobody": {},
    "null": {"email_invited": None},
    "empty": {"email_invited": ""},
    "a number": {"email_invited": 1},
    "a list": {"email_invited": ["ada@example.org"]},
    "by another name": {"email": "ada@example.org"},
    "no address": {"email_invited": "x"},
    "no host": {"email_invited": "ada@"},
    "no name": {"email_invited": "@example.org"},
    "two hosts": {"email_invited": "a@b@c"},
    "a blank": {"email_invited": "a b@example.org"},
    "a blank before it": {"email_invited": " ada@example.org"},
    "a new line after it": {"email_invited": "ada@example.org\n"},
    "a header of a mail": {"email_invited": "ada@example.org\r\nBcc: b@example.org"},
    "another direction": {"email_invited": "ada\u202e@example.org"},
    "too long": {"email_invited": "a" * 250 + "@example.org"},
    "permissions a string": {"email_invited": "ada@example.org", "permissions": "api_enabled"},
    "permissions true": {"email_invited": "ada@example.org", "permissions": True},
    "permissions a list": {"email_invited": "ada@example.org", "permissions": ["api_enabled"]},
    "access perhaps": {"email_invited": "ada@example.org", "permissions": {"api_enabled": "perhaps"}},
    "access empty": {"email_invited": "ada@example.org", "permissions": {"api_enabled": ""}},
    "access two": {"email_invited": "ada@example.org", "permissions": {"api_enabled": 2}},
    "access a fraction": {"email_invited": "ada@example.org", "permissions": {"api_enabled": 1.5}},
    "access a list": {"email_invited": "ada@example.org", "permissions": {"api_enabled": [True]}},
    "access an object": {"email_invited": "ada@example.org", "permissions": {"api_enabled": {}}},
}


@pytest.mark.parametrize("body", BAD_INVITATIONS.values(), ids=BAD_INVITATIONS)
def test_an_invitation_that_cannot_be_meant_is_refused_and_nothing_is_written(
    standing: Town, body: dict[str, Any]
) -> None:
    with nothing_written(standing.world):
        assert standing.world.status("/v2/invitation", "POST", body) == 400


def test_who_is_a_member_is_not_invited(standing: Town) -> None:
    member = standing.world.get(f"/v2/users/{standing.ids.user}")["user"]["email"]
    with nothing_written(standing.world):
        for email in (member, member.upper(), ROOT_EMAIL):
            assert standing.world.status("/v2/invitation", "POST", {"email_invited": email}) == 400


def test_who_is_a_member_elsewhere_is_invited(town: Town) -> None:
    foreign = town.elsewhere.get(f"/v2/users/{town.foreign.user}")["user"]["email"]
    assert town.world.status("/v2/invitation", "POST", {"email_invited": foreign}) == 201


def test_an_invitation_alone_gives_nothing(small_world: World) -> None:
    before = member_emails(small_world)
    made = invite(small_world, api_enabled=True)
    assert member_emails(small_world) == before
    assert small_world.status(f"/v2/users/{made['id']}") == 404


# --- sending it again -----------------------------------------------------------------------------------------------


def test_sending_again_begins_the_three_days_anew(small_world: World) -> None:
    made = invite(small_world)
    time.sleep(1.1)
    resent = small_world.call("POST", f"/v2/invitation/{made['id']}/resend")
    assert resent.status_code == 200
    renewed = resent.json()["invitation"]
    (begun, ended), (still, ends) = dates(made), dates(renewed)
    assert still == begun
    assert timedelta(seconds=1) <= ends - ended <= timedelta(minutes=1)
    assert {**renewed, "expiration_date": ""} == {**made, "expiration_date": ""}
    assert read(small_world, made["id"]) == renewed


@pytest.mark.parametrize("invitation", [UNKNOWN_ID, "x", "resend"])
def test_an_invitation_that_nobody_has_is_unknown_with_the_exact_text(standing: Town, invitation: str) -> None:
    with nothing_written(standing.world):
        for method, path in (("GET", ""), ("POST", "/resend")):
            answered = standing.world.call(method, f"/v2/invitation/{invitation}{path}")
            assert (answered.status_code, answered.json()) == (404, {"error": "Invite not found", "status": 404})


@pytest.mark.parametrize("what", ["accept", "decline"])
def test_an_invitation_that_was_answered_is_not_sent_again(small_world: World, what: str) -> None:
    made = invite(small_world)
    answer(small_world, link(small_world, made["id"]), what, {"name": "Ada", "password": PASSWORD})
    with nothing_written(small_world):
        assert small_world.status(f"/v2/invitation/{made['id']}/resend", "POST") == 400


# --- accepting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api_enabled", [True, False])
def test_who_accepts_becomes_a_member_who_starts_from_nothing(world: World, api_enabled: bool) -> None:
    made = invite(world, api_enabled=api_enabled)
    told = accept(world, made, name="Ada Lovelace")
    assert told["organization"] == world.organization()
    user = world.get(f"/v2/users/{told['user']}")["user"]
    assert (user["email"], user["name"], user["status"]) == ("ada@example.org", "Ada Lovelace", True)
    assert (user["service_user"], user["api_enabled"]) == (False, api_enabled)
    assert (user["invited_by"], user["invite_accepted"], user["acls"]) != ("", False, [])
    for part in ("roles", "policies"):
        assert world.get(f"/v2/users/{told['user']}/{part}")[part]["all"] == []
    assert world.get(f"/v2/users/{told['user']}/groups")["groups"] == []
    accepted = read(world, made["id"])
    assert (accepted["status"], accepted["invite_status"]) == ("accepted", "Accepted")
    assert datetime.fromisoformat(accepted["date_responded"]) >= dates(made)[0]
    assert accepted["email_registered"] == "ada@example.org"
    if "api_key" in told:
        hers = world.as_(told["api_key"])
        assert hers.status("/v2/users/me/groups") == (200 if api_enabled else 403)
        assert hers.status("/v2/groups") == 403


def test_who_accepts_has_what_she_is_given_later(small_world: World) -> None:
    told = accept(small_world, invite(small_world, api_enabled=True), name="Ada")
    key = small_world.post(f"/v2/users/{told['user']}/apikeys", {"name": "k"})["api_key"]["api_key"]
    hers = small_world.as_(key)
    assert hers.status("/v2/groups") == 403
    small_world.attach_policy(small_world.policy(allow("iam.group.List")), user=told["user"])
    assert hers.status("/v2/groups") == 200


def test_who_has_an_account_accepts_with_its_password_and_keeps_it(town: Town) -> None:
    email = town.elsewhere.get(f"/v2/users/{town.foreign.user}")["user"]["email"]
    made = invite(town.world, email)
    before = town.elsewhere.get(f"/v2/users/{town.foreign.user}")
    world = World(town.world.client, town.world.key, town.node)
    token = link(world, made["id"])
    with nothing_written(town.world):
        for wrong in ({"password": "another password"}, {"password": ""}, {}, {"name": "Ada"}):
            assert answer(world, token, "accept", wrong).status_code in (400, 401, 403)
    assert email not in member_emails(town.world)
    told = answer(world, token, "accept", {"password": "correct horse"})
    assert told.status_code == 200, told.text
    assert told.json()["user"] == town.foreign.user, "the account is the person's"
    assert told.json()["organization"] == town.ids.organization
    assert email in member_emails(town.world)
    assert town.elsewhere.get(f"/v2/users/{town.foreign.user}") == before
    assert town.world.get(f"/v2/users/{town.foreign.user}/roles")["roles"]["all"] == []
    assert town.elsewhere.get(f"/v2/users/{town.foreign.user}/roles")["roles"]["all"] != []


def test_who_was_removed_and_is_invited_again_starts_from_nothing(small_world: World) -> None:
    ann = small_world.person()
    role = small_world.role(small_world.policy(allow("iam.group.List")))
    small_world.attach_role(role, user=ann.id)
    group = small_world.group(ann)
    organization = small_world.organization()
    small_world.delete(f"/v2/organizations/{organization}/user/{ann.id}")
    told = accept(small_world, invite(small_world, ann.email, api_enabled=True), password="correct horse")
    assert told["user"] == ann.id
    assert small_world.get(f"/v2/users/{ann.id}/roles")["roles"]["all"] == []
    assert small_world.get(f"/v2/groups/{group}/members")["members"] == []
    assert small_world.as_(ann.key).status("/v2/groups") == 401, "an old key does not come back"


def test_a_link_is_used_once(small_world: World) -> None:
    made = invite(small_world)
    token = link(small_world, made["id"])
    body = {"name": "Ada", "password": PASSWORD}
    assert answer(small_world, token, "accept", body).status_code == 200
    with nothing_written(small_world):
        for what in ("accept", "decline"):
            again = answer(small_world, token, what, body)
            assert 400 <= again.status_code < 500
            assert again.headers["content-type"] == "application/problem+json"
    assert member_emails(small_world).count("ada@example.org") == 1


def test_who_declines_is_no_member_and_may_be_invited_again(world: World) -> None:
    made = invite(world)
    declined = answer(world, link(world, made["id"]), "decline")
    assert (declined.status_code, declined.content) == (204, b"")
    found = read(world, made["id"])
    assert (found["status"], found["invite_status"]) == ("declined", "Declined")
    assert found["date_responded"]
    assert "ada@example.org" not in member_emails(world)
    again = invite(world)
    accept(world, again, name="Ada")
    assert "ada@example.org" in member_emails(world)
    assert read(world, made["id"])["invite_status"] == "Declined"


@pytest.mark.parametrize("what", ["accept", "decline"])
@pytest.mark.parametrize("token", ["x", UNKNOWN_ID, "a" * 43, "a" * 5000])
def test_a_link_that_nobody_was_given_leads_nowhere(standing: Town, token: str, what: str) -> None:
    with nothing_written(standing.world):
        answered = answer(standing.world, token, what, {"name": "Ada", "password": PASSWORD})
        assert answered.status_code == 404
        assert answered.headers["content-type"] == "application/problem+json"


def test_the_id_of_an_invitation_is_no_link(small_world: World) -> None:
    made = invite(small_world)
    link(small_world, made["id"])
    with nothing_written(small_world):
        assert answer(small_world, made["id"], "accept", {"name": "A", "password": PASSWORD}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"name": "Ada"},
        {"password": PASSWORD},
        {"name": "", "password": PASSWORD},
        {"name": "a\nb", "password": PASSWORD},
        {"name": "x" * 256, "password": PASSWORD},
        {"name": 1, "password": PASSWORD},
        {"name": "Ada", "password": ""},
        {"name": "Ada", "password": "1234567"},
        {"name": "Ada", "password": "x" * 1025},
        {"name": "Ada", "password": [PASSWORD]},
    ],
)
def test_an_acceptance_that_cannot_be_meant_is_refused_and_the_link_still_works(small_world: World, body: Any) -> None:
    made = invite(small_world)
    token = link(small_world, made["id"])
    with nothing_written(small_world):
        refused = answer(small_world, token, "accept", body)
        assert refused.status_code == 400, refused.text
        assert PASSWORD not in refused.text
    assert answer(small_world, token, "accept", {"name": "Ada", "password": PASSWORD}).status_code == 200


def test_nothing_that_is_read_shows_the_link(small_world: World) -> None:
    made = invite(small_world)
    token = link(small_world, made["id"])
    paths = ("/v2/invitation", f"/v2/invitation/{made['id']}", "/v1/changes")
    texts = [small_world.call("GET", path).text for path in paths]
    texts.append(small_world.call("POST", f"/v2/invitation/{made['id']}/resend").text)
    texts.append(answer(small_world, link(small_world, made["id"]), "accept", {"name": 1}).text)
    assert not [text for text in texts if token in text or ROOT_KEY in text]


def test_the_list_keeps_every_invitation_whatever_became_of_it(small_world: World) -> None:
    pending, accepted, declined = (invite(small_world, f"{name}@example.org") for name in ("ada", "ben", "cy"))
    accept(small_world, accepted, name="Ben")
    answer(small_world, link(small_world, declined["id"]), "decline")
    listed = small_world.get("/v2/invitation")
    assert {found["id"]: found["invite_status"] for found in listed["invites"]} == {
        pending["id"]: "Pending",
        accepted["id"]: "Accepted",
        declined["id"]: "Declined",
    }
    assert listed["meta"]["total"] == 3
