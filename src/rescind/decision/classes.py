"""Classes: the texts, and the resources, that a set of patterns cannot tell apart.

Finitely many patterns part all that requests can say into finitely many classes, each covered by exactly the same
patterns. One witness of each class says what the patterns say of all of it.

A witness is what a request would say. It is covered as decisions cover it, spelled as a literal: `matched` holds
exactly the patterns for which `matches(pattern, literal(witness))`, so a `*` in a witness is a letter.
"""

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count

from rescind.decision.cover import TooMuchWork
from rescind.model.literals import literal, spoken

WORK_MAX = 5_000_000
"""Steps of the search, at most: about a second, and a hundred megabytes."""

# The letters that literals spell with others: patterns may have the others alone.
_SPELLED = frozenset("*\x01")
_DEAD, _ROOT = 0, 1


@dataclass(frozen=True, slots=True)
class TextClass:
    """The texts that exactly the patterns `matched` cover; `witness` is a shortest of them."""

    witness: str
    matched: frozenset[str]


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """The resources that exactly the patterns `matched` cover, and one of them, with a shortest id."""

    resource_type: str
    resource_id: str
    matched: frozenset[str]


def text_classes(patterns: Iterable[str], *, work_max: int = WORK_MAX) -> list[TextClass]:
    """Every class of non-empty texts that is not empty, also that of the texts which no pattern covers.

    In the order of their witnesses' lengths; neither order nor witnesses depend on the order of `patterns`. Raises
    `TooMuchWork` if finding them takes more than `work_max` steps: there can be exponentially many.
    """
    return _text_classes(frozenset(patterns), _Budget(work_max))


def resource_classes(
    patterns: Iterable[str], *, apart: Iterable[str] = (), work_max: int = WORK_MAX
) -> list[ResourceClass]:
    """Every class of resources that is not empty, also that of the resources which no pattern covers.

    Resources have a type, non-empty and without a colon, and an id, which is empty for a call without a target. A
    class is one entry, though it may reach over several types; its witness is of a type that patterns name, where
    one has an id as short. The types `apart` have classes of their own, for they have rules of their own. In the
    order of the witnesses' ids' lengths; neither order nor witnesses depend on the
    order of `patterns`. Raises `TooMuchWork` like `text_classes`.
    """
    patterns, budget = frozenset(patterns), _Budget(work_max)
    everything = patterns & {"*"}
    bare: set[str] = set()
    by_type: dict[str, set[str]] = {}
    for pattern in patterns - everything:
        kind, colon, rest = pattern.partition(":")
        if kind and colon:
            by_type.setdefault(kind, set()).add(rest)
        elif not colon and "*" not in pattern:  # a literal has no star, so a bare id with one covers nothing
            bare.add(pattern)
    fresh = next(name for number in count() if (name := f"other{number or ''}") not in by_type)

    found: list[ResourceClass] = []
    apart = frozenset(apart)
    for kind in (*sorted(by_type.keys() | apart), fresh):
        rests = by_type.get(kind, set())
        # The empty id lies outside of what its patterns say as texts: `*` alone covers it.
        found.append(ResourceClass(kind, "", everything | {f"{kind}:{rest}" for rest in rests & {"*"}}))
        for ids in _text_classes(frozenset(rests | bare), budget):
            covering = {f"{kind}:{rest}" for rest in ids.matched & rests}
            found.append(ResourceClass(kind, ids.witness, everything | covering | (ids.matched & bare)))

    found.sort(key=lambda one: len(one.resource_id))
    first: dict[tuple[str, frozenset[str]], ResourceClass] = {}
    for one in found:
        first.setdefault((one.resource_type if one.resource_type in apart else "", one.matched), one)
    return list(first.values())


