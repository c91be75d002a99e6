"""What the tests of the wrapper share: a real ``Clerk``, a small server, applications."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from clerk_wsgi import Clerk, SignedIn, SignedOut

from .minting import NOW, Minter
from .minting import environ as request_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi import RequestState

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


class Decided(Clerk):
    """An instance that has made up its mind: for states that this version never reaches."""

    def __init__(self, state: RequestState) -> None:
        super().__init__(jwt_key=minter().pem, dotenv=False)
        self.state = state
        self.asked: list[Mapping[str, Any]] = []

    def authenticate(self, environ: Mapping[str, Any]) -> RequestState:
        self.asked.append(environ)
        return self.state


def signed_in_with(*headers: tuple[str, str]) -> SignedIn:
    """Return a signed-in state that has headers to send."""
    state = SignedIn.from_claims("the-token", {"sub": "user_1", "sid": "sess_1"})
    return state.with_headers(headers)


def signed_out_with(*headers: tuple[str, str], reason: str = "session-token-missing") -> SignedOut:
    """Return a signed-out state that has headers to send."""
    return SignedOut(reason=reason, message="No session.", extra_headers=headers)


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
