"""What the tests of the wrapper share: real instances with requests to decide, applications."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from clerk_wsgi import Clerk
from clerk_wsgi.testing import in_process

from .minting import NOW, PUBLISHABLE_LIVE, Minter
from .minting import environ as request_environ
from .scripted import SECRET_KEY, ScriptedClerk, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi import ClerkMiddleware, RequestState

    Headers = list[tuple[str, str]]


@cache
def minter() -> Minter:
    """Return the key that signs every token here."""
    return Minter()


def clerk() -> Clerk:
    """Return a new instance that knows the key and has no way to the network."""
    return Clerk(jwt_key=minter().pem, dotenv=False, clock=lambda: NOW)


def bearer(**claims: Any) -> dict[str, str]:
    """Return the environ key that signs a request in."""
    return {"HTTP_AUTHORIZATION": f"Bearer {minter().token(**claims)}"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """An instance, and what a request brings that it decides in a certain way."""

    clerk: Clerk
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> RequestState:
        """What is decided, by a decision of its own."""
        return self.clerk.authenticate(full_environ(**self.keys))

    def wrap(
        self, wrapper: Callable[..., ClerkMiddleware], app: Any, *args: Any, **options: Any
    ) -> WSGIApplication:
        """Return the wrapped application; every request for it brings what it takes."""
        return bringing(self.keys, wrapper(app, self.clerk, *args, **options))


def bringing(keys: Mapping[str, str], app: WSGIApplication) -> WSGIApplication:
    """Return an application with a server before it that adds these keys to every environ."""

    def asked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.update(keys)
        return app(environ, start_response)

    return asked


def by_handshake(*lines: str, key: str = PUBLISHABLE_LIVE, **options: Any) -> Case:
    """Return a request that brings home a handshake with these ``Set-Cookie`` lines.

    With a development's key the state has a ``Location``.
    """
    token = minter().compact({"alg": "RS256", "typ": "JWT"}, {"handshake": lines})
    settings = {"jwt_key": minter().pem, "publishable_key": key, "dotenv": False, **options}
    return Case(
        clerk=Clerk(clock=lambda: NOW, **settings),
        keys={"HTTP_COOKIE": f"__clerk_handshake={token}"},
    )


def signed_in() -> Case:
    """Return a request of somebody, whose state has no headers."""
    return Case(clerk=clerk(), keys=bearer())


def without_keys() -> Case:
    """Return a request of somebody while Clerk's keys cannot be had."""
    return Case(
        clerk=ScriptedClerk({"GET /v1/jwks": error(503)}).instance(clock=lambda: NOW),
        keys=bearer(),
    )


def cut_off(*lines: str) -> Case:
    """Return a request with cookies to set, and Clerk cannot say whether its session is over."""
    api = ScriptedClerk({"POST /v1/sessions/sess_1/verify": error(503)})
    return by_handshake(*lines, secret_key=SECRET_KEY, verification="live", http=in_process(api))


def full_environ(**keys: Any) -> WSGIEnvironment:
    """Return an environ with everything that PEP 3333 asks for, plus or minus some keys."""
    return {
        **request_environ(),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **keys,
    }


class App:
    """An application that keeps the environs it was called with."""

    def __init__(self, body: bytes = b"hello", headers: Headers | None = None) -> None:
        self.body = body
        self.headers = headers or [("Content-Type", "text/plain")]
        self.environs: list[WSGIEnvironment] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(environ)
        start_response("200 OK", list(self.headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]

    @property
    def calls(self) -> int:
        return len(self.environs)

    @property
    def environ(self) -> WSGIEnvironment:
        (environ,) = self.environs
        return environ


@dataclass
class Answer:
    """What came out at the server's end."""

    status: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def serve(app: WSGIApplication, environ: WSGIEnvironment | None = None, /, **keys: Any) -> Answer:
    """Run one request the way a server does: call, iterate, close."""
    answer = Answer()

    def start_response(
        status: str, headers: Headers, _exc_info: object = None
    ) -> Callable[[bytes], object]:
        answer.status, answer.headers = status, headers
        return written.append

    written: list[bytes] = []
    iterable = app(full_environ(**keys) if environ is None else environ, start_response)
    try:
        written.extend(iterable)
    finally:
        getattr(iterable, "close", lambda: None)()
    answer.body = b"".join(written)
    return answer
