"""``clerk-wsgi emulator``: a local Clerk to run against."""

from __future__ import annotations

import logging
import shlex
import sys
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..emulator import IN_MEMORY, Emulator, Server
from ..emulator.foreground import StopSignals
from ..emulator.seeding.introduction import known_accounts, lines_about, usable_session_id
from ..emulator.variables import api_variables, browser_variables
from .errors import UsageError
from .options import DEFAULT_STATE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def run(options: argparse.Namespace) -> int:
    """Serve a local Clerk until a signal comes."""
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        emulator = _emulator(options)
        stack.callback(emulator.close)
        server = Server(
            emulator,
            host=options.host,
            port=options.port,
            allow_remote=options.i_know_this_is_not_clerk,
        )
        stack.enter_context(server)
        stack.callback(emulator.faults.clear)  # nobody waits for latency any longer
        _introduce(emulator, server)
        _let_fail(emulator, options)
        _log_requests()
        signals.wait()
    print("Stopped.", flush=True)
    return 0


def _emulator(options: argparse.Namespace) -> Emulator:
    return Emulator(
        options.state or _default_state(),
        seed=options.seed,
        token_lifetime=options.token_lifetime,
        clerk_js=options.clerk_js,
        verify_endpoints=options.verify_endpoints,
        redirect_origins=options.redirect_origin,
    )


def _let_fail(emulator: Emulator, options: argparse.Namespace) -> None:
    emulator.faults.latency = options.latency
    for failure in options.fail:
        emulator.faults.add(failure)


def _default_state() -> str:
    """Return the default path, in a directory that version control leaves alone."""
    directory = Path(DEFAULT_STATE).parent
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.joinpath(".gitignore").write_text("*\n")
    except OSError as error:
        raise UsageError(f"cannot write to {directory}: {error.strerror}") from error
    return DEFAULT_STATE


def _introduce(emulator: Emulator, server: Server) -> None:
    url = server.url
    key = b64encode(emulator.public_key_der()).decode()
    print(f"The local Clerk listens on {url}; Ctrl-C stops it. State: {emulator.state}")
    if server.is_open_to_others:
        print("Other machines can reach it, too, and whoever does can sign in as anybody.")
    print("\nFor the application's environment, or its .env file:\n")
    _print_exports(api_variables(emulator, url))
    print("\nSo that browsers can sign in to it, too:\n")
    _print_exports(browser_variables(emulator, url))
    print("\nAnd to verify tokens without asking the local Clerk for its keys:\n")
    _print_exports({"CLERK_JWT_KEY": key})
    print(f"\nStatus page:     {url}/")
    print(f"Sign-in page:    {url}/sign-in?redirect_url=…")
    for number, line in enumerate(lines_about(known_accounts(emulator))):
        print(f"{'' if number else 'Can sign in:':17}{line}")
    print(f"Control API:     {_control_command()}")
    print(f"A token:         {_token_command(emulator, url)}\n", flush=True)


def _print_exports(variables: Mapping[str, str]) -> None:
    for name, text in variables.items():
        print(f"export {name}={text}")


def _control_command() -> str:
    """Return a line for a shell that has the variables above."""
    return 'curl -H "Authorization: Bearer $CLERK_SECRET_KEY" "$CLERK_API_URL/_emulator"'


def _token_command(emulator: Emulator, url: str) -> str:
    command = ["clerk-wsgi", "token"]
    if emulator.state == IN_MEMORY:
        command += ["--url", url, "--session", usable_session_id(emulator) or "ID"]
    elif emulator.state != DEFAULT_STATE:
        command += ["--state", emulator.state]
    return shlex.join(command)


def _log_requests() -> None:
    logger = logging.getLogger("clerk_wsgi.emulator")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
