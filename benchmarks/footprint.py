"""What the package weighs: time of its import, memory of a process, distributions that it brings.

    python benchmarks/footprint.py [--runs N]

Each figure is the median of new processes, in random order; memory is what a process has more than
one that does nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # the checkout's package

from clerk_process import clerk_process  # noqa: E402  # see the line above
from distributions import required_by, required_by_checkout, walk  # noqa: E402
from footprint_probe import ORIGIN, PEM, TOKEN  # noqa: E402
from machine import heading  # noqa: E402
from options import at_least  # noqa: E402
from peers import PYJWT, SDK, missing, tell_missing  # noqa: E402
from processes import Memory, parse_memory  # noqa: E402
from requests_of import Requests, saved_clerk  # noqa: E402
from tables import median_and_quartiles, table  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBE = PROJECT / "benchmarks" / "footprint_probe.py"
APP = "https://app.example.com"
MEBIBYTE = 1 << 20
LONGEST, LARGEST = 100, 28  # milliseconds and MB until an application is wrapped: the goals
NOTHING, WRAPPED = "nothing", "wrapped"


@dataclass(kw_only=True)
class Stage:
    """A stage of the probe: its seconds and memory, one of each for each process.

    ``seconds`` are of the clock on the wall, ``cpu`` those of the processor.
    """

    title: str
    probe: str
    environ: Mapping[str, str]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def run(self) -> tuple[float, float, Memory]:
        """Return what one process took."""
        command = [sys.executable, str(PROBE), self.probe]
        done = subprocess.run(
            command, env=dict(self.environ), check=False, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{self.title}: {done.stderr.strip()}")
        wall, cpu, memory = done.stdout.split("\n", 2)
        return float(wall), float(cpu), parse_memory(memory)

    def measure(self) -> None:
        """Add one process."""
        seconds, cpu, memory = self.run()
        self.seconds.append(seconds)
        self.cpu.append(cpu)
        self.memory.append(memory)

    def bytes_of(self, kind: str) -> float:
        """Return the median of a kind of memory."""
        return float(statistics.median(getattr(one, kind) for one in self.memory))


def stages_of(environ: Mapping[str, str], pem: str, absent: Sequence[str]) -> list[Stage]:
    """Return what is measured; the first does nothing."""
    offline = {**environ, "CLERK_JWT_KEY": pem}
    rows = [
        ("a Python that does nothing", NOTHING, environ),
        ("`import clerk_wsgi`", "imported", environ),
        ("… and `with_session(app, Clerk())`", WRAPPED, environ),
        ("… and the first request, keys fetched", "asked", environ),
        ("… and the first request, with a `jwt_key`", "asked", offline),
    ]
    if PYJWT not in absent:
        rows += [(f"{PYJWT} by hand, and the first request", "by_hand_asked", environ)]
    if SDK not in absent:
        rows += [
            ("`import clerk_backend_api`", "sdk_imported", environ),
            (f"{SDK}, and the first request, with a key", "sdk_asked", environ),
        ]
    return [Stage(title=title, probe=probe, environ=where) for title, probe, where in rows]


def measure(stages: Sequence[Stage], runs: int) -> None:
    """Fill all stages; the first process of each reads from the disk, and compiles."""
    for stage in stages:
        stage.run()
    for _ in range(runs):
        for stage in random.sample(stages, len(stages)):
            stage.measure()


def report(stages: Sequence[Stage]) -> str:
    """Return time and memory as a Markdown table."""
    nothing = stages[0]
    rows = []
    for stage in stages:
        milliseconds = [1000 * one for one in stage.seconds]
        more = [(stage.bytes_of(kind) - nothing.bytes_of(kind)) / MEBIBYTE for kind in _KINDS]
        sizes = [f"{one:.1f}" for one in more]
        cpu = f"{1000 * statistics.median(stage.cpu):.1f}"
        rows.append((stage.title, *median_and_quartiles(milliseconds, 1), cpu, *sizes))
    return table(
        ("process", "ms", "quartiles", "CPU ms", "RSS + MiB", "PSS + MiB", "USS + MiB"), rows
    )


def verdict(stages: Sequence[Stage]) -> str:
    """Say whether what a wrapped application takes is within the goals."""
    nothing = next(stage for stage in stages if stage.probe == NOTHING)
    wrapped = next(stage for stage in stages if stage.probe == WRAPPED)
    taken = 1000 * statistics.median(wrapped.seconds)
    size = (wrapped.bytes_of("rss") - nothing.bytes_of("rss")) / 1e6
    return (
        f"A wrapped application: {taken:.0f} ms (goal: {LONGEST}, "
        f"{_kept(taken <= LONGEST)}), {size:.1f} MB (goal: {LARGEST}, {_kept(size <= LARGEST)})."
    )


_KINDS = ("rss", "pss", "uss")


def _kept(is_kept: object) -> str:
    return "kept" if is_kept else "NOT kept"


def distributions(absent: Sequence[str]) -> str:
    """Return what is installed for whom, as a Markdown table."""
    brought = {"clerk-wsgi": walk(required_by_checkout(PROJECT))}
    brought |= {name: walk(required_by(name)) for name in (PYJWT, SDK) if name not in absent}
    if PYJWT in brought:  # it verifies RSA with an extra only
        brought[PYJWT] |= walk(["cryptography"])
    rows = [
        (name, str(1 + len(others)), ", ".join(sorted(others))) for name, others in brought.items()
    ]
    return table(("to install", "distributions", "beside it"), rows)


def environ_of(url: str, requests: Requests, scratch: Path) -> dict[str, str]:
    """Return the environment of all processes; bytecode is kept, as after an installation."""
    ours = {
        name: text for name, text in os.environ.items() if not name.startswith(("CLERK_", "PYTHON"))
    }
    return {
        **ours,
        "PYTHONPATH": str(PROJECT),
        "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
        "PYTHONWARNINGS": "ignore",
        "CLERK_SECRET_KEY": requests.emulator.secret_key,
        "CLERK_PUBLISHABLE_KEY": requests.emulator.publishable_key,
        "CLERK_API_URL": url,
        "CLERK_AUTHORIZED_PARTIES": APP,
        TOKEN: requests.token(),
        PEM: requests.emulator.public_key_pem(),
        ORIGIN: APP,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--runs", type=at_least(1), default=20, help="of each stage")
    runs = parser.parse_args().runs
    print(heading("Footprint", "python-dotenv", PYJWT, SDK))
    absent = missing()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        emulator = saved_clerk(scratch / "state.sqlite3")
        stack.callback(emulator.close)
        served = stack.enter_context(clerk_process(scratch / "state.sqlite3"))
        environ = environ_of(served.url, Requests(emulator, APP), scratch)
        stages = stages_of(environ, emulator.public_key_pem(), absent)
        measure(stages, runs)
    print(report(stages), verdict(stages), distributions(absent), sep="\n\n")
    tell_missing(absent)


if __name__ == "__main__":
    main()
