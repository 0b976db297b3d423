"""Assumed-role sessions, held against cases and against the executable specification; and the terms of trusts."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import spec
import spec_sessions
from decision.worlds import Row, fact_of, said
from rescind.decision.decide import AccessRequest, Decision, Reason, decide
from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.decision.trusts import unmet
from rescind.model.errors import Invalid
from rescind.model.facts import Fact
from rescind.model.trusts import Terms, terms_of

ANN, BOB, ACME, HERS, HIS, TEAM, CREW, ROLE, DUTY, SESSION, KEY, TRUST, ENTRY, PERK, DAILY, EXTRA = range(1, 17)
"""Ann, whose membership is HERS, is in the TEAM, which the TRUST lets into the ROLE; the ENTRY allows her to assume it.

The PERK is what the role holds, and DAILY what she has without it.
"""

ROLE_ID = "role-1"
REVISION = 5


def at(text: str) -> int:
    """Microseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


MORNING, EVENING = at("2026-07-06T09:30:00+00:00"), at("2026-07-07T00:30:00+00:00")
"""Monday morning in London, and Monday evening in New York: in London it is Tuesday."""


# --- the world in which Ann's session lives ---------------------------------------------------------------------------


def allow(action: str, **more: Any) -> Row:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def deny(action: str, **more: Any) -> Row:
    return {"Effect": "Deny", "Action": action, "Resource": "*", **more}


def terms(**more: Any) -> Row:
    at_any_time = {"addresses": [], "start": 0, "end": 0, "timezone": "", "days": [], "valid_until": ""}
    return {"trust_type": "TemporaryAssumption", **at_any_time, "issuer_source": "", **more}


def document(*statements: Row) -> Row:
    return {"Statement": list(statements)}


Place = tuple[str, int, int | None, int | None]

VALUES: dict[Place, Any] = {
    ("assumption", SESSION, ROLE, ACME): ROLE_ID,
    ("trust", TRUST, ROLE, ACME): terms(),
    ("role_definition", ROLE, None, None): {"role_type": "assumable"},
    ("role_definition", DUTY, None, None): {"role_type": "assignable"},
    ("document", ENTRY, None, None): document(allow("iam.role.AssumeRole", Resource=f"role:{ROLE_ID}")),
    ("document", PERK, None, None): document(allow("disk.*")),
    ("document", DAILY, None, None): document(allow("net.*")),
    ("document", EXTRA, None, None): document(deny("*.Delete"), allow("log.*")),
}
LIVING: tuple[Place, ...] = (
    *(("existence", thing, None, None) for thing in (ANN, BOB, ACME, TEAM, CREW, ROLE, DUTY, TRUST)),
    *(("existence", policy, None, None) for policy in (ENTRY, PERK, DAILY, EXTRA)),
    ("existence", HERS, ANN, ACME),
    ("existence", HIS, BOB, ACME),
    ("existence", KEY, HERS, ACME),
    ("existence", SESSION, HERS, ACME),
    ("session_trust", SESSION, TRUST, ACME),
    ("session_key", SESSION, KEY, ACME),
    ("trusted_party", TRUST, TEAM, ACME),
    ("group_membership", HERS, TEAM, ACME),
    ("policy_attachment", HERS, ENTRY, ACME),
    ("policy_attachment", HERS, DAILY, ACME),
    ("policy_attachment", ROLE, PERK, ACME),
    *VALUES,
)


def row(place: Place, more: Row | None = None) -> Row:
    kind, holder, thing, scope = place
    found = {"kind": kind, "holder": holder, "thing": thing, "scope": scope, "value": VALUES.get(place)}
    found = {**found, "expires_at": None, "revision_from": 1, "revision_to": None, **(more or {})}
    value = found["value"]
    return {**found, "value": value if value is None or isinstance(value, str) else json.dumps(value)}


def ask(action: str, **context: Any) -> Row:
    """What Ann's session asks, of a disk."""
    return {
        "user": ANN,
        "organization": ACME,
        "session": SESSION,
        "action": action,
        "resource": {"type": "disk", "id": "d1"},
        "subject": {"user": {}},
        "context": context,
        "action_properties": {},
    }


def decide_rows(
    rows: Iterable[Row], asked: Row, revision: int, instant: int, seeds: Iterable[int] | None = None
) -> Decision:
    """The decision on rows, gathered as the store would from the principal, or from `seeds`."""
    live = [
        found
        for found in rows
        if found["revision_from"] <= revision and (found["revision_to"] is None or found["revision_to"] > revision)
    ]

    def fetch(keys: Collection[int]) -> list[Fact]:
        return [fact_of(found) for found in live if found["holder"] in keys]

    user, organization, session = asked["user"], asked["organization"], asked["session"]
    facts = spec.facts_at(rows, revision, instant)
    principal = Principal(user, organization, spec.membership_of(facts, user, organization) or 0, session)
    if seeds is None:
        seeds = {user, organization, principal.membership, session} - {0}
    subject = {
        **asked["subject"],
        "type": "session",
        "id": session,
        "user": {**asked["subject"]["user"], "type": "user", "id": user},
    }
    attributes = {
        "subject": subject,
        "resource": asked["resource"],
        "action": {**asked["action_properties"], "name": asked["action"]},
        "context": asked["context"],
    }
    request = AccessRequest(asked["action"], asked["resource"]["type"], asked["resource"]["id"], attributes)
    return decide(request, Snapshot(principal, revision, instant, gather(seeds, fetch)))


