"""What gunicorn serves in benchmarks: one small application, bare or behind whoever decides.

``applications:create("ours")``; the settings are in the environment. ``/who`` answers with the user
who is signed in, so that the measurement can be sure of what it measures.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from peers import USER, by_hand, official_sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

BARE, OURS, BY_HAND, OFFICIAL_SDK = "bare", "ours", "by hand", "sdk"
PEM = "BENCHMARK_PEM"  # the variable with the public key for peers
ORIGIN = "CLERK_AUTHORIZED_PARTIES"
BLOCKS = "/blocks"


def application(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    """Say hello, or who is signed in."""
    who = environ["PATH_INFO"] == "/who"
    body = _user_in(environ).encode() if who else b"hello"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def create(kind: str) -> WSGIApplication:
    """Return the application behind what ``kind`` names."""
    return _KINDS[kind]()


def create_checked() -> WSGIApplication:
    """Return what the soak asks: below ``/strict`` a session is required, elsewhere it is not.

    Both tell who the application takes for signed in, by the session and by ``clerk.auth``;
    ``BLOCKS`` tells how many blocks of memory Python has allocated in this worker. What
    is logged from WARNING on goes to standard error, each line with its level.
    """
    from clerk_wsgi import Clerk

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    clerk = Clerk(dotenv=False)
    lax, strict = clerk.with_session(_tell), clerk.require_session(_tell)

    def choose(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == BLOCKS:
            return _tell_blocks(start_response)
        answer = strict if environ["PATH_INFO"].startswith("/strict") else lax
        return answer(environ, start_response)

    return choose


def _tell_blocks(start_response: Any) -> Iterable[bytes]:
    gc.collect()
    body = str(sys.getallocatedblocks()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _tell(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    session, auth = environ["clerk.session"], environ["clerk.auth"]
    found = {
        "session": None if session is None else session.user_id,
        "auth": auth.user_id if auth else None,
    }
    body = json.dumps(found).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def _user_in(environ: WSGIEnvironment) -> str:
    session = environ.get("clerk.session")
    return str(session.user_id) if session else environ.get(USER) or ""


def _bare() -> WSGIApplication:
    return application


def _ours() -> WSGIApplication:
    from clerk_wsgi import Clerk

    return Clerk(dotenv=False).with_session(application)


def _by_hand() -> WSGIApplication:
    return by_hand(application, pem=os.environ[PEM], origin=os.environ[ORIGIN])


def _official_sdk() -> WSGIApplication:
    return official_sdk(application, pem=os.environ[PEM], origin=os.environ[ORIGIN])


_KINDS: dict[str, Callable[[], WSGIApplication]] = {
    BARE: _bare,
    OURS: _ours,
    BY_HAND: _by_hand,
    OFFICIAL_SDK: _official_sdk,
}
