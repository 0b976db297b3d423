"""The engines of others, each with the same world and the same questions, set up as fast as we know how.

Conditions are no obstacle: each peer is told `mfa` in its own way, and no policy is left out.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import casbin
import cedarpy
import hobofan_regorus
from casbin.model import FastModel, Model
from worlds import SERVICES, THINGS, VERBS, Policy, Question, World, user_id


class Engine(Protocol):
    """What is measured. What a world is in the engine's own words is made before `load`, and is not timed."""

    name: str

    def __init__(self, world: World) -> None: ...

    def load(self) -> None:
        """Be ready for the first question."""

    def asking(self, question: Question) -> Callable[[], bool]:
        """The question in the engine's own words; to call it is to ask."""

    def revoke(self, user: int) -> None:
        """Take the direct role of a user away: the next answer must know."""


class _Links(casbin.persist.Adapter):
    """Rows that are there already: no file is parsed."""

    def __init__(self, policies: list[list[str]], links: list[list[str]]) -> None:
        self.policies, self.links = policies, links

    def load_policy(self, model: Model) -> None:
        for row in self.policies:
            model["p"]["p"].policy.append(row)
        model["g"]["g"].policy = self.links


class Casbin:
    """pycasbin's plain `Enforcer`: users, groups, roles and policies are one hierarchy of roles.

    A policy is one row, not one for each role that holds it: several times faster here. The costliest test comes last.
    """

    name = "pycasbin"
    _model = """
        [request_definition]
        r = sub, service, act, obj, mfa
        [policy_definition]
        p = sub, service, act, obj, mfa, eft
        [role_definition]
        g = _, _
        [policy_effect]
        e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
        [matchers]
        m = keyMatch(r.act, p.act) && keyMatch(r.obj, p.obj) && (r.mfa || p.mfa == "no") && g(r.sub, p.sub)
    """

    def __init__(self, world: World) -> None:
        self._world = world
        rows = [
            [
                f"policy{number}",
                policy.action.split(".")[0],
                policy.action,
                policy.resource,
                "yes" if policy.needs_mfa else "no",
                "deny" if policy.is_deny else "allow",
            ]
            for number, policy in enumerate(world.policies)
        ]
        links = [[user_id(user), f"group{world.group(user)}"] for user in range(world.size)]
        for role, held in enumerate(world.roles):
            links.append([f"group{role}", f"role{role}"])
            links += [[f"role{role}", f"policy{policy}"] for policy in held]
        links += [[user_id(user), f"role{role}"] for user, role in world.direct.items()]
        self._adapter = _Links(rows, links)

    def load(self) -> None:
        self._enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=self._model), self._adapter)

    def asking(self, question: Question) -> Callable[[], bool]:
        resource = f"{question.resource_type}:{question.resource_id}"
        asked = user_id(question.user), question.action.split(".")[0], question.action, resource, question.mfa
        return partial(self._enforcer.enforce, *asked)

    def revoke(self, user: int) -> None:
        assert self._enforcer.delete_role_for_user(user_id(user), f"role{self._world.direct[user]}")


class FastCasbin(Casbin):
    """pycasbin's `FastEnforcer`, which looks at the rows of one service only: no pattern may leave that open."""

    name = "pycasbin by service"

    def load(self) -> None:
        model = FastModel([1])
        model.load_model_from_text(self._model)
        self._enforcer = casbin.FastEnforcer(model, self._adapter, cache_key_order=[1])


class Cedar:
    """cedarpy with all policies and all entities parsed beforehand."""

    name = "cedarpy"

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = "\n".join(
            _cedar_policy(policy, f'principal in Policy::"{number}"') for number, policy in enumerate(world.policies)
        )
        self._users = {user: _cedar_user(world, user) for user in range(world.size)}
        self._others = [
            *_cedar_actions(),
            *(_entity("Policy", str(number)) for number in range(len(world.policies))),
            *(
                _entity("Role", str(role), *(("Policy", str(policy)) for policy in world.roles[role]))
                for role in range(len(world.roles))
            ),
            *(_entity("Group", str(role), ("Role", str(role))) for role in range(len(world.roles))),
        ]
        self._text = self._written()

    def load(self) -> None:
        self._set = cedarpy.PolicySet.from_str(self._policies)
        self._entities = cedarpy.Entities.from_json_str(self._text)

    def asking(self, question: Question) -> Callable[[], bool]:
        return partial(self._allows, _cedar_request(question))

    def _allows(self, request: dict[str, Any]) -> bool:
        return cedarpy.is_authorized(request, self._set, self._entities).allowed

    def revoke(self, user: int) -> None:
        # Entities cannot be changed, and what is added must not contradict what is there: all are parsed again.
        self._users[user] = _entity("User", user_id(user), ("Group", str(self._world.group(user))))
        self._entities = cedarpy.Entities.from_json_str(self._written())

    def _written(self) -> str:
        return json.dumps([*self._others, *self._users.values()])


