"""Seeded serving telemetry to try sizing with: plausible for a stack, and labelled as synthetic."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pandas as pd

from stacks.records import Capacity, Stack

CLAIM_HOLDS, CLAIM_TOO_HIGH, CLAIM_TOO_LOW = (1.0, 1.12), (0.72, 0.8), (1.35, 1.6)
"""Ranges of what a replica really serves, as a share of what the stack file claims of it."""
BUSY_AT_SLO = 0.8
"""Utilisation at which the SLO is met."""
UNLOADED = 0.45
"""Latency of an idle replica, as a share of the SLO."""
NOISE = 0.06
REACTION_STEPS = 2
DRILL = 0.7
"""Share of the replicas that a drill leaves."""


def serving_of(stack: Stack, demand: pd.DataFrame) -> pd.DataFrame:
    """Load, replicas, p95 latency and utilisation under the demand of `synthetic.generate`.

    A drill a week takes replicas away at the busiest time, so that more is seen than the autoscaler
    lets happen. Two services differ: the claim of one is too high, that of another too low, always
    the same two for one seed.
    """
    seed = demand.attrs["seed"]
    rank = {
        service: zlib.crc32(f"claim:{seed}:{'@'.join(service)}".encode())
        for service in stack.services()
    }
    high, low = [*sorted(rank, key=rank.__getitem__), None, None][:2]
    parts = []
    for (app, location), own in rank.items():
        rows = demand[(demand["app"] == app) & (demand["location"] == location)]
        random = np.random.default_rng([seed, own])
        share = {high: CLAIM_TOO_HIGH, low: CLAIM_TOO_LOW}.get((app, location), CLAIM_HOLDS)
        claim = stack.apps[app].serving.rps_per_replica
        replicas = _replicas(rows, claim, stack.capacity.get(app, {}).get(location))
        busy = rows["rps"] / replicas / claim / random.uniform(*share) * BUSY_AT_SLO
        slo = stack.apps[app].slo.latency_p95_ms
        noise = np.exp(random.normal(0, NOISE, len(rows)))
        made = rows.assign(replicas=replicas, latency_p95_ms=slo * _latency(busy) * noise)
        parts.append(made.assign(utilisation=np.minimum(busy, 1.0)))
    decimals = {"latency_p95_ms": 2, "utilisation": 4}
    return pd.concat(parts, ignore_index=True).round(decimals)


def _replicas(rows: pd.DataFrame, claim: float, stands: Capacity | None) -> pd.Series[Any]:
    """As an autoscaler would have run them, some steps after the demand."""
    target = stands.target_utilisation if stands else 0.7
    known = rows["rps"].shift(REACTION_STEPS).bfill()
    wanted = np.ceil(known / (claim * target)).clip(lower=1)
    if stands is not None:
        hour, weekend = rows["time"].dt.hour, rows["time"].dt.day_of_week >= 5
        floor = np.array([stands.floor.weekday, stands.floor.weekend])[weekend.astype(int), hour]
        wanted = wanted.clip(lower=np.maximum(floor, 1), upper=stands.ceiling)
    week = (rows["time"] - rows["time"].iloc[0]).dt.days // 7
    busiest = rows["time"].loc[rows.groupby(week)["rps"].transform("idxmax")]
    drill = (rows["time"] - busiest.set_axis(rows.index)).abs() <= pd.Timedelta("2h")
    ran: pd.Series[Any] = wanted.mask(drill, np.floor(DRILL * wanted).clip(lower=1))
    return ran.astype(int)


def _latency(busy: pd.Series[float]) -> pd.Series[float]:
    """In SLOs: waiting as in a queue with one server, up to ten times the SLO."""
    waiting = busy.clip(upper=0.99) / (1 - busy.clip(upper=0.99))
    at_slo = BUSY_AT_SLO / (1 - BUSY_AT_SLO)
    return (UNLOADED + (1 - UNLOADED) * waiting / at_slo).clip(upper=10.0)
