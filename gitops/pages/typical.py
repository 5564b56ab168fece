"""A typical weekday and weekend of one service: what stands ready at each hour, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops.pages.day_chart import Hour, day_chart

if TYPE_CHECKING:
    from forecasting.capacity.planner import ServicePlan
    from stacks import App, Capacity

PAST_DAYS = 14
KINDS = ("weekday", "weekend")
MEDIAN, HIGH, HIGHEST = 0.5, 0.95, 0.99


@dataclass(frozen=True)
class Day:
    """One kind of day as the report shows it."""

    chart: Any
    """SVG, marked safe."""
    busiest: str
    """The sentence of the hour with the highest demand to come."""


def days(service: ServicePlan, app: App) -> list[Day]:
    """Weekday and weekend; empty without a capacity or a forecast."""
    from markupsafe import Markup

    capacity = service.after or service.before
    if capacity is None or service.forecast.empty:
        return []
    told = []
    for weekend, kind in enumerate(KINDS):
        hours = _hours(service, app, capacity, bool(weekend))
        if hours:
            busiest = max(hours, key=lambda hour: hour.median)
            picture = Markup(day_chart(hours, kind))  # noqa: S704  (it escapes what it is given)
            told.append(Day(picture, busiest.why))
    return told


def _hours(service: ServicePlan, app: App, capacity: Capacity, weekend: bool) -> list[Hour]:
    per_replica = app.serving.rps_per_replica
    ahead = _by_hour(service.forecast, weekend).max()
    past = _by_hour(service.history.iloc[-PAST_DAYS * 24 :].to_frame("rps"), weekend)["rps"]
    least, most = past.min(), past.max()
    floor = capacity.floor.weekend if weekend else capacity.floor.weekday
    hours = []
    for at in range(24):
        if at not in ahead.index:
            return []
        median, high, highest = (float(ahead.loc[at, level]) for level in (MEDIAN, HIGH, HIGHEST))
        seen = (float(least.get(at, np.nan)), float(most.get(at, np.nan)))
        known = seen if np.isfinite(seen).all() else None
        hour = Hour(
            floor=floor[at],
            median=median / per_replica,
            high=high / per_replica,
            highest=highest / per_replica,
            seen=known and (known[0] / per_replica, known[1] / per_replica),
            why="",
        )
        why = _why(f"{at:02d}:00, {KINDS[weekend]}", hour, capacity, per_replica)
        hours.append(replace(hour, why=why))
    return hours


def _by_hour(frame: pd.DataFrame, weekend: bool) -> Any:
    index = pd.DatetimeIndex(frame.index)
    chosen = frame[(index.day_of_week >= 5) == weekend]
    return chosen.groupby(pd.DatetimeIndex(chosen.index).hour)


def _why(when: str, hour: Hour, capacity: Capacity, per_replica: float) -> str:
    """`18:00, weekday: floor 5 (200 rps) …`: the arithmetic behind one number."""
    median, high, highest = (x * per_replica for x in (hour.median, hour.high, hour.highest))
    text = (
        f"{when}: floor {hour.floor} ({hour.floor * per_replica:,.0f} rps). Forecast {median:,.0f} rps in the middle, "
        f"{high:,.0f} at 95 %, {highest:,.0f} at 99 %"
    )
    if hour.seen:
        low, most = (x * per_replica for x in hour.seen)
        text += f"; the last {PAST_DAYS} days it was {low:,.0f} to {most:,.0f}"
    target = capacity.target_utilisation * per_replica
    return f"{text}. Above {target:,.3g} rps a replica the autoscaler adds more, up to {capacity.ceiling}."
