"""Bottle: a plugin says who is there, and routes and ``require`` what they ask of them.

docs/frameworks/bottle.md shows it in use. The decision is a ``Gate``'s; here it is asked for in
the midst of Bottle, and its refusals become responses of Bottle's.
"""

from __future__ import annotations

from dataclasses import fields
from functools import update_wrapper
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, TypeVar, overload

try:
    from bottle import HTTPError, HTTPResponse, PluginError, request, response
except ModuleNotFoundError as missing:
    if missing.name != "bottle":
        raise
    needed = "clerk_wsgi.integrations.bottle needs Bottle: pip install bottle"
    raise ImportError(needed, name="bottle") from None
from webob import Request

from ..errors import ClerkError
from ..gate import Gate
from ..guards import Asked, _explained, _request_of, refusal_in
from ..handlers import default_on_error, error_response
from ..links import Links
from ..requirements import Requirement
from ..settings import SettingArguments
from ..signing import Redirect, sign_in_on_error
from ..verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from ..clerk import Clerk
    from ..gate import AnswerOptions, ClerkChooser
    from ..handlers import ErrorHandler

__all__ = [
    "ClerkPlugin",
    "account_url",
    "require",
    "sign_in_url",
    "sign_out_url",
    "sign_up_url",
]

# In environ: the plugin that decided last about a request, and what all have to add to responses.
_PLUGIN, _ADDITIONS = "clerk._bottle_plugin", "clerk._bottle_additions"
# Where Bottle looks up ``request.clerk``; an attribute could be set once only.
_ATTRIBUTE = "bottle.request.ext.clerk"
_ASKED = frozenset(each.name for each in fields(Requirement))
_BY_DEFAULT = Verdicts(sign_in_on_error, error_response)  # inside a wrapper, without a plugin

_Callback = TypeVar("_Callback", bound="Callable[..., Any]")


class ClerkPlugin:
    """A plugin of Bottle's: ``request.clerk`` is who asks, and so is the argument ``auth``.

    That argument is given to callbacks that have one of this name, or of the name ``keyword``.
    The route option ``clerk`` says what a route requires: ``clerk=True`` somebody who is signed
    in, ``clerk={"role": "org:admin"}`` or ``clerk=Requirement(…)`` more, ``clerk=False`` nothing.
    ``clerk`` here is the default instance if it is not given, or a function that returns the one
    for an environ. ``on_error`` decides about who lacks what is required; its default sends
    people who wait for a page to sign in. ``options`` are those of ``ClerkMiddleware``.
    """

    name = "clerk"
    api = 2

    def __init__(
        self,
        clerk: Clerk | ClerkChooser | None = None,
        *,
        keyword: str = "auth",
        on_error: ErrorHandler | None = None,
        **options: Unpack[AnswerOptions],
    ) -> None:
        self.keyword = keyword
        self._gate = Gate(clerk, default_on_error, **options)
        self.verdicts = Verdicts(
            sign_in_on_error if on_error is None else on_error,
            options.get("error_response", error_response),
        )
        self._apps: list[Any] = []

    def setup(self, app: Any) -> None:
        """Let an application decide about every request, be there a route for it or not."""
        if any(isinstance(other, ClerkPlugin) for other in app.plugins):
            raise PluginError("another ClerkPlugin is installed already: uninstall it first")
        app.add_hook("before_request", self._decide)
        app.add_hook("after_request", _add_to_response)
        self._apps.append(app)

    def close(self) -> None:
        """Decide about no further request."""
        for app in self._apps:
            app.remove_hook("before_request", self._decide)
            app.remove_hook("after_request", _add_to_response)
        self._apps.clear()

    def apply(self, callback: Callable[..., Any], route: Any) -> Callable[..., Any]:
        """Return a callback that asks for what its route requires.

        Bottle does that with the first request for a route, or at once after ``debug()``. Raises
        ``TypeError`` or ``ValueError`` for what could never be met: nobody gets to such a route.
        """
        requirement = _requirement_in(route.config)
        wants_auth = _takes(route.callback, self.keyword)

        def decided(*args: Any, **kwargs: Any) -> Any:
            try:
                self._decide()
                if requirement is not None:
                    _enforce(requirement)
                if wants_auth:
                    kwargs[self.keyword] = request.environ["clerk.auth"]
                return _answered(callback(*args, **kwargs))
            except HTTPResponse as raised:
                raise _answered(raised) from raised.__cause__
            except ClerkError as error:
                return _answered(_answer_to(error))
            except Redirect as redirect:
                return _answered(redirect)

        return decided

    def _decide(self) -> None:
        """Find out who asks, unless it is known; raise the answer that sends a browser elsewhere.

        Applications that are mounted into one without the plugin have no hooks, but routes.
        """
        environ = request.environ
        if environ.get(_PLUGIN) is self:
            return
        answer, additions = self._check(environ)
        environ[_PLUGIN] = self
        environ[_ATTRIBUTE] = environ["clerk.auth"]
        environ[_ADDITIONS] = [*environ.get(_ADDITIONS, ()), *additions]
        if answer is not None:
            raise _response_of(answer)

    def _check(self, environ: WSGIEnvironment) -> tuple[WSGIApplication | None, Any]:
        """Ask the gate about the path that the server had; Bottle decodes it in its place."""
        decoded = environ["PATH_INFO"]
        environ["PATH_INFO"] = environ.get("bottle.raw_path", decoded)
        try:
            return self._gate.check(environ)
        finally:
            environ["PATH_INFO"] = decoded


