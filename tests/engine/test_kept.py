"""What is kept is given back while it is true and no longer; what a value was made of is noted while it is made."""

import inspect
import itertools
import random
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rescind.engine import kept as module
from rescind.engine.freshness import Moment
from rescind.engine.kept import Kept, Made, Noting, Touches
from rescind.model.facts import Fact, FactKind
from rescind.model.objects import PLATFORM, Object, ObjectKind
from rescind.node import Node, build
from rescind.settings import Settings
from rescind.store.contract import PAGE_SIZE_MAX, Reader, Window
from rescind.usecases import groups, policies, properties, resources, roles, users
from rescind.usecases.unit import Unit
from stories.histories import History

# --- random logs ----------------------------------------------------------------------------------------------------

KEYS, NAMES = tuple(range(4)), ("a", "b", "c")
Step = tuple[Any, ...]


def made(
    touches: Touches, value: Any, revision: int, seen: tuple[int, ...] | None, until: int | None = None
) -> Made[Any]:
    """A value whose reading began where the touches are."""
    return Made(value, revision, seen, until, touches.generation)


@dataclass
class Log:
    """A log in which each revision touches some keys: a key's state is the revision that touched it last."""

    states: list[dict[int, int]] = field(default_factory=lambda: [dict.fromkeys(KEYS, 0)])
    epoch: int = 1

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def write(self, keys: tuple[int, ...]) -> None:
        # No two revisions are alike, whatever an operator restores.
        self.states.append({**self.states[-1], **dict.fromkeys(keys, next(_states))})

    def touched(self, after: int) -> dict[int, int]:
        """What the revisions since touched, each key with the newest that did."""
        return {
            key: revision
            for revision in range(after + 1, self.revision + 1)
            for key in KEYS
            if self.states[revision][key] != self.states[revision - 1][key]
        }


_states = itertools.count(1)
some_keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(tuple)
names = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(st.just("write"), some_keys),
    st.tuples(st.just("refresh")),
    st.tuples(st.just("make"), names, some_keys, st.sampled_from([None, None, 1, 2])),
    st.tuples(st.just("begin"), names, some_keys, st.sampled_from([None, None, 1, 2])),
    st.tuples(st.just("end")),
    st.tuples(st.just("wait")),
    st.tuples(st.just("lose_track")),
    st.tuples(st.just("restore"), st.integers(1, 4)),
)
_MADE: Step = ("make", "a", (0,), None)
# The log of the backup goes on past the revision at which the value was made, and by chance says nothing of it.
_LOST: list[Step] = [("write", (0,)), ("refresh",), _MADE, ("restore", 2), ("refresh",), ("write", (1,)), ("refresh",)]
_LONGER: list[Step] = [*_LOST, ("write", (1,)), ("write", (1,)), ("refresh",)]


@dataclass
class Held:
    """What was kept under a name: made of which keys, at which revision, and what was known of touches then."""

    made: Made[tuple[int, ...]]
    keys: tuple[int, ...]
    memory: int


