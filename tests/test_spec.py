"""The specification itself, in cases that a reader can check by eye: ann is a member (m) of acme."""

import ast
import json
import sys
from pathlib import Path

import pytest

import spec

NOW = 1_000_000


def row(kind, holder, thing=None, scope=None, value=None, *, expires_at=None, since=1, until=None):
    return {
        "kind": kind,
        "holder": holder,
        "thing": thing,
        "scope": scope,
        "value": None if value is None else json.dumps(value),
        "expires_at": expires_at,
        "revision_from": since,
        "revision_to": until,
    }


def policy(name, *statements):
    return [row("existence", name), row("document", name, value={"Statement": list(statements)})]


def allow(action="*", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action="*", resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def role(name, kind="assignable", **more):
    return [row("existence", name, **more), row("role_definition", name, value={"role_type": kind})]


def ask(action="disk.Read", resource="disk:d1", organization="acme", **more):
    kind, identifier = resource.split(":", 1)
    return {
        "user": more.get("user", "ann"),
        "organization": organization,
        "action": action,
        "resource": {"type": kind, "id": identifier, **more.get("properties", {})},
        "subject": more.get("subject", {}),
        "context": more.get("context", {}),
        "action_properties": more.get("action_properties", {}),
    }


def decide(rows, *, at=5, now=NOW, **request):
    return spec.decide(rows, ask(**request), at, now)


def reaching(rows, organization="acme", at=5, now=NOW, user="ann"):
    return spec.reaching(rows, user, organization, at, now)


ANN, ACME = row("existence", "ann"), row("existence", "acme")
MEMBER = row("existence", "m", "ann", "acme")
WORLD = [ANN, ACME, MEMBER]
ON_MEMBER = row("policy_attachment", "m", "p", "acme")
PATH = (("policy_attachment", "m", "p", "acme"),)
ROOT = row("root", "m", "acme", "acme")
GRANTED = [*WORLD, *policy("p", allow()), ON_MEMBER]


# --- reasons, in their order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "allowed", "reason"),
    [
        ([ACME, row("block", "ann")], False, "account_ended"),
        ([ANN, row("block", "ann")], False, "account_blocked"),
        ([*WORLD, ROOT, row("block", "ann")], False, "account_blocked"),
        ([ANN, MEMBER], False, "organization_ended"),
        ([ANN, ACME, ROOT], False, "not_a_member"),
        ([ANN, ACME, row("existence", "m", "bob", "acme")], False, "not_a_member"),
        ([ANN, ACME, row("existence", "m", "ann", "other")], False, "not_a_member"),
        ([*WORLD, ROOT, row("suspension", "m")], False, "suspended"),
        ([*WORLD, ROOT, *policy("p", deny()), ON_MEMBER], True, "root"),
        (WORLD, False, "implicit_deny"),
        ([*GRANTED, row("suspension", "other")], True, "allowed"),
        ([*WORLD, *policy("p", allow(), deny()), ON_MEMBER], False, "explicit_deny"),
    ],
)
def test_reason(rows, allowed, reason):
    verdict = decide(rows)
    assert (verdict.allowed, verdict.reason) == (allowed, reason)
    assert bool(verdict.because) == (reason in ("allowed", "explicit_deny"))


def test_two_memberships_at_once_are_no_world():
    with pytest.raises(ValueError, match="more than once"):
        decide([*WORLD, row("existence", "m2", "ann", "acme")])


# --- paths ------------------------------------------------------------------------------------------------------------

GROUP = [row("existence", "g"), row("group_membership", "m", "g", "acme")]
IN_GROUP = ("group_membership", "m", "g", "acme")


