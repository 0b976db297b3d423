"""Parts of lists: by page number, or from a checkpoint on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Response

from rescind.api.auth0.manners import Said
from rescind.api.exchange import Exchange
from rescind.model.errors import Invalid
from rescind.store.contract import Page, Window

DEPTH_MAX = 1000
PER_PAGE_MAX = 100

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list a client wants, and in which wrapping."""

    page: int
    per_page: int
    include_totals: bool
    start_from: str | None
    take: int | None

    @property
    def is_checkpoint(self) -> bool:
        """Whether the list is read from a checkpoint on; page numbers are passed over then."""
        return self.take is not None or self.start_from is not None

    def window(self, exchange: Exchange) -> Window:
        """The part as it is asked for below. Raises for a checkpoint of another list, or a page too deep."""
        if self.is_checkpoint:
            try:
                return exchange.window(self.start_from or "", self.take or 50)
            except Invalid:
                raise Said(400, "The `from` parameter is not one that this list gave.", "invalid_paging") from None
        if self.page * self.per_page >= DEPTH_MAX:
            raise Said(
                400,
                f"Requesting page {self.page} exceeds the allowed maximum of {DEPTH_MAX} records. "
                "To fetch results beyond 1000, use the checkpoint pagination method",
                "invalid_paging",
            )
        return Window(self.per_page, skip=self.page * self.per_page)

    def part(self, exchange: Exchange, items: Sequence[Item]) -> Page[Item]:
        """The part of a list that is there whole."""
        window = self.window(exchange)
        start = window.after or window.skip
        end = start + window.limit
        return Page(items[start:end], len(items), None, end if end < len(items) else None)

    def say(
        self,
        exchange: Exchange,
        page: Page[Item],
        key: str,
        said: Callable[[Item], Any],
        *,
        always_wrapped: bool = False,
        with_length: bool = False,
    ) -> Response:
        """The answer: a bare array, or an object with totals, or with the next checkpoint where there is one."""
        items = [said(item) for item in page.items]
        if self.is_checkpoint or (always_wrapped and not self.include_totals):
            _, after = exchange.cursors(page)
            return exchange.say({key: items, **({"next": after} if after else {})})
        if not self.include_totals:
            return exchange.say(items)
        totals = {"start": self.page * self.per_page, "limit": self.per_page, "total": page.total}
        if with_length:
            totals["length"] = len(items)
        return exchange.say({key: items, **totals})


def _paging(
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    per_page: Annotated[int, Query(ge=1, le=PER_PAGE_MAX)] = 50,
    include_totals: Annotated[bool, Query()] = False,
    start_from: Annotated[str | None, Query(alias="from")] = None,
    take: Annotated[int | None, Query(ge=1, le=PER_PAGE_MAX)] = None,
) -> Paging:
    return Paging(page, per_page, include_totals, start_from, take)


Part = Annotated[Paging, Depends(_paging)]


@dataclass(frozen=True, slots=True)
class Fields:
    """Which members of an object a client wants to see."""

    names: frozenset[str]
    include: bool

    def of(self, members: dict[str, Any]) -> dict[str, Any]:
        """The members that are wanted."""
        if not self.names:
            return members
        return {name: value for name, value in members.items() if (name in self.names) is self.include}


def _fields(
    fields: Annotated[str, Query(description="Names, comma-separated.")] = "",
    include_fields: Annotated[bool, Query()] = True,
) -> Fields:
    return Fields(frozenset(name.strip() for name in fields.split(",") if name.strip()), include_fields)


Wanted = Annotated[Fields, Depends(_fields)]
