"""A Pyramid application: public at ``/``, signed-in users only at ``/me``.

pip install pyramid
CLERK_SECRET_KEY=sk_test_… gunicorn pyramid_app:app
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPUnauthorized

from clerk_wsgi import get_session, with_session

if TYPE_CHECKING:
    from pyramid.request import Request


def home(request: Request) -> dict[str, Any]:
    return {"signed_in": get_session(request) is not None}


def me(request: Request) -> dict[str, Any]:
    session = get_session(request)
    if session is None:
        raise HTTPUnauthorized
    return {"user_id": session.user_id}


def make_app() -> Any:
    with Configurator() as config:
        config.add_route("home", "/")
        config.add_route("me", "/me")
        config.add_view(home, route_name="home", renderer="json")
        config.add_view(me, route_name="me", renderer="json")
        return config.make_wsgi_app()


app = with_session(make_app())
