"""Known events: past ones teach, future ones raise the forecast, and usual days are left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecasting import DemandForecaster
from forecasting.capacity.replay import outlook
from stacks.records import Event
from tests.forecasting.test_forecaster import LEVELS, weekly

DAYS = 28
DEMAND = weekly(DAYS + 1).set_axis(["camera", "voice", "health"], axis=1)
START = DEMAND.index[0]


def event(day: int, name: str = "sale", **others) -> Event:
    """From 08:00 to 20:00 of a day of the trace."""
    start = START + pd.Timedelta(days=day, hours=8)
    times = {"start": start.to_pydatetime(), "end": (start + pd.Timedelta("12h")).to_pydatetime()}
    return Event(name=name, kind=others.pop("kind", "campaign"), **times, **others)


def moved(events: list[Event], multiplier: float, demand: pd.DataFrame = DEMAND) -> pd.DataFrame:
    """Demand as those events make it."""
    result = demand.copy()
    for one in events:
        during = (result.index >= one.start) & (result.index < one.end)
        apps = list(one.apps) or list(result.columns)
        result.loc[during, apps] *= multiplier
    return result


def forecast(demand: pd.DataFrame, events: list[Event]) -> pd.DataFrame:
    return DemandForecaster(LEVELS).fit(demand.iloc[: 24 * DAYS], events=events).predict(24)


def loss(quantiles: pd.DataFrame, demand: pd.DataFrame) -> float:
    """Pinball loss over all levels, each series by its own mean."""
    total = 0.0
    for name in demand.columns:
        met = demand[name].to_numpy()[-24:, None]
        error = met - quantiles[name].to_numpy()
        total += np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error).mean()
        total /= met.mean()
    return total


def test_a_campaign_that_is_announced_beats_the_forecast_that_does_not_know():
    coming = event(DAYS, expected_multiplier=3)
    demand = moved([coming], 3)
    assert loss(forecast(demand, [coming]), demand) < 0.3 * loss(forecast(demand, []), demand)


def test_past_events_of_the_name_teach_what_nobody_has_told():
    events = [event(day) for day in (9, 20, DAYS)]
    demand = moved(events, 2.5)
    knows, ignores = forecast(demand, events), forecast(demand, [])
    assert loss(knows, demand) < 0.5 * loss(ignores, demand)


def test_what_was_measured_outweighs_what_was_expected():
    events = [event(day, expected_multiplier=8) for day in (9, 20, DAYS)]
    demand = moved(events, 2)
    middle = forecast(demand, events).xs(0.5, axis=1, level="level").iloc[8:20]
    usual = forecast(DEMAND, []).xs(0.5, axis=1, level="level").iloc[8:20]
    assert ((middle / usual).to_numpy() > 2).all()
    assert ((middle / usual).to_numpy() < 4.5).all()


def test_a_past_event_does_not_raise_usual_days():
    past = event(DAYS - 1)
    demand = moved([past], 5)
    never = forecast(DEMAND, [])
    knows = (forecast(demand, [past]) / never - 1).abs().to_numpy().mean()
    ignores = (forecast(demand, []) / never - 1).abs().to_numpy().mean()
    assert knows < 0.15 * ignores


def test_an_event_moves_its_own_apps_only():
    coming = event(DAYS, apps=("voice",), expected_multiplier=2)
    ratio = forecast(DEMAND, [coming]) / forecast(DEMAND, [])
    assert (ratio["voice"].iloc[8:20].to_numpy() >= 2 - 1e-9).all()
    assert np.allclose(ratio.iloc[[*range(8), *range(20, 24)]], 1)
    assert np.allclose(ratio[["camera", "health"]], 1)


def test_columns_of_services_are_found_by_their_app():
    places = pd.MultiIndex.from_product([["voice"], ["aws:us-east-1", "aws:eu-west-1"]])
    demand = weekly(DAYS, series=2).set_axis(places, axis=1)
    coming = event(DAYS, apps=("voice",), expected_multiplier=2)
    fitted = DemandForecaster(LEVELS).fit(demand, events=[coming])
    usual = DemandForecaster(LEVELS).fit(demand).predict(24)
    assert (fitted.predict(24).to_numpy() / usual.to_numpy() >= 2 - 1e-9)[8:20].all()


def test_the_outlook_that_plans_are_made_from_knows_the_events():
    coming = event(DAYS, apps=("voice",), expected_multiplier=2)
    usual = outlook(DEMAND.iloc[: 24 * DAYS]).quantiles
    ratio = outlook(DEMAND.iloc[: 24 * DAYS], events=[coming]).quantiles / usual
    assert (ratio[8:20, 1] >= 2 - 1e-9).all()
    assert np.allclose(ratio[:, [0, 2]], 1)


def test_what_is_less_known_spreads_more():
    coming = event(DAYS, expected_multiplier=4)
    raised = forecast(DEMAND, [coming]).iloc[8:20] / forecast(DEMAND, []).iloc[8:20]
    factor = raised.T.groupby(level="level").mean().T.mean()
    assert factor[0.5] == pytest.approx(4)
    assert factor[0.5] < factor[0.9] < factor[0.95] < factor[0.99]


def test_maintenance_lowers_the_forecast():
    coming = event(DAYS, kind="maintenance", expected_multiplier=0.1)
    demand = moved([coming], 0.1)
    assert loss(forecast(demand, [coming]), demand) < 0.5 * loss(forecast(demand, []), demand)


def test_an_event_before_all_history_changes_nothing():
    long_ago = event(-400, expected_multiplier=3)
    pd.testing.assert_frame_equal(forecast(DEMAND, [long_ago]), forecast(DEMAND, []))


def test_the_week_ahead_has_the_event_on_its_day():
    coming = event(DAYS + 3, expected_multiplier=3)
    fitted = DemandForecaster(LEVELS).fit(DEMAND.iloc[: 24 * DAYS], events=[coming])
    usual = DemandForecaster(LEVELS).fit(DEMAND.iloc[: 24 * DAYS]).predict(168)
    ratio = (fitted.predict(168).to_numpy() / usual.to_numpy()).mean(axis=1)
    assert list(np.flatnonzero(ratio > 1.01)) == list(range(72 + 8, 72 + 20))
