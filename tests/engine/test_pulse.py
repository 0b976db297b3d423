"""The pulse of an event loop: everybody who waits hears, by a reading that began after he came."""

import asyncio

from rescind.app import Node, build
from rescind.engine.freshness import Moment
from rescind.settings import Settings


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
