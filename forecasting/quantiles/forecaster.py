"""DemandForecaster: calibrated quantiles of hourly demand, up to a week ahead."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from forecasting.quantiles import adaptation, pooled
from forecasting.quantiles import events as known_events
from forecasting.quantiles.experts import (
    HOURS,
    PADDED_DAYS,
    Folded,
    experts,
    fold,
    peaks,
    scales,
)
from forecasting.quantiles.explanation import Spoken, spoken
from forecasting.quantiles.history import check, filled
from forecasting.quantiles.live import corrected, persistence
from stacks.records import Event

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
CALIBRATION_DAYS = 7
PLAN_LEVEL = 0.95
"""The level at which it is told who spoke: that of a plan where unserved demand costs 20 x."""


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
        effects_: what past events did to each series.
        coefficients_: "next day" and "later", [level, expert] and the constant, of the pooled
            stack; "own", [level, feature, feature], how far a series moves for itself.
    """

    def __init__(
        self, levels: Sequence[float] = (0.5, 0.9, 0.95, 0.99), *, training_days: int = 35
    ) -> None:
        self.levels = levels
        self.training_days = training_days

    def fit(
        self,
        demand: pd.DataFrame,
        *,
        events: Sequence[Event] = (),
        coefficients: Mapping[str, Array] | None = None,
    ) -> Self:
        """Learn from `demand`: hourly UTC index, a column a series, NaN where nothing is known.

        Args:
            demand: the series to forecast; columns are apps or (app, location) where there are
                events.
            events: known ones, past and to come.
            coefficients: what a fit of the same levels has `learned` from `training_series` of a
                larger portfolio up to the same hour; nothing is learned here then.

        Raises:
            ValueError: naming what is wrong with the index or the values.
        """
        check(demand)
        self.series_: list[Hashable] = list(demand.columns)
        self.last_ = demand.index[-1]
        self.levels_ = tuple(sorted(set(self.levels)))
        if not self.levels_ or not 0 < self.levels_[0] <= self.levels_[-1] < 1:
            raise ValueError(f"levels are {self.levels}; each must lie between 0 and 1")
        values = demand.to_numpy(float)
        self.missing_ = np.isnan(values)
        self.events_ = tuple(events)
        self.values_, self.effects_ = known_events.learn(
            self.events_, filled(values), pd.DatetimeIndex(demand.index), self.series_
        )
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
        quantiles = np.empty((hours, len(self.series_), len(self.levels_)))
        for some, outlook in self._blocks():
            quantiles[:, some] = outlook.quantiles(self.coefficients_, hours)[:, : len(some)]
        index = pd.date_range(self.last_ + pd.Timedelta("1h"), periods=hours, freq="h")
        quantiles = known_events.apply(
            self.events_, self.effects_, quantiles, index, self.series_, self.levels_
        )
        columns = pd.MultiIndex.from_product(
            [self.series_, self.levels_], names=["series", "level"]
        )
        return pd.DataFrame(quantiles.reshape(hours, -1), index=index, columns=columns)

    def nowcast(self, live: pd.DataFrame, hours: int = HOURS) -> pd.DataFrame:
        """What remains of `predict(hours)`, on the level that the hours since the origin show.

        How much of an early surprise lasts for the rest of the day is learned from past days. Once
        a day is over, a new `fit` knows more.

        Args:
            live: demand since the history's last hour, at a step of an hour or finer, a column for
                each series, NaN where nothing is known. An hour counts by its highest value, as
                history does, once it is over.
            hours: from the origin, as for `predict`.

        Raises:
            ValueError: columns or times do not fit the history, or nothing remains.
        """
        seen = _whole_hours(live, self.last_, self.series_)
        ahead = self.predict(hours)
        if len(seen) >= hours:
            raise ValueError(f"live reaches {len(seen)} h ahead, and the forecast {hours} h")
        quantiles = ahead.to_numpy().reshape(hours, len(self.series_), -1)
        middle = adaptation.middle_of(self.levels_)
        sample = self._folded(self.values_[:, training_series(len(self.series_))])
        past = _Outlook(sample, self.levels_, adaptation.DAYS).past(self.coefficients_)
        lasting = persistence(past.met, past.pooled[..., middle], min(len(seen), HOURS - 1))
        rest = corrected(quantiles, seen.to_numpy(float), middle, lasting)
        return pd.DataFrame(
            rest.reshape(len(rest), -1), index=ahead.index[len(seen) :], columns=ahead.columns
        )

    def explain(self, *, calibrate: bool = True) -> dict[Hashable, Spoken]:
        """By series: who spoke, calibration on days that were not learned from, warnings.

        Calibration, which takes as long as a new fit, is left out where `calibrate` is false. For it
        a forecaster fitted up to seven days ago forecasts each day since then, with demand as it
        would have been without the known events.
        """
        days = min(CALIBRATION_DAYS, len(self.values_) // HOURS // 2)
        covered = self._covered(days) if days and calibrate else {}
        names, weights = self._weights()
        known = len(self.values_) / HOURS
        judged = pooled.judged_share(known, len(training_series(len(self.series_))))
        result: dict[Hashable, Spoken] = {}
        for i, series in enumerate(self.series_):
            demand = np.where(self.missing_[:, i], np.nan, self.values_[:, i])
            coverage = {level: float(share[i]) for level, share in covered.items() if share[i] >= 0}
            result[series] = spoken(names, weights[:, i].tolist(), coverage, judged, demand)
        return result

    def _covered(self, days: int) -> dict[float, Array]:
        """Level -> [series] share of the last days' known hours at or below it; NaN without any."""
        index = pd.date_range(end=self.last_, periods=len(self.values_), freq="h")
        demand = pd.DataFrame(
            self.values_, index=index, columns=pd.Index(self.series_, tupleize_cols=False)
        )
        before = clone(self).fit(demand.iloc[: -HOURS * days])
        said = [
            clone(self)
            .fit(demand.iloc[: -HOURS * back], coefficients=before.coefficients_)
            .predict(HOURS)
            for back in range(days, 0, -1)
        ]
        quantiles = np.concatenate(said).reshape(HOURS * days, len(self.series_), -1)
        met, known = self.values_[-HOURS * days :], ~self.missing_[-HOURS * days :]
        under = ((met[..., None] <= quantiles) & known[..., None]).sum(0)
        hours = known.sum(0)[:, None]
        share = np.where(hours > 0, under / np.maximum(hours, 1), np.nan)
        return dict(zip(self.levels_, share.T, strict=True))

    def _weights(self) -> tuple[tuple[str, ...], Array]:
        """Speakers, and [speaker, series] what each counts at the adapted level next to PLAN_LEVEL."""
        parts = []
        for some, outlook in self._blocks():
            own = outlook.own(self.coefficients_)
            if not own:
                return adaptation.SPEAKERS[:1], np.ones((1, len(self.series_)))
            nearest = min(own, key=lambda one: abs(self.levels_[one.level] - PLAN_LEVEL))
            parts.append(nearest.weights[:, : len(some)])
        return adaptation.SPEAKERS, np.concatenate(parts, axis=1)

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], _Outlook]]:
        """Some series at a time, so that memory does not grow with their number."""
        count = len(self.series_)
        back = min(adaptation.DAYS, MOST_SERIES_DAYS // count)
        block = SERIES_DAYS_AT_ONCE // (back + 1)
        for first in range(0, count, block):
            some = np.arange(first, min(first + block, count))
            # A lone series would be multiplied by another routine, with other last digits.
            values = self.values_[:, np.resize(some, max(2, len(some)))]
            yield some, _Outlook(self._folded(values), self.levels_, back)

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
        scale, peak = scales(folded, origin)[0], peaks(folded, origin)[0]
        own = self.own(learned)
        parts = []
        for lead in range(-(-hours // HOURS)):
            told = experts(folded, origin, lead, scale[None])[0]
            said = self._pooled(told, learned["next day" if lead == 0 else "later"], peak / scale)
            result = said.copy()
            for one in own:
                result[..., one.level] = one.says(told, said)
            parts.append(result * scale[:, None])
        quantiles = np.clip(np.concatenate(parts), 0, pooled.MAX_OF_PEAK * peak[:, None])
        return np.sort(quantiles, axis=-1)[:hours]

    def own(self, learned: Mapping[str, Array]) -> list[adaptation.Own]:
        """What the series have learned from their own last days."""
        if self._back < adaptation.LEAST_DAYS:
            return []
        past, middle = self.past(learned), adaptation.middle_of(self._levels)
        return [
            adaptation.own(
                past, level, middle, pooled.cautious(self._levels[level]), learned["own"][level]
            )
            for level in adaptation.adapted(self._levels)
        ]

    def past(self, learned: Mapping[str, Array]) -> adaptation.Past:
        """What was said of the last days, and what came."""
        folded = self._folded
        origins = np.arange(folded.origin - self._back, folded.origin)
        scale, peak = scales(folded, origins), peaks(folded, origins)
        told = experts(folded, origins, 0, scale)
        most = peak / scale
        met = np.minimum(folded.days[origins] / scale[:, None], pooled.MAX_OF_PEAK * most[:, None])
        return adaptation.Past(told, self._pooled(told, learned["next day"], most), met)

    @staticmethod
    def _pooled(told: Array, coefficients: Array, most: Array) -> Array:
        """Quantiles [..., hour, series, level] in units of scale, `most` [..., series]."""
        most = pooled.MAX_OF_PEAK * most[..., None, :, None]
        return np.sort(np.clip(told @ coefficients.T, 0, most), axis=-1)


def training_series(count: int) -> NDArray[np.int64]:
    """Which of `count` series are learned from: all, or enough of them, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, MAX_TRAINING_SERIES)).astype(np.int64))


def _whole_hours(live: pd.DataFrame, last: pd.Timestamp, series: list[Hashable]) -> pd.DataFrame:
    """The hours of `live` that are over, each by its highest value."""
    if list(live.columns) != series:
        raise ValueError("live needs the columns of the history, in its order")
    if not isinstance(live.index, pd.DatetimeIndex) or live.index.tz is None or len(live) < 1:
        raise ValueError("live needs rows with times in a time zone (UTC)")
    first = last + pd.Timedelta("1h")
    if live.index[0] != first:
        raise ValueError(f"live starts at {live.index[0]}; the history asks for {first}")
    step = live.index[1] - live.index[0] if len(live) > 1 else pd.Timedelta("1h")
    if (live.index[1:] - live.index[:-1] != step).any() or pd.Timedelta("1h") % step:
        raise ValueError("live needs one regular step that divides an hour")
    whole = len(live) // int(pd.Timedelta("1h") / step)
    return live.resample("h").max().iloc[:whole]
