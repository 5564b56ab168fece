"""Experts: simple forecasts and measures of spread, for many origins and series at once.

Demand is folded into days that start at the forecast's own hour: `days[d, h, s]`. A forecast made
at day `origin` looks at days before it only. How much each expert is worth is learned elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOURS, WEEK_DAYS = 24, 7
PADDED_DAYS = 4 * WEEK_DAYS
"""Days put before the first known one, so that every lag leads somewhere."""
LEAST_SHARE_OF_ALL_TIME = 0.1
"""A service that was idle last week is scaled by at least this share of its all-time mean."""
TINY = 1e-9
NAMES = (
    "yesterday",
    "last week",
    "last week, nearby max",
    "last week, nearby mean",
    "hour mean",
    "hour max",
    "hour deviation",
    "hour mean at last day's level",
    "hour mean times last day's level",
    "week profile, added",
    "week profile, multiplied",
    "day type mean",
    "day type max",
    "day type at its level",
    "change of the hour from week to week",
    "same weekday, max of three",
    "same weekday, mean of three",
    "last week times last day's change",
    "last week and the last hours' change",
    "yesterday and the last hours' change",
    "yesterday, where the day type turns",
    "last week, where the day type turns",
    "last day, where the day type turns",
    "last week and three days' change",
    "last hour",
    "last 3 hours",
    "last day",
    "7-day max",
    "7-day q95",
    "7-day deviation",
    "change from week to week",
)
"""The experts in their order; a constant comes after them."""
PROFILE_WEEKS, PROFILE_DECAY, PROFILE_LEVEL_DAYS = 4, 0.6, 2
SAME_TYPE_DAYS = 14
LATE_HOURS = 6


@dataclass(frozen=True)
class Folded:
    """Hourly demand as days that begin at the forecast's hour."""

    days: Array
    """[day, hour, series], without gaps; the first PADDED_DAYS repeat the first known day."""
    weekend: NDArray[np.bool_]
    """[day, hour], as far as targets may lie ahead."""

    @property
    def origin(self) -> int:
        """The day that comes next."""
        return len(self.days)


def fold(values: Array, last_hour: np.datetime64, ahead_days: int) -> Folded:
    """`values` [hours, series] without gaps, ending with `last_hour` (UTC)."""
    whole, rest = divmod(len(values), HOURS)
    days = values[rest:].reshape(whole, HOURS, values.shape[1])
    if rest:  # the first day is known in part; the next one fills it up
        following = days[0] if whole else np.repeat(values[-1:], HOURS, axis=0)
        first = np.concatenate([following[: HOURS - rest], values[:rest]])
        days = np.concatenate([first[None], days])
    days = np.concatenate([np.repeat(days[:1], PADDED_DAYS, axis=0), days])
    start = last_hour + np.timedelta64(1, "h") - np.timedelta64(len(days) * HOURS, "h")
    stamps = start + np.arange((len(days) + ahead_days) * HOURS).astype("timedelta64[h]")
    weekday = (stamps.astype("datetime64[D]").astype(np.int64) + 3) % WEEK_DAYS  # 0 is Monday
    return Folded(days, (weekday >= 5).reshape(-1, HOURS))


def scales(folded: Folded, origins: NDArray[np.int64]) -> Array:
    """[origin, series] what demand is divided by: last week's mean, guarded against idleness."""
    means = folded.days.mean(1)
    week = np.stack([means[origins - j] for j in range(1, WEEK_DAYS + 1)]).mean(0)
    total = np.cumsum(means[PADDED_DAYS:], axis=0)
    known = origins - PADDED_DAYS
    all_time = total[known - 1] / known[:, None]
    guarded = np.maximum(week, LEAST_SHARE_OF_ALL_TIME * all_time)
    return np.asarray(np.maximum(guarded, TINY))


def peaks(folded: Folded, origins: NDArray[np.int64]) -> Array:
    """[origin, series] the highest demand so far."""
    highest = np.maximum.accumulate(folded.days.max(1), axis=0)
    return np.asarray(highest[origins - 1])


