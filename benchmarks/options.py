"""Types of command-line arguments that several programs take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is no smaller."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a number from {least}")
        return int(text)

    return number


def seconds(text: str) -> float:
    """Read a time from 0.1 to 3600 seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError("expected seconds, from 0.1 to 3600")
    return value


def node_directory(package: str) -> Callable[[str], Path]:
    """Return what reads a directory where npm has put a package below ``node_modules``."""

    def directory(text: str) -> Path:
        place = Path(text).resolve()
        if not (place / "node_modules" / package / "package.json").is_file():
            raise argparse.ArgumentTypeError(f"no node_modules/{package} in {text}")
        return place

    return directory
