"""The store's contract: every promise of `rescind.store.contract`, kept by both databases."""

import itertools
import random
import select
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rescind.decision.snapshot import LEADS_ON, gather
from rescind.model.changes import GENESIS_DIGEST, Change, CredentialEntry, Plan, ProfileEntry, chain
from rescind.model.errors import Gone, Unavailable
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.store import sql
from rescind.store.contract import SCHEMA_VERSION, Head, HeadReader, Page, Reader, Window
from rescind.store.database import Database, DatabaseHeadReader
from store.histories import (
    ALL,
    EARLY,
    LATE,
    QUESTIONS,
    Expected,
    History,
    answers_of,
    at_places,
    close,
    commit,
    contents,
    create,
    existence,
    id_of,
    made,
    opened,
    origin,
    write_at_random,
)
from store.proxy import Cut, Proxy
from store.watch import watched

USER = ObjectKind.USER


def execute(store: Database, statement: str) -> None:
    """Change the database behind the store's back."""
    with store.engine.pool.connect() as connection:
        connection.exec_driver_sql(statement)


def reading_now(store: Database, instant: int = EARLY) -> Any:
    return store.reading(store.head().revision, instant)


def is_postgres(store: Database) -> bool:
    return store.engine.pool.dialect.name == "postgresql"


# --- head -------------------------------------------------------------------------------------------------------------


def test_an_empty_log_ends_at_revision_0_with_the_genesis_digest(store: Database) -> None:
    head = store.head()
    assert (head.revision, head.digest, head.time, head.epoch, head.horizon) == (0, GENESIS_DIGEST, 0, 0, 0)
    assert head.schema_version == SCHEMA_VERSION
    assert head.known_digest is None


def test_the_head_is_the_newest_change_on_every_node(store: Database, other: Database) -> None:
    for _ in range(3):
        change = commit(store)
        for head in (store.head(), other.head()):
            assert (head.revision, head.digest, head.time) == (change.revision, change.digest, change.time)


def test_the_head_says_the_digest_at_the_revision_that_is_known_and_none_where_the_log_has_no_change(
    store: Database,
) -> None:
    changes = [commit(store) for _ in range(3)]
    for change in changes:
        assert store.head(change.revision).known_digest == change.digest
        with store.writing(change.revision) as writer:
            assert writer.head.known_digest == change.digest
    for unknown in (0, 4, 1_000_000):
        assert store.head(unknown).known_digest is None
        with store.writing(unknown) as writer:
            assert writer.head.known_digest is None


def test_the_clock_is_the_databases_and_goes_on_between_two_reads(store: Database) -> None:
    before = time.time_ns() // 1000
    clocks = [store.head().clock for _ in range(3)]
    with store.writing() as writer:
        clocks.append(writer.head.clock)
    assert clocks == sorted(set(clocks))
    assert abs(clocks[0] - before) < 60_000_000


def test_a_writers_clock_is_read_after_the_lock_was_taken(store: Database, other: Database) -> None:
    began, clocks = threading.Event(), []

    def wait_and_read() -> None:
        began.set()
        with other.writing() as writer:
            clocks.append(writer.head.clock)

    with store.writing():
        waiting = threading.Thread(target=wait_and_read)
        waiting.start()
        began.wait()
        time.sleep(0.3)
        ending = store.head().clock
    waiting.join()
    assert clocks[0] >= ending


def test_a_primary_is_no_replica(store: Database) -> None:
    assert store.head().is_replica is False
    with store.writing() as writer:
        assert writer.head.is_replica is False


def test_a_database_has_a_name_of_its_own_for_ever(store: Database, other: Database, make_empty: Any) -> None:
    from rescind.store.engines import engine_for
    from rescind.store.migrate import migrate

    name = store.head().database
    commit(store)
    assert store.head().database == other.head().database == name
    url = make_empty("sqlite")
    migrate(engine := engine_for(url))
    engine.pool.dispose()
    with opened(url) as another:
        assert another.head().database != name


@pytest.mark.parametrize("own", [False, True], ids=["the store's", "a reader of its own"])
def test_the_head_is_read_by_one_statement_on_a_connection_that_does_nothing_else(
    store: Database, more_heads: Callable[[Database], HeadReader], *, own: bool
) -> None:
    statements = watched(store)
    read = more_heads(store).read if own else store.head
    read()
    for _ in range(3):
        commit(store)
        with reading_now(store) as reader:
            reader.objects([1])
    before = list(statements)
    read(2)
    place, statement = statements[-1]
    assert statement.startswith("SELECT head.revision")
    # Where it can be told, who may ask for news listens from then on whether others commit.
    asked = [store.engine.news, statement] if own and store.engine.news else [statement]
    assert statements[len(before) :] == [(place, said) for said in asked]
    assert {said for where, said in before if where == place} == set(asked)


def test_whether_a_head_is_the_newest_is_asked_where_it_was_read_or_written_and_nothing_is_read_for_it(
    store: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    statements = watched(store)
    reader = more_heads(store)
    known = reader.read()
    reading = statements[-1][0]
    change = commit(store)
    writing = statements[-1][0]
    written = known._replace(revision=change.revision, digest=change.digest, time=change.time)

    def asked(known: Head) -> list[tuple[int, str]]:
        del statements[:]
        assert (reader.unchanged(known) is not None) == store.engine.is_near
        return list(statements)

    assert asked(written) == ([(writing, store.engine.news)] if store.engine.is_near else [])
    assert asked(reader.read(1)) == ([(reading, store.engine.news)] if store.engine.is_near else [])


def noted(head: Head, change: Change) -> Head:
    """What a node knows that has written a change after a head."""
    return head._replace(revision=change.revision, digest=change.digest, time=change.time)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["read", "write", "write elsewhere", "write beside", "reconnect", "nothing"])))
def test_a_head_that_need_not_be_read_again_is_the_one_that_a_new_reader_reads(
    store: Database, other: Database, steps: list[str]
) -> None:
    """Where it is near, and was read or written here last, it is asked for and not read; whoever wrote in between."""
    with closing(store.head_reader()) as reader:
        newest = commit(other).revision
        known = reader.read()
        read, written = newest, 0
        for step in ["nothing", *steps]:
            match step:
                case "read":
                    known = reader.read(known.revision)
                    read = known.revision
                case "write":
                    known = noted(known, commit(store))
                    newest = written = known.revision
                case "write elsewhere":
                    newest = commit(other).revision
                case "write beside":
                    store.note_uses({PLATFORM: time.time_ns()})
                    read = written = 0
                case "reconnect":
                    reader.give_up()
                    read = 0
            clock = reader.unchanged(known)
            is_told = known.revision == newest and newest in (read, written) and store.engine.is_near
            assert (clock is not None) == is_told
            if clock is not None:
                with closing(store.head_reader()) as fresh:
                    again = fresh.read(known.revision)
                assert but_the_clock(again)[:-2] == but_the_clock(known)[:-2]
                assert again.clock >= clock >= known.clock


@pytest.mark.parametrize(
    "meanwhile",
    [
        "nothing",
        "somebody is writing here",
        "an operator accepted a loss",
        "the log goes on elsewhere",
        "another version migrated it",
    ],
)
@pytest.mark.parametrize("was_written", [False, True], ids=["read", "written"])
def test_a_head_is_not_taken_for_the_newest_as_long_as_that_cannot_be_told(
    store: Database,
    other: Database,
    more_heads: Callable[[Database], HeadReader],
    meanwhile: str,
    *,
    was_written: bool,
) -> None:
    reader = more_heads(store)
    commit(store)
    known = reader.read()
    if was_written:
        known = noted(known, commit(store))
    is_told = store.engine.is_near
    with ExitStack() as stack:
        match meanwhile:
            case "somebody is writing here":
                stack.enter_context(store.writing())
                is_told = is_told and not was_written
            case "an operator accepted a loss":
                with other.writing() as writer:
                    writer.accept_loss()
                    writer.commit(Plan(), origin())
                is_told = False
            case "the log goes on elsewhere":
                execute(store, "UPDATE head SET digest = 'another'")
                is_told = False
            case "another version migrated it":
                execute(store, f"UPDATE head SET schema_version = {SCHEMA_VERSION + 1}")
                is_told = False
        assert (reader.unchanged(known) is not None) == is_told
    # It goes on with what is read.
    assert but_the_clock(reader.read(known.revision)) == but_the_clock(store.head(known.revision))
    # Nor is it told, once that was read, of what it is not.
    is_told = store.engine.is_near and meanwhile in ("nothing", "somebody is writing here")
    assert (reader.unchanged(known) is not None) == is_told
    execute(store, f"UPDATE head SET schema_version = {SCHEMA_VERSION}")


