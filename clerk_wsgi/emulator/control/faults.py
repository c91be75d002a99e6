"""The control API's faults: latency, failures and rate limits, set and taken away from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..faults import LONGEST_LATENCY, LONGEST_WINDOW, Failure, RateLimit
from .readers import (
    list_reader,
    number_reader,
    read_call,
    read_prefix,
    whole_reader,
    wrong_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request

    from ..app import Emulator
    from ..objects import Document
    from ..readers import Reader
    from ..routing import Route

RESET = "reset"  # the status of a connection that breaks
_ERRORS = whole_reader(400, 599)
_DAY = 86_400


def _read_outcome(name: str, value: object) -> int | None:
    if isinstance(value, str):
        if value != RESET:
            raise wrong_value(name, f'must be a status from 400 to 599, or "{RESET}".')
        return None
    status: int = _ERRORS(name, value)
    return status


def _read_window(name: str, value: object) -> float:
    seconds: float = number_reader(0, LONGEST_WINDOW)(name, value)
    if seconds == 0:
        raise wrong_value(name, "must be more than 0.")
    return seconds


_FAILURE: Mapping[str, Reader] = {
    "status": _read_outcome,
    "rate": number_reader(0, 1),
    "prefix": read_prefix,
    "retry_after": whole_reader(0, _DAY),
}
_LIMIT: Mapping[str, Reader] = {
    "requests": whole_reader(1, 1_000_000),
    "seconds": _read_window,
    "prefix": read_prefix,
}
_NEEDED = ("requests", "seconds")
_ALL: Mapping[str, Reader] = {
    "latency": number_reader(0, LONGEST_LATENCY),
    "failures": list_reader(_FAILURE),
    "rate_limits": list_reader(_LIMIT, *_NEEDED),
}


class FaultControl:
    """The endpoints about what is wrong on purpose."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/_emulator/faults", self._show),
            ("PUT", "/_emulator/faults", self._replace),
            ("DELETE", "/_emulator/faults", self._clear),
            ("POST", "/_emulator/rate_limit", self._limit),
        ]

    def _show(self, request: Request) -> Response:
        read_call(request)
        return self._present()

    def _replace(self, request: Request) -> Response:
        given = read_call(request, _ALL)
        self._emulator.faults.replace(
            latency=given.get("latency", 0.0),
            failures=[Failure(**one) for one in given.get("failures", [])],
            limits=[RateLimit(**one) for one in given.get("rate_limits", [])],
        )
        return self._present()

    def _clear(self, request: Request) -> Response:
        read_call(request)
        self._emulator.faults.clear()
        return self._present()

    def _limit(self, request: Request) -> Response:
        self._emulator.faults.add_limit(RateLimit(**read_call(request, _LIMIT, *_NEEDED)))
        return self._present()

    def _present(self) -> Response:
        """Answer with what is wrong, in the form in which ``PUT`` takes it."""
        faults = self._emulator.faults
        shown = {
            "latency": faults.latency,
            "failures": [_shown_failure(failure) for failure in faults.failures],
            "rate_limits": [_shown_limit(limit) for limit in faults.limits],
        }
        return Response(json=shown)


def _shown_failure(failure: Failure) -> Document:
    return {
        "status": RESET if failure.status is None else failure.status,
        "rate": failure.rate,
        "prefix": failure.prefix,
        "retry_after": failure.retry_after,
    }


def _shown_limit(limit: RateLimit) -> Document:
    return {"requests": limit.requests, "seconds": limit.seconds, "prefix": limit.prefix}
