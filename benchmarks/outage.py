"""What users notice while Clerk is slow, gone, back, and changes its key: latencies, as a table.

python benchmarks/outage.py [--seconds N] [--rate N] [--plot FILE]
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))  # the checkout, whatever is installed

# What the tests of the same name use: see the line above.
from tests.resilience.faults import answers_late  # noqa: E402
from tests.resilience.kinds import WORKERS, serving  # noqa: E402
from tests.resilience.load import Shot, during  # noqa: E402
from tests.resilience.people import K1, K2, visit_of, visits  # noqa: E402
from tests.resilience.rows import is_right, p99  # noqa: E402
from tests.resilience.upstream import Upstream, running  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KIND = "gthread"
KEYS_TTL = 1.0  # seconds, so that many refreshes fall due
LATE = 10.0  # seconds that each answer takes while Clerk is slow
PHASES = {
    "healthy": "Clerk answers at once",
    "slow": "each answer takes 10 s",
    "gone": "connections are refused",
    "back": "Clerk answers at once",
    "new key": "all tokens have a new key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What was answered from ``start`` to ``end``, monotonic seconds, and when keys were fetched.

    Connections that were refused are no fetches.
    """

    name: str
    start: float
    end: float
    shots: list[Shot]
    fetched_at: list[float]

    @property
    def failed(self) -> int:
        return sum(not is_right(shot) for shot in self.shots)


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=_positive, default=8.0, help="of each phase")
    parser.add_argument("--rate", type=_positive, default=100.0, help="requests in a second")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to write an SVG")
    options = parser.parse_args()
    phases = measure(options.seconds, options.rate)
    print(table(phases))
    print(f"\ngunicorn, {WORKERS[KIND]} workers, {KIND}; keys refreshed each {KEYS_TTL:.0f} s.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}.")
    if options.plot:
        options.plot.write_text(plot(phases), "utf-8")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return number


# ---- measuring ----


def measure(seconds: float, rate: float) -> list[Phase]:
    """Run a server through all phases."""
    next(visits(K1)), next(visits(K2))  # all are signed now
    with running(K1) as upstream, serving(KIND, upstream, keys_ttl=KEYS_TTL) as served:
        served.each_worker(visit_of(K1))
        during(2.0, served.port, visits(K1), rate=4 * rate)
        return [_phase(name, served.port, upstream, seconds, rate) for name in PHASES]


def _phase(name: str, port: int, upstream: Upstream, seconds: float, rate: float) -> Phase:
    before, start = upstream.fetches, time.monotonic()
    _turn(upstream, name)
    shots = during(seconds, port, visits(K2 if name == "new key" else K1), rate=rate)
    return Phase(
        name=name,
        start=start,
        end=time.monotonic(),
        shots=shots,
        fetched_at=upstream.fetched_at[before:],
    )


def _turn(upstream: Upstream, name: str) -> None:
    if name == "slow":
        upstream.suffer(answers_late(upstream.publishing(K1), LATE))
    elif name == "gone":
        upstream.vanish()
    elif name == "new key":
        upstream.publish(K1, K2)
    else:
        upstream.publish(K1)


# ---- a table ----


def table(phases: Iterable[Phase]) -> str:
    """Return the figures as a Markdown table; times in milliseconds."""
    head = "| phase | Clerk | requests | failed | p50, ms | p99, ms | longest, ms | key fetches |"
    return "\n".join([head, "|---|---|---:|---:|---:|---:|---:|---:|", *map(_row, phases)])


def _row(phase: Phase) -> str:
    times = [shot.seconds for shot in phase.shots]
    figures = (statistics.median(times), p99(phase.shots), max(times))
    milliseconds = " | ".join(f"{1000 * figure:.1f}" for figure in figures)
    counts = f"{len(times)} | {phase.failed}"
    clerk = PHASES[phase.name]
    return f"| {phase.name} | {clerk} | {counts} | {milliseconds} | {len(phase.fetched_at)} |"


# ---- a plot: milliseconds, on a logarithmic scale, over seconds ----

