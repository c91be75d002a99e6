"""When a call to Clerk's API is made again, after what pause, and until when.

All times are in seconds. Nothing here sends anything.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answer import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answer import Answer

_LEADING_NUMBER = re.compile(r"\s*([0-9]{1,15})")


class Deadline:
    """The end of the time for one call, or for several."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + seconds

    def left(self) -> float:
        """Return the time that is left: zero or less if none is."""
        return self._until - self._monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a call is tried in all, and what lies between two tries.

    The pause doubles from ``first_pause`` to ``longest_pause``; ``jitter`` (0 to 1) takes up to
    half of it away, so that those who failed together do not come back together.
    """

    tries: int = 3
    first_pause: float = 0.25
    longest_pause: float = 2.0
    jitter: Callable[[], float] = random.random

    def pause(self, failures: int, outcome: Answer | Unreachable) -> float:
        """Return the pause after so many failures, on top of what Clerk itself asked for."""
        pause = min(self.first_pause * 2.0 ** (failures - 1), self.longest_pause)
        return pause * (1 - self.jitter() / 2) + (retry_after(outcome) or 0)


NEVER = Retries(tries=1)


def is_passing(outcome: Answer | Unreachable) -> bool:
    """Say whether the same call may succeed a little later."""
    if isinstance(outcome, Unreachable):
        return True
    status = outcome.status
    return status == 429 or (500 <= status <= 599 and status != 501)


def retry_after(outcome: Answer | Unreachable) -> int | None:
    """Return the whole seconds of a ``Retry-After`` header: ``2.5`` is 2, a date is none."""
    if isinstance(outcome, Unreachable):
        return None
    seconds = _LEADING_NUMBER.match(outcome.headers.get("Retry-After", ""))
    return int(seconds[1]) if seconds else None
