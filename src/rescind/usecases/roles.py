"""Roles: bundles of policies, attached to members and groups, or assumed for a while."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rescind.model.errors import Conflict, Invalid, LimitReached, NotFound
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import accounts, limits, policies
from rescind.usecases.accounts import AccountView
from rescind.usecases.groups import GroupView
from rescind.usecases.holders import Holders
from rescind.usecases.policies import PolicyView
from rescind.usecases.relations import Relation, attach, detach, relation, relations_of, relations_to
from rescind.usecases.restoring import restore_object
from rescind.usecases.unit import Unit, View
from rescind.usecases.users import UserView

ROLE_TYPES = ("assignable", "assumable")


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as people see it. `max_session_duration` is in seconds.

    `owner_id` is the public id of its organization, empty for the platform's.
    """

    role: Object
    public_id: str
    owner_id: str
    name: str
    description: str
    role_type: str
    max_session_duration: int
    policies: Sequence[PolicyView]


def page(view: View, window: Window) -> Page[RoleView]:
    """The organization's roles and the managed ones."""
    found = view.reader.page_objects(ObjectKind.ROLE, (view.organization, PLATFORM), window)
    return Page(describe(view, list(found.items)), found.total, found.before, found.after)


def get(view: View, role: str) -> RoleView:
    """One role with its policies."""
    return describe(view, [view.get(ObjectKind.ROLE, role)])[0]


def every(view: View, *, owner: str | None = None, of_organizations: bool = False) -> list[RoleView]:
    """All assignable roles of the platform, of the organization with that public id, or of all of them, by age."""
    if owner is None and of_organizations:
        living = view.reader.living(ObjectKind.ROLE)
        found = [role for role in living if role.owner != PLATFORM and view.exists(role.owner)]
    else:
        found = view.owned_by(
            ObjectKind.ROLE, PLATFORM if owner is None else view.get(ObjectKind.ORGANIZATION, owner).key
        )
    return [role for role in describe(view, found) if role.role_type == "assignable"]


def of_user(view: View, *, user: str) -> list[RoleView]:
    """The assignable roles attached to a user herself here, by name; before she has joined, those that wait for her."""
    found = view.user(user)
    holder = found if view.organization == PLATFORM else view.membership_of(found) or view.pending_of(found)
    roles = describe(view, view.attached_roles(holder)) if holder else []
    return sorted(
        (role for role in roles if role.role_type == "assignable"), key=lambda role: (role.name, role.role.key)
    )


def define(unit: Unit, *, name: str, description: str, owner: str | None) -> str:
    """Make a role of the platform, or of the organization with that public id, whose name nothing else there has."""
    of = PLATFORM if owner is None else unit.get(ObjectKind.ORGANIZATION, owner).key
    _refuse_taken(unit, of, name)
    role = unit.create(ObjectKind.ROLE, owner=of)
    definition = _definition("assignable", limits.SESSION_SECONDS_DEFAULT)
    unit.open(Fact(FactKind.ROLE_DEFINITION, role.key, value=definition))
    unit.write_profile(role, name=limits.name(name), description=limits.description(description))
    return unit.spelling(role)


def redefine(unit: Unit, *, role: str, name: str | None, description: str | None) -> str:
    """Change the name, which nothing else there may have, and the description of a role."""
    found = unit.get_own(ObjectKind.ROLE, role)
    if name is not None and name != unit.reader.profiles([found.key])[found.key].get("name"):
        _refuse_taken(unit, found.owner, name)
    update(unit, role=role, name=name, description=description)
    return unit.spelling(found)


def create(unit: Unit, *, name: str, description: str, role_type: str, max_session_duration: int) -> str:
    """Make a role without policies and return its id."""
    role = unit.create(ObjectKind.ROLE)
    unit.open(Fact(FactKind.ROLE_DEFINITION, role.key, value=_definition(role_type, max_session_duration)))
    unit.write_profile(role, name=limits.name(name), description=limits.description(description))
    return role.id


def update(
    unit: Unit,
    *,
    role: str,
    name: str | None = None,
    description: str | None = None,
    role_type: str | None = None,
    max_session_duration: int | None = None,
) -> str:
    """Change what is given and leave the rest; the role keeps its policies when it changes its type."""
    found = unit.get_own(ObjectKind.ROLE, role)
    if name is not None:
        unit.write_profile(found, name=limits.name(name))
    if description is not None:
        unit.write_profile(found, description=limits.description(description))
    known = json.loads(unit.facts(found.key, FactKind.ROLE_DEFINITION)[0].value or "")
    definition = _definition(
        role_type or known["role_type"],
        known["max_session_duration"] if max_session_duration is None else max_session_duration,
    )
    unit.open(Fact(FactKind.ROLE_DEFINITION, found.key, value=definition))
    return found.id


