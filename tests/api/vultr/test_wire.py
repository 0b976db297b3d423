"""The Vultr face answers as its clients decode it: every member, every status, every text, letter by letter."""

from typing import Any

import pytest

from api.conftest import UNKNOWN_ID, Ids, Town
from api.vultr.decoders import (
    API_KEY,
    ERROR,
    ID,
    MAYBE_ID,
    META,
    NOT_FOUND,
    NOT_SERVED,
    NUMBERED,
    OPERATIONS,
    STS,
    USER,
    DecodingError,
    Operation,
    check_answer,
    decode,
    refuse_nulls,
)
from world import ROOT_KEY, Person, World, allow, document

ALL = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
READS = pytest.mark.parametrize("operation", [found for found in OPERATIONS if not found.writes], ids=str)
WRITES = pytest.mark.parametrize("operation", [found for found in OPERATIONS if found.writes], ids=str)
PAGED = pytest.mark.parametrize("operation", [found for found in OPERATIONS if found.list_key], ids=str)
# Calls 30, 31 and 50 are about what a bare thing has not; 32 to 34 about root herself, who has nothing attached; 94
# about a session, whose trust has no conditions.
ABOUT_BARE_THINGS = pytest.mark.parametrize(
    "operation", [found for found in OPERATIONS if found.number not in (30, 31, 50)], ids=str
)
POPULATED = pytest.mark.parametrize(
    "operation", [found for found in OPERATIONS if not found.writes and found.number not in (32, 33, 34, 94)], ids=str
)
WITH_IDS = pytest.mark.parametrize("operation", [found for found in OPERATIONS if found.kinds], ids=str)


@pytest.fixture
def place(request: pytest.FixtureRequest, operation: Operation) -> Town:
    """A town for one operation: its own if it writes."""
    return request.getfixturevalue("town" if operation.writes else "standing")


def send(town: Town, operation: Operation, ids: Ids | None = None, **options: Any) -> Any:
    """Make a call of the table on some ids, the populated ones if none are given."""
    return send_on(town, operation, town.names(ids or town.ids), **options)


def send_on(town: Town, operation: Operation, names: dict[str, str], **options: Any) -> Any:
    """The same with an id for each kind, and with a body of another's making if there is one."""
    body = None if "content" in options else operation.with_body(names)
    return town.world.call(operation.method, operation.at(names), body, params=operation.query, **options)


def assert_refused(response: Any, status: int, text: str | None = None) -> None:
    """The answer is an error with that status, in exactly the two members that clients read."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert sorted(body) == ["error", "status"]
    decode(ERROR, body)
    assert body["status"] == status
    if text is not None:
        assert body["error"] == text


def assert_served(response: Any, operation: Operation) -> None:
    """The answer has the contract's status and decodes in every published form."""
    assert response.status_code == operation.status, response.text
    if operation.status == 204:
        assert response.content == b""
        return
    assert response.headers["content-type"] == "application/json"
    operation.decode(response.json())


# --- the decoders themselves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ({"a": str}, {}),
        ({"a": str}, {"a": 1}),
        ({"a": str}, []),
        (int, "1"),
        (int, True),
        (int, 1.0),
        (bool, 1),
        (bool, "yes"),
        ([str], None),
        ([str], {}),
        ([str], ["a", 1]),
        (ID, "0190A0B0-0000-7000-8000-00000000DEAD"),
        (ID, ""),
        (MAYBE_ID, "x"),
        (META, {"total": 0, "links": {"next": ""}}),
        ((str, [str]), {"not": "either"}),
    ],
)
def test_the_decoder_refuses_what_a_typed_client_refuses(shape: Any, value: Any) -> None:
    with pytest.raises(DecodingError):
        decode(shape, value)


@pytest.mark.parametrize("value", [None, {"a": None}, [{"a": [None]}]])
def test_the_decoder_finds_null_wherever_it_stands(value: Any) -> None:
    with pytest.raises(DecodingError):
        refuse_nulls(value)


def test_the_table_has_the_operations_that_are_served_now() -> None:
    numbers = {found.number for found in OPERATIONS}
    assert [found.number for found in OPERATIONS] == sorted(numbers)
    assert numbers == {*range(1, 11), *range(15, 91), *range(92, 96)}
    # One row stands for each of the others but the one in XML: 125 operations are published.
    assert len(OPERATIONS) + len(NOT_SERVED) + len([STS]) == 125


_NO_GROUPS = b'{"groups": [], "meta": {"total": 0, "links": {"next": "", "prev": ""}}}'
ANSWERS: list[tuple[str, str, int, bytes, bool]] = [
    ("DELETE", "/v2/roles/x", 204, b"", True),
    ("DELETE", "/v2/roles/x", 204, b"{}", False),
    ("DELETE", "/v2/roles/x", 404, b'{"error": "Role not found", "status": 404}', True),
    ("DELETE", "/v2/roles/x", 404, b'{"error": "Role not found", "status": 400}', False),
    ("DELETE", "/v2/roles/x", 404, b'{"error": "Role not found"}', False),
    ("DELETE", "/v2/roles/x", 404, b'{"error": ["Role not found"], "status": 404}', False),
    ("DELETE", "/v2/roles/x", 503, b"", False),
    ("GET", "/v2/roles/x", 500, b"Internal Server Error", False),
    ("GET", "/v2/roles/x", 200, b"", False),
    ("GET", "/v2/roles/x", 200, b"[]", False),
    ("GET", "/v2/apikeys", 200, b'{"api_keys": []}', True),
    ("GET", "/v2/apikeys", 200, b'{"api_keys": null}', False),
    ("GET", "/v2/apikeys", 200, b'{"api_keys": [], "total": NaN}', False),
    ("GET", "/v2/apikeys", 200, b'{"api_keys": [], "name": "\xff"}', False),
    # `me` is not the id of a user.
    ("GET", "/v2/users/me/groups", 200, _NO_GROUPS, True),
    ("GET", "/v2/users/me/roles", 200, _NO_GROUPS, False),
    ("GET", "/v2/users/me", 200, b'{"groups": []}', False),
    # Nobody's answers.
    ("GET", "/v2/roles/", 200, b"", True),
    ("GET", "/v2/roles//groups", 200, b"", True),
    ("GET", "/v2/nothing", 404, b"", True),
    ("HEAD", "/v2/roles", 405, b"", True),
]


