"""The spend report: the running month of each app, team or model, with its fan and its budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from gitops.pages import chart
from gitops.pages.template import filled

if TYPE_CHECKING:
    from finops.billing import Billing
    from finops.month import Month


def page(
    stack: str,
    by: str,
    read: Billing,
    months: Sequence[Month],
    row: Callable[[Month], tuple[str, ...]],
) -> str:
    """The whole page as text; `row` gives the cells of the terminal's table."""
    return filled(
        "spend",
        stack=stack,
        by=by,
        month=f"{months[0].month:%B %Y}",
        until=f"{months[0].spent_until:%d %b %Y}",
        synthetic=read.synthetic,
        findings=read.findings,
        lines=[
            {
                "name": line.name,
                "cells": tuple(Text.from_markup(cell).plain for cell in row(line)),
                "note": line.note,
                "svg": fan(line),
                "anomalies": line.anomalies,
            }
            for line in months
        ],
    )


def fan(line: Month) -> str:
    """The month's spend added up by day, what is expected of the rest, and the budget."""
    import numpy as np
    from markupsafe import Markup

    if line.path is None or line.forecast is None:
        return Markup('<p class="soft">no forecast</p>')
    spent = np.concatenate([[0.0], np.cumsum(line.by_day_usd)])
    now = len(spent) - 1
    hours = np.arange(24 * (now + len(line.path)) + 1)

    def hourly(totals: np.ndarray, first_day: int) -> list[float]:
        """Totals by the end of each day from `first_day` on, as a line by hour."""
        ends = 24 * (first_day + np.arange(len(totals)))
        values = np.interp(hours, ends, totals, left=np.nan, right=np.nan)
        return [float(value) for value in values]

    mean, low, high = (
        hourly(np.array([spent[-1], *line.path[name]]), now) for name in ("mean", "low", "high")
    )
    lines = [
        chart.Line("spent", hourly(spent, 0), "demand"),
        chart.Line("expected", mean, "median"),
    ]
    if line.budget_usd is not None:
        lines.append(chart.Line("budget", [line.budget_usd] * len(hours), "ceiling"))
    start = datetime(line.month.year, line.month.month, 1, tzinfo=UTC)
    bands = [chart.Band("90 % interval", low, high, "fan")]
    svg = chart.time_chart(start, lines, bands, now_index=24 * now, unit="USD")
    return Markup(svg)  # noqa: S704 - chart.py escapes what it is given
