"""What an error handler is given, and what becomes of each thing that it can return."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from webob import Request, Response
from webob.exc import HTTPForbidden, HTTPFound, HTTPSeeOther

from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkMiddleware,
    ClerkUnavailable,
    ConfigurationError,
    Forbidden,
    Unauthenticated,
    default_on_error,
    json_error_response,
    require_session,
    strict_on_error,
    with_session,
)

from .minting import NOW
from .wrapping import App, bearer, by_handshake, clerk, full_environ, minter, serve

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Wrap = Callable[..., ClerkMiddleware]

EVERY_WRAPPER = pytest.mark.parametrize("wrap", [ClerkMiddleware, with_session, require_session])


class Recording:
    """A handler that keeps what it was called with, and returns what it was told to."""

    def __init__(self, verdict: object = None) -> None:
        self.verdict = verdict
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **keywords: Any) -> object:
        self.calls.append((args, keywords))
        return self.verdict

    @property
    def error(self) -> ClerkError:
        ((args, keywords),) = self.calls
        (error,) = args
        assert keywords == {}
        assert isinstance(error, ClerkError)
        return error


def refused(verdict: object, wrap: Wrap = with_session, **options: Any) -> Any:
    """Serve a signed-out request whose handler returns ``verdict``; the app must not be called."""
    app = App()
    answer = serve(wrap(app, clerk(), Recording(verdict), **options))
    assert app.calls == 0
    return answer


# --- what the handler is given


@EVERY_WRAPPER
def test_the_handler_gets_the_error_and_nothing_else(wrap: Wrap) -> None:
    handler = Recording()
    serve(wrap(App(), clerk(), handler))
    assert type(handler.error) is Unauthenticated
    assert handler.error.status_code == 401
    assert handler.error.reason == "session-token-and-uat-missing"
    assert handler.error.message
    assert handler.error.data is None


@EVERY_WRAPPER
def test_the_handler_is_not_asked_about_a_signed_in_request(wrap: Wrap) -> None:
    handler = Recording(ClerkError())
    assert serve(wrap(App(), clerk(), handler), **bearer()).body == b"hello"
    assert handler.calls == []


@EVERY_WRAPPER
def test_a_pending_session_is_no_session_and_the_handler_hears_why(wrap: Wrap) -> None:
    handler = Recording()
    app = App()
    serve(wrap(app, clerk(), handler), **bearer(sts="pending"))
    assert handler.error.reason == "session-pending"
    assert app.environ["clerk.session"] is None
    assert not app.environ["clerk.auth"]


def test_each_request_has_an_error_of_its_own() -> None:
    handler = Recording()
    app = with_session(App(), clerk(), handler)
    serve(app)
    serve(app)
    (((first,), _), ((second,), _)) = handler.calls
    assert first is not second


def test_the_error_knows_its_request_so_that_a_handler_can_send_people_back() -> None:
    def to_sign_in(error: ClerkError) -> HTTPFound:
        assert error.request is not None
        return HTTPFound(location="/sign-in?back=" + error.request.path_qs)

    app = App()
    wrapped = with_session(app, clerk(), to_sign_in)
    answer = serve(wrapped, SCRIPT_NAME="/shop", PATH_INFO="/cart", QUERY_STRING="a=1")
    assert answer.status == "302 Found"
    assert answer.one("Location") == "http://app.test/sign-in?back=/shop/cart?a=1"
    assert app.calls == 0


@pytest.mark.parametrize("path", ["/\xff", "/caf\xe9/\xe2\x82"])
def test_a_path_that_is_not_utf_8_does_not_make_the_errors_request_raise(path: str) -> None:
    def to_sign_in(error: ClerkError) -> HTTPFound:
        assert error.request is not None
        return HTTPFound(location=f"/sign-in?back={quote(error.request.path_qs, safe='')}")

    app = App()
    environ = full_environ(PATH_INFO=path, SCRIPT_NAME="/\xff")
    assert serve(with_session(app, clerk(), to_sign_in), environ).status == "302 Found"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/\xff", path)


def test_the_errors_request_is_made_once_and_leaves_no_trace_in_the_environ() -> None:
    handler = Recording()
    app = App()
    environ = full_environ(QUERY_STRING="a=1")
    serve(with_session(app, clerk(), handler), environ)
    request = handler.error.request
    assert isinstance(request, Request)
    assert request is handler.error.request
    assert request.GET["a"] == "1"
    request.environ["webob.mine"] = "1"
    assert [key for key in environ if key.startswith("webob")] == []


def test_the_errors_request_is_the_request_as_it_was_asked() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/mounted", "/"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["clerk.error"].request.path.encode()]

    assert serve(with_session(app, clerk()), PATH_INFO="/mounted/").body == b"/mounted/"
    assert serve(with_session(app, clerk()), PATH_INFO="/other").body == b"/other"


@pytest.mark.parametrize(
    ("key", "outside", "inside"),
    [
        ("REMOTE_ADDR", "10.0.0.1", "203.0.113.9"),  # what a fix for proxies changes
        ("REMOTE_USER", "outside", "inside"),
        ("test.tenant", "outside", "inside"),
    ],
)
def test_the_errors_request_is_the_one_that_its_own_wrapper_was_asked(
    key: str, outside: str, inside: str
) -> None:
    mine, handler = clerk(), Recording()
    strict = require_session(App(), mine, handler)

    def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[key] = inside
        return strict(environ, start_response)

    serve(with_session(between, mine), **{key: outside})
    assert handler.error.request is not None
    assert handler.error.request.environ[key] == inside


def test_the_errors_request_has_the_path_as_a_mount_moved_it() -> None:
    mine, handler = clerk(), Recording()
    strict = require_session(App(), mine, handler)

    def mounting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/public", "/admin"
        return strict(environ, start_response)

    serve(with_session(mounting, mine), PATH_INFO="/public/admin")
    assert handler.error.request is not None
    assert (handler.error.request.script_name, handler.error.request.path_info) == (
        "/public",
        "/admin",
    )


def test_the_errors_request_has_the_remote_user_of_its_own_wrapper() -> None:
    mine, handler = clerk(), Recording()
    app = with_session(require_session(App(), mine, handler, remote_user=True), mine)
    serve(app, REMOTE_USER="somebody")
    assert handler.error.request is not None
    assert handler.error.request.remote_user is None


def test_another_wrapper_that_gets_the_errors_request_takes_the_decision_over() -> None:
    seconds: list[float] = []

    def clock() -> float:
        seconds.append(NOW)
        return NOW

    mine = Clerk(jwt_key=minter().pem, dotenv=False, clock=clock)
    handler = Recording()
    serve(require_session(App(), mine, handler), HTTP_COOKIE="__session=x")
    request = handler.error.request
    assert request is not None
    assert request.get_response(with_session(App(), mine)).status == "200 OK"
    assert len(seconds) == 1


def test_an_environ_that_is_asked_about_again_and_again_keeps_nothing_of_before() -> None:
    class Upload:
        """Something large that stands in the environ for one question."""

    upload = Upload()
    alive = weakref.ref(upload)
    app, environ = with_session(Plain(), clerk()), full_environ()
    environ["test.upload"] = upload
    serve(app, environ)
    del upload, environ["test.upload"]
    environ["PATH_INFO"] = "/next"
    serve(app, environ)
    assert alive() is None


def test_a_let_through_error_does_not_keep_its_request_alive() -> None:
    class Upload:
        """Something large that a server keeps in the environ."""

    upload = Upload()
    alive = weakref.ref(upload)
    gc.disable()
    try:
        serve(with_session(App.__call__.__get__(Plain()), clerk()), **{"test.upload": upload})
        del upload
        assert alive() is None
    finally:
        gc.enable()


class Plain(App):
    """An application that keeps nothing."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert environ["clerk.error"].request is not None
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []


