"""Why a decision falls, what somebody has or had, and who could: as AuthZEN decides and the specification judges."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

import spec
from api.native.asking import (
    READ,
    SECOND,
    SUBJECTS,
    THING,
    UNKNOWN,
    Json,
    able,
    access,
    asking,
    decides,
    did,
    explain,
    first_organization,
    head,
    instant,
    machine,
    may,
    of_session,
    ok,
    outside,
    public_id,
    refused,
    suspend,
    undo,
    vultr,
    who_can,
)
from rescind.model.objects import ObjectKind
from rescind.node import Node
from rescind.store.schema import intervals
from rescind.usecases.platform import transfer_root
from stories.histories import as_specified
from tenant import MANAGEMENT, Tenant, pairs, quoted
from world import ROOT_EMAIL, Person, World, allow, deny, document, root_of_another


@pytest.fixture
def root(small_world: World) -> World:
    return small_world


def stranger(root: World) -> World:
    """The root of another organization."""
    assert root.node is not None
    return root.as_(root_of_another(root.node))


def root_person(root: World) -> Person:
    found = next(user for user in root.get("/v2/users")["users"] if user["email"] == ROOT_EMAIL)
    return Person(found["id"], root.key, ROOT_EMAIL)


def edges(path: list[Json]) -> tuple[str, ...]:
    return tuple(step["edge"] for step in path)


def take(root: World, step: Json) -> None:
    """Remove an edge as whoever reads it would."""
    thing, holder = step["id"], step["holder"]
    is_user = root.status(f"/v2/users/{holder}") == 200
    is_group = root.status(f"/v2/groups/{holder}") == 200
    where = "users" if is_user else "groups"
    match step["edge"]:
        case "group_membership":
            root.delete(f"/v2/groups/{thing}/members/{holder}")
        case "role_attachment":
            root.delete(f"/v2/roles/{thing}/{where}/{holder}")
        case "policy_attachment" if is_user or is_group:
            root.delete(f"/v2/policies/{thing}/{where}/{holder}")
        case "policy_attachment":
            root.delete(f"/v2/roles/{holder}/policies/{thing}")
        case "permission_grant":
            ok(root.call("PATCH", f"/v2/users/{holder}", {"acls": []}), 202)
        case other:
            raise AssertionError(other)


# --- explain: the decision and its paths ------------------------------------------------------------------------------

Build = Callable[[World, Person], Any]
DIRECT, BY_ROLE = ("policy_attachment",), ("role_attachment", "policy_attachment")
BY_GROUP, BY_GROUP_ROLE = ("group_membership", *DIRECT), ("group_membership", *BY_ROLE)
NOTHING = {"lost": [], "more_lost": 0, "gained": [], "more_gained": 0}
CONDITION = {"Condition": {"Bool": {"context.mfa": "true"}}}


def direct(root: World, ann: Person, rules: Json | None = None) -> None:
    root.attach_policy(root.policy(rules or allow(READ)), user=ann.id)


def by_role(root: World, ann: Person) -> None:
    root.attach_role(root.role(root.policy(allow(READ))), user=ann.id)


def by_group(root: World, ann: Person) -> None:
    root.attach_policy(root.policy(allow(READ)), group=root.group(ann))


def by_groups_role(root: World, ann: Person) -> None:
    root.attach_role(root.role(root.policy(allow(READ))), group=root.group(ann))


def one_policy_by_every_way(root: World, ann: Person) -> None:
    policy = root.policy(allow(READ))
    role, group = root.role(policy), root.group(ann)
    root.attach_policy(policy, user=ann.id)
    root.attach_policy(policy, group=group)
    root.attach_role(role, user=ann.id)
    root.attach_role(role, group=group)


def two_groups_with_one_role(root: World, ann: Person) -> None:
    role = root.role(root.policy(allow(READ)))
    for name in ("one", "two", "three"):
        root.attach_role(role, group=root.group(ann, name=name))


def denied_as_well(root: World, ann: Person) -> None:
    direct(root, ann)
    root.attach_policy(root.policy(deny("thing.*")), group=root.group(ann))


def both_statements(root: World, ann: Person) -> None:
    both = [allow(READ)["Statement"][0], allow("other.Read")["Statement"][0], allow("*", on=THING)["Statement"][0]]
    direct(root, ann, document(*both))


def only_with_mfa(root: World, ann: Person) -> None:
    direct(root, ann, allow(READ, **CONDITION))


def not_with_mfa(root: World, ann: Person) -> None:
    direct(root, ann)
    direct(root, ann, deny(READ, **CONDITION))


def suspended(root: World, ann: Person) -> None:
    direct(root, ann)
    suspend(root, ann)


def removed(root: World, ann: Person) -> None:
    direct(root, ann)
    root.delete(f"/v2/organizations/{root.organization()}/user/{ann.id}")


def of_a_deleted_role(root: World, ann: Person) -> None:
    role = root.role(root.policy(allow(READ)))
    root.attach_role(role, user=ann.id)
    root.delete(f"/v2/roles/{role}")


def of_an_assumable_role(root: World, ann: Person) -> None:
    root.attach_role(root.role(root.policy(allow(READ)), role_type="assumable"), user=ann.id)


def of_another_resource(root: World, ann: Person) -> None:
    direct(root, ann, allow(READ, on="thing:t2"))


def nothing(root: World, ann: Person) -> None:
    """She has nothing."""


MFA, NO_MFA, BAD_MFA = {"context": {"mfa": True}}, {"context": {"mfa": False}}, {"context": {"mfa": [1]}}
SITUATIONS: dict[str, tuple[Build, Json, str, list[tuple[int, tuple[str, ...]]]]] = {
    "nothing": (nothing, {}, "implicit_deny", []),
    "directly": (direct, {}, "allowed", [(0, DIRECT)]),
    "by a role": (by_role, {}, "allowed", [(0, BY_ROLE)]),
    "by a group": (by_group, {}, "allowed", [(0, BY_GROUP)]),
    "by a group's role": (by_groups_role, {}, "allowed", [(0, BY_GROUP_ROLE)]),
    "by every way": (
        one_policy_by_every_way,
        {},
        "allowed",
        [(0, DIRECT), (0, BY_ROLE), (0, BY_GROUP), (0, BY_GROUP_ROLE)],
    ),
    "by one role of three groups": (two_groups_with_one_role, {}, "allowed", [(0, BY_GROUP_ROLE)] * 3),
    "denied as well": (denied_as_well, {}, "explicit_deny", [(0, BY_GROUP)]),
    "two statements of one policy": (both_statements, {}, "allowed", [(0, DIRECT), (2, DIRECT)]),
    "only with mfa, with it": (only_with_mfa, MFA, "allowed", [(0, DIRECT)]),
    "only with mfa, without it": (only_with_mfa, NO_MFA, "implicit_deny", []),
    "only with mfa, of which nothing is said": (only_with_mfa, {}, "implicit_deny", []),
    "only with mfa, which nobody can read": (only_with_mfa, BAD_MFA, "implicit_deny", []),
    "not with mfa, with it": (not_with_mfa, MFA, "explicit_deny", [(0, DIRECT)]),
    "not with mfa, without it": (not_with_mfa, NO_MFA, "allowed", [(0, DIRECT)]),
    "not with mfa, which nobody can read": (not_with_mfa, BAD_MFA, "explicit_deny", [(0, DIRECT)]),
    "suspended": (suspended, {}, "suspended", []),
    # As nobody is, so that nobody learns who is on the platform.
    "removed": (removed, {}, "unknown_subject", []),
    "of a deleted role": (of_a_deleted_role, {}, "implicit_deny", []),
    "of an assumable role": (of_an_assumable_role, {}, "implicit_deny", []),
    "of another resource": (of_another_resource, {}, "implicit_deny", []),
}


@pytest.mark.parametrize("case", SITUATIONS)
def test_a_decision_is_explained_by_every_path_and_is_the_one_that_enforcement_points_get(
    root: World, case: str
) -> None:
    build, more, reason, expected = SITUATIONS[case]
    ann = root.person()
    build(root, ann)
    question = asking(ann, **more)

    found = explain(root, question)

    assert found["reason"] == reason
    assert found["decision"] is (reason == "allowed") is decides(root, question)
    paths = [(one["index"], edges(path)) for one in found["statements"] for path in one["paths"]]
    assert sorted(paths) == sorted(expected)
    for one in found["statements"]:
        assert one["policy"]["type"] == "policy"
        assert {path[-1]["id"] for path in one["paths"]} == {one["policy"]["id"]}
        assert {path[0]["holder"] for path in one["paths"]} == {ann.id}
        assert one["statement"]["Effect"] == ("Allow" if found["decision"] else "Deny")
    assert bool(found["ends_with"]) is found["decision"]
    assert found["revision"] == head(root)


ALLOWING = [case for case, (_, _, reason, _) in SITUATIONS.items() if reason == "allowed"]


@pytest.mark.parametrize("case", ALLOWING)
def test_what_ends_an_allow_really_ends_it_and_each_edge_of_it_is_needed(root: World, case: str) -> None:
    """Each edge is removed through the API, and until the last of them is gone she still may."""
    build, more, _, _ = SITUATIONS[case]
    ann = root.person()
    build(root, ann)
    question = asking(ann, **more)

    for step in explain(root, question)["ends_with"]:
        assert decides(root, question)
        take(root, step)

    assert not decides(root, question)
    assert explain(root, question)["reason"] == "implicit_deny"


def test_one_edge_that_all_paths_share_ends_it(root: World) -> None:
    ann = root.person()
    two_groups_with_one_role(root, ann)
    (step,) = explain(root, asking(ann))["ends_with"]
    assert (step["edge"], step["kind"]) == ("policy_attachment", "policy")


def test_a_legacy_permission_ends_where_it_was_given(root: World) -> None:
    ann = root.person(acls=["dns"])
    question = asking(ann, "user.acl.DNS")
    found = explain(root, question)
    assert [edges(path) for one in found["statements"] for path in one["paths"]] == [("permission_grant",)]
    for step in found["ends_with"]:
        take(root, step)
    assert not decides(root, question)


def test_what_ends_it_can_be_ended_by_who_owns_the_organization(root: World) -> None:
    """What the platform supplies cannot be taken apart from inside: then the edges to it are what ends it."""
    ann = root.person()
    managed = next(one for one in root.get("/v2/policies")["policies"] if one["name"] == "FullAccess")["id"]
    root.attach_policy(managed, user=ann.id)
    root.attach_policy(managed, group=root.group(ann))
    for step in explain(root, asking(ann))["ends_with"]:
        take(root, step)
    assert not decides(root, asking(ann))


def test_root_is_explained_by_what_makes_her_root(root: World) -> None:
    owner = root_person(root)
    found = explain(root, asking(owner))
    assert (found["decision"], found["reason"], found["statements"]) == (True, "root", [])
    assert [(step["edge"], step["holder"], step["kind"]) for step in found["ends_with"]] == [
        ("root", owner.id, "organization")
    ]
    assert decides(root, asking(owner))


def test_what_ends_the_allow_of_a_root_ends_it_when_policies_allow_it_as_well(root: World) -> None:
    """Who owned the organization and has a policy that allows, still may when she owns it no more."""
    owner, heir = root_person(root), root.person()
    direct(root, owner)
    assert root.node is not None
    heirs = root.own(heir)
    named = explain(root, asking(owner))["ends_with"]
    for step in named:
        if step["edge"] == "root":
            body = {"organization": root.organization(), "user": heir.id}
            root.node.service.operate("test", str(uuid.uuid4()), transfer_root, **body)
        else:
            take(heirs if root.status("/v2/users") != 200 else root, step)
    assert not decides(heirs, asking(owner)), [edges([step]) for step in named]


def test_nobody_is_an_unknown_subject(root: World) -> None:
    for question in (
        asking(UNKNOWN),
        asking("nobody"),
        asking(""),
        asking("email:nobody@example.org"),
        asking("auth0|nobody"),
        {**asking("x"), "subject": {"type": "spaceship", "id": "x"}},
        {**asking("x"), "subject": {"type": "client", "id": "x"}},
        {**asking("x"), "subject": {"type": "session", "id": "x"}},
        asking("x" * 5000),
    ):
        found = explain(root, question)
        assert (found["decision"], found["reason"], found["statements"], found["ends_with"]) == (
            False,
            "unknown_subject",
            [],
            [],
        )
        assert decides(root, question) is False


BAD_QUESTIONS: list[Any] = [
    {},
    [],
    {"subject": "ann"},
    {**asking("x"), "subject": {"type": 1, "id": "x"}},
    {**asking("x"), "action": {"name": 1}},
    {**asking("x"), "action": {}},
    {**asking("x"), "resource": {"type": "thing"}},
    {**asking("x"), "context": "text"},
    {**asking("x"), "subject": {"type": "user", "id": "x", "properties": []}},
]


def test_a_question_that_is_none_is_refused_as_enforcement_points_are(root: World) -> None:
    for body in BAD_QUESTIONS:
        ok(root.call("POST", "/v1/explain", body), 400)
        ok(root.call("POST", "/access/v1/evaluation", body), 400)


def test_fields_that_nobody_knows_are_ignored(root: World) -> None:
    ann = root.person()
    direct(root, ann)
    question = {**asking(ann), "future": 1, "subject": {"type": "user", "id": ann.id, "future": 1}}
    assert explain(root, question)["decision"] is decides(root, question) is True


# --- the specification judges -----------------------------------------------------------------------------------------


class Judge:
    """The specification on everything that is stored."""

    def __init__(self, root: World) -> None:
        assert root.node is not None
        self.node: Node = root.node
        self.root = root
        with self.node.store.snapshot() as connection:
            self.rows = [as_specified(row) for row in connection.execute(sa.select(intervals))]

    def key(self, kind: ObjectKind, identifier: str) -> int:
        moment = self.node.freshness.now()
        with self.node.store.reading(moment.revision, moment.instant) as reader:
            found = reader.find_object(kind, identifier)
        assert found is not None
        return found.key

    def verdict(self, person: Person, action: str, resource: str, context: Json) -> spec.Verdict:
        kind, _, name = resource.partition(":")
        asked = {
            "user": self.key(ObjectKind.USER, person.id),
            "organization": self.key(ObjectKind.ORGANIZATION, self.root.organization()),
            "action": action,
            "resource": {"type": kind, "id": name},
            "subject": {},
            "context": context,
            "action_properties": {},
        }
        return spec.decide(self.rows, asked, head(self.root), instant(self.root))


def test_the_specification_says_the_same_with_as_many_paths(root: World) -> None:
    """Of everybody in every situation, for several requests."""
    people = []
    for build, *_ in SITUATIONS.values():
        person = root.person(service=True)
        build(root, person)
        people.append(person)
    judge = Judge(root)
    for person in [*people, root_person(root)]:
        for action, resource, context in (
            (READ, THING, {}),
            (READ, THING, {"mfa": True}),
            (READ, "thing:t2", {"mfa": "false"}),
            ("other.Read", "thing:*", {}),
            (READ, "resource_server:x", {}),
        ):
            verdict = judge.verdict(person, action, resource, context)
            question = asking(person, action, resource, context=context)
            found = explain(root, question)
            reason = "unknown_subject" if verdict.reason == "not_a_member" else verdict.reason
            assert (found["decision"], found["reason"]) == (verdict.allowed, reason)
            assert sum(len(one["paths"]) for one in found["statements"]) == len(verdict.because)
            assert decides(root, question) is verdict.allowed


# --- sessions ---------------------------------------------------------------------------------------------------------


def opened(root: World, ann: Person, *, may_assume: Json | None = None, world: World | None = None) -> Json:
    """A session of hers, of a role that reads things."""
    role = root.role(root.policy(allow(READ)), role_type="assumable")
    root.post("/v2/role-trusts", {"role_id": role, "trust_type": "TemporaryAssumption", "trusted_user_id": ann.id})
    direct(root, ann, may_assume or allow("iam.role.AssumeRole"))
    asked = {"role_id": role, "session_name": "n"}
    return dict((world or root).as_(ann.key).post("/v2/assumed-roles/assume", asked)) | {"role": role}


def test_a_session_is_explained_by_the_role_that_it_entered(root: World) -> None:
    ann = root.person()
    session = opened(root, ann)
    question = of_session(session["id"])
    found = explain(root, question)
    assert (found["decision"], decides(root, question)) == (True, True)
    assert [edges(path) for one in found["statements"] for path in one["paths"]] == [
        ("assumption", "policy_attachment")
    ]
    assert access(root, session["id"], type="session")["permissions"] == found["statements"]
    assert refused(root, "GET", f"/v1/principals/{session['id']}/access", status=404)
    assert [one["id"] for one in who_can(root, {**question, "subject": {"type": "session"}})["results"]] == [
        session["id"]
    ]
    suspend(root, ann)
    assert explain(root, question)["reason"] == "suspended"
    assert not decides(root, question)


def test_a_session_of_another_organization_is_unknown(root: World) -> None:
    session = opened(root, root.person())
    other = stranger(root)
    assert explain(other, of_session(session["id"]))["reason"] == "unknown_subject"
    assert other.call("GET", f"/v1/principals/{session['id']}/access", params={"type": "session"}).status_code == 404


def test_a_session_asks_with_the_rights_of_its_role_alone(root: World) -> None:
    """Whatever its user may: the session may explain as soon as its role does, and no sooner."""
    ann = root.person()
    session = opened(root, ann)
    direct(root, ann, allow("iam.decision.Explain", "iam.access.Read"))
    entered = root.as_(session["session_token"])
    for method, path, body in (
        ("POST", "/v1/explain", asking(ann)),
        ("POST", "/v1/who-can", asking(ann)),
        ("GET", f"/v1/principals/{ann.id}/access", None),
    ):
        refused(entered, method, path, body)
        assert root.as_(ann.key).call(method, path, body).status_code == 200
    root.post(f"/v2/roles/{session['role']}/policies/{root.policy(allow('iam.decision.Explain'))}")
    assert explain(entered, asking(ann))["decision"] is False


# --- who may ask, and about which organization ------------------------------------------------------------------------


def test_who_may_not_ask_is_told_nothing(root: World) -> None:
    ann, weak = root.person(), able(root, "iam.decision.Evaluate", "iam.decision.Search")
    direct(root, ann)
    refused(weak, "POST", "/v1/explain", asking(ann))
    refused(weak, "POST", "/v1/who-can", asking(ann))
    refused(weak, "GET", f"/v1/principals/{ann.id}/access")


ELSEWHERE = [UNKNOWN, "", "org_0000000000000000", 5, [], {}, True, "*"]


@pytest.mark.parametrize("path", ["/v1/explain", "/v1/who-can"])
def test_every_organization_that_is_not_ones_own_is_refused_in_the_same_words(root: World, path: str) -> None:
    """One that is there, one that is not, and what is no organization's name: 403, and what AuthZEN says."""
    ann, other = root.person(), stranger(root)
    theirs = other.organization()
    said = set()
    for name in [theirs, *ELSEWHERE]:
        question = asking(ann, context={"organization": name})
        said.add(refused(root, "POST", path, question)["detail"])
        assert root.call("POST", "/access/v1/evaluation", question).status_code == 403
    assert said == {"not permitted to ask about this organization"}