@pytest.mark.parametrize(
    ("edges", "path"),
    [
        ([row("policy_attachment", "m", "p", "acme")], [("policy_attachment", "m", "p", "acme")]),
        ([row("permission_grant", "m", "p", "acme")], [("permission_grant", "m", "p", "acme")]),
        (
            [*role("r"), row("role_attachment", "m", "r", "acme"), row("policy_attachment", "r", "p")],
            [("role_attachment", "m", "r", "acme"), ("policy_attachment", "r", "p", None)],
        ),
        (
            [*role("r"), row("role_attachment", "m", "r", "acme"), row("permission_grant", "r", "p", "acme")],
            [("role_attachment", "m", "r", "acme"), ("permission_grant", "r", "p", "acme")],
        ),
        ([*GROUP, row("policy_attachment", "g", "p", "acme")], [IN_GROUP, ("policy_attachment", "g", "p", "acme")]),
        ([*GROUP, row("permission_grant", "g", "p", "acme")], [IN_GROUP, ("permission_grant", "g", "p", "acme")]),
        (
            [*GROUP, *role("r"), row("role_attachment", "g", "r", "acme"), row("policy_attachment", "r", "p", "acme")],
            [IN_GROUP, ("role_attachment", "g", "r", "acme"), ("policy_attachment", "r", "p", "acme")],
        ),
    ],
)
def test_a_policy_reaches_by_the_path_and_the_statement_is_named_with_it(edges, path):
    rows = [*WORLD, *policy("p", deny("other"), allow()), *edges]
    assert reaching(rows) == {("p", tuple(path))}
    assert decide(rows) == (True, "allowed", {("p", 1, tuple(path))})
    for end in {place[2] for place in path}:  # every edge counts only while both ends exist
        assert reaching([r for r in rows if (r["kind"], r["holder"]) != ("existence", end)]) == frozenset()


def test_every_path_and_every_statement_is_named():
    rows = [*GRANTED, *GROUP, row("policy_attachment", "g", "p", "acme"), *policy("x", allow(), allow("disk.*"))]
    rows.append(row("permission_grant", "m", "x", "acme"))
    by_permission = (("permission_grant", "m", "x", "acme"),)
    by_group = (IN_GROUP, ("policy_attachment", "g", "p", "acme"))
    assert decide(rows).because == {
        ("p", 0, PATH),
        ("p", 0, by_group),
        ("x", 0, by_permission),
        ("x", 1, by_permission),
    }


def test_a_deny_wins_and_only_denies_are_named():
    rows = [*GRANTED, *policy("no", deny("disk.Read"), deny("disk.Write")), row("policy_attachment", "m", "no", "acme")]
    by = (("policy_attachment", "m", "no", "acme"),)
    assert decide(rows) == (False, "explicit_deny", {("no", 0, by)})
    assert decide(rows, action="disk.List") == (True, "allowed", {("p", 0, PATH)})


def test_an_assumable_role_grants_nothing_by_attachment():
    rows = [*WORLD, *policy("p", allow()), row("role_attachment", "m", "r", "acme")]
    rows.append(row("policy_attachment", "r", "p", "acme"))
    assert reaching([*rows, *role("r", "assumable")]) == frozenset()
    assert len(reaching([*rows, *role("r", "assignable")])) == 1


@pytest.mark.parametrize("scope", [None, "other"])
def test_an_assignment_of_another_scope_does_not_count(scope):
    rows = [*WORLD, *policy("p", allow()), *role("r"), row("policy_attachment", "r", "p", "acme")]
    rows += [row("policy_attachment", "m", "p", scope), row("role_attachment", "m", "r", scope)]
    assert reaching(rows) == frozenset()


def test_the_platform_scope_asks_the_user_and_not_her_membership():
    on_user = row("policy_attachment", "ann", "p")
    rows = [ANN, *policy("p", allow()), on_user]
    assert decide(rows, organization=None) == (True, "allowed", {("p", 0, (("policy_attachment", "ann", "p", None),))})
    assert decide([*WORLD, *rows, ROOT, row("suspension", "m")], organization=None).reason == "allowed"
    assert decide([*WORLD, *rows]).reason == "implicit_deny"  # and counts nowhere else
    assert decide(GRANTED, organization=None).reason == "implicit_deny"
    assert decide([*rows, row("block", "ann")], organization=None).reason == "account_blocked"
    assert decide([on_user], organization=None).reason == "account_ended"
    group = [row("existence", "g"), row("group_membership", "ann", "g"), row("policy_attachment", "g", "p")]
    assert reaching([ANN, *policy("p", allow()), *group], None) == frozenset()


def test_states_do_not_change_what_reaches_but_existence_does():
    assert reaching([*GRANTED, row("suspension", "m"), row("block", "ann"), ROOT]) == {("p", PATH)}
    for gone in (ANN, ACME, MEMBER):
        assert reaching([r for r in GRANTED if r is not gone]) == frozenset()


