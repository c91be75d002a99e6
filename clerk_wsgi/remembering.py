"""A bounded memory that forgets what was asked for longest ago. A leaf: it knows no tokens."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_Name = TypeVar("_Name", str, bytes)
_Value = TypeVar("_Value")


class Memory(Generic[_Name, _Value]):
    """At most ``size`` values by name. Threads need no lock: what one drops, another misses."""

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[_Name, _Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, name: _Name) -> _Value | None:
        """Return what was noted under this name, if it is still there."""
        value = self._kept.get(name)
        if value is not None:
            try:
                self._kept.move_to_end(name)
            except KeyError:  # another thread has just dropped it: it is as good as before
                return value
        return value

    def note(self, name: _Name, value: _Value) -> None:
        """Remember a value; of too many the one goes that was asked for longest ago."""
        kept = self._kept
        kept[name] = value
        while len(kept) > self._size:
            try:
                kept.popitem(last=False)
            except KeyError:  # another thread made room
                break

    def forget(self, name: _Name) -> None:
        """Drop what was noted under this name, if anything was."""
        self._kept.pop(name, None)
