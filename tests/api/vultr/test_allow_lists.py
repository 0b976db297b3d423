"""Allow-lists: from which addresses a member is listened to. And what is said of an account, and of last activity."""

from collections.abc import Callable
from typing import Any

import pytest

from api.conftest import UNKNOWN_ID, Town, nothing_written
from api.vultr.decoders import MAYBE_DATE, NOT_FOUND
from loopback import Loopback
from rescind.app import application
from rescind.node import build
from rescind.settings import Settings
from world import ROOT_EMAIL, ROOT_KEY, Person, World, allow

FromAddress = Callable[[World, str], World]

INSIDE, OUTSIDE = "203.0.113.7", "198.51.100.1"
INSIDE_V6, OUTSIDE_V6 = "2001:db8::7", "2001:db9::7"
ANY = [("0.0.0.0", 0), ("::", 0)]


def path_of(user: str) -> str:
    return f"/v2/users/{user}/ip-whitelist"


def entry(subnet: Any, size: Any) -> dict[str, Any]:
    return {"subnet": subnet, "subnet_size": size}


def listed(world: World, user: str) -> set[tuple[str, int, str]]:
    """The entries of a list, whose total must be right."""
    found = world.get(path_of(user))
    assert found["meta"] == {"total": len(found["ip_whitelist"]), "links": {"next": "", "prev": ""}}
    return {(each["subnet"], each["subnet_size"], each["ip_type"]) for each in found["ip_whitelist"]}


def add(world: World, user: str, subnet: str, size: int) -> None:
    assert world.status(path_of(user), "POST", entry(subnet, size)) == 204


def remove(world: World, user: str, subnet: str, size: int) -> None:
    assert world.status(path_of(user), "DELETE", entry(subnet, size)) == 204


def restrict(world: World, user: str, *ranges: tuple[str, int]) -> None:
    """Listen to a member from some ranges alone."""
    for subnet, size in ranges:
        add(world, user, subnet, size)
    for subnet, size in ANY:
        remove(world, user, subnet, size)


def assert_not_listened_to(
    world: World, address: str, method: str = "GET", path: str = "/v2/apikeys", body: Any = None
) -> None:
    answer = world.call(method, path, body)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": f"Unauthorized IP address: {address}", "status": 401}


@pytest.fixture
def ann(small_world: World) -> Person:
    return small_world.person()


# --- entries --------------------------------------------------------------------------------------------------------

BOTH_ANY = {("0.0.0.0", 0, "v4"), ("::", 0, "v6")}


@pytest.mark.parametrize("service", [True, False])
def test_a_member_begins_with_any_address_of_either_version(small_world: World, service: bool) -> None:
    assert listed(small_world, small_world.person(service=service).id) == BOTH_ANY


def test_root_begins_with_any_address_too(small_world: World) -> None:
    assert listed(small_world, small_world.get("/v2/users")["users"][0]["id"]) == BOTH_ANY


GOOD_ENTRIES = [
    ("203.0.113.0", 24, "v4"),
    ("203.0.113.7", 32, "v4"),
    ("198.51.100.128", 25, "v4"),
    ("192.0.2.0", 24, "v4"),
    ("8.0.0.0", 8, "v4"),
    ("1.1.1.1", 32, "v4"),
    ("2001:db8::", 32, "v6"),
    ("2001:db8::7", 128, "v6"),
    ("2606:4000::", 20, "v6"),
    ("2606:4700::", 64, "v6"),
]


