"""Accounts: users as the platform sees them, members of whatever organization or of none."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypedDict
from urllib.parse import quote

from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.emails import folded
from rescind.model.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits
from rescind.usecases.spellings import USER_PROVIDER, user_spelling
from rescind.usecases.unit import Unit, View
from rescind.usecases.users import PASSWORD

TEXTS = {"nickname": "nickname", "picture": "picture", "given_name": "first_name", "family_name": "last_name"}
"""Members that are kept as they are, and the profile's fields where they are."""
FLAGS = ("email_verified", "phone_verified")
METADATA = ("user_metadata", "app_metadata")
UPDATE, APP_METADATA, OWN_METADATA = "update:users", "update:users_app_metadata", "update:current_user_metadata"
METADATA_BYTES_MAX = 64 * 1024
CONNECTION = "Username-Password-Authentication"
"""The built-in connection: users with a password of their own here."""


class Members(TypedDict, total=False):
    """What may be said of an account."""

    user_id: str
    email: str
    username: str
    phone_number: str
    name: str
    given_name: str | None
    family_name: str | None
    nickname: str | None
    picture: str | None
    blocked: bool
    email_verified: bool
    phone_verified: bool
    user_metadata: dict[str, Any]
    app_metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as the platform sees it. Times are in microseconds since 1970; metadata is decoded JSON.

    `blocked` is None until it was said once; what the person never had is absent from `profile`. `organizations` are
    the public ids of hers, where they were asked for.
    """

    user: Object
    public_id: str
    profile: Mapping[str, str]
    user_metadata: Mapping[str, Any] | None
    app_metadata: Mapping[str, Any] | None
    blocked: bool | None
    updated_at: int
    organizations: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The names by which a user may log in, what her failures are counted under, and when that was so."""

    names: Sequence[str]
    subject: str
    instant: int


