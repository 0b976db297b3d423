"""API keys: shown once, stored as a hash, good for one membership of one person."""

import secrets
from dataclasses import dataclass

from rescind.model.errors import Invalid, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import Object, ObjectKind
from rescind.usecases import limits
from rescind.usecases.actor import API_KEY, SESSION_PREFIX, verifier_of
from rescind.usecases.escalation import refuse_credential
from rescind.usecases.unit import Member, Unit, View

KEY_LENGTH_MIN = 32
KEYS_MAX = 500
"""Living keys of one member."""

_PREFIX = "rescind_"
_TAIL_LENGTH = 4


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as people see it: `tail` is all that is kept of it. `expires_at` is in microseconds, None for never."""

    key: Object
    name: str
    tail: str
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `secret` exists here and in one reply, and nowhere else."""

    id: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKey(id={self.id!r})"


def own(view: View) -> list[KeyView]:
    """The living keys of the actor in this organization."""
    return _keys(view, _self(view))


def of_user(view: View, user: str) -> list[KeyView]:
    """The living keys of a member."""
    return _keys(view, view.member(user))


def get_own(view: View, key: str) -> KeyView:
    """One of the actor's keys."""
    return describe(view, _key(view, _self(view), key))


def get_of_user(view: View, user: str, key: str) -> KeyView:
    """One of a member's keys."""
    return describe(view, _key(view, view.member(user), key))


def create_own(unit: Unit, *, name: str, expires_at: int | None) -> NewKey:
    """Make a key for the actor in this organization, as personal as the one he used, and living no longer."""
    parent = unit.facts(unit.actor.credential.key, FactKind.EXISTENCE)[0].expires_at
    if parent is not None and (expires_at is None or expires_at > parent):
        raise Invalid("a key cannot make one that outlives it: set `date_expire`")
    return create(unit, _self(unit), name=name, expires_at=expires_at, personal=unit.actor.is_personal)


def create_for_user(unit: Unit, *, user: str, name: str, expires_at: int | None) -> NewKey:
    """Make a key for a member who may do nothing that the actor may not."""
    member = unit.member(user)
    refuse_credential(unit, member)
    return create(unit, member, name=name, expires_at=expires_at)


def delete_own(unit: Unit, *, key: str) -> None:
    """End one of the actor's keys."""
    unit.end(_key(unit, _self(unit), key))


def delete_of_user(unit: Unit, *, user: str, key: str) -> None:
    """End one of a member's keys; root's are ended by root alone."""
    member = unit.member(user)
    if unit.is_root(member.membership):
        refuse_credential(unit, member)
    unit.end(_key(unit, member, key))


def create(
    unit: Unit,
    member: Member,
    *,
    name: str,
    expires_at: int | None = None,
    secret: str | None = None,
    personal: bool = False,
) -> NewKey:
    """Make a key of a membership; `secret` is given by an operator or made here.

    A `personal` key is the person's own: it acts as her in every organization of hers.
    """
    if expires_at is not None and not unit.reader.instant < expires_at <= limits.INSTANT_MAX:
        raise Invalid("`date_expire` is in the past, or after the year 9999")
    secret = secret or _PREFIX + secrets.token_urlsafe(32)
    if secret.startswith(SESSION_PREFIX):
        raise Invalid(f"an API key must not begin with `{SESSION_PREFIX}`")
    if len(secret) < KEY_LENGTH_MIN:
        raise Invalid(f"an API key has at least {KEY_LENGTH_MIN} characters")
    verifier = verifier_of(secret)
    if unit.reader.find_credential(API_KEY, verifier) is not None:
        raise Invalid("this API key was used before")
    if len(_living(unit, member)) >= KEYS_MAX:
        raise Invalid(f"more than {KEYS_MAX} API keys of one user")
    key = unit.create(
        ObjectKind.API_KEY,
        owner=member.membership.owner,
        thing=member.membership.key,
        scope=member.membership.owner,
        expires_at=expires_at,
    )
    if personal:
        unit.open(Fact(FactKind.PERSONAL, key.key))
    unit.write_profile(key, name=limits.name(name), tail=secret[-_TAIL_LENGTH:])
    unit.write_credential(key, API_KEY, verifier)
    return NewKey(key.id, secret)


def describe(view: View, key: Object) -> KeyView:
    """A key as people see it."""
    profile = view.reader.profiles([key.key])[key.key]
    expires_at = view.facts(key.key, FactKind.EXISTENCE)[0].expires_at
    return KeyView(key, profile.get("name", ""), profile.get("tail", ""), expires_at)


def _self(view: View) -> Member:
    return view.member(view.actor.user.id)


def _living(view: View, member: Member) -> list[Object]:
    keys = [interval.fact.holder for interval in view.intervals_on(member.membership.key, FactKind.EXISTENCE)]
    found = [made for made in view.reader.objects(keys).values() if made.kind is ObjectKind.API_KEY]
    return sorted(found, key=lambda key: key.key)


def _keys(view: View, member: Member) -> list[KeyView]:
    return [describe(view, key) for key in _living(view, member)]


def _key(view: View, member: Member, identifier: str) -> Object:
    for key in _living(view, member):
        if key.id == identifier:
            return key
    raise NotFound(ObjectKind.API_KEY.label)
