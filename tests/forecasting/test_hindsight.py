"""What was forecast the day before, beside what came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting.capacity.hindsight import hindsight
from forecasting.capacity.planner import plan
from forecasting.capacity.replay import LEVELS, outlooks
from tests.forecasting.services import cyclic, demand_of, dollar, one_service

STEPS_A_DAY = 144


def test_each_hour_stands_beside_the_forecast_made_before_its_day():
    demand = demand_of(one_service(cyclic(21)))
    days = outlooks(demand, 7)
    seen = hindsight(demand.hourly.iloc[:, 0], days, 0)
    assert seen.hours.index.equals(demand.hourly.index[-7 * 24 :])
    for day in days:
        ahead = seen.hours.loc[day.at : day.at + pd.Timedelta("23h"), list(LEVELS)].to_numpy()
        assert (ahead == day.quantiles[:24, 0]).all()
    median, highest = seen.covered(0.5), seen.covered(0.99)
    assert median is not None
    assert highest is not None
    assert 0.2 < median < 0.8 < highest


def test_the_hour_that_surprised_is_the_first_miss_and_a_gap_is_none():
    rps = np.full(STEPS_A_DAY * 21, 100.0)
    rps[-30:-24], rps[-54:-48] = 400.0, np.nan
    frame = one_service(rps).dropna()
    demand = demand_of(frame)
    seen = hindsight(demand.hourly.iloc[:, 0], outlooks(demand, 2), 0)
    miss, *others = seen.misses(0.99, 3)
    assert (miss.at, miss.asked_rps) == (demand.hourly.index[-5], 400.0)
    assert miss.expected_rps < 200
    assert np.isnan(seen.hours["demand"].iloc[-9])
    assert demand.hourly.index[-9] not in [other.at for other in others]


def test_without_replayed_days_nothing_is_claimed():
    seen = hindsight(pd.Series(dtype=float), (), 0)
    assert seen.covered(0.95) is None
    assert seen.misses(0.95, 3) == ()


def test_each_plan_says_who_spoke_and_when_to_trust_it_less(camera):
    whole = plan(camera, demand_of(one_service(cyclic(28))), dollar).services[0].spoken
    short = plan(camera, demand_of(one_service(cyclic(5))), dollar).services[0].spoken
    assert whole is not None
    assert short is not None
    assert sum(weight for _, weight in whole.experts) == pytest.approx(1, abs=0.05)
    assert whole.warnings == ()
    assert "5 d of history" in short.warnings
