"""The OpenAPI document of each face is true: whatever is sent by it, the answer is one that it names."""

import json
import re
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.generation import GenerationMode

from api.conftest import Town
from api.vultr.decoders import NUMBERED
from rescind.api.exchange import Operation
from rescind.api.native.face import OPERATIONS as NATIVE
from rescind.api.vultr.face import OPERATIONS as VULTR
from rescind.api.vultr.sts import OPERATIONS as STS
from rescind.api.vultr.sts import PATH as STS_PATH
from rescind.usecases.requirements import Acting

FACES = {STS_PATH: STS, "/v2": VULTR, "/v1": NATIVE}
ERRORS = {
    STS_PATH: ("text/xml", "XmlDocument"),
    "/v2": ("application/json", "Error"),
    "/v1": ("application/problem+json", "Problem"),
}
NAMED_BY_BODY = {
    *("new_group", "create_trust", "assume_role", "assume_role_as_aws", "create_key"),
    *("preview", "apply_revocations"),
}
ROWS = [(prefix, row) for prefix, rows in FACES.items() for row in rows]
EVERY_ROW = pytest.mark.parametrize(("prefix", "row"), ROWS, ids=[row.name for _, row in ROWS])

FREE_JSON = {
    "Policy.policy_document",
    "PolicyBoth.policy_document",
    "PolicyHeld.policy_document",
    "PolicyOfRole.policy_document",
    "Change.created",
    "Change.opened",
    "Change.closed",
    "Change.profile",
    "Change.credentials",
    "Change.cause",
    "Left.fact",
    "ImpactSaid.opened",
    "ImpactSaid.closed",
    "ImpactRow.condition",
    "Covering.statement",
    "StatementHeld.statement",
    "Could.conditions",
    "Could.unless",
    "Principal.properties",
    "Resource.properties",
}
"""Members that are JSON of somebody else's making."""

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def place(request: pytest.FixtureRequest, row: Operation) -> Town:
    """A town for one operation: its own if it writes."""
    return request.getfixturevalue("standing" if row.method == "GET" else "town")


def _forbids(row: Operation) -> bool:
    """Whether the document can be broken: an operation without body and query takes anything."""
    return bool({"body", "per_page", "limit"} & set(row.handler.__annotations__))


_bounded = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="session")
def documents(standing: Town) -> dict[str, dict[str, Any]]:
    """The document of each face, as anybody may read it."""
    found = {}
    for prefix in FACES:
        response = standing.world.client.get(f"{prefix}/openapi.json")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        found[prefix] = response.json()
    return found


@pytest.fixture(scope="session")
def schemas(documents: dict[str, dict[str, Any]]) -> dict[str, schemathesis.BaseSchema]:
    """The same, ready to make calls of."""
    return {prefix: schemathesis.openapi.from_dict(document) for prefix, document in documents.items()}


# --- what is sent by the document is answered by the document -------------------------------------------------------


def _known(town: Town, row: Operation) -> dict[str, str]:
    """Path parameters that lead somewhere."""
    names = {f"{kind}_id": value for kind, value in town.names(town.ids).items()}
    names |= {"member_id": names["user_id"], "revision": "9"}
    if row.path.startswith("/v2/apikeys/"):
        names["key_id"] = names["own_key_id"]
    return {name: value for name, value in names.items() if f"{{{name}}}" in row.path}


def _exercise(town: Town, schema: schemathesis.BaseSchema, row: Operation, mode: GenerationMode) -> list[int]:
    """Send what the document allows, or what it does not, to known and unknown ids; check each answer against it."""
    described = schema[row.path][row.method]
    known = _known(town, row)
    choices = [described.as_strategy(generation_mode=mode, path_parameters=known)]
    if known:
        choices.append(described.as_strategy(generation_mode=mode))
    statuses = []

    @_bounded
    @given(case=st.one_of(choices))
    def send(case: schemathesis.Case) -> None:
        sent = case.as_transport_kwargs(base_url="http://testserver")
        sent.pop("cookies", None)
        content = sent.pop("data", None)
        if "json" not in sent and content is not None:
            sent["content"] = content if isinstance(content, str | bytes) else str(content)
        sent["headers"] = {**dict(sent["headers"] or {}), "Authorization": f"Bearer {town.world.key}"}
        response = town.world.client.request(**sent)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    return statuses


@EVERY_ROW
def test_what_the_document_allows_is_answered_as_the_document_says(
    place: Town, schemas: dict[str, schemathesis.BaseSchema], prefix: str, row: Operation
) -> None:
    assert _exercise(place, schemas[prefix], row, GenerationMode.POSITIVE)


