"""Daily spend taken apart: weekday profile, holidays and level, each as it was known on each day.

Everything is an array over days whose row `t` uses days up to and including `t`: a forecast made at
the end of day `t` is read off row `t`, and replaying the past costs no second fit.

The parts are those of a classical decomposition in logarithms (Hyndman and Athanasopoulos,
"Forecasting: Principles and Practice", section 3.4), with medians, and looking back only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.signal import lfilter

ONE_DAY = pd.Timedelta(days=1)
LONGEST_MONTH = 31
PROFILE_WEEKS = 8
CENTRED_DAYS = 3
"""A week's mean around a day is known three days later."""
LEAST_SHARE = 0.01
"""Days below this share of the mean so far count as it: the logarithm of nothing is none."""
GROWTH_DAYS = (90, 180, 365)
GROWTH_TRUST = 0.8
"""Part of the past growth that goes on (damped trend: Gardner and McKenzie 1985)."""
LARGEST_GROWTH = float(np.log(2)) / 30
"""A day: no month is expected to double or halve."""
LEVEL_DAYS = 28
LEVEL_HALF_LIVES = (1.0, 2.5, 6.0, 14.0)
YEAR_END = {
    (12, 23): 0.3, (12, 24): 0.7, (12, 25): 0.7, (12, 26): 0.7, (12, 27): 0.6, (12, 28): 0.6,
    (12, 29): 0.6, (12, 30): 0.6, (12, 31): 0.7, (1, 1): 0.8, (1, 2): 0.5, (1, 3): 0.3,
}  # fmt: skip
"""How far a weekday of the year's end goes towards a weekend day."""
EASTER = {-2: 0.35, 1: 0.35}
"""The same for Good Friday and Easter Monday, by days after Easter Sunday."""
WEEKEND_PART = 0.4
"""How much of a weekday's fall a weekend day in the holidays takes on top of its own."""


@dataclass(frozen=True)
class History:
    """Spend of `days` days and what it is made of; the calendar runs a month on."""

    spend: np.ndarray
    log_spend: np.ndarray
    weekday: np.ndarray
    """[day + month ahead] 0 is Monday."""
    holiday: np.ndarray
    """[day + month ahead] how much of a weekend day a weekday is."""
    profile: np.ndarray
    """[day, weekday] logarithm over the week's mean, as known at the end of the day."""
    level: np.ndarray
    """[day] logarithm of spend without weekday and holiday."""

    @property
    def days(self) -> int:
        return len(self.spend)

    def season(self, ahead: int) -> np.ndarray:
        """[day] what weekday and holiday add `ahead` days after each day, as known on that day."""
        days = np.arange(ahead, ahead + self.days)
        return season(self.profile, self.weekend_gap, self.weekday[days], self.holiday[days])

    @cached_property
    def weekend_gap(self) -> np.ndarray:
        """[day] by how much weekdays lie above weekends, in logarithms; none where they do not."""
        return weekend_gap(self.profile)

    def before(self, values: np.ndarray) -> np.ndarray:
        """What was known the day before."""
        return np.concatenate([values[:1], values[:-1]])

    @cached_property
    def growth(self) -> np.ndarray:
        """[day] damped growth of the level a day, from far apart months: short slopes mislead."""
        month = trailing_mean(self.level, LEVEL_DAYS)
        today = np.arange(self.days)
        slopes = []
        for span in GROWTH_DAYS:
            back = np.clip(today - LEVEL_DAYS + 1, 0, span)
            slopes.append((month - month[today - back]) / np.maximum(back, LEVEL_DAYS))
        damped = GROWTH_TRUST * np.mean(slopes, axis=0)
        return np.asarray(np.clip(damped, -LARGEST_GROWTH, LARGEST_GROWTH))

    @cached_property
    def recent_level(self) -> np.ndarray:
        """[day] mean of exponentially weighted means, of days to weeks."""
        return np.asarray(np.mean([smoothed(self.level, h) for h in LEVEL_HALF_LIVES], axis=0))


