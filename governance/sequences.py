"""Confidence sequences for rates: intervals that hold at all times at once, however often one looks.

The beta-binomial mixture of Robbins (Annals of Mathematical Statistics 41, 1970, 1397) by Ville's inequality, as in
Howard, Ramdas, McAuliffe and Sekhon (Annals of Statistics 49, 2021, 1055, section 3): exact for counts, at any n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, xlog1py, xlogy

Array = NDArray[np.float64]
State = Literal["alarm", "clear", "open"]
PRIOR = 0.5
"""Of the mixing beta distribution, on both sides: Jeffreys' choice."""
HALVINGS = 40


def sequence(k: ArrayLike, n: ArrayLike, alpha: float) -> tuple[Array, Array]:
    """Bounds of a rate of which `k` of `n` were seen so far, true at every n at once.

    Args:
        k: cumulative count, any shape.
        n: cumulative number, of the same shape; 0 gives the whole range.
        alpha: chance that the true rate is ever outside.
    """
    hits, tries = np.asarray(k, float), np.asarray(n, float)
    limit = betaln(hits + PRIOR, tries - hits + PRIOR) - betaln(PRIOR, PRIOR) + np.log(alpha)
    middle = np.where(tries > 0, hits / np.maximum(tries, 1), 0.5)

    def bound(inside: Array, outside: Array) -> Array:
        for _ in range(HALVINGS):
            p = (inside + outside) / 2
            holds = xlogy(hits, p) + xlog1py(tries - hits, -p) >= limit
            inside, outside = np.where(holds, p, inside), np.where(holds, outside, p)
        return outside

    low = np.where(hits > 0, bound(middle, np.zeros_like(middle)), 0.0)
    high = np.where(hits < tries, bound(middle, np.ones_like(middle)), 1.0)
    return low, high


@dataclass(frozen=True)
class Watched:
    """What is known of the gap between slices after each look; all arrays are [..., look]."""

    low: Array
    """The largest gap between two slices is at least this."""
    high: Array
    """It is at most this."""
    alarm: NDArray[np.bool_]
    """The gap is above the tolerance."""
    clear: NDArray[np.bool_]
    """It is within."""

    def state(self) -> State:
        """After the last look."""
        return "alarm" if self.alarm[-1] else "clear" if self.clear[-1] else "open"


def watch(k: ArrayLike, n: ArrayLike, *, tolerance: float, confidence: float = 0.95) -> Watched:
    """The largest difference of rates between slices, look by look.

    With probability `confidence` no look says anything that is not true: bounds of all slices hold
    at all looks together (union bound over the slices), so that a gap within the tolerance is never
    alarmed about and one above it never cleared.

    Args:
        k: [..., look, slice] cumulative counts, such as of true positives.
        n: [..., look, slice] cumulative numbers, such as of positives.
        tolerance: the largest difference that is allowed.
        confidence: of all looks and slices together.
    """
    slices = np.shape(k)[-1]
    low, high = sequence(k, n, (1 - confidence) / slices)
    # What was ruled out once stays ruled out.
    low, high = np.maximum.accumulate(low, axis=-2), np.minimum.accumulate(high, axis=-2)
    least = np.maximum(low.max(-1) - high.min(-1), 0.0)
    most = high.max(-1) - low.min(-1)
    return Watched(least, most, least > tolerance, most <= tolerance)
