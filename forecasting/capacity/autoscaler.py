"""What a reactive autoscaler does between floor and ceiling, step by step on recorded demand.

Capacity follows the busiest step that the autoscaler knows and still remembers, as KEDA and the
HPA do: it knows a step once the reaction time has passed, and remembers it for the scale-down
window. Steps without telemetry are not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

METRIC_DELAY_MINUTES = 1.0
"""Scrape interval and the autoscaler's own period, before anything is started."""
SCALE_DOWN_MINUTES = 30
"""For how long the busiest step is remembered."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Reaction:
    """Reaction time and memory in steps of the demand."""

    lag: float
    memory: int

    @classmethod
    def of(cls, cold_start_minutes: float, step_minutes: int) -> Reaction:
        """From the wish for a replica to its first answer, with the delay of the metric."""
        lag = (cold_start_minutes + METRIC_DELAY_MINUTES) / step_minutes
        return cls(lag, max(1, math.ceil(SCALE_DOWN_MINUTES / step_minutes)))


def known_peaks(demand: Array, reaction: Reaction) -> tuple[tuple[float, Array], ...]:
    """(weight, [step, ...] busiest step known) for the whole steps around the lag.

    With a lag of 0.6 steps, a new replica serves the last 0.4 of the step that called for it.
    """
    whole = math.floor(reaction.lag)
    share = reaction.lag - whole
    parts = [(1 - share, _delayed(demand, whole, reaction.memory))]
    if share > 0:
        parts.append((share, _delayed(demand, whole + 1, reaction.memory)))
    return tuple(parts)


def _delayed(demand: Array, lag: int, memory: int) -> Array:
    known = np.full(demand.shape, np.nan)
    for back in range(lag, min(lag + memory, len(demand))):
        known[back:] = np.fmax(known[back:], demand[: len(demand) - back])
    return np.asarray(np.nan_to_num(known))


def replicas(floor: Array, ceiling: Array | float, need: Array) -> Array:
    """Whole replicas that run: `need` (replicas, not whole) between floor and ceiling."""
    return np.minimum(np.maximum(floor, np.ceil(need - ROUNDING)), ceiling)


@dataclass(frozen=True)
class Run:
    """What running would have meant, per step; NaN where there was no telemetry."""

    replicas: Array
    unserved: Array
    """In units of demand."""


def run(
    demand: Array,
    peaks: tuple[tuple[float, Array], ...],
    *,
    floor: Array,
    ceiling: Array | float,
    target: Array | float,
    rps_per_replica: Array | float,
) -> Run:
    """All arrays broadcast to [step, ...]; `peaks` as `known_peaks` gives them."""
    total, unserved = np.zeros(1), np.zeros(1)
    for weight, peak in peaks:
        running = replicas(floor, ceiling, peak / (rps_per_replica * target))
        total = total + weight * running
        unserved = unserved + weight * np.maximum(demand - running * rps_per_replica, 0)
    return Run(np.where(np.isnan(demand), np.nan, total), unserved)
