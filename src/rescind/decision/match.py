"""Patterns: does one cover an action or a resource, does one lie within another, have two anything in common.

`*` in a pattern is any run of characters, the empty one included; nothing else is special, and letters keep their
case. Matching and containment are linear, overlap is bilinear in its arguments.
"""

# In no pattern and no literal: documents refuse control characters.
_FRESH = "\0"


def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` covers the whole of `text`."""
    if "*" not in pattern:
        return pattern == text
    first, *middle, last = pattern.split("*")
    position, end = len(first), len(text) - len(last)
    if position > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def contains(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` covers is covered by `wide`.

    A character that stands in neither pattern can only be met by a `*` of `wide`, and that `*` then meets any
    run in its place: so `wide` contains `narrow` iff it covers `narrow` with its `*` read as such a character.
    """
    return matches(wide, narrow.replace("*", _FRESH))


def overlaps(one: str, other: str) -> bool:
    """Whether some text is covered by both."""
    if "*" not in one:
        return matches(other, one)
    # row[j]: whether what is left of `one` and other[j:] have a text in common.
    row = [False] * len(other) + [True]
    for j in range(len(other) - 1, -1, -1):
        row[j] = other[j] == "*" and row[j + 1]
    for character in reversed(one):
        below, row = row, [False] * (len(other) + 1)
        for j in range(len(other), -1, -1):
            left = j < len(other)
            if character == "*":
                row[j] = below[j] or (left and row[j + 1])
            elif left:
                row[j] = (row[j + 1] or below[j]) if other[j] == "*" else (other[j] == character and below[j + 1])
    return row[0]


def matches_resource(pattern: str, resource_type: str, resource_id: str) -> bool:
    """Whether a resource pattern covers one resource.

    A pattern is `*`, `type:` and a pattern for the id, or a bare id, which means that id of any type. A call
    without a target has the empty id: `*` and `type:*` alone cover it.
    """
    kind, colon, rest = pattern.partition(":")
    if not colon:
        return pattern == "*" or (pattern == resource_id != "")
    if kind != resource_type:
        return False
    return matches(rest, resource_id) if resource_id else rest == "*"


def contains_resource(wide: str, narrow: str) -> bool:
    """Whether every resource that `narrow` covers is covered by `wide`."""
    if wide in ("*", narrow):
        return True
    wide_kind, wide_colon, wide_rest = wide.partition(":")
    narrow_kind, narrow_colon, narrow_rest = narrow.partition(":")
    if not narrow_colon:
        return False
    if not wide_colon:
        return narrow_rest == wide
    # `type:*` alone covers the empty id too: no other pattern contains it.
    return wide_kind == narrow_kind and (wide_rest == "*" or (narrow_rest != "*" and contains(wide_rest, narrow_rest)))


def overlaps_resource(one: str, other: str) -> bool:
    """Whether some resource is covered by both."""
    if "*" in (one, other):
        return True
    one_kind, one_colon, one_rest = one.partition(":")
    other_kind, other_colon, other_rest = other.partition(":")
    if one_colon and other_colon:
        return one_kind == other_kind and overlaps(one_rest, other_rest)
    if one_colon:
        return matches(one_rest, other)
    if other_colon:
        return matches(other_rest, one)
    return one == other
