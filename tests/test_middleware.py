"""What the wrapper tells the application, and what it puts on responses."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from webob import Request
from webob.exc import HTTPSeeOther

from clerk_wsgi import (
    Auth,
    Clerk,
    ClerkMiddleware,
    ClerkUnavailable,
    ConfigurationError,
    Handshake,
    MachineAuth,
    Session,
    SignedIn,
    Unauthenticated,
    get_auth,
    get_session,
    require_session,
    set_default,
    with_session,
)
from clerk_wsgi.additions import additions_of, has_location, redirect
from clerk_wsgi.refusals import error_of
from clerk_wsgi.testing import bearer as bearer_of
from clerk_wsgi.testing import clerk_for

from .minting import ISSUER_TEST, NOW, PUBLISHABLE_TEST, Minter
from .wrapping import (
    Answer,
    App,
    Case,
    bearer,
    by_handshake,
    clerk,
    cut_off,
    full_environ,
    minter,
    serve,
    signed_in,
    without_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi.testing import Emulator, Tokens

    Wrap = Callable[..., ClerkMiddleware]

EVERY_WRAPPER = pytest.mark.parametrize("wrap", [ClerkMiddleware, with_session, require_session])
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "BREW")
TOKEN = minter().token()
COOKIE = ("Set-Cookie", f"__session={TOKEN}; Path=/")
GONE = ("Set-Cookie", "__session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
OTHER_COOKIE = ("Set-Cookie", "__client_uat=1; Path=/")
CORS = ("Access-Control-Allow-Origin", "null")
NO_STORE = ("Cache-Control", "no-store")
TO_CLERK = ("Location", "https://clerk.example.com/v1/client/handshake?x=1")


# --- wrapping


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default(None)
    yield
    set_default(None)


@EVERY_WRAPPER
@pytest.mark.usefixtures("no_default")
def test_without_a_key_wrapping_fails_at_once(
    wrap: Wrap, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CLERK_SECRET_KEY", "CLERK_API_KEY", "CLERK_JWT_KEY", "CLERK_MACHINE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="CLERK_SECRET_KEY"):
        wrap(App())


@EVERY_WRAPPER
@pytest.mark.usefixtures("no_default")
def test_without_an_instance_the_default_one_of_the_moment_of_wrapping_is_used(wrap: Wrap) -> None:
    first, second = clerk(), clerk()
    app = App()
    set_default(first)
    wrapped = wrap(app)
    set_default(second)
    serve(wrapped, **bearer())
    assert app.environ["clerk.instance"] is first


@EVERY_WRAPPER
def test_an_unknown_option_is_a_type_error(wrap: Wrap) -> None:
    with pytest.raises(TypeError, match="onError"):
        wrap(App(), clerk(), onError=print)
    with pytest.raises(TypeError):
        wrap(App(), clerk(), None, print)


@EVERY_WRAPPER
def test_what_cannot_be_called_is_refused_when_wrapping(wrap: Wrap) -> None:
    with pytest.raises(TypeError, match="app must be callable, not str"):
        wrap("app", clerk())
    with pytest.raises(TypeError, match="error_response must be callable, not int"):
        wrap(App(), clerk(), error_response=401)
    with pytest.raises(TypeError, match="clerk must be callable, not int"):
        wrap(App(), 401)
    with pytest.raises(TypeError, match="on_decision must be callable, not int"):
        wrap(App(), clerk(), on_decision=401)


def test_an_instance_wraps_as_the_functions_do() -> None:
    mine = clerk()
    app = App()
    assert serve(mine.with_session(app)).status == "200 OK"
    assert app.environ["clerk.instance"] is mine
    assert serve(mine.require_session(app)).status == "401 Unauthorized"
    assert serve(mine.require_session(app, on_error=lambda _: None)).status == "200 OK"


# --- what the application finds


@EVERY_WRAPPER
def test_the_application_finds_the_session_of_a_signed_in_request(wrap: Wrap) -> None:
    mine = clerk()
    app = App()
    serve(wrap(app, mine), **bearer(sub="user_7", sid="sess_7"))
    found = app.environ
    assert isinstance(found["clerk.session"], Session)
    assert (found["clerk.session"].user_id, found["clerk.session"].id) == ("user_7", "sess_7")
    assert isinstance(found["clerk.auth"], Auth)
    assert found["clerk.auth"].user_id == "user_7"
    assert found["clerk.error"] is None
    assert found["clerk.instance"] is mine
    assert found["clerk.state"].status == "signed-in"


def test_the_application_finds_nobody_in_a_signed_out_request() -> None:
    app = App()
    serve(with_session(app, clerk()))
    found = app.environ
    assert found["clerk.session"] is None
    assert isinstance(found["clerk.auth"], Auth)
    assert not found["clerk.auth"]
    assert isinstance(found["clerk.error"], Unauthenticated)
    assert found["clerk.state"].status == "signed-out"


def test_an_accepted_machine_token_passes_without_a_session(
    clerk_emulator: Emulator, clerk_tokens: Tokens
) -> None:
    key = bearer_of(clerk_tokens.api_key())
    mine = clerk_for(clerk_emulator, accepts_token="api_key")
    app = App()
    wrapped = require_session(app, mine, remote_user=True)
    assert serve(wrapped, **key.environ, REMOTE_USER="alice").status == "200 OK"
    found = app.environ
    assert found["clerk.session"] is None
    assert found["clerk.auth"] is found["clerk.state"].auth
    assert isinstance(found["clerk.auth"], MachineAuth)
    assert found["clerk.auth"].subject == clerk_tokens.user["id"]
    assert "REMOTE_USER" not in found


FORGED_STATE = SignedIn.from_claims("forged", {"sub": "user_forged", "sid": "sess_forged"})
FORGED = {
    "clerk.session": "forged",
    "clerk.auth": "forged",
    "clerk.error": "forged",
    "clerk.instance": "forged",
    "clerk.state": FORGED_STATE,
    "clerk._decision": ("forged", FORGED_STATE),
}


@EVERY_WRAPPER
@pytest.mark.parametrize("case", [Case(clerk=clerk()), signed_in()], ids=lambda c: c.state.status)
def test_whatever_claimed_to_come_from_us_is_overwritten(wrap: Wrap, case: Case) -> None:
    environ = full_environ(**FORGED)
    serve(case.wrap(wrap, App()), environ)
    state = environ["clerk.state"]
    assert state == case.state
    assert environ["clerk.session"] is state.session
    assert type(environ["clerk.auth"]) is Auth
    assert environ["clerk.auth"].claims == state.auth.claims
    assert environ["clerk.instance"] is case.clerk
    assert environ["clerk.error"] != "forged"


def test_a_redirected_request_has_no_forged_keys_left_either() -> None:
    environ = full_environ(**FORGED)
    answer = serve(PAGE_LOAD.wrap(require_session, App()), environ)
    assert answer.status == "307 Temporary Redirect"
    assert environ["clerk.session"] is environ["clerk.auth"] is environ["clerk.error"] is None


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_CLERK_SESSION",
        "HTTP_CLERK.SESSION",
        "HTTP_X_CLERK_AUTH_STATUS",
        "HTTP_X_CLERK_AUTH_REASON",
        "HTTP_CLERK_AUTH",
        "HTTP_REMOTE_USER",
        "HTTP_X_REMOTE_USER",
        "HTTP_X_USER_ID",
    ],
)
def test_no_request_header_signs_anybody_in(name: str) -> None:
    app = App()
    serve(with_session(app, clerk()), **{name: "user_1"})
    assert get_session(app.environ) is None
    assert not get_auth(app.environ)


@EVERY_WRAPPER
@pytest.mark.parametrize("keys", [{}, bearer()], ids=["signed-out", "signed-in"])
def test_only_clerk_keys_are_added_and_nothing_else_changes(
    wrap: Wrap, keys: dict[str, str]
) -> None:
    environ = full_environ(QUERY_STRING="a=b", HTTP_COOKIE='a=b; "; __client_uat=x', **keys)
    before = dict(environ)
    serve(wrap(App(), clerk()), environ)
    assert {key: environ[key] for key in before} == before
    assert {key.partition(".")[0] for key in environ.keys() - before.keys()} == {"clerk"}


# --- REMOTE_USER


def test_remote_user_is_left_alone_unless_asked_for() -> None:
    app = App()
    keys = {"REMOTE_USER": "alice", "AUTH_TYPE": "Basic"}
    serve(with_session(app, clerk()), **keys)
    serve(with_session(app, clerk()), **keys, **bearer())
    assert [each["REMOTE_USER"] for each in app.environs] == ["alice", "alice"]
    assert [each["AUTH_TYPE"] for each in app.environs] == ["Basic", "Basic"]


def test_remote_user_is_the_user_if_asked_for_whatever_was_there() -> None:
    app = App()
    serve(with_session(app, clerk(), remote_user=True), **bearer(), REMOTE_USER="alice")
    assert app.environ["REMOTE_USER"] == "user_1"
    assert app.environ["AUTH_TYPE"] == "Clerk"


@pytest.mark.parametrize(
    "keys", [{}, bearer(sts="pending"), {"HTTP_AUTHORIZATION": "Bearer a.b.c"}]
)
def test_remote_user_is_removed_if_asked_for_and_nobody_is_signed_in(keys: dict[str, str]) -> None:
    app = App()
    wrapped = with_session(app, clerk(), remote_user=True)
    serve(wrapped, **keys, REMOTE_USER="alice", AUTH_TYPE="Basic")
    serve(wrapped, **keys)
    for found in app.environs:
        assert "REMOTE_USER" not in found
        assert "AUTH_TYPE" not in found


# --- two wrappers around one application


STRANGER = {"HTTP_COOKIE": "__session=x"}


class Counting:
    """A real instance and how often it has decided: each decision looks at the clock once.

    About a request that carries nothing there is nothing to decide.
    """

    def __init__(self) -> None:
        self.clerk = Clerk(jwt_key=minter().pem, dotenv=False, clock=self._tell)
        self.decisions = 0

    def _tell(self) -> float:
        self.decisions += 1
        return NOW


def test_decisions_are_counted() -> None:
    mine = Counting()
    for number, keys in enumerate([STRANGER, bearer(), bearer(), STRANGER]):
        mine.clerk.authenticate(full_environ(**keys))
        assert mine.decisions == number + 1


def between(app: Any, **changes: str | None) -> Any:
    """Return a middleware that changes the environ on the way in; ``None`` removes a key."""

    def changing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for key, value in changes.items():
            environ.pop(key, None)
            if value is not None:
                environ[key] = value
        return app(environ, start_response)  # type: ignore[no-any-return]

    return changing


def test_a_second_wrapper_of_the_same_instance_takes_the_decision_over() -> None:
    mine = Counting()
    app = App()
    serve(with_session(with_session(app, mine.clerk), mine.clerk), **STRANGER)
    assert mine.decisions == 1
    assert app.environ["clerk.session"] is None


def test_a_strict_wrapper_inside_a_lax_one_is_strict() -> None:
    mine = Counting()
    app = App()
    answer = serve(with_session(require_session(app, mine.clerk), mine.clerk), **STRANGER)
    assert (answer.status, app.calls, mine.decisions) == ("401 Unauthorized", 0, 1)


def test_a_mount_that_moves_the_path_does_not_change_the_question() -> None:
    mine = Counting()
    inner = between(with_session(App(), mine.clerk), SCRIPT_NAME="/shop", PATH_INFO="/cart")
    serve(with_session(inner, mine.clerk), PATH_INFO="/shop/cart", **STRANGER)
    assert mine.decisions == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "POST"},
        {"wsgi.url_scheme": "https"},
        {"HTTP_HOST": "other.test"},
        {"HTTP_HOST": None},
        {"SERVER_NAME": "other.test"},
        {"SERVER_PORT": "81"},
        {"SCRIPT_NAME": "/shop"},
        {"PATH_INFO": "/cart"},
        {"QUERY_STRING": "_clerk_session_id=sess_2"},
        {"HTTP_COOKIE": "__session=other"},
        {"HTTP_COOKIE": None},
        {"HTTP_AUTHORIZATION": "Bearer other"},
        {"HTTP_AUTHORIZATION": None},
        {"HTTP_X_FORWARDED_HOST": "other.test"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
    ],
    ids=str,
)
def test_a_changed_question_is_decided_anew(changes: dict[str, str | None]) -> None:
    mine = Counting()
    inner = between(with_session(App(), mine.clerk), **changes)
    serve(with_session(inner, mine.clerk), **bearer(), **STRANGER)
    assert mine.decisions == 2


def test_who_signs_out_on_the_way_in_is_signed_out_inside() -> None:
    mine = clerk()
    app = App()
    inner = between(require_session(app, mine), HTTP_AUTHORIZATION=None)
    assert serve(with_session(inner, mine), **bearer()).status == "401 Unauthorized"
    assert app.calls == 0


def test_another_instance_decides_for_itself_and_overwrites() -> None:
    counting = Counting()
    outer, inner = counting.clerk, Clerk(jwt_key=Minter().pem, dotenv=False)
    app = App()
    serve(with_session(with_session(with_session(app, outer), inner), outer), **bearer())
    assert counting.decisions == 2
    assert app.environ["clerk.instance"] is outer
    assert app.environ["clerk.session"] is not None
    serve(with_session(with_session(app, inner), outer), **bearer())
    assert app.environs[1]["clerk.session"] is None


def test_two_wrappers_side_by_side_send_the_cookies_once_each() -> None:
    case = by_handshake(COOKIE[1])
    first, second = (case.wrap(with_session, App()) for _ in range(2))
    environ = full_environ()
    serve(first, environ)
    assert serve(second, environ).all("Set-Cookie") == [COOKIE[1]]


def test_one_wrapper_inside_another_sends_the_cookies_once() -> None:
    case = by_handshake(GONE[1], OTHER_COOKIE[1])
    mine = case.clerk
    lax = serve(case.wrap(with_session, with_session(App(), mine)))
    strict = serve(case.wrap(with_session, require_session(App(), mine), debug_headers=True))
    for answer in (lax, strict):
        assert answer.all("Set-Cookie") == [GONE[1], OTHER_COOKIE[1]]
        assert answer.all("Cache-Control") == ["private, no-store"]
    assert strict.all("X-Clerk-Auth-Status") == ["signed-out"]


# --- the wrapper's own redirect


PAGE_LOAD = Case(
    clerk=Clerk(jwt_key=minter().pem, publishable_key=PUBLISHABLE_TEST, dotenv=False),
    keys={"HTTP_SEC_FETCH_DEST": "document"},
)
# A handshake begins with a page load alone, and ends whatever the method: in development the
# browser is then sent to an address without what it brought.
REDIRECTED = [
    (PAGE_LOAD, ["GET"]),
    *(
        (by_handshake(line, OTHER_COOKIE[1], key=PUBLISHABLE_TEST), METHODS)
        for line in (COOKIE[1], GONE[1])
    ),
]


@EVERY_WRAPPER
@pytest.mark.parametrize(
    ("case", "method"),
    [(case, method) for case, methods in REDIRECTED for method in methods],
    ids=lambda one: one if isinstance(one, str) else one.state.status,
)
def test_a_state_with_a_location_is_a_307_whatever_the_method(
    wrap: Wrap, case: Case, method: str
) -> None:
    app = App()
    wrapped = case.wrap(wrap, app, lambda _: pytest.fail("not asked"))
    answer = serve(wrapped, REQUEST_METHOD=method)
    assert (answer.status, answer.body, app.calls) == ("307 Temporary Redirect", b"", 0)
    assert answer.one("Content-Length") == "0"
    assert answer.one("Content-Type")
    headers = case.state.headers
    assert answer.headers[: len(headers)] == headers
    assert answer.one("Cache-Control") == "no-store"


@pytest.mark.parametrize("method", METHODS)
def test_the_redirect_itself_is_the_same_for_every_method(method: str) -> None:
    for headers in ([TO_CLERK, COOKIE, NO_STORE, CORS], [COOKIE, CORS, TO_CLERK]):
        answer = serve(redirect(headers), REQUEST_METHOD=method)
        assert (answer.status, answer.body) == ("307 Temporary Redirect", b"")
        assert answer.one("Content-Length") == "0"
        assert answer.headers[: len(headers)] == headers
        assert answer.one("Cache-Control") == "no-store"


@EVERY_WRAPPER
def test_a_browser_without_a_dev_browser_is_sent_to_clerk_and_back(wrap: Wrap) -> None:
    app = App()
    wrapped = wrap(app, PAGE_LOAD.clerk)
    answer = serve(wrapped, HTTP_SEC_FETCH_DEST="document")
    assert (answer.status, answer.body, app.calls) == ("307 Temporary Redirect", b"", 0)
    assert answer.one("Location").startswith(f"{ISSUER_TEST}/v1/client/handshake?redirect_url=")
    assert answer.one("Set-Cookie").startswith("__clerk_redirect_count=1;")
    assert answer.all("Cache-Control") == ["no-store"]
    assert serve(wrapped, HTTP_SEC_FETCH_DEST="empty").status != "307 Temporary Redirect"


def test_a_redirect_says_why_and_is_never_cached() -> None:
    answer = serve(PAGE_LOAD.wrap(with_session, App()))
    assert answer.one("x-clerk-auth-reason") == "dev-browser-missing"
    assert answer.one("Cache-Control") == "no-store"


def test_the_name_of_a_location_counts_in_any_case() -> None:
    for name in ("location", "Location", "LOCATION"):
        assert has_location([COOKIE, (name, "https://clerk.example.com/")])
    assert not has_location([COOKIE, ("X-Location", "https://clerk.example.com/")])


def test_a_handshake_that_leads_nowhere_is_a_refusal() -> None:
    state = Handshake(reason="dev-browser-missing", extra_headers=())
    assert not has_location(state.headers)
    error = error_of(state)
    assert isinstance(error, Unauthenticated)
    assert (error.status_code, error.reason) == (401, "dev-browser-missing")


# --- cookies on what is sent


def sends_cookies(answer: Answer, case: Case) -> None:
    """The cookies of the state are sent, and nothing else of it."""
    cookies = [value for name, value in case.state.headers if name == "Set-Cookie"]
    assert len(cookies) == 2
    assert CORS in case.state.headers
    assert answer.all("Set-Cookie")[-2:] == cookies
    assert answer.all("Cache-Control") == ["private, no-store"]
    assert answer.all("Access-Control-Allow-Origin") == []
    assert answer.all("Access-Control-Allow-Credentials") == []


def test_the_cookies_of_a_signed_in_state_go_on_the_applications_response() -> None:
    case = by_handshake(COOKIE[1], OTHER_COOKIE[1])
    answer = serve(case.wrap(with_session, App()))
    sends_cookies(answer, case)
    assert (answer.status, answer.body) == ("200 OK", b"hello")


def test_the_cookies_of_a_signed_out_state_go_on_the_applications_response() -> None:
    case = by_handshake(GONE[1], OTHER_COOKIE[1])
    sends_cookies(serve(case.wrap(with_session, App())), case)


@pytest.mark.parametrize(
    ("case", "reason", "status"),
    [
        (by_handshake(GONE[1], OTHER_COOKIE[1]), "session-token-missing", "401 Unauthorized"),
        (
            cut_off(COOKIE[1], OTHER_COOKIE[1]),
            "session-verification-failed",
            "503 Service Unavailable",
        ),
    ],
)
def test_the_cookies_of_a_state_go_on_an_error_response(
    case: Case, reason: str, status: str
) -> None:
    assert case.state.reason == reason
    answer = serve(case.wrap(require_session, App()))
    sends_cookies(answer, case)
    assert answer.status == status


def test_the_cookies_of_a_state_go_on_a_handlers_own_answer() -> None:
    case = by_handshake(GONE[1], OTHER_COOKIE[1])
    answer = serve(case.wrap(with_session, App(), lambda _: HTTPSeeOther(location="/sign-in")))
    sends_cookies(answer, case)
    assert answer.status == "303 See Other"


def test_with_cookies_the_applications_headers_stay_but_what_lets_a_cache_keep_them() -> None:
    theirs = [
        ("Content-Type", "text/plain"),
        ("cache-control", "public, max-age=3600"),
        ("Set-Cookie", "a=1"),
        ("X-Twice", "1"),
        ("Set-Cookie", "b=2"),
        ("X-Twice", "2"),
        ("Cache-Control", "immutable"),
        ("Access-Control-Allow-Origin", "https://app.test"),
    ]
    answer = serve(by_handshake(COOKIE[1]).wrap(with_session, App(headers=theirs)))
    assert answer.headers == [
        ("Content-Type", "text/plain"),
        ("Set-Cookie", "a=1"),
        ("X-Twice", "1"),
        ("Set-Cookie", "b=2"),
        ("X-Twice", "2"),
        ("Access-Control-Allow-Origin", "https://app.test"),
        COOKIE,
        ("Cache-Control", "private, no-store"),
    ]


def test_headers_of_a_state_other_than_cookies_do_not_go_on_a_response() -> None:
    sent = [CORS, COOKIE, ("X-Other", "1"), OTHER_COOKIE, NO_STORE]
    cookies = [COOKIE, OTHER_COOKIE, ("Cache-Control", "private, no-store")]
    for debug in (True, False):
        assert additions_of(sent, debug=debug) == cookies
        assert additions_of([CORS, NO_STORE, ("X-Other", "1")], debug=debug) == []
    answer = serve(by_handshake(COOKIE[1]).wrap(with_session, App(), debug_headers=True))
    assert answer.headers == [
        ("Content-Type", "text/plain"),
        COOKIE,
        ("Cache-Control", "private, no-store"),
    ]


# --- debug headers


def debug_headers(answer: Answer) -> list[tuple[str, str]]:
    return [header for header in answer.headers if header[0].startswith("x-clerk-auth-")]


def test_debug_headers_go_on_what_the_wrapper_answers_itself() -> None:
    handler_answers = with_session(App(), clerk(), lambda _: HTTPSeeOther(location="/"))
    for wrapped in (require_session(App(), clerk()), handler_answers):
        assert debug_headers(serve(wrapped)) == [
            ("x-clerk-auth-status", "signed-out"),
            ("x-clerk-auth-reason", "session-token-and-uat-missing"),
            ("x-clerk-auth-message", "Nobody is signed in."),
        ]


def test_debug_headers_go_on_the_applications_response_only_if_asked_for() -> None:
    assert debug_headers(serve(with_session(App(), clerk()))) == []
    answer = serve(with_session(App(), clerk(), debug_headers=True))
    assert debug_headers(answer) == clerk().authenticate(full_environ()).headers
    assert answer.all("Cache-Control") == []


def test_a_signed_in_request_has_no_debug_headers() -> None:
    answer = serve(with_session(App(), clerk(), debug_headers=True), **bearer())
    assert answer.headers == [("Content-Type", "text/plain")]


# --- an outage


def test_without_keys_nobody_is_told_that_they_are_signed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api_url = "http://127.0.0.1:{1}".format(*listener.getsockname())
    cut_off = Clerk(secret_key="sk_test_x", api_url=api_url, dotenv=False, clock=lambda: NOW)
    app = App()
    answer = serve(require_session(app, cut_off), **bearer())
    assert (answer.status, answer.body, app.calls) == ("503 Service Unavailable", b"", 0)
    assert int(answer.one("Retry-After")) > 0
    assert serve(require_session(app, cut_off)).status == "401 Unauthorized"


def test_an_outage_is_a_503_and_never_a_401() -> None:
    case = without_keys()
    assert case.state.reason == "jwk-remote-failed-to-load"
    answer = serve(case.wrap(require_session, App()))
    assert answer.status == "503 Service Unavailable"
    assert int(answer.one("Retry-After")) > 0
    app = App()
    serve(case.wrap(with_session, app))
    assert isinstance(app.environ["clerk.error"], ClerkUnavailable)


# --- finding the session again


def requests_of(environ: dict[str, Any]) -> list[object]:
    """Return the environ in the shapes in which frameworks hand it out."""
    return [
        environ,
        Request(environ),
        SimpleNamespace(environ=environ),
        SimpleNamespace(env=environ),
        SimpleNamespace(META=environ),
        SimpleNamespace(environ=None, env=environ),
    ]


def test_the_session_is_found_from_an_environ_or_any_frameworks_request() -> None:
    app = App()
    serve(with_session(app, clerk()), **bearer())
    for request in requests_of(app.environ):
        session, auth = get_session(request), get_auth(request)
        assert session is not None
        assert isinstance(auth, Auth)
        assert (session.user_id, auth.user_id) == ("user_1", "user_1")


def test_nobody_is_found_where_nobody_is_signed_in() -> None:
    app = App()
    serve(with_session(app, clerk()))
    for request in requests_of(app.environ):
        assert get_session(request) is None
        assert not get_auth(request)


@pytest.mark.parametrize("find", [get_session, get_auth])
def test_an_unwrapped_application_is_told_what_is_missing(find: Callable[[object], object]) -> None:
    for request in requests_of(full_environ(HTTP_CLERK_SESSION="x", HTTP_CLERK_AUTH="x")):
        with pytest.raises(LookupError, match="wrap the application with with_session"):
            find(request)


@pytest.mark.parametrize("request_", [None, "environ", 1, [], SimpleNamespace(environ="text")])
def test_what_has_no_environ_is_a_type_error(request_: object) -> None:
    with pytest.raises(TypeError, match="expected a WSGI environ"):
        get_session(request_)


# --- what a traceback shows


def our_locals(traceback: TracebackType | None) -> str:
    """Everything that a crash reporter would send of our frames, the environ aside."""
    shown: list[str] = []
    while traceback is not None:
        frame = traceback.tb_frame
        if "clerk_wsgi" in frame.f_code.co_filename:
            shown += [repr(value) for name, value in frame.f_locals.items() if name != "environ"]
        traceback = traceback.tb_next
    return "\n".join(shown)


def traceback_of(wrapped: ClerkMiddleware, **keys: Any) -> TracebackType | None:
    try:
        serve(wrapped, **keys)
    except ZeroDivisionError:
        return sys.exc_info()[2]
    raise AssertionError("nothing was raised")


def crashing_app(_environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
    raise ZeroDivisionError


def crashing_handler(_error: object) -> None:
    raise ZeroDivisionError


def test_no_frame_of_ours_that_calls_the_application_holds_a_token_or_a_cookie() -> None:
    token = bearer()
    secret = token["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    shown = our_locals(traceback_of(with_session(crashing_app, clerk()), **token))
    assert "ClerkMiddleware" in shown
    assert secret not in shown
    case = by_handshake(COOKIE[1], "__client_uat=a-secret")
    shown = our_locals(traceback_of(with_session(crashing_app, case.clerk), **case.keys))
    assert "ClerkMiddleware" in shown
    assert "a-secret" not in shown
    assert TOKEN not in shown


def test_no_frame_of_ours_that_calls_a_handler_holds_a_token_or_a_cookie() -> None:
    secret = bearer(sts="pending")["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    wrapped = with_session(App(), clerk(), crashing_handler)
    shown = our_locals(traceback_of(wrapped, HTTP_AUTHORIZATION=secret))
    assert "session-pending" in shown or "pending" in shown
    assert secret not in shown
    case = by_handshake("__client_uat=a-secret")
    wrapped = with_session(App(), case.clerk, crashing_handler)
    shown = our_locals(traceback_of(wrapped, **case.keys))
    assert "session-token-missing" in shown
    assert "a-secret" not in shown
