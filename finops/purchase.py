"""Fungible pools of a stack: what one commitment can cover, measured in USD an hour of on-demand price.

Machines of one family in one region share a commitment, whatever their size, so sizes add up in
dollars. Prices of commitments stand in `commitment_prices.csv`, as the pack's price book lays its
rows out; a user's own file goes on top. What has no row has no price, and its pool no advice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finops.unit_price import replica_hour_usd
from forecasting.telemetry.demand import Demand
from policypacks.guardrails.pricing.book import PriceBook, Row, read, zone_group
from stacks.machines import Machine, gpu_machine
from stacks.records import App, Capacity, GpuServing, Stack

COMMITMENT_PRICES = Path(__file__).with_name("commitment_prices.csv")
COMMITTED = "machine-1y"
"""Service of a machine's price an hour, its GPUs with it, under a one-year commitment without upfront
payment."""
RECENT_HOURS = 28 * 24
COMPUTE_POOL = "aws compute"
PRODUCTS = {
    ("aws", True): "EC2 Instance Savings Plan (or standard RI), 1 year, no upfront",
    ("aws", False): "Compute Savings Plan, 1 year, no upfront",
    ("gcp", True): "resource-based committed use discount, 1 year",
    ("gcp", False): "Compute flexible committed use discount, 1 year",
}
"""By cloud, and whether it is for machines."""


@dataclass(frozen=True)
class Pool:
    """Machines, or functions, that one commitment can cover."""

    name: str
    """`aws:us-east-1 g6`: location, and family or service; `aws compute` for all of AWS."""
    product: str
    """What to buy, as the cloud names it."""
    apps: tuple[str, ...]
    usage: pd.Series[float]
    """Hourly USD at on-demand prices for the machines that demand asks for; NaN without telemetry."""
    ratio: float | None
    """Committed / on-demand price, by what is in use; None without a price."""
    spot_ratio: float | None
    """Spot / on-demand price."""
    machine: str
    """The machine, or the service, most in use."""
    machine_usd: float | None
    """Its on-demand price, to tell amounts in machines; None where a pool has many kinds."""
    as_of: str
    """Date of the oldest commitment price used."""
    missing: tuple[str, ...]
    """Why there is no advice, or none for a part, and what to do."""
    cold_start_minutes: float
    max_shortfall: float
    spot_share: float | None
    """Tightest of its apps'; None where machines of many kinds share the pool."""


def commitment_prices(override: Path | None) -> Mapping[tuple[str, str, str], Row]:
    """The typed-in commitment prices, with the user's rows on top. Raises PriceBookError."""
    own = {} if override is None else read(override)
    return {**read(COMMITMENT_PRICES), **own}


def pools(
    stack: Stack,
    demand: Demand,
    book: PriceBook,
    committed: Mapping[tuple[str, str, str], Row],
    *,
    discount: float | None = None,
    compute_discount: float | None = None,
) -> list[Pool]:
    """The pools of a stack, dearest first.

    Args:
        stack: with the capacity whose target utilisation says how many replicas demand asks for.
        demand: measured; hourly peaks are used.
        book: on-demand and spot prices.
        committed: by (service, machine, location), as `commitment_prices` gives it.
        discount: the user's own discount of a one-year commitment, 0.3 for 30 %, on everything
            that has no row in `committed`.
        compute_discount: the user's own discount of a Compute Savings Plan. With it all of AWS is
            one pool, machines and functions of every region: less is saved, and no retired machine
            type strands it.
    """
    prices = _Prices(book, committed, discount, compute_discount)
    members: dict[str, list[_Member]] = {}
    for app, location in stack.services():
        member = _member(stack, app, location, demand, prices)
        members.setdefault(member.pool, []).append(member)
    made = [_pool(name, found) for name, found in members.items()]
    return sorted(made, key=lambda pool: -(recent(pool.usage) or 0.0))


@dataclass(frozen=True)
class _Member:
    """One app at one location in its pool; prices are of a machine, or a warm instance, for an hour."""

    pool: str
    product: str
    name: str
    app: App
    machine: str
    on_demand_usd: float | None
    committed_usd: float | None
    as_of: str
    spot_usd: float | None
    usage: pd.Series[float]
    """[hour] USD at on-demand price; empty without telemetry, capacity or price."""
    problem: str

    @property
    def recent_usd(self) -> float:
        """0 without telemetry: it weighs nothing."""
        return recent(self.usage) or 0.0

    def ratio(self, usd: float | None) -> float | None:
        """Of another price to the on-demand price."""
        return None if usd is None or self.on_demand_usd is None else usd / self.on_demand_usd


