"""Experts: simple forecasts of one day, built for many origins and series at once.

Demand is folded into days that start at the forecast's own hour: `days[d, h, s]`. A forecast made
before day `origin` may look at days `< origin` only. Each expert is a plausible point forecast or a
measure of spread for the target day; the stack (`stack.py`) learns how much each is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOURS = 24
WEEK_DAYS = 7
LEAST_SHARE_OF_ALL_TIME = 0.1
PROFILE_WEEKS = 4
PROFILE_DECAY = 0.6
PROFILE_LEVEL_DAYS = 2
SAME_TYPE_DAYS = 14
ERROR_DAYS = 14
PADDED_DAYS = WEEK_DAYS * PROFILE_WEEKS


@dataclass(frozen=True)
class Folded:
    """Hourly demand as days that begin at the forecast's hour, padded before its start."""

    days: Array
    """[day, hour, series]; the padding repeats each series' first known day."""
    padding: int
    """Days before the first whole one that was handed over."""
    weekend: NDArray[np.bool_]
    """[day, hour], as far as targets may lie ahead."""

    @property
    def known(self) -> int:
        """Days that are known, padding included: the origin of the real forecast."""
        return len(self.days)


def fold(values: Array, last_hour: np.datetime64, ahead_days: int) -> Folded:
    """`values` [hours, series] without gaps, ending with `last_hour` (UTC)."""
    whole = len(values) // HOURS
    rest = len(values) - whole * HOURS
    days = values[rest:].reshape(whole, HOURS, values.shape[1])
    first = days[:1]
    if rest:  # a first day that is known in part: its hours are as good as any
        part = np.concatenate([days[:1, : HOURS - rest], values[None, :rest]], axis=1)
        first = part
    padded = np.concatenate([np.repeat(first, PADDED_DAYS, axis=0), days])
    hours = (len(padded) + ahead_days) * HOURS
    start = last_hour + np.timedelta64(1, "h") - np.timedelta64(len(padded) * HOURS, "h")
    stamps = start + np.arange(hours).astype("timedelta64[h]")
    weekday = (stamps.astype("datetime64[D]").view("int64") + 3) % WEEK_DAYS  # 0 is Monday
    return Folded(padded, PADDED_DAYS, (weekday >= 5).reshape(-1, HOURS))


def scales(folded: Folded, origins: Sequence[int]) -> Array:
    """What each series is divided by, [origin, series]: its week's mean, guarded against idle weeks."""
    means = folded.days.mean(1)
    total = np.cumsum(means[folded.padding :], axis=0)
    rows = []
    for origin in origins:
        week = means[origin - WEEK_DAYS : origin].mean(0)
        real = origin - folded.padding
        all_time = total[real - 1] / real if real > 0 else week
        rows.append(np.maximum(week, LEAST_SHARE_OF_ALL_TIME * all_time))
    return np.maximum(np.array(rows), 1e-9)