def test_neither_text_nor_repr_nor_pickle_of_an_error_has_a_token_or_a_cookie() -> None:
    handler = Recording()
    cookie = "__session=secret-cookie; __client_uat=1"
    serve(
        with_session(App(), clerk(), handler),
        HTTP_AUTHORIZATION="Bearer secret.token.value",
        HTTP_COOKIE=cookie,
        QUERY_STRING="__clerk_db_jwt=secret-browser",
    )
    error = handler.error
    assert error.request is not None
    assert "secret" not in f"{error} {error!r} {error.args}"
    assert b"secret" not in pickle.dumps(error)


# --- an exception refuses


@EVERY_WRAPPER
@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Unauthenticated("no"), "401 Unauthorized"),
        (ClerkError("no", status_code=402), "402 Payment Required"),
        (ValueError("no"), "500 Internal Server Error"),
        (SystemExit(3), "500 Internal Server Error"),
        (KeyboardInterrupt(), "500 Internal Server Error"),
        (GeneratorExit(), "500 Internal Server Error"),
        (BaseException(), "500 Internal Server Error"),
    ],
)
def test_a_returned_exception_stops_the_request(
    wrap: Wrap, verdict: BaseException, status: str
) -> None:
    assert refused(verdict, wrap).status == status


def test_the_status_and_the_data_of_the_returned_exception_are_the_answer() -> None:
    error = Exception("no")
    error.status_code, error.data = 418, {"flavour": "green"}  # type: ignore[attr-defined]
    answer = refused(error)
    assert answer.status.startswith("418 ")
    assert json.loads(answer.body) == {"flavour": "green"}


