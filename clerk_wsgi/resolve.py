"""Resolving a handshake: what the browser brought back from Clerk.

docs/protocol.md, "Resolving a handshake". Whatever cannot be used is logged, and the cookie path
decides as if nothing had been brought (rules D6, D10).
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from .handshake import (
    BROUGHT_HOME,
    HANDSHAKE,
    NO_STORE,
    NONCE,
    Directives,
    read_directives,
)
from .questions import NoAnswer, Refusal
from .state import RequestState, SignedOut
from .tokens import (
    MACHINE_TYPES,
    TokenRefused,
    check_header,
    check_signature,
    find_key,
    is_session_class,
    parse_token,
)

if TYPE_CHECKING:
    from .handshake import Request
    from .keys import Keys
    from .questions import ClerkApi
    from .state import HeaderTuple
    from .tokens import SessionToken, SessionTokenVerifier
    from .visit import Visit

# In development the clocks of a laptop and of Clerk may be a day apart: seconds.
DEVELOPMENT_SKEW = 86_400.0

_NONCE = re.compile(r"[A-Za-z0-9_-]{1,512}")
_OF_TIME = ("token-expired", "token-not-active-yet", "token-iat-in-the-future")
_CROSS_ORIGIN = (
    ("Access-Control-Allow-Origin", "null"),
    ("Access-Control-Allow-Credentials", "true"),
)

_logger = logging.getLogger("clerk_wsgi")


class HandshakeResolver:
    """Resolves handshakes of one instance; without ``api`` a nonce cannot be exchanged."""

    def __init__(
        self,
        keys: Keys,
        verifier: SessionTokenVerifier,
        api: ClerkApi | None,
        *,
        development: bool,
    ) -> None:
        self._keys = keys
        self._verifier = verifier
        self._api = api
        self._development = development

    def resolve(self, visit: Visit) -> RequestState | None:
        """Step 1: return what a handshake brought, ``None`` to go on without one."""
        parameters, cookies = visit.request.parameters, visit.request.cookies
        if not parameters and NONCE not in cookies and HANDSHAKE not in cookies:
            return None
        nonce = _brought(visit.request, NONCE)
        token = None if nonce else _brought(visit.request, HANDSHAKE)
        if not nonce and not token:
            return None
        directives = self._exchange(nonce) if nonce else self._open(token or "")
        return None if directives is None else self._settle(visit, directives)

    def _exchange(self, nonce: str) -> Directives | None:
        if self._api is None:
            _logger.warning("a handshake cannot be resolved: there is no secret key to ask with")
            return None
        if not _NONCE.fullmatch(nonce):
            _logger.info("a handshake cannot be resolved: its nonce is malformed")
            return None
        try:
            answer = self._api.fetch_handshake_payload(nonce)
        except (NoAnswer, Refusal) as error:
            is_refused = isinstance(error, Refusal) and error.status in (400, 404, 410, 422)
            level = logging.INFO if is_refused else logging.WARNING
            _logger.log(level, "a handshake cannot be resolved: %s", error)
            return None
        found = answer.get("directives") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            _logger.warning("a handshake cannot be resolved: Clerk's answer has no directives")
            return None
        return read_directives(found)

    def _open(self, text: str) -> Directives | None:
        """Verify a handshake token: only its header and signature, it has no times."""
        try:
            jws = parse_token(text)
            check_header(jws, types=("JWT", *MACHINE_TYPES))
            key = find_key(self._keys, jws)
            if not is_session_class(jws):
                raise TokenRefused("token-type-mismatch", "It is of another class (cat).")
            check_signature(jws, key)
        except TokenRefused as error:
            _logger.info("a handshake was refused: %s (%s)", error.message, error.reason)
            return None
        return read_directives(jws.payload.get("handshake"))

    def _settle(self, visit: Visit, directives: Directives) -> RequestState | None:
        """Decide by what was brought: a token that counts, none, or one that does not."""
        headers = (*_CROSS_ORIGIN, *directives.headers, *self._way_home(visit.request))
        if directives.token is None:
            return SignedOut(reason="session-token-missing", extra_headers=headers)
        try:
            token = self._verify(directives.token, visit.now)
        except TokenRefused as error:
            if error.reason == "token-type-mismatch":  # rule D4
                return SignedOut(reason=error.reason, message=error.message)
            _logger.info("a handshake's token was refused: %s (%s)", error.message, error.reason)
            return None
        return token.state.with_headers(headers)

    def _way_home(self, request: Request) -> HeaderTuple:
        """In development the payload came in the address: the browser is sent to a clean one."""
        if not self._development:
            return ()
        return (("Location", request.address.without(BROUGHT_HOME)), NO_STORE)

    def _verify(self, text: str, now: float) -> SessionToken:
        token = self._verifier.load(text)
        try:
            self._verifier.check_times(token, now)
        except TokenRefused as error:
            if not self._development or error.reason not in _OF_TIME:
                raise
            _logger.warning("this machine's clock and Clerk's differ: %s", error.message)
            self._verifier.check_times(token, now, clock_skew=DEVELOPMENT_SKEW)
        return token


def _brought(request: Request, name: str) -> str | None:
    """Return what the query brings, else an (unsuffixed) cookie."""
    return next(iter(request.query(name)), None) or request.cookies.get(name)
