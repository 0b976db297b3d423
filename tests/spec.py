"""The decision, said a second time: slow, obvious, and without one line of the package that it judges.

Input is plain data. A *row* is a dict {kind, holder, thing, scope, value, expires_at, revision_from, revision_to}; ids
are any hashable value; a scope of None is the platform. Every question is asked at a revision and at an instant, and
the rows that do not hold there are thrown away before anything else is looked at: what is left are the *facts*.
What could not have been stored (two memberships of one user in one organization, an unknown operator, a condition
value that its operator cannot read) is an error here, never an answer.

The principal is `user`. On the platform it may as well be a client: its id stands where the user's does.
"""

import ipaddress
import json
import math
import operator
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

API = "resource_server"  # the type of a resource that is a registered API; its id is the API's identifier
SYSTEM_API = "urn:rescind:management"


class Verdict(NamedTuple):
    allowed: bool
    reason: str
    because: frozenset  # of (policy or permission, index of the statement, path)


# --- the decision -----------------------------------------------------------------------------------------------------


def decide(rows, request, revision, instant):
    """Whether the request is allowed, the first reason that settles it, and what decided, by every path."""
    facts = facts_at(rows, revision, instant)
    user, organization = request["user"], request["organization"]

    state = state_of(facts, user, organization)
    if state == "root" and request["resource"]["type"] == API:
        state = None  # who owns the organization owns no API
    if state is not None:
        return Verdict(state == "root", state, frozenset())

    because = {"Deny": set(), "Allow": set()}
    for policy, path in reaching(rows, user, organization, revision, instant):
        for index, statement in enumerate(statements_of(facts, policy)):
            if statement_matches(statement, request) and may_count(statement, request):
                because[statement["Effect"]].add((policy, index, path))
    if because["Deny"]:
        return Verdict(False, "explicit_deny", frozenset(because["Deny"]))
    if because["Allow"]:
        return Verdict(True, "allowed", frozenset(because["Allow"]))
    return Verdict(False, "implicit_deny", frozenset())


def may_count(statement, request):
    """A Deny always counts. On an API only what was granted on APIs allows, and on the system's own only outside."""
    if statement["Effect"] == "Deny" or request["resource"]["type"] != API:
        return True
    is_inside_system = request["resource"]["id"] == SYSTEM_API and request["organization"] is not None
    return "API" in statement and not is_inside_system


def state_of(facts, user, organization):
    """What settles every request of the user in the scope, whatever the policies say; None if they decide."""
    in_order = [("account_ended", not exists(facts, user)), ("account_blocked", held(facts, "block", user))]
    if organization is not None:
        membership = membership_of(facts, user, organization)
        in_order += [
            ("organization_ended", not exists(facts, organization)),
            ("not_a_member", membership is None),
            ("suspended", held(facts, "suspension", membership)),
            ("root", [fact for fact in held(facts, "root", membership) if fact["thing"] == organization]),
        ]
    return next((state for state, is_so in in_order if is_so), None)


# --- what is so, and which policies reach the principal ---------------------------------------------------------------


def facts_at(rows, revision, instant):
    return [
        row
        for row in rows
        if row["revision_from"] <= revision
        and (row["revision_to"] is None or row["revision_to"] > revision)
        and (row["expires_at"] is None or row["expires_at"] > instant)
    ]


def held(facts, kind, holder):
    return [fact for fact in facts if fact["kind"] == kind and fact["holder"] == holder]


def exists(facts, thing):
    return bool(held(facts, "existence", thing))


def membership_of(facts, user, organization):
    """The one membership of the user in the organization, or None. Its existence names both."""
    found = {
        fact["holder"]
        for fact in facts
        if fact["kind"] == "existence" and fact["thing"] == user and fact["scope"] == organization
    }
    if len(found) > 1:
        raise ValueError(f"{user} is a member of {organization} more than once")
    return found.pop() if found else None


def is_assignable(facts, role):
    return any(json.loads(fact["value"])["role_type"] == "assignable" for fact in held(facts, "role_definition", role))


