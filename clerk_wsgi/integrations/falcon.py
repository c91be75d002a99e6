"""Falcon: who is asking is in ``req.context.clerk``, and ``require`` guards what needs somebody.

``install(app)`` is all that an application needs. Requests are decided by a middleware, which
covers routes, sinks and static routes; nobody is refused by it. ``require`` is a decorator of
resources, responders and sinks, and an action for ``falcon.before``. For WSGI alone: an
application of ``falcon.asgi`` is refused.
"""

from __future__ import annotations

import re
from functools import wraps
from inspect import getmembers, iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

try:
    import falcon
except ModuleNotFoundError as missing:
    if missing.name != "falcon":
        raise
    message = "clerk_wsgi.integrations.falcon needs Falcon: pip install falcon"
    raise ImportError(message, name="falcon") from None

from ..errors import ClerkError
from ..gate import Gate, checked_callable
from ..guards import _reasons_in, _request_of, refusal_in
from ..handlers import default_on_error, error_response
from ..requirements import Requirement
from ..signing import Redirect, sign_in_on_error
from ..verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from ..claims import Auth
    from ..clerk import Clerk
    from ..gate import AnswerOptions, ClerkChooser
    from ..guards import Asked
    from ..handlers import ErrorHandler
    from ..machine_auth import MachineAuth

__all__ = ["ClerkMiddleware", "ClerkRequest", "Refused", "add_error_handlers", "install", "require"]

_Guarded = TypeVar("_Guarded", bound="Callable[..., Any]")
_Kind = TypeVar("_Kind")

_VERDICTS = "clerk._falcon_verdicts"  # in environ: who decides about refusals of this request
_ADDITIONS = "clerk._falcon_additions"  # in environ: the headers to add to its response
_REQUIRED = "_clerk_required"  # on resource classes
_BY_DEFAULT = Verdicts(sign_in_on_error, error_response)  # behind a wrapper of another kind

_RESPONDER = re.compile(rf"on_(request|{'|'.join(falcon.COMBINED_METHODS)})(_\w+)?", re.IGNORECASE)


class ClerkContext(falcon.Context):
    """``req.context`` as it is typed: with who is asking."""

    clerk: Auth | MachineAuth


class ClerkRequest(falcon.Request):
    """``falcon.Request`` for whoever checks types: its ``context.clerk`` has one.

    It may be the application's ``request_type``, or stand in annotations alone.
    """

    context_type = ClerkContext
    context: ClerkContext


class Refused(falcon.HTTPStatus):
    """Stops a request that lacks what is required; ``error`` says what.

    Falcon itself makes the response of it, unless the application has a handler for it.
    """

    def __init__(self, error: ClerkError, status: str, body: bytes) -> None:
        # Falcon encodes a text, and takes bytes for an encoded one.
        super().__init__(status, text=cast("str", body))
        self.error = error


class ClerkMiddleware:
    """Decides about each request, and puts who is asking into ``req.context.clerk``.

    ``clerk`` is the default instance if it is not given, or a function that returns the instance
    for an environ. ``on_error`` is asked when something that is required is missing: what it
    returns refuses, or lets the request through. The other options are those of ``Gate``.
    """

    def __init__(
        self,
        clerk: Clerk | ClerkChooser | None = None,
        on_error: ErrorHandler | None = None,
        **options: Unpack[AnswerOptions],
    ) -> None:
        handler = sign_in_on_error if on_error is None else checked_callable("on_error", on_error)
        self._gate = Gate(clerk, default_on_error, **options)
        self._verdicts = Verdicts(handler, options.get("error_response", error_response))

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Decide; a browser that has to go to Clerk and back is sent there at once."""
        answer, additions = self._gate.check(req.env)
        req.env[_VERDICTS] = self._verdicts
        req.env[_ADDITIONS] = additions
        req.context.clerk = req.env["clerk.auth"]
        if answer is not None:
            _fill(resp, answer, req.env)
            resp.complete = True

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        """Ask for what the resource's class requires, or a class that it inherits from."""
        for requirement in getattr(resource, _REQUIRED, ()):
            if not _is_answered_by_falcon(req, resource):
                _enforce(requirement, req, resp)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, *_outcome: object
    ) -> None:
        """Add what the decision adds: cookies to the application's own, the rest in its place."""
        # Nothing was decided if something else has refused before.
        _put_headers(resp, req.env.pop(_ADDITIONS, ()))

    @property
    def process_request_async(self) -> None:
        """Refuse ``falcon.asgi``, which looks for this."""
        raise falcon.CompatibilityError(
            "clerk_wsgi is for WSGI: use falcon.App, not falcon.asgi.App"
        )


def install(
    app: falcon.App[Any, Any],
    clerk: Clerk | ClerkChooser | None = None,
    on_error: ErrorHandler | None = None,
    **options: Unpack[AnswerOptions],
) -> None:
    """Add a ``ClerkMiddleware`` with these options to an application, and the error handlers."""
    app.add_middleware(ClerkMiddleware(clerk, on_error, **options))
    add_error_handlers(app)


def add_error_handlers(app: falcon.App[Any, Any]) -> None:
    """Let an application answer each ``ClerkError`` and ``Redirect`` that is raised in it.

    A handler that the application adds for a subclass wins, or one that it adds later.
    """
    app.add_error_handler((ClerkError, Redirect), _answer)


