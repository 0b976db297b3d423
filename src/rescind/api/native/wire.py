"""What bodies and lists of `/v1` have in common."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """What a client sends: these members and no others, types are strict."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Answered(BaseModel):
    """What a client gets: these members and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Limit = Annotated[int, Query(ge=1, description="At most 500; a larger number means 500.")]
Cursor = Annotated[str, Query(description="Where to go on: `next` or `previous` of the last part.")]
