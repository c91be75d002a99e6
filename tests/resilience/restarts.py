"""Workers that end during an outage: killed, reloaded, worn out; each warms up when it starts."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .faults import OUTAGES
from .kinds import assert_clean, serving
from .load import Shot, during, loading
from .people import K1, visit_of, visits
from .rows import Row, is_right, is_right_or_unavailable, row_of
from .scenarios import Ready, seconds_until
from .upstream import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kinds import Served
    from .upstream import Upstream

# What README.md recommends: its workers call warm_up() when they start.
CONFIG = ("-c", "examples/gunicorn.conf.py", "--access-logfile", "/dev/null")
BOOT = 20  # seconds that a busy machine may take to start a worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """What was answered: to all, by the survivor, and by new workers right after they came.

    ``fetches_of_start`` are those before any request needed a key.
    """

    fetches_of_start: int
    shots: list[Shot]
    survivor: Shot
    successor: Shot
    reloaded: list[Shot]
    recovery: float
    row: Row


@contextmanager
def warm_server(kind: str, ready: Ready, *options: str) -> Iterator[tuple[Served, Upstream]]:
    """Serve, once each worker has fetched keys by itself."""
    with (
        running(K1) as upstream,
        serving(kind, upstream, *CONFIG, *options, timeout=1.0) as served,
    ):
        seconds_until(lambda: len(upstream.published_at) == served.workers, BOOT)
        ready()
        yield served, upstream
        assert_clean(served, upstream)


def restarts(kind: str, ready: Ready) -> Restarts:
    """Kill a worker while Clerk answers 500, reload all while it is silent, and have it back."""
    with warm_server(kind, ready) as (served, upstream):
        served.each_worker(visit_of(K1))
        at_start = upstream.fetches
        with loading(served.port, visits()) as shots:
            OUTAGES["500"](upstream)
            survivor, successor = kill_one(served)
            OUTAGES["silent"](upstream)
            reloaded = reload_all(served)
            fetches = upstream.fetches - at_start
            upstream.publish(K1)
            recovery = seconds_until_right(served)
    return Restarts(
        fetches_of_start=at_start,
        shots=shots,
        survivor=survivor,
        successor=successor,
        reloaded=reloaded,
        recovery=recovery,
        row=row_of(
            "a worker killed, then all reloaded, in an outage",
            kind,
            shots,
            fetches=fetches,
            accept=is_right_or_unavailable,
        ),
    )


def kill_one(served: Served) -> tuple[Shot, Shot]:
    """Kill a worker; return what the other one answers, and what the new one does."""
    before = served.pids()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    seconds_until(lambda: victim not in served.pids() and len(served.pids()) == len(before), BOOT)
    answers = served.each_worker(visit_of(K1))
    [survivor] = answers.keys() & before
    return answers.pop(survivor), next(iter(answers.values()))


def reload_all(served: Served) -> list[Shot]:
    """Have all workers replaced; return what the new ones answer."""
    before = served.pids()
    served.process.send_signal(signal.SIGHUP)
    seconds_until(
        lambda: before.isdisjoint(served.pids()) and len(served.pids()) == len(before), BOOT
    )
    return list(served.each_worker(visit_of(K1)).values())


def seconds_until_right(served: Served) -> float:
    visit = visit_of(K1)
    return seconds_until(lambda: all(map(is_right, served.each_worker(visit).values())), BOOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WornOut:
    """What was answered while workers ended after ``max_requests``; ``replaced`` is how many."""

    shots: list[Shot]
    replaced: int
    recovery: float
    row: Row


def worn_out(kind: str, ready: Ready) -> WornOut:
    """Wear workers out during an outage."""
    with warm_server(kind, ready, "--max-requests", "60") as (served, upstream):
        before, at_start = served.pids(), upstream.fetches
        OUTAGES["500"](upstream)
        shots = during(3.0, served.port, visits())
        fetches = upstream.fetches - at_start
        replaced = len(before - served.pids())
        upstream.publish(K1)
        recovery = seconds_until(
            lambda: all(map(is_right, during(0.3, served.port, visits()))), BOOT
        )
    row = row_of(
        "`max_requests` reached in an outage",
        kind,
        shots,
        fetches=fetches,
        accept=is_right_or_unavailable,
    )
    return WornOut(shots=shots, replaced=replaced, recovery=recovery, row=row)
