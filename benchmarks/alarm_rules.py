"""Alarm rules side by side: this detector, and the control charts that monitoring tools offer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.anomalies.detector import Detector  # noqa: E402

Score = Callable[[np.ndarray, int | None], np.ndarray]
"""(values, rows of a day) -> scores; 1 and more is an alarm."""


def ours(threshold: float, learned_after: int) -> Score:
    def scores(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
        detector = Detector(steps_a_day, threshold=threshold, learned_after=learned_after)
        return detector.scores(values) / threshold

    return scores


def three_sigma(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """Outside mean ± 3 sigma of the last day."""
    past = pd.Series(values).shift().rolling(steps_a_day or 288, min_periods=12)
    return over(np.abs(values - past.mean()), 3 * past.std())


def median_deviation(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """Outside median ± 5 MAD (x 1.4826) of the last day."""
    length = steps_a_day or 288
    series = pd.Series(values)
    middle = series.shift().rolling(length, min_periods=12).median()
    spread = (series - middle).abs().shift().rolling(length, min_periods=12).median()
    return over((series - middle).abs(), 5 * 1.4826 * spread)


def ewma_chart(values: np.ndarray, steps_a_day: int | None) -> np.ndarray:
    """EWMA control chart: weight 0.2, limits 3 sigma of the last week (NIST handbook 6.3.2.4)."""
    past = pd.Series(values).shift().rolling(7 * (steps_a_day or 288), min_periods=12)
    smooth = pd.Series(values).ewm(alpha=0.2, adjust=False).mean()
    return over((smooth - past.mean()).abs(), 3 * past.std() * np.sqrt(0.2 / 1.8))


def over(distance: pd.Series[float], limit: pd.Series[float]) -> np.ndarray:
    """Distance in limits; nothing is an alarm where the limit is unknown or nothing differs."""
    shares = np.where(distance > 0, distance / np.maximum(limit, 1e-12), 0.0)
    return np.where(np.isfinite(limit), shares, 0.0)


RIVALS: dict[str, Score] = {
    "mean ± 3 sigma, 1 day": three_sigma,
    "median ± 5 MAD, 1 day": median_deviation,
    "EWMA chart, 1 week": ewma_chart,
}
