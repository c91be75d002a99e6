"""The Backend API: what servers ask with the secret key (docs/protocol.md, "Backend API")."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from webob import Response

from .errors import NotFound, Refusal, resource_not_found
from .routing import Router, parse_parameters, whole_number

if TYPE_CHECKING:
    from webob import Request

    from .instance import Instance
    from .objects import Document

API_VERSIONS = frozenset(
    {"2021-02-05", "2024-10-01", "2025-03-12", "2025-04-10", "2025-11-10", "2026-05-12"}
)
DEFAULT_LIFETIME = 60
SHORTEST_LIFETIME = 30
LONGEST_LIFETIME = 315_360_000
MINTABLE = ("active", "pending")


class BackendApi:
    """The endpoints below ``/v1``, all of them for the holder of the secret key."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._router = Router(
            [
                ("GET", "/v1/jwks", self._jwks),
                ("POST", "/v1/sessions/{session_id}/tokens", self._create_session_token),
            ]
        )

    def answer(self, request: Request) -> Response:
        """Answer a request, or raise a ``Refusal``.

        As at Clerk the key comes first: without it nobody learns which paths there are.
        """
        self._check_key(request.headers.get("Authorization", ""))
        _check_version(request)
        return self._router.dispatch(request)

    def _check_key(self, authorization: str) -> None:
        match = re.fullmatch(r"bearer +(\S+) *", authorization, re.IGNORECASE)
        if not match:
            raise Refusal(
                401,
                "authorization_header_format_invalid",
                "Invalid Authorization header format",
                "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
            )
        if not hmac.compare_digest(match[1].encode(), self._instance.secret_key.encode()):
            raise Refusal(
                401,
                "clerk_key_invalid",
                "The provided Clerk Secret Key is invalid."
                " Make sure that your Clerk Secret Key is correct.",
            )

    def _jwks(self, request: Request) -> Response:
        return Response(json=self._instance.jwks())

    def _create_session_token(self, request: Request, session_id: str) -> Response:
        parameters = parse_parameters(request, "expires_in_seconds")
        lifetime = whole_number(
            parameters,
            "expires_in_seconds",
            default=DEFAULT_LIFETIME,
            least=SHORTEST_LIFETIME,
            most=LONGEST_LIFETIME,
        )
        session = self._session(session_id)
        if session["status"] not in MINTABLE:
            raise Refusal(
                400,
                "invalid_action_for_session",
                "Invalid action for user session",
                f"Unable to create a token for session {session_id}: it is {session['status']}.",
            )
        token = self._instance.session_token(session_id, expires_in=lifetime)
        return Response(json={"object": "token", "jwt": token})

    def _session(self, session_id: str) -> Document:
        try:
            return self._instance.session(session_id)
        except NotFound:
            raise resource_not_found(
                "Session not found", f"No session was found with id {session_id}"
            ) from None


def _check_version(request: Request) -> None:
    header = request.headers.get("Clerk-API-Version")
    query = dict(parse_qsl(request.query_string)).get("__clerk_api_version")
    if header is not None and query is not None:
        raise _invalid_version("give the header or the query parameter, not both")
    asked = header if query is None else query
    if asked is not None and asked not in API_VERSIONS:
        raise _invalid_version(f"{asked} is unknown")


def _invalid_version(why: str) -> Refusal:
    return Refusal(
        400, "api_version_invalid", "Invalid API version", f"Invalid Clerk API version: {why}"
    )
