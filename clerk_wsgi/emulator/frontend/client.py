"""The Frontend API's client and its sessions: what a script asks about its own browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..browsers import Journey, living_sessions
from ..errors import NotFound, Refusal
from ..query import Query
from ..sign_in import SignIns
from .scripts import parse_fields

if TYPE_CHECKING:
    from webob import Request

    from ..browsers import Browsers
    from ..instance import Instance
    from ..objects import Document
    from ..redirects import Redirects
    from ..routing import Route
    from .scripts import Scripts


class ClientApi:
    """``/v1/dev_browser``, and the endpoints of ``/v1/client`` that are not about signing in."""

    def __init__(
        self, instance: Instance, browsers: Browsers, redirects: Redirects, scripts: Scripts
    ) -> None:
        self._instance = instance
        self._browsers = browsers
        self._redirects = redirects
        self._scripts = scripts
        self._sign_ins = SignIns(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        session = "/v1/client/sessions/{session_id}"
        return [
            ("POST", "/v1/dev_browser", self._create_dev_browser),
            ("GET", "/v1/client", self._get),
            ("PUT", "/v1/client", self._create),
            ("POST", "/v1/client", self._create),
            ("DELETE", "/v1/client", self._destroy),
            ("GET", "/v1/client/touch", self._touch),
            ("DELETE", "/v1/client/sessions", self._sign_out),
            ("GET", session, self._get_session),
            ("POST", f"{session}/touch", self._touch_session),
            ("POST", f"{session}/tokens", self._create_token),
            ("POST", f"{session}/remove", self._remove_session),
            ("POST", f"{session}/end", self._end_session),
        ]

    def _create_dev_browser(self, request: Request) -> Response:
        return Response(json={"object": "dev_browser", "id": self._browsers.newcomer().token})

    # The client

    def _get(self, request: Request) -> Response:
        visitor = self._scripts.visitor(request)
        return self._scripts.asked_client(request, visitor)

    def _create(self, request: Request) -> Response:
        visitor = self._scripts.visitor(request)
        if visitor is None:
            client_id = self._instance.create_client()["id"]
            return self._scripts.renewed_client(request, client_id)
        return self._scripts.changed_client(request, visitor)

    def _destroy(self, request: Request) -> Response:
        """Sign out, and be somebody else from now on."""
        client_id = self._scripts.current_visitor(request).client["id"]
        self._sign_ins.sign_out(client_id)
        return self._scripts.renewed_client(request, client_id)

    def _sign_out(self, request: Request) -> Response:
        with self._instance.transaction():
            visitor = self._scripts.known_visitor(request)
            for session in living_sessions(visitor.client):
                self._instance.update_session(session["id"], status="removed")
        return self._scripts.changed_client(request, visitor)

    def _touch(self, request: Request) -> Response:
        """Send a browser, not a script, back to its page with cookies that last longer."""
        target = self._redirects.target(Query(request).text("redirect_url"))
        self._browsers.reach(request, target)
        # In development it is the address that says who it is, and cookies do not run out.
        visitor = self._browsers.at_page(request) if self._browsers.uses_cookies else None
        if visitor is None:
            return Journey(location=str(target)).answer(303)
        return self._browsers.send_on(visitor, request, target).answer(303)

    # Its sessions

    def _get_session(self, request: Request, session_id: str) -> Response:
        session = self._scripts.session(request, session_id)
        return self._scripts.answer(self._shown(request, session))

    def _touch_session(self, request: Request, session_id: str) -> Response:
        """Make a session the active one, and one of its organizations if that is asked for."""
        visitor = self._scripts.known_visitor(request)
        session = self._scripts.living_session(request, session_id)
        with self._instance.transaction():
            wanted = parse_fields(request).get("active_organization_id")
            if wanted is not None:
                self._activate(session, wanted or None)
            if visitor.seen is None:
                self._choose(visitor.client, session_id)
            now = self._instance.milliseconds()
            self._instance._update("session", session_id, {"last_active_at": now})
        return self._changed(request, session_id)

    def _choose(self, client: Document, session_id: str) -> None:
        # A client that was changed is newer than the tokens which its applications have.
        if client["last_active_session_id"] != session_id:
            self._sign_ins.choose(client["id"], session_id)

    def _activate(self, session: Document, organization_id: str | None) -> None:
        try:
            self._instance.activate_organization(session["id"], organization_id)
        except NotFound:
            raise organization_not_found() from None

    def _create_token(self, request: Request, session_id: str) -> Response:
        self._scripts.living_session(request, session_id)
        wanted = parse_fields(request).get("organization_id")
        forms, origin = self._scripts.forms, self._scripts.origin(request)
        if wanted is None:
            return Response(json=forms.token(session_id, origin))
        try:
            return Response(json=forms.organization_token(session_id, wanted or None, origin))
        except NotFound:
            raise organization_not_found() from None

    def _remove_session(self, request: Request, session_id: str) -> Response:
        self._scripts.session(request, session_id)
        self._instance.update_session(session_id, status="removed")
        return self._changed(request, session_id)

    def _end_session(self, request: Request, session_id: str) -> Response:
        self._scripts.living_session(request, session_id)
        self._instance.update_session(session_id, status="ended")
        return self._changed(request, session_id)

    def _changed(self, request: Request, session_id: str) -> Response:
        visitor = self._scripts.known_visitor(request)
        session = self._instance.session(session_id)
        return self._scripts.changed(request, visitor, self._shown(request, session))

    def _shown(self, request: Request, session: Document) -> Document:
        return self._scripts.forms.session(session, self._scripts.origin(request))


def organization_not_found() -> Refusal:
    """Return the 404 of an organization that is not there, or not for the one who asks."""
    text = "Given organization not found, or you don't have permission to access it."
    return Refusal(404, "organization_not_found_or_unauthorized", "Organization not found", text)
