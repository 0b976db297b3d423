"""Sessions of assumed roles: what they may do, and every way in which one can die or be refused."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loopback import Loopback
from rescind.app import application
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.usecases.unit import Unit
from world import Person, World, allow, deny, root_of_another

HOME, ELSEWHERE = "203.0.113.7", "198.51.100.7"


@dataclass
class Story:
    """A member in a group who entered a role through a trust that names both, from a given address."""

    root: World
    """From no address at all."""
    at_home: World
    elsewhere: World
    ann: Person
    group: str
    role: str
    policy: str
    right: str
    trust: str
    session: str
    token: str
    spare: dict[str, Any] = field(default_factory=dict)

    def status(self, world: World | None = None) -> int:
        """What a call gets that begins now, with the session's token, which the role's policy allows."""
        return (world or self.at_home).as_(self.token).status("/v2/groups")

    def now(self) -> datetime:
        return datetime.now(UTC)


def tell(root: World, at_home: World, elsewhere: World, **trusted: Any) -> Story:
    ann = root.person()
    group = root.group(ann)
    policy = root.policy(allow("iam.group.List"))
    role = root.role(policy, role_type="assumable")
    right = root.policy(allow("iam.role.AssumeRole"))
    root.attach_policy(right, user=ann.id)
    body = {
        "role_id": role,
        "trust_type": "TemporaryAssumption",
        "trusted_user_id": ann.id,
        "trusted_group_id": group,
        "conditions": {},
        "valid_until": "",
        **trusted,
    }
    trust = root.post("/v2/role-trusts", body)["id"]
    opened = at_home.as_(ann.key).post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "work"})
    return Story(
        root, at_home, elsewhere, ann, group, role, policy, right, trust, opened["id"], opened["session_token"]
    )


@pytest.fixture
def worlds(world: World) -> Iterator[tuple[World, World, World]]:
    """The same node spoken to from nowhere, from home and from elsewhere."""
    assert world.node is not None
    with (
        Loopback(application(world.node), raise_server_exceptions=False, client=(HOME, 50000)) as home,
        Loopback(application(world.node), raise_server_exceptions=False, client=(ELSEWHERE, 50000)) as away,
    ):
        yield world, World(home, world.key, world.node), World(away, world.key, world.node)


@pytest.fixture
def story(worlds: tuple[World, World, World]) -> Story:
    return tell(*worlds)


def operate(story: Story, change: Callable[[Unit], Any]) -> None:
    """Write something that no call of this face does."""
    assert story.root.node is not None

    def inside(unit: Unit) -> None:
        organization = unit.reader.find_object(ObjectKind.ORGANIZATION, story.root.organization())
        assert organization is not None
        unit.organization = organization.key
        change(unit)

    story.root.node.service.operate("test", str(uuid.uuid4()), inside)


def put_trust(story: Story, **body: Any) -> None:
    response = story.root.call("PUT", f"/v2/role-trusts/{story.trust}", body)
    assert response.status_code == 200, response.text


def day_before(moment: datetime) -> str:
    return f"{moment - timedelta(days=1):%A}".lower()


def block(story: Story) -> None:
    operate(story, lambda unit: unit.open(Fact(FactKind.BLOCK, unit.member(story.ann.id).user.key)))


def expire(story: Story, kind: FactKind, of: Callable[[Unit], int]) -> None:
    """Let time end the facts of one kind that an object holds: one microsecond ago."""

    def end(unit: Unit) -> None:
        for interval in unit.intervals(of(unit), kind):
            fact = interval.fact
            ended = Fact(fact.kind, fact.holder, fact.thing, fact.scope, fact.value, unit.reader.instant - 1)
            unit.open(ended)

    operate(story, end)


def found(kind: ObjectKind, identifier: str) -> Callable[[Unit], int]:
    def key(unit: Unit) -> int:
        there = unit.reader.find_object(kind, identifier)
        assert there is not None
        return there.key

    return key


def delete_her_key(story: Story) -> None:
    keys = story.root.get(f"/v2/users/{story.ann.id}/apikeys")["api_keys"]
    story.root.delete(f"/v2/users/{story.ann.id}/apikeys/{keys[0]['id']}")


ENDS: dict[str, tuple[Callable[[Story], Any], int]] = {
    "the session is deleted by its token": (lambda s: s.root.delete(f"/v2/assumed-roles/{s.token}"), 401),
    "the session is deleted by its id": (lambda s: s.root.delete(f"/v2/assumed-roles/{s.session}"), 401),
    "the session deletes itself": (lambda s: s.at_home.as_(s.token).delete(f"/v2/assumed-roles/{s.token}"), 401),
    "the trust is deleted": (lambda s: s.root.delete(f"/v2/role-trusts/{s.trust}"), 401),
    "the trust expires": (lambda s: expire(s, FactKind.TRUST, found(ObjectKind.ROLE_TRUST, s.trust)), 401),
    "the trust is for another role": (
        lambda s: put_trust(s, role_id=s.root.role(role_type="assumable")),
        401,
    ),
    "the trust is for another user": (lambda s: put_trust(s, trusted_user_id=s.root.person().id), 401),
    "the trust is for another group": (lambda s: put_trust(s, trusted_group_id=s.root.group()), 401),
    "the role is deleted": (lambda s: s.root.delete(f"/v2/roles/{s.role}"), 401),
    "the role is not assumable any more": (
        lambda s: s.root.call("PUT", f"/v2/roles/{s.role}", {"role_type": "assignable"}).raise_for_status(),
        401,
    ),
    "the user leaves the trusted group": (lambda s: s.root.delete(f"/v2/groups/{s.group}/members/{s.ann.id}"), 401),
    "the trusted group is deleted": (lambda s: s.root.delete(f"/v2/groups/{s.group}"), 401),
    "the right to assume is detached": (lambda s: s.root.delete(f"/v2/policies/{s.right}/users/{s.ann.id}"), 401),
    "the right to assume is denied": (
        lambda s: s.root.attach_policy(s.root.policy(deny("iam.role.*")), user=s.ann.id),
        401,
    ),
    "the policy with the right to assume is deleted": (lambda s: s.root.delete(f"/v2/policies/{s.right}"), 401),
    "the user is removed": (
        lambda s: s.root.delete(f"/v2/organizations/{s.root.organization()}/user/{s.ann.id}"),
        401,
    ),
    "the user's account is blocked": (block, 401),
    "the key that opened it is deleted": (delete_her_key, 401),
    "the session expires": (lambda s: expire(s, FactKind.EXISTENCE, found(ObjectKind.SESSION, s.session)), 401),
    "the organization is deleted": (lambda s: s.root.delete(f"/v2/organizations/{s.root.organization()}"), 401),
    "the user is suspended": (
        lambda s: s.root.call(
            "PUT", f"/v2/organizations/{s.root.organization()}/user/{s.ann.id}/suspend"
        ).raise_for_status(),
        403,
    ),
    "the user's API access is switched off": (
        lambda s: s.root.call("PATCH", f"/v2/users/{s.ann.id}", {"api_enabled": False}).raise_for_status(),
        403,
    ),
    "the trust does not know the address any more": (
        lambda s: put_trust(s, conditions={"ip_address": [f"{ELSEWHERE}/32"]}),
        401,
    ),
    "the user's allow-list does not hold the address any more": (
        lambda s: s.root.call(
            "DELETE", f"/v2/users/{s.ann.id}/ip-whitelist", {"subnet": "0.0.0.0", "subnet_size": 0}
        ).raise_for_status(),
        401,
    ),
    "it is not the hour": (
        lambda s: put_trust(
            s,
            conditions={"time_of_day": {"start": (s.now().hour + 2) % 24, "end": (s.now().hour + 3) % 24}},
        ),
        403,
    ),
    "it is not the day": (
        lambda s: put_trust(s, conditions={"time_of_day": {"days_of_week": [day_before(s.now() - timedelta(days=1))]}}),
        403,
    ),
    "the role loses the policy": (lambda s: s.root.delete(f"/v2/roles/{s.role}/policies/{s.policy}"), 403),
    "the role's policy is deleted": (lambda s: s.root.delete(f"/v2/policies/{s.policy}"), 403),
    "the role gets a deny": (
        lambda s: s.root.post(f"/v2/roles/{s.role}/policies/{s.root.policy(deny('iam.group.*'))}"),
        403,
    ),
}
FOR_GOOD = {
    "the trust is deleted": lambda s: s.root.call("PATCH", f"/v2/role-trusts/{s.trust}/restore").raise_for_status(),
    "the trust expires": lambda s: put_trust(s, valid_until=""),
    "the trust is for another role": lambda s: put_trust(s, role_id=s.role),
    "the trust is for another user": lambda s: put_trust(s, trusted_user_id=s.ann.id),
    "the trust is for another group": lambda s: put_trust(s, trusted_group_id=s.group),
    "the role is deleted": lambda s: s.root.call("PATCH", f"/v2/roles/{s.role}/restore").raise_for_status(),
    "the role is not assumable any more": lambda s: s.root.call(
        "PUT", f"/v2/roles/{s.role}", {"role_type": "assumable"}
    ).raise_for_status(),
    "the user leaves the trusted group": lambda s: s.root.post(f"/v2/groups/{s.group}/members", {"user_id": s.ann.id}),
    "the trusted group is deleted": lambda s: s.root.call("POST", f"/v1/groups/{s.group}/restore").raise_for_status(),
}
BACK = {
    "the user is suspended": lambda s: s.root.call(
        "PUT", f"/v2/organizations/{s.root.organization()}/user/{s.ann.id}/unsuspend"
    ).raise_for_status(),
    "the trust does not know the address any more": lambda s: put_trust(s, conditions={"ip_address": []}),
    "it is not the hour": lambda s: put_trust(s, conditions={"time_of_day": None}),
}


@pytest.mark.parametrize("way", ENDS)
def test_a_session_is_refused_at_once_when(story: Story, way: str) -> None:
    """A call that begins after the acknowledgement is refused; one before was not."""
    happens, status = ENDS[way]
    assert story.status() == 200

    happens(story)

    assert story.status() == status


# Nobody is left to ask in an ended organization; from a wrong address, or while its user lacks the right, a session is
# refused and lives.
ENDED = [
    way
    for way, (_, status) in ENDS.items()
    if status == 401 and "address" not in way and "right to assume" not in way and way != "the organization is deleted"
]
LACKING = [way for way in ENDS if "right to assume" in way]


@pytest.mark.parametrize("way", LACKING)
def test_a_session_that_is_only_refused_is_seen_and_can_be_ended(story: Story, way: str) -> None:
    """Whoever gives the right back later gives nothing back then."""
    ENDS[way][0](story)
    assert story.status() == 401
    listed = story.root.get(f"/v2/assumed-roles/users/{story.ann.id}/sessions")["sessions"]
    assert [found["id"] for found in listed] == [story.session]
    story.root.delete(f"/v2/assumed-roles/{story.session}")
    story.root.attach_policy(story.root.policy(allow("iam.role.AssumeRole")), user=story.ann.id)
    assert story.status() == 401


@pytest.mark.parametrize("trust_type", ["IAMAssumption", "FederatedAssumption"])
def test_a_session_does_not_become_another_principal(story: Story, trust_type: str) -> None:
    """A trust that changes its type ends the sessions that were entered as something else."""
    put_trust(story, trust_type=trust_type)
    assert story.status() == 401


def test_a_session_that_a_suspended_root_had_opened_stays_ended(story: Story) -> None:
    body = {"role_id": story.role, "session_name": "hers", "user_id": story.ann.id}
    token = story.at_home.post("/v2/assumed-roles/assume", body)["session_token"]
    organization, root = story.root.organization(), story.root.get("/v2/users")["users"][0]["id"]
    other = story.root.person()
    story.root.call("POST", f"/v1/organizations/{organization}/transfer", {"user": other.id}).raise_for_status()
    new = story.root.as_(other.key)
    for verb in ("suspend", "unsuspend"):
        new.call("PUT", f"/v2/organizations/{organization}/user/{root}/{verb}").raise_for_status()
        assert story.at_home.as_(token).status("/v2/groups") == 401
    assert story.status() == 200, "hers, which she opened herself, was never touched"


def test_what_concerns_others_leaves_a_session_alone(story: Story) -> None:
    """A new member of the trusted group, or another length of the role's sessions, ends nobody's."""
    ben = story.root.person()
    story.root.post(f"/v2/groups/{story.group}/members", {"user_id": ben.id})
    story.root.call("PUT", f"/v2/roles/{story.role}", {"max_session_duration": 900}).raise_for_status()
    assert story.status() == 200


@pytest.mark.parametrize("way", ENDED)
def test_a_session_that_ended_is_unknown(story: Story, way: str) -> None:
    """Who reads it, by token or id, gets the words for what is not there; and it is not listed."""
    ENDS[way][0](story)
    for named in (story.token, story.session):
        response = story.root.call("GET", f"/v2/assumed-roles/{named}")
        assert response.status_code == 404
        assert response.json() == {"error": "Assumed Role Not Found", "status": 404}
    listed = story.root.call("GET", f"/v2/assumed-roles/users/{story.ann.id}/sessions")
    assert listed.status_code == (404 if way == "the user is removed" else 200)
    assert listed.status_code == 404 or listed.json()["sessions"] == []


@pytest.mark.parametrize("way", FOR_GOOD)
def test_what_ended_a_session_for_good_may_be_restored_and_it_stays_ended(story: Story, way: str) -> None:
    ENDS[way][0](story)
    assert story.status() == 401
    FOR_GOOD[way](story)
    assert story.status() == 401
    opened = story.at_home.as_(story.ann.key).post(
        "/v2/assumed-roles/assume", {"role_id": story.role, "session_name": "again"}
    )
    assert story.at_home.as_(opened["session_token"]).status("/v2/groups") == 200


@pytest.mark.parametrize("way", ["removed", "suspended", "blocked", "key deleted"])
def test_a_session_that_root_opened_for_somebody_ends_with_her(story: Story, way: str) -> None:
    """Who handed over an organization and left it keeps nothing, whosever the session is."""
    story.root.delete(f"/v2/assumed-roles/{story.session}")
    body = {"role_id": story.role, "session_name": "hers", "user_id": story.ann.id}
    token = story.at_home.post("/v2/assumed-roles/assume", body)["session_token"]
    session = story.at_home.as_(token)
    assert session.status("/v2/groups") == 200
    organization, root = story.root.organization(), story.root.get("/v2/users")["users"][0]["id"]
    other = story.root.person()
    if way == "key deleted":
        key = story.root.get("/v2/apikeys")["api_keys"][0]["id"]
        story.root.delete(f"/v2/apikeys/{key}")
    else:
        story.root.call("POST", f"/v1/organizations/{organization}/transfer", {"user": other.id}).raise_for_status()
        new = story.root.as_(other.key)
        if way == "removed":
            new.delete(f"/v2/organizations/{organization}/user/{root}")
        elif way == "suspended":
            new.call("PUT", f"/v2/organizations/{organization}/user/{root}/suspend").raise_for_status()
        else:
            # The operator's: root's key would not say which organization is meant any more.
            def block_root(unit: Unit) -> None:
                user = unit.reader.find_object(ObjectKind.USER, root)
                assert user is not None
                unit.open(Fact(FactKind.BLOCK, user.key))

            assert story.root.node is not None
            story.root.node.service.operate("test", str(uuid.uuid4()), block_root)
    assert session.status("/v2/groups") == 401


@pytest.mark.parametrize("way", BACK)
def test_a_session_that_was_held_back_goes_on_when_the_reason_is_gone(story: Story, way: str) -> None:
    ENDS[way][0](story)
    assert story.status() != 200
    BACK[way](story)
    assert story.status() == 200


def test_a_session_is_used_from_the_addresses_of_its_trust_alone(worlds: tuple[World, World, World]) -> None:
    story = tell(*worlds, conditions={"ip_address": ["203.0.113.0/24"]})

    assert story.status() == 200
    refused = story.elsewhere.as_(story.token).call("GET", "/v2/groups")

    assert refused.status_code == 401
    assert refused.json() == {"error": f"Unauthorized IP address: {ELSEWHERE}", "status": 401}


# --- what a session may do --------------------------------------------------------------------------------------------


def test_a_session_has_its_roles_rights_and_none_of_its_users(story: Story) -> None:
    """Not the user's own, not what everybody may do about himself, and never root's."""
    story.root.attach_policy(story.root.policy(allow("iam.policy.List")), user=story.ann.id)
    assert story.root.as_(story.ann.key).status("/v2/policies") == 200
    session = story.at_home.as_(story.token)
    for path in (
        "/v2/policies",
        "/v2/apikeys",
        "/v2/users/me/groups",
        "/v2/users/me/roles",
        f"/v2/users/{story.ann.id}",
        f"/v2/users/{story.ann.id}/roles",
        f"/v2/assumed-roles/users/{story.ann.id}/sessions",
        "/v1/memberships",
    ):
        assert session.status(path) == 403, path
    assert session.status("/v2/apikeys", "POST", {"name": "mine"}) == 403
    assert session.status("/v1/apikeys", "POST", {"name": "mine", "organization": story.root.organization()}) == 403
    assert session.status(f"/v1/memberships/{story.root.organization()}", "DELETE") == 403
    assert session.status(f"/v2/assumed-roles/{story.token}") == 200


def test_a_deny_on_the_user_does_not_bind_the_session(story: Story) -> None:
    story.root.attach_policy(story.root.policy(deny("iam.group.*")), user=story.ann.id)
    assert story.status() == 200


def test_through_iam_assumption_a_session_has_its_users_rights_too(worlds: tuple[World, World, World]) -> None:
    story = tell(*worlds, trust_type="IAMAssumption")
    session = story.at_home.as_(story.token)
    assert session.status("/v2/policies") == 403
    own = story.root.policy(allow("iam.policy.List"))
    story.root.attach_policy(own, user=story.ann.id)
    assert session.status("/v2/policies") == 200
    story.root.delete(f"/v2/policies/{own}/users/{story.ann.id}")
    assert session.status("/v2/policies") == 403
    assert session.status("/v2/groups") == 200


@pytest.mark.parametrize("trust_type", ["TemporaryAssumption", "IAMAssumption"])
def test_a_session_of_root_is_not_root(world: World, trust_type: str) -> None:
    me = world.get("/v2/users")["users"][0]["id"]
    role = world.role(world.policy(allow("iam.group.List")), role_type="assumable")
    world.post("/v2/role-trusts", {"role_id": role, "trust_type": trust_type, "trusted_user_id": me})
    token = world.post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})["session_token"]
    assert world.as_(token).status("/v2/groups") == 200
    assert world.as_(token).status("/v2/policies") == 403
    assert world.as_(token).status(f"/v1/organizations/{world.organization()}/transfer", "POST", {"user": me}) == 403


def all_rights(story: Story) -> World:
    """The session, with a role that may do everything."""
    story.root.post(f"/v2/roles/{story.role}/policies/{story.root.policy(allow('*'))}")
    return story.at_home.as_(story.token)


def test_a_session_makes_no_session_and_founds_nothing(story: Story) -> None:
    """However much its role may do: what outlives it, or leaves its organization, is not for it to make."""
    session = all_rights(story)
    assert session.status("/v2/assumed-roles/assume", "POST", {"role_id": story.role, "session_name": "n"}) == 403
    assert session.status("/v2/organizations", "POST", {"name": "n"}) == 403


def test_a_session_is_not_its_user_when_it_meets_her(story: Story) -> None:
    """It changes her account and her credentials as anybody else would who holds what it holds."""
    session = all_rights(story)
    assert session.status(f"/v2/users/{story.ann.id}", "PATCH", {"password": "another one"}) == 202  # as her home
    root_user = story.root.get("/v2/users")["users"][0]["id"]
    assert session.status(f"/v2/users/{root_user}/apikeys", "POST", {"name": "n"}) == 403
    narrow = tell(story.root, story.at_home, story.elsewhere)
    narrow.root.post(f"/v2/roles/{narrow.role}/policies/{narrow.root.policy(allow('account.user.Create'))}")
    assert narrow.at_home.as_(narrow.token).status(f"/v2/users/{narrow.ann.id}/apikeys", "POST", {"name": "n"}) == 403


def test_a_session_acts_in_its_own_organization_alone(story: Story) -> None:
    her_own = story.root.own(story.ann)
    story.root.attach_policy(story.root.policy(allow("iam.organization.Create")), user=story.ann.id)
    founded = her_own.post("/v2/organizations", {"name": "Hers"})["id"]
    session = all_rights(story)
    assert [found["id"] for found in session.get("/v2/organizations")["orgs"]] == [story.root.organization()]
    assert session.status(f"/v2/organizations/{founded}") == 404
    assert session.status(f"/v2/organizations/{story.root.organization()}") == 200


def test_an_administrator_sees_and_ends_sessions_by_their_ids(story: Story) -> None:
    """Nobody but who opened it ever sees the token again."""
    listed = story.root.get(f"/v2/assumed-roles/users/{story.ann.id}/sessions")["sessions"]
    assert [found["id"] for found in listed] == [story.session]
    assert story.token not in story.root.call("GET", f"/v2/assumed-roles/users/{story.ann.id}/sessions").text
    assert story.root.get(f"/v2/assumed-roles/{story.session}")["session_token"] == ""
    assert story.root.get(f"/v2/assumed-roles/{story.token}")["session_token"] == story.token


def test_a_session_that_may_not_be_used_from_there_is_ended_from_there(worlds: tuple[World, World, World]) -> None:
    """An administrator at another address still sees it, and can end it."""
    story = tell(*worlds, conditions={"ip_address": [HOME]})
    story.root.delete(f"/v2/policies/{story.right}/users/{story.ann.id}")
    here = {"IpAddress": {"context.source_ip": f"{HOME}/32"}}
    story.root.attach_policy(story.root.policy(allow("iam.role.AssumeRole", Condition=here)), user=story.ann.id)
    assert story.status() == 200
    assert len(story.elsewhere.get(f"/v2/assumed-roles/users/{story.ann.id}/sessions")["sessions"]) == 1
    story.elsewhere.delete(f"/v2/assumed-roles/{story.session}")
    assert story.status() == 401


def test_the_token_is_nowhere_in_the_database(story: Story) -> None:
    """Not in a column of any table, and its log entry neither."""
    assert story.root.node is not None
    with story.root.node.store.snapshot() as connection:
        inspector = sa.inspect(connection)
        for table in inspector.get_table_names():
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):
                assert not any(story.token in str(value) for value in row), table


def test_sessions_that_time_has_ended_are_put_away_when_the_next_is_opened(story: Story) -> None:
    """Nothing piles up: an expired session is closed in passing, in the log too."""
    ENDS["the session expires"][0](story)
    story.at_home.as_(story.ann.key).post("/v2/assumed-roles/assume", {"role_id": story.role, "session_name": "n"})
    newest = story.root.get("/v1/changes", limit=500)["changes"][-1]
    assert newest["operation"] == "sessions.assume"
    assert story.session in {closed["holder"] for closed in newest["closed"]}


# --- what is told apart -----------------------------------------------------------------------------------------------


def test_another_user_in_a_trust_leaves_its_group(story: Story) -> None:
    """Both parties must hold: a stranger to the group does not enter when he is named in place of a member of it."""
    ben = story.root.person()
    story.root.attach_policy(story.right, user=ben.id)
    put_trust(story, trusted_user_id=ben.id)
    body = {"role_id": story.role, "session_name": "n"}
    assert story.at_home.as_(ben.key).status("/v2/assumed-roles/assume", "POST", body) == 403
    shown = story.root.get(f"/v2/role-trusts/{story.trust}")["role_trust"]
    assert (shown["trusted_user_id"], shown["trusted_group_id"]) == (ben.id, story.group)


def test_a_trust_that_asks_for_a_platforms_identity_is_not_entered_by_a_key(worlds: tuple[World, World, World]) -> None:
    story = tell(*worlds)
    put_trust(story, trusted_oidc_issuer_source="instance")
    body = {"role_id": story.role, "session_name": "n"}
    assert story.at_home.as_(story.ann.key).status("/v2/assumed-roles/assume", "POST", body) == 403


def test_of_two_trusts_the_one_that_gives_less_is_entered(worlds: tuple[World, World, World]) -> None:
    story = tell(*worlds, trust_type="IAMAssumption")
    story.root.post(
        "/v2/role-trusts",
        {"role_id": story.role, "trust_type": "TemporaryAssumption", "trusted_user_id": story.ann.id},
    )
    story.root.attach_policy(story.root.policy(allow("iam.policy.List")), user=story.ann.id)
    opened = story.at_home.as_(story.ann.key).post(
        "/v2/assumed-roles/assume", {"role_id": story.role, "session_name": "n"}
    )
    assert story.at_home.as_(opened["session_token"]).status("/v2/policies") == 403


def test_a_session_of_another_organization_is_unknown_even_if_it_is_roots(world: World) -> None:
    me = world.get("/v2/users")["users"][0]["id"]
    role = world.role(role_type="assumable")
    body = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": me}
    world.post("/v2/role-trusts", body)
    session = world.post("/v2/assumed-roles/assume", {"role_id": role, "session_name": "n"})["id"]
    assert world.node is not None
    stranger = world.as_(root_of_another(world.node))
    assert stranger.status(f"/v2/assumed-roles/{session}") == 404
    assert stranger.status(f"/v2/assumed-roles/{session}", "DELETE") == 404
    assert world.status(f"/v2/assumed-roles/{session}") == 200


def test_a_key_is_bound_by_the_allow_list_of_every_organization_it_acts_in(worlds: tuple[World, World, World]) -> None:
    """The founder's allow-list in the new organization holds for the key that founded it."""
    root, at_home, elsewhere = worlds
    founded = root.post("/v2/organizations", {"name": "New"})["id"]
    there = at_home.as_(root.post("/v1/apikeys", {"organization": founded, "name": "there"})["api_key"])
    me = there.get("/v2/users")["users"][0]["id"]
    there.call("POST", f"/v2/users/{me}/ip-whitelist", {"subnet": HOME, "subnet_size": 32}).raise_for_status()
    there.call("DELETE", f"/v2/users/{me}/ip-whitelist", {"subnet": "0.0.0.0", "subnet_size": 0}).raise_for_status()
    key = {"organization": founded, "name": "n"}
    assert at_home.status(f"/v2/organizations/{founded}") == 200
    assert elsewhere.status(f"/v2/organizations/{founded}") == 401
    assert elsewhere.status("/v1/apikeys", "POST", key) == 401
    assert founded in {found["id"] for found in at_home.get("/v2/organizations")["orgs"]}
    assert founded not in {found["id"] for found in elsewhere.get("/v2/organizations")["orgs"]}
