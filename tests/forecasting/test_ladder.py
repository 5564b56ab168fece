"""The ladder as a linear program: beside the newsvendor, by hand, and its dual prices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.purchase.commitment import newsvendor
from forecasting.purchase.ladder import Offer, PoolDemand, plan_ladder

HOURS = 730
YEAR = Offer("1 year", "g6", 0.63)


def scenarios(seed: int, months: int = 12, count: int = 6, bins: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).gamma(4, 25, (count, months, bins))


def usd(demand: np.ndarray, running: np.ndarray, amount: float, price: float) -> float:
    uncovered = np.maximum(demand - running[:, None] - amount, 0).mean()
    return float((price * amount + uncovered) * HOURS * demand.shape[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 0.95), st.floats(0, 80))
def test_one_pool_and_one_offer_cost_what_the_newsvendor_says_to_the_cent(seed, price, runs):
    demand, running = scenarios(seed), np.array([runs] * 5 + [0.0] * 7)
    pool = PoolDemand(demand, 1.0, running.tolist())
    plan = plan_ladder({"g6": pool}, [Offer("1 year", "g6", price)], buy_months=1)
    best = newsvendor(demand, running, price)
    assert plan.expected_usd == pytest.approx(usd(demand, running, best, price), abs=0.01)
    assert usd(demand, running, plan.now()["1 year"], price) == pytest.approx(
        plan.expected_usd, abs=0.01
    )


def test_growth_is_bought_rung_by_rung_and_not_ahead():
    """Ten units more each month, always in use: each rung is bought in the month that needs it."""
    demand = np.broadcast_to(10.0 * np.arange(1, 7)[:, None], (1, 6, 4))
    plan = plan_ladder({"g6": PoolDemand(demand, 1.0)}, [YEAR])
    assert [plan.amounts["1 year", month] for month in range(6)] == pytest.approx([10.0] * 6)


def test_long_terms_are_for_what_stays_and_short_ones_for_what_does_not():
    demand = np.full((1, 36, 4), 50.0)
    demand[:, :12] = 80.0
    offers = [YEAR, Offer("3 years", "g6", 0.4, 36)]
    now = plan_ladder({"g6": PoolDemand(demand, 1.0)}, offers, buy_months=1).now()
    assert now == pytest.approx({"1 year": 30.0, "3 years": 50.0})


def test_a_commitment_that_runs_is_taken_into_account_until_it_ends():
    demand = np.full((1, 12, 4), 50.0)
    pool = PoolDemand(demand, 1.0, running=[50.0] * 6)
    amounts = plan_ladder({"g6": pool}, [YEAR]).amounts
    assert amounts["1 year", 0] == pytest.approx(0)
    assert amounts["1 year", 6] == pytest.approx(50)


def test_a_budget_goes_to_the_pool_that_saves_most_and_its_dual_says_what_it_costs():
    demand = np.full((1, 12, 4), 10.0)
    pools = {"g6": PoolDemand(demand, 1.0), "g5": PoolDemand(demand, 1.0)}
    offers = [YEAR, Offer("g5", "g5", 0.5)]
    monthly = 0.5 * 10 * HOURS + 0.63 * 4 * HOURS
    plan = plan_ladder(pools, offers, budget_usd=monthly, buy_months=1)
    assert plan.now() == pytest.approx({"g5": 10.0, "1 year": 4.0})
    # A dollar a month more buys units that save 37 cents for each 63, every month.
    assert plan.budget_dual.sum() == pytest.approx(12 * 0.37 / 0.63)
    more = plan_ladder(pools, offers, budget_usd=monthly + 1, buy_months=1)
    assert plan.expected_usd - more.expected_usd == pytest.approx(plan.budget_dual.sum())


def test_a_payment_upfront_needs_the_cash_on_the_day():
    demand = np.full((1, 12, 4), 10.0)
    upfront = Offer("all upfront", "g6", 0.6, upfront_share=1.0)
    budget = 0.6 * 12 * HOURS * 3
    plan = plan_ladder({"g6": PoolDemand(demand, 1.0)}, [upfront], budget_usd=budget, buy_months=1)
    assert plan.now() == pytest.approx({"all upfront": 3.0})


def test_a_cap_on_a_pool_counts_what_runs_and_has_a_price():
    demand = np.full((1, 12, 4), 50.0)
    pool = PoolDemand(demand, 1.0, running=[10.0] * 12, most=30.0)
    plan = plan_ladder({"g6": pool}, [YEAR], buy_months=1)
    assert plan.now() == pytest.approx({"1 year": 20.0})
    assert plan.cap_dual["g6"].sum() == pytest.approx(0.37 * HOURS * 12)


def test_a_weight_on_the_downside_lowers_the_dearest_scenarios_and_what_is_bought():
    demand = np.full((10, 12, 4), 100.0)
    demand[:3] = 40.0
    pool = {"g6": PoolDemand(demand, 1.0)}
    plain = plan_ladder(pool, [YEAR], buy_months=1)
    careful = plan_ladder(pool, [YEAR], buy_months=1, downside_weight=1.0, downside_share=0.3)
    assert careful.cvar_usd <= plain.cvar_usd
    assert careful.expected_usd >= plain.expected_usd


def test_an_offer_for_no_pool_and_scenarios_that_differ_are_refused():
    demand = scenarios(1)
    with pytest.raises(ValueError, match="no pool g5; pools: g6"):
        plan_ladder({"g6": PoolDemand(demand, 1.0)}, [Offer("x", "g5", 0.5)])
    with pytest.raises(ValueError, match="one \\[scenario, month, bin\\] shape"):
        plan_ladder({"a": PoolDemand(demand, 1.0), "b": PoolDemand(demand[1:], 1.0)}, [])
