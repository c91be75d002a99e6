"""Browsers: how the local Clerk knows them again, and how it sends them on to an application.

In development a browser is known by its dev browser token, which travels in addresses; in
production by the client token in a cookie of the Frontend API's host. Both are secrets, and both
are replaced whenever somebody signs in, so that nobody can lay out one for somebody else.
docs/protocol.md, "Handshake" and "Cookies".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from webob import Response

from ..context import parse_query
from ..cookies import CLIENT_UAT, DEV_BROWSER, split_cookies, whole_number
from ..handshake import HANDSHAKE, NONCE
from ..settings import parse_publishable_key
from .cookies import (
    CLIENT,
    LONGEST,
    LONGEST_SECONDS,
    YEAR,
    CookieLines,
    Reach,
    cookie_line,
    expired_line,
)
from .errors import NotFound, Refusal
from .frontend.dev_browser import DevBrowserTokens, dev_browser_unauthenticated
from .ids import new_rotating_token
from .objects import LIVING
from .redirects import not_associated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webob import Request

    from ..settings import PublishableKey
    from .instance import Instance
    from .objects import Document
    from .redirects import Target

CLIENT_COOKIE = "client_cookie"
DEV_BROWSER_HEADER = "Clerk-Db-Jwt"

_BRIEFLY = "Max-Age=60"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A browser: the client that it has, and the secret that it is known by.

    One whose secret was replaced meanwhile, such as another tab's, has not seen the sessions that
    began since: ``seen`` are the ids of those that it may know of, ``None`` for all.
    """

    client: Document
    token: str = field(repr=False)
    seen: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Where a browser goes next, and the cookies that it takes along."""

    location: str
    set_cookies: tuple[str, ...] = field(default=(), repr=False)

    def answer(self, status: int) -> Response:
        """Return the redirect, without a body, that nobody may keep."""
        response = Response(status=status, content_type="text/plain")
        response.location = self.location
        response.headers["Cache-Control"] = "no-store"
        for line in self.set_cookies:
            response.headers.add("Set-Cookie", line)
        return response


class Browsers(Protocol):
    """What differs between development and production.

    ``uses_cookies`` says whether it is a cookie that tells whose script asks.
    """

    uses_cookies: bool

    def at_handshake(self, request: Request) -> Visitor | None:
        """Return who makes a handshake, ``None`` for a browser without a client."""

    def at_page(self, request: Request) -> Visitor | None:
        """Return who looks at a hosted page, ``None`` for a browser without a client."""

    def at_script(self, request: Request) -> Visitor | None:
        """Return whose script asks, ``None`` for a browser without a client, or raise a 401."""

    def newcomer(self) -> Visitor:
        """Return a browser that was never here, or raise a 400 if cookies tell them apart."""

    def renew(self, client_id: str) -> Visitor:
        """Give a client a new secret; the one before is void."""

    def reach(self, request: Request, target: Target) -> Reach:
        """Return where cookies of an application go, or raise a ``Refusal`` if they cannot."""

    def directives(self, visitor: Visitor | None, reach: Reach) -> list[str]:
        """Return what a handshake sets beside the session."""

    def deliver(self, name: str, value: str, request: Request, target: Target) -> Journey:
        """Send a browser on with the outcome of a handshake."""

    def send_on(self, visitor: Visitor, request: Request, target: Target | None) -> Journey:
        """Send a browser on from a hosted page, back to it without a target."""

    def tell(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        """Return the headers that tell a browser, which asked by a script, of a change."""

    def remind(self, visitor: Visitor | None, request: Request) -> list[tuple[str, str]]:
        """Return the headers that tell such a browser of a change if it does not know yet."""

    def hand_over(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        """Return the headers that bring such a browser a new secret, too."""


def browsers_of(instance: Instance) -> Browsers:
    """Return the browsers of an instance, by what its publishable key says."""
    key = parse_publishable_key(instance.publishable_key)
    kind = DevelopmentBrowsers if key.instance_type == "development" else ProductionBrowsers
    browsers: Browsers = kind(instance, key)
    return browsers


def living_sessions(client: Document) -> list[Document]:
    """Return the sessions of a client that are not over, oldest first."""
    return [session for session in client["sessions"] if session["status"] in LIVING]


def current_session(visitor: Visitor | None) -> Document | None:
    """Return the session that an application gets: the last active one, else a pending one."""
    if visitor is None:
        return None
    living = living_sessions(visitor.client)
    last_active = visitor.client["last_active_session_id"]
    known = [session for session in living if session["id"] == last_active]
    return next(iter(known or reversed(living)), None)


def client_uat(visitor: Visitor | None) -> int:
    """Return when the client last changed, in Unix seconds; 0 if nobody is signed in."""
    if visitor is None or current_session(visitor) is None:
        return 0
    return int(visitor.client["updated_at"]) // 1000


class DevelopmentBrowsers:
    """Browsers of a development instance: applications may be anywhere."""

    uses_cookies = False

    def __init__(self, instance: Instance, key: PublishableKey) -> None:
        self._instance = instance
        self._tokens = DevBrowserTokens(instance)
        self._lines = CookieLines(key)

    def at_handshake(self, request: Request) -> Visitor:
        """Only the address says who it is: cookies would be a third party's."""
        return self._find(_query_values(request, DEV_BROWSER)) or self.newcomer()

    def at_page(self, request: Request) -> Visitor | None:
        cookies = _cookies(request, self._lines.names(DEV_BROWSER))
        return self._find([*_query_values(request, DEV_BROWSER), *cookies])

    def at_script(self, request: Request) -> Visitor:
        """Only the address says who it is, as at a handshake; and it has to."""
        tokens = _query_values(request, DEV_BROWSER)
        found = self._find(tokens) or self._find_replaced(tokens)
        if found is None:
            raise dev_browser_unauthenticated()
        return found

    def newcomer(self) -> Visitor:
        return self.renew(self._instance.create_client()["id"])

    def renew(self, client_id: str) -> Visitor:
        token = self._tokens.give(client_id)
        return Visitor(client=self._instance.client(client_id), token=token)

    def reach(self, request: Request, target: Target) -> Reach:
        return Reach(secure=target.is_secure)

    def directives(self, visitor: Visitor | None, reach: Reach) -> list[str]:
        return self._lines.dev_browser(visitor.token, reach) if visitor else []

    def deliver(self, name: str, value: str, request: Request, target: Target) -> Journey:
        return Journey(location=target.with_parameter(name, value))

    def send_on(self, visitor: Visitor, request: Request, target: Target | None) -> Journey:
        cookies = self._lines.dev_browser(visitor.token, _own_reach(request), YEAR)
        location = target.with_parameter(DEV_BROWSER, visitor.token) if target else None
        return Journey(location=location or request.path_url, set_cookies=tuple(cookies))

    def tell(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        return []  # the script sees to the application's cookies itself

    def remind(self, visitor: Visitor | None, request: Request) -> list[tuple[str, str]]:
        return []

    def hand_over(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        return [(DEV_BROWSER_HEADER, visitor.token)]

    def _find(self, tokens: Iterable[str]) -> Visitor | None:
        for token in tokens:
            client = self._tokens.client(token)
            if client is not None:
                return Visitor(client=client, token=token)
        return None

    def _find_replaced(self, tokens: Iterable[str]) -> Visitor | None:
        for token in tokens:
            found = self._tokens.seen_client(token)
            if found is not None:
                return Visitor(client=found[0], token=token, seen=found[1])
        return None


class ProductionBrowsers:
    """Browsers of a production instance: applications share a site with the Frontend API."""

    uses_cookies = True

    def __init__(self, instance: Instance, key: PublishableKey) -> None:
        self._instance = instance
        self._lines = CookieLines(key)
        self._domain = key.frontend_api.partition(":")[0].lower().removeprefix("clerk.")

    def at_handshake(self, request: Request) -> Visitor | None:
        return self.at_page(request)

    def at_page(self, request: Request) -> Visitor | None:
        found = (self._read(token) for token in _cookies(request, (CLIENT,)))
        return next((visitor for visitor in found if visitor), None)

    def at_script(self, request: Request) -> Visitor | None:
        return self.at_page(request)

    def newcomer(self) -> NoReturn:
        raise Refusal(
            400,
            "request_invalid_for_environment",
            "Invalid request for environment",
            "Request only valid for development instances.",
        )

    def renew(self, client_id: str) -> Visitor:
        self._instance._update("client", client_id, {"rotating_token": new_rotating_token()})
        token = self._instance.client_token(client_id)
        return Visitor(client=self._instance.client(client_id), token=token)

    def reach(self, request: Request, target: Target) -> Reach:
        own = self._own_reach(request)
        host = _host_of(request)
        if target.host != host and not (own.domain and _is_within(target.host, own.domain)):
            raise not_associated(
                f"In production {target.origin} must share cookies with {own.domain or host}."
            )
        return Reach(domain=own.domain, secure=target.is_secure)

    def directives(self, visitor: Visitor | None, reach: Reach) -> list[str]:
        return [expired_line(name, reach) for name in (NONCE, HANDSHAKE)]

    def deliver(self, name: str, value: str, request: Request, target: Target) -> Journey:
        own = self._own_reach(request)
        reach = Reach(domain=own.domain, secure=own.secure and target.is_secure)
        line = cookie_line(name, value, reach, "HttpOnly", "SameSite=Lax", _BRIEFLY)
        return Journey(location=str(target), set_cookies=(line,))

    def send_on(self, visitor: Visitor, request: Request, target: Target | None) -> Journey:
        location = str(target) if target else request.path_url
        return Journey(location=location, set_cookies=tuple(self._cookies(visitor, request)))

    def tell(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        return [("Set-Cookie", line) for line in self._client_uat(visitor, request)]

    def remind(self, visitor: Visitor | None, request: Request) -> list[tuple[str, str]]:
        # Only if need be: an answer may be late, and the browser know better by then.
        names = self._lines.names(CLIENT_UAT)
        found = split_cookies(request.environ.get("HTTP_COOKIE", ""), names, str)
        known = {whole_number(found.get(name)) for name in names}
        if known == {client_uat(visitor)}:
            return []
        return [("Set-Cookie", line) for line in self._client_uat(visitor, request)]

    def hand_over(self, visitor: Visitor, request: Request) -> list[tuple[str, str]]:
        return [("Set-Cookie", line) for line in self._cookies(visitor, request)]

    def _cookies(self, visitor: Visitor, request: Request) -> list[str]:
        """Return all cookies of a browser anew, and remember until when it keeps them."""
        until = self._instance.milliseconds() + LONGEST_SECONDS * 1000
        cookie = {"object": CLIENT_COOKIE, "id": visitor.client["id"], "expire_at": until}
        self._instance._store.put(cookie)
        client = self._lines.client(visitor.token, self._own_reach(request))
        return [*client, *self._client_uat(visitor, request)]

    def _client_uat(self, visitor: Visitor | None, request: Request) -> list[str]:
        return self._lines.client_uat(client_uat(visitor), self._own_reach(request), LONGEST)

    def _own_reach(self, request: Request) -> Reach:
        domain = self._domain if _is_within(_host_of(request), self._domain) else None
        return Reach(domain=domain, secure=request.scheme == "https")

    def _read(self, token: str) -> Visitor | None:
        claims = self._instance.read_client_token(token)
        try:
            client = self._instance.client(str(claims and claims.get("id")))
            secret = claims and claims.get("rotating_token")
            is_current = self._instance.has_rotating_token(client["id"], secret)
        except NotFound:
            return None
        return Visitor(client=client, token=token) if is_current else None


def _own_reach(request: Request) -> Reach:
    return Reach(secure=request.scheme == "https")


def _host_of(request: Request) -> str:
    """Return the host that the browser asked, without the port and the brackets of IPv6."""
    name: str = request.host.lower().rpartition(":")[0] if ":" in request.host else request.host
    return name.lower().strip("[]")


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _query_values(request: Request, name: str) -> list[str]:
    return parse_query(request.query_string).get(name, [])


def _cookies(request: Request, names: tuple[str, ...]) -> list[str]:
    """Return the values of cookies in the order of their names, the absent ones left out."""
    found = split_cookies(request.environ.get("HTTP_COOKIE", ""), names, str)
    return [found[name] for name in names if name in found]