# --- registered APIs --------------------------------------------------------------------------------------------------

SYSTEM = spec.SYSTEM_API


def scope(name, spelt="read", identifier="urn:x", **more):
    return [row("existence", name, **more), row("api_scope", name, "api", value=[spelt, identifier])]


def on_api(rows, action="read", identifier="urn:x", organization="acme", **more):
    return decide(rows, action=action, resource=f"resource_server:{identifier}", organization=organization, **more)


def ending(rows, *ends):
    """The rows without the existence of those."""
    return [r for r in rows if (r["kind"], r["holder"]) not in {("existence", end) for end in ends}]


ON_ANN = row("permission_grant", "ann", "s")
HOLDS = [*WORLD, *scope("s"), row("permission_grant", "m", "s", "acme")]
HOLDS_OUTSIDE = [ANN, *scope("s"), ON_ANN]
OUTSIDE = {"organization": None}


def test_on_an_api_only_a_permission_to_its_scope_allows():
    assert on_api(HOLDS) == (True, "allowed", {("s", 0, (("permission_grant", "m", "s", "acme"),))})
    assert on_api(HOLDS, action="write").reason == "implicit_deny"
    assert on_api(HOLDS, identifier="urn:y").reason == "implicit_deny"
    assert on_api(HOLDS, identifier="").reason == "implicit_deny"
    assert decide(HOLDS, action="read", resource="disk:urn:x").reason == "implicit_deny"
    for kind in ("policy_attachment", "permission_grant"):
        rows = [*WORLD, *policy("p", allow(), allow("read", "resource_server:urn:x")), row(kind, "m", "p", "acme")]
        assert on_api(rows).reason == "implicit_deny"
        assert decide(rows).reason == "allowed"


def test_who_owns_the_organization_owns_no_api_but_states_bind_her():
    assert on_api([*WORLD, ROOT]).reason == "implicit_deny"
    assert on_api([*HOLDS, ROOT]).reason == "allowed"
    assert on_api([*HOLDS, ROOT, *policy("p", deny()), ON_MEMBER]).reason == "explicit_deny"
    assert on_api([*HOLDS, ROOT, row("suspension", "m")]).reason == "suspended"
    assert on_api([*HOLDS, row("block", "ann")]).reason == "account_blocked"
    assert on_api(ending(HOLDS, "acme")).reason == "organization_ended"


@pytest.mark.parametrize("resource", ["*", "resource_server:*", "resource_server:urn:x"])
def test_every_deny_counts_on_an_api(resource):
    rows = [*HOLDS, *policy("p", deny("re*", resource), allow()), ON_MEMBER]
    assert on_api(rows) == (False, "explicit_deny", {("p", 0, PATH)})


@pytest.mark.parametrize(
    ("spelt", "identifier", "action", "asked", "allowed"),
    [
        ("read:*", "urn:x", "read:*", "urn:x", True),
        ("read:*", "urn:x", "read:all", "urn:x", False),
        ("*", "urn:x", "*", "urn:x", True),
        ("*", "urn:x", "read", "urn:x", False),
        ("read", "urn:*", "read", "urn:*", True),
        ("read", "urn:*", "read", "urn:x", False),
        ("read", "*", "read", "", False),
        ("read", "*", "read", "*", True),
        ("read:*", "urn:x", "read:\x01", "urn:x", False),
    ],
)
def test_names_of_scopes_and_apis_are_meant_to_the_letter(spelt, identifier, action, asked, allowed):
    rows = [*WORLD, *scope("s", spelt, identifier), row("permission_grant", "m", "s", "acme")]
    assert on_api(rows, action, asked).allowed is allowed


def test_the_systems_own_api_allows_on_the_platform_only():
    system = scope("s", identifier=SYSTEM)
    inside = [*WORLD, *system, row("permission_grant", "m", "s", "acme"), ON_ANN]
    assert on_api(inside, identifier=SYSTEM).reason == "implicit_deny"
    assert on_api(inside, identifier=SYSTEM, **OUTSIDE).reason == "allowed"
    rows = [*inside, *policy("p", deny()), ON_MEMBER]
    assert on_api(rows, identifier=SYSTEM) == (False, "explicit_deny", {("p", 0, PATH)})