class _Budget:
    """The steps that may still be taken; counted before they are."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise TooMuchWork


def _text_classes(patterns: frozenset[str], budget: _Budget) -> list[TextClass]:
    """Breadth first through the states that all patterns together can be in, so shortest witnesses come first."""
    starred = sorted(pattern for pattern in patterns if "*" in pattern)
    width = sum(map(len, starred))
    # Big numbers are slower, and larger in memory.
    weight = 1 + width // 2048
    budget.spend(16 * sum(map(len, patterns)) + width * weight)
    letters = sorted(_SPELLED.union(*patterns))
    fresh = _fresh_letter(letters)
    globs, words = _Globs(starred, letters, budget, weight), _Words(sorted(patterns.difference(starred)))

    # The start is not seen yet: only what a non-empty text leads to is. Lists grow while they are gone through.
    states = [(globs.start, _ROOT)]
    came_by = [(0, "")]
    seen: set[tuple[int, int]] = set()
    classes: dict[tuple[int, str | None], int] = {}
    for origin, (state, node) in enumerate(states):
        # All other letters do what the fresh one does.
        heard = dict.fromkeys((fresh, *words.heard(node), *globs.heard(state)))
        budget.spend((8 + 4 * len(heard)) * weight)
        for letter in heard:
            reached = globs.after(state, letter), words.after(node, letter)
            if reached not in seen:
                seen.add(reached)
                classes.setdefault((globs.complete(reached[0]), words.complete(reached[1])), len(states))
                states.append(reached)
                came_by.append((origin, letter))

    found = []
    for (complete, word), index in classes.items():
        budget.spend(4 * complete.bit_count())
        matched = frozenset(globs.patterns(complete)) | ({word} if word is not None else set())
        found.append(TextClass(_witness(came_by, index), matched))
    return found


def _witness(came_by: list[tuple[int, str]], index: int) -> str:
    """The text that led from the start to the state of that index."""
    letters = []
    while index:
        index, letter = came_by[index]
        letters.append(letter)
    return "".join(reversed(letters))


def _fresh_letter(letters: Iterable[str]) -> str:
    """A letter or digit that is none of `letters`: readable, and fit to be sent."""
    taken = set(letters)
    candidates = chain(string.ascii_lowercase, string.digits, string.ascii_uppercase, map(chr, range(0xC0, 0x110000)))
    for letter in candidates:
        if letter.isalnum() and letter not in taken:
            return letter
    raise TooMuchWork  # patterns with all letters of all scripts


class _Words:
    """The patterns without stars, as a tree: each covers one text, and a state is one node."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._children: list[dict[str, int]] = [{}, {}]
        self._ends: dict[int, str] = {}
        for pattern in patterns:
            text = spoken(pattern)
            if literal(text) != pattern:
                continue  # no text is spelled like that
            node = _ROOT
            for letter in text:
                child = self._children[node].get(letter)
                if child is None:
                    child = self._children[node][letter] = len(self._children)
                    self._children.append({})
                node = child
            self._ends[node] = pattern

    def heard(self, node: int) -> Iterable[str]:
        """The letters that lead on from the node."""
        return self._children[node]

    def after(self, node: int, letter: str) -> int:
        return self._children[node].get(letter, _DEAD)

    def complete(self, node: int) -> str | None:
        return self._ends.get(node)


class _Globs:
    """The patterns with stars, all at once in one number: each has its bits, with the meaning of `conditions.Pattern`.

    Once a pattern is matched up to a star, what was matched up to earlier ones can add nothing, and is dropped: fewer
    states mean the same.
    """

    def __init__(self, patterns: Iterable[str], letters: Iterable[str], budget: _Budget, weight: int) -> None:
        self.start = self._stays = self._ends = 0
        self._moves: dict[str, int] = {}
        self._earlier: dict[int, int] = {}
        self._pattern: dict[int, str] = {}
        bit = 1
        for pattern in patterns:
            first = bit
            self.start |= first
            for character in pattern:
                if character == "*":
                    self._stays |= bit
                    self._earlier[bit] = bit - first
                else:
                    self._moves[character] = self._moves.get(character, 0) | bit
                    bit <<= 1
            self._ends |= bit
            self._pattern[bit] = pattern
            bit <<= 1
        self._moving = 0
        self._moved_by: dict[str, int] = {}
        for letter in letters:
            moved = 0
            for character in literal(letter):
                moved |= self._moves.get(character, 0)
            if moved:
                self._moved_by[letter] = moved
                self._moving |= moved
        self._heard: dict[int, tuple[str, ...]] = {}
        self._budget, self._weight = budget, weight

    def heard(self, state: int) -> tuple[str, ...]:
        """The letters that move something in the state; sorted."""
        moving = state & self._moving
        heard = self._heard.get(moving)
        if heard is None:
            self._budget.spend(len(self._moved_by) * self._weight)
            heard = self._heard[moving] = tuple(letter for letter, moved in self._moved_by.items() if moving & moved)
        return heard

    def after(self, state: int, letter: str) -> int:
        for character in literal(letter):
            moved = (state & self._moves.get(character, 0)) << 1
            state = state & self._stays | moved
            arrived = moved & self._stays
            while arrived:
                self._budget.spend(2 * self._weight)
                star = arrived & -arrived
                state &= ~self._earlier[star]
                arrived ^= star
        return state

    def complete(self, state: int) -> int:
        """The bits of the patterns that are matched."""
        return state & self._ends

    def patterns(self, complete: int) -> Iterator[str]:
        while complete:
            bit = complete & -complete
            yield self._pattern[bit]
            complete ^= bit
