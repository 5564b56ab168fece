"""Seeded use of CPU and memory by containers: cycles, steps, leaks and rare peaks; synthetic."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from stacks.records import Stack

STEPS_A_DAY = 144


def memory_gib(kind: str, days: int, random: np.random.Generator) -> np.ndarray:
    """What a replica would use of memory in 10-minute steps, were there no limit.

    Args:
        kind: `cycle` follows the day; `step` grows once, as with a new model version; `leak` rises
            until a restart each fortnight; `peaks` has rare large requests.
        days: length.
        random: the generator.
    """
    steps = np.arange(days * STEPS_A_DAY)
    base = random.uniform(2, 8)
    day = 0.5 - 0.5 * np.cos(2 * np.pi * (steps / STEPS_A_DAY - random.uniform(0, 1)))
    used = base * (1 + random.uniform(0.1, 0.4) * day)
    used *= np.exp(random.normal(0, 0.02, len(steps)))
    used *= np.repeat(np.exp(random.normal(0, 0.04, days)), STEPS_A_DAY)
    if kind == "step":
        used += base * random.uniform(0.2, 0.6) * (steps > random.uniform(0.4, 0.7) * len(steps))
    if kind == "leak":
        used += base * random.uniform(0.02, 0.05) * (steps % (14 * STEPS_A_DAY)) / STEPS_A_DAY
    if kind == "peaks":
        at = random.random(len(steps)) < 1 / (6 * STEPS_A_DAY)
        used += at * base * random.lognormal(-1.6, 0.5, len(steps))
    return used


def cpu_cores(days: int, random: np.random.Generator) -> np.ndarray:
    """Cores that a replica uses over the day, with noise."""
    steps = np.arange(days * STEPS_A_DAY)
    day = 0.5 - 0.5 * np.cos(2 * np.pi * (steps / STEPS_A_DAY - random.uniform(0, 1)))
    level = random.uniform(0.3, 2)
    return level * (0.3 + 0.7 * day) * np.exp(random.normal(0, 0.15, len(steps)))


KINDS = ("cycle", "step", "leak", "peaks")


def usage_of_stack(stack: Stack, demand: pd.DataFrame) -> pd.DataFrame:
    """CPU and memory under the times of `synthetic.generate`, a kind of use for each service."""
    seed, parts = demand.attrs["seed"], []
    times = pd.DatetimeIndex(sorted(demand["time"].unique()))
    days = -(-len(times) // STEPS_A_DAY)
    for i, (app, location) in enumerate(stack.services()):
        random = np.random.default_rng([seed, zlib.crc32(f"usage:{app}@{location}".encode())])
        asked = stack.apps[app].serving.resources
        memory = memory_gib(KINDS[i % len(KINDS)], days, random)[: len(times)]
        cpu = cpu_cores(days, random)[: len(times)]
        rows = pd.DataFrame({"time": times, "app": app, "location": location})
        rows["cpu_cores"] = np.round(0.6 * asked.cpu * cpu / cpu.max(), 4)
        rows["memory_gib"] = np.round(0.7 * asked.memory_gib * memory / memory.max(), 4)
        parts.append(rows.assign(oom_kills=0))
    table = pd.concat(parts, ignore_index=True)
    table.attrs = {"seed": seed}
    return table
