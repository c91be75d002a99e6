"""Lists of Clerk's API, which come in pages: fetched one by one, as far as they are wanted."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import ClerkUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 100  # objects asked for at a time; Clerk gives 500 at most
MAX_PAGES = 10_000  # of one list: nothing that Clerk answers makes it endless


class Identified(Protocol):
    """An object of Clerk's."""

    @property
    def id(self) -> str | None:
        """Its id."""


Item = TypeVar("Item", bound=Identified)


def paged(
    fetch: Callable[[int, int], object],
    parse: Callable[[object], Item],
    *,
    limit: int | None,
    offset: int,
) -> Iterator[Item]:
    """Return an iterator over the objects from ``offset`` on, ``limit`` of them at most.

    ``fetch(limit, offset)`` returns the JSON of one page, an array or ``{"data": [...]}``;
    ``parse`` reads one member. Nothing is fetched before the first object is asked for.
    """
    if offset < 0 or (limit is not None and limit < 0):
        raise ValueError("limit and offset count objects: they are not negative")
    return _walk(fetch, parse, inf if limit is None else limit, offset)


def _walk(
    fetch: Callable[[int, int], object],
    parse: Callable[[object], Item],
    wanted: float,
    offset: int,
) -> Iterator[Item]:
    before: set[str | None] = set()
    for _ in range(MAX_PAGES):
        size = int(min(wanted, PAGE))
        if not size:
            return
        items = [parse(member) for member in _members(fetch(size, offset))]
        ids = {item.id for item in items}
        if ids <= before:  # who pays no heed to an offset gives the same page for ever
            return
        yield from items[: int(min(wanted, len(items)))]
        if len(items) != size:  # the last one, or all there are from who knows no pages
            return
        before, wanted, offset = ids, wanted - size, offset + size
    raise ClerkUnavailable(f"Clerk's list does not end: it has more than {MAX_PAGES} pages.")


def _members(document: object) -> list[object]:
    members = document.get("data") if isinstance(document, dict) else document
    if not isinstance(members, list):
        raise ClerkUnavailable("Clerk's answer is no list.")
    return members
