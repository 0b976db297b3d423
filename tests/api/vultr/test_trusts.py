"""Role trusts and the sessions that come of them: who may assume which role, from where, when, and for how long."""

import itertools
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.conftest import UNKNOWN_ID, Town, nothing_written
from api.vultr.decoders import NOT_FOUND, STS, TOKEN
from world import Person, World, allow, deny

FromAddress = Callable[[World, str], World]

INSIDE, ALSO_INSIDE, OUTSIDE = "203.0.113.7", "203.0.113.9", "198.51.100.1"
RANGE = "203.0.113.0/24"
GONE = "Assumed Role Not Found"
REFUSED = (401, 403)
WAIT_SECONDS_MAX = 30


@dataclass(frozen=True)
class Scene:
    """Ann may assume a role that lists groups; she may list roles herself, which the role may not."""

    root: World
    ann: Person
    role: str
    policy: str
    trust: str
    right: str

    @property
    def as_ann(self) -> World:
        """The node, spoken to by Ann."""
        return self.root.as_(self.ann.key)

    def holding(self, token: str) -> World:
        """The node, spoken to with a session."""
        return self.root.as_(token)


def staged(root: World, *, seconds_max: int = 3600, **trust: Any) -> Scene:
    """The scene, with a trust of any kind."""
    ann = root.person()
    policy = root.policy(allow("iam.group.List"), "list groups")
    right = root.policy(allow("iam.role.AssumeRole", "iam.role.List"), "assume")
    asked = {"name": "duty", "role_type": "assumable", "max_session_duration": seconds_max}
    role = root.post("/v2/roles", asked)["id"]
    root.post(f"/v2/roles/{role}/policies/{policy}")
    root.attach_policy(right, user=ann.id)
    return Scene(root, ann, role, policy, trusting(root, role, **{"trusted_user_id": ann.id, **trust}), right)


def trusting(world: World, role: str, **members: Any) -> str:
    """A new trust of a role."""
    return str(made(world, role, **members)["id"])


def made(world: World, role: str, **members: Any) -> Any:
    """The answer to its making."""
    return world.post("/v2/role-trusts", {"role_id": role, "trust_type": "TemporaryAssumption", **members})


def assume(world: World, role: str, **members: Any) -> Any:
    """The answer to an attempt to assume a role."""
    return world.call("POST", "/v2/assumed-roles/assume", {"role_id": role, "session_name": "shift", **members})


def assumed(world: World, role: str, **members: Any) -> dict[str, Any]:
    """The session that comes of one that must succeed."""
    answer = assume(world, role, **members)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def assert_gone(world: World, token: str) -> None:
    """Nobody is told anything of a session but that there is none."""
    for method in ("GET", "DELETE"):
        answer = world.call(method, f"/v2/assumed-roles/{token}")
        assert (answer.status_code, answer.json()) == (404, {"error": GONE, "status": 404})


def seconds(session: dict[str, Any]) -> float:
    """How long a session lasts from its beginning to its end."""
    begun, ended = (datetime.fromisoformat(session[name]) for name in ("assumed_at", "expires_at"))
    return (ended - begun).total_seconds()


@pytest.fixture
def scene(small_world: World) -> Scene:
    return staged(small_world)


# --- trusts: what is refused ----------------------------------------------------------------------------------------


def _hours(start: Any, end: Any) -> dict[str, Any]:
    return {"conditions": {"time_of_day": {"start": start, "end": end}}}


def _time(**members: Any) -> dict[str, Any]:
    return {"conditions": {"time_of_day": members}}


def _ranges(*ranges: Any) -> dict[str, Any]:
    return {"conditions": {"ip_address": list(ranges)}}


BAD_MEMBERS: dict[str, dict[str, Any]] = {
    "trust type empty": {"trust_type": ""},
    "trust type unknown": {"trust_type": "x"},
    "trust type in lower case": {"trust_type": "temporaryassumption"},
    "trust type cut": {"trust_type": "Temporary"},
    "trust type a user": {"trust_type": "user"},
    "trust type a group": {"trust_type": "group"},
    "trust type an issuer": {"trust_type": "oidc"},
    "trust type a number": {"trust_type": 1},
    "trust type a list": {"trust_type": ["TemporaryAssumption"]},
    "role a number": {"role_id": 1},
    "user a number": {"trusted_user_id": 1},
    "user a list": {"trusted_user_id": [UNKNOWN_ID]},
    "group true": {"trusted_group_id": True},
    "conditions a string": {"conditions": "x"},
    "conditions a number": {"conditions": 1},
    "conditions true": {"conditions": True},
    "ranges a string": {"conditions": {"ip_address": "203.0.113.7"}},
    "ranges an object": {"conditions": {"ip_address": {"a": "b"}}},
    "range a word": _ranges("x"),
    "range empty": _ranges(""),
    "range a number": _ranges(1),
    "range null": _ranges(None),
    "range in a list in a list": _ranges(["203.0.113.7"]),
    "range of an impossible address": _ranges("203.0.113.256"),
    "range of half an address": _ranges("203.0.113"),
    "range with too long a prefix": _ranges("203.0.113.0/33"),
    "range with a negative prefix": _ranges("203.0.113.0/-1"),
    "range with a word for a prefix": _ranges("203.0.113.0/x"),
    "range with no prefix after its stroke": _ranges("203.0.113.0/"),
    "range of the other version with too long a prefix": _ranges("2001:db8::/129"),
    "range of an impossible address of the other version": _ranges("2001:db8::g"),
    "range with a blank": _ranges(" 203.0.113.7"),
    "range with a port": _ranges("203.0.113.7:443"),
    "one bad range among good ones": _ranges("203.0.113.0/24", "nope", "2001:db8::/32"),
    "time a string": {"conditions": {"time_of_day": "x"}},
    "time a number": {"conditions": {"time_of_day": 9}},
    "time a list of hours": {"conditions": {"time_of_day": [9, 17]}},
    "start before midnight": _hours(-1, 17),
    "end before midnight": _hours(9, -1),
    "start after midnight": _hours(25, 17),
    "end after midnight": _hours(9, 25),
    "end far after midnight": _hours(9, 10**30),
    "start a string": _hours("9", 17),
    "end a string": _hours(9, "17"),
    "start a fraction": _hours(9.5, 17),
    "end a fraction that is whole": _hours(9, 17.0),
    "start true": _hours(True, 17),
    "hours equal": _hours(9, 9),
    "hours equal at noon": _hours(12, 12),
    "hours equal at the end": _hours(24, 24),
    "time zone nowhere": _time(start=9, end=17, timezone="Nowhere/City"),
    "time zone a number": _time(start=9, end=17, timezone=1),
    "time zone a path": _time(start=9, end=17, timezone="../../etc/localtime"),
    "time zone an absolute path": _time(start=9, end=17, timezone="/etc/localtime"),
    "days a string": _time(days_of_week="monday"),
    "day unknown": _time(days_of_week=["funday"]),
    "day cut": _time(days_of_week=["mon"]),
    "day a number": _time(days_of_week=[1]),
    "day null": _time(days_of_week=[None]),
    "one bad day among good ones": _time(days_of_week=["monday", "someday"]),
    "expiry past": {"valid_until": "2020-01-01T00:00:00+00:00"},
    "expiry long past": {"valid_until": "0001-01-01T00:00:00+00:00"},
    "expiry past in its own zone": {"valid_until": "2020-01-01T00:00:00-11:00"},
    "expiry a word": {"valid_until": "tomorrow"},
    "expiry never": {"valid_until": "never"},
    "expiry a year": {"valid_until": "2099"},
    "expiry a timestamp": {"valid_until": "4102444800"},
    "expiry in another order": {"valid_until": "01/02/2099"},
    "expiry in month 13": {"valid_until": "2099-13-01T00:00:00+00:00"},
    "expiry on February 30": {"valid_until": "2099-02-30T00:00:00+00:00"},
    "expiry at hour 25": {"valid_until": "2099-01-01T25:00:00+00:00"},
    "expiry in an impossible zone": {"valid_until": "2099-01-01T00:00:00+99:00"},
    "expiry after all years": {"valid_until": "10000-01-01T00:00:00+00:00"},
    "expiry a number": {"valid_until": 4102444800},
    "expiry true": {"valid_until": True},
    "expiry a list": {"valid_until": ["2099-01-01T00:00:00+00:00"]},
    "expiry blank": {"valid_until": " "},
}


