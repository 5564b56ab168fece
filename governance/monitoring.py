"""Live monitoring of a deployed version: bias alarm and clearance from inference logs, hour by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from governance.prediction_logs import Metric, counted_by_hour, metrics_of, of_this_version
from governance.sequences import State, watch
from governance.tables import Table
from stacks import ModelVersion


@dataclass(frozen=True)
class Monitored:
    """What is known of one gap after the last hour of the logs."""

    metric: str
    attribute: str
    state: State
    low: float
    """The gap is at least this."""
    high: float
    """It is at most this."""
    better: str
    worse: str
    """The two slices that lie furthest apart, as seen."""
    looks: int
    """Hours in the logs."""
    since: datetime | None
    """The hour after which the alarm or the clearance stood."""

    def as_dict(self) -> dict[str, Any]:
        since = self.since and self.since.isoformat()
        return {**asdict(self), "since": since}


def watched(
    log: Table,
    model: ModelVersion,
    *,
    attributes: Sequence[str],
    tolerance: float,
    confidence: float = 0.95,
    hit_metric: str | None = None,
) -> list[Monitored]:
    """Every metric by every attribute; the confidence is that of all of them, at all hours, together.

    Args:
        log: predictions of this version since it was deployed.
        model: the version that the log must be of.
        attributes: columns with the slices.
        tolerance: the largest difference between two slices' rates that is allowed.
        confidence: that nothing told here is wrong, however often it is asked.
        hit_metric: what a column `hit` counts.

    Raises:
        TableError: the log is of another version, or lacks or misstates a column.
    """
    metrics = [one for one in metrics_of(log, hit_metric) if one.k != "words"]
    of_this_version(log, model, attributes)
    pairs = [(attribute, metric) for attribute in attributes for metric in metrics]
    each = 1 - (1 - confidence) / max(len(pairs), 1)
    found = [_one(log, metric, attribute, tolerance, each) for attribute, metric in pairs]
    return [one for one in found if one is not None]


def _one(
    log: Table, metric: Metric, attribute: str, tolerance: float, confidence: float
) -> Monitored | None:
    """None where fewer than two slices have anything to count."""
    rows = pd.DataFrame(
        counted_by_hour(log, metric, attribute), columns=["hour", "slice", "k", "n"]
    )
    if rows["slice"].nunique() < 2:
        return None
    table = rows.pivot_table(index="hour", columns="slice", values=["k", "n"], aggfunc="sum")
    table = table.fillna(0).sort_index().cumsum()
    k, n = table["k"], table["n"]
    seen = watch(k.to_numpy(), n.to_numpy(), tolerance=tolerance, confidence=confidence)
    rates = (k.iloc[-1] / n.iloc[-1].replace(0, np.nan)).dropna()
    state = seen.state()
    marks = {"alarm": seen.alarm, "clear": seen.clear}.get(state)
    return Monitored(
        metric=metric.name,
        attribute=attribute,
        state=state,
        low=float(seen.low[-1]),
        high=float(seen.high[-1]),
        better=str(rates.idxmax()),
        worse=str(rates.idxmin()),
        looks=len(table),
        since=None if marks is None else table.index[int(marks.argmax())].to_pydatetime(),
    )
