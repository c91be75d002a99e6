"""Answers of WSGI applications as Django's responses, and headers that join a response."""

from __future__ import annotations

from http.cookies import Morsel
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


def add_headers(response: HttpResponseBase, additions: Headers) -> None:
    """Add cookies to a response, and replace its other headers by the additional ones."""
    for name, value in additions:
        if name.lower() == "set-cookie":
            _add_cookie(response, value)
        else:
            response[name] = value


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


def _read(body: Iterable[bytes]) -> bytes:
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
