"""The control API of the local Clerk: what tests in any language steer it by.

Everything is below ``/_emulator`` and for the holder of the secret key, who can sign anybody in.
No fault meets these calls, else nobody could end an outage, and ``Emulator.requests`` does not have
them. docs/local-clerk.md, "Control API".
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from webob import Response

from ..backend.sessions import LONGEST_LIFETIME
from ..errors import Refusal
from ..query import Query
from ..readers import read_flag
from ..routing import Router
from ..server import MAX_BODY
from .directory import DirectoryControl
from .faults import FaultControl
from .readers import read_call, refuse_unknown, whole_reader
from .sessions import SessionControl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request

    from ..app import Emulator
    from ..backend.api import BackendApi
    from ..browsers import Browsers
    from ..objects import Document
    from ..readers import Reader
    from ..routing import Route

ROOT = "/_emulator"
_SETTINGS: Mapping[str, Reader] = {"token_lifetime": whole_reader(1, LONGEST_LIFETIME)}
_ROTATION: Mapping[str, Reader] = {"keep_previous": read_flag}


def is_control(request: Request) -> bool:
    """Say whether a request is one of the control API, be it for a path that there is not."""
    path: str = request.environ.get("PATH_INFO", "")
    return path == ROOT or path.startswith(f"{ROOT}/")


class ControlApi:
    """The endpoints below ``/_emulator``; ``backend`` knows who may call them."""

    def __init__(self, emulator: Emulator, backend: BackendApi, browsers: Browsers) -> None:
        self._emulator = emulator
        self._backend = backend
        self._router = Router(
            [
                *self._routes(),
                *DirectoryControl(emulator).routes(),
                *SessionControl(emulator, browsers).routes(),
                *FaultControl(emulator).routes(),
            ]
        )

    def _routes(self) -> list[Route]:
        return [
            ("GET", ROOT, self._show),
            ("GET", f"{ROOT}/", self._show),
            ("GET", f"{ROOT}/settings", self._show_settings),
            ("PATCH", f"{ROOT}/settings", self._change_settings),
            ("POST", f"{ROOT}/rotate_key", self._rotate_key),
            ("POST", f"{ROOT}/expire_tokens", self._expire_tokens),
            ("GET", f"{ROOT}/requests", self._list_requests),
            ("DELETE", f"{ROOT}/requests", self._forget_requests),
            ("POST", f"{ROOT}/reset", self._reset),
        ]

    def answer(self, request: Request) -> Response:
        """Answer a request; no page may read what is said here, and nobody keeps it."""
        try:
            response = self._dispatch(request)
        except Refusal as refusal:
            response = refusal.response()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _dispatch(self, request: Request) -> Response:
        self._backend.check_key(request)
        if (request.content_length or 0) > MAX_BODY:
            why = f"A body has at most {MAX_BODY} bytes."
            raise Refusal(413, "request_body_too_large", "Request body too large", why)
        # Bodies are JSON, though curl says of everything that it is a form.
        request.content_type = "application/json"
        return self._router.dispatch(request)

    def _show(self, request: Request) -> Response:
        read_call(request)
        return Response(json=self._overview(request))

    def _overview(self, request: Request) -> Document:
        """Return what there is; no key that is a secret, and no token."""
        emulator, url = self._emulator, request.application_url
        return {
            "object": "emulator",
            "urls": {
                "api": url,
                "frontend_api": url,
                "jwks": f"{url}/v1/jwks",
                "sign_in": f"{url}/sign-in",
                "control": f"{url}{ROOT}",
            },
            "publishable_key": emulator.publishable_key,
            "issuer": emulator.issuer,
            "kid": emulator.kid,
            "settings": self._settings(),
            "counts": {
                "users": len(emulator.users()),
                "organizations": len(emulator.organizations()),
                "clients": len(emulator.clients()),
                "sessions": len(emulator.sessions()),
                "requests": len(emulator.requests),
            },
        }

    def _settings(self) -> Document:
        return {"token_lifetime": self._emulator.token_lifetime}

    def _show_settings(self, request: Request) -> Response:
        read_call(request)
        return Response(json=self._settings())

    def _change_settings(self, request: Request) -> Response:
        given = read_call(request, _SETTINGS)
        self._emulator.token_lifetime = given.get("token_lifetime", self._emulator.token_lifetime)
        return Response(json=self._settings())

    def _rotate_key(self, request: Request) -> Response:
        given = read_call(request, _ROTATION)
        return Response(json={"kid": self._emulator.rotate_signing_key(**given)})

    def _expire_tokens(self, request: Request) -> Response:
        read_call(request)
        return Response(json={"kid": self._emulator.expire_tokens()})

    def _list_requests(self, request: Request) -> Response:
        query = Query(request)
        refuse_unknown(query.names(), ["limit"])
        limit = query.number("limit", least=1)
        newest = self._emulator.requests[::-1]
        return Response(json=[asdict(one) for one in newest[:limit]])

    def _forget_requests(self, request: Request) -> Response:
        read_call(request)
        self._emulator.forget_requests()
        return Response(json={"object": "requests", "deleted": True})

    def _reset(self, request: Request) -> Response:
        read_call(request)
        self._emulator.reset()
        return Response(json=self._overview(request))
