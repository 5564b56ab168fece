"""Services as they come: new, launched, idle and back, dying, with gaps. Each case names its rival."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting import DemandForecaster
from tests.forecasting.test_forecaster import LEVELS, regret, weekly

TEST_DAYS = 5
RULES = {
    "7-day max": lambda past: np.repeat(past[-168:].max(0)[None], 24, axis=0),
    "KRR (P95 of 7 d)": lambda past: np.repeat(
        np.quantile(past[-168:], 0.95, axis=0)[None], 24, axis=0
    ),
    "VPA (P90 of 8 d x 1.15)": lambda past: np.repeat(
        1.15 * np.quantile(past[-192:], 0.9, axis=0)[None], 24, axis=0
    ),
    "yesterday x 1.3": lambda past: 1.3 * past[-24:],
}


def regrets(
    demand: pd.DataFrame, test_days: int = TEST_DAYS, known_hours: int | None = None
) -> dict[str, float]:
    """Of each policy over the last days: a fit from nothing, and the rules, on each."""
    values = demand.to_numpy()
    plans: dict[str, list[np.ndarray]] = {}
    for back in range(test_days, 0, -1):
        end = len(values) - 24 * back
        known = slice(0 if known_hours is None else end - known_hours, end)
        quantiles = DemandForecaster(LEVELS).fit(demand.iloc[known]).predict(24)
        plans.setdefault("ours", []).append(quantiles.xs(0.95, axis=1, level="level").to_numpy())
        for name, rule in RULES.items():
            plans.setdefault(name, []).append(rule(np.nan_to_num(values[known])))
    met = values[-24 * test_days :].reshape(test_days, 24, -1)
    return {name: regret(np.array(plan), met) for name, plan in plans.items()}


def ours_and_best_rule(
    demand: pd.DataFrame, test_days: int = TEST_DAYS, known_hours: int | None = None
) -> tuple[float, float]:
    found = regrets(demand, test_days, known_hours)
    return found.pop("ours"), min(found.values())


@pytest.mark.parametrize(("days", "at_most"), [(1.25, 1.1), (3, 0.95), (8, 0.7), (21, 0.45)])
def test_each_rung_of_short_history_stands_beside_the_rule_that_hindsight_picks(days, at_most):
    ours, rule = 0.0, 0.0
    for seed in range(2):
        one, other = ours_and_best_rule(weekly(28, seed), 7, known_hours=int(24 * days))
        ours, rule = ours + one, rule + other
    assert ours < at_most * rule


def test_a_service_that_returns_from_idleness_is_served_better_than_by_yesterday():
    demand = weekly(42)
    demand.iloc[24 * 28 : 24 * 36, 0] = 0
    found = regrets(demand)
    assert found["ours"] < found["yesterday x 1.3"]
    assert found["ours"] < min(value for name, value in found.items() if name != "ours")


def test_a_step_in_level_is_followed_sooner_than_by_the_best_rule():
    demand = weekly(28)
    demand.iloc[24 * 24 :, 0] *= 2.5
    demand.iloc[24 * 24 :, 1] *= 0.4
    ours, rule = ours_and_best_rule(demand, test_days=3)
    assert ours < 0.9 * rule


def test_a_launch_among_old_services_beats_the_best_rule():
    demand = weekly(28, series=6)
    demand.iloc[: 24 * 22, 0] = np.nan
    ours, rule = ours_and_best_rule(demand)
    assert ours < 0.7 * rule


def test_a_dying_service_is_given_up_within_days():
    demand = weekly(42)
    fade = np.ones(len(demand))
    fade[24 * 28 :] = 0.5 ** ((np.arange(len(demand) - 24 * 28)) / 48)
    demand["s0"] *= fade
    quantiles = DemandForecaster(LEVELS).fit(demand).predict(24)
    seven_day_max = demand["s0"].iloc[-168:].max()
    assert quantiles["s0"][0.95].max() < 0.4 * seven_day_max
    ours, rule = ours_and_best_rule(demand)
    assert ours < 0.9 * rule


def test_gaps_cost_little_and_less_than_the_best_rule():
    demand = weekly(28)
    holes = demand.copy()
    random = np.random.default_rng(0)
    holes[pd.DataFrame(random.random(demand.shape) < 0.1, demand.index, demand.columns)] = np.nan
    holes.iloc[-24 * TEST_DAYS :] = demand.iloc[-24 * TEST_DAYS :]
    ours, rule = ours_and_best_rule(holes)
    whole, _ = ours_and_best_rule(demand)
    assert ours < 0.8 * rule
    assert ours < 1.25 * whole


def test_a_flat_service_costs_no_more_than_its_own_maximum():
    """What a pooled model alone gets wrong: a margin for all, where one series never moves."""
    demand = weekly(28, series=5)
    demand["s4"] = 50.0
    quantiles = DemandForecaster(LEVELS).fit(demand).predict(24)
    assert (quantiles["s4"][0.95] < 50.0 * 1.03).all()
    assert (quantiles["s4"][0.95] >= 50.0 * 0.999).all()
