"""The application of the demo. gunicorn's workers make it with ``create_application()``."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from .. import Clerk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_logger = logging.getLogger("clerk_wsgi.demo")


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Greet whoever is signed in."""
    session = environ["clerk.session"]
    body = f"Hello, {session.user_id} (session {session.id}).\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


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
    return DecisionLog(Clerk(dotenv=False).require_session(hello))
