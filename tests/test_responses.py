"""What an error looks like over HTTP: the default answer, and the one that is always JSON."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from clerk_wsgi import (
    ApiError,
    ClerkError,
    ClerkUnavailable,
    Forbidden,
    Unauthenticated,
    error_response,
    json_error_response,
)
from clerk_wsgi.handlers import Response

from .wrapping import Answer, full_environ, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication


class Worded(int):
    """An int that writes itself in words, as members of some enumerations do."""

    def __format__(self, _specification: str) -> str:
        return "not\r\nfound"

    __str__ = __repr__ = object.__repr__


BOTH = pytest.mark.parametrize("render", [error_response, json_error_response])


def failure(**attributes: Any) -> Exception:
    """Return an exception that is none of ours, with attributes."""
    error = Exception("the text of the exception")
    vars(error).update(attributes)
    return error


def answer_to(
    error: BaseException,
    render: Callable[[BaseException], WSGIApplication] = error_response,
    method: str = "GET",
) -> Answer:
    """Render an error, with wsgiref judging the answer."""
    return serve(validator(render(error)), REQUEST_METHOD=method)


@pytest.mark.parametrize(
    ("status_code", "status"),
    [
        (200, "200 OK"),
        (299, "299 Unknown"),
        (302, "302 Found"),
        (400, "400 Bad Request"),
        (403, "403 Forbidden"),
        (418, "418 "),
        (HTTPStatus.NOT_FOUND, "404 Not Found"),
        (Worded(404), "404 Not Found"),
        (499, "499 Unknown"),
        (599, "599 Unknown"),
        (199, "500 Internal Server Error"),
        (100, "500 Internal Server Error"),
        (600, "500 Internal Server Error"),
        (0, "500 Internal Server Error"),
        (-401, "500 Internal Server Error"),
        (10**30, "500 Internal Server Error"),
        (True, "500 Internal Server Error"),
        (False, "500 Internal Server Error"),
        (None, "500 Internal Server Error"),
        ("401", "500 Internal Server Error"),
        ("401 Unauthorized", "500 Internal Server Error"),
        (b"401", "500 Internal Server Error"),
        (401.0, "500 Internal Server Error"),
        (float("nan"), "500 Internal Server Error"),
        ([401], "500 Internal Server Error"),
        ((401,), "500 Internal Server Error"),
        ({}, "500 Internal Server Error"),
        (object(), "500 Internal Server Error"),
        ("200 OK\r\nX-Evil: 1", "500 Internal Server Error"),
    ],
)
@BOTH
def test_the_status_is_the_errors_if_it_is_an_int_from_200_to_599(
    render: Callable[[BaseException], WSGIApplication], status_code: object, status: str
) -> None:
    assert answer_to(failure(status_code=status_code), render).status.startswith(status)


@pytest.mark.parametrize(
    "error",
    [Exception("boom"), ValueError("boom"), SystemExit("boom"), KeyboardInterrupt(), StopIteration],
)
def test_an_error_without_a_status_is_a_500_without_a_body(error: Any) -> None:
    answer = answer_to(error)
    assert answer.status == "500 Internal Server Error"
    assert answer.body == b""
    assert answer.one("Content-Length") == "0"


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1, None, "é", {"b": 1.5}]},
        [],
        {},
        "",
        "text",
        0,
        False,
        [{"code": "x", "meta": {}}],
        "lone \ud800",
        "</script>\r\n",
    ],
)
@BOTH
def test_data_that_is_not_none_is_the_body_as_json(
    render: Callable[[BaseException], WSGIApplication], data: object
) -> None:
    answer = answer_to(ClerkError("text", status_code=422, data=data), render)
    assert json.loads(answer.body) == data
    assert answer.one("Content-Type") == "application/json"
    assert answer.one("Content-Length") == str(len(answer.body))


def circle() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


def nested(depth: int) -> list[object]:
    ring: list[object] = []
    for _ in range(depth):
        ring = [ring]
    return ring


@pytest.mark.parametrize(
    "data",
    [
        object(),
        {"password": object()},
        {1, 2},
        b"bytes",
        float("nan"),
        [float("inf")],
        {("a", "b"): 1},
        circle(),
        nested(200_000),
    ],
    ids=lambda data: type(data).__name__,
)
@BOTH
def test_data_that_is_no_json_is_a_500_without_a_body_and_is_logged_without_itself(
    render: Callable[[BaseException], WSGIApplication],
    data: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = answer_to(Unauthenticated("text", data=data), render)
    assert answer.status == "500 Internal Server Error"
    assert answer.body == b""
    assert answer.all("WWW-Authenticate") == []
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("clerk_wsgi", logging.ERROR)
    assert record.getMessage() == "the data of a Unauthenticated cannot be sent as JSON"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unauthenticated("m"), "401 Unauthorized"),
        (Forbidden("m"), "403 Forbidden"),
        (ClerkUnavailable("m"), "503 Service Unavailable"),
        (ApiError("m", status_code=404), "404 Not Found"),
        (ClerkError("m"), "500 Internal Server Error"),
    ],
)
def test_each_error_of_ours_has_its_status_and_by_default_no_body(
    error: ClerkError, status: str
) -> None:
    answer = answer_to(error)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.one("Content-Length") == "0"
    assert answer.one("Cache-Control") == "no-store"


@BOTH
def test_only_a_401_says_how_to_authenticate(
    render: Callable[[BaseException], WSGIApplication],
) -> None:
    assert answer_to(failure(status_code=401), render).one("WWW-Authenticate") == "Bearer"
    for other in (400, 403, 500, 503):
        assert answer_to(failure(status_code=other), render).all("WWW-Authenticate") == []


def test_only_an_unavailable_clerk_says_when_to_try_again() -> None:
    assert answer_to(ClerkUnavailable("m", retry_after=7)).one("Retry-After") == "7"
    assert answer_to(failure(status_code=503)).all("Retry-After") == []
    assert answer_to(Unauthenticated("m")).all("Retry-After") == []


@pytest.mark.parametrize("status", [204, 304])
@BOTH
def test_a_status_without_content_has_neither_body_nor_type_nor_length(
    render: Callable[[BaseException], WSGIApplication], status: int
) -> None:
    answer = answer_to(ClerkError("m", status_code=status, data={"a": 1}), render)
    assert answer.body == b""
    assert answer.all("Content-Type") == answer.all("Content-Length") == []


def test_a_205_has_no_content_either_and_says_so() -> None:
    answer = answer_to(ClerkError("m", status_code=205, data={"a": 1}))
    assert (answer.body, answer.one("Content-Length")) == (b"", "0")


@pytest.mark.parametrize("data", [None, {"a": 1}])
@BOTH
def test_head_gets_the_headers_of_get_and_no_body(
    render: Callable[[BaseException], WSGIApplication], data: object
) -> None:
    error = Unauthenticated("m", data=data)
    get, head = answer_to(error, render), answer_to(error, render, method="HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_a_request_without_a_method_gets_the_body() -> None:
    environ = full_environ()
    del environ["REQUEST_METHOD"]
    assert serve(error_response(ClerkError("m", data=1)), environ).body == b"1"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ClerkError("what happened"), "what happened"),
        (Unauthenticated("Nobody is signed in."), "Nobody is signed in."),
        (Unauthenticated(), "Unauthorized"),
        (failure(message="said on purpose", status_code=409), "said on purpose"),
        (failure(status_code=409), "Conflict"),
        (failure(message=b"bytes"), "Internal Server Error"),
        (failure(message=None), "Internal Server Error"),
        (failure(message="", status_code=599), "Unknown"),
        (ValueError("secret detail"), "Internal Server Error"),
    ],
)
def test_without_data_the_json_answer_has_the_message(error: BaseException, message: str) -> None:
    assert json.loads(answer_to(error, json_error_response).body) == {"error": message}


@BOTH
def test_the_text_of_an_unknown_exception_never_reaches_the_client(
    render: Callable[[BaseException], WSGIApplication],
) -> None:
    answer = answer_to(RuntimeError("db://user:hunter2@host"), render)
    assert "hunter2" not in repr(answer)


def test_a_response_does_not_show_its_headers_or_body() -> None:
    headers = (("Set-Cookie", "__session=secret"),)
    assert "secret" not in repr(Response(status=200, headers=headers, body=b"secret"))
