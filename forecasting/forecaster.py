"""DemandForecaster: calibrated quantiles of hourly demand, up to a week ahead."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from forecasting.experts import HOURS, PADDED_DAYS, Folded, experts, fold, peaks, scales
from forecasting.pinball import fit_quantile

Array = NDArray[np.float64]

MAX_HORIZON_HOURS = 168
MAX_OF_PEAK = 2.5
"""No quantile lies above this multiple of a series' highest demand so far."""
SPREAD_PRIOR = 0.1
MAX_TRAINING_SERIES = 300
SERIES_AT_ONCE = 1000


class DemandForecaster(BaseEstimator):  # type: ignore[misc]
    def __init__(
        self,
        levels: Sequence[float] = (0.5, 0.9, 0.95, 0.99),
        *,
        ridge: float = 0.2,
        width: float = 0.03,
        memory_days: float = 21.0,
        training_days: int = 35,
    ) -> None:
        self.levels = levels
        self.ridge = ridge
        self.width = width
        self.memory_days = memory_days
        self.training_days = training_days

    def fit(self, demand: pd.DataFrame) -> Self:
        check(demand)
        self.series_ = list(demand.columns)
        self.last_ = demand.index[-1]
        self.levels_ = tuple(sorted(set(self.levels)))
        if not self.levels_ or not 0 < self.levels_[0] <= self.levels_[-1] < 1:
            raise ValueError(f"levels are {self.levels}; each must lie between 0 and 1")
        self.values_ = filled(demand.to_numpy(float))
        self.coefficients_: dict[str, Array] = {"next day": self._learn([0])}
        return self

    def predict(self, hours: int = HOURS) -> pd.DataFrame:
        if not 1 <= hours <= MAX_HORIZON_HOURS:
            raise ValueError(f"hours is {hours}; a forecast reaches 1 to {MAX_HORIZON_HOURS} hours")
        days = -(-hours // HOURS)
        if days > 1 and "later" not in self.coefficients_:
            self.coefficients_["later"] = self._learn([1, 3, 5])
        parts = [
            self._predict(self.values_[:, first : first + SERIES_AT_ONCE], days)
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

    def _learn(self, leads: list[int]) -> Array:
        """Coefficients [level, expert] from every past day, for days that far ahead."""
        count = self.values_.shape[1]
        some = np.unique(np.linspace(0, count - 1, min(count, MAX_TRAINING_SERIES)).astype(int))
        folded = self._folded(self.values_[:, some])
        first = PADDED_DAYS + 7 if folded.origin - PADDED_DAYS > 9 else PADDED_DAYS + 1
        first = max(first, folded.origin - self.training_days)
        rows, targets, weights = [], [], []
        for lead in leads:
            origins = np.arange(first, folded.origin - lead)
            if not len(origins):
                continue
            scale = scales(folded, origins)
            target = folded.days[origins + lead]
            target = np.minimum(target, MAX_OF_PEAK * peaks(folded, origins)[:, None])
            rows.append(experts(folded, origins, lead, scale).reshape(target.size, -1))
            targets.append((target / scale[:, None]).ravel())
            age = folded.origin - (origins + lead)
            recent: Array = np.exp(-age / self.memory_days)[:, None, None]
            used = np.where(scale > 1e-8, 1.0, 0.0)[:, None] * recent
            weights.append(np.broadcast_to(used, target.shape).ravel())
        width = self._experts_count()
        coefficients = np.zeros((len(self.levels_), width))
        if not rows or not sum(w.sum() for w in weights):
            return coefficients
        x, y, w = np.concatenate(rows), np.concatenate(targets), np.concatenate(weights)
        ridge = self.ridge / (len(x) / HOURS)
        start = coefficients[0]
        with one_thread():
            for i, level in enumerate(self.levels_):
                start = coefficients[i] = fit_quantile(
                    x,
                    y,
                    w,
                    level,
                    ridge=ridge,
                    width=self.width,
                    prior=coefficients[i],
                    start=start,
                )
        return coefficients

    def _experts_count(self) -> int:
        folded = self._folded(self.values_[:, :1])
        origin = np.array([folded.origin])
        return int(experts(folded, origin, 0, scales(folded, origin)).shape[-1])

    def _predict(self, values: Array, days: int) -> Array:
        """Quantiles [hour, series, level]."""
        folded = self._folded(values)
        origin = np.array([folded.origin])
        scale, peak = scales(folded, origin), peaks(folded, origin)
        parts = []
        for lead in range(days):
            told = experts(folded, origin, lead, scale)[0]
            learned = self.coefficients_["next day" if lead == 0 else "later"]
            parts.append(told @ learned.T * scale[0][:, None])
        quantiles = np.clip(np.concatenate(parts), 0, MAX_OF_PEAK * peak[0][:, None])
        return np.sort(quantiles, axis=-1)


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
