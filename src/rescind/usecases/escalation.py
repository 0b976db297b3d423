"""No escalation: nobody but root gives what he does not hold.

What a write gives is read off its plan, so that no use case can forget to ask: every Allow that begins to flow
through something opened, and every Deny that stops flowing through something closed. What is deleted counts as if it
lived, for somebody may restore it in good faith; and what may be entered through a trust counts as if it were had.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from json import loads

from rescind.decision.cover import TooMuchWork, uncovered
from rescind.decision.effective import effective_permissions
from rescind.decision.snapshot import Principal, Reach, Snapshot, gather
from rescind.engine.principals import Fetch, by_holder, snapshot_of
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.conditions import Effect
from rescind.model.documents import Statement, statements_of
from rescind.model.errors import Forbidden
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import spoken
from rescind.model.objects import PLATFORM, ObjectKind
from rescind.usecases.actor import Actor
from rescind.usecases.unit import Member, Unit, View

_EVERYTHING = Statement(Effect.ALLOW, ("*",), ("*",))
_SYSTEM = f"{RESOURCE_TYPE}:{SYSTEM_API}"
_ABOUT_THE_HOLDER = (FactKind.EXISTENCE, FactKind.DOCUMENT, FactKind.ROLE_DEFINITION)
_BINDS_NOBODY = (FactKind.API_ACCESS, FactKind.TRUST, FactKind.TRUSTED_PARTY)
"""What ends with these takes its Denies along with its Allows."""


def refuse_escalation(unit: Unit) -> None:
    """Raise `Forbidden` if the unit's plan gives anything that its actor does not hold."""
    if unit.actor.is_client:
        return
    if not _is_bound(unit.actor):
        _refuse_platform(unit)
        return
    missing = _missing(_given(unit), unit.actor)
    if missing is not None:
        raise Forbidden(f"not permitted to grant what you do not hold: {_said(missing)}")


def _refuse_platform(unit: Unit) -> None:
    """Nobody becomes an administrator of the platform from inside an organization, not even by its root."""
    if any(_SYSTEM in statement.resources for statement in _given(unit)):
        raise Forbidden("not permitted to make administrators of the platform")


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
    party = [member.membership.key]
    world = _around(view, party)
    could = [*_of_object(view, world, member.membership.key, ObjectKind.MEMBERSHIP), *_enterable(view, world, party)]
    allows = [statement for statement in could if statement.effect is Effect.ALLOW]
    missing = _missing(allows, view.actor)
    if missing is not None:
        raise Forbidden(f"not permitted to touch the credentials of somebody who holds more: {_said(missing)}")


def _is_bound(actor: Actor) -> bool:
    return not actor.is_client and not actor.is_root and not actor.may("iam.Escalate", "organization")


def _missing(given: Iterable[Statement], actor: Actor) -> Statement | None:
    try:
        return uncovered(given, _held(actor))
    except TooMuchWork:
        raise Forbidden("too many long patterns to prove that nothing is granted beyond what you hold") from None


def _held(actor: Actor) -> list[Statement]:
    """What the actor holds; of the platform's administration no more than his token is good for."""
    held = [held.statement for held in effective_permissions(actor.snapshot)]
    scopes = actor.scopes
    if scopes is None:
        return held
    return [one for one in held if _SYSTEM not in one.resources or {spoken(action) for action in one.actions} <= scopes]


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
    about = [key for fact in (*opened, *closed) for key in (fact.holder, fact.thing)]
    led_to = [key for fact in plan.opened for key in (fact.thing, fact.scope)]
    stored = _stored(unit, [*about, *led_to])
    before, after = _world(unit, about, stored), _world(unit, about, stored, without=closed, plus=plan.opened)
    given = []
    for fact in opened:
        old = next((ended for ended in closed if ended.place == fact.place), None)
        if fact.kind not in (FactKind.SUSPENSION, FactKind.BLOCK) and not _is_same_type(old, fact):
            had = _flow(unit, before, old) if old and fact.kind is FactKind.DOCUMENT else []
            given += _of_effect(Effect.ALLOW, [*_flow(unit, after, fact), *_entered(unit, after, fact)], but=had)
        if fact.kind is FactKind.PROPERTIES:
            # What was not there may have been what a Deny asked for.
            given += _of_effect(Effect.DENY, _flow(unit, after, fact))
    for fact in closed:
        new = next((begun for begun in opened if begun.place == fact.place), None)
        if fact.kind in (FactKind.SUSPENSION, FactKind.BLOCK):
            # Lifting it gives what it held back.
            given += _of_effect(Effect.ALLOW, [*_flow(unit, before, fact), *_entered(unit, before, fact)])
        elif fact.kind not in _BINDS_NOBODY and not _is_same_type(fact, new):
            kept = _flow(unit, after, new) if new and fact.kind is FactKind.DOCUMENT else []
            given += _of_effect(Effect.DENY, _flow(unit, before, fact), but=kept)
    return given


