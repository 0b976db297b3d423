"""Sessions of assumed roles: calls 92 to 95. They are named by token, as clients do, or by an id that is no secret."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import whole
from rescind.model.addresses import read_address
from rescind.model.errors import Invalid, NotFound
from rescind.usecases import sessions
from rescind.usecases.actor import SESSION_PREFIX
from rescind.usecases.trusts import ISSUER


def assume_role(exchange: Here, body: wire.Assume) -> Response:
    exchange.target(body.role_id)
    if body.oidc_issuer_id:
        raise NotFound(ISSUER)
    claimed = body.context.ip_address if body.context else None
    if claimed and read_address(claimed) is None:
        raise Invalid("`context.ip_address` is not an IP address")
    opened = exchange.write(
        sessions.assume,
        role=body.role_id,
        name=body.session_name,
        user=body.user_id or None,
        # Typed clients send 0 for what was not said.
        seconds=body.duration or None,
        source_ip=claimed or None,
    )
    return exchange.reply(say.session_both(exchange.look(sessions.get, opened.id), opened.token))


def list_user_sessions(exchange: Here, user_id: str) -> Response:
    items = [say.session(found) for found in exchange.read(sessions.of_user, user=user_id)]
    return exchange.reply(wire.Sessions(sessions=items, assumed_role_sessions=items, meta=whole(len(items))))


def get_session(exchange: Here, session_id: str) -> Response:
    brought = session_id if session_id.startswith(SESSION_PREFIX) else ""
    return exchange.reply(say.session_both(exchange.read(sessions.get, session_id), brought))


def end_session(exchange: Here, session_id: str) -> Response:
    exchange.write(sessions.end, session=session_id)
    return exchange.reply()
