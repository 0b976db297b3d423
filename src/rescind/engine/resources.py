"""Registered resources: what enforcement points ask about, known by type and id in one scope."""

from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Reader

RESOURCE_FIELD = "resource"
"""Under what a resource's name is stored."""


def resource_field(scope: int, type_: str, id_: str) -> str:
    """What is stored of a resource's name: it is one in its scope alone."""
    return f"{scope}/{type_}:{id_}"


def named_by(field: str) -> tuple[str, str]:
    """The type and the id of which that was made."""
    type_, _, id_ = field.partition("/")[2].partition(":")
    return type_, id_


def find_resource(reader: Reader, scope: int, type_: str, id_: str) -> Object | None:
    """The registered resource of that type and id in a scope, by key."""
    if ":" in type_:
        # No type has one, and an id may: what is stored would be read as another resource.
        return None
    found = reader.find_named(RESOURCE_FIELD, resource_field(scope, type_, id_))
    return found if found and found.kind is ObjectKind.RESOURCE and found.owner == scope else None
