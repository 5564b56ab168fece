"""DemandForecaster: calibrated quantiles of hourly demand, up to a week ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from forecasting.quantiles.experts import (
    HOURS,
    NAMES,
    PADDED_DAYS,
    WEEK_DAYS,
    Folded,
    experts,
    fold,
    peaks,
    scales,
)
from forecasting.quantiles.pinball import fit_quantile

Array = NDArray[np.float64]

MAX_HORIZON_HOURS = 168
MAX_OF_PEAK = 2.5
"""No quantile lies above this multiple of a series' highest demand so far."""
MAX_TRAINING_SERIES = 300
SERIES_AT_ONCE = 1000
LATER_LEADS = (2, 5)
"""Days ahead that the coefficients for all days after the next are learned from."""
LEARN_AFTER_A_WEEK_FROM = 9
"""With more days than this, only days with a whole week before them are learned from."""
LEAST_SCALE = 1e-8
TAIL_SHARE, TAIL_SLOPE = 0.6, 6.0
"""The upper tail that is fitted: 0.9 of 5 %, 0.66 of 1 %."""


@dataclass(frozen=True)
class Stack:
    """How one set of coefficients is learned; the forecast is the mean of several that differ."""

    memory_days: float
    """A day's weight falls by a factor e in this time."""
    width: float
    """Half-width of the loss's kernel; a wide one leans to the safe side."""
    ridge: float
    """Pull towards the prior, in days of one series."""
    by_prior: bool = False
    """Pulled towards the judgement below, where data are too few to learn from; else to zero."""


LEARNED = (Stack(10, 0.03, 0.5), Stack(21, 0.1, 0.5))
JUDGED = Stack(21, 0.03, 20.0, by_prior=True)
JUDGEMENT = {
    "yesterday": 0.15,
    "last week": 0.15,
    "hour mean": 0.1,
    "hour mean at last day's level": 0.15,
    "week profile, added": 0.15,
    "week profile, multiplied": 0.1,
    "day type at its level": 0.1,
    "last day": 0.1,
}
"""A point forecast that is never far off: the mean of different ones."""
JUDGED_DEVIATION, JUDGED_SPREAD = 0.8, 0.03
"""Of the hour's deviation, and of the level, for each standard normal deviate."""
JUDGED_DAYS, FEW_SERIES, LEAST_TRUST = 8.0, 0.6, 0.02
"""With this much history of many series (of one, with 1.6 times as much) judgement and learning
count alike; soon after, judgement is left out."""