def decide_both(rows: list[Row], asked: Row, revision: int, instant: int) -> spec.Verdict:
    """The decision, which must be the one of the specification."""
    decision = decide_rows(rows, asked, revision, instant)
    specified = spec_sessions.decide_session(rows, asked, revision, instant)
    assert spec.Verdict(*said(decision)) == specified
    assert (decision.revision, decision.instant) == (revision, instant)
    return specified


# --- what each fact of that world is good for -------------------------------------------------------------------------

LIVES = "implicit_deny", "allowed"  # what the session and its role still say of a net and of a disk
UNMADE = "session_ended", "session_ended"
ENDINGS: dict[Place, tuple[str, str]] = {
    ("existence", ANN, None, None): ("account_ended", "account_ended"),
    ("existence", ACME, None, None): ("organization_ended", "organization_ended"),
    ("existence", HERS, ANN, ACME): ("not_a_member", "not_a_member"),
    ("existence", TEAM, None, None): UNMADE,
    ("existence", ROLE, None, None): UNMADE,
    ("existence", TRUST, None, None): UNMADE,
    ("existence", ENTRY, None, None): UNMADE,
    ("existence", KEY, HERS, ACME): UNMADE,
    ("existence", SESSION, HERS, ACME): UNMADE,
    ("session_trust", SESSION, TRUST, ACME): UNMADE,
    ("session_key", SESSION, KEY, ACME): UNMADE,
    ("assumption", SESSION, ROLE, ACME): UNMADE,
    ("trust", TRUST, ROLE, ACME): UNMADE,
    ("trusted_party", TRUST, TEAM, ACME): UNMADE,
    ("group_membership", HERS, TEAM, ACME): UNMADE,
    ("role_definition", ROLE, None, None): UNMADE,
    ("policy_attachment", HERS, ENTRY, ACME): UNMADE,
    ("document", ENTRY, None, None): UNMADE,
    ("existence", PERK, None, None): ("implicit_deny", "implicit_deny"),
    ("document", PERK, None, None): ("implicit_deny", "implicit_deny"),
    ("policy_attachment", ROLE, PERK, ACME): ("implicit_deny", "implicit_deny"),
}


@pytest.mark.parametrize("how", [{"revision_to": REVISION}, {"expires_at": MORNING}], ids=["revoked", "expired"])
@pytest.mark.parametrize("place", LIVING, ids=str)
def test_the_session_ends_with_each_fact_that_it_rests_on(place: Place, how: Row) -> None:
    """Every fact of the world is either one without which the session ends at once, or one that it does not need."""
    rows = [row(found, how if found == place else None) for found in LIVING]

    found = [decide_both(rows, ask(action), REVISION, MORNING).reason for action in ("net.Read", "disk.Read")]
    earlier = [decide_both(rows, ask(action), REVISION - 1, MORNING - 1).reason for action in ("net.Read", "disk.Read")]

    assert tuple(found) == ENDINGS.get(place, LIVES)
    assert tuple(earlier) == LIVES


def edge(kind: str, holder: int, thing: int | None = None, scope: int | None = ACME, **more: Any) -> Row:
    return row((kind, holder, thing, scope), more)


def extra(holder: int, *statements: Row) -> list[Row]:
    """The EXTRA policy attached to a holder, with other statements."""
    return [edge("policy_attachment", holder, EXTRA), edge("document", EXTRA, scope=None, value=document(*statements))]


def entry(**condition: Row) -> Row:
    """The ENTRY allowed under a condition."""
    return edge("document", ENTRY, scope=None, value=document(allow("iam.role.AssumeRole", Condition=condition)))


def trust(**more: Any) -> Row:
    return edge("trust", TRUST, ROLE, value=terms(**more))


def because(policy: int, *path: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(policy, path)]


READ_DISK, READ_NET = ask("disk.Read"), ask("net.Read")
READ_FROM_NEAR, READ_FROM_AFAR = (
    ask("disk.Read", source_ip=address) for address in ("::ffff:192.0.2.7", "2001:db8::1")
)
NEAR = ["192.0.2.0/24"]
IAM = trust(trust_type="IAMAssumption")
ROOT = edge("root", HERS, ACME)
SUSPENDED = edge("suspension", HERS)
NO_ENTRY = edge("policy_attachment", HERS, ENTRY, revision_to=2)
LEFT_TEAM = edge("group_membership", HERS, TEAM, revision_to=2)
NO_DISKS = deny("disk.*")
ENTERING = {"resource.type": "role", "resource.id": ROLE_ID, "action.name": "iam.role.AssumeRole"}
IF_USER = {"StringEquals": {"subject.type": "user", "subject.id": ANN}}
IF_SESSION = {"StringEquals": {"subject.type": "session", "subject.id": SESSION, "subject.user.id": ANN}}

ALLOWED = "allowed", because(PERK, "assumption", "policy_attachment")
DENIED = "explicit_deny", because(EXTRA, "assumption", "policy_attachment")
NOT_ALLOWED = "implicit_deny", []
ENDED = "session_ended", []
OUTSIDE = "outside_terms", []

