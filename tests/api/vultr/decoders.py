"""Strict decoding of the Vultr face, as a typed client does it, from tables of fields.

A shape is a type (`str`, `int`, `bool`), a pattern of strings, `[shape]` for a list, a tuple of shapes for either of
them, or an object as `{member: shape}`. Every member of an object must be there; members that are not named are
ignored, as typed clients do. Each operation has the forms in which clients decode its answer: the one body must
decode in all of them.

The tables are written from the published API, not from the server.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
MAYBE_DATE = re.compile(rf"(?:{DATE.pattern})?")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAYBE_ID = re.compile(rf"(?:{ID.pattern})?")
TOKEN = re.compile(r"ars-[A-Za-z0-9_-]{20,}")
NUMBER = (int, float)

Shape = Any


class DecodingError(AssertionError):
    """A typed client would fail, or read something else than was meant."""


def decode(shape: Shape, value: Any, where: str = "answer") -> None:
    """Read a value as a shape. Raises `DecodingError`."""
    if isinstance(shape, dict):
        _demand(isinstance(value, dict), where, "an object", value)
        for member, inner in shape.items():
            _demand(member in value, where, f"member `{member}`", sorted(value))
            decode(inner, value[member], f"{where}.{member}")
    elif isinstance(shape, list):
        _demand(isinstance(value, list), where, "a list", value)
        for number, item in enumerate(value):
            decode(shape[0], item, f"{where}[{number}]")
    elif isinstance(shape, tuple):
        _demand(any(_is(inner, value) for inner in shape), where, " or ".join(map(repr, shape)), value)
    elif isinstance(shape, re.Pattern):
        _demand(isinstance(value, str) and bool(shape.fullmatch(value)), where, f"`{shape.pattern}`", value)
    else:
        # A boolean is no number, whatever Python says.
        _demand(type(value) is shape, where, shape.__name__, value)


def _is(shape: Shape, value: Any) -> bool:
    try:
        decode(shape, value)
    except DecodingError:
        return False
    return True


def refuse_nulls(value: Any, where: str = "answer") -> None:
    """Refuse null, wherever it stands."""
    _demand(value is not None, where, "no null", value)
    if isinstance(value, dict):
        for member, inner in value.items():
            refuse_nulls(inner, f"{where}.{member}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            refuse_nulls(item, f"{where}[{number}]")


def _demand(holds: bool, where: str, wanted: str, got: Any) -> None:
    if not holds:
        raise DecodingError(f"{where}: wanted {wanted}, got {got!r}")


# --- objects --------------------------------------------------------------------------------------------------------

META = {"total": int, "links": {"next": str, "prev": str}}

ORGANIZATION = {"id": ID, "name": str, "type": str, "date_created": DATE}

ORG_USER = {
    "id": ID,
    "name": str,
    "first_name": str,
    "last_name": str,
    "email": str,
    "assignment_type": str,
    "date_created": DATE,
    "date_suspended": MAYBE_DATE,
    "assigned_date": MAYBE_DATE,
    "display_name": str,
    "active": bool,
    "service_user": bool,
    "date_updated": DATE,
}
SUSPENDED_USER = {**ORG_USER, "uuid": ID, "date_suspended": DATE}
HOLDER = {**ORG_USER, "assigned_date": DATE}

USER = {
    "id": ID,
    "name": str,
    "first_name": str,
    "last_name": str,
    "email": str,
    "api_enabled": bool,
    "service_user": bool,
    "status": bool,
    "acls": [str],
    "last_activity": str,
}
USER_DETAIL = {**USER, "invited_by": str, "invited_on": DATE, "invite_accepted": bool}

API_KEY = {"id": ID, "api_key": str, "name": str, "expire": bool, "date_expire": MAYBE_DATE}

GROUP = {
    "id": ID,
    "display_name": str,
    "description": str,
    "members": [HOLDER],
    "status": str,
    "date_created": DATE,
    "date_updated": DATE,
    "last_activity": str,
    "assigned_date": MAYBE_DATE,
}
GROUP_OF_USER = {**GROUP, "assigned_date": DATE}
GROUP_ROLE = {"id": ID, "display_name": str, "description": str, "role_type": str, "date_assigned": DATE, "source": str}

POLICY = {
    "id": ID,
    "name": str,
    "description": str,
    "policy_document": {
        "Version": str,
        "Statement": [{"Effect": str, "Action": (str, [str]), "Resource": (str, [str])}],
    },
    "version": str,
    "is_system_policy": bool,
    "date_created": DATE,
}
POLICY_HELD = {**POLICY, "from_role": MAYBE_ID, "source": str}
POLICY_OF_ROLE = {**POLICY, "policy_id": ID, "policy_name": str}

ROLE = {
    "id": ID,
    "name": str,
    "description": str,
    "role_type": str,
    "max_session_duration": int,
    "policies": [POLICY_OF_ROLE],
    "date_created": DATE,
}
ROLE_HELD = {**ROLE, "source": str}

_ROLE_ATTACHED = {
    "role_id": ID,
    "role_name": str,
    "role_description": str,
    "role_type": str,
    "date_assigned": DATE,
    "assigned_by": str,
}
_POLICY_ATTACHED = {
    "policy_id": ID,
    "policy_name": str,
    "policy_description": str,
    "date_assigned": DATE,
    "assigned_by": str,
}
ROLE_USER = {"user_id": ID, **_ROLE_ATTACHED}
ROLE_GROUP = {"group_id": ID, "group_name": str, **_ROLE_ATTACHED}
ROLE_POLICY = {"policy_id": ID, "policy_name": str, **_ROLE_ATTACHED}
POLICY_USER = {"user_id": ID, **_POLICY_ATTACHED}
POLICY_GROUP = {"group_id": ID, "group_name": str, **_POLICY_ATTACHED}

INVITATION = {
    "id": ID,
    "inviter_name": str,
    "inviter_email": str,
    "email_invited": str,
    "email_registered": str,
    "permissions": {"api_enabled": bool},
    "org_id": ID,
    "org_name": str,
    "status": str,
    "status_full": str,
    "invite_status": re.compile("Pending|Accepted|Declined"),
    "date_created": DATE,
    "date_responded": MAYBE_DATE,
    "expiration_date": DATE,
}

ALLOWED = {"subnet": str, "subnet_size": int, "date_added": DATE, "ip_type": re.compile("v[46]")}

ACCOUNT = {
    "name": str,
    "email": str,
    "acls": [str],
    "balance": NUMBER,
    "pending_charges": NUMBER,
    "last_payment_date": MAYBE_DATE,
    "last_payment_amount": NUMBER,
}

TRUST = {
    "id": ID,
    "role_id": ID,
    "role_name": str,
    "trust_type": re.compile("TemporaryAssumption|IAMAssumption|FederatedAssumption"),
    "trusted_user_id": MAYBE_ID,
    "user_display": str,
    "trusted_group_id": MAYBE_ID,
    "group_display": str,
    "trusted_oidc_issuer_id": MAYBE_ID,
    "conditions": {
        "time_of_day": {"start": int, "end": int, "timezone": str, "days_of_week": [str]},
        "ip_address": [str],
    },
    "valid_until": str,
    "date_created": DATE,
}
ASSUMABLE = {**TRUST, "name": str, "description": str, "role_type": str, "max_session_duration": int}

SESSION = {
    "id": ID,
    "session_token": str,
    "user_id": MAYBE_ID,
    "oidc_issuer_id": MAYBE_ID,
    "role_id": ID,
    "session_name": str,
    "auth_method": re.compile("api_key|jwt|oidc"),
    "remaining_duration": int,
    "conditions_met": [str],
    "source_ip": str,
    "expires_at": DATE,
    "assumed_at": DATE,
    "s3_credentials": {},
}
SESSION_ASSUMED = {**SESSION, "session_token": TOKEN}
"""The only answer that shows the token."""

ERROR = {"error": str, "status": int}


# --- operations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation of the published API, with every form in which a client decodes its answer.

    The placeholders of `path` and of the strings in `body` are names of kinds. `list_key` names the list of a reply
    that comes in pages. `query` is what the call cannot do without.
    """

    number: int
    method: str
    path: str
    status: int
    forms: tuple[Shape, ...] = ()
    body: Any = None
    list_key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The name of the operation in a report of tests."""
        return f"{self.number} {self.method} {self.path}"

    @property
    def kinds(self) -> list[str]:
        """The kinds of the ids in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def writes(self) -> bool:
        """Whether the operation may change something."""
        return self.method != "GET"

    def at(self, ids: Mapping[str, str]) -> str:
        """The path with ids."""
        return self.path.format_map(ids)

    def serves(self, path: str) -> bool:
        """Whether a path is this one with ids of any spelling, but none missing."""
        sent, own = path.split("/"), self.path.split("/")
        return len(sent) == len(own) and all(
            part == word or (word.startswith("{") and part) for part, word in zip(sent, own, strict=True)
        )

    def with_body(self, ids: Mapping[str, str]) -> Any:
        """The body with ids."""
        if not isinstance(self.body, dict):
            return self.body
        return {name: value.format_map(ids) if isinstance(value, str) else value for name, value in self.body.items()}

    def decode(self, answer: Any) -> None:
        """Read an answer in every form."""
        refuse_nulls(answer)
        for form in self.forms:
            decode(form, answer)