@pytest.mark.parametrize(("method", "path", "status", "body", "right"), ANSWERS)
def test_an_answer_is_read_as_that_of_the_call_that_it_answers(
    method: str, path: str, status: int, body: bytes, right: bool
) -> None:
    if right:
        check_answer(method, path, status, body)
    else:
        with pytest.raises(DecodingError):
            check_answer(method, path, status, body)


# --- every operation ------------------------------------------------------------------------------------------------


@ALL
def test_every_answer_decodes_in_every_published_form(place: Town, operation: Operation) -> None:
    assert_served(send(place, operation), operation)


@ABOUT_BARE_THINGS
def test_every_answer_about_things_without_attachments_decodes_too(place: Town, operation: Operation) -> None:
    assert_served(send(place, operation, place.bare), operation)


@POPULATED
def test_every_list_of_populated_things_has_elements_in_all_its_keys(standing: Town, operation: Operation) -> None:
    answer = send(standing, operation).json()
    empty = [name for name, value in answer.items() if value == [] or (isinstance(value, dict) and value == {})]
    assert not empty


def test_a_world_built_through_the_face_decodes_on_either_database(world: World) -> None:
    organization = world.organization()
    person = world.person()
    root = world.get("/v2/users")["users"][0]["id"]
    key = world.get(f"/v2/users/{person.id}/apikeys")["api_keys"][0]["id"]
    own_key = world.post("/v2/apikeys", {"name": "spare"})["api_key"]["id"]
    policy = world.policy(allow("a.b.C"))
    role, assumable = world.role(policy), world.role(policy, role_type="assumable")
    asked = {"role_id": assumable, "trust_type": "TemporaryAssumption", "trusted_user_id": root}
    trust = world.post("/v2/role-trusts", asked)["id"]
    session = world.post("/v2/assumed-roles/assume", {"role_id": assumable, "session_name": "first"})["session_token"]
    names = {
        "organization": organization,
        "user": person.id,
        "key": key,
        "own_key": own_key,
        "group": world.group(person),
        "role": role,
        "policy": policy,
        "invitation": world.post("/v2/invitation", {"email_invited": "somebody@example.org"})["id"],
        "assumable": assumable,
        "trust": trust,
        "session": session,
    }
    ending = {5, 7, 23, 31, 41, 47, 51, 59, 63, 66, 70, 75, 79, 82, 87, 95}
    # Attached by 62, 65, 69, 78 and 81, restored by what follows what ends it.
    order = [found for found in OPERATIONS if found.number not in ending]
    order += [NUMBERED[number] for number in (82, 79, 70, 66, 63, 51, 31, 41, 75, 76, 59, 60, 95, 87, 88, 47, 7)]
    for operation in order:
        response = world.call(operation.method, operation.at(names), operation.with_body(names), params=operation.query)
        assert_served(response, operation)
    service = world.person(service=True)
    assert_served(world.call("DELETE", f"/v2/users/{service.id}"), NUMBERED[23])
    assert_served(world.call("DELETE", f"/v2/organizations/{organization}"), NUMBERED[5])
    assert_served(world.call("PATCH", f"/v2/organizations/{organization}/restore"), NUMBERED[6])


@pytest.mark.parametrize("number", [10, 28, 35, 36, 37, 48, 53, 54, 61, 64, 67, 77, 80, 89, 90, 93])
def test_a_list_of_nothing_is_a_list_in_every_key_with_a_total_of_zero_and_no_cursors(
    standing: Town, number: int
) -> None:
    names, world = standing.names(standing.bare), standing.world
    if number == 10:
        world = standing.desert
        names["organization"] = _organization(standing, "Desert")
    names["assumable"] = standing.bare.role
    _assert_empty(world.get(NUMBERED[number].at(names)), with_meta=number != 28)


@pytest.mark.parametrize("number", [15, 32, 33, 34, 43, 55, 83])
def test_an_organization_with_nothing_in_it_has_empty_lists(standing: Town, number: int) -> None:
    _assert_empty(standing.desert.get(NUMBERED[number].path), with_meta=True)


def _organization(town: Town, name: str) -> str:
    (found,) = [each["id"] for each in town.world.get("/v2/organizations")["orgs"] if each["name"] == name]
    return str(found)


def _assert_empty(answer: Any, *, with_meta: bool) -> None:
    meta = answer.pop("meta", None)
    assert meta == ({"total": 0, "links": {"next": "", "prev": ""}} if with_meta else None)
    for value in answer.values():
        assert value == [] or (value and all(part == [] for part in value.values())), answer


# --- relations and what they say ------------------------------------------------------------------------------------


def test_members_stand_in_their_group_in_lists_and_alone(standing: Town) -> None:
    alone = standing.world.get(f"/v2/groups/{standing.ids.group}")["group"]
    listed = next(found for found in standing.world.get("/v2/groups")["groups"] if found["id"] == standing.ids.group)
    paged = standing.world.get(f"/v2/groups/{standing.ids.group}/members")["members"]
    assert alone == listed
    assert alone["members"] == paged
    assert len(paged) == 3
    assert standing.ids.user in [member["id"] for member in paged]


def test_the_id_of_a_member_is_the_id_of_the_user(town: Town) -> None:
    added = town.world.post(f"/v2/groups/{town.bare.group}/members", {"user_id": town.ids.user, "display_name": "x"})
    assert added["id"] == added["group_member"]["id"] == town.ids.user


def test_a_member_may_be_added_by_her_id_in_the_place_of_the_name(town: Town) -> None:
    path = f"/v2/groups/{town.bare.group}/members"
    assert town.world.post(path, {"display_name": town.ids.user})["id"] == town.ids.user
    assert town.world.post(path, {"display_name": "Bare", "user_id": town.bare.user})["id"] == town.bare.user


def test_a_name_adds_nobody(town: Town) -> None:
    """People rename themselves: who is meant by a name tomorrow is not who was meant today."""
    path = f"/v2/groups/{town.bare.group}/members"
    assert_refused(town.world.call("POST", path, {"display_name": "Bare"}), 404, "Invalid user ID")
    assert_refused(town.world.call("POST", path, {"display_name": ""}), 400)
    assert_refused(town.world.call("POST", path, {}), 400)


