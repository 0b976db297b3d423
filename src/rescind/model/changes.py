"""Changes: what one write does, and the chained log that proves it was done.

A change's body is canonical JSON: sorted members, no spaces, UTF-8. Its digest is
SHA-256(previous digest ‖ SHA-256(body)), over the raw 32 bytes of each; before the first stand 32 zero bytes.
The body names objects by their opaque ids. Personal values and credentials are not in it: it holds
SHA-256(salt ‖ value) of each, so that they can be erased without breaking the chain.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rescind.model.facts import Fact, Interval
from rescind.model.objects import PLATFORM, Object

GENESIS_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """A field of an object's profile and its new value; None takes the field away."""

    object: int
    field: str
    value: str | None


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """A verifier of `kind` (`api_key`: SHA-256 in hex, `password`: Argon2id), never the secret itself."""

    object: int
    kind: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a write would do, computed before anything is written."""

    created: Sequence[Object] = ()
    opened: Sequence[Fact] = ()
    closed: Sequence[Interval] = ()
    profile: Sequence[ProfileEntry] = ()
    credentials: Sequence[CredentialEntry] = ()

    def __bool__(self) -> bool:
        """Whether anything would change."""
        return bool(self.created or self.opened or self.closed or self.profile or self.credentials)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote, through what, and why. `organization` is the scope whose administrators may read the change.

    `actor` is the id of the user who acted, or the name of the command that did; `credential` the id of the key
    that she used; `request_id` is unique to one attempt to write; `cause` is what the change was made for.
    """

    operation: str
    request_id: str
    organization: int = PLATFORM
    actor: str = "system"
    credential: str | None = None
    cause: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log. `time` is in microseconds since 1970, strictly increasing with `revision`."""

    revision: int
    time: int
    body: str = field(repr=False)
    digest: str

    def read(self) -> dict[str, Any]:
        """The body as decoded JSON."""
        read: dict[str, Any] = json.loads(self.body)
        return read


def body_of(
    plan: Plan,
    origin: Origin,
    *,
    revision: int,
    time: int,
    ids: Mapping[int, str],
    commitments: Mapping[tuple[int, str], str],
    epoch: int | None = None,
) -> str:
    """Write the body of a change.

    `ids` spells every key of the plan; `commitments` is by (object, field); `epoch` is the one that it begins.
    """

    def said(fact: Fact) -> dict[str, Any]:
        return fact_body(fact, ids)

    return canonical(
        {
            "revision": revision,
            "time": time,
            "operation": origin.operation,
            "request": origin.request_id,
            "organization": ids[origin.organization],
            "actor": origin.actor,
            "credential": origin.credential,
            "created": [
                {"kind": created.kind.label, "id": created.id, "owner": ids[created.owner]} for created in plan.created
            ],
            "opened": [said(fact) for fact in plan.opened],
            "closed": [{**said(ended.fact), "since": ended.revision_from} for ended in plan.closed],
            "profile": [
                {
                    "object": ids[entry.object],
                    "field": entry.field,
                    "commitment": commitments[entry.object, entry.field],
                }
                for entry in plan.profile
            ],
            "credentials": [
                {
                    "object": ids[entry.object],
                    "kind": entry.kind,
                    "commitment": commitments[entry.object, entry.kind],
                }
                for entry in plan.credentials
            ],
            **({} if epoch is None else {"epoch": epoch}),
            **({} if origin.cause is None else {"cause": origin.cause}),
        }
    )


def touched_by(plan: Plan) -> list[int]:
    """The keys of what a plan touches: holders of facts, owners of fields and credentials; below zero their things."""
    facts = [*plan.opened, *(ended.fact for ended in plan.closed)]
    keys = {fact.holder for fact in facts} | {-fact.thing for fact in facts if fact.thing != PLATFORM}
    keys |= {entry.object for entry in plan.profile} | {entry.object for entry in plan.credentials}
    return sorted(keys)


def is_same(one: Plan, other: Plan) -> bool:
    """Whether two plans open and close the same facts, whatever the keys of what they make."""
    return _facts_of(one) == _facts_of(other)


def _facts_of(plan: Plan) -> tuple[frozenset[Fact], frozenset[int]]:
    made = {created.key: -1 - place for place, created in enumerate(plan.created)}

    def named(fact: Fact) -> Fact:
        holder, thing, scope = (made.get(key, key) for key in (fact.holder, fact.thing, fact.scope))
        return replace(fact, holder=holder, thing=thing, scope=scope)

    return frozenset(map(named, plan.opened)), frozenset(ended.key for ended in plan.closed)


def fact_body(fact: Fact, ids: Mapping[int, str]) -> dict[str, Any]:
    """A fact as the log says it."""
    return {
        "fact": fact.kind.label,
        "holder": ids[fact.holder],
        "thing": ids[fact.thing] if fact.thing != PLATFORM else None,
        "scope": ids[fact.scope] if fact.scope != PLATFORM else None,
        "value": fact.value,
        "expires_at": fact.expires_at,
    }


def canonical(body: Mapping[str, Any]) -> str:
    """The one spelling of a body that is hashed."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def chain(previous_digest: str, body: str) -> str:
    """The digest of the change with that body, after the change with that digest."""
    body_hash = hashlib.sha256(body.encode()).digest()
    return hashlib.sha256(bytes.fromhex(previous_digest) + body_hash).hexdigest()


def commitment(salt: str, value: str | None) -> str:
    """What the log says of a value that it does not hold. `salt` is 32 hex digits; None is a field taken away."""
    said = "\0" if value is None else "\1" + value
    return hashlib.sha256(bytes.fromhex(salt) + said.encode()).hexdigest()
