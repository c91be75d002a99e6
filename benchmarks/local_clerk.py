"""How long a local Clerk takes to start: from nothing to its first answer, as a Markdown table.

python benchmarks/local_clerk.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # the checkout, whatever is installed

from clerk_wsgi.emulator import Emulator, SigningKey  # noqa: E402  # see the line above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Start = Callable[[], "Cost"]

HOST = "127.0.0.1"
PATH = "/.well-known/jwks.json"
SEED = PROJECT / "clerk_wsgi" / "demo" / "seed.toml"
PATIENCE = 60  # seconds after which a start has failed
STEP = 0.001  # seconds between two tries
TARGET = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Cost:
    """What a start has cost, in seconds: of a clock on the wall, and of the processor."""

    wall: float
    cpu: float


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=_count, default=20, help="of each (default %(default)s)")
    runs = parser.parse_args().runs
    print("| milliseconds | min | median | max | CPU |\n|---|---:|---:|---:|---:|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        for title, start in _starts(Path(directory)).items():
            start()  # reads from the disk, and compiles, what later ones find ready
            costs = [start() for _ in range(runs)]
            print(_row(title, costs), flush=True)
            worst = max(worst, *(cost.wall for cost in costs))
    verdict = "below" if worst < TARGET else "NOT below"
    print(f"\n{runs} runs of each; the longest took {worst:.2f} s, {verdict} {TARGET:.0f} s.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}.")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number from 1")
    return int(text)


def _starts(directory: Path) -> dict[str, Start]:
    """Return what is measured, by its title in the table."""
    state = directory / "state.sqlite3"
    Emulator(state).close()
    key = SigningKey.generate("benchmark")
    # As after an installation, without a byte written into the checkout.
    compiled = {"PYTHONPYCACHEPREFIX": str(directory / "bytecode")}
    fresh = ("--state", ":memory:")

    def process(*arguments: str, **environ: str) -> Start:
        return lambda: cost_to_first_answer(arguments, environ, directory)

    return {
        "process, new state in memory": process(*fresh, **compiled),
        "process, new state with the demo's seed": process(*fresh, "--seed", str(SEED), **compiled),
        "process, state that there is": process("--state", str(state), **compiled),
        "process, new state, nothing compiled": process(*fresh, PYTHONDONTWRITEBYTECODE="1"),
        "`Emulator()`": lambda: cost_of(lambda: Emulator().close()),
        "`Emulator(signing_key=…)`": lambda: cost_of(lambda: Emulator(signing_key=key).close()),
        "of these: a key of 2048 bits": lambda: cost_of(lambda: SigningKey.generate("key")),
        "of these: a Python that does nothing": lambda: cost_of(_run_nothing),
    }


def cost_of(work: Callable[[], object]) -> Cost:
    """Return what some work costs, that of processes which it waits for included."""
    wall, cpu = time.perf_counter(), time.process_time() + _cpu_of_children()
    work()
    spent = time.process_time() + _cpu_of_children() - cpu
    return Cost(time.perf_counter() - wall, spent)


def cost_to_first_answer(
    arguments: Sequence[str], environ: dict[str, str], directory: Path
) -> Cost:
    """Start ``clerk-wsgi emulator``, wait for its keys, and stop it.

    The processor's time is that of its whole life.
    """
    port, cpu = _free_port(), _cpu_of_children()
    before = time.perf_counter()
    with _emulator([*arguments, "--port", str(port)], environ, directory) as process:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - before > PATIENCE:
                raise SystemExit("clerk-wsgi emulator did not start")
            time.sleep(STEP)
        wall = time.perf_counter() - before
    return Cost(wall, _cpu_of_children() - cpu)


@contextmanager
def _emulator(
    arguments: Sequence[str], environ: dict[str, str], directory: Path
) -> Iterator[subprocess.Popen[bytes]]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        [sys.executable, "-m", "clerk_wsgi", "emulator", *arguments],
        cwd=directory,
        env={**ours, "PYTHONPATH": str(PROJECT), **environ},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request("GET", PATH)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return answer.status == 200


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run_nothing() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def _row(title: str, costs: Sequence[Cost]) -> str:
    walls = [cost.wall for cost in costs]
    cpu = statistics.median(cost.cpu for cost in costs)
    figures = (min(walls), statistics.median(walls), max(walls), cpu)
    return f"| {title} | {' | '.join(f'{1000 * one:.0f}' for one in figures)} |"


if __name__ == "__main__":
    main()