def experts(folded: Folded, origins: NDArray[np.int64], lead_days: int, scale: Array) -> Array:
    """[origin, hour, series, expert] in units of `scale`, for the day `lead_days` after the next.

    `lead_days` is 0 to 6: the same weekday of last week is always known.
    """
    x, target = folded.days, origins + lead_days
    week = np.stack([x[origins - j] for j in range(1, WEEK_DAYS + 1)])
    hour_mean, hour_max, hour_std = week.mean(0), week.max(0), week.std(0)
    last_day, week_ago = week[0], x[target - WEEK_DAYS]
    week_level = hour_mean.mean(1, keepdims=True)
    day_level = last_day.mean(1, keepdims=True)
    moved = day_level / np.maximum(week_level, TINY)
    additive, multiplicative = _weekly_profiles(folded, origins, lead_days, scale)
    type_mean, type_max, type_level = _same_day_type(folded, origins, target)
    before = np.stack([x[origins - j] for j in range(WEEK_DAYS + 1, 2 * WEEK_DAYS + 1)])
    changed = np.abs(week - before).mean(0)
    same_day = np.stack([x[target - WEEK_DAYS * k] for k in (1, 2, 3)])
    week_move = day_level / np.maximum(before[0].mean(1, keepdims=True), TINY)
    lately = last_day[:, -LATE_HOURS:].mean(1, keepdims=True)
    since_last_week = lately - before[0][:, -LATE_HOURS:].mean(1, keepdims=True)
    since_yesterday = lately - week[1][:, -LATE_HOURS:].mean(1, keepdims=True)
    three_days = week[:3].mean((0, 2))[:, None] - before[:3].mean((0, 2))[:, None]
    turn = (folded.weekend[origins - 1] != folded.weekend[target])[..., None]
    flat = week.transpose(1, 0, 2, 3).reshape(len(origins), WEEK_DAYS * HOURS, x.shape[2])
    told = {
        "yesterday": last_day,
        "last week": week_ago,
        "last week, nearby max": _nearby(week_ago, np.maximum.reduce),
        "last week, nearby mean": _nearby(week_ago, lambda parts: np.mean(parts, axis=0)),
        "hour mean": hour_mean,
        "hour max": hour_max,
        "hour deviation": hour_std,
        "hour mean at last day's level": hour_mean + day_level - week_level,
        "hour mean times last day's level": hour_mean * np.minimum(moved, 3),
        "week profile, added": additive,
        "week profile, multiplied": multiplicative,
        "day type mean": type_mean,
        "day type max": type_max,
        "day type at its level": type_level,
        "change of the hour from week to week": changed,
        "same weekday, max of three": same_day.max(0),
        "same weekday, mean of three": same_day.mean(0),
        "last week times last day's change": week_ago * np.minimum(week_move, 3),
        "last week and the last hours' change": np.maximum(week_ago + since_last_week, 0),
        "yesterday and the last hours' change": np.maximum(last_day + since_yesterday, 0),
        "yesterday, where the day type turns": turn * last_day,
        "last week, where the day type turns": turn * week_ago,
        "last day, where the day type turns": turn * day_level,
        "last week and three days' change": np.maximum(week_ago + three_days, 0),
        "last hour": last_day[:, -1:],
        "last 3 hours": last_day[:, -3:].mean(1, keepdims=True),
        "last day": day_level,
        "7-day max": flat.max(1, keepdims=True),
        "7-day q95": np.quantile(flat, 0.95, axis=1)[:, None],
        "7-day deviation": flat.std(1, keepdims=True),
        "change from week to week": changed.mean(1, keepdims=True),
    }
    assert tuple(told) == NAMES
    shape = last_day.shape
    stacked = np.stack([np.broadcast_to(one, shape) for one in told.values()], axis=-1)
    return np.concatenate([stacked / scale[:, None, :, None], np.ones((*shape, 1))], axis=-1)


def _nearby(day: Array, combine: Callable[[list[Array]], Array]) -> Array:
    """Over the hour before, the hour itself and the hour after, within the day."""
    padded = np.concatenate([day[:, :1], day, day[:, -1:]], axis=1)
    return np.asarray(combine([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]]))


def _weekly_profiles(
    folded: Folded, origins: NDArray[np.int64], lead_days: int, scale: Array
) -> tuple[Array, Array]:
    """The same weekday of the last weeks, each seen from the level that it had then."""
    x = folded.days

    def level(origin: NDArray[np.int64]) -> Array:
        days = [x[origin - j] for j in range(1, PROFILE_LEVEL_DAYS + 1)]
        return np.asarray(np.stack(days).mean((0, 2)))

    now = level(origins)[:, None]
    least = 0.05 * scale[:, None]
    added, multiplied, total = np.zeros(1), np.zeros(1), 0.0
    for k in range(1, PROFILE_WEEKS + 1):
        then = level(np.maximum(origins - WEEK_DAYS * k, PROFILE_LEVEL_DAYS))[:, None]
        day = x[np.maximum(origins + lead_days - WEEK_DAYS * k, 0)]
        weight = PROFILE_DECAY ** (k - 1)
        added = added + weight * (day - then)
        multiplied = multiplied + weight * day / np.maximum(then, least)
        total += weight
    return np.maximum(now + added / total, 0), np.minimum(now, 10 * scale[:, None]) * np.minimum(
        multiplied / total, 10
    )


def _same_day_type(
    folded: Folded, origins: NDArray[np.int64], target: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Mean, maximum and mean at last week's level, over the weekdays (or weekends) of 14 days."""
    x, weekend = folded.days, folded.weekend
    count = np.zeros((*weekend[origins].shape, 1))
    total = np.zeros((len(origins), HOURS, x.shape[2]))
    highest = np.zeros_like(total)
    for j in range(1, SAME_TYPE_DAYS + 1):
        same = (weekend[origins - j] == weekend[target])[..., None]
        count += same
        total += np.where(same, x[origins - j], 0)
        highest = np.maximum(highest, np.where(same, x[origins - j], 0))
    mean = total / np.maximum(count, 1)
    recent = np.stack([x[origins - j] for j in range(1, 8)]).mean((0, 2))
    before = np.stack([x[origins - j] for j in range(1, SAME_TYPE_DAYS + 1)]).mean((0, 2))
    moved = np.clip(recent / np.maximum(before, TINY), 0.2, 2)
    return mean, highest, mean * moved[:, None]