CHANGES: list[tuple[str, list[Row], Row, tuple[str, list[Any]]]] = [
    ("nothing, and the role allows", [], READ_DISK, ALLOWED),
    ("nothing, and only she is allowed", [], READ_NET, NOT_ALLOWED),
    ("a block", [edge("block", ANN, scope=None)], READ_DISK, ("account_blocked", [])),
    ("a suspension", [SUSPENDED], READ_DISK, ("suspended", [])),
    ("a suspension is said before an end", [SUSPENDED, NO_ENTRY], READ_DISK, ("suspended", [])),
    ("a root's session is no root", [ROOT], READ_NET, NOT_ALLOWED),
    ("a suspended root", [ROOT, SUSPENDED], READ_DISK, ("suspended", [])),
    ("a root may assume without being allowed", [ROOT, NO_ENTRY], READ_DISK, ALLOWED),
    ("a root may assume though a Deny names her", [ROOT, *extra(HERS, deny("*"))], READ_DISK, ALLOWED),
    ("a root whom the trust does not name", [ROOT, LEFT_TEAM], READ_DISK, ENDED),
    ("a Deny on the role", extra(ROLE, NO_DISKS), READ_DISK, DENIED),
    ("a Deny on her", extra(HERS, NO_DISKS), READ_DISK, ALLOWED),
    ("a Deny on her group", extra(TEAM, NO_DISKS), READ_DISK, ALLOWED),
    ("a Deny of entry on her", extra(HERS, deny("iam.*")), READ_DISK, ENDED),
    ("a Deny of entry on her group", extra(TEAM, deny("iam.*")), READ_DISK, ENDED),
    ("a Deny of entry on the role binds only inside", extra(ROLE, deny("iam.*")), READ_DISK, ALLOWED),
    ("the role does not let into itself", [NO_ENTRY, *extra(ROLE, allow("iam.*"))], READ_DISK, ENDED),
    ("the role attached to her lets nobody in", [edge("role_attachment", HERS, ROLE), NO_ENTRY], READ_DISK, ENDED),
    ("IAMAssumption: the role's rights", [IAM], READ_DISK, ALLOWED),
    ("IAMAssumption: her own rights", [IAM], READ_NET, ("allowed", because(DAILY, "policy_attachment"))),
    (
        "IAMAssumption: a Deny on her",
        [IAM, *extra(HERS, NO_DISKS)],
        READ_DISK,
        ("explicit_deny", because(EXTRA, "policy_attachment")),
    ),
    (
        "IAMAssumption: a Deny on her group",
        [IAM, *extra(TEAM, NO_DISKS)],
        READ_DISK,
        ("explicit_deny", because(EXTRA, "group_membership", "policy_attachment")),
    ),
    ("IAMAssumption: a root's session is no root", [IAM, ROOT], ask("log.Read"), NOT_ALLOWED),
    ("FederatedAssumption: her own rights", [trust(trust_type="FederatedAssumption")], READ_NET, NOT_ALLOWED),
    (
        "a permission of the role",
        [edge("permission_grant", ROLE, EXTRA)],
        ask("log.Read"),
        ("allowed", because(EXTRA, "assumption", "permission_grant")),
    ),
    ("the trust names her as well", [edge("trusted_party", TRUST, HERS)], READ_DISK, ALLOWED),
    ("the trust names him as well", [edge("trusted_party", TRUST, HIS)], READ_DISK, ENDED),
    ("the trust named him until lately", [edge("trusted_party", TRUST, HIS, expires_at=MORNING)], READ_DISK, ALLOWED),
    ("the trust names a crew as well", [edge("trusted_party", TRUST, CREW)], READ_DISK, ENDED),
    (
        "the trust names a crew as well, and she is in it",
        [edge("trusted_party", TRUST, CREW), edge("group_membership", HERS, CREW)],
        READ_DISK,
        ALLOWED,
    ),
    (
        "the trust is on another role now",
        [edge("trust", TRUST, ROLE, revision_to=2), edge("trust", TRUST, DUTY, value=terms())],
        READ_DISK,
        ENDED,
    ),
    (
        "the role is assignable now",
        [edge("role_definition", ROLE, scope=None, value={"role_type": "assignable"})],
        READ_DISK,
        ENDED,
    ),
    ("entry is for her, not for her session", [entry(**IF_USER)], READ_DISK, ALLOWED),
    ("entry is for sessions, not for her", [entry(**IF_SESSION)], READ_DISK, ENDED),
    ("entry from near, asked from near", [entry(IpAddress={"context.source_ip": NEAR})], READ_FROM_NEAR, ALLOWED),
    ("entry from near, asked from afar", [entry(IpAddress={"context.source_ip": NEAR})], READ_FROM_AFAR, ENDED),
    ("entry is into a role", [entry(StringEquals=ENTERING)], READ_DISK, ALLOWED),
    ("entry is to a disk", [entry(StringEquals={"resource.type": "disk"})], READ_DISK, ENDED),
    ("entry is for what is asked", [entry(StringEquals={"action.name": "disk.Read"})], READ_DISK, ENDED),
    ("a Deny for sessions", extra(ROLE, deny("*", Condition=IF_SESSION)), READ_DISK, DENIED),
    ("a Deny for users", extra(ROLE, deny("*", Condition=IF_USER)), READ_DISK, ALLOWED),
    ("terms that ask for near, asked from near", [trust(addresses=NEAR)], READ_FROM_NEAR, ALLOWED),
    ("terms that ask for near, asked from afar", [trust(addresses=NEAR)], READ_FROM_AFAR, OUTSIDE),
    ("terms that ask for near, asked from nowhere", [trust(addresses=NEAR)], READ_DISK, OUTSIDE),
    ("terms that ask for other hours", [trust(start=10, end=17)], READ_DISK, OUTSIDE),
    ("terms that ask for another day", [trust(days=["tuesday"])], READ_DISK, OUTSIDE),
    ("an end is said before the terms", [trust(days=["tuesday"]), NO_ENTRY], READ_DISK, ENDED),
    ("the terms are said before a Deny", [trust(days=["tuesday"]), *extra(ROLE, NO_DISKS)], READ_DISK, OUTSIDE),
]


