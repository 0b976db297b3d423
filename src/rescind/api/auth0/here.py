"""One request to the Management API: its credential is a JSON Web Token, and what else it presents is a mistake."""

from typing import Annotated

from fastapi import Depends, Request

from rescind.api.auth0.manners import Said
from rescind.api.exchange import Exchange
from rescind.api.exchange import Here as AnyHere


async def _with_token(exchange: AnyHere, request: Request) -> Exchange:
    header = request.headers.get("authorization")
    if header is not None:
        token = exchange.asking.token or ""
        if token.count(".") != 2 or " " in token:
            raise Said(400, "Bad HTTP authentication header format", "Bearer")
    return exchange


Here = Annotated[Exchange, Depends(_with_token)]
