"""Registered resources: what enforcement points ask about, with properties that conditions read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rescind.engine.resources import find_resource, named_by, resource_field
from rescind.model.errors import Invalid, NotFound
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits
from rescind.usecases.properties import properties_of, set_properties
from rescind.usecases.unit import Unit, View


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource as enforcement points know it in one scope."""

    type: str
    id: str
    properties: Mapping[str, Any]


def page(view: View, window: Window) -> Page[ResourceView]:
    """The registered resources of this scope, by age."""
    found = view.reader.page_objects(ObjectKind.RESOURCE, (view.organization,), window)
    fields = view.reader.profiles([resource.key for resource in found.items])
    described = [
        ResourceView(*named_by(fields[resource.key]["resource"]), properties_of(view, resource))
        for resource in found.items
    ]
    return Page(described, found.total, found.before, found.after)


def get(view: View, resource_type: str, resource_id: str) -> ResourceView:
    """One registered resource."""
    return ResourceView(resource_type, resource_id, properties_of(view, _find(view, resource_type, resource_id)))


def put(unit: Unit, *, resource_type: str, resource_id: str, properties: Mapping[str, Any]) -> None:
    """Register a resource, or leave it registered, with these properties and no others."""
    found = find_resource(unit.reader, unit.organization, resource_type, resource_id)
    if found is None:
        limits.name(resource_id, "id")
        if any(letter.isspace() or letter in ":*/" for letter in limits.name(resource_type, "type")):
            raise Invalid("a resource's type must not hold white space, `:`, `*` or `/`")
        # Its organization is named by its existence: who found that there is no such resource learns of it by that.
        found = unit.create(ObjectKind.RESOURCE, thing=unit.organization, scope=unit.organization)
        unit.write_profile(found, resource=resource_field(unit.organization, resource_type, resource_id))
    set_properties(unit, found, properties)


def delete(unit: Unit, *, resource_type: str, resource_id: str) -> None:
    """Forget a resource with its properties; policies that name it stay."""
    unit.end(_find(unit, resource_type, resource_id))


def _find(view: View, resource_type: str, resource_id: str) -> Object:
    found = find_resource(view.reader, view.organization, resource_type, resource_id)
    if found is None:
        raise NotFound(ObjectKind.RESOURCE.label)
    return found
