"""Being another process on the state of a local Clerk, at a moment that one would rarely meet."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from webtest import TestApp

from clerk_wsgi.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class HasEmulator(Protocol):
        emulator: Emulator


def sessions_seen_with(dev_browser: str, world: HasEmulator) -> list[int]:
    """How many sessions a dev browser's token shows; grows before each further transaction."""
    other = TestApp(Emulator(world.emulator.state, clock=world.emulator._clock))
    seen: list[int] = []

    def look(statement: str) -> None:
        if statement.startswith("BEGIN"):
            answer = other.get("/v1/client", {"__clerk_db_jwt": dev_browser})
            seen.append(len(answer.json["response"]["sessions"]))

    world.emulator._store._connection.set_trace_callback(look)
    return seen


def another(emulator: Emulator) -> Emulator:
    """Another one on the same state, which waits for nobody."""
    other = Emulator(emulator.state, clock=emulator._clock)
    other._store._connection.execute("PRAGMA busy_timeout = 0")
    return other


def as_soon_as(emulator: Emulator, text: str, act: Callable[[], object]) -> None:
    """Let another one act when a statement with this text comes, unless it would have to wait."""

    def look(statement: str) -> None:
        if text in statement:
            emulator._store._connection.set_trace_callback(None)
            with suppress(sqlite3.OperationalError):
                act()

    emulator._store._connection.set_trace_callback(look)
