"""Decision points: who may ask for decisions, and in which scope."""

from dataclasses import dataclass

from rescind.decision.effective import effective_permissions
from rescind.model.errors import Forbidden, NotFound, Unauthenticated
from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.store.contract import Reader
from rescind.usecases import signing
from rescind.usecases.actor import Actor, Asking, is_signed, spelled
from rescind.usecases.issuer import Issuer
from rescind.usecases.requirements import Acting, needs
from rescind.usecases.service import Call, admit

EVALUATE, SEARCH, EXPLAIN = (f"iam.decision.{verb}" for verb in ("Evaluate", "Search", "Explain"))


@dataclass(frozen=True, slots=True)
class Admission:
    """The scope, by key, in which a caller may ask, until an instant (microseconds, None for ever).

    With `is_lasting` that hangs on nothing but what was read and the address it came from.
    """

    scope: int
    until: int | None
    is_lasting: bool


def admission(reader: Reader, asking: Asking, action: str, organization: object, issuer: Issuer) -> Admission:
    """Where a caller may ask with that action: in the organization that he names, or else in his own.

    It is named by UUID or public id. A client of the platform may name any, and without one asks outside of all. Raises
    `Unauthenticated`, and `Forbidden`: in the same words for every organization that is not his to ask about.
    """
    named = organization is not None
    requirement = needs(
        action, on="organization", acting=Acting.PERSON if named else Acting.HERE, administrators=action
    )
    found = organization_named(reader, organization) if isinstance(organization, str) else None
    call = Call(asking, requirement, found.id if found else "")
    try:
        asks, scope = admit(reader, call, issuer)
    except (NotFound, Forbidden, Unauthenticated):
        if not named or is_signed(asking.token):
            raise
        # Who is known here, and only not there, is told no more than that.
        _refuse_stranger(reader, asking, issuer)
        raise elsewhere() from None
    assert isinstance(asks, Actor)
    if asks.is_administrator and named:
        if found is None:
            raise elsewhere()
        scope = found.key
    conditional = any(held.statement.condition for held in effective_permissions(asks.snapshot))
    until = None
    if is_signed(asking.token):
        until = int(signing.verified(reader, asking.token or "", issuer, issuer.management)["exp"] * 1_000_000)
    return Admission(scope, until, is_lasting=not conditional and not asks.is_session)


def _refuse_stranger(reader: Reader, asking: Asking, issuer: Issuer) -> None:
    admit(reader, Call(asking, needs("", on="organization", acting=Acting.EVERYWHERE)), issuer)


def organization_named(reader: Reader, name: str) -> Object | None:
    """The living organization with that UUID or public id."""
    found = reader.find_object(ObjectKind.ORGANIZATION, name) or spelled(reader, ObjectKind.ORGANIZATION, name)
    return found if found and reader.intervals([found.key], FactKind.EXISTENCE) else None


def elsewhere() -> Forbidden:
    """What is said of every organization that is not the caller's to ask about."""
    return Forbidden("not permitted to ask about this organization")
