"""What people read: each answer as sentences, trees and tables, printed."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from rescind.terminal.names import OUTSIDE, Names
from rescind.terminal.text import (
    ASIDE,
    DOUBT,
    GAINED,
    LOST,
    condition_line,
    console,
    fact_line,
    operation_line,
    path_line,
    statement_line,
    step_line,
    styled,
    time_line,
    until,
)
from rescind.usecases.history import ChangeView
from rescind.usecases.impacts import Group, Impact, Loses
from rescind.usecases.paths import Step
from rescind.usecases.reasons import AccessView, Because, Candidate, Difference, Explanation
from rescind.usecases.service import Answer
from rescind.usecases.undo import Undone

REASONS = {
    "account_ended": "the account was deleted",
    "account_blocked": "the account is blocked",
    "organization_ended": "the organization was deleted",
    "not_a_member": "no member of the organization",
    "suspended": "suspended in the organization",
    "session_ended": "the session has ended",
    "outside_terms": "its trust does not let the session be used here and now",
    "root": "owns the organization",
    "explicit_deny": "a statement denies it",
    "allowed": "a statement allows it",
    "implicit_deny": "nothing allows it",
    "unknown_subject": "nobody is called that here",
}
"""Each reason of a decision in words."""
FACTS_SHOWN = 4
"""How many facts of a change stand in one row of the log."""
_VERDICTS = {"entirely": "", "partly": "in part", "only_if": "depending on conditions"}


def explanation(found: Explanation, subject: str, asked: str, names: Names) -> None:
    """A decision: its verdict, its reason, the paths of its statements, and what would end it."""
    out = console()
    verdict = ("ALLOWED", "bold green") if found.allowed else ("DENIED", "bold red")
    out.print(styled(verdict, f"  {subject}: {asked}"))
    out.print(styled(f"Reason: {found.reason}", (f" ({REASONS[found.reason]})", ASIDE)))
    if found.because:
        tree = _tree((subject, "bold"))
        _grow(tree, found.because, found.ends_with)
        out.print(tree)
    if found.ends_with:
        out.print(styled("What ends it, taken away:" if len(found.ends_with) == 1 else "Together they end it:"))
        for step in found.ends_with:
            edge = step.edge.replace("_", " ")
            out.print(styled((f"  - {edge}: {names.get(step.holder, step.holder)} → {step_line(step)}", LOST)))
    out.print(styled((f"At revision {found.revision}, {time_line(found.instant)}.", ASIDE)))


def access(found: AccessView, subject: str, place: str) -> None:
    """Everything that somebody has in a place, as a tree of edges with statements as its leaves."""
    tree = _tree((subject, "bold"), f" {place}, at revision {found.revision}, {time_line(found.instant)}")
    if found.state is not None:
        tree.add(styled((f"{found.state}: {REASONS[found.state]}", GAINED if found.state == "root" else LOST)))
    _grow(tree, found.permissions)
    if not found.permissions and found.state != "root":
        tree.add(styled(("nothing", ASIDE)))
    console().print(tree)


def difference(compared: Difference, since: str) -> None:
    """What somebody lost and gained since a moment, which is called as the operator called it."""
    tree = _tree((f"Since {since}", "bold"))
    _hang_rows(tree, compared.lost, compared.more_lost, "-", LOST)
    _hang_rows(tree, compared.gained, compared.more_gained, "+", GAINED)
    if not compared.lost and not compared.gained:
        tree.add(styled(("nothing was lost or gained", ASIDE)))
    console().print(tree)


def candidates(found: Sequence[Candidate], asked: str, names: Names, *, is_more: bool) -> None:
    """Who may do something, each with the conditions that it depends on; whether there are more than those."""
    out = console()
    table = Table(
        Column("Who", overflow="fold"),
        "When",
        Column("Conditions", overflow="fold"),
        title=styled((asked, "bold")),
        show_lines=True,
    )
    for one in found:
        name = names.get(one.name, one.name)
        who = styled(name)
        if name != one.name:
            who.append("\n").append(styled((one.name, ASIDE)))
        when = Text("always", style=GAINED) if one.when == "always" else Text("only if", style=DOUBT)
        lines = [styled(*condition_line(condition.block)) for condition in one.conditions]
        lines += [styled(*condition_line(condition.block, "unless")) for condition in one.unless]
        table.add_row(who, when, Text("\n").join(lines))
    if found:
        out.print(table)
    else:
        out.print(styled(f"Nobody: {asked}."))
    if is_more:
        out.print(styled(("There are more: raise the --limit.", DOUBT)))


def impact(found: Impact, names: Names, *, is_aside: bool = False) -> None:
    """What a write would do: what it closes and opens, who loses and gains what, and what goes with it."""
    out = console(is_aside=is_aside)
    for fact in found.closed:
        out.print(styled((f"- {fact_line(fact, names)}", LOST)))
    for fact in found.opened:
        out.print(styled((f"+ {fact_line(fact, names)}", GAINED)))
    for group in found.groups:
        out.print(_group(group, names))
    if not found.groups:
        out.print(styled(("Nobody loses or gains anything.", ASIDE)))
    if found.more_groups:
        out.print(styled((f"And {found.more_groups} more groups of principals.", DOUBT)))
    for session in found.sessions_ended:
        out.print(styled((f"- session {names.get(session, session)} ends", LOST)))
    if found.more_sessions_ended:
        out.print(styled((f"- and {found.more_sessions_ended} more sessions end", LOST)))
    for api, instant in found.tokens:
        out.print(styled((f"Tokens for {api} may be good elsewhere until {time_line(instant)}.", DOUBT)))
    holds = "until something is written"
    if found.holds_until is not None:
        holds += f", or until {time_line(found.holds_until)}"
    out.print(styled((f"{found.touched} principals looked at. This holds {holds}.", ASIDE)))
    out.print(styled((f"Digest: {found.digest}", ASIDE)), soft_wrap=True)


def revoked(done: Answer[Any]) -> None:
    """That it is done, or that there was nothing to do."""
    if done.change is not None:
        click.secho(f"Revoked: it is so from revision {done.moment.revision} on.", bold=True)
    else:
        click.echo(f"There was nothing to take: nothing was written, revision {done.moment.revision} is the newest.")


def undone(done: Answer[Undone], names: Names) -> None:
    """How much was granted again, and what was left and why."""
    out = console()
    if done.change is None:
        out.print(styled(("Nothing was granted again.", "bold")))
    else:
        said = f"{done.result.granted} granted again: it is so from revision {done.moment.revision} on."
        out.print(styled((said, "bold green")))
    for one in done.result.left:
        out.print(styled((f"  left: {fact_line(one.fact, names)}", DOUBT), f": {one.why}"))


def changes(found: Sequence[ChangeView], names: Names) -> None:
    """Changes of the log, one in a row."""
    table = Table(
        Column("Revision", justify="right"),
        Column("Time", overflow="fold"),
        Column("Operation", overflow="fold"),
        Column("Actor", overflow="fold"),
        Column("Closed and opened", overflow="fold"),
    )
    for one in found:
        body = one.body
        facts = [(fact, "-", LOST) for fact in body["closed"]] + [(fact, "+", GAINED) for fact in body["opened"]]
        lines = [styled((f"{sign} {fact_line(fact, names)}", style)) for fact, sign, style in facts[:FACTS_SHOWN]]
        if len(facts) > FACTS_SHOWN:
            lines.append(styled((f"and {len(facts) - FACTS_SHOWN} more", ASIDE)))
        table.add_row(
            str(one.change.revision),
            time_line(one.change.time),
            styled(operation_line(body)),
            styled(names.get(body["actor"], body["actor"])),
            Text("\n").join(lines),
        )
    console().print(table)


def aside(said: str) -> None:
    """What stands beside the answer: on standard error."""
    console(is_aside=True).print(styled((said, ASIDE)))


def change(found: ChangeView, effect: Impact, names: Names) -> None:
    """One change with all it did: who made it, why, what was so before and after, who lost and gained what."""
    out, body = console(), found.body
    said = f"  {time_line(found.change.time)}  {operation_line(body)}"
    out.print(styled((f"Revision {found.change.revision}", "bold"), said))
    by = f"by {names.get(body['actor'], body['actor'])}"
    out.print(styled(by, f" with key {body['credential']}" if body["credential"] else ""))
    if body.get("cause"):
        out.print(styled(f"cause: {json.dumps(body['cause'], ensure_ascii=False)}"))
    for title, facts, sign, style in (("Before", body["closed"], "-", LOST), ("After", body["opened"], "+", GAINED)):
        tree = _tree((title, "bold"))
        for fact in facts:
            branch = tree.add(styled((f"{sign} {fact_line(fact, names)}", style)))
            if fact["value"] is not None:
                branch.add(styled((fact["value"], ASIDE)))
        if facts:
            out.print(tree)
    for group in effect.groups:
        out.print(_group(group, names))
    if not effect.groups:
        out.print(styled(("Nobody lost or gained anything.", ASIDE)))
    out.print(styled((f"Digest of the log: {found.change.digest}", ASIDE)), soft_wrap=True)


def operations(described: Iterable[Mapping[str, Any]]) -> None:
    """Operations with their arguments, as `terminal.operations.described` has them."""
    table = Table(Column("Operation", no_wrap=True), Column("Arguments", overflow="fold"), "Revokes", show_lines=True)
    for one in described:
        said = [(f"{argument['name']}={argument['type']}", argument["required"]) for argument in one["arguments"]]
        words = styled(" ".join(text if is_required else f"[{text}]" for text, is_required in said) or "none")
        words.append("\n").append(styled((one["summary"], ASIDE)))
        table.add_row(styled(one["operation"]), words, "yes" if one["revocation"] else "")
    console().print(table)


def _tree(*label: str | tuple[str, str]) -> Tree:
    return Tree(styled(*label), guide_style=ASIDE)


def _grow(tree: Tree, because: Iterable[Because], cut: Collection[Step] = ()) -> None:
    """Hang statements into a tree, below the edges that lead to them; those of a cut are red."""
    places: dict[tuple[Step, ...], Tree] = {(): tree}
    for held in because:
        for path in held.paths:
            steps = tuple(path)
            for end, step in enumerate(steps, 1):
                if steps[:end] not in places:
                    label = styled((step_line(step), f"bold {LOST}" if step in cut else ""), *until(step.expires_at))
                    if step in cut:
                        label.append("  ends it", style=LOST)
                    places[steps[:end]] = places[steps[: end - 1]].add(label)
            places[steps].add(statement_line(held.statement))


def _group(group: Group, names: Names) -> Tree:
    """Principals that lose and gain the same, and what."""
    who = ", ".join(names.get(one, one) for one in group.principals)
    more = group.count - len(group.principals)
    where = f"in {names.get(group.scope, group.scope)}" if group.scope else OUTSIDE
    tree = _tree((who, "bold"), f" and {more} more" if more else "", f" ({group.type}) {where}")
    if group.before != group.after:
        before, after = (REASONS[state] if state else "as statements say" for state in (group.before, group.after))
        tree.add(styled((f"{before} → {after}", DOUBT)))
    _hang_rows(tree, group.lost, group.more_lost, "-", LOST)
    _hang_rows(tree, group.gained, group.more_gained, "+", GAINED)
    for word, (_, total), style in (("lost", group.known_lost, LOST), ("gained", group.known_gained, GAINED)):
        if total:
            tree.add(styled((f"{total} known requests {word}", style)))
    return tree


def _hang_rows(tree: Tree, rows: Sequence[Loses] | None, more: int, sign: str, style: str) -> None:
    """Hang what is lost or gained into a tree, each with its paths, and in green what covers the rest of it."""
    if rows is None:
        tree.add(styled(("too many patterns to be told apart", DOUBT)))
        return
    for found in rows:
        row = found.row
        verdict = _VERDICTS[row.verdict]
        branch = tree.add(
            styled(
                (f"{sign} {row.action} on {row.resource}", style),
                *condition_line(row.condition.block if row.condition else None),
                (verdict and f" {verdict}", DOUBT),
            )
        )
        for path in found.paths:
            branch.add(path_line(path))
        for kept in found.still:
            stays = branch.add(styled(("stays: ", GAINED)).append(statement_line(kept.statement)))
            for path in kept.paths:
                stays.add(path_line(path))
    if more:
        tree.add(styled((f"{sign} {more} more", style)))
