"""A bar on the terminal for what takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from rich.progress import Progress

from rescind.store.contract import Reader
from rescind.terminal.text import console
from rescind.usecases.impacts import Seen
from rescind.usecases.unit import View


@contextmanager
def watched(view: View, said: str, *, quiet: bool) -> Iterator[View]:
    """The operator's same view, with a bar while its objects are gone through, and nothing of it afterwards."""
    with _bar(quiet=quiet) as bar:
        task = bar.add_task(said, total=None)
        reader = _Watched(view.reader, lambda count, total: bar.update(task, advance=count, total=total))
        yield View(cast("Reader", reader), None, view.organization, view.issuer)


@contextmanager
def comparing(said: str, *, quiet: bool) -> Iterator[Seen]:
    """The same while an impact is found out; what is yielded is to be told how many principals were compared."""
    with _bar(quiet=quiet) as bar:
        task = bar.add_task(said, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar(*, quiet: bool) -> Progress:
    aside = console(is_aside=True)
    return Progress(console=aside, transient=True, disable=quiet or not aside.is_terminal)


class _Watched:
    """A reader that says how many principals it gave, of how many."""

    def __init__(self, reader: Reader, seen: Callable[[int, int], None]) -> None:
        self._reader = reader
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def page_objects(self, *args: Any, **kwargs: Any) -> Any:
        """See `contract.Reader.page_objects`."""
        page = self._reader.page_objects(*args, **kwargs)
        self._seen(len(page.items), page.total)
        return page
