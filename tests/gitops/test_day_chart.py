"""The typical day: one column an hour, the floor's number in it, and the sentence behind it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.capacity.hindsight import hindsight
from forecasting.capacity.planner import ServicePlan
from forecasting.capacity.replay import LEVELS, Outlook
from gitops.pages import plan as report
from gitops.pages import typical
from gitops.pages.day_chart import HEIGHT, WIDTH, Hour, day_chart
from stacks.records import Capacity, Floor
from tests.gitops.plans import Planner

LOADS = st.floats(0, 1e6)
HOURS = st.builds(
    Hour,
    floor=st.integers(0, 10**6),
    median=LOADS,
    high=LOADS,
    highest=LOADS,
    seen=st.none() | st.tuples(LOADS, LOADS),
    why=st.just("because <&>"),
)


@given(st.lists(HOURS, min_size=24, max_size=24))
def test_every_number_is_drawn_and_every_mark_lies_inside_the_picture(hours):
    svg = ET.fromstring(day_chart(hours, "weekday"))
    columns = svg.findall("g")
    assert [g.find("text").text for g in columns] == [str(hour.floor) for hour in hours]
    assert {g.find("title").text for g in columns} == {"because <&>"}
    for mark in svg.iter():
        for name, value in mark.attrib.items():
            if name in {"x", "y", "x1", "x2", "y1", "y2", "width", "height"}:
                assert 0 <= float(value) <= (HEIGHT if "y" in name or name == "height" else WIDTH)


@pytest.fixture
def service(dev) -> ServicePlan:
    """Demand of 100 rps, 200 at 18:00; a floor of one, five at 18:00."""
    plan = Planner().service(dev, "camera", "aws:us-east-1")
    row = tuple(5 if hour == 18 else 1 for hour in range(24))
    capacity = Capacity(
        floor=Floor(weekday=row, weekend=row), ceiling=7, target_utilisation=0.9,
        expected_replicas=2, reason="",
    )  # fmt: skip
    past = pd.date_range("2026-11-09", periods=336, freq="h", tz="UTC")
    ahead = pd.date_range("2026-11-23", periods=168, freq="h", tz="UTC")
    history = pd.Series(np.where(past.hour == 18, 200.0, 100.0), past)
    middle = np.where(ahead.hour == 18, 200.0, 100.0)
    forecast = pd.DataFrame({level: middle * (0.5 + level) for level in LEVELS}, ahead)
    changed = {"after": capacity, "history": history, "forecast": forecast}
    return ServicePlan(**{**plan.__dict__, **changed})


@pytest.fixture
def dev():
    import stacks
    from gitops.checkout import stack_file
    from tests.checkouts import ROOT

    return stacks.load(stack_file(ROOT, "dev"))


def test_a_person_finds_why_this_many_at_18_00(service, dev):
    weekday, weekend = typical.days(service, dev.apps["camera"])
    assert weekday.busiest == (
        "18:00, weekday: floor 5 (200 rps). Forecast 200 rps in the middle, 290 at 95 %, 298 at 99 %; "
        "the last 14 days it was 200 to 200. Above 36 rps a replica the autoscaler adds more, up to 7."
    )
    assert weekend.busiest.startswith("18:00, weekend: floor 5")
    assert weekday.chart.count("<title>") == 24


def test_without_a_forecast_there_is_no_typical_day(service, dev):
    without = ServicePlan(**{**service.__dict__, "forecast": pd.DataFrame()})
    assert typical.days(without, dev.apps["camera"]) == []


def test_the_report_says_where_the_planner_was_wrong(service):
    at = service.history.index[-24]
    quantiles = np.broadcast_to(np.array(LEVELS) * 150, (168, 1, len(LEVELS)))
    seen = hindsight(service.history, [Outlook(at, quantiles, np.array([200.0]))], 0)
    told = report.wrong(ServicePlan(**{**service.__dict__, "hindsight": seen}))
    assert told is not None
    assert told["covered"] == [
        "0.0% below the 50% line",
        "95.8% below the 95% line",
        "95.8% below the 99% line",
    ]
    assert told["misses"] == ["Sun 22 Nov 18:00: 200 rps came, 148 at 99% was expected"]
    assert report.wrong(service) is None
