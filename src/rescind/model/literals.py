"""Literals: names that patterns are held against, in which `*` is a letter like any other."""

# Begins each spelling of two letters; documents refuse control characters, so no pattern that people write has it.
_MARK = "\x01"
_AS_MARK, _AS_STAR = _MARK + "\x02", _MARK + "\x03"


def literal(text: str) -> str:
    """The text without `*`, spelled so that no two texts are spelled alike."""
    return text.replace(_MARK, _AS_MARK).replace("*", _AS_STAR)


def spoken(text: str) -> str:
    """The text that was made literal, as it was."""
    return text.replace(_AS_STAR, "*").replace(_AS_MARK, _MARK)
