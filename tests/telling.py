"""An application that tells who asks it, for the tests of test clients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clerk_wsgi import get_auth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Told = dict[str, Any]
LANGUAGE, THEME = "de", "theme=dark"  # what is none of Clerk's business


def tell(environ: WSGIEnvironment) -> Told:
    """What an application learns of who asks it, and what else the request brought."""
    auth: Any = get_auth(environ)
    header = environ.get("HTTP_COOKIE", "").replace('"', "")  # WebTest quotes every value
    cookies = [piece.strip() for piece in header.split(";")]
    return {
        "user": auth.user_id,
        "session": auth.session_id,
        "organization": [auth.org_id, auth.org_slug, auth.org_role, auth.org_permissions],
        "carriers": [name for name in ("HTTP_AUTHORIZATION", "__session") if has(environ, name)],
        "others": THEME in cookies and environ.get("HTTP_ACCEPT_LANGUAGE") == LANGUAGE,
    }


def has(environ: WSGIEnvironment, name: str) -> bool:
    """Say whether a request carries a token in this way."""
    return name in environ or f"{name}=" in environ.get("HTTP_COOKIE", "")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(tell(environ)).encode()]


def told(status: int, body: bytes) -> Told | None:
    """Return what an application told, ``None`` if the wrapper refused the request."""
    if status == 401:
        assert body == b""
        return None
    assert status == 200, status
    found: Told = json.loads(body)
    assert found.pop("others"), "cookies and headers of the application's own are gone"
    return found