def test_relations_name_both_ends_and_who_attached_them(town: Town) -> None:
    root = town.world.get("/v2/users")["users"][0]["id"]
    made = town.world.post(f"/v2/roles/{town.bare.role}/groups/{town.bare.group}")
    assert (made["role_id"], made["role_name"], made["group_id"], made["group_name"], made["assigned_by"]) == (
        town.bare.role,
        "bare",
        town.bare.group,
        "bare",
        root,
    )
    listed = town.world.get(f"/v2/roles/{town.bare.role}/groups")
    assert listed["assignments"] == listed["role_group_relationships"] == [made["role_group_relationship"]]
    relation = town.world.post(f"/v2/policies/{town.bare.policy}/users/{town.bare.user}")
    assert (relation["policy_id"], relation["user_id"], relation["assigned_by"]) == (
        town.bare.policy,
        town.bare.user,
        root,
    )
    assert town.world.get(f"/v2/policies/{town.bare.policy}/users")["policy_user_relationships"] == [
        relation["policy_user_relationship"]
    ]


@pytest.mark.parametrize(
    ("attach", "list_", "key"),
    [
        ("/v2/roles/{role}/users/{user}", "/v2/roles/{role}/users", "assignments.user_id"),
        ("/v2/roles/{role}/groups/{group}", "/v2/roles/{role}/groups", "assignments.group_id"),
        ("/v2/roles/{role}/policies/{policy}", "/v2/roles/{role}/policies", "policies.id"),
        ("/v2/policies/{policy}/users/{user}", "/v2/policies/{policy}/users", "users.id"),
        ("/v2/policies/{policy}/groups/{group}", "/v2/policies/{policy}/groups", "groups.id"),
        ("/v2/groups/{group}/members/{user}", "/v2/groups/{group}/members", "members.id"),
    ],
)
def test_an_attachment_shows_on_the_next_call_and_is_gone_after_its_removal(
    town: Town, attach: str, list_: str, key: str
) -> None:
    names = town.names(town.bare)
    list_key, _, member = key.partition(".")
    ended = names[attach.rpartition("{")[2].rstrip("}")]
    town.world.call("PUT" if "members" in attach else "POST", attach.format_map(names))
    assert [found[member] for found in town.world.get(list_.format_map(names))[list_key]] == [ended]
    town.world.delete(attach.format_map(names))
    assert town.world.get(list_.format_map(names))[list_key] == []


def test_all_holds_each_role_once_and_says_where_it_comes_from(town: Town) -> None:
    group_only = town.world.role(name="of the group")
    town.world.attach_role(group_only, group=town.ids.group)
    roles = town.world.get(f"/v2/users/{town.ids.user}/roles")
    assert [(found["id"], found["source"]) for found in roles["roles"]["direct"]] == [(town.ids.role, "direct")]
    assert {found["id"]: found["source"] for found in roles["roles"]["inherited"]} == {
        town.ids.role: "group",
        group_only: "group",
    }
    assert [(found["id"], found["source"]) for found in roles["roles"]["all"]] == [
        (town.ids.role, "direct"),
        (group_only, "group"),
    ]
    assert roles["meta"]["total"] == 2


def test_all_holds_each_policy_once_and_says_by_which_role_it_comes(town: Town) -> None:
    user = town.world.person()
    by_role, both = town.world.policy(allow("a.b.C")), town.world.policy(allow("a.b.D"))
    role = town.world.role(by_role, both)
    town.world.attach_role(role, user=user.id)
    town.world.attach_policy(both, user=user.id)
    policies = town.world.get(f"/v2/users/{user.id}/policies")["policies"]
    said = {found["id"]: (found["source"], found["from_role"]) for found in policies["all"]}
    assert said == {by_role: ("role", role), both: ("direct", "")}
    assert [found["id"] for found in policies["direct"]] == [both]
    assert sorted(found["id"] for found in policies["inherited"]) == sorted([by_role, both])


def test_the_calls_about_oneself_answer_as_those_about_a_user(town: Town) -> None:
    key = town.world.post(f"/v2/users/{town.ids.user}/apikeys", {"name": "self"})["api_key"]["api_key"]
    own = town.world.as_(key)
    for part in ("groups", "roles", "policies"):
        about = town.world.get(f"/v2/users/{town.ids.user}/{part}")
        assert own.get(f"/v2/users/me/{part}") == about
        assert about["meta"]["total"] > 0


# --- policy documents -----------------------------------------------------------------------------------------------

_ALLOW = {"Effect": "Allow", "Action": "a.b.C", "Resource": "*"}
FAITHFUL = [
    document({"Effect": "Allow", "Action": "compute.*", "Resource": "*"}),
    document({"Effect": "Allow", "Action": ["compute.*"], "Resource": ["*"]}),
    document({"Effect": "Deny", "Action": "z.y.X", "Resource": ["registry:*", UNKNOWN_ID]}, _ALLOW),
    document({"Effect": "Allow", "Action": ["z.z.Z", "a.a.A", "m.m.M", "a.a.A"], "Resource": ["b:2", "a:1"]}),
    document({"Sid": "first", **_ALLOW}, {"Sid": "", **_ALLOW}),
    document({**_ALLOW, "Condition": {"StringEquals": {"context.zone": "a"}, "Bool": {"context.mfa": [True]}}}),
    document({**_ALLOW, "Condition": {"NumericLessThan": {"context.age": 3.50}, "Null": {"subject.x": "true"}}}),
    {"Version": "2026-03-20", "Statement": [_ALLOW]},
    {"Version": "2012-10-20", "Statement": [_ALLOW]},
    document({"Effect": "Allow", "Action": "read", "Resource": "*"}),
    document({"Effect": "Allow", "Action": ["*", "compute.inst*"], "Resource": "straße:größe"}),
]


@pytest.mark.parametrize("written", FAITHFUL, ids=range(len(FAITHFUL)))
def test_a_policy_document_is_given_back_as_it_was_written(small_world: World, written: Any) -> None:
    made = small_world.post("/v2/policies", {"name": "p", "policy_document": written})
    path = f"/v2/policies/{made['id']}"
    assert made["policy_document"] == made["policy"]["policy_document"] == written
    assert small_world.get(path)["policy"]["policy_document"] == written
    listed = [found for found in small_world.get("/v2/policies")["policies"] if found["id"] == made["id"]]
    assert [found["policy_document"] for found in listed] == [written]
    role = small_world.role(made["id"])
    assert small_world.get(f"/v2/roles/{role}")["role"]["policies"][0]["policy_document"] == written
    assert small_world.get(f"/v2/roles/{role}/policies")["policies"][0]["policy_document"] == written
    updated = small_world.call("PUT", path, {"policy_document": document(_ALLOW)}, params={"drop_conditions": "true"})
    assert updated.json()["policy_document"] == document(_ALLOW)
    assert small_world.call("PUT", path, {"policy_document": written}).json()["policy_document"] == written
    small_world.delete(path)
    assert small_world.call("PATCH", f"{path}/restore").json()["policy_document"] == written


