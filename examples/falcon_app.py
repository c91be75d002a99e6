"""A Falcon API for signed-in users only: without a session Falcon is never called.

pip install falcon
CLERK_SECRET_KEY=sk_test_… gunicorn falcon_app:app
"""

from __future__ import annotations

import falcon

from clerk_wsgi import get_session, require_session


class Me:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        session = get_session(req)
        assert session is not None  # require_session saw to it
        resp.media = {"user_id": session.user_id, "session_id": session.id}


api = falcon.App()
api.add_route("/me", Me())

app = require_session(api)
