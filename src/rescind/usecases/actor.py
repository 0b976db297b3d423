"""Who acts: from a credential to a principal with rights in one organization."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rescind.decision.decide import AccessRequest, decide, is_root
from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.model.errors import Forbidden, Unauthenticated
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object
from rescind.store.contract import Reader

API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Asking:
    """One request as it reached a door: what it presents, where it comes from, and the name we gave it."""

    request_id: str
    token: str | None = None
    address: str = ""

    def __repr__(self) -> str:
        """Without the token: it must never stand in a log."""
        return f"Asking(request_id={self.request_id!r}, address={self.address!r})"


@dataclass(frozen=True, slots=True)
class Actor:
    """The principal behind a call, in one organization, with the snapshot in which his right is decided."""

    user: Object
    credential: Object
    snapshot: Snapshot
    address: str
    is_personal: bool
    """Whether the credential is the person's own: not one that somebody else made for her."""
    founded: frozenset[int]
    """The organizations that were founded through this credential."""

    def reaches(self, organization: int) -> bool:
        """Whether the credential may act there as its person: anywhere if it is her own.

        A key that somebody made for her acts in its own organization and in those founded through it: who makes
        a key for a member gets nothing of what she has elsewhere.
        """
        return self.is_personal or organization == self.credential.owner or organization in self.founded

    @property
    def organization(self) -> int:
        """The key of the organization in which he acts."""
        return self.snapshot.principal.organization

    @property
    def is_root(self) -> bool:
        """Whether he owns the organization."""
        return is_root(self.snapshot)

    def may(self, action: str, resource_type: str, resource_id: str = "") -> bool:
        """Decide his right. Conditions read what the server knows, never what the caller says."""
        moment = datetime.fromtimestamp(self.snapshot.instant / 1_000_000, UTC)
        attributes = {
            "subject": {"type": "user", "id": self.user.id},
            "resource": {"type": resource_type, "id": resource_id},
            "action": {"name": action},
            "context": {"source_ip": self.address, "current_time": moment.isoformat()},
        }
        return decide(AccessRequest(action, resource_type, resource_id, attributes), self.snapshot).allowed


def verifier_of(token: str) -> str:
    """What is stored of an API key. Keys are random and long: a slow hash would protect nothing more."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_key(reader: Reader, asking: Asking) -> int:
    """The API key that is presented, living or not. Raises `Unauthenticated` for one that never was."""
    key = reader.find_credential(API_KEY, verifier_of(asking.token)) if asking.token else None
    if key is None:
        raise Unauthenticated("invalid credential")
    return key


def authenticate(reader: Reader, asking: Asking) -> Actor:
    """The principal behind an API key, acting in the key's organization, whether that still exists or not.

    Raises `Unauthenticated` if the key, the membership under which it was made, or the account has ended, or the
    account is blocked; `Forbidden` if the membership is suspended or may not use the API.
    """
    key = find_key(reader, asking)
    gathered = snapshot_of(reader, Principal(PLATFORM), key)
    issued = gathered.held(key, FactKind.EXISTENCE)
    joined = gathered.held(issued[0].thing, FactKind.EXISTENCE) if issued else []
    if not joined or not gathered.exists(joined[0].thing) or gathered.held(joined[0].thing, FactKind.BLOCK):
        raise Unauthenticated("invalid credential")
    membership, user, organization = issued[0].thing, joined[0].thing, joined[0].scope
    if gathered.held(membership, FactKind.SUSPENSION):
        raise Forbidden("suspended in this organization")
    if not gathered.held(membership, FactKind.API_ACCESS):
        raise Forbidden("API access is disabled")
    objects = reader.objects([key, user])
    snapshot = replace(gathered, principal=Principal(user, organization, membership))
    return Actor(
        objects[user],
        objects[key],
        snapshot,
        asking.address,
        bool(gathered.held(key, FactKind.PERSONAL)),
        frozenset(fact.thing for fact in gathered.held(key, FactKind.REACH)),
    )


def principal_of(reader: Reader, user: int, organization: int) -> Principal:
    """A user, by key, as a principal in an organization, whether she is a member or not."""
    joined = [
        interval.fact.holder
        for interval in reader.intervals_on([user], FactKind.EXISTENCE)
        if interval.fact.scope == organization and interval.fact.alive(reader.instant)
    ]
    return Principal(user, organization, joined[0] if joined else PLATFORM)


def snapshot_of(reader: Reader, principal: Principal, *others: int) -> Snapshot:
    """Everything that bears on a principal, and what other objects, by key, lead to."""

    def fetch(keys: Collection[int]) -> list[Fact]:
        return [interval.fact for interval in reader.intervals(keys)]

    seeds = {principal.user, principal.organization, principal.membership, *others} - {PLATFORM}
    return Snapshot(principal, reader.revision, reader.instant, gather(seeds, fetch))