def test_a_lone_statement_becomes_a_list_of_one(small_world: World) -> None:
    lone = {"Version": "2012-10-17", "Statement": _ALLOW}
    made = small_world.post("/v2/policies", {"name": "p", "policy_document": lone})
    assert made["policy_document"] == {"Version": "2012-10-17", "Statement": [_ALLOW]}


def test_a_missing_version_is_the_first_one(small_world: World) -> None:
    made = small_world.post("/v2/policies", {"name": "p", "policy_document": {"Statement": [_ALLOW]}})
    assert made["policy_document"]["Version"] == made["version"] == "2012-10-17"


def test_the_version_beside_the_document_is_another_one(small_world: World) -> None:
    asked = {"name": "p", "policy_document": {"Version": "2026-03-20", "Statement": [_ALLOW]}, "version": "7"}
    made = small_world.post("/v2/policies", asked)
    assert (made["version"], made["policy_document"]["Version"]) == ("7", "2026-03-20")
    assert small_world.get(f"/v2/policies/{made['id']}")["policy"]["version"] == "7"


def test_an_update_that_does_not_know_conditions_is_refused_unless_it_is_meant(small_world: World) -> None:
    written = document({**_ALLOW, "Condition": {"Bool": {"context.mfa": True}}})
    path = f"/v2/policies/{small_world.policy(written)}"
    assert_refused(small_world.call("PUT", path, {"policy_document": document(_ALLOW)}), 400)
    answer = small_world.call("PUT", path, {"policy_document": document(_ALLOW)}, params={"drop_conditions": "false"})
    assert_refused(answer, 400)
    assert small_world.get(path)["policy"]["policy_document"] == written
    assert small_world.call("PUT", path, {"name": "only the name"}).status_code == 202
    assert small_world.get(path)["policy"]["policy_document"] == written
    answer = small_world.call("PUT", path, {"policy_document": document(_ALLOW)}, params={"drop_conditions": "true"})
    assert answer.status_code == 202
    assert small_world.get(path)["policy"]["policy_document"] == document(_ALLOW)


def test_managed_policies_are_listed_with_the_others_and_cannot_be_changed(standing: Town) -> None:
    path = f"/v2/policies/{standing.managed_policy}"
    assert standing.world.get(path)["policy"]["is_system_policy"] is True
    assert standing.world.get(f"/v2/policies/{standing.ids.policy}")["policy"]["is_system_policy"] is False
    before = standing.log()
    assert_refused(standing.world.call("PUT", path, {"name": "mine"}), 403)
    assert_refused(standing.world.call("DELETE", path), 403)
    assert_refused(standing.world.call("PATCH", f"{path}/restore"), 403)
    assert standing.log() == before


@pytest.mark.parametrize("number", [46, 58, 74])
def test_members_absent_from_an_update_stay_as_they_were(town: Town, number: int) -> None:
    operation = NUMBERED[number]
    name = "display_name" if number == 46 else "name"
    path = operation.at(town.names(town.ids))
    before = town.world.get(path)
    assert town.world.call("PUT", path, {}).status_code == operation.status
    assert town.world.get(path) == before
    assert town.world.call("PUT", path, {"description": "new", name: None}).status_code == operation.status
    after = town.world.get(path)
    (kind,) = before
    assert after[kind]["description"] == "new"
    changed = {member for member in before[kind] if before[kind][member] != after[kind][member]}
    assert changed <= {"description", "date_updated"}


def test_an_organization_keeps_its_type_when_only_its_name_is_sent(small_world: World) -> None:
    made = small_world.post("/v2/organizations", {"name": "A", "type": "Business"})
    answer = small_world.call("PUT", f"/v2/organizations/{made['id']}", {"name": "B"}).json()
    assert (answer["name"], answer["type"]) == ("B", "Business")
    assert small_world.post("/v2/organizations", {"name": "A"})["type"] == "Personal/Team"


@pytest.mark.parametrize("role_type", ["assignable", "assumable"])
def test_a_role_keeps_its_policies_when_its_type_changes(town: Town, role_type: str) -> None:
    path = f"/v2/roles/{town.ids.role}"
    before = town.world.get(path)["role"]
    answer = town.world.call("PUT", path, {"role_type": role_type}).json()
    assert answer["role_type"] == role_type
    assert answer["policies"] == before["policies"]
    assert len(answer["policies"]) == 3


def test_a_role_without_a_type_is_assumable_for_an_hour(small_world: World) -> None:
    made = small_world.post("/v2/roles", {"name": "r"})
    assert (made["role_type"], made["max_session_duration"]) == ("assumable", 3600)


@pytest.mark.parametrize("seconds", [0, 1, 899, 43_201, 2**31 - 1])
def test_an_assignable_role_echoes_any_session_length(small_world: World, seconds: int) -> None:
    asked = {"name": "r", "role_type": "assignable", "max_session_duration": seconds}
    made = small_world.post("/v2/roles", asked)
    assert small_world.get(f"/v2/roles/{made['id']}")["role"]["max_session_duration"] == seconds


# --- users and keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Jean Luc Picard", "Jean Luc", "Picard"),
        ("Ada  Lovelace", "Ada ", "Lovelace"),
        ("Ada ", "Ada", ""),
        ("Élodie Ångström", "Élodie", "Ångström"),
    ],
)
def test_a_whole_name_is_split_at_its_last_space_and_given_back_exactly(
    small_world: World, name: str, first: str, last: str
) -> None:
    made = _user(small_world, name=name)
    assert (made["name"], made["first_name"], made["last_name"]) == (name, first, last)
    read = small_world.get(f"/v2/users/{made['id']}")["user"]
    assert (read["name"], read["first_name"], read["last_name"]) == (name, first, last)
    (listed,) = [user for user in small_world.get("/v2/users")["users"] if user["id"] == made["id"]]
    assert listed["name"] == name


def test_a_single_name_is_given_back_exactly(small_world: World) -> None:
    made = _user(small_world, name="Cher")
    assert made["name"] == "Cher"
    assert sorted([made["first_name"], made["last_name"]]) == ["", "Cher"]


