"""An upstream that takes 10 s: nobody whose key is known waits, and nothing piles up.

One server at a time, so that the times of the table are its own. How long anything takes is not
tested: the bounds only tell a request that has waited for Clerk from one that has not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .faults import answers_late
from .kinds import KINDS, THREADS, WORKERS, assert_clean, serving
from .load import Shot, healthy_load, loading, workers_of
from .people import K1, unknown_key_ids, visit_of, visits
from .rows import Row, bad, is_right_or_unavailable, row_of
from .upstream import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kinds import Served
    from .upstream import Upstream

pytestmark = pytest.mark.servers

LATE = 10.0  # seconds
TIMEOUT = 2.0  # seconds after which a fetch is given up
LINES, RATE = 8, 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """What was answered; most threads of all workers, and connections of theirs to Clerk."""

    shots: list[Shot]
    threads: int
    connections: int
    fetches: int


def slow(served: Served, upstream: Upstream) -> Slow:
    """Ask for longer than it takes until a fetch is given up."""
    before, connections = upstream.fetches, upstream.connections
    most = 0
    upstream.suffer(answers_late(upstream.publishing(K1), LATE))
    with loading(served.port, visits(), rate=RATE, lines=LINES) as shots:
        end = time.monotonic() + 2.6
        while time.monotonic() < end:
            most = max(most, served.threads())
            time.sleep(0.2)
    return Slow(
        shots=shots,
        threads=most,
        connections=upstream.connections - connections,
        fetches=upstream.fetches - before,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_clerk_that_takes_ten_seconds_delays_nobody_whose_key_is_known(
    kind: str, keep: Callable[[Row], None]
) -> None:
    with running(K1) as upstream, serving(kind, upstream, keys_ttl=0.3, timeout=TIMEOUT) as served:
        served.each_worker(visit_of(K1))
        healthy = healthy_load(1.5, served.port, visits(), rate=RATE, lines=LINES)
        found = slow(served, upstream)
        assert_clean(served, upstream)
    name = "each answer of Clerk takes 10 s"
    keep(row_of(name, kind, found.shots, fetches=found.fetches, healthy=healthy))
    assert bad(found.shots) == []
    assert max(shot.seconds for shot in found.shots) < 1.5
    # Connections are kept: it may be that one worker has them all.
    assert len(workers_of(found.shots)) <= found.fetches <= 2 * WORKERS[kind]
    assert found.connections <= 2 * WORKERS[kind]
    assert upstream.most_open <= WORKERS[kind]
    assert found.threads <= (THREADS + 3) * WORKERS[kind]


@pytest.mark.parametrize("kind", ["gthread", "gevent", "waitress"])
def test_strangers_who_wait_for_a_slow_clerk_hold_others_up_for_a_second_at_most(
    kind: str, keep: Callable[[Row], None]
) -> None:
    strangers = unknown_key_ids(200)
    with running(K1) as upstream, serving(kind, upstream) as served:
        served.each_worker(visit_of(K1))
        healthy = healthy_load(1.0, served.port, visits())
        upstream.suffer(answers_late(upstream.publishing(K1), LATE))
        before = upstream.fetches
        with (
            loading(served.port, strangers, rate=60, lines=32) as flood,
            loading(served.port, visits()) as shots,
        ):
            time.sleep(2.0)
        fetches = upstream.fetches - before
        assert_clean(served, upstream)
    name = "the same, and a flood of unknown key ids"
    keep(row_of(name, kind, shots, fetches=fetches, healthy=healthy))
    assert bad(flood, is_right_or_unavailable) == []
    assert bad(shots) == []
    assert max(shot.seconds for shot in shots) < 2.5
    assert fetches <= 2 * WORKERS[kind]