class IndexedCedar:
    """cedarpy behind an index of our own making: one small policy set for each set of policies that users hold."""

    name = "cedarpy by principal"

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = [_cedar_policy(policy, "principal") for policy in world.policies]
        self._actions = json.dumps(_cedar_actions())
        self._numbers = {user_id(user): user for user in range(world.size)}

    def load(self) -> None:
        self._entities = cedarpy.Entities.from_json_str(self._actions)
        self._sets: dict[tuple[int, ...], cedarpy.PolicySet] = {}
        self._set_of: dict[str, cedarpy.PolicySet] = {}

    def asking(self, question: Question) -> Callable[[], bool]:
        return partial(self._allows, user_id(question.user), _cedar_request(question))

    def _allows(self, user: str, request: dict[str, Any]) -> bool:
        found = self._set_of.get(user)
        if found is None:
            found = self._see(user, self._world.policies_of(self._numbers[user]))
        return cedarpy.is_authorized(request, found, self._entities).allowed

    def revoke(self, user: int) -> None:
        self._see(user_id(user), self._world.policies_of(user, with_direct=False))

    def _see(self, user: str, policies: list[int]) -> cedarpy.PolicySet:
        key = tuple(policies)
        if key not in self._sets:
            self._sets[key] = cedarpy.PolicySet.from_str("\n".join(self._policies[policy] for policy in policies))
        self._set_of[user] = self._sets[key]
        return self._sets[key]


class Regorus:
    """regorus, Rego in Rust: everything is data, and the rule walks from the user to her policies."""

    name = "regorus"
    _rule = """
        package access
        import rego.v1

        default allow := false
        allow if {
            "allow" in effects
            not "deny" in effects
        }
        effects contains policy.effect if {
            some role in data.users[input.user]
            some number in data.roles[role]
            policy := data.policies[number]
            startswith(input.action, policy.action)
            startswith(input.resource, policy.resource)
            policy.mfa in ["any", input.mfa]
        }
    """

    def __init__(self, world: World) -> None:
        self._world = world
        # The action that is asked about ends in a blank, so that a pattern without a wildcard is the start of one only.
        # Everything is text: the binding makes numbers of booleans, and to Rego 0 is not false.
        self._data: dict[str, Any] = {
            "policies": [
                {
                    "effect": "deny" if policy.is_deny else "allow",
                    "action": policy.action[:-1] if policy.action.endswith("*") else f"{policy.action} ",
                    "resource": policy.resource[:-1],
                    "mfa": "yes" if policy.needs_mfa else "any",
                }
                for policy in world.policies
            ],
            "roles": world.roles,
            "users": {
                user_id(user): [world.group(user), *([world.direct[user]] if user in world.direct else [])]
                for user in range(world.size)
            },
        }

    def load(self) -> None:
        self._engine = hobofan_regorus.Engine()
        self._engine.add_policy("access.rego", self._rule)
        self._engine.add_data(self._data)

    def asking(self, question: Question) -> Callable[[], bool]:
        asked = {
            "user": user_id(question.user),
            "action": f"{question.action} ",
            "resource": f"{question.resource_type}:{question.resource_id}",
            "mfa": "yes" if question.mfa else "no",
        }
        return partial(self._allows, asked)

    def _allows(self, asked: dict[str, Any]) -> bool:
        self._engine.set_input(asked)
        return bool(self._engine.eval_rule("data.access.allow"))

    def revoke(self, user: int) -> None:
        # What was added cannot be changed: all is added again.
        self._data["users"][user_id(user)] = [self._world.group(user)]
        self._engine.clear_data()
        self._engine.add_data(self._data)


PEERS: tuple[type[Engine], ...] = (Casbin, FastCasbin, Cedar, IndexedCedar, Regorus)


def _cedar_policy(policy: Policy, principal: str) -> str:
    """A policy as Cedar has it: wildcards are groups of actions, the type is the resource's."""
    kind, _, rest = policy.resource.partition(":")
    tests = [f'context.id like "{rest}"'] if rest not in ("", "*") else []
    tests += ["context.mfa"] if policy.needs_mfa else []
    where = f"resource is {kind}" if kind != "*" else "resource"
    when = f" when {{ {' && '.join(tests)} }}" if tests else ""
    effect = "forbid" if policy.is_deny else "permit"
    return f'{effect} ({principal}, action in Action::"{policy.action}", {where}){when};'


def _cedar_actions() -> list[dict[str, Any]]:
    """Every action there is, within the wildcards that cover it."""
    made = []
    for service in (f"svc{number}" for number in range(SERVICES)):
        made.append(_entity("Action", f"{service}.*"))
        for thing in (f"{service}.thing{number}" for number in range(THINGS)):
            made.append(_entity("Action", f"{thing}.*", ("Action", f"{service}.*")))
            made += [_entity("Action", f"{thing}.{verb}", ("Action", f"{thing}.*")) for verb in VERBS]
    return made


def _cedar_user(world: World, user: int) -> dict[str, Any]:
    direct = [("Role", str(world.direct[user]))] if user in world.direct else []
    return _entity("User", user_id(user), ("Group", str(world.group(user))), *direct)


def _cedar_request(question: Question) -> dict[str, Any]:
    return {
        "principal": {"type": "User", "id": user_id(question.user)},
        "action": {"type": "Action", "id": question.action},
        "resource": {"type": question.resource_type, "id": question.resource_id},
        "context": json.dumps({"id": question.resource_id, "mfa": question.mfa}),
    }


def _entity(kind: str, name: str, *parents: tuple[str, str]) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": name},
        "attrs": {},
        "parents": [{"type": parent, "id": named} for parent, named in parents],
    }