@pytest.mark.parametrize(
    ("more", "asked", "expected"), [case[1:] for case in CHANGES], ids=[name for name, *_ in CHANGES]
)
def test_change(more: list[Row], asked: Row, expected: tuple[str, list[Any]]) -> None:
    """The decision and the specification both say of a changed world what a person wrote down."""
    rows = {spec.place(found): found for found in [*map(row, LIVING), *more]}

    verdict = decide_both(list(rows.values()), asked, REVISION, MORNING)

    found = [(policy, tuple(kind for kind, *_ in path)) for policy, _, path in verdict.because]
    assert (verdict.reason, found) == expected
    assert verdict.allowed == (verdict.reason == "allowed")


# --- random worlds ----------------------------------------------------------------------------------------------------

ADDRESSES = ["192.0.2.7", "::ffff:192.0.2.7", "198.51.100.7", "2001:db8::1", "2001:DB8:0::1", "::1", "192.0.2.7/32"]
NOT_ADDRESSES = ["", " 192.0.2.7", "192.0.2", "192.0.2.07", "near", None, 1, True, ["192.0.2.7"], {"ip": "192.0.2.7"}]
NETWORKS = ["192.0.2.0/24", "192.0.2.7", "192.0.2.9/24", "::ffff:192.0.2.0/120", "2001:db8::/32", "::/0", "0.0.0.0/0"]
ZONES = ["", "UTC", "utc", "America/New_York", "europe/BERLIN", "Pacific/Auckland", "Asia/Kathmandu", "Mars/Olympus"]
INSTANTS = [MORNING, EVENING, MORNING - 1, at("2026-03-29T01:00:00+00:00"), at("2026-10-25T00:59:59.999999+00:00")]
KEYS = ["type", "id", "p", "user.type", "user.id", "user.p"]
KEYS = [
    *(f"subject.{key}" for key in KEYS),
    "resource.id",
    "resource.p",
    "action.name",
    "context.c",
    "context.source_ip",
]
ACTIONS = ["disk.*", "disk.*", "disk.Read", "net.*", "*.Read", "*.Read", "*", "iam.role.AssumeRole"]
LISTED = {
    "StringEquals": ["session", "disk", str(ANN), "v"],
    "StringNotEquals": ["user", "w"],
    "StringLike": "*s*",
    "NumericLessThanEqualsIfExists": SESSION,
    "IpAddress": "192.0.2.0/24",
    "NotIpAddress": "192.0.2.0/24",
    "Null": "true",
}

expiries = st.sampled_from([None, *INSTANTS, MORNING + 1])
now_and_then, seldom = st.sampled_from([False] * 4 + [True]), st.sampled_from([False] * 8 + [True])
addresses = st.sampled_from([*ADDRESSES, *NOT_ADDRESSES])
values = st.sampled_from(["v", "w", "1", 10, 20.5, True, None, ["v"], {"a": 1}])
tests = st.builds(
    lambda name, keys: {name: dict.fromkeys(keys, LISTED[name])},
    st.sampled_from(sorted(LISTED)),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=2),
)


@st.composite
def all_terms(draw: st.DrawFn) -> Row:
    """Terms, mostly with few conditions."""
    found = terms(trust_type=draw(st.sampled_from(["TemporaryAssumption", "IAMAssumption", "FederatedAssumption"])))
    if draw(now_and_then):
        found["addresses"] = draw(st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=2))
    if draw(now_and_then):
        found["start"], found["end"] = draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True))
    if draw(now_and_then):
        found["days"] = draw(st.lists(st.sampled_from(spec_sessions.DAYS), min_size=1, max_size=5, unique=True))
    if draw(now_and_then):
        found["timezone"] = draw(st.sampled_from(ZONES))
    return found


@st.composite
def statements(draw: st.DrawFn) -> Row:
    action = draw(st.sampled_from(ACTIONS))
    statement = draw(st.sampled_from([allow, allow, deny]))(action)
    statement["Resource"] = draw(st.sampled_from(["*", "*", "disk:*", f"role:{ROLE_ID}", ["disk:d1", "role:*"]]))
    if draw(now_and_then):
        statement["Condition"] = draw(tests)
    return statement


