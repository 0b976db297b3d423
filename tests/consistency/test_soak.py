"""A minute under faults on each database: nobody is allowed what was taken, whichever node he asks."""

import os
import random
from pathlib import Path

import pytest

from consistency.soak import Soak, run

SECONDS = float(os.environ.get("SOAK_SECONDS") or 60)
REVOKES_A_SECOND = {"postgres": 12, "sqlite": 22}
"""Acknowledged ones, each followed by an aimed reading on every node: a minute on each makes two thousand."""


@pytest.mark.parametrize(("kind", "nodes", "workers"), [("postgres", 2, 2), ("sqlite", 1, 4)])
def test_no_answer_under_faults_is_from_before_what_was_acknowledged(
    kind: str, nodes: int, workers: int, tmp_path: Path
) -> None:
    """Every answer is the specification's at the revision that it names, and every revoke was looked at everywhere."""
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(2**32))
    print(f"SOAK_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    revokes_min = int(SECONDS * REVOKES_A_SECOND[kind])
    keep = tmp_path / "history.jsonl"
    soak = run(kind, SECONDS, seed, nodes=nodes, workers=workers, revokes_min=revokes_min, keep=keep)
    print(soak.report())  # noqa: T201 - the same
    assert soak.violations == [], soak.report()
    assert soak.seen_everywhere >= revokes_min, soak.report()
    assert_worth_something(soak)


def assert_worth_something(soak: Soak) -> None:
    """There was enough to see, and it was looked at."""
    assert soak.faults, soak.report()
    assert len(soak.aimed) >= len(soak.reads) / 2, soak.report()
    read = {call.operation for call in soak.reads}
    assert {"evaluation", "evaluations", "search", "explanation", "roles", "tenant roles"} <= read, read
    assert {"introspection", "own key", "own session", "own token"} <= read, read


def test_a_bug_that_is_planted_is_found_at_random_too() -> None:
    """Here one that takes what is kept for fresh, without a schedule and within seconds."""
    soak = run("sqlite", 4, 1, nodes=1, workers=2, with_faults=False, bug="compare_revisions_the_wrong_way")
    assert {"wrong"} <= {violation.name for violation in soak.violations}, soak.report()
    assert soak.report().splitlines()[-1].endswith(f"violations={len(soak.violations)}")
