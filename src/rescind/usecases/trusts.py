"""Role trusts: who may enter an assumable role, from where and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rescind.model.dates import read_date
from rescind.model.errors import Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.model.trusts import ISSUER_SOURCES, TEMPORARY, TRUST_TYPES, Terms, terms_of
from rescind.store.contract import Page, Window
from rescind.usecases import limits, roles
from rescind.usecases.relations import attach
from rescind.usecases.restoring import restore_object
from rescind.usecases.roles import RoleView
from rescind.usecases.unit import Unit, View

TRUSTS_MAX = 500
"""Trusts on one role."""

ISSUER = "oidc_issuer"


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a trust names: a user or a group, by id and name; both empty if it names none."""

    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class TrustView:
    """A role trust as people see it."""

    trust: Object
    role: Object
    role_name: str
    terms: Terms
    user: Party
    group: Party


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a trust is to say. What is None is left as it is; of `conditions`, every member that is absent."""

    role: str | None = None
    trust_type: str | None = None
    user: str | None = None
    group: str | None = None
    issuer: str | None = None
    issuer_source: str | None = None
    conditions: Mapping[str, Any] | None = None
    valid_until: str | None = None


def page(view: View, window: Window) -> Page[TrustView]:
    """The organization's role trusts."""
    found = view.reader.page_objects(ObjectKind.ROLE_TRUST, (view.organization,), window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def get(view: View, trust: str) -> TrustView:
    """One role trust."""
    return describe(view, [view.get(ObjectKind.ROLE_TRUST, trust)])[0]


def of_role(view: View, *, role: str) -> list[TrustView]:
    """The trusts on a role, those that time has ended included."""
    return describe(view, _on_role(view, view.get(ObjectKind.ROLE, role)))


def assumable(view: View, *, user: str) -> list[tuple[TrustView, RoleView]]:
    """The roles that a member may enter by a living trust that names her, each with the first such trust."""
    member = view.member(user)
    groups = [fact.thing for fact in view.facts(member.membership.key, FactKind.GROUP_MEMBERSHIP)]
    parties = [member.membership.key, *groups]
    named = {interval.fact.holder for interval in view.reader.intervals_on(parties, FactKind.TRUSTED_PARTY)}
    world = view.snapshot_around(member.membership.key, *named)
    first: dict[int, int] = {}
    for trust in sorted(named):
        if world.exists(trust) and world.trusts_member(trust, member.membership.key):
            for fact in world.held(trust, FactKind.TRUST):
                if world.exists(fact.thing) and world.assumable(fact.thing):
                    first.setdefault(fact.thing, trust)
    objects = view.reader.objects({*first, *first.values()})
    described = describe(view, [objects[trust] for trust in first.values()])
    return list(zip(described, roles.describe(view, [objects[role] for role in first]), strict=True))


def create(unit: Unit, asked: Asked) -> str:
    """Let a user or a group, or only who is both, enter an assumable role, and return the trust's id."""
    if not asked.role:
        raise Invalid("`role_id` is required")
    role = unit.get(ObjectKind.ROLE, asked.role)
    terms = _terms(unit, Terms(""), asked)
    parties = _parties(unit, asked)
    if not parties and not terms.issuer_source:
        raise Invalid("a trusted party is required: `trusted_user_id` or `trusted_group_id`")
    if len(_on_role(unit, role)) >= TRUSTS_MAX:
        raise Invalid(f"more than {TRUSTS_MAX} trusts on one role")
    trust = unit.create(ObjectKind.ROLE_TRUST)
    _write(unit, trust, role, terms)
    for party in parties:
        attach(unit, FactKind.TRUSTED_PARTY, trust, party)
    return trust.id


def update(unit: Unit, asked: Asked, *, trust: str) -> str:
    """Change what is given and leave the rest; a condition that is not mentioned stays."""
    found = unit.get(ObjectKind.ROLE_TRUST, trust)
    interval = unit.reader.intervals([found.key], FactKind.TRUST)[0]
    known = interval.fact
    terms = _terms(unit, terms_of(known.value or ""), asked)
    role = unit.get(ObjectKind.ROLE, asked.role) if asked.role else unit.reader.objects([known.thing])[known.thing]
    if role.key != known.thing:
        unit.close_interval(interval)
    _write(unit, found, role, terms)
    for party in _parties(unit, asked):
        for fact in unit.facts(found.key, FactKind.TRUSTED_PARTY):
            if fact.thing != party.key and unit.kind_of(fact.thing) is party.kind:
                unit.close(fact)
        attach(unit, FactKind.TRUSTED_PARTY, found, party)
    return found.id


def delete(unit: Unit, *, trust: str) -> None:
    """End a trust: nobody enters the role through it any more, and sessions that did are dead."""
    unit.end(unit.get(ObjectKind.ROLE_TRUST, trust))


def restore(unit: Unit, *, trust: str) -> str:
    """Bring back an ended trust; the sessions that lived by it stay ended."""
    return restore_object(unit, ObjectKind.ROLE_TRUST, trust).id


def describe(view: View, trusts: Sequence[Object]) -> list[TrustView]:
    """Trusts as people see them, in their order."""
    facts: dict[int, list[Fact]] = {trust.key: [] for trust in trusts}
    # Those that time has ended too: they are still there to be read and changed.
    for interval in view.reader.intervals(facts, FactKind.TRUST, FactKind.TRUSTED_PARTY):
        facts[interval.fact.holder].append(interval.fact)
    objects = view.reader.objects({fact.thing for held in facts.values() for fact in held})
    parties = _described(view, [found for found in objects.values() if found.kind is not ObjectKind.ROLE])
    names = view.reader.profiles([found.key for found in objects.values() if found.kind is ObjectKind.ROLE])
    described = []
    for trust in trusts:
        definition = next(fact for fact in facts[trust.key] if fact.kind is FactKind.TRUST)
        named = {objects[fact.thing].kind: fact.thing for fact in facts[trust.key] if fact is not definition}
        user, group = (
            parties[named[kind]] if kind in named else Party() for kind in (ObjectKind.MEMBERSHIP, ObjectKind.GROUP)
        )
        role = objects[definition.thing]
        described.append(
            TrustView(trust, role, names[role.key].get("name", ""), terms_of(definition.value or ""), user, group)
        )
    return described


def _described(view: View, parties: Sequence[Object]) -> dict[int, Party]:
    """Groups and members by the keys of groups and memberships; who is no member any more is nobody."""
    memberships = [party for party in parties if party.kind is ObjectKind.MEMBERSHIP and view.exists(party.key)]
    shown = {party.key: party for party in parties if party.kind is ObjectKind.GROUP}
    shown |= {member.membership.key: member.user for member in view.members(memberships)}
    names = view.reader.profiles([found.key for found in shown.values()])
    known = {key: Party(found.id, names[found.key].get("name", "")) for key, found in shown.items()}
    return {party.key: known.get(party.key, Party()) for party in parties}


def _on_role(view: View, role: Object) -> list[Object]:
    trusts = {interval.fact.holder for interval in view.reader.intervals_on([role.key], FactKind.TRUST)}
    return [
        found
        for key, found in sorted(view.reader.objects(trusts).items())
        if found.owner == view.organization and view.exists(key)
    ]


def _terms(unit: Unit, known: Terms, asked: Asked) -> Terms:
    """The terms after the change. What was meant as a limit and cannot be read is refused, never `no limit`."""
    terms = known
    if asked.trust_type is not None or not known.trust_type:
        if asked.trust_type not in TRUST_TYPES:
            raise Invalid(f"`trust_type` must be one of {', '.join(f'`{kind}`' for kind in TRUST_TYPES)}")
        terms = replace(terms, trust_type=asked.trust_type)
    if asked.issuer_source:
        if asked.issuer_source not in ISSUER_SOURCES:
            raise Invalid("`trusted_oidc_issuer_source` must be `instance` or `baremetal`")
        terms = replace(terms, issuer_source=asked.issuer_source)
    if terms.issuer_source and terms.trust_type != TEMPORARY:
        raise Invalid(f"`trusted_oidc_issuer_source` needs `trust_type` `{TEMPORARY}`")
    if asked.conditions is not None:
        terms = terms.with_conditions(asked.conditions)
    if asked.valid_until is not None:
        ends_at = read_date(asked.valid_until) if asked.valid_until else None
        if asked.valid_until and (ends_at is None or not unit.reader.instant < ends_at <= limits.INSTANT_MAX):
            raise Invalid("`valid_until` is not a date of ISO 8601, or in the past")
        terms = replace(terms, valid_until=asked.valid_until)
    return terms


def _parties(unit: Unit, asked: Asked) -> list[Object]:
    if asked.issuer:
        raise NotFound(ISSUER)
    parties = []
    if asked.user:
        parties.append(unit.member(asked.user).membership)
    if asked.group:
        parties.append(unit.get(ObjectKind.GROUP, asked.group))
    return parties


def _write(unit: Unit, trust: Object, role: Object, terms: Terms) -> None:
    if roles.describe(unit, [role])[0].role_type != "assumable":
        raise Invalid("this role is not assumable")
    unit.open(Fact(FactKind.TRUST, trust.key, role.key, unit.organization, terms.store_form(), terms.ends_at))
