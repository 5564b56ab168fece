"""From demand to the capacity of each service, with a reason on each number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from forecasting.capacity.autoscaler import Reaction, known_peaks, run
from forecasting.capacity.contest import WORTH_A_CHANGE, judge
from forecasting.capacity.hindsight import Hindsight, hindsight
from forecasting.capacity.replay import (
    CHANGE_COST,
    FLOOR_LEVELS,
    LEVELS,
    TARGETS,
    Outlook,
    Replay,
    Replayed,
    Terms,
    origins,
    replay_of,
    seen,
)
from forecasting.capacity.schedule import weekly
from forecasting.capacity.shards import Service, Shard, UnitPrice, over_shards
from forecasting.parallel import Workers
from forecasting.quantiles.explanation import Spoken
from forecasting.telemetry.demand import Demand, Finding, services
from stacks.records import Capacity, Floor, PlannerLimits, Stack

MODEL = "pooled linear quantile stack, adapted by series, 2"
REPLAY_DAYS = 14
HOURS_A_MONTH = 730
STALE_HOURS = 24
LEAST_KNOWN_SHARE = 0.5
"""Of the hours since a service's first sample: below, its telemetry is too holey to plan from."""
OUTGROWN_LEVEL = 0.95
"""A ceiling below this quantile of the coming week is raised before it is met."""
Status = Literal["changed", "unchanged", "kept", "held", "new"]
STEP_TAKEN = re.compile(r"; a step of at most .*, on data to (\d{4}-\d\d-\d\d \d\d:\d\d) UTC$")


