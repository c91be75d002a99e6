"""A clock that a test holds in its hand. Nothing else of the package is needed for it."""

from __future__ import annotations

import time


class FrozenClock:
    """The time of day, in Unix seconds, standing still: call it to read it.

    It starts at ``now``, at the present unless that is given. Everybody who must agree on the time
    gets the same clock: ``Emulator(clock=clock)``, and ``clerk_for`` takes it over from there.
    ``now`` may be set, to an earlier time as well, as when somebody corrects a clock.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else float(now)
        self._passed = 0.0

    def __call__(self) -> float:
        return self.now

    def __repr__(self) -> str:
        return f"FrozenClock({self.now!r})"

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass; ``ValueError`` for time that runs backwards."""
        if seconds < 0:
            raise ValueError("time does not run backwards; set now to correct the clock")
        self.now += seconds
        self._passed += seconds

    def monotonic(self) -> float:
        """Return how many seconds have passed, whatever ``now`` was set to meanwhile."""
        return self._passed