@pytest.mark.parametrize(("subnet", "size", "version"), GOOD_ENTRIES)
def test_an_entry_is_there_when_it_was_added_and_gone_when_it_was_removed(
    small_world: World, ann: Person, subnet: str, size: int, version: str
) -> None:
    path = path_of(ann.id)
    assert small_world.status(f"{path}/entry?subnet={subnet}&subnet_size={size}") == 404
    add(small_world, ann.id, subnet, size)
    assert listed(small_world, ann.id) == {*BOTH_ANY, (subnet, size, version)}
    found = small_world.get(f"{path}/entry", subnet=subnet, subnet_size=size)["ip_whitelist_entry"]
    assert (found["subnet"], found["subnet_size"], found["ip_type"]) == (subnet, size, version)
    assert found in small_world.get(path)["ip_whitelist"]
    with nothing_written(small_world):
        add(small_world, ann.id, subnet, size)
    assert listed(small_world, ann.id) == {*BOTH_ANY, (subnet, size, version)}
    remove(small_world, ann.id, subnet, size)
    assert listed(small_world, ann.id) == BOTH_ANY
    with nothing_written(small_world):
        remove(small_world, ann.id, subnet, size)


@pytest.mark.parametrize(("subnet", "size"), ANY)
def test_any_address_can_be_switched_off_and_on(small_world: World, ann: Person, subnet: str, size: int) -> None:
    with nothing_written(small_world):
        add(small_world, ann.id, subnet, size)
    remove(small_world, ann.id, subnet, size)
    assert {found[0] for found in listed(small_world, ann.id)} == {other for other, _ in ANY} - {subnet}
    add(small_world, ann.id, subnet, size)
    assert listed(small_world, ann.id) == BOTH_ANY


def test_the_same_network_of_two_sizes_is_two_entries(small_world: World, ann: Person) -> None:
    add(small_world, ann.id, "203.0.113.0", 24)
    add(small_world, ann.id, "203.0.113.0", 32)
    remove(small_world, ann.id, "203.0.113.0", 24)
    assert listed(small_world, ann.id) == {*BOTH_ANY, ("203.0.113.0", 32, "v4")}


@pytest.mark.parametrize(("subnet", "size"), [("203.0.113.7", 24), ("2001:db8::7", 32), ("2001:DB8::", 32)])
def test_an_entry_in_another_spelling_is_refused_or_found_and_removed_by_the_same_words(
    small_world: World, ann: Person, subnet: str, size: int
) -> None:
    path = path_of(ann.id)
    added = small_world.status(path, "POST", entry(subnet, size))
    assert added in (204, 400)
    if added == 204:
        assert small_world.status(f"{path}/entry?subnet={subnet}&subnet_size={size}") == 200
        remove(small_world, ann.id, subnet, size)
    assert listed(small_world, ann.id) == BOTH_ANY


BAD_ENTRIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no size": {"subnet": "203.0.113.0"},
    "no subnet": {"subnet_size": 24},
    "size null": entry("203.0.113.0", None),
    "subnet null": entry(None, 24),
    "subnet empty": entry("", 24),
    "subnet a number": entry(3405803776, 24),
    "subnet a list": entry(["203.0.113.0"], 24),
    "subnet a word": entry("x", 24),
    "subnet a host": entry("example.org", 32),
    "subnet impossible": entry("203.0.113.256", 24),
    "subnet cut": entry("203.0.113", 24),
    "subnet with its size": entry("203.0.113.0/24", 24),
    "subnet with a blank": entry("203.0.113.0 ", 24),
    "subnet with a zone": entry("2001:db8::1%eth0", 128),
    "size a word": entry("203.0.113.0", "x"),
    "size a fraction": entry("203.0.113.0", 24.5),
    "size true": entry("203.0.113.0", True),
    "size negative": entry("203.0.113.0", -1),
    "size beyond the address": entry("203.0.113.0", 33),
    "size far beyond the address": entry("203.0.113.0", 10**30),
    "size beyond the longer address": entry("2001:db8::", 129),
    **{f"size {size} of v4": entry("8.0.0.0", size) for size in (1, 2, 7)},
    **{f"size {size} of v6": entry("2606:4700::", size) for size in (1, 8, 19)},
    "private 10": entry("10.0.0.0", 8),
    "private 10, one address": entry("10.1.2.3", 32),
    "private 172": entry("172.16.0.0", 12),
    "private 192": entry("192.168.1.0", 24),
    "loopback": entry("127.0.0.1", 32),
    "all of loopback": entry("127.0.0.0", 8),
    "link-local": entry("169.254.169.254", 32),
    "unspecified": entry("0.0.0.0", 32),
    "loopback of v6": entry("::1", 128),
    "unspecified of v6": entry("::", 128),
    "link-local of v6": entry("fe80::", 64),
    "unique local": entry("fd12:3456::", 32),
    "unique local, the other half": entry("fc00::", 20),
}