def test_ones_own_organization_may_be_named(root: World) -> None:
    ann = root.person()
    direct(root, ann)
    for name in (root.organization(), None):
        question = asking(ann, context={"organization": name})
        assert explain(root, question)["decision"] is decides(root, question) is True
        assert [one["id"] for one in who_can(root, question)["results"]].count(ann.id) == 1


def test_a_member_of_two_organizations_asks_about_both_as_at_enforcement_points(root: World) -> None:
    """With a key of her own, where she may ask there."""
    ann = root.person()
    direct(root, ann, allow("*"))
    hers = root.own(ann)
    there = hers.post("/v2/organizations", {"name": "Hers"})["id"]
    question = asking(ann, context={"organization": there})
    assert decides(hers, question)
    assert ok(hers.call("POST", "/v1/explain", question))["reason"] == "root"


def test_nobody_learns_from_an_explanation_who_is_on_the_platform(root: World) -> None:
    """Of somebody of another organization the same is said as of nobody, by whatever name she is asked about."""
    other = stranger(root)
    cid = other.person()
    ok(other.call("PATCH", f"/v1/principals/{cid.id}", {"alias": "cid"}))
    nobody = {name: explain(root, asking(UNKNOWN))[name] for name in ("decision", "reason")}
    told = {
        name: explain(root, asking(name))["reason"]
        for name in (cid.id, f"email:{cid.email}", "cid")
        if explain(root, asking(name))["reason"] != nobody["reason"]
    }
    assert not told