@pytest.mark.parametrize(
    "edges",
    [
        [row("permission_grant", "ann", "s")],
        [*role("r"), row("role_attachment", "ann", "r"), row("permission_grant", "r", "s", "acme")],
        [*WORLD, *GROUP, row("permission_grant", "g", "s")],
        [*WORLD, *GROUP, *role("r"), row("role_attachment", "g", "r"), row("permission_grant", "r", "s")],
    ],
)
def test_permissions_on_the_platform_come_from_her_roles_and_groups(edges):
    rows = [ANN, *scope("s"), *edges]
    assert on_api(rows, **OUTSIDE).reason == "allowed"
    assert on_api([*WORLD, *rows]).reason == "implicit_deny"
    assert on_api(ending(rows, "s"), **OUTSIDE).reason == "implicit_deny"
    by_role = [r for r in rows if r["kind"] == "role_definition"]
    assumable = [{**r, "value": '{"role_type": "assumable"}'} if r in by_role else r for r in rows]
    assert on_api(assumable, **OUTSIDE).allowed is (not by_role)


def test_a_group_counts_on_the_platform_while_a_membership_in_good_standing_is_in_it():
    other = [row("existence", "other"), row("existence", "m2", "ann", "other")]
    rows = [*WORLD, *GROUP, *policy("p", allow()), row("policy_attachment", "g", "p")]
    twice = [*rows, *other, row("group_membership", "m2", "g", "other")]
    by_m = (IN_GROUP, ("policy_attachment", "g", "p", None))
    by_m2 = (("group_membership", "m2", "g", "other"), ("policy_attachment", "g", "p", None))
    assert reaching(rows, None) == {("p", by_m)}
    assert reaching(twice, None) == {("p", by_m), ("p", by_m2)}
    for lost in (["acme"], ["m"]):
        assert reaching(ending(twice, *lost), None) == {("p", by_m2)}
    assert reaching([*twice, row("suspension", "m")], None) == {("p", by_m2)}
    assert reaching([*rows, row("suspension", "m", expires_at=NOW)], None) == {("p", by_m)}
    assert reaching(ending(twice, "g"), None) == frozenset()
    in_acme = [*WORLD, *GROUP, *policy("p", allow()), row("policy_attachment", "g", "p", "acme")]
    assert reaching(in_acme, None) == frozenset()
    assert reaching(rows) == frozenset()
    assert decide([*rows, row("block", "ann")], organization=None).reason == "account_blocked"


def test_a_pending_membership_counts_for_nothing():
    pending = row("pending", "m", "ann", "acme")
    rows = [ANN, ACME, pending, *GROUP, *policy("p", allow()), ON_MEMBER, row("policy_attachment", "g", "p")]
    assert decide(rows).reason == "not_a_member"
    assert decide(rows, organization=None).reason == "implicit_deny"
    assert [decide([*rows, MEMBER], organization=where).reason for where in ("acme", None)] == ["allowed"] * 2


GRANT = [row("existence", "c"), row("existence", "cg"), row("existence", "api"), row("client_grant", "c", "cg")]
IN_GRANT = [*scope("s"), row("permission_grant", "cg", "s")]
BY_GRANT = ("client_grant", "c", "cg", None)
AS_CLIENT = {"user": "c", "organization": None}


def terms(subject="client", *, all_scopes=False, identifier="urn:x", **more):
    value = {"subject": subject, "all_scopes": all_scopes, "identifier": identifier}
    return row("grant_definition", "cg", "api", value=value, **more)


def test_a_client_has_the_permissions_in_its_grants():
    rows = [*GRANT, *IN_GRANT, terms()]
    assert on_api(rows, **AS_CLIENT) == (True, "allowed", {("s", 0, (BY_GRANT, ("permission_grant", "cg", "s", None)))})
    assert on_api(rows, action="write", **AS_CLIENT).reason == "implicit_deny"
    assert on_api([*GRANT, *IN_GRANT, terms("user")], **AS_CLIENT).reason == "implicit_deny"
    assert on_api(ending(rows, "c"), **AS_CLIENT).reason == "account_ended"
    for end in ("cg", "api", "s"):
        assert on_api(ending(rows, end), **AS_CLIENT).reason == "implicit_deny"
    for edge in rows:
        expired = [{**r, "expires_at": NOW} if r is edge else r for r in rows]
        assert not on_api(expired, **AS_CLIENT).allowed
    assert on_api([ACME, *rows], user="c").reason == "not_a_member"