class Hook:
    """What ``require`` returns: an action for ``falcon.before``, and a decorator."""

    def __init__(self, requirement: Requirement) -> None:
        self._requirement = requirement

    @overload
    def __call__(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        params: dict[str, Any],
        /,
    ) -> None: ...
    @overload
    def __call__(self, guarded: _Guarded, /) -> _Guarded: ...
    def __call__(self, *given: Any) -> Any:
        if len(given) == 4:
            return _enforce(self._requirement, *given[:2])
        (guarded,) = given
        guard = self._guard_class if isinstance(guarded, type) else self._guard_responder
        return guard(guarded)

    def _guard_class(self, resource: Any) -> Any:
        """Guard all responders, also those of subclasses, and tell the middleware."""
        self._guard_responders(resource)
        self._guard_subclasses(resource)
        required = (*getattr(resource, _REQUIRED, ()), self._requirement)
        setattr(resource, _REQUIRED, required)
        return resource

    def _guard_responders(self, resource: Any, guarded: Any = None) -> None:
        """Guard the responders that are not those of a class that is ``guarded``."""
        for name, responder in getmembers(resource, callable):
            if _RESPONDER.fullmatch(name) and responder is not getattr(guarded, name, None):
                setattr(resource, name, self._guard_responder(responder))

    def _guard_subclasses(self, resource: Any) -> None:
        """Guard what subclasses add: behind a wrapper of another kind there is no middleware."""
        own = vars(resource).get("__init_subclass__")

        def init_subclass(cls: Any, /, **options: Any) -> None:
            if own is None:
                super(resource, cls).__init_subclass__(**options)
            else:
                own.__func__(cls, **options)
            self._guard_responders(cls, resource)

        resource.__init_subclass__ = classmethod(init_subclass)

    def _guard_responder(self, responder: Any) -> Any:
        if not callable(responder) or iscoroutinefunction(responder):
            raise TypeError(f"require: expected a resource class or a responder, not {responder!r}")

        @wraps(responder)
        def guarded(*args: Any, **params: Any) -> Any:
            given = (*args, *params.values())
            _enforce(self._requirement, _one(falcon.Request, given), _one(falcon.Response, given))
            return responder(*args, **params)

        return guarded


@overload
def require(guarded: _Guarded, /, **asked: Unpack[Asked]) -> _Guarded: ...
@overload
def require(**asked: Unpack[Asked]) -> Hook: ...
@overload
def require(
    req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any], /
) -> None: ...
def require(*given: Any, **asked: Unpack[Asked]) -> Any:
    """Let requests to a resource, a responder or a sink only if they have what is asked.

    ``@require`` asks for somebody who is signed in, ``@require(role="org:admin")`` for more:
    ``role``, ``permission``, ``feature``, ``plan`` and ``reverification`` are those of
    ``Auth.has``. Either is an action for ``falcon.before`` as well. Raises ``TypeError`` or
    ``ValueError``, where it stands, for what could never be met.
    """
    hook = Hook(Requirement(**asked))
    return hook(*given) if given else hook


def _enforce(requirement: Requirement, req: falcon.Request, resp: falcon.Response) -> None:
    """Raise ``Refused``, unless the request has what is required or is let through without."""
    error = refusal_in(req.env, requirement)
    if error is None:
        return
    answer = _verdicts_of(req).answer_to(error)
    if answer is None:
        req.env["clerk.error"] = error
        return
    _fill(resp, answer, req.env)
    _put_headers(resp, _reasons_in(req.env))
    raise Refused(error, str(resp.status), resp.data or b"")


def _answer(req: falcon.Request, resp: falcon.Response, error: Any, params: dict[str, Any]) -> None:
    """Answer a ``Redirect`` or a ``ClerkError``, however far the responder has come."""
    if isinstance(error, ClerkError) and error.request is None and "clerk.state" in req.env:
        error._request = _request_of(req.env)
    is_answer = isinstance(error, Redirect)
    _fill(resp, error if is_answer else _verdicts_of(req).final_answer_to(error), req.env)


def _verdicts_of(req: falcon.Request) -> Verdicts:
    verdicts: Verdicts = req.env.get(_VERDICTS, _BY_DEFAULT)
    return verdicts


def _is_answered_by_falcon(req: falcon.Request, resource: object) -> bool:
    """Say whether Falcon itself answers: it tells browsers which methods there are, for CORS."""
    return req.method == "OPTIONS" and not any(
        name.startswith("on_options") for name in dir(resource)
    )


def _one(kind: type[_Kind], given: Iterable[object]) -> _Kind:
    """Return Falcon's request or response among the arguments of a method or a sink."""
    for one in given:
        if isinstance(one, kind):
            return one
    raise TypeError(f"require: this was called without a {kind.__name__} of Falcon's")


def _fill(resp: falcon.Response, answer: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Make the answer of a WSGI application the response."""
    from webob import Request

    resp.status, headers, body = Request(environ).call_application(answer)
    _put_headers(resp, headers)
    resp.text, resp.data = None, b"".join(body)  # which counts before media and a stream
    getattr(body, "close", lambda: None)()


def _put_headers(resp: falcon.Response, headers: Iterable[tuple[str, str]]) -> None:
    """Add cookies; other headers take the place of those of the same name."""
    for name in {name.lower() for name, _ in headers} - {"set-cookie"}:
        resp.delete_header(name)
    for name, value in headers:
        resp.append_header(name, value)
