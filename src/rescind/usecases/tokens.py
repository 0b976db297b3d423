"""Tokens: what a client gets for proving who it, or its user, is; and what one is good for now."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from uuid_utils import uuid7

from rescind.decision.decide import AccessRequest, Reason, state_of
from rescind.decision.snapshot import Principal, Snapshot
from rescind.engine.principals import principal_of, snapshot_of
from rescind.model.apis import SYSTEM_API
from rescind.model.errors import BadToken, Fault, NotFound, Refusal, Unauthenticated
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.usecases import accounts, apis, client_grants, clients, permissions, signing
from rescind.usecases.actor import OF_CLIENT, is_as_old, parties_of, spelled, verifier_of
from rescind.usecases.token_families import REFRESH, FamilyTerms, family_terms, terms_text
from rescind.usecases.unit import Unit, View
from rescind.usecases.users import PASSWORD

CLIENT_CREDENTIALS = "client_credentials"
PASSWORD_GRANT = "password"  # noqa: S105 - a grant type
PASSWORD_REALM = "http://auth0.com/oauth/grant-type/password-realm"  # noqa: S105 - a grant type
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant type
OIDC_SCOPES = ("openid", "profile", "email", "phone", "address", "offline_access")
FIRST_TURN = "first_turn"
OPAQUE = "opaque_token"
USERINFO_SECONDS = 86_400
ID_TOKEN_SECONDS = 36_000
_NOT_A_MEMBER = ("access_denied", "user is not part of the organization")
INVALID_REFRESH = ("invalid_grant", "Unknown or invalid refresh token.")


class NoToken(Refusal):
    """No token for this; `error` is the code of RFC 6749 or of the dialect, the message its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True, slots=True)
class Issued:
    """What a client gets. Secrets exist here and in one reply, and nowhere else."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: str = ""
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """New tokens, good once the turn of the family was taken: from the token presented to the one that is issued."""

    issued: Issued
    family: int
    first: str
    old: str
    new: str
    instant: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for on behalf of a user; `organization` is a public id."""

    grant_type: str
    audience: str | None = None
    scope: str = ""
    organization: str | None = None

    @property
    def is_kept(self) -> bool:
        """Whether a token is asked for that is kept here: one that outlives the login, or one for no API."""
        return self.audience is None or "offline_access" in self.scope.split()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whom a name may be, and what her password is held against; both None for nobody. `instant` is when that was."""

    user: int | None
    verifier: str | None = field(repr=False)
    instant: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Who tries to get a token, by key, and when."""

    client: int
    organization: int | None
    instant: int
    revision: int


# --- for the client itself ------------------------------------------------------------------------------------------


def by_client_credentials(view: View, *, audience: str | None, scope: str | None, organization: str | None) -> Issued:
    """A token for the client itself, for the scopes of an API that it was granted, or some of them."""
    client = view.actor.user
    _demand_grant_type(view, client, CLIENT_CREDENTIALS)
    if not view.actor.is_proven:
        raise NoToken("unauthorized_client", f"Grant type '{CLIENT_CREDENTIALS}' not allowed for the client.")
    if not audience:
        raise NoToken("access_denied", "Non-global clients are not allowed access to APIv1")
    api = _api(view, audience)
    if api is None:
        raise NoToken("access_denied", f"Service not enabled within domain: {audience}")
    definition = apis.definition_of(view, api)
    granted = client_grants.of_client(view, client, api, "client")
    policy = definition["subject_type_authorization"].get("client", {}).get("policy")
    if granted is None or policy == "deny_all":
        raise NoToken(
            "access_denied",
            f'Client is not authorized to access "{audience}". You need to create a "client-grant" associated to '
            "this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants",
        )
    allowed = permissions.effective(view, view.actor.snapshot, api, view.actor.address)
    order = [*granted.scopes, *(one for one in allowed if one not in granted.scopes)]
    held = [one for one in order if one in allowed]
    asked = list(dict.fromkeys((scope or "").split()))
    missing = [one for one in asked if one not in held]
    if missing:
        raise NoToken("access_denied", f"Client has not been granted scopes: {', '.join(missing)}")
    here = _organization_of_client(view, granted, organization)
    scopes = asked or held
    claims: dict[str, Any] = {"gty": "client-credentials"}
    if here is not None:
        claims["org_id"] = _spelled(view, here)
    if _copies_permissions(definition):
        claims["permissions"] = scopes
    client_id = _spelled(view, client)
    return _access_token(
        view, api, definition, client_id=client_id, subject=f"{client_id}{OF_CLIENT}", scopes=scopes, claims=claims
    )