@pytest.mark.parametrize("body", BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_an_entry_that_is_no_public_network_is_refused_and_nothing_is_written(
    standing: Town, body: dict[str, Any]
) -> None:
    with nothing_written(standing.world):
        assert standing.world.status(path_of(standing.ids.user), "POST", body) == 400


NO_ENTRIES = [
    {},
    {"subnet": "0.0.0.0"},
    {"subnet_size": 0},
    entry("x", 0),
    entry("0.0.0.0", "x"),
    entry("0.0.0.0", -1),
    entry("0.0.0.0", 33),
    entry("0.0.0.0", 0.5),
    entry("", 0),
]


@pytest.mark.parametrize("body", NO_ENTRIES, ids=str)
def test_an_entry_to_remove_stands_whole_in_the_body(standing: Town, body: dict[str, Any]) -> None:
    path = path_of(standing.ids.user)
    with nothing_written(standing.world):
        assert standing.world.status(path, "DELETE", body) == 400
        assert standing.world.status(f"{path}?subnet=0.0.0.0&subnet_size=0", "DELETE", body) == 400
        assert standing.world.status(f"{path}?subnet=0.0.0.0&subnet_size=0", "DELETE") == 400


@pytest.mark.parametrize("body", NO_ENTRIES, ids=str)
def test_an_entry_is_looked_up_by_both_its_members(standing: Town, body: dict[str, Any]) -> None:
    path = f"{path_of(standing.ids.user)}/entry"
    assert standing.world.call("GET", path, params=body).status_code == 400
    # What stands in the body of a reading call is nobody's.
    assert standing.world.call("GET", path, entry("0.0.0.0", 0), params=body).status_code == 400


def test_an_entry_that_is_not_there_is_unknown_and_named_as_nothing_else(standing: Town) -> None:
    path = f"{path_of(standing.ids.user)}/entry"
    for missing in (entry("198.51.100.0", 24), entry("8.0.0.0", 8), entry("2001:db8::", 48)):
        answer = standing.world.call("GET", path, params=missing)
        assert answer.status_code == 404
        assert answer.json()["error"] not in NOT_FOUND.values()


def test_the_list_of_nobody_is_unknown(standing: Town) -> None:
    with nothing_written(standing.world):
        for user in (UNKNOWN_ID, standing.foreign.user, "me"):
            for method in ("GET", "POST", "DELETE"):
                answer = standing.world.call(method, path_of(user), entry("203.0.113.0", 24))
                assert (answer.status_code, answer.json()["error"]) == (404, "Invalid user ID")


# --- who is listened to ---------------------------------------------------------------------------------------------

REACH: list[tuple[list[tuple[str, int]], dict[str, bool]]] = [
    ([("203.0.113.0", 24)], {INSIDE: True, "203.0.113.255": True, OUTSIDE: False, INSIDE_V6: False}),
    ([("203.0.113.7", 32)], {INSIDE: True, "203.0.113.8": False, "203.0.113.6": False}),
    ([("203.0.113.0", 29)], {INSIDE: True, "203.0.113.8": False}),
    ([("203.0.113.0", 24), ("198.51.100.0", 24)], {INSIDE: True, OUTSIDE: True, "192.0.2.1": False}),
    ([("2001:db8::", 32)], {INSIDE_V6: True, OUTSIDE_V6: False, INSIDE: False}),
    ([("2001:db8::7", 128)], {INSIDE_V6: True, "2001:db8::8": False, "2001:0DB8:0:0:0:0:0:7": True}),
    # A socket for both versions shows an address of the shorter one in a coat of the longer one.
    ([("203.0.113.0", 24)], {"::ffff:203.0.113.7": True, "::ffff:198.51.100.1": False}),
]


@pytest.mark.parametrize(("ranges", "reach"), REACH, ids=[str(ranges) for ranges, _ in REACH])
def test_a_member_is_listened_to_from_her_list_alone(
    small_world: World,
    ann: Person,
    from_address: FromAddress,
    ranges: list[tuple[str, int]],
    reach: dict[str, bool],
) -> None:
    hers = {address: from_address(small_world.as_(ann.key), address) for address in reach}
    for world in hers.values():
        assert world.status("/v2/apikeys") == 200
    restrict(small_world, ann.id, *ranges)
    assert {address: world.status("/v2/apikeys") == 200 for address, world in hers.items()} == reach
    for address, listens in reach.items():
        if not listens and not address.startswith("::ffff:"):
            assert_not_listened_to(hers[address], address)
    add(small_world, ann.id, "0.0.0.0", 0)
    add(small_world, ann.id, "::", 0)
    assert {world.status("/v2/apikeys") for world in hers.values()} == {200}


def test_any_address_of_one_version_is_none_of_the_other(
    small_world: World, ann: Person, from_address: FromAddress
) -> None:
    shorter, longer = (from_address(small_world.as_(ann.key), address) for address in (INSIDE, INSIDE_V6))
    remove(small_world, ann.id, "::", 0)
    assert shorter.status("/v2/apikeys") == 200
    assert_not_listened_to(longer, INSIDE_V6)
    add(small_world, ann.id, "::", 0)
    remove(small_world, ann.id, "0.0.0.0", 0)
    assert longer.status("/v2/apikeys") == 200
    assert_not_listened_to(shorter, INSIDE)


def test_who_calls_from_no_address_at_all_is_in_no_list(small_world: World, ann: Person) -> None:
    assert small_world.as_(ann.key).status("/v2/apikeys") == 200
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    assert small_world.as_(ann.key).status("/v2/apikeys") == 401


def test_the_list_binds_every_key_of_hers_and_nobody_else_s(
    small_world: World, ann: Person, from_address: FromAddress
) -> None:
    ben = small_world.person()
    own = small_world.own(ann)
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    for world in (small_world.as_(ann.key), own):
        assert from_address(world, INSIDE).status("/v2/apikeys") == 200
        assert_not_listened_to(from_address(world, OUTSIDE), OUTSIDE)
    assert from_address(small_world.as_(ben.key), OUTSIDE).status("/v2/apikeys") == 200
    assert from_address(small_world, OUTSIDE).status("/v2/apikeys") == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v2/apikeys", None),
        ("GET", "/v2/groups", None),
        ("GET", "/v2/organizations", None),
        ("GET", "/v2/users/me/groups", None),
        ("GET", f"/v2/roles/{UNKNOWN_ID}", None),
        ("POST", "/v2/groups", {"display_name": "g"}),
        ("POST", "/v2/organizations", {"name": "o"}),
        ("POST", "/v2/apikeys", {"name": "k"}),
        ("DELETE", f"/v2/roles/{UNKNOWN_ID}", None),
        ("POST", "/v2/assumed-roles/assume", {"role_id": UNKNOWN_ID, "session_name": "s"}),
    ],
)
def test_every_call_from_elsewhere_is_refused_before_anything_is_looked_for(
    small_world: World, ann: Person, from_address: FromAddress, method: str, path: str, body: Any
) -> None:
    small_world.attach_policy(small_world.policy(allow("*")), user=ann.id)
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    with nothing_written(small_world):
        assert_not_listened_to(from_address(small_world.as_(ann.key), OUTSIDE), OUTSIDE, method, path, body)


