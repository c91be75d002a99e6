"""PEP 3333 on both sides of the wrapper: whatever the outcome, it is as if it were not there."""

from __future__ import annotations

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from webob.exc import HTTPFound
from webtest import TestApp

from clerk_wsgi import json_error_response, require_session, with_session

from .minting import PUBLISHABLE_TEST
from .wrapping import (
    App,
    bearer,
    by_handshake,
    clerk,
    full_environ,
    minter,
    serve,
    signed_in,
    without_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Wrap = Callable[[WSGIApplication], WSGIApplication]

COOKIE = ("Set-Cookie", f"__session={minter().token()}; Path=/")
TEXT = [("Content-Type", "text/plain")]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

SIGNED_IN = signed_in()
BACK = by_handshake(COOKIE[1])
BACK_OUT = by_handshake("__client_uat=0; Path=/")
REDIRECTED = by_handshake(COOKIE[1], key=PUBLISHABLE_TEST)  # whatever the method
WITHOUT_KEYS = without_keys()

OUTCOMES: dict[str, tuple[Wrap, str]] = {
    "signed in": (lambda app: SIGNED_IN.wrap(require_session, app), "200 OK"),
    "signed in, cookies to set": (lambda app: BACK.wrap(require_session, app), "200 OK"),
    "let through": (lambda app: with_session(app, clerk()), "200 OK"),
    "let through, debug headers": (
        lambda app: with_session(app, clerk(), debug_headers=True),
        "200 OK",
    ),
    "let through, cookies to set": (
        lambda app: BACK_OUT.wrap(with_session, app, remote_user=True),
        "200 OK",
    ),
    "refused": (lambda app: require_session(app, clerk()), "401 Unauthorized"),
    "refused, cookies to set": (
        lambda app: BACK_OUT.wrap(require_session, app),
        "401 Unauthorized",
    ),
    "refused in JSON": (
        lambda app: require_session(app, clerk(), error_response=json_error_response),
        "401 Unauthorized",
    ),
    "Clerk unavailable": (
        lambda app: WITHOUT_KEYS.wrap(require_session, app),
        "503 Service Unavailable",
    ),
    "the handler answers": (
        lambda app: with_session(app, clerk(), lambda _: HTTPFound(location="/sign-in")),
        "302 Found",
    ),
    "redirected": (
        lambda app: REDIRECTED.wrap(with_session, app),
        "307 Temporary Redirect",
    ),
}
EVERY_OUTCOME = pytest.mark.parametrize(("wrap", "status"), OUTCOMES.values(), ids=OUTCOMES)
# Transparency must hold where the response is passed through and where headers are added.
TRANSPARENT = pytest.mark.parametrize(
    "wrap",
    [OUTCOMES[name][0] for name in OUTCOMES if OUTCOMES[name][1] == "200 OK"],
    ids=[name for name in OUTCOMES if OUTCOMES[name][1] == "200 OK"],
)
UNTOUCHED = pytest.mark.parametrize(
    "wrap", [OUTCOMES[name][0] for name in ("signed in", "let through")]
)
ADDING = pytest.mark.parametrize(
    "wrap",
    [OUTCOMES[name][0] for name in ("signed in, cookies to set", "let through, debug headers")],
)


def nowhere(*_: object) -> Callable[[bytes], None]:
    """Stand in for the ``start_response`` of a server that forgets."""
    return lambda _data: None


def must_fail() -> None:
    raise ZeroDivisionError


# --- judged by others


@EVERY_OUTCOME
@pytest.mark.parametrize("method", METHODS)
def test_wsgiref_is_content_on_both_sides(wrap: Wrap, status: str, method: str) -> None:
    answer = serve(validator(wrap(validator(App()))), REQUEST_METHOD=method)
    assert answer.status == status
    if method == "HEAD":
        assert answer.body == b""


@EVERY_OUTCOME
@pytest.mark.parametrize("method", METHODS)
def test_webtest_lint_is_content(wrap: Wrap, status: str, method: str) -> None:
    response = TestApp(wrap(App()), lint=True).request("/path?a=1", method=method, status="*")
    assert response.status == status


@EVERY_OUTCOME
def test_head_has_the_headers_of_get(wrap: Wrap, status: str) -> None:
    app = wrap(App())
    get, head = serve(app), serve(app, REQUEST_METHOD="HEAD")
    assert (head.status, head.headers) == (get.status, get.headers) or status == "302 Found"
    assert head.body == b""


@EVERY_OUTCOME
@pytest.mark.parametrize("method", ["BREW", "get", "", "M-SEARCH", "CONNECT"])
def test_an_unknown_method_is_a_method(wrap: Wrap, status: str, method: str) -> None:
    assert serve(wrap(App()), REQUEST_METHOD=method).status == status


@EVERY_OUTCOME
@pytest.mark.parametrize(
    "missing",
    [
        ["HTTP_HOST"],
        ["QUERY_STRING"],
        ["PATH_INFO"],
        ["SCRIPT_NAME"],
        ["HTTP_HOST", "QUERY_STRING", "PATH_INFO", "SCRIPT_NAME"],
    ],
    ids=",".join,
)
def test_what_a_server_may_leave_out_may_be_missing(
    wrap: Wrap, status: str, missing: list[str]
) -> None:
    environ = full_environ()
    for key in missing:
        del environ[key]
    assert serve(wrap(App()), environ).status == status


def test_options_needs_a_session_like_everything_else() -> None:
    app = App()
    wrapped = require_session(app, clerk())
    assert serve(wrapped, REQUEST_METHOD="OPTIONS").status == "401 Unauthorized"
    assert app.calls == 0
    assert serve(wrapped, REQUEST_METHOD="OPTIONS", **bearer()).status == "200 OK"


def test_a_websocket_upgrade_is_a_request_like_any_other() -> None:
    keys = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
    assert serve(require_session(App(), clerk()), **keys).status == "401 Unauthorized"
    assert serve(require_session(App(), clerk()), **keys, **bearer()).body == b"hello"


# --- nothing to add: passed through


@UNTOUCHED
def test_with_nothing_to_add_the_same_objects_are_passed_through(wrap: Wrap) -> None:
    given: list[object] = []
    body = [b"hello"]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given.extend([environ, start_response])
        return body

    def start_response(*_: object) -> Any:
        raise AssertionError("the application has not called it")

    environ = full_environ()
    assert wrap(app)(environ, start_response) is body
    assert given[0] is environ
    assert given[1] is start_response


@TRANSPARENT
def test_the_applications_own_iterable_is_returned(wrap: Wrap) -> None:
    made: list[Iterable[bytes]] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        made.append(environ["wsgi.file_wrapper"](environ["wsgi.input"]))
        return made[0]

    environ = full_environ(**{"wsgi.file_wrapper": FileWrapper})
    result = wrap(app)(environ, nowhere)
    assert result is made[0]
    assert isinstance(result, FileWrapper)


class Untouchable:
    """A request body that nobody may look at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"wsgi.input.{name} was touched")


@EVERY_OUTCOME
def test_the_request_body_is_not_touched(wrap: Wrap, status: str) -> None:
    body = Untouchable()
    environ = full_environ(REQUEST_METHOD="POST", CONTENT_LENGTH="9", **{"wsgi.input": body})
    assert serve(wrap(App()), environ).status == status
    assert environ["wsgi.input"] is body


@TRANSPARENT
def test_repeated_headers_of_the_application_stay_in_their_order(wrap: Wrap) -> None:
    theirs = [*TEXT, ("Set-Cookie", "a=1"), ("X-A", "1"), ("Set-Cookie", "a=2"), ("X-A", "1")]
    answer = serve(wrap(App(headers=theirs)))
    assert answer.headers[: len(theirs)] == theirs


# --- headers to add: start_response is wrapped, nothing else


@ADDING
def test_the_headers_that_the_application_passed_are_not_changed(wrap: Wrap) -> None:
    passed = list(TEXT)

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", passed)
        return []

    assert len(serve(wrap(app)).headers) > len(passed)
    assert passed == TEXT


@TRANSPARENT
def test_write_works(wrap: Wrap) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", list(TEXT))
        write(b"one ")
        write(b"two ")
        return [b"three"]

    assert serve(validator(wrap(validator(app)))).body == b"one two three"


@TRANSPARENT
def test_the_servers_own_write_is_returned(wrap: Wrap) -> None:
    def write(_data: bytes) -> None:
        raise AssertionError("not called")

    seen: list[object] = []

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(start_response("200 OK", list(TEXT)))
        return []

    wrap(app)(full_environ(), lambda *_: write)
    assert seen == [write]


@TRANSPARENT
def test_start_response_may_be_called_as_late_as_the_first_chunk(wrap: Wrap) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("201 Created", list(TEXT))
        yield b"late "
        yield b"body"

    answer = serve(validator(wrap(validator(app))))
    assert (answer.status, answer.body) == ("201 Created", b"late body")


def test_a_late_start_response_gets_the_cookies_too() -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b""

    answer = serve(BACK.wrap(with_session, app))
    assert answer.one("Set-Cookie") == COOKIE[1]


@TRANSPARENT
def test_an_application_may_start_again_with_exc_info(wrap: Wrap) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        try:
            must_fail()
        except ZeroDivisionError:
            start_response("500 Oops", [*TEXT, ("X-Again", "1")], sys.exc_info())
        return [b"oops"]

    answer = serve(validator(wrap(validator(app))))
    assert (answer.status, answer.body) == ("500 Oops", b"oops")
    assert answer.one("X-Again") == "1"


def test_who_starts_again_gets_the_cookies_once() -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        start_response("500 Oops", list(TEXT), (ValueError, ValueError(), None))  # type: ignore[arg-type]
        return []

    answer = serve(BACK.wrap(with_session, app))
    assert answer.all("Set-Cookie") == [COOKIE[1]]


@TRANSPARENT
@pytest.mark.parametrize("exc_info", [(), (None,), ((ValueError, ValueError(), None),)])
def test_start_response_gets_exactly_the_arguments_that_the_application_gave(
    wrap: Wrap, exc_info: tuple[Any, ...]
) -> None:
    seen: list[tuple[Any, ...]] = []

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT), *exc_info)
        return []

    def start_response(*args: Any) -> Any:
        seen.append(args)

    wrap(app)(full_environ(), start_response)
    ((status, _, *rest),) = seen
    assert status == "200 OK"
    assert tuple(rest) == exc_info


@TRANSPARENT
def test_what_the_server_raises_in_start_response_reaches_the_application(wrap: Wrap) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with pytest.raises(OSError, match="headers already sent"):
            start_response("200 OK", list(TEXT))
        return [b"survived"]

    def start_response(*_: Any) -> Any:
        raise OSError("headers already sent")

    assert wrap(app)(full_environ(), start_response) == [b"survived"]


# --- the body


class Body:
    """A response body that counts, and breaks where it is told to."""

    def __init__(self, breaks_at: int = 99) -> None:
        self.breaks_at = breaks_at
        self.sent = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.sent == self.breaks_at:
            raise ConnectionAbortedError
        if self.sent == 3:
            raise StopIteration
        self.sent += 1
        return b"x"

    def close(self) -> None:
        self.closed += 1


def with_body(body: Body) -> WSGIApplication:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        return body

    return app


@TRANSPARENT
def test_the_body_is_closed_once_at_its_end(wrap: Wrap) -> None:
    body = Body()
    assert serve(wrap(with_body(body))).body == b"xxx"
    assert body.closed == 1


@TRANSPARENT
def test_the_body_is_closed_once_when_it_breaks(wrap: Wrap) -> None:
    body = Body(breaks_at=1)
    with pytest.raises(ConnectionAbortedError):
        serve(wrap(with_body(body)))
    assert (body.sent, body.closed) == (1, 1)


@TRANSPARENT
def test_the_body_is_neither_read_ahead_nor_closed_by_us_when_the_server_stops(wrap: Wrap) -> None:
    body = Body()
    result: Any = wrap(with_body(body))(full_environ(), nowhere)
    assert body.sent == 0
    iterator = iter(result)
    next(iterator)
    assert (body.sent, body.closed) == (1, 0)
    result.close()
    assert (body.sent, body.closed) == (1, 1)


@TRANSPARENT
def test_a_generator_is_closed_where_it_stands(wrap: Wrap) -> None:
    ended: list[str] = []

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        try:
            yield b"x"
            yield b"y"
        finally:
            ended.append("closed")

    result: Any = wrap(app)(full_environ(), nowhere)
    next(result)
    result.close()
    assert ended == ["closed"]


# --- what an application raises


@TRANSPARENT
@pytest.mark.parametrize("raised", [ZeroDivisionError(), SystemExit(3), KeyboardInterrupt()])
def test_what_the_application_raises_is_not_caught(wrap: Wrap, raised: BaseException) -> None:
    def app(_environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        raise raised

    def late(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"x"
        raise raised

    for each in (app, late):
        with pytest.raises(type(raised)) as caught:
            serve(wrap(each))
        assert caught.value is raised


# --- threads


def test_eight_threads_get_the_answers_of_one() -> None:
    def whoami(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        return [environ["clerk.session"].user_id.encode()]

    wrapped = require_session(whoami, clerk())
    users = [f"user_{number}" for number in range(8)]
    keys = [bearer(sub=user) for user in users]

    def ask(number: int) -> tuple[str, bytes]:
        if number % 9 == 8:
            return "", serve(wrapped).status.encode()
        return users[number % 8], serve(wrapped, **keys[number % 8]).body

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(720)))
    assert all(body == (user.encode() or b"401 Unauthorized") for user, body in answers)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_warns(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for wrap, _ in OUTCOMES.values():
            serve(validator(wrap(validator(App()))), REQUEST_METHOD=method)
