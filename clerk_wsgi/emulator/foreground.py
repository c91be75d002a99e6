"""Running until the user, or whoever started the process, has had enough."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

POLL = 0.05
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class StopSignals:
    """While entered, Ctrl-C and friends are noted instead of ending the process on the spot.

    What is to be cleaned up therefore always is, however often somebody presses Ctrl-C.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Return when a signal has come, or as soon as ``unless()`` is true."""
        while not self.received and not unless():
            time.sleep(POLL)

    def _note(self, *_: object) -> None:
        self.received = True
