"""Classes of texts and resources, held against trying everything that is short."""

import itertools
import os
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rescind.decision.classes import resource_classes, text_classes
from rescind.decision.cover import TooMuchWork
from rescind.decision.match import matches, matches_resource
from rescind.model.literals import literal

OTHER = "z"
"""A letter of no pattern here, and a type: what is true of it is true of all others."""


def words(letters, longest):
    return ["".join(word) for length in range(longest + 1) for word in itertools.product(letters, repeat=length)]


def sets_of(patterns, most=5):
    return st.lists(patterns, max_size=most)


def covering(patterns, text):
    return frozenset(pattern for pattern in patterns if matches(pattern, literal(text)))


def covering_resource(patterns, kind, identifier):
    return frozenset(pattern for pattern in patterns if matches_resource(pattern, kind, literal(identifier)))


def assert_classes_of(patterns, every_text, longest):
    found = text_classes(patterns)

    shortest = {}
    for text in filter(None, every_text):
        shortest.setdefault(covering(patterns, text), len(text))
    assert all(one.matched == covering(patterns, one.witness) for one in found)
    assert len({one.matched for one in found}) == len(found)
    assert {one.matched: len(one.witness) for one in found if len(one.witness) <= longest} == shortest


PLAIN = words("ab" + OTHER, 7)
SPELLED = words("a*" + OTHER, 6)
MARKED = words("a*\x01\x02\x03" + OTHER, 4)


@given(sets_of(st.text("ab*", max_size=5)))
@example(["a*", "*a", "a*a"])  # "a" is alone in its class
@example(["*ab*", "*ba*", "*aa*", "*bb*"])
@example(["**", "*", "a**b", "a*b"])
def test_the_classes_are_those_that_trying_finds(patterns):
    """Each set of patterns that cover some text, and no other, has one class, with a shortest text of it."""
    assert_classes_of(patterns, PLAIN, 7)


@given(sets_of(st.one_of(st.text("a*", max_size=4), st.text("a*", max_size=4).map(literal))))
def test_literals_are_told_apart_as_decisions_do(patterns):
    """A star in a literal is a letter of requests, and the witness has it as a request would."""
    assert_classes_of(patterns, SPELLED, 6)


@given(sets_of(st.text("a*\x01\x02\x03", max_size=4), most=4))
@example(["*\x02", "\x02"])  # only the mark, which is spelled "\x01\x02", is in the class of the first alone
def test_no_spelling_is_too_odd(patterns):
    """Even patterns that nobody can write, with marks of spellings in any place, have the right classes."""
    assert_classes_of(patterns, MARKED, 4)


resource_patterns = st.one_of(
    st.just("*"),
    st.builds("{}:{}".format, st.sampled_from("st"), st.text("a*:", max_size=3)),
    st.builds("{}:{}".format, st.sampled_from("st"), st.text("a*", min_size=1, max_size=2).map(literal)),
    st.text("a", min_size=1, max_size=2),
    st.text("sa*:", max_size=4),
)
IDS = words("sa:*" + OTHER, 4)


@given(sets_of(resource_patterns))
@example(["*", "s:*", "s:**", "a", "s:a", "t:a*"])
@example([":a", "a*", "s:", ""])
def test_the_classes_of_resources_are_those_that_trying_finds(patterns):
    """Every type that a pattern names, any other one, and every id, the empty one too, are in a class."""
    found = resource_classes(patterns)

    kinds = {pattern.partition(":")[0] for pattern in patterns if ":" in pattern} - {""}
    shortest = {}
    for identifier, kind in itertools.product(IDS, [*kinds, OTHER]):
        shortest.setdefault(covering_resource(patterns, kind, identifier), len(identifier))
    assert all(one.resource_type and ":" not in one.resource_type for one in found)
    assert all(one.matched == covering_resource(patterns, one.resource_type, one.resource_id) for one in found)
    assert len({one.matched for one in found}) == len(found)
    assert {one.matched: len(one.resource_id) for one in found if len(one.resource_id) <= 4} == shortest


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], [("a", [])]),
        (["*"], [("a", ["*"])]),
        (["a"], [("b", []), ("a", ["a"])]),
        ([""], [("a", [])]),
        (["a", "a"], [("b", []), ("a", ["a"])]),
        (["disk.Read", "disk.*"], [("b", []), ("disk.", ["disk.*"]), ("disk.Read", ["disk.*", "disk.Read"])]),
        ([literal("x*")], [("a", []), ("x*", [literal("x*")])]),
        (["*", literal("*")], [("a", ["*"]), ("*", [literal("*"), "*"])]),
        (["\x01"], [("a", [])]),
        (["Ä*"], [("a", []), ("Ä", ["Ä*"])]),
    ],
)
def test_texts(patterns, expected):
    """Witnesses are short and readable; a pattern that covers no text is in no class."""
    assert [(one.witness, sorted(one.matched)) for one in text_classes(patterns)] == expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], [("other", "", [])]),
        (["*"], [("other", "", ["*"])]),
        (["disk:*"], [("disk", "", ["disk:*"]), ("other", "", [])]),
        (["*", "disk:d1"], [("disk", "", ["*"]), ("disk", "d1", ["*", "disk:d1"])]),
        (["d1"], [("other", "", []), ("other", "d1", ["d1"])]),
        (
            ["disk:*", "disk:d*", "d1"],
            [
                ("disk", "", ["disk:*"]),
                ("other", "", []),
                ("disk", "d", ["disk:*", "disk:d*"]),
                ("disk", "d1", ["d1", "disk:*", "disk:d*"]),
                ("other", "d1", ["d1"]),
            ],
        ),
        (["other:*"], [("other", "", ["other:*"]), ("other1", "", [])]),
        ([f"disk:{literal('d*')}"], [("disk", "", []), ("disk", "d*", [f"disk:{literal('d*')}"])]),
    ],
)
def test_resources(patterns, expected):
    """A call without a target is a resource; a class that reaches over types is one entry."""
    found = [(one.resource_type, one.resource_id, sorted(one.matched)) for one in resource_classes(patterns)]

    assert found == expected


