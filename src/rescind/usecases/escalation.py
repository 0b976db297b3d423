"""No escalation: nobody but root gives what he does not hold.

What a write gives is read off its plan, so that no use case can forget to ask: every Allow that begins to flow
through something opened, and every Deny that stops flowing through something closed.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from rescind.decision.cover import TooMuchWork, uncovered
from rescind.decision.effective import effective_permissions
from rescind.decision.snapshot import Principal, Reach, Snapshot, gather
from rescind.model.conditions import Effect
from rescind.model.documents import Statement, statements_of
from rescind.model.errors import Forbidden
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.usecases.actor import Actor
from rescind.usecases.unit import Member, Unit, View

_EVERYTHING = Statement(Effect.ALLOW, ("*",), ("*",))
_HOLDS_NOTHING_BACK = (FactKind.API_ACCESS, FactKind.TRUST, FactKind.TRUSTED_PARTY)
_ABOUT_THE_HOLDER = (FactKind.EXISTENCE, FactKind.DOCUMENT, FactKind.ROLE_DEFINITION)


def refuse_escalation(unit: Unit) -> None:
    """Raise `Forbidden` if the unit's plan gives anything that its actor does not hold."""
    if not _is_bound(unit.actor):
        return
    missing = _missing(_given(unit), unit.actor)
    if missing is not None:
        raise Forbidden(f"not permitted to grant what you do not hold: {_said(missing)}")


def refuse_credential(view: View, member: Member) -> None:
    """Raise `Forbidden` if the actor may not make or change a credential of that member.

    Nobody but root touches root's, and nobody those of somebody who may do what he may not.
    """
    if view.actor.is_user(member.user) or view.actor.is_root:
        return
    if view.is_root(member.membership):
        raise Forbidden("only root may touch the credentials of root")
    if not _is_bound(view.actor):
        return
    allows = [held for held in _held(view.snapshot(member)) if held.effect is Effect.ALLOW]
    missing = _missing(allows, view.actor)
    if missing is not None:
        raise Forbidden(f"not permitted to touch the credentials of somebody who holds more: {_said(missing)}")


def _is_bound(actor: Actor) -> bool:
    return not actor.is_root and not actor.may("iam.Escalate", "organization")


def _missing(given: Iterable[Statement], actor: Actor) -> Statement | None:
    try:
        return uncovered(given, _held(actor.snapshot))
    except TooMuchWork:
        raise Forbidden("too many long patterns to prove that nothing is granted beyond what you hold") from None


def _held(snapshot: Snapshot) -> list[Statement]:
    return [held.statement for held in effective_permissions(snapshot)]


def _said(statement: Statement) -> str:
    return f"`{statement.actions[0]}` on `{statement.resources[0]}`"


def _given(unit: Unit) -> list[Statement]:
    """The statements that the plan gives to somebody."""
    plan = unit.plan
    made = {created.key for created in plan.created}
    # Nobody can hold yet what this write makes, and it may make an organization of one's own; what it attaches is
    # looked at by its attachment.
    opened = [
        fact
        for fact in plan.opened
        if not (fact.holder in made and (fact.kind in _ABOUT_THE_HOLDER or fact.scope in made))
    ]
    closed = [interval.fact for interval in plan.closed]
    before, after = (
        _world(unit, [*opened, *closed], without=(), plus=()),
        _world(unit, [*opened, *closed], without=closed, plus=plan.opened),
    )
    given = []
    for fact in opened:
        if fact.kind is FactKind.SUSPENSION:
            continue
        # Other terms of a trust may be wider ones: what the role gives is looked at anew.
        old_facts = [old for old in closed if old.place == fact.place and fact.kind is not FactKind.TRUST]
        had = {statement for old in old_facts for statement in _flow(unit, before, old)}
        given += [
            statement
            for statement in _flow(unit, after, fact)
            if statement.effect is Effect.ALLOW and statement not in had
        ]
    for fact in closed:
        if fact.kind in _HOLDS_NOTHING_BACK or unit.kind_of(fact.holder) is ObjectKind.ROLE_TRUST:
            continue
        # Lifting a suspension gives the Allows that it held back; whatever else ends may have held a Deny.
        lifted = Effect.ALLOW if fact.kind is FactKind.SUSPENSION else Effect.DENY
        kept = {statement for new in opened if new.place == fact.place for statement in _flow(unit, after, new)}
        given += [
            statement for statement in _flow(unit, before, fact) if statement.effect is lifted and statement not in kept
        ]
    return given


