"""Allocation that keeps every cent, and the running month against its budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stacks
from finops.allocation import KEYS, allocate
from finops.billing import LEVELS, Billing
from finops.month import budgets, months

ROOT = Path(__file__).resolve().parents[2]
STACK = stacks.load(ROOT / "stacks" / "Pulumi.dev.yaml")
UNTIL = pd.Timestamp("2026-11-21", tz="UTC")


def rows(app, usd, until=UNTIL, **levels):
    """Daily rows up to the day before `until`; only the app is tagged."""
    days = pd.date_range(end=until, periods=len(usd) + 1, freq="D")[:-1]
    frame = pd.DataFrame({"day": days, **dict.fromkeys(LEVELS, "")})
    return frame.assign(app=app, usd=np.asarray(usd, float), **levels)


def told(*parts, by="app", until=UNTIL):
    daily = pd.concat(parts, ignore_index=True)
    billing = Billing(daily, until, (), (), synthetic=False)
    return {line.name: line for line in months(billing, allocate(daily, STACK), STACK, by)}


APPS = st.sampled_from(["camera", "photos", "search", "shared", "", "stranger"])


@given(
    st.lists(st.tuples(APPS, st.lists(st.floats(-5, 1e4), min_size=1, max_size=4)), min_size=1),
    st.sampled_from(KEYS),
)
@settings(max_examples=30, deadline=None)
def test_allocation_keeps_every_cent_of_every_day(parts, key):
    daily = pd.concat([rows(app, usd) for app, usd in parts], ignore_index=True)
    allocated = allocate(daily, STACK, key)
    before, after = (frame.groupby("day")["usd"].sum() for frame in (daily, allocated))
    pd.testing.assert_series_equal(before, after, rtol=1e-9, atol=1e-6)
    assert not (allocated[list(LEVELS)] == "").any(axis=None)


def test_what_no_tag_names_is_a_line_of_its_own_and_takes_no_share():
    daily = pd.concat(
        [rows("", [7]), rows("camera", [30]), rows("photos", [10]), rows("shared", [8])]
    )
    usd = {key: allocate(daily, STACK, key).groupby("app")["usd"].sum() for key in KEYS}
    assert all(spent["unallocated"] == 7 for spent in usd.values())
    assert usd["own-line"]["shared"] == 8
    assert (usd["cost"]["camera"], usd["cost"]["photos"]) == (36, 12)
    replicas = {n: sum(c.expected_replicas for c in p.values()) for n, p in STACK.capacity.items()}
    part = replicas["search"] / sum(replicas.values())
    assert usd["replicas"]["search"] == pytest.approx(8 * part)
    assert "shared" not in usd["replicas"]


def test_a_tag_wins_and_the_stack_file_fills_what_tags_leave_open():
    daily = pd.concat([rows("camera", [1]), rows("camera", [2], team="other-team")])
    assert allocate(daily, STACK).groupby("team")["usd"].sum().to_dict() == {
        "vision-team": 1, "other-team": 2,
    }  # fmt: skip
    assert set(allocate(daily, STACK)["model"]) == {"scene-caption"}


def test_budgets_of_a_team_are_those_of_its_apps():
    assert budgets(STACK, "team")["vision-team"] == 10_000
    assert budgets(STACK, "model")["scene-caption"] == 5_500


def test_the_month_is_told_with_burn_and_the_day_on_which_the_budget_is_gone():
    month = told(rows("camera", [225] * 60), rows("photos", [100] * 60))
    camera, photos = month["camera"], month["photos"]
    assert camera.spent_usd == 225 * 20
    assert camera.burn == pytest.approx(225 * 20 / 5500 * 30 / 20)
    assert camera.forecast.mean == pytest.approx(6750, rel=0.01)
    assert camera.runs_out.isoformat() == "2026-11-25"
    assert camera.overrun_probability > 0.9
    assert photos.overrun_probability < 0.1
    assert photos.runs_out is None
    assert month["all"].spent_usd == camera.spent_usd + photos.spent_usd
    assert month["voice"].forecast is None
    assert month["voice"].note.startswith("not enough")


def test_from_the_first_day_there_is_a_wide_forecast_and_a_note():
    one = told(rows("camera", [100]))["camera"]
    assert one.forecast.low < 0.9 * one.forecast.mean < one.forecast.mean < 0.9 * one.forecast.high
    assert one.note == (
        "wide interval and no anomalies yet, history has 1 day; "
        "19 days of this month not in the billing and in no sum"
    )
    assert one.burn == pytest.approx(100 / 5500 * 30)


def test_on_the_first_of_a_month_it_is_about_the_month_ahead():
    line = told(rows("camera", [100] * 60, pd.Timestamp("2026-12-01", tz="UTC")),
                until=pd.Timestamp("2026-12-01", tz="UTC"))["camera"]  # fmt: skip
    assert (line.spent_usd, line.burn, line.month.isoformat()) == (0, None, "2026-12-01")
    assert line.forecast.mean == pytest.approx(3100, rel=0.05)


def test_an_anomaly_says_what_moved_and_is_open_for_a_week():
    quiet = rows("camera", [100] * 60, service="EC2", location="aws:us-east-1")
    usd = np.full(60, 20.0)
    usd[[40, 56]] *= 3
    loud = rows("camera", usd, service="GPU", location="gcp:europe-west4")
    late, early = told(quiet, loud)["camera"].anomalies
    assert (late.day.isoformat(), late.open, early.open) == ("2026-11-17", True, False)
    assert late.actual_usd == 160
    assert late.moved == "camera: GPU at gcp:europe-west4 +40 USD"


def test_days_before_a_gap_are_spent_and_are_no_history():
    daily = rows("camera", [100] * 60).drop(index=50)
    line = told(daily)["camera"]
    assert line.history_days == 9
    assert line.spent_usd == 1900
    assert line.note.endswith("1 day of this month not in the billing and in no sum")
    assert line.forecast.mean == pytest.approx(2900, rel=0.02)


def test_credits_above_the_cost_are_no_forecast_and_say_so():
    usd = np.full(60, 100.0)
    usd[50] = -500
    line = told(rows("camera", usd))["camera"]
    assert line.forecast is None
    assert line.note == "not forecast: credits exceed cost on 11 Nov"
    assert line.spent_usd == 1400
