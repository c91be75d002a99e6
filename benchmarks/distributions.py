"""Which distributions a package brings along: what it requires, and what that requires."""

from __future__ import annotations

import operator
import os
import platform
import re
import sys
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COMPARISON = re.compile(r"""\(?(\w+) *([<>=!]=?) *["']([^"']*)["']\)?""")
_HERE = {
    "implementation_name": sys.implementation.name,
    "os_name": os.name,
    "platform_python_implementation": platform.python_implementation(),
    "platform_system": platform.system(),
    "sys_platform": sys.platform,
    "extra": "",
}


def required_by_checkout(project: Path) -> list[str]:
    """Return what the package in a checkout requires, as its ``setup.cfg`` says."""
    parser = ConfigParser()
    parser.read(project / "setup.cfg", "utf-8")
    return parser["options"]["install_requires"].split("\n")


def required_by(name: str) -> list[str]:
    """Return what an installed distribution requires, extras left out."""
    return distribution(name).requires or []


def walk(requirements: Iterable[str]) -> set[str]:
    """Return the names of the distributions that some requirements bring, and theirs."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        name = _name_in(waiting.pop())
        if name and name not in found:
            try:
                waiting += required_by(name)
            except PackageNotFoundError:
                continue
            found.add(name)
    return found


def _name_in(requirement: str) -> str:
    """Return the normalised name; nothing if the requirement is not for here, or blank."""
    plain, _, marker = requirement.partition(";")
    match = _NAME.match(plain.strip())
    if match is None or not _applies(marker.strip()):
        return ""
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def _applies(marker: str) -> bool:
    """Say whether a marker (PEP 508) holds here; those in use have no deeper parentheses."""
    return not marker or any(
        all(_holds(part) for part in either.split(" and ")) for either in marker.split(" or ")
    )


def _holds(comparison: str) -> bool:
    match = _COMPARISON.fullmatch(comparison.strip())
    if match is None:
        raise ValueError(f"not understood: {comparison}")
    name, sign, value = match.groups()
    compare = _SIGNS[sign]
    if name in {"python_version", "python_full_version"}:
        wanted = tuple(map(int, value.split(".")))
        return bool(compare(sys.version_info[: len(wanted)], wanted))
    return bool(compare(_HERE[name], value))


_SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
