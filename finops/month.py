"""The running month of each app, team or model: spent, forecast, budget, and days that stand out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from finops.billing import Billing
from forecasting.spend.forecaster import MonthEnd, SpendForecaster
from stacks.records import Stack

ANOMALY_DAYS, OPEN_DAYS = 30, 7
"""Anomalies are told for so long, and count as open for the first days of it."""
MATERIAL_SHARE = 0.01
"""Of the month's expected total: what is less above the expected day is told, and not open."""
FEW_DAYS = 28
"""With less history the weekday profile is rough and no day is judged."""
ONE_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Anomaly:
    """One day that cost more than it should."""

    day: date
    score: float
    """Robust standard deviations above what was expected."""
    expected_usd: float
    actual_usd: float
    moved: str
    """What rose most over the same weekday of the four weeks before: app, service and location."""
    open: bool
    """Young, and large enough to matter."""


@dataclass(frozen=True)
class Month:
    """One line of the spend table."""

    name: str
    month: date
    """Its first day."""
    by_day_usd: tuple[float, ...]
    """Of its complete days; 0 also where a day is missing, which `note` says."""
    spent_until: date
    """Last day of it that is complete; the day before the month where none is."""
    month_gone: float
    """Share of the month's days that are complete and in the billing."""
    forecast: MonthEnd | None
    """None where no forecast is made; `note` says why."""
    path: pd.DataFrame | None
    """USD of the month by the end of each day that is left: mean, low, high."""
    budget_usd: float | None
    anomalies: tuple[Anomaly, ...]
    history_days: int
    note: str

    @property
    def spent_usd(self) -> float:
        return sum(self.by_day_usd)

    @property
    def burn(self) -> float | None:
        """Share of the budget used over the share of the month gone; 1 is on budget."""
        if self.budget_usd is None or not self.month_gone:
            return None
        return self.spent_usd / self.budget_usd / self.month_gone

    @property
    def overrun_probability(self) -> float | None:
        if self.budget_usd is None or self.forecast is None:
            return None
        return self.forecast.probability_above(self.budget_usd)

    @property
    def runs_out(self) -> date | None:
        """First day by whose end the expected spend is above the budget; None: not this month."""
        if self.budget_usd is None or self.path is None:
            return None
        above = self.path.index[self.path["mean"] > self.budget_usd]
        return above[0].date() if len(above) else None


def months(billing: Billing, rows: pd.DataFrame, stack: Stack, by: str) -> list[Month]:
    """The whole portfolio first, then each `app`, `team` or `model`, dearest first.

    `rows` are the allocated rows of `billing`. A name with a budget and no cost has a line, too.
    """
    known = rows[rows["day"] < billing.complete_until]
    allowed = budgets(stack, by)
    spent = known.groupby(by)["usd"].sum()
    names = sorted({*allowed, *spent.index}, key=lambda name: (-spent.get(name, 0.0), name))
    until = billing.complete_until
    days = covered_days(known, until)
    this_month = pd.date_range(until.replace(day=1), until - ONE_DAY, freq="D")
    missing = len(this_month.difference(pd.DatetimeIndex(known["day"].unique())))
    parts: list[tuple[str, pd.DataFrame, float | None]] = [
        ("all", known, stack.portfolio.budget.monthly_usd)
    ]
    parts += [(name, known[known[by] == name], allowed.get(name)) for name in names]
    return [month(name, part, days, missing, until, budget) for name, part, budget in parts]


def budgets(stack: Stack, by: str) -> Mapping[str, float]:
    """USD a month by name: an app's own, or the sum of a team's or a model's apps."""
    sums: dict[str, float] = {}
    for name, app in stack.apps.items():
        key = {"app": name, "team": app.owner, "model": app.model.name}[by]
        sums[key] = sums.get(key, 0.0) + app.budget.monthly_usd
    return sums