def test_the_address_is_looked_at_before_the_member_s_state(
    small_world: World, ann: Person, from_address: FromAddress
) -> None:
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    organization = small_world.organization()
    assert small_world.status(f"/v2/organizations/{organization}/user/{ann.id}/suspend", "PUT") == 204
    assert_not_listened_to(from_address(small_world.as_(ann.key), OUTSIDE), OUTSIDE)
    assert from_address(small_world.as_(ann.key), INSIDE).status("/v2/apikeys") == 403


def test_an_unknown_key_is_an_unknown_key_from_anywhere(small_world: World, from_address: FromAddress) -> None:
    answer = from_address(small_world.as_("nobody"), OUTSIDE).call("GET", "/v2/apikeys")
    assert (answer.status_code, answer.json()["error"]) == (401, "Invalid API token.")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
def test_nobody_says_his_own_address(small_world: World, ann: Person, from_address: FromAddress, header: str) -> None:
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    outside = from_address(small_world.as_(ann.key), OUTSIDE)
    value = f"for={INSIDE}" if header == "Forwarded" else INSIDE
    answer = outside.call("GET", "/v2/apikeys", headers={header: value})
    assert answer.json() == {"error": f"Unauthorized IP address: {OUTSIDE}", "status": 401}


def test_the_list_binds_the_sessions_that_she_enters(
    small_world: World, ann: Person, from_address: FromAddress
) -> None:
    small_world.attach_policy(small_world.policy(allow("iam.role.AssumeRole")), user=ann.id)
    role = small_world.role(small_world.policy(allow("iam.group.List")), role_type="assumable")
    asked = {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id}
    small_world.post("/v2/role-trusts", asked)
    restrict(small_world, ann.id, ("203.0.113.0", 24))
    asked = {"role_id": role, "session_name": "shift"}
    made = from_address(small_world.as_(ann.key), INSIDE).post("/v2/assumed-roles/assume", asked)
    session = small_world.as_(made["session_token"])
    assert from_address(session, INSIDE).status("/v2/groups") == 200
    assert_not_listened_to(from_address(session, OUTSIDE), OUTSIDE, path="/v2/groups")


