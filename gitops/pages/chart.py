"""Small charts as inline SVG, so that a report is one file that opens offline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

Coordinate = Callable[[float], str]
WIDTH, HEIGHT = 860, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 18, 26
LABEL = 56
"""How wide the name of a day is."""


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


@dataclass(frozen=True)
class Dots:
    """Single values to look at; NaN where there is none."""

    label: str
    values: Sequence[float]
    style: str


def nice_step(top: float, ticks: int = 4) -> float:
    """A round distance of about `top / ticks`: 1, 2 or 5 times a power of ten."""
    raw = max(top, 1e-9) / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


@dataclass(frozen=True)
class Frame:
    """Where hours and values lie in the picture."""

    hours: int
    top: float

    def x(self, hour: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * hour / max(self.hours - 1, 1):.1f}"

    def y(self, value: float) -> str:
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / self.top):.1f}"

    def upright(self, hour: float, style: str) -> str:
        x = self.x(hour)
        return f'<line class="{style}" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'


def time_chart(
    start: datetime,
    lines: Sequence[Line],
    bands: Sequence[Band] = (),
    dots: Dots | None = None,
    *,
    now_index: int | None = None,
    unit: str = "",
) -> str:
    """Hourly series from `start` on as an SVG with day marks, a zero-based axis and a line at `now_index`."""
    shown = [v for line in lines for v in line.values] + [v for band in bands for v in band.high]
    top = max((v for v in shown if math.isfinite(v)), default=0.0) * 1.05 or 1.0
    frame = Frame(max(len(line.values) for line in lines), top)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="chart">',
        *value_axis(frame, unit),
        *day_axis(frame, start),
        *(area(band, frame) for band in bands),
        *(
            titled("path", line.style, f'd="{path(line, frame.x, frame.y)}"', line.label)
            for line in lines
        ),
    ]
    if dots is not None:
        parts += (
            titled(
                "circle", dots.style, f'cx="{frame.x(i)}" cy="{frame.y(value)}" r="3"', dots.label
            )
            for i, value in enumerate(dots.values)
            if math.isfinite(value)
        )
    if now_index is not None:
        x = frame.x(now_index)
        parts.append(frame.upright(now_index, "now"))
        parts.append(f'<text class="tick" x="{x}" dx="4" y="{TOP}" dy=".5em">now</text>')
    return "".join(parts) + "</svg>"


def value_axis(frame: Frame, unit: str) -> Iterator[str]:
    """Lines at round values, from zero up, and what they count."""
    step = nice_step(frame.top)
    for k in range(int(frame.top / step) + 1):
        y, value = frame.y(k * step), f"{k * step:g}"
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y}" dy=".32em" text-anchor="end">{value}</text>'
    yield f'<text class="tick" x="4" y="{TOP - 9}" dy=".3em">{escape(unit)}</text>'


def day_axis(frame: Frame, start: datetime) -> Iterator[str]:
    """A line at each midnight; over many days only Mondays and Thursdays are named."""
    for hour in range(frame.hours):
        at = start + timedelta(hours=hour)
        if at.hour == 0:
            yield frame.upright(hour, "grid")
            fits = float(frame.x(hour)) < WIDTH - RIGHT - LABEL
            if fits and (at.weekday() in (0, 3) or frame.hours < 24 * 9):
                yield f'<text class="tick" x="{frame.x(hour)}" y="{HEIGHT - 8}">{at:%a %d %b}</text>'


def area(band: Band, frame: Frame) -> str:
    """The band where both its edges are known."""
    edges = enumerate(zip(band.low, band.high, strict=True))
    known = [(i, low, high) for i, (low, high) in edges if math.isfinite(low + high)]
    upper = [f"{frame.x(i)},{frame.y(high)}" for i, _, high in known]
    lower = [f"{frame.x(i)},{frame.y(low)}" for i, low, _ in reversed(known)]
    return titled("polygon", band.style, f'points="{" ".join(upper + lower)}"', band.label)


def titled(element: str, style: str, shape: str, label: str) -> str:
    """An element that names itself when a person points at it."""
    return f'<{element} class="{style}" {shape}><title>{escape(label)}</title></{element}>'


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
