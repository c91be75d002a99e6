"""The application of the demo. gunicorn's workers make it with ``create_application()``.

``/home`` is for everybody; ``/``, like all other paths, for those who are signed in. Browsers are
asked to sign in there, everybody else gets the 401 of ``require_session``.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from webob import Request, Response
from webob.exc import HTTPNotFound, HTTPSeeOther

from .. import Auth, Clerk, ClerkError, Unauthenticated, get_auth, get_session, strict_on_error
from .pages import Links, Visitor, home_page, private_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOME = "/home"
PRIVATE = "/"

_logger = logging.getLogger("clerk_wsgi.demo")


class Demo:
    """Two wrapped pages; ``accounts_url`` is where the hosted pages for signing in and out are."""

    def __init__(self, clerk: Clerk, accounts_url: str) -> None:
        self._clerk = clerk
        self._accounts_url = accounts_url.rstrip("/")
        self._public = clerk.with_session(self._home)
        self._private = clerk.require_session(self._hello, on_error=self._ask_to_sign_in)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = self._public if environ.get("PATH_INFO") == HOME else self._private
        return page(environ, start_response)

    def _home(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        session = get_session(request)
        visitor = self._visitor(request, session.user_id) if session else None
        answer = home_page(visitor, self._links(request))
        return answer(environ, start_response)

    def _hello(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Greet whoever is signed in: browsers with a page, others with a line of text."""
        request = Request(environ)
        session = get_session(request)
        assert session is not None
        answer: WSGIApplication
        if request.path_info != PRIVATE:
            answer = HTTPNotFound()
        elif _is_browser(request):
            answer = private_page(self._visitor(request, session.user_id), self._links(request))
        else:
            greeting = f"Hello, {session.user_id} (session {session.id}).\n"
            answer = Response(text=greeting, content_type="text/plain", charset="utf-8")
        return answer(environ, start_response)

    def _ask_to_sign_in(self, error: ClerkError) -> BaseException:
        """Send page loads to the sign-in page, and refuse everything else."""
        request = error.request
        if isinstance(error, Unauthenticated) and request and _is_page_load(request):
            headers = {"Cache-Control": "no-store"}
            return HTTPSeeOther(location=self._hosted("sign-in", request.url), headers=headers)
        return strict_on_error(error)

    def _visitor(self, request: Request, user_id: str) -> Visitor:
        """Ask Clerk's API who it is; the page does without if that cannot be had."""
        auth = get_auth(request)
        assert isinstance(auth, Auth)
        try:
            user = self._clerk.users.get(user_id)
        except ClerkError:
            return Visitor(auth=auth, name=user_id)
        name = " ".join(filter(None, (user.first_name, user.last_name))) or user_id
        return Visitor(auth=auth, name=name, metadata=user.public_metadata)

    def _links(self, request: Request) -> Links:
        home, here = request.application_url + HOME, request.path_url
        return Links(
            home=home,
            private=request.application_url + PRIVATE,
            sign_in=self._hosted("sign-in", here),
            sign_out=self._hosted("sign-out", home),
            choose=self._hosted("choose", here),
            choose_organization=self._hosted("choose-organization", here),
        )

    def _hosted(self, page: str, back: str) -> str:
        return f"{self._accounts_url}/{page}?{urlencode({'redirect_url': back})}"


def _is_page_load(request: Request) -> bool:
    return request.method == "GET" and _is_browser(request)


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


class DecisionLog:
    """Write one line for each request: what was decided and why, never a token."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._app(environ, start_response)
        state = environ["clerk.state"]
        why = state.reason or state.auth.user_id
        # Quoted, so that no path can write log lines of its own.
        path = quote(environ.get("PATH_INFO", ""), "/")
        _logger.info("%s %s -> %s (%s)", environ["REQUEST_METHOD"], path, state.status, why)
        return answer


def create_application() -> WSGIApplication:
    """Return the wrapped application; its keys are in the environment, ``.env`` is not read."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    _logger.setLevel(logging.INFO)
    clerk = Clerk(dotenv=False)
    return DecisionLog(Demo(clerk, clerk.settings.proxy_url or ""))
