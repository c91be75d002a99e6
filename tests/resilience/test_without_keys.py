"""Without keys there is nothing but 503: cold starts, new workers, and keys that are too old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .cold import COLD, ColdStarts, cold_starts
from .faults import OUTAGES
from .kinds import GUNICORNS, KINDS, WORKERS, serving
from .people import K1
from .restarts import Restarts, WornOut, kill_one, restarts, worn_out
from .rows import Row, bad, is_right, is_right_or_unavailable, is_unavailable
from .scenarios import outcomes, side_by_side
from .upstream import most_within, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from .load import Shot

pytestmark = pytest.mark.servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """All of it at once: nothing here is compared by its speed."""

    cold: Mapping[str, Future[ColdStarts]]
    restarts: Mapping[str, Future[Restarts]]
    worn_out: Mapping[str, Future[WornOut]]


@pytest.fixture(scope="module")
def runs(keep: Callable[[Row], None]) -> Iterator[Runs]:
    with (
        side_by_side(cold_starts, KINDS) as cold,
        side_by_side(restarts, GUNICORNS) as restarted,
        side_by_side(worn_out, GUNICORNS) as worn,
    ):
        yield Runs(cold=cold, restarts=restarted, worn_out=worn)
        for rows in zip(*(found.rows for found in outcomes(cold)), strict=True):
            for row in rows:
                keep(row)
        for row in (found.row for found in outcomes(restarted)):
            keep(row)
        for row in (found.row for found in outcomes(worn)):
            keep(row)


each_kind = pytest.mark.parametrize("kind", KINDS)
each_gunicorn = pytest.mark.parametrize("kind", GUNICORNS)


# ---- a start without Clerk, and keys that are too old ----


@each_kind
@pytest.mark.parametrize("name", COLD)
def test_a_cold_start_without_clerk_is_503_in_time(kind: str, name: str, runs: Runs) -> None:
    shots = runs.cold[kind].result().shots[f"cold start: {name}"]
    assert len(shots) >= 4
    assert bad(shots, is_unavailable) == []
    assert max(shot.seconds for shot in shots) < 5


@each_kind
@pytest.mark.parametrize("name", ["silent", "500"])
def test_a_cold_start_costs_each_worker_one_fetch_a_second(
    kind: str, name: str, runs: Runs
) -> None:
    fetched_at = runs.cold[kind].result().fetched_at[f"cold start: {name}"]
    assert fetched_at
    assert most_within(0.9, fetched_at) <= WORKERS[kind]


@each_kind
def test_keys_that_are_stale_still_sign_everybody_in(kind: str, runs: Runs) -> None:
    shots = runs.cold[kind].result().shots["stale"]
    assert shots
    assert bad(shots) == []


@each_kind
def test_keys_that_are_too_old_are_503_and_no_sign_out(kind: str, runs: Runs) -> None:
    run, name = runs.cold[kind].result(), "keys older than `stale_keys`"
    assert run.shots[name]
    assert bad(run.shots[name], is_unavailable) == []
    assert most_within(0.9, run.fetched_at[name]) <= WORKERS[kind]


@each_kind
@pytest.mark.parametrize("name", ["cold start", "too old"])
def test_when_clerk_is_back_all_is_well_within_five_seconds(
    kind: str, name: str, runs: Runs
) -> None:
    run = runs.cold[kind].result()
    assert run.recoveries[name] < 5
    assert bad(run.shots[f"recovery: {name}"], is_right_or_unavailable) == []
    assert is_right(run.shots[f"recovery: {name}"][-1])


# ---- workers that end during an outage ----


def answered(shots: list[Shot]) -> list[Shot]:
    """Return those whose connection did not end with the worker: at most a handful did."""
    found = [shot for shot in shots if shot.status]
    assert len(shots) - len(found) <= 8
    return found


@each_gunicorn
def test_a_worker_that_warms_up_has_keys_before_its_first_request(kind: str, runs: Runs) -> None:
    assert runs.restarts[kind].result().fetches_of_start == WORKERS[kind]


@each_gunicorn
def test_a_worker_that_is_killed_in_an_outage_takes_no_other_with_it(kind: str, runs: Runs) -> None:
    run = runs.restarts[kind].result()
    assert is_right(run.survivor)
    assert bad(answered(run.shots), is_right_or_unavailable) == []


@each_gunicorn
def test_workers_start_without_clerk_and_have_no_keys(kind: str, runs: Runs) -> None:
    run = runs.restarts[kind].result()
    assert len(run.reloaded) == WORKERS[kind]
    assert bad([run.successor, *run.reloaded], is_unavailable) == []


@each_gunicorn
def test_workers_that_wear_out_in_an_outage_sign_nobody_out(kind: str, runs: Runs) -> None:
    run = runs.worn_out[kind].result()
    assert run.replaced >= 1
    assert bad(answered(run.shots), is_right_or_unavailable) == []


@each_gunicorn
def test_new_workers_have_keys_within_five_seconds_after_clerk_is_back(
    kind: str, runs: Runs
) -> None:
    assert runs.restarts[kind].result().recovery < 5
    assert runs.worn_out[kind].result().recovery < 5


def test_a_worker_that_inherits_keys_needs_no_clerk_when_it_starts() -> None:
    kind = "gthread, preloaded"
    with (
        running(K1) as upstream,
        serving(kind, upstream, app="tests.resilience.preloaded:app") as served,
    ):
        assert upstream.fetches == 1
        OUTAGES["gone"](upstream)
        survivor, successor = kill_one(served)
        assert is_right(survivor)
        assert is_right(successor)
