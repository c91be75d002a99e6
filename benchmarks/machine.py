"""Where and of what figures were measured, so that a table can be pasted with its heading."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ALWAYS = ("cryptography", "requests", "WebOb")


def heading(title: str, *packages: str) -> str:
    """Return a heading, and the line about the machine; ``packages`` are named if installed."""
    return f"## {title}\n\n{machine_line(*packages)}\n"


def machine_line(*packages: str) -> str:
    """Return Python, processor, versions of packages, and the day, in one line."""
    versions = [text for name in (*ALWAYS, *packages) if (text := _versioned(name))]
    parts = [
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{_processor()}, {os.cpu_count()} cores",
        f"{platform.system()} {platform.machine()}",
        ", ".join(versions),
        f"{datetime.now(timezone.utc):%Y-%m-%d}",
    ]
    return f"{'; '.join(parts)}."


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, ``None`` if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versioned(name: str) -> str:
    found = installed_version(name)
    return f"{name} {found}" if found else ""


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2] for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.processor()).strip()