def delete(unit: Unit, *, role: str) -> None:
    """End a role: rights from it are gone for members and groups; the policies stay."""
    unit.end(unit.get_own(ObjectKind.ROLE, role))


def restore(unit: Unit, *, role: str) -> str:
    """Bring back an ended role; a living one is left as it is."""
    return restore_object(unit, ObjectKind.ROLE, role).id


def attach_users(unit: Unit, *, roles: Sequence[str], user: str, expires_at: int | None = None) -> list[str]:
    """Attach roles to a user here in one change, and say which were not attached before."""
    if not unit.is_administered:
        holder = unit.holder(user)
        found = [unit.get(ObjectKind.ROLE, role) for role in roles]
    else:
        unit.user(user)
        found = [assignable(unit, role) for role in roles]
        holder = unit.assignee(user)
    attached = [role.id for role in found if attach(unit, FactKind.ROLE_ATTACHMENT, holder, role, expires_at)]
    if unit.is_administered and len(unit.attached_roles(holder)) + len(attached) > limits.DIRECT_ROLES_MAX:
        if unit.organization == PLATFORM:
            raise LimitReached("No more roles can be assigned to this user.")
        raise Conflict(holder.kind.label, "No more roles can be assigned to this organization member.")
    return attached


def attach_many(unit: Unit, *, role: str, users: Sequence[str]) -> None:
    """Attach one role to users outside every organization in one change; all or none."""
    unit.get(ObjectKind.ROLE, role)
    for user in users:
        attach_users(unit, roles=[role], user=user)


def detach_users(unit: Unit, *, roles: Sequence[str], user: str) -> list[str]:
    """Detach roles from a user here in one change, and say which were attached. Every other path stays.

    For an administrator of the platform roles that are unknown, and a user who never joined, are passed over: what
    takes away must never be held up by what is gone already.
    """
    if not unit.is_administered:
        holder: Object | None = unit.holder(user)
        found = [unit.get(ObjectKind.ROLE, role) for role in roles]
    else:
        who = unit.user(user)
        holder = who if unit.organization == PLATFORM else unit.membership_of(who) or unit.pending_of(who)
        found = [known for role in roles if (known := unit.lookup(ObjectKind.ROLE, role, also_ended=True)) is not None]
    return [role.id for role in found if holder and detach(unit, FactKind.ROLE_ATTACHMENT, holder, role)]


def attach_group(unit: Unit, *, role: str, group: str, expires_at: int | None = None) -> bool:
    """Attach a role to a group, and say whether it was not attached before."""
    found = unit.get(ObjectKind.ROLE, role)
    return attach(unit, FactKind.ROLE_ATTACHMENT, unit.get(ObjectKind.GROUP, group), found, expires_at)


def detach_group(unit: Unit, *, role: str, group: str) -> bool:
    """Detach a role from a group, and say whether it was attached."""
    found = unit.get(ObjectKind.ROLE, role)
    return detach(unit, FactKind.ROLE_ATTACHMENT, unit.get(ObjectKind.GROUP, group), found)


def attach_policy(unit: Unit, *, role: str, policy: str, expires_at: int | None = None) -> bool:
    """Put a policy into a role, for all who hold it, and say whether it was not there."""
    found = unit.get_own(ObjectKind.ROLE, role)
    return attach(unit, FactKind.POLICY_ATTACHMENT, found, unit.get(ObjectKind.POLICY, policy), expires_at)


def detach_policy(unit: Unit, *, role: str, policy: str) -> bool:
    """Take a policy out of a role, for all who hold it, and say whether it was there."""
    found = unit.get_own(ObjectKind.ROLE, role)
    return detach(unit, FactKind.POLICY_ATTACHMENT, found, unit.get(ObjectKind.POLICY, policy))


def page_users(view: View, window: Window, *, role: str) -> Page[Relation[UserView, RoleView]]:
    """The members to whom the role is attached directly."""
    return _holders(view, role).page_users(window)


def page_holders(view: View, window: Window, *, role: str) -> Page[AccountView]:
    """The users to whom the role is attached here, by when it was: accounts outside, members in an organization."""
    found = view.get(ObjectKind.ROLE, role)
    kind = ObjectKind.USER if view.organization == PLATFORM else ObjectKind.MEMBERSHIP
    page = relations_to(view, found, FactKind.ROLE_ATTACHMENT, kind, window)
    holders = [edge.holder for edge in page.items]
    users = holders if kind is ObjectKind.USER else [member.user for member in view.members(holders)]
    return Page(accounts.describe(view, users), page.total, page.before, page.after)


def page_groups(view: View, window: Window, *, role: str) -> Page[Relation[GroupView, RoleView]]:
    """The groups to which the role is attached."""
    return _holders(view, role).page_groups(window)


