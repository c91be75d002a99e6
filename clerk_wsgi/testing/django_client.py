"""Django's test client with a WSGI wrapper in its way, which by itself it has not.

The client calls Django's handler with an environ and takes the response as an object. Here the
wrapper stands between the two, by WSGI on both of its sides; Django is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Wrap = Callable[[WSGIApplication], WSGIApplication]
    Headers = list[tuple[str, str]]

Client = TypeVar("Client")
# Where Django's response waits for the way back: no server knows of objects.
_RESPONSES = "clerk_wsgi.testing.responses"


def wrap_django_client(client: Client, wrap: Wrap) -> Client:
    """Let a ``django.test.Client`` ask the wrapped Django, and return the client.

    ``wrap`` is what the application's ``wsgi.py`` does to ``get_wsgi_application()``:
    ``require_session``, or a function that calls it with arguments. It is called once, now.
    Contexts, templates, exceptions and the client's other means are there as ever.
    """
    handled: Any = client
    handled.handler = _WrappedHandler(handled.handler, wrap)
    return client


class _WrappedHandler:
    """Called as the handler of a test client is: an environ in, Django's response out."""

    def __init__(self, handler: Callable[[WSGIEnvironment], Any], wrap: Wrap) -> None:
        self._handler = handler
        self._app = wrap(self._django)

    def __call__(self, environ: WSGIEnvironment) -> Any:
        responses: list[Any] = []
        environ[_RESPONSES] = responses
        start = _Start()
        body = self._app(environ, start)
        if not responses:
            return _response_of(environ, start, body)
        response = responses[-1]
        if body is not response:
            _replace_body(response, body)
        if (start.status, start.headers) != _head_of(response):
            _replace_head(response, start)
        return response

    def _django(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Django as a WSGI application, as ``WSGIHandler`` is one."""
        response: Any = self._handler(environ)
        environ[_RESPONSES].append(response)
        start_response(*_head_of(response))
        body: Iterable[bytes] = response
        return body


class _Start:
    """A ``start_response`` that keeps what it is told."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: Headers = []
        self.written: list[bytes] = []

    def __call__(
        self, status: str, headers: Headers, _exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return self.written.append


def _head_of(response: Any) -> tuple[str, Headers]:
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return f"{response.status_code} {response.reason_phrase}", [*response.items(), *cookies]


def _response_of(environ: WSGIEnvironment, start: _Start, body: Iterable[bytes]) -> Any:
    """Return the answer of a wrapper that did not ask Django."""
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    response = HttpResponse(b"".join([*_read(body), *start.written]))
    _replace_head(response, start)
    response.wsgi_request = WSGIRequest(environ)
    return response


def _replace_head(response: Any, start: _Start) -> None:
    status, _, response.reason_phrase = start.status.partition(" ")
    response.status_code = int(status)
    for name, _ in list(response.items()):
        del response[name]
    response.cookies.clear()
    for name, value in start.headers:
        if name.lower() == "set-cookie":
            response.cookies.load(value)
        else:
            response[name] = value


def _replace_body(response: Any, body: Iterable[bytes]) -> None:
    if response.streaming:
        response.streaming_content = body
    else:
        response.content = b"".join(_read(body))


def _read(body: Iterable[bytes]) -> list[bytes]:
    try:
        return list(body)
    finally:
        getattr(body, "close", lambda: None)()