def test_a_grant_of_a_whole_api_allows_every_action_on_it_and_on_no_other():
    rows = [*GRANT, terms(all_scopes=True, identifier="urn:*")]
    for action in ("read", "anything:*", "*"):
        assert on_api(rows, action, "urn:*", **AS_CLIENT) == (True, "allowed", {("cg", 0, (BY_GRANT,))})
    assert on_api(rows, identifier="urn:x", **AS_CLIENT).reason == "implicit_deny"
    assert on_api(rows, identifier="", **AS_CLIENT).reason == "implicit_deny"
    assert on_api([*GRANT, terms("user", all_scopes=True)], **AS_CLIENT).reason == "implicit_deny"
    system = [*GRANT, terms(all_scopes=True, identifier=SYSTEM)]
    assert on_api(system, identifier=SYSTEM, **AS_CLIENT).reason == "allowed"
    both = [*rows[:-1], *IN_GRANT, terms(all_scopes=True)]
    assert {policy for policy, _, _ in on_api(both, **AS_CLIENT).because} == {"cg", "s"}


def test_a_grant_gives_the_users_of_a_client_nothing():
    rows = [*WORLD, *GRANT, *IN_GRANT, terms(all_scopes=True)]
    assert reaching(rows) == reaching(rows, None) == frozenset()


# --- time and history -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_at", "reason"), [(NOW - 1, "implicit_deny"), (NOW, "implicit_deny"), (NOW + 1, "allowed")]
)
def test_an_edge_is_dead_from_the_instant_at_which_it_expires(expires_at, reason):
    edge = row("policy_attachment", "m", "p", "acme", expires_at=expires_at)
    assert decide([*WORLD, *policy("p", allow()), edge]).reason == reason


def test_every_kind_of_row_can_expire():
    assert decide([*GRANTED, row("block", "ann", expires_at=NOW)]).reason == "allowed"
    assert decide([*GRANTED, row("suspension", "m", expires_at=NOW)]).reason == "allowed"
    assert decide([*WORLD, row("root", "m", "acme", "acme", expires_at=NOW)]).reason == "implicit_deny"
    assert decide([ANN, ACME, row("existence", "m", "ann", "acme", expires_at=NOW)]).reason == "not_a_member"


@pytest.mark.parametrize(("at", "reason"), [(1, "implicit_deny"), (2, "allowed"), (3, "allowed"), (4, "implicit_deny")])
def test_history_answers_at_the_revision_asked_for(at, reason):
    edge = row("policy_attachment", "m", "p", "acme", since=2, until=4)
    assert decide([*WORLD, *policy("p", allow()), edge], at=at).reason == reason


def test_an_older_document_decides_at_its_own_revisions():
    rows = [*WORLD, row("existence", "p"), ON_MEMBER]
    rows.append(row("document", "p", value={"Statement": allow()}, until=3))
    rows.append(row("document", "p", value={"Statement": deny()}, since=3))
    assert [decide(rows, at=at).reason for at in (2, 3)] == ["allowed", "explicit_deny"]


def test_a_new_membership_starts_from_nothing():
    first, second = row("existence", "m", "ann", "acme", until=3), row("existence", "m2", "ann", "acme", since=4)
    rows = [ANN, ACME, first, second, *policy("p", allow()), ON_MEMBER]
    assert [decide(rows, at=at).reason for at in (2, 3, 4)] == ["allowed", "not_a_member", "implicit_deny"]


def test_a_deleted_role_takes_and_its_restoration_gives_back():
    rows = [*WORLD, *policy("p", allow()), *role("r", until=3), row("existence", "r", since=4)]
    rows += [row("role_attachment", "m", "r", "acme"), row("policy_attachment", "r", "p")]
    assert [decide(rows, at=at).allowed for at in (2, 3, 4)] == [True, False, True]


