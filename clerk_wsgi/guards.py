"""Requirements of a WSGI application: of all of it, of a part, or of all but its public paths.

They stand inside a wrapper, which says who is asking. Frameworks' decorators ask ``refusal_in``.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, TypedDict, overload

from .decisions import DECISION, Decision, path_of
from .errors import ClerkError
from .handlers import error_response, strict_on_error
from .middleware import ClerkMiddleware
from .protection import Access, PublicPaths, decode_path
from .published import published
from .requirements import Requirement
from .verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from .authorization import Verification
    from .clerk import Clerk
    from .gate import AnswerOptions, ClerkChooser
    from .handlers import ErrorHandler, ErrorResponse
    from .middleware import Application

AMBIGUOUS_PATH = "path-ambiguous"

_PATH_PARAMETERS = re.compile(r";[^/]*")

_logger = logging.getLogger("clerk_wsgi")


class Asked(TypedDict, total=False):
    """What may be required; the fields of ``Requirement``."""

    role: str | None
    permission: str | None
    feature: str | None
    plan: str | None
    reverification: Verification | None


class GuardOptions(Asked, total=False):
    """The options of ``require``."""

    below: str | Iterable[str] | None
    on_error: ErrorHandler | None
    error_response: ErrorResponse


class Guard:
    """Lets a request through to ``app`` if it has what is required where it wants to go.

    ``access_to`` says of an environ whether anything is required there.
    """

    def __init__(
        self,
        app: Application,
        requirement: Requirement,
        verdicts: Verdicts,
        access_to: Callable[[Mapping[str, Any]], Access],
    ) -> None:
        self._app = app
        self._requirement = requirement
        self._verdicts = verdicts
        self._access_to = access_to

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer: Application = self._app
        access = self._access_to(environ)
        if access is not Access.PUBLIC:
            answer = self._refusal(environ, access) or self._app
        return answer(environ, start_response)

    def _refusal(self, environ: WSGIEnvironment, access: Access) -> WSGIApplication | None:
        if access is Access.AMBIGUOUS:  # whatever an error handler thinks of it
            return self._verdicts.refuse(_ambiguous(environ))
        error = refusal_in(environ, self._requirement)
        return None if error is None else self._verdicts.answer_to(error)


@overload
def require(app: Application, **options: Unpack[GuardOptions]) -> Guard: ...
@overload
def require(**options: Unpack[GuardOptions]) -> Callable[[Application], Guard]: ...
def require(
    app: Application | None = None,
    *,
    below: str | Iterable[str] | None = None,
    on_error: ErrorHandler | None = None,
    error_response: ErrorResponse = error_response,
    **asked: Unpack[Asked],
) -> Guard | Callable[[Application], Guard]:
    """Wrap a WSGI application so that only requests get to it that have what is asked.

    It stands inside ``with_session`` or ``require_session``; without an application it is a
    decorator. Nothing asked means signed in. ``role``, ``permission``, ``feature``, ``plan`` and
    ``reverification`` are those of ``Auth.has``. ``below`` are paths, such as ``/admin``: of them
    and all below them it is asked, and of nothing else; ambiguous paths are answered 400.
    ``on_error`` gets an ``Unauthenticated`` or a ``Forbidden``, and by default refuses. Raises
    ``TypeError`` or ``ValueError`` for what could never be met.
    """
    requirement = Requirement(**asked)
    verdicts = Verdicts(strict_on_error if on_error is None else on_error, error_response)
    access_to = _everywhere if below is None else _only_below(below)

    def wrap(app: Application) -> Guard:
        return Guard(app, requirement, verdicts, access_to)

    return wrap if app is None else wrap(app)


def protect(
    app: Application,
    clerk: Clerk | ClerkChooser | None = None,
    on_error: ErrorHandler | None = None,
    *,
    public: str | Iterable[str] = (),
    **options: Unpack[AnswerOptions],
) -> ClerkMiddleware:
    """Wrap ``app``: everything needs a session but the public paths.

    Those are named in full, such as ``/`` and ``/about``, or with ``/*`` for all below, such as
    ``/static/*``. Ambiguous paths are answered 400. The options are those of ``ClerkMiddleware``;
    on public paths the application finds in ``clerk.session`` who is there, or ``None``.
    """
    handler = strict_on_error if on_error is None else on_error
    verdicts = Verdicts(handler, options.get("error_response", error_response))
    paths = PublicPaths.of(public)
    guard = Guard(app, Requirement(), verdicts, lambda environ: _access_of(paths, environ))
    return ClerkMiddleware(guard, clerk, _let_through, **options)


def refusal_in(environ: Mapping[str, Any], requirement: Requirement) -> ClerkError | None:
    """Return the error that a wrapped request earns, ``None`` if it has what is required.

    ``LookupError`` if the application is not wrapped.
    """
    auth = published(environ, "clerk.auth")
    error = requirement.refusal(auth, environ.get("clerk.error"))
    if error is not None and error.request is None:
        error._request = _request_of(environ)
    return error


def _request_of(environ: Mapping[str, Any]) -> Any:
    """Return what makes the request of an error."""
    decision = environ.get(DECISION)
    if isinstance(decision, Decision):
        return decision.request
    state = environ["clerk.state"]
    return Decision(None, dict(environ), state, state.auth, _tell_nothing).request


def _tell_nothing(_environ: WSGIEnvironment, _decision: Decision) -> None:
    """Leave an environ as it is."""


def _let_through(_error: ClerkError) -> None:
    """Leave it to the guard, which knows whether anything is required."""


def _ambiguous(environ: Mapping[str, Any]) -> ClerkError:
    error = ClerkError(
        "The path could be taken for another one.", status_code=400, reason=AMBIGUOUS_PATH
    )
    error._request = _request_of(environ)
    _logger.info("%s: a request was refused", AMBIGUOUS_PATH)
    return error


def _everywhere(_environ: Mapping[str, Any]) -> Access:
    return Access.PROTECTED


def _only_below(paths: str | Iterable[str]) -> Callable[[Mapping[str, Any]], Access]:
    """Return what protects these paths alone, in whatever spelling an application may take."""
    given = [path.rstrip("/") for path in ((paths,) if isinstance(paths, str) else paths)]
    if "" in given:
        raise ValueError("below: '/' is everything; leave it out")
    nothing = PublicPaths.of(given)  # which refuses what names no path
    alike = tuple(_simplified(path) for path in nothing.single)

    def access_to(environ: Mapping[str, Any]) -> Access:
        if _access_of(nothing, environ) is Access.AMBIGUOUS:
            return Access.AMBIGUOUS
        path = _simplified(decode_path(environ.get("PATH_INFO", "")) or "")
        is_below = any(path == one or path.startswith(f"{one}/") for one in alike)
        return Access.PROTECTED if is_below else Access.PUBLIC

    return access_to


def _simplified(path: str) -> str:
    """Return a path without case and parameters, which some applications do not look at."""
    return _PATH_PARAMETERS.sub("", path).casefold()


def _access_of(paths: PublicPaths, environ: Mapping[str, Any]) -> Access:
    """Say who may have the path that the application routes on: what is left of it for it.

    The whole of it must not be ambiguous either.
    """
    targets = [environ.get(name) or "/" for name in ("RAW_URI", "REQUEST_URI")]
    if PublicPaths().access_to(path_of(environ), *targets) is Access.AMBIGUOUS:
        return Access.AMBIGUOUS
    return paths.access_to(environ.get("PATH_INFO", ""))
