"""The pulse of an event loop: everybody who waits hears, by a reading that began after he came."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from rescind.engine import pulse as module
from rescind.engine.freshness import Moment
from rescind.model.errors import Unavailable
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.sql import NEWS_MAX
from rescind.usecases.organizations import found as found_organization


def test_who_goes_away_while_he_waits_takes_nobody_s_answer_with_him(database: str) -> None:
    node = build(Settings(database=database))
    moments = asyncio.run(_one_goes_away(node))
    assert [isinstance(moment, Moment) for moment in moments] == [True, False, True]
    node.decisions.pulse.close()
    node.store.close()


async def _one_goes_away(node: Node) -> list[object]:
    waiting = [asyncio.ensure_future(node.decisions.pulse.now()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    return list(await asyncio.gather(*waiting, return_exceptions=True))


@pytest.fixture
def far(make_database: Callable[[str], str]) -> Iterator[Node]:
    node = build(Settings(database=make_database("postgres")))
    yield node
    node.decisions.pulse.close()
    node.store.close()


def test_everybody_hears_of_what_was_written_before_he_asked(far: Node) -> None:
    """By this node or by another, and whoever asks at the same time."""
    other = build(Settings(database=far.settings.database))
    assert asyncio.run(_write_and_ask(far, other))
    other.decisions.pulse.close()
    other.store.close()


async def _write_and_ask(node: Node, other: Node) -> bool:
    for turn in range(20):
        written = await asyncio.to_thread(_write, (node, other)[turn % 3 > 0])
        moments = await asyncio.gather(*(node.decisions.pulse.now() for _ in range(5)))
        assert {moment.revision for moment in moments} == {written}
    return True


def _write(node: Node) -> int:
    node.service.operate("test", os.urandom(8).hex(), found_organization, name="another", type_="Personal/Team")
    return node.store.head().revision


@pytest.mark.parametrize("how", ["ended", "silent"])
def test_a_connection_that_dies_while_an_answer_is_awaited_costs_nobody_his_answer(
    far: Node, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whether the server says so, or nothing more is heard of it."""
    monkeypatch.setattr(module, "_ANSWER_SECONDS_MAX", 0.3)
    assert asyncio.run(_lose_connections(far, how)) >= 3