holders = st.sampled_from([HERS, TEAM, CREW, ROLE, ROLE, DUTY, ANN, HIS])
policies = st.sampled_from([ENTRY, PERK, DAILY, EXTRA, EXTRA])
policy_places = st.tuples(st.sampled_from(["policy_attachment", "permission_grant"]), holders, policies, st.just(ACME))
free_places = st.one_of(
    policy_places,
    policy_places,
    policy_places,
    st.tuples(st.just("policy_attachment"), holders, policies, st.none()),
    st.tuples(st.just("role_attachment"), st.sampled_from([HERS, TEAM]), st.sampled_from([ROLE, DUTY]), st.just(ACME)),
    st.tuples(st.just("trusted_party"), st.just(TRUST), st.sampled_from([HERS, CREW, HIS]), st.just(ACME)),
    st.just(("group_membership", HERS, CREW, ACME)),
)
UNSTEADY = [
    *LIVING,
    *[place for place in ENDINGS if place[:2] in {("existence", key) for key in (ANN, ACME, HERS)}] * 4,
]
STATES: list[Place] = [("block", ANN, None, None), ("suspension", HERS, None, ACME), ("suspension", HIS, None, ACME)]
OWNED: Place = ("root", HERS, ACME, ACME)


def value_of(draw: st.DrawFn, place: Place) -> Any:
    """What a fact of that place may say."""
    kind = place[0]
    if kind == "trust":
        return draw(all_terms())
    if place == ("role_definition", ROLE, None, None):
        return {"role_type": "assignable" if draw(seldom) else "assumable"}
    if place == ("document", ENTRY, None, None):
        return document(allow("iam.role.AssumeRole", **({"Condition": draw(tests)} if draw(now_and_then) else {})))
    if kind == "document":
        return document(*draw(st.lists(statements(), min_size=1, max_size=2)))
    return VALUES.get(place)


def history(draw: st.DrawFn, place: Place) -> list[Row]:
    """What came of one place at revisions 1 to 6 and at the instants: at most two intervals that do not overlap."""
    first, second = sorted(draw(st.lists(st.integers(2, 6), min_size=2, max_size=2)))
    spans = draw(st.sampled_from([[], [(1, first)], [(first, None)], [(1, first), (second, None)], [(1, None)]]))
    return [
        row(place, {"value": value_of(draw, place), "expires_at": draw(expiries), "revision_from": a, "revision_to": b})
        for a, b in spans
    ]


@st.composite
def worlds(draw: st.DrawFn, *, shaken: bool = True) -> list[Row]:
    """The living world in other words and with some edges more; if `shaken`, facts of it are unsteady, or a state is.

    Half of those worlds have no unsteady facts: there is much to decide in them as well.
    """
    unsteady = draw(st.sets(st.sampled_from(UNSTEADY), max_size=2)) if shaken and draw(st.booleans()) else set()
    state = draw(st.sampled_from([None, None, None, OWNED, OWNED, *(STATES if shaken else ())]))
    free = {*draw(st.sets(free_places, max_size=5)), *([state] if state else [])} - set(LIVING)
    rows = [row(place, {"value": value_of(draw, place)}) for place in LIVING if place not in unsteady]
    return rows + [found for place in sorted({*unsteady, *free}, key=str) for found in history(draw, place)]


requests = st.builds(
    lambda action, kind, context, properties, value: {
        **ask(action, **context),
        "resource": {"type": kind, "id": "d1" if kind == "disk" else "", "p": value},
        "subject": {"p": value, "user": {"p": properties.get("p")}},
        "action_properties": properties,
    },
    st.sampled_from(["disk.Read", "disk.Read", "disk.Delete", "net.Read", "iam.role.AssumeRole"]),
    st.sampled_from(["disk", "disk", "net"]),
    st.one_of(
        st.fixed_dictionaries({"source_ip": st.sampled_from(ADDRESSES)}, optional={"c": values}),
        st.fixed_dictionaries({"source_ip": addresses}, optional={"c": values}),
        st.dictionaries(st.just("c"), values),
    ),
    st.dictionaries(st.just("p"), values),
    values,
)
revisions, instants = st.integers(1, 6), st.sampled_from(INSTANTS)


@settings(max_examples=600)
@given(worlds(), st.lists(requests, min_size=1, max_size=3), revisions, instants)
def test_the_decision_is_the_specification(rows: list[Row], asked: list[Row], revision: int, instant: int) -> None:
    """In every world, at every revision and instant, effect, reason, statements and paths are the specification's."""
    for request in asked:
        decide_both(rows, request, revision, instant)


LATE_REASONS = {"session_ended", "outside_terms", "explicit_deny", "allowed", "implicit_deny"}


def test_the_random_worlds_reach_every_reason() -> None:
    """What the property above compares is of every kind, and what only sessions meet is never rare."""
    reasons: Counter[str] = Counter()

    @settings(derandomize=True, database=None, max_examples=600)
    @given(worlds(), requests, revisions, instants)
    def count(rows: list[Row], asked: Row, revision: int, instant: int) -> None:
        reasons[spec_sessions.decide_session(rows, asked, revision, instant).reason] += 1

    count()

    assert set(reasons) == {str(reason) for reason in Reason} - {"root"}
    assert min(reasons[reason] for reason in LATE_REASONS) >= 20


def lives(rows: list[Row], asked: Row, instant: int) -> bool:
    reason = spec_sessions.decide_session(rows, asked, REVISION, instant).reason
    return reason in ("explicit_deny", "allowed", "implicit_deny")


@settings(max_examples=400)
@given(worlds(shaken=False), requests, instants, st.booleans(), st.data())
def test_whichever_fact_ends_the_next_decision_is_the_specification(
    rows: list[Row], asked: Row, instant: int, by_time: bool, data: st.DataObject
) -> None:
    """A session lives; then one fact is ended, by a revision or by time, and the decision is that of the new world."""
    assume(lives(rows, asked, instant))
    ending = data.draw(st.sampled_from(spec.facts_at(rows, REVISION, instant)))
    how = {"expires_at": instant} if by_time else {"revision_to": REVISION}

    decide_both([found | how if found is ending else found for found in rows], asked, REVISION, instant)