WIDTH, HEIGHT = 860, 380
LEFT, RIGHT, TOP, BOTTOM = 80, 18, 62, 74
FLOOR, CEILING = 0.5, 20_000.0  # milliseconds
TICKS = {1.0: "1 ms", 10.0: "10 ms", 100.0: "100 ms", 1000.0: "1 s", 10_000.0: "10 s"}
SLICES = 240  # of the whole time: one point for each
SHADES = {"slow": "#d4a72c", "gone": "#cf5b5b", "new key": "#4c8ed9"}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #6e7781 }
.name { font-weight: 600; font-size: 13px }
.grid { stroke: #8b949e; stroke-opacity: .25 }
.half { fill: none; stroke: #2f81c7; stroke-width: 1.5 }
.longest { fill: #2f81c7; fill-opacity: .55 }
.failed { fill: #d1242f }
.late { stroke: #b58a14; stroke-width: 1.5; stroke-dasharray: 5 4 }
.fetch { stroke: #6e7781; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) { text { fill: #9aa4af } }
"""


class Scale:
    """Where a moment and a time stand on the plot."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def x(self, moment: float) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, milliseconds: float) -> float:
        inside = min(max(milliseconds, FLOOR), CEILING)
        share = math.log(inside / FLOOR) / math.log(CEILING / FLOOR)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def plot(phases: Sequence[Phase]) -> str:
    """Return an SVG of all phases."""
    scale = Scale(phases[0].start, phases[-1].end)
    parts = [
        *(_background(phase, scale) for phase in phases),
        *(_tick(milliseconds, text, scale) for milliseconds, text in TICKS.items()),
        *_seconds(scale),
        _sideways("latency of a request"),
        *_latencies(phases, scale),
        *(_fetch(moment, scale) for phase in phases for moment in phase.fetched_at),
        *_legend(),
    ]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    label = 'role="img" aria-label="Latency of requests while Clerk is slow, gone and back"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>'
    return "\n".join([opening, f"<style>{STYLE}</style>", *parts, "</svg>\n"])


def _background(phase: Phase, scale: Scale) -> str:
    left, right = scale.x(phase.start), scale.x(phase.end)
    middle, shade = round((left + right) / 2, 1), SHADES.get(phase.name, "#57a773")
    box = f'x="{left}" y="{TOP}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}"'
    lines = [
        f'<rect {box} fill="{shade}" fill-opacity=".13"/>',
        _text(middle, 18, phase.name, "middle", "name"),
        _text(middle, 35, PHASES[phase.name], "middle"),
        _text(middle, 52, f"{len(phase.shots)} requests, {phase.failed} failed", "middle"),
    ]
    if phase.name == "slow":
        y = scale.y(1000 * LATE)
        lines.append(f'<line class="late" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        lines.append(_text(middle, y + 16, "Clerk's own answers", "middle"))
    return "\n".join(lines)


def _tick(milliseconds: float, text: str, scale: Scale) -> str:
    y = scale.y(milliseconds)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    return line + _text(LEFT - 8, y + 4, text, "end")


def _sideways(text: str) -> str:
    return (
        f'<g transform="rotate(-90)">{_text((BOTTOM - TOP - HEIGHT) / 2, 16, text, "middle")}</g>'
    )


def _seconds(scale: Scale) -> Iterable[str]:
    step = max(1, round((scale.end - scale.start) / 8))
    for second in range(0, int(scale.end - scale.start) + 1, step):
        yield _text(scale.x(scale.start + second), HEIGHT - BOTTOM + 30, f"{second} s", "middle")


def _latencies(phases: Sequence[Phase], scale: Scale) -> Iterable[str]:
    """Draw the median of each slice as a line, its longest time as a dot."""
    slices: dict[int, list[Shot]] = {}
    for shot in (shot for phase in phases for shot in phase.shots):
        share = (shot.at - scale.start) / (scale.end - scale.start)
        slices.setdefault(int(share * SLICES), []).append(shot)
    points = []
    for _, shots in sorted(slices.items()):
        x = scale.x(statistics.mean(shot.at for shot in shots))
        points.append(f"{x},{scale.y(1000 * statistics.median(s.seconds for s in shots))}")
        y = scale.y(1000 * max(shot.seconds for shot in shots))
        kind = "longest" if all(map(is_right, shots)) else "failed"
        yield f'<circle class="{kind}" cx="{x}" cy="{y}" r="2"/>'
    yield f'<polyline class="half" points="{" ".join(points)}"/>'


def _fetch(moment: float, scale: Scale) -> str:
    x, y = scale.x(moment), HEIGHT - BOTTOM
    return f'<line class="fetch" x1="{x}" x2="{x}" y1="{y + 2}" y2="{y + 11}"/>'


def _legend() -> Iterable[str]:
    y = HEIGHT - 14
    yield f'<line class="half" x1="{LEFT}" x2="{LEFT + 22}" y1="{y - 4}" y2="{y - 4}"/>'
    yield _text(LEFT + 28, y, "half of the requests are faster")
    yield f'<circle class="longest" cx="{LEFT + 252}" cy="{y - 4}" r="3"/>'
    yield _text(LEFT + 262, y, "the slowest of a moment")
    x = LEFT + 442
    yield f'<line class="fetch" x1="{x}" x2="{x}" y1="{y - 9}" y2="{y}"/>'
    yield _text(x + 8, y, "keys are asked for")


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "note") -> str:
    place = f'x="{x}" y="{round(y, 1)}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'


if __name__ == "__main__":
    main()
