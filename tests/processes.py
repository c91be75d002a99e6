"""``clerk-wsgi`` as a process of its own, its output read while it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parent.parent
TIMEOUT = 60  # seconds; for slow machines, nothing waits that long by itself


def clean_environ(**more: str) -> dict[str, str]:
    """The environment without settings of Clerk, and with this package to be found."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CLERK_")}
    return {**kept, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore", **more}


class Running:
    """A command that runs until ``stop()``; standard output and standard error are one text."""

    def __init__(
        self, *arguments: str, cwd: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clerk_wsgi", *arguments],
            cwd=cwd,
            env=clean_environ(**(environ or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What was written until now."""
        return "".join(self._lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output has the pattern."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            ended = self.process.poll() is not None and not self._reader.is_alive()
            match = re.search(pattern, self.output, re.MULTILINE)
            if match:
                return match
            assert not ended, f"it ended without {pattern!r}:\n{self.output}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in time:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status when it ends, and all it started has let go of the output."""
        status = self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return status

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
        stdout: Any = self.process.stdout
        stdout.close()

    def _read(self) -> None:
        stdout: Any = self.process.stdout
        self._lines.extend(stdout)


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    children: dict[int, set[int]] = {}
    for child, parent, _ in _processes():
        children.setdefault(parent, set()).add(child)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = children.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def survivors(pids: set[int]) -> set[int]:
    """Those of the processes that still run; one that nobody has buried yet does not."""
    return {pid for pid, _, state in _processes() if pid in pids and not state.startswith("Z")}


def _processes() -> list[tuple[int, int, str]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return [(int(pid), int(parent), state) for pid, parent, state in rows]
