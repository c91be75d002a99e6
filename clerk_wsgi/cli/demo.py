"""``clerk-wsgi demo``: a local Clerk and a wrapped application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..demo.run import run_demo

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Run the demo until a signal comes."""
    return run_demo(port=options.port, emulator_port=options.emulator_port)