def test_an_administrator_of_the_platform_explains_what_is_so_inside_and_outside(small_tenant: Tenant) -> None:
    root, admin = vultr(small_tenant), outside(small_tenant)
    ann = root.person()
    direct(root, ann)
    there = first_organization(small_tenant)
    for name in (there, root.organization()):
        question = asking(ann, context={"organization": name})
        found = explain(admin, question)
        assert found["decision"] is decides(admin, question) is True
        assert found["statements"] == explain(root, asking(ann))["statements"]
        assert [one["id"] for one in who_can(admin, question)["results"]].count(ann.id) == 1
    assert explain(admin, asking(ann))["reason"] == "implicit_deny"

    api = small_tenant.api("read")["identifier"]
    hers = public_id(small_tenant, ann)
    granted = {"permissions": pairs((api, "read"))}
    small_tenant.send("POST", f"/users/{quoted(hers)}/permissions", granted, status=201)
    resource = {"type": "resource_server", "id": api}
    question = asking(hers, "read", resource)
    found = explain(admin, question)
    assert (found["decision"], decides(admin, question)) == (True, True)
    assert [one["policy"]["type"] for one in found["statements"]] == ["permission"]
    assert [edges([step]) for step in found["ends_with"]] == [("permission_grant",)]
    small_tenant.send("DELETE", f"/users/{quoted(hers)}/permissions", granted, status=204)
    assert not decides(admin, question)

    client = {**asking("x", "read:users", {"type": "resource_server", "id": MANAGEMENT})}
    client["subject"] = {"type": "client", "id": small_tenant.client_id}
    assert explain(admin, client)["decision"] is decides(admin, client)
    listed = who_can(admin, {**client, "subject": {"type": "client"}})["results"]
    assert (small_tenant.client_id in [one["id"] for one in listed]) is decides(admin, client)