def statements_of(facts, policy):
    """What a policy, a permission or a whole client grant says. What it says of an API names that to the letter."""
    documents = [json.loads(fact["value"]) for fact in held(facts, "document", policy)]
    found = [statement for document in documents for statement in as_list(document["Statement"])]
    for fact in held(facts, "api_scope", policy):
        scope, identifier = json.loads(fact["value"])
        found.append({"Effect": "Allow", "API": identifier, "Scope": scope})
    for fact in held(facts, "grant_definition", policy):
        terms = json.loads(fact["value"])
        if terms["all_scopes"]:
            found.append({"Effect": "Allow", "API": terms["identifier"]})
    return found


def reaching(rows, user, organization, revision, instant):
    """Every policy or permission that reaches the user in the scope, with its path; blocks and suspensions ignored."""
    facts = facts_at(rows, revision, instant)
    found = set()
    for holder, way in holders(facts, user, organization):
        for edge in edges(facts, ["policy_attachment", "permission_grant"], holder):
            if edge["scope"] == organization:
                found.add((edge["thing"], (*way, place(edge))))
        for edge in edges(facts, ["role_attachment"], holder):
            role = edge["thing"]
            if edge["scope"] == organization and is_assignable(facts, role):
                for definition in edges(facts, ["policy_attachment", "permission_grant"], role):
                    found.add((definition["thing"], (*way, place(edge), place(definition))))
    if organization is None and exists(facts, user):
        found |= granted_to_client(facts, user)
    return frozenset(found)


def granted_to_client(facts, client):
    """What the client was granted for itself: each permission in a grant, and the grant if it is of a whole API."""
    found = set()
    for edge in edges(facts, ["client_grant"], client):
        grant = edge["thing"]
        for definition in edges(facts, ["grant_definition"], grant):
            terms = json.loads(definition["value"])
            if terms["subject"] == "client":
                for permission in edges(facts, ["permission_grant"], grant):
                    found.add((permission["thing"], (place(edge), place(permission))))
                if terms["all_scopes"]:
                    found.add((grant, (place(edge),)))
    return found


def holders(facts, user, organization):
    """Who may hold assignments for the user in the scope, each with the way to it."""
    if not exists(facts, user):
        return []
    if organization is None:
        return [(user, ()), *(way for membership in good_memberships(facts, user) for way in groups(facts, membership))]
    membership = membership_of(facts, user, organization)
    if membership is None or not exists(facts, organization):
        return []
    return [(membership, ()), *groups(facts, membership)]


def groups(facts, membership):
    return [(edge["thing"], (place(edge),)) for edge in edges(facts, ["group_membership"], membership)]


def good_memberships(facts, user):
    """The memberships of the user, in whichever living organization, that are not suspended."""
    joined = [fact for fact in facts if fact["kind"] == "existence" and fact["thing"] == user]
    return [
        fact["holder"]
        for fact in joined
        if exists(facts, fact["scope"]) and not held(facts, "suspension", fact["holder"])
    ]


def edges(facts, kinds, holder):
    """The edges of these kinds from a holder that exists to things that exist."""
    return [fact for kind in kinds for fact in held(facts, kind, holder) if exists(facts, fact["thing"])]


def place(fact):
    return fact["kind"], fact["holder"], fact["thing"], fact["scope"]


# --- whether a statement speaks of the request ------------------------------------------------------------------------


def statement_matches(statement, request):
    kind, identifier = request["resource"]["type"], request["resource"]["id"]
    if "API" in statement:  # of every action, or of one
        return (kind, identifier) == (API, statement["API"]) and statement.get("Scope") in (None, request["action"])
    return (
        any(glob(pattern, request["action"]) for pattern in as_list(statement["Action"]))
        and any(resource_matches(pattern, kind, identifier) for pattern in as_list(statement["Resource"]))
        and all(
            holds(name, find(attributes(request), key), as_list(listed), statement["Effect"])
            for name, tests in statement.get("Condition", {}).items()
            for key, listed in tests.items()
        )
    )


def resource_matches(pattern, kind, identifier):
    if pattern == "*":
        return True
    if identifier == "":  # a call without a target
        return pattern == f"{kind}:*"
    if ":" not in pattern:
        return pattern == identifier
    wanted_kind, wanted_identifier = pattern.split(":", 1)
    return wanted_kind == kind and glob(wanted_identifier, identifier)