class DemandForecaster(BaseEstimator):  # type: ignore[misc]
    """Quantiles of hourly demand for each of several series, up to a week ahead.

    Simple forecasts and measures of spread (`experts`) are weighed by linear quantile regression,
    fitted over all series together, and the quantiles of three such fits are averaged: two that
    learn, one that hardly leaves a fixed judgement and counts while history is short.

    Args:
        levels: the quantiles wanted, each between 0 and 1.
        training_days: how far back days to learn from reach.

    Attributes:
        series_: names of the series.
        levels_: the levels, sorted.
        coefficients_: lead ("next day", "later") -> [level, expert] and the constant.
    """

    def __init__(
        self, levels: Sequence[float] = (0.5, 0.9, 0.95, 0.99), *, training_days: int = 35
    ) -> None:
        self.levels = levels
        self.training_days = training_days

    def fit(self, demand: pd.DataFrame, *, coefficients: Mapping[str, Array] | None = None) -> Self:
        """Learn from `demand`: hourly UTC index, a column a series, NaN where nothing is known.

        Args:
            demand: the series to forecast.
            coefficients: what a fit of the same levels has `learned` from `training_series` of a
                larger portfolio up to the same hour; nothing is learned here then.

        Raises:
            ValueError: naming what is wrong with the index or the values.
        """
        check(demand)
        self.series_ = list(demand.columns)
        self.last_ = demand.index[-1]
        self.levels_ = tuple(sorted(set(self.levels)))
        if not self.levels_ or not 0 < self.levels_[0] <= self.levels_[-1] < 1:
            raise ValueError(f"levels are {self.levels}; each must lie between 0 and 1")
        self.values_ = filled(demand.to_numpy(float))
        self.coefficients_ = dict(coefficients or {"next day": self._learn((0,))})
        return self

    def learned(self, hours: int = HOURS) -> dict[str, Array]:
        """The coefficients that a forecast of `hours` needs."""
        if hours > HOURS and "later" not in self.coefficients_:
            self.coefficients_["later"] = self._learn(LATER_LEADS)
        return self.coefficients_

    def predict(self, hours: int = HOURS) -> pd.DataFrame:
        """The next `hours`: columns (series, level), rising in the level, never below zero.

        Raises:
            ValueError: more hours than a week.
        """
        if not 1 <= hours <= MAX_HORIZON_HOURS:
            raise ValueError(f"hours is {hours}; a forecast reaches 1 to {MAX_HORIZON_HOURS} hours")
        days = -(-hours // HOURS)
        learned = self.learned(hours)
        parts = [
            self._predict(self.values_[:, first : first + SERIES_AT_ONCE], days, learned)
            for first in range(0, self.values_.shape[1], SERIES_AT_ONCE)
        ]
        quantiles = np.concatenate(parts, axis=1)[:hours]
        index = pd.date_range(self.last_ + pd.Timedelta("1h"), periods=hours, freq="h")
        columns = pd.MultiIndex.from_product(
            [self.series_, self.levels_], names=["series", "level"]
        )
        return pd.DataFrame(quantiles.reshape(hours, -1), index=index, columns=columns)

    def _folded(self, values: Array) -> Folded:
        last = np.datetime64(self.last_.tz_convert("UTC").tz_localize(None).to_datetime64(), "h")
        return fold(values, last, ahead_days=7)

    def _learn(self, leads: tuple[int, ...]) -> Array:
        """Coefficients [level, expert] from every past day, for days that far ahead."""
        some = training_series(self.values_.shape[1])
        folded = self._folded(self.values_[:, some])
        known = folded.origin - PADDED_DAYS
        judged = np.array([judgement(level) for level in self.levels_])
        lesson = _lesson(folded, leads, self.training_days)
        if lesson is None:
            return judged
        with one_thread():
            learned = np.mean([self._stack(lesson, stack) for stack in LEARNED], axis=0)
            trust = 1 / (1 + (known / (JUDGED_DAYS * (1 + FEW_SERIES / len(some)))) ** 4)
            if trust < LEAST_TRUST:
                return np.asarray(learned)
            return np.asarray((1 - trust) * learned + trust * self._stack(lesson, JUDGED))

    def _stack(self, lesson: Lesson, stack: Stack) -> Array:
        weight = lesson.used * np.exp(-lesson.age_days / stack.memory_days)
        ridge = stack.ridge * HOURS / len(lesson.target)
        coefficients = []
        start = judgement(self.levels_[0])
        for level in self.levels_:
            start = fit_quantile(
                lesson.told,
                lesson.target,
                weight,
                cautious(level),
                ridge=ridge,
                width=stack.width,
                prior=judgement(level) if stack.by_prior else np.zeros(len(NAMES) + 1),
                start=start,
            )
            coefficients.append(start)
        return np.array(coefficients)

    def _predict(self, values: Array, days: int, learned: Mapping[str, Array]) -> Array:
        """Quantiles [hour, series, level]."""
        folded = self._folded(values)
        origin = np.array([folded.origin])
        scale, peak = scales(folded, origin), peaks(folded, origin)
        parts = []
        for lead in range(days):
            told = experts(folded, origin, lead, scale)[0]
            weights = learned["next day" if lead == 0 else "later"]
            parts.append(told @ weights.T * scale[0][:, None])
        quantiles = np.clip(np.concatenate(parts), 0, MAX_OF_PEAK * peak[0][:, None])
        return np.sort(quantiles, axis=-1)


@dataclass(frozen=True)
class Lesson:
    """What the experts said on past days, and what came; in units of each series' own scale."""

    told: Array
    """[row, expert]"""
    target: Array
    age_days: Array
    used: Array
    """[row] 1, or 0 for a series without any demand yet."""


def _lesson(folded: Folded, leads: tuple[int, ...], days: int) -> Lesson | None:
    """Past days as the forecaster would have met them; None without a whole one."""
    known = folded.origin - PADDED_DAYS
    first = PADDED_DAYS + (WEEK_DAYS if known > LEARN_AFTER_A_WEEK_FROM else 1)
    first = max(first, folded.origin - days)
    parts = []
    for lead in leads:
        origins = np.arange(first, folded.origin - lead)
        if not len(origins):
            continue
        scale = scales(folded, origins)
        met = folded.days[origins + lead]
        met = np.minimum(met, MAX_OF_PEAK * peaks(folded, origins)[:, None])
        told = experts(folded, origins, lead, scale)
        age = np.broadcast_to((folded.origin - origins - lead)[:, None, None], met.shape)
        used = np.broadcast_to((scale > LEAST_SCALE)[:, None], met.shape)
        parts.append((told.reshape(met.size, -1), met / scale[:, None], age, used))
    if not parts or not any(used.any() for *_, used in parts):
        return None
    told_, met_, age_, used_ = zip(*parts, strict=True)
    flat = [np.concatenate([np.ravel(one) for one in group]) for group in (met_, age_, used_)]
    return Lesson(np.concatenate(told_), flat[0], flat[1].astype(float), flat[2].astype(float))


def training_series(count: int) -> NDArray[np.int64]:
    """Which of `count` series are learned from: all, or enough of them, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_TRAINING_SERIES)).astype(np.int64))


def judgement(level: float) -> Array:
    """Coefficients for experts and constant that need no data."""
    deviate = NormalDist().inv_cdf(level)
    weights = {**JUDGEMENT, "hour deviation": JUDGED_DEVIATION * deviate}
    return np.array([*(weights.get(name, 0.0) for name in NAMES), JUDGED_SPREAD * deviate])


def cautious(level: float) -> float:
    """The level to fit so that `level` is covered: tomorrow strays further than the past did."""
    tail = 1 - level
    return 1 - tail * min(1.0, TAIL_SHARE + TAIL_SLOPE * tail)


@cache
def _threads() -> Any:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """The matrices are small: threads would wait for each other, and sum in another order."""
    return cast("AbstractContextManager[object]", _threads().limit(limits=1))


def check(demand: pd.DataFrame) -> None:
    """Raise ValueError, naming the problem, for input that no forecast should be made from."""
    index = demand.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError("demand needs an hourly DatetimeIndex with a time zone (UTC)")
    if demand.empty:
        raise ValueError("demand is empty: it needs rows and columns")
    if index.has_duplicates:
        first = index[index.duplicated()][0]
        raise ValueError(f"duplicated timestamps, first {first}; keep one row an hour")
    if (index[1:] - index[:-1] != pd.Timedelta("1h")).any():
        raise ValueError("irregular index: demand needs one row an hour, in order, none missing")
    if demand.columns.has_duplicates:
        raise ValueError(f"duplicated series {demand.columns[demand.columns.duplicated()][0]!r}")
    values = demand.to_numpy(float)
    if (values < 0).any():
        name = demand.columns[int((values < 0).any(0).argmax())]
        raise ValueError(f"negative demand in column {name!r}; missing is NaN")
    if np.isinf(values).any():
        name = demand.columns[int(np.isinf(values).any(0).argmax())]
        raise ValueError(f"infinite demand in column {name!r}; missing is NaN")


def filled(values: Array) -> Array:
    """Gaps from the same hour of the days before, at the start of the days after; else zero."""
    if not np.isnan(values).any():
        return values
    values = values.copy()
    hours = len(values)
    for direction in (slice(None), slice(None, None, -1)):
        view = values[direction]
        for hour in range(min(HOURS, hours)):
            same = view[hour::HOURS]
            missing = np.isnan(same)
            rows = np.where(missing, 0, np.arange(len(same))[:, None])
            np.maximum.accumulate(rows, axis=0, out=rows)
            view[hour::HOURS] = np.take_along_axis(same, rows, axis=0)
    missing = np.isnan(values)  # an hour of the day that was never known
    mean = np.nansum(values, axis=0) / np.maximum((~missing).sum(0), 1)
    return np.where(missing, mean, values)
