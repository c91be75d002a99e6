"""How the cost of a request grows with tokens, threads and instances, and what is remembered.

    python benchmarks/growth.py [--tokens N] [--requests N] [--rounds N]

Three tables: 1 to a million distinct tokens, presented at random; 1 to 64 threads; 1 to 100
instances of ``Clerk`` in a process. All rows of a table are measured in every round, in random
order.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from answering import InPython, our_decision
from clerk_process import clerk_process
from crowd import Crowd
from machine import heading
from options import at_least
from requests_of import Requests, environ_of, saved_clerk
from tables import median_and_quartiles, table
from verification import bare_verification
from watching import memory_kept, verifications

from clerk_wsgi import Clerk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from clerk_process import ClerkProcess
    from requests_of import Variables

APP = "https://app.example.com"
TOKENS = (1, 10, 100, 1_000, 4_000, 10_000, 100_000, 1_000_000)
THREADS = (1, 2, 4, 8, 16, 32, 64)
INSTANCES = (1, 2, 5, 10, 20, 50, 100)
FEW = 100  # tokens, where it is not they that grow
WARM_UP = 10_000  # requests at most, after which a memory is as full as it gets
UNIT = 200  # verifications
LONGER = 4  # times as many requests where threads have to be started for them


@dataclass(kw_only=True)
class Row:
    """So many of something; ``ratios`` and ``seconds`` have one figure for each round."""

    count: int
    ratios: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float, unit: float) -> None:
        """Add a round: what a request took, and what it is compared with."""
        self.seconds.append(seconds)
        self.ratios.append(seconds / unit)

    def cells(self) -> tuple[str, ...]:
        """Return how many, the ratios, and microseconds."""
        microseconds = f"{1e6 * statistics.median(self.seconds):.1f}"
        return f"{self.count:,}", *median_and_quartiles(self.ratios, 3), microseconds


class Instances:
    """Makes instances of ``Clerk`` that ask one local Clerk, around an application that is none."""

    def __init__(self, requests: Requests, served: ClerkProcess) -> None:
        self._emulator = requests.emulator
        self._url = served.url

    def wrapped(self) -> WSGIApplication:
        """Return an application that a new instance wraps."""
        clerk = Clerk(
            secret_key=self._emulator.secret_key,
            publishable_key=self._emulator.publishable_key,
            authorized_parties=[APP],
            api_url=self._url,
            dotenv=False,
        )
        return clerk.with_session(_hello)


def _hello(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def _start_response(*_: object) -> Any:
    return None


def present(app: WSGIApplication, requests: Iterable[Variables]) -> None:
    """Let an application answer requests, each made right before; all must be signed in."""
    for own in requests:
        environ = environ_of(own)
        app(environ, _start_response)
        if our_decision(environ) != "signed-in":
            sys.exit(f"expected somebody signed in, not {our_decision(environ)}")


# ---- tokens ----


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an instance knows in the long run: bytes, and which part of what is presented."""

    memory: int
    known: float


def warm_up_of(crowd: Crowd, size: int) -> list[Variables]:
    """Return requests after which an instance remembers as much of a crowd as it ever will."""
    return crowd.each_of(size) if size <= WARM_UP else crowd.some_of(size, WARM_UP)


def remembered(app: WSGIApplication, crowd: Crowd, size: int, asked: int) -> Remembered:
    """Return what an instance that knows nothing comes to know of tokens from a crowd."""
    present(app, [crowd.request(-1)])  # keys are fetched, modules imported
    warm_up, more = warm_up_of(crowd, size), crowd.some_of(size, asked)
    memory = memory_kept(lambda: present(app, warm_up))
    return Remembered(memory, 1 - verifications(lambda: present(app, more)) / asked)


def tokens_table(
    requests: Requests, instances: Instances, *, most: int, asked: int, rounds: int
) -> str:
    """Return the table of distinct tokens."""
    crowd, bare = Crowd(requests), bare_verification(requests)
    rows = [Row(count=size) for size in TOKENS if size <= most]
    known, apps = {}, {}
    for row in rows:
        known[row.count] = remembered(instances.wrapped(), crowd, row.count, asked)
        apps[row.count] = instances.wrapped()
        present(apps[row.count], warm_up_of(crowd, row.count))
    for _ in range(rounds):
        for row in random.sample(rows, len(rows)):
            answerer = InPython(apps[row.count], our_decision)
            unit = bare(UNIT)
            row.add(answerer.time(crowd.some_of(row.count, asked)), unit)
    head = ("distinct tokens", "× a verification", "quartiles", "µs", "known", "MB", "bytes each")
    return table(head, [(*row.cells(), *_known_cells(row.count, known)) for row in rows])


