"""Revocations: several things taken away at once, in one revision, or nothing."""

from collections.abc import Sequence

from rescind.model.errors import Invalid
from rescind.usecases import verbs
from rescind.usecases.unit import Unit
from rescind.usecases.verbs import Item, Verbs

TAKING = frozenset(
    {
        "roles.detach_users",
        "roles.detach_group",
        "roles.detach_policy",
        "roles.delete",
        "policies.detach_user",
        "policies.detach_group",
        "policies.delete",
        "groups.remove_member",
        "groups.delete",
        "users.delete",
        "users.revoke_acl",
        "organizations.remove_user",
        "organizations.suspend_user",
        "organizations.delete",
        "organizations.dissolve",
        "organizations.leave",
        "sessions.end",
        "keys.delete_of_user",
        "keys.delete_own",
        "trusts.delete",
        "dormant.end",
        "invitations.withdraw",
        "accounts.delete",
        "permissions.revoke_from_user",
        "permissions.revoke_from_role",
        "memberships.remove",
        "group_roles.detach_roles",
        "group_roles.detach_groups",
        "client_grants.delete",
        "client_grants.dissociate",
        "clients.delete",
        "apis.delete",
        "tickets.withdraw",
        "token_families.end",
        "token_families.end_several",
        "token_families.end_of_grant",
        "token_families.end_of_user",
        "token_families.revoke_access",
    }
)
"""The verbs that take something away and give nothing."""


def apply(unit: Unit, known: Verbs, items: Sequence[Item]) -> None:
    """Do what takes away and gives nothing, each as if it was asked for alone: all or none."""
    for item in items:
        if item.operation not in TAKING:
            raise Invalid(f"`{item.operation}` is not a revocation")
    verbs.run(unit, known, items)
