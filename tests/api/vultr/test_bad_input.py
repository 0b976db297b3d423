"""Whatever is sent, the Vultr face answers 400 or 404 in its own form, writes nothing, and repeats no secret."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api.conftest import UNKNOWN_ID, Town
from api.vultr.decoders import ERROR, NOT_FOUND, NUMBERED, OPERATIONS, Operation, decode
from world import ROOT_KEY, allow, document

WITH_BODY = [found for found in OPERATIONS if found.body]
OPTIONAL_BODY = (22, 29, 39)
MEBIBYTE = 1024 * 1024
SECRET = "Tr0ub4dor&3-never-to-be-repeated"

_TRUST = dict.fromkeys(("role_id", "trust_type", "trusted_user_id", "trusted_group_id", "valid_until"), str)

MEMBERS = {
    2: {"name": str, "type": str},
    4: {"name": str, "type": str},
    16: {"email_invited": str, "permissions": dict},
    20: {
        "email": str,
        "name": str,
        "first_name": str,
        "last_name": str,
        "password": str,
        "api_enabled": bool,
        "acls": list,
        "service_user": bool,
    },
    22: {"name": str, "email": str, "password": str, "api_enabled": bool, "acls": list},
    26: {"subnet": str, "subnet_size": int},
    27: {"subnet": str, "subnet_size": int},
    29: {"name": str, "expire": bool, "date_expire": str},
    39: {"name": str, "expire": bool, "date_expire": str},
    44: {"display_name": str, "description": str},
    46: {"display_name": str, "description": str},
    49: {"user_id": str, "display_name": str},
    56: {"name": str, "description": str, "role_type": str, "max_session_duration": int},
    58: {"name": str, "description": str, "role_type": str, "max_session_duration": int},
    68: {"policy_id": str},
    72: {"name": str, "description": str, "policy_document": dict, "version": str},
    74: {"name": str, "description": str, "policy_document": dict},
    84: {**_TRUST, "conditions": dict},
    86: {**_TRUST, "conditions": dict},
    92: {"role_id": str, "session_name": str, "user_id": str, "duration": int, "context": dict},
}
"""The members of every body, with their JSON types."""

REQUIRED = {
    2: ["name"],
    16: ["email_invited"],
    20: ["email", "name", "password"],
    26: ["subnet", "subnet_size"],
    27: ["subnet", "subnet_size"],
    44: ["display_name"],
    49: ["user_id"],
    56: ["name"],
    68: ["policy_id"],
    72: ["name", "policy_document"],
    84: ["role_id", "trust_type"],
    92: ["role_id", "session_name"],
}

SAMPLES = (True, False, 0, 1, -1, 1.5, "", "x", "true", "1", [], ["x"], [1], [None], [[]], {}, {"x": "y"})
"""One value or more of every JSON type."""


@contextmanager
def nothing_written(town: Town) -> Iterator[None]:
    """Neither a revision nor a change comes out of what is done inside."""
    before = town.log()
    yield
    assert town.log() == before


def assert_refused(response: Any, *statuses: int) -> None:
    """The answer is an error in the contract's form, with one of those statuses, 400 if none is given."""
    assert response.status_code in (statuses or (400,)), response.text[:300]
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert sorted(body) == ["error", "status"]
    decode(ERROR, body)
    assert body["status"] == response.status_code
    assert body["error"]
    for secret in (SECRET, ROOT_KEY):
        assert secret not in response.text


def send(town: Town, operation: Operation, body: Any = None, **options: Any) -> Any:
    """Make a call of the table on the populated ids, with another body than the table's."""
    return town.world.call(operation.method, operation.at(town.names(town.ids)), body, **options)


def send_text(town: Town, operation: Operation, text: str | bytes) -> Any:
    """The same with the text of a body."""
    return send(town, operation, content=text.encode() if isinstance(text, str) else text)


def valid(town: Town, operation: Operation) -> dict[str, Any]:
    """The table's body, which would be accepted."""
    return dict(operation.with_body(town.names(town.ids)))


def test_the_table_of_members_names_every_operation_with_a_body() -> None:
    assert sorted(MEMBERS) == [operation.number for operation in WITH_BODY]
    for operation in WITH_BODY:
        assert set(operation.body) <= set(MEMBERS[operation.number])


# --- bodies ---------------------------------------------------------------------------------------------------------

