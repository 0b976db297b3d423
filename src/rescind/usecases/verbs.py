"""Verbs: use cases by their names in the log, as they can be asked for with plain arguments, one or many at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isclass, signature
from typing import Any, get_type_hints, is_typeddict

import msgspec

from rescind.model.errors import Invalid, NotFound
from rescind.model.objects import ObjectKind
from rescind.usecases.actor import Actor
from rescind.usecases.requirements import Acting, Requirement
from rescind.usecases.service import demand, in_named_organization, operation_of
from rescind.usecases.unit import Unit

_PLAIN: dict[Any, Any] = {
    str: str,
    str | None: str | None,
    int: int,
    int | None: int | None,
    bool: bool,
    bool | None: bool | None,
    object: Any,
    object | None: Any,
    Sequence[str]: list[str],
    Sequence[str] | None: list[str] | None,
    Sequence[tuple[str, str]]: list[tuple[str, str]],
    Sequence[tuple[str, str | None]] | None: list[tuple[str, str | None]] | None,
    Mapping[str, Any]: dict[str, Any],
    Mapping[str, Any] | None: dict[str, Any] | None,
}
"""What arguments may be, and how they are read; whatever else a use case takes is not for everybody to say."""
_BESIDE: Mapping[str, Any] = {"password_verifier": None, "signing_secret": None, "with_link": False}
"""What doors bring beside what they are asked: it is not asked for here, and what is planned hangs on none of it."""
PRIVATE_ADDRESSES = "may_be_private"
"""What the server's settings say."""
ORGANIZATION = "organization"
_AS_PERSON = (Acting.PERSON, Acting.HEIR)


@dataclass(frozen=True, slots=True)
class Way:
    """One row of a door: what a call requires, and the argument that names what it is about."""

    requirement: Requirement
    target: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One use case: `arguments` reads what it takes, `ways` are the rows by which it may be asked for."""

    name: str
    usecase: Callable[..., Any]
    arguments: type[msgspec.Struct]
    ways: tuple[Way, ...]


Verbs = Mapping[str, Verb]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be done: a verb by name, with its arguments."""

    operation: str
    arguments: Mapping[str, Any]


def verbs_of(rows: Iterable[tuple[Callable[..., Any], Requirement, str]]) -> dict[str, Verb]:
    """The verbs of doors' rows: each a use case, what it requires, and the first thing that its path names."""
    found: dict[str, Verb] = {}
    for usecase, requirement, named in rows:
        parameters = list(signature(usecase).parameters.values())
        hints = get_type_hints(usecase)
        if hints.get(parameters[0].name) is not Unit or requirement.acting not in _ASKED_PLAINLY:
            continue
        taken = parameters[1:]
        taken = [one for one in taken if one.name not in (*_BESIDE, PRIVATE_ADDRESSES)]
        if not all(hints[one.name] in _PLAIN or _has_shape(hints[one.name]) for one in taken):
            continue
        target = next((one.name for one in taken if named and one.name in (named, f"{named}s")), "")
        if named and not target and requirement.acting is not Acting.WITHIN:
            target = taken[0].name if taken else ""
        name = operation_of(usecase)
        ways = (*(found[name].ways if name in found else ()), Way(requirement, target))
        members = [
            (one.name, _PLAIN.get(hints[one.name], hints[one.name]))
            if one.default is one.empty
            else (one.name, _PLAIN.get(hints[one.name], hints[one.name]), one.default)
            for one in taken
        ]
        if requirement.acting is Acting.WITHIN or any(way.requirement.acting is Acting.WITHIN for way in ways):
            members = [*(one for one in members if one[0] != ORGANIZATION), (ORGANIZATION, str | None, None)]
        arguments = msgspec.defstruct(f"{name} arguments", members, forbid_unknown_fields=True, kw_only=True)
        found[name] = Verb(name, usecase, arguments, ways)
    return found


_OF_MEMBERS = (Acting.KEY, Acting.HERE, Acting.SESSION, *_AS_PERSON)
_ASKED_PLAINLY = (*_OF_MEMBERS, Acting.PLATFORM, Acting.WITHIN)


