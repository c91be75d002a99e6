"""Keeping several domains in one session: satellites, and the primary that answers them.

docs/protocol.md, "Satellites". In production a satellite is synced by a handshake; in
development, by a visit to the primary's sign-in page and back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from .address import parse_origin
from .cookies import DEV_BROWSER
from .handshake import dev_browser_of, send
from .state import SignedOut

if TYPE_CHECKING:
    from .cookies import SessionCookies
    from .handshake import Handshakes, Request
    from .state import Handshake

SYNCED = "__clerk_synced"
REDIRECT_URL = "__clerk_redirect_url"
NEEDS_SYNCING = "satellite-needs-syncing"

_PATH_SAFE = "/:@!$&'()*+,;=~-._%"
_BEFORE_QUERY = re.compile(r"[^?#]*")  # where browsers take a backslash for a slash
_ABSOLUTE = re.compile(r"https?://[^/?#\\\s]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Satellite:
    """What a satellite application needs to know of itself.

    ``auto_sync`` syncs visitors without any cookie; ``sign_in_url`` is the primary's page.
    """

    auto_sync: bool
    development: bool
    sign_in_url: str | None

    def sync(
        self, request: Request, cookies: SessionCookies, handshakes: Handshakes
    ) -> Handshake | SignedOut | None:
        """Step 2: sync a page load that knows nothing yet, ``None`` to go on."""
        synced = next(iter(request.query(SYNCED)), None)
        is_document = request.header("Sec-Fetch-Dest") == "document" and request.method == "GET"
        if not is_document or synced == "true":
            return None
        has_cookies = bool(cookies.session or cookies.client_uat)
        if not has_cookies and not self.auto_sync and synced != "false":
            return SignedOut(reason="session-token-and-uat-missing", message="Nobody is signed in.")
        if has_cookies and synced != "false":
            return None
        return self._send(request, cookies, handshakes)

    def _send(
        self, request: Request, cookies: SessionCookies, handshakes: Handshakes
    ) -> Handshake | SignedOut:
        if not self.development:
            return handshakes.start(request, cookies, NEEDS_SYNCING)
        parameters = {REDIRECT_URL: str(request.address)}
        return send(
            request, NEEDS_SYNCING, lambda: with_parameters(self.sign_in_url or "", parameters)
        )


def answer_satellite(request: Request, cookies: SessionCookies) -> Handshake | SignedOut | None:
    """Step 3: send a development satellite's visitor back, with the dev browser's token."""
    target = next(iter(request.query(REDIRECT_URL)), "")
    if not is_absolute_url(target):  # rule D9
        return None
    dev_browser = dev_browser_of(request, cookies)
    parameters = {DEV_BROWSER: dev_browser} if dev_browser else {}
    return send(
        request,
        "primary-responds-to-syncing",
        lambda: with_parameters(target, {**parameters, SYNCED: "true"}, replaced=SYNCED),
    )


def is_absolute_url(text: str) -> bool:
    """Say whether a text is an http(s) URL with a host that can be read."""
    return _ABSOLUTE.match(text) is not None and parse_origin(text) is not None


def with_parameters(url: str, parameters: dict[str, str], *, replaced: str = "") -> str:
    """Return an absolute URL with parameters appended, safe to send in a header."""
    at = urlsplit(_BEFORE_QUERY.sub(lambda match: match[0].replace("\\", "/"), url, count=1))
    pairs = [pair for pair in parse_qsl(at.query, keep_blank_values=True) if pair[0] != replaced]
    query = urlencode([*pairs, *parameters.items()], errors="replace")
    path = quote(at.path, safe=_PATH_SAFE)
    host = quote(at.netloc, safe=_PATH_SAFE + "[]")
    fragment = "#" + quote(at.fragment, safe=_PATH_SAFE + "?") if at.fragment else ""
    return f"{at.scheme}://{host}{path or '/'}?{query}{fragment}"
