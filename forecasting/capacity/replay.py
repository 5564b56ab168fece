"""What planning would have cost and dropped on the recorded past, beside the rules in use.

At each past day the plan is made from the data before that day and stands until the next deploy
(`limits.stands_days`), under the autoscaler of `autoscaler`. Which quantile is the floor and which
utilisation the target is chosen, for each service and day, by how the choices fared on the days
before (`choice`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecasting.capacity.autoscaler import ROUNDING, Reaction, Run, known_peaks, run
from forecasting.capacity.choice import Record, choices
from forecasting.capacity.schedule import weekly
from forecasting.capacity.shards import Coefficients, Service, Shard, UnitPrice, over_shards
from forecasting.parallel import Workers
from forecasting.telemetry.demand import Demand, services
from stacks.records import App, Capacity, Event, Floor, PlannerLimits, Stack

Array = NDArray[np.float64]

FLOOR_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""There is always a floor worth the name: it stands where the autoscaler cannot read the load."""
CEILING_LEVEL = 0.995
LEVELS = (*FLOOR_LEVELS, CEILING_LEVEL)
TARGETS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""None above: bursts shorter than a step of the telemetry are not seen in replay."""
FIRST_CHOICE = (FLOOR_LEVELS.index(0.9), TARGETS.index(0.7))
"""While there are no past days to choose by."""
CHOOSE_FROM_DAYS = 2
CHANGE_COST = 0.5
"""Of a scheduled change, in replica-hours: what saves less is not worth an action that can fail."""
WARM_UP_DAYS = 7
LEAST_KNOWN_HOURS = 48
"""A service takes part in the replay of a day if it was known for this long before."""
SCALE_TO_ZERO_MINUTES = 1.0
"""Cold starts up to here let a floor be zero."""
HPA_TARGET, KRR_QUANTILE, VPA_QUANTILE, VPA_MARGIN = 0.7, 0.95, 0.9, 1.15
KRR_DAYS, VPA_DAYS = 7, 8


@dataclass(frozen=True)
class Replayed:
    """One policy on one service's recorded past."""

    name: str
    ours: bool
    replica_hours: float
    usd: float | None
    """None where the service has no price."""
    shortfall: float
    """Share of demand above capacity."""
    peak: int
    """Most replicas at once."""


@dataclass(frozen=True)
class Outlook:
    """What was known at one moment of how the week after it may go."""

    at: pd.Timestamp
    quantiles: Array
    """[hour, service, level] of LEVELS, 168 hours."""
    busiest: Array
    """[service] the busiest hour so far, in rps."""

    @cached_property
    def day_types(self) -> Array:
        """[service, level, weekday or weekend, hour UTC]: the largest quantile of those hours."""
        hours = pd.date_range(self.at, periods=len(self.quantiles), freq="h")
        kind = (hours.day_of_week >= 5).astype(int)
        result = np.zeros((*self.quantiles.shape[1:], 2, 24))
        for i, hour in enumerate(hours.hour):
            cell = result[:, :, kind[i], hour]
            np.maximum(cell, self.quantiles[i], out=cell)
        return result


