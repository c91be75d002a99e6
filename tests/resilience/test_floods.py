"""Many at once, strangers with forged tokens, and keys that change: what each costs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from .kinds import KINDS, WORKERS, assert_clean, serving
from .load import Shot, ask, during, healthy_load, loading
from .people import (
    K1,
    K2,
    K3,
    forged_signatures,
    unknown_key_ids,
    visit_of,
    visits,
)
from .rows import Row, bad, is_right, p99, row_of
from .scenarios import Ready, outcomes, seconds_until, side_by_side
from .upstream import most_within, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from .kinds import Served
    from .people import Visit
    from .upstream import Upstream

pytestmark = pytest.mark.servers

HERD = 48
FLOOD = 200  # requests
RATE = 120.0  # of them in a second


@dataclass(slots=True, kw_only=True)
class Course:
    """What was answered in each phase, how many fetches it cost, and how long changes took."""

    shots: dict[str, list[Shot]] = field(default_factory=dict)
    fetches: dict[str, int] = field(default_factory=dict)
    fetched_at: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    old_key: dict[str, list[Shot]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


def course(kind: str, ready: Ready) -> Course:
    """Meet a herd, follow a change of the key, withstand two floods, follow another change."""
    found = Course()
    with running(K1) as upstream, serving(kind, upstream) as served:
        upstream.publish(K1, delay=0.4)  # so that all of the herd arrive during the fetch
        with Phase(found, "48 cold requests at once", served, upstream) as shots:
            shots.extend(herd(served.port))
            served.each_worker(visit_of(K1))
        before = upstream.fetches
        upstream.publish(K1)
        ready()
        healthy = healthy_load(1.2, served.port, visits())
        for name, flood in floods().items():
            with Phase(found, name, served, upstream, healthy) as shots:
                shots.extend(beside_a_flood(served.port, flood))
        change_keys(found, served, upstream)
        found.fetched_at = upstream.fetched_at[before:]
        assert_clean(served, upstream)
    return found


def floods() -> dict[str, tuple[Visit, ...]]:
    return {
        "flood of forged signatures": forged_signatures(FLOOD),
        "flood of unknown key ids": unknown_key_ids(FLOOD),
    }


class Phase:
    """Keeps what is answered in a ``with`` statement, and counts the fetches that it costs."""

    def __init__(
        self,
        found: Course,
        name: str,
        served: Served,
        upstream: Upstream,
        healthy: list[Shot] | None = None,
    ) -> None:
        self._found = found
        self._name = name
        self._served = served
        self._upstream = upstream
        self._before = upstream.fetches
        self._healthy = healthy or []

    def __enter__(self) -> list[Shot]:
        shots: list[Shot] = []
        self._found.shots[self._name] = shots
        return shots

    def __exit__(self, *exc_info: object) -> None:
        fetches = self._upstream.fetches - self._before
        self._found.fetches[self._name] = fetches
        shots = self._found.shots[self._name]
        row = row_of(self._name, self._served.kind, shots, fetches=fetches, healthy=self._healthy)
        self._found.rows.append(row)


def herd(port: int) -> list[Shot]:
    with ThreadPoolExecutor(HERD) as pool:
        return list(pool.map(lambda visit: ask(port, visit), islice(visits(), HERD)))


def beside_a_flood(port: int, strangers: Sequence[Visit]) -> list[Shot]:
    """Return the answers to strangers, and those to users who came at the same time."""
    with loading(port, strangers, rate=RATE) as flood, loading(port, visits()) as valid:
        seconds_until(lambda: len(flood) == len(strangers), 30)
    return [*flood, *valid]


def change_keys(found: Course, served: Served, upstream: Upstream) -> None:
    """Change the key right after the flood, and once more when that is past."""
    new = visit_of(K2)
    upstream.publish(K1, K2)
    with Phase(found, "new key after a flood", served, upstream) as shots:
        found.seconds["after a flood"] = seconds_until_accepted(served, new)
        shots.extend(during(0.5, served.port, visits(K2)))
    found.old_key["published"] = list(served.each_worker(visit_of(K1)).values())
    time.sleep(1.0)  # a fetch for the flood may just have been followed by one for the new key
    upstream.publish(K2, K3)
    with Phase(found, "new key", served, upstream) as shots:
        start = time.monotonic()
        shots.extend(served.each_worker(visit_of(K3)).values())
        found.seconds["at once"] = time.monotonic() - start
        shots.extend(during(0.5, served.port, visits(K3)))
    found.old_key["withdrawn"] = list(served.each_worker(visit_of(K1)).values())


def seconds_until_accepted(served: Served, visit: Visit) -> float:
    return seconds_until(lambda: all(map(is_right, served.each_worker(visit).values())), at_most=20)


@pytest.fixture(scope="module")
def runs(keep: Callable[[Row], None]) -> Iterator[dict[str, Future[Course]]]:
    floods()  # signs them, before anything is measured
    with side_by_side(course, KINDS) as runs:
        yield runs
        for rows in zip(*(found.rows for found in outcomes(runs)), strict=True):
            for row in rows:
                keep(row)


each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_many_cold_requests_at_once_cost_one_fetch_per_worker(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    run = runs[kind].result()
    name = "48 cold requests at once"
    assert len(run.shots[name]) == HERD
    assert bad(run.shots[name]) == []
    assert run.fetches[name] == WORKERS[kind]


@each_kind
def test_forged_signatures_cost_no_fetch(kind: str, runs: dict[str, Future[Course]]) -> None:
    run = runs[kind].result()
    assert bad(run.shots["flood of forged signatures"]) == []
    assert run.fetches["flood of forged signatures"] == 0


@each_kind
def test_unknown_key_ids_cost_two_fetches_per_worker_and_nobody_waits_for_them(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    run = runs[kind].result()
    name = "flood of unknown key ids"
    assert bad(run.shots[name]) == []
    assert 1 <= run.fetches[name] <= 2 * WORKERS[kind]
    assert most_within(9.5, run.fetched_at) <= 2 * WORKERS[kind]
    assert p99([shot for shot in run.shots[name] if shot.visit.user]) < 1


@each_kind
def test_a_new_key_is_accepted_within_ten_seconds_after_a_flood(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    run = runs[kind].result()
    assert run.seconds["after a flood"] < 10
    assert bad(run.shots["new key after a flood"]) == []


@each_kind
def test_a_new_key_is_accepted_within_a_second(kind: str, runs: dict[str, Future[Course]]) -> None:
    run = runs[kind].result()
    assert bad(run.shots["new key"]) == []
    assert run.seconds["at once"] < 1
    assert run.fetches["new key"] == WORKERS[kind]


@each_kind
def test_the_old_key_counts_as_long_as_clerk_publishes_it(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    run = runs[kind].result()
    assert bad(run.old_key["published"]) == []
    assert [shot.document["error"] for shot in run.old_key["withdrawn"]] == (
        ["Unauthenticated"] * WORKERS[kind]
    )
