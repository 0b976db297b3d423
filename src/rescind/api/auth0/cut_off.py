"""Cutting access off over the Management API: blocks after failed logins, refresh tokens, sessions and grants."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Query, Response

from rescind.api.auth0 import wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part
from rescind.model.errors import NotFound
from rescind.usecases import accounts, token_families
from rescind.usecases.accounts import Names, date_of
from rescind.usecases.token_families import FamilyView

_NO_SESSION = "The session does not exist."


def list_user_blocks(exchange: Here, user_id: str) -> Response:
    return _blocks(exchange, exchange.read(accounts.names_of, user_id))


def list_blocks(exchange: Here, identifier: Annotated[str, Query(min_length=1)]) -> Response:
    return _blocks(exchange, exchange.read(accounts.names_with, identifier))


def lift_user_blocks(exchange: Here, user_id: str) -> Response:
    return _lift(exchange, exchange.read(accounts.names_of, user_id))


def lift_blocks(exchange: Here, identifier: Annotated[str, Query(min_length=1)]) -> Response:
    return _lift(exchange, exchange.read(accounts.names_with, identifier))


def list_user_refresh_tokens(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(token_families.of_user, user=user_id)
    return _refresh_tokens(exchange, found, part)


def list_refresh_tokens(
    exchange: Here, user_id: Annotated[str, Query(min_length=1)], part: Part, client_id: str = ""
) -> Response:
    found = exchange.read(token_families.of_user, user=user_id, client=client_id or None)
    return _refresh_tokens(exchange, found, part)


def get_refresh_token(exchange: Here, refresh_token_id: str) -> Response:
    return exchange.say(_said(exchange, [exchange.read(token_families.get, refresh_token_id)])[0])


def update_refresh_token(exchange: Here, refresh_token_id: str, body: wire.RefreshTokenChange) -> Response:
    exchange.write(token_families.annotate, family=refresh_token_id, metadata=body.refresh_token_metadata)
    return exchange.say(_said(exchange, [exchange.look(token_families.get, refresh_token_id)])[0])


def end_refresh_token(exchange: Here, refresh_token_id: str) -> Response:
    exchange.write(token_families.end, family=refresh_token_id)
    return exchange.reply()


def end_user_refresh_tokens(exchange: Here, user_id: str) -> Response:
    exchange.write(token_families.end_of_user, user=user_id)
    return exchange.say({})


def end_refresh_tokens(exchange: Here, body: wire.RefreshTokensEnded) -> Response:
    """Which are meant is always said: an empty body never means all."""
    if body.ids is not None:
        if body.user_id or body.client_id or body.audience:
            raise Said(400, "Payload validation error: 'ids stand alone'.", "invalid_body")
        exchange.write(token_families.end_several, families=body.ids)
    elif body.user_id:
        exchange.write(token_families.end_of_user, user=body.user_id, client=body.client_id, audience=body.audience)
    elif body.client_id:
        exchange.write(token_families.end_of_client, client=body.client_id, audience=body.audience)
    else:
        raise Said(400, "Payload validation error: 'Missing required property: ids'.", "invalid_body")
    return exchange.say({})


def revoke_access(exchange: Here, user_id: str, body: wire.AccessRevocation | None = None) -> Response:
    preserved = body is not None and body.preserve_refresh_tokens
    exchange.write(token_families.revoke_access, user=user_id, preserve_refresh_tokens=preserved)
    return exchange.say({})


def list_sessions(exchange: Here, user_id: str, part: Part) -> Response:
    """None is made without a login page."""
    exchange.read(accounts.get, user_id)
    return part.say(exchange, part.part(exchange, []), "sessions", dict, always_wrapped=True)


def end_sessions(exchange: Here, user_id: str) -> Response:
    exchange.read(accounts.get, user_id)
    return exchange.say({})


def see_session(exchange: Here, session_id: str) -> Response:
    exchange.read(accounts.connections)
    raise Said(404, _NO_SESSION, "inexistent_session")


def update_session(exchange: Here, session_id: str, body: wire.SessionChange) -> Response:
    return see_session(exchange, session_id)


def end_session(exchange: Here, session_id: str) -> Response:
    exchange.read(accounts.connections)
    return exchange.say({})


def revoke_session(exchange: Here, session_id: str) -> Response:
    return end_session(exchange, session_id)


def list_grants(exchange: Here, part: Part, user_id: str = "", client_id: str = "", audience: str = "") -> Response:
    """What users let clients do: as long as a refresh token lives by which they do."""
    families = exchange.read(token_families.every, user=user_id or None)
    grants = [
        grant
        for grant in _grants(families)
        if client_id in ("", grant["clientID"]) and audience in ("", grant["audience"])
    ]
    return part.say(exchange, part.part(exchange, grants), "grants", dict)


def delete_grants(exchange: Here, user_id: Annotated[str, Query(min_length=1)]) -> Response:
    with suppress(NotFound):
        exchange.write(token_families.end_of_user, user=user_id)
    return exchange.reply()


def delete_grant(exchange: Here, grant_id: str) -> Response:
    exchange.write(token_families.end_of_grant, grant=grant_id)
    return exchange.reply()


def _blocks(exchange: Here, names: Names) -> Response:
    blocked = [
        {"identifier": names.names[0], "ip": address, "connection": accounts.CONNECTION}
        for address in exchange.logins.blocked(names.subject, names.instant)
        if names.names
    ]
    return exchange.say({"blocked_for": blocked})


def _lift(exchange: Here, names: Names) -> Response:
    exchange.logins.unblock(names.subject)
    return exchange.reply()


def _refresh_tokens(exchange: Here, families: list[FamilyView], part: Part) -> Response:
    page = part.part(exchange, _said(exchange, families))
    return part.say(exchange, page, "tokens", dict, always_wrapped=True)


def _said(exchange: Here, families: Iterable[FamilyView]) -> list[dict[str, Any]]:
    families = list(families)
    used = exchange.logins.turn_times([family.family.key for family in families])
    return [
        {
            "id": family.public_id,
            "user_id": family.user_id,
            "created_at": date_of(family.created_at),
            "idle_expires_at": None,
            "expires_at": None,
            "client_id": family.client_id,
            "session_id": None,
            "rotating": True,
            "resource_servers": [{"audience": family.terms.audience, "scopes": " ".join(family.terms.scopes)}]
            if family.terms.audience
            else [],
            **({"refresh_token_metadata": family.metadata} if family.metadata is not None else {}),
            **({"last_exchanged_at": date_of(used[family.family.key])} if family.family.key in used else {}),
        }
        for family in families
    ]


def _grants(families: Iterable[FamilyView]) -> list[dict[str, Any]]:
    """One grant for each user, client and API, with every scope of its refresh tokens."""
    grants: dict[str, dict[str, Any]] = {}
    for family in families:
        grant = grants.setdefault(
            family.grant_id,
            {
                "id": family.grant_id,
                "clientID": family.client_id,
                "user_id": family.user_id,
                "audience": family.terms.audience or "",
                "scope": [],
            },
        )
        grant["scope"] += [scope for scope in family.terms.scopes if scope not in grant["scope"]]
    return list(grants.values())
