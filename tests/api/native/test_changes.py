"""The change log over HTTP: what was so before and after, by whom, why, and what it took and gave."""

from typing import Any

import pytest

from api.native.asking import READ, Json, able, did, machine, ok, preview, refused, revision_of, revoke
from tenant import Tenant, quoted
from world import World, allow


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def named(facts: list[Json]) -> list[tuple[Any, ...]]:
    return [(fact["fact"], fact["thing"]) for fact in facts]


def test_a_change_says_what_was_so_before_and_after_by_whom_why_and_with_which_impact(root: World) -> None:
    ann = root.person()
    role = root.role(root.policy(allow(READ)))
    given = did(root, "POST", f"/v2/roles/{role}/users/{ann.id}")
    operation, arguments = "roles.detach_users", {"roles": [role], "user": ann.id}
    foretold = ok(preview(root, operation, **arguments))
    taken = revision_of(revoke(root, (operation, arguments)))

    gave, took = (ok(root.call("GET", f"/v1/changes/{revision}")) for revision in (given, taken))
    owner = next(one for one in root.get("/v2/users")["users"] if one["email"] == "root@example.org")["id"]
    assert [change["actor"].rpartition(":")[2] for change in (gave, took)] == [owner] * 2
    assert (named(gave["opened"]), gave["closed"], gave["cause"]) == ([("role_attachment", role)], [], None)
    assert (took["opened"], named(took["closed"])) == ([], [("role_attachment", role)])
    assert took["cause"] == {"operations": [operation]}
    assert [group["principals"] for group in took["impact"]["groups"]] == [[ann.id]]
    assert [row["action"] for row in took["impact"]["groups"][0]["lost"]] == [READ]
    assert [row["action"] for row in gave["impact"]["groups"][0]["gained"]] == [READ]
    # What was said before it is what is said after it.
    assert took["impact"]["groups"] == foretold["groups"]
    assert ok(root.call("GET", f"/v1/changes/{taken}?impact=false")) == {**took, "impact": None}


def test_a_list_of_changes_has_their_impacts_if_they_are_asked_for(root: World) -> None:
    ann = root.person()
    role = root.role(root.policy(allow(READ)))
    for method in ("POST", "DELETE"):
        did(root, method, f"/v2/roles/{role}/users/{ann.id}")
    plain, full = (ok(root.call("GET", f"/v1/changes{query}")) for query in ("", "?impact=true"))
    assert {change["impact"] for change in plain["changes"]} == {None}
    each = [ok(root.call("GET", f"/v1/changes/{change['revision']}")) for change in plain["changes"]]
    assert full == {**plain, "changes": each}
    assert [change["impact"]["principals"]["changed"] for change in full["changes"][-2:]] == [1, 1]
    refused(root, "GET", "/v1/changes?impact=perhaps", status=400)


def test_whose_access_may_not_be_read_is_counted_in_the_impact_of_a_change(root: World) -> None:
    ann = root.person()
    role = root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    taken = did(root, "DELETE", f"/v2/roles/{role}/users/{ann.id}")
    reader = able(root, "iam.change.List")
    impact = ok(reader.call("GET", f"/v1/changes/{taken}"))["impact"]
    assert (impact["groups"], impact["principals"]["hidden"]) == ([], 1)


def test_a_client_of_the_platform_reads_what_was_changed_outside_of_organizations(small_tenant: Tenant) -> None:
    """If its token has the scope; what happens in organizations is theirs."""
    user, role = small_tenant.user(), small_tenant.role()
    small_tenant.assign(user, role)
    taken = revision_of(small_tenant.call("DELETE", f"/users/{quoted(user)}/roles", {"roles": [role]}))
    for path in ("/v1/changes", f"/v1/changes/{taken}"):
        refused(machine(small_tenant, "iam.change.Undo"), "GET", path)
    reader = machine(small_tenant, "iam.change.List", "iam.access.Read")
    change = ok(reader.call("GET", f"/v1/changes/{taken}"))
    assert (change["operation"], [fact["fact"] for fact in change["closed"]]) == (
        "roles.detach_users",
        ["role_attachment"],
    )
    assert [listed["revision"] for listed in ok(reader.call("GET", "/v1/changes?limit=500"))["changes"]][-1] >= taken