@dataclass(frozen=True)
class _Prices:
    """Where members find their prices."""

    book: PriceBook
    committed: Mapping[tuple[str, str, str], Row]
    discount: float | None
    compute_discount: float | None

    def committed_usd(
        self, machine: str, location: str, on_demand_usd: float | None
    ) -> tuple[float | None, str]:
        """USD an hour and the date of the price; (None, "") where there is none."""
        if self.compute_discount is not None and location.startswith("aws:"):
            usd = None if on_demand_usd is None else on_demand_usd * (1 - self.compute_discount)
            return usd, "your --compute-discount"
        row = self.committed.get((COMMITTED, machine, zone_group(location)))
        if row is not None:
            return row.usd, f"{row.as_of}"
        if self.discount is not None and on_demand_usd is not None:
            return on_demand_usd * (1 - self.discount), "your --discount"
        return None, ""


def _member(stack: Stack, name: str, location: str, demand: Demand, prices: _Prices) -> _Member:
    app, book = stack.apps[name], prices.book
    cloud = location.split(":", maxsplit=1)[0]
    machine, spot = None, None
    if isinstance(app.serving, GpuServing):
        machine = gpu_machine(location, app.serving.gpu, app.serving.gpus_per_replica)
        kind = (machine.name, location, machine.accelerator, machine.gpus)
        on_demand, spot = book.hourly(*kind), book.hourly(*kind, spot=True)
        item = machine.name
        family = item.split("." if cloud == "aws" else "-", maxsplit=1)[0]
    else:
        on_demand = replica_hour_usd(app, location, book)
        item = family = "Lambda" if cloud == "aws" else "Cloud Run"
    committed, as_of = prices.committed_usd(item, location, on_demand)
    usage, problem = pd.Series(dtype=float), ""
    capacity = stack.capacity.get(name, {}).get(location)
    if on_demand is None:
        problem = f"{item}: no on-demand price at {location}; add a row with --prices"
    elif (name, location) not in demand.hourly.columns:
        problem = f"{name}: no telemetry at {location}; what it uses is not in the sums"
    elif capacity is None:
        problem = f"{name}: no capacity planned at {location}; run `fairweather plan --write`"
    else:
        usage = on_demand * _machines(demand.hourly[name, location], app, capacity, machine)
        if committed is None:
            row = f"a row {COMMITTED},{item},{zone_group(location)} with --prices, or "
            problem = (
                f"{item}: no price of a one-year commitment at {location}; give "
                f"{row if machine else ''}your --discount"
            )
    pool, product = f"{zone_group(location)} {family}", PRODUCTS[cloud, machine is not None]
    if prices.compute_discount is not None and cloud == "aws":
        pool, product = COMPUTE_POOL, PRODUCTS["aws", False]
    return _Member(
        pool=pool,
        product=product,
        name=name,
        app=app,
        machine=item,
        on_demand_usd=on_demand,
        committed_usd=committed,
        as_of=as_of,
        spot_usd=spot,
        usage=usage,
        problem=problem,
    )


def _machines(
    rps: pd.Series[float], app: App, capacity: Capacity, machine: Machine | None
) -> pd.Series[float]:
    """[hour] whole machines, or warm instances, that demand asks for at the planned utilisation."""
    replicas = np.ceil(rps.to_numpy() / (app.serving.rps_per_replica * capacity.target_utilisation))
    if machine is not None and isinstance(app.serving, GpuServing):
        replicas = np.ceil(replicas / machine.replicas(app.serving.gpus_per_replica))
    return pd.Series(replicas, index=rps.index)


def _pool(name: str, members: list[_Member]) -> Pool:
    measured = [member for member in members if not member.usage.empty]
    usage = pd.Series(dtype=float)
    if measured:
        # What is missing of one app is missing of the pool: the sum of the rest would be too low.
        usage = pd.concat([m.usage for m in measured], axis=1).sum(axis=1, skipna=False)
    largest = max(members, key=lambda member: member.recent_usd)
    shares = [
        m.app.serving.spot_share if isinstance(m.app.serving, GpuServing) else 0.0 for m in members
    ]
    return Pool(
        name=name,
        product=members[0].product,
        apps=tuple(dict.fromkeys(member.name for member in members)),
        usage=usage,
        ratio=_weighted(measured, [member.ratio(member.committed_usd) for member in measured]),
        spot_ratio=_weighted(measured, [member.ratio(member.spot_usd) for member in measured]),
        machine=largest.machine,
        machine_usd=None if name == COMPUTE_POOL else largest.on_demand_usd,
        as_of=min((member.as_of for member in measured), default=""),
        missing=tuple(dict.fromkeys(member.problem for member in members if member.problem)),
        cold_start_minutes=max(member.app.serving.cold_start_minutes for member in members),
        max_shortfall=min(member.app.slo.max_shortfall for member in members),
        spot_share=None if name == COMPUTE_POOL else min(shares),
    )


def _weighted(members: Sequence[_Member], ratios: Sequence[float | None]) -> float | None:
    """Mean ratio by what each member uses; None if one of them has no price."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not members or len(known) < len(members):
        return None
    weights = [member.recent_usd for member in members]
    return float(np.average(known, weights=weights if sum(weights) else None))


def recent(usage: pd.Series[float]) -> float | None:
    """Mean of the last four weeks' measured hours; None where nothing was measured."""
    mean = usage.iloc[-RECENT_HOURS:].mean()
    return None if math.isnan(mean) else float(mean)