class Walk:
    """One node's memory beside a log that is written, restored and read late."""

    def __init__(self) -> None:
        self.log, self.touches, self.now = Log(), Touches(), 100
        self.log.write(KEYS[:1])
        self.kept: Kept[tuple[int, ...]] = Kept(self.touches, 100)
        self.held: dict[str, Held] = {}
        self.begun: list[tuple[str, Held]] = []
        self.memory = 0
        """How often it was lost what was touched."""
        self.lose_track()

    def take(self, step: Step) -> None:
        getattr(self, step[0])(*step[1:])
        for name in NAMES:
            self.check(name)

    def check(self, name: str) -> None:
        found, held = self.kept.get(name), self.held.get(name)
        if held is None:
            assert found is None
            return
        until = held.made.until
        has_ended = until is not None and self.touches.moment.instant >= until
        is_true = held.made.value == self.state(held.keys) and not has_ended
        if found is not None:
            assert is_true
            assert found == held.made.value
        else:
            assert held.memory != self.memory or not is_true
            del self.held[name]

    def state(self, keys: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.log.states[self.touches.moment.revision][key] for key in keys)

    def write(self, keys: tuple[int, ...]) -> None:
        self.log.write(keys)

    def refresh(self) -> None:
        touched = self.log.touched(self.touches.moment.revision)
        self.touches.advance(Moment(self.log.revision, self.now), self.log.epoch, touched)

    def lose_track(self) -> None:
        self.memory += 1
        self.touches.advance(Moment(self.log.revision, self.now), self.log.epoch, None)

    def wait(self) -> None:
        self.now += 1

    def restore(self, back: int) -> None:
        """Put a backup in place and accept the loss, while things are being read."""
        self.log.states = self.log.states[: max(2, len(self.log.states) - back)]
        self.log.epoch += 1
        self.log.write(())
        self.lose_track()

    def make(self, name: str, keys: tuple[int, ...], lasts: int | None) -> None:
        self.begin(name, keys, lasts)
        self._keep(*self.begun.pop())

    def begin(self, name: str, keys: tuple[int, ...], lasts: int | None) -> None:
        moment = self.touches.moment
        until = None if lasts is None else moment.instant + lasts
        made = Made(self.state(keys), moment.revision, keys, until, self.touches.generation)
        self.begun.append((name, Held(made, keys, self.memory)))

    def end(self) -> None:
        if self.begun:
            self._keep(*self.begun.pop(0))

    def _keep(self, name: str, held: Held) -> None:
        self.kept.put(name, replace(held.made))
        self.held[name] = held


@settings(max_examples=300)
@example(_LOST)
@example(_LONGER)
@example([("begin", "a", (0,), None), ("write", (0,)), ("lose_track",), ("end",), ("write", (1,)), ("refresh",)])
@example([("make", "a", (0,), 1), ("wait",), ("refresh",)])
@given(st.lists(steps, max_size=25))
def test_a_value_is_given_back_exactly_as_long_as_it_is_true(history: list[Step]) -> None:
    """Whatever is written, restored and read late; nothing false is, and where track was lost not all that is true."""
    walk = Walk()
    for step in history:
        walk.take(step)


def test_what_nothing_touched_is_not_made_again_however_much_else_is_written() -> None:
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(1, 1), 1, None)
    kept.put("a", made(touches, "value", 1, (5, -7)))
    for revision in range(2, 200):
        touches.advance(Moment(revision, revision), 1, {-5: revision, 7: revision, 6: revision})
        assert kept.get("a") == "value"
    touches.advance(Moment(200, 200), 1, {-7: 200})
    assert kept.get("a") is None


@pytest.mark.parametrize("key", [5, -7])
def test_a_value_goes_with_the_first_key_of_those_that_it_was_made_of(key: int) -> None:
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(1, 1), 1, None)
    kept.put("a", made(touches, "value", 1, (5, -7)))
    touches.advance(Moment(3, 1), 1, {key: 2, 9: 3})
    assert kept.get("a") is None


def test_a_value_that_hangs_on_something_unknown_is_good_at_its_revision_alone() -> None:
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(1, 1), 1, None)
    kept.put("a", made(touches, "nobody", 1, None))
    touches.advance(Moment(1, 50), 1, {})
    assert kept.get("a") == "nobody"
    touches.advance(Moment(2, 51), 1, {})
    assert kept.get("a") is None


def test_time_ends_a_value_at_its_instant_and_not_before() -> None:
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(1, 10), 1, None)
    kept.put("a", made(touches, "value", 1, (), 20))
    touches.advance(Moment(2, 19), 1, {})
    assert kept.get("a") == "value"
    touches.advance(Moment(2, 20), 1, {})
    assert kept.get("a") is None


def test_what_was_read_before_track_was_lost_is_never_given_back() -> None:
    """Also where its reading ends afterwards."""
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(5, 1), 1, None)
    kept.put("early", made(touches, "value", 5, (1,)))
    late = made(touches, "value", 8, (1,))
    touches.advance(Moment(9, 1), 1, None)
    kept.put("late", late)
    kept.put("now", made(touches, "value", 9, (1,)))
    touches.advance(Moment(10, 1), 1, {})
    assert [kept.get(name) for name in ("early", "late", "now")] == [None, None, "value"]