def page(view: View, window: Window) -> Page[AccountView]:
    """All accounts by age."""
    found = view.reader.page_objects(ObjectKind.USER, (PLATFORM,), window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def search(
    view: View, is_wanted: Callable[[AccountView], bool], exact: tuple[str, str] | None, *, with_organizations: bool
) -> list[AccountView]:
    """The accounts that are wanted, by age; `exact` is an `email` or `user_id` that all of them must have."""
    if exact is not None:
        field, value = exact
        one = view.reader.find_user(value) if field == "email" else view.lookup(ObjectKind.USER, value)
        described = describe(view, [one] if one else [])
    else:
        described = describe(view, view.reader.living(ObjectKind.USER))
    if with_organizations:
        described = [replace(account, organizations=_organizations_of(view, account.user)) for account in described]
    return [account for account in described if is_wanted(account)]


def _organizations_of(view: View, user: Object) -> list[str]:
    owners = [membership.owner for membership in view.memberships_of(user) if view.exists(membership.owner)]
    return [profile["public_id"] for profile in view.reader.profiles(owners).values()]


def names_of(view: View, user: str) -> Names:
    """The names by which a user may log in."""
    return _names(view, view.user(user))


def names_with(view: View, identifier: str) -> Names:
    """The names of the user who has this e-mail address or username."""
    found = view.reader.find_user(identifier) or view.reader.find_named("username", identifier)
    if found is None:
        raise NotFound(ObjectKind.USER.label)
    return _names(view, found)


def _names(view: View, user: Object) -> Names:
    profile = view.reader.profiles([user.key])[user.key]
    names = [profile[name] for name in ("email", "username") if name in profile]
    return Names(names, login_subject(user.key), view.reader.instant)


def login_subject(user: int) -> str:
    """What the failed logins of a user, by key, are counted under."""
    return f"user {user}"


def connections(_: View) -> None:
    """Where accounts come from is no secret to who may ask; there is one place."""


def with_email(view: View, *, email: str) -> list[AccountView]:
    """The account with that e-mail address, whatever the case of its letters."""
    found = view.reader.find_user(email)
    return describe(view, [found] if found else [])


def get(view: View, user: str) -> AccountView:
    """One account."""
    return describe(view, [view.user(user)])[0]


def create(unit: Unit, *, members: Members, password_verifier: str | None) -> str:
    """Make an account that is the person's own and return its public id. It has an e-mail address, or a username."""
    email, username = members.get("email"), members.get("username")
    chosen = members.get("user_id")
    if chosen is not None:
        chosen = user_spelling(limits.name(chosen, "user_id").removeprefix(f"{USER_PROVIDER}|"))
    if email:
        members = {**members, "email": email.lower()}
    if (
        (email and unit.reader.find_user(limits.email(email)))
        or (username and unit.reader.find_named("username", username))
        or (chosen and unit.reader.find_named("public_id", chosen))
    ):
        raise Conflict(ObjectKind.USER.label, "the user exists already")
    user = unit.create(ObjectKind.USER, owner=PLATFORM, spelling=chosen)
    _write(unit, user, {"name": email or username or members.get("phone_number"), **members})
    if password_verifier is not None:
        unit.write_credential(user, PASSWORD, password_verifier)
    _block(unit, user, members.get("blocked"))
    return unit.spelling(user)


def update(unit: Unit, *, user: str, members: Members, password_verifier: str | None) -> str:
    """Change what is given. Keys of metadata are merged, a key that is None goes; an empty object clears it."""
    found = unit.user(user)
    _demand_scope_for(unit, found, members, with_password=password_verifier is not None)
    email, username = members.get("email"), members.get("username")
    if email is not None:
        members = {**members, "email": email.lower()}
        holder = unit.reader.find_user(limits.email(email))
        if holder is not None and holder.key != found.key:
            raise Conflict(ObjectKind.USER.label, "the user exists already")
    if username is not None:
        holder = unit.reader.find_named("username", username)
        if holder is not None and holder.key != found.key:
            raise Conflict(ObjectKind.USER.label, "the user exists already")
    if password_verifier is not None or email is not None or username is not None:
        if not unit.actor.is_client and not unit.actor.is_user(found):
            raise Forbidden("credentials of others are changed by clients alone")
        _refuse_root(unit, found, "credentials of root are changed by root alone")
    _write(unit, found, members)
    if password_verifier is not None:
        unit.write_credential(found, PASSWORD, password_verifier)
        unit.write_profile(found, password_at=str(unit.now))
    _block(unit, found, members.get("blocked"))
    return unit.spelling(found)


def delete(unit: Unit, *, user: str) -> None:
    """End an account everywhere, with every membership, if it is there."""
    try:
        found = unit.user(user)
    except NotFound:
        return
    _refuse_root(unit, found, "the last root cannot be removed: transfer the ownership first")
    for held in unit.intervals_on(found.key, FactKind.EXISTENCE):
        unit.close_interval(held)
    unit.end(found)


def describe(view: View, users: Iterable[Object]) -> list[AccountView]:
    """Accounts as the platform sees them, in their order."""
    users = list(users)
    keys = [user.key for user in users]
    profiles, times = view.reader.profiles(keys), view.reader.profile_times(keys)
    blocked = {held.fact.holder for held in view.reader.intervals(keys, FactKind.BLOCK)}
    return [
        AccountView(
            user,
            profiles[user.key]["public_id"],
            profiles[user.key],
            _metadata(profiles[user.key], "user_metadata"),
            _metadata(profiles[user.key], "app_metadata"),
            True if user.key in blocked else (False if "blocked_said" in profiles[user.key] else None),
            times.get(user.key, user.created_at),
        )
        for user in users
    ]


def _demand_scope_for(unit: Unit, user: Object, members: Mapping[str, Any], *, with_password: bool) -> None:
    """The narrower scopes are for metadata alone: the app's of everybody, the user's of herself."""
    allowed: set[str] = set()
    for scope, name in ((APP_METADATA, "app_metadata"), (OWN_METADATA, "user_metadata")):
        if unit.actor.may(scope, RESOURCE_TYPE, SYSTEM_API) and (scope == APP_METADATA or unit.actor.is_user(user)):
            allowed.add(name)
    is_narrow = members.keys() <= allowed and not with_password
    if not is_narrow and not unit.actor.may(UPDATE, RESOURCE_TYPE, SYSTEM_API):
        raise MissingScope((UPDATE,))


def _metadata(profile: Mapping[str, str], name: str) -> Mapping[str, Any] | None:
    read: Mapping[str, Any] | None = json.loads(profile[name]) if name in profile else None
    return read


def _write(unit: Unit, user: Object, members: Mapping[str, Any]) -> None:
    fields: dict[str, str | None] = {TEXTS[key]: members[key] for key in TEXTS if key in members}
    fields |= {key: "true" if members[key] else "false" for key in FLAGS if key in members}
    if members.get("name") is not None:
        fields["name"] = limits.name(members["name"])
    if members.get("email") is not None:
        fields |= {"email": limits.email(members["email"]), "email_folded": folded(members["email"])}
    if "@" in (members.get("username") or ""):
        raise Invalid("a username is no e-mail address")
    for key in ("username", "phone_number"):
        if members.get(key) is not None:
            fields[key] = limits.name(members[key], key)
    for key in METADATA:
        if key in members:
            fields[key] = _merged(_metadata(unit.reader.profiles([user.key])[user.key], key), members[key], key)
    unit.write_profile(user, **fields)


def _merged(known: Mapping[str, Any] | None, said: Mapping[str, Any], name: str) -> str | None:
    """Metadata as it is stored after a change; what of the app's is cleared is absent, of the user's empty."""
    merged = {**(known or {}), **said} if said else {}
    kept = {key: value for key, value in merged.items() if value is not None}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > METADATA_BYTES_MAX:
        raise Invalid(f"`{name}` is longer than {METADATA_BYTES_MAX // 1024} KiB")
    return text if kept or name == "user_metadata" else None


def _block(unit: Unit, user: Object, blocked: bool | None) -> None:
    if blocked is None:
        return
    if blocked:
        _refuse_root(unit, user, "the last root cannot be blocked: transfer the ownership first")
    (unit.open if blocked else unit.close)(Fact(FactKind.BLOCK, user.key))
    unit.write_profile(user, blocked_said="true")


def _refuse_root(unit: Unit, user: Object, message: str) -> None:
    """Refuse what would leave a living organization without its root, or hand it to another."""
    for membership in unit.memberships_of(user):
        if unit.exists(membership.owner) and unit.is_root(membership):
            raise Forbidden(message)


def public_members(account: AccountView) -> dict[str, Any]:
    """What people see of an account, in the words of OpenID Connect; what it never had is absent."""
    profile = account.profile
    email = profile.get("email")
    name = profile.get("name", "")
    digest = hashlib.md5((email or name).strip().lower().encode(), usedforsecurity=False).hexdigest()
    letters = quote("".join(letter for letter in name if letter.isalnum())[:2].lower() or "ab")
    avatar = quote(f"https://cdn.auth0.com/avatars/{letters}.png", safe="")
    public: dict[str, Any] = {
        "user_id": account.public_id,
        "name": name,
        "nickname": (email or name).partition("@")[0],
        "picture": f"https://s.gravatar.com/avatar/{digest}?s=480&r=pg&d={avatar}",
        "email_verified": profile.get("email_verified") == "true",
        "created_at": date_of(account.user.created_at),
        "updated_at": date_of(account.updated_at),
        "identities": [
            {
                "connection": CONNECTION,
                "user_id": account.public_id.partition("|")[2],
                "provider": USER_PROVIDER,
                "isSocial": False,
            }
        ],
    }
    public |= {member: profile[stored] for member, stored in TEXTS.items() if profile.get(stored)}
    public |= {member: profile[member] for member in ("email", "username", "phone_number") if member in profile}
    if "phone_verified" in profile:
        public["phone_verified"] = profile["phone_verified"] == "true"
    if "password_at" in profile:
        public["last_password_reset"] = date_of(int(profile["password_at"]))
    said = {name: getattr(account, name) for name in (*METADATA, "blocked")}
    return public | {name: value for name, value in said.items() if value is not None}


def searched_members(account: AccountView) -> dict[str, Any]:
    """What a query may ask of an account."""
    known = {"email_verified": False, "blocked": False, "organization_id": list(account.organizations)}
    return {**known, **public_members(account)}


def date_of(microseconds: int) -> str:
    """An instant as RFC 3339 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
