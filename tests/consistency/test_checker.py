"""The checker itself: each demand holds of a true history, and is broken by the smallest lie in it."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import spec
from consistency.answers import EXPECTED, Answers
from consistency.checker import Violation, check
from consistency.history import Call, Client, History
from consistency.stage import ALWAYS, BY_ROLE, Cell, Request, Stage, Write
from consistency.truth import Truth
from servers import Server
from tenant import PUBLIC_URL

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Story:
    """What really happened on a node: she was given a role, which was taken, and was suspended for a while."""

    database: str
    stage: Stage
    calls: list[Call]
    given: Call
    taken: Call
    suspended: Call
    session: tuple[str, str]

    @property
    def cell(self) -> Cell:
        return self.stage.cells[0]

    def after(self, write: Call, operation: str) -> Call:
        """The first reading of a kind after a write."""
        return next(call for call in self.calls if call.operation == operation and call.number > write.number)

    def told(self, *lies: Call) -> History:
        """The history with some of its calls in another version."""
        instead = {call.number: call for call in lies}
        return History(instead.get(call.number, call) for call in self.calls)

    def names(self, *lies: Call, **options: Any) -> set[str]:
        return names_of(check(self.told(*lies), self.database, **options))


def names_of(violations: list[Violation]) -> set[str]:
    return {violation.name for violation in violations}


@pytest.fixture(scope="module")
def story(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    database = make_database("sqlite")
    with Server(database, tmp_path_factory.mktemp("node"), "--public-url", PUBLIC_URL) as server:
        stage = Stage(server.url, 1)
        yield happened(database, stage, Client(History(), "client", [server.url]))


def happened(database: str, stage: Stage, client: Client) -> Story:
    cell = stage.cells[0]

    def send(kind: str, request: Request) -> Call:
        said = request.method, request.path, request.body
        return client.send(kind, 0, request.operation, request.arguments, *said, token=request.token)

    def write(request: Write) -> Call:
        call = send("write", request)
        assert call.acknowledged, call
        return call

    def look(*without: str) -> None:
        for operation in EXPECTED:
            if operation not in without:
                send("read", stage.ask(operation, cell, ALWAYS if operation == "own key" else BY_ROLE, session))

    session = ("", "")
    look("own session")
    opened = write(stage.assume(cell))
    session = (opened.answer["id"], opened.answer["session_token"])
    give, take = stage.role(cell)
    suspend, lift = stage.suspension(cell)
    write(stage.tenant_role(cell)[0])
    write(stage.managing(cell)[0])
    given = write(give)
    look()
    taken = write(take)
    look()
    suspended = write(suspend)
    look()
    write(lift)
    write(stage.hall(cell)[0])
    client.close()
    return Story(database, stage, client.history.calls, given, taken, suspended, session)


def test_a_true_history_has_nothing_wrong_and_says_the_same_when_it_was_kept(story: Story, tmp_path: Path) -> None:
    assert check(History(story.calls), story.database) == []
    History(story.calls).write(tmp_path / "kept")
    kept = History.read(tmp_path / "kept")
    assert [dataclasses.asdict(call) for call in kept] == [dataclasses.asdict(call) for call in story.calls]


def test_every_kind_of_reading_was_answered_and_refused(story: Story) -> None:
    answered = {call.operation for call in story.calls if call.kind == "read" and call.status == 200}
    refused = {call.operation for call in story.calls if call.kind == "read" and call.status in (401, 403)}
    assert answered == set(EXPECTED)
    assert refused == {"own key", "own session", "own token"}


# --- the promise: revisions -------------------------------------------------------------------------------------------


def test_an_answer_from_before_an_acknowledged_write_is_stale(story: Story) -> None:
    reading = story.after(story.taken, "evaluation")
    older = replace(reading, client="another", revision=story.given.revision, answer={"decision": True})
    assert story.names(older) == {"stale"}


def test_an_answer_that_was_asked_for_before_the_write_was_acknowledged_may_be_from_before_it(story: Story) -> None:
    reading = story.after(story.taken, "evaluation")
    asked_before = replace(
        reading,
        client="another",
        began=story.taken.ended - 1,
        clock=story.taken.clock,
        instant=story.after(story.given, "evaluation").instant,
        revision=story.given.revision,
        answer={"decision": True},
    )
    assert story.names(asked_before, true_clocks=False) == set()


def test_an_answer_from_before_what_anybody_was_answered_is_stale(story: Story) -> None:
    """Though the write itself was never acknowledged: whoever saw it may have told others."""
    lost = replace(story.taken, status=0, revision=None, change=None, request_id="", ended=story.calls[-1].ended)
    seen = story.after(story.taken, "evaluation")
    late = story.after(story.taken, "tenant roles")
    assert story.names(lost) == set()
    older = replace(late, client="another", revision=story.given.revision)
    violations = check(story.told(lost, older), story.database)
    assert names_of(violations) == {"stale"}
    assert violations[0].calls[0].number >= seen.number


def test_revisions_that_fall_for_one_client_go_backwards(story: Story) -> None:
    reading = story.after(story.taken, "tenant roles")
    assert story.names(replace(reading, revision=story.given.revision)) == {"backwards", "stale"}


def test_instants_that_fall_for_one_process_go_backwards(story: Story) -> None:
    first, second = story.after(story.taken, "evaluation"), story.after(story.taken, "evaluations")
    assert first.instant is not None
    assert story.names(replace(first, worker=1), replace(second, worker=1)) == set()
    earlier = replace(second, worker=1, instant=first.instant - 1, clock=0)
    assert story.names(replace(first, worker=1), earlier) == {"backwards"}
    assert story.names(replace(first, worker=2), earlier) == set()


def test_an_instant_before_the_request_or_before_its_revision_is_stale(story: Story) -> None:
    reading = story.after(story.taken, "roles")
    assert story.names(replace(reading, clock=reading.clock + 60_000_000)) == {"stale"}
    assert story.names(replace(reading, clock=reading.clock + 60_000_000), true_clocks=False) == set()
    assert reading.instant is not None
    long_ago = replace(reading, clock=0, instant=reading.instant - 60_000_000)
    assert story.names(long_ago, true_clocks=False) == {"stale"}


# --- the promise: contents --------------------------------------------------------------------------------------------

LIES: dict[str, Callable[[Any], Any]] = {
    "evaluation": lambda said: {"decision": not said["decision"]},
    "evaluations": lambda said: {"evaluations": [*said["evaluations"][:-1], {"decision": False}]},
    "search": lambda said: {"results": said["results"][1:]},
    "explanation": lambda said: {**said, "statements": []},
    "roles": lambda said: {"roles": {**said["roles"], "direct": said["roles"]["direct"][1:]}},
    "tenant roles": lambda said: said[1:],
    "introspection": lambda said: {**said, "permissions": []},
}


@pytest.mark.parametrize("operation", LIES)
def test_an_answer_that_is_not_the_specifications_is_wrong(story: Story, operation: str) -> None:
    reading = story.after(story.given, operation)
    assert story.names(replace(reading, answer=LIES[operation](reading.answer))) == {"wrong"}


def test_an_answer_that_was_right_until_a_write_is_shown_with_that_write(story: Story) -> None:
    reading = story.after(story.taken, "evaluation")
    violations = check(story.told(replace(reading, answer={"decision": True})), story.database)
    assert names_of(violations) == {"wrong"}
    assert [call.number for call in violations[0].calls] == [story.taken.number, reading.number]


@pytest.mark.parametrize("operation", ["own key", "own session"])
def test_who_was_let_in_after_his_right_went_was_answered_wrongly(story: Story, operation: str) -> None:
    refusal = story.after(story.suspended, operation)
    assert refusal.status == 403
    revision, instant = story.suspended.revision, story.after(story.suspended, "evaluation").instant
    assert story.names(replace(refusal, status=200, revision=revision, instant=instant, clock=0)) == {"wrong"}


@pytest.mark.parametrize("operation", ["own key", "own session", "own token"])
def test_who_was_refused_though_he_might_was_answered_wrongly(story: Story, operation: str) -> None:
    reading = story.after(story.given, operation)
    assert reading.status == 200
    assert story.names(replace(reading, status=403, revision=None, instant=None)) == {"wrong"}


def test_a_refusal_is_right_if_it_was_so_at_any_moment_while_it_was_asked(story: Story) -> None:
    """Here the suspension began while the call was under way."""
    reading = story.after(story.taken, "own key")
    refused = replace(reading, status=403, revision=None, instant=None)
    assert story.names(refused) == {"wrong"}
    assert story.names(replace(refused, ended=story.suspended.ended)) == set()


def test_an_answer_past_the_end_of_a_grant_is_wrong(story: Story) -> None:
    """The session was opened for a quarter of an hour."""
    reading = story.after(story.given, "own session")
    assert reading.instant is not None
    later = replace(reading, instant=reading.instant + 901_000_000)
    assert story.names(later) == {"wrong"}


def test_an_answer_that_names_no_revision_or_one_that_there_is_not_is_wrong(story: Story) -> None:
    reading = story.after(story.taken, "roles")
    assert story.names(replace(reading, revision=None, instant=None)) == {"wrong"}
    last = [call for call in story.calls if call.kind == "read"][-1]
    assert "wrong" in story.names(replace(last, revision=10_000))


def test_a_write_by_somebody_who_had_lost_the_right_is_wrong(story: Story) -> None:
    joined = story.calls[-1]
    assert joined.operation == "groups.add_member"
    assert joined.change is not None
    by = joined.arguments["by"]
    assert story.names(replace(joined, arguments={**joined.arguments, "by": {**by, "action": BY_ROLE}})) == {"wrong"}


def test_an_answer_that_no_reading_has_is_wrong_and_a_failure_is_an_error(story: Story) -> None:
    reading = story.after(story.taken, "roles")
    assert story.names(replace(reading, status=409, revision=None)) == {"wrong"}
    assert story.names(replace(reading, status=500, revision=None)) == {"error"}
    assert story.names(replace(reading, status=503, revision=None)) == set()


# --- the log ----------------------------------------------------------------------------------------------------------


def test_an_acknowledged_write_that_is_not_in_the_log_is_lost(story: Story) -> None:
    assert "lost" in story.names(replace(story.taken, request_id="another"))
    last = story.calls[-1]
    assert last.revision is not None
    beyond = replace(last, revision=last.revision + 1, change=last.revision + 1)
    assert {"lost", "twice"} <= story.names(beyond)


def test_a_write_that_left_something_else_behind_than_it_says_is_lost(story: Story) -> None:
    """Whether it says that it changed something or that it was so already."""
    opposite = {"opens": story.taken.arguments["closes"], "closes": story.taken.arguments["opens"]}
    assert story.names(replace(story.taken, arguments=opposite)) == {"lost"}
    idle = replace(story.taken, number=0, change=None, revision=story.given.revision, ended=story.given.ended + 1)
    idle = replace(idle, client="another", began=story.given.ended, request_id="another")
    assert names_of(check(History([*story.calls, idle]), story.database)) == {"lost"}


def test_what_time_had_ended_need_not_be_taken(story: Story) -> None:
    """The session ends by itself a quarter of an hour after it was opened; until then it is there."""
    session = [["existence", story.session[0], None, story.stage.organization, None]]
    taking = replace(story.taken, arguments={"closes": story.taken.arguments["closes"] + session})
    assert story.names(taking) == {"lost"}
    idle = replace(story.calls[-1], number=1000, change=None, request_id="another", arguments={"closes": session})
    assert names_of(check(History([*story.calls, idle]), story.database)) == {"lost"}
    late = replace(idle, clock=idle.clock + 901_000_000)
    assert names_of(check(History([*story.calls, late]), story.database)) == set()


def test_a_change_that_no_client_asked_for_is_there_twice(story: Story) -> None:
    """It may be the same write again, or one that was refused."""
    without = [call for call in story.calls if call.number != story.taken.number]
    assert names_of(check(History(without), story.database)) == {"twice"}
    for status in (403, 503):
        assert story.names(replace(story.taken, status=status, revision=None, change=None)) == {"twice"}


def test_a_write_of_unknown_outcome_is_in_the_log_once_or_not_at_all(story: Story) -> None:
    unknown = replace(story.taken, status=503, outcome_unknown=True, revision=None, change=None, request_id="")
    assert story.names(unknown) == set()
    never = replace(unknown, number=1000)
    assert names_of(check(History([*story.calls, never]), story.database)) == set()
    again = replace(story.given, status=0, revision=None, change=None, request_id="")
    # One write of unknown outcome cannot be two changes.
    assert story.names(unknown, again) == set()
    assert story.names(replace(unknown, arguments=again.arguments, operation=again.operation), again) == {"twice"}


def test_two_writes_that_were_told_of_one_change_are_there_twice(story: Story) -> None:
    other = replace(story.taken, number=1000)
    assert names_of(check(History([*story.calls, other]), story.database)) == {"twice"}


def test_a_log_that_does_not_verify_is_a_broken_chain(story: Story, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    engine = sa.create_engine(story.database)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{copy}'")
    engine.dispose()
    tampered = sa.create_engine(f"sqlite:///{copy}")
    with tampered.begin() as connection:
        connection.exec_driver_sql(f"UPDATE changes SET digest = '{'0' * 64}' WHERE revision = 3")
    tampered.dispose()
    assert names_of(check(History(story.calls), f"sqlite:///{copy}")) == {"chain"}


# --- what the checker itself stands on --------------------------------------------------------------------------------


def test_facts_as_of_a_revision_are_the_same_from_whichever_side_it_is_reached(story: Story) -> None:
    """And they are those that hold by the intervals themselves."""
    truth = Truth(story.database)
    every = every_row(truth)
    user = truth.keys[story.cell.person.id]
    for revision in [*range(1, truth.newest + 1), *range(truth.newest, 0, -3), truth.newest]:
        found = {row["key"] for row in truth.at(revision).rows(user)}
        holding = {row["key"]: row for row in every if spec.facts_at([{**row, "expires_at": None}], revision, 0)}
        hers = {key for key, row in holding.items() if user in (row["holder"], row["thing"])}
        assert hers <= found <= holding.keys()


def test_the_facts_that_are_looked_at_decide_as_all_facts_do(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the checker leaves out, so as to be fast, bears on nothing."""
    near, whole = Truth(story.database), Truth(story.database)
    every = every_row(whole)
    monkeypatch.setattr(whole, "rows", lambda *_: every)
    asked = [call for call in story.calls if call.kind == "read"]
    for call in asked:
        revisions = range(max(1, story.given.change or 0), near.newest + 1)
        for revision in revisions:
            instant = near.log[revision].time
            expected = Answers(whole).expected(call.operation, call.arguments, revision, instant)
            assert Answers(near).expected(call.operation, call.arguments, revision, instant) == expected


def every_row(truth: Truth) -> list[dict[str, Any]]:
    return [row for rows in truth._opened.values() for row in rows]
