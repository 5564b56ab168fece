"""Linear quantile regression by smoothed pinball loss.

The loss is convolved with a uniform kernel, which makes it differentiable (conquer: He, Pan, Tan,
Zhou, Journal of Econometrics 2023), and minimised by L-BFGS on whitened features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
MAX_ITERATIONS = 200
JITTER = 1e-9


def fit_quantile(
    features: Array,
    target: Array,
    weight: Array,
    level: float,
    *,
    ridge: float,
    width: float,
    prior: Array,
    start: Array,
) -> Array:
    """Coefficients of one level: weighted mean smoothed pinball loss + ridge * |c - prior|^2.

    `features` [row, expert], `target` and `weight` [row]; `width` is the half-width of the kernel,
    in units of the target.
    """
    share = weight / weight.sum()
    gram = features.T @ (features * share[:, None])
    gram[np.diag_indices(len(gram))] += ridge + JITTER * np.trace(gram)
    root = np.linalg.cholesky(gram)
    back = np.linalg.inv(root).T  # coefficients = back @ z: experts are much alike
    white = features @ back

    def loss(z: Array) -> tuple[float, Array]:
        error = target - white @ z
        below = np.clip((width - error) / (2 * width), 0, 1)
        smooth = np.where(
            np.abs(error) < width, (width - error) ** 2 / (4 * width), np.maximum(-error, 0)
        )
        away = back @ z - prior
        value = share @ (level * error + smooth) + ridge * (away @ away)
        slope = white.T @ (share * (below - level))
        return float(value), slope + 2 * ridge * (back.T @ away)

    options = {"maxiter": MAX_ITERATIONS, "maxcor": 20, "ftol": 1e-8}
    found = minimize(loss, root.T @ start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(back @ found.x)
