"""An error handler of one's own: browsers go to the sign-in page, API callers get JSON.

What the handler returns decides. An exception refuses the request: one that is a WSGI application,
such as WebOb's redirects, answers itself; any other becomes an error response, here with a JSON
body. Anything else, such as the ``None`` for the public page, lets the request through.

    CLERK_SECRET_KEY=sk_test_… CLERK_SIGN_IN_URL=https://… gunicorn custom_on_error:app
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from webob import Response
from webob.dec import wsgify
from webob.exc import HTTPSeeOther

from clerk_wsgi import (
    ClerkError,
    Unauthenticated,
    get_session,
    json_error_response,
    require_session,
)

if TYPE_CHECKING:
    from webob import Request

SIGN_IN_URL = os.environ.get("CLERK_SIGN_IN_URL", "https://accounts.example.com/sign-in")


def on_error(error: ClerkError) -> Exception | None:
    request = error.request
    if request is None or request.path == "/":
        return None
    is_page_load = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
    if isinstance(error, Unauthenticated) and is_page_load:
        query = urlencode({"redirect_url": request.url})
        return HTTPSeeOther(location=f"{SIGN_IN_URL}?{query}")
    return error


@wsgify
def application(request: Request) -> Response:
    session = get_session(request)
    if session is None:
        return Response("Welcome. <a href='/me'>Who am I?</a>")
    return Response(json={"user_id": session.user_id})


app = require_session(application, on_error=on_error, error_response=json_error_response)
