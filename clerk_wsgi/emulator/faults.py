"""Outages on purpose: answers that are late, that are errors, and connections that break.

    emulator.faults.latency = 2.5                  # seconds, for every request
    emulator.faults.fail(503)                      # every request is answered 503
    emulator.faults.fail(429, rate=0.25)           # every fourth one
    emulator.faults.fail(None, prefix="/v1/jwks")  # connections are reset
    emulator.faults.limit(20, seconds=10)          # what is more gets 429 until the window ends
    emulator.faults.clear()                        # all is well again, at once

An error says nothing about what was asked: it comes before the key is looked at.
"""

from __future__ import annotations

import math
import re
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from .errors import ConnectionReset, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webob import Request

RETRY_AFTER = 1  # seconds, with every 429 unless said otherwise
LONGEST_LATENCY = 3600.0
LONGEST_WINDOW = 86_400.0
_STEP = 0.02
_TINY = 1e-9  # so that ten tenths are one
_OUTCOME = "[45][0-9]{2}|reset"
_FAILURE = re.compile(
    rf"(?:(?P<rate>[01](?:\.[0-9]{{1,6}})?)(?:,(?P<outcome>{_OUTCOME}))?|(?P<alone>{_OUTCOME}))"
    r"(?::(?P<prefix>/[!-~]*))?"
)
_TEXTS = {
    429: ("too_many_requests", "Too many requests. Please try again in a bit."),
    500: ("internal_clerk_error", "Oops, an unexpected error occurred"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What becomes of requests whose path begins with ``prefix``.

    ``status`` is that of an error answer, or ``None`` for a connection that is reset. ``rate`` is
    how many of them fail, from 0 to 1, evenly spread: 0.25 is every fourth request.
    ``retry_after`` (seconds) goes with a 429.
    """

    status: int | None = HTTPStatus.SERVICE_UNAVAILABLE
    rate: float = 1.0
    prefix: str = "/"
    retry_after: int = RETRY_AFTER

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in range(400, 600):
            raise ValueError("a failure has a status from 400 to 599, or None for a reset")
        if not 0 <= self.rate <= 1:
            raise ValueError("the rate of a failure is a number from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How many requests whose path begins with ``prefix`` pass in each window of ``seconds``.

    A window begins with the first request after the last one's end. What is more is answered 429,
    and ``Retry-After`` says when the window ends.
    """

    requests: int
    seconds: float
    prefix: str = "/"

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ValueError("a rate limit lets one request pass or more")
        if not 0 < self.seconds <= LONGEST_WINDOW:
            raise ValueError("the window of a rate limit is a number of seconds up to 86400")


def parse_failure(text: str) -> Failure:
    """Return the failure that a text such as ``503``, ``0.1``, ``0.5,429:/v1/users`` stands for.

    It is a rate, a status or ``reset``, or both with a comma between; and after a colon the
    beginning of a path. Raises ``ValueError``.
    """
    match = _FAILURE.fullmatch(text)
    if not match:
        raise ValueError("expected RATE, STATUS, reset or RATE,STATUS, and perhaps :/path")
    outcome = match["outcome"] or match["alone"] or HTTPStatus.SERVICE_UNAVAILABLE
    return Failure(
        status=None if outcome == "reset" else int(outcome),
        rate=float(match["rate"] or 1),
        prefix=match["prefix"] or "/",
    )


class Faults:
    """What is wrong with the local Clerk; it may be changed at any time, from any thread.

    ``monotonic`` (seconds) is the clock of the rate limits.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._latency = 0.0
        self._failures: list[_Counted] = []
        self._windows: list[_Window] = []

    @property
    def latency(self) -> float:
        """How many seconds every request waits; requests that wait notice a change."""
        return self._latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._latency = _checked_latency(seconds)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures there are, in the order in which they are tried."""
        return tuple(counted.failure for counted in self._failures)

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """The rate limits there are, all of which are to be kept."""
        return tuple(window.limit for window in self._windows)

    def add(self, failure: Failure) -> None:
        """Let requests fail in this way, too."""
        with self._lock:
            self._failures = [*self._failures, _Counted(failure)]

    def fail(
        self,
        status: int | None = HTTPStatus.SERVICE_UNAVAILABLE,
        *,
        rate: float = 1.0,
        prefix: str = "/",
        retry_after: int = RETRY_AFTER,
    ) -> None:
        """Let requests fail; the arguments are those of ``Failure``."""
        self.add(Failure(status=status, rate=rate, prefix=prefix, retry_after=retry_after))

    def limit(self, requests: int, *, seconds: float, prefix: str = "/") -> None:
        """Let only so many requests pass in a window of time; the arguments are ``RateLimit``'s."""
        self.add_limit(RateLimit(requests=requests, seconds=seconds, prefix=prefix))

    def add_limit(self, limit: RateLimit) -> None:
        """Let a rate limit be kept, too; its first window begins with the next request."""
        with self._lock:
            self._windows = [*self._windows, _Window(limit)]

    def replace(
        self,
        *,
        latency: float = 0.0,
        failures: Iterable[Failure] = (),
        limits: Iterable[RateLimit] = (),
    ) -> None:
        """Let this be wrong, at once, and nothing else."""
        checked = _checked_latency(latency)
        counted, windows = [*map(_Counted, failures)], [*map(_Window, limits)]
        with self._lock:
            self._latency, self._failures, self._windows = checked, counted, windows

    def clear(self) -> None:
        """Let all be well again."""
        self.replace()

    def meet(self, request: Request) -> None:
        """Wait, and raise a ``Refusal`` or ``ConnectionReset`` if this request is to fail."""
        self._wait()
        path = request.environ.get("PATH_INFO", "")
        with self._lock:
            failing = self._over_limit(path) or [
                one.failure for one in self._failures if one.is_due(path)
            ]
        if failing:
            raise _error_of(failing[0])

    def _over_limit(self, path: str) -> list[Failure]:
        """Count a request if it passes; else return what becomes of it."""
        now = self._monotonic()
        windows = [one for one in self._windows if path.startswith(one.limit.prefix)]
        wait = max((one.wait(now) for one in windows), default=0.0)
        if wait > 0:
            retry_after = max(1, math.ceil(wait - _TINY))
            return [Failure(status=HTTPStatus.TOO_MANY_REQUESTS, retry_after=retry_after)]
        for window in windows:
            window.count(now)
        return []

    def _wait(self) -> None:
        started = time.monotonic()
        while (left := started + self._latency - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))


class _Counted:
    """A failure that counts the requests which it is about."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self._requests = 0

    def is_due(self, path: str) -> bool:
        """Count a request, and say whether it fails."""
        if not path.startswith(self.failure.prefix):
            return False
        before, self._requests = self._requests, self._requests + 1
        return self._share_of(self._requests) > self._share_of(before)

    def _share_of(self, requests: int) -> int:
        return math.floor(requests * self.failure.rate + _TINY)


class _Window:
    """A rate limit that counts the requests which passed in the present window."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._passed = 0
        self._end = -math.inf

    def wait(self, now: float) -> float:
        """Return how many seconds the next request is too early, at most 0 if it may pass."""
        return self._end - now if self._passed >= self.limit.requests else 0.0

    def count(self, now: float) -> None:
        """Count a request that passed."""
        if now >= self._end:
            self._passed, self._end = 0, now + self.limit.seconds
        self._passed += 1


def _checked_latency(seconds: float) -> float:
    if not 0 <= seconds <= LONGEST_LATENCY:
        raise ValueError("the latency is a number of seconds from 0 to 3600")
    return float(seconds)


def _error_of(failure: Failure) -> Exception:
    if failure.status is None:
        return ConnectionReset("a fault on purpose")
    code, message = _TEXTS.get(failure.status) or _text_of(failure.status)
    retry_after = failure.retry_after if failure.status == HTTPStatus.TOO_MANY_REQUESTS else None
    return Refusal(failure.status, code, message, retry_after=retry_after)


def _text_of(status: int) -> tuple[str, str]:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown error"
    return phrase.lower().replace(" ", "_").replace("-", "_"), phrase
