"""What a presented session token is worth, and what becomes of one that does not verify.

docs/protocol.md, steps 9 to 12 of the cookie path, the header path, and "Token errors".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .ids import is_safe_id
from .refresh import NotRefreshed, refresh_session
from .state import RequestState, SignedOut
from .tokens import TokenRefused, claims_of

if TYPE_CHECKING:
    from .handshake import Handshakes
    from .questions import ClerkApi
    from .tokens import SessionToken, SessionTokenVerifier
    from .visit import Visit

EXPIRED = "session-token-expired-refresh-"
NON_GET = "non-eligible-non-get"
NO_REFRESH_COOKIE = "non-eligible-no-refresh-cookie"
NO_API = "missing-api-client"  # without a secret key nobody can be asked
# Failures of time, by the verifier's reason, that a browser can mend.
_INTERRUPTED = {
    "token-not-active-yet": "session-token-nbf",
    "token-iat-in-the-future": "session-token-iat-in-the-future",
}


class TokenJudge:
    """Judges session tokens; ``api`` renews expired ones, ``None`` if there is no secret key."""

    def __init__(
        self, verifier: SessionTokenVerifier, handshakes: Handshakes, api: ClerkApi | None
    ) -> None:
        self._verifier = verifier
        self._handshakes = handshakes
        self._api = api

    def judge_bearer(self, visit: Visit, text: str) -> RequestState:
        """Decide the token of an ``Authorization`` header; it is never renewed (rule D2)."""
        try:
            token = self._verifier.load(text)
            self._verifier.check_times(token, visit.now)
        except TokenRefused as error:
            return self._refuse(visit, error, _not_renewable(visit))
        return token.state

    def judge_cookie(self, visit: Visit, text: str) -> RequestState:
        """Decide the token of the session cookie: steps 9 to 12.

        One that counts is noted with the cookies that it came in.
        """
        try:
            presented = self._verifier.present(text, visit.parse)
            if _is_outdated(claims_of(presented), visit.cookies.client_uat):
                reason = "session-token-iat-before-client-uat"
                return self._handshakes.start(visit.request, visit.cookies, reason)
            token = self._verifier.complete(text, presented)
        except TokenRefused as error:
            return self._refuse(visit, error)
        try:
            self._verifier.check_times(token, visit.now)
        except TokenRefused as error:
            return _of_session(token, self._renew(visit, error, token))
        visit.note(token)
        return token.state

    def recognize(self, visit: Visit) -> RequestState | None:
        """Return the state of a token noted with these very cookies, if it still counts."""
        token = visit.noted
        if token is None or not self._verifier.still_counts(token, visit.now):
            return None
        return token.state

    def _renew(self, visit: Visit, error: TokenRefused, token: SessionToken) -> RequestState:
        """Renew a token that has expired if the browser may; otherwise refuse it."""
        refresh_token = visit.cookies.refresh
        may_ask = refresh_token and visit.request.method == "GET"
        if error.reason != "token-expired" or not may_ask:
            return self._refuse(visit, error, _not_renewable(visit))
        if self._api is None:
            return self._refuse(visit, error, NO_API)
        session_id = token.claims.get("sid")
        if session_id and not is_safe_id(session_id):  # rule D1
            return SignedOut(reason="token-invalid", message="The token's session id is not one.")
        try:
            return self._renewed(self._api, visit, session_id, str(refresh_token))
        except NotRefreshed as failure:
            return self._refuse(visit, error, failure.code)

    def _renewed(
        self, api: ClerkApi, visit: Visit, session_id: str | None, refresh_token: str
    ) -> RequestState:
        if not session_id:
            raise NotRefreshed("expired-session-token-missing-sid-claim")
        found = refresh_session(api, visit.request, visit.cookies, session_id, refresh_token)
        try:
            token = self._verifier.load(found.token or "")
            self._verifier.check_times(token, visit.now)
        except TokenRefused as error:  # rule D4 included
            raise NotRefreshed("invalid-session-token") from error
        return token.state.with_headers(found.headers)

    def _refuse(self, visit: Visit, error: TokenRefused, code: str = "") -> RequestState:
        """Section 6: ``code`` says why an expired token was not renewed."""
        if error.reason == "token-expired":
            reason = f"{EXPIRED}{code}"
        else:
            reason = _INTERRUPTED.get(error.reason, "")
        if not reason:
            return SignedOut(reason=error.reason, message=error.message)
        return self._handshakes.start(visit.request, visit.cookies, reason, error.message)


def _of_session(token: SessionToken, state: RequestState) -> RequestState:
    """Return a state that says whose token has expired, if that is what became of it."""
    session_id = token.claims.get("sid")
    if not isinstance(state, SignedOut) or not is_safe_id(session_id):
        return state
    is_expired = state.reason.startswith(EXPIRED)
    return replace(state, expired_session_id=session_id) if is_expired else state


def _not_renewable(visit: Visit) -> str:
    return NO_REFRESH_COOKIE if visit.request.method == "GET" else NON_GET


def _is_outdated(claims: dict[str, Any], client_uat: int | None) -> bool:
    """Step 11: the client changed after the token was issued; before any signature is checked."""
    issued_at = claims.get("iat")
    if client_uat is None or isinstance(issued_at, bool) or not isinstance(issued_at, (int, float)):
        return False
    return issued_at < client_uat
