"""Falcon's responses: refusals as everywhere, redirects, cookies, and nothing else changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import falcon
import pytest
from webob.exc import HTTPFound

from clerk_wsgi import (
    Clerk,
    ClerkError,
    ClerkUnavailable,
    Forbidden,
    Requirement,
    Unauthenticated,
    error_response,
    get_auth,
    json_error_response,
    sign_in_on_error,
    sign_out,
)
from clerk_wsgi import require as require_of
from clerk_wsgi.integrations.falcon import (
    ClerkMiddleware,
    Refused,
    add_error_handlers,
    install,
    require,
)

from ..minting import NOW, PUBLISHABLE_TEST
from ..wrapping import (
    App,
    bearer,
    by_handshake,
    clerk,
    cut_off,
    full_environ,
    minter,
    serve,
    without_keys,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import Emulator, SignIn

    from ..wrapping import Answer, Case

PAGE = {"HTTP_ACCEPT": "text/html"}
JSON = {"HTTP_ACCEPT": "application/json"}
STALE = {"v": 2, "fva": [600, 600]}
MEMBER = {"v": 2, "o": {"id": "org_1", "rol": "member", "slg": "acme"}}


def with_pages() -> Clerk:
    """Return an instance that knows a sign-in page, and has no way to the network."""
    sign_in_url = "https://accounts.test/sign-in"
    return Clerk(
        jwt_key=minter().pem, dotenv=False, clock=lambda: float(NOW), sign_in_url=sign_in_url
    )


def application(responder: Any, clerk: Clerk, app: Any = None, **options: Any) -> Any:
    """Return an application whose ``GET /`` and ``POST /`` are the responder."""
    app = falcon.App() if app is None else app
    install(app, clerk, **options)
    methods = {name: lambda _self, req, resp: responder(req, resp) for name in METHODS}
    app.add_route("/", type("Resource", (), methods)())
    return app


COOKIES = ("__session=; Path=/", "__client_uat=1; Path=/")
METHODS = ("on_get", "on_head", "on_post")


def greet(_req: falcon.Request, resp: falcon.Response) -> None:
    resp.text = "hello"


def tell_error(req: falcon.Request, resp: falcon.Response) -> None:
    resp.text = type(req.env["clerk.error"]).__name__


def raising(error: BaseException) -> Any:
    def respond(_req: falcon.Request, _resp: falcon.Response) -> None:
        raise error

    return respond


def headers_of(answer: Answer) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in answer.headers:
        found.setdefault(name.lower(), []).append(value)
    return found


# Refusals


REFUSED: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({}, PAGE),
    ({}, JSON),
    ({}, {"HTTP_AUTHORIZATION": "Bearer a.b.c", **PAGE}),
    ({}, bearer(sts="pending")),
    ({}, bearer(exp=1)),
    ({"role": "admin"}, bearer(**MEMBER)),
    ({"role": "admin"}, {**bearer(**MEMBER), **PAGE}),
    ({"reverification": "strict"}, bearer(**STALE)),
]


@pytest.mark.parametrize(("asked", "keys"), REFUSED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("response", [error_response, json_error_response])
def test_refusals_are_those_of_any_other_application(
    asked: Any, keys: dict[str, str], method: str, response: Any
) -> None:
    instance = with_pages()
    ours = application(require(**asked)(greet), instance, error_response=response)
    options = {"on_error": sign_in_on_error, "error_response": response}
    others = instance.with_session(require_of(App(), **options, **asked))
    answer = serve(ours, REQUEST_METHOD=method, **keys)
    expected = serve(others, REQUEST_METHOD=method, **keys)
    assert answer.status == expected.status
    assert answer.body == expected.body
    assert headers_of(answer) == headers_of(expected)
    assert answer.status[0] in "34"


def test_an_outage_is_no_sign_out() -> None:
    case = without_keys()
    for keys in (case.keys, {**case.keys, **PAGE}):
        answer = serve(application(require(greet), case.clerk), **keys)
        assert answer.status == "503 Service Unavailable"
        assert int(answer.one("Retry-After")) >= 1
        assert answer.one("Cache-Control") == "no-store"


def test_browsers_are_sent_to_sign_in_and_back_and_callers_are_told() -> None:
    app = application(require(greet), with_pages())
    answer = serve(app, QUERY_STRING="a=b", **PAGE)
    assert answer.status == "303 See Other"
    location = "https://accounts.test/sign-in?redirect_url=http%3A%2F%2Fapp.test%2F%3Fa%3Db"
    assert answer.one("Location") == location
    told = serve(app, **JSON)
    assert (told.status, told.body) == ("401 Unauthorized", b"")
    assert told.one("WWW-Authenticate") == "Bearer"


def test_who_must_verify_again_is_told_so_in_clerks_words() -> None:
    answer = serve(application(require(reverification="strict")(greet), clerk()), **bearer(**STALE))
    assert answer.status == "403 Forbidden"
    assert json.loads(answer.body)["clerk_error"]["reason"] == "reverification-error"


# The error handler's verdict


class Away(Exception):
    status_code = 410
    data = ("gone",)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (None, "200 OK"),
        (False, "200 OK"),
        ("no", "200 OK"),
        (Away(), "410 Gone"),
        (Away, "410 Gone"),
        (HTTPFound(location="/elsewhere"), "302 Found"),
        (Exception(), "500 Internal Server Error"),
    ],
)
def test_the_verdict_decides(verdict: object, status: str) -> None:
    asked: list[ClerkError] = []

    def on_error(error: ClerkError) -> object:
        asked.append(error)
        return verdict

    answer = serve(application(require(greet), clerk(), on_error=on_error), **JSON)
    assert answer.status == status
    assert [type(error) for error in asked] == [Unauthenticated]
    let_through = serve(application(require(tell_error), clerk(), on_error=on_error), **JSON)
    assert let_through.body == (b"Unauthenticated" if status == "200 OK" else answer.body)
    if status == "302 Found":
        assert answer.one("Location") == "http://app.test/elsewhere"


def test_a_responder_that_is_let_through_knows_what_is_missing() -> None:
    responder = require(role="admin")(tell_error)
    app = application(responder, clerk(), on_error=lambda _error: None)
    assert serve(app, **bearer(**MEMBER)).body == b"Forbidden"


def test_a_verdict_that_nobody_has_awaited_is_none() -> None:
    async def on_error(_error: ClerkError) -> None: ...

    answer = serve(application(require(greet), clerk(), on_error=on_error))
    assert answer.status[:3] == "500"


def test_any_bytes_of_an_answer_are_sent_as_they_are() -> None:
    class Picture(Exception):
        def __call__(self, _environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("402 Payment Required", [("Content-Type", "image/x"), *cookies])
            yield b"\xff\x00"
            yield b"\xfe"

    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Two", "1"), ("X-Two", "2")]
    app = application(require(greet), clerk(), on_error=lambda _error: Picture())
    answer = serve(app)
    assert (answer.status, answer.body) == ("402 Payment Required", b"\xff\x00\xfe")
    assert answer.one("Content-Type") == "image/x"
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.one("X-Two") == "1, 2"


# Errors in the midst of a responder


ERRORS: list[tuple[ClerkError, str]] = [
    (ClerkError("away", status_code=404, data=["away"]), "404 Not Found"),
    (Forbidden(), "403 Forbidden"),
    (Unauthenticated(), "401 Unauthorized"),
    (ClerkUnavailable(retry_after=7), "503 Service Unavailable"),
]


@pytest.mark.parametrize(("error", "status"), ERRORS)
@pytest.mark.parametrize("response", [error_response, json_error_response])
def test_errors_that_a_responder_raises_become_responses(
    error: ClerkError, status: str, response: Any
) -> None:
    answer = serve(application(raising(error), clerk(), error_response=response))
    expected = serve(response(error))
    assert answer.status == expected.status == status
    assert answer.body == expected.body
    assert headers_of(answer) == headers_of(expected)


def test_what_a_responder_requires_itself_sends_browsers_to_sign_in() -> None:
    def respond(req: falcon.Request, _resp: falcon.Response) -> None:
        Requirement(role="admin").check(req.context.clerk)

    app = application(respond, with_pages())
    assert serve(app, **PAGE).status == "303 See Other"
    assert serve(app, **JSON).status == "401 Unauthorized"
    assert serve(app, **bearer(**MEMBER)).status == "403 Forbidden"
    assert serve(app, **PAGE, **bearer(**MEMBER)).status == "403 Forbidden"


def test_an_error_in_the_midst_cannot_be_let_through() -> None:
    app = application(raising(Forbidden()), clerk(), on_error=lambda _error: None)
    assert serve(app).status == "403 Forbidden"


def test_what_was_written_before_the_error_is_not_sent() -> None:
    def respond(_req: falcon.Request, resp: falcon.Response) -> None:
        resp.cache_control = ["public"]
        resp.content_type = "text/html"
        resp.stream = [b"secret"]
        raise Forbidden(data={"why": "so"})

    answer = serve(application(respond, clerk()))
    assert (answer.status, answer.body) == ("403 Forbidden", b'{"why": "so"}')
    assert answer.one("Cache-Control") == "no-store"
    assert answer.one("Content-Type") == "application/json"
    assert answer.one("Content-Length") == "13"


def test_the_user_is_asked_for_and_an_error_of_clerks_is_one_response(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    def respond(req: falcon.Request, resp: falcon.Response) -> None:
        resp.text = req.context.clerk.user.first_name

    app = application(respond, clerk)
    who = signed_in()
    clerk_emulator.update_user(who.user["id"], first_name="Grace")
    assert serve(app, **who.environ).body == b"Grace"
    gone = signed_in()
    clerk_emulator.delete_user(gone.user["id"])
    answer = serve(app, **gone.environ)
    assert (answer.status, answer.body) == ("502 Bad Gateway", b"")


@pytest.mark.parametrize("later", [True, False])
def test_the_applications_own_handlers_win(later: bool) -> None:
    def mine(req: Any, resp: falcon.Response, ex: Exception, params: Any) -> None:
        resp.status = falcon.HTTP_418

    app = falcon.App()
    if not later:
        app.add_error_handler(Forbidden, mine)
    application(raising(Forbidden()), clerk(), app)
    if later:
        app.add_error_handler(ClerkError, mine)
    answer: Answer = serve(app)  # type: ignore[arg-type]  # Falcon's start_response returns less
    assert answer.status[:3] == "418"


def test_error_handlers_can_be_had_without_the_middleware() -> None:
    app: Any = falcon.App()
    app.add_sink(raising(ClerkError(status_code=410)))
    assert serve(app).status[:3] == "500"
    add_error_handlers(app)
    assert serve(app).status[:3] == "410"


def test_other_exceptions_are_falcons_or_the_applications() -> None:
    class Mine(Exception):
        pass

    assert serve(application(raising(Mine()), clerk())).status[:3] == "500"
    assert serve(application(raising(falcon.HTTPNotFound()), clerk())).status[:3] == "404"
    app = falcon.App()

    def reraise(req: Any, resp: Any, ex: Exception, params: Any) -> None:
        raise ex

    app.add_error_handler(Exception, reraise)
    with pytest.raises(Mine):
        serve(application(raising(Mine()), clerk(), app))


# Signing out


def test_signing_out_is_one_line(clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn) -> None:
    def respond(req: falcon.Request, _resp: falcon.Response) -> None:
        raise sign_out(req, "/bye")

    who = signed_in()
    answer = serve(application(respond, clerk), REQUEST_METHOD="POST", **who.environ)
    assert (answer.status, answer.body) == ("303 See Other", b"")
    assert answer.one("Location") == "/bye"
    assert all("Max-Age=0" in cookie for cookie in answer.all("Set-Cookie"))
    assert len(answer.all("Set-Cookie")) == 2
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


# Handshakes, and cookies of a decision


def test_a_handshake_is_answered_before_any_responder() -> None:
    called = []
    instance = Clerk(
        jwt_key=minter().pem, publishable_key=PUBLISHABLE_TEST, secret_key="sk_test_1", dotenv=False
    )

    class Outer:
        def process_request(self, req: Any, resp: falcon.Response) -> None:
            resp.text = "overruled"

    class Inner:
        def process_request(self, req: Any, resp: Any) -> None:
            called.append("a middleware further in")

    outer = falcon.App(middleware=[Outer()])
    app = application(lambda *_: called.append("the responder"), instance, outer)
    app.add_middleware(Inner())
    expected = serve(instance.with_session(App()), **PAGE)
    answer = serve(app, **PAGE)
    assert answer.status == expected.status == "307 Temporary Redirect"
    assert answer.one("Location") == expected.one("Location")
    assert headers_of(answer).keys() == headers_of(expected).keys()
    assert answer.body == b""
    assert called == []


def test_cookies_of_a_decision_are_added_to_the_applications_own() -> None:
    def respond(_req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_cookie("own", "1", secure=False, http_only=False)
        resp.append_header("Set-Cookie", "raw=1")
        resp.set_header("Cache-Control", "public")
        resp.text = "hello"

    case = by_handshake(*COOKIES)
    answer = serve(application(respond, case.clerk), **case.keys)
    names = [cookie.partition("=")[0] for cookie in answer.all("Set-Cookie")]
    assert sorted(names) == ["__client_uat", "__session", "own", "raw"]
    assert answer.one("Cache-Control") == "private, no-store"
    assert answer.body == b"hello"


@pytest.mark.parametrize(
    "case", [by_handshake(*COOKIES), cut_off(f"__session={minter().token()}; Path=/")]
)
@pytest.mark.parametrize("path", ["/", "/nowhere", "/broken"])
def test_cookies_of_a_decision_go_on_refusals_and_errors_as_well(case: Case, path: str) -> None:
    app = application(require(greet), case.clerk)
    app.add_sink(raising(ValueError()), "/broken")
    answer = serve(app, PATH_INFO=path, **case.keys)
    assert answer.status[0] in "45"
    cookies = [value for name, value in case.state.headers if name == "Set-Cookie"]
    assert cookies
    assert answer.all("Set-Cookie") == cookies
    assert answer.one("Cache-Control") == "private, no-store"


def test_debug_headers_say_what_was_decided() -> None:
    answer = serve(application(greet, clerk(), debug_headers=True))
    assert answer.one("x-clerk-auth-status") == "signed-out"
    assert "x-clerk-auth-status" not in headers_of(serve(application(greet, clerk())))


def test_a_request_that_is_refused_before_it_was_decided_has_nothing_to_add() -> None:
    class Closed:
        def process_request(self, req: Any, resp: Any) -> None:
            raise falcon.HTTPServiceUnavailable

    answer = serve(application(greet, clerk(), falcon.App(middleware=[Closed()])))
    assert answer.status[:3] == "503"


# All other responses


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_other_responses_are_what_they_are_without_it(method: str) -> None:
    def stream(_req: falcon.Request, resp: falcon.Response) -> None:
        resp.stream = (b"x" * 1000 for _ in range(1000))

    def large(_req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = b"x" * 1_000_000
        resp.etag = "abc"

    for responder in (stream, large, greet, lambda *_: None):
        bare: Any = falcon.App()
        bare.add_sink(responder)
        expected = serve(bare, REQUEST_METHOD=method)
        answer = serve(application(responder, clerk()), REQUEST_METHOD=method, **bearer())
        assert answer == expected


def test_a_stream_is_sent_piece_by_piece() -> None:
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            sent.append(number)
            yield b"x"

    def respond(_req: falcon.Request, resp: falcon.Response) -> None:
        resp.stream = pieces()

    app = application(respond, clerk())
    next(iter(app(full_environ(**bearer()), lambda *_: None)))
    assert sent == [0]


def test_get_auth_knows_falcons_requests() -> None:
    def respond(req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = get_auth(req) is req.context.clerk

    assert serve(application(respond, clerk()), **bearer()).body == b"true"


def test_refusals_are_a_status_of_falcons() -> None:
    assert issubclass(Refused, falcon.HTTPStatus)
    middleware = ClerkMiddleware(clerk())
    app: Any = falcon.App(middleware=[middleware])  # and no error handlers
    app.add_sink(require(greet))
    assert serve(app).status == "401 Unauthorized"
