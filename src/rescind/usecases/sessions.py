"""Sessions: a role entered through a trust for a while, with a token of its own."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rescind.decision.decide import ASSUME_ROLE
from rescind.decision.snapshot import Principal
from rescind.decision.trusts import conditions_of, unmet
from rescind.model.errors import Forbidden, Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.model.trusts import IAM, TEMPORARY, terms_of
from rescind.usecases import limits
from rescind.usecases.actor import SESSION, SESSION_PREFIX, verifier_of
from rescind.usecases.unit import Member, Unit, View

SESSIONS_MAX = 1000
"""Living sessions of one member."""

_BY_CALL = (TEMPORARY, IAM)
"""The types of trust through which a role is entered by asking for it, in the order in which they are tried."""
_SWEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as people see it. `conditions` are those of its trust that are tested at every use.

    Times are in microseconds since 1970. The token is not known: what is stored is its hash.
    """

    session: Object
    organization_id: str
    user: Object
    role: Object
    name: str
    auth_method: str
    source_ip: str
    conditions: Sequence[str]
    expires_at: int
    remaining_seconds: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just opened. `token` exists here and in one reply, and nowhere else."""

    id: str
    token: str = field(repr=False)


def assume(
    unit: Unit,
    *,
    role: str,
    name: str,
    organization: str | None = None,
    user: str | None = None,
    seconds: int | None = None,
    source_ip: str | None = None,
) -> NewSession:
    """Enter an assumable role for as long as was asked for (an hour if nothing was), or as the role allows if shorter.

    It needs a trust that names the user and whose terms are met by the peer's address and by `source_ip`, where the
    client says one, and it needs `iam.role.AssumeRole`. Root may do it for another member. `organization` is the id of
    the one that the client means, where it says one.
    """
    if unit.actor.is_session:
        raise Forbidden("a session cannot assume a role")
    for_another = user is not None and user != unit.actor.user.id
    if for_another and not unit.actor.is_root:
        raise Forbidden("only root may assume a role for somebody else")
    member = unit.member(user or unit.actor.user.id)
    here = unit.reader.objects([unit.organization])[unit.organization]
    if organization not in (None, here.id):
        raise NotFound(ObjectKind.ROLE.label)
    found = unit.get(ObjectKind.ROLE, role)
    definition = json.loads(unit.facts(found.key, FactKind.ROLE_DEFINITION)[0].value or "")
    if definition["role_type"] != "assumable":
        raise Invalid("this role is not assumable")
    if seconds is not None and seconds <= 0:
        raise Invalid("`duration` must be a positive number of seconds")
    trust = _trust_for(unit, member, found, {unit.actor.address, source_ip or unit.actor.address})
    if for_another and not replace(unit.actor, user=member.user, snapshot=unit.snapshot(member)).may(
        ASSUME_ROLE, "role", found.id
    ):
        raise Forbidden(f"that member is not permitted: `{ASSUME_ROLE}`")
    _make_room(unit, member)
    lasts = min(limits.SESSION_SECONDS_DEFAULT if seconds is None else seconds, definition["max_session_duration"])
    session = unit.create(
        ObjectKind.SESSION,
        thing=member.membership.key,
        scope=unit.organization,
        expires_at=unit.reader.instant + lasts * 1_000_000,
    )
    unit.open(Fact(FactKind.ASSUMPTION, session.key, found.key, unit.organization, value=found.id))
    unit.open(Fact(FactKind.SESSION_TRUST, session.key, trust, unit.organization))
    unit.open(Fact(FactKind.SESSION_KEY, session.key, unit.actor.credential.key, unit.organization))
    unit.write_profile(
        session,
        name=limits.name(name, "session_name"),
        source_ip=limits.name(source_ip or unit.actor.address or "unknown", "ip_address"),
        # An API key is all that opens a session so far.
        auth_method="api_key",
    )
    token = SESSION_PREFIX + secrets.token_urlsafe(32)
    unit.write_credential(session, SESSION, verifier_of(token))
    return NewSession(session.id, token)


def of_user(view: View, *, user: str) -> list[SessionView]:
    """The living sessions of a member."""
    return describe(view, _living(view, view.member(user)))


def get(view: View, session: str) -> SessionView:
    """One living session, by its token or id."""
    return describe(view, [_named(view, session)])[0]


def end(unit: Unit, *, session: str) -> None:
    """End a session: its token is dead at once."""
    unit.end(_named(unit, session))


def end_for_good(unit: Unit) -> None:
    """Close every session that the unit would bring back, or make another than it was: what was taken stays taken.

    Read off the plan, so that no use case can forget it. A right to assume that was taken and is given back is not
    looked at: there the session was only refused meanwhile, as in a suspension.
    """
    made = {created.key for created in unit.plan.created}
    ended = {session for fact in unit.plan.opened if fact.holder not in made for session in _revived_by(unit, fact)}
    for interval in unit.plan.closed:
        if interval.fact.kind is FactKind.SUSPENSION:
            ended |= _opened_for_others(unit, interval.fact.holder)
    for session in sorted(ended):
        for interval in unit.intervals(session, FactKind.EXISTENCE):
            unit.close(interval.fact)


def find(view: View, name: str) -> Object | None:
    """The living session of this organization with that token or id."""
    if name.startswith(SESSION_PREFIX):
        key = view.reader.find_credential(SESSION, verifier_of(name))
        found = view.reader.objects([key])[key] if key else None
    else:
        found = view.reader.find_object(ObjectKind.SESSION, name)
    if found is None or found.owner != view.organization or not _alive(view, [found]):
        return None
    return found


def is_own(view: View, session: Object) -> bool:
    """Whether the actor is that session, or the user whose session it is."""
    if view.actor.is_session:
        return session.key == view.actor.credential.key
    return view.facts(session.key, FactKind.EXISTENCE)[0].thing == view.actor.snapshot.principal.membership


def describe(view: View, sessions: Sequence[Object]) -> list[SessionView]:
    """Living sessions as people see them, in their order."""
    keys = [session.key for session in sessions]
    world, profiles = view.snapshot_around(*keys), view.reader.profiles(keys)
    memberships = view.reader.objects({world.held(key, FactKind.EXISTENCE)[0].thing for key in keys})
    users = {member.membership.key: member.user for member in view.members(memberships.values())}
    roles = view.reader.objects({world.held(key, FactKind.ASSUMPTION)[0].thing for key in keys})
    here = view.reader.objects([view.organization])[view.organization]
    described = []
    for session in sessions:
        existence = world.held(session.key, FactKind.EXISTENCE)[0]
        through = world.held(session.key, FactKind.SESSION_TRUST)[0].thing
        terms = terms_of(world.held(through, FactKind.TRUST)[0].value or "")
        profile, expires_at = profiles[session.key], existence.expires_at or 0
        described.append(
            SessionView(
                session,
                here.id,
                users[existence.thing],
                roles[world.held(session.key, FactKind.ASSUMPTION)[0].thing],
                profile.get("name", ""),
                profile.get("auth_method", ""),
                profile.get("source_ip", ""),
                conditions_of(terms),
                expires_at,
                (expires_at - view.reader.instant) // 1_000_000,
            )
        )
    return described


def _revived_by(unit: Unit, fact: Fact) -> list[int]:
    """The sessions, by key, that lived by a fact before, when it or what was in its place ended."""
    replaced = [interval.fact for interval in unit.plan.closed if interval.fact.place == fact.place]
    match fact.kind:
        case FactKind.EXISTENCE:
            return _revived_with(unit, fact.holder)
        case FactKind.ROLE_DEFINITION if not any(_is_assumable(old) for old in replaced):
            return _holders_on(unit, [fact.holder], FactKind.ASSUMPTION)
        case FactKind.TRUST if not any(_is_same_way(unit, old, fact) for old in replaced):
            return _through(unit, [fact.holder])
        case FactKind.TRUSTED_PARTY:
            return _through(unit, [fact.holder])
        case FactKind.GROUP_MEMBERSHIP:
            named = _through(unit, _holders_on(unit, [fact.thing], FactKind.TRUSTED_PARTY))
            return sorted({*named} & {*_holders_on(unit, [fact.holder], FactKind.EXISTENCE)})
        case _:
            return []


def _revived_with(unit: Unit, key: int) -> list[int]:
    """The same of an object that exists again."""
    match unit.kind_of(key):
        case ObjectKind.ROLE:
            return _holders_on(unit, [key], FactKind.ASSUMPTION)
        case ObjectKind.ROLE_TRUST:
            return _through(unit, [key])
        case ObjectKind.GROUP:
            return _through(unit, _holders_on(unit, [key], FactKind.TRUSTED_PARTY))
        case ObjectKind.MEMBERSHIP:
            hanging = unit.reader.objects(_holders_on(unit, [key], FactKind.EXISTENCE))
            own = [hers.key for hers in hanging.values() if hers.kind is ObjectKind.SESSION]
            return [*own, *_opened_for_others(unit, key)]
        case _:
            return []


def _is_same_way(unit: Unit, old: Fact, new: Fact) -> bool:
    """Whether a living trust lets its role be entered as the same principal as before."""
    before, after = terms_of(old.value or ""), terms_of(new.value or "")
    same = before.trust_type == after.trust_type and before.issuer_source == after.issuer_source
    return same and old.alive(unit.reader.instant)


def _opened_for_others(unit: Unit, membership: int) -> set[int]:
    """The sessions that a member's keys opened for somebody else."""
    keys = _holders_on(unit, [membership], FactKind.EXISTENCE)
    return {*_holders_on(unit, keys, FactKind.SESSION_KEY)} - {*keys}