class TeapotError(Exception):
    status_code = 418
    data = ("short", "stout")


class FlavouredError(TeapotError):
    def __init__(self, flavour: str) -> None:
        super().__init__(flavour)


class OddError(Exception):
    @property
    def status_code(self) -> int:
        return 418

    @property
    def data(self) -> object:
        return {"never": "read"}

    def __init__(self, flavour: str) -> None:
        super().__init__(flavour)


@pytest.mark.parametrize(
    ("verdict", "status", "body"),
    [
        (Unauthenticated, "401", b""),
        (ClerkUnavailable, "503", b""),
        (Exception, "500", b""),
        (KeyboardInterrupt, "500", b""),
        (TeapotError, "418", b'["short", "stout"]'),
    ],
)
def test_a_returned_exception_class_counts_as_an_exception(
    verdict: type[BaseException], status: str, body: bytes
) -> None:
    answer = refused(verdict)
    assert (answer.status[:3], answer.body) == (status, body)


@pytest.mark.parametrize(
    ("verdict", "status", "body"),
    [
        (FlavouredError, "418", b'["short", "stout"]'),
        (UnicodeDecodeError, "500", b""),
        (OddError, "500", b""),
    ],
)
def test_a_class_that_wants_arguments_refuses_too_and_is_logged(
    verdict: type[BaseException], status: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = refused(verdict)
    assert (answer.status[:3], answer.body) == (status, body)
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.records[0].name == "clerk_wsgi"


def test_a_class_whose_constructor_fails_is_the_handlers_own_failure() -> None:
    class BrokenError(Exception):
        def __init__(self) -> None:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        refused(BrokenError)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (HTTPSeeOther(location="http://app.test/sign-in"), "303 See Other"),
        (HTTPForbidden("not here"), "403 Forbidden"),
        (HTTPForbidden, "403 Forbidden"),
    ],
)
@EVERY_WRAPPER
def test_a_returned_exception_that_is_a_wsgi_application_answers(
    wrap: Wrap, verdict: object, status: str
) -> None:
    answer = refused(verdict, wrap, error_response=lambda _: pytest.fail("not asked"))
    assert answer.status == status
    assert answer.one("Content-Type")


def test_the_environ_of_a_refused_request_has_no_error_that_was_let_through() -> None:
    environ = full_environ(**{"clerk.error": "forged", "clerk.session": "forged"})
    serve(require_session(App(), clerk()), environ)
    assert environ["clerk.error"] is None
    assert environ["clerk.session"] is None


# --- anything else lets the request through


def function() -> None:
    raise AssertionError("never called")


async def coroutine_function() -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    "verdict",
    [
        None,
        False,
        0,
        "",
        "x",
        {},
        True,
        function,
        1,
        401,
        b"",
        [],
        (),
        "401 Unauthorized",
        object(),
        object,
        int,
        [Unauthenticated("in a list")],
        {"error": Unauthenticated("in a dict")},
        Response(status=401),
        coroutine_function,
        iter([]),
        NotImplemented,
        float("nan"),
    ],
    ids=lambda verdict: repr(verdict)[:24],
)
@EVERY_WRAPPER
def test_anything_else_lets_the_request_through_without_a_session(
    wrap: Wrap, verdict: object
) -> None:
    app = App()
    handler = Recording(verdict)
    answer = serve(wrap(app, clerk(), handler))
    assert (answer.status, answer.body, app.calls) == ("200 OK", b"hello", 1)
    assert app.environ["clerk.session"] is None
    assert app.environ["clerk.error"] is handler.error


