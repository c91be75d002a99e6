"""Pyramid: ``config.include("clerk_wsgi.integrations.pyramid")`` is all that an application needs.

Then ``request.clerk`` is who is asking, ``clerk_require`` an option of views that says what they
ask for, ``clerk_role`` and the like are predicates, and permissions are asked of Clerk. Requests
are decided by a tween around all others that Pyramid brings; nobody is refused by it. Settings
begin with ``clerk.``: those of ``Clerk`` and of a wrapper, as texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, wraps
from inspect import isclass, signature
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

try:
    from pyramid.authorization import ACLHelper, Authenticated, Everyone
    from pyramid.httpexceptions import HTTPException
    from pyramid.interfaces import IRequest
    from pyramid.response import Response
    from pyramid.security import Allowed, Denied
    from pyramid.tweens import EXCVIEW
    from pyramid.viewderivers import INGRESS
except ModuleNotFoundError:
    raise ImportError(
        "clerk_wsgi.integrations.pyramid needs Pyramid: pip install pyramid"
    ) from None

from ..additions import adding, additions_of
from ..claims import Auth
from ..config_texts import parse_wrapper
from ..errors import ClerkError
from ..gate import Gate, checked_callable
from ..guards import _request_of, refusal_in
from ..handlers import default_on_error, error_response, refusal_of
from ..requirements import Requirement
from ..signing import Redirect, _forgetting, sign_in_on_error
from ..verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from ..guards import Asked
    from ..machine_auth import MachineAuth
    from ..state import Headers

__all__ = ["ClerkRequest", "ClerkSecurityPolicy", "clerk_tween_factory", "includeme", "require"]

_View = TypeVar("_View", bound="Callable[..., Any]")

_PREFIX = "clerk."
_REFUSED = "clerk._pyramid_refused"  # in environ: what on_error has refused a view with
_PREDICATES = ("role", "permission", "feature", "plan")


class ClerkRequest(Protocol):
    """Pyramid's request for whoever checks types: its ``clerk`` has one, all else is ``Any``."""

    @property
    def clerk(self) -> Auth | MachineAuth: ...
    def __getattr__(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installed:
    """What decides about the requests of one application, and about refusals."""

    gate: Gate
    verdicts: Verdicts


def includeme(config: Any) -> None:
    """Let a ``Configurator``'s application know who is asking."""
    config.registry[_Installed] = _installed_by(config.get_settings() or {})
    config.add_tween(f"{__name__}.clerk_tween_factory", over=EXCVIEW)
    config.add_request_method(_auth_of, "clerk", reify=True)
    config.set_security_policy(ClerkSecurityPolicy())
    config.add_view_deriver(_required_view, "clerk_require", under=INGRESS, over="secured_view")
    for name in _PREDICATES:
        _add_predicate(config, f"clerk_{name}", partial(_HasPredicate, name))
    _add_predicate(config, "clerk_signed_in", _SignedInPredicate)
    config.add_exception_view(_error_view, context=ClerkError)
    config.add_exception_view(_redirect_view, context=Redirect)
    config.add_response_adapter(_redirect_response, Redirect)
    config.add_forbidden_view(_forbidden_view)


def _installed_by(settings: Mapping[str, Any]) -> _Installed:
    """Return what the settings ask for, or raise ``ConfigurationError``."""
    ours = {name: value for name, value in settings.items() if name.startswith(_PREFIX)}
    given = {name.removeprefix(_PREFIX): value for name, value in ours.items()}
    clerk, options, _ = parse_wrapper(given, prefix=_PREFIX)
    on_error = checked_callable("on_error", options.pop("on_error", sign_in_on_error))
    verdicts = Verdicts(on_error, options.get("error_response", error_response))
    return _Installed(gate=Gate(clerk, default_on_error, **options), verdicts=verdicts)


def _add_predicate(config: Any, name: str, factory: Callable[..., object]) -> None:
    config.add_view_predicate(name, factory)
    config.add_route_predicate(name, factory)


# ---- deciding about a request ----------------------------------------------------------------


def clerk_tween_factory(handler: Callable[[Any], Any], registry: Any) -> Callable[[Any], Any]:
    """Return the tween: it decides, and sends a browser to Clerk and back if need be."""
    gate = registry[_Installed].gate

    def clerk_tween(request: Any) -> Any:
        answer, additions = gate.check(request.environ)
        response = handler(request) if answer is None else answer
        if answer is None and not additions:
            return response
        # A response of its own: the application's may be one for everybody, and these are cookies.
        return request.get_response(partial(_call_adding, response, additions))

    return clerk_tween


def _response(request: Any, answer: WSGIApplication) -> Any:
    """Return Pyramid's response of an answer, which says what was decided as a wrapper's does."""
    additions = additions_of(request.environ["clerk.state"].headers, debug=True)
    return request.get_response(partial(_call_adding, answer, additions))


def _call_adding(
    app: WSGIApplication,
    additions: Headers,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    return app(environ, adding(additions, start_response))


def _auth_of(request: Any) -> Auth | MachineAuth:
    """Return what a request may do; one that no tween has seen is decided about now."""
    environ = request.environ
    if "clerk.auth" not in environ:
        _installed(request).gate.check(environ)
    auth: Auth | MachineAuth | None = environ["clerk.auth"]
    return Auth() if auth is None else auth


def _installed(request: Any) -> _Installed:
    try:
        installed: _Installed = request.registry[_Installed]
    except KeyError:
        raise LookupError(f'config.include("{__name__}") is missing') from None
    return installed


# ---- requirements of views -------------------------------------------------------------------


@overload
def require(view: _View, /) -> _View: ...
@overload
def require(**asked: Unpack[Asked]) -> Callable[[_View], _View]: ...
def require(view: Any = None, /, **asked: Unpack[Asked]) -> Any:
    """Guard a view, a function or a method, so that only requests get to it with what is asked.

    ``@require`` asks for somebody who is signed in, ``@require(role="org:admin")`` for more; the
    keywords are those of ``Auth.has``. It is the option ``clerk_require`` of a view as a decorator,
    and counts for whoever calls the view. Raises ``TypeError`` or ``ValueError`` for what could
    never be met.
    """
    guard = partial(_guarded, Requirement(**asked))
    return guard if view is None else guard(view)


def _guarded(requirement: Requirement, view: Any) -> Any:
    if isclass(view) or not callable(view):
        raise TypeError("require: expected a function or a method; a class has @view_defaults")

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        response = _refuse(_request_among((*args, *kwargs.values())), requirement)
        return view(*args, **kwargs) if response is None else response

    # Pyramid looks there whether a view takes (request) or (context, request).
    vars(guarded)["__signature__"] = signature(view)
    return guarded


def _request_among(given: tuple[Any, ...]) -> Any:
    """Return the request among a view's arguments, or that of the object whose method it is."""
    for one in (*reversed(given), *(getattr(one, "request", None) for one in given[:1])):
        if IRequest.providedBy(one):
            return one
    raise TypeError("require: this was called without a request of Pyramid's")


def _required_view(view: Any, info: Any) -> Any:
    """Derive a view that lets through what has what the option ``clerk_require`` asks."""
    if _is_clerks(permission := info.options.get("permission")):
        Requirement(permission=permission)  # what is malformed fails where the view is declared
    requirement = _requirement_of(info.options.get("clerk_require"))
    if requirement is None:
        return view

    def required_view(context: Any, request: Any) -> Any:
        response = _refuse(request, requirement)
        return view(context, request) if response is None else response

    return required_view


_required_view.options = ("clerk_require",)  # type: ignore[attr-defined]  # Pyramid's protocol


def _requirement_of(asked: Any) -> Requirement | None:
    if asked is None or asked is False:
        return None
    if asked is True:
        return Requirement()
    if isinstance(asked, Mapping):
        return Requirement(**asked)
    if isinstance(asked, Requirement):
        return asked
    raise TypeError(f"clerk_require: expected True, a dict or a Requirement, not {asked!r}")


def _refuse(request: Any, requirement: Requirement) -> Any:
    """Return the response to a request that is refused, ``None`` for one that is let through.

    Errors, and exceptions of Pyramid's own, are raised: exception views may know them.
    """
    _auth_of(request)
    error = refusal_in(request.environ, requirement)
    verdicts = _installed(request).verdicts
    refusal = None if error is None else refusal_of(verdicts.on_error(error))
    if refusal is None:
        return None
    if isinstance(refusal, HTTPException) or _is_plain(refusal):
        request.environ[_REFUSED] = refusal
        raise refusal
    return _response(request, refusal if callable(refusal) else verdicts._response_to(refusal))


def _is_plain(refusal: BaseException) -> bool:
    """Say whether it is an error of ours that does not answer itself."""
    return isinstance(refusal, ClerkError) and not callable(refusal)


# ---- predicates ------------------------------------------------------------------------------


class _HasPredicate:
    """Whether the session has a role, a permission, a feature or a plan."""

    def __init__(self, name: str, value: Any, config: Any) -> None:
        Requirement(**{name: value})
        self._asked = {name: value}

    def text(self) -> str:
        return ", ".join(f"clerk_{name} = {value}" for name, value in self._asked.items())

    phash = text

    def __call__(self, context: Any, request: Any) -> bool:
        return _auth_of(request).has(**self._asked)


class _SignedInPredicate:
    """Whether somebody is signed in, or nobody."""

    def __init__(self, value: Any, config: Any) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"clerk_signed_in: expected True or False, not {value!r}")
        self._value = value

    def text(self) -> str:
        return f"clerk_signed_in = {self._value}"

    phash = text

    def __call__(self, context: Any, request: Any) -> bool:
        return bool(_auth_of(request)) is self._value


# ---- permissions -----------------------------------------------------------------------------


class ClerkSecurityPolicy:
    """Knows who is asking, and asks Clerk about permissions that begin with ``org:``.

    All others are those of the ACLs of a context. Their principals are ``Everyone`` and, signed
    in, ``Authenticated``, the user's id, that of the active organization, the role there, such as
    ``org:admin``, and both: ``org_…/org:admin``.
    """

    def __init__(self) -> None:
        self._acl = ACLHelper()

    def identity(self, request: Any) -> Auth | MachineAuth | None:
        return _auth_of(request) or None

    def authenticated_userid(self, request: Any) -> str | None:
        return _subject_of(_auth_of(request))

    def permits(self, request: Any, context: Any, permission: str) -> Any:
        auth = _auth_of(request)
        if not _is_clerks(permission):
            return self._acl.permits(context, _principals_of(auth), permission)
        error = refusal_in(request.environ, Requirement(permission=permission))
        if error is None:
            return Allowed("Clerk grants %r", permission)
        denied = Denied("Clerk does not grant %r: %s", permission, error.message)
        denied.clerk_error = error
        return denied

    def remember(self, request: Any, userid: str, **kw: Any) -> Headers:
        """Return nothing: it is Clerk that remembers people."""
        return []

    def forget(self, request: Any, **kw: Any) -> Headers:
        """Return headers that take the session token from a browser; ``sign_out`` does more."""
        _auth_of(request)
        clerk = request.environ["clerk.instance"]
        is_secure = request.environ.get("wsgi.url_scheme") == "https"
        lines = [] if clerk is None else _forgetting(clerk, is_secure=is_secure)
        return [("Set-Cookie", line) for line in lines]


def _is_clerks(permission: object) -> bool:
    return isinstance(permission, str) and permission.startswith("org:")


def _subject_of(auth: Auth | MachineAuth) -> str | None:
    return auth.user_id if isinstance(auth, Auth) else auth.subject


def _principals_of(auth: Auth | MachineAuth) -> list[str]:
    if not auth:
        return [Everyone]
    found = [Everyone, Authenticated, _subject_of(auth)]
    if isinstance(auth, Auth) and auth.org_id:
        found += [auth.org_id, auth.org_role, f"{auth.org_id}/{auth.org_role}"]
    return [one for one in found if one]


# ---- exceptions ------------------------------------------------------------------------------


def _error_view(error: ClerkError, request: Any) -> Any:
    """Answer an error that was raised, unless the application has a view for it."""
    _auth_of(request)
    verdicts = _installed(request).verdicts
    if request.environ.get(_REFUSED) is error:  # nobody is asked twice
        return _response(request, verdicts.refuse(error))
    if error.request is None:
        error._request = _request_of(request.environ)
    return _response(request, verdicts.final_answer_to(error))


def _forbidden_view(forbidden: Any, request: Any) -> Any:
    """Answer a denied permission: whoever is not signed in is asked to do that.

    What an ACL denies, or a view, to those who are is Pyramid's own answer.
    """
    error = getattr(forbidden.result, "clerk_error", None)
    if request.environ.get(_REFUSED) is not forbidden and not _auth_of(request):
        error = refusal_in(request.environ, Requirement())
    return forbidden if error is None else _error_view(error, request)


def _redirect_view(redirect: Redirect, request: Any) -> Any:
    return redirect


def _redirect_response(redirect: Redirect) -> Any:
    """Make a response of what ``sign_out`` returns, so that views may return or raise it."""
    return Response(status=redirect.status_code, headerlist=list(redirect.headers))
