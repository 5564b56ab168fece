"""Linear quantile regression by smoothed pinball loss.

The loss is convolved with a uniform kernel, which makes it differentiable (conquer: He, Pan, Tan,
Zhou, Journal of Econometrics 2023), and minimised by L-BFGS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
MAX_ITERATIONS = 300


def fit_quantile(
    features: Array, target: Array, weight: Array, level: float, *, ridge: float, width: float,
    prior: Array, start: Array,
) -> Array:  # fmt: skip
    """Coefficients of one level: weighted mean smoothed pinball loss + ridge * |c - prior|^2.

    `features` [row, expert], `target` and `weight` [row]; `width` is the half-width of the kernel.
    """
    share = weight / weight.sum()

    def loss(coefficients: Array) -> tuple[float, Array]:
        error = target - features @ coefficients
        below = np.clip((width - error) / (2 * width), 0, 1)
        inside = np.abs(error) < width
        smooth = np.where(inside, (width - error) ** 2 / (4 * width), np.maximum(-error, 0))
        away = coefficients - prior
        value = share @ (level * error + smooth) + ridge * (away @ away)
        return float(value), features.T @ (share * (below - level)) + 2 * ridge * away

    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_ITERATIONS, "maxcor": 20}
    )
    return np.asarray(found.x)
