"""The tables, once for both databases. `migrations/` makes them; a test holds the two against each other.

head           one row: the revision counter, whose row lock is the write lock
changes        the log; `touched` says by keys what a change touched, for those who keep what they read
objects        identities: never changed, never deleted
intervals      facts and the revisions for which they hold: only `revision_to` is ever set, once
profiles       what people read and may ask to have erased: names, descriptions, e-mail addresses
commitments    salt and value of what the log only commits to; erasable
credentials    verifiers of API keys, tokens, one-time links and passwords; secrets that are shown again, sealed

What changes no answer is written without a revision:

last_uses      when members last used the API
turns          which refresh token of a family is the one to be used next
logins         what was tried to come in, and what clients called, for those who read the log
failed_logins  how often somebody guessed lately, by the hash of whom and from where
"""

import sqlalchemy as sa

metadata = sa.MetaData()

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Uuid = sa.Uuid(as_uuid=False)

head = sa.Table(
    "head",
    metadata,
    sa.Column("id", sa.SmallInteger, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    sa.Column("revision", _Key, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("horizon", sa.BigInteger, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("last_key", sa.BigInteger, nullable=False),
    sa.Column("database", _Uuid, nullable=False),
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("key", _Key, primary_key=True, autoincrement=False),
    sa.Column("id", _Uuid, nullable=False, unique=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("owner", _Key, sa.ForeignKey("objects.key"), nullable=False),
    sa.Column("revision", _Key, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index("objects_owned", "owner", "kind", "key"),
)

intervals = sa.Table(
    "intervals",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("holder", _Key, sa.ForeignKey("objects.key"), nullable=False),
    sa.Column("thing", _Key, sa.ForeignKey("objects.key"), nullable=False),
    sa.Column("scope", _Key, sa.ForeignKey("objects.key"), nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("revision_from", _Key, nullable=False),
    sa.Column("revision_to", _Key),
    sa.CheckConstraint("revision_to > revision_from", name="intervals_not_empty"),
)
_live = intervals.c.revision_to.is_(None)
sa.Index(
    "intervals_place",
    intervals.c.holder,
    intervals.c.kind,
    intervals.c.thing,
    intervals.c.scope,
    unique=True,
    sqlite_where=_live,
    postgresql_where=_live,
)
sa.Index("intervals_of_holder", intervals.c.holder, intervals.c.revision_to)
sa.Index("intervals_of_thing", intervals.c.thing, intervals.c.kind, intervals.c.key)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("revision", _Key, primary_key=True, autoincrement=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("organization", _Key, sa.ForeignKey("objects.key"), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("touched", sa.Text),
    sa.Index("changes_of_organization", "organization", "revision"),
)

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("object", _Key, sa.ForeignKey("objects.key"), primary_key=True),
    sa.Column("field", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)
NAMING_FIELDS = ("email_folded", "username", "public_id", "slug", "identifier", "alias", "resource")
"""The fields by which a living object is found: one index each, of nothing else."""


def is_field(name: str) -> sa.ColumnElement[bool]:
    """Whether a profile's row is of that field, said so that the field's index is seen to serve."""
    return profiles.c.field == sa.literal_column(f"'{name}'")


for _name in NAMING_FIELDS:
    sa.Index(f"profiles_{_name}", profiles.c.value, sqlite_where=is_field(_name), postgresql_where=is_field(_name))

commitments = sa.Table(
    "commitments",
    metadata,
    sa.Column("revision", _Key, sa.ForeignKey("changes.revision"), primary_key=True),
    sa.Column("object", _Key, sa.ForeignKey("objects.key"), primary_key=True),
    sa.Column("field", sa.String(64), primary_key=True),
    sa.Column("salt", sa.String(32), nullable=False),
    sa.Column("value", sa.Text),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("object", _Key, sa.ForeignKey("objects.key"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("salt", sa.String(32), nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)
sa.Index("credentials_verifier", credentials.c.verifier, credentials.c.kind, unique=True)

last_uses = sa.Table(
    "last_uses",
    metadata,
    sa.Column("membership", _Key, sa.ForeignKey("objects.key"), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("family", _Key, sa.ForeignKey("objects.key"), primary_key=True),
    sa.Column("verifier", sa.String(64), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)

logins = sa.Table(
    "logins",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("revision", _Key, nullable=False),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("user", _Key, sa.ForeignKey("objects.key")),
    sa.Column("client", _Key, sa.ForeignKey("objects.key")),
    sa.Column("organization", _Key, sa.ForeignKey("objects.key")),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("audience", sa.Text),
    sa.Column("scope", sa.Text),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("details", sa.Text),
    sa.Index("logins_at", "at"),
    sa.Index("logins_user", "user", "at"),
    sa.Index("logins_request", "request"),
)

failed_logins = sa.Table(
    "failed_logins",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("failed_logins_subject", "subject", "at"),
)