# --- patterns ---------------------------------------------------------------------------------------------------------


def matches(**statement_and_request):
    statement, request = statement_and_request["statement"], statement_and_request.get("request", {})
    return decide([*WORLD, *policy("p", statement), ON_MEMBER], **request).reason != "implicit_deny"


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("disk.Read", "disk.Read", True),
        ("disk.read", "disk.Read", False),
        ("disk", "disk.Read", False),
        ("disk.*", "disk.", True),
        ("*.Read", "disk.Read", True),
        ("d*k*d", "disk.Read", True),
        ("d**d", "disk.Read", True),
        ("disk.Rea?", "disk.Read", False),
        ("disk_Read", "disk.Read", False),
        (["a", "disk.Read"], "disk.Read", True),
        ([], "disk.Read", False),
    ],
)
def test_action(pattern, action, expected):
    assert matches(statement=allow(pattern), request={"action": action}) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("*", "disk:d1", True),
        ("*", "disk:", True),
        ("disk:*", "disk:d1", True),
        ("disk:*", "disk:", True),
        ("disk:**", "disk:", False),
        ("disk:", "disk:", False),
        ("disk:*", "diskette:d1", False),
        ("disk:d*", "disk:d1", True),
        ("disk:d*", "disk:", False),
        ("disk:d1", "disk:d1", True),
        ("disk:D1", "disk:d1", False),
        ("disk:a:*", "disk:a:b", True),
        ("*:d1", "disk:d1", False),
        ("d1", "disk:d1", True),
        ("d1", "host:d1", True),
        ("d*", "disk:d1", False),
        ("d*", "disk:d*", True),
        ("", "disk:", False),
        ("disk:d1", "disk:d*", False),
        (["host:*", "d1"], "disk:d1", True),
    ],
)
def test_resource(pattern, resource, expected):
    assert matches(statement=allow("*", pattern), request={"resource": resource}) is expected


# --- conditions -------------------------------------------------------------------------------------------------------


def holds(operator, value, listed, effect="Allow"):
    statement = {"Effect": effect, "Action": "*", "Resource": "*", "Condition": {operator: {"context.k": listed}}}
    return matches(statement=statement, request={"context": {"k": value}})


