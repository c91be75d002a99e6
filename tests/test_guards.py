"""Requirements of applications and parts of them: who gets in, who does not, and by which path."""

from __future__ import annotations

import gc
import json
import re
import socket
import string
import unicodedata
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from wsgiref.validate import validator

import falcon
import pytest
from bottle import Bottle
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse
from django.urls import re_path
from flask import Flask
from pyramid.config import Configurator
from pyramid.response import Response
from webob.exc import HTTPFound

from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkMiddleware,
    ClerkUnavailable,
    Forbidden,
    Requirement,
    Unauthenticated,
    error_response,
    json_error_response,
    protect,
    require,
    require_session,
    sign_in_on_error,
    with_session,
)
from clerk_wsgi.guards import Guard, refusal_in
from clerk_wsgi.testing import bearer as bearer_of
from clerk_wsgi.testing import clerk_for, start_emulator
from clerk_wsgi.verdicts import Verdicts

from . import django_site
from .gunicorns import gunicorn
from .minting import NOW, Minter
from .test_protection import HOSTILE, path_info, resolved, without_parameters
from .wrapping import (
    App,
    bearer,
    by_handshake,
    clerk,
    full_environ,
    minter,
    serve,
    without_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi.testing import Emulator, Tokens

assert django_site.urlpatterns  # which has made Django's settings

ADMIN: dict[str, Any] = {
    "org_id": "org_1",
    "org_role": "org:admin",
    "org_permissions": ["org:teams:read"],
}
MEMBER = {**ADMIN, "org_role": "org:member"}
OK, BAD_REQUEST, UNAUTHORIZED = "200 OK", "400 Bad Request", "401 Unauthorized"
FORBIDDEN, UNAVAILABLE = "403 Forbidden", "503 Service Unavailable"


def status_of(app: WSGIApplication, path: str = "/", /, **keys: Any) -> str:
    return serve(app, PATH_INFO=path, **keys).status


# ---- what is required


@pytest.mark.parametrize(
    ("asked", "claims", "status"),
    [
        ({}, {}, OK),
        ({"role": "org:admin"}, ADMIN, OK),
        ({"role": "admin"}, ADMIN, OK),
        ({"role": "org:admin"}, MEMBER, FORBIDDEN),
        ({"role": "org:admin"}, {}, FORBIDDEN),
        ({"role": "org:admin"}, {"org_role": "org:admin"}, FORBIDDEN),
        ({"permission": "org:teams:read"}, ADMIN, OK),
        ({"permission": "org:teams:write"}, ADMIN, FORBIDDEN),
        ({"feature": "reports"}, {"fea": "u:reports"}, OK),
        ({"feature": "org:reports"}, {"fea": "u:reports"}, FORBIDDEN),
        ({"plan": "gold"}, {"pla": "u:gold"}, OK),
        ({"plan": "gold"}, {"pla": "u:silver"}, FORBIDDEN),
        ({"reverification": "strict"}, {"fva": [5, 5]}, OK),
        ({"reverification": "strict"}, {"fva": [5, 11]}, FORBIDDEN),
        ({"reverification": "strict"}, {}, FORBIDDEN),
        ({"role": "org:admin", "permission": "org:teams:write"}, ADMIN, FORBIDDEN),
        ({"role": "org:admin", "permission": "org:teams:read"}, ADMIN, OK),
    ],
)
def test_only_who_has_what_is_required_gets_in(
    asked: dict[str, Any], claims: dict[str, Any], status: str
) -> None:
    app = App()
    wrapped = with_session(require(app, **asked), clerk())
    assert serve(wrapped, **bearer(**claims)).status == status
    assert app.calls == (status == OK)
    assert serve(wrapped).status == UNAUTHORIZED
    assert app.calls == (status == OK)


def test_without_an_application_it_is_a_decorator() -> None:
    calls: list[str] = []

    @require
    def bare(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        calls.append("bare")
        start_response(OK, [])
        return []

    @require(role="org:admin")
    def asking(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        calls.append("asking")
        start_response(OK, [])
        return []

    for app in (bare, asking):
        assert isinstance(app, Guard)
        assert status_of(with_session(app, clerk())) == UNAUTHORIZED
    assert calls == []
    assert status_of(with_session(bare, clerk()), **bearer()) == OK
    assert status_of(with_session(asking, clerk()), **bearer(**MEMBER)) == FORBIDDEN
    assert status_of(with_session(asking, clerk()), **bearer(**ADMIN)) == OK
    assert calls == ["bare", "asking"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"role": ""}, ValueError),
        ({"role": 5}, TypeError),
        ({"permission": "a,b"}, ValueError),
        ({"feature": "team:reports"}, ValueError),
        ({"plan": ["gold"]}, TypeError),
        ({"reverification": "strictest"}, ValueError),
        ({"reverification": {"level": "second_factor"}}, ValueError),
        ({"roles": "org:admin"}, TypeError),
        ({"on_error": "refuse"}, TypeError),
        ({"error_response": 401}, TypeError),
        ({"below": "admin"}, ValueError),
        ({"below": ""}, ValueError),
        ({"below": "/"}, ValueError),
        ({"below": "//"}, ValueError),
        ({"below": []}, ValueError),
        ({"below": ()}, ValueError),
        ({"below": iter([])}, ValueError),
        ({"below": ["/a", "/"]}, ValueError),
        ({"below": "/admin/*"}, ValueError),
        ({"below": ["/a", "/admin/*"]}, ValueError),
        ({"below": "/admin*"}, ValueError),
        ({"below": "/*"}, ValueError),
        ({"below": "/a//b"}, ValueError),
        ({"below": "/a/../b"}, ValueError),
        ({"below": "/a%2fb"}, ValueError),
        ({"below": "/a?b"}, ValueError),
        ({"below": b"/admin"}, TypeError),
        ({"below": [b"/admin"]}, TypeError),
        ({"below": [None]}, TypeError),
        ({"below": 5}, TypeError),
    ],
)
def test_what_is_malformed_fails_where_it_is_declared(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        require(App(), **options)
    with pytest.raises(error):
        require(**options)


def test_what_cannot_be_called_is_no_application() -> None:
    wraps: list[Callable[[Any], object]] = [require, protect, require(role="admin")]
    for wrap in wraps:
        with pytest.raises(TypeError, match="app must be callable, not str"):
            wrap("app")
    with pytest.raises(TypeError, match="on_error must be callable, not int"):
        protect(App(), clerk(), 401)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="error_response must be callable, not int"):
        protect(App(), clerk(), error_response=401)  # type: ignore[arg-type]


