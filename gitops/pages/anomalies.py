"""The anomalies as one HTML page that opens offline: each unusual stream with its alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops.commands.detect import COLUMNS, MEASURED, row, still_open
from gitops.pages import chart
from gitops.pages.template import filled

if TYPE_CHECKING:
    from forecasting.anomalies.streams import Watched

PAST_DAYS = 14
USUAL_DAYS = 7
UNITS = {"load": "rps", "latency": "ms", "errors": "share", "value": ""}


def page(watched: Sequence[Watched], name: str, notes: Sequence[str]) -> str:
    """The whole page as text."""
    unusual = {(a.app, a.location) for a in still_open(watched)}
    shown = [w for w in watched if (w.stream.app, w.stream.location) in unusual or w.anomalies]
    shown.sort(key=lambda w: (w.stream.app, w.stream.location) not in unusual)
    return filled(
        "anomalies",
        name=name,
        notes=notes,
        columns=COLUMNS,
        rows=[row(anomaly) for anomaly in still_open(watched)],
        charts=[drawn(one) for one in shown],
        quiet=len(watched) - len(shown),
        short=sum(one.too_short for one in watched),
        measured=MEASURED,
        days=PAST_DAYS,
    )


def drawn(one: Watched) -> dict[str, Any]:
    """One stream by the hour, what was usual, and where an alarm came."""
    stream = one.stream
    hourly = stream.values.resample("h").mean()
    usual = pd.concat([hourly.shift(24 * day) for day in range(1, USUAL_DAYS + 1)], axis=1)
    hours = [pd.Timestamp(anomaly.since).floor("h") for anomaly in one.anomalies]
    alarms = hourly.where(hourly.index.isin(hours))
    start = max(0, len(hourly) - 24 * PAST_DAYS)
    told = [anomaly for anomaly in one.anomalies if anomaly.since >= hourly.index[start]]
    return {
        "title": f"{stream.kind} of {stream.app}",
        "location": stream.location,
        "alarms": [f"{a.since:%d %b %H:%M}" + (" (open)" if a.open else "") for a in told],
        "svg": chart.time_chart(
            hourly.index[start].to_pydatetime(),
            [
                chart.Line("usual at this hour", usual.median(axis=1).tolist()[start:], "median"),
                chart.Line(stream.kind, hourly.tolist()[start:], "demand"),
            ],
            dots=chart.Dots("alarm", alarms.tolist()[start:], "miss"),
            unit=UNITS[stream.kind],
        ),
    }
