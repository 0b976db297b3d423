"""Planted bugs: what a freshness proof must find. Each replaces one function of rescind in every process of a node.

A replacement is called with what it replaces, and then as that is called. Where it goes is named once, beside it; a
place that is no longer there, or is called otherwise, is an error. `schedules.py` says how each shows itself.
"""

import importlib
import inspect
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import wraps
from itertools import takewhile
from typing import Any

from rescind.engine.decisions import Decisions
from rescind.engine.freshness import Freshness, Moment
from rescind.engine.kept import Kept, Made, Noting, Touches
from rescind.engine.pulse import Pulse
from rescind.model.changes import Change, Origin, Plan
from rescind.model.errors import Unavailable
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.store.contract import Head, Reader
from rescind.store.database import Database, DatabaseHeadReader, DatabaseWriter, News
from rescind.usecases import service
from rescind.usecases.service import Call, Service
from rescind.usecases.unit import Unit


@dataclass(frozen=True)
class Bug:
    """A function that goes to a place: `module:name` or `module:Class.name`."""

    name: str
    place: str
    replacement: Callable[..., Any]

    def plant(self) -> None:
        """Put it there, also under the names by which other modules have imported what was there."""
        owner, last = self._owner()
        original = vars(owner)[last]
        signature = inspect.signature(original)

        @wraps(original)
        def planted(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            return self.replacement(original, *given.args, **given.kwargs)

        for module in [one for name, one in sys.modules.items() if name.partition(".")[0] == "rescind"]:
            if not isinstance(owner, type) and vars(module).get(last) is original:
                setattr(module, last, planted)
        setattr(owner, last, planted)

    def check(self) -> None:
        """Raise if there is no such place, or what is there is called in another way."""
        owner, last = self._owner()
        there = list(inspect.signature(vars(owner)[last]).parameters)
        _, *here = inspect.signature(self.replacement).parameters.values()
        # What comes after these is handed on as it is.
        named = [one.name for one in takewhile(lambda one: one.kind is not one.VAR_POSITIONAL, here)]
        if named != (there if len(named) == len(here) else there[: len(named)]):
            raise TypeError(f"{self.place} takes {there}, and {self.name} takes {named}")

    def _owner(self) -> tuple[Any, str]:
        module, _, path = self.place.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, last = path.split(".")
        for name in outer:
            owner = vars(owner)[name]
        return owner, last


BUGS: dict[str, Bug] = {}
"""Every bug by its name."""


def plant(name: str) -> None:
    """Plant a bug in this process. Raises if it has no place any more."""
    bug = BUGS[name]
    bug.check()
    bug.plant()


def _instead_of(place: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(replacement: Callable[..., Any]) -> Callable[..., Any]:
        name = replacement.__name__
        BUGS[name] = Bug(name, place, replacement)
        return replacement

    return register


Spare = Callable[[Touches, Collection[int], int], bool]


# --- what is kept ---------------------------------------------------------------------------------------------------


@_instead_of("rescind.engine.kept:Touches.spare")
def skip_one_revalidation(original: Spare, self: Touches, seen: Collection[int], since: int) -> bool:
    """The first time that something was touched, nobody looks."""
    spared = original(self, seen, since)
    if not spared and not _skipped:
        _skipped.append(since)
        return True
    return spared


_skipped: list[int] = []


@_instead_of("rescind.engine.kept:Touches.spare")
def compare_revisions_the_wrong_way(_: Spare, self: Touches, seen: Collection[int], since: int) -> bool:
    """What was touched after the reading counts as what was touched before it."""
    return all(self._newest.get(key, since) >= since for key in seen)


@_instead_of("rescind.engine.kept:Kept.is_true")
def stamp_with_a_later_proof(original: Callable[..., bool], self: Kept[Any], made: Made[Any]) -> bool:
    """What was found to be true is taken for proven when the next thing is looked at, whatever came between."""
    while _unstamped:
        _unstamped.pop().proof = self._touches.proof
    is_true = original(self, made)
    if is_true:
        _unstamped.append(made)
    return is_true


_unstamped: list[Made[Any]] = []


@_instead_of("rescind.engine.kept:Kept.put")
def forget_expiry(original: Callable[..., None], self: Kept[Any], key: Hashable, made: Made[Any], *more: Any) -> None:
    """What is kept is kept past the end of what it was made of."""
    original(self, key, replace(made, until=None), *more)


@_instead_of("rescind.engine.kept:Noting.made")
def forget_roles_of_groups(
    original: Callable[..., Made[Any]], self: Noting, value: Any, until: int | None
) -> Made[Any]:
    """A principal does not depend on the roles that reach her through groups."""
    made = original(self, value, until)
    if made.seen is None:
        return made
    found = self._reader.objects([key for key in made.seen if key > 0])
    groups = [key for key, one in found.items() if one.kind is ObjectKind.GROUP]
    held = self._reader.intervals(groups, FactKind.ROLE_ATTACHMENT)
    roles = {interval.fact.thing for interval in held}
    return replace(made, seen=tuple(key for key in made.seen if key not in roles))


@_instead_of("rescind.model.changes:touched_by")
def forget_suspension(original: Callable[[Plan], list[int]], plan: Plan) -> list[int]:
    """To suspend somebody touches nobody."""
    return original(replace(plan, opened=[fact for fact in plan.opened if fact.kind is not FactKind.SUSPENSION]))


@_instead_of("rescind.model.changes:touched_by")
def miss_the_second_entry_of_a_batch(original: Callable[[Plan], list[int]], plan: Plan) -> list[int]:
    """Of all that a change ends, only the first is named as touched."""
    return original(replace(plan, closed=plan.closed[:1]))


@_instead_of("rescind.engine.decisions:Decisions.foresee")
def foresee_that_nothing_ends(
    original: Callable[..., Any], self: Decisions, reader: Reader, plan: Plan, head: Head
) -> Any:
    """Whom a write is about is made ready with what it gives, and keeps what it takes."""
    return original(self, reader, replace(plan, closed=[replace(one, key=0) for one in plan.closed]), head)


# --- the head -------------------------------------------------------------------------------------------------------


@_instead_of("rescind.engine.pulse:Pulse._end")
def join_a_read_already_sent(original: Callable[..., None], self: Pulse, question: Any, outcome: Any) -> None:
    """Who comes while the head is being read is told what that reading says: the list is taken too late."""
    waiting, self._waiting = [*question.waiting, *self._waiting], []
    original(self, question._replace(waiting=waiting), outcome)


@_instead_of("rescind.store.database:DatabaseHeadReader.read")
def read_the_head_beside_an_open_cursor(
    original: Callable[..., Head], self: DatabaseHeadReader, known: int, since: int
) -> Head:
    """A cursor that was not read to its end holds the connection at the state of the database that it saw."""
    head = original(self, known, since)
    assert self._connection is not None
    driver: Any = self._connection.connection.driver_connection
    if driver not in [connection for connection, _ in _open_cursors]:
        cursor = driver.execute("SELECT key FROM objects")
        cursor.fetchone()
        _open_cursors.append((driver, cursor))
    return head


_open_cursors: list[tuple[Any, Any]] = []


@_instead_of("rescind.store.database:DatabaseHeadReader.unchanged")
def take_no_news_for_granted(original: Callable[..., int | None], self: DatabaseHeadReader, known: Head) -> int | None:
    """Whether others committed is asked for once; then the head that was read is the head."""
    if self._last is not None and self._last.head.digest == known.digest:
        return time.time_ns() // 1000
    return original(self, known)


@_instead_of("rescind.store.database:DatabaseWriter.commit")
def listen_too_late_for_news(
    original: Callable[..., Change], self: DatabaseWriter, plan: Plan, origin: Origin
) -> Change:
    """What another node commits just after this one is not news to it any more when it begins to listen."""
    change = original(self, plan, origin)
    time.sleep(0.3)
    written = self._database.written
    assert written is not None
    driver = self._connection.connection.driver_connection
    self._database.written = written._replace(news=News(self._database.engine.news, driver))
    return change


@_instead_of("rescind.store.contract:Head.touched")
def tell_what_the_newest_change_touched_alone(original: Callable[..., Any], self: Head, after: int) -> Any:
    """Of several changes that another node made since, the last one is told for all of them."""
    return original(self, max(after, self.revision - 1))


@_instead_of("rescind.engine.freshness:Freshness.now")
def cache_the_head_by_time(original: Callable[[Freshness], Moment], self: Freshness) -> Moment:
    """The head is read once a second at most."""
    at, moment = _read_lately.get(id(self), (0.0, Moment(0, 0)))
    if time.monotonic() - at > 1:
        moment = original(self)
        _read_lately[id(self)] = time.monotonic(), moment
    return moment


_read_lately: dict[int, tuple[float, Moment]] = {}


@_instead_of("rescind.engine.pulse:Pulse.now")
async def serve_from_cache_when_the_database_is_away(original: Callable[[Pulse], Any], self: Pulse) -> Moment:
    """What was true last is better than nothing."""
    try:
        moment: Moment = await original(self)
    except Unavailable:
        return self._touches.moment
    return moment


@_instead_of("rescind.engine.freshness:_follows")
def accept_a_lower_revision_after_a_restore(_: Callable[..., bool], head: Head, known: Head) -> bool:
    """Whatever the head says is true."""
    return head.database == known.database


# --- the write path -------------------------------------------------------------------------------------------------


@_instead_of("rescind.store.database:DatabaseWriter.commit")
def acknowledge_before_commit(
    original: Callable[..., Change], self: DatabaseWriter, plan: Plan, origin: Origin
) -> Change:
    """The answer goes out now; the transaction is done again, and committed, half a second later."""
    change = self._write(plan, origin)

    def commit() -> None:
        time.sleep(0.5)
        with self._database.writing() as writer:
            original(writer, plan, origin)

    threading.Thread(target=commit).start()
    return change


@_instead_of("rescind.store.database:Database.writing")
@contextmanager
def hand_out_revisions_by_a_sequence(
    _: Callable[..., AbstractContextManager[DatabaseWriter]], self: Database, known: int
) -> Iterator[DatabaseWriter]:
    """The next number is taken before the transaction begins: nobody waits, and numbers are there before changes."""
    module = importlib.import_module(Database.__module__)
    with module._unavailable_on_failure(), self._connect() as connection:
        *columns, last_key = connection.execute(self._lock_head, {"known": known}).one()
        head = module._head(columns)
        self.engine.begin(connection, 5000)
        try:
            before = head._replace(revision=head.revision - 1)
            yield DatabaseWriter(self, connection, self.generation, before, last_key + 1)
        finally:
            connection.rollback()


@_instead_of("rescind.store.database:DatabaseWriter._resolve")
def acknowledge_a_commit_that_was_cut(
    _: Callable[..., Change], self: DatabaseWriter, origin: Origin, error: Exception
) -> Change:
    """A commit whose answer was lost was done, presumably."""
    del error
    self._connection.invalidate()
    return Change(self.head.revision + 1, self.head.clock, "{}", origin.request_id)


@_instead_of("rescind.usecases.service:Service._write")
def write_again_when_the_answer_was_lost(
    original: Callable[..., Any], self: Service, planned: Any, impact: str = "", seen: Any = None
) -> Any:
    """A write that was not heard of is tried again, under another name."""

    def renamed(reader: Any, next_key: int, now: int) -> Any:
        unit, result, origin = planned(reader, next_key, now)
        return unit, result, replace(origin, request_id=str(uuid.uuid4()))

    try:
        return original(self, planned, impact, seen)
    except Unavailable:
        for _ in range(3):
            time.sleep(0.5)
            with suppress(Unavailable):
                return original(self, renamed, impact, seen)
        raise


@_instead_of("rescind.usecases.service:Service.write")
def decide_the_right_before_the_lock(
    _: Callable[..., Any], self: Service, call: Call, usecase: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Who may write when he asks may write when his turn comes."""
    moment = self._freshness.now()
    with self._store.reading(moment.revision, moment.instant) as reader:
        asks, organization = service.admit(reader, call, self.issuer)

    def planned(reader: Any, next_key: int, now: int) -> tuple[Unit, Any, Origin]:
        unit = Unit(reader, asks, organization, next_key=next_key, now=now, issuer=self.issuer)
        result = usecase(unit, *args, **kwargs)
        actor, credential = asks.names if asks else (service.NOBODY, None)
        name = service.operation_of(usecase)
        return unit, result, Origin(name, call.asking.request_id, organization, actor, credential)

    return self._write(planned)


@_instead_of("rescind.model.changes:chain")
def break_the_chain(original: Callable[[str, str], str], previous_digest: str, body: str) -> str:
    """A change is chained to the one before it, but for every fifth."""
    numbered = '"revision":'
    revision = int(body.partition(numbered)[2].partition(",")[0])
    return original("0" * 64 if revision % 5 == 0 else previous_digest, body)


# --- the decision ---------------------------------------------------------------------------------------------------


@_instead_of("rescind.decision.snapshot:Snapshot.held")
def forget_block(original: Callable[..., list[Fact]], self: Any, holder: int, *kinds: FactKind) -> list[Fact]:
    """Nobody is blocked."""
    return [] if FactKind.BLOCK in kinds else original(self, holder, *kinds)


@_instead_of("rescind.decision.snapshot:Snapshot._edges")
def keep_a_session_when_its_trust_goes(
    original: Callable[..., list[Fact]], self: Any, holder: int, *kinds: FactKind
) -> list[Fact]:
    """The trust by which a session was entered need not be there any more."""
    found: list[Fact] = self.held(holder, *kinds) if FactKind.SESSION_TRUST in kinds else original(self, holder, *kinds)
    return found


# --- failures -------------------------------------------------------------------------------------------------------


@_instead_of("rescind.store.database:_unavailable_on_failure")
def let_a_lost_database_be_an_error(_: Callable[..., Any]) -> AbstractContextManager[None]:
    """Nobody thought that the database may be away."""
    return nullcontext()
