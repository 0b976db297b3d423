"""Cuts: held against every subset of edges, and against the specification, which is asked what is left without them."""

import itertools
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import spec
from decision.test_decide import API_ACTIONS, on_apis, requests, worlds, worlds_with_apis
from decision.worlds import Row, decide_rows, place
from rescind.decision.cut import SIZE_MAX, smallest_cut
from rescind.model.facts import Fact, FactKind

EDGES = [Fact(FactKind.POLICY_ATTACHMENT, holder, thing, 9) for holder in (1, 2, 3) for thing in (4, 5, 6)]
Edges = Collection[Fact]

paths_of_edges = st.lists(
    st.lists(st.sampled_from(EDGES), min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=8
)


def cuts_all(edges: Edges, paths: Collection[Edges]) -> bool:
    return all(set(path) & set(edges) for path in paths)


def smallest_size(paths: Collection[Edges]) -> int:
    """By trying every subset, the small ones first."""
    edges = sorted({edge for path in paths for edge in path}, key=lambda edge: edge.place)
    sizes = range(len(edges) + 1)
    return next(size for size in sizes if any(cuts_all(one, paths) for one in itertools.combinations(edges, size)))


@settings(max_examples=150)
@given(paths_of_edges)
def test_a_cut_meets_every_path_and_no_smaller_set_does(paths: list[tuple[Fact, ...]]) -> None:
    cut = smallest_cut(paths)

    assert cuts_all(cut, paths)
    assert len(cut) == len(set(cut)) == smallest_size(paths)


@given(paths_of_edges, st.randoms(use_true_random=False))
def test_the_order_of_the_paths_changes_nothing(paths: list[tuple[Fact, ...]], chance: Any) -> None:
    turned = [*paths]
    chance.shuffle(turned)
    assert smallest_cut(turned) == smallest_cut(paths)


one, two, three = EDGES[:3]
CASES: dict[str, tuple[list[tuple[Fact, ...]], list[Fact]]] = {
    "nothing to cut": ([], []),
    "a path without edges cannot be cut": ([(one,), ()], []),
    "one edge": ([(one,)], [one]),
    "the same path twice": ([(one,), (one,)], [one]),
    "the edge that both have": ([(one, two), (two, three)], [two]),
    "a path that goes on from another": ([(one,), (one, two)], [one]),
    "two ways with nothing in common": ([(one,), (two,)], [one, two]),
    "a triangle": ([(one, two), (two, three), (one, three)], [one, two]),
}


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    paths, expected = CASES[case]
    assert smallest_cut(paths) == expected


@pytest.mark.parametrize("count", [SIZE_MAX, SIZE_MAX + 1, 3 * SIZE_MAX])
def test_a_large_cut_meets_every_path_too(count: int) -> None:
    """Where each path needs an edge of its own, there is no smaller one however large it is."""
    paths = [
        (Fact(FactKind.GROUP_MEMBERSHIP, 1, key, 9), Fact(FactKind.ROLE_ATTACHMENT, key, 1, 9))
        for key in range(10, 10 + count)
    ]
    cut = smallest_cut(paths)
    assert cuts_all(cut, paths)
    assert len(cut) == count


def asked_of(user: int, organization: int | None, request: Row) -> Row:
    return {**request, "user": user, "organization": organization}


def without(rows: list[Row], edges: Edges) -> list[Row]:
    places = {place(edge) for edge in edges}
    return [row for row in rows if spec.place(row) not in places]


def agree(rows: list[Row], asked: Row, revision: int, instant: int) -> None:
    """The specification denies without the edges of the cut, and allows without any smaller set."""
    decision = decide_rows(rows, asked, revision, instant)
    paths = [ground.path for ground in decision.because]
    assume(decision.allowed and all(paths) and paths)
    cut = smallest_cut(paths)

    assert cut
    assert not spec.decide(without(rows, cut), asked, revision, instant).allowed
    edges = {edge for path in paths for edge in path}
    for size in range(len(cut)):
        for fewer in itertools.combinations(edges, size):
            assert spec.decide(without(rows, fewer), asked, revision, instant).allowed, fewer


revisions, instants = st.integers(1, 7), st.sampled_from([10, 60, 100])


@settings(max_examples=40)
@given(worlds(), requests, revisions, instants)
def test_the_specification_denies_without_the_cut_and_allows_without_less(
    rows: list[Row], request: Row, revision: int, instant: int
) -> None:
    agree(rows, asked_of(1, 11, request), revision, instant)


@settings(max_examples=40)
@given(worlds_with_apis(), on_apis, st.sampled_from([(1, 11), (1, None), (81, None)]), st.sampled_from(API_ACTIONS))
def test_the_same_is_so_of_registered_apis(
    rows: list[Row], request: Row, principal: tuple[int, int | None], action: str
) -> None:
    agree(rows, {**asked_of(*principal, request), "action": action}, 7, 10)
