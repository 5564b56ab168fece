"""plan_ladder: commitments of several terms, bought month by month, as a linear program over scenarios.

Sample average approximation (Shapiro, Dentcheva and Ruszczynski, "Lectures on Stochastic
Programming", ch. 5): the purchases of all months are chosen once; what they leave uncovered is
bought on demand in each scenario. The downside is weighed by the conditional value at risk
(Rockafellar and Uryasev, Journal of Risk 2, 2000). HiGHS solves it through scipy, and its dual
prices say what the budget and the caps cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from forecasting.purchase.scenarios import HOURS_A_MONTH, Array

Rung = tuple[str, int]
"""An offer's name and the month that it is bought in, 0 for now."""


@dataclass(frozen=True)
class PoolDemand:
    """Demand that any commitment of its pool covers."""

    demand: Array
    """[scenario, month, bin] units in use: equally likely scenarios, bins of equal length."""
    on_demand_usd: float
    """Of a unit for an hour."""
    running: Sequence[float] = ()
    """[month] units committed already; none after the last."""
    most: float | None = None
    """Largest commitment in any month, with what runs; None for no cap."""


@dataclass(frozen=True)
class Offer:
    """A commitment on sale."""

    name: str
    pool: str
    usd_hour: float
    """Of a unit, all in: what is paid upfront spread over the hours of the term, and the rest."""
    term_months: int = 12
    upfront_share: float = 0.0
    """Of the term's price, paid on the day of purchase: 0, about 0.5 or 1."""


@dataclass(frozen=True)
class LadderPlan:
    """What to buy now, and what the later rungs would be."""

    amounts: Mapping[Rung, float]
    """Units by offer and month. Only month 0 is to be bought: the rest is planned anew by then."""
    expected_usd: float
    """Of new commitments within the horizon and on-demand hours: mean over the scenarios."""
    scenario_usd: Array
    """[scenario]"""
    cvar_usd: float
    """Mean over the dearest scenarios."""
    budget_dual: Array
    """[month] what one more dollar of that month's budget would save over the horizon."""
    cap_dual: Mapping[str, Array]
    """By pool, [month]: USD that one more unit under the pool's cap would save."""

    def now(self) -> dict[str, float]:
        """Units to buy today, by offer."""
        return {name: amount for (name, month), amount in self.amounts.items() if month == 0}


def plan_ladder(
    pools: Mapping[str, PoolDemand],
    offers: Sequence[Offer],
    *,
    budget_usd: float | Sequence[float] = np.inf,
    buy_months: int | None = None,
    downside_weight: float = 0.0,
    downside_share: float = 0.1,
) -> LadderPlan:
    """The ladder of least cost over the scenarios.

    A commitment is charged for its hours within the horizon: of what lies beyond nothing is known.

    Args:
        pools: by name; all with the same scenarios, months and bins.
        offers: what can be bought in each month of the ladder.
        budget_usd: cash for this ladder's commitments, one figure for every month or one a month.
        buy_months: in how many months something may be bought, from now on; 1 is only now, None all.
        downside_weight: 0 minimises the mean over the scenarios, 1 the mean over the dearest.
        downside_share: how many of the scenarios are the dearest.

    Raises:
        ValueError: the pools' scenarios differ in shape, or an offer names no pool.
    """
    scenarios, months, _ = _shape(pools, offers)
    rungs = [(offer, month) for offer in offers for month in range(buy_months or months)]
    fixed_usd = np.array([_usd_within(offer, month, months) for offer, month in rungs])
    covers = sparse.vstack([_covers(name, pool, rungs) for name, pool in pools.items()])
    needs = np.concatenate([_needs(pool).ravel() for pool in pools.values()])
    hourly_usd = sparse.hstack([_hourly_usd(pool) for pool in pools.values()])
    cash = np.array([[_cash(offer, month, at) for offer, month in rungs] for at in range(months)])
    running = np.vstack([_running(name, rungs, months) for name in pools])
    room = np.concatenate([_room(pool) for pool in pools.values()])

    # Variables: units of each rung, on-demand units of each bin, the value at risk, each scenario's
    # excess over it. The fixed cost is the same in every scenario, so it stands outside the risk.
    count = len(needs)
    rows = sparse.bmat(
        [
            [-covers, -sparse.eye(count), None, None],
            [sparse.csr_matrix(cash), None, None, None],
            [sparse.csr_matrix(running), None, None, None],
            [None, hourly_usd, -np.ones((scenarios, 1)), -sparse.eye(scenarios)],
        ],
        format="csr",
    )
    limits = np.concatenate(
        [-needs, np.broadcast_to(budget_usd, months), room, np.zeros(scenarios)]
    )
    mean = np.full(scenarios, 1 / scenarios)
    prices = np.concatenate(
        [
            fixed_usd,
            (1 - downside_weight) * (hourly_usd.T @ mean),
            [downside_weight],
            downside_weight / downside_share * mean,
        ]
    )
    bounds = [(0, None)] * (len(rungs) + count) + [(None, None)] + [(0, None)] * scenarios
    # HiGHS takes no infinite limit on the right: what has none is left out.
    kept = np.isfinite(limits)
    found = linprog(prices, A_ub=rows[kept], b_ub=limits[kept], bounds=bounds, method="highs")
    if not found.success:
        raise RuntimeError(found.message)

    duals = np.zeros(len(limits))
    duals[kept] = -found.ineqlin.marginals
    budget_dual, cap_duals, _ = np.split(duals[count:], [months, months + len(room)])
    amounts = found.x[: len(rungs)]
    usd = fixed_usd @ amounts + hourly_usd @ found.x[len(rungs) : len(rungs) + count]
    dearest = np.sort(usd)[-max(1, round(downside_share * scenarios)) :]
    return LadderPlan(
        amounts={
            (offer.name, month): float(amount)
            for (offer, month), amount in zip(rungs, amounts, strict=True)
        },
        expected_usd=float(usd.mean()),
        scenario_usd=usd,
        cvar_usd=float(dearest.mean()),
        budget_dual=budget_dual,
        cap_dual=dict(zip(pools, cap_duals.reshape(len(pools), months), strict=True)),
    )


