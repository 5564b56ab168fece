"""What stands behind a forecast: who spoke, how well calibrated it has been, when not to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_HISTORY_HOURS = 21 * 24
MOVED, DAY, WEEK = 2.0, 24, 168
MISSING_SHARE = 0.1
LEAST_WEIGHT = 0.01
TOLERANCE = 0.07
"""How far below its level a quantile's coverage may lie before it is pointed out."""


@dataclass(frozen=True)
class Spoken:
    """Behind the forecast of one series."""

    experts: tuple[tuple[str, float], ...]
    """(name, weight) at the level of the capacity plan, the heaviest first; they add up to one."""
    coverage: Mapping[float, float]
    """Level -> share of the last days' hours at or below it, forecast without having seen them."""
    judged_share: float
    """How much of the pooled stack is judgement, for want of history."""
    warnings: tuple[str, ...]
    """When not to trust it; empty where nothing speaks against it."""


def spoken(
    names: Sequence[str],
    weights: Sequence[float],
    coverage: Mapping[float, float],
    judged_share: float,
    demand: Array,
) -> Spoken:
    """`demand` [hour] of the one series, NaN where it is not known."""
    heavy = sorted(zip(names, weights, strict=True), key=lambda pair: -pair[1])
    experts = tuple((name, float(weight)) for name, weight in heavy if weight >= LEAST_WEIGHT)
    return Spoken(experts, coverage, judged_share, (*_of_history(demand), *_of(coverage)))


def _of_history(demand: Array) -> list[str]:
    known = np.flatnonzero(~np.isnan(demand))
    if not len(known) or not demand[known].any():
        return ["no demand so far"]
    said = []
    hours = len(demand) - known[0]
    if hours < FULL_HISTORY_HOURS:
        said.append(f"{hours} h of history" if hours < 3 * DAY else f"{hours // DAY} d of history")
    missing = float(np.isnan(demand[known[0] :]).mean())
    if missing > MISSING_SHARE:
        said.append(f"{missing:.0%} of the hours are missing")
    day, week = demand[-DAY:], demand[-DAY - WEEK : -DAY]
    if np.isnan(day).all():
        return [*said, "nothing is known of the last day"]
    if not np.nansum(day):
        return [*said, "no demand in the last day"]
    if np.isfinite(week).any() and (before := float(np.nanmean(week))) > 0:
        moved = float(np.nanmean(day)) / before
        if not 1 / MOVED <= moved <= MOVED:
            said.append(f"the last day is {moved:.2g} x the week before")
    return said


def _of(coverage: Mapping[float, float]) -> list[str]:
    return [
        f"q{100 * level:g} has covered {share:.0%}"
        for level, share in coverage.items()
        if level > 0.5 and share < level - TOLERANCE
    ]
