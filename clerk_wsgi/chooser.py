"""Which cookies of a request count: the selection table, fed with what the tokens say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .cookies import CLIENT_UAT, SESSION, CookieSelection, SessionCookies, Unverified, whole_number
from .handshake import HANDSHAKE, NONCE, REDIRECT_COUNT
from .jws import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tokens import SessionTokenVerifier
    from .visit import Visit


class CookieChooser:
    """Chooses the cookies of one instance; without ``selection`` there is one set of them."""

    def __init__(self, selection: CookieSelection | None, verifier: SessionTokenVerifier) -> None:
        self._selection = selection
        self._recall = verifier.recall
        self.parse = verifier.parse
        own = selection.names if selection else (SESSION, CLIENT_UAT)
        self.names = frozenset((*own, HANDSHAKE, NONCE, REDIRECT_COUNT))

    def choose(self, visit: Visit) -> SessionCookies:
        """Return the cookies that count for a request at its moment."""
        cookies, selection = visit.request.cookies, self._selection
        if cookies.choice is not None:
            return cookies.choice
        if selection is None:
            choice = _only_set(cookies)
        else:
            choice = selection.choose(cookies, partial(self._read_unverified, visit), visit.now)
            if selection.depends_on_time(cookies):
                return choice
        if cookies:  # else they are the same for all instances
            cookies.choice = choice
        return choice

    def _read_unverified(self, visit: Visit, text: str) -> Unverified | None:
        """Read what the choice needs; nothing else is done with it."""
        known = self._recall(text)
        try:
            claims = known.claims if known else visit.parse(text).payload
        except Malformed:
            return None
        return Unverified.of(claims)


def _only_set(cookies: Mapping[str, str]) -> SessionCookies:
    uat = cookies.get(CLIENT_UAT)
    client_uat = None if uat is None else whole_number(uat)
    return SessionCookies(session=cookies.get(SESSION), client_uat=client_uat)