def _organization_of_client(
    view: View, granted: client_grants.ClientGrantView, organization: str | None
) -> Object | None:
    if organization is None:
        if granted.terms.organization_usage == "require":
            raise NoToken("invalid_request", "an organization is required")
        return None
    here = view.lookup(ObjectKind.ORGANIZATION, organization)
    if here is None or not client_grants.is_usable_in(view, granted, here):
        raise NoToken("access_denied", f"Client is not authorized to access the organization {organization}")
    return here


# --- on behalf of a user --------------------------------------------------------------------------------------------


def candidate(view: View, *, name: str) -> Candidate:
    """Whom somebody means who logs in with an e-mail address or username."""
    found = view.reader.find_user(name) or view.reader.find_named("username", name)
    if found is None:
        return Candidate(None, None, view.reader.instant)
    return Candidate(found.key, view.reader.secret(found.key, PASSWORD), view.reader.instant)


def trace(view: View, *, organization: str | None) -> Trace:
    """Who tries to get a token, for those who read of it later."""
    here = view.lookup(ObjectKind.ORGANIZATION, organization) if organization else None
    return Trace(view.actor.user.key, here.key if here else None, view.reader.instant, view.reader.revision)


def by_password(view: View, *, user: int | None, proven: str | None, wanted: Wanted) -> Issued:
    """Tokens for a user, by key, whose password was held against the verifier `proven`, which must still be hers."""
    client = view.actor.user
    _demand_grant_type(view, client, wanted.grant_type)
    if user is None or proven is None or proven != view.reader.secret(user, PASSWORD):
        raise NoToken("invalid_grant", "Wrong email or password.")
    holder = view.reader.objects([user])[user]
    organization = PLATFORM
    if wanted.organization is not None:
        here = view.lookup(ObjectKind.ORGANIZATION, wanted.organization)
        if here is None:
            raise NoToken(*_NOT_A_MEMBER)
        organization = here.key
    terms = FamilyTerms(wanted.audience, tuple(dict.fromkeys(wanted.scope.split())))
    return _for_user(view, client, holder, organization=organization, terms=terms, gty="password")


def by_password_for_long(unit: Unit, *, user: int | None, proven: str | None, wanted: Wanted) -> Issued:
    """The same with a refresh token, where the API and the client allow one, or with an access token for no API.

    Such a token says nothing by itself, and is good for looking at who has it.
    """
    issued = by_password(unit, user=user, proven=proven, wanted=wanted)
    assert user is not None
    here = unit.lookup(ObjectKind.ORGANIZATION, wanted.organization) if wanted.organization else None
    terms = FamilyTerms(wanted.audience, tuple(dict.fromkeys(wanted.scope.split())))
    holder, organization = unit.reader.objects([user])[user], here.key if here else PLATFORM
    if wanted.audience is None:
        until = unit.reader.instant + issued.expires_in * 1_000_000
        family = _open_family(unit, holder, organization, FamilyTerms(None, tuple(issued.scope.split())), until)
        token = secrets.token_hex(16)
        unit.write_credential(family, OPAQUE, verifier_of(token))
        return replace(issued, access_token=token)
    if "offline_access" not in issued.scope.split():
        return issued
    return replace(issued, refresh_token=_new_family(unit, holder, organization, terms))