def taken_apart(daily: pd.Series[float], holidays: Mapping[date, float] | None) -> History:
    """The history of a checked series whose first day is above zero."""
    spend = daily.to_numpy(float)
    mean_so_far = np.cumsum(spend) / np.arange(1, len(spend) + 1)
    log_spend = np.log(np.maximum(spend, LEAST_SHARE * mean_so_far))
    calendar = pd.date_range(daily.index[0], periods=len(spend) + LONGEST_MONTH, freq="D")
    weekday = calendar.day_of_week.to_numpy()
    holiday = usual_holidays(calendar) if holidays is None else shares(calendar, holidays)
    profile = weekday_profile(log_spend, weekday, holiday)
    known = np.vstack([profile[:1], profile[:-1]])
    days = len(spend)
    level = log_spend - season(known, weekend_gap(known), weekday[:days], holiday[:days])
    return History(spend, log_spend, weekday, holiday, profile, level)


def season(
    profile: np.ndarray, gap: np.ndarray, weekday: np.ndarray, holiday: np.ndarray
) -> np.ndarray:
    """What each day's weekday and holiday add; a holiday takes a weekday towards the weekend."""
    usual = profile[np.arange(len(profile)), weekday]
    fall = np.where(weekday < 5, 1.0, WEEKEND_PART) * holiday
    return np.asarray(usual - fall * gap)


def weekend_gap(profile: np.ndarray) -> np.ndarray:
    gap = profile[:, :5].mean(axis=1) - profile[:, 5:].mean(axis=1)
    return np.asarray(np.maximum(gap, 0.0))


def weekday_profile(log_spend: np.ndarray, weekday: np.ndarray, holiday: np.ndarray) -> np.ndarray:
    """[day, weekday] over the mean of the week, from the last weeks; zero until all are known."""
    days = len(log_spend)
    profile = np.zeros((days, 7))
    if days < 2 * CENTRED_DAYS + 7:
        return profile
    weeks = -(-days // 7)
    deviation = np.full(7 * weeks, np.nan)
    middle = slice(CENTRED_DAYS, days - CENTRED_DAYS)
    deviation[middle] = log_spend[middle] - np.convolve(log_spend, np.ones(7) / 7, "valid")
    # A week with a holiday in it says nothing of usual weeks.
    deviation[:days][np.convolve(holiday[:days] > 0, np.ones(7), "same") > 0] = np.nan
    recent = pd.DataFrame(deviation.reshape(weeks, 7)).rolling(PROFILE_WEEKS, min_periods=1)
    usual = ((recent.median() + recent.mean()) / 2).to_numpy().ravel()[:days]
    usual[days - CENTRED_DAYS :] = np.nan
    known = np.full((days, 7), np.nan)
    late = np.arange(days - CENTRED_DAYS)
    known[late + CENTRED_DAYS, weekday[late]] = usual[late]
    known = pd.DataFrame(known).ffill().to_numpy()
    complete = ~np.isnan(known).any(axis=1)
    profile[complete] = known[complete] - known[complete].mean(axis=1, keepdims=True)
    return profile


def usual_holidays(calendar: pd.DatetimeIndex) -> np.ndarray:
    """Shares of the holidays that most of the business year knows: the year's end and Easter."""
    found = np.array([YEAR_END.get((day.month, day.day), 0.0) for day in calendar])
    for year in range(calendar[0].year, calendar[-1].year + 1):
        sunday = pd.Timestamp(year, 1, 1, tz=calendar.tz) + pd.offsets.Easter()
        for after, share in EASTER.items():
            found[calendar == sunday + after * ONE_DAY] = share
    return found


def shares(calendar: pd.DatetimeIndex, holidays: Mapping[date, float]) -> np.ndarray:
    return np.array([holidays.get(day.date(), 0.0) for day in calendar])


def smoothed(values: np.ndarray, half_life: float) -> np.ndarray:
    """Exponentially weighted mean, begun at the first value."""
    weight = 1 - 0.5 ** (1 / half_life)
    result, _ = lfilter([weight], [1, weight - 1], values, zi=[values[0] * (1 - weight)])
    return np.asarray(result)


def trailing_mean(values: np.ndarray, days: int) -> np.ndarray:
    """Mean of the last `days`, or of as many as there are."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - days, 0)
    return np.asarray((sums[end] - sums[start]) / (end - start))
