"""Token families: the refresh tokens that follow one another from one login. Each is used once; a family is ended."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rescind.model.facts import FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.usecases.unit import Unit, View

REFRESH = "refresh_token"
"""The kind of the credential that the refresh tokens of a family have in common."""


@dataclass(frozen=True, slots=True)
class FamilyTerms:
    """For which API, as clients know it, and for which scopes a login was."""

    audience: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FamilyView:
    """A family as people see it: what Auth0 calls a refresh token. `created_at` is in microseconds since 1970."""

    family: Object
    public_id: str
    user_id: str
    client_id: str
    terms: FamilyTerms
    created_at: int
    metadata: Mapping[str, Any] | None

    @property
    def grant_id(self) -> str:
        """What Auth0 calls a grant: all that one user lets one client do on one API."""
        whose = "\n".join((self.user_id, self.client_id, self.terms.audience or ""))
        return hashlib.sha256(whose.encode()).hexdigest()[:24]


def terms_text(terms: FamilyTerms) -> str:
    """The terms as they are stored."""
    return json.dumps([terms.audience, list(terms.scopes)], ensure_ascii=False, separators=(",", ":"))


def family_terms(text: str) -> FamilyTerms:
    """The terms that were stored so."""
    audience, scopes = json.loads(text)
    return FamilyTerms(audience, tuple(scopes))


def of_user(view: View, *, user: str, client: str | None = None) -> list[FamilyView]:
    """The living families of a user, through whatever organization she logged in, by age."""
    found = describe(view, _of(view, view.user(user)))
    return [family for family in found if client in (None, family.client_id)]


def get(view: View, family: str) -> FamilyView:
    """One living family."""
    return describe(view, [view.get(ObjectKind.TOKEN_FAMILY, family)])[0]


def every(view: View, *, user: str | None = None) -> list[FamilyView]:
    """All living families by age, or those of a user."""
    if user is not None:
        return of_user(view, user=user)
    return describe(view, view.reader.living(ObjectKind.TOKEN_FAMILY))


def annotate(unit: Unit, *, family: str, metadata: Mapping[str, Any] | None) -> None:
    """Note what a client wants to remember of a family; nothing is made of it."""
    text = None if metadata is None else json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    unit.write_profile(unit.get(ObjectKind.TOKEN_FAMILY, family), metadata=text)


def revoke_access(unit: Unit, *, user: str, preserve_refresh_tokens: bool) -> None:
    """End all by which a user stays logged in, but her refresh tokens if they are to be preserved."""
    unit.user(user)
    if not preserve_refresh_tokens:
        end_of_user(unit, user=user)


def end_of_grant(unit: Unit, *, grant: str) -> None:
    """End the families of one grant, if there are any."""
    for family in every(unit):
        if family.grant_id == grant:
            unit.end(family.family)


def end(unit: Unit, *, family: str) -> None:
    """End a family, if it is there: none of its refresh tokens is good for anything."""
    found = unit.lookup(ObjectKind.TOKEN_FAMILY, family)
    if found is not None:
        unit.end(found)


def end_several(unit: Unit, *, families: Sequence[str]) -> None:
    """End these families; those that are unknown are passed over."""
    for family in families:
        end(unit, family=family)


def end_of_user(unit: Unit, *, user: str, client: str | None = None, audience: str | None = None) -> None:
    """End the families of a user: all, or those issued to a client, or those for an API."""
    for family in of_user(unit, user=user, client=client):
        if audience in (None, family.terms.audience):
            unit.end(family.family)


def end_of_client(unit: Unit, *, client: str, audience: str | None = None) -> None:
    """End the families that were issued to a client: all, or those for an API."""
    issued_to = unit.get(ObjectKind.CLIENT, client)
    held = [fact.fact.holder for fact in unit.intervals_on(issued_to.key, FactKind.TOKEN_FAMILY)]
    for family in describe(unit, unit.reader.objects([key for key in held if unit.exists(key)]).values()):
        if audience in (None, family.terms.audience):
            unit.end(family.family)


def describe(view: View, families: Iterable[Object]) -> list[FamilyView]:
    """Living families with refresh tokens as people see them, in their order."""
    described = []
    for family in families:
        if view.reader.secret(family.key, REFRESH) is None:
            continue
        fact = view.facts(family.key, FactKind.TOKEN_FAMILY)[0]
        holder = view.facts(family.key, FactKind.EXISTENCE)[0].thing
        held_by = view.reader.objects([holder])[holder]
        if held_by.kind is ObjectKind.MEMBERSHIP:
            if not view.exists(holder):
                continue
            holder = view.members([held_by])[0].user.key
        profiles = view.reader.profiles([family.key, fact.thing, holder])
        described.append(
            FamilyView(
                family,
                profiles[family.key]["public_id"],
                profiles[holder]["public_id"],
                profiles[fact.thing]["public_id"],
                family_terms(fact.value or ""),
                family.created_at,
                json.loads(profiles[family.key]["metadata"]) if "metadata" in profiles[family.key] else None,
            )
        )
    return described


def _of(view: View, user: Object) -> list[Object]:
    holders = [user.key, *(membership.key for membership in view.memberships_of(user))]
    keys = [held.fact.holder for held in view.reader.intervals_on(holders, FactKind.EXISTENCE)]
    found = [family for family in view.reader.objects(keys).values() if family.kind is ObjectKind.TOKEN_FAMILY]
    return sorted((family for family in found if view.exists(family.key)), key=lambda family: family.key)
