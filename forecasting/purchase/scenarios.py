"""Where the demand of a pool may go within a term: level paths around the trends that it has shown.

A commitment is lost by decline, not by noise, so the scenarios are about the level. The trend is
told by several memories of different length and by the slope since the pool's peak; well after a
peak the memories are not believed when they rise, as they do with every bounce of a pool that goes
on falling. Each trend stands for a bundle of paths, as far around it as a year's trend is
uncertain. Within a month, demand is spread as in the last four weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

HOURS_A_WEEK, HOURS_A_MONTH = 168, 730
WEEKS_A_MONTH = HOURS_A_MONTH / HOURS_A_WEEK
PROFILE_HOURS = 28 * 24
MEMORY_WEEKS = (4, 13, 52)
"""Half-lives of the memories that tell the trend."""
LEVEL_WEEKS = 4
"""Weeks that make a level when a peak is looked for."""
LEAST_MONTHS_FALLING = 3.0
"""A fall that is younger is spread over this: a holiday is no decline. Once a peak is older, a rise is
a bounce until the peak is passed."""
TREND_SD = 0.05
"""Standard deviation of a year's trend around what the past tells, in log change a month."""
PATHS_A_TREND = 9
GROWTH_KEPT = 0.9
"""Of a growth rate from month to month: growth dies down; decline, to be safe, does not."""
STEEPEST_RISE, STEEPEST_FALL = 0.15, -1.0
"""Log change a month: growth faster than this is a start or a move, which will not go on."""


@dataclass(frozen=True)
class Outlook:
    """Demand of one pool over the coming months, in its own units."""

    hours: Array
    """[hour] the last four weeks, ascending."""
    growth: Array
    """[scenario, month] factor on `hours`; all scenarios are equally likely."""

    def demand(self, bins: int = 48) -> Array:
        """[scenario, month, bin] the load-duration curve of each month in `bins` equal parts."""
        parts = np.quantile(self.hours, (np.arange(bins) + 0.5) / bins)
        return self.growth[:, :, None] * parts

    def used(self, thresholds: Array) -> Array:
        """Share of the hours with demand at or above `thresholds` [scenario, month]."""
        below = np.searchsorted(self.hours, (thresholds / self.growth).ravel(), side="left")
        return 1 - below.reshape(thresholds.shape) / len(self.hours)


def outlook(history: pd.Series[float], months: int) -> Outlook:
    """Scenarios of the `months` after `history` (hourly; NaN is missing and left out).

    Raises:
        ValueError: demand is negative or infinite, irregular, or there is none.
    """
    values = known(history)
    trends = trends_of(weekly_levels(history))
    spread = norm.ppf((np.arange(PATHS_A_TREND) + 0.5) / PATHS_A_TREND)
    drift = (trends[:, None] + TREND_SD * spread).ravel()[:, None]
    middle_of_month = np.arange(months) + 0.5
    damped = (1 - GROWTH_KEPT**middle_of_month) / (1 - GROWTH_KEPT)
    growth = np.exp(drift * np.where(drift > 0, damped, middle_of_month))
    return Outlook(np.sort(values[-PROFILE_HOURS:]), growth)


def known(history: pd.Series[float]) -> Array:
    """The hours that were measured. Raises ValueError, naming the problem."""
    index = history.index
    if not isinstance(index, pd.DatetimeIndex):
        raise ValueError("history needs a DatetimeIndex with one row an hour")
    if len(index) > 1 and (np.diff(index.as_unit("s").asi8) != 3600).any():
        raise ValueError("history is not one row an hour, in order; resample it to hours")
    values: Array = np.array(history.dropna(), dtype=np.float64)
    if not len(values):
        raise ValueError("history has no measured hour; give the demand of some weeks")
    if (values < 0).any() or np.isinf(values).any():
        raise ValueError("history has negative or infinite demand; correct it at its source")
    return values


def weekly_levels(history: pd.Series[float]) -> Array:
    """Mean of each whole week up to the end; weeks without a measured hour are left out."""
    weeks = len(history) // HOURS_A_WEEK
    table = history.to_numpy(float)[len(history) - weeks * HOURS_A_WEEK :]
    levels = pd.DataFrame(table.reshape(weeks, HOURS_A_WEEK)).mean(axis=1)
    return np.array(levels.dropna().tolist())


def trends_of(levels: Array) -> Array:
    """Log changes a month: one for each memory, and the slope since the peak where there was one."""
    if len(levels) < 2 or not levels.any():
        return np.zeros(1)
    logs = np.log(np.maximum(levels, 1e-3 * levels.max()))
    changes = np.diff(logs) * WEEKS_A_MONTH
    age = np.arange(len(changes))[::-1]
    trends = np.array([np.average(changes, weights=0.5 ** (age / w)) for w in MEMORY_WEEKS])
    width = min(LEVEL_WEEKS, len(logs))
    smooth = np.convolve(logs, np.ones(width) / width, "valid")
    months_since = (len(smooth) - 1 - int(smooth.argmax())) / WEEKS_A_MONTH
    if months_since > LEAST_MONTHS_FALLING:
        trends = np.minimum(trends, 0.0)
    if months_since:
        fall = (smooth[-1] - smooth.max()) / max(months_since, LEAST_MONTHS_FALLING)
        trends = np.append(trends, fall)
    return np.asarray(np.clip(trends, STEEPEST_FALL, STEEPEST_RISE), float)