@settings(max_examples=200)
@given(worlds(), requests, instants)
def test_a_living_session_leads_to_all_that_it_lives_by(rows: list[Row], asked: Row, instant: int) -> None:
    """What is gathered from the session alone decides as what is gathered from the whole principal."""
    assume(lives(rows, asked, instant))

    assert decide_rows(rows, asked, REVISION, instant, [SESSION]) == decide_rows(rows, asked, REVISION, instant)


# --- the terms of a trust ---------------------------------------------------------------------------------------------

OFFICE = {"start": 9, "end": 17}
NIGHT = {"start": 22, "end": 6}
TIMES: list[tuple[str, Row, list[str], list[str]]] = [  # name, terms, when they are met, when they are not
    ("no hours and no days", {}, ["2026-07-06T00:00Z", "2026-07-05T23:59:59.999999Z"], []),
    (
        "both hours zero",
        {"days": ["monday"]},
        ["2026-07-06T00:00Z", "2026-07-06T23:59:59.999999Z"],
        ["2026-07-07T00:00Z"],
    ),
    (
        "hours of a day",
        OFFICE,
        ["2026-07-06T09:00Z", "2026-07-06T16:59:59.999999Z", "2026-07-12T12:00Z"],
        ["2026-07-06T08:59:59.999999Z", "2026-07-06T17:00Z", "2026-07-06T00:00Z"],
    ),
    (
        "past midnight",
        NIGHT,
        ["2026-07-06T22:00Z", "2026-07-06T23:59Z", "2026-07-07T00:00Z", "2026-07-07T05:59:59.999999Z"],
        ["2026-07-06T21:59:59.999999Z", "2026-07-07T06:00Z", "2026-07-07T12:00Z"],
    ),
    (
        "until midnight as 24",
        {"start": 20, "end": 24},
        ["2026-07-06T20:00Z", "2026-07-06T23:59Z"],
        ["2026-07-07T00:00Z"],
    ),
    ("until midnight as 0", {"start": 20, "end": 0}, ["2026-07-06T20:00Z", "2026-07-06T23:59Z"], ["2026-07-07T00:00Z"]),
    ("from midnight", {"start": 0, "end": 1}, ["2026-07-06T00:00Z", "2026-07-06T00:59Z"], ["2026-07-06T01:00Z"]),
    ("from midnight as 24", {"start": 24, "end": 1}, ["2026-07-06T00:00Z"], ["2026-07-06T01:00Z", "2026-07-06T23:59Z"]),
    ("the whole day", {"start": 0, "end": 24}, ["2026-07-06T00:00Z", "2026-07-06T23:59:59.999999Z"], []),
    ("days", {"days": ["monday", "sunday"]}, ["2026-07-05T12:00Z", "2026-07-06T12:00Z"], ["2026-07-07T12:00Z"]),
    (
        "hours past midnight are of the day on which they fall",
        {**NIGHT, "days": ["monday"]},
        ["2026-07-06T05:00Z", "2026-07-06T23:00Z"],
        ["2026-07-05T23:00Z", "2026-07-07T05:00Z", "2026-07-06T12:00Z"],
    ),
    (
        "summer time",
        {**OFFICE, "timezone": "Europe/Berlin"},
        ["2026-01-05T08:00Z", "2026-01-05T15:59Z", "2026-07-06T07:00Z", "2026-07-06T14:59Z"],
        ["2026-01-05T07:00Z", "2026-01-05T16:00Z", "2026-07-06T06:59Z", "2026-07-06T15:00Z"],
    ),
    (
        "an hour that is left out",
        {"start": 2, "end": 3, "timezone": "Europe/Berlin"},
        ["2026-03-28T01:30Z", "2026-03-30T00:30Z"],
        ["2026-03-29T00:59:59.999999Z", "2026-03-29T01:00Z"],
    ),
    (
        "an hour that comes twice",
        {"start": 2, "end": 3, "timezone": "Europe/Berlin"},
        ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T01:59:59.999999Z"],
        ["2026-10-24T23:59:59.999999Z", "2026-10-25T02:00Z"],
    ),
    ("a zone of quarter hours", {**OFFICE, "timezone": "Asia/Kathmandu"}, ["2026-07-06T03:15Z"], ["2026-07-06T03:14Z"]),
    (
        "a day that is already tomorrow's",
        {"days": ["monday"], "timezone": "Pacific/Auckland"},
        ["2026-07-05T12:00Z", "2026-07-06T11:59Z"],
        ["2026-07-05T11:59Z", "2026-07-06T12:00Z"],
    ),
    (
        "a day that is still yesterday's",
        {"days": ["monday"], "timezone": "America/New_York"},
        ["2026-07-07T03:59Z"],
        ["2026-07-06T03:59Z", "2026-07-07T04:00Z"],
    ),
    ("a zone in small letters", {**OFFICE, "timezone": "asia/tokyo"}, ["2026-07-06T00:00Z"], ["2026-07-06T09:00Z"]),
    ("a zone in capitals", {**OFFICE, "timezone": "ASIA/TOKYO"}, ["2026-07-06T00:00Z"], ["2026-07-06T09:00Z"]),
    ("an unknown zone with hours", {"start": 0, "end": 24, "timezone": "Mars/Olympus"}, [], ["2026-07-06T12:00Z"]),
    ("an unknown zone with days", {"days": spec_sessions.DAYS, "timezone": "Mars/Olympus"}, [], ["2026-07-06T12:00Z"]),
    ("an unknown zone with neither", {"timezone": "Mars/Olympus"}, ["2026-07-06T12:00Z"], []),
    ("a zone that is a path", {**OFFICE, "timezone": "../Europe/Berlin"}, [], ["2026-07-06T10:00Z"]),
]
FROM: list[tuple[str, list[str], list[Any], list[Any]]] = [  # name, addresses, from where they are met, from where not
    ("no addresses", [], ["192.0.2.1", "::1", "", None, "near", 1], []),
    ("an address", ["192.0.2.1"], ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201"], ["192.0.2.2", "::1"]),
    ("a range", ["192.0.2.0/24"], ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"], ["192.0.3.0", "192.0.1.255"]),
    ("a range with host bits", ["192.0.2.77/24"], ["192.0.2.1"], ["192.0.3.77"]),
    ("an IPv6 range", ["2001:db8::/32"], ["2001:db8::1", "2001:DB8:ffff::"], ["2001:db9::", "192.0.2.1", "::1"]),
    ("an IPv6 address", ["2001:db8:0:0::1"], ["2001:db8::1", "2001:0DB8::0001"], ["2001:db8::2"]),
    ("a mapped range", ["::ffff:192.0.2.0/120"], ["192.0.2.9", "::ffff:192.0.2.9"], ["192.0.3.9", "::ffff:192.0.3.9"]),
    ("a mapped address", ["::ffff:192.0.2.1"], ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2", "::192.0.2.1"]),
    ("all of IPv4", ["0.0.0.0/0"], ["192.0.2.1", "::ffff:192.0.2.1"], ["2001:db8::1", "::1", "::192.0.2.1"]),
    ("all of IPv6", ["::/0"], ["2001:db8::1", "::1"], ["192.0.2.1", "::ffff:192.0.2.1"]),
    ("several", ["192.0.2.1", "2001:db8::/64"], ["192.0.2.1", "2001:db8::9"], ["192.0.2.2", "2001:db8:0:1::"]),
    ("no readable address", ["0.0.0.0/0", "::/0"], ["0.0.0.0", "::"], NOT_ADDRESSES),
]


@pytest.mark.parametrize(("found", "when", "when_not"), [case[1:] for case in TIMES], ids=[name for name, *_ in TIMES])
def test_times(found: Row, when: list[str], when_not: list[str]) -> None:
    """The product and the specification both read hours, days and zones as a person did."""
    for moment, met in [*((text, True) for text in when), *((text, False) for text in when_not)]:
        assert spec_sessions.within(terms(**found), None, at(moment)) is met, moment
        assert (unmet(terms_of(json.dumps(terms(**found))), None, at(moment)) == []) is met, moment


@pytest.mark.parametrize(("listed", "near", "far"), [case[1:] for case in FROM], ids=[name for name, *_ in FROM])
def test_addresses(listed: list[str], near: list[Any], far: list[Any]) -> None:
    """The product and the specification both read addresses and ranges as a person did."""
    for address, met in [*((address, True) for address in near), *((address, False) for address in far)]:
        assert spec_sessions.within(terms(addresses=listed), address, MORNING) is met, address
        assert (unmet(terms_of(json.dumps(terms(addresses=listed))), address, MORNING) == []) is met, address


@settings(max_examples=500)
@given(all_terms(), addresses, st.integers(0, at("2100-01-01T00:00Z")) | instants)
def test_the_terms_are_the_specification(found: Row, address: Any, instant: int) -> None:
    """For all terms, addresses and instants, to the microsecond."""
    specified = spec_sessions.within(found, address, instant)

    assert (unmet(terms_of(json.dumps(found)), address, instant) == []) is specified


# --- how terms are written --------------------------------------------------------------------------------------------

SET = Terms(
    "TemporaryAssumption",
    ("192.0.2.0/24", "2001:db8::1"),
    9,
    17,
    "Europe/Berlin",
    ("monday", "friday"),
    "2027-01-01T00:00:00Z",
    "instance",
)
UNSET = Terms("IAMAssumption")
HOURLESS: Row = {"start": 0, "end": 0}

MERGES: list[tuple[str, Terms, Row, Row]] = [  # name, terms, conditions, what changes
    ("no member", SET, {}, {}),
    ("addresses", SET, {"ip_address": ["::/0", "192.0.2.77/24"]}, {"addresses": ("::/0", "192.0.2.77/24")}),
    ("addresses null", SET, {"ip_address": None}, {"addresses": ()}),
    ("addresses empty", SET, {"ip_address": []}, {"addresses": ()}),
    ("times null", SET, {"time_of_day": None}, {**HOURLESS, "timezone": "", "days": ()}),
    ("one hour", SET, {"time_of_day": {"start": 10}}, {"start": 10}),
    ("the other hour", SET, {"time_of_day": {"end": 24}}, {"end": 24}),
    ("hours past midnight", SET, {"time_of_day": {"start": 22, "end": 6}}, {"start": 22, "end": 6}),
    ("hours, the later first", SET, {"time_of_day": {"end": 9, "start": 17}}, {"start": 17, "end": 9}),
    ("both hours zero clear no days", SET, {"time_of_day": HOURLESS}, HOURLESS),
    ("both hours null clear no days", SET, {"time_of_day": {"start": None, "end": None}}, HOURLESS),
    ("one hour null", SET, {"time_of_day": {"start": None}}, {"start": 0}),
    ("the zone", SET, {"time_of_day": {"timezone": "asia/TOKYO"}}, {"timezone": "asia/TOKYO"}),
    ("the zone null", SET, {"time_of_day": {"timezone": None}}, {"timezone": ""}),
    ("the zone empty", SET, {"time_of_day": {"timezone": ""}}, {"timezone": ""}),
    ("the days", SET, {"time_of_day": {"days_of_week": ["sunday"]}}, {"days": ("sunday",)}),
    ("the days null", SET, {"time_of_day": {"days_of_week": None}}, {"days": ()}),
    ("the days empty", SET, {"time_of_day": {"days_of_week": []}}, {"days": ()}),
    ("claims null", SET, {"oidc_claims": None}, {}),
    ("claims empty", SET, {"oidc_claims": {}}, {}),
    (
        "everything, of nothing",
        UNSET,
        {
            "ip_address": ["2001:db8::/32"],
            "time_of_day": {"start": 8, "end": 0, "timezone": "UTC", "days_of_week": ["monday"]},
            "oidc_claims": {},
        },
        {"addresses": ("2001:db8::/32",), "start": 8, "end": 0, "timezone": "UTC", "days": ("monday",)},
    ),
    ("one hour, of nothing", UNSET, {"time_of_day": {"end": 12}}, {"end": 12}),
    ("both hours zero, of nothing", UNSET, {"time_of_day": HOURLESS}, {}),
    ("nothing, of nothing", UNSET, {"ip_address": None, "time_of_day": None, "oidc_claims": None}, {}),
]


@pytest.mark.parametrize(
    ("old", "conditions", "changes"), [case[1:] for case in MERGES], ids=[name for name, *_ in MERGES]
)
def test_conditions_merge(old: Terms, conditions: Row, changes: Row) -> None:
    """A missing member stays as it is, null and empty clear it, and hours are cleared without the days."""
    assert old.with_conditions(conditions) == replace(old, **changes)


def times(name: str, *found: Any) -> list[Any]:
    return [{"time_of_day": {name: value}} for value in found]


REFUSED: list[Any] = [
    *({"ip_address": value} for value in ({}, "192.0.2.1", "", 0, False, [None], [1], [[]], [""], ["near"])),
    *({"ip_address": ["192.0.2.1", value]} for value in ("192.0.2.0/33", "::/129", "192.0.2", "192.0.2.1/", "/8")),
    *({"ip_address": [value]} for value in ("192.0.2.1-192.0.2.9", " 192.0.2.1", "192.0.2.07", "*", {"ip": "::1"})),
    *({"time_of_day": value} for value in ("", "09-17", 0, False, True, [{"start": 1}])),
    *({"oidc_claims": value} for value in ([], "", 0, False, {"sub": "ann"}, {"sub": None})),
    *({"mfa": value} for value in (None, {}, [], True)),
    {"": None},
    {"Ip_address": None},
    {"ip_address": [], "mfa": None},
    *times("weeks", None, {}, [], 1),
    *times("Start", 9),
    *times("start", -1, 25, True, False, "9", "", 9.0, 9.5, [], {}, [9]),
    *times("end", -1, 25, True, False, "9", "", 9.0, 9.5, [], {}, [9]),
    *times("start", 17),  # the end that stands
    *times("end", 9),  # the start that stands
    {"time_of_day": {"start": 12, "end": 12}},
    {"time_of_day": {"start": 24, "end": 24}},
    *times(
        "timezone", "Mars/Olympus", "../Europe/Berlin", "Europe", " UTC", "+01:00", 1, True, ["UTC"], {"name": "UTC"}
    ),
    *times("timezone", 0, False),  # neither null nor empty
    *times("days_of_week", "monday", {"monday": True}, ["Monday"], ["mon"], [""], [None], [1], [["monday"]], 1, True),
    *times("days_of_week", ["monday", "funday"]),
    *times("days_of_week", 0, False),  # neither null nor empty
]


@pytest.mark.parametrize("conditions", REFUSED, ids=json.dumps)
def test_conditions_that_are_not_known_are_refused(conditions: Any) -> None:
    """What is not understood is refused: to leave out a restriction would grant more than was written."""
    with pytest.raises(Invalid):
        SET.with_conditions(conditions)


@settings(max_examples=200)
@given(all_terms())
def test_terms_are_stored_and_read_back(found: Row) -> None:
    """What is stored of terms is what they were."""
    read = terms_of(json.dumps(found))

    assert json.loads(read.store_form()) == found
    assert terms_of(read.store_form()) == read


@pytest.mark.parametrize(
    ("valid_until", "ends_at"),
    [("", None), ("2026-07-06T09:30:00Z", MORNING), ("2026-07-06T11:30:00+02:00", MORNING)],
)
def test_terms_end_at_the_instant_of_their_date(valid_until: str, ends_at: int | None) -> None:
    """A trust without a date is for ever."""
    assert replace(SET, valid_until=valid_until).ends_at == ends_at
