"""Pyramid: who is asking, what views require, and what becomes of whom they do not let in."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pyramid.authorization import Allow, Authenticated, Deny, Everyone
from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.exceptions import ConfigurationConflictError, ConfigurationExecutionError
from pyramid.httpexceptions import HTTPForbidden, HTTPFound, HTTPNotFound
from pyramid.response import Response
from pyramid.security import forget, remember
from webtest import TestApp

from clerk_wsgi import (
    Clerk,
    ClerkError,
    ConfigurationError,
    Forbidden,
    Requirement,
    Unauthenticated,
    get_auth,
    get_session,
    json_error_response,
    sign_out,
    with_session,
)
from clerk_wsgi.emulator import Failure
from clerk_wsgi.integrations.pyramid import ClerkSecurityPolicy, require
from clerk_wsgi.testing import bearer, clerk_for

from ..processes import PROJECT, clean_environ
from ..wrapping import bringing, by_handshake, full_environ, minter, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from clerk_wsgi.emulator import Emulator
    from clerk_wsgi.testing import RunningEmulator, SignIn, SignOut, Tokens

INCLUDE = "clerk_wsgi.integrations.pyramid"
PAGE = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
SIGN_IN = "https://accounts.example.com/sign-in"
COOKIE = f"__session={minter().token()}; Path=/"


def hello(request: Any) -> Any:
    return {"user": request.clerk.user_id}


def never_called(request: Any) -> Any:
    raise AssertionError("this view is not for you")


def make_app(
    clerk: object, configure: Callable[[Any], object] = lambda config: None, **settings: Any
) -> Any:
    """Return an application: ``hello`` at ``/``, and at ``/view`` whatever ``configure`` adds."""
    given = {"clerk.instance": clerk, **{f"clerk.{name}": one for name, one in settings.items()}}
    with Configurator(settings=given) as config:
        config.include(INCLUDE)
        config.add_route("home", "/")
        config.add_route("view", "/view")
        config.add_view(hello, route_name="home", renderer="json")
        configure(config)
        return config.make_wsgi_app()


def with_view(view: Any = hello, **options: Any) -> Callable[[Any], object]:
    options = {"route_name": "view", "renderer": "json", **options}
    return lambda config: config.add_view(view, **options)


@pytest.fixture
def local(clerk_emulator: Emulator) -> Clerk:
    """An instance without a publishable key: no browser is sent through handshakes."""
    return clerk_for(clerk_emulator, publishable_key="", sign_in_url=SIGN_IN)


# ---- who is asking ----


def test_views_see_who_is_there_or_nobody(
    local: Clerk, signed_in: SignIn, signed_out: SignOut
) -> None:
    browser = TestApp(make_app(local))
    assert browser.get("/").json == {"user": None}
    who = signed_in(browser)
    assert browser.get("/").json == {"user": who.user["id"]}
    assert signed_out(browser).get("/").json == {"user": None}


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "pending", "api_key"])
def test_a_refused_token_is_nobody_and_refuses_nothing_by_itself(
    kind: str, local: Clerk, clerk_tokens: Tokens
) -> None:
    browser = bearer(getattr(clerk_tokens, kind)()).apply(TestApp(make_app(local)))
    assert browser.get("/").json == {"user": None}


def test_the_request_has_the_auth_of_the_environ(local: Clerk, signed_in: SignIn) -> None:
    def view(request: Any) -> Any:
        assert request.clerk is get_auth(request)
        assert request.clerk is request.environ["clerk.auth"]
        assert request.environ["clerk.instance"] is local
        session = get_session(request)
        assert session is not None
        return {"user": request.clerk.user.id, "session": session.id}

    browser = TestApp(make_app(local, with_view(view)))
    who = signed_in(browser)
    assert browser.get("/view").json == {"user": who.user["id"], "session": who.session["id"]}


def test_pyramids_own_attributes_say_the_same(local: Clerk, signed_in: SignIn) -> None:
    def view(request: Any) -> Any:
        is_auth = request.identity is request.clerk
        return [is_auth, request.authenticated_userid, request.is_authenticated]

    browser = TestApp(make_app(local, with_view(view)))
    assert browser.get("/view").json == [False, None, False]
    who = signed_in(browser)
    assert browser.get("/view").json == [True, who.user["id"], True]


def test_a_machine_is_known_by_whom_it_stands_for(
    clerk_emulator: Emulator, clerk_tokens: Tokens
) -> None:
    clerk = clerk_for(clerk_emulator, accepts_token=["session_token", "api_key"])

    def view(request: Any) -> Any:
        return [request.clerk.token_type, request.authenticated_userid]

    app = make_app(clerk, with_view(view, clerk_require=True))
    browser = bearer(clerk_tokens.api_key()).apply(TestApp(app))
    assert browser.get("/view").json == ["api_key", clerk_tokens.user["id"]]
    browser = bearer(clerk_tokens.api_key("revoked")).apply(TestApp(app))
    browser.get("/view", status=401)


def test_a_machine_that_stands_for_nobody_else_is_known_by_itself(
    clerk_emulator: Emulator, clerk_tokens: Tokens
) -> None:
    clerk = clerk_for(clerk_emulator, accepts_token="any")
    app = make_app(clerk, with_view(lambda request: request.authenticated_userid))
    browser = bearer(clerk_tokens.m2m_jwt()).apply(TestApp(app))
    assert browser.get("/view").json.startswith("mch_")


def test_exempt_paths_are_answered_without_asking(local: Clerk, signed_in: SignIn) -> None:
    browser = TestApp(make_app(local, exempt="/healthz /"))
    signed_in(browser)
    assert browser.get("/").json == {"user": None}


def test_a_wrapper_around_the_application_decides_once(local: Clerk, signed_in: SignIn) -> None:
    decisions: list[object] = []

    def count(state: object, seconds: float) -> None:
        decisions.append(state)

    app = make_app(local, with_view(clerk_require=True), on_decision=count)
    browser = TestApp(with_session(app, local, on_decision=count))
    signed_in(browser)
    browser.get("/view")
    assert len(decisions) == 1


def test_subscribers_and_root_factories_know_who_is_asking(local: Clerk, signed_in: SignIn) -> None:
    seen: list[object] = []

    def see(request: Any) -> object:
        seen.append(request.clerk.user_id)
        return request

    def configure(config: Any) -> None:
        config.set_root_factory(see)
        config.add_subscriber(lambda event: see(event.request), "pyramid.events.NewRequest")

    browser = TestApp(make_app(local, configure))
    who = signed_in(browser)
    browser.get("/")
    assert seen == [who.user["id"]] * 2


# ---- browsers ----


def test_a_browser_that_has_to_go_to_clerk_is_sent_there_before_any_view(clerk: Clerk) -> None:
    browser = TestApp(make_app(clerk, with_view(never_called)))
    answer = browser.get("/view", headers=PAGE, status=307)
    assert "/v1/client/handshake?" in answer.headers["Location"]
    assert answer.body == b""


def cookies_at_home(configure: Callable[[Any], object], **keys: str) -> Any:
    """Return the answer to a browser that comes back from Clerk with a cookie to be set."""
    case = by_handshake(COOKIE)
    app = bringing(case.keys, make_app(case.clerk, configure))
    return serve(app, **{"PATH_INFO": "/view", **keys})


def test_cookies_of_a_handshake_go_on_the_response_of_the_view() -> None:
    def view(request: Any) -> Any:
        request.response.set_cookie("mine", "1")
        request.response.cache_control = "public"
        return {}

    answer = cookies_at_home(with_view(view))
    assert answer.status == "200 OK"
    assert answer.all("Set-Cookie") == ["mine=1; Path=/", COOKIE]
    assert answer.one("Cache-Control") == "private, no-store"


def raising(error: BaseException) -> Callable[[Any], Any]:
    def view(request: Any) -> Any:
        raise error

    return view


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HTTPFound("/elsewhere"), "302 Found"),
        (HTTPNotFound(), "404 Not Found"),
        (Forbidden("no", reason="no"), "403 Forbidden"),
    ],
)
def test_cookies_of_a_handshake_go_on_the_response_of_an_exception_view(
    error: BaseException, status: str
) -> None:
    answer = cookies_at_home(with_view(raising(error)))
    assert (answer.status, answer.all("Set-Cookie")) == (status, [COOKIE])


def test_cookies_of_a_handshake_go_on_a_page_that_is_not_there_and_on_a_refusal() -> None:
    answer = cookies_at_home(with_view(), PATH_INFO="/nowhere")
    assert (answer.status, answer.all("Set-Cookie")) == ("404 Not Found", [COOKIE])
    answer = cookies_at_home(with_view(clerk_require={"role": "org:admin"}))
    assert (answer.status, answer.all("Set-Cookie")) == ("403 Forbidden", [COOKIE])


def test_a_response_that_is_everybodys_keeps_no_cookie_of_anybody() -> None:
    shared = Response("hello")
    answer = cookies_at_home(with_view(lambda request: shared, renderer=None))
    assert answer.all("Set-Cookie") == [COOKIE]
    assert answer.body == b"hello"
    assert "Set-Cookie" not in shared.headers


def test_a_response_that_needs_nothing_is_passed_on_itself(local: Clerk) -> None:
    mine, seen = Response("hello"), []

    def configure(config: Any) -> None:
        with_view(lambda request: mine, renderer=None)(config)
        config.add_subscriber(lambda event: seen.append(event.response), NewResponse)

    TestApp(make_app(local, configure)).get("/view")
    assert seen == [mine]


def test_what_a_view_streams_is_passed_on_piece_by_piece() -> None:
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            sent.append(number)
            yield b"x" * (1 << 20)

    def view(request: Any) -> Any:
        return Response(app_iter=pieces(), content_type="text/plain")

    case = by_handshake(COOKIE)
    for keys in ({}, case.keys):
        sent.clear()
        app = make_app(case.clerk, with_view(view, renderer=None))
        environ = full_environ(PATH_INFO="/view", **keys)
        body = app(environ, lambda *args: lambda data: None)
        iterator = iter(body)
        assert sent in ([], [0])
        assert len(next(iterator)) == 1 << 20
        assert sent == [0]
        assert len(b"".join(iterator)) == 2 << 20


def test_head_has_the_headers_and_no_body() -> None:
    case = by_handshake(COOKIE)
    app = make_app(case.clerk, with_view())
    for keys in ({}, case.keys):
        answer = serve(bringing(keys, app), PATH_INFO="/view", REQUEST_METHOD="HEAD")
        assert (answer.status, answer.body) == ("200 OK", b"")
        assert int(answer.one("Content-Length")) > 0


def test_what_the_application_raises_is_not_swallowed(local: Clerk) -> None:
    browser = TestApp(make_app(local, with_view(lambda request: 1 / 0)))
    with pytest.raises(ZeroDivisionError):
        browser.get("/view")


# ---- what views require ----

REQUIRED = [
    {"clerk_require": True},
    {"clerk_require": {}},
    {"clerk_require": Requirement()},
    {"decorator": require},
    {"decorator": require()},
]


@pytest.mark.parametrize("options", REQUIRED)
def test_a_view_may_require_somebody(
    options: Mapping[str, Any], local: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(local, with_view(**options)))
    refused = browser.get("/view", status=401)
    assert refused.body == b""
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    who = signed_in(browser)
    assert browser.get("/view").json == {"user": who.user["id"]}


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "pending", "api_key"])
def test_a_token_that_does_not_count_does_not_get_in(
    kind: str, local: Clerk, clerk_tokens: Tokens
) -> None:
    app = make_app(local, with_view(never_called, clerk_require=True))
    answer = bearer(getattr(clerk_tokens, kind)()).apply(TestApp(app)).get("/view", status=401)
    assert ("X-Clerk-Auth-Reason" in answer.headers) is (kind != "pending")


def test_people_are_sent_to_sign_in_and_come_back(local: Clerk) -> None:
    browser = TestApp(make_app(local, with_view(clerk_require=True)))
    answer = browser.get("/view?a=1", headers=PAGE, status=303)
    back = "http%3A%2F%2Flocalhost%2Fview%3Fa%3D1"
    assert answer.headers["Location"] == f"{SIGN_IN}?redirect_url={back}"


ADMINS = [
    {"clerk_require": {"role": "org:admin"}},
    {"decorator": require(role="admin")},
]


@pytest.mark.parametrize("options", ADMINS)
def test_a_view_may_require_a_role(
    options: Mapping[str, Any], local: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(local, with_view(**options)))
    browser.get("/view", status=401)
    signed_in(browser)
    browser.get("/view", status=403)
    signed_in(browser, org_role="org:member")
    browser.get("/view", headers=PAGE, status=403)
    signed_in(browser, org_role="org:admin")
    browser.get("/view", status=200)


def test_a_stale_second_factor_is_told_to_clerks_front_end(local: Clerk, signed_in: SignIn) -> None:
    browser = TestApp(make_app(local, with_view(clerk_require={"reverification": "strict"})))
    signed_in(browser, claims={"fva": [0, 11]})
    answer = browser.post("/view", status=403)
    assert answer.json["clerk_error"]["reason"] == "reverification-error"
    assert answer.json["clerk_error"]["metadata"] == {"reverification": "strict"}
    signed_in(browser, claims={"fva": [0, 9]})
    browser.post("/view", status=200)


def test_an_outage_of_clerk_is_no_sign_out(
    local: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(local, with_view(clerk_require=True)))
    signed_in(browser)
    clerk_emulator.faults.add(Failure(status=503))
    answer = browser.get("/view", headers=PAGE, status=503)
    assert int(answer.headers["Retry-After"]) > 0
    assert browser.get("/").json == {"user": None}


def test_nothing_else_is_asked_of_whom_the_option_refuses(local: Clerk) -> None:
    def acl() -> Any:
        raise AssertionError("nobody is there to be looked up in an ACL")

    class Guarded:
        __acl__ = staticmethod(acl)

    def configure(config: Any) -> None:
        config.set_root_factory(lambda request: Guarded())
        with_view(clerk_require=True, permission="x", require_csrf=True, http_cache=60)(config)

    answer = TestApp(make_app(local, configure)).post("/view", status=401)
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_option_may_stand_on_a_class_and_be_lifted_for_one_view(local: Clerk) -> None:
    class Views:
        __view_defaults__: ClassVar[Any] = {
            "clerk_require": True,
            "renderer": "json",
            "route_name": "view",
        }

        def __init__(self, request: Any) -> None:
            self.request = request

        def get(self) -> Any:
            return {}

    def configure(config: Any) -> None:
        config.add_view(Views, attr="get", request_method="GET", clerk_require=False)
        config.add_view(Views, attr="get", request_method="POST")

    browser = TestApp(make_app(local, configure))
    browser.get("/view", status=200)
    browser.post("/view", status=401)


@require
def request_alone(request: Any) -> Any:
    return {"user": request.clerk.user_id}


@require(permission="org:teams:read")
def context_and_request(context: Any, request: Any) -> Any:
    assert context is request.context
    return {"user": request.clerk.user_id}


class Guarded:
    def __init__(self, context: Any, request: Any) -> None:
        self.request = request

    @require
    def method(self) -> Any:
        return {"user": self.request.clerk.user_id}

    @require
    def with_request(self, request: Any) -> Any:
        return {"user": request.clerk.user_id}


class Instance:
    def __call__(self, request: Any) -> Any:
        return {"user": request.clerk.user_id}


@pytest.mark.parametrize(
    ("view", "options"),
    [
        (request_alone, {}),
        (context_and_request, {}),
        (Guarded, {"attr": "method"}),
        (Guarded(None, None).with_request, {}),
        (require(Instance()), {}),
    ],
)
def test_the_decorator_guards_views_of_every_kind(
    view: Any, options: Mapping[str, Any], local: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(local, with_view(view, **options)))
    browser.get("/view", status=401)
    who = signed_in(browser, permissions=["org:teams:read"])
    assert browser.get("/view").json == {"user": who.user["id"]}


def test_the_decorator_guards_a_view_that_another_view_calls(local: Clerk) -> None:
    browser = TestApp(make_app(local, with_view(lambda request: request_alone(request=request))))
    browser.get("/view", status=401)


@pytest.mark.parametrize(
    "malformed",
    [
        lambda: require(role="not a role"),
        lambda: require(colour="blue"),  # type: ignore[call-overload]  # it is refused
        lambda: require(Guarded),
        lambda: require("view"),  # type: ignore[call-overload]  # likewise
    ],
)
def test_what_is_malformed_fails_where_it_is_written(malformed: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        malformed()


@pytest.mark.parametrize(
    "options",
    [
        {"clerk_require": {"role": "not a role"}},
        {"clerk_require": {"colour": "blue"}},
        {"clerk_require": "org:admin"},
        {"clerk_require": 1},
        {"permission": "org:not a permission"},
        {"clerk_role": "not a role"},
        {"clerk_permission": 7},
        {"clerk_plan": "team:gold"},
        {"clerk_signed_in": "false"},
    ],
)
def test_what_is_malformed_fails_when_the_application_is_made(
    options: Mapping[str, Any], local: Clerk
) -> None:
    with pytest.raises((TypeError, ValueError, ConfigurationExecutionError)):
        make_app(local, with_view(**options))


def test_a_guarded_view_refuses_to_be_called_without_a_request() -> None:
    with pytest.raises(TypeError, match="without a request"):
        request_alone(object())


def test_a_guarded_view_fails_where_nobody_has_included_the_integration() -> None:
    with Configurator() as config:
        config.add_route("view", "/view")
        config.add_view(request_alone, route_name="view", renderer="json")
        app = config.make_wsgi_app()
    with pytest.raises(LookupError, match=r'config.include\("clerk_wsgi.integrations.pyramid"\)'):
        TestApp(app).get("/view")


# ---- what becomes of refusals ----


def test_an_error_handler_may_let_a_request_through(local: Clerk) -> None:
    app = make_app(local, with_view(clerk_require=True), on_error=lambda error: None)
    assert TestApp(app).get("/view").json == {"user": None}


def test_an_error_handler_is_asked_once_and_told_which_request(local: Clerk) -> None:
    asked: list[ClerkError] = []

    def on_error(error: ClerkError) -> ClerkError:
        asked.append(error)
        return error

    for options in ({"clerk_require": True}, {"permission": "org:teams:read"}, {"permission": "x"}):
        asked.clear()
        app = make_app(local, with_view(**options), on_error=on_error)
        TestApp(app).get("/view?a=1", status=401)
        (error,) = asked
        assert error.request is not None
        assert error.request.path_qs == "/view?a=1"


def test_an_error_handler_that_answers_by_a_forbidden_view_is_asked_once(local: Clerk) -> None:
    asked: list[ClerkError] = []

    def on_error(error: ClerkError) -> HTTPForbidden:
        asked.append(error)
        return HTTPForbidden()

    app = make_app(local, with_view(clerk_require=True), on_error=on_error)
    TestApp(app).get("/view", status=403)
    assert len(asked) == 1


class Teapot(Exception):
    status_code = 418


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (HTTPFound("/sign-in"), 302),
        (HTTPForbidden(), 403),
        (Teapot(), 418),
        (Teapot, 418),
        (Unauthenticated(status_code=404), 404),
    ],
)
@pytest.mark.parametrize("options", [{"clerk_require": True}, {"permission": "org:teams:read"}])
def test_what_an_error_handler_returns_answers(
    verdict: object, status: int, options: Mapping[str, Any], local: Clerk
) -> None:
    app = make_app(local, with_view(**options), on_error=lambda error: verdict)
    TestApp(app).get("/view", status=status)


def test_an_error_handler_may_be_a_text_in_the_settings(local: Clerk) -> None:
    app = make_app(local, with_view(clerk_require=True), on_error="clerk_wsgi:strict_on_error")
    TestApp(app).get("/view", headers=PAGE, status=401)


@pytest.mark.parametrize("options", [{"clerk_require": True}, {"permission": "org:teams:read"}])
def test_an_error_response_may_be_ones_own(options: Mapping[str, Any], local: Clerk) -> None:
    app = make_app(local, with_view(**options), error_response=json_error_response)
    assert "error" in TestApp(app).get("/view", status=401).json


def test_an_exception_view_of_the_application_answers_refusals_and_errors(
    local: Clerk, signed_in: SignIn
) -> None:
    def configure(config: Any) -> None:
        with_view(clerk_require={"role": "org:admin"})(config)
        config.add_route("raising", "/raising")
        config.add_view(raising(Forbidden("", reason="mine")), route_name="raising")
        config.add_exception_view(
            lambda error, request: Response(error.reason, status=410), context=Forbidden
        )

    browser = TestApp(make_app(local, configure))
    browser.get("/view", status=401)
    signed_in(browser)
    assert browser.get("/view", status=410).text == "role-missing"
    assert browser.get("/raising", status=410).text == "mine"


def test_a_forbidden_view_of_the_application_answers_denied_permissions(
    local: Clerk, signed_in: SignIn
) -> None:
    def configure(config: Any) -> None:
        with_view(permission="org:teams:read")(config)
        config.add_forbidden_view(
            lambda request: Response(str(request.is_authenticated), status=403)
        )

    browser = TestApp(make_app(local, configure))
    assert browser.get("/view", status=403).text == "False"
    signed_in(browser)
    assert browser.get("/view", status=403).text == "True"


def test_a_forbidden_view_may_answer_requirements_too(local: Clerk, signed_in: SignIn) -> None:
    def configure(config: Any) -> None:
        with_view(clerk_require={"role": "org:admin"})(config)
        config.add_forbidden_view(lambda request: Response("a page", status=403))

    browser = TestApp(make_app(local, configure, on_error=lambda error: HTTPForbidden()))
    signed_in(browser)
    assert browser.get("/view", status=403).text == "a page"


# ---- errors in the midst of a view ----


def test_an_error_of_clerks_api_becomes_a_response(local: Clerk) -> None:
    def view(request: Any) -> Any:
        return request.environ["clerk.instance"].users.get("user_nobody")

    TestApp(make_app(local, with_view(view))).get("/view", status=502)


def test_an_outage_in_the_midst_of_a_view_is_503(
    clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    clerk = clerk_for(clerk_emulator, publishable_key="", timeout=0.2)
    browser = TestApp(make_app(clerk, with_view(lambda request: request.clerk.user.id)))
    signed_in(browser)
    browser.get("/view")
    clerk_emulator.faults.add(Failure(status=None, prefix="/v1/users"))
    browser.get("/view", status=503)


def test_a_requirement_may_be_checked_in_the_midst_of_a_view(
    local: Clerk, signed_in: SignIn
) -> None:
    def view(request: Any) -> Any:
        Requirement(role="org:admin").check(request.clerk)
        return {}

    browser = TestApp(make_app(local, with_view(view)))
    browser.get("/view", status=401)
    assert browser.get("/view", headers=PAGE, status=303).headers["Location"].startswith(SIGN_IN)
    signed_in(browser)
    browser.get("/view", status=403)


def test_an_error_in_the_midst_of_a_view_cannot_be_let_through(local: Clerk) -> None:
    view = with_view(raising(Forbidden("no", reason="no")))
    TestApp(make_app(local, view, on_error=lambda error: None)).get("/view", status=403)


# ---- predicates ----


@pytest.mark.parametrize(
    ("predicate", "who"),
    [
        ({"clerk_signed_in": True}, {}),
        ({"clerk_role": "org:admin"}, {"org_role": "org:admin"}),
        ({"clerk_permission": "org:teams:read"}, {"permissions": ["org:teams:read"]}),
        ({"clerk_feature": "export"}, {"claims": {"fea": "u:export"}}),
        ({"clerk_plan": "user:gold"}, {"claims": {"pla": "u:gold"}}),
    ],
)
def test_predicates_choose_among_views_and_routes(
    predicate: dict[str, Any], who: dict[str, Any], local: Clerk, signed_in: SignIn
) -> None:
    def chosen(request: Any) -> str:
        return "chosen"

    def other(request: Any) -> str:
        return "other"

    def configure(config: Any) -> None:
        with_view(chosen, **predicate)(config)
        with_view(other)(config)
        config.add_route("guarded", "/route", **predicate)
        config.add_view(chosen, route_name="guarded", renderer="json")

    browser = TestApp(make_app(local, configure))
    assert browser.get("/view").json == "other"
    browser.get("/route", status=404)
    signed_in(browser, **who)
    assert browser.get("/view").json == "chosen"
    assert browser.get("/route").json == "chosen"


def test_a_predicate_may_ask_for_nobody(local: Clerk, signed_in: SignIn) -> None:
    browser = TestApp(make_app(local, with_view(clerk_signed_in=False)))
    browser.get("/view", status=200)
    signed_in(browser)
    browser.get("/view", status=404)


def test_two_views_with_the_same_predicate_are_a_conflict(local: Clerk) -> None:
    def configure(config: Any) -> None:
        with_view(clerk_role="org:admin")(config)
        with_view(lambda request: {}, clerk_role="org:admin")(config)

    with pytest.raises(ConfigurationConflictError):
        make_app(local, configure)


# ---- permissions ----


def test_permissions_of_clerks_are_asked_of_the_session(local: Clerk, signed_in: SignIn) -> None:
    def view(request: Any) -> Any:
        return bool(request.has_permission("org:teams:manage"))

    browser = TestApp(make_app(local, with_view(view, permission="org:teams:read")))
    browser.get("/view", status=401)
    assert browser.get("/view", headers=PAGE, status=303).headers["Location"].startswith(SIGN_IN)
    signed_in(browser)
    assert browser.get("/view", headers=PAGE, status=403).body == b""
    signed_in(browser, permissions=["org:teams:read"])
    assert browser.get("/view").json is False
    signed_in(browser, permissions=["org:teams:read", "org:teams:manage"])
    assert browser.get("/view").json is True


class Resource:
    def __init__(self, *acl: tuple[str, str, str]) -> None:
        self.__acl__ = acl


def with_acl(*acl: tuple[str, str, str]) -> Callable[[Any], None]:
    def configure(config: Any) -> None:
        config.set_root_factory(lambda request: Resource(*acl))
        with_view(permission="edit")(config)

    return configure


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        (Authenticated, {}),
        ("user_ada", {"user_id": "user_ada"}),
        ("org:admin", {"org_role": "org:admin"}),
        ("org_acme", {"org_id": "org_acme"}),
        ("org_acme/org:admin", {"org_id": "org_acme", "org_role": "org:admin"}),
    ],
)
def test_other_permissions_are_those_of_an_acl(
    principal: str, who: dict[str, Any], local: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(local, with_acl((Allow, principal, "edit"))))
    browser.get("/view", status=401)
    assert browser.get("/view", headers=PAGE, status=303).headers["Location"].startswith(SIGN_IN)
    if who:
        signed_in(browser, user_id="user_eve", org_id="org_other", org_role="org:member")
        assert "denied" in browser.get("/view", status=403)
    signed_in(browser, **who)
    browser.get("/view", status=200)


def test_a_role_elsewhere_is_no_role_here(local: Clerk, signed_in: SignIn) -> None:
    browser = TestApp(make_app(local, with_acl((Allow, "org_acme/org:admin", "edit"))))
    signed_in(browser, org_id="org_other", org_role="org:admin")
    browser.get("/view", status=403)


def test_an_acl_may_be_for_everyone_and_deny(local: Clerk, signed_in: SignIn) -> None:
    acl = [(Deny, "user_eve", "edit"), (Allow, Everyone, "edit")]
    browser = TestApp(make_app(local, with_acl(*acl)))
    browser.get("/view", status=200)
    signed_in(browser, user_id="user_eve")
    browser.get("/view", status=403)


def test_without_an_acl_a_permission_is_denied(local: Clerk, signed_in: SignIn) -> None:
    browser = TestApp(make_app(local, with_view(permission="edit")))
    signed_in(browser, org_role="org:admin")
    browser.get("/view", status=403)


def test_a_security_policy_of_the_application_wins(local: Clerk, signed_in: SignIn) -> None:
    class Policy(ClerkSecurityPolicy):
        def is_mine(self) -> bool:
            return True

    policy = Policy()

    def view(request: Any) -> Any:
        return type(request.registry.queryUtility(ISecurityPolicy)).__name__

    from pyramid.interfaces import ISecurityPolicy

    def configure(config: Any) -> None:
        config.set_security_policy(policy)
        with_view(view)(config)

    assert TestApp(make_app(local, configure)).get("/view").json == "Policy"


# ---- signing out ----


def test_it_is_clerk_that_remembers_and_forgetting_takes_the_token_away(
    clerk: Clerk, signed_in: SignIn
) -> None:
    def view(request: Any) -> Any:
        assert list(remember(request, "user_1")) == []
        request.response.headerlist.extend(forget(request))
        return {}

    browser = TestApp(make_app(clerk, with_view(view)))
    signed_in(browser, carrier="cookies")
    cookies = browser.get("/view").headers.getall("Set-Cookie")
    suffixed = f"__session_{clerk.settings.publishable_key.suffix}"  # type: ignore[union-attr]
    assert [cookie.partition("=")[0] for cookie in cookies] == ["__session", suffixed]
    assert all("=; Path=/; Max-Age=0;" in cookie for cookie in cookies)


@pytest.mark.parametrize("options", [{"renderer": None}, {"renderer": "json"}])
def test_a_view_may_return_or_raise_a_sign_out(
    options: Mapping[str, Any], clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    def returning(request: Any) -> Any:
        return sign_out(request, "/bye")

    def raising(request: Any) -> Any:
        raise sign_out(request, "/bye")

    for view in (returning, raising):
        browser = TestApp(make_app(clerk, with_view(view, request_method="POST", **options)))
        who = signed_in(browser, carrier="cookies")
        answer = browser.post("/view", status=303)
        assert answer.headers["Location"] == "http://localhost/bye"
        assert len(answer.headers.getall("Set-Cookie")) == 2
        assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


# ---- requests that no tween has seen ----


def test_a_subrequest_is_decided_about_by_itself(local: Clerk, signed_in: SignIn) -> None:
    def view(request: Any) -> Any:
        from pyramid.request import Request

        asked = Request.blank("/", headers={"Authorization": request.headers["Authorization"]})
        with_token = request.invoke_subrequest(asked).json
        return [with_token, request.invoke_subrequest(Request.blank("/")).json]

    browser = TestApp(make_app(local, with_view(view)))
    who = signed_in(browser)
    assert browser.get("/view").json == [{"user": who.user["id"]}, {"user": None}]


def test_a_page_load_that_no_tween_has_seen_is_nobodys(clerk: Clerk) -> None:
    def view(request: Any) -> Any:
        from pyramid.request import Request

        return request.invoke_subrequest(Request.blank("/", headers=PAGE)).json

    assert TestApp(make_app(clerk, with_view(view))).get("/view").json == {"user": None}


def test_views_can_be_tested_without_an_application(local: Clerk, signed_in: SignIn) -> None:
    from pyramid import testing
    from pyramid.request import apply_request_extensions

    request = testing.DummyRequest()
    with testing.testConfig(request=request, settings={"clerk.instance": local}) as config:
        config.include(INCLUDE)
        who = signed_in(request.environ)
        apply_request_extensions(request)
        assert hello(request) == {"user": who.user["id"]}
        assert request_alone(request) == {"user": who.user["id"]}
        assert request.authenticated_userid == who.user["id"]
        with pytest.raises(Forbidden):
            context_and_request(None, request)


# ---- settings ----


def configured(**settings: str) -> Any:
    """Return an application with these settings, as an ``.ini`` file would give them."""
    given = {f"clerk.{name}": value for name, value in settings.items()}
    with Configurator(settings={"clerk.dotenv": "false", **given}) as config:
        config.include(INCLUDE)
        config.add_route("home", "/")
        config.add_view(hello, route_name="home", renderer="json", clerk_require=True)
        return config.make_wsgi_app()


def test_settings_are_texts(clerk_server: RunningEmulator, signed_in: SignIn) -> None:
    app = configured(
        secret_key=clerk_server.emulator.secret_key,
        api_url=clerk_server.url,
        authorized_parties="https://a.example.com\nhttps://b.example.com",
        clock_skew="2.5",
        trust_forwarded="yes",
        debug_headers="true",
        exempt="/healthz, /metrics",
    )
    browser = TestApp(app)
    signed_in(browser, claims={"azp": "https://b.example.com"})
    browser.get("/", status=200)
    signed_in(browser, claims={"azp": "https://c.example.com"})
    assert browser.get("/", status=401).headers["X-Clerk-Auth-Reason"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secret_kye": "sk_test_x"}, "clerk.secret_kye: .* did you mean clerk.secret_key?"),
        ({"on_eror": "x"}, "clerk.on_eror: there is no such setting"),
        ({"timeout": "soon", "secret_key": "sk_test_x"}, "clerk.timeout: expected a number"),
        ({"remote_user": "perhaps", "secret_key": "sk_test_x"}, "clerk.remote_user: expected 1"),
        ({"instance": "nowhere:clerk"}, "clerk.instance: expected package.module:name"),
        ({"secret_key": "sk_test_ä"}, "secret_key"),
        ({"secret_key": ""}, "secret_key is empty"),
    ],
)
def test_a_wrong_setting_fails_when_the_integration_is_included(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configured(**settings)


def test_settings_of_an_instance_and_an_instance_contradict_each_other(local: Clerk) -> None:
    with pytest.raises(ConfigurationError, match=r"leave out clerk.secret_key$"):
        make_app(local, secret_key="sk_test_x")


@pytest.mark.parametrize("name", ["on_error", "error_response", "on_decision"])
def test_what_cannot_be_called_fails_when_the_integration_is_included(
    name: str, local: Clerk
) -> None:
    with pytest.raises(TypeError, match=f"{name} must be callable"):
        make_app(local, with_view(), **{name: "clerk_wsgi:__version__"})


def test_without_settings_it_is_the_default_instance(
    default_clerk: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(make_app(None))
    who = signed_in(browser)
    assert browser.get("/").json == {"user": who.user["id"]}


def test_an_instance_may_be_chosen_for_each_request(local: Clerk, signed_in: SignIn) -> None:
    def choose(environ: Mapping[str, Any]) -> Clerk:
        if environ["HTTP_HOST"].startswith("a."):
            return local
        raise ClerkError("nobody here", status_code=404, reason="unknown-host")

    browser = TestApp(make_app(choose, with_view(clerk_require=True)))
    who = signed_in(browser)
    home = browser.get("/view", headers={"Host": "a.example.com"})
    assert home.json == {"user": who.user["id"]}
    browser.get("/view", headers={"Host": "b.example.com"}, status=404)


# ---- what it is made of ----


def test_without_pyramid_the_import_says_what_is_missing() -> None:
    code = "import sys; sys.modules['pyramid'] = None; import clerk_wsgi.integrations.pyramid"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = run.stderr.splitlines()[-1]
    assert last == (
        "ImportError: clerk_wsgi.integrations.pyramid needs Pyramid: pip install pyramid"
    )


def test_the_tween_is_around_the_exception_views(local: Clerk) -> None:
    from pyramid.interfaces import ITweens

    app = make_app(local)
    names = [name for name, _ in app.registry.queryUtility(ITweens).implicit()]
    assert names == [f"{INCLUDE}.clerk_tween_factory", "pyramid.tweens.excview_tween_factory"]
