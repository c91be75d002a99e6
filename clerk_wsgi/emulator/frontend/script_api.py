"""The Frontend API as Clerk's script for browsers asks it: who may, and which endpoint answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from webob import Request, Response

from ..errors import Refusal
from ..query import Query
from ..routing import Router
from .account import AccountApi
from .client import ClientApi
from .cors import Origins, check_authorization, origin_missing
from .environment import EnvironmentApi
from .scripts import Scripts
from .sign_ins import SignInsApi

if TYPE_CHECKING:
    from ..browsers import Browsers
    from ..instance import Instance
    from ..redirects import Redirects

# What the Backend API has nothing below; of anything else it is the key that tells them apart.
_OURS = re.compile(r"/v1/(?:client|dev_browser|environment|me)(?:/.*)?", re.DOTALL)
_OTHERS = re.compile(r"/v1/.*", re.DOTALL)
_TUNNELLED = ("DELETE", "PATCH", "PUT")


class ScriptApi:
    """The endpoints for scripts in browsers."""

    def __init__(self, instance: Instance, browsers: Browsers, redirects: Redirects) -> None:
        self._instance = instance
        self._browsers = browsers
        self._origins = Origins(browsers, redirects)
        scripts = Scripts(instance, browsers, self._origins)
        self._router = Router(
            [
                *ClientApi(instance, browsers, redirects, scripts).routes(),
                *SignInsApi(instance, scripts).routes(),
                *EnvironmentApi(instance, scripts).routes(),
                *AccountApi(instance, scripts).routes(),
            ]
        )

    def has(self, request: Request) -> bool:
        """Say whether a request is a script's, whose errors then are ours, too.

        Browsers do not have the secret key, and say which page a script is from.
        """
        path = request.environ.get("PATH_INFO", "")
        if _OURS.fullmatch(path):
            return True
        is_script = "Origin" in request.headers and "Authorization" not in request.headers
        return is_script and bool(_OTHERS.fullmatch(path))

    def answer(self, request: Request) -> Response:
        """Answer a request; errors are in Clerk's form, and the page may read them."""
        try:
            response = self._dispatch(request)
        except Refusal as refusal:
            response = refusal.response()
        response.headers["Cache-Control"] = "no-store"
        return self.lend(request, response)

    def lend(self, request: Request, response: Response) -> Response:
        """Let the page that asks read an answer, if it may."""
        return self._origins.lend(response, request)

    def _dispatch(self, request: Request) -> Response:
        check_authorization(request)
        if request.environ.get("PATH_INFO") != "/v1/client/touch":  # a page load, no script
            self._origins.of(request)
            self._check_origin(request)
        # At once: a secret that is replaced meanwhile must not bring home what began since.
        with self._instance.transaction():
            return self._router.dispatch(_meant(request))

    def _check_origin(self, request: Request) -> None:
        """Raise a ``Refusal`` if cookies say who it is, but nothing where that comes from."""
        may_change = request.method not in ("GET", "HEAD")
        if self._browsers.uses_cookies and may_change and "Origin" not in request.headers:
            raise origin_missing()


def _meant(request: Request) -> Request:
    """Return the request with the method that was meant: scripts send others than GET as POST."""
    method = Query(request).text("_method")
    if method is None or request.method != "POST":
        return request
    if method.upper() not in _TUNNELLED:
        raise Refusal(405, "method_not_allowed", "Method not allowed", allow="GET, POST")
    return Request({**request.environ, "REQUEST_METHOD": method.upper()})
