"""The requests that benchmarks make: environs as gunicorn builds them, with real tokens."""

from __future__ import annotations

import base64
import io
import itertools
import sys
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from clerk_wsgi.emulator import Emulator, forge

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import WSGIEnvironment
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PRODUCTION = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
HOUR = 3600


def local_clerk() -> Emulator:
    """Return a Clerk of a production instance, in this process."""
    return Emulator(publishable_key=PRODUCTION)


def saved_clerk(state: Path, *, like: Emulator | None = None) -> Emulator:
    """Return a Clerk of a production instance whose state is in a file, for other processes.

    One that is ``like`` another has the same keys, so that tokens of either count for both.
    """
    if like is None:
        return Emulator(state, publishable_key=PRODUCTION)
    return Emulator(
        state,
        publishable_key=like.publishable_key,
        secret_key=like.secret_key,
        signing_key=like._keys.current,
    )


# What a kind of request has beside what all have, as it comes from the network.
Variables = dict[str, bytes]


class Requests:
    """Says what is in requests of each kind; ``origin`` is the application's."""

    def __init__(self, emulator: Emulator, origin: str) -> None:
        self.emulator = emulator
        self._origin = origin
        digest = sha1(emulator.publishable_key.encode(), usedforsecurity=False).digest()
        self._suffix = base64.urlsafe_b64encode(digest)[:8].decode()
        self._session = emulator.sessions()[0]["id"]
        self._numbers = itertools.count()
        self._token = self.token()
        self._forged = forge(self._token)
        self._expired = self.token(exp=1_700_000_060, iat=1_700_000_000, nbf=1_699_999_990)

    def token(self, **claims: Any) -> str:
        """Return a token that no other is like."""
        return self.token_of(self._session, **claims)

    def token_of(self, session_id: str, **claims: Any) -> str:
        """Return such a token of a session that need not be the usual one."""
        number = f"{next(self._numbers):020d}"
        return self.emulator.session_token(
            session_id, expires_in=HOUR, azp=self._origin, jti=number, **claims
        )

    def claims(self) -> dict[str, Any]:
        """Return what the token says that was seen before, to sign more like it."""
        claims = self.emulator.read_session_token(self._token)
        assert claims is not None
        return claims

    def signature(self) -> tuple[RSAPublicKey, bytes, bytes]:
        """Return a key, a signature of it, and what was signed."""
        signed, _, signature = self._token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        return self.emulator._keys.current.private.public_key(), raw, signed.encode()

    def signed_in(self) -> Variables:
        """The cookies of a browser that is signed in, the token one that was seen before."""
        return self.with_cookies(self._token)

    def bearer(self) -> Variables:
        """The same token in the header."""
        return _variables(HTTP_AUTHORIZATION=f"Bearer {self._token}")

    def page_load(self) -> Variables:
        """The cookies of that browser, which follows a link from another page of the site."""
        return {**self.signed_in(), **_variables(**_NAVIGATION)}

    def client_token(self) -> Variables:
        """The cookies of a browser whose token is of its client, as Clerk once made them."""
        session = self.emulator.session(self._session)
        return self.with_cookies(self.emulator.client_token(session["client_id"]))

    def unseen(self) -> Variables:
        """The cookies of a browser whose token is new."""
        return self.with_cookies(self.token())

    def unseen_bearer(self) -> Variables:
        """A new token in the header."""
        return _variables(HTTP_AUTHORIZATION=f"Bearer {self.token()}")

    def anonymous(self) -> Variables:
        """A browser without any cookie."""
        return _variables()

    def other_cookies(self) -> Variables:
        """A browser that has cookies, but none of Clerk's."""
        return _variables(HTTP_COOKIE=_OTHERS)

    def bad_signature(self) -> Variables:
        """A token with another key's signature, made to look new."""
        header, _, signature = self._forged.split(".")
        payload = self.token_payload()
        return _variables(HTTP_AUTHORIZATION=f"Bearer {header}.{payload}.{signature}")

    def unknown_key(self) -> Variables:
        """A token whose header names a key that there is not: another one in each request."""
        kid = f"ins_{next(self._numbers):027d}"
        header = _segment(f'{{"alg":"RS256","kid":"{kid}","typ":"JWT"}}')
        _, payload, signature = self._token.split(".")
        return _variables(HTTP_AUTHORIZATION=f"Bearer {header}.{payload}.{signature}")

    def expired(self) -> Variables:
        """A token that has expired long ago, asked for by a script."""
        return self.with_cookies(self._expired)

    def token_payload(self) -> str:
        """Return the payload of a token that nobody has seen, without signing it."""
        number = next(self._numbers)
        return _segment(
            f'{{"azp":"{self._origin}","exp":4102444800,"iat":1700000000,"iss":"https://x",'
            f'"jti":"{number:020d}","nbf":1700000000,"sid":"sess_1","sub":"user_1","v":2}}'
        )

    def with_cookies(self, token: str) -> Variables:
        """The cookies of a browser whose session has this token."""
        uat = "1700000000"
        cookies = (
            f"{_OTHERS}; __session={token}; __client_uat={uat}; "
            f"__session_{self._suffix}={token}; __client_uat_{self._suffix}={uat}"
        )
        return _variables(HTTP_COOKIE=cookies)


_OTHERS = (
    "_ga=GA1.1.1234567890.1700000000; theme=dark; lang=en;"
    " csrftoken=0123456789abcdef0123456789abcdef"
)


_NAVIGATION = {
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
    "HTTP_SEC_FETCH_DEST": "document",
    "HTTP_SEC_FETCH_MODE": "navigate",
}


def _segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _variables(**own: str) -> Variables:
    return {name: text.encode("latin-1") for name, text in own.items()}


def environ_of(own: Variables) -> WSGIEnvironment:
    """Return what gunicorn gives an application; a request's own texts are new objects."""
    environ: WSGIEnvironment = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": None,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": "gunicorn/23.0.0",
        "wsgi.input": io.BytesIO(),
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "",
        "RAW_URI": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "app.example.com",
        "HTTP_CONNECTION": "keep-alive",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0",
        "HTTP_ACCEPT": "application/json",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
        "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9",
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "HTTP_SEC_FETCH_MODE": "cors",
        "HTTP_SEC_FETCH_DEST": "empty",
        "HTTP_REFERER": "https://app.example.com/page",
        "wsgi.url_scheme": "https",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "PATH_INFO": "/",
        "SCRIPT_NAME": "",
    }
    for name, text in own.items():
        environ[name] = text.decode("latin-1")
    return environ


def headers_of(own: Variables) -> dict[str, str]:
    """Return the headers of a request as a client sends them."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").title(): text
        for name, text in environ_of(own).items()
        if name.startswith("HTTP_")
    }
