"""Renewing an expired session token through Clerk's API, without sending the browser anywhere.

docs/protocol.md, "Refresh". Only a verified token whose times have run out gets here, and only
one that came in a cookie (rule D2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .handshake import MAX_DIRECTIVES, Directives, is_sendable, session_token_of
from .questions import NoAnswer, Refusal

if TYPE_CHECKING:
    from .cookies import SessionCookies
    from .handshake import Request
    from .questions import ClerkApi

# Request headers that Clerk gets to see with a refresh: never cookies or authorization.
_SHOWN = (
    "User-Agent",
    "Accept-Language",
    "Referer",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-User",
)


class NotRefreshed(Exception):
    """No new token was to be had; ``code`` is what follows ``…-expired-refresh-``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refresh_session(
    api: ClerkApi,
    request: Request,
    cookies: SessionCookies,
    session_id: str,
    refresh_token: str,
) -> Directives:
    """Return the cookies of a renewed session, a token among them, or raise ``NotRefreshed``."""
    body = {
        "format": "cookie",
        "expired_token": cookies.session,
        "refresh_token": refresh_token,
        "request_origin": request.origin,
        "request_headers": _shown_headers(request),
    }
    try:
        answer = api.refresh_session(session_id, body, suffixed_cookies=cookies.suffixed)
    except NoAnswer:
        raise NotRefreshed("fetch-error") from None
    except Refusal as refusal:
        raise NotRefreshed(_known_code(refusal.code)) from None
    return _read_cookies(answer)


def _shown_headers(request: Request) -> dict[str, list[str]]:
    pairs = ((name.lower(), request.header(name)) for name in _SHOWN)
    return {name: [value] for name, value in pairs if value}


def _known_code(code: str | None) -> str:
    """Return Clerk's own error code if there is one (rule D24)."""
    if code == "unexpected_error":  # what Clerk says when it failed itself
        return "fetch-error"
    return code or "unexpected-bapi-error"


def _read_cookies(answer: Any) -> Directives:
    found = answer.get("cookies") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise NotRefreshed("unexpected-bapi-error")
    cookies = tuple(filter(is_sendable, found[:MAX_DIRECTIVES]))
    token = session_token_of(cookies)
    if token is None:
        raise NotRefreshed("invalid-session-token")
    return Directives(set_cookies=cookies, token=token)