def test_of_a_lost_future_nothing_is_given_back() -> None:
    """After a backup was restored and the loss accepted: not at a lower revision, the same one, nor a higher one."""
    for revision in (6, 10, 14):
        touches = Touches()
        kept: Kept[str] = Kept(touches, 10)
        touches.advance(Moment(10, 1), 1, None)
        kept.put("at once", made(touches, "of the lost future", 10, (1,)))
        kept.put("later", made(touches, "of the lost future", 10, (1,)))
        touches.advance(Moment(revision, 2), 2, None)
        assert kept.get("at once") is None, revision
        touches.advance(Moment(revision + 9, 3), 2, {})
        assert kept.get("later") is None, revision


def test_an_epoch_forgets_what_was_touched_even_if_somebody_says_that_he_knows() -> None:
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(5, 1), 1, None)
    kept.put("a", made(touches, "value", 5, (1,)))
    touches.advance(Moment(6, 1), 2, {})
    assert kept.get("a") is None


def test_of_more_touches_than_are_kept_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then everything is read anew, and from there on it is known again."""
    monkeypatch.setattr(module, "TOUCHED_MAX", 10)
    touches = Touches()
    kept: Kept[str] = Kept(touches, 10)
    touches.advance(Moment(1, 1), 1, None)
    kept.put("a", made(touches, "value", 1, (99,)))
    touches.advance(Moment(2, 1), 1, dict.fromkeys(range(10), 2))
    assert kept.get("a") == "value"
    touches.advance(Moment(3, 1), 1, {11: 3})
    assert kept.get("a") is None
    assert len(touches._newest) <= 10
    kept.put("a", made(touches, "value", 3, (99,)))
    touches.advance(Moment(4, 1), 1, {98: 4})
    assert kept.get("a") == "value"


@given(st.integers(2, 7), st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_never_are_more_values_kept_than_were_allowed(size_max: int, asked: list[tuple[bool, int]]) -> None:
    """And what is given back is what was kept under that name last."""
    touches = Touches()
    touches.advance(Moment(1, 1), 1, None)
    kept: Kept[tuple[int, int]] = Kept(touches, size_max)
    last: dict[int, int] = {}
    for number, (is_put, name) in enumerate(asked):
        if is_put:
            kept.put(name, made(touches, (name, number), 1, ()))
            last[name] = number
            assert kept.get(name) == (name, number)
        else:
            assert kept.get(name) in (None, (name, last.get(name)))
        assert len(kept) <= size_max


def test_what_is_wanted_again_and_again_stays() -> None:
    touches = Touches()
    touches.advance(Moment(1, 1), 1, None)
    kept: Kept[str] = Kept(touches, 10)
    kept.put("wanted", made(touches, "value", 1, ()))
    for number in range(100):
        kept.put(number, made(touches, "other", 1, ()))
        assert kept.get("wanted") == "value"
    assert kept.get(0) is None


# --- what is noted while a value is made ----------------------------------------------------------------------------


@pytest.fixture
def small(make_database: Callable[[str], str]) -> Iterator[Node]:
    built = build(Settings(database=make_database("sqlite")))
    yield built
    built.store.close()


EVERY, ONE = Window(PAGE_SIZE_MAX), 1
NOTED: dict[str, Callable[[Any, "Story"], Any]] = {
    "intervals": lambda r, s: [r.intervals([key]) for key in s.keys],
    "intervals_on": lambda r, s: [r.intervals_on([key]) for key in s.keys],
    "surroundings": lambda r, s: [sorted(r.surroundings([key]), key=lambda fact: fact.place) for key in s.keys],
    "profiles": lambda r, s: r.profiles(s.keys),
    "secret": lambda r, s: [r.secret(key, "password") for key in s.keys],
    "find_object": lambda r, s: r.find_object(ObjectKind.USER, s.history.users[0]),
    "find_user": lambda r, s: r.find_user(s.email),
    "find_named": lambda r, s: r.find_named("alias", s.alias),
    "find_credential": lambda r, s: r.find_credential("api_key", s.verifier),
}
"""What may be given back later, for it is noted what it was made of."""
UNCHANGING: dict[str, Callable[[Any, "Story"], Any]] = {
    "objects": lambda r, s: r.objects(s.keys[:-3]),
    "origins": lambda r, _: r.origins([1, 2]),
}
UNREPEATABLE: dict[str, Callable[[Any, "Story"], Any]] = {
    "ended": lambda r, _: r.ended(ONE),
    "find_objects": lambda r, s: r.find_objects(s.history.users),
    "revision_at": lambda r, _: r.revision_at(r.instant),
    "profile_times": lambda r, _: r.profile_times([ONE]),
    "last_uses": lambda r, _: r.last_uses([ONE]),
    "page_objects": lambda r, _: r.page_objects(ObjectKind.USER, (PLATFORM,), EVERY),
    "living": lambda r, _: r.living(ObjectKind.USER),
    "page_living": lambda r, _: r.page_living([ONE], EVERY),
    "page_edges_of": lambda r, _: r.page_edges_of(ONE, FactKind.ROLE_ATTACHMENT, ObjectKind.ROLE, ONE, EVERY),
    "page_edges_to": lambda r, _: r.page_edges_to(ONE, FactKind.ROLE_ATTACHMENT, ObjectKind.ROLE, ONE, EVERY),
    "page_dormant_edges": lambda r, _: r.page_dormant_edges(ONE, EVERY),
    "change": lambda r, _: r.change(1, PLATFORM),
    "page_changes": lambda r, _: r.page_changes(PLATFORM, EVERY),
    "page_every_change": lambda r, _: r.page_every_change(EVERY),
    "touched": lambda r, _: r.touched(1),
}
NOT_FOUND: dict[str, Callable[[Any], Any]] = {
    "find_object": lambda r: r.find_object(ObjectKind.USER, str(uuid.uuid4())),
    "find_user": lambda r: r.find_user("nobody@example.org"),
    "find_named": lambda r: r.find_named("alias", "nobody"),
    "find_credential": lambda r: r.find_credential("api_key", "none"),
}


class Story:
    """A small organization in which things are made, given, taken, renamed and ended at random."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.history = History(node)
        self.dice = random.Random(1)
        self.alias = f"{self.history.organization}/ann"
        self.email = "ann@example.org"
        self.verifier = "f" * 64
        self.keys = [*range(self.history.organization, self.key_of(ObjectKind.POLICY, self.history.policies[-1]) + 4)]

    def key_of(self, kind: ObjectKind, identifier: str) -> int:
        with self.reading() as reader:
            found: Object | None = reader.find_object(kind, identifier)
        assert found is not None
        return found.key

    def reading(self) -> Any:
        moment = self.node.freshness.now()
        return self.node.store.reading(moment.revision, moment.instant)

    def write(self) -> None:
        """One random write."""
        h, user = self.history, self.dice.choice(self.history.users)
        group, role, policy = (self.dice.choice(some) for some in (h.groups, h.roles, h.policies))
        other = Story._email if self.dice.random() < 0.5 else Story._account
        writes: list[tuple[Callable[..., Any], dict[str, Any]]] = [
            (groups.add_member, {"group": group, "user": user}),
            (groups.remove_member, {"group": group, "user": user}),
            (roles.attach_users, {"roles": [role], "user": user}),
            (roles.detach_users, {"roles": [role], "user": user}),
            (roles.attach_policy, {"role": role, "policy": policy}),
            (roles.detach_policy, {"role": role, "policy": policy}),
            (policies.attach_group, {"policy": policy, "group": group}),
            (policies.delete, {"policy": policy}),
            (policies.restore, {"policy": policy}),
            (roles.delete, {"role": role}),
            (roles.restore, {"role": role}),
            (groups.delete, {"group": group}),
            (groups.restore, {"group": group}),
            (users.remove, {"user": user}),
            (properties.update, {"principal": user, "changes": {"alias": self.dice.choice(["ann", None])}}),
            (properties.update, {"principal": user, "changes": {"properties": {"x": self.dice.choice([1, None])}}}),
            (resources.put, {"resource_type": "t", "resource_id": "x", "properties": {"y": 1}}),
            (resources.delete, {"resource_type": "t", "resource_id": "x"}),
            (self._credential, {"user": user}),
            (other, {"user": user}),
        ]
        usecase, arguments = self.dice.choice(writes)
        h.act(usecase, **arguments)
        if self.dice.random() < 0.2:
            h.join(self.dice.randrange(2))

    def _credential(self, unit: Unit, *, user: str) -> None:
        found = unit.user(user)
        if unit.reader.find_credential("api_key", self.verifier) is None:
            unit.write_credential(found, "api_key", self.verifier)
        else:
            unit.write_credential(found, "password", str(self.dice.random()))

    @staticmethod
    def _email(unit: Unit, *, user: str) -> None:
        found = unit.user(user)
        if unit.reader.find_user("ann@example.org") is None:
            unit.write_profile(found, email_folded="ann@example.org")
        else:
            unit.write_profile(found, email_folded=f"{found.id}@example.org")

    @staticmethod
    def _account(unit: Unit, *, user: str) -> None:
        found, block = unit.user(user), Fact(FactKind.BLOCK, unit.user(user).key)
        if not unit.open(block):
            unit.close(block)
        unit.write_profile(found, name=str(uuid.uuid4()))


