"""A plain WSGI application: public at ``/``, signed-in users only at ``/me``.

CLERK_SECRET_KEY=sk_test_… gunicorn plain_wsgi:app
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clerk_wsgi import get_session, with_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = get_session(environ)
    if environ["PATH_INFO"] == "/":
        return respond(start_response, "200 OK", {"signed_in": session is not None})
    if environ["PATH_INFO"] != "/me":
        return respond(start_response, "404 Not Found", {"error": "There is no such page."})
    if session is None:
        return respond(start_response, "401 Unauthorized", {"error": "Please sign in."})
    return respond(start_response, "200 OK", {"user_id": session.user_id})


def respond(start_response: StartResponse, status: str, data: dict[str, object]) -> list[bytes]:
    body = json.dumps(data).encode()
    start_response(
        status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


app = with_session(application)