def _shape(pools: Mapping[str, PoolDemand], offers: Sequence[Offer]) -> tuple[int, ...]:
    shapes = {pool.demand.shape for pool in pools.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 3:
        raise ValueError("every pool needs demand of one [scenario, month, bin] shape")
    for offer in offers:
        if offer.pool not in pools:
            raise ValueError(f"offer {offer.name}: no pool {offer.pool}; pools: {', '.join(pools)}")
    return shape


def _runs(offer: Offer, bought: int, at: int) -> bool:
    return bought <= at < bought + offer.term_months


def _usd_within(offer: Offer, bought: int, months: int) -> float:
    return offer.usd_hour * HOURS_A_MONTH * min(offer.term_months, months - bought)


def _cash(offer: Offer, bought: int, at: int) -> float:
    """USD paid in month `at` for a unit."""
    if not _runs(offer, bought, at):
        return 0.0
    upfront = offer.upfront_share * offer.term_months if at == bought else 0.0
    return offer.usd_hour * HOURS_A_MONTH * (upfront + 1 - offer.upfront_share)


def _running(pool: str, rungs: Sequence[tuple[Offer, int]], months: int) -> Array:
    """[month, rung] 1 where a rung covers the pool."""
    covers = [
        [offer.pool == pool and _runs(offer, bought, at) for offer, bought in rungs]
        for at in range(months)
    ]
    return np.array(covers, dtype=np.float64)


def _covers(name: str, pool: PoolDemand, rungs: Sequence[tuple[Offer, int]]) -> sparse.csr_matrix:
    scenarios, months, bins = pool.demand.shape
    in_month = np.repeat(_running(name, rungs, months), bins, axis=0)
    return sparse.vstack([sparse.csr_matrix(in_month)] * scenarios)


def _standing(pool: PoolDemand) -> Array:
    """[month] what runs already."""
    months = pool.demand.shape[1]
    return np.resize(np.concatenate([pool.running, np.zeros(months)]), months)


def _needs(pool: PoolDemand) -> Array:
    """[scenario, month, bin] what new commitments or on-demand units have to serve."""
    return np.asarray(np.maximum(pool.demand - _standing(pool)[:, None], 0.0))


def _hourly_usd(pool: PoolDemand) -> sparse.csr_matrix:
    """[scenario, bin of all scenarios] USD of a unit on demand for the length of a bin."""
    scenarios, months, bins = pool.demand.shape
    usd = np.full((1, months * bins), pool.on_demand_usd * HOURS_A_MONTH / bins)
    return sparse.kron(sparse.eye(scenarios), usd, format="csr")


def _room(pool: PoolDemand) -> Array:
    """[month] units that may still be committed."""
    months = pool.demand.shape[1]
    if pool.most is None:
        return np.full(months, np.inf)
    return np.asarray(np.maximum(pool.most - _standing(pool), 0.0))
