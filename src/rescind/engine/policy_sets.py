"""Policy sets: what a set of policies says, compiled once and shared by all who hold the same set.

A set is known by what its policies say, not by which they are: a set that is edited is another set, so nothing here
is ever out of date. For each action that is asked for, the statements that speak of it are sorted into what can be
looked up: whole resources, beginnings, and the few patterns that need a search.
"""

import sys
from collections.abc import Collection, Mapping
from typing import Any
from weakref import WeakValueDictionary

from rescind.decision.conditions import holds
from rescind.decision.decide import speaks_of
from rescind.decision.match import matches, matches_resource
from rescind.model.apis import RESOURCE_TYPE
from rescind.model.conditions import Condition, Effect
from rescind.model.documents import Statement
from rescind.model.literals import literal

ACTIONS_MAX = 1024
"""Actions that one set keeps compiled: whoever asks for ever new ones must not fill the memory."""
ACTION_LENGTH_MAX = 1024
"""Longer ones are compiled each time."""
_PREFIXES_MAX = 16
"""As many beginnings are tried one by one; more are looked up by their lengths."""

Content = frozenset[tuple[Statement, bool]]
"""What a set is known by: its statements, and of each whether it allows on registered APIs."""


class PolicySet:
    """Statements that decide together, as `decide` would for somebody in no special state."""

    __slots__ = ("__weakref__", "_rules", "_statements", "compiled")

    def __init__(self, content: Content, rules: "Rules | None" = None) -> None:
        self._statements = content
        self._rules: Rules = WeakValueDictionary() if rules is None else rules
        self.compiled: dict[str, Rule] = {}
        """What it says about those actions that it was asked for: what is there needs no call of `rule`."""

    def rule(self, action: str) -> "Rule":
        """What the set says about an action."""
        rule = self.compiled.get(action)
        if rule is None:
            if len(action) > ACTION_LENGTH_MAX:
                return self._compile(action)
            if len(self.compiled) >= ACTIONS_MAX:
                self.compiled.clear()
            # One string for all sets: that which every set has of its own is seldom in the processor's cache.
            rule = self.compiled[sys.intern(str(action))] = self._compile(action)
        return rule

    def allows_on_api(self, action: str, identifier: str, attributes: Mapping[str, Any], *, within: bool) -> bool:
        """The same for a registered API, on which only permissions to its scopes allow.

        `within` an organization nothing allows on the API that manages this server.
        """
        about, allowed = (action, RESOURCE_TYPE, identifier), False
        for statement, is_of_api in self._statements:
            if speaks_of(statement, about, is_of_api=is_of_api, within=within) and (
                statement.condition is None or holds(statement.condition, attributes, effect=statement.effect)
            ):
                if statement.effect is Effect.DENY:
                    return False
                allowed = True
        return allowed

    @property
    def has_conditions(self) -> bool:
        """Whether any of its statements asks about circumstances."""
        return any(statement.condition is not None for statement, _ in self._statements)

    def _compile(self, action: str) -> "Rule":
        spoken = literal(action)
        denied: set[str] = set()
        allowed: set[str] = set()
        conditional = set()
        for statement, _ in self._statements:
            if not any(matches(pattern, spoken) for pattern in statement.actions):
                continue
            if statement.condition is not None:
                conditional.add((statement.effect, frozenset(statement.resources), statement.condition))
            else:
                (denied if statement.effect is Effect.DENY else allowed).update(statement.resources)
        said = frozenset(denied), frozenset(allowed), frozenset(conditional)
        rule = self._rules.get(said)
        if rule is None:
            rule = self._rules[said] = Rule(*said)
        return rule


class PolicySets:
    """All sets that somebody holds: one of each."""

    def __init__(self) -> None:
        self._sets: WeakValueDictionary[Content, PolicySet] = WeakValueDictionary()
        self._rules: Rules = WeakValueDictionary()

    def of(self, content: Content) -> PolicySet:
        """The one set of that content."""
        found = self._sets.get(content)
        if found is None:
            found = self._sets[content] = PolicySet(content, self._rules)
        return found

    def __len__(self) -> int:
        return len(self._sets)