MALFORMED = {
    "nothing but a brace": b"{",
    "a missing value": b'{"name": }',
    "a missing comma": b'{"name": "a" "description": "b"}',
    "a trailing comma": b'{"name": "a",}',
    "single quotes": b"{'name': 'a'}",
    "a comment": b'{"name": "a" /* b */}',
    "two values": b'{"name": "a"} {"name": "b"}',
    "a form": b"name=a&description=b",
    "XML": b"<name>a</name>",
    "a raw newline in a string": b'{"name": "a\nb"}',
    "an unfinished string": b'{"name": "a',
    "an unknown escape": b'{"name": "\\x41"}',
    "NaN": b'{"name": "a", "max_session_duration": NaN}',
    "infinity": b'{"name": "a", "max_session_duration": Infinity}',
    "minus infinity in a member to ignore": b'{"name": "a", "x": -Infinity}',
    "a leading zero": b'{"name": "a", "max_session_duration": 03600}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "UTF-32": '{"name": "a"}'.encode("utf-32-be"),
    "a broken character": b'{"name": "\xff\xfe"}',
    "an encoded surrogate": b'{"name": "\xed\xa0\x80"}',
    "an overlong character": b'{"name": "\xc0\xaf"}',
    "a NUL byte": b'{"name": "a\x00"}',
    "a NUL byte behind it": b'{"name": "a"}\x00',
    "an escaped NUL": b'{"name": "a\\u0000b"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "a lone surrogate in a name to ignore": b'{"\\udfff": 1, "name": "a"}',
    "a NUL in a name to ignore": b'{"\\u0000": 1, "name": "a"}',
    "surrogates in the wrong order": b'{"name": "\\udc00\\ud800"}',
    "lists 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "lists 10,000 deep in a member to ignore": b'{"name": "a", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "lists 100,000 deep without an end": b"[" * 100_000,
    "an integer of 10,000 digits": b'{"name": "a", "max_session_duration": ' + b"9" * 10_000 + b"}",
    "a list": b"[]",
    "a list of the body": b'[{"name": "a"}]',
    "a string": b'"name"',
    "an empty string": b'""',
    "a number": b"1",
    "zero": b"0",
    "true": b"true",
    "false": b"false",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_no_well_formed_object_is_refused_everywhere(standing: Town, content: bytes) -> None:
    with nothing_written(standing):
        for operation in WITH_BODY:
            assert_refused(send_text(standing, operation, content))


@pytest.mark.parametrize("operation", [found for found in WITH_BODY if found.number not in OPTIONAL_BODY], ids=str)
def test_a_body_that_is_needed_may_not_be_missing(standing: Town, operation: Operation) -> None:
    with nothing_written(standing):
        for content in (b"", b" ", b"null"):
            assert_refused(send_text(standing, operation, content))


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_body_over_one_mebibyte_is_refused(standing: Town, operation: Operation) -> None:
    with nothing_written(standing):
        text = json.dumps({**valid(standing, operation), "padding": ""})
        padded = text.replace('"padding": ""', f'"padding": "{"x" * (MEBIBYTE + 1 - len(text))}"')
        assert len(padded) == MEBIBYTE + 1
        assert_refused(send_text(standing, operation, padded))
        assert_refused(send_text(standing, operation, " " * (MEBIBYTE + 1)))


def test_a_body_over_one_mebibyte_is_refused_where_none_is_needed(standing: Town) -> None:
    with nothing_written(standing):
        for number in (1, 5, 6, 7, 62, 66, 79):
            assert_refused(send_text(standing, NUMBERED[number], b" " * (MEBIBYTE + 1)))


def test_a_body_of_one_mebibyte_is_read(town: Town) -> None:
    text = json.dumps({"display_name": "g", "padding": ""})
    padded = text.replace('"padding": ""', f'"padding": "{"x" * (MEBIBYTE - len(text))}"')
    assert len(padded) == MEBIBYTE
    assert send_text(town, NUMBERED[44], padded).status_code == 201


def test_a_member_that_is_there_twice_is_refused(town: Town) -> None:
    with nothing_written(town):
        pairs = [(operation, member) for operation in WITH_BODY for member in valid(town, operation)]
        for operation, member in pairs:
            value = valid(town, operation)[member]
            said = json.dumps(value)
            others = {name: other for name, other in valid(town, operation).items() if name != member}
            text = f'{{"{member}": {said}, "{member}": {said}'
            text += "".join(f", {json.dumps(name)}: {json.dumps(other)}" for name, other in others.items()) + "}"
            assert_refused(send_text(town, operation, text))


# --- members --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_member_of_another_type_is_refused(standing: Town, operation: Operation) -> None:
    with nothing_written(standing):
        for member, type_ in MEMBERS[operation.number].items():
            for sample in SAMPLES:
                if type(sample) is type_ and not (isinstance(sample, list) and sample and sample[0] != "x"):
                    continue
                body = {**valid(standing, operation), member: sample}
                response = send(standing, operation, body)
                assert_refused(response)
                assert member in response.json()["error"]


@pytest.mark.parametrize("number", sorted(REQUIRED))
def test_a_required_member_may_be_neither_missing_nor_null_nor_empty(standing: Town, number: int) -> None:
    operation = NUMBERED[number]
    with nothing_written(standing):
        for member in REQUIRED[number]:
            body = valid(standing, operation)
            for wrong in ({**body, member: None}, {**body, member: {} if member == "policy_document" else ""}):
                assert_refused(send(standing, operation, wrong), *((400, 404) if member.endswith("_id") else ()))
            del body[member]
            assert_refused(send(standing, operation, body))


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_string_that_no_database_can_hold_is_refused_in_every_member(standing: Town, operation: Operation) -> None:
    with nothing_written(standing):
        for member, type_ in MEMBERS[operation.number].items():
            for text in ("a\\u0000", "\\u0000", "\\ud800", "a\\udfffb"):
                said = {list: f'["{text}"]', dict: f'{{"{text}": 1}}'}.get(type_, f'"{text}"')
                others = {name: value for name, value in valid(standing, operation).items() if name != member}
                content = json.dumps({**others, member: 0}).replace(f'"{member}": 0', f'"{member}": {said}')
                assert_refused(send_text(standing, operation, content))


NAMES = {
    "256 characters": "x" * 256,
    "256 characters of two bytes": "é" * 256,
    "half a million characters": "x" * 500_000,
    "blanks": "   ",
    "a new line": "a\nb",
    "a tab": "a\tb",
    "an escape": "\x1b[31mred",
    "a delete": "a\x7f",
    "another direction": "a\u202eb",
    "a zero-width space": "a\u200bb",
    "a line separator": "a\u2028b",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_beyond_the_limits_is_refused_everywhere(standing: Town, name: str) -> None:
    with nothing_written(standing):
        for operation in WITH_BODY:
            for member in {"name", "display_name", "type", "version"} & set(MEMBERS[operation.number]):
                if operation.number == 49:
                    continue  # there it is looked for, not stored
                assert_refused(send(standing, operation, {**valid(standing, operation), member: name}))
        parts = {"first_name": name, "last_name": name}
        body = {name: value for name, value in valid(standing, NUMBERED[20]).items() if name != "name"}
        assert_refused(send(standing, NUMBERED[20], {**body, **parts}))


def test_a_name_of_255_characters_is_kept(town: Town) -> None:
    for name in ("x" * 255, "é" * 255, "\U0001f600" * 255):
        assert town.world.post("/v2/groups", {"display_name": name})["display_name"] == name


@pytest.mark.parametrize("number", [44, 46, 56, 58, 72, 74])
def test_a_description_has_at_most_1000_characters(town: Town, number: int) -> None:
    operation = NUMBERED[number]
    with nothing_written(town):
        for length in (1001, 500_000):
            assert_refused(send(town, operation, {**valid(town, operation), "description": "é" * length}))
    written = send(town, operation, {**valid(town, operation), "description": "é" * 1000})
    assert written.status_code == operation.status


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "x@",
        "@x",
        "@",
        "a b@example.org",
        "a@b@c",
        "a@exa mple.org",
        "a@example.org\n",
        "\ta@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a" * 250 + "@example.org",
        "a\u202e@example.org",
        "a\u00a0@example.org",
        " a@example.org",
    ],
)
def test_what_is_no_e_mail_address_is_refused(standing: Town, email: str) -> None:
    with nothing_written(standing):
        for number in (20, 22):
            body = {**valid(standing, NUMBERED[number]), "email": email, "password": SECRET}
            assert_refused(send(standing, NUMBERED[number], body))


@pytest.mark.parametrize("password", ["", "short", "1234567", "x" * 1025, "é" * 1025])
def test_a_password_that_is_too_short_or_too_long_is_refused_and_not_repeated(standing: Town, password: str) -> None:
    with nothing_written(standing):
        for number in (20, 22):
            response = send(standing, NUMBERED[number], {**valid(standing, NUMBERED[number]), "password": password})
            assert_refused(response)
            assert not password or password not in response.text


@pytest.mark.parametrize("wrong", [[SECRET], {"x": SECRET}, [[SECRET]]])
def test_a_password_of_another_type_is_not_repeated(standing: Town, wrong: Any) -> None:
    with nothing_written(standing):
        for number in (20, 22):
            body = {**valid(standing, NUMBERED[number]), "password": wrong}
            assert_refused(send(standing, NUMBERED[number], body))


def test_a_password_is_not_repeated_when_something_else_is_wrong(standing: Town) -> None:
    with nothing_written(standing):
        for number in (20, 22):
            body = {**valid(standing, NUMBERED[number]), "password": SECRET}
            for wrong in ({"email": "x"}, {"email": 1}, {"acls": ["x"]}, {"acls": "x"}, {"name": ""}):
                assert_refused(send(standing, NUMBERED[number], {**body, **wrong}))
            assert_refused(send_text(standing, NUMBERED[number], json.dumps(body) + "}"))


@pytest.mark.parametrize("acl", ["", "x", "DNS", "dns ", "*", "user.acl.DNS", "manage-users", "\u0131"])
def test_an_acl_that_is_unknown_is_refused_together_with_known_ones(standing: Town, acl: str) -> None:
    with nothing_written(standing):
        for number in (20, 22):
            body = {**valid(standing, NUMBERED[number]), "acls": ["dns", acl, "billing"]}
            assert_refused(send(standing, NUMBERED[number], body))


@pytest.mark.parametrize("role_type", ["x", "Assignable", "user", "service", "assignable ", "assumable\n"])
def test_an_unknown_type_of_role_is_refused(standing: Town, role_type: str) -> None:
    with nothing_written(standing):
        for number in (56, 58):
            assert_refused(
                send(standing, NUMBERED[number], {**valid(standing, NUMBERED[number]), "role_type": role_type})
            )


@pytest.mark.parametrize("seconds", ["-1", "2147483648", "9" * 30, "9" * 4000, "3600.0", "3.6e3", "1e400", '"3600"'])
@pytest.mark.parametrize("role_type", ["assignable", "assumable"])
def test_a_session_length_that_is_no_reasonable_number_is_refused(standing: Town, seconds: str, role_type: str) -> None:
    with nothing_written(standing):
        for number in (56, 58):
            text = f'{{"name": "r", "role_type": "{role_type}", "max_session_duration": {seconds}}}'
            assert_refused(send_text(standing, NUMBERED[number], text))


@pytest.mark.parametrize("seconds", [0, 899, 43_201])
def test_a_session_length_outside_of_its_limits_is_refused_where_it_has_an_effect(standing: Town, seconds: int) -> None:
    with nothing_written(standing):
        asked = {"name": "r", "role_type": "assumable", "max_session_duration": seconds}
        for number in (56, 58):
            assert_refused(send(standing, NUMBERED[number], asked))


UNUSABLE_DATES = [
    "x",
    "never",
    "0",
    "2099",
    "2099-13-01T00:00:00Z",
    "2099-02-30T00:00:00Z",
    "2099-01-01T25:00:00Z",
    "2099-01-01T00:00:00+99:00",
    "4102444800",
    "01/02/2099",
    "tomorrow",
    "10000-01-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1969-12-31T23:59:59Z",
    "\uff12\uff10\uff19\uff19-01-01",
]


@pytest.mark.parametrize("expire", [True, None])
@pytest.mark.parametrize("date", UNUSABLE_DATES)
def test_an_expiry_that_cannot_be_read_or_is_past_is_refused_and_never_means_never(
    standing: Town, date: str, expire: bool | None
) -> None:
    with nothing_written(standing):
        for number in (29, 39):
            assert_refused(send(standing, NUMBERED[number], {"name": "k", "expire": expire, "date_expire": date}))


@pytest.mark.parametrize("date", [None, ""])
def test_an_expiry_that_was_meant_and_is_not_there_is_refused(standing: Town, date: str | None) -> None:
    with nothing_written(standing):
        for number in (29, 39):
            assert_refused(send(standing, NUMBERED[number], {"expire": True, "date_expire": date}))


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59-23:59"])
def test_an_expiry_that_no_answer_could_show_is_refused(town: Town, date: str) -> None:
    with nothing_written(town):
        for number in (29, 39):
            assert_refused(send(town, NUMBERED[number], {"expire": True, "date_expire": date}))
    assert town.world.status("/v2/apikeys") == 200


# --- ids ------------------------------------------------------------------------------------------------------------

ODD_IDS = {
    "no UUID": "x",
    "zero": "0",
    "the null UUID": "00000000-0000-0000-0000-000000000000",
    "unknown": UNKNOWN_ID,
    "a UUID without hyphens": UNKNOWN_ID.replace("-", ""),
    "a UUID in braces": f"%7B{UNKNOWN_ID}%7D",
    "a URN": f"urn:uuid:{UNKNOWN_ID}",
    "null": "null",
    "undefined": "undefined",
    "a star": "*",
    "two dots encoded": "%2e%2e",
    "a NUL": "%00",
    "an encoded surrogate": "%ED%A0%80",
    "a broken byte": "%FF",
    "a blank": "%20",
    "a quote": "%27%20OR%201=1--",
    "5,000 characters": "a" * 5000,
    "other digits": "%EF%BC%90" * 8,
}


@pytest.mark.parametrize("odd", ODD_IDS.values(), ids=ODD_IDS)
def test_an_id_that_can_be_nobody_s_is_unknown_everywhere(standing: Town, odd: str) -> None:
    names = standing.names(standing.ids)
    with nothing_written(standing):
        for operation in OPERATIONS:
            for kind in operation.kinds:
                path = operation.at({**names, kind: odd})
                response = standing.world.call(
                    operation.method, path, operation.with_body(names), params=operation.query
                )
                assert_refused(response, 404)
                assert response.json()["error"] == NOT_FOUND[kind]


@pytest.mark.parametrize("operation", [found for found in OPERATIONS if found.kinds], ids=str)
def test_an_id_in_another_spelling_is_unknown(standing: Town, operation: Operation) -> None:
    names = standing.names(standing.ids)
    with nothing_written(standing):
        for kind in operation.kinds:
            known = names[kind]
            for odd in (known.upper(), f"{known}%20", f"%20{known}", known.replace("-", ""), f"{known}%00"):
                path = operation.at({**names, kind: odd})
                response = standing.world.call(
                    operation.method, path, operation.with_body(names), params=operation.query
                )
                assert_refused(response, 404)
                assert response.json()["error"] == NOT_FOUND[kind]


@pytest.mark.parametrize(("number", "member", "kind"), [(49, "user_id", "user"), (68, "policy_id", "policy")])
def test_an_odd_id_in_a_body_is_unknown(standing: Town, number: int, member: str, kind: str) -> None:
    known = standing.names(standing.ids)[kind]
    with nothing_written(standing):
        for odd in (
            "x",
            "*",
            "me",
            known.upper(),
            f" {known}",
            f"{known}\n",
            UNKNOWN_ID,
            "é" * 5000,
            standing.ids.role,
        ):
            response = send(standing, NUMBERED[number], {member: odd})
            assert_refused(response, 404)
            assert response.json()["error"] == NOT_FOUND[kind]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_oneself_is_no_user_with_the_id_me(standing: Town, method: str) -> None:
    with nothing_written(standing):
        assert_refused(standing.world.call(method, "/v2/users/me", {}), 404)


# --- policy documents -----------------------------------------------------------------------------------------------

_GOOD = {"Effect": "Allow", "Action": "a.b.C", "Resource": "*"}


def _statement(**members: Any) -> Any:
    return document({**_GOOD, **members})


def _without(member: str) -> Any:
    return document({name: value for name, value in _GOOD.items() if name != member})


def _condition(**operators: Any) -> Any:
    return _statement(Condition=operators)


BAD_DOCUMENTS: dict[str, Any] = {
    "an empty object": {},
    "no statement": {"Version": "2012-10-17"},
    "no statements": {"Version": "2012-10-17", "Statement": []},
    "statement null": {"Version": "2012-10-17", "Statement": None},
    "statement a string": {"Version": "2012-10-17", "Statement": "Allow"},
    "statement a number": {"Version": "2012-10-17", "Statement": 1},
    "a statement that is none": {"Version": "2012-10-17", "Statement": [_GOOD, "x"]},
    "a statement null": {"Version": "2012-10-17", "Statement": [None]},
    "a statement in a list in a list": {"Version": "2012-10-17", "Statement": [[_GOOD]]},
    "an empty statement": {"Version": "2012-10-17", "Statement": [{}]},
    "an empty statement alone": {"Version": "2012-10-17", "Statement": {}},
    "a bad statement behind a good one": document(_GOOD, {**_GOOD, "Effect": "Maybe"}),
    "version a number": {"Version": 2012, "Statement": [_GOOD]},
    "version null": {"Version": None, "Statement": [_GOOD]},
    "version a list": {"Version": ["2012-10-17"], "Statement": [_GOOD]},
    "an unknown member": {**document(_GOOD), "Id": "x"},
    "members in lower case": {"version": "2012-10-17", "statement": [_GOOD]},
    "an unknown member of a statement": _statement(Comment="x"),
    "Principal": _statement(Principal="*"),
    "NotPrincipal": _statement(NotPrincipal="*"),
    "NotAction": _statement(NotAction="x"),
    "NotAction alone": document({"Effect": "Allow", "NotAction": "a.b.C", "Resource": "*"}),
    "NotResource": _statement(NotResource="x"),
    "effect in lower case": _statement(Effect="allow"),
    "effect unknown": _statement(Effect="Permit"),
    "effect empty": _statement(Effect=""),
    "effect null": _statement(Effect=None),
    "effect a list": _statement(Effect=["Allow"]),
    "effect an object": _statement(Effect={}),
    "effect true": _statement(Effect=True),
    "effect missing": _without("Effect"),
    "action missing": _without("Action"),
    "action null": _statement(Action=None),
    "action empty": _statement(Action=""),
    "no actions": _statement(Action=[]),
    "action a number": _statement(Action=1),
    "action an object": _statement(Action={"a": "b"}),
    "an empty action": _statement(Action=["a.b.C", ""]),
    "an action null": _statement(Action=[None]),
    "an action a list": _statement(Action=[["a.b.C"]]),
    "an action with a blank": _statement(Action="a b"),
    "an action with a new line": _statement(Action="a.b.C\n"),
    "an action with a control character": _statement(Action="a\x07"),
    "an action with a no-break space": _statement(Action="a\u00a0b"),
    "a variable in an action": _statement(Action="a.${subject.id}"),
    "resource missing": _without("Resource"),
    "resource null": _statement(Resource=None),
    "resource empty": _statement(Resource=""),
    "no resources": _statement(Resource=[]),
    "resource a number": _statement(Resource=1),
    "resource an object": _statement(Resource={}),
    "an empty resource": _statement(Resource=["*", ""]),
    "a resource with a blank": _statement(Resource="group: 1"),
    "a variable in a resource": _statement(Resource="group:${subject.id}"),
    "an unfinished variable in a resource": _statement(Resource="group:${"),
    "a star in a type": _statement(Resource="gr*:1"),
    "a star for a type": _statement(Resource="*:1"),
    "a star in a bare id": _statement(Resource="abc*"),
    "no type": _statement(Resource=":1"),
    "no id": _statement(Resource="group:"),
    "sid a number": _statement(Sid=1),
    "sid a list": _statement(Sid=["x"]),
    "condition null": _statement(Condition=None),
    "condition empty": _statement(Condition={}),
    "condition a list": _statement(Condition=[]),
    "condition a string": _statement(Condition="x"),
    "condition true": _statement(Condition=True),
    "condition of an unknown operator": _condition(StringMatches={"context.a": "x"}),
    "condition of an operator in lower case": _condition(stringequals={"context.a": "x"}),
    "condition of an ARN operator": _condition(ArnLike={"context.a": "x"}),
    "condition of a set operator": _condition(**{"ForAnyValue:StringEquals": {"context.a": "x"}}),
    "condition NullIfExists": _condition(NullIfExists={"context.a": "true"}),
    "condition without keys": _condition(StringEquals={}),
    "condition with keys null": _condition(StringEquals=None),
    "condition with a list of keys": _condition(StringEquals=["context.a"]),
    "condition with an unknown key": _condition(StringEquals={"aws:SourceIp": "x"}),
    "condition with an unknown root": _condition(StringEquals={"user.a": "x"}),
    "condition with a root alone": _condition(StringEquals={"context": "x"}),
    "condition with an empty part": _condition(StringEquals={"context..a": "x"}),
    "condition with an empty key": _condition(StringEquals={"": "x"}),
    "condition with a dot at the end": _condition(StringEquals={"context.a.": "x"}),
    "condition with no values": _condition(StringEquals={"context.a": []}),
    "condition with a value null": _condition(StringEquals={"context.a": None}),
    "condition with an object": _condition(StringEquals={"context.a": {}}),
    "condition with a list in a list": _condition(StringEquals={"context.a": [["x"]]}),
    "condition with a fraction for a string": _condition(StringEquals={"context.a": 1.5}),
    "condition with a variable": _condition(StringEquals={"context.a": "${subject.id}"}),
    "condition with a variable in a key": _condition(StringEquals={"context.${a}": "x"}),
    "condition with a word for a number": _condition(NumericEquals={"context.a": "x"}),
    "condition with true for a number": _condition(NumericEquals={"context.a": True}),
    "condition with a blank number": _condition(NumericEquals={"context.a": " 1"}),
    "condition with a huge exponent": _condition(NumericEquals={"context.a": "1e9999999"}),
    "condition with a word for a date": _condition(DateLessThan={"context.a": "tomorrow"}),
    "condition with an impossible date": _condition(DateLessThan={"context.a": "2026-02-30"}),
    "condition with a date beyond all years": _condition(DateLessThan={"context.a": 10**15}),
    "condition with a word for a boolean": _condition(Bool={"context.a": "yes"}),
    "condition with a number for a boolean": _condition(Bool={"context.a": 1}),
    "condition with a word for an address": _condition(IpAddress={"context.a": "localhost"}),
    "condition with an impossible address": _condition(IpAddress={"context.a": "10.0.0.256"}),
    "condition with an impossible prefix": _condition(IpAddress={"context.a": "10.0.0.0/33"}),
    "condition with a long value": _condition(StringEquals={"context.a": "x" * 1001}),
    "condition with a long key": _condition(StringEquals={"context." + "x" * 1001: "x"}),
    "condition with 1,001 values": _condition(StringEquals={"context.a": ["x"] * 1001}),
    "condition with 101 tests": _condition(StringEquals={f"context.k{number}": "x" for number in range(101)}),
    "condition with a huge integer": _condition(NumericEquals={"context.a": 10**1001}),
    "one bad condition among good ones": _condition(Bool={"context.a": True}, Nope={"context.a": "x"}),
    "64 KiB of one action": _statement(Action="a" * 65_536),
    "64 KiB of actions": _statement(Action=["compute.instance.Read"] * 3000),
    "64 KiB of characters of two bytes": _statement(Sid="é" * 33_000),
    "64 KiB of statements": document(*([_GOOD] * 1500)),
}


@pytest.mark.parametrize("written", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS)
def test_a_policy_document_outside_of_the_grammar_is_refused(standing: Town, written: Any) -> None:
    with nothing_written(standing):
        for number in (72, 74):
            body = {"name": "p", "policy_document": written}
            assert_refused(send(standing, NUMBERED[number], body, params={"drop_conditions": "true"}))


@pytest.mark.parametrize(
    "members",
    [
        '"Action": "a", "Condition": {"NumericEquals": {"context.a": 1e400}}',
        '"Action": "a", "Condition": {"NumericEquals": {"context.a": -1e400}}',
        '"Action": "a", "Condition": {"DateEquals": {"context.a": 1e308}}',
        '"Action": "a", "Condition": {"DateEquals": ' + '{"a":' * 80 + "1" + "}" * 80 + "}",
        '"Action": 1e400',
        '"Action": "a", "Sid": "\\ud83d"',
        '"Action": "a\\u0000"',
    ],
)
def test_a_policy_document_that_only_text_can_say_is_refused(standing: Town, members: str) -> None:
    with nothing_written(standing):
        for number in (72, 74):
            assert_refused(send_text(standing, NUMBERED[number], _policy_text(f'"Effect": "Allow", {members}')))


@pytest.mark.parametrize(
    "members",
    [
        '"Effect": "Deny", "Effect": "Allow", "Action": "*"',
        '"Effect": "Allow", "Action": "a.b.C", "Action": "*"',
        '"Effect": "Allow", "Action": "*", "Resource": "group:1"',
        '"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"context.a": true}, "Bool": {"context.b": true}}',
        '"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"context.a": true, "context.a": false}}',
    ],
)
def test_a_statement_with_a_member_twice_is_refused(town: Town, members: str) -> None:
    with nothing_written(town):
        for number in (72, 74):
            assert_refused(send_text(town, NUMBERED[number], _policy_text(members)))


def _policy_text(members: str) -> str:
    return f'{{"name": "p", "policy_document": {{"Statement": [{{{members}, "Resource": "*"}}]}}}}'


def test_a_null_sid_is_refused(town: Town) -> None:
    with nothing_written(town):
        assert_refused(send(town, NUMBERED[72], {"name": "p", "policy_document": _statement(Sid=None)}))


def test_a_policy_document_of_64_kib_is_kept(town: Town) -> None:
    written = _statement(Sid="")
    written["Statement"][0]["Sid"] = "x" * (65_536 - len(json.dumps(written, separators=(",", ":"))))
    made = town.world.post("/v2/policies", {"name": "p", "policy_document": written})
    assert made["policy_document"] == written
    written["Statement"][0]["Sid"] += "x"
    with nothing_written(town):
        assert_refused(send(town, NUMBERED[72], {"name": "p", "policy_document": written}))


@pytest.mark.parametrize("value", ["maybe", "", "2", "null", "true true"])
def test_dropping_conditions_is_said_clearly_or_refused(standing: Town, value: str) -> None:
    with nothing_written(standing):
        body = {"policy_document": allow("a.b.C")}
        assert_refused(send(standing, NUMBERED[74], body, params={"drop_conditions": value}))


# --- previews -------------------------------------------------------------------------------------------------------

PREVIEWS = (
    "preview",
    "preview=",
    "preview=true",
    "preview=false",
    "preview=0",
    "preview=TRUE",
    "preview=yes",
    "Preview=true",
    "PREVIEW=true",
    "%70review=true",
    "p%72eview=tru%65",
    "%50REVIEW",
    "+preview=true",
    "preview%20=true",
    "%09preview",
    "preview=true&preview=false",
    "per_page=1&preview=true",
    "&&preview",
    "a&preview",
    "preview=%00",
    "preview=true#",
)
MEANT = ("preview=true", "per_page=1&preview=true", "preview=true#")


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_preview_is_one_or_refused_and_never_a_write(standing: Town, operation: Operation) -> None:
    """In its one spelling a writing call answers what it would do; every other spelling is refused."""
    names = standing.names(standing.ids)
    with nothing_written(standing):
        # A reading call takes nothing away: a few spellings are enough there.
        for query in PREVIEWS if operation.writes else PREVIEWS[::7]:
            path = f"{operation.at(names)}?{query}"
            response = standing.world.call(operation.method, path, operation.with_body(names))
            if operation.writes and query in MEANT:
                assert response.status_code == 200, response.text
                assert len(response.json()["digest"]) == 64
                continue
            assert_refused(response)
            assert "preview" in response.json()["error"]


def test_a_query_parameter_that_only_looks_like_a_preview_is_ignored(standing: Town) -> None:
    for query in ("review=true", "previews=true", "x=preview", "x=preview=true"):
        assert standing.world.status(f"/v2/groups?{query}") == 200


@pytest.mark.parametrize("query", ["preview=true", "Preview", "%70review"])
@pytest.mark.parametrize("path", ["/v1/changes", "/v1/changes/1"])
def test_a_preview_is_refused_by_the_native_face_too(standing: Town, path: str, query: str) -> None:
    answer = standing.world.call("GET", f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


# --- the native face ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "revision", ["0", "-1", "x", "01", "+1", "1.0", "1e0", "9" * 18, "9" * 19, "9" * 5000, "%00", "%D9%A1", "%20", " 1"]
)
def test_a_revision_that_can_be_no_change_is_unknown(standing: Town, revision: str) -> None:
    answer = standing.world.call("GET", f"/v1/changes/{revision}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=x", "limit=", "cursor=x", "cursor=%00", "limit=" + "9" * 5000]
)
def test_a_part_of_the_log_that_cannot_be_meant_is_refused(standing: Town, query: str) -> None:
    answer = standing.world.call("GET", f"/v1/changes?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 400
