"""Path segments: a path is parted where it has a slash, and only then is each segment decoded, once."""

from typing import Any
from urllib.parse import quote, unquote_to_bytes

from starlette.convertors import Convertor

from rescind.api.body import Scope

_SLASH = "\x1f"
"""Stands for a slash inside a segment while the path is matched: no path can hold it but by decoding."""


class Segment(Convertor[str]):
    """One segment of a path, in which there may be slashes."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The segment as it was meant."""
        return value.replace(_SLASH, "/")

    def to_string(self, value: Any) -> str:
        """The segment as it stands in a path."""
        return quote(str(value), safe="")


def parted(scope: Scope) -> str:
    """The decoded path of a request, in which a slash parts two segments and nothing else."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    segments = raw.partition(b"?")[0].split(b"/")
    return "/".join(_decoded(segment) for segment in segments)


def _decoded(segment: bytes) -> str:
    return unquote_to_bytes(segment).decode("utf-8", "replace").replace("/", _SLASH)
