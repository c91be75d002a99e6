"""The command ``clerk-wsgi``: a local Clerk, session tokens, and the demo.

    clerk-wsgi emulator    a local Clerk to run against
    clerk-wsgi token       print a session token
    clerk-wsgi demo        the local Clerk, and a wrapped application under gunicorn

The exit status is 2 for what has to be asked in another way, 1 for what Clerk refused.
"""

from __future__ import annotations

import argparse
import logging
import re
import shlex
import sys
import time
from base64 import b64encode
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api.transport import Transport, Unreachable
from .config import load_settings
from .demo.run import MissingGunicorn, run_demo
from .emulator import IN_MEMORY, Emulator, Server, forge
from .emulator.errors import EmulatorError
from .emulator.foreground import StopSignals
from .errors import ApiError, ClerkError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api.transport import Answer

DEFAULT_STATE = ".clerk-wsgi/emulator.sqlite3"
DEFAULT_PORT = 4100
HOUR = 3600
LIFETIMES = range(30, 315_360_000 + 1)


class UsageError(Exception):
    """The command line asks for something that is not to be had."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (UsageError, EmulatorError, MissingGunicorn, ConfigurationError) as error:
        return _complain(options.command, error, 2)
    except (ClerkError, Unreachable) as error:
        return _complain(options.command, error, 1)
    return status


def _complain(command: str, error: Exception, status: int) -> int:
    print(f"clerk-wsgi {command}: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clerk-wsgi", description="A local Clerk.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_emulator(commands.add_parser("emulator", help="a local Clerk to run against"))
    _add_token(commands.add_parser("token", help="print a session token"))
    _add_demo(commands.add_parser("demo", help="a local Clerk and a wrapped application"))
    return parser


def _add_emulator(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_emulator)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0: any free port")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help=f"where keys, users and sessions are kept (default {DEFAULT_STATE};"
        f" {IN_MEMORY} forgets them at the end)",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen on an address that other machines can reach",
    )


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_token)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--state",
        metavar="FILE",
        default=DEFAULT_STATE,
        help="the state of the local Clerk, which need not be running (default %(default)s)",
    )
    source.add_argument("--url", help="ask the Clerk at this URL for a token; needs --session")
    parser.add_argument("--secret-key", help="for --url (default: the setting CLERK_SECRET_KEY)")
    parser.add_argument("--user", metavar="ID", help="whose token (default: the first user)")
    parser.add_argument("--session", metavar="ID", help="(default: an active one of the user)")
    parser.add_argument(
        "--expires-in",
        metavar="SECONDS",
        type=_lifetime,
        default=HOUR,
        help="how long it is valid (default %(default)s)",
    )
    parser.add_argument("--expired", action="store_true", help="it expired a minute ago")
    parser.add_argument("--forged", action="store_true", help="signed with another key")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(
        run=lambda options: run_demo(port=options.port, emulator_port=options.emulator_port)
    )
    parser.add_argument("--port", type=_port, default=8000, help="of the application (0: any)")
    parser.add_argument(
        "--emulator-port", metavar="PORT", type=_port, default=0, help="of the local Clerk (0: any)"
    )


def _port(text: str) -> int:
    return _whole_number(text, range(1 << 16), "a port is a number from 0 to 65535")


def _lifetime(text: str) -> int:
    return _whole_number(text, LIFETIMES, "expected 30 to 315360000 seconds")


def _whole_number(text: str, allowed: range, complaint: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) not in allowed:
        raise argparse.ArgumentTypeError(complaint)
    return int(text)


def run_emulator(options: argparse.Namespace) -> int:
    """Serve a local Clerk until a signal comes."""
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        emulator = Emulator(options.state or _default_state())
        stack.callback(emulator.close)
        server = Server(
            emulator, host=options.host, port=options.port, allow_remote=options.allow_remote
        )
        stack.enter_context(server)
        _introduce(emulator, server.url)
        _log_requests()
        signals.wait()
    print("Stopped.", flush=True)
    return 0


def _default_state() -> str:
    """Return the default path, in a directory that version control leaves alone."""
    directory = Path(DEFAULT_STATE).parent
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.joinpath(".gitignore").write_text("*\n")
    except OSError as error:
        raise UsageError(f"cannot write to {directory}: {error.strerror}") from error
    return DEFAULT_STATE


def _introduce(emulator: Emulator, url: str) -> None:
    key = b64encode(emulator.public_key_der()).decode()
    print(f"The local Clerk listens on {url}; Ctrl-C stops it. State: {emulator.state}")
    print("\nFor the application's environment, or its .env file:\n")
    print(f"export CLERK_API_URL={url}")
    print(f"export CLERK_SECRET_KEY={emulator.secret_key}")
    print("\nAnd to verify tokens without asking the local Clerk for its keys:\n")
    print(f"export CLERK_JWT_KEY={key}")
    print(f"\nPublishable key: {emulator.publishable_key}")
    print(f"First user:      {_name(emulator.users()[0])}")
    print(f"A token:         {_token_command(emulator, url)}\n", flush=True)


def _name(user: dict[str, Any]) -> str:
    return " ".join(text for text in (user["id"], user["first_name"], user["last_name"]) if text)


def _token_command(emulator: Emulator, url: str) -> str:
    command = ["clerk-wsgi", "token"]
    if emulator.state == IN_MEMORY:
        [session] = emulator.sessions()
        command += ["--url", url, "--session", session["id"]]
    elif emulator.state != DEFAULT_STATE:
        command += ["--state", emulator.state]
    return shlex.join(command)


def _log_requests() -> None:
    logger = logging.getLogger("clerk_wsgi.emulator")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def run_token(options: argparse.Namespace) -> int:
    """Print one session token."""
    token = _ask_for_token(options) if options.url else _mint_from_state(options)
    print(forge(token) if options.forged else token)
    return 0


def _mint_from_state(options: argparse.Namespace) -> str:
    if not Path(options.state).is_file():
        raise UsageError(
            f"there is no state {options.state}: start 'clerk-wsgi emulator' first,"
            " or name its --state or --url"
        )
    emulator = Emulator(options.state)
    try:
        session_id = _session_id(emulator, options)
        times = _times_of_an_expired_token(options.expires_in) if options.expired else {}
        return emulator.session_token(session_id, expires_in=options.expires_in, **times)
    finally:
        emulator.close()


def _session_id(emulator: Emulator, options: argparse.Namespace) -> str:
    """Return the session asked for, else an active one of the user, else a new one."""
    if options.session:
        session = emulator.session(options.session)
        if options.user and session["user_id"] != options.user:
            raise UsageError(f"session {options.session} is not one of user {options.user}")
    else:
        user = emulator.user(options.user) if options.user else emulator.users()[0]
        active = emulator.sessions(user_id=user["id"], status="active")
        session = active[-1] if active else emulator.create_session(user["id"])
    return str(session["id"])


def _times_of_an_expired_token(lifetime: int) -> dict[str, int]:
    expired = int(time.time()) - 60
    issued = expired - lifetime
    return {"exp": expired, "iat": issued, "nbf": issued - 10}


def _ask_for_token(options: argparse.Namespace) -> str:
    if options.expired:
        raise UsageError("no Clerk mints expired tokens: --expired needs --state")
    if not options.session or options.user:
        raise UsageError("--url needs a --session, and no --user")
    if not re.fullmatch("[A-Za-z0-9_-]{1,128}", options.session):
        raise UsageError("--session: that is not the id of a session")
    return _fetch_token(options)


def _fetch_token(options: argparse.Namespace) -> str:
    given = {"secret_key": options.secret_key} if options.secret_key else {}
    settings = load_settings(api_url=options.url, **given)
    if settings.secret_key is None:
        raise UsageError("--url needs a --secret-key, or the setting CLERK_SECRET_KEY")
    transport = Transport(
        None,
        base_url=settings.api_url,
        api_version=settings.api_version,
        timeout=settings.timeout,
    )
    answer = transport.call(
        "POST",
        f"/sessions/{options.session}/tokens",
        secret=settings.secret_key,
        json={"expires_in_seconds": options.expires_in},
    )
    return _token_in(answer)


def _token_in(answer: Answer) -> str:
    """Return the token of an answer, or raise the ``ApiError`` that it stands for."""
    try:
        document = answer.json()
        if answer.status == HTTPStatus.OK:
            return str(document["jwt"])
        text = document["errors"][0]["long_message"]
    except (ValueError, LookupError, TypeError):
        text = "that is not an answer of Clerk's API"
    raise ApiError(f"{answer.status}: {text}", status_code=answer.status)
