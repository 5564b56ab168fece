"""DemandForecaster: calibrated quantiles of hourly demand, up to a week ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from forecasting.quantiles import adaptation, pooled
from forecasting.quantiles.experts import (
    HOURS,
    PADDED_DAYS,
    Folded,
    experts,
    fold,
    peaks,
    scales,
)
from forecasting.quantiles.history import check, filled

__all__ = ["DemandForecaster", "check", "training_series"]

Array = NDArray[np.float64]

MAX_HORIZON_HOURS = 168
MAX_TRAINING_SERIES = 200
SERIES_DAYS_AT_ONCE = 4000
"""Series x days that are looked at together: what bounds memory."""
MOST_SERIES_DAYS = 20_000
"""Series x days of their own past; more than 1,400 series in one forecast look back less far."""
LATER_LEADS = (2, 5)
"""Days ahead that the coefficients for all days after the next are learned from."""


class DemandForecaster(BaseEstimator):  # type: ignore[misc]
    """Quantiles of hourly demand for each of several series, up to a week ahead.

    Simple forecasts and measures of spread (`experts`) are weighed by linear quantile regression,
    fitted over all series together (`pooled`). Then each series speaks for itself (`adaptation`):
    it moves some of the coefficients, and leans to the rules in use where those have cost it less.

    Fitting learns from at most 200 of the series; after that none looks at another. A portfolio
    may therefore be cut into parts that are forecast on different machines with `coefficients` of
    one fit, and up to 1,400 series a part give the same bytes as all of them at once.

    Args:
        levels: the quantiles wanted, each between 0 and 1.
        training_days: how far back days to learn from reach.

    Attributes:
        series_: names of the series.
        levels_: the levels, sorted.
        coefficients_: "next day" and "later", [level, expert] and the constant, of the pooled
            stack; "own", [level, feature, feature], how far a series moves for itself.
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
        self.coefficients_ = dict(coefficients or self._learn("next day", (0,)))
        return self

    def learned(self, hours: int = HOURS) -> dict[str, Array]:
        """The coefficients that a forecast of `hours` needs."""
        if hours > HOURS and "later" not in self.coefficients_:
            self.coefficients_ |= self._learn("later", LATER_LEADS)
        return self.coefficients_

    def predict(self, hours: int = HOURS) -> pd.DataFrame:
        """The next `hours`: columns (series, level), rising in the level, never below zero.

        Raises:
            ValueError: more hours than a week.
        """
        if not 1 <= hours <= MAX_HORIZON_HOURS:
            raise ValueError(f"hours is {hours}; a forecast reaches 1 to {MAX_HORIZON_HOURS} hours")
        self.learned(hours)
        count = len(self.series_)
        back = min(adaptation.DAYS, MOST_SERIES_DAYS // count)
        block = SERIES_DAYS_AT_ONCE // (back + 1)
        quantiles = np.empty((hours, count, len(self.levels_)))
        for first in range(0, count, block):
            some = slice(first, first + block)
            outlook = _Outlook(self._folded(self.values_[:, some]), self.levels_, back)
            quantiles[:, some] = outlook.quantiles(self.coefficients_, hours)
        index = pd.date_range(self.last_ + pd.Timedelta("1h"), periods=hours, freq="h")
        columns = pd.MultiIndex.from_product(
            [self.series_, self.levels_], names=["series", "level"]
        )
        return pd.DataFrame(quantiles.reshape(hours, -1), index=index, columns=columns)

    def _folded(self, values: Array) -> Folded:
        last = np.datetime64(self.last_.tz_convert("UTC").tz_localize(None).to_datetime64(), "h")
        return fold(values, last, ahead_days=7)

    def _learn(self, name: str, leads: tuple[int, ...]) -> dict[str, Array]:
        """Coefficients from every past day, for days that far ahead."""
        some = training_series(len(self.series_))
        folded = self._folded(self.values_[:, some])
        past = pooled.lesson(folded, leads, self.training_days)
        days = folded.origin - PADDED_DAYS
        found = pooled.coefficients(past, self.levels_, days, len(some))
        if leads != (0,):
            return {name: found}
        return {name: found, "own": pooled.moves(past, found, self.levels_, len(some))}


class _Outlook:
    """The days after the history of some series, seen from its end."""

    def __init__(self, folded: Folded, levels: tuple[float, ...], back: int) -> None:
        self._folded, self._levels = folded, levels
        self._back = min(back, folded.origin - PADDED_DAYS - 1)
        """Days of their own past that the series speak from."""

    def quantiles(self, learned: Mapping[str, Array], hours: int) -> Array:
        """Quantiles [hour, series, level]."""
        folded = self._folded
        origin = np.array([folded.origin])
        scale, peak = scales(folded, origin), peaks(folded, origin)
        own = self.own(learned)
        parts = []
        for lead in range(-(-hours // HOURS)):
            told = experts(folded, origin, lead, scale)[0]
            said = self._pooled(told, learned["next day" if lead == 0 else "later"], peak / scale)
            result = said.copy()
            for one in own:
                result[..., one.level] = one.says(told, said)
            parts.append(result * scale[0][:, None])
        quantiles = np.clip(np.concatenate(parts), 0, pooled.MAX_OF_PEAK * peak[0][:, None])
        return np.sort(quantiles, axis=-1)[:hours]

    def own(self, learned: Mapping[str, Array]) -> list[adaptation.Own]:
        """What the series have learned from their own last days."""
        if self._back < adaptation.LEAST_DAYS:
            return []
        folded = self._folded
        origins = np.arange(folded.origin - self._back, folded.origin)
        scale, peak = scales(folded, origins), peaks(folded, origins)
        told = experts(folded, origins, 0, scale)
        most = peak / scale
        met = np.minimum(folded.days[origins] / scale[:, None], pooled.MAX_OF_PEAK * most[:, None])
        past = adaptation.Past(told, self._pooled(told, learned["next day"], most), met)
        return [
            adaptation.own(past, level, pooled.cautious(self._levels[level]), learned["own"][level])
            for level in adaptation.adapted(self._levels)
        ]

    @staticmethod
    def _pooled(told: Array, coefficients: Array, most: Array) -> Array:
        """Quantiles [..., hour, series, level] in units of scale, `most` [..., series]."""
        most = pooled.MAX_OF_PEAK * most.reshape(*told.shape[:-3], 1, -1, 1)
        return np.sort(np.clip(told @ coefficients.T, 0, most), axis=-1)


def training_series(count: int) -> NDArray[np.int64]:
    """Which of `count` series are learned from: all, or enough of them, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_TRAINING_SERIES)).astype(np.int64))
