"""Asking: the service on a database, questions, and which organization they are about."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from rescind.engine.decisions import Question
from rescind.engine.freshness import Moment
from rescind.model.errors import NotFound
from rescind.model.objects import ObjectKind
from rescind.settings import Settings
from rescind.store.contract import Window
from rescind.terminal.names import OUTSIDE, plain
from rescind.usecases import platform
from rescind.usecases.service import Operator, Service
from rescind.usecases.unit import View

if TYPE_CHECKING:
    from rescind.node import Node

Result = TypeVar("Result")

ORGANIZATIONS_NAMED_MAX = 20
"""How many organizations an error names."""
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def open_service(database: str) -> Service:
    """The service of a node on the database, opened as the command line opens one and closed with the command."""
    context = click.get_current_context()
    node: Node = context.find_root().obj(Settings(database=database))
    context.call_on_close(node.store.close)
    return node.service


def look(
    service: Service,
    command: str,
    organization: str,
    usecase: Callable[[View, Sequence[View]], Result],
    when: Callable[[View], Sequence[Moment]] = lambda _: (),
) -> Result:
    """What the operator sees in a place, at the newest revision and at the moments that `when` names."""
    operator = Operator(command, organization)
    with hinting(service, operator):
        return service.inspect_as(operator, when, usecase).result


@contextmanager
def hinting(service: Service, operator: Operator) -> Iterator[None]:
    """Say of what is not found outside of all organizations that it may be inside one, and which there are."""
    try:
        yield
    except NotFound as refusal:
        if operator.organization or refusal.what == "change":
            raise
        known = named_organizations(service)
        raise click.ClickException(f"{refusal.message} {OUTSIDE}: is it in one? --organization {known}") from None


def read_question(type_: str, subject: str, action: str, resource: str, context: str) -> Question:
    """The question that a command's words ask; `resource` is TYPE:ID, `context` a JSON object.

    Raises `ClickException` for other words.
    """
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


def demand_place(service: Service, type_: str, organization: str) -> None:
    """Refuse a session outside of organizations, and a client inside one."""
    if type_ == "session" and not organization:
        refuse_outside(service, "a session")
    if type_ == "client" and organization:
        raise click.ClickException("a client is outside of all organizations: leave --organization away")


def refuse_outside(service: Service, what: str) -> NoReturn:
    """Say that `what` is only to be had inside an organization, and which there are."""
    known = named_organizations(service)
    raise click.ClickException(f"{what} is inside an organization: say which with --organization {known}")


def named_organizations(service: Service) -> str:
    """The living organizations in one line, by slug and id; of many, the first."""
    found = [owned.organization for owned in service.inspect(platform.ownerships).result]
    listed = [plain(f"{one.slug} ({one.organization.id})") for one in found[:ORGANIZATIONS_NAMED_MAX]]
    more = len(found) - len(listed)
    return " | ".join(listed) + (f" | and {more} more" if more else "")


def organization_of(service: Service, revision: str) -> str:
    """The id of the organization that a change was made in, empty if it was outside of all, or is not there.

    Revisions are numbers of the whole database: who names one need not know where it was made.
    """

    def asked(view: View) -> str:
        number = int(revision) if _NUMBER.fullmatch(revision) else 0
        if not 0 < number <= view.reader.revision:
            return ""
        (change,) = view.reader.page_every_change(Window(1, after=number - 1)).items
        id_ = str(change.read()["organization"])
        return id_ if view.reader.find_object(ObjectKind.ORGANIZATION, id_) else ""

    return service.inspect(asked).result
