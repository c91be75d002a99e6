"""Flask: who is there is ``current_auth``, and ``require`` says what a view asks of them.

docs/frameworks/flask.md shows it in use. The decision is the wrapper's, around ``app.wsgi_app``;
here it is looked up, enforced, and its refusals become responses of Flask's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

try:
    from flask import Blueprint, Flask, current_app, request
except ModuleNotFoundError as missing:
    if missing.name != "flask":
        raise
    needed = "clerk_wsgi.integrations.flask needs Flask: pip install flask"
    raise ImportError(needed, name="flask") from None
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.local import LocalProxy

from ..clerk import Clerk
from ..errors import ClerkError
from ..guards import Asked, _explained, _request_of, refusal_in
from ..handlers import default_on_error, error_response, refusal_of
from ..links import Links
from ..machine_auth import MachineAuth
from ..middleware import ClerkMiddleware
from ..published import published
from ..requirements import Requirement
from ..settings import SettingArguments
from ..signing import Redirect, sign_in_on_error
from ..verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from flask import Config
    from flask.typing import ResponseReturnValue
    from typing_extensions import Unpack

    from ..claims import Auth
    from ..gate import AnswerOptions, ClerkChooser
    from ..handlers import ErrorHandler
    from ..models import User

__all__ = [
    "FlaskClerk",
    "account_url",
    "current_auth",
    "current_machine",
    "current_user",
    "require",
    "sign_in_url",
    "sign_out_url",
    "sign_up_url",
]

EXTENSION = "clerk"
# Where in environ a refusal waits for Flask's error handling; ``on_error`` was asked about it.
_JUDGED = "clerk._judged"

_Target = TypeVar("_Target", bound="Callable[..., Any] | Blueprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installed:
    """What the extension has put into one application."""

    wrapper: ClerkMiddleware
    verdicts: Verdicts


class FlaskClerk:
    """Clerk's sessions for applications of Flask: for ``app``, or those of ``init_app``.

    ``clerk`` is an instance, or a function that returns the one for an environ. Without it,
    settings in ``app.config`` (``CLERK_SECRET_KEY``, and so on for each argument of ``Clerk``)
    make one for the application, the environment says what they leave out, and if there are none
    it is the default instance. ``on_error`` decides about who lacks what a view requires; its
    default sends people who wait for a page to sign in. ``options`` are those of
    ``ClerkMiddleware``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        clerk: Clerk | ClerkChooser | None = None,
        *,
        on_error: ErrorHandler | None = None,
        **options: Unpack[AnswerOptions],
    ) -> None:
        self._clerk = clerk
        self._options = options
        self._verdicts = Verdicts(
            sign_in_on_error if on_error is None else on_error,
            options.get("error_response", error_response),
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, clerk: Clerk | ClerkChooser | None = None) -> None:
        """Let an application know who is there; ``clerk`` is for this application alone.

        Settings must be in ``app.config`` before. ``RuntimeError`` for an application that has
        the extension already.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError(f"{app!r} has this extension already: call init_app once")
        chosen = clerk or self._clerk or _configured(app.config)
        wrapper = ClerkMiddleware(app.wsgi_app, chosen, default_on_error, **self._options)
        app.extensions[EXTENSION] = _Installed(wrapper=wrapper, verdicts=self._verdicts)
        app.wsgi_app = wrapper  # type: ignore[method-assign]  # as Flask's documentation does
        own = app.error_handler_spec[None][None]
        own.setdefault(ClerkError, _answer_to)
        own.setdefault(Redirect, _answer_itself)
        for name, member in _TEMPLATE_GLOBALS.items():
            app.jinja_env.globals.setdefault(name, member)


def _configured(config: Config) -> Clerk | None:
    """Return an instance of the settings in an application's configuration, if there are any."""
    names = {name: f"CLERK_{name.upper()}" for name in SettingArguments.__annotations__}
    if all(config.get(key) is None for key in names.values()):
        return None
    return Clerk(**cast("SettingArguments", {name: config.get(names[name]) for name in names}))


# ---- who is there ----------------------------------------------------------------------------


def _environ() -> WSGIEnvironment:
    """Return the environ of the request, decided about.

    Flask's ``test_request_context`` does not go through ``wsgi_app``, so that it is done here.
    """
    environ = request.environ
    if "clerk.auth" not in environ and EXTENSION in current_app.extensions:
        _installed().wrapper.check(environ)
    return environ


def _installed() -> _Installed:
    """Return what the extension has put into the application, or raise ``LookupError``."""
    try:
        installed: _Installed = current_app.extensions[EXTENSION]
    except KeyError:
        raise LookupError(f"{current_app.name} has no FlaskClerk: call init_app(app)") from None
    return installed


