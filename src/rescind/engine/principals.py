"""Principals: from the name that somebody has in a scope to all that bears on what he may do there."""

from collections.abc import Callable, Collection

from rescind.decision.snapshot import Principal, Snapshot, gather
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, ObjectKind, is_id
from rescind.store.contract import Reader

USER, CLIENT, SESSION = "user", "client", "session"
EMAIL_PREFIX = "email:"

Fetch = Callable[[Collection[int]], list[Fact]]
"""Gives the facts of some holders; facts of others may be among them."""


def named(reader: Reader, scope: int, type_: str, name: str) -> Principal | None:
    """The principal of that name in a scope, by key; None for one that nobody ever was.

    A user is named by id, by her alias in the scope, by `email:` and address, or by public id; a client, which is one
    outside of organizations alone, by public id; a session, inside its organization, by id.
    """
    match type_:
        case "user":
            user = _user(reader, scope, name)
            return principal_of(reader, user, scope) if user is not None else None
        case "client" if scope == PLATFORM:
            found = reader.find_named("public_id", name)
            return Principal(found.key) if found and found.kind is ObjectKind.CLIENT else None
        case "session" if scope != PLATFORM:
            session = reader.find_object(ObjectKind.SESSION, name)
            if session is None or session.owner != scope:
                return None
            issued = reader.intervals([session.key], FactKind.EXISTENCE)
            joined = reader.intervals([held.fact.thing for held in issued], FactKind.EXISTENCE)
            user = joined[0].fact.thing if joined else PLATFORM
            return Principal(user, scope, issued[0].fact.thing if joined else PLATFORM, session.key)
        case _:
            return None


def alias_field(scope: int, alias: str) -> str:
    """What is stored of an alias: it is one in its scope alone."""
    return f"{scope}/{alias}"


def principal_of(reader: Reader, user: int, organization: int) -> Principal:
    """A user, by key, as a principal in an organization, whether she is a member or not."""
    if organization == PLATFORM:
        return Principal(user)
    joined = [
        interval.fact.holder
        for interval in reader.intervals_on([user], FactKind.EXISTENCE)
        if interval.fact.scope == organization and interval.fact.alive(reader.instant)
    ]
    return Principal(user, organization, joined[0] if joined else PLATFORM)


def snapshot_of(reader: Reader, principal: Principal, *others: int, fetch: Fetch | None = None) -> Snapshot:
    """Everything that bears on a principal, and what other objects, by key, lead to.

    With `fetch` the facts are taken from there, which must be as of the reader's revision.
    """
    seeds = {principal.user, principal.organization, principal.membership, principal.session, *others} - {PLATFORM}
    if principal.user and not principal.organization:
        # Outside every organization the groups of each count that carry something there.
        seeds |= {interval.fact.holder for interval in reader.intervals_on([principal.user], FactKind.EXISTENCE)}
    if fetch is None:
        around = by_holder(reader.surroundings(seeds))
        return Snapshot(principal, reader.revision, reader.instant, gather(seeds, around))
    return Snapshot(principal, reader.revision, reader.instant, gather(seeds, fetch))


def by_holder(facts: Collection[Fact]) -> Fetch:
    """A way to ask for facts by their holders."""
    held: dict[int, list[Fact]] = {}
    for fact in facts:
        held.setdefault(fact.holder, []).append(fact)
    return lambda keys: [fact for key in keys for fact in held.get(key, ())]


def _user(reader: Reader, scope: int, name: str) -> int | None:
    if is_id(name):
        found = reader.find_object(ObjectKind.USER, name)
    elif name.startswith(EMAIL_PREFIX):
        found = reader.find_user(name.removeprefix(EMAIL_PREFIX))
    elif "|" in name:
        found = reader.find_named("public_id", name)
    else:
        return _aliased(reader, scope, name)
    return found.key if found and found.kind is ObjectKind.USER else None


def _aliased(reader: Reader, scope: int, alias: str) -> int | None:
    """Whose alias it is: inside an organization it hangs on the membership, and ends with it."""
    found = reader.find_named("alias", alias_field(scope, alias))
    if found is None or found.kind is ObjectKind.USER:
        return found.key if found else None
    joined = reader.intervals([found.key], FactKind.EXISTENCE)
    return joined[0].fact.thing if joined else None