def _reads_subject(statement: Statement) -> bool:
    """Whether properties of its holder may decide if a statement holds."""
    return statement.condition is not None and any(test.path[0] == "subject" for test in statement.condition.tests)


def _of_effect(effect: Effect, statements: Iterable[Statement], but: Collection[Statement] = ()) -> list[Statement]:
    return [statement for statement in statements if statement.effect is effect and statement not in but]


def _is_same_type(old: Fact | None, new: Fact | None) -> bool:
    """Whether a role's definition changes in something else than its type: that gives nothing."""
    if old is None or new is None or new.kind is not FactKind.ROLE_DEFINITION:
        return False
    return bool(loads(old.value or "")["role_type"] == loads(new.value or "")["role_type"])


class _AsIfRestored(Snapshot):
    """Facts of no principal, in which everything that was deleted is there again."""

    def exists(self, key: int) -> bool:  # noqa: ARG002 - the answer is the same for every object
        """Whatever an edge leads to."""
        return True


def _around(view: View, keys: Collection[int]) -> Snapshot:
    """The facts around those objects."""
    return _world(view, keys, _stored(view, keys))


def _stored(view: View, keys: Iterable[int]) -> Fetch:
    """The facts of those objects and of all that they lead to, read at once."""
    return by_holder(view.reader.surroundings(set(keys) - {PLATFORM}))


def _world(
    view: View, keys: Iterable[int], stored: Fetch, *, without: Collection[Fact] = (), plus: Collection[Fact] = ()
) -> Snapshot:
    """What is stored around those objects, without some facts and with others."""

    def fetch(keys: Collection[int]) -> list[Fact]:
        here = [fact for fact in stored(keys) if fact not in without]
        return here + [fact for fact in plus if fact.holder in keys]

    seeds = set(keys) - {PLATFORM}
    return _AsIfRestored(Principal(PLATFORM), view.reader.revision, view.reader.instant, gather(seeds, fetch))


def _flow(unit: Unit, world: Snapshot, fact: Fact) -> list[Statement]:
    """The statements that somebody has, or is bound by, through a fact."""
    match fact.kind:
        case FactKind.ROOT:
            return [_EVERYTHING]
        case FactKind.DOCUMENT:
            return list(statements_of(fact.value or ""))
        case FactKind.EXISTENCE | FactKind.ROLE_DEFINITION | FactKind.SUSPENSION | FactKind.API_ACCESS:
            kind = unit.kind_of(fact.holder)
            if fact.kind is FactKind.EXISTENCE and kind is ObjectKind.MEMBERSHIP and fact not in unit.plan.opened:
                # A person who leaves takes nothing with him that anybody else would gain.
                return []
            return _of_object(unit, world, fact.holder, kind)
        case (
            FactKind.POLICY_ATTACHMENT
            | FactKind.PERMISSION_GRANT
            | FactKind.ROLE_ATTACHMENT
            | FactKind.GROUP_MEMBERSHIP
        ):
            return _of_object(unit, world, fact.thing, unit.kind_of(fact.thing))
        case FactKind.BLOCK:
            return _of_principal(unit, world, fact.holder)
        case (
            FactKind.HOME
            | FactKind.PERSONAL
            | FactKind.REACH
            | FactKind.SERVICE
            | FactKind.ALLOW_LIST
            | FactKind.TRUST
            | FactKind.TRUSTED_PARTY
            | FactKind.ASSUMPTION
            | FactKind.SESSION_TRUST
            | FactKind.SESSION_KEY
            | FactKind.INVITATION
            | FactKind.ACCEPTANCE
            | FactKind.DECLINE
            | FactKind.PENDING
            | FactKind.API_DEFINITION
            | FactKind.API_SCOPE
            | FactKind.CLIENT_DEFINITION
            | FactKind.CLIENT_GRANT
            | FactKind.GRANT_USAGE
            | FactKind.SIGNING_KEY
            | FactKind.TOKEN_FAMILY
        ):
            return []
        case FactKind.GRANT_DEFINITION:
            return list(world.statements(fact.holder))
        case FactKind.PROPERTIES:
            return [statement for statement in _of_principal(unit, world, fact.holder) if _reads_subject(statement)]


