"""What the tests of single steps share: a request of plain values, and an API that answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from clerk_wsgi.address import Address, encode_path
from clerk_wsgi.cookies import RequestCookies, SessionCookies
from clerk_wsgi.keys import PemKey
from clerk_wsgi.tokens import Audience, SessionTokenVerifier
from clerk_wsgi.visit import Visit

from .minting import NOW, Minter, environ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerk_wsgi import RequestState

MINTER = Minter("ins_1")


@dataclass(kw_only=True)
class Asked:
    """A request as the steps see it; header names are as they ask for them."""

    method: str = "GET"
    address: Address
    cookies: RequestCookies = field(default_factory=RequestCookies)
    bearer_token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def origin(self) -> str:
        return self.address.origin

    @property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(self.address.query, keep_blank_values=True)

    def query(self, name: str) -> list[str]:
        return self.parameters.get(name, [])


def asked(
    url: str = "https://app.test/p?x=1",
    *,
    method: str = "GET",
    cookies: dict[str, str] | None = None,
    bearer: str | None = None,
    headers: dict[str, str] | None = None,
) -> Asked:
    """A page load, unless told otherwise."""
    at = urlsplit(url)
    return Asked(
        method=method,
        address=Address(
            origin=f"{at.scheme}://{at.netloc}",
            path=encode_path(unquote(at.path, "latin-1")),
            query=at.query,
        ),
        cookies=RequestCookies(cookies),
        bearer_token=bearer,
        headers={"Sec-Fetch-Dest": "document"} if headers is None else headers,
    )


def load(query: str = "", cookies: str = "", **keys: str) -> dict[str, Any]:
    """The environ of a page load of https://app.test/p, plus some keys."""
    return environ(
        **{
            "wsgi.url_scheme": "https",
            "SERVER_PORT": "443",
            "PATH_INFO": "/p",
            "QUERY_STRING": query,
            "HTTP_SEC_FETCH_DEST": "document",
            "HTTP_COOKIE": cookies,
            **keys,
        }
    )


def visit_of(request: Asked, cookies: SessionCookies | None = None, now: float = NOW) -> Visit:
    """The request on its way, with these cookies to count."""
    chosen = cookies or SessionCookies()
    return Visit(request, now, lambda _visit: chosen)


def verifier_of(minter: Minter = MINTER, audience: Audience | None = None) -> SessionTokenVerifier:
    return SessionTokenVerifier(PemKey(minter.pem), audience or Audience(), clock_skew=5)


class Answers:
    """An API that has the same answer to every question, and keeps the questions."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def fetch_handshake_payload(self, nonce: str) -> object:
        return self._reply("handshake_payload", nonce)

    def refresh_session(
        self, session_id: str, body: Mapping[str, Any], *, suffixed_cookies: bool
    ) -> object:
        return self._reply("refresh", session_id, dict(body), suffixed_cookies)

    def verify_machine_token(self, token_type: str, token: str) -> object:
        return self._reply("machine_token", token_type, token)

    def _reply(self, *question: Any) -> object:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def outcome(state: RequestState | None) -> tuple[str, str | None] | None:
    """Status and reason, which is what most tables are about."""
    return None if state is None else (state.status, state.reason)


def user_of(state: RequestState | None) -> str | None:
    return state.session.user_id if state and state.session else None


def location_of(state: RequestState) -> str | None:
    return dict(state.headers).get("Location")


def parameters_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def set_cookies_of(state: RequestState) -> list[str]:
    return [value for name, value in state.headers if name == "Set-Cookie"]