def _has_shape(hint: Any) -> bool:
    """Whether a type says itself which members there may be."""
    return is_typeddict(hint) or (isclass(hint) and issubclass(hint, msgspec.Struct))


def run(unit: Unit, verbs: Verbs, items: Sequence[Item], *, may_be_private: bool = False) -> None:
    """Do several things in one unit, each as if it was asked for alone: all or none.

    `may_be_private` is what the server's settings say of private addresses.
    """
    asks, outside = unit.asks, unit.organization
    places = {}
    beside = {**_BESIDE, PRIVATE_ADDRESSES: may_be_private}
    unit.cause = {"operations": [item.operation for item in items]}
    for item in items:
        verb = verbs.get(item.operation)
        if verb is None:
            raise Invalid(f"unknown operation `{item.operation}`")
        try:
            arguments = msgspec.structs.asdict(msgspec.convert(dict(item.arguments), verb.arguments, strict=True))
        except msgspec.ValidationError as error:
            raise Invalid(f"`{item.operation}`: {error}") from None
        with unit.seeing_its_plan():
            taken = signature(verb.usecase).parameters
            place = arguments.pop(ORGANIZATION, None) if ORGANIZATION not in taken else None
            way = _way(unit, verb, is_within=place is not None)
            if way.requirement.acting in _AS_PERSON:
                _enter_as_person(unit, arguments.get(ORGANIZATION) or "", way.requirement.acting)
            elif place is not None:
                _enter(unit, place)
            _demand(unit, way, arguments)
            verb.usecase(unit, **arguments, **{name: value for name, value in beside.items() if name in taken})
        places[unit.organization] = unit.asks
        unit.asks, unit.organization = asks, outside
    if len(places) == 1:
        # What was all done in one organization is in its log.
        ((unit.organization, unit.asks),) = places.items()
    elif any(other is not asks for other in places.values()):
        # Whether somebody grants what he does not hold is asked of him in one place.
        raise Invalid("what is done in another organization of yours is done in a call of its own")


def _way(unit: Unit, verb: Verb, *, is_within: bool) -> Way:
    """The row by which who asks may ask for a verb, `within` an organization that he names or not.

    The operator may by any, and a member names no organization but her own.
    """
    for way in verb.ways:
        acting = way.requirement.acting
        is_meant = (acting is Acting.WITHIN) == is_within
        if unit.is_administered:
            if is_meant and (acting in (Acting.PLATFORM, Acting.WITHIN) or way.requirement.administrators):
                return way
        elif unit.asks is None or acting in _OF_MEMBERS:
            return way
    where = "in an organization" if is_within else "outside of organizations"
    raise Invalid(f"`{verb.name}` is not for who asks, {where}")


def _enter(unit: Unit, organization: str) -> None:
    """Go on in an organization. Raises `NotFound` for one in which who asks is not."""
    found = unit.get(ObjectKind.ORGANIZATION, organization)
    if not unit.is_administered and unit.asks is not None and found.key != unit.organization:
        raise NotFound(ObjectKind.ORGANIZATION.label)
    unit.organization = found.key


def _enter_as_person(unit: Unit, organization: str, acting: Acting) -> None:
    """Go on in an organization as who asks is a member there. Raises any refusal."""
    if not isinstance(unit.asks, Actor):
        _enter(unit, organization)
        return
    there = in_named_organization(unit.reader, unit.asks, organization, may_have_ended=acting is Acting.HEIR)
    if there.organization != unit.organization:
        unit.asks, unit.organization = there, there.organization


def _demand(unit: Unit, way: Way, arguments: Mapping[str, Any]) -> None:
    """Demand what the row requires, for each thing that the call is about."""
    if unit.asks is None:
        return
    if unit.is_administered:
        way.requirement.demand_scope(unit.actor, is_own=False)
        return
    named = arguments.get(way.target, "") if way.target else ""
    for target in (named or [""]) if isinstance(named, list) else [named]:
        demand(unit.reader, unit.actor, way.requirement, target)
