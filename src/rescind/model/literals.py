"""Literals: names that patterns are held against, in which `*` is a letter like any other."""

_STAR = "\x01"


def literal(text: str) -> str:
    """The text with each `*` as a character that no pattern can hold: documents refuse control characters."""
    return text.replace("*", _STAR)


def spoken(text: str) -> str:
    """The text that was made literal, as it was."""
    return text.replace(_STAR, "*")