def by_refresh_token(view: View, *, token: str, scope: str | None) -> Renewed:
    """New tokens for the user of a family, as she is now, with its next refresh token."""
    client = view.actor.user
    _demand_grant_type(view, client, REFRESH_TOKEN)
    family, old = _family(view, token)
    if family is None:
        raise NoToken(*INVALID_REFRESH)
    fact = view.facts(family.key, FactKind.TOKEN_FAMILY)[0]
    if fact.thing != client.key:
        raise NoToken(*INVALID_REFRESH)
    terms = family_terms(fact.value or "")
    asked = terms.scopes if scope is None else tuple(dict.fromkeys(scope.split()))
    if not set(asked) <= set(terms.scopes):
        raise NoToken("invalid_scope", "the scopes asked for are not those of the refresh token")
    user = _user_of(view, family)
    if user is None:
        raise NoToken(*INVALID_REFRESH)
    asked_for = FamilyTerms(terms.audience, asked)
    gty = ["refresh_token", "password"]
    issued = _for_user(view, client, user, organization=fact.scope, terms=asked_for, gty=gty)
    secret, turn = token.split(".", maxsplit=1)[0], secrets.token_urlsafe(32)
    renewed = Issued(issued.access_token, issued.expires_in, issued.scope, issued.id_token, f"{secret}.{turn}")
    first = view.reader.secret(family.key, FIRST_TURN) or ""
    return Renewed(renewed, family.key, first, old, verifier_of(turn), view.reader.instant)


def end_reused(unit: Unit, *, family: int) -> None:
    """End a family of which a refresh token was used twice: one of the two who had it had no right to."""
    unit.end(unit.reader.objects([family])[family])


def revoke(unit: Unit, *, token: str) -> None:
    """End the family of a refresh token that was issued to the client; anything else is no token of its."""
    family, _ = _family(unit, token)
    if family is not None and unit.facts(family.key, FactKind.TOKEN_FAMILY)[0].thing == unit.actor.user.key:
        unit.end(family)


# --- what a token is good for ---------------------------------------------------------------------------------------


def introspect(view: View, *, token: str, is_turn: Callable[[int, str, str], bool]) -> dict[str, Any]:
    """What a token is good for now (RFC 7662): nothing, if who has it could not get it any more.

    `is_turn` says of a family, the verifier of its first turn and another whether that one is to be used next.
    """
    if not view.actor.is_proven:
        raise Unauthenticated("unknown client")
    kept = _introspected_kept(view, token, is_turn)
    if kept is not None:
        return kept
    try:
        return _introspected_signed(view, signing.verified(view.reader, token, view.issuer))
    except (BadToken, NoToken, NotFound):
        return {"active": False}


def userinfo(view: View, *, token: str) -> tuple[accounts.AccountView, list[str]]:
    """The user whose access token with the scope `openid` it is, and all scopes that it has."""
    opaque = view.reader.find_credential(OPAQUE, verifier_of(token))
    if opaque is not None:
        return _userinfo_of_opaque(view, opaque)
    claims = signing.verified(view.reader, token, view.issuer, view.issuer.userinfo)
    _, user = parties_of(view.reader, claims)
    if user is None or user.kind is not ObjectKind.USER or "openid" not in str(claims.get("scope", "")).split():
        raise BadToken(Fault.UNUSABLE)
    organization = spelled(view.reader, ObjectKind.ORGANIZATION, str(claims["org_id"])) if "org_id" in claims else None
    if "org_id" in claims and organization is None:
        raise BadToken(Fault.UNUSABLE)
    snapshot = _snapshot(view, user, organization.key if organization else PLATFORM)
    if _standing(snapshot) is not None or not _is_of_membership(view, snapshot, claims):
        raise Unauthenticated("invalid credential")
    return accounts.describe(view, [user])[0], str(claims["scope"]).split()


def _userinfo_of_opaque(view: View, key: int) -> tuple[accounts.AccountView, list[str]]:
    family = view.reader.objects([key])[key]
    terms = [fact for fact in view.facts(key, FactKind.TOKEN_FAMILY) if view.exists(key)]
    user = _user_of(view, family) if terms else None
    scopes = list(family_terms(terms[0].value or "").scopes) if terms else []
    if user is None or "openid" not in scopes or not view.exists(terms[0].thing):
        raise BadToken(Fault.UNUSABLE)
    if _standing(_snapshot(view, user, terms[0].scope)) is not None:
        raise Unauthenticated("invalid credential")
    return accounts.describe(view, [user])[0], scopes


