"""What the local Clerk answers without its secret key: its Frontend API and hosted pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..browsers import browsers_of
from ..errors import Refusal
from ..hosted.layout import html_answer
from ..hosted.pages import error_page
from ..hosted.signing_in import HostedPages
from ..redirects import Redirects
from ..routing import Router
from .handshake import Handshakes
from .refresh import SessionRefresh
from .script_api import ScriptApi

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webob import Request

    from ..instance import Instance
    from ..routing import Route
    from .npm import Packages


class Frontend:
    """The browsers' side of an instance, and what the Backend API has to say about it.

    ``redirect_origins`` are allowed beside those of this machine; ``ValueError`` for no origin.
    ``packages`` are the scripts that are served.
    """

    def __init__(
        self, instance: Instance, redirect_origins: Iterable[str], packages: Packages
    ) -> None:
        self._instance = instance
        self._packages = packages
        self._redirects = Redirects(redirect_origins)
        self.browsers = browsers_of(instance)
        self._renewal = SessionRefresh(instance)
        self._handshakes = Handshakes(instance, self.browsers, self._redirects, self._renewal)
        self._scripts = ScriptApi(instance, self.browsers, self._redirects)
        pages = HostedPages(instance, self.browsers, self._redirects)
        self._router = Router(
            [
                ("GET", "/v1/client/handshake", self._handshakes.begin),
                ("GET", "/.well-known/jwks.json", self._jwks),
                *pages.routes(),
            ]
        )

    def backend_routes(self) -> list[Route]:
        """Return the endpoints that applications ask with the secret key."""
        return [
            ("GET", "/v1/clients/handshake_payload", self._handshakes.hand_out),
            ("POST", "/v1/sessions/{session_id}/refresh", self._renewal.renew),
        ]

    def has(self, request: Request) -> bool:
        """Say whether a request is for a path of ours."""
        served = (self._router, self._scripts, self._packages)
        return any(one.has(request) for one in served)

    def answer(self, request: Request) -> Response:
        """Answer a request as whoever asks reads it: a person, a script or a server."""
        if self._router.has(request):
            return self._page(request)
        if self._packages.has(request):
            return self.lend(request, self._packages.answer(request))
        return self._scripts.answer(request)

    def _page(self, request: Request) -> Response:
        """Answer a request; an error is a page for browsers, else as everywhere in Clerk's API."""
        try:
            return self._router.dispatch(request)
        except Refusal as refusal:
            if "text/html" not in request.headers.get("Accept", ""):
                raise
            answer = html_answer(error_page(refusal), status=refusal.status)
            if refusal.allow:
                answer.headers["Allow"] = refusal.allow
            return answer

    def lend(self, request: Request, response: Response) -> Response:
        """Let a script read an answer that was given before it was looked at who asks."""
        if "Authorization" in request.headers:
            return response
        return self._scripts.lend(request, response)

    def _jwks(self, request: Request) -> Response:
        return Response(json=self._instance.jwks())
