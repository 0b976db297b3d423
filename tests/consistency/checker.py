"""The checker: what must be so of a whole history, held against the database that it left behind.

The promise is two demands. An answer names a revision no lower than any that was acknowledged, or named by an answer,
before it was asked for; and it is the specification's at the revision and the instant that it names. What names none, a
refusal, must be right at some revision that may have been the newest while it was asked.

A write says in its arguments what it leaves behind: `opens` and `closes` are lists of
[fact, holder, thing, organization, value], by ids, null where there is none. The value is a JSON object of which the
stored one has each member. `undoes` is the change that is undone, and `by` says whose right was needed, as the
arguments of "own key" do.
"""

import itertools
import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from consistency.answers import EXPECTED, REFUSALS, REFUSED, Answers, said
from consistency.history import READ, WRITE, Call, History
from consistency.truth import Entry, Place, Truth
from rescind.model.objects import ObjectKind

CLOCK_ERROR_MAX = 10_000
"""Microseconds by which two readings of one machine's clock may disagree about their order."""
OLDER_MAX = 300
"""Revisions that are looked through for the one at which a wrong answer was right."""
ALIKE_MAX = 3
"""Calls that are shown with a change for which there is no write."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be in a history: which demand, the few calls that show it, and in words."""

    name: str
    calls: tuple[Call, ...]
    says: str

    def __str__(self) -> str:
        return "\n    ".join([f"{self.name}: {self.says}", *map(str, self.calls)])


def check(history: History, database: str, *, true_clocks: bool = True) -> list[Violation]:
    """Everything that is wrong with a history on this database, the calls in the order of their ends.

    With `true_clocks` nobody moved a clock of a node, so an answer's instant must not lie before its request, either.
    """
    checker = _Checker(history, Truth(database), true_clocks=true_clocks)
    return [violation for demand in checker.demands for violation in demand()]


class _Newest:
    """Which calls had ended by a time, and which of them named the highest revision (or what else is looked at)."""

    def __init__(self, calls: Sequence[Call], of: Callable[[Call], int] | None = None) -> None:
        of = of or _revision
        named = sorted((call for call in calls if call.revision is not None), key=lambda call: call.ended)
        self._ends = [call.ended for call in named]
        self._best: list[Call] = []
        for call in named:
            best = self._best[-1] if self._best else call
            self._best.append(best if of(best) >= of(call) else call)

    def before(self, time: int) -> Call | None:
        """The call that named the highest one of those that ended before a time."""
        place = bisect_left(self._ends, time)
        return self._best[place - 1] if place else None


