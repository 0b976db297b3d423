"""API keys, one's own and a user's: calls 28 to 31 and 38 to 41."""

from datetime import UTC, datetime

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.model.errors import Invalid
from rescind.usecases import keys


def list_user_keys(exchange: Here, user_id: str) -> Response:
    return exchange.reply(wire.Keys(api_keys=[say.key(key) for key in exchange.read(keys.of_user, user_id)]))


def create_user_key(exchange: Here, user_id: str, body: wire.KeyNew | None = None) -> Response:
    name, expires_at = _asked(body)
    made = exchange.write(keys.create_for_user, user=user_id, name=name, expires_at=expires_at)
    return exchange.reply(say.key_made(exchange.look(keys.get_of_user, user_id, made.id), made))


def get_user_key(exchange: Here, user_id: str, key_id: str) -> Response:
    return exchange.reply(wire.KeyWrapped(api_key=say.key(exchange.read(keys.get_of_user, user_id, key_id))))


def delete_user_key(exchange: Here, user_id: str, key_id: str) -> Response:
    exchange.write(keys.delete_of_user, user=user_id, key=key_id)
    return exchange.reply()


def list_own_keys(exchange: Here) -> Response:
    return exchange.reply(wire.Keys(api_keys=[say.key(key) for key in exchange.read(keys.own)]))


def create_own_key(exchange: Here, body: wire.KeyNew | None = None) -> Response:
    name, expires_at = _asked(body)
    made = exchange.write(keys.create_own, name=name, expires_at=expires_at)
    return exchange.reply(say.key_made(exchange.look(keys.get_own, made.id), made))


def get_own_key(exchange: Here, key_id: str) -> Response:
    return exchange.reply(wire.KeyWrapped(api_key=say.key(exchange.read(keys.get_own, key_id))))


def delete_own_key(exchange: Here, key_id: str) -> Response:
    exchange.write(keys.delete_own, key=key_id)
    return exchange.reply()


def _asked(body: wire.KeyNew | None) -> tuple[str, int | None]:
    """Name and expiry of a new key. An expiry that was meant and cannot be read is refused, never `never`."""
    asked = body or wire.KeyNew()
    name = asked.name or "API key"
    if asked.expire is False or (asked.expire is None and not asked.date_expire):
        return name, None
    try:
        moment = datetime.fromisoformat(asked.date_expire or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return name, int(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise Invalid("`date_expire` is not a date") from None
