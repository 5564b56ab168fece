"""Serving telemetry from a queue whose request lengths and service times were measured.

Lengths are those of Azure's LLM inference trace, times those of SageServe's performance model, both
in ../shared/data. A replica reads prompts one after the other and writes answers in a batch: a
request waits for the prompts before it, and holds the replica for its own prompt and for its share
of the batch's steps (first come, first served; Lindley's recursion).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

STEP_SECONDS = 600
STEPS_A_DAY = 144
BATCH = 16


@dataclass(frozen=True)
class Server:
    """One model on one machine, and the requests that come to it."""

    lengths: np.ndarray
    """[request, (tokens in, tokens out)]"""
    prompt_sizes: np.ndarray
    prompt_ms: np.ndarray
    token_ms: float

    def prompt_seconds(self, tokens_in: np.ndarray) -> np.ndarray:
        milliseconds: np.ndarray = np.interp(tokens_in, self.prompt_sizes, self.prompt_ms)
        return milliseconds / 1000

    def token_seconds(self) -> float:
        return self.token_ms / 1000

    def served(self, arrivals: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(latency, time that the replica is busy with it) of each request, in seconds."""
        prompt = self.prompt_seconds(lengths[:, 0])
        answer = lengths[:, 1] * self.token_seconds()
        busy = prompt + answer / BATCH
        done = np.cumsum(busy)
        start: np.ndarray = np.maximum.accumulate(arrivals - (done - busy)) + done - busy
        return start - arrivals + prompt + answer, busy

    def drawn(self, count: int, scale: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Lengths of so many requests; `scale` stretches each one's."""
        drawn: np.ndarray = self.lengths[random.integers(0, len(self.lengths), count)]
        return np.asarray(drawn * scale[:, None])

    def busiest_rps(self) -> float:
        """Load at which the replica is always busy."""
        busy = self.served(np.arange(len(self.lengths)) * 1e6, self.lengths)[1]
        return float(1 / busy.mean())

    def p95_ms(self, rps: float, requests: int = 300_000) -> float:
        """The p95 latency in the long run at a steady load."""
        random = np.random.default_rng(1)
        arrivals = np.cumsum(random.exponential(1 / rps, requests))
        lengths = self.drawn(requests, np.ones(requests), random)
        return float(np.quantile(self.served(arrivals, lengths)[0], 0.95) * 1000)

    def capacity_rps(self, slo_ms: float) -> float:
        """The load at which the long-run p95 latency is the SLO, by bisection."""
        low, high = 0.0, self.busiest_rps()
        for _ in range(14):
            middle = (low + high) / 2
            low, high = (middle, high) if self.p95_ms(middle) <= slo_ms else (low, middle)
        return low


def servers(data: Path) -> dict[str, Server]:
    """Every measured model and machine in `data` under both traces; raises FileNotFoundError."""
    times = pd.read_csv(data / "sageserve_perf_model_4_models.csv.gz")
    times = times[times["model"].isin(["A", "B"])]
    found = {}
    for trace in ("conv", "code"):
        requests = pd.read_csv(data / f"AzureLLMInferenceTrace2023_{trace}.csv.gz")
        lengths = requests[["ContextTokens", "GeneratedTokens"]].to_numpy(float)
        for name, rows in times.groupby(["model", "hardware", "tensor_parallel"]):
            alone = rows[rows["batch_size"] == 1].groupby("prompt_size")["prompt_time"].median()
            batched = rows.loc[rows["batch_size"] == BATCH, "token_time"].median()
            label = f"{'/'.join(map(str, name))} {trace}"
            found[label] = Server(
                lengths, alone.index.to_numpy(float), alone.to_numpy(), float(batched)
            )
    return found


def telemetry(
    server: Server, *, busiest_rps: float, days: int, replicas: int, seed: int, mix: float = 0.0
) -> pd.DataFrame:
    """What monitoring sees of a service whose busiest intervals reach `busiest_rps` a replica.

    Columns as `telemetry.serving`. `mix` is by how much requests are longer at one time of the day
    than at another.
    """
    random = np.random.default_rng(seed)
    steps = np.arange(days * STEPS_A_DAY)
    hour = steps / 6 % 24
    shape = 0.3 + 0.7 * np.exp(-0.5 * (((hour - 15 + 12) % 24 - 12) / 4) ** 2)
    day = np.repeat(random.normal(0, 0.08, days), STEPS_A_DAY)
    shape = shape * np.exp(day + random.normal(0, 0.06, len(steps)))
    rate = busiest_rps * shape / np.quantile(shape, 0.99)
    stretch = 1 + mix * np.sin(2 * np.pi * hour / 24)
    seen = [_one_replica(server, rate, stretch, random) for _ in range(replicas)]
    requests = pd.concat(seen).groupby("step")
    sums = requests[["busy", "tokens_in", "tokens_out"]].agg(["sum", "mean"])
    count = requests.size()
    times = pd.date_range("2026-03-02", periods=len(steps), freq="10min", tz="UTC")
    return pd.DataFrame(
        {
            "time": times[count.index],
            "rps": (count / STEP_SECONDS).to_numpy(),
            "replicas": replicas,
            "latency_p95_ms": 1000 * requests["latency"].quantile(0.95).to_numpy(),
            "utilisation": np.minimum(
                sums["busy", "sum"].to_numpy() / STEP_SECONDS / replicas, 1.0
            ),
            "tokens_in": sums["tokens_in", "mean"].to_numpy(),
            "tokens_out": sums["tokens_out", "mean"].to_numpy(),
        }
    )


def _one_replica(
    server: Server, rate: np.ndarray, stretch: np.ndarray, random: np.random.Generator
) -> pd.DataFrame:
    counts = random.poisson(rate * STEP_SECONDS)
    step = np.repeat(np.arange(len(rate)), counts)
    arrivals = np.sort((step + random.random(len(step))) * STEP_SECONDS)
    lengths = server.drawn(len(step), stretch[step], random)
    latency, busy = server.served(arrivals, lengths)
    columns = {"tokens_in": lengths[:, 0], "tokens_out": lengths[:, 1]}
    return pd.DataFrame({"step": step, "latency": latency, "busy": busy, **columns})
