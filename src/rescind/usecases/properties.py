"""What enforcement points know of principals: the alias by which they call one, and properties that conditions read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rescind.engine.decisions import properties_in
from rescind.engine.principals import EMAIL_PREFIX, alias_field
from rescind.model.errors import Conflict, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import limits
from rescind.usecases.unit import Unit, View

PRINCIPAL = "principal"
PROPERTIES_BYTES_MAX = 16 * 1024
_UUID_LENGTH = 36
_TAKEN = ("id", "type")
"""What conditions read under these names is never stored."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PrincipalView:
    """A user or client as enforcement points know it in one scope."""

    principal: Object
    alias: str | None
    properties: Json


def get(view: View, principal: str) -> PrincipalView:
    """One principal of this scope."""
    who, holder = _find(view, principal)
    return PrincipalView(who, alias_of(view, holder), properties_of(view, holder))


def update(unit: Unit, *, principal: str, changes: Mapping[str, Any]) -> str:
    """Set what `changes` names: `alias`, None for none, and members of `properties`, None to take one away."""
    _, holder = _find(unit, principal)
    if not changes.keys() <= {"alias", "properties"}:
        raise Invalid("only `alias` and `properties` can be changed")
    if not isinstance(changes.get("alias"), str | None) or not isinstance(changes.get("properties"), Mapping | None):
        raise Invalid("`alias` must be a string and `properties` an object, or null")
    if "alias" in changes:
        _set_alias(unit, holder, changes["alias"])
    if "properties" in changes:
        known = {} if changes["properties"] is None else dict(properties_of(unit, holder))
        kept = {**known, **(changes["properties"] or {})}
        set_properties(unit, holder, {name: value for name, value in kept.items() if value is not None})
    return principal


def alias_of(view: View, holder: Object) -> str | None:
    """The alias of a membership, user or client in its scope."""
    stored = view.reader.profiles([holder.key])[holder.key].get("alias")
    return stored.partition("/")[2] if stored else None


def properties_of(view: View, holder: Object) -> Json:
    """What is stored of a principal or resource here."""
    return properties_in(view.reader, holder.key)


def set_properties(unit: Unit, holder: Object, properties: Json) -> None:
    """Store properties in place of those there were."""
    for name in _TAKEN:
        if name in properties:
            raise Invalid(f"`properties` must not hold `{name}`: that is what it is called")
    text = json.dumps(properties, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if len(text.encode()) > PROPERTIES_BYTES_MAX:
        raise Invalid("`properties` are longer than 16 KiB")
    place = Fact(FactKind.PROPERTIES, holder.key, scope=unit.organization, value=text)
    if properties:
        unit.open(place)
    else:
        unit.close(place)


def _find(view: View, principal: str) -> tuple[Object, Object]:
    """The user or client with that id, and what her assignments hang on here."""
    try:
        who = view.user(principal)
    except NotFound:
        client = view.lookup(ObjectKind.CLIENT, principal) if view.organization == PLATFORM else None
        if client is None or not view.exists(client.key):
            raise NotFound(PRINCIPAL) from None
        return client, client
    try:
        return who, view.holder(principal)
    except NotFound:
        raise NotFound(PRINCIPAL) from None


def _set_alias(unit: Unit, holder: Object, alias: str | None) -> None:
    if alias is None:
        unit.write_profile(holder, alias=None)
        return
    checked = limits.name(alias, "alias")
    if any(letter.isspace() or letter in "@|/" for letter in checked) or checked.startswith(EMAIL_PREFIX):
        raise Invalid("`alias` must not hold white space, `@`, `|` or `/`, nor begin with `email:`")
    if len(checked) == _UUID_LENGTH and checked.count("-") == 4:
        raise Invalid("`alias` must not look like an id")
    field = alias_field(unit.organization, checked)
    known = unit.reader.find_named("alias", field)
    if known is not None and known.key != holder.key:
        raise Conflict(PRINCIPAL, f"`alias` `{checked}` is another principal's")
    unit.write_profile(holder, alias=field)