def page_policies(view: View, window: Window, *, role: str) -> Page[Relation[RoleView, PolicyView]]:
    """The policies in the role; last what its permissions to scopes of APIs say, if it has some."""
    found = view.get(ObjectKind.ROLE, role)
    page = relations_of(view, found, FactKind.POLICY_ATTACHMENT, ObjectKind.POLICY, window)
    relations = _of_role(view, found, page.items)
    said = policies.of_permissions(view, [found]).get(found.key)
    if said is None:
        return Page(relations, page.total, page.before, page.after)
    if page.after is None:
        first = min(held.revision_from for held in view.intervals(found.key, FactKind.PERMISSION_GRANT))
        relations.append(Relation(describe(view, [found])[0], said, *view.reader.origins([first])[first]))
    return Page(relations, page.total + 1, page.before, page.after)


def user_relation(view: View, role: str, user: str) -> Relation[UserView, RoleView]:
    """A role's edge from a member."""
    return _holders(view, role).user(user)


def group_relation(view: View, role: str, group: str) -> Relation[GroupView, RoleView]:
    """A role's edge from a group."""
    return _holders(view, role).group(group)


def policy_relation(view: View, role: str, policy: str) -> Relation[RoleView, PolicyView]:
    """A role's edge to a policy."""
    found = view.get(ObjectKind.ROLE, role)
    edge = relation(view, FactKind.POLICY_ATTACHMENT, found, view.get(ObjectKind.POLICY, policy))
    return _of_role(view, found, [edge])[0]


def describe(view: View, roles: Sequence[Object]) -> list[RoleView]:
    """Roles as people see them, in their order."""
    keys = [role.key for role in roles]
    profiles = view.reader.profiles(keys)
    definitions: dict[int, dict[str, object]] = {}
    attached: dict[int, list[int]] = {key: [] for key in keys}
    for interval in view.reader.intervals(keys, FactKind.ROLE_DEFINITION, FactKind.POLICY_ATTACHMENT):
        fact = interval.fact
        if fact.kind is FactKind.ROLE_DEFINITION:
            definitions[fact.holder] = json.loads(fact.value or "")
        elif fact.alive(view.reader.instant):
            attached[fact.holder].append(fact.thing)
    living = _living(view, {key for held in attached.values() for key in held})
    permissions = policies.of_permissions(view, roles)
    owners = view.reader.profiles({role.owner for role in roles})
    described = dict(zip(living, policies.describe(view, list(living.values())), strict=True))
    return [
        RoleView(
            role,
            profiles[role.key].get("public_id", ""),
            owners[role.owner].get("public_id", ""),
            profiles[role.key].get("name", ""),
            profiles[role.key].get("description", ""),
            str(definitions[role.key]["role_type"]),
            int(str(definitions[role.key]["max_session_duration"])),
            [
                *(described[key] for key in attached[role.key] if key in described),
                *([permissions[role.key]] if role.key in permissions else []),
            ],
        )
        for role in roles
    ]


def assignable(view: View, role: str) -> Object:
    """The role with that public id, if it may be assigned here: one that gives its rights by attachment.

    Raises `NotFound`, and `Invalid` for one of another organization.
    """
    found = view.lookup(ObjectKind.ROLE, role)
    if found is None or describe(view, [found])[0].role_type != "assignable":
        raise NotFound(ObjectKind.ROLE.label)
    if found.owner not in (view.organization, PLATFORM):
        raise Invalid(f"the role {role} belongs to another organization")
    return found


def _refuse_taken(view: View, owner: int, name: str) -> None:
    profiles = view.reader.profiles([role.key for role in view.owned_by(ObjectKind.ROLE, owner)])
    if any(profile.get("name") == name for profile in profiles.values()):
        raise Conflict(ObjectKind.ROLE.label, "the role exists already")


def _living(view: View, keys: set[int]) -> dict[int, Object]:
    living = {
        interval.fact.holder
        for interval in view.reader.intervals(keys, FactKind.EXISTENCE)
        if interval.fact.alive(view.reader.instant)
    }
    return view.reader.objects(living)


def _holders(view: View, role: str) -> Holders[RoleView]:
    found = view.get(ObjectKind.ROLE, role)
    return Holders(view, found, FactKind.ROLE_ATTACHMENT, describe(view, [found])[0])


def _of_role(
    view: View, role: Object, edges: Sequence[Relation[Object, Object]]
) -> list[Relation[RoleView, PolicyView]]:
    described = describe(view, [role])[0]
    held = policies.describe(view, [edge.thing for edge in edges])
    return [Relation(described, policy, edge.at, edge.by) for edge, policy in zip(edges, held, strict=True)]


def _definition(role_type: str, max_session_duration: int) -> str:
    if role_type not in ROLE_TYPES:
        raise Invalid("`role_type` must be `assignable` or `assumable`")
    limits.session_seconds(max_session_duration, has_effect=role_type == "assumable")
    return json.dumps({"role_type": role_type, "max_session_duration": max_session_duration}, separators=(",", ":"))
