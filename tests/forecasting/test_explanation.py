"""Every forecast says who spoke, how calibrated it has been, and when not to trust it."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting import DemandForecaster
from tests.forecasting.test_forecaster import LEVELS, weekly


def explained(demand):
    return DemandForecaster(LEVELS).fit(demand).explain()


def test_weights_add_up_and_coverage_is_told_for_each_level():
    told = explained(weekly(28))
    assert list(told) == ["s0", "s1", "s2"]
    for one in told.values():
        assert 0.95 < sum(weight for _, weight in one.experts) <= 1 + 1e-9
        assert tuple(one.coverage) == LEVELS
        assert sorted(one.coverage.values()) == list(one.coverage.values())
        assert one.judged_share == 0


def test_coverage_is_of_days_that_were_not_learned_from():
    demand = weekly(28)
    demand.iloc[-24 * 7 :] *= np.repeat([1.6, 0.5, 1.7, 0.4, 1.6, 0.6, 1.8], 24)[:, None]
    told = explained(demand)
    assert min(one.coverage[0.95] for one in told.values()) < 0.85
    assert any("q95 has covered" in line for line in told["s0"].warnings)


def test_a_flat_service_is_spoken_for_by_a_rule_or_by_itself():
    demand = weekly(28, series=5)
    demand["s4"] = 50.0
    assert explained(demand)["s4"].experts[0][0] != "pooled stack"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: np.where(np.arange(len(v)) < len(v) - 30, np.nan, v), "30 h of history"),
        (lambda v: np.where(np.arange(len(v)) < len(v) - 240, np.nan, v), "10 d of history"),
        (lambda v: np.where(np.arange(len(v)) >= len(v) - 24, 3 * v, v), "x the week before"),
        (lambda v: np.where(np.arange(len(v)) >= len(v) - 24, 0, v), "no demand in the last day"),
        (lambda v: np.where(np.arange(len(v)) >= len(v) - 24, np.nan, v), "nothing is known"),
        (lambda v: np.where(np.arange(len(v)) % 4 == 1, np.nan, v), "25% of the hours are missing"),
        (np.zeros_like, "no demand so far"),
    ],
)
def test_it_warns_of_what_speaks_against_it(spoil, words):
    demand = weekly(28)
    demand["s1"] = spoil(demand["s1"].to_numpy())
    told = explained(demand)
    assert any(words in line for line in told["s1"].warnings)
    assert not any(words in line for line in told["s0"].warnings)


def test_a_service_without_known_hours_has_no_coverage():
    demand = weekly(28)
    demand.iloc[-24 * 8 :, 1] = np.nan
    told = explained(demand)
    assert told["s1"].coverage == {}
    assert told["s0"].coverage


@pytest.mark.parametrize("hours", [5, 24, 30, 60])
def test_any_history_can_be_explained(hours):
    assert f"{hours} h of history" in explained(weekly(28).iloc[-hours:])["s0"].warnings


def test_with_a_day_or_two_it_says_that_it_is_judgement():
    told = explained(weekly(28).iloc[-30:])["s0"]
    assert told.judged_share > 0.99
    assert told.experts == (("pooled stack", 1.0),)