@pytest.mark.parametrize("members", BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_a_trust_that_cannot_be_meant_is_refused_and_nothing_is_written(
    standing: Town, members: dict[str, Any]
) -> None:
    ids = standing.ids
    good = {"role_id": ids.assumable, "trust_type": "TemporaryAssumption", "trusted_user_id": ids.user}
    with nothing_written(standing.world):
        assert standing.world.status("/v2/role-trusts", "POST", {**good, **members}) == 400
        assert standing.world.status(f"/v2/role-trusts/{ids.trust}", "PUT", members) == 400


INCOMPLETE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no role": {"trust_type": "TemporaryAssumption", "trusted_user_id": "{user}"},
    "role null": {"role_id": None, "trust_type": "TemporaryAssumption", "trusted_user_id": "{user}"},
    "no trust type": {"role_id": "{assumable}", "trusted_user_id": "{user}"},
    "trust type null": {"role_id": "{assumable}", "trust_type": None, "trusted_user_id": "{user}"},
    "nobody trusted": {"role_id": "{assumable}", "trust_type": "TemporaryAssumption"},
    "nobody trusted under conditions": {
        "role_id": "{assumable}",
        "trust_type": "TemporaryAssumption",
        "conditions": {"ip_address": ["203.0.113.0/24"]},
        "valid_until": "",
    },
    "user null": {"role_id": "{assumable}", "trust_type": "TemporaryAssumption", "trusted_user_id": None},
    "user and group empty": {
        "role_id": "{assumable}",
        "trust_type": "TemporaryAssumption",
        "trusted_user_id": "",
        "trusted_group_id": "",
    },
    "a role that is attached, not assumed": {
        "role_id": "{role}",
        "trust_type": "TemporaryAssumption",
        "trusted_user_id": "{user}",
    },
}


@pytest.mark.parametrize("body", INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_trust_needs_an_assumable_role_a_type_and_a_trusted_party(standing: Town, body: dict[str, Any]) -> None:
    names = standing.names(standing.ids)
    asked = {name: value.format_map(names) if isinstance(value, str) else value for name, value in body.items()}
    with nothing_written(standing.world):
        assert standing.world.status("/v2/role-trusts", "POST", asked) == 400


@pytest.mark.parametrize("id_of", ["foreign", "unknown", "no UUID", "another kind"])
@pytest.mark.parametrize(
    ("member", "kind"), [("role_id", "assumable"), ("trusted_user_id", "user"), ("trusted_group_id", "group")]
)
def test_an_end_of_a_trust_that_does_not_exist_here_is_unknown(
    standing: Town, member: str, kind: str, id_of: str
) -> None:
    ids = {
        "foreign": standing.names(standing.foreign)[kind],
        "unknown": UNKNOWN_ID,
        "no UUID": "x",
        "another kind": standing.ids.policy,
    }
    good = {
        "role_id": standing.ids.assumable,
        "trust_type": "TemporaryAssumption",
        "trusted_user_id": standing.ids.user,
    }
    with nothing_written(standing.world):
        answer = standing.world.call("POST", "/v2/role-trusts", {**good, member: ids[id_of]})
        assert (answer.status_code, answer.json()["error"]) == (404, NOT_FOUND[kind])


def test_an_issuer_that_nobody_registered_is_no_trusted_party(standing: Town) -> None:
    asked = {
        "role_id": standing.ids.assumable,
        "trust_type": "FederatedAssumption",
        "trusted_oidc_issuer_id": UNKNOWN_ID,
    }
    with nothing_written(standing.world):
        assert standing.world.status("/v2/role-trusts", "POST", asked) in (400, 404)


def test_hours_that_become_equal_by_an_update_of_one_of_them_are_refused(scene: Scene) -> None:
    trust = trusting(scene.root, scene.role, trusted_user_id=scene.ann.id, **_hours(9, 17))
    path = f"/v2/role-trusts/{trust}"
    with nothing_written(scene.root):
        assert scene.root.status(path, "PUT", _time(start=17)) == 400
        assert scene.root.status(path, "PUT", _time(end=9)) == 400


@pytest.mark.parametrize("members", [{"trusted_user_id": None}, {"trusted_user_id": ""}])
def test_an_update_never_leaves_a_trust_without_a_trusted_party(scene: Scene, members: dict[str, Any]) -> None:
    path = f"/v2/role-trusts/{scene.trust}"
    before = scene.root.get(path)
    with nothing_written(scene.root):
        assert scene.root.status(path, "PUT", members) in (200, 400)
    assert scene.root.get(path) == before


# --- trusts: what is kept -------------------------------------------------------------------------------------------

NOTHING = {"start": 0, "end": 0, "days_of_week": [], "ip_address": []}


def _conditions(trust: dict[str, Any]) -> dict[str, Any]:
    """The conditions of a trust, flat; the time zone says nothing where there is neither hour nor day."""
    time_of_day = trust["conditions"]["time_of_day"]
    found = {"days_of_week": sorted(time_of_day["days_of_week"]), "ip_address": trust["conditions"]["ip_address"]}
    return {"start": time_of_day["start"], "end": time_of_day["end"], **found}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"conditions": {}, "valid_until": ""},
        {"conditions": None, "valid_until": None},
        {"conditions": {"ip_address": []}},
        {"conditions": {"ip_address": None, "time_of_day": None}},
        {"conditions": {"time_of_day": {}}},
        _hours(0, 0),
    ],
)
def test_a_trust_without_conditions_reads_back_without_an_invented_one(scene: Scene, members: dict[str, Any]) -> None:
    trust = made(scene.root, scene.role, trusted_user_id=scene.ann.id, **members)
    assert _conditions(trust) == NOTHING
    assert trust["valid_until"] == ""
    assert scene.root.get(f"/v2/role-trusts/{trust['id']}")["role_trust"] == trust["role_trust"]