async def _lose_connections(node: Node, how: str) -> int:
    pulse, answered = node.decisions.pulse, 0
    await pulse.now()
    engine = sa.create_engine(node.store.engine.pool.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for _ in range(3):
            backends = connection.exec_driver_sql(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%%head.revision%%'"
                " AND pid <> pg_backend_pid()"
            ).scalars()
            stopped = list(backends)
            assert stopped
            for backend in stopped:
                os.kill(backend, signal.SIGSTOP)
            asking = asyncio.gather(*(pulse.now() for _ in range(3)))
            # The question is on its way, and the answer is not.
            await asyncio.sleep(0.1)
            assert not asking.done()
            if how == "ended":
                for backend in stopped:
                    os.kill(backend, signal.SIGTERM)
                    os.kill(backend, signal.SIGCONT)
            try:
                moments = await asyncio.wait_for(asking, 10)
            finally:
                for backend in stopped:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(backend, signal.SIGCONT)
            assert {moment.revision for moment in moments} == {node.store.head().revision}
            answered += 1
            await pulse.now()
    engine.dispose()
    return answered


def test_a_connection_that_ends_while_nobody_waits_costs_nobody_his_answer(far: Node) -> None:
    """Nor is it looked at any more: its number is soon another's."""
    assert asyncio.run(_end_idle_connections(far)) == 3


async def _end_idle_connections(node: Node) -> int:
    pulse, answered = node.decisions.pulse, 0
    for _ in range(3):
        await pulse.now()
        await asyncio.to_thread(_end_other_connections, node)
        for _ in range(500):
            if pulse._watched is None:
                break
            await asyncio.sleep(0.01)
        assert pulse._watched is None
        answered += (await pulse.now()).revision == node.store.head().revision
    return answered


def _end_other_connections(node: Node) -> None:
    engine = sa.create_engine(node.store.engine.pool.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()


def test_a_connection_that_ends_while_a_thread_reads_starts_no_second_reading(
    far: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came after it would be told what that had read before he came."""
    other = build(Settings(database=far.settings.database))
    assert asyncio.run(_end_while_catching_up(far, other, monkeypatch))
    other.decisions.pulse.close()
    other.store.close()


async def _end_while_catching_up(node: Node, other: Node, monkeypatch: pytest.MonkeyPatch) -> bool:
    pulse = node.decisions.pulse
    await pulse.now()
    for _ in range(NEWS_MAX + 1):
        # What fewer changes touched is read with the head.
        await asyncio.to_thread(_write, other)
    reading, read_on = _hold_up(monkeypatch, pulse, "_read_touched")
    first = asyncio.ensure_future(pulse.now())
    assert await asyncio.to_thread(reading.wait, 20)
    preparing, go_on = _hold_up(monkeypatch, pulse._heads, "prepare")
    backend = pulse._heads._driver.info.backend_pid
    with contextlib.closing(other.store.engine.pool.raw_connection()) as connection:
        connection.cursor().execute("SELECT pg_terminate_backend(%s)", (backend,))
    await asyncio.sleep(0.2)
    read_on.set()
    await first
    # Nothing is read now; a second reading would have been, and would be over when he who comes next has asked.
    preparing.wait(0.5)
    written = await asyncio.to_thread(_write, other)
    second = asyncio.ensure_future(pulse.now())
    await asyncio.sleep(0.1)
    go_on.set()
    return (await second).revision == written


def _hold_up(monkeypatch: pytest.MonkeyPatch, whose: object, name: str) -> tuple[threading.Event, threading.Event]:
    """Let calls of a method wait until the second event is set; the first says that one waits."""
    does, begun, may = getattr(whose, name), threading.Event(), threading.Event()

    def held(*args: object) -> object:
        begun.set()
        assert may.wait(20)
        return does(*args)

    monkeypatch.setattr(whose, name, held)
    return begun, may


def test_a_node_that_was_asked_in_one_loop_is_asked_in_another(far: Node) -> None:
    """Whether the first ended in peace or while somebody waited."""
    written = _write(far)
    for _ in range(2):
        # By a thread at first, and then by a connection that the loop before has watched.
        for _ in range(3):
            assert asyncio.run(far.decisions.pulse.now()).revision == written
        os.kill(asyncio.run(_ask_and_go(far)), signal.SIGCONT)


async def _ask_and_go(node: Node) -> int:
    asking = asyncio.ensure_future(node.decisions.pulse.now())
    # Nothing is answered before the loop ends.
    stopped = node.decisions.pulse._heads._driver.info.backend_pid
    os.kill(stopped, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(0.1, asking.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    return stopped


def test_those_who_come_back_with_more_soon_after_they_were_told_share_one_question(
    far: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(_come_back(far, monkeypatch)) == 2


async def _come_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the head is asked for by four who ask twice, each with another number of turns between."""
    pulse, asked = node.decisions.pulse, []
    await pulse.now()
    await asyncio.sleep(0.1)
    send = pulse._heads.send
    monkeypatch.setattr(pulse._heads, "send", lambda *wanted: asked.append(wanted) or send(*wanted))

    async def ask_twice(turns: int) -> None:
        await pulse.now()
        for _ in range(turns):
            await asyncio.sleep(0)
        await pulse.now()

    await asyncio.gather(*map(ask_twice, range(4)))
    return len(asked)


def test_who_waits_when_the_node_ends_is_told_so(far: Node) -> None:
    """And who comes after that, where there is no connection to ask by."""
    assert asyncio.run(_close_while_waited_for(far)) == [True] * 4


async def _close_while_waited_for(node: Node) -> list[bool]:
    await node.decisions.pulse.now()
    # Nothing is answered before the node ends.
    stopped = node.decisions.pulse._heads._driver.info.backend_pid
    os.kill(stopped, signal.SIGSTOP)
    waiting = [asyncio.ensure_future(node.decisions.pulse.now()) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert node.decisions.pulse._asked is not None
    waiting.append(asyncio.ensure_future(node.decisions.pulse.now()))
    await asyncio.sleep(0)
    node.decisions.pulse.close()
    os.kill(stopped, signal.SIGCONT)
    node.decisions.pulse._heads.close()
    waiting.append(asyncio.ensure_future(node.decisions.pulse.now()))
    return [isinstance(told, Unavailable) for told in await asyncio.gather(*waiting, return_exceptions=True)]
