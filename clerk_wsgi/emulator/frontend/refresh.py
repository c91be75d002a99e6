"""Renewing an expired session token for an application, without sending the browser anywhere.

docs/protocol.md, "Refresh": the application shows the expired token and the refresh token that
came with it, and every way to fail has a code of its own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from webob import Response

from ...settings import parse_publishable_key
from ..cookies import CookieLines, Reach
from ..errors import NotFound, Refusal, invalid_parameter
from ..ids import new_id
from ..objects import LIVING
from ..redirects import parse_target
from ..routing import parse_parameters, required_text
from ..verifying import signed_session_claims

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document

OLDEST = 7 * 24 * 60 * 60.0
# A page and what it embeds may come back with the same expired token at once.
GRACE = 10.0
FORMATS = ("token", "cookie")


class SessionRefresh:
    """The refresh tokens of sessions, one each, and what can be had for them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lines = CookieLines(parse_publishable_key(instance.publishable_key))
        self._lock = threading.Lock()
        self._consumed: dict[str, tuple[float, float]] = {}

    def token_of(self, session_id: str) -> str:
        """Return the refresh token of a session."""
        store = self._instance._store
        with store.transaction():
            for known in store.find("refresh_token", session_id=session_id):
                return str(known["id"])
            token = new_id("rft")
            store.put({"object": "refresh_token", "id": token, "session_id": session_id})
        return token

    def renew(self, request: Request, session_id: str) -> Response:
        """Answer ``POST /v1/sessions/{session_id}/refresh``."""
        given = parse_parameters(
            request,
            "expired_token",
            "refresh_token",
            "request_origin",
            "request_headers",
            "request_originating_ip",
            "format",
        )
        wanted = given.get("format", FORMATS[0])
        if wanted not in FORMATS:
            raise invalid_parameter("form_param_value_invalid", "format", "format is invalid")
        origin = _origin(required_text(given, "request_origin"))
        claims = self._expired_claims(required_text(given, "expired_token"), session_id, origin)
        self._check_session(required_text(given, "refresh_token"), session_id)
        self._consume(claims)
        token = self._instance.session_token(session_id, azp=origin)
        if wanted == "token":
            return Response(json={"object": "token", "jwt": token})
        cookies = self._lines.session(token, Reach(secure=origin.startswith("https:")))
        return Response(json={"object": "cookies", "cookies": cookies})

    def _expired_claims(self, token: str, session_id: str, origin: str) -> dict[str, Any]:
        claims = signed_session_claims(token, self._instance._keys)
        if claims is None:
            raise _refused("expired_session_token_invalid")
        if not claims.get("azp"):
            raise _refused("expired_session_token_missing_azp")
        if claims["azp"] != origin:
            raise _refused("refresh_request_origin_azp_mismatch")
        if claims["sid"] != session_id:
            raise _refused("refresh_sid_mismatch")
        now = self._instance._clock()  # only compared: no difference may be too large
        if claims["exp"] > now:
            raise _refused("session_refresh_session_token_ineligible")
        if claims["exp"] < now - OLDEST:
            raise _refused("session_refresh_expired_session_token_too_old")
        return claims

    def _check_session(self, refresh_token: str, session_id: str) -> Document:
        known = self._instance._store.get("refresh_token", refresh_token)
        if known is None:
            raise _refused("refresh_token_not_found")
        if known["session_id"] != session_id:
            raise _refused("refresh_sid_mismatch")
        try:
            session = self._instance.session(session_id)
        except NotFound:
            raise _refused("session_refresh_session_not_found") from None
        if session["status"] not in LIVING:
            raise _refused("session_refresh_inactive_session")
        return session

    def _consume(self, claims: dict[str, Any]) -> None:
        """Note that a token was renewed: shortly after, it cannot be any more."""
        now = self._instance._clock()
        with self._lock:
            first, _ = self._consumed.setdefault(str(claims.get("jti")), (now, claims["exp"]))
            for old in [jti for jti, (_, exp) in self._consumed.items() if exp + OLDEST < now]:
                del self._consumed[old]
        if now > first + GRACE:
            raise _refused("session_refresh_expired_session_token_consumed")


def _origin(text: str) -> str:
    target = parse_target(text)
    if target is None or str(target) != f"{target.origin}/":
        raise _refused("refresh_request_origin_invalid")
    return target.origin


def _refused(code: str) -> Refusal:
    text = "The session cannot be refreshed."
    return Refusal(401, code, text, f"{text} Reason: {code.replace('_', ' ')}.")
