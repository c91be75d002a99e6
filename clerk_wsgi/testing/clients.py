"""How the test clients of frameworks are made to carry headers and cookies.

Each is known by its attributes, so that no framework is imported. Only public attributes are used,
and only those of the client: never the application's.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Luggage(Protocol):
    """What a client carries with each of its requests; what is removed need not be there."""

    def set_header(self, name: str, value: str) -> None: ...
    def remove_header(self, name: str) -> None: ...
    def set_cookie(self, name: str, value: str) -> None: ...
    def remove_cookie(self, name: str) -> None: ...


def luggage_of(client: Any) -> Luggage:
    """Return what a client carries, or raise ``TypeError`` for what is none that is known."""
    if isinstance(client, MutableMapping):
        return EnvironLuggage(client)
    for attributes, luggage in _KINDS:
        if all(hasattr(client, name) for name in attributes):
            return luggage(client)
    raise TypeError(
        "expected a test client of WebTest, Flask, Werkzeug or Django, a requests.Session or"
        f" a WSGI environ, got {type(client).__name__}"
    )


class EnvironLuggage:
    """The environ of one request, or the part of it that is the same for all."""

    def __init__(self, environ: MutableMapping[str, Any]) -> None:
        self._environ = environ

    def set_header(self, name: str, value: str) -> None:
        self._environ[environ_key(name)] = value

    def remove_header(self, name: str) -> None:
        self._environ.pop(environ_key(name), None)

    def set_cookie(self, name: str, value: str) -> None:
        self._put([*self._others(name), f"{name}={value}"])

    def remove_cookie(self, name: str) -> None:
        self._put(self._others(name))

    def _others(self, name: str) -> list[str]:
        pieces = (piece.strip() for piece in self._environ.get("HTTP_COOKIE", "").split(";"))
        return [piece for piece in pieces if piece and piece.partition("=")[0].strip() != name]

    def _put(self, pieces: list[str]) -> None:
        if pieces:
            self._environ["HTTP_COOKIE"] = "; ".join(pieces)
        else:
            self._environ.pop("HTTP_COOKIE", None)


class WebTestLuggage:
    """``webtest.TestApp``."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._headers = EnvironLuggage(client.extra_environ)

    def set_header(self, name: str, value: str) -> None:
        self._headers.set_header(name, value)

    def remove_header(self, name: str) -> None:
        self._headers.remove_header(name)

    def set_cookie(self, name: str, value: str) -> None:
        self._client.set_cookie(name, value)

    def remove_cookie(self, name: str) -> None:
        remove_from_jar(self._client.cookiejar, name)


class DjangoLuggage:
    """``django.test.Client``."""

    def __init__(self, client: Any) -> None:
        self._cookies = client.cookies
        self._headers = EnvironLuggage(client.defaults)

    def set_header(self, name: str, value: str) -> None:
        self._headers.set_header(name, value)

    def remove_header(self, name: str) -> None:
        self._headers.remove_header(name)

    def set_cookie(self, name: str, value: str) -> None:
        self._cookies[name] = value

    def remove_cookie(self, name: str) -> None:
        self._cookies.pop(name, None)


class WerkzeugLuggage:
    """``werkzeug.test.Client``: it has no headers of its own, so they are added on the way."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def set_header(self, name: str, value: str) -> None:
        if not isinstance(self._client.application, AddingHeaders):
            self._client.application = AddingHeaders(self._client.application)
        self._client.application.headers.set_header(name, value)

    def remove_header(self, name: str) -> None:
        application = self._client.application
        if isinstance(application, AddingHeaders):
            application.headers.remove_header(name)

    def set_cookie(self, name: str, value: str) -> None:
        self._client.set_cookie(name, value)

    def remove_cookie(self, name: str) -> None:
        self._client.delete_cookie(name)


class FlaskLuggage(WerkzeugLuggage):
    """``flask.testing.FlaskClient``, which has an environ for all requests."""

    def set_header(self, name: str, value: str) -> None:
        EnvironLuggage(self._client.environ_base).set_header(name, value)

    def remove_header(self, name: str) -> None:
        EnvironLuggage(self._client.environ_base).remove_header(name)


class RequestsLuggage:
    """``requests.Session``, for applications that listen somewhere."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def set_header(self, name: str, value: str) -> None:
        self._client.headers[name] = value

    def remove_header(self, name: str) -> None:
        self._client.headers.pop(name, None)

    def set_cookie(self, name: str, value: str) -> None:
        self._client.cookies.set(name, value)

    def remove_cookie(self, name: str) -> None:
        remove_from_jar(self._client.cookies, name)


# The first whose attributes a client has; Flask's client is one of Werkzeug, too.
_KINDS: tuple[tuple[tuple[str, ...], Callable[[Any], Luggage]], ...] = (
    (("extra_environ", "cookiejar"), WebTestLuggage),
    (("defaults", "handler", "cookies"), DjangoLuggage),
    (("application", "environ_base", "delete_cookie"), FlaskLuggage),
    (("application", "delete_cookie"), WerkzeugLuggage),
    (("mount", "headers", "cookies"), RequestsLuggage),
)


class AddingHeaders:
    """A WSGI application that adds headers to requests on their way to another one."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._added: WSGIEnvironment = {}
        self.headers = EnvironLuggage(self._added)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for key, value in self._added.items():
            environ.setdefault(key, value)  # what the request itself says counts more
        return self._app(environ, start_response)


def environ_key(header: str) -> str:
    """Return the key of a WSGI environ that holds a header."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def remove_from_jar(jar: Any, name: str) -> None:
    """Remove the cookies of a name from an ``http.cookiejar``, whatever their host and path."""
    for cookie in list(jar):
        if cookie.name == name:
            jar.clear(cookie.domain, cookie.path, cookie.name)
