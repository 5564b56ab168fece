"""How much may be spot: by hand, and on held-out weeks of real availability."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting.purchase.spot import PROMISE_MARGIN, SpotPlan, plan_spot
from tests import data_traces

STEP_MINUTES, DAY = 5, 288
COLD_START_MINUTES = 6


def zones(days: int = 40, **lost: list[tuple[int, int]]) -> pd.DataFrame:
    """Zones that are up but for these (first step, steps)."""
    index = pd.date_range("2024-01-01", periods=days * DAY, freq=f"{STEP_MINUTES}min", tz="UTC")
    table = pd.DataFrame(1.0, index=index, columns=list(lost))
    for zone, spans in lost.items():
        for first, count in spans:
            table.loc[index[first : first + count], zone] = 0.0
    return table


def planned(available: pd.DataFrame, **changed: float) -> SpotPlan:
    asked = {
        "on_demand_usd": 1.0,
        "spot_usd": 0.35,
        "cold_start_minutes": COLD_START_MINUTES,
        "max_shortfall": 0.01,
    }
    return plan_spot(available, **{**asked, **changed})


def daily_loss(available: pd.DataFrame, names: tuple[str, ...], over: float, share: float) -> list:
    """Share of each day's demand that is lost, stepped through by hand."""
    up = available[list(names)].to_numpy()
    step = (available.index[1] - available.index[0]).total_seconds() / 60
    lag = int(np.ceil(COLD_START_MINUTES / step))
    missing = [
        max(0.0, 1 - (1 + over) * up[max(0, t - lag) : t + 1].min(0).mean()) for t in range(len(up))
    ]
    lost = [missing[t] - min(missing[max(0, t - lag) : t + 1]) for t in range(len(up))]
    day = int(24 * 60 / step)
    return [share * np.mean(lost[i : i + day]) for i in range(0, len(lost) - day + 1, day)]


def test_spot_that_is_always_there_may_be_all():
    plan = planned(zones(a=[], b=[]))
    assert (plan.share, plan.over_provision, plan.binding) == (1.0, 0.0, None)
    assert plan.expected_saving == pytest.approx(0.65)


def test_the_cap_of_the_stack_file_holds():
    assert planned(zones(a=[]), most=0.4).share == 0.4


def test_the_share_is_the_promise_over_the_loss_of_the_binding_day():
    """Ten losses a day in one zone, two steps each until replaced: 20 of 288 steps at full share."""
    spans = [(day * DAY + 20 * k, 10) for day in range(40) for k in range(1, 11)]
    plan = planned(zones(a=spans))
    assert plan.share == pytest.approx(PROMISE_MARGIN * 0.01 / (20 / DAY))
    assert plan.loss == pytest.approx(PROMISE_MARGIN * 0.01)
    assert plan.binding is not None
    assert "loses 0.50%" in plan.reason


def test_losses_at_different_times_are_borne_by_spreading():
    one = [(day * DAY + 28 * k, 10) for day in range(40) for k in range(10)]
    other = [(first + 14, count) for first, count in one]
    alone, spread = planned(zones(a=one)), planned(zones(a=one, b=other))
    assert sorted(spread.zones) == ["a", "b"]
    assert spread.share > 2 * alone.share
    assert spread.expected_saving > alone.expected_saving


def test_zones_that_are_lost_together_are_not_worth_spreading_over():
    spans = [(day * DAY + 20 * k, 10) for day in range(40) for k in range(1, 11)]
    assert planned(zones(a=spans, b=spans)).zones == ("a",)


def test_a_slower_start_allows_less():
    spans = [(day * DAY + 20 * k, 10) for day in range(40) for k in range(1, 11)]
    shares = [planned(zones(a=spans), cold_start_minutes=m).share for m in (5, 10, 20)]
    assert shares[0] > shares[1] > shares[2]


def test_spot_that_is_dearer_or_never_there_is_not_bought():
    assert planned(zones(a=[]), spot_usd=1.2).share == 0
    never = planned(zones(a=[(0, 40 * DAY)]))
    assert (never.share, never.zones) == (0.0, ())
    assert "too often" in never.reason


def test_too_few_days_for_the_confidence_are_refused():
    with pytest.raises(ValueError, match="10 days of spot availability; 95% confidence needs 19"):
        planned(zones(days=10, a=[]))


def test_hours_that_were_not_watched_are_no_outage():
    table = zones(a=[], b=[])
    table.iloc[100:200, 0] = np.nan
    assert planned(table).share == 1.0


def test_the_promise_holds_on_held_out_days_where_averages_alone_would_break_it():
    """Every nine of 45 days in turn are held out from nine real zones.

    The rival buys all its capacity as spot in the zone that is up most: by averages that is cheapest.
    """
    available = data_traces.spot_availability()
    day = int(pd.Timedelta("1D") / (available.index[1] - available.index[0]))
    available = available.iloc[-45 * day :]
    ours, rival, savings = [], [], []
    for first in range(0, 45 * day, 9 * day):
        held_out = available.iloc[first : first + 9 * day]
        past = available.drop(held_out.index)
        past = past.set_axis(available.index[: len(past)])
        plan = planned(past, confidence=0.95)
        savings.append(plan.expected_saving)
        ours += daily_loss(held_out, plan.zones, plan.over_provision, plan.share)
        rival += daily_loss(held_out, (str(past.mean().idxmax()),), 0.0, 1.0)
    assert np.mean(np.array(ours) <= 0.01) >= 0.95, ours
    assert np.mean(np.array(rival) <= 0.01) < 0.7, rival
    assert min(savings) > 0.05, savings
