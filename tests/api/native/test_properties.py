"""Aliases, stored properties and resources: what enforcement points know, in one organization and never in another."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from api.native.asking import (
    UNKNOWN,
    able,
    asking,
    decides,
    did,
    explain,
    ok,
    outside,
    public_id,
    refused,
    undo,
    unwritten,
    vultr,
)
from rescind.app import VERBS
from rescind.usecases.properties import PROPERTIES_BYTES_MAX
from tenant import Tenant
from world import Person, World, allow, deny, root_of_another


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def stranger(root: World) -> World:
    """The root of another organization."""
    assert root.node is not None
    return root.as_(root_of_another(root.node))


def change(world: World, person: Person, status: int = 200, /, **members: Any) -> Any:
    return ok(world.call("PATCH", f"/v1/principals/{person.id}", members), status)


def look(world: World, person: Person) -> dict[str, Any]:
    return dict(ok(world.call("GET", f"/v1/principals/{person.id}")))


def put(world: World, kind: str, name: str, status: int = 200, /, **properties: Any) -> Any:
    return ok(
        world.call("PUT", f"/v1/resources/{quote(kind, '')}/{quote(name, '')}", {"properties": properties}), status
    )


# --- aliases ----------------------------------------------------------------------------------------------------------


def test_an_alias_names_one_principal_of_an_organization(root: World) -> None:
    """Decisions know her by it; a second one cannot have it; in another organization it is free."""
    ann, bob = root.person(), root.person()
    root.attach_policy(root.policy(allow("thing.Read")), user=ann.id)
    assert not decides(root, asking("ann"))
    assert change(root, ann, alias="ann")["alias"] == look(root, ann)["alias"] == "ann"
    assert decides(root, asking("ann"))
    assert explain(root, asking("ann"))["decision"]

    with unwritten(root):
        assert "`ann`" in change(root, bob, 409, alias="ann")["detail"]
    assert look(root, bob)["alias"] is None

    other = stranger(root)
    cid = other.person()
    assert change(other, cid, alias="ann")["alias"] == "ann"
    assert not decides(other, asking("ann"))
    assert decides(root, asking("ann"))


FREEING = ["taken away", "changed", "removed from the organization", "deleted"]


@pytest.mark.parametrize("way", FREEING)
def test_an_alias_is_free_again_once_nobody_has_it(root: World, way: str) -> None:
    ann, bob = root.person(), root.person()
    root.attach_policy(root.policy(allow("thing.Read")), user=ann.id)
    change(root, ann, alias="first")
    match way:
        case "taken away":
            assert change(root, ann, alias=None)["alias"] is None
        case "changed":
            change(root, ann, alias="second")
        case "removed from the organization":
            root.delete(f"/v2/organizations/{root.organization()}/user/{ann.id}")
        case _:
            root.delete(f"/v2/users/{ann.id}")
    assert explain(root, asking("first"))["reason"] == "unknown_subject"
    assert not decides(root, asking("first"))
    change(root, bob, alias="first")
    assert not decides(root, asking("first")), "bob may not read"


def test_an_alias_names_one_principal_also_after_somebody_came_back(root: World) -> None:
    """Ann had it and left, Bob has it now, and Ann comes back by an undo: it is not the alias of both."""
    ann, bob = root.person(), root.person()
    root.attach_policy(root.policy(allow("thing.Read")), user=ann.id)
    change(root, ann, alias="desk")
    left = did(root, "DELETE", f"/v2/organizations/{root.organization()}/user/{ann.id}")
    change(root, bob, alias="desk")
    undo(root, left)
    assert [look(root, one)["alias"] for one in (ann, bob)].count("desk") == 1
    assert not decides(root, asking("desk")), "it is Bob's, who may not read"


BAD_ALIASES = {
    "empty": "",
    "white space": "   ",
    "white space within": "front desk",
    "a tab": "a\tb",
    "a control character": "a\x07b",
    "a line end": "a\n",
    "an address": "ann@example.org",
    "a public id": "auth0|123",
    "a slash": "a/b",
    "a prefix of ours": "email:ann",
    "an id": UNKNOWN,
    "an id in capitals": UNKNOWN.upper(),
    "a number": 1,
    "a list": ["ann"],
    "too long": "x" * 256,
    "an override": "a\u202eb",
}


def test_an_alias_that_could_be_taken_for_something_else_is_refused(root: World) -> None:
    ann = root.person()
    change(root, ann, alias="good")
    with unwritten(root):
        for case, alias in BAD_ALIASES.items():
            response = root.call("PATCH", f"/v1/principals/{ann.id}", {"alias": alias})
            assert response.status_code == 400, case
    assert look(root, ann)["alias"] == "good"


def test_nobody_is_named_by_the_alias_of_another_in_a_path(root: World) -> None:
    """Principals are read and changed by id alone: a right on one is no right on another with her id as a name."""
    ann = root.person()
    change(root, ann, alias="ann")
    for name in ("ann", f"email:{ann.email}", ann.email, quote(f"{ann.id}/"), ann.id.upper(), ""):
        assert root.call("GET", f"/v1/principals/{name}").status_code == 404, name
        assert root.call("PATCH", f"/v1/principals/{name}", {"alias": None}).status_code in (404, 405), name
    assert look(root, ann)["alias"] == "ann"


# --- properties -------------------------------------------------------------------------------------------------------

MERGES: list[tuple[Any, dict[str, Any]]] = [
    ({"team": "blue", "level": 1}, {"team": "blue", "level": 1}),
    ({"level": 2}, {"team": "blue", "level": 2}),
    ({"team": None}, {"level": 2}),
    ({"nested": {"a": 1, "b": None}}, {"level": 2, "nested": {"a": 1, "b": None}}),
    ({"nested": {"c": 1}}, {"level": 2, "nested": {"c": 1}}),
    ({"absent": None}, {"level": 2, "nested": {"c": 1}}),
    ({}, {"level": 2, "nested": {"c": 1}}),
    ({"ünï": "ço∂é", "": ""}, {"level": 2, "nested": {"c": 1}, "ünï": "ço∂é", "": ""}),
    (None, {}),
    ({"back": True}, {"back": True}),
]


def test_properties_are_merged_by_name_and_null_takes_one_away(root: World) -> None:
    """What is not said stays; null for all of them takes all; the alias is not touched."""
    ann = root.person()
    change(root, ann, alias="ann")
    for said, expected in MERGES:
        assert change(root, ann, properties=said)["properties"] == look(root, ann)["properties"] == expected, said
    assert look(root, ann) == {"id": ann.id, "type": "user", "alias": "ann", "properties": {"back": True}}
    with unwritten(root):
        change(root, ann)
        change(root, ann, properties={"back": True})


def test_properties_are_bounded_together_and_not_each(root: World) -> None:
    """At most 16 KiB when all are there."""
    ann = root.person()
    frame = len(json.dumps({"a": "", "b": ""}, separators=(",", ":")))
    half = (PROPERTIES_BYTES_MAX - frame) // 2
    rest = PROPERTIES_BYTES_MAX - frame - half
    change(root, ann, properties={"a": "x" * half})
    with unwritten(root):
        change(root, ann, 400, properties={"b": "x" * (rest + 1)})
        change(root, ann, 400, properties={"b": "é" * half})
    change(root, ann, properties={"b": "x" * rest})
    put(root, "thing", "t1", a="x" * half, b="x" * rest)
    with unwritten(root):
        put(root, "thing", "t1", 400, a="x" * (half + 1), b="x" * rest)


@pytest.mark.parametrize("name", ["id", "type"])
def test_what_somebody_is_called_is_no_property(root: World, name: str) -> None:
    """Else a condition would read a name that somebody chose."""
    ann = root.person()
    with unwritten(root):
        change(root, ann, 400, properties={name: "root"})
        put(root, "thing", "t1", 400, **{name: "root"})


BAD_BODIES: dict[str, Any] = {
    "an unknown member": {"aliases": "ann"},
    "no properties": {"properties": "text"},
    "a list of properties": {"properties": [1]},
    "a list": [],
    "nothing": None,
}
RAW = {
    "no number": b'{"properties": {"a": NaN}}',
    "an endless number": b'{"properties": {"a": Infinity}}',
    "a lone surrogate": b'{"properties": {"a": "\\ud800"}}',
    "a zero": b'{"properties": {"a\\u0000": 1}}',
    "a name twice": b'{"properties": {"a": 1, "a": 2}}',
    "too deep": b'{"properties": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}",
    "too large a number": b'{"properties": {"a": ' + b"1" * 5000 + b"}}",
    "half a body": b'{"properties": {',
}


def test_what_cannot_be_stored_is_refused(root: World) -> None:
    ann = root.person()
    contents = RAW | {case: json.dumps(body).encode() for case, body in BAD_BODIES.items()}
    with unwritten(root):
        for case, content in contents.items():
            for method, path in (("PATCH", f"/v1/principals/{ann.id}"), ("PUT", "/v1/resources/thing/t1")):
                assert root.call(method, path, content=content).status_code == 400, (case, path)


def test_a_number_that_no_float_holds_comes_back_or_is_refused(root: World) -> None:
    """And nobody's decisions break by it."""
    ann = root.person()
    root.attach_policy(root.policy(allow("thing.Read")), user=ann.id)
    for number in (b"1e400", b"-1e400", b"1" * 400, b"0." + b"1" * 400):
        content = b'{"properties": {"a": ' + number + b"}}"
        assert root.call("PATCH", f"/v1/principals/{ann.id}", content=content).status_code in (200, 400)
        assert root.call("GET", f"/v1/principals/{ann.id}").status_code == 200
        assert decides(root, asking(ann))
        assert explain(root, asking(ann))["decision"]


