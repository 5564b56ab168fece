"""Pools of a stack and what is advised for them, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stacks
from finops import purchase, purchase_files, purchase_plan
from forecasting.telemetry.demand import Demand
from policypacks.guardrails.pricing.book import PriceBook

ROOT = Path(__file__).resolve().parents[2]
BOOK = PriceBook.load()
PRICES = purchase.commitment_prices(None)
PROD = stacks.load(ROOT / "stacks" / "Pulumi.prod.yaml")
END = datetime(2026, 11, 1, tzinfo=UTC)


def demand(days: int, rps: dict[tuple[str, str], float]) -> Demand:
    """Each service at one level, all the time."""
    index = pd.date_range(END - pd.Timedelta(days=days), periods=days * 24, freq="h")
    columns = pd.MultiIndex.from_tuples(rps, names=["app", "location"])
    frame = pd.DataFrame(np.tile(list(rps.values()), (len(index), 1)), index, columns)
    return Demand(frame, frame, (), index[0].to_pydatetime(), END, "by hand", synthetic=False)


def pools(
    days: int, rps: dict[tuple[str, str], float], **options: float
) -> dict[str, purchase.Pool]:
    names = {app for app, _ in rps}
    apps = {name: PROD.apps[name] for name in PROD.apps if name in names}
    capacity = {name: PROD.capacity[name] for name in apps}
    stack = PROD.model_copy(update={"apps": apps, "capacity": capacity})
    found = purchase.pools(stack, demand(days, rps), BOOK, PRICES, **options)
    return {pool.name: pool for pool in found}


def test_apps_of_one_family_and_region_share_a_pool_in_dollars():
    """At 70 %: camera 280 / (40 x 0.7) = 10 machines, voice 175 / (25 x 0.7) = 10 more."""
    made = pools(
        90,
        {
            ("camera", "aws:us-east-1"): 280,
            ("camera", "gcp:europe-west4"): 28,
            ("voice", "aws:us-east-1"): 175,
            ("voice", "aws:eu-central-1"): 17.5,
        },
    )
    pool = made["aws:us-east-1 g6"]
    assert pool.apps == ("camera", "voice")
    assert pool.usage.iloc[-1] == pytest.approx(20 * 0.8048)
    assert pool.ratio == pytest.approx(0.5239 / 0.8048, abs=1e-4)
    assert pool.machine == "g6.xlarge"
    assert not pool.missing
    assert pool.spot_share == 0.3
    assert made["gcp:europe-west4 g2"].usage.iloc[-1] == pytest.approx(0.7429)
    assert next(iter(made)) == "aws:us-east-1 g6"


def test_a_price_that_is_missing_is_named_and_a_discount_of_the_users_fills_it():
    service = {("moderation", "aws:us-east-1"): 40.0}
    pool = pools(90, service)["aws:us-east-1 Lambda"]
    assert pool.ratio is None
    assert pool.missing == (
        "Lambda: no price of a one-year commitment at aws:us-east-1; give your --discount",
    )
    plan = purchase_plan.pool_plan(pool)
    assert (plan.advice, plan.saving) == (None, None)
    assert pools(90, service, discount=0.17)["aws:us-east-1 Lambda"].ratio == pytest.approx(0.83)


def test_a_compute_savings_plan_makes_one_pool_of_all_of_aws():
    rps = {
        ("camera", "aws:us-east-1"): 280.0,
        ("camera", "gcp:europe-west4"): 28.0,
        ("moderation", "aws:us-east-1"): 28.0,
    }
    made = pools(90, rps, compute_discount=0.25)
    assert list(made) == ["aws compute", "gcp:europe-west4 g2"]
    pool = made["aws compute"]
    assert pool.ratio == pytest.approx(0.75)
    assert pool.apps == ("camera", "moderation")
    assert pool.usage.iloc[-1] == pytest.approx(10 * 0.8048 + 10 * 2 * 0.0000041667 * 3600)


def test_a_service_without_telemetry_is_named_and_its_pool_is_not_called_idle():
    made = pools(90, {("voice", "aws:us-east-1"): 175})
    assert "no telemetry" in made["aws:eu-central-1 g6"].missing[0]
    plan = purchase_plan.pool_plan(made["aws:eu-central-1 g6"])
    assert (plan.advice, plan.demand_usd_hour) == (None, None)


def test_hours_missing_of_one_app_are_missing_of_the_pool():
    rps = {("camera", "aws:us-east-1"): 280.0, ("voice", "aws:us-east-1"): 175.0}
    measured = demand(90, rps)
    measured.hourly.iloc[10:20, 0] = np.nan
    apps = {name: PROD.apps[name] for name in ("camera", "voice")}
    stack = PROD.model_copy(
        update={"apps": apps, "capacity": {name: PROD.capacity[name] for name in apps}}
    )
    found = {pool.name: pool for pool in purchase.pools(stack, measured, BOOK, PRICES)}
    assert found["aws:us-east-1 g6"].usage.isna().sum() == 10


@pytest.fixture
def steady() -> purchase.Pool:
    """Ten machines in use all the time."""
    return pools(200, {("health", "aws:eu-west-1"): 210})["aws:eu-west-1 g4dn"]


def test_amounts_are_in_dollars_that_are_paid(steady):
    plan = purchase_plan.pool_plan(steady)
    assert plan.demand_usd_hour == pytest.approx(10 * 0.587)
    covered = plan.commit_usd_hour / (0.4 / 0.587)
    assert 0 < covered <= 10 * 0.587
    saving = plan.saving
    assert saving is not None
    assert saving.if_retired_usd == pytest.approx(-plan.commit_usd_hour * 8760)
    assert saving.low_usd <= saving.usd <= saving.high_usd
    assert plan.commit_usd_month == pytest.approx(730 * plan.commit_usd_hour)


def test_what_runs_in_dollars_is_taken_off(steady):
    first = purchase_plan.pool_plan(steady)
    start = pd.Timestamp(END) - pd.Timedelta("1D")
    running = [(start, start + pd.Timedelta("400D"), first.commit_usd_hour)]
    again = purchase_plan.pool_plan(steady, running)
    assert again.running_usd_hour == pytest.approx(first.commit_usd_hour)
    assert again.commit_usd_hour == pytest.approx(0, abs=1e-6)
    assert again.on_demand_usd_hour == pytest.approx(first.on_demand_usd_hour, abs=1e-6)


def test_short_history_says_so():
    pool = pools(28, {("health", "aws:eu-west-1"): 210})["aws:eu-west-1 g4dn"]
    notes = purchase_plan.pool_plan(pool).notes
    assert "28 days of history: only what was always in use" in notes[0]


def test_a_budget_is_kept_and_never_buys_more_than_was_advised(steady):
    other = pools(200, {("assistant", "aws:us-east-1"): 42})["aws:us-east-1 g6e"]
    plans = [purchase_plan.pool_plan(pool) for pool in (steady, other)]
    wanted = sum(plan.commit_usd_month for plan in plans)
    half = purchase_plan.within_budget(plans, wanted / 2)
    spent = [plan.commit_usd_month for plan in half.plans]
    assert sum(spent) == pytest.approx(wanted / 2)
    assert all(
        after <= plan.commit_usd_month + 1e-6 for after, plan in zip(spent, plans, strict=True)
    )
    assert half.dollar_saves_usd > 0
    enough = purchase_plan.within_budget(plans, wanted * 2)
    assert enough.dollar_saves_usd == 0
    assert sum(plan.commit_usd_month for plan in enough.plans) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pool,start\n", ":1: the columns are 'pool,start'; make them pool,start,end,usd_hour"),
        ("pool,start,end,usd_hour\na,2026-01-01,2025-01-01,1\n", ":2: end 2025-01-01 is not after"),
        ("pool,start,end,usd_hour\na,soon,2027-01-01,1\n", ":2: start 'soon' is no time"),
        ("pool,start,end,usd_hour\na,2026-01-01,2027-01-01,x\n", ":2: usd_hour 'x' is no number"),
        ("pool,start,end,usd_hour\na,2026-01-01,2027-01-01,0\n", ":2: usd_hour 0 is not above"),
        ("pool,start,end,usd_hour\na,2026-01-01\n", ":2: give 4 cells"),
    ],
)
def test_a_bad_file_of_commitments_is_told_by_line(tmp_path, text, problem):
    file = tmp_path / "active.csv"
    file.write_text(text)
    with pytest.raises(purchase_files.PurchaseError) as error:
        purchase_files.running(file)
    assert f"{file}{problem}" in str(error.value)


def test_files_are_read_by_pool(tmp_path):
    active = tmp_path / "active.csv"
    active.write_text("pool,start,end,usd_hour\naws:us-east-1 g6,2026-01-01,2027-01-01,2.5\n")
    ((start, _, usd),) = purchase_files.running(active)["aws:us-east-1 g6"]
    assert (start, usd) == (pd.Timestamp("2026-01-01", tz="UTC"), 2.5)
    spot = tmp_path / "spot.csv"
    spot.write_text(
        "time,pool,zone,available\n2026-01-01,p,a,1\n2026-01-01,p,b,0\n2026-01-01 01:00,p,a,1\n"
    )
    table = purchase_files.availability(spot)["p"]
    assert table["a"].tolist() == [1, 1]
    assert np.isnan(table["b"].iloc[1])


def test_committed_prices_lie_between_a_third_and_nine_tenths_of_on_demand():
    for (service, machine, place), row in PRICES.items():
        assert service == purchase.COMMITTED
        on_demand = BOOK.price("machine", machine, place)
        assert on_demand is not None, (machine, place)
        assert 1 / 3 < row.usd / on_demand < 0.9
