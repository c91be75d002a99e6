"""A ``requests.Session`` whose only server is a WSGI application: HTTP without a socket."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse
from webob import Request

from ..emulator import ConnectionReset

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def in_process(app: WSGIApplication) -> requests.Session:
    """Return a session that asks ``app`` whatever the host of a URL; for ``Clerk(http=…)``."""
    session = requests.Session()
    session.trust_env = False  # neither ~/.netrc nor proxies have a say
    adapter = _Adapter(app)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Adapter(HTTPAdapter):
    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        try:
            status, headers, body = _wsgi_request(request).call_application(self._app)
        except ConnectionReset as error:
            raise requests.ConnectionError(error, request=request) from error
        try:
            content = b"".join(body)
        finally:
            _close(body)
        raw = HTTPResponse(
            body=BytesIO(content),
            headers=HTTPHeaderDict(headers),
            status=int(status[:3]),
            reason=status[4:],
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def _wsgi_request(request: requests.PreparedRequest) -> Request:
    wsgi_request = Request.blank(request.url or "", method=request.method)
    for name, value in request.headers.items():
        wsgi_request.headers[name] = value
    body = request.body or b""
    wsgi_request.body = body.encode() if isinstance(body, str) else body
    return wsgi_request


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
