"""The Backend API's clients: the browsers and devices that sessions are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..errors import NotFound, Refusal, gone, resource_not_found
from ..query import Query, newest_first, page_answer
from ..routing import parse_parameters, required_text

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .versions import VerifyEndpoints

_CLAIMS = ("id", "rotating_token")


class ClientsApi:
    """The endpoints below ``/v1/clients``."""

    def __init__(self, instance: Instance, verify_endpoints: VerifyEndpoints) -> None:
        self._instance = instance
        self._verify_endpoints = verify_endpoints

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/v1/clients", self._list),
            ("POST", "/v1/clients/verify", self._verify),
            ("GET", "/v1/clients/{client_id}", self._get),
        ]

    def _list(self, request: Request) -> Response:
        return page_answer(Query(request), newest_first(self._instance.clients()))

    def _get(self, request: Request, client_id: str) -> Response:
        return Response(json=self._client(client_id))

    def _verify(self, request: Request) -> Response:
        if not self._verify_endpoints.has_clients(request):
            raise gone()
        token = required_text(parse_parameters(request, "token"), "token")
        client_id, secret = self._claims_of(token)
        client = self._client(client_id)
        if not self._instance.has_rotating_token(client_id, secret):
            raise _invalid_cookie("The client's rotating key does not match the given one.")
        return Response(json=client)

    def _claims_of(self, token: str) -> tuple[str, str]:
        """Return what a client token says: which client, and its secret."""
        claims = self._instance.read_client_token(token)
        if claims is None:
            raise _invalid_cookie("The token is no client token of this instance, or was changed.")
        missing = [name for name in _CLAIMS if not isinstance(claims.get(name), str)]
        if missing:
            text = f"The token is missing the following claims: {', '.join(missing)}"
            raise _invalid_cookie(text)
        return claims["id"], claims["rotating_token"]

    def _client(self, client_id: str) -> Document:
        try:
            return self._instance.client(client_id)
        except NotFound:
            raise resource_not_found(
                "Client not found", f"No client was found with id {client_id}"
            ) from None


def _invalid_cookie(long_message: str) -> Refusal:
    return Refusal(400, "cookie_invalid", "Invalid cookie", long_message)
