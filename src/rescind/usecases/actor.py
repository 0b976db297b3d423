"""Who acts: from a credential to a principal with rights in one organization."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

from rescind.decision.decide import AccessRequest, Reason, decide, is_root, state_of
from rescind.decision.snapshot import Principal, Snapshot
from rescind.decision.trusts import ADDRESS, unmet
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.addresses import read_address, read_network
from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.errors import BadToken, Fault, Forbidden, NotFound, Unauthenticated, UnknownAddress
from rescind.model.facts import Fact, FactKind, Interval
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Reader, Store
from rescind.usecases import signing
from rescind.usecases.issuer import Issuer

API_KEY = "api_key"
SESSION = "session"
CLIENT_SECRET = "client_secret"  # noqa: S105 - the kind of a credential
_DOTS_OF_JWT = 2
OF_CLIENT = "@clients"
"""What the subject of a client's own token ends with."""
LINK = "invitation"
LIVING_LINK = "link"
"""What a guest does not have whose link is unknown, was used, or has expired."""
SESSION_PREFIX = "ars-"
"""What a session's token begins with, and no API key."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One request as it reached a door: what it presents, where it comes from, and the name we gave it."""

    request_id: str
    token: str | None = field(default=None, repr=False)
    address: str = ""
    client: "ClientProof | None" = None


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What a client presents to be known: its public id with its secret, or an assertion that it signed itself."""

    id: str
    secret: str = field(default="", repr=False)
    assertion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Actor:
    """The principal behind a call, in one organization, with the snapshot in which his right is decided.

    Outside every organization it is an administrator of the platform: a client, or a user through the client that is
    the `credential`.
    """

    user: Object
    credential: Object
    snapshot: Snapshot
    address: str
    is_personal: bool
    """Whether the credential is the person's own: not one that somebody else made for her, and no session."""
    founded: frozenset[int]
    """The organizations that were founded through this credential."""
    scopes: frozenset[str] | None = None
    """The most that an access token is good for; None for every other credential."""
    is_proven: bool = True
    """Whether he proved who he is: a client that can keep no secret only says so."""

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
    def names(self) -> tuple[str, str]:
        """Who acts and through what, as the log says it."""
        return self.user.id, self.credential.id

    @property
    def is_session(self) -> bool:
        """Whether it is a session that acts: it has what its role has, and is nobody's account."""
        return bool(self.snapshot.principal.session)

    @property
    def is_root(self) -> bool:
        """Whether he owns the organization."""
        return is_root(self.snapshot)

    @property
    def is_administrator(self) -> bool:
        """Whether he acts on the platform, by an access token."""
        return self.scopes is not None

    @property
    def is_client(self) -> bool:
        """Whether it is a client that acts for itself."""
        return self.user.kind is ObjectKind.CLIENT

    def is_user(self, user: Object) -> bool:
        """Whether he is that user, and not a session of hers."""
        return self.user.key == user.key and not self.is_session

    def may(self, action: str, resource_type: str, resource_id: str = "") -> bool:
        """Decide his right. Conditions read what the server knows, never what the caller says.

        An access token is good for its scopes of the API that manages this server, as far as they are still held.
        """
        if self.scopes is not None and not (
            resource_type == RESOURCE_TYPE and resource_id == SYSTEM_API and action in self.scopes
        ):
            return False
        return decide(self._request(action, resource_type, resource_id), self.snapshot).allowed

    def state(self) -> Reason | None:
        """What states and root ownership make of him before any right is asked for."""
        return state_of(self._request("", ""), self.snapshot)

    def _request(self, action: str, resource_type: str, resource_id: str = "") -> AccessRequest:
        stored = self.snapshot.held(self.snapshot.principal.holder, FactKind.PROPERTIES)
        subject: dict[str, Any] = json.loads(stored[0].value or "{}") if stored else {}
        subject |= {"type": self.user.kind.label, "id": self.user.id}
        if self.is_session:
            subject = {"type": "session", "id": self.credential.id, "user": subject}
        return request_of(self.snapshot, action, (resource_type, resource_id), address=self.address, subject=subject)