def _through(unit: Unit, trusts: Sequence[int]) -> list[int]:
    return _holders_on(unit, trusts, FactKind.SESSION_TRUST)


def _holders_on(unit: Unit, things: Sequence[int], kind: FactKind) -> list[int]:
    return [interval.fact.holder for interval in unit.reader.intervals_on(things, kind)]


def _is_assumable(definition: Fact) -> bool:
    return bool(json.loads(definition.value or "")["role_type"] == "assumable")


def _named(view: View, name: str) -> Object:
    found = find(view, name)
    if found is None:
        raise NotFound(ObjectKind.SESSION.label)
    return found


def _living(view: View, member: Member) -> list[Object]:
    """The living sessions of a member, oldest first."""
    keys = [interval.fact.holder for interval in view.intervals_on(member.membership.key, FactKind.EXISTENCE)]
    found = [made for made in view.reader.objects(keys).values() if made.kind is ObjectKind.SESSION]
    return _alive(view, sorted(found, key=lambda made: made.key))


def _alive(view: View, sessions: Sequence[Object]) -> list[Object]:
    """Those of the sessions whose links all live: whoever lacks the right to use one now may have it back tomorrow."""
    world = view.snapshot_around(*(session.key for session in sessions))
    alive = []
    for session in sessions:
        for existence in world.held(session.key, FactKind.EXISTENCE):
            principal = Principal(PLATFORM, view.organization, existence.thing, session.key)
            if world.exists(existence.thing) and replace(world, principal=principal).assumption is not None:
                alive.append(session)
    return alive


