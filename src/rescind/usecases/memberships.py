"""Memberships as an administrator of the platform gives and takes them, in the organization that the call names."""

from collections.abc import Sequence

from rescind.model.apis import RESOURCE_TYPE, SYSTEM_API
from rescind.model.errors import Invalid, MissingScope, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import accounts, roles, users
from rescind.usecases.accounts import AccountView
from rescind.usecases.roles import RoleView
from rescind.usecases.unit import Unit, View

READ_ROLES = "read:organization_member_roles"


def page(view: View, window: Window) -> Page[AccountView]:
    """The organization's members, by when they joined."""
    found = view.reader.page_objects(ObjectKind.MEMBERSHIP, (view.organization,), window)
    members = view.members(found.items)
    return Page(accounts.describe(view, [member.user for member in members]), found.total, found.before, found.after)


def page_with_roles(view: View, window: Window) -> Page[tuple[AccountView, Sequence[RoleView]]]:
    """The same, each with the roles attached to her here; for who may read these too."""
    if not view.actor.may(READ_ROLES, RESOURCE_TYPE, SYSTEM_API):
        raise MissingScope((READ_ROLES,))
    found = page(view, window)
    held = [(account, roles.of_user(view, user=account.public_id)) for account in found.items]
    return Page(held, found.total, found.before, found.after)


def add(unit: Unit, *, members: Sequence[str]) -> None:
    """Make users members, all or none; who is one already stays it. What was assigned before counts from now on."""
    for identifier in dict.fromkeys(members):
        user = unit.lookup(ObjectKind.USER, identifier)
        if user is None:
            raise Invalid(f"the user {identifier} does not exist")
        if unit.membership_of(user) is None:
            users.join(unit, user, api_enabled=False)


def remove(unit: Unit, *, members: Sequence[str]) -> None:
    """End memberships for good, with all that hangs on them; who is no member is passed over.

    Accounts and other organizations stay. What was assigned to somebody who never joined goes too.
    """
    for identifier in dict.fromkeys(members):
        try:
            user = unit.user(identifier)
        except NotFound:
            continue
        if unit.membership_of(user) is not None:
            users.remove(unit, user=identifier)
        if (pending := unit.pending_of(user)) is not None:
            unit.close(Fact(FactKind.PENDING, pending.key, user.key, unit.organization))
