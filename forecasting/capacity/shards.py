"""A portfolio in shards, planned wherever there are workers.

What all services are forecast with is learned once for each origin, from one sample of them all.
After that no service needs another: a shard holds some services and all that is known about them,
always the same ones, whoever works on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecasting.parallel import Here, Workers
from forecasting.telemetry.demand import Demand, services
from stacks.records import Event, Stack

Result = TypeVar("Result")
Service = tuple[str, str]
UnitPrice = Callable[[str, str], float | None]
"""(app, location) -> USD for one replica-hour, None if it has no price."""
Coefficients = Mapping[str, NDArray[np.float64]]
SERVICES = 50
"""In a shard: some megabytes of telemetry, some seconds of work."""
WEEK_HOURS = 168


@dataclass(frozen=True)
class Shard:
    """Some services of a stack, and what is known about them."""

    services: tuple[Service, ...]
    stack: Stack
    """With the apps of these services only."""
    demand: Demand
    """Of these services, where there is any."""
    prices: Mapping[Service, float | None]
    """USD for one replica-hour."""
    ends: tuple[int, ...]
    """Hours known at each origin."""
    learned: tuple[Coefficients, ...]
    """At each origin."""


def over_shards(
    work: Callable[[Shard], Sequence[Result]],
    stack: Stack,
    demand: Demand,
    unit_price: UnitPrice,
    *,
    levels: Sequence[float],
    ends: tuple[int, ...],
    workers: Workers | None,
    what: str,
) -> list[Result]:
    """`work` on every shard: a result for each service of the stack, in its order.

    Args:
        work: gives a result for each of `shard.services`; stands in a module.
        stack: what is planned.
        demand: of all its services.
        unit_price: (app, location) -> USD for one replica-hour; asked here, not by the workers.
        levels: the quantiles to forecast.
        ends: how many hours are known at each origin.
        workers: who does it; None is this process.
        what: it is, for progress.
    """
    workers = workers or Here()
    lessons, learning = _lessons(demand, ends), partial(learn, levels, stack.events)
    learned = tuple(workers.map(learning, lessons, what="learning", total=len(ends)))
    columns = {service: i for i, service in enumerate(services(demand.hourly))}
    cut = partial(_shard, stack, demand, columns, unit_price, ends, learned)
    every = stack.services()
    groups = [every[i : i + SERVICES] for i in range(0, len(every), SERVICES)]
    done = workers.map(work, map(cut, groups), what=what, total=len(groups))
    return [result for group in done for result in group]


def learn(levels: Sequence[float], events: Sequence[Event], hourly: pd.DataFrame) -> Coefficients:
    """What forecasts of the week after `hourly` need to know; the same for all services."""
    from forecasting.quantiles.forecaster import DemandForecaster

    return DemandForecaster(levels).fit(hourly, events=events).learned(WEEK_HOURS)


def _lessons(demand: Demand, ends: Sequence[int]) -> Iterator[pd.DataFrame]:
    """The sample that is learned from, as known at each origin."""
    from forecasting.quantiles.forecaster import training_series

    sample = demand.hourly.iloc[:, training_series(demand.hourly.shape[1])]
    return (sample.iloc[:end] for end in ends)


def _shard(
    stack: Stack,
    demand: Demand,
    columns: Mapping[Service, int],
    unit_price: UnitPrice,
    ends: tuple[int, ...],
    learned: tuple[Coefficients, ...],
    group: tuple[Service, ...],
) -> Shard:
    names = dict.fromkeys(name for name, _ in group)
    some = stack.model_copy(
        update={
            "apps": {name: stack.apps[name] for name in names},
            "capacity": {name: stack.capacity[name] for name in names if name in stack.capacity},
        }
    )
    recorded = [columns[service] for service in group if service in columns]
    known = replace(
        demand,
        hourly=demand.hourly.iloc[:, recorded],
        fine=demand.fine.iloc[:, recorded],
        findings=tuple(one for one in demand.findings if (one.app, one.location) in set(group)),
    )
    prices = {service: unit_price(*service) for service in group}
    return Shard(group, some, known, prices, ends, learned)