def test_a_list_binds_in_its_own_organization_and_in_no_other(town: Town, from_address: FromAddress) -> None:
    founder = town.elsewhere.get("/v2/users")["users"][0]["id"]
    key = town.world.post(f"/v2/users/{founder}/apikeys", {"name": "here"})["api_key"]["api_key"]
    here = from_address(World(town.world.client, key, town.node), OUTSIDE)
    there = from_address(World(town.world.client, town.elsewhere.key, town.node), OUTSIDE)
    assert (here.status("/v2/groups"), there.status("/v2/groups")) == (200, 200)
    restrict(town.world, founder, ("203.0.113.0", 24))
    assert_not_listened_to(here, OUTSIDE)
    assert there.status("/v2/groups") == 200
    assert listed(town.elsewhere, founder) == BOTH_ANY


# --- who changes a list ---------------------------------------------------------------------------------------------


def test_nobody_changes_a_list_without_the_right_to_not_even_her_own(small_world: World, ann: Person) -> None:
    ben = small_world.person()
    with nothing_written(small_world):
        for world in (small_world.as_(ann.key), small_world.as_(ben.key)):
            assert world.status(path_of(ann.id), "POST", entry("203.0.113.0", 24)) == 403
            assert world.status(path_of(ann.id), "DELETE", entry("::", 0)) == 403
    small_world.attach_policy(small_world.policy(allow("account.user.Update")), user=ben.id)
    add(small_world.as_(ben.key), ann.id, "203.0.113.0", 24)
    remove(small_world.as_(ben.key), ann.id, "::", 0)
    small_world.attach_policy(small_world.policy(allow("account.user.Read")), user=ben.id)
    assert listed(small_world.as_(ben.key), ann.id) == {("0.0.0.0", 0, "v4"), ("203.0.113.0", 24, "v4")}


