"""Which cookies of a request count: the selection table, fed with what the tokens say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cookies import CLIENT_UAT, SESSION, CookieSelection, SessionCookies, Unverified, whole_number
from .handshake import HANDSHAKE, NONCE, REDIRECT_COUNT
from .jws import Malformed, parse_jws

if TYPE_CHECKING:
    from .handshake import Request
    from .tokens import SessionTokenVerifier


class CookieChooser:
    """Chooses the cookies of one instance; without ``selection`` there is one set of them."""

    def __init__(self, selection: CookieSelection | None, verifier: SessionTokenVerifier) -> None:
        self._selection = selection
        self._verifier = verifier
        own = selection.names if selection else (SESSION, CLIENT_UAT)
        self.names = frozenset((*own, HANDSHAKE, NONCE, REDIRECT_COUNT))

    def choose(self, request: Request, now: float) -> SessionCookies:
        """Return the cookies that count for a request at ``now`` (Unix seconds)."""
        cookies = request.cookies
        if self._selection is not None:
            return self._selection.choose(cookies, self._read_unverified, now)
        uat = cookies.get(CLIENT_UAT)
        client_uat = None if uat is None else whole_number(uat)
        return SessionCookies(session=cookies.get(SESSION), client_uat=client_uat)

    def _read_unverified(self, text: str) -> Unverified | None:
        """Read what the choice needs; nothing else is done with it."""
        known = self._verifier.recall(text)
        try:
            claims = known.claims if known else parse_jws(text).payload
        except Malformed:
            return None
        return Unverified.of(claims)
