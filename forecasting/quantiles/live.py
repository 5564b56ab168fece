"""Live traffic corrects the level of the rest of the day.

The first hours of a day tell how far its level lies from the forecast. How much of that lasts is one
regression through the origin over past days and series: late surprise on early surprise, both as
logarithms of demand over the median.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 3.0
"""No surprise counts as more than this factor, or its inverse."""
PRIOR_SERIES_DAYS, PRIOR_VARIANCE = 3.0, 0.02
"""Without data nothing lasts: as many series-days of that variance speak for it."""


def persistence(met: Array, median: Array, hours: int) -> float:
    """Share of the surprise of a day's first `hours` that lasts, 0 to 1.

    `met` and `median` [day, hour, series].
    """
    if not hours or not len(met):
        return 0.0
    early = surprise(met[:, :hours].sum(1), median[:, :hours].sum(1))
    late = surprise(met[:, hours:].sum(1), median[:, hours:].sum(1))
    spread = (early**2).sum() + PRIOR_SERIES_DAYS * PRIOR_VARIANCE
    return float(np.clip((early * late).sum() / spread, 0, 1))


def corrected(quantiles: Array, seen: Array, middle: int, lasting: float) -> Array:
    """The quantiles [hour, series, level] after `seen` [hour, series], on the level seen there.

    `middle` is the level that stands for the median; hours without a value say nothing.
    """
    hours = len(seen)
    known = ~np.isnan(seen)
    expected = np.where(known, quantiles[:hours, :, middle], 0.0).sum(0)
    factor = np.exp(lasting * surprise(np.where(known, seen, 0.0).sum(0), expected))
    return np.asarray(quantiles[hours:] * factor[:, None])


def surprise(met: Array, expected: Array) -> Array:
    """Logarithm of what came over what was expected; 0 where either is nothing."""
    both = (met > 0) & (expected > 0)
    ratio = np.where(both, met, 1.0) / np.where(both, expected, 1.0)
    return np.asarray(np.clip(np.log(ratio), -np.log(LARGEST), np.log(LARGEST)))