@dataclass(frozen=True)
class ServicePlan:
    """One app at one location: what stands, what is proposed, and why."""

    app: str
    location: str
    before: Capacity | None
    after: Capacity | None
    status: Status
    reason: str
    """One line."""
    peak_rps: float | None
    """Busiest hour of the last seven days; None without telemetry."""
    forecast: pd.DataFrame
    """[hour, level] demand of the next seven days, rps; empty without telemetry."""
    history: pd.Series[float]
    """Hourly peaks of the window, rps."""
    replay: tuple[Replayed, ...]
    hindsight: Hindsight
    """What was forecast of the replayed days, beside what came."""
    spoken: Spoken | None
    """Who spoke in the forecast, and when not to trust it; its calibration is told by `hindsight`."""
    usd_month_before: float | None
    usd_month_after: float | None
    """Mean replicas of the last seven days under each capacity, 730 hours; None: no price."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Plan:
    """What to run from now on, for each service of a stack."""

    at: datetime
    window: tuple[datetime, datetime]
    services: tuple[ServicePlan, ...]
    model: str
    findings: tuple[Finding, ...] = ()
    """About the telemetry as a whole, and demand that belongs to no service of the stack."""

    def capacity(self) -> dict[str, dict[str, Capacity]]:
        """By app and location, as `stacks.write_capacity` takes it."""
        result: dict[str, dict[str, Capacity]] = {}
        for service in self.services:
            if service.after is not None:
                result.setdefault(service.app, {})[service.location] = service.after
        return result


def plan(
    stack: Stack,
    demand: Demand,
    unit_price: UnitPrice,
    *,
    at: datetime | None = None,
    workers: Workers | None = None,
) -> Plan:
    """Capacity for every service of `stack`; the same inputs give the same plan.

    Args:
        stack: what people wrote, and the capacity that stands.
        demand: what `telemetry.read` gave.
        unit_price: (app, location) -> USD for one replica-hour, or None if there is no price.
        at: the time of planning, for holds and stale telemetry; the end of the demand if None.
        workers: who does it, from `parallel.workers`; None is this process.
    """
    at = at or demand.end
    planned = over_shards(
        partial(_planned, at),
        stack,
        demand,
        unit_price,
        levels=LEVELS,
        ends=(*origins(demand, REPLAY_DAYS), len(demand.hourly)),
        workers=workers,
        what="planning",
    )
    return Plan(at, (demand.start, demand.end), tuple(planned), MODEL, _strangers(stack, demand))


def _planned(at: datetime, shard: Shard) -> tuple[ServicePlan, ...]:
    """One service of the shard after the other."""
    *past, coming = seen(shard)
    said = _said(shard)
    return tuple(
        _Planner(
            shard.stack, shard.demand, coming, tuple(past), said.get(service), at, *service
        ).service(shard.prices[service])
        for service in shard.services
    )


def _said(shard: Shard) -> dict[Service, Spoken]:
    """What stands behind the forecast of each service of which there is telemetry."""
    from forecasting.quantiles.forecaster import DemandForecaster

    hourly = shard.demand.hourly
    if not hourly.shape[1]:
        return {}
    forecaster = DemandForecaster(LEVELS)
    forecaster.fit(hourly, events=shard.stack.events, coefficients=shard.learned[-1])
    told = forecaster.explain(calibrate=False).values()
    return dict(zip(services(hourly), told, strict=True))


def _strangers(stack: Stack, demand: Demand) -> tuple[Finding, ...]:
    """What was found about the source itself, and who sends demand without being planned."""
    of_source = tuple(finding for finding in demand.findings if finding.app is None)
    detail = "demand is recorded, but the stack has no such service; add it or drop the series"
    unknown = set(services(demand.hourly)) - set(stack.services())
    return of_source + tuple(Finding("stranger", detail, *service) for service in sorted(unknown))


@dataclass(frozen=True)
class _Planner:
    """The planning of one service."""

    stack: Stack
    demand: Demand
    coming: Outlook
    past: tuple[Outlook, ...]
    said: Spoken | None
    at: datetime
    app: str
    location: str

    def service(self, price: float | None) -> ServicePlan:
        """`price` of a replica-hour in USD."""
        replayed = self._replay()
        rows = replayed.rows(self._stands, price) if replayed else ()
        status, after, reason = self._decision(replayed, rows)
        before = self._stands
        return ServicePlan(
            app=self.app,
            location=self.location,
            before=before,
            after=after,
            status=status,
            reason=reason,
            peak_rps=self._peak_rps(),
            forecast=self._forecast(),
            history=self._history(),
            replay=rows,
            hindsight=self._hindsight(replayed),
            spoken=self.said,
            usd_month_before=self._usd_month(before, price),
            usd_month_after=self._usd_month(after, price),
            findings=self._findings(after),
        )

    @property
    def _service(self) -> tuple[str, str]:
        return self.app, self.location

    @property
    def _stands(self) -> Capacity | None:
        return self.stack.capacity.get(self.app, {}).get(self.location)

    @property
    def _terms(self) -> Terms:
        return Terms.of(self.stack.apps[self.app], self.location)

    @property
    def _limits(self) -> PlannerLimits:
        return self.stack.portfolio.limits

    @property
    def _column(self) -> int | None:
        columns = services(self.demand.hourly)
        return columns.index(self._service) if self._service in columns else None

    def _history(self) -> pd.Series[float]:
        if self._column is None:
            return pd.Series(index=self.demand.hourly.index, dtype=float)
        return self.demand.hourly[self._service]

    def _peak_rps(self) -> float | None:
        week = self._history().iloc[-168:].dropna()
        return float(week.max()) if len(week) else None

    def _forecast(self) -> pd.DataFrame:
        if self._column is None:
            return pd.DataFrame(columns=list(LEVELS), dtype=float)
        hours = pd.date_range(self.coming.at, periods=168, freq="h", name="time")
        return pd.DataFrame(self.coming.quantiles[:, self._column], hours, list(LEVELS))

    def _replay(self) -> Replay | None:
        return replay_of(
            self._service, self.stack.apps[self.app], self._limits, self.demand, self.past
        )

    def _hindsight(self, replayed: Replay | None) -> Hindsight:
        return hindsight(self._history(), replayed.days if replayed else (), self._column or 0)

    def _findings(self, after: Capacity | None) -> tuple[Finding, ...]:
        found = self.demand.findings_of(self.app, self.location)
        if self._column is None:
            detail = "no demand is recorded; check the labels app and location of the source"
            found = (*found, Finding("no telemetry", detail, self.app, self.location))
        if after is None:
            detail = "no capacity stands and none can be planned; write a first one by hand"
            found = (*found, Finding("no telemetry", detail, self.app, self.location))
        return found

    def _decision(
        self, replayed: Replay | None, rows: tuple[Replayed, ...]
    ) -> tuple[Status, Capacity | None, str]:
        stands = self._stands
        hold = self.stack.apps[self.app].hold
        if hold is not None and hold.until >= self.at.astimezone(UTC).date():
            return "held", stands, f"held until {hold.until}: {hold.reason}"
        lacking = self._lacking()
        if lacking or replayed is None:
            return "kept", stands, f"kept: {lacking or 'too short a history to replay a day'}"
        after = self._wanted(replayed, rows)
        if stands is None:
            return "new", after, after.reason
        if (after.floor, after.ceiling, after.target_utilisation) == (
            stands.floor, stands.ceiling, stands.target_utilisation,
        ):  # fmt: skip
            return "unchanged", stands, "what stands is what would be planned"
        if against := self._against(after, rows):
            return "unchanged", stands, against
        return "changed", after, after.reason

    def _lacking(self) -> str | None:
        """Why the telemetry cannot carry a plan."""
        known = self._history().dropna()
        if not len(known):
            return "no telemetry in the window; check the labels app and location of the source"
        end = pd.Timestamp(self.at)
        quiet = (end - known.index[-1]) / pd.Timedelta("1h") - 1
        if quiet >= STALE_HOURS:
            return f"telemetry ended {quiet:.0f} h ago; bring it back"
        days = len(known) / 24
        if days < self._limits.min_history_days:
            least = self._limits.min_history_days
            return f"{days:.1f} days of telemetry, fewer than limits.min_history_days {least:g}"
        share = len(known) / len(self._history().loc[known.index[0] :])
        if share < LEAST_KNOWN_SHARE:
            return f"telemetry is missing in {1 - share:.0%} of the hours; close the gaps"
        for finding in self.demand.findings_of(self.app, self.location):
            if finding.kind == "units":
                return finding.detail
        return None

    def _wanted(self, replayed: Replay, rows: tuple[Replayed, ...]) -> Capacity:
        assert self._column is not None
        level, target = replayed.choice(len(replayed.days))
        need = self._terms.floors(self.coming, self._column)[level]
        ceiling = self._terms.ceiling(self.coming, self._column, TARGETS[target])
        if self._stands is not None and not self._history().any():
            ceiling = self._stands.ceiling  # idle, or unheard: it may come back as it was
        floor, ceiling, limited = self._within_a_step(need, ceiling)
        reason = self._reason(level, target, len(replayed.days), rows)
        if limited:
            low, high = int(need.min()), int(need.max())
            wanted = f"{low}" if low == high else f"{low}-{high}"
            reason += f"; a step of at most {self._limits.max_step:.0%} towards {wanted}"
            reason += f", on data to {self.demand.end:%Y-%m-%d %H:%M} UTC"
        capacity = Capacity(
            floor=Floor(weekday=_whole(floor[0]), weekend=_whole(floor[1])),
            ceiling=ceiling,
            target_utilisation=TARGETS[target],
            expected_replicas=0,
            reason=reason,
        )
        expected = round(self._mean_replicas(capacity), 2)
        return capacity.model_copy(update={"expected_replicas": expected})

    def _within_a_step(self, need: np.ndarray, ceiling: int) -> tuple[np.ndarray, int, bool]:
        """Floor [kind, hour] and ceiling no further from what stands than one step allows."""
        stands, changes = self._stands, self._limits.max_changes_a_day
        if stands is None:
            floor = weekly(need, changes, change_cost=CHANGE_COST)
            return floor, max(ceiling, int(floor.max())), False
        old = np.array([stands.floor.weekday, stands.floor.weekend], float)
        step = _step(old, self._limits.max_step)
        within = np.clip(need, old - step, old + step)
        floor = weekly(within, changes, most=old + step, change_cost=CHANGE_COST)
        reach = int(_step(np.array(float(stands.ceiling)), self._limits.max_step))
        near = min(max(ceiling, stands.ceiling - reach), stands.ceiling + reach)
        limited = bool((within != need).any()) or near != ceiling
        return floor, max(near, int(floor.max()), 1), limited

    def _reason(self, level: int, target: int, days: int, rows: tuple[Replayed, ...]) -> str:
        text = f"q{FLOOR_LEVELS[level] * 100:g} floor, target {TARGETS[target]:.0%}"
        verdict = judge(rows, self._terms.max_shortfall)
        ours = next(row for row in rows if row.ours)
        told = verdict.reason if verdict else f"{ours.shortfall:.1%} shortfall"
        return f"{text}; replay {days} d: {told.split(';')[0]}"

    def _against(self, after: Capacity, rows: tuple[Replayed, ...]) -> str | None:
        """Why the plan is not proposed: it has to win the replay, and to save from now on, too."""
        assert self._stands is not None
        if taken := self._step_taken():
            return f"one step a day of telemetry; the last was on data to {taken} UTC"
        promise = self._terms.max_shortfall
        by_name = {row.name: row for row in rows}
        ours, stood = by_name["this plan"], by_name["what stands"]
        verdict = judge(rows, promise)
        assert verdict is not None
        safe = ours.shortfall <= max(promise, stood.shortfall)
        if safe and self._outgrown(self._stands):
            return None
        if not verdict.won:
            return f"what stands is kept: in replay a new plan has {verdict.reason}"
        return None if stood.shortfall > promise else self._too_little_won(after)

    def _too_little_won(self, after: Capacity) -> str | None:
        """This plan must save what a change is worth on the last seven days as well."""
        assert self._stands is not None
        now, then = self._mean_replicas(self._stands), self._mean_replicas(after)
        if then > (1 - WORTH_A_CHANGE) * now:
            less = f"{now:.2f} replicas on average would become {then:.2f}"
            return f"what stands is kept: {less}; a change is worth {WORTH_A_CHANGE:.0%}"
        return None

    def _step_taken(self) -> str | None:
        """The end of the data on which less than a day ago a part of the way was gone."""
        step = STEP_TAKEN.search(self._stands.reason) if self._stands else None
        if step is None:
            return None
        taken = datetime.strptime(step[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        return step[1] if self.demand.end - taken < timedelta(days=1) else None

    def _outgrown(self, stands: Capacity) -> bool:
        """The coming week may well need more than the ceiling that stands."""
        coming = self._forecast()[OUTGROWN_LEVEL].max()
        return bool(coming > stands.ceiling * self._terms.rps_per_replica)

    def _usd_month(self, capacity: Capacity | None, price: float | None) -> float | None:
        if capacity is None or price is None or self._column is None:
            return None
        return self._mean_replicas(capacity) * price * HOURS_A_MONTH

    def _mean_replicas(self, capacity: Capacity) -> float:
        """Of the last seven days, as the autoscaler would have run them."""
        fine = self.demand.fine[self._service]
        week = fine[fine.index >= pd.Timestamp(self.demand.end) - pd.Timedelta("7D")]
        reaction = Reaction.of(self._terms.cold_start_minutes, self.demand.step_minutes)
        peaks = known_peaks(fine.to_numpy(float), reaction)
        weekend = (week.index.day_of_week >= 5).astype(int)  # type: ignore[attr-defined]
        rows = self._terms.as_run(capacity.floor)
        ran = run(
            week.to_numpy(float),
            tuple((weight, peak[-len(week) :]) for weight, peak in peaks),
            floor=rows[weekend, week.index.hour],  # type: ignore[attr-defined]
            ceiling=capacity.ceiling,
            target=capacity.target_utilisation,
            rps_per_replica=self._terms.rps_per_replica,
        )
        return float(np.nanmean(ran.replicas)) if np.isfinite(ran.replicas).any() else 0.0


def _step(old: np.ndarray, max_step: float) -> np.ndarray:
    """Replicas that one plan may move: the share of what stands, but at least one."""
    return np.maximum(np.floor(old * max_step), 1.0 if max_step else 0.0)


def _whole(row: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in row)
