"""The audit log over the Management API, with Auth0's codes: changes, calls that made them, and logins."""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part, Wanted
from rescind.model.errors import Invalid, NotFound
from rescind.model.queries import parse_query
from rescind.usecases import accounts, audit
from rescind.usecases.accounts import date_of
from rescind.usecases.audit import Entry

_FAR = 2**62
_SAID = {
    "s": "Success Login",
    "fp": "Wrong email or password.",
    "fu": "Wrong email or password.",
    "seccft": "Client Credentials for Access Token",
    "feccft": "Failed exchange of Client Credentials for Access Token",
    "sertft": "Refresh Token for Access Token",
    "fertft": "Failed exchange of Refresh Token for Access Token",
}
_API_WRITE = "sapi"


def list_logs(
    exchange: Here,
    part: Part,
    wanted: Wanted,
    q: Annotated[str, Query(description="A query in a subset of Lucene's language.")] = "",
    sort: Annotated[str, Query(description="`date:1` for the oldest first.")] = "",
) -> Response:
    if part.start_from:
        return _after(exchange, part.start_from, part.take or 50, wanted.of)
    entries = _newest(exchange)
    if q:
        try:
            query = parse_query(q)
        except Invalid as error:
            raise Said(
                400, f"Query validation error: '{error.message}' on property q.", "invalid_query_string"
            ) from None
        entries = [entry for entry in entries if query.matches(entry)]
    return _reply(exchange, part, wanted, entries, sort)


def list_user_logs(exchange: Here, user_id: str, part: Part, wanted: Wanted, sort: str = "") -> Response:
    exchange.before(accounts.get, user_id)
    entries = [entry for entry in _newest(exchange) if entry.get("user_id") == user_id]
    return _reply(exchange, part, wanted, entries, sort)


def get_log(exchange: Here, log_id: str) -> Response:
    try:
        _, _, key = audit.parse_id(log_id)
    except NotFound:
        key = 0
    trace = exchange.logins.get(key) if key else None
    return exchange.say(_said(exchange, exchange.read(audit.get, log_id, trace)))


def _newest(exchange: Here) -> list[dict[str, Any]]:
    told = exchange.logins.noted(exchange.before(audit.requests_of_newest))
    traces = exchange.logins.before(_FAR, audit.ENTRIES_MAX)
    return [_said(exchange, entry) for entry in exchange.read(audit.newest, traces, told)]


def _after(exchange: Here, mark: str, take: int, shown: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    try:
        _, at, _ = audit.parse_id(mark)
    except NotFound:
        raise Said(400, "The `from` parameter is not the id of a log entry.", "invalid_paging") from None
    told = exchange.logins.noted(exchange.before(audit.requests_after, mark, take))
    # From the same instant on: what it has in common with the entry is left out by its id.
    traces = exchange.logins.after(at - 1, take + 1)
    found = exchange.read(audit.after, mark, take, traces, told)
    return exchange.say([shown(_said(exchange, entry)) for entry in found])


def _reply(exchange: Here, part: Part, wanted: Wanted, entries: list[dict[str, Any]], sort: str) -> Response:
    if sort not in ("", "date:1", "date:-1"):
        raise Said(400, "Query validation error: 'unknown order' on property sort.", "invalid_query_string")
    if sort == "date:1":
        entries.reverse()
    if part.is_checkpoint:
        return exchange.say([wanted.of(entry) for entry in entries[: part.take or 50]])
    return part.say(exchange, part.part(exchange, entries), "logs", wanted.of, with_length=True)


def _said(exchange: Here, entry: Entry) -> dict[str, Any]:
    said: dict[str, Any] = {
        "_id": entry.id,
        "log_id": entry.id,
        "date": date_of(entry.at),
        "hostname": exchange.issuer.domain,
        "isMobile": False,
        "ip": "",
        "user_agent": "",
        "client_id": "",
        "client_name": "",
    }
    if entry.change is not None:
        body = entry.change.read()
        who = {"user_id": entry.user.public_id, "user_name": entry.user.name} if entry.user else {}
        details = {name: body[name] for name in ("operation", "actor", "request")} | {"revision": entry.change.revision}
        return {**said, **who, "type": _API_WRITE, "description": body["operation"], "details": details}
    trace = entry.trace
    assert trace is not None
    details = json.loads(trace.details or "{}")
    said |= {"type": trace.type, "ip": trace.address, "user_agent": details.pop("user_agent", "")}
    said |= {"description": details.pop("description", _SAID.get(trace.type, trace.type)), "details": details}
    if entry.client:
        said |= {"client_id": entry.client.public_id, "client_name": entry.client.name}
    if entry.user:
        said |= {
            "user_id": entry.user.public_id,
            "user_name": entry.user.name,
            "connection": accounts.CONNECTION,
            "strategy": "auth0",
            "strategy_type": "database",
        }
    if entry.organization:
        said |= {"organization_id": entry.organization.public_id, "organization_name": entry.organization.name}
    return said | {name: value for name, value in (("audience", trace.audience), ("scope", trace.scope)) if value}
