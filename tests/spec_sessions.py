"""The decision for an assumed-role session, said a second time: slow, obvious, and without a line of the package.

Rows, facts, statements and the decision for the user herself are those of `spec`. The request is the one of `spec` with
one member more, `session`, and its `subject` is the session's: `subject["user"]` holds what is said of the user.
A session of another membership than the user's in the organization, or one with two roles, trusts or keys, could not
have been stored: it is an error here, never an answer.
"""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import spec
from spec import Verdict, edges, exists, held, place

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ZONES = {name.lower(): name for name in available_timezones()} | {"": "UTC"}


def decide_session(rows, request, revision, instant):
    """Whether the session's request is allowed, the first reason that settles it, and what decided, by every path."""
    facts = spec.facts_at(rows, revision, instant)
    user, organization = request["user"], request["organization"]

    state = spec.state_of(facts, user, organization)
    if state not in (None, "root"):
        return Verdict(False, state, frozenset())
    assumption, trust = standing(facts, request)
    if trust is None or not may_assume(rows, request, assumption["value"], revision, instant):
        return Verdict(False, "session_ended", frozenset())
    terms = json.loads(trust["value"])
    if not within(terms, request["context"].get("source_ip"), instant):
        return Verdict(False, "outside_terms", frozenset())

    reaching = {
        (edge["thing"], (place(assumption), place(edge)))
        for edge in edges(facts, ["policy_attachment", "permission_grant"], assumption["thing"])
    }
    if terms["trust_type"] == "IAMAssumption":
        reaching |= spec.reaching(rows, user, organization, revision, instant)
    because = {"Deny": set(), "Allow": set()}
    for policy, path in reaching:
        for index, statement in enumerate(spec.statements_of(facts, policy)):
            if statement_matches(statement, request):
                because[statement["Effect"]].add((policy, index, path))
    if because["Deny"]:
        return Verdict(False, "explicit_deny", frozenset(because["Deny"]))
    if because["Allow"]:
        return Verdict(True, "allowed", frozenset(because["Allow"]))
    return Verdict(False, "implicit_deny", frozenset())


# --- whether the session stands ---------------------------------------------------------------------------------------


def standing(facts, request):
    """The assumption of the session and the terms of its trust; (None, None) if anything that it rests on is gone."""
    kinds = ["existence", "assumption", "session_trust", "session_key"]
    session, assumption, through, key = (only(held(facts, kind, request["session"])) for kind in kinds)
    if None in (session, assumption, through, key):
        return None, None
    if session["thing"] != spec.membership_of(facts, request["user"], request["organization"]):
        raise ValueError(f"{session['holder']} is not a session of {request['user']}")

    role, trust = assumption["thing"], through["thing"]
    definition = only(held(facts, "role_definition", role))
    stands = (
        all(exists(facts, thing) for thing in (role, trust, key["thing"]))
        and is_of_somebody(facts, key["thing"])
        and definition is not None
        and json.loads(definition["value"])["role_type"] == "assumable"
        and is_trusted(facts, trust, session["thing"])
    )
    terms = only([fact for fact in held(facts, "trust", trust) if fact["thing"] == role])
    return (assumption, terms) if stands else (None, None)


def is_of_somebody(facts, key):
    """Whether the key that opened the session is a living member's, who is neither blocked nor suspended."""
    membership = only(held(facts, "existence", key))["thing"]
    joined = only(held(facts, "existence", membership))
    return (
        joined is not None
        and exists(facts, joined["thing"])
        and not held(facts, "block", joined["thing"])
        and not held(facts, "suspension", membership)
    )


def is_trusted(facts, trust, membership):
    """Whether the trust names someone, and each whom it names is the member or a group that she is in."""
    parties = {fact["thing"] for fact in held(facts, "trusted_party", trust)}
    hers = {edge["thing"] for edge in edges(facts, ["group_membership"], membership)}
    return bool(parties) and parties <= {membership, *hers}


def may_assume(rows, request, role_id, revision, instant):
    """Whether the user herself, calling as the session does, would be let into the role."""
    resource = {"type": "role", "id": role_id}
    asked = {"action": "iam.role.AssumeRole", "action_properties": {}, "resource": resource}
    return spec.decide(rows, request | asked | {"subject": request["subject"]["user"]}, revision, instant).allowed


def only(found):
    """The one that there may be, or None."""
    if len(found) > 1:
        raise ValueError(found)
    return found[0] if found else None


# --- the terms of the trust -------------------------------------------------------------------------------------------


def within(terms, address, instant):
    """Whether a call from the address (None: not known) at the instant is one that the terms let through."""
    return is_from(terms["addresses"], address) and is_during(terms, instant)


def is_from(networks, address):
    try:
        return not networks or any(spec.to_address(address) in spec.to_network(network) for network in networks)
    except ValueError:
        return False


def is_during(terms, instant):
    start, end, days = terms["start"], terms["end"], terms["days"]
    has_hours = start != 0 or end != 0
    if not has_hours and not days:
        return True
    if terms["timezone"].lower() not in ZONES:
        return False
    zone = ZoneInfo(ZONES[terms["timezone"].lower()])
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).astimezone(zone)
    during = (local.hour >= start or local.hour < end) if start > end else start <= local.hour < end
    return (during or not has_hours) and (not days or DAYS[local.weekday()] in days)


# --- whether a statement speaks of the request ------------------------------------------------------------------------


def statement_matches(statement, request):
    """As for a user, but the subject that conditions name is the session. What the server sets wins in it as well."""
    user = request["subject"]["user"] | {"id": request["user"], "type": "user"}
    subject = request["subject"] | {"id": request["session"], "type": "session", "user": user}
    named = spec.attributes(request) | {"subject": subject}
    return spec.statement_matches(statement | {"Condition": {}}, request) and all(
        spec.holds(name, spec.find(named, key), spec.as_list(listed), statement["Effect"])
        for name, tests in statement.get("Condition", {}).items()
        for key, listed in tests.items()
    )