@dataclass(frozen=True)
class Terms:
    """What planning one service must know of its app."""

    rps_per_replica: float
    cold_start_minutes: float
    max_shortfall: float
    unserved_cost: float
    """Of a replica-hour's worth of demand that is not served, in replica-hours."""
    least: int
    """Replicas that a floor never goes below."""
    flat: Literal["peak", "least"] | None
    """What of a floor stands all week where no schedule can be followed: a plain HPA's minimum is
    its peak, Cloud Run's minimum instances are its least."""

    @classmethod
    def of(cls, app: App, location: str) -> Terms:
        serving = app.serving
        hpa = serving.target == "gpu" and serving.autoscaler == "hpa"
        cloud_run = serving.target == "serverless" and location.startswith("gcp:")
        quick = serving.cold_start_minutes <= SCALE_TO_ZERO_MINUTES
        return cls(
            rps_per_replica=serving.rps_per_replica,
            cold_start_minutes=serving.cold_start_minutes,
            max_shortfall=app.slo.max_shortfall,
            unserved_cost=app.slo.balance,
            least=0 if quick and not hpa else 1,
            flat="peak" if hpa else "least" if cloud_run else None,
        )

    def floors(self, outlook: Outlook, column: int) -> Array:
        """[level, weekday or weekend, hour] whole replicas needed, before changes are limited."""
        need = outlook.day_types[column, : len(FLOOR_LEVELS)] / self.rps_per_replica
        if self.flat is not None:  # one number, enough in that share of the hours
            one = [np.quantile(row, q) for row, q in zip(need, FLOOR_LEVELS, strict=True)]
            need = np.broadcast_to(np.array(one)[:, None, None], need.shape)
        return np.maximum(np.ceil(need - ROUNDING), self.least)

    def as_run(self, floor: Floor) -> Array:
        """[weekday or weekend, hour] what a written floor comes to."""
        rows = np.array([floor.weekday, floor.weekend], float)
        if self.flat is None:
            return rows
        return np.full(rows.shape, rows.max() if self.flat == "peak" else rows.min())

    def ceiling(self, outlook: Outlook, column: int, target: float) -> int:
        """Replicas for the busiest hour to come (or to come back), at the target."""
        highest = max(outlook.day_types[column, -1].max(), outlook.busiest[column])
        return max(int(np.ceil(highest / (self.rps_per_replica * target) - ROUNDING)), 1)


