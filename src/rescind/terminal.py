"""Decisions and removals in a terminal: what the operator asks, previews, takes away and gives back.

The commands are made here and get their database and `--json` where they are registered, in `rescind.cli`. Nothing
heavy is imported before one of them runs. Names that people chose are shown as text: no markup, no control characters.
"""

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from rescind.app import Node
    from rescind.engine.decisions import Question
    from rescind.engine.freshness import Moment
    from rescind.model.changes import Change
    from rescind.model.documents import Statement
    from rescind.store.contract import Page, Reader
    from rescind.usecases.history import ChangeView
    from rescind.usecases.impacts import Group, Impact, Loses
    from rescind.usecases.paths import Step
    from rescind.usecases.reasons import AccessView, Because, Candidate, Difference, Explanation
    from rescind.usecases.service import Answer, Operator, Service
    from rescind.usecases.undo import Undone
    from rescind.usecases.unit import View
    from rescind.usecases.verbs import Item, Verb

Result = TypeVar("Result")

PRINCIPAL_TYPES = ("user", "client", "session")
LISTED_MAX = 500
"""How much of a list one command shows."""
ORGANIZATIONS_NAMED_MAX = 20
"""How many organizations an error names."""
FACTS_SHOWN = 4
"""How many facts of a change stand in one row of the log."""

