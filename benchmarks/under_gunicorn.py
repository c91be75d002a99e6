"""What deciding costs a real server: requests a second, latencies, processor's time per request.

    python benchmarks/under_gunicorn.py [--pairs N] [--seconds N] [--threads N] [--node DIR]

Two servers, one with the bare application and one with the same behind whoever decides, are asked
the same by wrk, one after the other, in random order: a pair. The figure is the median of the
pairs' ratios. A few pairs share their two servers, then both are started anew.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from applications import BARE, BY_HAND, OFFICIAL_SDK, ORIGIN, OURS, PEM
from clerk_process import clerk_process
from cores import two_cores
from machine import heading
from options import at_least, node_directory
from peers import PYJWT, SDK, missing, tell_missing
from requests_of import Requests, headers_of, saved_clerk
from served import need_gunicorn, under_express, under_gunicorn
from tables import median_and_quartiles, table
from wrk import load, need_wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from cores import Cores
    from served import Served
    from wrk import Load

    Server = Callable[[], AbstractContextManager[Served]]

APP = "https://app.example.com"
NODE = "@clerk/express"
TOGETHER = 4  # pairs that share their servers: which memory a process got is luck, too
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of wrk against one server, and the processor's seconds that a request took there."""

    load: Load
    cpu: float


@dataclass(kw_only=True)
class Row:
    """Two servers and what both are asked; the second one's answer to who is asking is ``user``."""

    name: str
    bare: Server
    measured: Server
    headers: dict[str, str]
    user: str
    pairs: list[tuple[Measured, Measured]] = field(default_factory=list)

    def measure(self, pairs: int, seconds: float) -> None:
        """Add pairs of runs against two new servers."""
        with self.bare() as bare, self.measured() as measured:
            found = measured.text("who", self.headers)
            if found != self.user:
                sys.exit(f"{self.name}: expected {self.user!r}, not {found!r}")
            for server in (bare, measured):
                load(server.url, self.headers, seconds=1, connections=CONNECTIONS)  # warms up
            for _ in range(pairs):
                self.pairs.append(self._pair(bare, measured, seconds))

    def _pair(self, bare: Served, measured: Served, seconds: float) -> tuple[Measured, Measured]:
        runs = {}
        for server in random.sample([bare, measured], 2):
            runs[server.url] = _run(server, self.headers, seconds)
        return runs[bare.url], runs[measured.url]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        ratios = [measured.cpu / bare.cpu for bare, measured in self.pairs]
        own = [measured for _, measured in self.pairs]
        loads = [one.load for one in own]
        microseconds = [
            1e6 * statistics.median(one.cpu for one in side)
            for side in zip(*self.pairs, strict=True)
        ]
        return (
            self.name,
            f"{statistics.median(one.requests / one.seconds for one in loads):,.0f}",
            f"{1e3 * statistics.median(one.p50 for one in loads):.2f}",
            f"{1e3 * statistics.median(one.p99 for one in loads):.2f}",
            f"{microseconds[1]:.1f}",
            f"{microseconds[0]:.1f}",
            *median_and_quartiles(ratios, 3),
        )


def _run(server: Served, headers: dict[str, str], seconds: float) -> Measured:
    before = server.cpu()
    found = load(server.url, headers, seconds=seconds, connections=CONNECTIONS)
    return Measured(found, (server.cpu() - before) / found.requests)


def report(rows: list[Row]) -> str:
    """Return the figures as a Markdown table."""
    head = ("behind gunicorn", "requests/s", "p50 ms", "p99 ms", "CPU µs", "bare CPU µs")
    return table((*head, "CPU × bare", "quartiles"), [row.cells() for row in rows])


class Servers:
    """Makes the servers of rows; they all know one local Clerk, and have one kind of worker."""

    def __init__(self, cores: Cores, environ: dict[str, str], options: list[str]) -> None:
        self._cores = cores
        self._environ = environ
        self._options = options

    def gunicorn(self, kind: str) -> Server:
        """Return what starts gunicorn with an application of ``applications.py``."""
        target = f'applications:create("{kind}")'
        return lambda: under_gunicorn(target, self._cores, self._environ, *self._options)

    def express(self, directory: Path, kind: str) -> Server:
        """Return what starts Express."""
        return lambda: under_express(directory, kind, self._cores, self._environ)