@dataclass(frozen=True)
class Replay:
    """One service's past under every choice; days are the replayed ones, oldest first."""

    terms: Terms
    demand: pd.Series[float]
    """Fine demand, from before the first replayed day on."""
    days: tuple[Outlook, ...]
    column: int
    limits: PlannerLimits

    @cached_property
    def reaction(self) -> Reaction:
        return Reaction.of(self.terms.cold_start_minutes, 24 * 60 // self.steps_a_day)

    @property
    def steps_a_day(self) -> int:
        step = self.demand.index[1] - self.demand.index[0]
        return int(pd.Timedelta("1D") / step)

    @cached_property
    def _peaks(self) -> tuple[tuple[float, Array], ...]:
        values = np.asarray(self.demand, np.float64)
        return tuple((w, peak[self._first :]) for w, peak in known_peaks(values, self.reaction))

    @property
    def _first(self) -> int:
        return int(self.demand.index.get_indexer(pd.Index([self.days[0].at]))[0])

    @cached_property
    def _actual(self) -> Array:
        return np.asarray(self.demand, np.float64)[self._first :]

    @cached_property
    def asked(self) -> Array:
        """[day] sum of demand over its steps."""
        return np.asarray(np.nansum(self._actual.reshape(len(self.days), -1), axis=1))

    @cached_property
    def _floors(self) -> Array:
        """[day, level, kind, hour] as they would have been written."""
        wanted = np.stack([self.terms.floors(day, self.column) for day in self.days])
        return weekly(wanted, self.limits.max_changes_a_day, change_cost=CHANGE_COST)

    @cached_property
    def _standing(self) -> NDArray[np.intp]:
        """[day] the day whose plan stands: one is deployed each `stands_days`."""
        day = np.arange(len(self.days))
        return day - day % self.limits.stands_days

    def _on_steps(self, rows: Array) -> Array:
        """[day, ..., kind, hour] -> [step, ...]: each day's own row, hour by hour."""
        times = self.demand.index[self._first :]
        kind = (times.day_of_week >= 5).astype(int)  # type: ignore[attr-defined]
        hour = times.hour  # type: ignore[attr-defined]
        day = np.arange(len(times)) // self.steps_a_day
        return np.asarray(np.moveaxis(rows, (-2, -1), (1, 2))[day, kind, hour])

    @cached_property
    def _choices(self) -> Run:
        """Each level and target on each step, [step, level, target]."""
        floors = self._on_steps(self._floors[self._standing])[:, :, None]
        ceilings = np.stack(
            [[self.terms.ceiling(day, self.column, t) for t in TARGETS] for day in self.days]
        )
        ceilings = np.repeat(ceilings[self._standing], self.steps_a_day, axis=0)
        ceiling = np.maximum(ceilings[:, None], floors)
        return self._run(floors, ceiling, np.array(TARGETS))

    def _run(self, floor: Array, ceiling: Array | float, target: Array | float) -> Run:
        """`floor` is [step, level, target], or without the last two, and the others fit it."""
        spread = (slice(None), *[None] * (floor.ndim - 1))
        return run(
            self._actual[spread],
            tuple((weight, peak[spread]) for weight, peak in self._peaks),
            floor=floor,
            ceiling=ceiling,
            target=target,
            rps_per_replica=self.terms.rps_per_replica,
        )

    def _by_day(self, values: Array) -> Array:
        return np.asarray(np.nansum(values.reshape(len(self.days), -1, *values.shape[1:]), axis=1))

    @cached_property
    def _record(self) -> Record:
        """Every choice on every day, in units of demand; this service alone."""
        cost = self._by_day(self._choices.replicas) * self.terms.rps_per_replica
        unserved = self._by_day(self._choices.unserved)
        days = (len(self.days), 1, -1)
        return Record(cost.reshape(days), unserved.reshape(days), self.asked[:, None])

    @cached_property
    def _chosen(self) -> NDArray[np.intp]:
        """[day] the choice that it and the days before it speak for."""
        return choices(self._record, self.terms.max_shortfall, self.terms.unserved_cost)[:, 0]

    def choice(self, before_day: int) -> tuple[int, int]:
        """(level, target) that the days before `before_day` speak for."""
        if before_day < CHOOSE_FROM_DAYS or not self.asked[:before_day].any():
            return FIRST_CHOICE
        level, target = divmod(int(self._chosen[before_day - 1]), len(TARGETS))
        return level, target

    def ours(self) -> Run:
        """Each day by the choice that was due then."""
        chosen = np.array([self.choice(int(day)) for day in self._standing])
        level, target = np.repeat(chosen, self.steps_a_day, axis=0).T
        steps = np.arange(len(level))
        every = self._choices
        return Run(every.replicas[steps, level, target], every.unserved[steps, level, target])

    def of_capacity(self, capacity: Capacity) -> Run:
        """One fixed capacity over all days."""
        rows = self.terms.as_run(capacity.floor)[None]
        floor = self._on_steps(np.repeat(rows, len(self.days), axis=0))
        return self._run(floor, capacity.ceiling, capacity.target_utilisation)

    def _static(self, days: int, quantile: float, margin: float) -> Run:
        """A percentile rule, set anew each day, without an autoscaler."""
        values = []
        demand, ends = (
            self.demand.to_numpy(float),
            self.demand.index.get_indexer(pd.DatetimeIndex([day.at for day in self.days])),
        )
        for end in ends:
            known = demand[max(0, end - days * self.steps_a_day) : end]
            known = known[~np.isnan(known)]
            need = margin * np.quantile(known, quantile) if len(known) else 0.0
            values.append(max(np.ceil(need / self.terms.rps_per_replica - ROUNDING), 1))
        floor = np.repeat(np.array(values), self.steps_a_day)
        return self._run(floor, floor, 1.0)

    def rows(self, stands: Capacity | None, price: float | None) -> tuple[Replayed, ...]:
        """This plan, what stands, the rules in use, and what perfect foresight would have run."""
        perfect = np.ceil(self._actual / self.terms.rps_per_replica - ROUNDING)
        highest = self.terms.ceiling(self.days[-1], self.column, HPA_TARGET)
        least = np.full(len(self._actual), 1.0)
        policies = {
            "this plan": self.ours(),
            "what stands": self.of_capacity(stands) if stands else None,
            "KRR rule": self._static(KRR_DAYS, KRR_QUANTILE, 1.0),
            "VPA rule": self._static(VPA_DAYS, VPA_QUANTILE, VPA_MARGIN),
            "reactive HPA": self._run(least, highest, HPA_TARGET),
            "perfect oracle": Run(perfect, np.zeros_like(perfect)),
        }
        return tuple(self._row(name, one, price) for name, one in policies.items() if one)

    def _row(self, name: str, one: Run, price: float | None) -> Replayed:
        hours = float(np.nansum(one.replicas)) * 24 / self.steps_a_day
        asked = float(self.asked.sum())
        peak = np.nanmax(one.replicas, initial=0)
        return Replayed(
            name=name,
            ours=name == "this plan",
            replica_hours=hours,
            usd=None if price is None else hours * price,
            shortfall=float(np.nansum(one.unserved)) / asked if asked else 0.0,
            peak=int(np.ceil(peak - ROUNDING)),
        )


def outlook(
    hourly: pd.DataFrame,
    coefficients: Coefficients | None = None,
    events: Sequence[Event] = (),
) -> Outlook:
    """The week after `hourly` ends, seen from there; `coefficients` as `learn` gives them."""
    from forecasting.quantiles.forecaster import DemandForecaster

    quantiles = np.zeros((168, hourly.shape[1], len(LEVELS)))
    if hourly.shape[1]:
        forecaster = DemandForecaster(LEVELS)
        forecaster.fit(hourly, events=events, coefficients=coefficients)
        quantiles = forecaster.predict(168).to_numpy().reshape(quantiles.shape)
    busiest = np.nan_to_num(hourly.max().to_numpy(float))
    return Outlook(hourly.index[-1] + pd.Timedelta("1h"), quantiles, busiest)


def origins(demand: Demand, days: int) -> tuple[int, ...]:
    """How many hours are known at the start of each of the last `days`; fewer if history is short."""
    total = len(demand.hourly) // 24
    warm_up = min(WARM_UP_DAYS, max(2, total // 2))
    count = max(0, min(days, total - warm_up))
    return tuple(len(demand.hourly) - 24 * back for back in range(count, 0, -1))


def outlooks(demand: Demand, days: int) -> tuple[Outlook, ...]:
    """One a day for the last `days`, each from the data before it; fewer if history is short."""
    return tuple(outlook(demand.hourly.iloc[:end]) for end in origins(demand, days))


def seen(shard: Shard) -> tuple[Outlook, ...]:
    """The outlook of the shard's services at each of its origins."""
    return tuple(
        outlook(shard.demand.hourly.iloc[:end], learned, shard.stack.events)
        for end, learned in zip(shard.ends, shard.learned, strict=True)
    )


def replay_of(
    service: Service, app: App, limits: PlannerLimits, demand: Demand, days: tuple[Outlook, ...]
) -> Replay | None:
    """The replay of one service over the days that it was known before; None without one."""
    if service not in demand.fine.columns:
        return None
    known = demand.hourly[service].notna()
    days = tuple(day for day in days if known[: day.at].sum() > LEAST_KNOWN_HOURS)
    if not days:
        return None
    column = services(demand.hourly).index(service)
    terms = Terms.of(app, service[1])
    return Replay(terms, demand.fine[service], days, column, limits)


def replay(
    stack: Stack,
    demand: Demand,
    unit_price: UnitPrice,
    *,
    days: int = 28,
    workers: Workers | None = None,
) -> dict[Service, tuple[Replayed, ...]]:
    """Every service of the stack over at most the last `days`; () where too little is known."""
    ends = origins(demand, days)
    rows = over_shards(
        _rows,
        stack,
        demand,
        unit_price,
        levels=LEVELS,
        ends=ends,
        workers=workers,
        what="replaying",
    )
    return dict(zip(stack.services(), rows, strict=True))


def _rows(shard: Shard) -> tuple[tuple[Replayed, ...], ...]:
    """One service of the shard after the other."""
    stack, limits = shard.stack, shard.stack.portfolio.limits
    past = seen(shard)
    result: list[tuple[Replayed, ...]] = []
    for service in shard.services:
        app, location = service
        one = replay_of(service, stack.apps[app], limits, shard.demand, past)
        stands = stack.capacity.get(app, {}).get(location)
        result.append(one.rows(stands, shard.prices[service]) if one else ())
    return tuple(result)
