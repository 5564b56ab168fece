"""Why this many at 18:00: one kind of day, hour by hour, in replicas; as inline SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 200
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 22, 20
GAP = 3


@dataclass(frozen=True)
class Hour:
    """One hour of the day, all in replicas at their stated throughput."""

    floor: int
    median: float
    """Demand forecast; the largest among the coming days of this kind, as are the next two."""
    high: float
    """Its 95 % quantile."""
    highest: float
    """Its 99 % quantile."""
    seen: tuple[float, float] | None
    """Least and most demand at this hour in the days shown; None without telemetry."""
    why: str
    """The sentence behind the number."""


def day_chart(hours: Sequence[Hour], kind: str) -> str:
    """A column an hour: the floor with its number, the forecast's fan, what was seen lately."""
    tops = [max(hour.floor, hour.highest, *(hour.seen or ())) for hour in hours]
    top = max(tops, default=0) * 1.1 or 1.0
    columns = (column for at, hour in enumerate(hours) for column in _column(at, hour, top))
    label = escape(f"floor and demand by hour, {kind}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" class="day">'
        f'<text class="tick" x="{LEFT}" y="11">{escape(kind)}, replicas by hour UTC</text>'
        f"{''.join(columns)}</svg>"
    )


def _column(at: int, hour: Hour, top: float) -> Iterator[str]:
    wide = (WIDTH - LEFT - RIGHT) / 24
    left, middle = LEFT + at * wide, LEFT + (at + 0.5) * wide
    zero = _y(0, top)
    yield f'<g class="hour"><title>{escape(hour.why)}</title>'
    yield _box("touch", left, TOP, wide, HEIGHT - TOP)
    floor = _y(hour.floor, top)
    yield _box("ready", left + GAP / 2, floor, wide - GAP, zero - floor)
    highest = _y(hour.highest, top)
    yield _box("fan", middle - 4, highest, 8, _y(hour.median, top) - highest)
    yield _mark("q95", middle - 4, middle + 4, _y(hour.high, top))
    if hour.seen:
        low, most = (_y(value, top) for value in hour.seen)
        yield f'<line class="seen" x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{most:.1f}"/>'
    yield _mark("edge", left + GAP / 2, left + wide - GAP / 2, floor)
    yield f'<text class="count" x="{middle:.1f}" y="{zero - 5:.1f}" text-anchor="middle">{hour.floor}</text>'
    if at % 3 == 0:
        yield f'<text class="tick" x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{at:02d}</text>'
    yield "</g>"


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(value, 0), top) / top)


def _box(style: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}"/>'


def _mark(style: str, x1: float, x2: float, y: float) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
