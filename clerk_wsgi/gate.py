"""Deciding about one request, whoever serves it: a wrapper, or a framework's own middleware.

Nothing is decided here and nothing is read from the request but what names it: the decision is
``Clerk.authenticate``'s, what becomes of a failure is the error handler's.
"""

from __future__ import annotations

from logging import DEBUG
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from .additions import additions_of, has_location, redirect
from .claims import Auth
from .clerk import Clerk, default_clerk
from .decisions import DECISION, Decision, tell, tell_remote_user
from .errors import ClerkError
from .handlers import default_on_error, error_response
from .refusals import error_of
from .state import SignedOut
from .verdicts import Verdicts
from .watching import Watch, is_logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from .handlers import ErrorHandler, ErrorResponse
    from .state import Headers
    from .watching import OnDecision

    ClerkChooser = Callable[[dict[str, Any]], Clerk]

# What became of requests that no instance was asked about.
EXEMPT = SignedOut(reason="path-exempt", message="Nobody was asked about.")
NOTHING: Headers = []  # to add; never changed
UNKNOWN_INSTANCE = "unknown-instance"


class AnswerOptions(TypedDict, total=False):
    """The options of a wrapper that are given by keyword alone."""

    error_response: ErrorResponse
    debug_headers: bool
    remote_user: bool
    exempt: str | Iterable[str]
    on_decision: OnDecision | None


class WrapperOptions(AnswerOptions, total=False):
    """All options of a wrapper."""

    on_error: ErrorHandler | None


class Gate:
    """Decides about requests, tells in ``environ`` what was decided, and answers refusals.

    ``clerk`` is the default instance if it is not given, or a function that returns the instance
    for an environ: one application may serve several domains or tenants. If it raises a
    ``ClerkError``, that is the failure of a request that nobody is signed in to. ``on_error``
    decides about failures by what it returns: an exception refuses (one that is a WSGI application
    answers itself), anything else lets the request through. ``error_response`` turns the exception
    into a WSGI application.

    ``debug_headers=True`` puts ``x-clerk-auth-*`` on the application's responses too,
    ``remote_user=True`` sets ``REMOTE_USER`` and ``AUTH_TYPE``, or removes what was there. Paths
    that are ``exempt``, named exactly, are answered without asking who is there.
    ``on_decision(state, seconds)`` is called after every decision, for metrics.
    """

    def __init__(
        self,
        clerk: Clerk | ClerkChooser | None = None,
        on_error: ErrorHandler | None = default_on_error,
        *,
        error_response: ErrorResponse = error_response,
        debug_headers: bool = False,
        remote_user: bool = False,
        exempt: str | Iterable[str] = (),
        on_decision: OnDecision | None = None,
    ) -> None:
        self._clerk, self._choose = _instance_or_chooser(clerk)
        on_error = checked_callable("on_error", default_on_error if on_error is None else on_error)
        self._verdicts = Verdicts(on_error, checked_callable("error_response", error_response))
        if on_decision is not None:
            checked_callable("on_decision", on_decision)
        self._watch = Watch(on_decision).authenticate
        self._is_watched = on_decision is not None
        self._exempt = _exact_paths(exempt)
        self._debug_headers = debug_headers
        self._tell = tell_remote_user if remote_user else tell

    def check(self, environ: WSGIEnvironment) -> tuple[WSGIApplication | None, Headers]:
        """Decide about a request, and put ``clerk.*`` into its environ.

        Return who answers it, ``None`` for the application itself, and the headers that the answer
        needs besides its own.
        """
        if self._exempt and environ.get("PATH_INFO") in self._exempt:
            self._exempt_from_asking(environ)
            return None, NOTHING
        try:
            clerk = self._clerk or self._chosen(environ)
        except ClerkError as error:
            return self._without_instance(error, environ), NOTHING
        decision = self._decision_about(clerk, environ)
        state = decision.state
        self._tell(environ, decision)
        if state.extra_headers and has_location(state.extra_headers):
            return redirect(state.headers), NOTHING
        answer = None
        if state.session is None:
            failure = error_of(state)
            answer = None if failure is None else self._ask(failure, decision, environ)
        debug = self._debug_headers or answer is not None
        if not debug and not state.extra_headers:
            return answer, NOTHING  # as nearly always: there is nothing to add
        return answer, additions_of(state.headers, debug=debug)

    def _chosen(self, environ: WSGIEnvironment) -> Clerk:
        """Return the instance for one request; what is none must not pass for one."""
        clerk: object = self._choose(environ) if self._choose else None
        if isinstance(clerk, Clerk):
            return clerk
        raise TypeError(f"clerk(environ) must return a Clerk, not {type(clerk).__name__}")

    def _exempt_from_asking(self, environ: WSGIEnvironment) -> None:
        """Tell the application that nobody was asked about."""
        environ.pop(DECISION, None)
        self._tell(environ, Decision(self._clerk, {}, EXEMPT, EXEMPT.auth, self._tell))

    def _without_instance(
        self, error: ClerkError, environ: WSGIEnvironment
    ) -> WSGIApplication | None:
        """Return who answers a request that belongs to no instance."""
        asked = environ.copy()
        asked[DECISION] = asked["clerk.error"] = None
        environ.pop(DECISION, None)
        state = SignedOut(reason=error.reason or UNKNOWN_INSTANCE, message=error.message)
        decision = Decision(None, asked, state, state.auth, self._tell)
        self._tell(environ, decision)
        return self._ask(error, decision, environ)

    def _decision_about(self, clerk: Clerk, environ: WSGIEnvironment) -> Decision:
        """Decide, or take over what a wrapper further out has decided about the same request.

        Only the state is taken over: what stands between the two may have changed the environ.
        """
        known, asked = environ.get(DECISION), environ.copy()
        if known is not None:  # either would keep the environ before, and that the one before it
            asked[DECISION] = asked["clerk.error"] = None
        if isinstance(known, Decision) and known.is_about(clerk, environ):
            state, auth = known.state, known.auth
        else:
            is_watched = self._is_watched or is_logged(DEBUG)
            state = self._watch(clerk, environ) if is_watched else clerk.authenticate(environ)
            auth = state.auth
            if state.session is not None and isinstance(auth, Auth):
                auth = auth.received_by(clerk)
        decision = environ[DECISION] = Decision(clerk, asked, state, auth, self._tell)
        return decision

    def _ask(
        self, error: ClerkError, decision: Decision, environ: WSGIEnvironment
    ) -> WSGIApplication | None:
        """Return who answers a request that failed, ``None`` if the handler lets it through."""
        error._request = decision.request
        answer = self._verdicts.answer_to(error)
        if answer is None:
            environ["clerk.error"] = error
        return answer


def _exact_paths(paths: str | Iterable[str]) -> frozenset[str]:
    """Return paths as environ has them; ``ValueError`` for what is not named exactly."""
    given = [paths] if isinstance(paths, str) else list(paths)
    for path in given:
        if not path.startswith("/") or set(path) & set("?#*%"):
            raise ValueError(f"exempt: expected a decoded path such as /healthz, not {path!r}")
    return frozenset(path.encode().decode("latin-1") for path in given)


def _instance_or_chooser(
    clerk: Clerk | ClerkChooser | None,
) -> tuple[Clerk | None, ClerkChooser | None]:
    if clerk is None:
        return default_clerk(), None
    return (clerk, None) if isinstance(clerk, Clerk) else (None, checked_callable("clerk", clerk))


_Value = TypeVar("_Value")


def checked_callable(name: str, value: _Value) -> _Value:
    """Return what can be called, or raise ``TypeError``."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")
    return value
