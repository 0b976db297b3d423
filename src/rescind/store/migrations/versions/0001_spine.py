"""The log, objects, intervals, profiles, commitments and credentials.

Written out, not taken from `schema.py`: a migration must do tomorrow what it did today.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UUID = sa.Uuid(as_uuid=False)


def upgrade() -> None:
    head = op.create_table(
        "head",
        sa.Column("id", sa.SmallInteger, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
        sa.Column("revision", KEY, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("horizon", sa.BigInteger, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("last_key", sa.BigInteger, nullable=False),
        sa.Column("database", UUID, nullable=False),
    )
    objects = op.create_table(
        "objects",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("id", UUID, nullable=False, unique=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("owner", KEY, sa.ForeignKey("objects.key"), nullable=False),
        sa.Column("revision", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("objects_owned", "objects", ["owner", "kind", "key"])
    op.create_table(
        "intervals",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("holder", KEY, sa.ForeignKey("objects.key"), nullable=False),
        sa.Column("thing", KEY, sa.ForeignKey("objects.key"), nullable=False),
        sa.Column("scope", KEY, sa.ForeignKey("objects.key"), nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revision_from", KEY, nullable=False),
        sa.Column("revision_to", KEY),
        sa.CheckConstraint("revision_to > revision_from", name="intervals_not_empty"),
    )
    live = sa.text("revision_to IS NULL")
    op.create_index(
        "intervals_place",
        "intervals",
        ["holder", "kind", "thing", "scope"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("intervals_of_holder", "intervals", ["holder", "revision_to"])
    op.create_index("intervals_of_thing", "intervals", ["thing", "kind", "key"])
    op.create_table(
        "changes",
        sa.Column("revision", KEY, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("organization", KEY, sa.ForeignKey("objects.key"), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("changes_of_organization", "changes", ["organization", "revision"])
    op.create_table(
        "profiles",
        sa.Column("object", KEY, sa.ForeignKey("objects.key"), primary_key=True),
        sa.Column("field", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    email = sa.text("field = 'email_folded'")
    op.create_index("profiles_email", "profiles", ["value"], sqlite_where=email, postgresql_where=email)
    op.create_table(
        "commitments",
        sa.Column("revision", KEY, sa.ForeignKey("changes.revision"), primary_key=True),
        sa.Column("object", KEY, sa.ForeignKey("objects.key"), primary_key=True),
        sa.Column("field", sa.String(64), primary_key=True),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("value", sa.Text),
    )
    op.create_table(
        "credentials",
        sa.Column("object", KEY, sa.ForeignKey("objects.key"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    api_key = sa.text("kind = 'api_key'")
    op.create_index(
        "credentials_api_key",
        "credentials",
        ["verifier"],
        unique=True,
        sqlite_where=api_key,
        postgresql_where=api_key,
    )
    database = str(uuid.uuid4())
    # The platform is the object with key 0, so that every key in the tables names a row.
    op.bulk_insert(
        objects, [{"key": 0, "id": str(uuid.UUID(int=0)), "kind": 0, "owner": 0, "revision": 0, "created_at": 0}]
    )
    op.bulk_insert(
        head,
        [
            {
                "id": 1,
                "revision": 0,
                "digest": "0" * 64,
                "time": 0,
                "epoch": 0,
                "horizon": 0,
                "schema_version": 1,
                "last_key": 0,
                "database": database,
            }
        ],
    )
