"""Cuts: a smallest set of edges without which nothing that is allowed now would be."""

from collections.abc import Collection, Sequence

from rescind.decision.snapshot import Path
from rescind.model.facts import Fact

SIZE_MAX = 8
"""Up to here the set is a smallest one; a larger one is merely small."""


def smallest_cut(paths: Collection[Path]) -> list[Fact]:
    """Edges of which every path has one, as few as there can be. A path without edges cannot be cut: then none."""
    wanted = list(dict.fromkeys(frozenset(path) for path in paths))
    if not wanted or not all(wanted):
        return []
    # A path that holds another one is cut with that.
    least = [one for one in wanted if not any(other < one for other in wanted)]
    least.sort(key=lambda path: sorted(edge.place for edge in path))
    for size in range(1, SIZE_MAX + 1):
        found = _cut(least, size)
        if found is not None:
            return found
    return _greedy(least)


def _cut(paths: Sequence[frozenset[Fact]], size: int) -> list[Fact] | None:
    """Edges that cut all paths, at most `size`; the first path must lose one of its own."""
    if not paths:
        return []
    if size == 0:
        return None
    for edge in sorted(paths[0], key=lambda edge: edge.place):
        rest = _cut([path for path in paths[1:] if edge not in path], size - 1)
        if rest is not None:
            return [edge, *rest]
    return None


def _greedy(paths: Sequence[frozenset[Fact]]) -> list[Fact]:
    found = []
    left = list(paths)
    while left:
        edges = sorted({edge for path in left for edge in path}, key=lambda edge: edge.place)
        best = max(edges, key=lambda edge: sum(edge in path for path in left))
        found.append(best)
        left = [path for path in left if best not in path]
    return found
