"""What a scenario came to, counted: one row for each server, and the tables of a whole run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .load import Shot

HEAD = [
    "scenario",
    "server",
    "requests",
    "503",
    "failed",
    "wrong user",
    "key fetches",
    "added p99, ms",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``unavailable`` requests were told that Clerk cannot be asked, where that is so.

    ``failed`` are those with a valid token that got neither their user nor that; ``added_p99`` is
    in milliseconds, against the same server before, ``None`` where there is nothing to compare.
    """

    scenario: str
    server: str
    requests: int
    unavailable: int
    failed: int
    wrong_users: int
    key_fetches: int
    added_p99: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        added = "–" if self.added_p99 is None else f"{self.added_p99:.1f}"
        counts = (
            self.requests,
            self.unavailable,
            self.failed,
            self.wrong_users,
            self.key_fetches,
        )
        return (self.scenario, self.server, *map(str, counts), added)


def is_right(shot: Shot) -> bool:
    """Say whether a visit was answered for its user, or refused if it has none."""
    if shot.visit.user is not None:
        return shot.user == shot.visit.user
    is_let_through = shot.visit.path == "/lax" and shot.document.get("error") == "Unauthenticated"
    return shot.user is None and (shot.status == 401 or is_let_through)


def is_unavailable(shot: Shot) -> bool:
    """Say whether a visit was told that Clerk cannot be asked: 503, or an error for the app."""
    if shot.visit.path == "/lax":
        return shot.user is None and shot.document.get("error") == "ClerkUnavailable"
    return shot.status == 503 and int(shot.headers.get("retry-after", "0")) >= 1


def is_right_or_unavailable(shot: Shot) -> bool:
    return is_right(shot) or is_unavailable(shot)


def is_of_somebody_else(shot: Shot) -> bool:
    return shot.user not in (None, shot.visit.user)


def bad(shots: Iterable[Shot], accept: Callable[[Shot], bool] = is_right) -> list[Shot]:
    """Return those that should not be."""
    return [shot for shot in shots if is_of_somebody_else(shot) or not accept(shot)]


def p99(shots: Sequence[Shot]) -> float:
    """Return the 99th percentile of the answers' times in seconds, an actual one of them."""
    times = sorted(shot.seconds for shot in shots)
    return times[math.ceil(0.99 * len(times)) - 1]


def row_of(
    scenario: str,
    server: str,
    shots: Sequence[Shot],
    *,
    fetches: int,
    healthy: Sequence[Shot] = (),
    accept: Callable[[Shot], bool] = is_right,
) -> Row:
    """Count; the time of requests without a user is not part of the comparison."""
    valid = [shot for shot in shots if shot.visit.user is not None]
    compared = healthy and valid and accept is is_right
    return Row(
        scenario=scenario,
        server=server,
        requests=len(shots),
        unavailable=sum(is_unavailable(shot) for shot in shots),
        failed=sum(not accept(shot) for shot in valid),
        wrong_users=sum(is_of_somebody_else(shot) for shot in shots),
        key_fetches=fetches,
        added_p99=(p99(valid) - p99(healthy)) * 1000 if compared else None,
    )


def table(rows: Iterable[Row]) -> str:
    """Return all rows as a Markdown table."""
    return _table(HEAD, (row.cells for row in rows))


def summary(rows: Iterable[Row]) -> str:
    """Return a Markdown table with one row for each scenario: sums, and the worst p99."""
    scenarios: dict[str, list[Row]] = {}
    for row in rows:
        scenarios.setdefault(row.scenario, []).append(row)
    return _table(HEAD, (_sum(found).cells for found in scenarios.values()))


def _sum(rows: Sequence[Row]) -> Row:
    added = [row.added_p99 for row in rows if row.added_p99 is not None]
    return Row(
        scenario=rows[0].scenario,
        server=rows[0].server if len(rows) == 1 else f"{len(rows)} kinds",
        requests=sum(row.requests for row in rows),
        unavailable=sum(row.unavailable for row in rows),
        failed=sum(row.failed for row in rows),
        wrong_users=sum(row.wrong_users for row in rows),
        key_fetches=sum(row.key_fetches for row in rows),
        added_p99=max(added) if added else None,
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
