"""The wrapped application that browsers visit: every page says who its wrapper found.

``SCRIPTS_OF_THE_PAGE`` in the environment is HTML for the page's head.
"""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING

from webob import Request, Response
from webob.exc import HTTPNotFound

from clerk_wsgi import Auth, Clerk, get_auth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOBODY = "nobody is signed in"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A wrapped application</title>
<link rel="icon" href="data:,">
{scripts}
</head>
<body>
<p id="who">{who}</p>
<div id="component"></div>
</body>
</html>
"""


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = Request(environ)
    answers = {"/": _page, "/api/me": _me}
    answer = answers.get(request.path_info, _missing)(request)
    found: Iterable[bytes] = answer(environ, start_response)
    return found


def _page(request: Request) -> Response:
    """Answer with ``user session organization`` of who is signed in."""
    found = _found(request)
    who = " ".join(str(found[name]) for name in found) if found else NOBODY
    page = _PAGE.format(scripts=os.environ["SCRIPTS_OF_THE_PAGE"], who=escape(who))
    return Response(text=page, content_type="text/html", charset="utf-8")


def _me(request: Request) -> Response:
    found = _found(request)
    return Response(json=found) if found else Response(status=401, json={})


def _missing(request: Request) -> Response:
    return HTTPNotFound()


def _found(request: Request) -> dict[str, str | None] | None:
    auth = get_auth(request)
    if not isinstance(auth, Auth) or not auth:
        return None
    return {"user_id": auth.user_id, "session_id": auth.session_id, "org_id": auth.org_id}


def create_application() -> WSGIApplication:
    """Return what gunicorn's workers serve; the local Clerk is in their environment."""
    return Clerk(dotenv=False).with_session(application)
