"""Kills for lack of memory and idle memory under this planner's limits, beside the rules in use.

    python benchmarks/containers.py [--containers 80]

Each container of seeded synthetic use (cycles, steps, leaks, rare peaks; 70 days, the first 14 to
learn from) gets a new limit every midnight from what was measured before; use above the limit is a
kill, and what is measured ends at the limit. Columns: kills per 100 container-months; containers
that were never killed; mean limit over mean use; changes of the limit a month.
VPA: largest use of 8 days + 15 %, doubled after a kill. KRR: largest use of 14 days + 15 %; below
it the same with a margin that takes as much memory as this planner.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.sizing.containers import advise  # noqa: E402
from forecasting.telemetry.synthetic_usage import (  # noqa: E402
    KINDS,
    STEPS_A_DAY,
    cpu_cores,
    memory_gib,
)
from stacks.records import App, Requests  # noqa: E402

DAYS, LEARNING_DAYS, WINDOW_DAYS, MONTH_DAYS = 70, 14, 28, 30
WRITTEN_GIB = 16.0
"""What people wrote before anything was measured."""
Rule = Callable[[pd.DataFrame, Requests], Requests]
APP = App.model_validate(
    {
        "owner": "bench", "cost_center": "bench", "data_class": "internal",
        "model": {"name": "bench-model", "version": "1.0.0"},
        "serving": {"target": "gpu", "gpu": "a100", "gpus_per_replica": 8, "rps_per_replica": 1},
        "regions": ["aws:us-east-1"],
        "slo": {"latency_p95_ms": 300},
        "budget": {"monthly_usd": 1000},
    }
)  # fmt: skip


def ours(usage: pd.DataFrame, stands: Requests) -> Requests:
    advice = advise(usage, APP, "aws:us-east-1", stands, least_days=3)
    return advice.requests or stands


def vpa(usage: pd.DataFrame, stands: Requests) -> Requests:
    recent = usage.iloc[-8 * STEPS_A_DAY :]
    killed = recent["oom_kills"] > 0
    peak = recent["memory_gib"].mask(killed, 2 * recent["memory_gib"]).max()
    return limited(stands, 1.15 * peak)


def krr(usage: pd.DataFrame, stands: Requests, margin: float = 1.15) -> Requests:
    return limited(stands, margin * usage["memory_gib"].iloc[-14 * STEPS_A_DAY :].max())


def limited(stands: Requests, memory: float) -> Requests:
    return stands.model_copy(update={"memory_gib": memory, "memory_limit_gib": memory})


RULES: dict[str, Rule] = {
    "this planner": ours,
    "8-day peak + 15 %, doubled after a kill (VPA)": vpa,
    "14-day peak + 15 % (KRR)": krr,
    "14-day peak + 30 %": lambda usage, stands: krr(usage, stands, 1.3),
}


def replayed(rule: Rule, container: int) -> tuple[int, float, int]:
    """(kills, limit over use, changes) of one container."""
    random = np.random.default_rng([11, container])
    wanted = memory_gib(KINDS[container % len(KINDS)], DAYS, random)
    times = pd.date_range("2026-03-02", periods=len(wanted), freq="10min", tz="UTC")
    usage = pd.DataFrame({"time": times, "cpu_cores": cpu_cores(DAYS, random)})
    usage = usage.assign(memory_gib=wanted, oom_kills=0)
    stands = Requests(cpu=2, memory_gib=WRITTEN_GIB, memory_limit_gib=WRITTEN_GIB)
    kills, share, changes = 0, [], 0
    for day in range(LEARNING_DAYS, DAYS):
        now = slice(day * STEPS_A_DAY, (day + 1) * STEPS_A_DAY)
        past = usage.iloc[max(0, day - WINDOW_DAYS) * STEPS_A_DAY : now.start]
        granted = rule(past, stands)
        changes += granted.memory_limit_gib != stands.memory_limit_gib
        stands = granted
        limit = stands.memory_limit_gib
        killed = wanted[now] > limit
        # One kill an hour: a replica that starts again begins small.
        kills += int(killed.reshape(-1, 6).any(axis=1).sum())
        usage.loc[usage.index[now], "memory_gib"] = np.minimum(wanted[now], limit)
        usage.loc[usage.index[now], "oom_kills"] = killed.astype(int)
        share.append(limit / wanted[now].mean())
    return kills, float(np.mean(share)), changes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--containers", type=int, default=80, help="how many (default: 80)")
    count = parser.parse_args().containers
    months = count * (DAYS - LEARNING_DAYS) / MONTH_DAYS
    print(f"{'':48s}{'kills':>8s}{'never':>8s}{'limit/use':>11s}{'changes':>9s}")
    for name, rule in RULES.items():
        kills, share, changes = np.array([replayed(rule, i) for i in range(count)]).T
        print(
            f"{name:48s}{100 * kills.sum() / months:8.1f}{(kills == 0).mean():8.0%}"
            f"{share.mean():11.2f}{changes.sum() / months:9.1f}"
        )


if __name__ == "__main__":
    main()
