"""``clerk-wsgi run``: an application of one's own, wrapped, under gunicorn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..emulator.seeding.seeds import read_seed
from ..serving.run import Run, run_application
from .errors import UsageError

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Serve an application until a signal comes."""
    if options.seed is not None and not options.local:
        raise UsageError("--seed is for a local Clerk: it needs --local")
    return run_application(
        Run(
            target=options.target,
            wrapper=options.wrapper,
            port=options.port,
            local=options.local,
            seed=None if options.seed is None else read_seed(options.seed),
            options=options.gunicorn,
        )
    )