def request_of(
    snapshot: Snapshot,
    action: str,
    resource: tuple[str, str],
    *,
    address: str,
    subject: Mapping[str, Any],
) -> AccessRequest:
    """A request as the server sees it at the snapshot's instant; `resource` is type and id.

    `subject` is what conditions read of who asks.
    """
    resource_type, resource_id = resource
    moment = datetime.fromtimestamp(snapshot.instant / 1_000_000, UTC)
    attributes = {
        "subject": subject,
        "resource": {"type": resource_type, "id": resource_id},
        "action": {"name": action},
        "context": {"source_ip": address, "current_time": moment.isoformat()},
    }
    return AccessRequest(action, resource_type, resource_id, attributes)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody whose only credential is the one-time link of an invitation."""

    invitation: Object

    @property
    def organization(self) -> int:
        """The key of the organization that invites."""
        return self.invitation.owner

    @property
    def names(self) -> tuple[str, str]:
        """Who acts and through what, as the log says it."""
        return f"invitation:{self.invitation.id}", self.invitation.id


def is_signed(token: str | None) -> bool:
    """Whether a token is a signed one: no other has two dots in it."""
    return token is not None and token.count(".") == _DOTS_OF_JWT


def verifier_of(token: str) -> str:
    """What is stored of a key, token or link. They are random and long: a slow hash would protect nothing more."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_credential(reader: Reader | Store, asking: Asking) -> int:
    """The API key or session that is presented, living or not. Raises `Unauthenticated` for one that never was."""
    token = asking.token or ""
    kind = SESSION if token.startswith(SESSION_PREFIX) else API_KEY
    found = reader.find_credential(kind, verifier_of(token)) if token else None
    if found is None:
        raise Unauthenticated("invalid credential")
    return found


def authenticate(reader: Reader, asking: Asking) -> Actor:
    """The principal behind an API key or a session's token, in its organization, whether that exists or not.

    Raises `Unauthenticated` if the credential, a link that made it, the membership under which it was made, or the
    account has ended, or the account is blocked; `UnknownAddress` if it may not be used from where it is; `Forbidden`
    if the membership is suspended or may not use the API, or it is not the hour for it.
    """
    credential = find_credential(reader, asking)
    gathered = snapshot_of(reader, Principal(PLATFORM), credential)
    issued = gathered.held(credential, FactKind.EXISTENCE)
    joined = gathered.held(issued[0].thing, FactKind.EXISTENCE) if issued else []
    if not joined or not gathered.exists(joined[0].thing) or gathered.held(joined[0].thing, FactKind.BLOCK):
        raise Unauthenticated("invalid credential")
    membership, user, organization = issued[0].thing, joined[0].thing, joined[0].scope
    if not admits_address(gathered.held(membership, FactKind.ALLOW_LIST), asking.address):
        raise UnknownAddress(asking.address)
    if gathered.held(membership, FactKind.SUSPENSION):
        raise Forbidden("suspended in this organization")
    if not gathered.held(membership, FactKind.API_ACCESS):
        raise Forbidden("API access is disabled")
    objects = reader.objects([credential, user, organization])
    session = credential if objects[credential].kind is ObjectKind.SESSION else PLATFORM
    actor = Actor(
        objects[user],
        objects[credential],
        replace(gathered, principal=Principal(user, organization, membership, session)),
        asking.address,
        bool(gathered.held(credential, FactKind.PERSONAL)),
        frozenset(fact.thing for fact in gathered.held(credential, FactKind.REACH)),
    )
    if session:
        _refuse_unusable(actor)
    return actor


def authenticate_bearer(reader: Reader, asking: Asking, issuer: Issuer) -> Actor:
    """The administrator behind an access token for the API that manages this server.

    Raises `BadToken` for one that is not good for that, and `Unauthenticated` if the client that it was issued to, or
    the user whose it is, was deleted or blocked since. What it was good for is bound by what they still have.
    """
    if not asking.token:
        raise Unauthenticated("missing credential")
    claims = signing.verified(reader, asking.token, issuer, issuer.management)
    if "org_id" in claims:
        # What is given inside an organization never reaches the platform.
        raise BadToken(Fault.UNUSABLE)
    client, subject = parties_of(reader, claims)
    if subject is None or client is None:
        raise Unauthenticated("invalid credential")
    actor = Actor(
        subject,
        client,
        snapshot_of(reader, Principal(subject.key)),
        asking.address,
        is_personal=False,
        founded=frozenset(),
        scopes=frozenset(str(claims.get("scope", "")).split()),
    )
    if actor.state() is not None:
        raise Unauthenticated("invalid credential")
    return actor


def parties_of(reader: Reader, claims: Mapping[str, Any]) -> tuple[Object | None, Object | None]:
    """The client that a token was issued to, and the client or user whose it is, as far as they live."""
    sub, azp = str(claims.get("sub", "")), str(claims.get("azp", claims.get("client_id", "")))
    client = _of_then(reader, spelled(reader, ObjectKind.CLIENT, azp), claims)
    for_itself = sub.removesuffix(OF_CLIENT) == azp and sub.endswith(OF_CLIENT)
    return client, client if for_itself else _of_then(reader, spelled(reader, ObjectKind.USER, sub), claims)