KEPT_CONDITIONS: list[dict[str, Any]] = [
    {"ip_address": ["203.0.113.7"]},
    {"ip_address": ["203.0.113.0/24", "198.51.100.0/25"]},
    {"ip_address": ["2001:db8::/32", "2001:db8::1", "203.0.113.7/32"]},
    {"ip_address": ["10.0.0.0/8", "127.0.0.1", "0.0.0.0/0", "::/0"]},
    {"ip_address": ["2001:DB8::/32", "2001:db8:0:0:0:0:0:1"]},
    {"time_of_day": {"start": 9, "end": 17}},
    {"time_of_day": {"start": 0, "end": 24}},
    {"time_of_day": {"start": 0, "end": 1}},
    {"time_of_day": {"start": 23, "end": 24}},
    {"time_of_day": {"start": 22, "end": 6}},
    {"time_of_day": {"start": 9, "end": 17, "timezone": "utc"}},
    {"time_of_day": {"start": 9, "end": 17, "timezone": "UTC"}},
    {"time_of_day": {"start": 9, "end": 17, "timezone": "Europe/Berlin", "days_of_week": ["monday"]}},
    {"time_of_day": {"days_of_week": ["saturday", "sunday"]}},
    {"time_of_day": {"start": 1, "end": 2, "days_of_week": ["wednesday"]}, "ip_address": ["203.0.113.7"]},
]


@pytest.mark.parametrize("conditions", KEPT_CONDITIONS, ids=str)
def test_the_conditions_of_a_trust_are_given_back_as_they_were_written(
    scene: Scene, conditions: dict[str, Any]
) -> None:
    trust = made(scene.root, scene.role, trusted_user_id=scene.ann.id, conditions=conditions)
    asked = conditions.get("time_of_day", {})
    expected = {**NOTHING, **asked, "ip_address": conditions.get("ip_address", [])}
    expected["days_of_week"] = sorted(expected["days_of_week"])
    zone = expected.pop("timezone", "")
    for found in (trust, trust["role_trust"], scene.root.get(f"/v2/role-trusts/{trust['id']}")["role_trust"]):
        assert _conditions(found) == expected
        assert found["conditions"]["time_of_day"]["timezone"].casefold() == (zone or "utc").casefold() or not zone


def test_a_range_with_bits_behind_its_prefix_is_kept_as_it_is_or_refused_but_never_tidied(scene: Scene) -> None:
    asked = {"role_id": scene.role, "trust_type": "TemporaryAssumption", "trusted_user_id": scene.ann.id}
    answer = scene.root.call("POST", "/v2/role-trusts", {**asked, **_ranges("203.0.113.7/24")})
    assert answer.status_code in (201, 400)
    assert answer.status_code == 400 or answer.json()["conditions"]["ip_address"] == ["203.0.113.7/24"]


FULL = {
    "time_of_day": {"start": 9, "end": 17, "timezone": "Europe/Berlin", "days_of_week": ["friday", "monday"]},
    "ip_address": [RANGE],
}
FULL_SAID = {"start": 9, "end": 17, "days_of_week": ["friday", "monday"], "ip_address": [RANGE]}
NO_HOURS = {"start": 0, "end": 0}
UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"conditions": {}}, {}),
    ({"trust_type": "TemporaryAssumption", "conditions": {}}, {}),
    ({"valid_until": "2099-01-01T00:00:00Z", "conditions": {}}, {}),
    ({"conditions": {"time_of_day": {}}}, {}),
    ({"conditions": {"ip_address": []}}, {"ip_address": []}),
    ({"conditions": {"ip_address": None}}, {"ip_address": []}),
    ({"conditions": {"ip_address": ["198.51.100.0/24"]}}, {"ip_address": ["198.51.100.0/24"]}),
    (_hours(0, 0), NO_HOURS),
    (_time(start=None, end=None), NO_HOURS),
    (_time(days_of_week=[]), {"days_of_week": []}),
    (_time(days_of_week=None), {"days_of_week": []}),
    (_time(days_of_week=["sunday"]), {"days_of_week": ["sunday"]}),
    ({"conditions": {"time_of_day": None}}, {**NO_HOURS, "days_of_week": []}),
    ({"conditions": {"time_of_day": []}}, {**NO_HOURS, "days_of_week": []}),
    (_time(start=8), {"start": 8}),
    (_time(end=18), {"end": 18}),
    (_hours(22, 6), {"start": 22, "end": 6}),
    (_time(start=0, end=0, days_of_week=[]), {**NO_HOURS, "days_of_week": []}),
    ({"conditions": {"time_of_day": {"start": 0, "end": 0}, "ip_address": []}}, {**NO_HOURS, "ip_address": []}),
]


@pytest.mark.parametrize(("sent", "changed"), UPDATES, ids=[str(sent) for sent, _ in UPDATES])
def test_an_update_keeps_what_is_absent_and_clears_what_is_null_or_empty(
    scene: Scene, sent: dict[str, Any], changed: dict[str, Any]
) -> None:
    path = f"/v2/role-trusts/{trusting(scene.root, scene.role, trusted_user_id=scene.ann.id, conditions=FULL)}"
    before = scene.root.get(path)["role_trust"]
    answer = scene.root.call("PUT", path, sent)
    assert answer.status_code == 200, answer.text
    after = scene.root.get(path)["role_trust"]
    assert answer.json()["role_trust"] == after
    assert _conditions(after) == {**FULL_SAID, **changed}
    others = {"conditions", "valid_until"}
    assert {name: after[name] for name in after if name not in others} == {
        name: before[name] for name in before if name not in others
    }
    # Without a window in hours the days still stand in their zone.
    if changed in ({}, NO_HOURS):
        assert after["conditions"]["time_of_day"]["timezone"] == "Europe/Berlin"


ECHOED_DATES = [
    "2099-01-02T03:04:05+00:00",
    "2099-01-02T03:04:05Z",
    "2099-01-02T03:04:05-11:30",
    "2099-01-02T03:04:05.5+02:00",
    "2099-01-02T03:04:05.123456Z",
]


@pytest.mark.parametrize("date", ECHOED_DATES)
def test_an_expiry_is_given_back_byte_for_byte_in_every_answer(scene: Scene, date: str) -> None:
    trust = made(scene.root, scene.role, trusted_user_id=scene.ann.id, valid_until=date)
    path = f"/v2/role-trusts/{trust['id']}"

    def listed(path: str, key: str) -> list[str]:
        return [found["valid_until"] for found in scene.root.get(path)[key] if trust["id"] == found["id"]]

    assert trust["valid_until"] == trust["role_trust"]["valid_until"] == date
    assert scene.root.get(path)["role_trust"]["valid_until"] == date
    assert listed("/v2/role-trusts", "role_trusts") == [date]
    assert listed(f"/v2/role-trusts/by-role/{scene.role}", "role_trusts") == [date]
    assert scene.root.call("PUT", path, {"conditions": {}}).json()["valid_until"] == date
    scene.root.delete(path)
    assert scene.root.call("PATCH", f"{path}/restore").json()["role_trust"]["valid_until"] == date
    assert scene.root.call("PUT", path, {"valid_until": "2098-01-01T00:00:00Z"}).json()["valid_until"] == (
        "2098-01-01T00:00:00Z"
    )
    for never in ("", None):
        scene.root.call("PUT", path, {"valid_until": date})
        assert scene.root.call("PUT", path, {"valid_until": never}).json()["valid_until"] == ""


