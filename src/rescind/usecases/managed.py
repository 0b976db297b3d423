"""What the platform supplies: managed policies and the legacy permissions, with ids that never change."""

from dataclasses import dataclass

from rescind.model.documents import VERSION_DEFAULT


@dataclass(frozen=True, slots=True)
class Managed:
    """One managed policy or permission."""

    id: str
    name: str
    description: str
    actions: tuple[str, ...]

    @property
    def document(self) -> dict[str, object]:
        """What it says."""
        statement = {"Effect": "Allow", "Action": list(self.actions), "Resource": ["*"]}
        return {"Version": VERSION_DEFAULT, "Statement": [statement]}


POLICIES = (
    Managed("00000000-0000-4000-a000-000000000001", "FullAccess", "Every action on everything.", ("*",)),
    Managed(
        "00000000-0000-4000-a000-000000000002",
        "ReadOnlyAccess",
        "Look at everything and change nothing.",
        ("*.List*", "*.Read*", "*.Get*"),
    ),
    Managed(
        "00000000-0000-4000-a000-000000000003",
        "IAMAdministrator",
        "Manage organizations, users, groups, roles and policies, without granting more than one holds.",
        # Not `iam.*`, which holds `iam.Escalate`.
        ("iam.*.*", "account.user.*"),
    ),
    Managed(
        "00000000-0000-4000-a000-000000000004",
        "IAMReadOnlyAccess",
        "Look at organizations, users, groups, roles and policies.",
        ("iam.*.List*", "iam.*.Read", "account.user.List", "account.user.Read"),
    ),
    Managed(
        "00000000-0000-4000-a000-000000000005",
        "AuditAccess",
        "Read the change log and who may do what.",
        ("iam.change.List", "iam.access.Read", "iam.decision.Explain"),
    ),
    Managed(
        "00000000-0000-4000-a000-000000000006",
        "BillingAccess",
        "See billing and account figures.",
        ("account.billing.*", "account.bandwidth.Read"),
    ),
    Managed(
        "00000000-0000-4000-a000-000000000007",
        "SupportAccess",
        "Open, read and answer support tickets.",
        ("support.ticket.*",),
    ),
)


def _acl(number: int, action: str, *implied: str) -> Managed:
    return Managed(
        f"00000000-0000-4000-b000-{number:012d}",
        f"user.acl.{action}",
        "Legacy permission.",
        (f"user.acl.{action}", *implied),
    )


ACLS = {
    "abuse": _acl(1, "Abuse"),
    "activity_logs": _acl(2, "ActivityLogs"),
    "alerts": _acl(3, "Alerts"),
    "billing": _acl(4, "Billing"),
    "dns": _acl(5, "DNS"),
    "firewall": _acl(6, "Firewall"),
    "loadbalancer": _acl(7, "LoadBalancer"),
    # Who may manage users may give himself anything: the statement says so openly.
    "manage_users": _acl(8, "ManageUsers", "*"),
    "objstore": _acl(9, "ObjStore"),
    "provisioning": _acl(10, "Provisioning", "user.acl.Subscriptions", "user.acl.SubscriptionsView"),
    "subscriptions": _acl(11, "Subscriptions"),
    "subscriptions_view": _acl(12, "SubscriptionsView"),
    "support": _acl(13, "Support"),
    "upgrade": _acl(14, "Upgrade"),
    "vke": _acl(15, "VKE"),
}
"""The legacy permissions by their short names."""

ACL_NAMES = {permission.id: short for short, permission in ACLS.items()}
"""The short names by the permissions' ids."""


OWN_ACTIONS = (
    *("iam.decision.Evaluate", "iam.decision.Search", "iam.decision.Explain"),
    "iam.access.Read",
    *("iam.change.List", "iam.change.Undo"),
    *("iam.revocation.Preview", "iam.revocation.Apply"),
    *(f"iam.resource.{verb}" for verb in ("List", "Read", "Update", "Delete")),
    "iam.property.Update",
)
"""Actions that no dialect has: what is asked of decisions, and done about removals. Clients have them as scopes."""

MANAGEMENT_NAME = "Auth0 Management API"
"""What clients of that dialect look for."""


def _scopes(things: str, verbs: str) -> list[str]:
    return [f"{verb}:{thing}" for thing in things.split() for verb in verbs.split()]


MANAGEMENT_SCOPES = (
    *_scopes("users users_app_metadata", "read create update delete"),
    *("read:user_idp_tokens", "create:user_tickets"),
    *_scopes("roles", "read create update delete"),
    *_scopes("role_members", "read create delete"),
    *_scopes("resource_servers clients client_keys client_grants organizations", "read create update delete"),
    *_scopes("organization_members organization_member_roles", "read create delete"),
    *_scopes("organization_connections", "read create update delete"),
    *_scopes("organization_invitations organization_client_grants", "read create delete"),
    "read:organization_groups",
    *_scopes("organization_group_roles", "read create delete"),
    *_scopes("organization_member_effective_roles organization_member_role_source_groups", "read"),
    *_scopes("groups", "read create delete"),
    *_scopes("group_members", "read create delete"),
    *_scopes("group_roles", "read create delete"),
    *_scopes("user_effective_roles user_role_source_groups user_effective_permissions", "read"),
    "read:user_permission_source_roles",
    *_scopes("sessions refresh_tokens", "read update delete"),
    *_scopes("grants", "read delete"),
    *("read:logs", "read:logs_users"),
    *_scopes("connections tenant_settings", "read update"),
    *OWN_ACTIONS,
    # Not for clients: what a user may do with her own account.
    *("read:current_user", "update:current_user_metadata", "delete:current_user"),
)
"""The scopes of the API that manages this server."""
