"""Small services and their demand, for the tests of planning and replay."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from forecasting.telemetry.checks import regular
from forecasting.telemetry.demand import Demand
from forecasting.telemetry.tables import LongTable
from stacks import Capacity, Floor, Stack

END = datetime(2026, 3, 30, 14, tzinfo=UTC)


def dollar(_app: str, _location: str) -> float | None:
    return 1.0


def unpriced(_app: str, _location: str) -> float | None:
    return None


def capacity(floor: int, ceiling: int, reason: str = "set by hand") -> Capacity:
    rows = Floor(weekday=(floor,) * 24, weekend=(floor,) * 24)
    return Capacity(
        floor=rows, ceiling=ceiling, target_utilisation=0.7, expected_replicas=floor, reason=reason
    )


def demand_of(frame: pd.DataFrame, days: int = 28, at: datetime | None = END) -> Demand:
    """As `telemetry.read` gives it, without a file."""
    table = LongTable(frame, synthetic=True)
    return regular(table, window_days=days, at=at, source="test", now=at or END)


def one_service(
    rps: np.ndarray, app: str = "camera", location: str = "aws:us-east-1"
) -> pd.DataFrame:
    """The long table of one service in 10-minute steps up to END."""
    times = pd.date_range(end=END, periods=len(rps) + 1, freq="10min")[:-1]
    return pd.DataFrame({"time": times, "app": app, "location": location, "rps": rps})


def cyclic(days: int = 14, peak: float = 240.0, seed: int = 0) -> np.ndarray:
    """Days and weekends of a service, with noise."""
    times = pd.date_range(end=END, periods=144 * days + 1, freq="10min")[:-1]
    hour = times.hour.to_numpy() + times.minute.to_numpy() / 60
    shape = 0.25 + 0.75 * np.exp(-0.5 * ((hour - 17) / 3) ** 2)
    shape *= np.where(times.day_of_week >= 5, 0.6, 1.0)
    noise = np.random.default_rng(seed).normal(0, 0.04, len(times))
    return peak * shape * np.exp(noise)


def with_capacity(stack: Stack, stands: dict[str, dict[str, Capacity]]) -> Stack:
    return stack.model_copy(update={"capacity": stands})
