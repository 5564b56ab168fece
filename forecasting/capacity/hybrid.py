"""plan_capacity: a scheduled floor and an autoscaler's target, chosen together by replay.

For each service the pair (quantile of the floor, target utilisation) is the one for which the replay
of the recorded days speaks (`choice`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecasting.capacity.choice import Record, choose
from forecasting.quantiles.forecaster import DemandForecaster, check

Array = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
TARGETS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
FIRST_CHOICE = LEVELS.index(0.9) * len(TARGETS) + TARGETS.index(0.8)
"""While there are no past days to choose by."""
REPLAY_DAYS = 7
LEAST_DAYS = 2
"""Of history before a day is replayed."""
MAX_OF_PEAK = 3.0
"""The ceiling, as a multiple of a service's highest demand so far."""


@dataclass(frozen=True)
class CapacityPlan:
    """Bounds for one service over the horizon, in units of demand."""

    floor: Array
    """[hour] capacity that is always there."""
    target_utilisation: float
    ceiling: float


def plan_capacity(
    demand: pd.DataFrame,
    *,
    horizon_hours: int = 24,
    reaction_minutes: float = 10,
    scale_down_minutes: float = 30,
    unserved_cost: float = 20.0,
    max_shortfall: float = 0.01,
) -> dict[str, CapacityPlan]:
    """Floor by hour, target and ceiling of every column of `demand`.

    Args:
        demand: regular UTC index of at most an hour a step, a column a service, NaN is missing.
        horizon_hours: how long the floor is for.
        reaction_minutes: from load to new capacity.
        scale_down_minutes: for how long the autoscaler remembers the busiest step.
        unserved_cost: cost of a unit of demand not served, in units of capacity.
        max_shortfall: the promise: share of each service's demand that may lie above capacity.

    Raises:
        ValueError: the index is not regular or values are negative or infinite.
    """
    step = _step(demand)
    hourly = demand.resample("h").max()
    check(hourly)
    values = demand.to_numpy(float)
    steps_an_hour = int(pd.Timedelta("1h") / step)
    lag = max(1, int(np.ceil(pd.Timedelta(minutes=reaction_minutes) / step)))
    memory = max(1, int(np.ceil(pd.Timedelta(minutes=scale_down_minutes) / step)))
    known = _known_peak(values, lag, memory)
    record = _replayed(hourly, values, known, steps_an_hour)
    if record is None or not record.asked.any():
        chosen = np.full(demand.shape[1], FIRST_CHOICE)
    else:
        chosen = choose(record, max_shortfall, unserved_cost)
    floors = _floors(hourly, horizon_hours)
    peaks = np.nan_to_num(hourly.max().to_numpy(float))
    return {
        name: CapacityPlan(
            floors[:, i, chosen[i] // len(TARGETS)],
            TARGETS[chosen[i] % len(TARGETS)],
            MAX_OF_PEAK * float(peaks[i]),
        )
        for i, name in enumerate(demand.columns)
    }


def _step(demand: pd.DataFrame) -> pd.Timedelta:
    index = demand.index
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2:
        raise ValueError("demand needs a DatetimeIndex with two rows or more")
    if index.has_duplicates:
        raise ValueError(f"duplicated timestamps, first {index[index.duplicated()][0]}")
    steps = index[1:] - index[:-1]
    if (steps != steps[0]).any() or steps[0] <= pd.Timedelta(0) or pd.Timedelta("1h") % steps[0]:
        raise ValueError("irregular index: demand needs one regular step that divides an hour")
    return pd.Timedelta(steps[0])


def _floors(hourly: pd.DataFrame, hours: int) -> Array:
    """Quantiles [hour, service, level] of LEVELS."""
    quantiles = DemandForecaster(LEVELS).fit(hourly).predict(hours)
    return quantiles.to_numpy().reshape(hours, hourly.shape[1], len(LEVELS))


def _known_peak(values: Array, lag: int, memory: int) -> Array:
    """[step, service] the busiest step that the autoscaler knows and remembers."""
    known = np.zeros(values.shape)
    clean = np.nan_to_num(values)
    for back in range(lag, min(lag + memory, len(values))):
        known[back:] = np.maximum(known[back:], clean[: len(clean) - back])
    return known


def _replayed(
    hourly: pd.DataFrame, values: Array, known: Array, steps_an_hour: int
) -> Record | None:
    """The last days under each level and target; None without a day to replay."""
    days = min(REPLAY_DAYS, len(hourly) // 24 - LEAST_DAYS)
    cost, unserved, asked = [], [], []
    for back in range(days, 0, -1):
        end = len(hourly) - 24 * back
        floors = np.repeat(_floors(hourly.iloc[:end], 24), steps_an_hour, axis=0)[..., None]
        first = len(values) - 24 * back * steps_an_hour
        steps = slice(first, first + 24 * steps_an_hour)
        met = values[steps][:, :, None, None]
        reacting = known[steps][:, :, None, None] / np.array(TARGETS)
        ceiling = MAX_OF_PEAK * np.nan_to_num(hourly.iloc[:end].max().to_numpy(float))
        capacity = np.minimum(np.maximum(floors, reacting), ceiling[:, None, None])
        cost.append(np.where(np.isnan(met), 0, capacity).sum(0).reshape(hourly.shape[1], -1))
        unserved.append(np.nansum(np.maximum(met - capacity, 0), axis=0).reshape(cost[-1].shape))
        asked.append(np.nansum(values[steps], axis=0))
    return Record(np.array(cost), np.array(unserved), np.array(asked)) if cost else None