def _introspected_signed(view: View, claims: Mapping[str, Any]) -> dict[str, Any]:
    """What a token that says everything itself is good for. Raises `NotFound` or `NoToken` where that is nothing."""
    client, subject = parties_of(view.reader, claims)
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    api = next((found for audience in audiences if (found := _api(view, audience)) is not None), None)
    if client is None or subject is None or (api is None and view.issuer.userinfo not in audiences):
        raise NotFound("token")
    organization = view.get(ObjectKind.ORGANIZATION, str(claims["org_id"])) if "org_id" in claims else None
    is_client = subject.kind is ObjectKind.CLIENT
    snapshot = _snapshot(view, subject, organization.key if organization and not is_client else PLATFORM)
    if _standing(snapshot) is not None or not _is_of_membership(view, snapshot, claims):
        raise NotFound("token")
    granted = client_grants.of_client(view, client, api, "client") if api and is_client else None
    if is_client and (
        granted is None or (organization and not client_grants.is_usable_in(view, granted, organization))
    ):
        raise NotFound("token")
    said = {key: value for key, value in claims.items() if key not in ("scope", "permissions")}
    scopes = str(claims.get("scope", "")).split()
    if api is not None:
        held = permissions.effective(view, snapshot, api, view.actor.address)
        bound = held if is_client else _asked_for_users(view, client, api, held)
        scopes = [scope for scope in scopes if scope in bound or (scope in OIDC_SCOPES and not is_client)]
        if "permissions" in claims:
            said["permissions"] = [scope for scope in held if scope in scopes] if is_client else held
    client_id = _spelled(view, client)
    return {"active": True, **said, "scope": " ".join(scopes), "client_id": client_id, "token_type": "Bearer"}


def _asked_for_users(view: View, client: Object, api: Object, held: Sequence[str]) -> Sequence[str]:
    """The scopes of an API that a client may have on behalf of a user who holds these."""
    definition = apis.definition_of(view, api)
    bound = bound_of(view, client, api, definition)
    if not definition.get("enforce_policies") and not apis.is_system(view, api):
        return bound
    return [scope for scope in bound if scope in held]


def _introspected_kept(view: View, token: str, is_turn: Callable[[int, str, str], bool]) -> dict[str, Any] | None:
    """What a token that is kept here is good for; None for one that is not."""
    family, turn = _family(view, token)
    if family is not None:
        if not is_turn(family.key, view.reader.secret(family.key, FIRST_TURN) or "", turn):
            return {"active": False}
        return _introspected_family(view, family, turn, "refresh_token")
    opaque = view.reader.find_credential(OPAQUE, verifier_of(token))
    if opaque is None:
        return None
    if not view.exists(opaque):
        return {"active": False}
    return _introspected_family(view, view.reader.objects([opaque])[opaque], token, "Bearer")


def _introspected_family(view: View, family: Object, turn: str, token_type: str) -> dict[str, Any]:
    fact = view.facts(family.key, FactKind.TOKEN_FAMILY)[0]
    user = _user_of(view, family)
    if user is None or not turn or not view.exists(fact.thing):
        return {"active": False}
    if _standing(_snapshot(view, user, fact.scope)) is not None:
        return {"active": False}
    client = view.reader.objects([fact.thing])[fact.thing]
    terms = family_terms(fact.value or "")
    return {
        "active": True,
        "sub": _spelled(view, user),
        "client_id": _spelled(view, client),
        "scope": " ".join(terms.scopes),
        "token_type": token_type,
    }


# --- how tokens are made --------------------------------------------------------------------------------------------


