"""The pooled stack: linear quantile regression on experts, over all series and their past days.

The quantiles of three such fits are averaged: two that learn, one that hardly leaves a fixed
judgement and counts while history is short.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from forecasting.quantiles import adaptation
from forecasting.quantiles.experts import (
    HOURS,
    NAMES,
    PADDED_DAYS,
    WEEK_DAYS,
    Folded,
    experts,
    peaks,
    scales,
)
from forecasting.quantiles.pinball import Rows

Array = NDArray[np.float64]

MAX_OF_PEAK = 2.5
"""No quantile lies above this multiple of a series' highest demand so far."""
LEARN_AFTER_A_WEEK_FROM = 9
"""With more days than this, only days with a whole week before them are learned from."""
LEAST_SCALE = 1e-8
TAIL_SHARE, TAIL_SLOPE = 0.5, 8.0
"""The upper tail that is fitted: 0.9 of 5 %, 0.58 of 1 %."""


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
FIRST_DOUBT, FIRST_DEVIATION = 1.0, 1.6
"""Of the point forecast, and of all hours' deviation, for each deviate, over the days of history squared:
the first days do not tell how days differ."""
JUDGED_DAYS, FEW_SERIES, LEAST_TRUST = 8.0, 0.6, 0.02
"""With this much history of many series (of one, with 1.6 times as much) judgement and learning
count alike; soon after, judgement is left out."""


@dataclass(frozen=True)
class Lesson:
    """What the experts said on past days, and what came; in units of each series' own scale."""

    told: Array
    """[row, expert]"""
    target: Array
    age_days: Array
    used: Array
    """[row] 1, or 0 for a series without any demand yet."""


def lesson(folded: Folded, leads: tuple[int, ...], days: int) -> Lesson | None:
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
    told = told_[0] if len(told_) == 1 else np.concatenate(told_)
    return Lesson(told, flat[0], flat[1].astype(float), flat[2].astype(float))


def coefficients(past: Lesson | None, levels: tuple[float, ...], days: int, series: int) -> Array:
    """[level, expert] from the lesson of `series` series with `days` days of history."""
    if past is None:
        return np.array([judgement(level, days) for level in levels])
    with one_thread():
        learned = np.mean([_fitted(past, stack, levels, days) for stack in LEARNED], axis=0)
        judged = judged_share(days, series)
        if not judged:
            return np.asarray(learned)
        return np.asarray((1 - judged) * learned + judged * _fitted(past, JUDGED, levels, days))


def judged_share(days: float, series: int) -> float:
    """How much judgement counts beside what was learned from so many days of so many series."""
    share = 1 / (1 + (days / (JUDGED_DAYS * (1 + FEW_SERIES / series))) ** 4)
    return float(share) if share >= LEAST_TRUST else 0.0


def _fitted(past: Lesson, stack: Stack, levels: tuple[float, ...], days: int) -> Array:
    weight = past.used * np.exp(-past.age_days / stack.memory_days)
    ridge = stack.ridge * HOURS / len(past.target)
    rows = Rows.of(past.told, past.target, weight, ridge=ridge, width=stack.width)
    found = [judgement(levels[0], days)]
    for level in levels:
        prior = judgement(level, days) if stack.by_prior else np.zeros(len(NAMES) + 1)
        found.append(rows.quantile(cautious(level), prior=prior, start=found[-1]))
    return np.array(found[1:])


def moves(past: Lesson | None, pooled: Array, levels: tuple[float, ...], series: int) -> Array:
    """How far a series moves coefficients of its own, [level, feature, feature]; see `adaptation`."""
    features = len(adaptation.MOVING) + 3
    result = np.zeros((len(levels), features, features))
    if past is None:
        return result
    late = past.age_days <= adaptation.DAYS
    told = past.told[late]
    weight = (past.used * np.exp(-past.age_days / adaptation.MEMORY_DAYS))[late]
    if not weight.any():
        return result
    with one_thread():
        said = np.sort(np.maximum(told @ pooled.T, 0), axis=-1)
        middle = adaptation.middle_of(levels)
        for level in adaptation.adapted(levels):
            result[level] = adaptation.moves(told, said, level, middle, weight, series)
    return result


def judgement(level: float, days: int) -> Array:
    """Coefficients for experts and constant that need no data: the first days are doubted most."""
    deviate = NormalDist().inv_cdf(level)
    doubted = max(0.0, 1 + FIRST_DOUBT * deviate / days**2)
    weights = {name: doubted * weight for name, weight in JUDGEMENT.items()}
    weights["hour deviation"] = JUDGED_DEVIATION * deviate
    weights["7-day deviation"] = FIRST_DEVIATION * deviate / days**2
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
