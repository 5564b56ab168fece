"""Running commitments and recorded spot availability, from the user's own CSV files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

ACTIVE_COLUMNS = ("pool", "start", "end", "usd_hour")
SPOT_COLUMNS = ("time", "pool", "zone", "available")


class PurchaseError(ValueError):
    """A file that cannot be used: file, line, what is wrong, what to do; one line."""


def running(file: Path) -> dict[str, list[tuple[pd.Timestamp, pd.Timestamp, float]]]:
    """Running commitments by pool, as (start, end, USD an hour that is paid); `end` is excluded.

    Raises PurchaseError.
    """
    found: dict[str, list[tuple[pd.Timestamp, pd.Timestamp, float]]] = {}
    for place, row in _rows(file, ACTIVE_COLUMNS):
        start, end = _time(place, row, "start"), _time(place, row, "end")
        usd = _number(place, row, "usd_hour")
        if end <= start:
            raise PurchaseError(f"{place}: end {row['end']} is not after start; correct it")
        if usd <= 0:
            raise PurchaseError(
                f"{place}: usd_hour {row['usd_hour']} is not above zero; correct it"
            )
        found.setdefault(row["pool"], []).append((start, end, usd))
    return found


def availability(file: Path) -> dict[str, pd.DataFrame]:
    """Spot availability by pool: UTC times and a column a zone, 1 where spot could be had.

    Raises PurchaseError.
    """
    found: dict[str, dict[tuple[pd.Timestamp, str], float]] = {}
    for place, row in _rows(file, SPOT_COLUMNS):
        moment = (_time(place, row, "time"), row["zone"])
        value = _number(place, row, "available")
        if moment in (known := found.setdefault(row["pool"], {})):
            raise PurchaseError(f"{place}: {row['zone']} at {row['time']} stands there already")
        known[moment] = value
    return {pool: pd.Series(values).unstack().sort_index() for pool, values in found.items()}


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with its place, `file:line`."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PurchaseError(f"{file}: cannot be read ({error}); give a UTF-8 CSV file") from None
    lines = csv.DictReader(text.splitlines())
    if tuple(lines.fieldnames or ()) != columns:
        given = ",".join(lines.fieldnames or ())
        raise PurchaseError(f"{file}:1: the columns are {given!r}; make them {','.join(columns)}")
    for row in lines:
        place = f"{file}:{lines.line_num}"
        if None in row or None in row.values():
            raise PurchaseError(f"{place}: give {len(columns)} cells: {', '.join(columns)}")
        yield place, {key: value.strip() for key, value in row.items()}


def _time(place: str, row: dict[str, str], key: str) -> pd.Timestamp:
    try:
        found = pd.Timestamp(row[key])
    except ValueError:
        found = None
    if found is None or pd.isna(found):
        raise PurchaseError(f"{place}: {key} {row[key]!r} is no time; write it as 2026-11-24")
    return found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")


def _number(place: str, row: dict[str, str], key: str) -> float:
    try:
        found = float(row[key])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise PurchaseError(f"{place}: {key} {row[key]!r} is no number; correct it")
    return found