_LOST, _GAINED, _ASIDE, _DOUBT = "red", "green", "dim", "yellow"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTSIDE = "outside of all organizations"
_REASONS = {
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
_VERDICTS = {"entirely": "", "partly": "in part", "only_if": "depending on conditions"}

Names = Mapping[str, str]
"""What people call objects, by id."""

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


# --- commands -------------------------------------------------------------------------------------------------------


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
    from rescind.usecases import reasons

    question = _question(type_, subject, action, resource, context)
    service = _service(database)
    organization = organization or str(question.context.get("organization", ""))
    _demand_place(service, organization, type_)

    def asked(view: "View", _: "Sequence[View]") -> "tuple[Explanation, str, Names]":
        found = reasons.explain(view, question)
        return found, _scope(view), _names(view, [step.holder for step in found.ends_with])

    found, scope, names = _looked(service, "explain", organization, asked)
    if as_json:
        _print_json(_explained(found))
        return
    console = _console()
    verdict = ("ALLOWED", "bold green") if found.allowed else ("DENIED", "bold red")
    console.print(_text(verdict, f"  {subject}: {action} on {resource}, {scope}"))
    console.print(_text(f"Reason: {found.reason}", (f" ({_REASONS[found.reason]})", _ASIDE)))
    if found.because:
        tree = _tree(_text((subject, "bold")))
        _grow(tree, found.because, found.ends_with)
        console.print(tree)
    if found.ends_with:
        console.print(_text("What ends it, taken away:" if len(found.ends_with) == 1 else "Together they end it:"))
        for step in found.ends_with:
            edge = step.edge.replace("_", " ")
            console.print(_text((f"  - {edge}: {names.get(step.holder, step.holder)} → {_called(step)}", _LOST)))
    console.print(_text((f"At revision {found.revision}, {_time(found.instant)}.", _ASIDE)))


@click.command()
@click.argument("subject")
@_type
@_organization
@click.option("--at", default="", metavar="REV|TIME", help="As it was at a revision or time.")
@click.option("--since", default="", metavar="REV|TIME", help="Also say what was lost and gained since then.")
def access(*, database: str, as_json: bool, organization: str, subject: str, type_: str, at: str, since: str) -> None:
    """Show everything that SUBJECT has: groups, roles, policies and their statements."""
    from rescind.decision.cover import TooMuchWork
    from rescind.usecases import history, reasons

    service = _service(database)
    _demand_place(service, organization, type_)

    def when(view: "View") -> "list[Moment]":
        return [history.moment_at(view, text) for text in (at, since) if text]

    def asked(view: "View", past: "Sequence[View]") -> "tuple[AccessView, Difference | None, str]":
        found, compared = reasons.access_then(
            view, past, principal=subject, type_=type_, is_past=bool(at), is_compared=bool(since)
        )
        return found, compared, _scope(view)

    try:
        found, compared, scope = _looked(service, "access", organization, asked, when)
    except TooMuchWork:
        raise click.ClickException("there are too many patterns to tell the two apart") from None
    if as_json:
        _print_json(_accessed(found, compared))
        return
    console = _console()
    tree = _tree(_text((subject, "bold"), f" {scope}, at revision {found.revision}, {_time(found.instant)}"))
    if found.state is not None:
        style = _GAINED if found.state == "root" else _LOST
        tree.add(_text((f"{found.state}: {_REASONS[found.state]}", style)))
    _grow(tree, found.permissions)
    if not found.permissions and found.state != "root":
        tree.add(_text(("nothing", _ASIDE)))
    console.print(tree)
    if compared is not None:
        _show_difference(console, compared, since)


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
    from rescind.usecases import reasons
    from rescind.usecases.unit import View

    question = _question(type_, "", action, resource, context)
    service = _service(database)
    organization = organization or str(question.context.get("organization", ""))
    _demand_place(service, organization, type_)

    def asked(view: View, _: Sequence[View]) -> "tuple[Sequence[Candidate], bool, str, Names]":
        with _progress("Going through the principals", quiet=as_json) as seen:
            watched = View(cast("Reader", _Watched(view.reader, seen)), None, view.organization, view.issuer)
            found, after = reasons.who_can(watched, question, Window(limit))
        return found, after is not None, _scope(view), _names(view, [one.name for one in found])

    found, is_more, scope, names = _looked(service, "who-can", organization, asked)
    if as_json:
        _print_json({"results": [_candidate(one) for one in found], "more": is_more})
        return
    _show_candidates(found, names, f"{action} on {resource}, {scope}", is_more=is_more)


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
    from rescind.usecases import verbs

    if is_listed:
        _list_operations(as_json=as_json)
        return
    if operation is None:
        raise click.UsageError("name an OPERATION, or ask for the --list")
    verb = _verb(operation)
    read = _arguments(verb, arguments)
    service = _service(database)
    operator, item = _placed(service, "preview", verb, read, organization)
    with _hinting(service, operator), _done_by_somebody(operation):
        answer = service.preview_as(operator, verbs.run, VERBS, [item])
    if as_json:
        _print_json(_impact(answer.result, operation, answer.moment))
        return
    _show_impact(_console(), answer.result, _names_in(service, answer, answer.result))


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
    from rescind.app import VERBS
    from rescind.usecases import revocations

    verb = _verb(operation)
    if operation not in revocations.TAKING:
        raise click.ClickException(f"`{operation}` is not a revocation")
    read = _arguments(verb, arguments)
    _demand_consent(yes=yes)
    service = _service(database)
    operator, item = _placed(service, "revoke", verb, read, organization)
    with _hinting(service, operator), _done_by_somebody(operation):
        shown = service.preview_as(operator, revocations.apply, VERBS, [item])
        digest = _consented(service, shown, yes=yes, as_json=as_json, if_match=if_match, asks="Take this away?")
        done = service.operate(replace(operator, impact=digest), _request(), revocations.apply, VERBS, [item])
    changed = done.change is not None
    if as_json:
        _print_json({"revision": done.moment.revision, "changed": changed, "digest": shown.result.digest})
    elif changed:
        click.secho(f"Revoked: it is so from revision {done.moment.revision} on.", bold=True)
    else:
        click.echo(f"There was nothing to take: nothing was written, revision {done.moment.revision} is the newest.")


@click.command()
@click.argument("revision")
@_organization
@_yes
def undo(*, database: str, as_json: bool, organization: str, revision: str, yes: bool) -> None:
    """Grant again what the change with that number took, as far as it still makes sense."""
    from rescind.usecases import undo as cases

    _demand_consent(yes=yes)
    service = _service(database)
    operator = _operator("undo", organization or _organization_of(service, revision))
    shown = service.preview_as(operator, cases.undo, revision=revision)
    digest = _consented(service, shown, yes=yes, as_json=as_json, if_match="", asks="Give this back?")
    done = service.operate(replace(operator, impact=digest), _request(), cases.undo, revision=revision)
    undone: Undone = done.result
    if as_json:
        left = [{"fact": dict(one.fact), "why": one.why} for one in undone.left]
        _print_json({"revision": done.moment.revision, "granted": undone.granted, "left": left})
        return
    facts = [one.fact for one in undone.left]
    names = service.look(done, _names_of_facts, facts)
    console = _console()
    if done.change is None:
        console.print(_text(("Nothing was granted again.", "bold")))
    else:
        said = f"{undone.granted} granted again: it is so from revision {done.moment.revision} on."
        console.print(_text((said, "bold green")))
    for one in undone.left:
        console.print(_text((f"  left: {_fact(one.fact, names)}", _DOUBT), f": {one.why}"))


@click.command()
@click.argument("revision", required=False)
@_organization
@_limit
def log(*, database: str, as_json: bool, organization: str, revision: str | None, limit: int) -> None:
    """Show the newest changes, or the one with that number: what it closed and opened, why, and its impact."""
    from rescind.usecases import history

    service = _service(database)
    if revision is not None:
        _show_change(service, organization or _organization_of(service, revision), revision, as_json=as_json)
        return

    def asked(view: "View", _: "Sequence[View]") -> "tuple[Page[ChangeView], str, Names]":
        from rescind.store.contract import Window

        page = history.page(view, Window(limit, before=1 << 62))
        facts = [fact for found in page.items for fact in (*found.body["closed"], *found.body["opened"])]
        actors = _names(view, [found.body["actor"] for found in page.items])
        return page, _scope(view), actors | _names_of_facts(view, facts)

    page, scope, names = _looked(service, "log", organization, asked)
    newest_first = list(reversed(page.items))
    if as_json:
        _print_json({"changes": [_change(found) for found in newest_first], "total": page.total})
        return
    _show_log(newest_first, names)
    console = _console(is_aside=True)
    console.print(_text((f"{len(newest_first)} of {page.total} changes {scope}.", _ASIDE)))
    if not organization:
        console.print(_text((f"Others: --organization {_named_organizations(service)}", _ASIDE)))


COMMANDS: tuple[click.Command, ...] = (explain, access, who_can, preview, revoke, undo, log)


# --- asking ---------------------------------------------------------------------------------------------------------


def _service(database: str) -> "Service":
    """The service of a node on the database, opened as the command line opens one."""
    from rescind.settings import Settings

    context = click.get_current_context()
    node: Node = context.find_root().obj(Settings(database=database))
    context.call_on_close(node.store.close)
    return node.service


def _operator(command: str, organization: str) -> "Operator":
    from rescind.usecases.service import Operator

    return Operator(command, organization)


def _request() -> str:
    from uuid_utils import uuid7

    return str(uuid7())


def _looked(
    service: "Service",
    command: str,
    organization: str,
    usecase: "Callable[[View, Sequence[View]], Result]",
    when: "Callable[[View], Sequence[Moment]]" = lambda _: (),
) -> Result:
    """What the operator sees in a place, at the newest revision and at the moments that `when` names."""
    operator = _operator(command, organization)
    with _hinting(service, operator):
        return service.inspect_as(operator, when, usecase).result


@contextmanager
def _hinting(service: "Service", operator: "Operator") -> Iterator[None]:
    """Say of what is not found outside of all organizations that it may be inside one, and which there are."""
    from rescind.model.errors import NotFound

    try:
        yield
    except NotFound as refusal:
        if operator.organization or refusal.what == "change":
            raise
        known = _named_organizations(service)
        raise click.ClickException(f"{refusal.message} {_OUTSIDE}: is it in one? --organization {known}") from None


def _question(type_: str, subject: str, action: str, resource: str, context: str) -> "Question":
    from rescind.engine.decisions import Question

    resource_type, colon, resource_id = resource.partition(":")
    if not colon or not resource_type:
        raise click.ClickException(f"`{resource}` is not a resource: write TYPE:ID")
    try:
        read = json.loads(context)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise click.ClickException("--context is a JSON object")
    return Question(0, type_, subject, action, resource_type, resource_id, context=read)


def _demand_place(service: "Service", organization: str, type_: str) -> None:
    """Sessions are inside organizations, clients outside."""
    if type_ == "session" and not organization:
        _demand_organization(service, "a session")
    if type_ == "client" and organization:
        raise click.ClickException("a client is outside of all organizations: leave --organization away")


def _demand_organization(service: "Service", what: str) -> NoReturn:
    known = _named_organizations(service)
    raise click.ClickException(f"{what} is inside an organization: say which with --organization {known}")


def _named_organizations(service: "Service") -> str:
    """The living organizations in one line, by slug and id."""
    from rescind.usecases import platform

    found = [owned.organization for owned in service.inspect(platform.ownerships).result]
    listed = [_plain(f"{one.slug} ({one.organization.id})") for one in found[:ORGANIZATIONS_NAMED_MAX]]
    more = len(found) - len(listed)
    return " | ".join(listed) + (f" | and {more} more" if more else "")


def _organization_of(service: "Service", revision: str) -> str:
    """The id of the organization that a change was made in, empty if it was outside of all, or is not there.

    Revisions are numbers of the whole database: who names one need not know where it was made.
    """
    from rescind.model.objects import ObjectKind
    from rescind.store.contract import Window

    def asked(view: "View") -> str:
        number = int(revision) if _NUMBER.fullmatch(revision) else 0
        if not 0 < number <= view.reader.revision:
            return ""
        (change,) = view.reader.page_every_change(Window(1, after=number - 1)).items
        id_ = str(change.read()["organization"])
        return id_ if view.reader.find_object(ObjectKind.ORGANIZATION, id_) else ""

    return service.inspect(asked).result


# --- operations -----------------------------------------------------------------------------------------------------


def _verb(operation: str) -> "Verb":
    from rescind.app import VERBS

    found = VERBS.get(operation)
    if found is None:
        raise click.ClickException(f"unknown operation `{operation}`: `rescind preview --list` shows them")
    return found


def _members(verb: "Verb") -> dict[str, Any]:
    """The arguments of an operation by name, as msgspec describes them."""
    from msgspec.structs import fields

    return {field.encode_name: field for field in fields(verb.arguments)}


def _arguments(verb: "Verb", words: Sequence[str]) -> dict[str, Any]:
    """Arguments that were written as `name=value`, as the operation takes them."""
    given: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise click.ClickException(f"`{word}` is not an argument: write NAME=VALUE")
        given.setdefault(name, []).append(value)
    members = _members(verb)
    for name in given.keys() - members.keys():
        raise click.ClickException(f"`{verb.name}` takes no `{name}`, but {', '.join(members) or 'nothing'}")
    return {name: _argument(name, members[name].type, values) for name, values in given.items()}


def _argument(name: str, type_: Any, values: Sequence[str]) -> Any:
    wanted = _without_none(type_)
    if wanted is not Any and _origin(wanted) is list:
        parts = [_listed(value, is_text=wanted == list[str]) for value in values]
        return [one for part in parts for one in part]
    if len(values) > 1:
        raise click.ClickException(f"`{name}` is given more than once")
    if wanted is str:
        return values[0]
    try:
        return json.loads(values[0])
    except ValueError:
        if wanted is Any:
            return values[0]
        raise click.ClickException(f"`{name}`: `{values[0]}` is not JSON") from None


def _listed(value: str, *, is_text: bool) -> list[Any]:
    """One part of a list: JSON, or text between commas."""
    try:
        read = json.loads(value)
    except ValueError:
        read = None
    if isinstance(read, list):
        # Of pairs, one may stand alone.
        return read if is_text or not all(isinstance(one, str) for one in read) else [read]
    return [part for part in (part.strip() for part in value.split(",")) if part]


def _without_none(type_: Any) -> Any:
    from types import NoneType, UnionType
    from typing import Union, get_args

    if _origin(type_) not in (Union, UnionType):
        return type_
    return next(one for one in get_args(type_) if one is not NoneType)


def _origin(type_: Any) -> Any:
    from typing import get_origin

    return get_origin(type_)


def _placed(
    service: "Service", command: str, verb: "Verb", arguments: dict[str, Any], organization: str
) -> "tuple[Operator, Item]":
    """Where an operation is done, and it itself. An argument `organization` says the place as well as the option."""
    from inspect import signature

    from rescind.usecases.requirements import Acting
    from rescind.usecases.verbs import ORGANIZATION, Item

    place = organization or str(arguments.get(ORGANIZATION) or "")
    acting = [way.requirement.acting for way in verb.ways]
    is_inside = acting[0] is Acting.WITHIN or not {Acting.PLATFORM, Acting.WITHIN} & set(acting)
    if not place and is_inside:
        _demand_organization(service, f"`{verb.name}`")
    operator = _operator(command, place)
    if place and (acting[0] is Acting.WITHIN or ORGANIZATION in signature(verb.usecase).parameters):
        # The use case is told the id, however the operator spelled it.
        arguments = {**arguments, ORGANIZATION: _id_of(service, operator)}
    return operator, Item(verb.name, arguments)


def _id_of(service: "Service", operator: "Operator") -> str:
    def asked(view: "View", _: "Sequence[View]") -> str:
        return view.reader.objects([view.organization])[view.organization].id

    return service.inspect_as(operator, lambda _: (), asked).result


@contextmanager
def _done_by_somebody(operation: str) -> Iterator[None]:
    """Say in one line that a use case asks who acts: the operator is nobody."""
    try:
        yield
    except AssertionError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is None or trace.tb_frame.f_code.co_name not in ("actor", "guest"):
            raise
        raise click.ClickException(f"`{operation}` depends on who does it: it is not for the operator") from None


def _demand_consent(*, yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise click.ClickException("there is nobody to be asked: `rescind preview` shows what it would do, --yes does")


def _consented(
    service: "Service", shown: "Answer[Impact]", *, yes: bool, as_json: bool, if_match: str, asks: str
) -> str:
    """Show what would be done and ask; the digest of what is agreed to, empty where any will do."""
    from rescind.model.errors import Changed

    wanted = if_match.strip('"')
    if wanted and wanted != shown.result.digest:
        raise Changed(f"the impact is no longer the one that was previewed: it is {shown.result.digest} by now")
    if not (as_json and yes):
        _show_impact(_console(is_aside=as_json), shown.result, _names_in(service, shown, shown.result))
    if yes:
        return wanted
    click.confirm(asks, abort=True, err=as_json)
    return shown.result.digest


# --- names ----------------------------------------------------------------------------------------------------------


def _scope(view: "View") -> str:
    if not view.organization:
        return _OUTSIDE
    return f"in {view.reader.profiles([view.organization])[view.organization].get('name', '')}"


def _names(view: "View", ids: Iterable[str]) -> dict[str, str]:
    """What people call the objects with those ids; a membership is called as its user."""
    from rescind.model.facts import FactKind
    from rescind.model.objects import ObjectKind

    found = view.reader.find_objects(set(ids))
    members = [one.key for one in found.values() if one.kind is ObjectKind.MEMBERSHIP]
    users = {held.fact.holder: held.fact.thing for held in view.reader.intervals(members, FactKind.EXISTENCE)}
    profiles = view.reader.profiles({users.get(one.key, one.key) for one in found.values()})
    named = {}
    for id_, one in found.items():
        fields = profiles[users.get(one.key, one.key)]
        named[id_] = fields.get("email") or fields.get("name") or fields.get("resource") or id_
    return named


def _names_of_facts(view: "View", facts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The same for what facts speak of, as the log says them; who is no member by now is called as she was."""
    ids = {fact[end] for fact in facts for end in ("holder", "thing", "scope") if fact[end]}
    named = _names(view, ids)
    for fact in facts:
        if fact["fact"] == "existence" and fact["thing"] in named:
            named[fact["holder"]] = named[fact["thing"]]
    return named


def _names_of_impact(view: "View", impact: "Impact") -> dict[str, str]:
    ids = {id_ for group in impact.groups for id_ in (*group.principals, group.scope) if id_}
    return _names(view, [*ids, *impact.sessions_ended]) | _names_of_facts(view, [*impact.closed, *impact.opened])


def _names_in(service: "Service", answer: "Answer[Any]", impact: "Impact") -> Names:
    return service.look(answer, _names_of_impact, impact)


def _plain(text: str) -> str:
    """A text with nothing in it that a terminal would obey."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _time(instant: int) -> str:
    """An instant as people read it; one that no calendar has stays a number."""
    try:
        return (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="seconds")
    except OverflowError:
        return str(instant)


# --- showing --------------------------------------------------------------------------------------------------------


class _Watched:
    """A reader that says how many principals it gave, of how many."""

    def __init__(self, reader: "Reader", seen: Callable[[int, int], None]) -> None:
        self._reader = reader
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def page_objects(self, *args: Any, **kwargs: Any) -> Any:
        """See `contract.Reader.page_objects`."""
        page = self._reader.page_objects(*args, **kwargs)
        self._seen(len(page.items), page.total)
        return page


@contextmanager
def _progress(said: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal while something is gone through, and nothing of it afterwards."""
    from rich.progress import Progress

    console = _console(is_aside=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(said, total=None)
        yield lambda count, total: bar.update(task, advance=count, total=total)


def _console(*, is_aside: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=is_aside, highlight=False)


def _print_json(said: Any) -> None:
    click.echo(json.dumps(said))


def _text(*parts: str | tuple[str, str]) -> "Text":
    """Texts, each with its style if it has one."""
    from rich.text import Text

    styled = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((_plain(said), style) for said, style in styled))


def _tree(label: "Text") -> "Tree":
    from rich.tree import Tree

    return Tree(label, guide_style=_ASIDE)


def _grow(tree: "Tree", because: "Iterable[Because]", cut: "Collection[Step]" = ()) -> None:
    """Hang statements into a tree, below the edges that lead to them; those of a cut are red."""
    places: dict[tuple[Step, ...], Tree] = {(): tree}
    for held in because:
        for path in held.paths:
            steps = tuple(path)
            for end, step in enumerate(steps, 1):
                if steps[:end] not in places:
                    label = _text((_called(step), f"bold {_LOST}" if step in cut else ""), *_until(step.expires_at))
                    if step in cut:
                        label.append("  ends it", style=_LOST)
                    places[steps[:end]] = places[steps[: end - 1]].add(label)
            places[steps].add(_statement(held.statement))


def _called(step: "Step") -> str:
    """What an edge leads to, by kind and name."""
    if step.edge == "root":
        return f"owner of {step.name}"
    return f"{step.kind.replace('_', ' ')} {step.name or step.id}"


def _until(expires_at: int | None) -> list[tuple[str, str]]:
    return [] if expires_at is None else [(f" until {_time(expires_at)}", _DOUBT)]


def _by(path: "Sequence[Step]") -> "Text":
    """A path in one line."""
    by = _text(("by ", _ASIDE))
    for number, step in enumerate(path):
        by.append(_text((" → " if number else "", _ASIDE), _called(step), *_until(step.expires_at)))
    return by


def _statement(said: "Statement") -> "Text":
    style = _GAINED if said.effect == "Allow" else _LOST
    words = f" {', '.join(said.actions)} on {', '.join(said.resources)}"
    return _text((said.effect, style), words, *_if(said.condition.block if said.condition else None))


def _if(block: Mapping[str, Any] | None, word: str = "if") -> list[tuple[str, str]]:
    return [(f" {word} {json.dumps(block, ensure_ascii=False)}", _DOUBT)] if block else []


def _hang_rows(tree: "Tree", rows: "Sequence[Loses] | None", sign: str, style: str) -> None:
    """Hang what is lost or gained into a tree, each with its paths, and in green what covers the rest of it."""
    if rows is None:
        tree.add(_text(("too many patterns to be told apart", _DOUBT)))
        return
    for found in rows:
        row = found.row
        verdict = _VERDICTS[row.verdict]
        line = _text((f"{sign} {row.action} on {row.resource}", style))
        line.append(_text(*_if(row.condition.block if row.condition else None), (verdict and f" {verdict}", _DOUBT)))
        branch = tree.add(line)
        for path in found.paths:
            branch.add(_by(path))
        for kept in found.still:
            stays = branch.add(_text(("stays: ", _GAINED)).append(_statement(kept.statement)))
            for path in kept.paths:
                stays.add(_by(path))


def _show_difference(console: "Console", compared: "Difference", since: str) -> None:
    tree = _tree(_text((f"Since {since}", "bold")))
    _hang_rows(tree, compared.lost, "-", _LOST)
    _hang_rows(tree, compared.gained, "+", _GAINED)
    if not compared.lost and not compared.gained:
        tree.add(_text(("nothing was lost or gained", _ASIDE)))
    console.print(tree)


def _show_impact(console: "Console", impact: "Impact", names: Names) -> None:
    """Say what a write would do: what it closes and opens, who loses and gains what, and what goes with it."""
    for fact in impact.closed:
        console.print(_text((f"- {_fact(fact, names)}", _LOST)))
    for fact in impact.opened:
        console.print(_text((f"+ {_fact(fact, names)}", _GAINED)))
    for group in impact.groups:
        console.print(_group(group, names))
    if not impact.groups:
        console.print(_text(("Nobody loses or gains anything.", _ASIDE)))
    if impact.more_groups:
        console.print(_text((f"And {impact.more_groups} more groups of principals.", _DOUBT)))
    for session in impact.sessions_ended:
        console.print(_text((f"- session {names.get(session, session)} ends", _LOST)))
    for api, until in impact.tokens:
        console.print(_text((f"Tokens for {api} may be good elsewhere until {_time(until)}.", _DOUBT)))
    holds = "until something is written"
    if impact.holds_until is not None:
        holds += f", or until {_time(impact.holds_until)}"
    console.print(_text((f"{impact.touched} principals looked at. This holds {holds}.", _ASIDE)))
    console.print(_text((f"Digest: {impact.digest}", _ASIDE)), soft_wrap=True)


def _group(group: "Group", names: Names) -> "Tree":
    who = ", ".join(names.get(one, one) for one in group.principals)
    more = group.count - len(group.principals)
    where = f"in {names.get(group.scope, group.scope)}" if group.scope else _OUTSIDE
    tree = _tree(_text((who, "bold"), f" and {more} more" if more else "", f" ({group.type}) {where}"))
    if group.before != group.after:
        before, after = (_REASONS[state] if state else "as statements say" for state in (group.before, group.after))
        tree.add(_text((f"{before} → {after}", _DOUBT)))
    _hang_rows(tree, group.lost, "-", _LOST)
    _hang_rows(tree, group.gained, "+", _GAINED)
    for word, (_, total), style in (("lost", group.known_lost, _LOST), ("gained", group.known_gained, _GAINED)):
        if total:
            tree.add(_text((f"{total} known requests {word}", style)))
    return tree


def _fact(fact: Mapping[str, Any], names: Names) -> str:
    """A fact of the log in short words."""
    holder, thing, scope = (names.get(fact[end], fact[end]) for end in ("holder", "thing", "scope"))
    said = f"{fact['fact'].replace('_', ' ')}: {holder}"
    if fact["fact"] == "existence":
        # What exists is somebody's, or is the person herself as a member.
        said += f" of {thing}" if thing and thing != holder else ""
        said += f" in {scope}" if scope else ""
    elif thing:
        said += f" → {thing}"
    return said + (f" until {_time(fact['expires_at'])}" if fact["expires_at"] is not None else "")


def _show_candidates(found: "Sequence[Candidate]", names: Names, asked: str, *, is_more: bool) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    console = _console()
    table = Table(
        Column("Who", overflow="fold"),
        "When",
        Column("Conditions", overflow="fold"),
        title=_text((asked, "bold")),
        show_lines=True,
    )
    for one in found:
        who = _text(names.get(one.name, one.name))
        if one.name in names and names[one.name] != one.name:
            who.append("\n").append(_text((one.name, _ASIDE)))
        when = Text("always", style=_GAINED) if one.when == "always" else Text("only if", style=_DOUBT)
        lines = [_text(*_if(condition.block)) for condition in one.conditions]
        lines += [_text(*_if(condition.block, "unless")) for condition in one.unless]
        table.add_row(who, when, Text("\n").join(lines))
    if found:
        console.print(table)
    else:
        console.print(_text(f"Nobody: {asked}."))
    if is_more:
        console.print(_text(("There are more: raise the --limit.", _DOUBT)))


def _show_log(changes: "Sequence[ChangeView]", names: Names) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column("Revision", justify="right"),
        Column("Time", overflow="fold"),
        Column("Operation", overflow="fold"),
        Column("Actor", overflow="fold"),
        Column("Closed and opened", overflow="fold"),
    )
    for found in changes:
        body = found.body
        facts = [(fact, "-", _LOST) for fact in body["closed"]] + [(fact, "+", _GAINED) for fact in body["opened"]]
        lines = [_text((f"{sign} {_fact(fact, names)}", style)) for fact, sign, style in facts[:FACTS_SHOWN]]
        if len(facts) > FACTS_SHOWN:
            lines.append(_text((f"and {len(facts) - FACTS_SHOWN} more", _ASIDE)))
        table.add_row(
            str(found.change.revision),
            _time(found.change.time),
            _text(_operation(body)),
            _text(names.get(body["actor"], body["actor"])),
            Text("\n").join(lines),
        )
    _console().print(table)


def _operation(body: Mapping[str, Any]) -> str:
    """What a change was, and what was done in it, where it was done under another name."""
    inner = (body.get("cause") or {}).get("operations", ())
    return f"{body['operation']} ({', '.join(inner)})" if inner else str(body["operation"])


def _show_change(service: "Service", organization: str, revision: str, *, as_json: bool) -> None:
    from rescind.usecases import history

    def asked(view: "View", past: "Sequence[View]") -> "tuple[ChangeView, Impact | None, Names]":
        found, impact = history.get(view, past, revision=revision)
        facts = [*found.body["closed"], *found.body["opened"]]
        names = _names(view, [found.body["actor"]]) | _names_of_facts(view, facts)
        return found, impact, names | (_names_of_impact(view, impact) if impact else {})

    found, impact, names = _looked(
        service, "log", organization, asked, lambda view: history.around(view, revision=revision)
    )
    body, change = found.body, found.change
    if as_json:
        _print_json(_change(found, impact))
        return
    _show_body(_console(), change, body, impact, names)


def _show_body(
    console: "Console", change: "Change", body: Mapping[str, Any], impact: "Impact | None", names: Names
) -> None:
    console.print(_text((f"Revision {change.revision}", "bold"), f"  {_time(change.time)}  {_operation(body)}"))
    by = f"by {names.get(body['actor'], body['actor'])}"
    console.print(_text(by, f" with key {body['credential']}" if body["credential"] else ""))
    if body.get("cause"):
        console.print(_text(f"cause: {json.dumps(body['cause'], ensure_ascii=False)}"))
    for title, facts, sign, style in (("Before", body["closed"], "-", _LOST), ("After", body["opened"], "+", _GAINED)):
        tree = _tree(_text((title, "bold")))
        for fact in facts:
            branch = tree.add(_text((f"{sign} {_fact(fact, names)}", style)))
            if fact["value"] is not None:
                branch.add(_text((fact["value"], _ASIDE)))
        if facts:
            console.print(tree)
    for group in impact.groups if impact else ():
        console.print(_group(group, names))
    if impact and not impact.groups:
        console.print(_text(("Nobody lost or gained anything.", _ASIDE)))
    console.print(_text((f"Digest of the log: {change.digest}", _ASIDE)), soft_wrap=True)


def _list_operations(*, as_json: bool) -> None:
    from rich.table import Column, Table

    from rescind.app import VERBS
    from rescind.usecases.revocations import TAKING

    listed = sorted(VERBS.items())
    if as_json:
        _print_json([{"operation": name, "revocation": name in TAKING, **_described(verb)} for name, verb in listed])
        return
    table = Table(Column("Operation", no_wrap=True), Column("Arguments", overflow="fold"), "Revokes", show_lines=True)
    for name, verb in listed:
        said = [(f"{one}={_kind(field.type)}", field.required) for one, field in _members(verb).items()]
        words = _text(" ".join(text if is_required else f"[{text}]" for text, is_required in said) or "none")
        words.append("\n").append(_text((_summary(verb), _ASIDE)))
        table.add_row(_text(name), words, "yes" if name in TAKING else "")
    _console().print(table)


def _described(verb: "Verb") -> dict[str, Any]:
    return {
        "arguments": [
            {"name": name, "type": _kind(field.type), "required": field.required}
            for name, field in _members(verb).items()
        ],
        "summary": _summary(verb),
    }


def _summary(verb: "Verb") -> str:
    return (verb.usecase.__doc__ or "").strip().partition("\n")[0]


def _kind(type_: Any) -> str:
    wanted = _without_none(type_)
    if wanted is str:
        return "TEXT"
    if wanted == list[str]:
        return "TEXT,…"
    if wanted is int:
        return "NUMBER"
    if wanted is bool:
        return "true|false"
    return "[[TEXT,TEXT],…]" if wanted is not Any and _origin(wanted) is list else "JSON"


# --- what machines read: as the API says it -------------------------------------------------------------------------


def _impact(impact: "Impact", operation: str, moment: "Moment") -> dict[str, Any]:
    from rescind.api.impacts import impact_said

    return impact_said(impact, operation, moment).model_dump()


def _explained(found: "Explanation") -> dict[str, Any]:
    from rescind.api.native.reasons import explanation_said

    return explanation_said(found).model_dump()


def _accessed(found: "AccessView", compared: "Difference | None") -> dict[str, Any]:
    from rescind.api.native.reasons import access_said

    return access_said(found, compared).model_dump()


def _candidate(found: "Candidate") -> dict[str, Any]:
    from rescind.api.native.reasons import could_said

    return could_said(found).model_dump()


def _change(found: "ChangeView", impact: "Impact | None" = None) -> dict[str, Any]:
    from rescind.api.native.changes import change_said

    return change_said(found, impact).model_dump()
