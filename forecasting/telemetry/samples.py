"""Several figures of each service, measured together: what replicas served, what they used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.telemetry.checks import SERVICE, STALE_HOURS, sampling_step, window, without_future
from forecasting.telemetry.demand import Finding, TelemetryError
from forecasting.telemetry.prometheus import read_range
from forecasting.telemetry.tables import Layout, LongTable, read_table
from stacks.errors import shown
from stacks.records import ServingSource, UsageSource

SERVING = Layout(
    "telemetry.serving",
    ("rps", "replicas", "latency_p95_ms"),
    ("utilisation", "tokens_in", "tokens_out"),
)

USAGE = Layout("telemetry.usage", ("cpu_cores", "memory_gib"), ("oom_kills",), label="container")
CONTAINER = "model"
"""The container of a replica that requests are planned for; others are left out."""


@dataclass(frozen=True)
class Samples:
    """Figures of all services over one window, as delivered, in order of time."""

    rows: pd.DataFrame
    """Columns `time` (UTC), `app`, `location` and the figures; NaN where one is missing."""
    findings: tuple[Finding, ...]
    start: datetime
    end: datetime
    """The window; `end`, a whole hour, is excluded."""
    step: pd.Timedelta
    """Commonest distance between two samples."""
    source: str
    synthetic: bool

    def of(self, app: str, location: str) -> pd.DataFrame:
        """The rows of one service, oldest first."""
        mine = (self.rows["app"] == app) & (self.rows["location"] == location)
        return self.rows[mine].reset_index(drop=True)


def read_samples(
    source: ServingSource | UsageSource,
    layout: Layout,
    *,
    window_days: int,
    at: datetime | None,
    root: Path,
) -> Samples:
    """Rows of the `window_days` before `at`.

    Args:
        source: of a stack file's telemetry.
        layout: the figures that it holds.
        window_days: days of history to read.
        at: end of the window (aware; excluded, floored to the hour); None is the end of a file's
            data, or now for Prometheus.
        root: the folder that paths are relative to.

    Raises:
        TelemetryError: it cannot be read or used; where, what, and what to do.
    """
    now = datetime.now(UTC)
    if source.path is not None:
        path = root / source.path
        name = shown(path)
        table = read_table(path, name, layout)
    else:
        assert source.url is not None
        at = at or now
        name = source.url
        table = _from_prometheus(source, layout, *window(at, window_days))
    return _checked(table, window_days, at, name, max(now, at or now))


def _from_prometheus(
    source: ServingSource | UsageSource, layout: Layout, start: datetime, end: datetime
) -> LongTable:
    """One range query a figure, put side by side."""
    assert source.url is not None
    tables = {
        name: read_range(source.url, query, start, end, layout.key)
        for name, query in source.queries.items()
    }
    columns = [
        table.rows.rename(columns={"rps": name}).set_index(["time", *SERVICE])
        for name, table in tables.items()
    ]
    rows = reduce(lambda left, right: left.join(right, how="outer"), columns).reset_index()
    findings = tuple(finding for table in tables.values() for finding in table.findings)
    return LongTable(rows, synthetic=False, findings=findings)


def _checked(
    table: LongTable, window_days: int, at: datetime | None, source: str, now: datetime
) -> Samples:
    findings = list(table.findings)
    rows = without_future(table.rows, now, source, findings)
    step = sampling_step(rows["time"], source)
    rows = _without_bad_values(rows, findings)
    last = pd.Timestamp(at).floor("h") if at else (rows["time"].max() + step).floor("h")
    first = last - pd.Timedelta(days=window_days)
    rows = rows[(rows["time"] >= first) & (rows["time"] < last)].sort_values(
        ["time", *SERVICE], kind="stable", ignore_index=True
    )
    if rows.empty:
        problem = f"nothing in the {window_days} days before {last:%Y-%m-%d %H:%M} UTC"
        raise TelemetryError(f"{source}: {problem}; choose a later export or another time")
    findings += _stale(rows, last)
    begin = max(first, rows["time"].iloc[0].floor("h"))
    return Samples(
        rows=rows,
        findings=tuple(findings),
        start=begin.to_pydatetime(),
        end=last.to_pydatetime(),
        step=step,
        source=source,
        synthetic=table.synthetic,
    )


def usage_of(samples: Samples, app: str, location: str) -> pd.DataFrame:
    """Columns `time`, `cpu_cores`, `memory_gib` of the busiest replica, `oom_kills` of all."""
    rows = samples.of(app, location)
    if USAGE.label in rows:
        rows = rows[rows[USAGE.label].isin([CONTAINER, "", "nan"])]
    how = {"cpu_cores": "max", "memory_gib": "max", "oom_kills": "sum"}
    columns = {name: rule for name, rule in how.items() if name in rows}
    return rows.groupby("time", as_index=False).agg(columns)


def _without_bad_values(rows: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """Figures below zero or without end are missing, and said to be."""
    for name in rows.columns.difference(["time", *SERVICE]):
        if not pd.api.types.is_numeric_dtype(rows[name]):
            continue
        bad = (rows[name] < 0) | np.isinf(rows[name])
        for (app, location), group in rows[bad].groupby(SERVICE, observed=True):
            detail = (
                f"{len(group)} values of {name} are no measurement, first {group[name].iloc[0]:g}"
            )
            detail += ", taken as missing; check the query"
            findings.append(Finding("negative", detail, app, location))
        rows = rows.assign(**{name: rows[name].mask(bad)})
    return rows


def _stale(rows: pd.DataFrame, end: pd.Timestamp) -> list[Finding]:
    found = []
    for (app, location), group in rows.groupby(SERVICE, observed=True):
        last = group["time"].iloc[-1]
        hours = int((end - last) / pd.Timedelta("1h"))
        if hours >= STALE_HOURS:
            detail = f"nothing since {last:%Y-%m-%d %H:%M} UTC, {hours} hours"
            found.append(Finding("stale", detail, str(app), str(location)))
    return found
