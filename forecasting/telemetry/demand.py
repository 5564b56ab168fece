"""What telemetry says, as records: demand by service, and everything odd about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

Kind = Literal[
    "claim",
    "clock",
    "duplicates",
    "gaps",
    "idle",
    "infinite",
    "irregular",
    "late start",
    "negative",
    "no telemetry",
    "stale",
    "stranger",
    "units",
    "unordered",
    "warning",
]


class TelemetryError(ValueError):
    """Telemetry that cannot be used: where, what is wrong, what to do; one line a problem."""


@dataclass(frozen=True)
class Finding:
    """Something odd in the telemetry that the planner went on with, and how."""

    kind: Kind
    detail: str
    """What was found, where, and what was done about it."""
    app: str | None = None
    location: str | None = None
    """Both None where it concerns the source as a whole."""

    def __str__(self) -> str:
        place = f"{self.app} at {self.location}: " if self.app else ""
        return f"{place}{self.kind}: {self.detail}"


@dataclass(frozen=True)
class Demand:
    """Demand of all services over one window, in requests per second."""

    hourly: pd.DataFrame
    """[hour, (app, location)] peak of each hour, UTC; NaN where nothing was delivered."""
    fine: pd.DataFrame
    """[step, (app, location)] the finest regular step up to an hour, as delivered."""
    findings: tuple[Finding, ...]
    start: datetime
    end: datetime
    """The window; `end`, a whole hour, is excluded."""
    source: str
    synthetic: bool

    @property
    def sha256(self) -> str:
        """Digest of times, services and values: equal for equal content from any kind of source."""
        digest = hashlib.sha256()
        for app, location in services(self.fine):
            digest.update(f"{app}\0{location}\0".encode())
        stamps = self.fine.index.tz_convert("UTC").as_unit("s").asi8  # type: ignore[attr-defined]
        digest.update(np.ascontiguousarray(stamps, dtype="<i8").tobytes())
        # One bit pattern for every NaN, so that "missing" is always the same bytes.
        values = np.where(np.isnan(self.fine.to_numpy(float)), np.nan, self.fine.to_numpy(float))
        digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return digest.hexdigest()

    @property
    def days(self) -> float:
        """Length of the window."""
        return (self.end - self.start) / timedelta(days=1)

    @property
    def step_minutes(self) -> int:
        """Minutes between two rows of `fine`."""
        if len(self.fine) < 2:
            return 60
        return int((self.fine.index[1] - self.fine.index[0]).total_seconds() // 60)

    def findings_of(self, app: str, location: str) -> tuple[Finding, ...]:
        """What was found about one service."""
        return tuple(f for f in self.findings if (f.app, f.location) == (app, location))


def services(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """(app, location) of each column."""
    return [(str(key[0]), str(key[1])) for key in frame.columns]
