"""What is wrong with a command line."""

from __future__ import annotations


class UsageError(Exception):
    """The command line asks for something that is not to be had."""
