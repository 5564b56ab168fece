"""Streams to look for anomalies in: what a stack's telemetry names, or any table of times and values."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from forecasting.anomalies.streams import Kind, Stream
from forecasting.telemetry.demand import Demand, TelemetryError, services
from forecasting.telemetry.reading import read
from forecasting.telemetry.tables import DEMAND, Layout
from stacks.errors import shown
from stacks.records import Source

LAYOUTS: dict[Kind, Layout] = {
    "load": DEMAND,
    "latency": Layout("telemetry.latency", ("latency_p95_ms",)),
    "errors": Layout("telemetry.errors", ("errors",)),
}


def read_kind(
    kind: Kind, source: str | Path | Source, *, window_days: int, at: datetime | None, root: Path
) -> Demand:
    """One figure of all services, read and checked as demand is.

    Raises:
        TelemetryError: it cannot be read or used; where, what, and what to do.
    """
    read_as = LAYOUTS[kind]
    return read(source, window_days=window_days, at=at, root=root, layout=read_as)


def streams_of(kind: Kind, delivered: Demand) -> list[Stream]:
    """A stream for each service."""
    fine = delivered.fine
    return [Stream(kind, app, place, fine[app, place]) for app, place in services(fine)]


def read_file(path: Path) -> list[Stream]:
    """The streams of a CSV `time,value` or `time,app,location,value`; a series a service.

    Raises:
        TelemetryError: the file or a value cannot be used; where, what, and what to do.
    """
    name = shown(path)
    try:
        rows = pd.read_csv(path, comment="#", skipinitialspace=True)
    except FileNotFoundError:
        raise TelemetryError(f"{name}: does not exist; name a CSV of time,value") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        detail = str(error).strip().splitlines()[-1]
        raise TelemetryError(f"{name}: is no table: {detail}; give a CSV of time,value") from None
    missing = [column for column in ("time", "value") if column not in rows]
    if missing:
        found = ", ".join(map(str, rows.columns))
        problem = f"column {', '.join(missing)} is missing; found {found}"
        raise TelemetryError(
            f"{name}: {problem}; the columns are time,value or time,app,location,value"
        )
    rows = rows.assign(
        time=_parsed(rows, "time", name),
        value=_parsed(rows, "value", name),
        app=rows.get("app", pd.Series("stream", rows.index)),
        location=rows.get("location", pd.Series(path.name, rows.index)),
    )
    step = _step(rows["time"], name)
    return [
        Stream("value", str(app), str(place), _regular(group, step))
        for (app, place), group in rows.groupby(["app", "location"], sort=False)
    ]


def _step(times: pd.Series[pd.Timestamp], name: str) -> pd.Timedelta:
    """The commonest distance between two rows."""
    distances = times.drop_duplicates().sort_values().diff().dropna()
    if distances.empty:
        raise TelemetryError(f"{name}: there is one point in time; export some days of it")
    return pd.Timedelta(distances.mode().iloc[0])


def _regular(rows: pd.DataFrame, step: pd.Timedelta) -> pd.Series[float]:
    """The means of each step from the first row on; NaN where there is nothing."""
    return rows.set_index("time")["value"].resample(step, origin="start").mean()


def _parsed(rows: pd.DataFrame, column: str, name: str) -> pd.Series[Any]:
    """Times in UTC, or numbers; an empty value is missing."""
    given = rows[column]
    if column == "time":
        parsed = pd.to_datetime(given, utc=True, errors="coerce", format="ISO8601")
        bad, remedy = parsed.isna(), "write UTC such as 2026-11-24T18:00:00Z"
    else:
        parsed = pd.to_numeric(given, errors="coerce")
        bad, remedy = (
            parsed.isna() & given.notna(),
            "write a number, or nothing where it is missing",
        )
        parsed = parsed.where(parsed.abs() != float("inf"))
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise TelemetryError(
            f"{name}: row {row + 1}: {column} {given.iloc[row]!r} cannot be read; {remedy}"
        )
    return parsed
