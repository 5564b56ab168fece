"""What people measured, from CSV files: the network, and where users are."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from stacks.records import ROUNDING, UserArea

Array = NDArray[np.float64]
HOURS = 24
KNOWN_AREAS: tuple[str, ...] = get_args(UserArea)


class PlacementError(ValueError):
    """What a placement cannot be made from: where, what is wrong, what to do; one line a problem."""


def read_network(path: Path) -> dict[tuple[str, str], float]:
    """`area, location, network_ms` -> milliseconds there and back at the 95th percentile.

    Raises PlacementError.
    """
    found: dict[tuple[str, str], float] = {}
    for place, row in _rows(path, ("area", "location", "network_ms")):
        key = (_area(row["area"], place), row["location"])
        if key in found:
            raise PlacementError(f"{place}: {key[0]} to {key[1]} stands there already; remove one")
        found[key] = _number(row["network_ms"], "network_ms", place)
    return found


def read_users(path: Path, apps: Collection[str]) -> dict[str, dict[str, Array]]:
    """`app, area, share[, hour]` -> [hour of the day in UTC] share of the app's requests, by app and area.

    Without an hour a share holds all day. Raises PlacementError.
    """
    found: dict[str, dict[str, Array]] = defaultdict(dict)
    for place, row in _rows(path, ("app", "area", "share")):
        if row["app"] not in apps:
            known = ", ".join(apps)
            raise PlacementError(f"{place}: there is no app {row['app']!r}; apps are {known}")
        shares = found[row["app"]].setdefault(_area(row["area"], place), np.full(HOURS, math.nan))
        at = _hours(row.get("hour") or "", place)
        if np.isfinite(shares[at]).any():
            raise PlacementError(
                f"{place}: {row['area']} of {row['app']} stands there already; remove one"
            )
        shares[at] = _number(row["share"], "share", place)
    for app, areas in found.items():
        total = np.nansum(list(areas.values()), axis=0)
        wrong = np.flatnonzero(np.abs(total - 1) > ROUNDING)
        if len(wrong):
            where = f"{path}: the shares of {app} at {wrong[0]:02d}:00 UTC"
            raise PlacementError(f"{where} add up to {total[wrong[0]]:g}; make them 1")
    return {
        app: {area: np.nan_to_num(shares) for area, shares in areas.items()}
        for app, areas in found.items()
    }


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with the place it stands at."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlacementError(f"{path}: is not UTF-8 text; save it as UTF-8 CSV") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PlacementError(f"{path}: cannot be read: {reason}; name a CSV file") from None
    table = csv.DictReader(text.splitlines(), skipinitialspace=True, restkey="", restval="")
    missing = [name for name in columns if name not in (table.fieldnames or ())]
    if missing:
        problem = f"column {', '.join(missing)} is missing"
        raise PlacementError(f"{path}:1: {problem}; the columns are {', '.join(columns)}")
    for row in table:
        yield (
            f"{path}:{table.line_num}",
            {k: v.strip() for k, v in row.items() if isinstance(v, str)},
        )


def _area(name: str, place: str) -> str:
    if name not in KNOWN_AREAS:
        raise PlacementError(f"{place}: {name!r} is no area; areas are {', '.join(KNOWN_AREAS)}")
    return name


def _number(text: str, name: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise PlacementError(f"{place}: {name} {text!r} is no number from zero up; correct it")
    return value


def _hours(text: str, place: str) -> slice:
    if not text:
        return slice(None)
    if not (text.isdigit() and int(text) < HOURS):
        raise PlacementError(f"{place}: hour {text!r} is none of 0 to 23; write the hour in UTC")
    return slice(int(text), int(text) + 1)
