"""Answers of WSGI applications as Django's responses, and headers that join a response."""

from __future__ import annotations

from http.cookies import Morsel, SimpleCookie
from typing import TYPE_CHECKING, Any, cast

from django.http import HttpResponse
from webob import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import WSGIApplication
    from django.http.response import HttpResponseBase

    from ...state import Headers


def response_of(app: WSGIApplication, environ: Mapping[str, Any]) -> HttpResponse:
    """Return the whole answer of a WSGI application to a request."""
    status, headers, pieces = Request(dict(environ)).call_application(app)
    code, _, reason = status.partition(" ")
    response = HttpResponse(_read(pieces), status=int(code), reason=reason)
    del response["Content-Type"]  # Django's own; the answer has one, or none
    for name, value in headers:
        _append(response, name, value)
    if response.has_header("Location"):
        # Test clients look for it. Django's class for redirects refuses addresses that are long.
        cast("Any", response).url = response["Location"]
    return response


def with_headers(response: HttpResponseBase, additions: Headers) -> HttpResponseBase:
    """Return a response with more cookies, and its other headers replaced by the additional ones.

    It is this request's alone: the project's may be one for everybody.
    """
    own = _own(response) if additions else response
    for name, value in additions:
        if name.lower() == "set-cookie":
            _add_cookie(own, value)
        else:
            own[name] = value
    return own


class SetCookie(Morsel[str]):
    """The text of a ``Set-Cookie`` header, which is sent as it is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        pair, *attributes = text.split(";")
        name, _, value = pair.partition("=")
        self.set(name.strip(), value.strip(), value.strip())
        for attribute in attributes:
            key, _, value = attribute.strip().partition("=")
            if self.isReservedKey(key):
                self[key] = value
        self._text = text

    def OutputString(self, attrs: object = None) -> str:  # noqa: N802 - http.cookies named it
        return self._text

    def __reduce__(self) -> tuple[type[SetCookie], tuple[str]]:
        return SetCookie, (self._text,)


def _append(response: HttpResponseBase, name: str, value: str) -> None:
    """Add a header to those that are there; of one name Django sends one line."""
    if name.lower() == "set-cookie":
        _add_cookie(response, value)
    elif response.has_header(name):
        response[name] = f"{response[name]}, {value}"
    else:
        response[name] = value


def _add_cookie(response: HttpResponseBase, text: str) -> None:
    """Add a cookie, once: a wrapper further in may have done it.

    Django keeps one by each name, but there may be more, which differ in domain or path.
    """
    cookie = SetCookie(text)
    key = cookie.key
    while key in response.cookies:
        if response.cookies[key].OutputString() == text:
            return
        key += " "
    response.cookies[key] = cookie


def _own(response: HttpResponseBase) -> HttpResponseBase:
    """Return the same response, body and all, with headers and cookies of its own."""
    kind = cast("Any", type(response))
    own = kind.__new__(kind)
    vars(own).update(vars(response))
    own.headers = type(own.headers)(own.headers)
    own.cookies = SimpleCookie(own.cookies)
    return cast("HttpResponseBase", own)


def _read(body: Iterable[bytes]) -> bytes:
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
