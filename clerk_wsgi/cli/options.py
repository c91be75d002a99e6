"""The options of each command, and what their values may be."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from ..demo.run import run_demo
from ..emulator import IN_MEMORY
from ..emulator.faults import LONGEST_LATENCY, parse_failure
from ..emulator.redirects import Redirects
from ..emulator.versions import VERIFY_ENDPOINTS
from ..serving.application import is_target
from ..serving.run import Run, run_application
from .emulator import DEFAULT_STATE, run_emulator
from .token import run_token

if TYPE_CHECKING:
    from ..emulator import Failure

DEFAULT_PORT = 4100
HOUR = 3600
LIFETIMES = range(30, 315_360_000 + 1)


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; ``options.run`` is what to do."""
    parser = argparse.ArgumentParser(prog="clerk-wsgi", description="A local Clerk.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_emulator(commands.add_parser("emulator", help="a local Clerk to run against"))
    _add_token(commands.add_parser("token", help="print a session token"))
    _add_run(commands.add_parser("run", help="an application of your own, wrapped"))
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
    parser.add_argument(
        "--redirect-origin",
        metavar="ORIGIN",
        type=_origin,
        action="append",
        default=[],
        help="where browsers may be sent beside this machine's own addresses, such as"
        " https://app.example.com; may be repeated",
    )
    parser.add_argument(
        "--verify-endpoints",
        choices=VERIFY_ENDPOINTS,
        default=VERIFY_ENDPOINTS[0],
        help="whether POST .../verify is served, gone (410), or gone in later versions of the API",
    )
    parser.add_argument(
        "--latency", metavar="SECONDS", type=_latency, default=0.0, help="how late answers are"
    )
    parser.add_argument(
        "--fail",
        metavar="FAILURE",
        type=_failure,
        action="append",
        default=[],
        help="let requests fail: RATE (0 to 1), STATUS (400 to 599), reset, or RATE,STATUS, and"
        " perhaps :/path for what begins so; may be repeated",
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


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_run)
    parser.usage = "%(prog)s MODULE:APP [options] [-- gunicorn's options]"
    parser.add_argument(
        "target", metavar="MODULE:APP", type=_target, help="a WSGI application, found from here"
    )
    parser.add_argument(
        "--require-session",
        dest="wrapper",
        action="store_const",
        const="require_session",
        default="with_session",
        help="401 for whoever is not signed in (default: everybody is let through)",
    )
    parser.add_argument(
        "--local", action="store_true", help="with a local Clerk, which ends with the application"
    )
    parser.add_argument("--port", type=_port, default=8000, help="of the application (0: any)")


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


def _latency(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > LONGEST_LATENCY:
        raise argparse.ArgumentTypeError("expected a number of seconds from 0 to 3600")
    return float(text)


def _origin(text: str) -> str:
    try:
        Redirects([text])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _failure(text: str) -> Failure:
    try:
        return parse_failure(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _target(text: str) -> str:
    if not is_target(text):
        raise argparse.ArgumentTypeError("expected MODULE:APP, such as myapp:app")
    return text


def _whole_number(text: str, allowed: range, complaint: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) not in allowed:
        raise argparse.ArgumentTypeError(complaint)
    return int(text)


def run_run(options: argparse.Namespace) -> int:
    """Run an application until a signal comes."""
    return run_application(
        Run(
            target=options.target,
            wrapper=options.wrapper,
            port=options.port,
            local=options.local,
            options=options.gunicorn,
        )
    )
