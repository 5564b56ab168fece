"""Month-end spend with its interval, and days that cost more than they should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from forecasting.spend.history import ONE_DAY, History, smoothed, taken_apart

LEVEL = 0.90
LEVEL_AGE_DAYS = 3
"""The recent level is itself some days old."""
ERROR_HALF_LIFE_DAYS = 200.0
FIRST_REPLAYED_DAY = 100
"""Earlier forecasts know too little to tell how good later ones are, while there are later ones."""
PRIOR_ERROR = 0.15
"""Error of a month's forecast where none could be replayed (log standard deviation).

A level that is the mean of `n` days is off by another `PRIOR_ERROR / sqrt(n)`."""
PRIOR_WEIGHT = 0.15
"""How many past months the prior counts for where there are none; it fades as they come."""
SCALE_DAYS, LEAST_SCALE_DAYS = 90, 28
LEAST_SCALE = 0.01
"""A bill that never moves still may by so much (log); keeps a cent from being an anomaly."""
ROBUST_SD = 1.4826
"""Of a normal distribution, over its median absolute deviation."""
COLUMNS = ("day", "score", "expected", "actual")


@dataclass(frozen=True)
class MonthEnd:
    """The total of one calendar month, in the unit of the spend."""

    month: pd.Timestamp
    """Its first day."""
    spent: float
    """Of the days that are known."""
    rest: float
    """Expected of the others (the median: errors are relative)."""
    error: float
    """Standard deviation of the logarithm of what `rest` is off by."""
    level: float = LEVEL

    @property
    def mean(self) -> float:
        return self.spent + self.rest

    @property
    def low(self) -> float:
        return self.quantile((1 - self.level) / 2)

    @property
    def high(self) -> float:
        return self.quantile((1 + self.level) / 2)

    def quantile(self, q: float) -> float:
        """The total that is not exceeded with probability `q`."""
        return self.spent + self.rest * float(np.exp(self.error * stats.norm.ppf(q)))

    def probability_above(self, amount: float) -> float:
        """That the month's total exceeds `amount`."""
        left = amount - self.spent
        if self.rest <= 0 or left <= 0:
            return float(left < 0)
        return float(stats.norm.sf(np.log(left / self.rest) / self.error))


class SpendForecaster(BaseEstimator):  # type: ignore[misc]
    """Month end and anomalies of one daily spend.

    Level times weekday profile in logarithms, the level a mean of exponentially weighted means
    that grows on by part of the growth of past months; holidays take a weekday towards the weekend.
    The interval comes from replaying the same forecast over the series' own past, for the days
    that are left of the month.

    Args:
        threshold: robust standard deviations above the expected day at which a day is an anomaly.
        holidays: how much of a weekend day (0 to 1) a date is; None knows the year's end and Easter.
    """

    def __init__(
        self, threshold: float = 2.8, holidays: Mapping[date, float] | None = None
    ) -> None:
        self.threshold = threshold
        self.holidays = holidays

    def fit(self, daily: pd.Series[float]) -> Self:
        """Learn from spend by day: midnights without gaps, to the last complete day.

        Raises:
            ValueError: no days, a duplicated, missing or irregular day, or negative spend.
        """
        check(daily)
        self.daily_ = daily.astype(float)
        paid = np.flatnonzero(self.daily_.to_numpy() > 0)
        # Before the first bill there was no service whose spend could be learned from.
        self.history_ = (
            taken_apart(self.daily_.iloc[paid[0] :], self.holidays) if len(paid) else None
        )
        return self

    def month_end(self) -> MonthEnd:
        """The total of the month of the first day that is not known, with its 90 % interval."""
        check_is_fitted(self)
        today = self.daily_.index[-1] + ONE_DAY
        return self._month(today.days_in_month - today.day + 1)

    def path(self) -> pd.DataFrame:
        """The month's total by the end of each day that is left: mean, low, high."""
        check_is_fitted(self)
        today = self.daily_.index[-1] + ONE_DAY
        days = range(1, today.days_in_month - today.day + 2)
        totals = [self._month(count) for count in days]
        rows = [(total.mean, total.low, total.high) for total in totals]
        index = pd.date_range(today, periods=len(rows), freq="D")
        return pd.DataFrame(rows, index=index, columns=["mean", "low", "high"])

    def anomalies(self) -> pd.DataFrame:
        """The days above the threshold: day, score, expected, actual; each by its own past alone."""
        check_is_fitted(self)
        if self.history_ is None:
            return pd.DataFrame(columns=list(COLUMNS))
        history = self.history_
        score, expected = surprise(history, self.threshold)
        days = self.daily_.index[-history.days :]
        found = score > self.threshold
        columns = (days, score, np.exp(expected), history.spend)
        table = {
            name: np.asarray(values)[found] for name, values in zip(COLUMNS, columns, strict=True)
        }
        return pd.DataFrame({**table, "day": days[found]})

    def _month(self, days: int) -> MonthEnd:
        """The month's total `days` days on."""
        first = (self.daily_.index[-1] + ONE_DAY).replace(day=1)
        spent = float(self.daily_[self.daily_.index >= first].sum())
        if self.history_ is None:
            return MonthEnd(first, spent, 0.0, PRIOR_ERROR)
        forecast = log_sums(self.history_, days)
        return MonthEnd(
            first, spent, float(np.exp(forecast[-1])), replayed_error(self.history_, forecast, days)
        )