def covered_days(known: pd.DataFrame, until: pd.Timestamp) -> pd.DatetimeIndex:
    """The days since the billing's last gap: a day without any line was not exported, not free."""
    if known.empty:
        return pd.DatetimeIndex([], tz="UTC")
    present = pd.DatetimeIndex(known["day"].unique()).sort_values()
    every = pd.date_range(present[0], until - ONE_DAY, freq="D")
    gaps = every.difference(present)
    return every if gaps.empty else every[every > gaps[-1]]


def month(
    name: str,
    rows: pd.DataFrame,
    days: pd.DatetimeIndex,
    missing_days: int,
    until: pd.Timestamp,
    budget_usd: float | None,
) -> Month:
    """One line, from the rows that belong to it.

    `days` are what can be forecast from; `missing_days` of this month are not in the billing.
    """
    first = until.replace(day=1)
    daily = rows.groupby("day")["usd"].sum().reindex(days, fill_value=0.0)
    this_month = pd.date_range(first, until - ONE_DAY, freq="D")
    by_day = rows.groupby("day")["usd"].sum().reindex(this_month, fill_value=0.0)
    forecast, path, note = None, None, ""
    found: tuple[Anomaly, ...] = ()
    if daily.empty or not (daily > 0).any():
        note = "not enough: no complete day with spend"
    elif (daily < 0).any():
        day = daily.index[int(np.flatnonzero(daily.to_numpy() < 0)[-1])]
        note = f"not forecast: credits exceed cost on {day:%d %b}"
    else:
        fitted = SpendForecaster().fit(daily)
        forecast, path = fitted.month_end(), fitted.path()
        if len(daily) < FEW_DAYS:
            note = f"wide interval and no anomalies yet, history has {counted(len(daily))}"
        # Days before a gap are no history, and are spent all the same.
        path += by_day.sum() - forecast.spent
        forecast = replace(forecast, spent=float(by_day.sum()))
        found = anomalies(fitted.anomalies(), rows, until, MATERIAL_SHARE * forecast.mean)
    if missing_days:
        lacks = f"{counted(missing_days)} of this month not in the billing and in no sum"
        note = f"{note}; {lacks}" if note else lacks
    gone = (until.day - 1 - missing_days) / until.days_in_month
    return Month(
        name, first.date(), tuple(by_day.tolist()), (until - ONE_DAY).date(), gone,
        forecast, path, budget_usd, found, len(daily), note,
    )  # fmt: skip


def counted(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def anomalies(
    found: pd.DataFrame, rows: pd.DataFrame, until: pd.Timestamp, material_usd: float
) -> tuple[Anomaly, ...]:
    """The latest first, each with what moved."""
    recent = found[found["day"] >= until - ANOMALY_DAYS * ONE_DAY].sort_values("day")[::-1]
    days = pd.DatetimeIndex(recent["day"])
    told = recent[["score", "expected", "actual"]].to_numpy(float)
    young = until - OPEN_DAYS * ONE_DAY
    return tuple(
        Anomaly(
            day.date(), score, expected, actual, moved(rows, day),
            bool(day >= young) and actual - expected >= material_usd,
        )
        for day, (score, expected, actual) in zip(days, told.tolist(), strict=True)
    )  # fmt: skip


def moved(rows: pd.DataFrame, day: pd.Timestamp) -> str:
    """App, service and location with the largest rise over the weekday's mean of four weeks."""
    names = ["app", "service", "location"]
    table = rows.pivot_table(index="day", columns=names, values="usd", aggfunc="sum").fillna(0.0)
    before = [day - 7 * week * ONE_DAY for week in (1, 2, 3, 4)]
    usual = table.reindex(table.index.intersection(pd.DatetimeIndex(before))).mean().fillna(0.0)
    rise = table.loc[day] - usual
    app, service, location = rise.index[int(rise.to_numpy().argmax())]
    return f"{app}: {service} at {location} {rise.max():+,.0f} USD"
