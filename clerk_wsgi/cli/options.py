"""The options of each command; what one does is in the module of its name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import __version__
from ..emulator import IN_MEMORY
from ..emulator.backend.versions import VERIFY_ENDPOINTS
from . import values

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_PORT = 4100
DEFAULT_STATE = ".clerk-wsgi/emulator.sqlite3"
HOUR = 3600
_ABOUT_SEEDS = """\
what a seed may look like:

  [[users]]
  email_address = "ada@example.com"
  password = "analytical-engine-1843"

  [[organizations]]
  name = "Analytical Society"
  slug = "analytical-society"
  members = [{ user = "ada@example.com", role = "org:admin" }]

Users, organizations and [[roles]] that are there become as it says; nobody is there twice.
"""


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; ``options.command`` says what to do."""
    parser = argparse.ArgumentParser(
        prog="clerk-wsgi",
        description="Run a local Clerk, or a WSGI application that knows who is signed in.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, text: str, fill: Callable[[argparse.ArgumentParser], None]) -> None:
        # Names in full: what is meant by an abbreviation changes with the next option.
        fill(commands.add_parser(name, help=text, description=text, allow_abbrev=False))

    add("emulator", "a local Clerk to run against", _add_emulator)
    add("token", "print a session token", _add_token)
    add("run", "an application of your own, wrapped", _add_run)
    add("demo", "a local Clerk and a wrapped application", _add_demo)
    return parser


def _add_emulator(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _ABOUT_SEEDS
    _add_addresses(parser)
    _add_contents(parser)
    _add_behaviour(parser)


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="a loopback address (default %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=values.port,
        default=DEFAULT_PORT,
        help="0: any free port (default %(default)s)",
    )
    parser.add_argument(
        "--i-know-this-is-not-clerk",
        action="store_true",
        help="let other machines reach it, which have no business here: passwords are for demos,"
        " and whoever has the secret key can be anybody",
    )
    parser.add_argument(
        "--redirect-origin",
        metavar="ORIGIN",
        type=values.origin,
        action="append",
        default=[],
        help="where browsers may be sent beside this machine's own addresses, such as"
        " https://app.example.com; may be repeated",
    )


def _add_contents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        metavar="FILE",
        help=f"where keys, users and sessions are kept (default {DEFAULT_STATE};"
        f" {IN_MEMORY} forgets them at the end)",
    )
    _add_seed(parser)
    parser.add_argument(
        "--clerk-js",
        metavar="DIR",
        type=values.clerk_js,
        help="serve Clerk's script for browsers, which 'npm install @clerk/clerk-js' has put here",
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        metavar="FILE.toml",
        help="the users, organizations, roles and sessions that the local Clerk is to have; those"
        " it has already become as the seed says",
    )


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-lifetime",
        metavar="SECONDS",
        type=values.lifetime,
        default=60,
        help="how long session tokens are valid (default %(default)s)",
    )
    parser.add_argument(
        "--verify-endpoints",
        choices=VERIFY_ENDPOINTS,
        default=VERIFY_ENDPOINTS[0],
        help="whether POST .../verify is served, gone (410), or gone in later versions of the API",
    )
    parser.add_argument(
        "--latency",
        metavar="SECONDS",
        type=values.latency,
        default=0.0,
        help="how late answers are",
    )
    parser.add_argument(
        "--fail",
        metavar="FAILURE",
        type=values.failure,
        action="append",
        default=[],
        help="let requests fail: RATE (0 to 1), STATUS (400 to 599), reset, or RATE,STATUS, and"
        " perhaps :/path for what begins so; may be repeated",
    )


def _add_token(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--state",
        metavar="FILE",
        default=DEFAULT_STATE,
        help="the state of the local Clerk, which need not be running (default %(default)s)",
    )
    source.add_argument("--url", help="ask the Clerk at this URL for a token; needs --session")
    parser.add_argument("--secret-key", help="for --url (default: the setting CLERK_SECRET_KEY)")
    parser.add_argument(
        "--user",
        help="whose token: an id, email address or username (default: the first user)",
    )
    parser.add_argument("--session", metavar="ID", help="(default: an active one of the user)")
    parser.add_argument(
        "--expires-in",
        metavar="SECONDS",
        type=values.lifetime_at_clerk,
        default=HOUR,
        help="how long it is valid (default %(default)s)",
    )
    parser.add_argument("--expired", action="store_true", help="it expired a minute ago")
    parser.add_argument("--forged", action="store_true", help="signed with another key")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s MODULE:APP [options] [-- gunicorn's options]"
    parser.add_argument(
        "target",
        metavar="MODULE:APP",
        type=values.target,
        help="a WSGI application, found from here",
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
    _add_seed(parser)
    _add_port(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    _add_port(parser)
    parser.add_argument(
        "--emulator-port",
        metavar="PORT",
        type=values.port,
        default=0,
        help="of the local Clerk (default: any)",
    )


def _add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=values.port,
        default=8000,
        help="of the application (default %(default)s; 0: any)",
    )
