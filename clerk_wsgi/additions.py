"""Headers of a decision: the redirect that they make, and those that join another response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handlers import NO_STORE, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse

    from .state import Headers


def has_location(headers: Iterable[tuple[str, str]]) -> bool:
    """Say whether headers send the browser elsewhere."""
    return any(name.lower() == "location" for name, _ in headers)


def redirect(headers: Headers) -> Response:
    """Return the response that sends a browser elsewhere; nobody may store it."""
    is_cacheable = all(name.lower() != "cache-control" for name, _ in headers)
    return Response(status=307, headers=(*headers, NO_STORE) if is_cacheable else tuple(headers))


def additions_of(headers: Headers, *, debug: bool) -> Headers:
    """Return which of a state's headers go on a response that is not the wrapper's redirect."""
    if not headers:
        return headers
    cookies = [header for header in headers if header[0].lower() == "set-cookie"]
    if cookies:
        cookies.append(("Cache-Control", "private, no-store"))
    if not debug:
        return cookies
    return [*cookies, *(one for one in headers if one[0].lower().startswith("x-clerk-auth-"))]


def adding(additions: Headers, start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that adds these headers."""
    return _AddHeaders(additions, start_response) if additions else start_response


class _AddHeaders:
    """A ``start_response`` that adds headers, whenever and however often it is called."""

    __slots__ = ("_additions", "_start_response")

    def __init__(self, additions: Headers, start_response: StartResponse) -> None:
        self._additions = additions
        self._start_response = start_response

    def __call__(
        self, status: str, headers: Headers, *exc_info: OptExcInfo | None
    ) -> Callable[[bytes], object]:
        return self._start_response(status, self._merged(headers), *exc_info)

    def _merged(self, headers: Headers) -> Headers:
        """Cookies are added (once: a wrapper further in may have done it), the rest replaced."""
        ours = {name.lower() for name, _ in self._additions} - {"set-cookie"}
        kept = [header for header in headers if header[0].lower() not in ours]
        there = {(name.lower(), text) for name, text in kept}
        return kept + [one for one in self._additions if (one[0].lower(), one[1]) not in there]
