"""Changes say what they touched; principals and resources are found by the names that enforcement points use."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("changes", sa.Column("touched", sa.Text))
    for name in ("alias", "resource"):
        where = sa.text(f"field = '{name}'")
        op.create_index(f"profiles_{name}", "profiles", ["value"], sqlite_where=where, postgresql_where=where)
