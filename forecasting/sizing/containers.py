"""CPU and memory requests of containers, and the memory limit, from what they used.

CPU is compressible: too little makes a replica slow for a while, so the request is a quantile of
what was used, and there is no limit. Memory is not: too little kills the replica. Its limit covers
the extreme of the coming weeks, extrapolated from the largest use of each day (block maxima with a
Gumbel tail; Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, ch. 3), a rise
that goes on, and every kill for lack of memory. A peak counts as long as it is in the window:
limits rise at once and come down when the peak is weeks old.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

from stacks.machines import gpu_machine
from stacks.records import App, GpuServing, Requests

CPU_LEVEL = 0.95
"""The newsvendor's quantile where an hour too slow costs 20 cores that idle for an hour."""
EXCEEDED = 0.05
"""Chance that the daily peaks of the horizon reach the limit."""
HORIZON_DAYS, RISE_DAYS = 28, 7
LEAST_MARGIN = 1.2
"""Limit over the largest use seen."""
OOM_FACTOR = 1.5
WORTH_RAISING, WORTH_LOWERING = 0.03, 0.15
LEAST_DAYS_TO_LOWER = 14
CPU_STEP, MEMORY_STEP_GIB = 0.1, 0.25
NODE_CPU, NODE_MEMORY = 0.85, 0.8
"""Share of a node's CPU and memory that the system leaves to pods."""
LAMBDA_GIB, CLOUD_RUN_GIB_A_CPU = 10.0, 4.0
EULER = 0.5772156649


@dataclass(frozen=True)
class Advice:
    """What one replica should ask for, and why; `requests` is what stands where nothing changes."""

    requests: Requests | None
    changed: bool
    reason: str
    """One line."""


def advise(
    usage: pd.DataFrame, app: App, location: str, stands: Requests | None, *, least_days: float
) -> Advice:
    """Requests and memory limit of one service; the same usage gives the same advice.

    Args:
        usage: `time` (UTC, rising), `cpu_cores`, `memory_gib` of the busiest replica, and where
            known `oom_kills` since the sample before.
        app: of the stack file; its `serving.resources` hold until something is granted.
        location: where it runs, for the node that the pod must fit.
        stands: what was granted before.
        least_days: with less history nothing is advised but after a kill.
    """
    standing = stands or app.serving.resources.as_requests()
    known = usage.dropna(subset=["memory_gib"])
    kills = _new_kills(known, standing)
    days = known["time"].dt.floor("D").nunique()
    if days < max(least_days, 1) and kills.empty:
        return Advice(stands, changed=False, reason=f"kept: {days} days of usage")
    limit, why = _limit(known, kills, standing)
    if limit < standing.memory_limit_gib and days < LEAST_DAYS_TO_LOWER:
        limit = standing.memory_limit_gib
        why = f"{days} days of usage, {LEAST_DAYS_TO_LOWER} are needed to lower memory"
    wanted = Requests(
        cpu=_cpu(usage, standing),
        memory_gib=min(_up(float(known["memory_gib"].max()), MEMORY_STEP_GIB), limit),
        memory_limit_gib=limit,
        last_oom=kills.iloc[-1].to_pydatetime() if len(kills) else standing.last_oom,
    )
    fitting = within_node(wanted, app, location)
    if fitting.memory_limit_gib < limit:
        why += f"; {limit:g} GiB do not fit: choose a larger machine or fewer replicas on it"
    if not _is_news(standing, fitting):
        return Advice(stands, changed=False, reason="what stands is near what is used")
    moved = f"{standing.memory_limit_gib:g} → {fitting.memory_limit_gib:g} GiB"
    return Advice(fitting, changed=True, reason=f"memory limit {moved}, {why}")


