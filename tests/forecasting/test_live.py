"""Live traffic corrects the rest of the day, and says nothing where nothing is new."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting import DemandForecaster
from tests.forecasting.test_forecaster import LEVELS, weekly

SEEN = 6


def shifting(days: int = 29, seed: int = 3) -> pd.DataFrame:
    """Services whose level jumps at midnight, by a third up or down, and stays for the day."""
    random = np.random.default_rng(seed)
    level = np.exp(random.choice([-0.3, 0.0, 0.3], (days, 3)))
    return weekly(days) * np.repeat(level, 24, axis=0)


def loss(quantiles: pd.DataFrame, demand: pd.DataFrame) -> float:
    values = quantiles.to_numpy().reshape(len(quantiles), -1, len(LEVELS))
    scale = demand.mean().to_numpy()[:, None]
    error = demand.loc[quantiles.index].to_numpy()[..., None] - values
    return float(
        np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error / scale).mean()
    )


def test_it_beats_the_uncorrected_forecast_where_levels_shift():
    corrected, plain = 0.0, 0.0
    for seed in range(5):
        demand = shifting(seed=seed)
        fitted = DemandForecaster(LEVELS).fit(demand.iloc[:-24])
        corrected += loss(fitted.nowcast(demand.iloc[-24 : -24 + SEEN]), demand)
        plain += loss(fitted.predict(24).iloc[SEEN:], demand)
    assert corrected < 0.75 * plain


def test_a_day_as_forecast_changes_nothing():
    fitted = DemandForecaster(LEVELS).fit(weekly(28))
    ahead = fitted.predict(24)
    as_forecast = pd.DataFrame({name: ahead[name, 0.5] for name in weekly(1)}).iloc[:SEEN]
    pd.testing.assert_frame_equal(fitted.nowcast(as_forecast), ahead.iloc[SEEN:])


def test_fine_steps_count_by_the_peak_of_whole_hours():
    demand = shifting()
    fitted = DemandForecaster(LEVELS).fit(demand.iloc[:-24])
    hourly = demand.iloc[-24 : -24 + SEEN]
    times = pd.date_range(hourly.index[0], periods=6 * SEEN + 2, freq="10min")
    fine = hourly.reindex(times, method="ffill") * np.where(times.minute == 30, 1, 0.9)[:, None]
    pd.testing.assert_frame_equal(fitted.nowcast(fine), fitted.nowcast(hourly))


def test_hours_without_telemetry_say_nothing():
    demand = shifting()
    fitted = DemandForecaster(LEVELS).fit(demand.iloc[:-24])
    live = demand.iloc[-24 : -24 + SEEN].copy()
    live["s0"] = np.nan
    ahead = fitted.predict(24).iloc[SEEN:]
    corrected = fitted.nowcast(live)
    pd.testing.assert_frame_equal(corrected[["s0"]], ahead[["s0"]])
    assert not np.allclose(corrected[["s1"]], ahead[["s1"]], rtol=0.01)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda live: live.iloc[1:], "the history asks for 2026-03-30 00:00"),
        (lambda live: live[["s1", "s0", "s2"]], "columns of the history"),
        (lambda live: live.tz_localize(None), "time zone"),
        (lambda live: live.iloc[:0], "rows"),
        (lambda live: live.drop(live.index[2]), "regular step"),
    ],
)
def test_live_traffic_that_does_not_fit_is_refused(spoil, words):
    demand = weekly(29)
    fitted = DemandForecaster(LEVELS).fit(demand.iloc[:-24])
    with pytest.raises(ValueError, match=words):
        fitted.nowcast(spoil(demand.iloc[-24 : -24 + SEEN]))


def test_a_day_that_is_over_asks_for_a_new_fit():
    demand = weekly(29)
    with pytest.raises(ValueError, match="24 h ahead, and the forecast 24 h"):
        DemandForecaster(LEVELS).fit(demand.iloc[:-24]).nowcast(demand.iloc[-24:])


@pytest.mark.parametrize("known_hours", [5, 24, 30, 60])
def test_a_day_or_less_of_history_teaches_no_persistence_and_breaks_nothing(known_hours):
    demand = weekly(29)
    end = len(demand) - 24
    fitted = DemandForecaster(LEVELS).fit(demand.iloc[end - known_hours : end])
    corrected = fitted.nowcast(5 * demand.iloc[end : end + SEEN])
    assert np.isfinite(corrected.to_numpy()).all()
    assert len(corrected) == 24 - SEEN
