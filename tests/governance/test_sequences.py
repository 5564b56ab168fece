"""Looking every hour does not raise the rate of false alarms, and both answers mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.sequences import sequence, watch


def drawn(rates, *, looks=720, an_hour=20, runs=200, seed=5):
    """[run, look, slice] cumulative counts and numbers."""
    rng = np.random.default_rng(seed)
    k = rng.binomial(an_hour, rates, size=(runs, looks, len(rates))).cumsum(1)
    return k, np.full(k.shape, an_hour).cumsum(1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(1e-6, 0.5))
def test_bounds_hold_the_rate_that_was_seen(hits, misses, alpha):
    low, high = sequence(hits, hits + misses, alpha)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high


def test_more_looks_and_less_error_give_wider_and_more_data_narrower_bounds():
    low, high = sequence(np.array([9, 90, 900, 9000]), np.array([10, 100, 1000, 10000]), 0.05)
    assert (np.diff(high - low) < 0).all()
    wide = sequence(90, 100, 0.001)
    assert wide[0] < low[1] < high[1] < wide[1]


def test_nothing_seen_says_nothing():
    assert [float(x) for x in sequence(0, 0, 0.05)] == [0.0, 1.0]


def test_the_true_rate_is_outside_at_any_of_720_looks_in_no_more_than_five_runs_of_a_hundred():
    k, n = drawn((0.9,), runs=600)
    low, high = sequence(k[..., 0], n[..., 0], 0.05)
    assert ((low > 0.9) | (high < 0.9)).any(-1).mean() <= 0.05
    # Its rival, a 95 % interval made anew at each look, leaves it far more often.
    p = k[..., 0] / n[..., 0]
    error = 1.96 * np.sqrt(p * (1 - p) / n[..., 0])
    assert (abs(p - 0.9) > error).any(-1).mean() > 0.3


@pytest.mark.parametrize(
    ("rates", "alarmed", "cleared"),
    [
        ((0.9, 0.9, 0.9), (0, 0.05), (0.9, 1)),
        ((0.9, 0.9, 0.85), (0, 0.05), (0, 0.05)),
        ((0.9, 0.9, 0.75), (0.95, 1), (0, 0.05)),
    ],
)
def test_alarm_and_clearance_are_rarely_wrong_at_any_look(rates, alarmed, cleared):
    seen = watch(*drawn(rates), tolerance=0.05)
    assert alarmed[0] <= seen.alarm.any(-1).mean() <= alarmed[1]
    assert cleared[0] <= seen.clear.any(-1).mean() <= cleared[1]
    assert not (seen.alarm & seen.clear).any()


def test_the_state_is_that_of_the_last_look():
    k, n = drawn((0.9, 0.6), runs=1)
    assert watch(k[0], n[0], tolerance=0.05).state() == "alarm"
    assert watch(k[0, :1], n[0, :1], tolerance=0.05).state() == "open"
    assert watch(k[0], n[0], tolerance=0.9).state() == "clear"
