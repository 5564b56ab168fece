"""What to commit to now, pool by pool, and what it saves or loses if demand goes another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from finops.purchase import Pool, recent
from forecasting.purchase.commitment import Advice, Running, advise, saved, saved_at
from forecasting.purchase.ladder import Offer, PoolDemand, plan_ladder
from forecasting.purchase.spot import SpotPlan, plan_spot

TERM_HOURS, HOURS_A_MONTH = 8760, 730
FALL = 0.7
"""Level of demand in the regret table, where it has fallen by 30 %."""
BINS = 48


@dataclass(frozen=True)
class Saving:
    """Over the term, against on-demand hours; the range holds nine in ten scenarios."""

    usd: float
    low_usd: float
    high_usd: float
    if_falls_usd: float
    """If demand falls by 30 % tomorrow and stays there; negative is a loss."""
    if_retired_usd: float
    """If the machine is given up tomorrow: everything paid is lost."""


@dataclass(frozen=True)
class PoolPlan:
    """The mix of one pool; USD an hour at the committed price where it says committed."""

    pool: Pool
    demand_usd_hour: float | None
    """Mean of the last four weeks, at on-demand prices; None without telemetry."""
    running_usd_hour: float
    """Committed already."""
    commit_usd_hour: float
    """To commit to now, on top."""
    on_demand_usd_hour: float
    """Mean that is left to pay by the hour over the term; like the two above 0 without advice."""
    saving: Saving | None
    """None where nothing is advised."""
    spot: SpotPlan | None
    """Of what is not committed; None where it cannot be told."""
    notes: tuple[str, ...]
    advice: Advice | None
    """None where the pool has no telemetry or no commitment price."""

    @property
    def commit_usd_month(self) -> float:
        return self.commit_usd_hour * HOURS_A_MONTH


def pool_plan(
    pool: Pool, running: Sequence[Running] = (), availability: pd.DataFrame | None = None
) -> PoolPlan:
    """The purchase mix of one pool.

    Args:
        pool: as `finops.purchase.pools` makes it.
        running: commitments of this pool, in USD an hour that is paid.
        availability: recorded spot availability, a column a zone.
    """
    spot, about_spot = _spot(pool, availability)
    notes = (*pool.missing, *about_spot)
    demand_usd = recent(pool.usage)
    if pool.ratio is None or pool.usage.isna().all():
        return PoolPlan(pool, demand_usd, 0.0, 0.0, 0.0, None, spot, notes, None)
    # A commitment covers what its price would have bought on demand.
    covering = [(start, end, usd / pool.ratio) for start, end, usd in running]
    advice = advise(pool.usage, 1.0, pool.ratio, TERM_HOURS, covering)
    if advice.certain_only:
        notes = (*notes, f"{advice.days:.0f} days of history: only what was always in use")
    now = pool.usage.index[-1] + pd.Timedelta("1h")
    paid = sum(usd for start, end, usd in running if start <= now < end)
    plan = PoolPlan(pool, demand_usd, paid, 0.0, 0.0, None, spot, notes, advice)
    return of_amount(plan, advice.amount)


def of_amount(plan: PoolPlan, amount: float) -> PoolPlan:
    """The plan with `amount` committed to, in USD an hour at on-demand price."""
    advice, ratio = plan.advice, plan.pool.ratio
    assert advice is not None
    assert ratio is not None
    covered = advice.running + amount
    left = np.maximum(advice.coming.demand() - covered[:, None], 0.0).mean()
    saving = None
    if amount > 0:
        usd = saved(advice.coming, advice.running, amount, ratio)
        low, high = np.quantile(usd, [0.05, 0.95])
        falls, retired = (
            saved_at(advice.coming, advice.running, amount, ratio, level) for level in (FALL, 0.0)
        )
        saving = Saving(float(usd.mean()), float(low), float(high), falls, retired)
    return replace(
        plan, commit_usd_hour=amount * ratio, on_demand_usd_hour=float(left), saving=saving
    )


@dataclass(frozen=True)
class Capped:
    """Plans that keep a budget, and what the budget costs."""

    plans: list[PoolPlan]
    dollar_saves_usd: float
    """Over the term, for one more dollar a month of new commitments; 0 where the budget is not met."""


def within_budget(plans: Sequence[PoolPlan], budget_usd_month: float) -> Capped:
    """The same plans with at most so much a month of new commitments, where it saves most."""
    demands, offers = {}, []
    for plan in plans:
        if plan.saving is None or plan.advice is None or plan.pool.ratio is None:
            continue
        running, name = plan.advice.running, plan.pool.name
        # The advice, which knows that waiting is possible, stays each pool's upper bound.
        most = float(running.max()) + plan.advice.amount
        demands[name] = PoolDemand(_durations(plan.advice), 1.0, running.tolist(), most)
        offers.append(Offer(name, name, plan.pool.ratio))
    if not offers:
        return Capped(list(plans), 0.0)
    ladder = plan_ladder(demands, offers, budget_usd=budget_usd_month, buy_months=1)
    bought = ladder.now()
    kept = [
        _cut(plan, bought[plan.pool.name]) if plan.pool.name in bought else plan for plan in plans
    ]
    return Capped(kept, float(ladder.budget_dual.sum()))


def _cut(plan: PoolPlan, amount: float) -> PoolPlan:
    """The plan with less, and with a note of what was left out."""
    after = of_amount(plan, amount)
    left_out = plan.commit_usd_month - after.commit_usd_month
    if left_out < 1:
        return after
    note = f"${left_out:,.0f} a month more would pay; the budget leaves it out"
    return replace(after, notes=(*after.notes, note))


def _durations(advice: Advice) -> np.ndarray:
    """[1, month, bin] the load-duration curve of each month over all scenarios."""
    months = advice.coming.demand(BINS).transpose(1, 0, 2).reshape(len(advice.running), -1)
    levels = (np.arange(BINS) + 0.5) / BINS
    return np.quantile(months, levels, axis=1).T[None]


def _spot(pool: Pool, availability: pd.DataFrame | None) -> tuple[SpotPlan | None, tuple[str, ...]]:
    """The spot share of what is not committed, or why there is none."""
    if not pool.spot_share:
        return None, ()
    if pool.spot_ratio is None:
        return None, (f"{pool.machine}: no spot price here; add a row with --prices",)
    if availability is None:
        return None, ("spot: no availability recorded for this pool; give it with --availability",)
    try:
        plan = plan_spot(
            availability,
            on_demand_usd=1.0,
            spot_usd=pool.spot_ratio,
            cold_start_minutes=pool.cold_start_minutes,
            max_shortfall=pool.max_shortfall,
            most=pool.spot_share,
        )
    except ValueError as error:
        return None, (f"spot: {error}",)
    return plan, ()