def test_every_reading_is_noted_or_makes_a_value_unrepeatable(small: Node) -> None:
    """There is no way to read that is neither: who adds one to the contract decides here which it is."""
    methods = {name for name, found in inspect.getmembers(Reader, inspect.isfunction) if not name.startswith("_")}
    assert methods == {*NOTED, *UNCHANGING, *UNREPEATABLE}
    story = Story(small)
    story.history.act(
        properties.update, principal=story.history.users[0], changes={"alias": "ann", "properties": {"x": 1}}
    )
    story.history.act(story._credential, user=story.history.users[0])
    story.history.act(Story._email, user=story.history.users[1])
    with story.reading() as reader:
        for name, read in {**NOTED, **UNCHANGING, **UNREPEATABLE}.items():
            noting = Noting(reader)
            assert read(noting, story) == read(reader, story), name
            made = noting.made("value")
            assert made.revision == reader.revision
            assert (made.seen is None) == (name in UNREPEATABLE), name
            assert bool(made.seen) == (name in NOTED), name
        for name, look in NOT_FOUND.items():
            noting = Noting(reader)
            assert look(noting) is None
            assert noting.made("value").seen is None, name


def test_what_is_noted_is_all_that_a_reading_hangs_on(small: Node) -> None:
    """After any write, a reading of which nothing was touched says the same again."""
    story = Story(small)
    spared: dict[str, int] = dict.fromkeys([*NOTED, *UNCHANGING], 0)
    gone = dict(spared)
    readings: dict[str, tuple[Made[Any], int]] = {}
    for _ in range(120):
        story.write()
        with story.reading() as reader:
            for name, read in {**NOTED, **UNCHANGING}.items():
                made, since = readings.get(name, (None, 0))
                # Each key by itself: what everything together was made of is touched by every write.
                if made is not None and made.seen is not None:
                    touched = reader.touched(since)
                    assert touched is not None
                    value = read(reader, story)
                    if touched.keys() & {*made.seen}:
                        gone[name] += value != made.value
                    else:
                        spared[name] += 1
                        assert value == made.value, name
                noting = Noting(reader)
                readings[name] = noting.made(read(noting, story)), reader.revision
                if name in ("intervals", "intervals_on", "surroundings", "profiles", "secret"):
                    readings |= _by_key(reader, story, name)
            for name in [name for name in readings if ":" in name]:
                made, since = readings[name]
                touched, key = reader.touched(since), int(name.partition(":")[2])
                assert made.seen is not None
                assert touched is not None
                if not touched.keys() & {*made.seen}:
                    assert _single(reader, name.partition(":")[0], key) == made.value, name
                    continue
                del readings[name]
    assert all(spared[name] for name in ("find_object", "find_user", "find_named", "find_credential")), f"{spared}"
    assert all(gone[name] for name in ("intervals", "intervals_on", "surroundings", "profiles", "secret")), f"{gone}"


