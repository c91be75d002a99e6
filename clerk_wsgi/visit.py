"""One request on its way through the decision: what it asks, what counts of it, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cookies import SessionCookies
    from .handshake import Request


class Visit:
    """A request and the moment of its decision; its cookies are chosen when first asked for."""

    __slots__ = ("_choose", "_cookies", "now", "request")

    def __init__(
        self, request: Request, now: float, choose: Callable[[Request, float], SessionCookies]
    ) -> None:
        self.request = request
        self.now = now
        self._choose = choose
        self._cookies: SessionCookies | None = None

    @property
    def cookies(self) -> SessionCookies:
        """The cookies that count for this request."""
        if self._cookies is None:
            self._cookies = self._choose(self.request, self.now)
        return self._cookies
