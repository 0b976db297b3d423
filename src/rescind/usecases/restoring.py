"""Bringing back what was deleted. Existence alone was ended, so existence alone is opened again."""

from rescind.model.errors import NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.usecases.limits import RESTORE_MICROSECONDS_MAX
from rescind.usecases.unit import Unit


def restore_object(unit: Unit, kind: ObjectKind, identifier: str) -> Object:
    """Bring back an object of this organization, or leave a living one as it is.

    Its edges count again, but for those that were ended meanwhile and those to what does not exist. After 90 days
    it is not found.
    """
    found = unit.find(kind, identifier)
    if found is None:
        raise NotFound(kind.label)
    return reopen(unit, unit.owned(found))


def reopen(unit: Unit, found: Object) -> Object:
    """Open the existence of an object again, unless it lives or ended too long ago."""
    if unit.exists(found.key):
        return found
    ended = unit.reader.ended(found.key)
    if ended is None or unit.reader.instant - ended[1] > RESTORE_MICROSECONDS_MAX:
        raise NotFound(found.kind.label)
    unit.open(Fact(FactKind.EXISTENCE, found.key))
    return found
