"""Several sessions in one browser: the front end says which of them makes a request.

With ``?_clerk_session_id=sess_…`` that session and no other may answer. Without the parameter it
is the last active one, which is fine for a page but not for an action: another tab may have
switched in between. So actions insist on it here.

    CLERK_SECRET_KEY=sk_test_… gunicorn multi_session:app
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response
from webob.dec import wsgify
from webob.exc import HTTPBadRequest

from clerk_wsgi import get_session, require_session

if TYPE_CHECKING:
    from webob import Request


@wsgify
def application(request: Request) -> Response:
    session = get_session(request)
    assert session is not None  # require_session saw to it
    if request.method == "POST" and "_clerk_session_id" not in request.GET:
        raise HTTPBadRequest("Say which session this is for: ?_clerk_session_id=sess_…")
    return Response(json={"session_id": session.id, "user_id": session.user_id})


app = require_session(application)
