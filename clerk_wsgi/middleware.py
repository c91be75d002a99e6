"""The WSGI middleware: it asks a ``Clerk`` who is there, tells the application, answers refusals.

Nothing is decided here and nothing is read from the request but what names it: the decision is
``Clerk.authenticate``'s, what becomes of a failure is the error handler's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from .clerk import default_clerk
from .handlers import (
    NO_STORE,
    Response,
    default_on_error,
    error_response,
    refusal_of,
    strict_on_error,
)
from .refusals import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack
    from webob import Request

    from .claims import Auth, Session
    from .clerk import Clerk
    from .errors import ClerkError
    from .handlers import ErrorHandler, ErrorResponse
    from .machine_auth import MachineAuth
    from .state import Headers, RequestState

    # Frameworks annotate ``start_response`` each in their own way: any of them will do.
    Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Where in environ a wrapper leaves its decision for wrappers further in.
_DECISION = "clerk._decision"


class AnswerOptions(TypedDict, total=False):
    """The options of a wrapper that are given by keyword alone."""

    error_response: ErrorResponse
    debug_headers: bool
    remote_user: bool


class WrapperOptions(AnswerOptions, total=False):
    """All options of a wrapper."""

    on_error: ErrorHandler | None


class ClerkMiddleware:
    """Wrap a WSGI application so that it finds ``clerk.*`` in its environ.

    ``clerk`` is the default instance if it is not given. ``on_error`` decides about failures by
    what it returns: an exception refuses (one that is a WSGI application answers itself), anything
    else lets the request through. ``error_response`` turns the exception into a WSGI application.
    ``debug_headers=True`` puts ``x-clerk-auth-*`` on the application's responses too,
    ``remote_user=True`` sets ``REMOTE_USER`` and ``AUTH_TYPE``, or removes what was there.
    """

    def __init__(
        self,
        app: Application,
        clerk: Clerk | None = None,
        on_error: ErrorHandler | None = default_on_error,
        *,
        error_response: ErrorResponse = error_response,
        debug_headers: bool = False,
        remote_user: bool = False,
    ) -> None:
        self._app = _callable("app", app)
        self._clerk = default_clerk() if clerk is None else clerk
        self._authenticate = self._clerk.authenticate
        self._on_error = _callable("on_error", default_on_error if on_error is None else on_error)
        self._error_response = _callable("error_response", error_response)
        self._debug_headers = debug_headers
        self._is_silent = not debug_headers
        self._tell = _tell_remote_user if remote_user else _tell

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # This frame shows up in every traceback of the application: nothing secret lives in it.
        answer, start = self._answer(environ, start_response)
        return answer(environ, start)

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> tuple[WSGIApplication, StartResponse]:
        """Return who answers this request, and the ``start_response`` to answer with."""
        decision = self._decision_about(environ)
        state = decision.state
        self._tell(environ, decision)
        if self._is_silent and state.session is not None and not state.extra_headers:
            return self._app, start_response  # as nearly always: there is nothing to say
        if state.extra_headers and _has_location(state.extra_headers):
            return _redirect(state.headers), start_response
        error = error_of(state)
        answer = self._app if error is None else self._ask(error, decision, environ)
        if not state.extra_headers and answer is self._app and not self._debug_headers:
            return answer, start_response
        debug = self._debug_headers or answer is not self._app
        return answer, _adding(_additions(state.headers, debug=debug), start_response)

    def _decision_about(self, environ: WSGIEnvironment) -> _Decision:
        """Decide, or take over what a wrapper further out has decided about the same request.

        Only the state is taken over: what stands between the two may have changed the environ.
        """
        known, asked = environ.get(_DECISION), environ.copy()
        if known is not None:  # either would keep the environ before, and that the one before it
            asked[_DECISION] = asked["clerk.error"] = None
        if isinstance(known, _Decision) and known.is_about(self._clerk, environ):
            state = known.state
        else:
            state = self._authenticate(environ)
        decision = environ[_DECISION] = _Decision(self._clerk, asked, state, self._tell)
        return decision

    def _ask(
        self, error: ClerkError, decision: _Decision, environ: WSGIEnvironment
    ) -> WSGIApplication:
        """Return who answers a request that failed: the application only if the handler says so."""
        error._request = decision.request
        verdict = self._on_error(error)
        if verdict is not None:
            refusal = refusal_of(verdict)
            if refusal is not None:
                return self._answer_to(refusal)
        environ["clerk.error"] = error
        return self._app

    def _answer_to(self, refusal: BaseException) -> WSGIApplication:
        """Return the refusal itself if it is a WSGI application, such as webob.exc.HTTPFound."""
        if callable(refusal):
            answer: WSGIApplication = refusal
            return answer
        return self._error_response(refusal)


def with_session(
    app: Application,
    clerk: Clerk | None = None,
    on_error: ErrorHandler | None = None,
    **options: Unpack[AnswerOptions],
) -> ClerkMiddleware:
    """Wrap ``app``: it is always called, with ``environ["clerk.session"]`` or ``None`` in it.

    The options are those of ``ClerkMiddleware``.
    """
    handler = default_on_error if on_error is None else on_error
    return ClerkMiddleware(app, clerk, handler, **options)


def require_session(
    app: Application,
    clerk: Clerk | None = None,
    on_error: ErrorHandler | None = None,
    **options: Unpack[AnswerOptions],
) -> ClerkMiddleware:
    """Wrap ``app``: without a session the answer is 401, or 503 if Clerk cannot be asked.

    The options are those of ``ClerkMiddleware``; a handler of one's own may let requests through.
    """
    handler = strict_on_error if on_error is None else on_error
    return ClerkMiddleware(app, clerk, handler, **options)


def get_session(request: object) -> Session | None:
    """Return the session of a WSGI environ or of a framework's request, ``None`` if signed out.

    ``LookupError`` if the application is not wrapped.
    """
    session: Session | None = _published(request, "clerk.session")
    return session


def get_auth(request: object) -> Auth | MachineAuth:
    """Return what a WSGI environ's or a framework's request may do; falsy if signed out.

    ``LookupError`` if the application is not wrapped.
    """
    auth: Auth | MachineAuth = _published(request, "clerk.auth")
    return auth


def _published(request: object, key: str) -> Any:
    try:
        return _environ_of(request)[key]
    except KeyError:
        message = f"{key} is not in this request: wrap the application with with_session(app)"
        raise LookupError(message) from None


def _environ_of(request: object) -> Mapping[str, Any]:
    # WebOb, Pyramid, Bottle, Flask and Django say environ, Falcon env; META is Django's older name.
    for name in ("environ", "env", "META"):
        environ = getattr(request, name, None)
        if isinstance(environ, Mapping):
            return environ
    if isinstance(request, Mapping):
        return request
    kind = type(request).__name__
    raise TypeError(f"expected a WSGI environ or a request that has one, got {kind}")


class _Decision:
    """What one instance decided about a request, kept in its environ for wrappers further in.

    ``asked`` is a copy of the environ as it was then, ``tell`` what puts a decision into one.
    """

    __slots__ = ("_tell", "asked", "clerk", "state")

    def __init__(
        self,
        clerk: Clerk,
        asked: WSGIEnvironment,
        state: RequestState,
        tell: Callable[[WSGIEnvironment, _Decision], None],
    ) -> None:
        self._tell = tell
        self.clerk = clerk
        self.asked = asked
        self.state = state

    def request(self) -> Request:
        """Return the request as it was asked, and as the application would find it.

        Its environ is a copy, whose path WebOb can read without raising. So environ["clerk.error"]
        does not lead back to environ, which would keep every such request for the garbage
        collector.
        """
        from webob import Request

        environ = self.asked.copy()
        environ[_DECISION] = self  # for wrappers that it is handed on to
        self._tell(environ, self)
        for name in ("SCRIPT_NAME", "PATH_INFO"):
            raw = environ.get(name, "").encode("latin-1", "replace")
            environ[name] = raw.decode("utf-8", "replace").encode("utf-8").decode("latin-1")
        return Request(environ)

    def is_about(self, clerk: Clerk, environ: WSGIEnvironment) -> bool:
        """Say whether it answers what this instance is asked now."""
        return self.clerk is clerk and _fingerprint(self.asked) == _fingerprint(environ)


_ASKED = (
    "REQUEST_METHOD",
    "wsgi.url_scheme",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "QUERY_STRING",
    "HTTP_COOKIE",
    "HTTP_AUTHORIZATION",
)


def _fingerprint(environ: WSGIEnvironment) -> tuple[object, ...]:
    """Return what tells one question from another: method, URL, cookies and authorization."""
    # One path: a mount moves parts of it from PATH_INFO to SCRIPT_NAME.
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return (path, *map(environ.get, _ASKED))


def _tell(environ: WSGIEnvironment, decision: _Decision) -> None:
    """Tell the application, overwriting whatever claimed to come from us."""
    state = decision.state
    environ["clerk.session"] = state.session
    environ["clerk.auth"] = state.auth
    environ["clerk.error"] = None
    environ["clerk.instance"] = decision.clerk
    environ["clerk.state"] = state


def _tell_remote_user(environ: WSGIEnvironment, decision: _Decision) -> None:
    """Tell the application, and everybody who looks for ``REMOTE_USER``."""
    _tell(environ, decision)
    session = decision.state.session
    if session is None:
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
    else:
        environ["REMOTE_USER"] = session.user_id
        environ["AUTH_TYPE"] = "Clerk"


def _has_location(headers: Iterable[tuple[str, str]]) -> bool:
    return any(name.lower() == "location" for name, _ in headers)


def _redirect(headers: Headers) -> Response:
    is_cacheable = all(name.lower() != "cache-control" for name, _ in headers)
    return Response(status=307, headers=(*headers, NO_STORE) if is_cacheable else tuple(headers))


def _additions(headers: Headers, *, debug: bool) -> Headers:
    """Return which of a state's headers go on a response that is not the wrapper's redirect."""
    if not headers:
        return headers
    cookies = [header for header in headers if header[0].lower() == "set-cookie"]
    if cookies:
        cookies.append(("Cache-Control", "private, no-store"))
    if not debug:
        return cookies
    return [*cookies, *(one for one in headers if one[0].lower().startswith("x-clerk-auth-"))]


def _adding(additions: Headers, start_response: StartResponse) -> StartResponse:
    return _AddHeaders(additions, start_response) if additions else start_response


class _AddHeaders:
    """A ``start_response`` that adds headers, whenever and however often it is called."""

    __slots__ = ("_additions", "_start_response")

    def __init__(self, additions: Headers, start_response: StartResponse) -> None:
        self._additions = additions
        self._start_response = start_response

    def __call__(
        self, status: str, headers: Headers, *exc_info: OptExcInfo | None
    ) -> Callable[[bytes], object]:
        return self._start_response(status, self._merged(headers), *exc_info)

    def _merged(self, headers: Headers) -> Headers:
        """Cookies are added (once: a wrapper further in may have done it), the rest replaced."""
        ours = {name.lower() for name, _ in self._additions} - {"set-cookie"}
        kept = [header for header in headers if header[0].lower() not in ours]
        return kept + [header for header in self._additions if header not in kept]


_Value = TypeVar("_Value")


def _callable(name: str, value: _Value) -> _Value:
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")
    return value