def _machine() -> MachineAuth:
    auth = published(_environ(), "clerk.auth")
    return auth if isinstance(auth, MachineAuth) else MachineAuth(token_type=None)


# Who asks; falsy if nobody is signed in. For a machine token it is the ``MachineAuth``.
current_auth = cast("Auth", LocalProxy(lambda: published(_environ(), "clerk.auth")))
# The machine that asks, where ``accepts_token`` lets machines in; falsy if it is none.
current_machine = cast("MachineAuth", LocalProxy(_machine))
# The user as Clerk's API knows them: asked on first use, once in a request. Without one it is
# falsy: a proxy, and so never ``is None``.
current_user = cast("User | None", LocalProxy(lambda: current_auth.user))


# ---- what is required ------------------------------------------------------------------------


@overload
def require(target: _Target, /, **asked: Unpack[Asked]) -> _Target: ...
@overload
def require(**asked: Unpack[Asked]) -> Callable[[_Target], _Target]: ...
def require(target: Any = None, /, **asked: Unpack[Asked]) -> Any:
    """Let nobody get to a view, or to any view of a blueprint or application, without all this.

    Nothing asked means signed in; ``role``, ``permission``, ``feature``, ``plan`` and
    ``reverification`` are those of ``Auth.has``. It is a decorator for views, which stands below
    ``@app.route``, for functions of ``before_request``, and in ``decorators`` of class-based
    views; a blueprint or an application is returned, with everything in it protected. Raises
    ``TypeError`` or ``ValueError`` for what could never be met.
    """
    requirement = Requirement(**asked)

    def protect(target: Any) -> Any:
        if not isinstance(target, (Flask, Blueprint)):
            return _required(target, requirement)
        target.before_request(lambda: None if _is_answered_by_flask() else _enforce(requirement))
        return target

    return protect if target is None else protect(target)


def _required(view: Callable[..., Any], requirement: Requirement) -> Callable[..., Any]:
    if not callable(view):
        raise TypeError(f"require: expected a view, not {type(view).__name__}")

    def required(*args: Any, **kwargs: Any) -> Any:
        _enforce(requirement)
        return current_app.ensure_sync(view)(*args, **kwargs)

    return update_wrapper(required, view)


def _is_answered_by_flask() -> bool:
    """Say whether no view is called: Flask itself tells browsers which methods there are (CORS)."""
    return request.method == "OPTIONS" and getattr(
        request.url_rule, "provide_automatic_options", False
    )


def _enforce(requirement: Requirement) -> None:
    """Raise what refuses the request; error handlers of the application's own may dress it."""
    environ = _environ()
    error = refusal_in(environ, requirement)
    if error is None:
        return
    verdicts = _installed().verdicts
    refusal = refusal_of(verdicts.on_error(error))
    if refusal is None:
        environ["clerk.error"] = error
        return
    if isinstance(refusal, HTTPException):
        raise refusal
    if isinstance(refusal, ClerkError) and not callable(refusal):
        environ[_JUDGED] = refusal
        raise refusal
    answer: Any = refusal if callable(refusal) else verdicts._response_to(refusal)
    raise HTTPException(response=current_app.make_response(_explained(answer)))


# ---- refusals --------------------------------------------------------------------------------


def _answer_to(error: ClerkError) -> ResponseReturnValue:
    """Return the response to an error that a view raised, or ``require``."""
    environ, verdicts = _environ(), _installed().verdicts
    if environ.pop(_JUDGED, None) is error:
        return _dressed(_explained(verdicts.refuse(error)))
    if error.request is None:
        error._request = _request_of(environ)
    return _dressed(verdicts.final_answer_to(error))


def _dressed(answer: WSGIApplication) -> ResponseReturnValue:
    """Return an answer; one without a body may get the page that the application has for it."""
    response = current_app.make_response(answer)
    kind = default_exceptions.get(response.status_code)
    if kind is None or response.content_length or response.get_data():
        return response
    return current_app.handle_http_exception(kind(response=response))


def _answer_itself(redirect: Redirect) -> ResponseReturnValue:
    return redirect


# ---- links -----------------------------------------------------------------------------------


_links = Links(_environ)
sign_in_url = _links.sign_in_url
sign_up_url = _links.sign_up_url
account_url = _links.account_url
sign_out_url = _links.sign_out_url

_TEMPLATE_GLOBALS = {
    "auth": current_auth,
    "current_user": current_user,
    "sign_in_url": sign_in_url,
    "sign_up_url": sign_up_url,
    "account_url": account_url,
    "sign_out_url": sign_out_url,
}
