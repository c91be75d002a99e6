"""Sending the browser to Clerk and back: who may be sent, where to, and what it brings home.

docs/protocol.md, "Handshake". Nothing in an address or a cookie is passed through: redirects
are built from settings, and cookie directives must name Clerk's own cookies (rule D5).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from .cookies import DEV_BROWSER, whole_number
from .state import Handshake, SignedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeGuard

    from .address import Address
    from .cookies import RequestCookies, SessionCookies
    from .frontend import FrontendApi
    from .organization_sync import OrganizationSync

API_VERSION = "2026-05-12"
REDIRECT_COUNT = "__clerk_redirect_count"
HANDSHAKE = "__clerk_handshake"
NONCE = "__clerk_handshake_nonce"
MAX_REDIRECTS = 3
# Clerk sends a handful of cookies, and browsers keep none of more than 4 kB.
MAX_DIRECTIVES = 100
MAX_DIRECTIVE = 8192

NO_STORE = ("Cache-Control", "no-store")
# Query parameters that an address leaves behind: on the way to Clerk, and on the way home.
LEFT_BEHIND = frozenset({DEV_BROWSER, "__dev_session"})
BROUGHT_HOME = frozenset({HANDSHAKE, NONCE, DEV_BROWSER, "__clerk_help"})

_OWN_COOKIES = ("__session", "__client_uat", "__refresh", "__clerk_")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]|[^\x00-\xff]")

_logger = logging.getLogger("clerk_wsgi")


class Request(Protocol):
    """What a redirect asks of a request."""

    @property
    def method(self) -> str: ...
    @property
    def address(self) -> Address: ...
    @property
    def origin(self) -> str: ...
    @property
    def cookies(self) -> RequestCookies: ...
    @property
    def bearer_token(self) -> str | None: ...
    def header(self, name: str) -> str: ...
    @property
    def parameters(self) -> Mapping[str, list[str]]: ...
    def query(self, name: str) -> list[str]: ...


def may_be_redirected(request: Request) -> bool:
    """Say whether a request is a page load, which is all that may be sent elsewhere."""
    if request.method != "GET":
        return False
    destination = request.header("Sec-Fetch-Dest")
    if destination:
        return destination in ("document", "iframe")
    return request.header("Accept").startswith("text/html")


def redirect_count(request: Request) -> int:
    """Return how often this browser was sent on in the last seconds (rule D21)."""
    return whole_number(request.cookies.get(REDIRECT_COUNT))


def dev_browser_of(request: Request, cookies: SessionCookies) -> str | None:
    """Return the token of a development browser: of the query, else of the cookie."""
    return next(iter(request.query(DEV_BROWSER)), None) or cookies.dev_browser


def send(
    request: Request, reason: str, location: Callable[[], str], message: str = ""
) -> Handshake | SignedOut:
    """Return a redirect to ``location()`` if the request may be sent on, else signed-out."""
    if not may_be_redirected(request):
        return SignedOut(reason=reason, message=message)
    count = redirect_count(request)
    if count >= MAX_REDIRECTS:  # rule D22
        _logger.info("stopped after %d redirects in a row: %s", count, reason)
        return SignedOut(reason=reason, message=message)
    counted = f"{REDIRECT_COUNT}={count + 1}; SameSite=Lax; HttpOnly; Max-Age=2"
    headers = (("Location", location()), ("Set-Cookie", counted), NO_STORE)
    return Handshake(reason=reason, message=message, extra_headers=headers)


class Handshakes:
    """Sends browsers to the Frontend API of one instance; without one nobody is sent anywhere.

    ``organizations`` knows which organization an address asks for.
    """

    def __init__(
        self, frontend: FrontendApi | None, organizations: OrganizationSync | None
    ) -> None:
        self._frontend = frontend
        self._organizations = organizations

    def start(
        self, request: Request, cookies: SessionCookies, reason: str, message: str = ""
    ) -> Handshake | SignedOut:
        """Return a handshake if the request may be sent on one, else signed-out."""
        frontend = self._frontend
        if frontend is None:
            return SignedOut(reason=reason, message=message)
        return send(request, reason, lambda: self._url(frontend, request, cookies, reason), message)

    def _url(
        self, frontend: FrontendApi, request: Request, cookies: SessionCookies, reason: str
    ) -> str:
        address = request.address
        organization = self._organizations.wanted(address) if self._organizations else None
        parameters = {
            "redirect_url": address.without(LEFT_BEHIND),
            "__clerk_api_version": API_VERSION,
            "suffixed_cookies": "true" if cookies.suffixed else "false",
            "__clerk_hs_reason": reason,
            "format": "nonce",
            "__session": cookies.session or request.bearer_token,
            DEV_BROWSER: dev_browser_of(request, cookies) if frontend.development else None,
            "organization_id": organization.parameter if organization else None,
        }
        known = {name: value for name, value in parameters.items() if value is not None}
        query = urlencode(known, errors="replace")
        return f"{frontend.base_url(address.origin)}v1/client/handshake?{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """What a handshake or a refresh brought: cookies to set, and the session token among them.

    ``token`` is ``None`` if no cookie sets one.
    """

    set_cookies: tuple[str, ...] = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The ``Set-Cookie`` headers, in order."""
        return tuple(("Set-Cookie", directive) for directive in self.set_cookies)


def read_directives(found: object) -> Directives:
    """Return the usable directives of a handshake (rule D5); anything but a list has none."""
    members = found[:MAX_DIRECTIVES] if isinstance(found, list) else []
    usable = tuple(filter(is_usable_directive, members))
    return Directives(set_cookies=usable, token=session_token_of(usable))


def session_token_of(set_cookies: Iterable[str]) -> str | None:
    """Return the session token that ``Set-Cookie`` lines set; the last one counts.

    A line without ``=`` sets something, if no token; one that sets nothing has none.
    """
    token = None
    for line in set_cookies:
        name, equals, value = line.partition(";")[0].partition("=")
        if name.startswith("__session"):
            token = value if equals else name
    return token or None


def is_sendable(value: object) -> TypeGuard[str]:
    """Say whether a value can stand in a response header: latin-1, no controls, not too long."""
    if not isinstance(value, str) or len(value) > MAX_DIRECTIVE:
        return False
    return not _UNSENDABLE.search(value)


def is_usable_directive(directive: object) -> TypeGuard[str]:
    """Say whether a ``Set-Cookie`` line may be sent: one of Clerk's cookies, and sendable."""
    if not is_sendable(directive):
        return False
    return directive.partition(";")[0].partition("=")[0].startswith(_OWN_COOKIES)
