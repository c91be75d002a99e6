"""Load by the command ``wrk``: one thread, a few connections."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT = Path(__file__).parent / "wrk_report.lua"


@dataclass(frozen=True, slots=True)
class Load:
    """What a run has measured: latencies ``p50`` and ``p99`` are in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def need_wrk() -> None:
    """End the program with one line if the command is not there."""
    if shutil.which("wrk") is None:
        raise SystemExit("this program needs the command wrk: apt-get install wrk")


def load(url: str, headers: Mapping[str, str], *, seconds: float, connections: int) -> Load:
    """Ask the same for some seconds; an answer that is no 2xx or 3xx ends the program.

    ``seconds`` are rounded up to whole ones, which is what wrk can do.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{-int(-seconds // 1)}s", "-s", str(REPORT)]
    command += [part for name, text in headers.items() for part in ("-H", f"{name}: {text}")]
    done = subprocess.run([*command, url], check=True, capture_output=True, text=True)
    found = Load(**json.loads(done.stdout.splitlines()[-1]))
    if found.errors or not found.requests:
        raise SystemExit(f"{found.errors} of {found.requests} requests to {url} failed")
    return found
