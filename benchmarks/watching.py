"""What a piece of work did, without a clock: memory that it keeps, signatures that it verified."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def memory_kept(work: Callable[[], object]) -> int:
    """Return the bytes that Python has allocated in some work and not freed after it.

    What ``work`` returns is alive while it is counted.
    """
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = work()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return after - before


def verifications(work: Callable[[], object]) -> int:
    """Return how often some work, in this thread, has called a ``verify`` of ``cryptography``."""
    count = 0

    def note(_: object, event: str, called: Any) -> None:
        nonlocal count
        count += event == "c_call" and called.__name__ == "verify"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