def test_an_administrator_of_the_platform_needs_the_scope(small_tenant: Tenant) -> None:
    root = vultr(small_tenant)
    ann = root.person()
    weak = machine(small_tenant, "read:users", "iam.decision.Evaluate")
    there = {"context": {"organization": first_organization(small_tenant)}}
    for more in ({}, there):
        refused(weak, "POST", "/v1/explain", asking(ann, **more))
        refused(weak, "POST", "/v1/who-can", asking(ann, **more))
    refused(weak, "GET", f"/v1/principals/{quote(public_id(small_tenant, ann), '')}/access")
    able_ = machine(small_tenant, "iam.decision.Explain")
    explain(able_, asking(ann, **there))
    said = {
        refused(able_, "POST", "/v1/explain", asking(ann, context={"organization": name}))["detail"]
        for name in ELSEWHERE
    }
    assert said == {"not permitted to ask about this organization"}


# --- what somebody has ------------------------------------------------------------------------------------------------


def held(found: Json) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((one["policy"]["id"], edges(path)) for one in found["permissions"] for path in one["paths"])


def test_access_holds_every_statement_with_every_path(root: World) -> None:
    """As the specification says what reaches her, whatever her state."""
    people = {case: root.person(service=True) for case in SITUATIONS if case != "removed"}
    for case, person in people.items():
        SITUATIONS[case][0](root, person)
    judge = Judge(root)
    here = judge.key(ObjectKind.ORGANIZATION, root.organization())
    facts = spec.facts_at(judge.rows, head(root), instant(root))
    for case, person in people.items():
        reaching = spec.reaching(judge.rows, judge.key(ObjectKind.USER, person.id), here, head(root), instant(root))
        found = access(root, person)
        assert len(held(found)) == sum(len(spec.statements_of(facts, policy)) for policy, _ in reaching)
        assert found["principal"] == {"type": "user", "id": person.id}
        assert found["state"] == ("suspended" if case == "suspended" else None)
        assert found["compared"] is None
        assert found["revision"] == head(root)