# --- conditions that read them ----------------------------------------------------------------------------------------

BLUE = {"Condition": {"StringEquals": {"subject.team": "blue"}}}


def test_stored_properties_count_where_this_server_asks_itself(root: World) -> None:
    """An administrator whose right hangs on her team has it while she is in the team, at the very next call."""
    ann = root.person()
    root.attach_policy(root.policy(allow("iam.group.List", **BLUE)), user=ann.id)
    world = root.as_(ann.key)
    assert world.status("/v2/groups") == 403
    change(root, ann, properties={"team": "blue"})
    assert world.status("/v2/groups") == 200
    change(root, ann, properties={"team": "red"})
    assert world.status("/v2/groups") == 403
    change(root, ann, properties={"team": "blue"})
    root.attach_policy(root.policy(deny("iam.group.*", **BLUE)), user=ann.id)
    assert world.status("/v2/groups") == 403
    change(root, ann, properties={"team": None})
    assert world.status("/v2/groups") == 403


def test_a_condition_reads_what_is_stored_and_the_request_wins_over_it(root: World) -> None:
    ann = root.person()
    change(root, ann, properties={"team": "blue"})
    put(root, "thing", "t1", owner="ann")
    owned = {"StringEquals": {"subject.team": "blue", "resource.owner": "ann"}}
    root.attach_policy(root.policy(allow("thing.Read", Condition=owned)), user=ann.id)
    red = {"type": "user", "id": ann.id, "properties": {"team": "red"}}
    bobs = {"type": "thing", "id": "t1", "properties": {"owner": "bob"}}
    for question, expected in (
        (asking(ann), True),
        ({**asking(ann), "subject": red}, False),
        (asking(ann, resource=bobs), False),
        (asking(ann, resource="thing:t2"), False),
    ):
        assert decides(root, question) is explain(root, question)["decision"] is expected


