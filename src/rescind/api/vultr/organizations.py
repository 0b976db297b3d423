"""Organizations: calls 1 to 10."""

from fastapi import Response

from rescind.api.exchange import Here
from rescind.api.vultr import say, wire
from rescind.api.vultr.manners import Cursor, PerPage, meta
from rescind.usecases import organizations
from rescind.usecases.organizations import TYPE_DEFAULT


def list_organizations(exchange: Here, per_page: PerPage = 100, cursor: Cursor = "") -> Response:
    page = exchange.read(organizations.page, exchange.window(cursor, per_page))
    items = [say.organization(found) for found in page.items]
    return exchange.reply(wire.Organizations(orgs=items, organizations=items, meta=meta(exchange, page)))


def create_organization(exchange: Here, body: wire.OrganizationNew) -> Response:
    made = exchange.write(organizations.create, name=body.name, type_=body.type or TYPE_DEFAULT)
    return exchange.reply(say.organization_both(exchange.look(organizations.get, made)))


def get_organization(exchange: Here, organization_id: str) -> Response:
    return exchange.reply(say.organization_both(exchange.read(organizations.get, organization_id)))


def update_organization(exchange: Here, organization_id: str, body: wire.OrganizationEdit) -> Response:
    exchange.write(organizations.update, organization=organization_id, name=body.name, type_=body.type)
    return exchange.reply(say.organization_both(exchange.look(organizations.get, organization_id)))


def delete_organization(exchange: Here, organization_id: str) -> Response:
    exchange.write(organizations.delete, organization=organization_id)
    return exchange.reply()


def restore_organization(exchange: Here, organization_id: str) -> Response:
    exchange.write(organizations.restore, organization=organization_id)
    return exchange.reply()


def remove_organization_user(exchange: Here, organization_id: str, user_id: str) -> Response:
    exchange.write(organizations.remove_user, organization=organization_id, user=user_id)
    return exchange.reply()


def suspend_organization_user(exchange: Here, organization_id: str, user_id: str) -> Response:
    exchange.write(organizations.suspend_user, organization=organization_id, user=user_id)
    return exchange.reply()


def unsuspend_organization_user(exchange: Here, organization_id: str, user_id: str) -> Response:
    exchange.write(organizations.unsuspend_user, organization=organization_id, user=user_id)
    return exchange.reply()


def list_suspended_users(
    exchange: Here, organization_id: str, per_page: PerPage = 100, cursor: Cursor = ""
) -> Response:
    window = exchange.window(cursor, per_page)
    page = exchange.read(organizations.page_suspended, window, organization=organization_id)
    users = [say.org_user(user) for user in page.items]
    return exchange.reply(wire.SuspendedUsers(users=users, meta=meta(exchange, page)))
