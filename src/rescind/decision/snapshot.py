"""A snapshot: everything that bears on one principal in one scope, at one revision and instant, and its paths."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from json import loads
from operator import attrgetter

from rescind.model.apis import grant_terms, statement_of_grant, statement_of_scope
from rescind.model.documents import Statement, statements_of
from rescind.model.facts import Fact, FactKind
from rescind.model.literals import literal
from rescind.model.objects import PLATFORM
from rescind.model.trusts import IAM, Terms, terms_of

LEADS_ON = frozenset(
    {
        FactKind.EXISTENCE,
        FactKind.GROUP_MEMBERSHIP,
        FactKind.ROLE_ATTACHMENT,
        FactKind.POLICY_ATTACHMENT,
        FactKind.PERMISSION_GRANT,
        FactKind.TRUST,
        FactKind.TRUSTED_PARTY,
        FactKind.ASSUMPTION,
        FactKind.SESSION_TRUST,
        FactKind.SESSION_KEY,
        FactKind.API_SCOPE,
        FactKind.CLIENT_GRANT,
        FactKind.GRANT_DEFINITION,
    }
)
"""The facts whose thing and scope bear on what their holder may do."""

_LINKS = (FactKind.ASSUMPTION, FactKind.SESSION_TRUST, FactKind.SESSION_KEY)
_ENDS_IN_DOCUMENT = (FactKind.POLICY_ATTACHMENT, FactKind.PERMISSION_GRANT)

_PLACE = attrgetter("place")

Path = tuple[Fact, ...]
"""The chain of live facts from a principal to a policy or permission, nearest first."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and in which scope, by keys. In an organization rights hang on the membership, outside on the user.

    A client asks as the `user` of the platform. With a `session` it is the session that asks: a principal of its own,
    which has what its role has.
    """

    user: int
    organization: int = PLATFORM
    membership: int = PLATFORM
    session: int = PLATFORM

    @property
    def holder(self) -> int:
        """The key of what assignments hang on."""
        return self.membership if self.organization else self.user


@dataclass(frozen=True, slots=True)
class Assumption:
    """What a living session has entered: the role (key and id), and the terms of the trust through which it did."""

    role: int
    role_id: str
    terms: Terms
    fact: Fact


@dataclass(frozen=True, slots=True)
class Reach:
    """One way by which one policy or permission, by key, reaches the principal."""

    policy: int
    path: Path


Said = tuple[Reach, int, Statement]
"""A statement that reaches the principal: the way to its policy, its place (from 0) among those of that, and itself."""


@dataclass(frozen=True)
class Snapshot:
    """The facts of everything on the way from `principal` to a statement, by holder, live at `revision`.

    Facts that time has ended at `instant` (microseconds since 1970) may be among them and count for nothing.
    """

    principal: Principal
    revision: int
    instant: int
    facts: Mapping[int, Collection[Fact]]

    def held(self, holder: int, *kinds: FactKind) -> list[Fact]:
        """The facts of those kinds that count now, in a fixed order."""
        found = [fact for fact in self.facts.get(holder, ()) if fact.kind in kinds and fact.alive(self.instant)]
        return sorted(found, key=_PLACE) if len(found) > 1 else found

    def exists(self, key: int) -> bool:
        """Whether the object lives."""
        instant = self.instant
        return any(fact.kind is FactKind.EXISTENCE and fact.alive(instant) for fact in self.facts.get(key, ()))

    @cached_property
    def reaches(self) -> list[Reach]:
        """Every policy and permission that reaches the principal, once for every path."""
        return list(self._walk())

    @cached_property
    def assumption(self) -> Assumption | None:
        """What the principal's session has entered, or None if a link that made it is gone.

        The links are the session itself, the API key with which it was opened and whose key that is, the role and
        that it is assumable, the trust on that role, and every party that the trust names: the membership, or a group
        that it is in.
        Whether the user may still assume the role is a decision of its own: see `decide`.
        """
        session, membership = self.principal.session, self.principal.membership
        if not self.exists(session) or not all(self._edges(session, kind) for kind in _LINKS):
            return None
        assumed, through = self.held(session, FactKind.ASSUMPTION)[0], self.held(session, FactKind.SESSION_TRUST)[0]
        trusts = [fact for fact in self.held(through.thing, FactKind.TRUST) if fact.thing == assumed.thing]
        opened_with = self.held(session, FactKind.SESSION_KEY)[0].thing
        if not trusts or not self.assumable(assumed.thing) or not self.trusts_member(through.thing, membership):
            return None
        if not self._is_of_somebody(opened_with):
            return None
        return Assumption(assumed.thing, assumed.value or "", terms_of(trusts[0].value or ""), assumed)

    def _is_of_somebody(self, key: int) -> bool:
        """Whether who has a key is a member in good standing: it need not be the one whose session it opened."""
        return any(
            self.exists(joined.thing)
            and not self.held(joined.thing, FactKind.BLOCK)
            and not self.held(issued.thing, FactKind.SUSPENSION)
            for issued in self.held(key, FactKind.EXISTENCE)
            for joined in self.held(issued.thing, FactKind.EXISTENCE)
        )

    def trusts_member(self, trust: int, membership: int) -> bool:
        """Whether a member is every party that a trust names."""
        parties = {fact.thing for fact in self.held(trust, FactKind.TRUSTED_PARTY)}
        groups = {fact.thing for fact in self._edges(membership, FactKind.GROUP_MEMBERSHIP)}
        return bool(parties) and parties <= {membership, *groups}

    def statements(self, policy: int) -> tuple[Statement, ...]:
        """The statements of a policy, permission or client grant."""
        known = self._said.get(policy)
        if known is None:
            known = self._said[policy] = self._read(policy)
        return known

    @cached_property
    def _said(self) -> dict[int, tuple[Statement, ...]]:
        return {}

    def speaking_of(self, action: str) -> list[Said]:
        """Every statement that reaches the principal, once for every path, but those that name other actions only."""
        said, patterns, by_name = self._by_action
        return [said[place] for place in sorted({*patterns, *by_name.get(literal(action), ())})]

    @cached_property
    def _by_action(self) -> tuple[list[Said], list[int], dict[str, list[int]]]:
        """All that is said, and where in it stands what has a pattern for actions, and what names each."""
        said: list[Said] = []
        patterns: list[int] = []
        by_name: dict[str, list[int]] = {}
        for reach in self.reaches:
            for index, statement in enumerate(self.statements(reach.policy)):
                if "*" in "".join(statement.actions):
                    patterns.append(len(said))
                else:
                    for action in statement.actions:
                        by_name.setdefault(action, []).append(len(said))
                said.append((reach, index, statement))
        return said, patterns, by_name

    def _read(self, policy: int) -> tuple[Statement, ...]:
        said: list[Statement] = []
        for fact in self.held(policy, FactKind.DOCUMENT, FactKind.API_SCOPE, FactKind.GRANT_DEFINITION):
            match fact.kind:
                case FactKind.DOCUMENT:
                    said += statements_of(fact.value or "")
                case FactKind.API_SCOPE:
                    said.append(statement_of_scope(fact.value or ""))
                case _:
                    whole = statement_of_grant(fact.value or "")
                    said += [whole] if whole else []
        return tuple(said)

    def is_of_api(self, policy: int) -> bool:
        """Whether it is a permission to a scope of a registered API, or a client grant: all that allows on one."""
        return bool(self.held(policy, FactKind.API_SCOPE, FactKind.GRANT_DEFINITION))

    def from_holder(self, holder: int, scope: int, path: Path = ()) -> Iterator[Reach]:
        """What reaches a membership, user or group by what is attached to it in `scope`, and not by its groups."""
        for fact in self._edges(holder, *_ENDS_IN_DOCUMENT):
            if fact.scope == scope:
                yield Reach(fact.thing, (*path, fact))
        for fact in self._edges(holder, FactKind.ROLE_ATTACHMENT):
            if fact.scope == scope and self.assignable(fact.thing):
                yield from self.from_role(fact.thing, (*path, fact))

    def from_role(self, role: int, path: Path = ()) -> Iterator[Reach]:
        """What a role holds."""
        for fact in self._edges(role, *_ENDS_IN_DOCUMENT):
            yield Reach(fact.thing, (*path, fact))

    def assignable(self, role: int) -> bool:
        """Whether the role gives its rights by attachment; an assumable one gives nothing until it is assumed."""
        return self._is_of_type(role, "assignable")

    def assumable(self, role: int) -> bool:
        """Whether the role is entered through a trust."""
        return self._is_of_type(role, "assumable")

    def _is_of_type(self, role: int, role_type: str) -> bool:
        return any(_type_in(fact.value or "") == role_type for fact in self.held(role, FactKind.ROLE_DEFINITION))

    def _walk(self) -> Iterator[Reach]:
        holder, scope = self.principal.holder, self.principal.organization
        if not all(self.exists(key) for key in (self.principal.user, scope, holder) if key != PLATFORM):
            return
        if self.principal.session:
            if self.assumption is None:
                return
            yield from self.from_role(self.assumption.role, (self.assumption.fact,))
            if self.assumption.terms.trust_type != IAM:
                return
        yield from self.from_holder(holder, scope)
        for member in [holder] if scope else self.memberships:
            for fact in self._edges(member, FactKind.GROUP_MEMBERSHIP):
                yield from self.from_holder(fact.thing, scope, (fact,))
        yield from self._from_client(holder)

    @cached_property
    def memberships(self) -> list[int]:
        """The memberships of the principal's user that give anything outside their organizations, by key."""
        return sorted(
            holder
            for holder, facts in self.facts.items()
            for fact in facts
            if fact.kind is FactKind.EXISTENCE
            and fact.thing == self.principal.user != PLATFORM
            and fact.alive(self.instant)
            and self.exists(fact.scope)
            and not self.held(holder, FactKind.SUSPENSION)
        )

    def _from_client(self, client: int) -> Iterator[Reach]:
        """What a client was granted for itself."""
        for edge in self._edges(client, FactKind.CLIENT_GRANT):
            for granted in self._edges(edge.thing, FactKind.GRANT_DEFINITION):
                if grant_terms(granted.value or "").subject == "client":
                    yield Reach(edge.thing, (edge,))
                    for fact in self._edges(edge.thing, FactKind.PERMISSION_GRANT):
                        yield Reach(fact.thing, (edge, fact))

    def _edges(self, holder: int, *kinds: FactKind) -> list[Fact]:
        """An edge counts while both ends exist; the holder's end was seen to exist on the way here."""
        return [fact for fact in self.held(holder, *kinds) if self.exists(fact.thing)]


@lru_cache(maxsize=1024)
def _type_in(definition: str) -> str:
    """The type in the stored definition of a role: few differ, and each is read over and over."""
    return str(loads(definition)["role_type"])


def gather(seeds: Iterable[int], fetch: Callable[[Collection[int]], Iterable[Fact]]) -> dict[int, list[Fact]]:
    """Collect the facts of `seeds` and of everything that they lead to, by holder.

    An API key leads to its membership, a membership to its user and organization, a session to all that it lives by,
    and edges to their things. `fetch` is asked at most eight times, each time for the facts of a set of keys not asked
    for before.
    """
    facts: dict[int, list[Fact]] = {}
    frontier = set(seeds)
    while frontier:
        facts.update((key, []) for key in frontier)
        led_to = set()
        for fact in fetch(frontier):
            facts[fact.holder].append(fact)
            if fact.kind in LEADS_ON:
                led_to |= {fact.thing, fact.scope}
        frontier = led_to - facts.keys() - {PLATFORM}
    return facts