def must_not_run() -> object:
    raise AssertionError("must not run")


async def asynchronous() -> None:
    must_not_run()


def generator() -> Generator[object, None, None]:
    yield must_not_run()


async def asynchronous_generator() -> AsyncGenerator[object, None]:
    yield must_not_run()


class Promise:
    def __await__(self) -> Generator[object, None, None]:
        yield must_not_run()


def future() -> object:
    loop = asyncio.new_event_loop()
    try:
        return loop.create_future()
    finally:
        loop.close()


@pytest.mark.parametrize("make", [asynchronous, generator, asynchronous_generator, Promise, future])
@EVERY_WRAPPER
def test_what_did_not_run_is_a_type_error_and_the_application_is_not_called(
    wrap: Wrap, make: Callable[[], object], recwarn: pytest.WarningsRecorder
) -> None:
    app = App()
    with pytest.raises(TypeError, match="on_error must be a plain function, but it returned a"):
        serve(wrap(app, clerk(), lambda _: make()))
    gc.collect()
    assert app.calls == 0
    assert [str(warning.message) for warning in recwarn.list] == []


@pytest.mark.parametrize("raised", [ValueError("mine"), SystemExit(3), KeyboardInterrupt()])
@EVERY_WRAPPER
def test_what_the_handler_raises_reaches_the_server(wrap: Wrap, raised: BaseException) -> None:
    def handler(_error: ClerkError) -> None:
        raise raised

    app = App()
    environ = full_environ(**{"clerk.session": "forged"})
    with pytest.raises(type(raised)) as caught:
        serve(wrap(app, clerk(), handler), environ)
    assert caught.value is raised
    assert app.calls == 0
    assert environ["clerk.session"] is None


def test_a_handler_that_raises_the_error_it_was_given_is_not_caught() -> None:
    def handler(error: ClerkError) -> None:
        raise error

    with pytest.raises(Unauthenticated):
        serve(with_session(App(), clerk(), handler))


# --- which handler is asked


def test_without_options_the_class_and_with_session_let_through_and_require_session_refuses() -> (
    None
):
    assert serve(ClerkMiddleware(App(), clerk())).status == "200 OK"
    assert serve(with_session(App(), clerk())).status == "200 OK"
    assert serve(require_session(App(), clerk())).status == "401 Unauthorized"


def test_no_handler_is_the_variants_own() -> None:
    assert serve(ClerkMiddleware(App(), clerk(), None)).status == "200 OK"
    assert serve(ClerkMiddleware(App(), clerk(), on_error=None)).status == "200 OK"
    assert serve(with_session(App(), clerk(), on_error=None)).status == "200 OK"
    assert serve(require_session(App(), clerk(), on_error=None)).status == "401 Unauthorized"
    assert serve(clerk().require_session(App(), on_error=None)).status == "401 Unauthorized"


def test_a_handler_that_is_falsy_is_still_the_handler() -> None:
    class Falsy(Recording):
        def __bool__(self) -> bool:
            return False

    assert serve(with_session(App(), clerk(), Falsy(Unauthenticated()))).status[:3] == "401"
    assert serve(require_session(App(), clerk(), Falsy())).status == "200 OK"


@pytest.mark.parametrize("on_error", [False, 0, "", "strict", {}, Unauthenticated("no")])
@EVERY_WRAPPER
def test_a_handler_that_cannot_be_called_is_refused_when_wrapping(
    wrap: Wrap, on_error: object
) -> None:
    with pytest.raises(TypeError, match="on_error must be callable"):
        wrap(App(), clerk(), on_error)


def test_a_custom_handler_may_record_and_let_through_even_where_a_session_is_required() -> None:
    seen: list[str | None] = []
    app = App()
    serve(require_session(app, clerk(), lambda error: seen.append(error.reason)))
    assert seen == ["session-token-and-uat-missing"]
    assert app.environ["clerk.session"] is None


# --- the error response


def test_an_error_response_of_ones_own_takes_three_lines() -> None:
    def page(error: BaseException) -> Response:
        return Response(status=getattr(error, "status_code", 500), text="Please sign in.")

    answer = serve(require_session(App(), clerk(), error_response=page))
    assert (answer.status, answer.body) == ("401 Unauthorized", b"Please sign in.")


