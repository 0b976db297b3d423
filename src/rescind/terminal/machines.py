"""What machines read: each answer in JSON, printed, as the API says it where the API does."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from rescind.api.impacts import impact_said
from rescind.api.native.changes import change_said
from rescind.api.native.reasons import access_said, could_said, explanation_said
from rescind.usecases.history import ChangeView
from rescind.usecases.impacts import Impact
from rescind.usecases.reasons import AccessView, Candidate, Difference, Explanation
from rescind.usecases.service import Answer
from rescind.usecases.undo import Undone


def explanation(found: Explanation) -> None:
    """As `/v1/explain` does."""
    _print(explanation_said(found).model_dump())


def access(found: AccessView, compared: Difference | None) -> None:
    """As `/v1/principals/{id}/access` does."""
    _print(access_said(found, compared).model_dump())


def candidates(found: Sequence[Candidate], *, is_more: bool) -> None:
    """Each as `/v1/who-can` does, and whether there are more."""
    _print({"results": [could_said(one).model_dump() for one in found], "more": is_more})


def impact(answer: Answer[Impact], operation: str) -> None:
    """As `/v1/preview` does, by the name of the operation itself."""
    _print(impact_said(answer.result, operation, answer.moment).model_dump())


def revoked(done: Answer[Any], digest: str) -> None:
    """Since which revision it is so, whether it was not before, and the digest of the impact that was shown."""
    _print({"revision": done.moment.revision, "changed": done.change is not None, "digest": digest})


def undone(done: Answer[Undone]) -> None:
    """Since which revision it is so, how many facts were granted again, and which were left and why."""
    left = [{"fact": dict(one.fact), "why": one.why} for one in done.result.left]
    _print({"revision": done.moment.revision, "granted": done.result.granted, "left": left})


def changes(found: Sequence[ChangeView], total: int) -> None:
    """Each as `/v1/changes` does, and how many there are in all."""
    _print({"changes": [change_said(one).model_dump() for one in found], "total": total})


def change(found: ChangeView, effect: Impact) -> None:
    """As `/v1/changes/{revision}` does."""
    _print(change_said(found, effect).model_dump())


def operations(described: Iterable[Mapping[str, Any]]) -> None:
    """The list as it is, from `terminal.operations.described`."""
    _print(list(described))


def _print(said: Any) -> None:
    click.echo(json.dumps(said))