def test_an_application_that_is_not_wrapped_lets_nobody_in() -> None:
    app = App()
    for guard in (require(app), require(app, role="admin"), require(app, below="/admin")):
        with pytest.raises(LookupError):
            status_of(guard, "/admin", **bearer(**ADMIN))
        with pytest.raises(LookupError):
            status_of(guard, "/admin//x", RAW_URI="/admin//x")
    assert app.calls == 0
    with pytest.raises(LookupError):
        require(app)({}, lambda *_: pytest.fail("started"))


def test_it_needs_no_more_of_a_request_than_the_decision() -> None:
    app = App()
    environ = full_environ(**bearer())
    with_session(lambda *_: [], clerk())(environ, lambda *_: lambda _: None)
    for name in list(environ):
        if not name.startswith(("clerk.", "REQUEST_METHOD")):
            del environ[name]
    assert serve(require(app), environ).status == OK


# ---- what becomes of a refusal


def refusing(seen: list[ClerkError]) -> Callable[[ClerkError], ClerkError]:
    def on_error(error: ClerkError) -> ClerkError:
        seen.append(error)
        return error

    return on_error


def test_the_handler_is_asked_once_with_the_request_attached() -> None:
    seen: list[ClerkError] = []
    mine = clerk()
    wrapped = with_session(require(App(), role="admin", on_error=refusing(seen)), mine)
    assert status_of(wrapped, "/p", QUERY_STRING="a=b") == UNAUTHORIZED
    assert status_of(wrapped, "/q", **bearer()) == FORBIDDEN
    unauthenticated, forbidden = seen
    assert isinstance(unauthenticated, Unauthenticated)
    assert isinstance(forbidden, Forbidden)
    assert unauthenticated.request is not None
    assert unauthenticated.request.path_qs == "/p?a=b"
    assert forbidden.request is not None
    assert forbidden.request.path == "/q"
    assert forbidden.request.environ["clerk.instance"] is mine
    assert forbidden.request.environ["clerk.auth"].user_id == "user_1"
    assert forbidden.reason == "role-missing"


def test_the_request_of_an_error_is_made_when_somebody_asks_for_it() -> None:
    errors: list[ClerkError | None] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        errors.append(refusal_in(environ, Requirement(role="admin")))
        start_response(OK, [])
        return []

    for keys in ({}, bearer()):
        status_of(with_session(app, clerk()), **keys)
        [error] = errors
        assert error is not None
        assert callable(error._request)
        assert not hasattr(error._request, "environ")
        errors.clear()


@pytest.mark.parametrize(
    "verdict",
    [None, False, True, 0, 401, "", "refused", {}, [], object(), HTTPFound, int, lambda *_: None],
    ids=repr,
)
def test_a_handler_of_ones_own_decides_by_what_it_returns(verdict: Any) -> None:
    app = App()
    wrapped = with_session(require(app, role="admin", on_error=lambda _: verdict), clerk())
    answers = [serve(wrapped), serve(wrapped, **bearer())]
    if verdict is HTTPFound:
        assert [answer.status[:3] for answer in answers] == ["302", "302"]
        assert app.calls == 0
        return
    assert [answer.status for answer in answers] == [OK, OK]
    first, second = app.environs
    assert isinstance(first["clerk.error"], Unauthenticated)
    assert first["clerk.session"] is None
    assert isinstance(second["clerk.error"], Forbidden)
    assert second["clerk.session"].user_id == "user_1"


class Falsy(Exception):
    """A refusal that is a WSGI application, and false."""

    def __bool__(self) -> bool:
        return False

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("418 I'm a Teapot", [])
        return []


class Empty(Exception):
    """A refusal that is false."""

    status_code = 402

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Falsy(), "418 I'm a Teapot"),
        (Falsy, "418 I'm a Teapot"),
        (Empty(), "402 Payment Required"),
        (Empty, "402 Payment Required"),
        (BaseException(), "500 Internal Server Error"),
        (SystemExit, "500 Internal Server Error"),
        (ValueError("secret"), "500 Internal Server Error"),
        (Forbidden("no", status_code=404), "404 Not Found"),
        (Forbidden("no", status_code=99), "500 Internal Server Error"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("wrap", ["require", "protect", "require_session"])
def test_every_exception_refuses_whatever_its_truth_is(
    wrap: str, verdict: Any, status: str
) -> None:
    app = App()
    wrapped: WSGIApplication
    if wrap == "require":
        wrapped = with_session(require(app, on_error=lambda _: verdict), clerk())
    elif wrap == "protect":
        wrapped = protect(app, clerk(), lambda _: verdict)
    else:
        wrapped = require_session(app, clerk(), lambda _: verdict)
    answer = serve(wrapped)
    assert (answer.status, app.calls) == (status, 0)
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(None, FORBIDDEN), (False, FORBIDDEN), (Falsy(), "418 I'm a Teapot"), (Empty, "402")],
    ids=repr,
)
def test_in_the_midst_of_a_view_nothing_can_be_let_through(verdict: Any, status: str) -> None:
    verdicts = Verdicts(lambda _: verdict, error_response)
    assert serve(verdicts.final_answer_to(Forbidden("no"))).status.startswith(status)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_what_clerk_answers_to_the_application_is_no_answer_to_its_clients(status: int) -> None:
    """A wrong secret key is Clerk's 401, which every browser would take for a sign-out."""
    asked: list[ClerkError] = []
    error = ApiError("no", status_code=status, data=[{"code": "secret"}], reason="x")
    answer = serve(Verdicts(asked.append, error_response).final_answer_to(error))
    assert (answer.status, answer.body) == ("502 Bad Gateway", b"")
    assert asked[0].reason == "clerk-api-refused"
    assert asked[0].__cause__ is error


