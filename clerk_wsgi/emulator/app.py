"""The local Clerk as a WSGI application: it answers, records and logs requests."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from webob import Request, Response

from .backend import BackendApi
from .errors import Refusal
from .instance import Instance
from .store import IN_MEMORY

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Unpack

    from .instance import InstanceOptions

_logger = logging.getLogger("clerk_wsgi.emulator")

REQUESTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that was answered; neither query nor headers, which carry secrets."""

    method: str
    path: str
    status: int


class Emulator(Instance):
    """A Clerk instance that answers HTTP; the arguments are those of ``Instance``."""

    def __init__(
        self, state: str | os.PathLike[str] = IN_MEMORY, **options: Unpack[InstanceOptions]
    ) -> None:
        super().__init__(state, **options)
        self._backend = BackendApi(self)
        self._recorded: deque[RecordedRequest] = deque(maxlen=REQUESTS_KEPT)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests, oldest first: a thousand at most."""
        return list(self._recorded)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        response = self._answer(request)
        path = environ.get("PATH_INFO", "")
        self._recorded.append(RecordedRequest(request.method, path, response.status_int))
        # Quoted, so that no path can write log lines of its own.
        _logger.info("%s %s %d", request.method, quote(path, "/"), response.status_int)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _answer(self, request: Request) -> Response:
        try:
            return self._backend.answer(request)
        except Refusal as refusal:
            return refusal.response()
