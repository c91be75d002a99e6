"""Running the demo: a local Clerk in this process, the application under gunicorn beside it."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..emulator import Emulator, ListenError, Server, forge
from ..emulator.foreground import StopSignals
from ..emulator.instance import DEMO_PASSWORD
from .application import HOME

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
HOUR = 3600
STOP_TIMEOUT = 10


class MissingGunicorn(Exception):
    """gunicorn is not installed."""

    def __init__(self) -> None:
        super().__init__('the demo needs gunicorn: pip install "clerk-wsgi[demo]"')


def run_demo(*, port: int, emulator_port: int) -> int:
    """Run until a signal comes; return the exit status.

    Raises ``MissingGunicorn``, or ``ListenError`` if a port is in use.
    """
    if find_spec("gunicorn") is None:
        raise MissingGunicorn
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(port))
        emulator = Emulator()
        stack.callback(emulator.close)
        clerk = stack.enter_context(Server(emulator, host=HOST, port=emulator_port))
        signals = stack.enter_context(StopSignals())
        environ = _environ(emulator, clerk.url)
        gunicorn = stack.enter_context(_gunicorn(listener, environ))
        _introduce(emulator, clerk.url, f"http://{HOST}:{listener.getsockname()[1]}/")
        signals.wait(unless=lambda: gunicorn.poll() is not None)
        return _farewell(gunicorn)


def _listen(port: int) -> socket.socket:
    """Return the application's socket, made here so that a port in use is known at once."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ListenError(f"cannot listen on {HOST} port {port}: {error.strerror}") from error


def _environ(emulator: Emulator, url: str) -> dict[str, str]:
    """Return gunicorn's environment: ours, but none of the user's settings of either program."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLERK_", "GUNICORN_")) and name != "WEB_CONCURRENCY"
    }
    return {
        **others,
        "CLERK_SECRET_KEY": emulator.secret_key,
        "CLERK_PUBLISHABLE_KEY": emulator.publishable_key,
        "CLERK_API_URL": url,
        "CLERK_PROXY_URL": url,
    }


@contextmanager
def _gunicorn(
    listener: socket.socket, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run gunicorn in a process group of its own; nothing of it is left afterwards."""
    descriptor = listener.fileno()
    command = [sys.executable, "-m", "gunicorn"]
    command += ["--config", "python:clerk_wsgi.demo.gunicorn_settings"]
    command += ["--bind", f"fd://{descriptor}", "clerk_wsgi.demo.application:create_application()"]
    process = subprocess.Popen(command, env=environ, pass_fds=[descriptor], start_new_session=True)
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
        ("signed in", _curl(url, token)),
        ("signed out", _curl(url)),
        ("forged: the same token, signed with another key", _curl(url, forge(token))),
    ):
        print(f"\n# {title}\n{line}")
    print("\nDecisions:", flush=True)


def _curl(url: str, token: str | None = None) -> str:
    command = ["curl", "-sSi", url]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    return shlex.join(command)


def _farewell(gunicorn: subprocess.Popen[bytes]) -> int:
    status = gunicorn.poll()
    if status is None:
        print("Stopping.", flush=True)
        return 0
    print(f"gunicorn ended by itself with status {status}.", file=sys.stderr)
    return 1