@given(sets_of(resource_patterns), st.randoms(use_true_random=False))
def test_the_order_of_the_patterns_says_nothing(patterns, chance):
    """The same patterns in another order, or twice, give the same lists."""
    shuffled = patterns * 2
    chance.shuffle(shuffled)

    assert text_classes(iter(shuffled)) == text_classes(patterns)
    assert resource_classes(iter(shuffled)) == resource_classes(patterns)


def test_every_process_finds_the_same():
    """Nothing depends on the seed of a process's hashes."""
    program = (
        "from rescind.decision.classes import *\n"
        "patterns = ['s:*', 't:a*', 's:*b', 'abc', 'abd', '*', 'u:*x*', 'v:y']\n"
        "print([one.witness for one in text_classes(patterns)])\n"
        "print([(one.resource_type, one.resource_id) for one in resource_classes(patterns)])\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "123"
    }
    assert len(said) == 1


@given(st.lists(st.characters(categories=["L", "N", "P", "S"], exclude_characters="*"), max_size=60))
@example(list("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_what_no_pattern_names_is_said_readably(letters):
    """A text of no pattern is one letter or digit that no pattern has."""
    (nothing,) = [one.witness for one in text_classes([f"{letter}*" for letter in letters]) if not one.matched]

    assert len(nothing) == 1
    assert nothing.isalnum()
    assert nothing.isprintable()
    assert nothing not in letters


HOSTILE = {
    "more classes than can be told": [f"*{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz"],
    "a long pattern": ["ab" * 50_000 + "*"],
    "a very long literal": ["a" * 1_000_000],
    "stars beyond counting": ["*a" * one + "*b" * other + "*" for one in range(20) for other in range(20)],
    "many patterns that begin anywhere": [f"*{number}x" * 3 for number in range(5000)],
}


@pytest.mark.parametrize("patterns", HOSTILE.values(), ids=HOSTILE)
def test_too_much_work_is_refused(patterns):
    """What would take too long, or too much memory, ends."""
    with pytest.raises(TooMuchWork):
        text_classes(patterns)
    with pytest.raises(TooMuchWork):
        resource_classes([f"disk:{pattern}" for pattern in patterns])


def test_reading_and_searching_count():
    """A pattern costs for being read, and its texts for being searched."""
    long = ["a" * 200]

    assert len(text_classes(long, work_max=10_000)) == 2
    with pytest.raises(TooMuchWork):
        text_classes(long, work_max=5000)


def test_all_types_share_one_budget():
    """Many types of little work each are much work."""
    patterns = [f"{kind}:{identifier}*" for kind in "abcdefgh" for identifier in ("x", "yy", "zzz")]

    assert resource_classes(patterns, work_max=10_000)
    assert resource_classes(patterns[:3], work_max=1000)
    with pytest.raises(TooMuchWork):
        resource_classes(patterns, work_max=1000)


def test_patterns_with_all_letters_are_refused():
    """Where no letter is left to stand for the others, no witness is made up."""
    everything = "".join(filter(str.isalnum, map(chr, range(sys.maxunicode))))

    with pytest.raises(TooMuchWork):
        text_classes([everything], work_max=10**12)
