"""What the real service answered to real clients, ours answers too."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from api.auth0.recordings import FOLDER, Exchange, Replay, recorded
from tenant import Tenant

ABSENT = pytest.mark.skip(reason="the recordings are not here: RESCIND_FIXTURES may name their folder")
FILES = sorted(FOLDER.glob("*.yaml"))
ROLE, OUR_ROLE = "rol_AAAAAAAAAAAAAAAA", "rol_BBBBBBBBBBBBBBBB"
USER, OUR_USER = "auth0|" + "a" * 24, "auth0|" + "b" * 24
NOON = "2026-01-01T12:00:00.000Z"
EVENING = "2026-01-01T18:00:00.000Z"


@pytest.mark.parametrize(
    "path", FILES or [pytest.param(Path("none"), marks=ABSENT)], ids=lambda path: path.stem if path else None
)
def test_a_recorded_client_is_answered_as_the_real_service_answered_it(small_tenant: Tenant, path: Path) -> None:
    replay = Replay(small_tenant, recorded(path)).run()
    assert replay.sent, replay.skipped
    shown = "\n".join(replay.differences[:40])
    assert not replay.differences, (
        f"{len(replay.differences)} differences in {replay.sent} exchanges, skipped {dict(replay.skipped)}:\n{shown}"
    )


# --- the comparison itself ------------------------------------------------------------------------------------------

SAME: dict[str, tuple[Any, Any]] = {
    "equal": ({"a": [1, "x", True]}, {"a": [1, "x", True]}),
    "another key beside": ({"a": 1}, {"a": 1, "b": 2}),
    "null is absent": ({"a": None}, {}),
    "an id of ours": ({"id": ROLE, "other": ROLE}, {"id": OUR_ROLE, "other": OUR_ROLE}),
    "half an id of ours": ([USER, USER[6:]], [OUR_USER, OUR_USER[6:]]),
    "another time": ({"created_at": NOON}, {"created_at": EVENING}),
    "another picture": ({"picture": "https://a/b"}, {"picture": "https://c/d"}),
    "a cursor": ({"next": "x"}, {"next": "y"}),
    "a cursor to nowhere": ({"next": "x"}, {}),
}
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "value": ({"a": 1}, {"a": 2}),
    "number for truth": ({"a": True}, {"a": 1}),
    "missing key": ({"a": ""}, {}),
    "null for empty": ({"a": ""}, {"a": None}),
    "something for null": ({"a": None}, {"a": 1}),
    "shorter list": ([1, 2], [1]),
    "longer list": ([], [1]),
    "another order": (["a", "b"], ["b", "a"]),
    "an id that changes": ([ROLE, ROLE], [OUR_ROLE, ROLE]),
    "one id for two": ([ROLE, "rol_CCCCCCCCCCCCCCCC"], [OUR_ROLE, OUR_ROLE]),
    "an id of another kind": ([ROLE], ["org_BBBBBBBBBBBBBBBB"]),
    "a chosen id": (["auth0|chosen"], [OUR_USER]),
    "no time": ({"created_at": NOON}, {"created_at": "today"}),
    "an empty secret": ({"client_secret": "x"}, {"client_secret": ""}),
    "a cursor too many": ({"members": []}, {"members": [], "next": "x"}),
    "another shape": ({"a": {}}, {"a": []}),
}


@pytest.mark.parametrize(("theirs", "ours"), SAME.values(), ids=SAME)
def test_what_no_client_can_tell_apart_is_no_difference(theirs: Any, ours: Any) -> None:
    assert not differences(theirs, ours)


@pytest.mark.parametrize(("theirs", "ours"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_a_client_could_notice_is_a_difference(theirs: Any, ours: Any) -> None:
    assert differences(theirs, ours)


def test_a_cursor_is_missed_where_the_recording_goes_on() -> None:
    pages = [("?take=1", {"members": [1], "next": "x"}), ("?take=1&from=x", {"members": [2]})]
    exchanges = [exchange(number, query, answer) for number, (query, answer) in enumerate(pages)]
    replay = Replay(Tenant(None), exchanges)  # type: ignore[arg-type]
    assert list(replay.compare(pages[0][1], {"members": [1]}, exchanges[0]))


def differences(theirs: Any, ours: Any) -> list[str]:
    """What the comparison says of two answers to the same request."""
    asked = exchange(0, "?take=1", theirs)
    return list(Replay(Tenant(None), [asked]).compare(theirs, ours, asked))  # type: ignore[arg-type]


def exchange(number: int, query: str, answer: Any) -> Exchange:
    """A recorded reading of members."""
    return Exchange(number, "GET", f"/api/v2/organizations/o/members{query}", "", "", 200, json.dumps(answer))


def test_every_recorded_exchange_is_of_the_contract_or_counted() -> None:
    known = list(itertools.chain.from_iterable(map(recorded, FILES)))
    assert sum(one.is_ours for one in known) >= len(known) * 0.9
