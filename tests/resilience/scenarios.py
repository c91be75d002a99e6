"""Running one scenario against all kinds of servers side by side: most of it is waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from .people import visits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Key = TypeVar("Key")
Outcome = TypeVar("Outcome")

# What a scenario is given beside the kind of server: called once it is ready to be measured, it
# returns when all are, so that none is compared with a time when others were just starting.
Ready = Callable[[], object]


@contextmanager
def side_by_side(
    scenario: Callable[[Key, Ready], Outcome], keys: Sequence[Key]
) -> Iterator[dict[Key, Future[Outcome]]]:
    """Run a scenario for each kind of server; whoever asks for an outcome waits for it."""
    next(visits())  # all are signed now, before anything is measured
    all_ready = threading.Barrier(len(keys))

    def run(key: Key) -> Outcome:
        try:
            return scenario(key, all_ready.wait)
        except BaseException:
            all_ready.abort()  # nobody waits for one that never will be
            raise

    with ThreadPoolExecutor(len(keys)) as pool:
        yield {key: pool.submit(run, key) for key in keys}


def outcomes(runs: Mapping[Key, Future[Outcome]]) -> list[Outcome]:
    """Return what came of those that ended well; the tests tell of the others."""
    return [run.result() for run in runs.values() if run.exception() is None]


def seconds_until(condition: Callable[[], object], at_most: float) -> float:
    """Return how long it took until a condition held; fail if it never did."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < at_most, f"not within {at_most} s"
        time.sleep(0.05)
    return time.monotonic() - start
