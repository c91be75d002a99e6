"""Figures as Markdown: tables whose numbers stand to the right, medians with their quartiles."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its first column holds titles, all others figures."""
    lines = [_line(head), f"|---|{'---:|' * (len(head) - 1)}", *map(_line, rows)]
    return "\n".join(lines)


def median_and_quartiles(values: Sequence[float], places: int) -> tuple[str, str]:
    """Return the median, and the quartiles as a range; of one value alone it is all three."""
    if len(values) < 2:
        return f"{values[0]:.{places}f}", f"{values[0]:.{places}f} – {values[0]:.{places}f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{places}f}", f"{low:.{places}f} – {high:.{places}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