async def asynchronous(_error: ClerkError) -> None:
    raise AssertionError("this never runs")


def generating(_error: ClerkError) -> Iterator[None]:
    yield None


def failing(_error: object) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"on_error": asynchronous}, TypeError),
        ({"on_error": generating}, TypeError),
        ({"on_error": failing}, ZeroDivisionError),
        ({"on_error": lambda: None}, TypeError),
        ({"error_response": failing}, ZeroDivisionError),
        ({"error_response": lambda _: None}, TypeError),
        ({"error_response": lambda _: b"refused"}, TypeError),
        ({"error_response": lambda _: ("401", [])}, TypeError),
    ],
    ids=str,
)
def test_a_handler_that_fails_or_is_none_lets_nobody_in(
    options: dict[str, Any], error: type[Exception]
) -> None:
    app = App()
    mine = clerk()
    for wrapped in (
        with_session(require(app, **options), mine),
        protect(app, mine, **options),
        require_session(app, mine, **options),
    ):
        with pytest.raises(error):
            serve(wrapped)
    assert app.calls == 0


def test_a_refusal_says_what_was_decided_as_the_wrappers_own_does() -> None:
    reason = "session-token-and-uat-missing"
    for wrapped in (with_session(require(App()), clerk()), protect(App(), clerk())):
        answer = serve(wrapped)
        assert answer.all("X-Clerk-Auth-Status") == ["signed-out"]
        assert answer.all("X-Clerk-Auth-Reason") == [reason]
        assert answer.headers == serve(require_session(App(), clerk())).headers
    forbidden = serve(with_session(require(App(), role="admin"), clerk()), **bearer())
    assert forbidden.all("X-Clerk-Auth-Status") == []
    public = serve(protect(App(), clerk(), public="/"))
    assert public.all("X-Clerk-Auth-Status") == []


def test_whoever_must_verify_again_is_told_so_in_clerks_words() -> None:
    wrapped = with_session(require(App(), reverification="strict"), clerk())
    answer = serve(wrapped, **bearer(fva=[1, 90]))
    assert answer.status == FORBIDDEN
    assert answer.one("Content-Type") == "application/json"
    assert json.loads(answer.body)["clerk_error"]["reason"] == "reverification-error"


def test_an_error_response_of_ones_own_makes_the_answer() -> None:
    wrapped = with_session(
        require(App(), role="admin", error_response=json_error_response), clerk()
    )
    answer = serve(wrapped, **bearer())
    assert json.loads(answer.body) == {"error": "The role org:admin is missing."}


def test_people_are_sent_to_sign_in_and_not_if_they_are_signed_in() -> None:
    mine = Clerk(jwt_key=minter().pem, dotenv=False, sign_in_url="/sign-in")
    wrapped = mine.with_session(require(App(), role="admin", on_error=sign_in_on_error))
    answer = serve(wrapped, HTTP_ACCEPT="text/html", PATH_INFO="/a")
    assert answer.status == "303 See Other"
    assert answer.one("Location") == "/sign-in?redirect_url=http%3A%2F%2Fapp.test%2Fa"
    at_work = Clerk(
        jwt_key=minter().pem, dotenv=False, sign_in_url="/sign-in", clock=lambda: NOW
    ).with_session(require(App(), role="admin", on_error=sign_in_on_error))
    assert serve(at_work, HTTP_ACCEPT="text/html", **bearer()).status == FORBIDDEN


# ---- who is asking


def test_a_pending_session_is_nobody() -> None:
    app = App()
    seen: list[ClerkError] = []
    for guard in (require(app, on_error=refusing(seen)), require(app, role="admin")):
        answer = serve(with_session(guard, clerk()), **bearer(sts="pending", v=2, **ADMIN))
        assert answer.status == UNAUTHORIZED
    assert (seen[0].reason, app.calls) == ("session-pending", 0)