def _trust_for(unit: Unit, member: Member, role: Object, addresses: set[str]) -> int:
    """The trust, by key, through which a member enters a role."""
    trusts = {
        interval.fact.holder: terms_of(interval.fact.value or "")
        for interval in unit.intervals_on(role.key, FactKind.TRUST)
    }
    world = unit.snapshot_around(member.membership.key, *trusts)
    named = {
        trust: terms
        for trust, terms in trusts.items()
        if terms.trust_type in _BY_CALL and world.exists(trust) and world.trusts_member(trust, member.membership.key)
    }
    failed: list[str] = []
    for trust, terms in sorted(named.items(), key=lambda item: (_BY_CALL.index(item[1].trust_type), item[0])):
        if terms.issuer_source:
            failed.append("trusted_oidc_issuer_source")
            continue
        missed = {name for address in addresses for name in unmet(terms, address, unit.reader.instant)}
        if not missed:
            return trust
        failed += sorted(missed)
    if failed:
        raise Forbidden(f"the role trust does not allow it now: {', '.join(dict.fromkeys(failed))}")
    raise Forbidden("no trust relationship exists between this role and the caller")


def _make_room(unit: Unit, member: Member) -> None:
    """Close the member's sessions that time has ended: nothing else would, and they would be read for ever."""
    opened = unit.reader.intervals_on([member.membership.key], FactKind.EXISTENCE)
    kinds = unit.reader.objects([interval.fact.holder for interval in opened])
    sessions = [interval for interval in opened if kinds[interval.fact.holder].kind is ObjectKind.SESSION]
    expired = [interval for interval in sessions if not interval.fact.alive(unit.reader.instant)]
    if len(sessions) - len(expired) >= SESSIONS_MAX:
        raise Invalid(f"more than {SESSIONS_MAX} living sessions of one user")
    for interval in expired[:_SWEPT_MAX]:
        unit.close_interval(interval)
