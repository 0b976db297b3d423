"""Which database an address means. The driver of the other one is not imported."""

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from rescind.model.errors import Invalid
from rescind.store.database import Engine


def engine_for(url: str) -> Engine:
    """The engine for `sqlite:///path` or `postgresql://…`. Raises `Invalid` for any other."""
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        # Not in the parser's words: they may quote a part of the password.
        raise Invalid("the database's address cannot be read") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database:
            from rescind.store.sqlite import Sqlite

            return Sqlite(parsed)
        case "postgresql" | "postgres":
            from rescind.store.postgres import Postgres

            return Postgres(parsed)
        case name:
            raise Invalid(f"`{name}` is not a database that Rescind knows: sqlite:///FILE or postgresql://…")
