"""Known events: what past ones did to a series, taken out of its history and put into its future.

An event multiplies demand. What a past one did is measured against the same hours of the weeks
around it. What the next one will do is what those of its name did, drawn to the multiplier that
people expect (a normal prior on the logarithm, worth half a day). Series are treated one by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stacks.records import Event

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DAY, WEEK = 24, 168
AROUND = ((-WEEK, WEEK, -2 * WEEK), (-DAY, DAY, -2 * DAY))
"""Hours that tell the usual demand: of other weeks, or else of other days."""
LEAST_COMPARED, MOST_DRIFT = 0.5, 2.0
"""Share of the hours that must be comparable; how far levels may differ beside the event."""
PRIOR_DAYS = 0.5
LARGEST = 20.0
"""No measured multiplier lies above this, or below its inverse."""
DOUBT = 0.25
"""Standard deviation of a logarithm that was never measured, as a share of it."""


@dataclass(frozen=True)
class Effect:
    """What an event did to one series."""

    event: Event
    series: int
    log_multiplier: float
    """As measured."""
    days: float


def learn(
    events: Sequence[Event], demand: Array, index: pd.DatetimeIndex, names: Sequence[Hashable]
) -> tuple[Array, tuple[Effect, ...]]:
    """`demand` [hour, series] as it would have been without the events, and what they did."""
    if not events:
        return demand, ()
    usual = demand.copy()
    effects: list[Effect] = []
    masks = [(event, during(event, index)) for event in sorted(events, key=lambda e: e.start)]
    moved = np.zeros(demand.shape, bool)
    for event, hours in masks:
        for series in _touched(event, names):
            moved[hours, series] = True
    for event, hours in masks:
        for series in _touched(event, names):
            measured = _measured(usual[:, series], hours, moved[:, series])
            if measured is None:
                known = [effect for effect in effects if effect.series == series]
                measured = multiplier(event, known)[0]
            else:
                effects.append(Effect(event, series, measured, float(hours.sum()) / DAY))
            usual[hours, series] /= np.exp(measured)
    return usual, tuple(effects)


def apply(
    events: Sequence[Event],
    effects: Sequence[Effect],
    quantiles: Array,
    index: pd.DatetimeIndex,
    names: Sequence[Hashable],
    levels: Sequence[float],
) -> Array:
    """`quantiles` [hour, series, level] with the events; what is less known spreads more."""
    deviates = np.array([max(NormalDist().inv_cdf(level), 0.0) for level in levels])
    result = quantiles.copy()
    for event in events:
        hours = during(event, index)
        if not hours.any():
            continue
        for series in _touched(event, names):
            known = [effect for effect in effects if effect.series == series]
            log_multiplier, doubt = multiplier(event, known)
            result[hours, series] *= np.exp(log_multiplier + doubt * deviates)
    return result


def multiplier(event: Event, known: Sequence[Effect]) -> tuple[float, float]:
    """Logarithm of what the event multiplies a series by, and its standard deviation.

    `known` are effects on this series: those of the same name count, or else, where nobody has said
    what to expect, those of the same kind.
    """
    alike = [effect for effect in known if effect.event.name == event.name]
    prior = 0.0 if event.expected_multiplier is None else float(np.log(event.expected_multiplier))
    if not alike and event.expected_multiplier is None:
        alike = [effect for effect in known if effect.event.kind == event.kind]
    days = sum(effect.days for effect in alike)
    total = sum(effect.days * effect.log_multiplier for effect in alike)
    mean = (total + PRIOR_DAYS * prior) / (days + PRIOR_DAYS)
    return mean, DOUBT * abs(mean) / float(np.sqrt(1 + days))


def during(event: Event, index: pd.DatetimeIndex) -> Mask:
    """Which hours lie in the event, if only in part."""
    start, end = pd.Timestamp(event.start), pd.Timestamp(event.end)
    return np.asarray((index + pd.Timedelta("1h") > start) & (index < end))


def _touched(event: Event, names: Sequence[Hashable]) -> list[int]:
    """Columns are apps, or (app, location)."""
    return [i for i, name in enumerate(names) if not event.apps or _app(name) in event.apps]


def _app(name: Hashable) -> Hashable:
    return name[0] if isinstance(name, tuple) else name


def _measured(demand: Array, hours: Mask, moved: Mask) -> float | None:
    """Logarithm of demand during `hours` over the usual; None where too little of it is known."""
    at = np.flatnonzero(hours)
    if not len(at):
        return None
    calm = np.where(moved, np.nan, demand)
    near = np.arange(at[0] - DAY, at[-1] + DAY + 1)
    for shifts in AROUND:
        others = np.stack([_look(calm, at + shift) * _drift(calm, near, shift) for shift in shifts])
        known = ~np.isnan(others)
        usual = np.where(known, others, 0).sum(0) / np.maximum(known.sum(0), 1)
        compared = known.any(0)
        if compared.mean() >= LEAST_COMPARED and usual.sum() > 0 < demand[at[compared]].sum():
            ratio = demand[at[compared]].sum() / usual.sum()
            return float(np.clip(np.log(ratio), -np.log(LARGEST), np.log(LARGEST)))
    return None


def _look(calm: Array, at: NDArray[np.int64]) -> Array:
    """Values at those hours, NaN outside."""
    inside = (at >= 0) & (at < len(calm))
    return np.where(inside, calm[np.where(inside, at, 0)], np.nan)


def _drift(calm: Array, near: NDArray[np.int64], shift: int) -> float:
    """How far the level has moved, by the hours around the event and those `shift` hours from them."""
    now, then = _look(calm, near), _look(calm, near + shift)
    both = ~np.isnan(now + then)
    if now[both].sum() <= 0 or then[both].sum() <= 0:
        return 1.0
    return float(np.clip(now[both].sum() / then[both].sum(), 1 / MOST_DRIFT, MOST_DRIFT))
