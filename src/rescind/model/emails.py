"""E-mail addresses: when two spellings are one address."""

import unicodedata


def folded(email: str) -> str:
    """The spelling by which an address is found: without regard to case and to how Unicode composes letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