def _known_cells(count: int, known: dict[int, Remembered]) -> tuple[str, ...]:
    one = known[count]
    each = f"{one.memory / count:,.0f}" if one.known == 1 else "–"
    return f"{100 * one.known:.1f} %", f"{one.memory / 1e6:.2f}", each


# ---- threads ----


def threads_table(crowd: Crowd, instances: Instances, *, asked: int, rounds: int) -> str:
    """Return the table of threads that share one instance: processor's time of them all."""
    app = instances.wrapped()
    present(app, crowd.each_of(FEW))
    rows = [Row(count=count) for count in THREADS]
    rates: dict[int, list[float]] = {count: [] for count in THREADS}
    for _ in range(rounds):
        unit, _ = shared(app, crowd, 1, asked)
        for row in random.sample(rows, len(rows)):
            seconds, rate = shared(app, crowd, row.count, asked)
            row.add(seconds, unit)
            rates[row.count].append(rate)
    head = ("threads", "× one thread", "quartiles", "CPU µs", "requests/s")
    more = {count: f"{statistics.median(found):,.0f}" for count, found in rates.items()}
    return table(head, [(*row.cells(), more[row.count]) for row in rows])


def shared(app: WSGIApplication, crowd: Crowd, count: int, asked: int) -> tuple[float, float]:
    """Divide requests among threads; return the CPU seconds of one, and how many a second."""
    each = max(1, asked // count)
    work = [[environ_of(own) for own in crowd.some_of(FEW, each)] for _ in range(count)]
    ready = threading.Barrier(count + 1)

    def answer(environs: list[WSGIEnvironment]) -> None:
        ready.wait()
        for environ in environs:
            app(environ, _start_response)

    threads = [threading.Thread(target=answer, args=(environs,)) for environs in work]
    for thread in threads:
        thread.start()
    cpu, started = time.process_time(), time.perf_counter()
    ready.wait()
    for thread in threads:
        thread.join()
    cpu, taken = time.process_time() - cpu, time.perf_counter() - started
    return cpu / (each * count), each * count / taken


# ---- instances ----


def instances_table(crowd: Crowd, instances: Instances, *, asked: int, rounds: int) -> str:
    """Return the table of instances that take turns."""
    made: dict[int, list[WSGIApplication]] = {}
    memory = {}
    for count in INSTANCES:
        memory[count] = memory_kept(partial(make, instances, crowd, count, made)) / count
    rows = [Row(count=count) for count in INSTANCES]
    for _ in range(rounds):
        unit = in_turns(made[1], crowd, asked)
        for row in random.sample(rows, len(rows)):
            row.add(in_turns(made[row.count], crowd, asked), unit)
    head = ("instances", "× one instance", "quartiles", "µs", "kB each")
    return table(head, [(*row.cells(), f"{memory[row.count] / 1e3:.0f}") for row in rows])


def make(
    instances: Instances, crowd: Crowd, count: int, made: dict[int, list[WSGIApplication]]
) -> None:
    """Make instances that have their keys, and know the tokens that they will be asked about."""
    made[count] = [instances.wrapped() for _ in range(count)]
    for app in made[count]:
        present(app, [crowd.request(0)])


def in_turns(apps: Sequence[WSGIApplication], crowd: Crowd, asked: int) -> float:
    """Return the seconds of a request, answered by one instance after the other."""
    own, clock, taken = crowd.request(0), time.perf_counter, 0.0
    for number in range(asked):
        app, environ = apps[number % len(apps)], environ_of(own)
        started = clock()
        app(environ, _start_response)
        taken += clock() - started
    return taken / asked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--tokens", type=at_least(1), default=TOKENS[-1], help="at most")
    parser.add_argument("--requests", type=at_least(64), default=2000, help="of a row in a round")
    parser.add_argument("--rounds", type=at_least(1), default=10)
    options = parser.parse_args()
    asked, rounds, most = options.requests, options.rounds, options.tokens
    print(heading("Growth"))
    with ExitStack() as stack:
        state = Path(stack.enter_context(TemporaryDirectory()), "state.sqlite3")
        emulator = saved_clerk(state)
        stack.callback(emulator.close)
        requests = Requests(emulator, APP)
        instances = Instances(requests, stack.enter_context(clerk_process(state)))
        crowd = Crowd(requests)
        print(tokens_table(requests, instances, most=most, asked=asked, rounds=rounds), end="\n\n")
        print(threads_table(crowd, instances, asked=LONGER * asked, rounds=rounds), end="\n\n")
        print(instances_table(crowd, instances, asked=asked, rounds=rounds))


if __name__ == "__main__":
    main()
