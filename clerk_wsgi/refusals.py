"""Which error a state stands for: the one place where reasons become HTTP statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ClerkError, ClerkUnavailable, Unauthenticated
from .judge import EXPIRED
from .live import UNVERIFIABLE
from .state import SignedIn, SignedOut

if TYPE_CHECKING:
    from .state import RequestState

# Reasons that speak of Clerk, not of the request: they become 503, never 401.
UNAVAILABLE = frozenset(
    {
        "jwk-remote-failed-to-load",
        "secret-key-invalid",
        f"{EXPIRED}fetch-error",
        "unexpected-error",  # of a machine token
        UNVERIFIABLE,
    }
)
LONGEST_RETRY_AFTER = 60  # seconds


def error_of(state: RequestState) -> ClerkError | None:
    """Return the error that a state stands for, ``None`` for somebody signed in."""
    if isinstance(state, SignedIn):
        if state.auth:
            return None
        return Unauthenticated("The session is pending.", reason="session-pending")
    cause = state.cause if isinstance(state, SignedOut) else None
    return refusal_for(state.reason, state.message, cause)


def refusal_for(reason: str, message: str, cause: Exception | None = None) -> ClerkError:
    """Return the error that a reason stands for; ``cause`` becomes its ``__cause__``."""
    error: ClerkError
    if reason in UNAVAILABLE:
        seconds = getattr(cause, "retry_after", None) or 1
        retry_after = min(seconds, LONGEST_RETRY_AFTER)
        error = ClerkUnavailable(message, reason=reason, retry_after=retry_after)
    else:
        error = Unauthenticated(message)
        error.reason = reason  # cheaper than by keyword, and every anonymous request pays
    if cause is not None:
        error.__cause__ = cause
    return error
