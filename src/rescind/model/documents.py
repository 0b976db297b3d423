"""Policy documents: what may be written in one, and its statements as values.

A document is kept as it was received: the order of statements and actions, and whether one action stood alone or
in a list, are given back unchanged, because infrastructure tools compare them.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rescind.model.conditions import Condition, Effect, parse_condition
from rescind.model.errors import Invalid

DOCUMENT_BYTES_MAX = 64 * 1024
VERSION_DEFAULT = "2012-10-17"

_DOCUMENT_MEMBERS = {"Version", "Statement"}
_STATEMENT_MEMBERS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: `effect` on every pair of `actions` and `resources` while `condition` holds."""

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Condition | None = None
    sid: str | None = None


def store_form(document: object) -> str:
    """Check decoded JSON as a policy document and return the text to store.

    Adds what a missing `Version` means and puts a lone statement into a list; changes nothing else.
    Raises `Invalid` for a member, effect, pattern or condition that the grammar does not know, and for a document
    of more than 64 KiB.
    """
    if not isinstance(document, dict):
        raise Invalid("policy document: must be an object")
    _refuse_unknown(document, _DOCUMENT_MEMBERS, "policy document")
    version = document.get("Version", VERSION_DEFAULT)
    if not isinstance(version, str):
        raise Invalid("policy document: `Version` must be a string")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise Invalid("policy document: `Statement` must be a list of at least one statement")
    for statement in statements:
        _parse_statement(statement)
    text = json.dumps({"Version": version, "Statement": statements}, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > DOCUMENT_BYTES_MAX:
        raise Invalid("policy document: longer than 64 KiB")
    return text


@lru_cache(maxsize=1024)
def statements_of(text: str) -> tuple[Statement, ...]:
    """The statements of a stored document, in its order."""
    return tuple(_parse_statement(statement) for statement in json.loads(text)["Statement"])


def condition_count(text: str) -> int:
    """How many statements of a stored document carry a `Condition`."""
    return sum(statement.condition is not None for statement in statements_of(text))


def _parse_statement(statement: Any) -> Statement:
    if not isinstance(statement, dict):
        raise Invalid("policy document: a statement must be an object")
    _refuse_unknown(statement, _STATEMENT_MEMBERS, "statement")
    try:
        effect = Effect(statement["Effect"])
    except (KeyError, ValueError):
        raise Invalid("statement: `Effect` must be `Allow` or `Deny`") from None
    if not isinstance(statement.get("Sid", ""), str):
        raise Invalid("statement: `Sid` must be a string")
    return Statement(
        effect,
        _patterns(statement, "Action"),
        tuple(_checked_resource(pattern) for pattern in _patterns(statement, "Resource")),
        parse_condition(statement["Condition"]) if "Condition" in statement else None,
        statement.get("Sid"),
    )


def _refuse_unknown(members: dict[Any, Any], known: set[str], where: str) -> None:
    # Ignoring a restriction would grant more than was written.
    for member in members:
        if member not in known:
            raise Invalid(f"{where}: unknown member `{member}`")


def _patterns(statement: dict[str, Any], member: str) -> tuple[str, ...]:
    value = statement.get(member)
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not patterns:
        raise Invalid(f"statement: `{member}` must be a string or a list of at least one")
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern:
            raise Invalid(f"statement: `{member}` must hold non-empty strings")
        if "${" in pattern:
            raise Invalid(f"statement: `{member}` knows no variables: `{pattern}`")
        if any(character.isspace() or not character.isprintable() for character in pattern):
            raise Invalid(f"statement: `{member}` must not hold white space or control characters")
    return tuple(patterns)


def _checked_resource(pattern: str) -> str:
    kind, colon, rest = pattern.partition(":")
    if pattern != "*" and (not kind or "*" in kind):
        raise Invalid(f"statement: resource `{pattern}`: `*` stands alone or after `type:`")
    if colon and not rest:
        raise Invalid(f"statement: resource `{pattern}`: nothing after the colon")
    return pattern