def _requirement_in(config: Mapping[str, Any]) -> Requirement | None:
    """Return what a route's configuration requires; Bottle has taken nested dicts apart."""
    found = _nested({name[6:]: config[name] for name in config if name.startswith("clerk.")})
    # An application may keep the settings of its instance beside them.
    asked = {name: found[name] for name in found.keys() - SettingArguments.__annotations__.keys()}
    required = config.get("clerk", bool(asked))
    if isinstance(required, Requirement):
        return required
    if not isinstance(required, bool):
        raise TypeError(f"clerk: expected a bool, a dict or a Requirement, not {required!r}")
    if unknown := sorted(asked.keys() - _ASKED):
        raise TypeError(f"clerk: nothing named {unknown[0]!r} can be required")
    return Requirement(**asked) if required else None


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they were given: those of ``reverification`` are a dict."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        first, dot, rest = name.partition(".")
        if dot:
            nested.setdefault(first, {})[rest] = value
        else:
            nested[first] = value
    return nested


def _takes(callback: Callable[..., Any], keyword: str) -> bool:
    found = signature(callback).parameters.get(keyword)
    return found is not None and found.kind in (
        Parameter.POSITIONAL_OR_KEYWORD,
        Parameter.KEYWORD_ONLY,
    )


# ---- what is required ------------------------------------------------------------------------


@overload
def require(callback: _Callback, /, **asked: Unpack[Asked]) -> _Callback: ...
@overload
def require(**asked: Unpack[Asked]) -> Callable[[_Callback], _Callback]: ...
def require(callback: Any = None, /, **asked: Unpack[Asked]) -> Any:
    """Let nobody get to a callback who has not all of this; it stands below the route.

    Nothing asked means signed in; ``role``, ``permission``, ``feature``, ``plan`` and
    ``reverification`` are those of ``Auth.has``. Raises ``TypeError`` or ``ValueError``, where it
    stands, for what could never be met.
    """
    requirement = Requirement(**asked)

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(callback):
            raise TypeError(f"require: expected a callback, not {type(callback).__name__}")

        def required(*args: Any, **kwargs: Any) -> Any:
            _enforce(requirement)
            return callback(*args, **kwargs)

        return update_wrapper(required, callback)

    return decorate if callback is None else decorate(callback)


def _enforce(requirement: Requirement) -> None:
    """Raise the response that refuses the request."""
    environ = request.environ
    error = refusal_in(environ, requirement)
    if error is None:
        return
    answer = _verdicts().answer_to(error)
    if answer is not None:
        raise _dressed(_explained(answer), error)
    environ["clerk.error"] = error


def _verdicts() -> Verdicts:
    plugin = request.environ.get(_PLUGIN)
    return plugin.verdicts if isinstance(plugin, ClerkPlugin) else _BY_DEFAULT


# ---- responses -------------------------------------------------------------------------------


def _answer_to(error: ClerkError) -> Any:
    """Return the response to an error that a callback raised."""
    if error.request is None:
        error._request = _request_of(request.environ)
    return _dressed(_verdicts().final_answer_to(error), error)


def _dressed(answer: WSGIApplication, error: ClerkError) -> Any:
    """Return an answer; one without a body may get the page that the application has for it."""
    made = _response_of(answer)
    is_empty = not made.body and made.get_header("Content-Length", "0") == "0"
    if not is_empty or made.status_code not in request.app.error_handler:
        return made
    dressed = HTTPError(made.status, "", error)
    for name, value in made.headerlist:
        if name.lower() not in ("content-length", "content-type"):
            dressed.add_header(name, value)
    return dressed


def _answered(answer: Any) -> Any:
    """Return what a callback answered, with all headers that it needs."""
    made = _response_of(answer) if isinstance(answer, Redirect) else answer
    if not isinstance(made, HTTPResponse):
        _add_to(response)
    elif request.environ.get(_ADDITIONS):
        made = _own(made)
        _add_to(made)
    return made


def _own(made: Any) -> Any:
    """Return a response of this request's alone: the application's may be one for everybody."""
    own = type(made).__new__(type(made), *made.args)
    vars(own).update(vars(made))
    own._headers = {name: list(values) for name, values in made._headers.items()}
    return own


def _response_of(answer: WSGIApplication) -> Any:
    """Return the answer of a WSGI application as Bottle has it."""
    status, headers, body = Request(_wsgi_environ()).call_application(answer)
    made = HTTPResponse(b"".join(body), status, headers)
    getattr(body, "close", lambda: None)()
    return made


def _add_to_response() -> None:
    """Add headers to a response; ``RuntimeError`` for one that nobody should have got."""
    _add_to(response)
    route = request.environ.get("bottle.route")
    if route is None or any(isinstance(one, ClerkPlugin) for one in route.app.plugins):
        return
    if _requirement_in(route.config) is not None:
        raise RuntimeError(f"{route.rule} requires something: install the plugin where it is")


def _add_to(made: Any) -> None:
    """Add what decisions add, once: cookies to the application's own, the rest in its place."""
    for name, value in request.environ.get(_ADDITIONS, ()):
        if name.lower() != "set-cookie":
            made.set_header(name, value)
        elif (name, value) not in made.headerlist:
            made.add_header(name, value)


# ---- links -----------------------------------------------------------------------------------


def _wsgi_environ() -> WSGIEnvironment:
    """Return the environ as a server makes it: Bottle has decoded the path."""
    environ: WSGIEnvironment = dict(request.environ)
    return {**environ, "PATH_INFO": environ.get("bottle.raw_path", environ["PATH_INFO"])}


_links = Links(_wsgi_environ)
sign_in_url = _links.sign_in_url
sign_up_url = _links.sign_up_url
account_url = _links.account_url
sign_out_url = _links.sign_out_url