def check(daily: pd.Series[float]) -> None:
    """Raise ValueError, naming the first day that no forecast should be made from."""
    index = daily.index
    if not isinstance(index, pd.DatetimeIndex) or not len(index):
        raise ValueError("spend needs at least one day, with a DatetimeIndex")
    if index.has_duplicates:
        raise ValueError(f"duplicated day {index[index.duplicated()][0]:%Y-%m-%d}")
    steps = np.flatnonzero(index[1:] - index[:-1] != ONE_DAY)
    if len(steps):
        raise ValueError(
            f"irregular index: after {index[steps[0]]:%Y-%m-%d} the next day must come"
        )
    if index[0] != index[0].normalize():
        raise ValueError(f"irregular index: {index[0]} is no midnight")
    values = daily.to_numpy(float)
    for wrong, what in ((~np.isfinite(values), "missing"), (values < 0, "negative")):
        if wrong.any():
            raise ValueError(f"{what} spend on {index[int(wrong.argmax())]:%Y-%m-%d}")


def log_sums(history: History, days: int) -> np.ndarray:
    """[day] logarithm of the spend expected in the `days` days after each day."""
    level = history.recent_level
    # A guard against wild profiles: no day is expected above twice the dearest so far.
    most = np.maximum.accumulate(history.log_spend) + np.log(2)
    grown = (
        level + history.season(ahead) + (ahead + LEVEL_AGE_DAYS) * history.growth
        for ahead in range(1, days + 1)
    )
    return np.asarray(np.log(sum(np.exp(np.minimum(day, most)) for day in grown)))


def replayed_error(history: History, forecast: np.ndarray, days: int) -> float:
    """Standard deviation of the forecasts' past errors, recent ones first; a prior where few.

    Errors of overlapping months repeat each other: `days` of them count as one.
    """
    origins = np.arange(history.days - days)
    variance, count = 0.0, 0.0
    first = min(FIRST_REPLAYED_DAY, history.days // 2)
    if len(origins) > first:
        origins = origins[first:]
        sums = np.concatenate([[0.0], np.cumsum(history.spend)])
        actual = np.maximum(
            sums[origins + days + 1] - sums[origins + 1], np.exp(forecast[origins]) / 100
        )
        weights = 0.5 ** ((origins[-1] - origins) / ERROR_HALF_LIFE_DAYS)
        variance = float(
            (weights * (np.log(actual) - forecast[origins]) ** 2).sum() / weights.sum()
        )
        count = float(weights.sum()) / days
    prior = PRIOR_WEIGHT / (1 + count)
    unknown = PRIOR_ERROR**2 * (1 + 1 / history.days)
    blended = (count * variance + prior * unknown) / (count + prior)
    return float(np.sqrt(blended))


def surprise(history: History, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """[day] robust standard deviations above the expected day, and its logarithm.

    Expected is yesterday's level, fast: spend is nearly a random walk around its profile. After a
    day above the threshold the new height is what is expected: a shift is told once.
    """
    season_today = history.log_spend - history.level
    level = history.before(smoothed(history.level, 1.0))
    error = history.level - level
    magnitudes = pd.Series(np.abs(error)).rolling(SCALE_DAYS, min_periods=LEAST_SCALE_DAYS)
    scale = np.maximum(ROBUST_SD * magnitudes.median().shift(1).to_numpy(), LEAST_SCALE)
    told = history.before(error > threshold * scale)
    level = np.where(told, np.maximum(level, history.before(history.level)), level)
    return (history.level - level) / scale, level + season_today