class _Checker:
    def __init__(self, history: History, truth: Truth, *, true_clocks: bool) -> None:
        self._calls = sorted(history.calls, key=lambda call: call.ended)
        self._truth = truth
        self._answers = Answers(truth)
        self._true_clocks = true_clocks
        self._newest = _Newest(self._calls)
        self._writers = {call.change: call for call in self._calls if call.acknowledged and call.change is not None}
        begun = {revision: call.began for revision, call in self._writers.items()}
        self._unclaimed = self._claim_unknown()
        # By revision, the latest beginning of the writes up to it: it was not there before.
        self._begun = list(itertools.accumulate((begun.get(n, 0) for n in range(1, truth.newest + 1)), max))
        self.demands: tuple[Callable[[], Iterator[Violation]], ...] = (
            self._chain,
            self._errors,
            self._lost,
            self._twice,
            self._backwards,
            self._stale,
            self._wrong,
        )

    # --- the log ------------------------------------------------------------------------------------------------------

    def _chain(self) -> Iterator[Violation]:
        """Log and tables agree, and each digest follows from the one before."""
        for difference in self._truth.differences:
            yield Violation("chain", (), difference)

    def _errors(self) -> Iterator[Violation]:
        """Nothing fails: what cannot be answered now is 503."""
        for call in self._calls:
            if call.status >= 500 and call.status != 503:
                yield Violation("error", (call,), f"answered with {call.status}")

    def _lost(self) -> Iterator[Violation]:
        """Every acknowledged write is in the log, and what it asked for is so at its revision."""
        for call in self._calls:
            if not call.acknowledged:
                continue
            if call.change is not None:
                entry = self._truth.log.get(call.change)
                if entry is None or (entry.request, entry.operation) != (call.request_id, call.operation):
                    yield Violation("lost", (call,), f"acknowledged as change {call.change}, which is {entry}")
                    continue
            missing = self._missing(call)
            if missing:
                yield Violation("lost", (call,), f"acknowledged at revision {call.revision}, but {missing}")

    def _missing(self, call: Call) -> str:
        """What is not as the write left it, at the revision that it names."""
        assert call.revision is not None, call
        self._truth.at(call.revision)
        for fact in call.arguments.get("opens", ()):
            if not self._found(self._place(fact), fact[4]):
                return f"{fact} does not hold"
        for fact in call.arguments.get("closes", ()):
            if any(self._lives(row, call) for row in self._found(self._place(fact), fact[4])):
                return f"{fact} holds"
        undone = self._truth.log.get(call.arguments.get("undoes", 0))
        if undone is not None and not call.answer["left"]:
            for place in undone.closed:
                if not self._found(place, None):
                    return f"{place} does not hold again"
        return ""

    def _lives(self, row: Mapping[str, Any], call: Call) -> bool:
        """Whether it is certain that time had not ended a fact when a write was done."""
        if row["expires_at"] is None:
            return True
        if call.change is not None:
            return bool(row["expires_at"] > self._truth.log[call.change].time)
        return self._true_clocks and row["expires_at"] > _clock_at_end(call)

    def _found(self, place: Place | None, value: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """The rows in a place where the truth stands; a thing or scope that is not named may be any."""
        if place is None:
            return []
        kind, holder, *ends = place
        thing, scope = (None if name is None else self._truth.keys[name] for name in ends)
        found = self._truth.held(kind, self._truth.keys[holder])
        found = [row for row in found if thing in (None, row["thing"]) and scope in (None, row["scope"])]
        return [row for row in found if value is None or value.items() <= json.loads(row["value"]).items()]

    def _place(self, fact: Sequence[Any]) -> Place | None:
        """Where a fact of a write's arguments is stored: what a user has in an organization hangs on her membership."""
        truth = self._truth
        kind, holder, thing, organization, _ = fact
        key = truth.keys[holder]
        if organization is not None and truth.kinds[key] is ObjectKind.USER:
            membership = truth.membership(key, truth.keys[organization])
            if membership is None:
                return None
            key = membership
        # Scopes of APIs are named by the API and the scope.
        far = None if thing is None else truth.ids[truth.keys[thing]]
        scope = None if organization is None else truth.ids[truth.keys[organization]]
        return kind, truth.ids[key], far, scope

    def _twice(self) -> Iterator[Violation]:
        """Every change is a write that somebody made, once, and was not told that it was refused."""
        seen: dict[str, Call] = {}
        for call in self._calls:
            if call.acknowledged and call.change is not None and self._writers[call.change] is not call:
                yield Violation("twice", (self._writers[call.change], call), f"both were told change {call.change}")
            if call.request_id and call.kind == WRITE and seen.setdefault(call.request_id, call) is not call:
                yield Violation("twice", (seen[call.request_id], call), f"both are request {call.request_id}")
        for entry in self._unclaimed:
            says = f"change {entry.revision} ({entry.operation}) is in the log, and no write is left that may be it"
            yield Violation("twice", self._like(entry), says)

    def _like(self, entry: Entry) -> tuple[Call, ...]:
        """The writes, whatever became of them, that a change may be, those about its time."""
        alike = [call for call in self._calls if call.kind == WRITE and self._may_be(call, entry)]
        return tuple(sorted(alike, key=lambda call: abs(call.clock - entry.time))[:ALIKE_MAX])

    def _claim_unknown(self) -> list[Entry]:
        """Match changes that nobody was told of with writes of unknown outcome, each with one; return those left."""
        named = [call.revision - (call.change is not None) for call in self._calls if call.revision is not None]
        since = min(named, default=self._truth.newest)
        log = self._truth.log.values()
        untold = [entry for entry in log if entry.revision > since and entry.revision not in self._writers]
        untold = [entry for entry in untold if not entry.actor.startswith("command:")]
        unknown = [call for call in self._calls if call.kind == WRITE and call.fate == "unknown"]
        taken: dict[int, Entry] = {}

        def claim(entry: Entry, tried: set[int]) -> bool:
            for call in unknown:
                if call.number in tried or not self._may_be(call, entry):
                    continue
                tried.add(call.number)
                if call.number not in taken or claim(taken[call.number], tried):
                    taken[call.number] = entry
                    return True
            return False

        left = [entry for entry in untold if not claim(entry, set())]
        for call in unknown:
            if call.number in taken:
                self._writers[taken[call.number].revision] = call
        return left

    def _may_be(self, call: Call, entry: Entry) -> bool:
        """Whether a change may be what a write does."""
        if call.operation != entry.operation or call.arguments.get("undoes") != entry.undoes:
            return False
        if entry.undoes is not None:
            return True
        # Where one is suspended no more, sessions end for good in passing.
        truth = self._truth.at(entry.revision)
        sessions = {place for place in entry.closed if truth.kinds[truth.keys[place[1]]] is ObjectKind.SESSION}
        opens, closes = ({self._place(fact) for fact in call.arguments.get(name, ())} for name in ("opens", "closes"))
        # What is opened in a place closes what was there.
        opened = {place for place in entry.opened if place[1] not in entry.created}
        return _only_in(opened, opens) and _only_in(entry.closed - sessions, opens | closes)

    # --- the promise --------------------------------------------------------------------------------------------------

    def _backwards(self) -> Iterator[Violation]:
        """The revisions that one client sees never fall, and neither do the instants that one process answers at."""
        clients: dict[str, list[Call]] = defaultdict(list)
        workers: dict[tuple[int, int], list[Call]] = defaultdict(list)
        for call in self._calls:
            clients[call.client].append(call)
            if call.worker is not None and call.instant is not None:
                workers[call.node, call.worker].append(call)
        for calls in clients.values():
            newest = _Newest(calls)
            for call in calls:
                seen = newest.before(call.began)
                if call.revision is not None and seen is not None and _revision(seen) > call.revision:
                    yield Violation("backwards", (seen, call), f"from revision {seen.revision} to {call.revision}")
        for calls in workers.values():
            latest = _Newest(calls, _instant)
            for call in calls:
                seen = latest.before(call.began)
                if seen is not None and _instant(seen) > _instant(call):
                    yield Violation("backwards", (seen, call), f"from the instant {seen.instant} to {call.instant}")

    def _stale(self) -> Iterator[Violation]:
        """No answer is from before a revision that was known before it was asked for, nor from before that time."""
        for call in self._calls:
            if call.revision is None:
                continue
            known = self._newest.before(call.began)
            if known is not None and _revision(known) > call.revision:
                says = f"answered from revision {call.revision}, when {known.revision} had been {_how(known)}"
                yield Violation("stale", (known, call), says)
            if call.instant is None:
                continue
            entry = self._truth.log.get(call.revision)
            if entry is not None and call.instant < entry.time:
                yield Violation("stale", (call,), f"its instant is before {entry.time}, the time of its revision")
            if self._true_clocks and call.clock and call.instant < call.clock - CLOCK_ERROR_MAX:
                yield Violation("stale", (call,), f"its instant is before {call.clock}, when it was asked for")

    def _wrong(self) -> Iterator[Violation]:
        """Each answer is what the specification says, and each write was done by somebody who could."""
        for call in self._calls:
            if call.acknowledged and call.change in self._truth.log and "by" in call.arguments:
                yield from self._wrong_write(call)
            if call.kind != READ or call.operation not in EXPECTED or call.status in (0, 503):
                continue
            if call.status >= 500:
                continue  # an error already
            if call.status == 200:
                yield from self._wrong_answer(call)
            elif call.status in REFUSALS:
                yield from self._wrong_refusal(call)
            else:
                yield Violation("wrong", (call,), f"answered with {call.status}")

    def _wrong_answer(self, call: Call) -> Iterator[Violation]:
        if call.revision is None or call.instant is None:
            yield Violation("wrong", (call,), "it names no revision or no instant")
            return
        if call.revision > self._truth.newest:
            yield Violation("wrong", (call,), f"there is no revision {call.revision}")
            return
        given = said(call)
        expected = self._answers.expected(call.operation, call.arguments, call.revision, call.instant)
        if given == expected:
            return
        older = self._right_until(call, given, call.revision - 1)
        says = f"{given}, where the specification says {expected} at revision {call.revision}"
        yield Violation("wrong", (*self._writer_after(older), call), says + _as_of(older))

    def _wrong_write(self, call: Call) -> Iterator[Violation]:
        """The right to a write is decided at the head that it was written upon."""
        assert call.change is not None
        upon, instant = call.change - 1, self._truth.log[call.change].time
        if self._answers.expected("own key", call.arguments["by"], upon, instant) == REFUSED:
            writer = self._writers.get(upon)
            says = f"written upon revision {upon}, where the specification gives no right to it"
            yield Violation("wrong", (*([writer] if writer else []), call), says)

    def _wrong_refusal(self, call: Call) -> Iterator[Violation]:
        """A refusal must be right at some revision that may have been the newest between its two ends."""
        known = self._newest.before(call.began)
        highest = bisect_right(self._begun, call.ended)
        lowest = 1 if known is None else _revision(known)
        if any(self._is_right(call, REFUSED, revision) for revision in range(highest, lowest - 1, -1)):
            return
        older = self._right_until(call, REFUSED, lowest - 1)
        says = f"refused with {call.status}, where the specification allows at revisions {lowest} to {highest}"
        yield Violation("wrong", (*self._writer_after(older), call), says + _as_of(older))

    def _is_right(self, call: Call, given: Any, revision: int) -> bool:
        """Whether an answer that names no instant is right at a revision, at some instant that it may have."""
        if revision not in self._truth.log:
            return False
        since = self._truth.log[revision].time
        until = _clock_at_end(call)
        if self._true_clocks:
            since = max(since, call.clock - CLOCK_ERROR_MAX)
        else:
            # Whose clock goes ahead may have refused by it.
            until = 1 << 62
        instants = self._answers.instants(call.arguments, revision, since, until)
        return any(
            self._answers.expected(call.operation, call.arguments, revision, instant) == given for instant in instants
        )

    def _right_until(self, call: Call, given: Any, revision: int) -> int | None:
        """The last revision, up to one, at which the answer would have been right."""
        for older in range(revision, max(0, revision - OLDER_MAX), -1):
            if older not in self._truth.log:
                continue
            instant = self._truth.log[older].time if call.instant is None else call.instant
            if self._answers.expected(call.operation, call.arguments, older, instant) == given:
                return older
        return None

    def _writer_after(self, revision: int | None) -> tuple[Call, ...]:
        """The write that ended what was so at a revision, if it is known."""
        writer = None if revision is None else self._writers.get(revision + 1)
        return () if writer is None else (writer,)


def _revision(call: Call) -> int:
    assert call.revision is not None
    return call.revision


def _instant(call: Call) -> int:
    assert call.instant is not None
    return call.instant


def _clock_at_end(call: Call) -> int:
    """An instant that had not come yet when a call ended."""
    return call.clock + (call.ended - call.began) // 1000 + CLOCK_ERROR_MAX


def _only_in(places: AbstractSet[Place], named: set[Place | None]) -> bool:
    """Whether all places are among those named; a thing that was not named may be any."""
    return all(
        place in named or (place[0], place[1], None, place[3]) in named or (place[0], place[1], None, None) in named
        for place in places
    )


def _how(call: Call) -> str:
    return "acknowledged" if call.acknowledged else "named by an answer"


def _as_of(revision: int | None) -> str:
    return "" if revision is None else f", and said so until revision {revision}"
