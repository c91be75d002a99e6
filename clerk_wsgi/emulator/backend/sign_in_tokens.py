"""The Backend API's tokens for signing in: tickets for users, and passes for tests.

docs/protocol.md, "Sign-in tokens".
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webob import Response

from ..errors import NotFound, resource_not_found
from ..routing import checked_text, parse_parameters, required_text, whole_number
from ..tickets import MONTH
from .memberships import check_member

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..routing import Route

LONGEST_LIFETIME = 315_360_000
TESTING_LIFETIME = 3600


class SignInTokensApi:
    """The endpoints ``/v1/sign_in_tokens`` and ``/v1/testing_tokens``."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("POST", "/v1/sign_in_tokens", self._create),
            ("POST", "/v1/sign_in_tokens/{token_id}/revoke", self._revoke),
            ("POST", "/v1/testing_tokens", self._create_testing_token),
        ]

    def _create(self, request: Request) -> Response:
        parameters = parse_parameters(request, "user_id", "org_id", "expires_in_seconds")
        user_id = required_text(parameters, "user_id")
        organization_id = parameters.get("org_id")
        if organization_id is not None:
            checked_text("org_id", organization_id)
        lifetime = whole_number(
            parameters, "expires_in_seconds", default=MONTH, least=1, most=LONGEST_LIFETIME
        )
        with self._instance.transaction():
            check_member(self._instance, user_id, organization_id)
            created = self._instance.create_sign_in_token(
                user_id, expires_in=lifetime, organization_id=organization_id
            )
        return Response(json=created)

    def _revoke(self, request: Request, token_id: str) -> Response:
        parse_parameters(request)
        try:
            return Response(json=self._instance.revoke_sign_in_token(token_id))
        except NotFound:
            text = f"No sign in token was found with id {token_id}"
            raise resource_not_found("not found", text) from None

    def _create_testing_token(self, request: Request) -> Response:
        """Answer with a token that nothing here asks for, as there is no captcha."""
        parse_parameters(request)
        now = self._instance.milliseconds() // 1000
        token = f"{now}-c_{secrets.token_urlsafe(32)}"
        expires_at = now + TESTING_LIFETIME
        return Response(json={"object": "testing_token", "token": token, "expires_at": expires_at})
