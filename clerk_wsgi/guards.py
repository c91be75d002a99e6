"""Requirements of a WSGI application: of all of it, of a part, or of all but its public paths.

They stand inside a wrapper, which says who is asking. Frameworks' decorators ask ``refusal_in``.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from typing import TYPE_CHECKING, Any, TypedDict, overload

from .additions import adding
from .decisions import DECISION, Decision, path_of
from .errors import ClerkError
from .gate import checked_callable
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
    from .state import Headers

AMBIGUOUS_PATH = "path-ambiguous"

# What Pyramid's traversal puts before a path; anybody may send it.
_PREFIX_HEADER = "HTTP_X_VHM_ROOT"

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
        self._app = checked_callable("app", app)
        self._requirement = requirement
        self._verdicts = verdicts
        self._access_to = access_to

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        access = self._access_to(environ)
        answer = None if access is Access.PUBLIC else self._refusal(environ, access)
        if answer is None:
            return self._app(environ, start_response)
        return _explained(answer)(environ, start_response)

    def _refusal(self, environ: WSGIEnvironment, access: Access) -> WSGIApplication | None:
        if access is Access.AMBIGUOUS:  # whatever an error handler thinks of it
            return self._verdicts.refuse(_ambiguous(environ))
        error = refusal_in(environ, self._requirement)
        if error is None:
            return None
        answer = self._verdicts.answer_to(error)
        if answer is None:
            environ["clerk.error"] = error
        return answer


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
    verdicts = _verdicts(on_error, error_response)
    access_to = _everywhere if below is None else _only_below(below)

    def wrap(app: Application) -> Guard:
        return Guard(app, requirement, verdicts, access_to)

    return wrap if app is None else wrap(app)


def _verdicts(on_error: ErrorHandler | None, error_response: ErrorResponse) -> Verdicts:
    handler = strict_on_error if on_error is None else on_error
    return Verdicts(
        checked_callable("on_error", handler), checked_callable("error_response", error_response)
    )


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
    on public paths the application finds in ``clerk.session`` who is there, or ``None``. Paths
    that are ``exempt`` are public, too, and nobody is asked about there.
    """
    verdicts = _verdicts(on_error, options.get("error_response", error_response))
    options["exempt"] = _listed(options.get("exempt", ()))
    paths = PublicPaths.of([*_listed(public), *options["exempt"]])
    guard = Guard(app, Requirement(), verdicts, lambda environ: _access_of(paths, environ))
    return ClerkMiddleware(guard, clerk, _let_through, **options)


def refusal_in(environ: Mapping[str, Any], requirement: Requirement) -> ClerkError | None:
    """Return the error that a wrapped request earns, ``None`` if it has what is required.

    ``LookupError`` if the application is not wrapped.
    """
    auth = published(environ, "clerk.auth")
    error = requirement.refusal(auth, environ.get("clerk.error"))
    if error is not None and error._request is None:
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
    given = "|".join(re.escape(_simplified(_checked_root(path))) for path in _listed(paths))
    if not given:
        raise ValueError("below: expected a path such as /admin; below none nothing is asked")
    is_below = re.compile(rf"(?:{given})(?:/|\Z)", re.IGNORECASE).match

    def access_to(environ: Mapping[str, Any]) -> Access:
        if _is_ambiguous(environ):
            return Access.AMBIGUOUS
        path = _bare(decode_path(environ.get("PATH_INFO", "")) or "/")
        if environ.get(_PREFIX_HEADER) or is_below(path) or is_below(_simplified(path)):
            return Access.PROTECTED
        return Access.PUBLIC

    return access_to


def _listed(paths: str | Iterable[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths)


def _checked_root(path: object) -> str:
    """Return a path without the slash at its end, or raise for what names none, or all."""
    if not isinstance(path, str):
        raise TypeError(f"below: a path is a text, not {type(path).__name__}")
    root = path.rstrip("/")
    if not root:
        raise ValueError("below: '/' is everything; leave it out")
    if "*" in root:
        raise ValueError(f"below: {path!r}: all below a path is meant anyway; leave out the '*'")
    try:
        PublicPaths.of(root)
    except ValueError as error:
        raise ValueError(f"below: {error}") from None
    return root


def _simplified(path: str) -> str:
    """Return a path in letters that are the same to whoever compares them loosely."""
    return _bare(unicodedata.normalize("NFKC", path).casefold())


def _bare(path: str) -> str:
    """Return a path without what some applications overlook.

    Those are parameters, the mark ``@@`` of views in Pyramid's traversal, and white space and dots
    at an end.
    """
    segments = (segment.partition(";")[0] for segment in path.split("/"))
    return "/".join(segment.strip().lstrip("@").rstrip(".") for segment in segments)


def _access_of(paths: PublicPaths, environ: Mapping[str, Any]) -> Access:
    """Say who may have the path that the application routes on: what is left of it for it."""
    if _is_ambiguous(environ):
        return Access.AMBIGUOUS
    access = paths.access_to(environ.get("PATH_INFO", ""))
    return Access.PROTECTED if environ.get(_PREFIX_HEADER) else access


def _is_ambiguous(environ: Mapping[str, Any]) -> bool:
    """Say whether a path is, or the whole of it, or what the client sent if the server says so."""
    targets = [environ.get(name) or "/" for name in ("RAW_URI", "REQUEST_URI")]
    nothing, path = PublicPaths(), environ.get("PATH_INFO", "")
    accesses = (nothing.access_to(path_of(environ), *targets), nothing.access_to(path))
    return Access.AMBIGUOUS in accesses


def _explained(answer: WSGIApplication) -> WSGIApplication:
    """Return an answer to a refused request that also says what was decided about it."""

    def explained(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return answer(environ, adding(_reasons_in(environ), start_response))

    return explained


def _reasons_in(environ: Mapping[str, Any]) -> Headers:
    """Return the headers that say on a refusal what was decided, as on a wrapper's own."""
    headers = environ["clerk.state"].headers
    return [header for header in headers if header[0].lower().startswith("x-clerk-auth-")]
