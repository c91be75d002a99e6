"""Running the demo: a local Clerk in this process, the application under gunicorn beside it."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import resources

from ..emulator import Emulator, Server, forge
from ..emulator.foreground import StopSignals
from ..emulator.seeding.introduction import known_accounts, lines_about
from ..emulator.seeding.seeds import seed_from
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
SEED = "seed.toml"
SETTINGS = ("--config", "python:clerk_wsgi.demo.gunicorn_settings")
APPLICATION = "clerk_wsgi.demo.application:create_application()"


def run_demo(*, port: int, emulator_port: int) -> int:
    """Run until a signal comes; return the exit status.

    Raises ``MissingGunicorn``, or ``ListenError`` if a port is in use.
    """
    require_gunicorn("the demo")
    with ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        emulator = Emulator(seed=seed_from(_seed_text(), name=SEED))
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


def _seed_text() -> str:
    return resources.files(__package__).joinpath(SEED).read_text("utf-8")


def _introduce(emulator: Emulator, api_url: str, url: str) -> None:
    accounts = known_accounts(emulator)
    print(f"The application:  {url}  (gunicorn, 2 workers)")
    print(f"The local Clerk:  {api_url}")
    print("\nOpen this in a browser, which needs no JavaScript, and sign in and out:\n")
    print(f"  {url.rstrip('/')}{HOME}  as {accounts[0].credentials}\n")
    print("All who can sign in there:\n")
    for line in lines_about(accounts):
        print(f"  {line}")
    print("\nPaste these into another terminal; the tokens live an hour. Ctrl-C stops everything.")
    _print_commands(emulator, url)
    print("\nDecisions:", flush=True)


def _print_commands(emulator: Emulator, url: str) -> None:
    session_id = emulator.sessions()[0]["id"]  # the seed's
    token = emulator.session_token(session_id, expires_in=HOUR)
    for title, line in (
        ("signed in", curl(url, token)),
        ("signed out", curl(url)),
        ("forged: the same token, signed with another key", curl(url, forge(token))),
    ):
        print(f"\n# {title}\n{line}")