@pytest.mark.parametrize("acls", [[], ["manage_users"]])
def test_nobody_but_root_changes_the_list_of_root(
    small_world: World, ann: Person, from_address: FromAddress, acls: list[str]
) -> None:
    root = small_world.get("/v2/users")["users"][0]["id"]
    small_world.call("PATCH", f"/v2/users/{ann.id}", {"acls": acls})
    small_world.attach_policy(small_world.policy(allow("*")), user=ann.id)
    hers = (small_world.as_(ann.key), small_world.own(ann))
    with nothing_written(small_world):
        for world in hers:
            assert world.status(path_of(root), "POST", entry("203.0.113.0", 24)) == 403
            assert world.status(path_of(root), "DELETE", entry("0.0.0.0", 0)) == 403
    as_root = from_address(small_world, INSIDE)
    add(as_root, root, "203.0.113.0", 24)
    for subnet, size in ANY:
        remove(as_root, root, subnet, size)
    assert as_root.status("/v2/apikeys") == 200
    assert_not_listened_to(from_address(small_world, OUTSIDE), OUTSIDE)
    # Her list binds root like anybody: she opens it again from where she is listened to.
    add(as_root, root, "0.0.0.0", 0)
    assert from_address(small_world, OUTSIDE).status("/v2/apikeys") == 200


# --- the account, and last activity ---------------------------------------------------------------------------------


def test_an_account_is_the_caller_s_with_numbers_that_are_numbers(small_world: World, ann: Person) -> None:
    answer = small_world.call("GET", "/v2/account")
    account = answer.json()["account"]
    assert account["email"] == ROOT_EMAIL
    for name in ("balance", "pending_charges", "last_payment_amount"):
        assert type(account[name]) in (int, float), name
    with_right = small_world.policy(allow("account.billing.Read"))
    assert small_world.as_(ann.key).status("/v2/account") == 403
    small_world.attach_policy(with_right, user=ann.id)
    assert small_world.as_(ann.key).status("/v2/account") == 200


def test_a_group_in_which_nobody_ever_did_anything_has_no_last_activity(small_world: World) -> None:
    group = small_world.group()
    shown = small_world.get(f"/v2/groups/{group}", show_last_activity="true")["group"]
    assert shown["last_activity"] == ""


@pytest.mark.parametrize("value", ["true", "false", "1", "0"])
def test_the_last_activity_of_a_group_is_a_date_or_nothing_and_all_else_stays_the_same(
    small_world: World, ann: Person, value: str
) -> None:
    group = small_world.group(ann)
    assert small_world.as_(ann.key).status("/v2/apikeys") == 200
    plain = small_world.get(f"/v2/groups/{group}")["group"]
    shown = small_world.get(f"/v2/groups/{group}", show_last_activity=value)["group"]
    assert MAYBE_DATE.fullmatch(shown["last_activity"])
    assert plain["last_activity"] == ""
    assert {**shown, "last_activity": ""} == plain


@pytest.mark.parametrize("subnet", ["10.0.0.0", "192.168.1.0", "127.0.0.1", "fd00::1"])
def test_private_addresses_are_taken_where_the_operator_says_so(
    make_database: Callable[[str], str], subnet: str
) -> None:
    """For a server inside a network: `--private-addresses`."""
    node = build(Settings(database=make_database("sqlite"), private_addresses=True))
    size = 64 if ":" in subnet else 24
    with Loopback(application(node), client=("10.0.0.7", 50000)) as client:
        world = World(client, ROOT_KEY, node)
        person = world.person()
        body = {"subnet": subnet, "subnet_size": size}
        assert world.status(f"/v2/users/{person.id}/ip-whitelist", "POST", body) == 204
        for anywhere in ("0.0.0.0", "::"):
            gone = {"subnet": anywhere, "subnet_size": 0}
            world.call("DELETE", f"/v2/users/{person.id}/ip-whitelist", gone).raise_for_status()
        assert world.as_(person.key).status("/v2/users/me/groups") == (200 if subnet == "10.0.0.0" else 401)
