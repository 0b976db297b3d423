"""A key for oneself in another organization, over `/v1`."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.native.wire import Answered, Asked
from rescind.usecases import keys


class KeyNew(Asked):
    """`expires_at` is in microseconds since 1970; null for never."""

    organization: str
    name: str
    expires_at: int | None = None


class Key(Answered):
    """`api_key` is shown this once."""

    id: str
    organization: str
    name: str
    api_key: str
    expires_at: int | None


def create_key(exchange: Here, body: KeyNew) -> Response:
    exchange.target(body.organization)
    made = exchange.write(keys.create_own, name=body.name, expires_at=body.expires_at)
    found = exchange.look(keys.get_own, made.id)
    return exchange.reply(
        Key(
            id=made.id,
            organization=body.organization,
            name=found.name,
            api_key=made.secret,
            expires_at=found.expires_at,
        )
    )