@pytest.mark.parametrize("trust_type", ["TemporaryAssumption", "IAMAssumption"])
def test_a_trust_names_its_ends(scene: Scene, trust_type: str) -> None:
    group = scene.root.group(name="crew")
    user = scene.root.get(f"/v2/users/{scene.ann.id}")["user"]
    trust = made(scene.root, scene.role, trust_type=trust_type, trusted_user_id=scene.ann.id, trusted_group_id=group)
    named = ("role_id", "role_name", "trust_type", "trusted_user_id", "trusted_group_id", "group_display")
    assert [trust[name] for name in named] == [scene.role, "duty", trust_type, scene.ann.id, group, "crew"]
    assert trust["user_display"] in (user["name"], user["email"])
    alone = scene.root.get(f"/v2/role-trusts/{scene.trust}")["role_trust"]
    assert [alone[name] for name in ("trusted_group_id", "group_display", "trusted_oidc_issuer_id")] == ["", "", ""]


def test_an_update_may_name_other_ends_as_good_as_the_first(scene: Scene) -> None:
    root, path = scene.root, f"/v2/role-trusts/{scene.trust}"
    ben, group = root.person(), root.group(name="crew")
    other, assignable = root.role(name="other", role_type="assumable"), root.role(name="assignable")
    with nothing_written(root):
        assert root.status(path, "PUT", {"role_id": assignable}) == 400
        for member, text in (("role_id", "Role"), ("trusted_group_id", "Group")):
            answer = root.call("PUT", path, {member: UNKNOWN_ID})
            assert (answer.status_code, answer.json()["error"]) == (404, f"{text} not found")
        answer = root.call("PUT", path, {"trusted_user_id": UNKNOWN_ID})
        assert (answer.status_code, answer.json()["error"]) == (404, "Invalid user ID")
    answer = root.call("PUT", path, {"role_id": other, "trusted_user_id": ben.id, "trusted_group_id": group})
    assert answer.status_code == 200, answer.text
    found = root.get(path)["role_trust"]
    named = ("role_id", "role_name", "trusted_user_id", "trusted_group_id", "group_display")
    assert [found[name] for name in named] == [other, "other", ben.id, group, "crew"]
    assert [each["id"] for each in root.get(f"/v2/role-trusts/by-role/{other}")["role_trusts"]] == [scene.trust]
    assert root.get(f"/v2/role-trusts/by-role/{scene.role}")["role_trusts"] == []


def test_a_deleted_trust_comes_back_whole_and_wrapped(scene: Scene) -> None:
    trust = made(scene.root, scene.role, trusted_user_id=scene.ann.id, conditions=FULL)
    path = f"/v2/role-trusts/{trust['id']}"
    scene.root.delete(path)
    assert scene.root.status(path) == scene.root.status(path, "PUT", {}) == scene.root.status(path, "DELETE") == 404
    assert trust["id"] not in [found["id"] for found in scene.root.get("/v2/role-trusts")["role_trusts"]]
    restored = scene.root.call("PATCH", f"{path}/restore")
    assert restored.status_code == 200
    assert restored.json()["role_trust"] == trust["role_trust"]
    with nothing_written(scene.root):
        assert scene.root.call("PATCH", f"{path}/restore").json()["role_trust"] == trust["role_trust"]
        assert scene.root.status(f"/v2/role-trusts/{UNKNOWN_ID}/restore", "PATCH") == 404


def test_the_trusts_of_a_role_are_its_own_and_those_of_nobody_is_unknown(scene: Scene) -> None:
    other = scene.root.role(name="other", role_type="assumable")
    of_other = trusting(scene.root, other, trusted_user_id=scene.ann.id)

    def by_role(role: str) -> list[str]:
        return [found["id"] for found in scene.root.get(f"/v2/role-trusts/by-role/{role}")["role_trusts"]]

    assert by_role(scene.role) == [scene.trust]
    assert by_role(other) == [of_other]
    scene.root.delete(f"/v2/role-trusts/{of_other}")
    assert by_role(other) == []
    answer = scene.root.call("GET", f"/v2/role-trusts/by-role/{UNKNOWN_ID}")
    assert (answer.status_code, answer.json()["error"]) == (404, "Role not found")


