"""A start while Clerk is down, and an outage that outlasts ``stale_keys``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .faults import OUTAGES
from .kinds import assert_clean, serving
from .load import Shot, during, loading
from .people import K1, visit_of, visits
from .rows import Row, is_right, is_right_or_unavailable, row_of
from .scenarios import Ready, seconds_until
from .upstream import running

if TYPE_CHECKING:
    from .kinds import Served
    from .upstream import Upstream

KEYS_TTL, STALE_KEYS = 0.4, 2.5
MARGIN = 0.8  # seconds that a busy machine may take for what takes none
COLD = {"silent": 3.6, "500": 2.5, "gone": 1.0}  # outages, and how long each lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStarts:
    """What was answered in each phase, when keys were fetched in it, and how long recovery took."""

    shots: dict[str, list[Shot]] = field(default_factory=dict)
    fetched_at: dict[str, list[float]] = field(default_factory=dict)
    recoveries: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def cold_starts(kind: str, ready: Ready) -> ColdStarts:
    """Start without Clerk, have it back, and lose it again until the keys are too old."""
    found = ColdStarts()
    with running(K1) as upstream:
        OUTAGES["silent"](upstream)
        with serving(kind, upstream, keys_ttl=KEYS_TTL, stale_keys=STALE_KEYS) as served:
            ready()
            for name, seconds in COLD.items():
                OUTAGES[name](upstream)
                phase(found, f"cold start: {name}", served, upstream, seconds)
            recover(found, "cold start", served, upstream)
            OUTAGES["500"](upstream)
            found.shots["stale"] = during(STALE_KEYS - MARGIN, served.port, visits())
            time.sleep(KEYS_TTL + 2 * MARGIN)  # the last good fetch may be as old as that
            phase(found, "keys older than `stale_keys`", served, upstream, 1.2)
            recover(found, "too old", served, upstream)
            assert_clean(served, upstream)
    return found


def phase(found: ColdStarts, name: str, served: Served, upstream: Upstream, seconds: float) -> None:
    """Ask while there are no keys."""
    before = upstream.fetches
    shots = during(seconds, served.port, visits())
    found.shots[name] = shots
    found.fetched_at[name] = upstream.fetched_at[before:]
    fetches = len(found.fetched_at[name])
    row = row_of(name, served.kind, shots, fetches=fetches, accept=is_right_or_unavailable)
    found.rows.append(row)


def recover(found: ColdStarts, name: str, served: Served, upstream: Upstream) -> None:
    """Have Clerk back, and wait until each worker knows."""
    upstream.publish(K1)
    visit = visit_of(K1)
    with loading(served.port, visits()) as shots:
        found.recoveries[name] = seconds_until(
            lambda: all(map(is_right, served.each_worker(visit).values())), 20
        )
        time.sleep(0.5)
    found.shots[f"recovery: {name}"] = shots