class Rule:
    """What statements that speak of one action say: where they deny or allow in any case; which have conditions."""

    __slots__ = (
        "__weakref__",
        "_allowed",
        "_allows",
        "_conditional",
        "_denied",
        "_denies",
        "_is_plain",
        "_reads_context_only",
        "reads",
        "settles",
    )

    def __init__(self, denied: frozenset[str], allowed: frozenset[str], conditional: "frozenset[_Conditional]") -> None:
        self._denies = denies = _Resources(denied)
        self._allows = allows = _Resources(allowed)
        self._conditional = tuple(
            (effect, _Resources(resources), condition) for effect, resources, condition in conditional
        )
        # Where nothing but beginnings counts they lie here: each step further away costs as much as the comparison.
        self._is_plain = not conditional and denies.has_beginnings_only and allows.has_beginnings_only
        self._denied, self._allowed = denies.beginnings, allows.beginnings
        # Which parts of the attributes can make a difference: nothing else need be known.
        self.reads = {test.path[0] for _, _, condition in conditional for test in condition.tests}
        self._reads_context_only = self.reads == {"context"}
        # The answer on every resource, where there is one.
        self.settles: bool | None = None
        if denies.everything or (allows.is_empty and not conditional):
            self.settles = False
        elif allows.everything and denies.is_empty and not conditional:
            self.settles = True

    def answers(self, resource_type: str, resource_id: str, context: Mapping[str, Any]) -> bool | None:
        """The answer on a resource, or None if conditions count for it that read more than the context."""
        if self.settles is not None:
            return self.settles
        if self._is_plain:
            # Also for the empty id: what begins with nothing is what `type:*` covers.
            if not resource_id.startswith(self._allowed.get(resource_type, ())):
                return False
            return not self._denied or not resource_id.startswith(self._denied.get(resource_type, ()))
        if self._reads_context_only:
            return self.weighs(resource_type, resource_id, {"context": context})
        named = _named(resource_type, resource_id)
        if self._denies.covers(resource_type, resource_id, named):
            return False
        allowed = self._allows.covers(resource_type, resource_id, named)
        for effect, resources, _ in self._conditional:
            if (effect is Effect.DENY or not allowed) and resources.covers(resource_type, resource_id, named):
                return None
        return allowed

    def weighs(self, resource_type: str, resource_id: str, attributes: Mapping[str, Any]) -> bool:
        """The answer on a resource where conditions may count."""
        named = _named(resource_type, resource_id)
        if self._denies.covers(resource_type, resource_id, named):
            return False
        allowed = self._allows.covers(resource_type, resource_id, named)
        for effect, resources, condition in self._conditional:
            if effect is Effect.ALLOW and allowed:
                continue
            if resources.covers(resource_type, resource_id, named) and holds(condition, attributes, effect=effect):
                if effect is Effect.DENY:
                    return False
                allowed = True
        return allowed


_Conditional = tuple[Effect, frozenset[str], Condition]
"""What a statement with a condition does, where, and when."""
Rules = WeakValueDictionary[tuple[frozenset[str], frozenset[str], frozenset[_Conditional]], Rule]
"""Rules by what they say: where they deny and allow in any case, and what has conditions. Equal ones are one."""


class _Resources:
    """Resource patterns, sorted by how they are looked up.

    What ids begin with stands in `beginnings` by type, as long as that is little.
    """

    __slots__ = (
        "_all",
        "_bare",
        "_is_looked_up",
        "_lengths",
        "_searched",
        "_whole",
        "beginnings",
        "everything",
        "has_beginnings_only",
        "is_empty",
    )

    def __init__(self, patterns: Collection[str]) -> None:
        self._all = tuple(sorted(patterns))
        self.everything = "*" in patterns
        self.is_empty = not patterns
        typed = [pattern for pattern in patterns if ":" in pattern]
        beginnings = [pattern[:-1] for pattern in typed if pattern.endswith("*") and "*" not in pattern[:-1]]
        # In a name a star is a letter like any other, which no bare id means.
        self._bare = frozenset(pattern for pattern in patterns if ":" not in pattern and "*" not in pattern)
        self._whole = frozenset(pattern for pattern in typed if "*" not in pattern)
        self.beginnings: dict[str, tuple[str, ...]] = {}
        by_length: dict[int, set[str]] = {}
        for beginning in beginnings:
            if len(beginnings) <= _PREFIXES_MAX:
                # No type has a colon in a pattern: the first one ends it.
                type_, _, start = beginning.partition(":")
                self.beginnings[type_] = (*self.beginnings.get(type_, ()), start)
            else:
                by_length.setdefault(len(beginning), set()).add(beginning)
        self._lengths = tuple((length, frozenset(found)) for length, found in sorted(by_length.items()))
        self._searched = tuple(pattern for pattern in typed if "*" in pattern[:-1])
        self._is_looked_up = not (self._lengths or self._searched)
        self.has_beginnings_only = self._is_looked_up and not (self.everything or self._bare or self._whole)

    def covers(self, resource_type: str, resource_id: str, named: str) -> bool:
        """Whether one of the patterns covers the resource; `named` is what `_named` makes of it."""
        if not named:
            spoken = literal(resource_id)
            return any(matches_resource(pattern, resource_type, spoken) for pattern in self._all)
        if self.everything or resource_id.startswith(self.beginnings.get(resource_type, ())):
            return True
        if named in self._whole or resource_id in self._bare:
            return True
        if self._is_looked_up:
            return False
        return any(named[:length] in beginnings for length, beginnings in self._lengths) or any(
            matches_resource(pattern, resource_type, literal(resource_id)) for pattern in self._searched
        )


def _named(resource_type: str, resource_id: str) -> str:
    """A resource in one word, as patterns say it; none for those seldom ones that tables are not made for."""
    return f"{resource_type}:{resource_id}" if resource_id and ":" not in resource_type else ""
