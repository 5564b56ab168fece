"""From rows as delivered to regular demand, with everything odd named on the way."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from forecasting.telemetry.demand import Demand, Finding, TelemetryError, services
from forecasting.telemetry.tables import LongTable

HOUR = pd.Timedelta(hours=1)
STEPS_MINUTES = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)
MAX_CLOCK_SKEW = pd.Timedelta(minutes=5)
SERVICE = ["app", "location"]

GAP_HOURS = 1
STALE_HOURS = 24
IDLE_HOURS = 48
LATE_START_HOURS = 24
UNIT_JUMP = 20.0
"""Ratio of a day's median to the day before that looks like another unit (60: per minute)."""
COUNT_SAMPLES, COUNT_LEAST = 48, 120.0
"""Whole numbers only, this many and this large, look like counts per minute or hour."""
COUNTER_SHARE = 0.995


def regular(
    table: LongTable, *, window_days: int, at: datetime | None, source: str, now: datetime
) -> Demand:
    """The last `window_days` before `at` on one regular step.

    Without `at` the window ends with the last whole hour of the data. Samples later than `at` are
    dropped, and reported where they lie in the future of `now`.
    """
    findings = list(table.findings)
    rows = table.rows
    rows = without_future(rows, now, source, findings)
    step = sampling_step(rows["time"], source)
    rows = _without_bad_values(rows, findings)
    rows = _on_the_grid(rows, step, findings)
    wide = _without_duplicates(rows, findings)
    last = pd.Timestamp(at).floor("h") if at else (wide.index[-1] + step).floor("h")
    first = last - pd.Timedelta(days=window_days)
    wide = wide.loc[(wide.index >= first) & (wide.index < last)]
    wide = wide.dropna(axis="columns", how="all")
    if wide.empty:
        problem = f"nothing in the {window_days} days before {_shown(last)}"
        raise TelemetryError(f"{source}: {problem}; choose a later export or another time")
    begin = max(first, wide.index[0].floor("h"))
    wide = wide.reindex(pd.date_range(begin, last, freq=step, inclusive="left", name="time"))
    wide = _steady(wide, step)
    hourly = wide.resample("h").max()
    for app, location in services(wide):
        findings += _of_one(app, location, wide[app, location], hourly[app, location])
    return Demand(
        hourly=hourly,
        fine=wide,
        findings=tuple(findings),
        start=begin.to_pydatetime(),
        end=last.to_pydatetime(),
        source=source,
        synthetic=table.synthetic,
    )


def without_future(
    rows: pd.DataFrame, now: datetime, source: str, findings: list[Finding]
) -> pd.DataFrame:
    ahead = rows["time"] > pd.Timestamp(now) + MAX_CLOCK_SKEW
    if not ahead.any():
        return rows
    latest = _shown(rows["time"].max())
    if ahead.all():
        problem = f"all samples lie in the future (up to {latest})"
        raise TelemetryError(f"{source}: {problem}; check the clock of the exporter")
    detail = f"{int(ahead.sum())} samples lie in the future (up to {latest}) and were dropped"
    findings.append(Finding("clock", f"{detail}; check the clock of the exporter"))
    return rows[~ahead]


def sampling_step(times: pd.Series[pd.Timestamp], source: str) -> pd.Timedelta:
    """The largest common step that the commonest distance between samples allows."""
    unique = np.unique(times.to_numpy(dtype="datetime64[s]"))
    if len(unique) < 2:
        problem = "there is one point in time"
        raise TelemetryError(f"{source}: {problem}; export some days of it")
    distances, counts = np.unique(np.diff(unique).astype(int), return_counts=True)
    seconds = int(distances[counts.argmax()])
    if seconds > 3600:
        problem = f"samples come every {seconds / 3600:g} hours"
        raise TelemetryError(f"{source}: {problem}; export them hourly or finer")
    return pd.Timedelta(minutes=next((m for m in STEPS_MINUTES if m * 60 <= seconds), 1))


