"""What one replica serves inside the SLO, learned from load and latency, with its uncertainty.

Latency is taken as an increasing, convex function of the load per replica, as waiting is in a
queue (Kleinrock, Queueing Systems I, 1975, sec. 3.2 and 5.6), without assuming which queue: a
non-negative sum of hinges, fitted to the typical of bins by least squares on the relative error
(shape-constrained regression; Seijo and Sen, Annals of Statistics 39, 2011). Its crossing with the
SLO is the capacity; days drawn with replacement give the interval (block bootstrap; Kuensch, Annals
of Statistics 17, 1989). Beyond the loads that were seen nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

CONFIDENCE = 0.9
RESAMPLES = 200
SEED = 4
BINS, KNOTS, LEAST_IN_BIN = 60, 8, 24
TYPICAL, SPREAD = 2 / 3, 1 / 6
OVERLOADED = 3.0
"""Latencies above so many times the SLO are all the same: what matters is where the SLO is met."""
LEAST_REQUESTS = 20
"""Of fewer requests a 95 % quantile is the largest one."""
LEAST_SAMPLES, LEAST_DAYS = 100, 2
BLOCK_HOURS = 24
RECENT_DAYS = 7
NEAR = 0.05
"""Loads this close to one, as a share of it, tell of it."""
TOKENS = ("tokens_in", "tokens_out")


class TooLittle(ValueError):
    """Why nothing can be learned yet."""


@dataclass(frozen=True)
class Throughput:
    """Load per replica, in requests per second, at which the p95 latency meets the SLO."""

    low: float
    """Safe: at this confidence the SLO is kept up to here."""
    estimate: float
    high: float | None
    """None: the SLO was kept at every load seen, and more may well be possible."""
    seen: float
    """The highest load that was seen often enough to learn from."""
    latency_p95_ms: tuple[np.ndarray, np.ndarray]
    """The curve: loads, and the typical p95 latency at each."""
    samples: int
    utilisation: float | None
    """Typical utilisation of a replica at the safe load; None where not delivered."""
    token_shares: tuple[float, float] | None
    """Shares of a request's cost due to its input and output tokens; None where not delivered.
    Loads are then in requests of the recent mean length."""

    @property
    def driven_to_its_limit(self) -> bool:
        """Whether the load ever was high enough to find out."""
        return self.high is not None

    def latency_at(self, rps: float) -> float:
        """Typical p95 latency in ms at a load per replica, at most the highest seen."""
        return float(np.interp(rps, *self.latency_p95_ms))


def learn(samples: pd.DataFrame, slo_ms: float, step: pd.Timedelta) -> Throughput:
    """What a replica of one service serves.

    Args:
        samples: `time`, `rps` and `replicas` of the service as a whole, `latency_p95_ms`; where
            known `utilisation` of a replica and the mean `tokens_in` and `tokens_out` of a request.
        slo_ms: the p95 latency promised.
        step: time that each sample covers.

    Raises:
        TooLittle: the samples cannot carry an answer; the text says what is missing.
    """
    rows = _usable(samples, step)
    shares = _token_shares(rows, slo_ms)
    load, latency = _of_recent_length(rows, shares, slo_ms)
    edges = _edges(load)
    curve = _curve(load, latency, slo_ms, edges)
    blocks = _blocks(rows["time"])
    random = np.random.default_rng(SEED)
    found = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([blocks[i] for i in random.integers(0, len(blocks), len(blocks))])
        level = random.uniform(TYPICAL - SPREAD, TYPICAL + SPREAD)
        resampled = _curve(load[drawn], latency[drawn], slo_ms, edges, level)
        found.append(_crossing(*resampled, slo_ms))
    tail = (1 - CONFIDENCE) / 2
    least, most = np.sort(np.array(found), axis=0).T
    low, high = least[int(tail * RESAMPLES)], most[int((1 - tail) * RESAMPLES)]
    seen = float(curve[0][-1])
    estimate, _ = _crossing(*curve, slo_ms)
    return Throughput(
        low=float(min(low, seen)),
        estimate=float(min(estimate, seen)),
        high=float(high) if np.isfinite(high) else None,
        seen=seen,
        latency_p95_ms=curve,
        samples=len(rows),
        utilisation=_utilisation(rows, load, low),
        token_shares=shares,
    )


def _usable(samples: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    rows = samples.dropna(subset=["rps", "replicas", "latency_p95_ms"])
    rows = rows[(rows["replicas"] > 0) & (rows["latency_p95_ms"] > 0)]
    if rows.empty:
        raise TooLittle("no sample has rps, replicas and latency_p95_ms")
    rows = rows[rows["rps"] * step.total_seconds() >= LEAST_REQUESTS]
    days = rows["time"].dt.floor("D").nunique()
    if len(rows) < LEAST_SAMPLES or days < LEAST_DAYS:
        told = f"{len(rows)} samples with {LEAST_REQUESTS} or more requests on {days} days"
        raise TooLittle(f"{told}; {LEAST_SAMPLES} on {LEAST_DAYS} days are the least")
    return rows.reset_index(drop=True)


def _token_shares(rows: pd.DataFrame, slo_ms: float) -> tuple[float, float] | None:
    """How much of a request's cost its tokens make, at their recent mean.

    Those shares that make latency the plainest function of load.
    """
    if not set(TOKENS) <= set(rows) or rows[list(TOKENS)].isna().mean().max() > 0.5:
        return None
    grid = [(i / 5, k / 5) for i in range(6) for k in range(6 - i)]

    def misfit(shares: tuple[float, float]) -> float:
        load, latency = _of_recent_length(rows, shares, slo_ms)
        loads, latencies = _curve(load, latency, slo_ms, _edges(load))
        return float(np.abs(np.log(latency / np.interp(load, loads, latencies))).mean())

    return min(grid, key=misfit)


def _relative(rows: pd.DataFrame, name: str) -> pd.Series[float]:
    """A length over its recent mean; where it is missing, the recent mean."""
    recent = rows["time"] >= rows["time"].iloc[-1] - pd.Timedelta(days=RECENT_DAYS)
    lengths: pd.Series[float] = rows[name] / rows.loc[recent, name].mean()
    return lengths.fillna(1.0)


def _of_recent_length(
    rows: pd.DataFrame, shares: tuple[float, float] | None, slo_ms: float
) -> tuple[np.ndarray, np.ndarray]:
    """Load and latency as they would be with requests of the recent mean length.

    Where requests take k times as long, a queue goes k times as slowly: the latency at a load is k
    times that of k times the load.
    """
    cost = pd.Series(1.0, rows.index)
    for share, name in zip(shares or (), TOKENS, strict=False):
        cost += share * (_relative(rows, name) - 1)
    load, latency = rows["rps"] / rows["replicas"] * cost, rows["latency_p95_ms"] / cost
    return load.to_numpy(), np.minimum(latency.to_numpy(), OVERLOADED * slo_ms)


def _utilisation(rows: pd.DataFrame, load: np.ndarray, low: float) -> float | None:
    near = rows["utilisation"][np.abs(load - low) <= NEAR * low] if "utilisation" in rows else None
    return None if near is None or near.isna().all() else float(near.median())


def _edges(load: np.ndarray) -> np.ndarray:
    """Bins of equal count, the uppermost split again and again: there the answer lies."""
    count = min(BINS, len(load) // LEAST_IN_BIN)
    upper = LEAST_IN_BIN * 2.0 ** np.arange(8) / len(load)
    levels = np.concatenate([np.arange(1, count) / count, 1 - upper[upper < 1 / count]])
    return np.unique(np.quantile(load, levels))


def _curve(
    load: np.ndarray, latency: np.ndarray, slo_ms: float, edges: np.ndarray, level: float = TYPICAL
) -> tuple[np.ndarray, np.ndarray]:
    """Loads, rising, and the fitted latency at each."""
    bins = np.searchsorted(edges, load, side="right")
    order = np.lexsort((latency, bins))
    starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    typical = latency[order[starts + np.minimum((level * counts).astype(int), counts - 1)]]
    x = np.bincount(bins, load)[bins[order[starts]]] / counts
    # Overload, where the latency no longer tells of the load, begins with the first such bin.
    over = np.flatnonzero(typical >= 0.99 * OVERLOADED * slo_ms)
    kept = slice(0, int(over[0]) + 1 if len(over) else len(x))
    x, typical, counts = x[kept], typical[kept], counts[kept]
    # Every bin near the end may bend the curve, of the many before it some.
    bends = np.concatenate(
        [np.linspace(0, len(x) - 2, KNOTS), np.arange(len(x) - KNOTS, len(x) - 1)]
    )
    knots = x[np.unique(bends.clip(min=0).astype(int))]
    hinges = np.column_stack([np.ones(len(x)), x, *(np.maximum(x - knot, 0) for knot in knots)])
    weight = np.sqrt(counts) / typical
    coefficients, _ = nnls(hinges * weight[:, None], typical * weight)
    return x, hinges @ coefficients


def _crossing(loads: np.ndarray, latencies: np.ndarray, slo_ms: float) -> tuple[float, float]:
    """Least and most load at which the SLO may be met; infinite where it is kept throughout.

    Between two loads a convex curve lies below its chord, so that the chord gives the least.
    """
    above = int(np.searchsorted(latencies, slo_ms, side="right"))
    if above == len(loads):
        return np.inf, np.inf
    least = float(np.interp(slo_ms, latencies, loads)) if above else 0.0
    return least, float(loads[above])


def _blocks(times: pd.Series[pd.Timestamp]) -> list[np.ndarray]:
    """Positions of the samples of each day: what was drawn together."""
    days = times.dt.floor(f"{BLOCK_HOURS}h")
    return [np.flatnonzero(days == day) for day in days.unique()]
