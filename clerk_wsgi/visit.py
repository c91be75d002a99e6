"""One request on its way through the decision: what it asks, what counts of it, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handshake import HANDSHAKE, NONCE
from .jws import Jws, parse_jws

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cookies import SessionCookies
    from .handshake import Request
    from .tokens import SessionToken


class Visit:
    """A request and the moment of its decision.

    ``cookies`` are those that count for this request; they are chosen when first asked for.
    """

    __slots__ = ("_choose", "_cookies", "_parse", "_parsed", "now", "request")

    def __init__(
        self,
        request: Request,
        now: float,
        choose: Callable[[Visit], SessionCookies],
        parse: Callable[[str], Jws] = parse_jws,
    ) -> None:
        self.request = request
        self.now = now
        self._choose = choose
        self._parse = parse
        self._cookies: SessionCookies | None = None
        self._parsed: dict[str, Jws] | None = None

    @property
    def cookies(self) -> SessionCookies:
        """The cookies that count."""
        if self._cookies is None:
            self._cookies = self._choose(self)
        return self._cookies

    @property
    def noted(self) -> SessionToken | None:
        """The token that counted when these very cookies came before, and no query with them."""
        token: SessionToken | None = self.request.cookies.token
        return None if self.request.parameters else token

    def note(self, token: SessionToken) -> None:
        """Remember that a token counts for these cookies, if nothing else had a say in it.

        What a handshake brings is exchanged anew, however often it comes.
        """
        cookies = self.request.cookies
        if cookies.choice is None or self.request.parameters:
            return
        if NONCE not in cookies and HANDSHAKE not in cookies:
            cookies.token = token

    def parse(self, text: str) -> Jws:
        """Return what a token says, unverified, or raise ``Malformed``; each is read once."""
        if self._parsed is None:
            self._parsed = {}
        jws = self._parsed.get(text)
        if jws is None:
            jws = self._parsed[text] = self._parse(text)
        return jws
