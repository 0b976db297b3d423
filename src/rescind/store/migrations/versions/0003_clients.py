"""Users, APIs and clients are found by further names; logins and refresh tokens leave traces beside the log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_index("profiles_email", "profiles")
    for name in ("email_folded", "username", "public_id", "slug", "identifier"):
        where = sa.text(f"field = '{name}'")
        op.create_index(f"profiles_{name}", "profiles", ["value"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "turns",
        sa.Column("family", KEY, sa.ForeignKey("objects.key"), primary_key=True),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "logins",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("revision", KEY, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("user", KEY, sa.ForeignKey("objects.key")),
        sa.Column("client", KEY, sa.ForeignKey("objects.key")),
        sa.Column("organization", KEY, sa.ForeignKey("objects.key")),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("audience", sa.Text),
        sa.Column("scope", sa.Text),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("details", sa.Text),
    )
    op.create_index("logins_at", "logins", ["at"])
    op.create_index("logins_user", "logins", ["user", "at"])
    op.create_index("logins_request", "logins", ["request"])
    op.create_table(
        "failed_logins",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("failed_logins_subject", "failed_logins", ["subject", "at"])
