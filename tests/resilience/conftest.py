"""The rows of a run: collected here, and printed when it ends.

With ``RESILIENCE_TABLE=FILE`` in the environment they are written there, too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .rows import Row, summary, table

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def keep(pytestconfig: pytest.Config) -> Callable[[Row], None]:
    """Keep a row for the table."""
    return pytestconfig.stash.setdefault(ROWS, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    text = f"{summary(rows)}\n\n{table(rows)}\n"
    terminalreporter.section("when Clerk is slow, broken or hostile")
    terminalreporter.write(text)
    if path := os.environ.get("RESILIENCE_TABLE"):
        Path(path).write_text(text, "utf-8")
