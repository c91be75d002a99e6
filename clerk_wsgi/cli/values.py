"""What the values of options may be; anything else is told together with the usage."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from ..emulator.backend.sessions import LONGEST_LIFETIME, SHORTEST_LIFETIME
from ..emulator.faults import LONGEST_LATENCY, parse_failure
from ..emulator.frontend.npm import Packages
from ..emulator.redirects import Redirects
from ..serving.application import is_target

if TYPE_CHECKING:
    from ..emulator import Failure


def port(text: str) -> int:
    """Return a port, 0 for any that is free."""
    return _whole_number(text, range(1 << 16), "a port is a number from 0 to 65535")


def lifetime_at_clerk(text: str) -> int:
    """Return how many seconds a token lives that Clerk's API is asked for."""
    allowed = range(SHORTEST_LIFETIME, LONGEST_LIFETIME + 1)
    return _whole_number(text, allowed, f"expected {allowed[0]} to {allowed[-1]} seconds")


def lifetime(text: str) -> int:
    """Return how many seconds tokens live, which may be as short as a test needs it."""
    allowed = range(1, LONGEST_LIFETIME + 1)
    return _whole_number(text, allowed, f"expected {allowed[0]} to {allowed[-1]} seconds")


def latency(text: str) -> float:
    """Return how many seconds answers are late."""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", text) or float(text) > LONGEST_LATENCY:
        raise argparse.ArgumentTypeError("expected a number of seconds from 0 to 3600")
    return float(text)


def origin(text: str) -> str:
    """Return an origin that browsers may be sent to."""
    try:
        Redirects([text])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def failure(text: str) -> Failure:
    """Return which requests fail, and how."""
    try:
        return parse_failure(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def clerk_js(text: str) -> str:
    """Return a directory that has ``@clerk/clerk-js`` in it."""
    try:
        Packages(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def target(text: str) -> str:
    """Return the name of a WSGI application."""
    if not is_target(text):
        raise argparse.ArgumentTypeError("expected MODULE:APP, such as myapp:app")
    return text


def _whole_number(text: str, allowed: range, complaint: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) not in allowed:
        raise argparse.ArgumentTypeError(complaint)
    return int(text)