def is_as_old(reader: Reader, key: int, claims: Mapping[str, Any]) -> bool:
    """Whether an object lived already when a token was issued, as far as its seconds can tell."""
    born = reader.intervals([key], FactKind.EXISTENCE)[0].revision_from
    since, _ = reader.origins([born])[born]
    return bool(claims["iat"] >= since // 1_000_000)


def _of_then(reader: Reader, found: Object | None, claims: Mapping[str, Any]) -> Object | None:
    """The object, unless it is younger than the token: ids that are chosen may be those of another before it."""
    return found if found and is_as_old(reader, found.key, claims) else None


def spelled(reader: Reader, kind: ObjectKind, public_id: str) -> Object | None:
    """The living object of that kind with that public id."""
    found = reader.find_named("public_id", public_id)
    return found if found and found.kind is kind else None


def authenticate_client(reader: Reader, asking: Asking, issuer: Issuer) -> Actor:
    """The client that presents itself with its secret. Raises `Unauthenticated`, and never says why."""
    proof = asking.client or ClientProof("")
    client_id = signing.asserted_by(proof.assertion) if proof.assertion else proof.id
    client = spelled(reader, ObjectKind.CLIENT, client_id) if proof.id in ("", client_id) else None
    if client is None:
        raise Unauthenticated("unknown client")
    if proof.assertion:
        is_proven = signing.is_assertion(reader, proof.assertion, issuer, client, client_id)
        is_known = is_proven
    else:
        sealed = reader.secret(client.key, CLIENT_SECRET)
        is_proven = sealed is not None and _is_secret(proof.secret, issuer.vault.open(sealed, client, CLIENT_SECRET))
        # A client without a secret is one that can keep none: it is known by its name.
        is_known = is_proven or sealed is None
    if not is_known:
        raise Unauthenticated("unknown client")
    return Actor(
        client,
        client,
        snapshot_of(reader, Principal(client.key)),
        asking.address,
        is_personal=False,
        founded=frozenset(),
        scopes=frozenset(),
        is_proven=is_proven,
    )


def _is_secret(presented: str, kept: str) -> bool:
    return compare_digest(presented.encode(), kept.encode())


def _refuse_unusable(actor: Actor) -> None:
    """Refuse a session whose links do not all live, or that may not be used from here or now."""
    state, assumption = actor.state(), actor.snapshot.assumption
    if state is Reason.OUTSIDE_TERMS and assumption is not None:
        if ADDRESS in unmet(assumption.terms, actor.address, actor.snapshot.instant):
            raise UnknownAddress(actor.address)
        raise Forbidden("outside the hours of the role trust")
    if state is not None:
        raise Unauthenticated("invalid credential")


def admits_address(allow_list: Collection[Fact], address: str) -> bool:
    """Whether a member's allow-list lets her credentials be used from there; without one they may be from anywhere."""
    asked = read_address(address)
    for fact in allow_list:
        networks = [read_network(listed) for listed in json.loads(fact.value or "")]
        if asked is None or not any(network is not None and asked in network for network in networks):
            return False
    return True


def welcome(reader: Reader, token: str) -> Guest:
    """The guest with that one-time link. Raises `NotFound` for one that is unknown, was used, or has expired."""
    found = reader.find_credential(LINK, verifier_of(token))
    if found is None:
        raise NotFound(LIVING_LINK)
    waiting = [sent for sent in reader.intervals([found], FactKind.INVITATION) if sent.fact.alive(reader.instant)]
    if not waiting or reader.intervals([found], FactKind.ACCEPTANCE, FactKind.DECLINE):
        raise NotFound(LIVING_LINK)
    invitation = reader.objects([found])[found]
    around = snapshot_of(reader, Principal(PLATFORM), found, invitation.owner)
    if not around.exists(found) or not around.exists(invitation.owner) or not _stands_by(reader, invitation, waiting):
        raise NotFound(LIVING_LINK)
    return Guest(invitation)


def _stands_by(reader: Reader, invitation: Object, waiting: Collection[Interval]) -> bool:
    """Whether who sent the invitation last is a member in good standing: nobody lets himself in again by an older one.

    What no user sent, the operator did.
    """
    senders = [actor for _, actor in reader.origins({interval.revision_from for interval in waiting}).values()]
    users = [user for sender in senders if (user := reader.find_object(ObjectKind.USER, sender)) is not None]
    memberships = [principal_of(reader, user.key, invitation.owner).membership for user in users]
    return all(memberships) and not reader.intervals(memberships, FactKind.SUSPENSION)


def in_organization(reader: Reader, actor: Actor, organization: int) -> Actor | None:
    """The same actor in an organization, by key; None if he cannot act there. A session never leaves its own."""
    if organization == actor.organization:
        return actor
    if actor.is_session or not actor.reaches(organization):
        return None
    principal = principal_of(reader, actor.user.key, organization)
    return replace(actor, snapshot=snapshot_of(reader, principal)) if principal.membership else None
