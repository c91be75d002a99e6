"""The Backend API's machine tokens: whether an opaque one counts, and for whom it stands.

Clerk's SDKs ask without ``/v1``, its documentation says with: both are served.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from webob import Response

from ..errors import Refusal, resource_not_found
from ..machine_tokens import API_KEY, M2M_TOKEN, OAUTH_TOKEN
from ..routing import parse_parameters, required_text

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route

_M2M_PATH = "/m2m_tokens/verify"
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class MachinesApi:
    """The endpoints that verify machine tokens."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            route
            for base in ("", "/v1")
            for route in (
                ("POST", f"{base}/api_keys/verify", self._verify_api_key),
                ("POST", f"{base}{_M2M_PATH}", self._verify_m2m),
                ("POST", f"{base}/oauth_applications/access_tokens/verify", self._verify_oauth),
            )
        ]

    def is_of_machine(self, request: Request) -> bool:
        """Say whether a machine asks with its own secret key what it may ask: about M2M tokens."""
        path = request.environ.get("PATH_INFO", "").removeprefix("/v1")
        return path == _M2M_PATH and self._asking(request) is not None

    def _verify_api_key(self, request: Request) -> Response:
        given = parse_parameters(request, "secret")
        return Response(json=self._found(API_KEY, required_text(given, "secret")))

    def _verify_m2m(self, request: Request) -> Response:
        given = parse_parameters(request, "token")
        found = self._found(M2M_TOKEN, required_text(given, "token"))
        machine = self._asking(request)
        if machine is not None and machine["id"] not in found["scopes"]:
            raise _unknown()
        return Response(json=found)

    def _verify_oauth(self, request: Request) -> Response:
        given = parse_parameters(request, "access_token", "secret")
        name = "secret" if "secret" in given and "access_token" not in given else "access_token"
        return Response(json=self._found(OAUTH_TOKEN, required_text(given, name)))

    def _found(self, kind: str, text: str) -> Document:
        found = self._instance.machine_token(kind, text)
        if found is None:
            raise _unknown()
        return found

    def _asking(self, request: Request) -> Document | None:
        """Return the machine whose secret key a request carries, if it does."""
        match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        return self._instance.machine_of(match[1]) if match else None


def _unknown() -> Refusal:
    """One answer for what never was, was revoked, has expired or is for somebody else."""
    return resource_not_found("Token not found", "There is no such token, or it counts no more.")
