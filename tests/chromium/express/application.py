"""What ``server.mjs`` is, in Python: every page says who its wrapper found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from webob import Response

from clerk_wsgi import Auth, Clerk, get_auth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FIELDS = (
    "user_id",
    "session_id",
    "session_status",
    "org_id",
    "org_role",
    "org_slug",
    "org_permissions",
    "factor_verification_age",
    "actor",
)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    auth = get_auth(environ)
    assert isinstance(auth, Auth)
    found = json.dumps({name: getattr(auth, name) for name in FIELDS})
    page = f'<!doctype html><link rel="icon" href="data:,"><pre>{found}</pre>'
    answer: Iterable[bytes] = Response(text=page)(environ, start_response)
    return answer


def create_application() -> WSGIApplication:
    """Return what gunicorn's workers serve; Express has the debug headers always."""
    return Clerk(dotenv=False).with_session(application, debug_headers=True)
