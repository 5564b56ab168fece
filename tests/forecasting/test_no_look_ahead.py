"""Nobody sees the future: with less of it, every past forecast, choice and row is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting import DemandForecaster, plan_capacity
from forecasting.capacity.choice import choose
from forecasting.capacity.hindsight import hindsight
from forecasting.capacity.planner import plan
from forecasting.capacity.replay import Replay, outlooks, replay_of
from forecasting.telemetry import synthetic
from forecasting.telemetry.demand import Demand, services
from tests.forecasting.services import END, demand_of, dollar
from tests.forecasting.test_determinism import content

DAYS, LATER = 12, 2
CUT = END - pd.Timedelta(days=LATER)


@pytest.fixture(scope="module")
def recorded(few) -> pd.DataFrame:
    """With gaps before and after the cut."""
    table = synthetic.generate(few, days=DAYS, end=END, seed=11)
    hole = (table["time"] > CUT - pd.Timedelta("9h")) & (table["time"] < CUT + pd.Timedelta("5h"))
    return table[~(hole & (table["app"] == "voice"))]


@pytest.fixture(scope="module")
def whole(recorded) -> Demand:
    return demand_of(recorded, days=DAYS)


@pytest.fixture(scope="module")
def cut(recorded) -> Demand:
    return demand_of(recorded[recorded["time"] < CUT], days=DAYS - LATER, at=CUT)


def test_the_cut_changes_something(few, whole, cut):
    assert len(whole.fine) - len(cut.fine) == LATER * 144
    assert content(plan(few, whole, dollar)) != content(plan(few, cut, dollar))


def test_a_forecast_of_the_past(whole, cut):
    known = whole.hourly.index < CUT
    later = whole.hourly.copy()
    later.loc[~known] = later.loc[~known].to_numpy() * 7 + 100
    then = DemandForecaster().fit(cut.hourly).predict(72)
    pd.testing.assert_frame_equal(DemandForecaster().fit(later.loc[known]).predict(72), then)


def test_telemetry_and_plan_as_of_a_time_in_the_past(few, recorded, cut):
    """What lies after `at` in the same file is named, and changes neither demand nor plan."""
    past = demand_of(recorded, days=DAYS - LATER, at=CUT)
    assert past.sha256 == cut.sha256
    (named,) = set(past.findings) - set(cut.findings)
    assert named.kind == "clock"
    past = replace(past, findings=cut.findings)
    assert content(plan(few, past, dollar, at=CUT)) == content(plan(few, cut, dollar, at=CUT))


def test_outlooks_of_past_days(whole, cut):
    full, less = outlooks(whole, 4), outlooks(cut, 4 - LATER)
    assert len(less) == len(full) - LATER
    for one, other in zip(full, less, strict=False):
        assert one.at == other.at
        assert one.quantiles.tobytes() == other.quantiles.tobytes()
        assert one.busiest.tobytes() == other.busiest.tobytes()
    assert full[-1].quantiles.tobytes() != less[-1].quantiles.tobytes()


def replays(stack, demand: Demand, days: int) -> list[Replay]:
    found = [
        replay_of(
            service, stack.apps[service[0]], stack.portfolio.limits, demand, outlooks(demand, days)
        )
        for service in stack.services()
    ]
    return [one for one in found if one is not None]


def test_choices_and_rows_of_a_replay(few, whole, cut):
    full, less = replays(few, whole, 5), replays(few, cut, 5 - LATER)
    assert len(full) == len(less) == len(few.services())
    for one, other in zip(full, less, strict=True):
        days = len(other.days)
        assert days == len(one.days) - LATER
        for day in range(days + 1):  # the last is what is written after these days
            assert one.choice(day) == other.choice(day)
        for rule in (Replay.ours, lambda r: r._static(7, 0.95, 1.0)):
            ran, before = rule(one), rule(other)
            steps = len(before.replicas)
            np.testing.assert_array_equal(ran.replicas[:steps], before.replicas)
            np.testing.assert_array_equal(ran.unserved[:steps], before.unserved)


def test_hindsight_of_past_days(whole, cut):
    for column in range(len(services(whole.hourly))):
        full = hindsight(whole.hourly.iloc[:, column], outlooks(whole, 4), column).hours
        less = hindsight(cut.hourly.iloc[:, column], outlooks(cut, 4 - LATER), column).hours
        pd.testing.assert_frame_equal(full.loc[less.index], less)


def test_what_plan_capacity_replays(whole, cut, monkeypatch):
    """Its record of each past day is the same, whatever comes after that day."""
    records = []

    def choosing(record, *rest):
        records.append(record)
        return choose(record, *rest)

    monkeypatch.setattr("forecasting.capacity.hybrid.choose", choosing)
    plan_capacity(whole.fine)
    plan_capacity(cut.fine)
    full, less = records
    days = len(full.asked) - LATER
    for name in ("cost", "unserved", "asked"):
        one, other = getattr(full, name)[:days], getattr(less, name)[-days:]
        assert one.tobytes() == other.tobytes()
        assert one.any()
