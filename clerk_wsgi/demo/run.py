"""Running the demo: a local Clerk in this process, the application under gunicorn beside it."""

from __future__ import annotations

from contextlib import ExitStack

from ..emulator import DEMO_PASSWORD, Emulator, Server, forge
from ..emulator.foreground import StopSignals
from ..serving.process import (
    HOST,
    curl,
    farewell,
    gunicorn,
    listen,
    local_environ,
    require_gunicorn,
    url_of,
)
from .application import HOME

HOUR = 3600
SETTINGS = ("--config", "python:clerk_wsgi.demo.gunicorn_settings")
APPLICATION = "clerk_wsgi.demo.application:create_application()"


def run_demo(*, port: int, emulator_port: int) -> int:
    """Run until a signal comes; return the exit status.

    Raises ``MissingGunicorn``, or ``ListenError`` if a port is in use.
    """
    require_gunicorn("the demo")
    with ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        emulator = Emulator()
        stack.callback(emulator.close)
        clerk = stack.enter_context(Server(emulator, host=HOST, port=emulator_port))
        signals = stack.enter_context(StopSignals())
        environ = _environ(emulator, clerk.url)
        process = stack.enter_context(
            gunicorn(APPLICATION, SETTINGS, listener=listener, environ=environ)
        )
        _introduce(emulator, clerk.url, url_of(listener))
        signals.wait(unless=lambda: process.poll() is not None)
        return farewell(process)


def _environ(emulator: Emulator, url: str) -> dict[str, str]:
    """Return gunicorn's environment: ours, but none of the user's settings of either program."""
    return {
        name: value
        for name, value in local_environ(emulator, url).items()
        if not name.startswith("GUNICORN_") and name != "WEB_CONCURRENCY"
    }


def _introduce(emulator: Emulator, api_url: str, url: str) -> None:
    [session] = emulator.sessions()
    token = emulator.session_token(session["id"], expires_in=HOUR)
    print(f"The application:  {url}  (gunicorn, 2 workers)")
    print(f"The local Clerk:  {api_url}")
    [user] = emulator.users()
    address = user["email_addresses"][0]["email_address"]
    print("\nOpen this in a browser, which needs no JavaScript, and sign in and out:\n")
    print(f"  {url.rstrip('/')}{HOME}  as {address}, password {DEMO_PASSWORD}\n")
    print("Paste these into another terminal; the tokens live an hour. Ctrl-C stops everything.")
    for title, line in (
        ("signed in", curl(url, token)),
        ("signed out", curl(url)),
        ("forged: the same token, signed with another key", curl(url, forge(token))),
    ):
        print(f"\n# {title}\n{line}")
    print("\nDecisions:", flush=True)
