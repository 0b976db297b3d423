"""Policies: what they say, and on whom they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rescind.model.apis import statement_of_scope
from rescind.model.documents import condition_count, store_form
from rescind.model.errors import Invalid
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import spoken
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.store.contract import Page, Window
from rescind.usecases import limits
from rescind.usecases.groups import GroupView
from rescind.usecases.holders import Holders
from rescind.usecases.relations import Relation, attach, detach
from rescind.usecases.restoring import restore_object
from rescind.usecases.unit import Unit, View
from rescind.usecases.users import UserView

VERSION_DEFAULT = "2012-10-17"


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy as people see it. `document` is decoded JSON, as it was written."""

    policy: Object
    name: str
    description: str
    version: str
    document: dict[str, Any]

    @property
    def is_managed(self) -> bool:
        """Whether the policy belongs to the platform and cannot be changed from inside an organization."""
        return self.policy.owner == PLATFORM


def page(view: View, window: Window) -> Page[PolicyView]:
    """The organization's policies and the managed ones."""
    found = view.reader.page_objects(ObjectKind.POLICY, (view.organization, PLATFORM), window)
    return Page(describe(view, found.items), found.total, found.before, found.after)


def get(view: View, policy: str) -> PolicyView:
    """One policy; under a role's id, what the role's permissions to scopes of APIs say."""
    role = view.find(ObjectKind.ROLE, policy)
    if role is not None and view.exists(role.key) and (said := of_permissions(view, [role]).get(role.key)) is not None:
        return said
    return describe(view, [view.get(ObjectKind.POLICY, policy)])[0]


def of_permissions(view: View, roles: Sequence[Object]) -> dict[int, PolicyView]:
    """What the permissions of roles to scopes of APIs say, by role, as a policy that cannot be changed.

    It has the role's id; a role without such permissions has none.
    """
    edges = view.reader.intervals([role.key for role in roles], FactKind.PERMISSION_GRANT)
    scopes = {
        interval.fact.holder: statement_of_scope(interval.fact.value or "")
        for interval in view.reader.intervals({edge.fact.thing for edge in edges}, FactKind.API_SCOPE)
    }
    described = {}
    for role in roles:
        held = [
            scopes[edge.fact.thing]
            for edge in edges
            if edge.fact.holder == role.key and edge.fact.thing in scopes and edge.fact.alive(view.reader.instant)
        ]
        if held:
            statements = [
                {
                    "Effect": "Allow",
                    "Action": [spoken(action) for action in statement.actions],
                    "Resource": [spoken(resource) for resource in statement.resources],
                }
                for statement in sorted(held, key=lambda statement: (statement.resources, statement.actions))
            ]
            document = {"Version": VERSION_DEFAULT, "Statement": statements}
            said = replace(role, kind=ObjectKind.POLICY, owner=PLATFORM)
            about = "What the role may do on APIs."
            described[role.key] = PolicyView(said, "Permissions", about, VERSION_DEFAULT, document)
    return described


def create(unit: Unit, *, name: str, description: str, document: object, version: str) -> str:
    """Write a new policy and return its id."""
    policy = unit.create(ObjectKind.POLICY)
    unit.open(Fact(FactKind.DOCUMENT, policy.key, value=store_form(document)))
    unit.write_profile(
        policy,
        name=limits.name(name),
        description=limits.description(description),
        version=limits.name(version, "version"),
    )
    return policy.id


def update(
    unit: Unit,
    *,
    policy: str,
    name: str | None = None,
    description: str | None = None,
    document: object | None = None,
    drop_conditions: bool = False,
) -> str:
    """Change what is given and leave the rest.

    A client that does not know `Condition` would send back a document without it: that is refused unless
    `drop_conditions` says that it is meant.
    """
    found = unit.get_own(ObjectKind.POLICY, policy)
    if name is not None:
        unit.write_profile(found, name=limits.name(name))
    if description is not None:
        unit.write_profile(found, description=limits.description(description))
    if document is not None:
        new = store_form(document)
        old = unit.facts(found.key, FactKind.DOCUMENT)[0].value or ""
        if condition_count(new) < condition_count(old) and not drop_conditions:
            raise Invalid("the stored document has a `Condition` that this one drops; `drop_conditions=true` allows it")
        unit.open(Fact(FactKind.DOCUMENT, found.key, value=new))
    return found.id


def delete(unit: Unit, *, policy: str) -> None:
    """End a policy: its rights are gone wherever it is attached; the attachments return with it if restored."""
    unit.end(unit.get_own(ObjectKind.POLICY, policy))


def restore(unit: Unit, *, policy: str) -> str:
    """Bring back an ended policy; a living one is left as it is."""
    return restore_object(unit, ObjectKind.POLICY, policy).id


def attach_user(unit: Unit, *, policy: str, user: str, expires_at: int | None = None) -> bool:
    """Attach a policy to a member, and say whether it was not attached before."""
    found = unit.get(ObjectKind.POLICY, policy)
    return attach(unit, FactKind.POLICY_ATTACHMENT, unit.member(user).membership, found, expires_at)


def detach_user(unit: Unit, *, policy: str, user: str) -> bool:
    """Detach a policy from a member, and say whether it was attached. Every other path stays."""
    found = unit.get(ObjectKind.POLICY, policy)
    return detach(unit, FactKind.POLICY_ATTACHMENT, unit.member(user).membership, found)


def attach_group(unit: Unit, *, policy: str, group: str, expires_at: int | None = None) -> bool:
    """Attach a policy to a group, and say whether it was not attached before."""
    found = unit.get(ObjectKind.POLICY, policy)
    return attach(unit, FactKind.POLICY_ATTACHMENT, unit.get(ObjectKind.GROUP, group), found, expires_at)


def detach_group(unit: Unit, *, policy: str, group: str) -> bool:
    """Detach a policy from a group, and say whether it was attached."""
    found = unit.get(ObjectKind.POLICY, policy)
    return detach(unit, FactKind.POLICY_ATTACHMENT, unit.get(ObjectKind.GROUP, group), found)


def page_users(view: View, window: Window, *, policy: str) -> Page[Relation[UserView, PolicyView]]:
    """The members to whom the policy is attached directly."""
    return _holders(view, policy).page_users(window)


def page_groups(view: View, window: Window, *, policy: str) -> Page[Relation[GroupView, PolicyView]]:
    """The groups to which the policy is attached."""
    return _holders(view, policy).page_groups(window)


def user_relation(view: View, policy: str, user: str) -> Relation[UserView, PolicyView]:
    """A policy's edge from a member."""
    return _holders(view, policy).user(user)


def group_relation(view: View, policy: str, group: str) -> Relation[GroupView, PolicyView]:
    """A policy's edge from a group."""
    return _holders(view, policy).group(group)


def describe(view: View, policies: Sequence[Object]) -> list[PolicyView]:
    """Policies as people see them, in their order."""
    keys = [policy.key for policy in policies]
    profiles = view.reader.profiles(keys)
    documents = {
        interval.fact.holder: json.loads(interval.fact.value or "")
        for interval in view.reader.intervals(keys, FactKind.DOCUMENT)
    }
    return [
        PolicyView(
            policy,
            profiles[policy.key].get("name", ""),
            profiles[policy.key].get("description", ""),
            profiles[policy.key].get("version", VERSION_DEFAULT),
            documents[policy.key],
        )
        for policy in policies
    ]


def _holders(view: View, policy: str) -> Holders[PolicyView]:
    found = view.get(ObjectKind.POLICY, policy)
    return Holders(view, found, FactKind.POLICY_ATTACHMENT, describe(view, [found])[0])