def test_json_error_response_is_an_alternative() -> None:
    answer = serve(require_session(App(), clerk(), error_response=json_error_response))
    assert answer.status == "401 Unauthorized"
    assert json.loads(answer.body).keys() == {"error"}


def test_the_error_response_is_given_what_the_handler_returned() -> None:
    seen: list[BaseException] = []

    def render(error: BaseException) -> Response:
        seen.append(error)
        return Response(status=400)

    mine = ValueError("mine")
    refused(mine, error_response=render)
    refused(ValueError, error_response=render)
    assert seen[0] is mine
    assert type(seen[1]) is ValueError


def test_an_error_response_that_fails_signs_nobody_in() -> None:
    def render(_error: BaseException) -> Response:
        raise LookupError("mine")

    app = App()
    with pytest.raises(LookupError):
        serve(require_session(app, clerk(), error_response=render))
    assert app.calls == 0


# --- what is logged

TROUBLE = (logging.WARNING, logging.ERROR)
NOBODY = [
    "No token in header",
    "client-uat-but-no-session-token",
    "dev-browser-missing",
    "dev-browser-sync",
    "satellite-needs-syncing",
    "session-pending",
    "session-token-and-uat-missing",
    "session-token-missing",
]


@pytest.mark.parametrize(
    ("error", "levels"),
    [
        *((Unauthenticated("m", reason=reason), (10, 10)) for reason in NOBODY),
        (Unauthenticated("m", reason="token-invalid-signature"), (20, 20)),
        (
            Unauthenticated("m", reason="session-token-expired-refresh-non-eligible-non-get"),
            (20, 20),
        ),
        (Unauthenticated("m", reason="session-token-but-no-client-uat"), (20, 20)),
        (Unauthenticated("m", reason="session-id-mismatch"), (20, 20)),
        (Unauthenticated("m", reason="jwk-kid-mismatch"), (20, 20)),
        (Unauthenticated("m"), (20, 20)),
        (Forbidden("m"), (20, 20)),
        (ClerkUnavailable("m", reason="jwk-remote-failed-to-load"), TROUBLE),
        (ClerkUnavailable("m", reason="session-token-missing"), TROUBLE),
        (ConfigurationError("m"), TROUBLE),
        (ApiError("m", status_code=500), TROUBLE),
        (ClerkError("m"), TROUBLE),
    ],
    ids=lambda value: getattr(value, "reason", None) or type(value).__name__,
)
def test_the_level_says_whether_nobody_came_a_token_was_refused_or_clerk_is_in_trouble(
    error: ClerkError, levels: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "clerk_wsgi")
    default_on_error(error)
    strict_on_error(error)
    assert tuple(record.levelno for record in caplog.records) == levels
    assert {record.name for record in caplog.records} == {"clerk_wsgi"}


def test_the_default_handler_returns_nothing_and_the_strict_one_the_error() -> None:
    error = Unauthenticated("m")
    outcome: Any = default_on_error
    assert outcome(error) is None
    assert strict_on_error(error) is error


def test_a_log_line_is_one_line_says_why_and_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "clerk_wsgi")
    default_on_error(Unauthenticated("bad\r\nFAKE line " + "x" * 10_000, reason="token-invalid"))
    default_on_error(ClerkError("no reason"))
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("token-invalid: 'bad\\r\\nFAKE line xx")
    assert len(first) < 300
    assert second == "ClerkError: 'no reason'"


@EVERY_WRAPPER
def test_no_log_line_has_a_token_a_cookie_or_a_key(
    wrap: Wrap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    forged = bearer()["HTTP_AUTHORIZATION"][:-4] + "AAAA"
    for keys in (
        {"HTTP_AUTHORIZATION": forged},
        {"HTTP_COOKIE": "__session=" + forged.removeprefix("Bearer ")},
        {"HTTP_AUTHORIZATION": "Bearer secret"},
    ):
        serve(wrap(App(), clerk()), **keys)
    assert [record.name for record in caplog.records] == ["clerk_wsgi.decisions", "clerk_wsgi"] * 3
    assert "secret" not in caplog.text
    assert forged.rpartition(".")[2] not in caplog.text


def test_headers_of_a_state_do_not_get_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case = by_handshake("__client_uat=secret")
    assert ("Set-Cookie", "__client_uat=secret") in case.state.headers
    serve(case.wrap(require_session, App()))
    assert "secret" not in caplog.text
    assert "session-token-missing" in caplog.text
