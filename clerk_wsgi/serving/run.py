"""The command ``clerk-wsgi run``: an application of one's own, wrapped, under gunicorn."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..emulator import Emulator, Server
from ..emulator.foreground import StopSignals
from ..emulator.seeding.introduction import known_accounts, lines_about, usable_session_id
from .process import (
    HOST,
    curl,
    farewell,
    gunicorn,
    listen,
    local_environ,
    require_gunicorn,
    url_of,
)

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from ..emulator.seeding.seeds import Seed

HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to run: ``target`` is ``MODULE:APP``, ``wrapper`` a method of ``Clerk``.

    ``local`` means with a local Clerk of its own, which has what a ``seed`` says; ``options`` are
    gunicorn's.
    """

    target: str
    wrapper: str
    port: int
    local: bool
    seed: Seed | None = None
    options: tuple[str, ...] = ()

    def application(self) -> str:
        """Return the application as gunicorn names it."""
        arguments = f"{self.target!r}, {self.wrapper!r}, dotenv={not self.local}"
        return f"clerk_wsgi.serving.application:create_application({arguments})"


def run_application(run: Run) -> int:
    """Run until a signal comes; return the exit status.

    Raises ``MissingGunicorn``, or ``ListenError`` if the port is in use.
    """
    require_gunicorn("this command")
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(run.port))
        introduction = [f"The application:  {url_of(listener)}  ({run.target}, {run.wrapper})"]
        environ: Mapping[str, str] = os.environ
        if run.local:
            emulator = Emulator(seed=run.seed)
            stack.callback(emulator.close)
            clerk = stack.enter_context(Server(emulator, host=HOST))
            environ = local_environ(emulator, clerk.url)
            introduction += _local_lines(emulator, clerk.url, url_of(listener))
        status = _check(run, listener, environ, signals)
        if status or signals.received:
            return status
        process = stack.enter_context(_start(run, listener, environ))
        print(*introduction, "Ctrl-C stops everything.", sep="\n", flush=True)
        signals.wait(unless=lambda: process.poll() is not None)
        return farewell(process)


def _start(
    run: Run, listener: socket.socket, environ: Mapping[str, str], *more: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return gunicorn(run.application(), [*run.options, *more], listener=listener, environ=environ)


def _check(
    run: Run, listener: socket.socket, environ: Mapping[str, str], signals: StopSignals
) -> int:
    """Let gunicorn load everything once and end; whatever is wrong, it has said so.

    Without that, each worker would say it, and gunicorn about each of them.
    """
    with _start(run, listener, environ, "--check-config") as process:
        signals.wait(unless=lambda: process.poll() is not None)
        return process.poll() or 0


def _local_lines(emulator: Emulator, api_url: str, url: str) -> list[str]:
    page = f"{api_url}/sign-in?{urlencode({'redirect_url': url})}"
    accounts = lines_about(known_accounts(emulator))
    return [
        f"The local Clerk:  {api_url}",
        f"In a browser:     {page}",
        *(f"{'' if number else 'as':>17} {line}" for number, line in enumerate(accounts)),
        "",
        *_token_lines(emulator, url),
    ]


def _token_lines(emulator: Emulator, url: str) -> list[str]:
    session_id = usable_session_id(emulator)
    if session_id is None:
        return []
    token = emulator.session_token(session_id, expires_in=HOUR)
    title = "A session token, which lives an hour, and a line for another terminal:"
    return [title, "", token, "", curl(url, token), ""]
