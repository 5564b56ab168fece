"""Demand, latency or errors from where they are recorded: CSV, Parquet, Prometheus."""

from __future__ import annotations

import urllib.parse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from forecasting.telemetry.checks import regular, window
from forecasting.telemetry.demand import Demand, TelemetryError
from forecasting.telemetry.prometheus import read_range
from forecasting.telemetry.tables import DEMAND, Layout, read_table
from stacks.errors import shown
from stacks.records import Source


def read(
    source: str | Path | Source,
    *,
    window_days: int,
    at: datetime | None,
    root: Path,
    layout: Layout = DEMAND,
) -> Demand:
    """Demand of the `window_days` before `at`, hourly and as fine as it was delivered.

    Args:
        source: `telemetry.demand` of a stack file; a file, relative to `root`; or a Prometheus
            address with its query, `http://host:9090?query=...`.
        window_days: days of history to read.
        at: end of the window (aware; excluded, floored to the hour); None is the end of a file's
            data, or now for Prometheus.
        root: the folder that paths are relative to.
        layout: what the table holds, where it is not demand: one figure, such as latency.

    Raises:
        TelemetryError: it cannot be read or used; where, what, and what to do.
    """
    if at is not None and at.tzinfo is None:
        raise TelemetryError(f"the time {at} has no zone; give it in UTC such as {at}Z")
    now = datetime.now(UTC)
    if isinstance(source, str):
        source = _parsed(source)
    if isinstance(source, Source) and source.path is not None:
        source = Path(source.path)
    if isinstance(source, Path):
        path = source if source.is_absolute() else root / source
        table, name = read_table(path, shown(path), layout), shown(path)
        table = replace(table, rows=table.rows.rename(columns={layout.needed[0]: "rps"}))
    else:
        assert source.url is not None
        assert source.query is not None
        at = at or now
        name = source.url
        table = read_range(source.url, source.query, *window(at, window_days), layout.key)
    return regular(table, window_days=window_days, at=at, source=name, now=max(now, at or now))


def _parsed(text: str) -> Path | Source:
    """A path, or a Prometheus address that carries its query."""
    if "://" not in text:
        return Path(text)
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"}:
        problem = f"{parts.scheme}:// cannot be read"
        raise TelemetryError(f"{text}: {problem}; give a file or the http(s) address of Prometheus")
    query = urllib.parse.parse_qs(parts.query).get("query", [""])[0]
    url = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    if not query:
        problem = "has no query"
        raise TelemetryError(
            f"{text}: {problem}; write {url}?query= and PromQL, or use the stack's"
        )
    return Source(url=url, query=query)
