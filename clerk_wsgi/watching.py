"""Telling operators what is decided: a log record and a callback for every decision."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .claims import Auth

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment

    from .clerk import Clerk
    from .state import RequestState

    OnDecision = Callable[[RequestState, float], object]

EVENT = "clerk.decision"

_logger = logging.getLogger("clerk_wsgi")
_decisions = logging.getLogger("clerk_wsgi.decisions")
is_logged = _decisions.isEnabledFor


class Watch:
    """Watches one wrapper decide; ``on_decision`` gets each state and the seconds it took.

    The log record is one of ``clerk_wsgi.decisions`` at level ``DEBUG``.
    """

    __slots__ = ("_on_decision",)

    def __init__(self, on_decision: OnDecision | None) -> None:
        self._on_decision = on_decision

    def authenticate(self, clerk: Clerk, environ: WSGIEnvironment) -> RequestState:
        """Return the decision about a request."""
        started = perf_counter()
        state = clerk.authenticate(environ)
        seconds = perf_counter() - started
        _decisions.debug(
            "%s: %s %s", EVENT, state.status, state.reason or "", extra=fields_of(state, seconds)
        )
        self._call(state, seconds)
        return state

    def _call(self, state: RequestState, seconds: float) -> None:
        """Metrics are no reason to refuse anybody: what the callback raises is logged."""
        if self._on_decision is None:
            return
        try:
            self._on_decision(state, seconds)
        except Exception:
            _logger.exception("on_decision raised an exception")


def fields_of(state: RequestState, seconds: float) -> dict[str, Any]:
    """Return what a log record says about a decision: ``event`` and names with ``clerk_``.

    Nothing in it is secret, and ids are those of verified tokens alone.
    """
    auth = state.auth
    session = auth if isinstance(auth, Auth) else Auth()
    return {
        "event": EVENT,
        "clerk_status": state.status,
        "clerk_reason": state.reason,
        "clerk_token_type": state.token_type,
        "clerk_user_id": session.user_id,
        "clerk_session_id": session.session_id,
        "clerk_seconds": seconds,
    }
