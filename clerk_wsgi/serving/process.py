"""gunicorn as a process of its own, and what it is given: a socket, and a local Clerk's keys."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..emulator import ListenError
from ..emulator.variables import variables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..emulator import Emulator

HOST = "127.0.0.1"
STOP_TIMEOUT = 10


class MissingGunicorn(Exception):
    """gunicorn is not installed."""

    def __init__(self, who: str) -> None:
        super().__init__(f'{who} needs gunicorn: pip install "clerk-wsgi[demo]"')


def require_gunicorn(who: str) -> None:
    """Raise ``MissingGunicorn`` if it is not there."""
    if find_spec("gunicorn") is None:
        raise MissingGunicorn(who)


def listen(port: int) -> socket.socket:
    """Return the application's socket, made here so that a port in use is known at once.

    Raises ``ListenError``.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        # Not its own text, which has the address in it once more.
        reason = os.strerror(error.errno or 0)
        raise ListenError(f"cannot listen on {HOST} port {port}: {reason}") from error


def url_of(listener: socket.socket) -> str:
    """Return the address of an application that listens here."""
    return f"http://{HOST}:{listener.getsockname()[1]}/"


def local_environ(emulator: Emulator, url: str) -> dict[str, str]:
    """Return an environment whose only Clerk is the local one, served at ``url``."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("CLERK_")}
    return {**others, **variables_of(emulator, url)}


@contextmanager
def gunicorn(
    application: str,
    options: Sequence[str],
    *,
    listener: socket.socket,
    environ: Mapping[str, str],
) -> Iterator[subprocess.Popen[bytes]]:
    """Run gunicorn in a process group of its own; nothing of it is left afterwards.

    ``application`` is what gunicorn calls APP_MODULE; it comes first, so that no option can name
    another one.
    """
    descriptor = listener.fileno()
    command = [sys.executable, "-m", "clerk_wsgi.serving.master", application]
    command += ["--bind", f"fd://{descriptor}", *options]
    process = subprocess.Popen(
        command, env=dict(environ), pass_fds=[descriptor], start_new_session=True
    )
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


def farewell(process: subprocess.Popen[bytes]) -> int:
    """Say why it ends, and return the exit status of the command."""
    status = process.poll()
    if status is None:
        print("Stopping.", flush=True)
        return 0
    print(f"gunicorn ended by itself with status {status}.", file=sys.stderr)
    return 1


def curl(url: str, token: str | None = None) -> str:
    """Return a line for a shell that asks with a token, or without one."""
    command = ["curl", "-sSi", url]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    return shlex.join(command)