@pytest.mark.parametrize(
    ("operator", "value", "listed", "expected"),
    [
        ("StringEquals", "a", ["b", "a"], True),
        ("StringEquals", "A", "a", False),
        ("StringEquals", True, "true", True),
        ("StringEquals", 12, "12", True),
        ("StringNotEquals", "a", ["b", "a"], False),
        ("StringNotEquals", "a", ["b", "c"], True),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "abc", "a?c", True),
        ("StringLike", "abc", "*c", True),
        ("StringLike", "ac", "a?c", False),
        ("StringNotLike", "abc", "a*", False),
        ("NumericEquals", 0.1, "0.1", True),
        ("NumericEquals", "10", 10.0, True),
        ("NumericNotEquals", 1, [2, 3], True),
        ("NumericLessThan", 2**53, 2**53 + 1, True),
        ("NumericLessThan", "9", "10", True),
        ("NumericLessThanEquals", 10, 10, True),
        ("NumericGreaterThan", 10, 10, False),
        ("NumericGreaterThanEquals", "1e1", 10, True),
        ("DateEquals", "2026-01-01", "2026-01-01T01:00:00+01:00", True),
        ("DateEquals", 0, "1970-01-01T00:00:00Z", True),
        ("DateNotEquals", 1.5, "1970-01-01T00:00:01.5", False),
        ("DateLessThan", "2026-01-01T00:00:00", "2026-01-01T00:00:00.000001Z", True),
        ("DateGreaterThanEquals", "2026-01-02", ["2027-01-01", "2026-01-02"], True),
        ("Bool", "true", True, True),
        ("Bool", False, "false", True),
        ("Bool", False, True, False),
        ("IpAddress", "10.1.2.3", "10.9.9.9/8", True),
        ("IpAddress", "10.1.2.3", "10.1.2.3", True),
        ("IpAddress", "::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("IpAddress", "10.1.2.3", ["::1", "::ffff:10.1.2.3"], True),
        ("IpAddress", "10.1.2.3", "::/0", False),
        ("IpAddress", "10.1.2.3", "::ffff:10.9.9.9/104", True),
        ("IpAddress", "2001:db8::1", "2001:db8::1", True),
        ("NotIpAddress", "11.0.0.1", "10.0.0.0/8", True),
        ("NotIpAddress", "2001:db8::1", "2001:db8::/32", False),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_operator(operator, value, listed, expected, effect):
    assert holds(operator, value, listed, effect) is expected
    assert holds(f"{operator}IfExists", value, listed, effect) is expected


@pytest.mark.parametrize(
    ("operator", "value", "listed"),
    [
        ("StringEquals", ["a"], "a"),
        ("StringNotEquals", {"a": 1}, "a"),
        ("StringLike", 1.5, "*"),
        ("NumericNotEquals", True, 2),
        ("NumericLessThan", float("inf"), 2),
        ("NumericLessThan", "1_0", 2),
        ("NumericLessThan", "nan", 2),
        ("DateNotEquals", True, 2),
        ("DateLessThan", "yesterday", 2),
        ("Bool", 1, True),
        ("Bool", "yes", True),
        ("IpAddress", 167772161, "0.0.0.0/0"),
        ("NotIpAddress", "10.0.0.0/8", "11.0.0.1"),
        ("NotIpAddressIfExists", [], "11.0.0.1"),
    ],
)
def test_what_cannot_be_read_never_allows_and_always_denies(operator, value, listed):
    assert not holds(operator, value, listed, "Allow")
    assert holds(operator, value, listed, "Deny")


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_absent_key(effect):
    assert not holds("StringEquals", None, "a", effect)
    assert holds("StringNotEquals", None, "a", effect)
    assert holds("StringEqualsIfExists", None, "a", effect)
    assert holds("NotIpAddressIfExists", None, "10.0.0.1", effect)
    assert holds("Null", None, True, effect)
    assert not holds("Null", None, "false", effect)
    assert holds("Null", [], False, effect)
    assert not holds("Null", "a", "true", effect)


def test_all_operators_and_all_keys_must_hold():
    both = allow(Condition={"StringEquals": {"context.a": "1", "context.b": "2"}, "Bool": {"context.c": True}})
    for c, b, expected in [(True, "2", True), (True, "3", False), (False, "2", False)]:
        assert matches(statement=both, request={"context": {"a": "1", "b": b, "c": c}}) is expected


@pytest.mark.parametrize(
    ("key", "value", "request_parts"),
    [
        ("subject.id", "ann", {"subject": {"id": "eve"}}),
        ("subject.type", "user", {"subject": {"type": "robot"}}),
        ("subject.team.name", "blue", {"subject": {"team": {"name": "blue"}}}),
        ("resource.type", "disk", {}),
        ("resource.id", "d1", {}),
        ("resource.owner", "ann", {"properties": {"owner": "ann"}}),
        ("action.name", "disk.Read", {"action_properties": {"name": "other"}}),
        ("action.how", "fast", {"action_properties": {"how": "fast"}}),
        ("context.a.b", "c", {"context": {"a": {"b": "c"}}}),
    ],
)
def test_key(key, value, request_parts):
    assert matches(statement=allow(Condition={"StringEquals": {key: value}}), request=request_parts)


@pytest.mark.parametrize(
    "context", [{}, {"a": None}, {"a": "text"}, {"a": [{"b": 1}]}, {"a.b": "1"}, {"a": {"b": None}}]
)
def test_a_key_that_leads_nowhere_is_absent(context):
    assert matches(statement=allow(Condition={"Null": {"context.a.b": True}}), request={"context": context})


@pytest.mark.parametrize("operator", ["StringMatches", "NotBool", "NullIfExists", "stringequals"])
def test_an_unknown_operator_is_an_error(operator):
    with pytest.raises(KeyError):
        holds(operator, "a", "a")


def test_a_listed_value_that_the_operator_cannot_read_is_an_error():
    with pytest.raises(ValueError, match="many"):
        holds("NumericEquals", 1, "many")


# --- independence -----------------------------------------------------------------------------------------------------


def test_the_specification_is_short_and_imports_the_standard_library_only():
    text = Path(spec.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 360
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module)
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names - {"importlib", "runpy"}