def test_the_past_is_what_it_was_by_revision_and_by_time(root: World) -> None:
    """Nothing that came after changes what is said of a moment that has passed."""
    ann = root.person()
    told: list[tuple[int, int, list[Any], str | None]] = []

    def note() -> None:
        found = access(root, ann)
        told.append((found["revision"], found["instant"], held(found), found["state"]))

    note()
    policy = root.policy(allow(READ))
    root.attach_policy(policy, user=ann.id)
    note()
    group = root.group(ann)
    root.attach_policy(policy, group=group)
    note()
    suspend(root, ann)
    note()
    root.delete(f"/v2/groups/{group}")
    note()
    root.delete(f"/v2/policies/{policy}")
    note()
    root.delete(f"/v2/organizations/{root.organization()}/user/{ann.id}")
    assert root.call("GET", f"/v1/principals/{ann.id}/access").status_code == 404
    for revision, when, expected, state in told:
        iso = datetime.fromtimestamp(when / SECOND, UTC).isoformat(timespec="microseconds")
        for at in (str(revision), str(when), iso):
            found = access(root, ann, at=at)
            assert (found["revision"], held(found), found["state"]) == (revision, expected, state), at
            assert found["compared"] is None


NO_MOMENTS = {
    "a revision to come": "{next}",
    "a time to come": "{soon}",
    "a date to come": "2999-01-01",
    "the revision before the first": "0",
    "a negative one": "-1",
    "a word": "yesterday",
    "another spelling of a revision": "01",
    "a sign": "+1",
    "a fraction": "1.0",
    "white space": " 1",
    "no day": "2024-02-30",
    "no year": "0000-01-01",
    "too large a number": "9" * 18,
    "much too large a number": "9" * 400,
    "other digits": "\u0661",
    "null": "null",
}


def test_what_is_no_moment_of_the_past_is_refused(root: World) -> None:
    ann = root.person()
    for case, spelled in NO_MOMENTS.items():
        said = spelled.format(next=head(root) + 1, soon=instant(root) + 3600 * SECOND)
        for name in ("at", "since"):
            response = root.call("GET", f"/v1/principals/{ann.id}/access", params={name: said})
            assert response.status_code == 400, (case, name, response.text)


@pytest.mark.parametrize("moment", ["1", "1990-01-01"])
def test_before_there_was_anything_nobody_had_anything(root: World, moment: str) -> None:
    """Who was nobody then is not found then; and all that she has she gained since."""
    ann = root.person()
    direct(root, ann)
    path = f"/v1/principals/{ann.id}/access"
    assert root.call("GET", path, params={"at": moment}).status_code == 404
    compared = access(root, ann, since=moment)["compared"]
    assert [row["action"] for row in compared["gained"]] == [READ]
    assert compared["lost"] == []