def _both(name: str, shape: Shape) -> tuple[Shape, ...]:
    return shape, {name: shape}


def _wrapped(name: str, shape: Shape) -> tuple[Shape, ...]:
    return ({name: shape},)


def _lists(shapes: Mapping[str, Shape]) -> tuple[Shape, ...]:
    return tuple({key: [shape], "meta": META} for key, shape in shapes.items())


_DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["compute.instance.Read"], "Resource": ["*"]}],
}
_USER_ROLES = ({"roles": {"all": [ROLE_HELD], "direct": [ROLE_HELD], "inherited": [ROLE_HELD]}, "meta": META},)
_USER_POLICIES = (
    {"policies": {"all": [POLICY_HELD], "direct": [POLICY_HELD], "inherited": [POLICY_HELD]}, "meta": META},
)
_USER_GROUPS = _lists({"groups": GROUP_OF_USER})

OPERATIONS = (
    Operation(
        1,
        "GET",
        "/v2/organizations",
        200,
        _lists({"orgs": ORGANIZATION, "organizations": ORGANIZATION}),
        list_key="orgs",
    ),
    Operation(
        2,
        "POST",
        "/v2/organizations",
        201,
        _both("organization", ORGANIZATION),
        {"name": "New", "type": "Personal/Team"},
    ),
    Operation(3, "GET", "/v2/organizations/{organization}", 200, _both("organization", ORGANIZATION)),
    Operation(
        4, "PUT", "/v2/organizations/{organization}", 200, _both("organization", ORGANIZATION), {"name": "Renamed"}
    ),
    Operation(5, "DELETE", "/v2/organizations/{organization}", 204),
    Operation(6, "PATCH", "/v2/organizations/{organization}/restore", 204),
    Operation(7, "DELETE", "/v2/organizations/{organization}/user/{user}", 204),
    Operation(8, "PUT", "/v2/organizations/{organization}/user/{user}/suspend", 204),
    Operation(9, "PUT", "/v2/organizations/{organization}/user/{user}/unsuspend", 204),
    Operation(
        10,
        "GET",
        "/v2/organizations/{organization}/suspended-users",
        200,
        _lists({"users": SUSPENDED_USER}),
        list_key="users",
    ),
    Operation(
        15,
        "GET",
        "/v2/invitation",
        200,
        _lists({"invites": INVITATION, "invitations": INVITATION}),
        list_key="invites",
    ),
    Operation(
        16,
        "POST",
        "/v2/invitation",
        201,
        _both("invitation", INVITATION),
        {"email_invited": "invited@example.org", "permissions": {"api_enabled": True}},
    ),
    Operation(17, "GET", "/v2/invitation/{invitation}", 200, _both("invitation", INVITATION)),
    Operation(18, "POST", "/v2/invitation/{invitation}/resend", 200, _both("invitation", INVITATION)),
    Operation(19, "GET", "/v2/users", 200, _lists({"users": USER}), list_key="users"),
    Operation(
        20,
        "POST",
        "/v2/users",
        201,
        _wrapped("user", USER),
        {
            "email": "new@example.org",
            "name": "New Person",
            "password": "correct horse",
            "api_enabled": True,
            "acls": ["dns"],
            "service_user": False,
        },
    ),
    Operation(21, "GET", "/v2/users/{user}", 200, _wrapped("user", USER_DETAIL)),
    Operation(
        22, "PATCH", "/v2/users/{user}", 202, _wrapped("user", USER), {"name": "Other Name", "acls": ["dns", "billing"]}
    ),
    Operation(23, "DELETE", "/v2/users/{user}", 204),
    Operation(24, "GET", "/v2/users/{user}/ip-whitelist", 200, ({"ip_whitelist": [ALLOWED], "meta": META},)),
    Operation(
        25,
        "GET",
        "/v2/users/{user}/ip-whitelist/entry",
        200,
        _wrapped("ip_whitelist_entry", ALLOWED),
        query={"subnet": "0.0.0.0", "subnet_size": "0"},
    ),
    Operation(26, "POST", "/v2/users/{user}/ip-whitelist", 204, (), {"subnet": "203.0.113.0", "subnet_size": 24}),
    Operation(27, "DELETE", "/v2/users/{user}/ip-whitelist", 204, (), {"subnet": "::", "subnet_size": 0}),
    Operation(28, "GET", "/v2/users/{user}/apikeys", 200, ({"api_keys": [API_KEY]},)),
    Operation(
        29,
        "POST",
        "/v2/users/{user}/apikeys",
        202,
        _wrapped("api_key", API_KEY),
        {"name": "second", "expire": True, "date_expire": "2099-01-01T00:00:00Z"},
    ),
    Operation(30, "GET", "/v2/users/{user}/apikeys/{key}", 200, _wrapped("api_key", API_KEY)),
    Operation(31, "DELETE", "/v2/users/{user}/apikeys/{key}", 204),
    Operation(32, "GET", "/v2/users/me/groups", 200, _USER_GROUPS),
    Operation(33, "GET", "/v2/users/me/roles", 200, _USER_ROLES),
    Operation(34, "GET", "/v2/users/me/policies", 200, _USER_POLICIES),
    Operation(35, "GET", "/v2/users/{user}/groups", 200, _USER_GROUPS),
    Operation(36, "GET", "/v2/users/{user}/roles", 200, _USER_ROLES),
    Operation(37, "GET", "/v2/users/{user}/policies", 200, _USER_POLICIES),
    Operation(38, "GET", "/v2/apikeys", 200, ({"api_keys": [API_KEY]},)),
    Operation(39, "POST", "/v2/apikeys", 202, _wrapped("api_key", API_KEY), {"name": "mine", "expire": False}),
    Operation(40, "GET", "/v2/apikeys/{own_key}", 200, _wrapped("api_key", API_KEY)),
    Operation(41, "DELETE", "/v2/apikeys/{own_key}", 204),
    Operation(42, "GET", "/v2/account", 200, _wrapped("account", ACCOUNT)),
    Operation(43, "GET", "/v2/groups", 200, _lists({"groups": GROUP}), list_key="groups"),
    Operation(44, "POST", "/v2/groups", 201, _both("group", GROUP), {"display_name": "New", "description": "Made"}),
    Operation(45, "GET", "/v2/groups/{group}", 200, _wrapped("group", GROUP)),
    Operation(46, "PUT", "/v2/groups/{group}", 200, _both("group", GROUP), {"display_name": "Renamed"}),
    Operation(47, "DELETE", "/v2/groups/{group}", 204),
    Operation(48, "GET", "/v2/groups/{group}/members", 200, _lists({"members": HOLDER}), list_key="members"),
    Operation(
        49,
        "POST",
        "/v2/groups/{group}/members",
        201,
        _both("group_member", HOLDER),
        {"user_id": "{user}", "display_name": ""},
    ),
    Operation(50, "GET", "/v2/groups/{group}/members/{user}", 200, _wrapped("group_member", HOLDER)),
    Operation(51, "DELETE", "/v2/groups/{group}/members/{user}", 204),
    Operation(52, "PUT", "/v2/groups/{group}/members/{user}", 202, _wrapped("group_member", HOLDER)),
    Operation(
        53,
        "GET",
        "/v2/groups/{group}/roles",
        200,
        (
            {"roles": {"all": [GROUP_ROLE], "inherited": [GROUP_ROLE], "direct": [GROUP_ROLE]}, "meta": META},
            {"role_group_relationships": [ROLE_GROUP], "meta": META},
        ),
    ),
    Operation(
        54,
        "GET",
        "/v2/groups/{group}/policies",
        200,
        (
            {"policies": {"direct": [POLICY_HELD], "from_roles": [POLICY_HELD], "all": [POLICY_HELD]}, "meta": META},
            {"policy_group_relationships": [POLICY_GROUP], "meta": META},
        ),
    ),
    Operation(55, "GET", "/v2/roles", 200, _lists({"roles": ROLE}), list_key="roles"),
    Operation(
        56,
        "POST",
        "/v2/roles",
        201,
        _both("role", ROLE),
        {"name": "New", "description": "Made", "role_type": "assignable", "max_session_duration": 3600},
    ),
    Operation(57, "GET", "/v2/roles/{role}", 200, _wrapped("role", ROLE)),
    Operation(58, "PUT", "/v2/roles/{role}", 200, _both("role", ROLE), {"name": "Renamed", "role_type": "assignable"}),
    Operation(59, "DELETE", "/v2/roles/{role}", 204),
    Operation(60, "PATCH", "/v2/roles/{role}/restore", 200, _both("role", ROLE)),
    Operation(
        61,
        "GET",
        "/v2/roles/{role}/groups",
        200,
        _lists({"assignments": ROLE_GROUP, "role_group_relationships": ROLE_GROUP}),
        list_key="assignments",
    ),
    Operation(62, "POST", "/v2/roles/{role}/groups/{group}", 201, _both("role_group_relationship", ROLE_GROUP)),
    Operation(63, "DELETE", "/v2/roles/{role}/groups/{group}", 204),
    Operation(
        64,
        "GET",
        "/v2/roles/{role}/users",
        200,
        _lists({"assignments": ROLE_USER, "role_user_relationships": ROLE_USER}),
        list_key="assignments",
    ),
    Operation(65, "POST", "/v2/roles/{role}/users/{user}", 201, _both("role_user_relationship", ROLE_USER)),
    Operation(66, "DELETE", "/v2/roles/{role}/users/{user}", 204),
    Operation(
        67,
        "GET",
        "/v2/roles/{role}/policies",
        200,
        _lists({"policies": POLICY, "role_policy_relationships": ROLE_POLICY}),
        list_key="policies",
    ),
    Operation(
        68,
        "POST",
        "/v2/roles/{role}/policies",
        201,
        _both("role_policy_relationship", ROLE_POLICY),
        {"policy_id": "{policy}"},
    ),
    Operation(69, "POST", "/v2/roles/{role}/policies/{policy}", 201, _both("role_policy_relationship", ROLE_POLICY)),
    Operation(70, "DELETE", "/v2/roles/{role}/policies/{policy}", 204),
    Operation(71, "GET", "/v2/policies", 200, _lists({"policies": POLICY}), list_key="policies"),
    Operation(
        72,
        "POST",
        "/v2/policies",
        201,
        _both("policy", POLICY),
        {"name": "New", "description": "Made", "policy_document": _DOCUMENT, "version": "2012-10-17"},
    ),
    Operation(73, "GET", "/v2/policies/{policy}", 200, _wrapped("policy", POLICY)),
    Operation(
        74,
        "PUT",
        "/v2/policies/{policy}",
        202,
        _both("policy", POLICY),
        {"name": "Renamed", "policy_document": _DOCUMENT},
    ),
    Operation(75, "DELETE", "/v2/policies/{policy}", 204),
    Operation(76, "PATCH", "/v2/policies/{policy}/restore", 202, _both("policy", POLICY)),
    Operation(
        77,
        "GET",
        "/v2/policies/{policy}/groups",
        200,
        _lists({"groups": {**GROUP, **POLICY_GROUP}, "policy_group_relationships": POLICY_GROUP}),
        list_key="groups",
    ),
    Operation(
        78, "POST", "/v2/policies/{policy}/groups/{group}", 201, _both("policy_group_relationship", POLICY_GROUP)
    ),
    Operation(79, "DELETE", "/v2/policies/{policy}/groups/{group}", 204),
    Operation(
        80,
        "GET",
        "/v2/policies/{policy}/users",
        200,
        _lists({"users": HOLDER, "policy_user_relationships": POLICY_USER}),
        list_key="users",
    ),
    Operation(81, "POST", "/v2/policies/{policy}/users/{user}", 201, _both("policy_user_relationship", POLICY_USER)),
    Operation(82, "DELETE", "/v2/policies/{policy}/users/{user}", 204),
    Operation(83, "GET", "/v2/role-trusts", 200, _lists({"role_trusts": TRUST}), list_key="role_trusts"),
    Operation(
        84,
        "POST",
        "/v2/role-trusts",
        201,
        _both("role_trust", TRUST),
        {
            "role_id": "{assumable}",
            "trust_type": "TemporaryAssumption",
            "trusted_user_id": "{user}",
            "conditions": {},
            "valid_until": "",
        },
    ),
    Operation(85, "GET", "/v2/role-trusts/{trust}", 200, _wrapped("role_trust", TRUST)),
    Operation(
        86,
        "PUT",
        "/v2/role-trusts/{trust}",
        200,
        _both("role_trust", TRUST),
        {"conditions": {"time_of_day": {"start": 0, "end": 24}}, "valid_until": "2099-01-01T00:00:00+00:00"},
    ),
    Operation(87, "DELETE", "/v2/role-trusts/{trust}", 204),
    Operation(88, "PATCH", "/v2/role-trusts/{trust}/restore", 200, _wrapped("role_trust", TRUST)),
    Operation(89, "GET", "/v2/role-trusts/by-role/{assumable}", 200, _lists({"role_trusts": TRUST})),
    Operation(
        90,
        "GET",
        "/v2/role-trusts/assumable/{user}",
        200,
        _lists({"assumable_roles": ASSUMABLE, "roles": ASSUMABLE}),
    ),
    Operation(
        92,
        "POST",
        "/v2/assumed-roles/assume",
        201,
        _both("assumed_role_session", SESSION_ASSUMED),
        {"role_id": "{assumable}", "session_name": "new", "duration": 900},
    ),
    Operation(
        93,
        "GET",
        "/v2/assumed-roles/users/{user}/sessions",
        200,
        _lists({"sessions": SESSION, "assumed_role_sessions": SESSION}),
    ),
    Operation(94, "GET", "/v2/assumed-roles/{session}", 200, _both("assumed_role_session", SESSION)),
    Operation(95, "DELETE", "/v2/assumed-roles/{session}", 204),
)

