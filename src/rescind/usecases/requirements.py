"""Requirements: what a call needs, as data. Each door has one table of them; `service` evaluates every one."""

from dataclasses import dataclass
from enum import Enum, auto

from rescind.model.errors import Forbidden
from rescind.usecases.actor import Actor


class Acting(Enum):
    """In which organization a call acts."""

    KEY = auto()
    """The organization of the key that is presented."""
    HERE = auto()
    """The same, and that organization is the target of the call."""
    PERSON = auto()
    """The organization that the call names, as the person behind the key; she must be a member there."""
    HEIR = auto()
    """As a person, and the organization may have ended: then its root alone may act."""
    EVERYWHERE = auto()
    """Each of the person's organizations on its own; the use case asks for the right in every one."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Any group of `any_of` suffices, and of a group every action must be allowed on the call's target.

    The target is the object of type `on` that the path names first, or none for a list or creation. With `own`
    nothing is required of a user who asks about herself. No group at all requires only a live credential.
    """

    any_of: tuple[tuple[str, ...], ...]
    on: str
    own: bool = False
    acting: Acting = Acting.KEY

    def demand(self, actor: Actor, target_id: str) -> None:
        """Raise `Forbidden` unless the actor may."""
        if not self.any_of or (self.own and self.on == "user" and target_id == actor.user.id):
            return
        for group in self.any_of:
            if all(actor.may(action, self.on, target_id) for action in group):
                return
        wanted = " or ".join(" and ".join(f"`{action}`" for action in group) for group in self.any_of)
        raise Forbidden(f"not permitted: {wanted}")


def needs(action: str, *, on: str, own: bool = False, acting: Acting = Acting.KEY) -> Requirement:
    """One action on the target."""
    return Requirement(((action,),), on, own, acting)


def needs_credential(*, on: str) -> Requirement:
    """Nothing but a live credential: calls about oneself."""
    return Requirement((), on)