@pytest.mark.parametrize(
    ("prefix", "row"), [pair for pair in ROWS if _forbids(pair[1])], ids=[row.name for _, row in ROWS if _forbids(row)]
)
def test_what_the_document_does_not_allow_is_answered_as_the_document_says(
    place: Town, schemas: dict[str, schemathesis.BaseSchema], prefix: str, row: Operation
) -> None:
    assert _exercise(place, schemas[prefix], row, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("row", VULTR, ids=[row.name for row in VULTR])
def test_the_contract_s_own_call_succeeds_as_the_document_says(
    place: Town, schemas: dict[str, schemathesis.BaseSchema], documents: dict[str, dict[str, Any]], row: Operation
) -> None:
    contract, names = NUMBERED[row.number], place.names(place.ids)
    response = place.world.call(row.method, contract.at(names), contract.with_body(names), params=contract.query)
    assert response.status_code == row.status
    case = schemas["/v2"][row.path][row.method].Case(path_parameters=_known(place, row))
    case.validate_response(response, checks=CHECKS)
    described = documents["/v2"]["paths"][row.path][row.method.lower()]
    assert ("requestBody" in described) == (contract.body is not None)
    if contract.body is not None:
        asked = described["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(
            contract.with_body(names),
            {**asked, "components": documents["/v2"]["components"]},
            cls=jsonschema.Draft202012Validator,
        )


# --- what the document says of every operation ----------------------------------------------------------------------


@pytest.mark.parametrize("prefix", FACES)
def test_the_document_has_the_operations_of_the_table_and_no_others(
    documents: dict[str, dict[str, Any]], prefix: str
) -> None:
    described = {(method.upper(), path) for path, methods in documents[prefix]["paths"].items() for method in methods}
    assert described == {(row.method, row.path) for row in FACES[prefix]}


@EVERY_ROW
def test_the_document_names_the_success_and_the_refusals_of_every_operation(
    documents: dict[str, dict[str, Any]], prefix: str, row: Operation
) -> None:
    described = documents[prefix]["paths"][row.path][row.method.lower()]
    names_things = "{" in row.path or row.handler.__name__ in NAMED_BY_BODY
    refusals = {"400", "401", "403", "503"} | ({"404"} if names_things else set())
    refusals |= {"412"} if row.previews else set()
    assert set(described["responses"]) == {str(row.status), *refusals, *({"200"} if row.previews else set())}
    assert described["operationId"]
    assert described["summary"]
    media_type, name = ERRORS[prefix]
    error = {"$ref": f"#/components/schemas/{name}"}
    for status in refusals:
        assert described["responses"][status]["content"] == {media_type: {"schema": error}}
    success = described["responses"][str(row.status)]
    assert (set(success.get("content", {})) == set()) == (row.status == 204)
    media_type = "text/xml" if prefix == STS_PATH else "application/json"
    is_both = row.previews and row.status == 200
    assert row.status == 204 or set(success["content"]) == {media_type, *({"application/json"} if is_both else set())}
    if row.previews:
        preview = described["responses"]["200"]["content"]["application/json"]["schema"]
        assert {"$ref": "#/components/schemas/ImpactSaid"} in preview.get("anyOf", [preview])
        assert {"preview", "If-Match"} <= {parameter["name"] for parameter in described["parameters"]}


@EVERY_ROW
def test_every_answer_lists_its_members_and_forbids_others(
    documents: dict[str, dict[str, Any]], prefix: str, row: Operation
) -> None:
    document = documents[prefix]
    responses = document["paths"][row.path][row.method.lower()]["responses"].values()
    schemas = [content["schema"] for found in responses for content in found.get("content", {}).values()]
    assert schemas
    for schema in schemas:
        _assert_closed(document, schema)


def _assert_closed(document: dict[str, Any], schema: dict[str, Any], where: str = "") -> None:
    if where in FREE_JSON:
        return
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        _assert_closed(document, document["components"]["schemas"][name], name)
        return
    for part in schema.get("anyOf", []):
        _assert_closed(document, part, where)
    if "anyOf" in schema:
        return
    assert schema.get("type") in ("object", "array", "string", "integer", "boolean", "null"), (where, schema)
    if schema["type"] == "array":
        _assert_closed(document, schema["items"], where)
    if schema["type"] == "object":
        assert schema.get("additionalProperties") is False, where
        if where.startswith("NoCredentials"):
            return
        assert schema["properties"], where
        # What an answer always has, it promises; one member is there once in a life.
        assert set(schema["properties"]) - set(schema["required"]) <= {"api_key"}, where
        for member, inner in schema["properties"].items():
            _assert_closed(document, inner, f"{where}.{member}")


@pytest.mark.parametrize("prefix", FACES)
def test_every_operation_has_a_name_of_its_own(documents: dict[str, dict[str, Any]], prefix: str) -> None:
    methods = [described for path in documents[prefix]["paths"].values() for described in path.values()]
    names = [described["operationId"] for described in methods]
    assert len(names) == len(set(names)) == len(FACES[prefix])


@pytest.mark.parametrize("prefix", FACES)
def test_the_document_asks_for_a_bearer_token_everywhere(documents: dict[str, dict[str, Any]], prefix: str) -> None:
    document = documents[prefix]
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert document["security"] == [{"bearer": []}]
    open_to_all = {
        path for path, methods in document["paths"].items() for said in methods.values() if "security" in said
    }
    assert open_to_all == {row.path for row in FACES[prefix] if row.requires.acting is Acting.GUEST}


@pytest.mark.parametrize("prefix", FACES)
def test_nothing_of_the_framework_s_own_errors_is_documented(documents: dict[str, dict[str, Any]], prefix: str) -> None:
    text = json.dumps(documents[prefix])
    for leftover in ("422", "HTTPValidationError", "ValidationError"):
        assert leftover not in text


@pytest.mark.parametrize("prefix", FACES)
def test_every_reference_in_the_document_leads_somewhere(documents: dict[str, dict[str, Any]], prefix: str) -> None:
    document = documents[prefix]
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert wanted
    assert wanted <= set(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")