def test_what_came_and_went_since_a_moment_is_told(root: World) -> None:
    """With the paths by which it was had, and what still covers a part of it."""
    ann = root.person()
    policy, other = root.policy(allow(READ)), root.policy(allow("other.Read"))
    root.attach_policy(policy, user=ann.id)
    before = head(root)
    assert access(root, ann, since=str(before))["compared"] == NOTHING
    root.delete(f"/v2/policies/{policy}/users/{ann.id}")
    between = head(root)
    root.attach_policy(other, user=ann.id)
    compared = access(root, ann, since=str(before))["compared"]
    assert [(row["action"], row["verdict"], [edges(path) for path in row["paths"]]) for row in compared["lost"]] == [
        (READ, "entirely", [DIRECT])
    ]
    assert [row["action"] for row in compared["gained"]] == ["other.Read"]
    then = access(root, ann, at=str(before), since=str(between))
    assert held(then) == [(policy, DIRECT)]
    assert [row["action"] for row in then["compared"]["gained"]] == [READ]
    assert then["compared"]["lost"] == []


def test_what_somebody_lost_by_being_removed_is_told(root: World) -> None:
    """Of all questions about the past the one that is asked most: what did she have that she has no more?"""
    ann = root.person()
    direct(root, ann)
    before = head(root)
    root.delete(f"/v2/organizations/{root.organization()}/user/{ann.id}")
    found = access(root, ann, since=str(before))
    assert found["state"] == "not_a_member"
    assert found["permissions"] == []
    assert [row["action"] for row in found["compared"]["lost"]] == [READ]
    assert found["compared"]["gained"] == []


def test_a_suspension_takes_all_and_its_end_gives_it_back(root: World) -> None:
    ann = root.person()
    direct(root, ann)
    before = head(root)
    suspended_at = suspend(root, ann)
    assert [row["action"] for row in access(root, ann, since=str(before))["compared"]["lost"]] == [READ]
    root.call("PUT", f"/v2/organizations/{root.organization()}/user/{ann.id}/unsuspend")
    assert access(root, ann, since=str(before))["compared"] == NOTHING
    gained = access(root, ann, since=str(suspended_at))["compared"]["gained"]
    assert [row["action"] for row in gained] == [READ]


def test_access_of_root_names_her_state(root: World) -> None:
    assert access(root, root_person(root))["state"] == "root"


def test_nobody_of_another_organization_has_access_here(root: World) -> None:
    """404, in the words that are said of nobody, now and in the past, for every type."""
    other = stranger(root)
    cid = other.person()
    for query in ({}, {"at": str(head(root))}, {"since": str(head(root))}, {"type": "client"}, {"type": "session"}):
        said = {
            ok(root.call("GET", f"/v1/principals/{name}/access", params=query), 404)["detail"]
            for name in (cid.id, UNKNOWN)
        }
        assert said == {"principal not found"}, query


def test_a_right_on_one_is_none_on_another_by_another_of_her_names(root: World) -> None:
    """Whose access nobody may read is not found by her alias or address either."""
    ann, boss = root.person(), root.person()
    ok(root.call("PATCH", f"/v1/principals/{boss.id}", {"alias": "boss"}))
    auditor = root.person()
    rules = document(
        *allow("iam.access.Read")["Statement"], *deny("iam.access.Read", on=f"user:{boss.id}")["Statement"]
    )
    direct(root, auditor, rules)
    world = root.as_(auditor.key)
    access(world, ann)
    read = [
        name
        for name in (boss.id, "boss", f"email:{boss.email}", f"email:{boss.email.upper()}")
        if world.call("GET", f"/v1/principals/{quote(name, '')}/access").status_code == 200
    ]
    assert not read


def test_who_may_read_one_persons_access_reads_it_by_whatever_name(root: World) -> None:
    """Or is refused: never is somebody else's read."""
    ann, bob = root.person(), root.person()
    ok(root.call("PATCH", f"/v1/principals/{bob.id}", {"alias": "bob"}))
    world = able(root, "iam.access.Read", on=f"user:{ann.id}")
    assert access(world, ann)["principal"]["id"] == ann.id
    for name in (bob.id, "bob", f"email:{bob.email}"):
        assert world.call("GET", f"/v1/principals/{quote(name, '')}/access").status_code in (403, 404)


def test_the_past_is_for_who_may_ask_now(root: World) -> None:
    """A right that was taken since opens no past in which it was had."""
    ann, auditor = root.person(), root.person()
    policy = root.policy(allow("iam.access.Read"))
    root.attach_policy(policy, user=auditor.id)
    world, then = root.as_(auditor.key), head(root)
    access(world, ann, at=str(then))
    root.delete(f"/v2/policies/{policy}/users/{auditor.id}")
    refused(world, "GET", f"/v1/principals/{ann.id}/access?at={then}")


def test_an_administrator_of_the_platform_reads_what_is_had_outside(small_tenant: Tenant) -> None:
    root, admin = vultr(small_tenant), outside(small_tenant)
    ann = root.person()
    direct(root, ann)
    hers = public_id(small_tenant, ann)
    assert access(admin, quote(hers, ""))["permissions"] == []
    api = small_tenant.api("read")["identifier"]
    before = head(small_tenant)
    role = small_tenant.role((api, "read"))
    small_tenant.assign(hers, role)
    found = access(admin, quote(hers, ""), since=str(before))
    assert [edges(path) for one in found["permissions"] for path in one["paths"]] == [
        ("role_attachment", "permission_grant")
    ]
    assert len(found["compared"]["gained"]) == 1
    client = access(admin, small_tenant.client_id, type="client")
    assert client["principal"]["type"] == "client"
    assert client["permissions"]


