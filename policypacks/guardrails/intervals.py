"""Score intervals for rates and for contrasts of two of them; they hold at small numbers and at rates near 0 and 1.

Wilson (1927) for one rate. Newcombe (1998, method 10) for a difference, which is the case `weight` = 1 of Zou and
Donner's MOVER (2008) for p1 - weight * p2; with `weight` = r it tells whether p1 / p2 lies above r.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """`k` of `n`."""

    k: int
    n: int

    @property
    def value(self) -> float:
        return self.k / self.n


def critical(confidence: float, comparisons: int) -> float:
    """Two-sided normal quantile, Bonferroni-corrected so that all comparisons together keep `confidence`."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / (2 * max(1, comparisons)))


def wilson(rate: Rate, z: float) -> tuple[float, float]:
    """The score interval of one rate."""
    centre = rate.k + z * z / 2
    spread = z * math.sqrt(rate.k * (rate.n - rate.k) / rate.n + z * z / 4)
    return (centre - spread) / (rate.n + z * z), (centre + spread) / (rate.n + z * z)


def contrast(first: Rate, second: Rate, weight: float, z: float) -> tuple[float, float]:
    """The interval of p1 - weight * p2."""
    low1, high1 = wilson(first, z)
    low2, high2 = wilson(second, z)
    p1, p2 = first.value, second.value
    centre = p1 - weight * p2
    below = math.hypot(p1 - low1, weight * (high2 - p2))
    above = math.hypot(high1 - p1, weight * (p2 - low2))
    return centre - below, centre + above


def sample_size(p1: float, p2: float, weight: float, margin: float, z: float, miss: float) -> int:
    """Samples of each of two groups that decide, but for a share `miss`, a contrast which lies `margin` from its limit.

    The usual normal formula (Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 2003, chapter 4):
    n = (p1 (1 - p1) + weight^2 p2 (1 - p2)) ((z + z_miss) / margin)^2.
    """
    variance = p1 * (1 - p1) + weight * weight * p2 * (1 - p2)
    # A rate that was seen to be 0 or 1 still varies: Agresti and Coull (1998) add two of each.
    variance = max(variance, z**2 * margin / 4)
    return math.ceil(variance * ((z + NormalDist().inv_cdf(1 - miss)) / margin) ** 2)
