"""Outages on purpose: answers that are late, that are errors, and connections that break.

    emulator.faults.latency = 2.5                  # seconds, for every request
    emulator.faults.fail(503)                      # every request is answered 503
    emulator.faults.fail(429, rate=0.25)           # every fourth one
    emulator.faults.fail(None, prefix="/v1/jwks")  # connections are reset
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
    from webob import Request

RETRY_AFTER = 1  # seconds, with every 429 unless said otherwise
LONGEST_LATENCY = 3600.0
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
    """What is wrong with the local Clerk; it may be changed at any time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latency = 0.0
        self._failures: list[_Counted] = []

    @property
    def latency(self) -> float:
        """How many seconds every request waits; requests that wait notice a change."""
        return self._latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        if not 0 <= seconds <= LONGEST_LATENCY:
            raise ValueError("the latency is a number of seconds from 0 to 3600")
        self._latency = float(seconds)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The failures there are, in the order in which they are tried."""
        return tuple(counted.failure for counted in self._failures)

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

    def clear(self) -> None:
        """Let all be well again."""
        with self._lock:
            self._latency = 0.0
            self._failures = []

    def meet(self, request: Request) -> None:
        """Wait, and raise a ``Refusal`` or ``ConnectionReset`` if this request is to fail."""
        self._wait()
        path = request.environ.get("PATH_INFO", "")
        with self._lock:
            failing = [one.failure for one in self._failures if one.is_due(path)]
        if failing:
            raise _error_of(failing[0])

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
