"""What Linux tells about running processes: their processor's time, memory and children."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process: resident, its proportional share of them, and what is its alone."""

    rss: int
    pss: int
    uss: int


def memory_of(pid: int | str = "self") -> Memory:
    """Return what a process has of memory now."""
    return parse_memory((_PROC / str(pid) / "smaps_rollup").read_text("ascii"))


def parse_memory(text: str) -> Memory:
    """Return what is in ``/proc/PID/smaps_rollup``."""
    found = {name: int(size) * 1024 for name, size in re.findall(r"(\w+): +(\d+) kB", text)}
    return Memory(found["Rss"], found["Pss"], found["Private_Clean"] + found["Private_Dirty"])


def cpu_seconds(pid: int) -> float:
    """Return the processor's time of all threads that a process has now, in user and kernel.

    From the scheduler, in nanoseconds; where that keeps no statistics, in ticks of 10 ms.
    """
    total = 0
    for task in (_PROC / str(pid) / "task").iterdir():
        with suppress(FileNotFoundError):  # it has just ended
            total += int((task / "schedstat").read_text("ascii").split()[0])
    return total / 1e9 if total else _ticks(pid) / _TICKS


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    return [child for child, parent in _parents().items() if parent == pid]


def _ticks(pid: int) -> int:
    fields = _stat(_PROC / str(pid))
    return int(fields[11]) + int(fields[12])


def _parents() -> dict[int, int]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):
                found[int(entry.name)] = int(_stat(entry)[1])
    return found


def _stat(entry: Path) -> list[str]:
    """Return what follows the name of the program, which may have blanks and parentheses."""
    return (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
