"""Secrets of every kind are found by their hash; when members last used the API is kept beside the log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_index("credentials_api_key", "credentials")
    op.create_index("credentials_verifier", "credentials", ["verifier", "kind"], unique=True)
    op.create_table(
        "last_uses",
        sa.Column("membership", KEY, sa.ForeignKey("objects.key"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
