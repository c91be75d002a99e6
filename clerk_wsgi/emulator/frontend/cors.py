"""Which pages may ask from another origin (CORS): those that browsers may be sent to, no others.

An origin is named in an answer only if it was allowed, never ``*``: answers hold what belongs to
the browser's user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...address import parse_origin
from ..errors import Refusal
from ..redirects import parse_target

if TYPE_CHECKING:
    from webob import Request, Response

    from ..browsers import Browsers
    from ..redirects import Redirects

# What a script may read of an answer beside what every script may.
EXPOSED = ("Clerk-Db-Jwt", "Retry-After")


class Origins:
    """The origins of pages whose scripts may ask; in production they share a site with us."""

    def __init__(self, browsers: Browsers, redirects: Redirects) -> None:
        self._browsers = browsers
        self._redirects = redirects

    def of(self, request: Request) -> str | None:
        """Return the origin of the page that asks, ``None`` if that was not said.

        Browsers leave it out where page and API have the same origin; then the page's address has
        it. Raises a ``Refusal`` for a page that may not ask.
        """
        named = request.headers.get("Origin")
        origin = named if named is not None else parse_origin(request.headers.get("Referer", ""))
        if origin is not None:
            self._check(origin, request)
        return origin

    def lend(self, response: Response, request: Request) -> Response:
        """Let the page that asks read the answer, if it may."""
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is not None and self._has(origin, request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
        return response

    def _has(self, origin: str, request: Request) -> bool:
        try:
            self._check(origin, request)
        except Refusal:
            return False
        return True

    def _check(self, origin: str, request: Request) -> None:
        target = parse_target(origin)
        if target is None or target.origin != origin:
            raise _invalid("The Origin header names no http or https origin.")
        try:
            self._redirects.check(target)
            self._browsers.reach(request, target)
        except Refusal as refusal:
            raise _invalid(str(refusal.entry["long_message"])) from None


def check_authorization(request: Request) -> None:
    """Raise a ``Refusal`` if a browser's request carries what only a server may have."""
    if "Origin" in request.headers and "Authorization" in request.headers:
        raise Refusal(
            400,
            "origin_authorization_headers_conflict",
            "Setting both the 'Origin' and 'Authorization' headers is forbidden",
            "Only one of the 'Origin' and 'Authorization' headers may be given. Browsers set"
            " 'Origin' by themselves; they must not know the secret key.",
        )


def origin_missing() -> Refusal:
    """Return the 400 of a request that only counts if it says which page it is from."""
    text = "This request requires an Origin header to be set, but it is missing"
    return Refusal(400, "origin_missing", "Origin header missing", text)


def _invalid(why: str) -> Refusal:
    return Refusal(400, "origin_invalid", "Invalid HTTP Origin header", why)