@pytest.mark.parametrize(
    "keys",
    [
        {"HTTP_AUTHORIZATION": "Bearer a.b.c"},
        {"HTTP_COOKIE": "__session=x"},
        bearer(exp=1),
        {"HTTP_AUTHORIZATION": f"Bearer {Minter().token(**ADMIN)}"},
        {"HTTP_CLERK_AUTH": "user_1", "HTTP_CLERK.AUTH": "user_1", "HTTP_REMOTE_USER": "user_1"},
        {"REMOTE_USER": "user_1"},
        {"QUERY_STRING": "__session=x&clerk.auth=1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "BREW"])
def test_a_refused_token_and_a_forged_header_are_nobody(keys: dict[str, str], method: str) -> None:
    app = App()
    wrapped = with_session(require(app), clerk())
    assert serve(wrapped, REQUEST_METHOD=method, **keys).status == UNAUTHORIZED
    assert serve(protect(app, clerk()), REQUEST_METHOD=method, **keys).status == UNAUTHORIZED
    assert app.calls == 0


def test_a_machine_passes_if_nothing_but_somebody_is_required(
    clerk_emulator: Emulator, clerk_tokens: Tokens
) -> None:
    key = bearer_of(clerk_tokens.api_key()).environ
    mine = clerk_for(clerk_emulator, accepts_token="api_key")
    for wrapped in (mine.with_session(require(App())), protect(App(), mine)):
        assert serve(wrapped, **key).status == OK
        assert serve(wrapped, HTTP_AUTHORIZATION="Bearer ak_wrong").status == UNAUTHORIZED
        assert serve(wrapped, **bearer()).status == UNAUTHORIZED
    for guard in (
        require(App(), role="x"),
        require(App(), permission="x"),
        require(App(), feature="x"),
        require(App(), plan="x"),
        require(App(), reverification="lax"),
    ):
        assert serve(mine.with_session(guard), **key).status == FORBIDDEN


def test_an_outage_is_503_further_in_as_well() -> None:
    case = without_keys()
    seen: list[ClerkError] = []
    app = App()
    for guard in (
        require(app, on_error=refusing(seen)),
        require(require(app), role="admin", on_error=refusing(seen)),
        require(app, below="/admin"),
    ):
        answer = serve(case.wrap(with_session, guard), PATH_INFO="/admin")
        assert answer.status == UNAVAILABLE
        assert int(answer.one("Retry-After")) > 0
    assert [type(error) for error in seen] == [ClerkUnavailable] * 2
    assert all(error.request is not None for error in seen)
    answer = serve(case.wrap(protect, app))
    assert (answer.status, app.calls) == (UNAVAILABLE, 0)
    page = case.wrap(with_session, require(app, on_error=sign_in_on_error))
    assert serve(page, HTTP_ACCEPT="text/html").status == UNAVAILABLE


def test_a_browser_goes_through_its_handshake_before_anything_is_required() -> None:
    app = App()
    mine = Clerk(
        jwt_key=minter().pem, publishable_key="pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", dotenv=False
    )
    for wrapped in (
        mine.with_session(require(app, on_error=failing)),
        protect(app, mine, failing, public="/"),
    ):
        answer = serve(wrapped, HTTP_SEC_FETCH_DEST="document")
        assert answer.status == "307 Temporary Redirect"
        assert answer.one("Location").startswith("https://clerk.example.com/v1/client/handshake?")
    assert app.calls == 0


def test_cookies_of_a_handshake_go_on_a_refusal() -> None:
    cookie = "__client_uat=1; Path=/"
    case = by_handshake(cookie)
    for wrapped in (case.wrap(with_session, require(App())), case.wrap(protect, App())):
        answer = serve(wrapped)
        assert (answer.status, answer.all("Set-Cookie")) == (UNAUTHORIZED, [cookie])
        assert answer.all("Cache-Control") == ["private, no-store"]
    token = f"__session={minter().token()}; Path=/"
    forbidden = serve(by_handshake(token).wrap(with_session, require(App(), role="admin")))
    assert (forbidden.status, forbidden.all("Set-Cookie")) == (FORBIDDEN, [token])


def test_on_an_exempt_path_a_requirement_further_in_lets_nobody_in() -> None:
    app = App()
    seen: list[ClerkError] = []
    mine = clerk()
    for instance in (mine, lambda _environ: mine):
        wrapped = with_session(require(app, on_error=refusing(seen)), instance, exempt=["/healthz"])
        assert status_of(wrapped, "/healthz", **bearer(**ADMIN)) == UNAUTHORIZED
        assert status_of(wrapped, "/", **bearer(**ADMIN)) == OK
    assert app.calls == 2
    assert [error.request.path for error in seen if error.request] == ["/healthz"] * 2
    paged = Clerk(jwt_key=minter().pem, dotenv=False, sign_in_url="/sign-in")
    page = with_session(require(app, on_error=sign_in_on_error), paged, exempt="/healthz")
    assert status_of(page, "/healthz", HTTP_ACCEPT="text/html") == UNAUTHORIZED


def test_a_host_without_an_instance_is_refused_with_its_own_error() -> None:
    app = App()
    error = ClerkError("nobody here", status_code=404, reason="unknown-host")

    def choose(_environ: object) -> Clerk:
        raise error

    for wrapped in (with_session(require(app, role="admin"), choose), protect(app, choose)):
        assert serve(wrapped, **bearer(**ADMIN)).status == "404 Not Found"
    page = with_session(require(app, on_error=sign_in_on_error), choose)
    assert serve(page, HTTP_ACCEPT="text/html").status == "404 Not Found"
    assert app.calls == 0


def test_what_another_instance_decided_does_not_count() -> None:
    theirs = Clerk(jwt_key=Minter().pem, dotenv=False)
    app = App()
    inside = with_session(with_session(require(app), theirs), clerk())
    assert serve(inside, **bearer()).status == UNAUTHORIZED
    around = with_session(require(with_session(app, theirs)), clerk())
    assert serve(around, **bearer()).status == OK
    assert app.environ["clerk.session"] is None


def test_requirements_may_be_nested_and_the_first_that_fails_answers() -> None:
    app = App()
    mine = clerk()
    inner = require(app, permission="org:teams:write")
    wrapped = with_session(require(with_session(inner, mine), role="admin"), mine)
    seen = [serve(wrapped, **keys).status for keys in ({}, bearer(**MEMBER), bearer(**ADMIN))]
    assert seen == [UNAUTHORIZED, FORBIDDEN, FORBIDDEN]
    assert (
        serve(wrapped, **bearer(**{**ADMIN, "org_permissions": ["org:teams:write"]})).status == OK
    )
    assert app.calls == 1


def test_what_one_requirement_lets_through_the_next_still_asks_for() -> None:
    app = App()
    mine = clerk()
    inner = require(app, permission="org:teams:write")
    wrapped = with_session(require(inner, role="admin", on_error=lambda _: None), mine)
    assert serve(wrapped).status == UNAUTHORIZED
    assert serve(wrapped, **bearer(**MEMBER)).status == FORBIDDEN
    assert app.calls == 0


def test_a_stale_decision_is_not_asked_about_a_new_request() -> None:
    """An environ that is used again, by a server that is careless, or by a test."""
    app = App()
    wrapped = with_session(require(app), clerk())
    environ = full_environ(**bearer())
    assert serve(wrapped, environ).status == OK
    del environ["HTTP_AUTHORIZATION"]
    assert serve(wrapped, environ).status == UNAUTHORIZED
    assert app.calls == 1


def test_a_choice_of_instance_that_fails_leaves_nobody_signed_in() -> None:
    app = App()
    wrapped = with_session(require(app), failing)
    environ = full_environ()
    with pytest.raises(ZeroDivisionError):
        serve(wrapped, environ)
    with pytest.raises(LookupError):
        serve(require(app), environ)
    assert app.calls == 0


def test_a_guard_is_a_good_wsgi_application_and_touches_nothing() -> None:
    app = App()
    wrapped = validator(with_session(validator(require(validator(app))), clerk()))
    for keys in ({}, bearer()):
        for method in ("GET", "HEAD", "POST"):
            serve(wrapped, REQUEST_METHOD=method, **keys)
    assert app.calls == 3
    body = object()

    def returning(_environ: WSGIEnvironment, _start: StartResponse) -> Any:
        return body

    guard = with_session(require(returning), clerk())
    assert guard(full_environ(**bearer()), lambda *_: lambda _: None) is body


def test_threads_get_the_answers_of_one() -> None:
    app = App()
    wrapped = with_session(require(app, role="admin"), clerk())
    tokens = [bearer(sub=f"user_{n}", **(ADMIN if n % 2 else MEMBER)) for n in range(6)]

    def ask(turn: int) -> tuple[str, str]:
        environ = full_environ(**tokens[turn % 6])
        return serve(wrapped, environ).status, environ["clerk.auth"].user_id

    with ThreadPoolExecutor(8) as pool:
        for turn, (status, user) in enumerate(pool.map(ask, range(600))):
            assert status == (OK if turn % 2 else FORBIDDEN)
            assert user == f"user_{turn % 6}"
    assert app.calls == 300


class Marker:
    """Something in an environ whose end can be seen."""


@pytest.mark.parametrize("keys", [{}, bearer(), {"HTTP_AUTHORIZATION": "Bearer a.b.c"}])
@pytest.mark.parametrize("verdict", [None, Forbidden("no")], ids=["let through", "refused"])
def test_a_refusal_keeps_no_environ_alive(keys: dict[str, str], verdict: Any) -> None:
    mine = clerk()

    def on_error(error: ClerkError) -> Any:
        assert error.request is not None
        return verdict

    wrapped = with_session(require(lambda *_: [], role="admin", on_error=on_error), mine)
    exempt = with_session(require(lambda *_: [], on_error=on_error), mine, exempt="/")
    gc.collect()
    gc.disable()
    try:
        for app in (wrapped, exempt):
            marker = Marker()
            alive = weakref.ref(marker)
            environ = full_environ(**keys, marker=marker)
            app(environ, lambda *_: lambda _: None)
            del environ, marker
            assert alive() is None
    finally:
        gc.enable()


# ---- everything but the public paths


PUBLIC = ["/", "/about", "/static/*"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", OK),
        ("/", OK),
        ("/about", OK),
        ("/static/app.css", OK),
        ("/static/", OK),
        ("/about/", UNAUTHORIZED),
        ("/static", UNAUTHORIZED),
        ("/admin", UNAUTHORIZED),
        ("/About", UNAUTHORIZED),
        ("/static/../admin", BAD_REQUEST),
        ("//", BAD_REQUEST),
        ("*", BAD_REQUEST),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_all_but_the_public_paths_needs_a_session(path: str, status: str, method: str) -> None:
    app = App()
    wrapped = protect(app, clerk(), public=PUBLIC)
    assert status_of(wrapped, path, REQUEST_METHOD=method) == status
    assert app.calls == (status == OK)
    signed_in = status_of(wrapped, path, REQUEST_METHOD=method, **bearer())
    assert signed_in == (BAD_REQUEST if status == BAD_REQUEST else OK)


def test_on_public_paths_the_application_knows_who_is_there() -> None:
    app = App()
    wrapped = protect(app, clerk(), public=PUBLIC)
    for keys in ({}, bearer(), {"HTTP_AUTHORIZATION": "Bearer a.b.c"}):
        assert status_of(wrapped, "/about", **keys) == OK
    nobody, somebody, refused = app.environs
    assert nobody["clerk.session"] is refused["clerk.session"] is None
    assert somebody["clerk.session"].user_id == "user_1"
    assert refused["clerk.error"].reason.startswith("token-invalid")


def test_the_handler_is_asked_about_protected_paths_alone() -> None:
    seen: list[ClerkError] = []
    wrapped = protect(App(), clerk(), refusing(seen), public=PUBLIC)
    for path in ("/", "/about", "/static/x", "//admin", "/admin"):
        status_of(wrapped, path)
    [error] = seen
    assert error.request is not None
    assert error.request.path == "/admin"


def test_an_ambiguous_path_is_refused_whatever_the_handler_says() -> None:
    app = App()
    for wrapped in (
        protect(app, clerk(), lambda _: None, public=PUBLIC),
        with_session(require(app, below="/admin", on_error=lambda _: None), clerk()),
    ):
        for keys in ({}, bearer(**ADMIN)):
            assert status_of(wrapped, "/static/../admin", **keys) == BAD_REQUEST
    assert app.calls == 0


def test_nothing_is_public_unless_it_is_named() -> None:
    for path in ("", "/", "/about", "/favicon.ico"):
        assert status_of(protect(App(), clerk()), path) == UNAUTHORIZED
    for public in ("/*", "*", "", "static", "/a/../b"):
        with pytest.raises(ValueError, match="public path"):
            protect(App(), clerk(), public=public)
    with pytest.raises(ValueError, match="public path"):
        protect(App(), clerk(), public=["/", "/*"])


def test_options_are_those_of_the_wrapper() -> None:
    app, told = App(), []
    wrapped = protect(
        app,
        clerk(),
        public=iter(PUBLIC),
        debug_headers=True,
        remote_user=True,
        on_decision=lambda *one: told.append(one),
    )
    assert isinstance(wrapped, ClerkMiddleware)
    status_of(wrapped, "/admin", **bearer())
    assert (app.environ["REMOTE_USER"], len(told)) == ("user_1", 1)
    assert serve(wrapped).all("X-Clerk-Auth-Status") == ["signed-out"]
    with pytest.raises(TypeError, match="publics"):
        protect(App(), clerk(), publics=[])  # type: ignore[call-arg]


@pytest.mark.parametrize("exempt", ["/healthz", ["/healthz"], iter(["/healthz"])])
def test_what_is_exempt_is_public_and_nobody_is_asked_about_there(exempt: Any) -> None:
    app, told = App(), []
    wrapped = protect(
        app, clerk(), public=PUBLIC, exempt=exempt, on_decision=lambda *one: told.append(one)
    )
    assert status_of(wrapped, "/healthz", **bearer()) == OK
    assert app.environ["clerk.state"].reason == "path-exempt"
    assert told == []
    for path in ("/healthz/", "/healthz/x", "/healthzx", "/HEALTHZ"):
        assert status_of(wrapped, path) == UNAUTHORIZED
    for path in ("/healthz//", "/x/../healthz", "//healthz", "/healthz%2f"):
        assert status_of(wrapped, path) == BAD_REQUEST
    assert status_of(wrapped, "/healthz", RAW_URI="/admin%2f..%2fhealthz") == BAD_REQUEST
    for wrong in ("/healthz*", "/static/*", "healthz"):
        with pytest.raises(ValueError, match="expected a decoded path|does not begin"):
            protect(App(), clerk(), exempt=wrong)


@pytest.mark.parametrize(
    ("mount", "path", "status"),
    [
        ("/app", "", OK),
        ("/app", "/about", OK),
        ("/app", "/admin", UNAUTHORIZED),
        ("/static", "/admin", UNAUTHORIZED),  # as if gunicorn got a header SCRIPT_NAME
        ("/static", "/x", UNAUTHORIZED),
        ("/stat", "ic/x", BAD_REQUEST),
        ("/static/", "/x", BAD_REQUEST),
        ("/static", "x", BAD_REQUEST),
        ("/static/..", "/about", BAD_REQUEST),
        ("/", "/about", BAD_REQUEST),
        ("//x", "/about", BAD_REQUEST),
        ("/x\\", "/about", BAD_REQUEST),
        ("/about", "/", OK),
        ("/admin", "", OK),
    ],
)
def test_below_a_mount_the_path_is_the_one_that_the_application_routes_on(
    mount: str, path: str, status: str
) -> None:
    wrapped = protect(App(), clerk(), public=PUBLIC)
    assert serve(wrapped, SCRIPT_NAME=mount, PATH_INFO=path).status == status


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
def test_what_the_client_sent_must_hide_nothing_either(name: str) -> None:
    app = App()
    wrapped = protect(app, clerk(), public=PUBLIC)
    assert status_of(wrapped, "/static/x", **{name: "/static/x?a=%2f"}) == OK
    assert status_of(wrapped, "/static/x", **{name: ""}) == OK
    for target in ("/static%2fx", "/static/a%2f..%2fx", "http://app.test/static/x", "*", "//x"):
        assert status_of(wrapped, "/static/x", **{name: target}) == BAD_REQUEST
    assert app.calls == 2


# ---- some paths and all below them


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/users", "/a/b", "/a/b/c"])
def test_below_a_path_and_at_it_something_is_required(path: str) -> None:
    app = App()
    wrapped = with_session(require(app, below=["/admin/", "/a/b"], role="admin"), clerk())
    assert status_of(wrapped, path) == UNAUTHORIZED
    assert status_of(wrapped, path, **bearer(**MEMBER)) == FORBIDDEN
    assert status_of(wrapped, path, REQUEST_METHOD="OPTIONS") == UNAUTHORIZED
    assert app.calls == 0
    assert status_of(wrapped, path, **bearer(**ADMIN)) == OK


@pytest.mark.parametrize("path", ["", "/", "/administer", "/a", "/a/bc", "/x/admin", "/admin.html"])
def test_elsewhere_nothing_is_required(path: str) -> None:
    wrapped = with_session(require(App(), below=["/admin/", "/a/b"], role="admin"), clerk())
    assert status_of(wrapped, path) == OK


SPELLINGS = [
    *("/Admin", "/ADMIN", "/aDMIN/x", "/admin;x", "/admin;x=1/users", "/Admin;/x", "/admin;"),
    *("/%61dmin", "/adm\u0130n", "/adm\u0131n/x", "/\uff21\uff24\uff2d\uff29\uff2e", "/\u24d0dmin"),
    *("/@@admin", "/@@Admin/x", "/@@admin;x", "/@@@@admin"),
    *("/admin ", "/ admin", "/admin.", "/admin./x", "/admin .", "/admin\xa0/x"),
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_that_an_application_may_overlook_leads_past_it(path: str) -> None:
    app = App()
    routed = path_info(path) if path.isascii() else path.encode().decode("latin-1")
    wrapped = with_session(require(app, below="/admin", role="admin"), clerk())
    assert status_of(wrapped, routed) == UNAUTHORIZED
    assert status_of(wrapped, routed, **bearer(**MEMBER)) == FORBIDDEN
    assert app.calls == 0


@pytest.mark.parametrize("below", ["/Admin", "/ADMIN/", "/admin;x", "/@@admin"])
def test_it_does_not_matter_how_the_path_was_named(below: str) -> None:
    wrapped = with_session(require(App(), below=below), clerk())
    for path in ("/admin", "/ADMIN/x", "/admin;y", below.encode().decode("latin-1")):
        assert status_of(wrapped, path) == UNAUTHORIZED, path


FOLDINGS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": lambda text: text.upper().lower(),
    "swapcase": lambda text: text.swapcase().lower(),
    "casefold": str.casefold,
    "NFKC": lambda text: unicodedata.normalize("NFKC", text).lower(),
}


def test_every_letter_that_some_folding_makes_another_is_folded() -> None:
    """An application that routes without regard to case may do so in any of these ways."""
    for letter in string.ascii_lowercase:
        guard = with_session(require(App(), below=f"/{letter}"), clerk())
        is_letter = re.compile(letter, re.IGNORECASE).fullmatch
        for other in map(chr, range(0x80, 0x3000)):
            folded = [fold(other) for fold in FOLDINGS.values()]
            if letter in folded or is_letter(other):
                path = f"/{other}".encode().decode("latin-1")
                assert status_of(guard, path) == UNAUTHORIZED, (letter, other)


@pytest.mark.parametrize("target", HOSTILE)
def test_a_path_that_could_be_another_is_refused_where_only_some_are_guarded(target: str) -> None:
    app = App()
    wrapped = with_session(require(app, below="/admin", role="admin"), clerk())
    assert status_of(wrapped, path_info(target), **bearer(**ADMIN)) == BAD_REQUEST
    assert app.calls == 0


def test_what_is_below_is_seen_from_the_application_not_from_the_mount() -> None:
    wrapped = with_session(require(App(), below="/admin"), clerk())
    assert serve(wrapped, SCRIPT_NAME="/shop", PATH_INFO="/admin").status == UNAUTHORIZED
    assert serve(wrapped, SCRIPT_NAME="/admin", PATH_INFO="/x").status == OK
    assert serve(wrapped, SCRIPT_NAME="/shop/", PATH_INFO="admin").status == BAD_REQUEST
    assert serve(wrapped, SCRIPT_NAME="/adm", PATH_INFO="in/x").status == BAD_REQUEST


def test_a_path_that_a_header_moves_is_neither_public_nor_unguarded() -> None:
    """Pyramid's traversal puts the header before the path."""
    moved = {"HTTP_X_VHM_ROOT": "/admin"}
    app = App()
    some = with_session(require(app, below="/admin", role="admin"), clerk())
    assert status_of(protect(app, clerk(), public=PUBLIC), "/", **moved) == UNAUTHORIZED
    assert status_of(some, "/", **moved, **bearer(**MEMBER)) == FORBIDDEN
    assert app.calls == 0
    assert status_of(some, "/", **moved, **bearer(**ADMIN)) == OK
    assert status_of(some, "/", HTTP_X_VHM_ROOT="") == OK


def test_a_part_may_ask_for_more_than_the_whole() -> None:
    app = App()
    wrapped = protect(require(app, below="/admin", role="admin"), clerk(), public=PUBLIC)
    table = {
        "/": (OK, OK, OK),
        "/x": (UNAUTHORIZED, OK, OK),
        "/admin/x": (UNAUTHORIZED, FORBIDDEN, OK),
    }
    for path, statuses in table.items():
        for keys, status in zip(({}, bearer(**MEMBER), bearer(**ADMIN)), statuses, strict=True):
            assert status_of(wrapped, path, **keys) == status


# ---- in front of real frameworks


SECRET, PRIVATE, OPEN = b"the secret", b"members may see this", b"everybody may see this"
IS_ADMIN = re.compile("/admin(/.*)?", re.DOTALL | re.IGNORECASE)


def body_at(path: str) -> bytes:
    """What is to be seen at a path that an application has made of what was asked for."""
    if IS_ADMIN.fullmatch(path):
        return SECRET
    is_open = path in ("", "/", "/about") or path.startswith("/static/")
    return OPEN if is_open else PRIVATE


def flask_app() -> WSGIApplication:
    app = Flask(__name__, static_folder=None)

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    def view(path: str) -> bytes:
        return body_at(f"/{path}")

    return app


def bottle_app() -> WSGIApplication:
    app = Bottle()

    @app.route("/")  # type: ignore[untyped-decorator]
    @app.route("/<path:path>")  # type: ignore[untyped-decorator]
    def view(path: str = "") -> bytes:
        return body_at(f"/{path}")

    found: WSGIApplication = app
    return found


def falcon_app() -> WSGIApplication:
    def view(req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = body_at(req.path)

    app: Any = falcon.App()
    app.req_options.strip_url_path_trailing_slash = True
    app.add_sink(view, "/")
    found: WSGIApplication = app
    return found


def pyramid_app() -> WSGIApplication:
    def view(request: Any) -> Response:
        return Response(body_at("/" + "/".join(request.matchdict["path"])))

    with Configurator() as config:
        config.add_route("any", "/*path")
        config.add_view(view, route_name="any")
        found: WSGIApplication = config.make_wsgi_app()
    return found


class Resource(dict[str, Any]):
    """A place in a tree that Pyramid walks through."""


def traversal_app() -> WSGIApplication:
    """Resources instead of routes: ``/admin`` is one, and a view of the root, too."""

    def open_view(_request: Any) -> Response:
        return Response(OPEN)

    def secret_view(_request: Any) -> Response:
        return Response(SECRET)

    class Root(Resource):
        pass

    class Secret(Resource):
        pass

    tree = Root(static=Resource(x=Resource()), admin=Secret(x=Secret(), static=Secret()))
    with Configurator(root_factory=lambda _request: tree) as config:
        config.add_view(open_view, context=Resource)
        config.add_view(secret_view, context=Secret)
        config.add_view(secret_view, name="admin", context=Root)
        config.add_view(open_view, name="about")
        found: WSGIApplication = config.make_wsgi_app()
    return found


def django_view(request: Any) -> HttpResponse:
    return HttpResponse(body_at(request.path_info))


def django_app() -> WSGIApplication:
    """Django without a settings file: the one of tests.django_site, with a route of its own."""
    routes = {"urlconf": (re_path(r"(?s)^.*\Z", django_view),)}
    request_class = type("RoutedRequest", (WSGIRequest,), routes)
    found: WSGIApplication = type("Site", (WSGIHandler,), {"request_class": request_class})()
    return found


def careless_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Whatever anybody has ever done to a path before routing on it."""
    path = unquote(
        unquote(environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "ignore"))
    )
    path = re.sub("[\x00-\x20]", "", path.replace("\\", "/"))
    path = re.sub("/+", "/", resolved(without_parameters(f"/{path}"))).casefold()
    start_response(OK, [("Content-Type", "text/plain")])
    return [body_at(path)]


APPS: dict[str, Callable[[], WSGIApplication]] = {
    "flask": flask_app,
    "bottle": bottle_app,
    "falcon": falcon_app,
    "pyramid": pyramid_app,
    "traversal": traversal_app,
    "django": django_app,
    "careless": lambda: careless_app,
}
MORE = [
    *("/ADMIN", "/Admin/x", "/aDmIn", "/admin;x", "/admin/", "/admin.html", "/@@admin", "/admin/x"),
    *("/static", "/staticx", "/static/../../admin", "/about/../admin", "/about/", "/about;x"),
    *("/static/%c0%ae%c0%ae/admin", "/adm%ffin", "/%61dmin", "/admin%20", "/%20admin", "/admin?"),
    *("/.//admin", "/static/..%00/admin", "/static/%2e%2e%2fadmin", "/about%2f..%2fadmin"),
    *("//app.test/admin", "/http://app.test/admin", "http://app.test/admin", "/x:80/admin"),
]
TARGETS = [*HOSTILE, *MORE]
HEADERS = [
    {},
    {"X-Vhm-Root": "/admin"},
    {"X-Original-URL": "/", "X-Rewrite-URL": "/"},
    {"X-Forwarded-Prefix": "/static", "X-Script-Name": "/static"},
    {"X-HTTP-Method-Override": "GET", "X-Forwarded-Host": "other.test"},
]


@cache
def framework(name: str) -> WSGIApplication:
    return APPS[name]()


def keys_of(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()}


def test_there_are_enough_targets() -> None:
    assert len(set(TARGETS)) > 100


@pytest.mark.parametrize("name", APPS)
def test_the_frameworks_show_their_secret_to_who_is_signed_in(name: str) -> None:
    app = protect(framework(name), clerk(), public=PUBLIC)
    assert serve(app, PATH_INFO="/admin", HTTP_HOST="testserver", **bearer()).body == SECRET
    for path in ("/", "/about", "/static/x"):
        assert serve(app, PATH_INFO=path, HTTP_HOST="testserver").body == OPEN


@pytest.mark.parametrize("name", APPS)
def test_without_a_guard_hostile_paths_do_lead_there(name: str) -> None:
    """So that the tests below have something to find."""
    found = 0
    for target in TARGETS:
        with suppress(UnicodeDecodeError):  # which Pyramid raises
            answer = serve(framework(name), PATH_INFO=path_info(target), HTTP_HOST="testserver")
            found += answer.body in (SECRET, PRIVATE) and target not in ("/admin", "/admin/")
    assert found > 3


@pytest.mark.parametrize("headers", HEADERS, ids=lambda one: next(iter(one), "none"))
@pytest.mark.parametrize("name", APPS)
def test_no_hostile_path_leads_a_stranger_to_what_is_protected(
    name: str, headers: dict[str, str]
) -> None:
    app = protect(framework(name), clerk(), public=PUBLIC)
    for target in TARGETS:
        for mount in ("", "/static", "/admin"):
            keys = {"PATH_INFO": path_info(target), "SCRIPT_NAME": mount, **keys_of(headers)}
            body = serve(app, HTTP_HOST="testserver", **keys).body
            assert body not in (SECRET, PRIVATE), (target, mount)
    for path in ("/", "/about", "/static/x"):
        keys = {"PATH_INFO": path, **keys_of(headers)}
        assert serve(app, HTTP_HOST="testserver", **keys).body not in (SECRET, PRIVATE)


@pytest.mark.parametrize("name", APPS)
def test_no_hostile_path_leads_past_what_is_required_below_a_path(name: str) -> None:
    app = with_session(require(framework(name), below="/admin", role="admin"), clerk())
    for headers in HEADERS:
        for target in (*TARGETS, *SPELLINGS):
            path = path_info(target) if target.isascii() else target.encode().decode("latin-1")
            keys = {"PATH_INFO": path, "HTTP_HOST": "testserver", **keys_of(headers)}
            assert serve(app, **keys, **bearer(**MEMBER)).body != SECRET, target
    allowed = serve(app, PATH_INFO="/admin", HTTP_HOST="testserver", **bearer(**ADMIN))
    assert allowed.body == SECRET


# ---- under a real gunicorn


def served() -> WSGIApplication:
    """All of them, by a header that says which; the instance is the default one."""
    apps = {name: protect(framework(name), public=PUBLIC) for name in APPS}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return apps[environ["HTTP_X_FRAMEWORK"]](environ, start_response)

    return application


def send(port: int, target: str, headers: dict[str, str]) -> bytes:
    """Send a target as it is, and return all of what comes back."""
    lines = [f"GET {target} HTTP/1.0", "Host: testserver"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        with connection.makefile("rb") as answered:
            return answered.read()


SENDABLE = [text for text in TARGETS if text and not set(text) & set(" \r\n\x00\t")]
GUNICORN_HEADERS = [
    {},
    {"X-Vhm-Root": "/admin"},
    {"SCRIPT_NAME": "/static"},
    {"SCRIPT_NAME": "/stat"},
    {"PATH_INFO": "/static/x"},
]


@pytest.mark.servers
def test_no_target_leads_a_stranger_past_a_real_server() -> None:
    with start_emulator() as running:
        emulator = running.emulator
        token = emulator.session_token(emulator.sessions()[0]["id"], expires_in=600)
        with gunicorn("tests.test_guards:served()", running, "--threads", "8") as url:
            port = int(url.rpartition(":")[2])
            for name in APPS:
                chosen = {"X-Framework": name}
                known = {**chosen, "Authorization": f"Bearer {token}"}
                assert send(port, "/admin", known).endswith(SECRET)
                assert send(port, "/about?a=%2f", chosen).endswith(OPEN)
            questions = [
                (target, {"X-Framework": name, **headers})
                for name in APPS
                for headers in GUNICORN_HEADERS
                for target in (*SENDABLE, "/static/admin", "/static/@@admin")
            ]
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda asked: send(port, *asked), questions))
    for asked, answer in zip(questions, answers, strict=True):
        assert answer.startswith(b"HTTP/1."), asked
        assert SECRET not in answer, asked
        assert PRIVATE not in answer, asked
