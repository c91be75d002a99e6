"""A bounded memory that forgets what was asked for longest ago. A leaf: it knows no tokens."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Memory(Generic[_Value]):
    """At most ``size`` values by text. Threads need no lock: what one drops, another misses."""

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, text: str) -> _Value | None:
        """Return what was noted under this text, if it is still there."""
        value = self._kept.get(text)
        if value is not None:
            try:
                self._kept.move_to_end(text)
            except KeyError:  # another thread has just dropped it: it is as good as before
                return value
        return value

    def note(self, text: str, value: _Value) -> None:
        """Remember a value; of too many the one goes that was asked for longest ago."""
        kept = self._kept
        kept[text] = value
        while len(kept) > self._size:
            try:
                kept.popitem(last=False)
            except KeyError:  # another thread made room
                break

    def forget(self, text: str) -> None:
        """Drop what was noted under this text, if anything was."""
        self._kept.pop(text, None)
