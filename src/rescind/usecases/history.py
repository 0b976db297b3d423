"""History: the change log as an organization may read it."""

import re
from dataclasses import dataclass
from typing import Any

from rescind.model.changes import Change
from rescind.model.errors import NotFound
from rescind.store.contract import Page, Window
from rescind.usecases.unit import View

# One spelling of each number, and none that a column cannot hold.
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One entry of the log; `body` is what its digest was made of, decoded."""

    change: Change
    body: dict[str, Any]


def page(view: View, window: Window) -> Page[ChangeView]:
    """The organization's changes, oldest first."""
    found = view.reader.page_changes(view.organization, window)
    return Page([_described(change) for change in found.items], found.total, found.before, found.after)


def get(view: View, revision: str) -> ChangeView:
    """One change of the organization, by its number as it is spelled, with its body as it was hashed."""
    change = view.reader.change(int(revision), view.organization) if _NUMBER.fullmatch(revision) else None
    if change is None:
        raise NotFound("change")
    return _described(change)


def _described(change: Change) -> ChangeView:
    return ChangeView(change, change.read())
