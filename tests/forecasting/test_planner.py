"""Planning: whole replicas with a reason, small steps, and nothing where too little is known."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.kubernetes.autoscaling import horizontal, scaled_object
from components.schedule import steps, week
from forecasting.capacity.planner import Plan, ServicePlan, plan
from forecasting.capacity.replay import FLOOR_LEVELS, Replayed
from forecasting.capacity.schedule import changes, stepped, weekly
from forecasting.telemetry.demand import Demand
from stacks import Capacity, Stack
from stacks.records import Hold, PlannerLimits
from tests.forecasting.services import (
    END,
    capacity,
    cyclic,
    demand_of,
    dollar,
    one_service,
    unpriced,
    with_capacity,
)


def only(planned: Plan) -> ServicePlan:
    assert len(planned.services) == 1
    return planned.services[0]


def limited(stack: Stack, **limits) -> Stack:
    portfolio = stack.portfolio.model_copy(update={"limits": PlannerLimits(**limits)})
    return stack.model_copy(update={"portfolio": portfolio})


@pytest.fixture(scope="module")
def steady() -> Demand:
    return demand_of(one_service(cyclic()))


@pytest.fixture(scope="module")
def planned(prod: Stack, prod_demand: Demand) -> Plan:
    return plan(prod, prod_demand, dollar)


def rows(one: Capacity | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    assert one is not None
    return one.floor.weekday, one.floor.weekend


def test_a_plan_covers_every_service_with_a_reason(prod, planned):
    assert [(s.app, s.location) for s in planned.services] == list(prod.services())
    for service in planned.services:
        assert service.after is not None
        assert service.reason
        assert "\n" not in service.reason
        assert len(service.forecast) == 168
        assert len(service.history) == 14 * 24
        assert service.peak_rps == pytest.approx(service.history.iloc[-168:].max())


def test_what_is_written_passes_the_contract_again(planned):
    for places in planned.capacity().values():
        for one in places.values():
            assert Capacity.model_validate_json(one.model_dump_json(), strict=True) == one


def test_savings_and_the_service_that_was_too_small_are_found(planned):
    saved: list[tuple[Replayed, Replayed]] = []
    fixed: list[tuple[Replayed, Replayed]] = []
    for service in planned.services:
        by_name = {row.name: row for row in service.replay}
        ours, stood = by_name["this plan"], by_name["what stands"]
        if service.status == "changed":
            (fixed if stood.shortfall > 0.01 else saved).append((ours, stood))
    assert len(saved) >= 6
    assert all(ours.replica_hours < 0.97 * stood.replica_hours for ours, stood in saved)
    assert all(ours.shortfall <= max(0.01, stood.shortfall) for ours, stood in saved)
    assert len(fixed) == 1
    assert all(ours.shortfall < stood.shortfall for ours, stood in fixed)


def test_the_reason_says_quantile_replay_cost_and_shortfall(planned):
    for service in planned.services:
        if service.status == "changed":
            assert service.after.reason == service.reason
            pattern = (
                r"q[\d.]+ floor, target \d+%; replay \d+ d: [+-]\d+% cost at [\d.]+% shortfall"
            )
            assert re.match(pattern, service.reason)


def test_planning_again_changes_nothing(prod, prod_demand, planned):
    written = with_capacity(prod, planned.capacity())
    again = plan(written, prod_demand, dollar)
    assert again.capacity() == planned.capacity()
    assert {service.status for service in again.services} == {"unchanged"}


def test_the_same_inputs_give_the_same_plan(few, few_demand):
    planned, again = (plan(few, few_demand, dollar) for _ in range(2))
    for one, other in zip(planned.services, again.services, strict=True):
        assert one.after == other.after
        assert one.replay == other.replay
        assert one.forecast.to_numpy().tobytes() == other.forecast.to_numpy().tobytes()


@pytest.mark.parametrize(
    ("seed", "days"),
    [(3, 1), (3, 2), (11, 1), *(pytest.param(k, 3, marks=pytest.mark.slow) for k in range(6))],
)
def test_a_day_without_news_gives_no_diff(camera, seed, days):
    """Each week is as the one before, to the noise: written once, the plan is left alone."""
    rps = np.tile(cyclic(7, seed=seed), 2)
    today = demand_of(one_service(rps))
    settled = limited(camera, max_step=1.0)
    settled = with_capacity(settled, plan(settled, today, dollar).capacity())
    frame = one_service(np.roll(rps, -144 * days))
    moved = frame.assign(time=frame["time"] + pd.Timedelta(days=days))
    later = demand_of(moved, at=END + timedelta(days=days))
    service = only(plan(settled, later, dollar))
    assert service.status == "unchanged"
    assert service.after == service.before


def test_the_floor_rises_ahead_of_the_peak_and_falls_ahead_of_the_night(camera):
    """Steep mornings that an autoscaler misses: ahead by the cold start, and gone by the evening."""
    hour = np.arange(144 * 14) // 6 % 24
    start = (END - timedelta(days=14)).hour
    busy = ((hour + start) % 24 >= 8) & ((hour + start) % 24 < 18)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.03, len(hour)))
    demand = demand_of(one_service(np.where(busy, 320.0, 30.0) * noise))
    service = only(plan(limited(camera, max_step=1.0), demand, dollar))
    weekday, _ = rows(service.after)
    assert min(weekday[8:18]) >= 7
    assert max(weekday[:8] + weekday[18:]) <= 2
    lead = camera.apps["camera"].serving.cold_start_minutes
    size = 0
    moments: dict[str, list[int]] = {}
    for step in steps(week(service.after.floor), lead):
        moments.setdefault("rise" if step.size > size else "fall", []).append(step.moment % 1440)
        size = step.size
    assert set(moments["rise"]) == {8 * 60 - lead}
    assert set(moments["fall"]) == {18 * 60}


@pytest.mark.parametrize(("autoscaler", "least"), [("keda", 0), ("hpa", 1)])
def test_a_floor_is_zero_at_night_where_replicas_start_at_once(camera, autoscaler, least):
    """KEDA takes it as it is; a plain HPA cannot go below one."""
    app = camera.apps["camera"]
    quick = {"cold_start_minutes": 0.5, "autoscaler": autoscaler}
    app = app.model_copy(update={"serving": app.serving.model_copy(update=quick)})
    stack = limited(camera.model_copy(update={"apps": {"camera": app}}), max_step=1.0)
    awake = cyclic(14) * np.where(np.arange(144 * 14) // 6 % 24 < 8, 0.0, 1.0)
    service = only(plan(stack, demand_of(one_service(awake)), dollar))
    assert service.after is not None
    assert service.after.floor.least == least
    if autoscaler == "keda":
        spec = scaled_object("camera", "aws:us-east-1", app.serving, service.after, None)
        assert spec["minReplicaCount"] == 0
    else:
        assert horizontal("camera", app.serving, service.after)["min_replicas"] >= 1


def test_a_change_of_the_floor_has_to_save_what_it_costs():
    need = np.array([3.0] * 23 + [2.0])
    assert changes(stepped(need, 6)) == 1
    assert changes(stepped(need, 6, change_cost=1.5)) == 0
    assert changes(stepped(np.array([3.0] * 12 + [2.0] * 12), 6, change_cost=1.5)) == 1


def test_a_ceiling_is_raised_before_demand_meets_it(camera):
    growth = np.exp(np.linspace(-0.6, 0, 144 * 21))
    demand = demand_of(one_service(cyclic(21, peak=345) * growth))
    stands = {"camera": {"aws:us-east-1": capacity(8, 9)}}
    service = only(plan(with_capacity(camera, stands), demand, dollar))
    assert {row.name: row for row in service.replay}["what stands"].shortfall <= 0.01
    assert service.status == "changed"
    assert service.after.ceiling > 9


def test_the_floor_never_lies_below_the_quantile_it_names(camera, steady):
    service = only(plan(limited(camera, max_step=1.0), steady, dollar))
    named = re.match(r"q([\d.]+) floor", service.reason)
    assert named is not None
    level = float(named[1]) / 100
    assert level in FLOOR_LEVELS
    times = pd.DatetimeIndex(service.forecast.index)
    for time, rps in zip(times, service.forecast[level], strict=True):
        row = rows(service.after)[time.day_of_week >= 5]
        assert row[time.hour] * 40 >= rps - 1e-6


def test_floors_follow_the_day_and_the_weekend(camera, steady):
    weekday, weekend = rows(only(plan(limited(camera, max_step=1.0), steady, dollar)).after)
    assert weekday[17] > 2 * weekday[4]
    assert weekday[17] > weekend[17]


@pytest.mark.parametrize("most", [0, 1, 2, 6, 24])
def test_the_floor_changes_no_more_often_than_the_limit(few, few_demand, most):
    planned = plan(limited(few, max_changes_a_day=most, max_step=1.0), few_demand, dollar)
    for service in planned.services:
        assert max(changes(np.array(row)) for row in rows(service.after)) <= most
        assert service.after.floor.peak <= service.after.ceiling


@pytest.mark.parametrize("max_step", [0.0, 0.1, 0.25, 0.5])
def test_no_number_moves_further_than_a_step(few, few_demand, max_step):
    for service in plan(limited(few, max_step=max_step), few_demand, dollar).services:
        for before, after in zip(rows(service.before), rows(service.after), strict=True):
            for old, new in zip(before, after, strict=True):
                assert abs(new - old) <= max(old * max_step, 1 if max_step else 0)
        stood, planned = service.before.ceiling, service.after.ceiling
        assert abs(planned - stood) <= max(stood * max_step, 1 if max_step else 0)


def test_one_step_a_day_of_telemetry(camera):
    rps = cyclic(12)
    today = demand_of(one_service(rps).iloc[:-144], at=END - timedelta(days=1))
    first = only(plan(camera, today, dollar))
    assert "a step of at most 50%" in first.reason
    stands = with_capacity(camera, {"camera": {"aws:us-east-1": first.after}})
    same_day = only(plan(stands, today, dollar))
    assert same_day.status == "unchanged"
    assert "one step a day" in same_day.reason
    tomorrow = only(plan(stands, demand_of(one_service(rps)), dollar))
    assert tomorrow.status == "changed"
    assert tomorrow.after.floor.least < first.after.floor.least


def test_a_hold_keeps_what_stands_and_says_why(camera, steady):
    def held(until: date) -> Stack:
        hold = Hold(reason="launch week, ask vision-team", until=until)
        app = camera.apps["camera"].model_copy(update={"hold": hold})
        return camera.model_copy(update={"apps": {"camera": app}})

    today = END.date()
    service = only(plan(held(today), steady, dollar))
    assert service.status == "held"
    assert service.after == service.before
    assert "launch week, ask vision-team" in service.reason
    assert only(plan(held(today - timedelta(days=1)), steady, dollar)).status == "changed"


@pytest.mark.parametrize(
    ("rps", "at", "words"),
    [
        (cyclic(2), END, "2.0 days of telemetry, fewer than limits.min_history_days 3"),
        (cyclic(10), END + timedelta(days=3), "telemetry ended 72 h ago"),
        (np.where(np.arange(144 * 14) % 36 < 24, np.nan, cyclic(14)), END, "missing in"),
        (np.where(np.arange(1440) < 720, 1, 60) * cyclic(10), END, "did the unit change?"),
    ],
)
def test_too_little_or_doubtful_telemetry_keeps_what_stands(camera, rps, at, words):
    service = only(plan(camera, demand_of(one_service(rps), at=END), dollar, at=at))
    assert service.status == "kept"
    assert service.after == service.before
    assert words in service.reason


def test_a_service_without_telemetry_is_kept_and_named(camera):
    other = demand_of(one_service(cyclic(), app="other"))
    service = only(plan(camera, other, dollar))
    assert service.status == "kept"
    assert service.after == service.before
    assert [finding.kind for finding in service.findings] == ["no telemetry"]
    nothing = only(plan(with_capacity(camera, {}), other, dollar))
    assert nothing.after is None
    assert nothing.usd_month_after is None
    assert "write a first one by hand" in str(nothing.findings[-1])
    assert plan(with_capacity(camera, {}), other, dollar).capacity() == {}


def test_demand_of_no_service_of_the_stack_is_named(camera):
    both = pd.concat([one_service(cyclic()), one_service(cyclic(), app="ghost")])
    result = plan(camera, demand_of(both), dollar)
    assert [(found.kind, found.app) for found in result.findings] == [("stranger", "ghost")]
    assert only(result).status == "changed"


def test_a_new_service_gets_its_capacity_without_a_step(camera, steady):
    service = only(plan(with_capacity(camera, {}), steady, dollar))
    assert service.status == "new"
    assert service.before is None
    assert service.after.floor.peak >= 5
    assert "what stands" not in {row.name for row in service.replay}


def test_an_unpriced_service_is_planned_and_costs_none_not_zero(camera, steady):
    service = only(plan(camera, steady, unpriced))
    assert service.status == "changed"
    assert service.usd_month_before is None
    assert service.usd_month_after is None
    assert {row.usd for row in service.replay} == {None}


def test_money_is_price_times_replicas(camera, steady):
    service = only(plan(camera, steady, lambda *_: 2.5))
    assert service.usd_month_after == pytest.approx(
        service.after.expected_replicas * 2.5 * 730, abs=0.01 * 2.5 * 730
    )
    for row in service.replay:
        assert row.usd == pytest.approx(2.5 * row.replica_hours)


def test_what_stands_is_kept_where_a_plan_would_win_too_little(camera):
    flat = 180 * np.exp(np.random.default_rng(1).normal(0, 0.02, 144 * 21))
    tight = with_capacity(camera, {"camera": {"aws:us-east-1": capacity(5, 9).model_copy(
        update={"target_utilisation": 0.95})}})  # fmt: skip
    service = only(plan(tight, demand_of(one_service(flat)), dollar))
    assert service.status == "unchanged"
    assert service.after == service.before


def test_more_shortfall_than_promised_is_never_proposed_to_save(prod, planned):
    for service in planned.services:
        by_name = {row.name: row for row in service.replay}
        if service.status == "changed" and by_name["what stands"].shortfall <= 0.01:
            assert by_name["this plan"].shortfall <= 0.01


def test_a_serverless_floor_may_be_zero_where_a_gpu_floor_may_not(prod, camera):
    quiet = np.zeros(144 * 21)
    gpu = only(plan(limited(camera, max_step=1.0), demand_of(one_service(quiet)), dollar))
    assert gpu.after.floor.peak == 1
    assert gpu.after.ceiling == gpu.before.ceiling
    app = prod.apps["moderation"]
    stands = {"moderation": {"aws:us-east-1": capacity(4, 8)}}
    stack = camera.model_copy(update={"apps": {"moderation": app}, "capacity": stands})
    demand = demand_of(one_service(quiet, app="moderation"))
    serverless = only(plan(limited(stack, max_step=1.0), demand, dollar))
    assert serverless.after.floor.peak == 0


@pytest.mark.parametrize(
    ("weekend", "rows_differ"),
    [
        ([2.0] * 12 + [6.0] * 12, False),  # the same
        ([2.0] * 12 + [5.5] + [6.0] * 11, False),  # half a replica for an hour
        ([2.0] * 12 + [3.0] * 12, True),
    ],
)
def test_weekends_have_a_row_of_their_own_where_that_pays(weekend, rows_differ):
    need = np.array([[2.0] * 12 + [6.0] * 12, weekend])
    row = weekly(need, 6, change_cost=0.5)
    assert (row >= need).all()
    assert bool((row[0] != row[1]).any()) is rows_differ
    assert (weekly(np.stack([need, need]), 6, change_cost=0.5)[1] == row).all()


def test_one_row_for_all_days_never_goes_where_a_step_would_not():
    need = np.array([[6.0] * 24, [5.0] * 24])
    limit = np.array([[6.0] * 24, [5.0] * 24])
    assert (weekly(need, 6, change_cost=50.0) == 6).all()
    assert (weekly(need, 6, limit, change_cost=50.0) == need).all()


@given(
    st.lists(st.integers(0, 30), min_size=24, max_size=24),
    st.integers(0, 24),
    st.lists(st.integers(0, 40), min_size=24, max_size=24),
)
@settings(max_examples=100)
def test_a_stepped_row_covers_the_need_within_its_changes(need, most, limit):
    row = stepped(np.array(need, float), most, most=np.array(limit, float))
    assert (row >= need).all()
    assert changes(row) <= most
    assert set(row) <= set(need)


@given(st.lists(st.integers(0, 9), min_size=7, max_size=7), st.integers(0, 3))
@settings(max_examples=60)
def test_a_stepped_row_is_the_cheapest_there_is(need, most):
    def cheapest(begin: int, left: int) -> int:
        whole = (len(need) - begin) * max(need[begin:])
        if not left:
            return whole
        cuts = range(begin + 1, len(need))
        return min(
            [whole] + [(c - begin) * max(need[begin:c]) + cheapest(c, left - 1) for c in cuts]
        )

    assert stepped(np.array(need, float), most).sum() == cheapest(0, most)


def test_steps_are_taken_in_no_more_places_than_they_pay_for():
    need = np.array([3.0] * 10 + [5.0] * 4 + [3.0] * 10)
    row = stepped(need, 24)
    assert sum(a != b for a, b in pairwise(row)) == 2
