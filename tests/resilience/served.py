"""What the servers serve: one application under both wrappers, which says who is asking.

The ages of keys are not settings of the environment, so they are read from it here.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from clerk_wsgi import Clerk, get_session, require_session, set_default, with_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = get_session(environ)
    error = environ["clerk.error"]
    document = {
        "user_id": None if session is None else session.user_id,
        "error": None if error is None else type(error).__name__,
        "pid": os.getpid(),
    }
    body = json.dumps(document).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    wrapped = strict if environ["PATH_INFO"] == "/strict" else lax
    return wrapped(environ, start_response)


clerk = Clerk(
    keys_ttl=float(os.environ["RESILIENCE_KEYS_TTL"]),
    stale_keys=float(os.environ["RESILIENCE_STALE_KEYS"]),
)
set_default(clerk)
strict, lax = require_session(application), with_session(application)
