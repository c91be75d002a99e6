"""Verifying a session together with a token of it: by Clerk, or as Clerk did it.

``POST /sessions/{id}/verify`` is deprecated. Where Clerk does not serve it any longer it answers
410; then the token is checked here and Clerk is asked whether the session is active, which is the
same question (docs/protocol.md, "Verifying a session").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ApiError, ClerkUnavailable, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..claims import Session
    from .calling import Caller

# The endpoint is in no later version of the API, and this one is sure to be served.
VERIFY_VERSION = "2021-02-05"
GONE = 410


class SessionCheck:
    """Verifies sessions for one instance, and remembers that Clerk does not do it any longer.

    ``claims_of`` returns the claims of a session token that is valid now, or raises
    ``Unauthenticated`` or ``ClerkUnavailable``.
    """

    def __init__(self, claims_of: Callable[[str], Mapping[str, Any]]) -> None:
        self._claims_of = claims_of
        self._is_gone = False

    @property
    def is_gone(self) -> bool:
        """Whether Clerk has said that it does not verify sessions any longer."""
        return self._is_gone

    def verify(self, caller: Caller, session_id: str, token: str) -> Session:
        """Return the session if it is active and the token is one of its own.

        ``ApiError`` otherwise, with the same statuses and codes whoever verifies.
        """
        if not self._is_gone:
            session = self._ask(caller, session_id, token)
            if session is not None:
                return _active(session)
        return self._verify_here(caller, session_id, token)

    def _ask(self, caller: Caller, session_id: str, token: str) -> Session | None:
        """Have Clerk verify; ``None`` if it does not do so any longer."""
        path = f"/sessions/{session_id}/verify"
        try:
            answer = caller.call("POST", path, json={"token": token}, version_date=VERIFY_VERSION)
        except ApiError as error:
            if error.status_code != GONE:
                raise
            self._is_gone = True
            return None
        return _named(answer, session_id)

    def _verify_here(self, caller: Caller, session_id: str, token: str) -> Session:
        try:
            claims = self._claims_of(token)
        except Unauthenticated as error:
            raise _invalid_token(error.message, error.reason) from error
        if claims.get("sid") != session_id:
            raise _invalid_token("The token is of another session.", "session-id-mismatch")
        answer = caller.call("GET", f"/sessions/{session_id}")
        session = _named(answer, session_id)
        if session.user_id != claims.get("sub"):
            raise _invalid_token("The token is of another user.", None)
        return _active(session)


def _named(answer: object, session_id: str) -> Session:
    from .models import parse_session  # slow to import, and rarely needed

    session = parse_session(answer)
    if session.id != session_id:
        raise ClerkUnavailable("Clerk's answer is another session than the one asked for.")
    return session


def _active(session: Session) -> Session:
    if session.status != "active":
        message = "The session is not active."
        raise _refusal(401, "action_for_session_not_authorized", message)
    return session


def _invalid_token(message: str, reason: str | None) -> ApiError:
    return _refusal(400, "invalid_session_token", message, reason)


def _refusal(status: int, code: str, message: str, reason: str | None = None) -> ApiError:
    entry = {"code": code, "message": message, "long_message": message, "meta": None}
    return ApiError(message, status_code=status, data=[entry], reason=reason)
