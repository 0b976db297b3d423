"""Requirements: what a call needs, as data. Each door has one table of them; `service` evaluates every one."""

from dataclasses import dataclass
from enum import Enum, auto

from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.errors import Forbidden, MissingScope
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
    SESSION = auto()
    """The organization of the key; the target is a session, named by token or id, and one's own needs no right."""
    GUEST = auto()
    """The organization that invites; the call names no object, but the one-time link that is its only credential."""
    PLATFORM = auto()
    """Outside every organization, by an access token for the API that manages this server."""
    WITHIN = auto()
    """The same, but inside the organization that the path names first."""
    CLIENT = auto()
    """Nowhere yet: a client presents itself to get or look at tokens."""
    NOBODY = auto()
    """Nowhere: what everybody may see."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Any group of `any_of` suffices, and of a group every action must be allowed on the call's target.

    The target is the object of type `on` that the path names first, or none for a list or creation. With `own`
    nothing is required of a user who asks about herself. No group at all requires only a live credential of a user: a
    session has its role's rights, and nothing is its own. `root` requires to own the organization.

    On the platform the actions are scopes of the API that manages this server, whatever the call is about. `own_scopes`
    suffice for a user who asks about herself; `newer` are alternatives that refusals do not name.
    Elsewhere `administrators` is the scope by which the platform's may make the call, too. With `named` the target is a
    principal by any of its names: a right on one of them is a right on all.
    """

    any_of: tuple[tuple[str, ...], ...]
    on: str
    own: bool = False
    acting: Acting = Acting.KEY
    root: bool = False
    own_scopes: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    administrators: str = ""
    named: bool = False

    def demand_scope(self, actor: Actor, *, is_own: bool) -> None:
        """Raise `MissingScope` unless the administrator of the platform may."""
        named = ((self.administrators,),) if self.administrators else self.any_of
        groups = [*named, *((scope,) for scope in self.newer)]
        groups += [(scope,) for scope in self.own_scopes if is_own]
        for group in groups:
            if all(actor.may(scope, RESOURCE_TYPE, SYSTEM_API) for scope in group):
                return
        raise MissingScope(tuple(dict.fromkeys([scope for group in named for scope in group])))

    def demand(self, actor: Actor, target_id: str) -> None:
        """Raise `Forbidden` unless the actor may."""
        if self.own and self.on == "user" and target_id == actor.user.id and not actor.is_session:
            return
        if self.root and not actor.is_root:
            raise Forbidden("not permitted: only root may do this")
        if not self.any_of:
            if actor.is_session:
                raise Forbidden("not permitted: a session is not its user")
            return
        for group in self.any_of:
            if all(actor.may(action, self.on, target_id) for action in group):
                return
        wanted = " or ".join(" and ".join(f"`{action}`" for action in group) for group in self.any_of)
        raise Forbidden(f"not permitted: {wanted}")


def needs(
    action: str, *, on: str, own: bool = False, acting: Acting = Acting.KEY, administrators: str = ""
) -> Requirement:
    """One action on the target; for administrators of the platform, where they may make the call, one scope."""
    return Requirement(((action,),), on, own, acting, administrators=administrators)


def needs_credential(*, on: str, acting: Acting = Acting.KEY) -> Requirement:
    """Nothing but a live credential: calls about oneself."""
    return Requirement((), on, acting=acting)


def needs_root(*, on: str, acting: Acting = Acting.KEY) -> Requirement:
    """What only the owner of the organization may do."""
    return Requirement((), on, acting=acting, root=True)


def needs_link() -> Requirement:
    """Nothing but the one-time link of an invitation."""
    return Requirement((), "invitation", acting=Acting.GUEST)


def needs_scope(
    *any_of: str | tuple[str, ...], within: bool = False, own: tuple[str, ...] = (), newer: tuple[str, ...] = ()
) -> Requirement:
    """One of these scopes of the API that manages this server; of a tuple all."""
    groups = tuple((scopes,) if isinstance(scopes, str) else scopes for scopes in any_of)
    acting = Acting.WITHIN if within else Acting.PLATFORM
    return Requirement(groups, RESOURCE_TYPE, acting=acting, own_scopes=own, newer=newer)


def needs_client() -> Requirement:
    """A client that proves who it is."""
    return Requirement((), RESOURCE_TYPE, acting=Acting.CLIENT)


def needs_nobody() -> Requirement:
    """Nothing at all."""
    return Requirement((), RESOURCE_TYPE, acting=Acting.NOBODY)