def rows_of(servers: Servers, requests: Requests, node: Path | None) -> list[Row]:
    """Return what is to be measured, the noise first: bare against bare."""
    signed_in = headers_of(requests.signed_in())
    anonymous = headers_of(requests.anonymous())
    user = requests.emulator.users()[0]["id"]
    bare, absent = servers.gunicorn(BARE), missing()

    def pair(name: str, measured: Server, against: Server = bare) -> Iterator[Row]:
        for title, headers, who in (("signed in", signed_in, user), ("nobody", anonymous, "")):
            row = f"{name}, {title}"
            yield Row(name=row, bare=against, measured=measured, headers=headers, user=who)

    rows = [
        Row(name="the same bare one again", bare=bare, measured=bare, headers=signed_in, user="")
    ]
    rows += pair("clerk_wsgi", servers.gunicorn(OURS))
    if PYJWT not in absent:
        rows += pair(f"{PYJWT} by hand", servers.gunicorn(BY_HAND))
    if SDK not in absent:
        rows += pair(SDK, servers.gunicorn(OFFICIAL_SDK))
    if node is not None:
        express = servers.express(node, "clerk")
        rows += pair(f"Express: {NODE}", express, servers.express(node, BARE))
    return rows


def measure(rows: list[Row], *, pairs: int, seconds: float) -> None:
    """Fill all rows, a few pairs of each at a time."""
    for start in range(0, pairs, TOGETHER):
        for row in random.sample(rows, len(rows)):
            row.measure(min(TOGETHER, pairs - start), seconds)


def servers_for(stack: ExitStack, cores: Cores, threads: int) -> tuple[Servers, Requests]:
    """Return servers that know a new local Clerk, and requests that it vouches for."""
    state = Path(stack.enter_context(TemporaryDirectory()), "state.sqlite3")
    emulator = saved_clerk(state)
    stack.callback(emulator.close)
    served = stack.enter_context(clerk_process(state))
    environ = {
        "CLERK_SECRET_KEY": emulator.secret_key,
        "CLERK_PUBLISHABLE_KEY": emulator.publishable_key,
        "CLERK_API_URL": served.url,
        ORIGIN: APP,
        PEM: emulator.public_key_pem(),
    }
    options = ["--log-level", "error"]
    if threads:
        options += ["--threads", str(threads)]
    return Servers(cores, environ, options), Requests(emulator, APP)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--pairs", type=at_least(1), default=20, help="of each row")
    parser.add_argument("--seconds", type=at_least(1), default=1, help="of a run of wrk")
    parser.add_argument("--threads", type=at_least(1), help="of the worker, instead of a sync one")
    parser.add_argument("--rows", metavar="TEXT", default="", help="only with it in their name")
    parser.add_argument(
        "--node", metavar="DIR", type=node_directory(NODE), help=f"has node_modules/{NODE}"
    )
    options = parser.parse_args()
    need_wrk()
    need_gunicorn("this program")
    cores = two_cores()
    cores.take_client()
    worker = f"gthread, {options.threads} threads" if options.threads else "sync"
    print(heading(f"Under gunicorn, one worker ({worker})", "gunicorn", PYJWT, SDK))
    with ExitStack() as stack:
        servers, requests = servers_for(stack, cores, options.threads or 0)
        rows = [row for row in rows_of(servers, requests, options.node) if options.rows in row.name]
        if not rows:
            parser.error(f"no row has {options.rows!r} in its name")
        measure(rows, pairs=options.pairs, seconds=options.seconds)
        print(report(rows))
    print(f"\n{options.pairs} pairs of {options.seconds} s; goals: 1.05 signed in, 1.02 nobody.")
    tell_missing([*missing(), *([] if options.node else [f"{NODE} (see --node)"])])


if __name__ == "__main__":
    main()
