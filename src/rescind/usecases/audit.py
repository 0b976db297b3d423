"""The audit log of the platform: every change, and what was tried to come in, in one order."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rescind.model.changes import Change
from rescind.model.errors import NotFound
from rescind.model.objects import ObjectKind
from rescind.store.contract import Login, Window
from rescind.usecases.unit import View

ENTRIES_MAX = 1000
"""So many of the newest can be paged through by number."""
ENTRY = "log entry"
_ID = re.compile(r"9002(\d{13})(\d{17})(\d{10})")


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody or something that an entry names: its public id and its name."""

    public_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a change that came through another door, or a trace. Parties are None where there are none."""

    id: str
    at: int
    change: Change | None
    trace: Login | None
    user: Party | None
    client: Party | None
    organization: Party | None


def newest(view: View, traces: Sequence[Login], told: set[str]) -> list[Entry]:
    """The newest entries, newest first: changes, but for those of the requests that the traces tell of, and traces."""
    end = view.reader.revision + 1
    changes = view.reader.page_every_change(Window(ENTRIES_MAX, before=end)).items
    return sorted(_entries(view, changes, traces, told), key=lambda entry: entry.id, reverse=True)[:ENTRIES_MAX]


def requests_of_newest(view: View) -> list[str]:
    """The requests that made the newest changes."""
    end = view.reader.revision + 1
    return [_request(change) for change in view.reader.page_every_change(Window(ENTRIES_MAX, before=end)).items]


def requests_after(view: View, mark: str, limit: int) -> list[str]:
    """The requests that made the changes after an entry, oldest first."""
    return [_request(change) for change in _changes_after(view, mark, limit)]


def after(view: View, mark: str, limit: int, traces: Sequence[Login], told: set[str]) -> list[Entry]:
    """The entries after one, by its id, oldest first."""
    entries = _entries(view, _changes_after(view, mark, limit), traces, told)
    return sorted((entry for entry in entries if entry.id > mark), key=lambda entry: entry.id)[:limit]


def get(view: View, entry: str, trace: Login | None) -> Entry:
    """One entry by its id, with the trace that it names."""
    revision, _, key = parse_id(entry)
    change = None if key else view.reader.page_every_change(Window(1, after=revision - 1)).items
    found = _entries(view, change or (), [trace] if trace else (), set())
    for one in found:
        if one.id == entry:
            return one
    raise NotFound(ENTRY)


def parse_id(entry: str) -> tuple[int, int, int]:
    """Revision, instant and key of the trace (0 for a change) that an entry's id names. Raises `NotFound`."""
    found = _ID.fullmatch(entry)
    if found is None:
        raise NotFound(ENTRY)
    revision, at, key = found.groups()
    return int(revision), int(at), int(key)


def _changes_after(view: View, mark: str, limit: int) -> Sequence[Change]:
    revision, _, key = parse_id(mark)
    del key
    return view.reader.page_every_change(Window(limit, after=revision)).items


def _entries(view: View, changes: Iterable[Change], traces: Sequence[Login], told: set[str]) -> list[Entry]:
    own = [change for change in changes if _request(change) not in told]
    actors = {change.revision: str(change.read()["actor"]) for change in own}
    by_id = {actor: _find(view, actor) for actor in set(actors.values())}
    keys = {key for trace in traces for key in (trace.user, trace.client, trace.organization) if key}
    parties = _parties(view, keys | {key for key in by_id.values() if key is not None})

    def party(key: int | None) -> Party | None:
        return parties.get(key) if key else None

    entries = [
        Entry(
            _id(change.revision, change.time, 0),
            change.time,
            change,
            None,
            party(by_id[actors[change.revision]]),
            None,
            None,
        )
        for change in own
    ]
    entries += [
        Entry(
            _id(trace.revision, trace.at, trace.key),
            trace.at,
            None,
            trace,
            party(trace.user),
            party(trace.client),
            party(trace.organization),
        )
        for trace in traces
    ]
    return entries


def _id(revision: int, at: int, key: int) -> str:
    return f"9002{revision:013d}{at:017d}{key:010d}"


def _request(change: Change) -> str:
    return str(change.read()["request"])


def _find(view: View, actor: str) -> int | None:
    found = view.reader.find_object(ObjectKind.USER, actor) or view.reader.find_object(ObjectKind.CLIENT, actor)
    return found.key if found else None


def _parties(view: View, keys: set[int]) -> Mapping[int, Party]:
    profiles = view.reader.profiles(keys)
    return {
        key: Party(profile.get("public_id", ""), profile.get("email") or profile.get("name", ""))
        for key, profile in profiles.items()
    }
