"""Each series' own past speaks last: coefficients of its own, and rules where they did better.

The pooled stack treats all series alike. Here a few gradient steps on a series' own last days move
the coefficients that matter most (partial pooling by stopping early), and the outcome is averaged
with the rules in use by exponential weights on their recent pinball loss (Vovk, COLT 1990;
Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, chapter 2). No series looks at
another here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecasting.quantiles.experts import HOURS, NAMES

Array = NDArray[np.float64]

RULES = ("7-day max", "7-day q95", "hour max", "day type max")
"""Experts that are rules for capacity by themselves."""
SPEAKERS = ("pooled stack", "own coefficients", *RULES)
MOVING = ("last day", "yesterday", "last week", "7-day max", "hour max")
"""Experts whose weight a series may move for itself, beside the pooled quantiles and a constant."""
ADAPTED = (0.75, 0.97)
"""Levels that are adapted: below, rules for capacity say nothing; above, the past is too short."""
DAYS, LEAST_DAYS, MEMORY_DAYS = 14, 2, 15.0
"""How much of its past a series speaks from; a day's weight falls by a factor e in MEMORY_DAYS."""
STEPS, STEP, DAMPING, WIDTH = 16, 0.1, 0.05, 0.05
"""Gradient steps, their length, the ridge of the Gram matrix, the half-width of the kernel."""
HASTE, DISTRUST = 3.0, 1.0
"""How fast weight leaves who lost more than the pooled stack, and what rules start behind."""
LEAST_LOSS = 1e-3


@dataclass(frozen=True)
class Past:
    """What was said of the last days of some series, and what came; in units of their scales."""

    told: Array
    """[day, hour, series, expert]"""
    pooled: Array
    """[day, hour, series, level] by the pooled stack."""
    met: Array
    """[day, hour, series]"""

    @property
    def weight(self) -> Array:
        """Of each day."""
        return np.asarray(np.exp(-np.arange(len(self.met), 0, -1) / MEMORY_DAYS))


@dataclass(frozen=True)
class Own:
    """What some series have learned for themselves at one level."""

    level: int
    middle: int
    """The level that stands for the median."""
    coefficients: Array
    """[series, feature]"""
    weights: Array
    """[speaker, series] in the order of SPEAKERS, adding up to one."""

    def says(self, told: Array, pooled: Array) -> Array:
        """The quantile [..., series] from experts [..., series, expert], pooled [..., level]."""
        return np.asarray(np.einsum("k...s,ks->...s", self.voices(told, pooled), self.weights))

    def voices(self, told: Array, pooled: Array) -> Array:
        """What each speaker says, [speaker, ..., series]."""
        moved = np.einsum(
            "...sf,sf->...s", _features(told, pooled, self.level, self.middle), self.coefficients
        )
        rules = [told[..., NAMES.index(name)] for name in RULES]
        return np.stack([pooled[..., self.level], np.maximum(moved, 0), *rules])


def adapted(levels: Sequence[float]) -> list[int]:
    """Which of the levels are adapted."""
    return [i for i, level in enumerate(levels) if ADAPTED[0] <= level <= ADAPTED[1]]


def middle_of(levels: Sequence[float]) -> int:
    """The level next to the median."""
    return min(range(len(levels)), key=lambda i: abs(levels[i] - 0.5))


def _features(told: Array, pooled: Array, level: int, middle: int) -> Array:
    chosen = told[..., [*(NAMES.index(name) for name in MOVING), -1]]
    return np.concatenate([pooled[..., [level, middle]], chosen], axis=-1)


def moves(told: Array, pooled: Array, level: int, middle: int, weight: Array, series: int) -> Array:
    """How far a gradient moves the coefficients, [feature, feature]: STEP x the inverse Gram matrix.

    From rows of all series: `told` [row, expert], `pooled` [row, level], `weight` [row]. The only
    series of a fit is what the pooled stack has learned from already, and goes half as far.
    """
    features = _features(told, pooled, level, middle)
    gram = features.T @ (features * (weight / weight.sum())[:, None])
    gram[np.diag_indices(len(gram))] += DAMPING * np.trace(gram) / len(gram)
    return np.asarray(STEP * series / (series + 1) * np.linalg.inv(gram))


def own(past: Past, level: int, middle: int, quantile: float, steps: Array) -> Own:
    """What each series has learned of `quantile` from its past; `steps` as `moves` gives them."""
    series = past.met.shape[2]
    features = _features(past.told, past.pooled, level, middle).transpose(2, 0, 1, 3)
    features = np.ascontiguousarray(features).reshape(series, -1, features.shape[-1])
    met = past.met.transpose(2, 0, 1).reshape(series, -1)
    weight = np.repeat(past.weight / past.weight.sum(), HOURS) / HOURS
    coefficients = np.zeros((series, features.shape[-1]))
    coefficients[:, 0] = 1
    for _ in range(STEPS):
        error = met - (features @ coefficients[:, :, None])[..., 0]
        below = np.clip((WIDTH - error) / (2 * WIDTH), 0, 1)
        slope = ((weight * (quantile - below))[:, None] @ features)[:, 0]
        coefficients += np.einsum("sf,fg->sg", slope, steps)
    unweighed = Own(level, middle, coefficients, np.empty((len(SPEAKERS), series)))
    voices = unweighed.voices(past.told, past.pooled)
    return replace(unweighed, weights=_weights(voices, past, quantile))


def _weights(voices: Array, past: Past, quantile: float) -> Array:
    """[speaker, series] by what each has cost lately."""
    error = past.met - voices
    loss = np.maximum(quantile * error, (quantile - 1) * error).mean(2)
    days = past.weight.sum()
    lost = np.einsum("d,kds->ks", past.weight, loss) / days
    merit = -HASTE * days * (lost - lost[0]) / np.maximum(lost[0], LEAST_LOSS)
    merit[-len(RULES) :] -= DISTRUST
    odds = np.exp(merit - merit.max(0))
    return np.asarray(odds / odds.sum(0))