def test_properties_of_one_organization_mean_nothing_in_another(root: World) -> None:
    """Whoever is a member of both is in the team in one of them only."""
    ann = root.person()
    root.attach_policy(root.policy(allow("*")), user=ann.id)
    hers = root.own(ann)
    there = hers.post("/v2/organizations", {"name": "Hers"})["id"]
    change(root, ann, alias="ann", properties={"team": "blue"})
    key = ok(hers.call("POST", "/v1/apikeys", {"organization": there, "name": "n"}), 201)["api_key"]
    elsewhere = root.as_(key)
    assert look(elsewhere, ann) == {"id": ann.id, "type": "user", "alias": None, "properties": {}}


# --- resources --------------------------------------------------------------------------------------------------------

ODD_IDS = ["1", "a/b", "/", "a b", "ünï/ço∂é", "🎉", "%2F", "a%2Fb", "a?b#c", "a:b:c", "*", "email:x", "a+b"]


def test_a_resource_is_found_by_whatever_it_is_called(root: World) -> None:
    """Each of these names is one, in paths, in lists, and in questions."""
    for number, name in enumerate(ODD_IDS):
        assert put(root, "thing", name, number=number) == {
            "type": "thing",
            "id": name,
            "properties": {"number": number},
        }
    numbered = {"NumericGreaterThanEquals": {"resource.number": 0}}
    ann = root.person()
    root.attach_policy(root.policy(allow("thing.Read", Condition=numbered)), user=ann.id)
    listed = ok(root.call("GET", "/v1/resources"))
    assert [(one["id"], one["properties"]["number"]) for one in listed["resources"]] == [
        (name, number) for number, name in enumerate(ODD_IDS)
    ]
    for number, name in enumerate(ODD_IDS):
        path = f"/v1/resources/thing/{quote(name, '')}"
        assert ok(root.call("GET", path))["properties"] == {"number": number}
        resource = {"type": "thing", "id": name}
        assert decides(root, asking(ann, resource=resource)) is True
        root.delete(path)
        assert root.call("GET", path).status_code == root.call("DELETE", path).status_code == 404
        assert decides(root, asking(ann, resource=resource)) is False
    assert ok(root.call("GET", "/v1/resources"))["total"] == 0


def test_putting_a_resource_again_replaces_what_was_said_of_it(root: World) -> None:
    put(root, "thing", "t1", a=1, b=2)
    assert put(root, "thing", "t1", b=3)["properties"] == {"b": 3}
    with unwritten(root):
        put(root, "thing", "t1", b=3)
    assert put(root, "thing", "t1")["properties"] == {}
    root.delete("/v1/resources/thing/t1")
    assert put(root, "thing", "t1", c=4)["properties"] == {"c": 4}


