"""The contest: a plan is proposed only if it would have won at no more shortfall."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.capacity.contest import contest, judge
from forecasting.capacity.planner import plan
from forecasting.capacity.replay import Replayed
from tests.data_traces import servegen, shaved_ice
from tests.forecasting.services import capacity, demand_of, unpriced, with_capacity

HERE, THERE = ("camera", "aws:us-east-1"), ("voice", "aws:us-east-1")


def row(name: str, hours: float, shortfall: float = 0.0, usd: float | None = None) -> Replayed:
    return Replayed(name, name == "this plan", hours, usd, shortfall, 3)


def rows(ours: tuple[float, float], stood: tuple[float, float], need: float = 50) -> tuple:
    return row("this plan", *ours), row("what stands", *stood), row("perfect oracle", need)


@pytest.mark.parametrize(
    ("ours", "stood", "won", "words"),
    [
        ((80, 0.004), (100, 0.0), True, "-20% cost at 0.4% shortfall"),
        ((80, 0.011), (100, 0.0), False, "more than the promised 1.0%"),
        ((98, 0.004), (100, 0.0), False, "a change is worth 3%"),
        ((130, 0.004), (100, 0.03), True, "+30% cost at 0.4% shortfall, 3.0% before"),
        ((60, 0.04), (100, 0.03), False, "it would drop no less"),
        ((80, 0.015), (100, 0.03), True, "-20% cost at 1.5% shortfall, 3.0% before"),
    ],
)
def test_a_plan_wins_by_cost_within_the_promise_or_by_dropping_less(ours, stood, won, words):
    verdict = judge(rows(ours, stood), 0.01)
    assert verdict is not None
    assert verdict.won is won
    assert words in verdict.reason


def test_without_a_capacity_that_stands_there_is_no_contest():
    assert judge((row("this plan", 80),), 0.01) is None
    assert judge((), 0.01) is None


def test_together_the_shortfall_is_weighed_by_what_demand_needs():
    held = contest(
        {HERE: rows((80, 0.008), (100, 0.0), need=90), THERE: rows((20, 0.0), (20, 0.0), need=10)},
        {HERE: 0.01, THERE: 0.01},
    )
    ours, stood, oracle = held.total
    assert (ours.replica_hours, stood.replica_hours, oracle.replica_hours) == (100, 120, 100)
    assert ours.shortfall == pytest.approx(0.0072)
    assert held.verdict is not None
    assert held.verdict.won
    assert held.won == 1


def test_what_cannot_be_compared_is_named_and_no_price_is_not_zero():
    new = (row("this plan", 5), row("perfect oracle", 4))
    third = ("health", "aws:us-east-1")
    priced = tuple(
        Replayed(r.name, r.ours, r.replica_hours, 7.0, 0.0, 3) for r in rows((8, 0), (9, 0))
    )
    services = {HERE: priced, THERE: rows((8, 0), (9, 0)), third: new}
    held = contest(services, dict.fromkeys(services, 0.01))
    assert held.left_out == (third,)
    assert held.unpriced == (THERE,)
    assert held.total[0].replica_hours == 16
    assert held.total[0].usd == 7.0
    assert contest({third: new}, {third: 0.01}).total == ()


@pytest.mark.slow
@pytest.mark.parametrize("trace", ["shaved ice", "servegen"])
def test_on_real_traces_only_winners_are_proposed_and_together_they_beat_the_rules(prod, trace):
    """Rivals: KRR and VPA by cost, and the 95 % of services they keep; a reactive HPA by cost."""
    services = prod.services()[:6]
    names = {app for app, _ in services}
    peaks = [
        n * prod.apps[app].serving.rps_per_replica
        for n, (app, _) in zip((6, 9, 14, 20, 30, 40), services, strict=True)
    ]
    frame = (
        shaved_ice(services, days=21, peak_rps=peaks)
        if trace == "shaved ice"
        else servegen(services, peak_rps=peaks)
    )
    end = (frame["time"].max().ceil("D")).to_pydatetime()
    stands: dict = {}
    for (app, place), n in zip(services, (6, 9, 14, 20, 30, 40), strict=True):
        stands.setdefault(app, {})[place] = capacity(n, 2 * n)
    apps = {
        name: app.model_copy(
            update={"regions": tuple(p for a, p in services if a == name), "edge": ()}
        )
        for name, app in prod.apps.items()
        if name in names
    }
    stack = with_capacity(prod.model_copy(update={"apps": apps}), stands)
    made = plan(stack, demand_of(frame, at=end), unpriced)
    promised = {one: prod.apps[one[0]].slo.max_shortfall for one in services}
    proposed = [one for one in made.services if one.status == "changed"]
    assert len(proposed) >= 3
    for one in proposed:
        ours, stood = one.replay[0], one.replay[1]
        assert ours.shortfall <= max(promised[one.app, one.location], stood.shortfall)
        assert ours.replica_hours < stood.replica_hours or stood.shortfall > ours.shortfall
    held = contest({(one.app, one.location): one.replay for one in made.services}, promised)
    by_name = {one.name: one for one in held.total}
    ours = by_name["this plan"]
    assert ours.shortfall <= 0.01
    assert ours.replica_hours < by_name["what stands"].replica_hours
    assert ours.replica_hours < by_name["KRR rule"].replica_hours
    assert ours.replica_hours < by_name["VPA rule"].replica_hours
    assert np.isfinite(ours.replica_hours)
