"""Bounds on what strangers can make us do (rules 7 and 13): how often, and not the same twice.

Times are seconds of whatever clock the caller reads. Nothing here locks: who shares one between
threads guards it, except for asking, which is always safe.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from contextlib import suppress
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Window:
    """At most ``limit`` attempts in any ``seconds``."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._attempts: deque[float] = deque(maxlen=limit)

    def is_full(self, now: float) -> bool:
        """Say whether one more attempt would be too many."""
        attempts = self._attempts
        return len(attempts) == attempts.maxlen and now < attempts[0] + self._seconds

    def count(self, now: float) -> None:
        """Count an attempt, whatever becomes of it."""
        self._attempts.append(now)


class BriefMemory(Generic[Value]):
    """What was noted about texts in the last ``seconds``; of more than ``size`` the oldest go."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._noted: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def recall(self, text: str, now: float) -> Value | None:
        """Return what was noted about the text lately, else ``None``."""
        until, value = self._noted.get(text, (now, None))
        return value if now < until else None

    def note(self, text: str, value: Value, now: float) -> None:
        """Remember a value from now on."""
        self._noted.pop(text, None)
        self._noted[text] = (now + self._seconds, value)
        if len(self._noted) > self._size:
            with suppress(KeyError):  # another thread made room
                self._noted.popitem(last=False)


class Backoff:
    """How long nothing is tried after a failure: ``first`` seconds, doubled up to ``longest``."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0
        self._over_at = float("-inf")

    def is_over(self, now: float) -> bool:
        """Say whether it may be tried again."""
        return now >= self._over_at

    def fail(self, now: float) -> None:
        """Count a failure."""
        pause = self._first * 2.0 ** min(self._failures, 32)
        self._failures += 1
        self._over_at = now + min(pause, self._longest)

    def succeed(self) -> None:
        """Forget all failures."""
        self._failures, self._over_at = 0, float("-inf")
