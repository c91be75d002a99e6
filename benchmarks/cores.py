"""Servers on one core, whoever asks them on another, so that neither takes time from the other."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Where servers run, and where clients and the local Clerk do."""

    server: int
    client: int

    def take_client(self) -> None:
        """Run this process, and what it starts from now on, where clients do."""
        os.sched_setaffinity(0, {self.client})

    def give_server(self, pid: int) -> None:
        """Run a process that has just been started, and its children to come, on the other."""
        os.sched_setaffinity(pid, {self.server})


def two_cores() -> Cores:
    """Return two of the cores that this process may use; on a machine with one it is both."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(server=usable[0], client=usable[-1])
