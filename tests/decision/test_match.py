"""Patterns."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescind.decision.match import (
    contains,
    contains_resource,
    matches,
    matches_resource,
    overlaps,
    overlaps_resource,
)

patterns = st.text("ab*", max_size=6)
texts = st.text("ab*", max_size=8)
resources = st.one_of(
    st.just("*"),
    st.builds("{}:{}".format, st.sampled_from("st"), st.text("ab*", min_size=1, max_size=4)),
    st.text("ab", min_size=1, max_size=3),
)
resource_ids = st.text("ab:", max_size=4)


def as_regex(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


@given(patterns, texts)
def test_a_pattern_covers_what_its_regular_expression_covers(pattern: str, text: str) -> None:
    """`*` is any run of characters; everything else means itself."""
    assert matches(pattern, text) == as_regex(pattern, text)


WORDS = ["".join(letters) for length in range(6) for letters in itertools.product("abz", repeat=length)]


@given(st.text("ab*", max_size=4), st.text("ab*", max_size=4))
def test_containment_and_overlap_are_what_they_mean_for_every_word(one: str, other: str) -> None:
    """`contains` and `overlaps` agree with trying all words up to five letters, one letter foreign to both."""
    covered, also = {word for word in WORDS if matches(one, word)}, {word for word in WORDS if matches(other, word)}

    # Words of this length decide patterns of this length.
    assert contains(one, other) == (also <= covered)
    if len(one.replace("*", "")) + len(other.replace("*", "")) <= 5:
        assert overlaps(one, other) == bool(covered & also)


@given(patterns, patterns)
def test_overlap_has_no_sides(one: str, other: str) -> None:
    """What two patterns have in common does not depend on which is asked."""
    assert overlaps(one, other) == overlaps(other, one)
    assert contains(one, one)
    assert not contains(one, other) or overlaps(one, other)


@given(resources, resources, st.sampled_from("st"), resource_ids)
def test_resource_patterns_contain_and_overlap_soundly(one: str, other: str, kind: str, identifier: str) -> None:
    """A resource under both is in their overlap, and one under the narrow is under the wide."""
    under_one, under_other = matches_resource(one, kind, identifier), matches_resource(other, kind, identifier)

    assert not (under_one and under_other) or overlaps_resource(one, other)
    assert not (contains_resource(one, other) and under_other) or under_one


@pytest.mark.parametrize(
    ("pattern", "kind", "identifier", "covered"),
    [
        ("*", "disk", "d1", True),
        ("*", "disk", "", True),
        ("disk:*", "disk", "d1", True),
        ("disk:*", "disk", "", True),
        ("disk:*", "diskette", "d1", False),
        ("disk:d1", "disk", "d1", True),
        ("disk:d1", "disk", "D1", False),
        ("disk:d1", "disk", "", False),
        ("disk:d*", "disk", "d1", True),
        ("disk:*1", "disk", "d1", True),
        ("disk:**", "disk", "", False),
        ("disk:a:b", "disk", "a:b", True),
        ("d1", "disk", "d1", True),
        ("d1", "anything", "d1", True),
        ("d1", "disk", "d11", False),
        ("d1", "disk", "", False),
    ],
)
def test_resource_pattern(pattern: str, kind: str, identifier: str, covered: bool) -> None:
    """A call without a target is covered by `*` and `type:*` alone; a bare id means that id of any type."""
    assert matches_resource(pattern, kind, identifier) is covered


def test_no_pattern_makes_matching_slow() -> None:
    """Matching is linear, containment and overlap bilinear: long hostile patterns end at once."""
    hostile = "a*" * 2000 + "b"

    assert not matches(hostile, "a" * 100_000)
    assert not contains(hostile, "a*" * 2000)
    assert overlaps("a*" * 300, "*a" * 300)
