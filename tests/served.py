"""What a real gunicorn serves in tests: it says who is asking, and which worker answered."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from clerk_wsgi import get_session, require_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = get_session(environ)
    assert session is not None
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"user_id": session.user_id, "pid": os.getpid()}).encode()]


app = require_session(application)
named_in_the_log = require_session(application, remote_user=True)