def _without_bad_values(rows: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    for kind, bad in (
        ("negative", (rows["rps"] < 0) & np.isfinite(rows["rps"])),
        ("infinite", np.isinf(rows["rps"])),
    ):
        for (app, location), group in rows[bad].groupby(SERVICE, observed=True):
            detail = f"{len(group)} {kind} values, first {_shown(group['time'].min())}"
            detail += ", taken as missing; check the query"
            findings.append(Finding(kind, detail, app, location))  # type: ignore[arg-type]
        rows = rows.assign(rps=rows["rps"].mask(bad))
    return rows


def _on_the_grid(rows: pd.DataFrame, step: pd.Timedelta, findings: list[Finding]) -> pd.DataFrame:
    """Samples moved back to the step that they lie in."""
    floored = rows["time"].dt.floor(step)
    distance = rows["time"] - floored
    regular = distance.mode().iloc[0]
    off = int((distance != regular).sum())
    if off:
        minutes = int(step.total_seconds() // 60)
        share = f"{off} of {len(rows)} samples"
        detail = f"{share} are off the {minutes}-minute step and count for the step they lie in"
        findings.append(Finding("irregular", detail))
    backwards = rows.groupby(SERVICE, observed=True, sort=False)["time"].diff() < pd.Timedelta(0)
    if backwards.any():
        first = _shown(rows["time"][backwards].iloc[0])
        detail = f"rows go back in time {int(backwards.sum())} times (first to {first}); sorted"
        findings.append(Finding("unordered", detail))
    return rows.assign(sampled=rows["time"], time=floored)


def _without_duplicates(rows: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """[step, (app, location)]; of several values for one step the largest."""
    repeated = rows.duplicated([*SERVICE, "sampled"], keep=False)
    for (app, location), group in rows[repeated].groupby(SERVICE, observed=True):
        times = group["sampled"].nunique()
        differ = int((group.groupby("sampled")["rps"].nunique() > 1).sum())
        detail = f"{times} times stand there more than once, first {_shown(group['time'].min())}"
        detail += f"; {differ} with different values, of which the larger was kept"
        findings.append(Finding("duplicates", detail, app, location))  # type: ignore[arg-type]
    wide = rows.groupby(["time", *SERVICE], observed=True)["rps"].max().unstack(SERVICE)
    return wide.sort_index(axis="columns").astype(float)


def _steady(wide: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """A service that is sampled more rarely than the others holds its value in between."""
    steady = {}
    for service, values in wide.items():
        known = values.dropna().index
        own = (known[1:] - known[:-1]).to_series().mode().iloc[0] if len(known) > 1 else step
        between = int(min(own, HOUR) / step) - 1
        steady[service] = values.ffill(limit=between) if between > 0 else values
    return pd.DataFrame(steady, index=wide.index).rename_axis(columns=SERVICE)


def _of_one(
    app: str, location: str, fine: pd.Series[float], hourly: pd.Series[float]
) -> list[Finding]:
    found: list[Finding] = []

    def add(kind: str, detail: str) -> None:
        found.append(Finding(kind, detail, app, location))  # type: ignore[arg-type]

    known = hourly.dropna()
    hours_before = int((known.index[0] - hourly.index[0]) / HOUR)
    if hours_before >= LATE_START_HOURS:
        add("late start", f"the first sample is from {_shown(known.index[0])}")
    hours_since = int((hourly.index[-1] - known.index[-1]) / HOUR)
    if hours_since >= STALE_HOURS:
        add("stale", f"nothing since {_shown(known.index[-1])}, {hours_since} hours")
    inside = hourly.loc[known.index[0] : known.index[-1]].isna()
    if int(inside.sum()) >= GAP_HOURS:
        runs = inside.groupby((~inside).cumsum()).sum()
        start = inside.index[(~inside).cumsum() == runs.idxmax()][1]
        longest = f"the longest of {int(runs.max())} h from {_shown(start)}"
        add("gaps", f"{int(inside.sum())} hours are missing, {longest}; missing is not zero")
    tail = known.iloc[-IDLE_HOURS:]
    if len(tail) == IDLE_HOURS and not tail.any():
        busy = known[known > 0]
        since = f"since {_shown(busy.index[-1])}" if len(busy) else "in the whole window"
        add("idle", f"no demand {since}")
    if unit := _suspicious_unit(fine.dropna(), known):
        add("units", unit)
    return found


def _suspicious_unit(fine: pd.Series[float], hourly: pd.Series[float]) -> str | None:
    days = hourly.resample("D").median().dropna()
    days = days[days > 0]
    if len(days) > 1:
        ratio = (days / days.shift(1)).dropna()
        at = int(ratio.where(ratio > 1, 1 / ratio).argmax())
        worst, factor = ratio.index[at], float(ratio.iloc[at])
        if max(factor, 1 / factor) >= UNIT_JUMP:
            sign = f"x {factor:.3g}" if factor > 1 else f"/ {1 / factor:.3g}"
            return f"demand jumps {sign} on {worst:%Y-%m-%d}; did the unit change?"
    if len(fine) < COUNT_SAMPLES or not fine.any():
        return None
    rises = np.diff(fine.to_numpy()) >= 0
    if rises.mean() >= COUNTER_SHARE and fine.iloc[-1] > 2 * max(fine.iloc[0], 1e-9):
        return "the values only ever rise, as a counter's do; take rate() of it"
    if fine.max() >= COUNT_LEAST and (fine == fine.round()).all():
        return "all values are whole and large: counts? divide by the seconds that each covers"
    return None


def _shown(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def window(at: datetime, window_days: int) -> tuple[datetime, datetime]:
    """First and last (excluded) time of the window before `at`, on whole hours."""
    end = at.replace(minute=0, second=0, microsecond=0)
    return end - timedelta(days=window_days), end
