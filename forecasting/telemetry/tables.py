"""Long tables `time, app, location` and figures such as `rps` from CSV and Parquet files."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.telemetry.demand import Finding, TelemetryError

KEYS = ("time", "app", "location")
UNITS = {
    "rps": "requests per second such as 12.5",
    "replicas": "how many ran such as 4",
    "latency_p95_ms": "milliseconds such as 180",
    "utilisation": "a share such as 0.6",
    "errors": "the share of failed requests such as 0.002",
    "cpu_cores": "cores such as 1.5",
    "memory_gib": "GiB such as 6.2",
}
SYNTHETIC = "synthetic"
OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"

Place = Callable[[int], str]
"""Where a row stands in its file."""


@dataclass(frozen=True)
class Layout:
    """What a table holds beside `time`, `app` and `location`."""

    key: str
    """Of the stack file, where the source is named."""
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    label: str | None = None
    """A text column that rows may carry."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All that must be there."""
        return KEYS + self.needed


DEMAND = Layout("telemetry.demand", ("rps",))


@dataclass(frozen=True)
class LongTable:
    """Rows `time` (UTC), `app`, `location` and the figures as delivered, and what the file says."""

    rows: pd.DataFrame
    synthetic: bool
    findings: tuple[Finding, ...] = ()


def read_table(path: Path, shown: str, layout: Layout = DEMAND) -> LongTable:
    """The rows of one file, CSV or Parquet by its content, also gzipped.

    Raises:
        TelemetryError: the file, a column or a value cannot be used; with file, line and remedy.
    """
    content = _content(path, shown, layout)
    if content.startswith(PARQUET):
        return _parquet(content, shown, layout)
    return _csv(content, shown, layout)


def _content(path: Path, shown: str, layout: Layout) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except FileNotFoundError:
        raise TelemetryError(f"{shown}: does not exist; check {layout.key}.path") from None
    except (EOFError, gzip.BadGzipFile):
        raise TelemetryError(f"{shown}: is a broken gzip file; export it again") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TelemetryError(f"{shown}: cannot be read: {reason}; name a file") from None


def _parquet(content: bytes, shown: str, layout: Layout) -> LongTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowInvalid, OSError):
        raise TelemetryError(f"{shown}: is a broken Parquet file; export it again") from None
    _require(list(table.column_names), shown, layout)
    frame = table.to_pandas()
    metadata = table.schema.metadata or {}
    marked = SYNTHETIC.encode() in metadata
    return _long(frame, shown, layout, first_line=None, synthetic=marked)


def _csv(content: bytes, shown: str, layout: Layout) -> LongTable:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "is neither UTF-8 text nor Parquet; save it as UTF-8 CSV"
        raise TelemetryError(f"{shown}: {problem}") from None
    lines = text.split("\n", 20)
    comments = 0
    while comments < len(lines) and lines[comments].startswith("#"):
        comments += 1
    if not text.strip():
        raise TelemetryError(f"{shown}: is empty; it needs the columns {', '.join(layout.columns)}")
    marked = any(line.lstrip("# ").startswith(SYNTHETIC) for line in lines[:comments])
    header = lines[comments].strip().split(",") if comments < len(lines) else []
    _require([name.strip().strip('"') for name in header], shown, layout, comments + 1)
    types: Any = {"app": "category", "location": "category"}
    types |= dict.fromkeys(("time", *layout.needed, *layout.optional), str)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            skiprows=comments,
            skipinitialspace=True,
            skip_blank_lines=False,
            dtype=types,
            keep_default_na=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        detail = str(error).strip().splitlines()[-1]
        raise TelemetryError(f"{shown}: is no table: {detail}; export it again") from None
    return _long(frame, shown, layout, first_line=comments + 2, synthetic=marked)


