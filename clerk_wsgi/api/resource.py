"""What all parts of Clerk's API have in common: whom they ask, and what they refuse to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ids import is_safe_id
from .pages import paged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .client import ApiClient
    from .pages import Item

MAX_TOKEN = 16384  # characters


class Resource:
    """A part of Clerk's API.

    ``api`` returns the client to ask, each time anew: it may be that of the default instance.
    """

    def __init__(self, api: Callable[[], ApiClient]) -> None:
        self._api = api

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _paged(
        self,
        path: str,
        parse: Callable[[object], Item],
        query: Mapping[str, object],
        limit: int | None,
        offset: int,
    ) -> Iterator[Item]:
        request = self._api().request

        def fetch(size: int, start: int) -> object:
            return request("GET", path, query={**query, "limit": size, "offset": start})

        return paged(fetch, parse, limit=limit, offset=offset)


def safe_id(name: str, value: object) -> str:
    """Return an id that may enter a path, or raise ``ValueError`` (rule D1)."""
    if not isinstance(value, str) or not is_safe_id(value):
        raise ValueError(f"{name} is not an id: 1 to 128 letters, digits, underscores, hyphens")
    return value


def safe_token(value: object) -> str:
    """Return a token that may be sent, or raise ``ValueError``."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN:
        raise ValueError(f"token is not a text of 1 to {MAX_TOKEN} characters")
    return value


def given(**members: Any) -> dict[str, Any] | None:
    """Return the members that are not ``None``, or ``None`` if there are none to send."""
    return {name: value for name, value in members.items() if value is not None} or None


def known(filters: Mapping[str, Any], kind: type) -> Mapping[str, Any]:
    """Refuse a filter that ``kind``, a ``TypedDict``, does not name.

    Clerk would take no notice of it and select everybody.
    """
    unknown = filters.keys() - kind.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown filter: {', '.join(sorted(unknown))}")
    return filters