@pytest.mark.parametrize(
    ("first", "last", "name"), [("Ada", "Lovelace", "Ada Lovelace"), ("Jean Luc", "Pi Card", "Jean Luc Pi Card")]
)
def test_a_name_in_two_parts_is_given_back_in_both_forms(small_world: World, first: str, last: str, name: str) -> None:
    made = _user(small_world, name=None, first_name=first, last_name=last)
    assert (made["name"], made["first_name"], made["last_name"]) == (name, first, last)
    read = small_world.get(f"/v2/users/{made['id']}")["user"]
    assert (read["name"], read["first_name"], read["last_name"]) == (name, first, last)


def test_a_new_name_replaces_all_three(small_world: World) -> None:
    made = _user(small_world, name=None, first_name="Ada", last_name="Byron")
    answer = small_world.call("PATCH", f"/v2/users/{made['id']}", {"name": "Ada King Lovelace"}).json()["user"]
    assert (answer["name"], answer["first_name"], answer["last_name"]) == ("Ada King Lovelace", "Ada King", "Lovelace")


def test_a_person_gets_no_key_at_creation(small_world: World) -> None:
    assert "api_key" not in _user(small_world)


def test_a_service_user_shows_its_key_at_creation_and_never_again(small_world: World) -> None:
    made = _user(small_world, service_user=True)
    decode({**USER, "api_key": str}, made)
    assert made["service_user"] is True
    assert World(small_world.client, made["api_key"]).get("/v2/users/me/groups")["groups"] == []
    for path in ("/v2/users", f"/v2/users/{made['id']}", f"/v2/users/{made['id']}/apikeys"):
        answer = small_world.call("GET", path)
        assert answer.status_code == 200
        assert made["api_key"] not in answer.text
    assert "api_key" not in small_world.get(f"/v2/users/{made['id']}")["user"]


@pytest.mark.parametrize("of", ["/v2/apikeys", "/v2/users/{user}/apikeys"])
def test_a_key_is_shown_once_and_masked_but_for_its_tail_later(town: Town, of: str) -> None:
    path = of.format_map(town.names(town.ids))
    made = town.world.post(path, {"name": "ci"})["api_key"]
    decode(API_KEY, made)
    assert "*" not in made["api_key"]
    listed = [found for found in town.world.get(path)["api_keys"] if found["id"] == made["id"]]
    alone = town.world.get(f"{path}/{made['id']}")["api_key"]
    assert listed == [alone]
    hidden = alone["api_key"].rstrip("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")
    tail = alone["api_key"].removeprefix(hidden)
    assert hidden
    assert set(hidden) == {"*"}
    assert 1 <= len(tail) <= 4
    assert made["api_key"].endswith(tail)
    assert {**alone, "api_key": ""} == {**made, "api_key": ""}
    assert town.world.as_(made["api_key"]).get("/v2/apikeys")["api_keys"]


@pytest.mark.parametrize(
    ("asked", "expire", "date"),
    [
        (None, False, ""),
        ({}, False, ""),
        ({"name": "x", "expire": False}, False, ""),
        ({"expire": False, "date_expire": ""}, False, ""),
        ({"expire": True, "date_expire": "2099-01-02T03:04:05Z"}, True, "2099-01-02T03:04:05+00:00"),
        ({"expire": True, "date_expire": "2099-01-02T03:04:05+02:00"}, True, "2099-01-02T01:04:05+00:00"),
        ({"date_expire": "2099-01-02"}, True, "2099-01-02T00:00:00+00:00"),
    ],
)
def test_a_key_expires_when_it_was_asked_to(small_world: World, asked: Any, expire: bool, date: str) -> None:
    made = small_world.post("/v2/apikeys", asked)["api_key"]
    assert (made["expire"], made["date_expire"]) == (expire, date)


@pytest.mark.parametrize(
    "acls", [[], ["dns"], ["provisioning"], ["subscriptions", "abuse", "vke"], ["manage_users"], ["activity_logs"]]
)
def test_acls_are_given_back_as_stored_and_never_expanded(small_world: World, acls: list[str]) -> None:
    made = _user(small_world, acls=acls)
    path = f"/v2/users/{made['id']}"
    assert sorted(made["acls"]) == sorted(acls)
    assert sorted(small_world.get(path)["user"]["acls"]) == sorted(acls)
    for replaced in (["billing", "dns"], acls, []):
        assert small_world.call("PATCH", path, {"acls": replaced}).status_code == 202
        assert sorted(small_world.get(path)["user"]["acls"]) == sorted(replaced)
        (listed,) = [user for user in small_world.get("/v2/users")["users"] if user["id"] == made["id"]]
        assert sorted(listed["acls"]) == sorted(replaced)


def test_an_empty_update_of_a_user_is_legal_and_changes_nothing(town: Town) -> None:
    before = town.world.get(f"/v2/users/{town.ids.user}")
    log = town.log()
    for body in ({}, None):
        answer = town.world.call("PATCH", f"/v2/users/{town.ids.user}", body)
        assert_served(answer, NUMBERED[22])
        assert answer.json() == before
    assert town.log() == log


@pytest.mark.parametrize(("sent", "said"), [(None, True), (True, True), (False, False)])
def test_api_access_is_given_unless_it_is_refused(small_world: World, sent: bool | None, said: bool) -> None:
    made = _user(small_world, service_user=True, api_enabled=sent)
    assert made["api_enabled"] is said
    assert small_world.get(f"/v2/users/{made['id']}")["user"]["api_enabled"] is said
    assert World(small_world.client, made["api_key"]).status("/v2/apikeys") == (200 if said else 403)


def test_a_known_e_mail_is_refused_with_a_pointer_to_the_invitation(small_world: World) -> None:
    _user(small_world)
    answer = small_world.call(
        "POST", "/v2/users", {"email": "Ada@Example.ORG", "name": "Other", "password": "correct horse"}
    )
    assert_refused(answer, 400)
    assert "invitation" in answer.json()["error"]


def test_unknown_members_of_a_body_are_ignored(small_world: World) -> None:
    made = small_world.post("/v2/groups", {"display_name": "g", "unknown": {"deep": [1]}, "id": UNKNOWN_ID})
    assert made["id"] != UNKNOWN_ID
    assert "unknown" not in made


def _user(world: World, **members: Any) -> dict[str, Any]:
    asked = {"email": "ada@example.org", "name": "Ada Lovelace", "password": "correct horse", **members}
    return world.post("/v2/users", asked)["user"]