NUMBERED = {operation.number: operation for operation in OPERATIONS}

STS = "/v2/assumed-roles/compatibility/aws/sts"
"""Operation 91, which answers XML and has no row in the table."""

NOT_FOUND = {
    "organization": "Organization not found.",
    "user": "Invalid user ID",
    "key": "Invalid API key ID",
    "own_key": "Invalid API key ID",
    "group": "Group not found",
    "role": "Role not found",
    "policy": "Policy not found",
    "invitation": "Invite not found",
    "assumable": "Role not found",
    "trust": "Role trust not found",
    "session": "Assumed Role Not Found",
}
"""What a client reads when an id of that kind leads nowhere, letter by letter."""

NOT_SERVED = (
    *(f"{method} /v2/organizations/{{organization}}/scim{rest}" for method, rest in (("GET", ""), ("POST", "/enable"))),
    *(f"POST /v2/organizations/{{organization}}/scim/{rest}" for rest in ("disable", "token")),
    *(f"{method} /v2/oidc/{kind}" for kind in ("provider", "issuer") for method in ("GET", "POST")),
    *(f"{method} /v2/oidc/provider/{{role}}" for method in ("GET", "DELETE")),
    *(f"{method} /v2/oidc/issuer/{{role}}" for method in ("GET", "PATCH", "DELETE")),
    "POST /v2/oidc/provider/{role}/token",
    "GET /v2/oidc/provider/{role}/.well-known/openid-configuration",
    "GET /v2/oidc/{role}/.well-known/openid-configuration",
    "GET /v2/oidc/issuer/{role}/jwks",
    *(f"GET /v2/oidc/{rest}" for rest in ("authorize", "token", "jwks", "userinfo")),
    "POST /v2/oidc/issuer/token",
    "GET /v2/oidc/issuer/token/{role}",
    *(f"{method} /scim/v2/{kind}" for kind in ("Users", "Groups") for method in ("GET", "POST")),
    *(f"{method} /scim/v2/Users/{{user}}" for method in ("GET", "PATCH", "DELETE")),
    *(f"{method} /scim/v2/Groups/{{group}}" for method in ("GET", "PUT", "PATCH", "DELETE")),
)
"""What the published API has and this server does not answer yet."""


# --- every answer ---------------------------------------------------------------------------------------------------


def check_answer(method: str, path: str, status: int, body: bytes) -> None:
    """Read the answer to a call as its clients would: a success in every published form, a refusal as an error.

    `path` is as it was sent, without its query. What is not a call of the table is nobody's answer and passes, and so
    does a success other than the call's own.
    """
    operation = _operation(method, path)
    if operation is None:
        return
    if status == operation.status == 204:
        _demand(body == b"", str(operation), "nothing", body)
    elif status == operation.status:
        operation.decode(_json(body))
    elif status >= 400:
        answer = _json(body)
        decode(ERROR, answer, str(operation))
        _demand(answer["status"] == status, str(operation), f"status {status}", answer)


def _operation(method: str, path: str) -> Operation | None:
    found = [operation for operation in OPERATIONS if operation.method == method and operation.serves(path)]
    # A word of the path wins over an id: `me` is nobody's.
    return min(found, key=lambda operation: len(operation.kinds), default=None)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_number)
    except ValueError as broken:
        raise DecodingError(f"answer: wanted JSON, got {body[:200]!r}") from broken


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