def test_resources_come_in_parts(root: World) -> None:
    for number in range(5):
        put(root, "thing", str(number))
    found, cursor = [], ""
    while True:
        part = ok(root.call("GET", "/v1/resources", params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2}))
        assert part["total"] == 5
        found += [one["id"] for one in part["resources"]]
        cursor = part["next"]
        if not cursor:
            break
    assert found == [str(number) for number in range(5)]


@pytest.mark.parametrize("kind", ["a:b", "a b", "*", "a*", " ", "a/b", "a\u200bb", "x" * 256])
def test_a_type_that_no_policy_could_name_is_refused(root: World, kind: str) -> None:
    with unwritten(root):
        put(root, kind, "1", 400)


@pytest.mark.parametrize("name", [" ", "a\x07", "x" * 256, "\u2028"])
def test_an_id_that_nobody_could_read_is_refused(root: World, name: str) -> None:
    with unwritten(root):
        put(root, "thing", name, 400)


# --- attacks ----------------------------------------------------------------------------------------------------------


def test_another_organization_finds_nothing_and_changes_nothing(root: World) -> None:
    """In the words that are said of what nobody has."""
    ann, other = root.person(), stranger(root)
    change(root, ann, alias="ann", properties={"team": "blue"})
    put(root, "thing", "t1", owner="ann")
    body = {"alias": "mine", "properties": {"team": "red"}}
    for person in (ann.id, UNKNOWN):
        assert refused(other, "GET", f"/v1/principals/{person}", status=404)["detail"] == "principal not found"
        assert refused(other, "PATCH", f"/v1/principals/{person}", body, status=404)["detail"] == "principal not found"
    assert refused(other, "GET", "/v1/resources/thing/t1", status=404) == refused(
        other, "GET", "/v1/resources/thing/t2", status=404
    )
    refused(other, "DELETE", "/v1/resources/thing/t1", status=404)
    assert ok(other.call("GET", "/v1/resources"))["resources"] == []
    put(other, "thing", "t1", owner="me")
    assert ok(root.call("GET", "/v1/resources/thing/t1"))["properties"] == {"owner": "ann"}
    assert look(root, ann)["properties"] == {"team": "blue"}


def test_each_call_needs_its_own_right_on_its_own_principal(root: World) -> None:
    ann, bob = root.person(), root.person()
    reader = able(root, "iam.access.Read", on=f"user:{ann.id}")
    assert look(reader, ann)["alias"] is None
    refused(reader, "GET", f"/v1/principals/{bob.id}")
    refused(reader, "PATCH", f"/v1/principals/{ann.id}", {"alias": "x"})
    writer = able(root, "iam.property.Update", on=f"user:{ann.id}")
    change(writer, ann, alias="x")
    refused(writer, "PATCH", f"/v1/principals/{bob.id}", {"alias": "y"})
    refused(writer, "PUT", "/v1/resources/thing/t1", {})


def test_an_administrator_of_the_platform_keeps_properties_outside_of_organizations(small_tenant: Tenant) -> None:
    """By public ids, and they are not those of any organization."""
    root, admin = vultr(small_tenant), outside(small_tenant)
    ann = root.person()
    hers = public_id(small_tenant, ann)
    change(root, ann, alias="inside", properties={"team": "blue"})
    path = f"/v1/principals/{quote(hers, '')}"
    said = ok(admin.call("PATCH", path, {"alias": "outside", "properties": {"team": "red"}}))
    assert said == {"id": ann.id, "type": "user", "alias": "outside", "properties": {"team": "red"}}
    assert look(root, ann) == {"id": ann.id, "type": "user", "alias": "inside", "properties": {"team": "blue"}}
    assert admin.call("GET", f"/v1/principals/{ann.id}").status_code == 404, "a UUID is no public id"
    assert root.call("GET", path).status_code == 404, "a public id is no UUID"
    client = f"/v1/principals/{small_tenant.client_id}"
    assert ok(admin.call("PATCH", client, {"properties": {"a": 1}}))["type"] == "client"
    assert root.call("GET", client).status_code == 404


ODD_CHANGES: list[Any] = [
    {"alias": 5},
    {"alias": ["x"]},
    {"properties": "text"},
    {"properties": [1]},
    {"properties": 5},
    {"id": "x"},
]


def test_a_preview_takes_no_change_that_the_call_would_not_take(root: World) -> None:
    """What is asked for by the name of a use case is as strict as what is asked for by a path."""
    assert "properties.update" in VERBS
    ann = root.person()
    answered = {}
    for changes in ODD_CHANGES:
        body = {"operation": "properties.update", "arguments": {"principal": ann.id, "changes": changes}}
        answered[str(changes)] = root.call("POST", "/v1/preview", body).status_code
    assert set(answered.values()) == {400}, answered