def _single(reader: Any, name: str, key: int) -> Any:
    match name:
        case "surroundings":
            return sorted(reader.surroundings([key]), key=lambda fact: fact.place)
        case "secret":
            return reader.secret(key, "password")
        case _:
            return getattr(reader, name)([key])


def _by_key(reader: Any, story: Story, name: str) -> dict[str, tuple[Made[Any], int]]:
    """The reading of one thing at a time, for a few things."""
    found = {}
    for key in story.dice.sample(story.keys, 3):
        noting = Noting(reader)
        found[f"{name}:{key}"] = noting.made(_single(noting, name, key)), reader.revision
    return found


def test_the_instant_at_which_time_ends_something_that_was_read_ends_the_value(small: Node) -> None:
    """Whichever way it was read, and the first of several; what had ended before is nothing to wait for."""
    story = Story(small)
    user = story.key_of(ObjectKind.USER, story.history.users[0])
    group = story.key_of(ObjectKind.GROUP, story.history.groups[0])
    with story.reading() as reader:
        now = reader.instant

    def give(unit: Unit) -> None:
        for thing, minutes in ((group, 10), (user, 5), (1, -5)):
            fact = Fact(FactKind.GROUP_MEMBERSHIP, user, thing, PLATFORM, expires_at=now + minutes * 60_000_000)
            unit.open(fact)

    small.service.operate("test", str(uuid.uuid4()), give)
    first = now + 5 * 60_000_000
    with story.reading() as reader:
        for read in (Noting.intervals, Noting.surroundings):
            noting = Noting(reader)
            read(noting, [user])
            assert noting.made("value").until == first
            assert noting.made("value", first - 1).until == first - 1
            assert noting.made("value", first + 1).until == first
        noting = Noting(reader)
        noting.intervals_on([group])
        assert noting.made("value").until == now + 10 * 60_000_000
        noting.intervals([user])
        assert noting.made("value").until == first


