"""A Bottle application: public at ``/``, signed-in users only at ``/me``.

pip install bottle
CLERK_SECRET_KEY=sk_test_… gunicorn bottle_app:app
"""

from __future__ import annotations

from typing import Any

from bottle import Bottle, HTTPResponse, request

from clerk_wsgi import get_session, with_session

bottle = Bottle()


@bottle.get("/")
def home() -> dict[str, Any]:
    return {"signed_in": get_session(request) is not None}


@bottle.get("/me")
def me() -> dict[str, Any]:
    session = get_session(request)
    if session is None:
        raise HTTPResponse({"error": "Please sign in."}, 401)
    return {"user_id": session.user_id}


app = with_session(bottle)
