"""A ``Clerk`` whose other side is a local Clerk, and being the default instance for a while."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from ..api.calling import rest
from ..clerk import Clerk, set_default
from ..config import SETTINGS
from ..settings import Settings
from .clock import FrozenClock
from .socketless import in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Unpack

    from ..emulator import Emulator
    from ..settings import SettingArguments


def clerk_for(emulator: Emulator, **settings: Unpack[SettingArguments]) -> Clerk:
    """Return an instance that knows no other Clerk than ``emulator``, and asks it without a socket.

    Its keys and its clock are the emulator's; with a ``FrozenClock`` the ages of keys and the
    pauses between two tries follow it, too. ``settings`` are ``Clerk``'s. Neither environment
    variables nor ``.env`` files have a say, so that a test is the same on every machine.
    """
    keys = {"secret_key": emulator.secret_key, "publishable_key": emulator.publishable_key}
    given: dict[str, Any] = {**_defaults(), **keys, **settings}
    return Clerk(http=in_process(emulator), dotenv=False, **_times_of(emulator), **given)


@contextmanager
def as_default(clerk: Clerk) -> Iterator[Clerk]:
    """Let ``clerk`` be the default instance inside of ``with``, and then what was before.

    An application that ``with_session`` or ``require_session`` wraps meanwhile keeps it.
    """
    before = set_default(clerk)
    try:
        yield clerk
    finally:
        set_default(before)


def _times_of(emulator: Emulator) -> dict[str, Any]:
    clock = emulator._clock
    if isinstance(clock, FrozenClock):
        return {"clock": clock, "monotonic": clock.monotonic, "sleep": clock.tick}
    return {"clock": clock, "monotonic": time.monotonic, "sleep": rest}


def _defaults() -> dict[str, Any]:
    """Return what keeps the environment out: each setting that a variable could stand for.

    An empty text is a setting without a value, whatever the environment says.
    """
    defaults = {each.name: each.default for each in fields(Settings)}
    named = (setting.name for setting in SETTINGS if setting.variables)
    return {name: _given(defaults[name]) for name in named}


def _given(default: object) -> object:
    return "" if default is None or default is MISSING else default
