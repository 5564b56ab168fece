"""Linear quantile regression by smoothed pinball loss.

The loss is convolved with a uniform kernel, which makes it differentiable (conquer: He, Pan, Tan,
Zhou, Journal of Econometrics 2023), and minimised by L-BFGS on whitened features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
MAX_ITERATIONS = 200
JITTER = 1e-9


@dataclass(frozen=True)
class Rows:
    """What coefficients are learned from; experts are much alike, so features are whitened."""

    white: Array
    """[row, feature] = features @ back"""
    back: Array
    """Coefficients are back @ z, with z those of the whitened features."""
    root: Array
    """And z is root.T @ coefficients."""
    target: Array
    share: Array
    """[row] weights that add up to one."""
    ridge: float
    width: float

    @classmethod
    def of(
        cls, features: Array, target: Array, weight: Array, *, ridge: float, width: float
    ) -> Self:
        """`features` [row, expert], `target` and `weight` [row].

        `ridge` is the pull towards the prior, `width` the half-width of the kernel in units of the
        target.
        """
        share = weight / weight.sum()
        gram = features.T @ (features * share[:, None])
        gram[np.diag_indices(len(gram))] += ridge + JITTER * np.trace(gram)
        root = np.linalg.cholesky(gram)
        back = np.linalg.inv(root).T
        return cls(features @ back, back, root, target, share, ridge, width)

    def quantile(self, level: float, *, prior: Array, start: Array) -> Array:
        """Coefficients: least weighted mean smoothed pinball loss + ridge * |c - prior|^2."""
        white, share, width = self.white, self.share, self.width

        def loss(z: Array) -> tuple[float, Array]:
            error = self.target - white @ z
            below = np.clip((width - error) / (2 * width), 0, 1)
            smooth = np.where(
                np.abs(error) < width, (width - error) ** 2 / (4 * width), np.maximum(-error, 0)
            )
            away = self.back @ z - prior
            value = share @ (level * error + smooth) + self.ridge * (away @ away)
            slope = white.T @ (share * (below - level))
            return float(value), slope + 2 * self.ridge * (self.back.T @ away)

        options = {"maxiter": MAX_ITERATIONS, "maxcor": 20, "ftol": 1e-8}
        found = minimize(loss, self.root.T @ start, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(self.back @ found.x)
