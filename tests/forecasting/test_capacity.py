"""plan_capacity: floor and target are chosen together, for a promise, from the past alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting import plan_capacity
from forecasting.capacity.hybrid import TARGETS


def bursty(days: int = 9, seed: int = 0) -> pd.DataFrame:
    """A daily ramp that is too steep for a reactive autoscaler, and services that only wander."""
    random = np.random.default_rng(seed)
    index = pd.date_range("2026-03-02", periods=144 * days, freq="10min", tz="UTC")
    ramp = np.where((np.arange(len(index)) % 144) // 36 == 2, 50.0, 5.0)
    wander = {
        f"wander{i}": 10 * np.exp(np.cumsum(random.normal(0, 0.02, len(index)))) for i in range(3)
    }
    noise = np.exp(random.normal(0, 0.03, len(index)))
    return pd.DataFrame({"ramp": ramp * noise, **wander}, index=index)


def test_a_plan_has_a_floor_for_each_hour_a_target_and_a_ceiling():
    demand = bursty()
    plans = plan_capacity(demand, horizon_hours=30)
    assert list(plans) == list(demand.columns)
    for name, one in plans.items():
        assert one.floor.shape == (30,)
        assert np.isfinite(one.floor).all()
        assert (one.floor >= 0).all()
        assert one.target_utilisation in TARGETS
        assert one.ceiling >= demand[name].max()


def test_a_steep_ramp_gets_a_floor_and_a_wandering_service_a_reactive_target():
    plans = plan_capacity(bursty())
    assert plans["ramp"].floor[12:18].min() >= 45
    assert plans["ramp"].floor[:11].max() < 15
    level = bursty()["wander0"].iloc[-144:].mean()
    assert plans["wander0"].floor.mean() < 1.2 * level


def used(demand: pd.DataFrame, day: np.ndarray, **terms) -> tuple[float, float]:
    """Cost and shortfall of the day after `demand`, each service over its own mean."""
    plans = plan_capacity(demand, **terms)
    cost, short = [], []
    for i, name in enumerate(demand.columns):
        one = plans[name]
        whole = np.concatenate([demand[name].to_numpy()[-144:], day[:, i]])
        known = np.max([whole[144 - k : 288 - k] for k in (1, 2, 3)], axis=0)
        running = np.maximum(np.repeat(one.floor, 6), known / one.target_utilisation)
        cost.append(running.sum() / day[:, i].sum())
        short.append(np.maximum(day[:, i] - running, 0).sum() / day[:, i].sum())
    return float(np.mean(cost)), float(np.mean(short))


def test_a_laxer_promise_costs_less():
    demand = bursty(10)
    past, day = demand.iloc[:-144], demand.to_numpy()[-144:]
    strict, _ = used(past, day, max_shortfall=0.002)
    lax, _ = used(past, day, max_shortfall=0.05)
    assert lax < strict


def test_the_promise_is_kept_on_the_day_after():
    demand = bursty(10)
    past, day = demand.iloc[:-144], demand.to_numpy()[-144:]
    cost, shortfall = used(past, day)
    assert shortfall <= 0.01
    assert cost < 1.6


@pytest.mark.parametrize("hours", [30, 50, 100])
def test_a_short_history_is_enough_for_a_plan(hours):
    demand = bursty().iloc[-6 * hours :]
    for name, one in plan_capacity(demand).items():
        assert one.floor.shape == (24,)
        assert one.ceiling >= demand[name].max()


def test_services_that_are_idle_or_unknown_do_no_harm():
    demand = bursty()
    demand["idle"], demand["unknown"] = 0.0, np.nan
    plans = plan_capacity(demand)
    assert plans["idle"].floor.max() == 0
    assert plans["unknown"].floor.max() == 0
    assert plans["ramp"].floor[12:18].min() >= 45


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: pd.concat([d, d.iloc[-3:]]).sort_index(), "duplicated timestamps"),
        (lambda d: d.drop(d.index[[7]]), "irregular index"),
        (lambda d: d.iloc[::9], "divides an hour"),
        (lambda d: d - 100, "negative demand"),
        (lambda d: d.reset_index(drop=True), "DatetimeIndex"),
    ],
)
def test_input_that_is_wrong_is_refused_with_its_name(spoil, words):
    with pytest.raises(ValueError, match=words):
        plan_capacity(spoil(bursty()))