# --- who could --------------------------------------------------------------------------------------------------------

CONTEXTS: list[Json] = [{"mfa": mfa, "team": team} for mfa in ("true", "false") for team in ("blue", "red")]
"""All that the conditions of these tests can tell apart."""
BLUE = {"Condition": {"StringEquals": {"context.team": "blue"}}}
NOT_BLUE = {"Condition": {"StringNotEquals": {"context.team": "blue"}}}
CANDIDATES: dict[str, tuple[list[Json], str | None]] = {
    "always": ([allow(READ)], "always"),
    "with mfa": ([allow(READ, **CONDITION)], "only_if"),
    "with mfa, or in blue": ([allow(READ, **CONDITION), allow(READ, **BLUE)], "only_if"),
    "always, whatever a condition says beside": ([allow(READ), allow(READ, **CONDITION)], "always"),
    "not in blue": ([allow(READ), deny(READ, **BLUE)], "only_if"),
    "not outside of blue": ([allow(READ), deny(READ, **NOT_BLUE)], "only_if"),
    "with mfa and not in blue": ([allow(READ, **CONDITION), deny(READ, **BLUE)], "only_if"),
    "never": ([allow(READ), deny(READ)], None),
    "nothing": ([], None),
    "only a condition that cannot hold": (
        [allow(READ, Condition={"StringEquals": {"resource.type": "other"}})],
        None,
    ),
    "a condition that cannot fail": ([allow(READ, Condition={"StringEquals": {"resource.type": "thing"}})], "always"),
    "a deny that cannot hold": (
        [allow(READ), deny(READ, Condition={"StringEquals": {"subject.type": "client"}})],
        "always",
    ),
    "a deny of something else": ([allow(READ), deny("thing.Delete")], "always"),
    "everything": ([allow("*")], "always"),
}


def test_who_can_is_whoever_enforcement_points_would_let_in_some_context_and_nobody_else(root: World) -> None:
    """Always: in every context. Only if: just where one of the conditions holds and nothing of what it is unless."""
    people: dict[str, Person] = {}
    for name, (documents, _) in CANDIDATES.items():
        people[name] = root.person(service=True)
        for one in documents:
            direct(root, people[name], one)
    for name, build in (("suspended", suspended), ("removed", removed), ("by a group's role", by_groups_role)):
        people[name] = root.person(service=True)
        build(root, people[name])
    expected = {name: when for name, (_, when) in CANDIDATES.items()}
    expected |= {"suspended": None, "removed": None, "by a group's role": "always", "root": "always"}
    people["root"] = root_person(root)

    found = {one["id"]: one for one in who_can(root, asking(""))["results"]}

    assert {name: found[one.id]["when"] if one.id in found else None for name, one in people.items()} == expected
    assert found.keys() <= {one.id for one in people.values()}
    for name, person in people.items():
        candidate = found.get(person.id)
        for context in CONTEXTS:
            allowed = decides(root, asking(person, context=context))
            if candidate is None:
                assert not allowed, name
            elif candidate["when"] == "always":
                assert allowed, name
                assert candidate["conditions"] == candidate["unless"] == []
            else:
                holding = [holds(block, context) for block in candidate["conditions"]]
                is_let = (any(holding) or not holding) and not any(
                    holds(block, context, "Deny") for block in candidate["unless"]
                )
                assert allowed is is_let, (name, context)


def holds(block: Json, context: Json, effect: str = "Allow") -> bool:
    return all(
        spec.holds(operator, spec.find({"context": context}, key), listed, effect)
        for operator, tests in block.items()
        for key, listed in tests.items()
    )


def test_what_a_request_says_already_is_settled(root: World) -> None:
    """With the context that enforcement points would send, exactly those whom they let in may always."""
    ann, bob, cid = root.person(), root.person(), root.person()
    direct(root, ann, allow(READ, **CONDITION))
    direct(root, bob, allow(READ, **BLUE))
    direct(root, cid)
    direct(root, cid, deny(READ, **BLUE))
    for context in CONTEXTS:
        question = asking("", context=context)
        found = {one["id"]: one["when"] for one in who_can(root, question)["results"]}
        searched = {one["id"] for one in ok(root.call("POST", SUBJECTS, question))["results"]}
        assert set(found) == searched
        assert set(found.values()) == {"always"}
    half = {one["id"]: one for one in who_can(root, asking("", context={"mfa": "true"}))["results"]}
    assert half[ann.id]["when"] == "always"
    assert half[bob.id]["conditions"] == [{"StringEquals": {"context.team": ["blue"]}}]
    assert half[cid.id]["unless"] == [{"StringEquals": {"context.team": ["blue"]}}]


BROUGHT: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "a name of the subject": (
        "subject.name",
        lambda asked: {**asked, "subject": {**asked["subject"], "properties": {"name": "v"}}},
    ),
    "a property of the subject": (
        "subject.level",
        lambda asked: {**asked, "subject": {**asked["subject"], "properties": {"level": "v"}}},
    ),
    "a name of the resource": (
        "resource.name",
        lambda asked: {**asked, "resource": {**asked["resource"], "properties": {"name": "v"}}},
    ),
    "a property of the action": (
        "action.soft",
        lambda asked: {**asked, "action": {"name": READ, "properties": {"soft": "v"}}},
    ),
    "a type of the action": (
        "action.type",
        lambda asked: {**asked, "action": {"name": READ, "properties": {"type": "v"}}},
    ),
    "an id in the context": ("context.id", lambda asked: {**asked, "context": {"id": "v"}}),
}