def _for_user(
    view: View, client: Object, user: Object, *, organization: int, terms: FamilyTerms, gty: str | list[str]
) -> Issued:
    """Tokens for a user in an organization, or in none, if she may log in there."""
    snapshot = _snapshot(view, user, organization)
    match _standing(snapshot):
        case None:
            pass
        case Reason.ACCOUNT_BLOCKED:
            raise NoToken("unauthorized", "user is blocked")
        case _:
            raise NoToken(*_NOT_A_MEMBER)
    definition: Mapping[str, Any] = {}
    api = _api(view, terms.audience) if terms.audience else None
    if terms.audience and api is None:
        raise NoToken("invalid_request", "invalid audience specified for password grant exchange")
    claims: dict[str, Any] = {"gty": gty}
    bound: Sequence[str] = ()
    if api is not None:
        definition = apis.definition_of(view, api)
        held = permissions.effective(view, snapshot, api, view.actor.address)
        bound = _asked_for_users(view, client, api, held)
        if _copies_permissions(definition):
            claims["permissions"] = held
    lasts = api is not None and definition["allow_offline_access"] and REFRESH_TOKEN in _grant_types(view, client)
    scopes = [
        scope
        for scope in terms.scopes
        if scope in bound or (scope in OIDC_SCOPES and (scope != "offline_access" or lasts))
    ]
    if organization:
        claims["org_id"] = _spelled(view, view.reader.objects([organization])[organization])
    client_id, subject = _spelled(view, client), _spelled(view, user)
    issued = _access_token(view, api, definition, client_id=client_id, subject=subject, scopes=scopes, claims=claims)
    if "openid" not in scopes:
        return issued
    id_token = _id_token(view, user, client_id, scopes, claims.get("org_id"))
    return Issued(issued.access_token, issued.expires_in, issued.scope, id_token)


def bound_of(view: View, client: Object, api: Object, definition: Mapping[str, Any]) -> Sequence[str]:
    """The scopes of an API that a client may ask for on behalf of users."""
    if not clients.definition_of(view, client).get("is_first_party", True):
        # Users consent on pages that do not exist yet.
        return ()
    policy = definition["subject_type_authorization"].get("user", {}).get("policy", "allow_all")
    if policy == "allow_all":
        return definition["scopes"] or ()
    granted = client_grants.of_client(view, client, api, "user")
    if policy == "deny_all" or granted is None:
        raise NoToken("access_denied", "Client is not authorized to access this API on behalf of users")
    return (definition["scopes"] or ()) if granted.terms.all_scopes else granted.scopes


def _access_token(
    view: View,
    api: Object | None,
    definition: Mapping[str, Any],
    *,
    client_id: str,
    subject: str,
    scopes: Sequence[str],
    claims: Mapping[str, Any],
) -> Issued:
    issuer = view.issuer
    now = view.reader.instant // 1_000_000
    seconds = int(definition.get("token_lifetime", USERINFO_SECONDS))
    identifier = view.reader.profiles([api.key])[api.key]["identifier"] if api else None
    audiences = [issuer.spoken(identifier)] if identifier else []
    if "openid" in scopes or not audiences:
        audiences.append(issuer.userinfo)
    is_rfc9068 = str(definition.get("token_dialect", "")).startswith("rfc9068_profile") and identifier != SYSTEM_API
    about_client = {"client_id": client_id, "jti": str(uuid7())} if is_rfc9068 else {"azp": client_id}
    said = {
        "iss": issuer.url,
        "sub": subject,
        "aud": audiences if len(audiences) > 1 else audiences[0],
        "iat": now,
        "exp": now + seconds,
        **({"scope": " ".join(scopes)} if scopes else {}),
        **{name: value for name, value in claims.items() if not (is_rfc9068 and name == "gty")},
        **about_client,
    }
    token = signing.sign(
        view.reader,
        issuer,
        said,
        algorithm=str(definition.get("signing_alg", "RS256")),
        token_type="at+jwt" if is_rfc9068 else "JWT",
        api=api,
    )
    return Issued(token, seconds, " ".join(scopes))


def _id_token(view: View, user: Object, client_id: str, scopes: Sequence[str], org_id: str | None) -> str:
    now = view.reader.instant // 1_000_000
    claims = {
        **person_claims(accounts.describe(view, [user])[0], scopes),
        "iss": view.issuer.url,
        "aud": client_id,
        "iat": now,
        "exp": now + ID_TOKEN_SECONDS,
        **({"org_id": org_id} if org_id else {}),
    }
    return signing.sign(view.reader, view.issuer, claims, algorithm="RS256", token_type="JWT")  # noqa: S106 - a header