def _world(unit: Unit, about: Iterable[Fact], *, without: Collection[Fact], plus: Collection[Fact]) -> Snapshot:
    """The facts around those, without some and with others; of no principal."""

    def fetch(keys: Collection[int]) -> list[Fact]:
        stored = [interval.fact for interval in unit.reader.intervals(keys)]
        return [fact for fact in stored if fact not in without] + [fact for fact in plus if fact.holder in keys]

    seeds = {key for fact in about for key in (fact.holder, fact.thing)} - {PLATFORM}
    return Snapshot(Principal(PLATFORM), unit.reader.revision, unit.reader.instant, gather(seeds, fetch))


def _flow(unit: Unit, world: Snapshot, fact: Fact) -> list[Statement]:
    """The statements that reach somebody through a fact."""
    match fact.kind:
        case FactKind.ROOT:
            return [_EVERYTHING]
        case FactKind.DOCUMENT:
            return list(statements_of(fact.value or ""))
        case (
            FactKind.POLICY_ATTACHMENT
            | FactKind.PERMISSION_GRANT
            | FactKind.ROLE_ATTACHMENT
            | FactKind.GROUP_MEMBERSHIP
        ):
            return _of_object(unit, world, fact.thing, unit.kind_of(fact.thing))
        case FactKind.SUSPENSION | FactKind.API_ACCESS | FactKind.TRUST | FactKind.TRUSTED_PARTY:
            return _of_object(unit, world, fact.holder, unit.kind_of(fact.holder))
        case FactKind.EXISTENCE | FactKind.ROLE_DEFINITION:
            return _of_itself(unit, world, fact.holder)
        case (
            FactKind.BLOCK
            | FactKind.HOME
            | FactKind.PERSONAL
            | FactKind.REACH
            | FactKind.SERVICE
            | FactKind.ALLOW_LIST
            | FactKind.ASSUMPTION
            | FactKind.SESSION_TRUST
            | FactKind.SESSION_KEY
            | FactKind.INVITATION
            | FactKind.ACCEPTANCE
            | FactKind.DECLINE
        ):
            # Who opens a session takes what a trust has given him already.
            return []


def _of_object(unit: Unit, world: Snapshot, key: int, kind: ObjectKind) -> list[Statement]:
    """The statements that whoever is attached to an object has from it."""
    reaches: Iterable[Reach]
    match kind:
        case ObjectKind.POLICY | ObjectKind.PERMISSION:
            return list(world.statements(key)) if world.exists(key) else []
        case ObjectKind.ROLE:
            reaches = world.from_role(key) if world.exists(key) and world.assignable(key) else ()
        case ObjectKind.ROLE_TRUST:
            entered = [trust.thing for trust in world.held(key, FactKind.TRUST)] if world.exists(key) else []
            reaches = [reach for role in entered if world.exists(role) for reach in world.from_role(role)]
        case ObjectKind.GROUP:
            reaches = world.from_holder(key, unit.organization) if world.exists(key) else ()
        case ObjectKind.MEMBERSHIP:
            reaches = replace(world, principal=Principal(PLATFORM, unit.organization, key)).reaches
        case _:
            reaches = ()
    return [statement for reach in reaches for statement in world.statements(reach.policy)]


def _of_itself(unit: Unit, world: Snapshot, key: int) -> list[Statement]:
    """The statements that people have from an object's being there, or being what it is."""
    kind = unit.kind_of(key)
    if kind is ObjectKind.MEMBERSHIP:
        # A person who leaves takes nothing with him that anybody else would gain.
        return []
    if kind is ObjectKind.ROLE and world.exists(key) and unit.reader.intervals_on([key], FactKind.TRUST):
        # Not its holders alone, but those who may enter it.
        return [statement for reach in world.from_role(key) for statement in world.statements(reach.policy)]
    return _of_object(unit, world, key, kind)
