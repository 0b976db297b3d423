"""Users over the Management API, with their roles, permissions and organizations."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import Query, Response

from rescind.api.auth0 import wire
from rescind.api.auth0.here import Here
from rescind.api.auth0.manners import Said
from rescind.api.auth0.paging import Part, Wanted
from rescind.api.auth0.say import organization, permission_of_user, role_in_list, user
from rescind.api.exchange import Exchange
from rescind.model.errors import Invalid
from rescind.model.queries import parse_query
from rescind.store.contract import Page
from rescind.usecases import accounts, limits, organizations, permissions, roles
from rescind.usecases.accounts import AccountView
from rescind.usecases.passwords import verifier_of_password
from rescind.usecases.spellings import is_role_spelling

_SORTABLE = (
    "created_at",
    "updated_at",
    "email",
    "name",
    "user_id",
    "nickname",
    "username",
    "given_name",
    "family_name",
)
_DEEP = (
    "You can only page through the first 1000 records. "
    "See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation"
)


def list_users(
    exchange: Here,
    part: Part,
    wanted: Wanted,
    q: Annotated[str, Query(description="A query in a subset of Lucene's language.")] = "",
    sort: Annotated[str, Query(description="`field:1`, or `field:-1` for falling order.")] = "",
    connection: str = "",
    search_engine: str = "v3",
) -> Response:
    if part.page * part.per_page >= 1000:
        raise Said(400, _DEEP, "invalid_paging")
    if search_engine != "v3":
        raise Said(400, "Query validation error: 'No enum match' on property search_engine.", "invalid_query_string")
    field, falling = _order(sort)
    if not q and not field and connection in ("", accounts.CONNECTION):
        page = exchange.read(accounts.page, part.window(exchange))
    else:
        try:
            query = parse_query(q) if q else None
        except Invalid as error:
            raise Said(
                400, f"Query validation error: '{error.message}' on property q.", "invalid_query_string"
            ) from None

        def is_wanted(account: AccountView) -> bool:
            return connection in ("", accounts.CONNECTION) and (
                query is None or query.matches(accounts.searched_members(account))
            )

        found = exchange.read(
            accounts.search,
            is_wanted,
            query.exact if query else None,
            with_organizations="organization_id" in q,
        )
        if field:
            found.sort(key=lambda account: str(accounts.public_members(account).get(field, "")), reverse=falling)
        page = part.part(exchange, found)
    said = _described(exchange, page)
    return part.say(exchange, said, "users", wanted.of, with_length=True)


def create_user(exchange: Here, body: wire.UserNew) -> Response:
    if body.connection != accounts.CONNECTION:
        raise Said(400, "Connection does not exist.", "invalid_body")
    if not body.password:
        raise Said(400, "Payload validation error: 'Missing required property: password'.", "invalid_body")
    if not (body.email or body.username or body.phone_number):
        raise Said(400, "Payload validation error: 'Missing required property: email'.", "invalid_body")
    exchange.admit()
    verifier = verifier_of_password(_strong(body.password))
    made = exchange.write(accounts.create, members=_given(body), password_verifier=verifier)
    return exchange.say(user(exchange.look(accounts.get, made)))


def get_user(exchange: Here, user_id: str, wanted: Wanted) -> Response:
    found = exchange.read(accounts.get, user_id)
    return exchange.say(wanted.of(_described(exchange, Page([found], 1, None, None)).items[0]))


def update_user(exchange: Here, user_id: str, body: wire.UserChange) -> Response:
    members = _given(body)
    if not members and body.password is None:
        raise Said(400, "Payload validation error: 'Too few properties defined (0), minimum 1'.", "invalid_body")
    credentials = {"email", "username", "email_verified"} & members.keys()
    if body.password is not None and credentials:
        raise Said(400, f"Cannot update password and {min(credentials)} simultaneously", "invalid_body")
    if {"username", "email"} <= members.keys():
        raise Said(400, "Cannot update username and email simultaneously", "invalid_body")
    exchange.admit()
    verifier = None if body.password is None else verifier_of_password(_strong(body.password))
    exchange.write(accounts.update, user=user_id, members=members, password_verifier=verifier)
    found = exchange.look(accounts.get, user_id)
    return exchange.say(_described(exchange, Page([found], 1, None, None)).items[0])


def delete_user(exchange: Here, user_id: str) -> Response:
    exchange.write(accounts.delete, user=user_id)
    return exchange.reply()


def list_users_by_email(exchange: Here, email: Annotated[str, Query()], wanted: Wanted) -> Response:
    found = exchange.read(accounts.with_email, email=email)
    return exchange.say([wanted.of(said) for said in _described(exchange, Page(found, len(found), None, None)).items])


def list_user_roles(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(roles.of_user, user=user_id)
    return part.say(exchange, part.part(exchange, found), "roles", role_in_list)


def assign_user_roles(exchange: Here, user_id: str, body: wire.Roles) -> Response:
    exchange.write(roles.attach_users, roles=role_ids(body), user=user_id)
    return exchange.reply()


def remove_user_roles(exchange: Here, user_id: str, body: wire.Roles) -> Response:
    exchange.write(roles.detach_users, roles=role_ids(body), user=user_id)
    return exchange.reply()


def list_user_permissions(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(permissions.of_user, user=user_id)
    issuer = exchange.issuer
    return part.say(exchange, part.part(exchange, found), "permissions", lambda one: permission_of_user(issuer, one))


def assign_user_permissions(exchange: Here, user_id: str, body: wire.Permissions) -> Response:
    exchange.write(permissions.grant_to_user, user=user_id, permissions=body.pairs)
    return exchange.say({})


def remove_user_permissions(exchange: Here, user_id: str, body: wire.Permissions) -> Response:
    exchange.write(permissions.revoke_from_user, user=user_id, permissions=body.pairs)
    return exchange.reply()


def list_user_organizations(exchange: Here, user_id: str, part: Part) -> Response:
    found = exchange.read(organizations.of_user, user=user_id)
    return part.say(exchange, part.part(exchange, found), "organizations", organization)


def role_ids(body: wire.Roles | wire.InvitationNew) -> list[str]:
    """The roles that a body names, each once."""
    roles = body.roles or ()
    if not all(is_role_spelling(role) for role in roles):
        raise Said(400, "Invalid request payload input")
    return list(dict.fromkeys(roles))


def _given(body: wire.UserMembers) -> accounts.Members:
    """What was said of the account itself; a member that is null is as if it was not said."""
    apart = ("connection", "password", "verify_email", "client_id", "verify_phone_number")
    given = {name: value for name, value in body.members().items() if name not in apart and value is not None}
    return cast("accounts.Members", given)


def _strong(password: str) -> str:
    try:
        return limits.password(password)
    except Invalid:
        raise Said(400, "PasswordStrengthError: Password is too weak", "invalid_body") from None


def _order(sort: str) -> tuple[str, bool]:
    if not sort:
        return "", False
    field, _, direction = sort.partition(":")
    if field not in _SORTABLE or direction not in ("1", "-1"):
        raise Said(400, "Query validation error: 'unknown order' on property sort.", "invalid_query_string")
    return field, direction == "-1"


def _described(exchange: Exchange, page: Page[AccountView]) -> Page[dict[str, Any]]:
    """Accounts with what is known of their last logins."""
    logins: Mapping[int, tuple[int, int]] = exchange.logins.last([account.user.key for account in page.items])
    items = [user(account, logins.get(account.user.key)) for account in page.items]
    return Page(items, page.total, page.before, page.after)
