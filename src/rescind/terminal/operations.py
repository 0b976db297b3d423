"""Operations by their names in the log: which there are, how their arguments are written, where one is done."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from traceback import walk_tb
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import click
from msgspec.structs import FieldInfo, fields

from rescind.app import VERBS
from rescind.terminal.asking import refuse_outside
from rescind.usecases.requirements import Acting
from rescind.usecases.revocations import TAKING
from rescind.usecases.service import Operator, Service
from rescind.usecases.unit import View
from rescind.usecases.verbs import ORGANIZATION, Item, Verb


def find(operation: str) -> Verb:
    """The operation of that name. Raises `ClickException`."""
    found = VERBS.get(operation)
    if found is None:
        raise click.ClickException(f"unknown operation `{operation}`: `rescind preview --list` shows them")
    return found


def described() -> list[dict[str, Any]]:
    """Every operation, by name: whether it is a revocation, its arguments and how they are written, its summary."""
    return [
        {
            "operation": name,
            "revocation": name in TAKING,
            "arguments": [
                {"name": member, "type": _written(field.type), "required": field.required}
                for member, field in _members(verb).items()
            ],
            "summary": (verb.usecase.__doc__ or "").strip().partition("\n")[0],
        }
        for name, verb in sorted(VERBS.items())
    ]


def read_arguments(verb: Verb, words: Sequence[str]) -> dict[str, Any]:
    """Arguments that were written as `name=value`, as the operation takes them. Raises `ClickException`.

    What is missing, or of the wrong kind, the operation itself refuses.
    """
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


def placed(
    service: Service, command: str, verb: Verb, arguments: Mapping[str, Any], organization: str
) -> tuple[Operator, Item]:
    """Where an operation is done, and it itself. An argument `organization` says the place as well as the option."""
    place = organization or str(arguments.get(ORGANIZATION) or "")
    acting = [way.requirement.acting for way in verb.ways]
    is_inside = acting[0] is Acting.WITHIN or not {Acting.PLATFORM, Acting.WITHIN} & set(acting)
    if not place and is_inside:
        refuse_outside(service, f"`{verb.name}`")
    operator = Operator(command, place)
    if place and (acting[0] is Acting.WITHIN or ORGANIZATION in signature(verb.usecase).parameters):
        # The use case is told the id, however the operator spelled it.
        arguments = {**arguments, ORGANIZATION: _id_of_place(service, operator)}
    return operator, Item(verb.name, arguments)


@contextmanager
def needing_nobody(operation: str) -> Iterator[None]:
    """Say in one line of an operation that asks who acts that it is not for the operator, who is nobody."""
    try:
        yield
    except AssertionError as error:
        *_, (innermost, _) = walk_tb(error.__traceback__)
        # `View` asserts there that somebody asks.
        if innermost.f_code.co_name not in ("actor", "guest"):
            raise
        raise click.ClickException(f"`{operation}` depends on who does it: it is not for the operator") from None


def _id_of_place(service: Service, operator: Operator) -> str:
    def asked(view: View, _: Sequence[View]) -> str:
        return view.reader.objects([view.organization])[view.organization].id

    return service.inspect_as(operator, lambda _: (), asked).result


def _members(verb: Verb) -> dict[str, FieldInfo]:
    """The arguments of an operation by name."""
    return {field.encode_name: field for field in fields(verb.arguments)}


def _written(type_: Any) -> str:
    """How a value of that type is written in `NAME=VALUE`."""
    wanted = _without_none(type_)
    if wanted is str:
        return "TEXT"
    if wanted == list[str]:
        return "TEXT,…"
    if wanted is int:
        return "NUMBER"
    if wanted is bool:
        return "true|false"
    return "[[TEXT,TEXT],…]" if get_origin(wanted) is list else "JSON"


def _argument(name: str, type_: Any, values: Sequence[str]) -> Any:
    wanted = _without_none(type_)
    if get_origin(wanted) is list:
        return [one for value in values for one in _listed(value, is_text=wanted == list[str])]
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
        is_pair = bool(read) and not is_text and all(isinstance(one, str) for one in read)
        return [read] if is_pair else read
    return [part for part in (part.strip() for part in value.split(",")) if part]


def _without_none(type_: Any) -> Any:
    if get_origin(type_) not in (Union, UnionType):
        return type_
    return next(one for one in get_args(type_) if one is not NoneType)
