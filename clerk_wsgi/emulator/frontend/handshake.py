"""The handshake: a browser comes from an application, and goes back with its cookies.

docs/protocol.md, "Handshake". What the browser carries is a nonce, which the application exchanges
through the Backend API, or a signed token.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from webob import Response

from ...handshake import HANDSHAKE, NONCE
from ...settings import parse_publishable_key
from ..browsers import client_uat, current_session
from ..cookies import CookieLines
from ..errors import NotFound, Refusal, resource_not_found
from ..query import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from webob import Request

    from ..browsers import Browsers, Visitor
    from ..cookies import Reach
    from ..instance import Instance
    from ..redirects import Redirects, Target
    from .refresh import SessionRefresh

PAYLOADS_KEPT = 1000
PAYLOAD_LIFETIME = 60.0
FORMATS = ("token", "nonce")


class Payloads:
    """What handshakes bring home: kept for a minute, in memory, and handed out once.

    ``clock`` is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    def keep(self, directives: list[str]) -> str:
        """Return the nonce that the directives can be had for; of too many the oldest go."""
        nonce = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[nonce] = (self._clock() + PAYLOAD_LIFETIME, directives)
            if len(self._kept) > PAYLOADS_KEPT:
                self._kept.popitem(last=False)
        return nonce

    def take(self, nonce: str) -> list[str] | None:
        """Return the directives, ``None`` if they were taken, are too old or never were."""
        with self._lock:
            until, directives = self._kept.pop(nonce, (0.0, []))
        return directives if self._clock() < until else None


class Handshakes:
    """Both ends of the handshake: ``begin`` is the browser's, ``hand_out`` the application's."""

    def __init__(
        self,
        instance: Instance,
        browsers: Browsers,
        redirects: Redirects,
        renewal: SessionRefresh,
    ) -> None:
        self._instance = instance
        self._browsers = browsers
        self._redirects = redirects
        self._renewal = renewal
        self._lines = CookieLines(parse_publishable_key(instance.publishable_key))
        self._payloads = Payloads(instance._clock)

    def begin(self, request: Request) -> Response:
        """Answer ``GET /v1/client/handshake``.

        ``organization_id`` is the id or the slug of what the session is to have active, or empty
        for the personal account. What the user is no member of changes nothing.
        """
        query = Query(request)
        target = self._redirects.target(query.text("redirect_url"))
        wanted = query.text("format") or FORMATS[0]
        if wanted not in FORMATS:
            raise Refusal(400, "invalid_handshake", "Invalid handshake", "format is unknown")
        reach = self._browsers.reach(request, target)
        visitor = self._activate(request, query.text("organization_id"))
        directives = self._directives(visitor, target, reach)
        name, value = self._wrap(directives, wanted)
        return self._browsers.deliver(name, value, request, target).answer(307)

    def hand_out(self, request: Request) -> Response:
        """Answer ``GET /v1/clients/handshake_payload``."""
        directives = self._payloads.take(Query(request).text("nonce") or "")
        if directives is None:
            raise resource_not_found("Handshake payload not found", "The nonce is not valid.")
        return Response(json={"directives": directives})

    def _activate(self, request: Request, wanted: str | None) -> Visitor | None:
        """Return a browser whose session has an organization active, if its user may have it."""
        visitor = self._browsers.at_handshake(request)
        session = current_session(visitor)
        if session is None or wanted is None:
            return visitor
        with suppress(NotFound):
            organization_id = self._instance.organization(wanted)["id"] if wanted else None
            self._instance.activate_organization(session["id"], organization_id)
        return self._browsers.at_handshake(request)

    def _directives(self, visitor: Visitor | None, target: Target, reach: Reach) -> list[str]:
        session = current_session(visitor)
        uat = self._lines.client_uat(client_uat(visitor), reach)
        own = self._browsers.directives(visitor, reach)
        if session is None:
            return [*self._lines.no_session(reach), *uat, *own]
        token = self._instance.session_token(session["id"], azp=target.origin)
        renewal = self._renewal.token_of(session["id"])
        refresh = self._lines.refresh(renewal, reach)
        return [*self._lines.session(token, reach), *uat, *refresh, *own]

    def _wrap(self, directives: list[str], wanted: str) -> tuple[str, str]:
        """Return the name and the value of what the browser carries."""
        if wanted == "nonce":
            return NONCE, self._payloads.keep(directives)
        return HANDSHAKE, self._instance.handshake_token(directives)