def within_node(wanted: Requests, app: App, location: str) -> Requests:
    """No more than the node, or the cloud's function, gives one replica."""
    serving = app.serving
    if isinstance(serving, GpuServing):
        machine = gpu_machine(location, serving.gpu, serving.gpus_per_replica)
        replicas = machine.replicas(serving.gpus_per_replica)
        cpu = max(NODE_CPU * machine.cpu / replicas, serving.resources.cpu)
        memory = max(NODE_MEMORY * machine.memory_gib / replicas, serving.resources.memory_gib)
    else:
        # A function's CPU comes with its memory or is a choice of few: people's.
        cpu = serving.resources.cpu
        on_aws = location.startswith("aws:")
        memory = LAMBDA_GIB if on_aws else CLOUD_RUN_GIB_A_CPU * serving.resources.cpu
        wanted = wanted.model_copy(update={"cpu": cpu})
    return wanted.model_copy(
        update={
            "cpu": min(wanted.cpu, round(cpu, 2)),
            "memory_gib": min(wanted.memory_gib, round(memory, 2)),
            "memory_limit_gib": min(wanted.memory_limit_gib, round(memory, 2)),
        }
    )


def _limit(
    known: pd.DataFrame, kills: pd.Series[pd.Timestamp], standing: Requests
) -> tuple[float, str]:
    """Memory limit in GiB, and the reason."""
    peaks = known.groupby(known["time"].dt.floor("D"))["memory_gib"].max()
    most = float(peaks.max())
    limit, why = LEAST_MARGIN * most, f"{most:.2f} GiB at most"
    extreme, rise = _extreme(peaks.to_numpy())
    if extreme + rise > limit:
        limit = extreme + rise
        why = f"daily peaks up to {most:.2f} GiB reach {limit:.2f} in one of 20 months"
        if rise > extreme - most:
            why = f"memory rises by {rise / RISE_DAYS:.2f} GiB a day from {most:.2f}"
    if len(kills):
        limit = max(limit, OOM_FACTOR * standing.memory_limit_gib)
        why = f"killed for lack of memory at {kills.iloc[-1]:%Y-%m-%d %H:%M} UTC"
    elif _remembered(known, standing):
        limit = max(limit, standing.memory_limit_gib)
        why = f"kept up since the kill at {standing.last_oom:%Y-%m-%d %H:%M} UTC"
    return _up(limit, MEMORY_STEP_GIB), why


def _extreme(peaks: np.ndarray) -> tuple[float, float]:
    """Level that the coming daily peaks exceed with a chance of EXCEEDED, and a steady rise."""
    if len(peaks) < 3:
        return float(peaks.max()), 0.0
    recent = peaks[-RISE_DAYS:]
    surely = theilslopes(recent, alpha=0.9)[2]
    # Only rises tell how far a peak may jump: what falls, a restart for one, kills nobody.
    rises = np.maximum(np.diff(peaks), 0)
    scale = math.sqrt(float(np.mean(rises**2)) * 6) / math.pi
    chance = (1 - EXCEEDED) ** (1 / HORIZON_DAYS)
    gumbel = recent.mean() - EULER * scale - scale * math.log(-math.log(chance))
    return float(gumbel), max(float(surely), 0.0) * RISE_DAYS


def _new_kills(known: pd.DataFrame, standing: Requests) -> pd.Series[pd.Timestamp]:
    """Times of kills that no plan has answered yet."""
    if "oom_kills" not in known:
        return known["time"].iloc[:0]
    times = known.loc[known["oom_kills"].fillna(0) > 0, "time"]
    return times if standing.last_oom is None else times[times > standing.last_oom]


def _remembered(known: pd.DataFrame, standing: Requests) -> bool:
    return standing.last_oom is not None and bool(known["time"].iloc[0] <= standing.last_oom)


def _cpu(usage: pd.DataFrame, standing: Requests) -> float:
    used = usage["cpu_cores"].dropna()
    if used.empty:
        return standing.cpu
    return max(_up(float(used.quantile(CPU_LEVEL)), CPU_STEP), CPU_STEP)


def _is_news(standing: Requests, wanted: Requests) -> bool:
    """Whether a figure moved by more than is worth a change; memory that rises counts early."""
    memory = wanted.memory_limit_gib / standing.memory_limit_gib - 1
    cpu = wanted.cpu / standing.cpu - 1
    return (
        wanted.last_oom != standing.last_oom
        or memory > WORTH_RAISING
        or memory < -WORTH_LOWERING
        or abs(cpu) > WORTH_LOWERING
    )


def _up(value: float, step: float) -> float:
    """The next multiple of a step."""
    return round(math.ceil(value / step - 1e-9) * step, 4)
