"""The Backend API: what servers ask with the secret key (docs/protocol.md, "Backend API")."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from webob import Response

from ..errors import Refusal
from ..routing import Router
from .clients import ClientsApi
from .machines import MachinesApi
from .memberships import MembershipsApi
from .organizations import OrganizationsApi
from .sessions import SessionsApi
from .sign_in_tokens import SignInTokensApi
from .users import UsersApi
from .versions import asked_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webob import Request

    from ..instance import Instance
    from ..routing import Route
    from .versions import VerifyEndpoints


class BackendApi:
    """The endpoints below ``/v1``, all of them for the holder of the secret key."""

    def __init__(
        self,
        instance: Instance,
        verify_endpoints: VerifyEndpoints,
        browser_routes: Iterable[Route] = (),
    ) -> None:
        self._instance = instance
        self._machines = MachinesApi(instance)
        self._router = Router(
            [
                ("GET", "/v1/jwks", self._jwks),
                *SessionsApi(instance, verify_endpoints).routes(),
                *ClientsApi(instance, verify_endpoints).routes(),
                *UsersApi(instance).routes(),
                *self._machines.routes(),
                *OrganizationsApi(instance).routes(),
                *MembershipsApi(instance).routes(),
                *SignInTokensApi(instance).routes(),
                *browser_routes,
            ]
        )

    def answer(self, request: Request) -> Response:
        """Answer a request, or raise a ``Refusal``.

        As at Clerk the key comes first: without it nobody learns which paths there are.
        """
        if not self._machines.is_of_machine(request):
            self.check_key(request)
        asked_version(request)
        return self._router.dispatch(request)

    def check_key(self, request: Request) -> None:
        """Raise a ``Refusal`` unless a request carries the secret key."""
        authorization = request.headers.get("Authorization", "")
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
