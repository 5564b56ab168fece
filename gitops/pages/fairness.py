"""Fairness evidence as a page: which slice is hurt, by how much, and how sure we are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from gitops.pages.template import filled

WIDTH, ROW, TOP, LEFT, RIGHT = 760, 26, 14, 200, 130
AXIS = 24
WORDS = {"pass": "within tolerance", "fail": "beyond tolerance", "insufficient": "not decided"}


def page(evidence: Mapping[str, Any], verdicts: Sequence[Mapping[str, Any]]) -> str:
    """The whole page as text.

    Args:
        evidence: the file that was judged.
        verdicts: as the pack's `judge.py --json` gives them.
    """
    from markupsafe import Markup

    shown = [
        {**one, "word": WORDS[one["verdict"]], "plot": Markup(plot(one))}  # noqa: S704  (escaped)
        for one in verdicts
    ]
    counted = {word: sum(one["verdict"] == key for one in verdicts) for key, word in WORDS.items()}
    return filled("fairness", evidence=evidence, verdicts=shown, counted=counted)


def plot(one: Mapping[str, Any]) -> str:
    """A row a slice: its rate, the interval the verdict used, and the zone where the best slice lets it lie."""
    slices = one["slices"]
    low: float = min(slice_["low"] for slice_ in slices.values())
    high: float = max(slice_["high"] for slice_ in slices.values())
    zone = allowed(one)
    start, end = min(low, *zone), max(high, *zone)
    room = (end - start) * 0.06 or 0.05
    start, end = max(start - room, 0.0), min(end + room, 1.0)

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - start) / (end - start)

    height = TOP + ROW * len(slices) + AXIS
    bottom = height - AXIS
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(one["metric"])} by slice">'
    ]
    if zone:
        least, most = zone
        parts.append(
            f'<rect class="zone" x="{x(least):.1f}" y="{TOP}" width="{max(x(most) - x(least), 1):.1f}" '
            f'height="{bottom - TOP}"><title>where tolerance allows a slice to lie</title></rect>'
        )
    for tick in range(5):
        value = start + (end - start) * tick / 4
        parts.append(
            f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{bottom}"/>'
            f'<text class="tick" x="{x(value):.1f}" y="{height - 8}" text-anchor="middle">{value:.1%}</text>'
        )
    for at, (name, slice_) in enumerate(slices.items()):
        y = TOP + ROW * (at + 0.5)
        low, high, rate = slice_["low"], slice_["high"], slice_["rate"]
        hint = f"{name}: {rate:.2%} of {slice_['n']:,}; {low:.2%} to {high:.2%}"
        parts.append(
            f'<g><title>{escape(hint)}</title><text class="name" x="{LEFT - 10}" y="{y:.1f}" dy=".32em" '
            f'text-anchor="end">{escape(name)}</text>'
            f'<line class="interval" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="rate" cx="{x(rate):.1f}" cy="{y:.1f}" r="4"/>'
            f'<text class="tick" x="{WIDTH - RIGHT + 10}" y="{y:.1f}" dy=".32em">'
            f"{rate:.1%} of {slice_['n']:,}</text></g>"
        )
    return "".join(parts) + "</svg>"


def allowed(one: Mapping[str, Any]) -> tuple[float, ...]:
    """Where the tolerance lets a rate lie beside the best one, low and high; () without a tolerance."""
    rates = [float(slice_["rate"]) for slice_ in one["slices"].values()]
    if one["max_difference"] is not None:
        room = float(one["max_difference"])
        if one["lower_is_better"]:
            return min(rates), min(min(rates) + room, 1.0)
        return max(max(rates) - room, 0.0), max(rates)
    if one["min_ratio"] is not None:
        return max(rates) * float(one["min_ratio"]), max(rates)
    return ()
