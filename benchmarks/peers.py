"""What else people put in front of their applications, to be measured beside this package.

Each is made in the way that its documentation shows, and decides the same requests rightly. What
it has decided is in ``environ[DECISION]``, and who is signed in in ``environ[USER]``.
"""

from __future__ import annotations

import warnings
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DECISION = "benchmark.decision"
USER = "benchmark.user"
SIGNED_IN = "signed-in"

PYJWT = "PyJWT"
SDK = "clerk-backend-api"
LEEWAY = 5  # seconds, as ours


def missing() -> list[str]:
    """Return the peers of Python that are not installed."""
    from machine import installed_version  # whoever uses a peer alone need not pay for it

    return [name for name in (PYJWT, SDK) if installed_version(name) is None]


def tell_missing(names: Iterable[str]) -> None:
    """Print a line about peers that are not there, if any."""
    listed = ", ".join(names)
    if listed:
        print(f"\nnot installed: {listed}")


def by_hand(app: WSGIApplication, *, pem: str, origin: str) -> WSGIApplication:
    """Wrap an application in what one writes in an afternoon: ``SimpleCookie`` and PyJWT.

    The public key is parsed once. There are no handshakes, no key rotation, no other cookies than
    ``__session``.
    """
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: Any = load_pem_public_key(pem.encode())
    options: Any = {"require": ["exp", "sub"], "verify_aud": False}

    def decide(environ: WSGIEnvironment) -> str:
        token = _presented_token(environ)
        if token is None:
            return "no token"
        try:
            claims = jwt.decode(token, key, algorithms=["RS256"], leeway=LEEWAY, options=options)
        except jwt.InvalidTokenError as error:
            return type(error).__name__
        if claims.get("azp") != origin:
            return "azp"
        environ[USER] = claims["sub"]
        return SIGNED_IN

    return _wrapped(app, decide)


def official_sdk(
    app: WSGIApplication,
    *,
    origin: str,
    pem: str | None = None,
    secret_key: str | None = None,
    api_url: str = "",
) -> WSGIApplication:
    """Wrap an application in ``authenticate_request`` of ``clerk-backend-api``.

    With a ``pem`` it needs no network, with a ``secret_key`` it fetches keys from ``api_url``.
    """
    if api_url:
        _send_sdk_to(api_url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from clerk_backend_api.security import AuthenticateRequestOptions, authenticate_request
    options = AuthenticateRequestOptions(
        secret_key=secret_key,
        jwt_key=pem,
        authorized_parties=[origin],
        accepts_token=["session_token"],
    )

    def decide(environ: WSGIEnvironment) -> str:
        state = authenticate_request(_HeadersOf(environ), options)
        if not state.is_signed_in:
            return str(state.reason.value[0]) if state.reason else "signed-out"
        environ[USER] = (state.payload or {}).get("sub")
        return SIGNED_IN

    return _wrapped(app, decide)


def _wrapped(app: WSGIApplication, decide: Callable[[WSGIEnvironment], str]) -> WSGIApplication:
    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[DECISION] = decide(environ)
        return app(environ, start_response)

    return middleware


def _presented_token(environ: WSGIEnvironment) -> str | None:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Bearer":
        return str(token)
    try:
        cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    except CookieError:
        return None
    return cookies["__session"].value if "__session" in cookies else None


class _HeadersOf:
    """A request as the SDK wants it, made with as little work as can be."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        given = {
            "Authorization": environ.get("HTTP_AUTHORIZATION"),
            "cookie": environ.get("HTTP_COOKIE"),
        }
        self.headers = {name: text for name, text in given.items() if text is not None}


def _send_sdk_to(api_url: str) -> None:
    """Let ``authenticate_request`` fetch keys elsewhere: no option of its own says where."""
    from functools import partial
    from importlib import import_module

    module: Any = import_module("clerk_backend_api.security.authenticaterequest")
    options: Any = import_module("clerk_backend_api.security.types").VerifyTokenOptions
    module.VerifyTokenOptions = partial(options, api_url=api_url)
