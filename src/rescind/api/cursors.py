"""Cursors: where the next part of a list begins, sealed so that only the list that gave one takes it back."""

import base64
import binascii
import hashlib
from hmac import compare_digest
from typing import Any

from rescind.model.errors import Invalid
from rescind.store.contract import PAGE_SIZE_MAX, Page, Window

_SEAL_BYTES = 12
_PLACE_BYTES = 8
_AFTER, _BEFORE = b"a", b"b"


class Cursors:
    """Gives and takes cursors. `key` is the same on every node of a database."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def window(self, cursor: str, limit: int, list_name: str, *, size_max: int = PAGE_SIZE_MAX) -> Window:
        """The part of the list that `cursor` names, its beginning for an empty one.

        Parts are never longer than `size_max`. Raises `Invalid` for a cursor of another list, or none at all.
        """
        limit = min(limit, size_max)
        if not cursor:
            return Window(limit)
        try:
            raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Invalid("unknown `cursor`") from None
        seal, mark = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if len(mark) != 1 + _PLACE_BYTES or not compare_digest(seal, self._seal(mark, list_name)):
            raise Invalid("unknown `cursor`")
        place = int.from_bytes(mark[1:], "big")
        return Window(limit, after=place) if mark[:1] == _AFTER else Window(limit, before=place)

    def around(self, page: Page[Any], list_name: str) -> tuple[str, str]:
        """The cursors of the parts before and after a page; empty where there is none."""
        return self._cursor(_BEFORE, page.before, list_name), self._cursor(_AFTER, page.after, list_name)

    def after(self, place: int | None, list_name: str) -> str:
        """The cursor of what comes after a place; empty for none."""
        return self._cursor(_AFTER, place, list_name)

    def _cursor(self, side: bytes, place: int | None, list_name: str) -> str:
        if place is None:
            return ""
        mark = side + place.to_bytes(_PLACE_BYTES, "big")
        return base64.urlsafe_b64encode(self._seal(mark, list_name) + mark).decode()

    def _seal(self, mark: bytes, list_name: str) -> bytes:
        name = hashlib.sha256(list_name.encode()).digest()
        return hashlib.blake2b(name + mark, key=self._key, digest_size=_SEAL_BYTES).digest()
