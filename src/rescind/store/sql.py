"""Every statement, built once, for both databases. Parameters are bound by name when a statement is executed."""

from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select

from rescind.decision.snapshot import LEADS_ON
from rescind.model.facts import FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.store.schema import (
    changes,
    commitments,
    credentials,
    failed_logins,
    head,
    intervals,
    is_field,
    last_uses,
    logins,
    objects,
    profiles,
    turns,
)

_revision = bindparam("revision", type_=sa.BigInteger)
_instant = bindparam("instant", type_=sa.BigInteger)
_keys = bindparam("keys", expanding=True, type_=sa.BigInteger)

INTERVAL_COLUMNS = (
    intervals.c.key,
    intervals.c.kind,
    intervals.c.holder,
    intervals.c.thing,
    intervals.c.scope,
    intervals.c.value,
    intervals.c.expires_at,
    intervals.c.revision_from,
)

# --- head -----------------------------------------------------------------------------------------------------------

_END = (head.c.revision, head.c.digest, head.c.time, head.c.epoch, head.c.horizon, head.c.schema_version)
# As it is stored: it is only ever compared, and to spell it out takes longer than to read all the rest.
_DATABASE = sa.type_coerce(head.c.database, sa.String).label("database")
_known = bindparam("known", type_=sa.BigInteger)
_KNOWN_DIGEST = select(changes.c.digest).where(changes.c.revision == _known).scalar_subquery()
_since = bindparam("since", type_=sa.BigInteger)
_NOTHING: sa.ColumnElement[str] = sa.literal_column("''")
_COLON: sa.ColumnElement[str] = sa.literal_column("':'")
NEWS_MAX = 64
"""What more changes than that touched is not read with the head."""
# Limited, too, for a server that plans before it knows how many there are.
_news = (
    select(changes.c.revision, changes.c.touched)
    .where(changes.c.revision > _since)
    .order_by(changes.c.revision)
    .limit(sa.literal_column(str(NEWS_MAX)))
    .subquery("news")
)
_TOUCHED_SINCE = select(
    sa.func.aggregate_strings(sa.cast(_news.c.revision, sa.Text) + _COLON + _news.c.touched, " ")
).scalar_subquery()


def _head_columns(
    clock: sa.ColumnElement[Any],
    is_replica: sa.ColumnElement[Any],
    known_digest: sa.ColumnElement[Any],
    said: sa.ColumnElement[Any] = _NOTHING,
) -> list[sa.ColumnElement[Any]]:
    """What a `Head` has, in its order."""
    return [
        *_END,
        clock.label("clock"),
        is_replica.label("is_replica"),
        _DATABASE,
        known_digest.label("known_digest"),
        said.label("said"),
    ]