def _require(names: list[str], shown: str, layout: Layout, line: int | None = None) -> None:
    missing = [name for name in layout.columns if name not in names]
    if missing:
        place = f"{shown}:{line}" if line else shown
        found = ", ".join(names) or "none"
        problem = f"column {', '.join(missing)} is missing; found {found}"
        raise TelemetryError(f"{place}: {problem}; the columns are {', '.join(layout.columns)}")


def _long(
    frame: pd.DataFrame, shown: str, layout: Layout, first_line: int | None, synthetic: bool
) -> LongTable:
    """Typed rows; `first_line` is the line of row 0, None where rows have no lines."""

    def place(row: int) -> str:
        return f"{shown}:{row + first_line}" if first_line is not None else f"{shown}: row {row}"

    if frame.empty:
        raise TelemetryError(f"{shown}: has no rows; export some days of it")
    if SYNTHETIC in frame:
        synthetic = synthetic or bool(frame[SYNTHETIC].astype(str).str.lower().eq("true").any())
    for name in ("app", "location"):
        empty = (frame[name].isna() | (frame[name].astype(str).str.strip() == "")).to_numpy()
        if empty.any():
            problem = f"{name} is empty; name the {name} that the row belongs to"
            raise TelemetryError(f"{place(int(empty.argmax()))}: {problem}")
    times, findings = _times(frame["time"], place)
    figures = [name for name in (*layout.needed, *layout.optional) if name in frame]
    labels = ["app", "location", *([layout.label] if layout.label in frame else [])]
    rows = pd.DataFrame(
        {"time": times}
        | {name: frame[name].astype(str) for name in labels}
        | {name: _numbers(frame[name], place) for name in figures}
    )
    return LongTable(rows, synthetic, findings)


def _numbers(values: pd.Series[Any], place: Place) -> pd.Series[float]:
    """Floats; an empty field is missing, any other text an error."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    text = values.astype(str).str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    known_missing = text.str.lower().isin(["", "nan", "na", "null", "none", "<na>"])
    bad = (numbers.isna() & ~known_missing).to_numpy()
    if bad.any():
        row = int(bad.argmax())
        unit = UNITS.get(str(values.name), "a figure such as 12.5")
        problem = f"{values.name} {text.iloc[row]!r} is no number; write {unit}"
        raise TelemetryError(f"{place(row)}: {problem}")
    return numbers.astype(float)


def _times(
    values: pd.Series[Any], place: Place
) -> tuple[pd.Series[pd.Timestamp], tuple[Finding, ...]]:
    """UTC times, and what had to be assumed about the clock."""
    remedy = "write UTC such as 2026-11-24T18:00:00Z"
    if pd.api.types.is_datetime64_any_dtype(values):
        zone = values.dt.tz
        if zone is None:
            naive = Finding("clock", "times have no zone and were read as UTC; write them with a Z")
            return values.dt.tz_localize("UTC"), (naive,)
        if str(zone) != "UTC":
            moved = Finding("clock", f"times were in {zone} and were converted; write them in UTC")
            return values.dt.tz_convert("UTC"), (moved,)
        return values, ()
    # A few thousand times serve all services: parse each once.
    codes, texts = pd.factorize(values.astype(str))
    parsed = pd.to_datetime(pd.Index(texts), utc=True, format="ISO8601", errors="coerce")
    bad = parsed.isna() | np.array([NUMBER.fullmatch(text) is not None for text in texts])
    if bad.any():
        row = int((codes == int(bad.argmax())).argmax())
        raise TelemetryError(f"{place(row)}: time {values.iloc[row]!r} is no time; {remedy}")
    offsets = {(match.group() if (match := OFFSET.search(text)) else "") for text in texts}
    findings = []
    if "" in offsets:
        findings.append(Finding("clock", "times have no zone and were read as UTC; add a Z"))
    foreign = sorted(offsets - {"", "Z", "+00:00", "+0000", "-00:00"})
    if foreign:
        named = ", ".join(foreign[:3])
        findings.append(
            Finding("clock", f"times carry {named} and were converted; write them in UTC")
        )
    return pd.Series(parsed[codes], index=values.index), tuple(findings)