# --- pages ----------------------------------------------------------------------------------------------------------


def _mark(item: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(item[name]) for name in ("id", "user_id", "group_id") if name in item)


@PAGED
def test_a_list_read_one_by_one_forwards_and_backwards_is_the_whole_list(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    whole = standing.world.get(path)
    marks = [_mark(item) for item in whole[operation.list_key]]
    assert len(marks) == len(set(marks)) >= 3
    assert whole["meta"] == {"total": len(marks), "links": {"next": "", "prev": ""}}

    forwards, cursor, seen = [], "", set()
    while True:
        page = standing.world.get(path, per_page=1, **({"cursor": cursor} if cursor else {}))
        operation.decode(page)
        assert page["meta"]["total"] == len(marks)
        for form in operation.forms:
            assert all(len(page[name]) == 1 for name in form if name != "meta")
        forwards.append(page)
        cursor = page["meta"]["links"]["next"]
        if not cursor:
            break
        assert cursor not in seen
        assert "/" not in cursor
        seen.add(cursor)
    assert [_mark(item) for page in forwards for item in page[operation.list_key]] == marks
    assert forwards[0]["meta"]["links"]["prev"] == ""

    backwards = [forwards[-1]]
    while backwards[-1]["meta"]["links"]["prev"]:
        backwards.append(standing.world.get(path, per_page=1, cursor=backwards[-1]["meta"]["links"]["prev"]))
    assert [_mark(item) for page in reversed(backwards) for item in page[operation.list_key]] == marks
    assert backwards[-1]["meta"]["links"]["next"]


@PAGED
def test_a_page_in_the_middle_has_both_cursors_and_pages_of_two_do_not_overlap(
    standing: Town, operation: Operation
) -> None:
    path = operation.at(standing.names(standing.ids))
    marks = [_mark(item) for item in standing.world.get(path)[operation.list_key]]
    first = standing.world.get(path, per_page=2)
    second = standing.world.get(path, per_page=2, cursor=first["meta"]["links"]["next"])
    assert [_mark(item) for page in (first, second) for item in page[operation.list_key]] == marks[:4]
    again = standing.world.get(path, per_page=2, cursor=second["meta"]["links"]["prev"])
    assert again == first


@PAGED
def test_a_cursor_of_another_list_is_refused(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    other = "/v2/groups" if operation.number != 43 else "/v2/roles"
    cursor = standing.world.get(other, per_page=1)["meta"]["links"]["next"]
    assert_refused(standing.world.call("GET", path, params={"cursor": cursor}), 400)


def test_a_cursor_of_the_same_list_of_another_thing_is_refused(standing: Town) -> None:
    cursor = standing.world.get(f"/v2/roles/{standing.ids.role}/policies", per_page=1)["meta"]["links"]["next"]
    answer = standing.world.call("GET", f"/v2/roles/{standing.bare.role}/policies", params={"cursor": cursor})
    assert_refused(answer, 400)


@pytest.mark.parametrize("path", ["/v2/groups", "/v2/roles", "/v2/policies", "/v2/users"])
def test_a_cursor_of_another_organization_is_refused(standing: Town, path: str) -> None:
    cursor = standing.elsewhere.get(path, per_page=1)["meta"]["links"]["next"]
    assert cursor
    assert_refused(standing.world.call("GET", path, params={"cursor": cursor}), 400)
    assert standing.elsewhere.status(f"{path}?cursor={cursor}") == 200


@PAGED
def test_a_cursor_that_was_never_given_is_refused(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    given = standing.world.get(path, per_page=1)["meta"]["links"]["next"]
    bent = given[:-1] + ("A" if given[-1] != "A" else "B")
    for cursor in (bent, given[:-4], given * 2, "x", "!", "AAAA", "2", "-1", "ü", "\0", "a" * 5000, UNKNOWN_ID):
        assert_refused(standing.world.call("GET", path, params={"cursor": cursor}), 400)


@PAGED
def test_a_page_size_that_is_no_positive_number_is_refused(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    for size in ("0", "-1", "abc", "", "1.5", "1e2", "0x10", "NaN", "-" + "9" * 30, "9" * 5000, "null", "\0"):
        assert_refused(standing.world.call("GET", path, params={"per_page": size}), 400)


@PAGED
def test_a_page_size_beyond_the_largest_is_the_largest(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    assert (
        standing.world.get(path, per_page=10_000)
        == standing.world.get(path)
        == standing.world.get(path, per_page="9" * 30)
    )


def test_no_page_is_longer_than_500(small_world: World) -> None:
    for _ in range(501):
        small_world.group()
    page = small_world.get("/v2/groups", per_page=10_000)
    assert (len(page["groups"]), page["meta"]["total"]) == (500, 501)
    rest = small_world.get("/v2/groups", per_page=10_000, cursor=page["meta"]["links"]["next"])
    assert len(rest["groups"]) == 1
    assert len(small_world.get("/v2/groups")["groups"]) == 100


def test_what_is_made_between_two_pages_is_seen_and_nothing_is_seen_twice(small_world: World) -> None:
    made = [small_world.group() for _ in range(4)]
    first = small_world.get("/v2/groups", per_page=2)
    small_world.delete(f"/v2/groups/{made[0]}")
    made.append(small_world.group())
    rest = small_world.get("/v2/groups", cursor=first["meta"]["links"]["next"])
    assert [group["id"] for group in rest["groups"]] == made[2:]


# --- bodies where none are expected, and none where one may be ------------------------------------------------------


@READS
def test_a_body_on_a_reading_call_is_ignored(standing: Town, operation: Operation) -> None:
    plain = _timeless(send(standing, operation).json())
    for content in (b'{"PerPage":1,"Cursor":""}', b"{broken", b"\xff", b"null"):
        assert _timeless(send(standing, operation, content=content).json()) == plain


def _timeless(answer: Any) -> Any:
    """An answer without what is another a second later."""
    if isinstance(answer, dict):
        return {name: _timeless(value) for name, value in answer.items() if name != "remaining_duration"}
    return [_timeless(item) for item in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize(
    "operation", [found for found in OPERATIONS if found.method == "DELETE" and not found.body], ids=str
)
def test_a_body_on_a_removal_is_ignored(town: Town, operation: Operation) -> None:
    answer = send(town, operation, content=b'{"subnet": "10.0.0.0", "subnet_size": 8}')
    assert_served(answer, operation)


def test_a_write_that_needs_no_body_takes_none_an_empty_one_and_one_to_ignore(town: Town) -> None:
    headers = {"Authorization": f"Bearer {town.world.key}"}
    for operation in OPERATIONS:
        if operation.method in ("GET", "DELETE") or operation.body:
            continue
        path = operation.at(town.names(town.ids))
        assert_served(town.world.client.request(operation.method, path, headers=headers), operation)
        assert_served(town.world.call(operation.method, path, content=b""), operation)
        assert_served(town.world.call(operation.method, path, content=b" \r\n"), operation)
        assert_served(town.world.call(operation.method, path, {"display_name": ""}), operation)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_is_read_as_json_whatever_type_it_claims(small_world: World, content_type: str) -> None:
    answer = small_world.call(
        "POST", "/v2/groups", content=b'{"display_name": "g"}', headers={"Content-Type": content_type}
    )
    assert_served(answer, NUMBERED[44])


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/xml"])
def test_every_answer_is_json_whatever_is_preferred(standing: Town, accept: str) -> None:
    assert_served(standing.world.call("GET", "/v2/groups", headers={"Accept": accept}), NUMBERED[43])
    assert_refused(standing.world.call("GET", "/v2/nothing", headers={"Accept": accept}), 404)


# --- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v2",
        "/v2/",
        "/v2/roles/",
        "/v2/roles//groups",
        "/v2/roles//groups/x",
        "/v2/roles//policies",
        "/v2/roles//policies/x",
        "/v2/roles//users",
        "/v2/groups/",
        "/v2/groups//members",
        "/v2/policies/",
        "/v2/policies//users",
        "/v2/policies//groups/",
        "/v2/users/",
        "/v2/users//roles",
        "/v2/users//apikeys",
        "/v2/organizations/",
        "/v2/organizations//suspended-users",
        "/v2/apikeys/",
        "/v2//roles",
        "/v2/roles///",
        "/v2/Roles",
        "/v2/roles.json",
        "/v2x/roles",
        "/v3/roles",
    ],
)
def test_an_odd_path_is_unknown_and_never_another_path(standing: Town, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert_refused(standing.world.call(method, path, follow_redirects=False), 404)


@ALL
def test_a_path_with_a_slash_too_many_at_its_end_is_unknown(standing: Town, operation: Operation) -> None:
    path = operation.at(standing.names(standing.ids))
    before = standing.log()
    options = {"params": operation.query, "follow_redirects": False}
    assert_refused(standing.world.call(operation.method, f"{path}/", {}, **options), 404)
    assert standing.log() == before


@WITH_IDS
def test_a_path_with_an_empty_id_is_unknown(standing: Town, operation: Operation) -> None:
    names = standing.names(standing.ids)
    before = standing.log()
    for kind in operation.kinds:
        path = operation.at({**names, kind: ""})
        assert_refused(standing.world.call(operation.method, path, {}, follow_redirects=False), 404)
    assert standing.log() == before


@pytest.mark.parametrize("call", NOT_SERVED)
def test_an_operation_that_is_not_served_is_unknown(standing: Town, call: str) -> None:
    method, path = call.split(" ")
    assert_refused(standing.world.call(method, path.format_map(standing.names(standing.ids)), {}), 404)


@pytest.mark.parametrize("path", sorted({found.path for found in OPERATIONS}))
def test_a_method_that_a_path_does_not_know_is_refused_as_such(standing: Town, path: str) -> None:
    # A word may stand where an id is expected: `assume` is a token that nobody has.
    known = {found.method for found in OPERATIONS if found.serves(path)}
    before = standing.log()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - known:
        assert_refused(standing.world.call(method, path.format_map(standing.names(standing.ids)), {}), 405)
    assert standing.log() == before


# --- what does not exist here ---------------------------------------------------------------------------------------


@WITH_IDS
def test_an_id_of_another_organization_is_unknown_with_the_exact_text(standing: Town, operation: Operation) -> None:
    names, foreign = standing.names(standing.ids), standing.names(standing.foreign)
    before = standing.log()
    for kind in operation.kinds:
        path = operation.at({**names, kind: foreign[kind]})
        answer = standing.world.call(operation.method, path, operation.with_body(names), params=operation.query)
        assert_refused(answer, 404, NOT_FOUND[kind])
    assert standing.log() == before


@WITH_IDS
def test_an_id_that_nobody_has_is_unknown_with_the_exact_text(standing: Town, operation: Operation) -> None:
    names = standing.names(standing.ids)
    before = standing.log()
    for kind in operation.kinds:
        path = operation.at({**names, kind: UNKNOWN_ID})
        answer = standing.world.call(operation.method, path, operation.with_body(names), params=operation.query)
        assert_refused(answer, 404, NOT_FOUND[kind])
    assert standing.log() == before


@pytest.mark.parametrize("id_of", ["foreign", "unknown"])
@pytest.mark.parametrize(
    ("path", "member", "kind"),
    [("/v2/groups/{group}/members", "user_id", "user"), ("/v2/roles/{role}/policies", "policy_id", "policy")],
)
def test_an_id_in_a_body_is_unknown_with_the_exact_text(
    standing: Town, path: str, member: str, kind: str, id_of: str
) -> None:
    before = standing.log()
    asked = {member: UNKNOWN_ID if id_of == "unknown" else standing.names(standing.foreign)[kind]}
    answer = standing.world.call("POST", path.format_map(standing.names(standing.ids)), asked)
    assert_refused(answer, 404, NOT_FOUND[kind])
    assert standing.log() == before


@pytest.mark.parametrize(
    ("kind", "removal", "reads"),
    [
        ("group", 47, (45, 48, 53, 54)),
        ("role", 59, (57, 61, 64, 67)),
        ("policy", 75, (73, 77, 80)),
        ("user", 23, (21, 24, 25, 28, 35, 36, 37, 90, 93)),
        ("user", 7, (21, 24, 25, 28, 35, 36, 37, 90, 93)),
        ("own_key", 41, (40,)),
        ("key", 31, (30,)),
        ("trust", 87, (85,)),
        ("session", 95, (94,)),
    ],
)
def test_what_was_removed_is_unknown_with_the_exact_text(
    town: Town, kind: str, removal: int, reads: tuple[int, ...]
) -> None:
    assert_served(send(town, NUMBERED[removal]), NUMBERED[removal])
    for number in reads:
        assert_refused(send(town, NUMBERED[number]), 404, NOT_FOUND[kind])
    assert_refused(send(town, NUMBERED[removal]), 404, NOT_FOUND[kind])


def test_a_deleted_organization_is_unknown_and_comes_back_whole(town: Town) -> None:
    third = _organization(town, "Third")
    path = f"/v2/organizations/{third}"
    before = town.world.get(path)
    town.world.delete(path)
    for method in ("GET", "PUT", "DELETE"):
        assert_refused(town.world.call(method, path, {"name": "x"}), 404, "Organization not found.")
    assert third not in [found["id"] for found in town.world.get("/v2/organizations")["orgs"]]
    assert town.world.call("PATCH", f"{path}/restore").status_code == 204
    assert town.world.get(path) == before


def test_the_calls_about_a_key_s_own_organization_know_no_other(standing: Town) -> None:
    """Root owns the desert too, but these calls are about the organization of the key alone."""
    (desert,) = [found["id"] for found in standing.world.get("/v2/organizations")["orgs"] if found["name"] == "Desert"]
    for number in (7, 8, 9, 10):
        operation = NUMBERED[number]
        path = operation.at({**standing.names(standing.ids), "organization": desert})
        assert_refused(standing.world.call(operation.method, path), 404, "Organization not found.")


@READS
def test_the_errors_about_a_missing_thing_name_no_other_kind(standing: Town, operation: Operation) -> None:
    names = standing.names(standing.ids)
    for kind in operation.kinds:
        text = standing.world.call("GET", operation.at({**names, kind: UNKNOWN_ID})).text
        others = {found for found in NOT_FOUND.values() if found != NOT_FOUND[kind]}
        assert not [other for other in others if other in text]


# --- once more ------------------------------------------------------------------------------------------------------

IDEMPOTENT = (
    4,
    6,
    8,
    9,
    22,
    26,
    27,
    46,
    49,
    51,
    52,
    58,
    60,
    62,
    63,
    65,
    66,
    68,
    69,
    70,
    74,
    76,
    78,
    79,
    81,
    82,
    86,
    88,
)


@pytest.mark.parametrize("attached", [True, False])
def test_a_repeated_write_answers_the_same_and_changes_nothing(town: Town, attached: bool) -> None:
    ids = town.ids if attached else town.bare
    for number in IDEMPOTENT:
        operation = NUMBERED[number]
        assert_served(send(town, operation, ids), operation)
        before = town.log()
        again = send(town, operation, ids)
        assert_served(again, operation)
        assert again.headers["Rescind-Revision"] == str(before[0])
        assert "Rescind-Change" not in again.headers
        assert town.log() == before


@pytest.mark.parametrize("number", [51, 63, 66, 70, 79, 82])
def test_detaching_what_was_never_attached_is_done_already(standing: Town, number: int) -> None:
    before = standing.log()
    answer = send(standing, NUMBERED[number], standing.bare)
    assert_served(answer, NUMBERED[number])
    assert "Rescind-Change" not in answer.headers
    assert standing.log() == before


# --- headers --------------------------------------------------------------------------------------------------------


@WRITES
def test_a_write_names_its_revision_and_its_change(town: Town, operation: Operation) -> None:
    # What detaches needs something attached, what attaches something that is not; nothing else cares.
    ids = town.ids if operation.method == "DELETE" else town.bare
    if operation.number == 9:
        send(town, NUMBERED[8], ids)
    if operation.number in (6, 60, 76, 88):
        send(town, NUMBERED[{6: 5, 60: 59, 76: 75, 88: 87}[operation.number]], ids)
    before = town.desert.call("GET", "/v2/roles").headers["Rescind-Revision"]
    answer = send(town, operation, ids)
    revision = int(answer.headers["Rescind-Revision"])
    assert revision == int(before) + 1
    assert answer.headers["Rescind-Change"] == f"/v1/changes/{revision}"
    assert "Rescind-Instant" not in answer.headers
    if operation.number in (2, 5):
        return  # its change belongs to an organization into which this key does not reach
    change = town.world.get(answer.headers["Rescind-Change"])
    assert change["revision"] == revision
    assert change["request"] == answer.headers["X-Request-Id"]


@READS
def test_a_read_says_when_it_is_true(standing: Town, operation: Operation) -> None:
    answer = send(standing, operation)
    assert answer.headers["Rescind-Revision"] == str(standing.revision())
    assert int(answer.headers["Rescind-Instant"]) > 1_600_000_000_000_000
    assert "Rescind-Change" not in answer.headers


def test_a_read_after_a_write_names_at_least_its_revision_and_its_instant(small_world: World) -> None:
    instants = []
    for _ in range(5):
        written = small_world.call("POST", "/v2/groups", {"display_name": "g"})
        read = small_world.call("GET", "/v2/groups")
        assert int(read.headers["Rescind-Revision"]) == int(written.headers["Rescind-Revision"])
        instants.append(int(read.headers["Rescind-Instant"]))
    assert instants == sorted(instants)


# --- root -----------------------------------------------------------------------------------------------------------


def test_the_last_root_cannot_be_removed_suspended_or_deleted(standing: Town) -> None:
    root = standing.world.get("/v2/users")["users"][0]["id"]
    before = standing.log()
    for number in (7, 8, 23):
        operation = NUMBERED[number]
        path = operation.at({**standing.names(standing.ids), "user": root})
        assert_refused(standing.world.call(operation.method, path), 403)
    assert standing.log() == before


def test_a_suspended_user_is_listed_as_such_and_refused(town: Town) -> None:
    key = town.world.post(f"/v2/users/{town.ids.user}/apikeys", {"name": "k"})["api_key"]["api_key"]
    person = Person(town.ids.user, key, "")
    assert send(town, NUMBERED[8]).status_code == 204
    listed = town.world.get(f"/v2/organizations/{town.ids.organization}/suspended-users")
    (entry,) = [user for user in listed["users"] if user["id"] == person.id]
    assert entry["uuid"] == person.id
    assert entry["active"] is False
    assert town.world.get(f"/v2/users/{person.id}")["user"]["status"] is False
    assert_refused(town.world.as_(person.key).call("GET", "/v2/apikeys"), 403)
    assert send(town, NUMBERED[9]).status_code == 204
    assert town.world.as_(person.key).status("/v2/apikeys") == 200
    assert ROOT_KEY not in str(listed)
