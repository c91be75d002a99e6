"""One request on its way through the decision: what it asks, what counts of it, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .jws import Jws, parse_jws

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cookies import SessionCookies
    from .handshake import Request


class Visit:
    """A request and the moment of its decision.

    ``cookies`` are those that count for this request; they are chosen when first asked for.
    """

    __slots__ = ("_choose", "_parsed", "cookies", "now", "request")

    cookies: SessionCookies

    def __init__(
        self, request: Request, now: float, choose: Callable[[Visit], SessionCookies]
    ) -> None:
        self.request = request
        self.now = now
        self._choose = choose
        self._parsed: dict[str, Jws] = {}

    def __getattr__(self, name: str) -> Any:
        """Choose the cookies: from then on they are an attribute like any other."""
        if name != "cookies":
            raise AttributeError(name)
        self.cookies = self._choose(self)
        return self.cookies

    def parse(self, text: str) -> Jws:
        """Return what a token says, unverified, or raise ``Malformed``; each is read once."""
        jws = self._parsed.get(text)
        if jws is None:
            jws = self._parsed[text] = parse_jws(text)
        return jws
