"""One process of ``footprint.py``: brings a stage about, prints its seconds, and its memory.

The seconds are two lines: of the clock on the wall, and of the processor.

``python footprint_probe.py STAGE``; the settings, a token and a public key are in the environment.
Nothing is imported before the clock starts, not even ``typing``: it would be missing in the time.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TOKEN, PEM, ORIGIN = "BENCHMARK_TOKEN", "BENCHMARK_PEM", "BENCHMARK_ORIGIN"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Say who is signed in."""
    session = environ.get("clerk.session")
    return [str(session.user_id if session else environ.get("benchmark.user")).encode()]


def nothing() -> None:
    """Let the interpreter be as it is."""


def imported() -> None:
    """Import this package."""
    import clerk_wsgi  # noqa: F401  # that is all


def wrapped() -> Any:
    """Wrap an application."""
    from clerk_wsgi import Clerk, with_session

    return with_session(hello, Clerk())


def asked() -> None:
    """Answer the first request."""
    _ask(wrapped())


def sdk_imported() -> None:
    """Import Clerk's SDK for Python."""
    import clerk_backend_api  # noqa: F401  # that is all


def sdk_asked() -> None:
    """Answer the first request with Clerk's SDK for Python, whose key is given."""
    from peers import official_sdk

    _ask(official_sdk(hello, pem=os.environ[PEM], origin=os.environ[ORIGIN]))


def by_hand_asked() -> None:
    """Answer the first request with PyJWT and a few lines."""
    from peers import by_hand

    _ask(by_hand(hello, pem=os.environ[PEM], origin=os.environ[ORIGIN]))


STAGES: dict[str, Callable[[], object]] = {
    stage.__name__: stage
    for stage in (
        nothing,
        imported,
        wrapped,
        asked,
        sdk_imported,
        sdk_asked,
        by_hand_asked,
    )
}


def _ask(app: Any) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "app.example.com",
        "HTTP_AUTHORIZATION": f"Bearer {os.environ[TOKEN]}",
        "wsgi.url_scheme": "https",
    }
    [body] = app(environ, lambda *_: None)
    if not body.startswith(b"user_"):
        sys.exit(f"{sys.argv[1]}: nobody is signed in")


def main() -> None:
    """Bring the stage about, and tell."""
    stage = STAGES[sys.argv[1]]
    wall, cpu = time.perf_counter(), time.process_time()
    stage()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with open("/proc/self/smaps_rollup", encoding="ascii") as memory:  # noqa: PTH123  # pathlib is a weight
        print(wall, cpu, memory.read(), sep="\n")


if __name__ == "__main__":
    main()
