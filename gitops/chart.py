"""Small charts as inline SVG, so that a report is one file that opens offline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

Coordinate = Callable[[float], str]
WIDTH, HEIGHT = 860, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 26


@dataclass(frozen=True)
class Line:
    """One series over the common time axis; NaN breaks it. `style` is a class of the report's style sheet."""

    label: str
    values: Sequence[float]
    style: str
    steps: bool = False


@dataclass(frozen=True)
class Band:
    """The area between two series."""

    label: str
    low: Sequence[float]
    high: Sequence[float]
    style: str


def nice_step(top: float, ticks: int = 4) -> float:
    """A round distance of about `top / ticks`: 1, 2 or 5 times a power of ten."""
    raw = max(top, 1e-9) / ticks
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


def time_chart(
    start: datetime, lines: Sequence[Line], bands: Sequence[Band] = (), *, now_index: int | None = None, unit: str = ""
) -> str:
    """Hourly series from `start` on as an SVG with day marks, a zero-based axis and a line at `now_index`."""
    count = max(len(line.values) for line in lines)
    every = [v for line in lines for v in line.values] + [v for band in bands for v in band.high]
    top = max((v for v in every if math.isfinite(v)), default=1.0) * 1.05 or 1.0
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(index: float) -> str:
        return f"{LEFT + inner_width * index / max(count - 1, 1):.1f}"

    def y(value: float) -> str:
        return f"{TOP + inner_height * (1 - value / top):.1f}"

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart">']
    step = nice_step(top)
    for k in range(int(top / step) + 1):
        level = y(k * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level}" y2="{level}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{level}" dy=".32em" text-anchor="end">{k * step:g}</text>')
    parts.append(f'<text class="tick" x="4" y="{TOP}" dy=".3em">{escape(unit)}</text>')
    for index in range(count):
        at = start + timedelta(hours=index)
        if at.hour == 0:
            parts.append(f'<line class="grid" x1="{x(index)}" x2="{x(index)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
            if at.weekday() in (0, 3) or count < 24 * 9:
                parts.append(f'<text class="tick" x="{x(index)}" y="{HEIGHT - 8}">{at:%a %d %b}</text>')
    for band in bands:
        pairs = [(i, lo, hi) for i, (lo, hi) in enumerate(zip(band.low, band.high, strict=True)) if math.isfinite(lo + hi)]
        if pairs:
            upper = " ".join(f"{x(i)},{y(hi)}" for i, _, hi in pairs)
            lower = " ".join(f"{x(i)},{y(lo)}" for i, lo, _ in reversed(pairs))
            parts.append(f'<polygon class="{band.style}" points="{upper} {lower}"><title>{escape(band.label)}</title></polygon>')
    for line in lines:
        parts.append(f'<path class="{line.style}" d="{path(line, x, y)}"><title>{escape(line.label)}</title></path>')
    if now_index is not None:
        parts.append(f'<line class="now" x1="{x(now_index)}" x2="{x(now_index)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="tick" x="{x(now_index)}" dx="4" y="{TOP}" dy=".5em">now</text>')
    return "".join(parts) + "</svg>"


def path(line: Line, x: Coordinate, y: Coordinate) -> str:
    """SVG path data; a gap where a value is missing, corners where the series holds its value for the hour."""
    commands, drawing = [], False
    for index, value in enumerate(line.values):
        if not math.isfinite(value):
            drawing = False
            continue
        if line.steps and drawing:
            commands.append(f"H{x(index)}")
        commands.append(f"{'L' if drawing else 'M'}{x(index)},{y(value)}")
        drawing = True
    return "".join(commands)
