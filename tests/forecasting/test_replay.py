"""Replay: the autoscaler as it is, nobody sees the future, and the oracle is never beaten."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.capacity.autoscaler import Reaction, known_peaks, run
from forecasting.capacity.replay import LEVELS, Outlook, Terms, outlooks, replay, replay_of
from forecasting.telemetry.demand import Demand
from stacks import Floor
from stacks.records import App, Slo
from tests.forecasting.services import (
    END,
    capacity,
    cyclic,
    demand_of,
    dollar,
    one_service,
    unpriced,
)

NAMES = ["this plan", "what stands", "KRR rule", "VPA rule", "reactive HPA", "perfect oracle"]
HERE = ("camera", "aws:us-east-1")


def simulated(demand, *, floor=0.0, ceiling=100.0, target=1.0, lag=1.0, memory=3):
    values = np.array(demand, float)
    peaks = known_peaks(values, Reaction(lag, memory))
    return run(values, peaks, floor=np.full(len(values), floor), ceiling=ceiling, target=target,
               rps_per_replica=10.0)  # fmt: skip


def test_capacity_follows_after_the_reaction_time_and_falls_after_the_window():
    ran = simulated([10, 10, 50, 10, 10, 10, 10], floor=1)
    assert list(ran.replicas) == [1, 1, 1, 5, 5, 5, 1]
    assert list(ran.unserved) == [0, 0, 40, 0, 0, 0, 0]


def test_a_replica_that_starts_within_the_step_serves_the_rest_of_it():
    ran = simulated([10, 10, 50, 10, 10, 10, 10], floor=1, lag=0.25)
    assert ran.unserved[2] == pytest.approx(0.25 * 40)
    assert ran.replicas[2] == pytest.approx(0.25 * 1 + 0.75 * 5)


def test_a_floor_ahead_of_a_ramp_drops_nothing_and_a_ceiling_binds():
    assert simulated([10, 50], floor=5).unserved.sum() == 0
    ran = simulated([50, 50, 50], floor=1, ceiling=3)
    assert list(ran.replicas) == [1, 3, 3]
    assert list(ran.unserved) == [40, 20, 20]


def test_a_lower_target_keeps_spare_replicas():
    assert list(simulated([30, 30, 30], floor=3, target=0.5).replicas) == [3, 6, 6]


def test_steps_without_telemetry_count_for_nothing():
    ran = simulated([10, math.nan, 10], floor=1)
    assert np.isnan(ran.replicas[1])
    assert np.nansum(ran.unserved) == 0


@given(st.lists(st.floats(0, 100), min_size=4, max_size=40), st.floats(0, 4))
@settings(max_examples=60)
def test_quicker_capacity_never_drops_more(demand, lag):
    slow, quick = simulated(demand, lag=lag + 1), simulated(demand, lag=lag)
    if demand == sorted(demand):
        assert quick.unserved.sum() <= slow.unserved.sum() + 1e-9
    assert simulated(demand, lag=0).unserved.sum() == pytest.approx(0, abs=1e-6)


def test_the_reaction_is_the_cold_start_and_the_delay_of_the_metric():
    assert Reaction.of(9, 10) == Reaction(1.0, 3)
    assert Reaction.of(0.2, 10).lag == pytest.approx(0.12)
    assert Reaction.of(14, 60) == Reaction(0.25, 1)


@pytest.fixture(scope="module")
def rows(prod, prod_demand):
    return replay(prod, prod_demand, dollar, days=10)


def test_every_service_is_replayed_beside_all_rivals(prod, rows):
    assert list(rows) == list(prod.services())
    assert all([row.name for row in one] == NAMES for one in rows.values())
    assert all([row.ours for row in one] == [True] + [False] * 5 for one in rows.values())


def test_nothing_beats_perfect_foresight(rows):
    for one in rows.values():
        *others, oracle = one
        assert oracle.shortfall == 0
        assert all(row.replica_hours >= oracle.replica_hours for row in others if not row.shortfall)


def test_on_the_whole_the_plan_is_cheaper_than_every_rule_at_the_promise(rows):
    total = {name: sum(r.replica_hours for one in rows.values() for r in one if r.name == name)
             for name in NAMES}  # fmt: skip
    assert max(one[0].shortfall for one in rows.values()) <= 0.01
    for rival in ("what stands", "KRR rule", "VPA rule", "reactive HPA"):
        assert total["this plan"] < total[rival]


def test_a_floor_that_knows_the_hour_beats_a_reactive_autoscaler_on_steep_ramps(camera):
    """Demand jumps fivefold within minutes each day at 09:00; a cold start takes 6 minutes."""
    rps = cyclic(21, peak=40) + np.where((np.arange(144 * 21) % 144) // 12 == 4, 240, 0)
    one = replay(camera, demand_of(one_service(rps)), unpriced, days=10)[HERE]
    by_name = {row.name: row for row in one}
    assert by_name["reactive HPA"].shortfall > 0.02
    assert by_name["this plan"].shortfall <= 0.01
    assert by_name["this plan"].replica_hours < by_name["KRR rule"].replica_hours


def test_changing_the_future_never_changes_a_past_plan(camera):
    rps = cyclic(14)
    cut = 144 * 9
    other = rps.copy()
    other[cut:] *= np.random.default_rng(5).uniform(0.2, 3, len(rps) - cut)
    one, two = (_replayed(camera, demand_of(one_service(values))) for values in (rps, other))
    early = [i for i, day in enumerate(one.days) if (END - day.at).days >= 5]
    assert len(early) >= 3
    for i in early:
        assert np.array_equal(one.days[i].quantiles, two.days[i].quantiles)
        assert one.choice(i) == two.choice(i)
    steps = slice(0, 144 * (len(early) - 1))
    assert np.array_equal(one.ours().replicas[steps], two.ours().replicas[steps])
    assert not np.array_equal(one.days[-1].quantiles, two.days[-1].quantiles)


def _replayed(stack, demand: Demand):
    limits = stack.portfolio.limits
    result = replay_of(HERE, stack.apps["camera"], limits, demand, outlooks(demand, 14))
    assert result is not None
    return result


def test_a_fixed_capacity_is_replayed_as_it_stands(camera):
    demand = demand_of(one_service(np.full(144 * 14, 100.0)))
    ran = _replayed(camera, demand).of_capacity(capacity(4, 4))
    assert set(ran.replicas) == {4}
    assert ran.unserved.sum() == 0
    short = _replayed(camera, demand).of_capacity(capacity(2, 2))
    assert short.unserved.sum() == pytest.approx(20.0 * len(short.unserved))


def test_too_short_a_history_has_no_replay(camera):
    demand = demand_of(one_service(cyclic(2)))
    assert replay(camera, demand, dollar) == {HERE: ()}


def test_a_plan_is_replayed_for_as_long_as_it_stands(camera):
    """Demand grows by 3 % a day: what is planned once a week falls behind what is planned daily."""
    rps = cyclic(28) * np.exp(0.03 * np.arange(144 * 28) / 144)
    demand = demand_of(one_service(rps))
    past = outlooks(demand, 14)

    def planned(stands_days: int):
        limits = camera.portfolio.limits.model_copy(update={"stands_days": stands_days})
        one = replay_of(HERE, camera.apps["camera"], limits, demand, past)
        assert one is not None
        return one

    daily, weekly = planned(1), planned(7)
    assert weekly.ours().unserved.sum() > daily.ours().unserved.sum()
    first, last = (weekly._floors[day] for day in (0, 13))
    assert not np.array_equal(first, last)
    assert np.array_equal(weekly._floors[weekly._standing[6]], first)


@pytest.mark.parametrize(
    ("serving", "location", "comes_to"),
    [
        ({"target": "gpu", "gpu": "l4", "autoscaler": "keda"}, "aws:us-east-1", None),
        ({"target": "gpu", "gpu": "l4", "autoscaler": "hpa"}, "aws:us-east-1", 5),
        ({"target": "serverless"}, "gcp:europe-west4", 2),
        ({"target": "serverless"}, "aws:us-east-1", None),
    ],
)
def test_a_floor_is_replayed_as_what_runs_the_app_makes_of_it(camera, serving, location, comes_to):
    """A plain HPA knows no schedule and keeps the peak; Cloud Run keeps the least."""
    app = App.model_validate(
        {
            **camera.apps["camera"].model_dump(mode="json", exclude={"placement", "users"}),
            "serving": {**serving, "rps_per_replica": 40},
        }
    )
    floor = Floor(weekday=(2,) * 12 + (5,) * 12, weekend=(3,) * 24)
    terms = Terms.of(app, location)
    run = terms.as_run(floor)
    if comes_to is None:
        assert run.tolist() == [list(floor.weekday), list(floor.weekend)]
    else:
        assert set(run.ravel()) == {comes_to}
    rps = np.linspace(1, 500, 168)[:, None, None] * np.ones((1, 1, len(LEVELS)))
    rows = terms.floors(Outlook(pd.Timestamp("2026-03-02", tz="UTC"), rps, np.array([500.0])), 0)
    assert (np.ptp(rows, axis=(1, 2)) == 0).all() == (comes_to is not None)
    assert (np.diff(rows.max((1, 2))) >= 0).all()


def test_unserved_demand_costs_what_the_app_says_else_what_its_promise_says():
    slo = {"latency_p95_ms": 300}
    assert Slo(**slo).balance == pytest.approx(20)
    assert Slo(**slo, max_shortfall=0.001).balance == pytest.approx(200)
    assert Slo(**slo, max_shortfall=0.0).balance == pytest.approx(1000)
    assert Slo(**slo, unserved_cost=3).balance == 3
