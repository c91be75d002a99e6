"""An outage of Clerk fails no request whose key is known, however often refreshes fall due."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .faults import OUTAGES
from .kinds import KINDS, WORKERS, assert_clean, serving
from .load import Shot, healthy_load, loading
from .people import K1, visit_of, visits
from .rows import Row, bad, row_of
from .scenarios import Ready, outcomes, seconds_until, side_by_side
from .upstream import most_within, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from .kinds import Served
    from .upstream import Upstream

pytestmark = pytest.mark.servers

KEYS_TTL = 0.2
OUTAGE = 1.6  # seconds; a refresh falls due at once, and again a second after it has failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What was asked while Clerk was out and until it was back, and when keys were fetched."""

    shots: list[Shot]
    fetched_at: list[float]
    row: Row


Outages = dict[str, Outage]
Runs = dict[str, "Future[Outages]"]


def outages(kind: str, ready: Ready) -> Outages:
    """One outage after the other, each begun with keys that are fresh."""
    with (
        running(K1) as upstream,
        serving(kind, upstream, keys_ttl=KEYS_TTL, timeout=0.6) as served,
    ):
        served.each_worker(visit_of(K1))
        ready()
        healthy = healthy_load(1.5, served.port, visits())
        found = {name: outage(name, served, upstream, healthy) for name in OUTAGES}
        assert_clean(served, upstream)
    return found


def outage(name: str, served: Served, upstream: Upstream, healthy: list[Shot]) -> Outage:
    before = upstream.fetches
    OUTAGES[name](upstream)
    with loading(served.port, visits()) as shots:
        time.sleep(OUTAGE)
        fetched_at = upstream.fetched_at[before:]
        published = len(upstream.published_at)
        upstream.publish(K1)
        seconds_until(lambda: len(upstream.published_at) >= published + 2 * served.workers, 15)
    row = row_of(f"outage: {name}", served.kind, shots, fetches=len(fetched_at), healthy=healthy)
    return Outage(shots=shots, fetched_at=fetched_at, row=row)


@pytest.fixture(scope="module")
def runs(keep: Callable[[Row], None]) -> Iterator[Runs]:
    with side_by_side(outages, KINDS) as runs:
        yield runs
        for name in OUTAGES:
            for found in outcomes(runs):
                keep(found[name].row)


@pytest.mark.parametrize("name", OUTAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_fails_no_request_whose_key_is_known(kind: str, name: str, runs: Runs) -> None:
    outage = runs[kind].result()[name]
    assert bad(outage.shots) == []
    assert len(outage.shots) > 40 * OUTAGE


@pytest.mark.parametrize("name", [name for name in OUTAGES if name != "gone"])
@pytest.mark.parametrize("kind", KINDS)
def test_in_an_outage_keys_are_asked_for_now_and_then(kind: str, name: str, runs: Runs) -> None:
    fetched_at = runs[kind].result()[name].fetched_at
    assert len(fetched_at) >= (1 if name in ("silent", "drips") else 2)
    assert most_within(0.9, fetched_at) <= WORKERS[kind]