@pytest.mark.parametrize("case", BROUGHT)
def test_whoever_some_request_would_let_in_is_in_the_list(root: World, case: str) -> None:
    """A condition may hang on anything that an enforcement point may say."""
    key, bring = BROUGHT[case]
    ann = root.person()
    direct(root, ann, allow(READ, Condition={"StringEquals": {key: "v"}}))
    assert not decides(root, asking(ann))
    assert decides(root, bring(asking(ann)))
    found = {one["id"]: one for one in who_can(root, asking(""))["results"]}
    assert ann.id in found
    assert found[ann.id]["conditions"] == [{"StringEquals": {key: ["v"]}}]


def test_a_session_that_may_be_used_only_from_somewhere_is_in_the_list(
    root: World, from_address: Callable[[World, str], World]
) -> None:
    """Its user may enter the role from there alone: enforcement points let it in there, and nowhere else."""
    ann = root.person()
    rules = allow("iam.role.AssumeRole", Condition={"IpAddress": {"context.source_ip": "192.0.2.0/24"}})
    session = opened(root, ann, may_assume=rules, world=from_address(root, "192.0.2.1"))
    question = of_session(session["id"])
    assert not decides(root, question)
    assert decides(root, {**question, "context": {"source_ip": "192.0.2.7"}})
    found = {one["id"]: one["when"] for one in who_can(root, {**question, "subject": {"type": "session"}})["results"]}
    assert found == {session["id"]: "only_if"}


def test_properties_that_are_stored_settle_what_they_say(root: World) -> None:
    ann, bob = root.person(), root.person()
    policy = root.policy(allow(READ, Condition={"StringEquals": {"subject.team": "blue", "resource.owner": "ann"}}))
    for person, team in ((ann, "blue"), (bob, "red")):
        root.attach_policy(policy, user=person.id)
        ok(root.call("PATCH", f"/v1/principals/{person.id}", {"properties": {"team": team}}))
    owner = root_person(root).id
    found = {one["id"]: one for one in who_can(root, asking(""))["results"]}
    assert found.keys() == {owner, ann.id}
    assert found[ann.id]["conditions"] == [{"StringEquals": {"resource.owner": ["ann"]}}]
    ok(root.call("PUT", "/v1/resources/thing/t1", {"properties": {"owner": "ann"}}))
    assert {one["id"]: one["when"] for one in who_can(root, asking(""))["results"]} == {
        owner: "always",
        ann.id: "always",
    }


def test_the_list_comes_in_parts_that_are_the_whole(root: World) -> None:
    """Each part as long as was asked for but the last; a cursor goes on with its own question alone."""
    policy = root.policy(allow(READ))
    for number in range(5):
        person = root.person(service=True)
        if number != 2:
            root.attach_policy(policy, user=person.id)
    whole = [one["id"] for one in who_can(root, asking(""))["results"]]
    assert len(whole) == 5
    for limit in (1, 2, 4, 5, 6, 500, 10**9):
        found: list[str] = []
        cursor = ""
        while True:
            part = who_can(root, asking(""), limit=limit, **({"cursor": cursor} if cursor else {}))
            found += [one["id"] for one in part["results"]]
            cursor = part["next"]
            if not cursor:
                break
            assert len(part["results"]) == limit
        assert found == whole, limit
    cursor = who_can(root, asking(""), limit=1)["next"]
    other = stranger(root)
    for world, question in (
        (root, asking("", "other.Read")),
        (root, asking("", context={"a": 1})),
        (other, asking("")),
    ):
        assert world.call("POST", "/v1/who-can", question, params={"limit": 1, "cursor": cursor}).status_code == 400
    for query in ({"limit": 0}, {"limit": -1}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "\u0661"}):
        assert root.call("POST", "/v1/who-can", asking(""), params=query).status_code == 400, query


def test_who_can_names_people_as_enforcement_points_do(root: World) -> None:
    ann = root.person()
    direct(root, ann)
    ok(root.call("PATCH", f"/v1/principals/{ann.id}", {"alias": "ann"}))
    (found,) = [one for one in who_can(root, asking(""))["results"] if one["id"] != root_person(root).id]
    assert (found["type"], found["id"]) == ("user", "ann")
    assert decides(root, asking("ann"))
    assert [edges(path) for one in found["statements"] for path in one["paths"]] == [DIRECT]


def test_nobody_of_another_organization_is_in_the_list(root: World) -> None:
    other = stranger(root)
    direct(root, root.person())
    assert len(who_can(root, asking(""))["results"]) == 2
    assert [one["when"] for one in who_can(other, asking(""))["results"]] == ["always"]
    for kind in ("client", "spaceship", ""):
        assert who_can(root, {**asking(""), "subject": {"type": kind}})["results"] == []


def test_an_undone_removal_is_explained_like_any_other_access(root: World) -> None:
    ann = root.person()
    direct(root, ann)
    was = explain(root, asking(ann))["statements"]
    left = did(root, "DELETE", f"/v2/organizations/{root.organization()}/user/{ann.id}")
    assert not may(root, ann)
    undo(root, left)
    assert may(root, ann)
    assert explain(root, asking(ann))["statements"] == was
