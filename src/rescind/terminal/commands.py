"""The seven commands: each asks or does one thing, and says it to people or, with `--json`, to machines.

They get their database and `--json` where they are registered, in `rescind.cli`. Whatever a command needs, the rest of
this package too, it imports when it runs: help and the other commands must not wait for it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rescind.engine.freshness import Moment
    from rescind.store.contract import Page
    from rescind.terminal.names import Names
    from rescind.usecases.history import ChangeView
    from rescind.usecases.impacts import Impact
    from rescind.usecases.reasons import AccessView, Candidate, Difference, Explanation
    from rescind.usecases.service import Service
    from rescind.usecases.unit import View

PRINCIPAL_TYPES = ("user", "client", "session")
LISTED_MAX = 500
"""How much of a list one command shows."""
AFTER_ALL_REVISIONS = 1 << 62
_COMPARED = "Comparing who may do what, before and after"

_organization = click.option(
    "--organization",
    default="",
    metavar="ORG",
    help="The organization, by id or slug; without it, outside of all organizations.",
)
_type = click.option("--type", "type_", type=click.Choice(PRINCIPAL_TYPES), default="user", show_default=True)
_context = click.option("--context", default="{}", metavar="JSON", help="What conditions read under `context`.")
_limit = click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=100, show_default=True)
_yes = click.option("--yes", is_flag=True, help="Do it without asking.")


@click.command()
@click.argument("subject")
@click.argument("action")
@click.argument("resource", metavar="TYPE:ID")
@_type
@_context
@_organization
def explain(
    *,
    database: str,
    as_json: bool,
    organization: str,
    subject: str,
    action: str,
    resource: str,
    type_: str,
    context: str,
) -> None:
    """Decide whether SUBJECT may do ACTION to a resource, say why, and what would end it.

    SUBJECT is an id, an alias, or `email:` and an address.
    """
    from rescind.terminal import asking, show
    from rescind.terminal.names import names_of, place_of
    from rescind.usecases import reasons

    question = asking.read_question(type_, subject, action, resource, context)
    service = asking.open_service(database)
    organization = organization or str(question.context.get("organization", ""))
    asking.demand_place(service, type_, organization)

    def asked(view: "View", _: "Sequence[View]") -> "tuple[Explanation, str, Names]":
        found = reasons.explain(view, question)
        return found, place_of(view), names_of(view, [step.holder for step in found.ends_with])

    found, place, names = asking.look(service, "explain", organization, asked)
    if as_json:
        from rescind.terminal import machines

        machines.explanation(found)
    else:
        show.explanation(found, subject, f"{action} on {resource}, {place}", names)


@click.command()
@click.argument("subject")
@_type
@_organization
@click.option("--at", default="", metavar="REV|TIME", help="As it was at a revision or time.")
@click.option("--since", default="", metavar="REV|TIME", help="Also say what was lost and gained since then.")
def access(*, database: str, as_json: bool, organization: str, subject: str, type_: str, at: str, since: str) -> None:
    """Show everything that SUBJECT has: groups, roles, policies and their statements."""
    from rescind.decision.cover import TooMuchWork
    from rescind.terminal import asking, show
    from rescind.terminal.names import place_of
    from rescind.usecases import history, reasons

    service = asking.open_service(database)
    asking.demand_place(service, type_, organization)

    def when(view: "View") -> "list[Moment]":
        return [history.moment_at(view, text) for text in (at, since) if text]

    def asked(view: "View", past: "Sequence[View]") -> "tuple[AccessView, Difference | None, str]":
        found, compared = reasons.access_then(
            view, past, principal=subject, type_=type_, is_past=bool(at), is_compared=bool(since)
        )
        return found, compared, place_of(view)

    try:
        found, compared, place = asking.look(service, "access", organization, asked, when)
    except TooMuchWork:
        raise click.ClickException("there are too many patterns to tell the two apart") from None
    if as_json:
        from rescind.terminal import machines

        machines.access(found, compared)
        return
    show.access(found, subject, place)
    if compared is not None:
        show.difference(compared, since)


@click.command()
@click.argument("action")
@click.argument("resource", metavar="TYPE:ID")
@_type
@_context
@_organization
@_limit
def who_can(
    *,
    database: str,
    as_json: bool,
    organization: str,
    action: str,
    resource: str,
    type_: str,
    context: str,
    limit: int,
) -> None:
    """List who may do ACTION to a resource: always, or only if conditions hold."""
    from rescind.store.contract import Window
    from rescind.terminal import asking, show
    from rescind.terminal.names import names_of, place_of
    from rescind.terminal.progress import watched
    from rescind.usecases import reasons

    question = asking.read_question(type_, "", action, resource, context)
    service = asking.open_service(database)
    organization = organization or str(question.context.get("organization", ""))
    asking.demand_place(service, type_, organization)

    def asked(view: "View", _: "Sequence[View]") -> "tuple[Sequence[Candidate], bool, str, Names]":
        with watched(view, "Going through the principals", quiet=as_json) as seen:
            found, after = reasons.who_can(seen, question, Window(limit))
        return found, after is not None, place_of(view), names_of(view, [one.name for one in found])

    found, is_more, place, names = asking.look(service, "who-can", organization, asked)
    if as_json:
        from rescind.terminal import machines

        machines.candidates(found, is_more=is_more)
    else:
        show.candidates(found, f"{action} on {resource}, {place}", names, is_more=is_more)


@click.command()
@click.argument("operation", required=False)
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
@_organization
@click.option("--list", "is_listed", is_flag=True, help="Show the operations and their arguments.")
def preview(
    *,
    database: str,
    as_json: bool,
    organization: str,
    operation: str | None,
    arguments: tuple[str, ...],
    is_listed: bool,
) -> None:
    """Say what an operation would take and give, and do nothing.

    OPERATION is a name in the log, like `roles.detach_users`. A list is comma-separated, repeated, or JSON.
    """
    from rescind.app import VERBS
    from rescind.terminal import asking, machines, operations, show
    from rescind.terminal.names import names_of_impact
    from rescind.terminal.progress import comparing
    from rescind.usecases import verbs

    if is_listed:
        (machines if as_json else show).operations(operations.described())
        return
    if operation is None:
        raise click.UsageError("name an OPERATION, or ask for the --list")
    verb = operations.find(operation)
    read = operations.read_arguments(verb, arguments)
    service = asking.open_service(database)
    operator, item = operations.placed(service, "preview", verb, read, organization)
    with (
        asking.hinting(service, operator),
        operations.needing_nobody(operation),
        comparing(_COMPARED, quiet=as_json) as seen,
    ):
        answer = service.preview_as(replace(operator, seen=seen), verbs.run, VERBS, [item])
    if as_json:
        machines.impact(answer, operation)
    else:
        show.impact(answer.result, service.look(answer, names_of_impact, answer.result))


@click.command()
@click.argument("operation")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
@_organization
@click.option("--if-match", default="", metavar="DIGEST", help="Only if this is still the digest of its preview.")
@_yes
def revoke(
    *,
    database: str,
    as_json: bool,
    organization: str,
    operation: str,
    arguments: tuple[str, ...],
    if_match: str,
    yes: bool,
) -> None:
    """Take something away: show what it would do, ask, and do exactly that.

    OPERATION and its arguments are those of `rescind preview`, of those that only take.
    """
    from uuid_utils import uuid7

    from rescind.app import VERBS
    from rescind.terminal import asking, consent, operations, show
    from rescind.terminal.progress import comparing
    from rescind.usecases import revocations

    verb = operations.find(operation)
    if operation not in revocations.TAKING:
        raise click.ClickException(f"`{operation}` is not a revocation")
    read = operations.read_arguments(verb, arguments)
    consent.demand_somebody(yes=yes)
    service = asking.open_service(database)
    operator, item = operations.placed(service, "revoke", verb, read, organization)
    with asking.hinting(service, operator), operations.needing_nobody(operation):
        with comparing(_COMPARED, quiet=as_json) as seen:
            shown = service.preview_as(replace(operator, seen=seen), revocations.apply, VERBS, [item])
        digest = consent.agreed(service, shown, "Take this away?", yes=yes, as_json=as_json, if_match=if_match)
        with comparing("Taking it away", quiet=as_json) as seen:
            agreed = replace(operator, impact=digest, seen=seen)
            done = service.operate(agreed, str(uuid7()), revocations.apply, VERBS, [item])
    if as_json:
        from rescind.terminal import machines

        machines.revoked(done, shown.result.digest)
    else:
        show.revoked(done)


@click.command()
@click.argument("revision")
@_organization
@_yes
def undo(*, database: str, as_json: bool, organization: str, revision: str, yes: bool) -> None:
    """Grant again what the change with that number took, as far as it still makes sense."""
    from uuid_utils import uuid7

    from rescind.terminal import asking, consent, show
    from rescind.terminal.names import names_of_facts
    from rescind.terminal.progress import comparing
    from rescind.usecases import undo as cases
    from rescind.usecases.service import Operator

    consent.demand_somebody(yes=yes)
    service = asking.open_service(database)
    operator = Operator("undo", organization or asking.organization_of(service, revision))
    with comparing(_COMPARED, quiet=as_json) as seen:
        shown = service.preview_as(replace(operator, seen=seen), cases.undo, revision=revision)
    digest = consent.agreed(service, shown, "Give this back?", yes=yes, as_json=as_json)
    with comparing("Giving it back", quiet=as_json) as seen:
        agreed = replace(operator, impact=digest, seen=seen)
        done = service.operate(agreed, str(uuid7()), cases.undo, revision=revision)
    if as_json:
        from rescind.terminal import machines

        machines.undone(done)
    else:
        show.undone(done, service.look(done, names_of_facts, [one.fact for one in done.result.left]))


@click.command()
@click.argument("revision", required=False)
@_organization
@_limit
def log(*, database: str, as_json: bool, organization: str, revision: str | None, limit: int) -> None:
    """Show the newest changes, or the one with that number: what it closed and opened, why, and its impact."""
    from rescind.store.contract import Window
    from rescind.terminal import asking, show
    from rescind.terminal.names import names_of_changes, place_of
    from rescind.usecases import history

    service = asking.open_service(database)
    if revision is not None:
        _log_one(service, organization or asking.organization_of(service, revision), revision, as_json=as_json)
        return

    def asked(view: "View", _: "Sequence[View]") -> "tuple[Page[ChangeView], str, Names]":
        page = history.page(view, Window(limit, before=AFTER_ALL_REVISIONS))
        return page, place_of(view), names_of_changes(view, page.items)

    page, place, names = asking.look(service, "log", organization, asked)
    newest_first = list(reversed(page.items))
    if as_json:
        from rescind.terminal import machines

        machines.changes(newest_first, page.total)
        return
    show.changes(newest_first, names)
    show.aside(f"{len(newest_first)} of {page.total} changes {place}.")
    if not organization:
        show.aside(f"Others: --organization {asking.named_organizations(service)}")


def _log_one(service: "Service", organization: str, revision: str, *, as_json: bool) -> None:
    from rescind.terminal import asking, show
    from rescind.terminal.names import names_of_changes, names_of_impact
    from rescind.terminal.progress import comparing
    from rescind.usecases import history

    def when(view: "View") -> "list[Moment]":
        return history.around(view, revision=revision)

    def asked(view: "View", past: "Sequence[View]") -> "tuple[ChangeView, Impact, Names]":
        found, impact = history.get(view, past, revision=revision, seen=seen)
        assert impact is not None
        return found, impact, names_of_changes(view, [found]) | names_of_impact(view, impact)

    with comparing(_COMPARED, quiet=as_json) as seen:
        found, impact, names = asking.look(service, "log", organization, asked, when)
    if as_json:
        from rescind.terminal import machines

        machines.change(found, impact)
    else:
        show.change(found, impact, names)


COMMANDS: tuple[click.Command, ...] = (explain, access, who_can, preview, revoke, undo, log)
