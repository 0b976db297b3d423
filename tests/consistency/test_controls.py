"""Negative controls: every planted bug is caught by the checker, and without it the same calls show nothing."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consistency.checker import Violation, check
from consistency.cluster import Cluster
from consistency.faults import NOT_TESTED
from consistency.launcher import COMMAND
from consistency.planted import BUGS, Bug
from consistency.schedules import CONTROLS, Kind, Scene
from nursery import Nursery

CAUGHT_SECONDS_MAX = 15
BUGS_MIN = 15

Open = Callable[[Kind, str | None], Cluster]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Nursery]:
    made = Nursery(COMMAND)
    yield made
    made.close()


@pytest.fixture(scope="module")
def open_cluster(
    launcher: Nursery, make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Open:
    """A cluster on an initialised database, whose nodes have a bug if one is named."""

    def opened(kind: Kind, bug: str | None) -> Cluster:
        folder, database = tmp_path_factory.mktemp("cluster"), make_database(kind.database)
        return Cluster(kind.database, kind.nodes, kind.workers, folder, bug=bug, database=database, launcher=launcher)

    return opened


@pytest.fixture(scope="module")
def sound(open_cluster: Open) -> Iterator[Callable[[Kind], Cluster]]:
    """A cluster of each kind without a bug, for all schedules one after the other."""
    running: dict[Kind, Cluster] = {}

    def of(kind: Kind) -> Cluster:
        if kind not in running:
            running[kind] = open_cluster(kind, None).__enter__()
        return running[kind]

    yield of
    for cluster in running.values():
        cluster.close()


def found_on(cluster: Cluster, bug: str) -> list[Violation]:
    """What the checker finds after the schedule of a bug was played once."""
    scene = Scene(cluster)
    try:
        CONTROLS[bug][1](scene)
    finally:
        scene.close()
    return check(scene.history, cluster.database)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught_as_what_it_is(bug: str, open_cluster: Open) -> None:
    kind, _, violation = CONTROLS[bug]
    with open_cluster(kind, bug) as cluster:
        deadline = time.monotonic() + CAUGHT_SECONDS_MAX
        found: list[Violation] = []
        # Where it takes two at once it may take more than one try.
        while not found and time.monotonic() < deadline:
            found = found_on(cluster, bug)
        assert violation in {one.name for one in found}, [str(one) for one in found]


@pytest.mark.parametrize("bug", BUGS)
def test_the_same_calls_without_the_bug_show_nothing(bug: str, sound: Callable[[Kind], Cluster]) -> None:
    assert [str(one) for one in found_on(sound(CONTROLS[bug][0]), bug)] == []


def test_every_bug_has_its_control_and_replaces_what_is_there() -> None:
    assert BUGS.keys() == CONTROLS.keys()
    assert len(BUGS) >= BUGS_MIN
    for bug in BUGS.values():
        bug.check()


@pytest.mark.parametrize("place", ["rescind.engine.kept:Touches.no_more", "rescind.engine.no_more:x"])
def test_a_bug_whose_place_is_gone_is_an_error_and_no_sound_node(place: str) -> None:
    with pytest.raises((LookupError, ImportError)):
        Bug("lost", place, BUGS["skip_one_revalidation"].replacement).check()


def test_a_bug_whose_place_takes_something_else_is_an_error() -> None:
    bug = BUGS["skip_one_revalidation"]
    with pytest.raises(TypeError, match="takes"):
        Bug("changed", "rescind.engine.kept:Touches.advance", bug.replacement).check()


def test_a_node_whose_bug_nobody_knows_does_not_start(open_cluster: Open) -> None:
    with pytest.raises(AssertionError, match="did not start"), open_cluster(Kind("sqlite", nodes=1), "no such bug"):
        pass


def test_the_page_says_of_every_planted_bug_what_it_is_found_as() -> None:
    said = (Path(__file__).parents[2] / "docs" / "consistency.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| `(\w+)` \|$", said, re.MULTILINE)
    assert dict(rows) == {name.replace("_", " "): violation for name, (_, _, violation) in CONTROLS.items()}


def test_the_page_names_what_is_not_tested() -> None:
    said = (Path(__file__).parents[2] / "docs" / "consistency.md").read_text()
    assert [one for one in NOT_TESTED if f"- {one}\n" not in said] == []
