"""Where the planner was wrong: each past hour as it was forecast the day before, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.capacity.replay import LEVELS, Outlook


@dataclass(frozen=True)
class Miss:
    """An hour in which more was asked for than the forecast's upper quantile."""

    at: pd.Timestamp
    asked_rps: float
    """Demand of the hour's busiest step."""
    expected_rps: float
    """The upper quantile, as forecast before that day began."""


@dataclass(frozen=True)
class Hindsight:
    """Forecasts of the day before beside what came, hour by hour."""

    hours: pd.DataFrame
    """[hour, "demand" and each of LEVELS] rps; demand is NaN where there was no telemetry."""

    def covered(self, level: float) -> float | None:
        """Share of the hours with demand at or below that quantile; None without any."""
        known = self.hours.dropna(subset="demand")
        return float((known["demand"] <= known[level]).mean()) if len(known) else None

    def misses(self, level: float, most: int) -> tuple[Miss, ...]:
        """The hours that lay furthest above that quantile, worst first."""
        above = (self.hours["demand"] - self.hours[level]).dropna()
        worst = above[above > 0].sort_values(ascending=False, kind="stable").index[:most]
        rows = self.hours.loc[worst]
        return tuple(
            Miss(at, float(asked), float(expected))
            for at, asked, expected in zip(rows.index, rows["demand"], rows[level], strict=True)
        )


def hindsight(history: pd.Series[float], days: Sequence[Outlook], column: int) -> Hindsight:
    """Each day's own forecast of its 24 hours, beside `history` (hourly peaks, rps).

    Args:
        history: [hour] of one service.
        days: the outlooks, oldest first, each made from the data before its day.
        column: of the service in the outlooks.
    """
    if not days:
        return Hindsight(pd.DataFrame(columns=["demand", *LEVELS], dtype=float))
    ahead = np.concatenate([day.quantiles[:24, column] for day in days])
    times = [pd.date_range(day.at, periods=24, freq="h") for day in days]
    index = times[0].append(times[1:])
    frame = pd.DataFrame(ahead, index, list(LEVELS))
    frame.insert(0, "demand", history.reindex(index))
    return Hindsight(frame)
