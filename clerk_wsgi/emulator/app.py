"""The local Clerk as a WSGI application: it answers, records and logs requests."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from webob import Request, Response

from .backend.api import BackendApi
from .backend.versions import VerifyEndpoints
from .control.api import ControlApi, is_control
from .errors import ConnectionReset, Refusal
from .faults import Faults
from .frontend.api import Frontend
from .frontend.npm import CLERK_JS, Packages
from .hosted.status import StatusPage
from .instance import Instance, InstanceOptions
from .store import IN_MEMORY

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Unpack

_logger = logging.getLogger("clerk_wsgi.emulator")

REQUESTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request; neither query nor headers, which carry secrets.

    ``status`` is that of the answer, 0 if the connection was reset. ``time`` (Unix seconds, by the
    instance's clock) is when it was answered; requests that differ in nothing else are equal.
    """

    method: str
    path: str
    status: int
    time: float = field(default=0.0, compare=False)


class EmulatorOptions(InstanceOptions, total=False):
    """The arguments of ``Emulator`` by name, all but the state."""

    verify_endpoints: str
    redirect_origins: Iterable[str]
    clerk_js: str | os.PathLike[str] | None


class Emulator(Instance):
    """A Clerk instance that answers HTTP; the arguments are those of ``Instance``, and three more.

    ``verify_endpoints`` says whether the retired ``POST …/verify`` are ``"served"``, ``"gone"``
    (410), or ``"versioned"``: sessions' up to the API version 2025-03-12. ``faults`` lets requests
    be late or fail. ``redirect_origins`` are where browsers may be sent beside this machine's own
    addresses, such as ``"https://app.example.com"``. ``clerk_js`` is a directory with the npm
    package ``@clerk/clerk-js`` in it, to be served to browsers; ``ValueError`` if it is not there.
    """

    def __init__(
        self,
        state: str | os.PathLike[str] = IN_MEMORY,
        *,
        verify_endpoints: str = "served",
        redirect_origins: Iterable[str] = (),
        clerk_js: str | os.PathLike[str] | None = None,
        **options: Unpack[InstanceOptions],
    ) -> None:
        endpoints = VerifyEndpoints(verify_endpoints)
        self._packages = Packages(clerk_js)
        super().__init__(state, **options)
        self.faults = Faults()
        origins = tuple(redirect_origins)
        self._frontend = Frontend(self, origins, self._packages)
        self._backend = BackendApi(self, endpoints, self._frontend.backend_routes())
        self._status = StatusPage(self, origins)
        self._control = ControlApi(self, self._backend, self._frontend.browsers)
        self._recorded: deque[RecordedRequest] = deque(maxlen=REQUESTS_KEPT)

    @property
    def clerk_js(self) -> str | None:
        """The version of ``@clerk/clerk-js`` that is served, ``None`` if none is."""
        return self._packages.version(CLERK_JS)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests but those of the control API and the status page, oldest first.

        They are a thousand at most.
        """
        return list(self._recorded)

    def forget_requests(self) -> None:
        """Begin a new list of requests."""
        self._recorded.clear()

    def reset(self) -> None:
        """Be as at the beginning, with the same keys: users, sessions, settings, faults, requests.

        A seed is planted again.
        """
        super().reset()
        self.faults.clear()
        self.forget_requests()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._answer(request)
        except ConnectionReset:
            self._record(request, 0)
            raise
        self._record(request, response.status_int)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _record(self, request: Request, status: int) -> None:
        path = request.environ.get("PATH_INFO", "")
        if not (is_control(request) or self._status.is_asked(request)):
            self._recorded.append(RecordedRequest(request.method, path, status, self._clock()))
        # Quoted, so that neither can write log lines of its own, or steer a terminal.
        _logger.info("%s %s %s", quote(request.method), quote(path, "/"), status or "reset")

    def _answer(self, request: Request) -> Response:
        if is_control(request):
            return self._control.answer(request)
        if self._status.is_asked(request):
            return self._status.answer(request)
        try:
            self.faults.meet(request)
            if self._frontend.has(request):
                return self._frontend.answer(request)
            return self._backend.answer(request)
        except Refusal as refusal:
            return self._frontend.lend(request, refusal.response())
