"""Browsers that ask by a script: who asks, and what every answer brings along."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from webob import Response

from ..browsers import living_sessions
from ..errors import Refusal
from ..query import Query
from ..routing import parse_body
from .dev_browser import as_seen, dev_browser_unauthenticated
from .public import PublicForms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from webob import Request

    from ..browsers import Browsers, Visitor
    from ..instance import Instance
    from ..objects import Document
    from .cors import Origins


class Scripts:
    """What the endpoints for scripts share.

    Answers are ``{response, client}``; the client goes along with whatever may have changed it.
    """

    def __init__(self, instance: Instance, browsers: Browsers, origins: Origins) -> None:
        self.forms = PublicForms(instance)
        self._instance = instance
        self._browsers = browsers
        self._origins = origins

    def origin(self, request: Request) -> str | None:
        """Return the origin of the page that asks: session tokens are for it."""
        return self._origins.of(request)

    def visitor(self, request: Request) -> Visitor | None:
        """Return who asks, ``None`` for a browser without a client."""
        return self._browsers.at_script(request)

    def known_visitor(self, request: Request) -> Visitor:
        """Return who asks, or raise a 401."""
        visitor = self.visitor(request)
        if visitor is None:
            raise not_authenticated()
        return visitor

    def current_visitor(self, request: Request) -> Visitor:
        """Return who asks for what only the present secret of a browser is good for, or a 401."""
        visitor = self.known_visitor(request)
        if visitor.seen is not None:
            raise dev_browser_unauthenticated()
        return visitor

    def session(self, request: Request, session_id: str) -> Document:
        """Return a session of the browser that asks, or raise a 404."""
        for session in self.known_visitor(request).client["sessions"]:
            if session["id"] == session_id:
                found: Document = session
                return found
        text = f"No session was found with id {session_id}"
        raise Refusal(404, "resource_not_found", "Session not found", text)

    def living_session(self, request: Request, session_id: str) -> Document:
        """Return a session of the browser that asks which is not over, or raise a 404 or 401."""
        session = self.session(request, session_id)
        if not living_sessions({"sessions": [session]}):
            raise not_authenticated()
        return session

    def current_session(self, request: Request) -> Document:
        """Return the session that a script asks with: the named one, else the last active one."""
        visitor = self.known_visitor(request)
        named = Query(request).text("_clerk_session_id") or visitor.client["last_active_session_id"]
        for session in living_sessions(visitor.client):
            if session["id"] == named:
                return session
        raise Refusal(401, "signed_out", "Signed out", "You are signed out")

    def client(self, request: Request, visitor: Visitor) -> Document:
        """Return a client as it is shown to the page that asks."""
        return self.forms.client(visitor.client, self.origin(request))

    def answer(self, found: object) -> Response:
        """Answer a question that changes nothing."""
        return Response(json={"response": found, "client": None})

    def asked_client(self, request: Request, visitor: Visitor | None) -> Response:
        """Answer with the client, ``None`` for a browser without one."""
        answer = self.answer(visitor and self.client(request, visitor))
        return _with(answer, self._browsers.remind(visitor, request))

    def changed(self, request: Request, visitor: Visitor, found: object) -> Response:
        """Answer what may have changed a client, with the client as it is now."""
        now = self.latest(visitor)
        answer = Response(json={"response": found, "client": self.client(request, now)})
        return _with(answer, self._browsers.tell(now, request))

    def changed_client(self, request: Request, visitor: Visitor) -> Response:
        """Answer what is about the client itself."""
        now = self.latest(visitor)
        answer = self.answer(self.client(request, now))
        return _with(answer, self._browsers.tell(now, request))

    def renewed(self, request: Request, client_id: str, found: object) -> Response:
        """Answer a script whose browser has signed in: it gets a new secret with the answer."""
        now = self._browsers.renew(client_id)
        answer = Response(json={"response": found, "client": self.client(request, now)})
        return _with(answer, self._browsers.hand_over(now, request))

    def renewed_client(self, request: Request, client_id: str) -> Response:
        """Answer what is about the client itself, with a new secret."""
        now = self._browsers.renew(client_id)
        answer = self.answer(self.client(request, now))
        return _with(answer, self._browsers.hand_over(now, request))

    def latest(self, visitor: Visitor) -> Visitor:
        """Return a visitor as it is now."""
        client = self._instance.client(visitor.client["id"])
        if visitor.seen is not None:
            client = as_seen(client, visitor.seen)
        return replace(visitor, client=client)


def parse_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form; a script sends more of them than are of interest here."""
    fields: dict[str, Any] = parse_body(request)
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def not_authenticated() -> Refusal:
    """Return the 401 of a browser that is not known, or a session that is over."""
    text = "Unable to authenticate the request, you need to supply an active session"
    return Refusal(401, "authentication_invalid", "Invalid authentication", text)


def _with(response: Response, headers: Iterable[tuple[str, str]]) -> Response:
    for name, value in headers:
        response.headers.add(name, value)
    return response