def _entered(unit: Unit, world: Snapshot, fact: Fact) -> list[Statement]:
    """The statements that somebody comes to through a fact by entering a role; opening a session takes what is his."""
    match fact.kind:
        case FactKind.TRUST | FactKind.TRUSTED_PARTY:
            return _of_trusts(world, [fact.holder])
        case FactKind.GROUP_MEMBERSHIP:
            return _enterable(unit, world, [fact.thing])
        case FactKind.SUSPENSION | FactKind.API_ACCESS:
            return _enterable(unit, world, [fact.holder])
        case FactKind.EXISTENCE | FactKind.ROLE_DEFINITION:
            match unit.kind_of(fact.holder):
                case ObjectKind.ROLE:
                    return _said_by(world, world.from_role(fact.holder))
                case ObjectKind.ROLE_TRUST:
                    return _of_trusts(world, [fact.holder])
                case ObjectKind.GROUP | ObjectKind.MEMBERSHIP:
                    return _enterable(unit, world, [fact.holder])
                case _:
                    return []
        case _:
            return []


def _enterable(view: View, world: Snapshot, parties: Collection[int]) -> list[Statement]:
    """What members and groups may come to by the trusts that name them, or a group that they are in."""
    groups = [fact.thing for party in parties for fact in world.held(party, FactKind.GROUP_MEMBERSHIP)]
    named = {found.fact.holder for found in view.reader.intervals_on([*parties, *groups], FactKind.TRUSTED_PARTY)}
    return _of_trusts(_around(view, named), named)


def _of_trusts(world: Snapshot, trusts: Iterable[int]) -> list[Statement]:
    """What the roles of those trusts hold. A trust that time has ended counts: somebody may extend it."""
    roles = {fact.thing for trust in trusts for fact in world.facts.get(trust, ()) if fact.kind is FactKind.TRUST}
    return [statement for role in roles for statement in _said_by(world, world.from_role(role))]


def _of_object(view: View, world: Snapshot, key: int, kind: ObjectKind) -> list[Statement]:
    """The statements that whoever is attached to an object has from it."""
    match kind:
        case ObjectKind.POLICY | ObjectKind.PERMISSION:
            return list(world.statements(key))
        case ObjectKind.ROLE:
            return _said_by(world, world.from_role(key) if world.assignable(key) else ())
        case ObjectKind.GROUP:
            # What it carries outside of organizations comes with it.
            scopes = {_owner(view, key), PLATFORM}
            return [said for scope in sorted(scopes) for said in _said_by(world, world.from_holder(key, scope))]
        case ObjectKind.MEMBERSHIP:
            owned = [_EVERYTHING] if world.held(key, FactKind.ROOT) else []
            principal = Principal(PLATFORM, _owner(view, key), key)
            return [*owned, *_said_by(world, replace(world, principal=principal).reaches)]
        case ObjectKind.CLIENT_GRANT:
            granted = [key, *(edge.thing for edge in world.held(key, FactKind.PERMISSION_GRANT))]
            return [said for one in granted for said in world.statements(one)]
        case _:
            return []


def _of_principal(unit: Unit, world: Snapshot, key: int) -> list[Statement]:
    """The statements that a membership has, or a user outside of organizations."""
    if unit.kind_of(key) is ObjectKind.MEMBERSHIP:
        return _of_object(unit, world, key, ObjectKind.MEMBERSHIP)
    return [held.statement for held in effective_permissions(snapshot_of(unit.reader, Principal(key)))]


def _owner(view: View, key: int) -> int:
    """The organization of an object; of one that is just made, the one that is acted in."""
    found = view.reader.objects([key]).get(key)
    return found.owner if found else view.organization


def _said_by(world: Snapshot, reaches: Iterable[Reach]) -> list[Statement]:
    return [statement for reach in reaches for statement in world.statements(reach.policy)]
