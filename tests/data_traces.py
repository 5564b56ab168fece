"""Real traces as the long table `time, app, location, rps`, for any loop that reads demand.

They are read from `../shared/data` beside the repository, and never copied into it.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
Service = tuple[str, str]


def _file(pattern: str, data: Path) -> Path:
    found = sorted(data.glob(pattern))
    if not found:
        pytest.skip(f"REAL TRACES NOT TESTED: no {pattern} in {data}")
    return found[0]


def shaved_ice(
    services: Sequence[Service], *, days: int, peak_rps: Sequence[float], data: Path = DATA
) -> pd.DataFrame:
    """Hourly VM demand of Snowflake's regions, the last `days`; a region and type a service.

    Each is scaled so that its busiest hour is that service's `peak_rps`.
    """
    rows = pd.read_csv(_file("shavedice*.csv.gz", data), parse_dates=["USAGE_HOUR"])
    table = rows.pivot_table(
        index="USAGE_HOUR", columns=["REGION_NUM", "INSTANCE_TYPE"], values="NORM_USAGE"
    )
    table = table.asfreq("h").fillna(0.0)
    regions = table.T.groupby(level="REGION_NUM").sum().T
    used = table.loc[:, (table.iloc[-24 * days :] > 20).mean() > 0.98]
    series = pd.concat([regions, used], axis=1).iloc[-24 * days :]
    index = pd.DatetimeIndex(series.index).tz_localize("UTC")
    return _long(series.to_numpy(float), index, services, peak_rps)


def servegen(
    services: Sequence[Service], *, peak_rps: Sequence[float], data: Path = DATA
) -> pd.DataFrame:
    """Ten days of LLM clients in 10-minute steps (the calendar is nominal), the steadiest first."""
    rows = pd.read_csv(_file("servegen*.csv.gz", data))
    rows["name"] = rows["model"] + "/" + rows["client"].astype(str)
    table = rows.pivot(index="t", columns="name", values="rate")
    steps = range(int(rows.t.min() // 86400) * 86400, int(rows.t.max() // 86400 + 1) * 86400, 600)
    table = table.reindex(steps).fillna(0.0)
    ranked = ((table > 0).mean() - table.std() / table.mean() / 10).sort_values(ascending=False)
    index = pd.date_range("2024-01-01", periods=len(table), freq="10min", tz="UTC")
    return _long(table[ranked.index].to_numpy(float), index, services, peak_rps)


def spot_availability(data: Path = DATA) -> pd.DataFrame:
    """45 days of whether a V100 could be had as spot (1 or 0), a column for each of nine zones."""
    zones = {}
    with tarfile.open(_file("spot_availability*.tar.gz", data)) as archive:
        for member in archive.getmembers():
            if not member.name.endswith(".json"):
                continue
            content = archive.extractfile(member)
            assert content is not None
            trace = json.load(content)
            zone = Path(member.name).name.split("_", maxsplit=1)[0]
            zones[zone] = pd.Series(trace["data"], dtype=float)
            gap = trace["metadata"]["gap_seconds"]
    table = pd.DataFrame(zones).dropna()
    return table.set_axis(pd.date_range("2023-02-15", periods=len(table), freq=f"{gap}s", tz="UTC"))


def _long(
    values: np.ndarray,
    index: pd.DatetimeIndex,
    services: Sequence[Service],
    peak_rps: Sequence[float],
) -> pd.DataFrame:
    parts = []
    for i, ((app, location), peak) in enumerate(zip(services, peak_rps, strict=True)):
        series = values[:, i % values.shape[1]]
        rows = pd.DataFrame({"time": index, "app": app, "location": location})
        rows["rps"] = np.round(peak * series / series.max(), 6)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)