def test_a_name_that_the_dead_are_found_by_too_may_be_the_next_ones_tomorrow(small: Node) -> None:
    """The youngest that has it is found: another one gets it without a touch of the one that was found."""
    story = Story(small)
    put = {"resource_type": "t", "resource_id": "x", "properties": {}}
    story.history.act(resources.put, **put)
    story.history.act(resources.delete, resource_type="t", resource_id="x")
    name = f"{story.history.organization}/t:x"
    with story.reading() as reader:
        noting = Noting(reader)
        before = noting.find_named("resource", name, also_ended=True)
        made = noting.made("value")
    story.history.act(resources.put, **put)
    with story.reading() as reader:
        assert reader.find_named("resource", name, also_ended=True) != before
        touched = reader.touched(made.revision)
        assert made.seen is None or {*made.seen} & {*(touched or ())}


def test_a_name_goes_when_time_ends_who_has_it(small: Node) -> None:
    """Who is found by a name is found until then, and the value made of it must not last longer."""
    story = Story(small)
    user = story.key_of(ObjectKind.USER, story.history.users[0])
    story.history.act(Story._email, user=story.history.users[0])
    with story.reading() as reader:
        ends = reader.instant + 60_000_000
    story.history.act(lambda unit: unit.open(Fact(FactKind.EXISTENCE, user, expires_at=ends)))
    with story.reading() as reader:
        noting = Noting(reader)
        assert noting.find_user(story.email) is not None
        made = noting.made("value")
    assert made.seen is None or (made.until is not None and made.until <= ends)


class Overtaken(Touches):
    """While somebody looks whether a value was touched, another thread goes on to a moment at which it was."""

    def __init__(self) -> None:
        super().__init__()
        self.is_overtaken = False

    def spare(self, seen: Collection[int], since: int) -> bool:
        spared = super().spare(seen, since)
        if not self.is_overtaken:
            self.is_overtaken = True
            self.advance(Moment(6, 6), 1, {7: 6})
        return spared


def test_what_was_proven_while_the_log_went_on_is_proven_again() -> None:
    touches = Overtaken()
    touches.advance(Moment(4, 4), 1, None)
    kept: Kept[str] = Kept(touches, 10)
    kept.put("role", made(touches, "as of 4", 4, (7,)))
    touches.advance(Moment(5, 5), 1, {8: 5})
    assert kept.get("role") == "as of 4"
    assert touches.moment.revision == 6
    assert kept.get("role") is None
