"""Running a command, and saying in one line why it cannot be run."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from ..api.transport import Unreachable
from ..emulator.errors import EmulatorError
from ..errors import ClerkError, ConfigurationError
from ..serving.process import MissingGunicorn
from .errors import UsageError
from .options import command_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        # Each command is a module, so that none waits for what only another one needs.
        status: int = import_module(f".{options.command}", __package__).run(options)
    except (UsageError, EmulatorError, MissingGunicorn, ConfigurationError) as error:
        return _complain(options.command, error, 2)
    except (ClerkError, Unreachable) as error:
        return _complain(options.command, error, 1)
    return status


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; what stands after ``--`` is gunicorn's, and only ``run`` has it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = command_parser()
    options = parser.parse_args(arguments[:end])
    options.gunicorn = tuple(arguments[end + 1 :])
    if options.gunicorn and options.command != "run":
        parser.error(f"unrecognized arguments: {shlex.join(options.gunicorn)}")
    return options


def _complain(command: str, error: Exception, status: int) -> int:
    print(f"clerk-wsgi {command}: {error}", file=sys.stderr)
    return status