def test_a_loss_that_was_accepted_here_is_read_and_not_taken_for_known(
    store: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    """The epoch is another one."""
    reader = more_heads(store)
    known = reader.read()
    with store.writing() as writer:
        writer.accept_loss()
        known = noted(known, writer.commit(Plan(), origin()))
    assert reader.unchanged(known) is None
    assert reader.read().epoch > known.epoch


def test_no_two_readers_of_the_head_share_a_connection(
    store: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    statements = watched(store)
    for read in (store.head, more_heads(store).read, more_heads(store).read):
        read()
    assert len({place for place, _ in statements}) == 3


@pytest.fixture
def more_heads() -> Iterator[Callable[[Database], HeadReader]]:
    """Makes readers of the head, and gives back their connections."""
    with ExitStack() as stack:
        yield lambda store: stack.enter_context(closing(store.head_reader()))


def but_the_clock(head: Head) -> Head:
    return head._replace(clock=0)


def test_a_reader_of_the_head_says_what_the_store_says(
    store: Database, other: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    reader = more_heads(other)
    with store.writing() as writer:
        writer.accept_loss()
        known = writer.commit(Plan([made(1, USER)], [existence(1)]), origin())
    commit(store)
    execute(store, "UPDATE head SET horizon = 1")
    assert store.head(1).known_digest == known.digest
    for revision in (0, 1, 2, 3, 1_000_000):
        said, read = store.head(revision), reader.read(revision)
        assert but_the_clock(read) == but_the_clock(said)
        assert [type(value) for value in read] == [type(value) for value in said]
        assert read.clock >= said.clock
    with store.writing(1) as writer:
        assert but_the_clock(reader.read(1)) == but_the_clock(writer.head)
    assert but_the_clock(reader.read()) == but_the_clock(store.head(0))


def test_a_reader_of_the_head_sees_what_others_wrote_at_once(
    store: Database, other: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    readers = [more_heads(node) for node in (store, other)]
    for _ in range(5):
        for node in (store, other):
            change = commit(node)
            for reader in readers:
                head = reader.read(change.revision)
                assert (head.revision, head.digest, head.time) == (change.revision, change.digest, change.time)
                assert head.known_digest == change.digest


def test_a_reader_of_the_head_sees_no_write_before_its_commit_and_does_not_hold_it_up(
    store: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    reader = more_heads(store)
    assert reader.read().revision == 0
    with store.writing() as writer:
        assert reader.read().revision == 0
        change = writer.commit(Plan(), origin())
        assert reader.read().digest == change.digest
    with store.writing():
        assert reader.read().revision == 1
    assert reader.read().revision == 1


def test_threads_with_a_reader_of_the_head_each_never_see_it_go_back(
    store: Database, other: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    def watch(reader: HeadReader) -> list[int]:
        seen = [0]
        while seen[-1] < 20:
            head = reader.read(seen[-1])
            assert (head.known_digest is None) is (seen[-1] == 0)
            seen.append(head.revision)
        return seen

    with ThreadPoolExecutor(4) as threads:
        watching = [threads.submit(watch, more_heads(node)) for node in (store, other, store, other)]
        for _ in range(20):
            commit(store)
        for each in watching:
            seen = each.result(30)
            assert seen == sorted(seen)


def test_the_epoch_rises_with_the_commit_that_accepts_a_loss_and_not_without(store: Database) -> None:
    with store.writing() as writer:
        writer.accept_loss()
    assert store.head().epoch == 0
    with store.writing() as writer:
        writer.accept_loss()
        change = writer.commit(Plan(), origin())
    first = store.head().epoch
    assert (first > 0, store.head().revision) == (True, change.revision)
    commit(store)
    assert store.head().epoch == first


def test_two_recoveries_never_end_in_the_same_epoch(make_copy: Callable[[str], str], store: Database) -> None:
    """A backup may be restored twice, and nodes that saw the first recovery must see the second as another."""
    epochs = set()
    for _ in range(2):
        with opened(make_copy(store.engine.pool.url.render_as_string(hide_password=False))) as restored:
            with restored.writing() as writer:
                writer.accept_loss()
                writer.commit(Plan(), origin())
            epochs.add(restored.head().epoch)
    assert len(epochs) == 2


# --- what is so at a revision -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What a reader answered at each revision when it was the newest and when it was long past, and what is so."""

    then: dict[int, dict[str, Any]]
    now: dict[int, dict[str, Any]]
    held_open: dict[str, Any]
    expected: dict[int, Expected]


REVISIONS = 42
HELD_OPEN = 20


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest, make_migrated: Callable[[str], str]) -> Iterator[Told]:
    with opened(make_migrated(request.param)) as store:
        history, dice = History(store), random.Random(8)
        then, now = {}, {}
        instants = {revision: (EARLY, LATE)[revision % 2] for revision in range(1, REVISIONS + 1)}
        held_open = store.reading(HELD_OPEN, instants[HELD_OPEN])
        for revision, instant in instants.items():
            write_at_random(history, dice)
            with store.reading(revision, instant) as reader:
                then[revision] = answers_of(reader)
            if revision == HELD_OPEN:
                early_reader = held_open.__enter__()
        try:
            for revision, instant in instants.items():
                with store.reading(revision, instant) as reader:
                    now[revision] = answers_of(reader)
            answered = answers_of(early_reader)
        finally:
            held_open.__exit__(None, None, None)
        expected = {revision: Expected(history, revision, instant) for revision, instant in instants.items()}
        yield Told(then, now, answered, expected)


def test_every_method_of_a_reader_that_depends_on_its_revision_is_asked() -> None:
    methods = {name for name in vars(Reader) if not name.startswith("_")}
    asked = {name.removesuffix("_of_kinds").removesuffix("_with_fact") for name in QUESTIONS}
    of_now = {"profiles", "profile_times", "find_credential", "secret", "last_uses"}
    assert methods == asked | of_now | {"revision", "instant"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_so_at_a_revision_stays_so_whatever_is_written_later(told: Told, question: str) -> None:
    for revision, answers in told.then.items():
        assert told.now[revision][question] == answers[question], f"at revision {revision}"
    assert told.held_open[question] == told.then[HELD_OPEN][question]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_reader_answers_what_was_written_up_to_its_revision_and_no_more(told: Told, question: str) -> None:
    for revision, expected in told.expected.items():
        assert told.now[revision][question] == getattr(expected, question)(), f"at revision {revision}"


def test_the_random_history_has_everything_that_could_go_wrong(told: Told) -> None:
    last = told.expected[REVISIONS]
    held = last.history.held
    assert any(one.until is not None and one.since < one.until - 5 for one in held)
    assert any(one.fact.expires_at for one in held if one.fact.kind is FactKind.EXISTENCE)
    assert any(one.fact.expires_at for one in held if one.fact.kind is not FactKind.EXISTENCE)
    ended = {one.fact.place for one in held if one.until is not None}
    assert any(one.until is None and one.fact.place in ended for one in held if one.fact.kind is FactKind.EXISTENCE)
    for question in QUESTIONS:
        assert told.then[REVISIONS][question] != told.then[REVISIONS // 4][question], f"{question} never changed"


def test_an_interval_as_of_a_revision_does_not_know_of_its_end(store: Database) -> None:
    key = create(store, USER)
    with store.reading(1, EARLY) as reader:
        then = reader.intervals([key])
        close(store, existence(key))
        assert reader.intervals([key]) == then


def test_a_reader_says_the_revision_and_instant_that_it_reads(store: Database) -> None:
    commit(store)
    with store.reading(1, 12345) as reader:
        assert (reader.revision, reader.instant) == (1, 12345)
    with store.writing() as writer:
        assert (writer.reader(6).revision, writer.reader(6).instant) == (1, 6)


def test_reading_goes_on_while_a_write_is_open(store: Database, other: Database) -> None:
    key = create(store, USER)
    with store.writing():
        for reading in (store, other):
            assert reading.head().revision == 1
            with reading.reading(1, EARLY) as reader:
                assert [found.key for found in reader.living(USER)] == [key]


def test_intervals_are_found_for_more_keys_than_one_statement_can_name(store: Database) -> None:
    keys = [create(store, USER) for _ in range(3)]
    many = [*range(100_000, 103_000), *keys]
    with reading_now(store) as reader:
        assert sorted(found.fact.holder for found in reader.intervals(many)) == keys
        assert sorted(found.fact.holder for found in reader.intervals_on([PLATFORM, *many])) == keys
        assert sorted(reader.objects(many)) == keys
        assert reader.find_objects(list(map(id_of, many))) == {
            found.id: found for found in reader.objects(keys).values()
        }
        assert sorted(reader.profiles(many)) == sorted(many)
        assert sorted(reader.origins(many)) == keys


def test_a_list_is_made_of_more_keys_than_one_statement_can_name(store: Database) -> None:
    key = create(store, USER)
    with reading_now(store) as reader:
        assert reader.page_living([key, *range(100_000, 170_000)], ALL).total == 1


# --- what was touched -------------------------------------------------------------------------------------------------

TOUCHING: dict[str, tuple[Callable[[Reader], Plan], set[int]]] = {
    "nothing": (lambda _: Plan(), set()),
    "an object that says nothing yet": (lambda _: Plan([made(5, USER)]), set()),
    "a fact that begins": (lambda _: Plan(opened=[Fact(FactKind.BLOCK, 3)]), {3}),
    "an edge that begins": (lambda _: Plan(opened=[Fact(FactKind.ROLE_ATTACHMENT, 3, 4, 1)]), {3, -4}),
    "an edge that ends": (lambda reader: Plan(closed=list(at_places(reader, [EDGE]))), {2, -4}),
    "an edge that is renewed": (
        lambda reader: Plan(closed=list(at_places(reader, [EDGE])), opened=[replace(EDGE, expires_at=15)]),
        {2, -4},
    ),
    "an edge to oneself": (lambda _: Plan(opened=[Fact(FactKind.ROLE_ATTACHMENT, 3, 3, 1)]), {3, -3}),
    "a field": (lambda _: Plan(profile=[ProfileEntry(3, "name", "Ann"), ProfileEntry(3, "email", "a@b.c")]), {3}),
    "a field that is taken away": (lambda _: Plan(profile=[ProfileEntry(2, "name", None)]), {2}),
    "the platform's field": (lambda _: Plan(profile=[ProfileEntry(PLATFORM, "name", "Rescind")]), {PLATFORM}),
    "a credential": (lambda _: Plan(credentials=[CredentialEntry(3, "password", "argon2")]), {3}),
    "something of everything": (
        lambda reader: Plan(
            [made(5, USER)],
            [existence(5, 3, 1)],
            list(at_places(reader, [EDGE])),
            [ProfileEntry(1, "name", "Acme")],
            [CredentialEntry(4, "api_key", "aa" * 32)],
        ),
        {5, -3, 2, -4, 1, 4},
    ),
}
EDGE = Fact(FactKind.ROLE_ATTACHMENT, 2, 4, 1)


@pytest.mark.parametrize("name", TOUCHING)
def test_a_change_touches_holders_and_things_and_whose_profiles_and_credentials_change(
    store: Database, name: str
) -> None:
    kinds = (ObjectKind.ORGANIZATION, USER, USER, ObjectKind.ROLE)
    commit(store, Plan([made(key, kind) for key, kind in enumerate(kinds, 1)], [*map(existence, range(1, 5)), EDGE]))
    plan, touched = TOUCHING[name]
    with store.writing() as writer:
        writer.commit(plan(writer.reader(EARLY)), origin(1))
    with reading_now(store) as reader:
        assert reader.touched(1) == dict.fromkeys(touched, 2)
        assert reader.touched(0) == dict.fromkeys({1, 2, 3, 4, -4}, 1) | dict.fromkeys(touched, 2)
        assert reader.touched(2) == reader.touched(3) == {}
    assert touched_since(store, 1) == dict.fromkeys(touched, 2)
    assert touched_since(store, 0) == dict.fromkeys({1, 2, 3, 4, -4}, 1) | dict.fromkeys(touched, 2)
    with store.reading(1, EARLY) as reader:
        assert reader.touched(1) == {}


def test_what_was_touched_is_of_the_changes_after_one_revision_up_to_another_and_says_the_newest(
    store: Database,
) -> None:
    first, second = create(store, USER), create(store, USER)
    for key in (first, second, first):
        commit(store, Plan(profile=[ProfileEntry(key, "name", "x")]))
    expected = {
        (0, 0): {},
        (0, 1): {first: 1},
        (0, 2): {first: 1, second: 2},
        (0, 3): {first: 3, second: 2},
        (0, 5): {first: 5, second: 4},
        (1, 2): {second: 2},
        (2, 4): {first: 3, second: 4},
        (4, 5): {first: 5},
        (5, 5): {},
        (5, 3): {},
        (99, 5): {},
    }
    for (after, revision), touched in expected.items():
        with store.reading(revision, EARLY) as reader:
            assert reader.touched(after) == touched
        if revision == 5:
            assert touched_since(store, after) == touched


def touched_since(store: Database, since: int) -> dict[int, int] | None:
    """What is read with the head."""
    with closing(store.head_reader()) as reader:
        return reader.read(0, since).touched(since)


def test_with_the_head_is_read_what_few_changes_touched_and_of_many_it_is_not(store: Database) -> None:
    key = create(store, USER)
    for _ in range(sql.NEWS_MAX):
        commit(store, Plan(profile=[ProfileEntry(key, "name", "x")]))
    newest = sql.NEWS_MAX + 1
    assert touched_since(store, 0) is None
    assert touched_since(store, 1) == touched_since(store, newest - 1) == {key: newest}
    assert touched_since(store, newest) == {}
    assert store.head().touched(newest - 1) is None


def test_what_was_touched_is_unknown_where_an_older_version_wrote_one_of_the_changes(store: Database) -> None:
    keys = [create(store, USER) for _ in range(4)]
    execute(store, "UPDATE changes SET touched = NULL WHERE revision = 2")
    with reading_now(store) as reader:
        assert reader.touched(0) is None
        assert reader.touched(1) is None
        assert reader.touched(2) == {keys[2]: 3, keys[3]: 4}
    assert touched_since(store, 0) is None
    assert touched_since(store, 1) is None
    assert touched_since(store, 2) == {keys[2]: 3, keys[3]: 4}
    with store.reading(1, EARLY) as reader:
        assert reader.touched(0) == {keys[0]: 1}
    with store.reading(2, EARLY) as reader:
        assert reader.touched(1) is None


def test_more_is_touched_than_one_statement_can_name(store: Database) -> None:
    many = range(1, 2001)
    commit(store, Plan([made(key, USER) for key in many], [existence(key) for key in many]))
    with reading_now(store) as reader:
        assert reader.touched(0) == dict.fromkeys(many, 1)


# --- what holders lead to ---------------------------------------------------------------------------------------------

NODES = 40


@dataclass(frozen=True)
class Web:
    """Objects among which facts of every kind hold at random, in circles too; some of them ended later."""

    store: Database
    revision: int


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def web(request: pytest.FixtureRequest, make_migrated: Callable[[str], str]) -> Iterator[Web]:
    dice, kinds = random.Random(21), [*sorted(LEADS_ON), *FactKind]
    with opened(make_migrated(request.param)) as store:
        history = History(store)
        history.commit([made(key, USER) for key in range(1, NODES + 1)])
        for _ in range(12):
            taken = {fact.place for fact in history.living}
            facts = {}
            for _ in range(12):
                thing, scope = (dice.choice([PLATFORM, dice.randint(1, NODES)]) for _ in range(2))
                holder, expires_at = dice.randint(1, NODES), dice.choice([None, 15])
                fact = Fact(dice.choice(kinds), holder, thing, scope, dice.choice([None, "v"]), expires_at)
                if fact.place not in taken:
                    facts[fact.place] = fact
            ended = dice.sample(history.living, min(len(history.living), 5))
            history.commit(opened=list(facts.values()), closed=ended)
        yield Web(store, store.head().revision)


def by_levels(reader: Reader, keys: Collection[int]) -> list[Fact]:
    """What `gather` finds when it asks level by level."""
    gathered = gather(keys, lambda holders: [found.fact for found in reader.intervals(holders)])
    return sorted((fact for facts in gathered.values() for fact in facts), key=repr)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds=st.sets(st.integers(0, NODES + 3), max_size=6), back=st.integers(0, 13), instant=st.integers(0, 30))
def test_surroundings_are_what_is_gathered_level_by_level(web: Web, seeds: set[int], back: int, instant: int) -> None:
    with web.store.reading(web.revision - back, instant) as reader:
        found = reader.surroundings(seeds)
        assert sorted(found, key=repr) == by_levels(reader, seeds)
        assert len(found) == len(set(found))


def test_the_random_web_leads_far_and_in_circles_and_not_everywhere(web: Web) -> None:
    keys = range(1, NODES + 1)
    kinds: set[FactKind] = set()
    for revision in range(web.revision + 1):
        with web.store.reading(revision, EARLY) as reader:
            kinds |= {fact.kind for fact in reader.surroundings(keys)}
            found = {key: reader.surroundings([key]) for key in keys}
    assert kinds >= LEADS_ON
    sizes = [len(facts) for facts in found.values()]
    assert min(sizes) < 4
    assert max(sizes) > 20
    led_to = {key: {fact.holder for fact in facts} for key, facts in found.items()}
    assert any(key in led_to[other] for key in keys for other in led_to[key] - {key})


@pytest.mark.parametrize("kind", FactKind)
def test_a_fact_leads_on_by_its_kind_to_its_thing_and_its_scope(store: Database, kind: FactKind) -> None:
    facts = [Fact(kind, 1, 2, 3), Fact(FactKind.BLOCK, 2), Fact(FactKind.BLOCK, 3), Fact(FactKind.BLOCK, 4)]
    commit(store, Plan([made(key, USER) for key in range(1, 5)], facts))
    with reading_now(store) as reader:
        assert set(reader.surroundings([1])) == set(facts[: 3 if kind in LEADS_ON else 1])


def test_surroundings_of_more_keys_than_one_statement_can_name_say_each_fact_once(store: Database) -> None:
    """What every one of them leads to is found in each part of the keys."""
    many = range(3, 2303)
    roles = [Fact(FactKind.ROLE_ATTACHMENT, key, 1, 2) for key in many]
    shared = [Fact(FactKind.POLICY_ATTACHMENT, 1, 2), Fact(FactKind.DOCUMENT, 2, value="{}"), existence(2)]
    # One chain through keys of different parts.
    chained = [Fact(FactKind.GROUP_MEMBERSHIP, key, key + 700) for key in (3, 703, 1403)]
    commit(store, Plan([made(key, USER) for key in range(1, 2303)], [*roles, *shared, *chained]))
    with reading_now(store) as reader:
        found = reader.surroundings([*many, *range(100_000, 101_000)])
        assert len(found) == len(set(found))
        assert set(found) == {*roles, *shared, *chained}
        assert sorted(found, key=repr) == by_levels(reader, many)


def test_surroundings_of_nobody_are_empty(store: Database) -> None:
    create(store, USER)
    with reading_now(store) as reader:
        assert reader.surroundings([]) == reader.surroundings([PLATFORM]) == reader.surroundings([99]) == []


def test_surroundings_are_of_one_revision_though_others_write_between_their_parts(
    store: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = range(2, 1302)
    edges = [Fact(FactKind.ROLE_ATTACHMENT, key, 1) for key in many]
    commit(store, Plan([made(key, USER) for key in range(1, 1302)], [*edges, existence(1)]))
    asked, execute = iter([True]), store.statements.execute

    def parted(connection: sa.Connection, statement: Any, values: Any) -> list[Any]:
        found = execute(connection, statement, values)
        if statement in sql.SURROUNDINGS.values() and next(asked, False):
            close(other, existence(1), edges[0], edges[-1])
        return found

    monkeypatch.setattr(store.statements, "execute", parted)
    with reading_now(store) as reader:
        assert set(reader.surroundings(many)) == {*edges, existence(1)}
    with reading_now(store) as reader:
        assert set(reader.surroundings(many)) == set(edges[1:-1])


# --- existence and expiry ---------------------------------------------------------------------------------------------


def test_lists_leave_out_what_ended_and_what_time_has_ended(store: Database) -> None:
    lives, expires, ends = create(store, USER), create(store, USER, expires_at=15), create(store, USER)
    close(store, existence(ends))
    for instant, keys in ((14, [lives, expires]), (15, [lives]), (16, [lives])):
        with reading_now(store, instant) as reader:
            assert [found.key for found in reader.living(USER)] == keys
            assert [found.key for found in reader.page_objects(USER, [PLATFORM], ALL).items] == keys
            assert [found.key for found in reader.page_living([lives, expires, ends], ALL).items] == keys


def test_intervals_hold_for_their_holder_though_time_has_ended_them(store: Database) -> None:
    key = create(store, USER, expires_at=15)
    with reading_now(store, LATE) as reader:
        assert [found.fact.expires_at for found in reader.intervals([key])] == [15]
        assert [found.fact.expires_at for found in reader.intervals_on([PLATFORM], FactKind.EXISTENCE)] == [15]


def test_objects_are_found_by_key_and_id_after_they_ended(store: Database) -> None:
    key = create(store, USER)
    close(store, existence(key))
    with reading_now(store) as reader:
        assert reader.objects([key])[key].id == id_of(key)
        assert reader.find_object(USER, id_of(key)) == reader.objects([key])[key]


def test_an_object_is_made_at_the_time_of_its_change(store: Database) -> None:
    with store.writing() as writer:
        change = writer.commit(Plan([made(writer.next_key, USER)]), origin())
    with reading_now(store) as reader:
        assert reader.objects([1])[1] == replace(made(1, USER), created_at=change.time)


def test_the_end_of_an_object_is_the_last_one_and_is_not_known_while_it_lives(store: Database) -> None:
    key = create(store, USER)
    first = close(store, existence(key))
    commit(store, Plan(opened=[existence(key)]))
    last = close(store, existence(key))
    ends = {1: None, 2: (first.revision, first.time), 4: (last.revision, last.time)}
    for revision, end in ends.items():
        with store.reading(revision, EARLY) as reader:
            assert reader.ended(key) == end
            assert reader.ended(99) is None


def test_a_restored_object_has_not_ended(store: Database) -> None:
    key = create(store, USER)
    close(store, existence(key))
    commit(store, Plan(opened=[existence(key)]))
    with reading_now(store) as reader:
        assert reader.ended(key) is None


def test_an_edge_is_listed_while_it_and_its_far_end_live(store: Database) -> None:
    organization = create(store, ObjectKind.ORGANIZATION)
    member, role = create(store, ObjectKind.MEMBERSHIP, organization), create(store, ObjectKind.ROLE, organization)
    edge = Fact(FactKind.ROLE_ATTACHMENT, member, role, organization, expires_at=15)
    commit(store, Plan(opened=[edge]))

    def listed(instant: int, scope: int = organization) -> tuple[int, int]:
        with reading_now(store, instant) as reader:
            of = reader.page_edges_of(member, FactKind.ROLE_ATTACHMENT, ObjectKind.ROLE, scope, ALL)
            to = reader.page_edges_to(role, FactKind.ROLE_ATTACHMENT, ObjectKind.MEMBERSHIP, scope, ALL)
            assert (len(of.items), len(to.items)) == (of.total, to.total)
            return of.total, to.total

    assert listed(14) == (1, 1)
    assert listed(15) == (0, 0)
    assert listed(14, PLATFORM) == (0, 0)
    close(store, existence(role))
    assert listed(14) == (0, 1)
    commit(store, Plan(opened=[existence(role)]))
    close(store, existence(member))
    assert listed(14) == (1, 0)
    commit(store, Plan(opened=[existence(member)]))
    assert listed(14) == (1, 1)
    close(store, edge)
    assert listed(14) == (0, 0)


def test_edges_are_listed_by_the_kind_of_their_far_end(store: Database) -> None:
    group, member, role = (create(store, kind) for kind in (ObjectKind.GROUP, ObjectKind.MEMBERSHIP, ObjectKind.ROLE))
    commit(store, Plan(opened=[Fact(FactKind.ROLE_ATTACHMENT, holder, role) for holder in (group, member)]))
    with reading_now(store) as reader:
        for kind, holder in ((ObjectKind.GROUP, group), (ObjectKind.MEMBERSHIP, member)):
            page = reader.page_edges_to(role, FactKind.ROLE_ATTACHMENT, kind, PLATFORM, ALL)
            assert [found.fact.holder for found in page.items] == [holder]
            assert page.total == 1


# --- windows ----------------------------------------------------------------------------------------------------------

Lister = Callable[[Reader, Window], Page[Any]]
LISTS: dict[str, Lister] = {
    "page_objects": lambda reader, window: reader.page_objects(ObjectKind.ROLE, [1], window),
    "page_objects_with_fact": lambda reader, window: reader.page_objects(
        ObjectKind.ROLE, [1], window, with_fact=FactKind.EXISTENCE
    ),
    "page_living": lambda reader, window: reader.page_living(range(2, 9), window),
    "page_edges_of": lambda reader, window: reader.page_edges_of(
        1, FactKind.ROLE_ATTACHMENT, ObjectKind.ROLE, 1, window
    ),
    "page_edges_to": lambda reader, window: reader.page_edges_to(
        1, FactKind.ROLE_ATTACHMENT, ObjectKind.ROLE, 1, window
    ),
    "page_changes": lambda reader, window: reader.page_changes(1, window),
}
LISTED = 7


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def listing(request: pytest.FixtureRequest, make_migrated: Callable[[str], str]) -> Iterator[Database]:
    """An organization with seven of everything: an edge to each of its roles and one back."""
    with opened(make_migrated(request.param)) as store:
        organization = create(store, ObjectKind.ORGANIZATION)
        for key in range(2, 2 + LISTED):
            edges = [(organization, key), (key, organization)]
            plan = Plan(
                [made(key, ObjectKind.ROLE, organization)],
                [existence(key), *(Fact(FactKind.ROLE_ATTACHMENT, *edge, organization) for edge in edges)],
            )
            commit(store, plan, origin(organization))
        yield store


@pytest.mark.parametrize("limit", [1, 2, 3, LISTED - 1, LISTED, LISTED + 1])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_walked_from_end_to_end_and_back_without_gap_or_repetition(
    listing: Database, name: str, limit: int
) -> None:
    with reading_now(listing) as reader:

        def page(**mark: int | None) -> Page[Any]:
            return LISTS[name](reader, Window(limit, **mark))

        whole = list(LISTS[name](reader, ALL).items)
        assert len(whole) == LISTED
        onward = [page()]
        while onward[-1].after is not None:
            onward.append(page(after=onward[-1].after))
        assert [item for found in onward for item in found.items] == whole
        assert {found.total for found in onward} == {LISTED}
        assert [len(found.items) for found in onward[:-1]] == [limit] * (len(onward) - 1)
        assert (onward[0].before, onward[-1].after) == (None, None)
        assert all(found.before is not None for found in onward[1:])

        backward = [onward[-1]]
        while backward[-1].before is not None:
            backward.append(page(before=backward[-1].before))
        assert [item for found in reversed(backward) for item in found.items] == whole
        assert {found.total for found in backward} == {LISTED}
        assert [len(found.items) for found in backward[1:-1]] == [limit] * max(0, len(backward) - 2)
        assert all(found.after is not None for found in backward[1:])


@pytest.mark.parametrize("name", LISTS)
def test_a_window_beyond_either_end_is_empty_and_counts_the_whole_list(listing: Database, name: str) -> None:
    with reading_now(listing) as reader:
        for window in (Window(3, after=10_000), Window(3, before=0)):
            page = LISTS[name](reader, window)
            assert (list(page.items), page.total) == ([], LISTED)


@pytest.mark.parametrize("window", [Window(LISTED, before=10_000), Window(LISTED, after=0)])
def test_a_page_names_no_neighbour_where_there_is_none(listing: Database, window: Window) -> None:
    with reading_now(listing) as reader:
        page = LISTS["page_objects"](reader, window)
        assert (len(page.items), page.before, page.after) == (LISTED, None, None)


@pytest.mark.parametrize("window", [Window(3, after=10_000), Window(3, before=0)])
def test_an_empty_page_leads_back_to_the_list(listing: Database, window: Window) -> None:
    with reading_now(listing) as reader:
        page = LISTS["page_objects"](reader, window)
        back = page.before if window.after else page.after
        assert back is not None


def test_a_list_of_nothing_is_empty(store: Database) -> None:
    with reading_now(store) as reader:
        for page in LISTS.values():
            assert page(reader, ALL) == Page([], 0, None, None)
        assert reader.page_living([], ALL) == Page([], 0, None, None)
        assert reader.page_objects(USER, [], ALL) == Page([], 0, None, None)
        assert reader.intervals([]) == reader.intervals_on([]) == reader.living(USER) == []
        assert reader.surroundings([]) == []
        assert reader.touched(0) == reader.find_objects([]) == {}
        assert reader.objects([]) == reader.profiles([]) == reader.profile_times([]) == reader.origins([]) == {}


# --- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        str.upper,
        lambda identifier: identifier.replace("-", ""),
        lambda identifier: "{" + identifier + "}",
        lambda identifier: "urn:uuid:" + identifier,
        lambda identifier: identifier + "\n",
        lambda identifier: " " + identifier,
        lambda identifier: identifier[:-1] + "%",
        lambda identifier: identifier.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        lambda _: "",
        lambda _: "\0",
        lambda _: "\ud800",
        lambda _: "x" * 100_000,
        lambda _: "' OR 1=1 --",
    ],
)
def test_an_object_is_found_by_its_kind_and_the_one_spelling_of_its_id(
    listing: Database, spelling: Callable[[str], str]
) -> None:
    with reading_now(listing) as reader:
        found = reader.find_object(ObjectKind.ROLE, id_of(4))
        assert found is not None
        assert (found.key, found.id) == (4, id_of(4))
        assert reader.find_object(ObjectKind.ROLE, spelling(id_of(4))) is None
        assert reader.find_objects([spelling(id_of(4))]) == {}
        assert reader.find_objects([spelling(id_of(4)), id_of(4), id_of(4)]) == {id_of(4): found}
        assert reader.find_object(USER, id_of(4)) is None
        assert reader.find_object(ObjectKind.ROLE, id_of(1000)) is None


@pytest.fixture
def ann(store: Database) -> int:
    """A user with an e-mail address, a name and a password."""
    key = create(store, USER)
    profile = {"email": "Ann.Weiß@Example.org", "email_folded": "ann.weiss@example.org", "name": "Ann"}
    commit(
        store,
        Plan(
            profile=[ProfileEntry(key, field, value) for field, value in profile.items()],
            credentials=[CredentialEntry(key, "password", "argon2-of-ann")],
        ),
    )
    return key


def test_a_user_is_found_by_e_mail_whatever_the_case_of_its_letters(store: Database, ann: int) -> None:
    with reading_now(store) as reader:
        for email in ("Ann.Weiß@Example.org", "ann.weiß@example.org", "ANN.WEISS@EXAMPLE.ORG", "ann.weiss@example.org"):
            found = reader.find_user(email)
            assert found is not None
            assert found.key == ann
        for email in ("", "ann", "ann.weiss@example.or", "%", "ann_weiss@example.org", "Ann", "' OR 1=1 --"):
            assert reader.find_user(email) is None


def test_only_a_living_user_is_found_by_e_mail(store: Database, ann: int) -> None:
    close(store, existence(ann))
    with reading_now(store) as reader:
        assert reader.find_user("ann.weiss@example.org") is None
    commit(store, Plan(opened=[existence(ann, expires_at=15)]))
    for instant, found in ((14, True), (15, False)):
        with reading_now(store, instant) as reader:
            assert (reader.find_user("ann.weiss@example.org") is not None) is found


def test_a_new_user_may_take_the_address_of_one_who_ended(store: Database, ann: int) -> None:
    close(store, existence(ann))
    heir = create(store, USER)
    commit(store, Plan(profile=[ProfileEntry(heir, "email_folded", "ann.weiss@example.org")]))
    with reading_now(store) as reader:
        found = reader.find_user("Ann.Weiss@example.org")
        assert found is not None
        assert found.key == heir


def test_profiles_are_as_they_are_now_and_every_key_is_in_the_answer(store: Database, ann: int) -> None:
    before = store.head()
    change = commit(store, Plan(profile=[ProfileEntry(ann, "name", "Anna"), ProfileEntry(ann, "email", None)]))
    with store.reading(1, EARLY) as reader:
        assert reader.profiles([ann, 77]) == {
            ann: {"name": "Anna", "email_folded": "ann.weiss@example.org"},
            77: {},
        }
        assert reader.profile_times([ann, 77]) == {ann: change.time}
    commit(store, Plan(profile=[ProfileEntry(ann, "name", None)]))
    with reading_now(store) as reader:
        assert reader.profiles([ann]) == {ann: {"email_folded": "ann.weiss@example.org"}}
        assert reader.profile_times([ann]) == {ann: before.time}


def test_a_profile_keeps_every_character(store: Database) -> None:
    text = "Zoë 🦊 'quoted' \"double\" back\\slash %s :name {brace} \u2028 \n end "
    key = create(store, USER)
    change = commit(
        store, Plan(profile=[ProfileEntry(key, "name", text)], opened=[Fact(FactKind.BLOCK, key, value=text)])
    )
    with reading_now(store) as reader:
        assert reader.profiles([key]) == {key: {"name": text}}
        assert [found.fact.value for found in reader.intervals([key], FactKind.BLOCK)] == [text]
        assert reader.change(change.revision, PLATFORM) == change


def test_a_credential_is_found_by_its_kind_and_verifier(store: Database, ann: int) -> None:
    key = create(store, ObjectKind.API_KEY)
    commit(store, Plan(credentials=[CredentialEntry(key, "api_key", "aa" * 32)]))
    with reading_now(store) as reader:
        assert reader.find_credential("api_key", "aa" * 32) == key
        for kind, verifier in (
            ("password", "aa" * 32),
            ("api_key", "AA" * 32),
            ("api_key", ""),
            ("api_key", "aa" * 31),
        ):
            assert reader.find_credential(kind, verifier) is None
        assert reader.secret(ann, "password") == "argon2-of-ann"
        assert reader.secret(key, "password") is None


def test_a_new_credential_takes_the_place_of_the_old_one(store: Database, ann: int) -> None:
    key = create(store, ObjectKind.API_KEY)
    for verifier in ("aa" * 32, "bb" * 32):
        commit(store, Plan(credentials=[CredentialEntry(key, "api_key", verifier)]))
    commit(store, Plan(credentials=[CredentialEntry(ann, "password", "another")]))
    with reading_now(store) as reader:
        assert reader.find_credential("api_key", "aa" * 32) is None
        assert reader.find_credential("api_key", "bb" * 32) == key
        assert reader.secret(ann, "password") == "another"


def test_credentials_are_as_they_are_now(store: Database, ann: int) -> None:
    commit(store, Plan(credentials=[CredentialEntry(ann, "password", "another")]))
    with store.reading(1, EARLY) as reader:
        assert reader.secret(ann, "password") == "another"


# --- the log ----------------------------------------------------------------------------------------------------------


def test_a_change_is_told_to_its_own_scope_alone(store: Database) -> None:
    acme, evil = create(store, ObjectKind.ORGANIZATION), create(store, ObjectKind.ORGANIZATION)
    ours = [commit(store, of=origin(acme, "ann")) for _ in range(2)]
    theirs = commit(store, of=origin(evil, "eve"))
    with reading_now(store) as reader:
        assert reader.change(ours[0].revision, acme) == ours[0]
        for scope in (evil, PLATFORM, 99):
            assert reader.change(ours[0].revision, scope) is None
        assert reader.change(99, acme) is None
        assert list(reader.page_changes(acme, ALL).items) == ours
        assert list(reader.page_changes(evil, ALL).items) == [theirs]
        assert reader.origins([ours[1].revision, theirs.revision, 99]) == {
            ours[1].revision: (ours[1].time, "ann"),
            theirs.revision: (theirs.time, "eve"),
        }
    with store.reading(ours[0].revision, EARLY) as reader:
        assert reader.change(ours[1].revision, acme) is None
        assert list(reader.page_changes(acme, ALL).items) == ours[:1]


def test_the_log_says_the_same_change_that_the_writer_was_told(store: Database) -> None:
    change = commit(store, of=origin(actor="ann", operation="roles.create"))
    with reading_now(store) as reader:
        assert reader.change(1, PLATFORM) == change
    said = change.read()
    assert (said["revision"], said["time"], said["actor"], said["operation"]) == (1, change.time, "ann", "roles.create")


def test_each_digest_follows_from_the_body_and_the_digest_before_it(store: Database, other: Database) -> None:
    create(store, USER)
    create(other, ObjectKind.ROLE)
    close(store, existence(1))
    digest = GENESIS_DIGEST
    with reading_now(store) as reader:
        for change in reader.page_changes(PLATFORM, ALL).items:
            digest = chain(digest, change.body)
            assert change.digest == digest
    assert store.head().digest == digest


def test_times_rise_with_every_change_though_the_clock_stands_behind_the_newest(store: Database) -> None:
    first = commit(store)
    ahead = first.time + 3600 * 1_000_000
    execute(store, f"UPDATE head SET time = {ahead}")
    times = [commit(store).time for _ in range(3)]
    assert times == [ahead + 1, ahead + 2, ahead + 3]
    assert store.head().time == times[-1]


@pytest.mark.usefixtures("ann")
def test_a_change_holds_no_personal_value_and_no_verifier(store: Database) -> None:
    with reading_now(store) as reader:
        body = reader.page_changes(PLATFORM, ALL).items[-1].body
    for secret in ("Ann", "example.org", "argon2-of-ann"):
        assert secret not in body


# --- the horizon ------------------------------------------------------------------------------------------------------


def test_what_lies_before_the_horizon_is_gone_and_the_horizon_itself_is_not(store: Database) -> None:
    for _ in range(5):
        commit(store)
    execute(store, "UPDATE head SET horizon = 3")
    assert store.head().horizon == 3
    for revision in (0, 1, 2):
        with pytest.raises(Gone), store.reading(revision, EARLY):
            pytest.fail("a compacted revision was read")
    for revision in (3, 4, 5):
        with store.reading(revision, EARLY) as reader:
            assert reader.revision == revision


def test_what_lies_before_the_horizon_is_gone_for_a_node_that_has_not_read_the_head_since(
    store: Database, other: Database
) -> None:
    for _ in range(2):
        commit(store)
    other.head()
    for _ in range(3):
        commit(store)
    execute(store, "UPDATE head SET horizon = 4")
    with pytest.raises(Gone), other.reading(2, EARLY):
        pytest.fail("a compacted revision was read")


def test_what_lies_before_the_horizon_is_gone_for_a_new_node(store: Database, other: Database) -> None:
    for _ in range(5):
        commit(store)
    execute(store, "UPDATE head SET horizon = 4")
    with pytest.raises(Gone), other.reading(2, EARLY):
        pytest.fail("a compacted revision was read")


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_use_is_remembered_without_a_revision_and_a_later_one_counts(store: Database, other: Database) -> None:
    before = commit(store, Plan([made(1, ObjectKind.ORGANIZATION), made(2, ObjectKind.ORGANIZATION)])).revision
    store.note_uses({1: 50, 2: 60})
    other.note_uses({1: 40, 2: 70})
    with other.reading(before, 100) as reader:
        assert reader.last_uses([1, 2, 3]) == {1: 50, 2: 70}
    assert store.head().revision == before


def test_a_revision_is_spent_only_by_a_commit(store: Database, other: Database) -> None:
    before = contents(store)
    with store.writing() as writer:
        assert writer.head.revision == 0
    with suppress(ZeroDivisionError), store.writing() as writer:
        writer.accept_loss()
        raise ZeroDivisionError
    assert contents(store) == before
    assert [commit(each).revision for each in (store, other, store)] == [1, 2, 3]


def test_a_commit_writes_all_of_its_plan_and_its_change(store: Database) -> None:
    user, role = made(1, USER), made(2, ObjectKind.ROLE)
    edge = Fact(FactKind.ROLE_ATTACHMENT, 1, 2, value="v", expires_at=15)
    with store.writing() as writer:
        change = writer.commit(
            Plan(
                [user, role],
                [existence(1), existence(2), edge],
                profile=[ProfileEntry(1, "name", "Ann")],
                credentials=[CredentialEntry(1, "password", "argon2")],
            ),
            origin(),
        )
    assert change.revision == store.head().revision == 1
    with reading_now(store) as reader:
        assert reader.objects([1, 2]) == {found.key: replace(found, created_at=change.time) for found in (user, role)}
        assert sorted((found.fact for found in reader.intervals([1, 2])), key=repr) == sorted(
            [existence(1), existence(2), edge], key=repr
        )
        assert {found.revision_from for found in reader.intervals([1, 2])} == {1}
        assert reader.profiles([1]) == {1: {"name": "Ann"}}
        assert reader.secret(1, "password") == "argon2"
    with store.reading(0, EARLY) as reader:
        assert reader.intervals([1, 2]) == []


def test_an_empty_plan_is_a_change_too(store: Database) -> None:
    assert commit(store).read()["opened"] == []
    assert store.head().revision == 1


def test_a_fact_may_end_and_be_opened_anew_by_one_plan(store: Database) -> None:
    key = create(store, USER)
    with store.writing() as writer:
        old = list(at_places(writer.reader(EARLY), [existence(key)]))
        writer.commit(Plan(opened=[existence(key, expires_at=15)], closed=old), origin())
    for revision, expires_at in ((1, None), (2, 15)):
        with store.reading(revision, EARLY) as reader:
            assert [found.fact.expires_at for found in reader.intervals([key])] == [expires_at]


def test_the_writers_head_and_reader_are_what_stood_before_the_write(store: Database, other: Database) -> None:
    change = commit(other, Plan([made(1, USER)], [existence(1)]))
    with store.writing() as writer:
        assert (writer.head.revision, writer.head.digest, writer.head.time) == (1, change.digest, change.time)
        assert [found.key for found in writer.reader(EARLY).living(USER)] == [1]
        assert writer.next_key == 2


def test_keys_follow_each_other_and_none_is_given_twice(store: Database, other: Database) -> None:
    assert [create(each, USER) for each in (store, other, store)] == [1, 2, 3]
    with store.writing() as writer:
        assert writer.next_key == 4
    with store.writing() as writer:
        assert writer.next_key == 4
        writer.commit(Plan([made(4, USER), made(5, USER)]), origin())
    with other.writing() as writer:
        assert writer.next_key == 6


FAILING: dict[str, Callable[[Reader], Plan]] = {
    "an interval ended twice": lambda reader: Plan(closed=list(at_places(reader, [existence(1), existence(1)]))),
    "an interval that ended before": lambda reader: Plan(
        closed=[replace(next(at_places(reader, [existence(1)])), key=1)]
    ),
    "an interval that never was": lambda reader: Plan(closed=[replace(next(at_places(reader, [existence(1)])), key=9)]),
    "a place taken twice": lambda _: Plan(opened=[existence(1)]),
    "a place taken twice by the plan itself": lambda _: Plan(opened=[Fact(FactKind.BLOCK, 1), Fact(FactKind.BLOCK, 1)]),
    "a fact of nobody": lambda _: Plan(opened=[existence(99)]),
    "an id that is taken": lambda _: Plan([replace(made(2, USER), id=id_of(1))], [existence(2)]),
    "a key that is taken": lambda _: Plan([replace(made(1, USER), id=id_of(2))]),
    "a verifier that is taken": lambda _: Plan(
        [made(2, ObjectKind.API_KEY)],
        [existence(2)],
        profile=[ProfileEntry(1, "name", "Eve")],
        credentials=[CredentialEntry(2, "api_key", "aa" * 32)],
    ),
    "text that is none": lambda _: Plan(profile=[ProfileEntry(1, "name", "\ud800")]),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_plan_that_fails_leaves_nothing_behind(store: Database, name: str) -> None:
    create(store, USER)
    close(store, existence(1))
    commit(
        store,
        Plan(
            opened=[existence(1)],
            profile=[ProfileEntry(1, "name", "Ann")],
            credentials=[CredentialEntry(1, "api_key", "aa" * 32)],
        ),
    )
    before = contents(store)
    with pytest.raises(Exception) as raised, store.writing() as writer:  # noqa: PT011, PT012 - its kind is no promise
        plan = FAILING[name](writer.reader(EARLY))
        # Something that would succeed by itself stands before and after what fails.
        extra = Fact(FactKind.SUSPENSION, 1)
        writer.commit(replace(plan, opened=[extra, *plan.opened]), origin())
    assert not isinstance(raised.value, Unavailable), "a fault of ours is not the database's"
    assert contents(store) == before
    assert commit(store).revision == 4


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_plan_that_ends_what_has_ended_is_not_written(store: Database, others: int) -> None:
    """Nor is what it would end beside that, or say."""
    keys = [create(store, USER) for _ in range(others + 1)]
    with store.reading(store.head().revision, EARLY) as reader:
        closed = reader.intervals(keys)
    assert len(closed) == len(keys)
    close(store, existence(keys[-1]))
    before = contents(store)
    with pytest.raises(RuntimeError, match="ends intervals that live"):
        commit(store, Plan(closed=closed, opened=[Fact(FactKind.SUSPENSION, keys[0])]))
    assert contents(store) == before
    assert commit(store, Plan(closed=closed[:-1])).revision == len(keys) + 2


def test_a_request_is_written_once(store: Database) -> None:
    of = origin()
    commit(store, of=of)
    before = contents(store)
    with pytest.raises(RuntimeError, match="refused a statement"):
        commit(store, of=of)
    assert contents(store) == before


@pytest.mark.parametrize("again", ["commit", "accept_loss"])
def test_a_writer_commits_once(store: Database, again: str) -> None:
    with suppress(sa.exc.IntegrityError), store.writing() as writer:
        writer.commit(Plan(), origin())
        before = contents(store)
        with suppress(AssertionError, RuntimeError):
            if again == "commit":
                writer.commit(Plan([made(writer.next_key, USER)]), origin())
            else:
                writer.accept_loss()
    assert contents(store) == before


def test_the_order_of_numbers_is_the_order_of_commits(store: Database, other: Database) -> None:  # noqa: C901 - two writers and two watchers
    writers, each = 6, 7
    done, torn = threading.Event(), []
    answered: list[tuple[int, Change]] = []

    def write(node: Database) -> None:
        for _ in range(each):
            begun_at = node.head().revision
            with node.writing() as writer:
                change = writer.commit(Plan([made(writer.next_key, USER)], [existence(writer.next_key)]), origin())
            answered.append((begun_at, change))
            # What was acknowledged is seen by every node from now on.
            if min(store.head().revision, other.head().revision) < change.revision:
                torn.append(change)

    def watch(node: Database) -> None:
        while not done.is_set():
            head = node.head()
            with node.reading(head.revision, EARLY) as reader:
                page = reader.page_changes(PLATFORM, Window(1, before=head.revision + 1))
                if page.total != head.revision or reader.page_objects(USER, [PLATFORM], ALL).total != head.revision:
                    torn.append(head)
                if page.items and page.items[0].digest != head.digest:
                    torn.append(head)

    with ThreadPoolExecutor(writers + 2) as threads:
        watching = [threads.submit(watch, node) for node in (store, other)]
        writing = [threads.submit(write, node) for node in itertools.islice(itertools.cycle((store, other)), writers)]
        try:
            for thread in writing:
                thread.result(60)
        finally:
            done.set()
        for thread in watching:
            thread.result(60)
    assert torn == []
    changes = sorted((change for _, change in answered), key=lambda change: change.revision)
    assert [change.revision for change in changes] == list(range(1, writers * each + 1))
    assert all(begun_at < change.revision for begun_at, change in answered)
    times = [change.time for change in changes]
    assert times == sorted(set(times))
    digest = GENESIS_DIGEST
    for change in changes:
        digest = chain(digest, change.body)
        assert change.digest == digest


def test_nobody_else_writes_until_a_writer_ends(store: Database, other: Database) -> None:
    order: list[str] = []

    def write(node: Database, name: str) -> None:
        with node.writing() as writer:
            order.append(name)
            writer.commit(Plan(), origin())

    with store.writing() as writer:
        threads = [threading.Thread(target=write, args=arguments) for arguments in ((store, "same"), (other, "other"))]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        order.append("first")
        writer.commit(Plan(), origin())
    for thread in threads:
        thread.join()
    assert order[0] == "first"
    assert store.head().revision == 3


def test_a_writer_waits_at_most_5_seconds_for_the_lock(make_migrated: Callable[[str], str]) -> None:
    def wait(node: Database) -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable), node.writing():
            pytest.fail("two hold the lock")
        return time.monotonic() - began

    def compete(kind: str) -> list[float]:
        url = make_migrated(kind)
        with opened(url) as store, opened(url) as other:
            with ThreadPoolExecutor(3) as threads, store.writing() as writer:
                waits = [threads.submit(wait, node) for node in (store, other, other)]
                seconds = [waiting.result(20) for waiting in waits]
                writer.commit(Plan(), origin())
            assert [commit(node).revision for node in (other, store)] == [2, 3]
        return seconds

    with ThreadPoolExecutor(2) as both:
        seconds = [waited for found in both.map(compete, ["sqlite", "postgres"]) for waited in found]
    assert len(seconds) == 6
    assert all(4 < waited < 6.5 for waited in seconds), seconds


def test_what_was_acknowledged_survives_a_power_cut(store: Database) -> None:
    def setting(name: str) -> str:
        return str(connection.exec_driver_sql(name).scalar_one())

    with store.engine.pool.connect() as connection:
        if is_postgres(store):
            assert setting("SHOW synchronous_commit") == "on"
            assert setting("SHOW fsync") in ("on", "off")  # the server's own affair
        else:
            assert (setting("PRAGMA synchronous"), setting("PRAGMA journal_mode")) == ("2", "wal")


def test_a_writer_that_stands_still_does_not_hold_the_lock_for_ever(make_migrated: Callable[[str], str]) -> None:
    with opened(make_migrated("postgres")) as store, store.engine.pool.connect() as connection:
        assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one() == "10s"


# --- a database that is away ------------------------------------------------------------------------------------------


@pytest.fixture(params=["a port nobody listens on", "a database that is not there", "a folder that is not there"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "a port nobody listens on":
            return "postgresql://postgres@127.0.0.1:1/rescind"
        case "a database that is not there":
            server: sa.URL = request.getfixturevalue("postgres")
            return server.set(database="nobody_made_this").render_as_string(hide_password=False)
        case _:
            return f"sqlite:///{tmp_path}/nowhere/rescind.db"


def test_a_database_that_is_away_is_unavailable(away: str) -> None:
    assert_unavailable(away)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b"This is no database. " * 1000),
        lambda file: file.write_bytes(file.read_bytes()[:4096] + bytes([255]) * (len(file.read_bytes()) - 4096)),
    ],
    ids=["removed", "replaced", "malformed"],
)
def test_a_file_that_is_no_database_any_more_is_unavailable(
    make_migrated: Callable[[str], str], spoil: Callable[[Path], Any]
) -> None:
    url = make_migrated("sqlite")
    spoil(Path(url.removeprefix("sqlite:///")))
    assert_unavailable(url)


def assert_unavailable(url: str) -> None:
    with opened(url) as store, closing(store.head_reader()) as heads:
        for _ in range(2):
            with pytest.raises(Unavailable):
                store.head()
            with pytest.raises(Unavailable):
                heads.read()
            with pytest.raises(Unavailable), store.reading(1, EARLY) as reader:
                reader.objects([1])
            with pytest.raises(Unavailable) as refused, store.writing():
                pytest.fail("there is nothing to write to")
            assert not refused.value.outcome_unknown


def test_a_node_goes_on_when_its_database_comes_back(make_migrated: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    shutil.copy(make_migrated("sqlite").removeprefix("sqlite:///"), tmp_path / "home" / "rescind.db")
    (tmp_path / "home").rename(tmp_path / "away")
    with opened(f"sqlite:///{tmp_path}/home/rescind.db") as store, closing(store.head_reader()) as heads:
        for read in (store.head, heads.read):
            with pytest.raises(Unavailable):
                read()
        (tmp_path / "away").rename(tmp_path / "home")
        assert store.head().revision == heads.read().revision == 0
        assert commit(store).revision == 1
        assert heads.read().revision == 1


def move_into_place(backup: str, here: str) -> None:
    """Put a SQLite file where another lies."""
    file = here.removeprefix("sqlite:///")
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    Path(backup.removeprefix("sqlite:///")).rename(file)


def test_readers_of_the_head_turn_to_the_file_that_took_the_place_of_theirs(
    make_migrated: Callable[[str], str],
) -> None:
    """A restored backup is often moved into place."""
    here, backup = make_migrated("sqlite"), make_migrated("sqlite")
    with opened(backup) as store:
        last = [commit(store) for _ in range(3)][-1]
    with opened(here) as store, closing(store.head_reader()) as one, closing(store.head_reader()) as another:
        heads = [one, another]
        first = noted(store.head(), commit(store))
        assert [reader.read().revision for reader in (*heads, *heads)] == [1] * 4
        known = noted(first, commit(store))
        assert None not in [reader.unchanged(known) for reader in heads]
        move_into_place(backup, here)
        assert [reader.unchanged(known) for reader in (*heads, *heads)] == [None] * 4
        for read in (heads[0].read, store.head, heads[1].read, heads[0].read):
            assert read(3).known_digest == last.digest
        change = commit(store)
        assert {reader.read().digest for reader in heads} == {change.digest}


def test_the_first_write_after_a_file_took_the_place_of_another_goes_to_it_and_is_acknowledged(
    make_migrated: Callable[[str], str],
) -> None:
    here, backup = make_migrated("sqlite"), make_migrated("sqlite")
    with opened(here) as store:
        assert [commit(store).revision for _ in range(2)] == [1, 2]
        move_into_place(backup, here)
        assert commit(store).revision == 1


def opened_but_gone(url: str) -> list[str]:
    """What this process has open of a SQLite database that is deleted, or has been replaced."""
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one by which they are listed is gone by then.
        with suppress(FileNotFoundError):
            opened.append(str(descriptor.readlink()))
    return [place for place in opened if place.startswith(url.removeprefix("sqlite:///")) and "(deleted)" in place]


@pytest.mark.parametrize("noticed", ["by nobody", "by a reader"])
def test_a_write_to_a_file_that_was_replaced_meanwhile_is_not_acknowledged(
    make_migrated: Callable[[str], str], noticed: str
) -> None:
    """It went to the file that is gone; in the one that is there nothing of it may be believed."""
    here, backup = make_migrated("sqlite"), make_migrated("sqlite")
    with opened(here) as store, closing(store.head_reader()) as heads:
        commit(store)
        known = heads.read()
        with store.writing() as writer:
            move_into_place(backup, here)
            if noticed == "by a reader":
                assert heads.read().revision == 0
            with pytest.raises(Unavailable) as refused:
                writer.commit(Plan(), origin())
        assert refused.value.outcome_unknown
        assert heads.read().revision == store.head().revision == 0
        assert opened_but_gone(here) == []
        assert heads.unchanged(known) is None
        assert commit(store).revision == 1


def test_a_reader_of_the_head_is_unavailable_while_the_file_is_gone_and_reads_it_when_it_is_back(
    make_migrated: Callable[[str], str],
) -> None:
    file = Path((url := make_migrated("sqlite")).removeprefix("sqlite:///"))
    with opened(url) as store, closing(store.head_reader()) as heads:
        known = heads.read()
        assert known.revision == 0
        file.rename(file.with_suffix(".away"))
        for read in (heads.read, store.head, lambda: heads.unchanged(known)):
            with pytest.raises(Unavailable):
                read()
        file.with_suffix(".away").rename(file)
        assert commit(store).revision == heads.read().revision == 1


@pytest.fixture
def on_postgres(make_migrated: Callable[[str], str]) -> Iterator[Database]:
    with opened(make_migrated("postgres")) as store:
        yield store


def terminate_all(store: Database, which: str = "true") -> None:
    """End every other connection to the database, as its restart would, or some of them."""
    engine = sa.create_engine(store.engine.pool.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ended = connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) {others} AND {which}").all()
        assert ended
    engine.dispose()


def test_the_head_is_read_again_after_its_connection_was_lost(on_postgres: Database) -> None:
    for revision in (1, 2):
        commit(on_postgres)
        assert on_postgres.head().revision == revision
        terminate_all(on_postgres)
        with suppress(Unavailable):
            on_postgres.head()
        assert on_postgres.head().revision == revision


def test_a_reader_of_the_head_reads_on_when_its_connection_was_lost(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    """It asks again by itself: nobody hears of a connection that died unused."""
    heads = more_heads(on_postgres)
    for revision in (1, 2):
        commit(on_postgres)
        assert heads.read().revision == revision
        terminate_all(on_postgres, "query LIKE 'SELECT head.revision%%'")
        assert heads.read(revision).known_digest == on_postgres.head().digest


def asked(heads: HeadReader, known: int = 0) -> Head:
    """The head as a loop reads it: sent, and received when the descriptor can be read."""
    heads.prepare()
    descriptor = heads.send(known)
    assert descriptor is not None
    assert select.select([descriptor], [], [], 10)[0], "no answer came"
    return received(heads)


def test_the_server_plans_once_how_the_head_is_read_however_often_it_is_asked_for(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    """To plan takes longer than to read."""
    heads = more_heads(on_postgres)
    heads.read()
    for _ in range(20):
        asked(heads)
    assert isinstance(heads, DatabaseHeadReader)
    counted = heads._driver.execute(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'rescind'"
    )
    assert counted.fetchall() == [(20, 0)]


def received(heads: HeadReader) -> Head:
    while True:
        head = heads.receive()
        if head is not None:
            return head
        time.sleep(0.001)


def test_the_head_is_the_same_whether_it_is_waited_for_or_not(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    heads = more_heads(on_postgres)
    assert heads.send() is None
    for revision in (1, 2, 3):
        commit(on_postgres)
        before = heads.read(revision - 1)
        found = asked(heads, revision - 1)
        assert found == before._replace(clock=found.clock)
        assert found.revision == revision
        assert found.clock > before.clock
    assert asked(heads, 99).known_digest is None


def test_where_the_head_is_near_nobody_sends_for_it(
    make_migrated: Callable[[str], str], more_heads: Callable[[Database], HeadReader]
) -> None:
    with opened(make_migrated("sqlite")) as store:
        heads = more_heads(store)
        heads.read()
        heads.prepare()
        assert heads.send() is None
        with pytest.raises(Unavailable):
            heads.receive()


def test_who_sent_for_the_head_hears_that_the_connection_was_lost_and_then_reads_it(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    heads = more_heads(on_postgres)
    commit(on_postgres)
    for _ in range(2):
        assert heads.read().revision == 1
        heads.prepare()
        terminate_all(on_postgres, "query LIKE '%%head.revision%%'")
        # Either the connection takes no more, or what it says is that it was ended.
        if heads.send() is not None:
            with pytest.raises(Unavailable):
                received(heads)
            heads.give_up()
        assert heads.send() is None


def test_an_answer_that_was_given_up_is_never_taken_for_another_s(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    heads = more_heads(on_postgres)
    heads.read()
    heads.prepare()
    assert heads.send() is not None
    heads.give_up()
    commit(on_postgres)
    assert heads.send() is None
    assert heads.read().revision == 1
    assert asked(heads).revision == 1


def test_a_server_that_was_started_again_is_read_at_once_however_many_connections_it_ended(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    heads = more_heads(on_postgres)
    with ExitStack() as many:
        for _ in range(6):
            many.enter_context(on_postgres.reading(0, EARLY))
    for read in (heads.read, on_postgres.head):
        assert read().revision == 0
    terminate_all(on_postgres)
    for read in (heads.read, on_postgres.head):
        assert read().revision == 0


def test_a_reader_of_the_head_is_unavailable_while_the_server_refuses_and_reads_on_afterwards(
    on_postgres: Database, more_heads: Callable[[Database], HeadReader]
) -> None:
    heads = more_heads(on_postgres)
    assert heads.read().revision == 0
    name = sa.make_url(on_postgres.engine.pool.url).database
    admin = sa.create_engine(on_postgres.engine.pool.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        ours = f"FROM pg_stat_activity WHERE datname = '{name}'"
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) {ours}")
        for read in (heads.read, heads.read, on_postgres.head):
            with pytest.raises(Unavailable):
                read()
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    admin.dispose()
    assert commit(on_postgres).revision == heads.read().revision == 1


def test_reading_and_writing_go_on_after_every_connection_was_lost(on_postgres: Database) -> None:
    commit(on_postgres)
    on_postgres.head()
    terminate_all(on_postgres)
    for each in (commit, Database.head):
        with suppress(Unavailable):
            each(on_postgres)
    with on_postgres.reading(1, EARLY) as reader:
        assert list(reader.origins([1])) == [1]
    assert commit(on_postgres).revision == on_postgres.head().revision


def test_a_reading_whose_connection_is_lost_is_unavailable(on_postgres: Database) -> None:
    commit(on_postgres)
    with pytest.raises(Unavailable), on_postgres.reading(1, EARLY) as reader:  # noqa: PT012 - whichever of the steps it is
        terminate_all(on_postgres)
        reader.objects([1])


def test_a_write_whose_connection_is_lost_before_its_commit_leaves_nothing(on_postgres: Database) -> None:
    before = contents(on_postgres)
    with pytest.raises(Unavailable) as refused, on_postgres.writing() as writer:  # noqa: PT012 - whichever of the steps it is
        terminate_all(on_postgres)
        writer.commit(Plan([made(1, USER)], [existence(1)]), origin())
    assert not refused.value.outcome_unknown
    assert contents(on_postgres) == before


def test_a_write_to_a_full_disk_leaves_nothing(make_migrated: Callable[[str], str]) -> None:
    with opened(make_migrated("sqlite")) as store:
        before = contents(store)
        with pytest.raises(Unavailable) as refused, store.writing() as writer:  # noqa: PT012 - whichever of the steps it is
            writer._connection.exec_driver_sql("PRAGMA max_page_count = 1")
            writer.commit(Plan([made(1, USER)], [Fact(FactKind.BLOCK, 1, value="x" * 1_000_000)]), origin())
        assert not refused.value.outcome_unknown
        assert contents(store) == before


def test_a_database_that_may_only_be_read_is_unavailable_to_a_writer(make_migrated: Callable[[str], str]) -> None:
    url = make_migrated("postgres")
    with opened(url) as store:
        execute(store, f"ALTER DATABASE {sa.make_url(url).database} SET default_transaction_read_only = on")
    with opened(url) as store:
        assert store.head().revision == 0
        with pytest.raises(Unavailable), store.writing():
            pytest.fail("there is nothing to write to")


# --- a commit whose answer is lost ------------------------------------------------------------------------------------


@pytest.fixture
def wire(make_migrated: Callable[[str], str]) -> Iterator[Proxy]:
    with Proxy(sa.make_url(make_migrated("postgres"))) as proxy:
        yield proxy


@pytest.fixture
def wired(wire: Proxy) -> Iterator[Database]:
    with opened(wire.url) as store:
        yield store


def write_over(store: Database, wire: Proxy, cut: Cut) -> Change:
    with store.writing() as writer:
        wire.cut = cut
        return writer.commit(Plan([made(1, USER)], [existence(1)]), origin())


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.WRITE])
def test_a_commit_that_never_reached_the_database_is_refused_and_is_not_there(
    wired: Database, wire: Proxy, cut: Cut
) -> None:
    with pytest.raises(Unavailable) as refused:
        write_over(wired, wire, cut)
    assert wire.happened.is_set()
    assert not refused.value.outcome_unknown
    assert wired.head().revision == 0
    assert commit(wired, Plan([made(1, USER)], [existence(1)])).revision == 1


@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.LATE])
def test_a_commit_whose_answer_was_lost_is_acknowledged_if_the_log_has_it(
    wired: Database, wire: Proxy, cut: Cut
) -> None:
    change = write_over(wired, wire, cut)
    assert wire.happened.is_set()
    assert (wired.head().revision, wired.head().digest) == (change.revision, change.digest) == (1, change.digest)
    with wired.reading(1, EARLY) as reader:
        assert reader.change(1, PLATFORM) == change
    assert commit(wired).revision == 2


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_the_outcome_is_unknown_when_the_log_cannot_be_asked(wired: Database, wire: Proxy, cut: Cut) -> None:
    wire.then_refuse = True
    with pytest.raises(Unavailable) as refused:
        write_over(wired, wire, cut)
    assert wire.happened.is_set()
    assert refused.value.outcome_unknown


def test_the_outcome_is_unknown_while_the_lost_write_still_holds_the_lock(wired: Database, wire: Proxy) -> None:
    with pytest.raises(Unavailable) as refused:
        write_over(wired, wire, Cut.STUCK)
    assert refused.value.outcome_unknown


def test_a_closed_store_gives_back_every_connection(make_migrated: Callable[[str], str]) -> None:
    url = make_migrated("postgres")
    with opened(url) as store, opened(url) as watcher, closing(store.head_reader()) as heads:
        commit(store)
        store.head()
        heads.read()
        with reading_now(store), store.writing():
            pass
        store.close()
        with watcher.engine.pool.connect() as connection:
            count = sa.text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            deadline = time.monotonic() + 5
            while connection.execute(count).scalar_one() and time.monotonic() < deadline:
                time.sleep(0.02)
            assert connection.execute(count).scalar_one() == 0
