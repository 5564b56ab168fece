"""How much to commit to: by hand, by properties, and beside its rivals on real demand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting import plan_commitment
from forecasting.purchase.commitment import advise, newsvendor, saved, saved_at
from forecasting.purchase.scenarios import outlook
from tests import data_traces

MONTH, TERM, RATIO = 730, 8760, 0.63
Running = tuple[pd.Timestamp, pd.Timestamp, float]
Decide = Callable[[pd.Series, list[Running]], float]


def hourly(values: np.ndarray) -> pd.Series:
    index = pd.date_range("2024-01-01", periods=len(values), freq="h", tz="UTC")
    return pd.Series(values, index=index, dtype=float)


def days(levels: list[float], swing: float = 0.3) -> pd.Series:
    """Demand of one level a day with a daily cycle."""
    cycle = 1 + swing * np.sin(2 * np.pi * np.arange(24) / 24)
    return hourly(np.outer(levels, cycle).ravel())


def ladder_usd(demand: pd.Series, decide: Decide) -> float:
    """Cost of buying by `decide` every month from the sixth on; on-demand price 1."""
    usd, active = 0.0, list[Running]()
    for start in range(6 * MONTH, len(demand) - MONTH + 1, MONTH):
        now = demand.index[start]
        active = [running for running in active if running[1] > now]
        active.append((now, now + pd.Timedelta(hours=TERM), decide(demand.iloc[:start], active)))
        committed = sum(amount for _, _, amount in active)
        month = demand.to_numpy()[start : start + MONTH]
        usd += RATIO * committed * MONTH + np.maximum(month - committed, 0).sum()
    return usd


def ours(history: pd.Series, active: list[Running]) -> float:
    return plan_commitment(history, committed_price=RATIO, active=active)


def newsvendor_of_28_days(history: pd.Series, active: list[Running]) -> float:
    wanted = history.iloc[-28 * 24 :].quantile(1 - RATIO, interpolation="lower")
    return max(0.0, float(wanted) - sum(amount for _, _, amount in active))


def minimum_of_30_days(history: pd.Series, active: list[Running]) -> float:
    return max(0.0, float(history.iloc[-720:].min()) - sum(amount for _, _, amount in active))


levels = st.lists(st.floats(0, 1000), min_size=7, max_size=150)
ratios = st.floats(0.05, 1.5)


@settings(max_examples=60, deadline=None)
@given(levels, ratios, st.floats(0, 500))
def test_the_amount_is_never_negative_and_covers_no_more_than_the_peak(level, ratio, runs):
    history = days(level)
    now = history.index[-1] + pd.Timedelta("1h")
    running = [(history.index[0], now + pd.Timedelta("200D"), runs)]
    amount = plan_commitment(history, committed_price=ratio, active=running)
    assert 0 <= amount <= max(0.0, history.max() - runs) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(levels, ratios, ratios)
def test_a_cheaper_commitment_is_never_bought_less(level, one, other):
    history = days(level)
    cheap, dear = (
        plan_commitment(history, committed_price=ratio) for ratio in sorted((one, other))
    )
    assert cheap >= dear - 1e-6


@settings(max_examples=30, deadline=None)
@given(levels, st.floats(1, 3))
def test_nothing_is_committed_at_a_price_that_on_demand_does_not_exceed(level, ratio):
    assert plan_commitment(days(level), committed_price=ratio) == 0


def test_only_the_ratio_of_the_prices_matters():
    history = days([100.0] * 120)
    assert plan_commitment(history, 2.0, 1.26) == plan_commitment(history, 1.0, 0.63)


def test_the_unit_of_demand_does_not_matter():
    history = days([100 + day / 3 for day in range(200)])
    assert plan_commitment(history * 7) == pytest.approx(7 * plan_commitment(history))


def test_steady_demand_is_committed_to_and_growth_to_more_than_decline():
    steady = plan_commitment(days([100.0] * 200, swing=0))
    grown = plan_commitment(days(list(np.linspace(60, 100, 200)), swing=0))
    fallen = plan_commitment(days(list(np.linspace(160, 100, 200)), swing=0))
    assert fallen < steady <= grown <= 100
    assert fallen < 80 < grown


def test_what_runs_is_not_bought_twice_and_what_ends_soon_is():
    history = days([100.0] * 200)
    now = history.index[-1] + pd.Timedelta("1h")
    wanted = plan_commitment(history)
    long = [(now - pd.Timedelta("1h"), now + pd.Timedelta("400D"), wanted)]
    over = [(now - pd.Timedelta("400D"), now, wanted)]
    assert plan_commitment(history, active=long) == pytest.approx(0, abs=1e-6)
    assert plan_commitment(history, active=over) == wanted


def test_a_pool_that_has_gone_idle_gets_nothing():
    assert plan_commitment(days([100.0] * 150 + [0.0] * 30)) == 0


def test_less_than_60_days_of_history_allow_no_more_than_what_was_always_in_use():
    history = days(list(np.linspace(50, 100, 120)), swing=0)
    advice = advise(history.iloc[: 59 * 24])
    assert advice.certain_only
    assert advice.amount == pytest.approx(50)
    assert plan_commitment(history) > 60


def test_missing_hours_are_not_zero():
    history = days([100.0] * 200)
    whole = plan_commitment(history)
    history.iloc[-240:-100] = np.nan
    assert plan_commitment(history) == pytest.approx(whole, rel=0.03)


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        (hourly(np.full(100, np.nan)), "no measured hour"),
        (hourly(np.array([1.0, -1.0])), "negative"),
        (days([1.0] * 9).iloc[::2], "one row an hour"),
        (pd.Series([1.0, 2.0]), "DatetimeIndex"),
    ],
)
def test_history_that_cannot_be_used_is_refused_by_name(history, problem):
    with pytest.raises(ValueError, match=problem):
        plan_commitment(history)


def test_the_future_does_not_change_the_advice_and_the_same_history_gives_the_same():
    history = days(list(np.linspace(60, 100, 200)))
    first = plan_commitment(history.iloc[:3000])
    assert first == plan_commitment(history.iloc[:3000].copy())
    history.iloc[3000:] = 1e6
    assert first == plan_commitment(history.iloc[:3000])


def test_newsvendor_is_the_amount_that_costs_least():
    demand = np.random.default_rng(1).gamma(4, 25, (5, 12, 24))
    running = np.array([40.0] * 4 + [0.0] * 8)
    best = newsvendor(demand, running, RATIO)

    def usd(amount: float) -> float:
        return float(RATIO * amount + np.maximum(demand - running[:, None] - amount, 0).mean())

    assert all(usd(best) <= usd(best + step) for step in (-5, -0.1, 0.1, 5))


def test_savings_are_what_they_are_by_hand():
    coming = outlook(days([100.0] * 100, swing=0), 12)
    none = np.zeros(12)
    # All of it used: 37 cents saved an hour. At 70 %: 50 of 50 used, 70 of 80. Retired: all lost.
    assert saved_at(coming, none, 50, RATIO, 1.0) == pytest.approx(0.37 * 50 * TERM)
    assert saved_at(coming, none, 80, RATIO, 0.7) == pytest.approx((70 - 0.63 * 80) * TERM)
    assert saved_at(coming, none, 50, RATIO, 0.0) == pytest.approx(-0.63 * 50 * TERM)
    assert saved_at(coming, np.full(12, 60.0), 50, RATIO, 1.0) == pytest.approx(
        (40 - 0.63 * 50) * TERM
    )
    assert saved(coming, none, 50, RATIO).max() == pytest.approx(0.37 * 50 * TERM)


@pytest.fixture(scope="module")
def regions() -> list[pd.Series]:
    """Hourly VM demand of three regions over 23 months, all growing."""
    services = [("a", "x"), ("b", "x"), ("c", "x")]
    table = data_traces.shaved_ice(services, days=699, peak_rps=[1000] * 3)
    wide = table.pivot(index="time", columns="app", values="rps").asfreq("h")
    return [wide[name] for name in wide]


def test_growing_regions_cost_no_more_than_by_the_newsvendor_of_28_days(regions):
    ratio = [ladder_usd(r, ours) / ladder_usd(r, newsvendor_of_28_days) for r in regions]
    assert np.mean(ratio) < 1.002, ratio


def test_the_same_regions_run_backwards_do_not_blow_up(regions):
    """What a rule that rides growth loses on decline, less a half; and no loss against on demand."""
    for region in regions:
        backwards = hourly(region.to_numpy()[::-1])
        usd = ladder_usd(backwards, ours)
        rider = ladder_usd(backwards, newsvendor_of_28_days)
        assert usd < rider
        assert usd < ladder_usd(backwards, lambda *_: 0.0)


def test_a_region_that_grows_costs_less_than_by_its_safe_minimum(regions):
    for region in regions:
        assert ladder_usd(region, ours) < 0.95 * ladder_usd(region, minimum_of_30_days)
