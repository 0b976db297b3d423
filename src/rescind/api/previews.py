"""Previews: asked for in the query of any call that writes, and never taken for the call itself."""

from urllib.parse import unquote_plus

from rescind.api.body import Scope
from rescind.model.errors import Invalid

_ASKED = "preview=true"
GROUPS = "groups"
"""What names the groups of principals that are asked for."""


def is_preview(scope: Scope) -> bool:
    """Whether a request asks for a preview. Raises `Invalid` for whatever only looks like it.

    A request that means to ask for one, however it spells that, must never become a removal.
    """
    raw = scope["query_string"].decode("latin-1")
    query = unquote_plus(raw).lower()
    asked = raw.split("&").count(_ASKED)
    if query.count("preview") != asked or asked > 1:
        reads = scope["method"] in ("GET", "HEAD", "OPTIONS")
        if not reads or any(name.partition("=")[0].strip() == "preview" for name in query.split("&")):
            raise Invalid("`preview` is `true`, once, or is not there")
        return False
    return bool(asked)


PREVIEW_PARAMETERS = [
    {
        "name": "preview",
        "in": "query",
        "required": False,
        "description": "Say what the call would do, and do nothing.",
        "schema": {"type": "boolean", "const": True},
    },
    {
        "name": GROUPS,
        "in": "query",
        "required": False,
        "description": "The `next_groups` of a preview: go on with the groups of principals that come after it.",
        "schema": {"type": "string"},
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The digest of a preview: the call is refused with 412 if its impact is another by now.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
]
"""How an OpenAPI document says it."""
