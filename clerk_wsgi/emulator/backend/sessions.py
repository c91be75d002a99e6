"""The Backend API's sessions: listing, starting, ending and verifying them, and their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..errors import NotFound, Refusal, gone, resource_not_found
from ..objects import LIVING, SESSION_STATUSES
from ..query import Query, newest_first, page_answer
from ..routing import checked_text, parse_parameters, required_text, whole_number
from .memberships import check_member

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .versions import VerifyEndpoints

DEFAULT_LIFETIME = 60
SHORTEST_LIFETIME = 30
LONGEST_LIFETIME = 315_360_000
_FILTERS = ("client_id", "user_id")


class SessionsApi:
    """The endpoints below ``/v1/sessions``."""

    def __init__(self, instance: Instance, verify_endpoints: VerifyEndpoints) -> None:
        self._instance = instance
        self._verify_endpoints = verify_endpoints

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        one = "/v1/sessions/{session_id}"
        return [
            ("GET", "/v1/sessions", self._list),
            ("POST", "/v1/sessions", self._create),
            ("GET", one, self._get),
            ("POST", f"{one}/revoke", self._revoke),
            ("POST", f"{one}/verify", self._verify),
            ("POST", f"{one}/tokens", self._create_token),
        ]

    def _list(self, request: Request) -> Response:
        query = Query(request)
        asked = {name: query.text(name) for name in _FILTERS}
        asked["status"] = query.choice("status", SESSION_STATUSES)
        fields = {name: value for name, value in asked.items() if value is not None}
        return page_answer(query, newest_first(self._instance.sessions(**fields)))

    def _create(self, request: Request) -> Response:
        parameters = parse_parameters(request, "user_id", "active_organization_id")
        user_id = required_text(parameters, "user_id")
        organization = parameters.get("active_organization_id")
        if organization is not None:
            checked_text("active_organization_id", organization)
        with self._instance.transaction():
            check_member(self._instance, user_id, organization)
            session = self._instance.create_session(
                user_id, last_active_organization_id=organization
            )
        return Response(json=session)

    def _get(self, request: Request, session_id: str) -> Response:
        return Response(json=self._session(session_id))

    def _revoke(self, request: Request, session_id: str) -> Response:
        parse_parameters(request)
        session = self._session(session_id)
        if session["status"] in LIVING:
            session = self._instance.update_session(session_id, status="revoked")
        elif session["status"] != "revoked":
            raise _invalid_action("revoke", session)
        return Response(json=session)

    def _verify(self, request: Request, session_id: str) -> Response:
        if not self._verify_endpoints.has_sessions(request):
            raise gone()
        token = required_text(parse_parameters(request, "token"), "token")
        session = self._session(session_id)
        if not self._is_token_of(token, session):
            raise Refusal(
                400,
                "invalid_session_token",
                "Invalid session token",
                "The token provided could not be successfully verified",
            )
        if session["status"] != "active":
            raise Refusal(
                401,
                "action_for_session_not_authorized",
                "Unauthorized action for session",
                f"Not authorized to perform requested action on session {session_id}",
            )
        return Response(json=session)

    def _is_token_of(self, token: str, session: Document) -> bool:
        """Say whether this is a token of the session, or of the client that it is on."""
        claims = self._instance.read_session_token(token)
        if claims is not None:
            named = claims["sid"], claims.get("sub")
            return named == (session["id"], session["user_id"])
        claims = self._instance.read_client_token(token)
        if claims is None or claims.get("id") != session["client_id"]:
            return False
        secret = claims.get("rotating_token")
        return self._instance.has_rotating_token(session["client_id"], secret)

    def _create_token(self, request: Request, session_id: str) -> Response:
        parameters = parse_parameters(request, "expires_in_seconds")
        lifetime = whole_number(
            parameters,
            "expires_in_seconds",
            default=DEFAULT_LIFETIME,
            least=SHORTEST_LIFETIME,
            most=LONGEST_LIFETIME,
        )
        session = self._session(session_id)
        if session["status"] not in LIVING:
            raise _invalid_action("create a token for", session)
        token = self._instance.session_token(session_id, expires_in=lifetime)
        return Response(json={"object": "token", "jwt": token})

    def _session(self, session_id: str) -> Document:
        try:
            return self._instance.session(session_id)
        except NotFound:
            raise resource_not_found(
                "Session not found", f"No session was found with id {session_id}"
            ) from None


def _invalid_action(action: str, session: Document) -> Refusal:
    return Refusal(
        400,
        "invalid_action_for_session",
        "Invalid action for user session",
        f"Unable to {action} session {session['id']}: it is {session['status']}.",
    )
