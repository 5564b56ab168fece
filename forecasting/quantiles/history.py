"""History as it is handed over: refused where it is wrong, filled where it has gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecasting.quantiles.experts import HOURS

Array = NDArray[np.float64]


def check(demand: pd.DataFrame) -> None:
    """Raise ValueError, naming the problem, for input that no forecast should be made from."""
    index = demand.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError("demand needs an hourly DatetimeIndex with a time zone (UTC)")
    if demand.empty:
        raise ValueError("demand is empty: it needs rows and columns")
    if index.has_duplicates:
        first = index[index.duplicated()][0]
        raise ValueError(f"duplicated timestamps, first {first}; keep one row an hour")
    if (index[1:] - index[:-1] != pd.Timedelta("1h")).any():
        raise ValueError("irregular index: demand needs one row an hour, in order, none missing")
    if demand.columns.has_duplicates:
        raise ValueError(f"duplicated series {demand.columns[demand.columns.duplicated()][0]!r}")
    values = demand.to_numpy(float)
    if (values < 0).any():
        name = demand.columns[int((values < 0).any(0).argmax())]
        raise ValueError(f"negative demand in column {name!r}; missing is NaN")
    if np.isinf(values).any():
        name = demand.columns[int(np.isinf(values).any(0).argmax())]
        raise ValueError(f"infinite demand in column {name!r}; missing is NaN")


def filled(values: Array) -> Array:
    """Gaps from the same hour of the days before, at the start of the days after; else zero."""
    if not np.isnan(values).any():
        return values
    values = values.copy()
    hours = len(values)
    for direction in (slice(None), slice(None, None, -1)):
        view = values[direction]
        for hour in range(min(HOURS, hours)):
            same = view[hour::HOURS]
            missing = np.isnan(same)
            rows = np.where(missing, 0, np.arange(len(same))[:, None])
            np.maximum.accumulate(rows, axis=0, out=rows)
            view[hour::HOURS] = np.take_along_axis(same, rows, axis=0)
    missing = np.isnan(values)  # an hour of the day that was never known
    mean = np.nansum(values, axis=0) / np.maximum((~missing).sum(0), 1)
    return np.where(missing, mean, values)