def glob(pattern, text, any_one=None):
    """Whether the whole text matches: `*` is any run of characters, `any_one` (if there is one) any one character."""
    reached = {0}  # the positions in the text at which the pattern read so far may end
    for sign in pattern:
        if sign == "*":
            reached = {end for start in reached for end in range(start, len(text) + 1)}
        else:
            reached = {at + 1 for at in reached if at < len(text) and sign in (text[at], any_one)}
    return len(text) in reached


def as_list(value):
    return value if isinstance(value, list) else [value]


# --- conditions -------------------------------------------------------------------------------------------------------


def attributes(request):
    """What keys can name. Members that the server sets win over those that the request brings."""
    return {
        "subject": request["subject"] | {"id": request["user"], "type": "user"},
        "resource": request["resource"],
        "action": request["action_properties"] | {"name": request["action"]},
        "context": request["context"],
    }


def find(tree, key):
    """The value under a dotted key; None where there is none (JSON null counts as none)."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def holds(name, value, listed, effect):
    """Whether one test holds: the operator called `name`, the request's value (None: absent), the listed values."""
    if name == "Null":
        return any(to_bool(absent) == (value is None) for absent in listed)
    read, read_listed, matches, negated = OPERATORS[name.removesuffix("IfExists")]
    wanted = [read_listed(entry) for entry in listed]
    if value is None:
        return negated or name.endswith("IfExists")
    try:
        given = read(value)
    except (ValueError, ArithmeticError):
        return effect == "Deny"  # what cannot be read never allows and always denies
    matched = any(matches(given, entry) for entry in wanted)
    return not matched if negated else matched


def to_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise ValueError(value)


def to_folded_text(value):
    return to_text(value).casefold()


def to_number(value):
    """The number as it is written in decimal digits, so that 0.1 and "0.1" are the same."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", value):
        return Decimal(value)
    if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
        return Decimal(str(value))
    raise ValueError(value)


def to_seconds(value):
    """A date as seconds since 1970; without a zone it is in UTC."""
    if not isinstance(value, str):
        return to_number(value)
    date = datetime.fromisoformat(value)
    since = (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(since // timedelta(microseconds=1)) / 1_000_000


def to_bool(value):
    if to_text(value) not in ("true", "false"):
        raise ValueError(value)
    return to_text(value) == "true"


def to_address(value):
    address = ipaddress.ip_address(to_text(value))
    return (address.ipv4_mapped or address) if address.version == 6 else address


def to_network(value):
    """An address or a CIDR as a network; one inside ::ffff:0:0/96 is the IPv4 network that it spells."""
    network = ipaddress.ip_network(to_text(value), strict=False)
    if network.version == 6 and network.network_address.ipv4_mapped:
        return ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def is_like(text, pattern):
    return glob(pattern, text, any_one="?")


def lies_in(address, network):
    return address in network


# Operator: (how the request's value is read, how a listed value is read, when the two match, whether it is negated).
OPERATORS = {
    "StringEquals": (to_text, to_text, operator.eq, False),
    "StringNotEquals": (to_text, to_text, operator.eq, True),
    "StringEqualsIgnoreCase": (to_folded_text, to_folded_text, operator.eq, False),
    "StringNotEqualsIgnoreCase": (to_folded_text, to_folded_text, operator.eq, True),
    "StringLike": (to_text, to_text, is_like, False),
    "StringNotLike": (to_text, to_text, is_like, True),
    "Bool": (to_bool, to_bool, operator.eq, False),
    "IpAddress": (to_address, to_network, lies_in, False),
    "NotIpAddress": (to_address, to_network, lies_in, True),
}
for family, reader in (("Numeric", to_number), ("Date", to_seconds)):
    OPERATORS[f"{family}Equals"] = (reader, reader, operator.eq, False)
    OPERATORS[f"{family}NotEquals"] = (reader, reader, operator.eq, True)
    OPERATORS[f"{family}LessThan"] = (reader, reader, operator.lt, False)
    OPERATORS[f"{family}LessThanEquals"] = (reader, reader, operator.le, False)
    OPERATORS[f"{family}GreaterThan"] = (reader, reader, operator.gt, False)
    OPERATORS[f"{family}GreaterThanEquals"] = (reader, reader, operator.ge, False)