def person_claims(account: accounts.AccountView, scopes: Sequence[str]) -> dict[str, Any]:
    """What those scopes let a client know of a user."""
    public = accounts.public_members(account)
    known = ["sub"]
    if "profile" in scopes:
        known += ["nickname", "name", "picture", "updated_at", "given_name", "family_name"]
    if "email" in scopes:
        known += ["email", "email_verified"]
    said = {**public, "sub": account.public_id}
    return {name: said[name] for name in known if name in said}


def _new_family(unit: Unit, user: Object, organization: int, terms: FamilyTerms) -> str:
    """Open a family for a user of the client's, on her membership where she logged in through an organization."""
    family = _open_family(unit, user, organization, terms)
    secret, turn = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    unit.write_credential(family, REFRESH, verifier_of(secret))
    unit.write_credential(family, FIRST_TURN, verifier_of(turn))
    return f"{secret}.{turn}"


def _open_family(
    unit: Unit, user: Object, organization: int, terms: FamilyTerms, expires_at: int | None = None
) -> Object:
    membership = principal_of(unit.reader, user.key, organization).membership if organization else PLATFORM
    family = unit.create(
        ObjectKind.TOKEN_FAMILY,
        owner=organization,
        thing=membership or user.key,
        scope=organization,
        expires_at=expires_at,
    )
    unit.open(Fact(FactKind.TOKEN_FAMILY, family.key, unit.actor.user.key, organization, value=terms_text(terms)))
    return family


def _family(view: View, token: str) -> tuple[Object | None, str]:
    """The living family of a refresh token, whether its turn has come or not, and the verifier of the turn."""
    secret, dot, turn = token.partition(".")
    found = view.reader.find_credential(REFRESH, verifier_of(secret)) if dot else None
    if found is None or not view.exists(found):
        return None, ""
    return view.reader.objects([found])[found], verifier_of(turn)


def _user_of(view: View, family: Object) -> Object | None:
    """The user of a family; None if the membership on which it hangs has ended."""
    thing = view.facts(family.key, FactKind.EXISTENCE)[0].thing
    if not view.exists(thing):
        return None
    holder = view.reader.objects([thing])[thing]
    return holder if holder.kind is ObjectKind.USER else view.members([holder])[0].user


def _snapshot(view: View, subject: Object, organization: int) -> Snapshot:
    if organization == PLATFORM:
        return snapshot_of(view.reader, Principal(subject.key))
    return snapshot_of(view.reader, principal_of(view.reader, subject.key, organization))


def _standing(snapshot: Snapshot) -> Reason | None:
    """What keeps a principal from everything, if anything does."""
    state = state_of(AccessRequest("", ""), snapshot)
    return None if state is Reason.ROOT else state


def _is_of_membership(view: View, snapshot: Snapshot, claims: Mapping[str, Any]) -> bool:
    """Whether a token from a login through an organization is as young as the membership is now."""
    membership = snapshot.principal.membership
    if not membership:
        return True
    return is_as_old(view.reader, membership, claims)


def _api(view: View, audience: str) -> Object | None:
    try:
        return apis.identified(view, audience)
    except NotFound:
        return None


def _spelled(view: View, of: Object) -> str:
    return view.reader.profiles([of.key])[of.key]["public_id"]


def _copies_permissions(definition: Mapping[str, Any]) -> bool:
    return bool(definition.get("enforce_policies")) and str(definition.get("token_dialect", "")).endswith("_authz")


def _grant_types(view: View, client: Object) -> Sequence[str]:
    return clients.definition_of(view, client).get("grant_types") or ()


def _demand_grant_type(view: View, client: Object, grant_type: str) -> None:
    if grant_type not in _grant_types(view, client):
        raise NoToken("unauthorized_client", f"Grant type '{grant_type}' not allowed for the client.")
