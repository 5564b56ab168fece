"""The price book: one dated list price for each thing, unit and location, from rows that people typed in.

A row of `prices.csv` says where its number was published and when. A user's own file, with the same columns, goes on
top: its rows win, and may add what the book lacks. What has no row has no price: None, never zero.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

BUILT_IN = Path(__file__).with_name("prices.csv")
COLUMNS = ("service", "item", "location", "unit", "usd", "as_of", "source")
UNITS = ("hour", "month", "gib-month", "gib", "gib-second", "vcpu-second", "million-requests")
LOCATION = re.compile(r"(aws|gcp):(\*|[a-z]{2,}(-[a-z]+)+-?\d+(-[a-z]{3}-\d)?)")
ON_DEMAND, SPOT = "machine", "machine-spot"
"""Services under which machines are priced by the hour."""


class PriceBookError(ValueError):
    """A price file that cannot be used: file, line, problem and remedy, one line each problem."""


@dataclass(frozen=True)
class Row:
    """One price."""

    service: str
    item: str
    location: str
    """`aws:us-east-1`, `aws:us-east-1-bos-1` (the zone's group), or `aws:*` where it is the same everywhere."""
    unit: str
    usd: float
    as_of: date
    source: str


@dataclass(frozen=True)
class PriceBook:
    """Prices by (service, item, location)."""

    rows: Mapping[tuple[str, str, str], Row]
    edition: str
    """Newest date in it and a digest of its content: two equal editions price alike."""

    @classmethod
    def load(cls, override: Path | None = None) -> PriceBook:
        """The built-in book, with a user's file on top.

        Raises PriceBookError.
        """
        rows = read(BUILT_IN)
        if override is not None:
            rows = {**rows, **read(override)}
        return cls.of(rows.values())

    @classmethod
    def of(cls, rows: Iterable[Row]) -> PriceBook:
        """A book of these rows; later ones win."""
        found = {(row.service, row.item, row.location): row for row in rows}
        content = "\n".join(f"{key} {row.unit} {row.usd!r}" for key, row in sorted(found.items()))
        newest = max((row.as_of for row in found.values()), default=date.min)
        return cls(found, f"{newest}+{hashlib.sha256(content.encode()).hexdigest()[:12]}")

    def row(self, service: str, item: str, location: str) -> Row | None:
        """The row for a location, for the group of a Local Zone, or for everywhere on that cloud."""
        for place in (location, zone_group(location), f"{location.split(':', maxsplit=1)[0]}:*"):
            found = self.rows.get((service, item, place))
            if found is not None:
                return found
        return None

    def price(self, service: str, item: str, location: str) -> float | None:
        """USD a unit, or None where the book has no row."""
        found = self.row(service, item, location)
        return None if found is None else found.usd

    def hourly(
        self,
        machine: str,
        location: str,
        accelerator: str = "",
        gpus: int = 0,
        *,
        spot: bool = False,
    ) -> float | None:
        """USD an hour for one machine. On Google Cloud, N1 machines carry GPUs that are priced beside them."""
        base = self.price(SPOT if spot else ON_DEMAND, machine, location)
        if base is None or not (machine.startswith("n1-") and accelerator and gpus):
            return base
        each = self.price("accelerator-spot" if spot else "accelerator", accelerator, location)
        return None if each is None else base + each * gpus


def zone_group(location: str) -> str:
    """`aws:us-east-1-bos-1a` -> `aws:us-east-1-bos-1`, as AWS prices Local Zones; others as they are."""
    return location[:-1] if re.fullmatch(r"aws:.*-[a-z]{3}-\d[a-z]", location) else location


def read(file: Path) -> dict[tuple[str, str, str], Row]:
    """The rows of one price file. Raises PriceBookError with every problem in it."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceBookError(
            f"{file}: cannot be read ({error}); give a UTF-8 CSV file of prices"
        ) from None
    return parse(text, str(file))


def parse(text: str, name: str) -> dict[tuple[str, str, str], Row]:
    """The rows of a price file's text; `name` is what problems call it."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: dict[tuple[str, str, str], Row] = {}
    problems: list[str] = []
    try:
        header = next(lines, [])
        if tuple(header) != COLUMNS:
            raise PriceBookError(
                f"{name}:1: the columns are {','.join(header)!r}; make them {','.join(COLUMNS)}"
            )
        for cells in lines:
            place = f"{name}:{lines.line_num}"
            if not any(cells):
                continue
            row = row_of(cells)
            if isinstance(row, str):
                problems.append(f"{place}: {row}")
            elif (key := (row.service, row.item, row.location)) in found:
                problems.append(
                    f"{place}: {row.service} {row.item} at {row.location} stands there already; remove one"
                )
            else:
                found[key] = row
    except csv.Error as error:
        problems.append(f"{name}:{lines.line_num}: not CSV ({error}); correct the line")
    if problems:
        raise PriceBookError("\n".join(problems))
    return found


def row_of(cells: list[str]) -> Row | str:
    """One row, or what is wrong with it."""
    if len(cells) != len(COLUMNS):
        return f"has {len(cells)} cells; give {len(COLUMNS)}: {', '.join(COLUMNS)}"
    service, item, location, unit, usd, as_of, source = (cell.strip() for cell in cells)
    try:
        amount, day = float(usd), date.fromisoformat(as_of)
    except ValueError as error:
        return f"usd and as_of: {error}; write them as 0.8048 and 2026-01-21"
    problems = {
        "service, item and source must not be empty; fill them in": not (
            service and item and source
        ),
        f"location: {location!r} is not like aws:us-east-1 or gcp:*; correct it": not (
            LOCATION.fullmatch(location)
        ),
        f"unit: {unit!r} is none of {', '.join(UNITS)}; correct it": unit not in UNITS,
        f"usd: {usd} is no price; leave out the row of what has none": not (
            math.isfinite(amount) and amount > 0
        ),
    }
    found = next((problem for problem, holds in problems.items() if holds), None)
    return found or Row(service, item, location, unit, amount, day, source)
