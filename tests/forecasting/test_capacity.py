"""plan_capacity: floor and target are chosen together, for a promise, from the past alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting import plan_capacity
from forecasting.capacity import choice
from forecasting.capacity.choice import Record, choose
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
    strict, kept = used(past, day, max_shortfall=0.002, unserved_cost=1)
    lax, dropped = used(past, day, max_shortfall=0.05, unserved_cost=1)
    assert lax < strict
    assert dropped > kept


def test_dearer_unserved_demand_buys_more_capacity():
    demand = bursty(10)
    past, day = demand.iloc[:-144], demand.to_numpy()[-144:]
    costs = [used(past, day, max_shortfall=1.0, unserved_cost=u)[0] for u in (1, 20, 400)]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[2]


def test_the_same_history_gives_the_same_plan_to_the_byte_whatever_comes_after():
    demand = bursty(11)
    changed = demand.copy()
    changed.iloc[-288:] *= 3
    past = [plan_capacity(frame.iloc[:-288]) for frame in (demand, demand, changed)]
    told = [
        [(p.floor.tobytes(), p.target_utilisation, p.ceiling) for p in one.values()] for one in past
    ]
    assert told[0] == told[1] == told[2]


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


def record(days: int, shortfalls: list[list[float]], costs: list[float], seed: int = 0) -> Record:
    """Each service's mean shortfall under each choice, with days that differ."""
    random = np.random.default_rng(seed)
    luck = random.lognormal(-0.125, 0.5, (days, len(shortfalls), 1))
    cost = np.broadcast_to(costs, (days, len(shortfalls), len(costs)))
    return Record(cost, luck * np.array(shortfalls), np.ones((days, len(shortfalls))))


def test_a_promise_that_is_cheap_to_keep_is_kept_and_one_that_is_too_dear_is_not():
    cheap = record(14, [[0.012, 0.002]], [1.2, 1.4])
    dear = record(14, [[0.012, 0.002]], [1.2, 9.0])
    assert choose(cheap, 0.01, 20).tolist() == [1]
    assert choose(dear, 0.02, 20).tolist() == [0]


def test_a_service_that_is_steadier_than_the_others_is_not_made_to_pay_for_them():
    bursty_ones = [[0.03, 0.004]] * 9
    steady = [0.0001, 0.00001]
    chosen = choose(record(6, [*bursty_ones, steady], [1.1, 1.6]), 0.01, 20)
    assert chosen.tolist() == [1] * 9 + [0]


def test_unserved_demand_is_taken_as_dearer_until_past_choices_kept_the_promise(monkeypatch):
    """The cheaper choice looks good until the day that it is chosen for."""
    unserved = np.zeros((8, 1, 2))
    unserved[3::2, 0, 0] = 0.05
    cost = np.broadcast_to([1.0, 3.3], unserved.shape)
    betrayed = Record(cost, unserved, np.ones((8, 1)))
    assert choose(betrayed, 0.01, 5).tolist() == [1]
    monkeypatch.setattr(choice, "DEARER", (1,))
    assert choose(betrayed, 0.01, 5).tolist() == [0]