def test_the_roles_that_somebody_may_assume_are_those_that_trust_her_or_a_group_of_hers(scene: Scene) -> None:
    root, ann = scene.root, scene.ann
    group = root.group(ann)
    by_group, for_others = (root.role(name=name, role_type="assumable") for name in ("by group", "for others"))
    trusting(root, by_group, trusted_group_id=group)
    trusting(root, for_others, trusted_user_id=root.person().id)
    trusting(root, for_others, trusted_group_id=root.group(name="others"))

    def assumable() -> list[str]:
        return sorted(found["id"] for found in root.get(f"/v2/role-trusts/assumable/{ann.id}")["assumable_roles"])

    assert assumable() == sorted([scene.role, by_group])
    root.delete(f"/v2/groups/{group}/members/{ann.id}")
    assert assumable() == [scene.role]
    (found,) = root.get(f"/v2/role-trusts/assumable/{ann.id}")["roles"]
    said = ("id", "role_id", "name", "role_name", "role_type", "max_session_duration", "trusted_user_id")
    assert [found[name] for name in said] == [scene.role, scene.role, "duty", "duty", "assumable", 3600, ann.id]
    root.delete(f"/v2/role-trusts/{scene.trust}")
    assert assumable() == []
    answer = root.call("GET", f"/v2/role-trusts/assumable/{UNKNOWN_ID}")
    assert (answer.status_code, answer.json()["error"]) == (404, "Invalid user ID")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v2/role-trusts/by-role/{assumable}", "role_trusts"),
        ("/v2/role-trusts/assumable/{user}", "assumable_roles"),
        ("/v2/assumed-roles/users/{user}/sessions", "sessions"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_short_list_is_whole_however_it_is_read(standing: Town, path: str, key: str, size: int) -> None:
    path = path.format_map(standing.names(standing.ids))
    whole = [found["id"] for found in standing.world.get(path)[key]]
    assert len(whole) == len(set(whole)) >= 3
    read: list[str] = []
    cursor = ""
    while True:
        page = standing.world.get(path, per_page=size, **({"cursor": cursor} if cursor else {}))
        read += [found["id"] for found in page[key]]
        assert page["meta"]["total"] == len(whole)
        cursor = page["meta"]["links"]["next"]
        if not cursor:
            break
    assert read == whole


def test_nobody_gives_by_a_trust_what_he_does_not_hold(scene: Scene) -> None:
    giver, other = scene.root.person(), scene.root.person()
    scene.root.attach_policy(scene.root.policy(allow("iam.roletrust.*")), user=giver.id)
    as_giver = scene.root.as_(giver.key)
    asked = {"role_id": scene.role, "trust_type": "TemporaryAssumption", "trusted_user_id": giver.id}
    with nothing_written(scene.root):
        assert as_giver.status("/v2/role-trusts", "POST", asked) == 403
        assert as_giver.status(f"/v2/role-trusts/{scene.trust}", "PUT", {"trusted_user_id": giver.id}) == 403
        assert as_giver.status(f"/v2/role-trusts/{scene.trust}", "PUT", {"trusted_user_id": other.id}) == 403
    scene.root.attach_policy(scene.policy, user=giver.id)
    assert as_giver.status("/v2/role-trusts", "POST", asked) == 201


def test_nobody_gives_back_by_a_trust_what_he_does_not_hold(scene: Scene) -> None:
    """Neither by restoring a trust nor by taking a condition off it."""
    giver = scene.root.person()
    scene.root.attach_policy(scene.root.policy(allow("iam.roletrust.*")), user=giver.id)
    as_giver = scene.root.as_(giver.key)
    bound = trusting(scene.root, scene.role, trusted_user_id=scene.ann.id, conditions=FULL)
    scene.root.delete(f"/v2/role-trusts/{scene.trust}")
    with nothing_written(scene.root):
        assert as_giver.status(f"/v2/role-trusts/{scene.trust}/restore", "PATCH") == 403
        assert as_giver.status(f"/v2/role-trusts/{bound}", "PUT", {"conditions": {"ip_address": []}}) == 403
        assert as_giver.status(f"/v2/role-trusts/{bound}", "PUT", _hours(0, 0)) == 403


# --- who may assume -------------------------------------------------------------------------------------------------


def test_a_session_says_whose_it_is_and_how_it_came(scene: Scene) -> None:
    session = assumed(scene.as_ann, scene.role, user_id=scene.ann.id, session_name="night shift")
    said = ("user_id", "oidc_issuer_id", "role_id", "session_name", "auth_method")
    assert [session[name] for name in said] == [scene.ann.id, "", scene.role, "night shift", "api_key"]
    assert session == {**session["assumed_role_session"], "assumed_role_session": session["assumed_role_session"]}
    assert session["s3_credentials"] == {}
    read = scene.root.get(f"/v2/assumed-roles/{session['session_token']}")
    steady = ("id", "user_id", "role_id", "session_name", "auth_method", "conditions_met", "source_ip")
    for name in (*steady, "expires_at", "assumed_at"):
        assert read[name] == session[name] == read["assumed_role_session"][name]


def test_a_role_is_assumed_with_any_key_of_the_user_s(scene: Scene) -> None:
    for world in (scene.as_ann, scene.root.own(scene.ann)):
        session = assumed(world, scene.role)
        assert session["user_id"] == scene.ann.id
        assert scene.holding(session["session_token"]).status("/v2/groups") == 200


def test_tokens_are_safe_in_a_path_and_never_the_same(scene: Scene) -> None:
    tokens = [assumed(scene.as_ann, scene.role)["session_token"] for _ in range(20)]
    assert len(set(tokens)) == 20
    for token in tokens:
        assert TOKEN.fullmatch(token)


def test_nobody_assumes_a_role_that_does_not_trust_her(scene: Scene) -> None:
    ben = scene.root.person()
    scene.root.attach_policy(scene.right, user=ben.id)
    with nothing_written(scene.root):
        assert assume(scene.root.as_(ben.key), scene.role).status_code == 403
    scene.root.delete(f"/v2/role-trusts/{scene.trust}")
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code == 403
        assert assume(scene.root, scene.role).status_code == 403, "root needs a trust too"
    scene.root.call("PATCH", f"/v2/role-trusts/{scene.trust}/restore")
    assert assume(scene.as_ann, scene.role).status_code == 201


def test_nobody_assumes_a_role_without_the_right_to_assume(scene: Scene) -> None:
    scene.root.delete(f"/v2/policies/{scene.right}/users/{scene.ann.id}")
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code == 403
    narrow = scene.root.policy(allow("iam.role.AssumeRole", on=f"role:{scene.role}"))
    scene.root.attach_policy(narrow, user=scene.ann.id)
    assert assume(scene.as_ann, scene.role).status_code == 201
    forbidding = scene.root.policy(deny("iam.role.AssumeRole"))
    scene.root.attach_policy(forbidding, user=scene.ann.id)
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code == 403


def test_a_role_that_trusts_a_group_is_assumed_by_its_members_alone(small_world: World) -> None:
    group = small_world.group(name="crew")
    scene = staged(small_world, trusted_user_id=None, trusted_group_id=group)
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code == 403
    scene.root.post(f"/v2/groups/{group}/members", {"user_id": scene.ann.id, "display_name": ""})
    assert assume(scene.as_ann, scene.role).status_code == 201


def test_a_trust_in_a_user_and_a_group_wants_both(small_world: World) -> None:
    group = small_world.group(name="crew")
    scene = staged(small_world, trusted_group_id=group)
    ben = small_world.person()
    small_world.attach_policy(scene.right, user=ben.id)
    small_world.post(f"/v2/groups/{group}/members", {"user_id": ben.id, "display_name": ""})
    with nothing_written(small_world):
        assert assume(scene.as_ann, scene.role).status_code == 403, "not of the group"
        assert assume(small_world.as_(ben.key), scene.role).status_code == 403, "of the group, but another"
    small_world.post(f"/v2/groups/{group}/members", {"user_id": scene.ann.id, "display_name": ""})
    assert assume(scene.as_ann, scene.role).status_code == 201


def test_a_trust_that_is_entered_with_a_foreign_token_is_not_entered_by_a_call(small_world: World) -> None:
    scene = staged(small_world, trust_type="FederatedAssumption")
    with nothing_written(small_world):
        assert assume(scene.as_ann, scene.role).status_code == 403


def test_only_root_assumes_for_somebody_else(scene: Scene) -> None:
    admin, stranger = scene.root.person(), scene.root.person()
    scene.root.attach_policy(scene.root.policy(allow("*")), user=admin.id)
    with nothing_written(scene.root):
        assert assume(scene.root.as_(admin.key), scene.role, user_id=scene.ann.id).status_code == 403
        assert assume(scene.root, scene.role, user_id=stranger.id).status_code == 403, "she is not trusted"
        for unknown in (UNKNOWN_ID, "x"):
            answer = assume(scene.root, scene.role, user_id=unknown)
            assert (answer.status_code, answer.json()["error"]) == (404, "Invalid user ID")
    session = assumed(scene.root, scene.role, user_id=scene.ann.id)
    assert session["user_id"] == scene.ann.id
    assert scene.holding(session["session_token"]).status("/v2/groups") == 200


def test_what_root_assumes_for_somebody_needs_that_persons_right(scene: Scene) -> None:
    scene.root.delete(f"/v2/policies/{scene.right}/users/{scene.ann.id}")
    with nothing_written(scene.root):
        assert assume(scene.root, scene.role, user_id=scene.ann.id).status_code == 403


BAD_ASSUMPTIONS: dict[str, dict[str, Any]] = {
    "no role": {"role_id": None},
    "role empty": {"role_id": ""},
    "role a number": {"role_id": 1},
    "no name": {"session_name": None},
    "name empty": {"session_name": ""},
    "name a number": {"session_name": 1},
    "name with a new line": {"session_name": "a\nb"},
    "name of 256 characters": {"session_name": "x" * 256},
    "user a number": {"user_id": 1},
    "duration negative": {"duration": -1},
    "duration a string": {"duration": "3600"},
    "duration a fraction": {"duration": 900.5},
    "duration true": {"duration": True},
    "duration a list": {"duration": [900]},
    "context a string": {"context": "203.0.113.7"},
    "context a list": {"context": ["203.0.113.7"]},
    "address a word": {"context": {"ip_address": "x"}},
    "address a number": {"context": {"ip_address": 1}},
    "address a range": {"context": {"ip_address": "203.0.113.0/24"}},
    "address impossible": {"context": {"ip_address": "203.0.113.256"}},
    "address with a port": {"context": {"ip_address": "203.0.113.7:443"}},
    "address and more": {"context": {"ip_address": "203.0.113.7, 198.51.100.1"}},
}


@pytest.mark.parametrize("members", BAD_ASSUMPTIONS.values(), ids=BAD_ASSUMPTIONS)
def test_an_assumption_that_cannot_be_meant_is_refused_and_nothing_is_written(
    standing: Town, members: dict[str, Any]
) -> None:
    with nothing_written(standing.world):
        answer = assume(standing.world, standing.ids.assumable, **members)
        # An empty id may as well be one that nobody has.
        assert answer.status_code in ((400, 404) if members == {"role_id": ""} else (400,)), answer.text


def test_a_role_that_does_not_exist_here_is_unknown(standing: Town) -> None:
    with nothing_written(standing.world):
        for role in (UNKNOWN_ID, "x", standing.foreign.assumable, standing.ids.policy):
            answer = assume(standing.world, role)
            assert (answer.status_code, answer.json()["error"]) == (404, "Role not found")


def test_a_role_that_is_attached_is_not_assumed(scene: Scene) -> None:
    token = assumed(scene.as_ann, scene.role)["session_token"]
    scene.root.call("PUT", f"/v2/roles/{scene.role}", {"role_type": "assignable"})
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code in (400, 403)
        assert scene.holding(token).status("/v2/groups") in REFUSED


@pytest.mark.parametrize(
    ("longest", "asked", "given"),
    [
        (3600, {}, 3600),
        (900, {}, 900),
        (7200, {}, 3600),
        (43_200, {}, 3600),
        (3600, {"duration": None}, 3600),
        (3600, {"duration": 900}, 900),
        (3600, {"duration": 901}, 901),
        (7200, {"duration": 7200}, 7200),
        (3600, {"duration": 43_200}, 3600),
        (900, {"duration": 3600}, 900),
        (43_200, {"duration": 43_200}, 43_200),
        (43_200, {"duration": 1_000_000_000}, 43_200),
    ],
)
def test_a_session_lasts_as_long_as_asked_but_no_longer_than_its_role_allows(
    small_world: World, longest: int, asked: dict[str, Any], given: int
) -> None:
    scene = staged(small_world, seconds_max=longest)
    session = assumed(scene.as_ann, scene.role, **asked)
    assert seconds(session) == given
    assert given - 60 < session["remaining_duration"] <= given
    read = small_world.get(f"/v2/assumed-roles/{session['session_token']}")
    assert (read["expires_at"], read["assumed_at"]) == (session["expires_at"], session["assumed_at"])
    assert given - 60 < read["remaining_duration"] <= session["remaining_duration"]


# --- from where and when --------------------------------------------------------------------------------------------

FROM_WHERE: list[tuple[list[str], str, dict[str, Any] | None, str | None]] = [
    ([], OUTSIDE, None, OUTSIDE),
    ([], OUTSIDE, {}, OUTSIDE),
    ([], OUTSIDE, {"ip_address": None}, OUTSIDE),
    ([], OUTSIDE, {"ip_address": INSIDE}, INSIDE),
    ([RANGE], INSIDE, None, INSIDE),
    ([RANGE], INSIDE, {"ip_address": ALSO_INSIDE}, ALSO_INSIDE),
    ([RANGE], INSIDE, {"ip_address": OUTSIDE}, None),
    ([RANGE], OUTSIDE, None, None),
    ([RANGE], OUTSIDE, {"ip_address": INSIDE}, None),
    ([INSIDE], INSIDE, None, INSIDE),
    ([INSIDE], ALSO_INSIDE, None, None),
    (["198.51.100.0/30", RANGE], INSIDE, None, INSIDE),
    (["2001:db8::/32"], INSIDE, None, None),
    (["2001:db8::/32"], "2001:db8::7", None, "2001:db8::7"),
    (["2001:db8::/32"], "2001:db9::7", None, None),
    (["::/0"], INSIDE, None, None),
    (["0.0.0.0/0"], INSIDE, None, INSIDE),
    (["0.0.0.0/0"], "2001:db8::7", None, None),
    ([RANGE], "testclient", None, None),
    ([RANGE], "testclient", {"ip_address": INSIDE}, None),
]


@pytest.mark.parametrize(("ranges", "peer", "context", "source"), FROM_WHERE)
def test_a_role_is_assumed_from_where_its_trust_allows_by_the_real_address_and_the_one_that_is_said(
    small_world: World,
    from_address: FromAddress,
    ranges: list[str],
    peer: str,
    context: dict[str, Any] | None,
    source: str | None,
) -> None:
    scene = staged(small_world, conditions={"ip_address": ranges})
    caller = from_address(scene.as_ann, peer)
    said = {} if context is None else {"context": context}
    if source is None:
        with nothing_written(small_world):
            assert assume(caller, scene.role, **said).status_code == 403
    else:
        assert assumed(caller, scene.role, **said)["source_ip"] == source


def test_the_address_is_tested_at_every_use(small_world: World, from_address: FromAddress) -> None:
    scene = staged(small_world, conditions={"ip_address": [RANGE]})
    token = assumed(from_address(scene.as_ann, INSIDE), scene.role)["session_token"]
    inside, outside = (from_address(scene.holding(token), address) for address in (INSIDE, OUTSIDE))
    for _ in range(2):
        assert inside.status("/v2/groups") == 200
        assert outside.status("/v2/groups") in REFUSED
    path = f"/v2/role-trusts/{scene.trust}"
    small_world.call("PUT", path, {"conditions": {"ip_address": ["198.51.100.0/24"]}})
    assert inside.status("/v2/groups") in REFUSED
    assert outside.status("/v2/groups") == 200
    small_world.call("PUT", path, {"conditions": {"ip_address": []}})
    assert (inside.status("/v2/groups"), outside.status("/v2/groups")) == (200, 200)


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _window(zone: str, *, now: bool) -> dict[str, Any]:
    """Hours around now, or hours that are far enough from now; both across midnight when it comes to that."""
    hour = datetime.now(ZoneInfo(zone)).hour
    first, last = (hour - 1, hour + 2) if now else (hour + 3, hour + 5)
    return {"start": first % 24, "end": last % 24, "timezone": zone}


def _days(zone: str, *, now: bool) -> dict[str, Any]:
    """Days around today, or days that are neither today nor next to it."""
    today = datetime.now(ZoneInfo(zone)).weekday()
    return {"days_of_week": [DAYS[(today + step) % 7] for step in ((-1, 0, 1) if now else (2, 3, 4))], "timezone": zone}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata"])
def test_a_role_is_assumed_in_the_hours_and_on_the_days_that_its_trust_allows_in_its_own_zone(
    scene: Scene, zone: str
) -> None:
    path = f"/v2/role-trusts/{scene.trust}"
    token = assumed(scene.as_ann, scene.role)["session_token"]
    cases: list[tuple[dict[str, Any], bool]] = []
    for hours, days in itertools.product((True, False), repeat=2):
        cases.append(({**_window(zone, now=hours), **_days(zone, now=days)}, hours and days))
    cases.append(({"start": 0, "end": 24, "days_of_week": [], "timezone": zone}, True))
    cases.append(({"start": 0, "end": 0, "days_of_week": [], "timezone": zone}, True))
    for window, allowed in cases:
        assert scene.root.call("PUT", path, {"conditions": {"time_of_day": window}}).status_code == 200
        assert assume(scene.as_ann, scene.role).status_code == (201 if allowed else 403), window
        used = scene.holding(token).status("/v2/groups")
        assert used == 200 if allowed else used in REFUSED, window


def test_clearing_the_hours_leaves_the_days_in_force(scene: Scene) -> None:
    path = f"/v2/role-trusts/{scene.trust}"
    elsewhen = {**_window("UTC", now=True), **_days("UTC", now=False)}
    scene.root.call("PUT", path, {"conditions": {"time_of_day": elsewhen}})
    scene.root.call("PUT", path, _hours(0, 0))
    with nothing_written(scene.root):
        assert assume(scene.as_ann, scene.role).status_code == 403


def test_a_trust_ends_when_it_says_so_and_its_sessions_with_it(scene: Scene) -> None:
    end = datetime.now(UTC) + timedelta(seconds=4)
    path = f"/v2/role-trusts/{scene.trust}"
    token = assumed(scene.as_ann, scene.role)["session_token"]
    assert scene.holding(token).status("/v2/groups") == 200
    assert scene.root.call("PUT", path, {"valid_until": end.isoformat()}).status_code == 200
    _wait_until(lambda: assume(scene.as_ann, scene.role).status_code == 403)
    assert datetime.now(UTC) >= end
    assert scene.holding(token).status("/v2/groups") in REFUSED
    assert scene.root.call("PUT", path, {"valid_until": ""}).status_code == 200
    assert assume(scene.as_ann, scene.role).status_code == 201


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


# --- what a session may do, and until when --------------------------------------------------------------------------


def test_a_session_may_do_what_its_role_may_and_nothing_else(scene: Scene) -> None:
    session = scene.holding(assumed(scene.as_ann, scene.role)["session_token"])
    assert scene.as_ann.status("/v2/groups") == 403, "the role's right is not hers"
    assert session.status("/v2/groups") == 200
    with nothing_written(scene.root):
        assert session.status("/v2/roles") == 403, "her right is not the role's"
        assert session.status("/v2/groups", "POST", {"display_name": "g"}) == 403
        assert assume(session, scene.role).status_code == 403


def test_a_session_of_root_s_is_not_root(scene: Scene) -> None:
    root = scene.root.get("/v2/users")["users"][0]["id"]
    trusting(scene.root, scene.role, trusted_user_id=root)
    session = scene.holding(assumed(scene.root, scene.role)["session_token"])
    assert session.status("/v2/groups") == 200
    assert [session.status(path) for path in ("/v2/roles", "/v2/users", "/v2/policies")] == [403, 403, 403]


def test_a_session_gains_and_loses_what_its_role_gains_and_loses(scene: Scene) -> None:
    session = scene.holding(assumed(scene.as_ann, scene.role)["session_token"])
    gained = scene.root.policy(allow("iam.role.List"))
    scene.root.post(f"/v2/roles/{scene.role}/policies/{gained}")
    assert session.status("/v2/roles") == 200
    forbidding = scene.root.policy(deny("iam.role.List"))
    scene.root.post(f"/v2/roles/{scene.role}/policies/{forbidding}")
    assert session.status("/v2/roles") == 403
    scene.root.delete(f"/v2/roles/{scene.role}/policies/{scene.policy}")
    assert session.status("/v2/groups") == 403
    scene.root.call("PUT", f"/v2/policies/{forbidding}", {"policy_document": allow("iam.group.List")})
    assert (session.status("/v2/groups"), session.status("/v2/roles")) == (200, 200)


def end_session(scene: Scene, token: str) -> None:
    scene.root.delete(f"/v2/assumed-roles/{token}")


def end_trust(scene: Scene, _: str) -> None:
    scene.root.delete(f"/v2/role-trusts/{scene.trust}")


def end_role(scene: Scene, _: str) -> None:
    scene.root.delete(f"/v2/roles/{scene.role}")


def end_right_to_assume(scene: Scene, _: str) -> None:
    scene.root.delete(f"/v2/policies/{scene.right}/users/{scene.ann.id}")


def forbid_to_assume(scene: Scene, _: str) -> None:
    scene.root.attach_policy(scene.root.policy(deny("iam.role.AssumeRole")), user=scene.ann.id)


def turn_role_assignable(scene: Scene, _: str) -> None:
    scene.root.call("PUT", f"/v2/roles/{scene.role}", {"role_type": "assignable"})


def trust_somebody_else(scene: Scene, _: str) -> None:
    other = scene.root.person()
    scene.root.call("PUT", f"/v2/role-trusts/{scene.trust}", {"trusted_user_id": other.id})


def remove_user(scene: Scene, _: str) -> None:
    scene.root.delete(f"/v2/organizations/{scene.root.organization()}/user/{scene.ann.id}")


def suspend_user(scene: Scene, _: str) -> None:
    path = f"/v2/organizations/{scene.root.organization()}/user/{scene.ann.id}/suspend"
    assert scene.root.status(path, "PUT") == 204


ENDS = [
    end_session,
    end_trust,
    end_role,
    end_right_to_assume,
    forbid_to_assume,
    turn_role_assignable,
    trust_somebody_else,
    remove_user,
    suspend_user,
]


@pytest.mark.parametrize("end", ENDS)
def test_a_session_is_refused_as_soon_as_what_it_lives_by_ends(scene: Scene, end: Callable[[Scene, str], None]) -> None:
    token, other = (assumed(scene.as_ann, scene.role)["session_token"] for _ in range(2))
    session = scene.holding(token)
    assert session.status("/v2/groups") == 200
    end(scene, token)
    assert session.status("/v2/groups") in REFUSED
    # Only the end of a session leaves the others alone.
    left = scene.holding(other).status("/v2/groups")
    assert left == 200 if end is end_session else left in REFUSED


@pytest.mark.parametrize("end", [end_session, end_trust, end_role, remove_user])
def test_a_session_that_ended_is_unknown_and_no_credential_any_more(
    scene: Scene, end: Callable[[Scene, str], None]
) -> None:
    token = assumed(scene.as_ann, scene.role)["session_token"]
    end(scene, token)
    assert_gone(scene.root, token)
    assert scene.holding(token).status("/v2/groups") == 401
    if end is not remove_user:
        assert scene.root.get(f"/v2/assumed-roles/users/{scene.ann.id}/sessions")["sessions"] == []


def test_leaving_the_trusted_group_ends_the_session(small_world: World) -> None:
    group = small_world.group(name="crew")
    scene = staged(small_world, trusted_user_id=None, trusted_group_id=group)
    small_world.post(f"/v2/groups/{group}/members", {"user_id": scene.ann.id, "display_name": ""})
    session = scene.holding(assumed(scene.as_ann, scene.role)["session_token"])
    assert session.status("/v2/groups") == 200
    small_world.delete(f"/v2/groups/{group}/members/{scene.ann.id}")
    assert session.status("/v2/groups") in REFUSED


def test_a_session_that_expired_is_unknown_and_no_credential_any_more(scene: Scene) -> None:
    session = assumed(scene.as_ann, scene.role, duration=2)
    lasting = assumed(scene.as_ann, scene.role)
    token = session["session_token"]
    assert seconds(session) == 2
    _wait_until(lambda: scene.holding(token).status("/v2/groups") == 401)
    assert datetime.now(UTC) >= datetime.fromisoformat(session["expires_at"])
    assert_gone(scene.root, token)
    listed = scene.root.get(f"/v2/assumed-roles/users/{scene.ann.id}/sessions")["sessions"]
    assert [found["id"] for found in listed] == [lasting["id"]]


@pytest.mark.parametrize("token", ["ars-unknown", "ars-" + "a" * 43, "ars-", "assume", "x", UNKNOWN_ID, "a" * 5000])
def test_a_token_that_nobody_has_is_unknown_with_the_exact_text(standing: Town, token: str) -> None:
    with nothing_written(standing.world):
        assert_gone(standing.world, token)
        assert standing.world.as_(token).status("/v2/groups") == 401


def test_a_token_in_another_spelling_is_no_token(standing: Town) -> None:
    token = standing.ids.session
    with nothing_written(standing.world):
        for bent in (token.upper(), token[:-1], f"{token}a", token.removeprefix("ars-"), f"ARS-{token[4:]}"):
            assert_gone(standing.world, bent)
            assert standing.world.as_(bent).status("/v2/groups") == 401


# --- who sees and ends sessions -------------------------------------------------------------------------------------


def test_the_sessions_of_a_user_are_her_active_ones_and_show_no_token(scene: Scene) -> None:
    ben = scene.root.person()
    scene.root.attach_policy(scene.right, user=ben.id)
    trusting(scene.root, scene.role, trusted_user_id=ben.id)
    hers = [assumed(scene.as_ann, scene.role, session_name=f"shift {number}") for number in range(3)]
    his = assumed(scene.root.as_(ben.key), scene.role)
    scene.root.delete(f"/v2/assumed-roles/{hers[1]['session_token']}")
    answer = scene.root.call("GET", f"/v2/assumed-roles/users/{scene.ann.id}/sessions")
    listed = answer.json()["sessions"]
    assert {found["session_name"] for found in listed} == {"shift 0", "shift 2"}
    assert {found["id"] for found in listed} == {hers[0]["id"], hers[2]["id"]}
    assert answer.json()["meta"]["total"] == 2
    for session in (*hers, his):
        assert session["session_token"] not in answer.text
        assert session["session_token"].removeprefix("ars-") not in answer.text


def test_no_change_and_no_other_answer_shows_a_token(scene: Scene) -> None:
    token = assumed(scene.as_ann, scene.role)["session_token"]
    texts = [scene.root.call("GET", path).text for path in ("/v1/changes", "/v2/role-trusts", "/v2/users")]
    texts.append(scene.root.call("DELETE", f"/v2/assumed-roles/{token}").text)
    texts.append(scene.root.call("GET", f"/v2/assumed-roles/{token}").text)
    texts.append(scene.root.call("GET", "/v1/changes").text)
    assert not [text for text in texts if token in text or token.removeprefix("ars-") in text]


def test_one_s_own_sessions_are_read_without_a_right_and_those_of_others_with_it(scene: Scene) -> None:
    ben = scene.root.person()
    token = assumed(scene.as_ann, scene.role)["session_token"]
    one, all_ = f"/v2/assumed-roles/{token}", f"/v2/assumed-roles/users/{scene.ann.id}/sessions"
    as_ben, as_session = scene.root.as_(ben.key), scene.holding(token)
    assert (scene.as_ann.status(one), scene.as_ann.status(all_)) == (200, 200)
    assert as_session.status(one) == 200, "the token itself is enough"
    assert (as_ben.status(one), as_ben.status(all_)) == (403, 403)
    scene.root.attach_policy(scene.root.policy(allow("iam.assumedrole.Read")), user=ben.id)
    assert (as_ben.status(one), as_ben.status(all_)) == (200, 200)
    with nothing_written(scene.root):
        assert as_ben.status(one, "DELETE") == 403
    scene.root.attach_policy(scene.root.policy(allow("iam.assumedrole.Delete")), user=ben.id)
    assert as_ben.status(one, "DELETE") == 204
    assert_gone(scene.root, token)


# --- the call of another vendor's clients ---------------------------------------------------------------------------


def _sts(world: World, **form: str) -> Any:
    return world.client.post(STS, data=form, headers={"Authorization": f"Bearer {world.key}"})


@pytest.mark.parametrize(
    "form", ["{role}", "arn:vultr:iam::{organization}:role/{role}", "arn:aws:iam::{organization}:role/{role}"]
)
def test_a_role_is_assumed_by_any_form_of_its_name_in_xml(scene: Scene, form: str) -> None:
    name = form.format(role=scene.role, organization=scene.root.organization())
    answer = _sts(scene.as_ann, Action="AssumeRole", RoleArn=name, RoleSessionName="shift", DurationSeconds="900")
    assert answer.status_code == 200, answer.text
    assert "xml" in answer.headers["content-type"]
    document = ET.fromstring(answer.text)
    assert document.tag.rpartition("}")[2] == "AssumeRoleResponse"
    said = {found.tag.rpartition("}")[2]: found.text or "" for found in document.iter()}
    assert TOKEN.fullmatch(said["SessionToken"])
    assert said["AccessKeyId"]
    assert said["SecretAccessKey"]
    assert said["Expiration"]
    assert scene.holding(said["SessionToken"]).status("/v2/groups") == 200
    read = scene.root.get(f"/v2/assumed-roles/{said['SessionToken']}")
    assert (read["session_name"], read["role_id"], read["user_id"]) == ("shift", scene.role, scene.ann.id)
    assert seconds(read) == 900


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"RoleArn": ""}, 400),
        ({"RoleSessionName": ""}, 400),
        ({"DurationSeconds": "x"}, 400),
        ({"DurationSeconds": "-1"}, 400),
        ({"Action": "GetCallerIdentity"}, 400),
        ({"RoleArn": UNKNOWN_ID}, 404),
        ({"RoleArn": f"arn:vultr:iam::{UNKNOWN_ID}:role/{{role}}"}, 404),
        ({"RoleArn": "arn:vultr:s3:::bucket"}, 400),
    ],
)
def test_what_the_other_call_cannot_mean_is_refused_and_nothing_is_written(
    scene: Scene, form: dict[str, str], status: int
) -> None:
    good = {"Action": "AssumeRole", "RoleArn": scene.role, "RoleSessionName": "shift", "DurationSeconds": "900"}
    sent = {**good, **{name: value.replace("{role}", scene.role) for name, value in form.items()}}
    with nothing_written(scene.root):
        assert _sts(scene.as_ann, **sent).status_code in {400, status}


def test_the_other_call_wants_a_trust_and_a_right_too(scene: Scene) -> None:
    ben = scene.root.person()
    form = {"Action": "AssumeRole", "RoleArn": scene.role, "RoleSessionName": "shift"}
    with nothing_written(scene.root):
        assert _sts(scene.root.as_(ben.key), **form).status_code == 403
        assert _sts(scene.root.as_("nobody"), **form).status_code == 401
    session = _sts(scene.as_ann, **form, DurationSeconds="43200")
    assert session.status_code == 200
    (token,) = [found.text for found in ET.fromstring(session.text).iter() if found.tag.endswith("SessionToken")]
    assert token is not None
    assert seconds(scene.root.get(f"/v2/assumed-roles/{token}")) == 3600