@cache
def read_head(clock: sa.ColumnElement[Any], is_replica: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The head, the database's clock, the digest at `known`, and what the changes after `since` touched, if few."""
    # Who knows the newest change needs no look for it: that is nearly always so.
    is_newest = sa.and_(head.c.revision == _known, head.c.revision > 0)
    known_digest = sa.case((is_newest, head.c.digest), else_=_KNOWN_DIGEST)
    is_news = (head.c.revision - _since).between(sa.literal_column("1"), sa.literal_column(str(NEWS_MAX)))
    return select(*_head_columns(clock, is_replica, known_digest, sa.case((is_news, _TOUCHED_SINCE))))


@cache
def lock_head(clock: sa.ColumnElement[Any], is_replica: sa.ColumnElement[Any]) -> sa.UpdateBase:
    """Take the next revision, and with it the write lock. The clock is read after the lock was had."""
    columns = _head_columns(clock, is_replica, _KNOWN_DIGEST)
    return head.update().values(revision=head.c.revision + 1).returning(*columns, head.c.last_key)


HORIZON = select(head.c.horizon)
ADVANCE_HEAD = head.update().values(
    digest=bindparam("new_digest"), time=bindparam("new_time"), last_key=bindparam("new_last_key")
)
ACCEPT_LOSS = head.update().values(epoch=bindparam("new_epoch"))

# --- intervals ------------------------------------------------------------------------------------------------------


def _as_of(source: Any) -> sa.ColumnElement[bool]:
    """Whether an interval holds at the revision, in one condition."""
    return sa.and_(
        source.c.revision_from <= _revision,
        sa.or_(source.c.revision_to.is_(None), source.c.revision_to > _revision),
    )


def _not_expired(source: Any) -> sa.ColumnElement[bool]:
    return sa.or_(source.c.expires_at.is_(None), source.c.expires_at > _instant)


# In two halves, because each has an index that leads straight to its rows however long the history is.
_HELD_BY = select(*INTERVAL_COLUMNS).where(intervals.c.holder.in_(_keys), intervals.c.revision_from <= _revision)
INTERVALS_OF_HOLDERS = sa.union_all(
    _HELD_BY.where(intervals.c.revision_to.is_(None)), _HELD_BY.where(intervals.c.revision_to > _revision)
)


def _surroundings(*, lateral: bool) -> sa.Select[Any]:
    """The facts of some holders, and of the things and scopes of those that lead on, over and over.

    `lateral` makes PostgreSQL ask by the index for each holder: it expects far more of them than there are, and would
    read the whole table instead. SQLite knows no other way than the index, and no such word.
    """

    def held(reached: sa.CTE, *conditions: sa.ColumnElement[bool]) -> tuple[Any, sa.FromClause]:
        wanted = sa.and_(intervals.c.holder == reached.c.key, _as_of(intervals), *conditions)
        if not lateral:
            return intervals, sa.join(reached, intervals, wanted)
        # The offset keeps the planner from making an ordinary join of it.
        beside = (
            select(*INTERVAL_COLUMNS).where(wanted).offset(sa.literal_column("0")).correlate(reached).lateral("held")
        )
        return beside, sa.join(reached, beside, sa.true())

    reached = select(objects.c.key).where(objects.c.key.in_(_keys)).cte("reached", recursive=True)
    end = sa.union_all(select(sa.literal(0).label("n")), select(sa.literal(1))).subquery("end")
    facts, source = held(reached, intervals.c.kind.in_([int(kind) for kind in LEADS_ON]))
    step = select(sa.case((end.c.n == 0, facts.c.thing), else_=facts.c.scope)).select_from(source.join(end, sa.true()))
    reached = reached.union(step)
    facts, source = held(reached)
    columns = [facts.c[column.name] for column in INTERVAL_COLUMNS]
    return select(*columns).select_from(source).where(reached.c.key != PLATFORM)


SURROUNDINGS = {"sqlite": _surroundings(lateral=False), "postgresql": _surroundings(lateral=True)}
"""By the name of the dialect."""
INTERVALS_OF_THINGS = select(*INTERVAL_COLUMNS).where(
    intervals.c.thing.in_(_keys), intervals.c.kind.in_(bindparam("kinds", expanding=True)), _as_of(intervals)
)


def exists(key: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether the object with that key exists at the revision and instant."""
    return holds(key, FactKind.EXISTENCE)


def holds(key: sa.ColumnElement[Any], kind: FactKind) -> sa.ColumnElement[bool]:
    """Whether the object with that key holds a fact of that kind at the revision and instant."""
    existence = intervals.alias()
    return (
        select(sa.literal(1))
        .where(existence.c.holder == key, existence.c.kind == int(kind), _as_of(existence), _not_expired(existence))
        .exists()
    )


LAST_END = (
    select(intervals.c.revision_to, changes.c.time)
    .join(changes, changes.c.revision == intervals.c.revision_to)
    .where(
        intervals.c.holder == bindparam("key"),
        intervals.c.kind == int(FactKind.EXISTENCE),
        intervals.c.revision_to <= _revision,
        sa.not_(exists(intervals.c.holder)),
    )
    .order_by(intervals.c.revision_to.desc())
    .limit(1)
)

INSERT_INTERVAL = intervals.insert()
END_INTERVAL = (
    intervals.update()
    .where(intervals.c.key == bindparam("interval"), intervals.c.revision_to.is_(None))
    .values(revision_to=bindparam("ended_at"))
)

# --- pages ----------------------------------------------------------------------------------------------------------


class Listing(NamedTuple):
    """The statements of one list: a window after the place `mark`, one before it in falling order, and the total."""

    onward: sa.Select[Any]
    backward: sa.Select[Any]
    total: sa.Select[Any]


def _listing(source: sa.Select[Any], place: sa.ColumnElement[Any]) -> Listing:
    mark, limit = bindparam("mark", type_=sa.BigInteger), bindparam("limit", type_=sa.Integer)
    return Listing(
        source.where(place > mark).order_by(place).limit(limit).offset(bindparam("skip", type_=sa.Integer)),
        source.where(place < mark).order_by(place.desc()).limit(limit),
        select(func.count()).select_from(source.subquery()),
    )


@cache
def living_objects(with_fact: FactKind | None) -> Listing:
    """Objects of one kind and some owners, by age."""
    found = select(objects).where(
        objects.c.kind == bindparam("kind"),
        objects.c.owner.in_(bindparam("owners", expanding=True)),
        exists(objects.c.key),
    )
    return _listing(found if with_fact is None else found.where(holds(objects.c.key, with_fact)), objects.c.key)


@cache
def edges(*, of_holder: bool) -> Listing:
    """Edges of one kind in one scope, of one holder or to one thing, by age; `far_kind` is the other end's."""
    near, far = (intervals.c.holder, intervals.c.thing) if of_holder else (intervals.c.thing, intervals.c.holder)
    found = (
        select(*INTERVAL_COLUMNS)
        .join(objects, objects.c.key == far)
        .where(
            intervals.c.kind == bindparam("kind"),
            near == bindparam("near"),
            intervals.c.scope == bindparam("scope"),
            objects.c.kind == bindparam("far_kind"),
            _as_of(intervals),
            _not_expired(intervals),
            exists(far),
        )
    )
    return _listing(found, intervals.c.key)


_EDGES = (FactKind.GROUP_MEMBERSHIP, FactKind.ROLE_ATTACHMENT, FactKind.POLICY_ATTACHMENT, FactKind.PERMISSION_GRANT)
DORMANT_EDGES = _listing(
    select(*INTERVAL_COLUMNS)
    .join(objects, objects.c.key == intervals.c.holder)
    .where(
        objects.c.owner == bindparam("organization"),
        intervals.c.kind.in_([int(kind) for kind in _EDGES]),
        _as_of(intervals),
        _not_expired(intervals),
        sa.or_(objects.c.kind != int(ObjectKind.MEMBERSHIP), exists(intervals.c.holder)),
        sa.not_(sa.and_(exists(intervals.c.holder), exists(intervals.c.thing))),
    ),
    intervals.c.key,
)

LIVING_OF_KIND = (
    select(objects).where(objects.c.kind == bindparam("kind"), exists(objects.c.key)).order_by(objects.c.key)
)
LIVING = select(objects).where(objects.c.key.in_(_keys), exists(objects.c.key)).order_by(objects.c.key)

# --- objects, profiles, credentials ---------------------------------------------------------------------------------

OBJECTS = select(objects).where(objects.c.key.in_(_keys), objects.c.revision <= _revision)
FIND_OBJECT = select(objects).where(
    objects.c.kind == bindparam("kind"), objects.c.id == bindparam("id"), objects.c.revision <= _revision
)
FIND_OBJECTS = select(objects).where(
    objects.c.id.in_(bindparam("ids", expanding=True)), objects.c.revision <= _revision
)
INSERT_OBJECT = objects.insert()

PROFILES = select(profiles.c.object, profiles.c.field, profiles.c.value).where(profiles.c.object.in_(_keys))
PROFILE_TIMES = (
    select(profiles.c.object, func.max(profiles.c.changed_at).label("changed_at"))
    .where(profiles.c.object.in_(_keys))
    .group_by(profiles.c.object)
)


@cache
def find_named(field: str, *, also_ended: bool) -> sa.Select[Any]:
    """The living object with a value in one of the naming fields, or the youngest that ever had it."""
    found = (
        select(objects)
        .join(profiles, profiles.c.object == objects.c.key)
        .where(is_field(field), profiles.c.value == bindparam("value"), objects.c.revision <= _revision)
    )
    return (found if also_ended else found.where(exists(objects.c.key))).order_by(objects.c.key.desc()).limit(1)


DELETE_PROFILE = profiles.delete().where(
    profiles.c.object == bindparam("of_object"), profiles.c.field == bindparam("of_field")
)
INSERT_PROFILE = profiles.insert()
INSERT_COMMITMENT = commitments.insert()

FIND_CREDENTIAL = select(credentials.c.object, credentials.c.verifier).where(
    credentials.c.kind == bindparam("kind"), credentials.c.verifier == bindparam("verifier")
)
SECRET = select(credentials.c.verifier).where(
    credentials.c.object == bindparam("of_object"), credentials.c.kind == bindparam("of_kind")
)
DELETE_CREDENTIAL = credentials.delete().where(
    credentials.c.object == bindparam("of_object"), credentials.c.kind == bindparam("of_kind")
)
INSERT_CREDENTIAL = credentials.insert()

LAST_USES = select(last_uses.c.membership, last_uses.c.at).where(last_uses.c.membership.in_(_keys))
NOTE_USE = sa.text(
    "INSERT INTO last_uses (membership, at) VALUES (:membership, :at) "
    "ON CONFLICT (membership) DO UPDATE SET at = excluded.at WHERE excluded.at > last_uses.at"
)

BEGIN_TURNS = sa.text(
    "INSERT INTO turns (family, verifier, at) VALUES (:of_family, :first, :at) ON CONFLICT (family) DO NOTHING"
)
TAKE_TURN = (
    turns.update()
    .where(turns.c.family == bindparam("of_family"), turns.c.verifier == bindparam("old"))
    .values(verifier=bindparam("new"), at=bindparam("at"))
)
TURN = select(turns.c.verifier).where(turns.c.family == bindparam("of_family"))
TURN_TIMES = select(turns.c.family, turns.c.at).where(turns.c.family.in_(_keys))

INSERT_LOGIN = logins.insert()
INSERT_FAILED_LOGIN = failed_logins.insert()
FORGET_LOGINS = logins.delete().where(logins.c.at < bindparam("until"))
FORGET_FAILED_LOGINS = failed_logins.delete().where(failed_logins.c.at < bindparam("until"))
LIFT_FAILED_LOGINS = failed_logins.delete().where(failed_logins.c.subject == bindparam("of_subject"))
LIFT_FAILED_LOGINS_FROM = LIFT_FAILED_LOGINS.where(failed_logins.c.address == bindparam("from_address"))
FAILED_LOGINS = (
    select(failed_logins.c.address, func.count().label("times"))
    .where(failed_logins.c.subject == bindparam("of_subject"), failed_logins.c.at > bindparam("since"))
    .group_by(failed_logins.c.address)
)
LOGIN = select(logins).where(logins.c.key == bindparam("of_key"))
NAMED_REQUESTS = select(logins.c.request).where(logins.c.request.in_(bindparam("requests", expanding=True)))
LOGINS_AFTER = select(logins).where(logins.c.at > bindparam("after")).order_by(logins.c.at, logins.c.key)
LOGINS_BEFORE = (
    select(logins).where(logins.c.at < bindparam("before")).order_by(logins.c.at.desc(), logins.c.key.desc())
)
LAST_LOGINS = (
    select(logins.c.user, func.max(logins.c.at).label("at"), func.count().label("times"))
    .where(logins.c.user.in_(_keys), logins.c.type == sa.literal_column("'s'"))
    .group_by(logins.c.user)
)

# --- changes --------------------------------------------------------------------------------------------------------

INSERT_CHANGE = changes.insert()
# From the newest on: times rise with revisions, so the first one that fits is it.
REVISION_AT = (
    select(changes.c.revision)
    .where(changes.c.time <= bindparam("time"), changes.c.revision <= _revision)
    .order_by(changes.c.revision.desc())
    .limit(1)
)
TOUCHED = (
    select(changes.c.revision, changes.c.touched)
    .where(changes.c.revision > bindparam("after"), changes.c.revision <= _revision)
    .order_by(changes.c.revision)
)
CHANGE_COLUMNS = (changes.c.revision, changes.c.time, changes.c.body, changes.c.digest)
CHANGE = select(*CHANGE_COLUMNS).where(
    changes.c.revision == bindparam("of_revision"),
    changes.c.organization == bindparam("organization"),
    changes.c.revision <= _revision,
)
CHANGE_OF_REQUEST = select(*CHANGE_COLUMNS).where(changes.c.request == bindparam("request"))
CHANGES_OF_ORGANIZATION = _listing(
    select(*CHANGE_COLUMNS).where(changes.c.organization == bindparam("organization"), changes.c.revision <= _revision),
    changes.c.revision,
)
EVERY_CHANGE = _listing(select(*CHANGE_COLUMNS).where(changes.c.revision <= _revision), changes.c.revision)
ORIGINS = select(changes.c.revision, changes.c.time, changes.c.actor).where(
    changes.c.revision.in_(_keys), changes.c.revision <= _revision
)
