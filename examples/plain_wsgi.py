"""A plain WSGI application: a public page, an API, an organization's section, and signing out.

With a local Clerk, which says who can sign in:

    clerk-wsgi run plain_wsgi:app --local

With Clerk itself:

    CLERK_SECRET_KEY=sk_test_… CLERK_PUBLISHABLE_KEY=pk_test_… gunicorn plain_wsgi:app
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clerk_wsgi import (
    Auth,
    get_auth,
    get_session,
    require,
    sign_in_on_error,
    sign_out,
    with_session,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LEAVE = '<form method="post" action="/sign-out"><button>Sign out</button></form>'


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer everything: each path by a WSGI application of its own."""
    part = PARTS.get(environ["PATH_INFO"])
    if part is None:
        return respond(start_response, "404 Not Found", {"error": "There is no such page."})
    return part(environ, start_response)


def home(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """For everybody: a page for browsers, the same as JSON for others."""
    signed_in = get_session(environ) is not None
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return respond(start_response, "200 OK", {"signed_in": signed_in})
    page = LEAVE if signed_in else '<p>Please <a href="/me">sign in</a>.</p>'
    return send(start_response, "200 OK", "text/html; charset=utf-8", page)


@require(on_error=sign_in_on_error)
def me(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """For who is signed in; browsers without a session are sent to sign in."""
    session = get_session(environ)
    assert session is not None  # require saw to it
    return respond(start_response, "200 OK", {"user_id": session.user_id})


@require(role="org:admin", on_error=sign_in_on_error)
def organization(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """For the admins of the organization that is active."""
    auth = get_auth(environ)
    assert isinstance(auth, Auth)  # no machine has a role
    assert auth.organization is not None  # whoever has a role has one; this asks Clerk
    return respond(start_response, "200 OK", {"organization": auth.organization.name})


def leave(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Sign out whoever has pressed the button, on a page of ours alone."""
    if environ["REQUEST_METHOD"] != "POST":
        return respond(start_response, "405 Method Not Allowed", {"error": "Press the button."})
    if not is_own_form(environ):
        return respond(start_response, "403 Forbidden", {"error": "This is no form of ours."})
    return sign_out(environ)(environ, start_response)


def is_own_form(environ: WSGIEnvironment) -> bool:
    """Say whether a form is on a page of ours; a sibling domain's come with our cookies, too."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site:
        return bool(site == "same-origin")
    own_origin = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"
    return bool(environ.get("HTTP_ORIGIN") == own_origin)


PARTS: dict[str, WSGIApplication] = {
    "/": home,
    "/me": me,
    "/organization": organization,
    "/sign-out": leave,
}


def respond(start_response: StartResponse, status: str, data: dict[str, object]) -> list[bytes]:
    return send(start_response, status, "application/json", json.dumps(data))


def send(start_response: StartResponse, status: str, content_type: str, text: str) -> list[bytes]:
    body = text.encode()
    start_response(
        status,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "private"),
        ],
    )
    return [body]


app = with_session(application)
