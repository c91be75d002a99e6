"""What it costs to ask Clerk: calls of its API, and requests whose session is verified live.

    python benchmarks/live.py [--rounds N] [--batch N]

The local Clerk is a process of its own on another core, over real HTTP. Every row is measured in
every round, in random order, next to a bare GET of ``requests`` on a kept connection; a row's
figure is the median of its ratios.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import time
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

import requests as http
from clerk_process import clerk_process
from cores import two_cores
from machine import heading, installed_version
from options import at_least
from peers import SDK, tell_missing
from requests_of import Requests, environ_of, saved_clerk
from tables import median_and_quartiles, table

from clerk_wsgi import Clerk, SignedIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerk_process import ClerkProcess
    from requests_of import Variables

    # What has to be there before the clock starts; it returns what is then called.
    Prepare = Callable[[], Callable[[], object]]

APP = "https://app.example.com"


@dataclass(kw_only=True)
class Row:
    """A call of Clerk's API, or a request that needs some.

    What the prepared call returns must be true. ``ratios`` and ``seconds`` (of the clock on the
    wall) have one figure for each round, and so has ``cpu``: the seconds of this thread alone.
    """

    name: str
    prepare: Prepare
    ratios: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, batch: int) -> tuple[float, float]:
        """Return the seconds that one call takes, on average over a batch: wall, and CPU."""
        clock, cpu_clock, taken, cpu = time.perf_counter, time.thread_time, 0.0, 0.0
        for _ in range(batch):
            call = self.prepare()
            cpu_started, started = cpu_clock(), clock()
            found = call()
            taken += clock() - started
            cpu += cpu_clock() - cpu_started
            if not found:
                sys.exit(f"{self.name}: not what was expected")
        return taken / batch, cpu / batch


class Calls:
    """The calls that ask for one session; ``key`` is the secret one."""

    def __init__(self, clerk: ClerkProcess, key: str, session_id: str) -> None:
        self._url = clerk.url
        self._key = key
        self._session_id = session_id

    def bare_kept(self) -> Prepare:
        """A GET of a session of ``requests``, whose connection is there already."""
        session = http.Session()
        return lambda: lambda: self._get(session)

    def bare_new(self) -> Prepare:
        """A GET of a new one."""

        def prepare() -> Callable[[], object]:
            session = http.Session()
            return lambda: self._get(session)

        return prepare

    def ours_kept(self) -> Prepare:
        """A call of ours, whose connection is there already."""
        clerk = self._clerk()
        return lambda: lambda: clerk.sessions.get(self._session_id).status == "active"

    def ours_new(self) -> Prepare:
        """The first call of a new instance."""

        def prepare() -> Callable[[], object]:
            clerk = self._clerk()
            return lambda: clerk.sessions.get(self._session_id).status == "active"

        return prepare

    def sdk_kept(self) -> Prepare:
        """A call of Clerk's own SDK."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from clerk_backend_api import Clerk as Sdk
        sdk = Sdk(bearer_auth=self._key, server_url=f"{self._url}/v1")
        session_id = self._session_id
        return lambda: lambda: sdk.sessions.get(session_id=session_id).id == session_id

    def _clerk(self) -> Clerk:
        return Clerk(secret_key=self._key, api_url=self._url, dotenv=False)

    def _get(self, session: http.Session) -> bool:
        url = f"{self._url}/v1/sessions/{self._session_id}"
        answer = session.get(url, headers={"Authorization": f"Bearer {self._key}"}, timeout=30)
        return bool(answer.json()["status"] == "active")


def deciding(clerk: Clerk, make: Callable[[], Variables]) -> Prepare:
    """Return what prepares a request, and decides it."""

    def prepare() -> Callable[[], object]:
        environ = environ_of(make())
        return lambda: isinstance(clerk.authenticate(environ), SignedIn)

    return prepare


def clerk_at(served: ClerkProcess, requests: Requests, verification: str) -> Clerk:
    """Return an instance that asks a served Clerk.

    Its clock of ages runs, so that no window of its ration is ever full.
    """
    ticks = map(float, itertools.count())
    return Clerk(
        secret_key=requests.emulator.secret_key,
        publishable_key=requests.emulator.publishable_key,
        authorized_parties=[APP],
        api_url=served.url,
        dotenv=False,
        verification=verification,
        monotonic=lambda: next(ticks) / 50,
    )


def rows_of(requests: Requests, served: ClerkProcess, gone: ClerkProcess) -> list[Row]:
    """Return all rows; the first is what the others are compared with.

    ``served`` verifies sessions, ``gone`` says of that (410) that it is no more.
    """
    emulator = requests.emulator
    calls = Calls(served, emulator.secret_key, emulator.sessions()[0]["id"])
    asked = {
        "bare GET of `requests`, kept connection": calls.bare_kept(),
        "bare GET of `requests`, new connection": calls.bare_new(),
        "`clerk.sessions.get`, kept connection": calls.ours_kept(),
        "`clerk.sessions.get`, the first of an instance": calls.ours_new(),
    }
    if installed_version(SDK):
        asked[f"{SDK}: `sessions.get`, kept connection"] = calls.sdk_kept()
    signed_in, client_token = requests.signed_in, requests.client_token
    token = clerk_at(served, requests, "token")
    live, checked = clerk_at(served, requests, "live"), clerk_at(gone, requests, "live")
    asked |= {
        'a request, `verification="token"`': deciding(token, signed_in),
        'a request, `verification="live"`': deciding(live, signed_in),
        "… where Clerk verifies no sessions (410)": deciding(checked, signed_in),
        "… with a client token": deciding(live, client_token),
    }
    return [Row(name=name, prepare=prepare) for name, prepare in asked.items()]


def measure(rows: list[Row], *, rounds: int, batch: int) -> None:
    """Fill all rows."""
    bare = rows[0]
    for row in rows:
        row.measure(2)
    for _ in range(rounds):
        for row in random.sample(rows, len(rows)):
            unit, _ = bare.measure(batch)
            seconds, cpu = row.measure(batch)
            row.seconds.append(seconds)
            row.cpu.append(cpu)
            row.ratios.append(seconds / unit)


def report(rows: list[Row]) -> str:
    """Return the figures as a Markdown table."""
    cells = []
    for row in rows:
        times = [f"{1e6 * statistics.median(one):,.0f}" for one in (row.seconds, row.cpu)]
        cells.append((row.name, *median_and_quartiles(row.ratios, 2), *times))
    return table(("what is asked", "× a bare GET", "quartiles", "µs", "own CPU µs"), cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rounds", type=at_least(1), default=40)
    parser.add_argument("--batch", type=at_least(1), default=20, help="calls of a row in a round")
    options = parser.parse_args()
    print(heading("Asking Clerk, and live verification", SDK))
    with ExitStack() as stack:
        cores = two_cores()
        cores.take_client()
        state = Path(stack.enter_context(TemporaryDirectory()), "state.sqlite3")
        emulator = saved_clerk(state)
        stack.callback(emulator.close)
        served = stack.enter_context(clerk_process(state))
        gone = stack.enter_context(clerk_process(state, "gone"))
        cores.give_server(0)
        rows = rows_of(Requests(emulator, APP), served, gone)
        measure(rows, rounds=options.rounds, batch=options.batch)
        print(report(rows))
    tell_missing([] if installed_version(SDK) else [SDK])


if __name__ == "__main__":
    main()
