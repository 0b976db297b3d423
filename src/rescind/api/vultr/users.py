"""Users and what they have: calls 19 to 23, 32 to 37 and 42."""

from fastapi import Response

from rescind.api.exchange import Exchange, Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta, whole
from rescind.model.errors import Invalid
from rescind.usecases import access, limits, users
from rescind.usecases.access import Held, Holding
from rescind.usecases.groups import GroupView
from rescind.usecases.passwords import verifier_of_password
from rescind.usecases.policies import PolicyView
from rescind.usecases.roles import RoleView


def list_users(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(users.page, exchange.window(cursor, per_page))
    return exchange.reply(wire.Users(users=[say.user(user) for user in page.items], meta=meta(exchange, page)))


def create_user(exchange: Here, body: wire.UserNew) -> Response:
    is_service = bool(body.service_user)
    name, first, last = _names(body)
    if body.password is None and not is_service:
        raise Invalid("`password` is required")
    made = exchange.write(
        users.create,
        name=name,
        first_name=first,
        last_name=last,
        email=body.email,
        # A service user has no password, whatever is sent.
        password_verifier=None if is_service else _verifier(exchange, body.password),
        api_enabled=body.api_enabled is not False,
        acls=body.acls or [],
        is_service=is_service,
    )
    return exchange.reply(wire.UserMadeWrapped(user=say.user_made(exchange.look(users.get, made.id), made.key)))


def get_user(exchange: Here, user_id: str) -> Response:
    return exchange.reply(wire.UserWrapped(user=say.user_detail(exchange.read(users.get, user_id))))


def update_user(exchange: Here, user_id: str, body: wire.UserEdit | None = None) -> Response:
    asked = body or wire.UserEdit()
    exchange.write(
        users.update,
        user=user_id,
        name=asked.name,
        email=asked.email,
        password_verifier=_verifier(exchange, asked.password),
        api_enabled=asked.api_enabled,
        acls=asked.acls,
    )
    return exchange.reply(wire.UserWrapped(user=say.user_detail(exchange.look(users.get, user_id))))


def delete_user(exchange: Here, user_id: str) -> Response:
    exchange.write(users.delete, user=user_id)
    return exchange.reply()


def get_account(exchange: Here) -> Response:
    return exchange.reply(say.account(exchange.read(users.account)))


def list_own_groups(exchange: Here) -> Response:
    return _groups(exchange, exchange.read(access.own_groups))


def list_own_roles(exchange: Here) -> Response:
    return _roles(exchange, exchange.read(access.own_roles))


def list_own_policies(exchange: Here) -> Response:
    return _policies(exchange, exchange.read(access.own_policies))


def list_user_groups(exchange: Here, user_id: str) -> Response:
    return _groups(exchange, exchange.read(access.groups_of_user, user=user_id))


def list_user_roles(exchange: Here, user_id: str) -> Response:
    return _roles(exchange, exchange.read(access.roles_of_user, user=user_id))


def list_user_policies(exchange: Here, user_id: str) -> Response:
    return _policies(exchange, exchange.read(access.policies_of_user, user=user_id))


def _groups(exchange: Exchange, held: list[Held[GroupView]]) -> Response:
    groups = [say.group(found.thing, found.at) for found in held]
    return exchange.reply(wire.Groups(groups=groups, meta=whole(len(groups))))


def _roles(exchange: Exchange, held: Holding[RoleView]) -> Response:
    return exchange.reply(wire.UserRoles(roles=say.roles_held(held), meta=whole(len(held.every))))


def _policies(exchange: Exchange, held: Holding[PolicyView]) -> Response:
    policies = wire.PoliciesHeld(
        direct=say.policies_held(held.direct),
        inherited=say.policies_held(held.inherited),
        all=say.policies_held(held.every),
    )
    return exchange.reply(wire.UserPolicies(policies=policies, meta=whole(len(held.every))))


def _names(body: wire.UserNew) -> tuple[str, str, str]:
    """The whole name, and its two parts if they were sent: clients send one form or the other."""
    if body.name:
        first, _, last = body.name.rpartition(" ")
        return body.name, first, last
    first, last = body.first_name or "", body.last_name or ""
    if not (first or last):
        raise Invalid("`name` is required")
    return " ".join(part for part in (first, last) if part), first, last


def _verifier(exchange: Exchange, password: str | None) -> str | None:
    """Hash a password, for those alone who may set one: hashing is slow on purpose."""
    if password is None:
        return None
    exchange.before(lambda _: None)
    return verifier_of_password(limits.password(password))
