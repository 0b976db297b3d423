"""Styled text, and one line for each: a time, a step, a path, a statement, a condition, a fact, an operation."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from rescind.model.documents import Statement
from rescind.terminal.names import Names, plain
from rescind.usecases.paths import Step

LOST, GAINED, ASIDE, DOUBT = "red", "green", "dim", "yellow"

Part = tuple[str, str]
"""A text and its style."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def console(*, is_aside: bool = False) -> Console:
    """Where people read: standard output, or standard error for what stands beside the answer."""
    return Console(stderr=is_aside, highlight=False)


def styled(*parts: str | Part) -> Text:
    """Texts, each with its style if it has one: no markup in them, and nothing that a terminal would obey."""
    both = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((plain(said), style) for said, style in both))


def time_line(instant: int) -> str:
    """An instant (microseconds since 1970) as people read it; one that no calendar has stays a number."""
    try:
        return (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="seconds")
    except OverflowError:
        return str(instant)


def until(expires_at: int | None) -> list[Part]:
    """What is put behind something that ends at an instant: nothing if it does not."""
    return [] if expires_at is None else [(f" until {time_line(expires_at)}", DOUBT)]


def condition_line(block: Mapping[str, Any] | None, word: str = "if") -> list[Part]:
    """What is put behind something that a condition stands on: nothing if none does."""
    return [(f" {word} {json.dumps(block, ensure_ascii=False)}", DOUBT)] if block else []


def step_line(step: Step) -> str:
    """What an edge leads to, by kind and name."""
    if step.edge == "root":
        return f"owner of {step.name}"
    return f"{step.kind.replace('_', ' ')} {step.name or step.id}"


def path_line(path: Sequence[Step]) -> Text:
    """A path, nearest edge first."""
    line = styled(("by ", ASIDE))
    for number, step in enumerate(path):
        line.append(styled((" → " if number else "", ASIDE), step_line(step), *until(step.expires_at)))
    return line


def statement_line(said: Statement) -> Text:
    """A statement of a policy, with its condition."""
    style = GAINED if said.effect == "Allow" else LOST
    words = f" {', '.join(said.actions)} on {', '.join(said.resources)}"
    return styled((said.effect, style), words, *condition_line(said.condition.block if said.condition else None))


def fact_line(fact: Mapping[str, Any], names: Names) -> str:
    """A fact as the log says it, in short words."""
    holder, thing, scope = (names.get(fact[end], fact[end]) for end in ("holder", "thing", "scope"))
    said = f"{fact['fact'].replace('_', ' ')}: {holder}"
    if fact["fact"] == "existence":
        # What exists is somebody's, or is the person herself as a member.
        said += f" of {thing}" if thing and thing != holder else ""
        said += f" in {scope}" if scope else ""
    elif thing:
        said += f" → {thing}"
    return said + (f" until {time_line(fact['expires_at'])}" if fact["expires_at"] is not None else "")


def operation_line(body: Mapping[str, Any]) -> str:
    """What a change was, by its body, and what was done in it, where it was done under another name."""
    inner = (body.get("cause") or {}).get("operations", ())
    return f"{body['operation']} ({', '.join(inner)})" if inner else str(body["operation"])
