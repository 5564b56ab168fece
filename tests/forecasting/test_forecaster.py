"""DemandForecaster: sound on any input, better than the rules in use, and blind to the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from forecasting import DemandForecaster
from forecasting.quantiles.forecaster import training_series

LEVELS = (0.5, 0.9, 0.95, 0.99)


def weekly(days: int = 28, seed: int = 0, series: int = 3) -> pd.DataFrame:
    """Daily and weekly cycles, each series with its own, growth and noise."""
    random = np.random.default_rng(seed)
    index = pd.date_range("2026-03-02", periods=24 * days, freq="h", tz="UTC")
    hour, day = index.hour.to_numpy(), index.day_of_week.to_numpy()
    columns = {}
    for i in range(series):
        shape = 1.3 + np.sin(2 * np.pi * (hour - 3 * i) / 24) * np.where(day >= 5, 0.4, 1.0)
        level = np.exp(
            np.cumsum(random.normal(0, 0.01, len(index))) + 0.0004 * np.arange(len(index))
        )
        columns[f"s{i}"] = (
            10.0 ** (i + 1) * shape * level * np.exp(random.normal(0, 0.06, len(index)))
        )
    return pd.DataFrame(columns, index=index)


def sound(quantiles: pd.DataFrame, demand: pd.DataFrame, hours: int = 24) -> np.ndarray:
    expected = pd.date_range(demand.index[-1] + pd.Timedelta("1h"), periods=hours, freq="h")
    assert quantiles.index.equals(expected)
    wanted: list[object] = [(s, level) for s in demand.columns for level in LEVELS]
    assert quantiles.columns.to_list() == wanted
    values = quantiles.to_numpy().reshape(hours, -1, len(LEVELS))
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values, axis=-1) >= 0).all()
    peak = np.nan_to_num(demand.max().to_numpy())
    assert (values.max((0, 2)) <= 3 * peak + 1e-9).all()
    return values


def regret(capacity: np.ndarray, demand: np.ndarray) -> float:
    """Capacity and 20 x unserved demand over demand, each series over its own mean."""
    scale = demand.mean((0, 1))
    capacity, demand = capacity / scale, demand / scale
    return float((capacity + 20 * np.maximum(demand - capacity, 0)).sum() / demand.sum() - 1)


def rolled(days: int = 7) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Capacity of each policy and the demand it met, over the last days; coverage of q95."""
    demand = weekly(35)
    plans: dict[str, list[np.ndarray]] = {}
    actual = []
    for back in range(days, 0, -1):
        end = len(demand) - 24 * back
        past, values = demand.iloc[:end], demand.to_numpy()[:end]
        quantiles = DemandForecaster(LEVELS).fit(past).predict(24)
        for name, capacity in {
            "ours": quantiles.xs(0.95, axis=1, level="level").to_numpy(),
            "last week x 1.3": 1.3 * values[-168:-144],
            "yesterday x 1.3": 1.3 * values[-24:],
            "7-day max": np.repeat(values[-168:].max(0)[None], 24, axis=0),
            "hour-of-day max of 7 d": values[-168:].reshape(7, 24, -1).max(0),
        }.items():
            plans.setdefault(name, []).append(capacity)
        actual.append(demand.to_numpy()[end : end + 24])
    met = np.array(actual)
    covered = float((met <= np.array(plans["ours"])).mean())
    return {name: np.array(plan) for name, plan in plans.items()}, met, covered


def test_it_beats_the_rules_in_use_on_cyclic_demand_and_is_calibrated():
    plans, met, covered = rolled()
    regrets = {name: regret(plan, met) for name, plan in plans.items()}
    rivals = [value for name, value in regrets.items() if name != "ours"]
    assert regrets["ours"] < 0.8 * min(rivals)
    assert 0.91 <= covered <= 0.99


def test_it_is_a_scikit_learn_estimator():
    forecaster = DemandForecaster(levels=(0.5, 0.9), training_days=20)
    copy = clone(forecaster)
    assert copy.get_params() == forecaster.get_params()
    assert copy is not forecaster
    assert forecaster.fit(weekly(10)) is forecaster
    assert not [name for name in vars(copy) if name.endswith("_")]
    given = {"levels", "training_days"}
    assert all(name in given or name.endswith("_") for name in vars(forecaster))
    assert copy.set_params(levels=(0.9,)).get_params()["levels"] == (0.9,)


@pytest.mark.parametrize("hours", [1, 24, 30, 168])
@pytest.mark.parametrize("days", [1.25, 2, 3, 8, 21])
def test_any_history_gives_a_sound_forecast_of_up_to_a_week(days, hours):
    demand = weekly(21).iloc[-int(24 * days) :]
    values = sound(DemandForecaster(LEVELS).fit(demand).predict(hours), demand, hours)
    assert (
        values[:, :, -1].max(0) > 0.5 * demand.iloc[-24:].max().to_numpy() * (hours >= 24)
    ).all()


def test_more_than_a_week_is_refused():
    with pytest.raises(ValueError, match="168"):
        DemandForecaster(LEVELS).fit(weekly(10)).predict(169)


def test_levels_are_checked():
    with pytest.raises(ValueError, match=r"between 0 and 1"):
        DemandForecaster((0.5, 1.5)).fit(weekly(10))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: pd.concat([d, d.iloc[-3:]]).sort_index(), "duplicated timestamps"),
        (lambda d: d.drop(d.index[[50, 51]]), "irregular index"),
        (lambda d: d.iloc[::-1], "irregular index"),
        (lambda d: d.resample("10min").ffill(), "irregular index"),
        (
            lambda d: d.assign(s0=d["s0"].where(d.index != d.index[7], -1.0)),
            "negative demand in column 's0'",
        ),
        (
            lambda d: d.assign(s0=d["s0"].where(d.index != d.index[7], np.inf)),
            "infinite demand in column 's0'",
        ),
        (lambda d: d.reset_index(drop=True), "DatetimeIndex"),
        (lambda d: d.tz_localize(None), "time zone"),
        (lambda d: d.iloc[:0], "empty"),
        (lambda d: d.iloc[:, :0], "empty"),
        (lambda d: d.set_axis(["a", "b", "a"], axis=1), "duplicated series 'a'"),
    ],
)
def test_input_that_is_wrong_is_refused_with_its_name(spoil, words):
    with pytest.raises(ValueError, match=words):
        DemandForecaster(LEVELS).fit(spoil(weekly(10)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: np.where(np.arange(len(v)) >= len(v) - 48, np.nan, v),
        lambda v: np.where(np.arange(len(v)) < len(v) - 30, np.nan, v),
        lambda v: np.where((np.arange(len(v)) // 3) % 2, np.nan, v),
        lambda v: np.where(np.arange(len(v)) < len(v) - 24, 0.0, v),
        lambda v: np.where(np.arange(len(v)) >= len(v) - 240, 1000 * v, v),
        lambda v: np.where(np.arange(len(v)) >= len(v) - 6, 10 * v, v),
        np.zeros_like,
        lambda v: np.full_like(v, np.nan),
        lambda v: np.full_like(v, 7.0),
    ],
)
def test_a_spoilt_series_gives_a_sound_forecast_and_leaves_its_neighbours_alone(spoil):
    healthy = weekly(28)
    demand = healthy.copy()
    demand["s0"] = spoil(healthy["s0"].to_numpy())
    values = sound(DemandForecaster(LEVELS).fit(demand).predict(24), demand)
    alone = DemandForecaster(LEVELS).fit(healthy).predict(24).to_numpy().reshape(24, -1, 4)
    peaks = values[:, 1:, 2].max(0) / alone[:, 1:, 2].max(0)
    assert ((peaks > 0.75) & (peaks < 1.35)).all()


@settings(max_examples=25)
@given(st.integers(26, 300), st.integers(0, 2**16), st.sampled_from([0.0, 0.1, 0.6]))
def test_any_demand_gives_a_sound_forecast(hours, seed, missing):
    random = np.random.default_rng(seed)
    values = random.lognormal(0, random.uniform(0, 3), (hours, 3)) * random.choice(
        [0, 1e-6, 1, 1e9], 3
    )
    values[random.random(values.shape) < missing] = np.nan
    values *= np.where(random.random(values.shape) < missing, 0, 1)
    index = pd.date_range("2026-03-02 05:00", periods=hours, freq="h", tz="UTC")
    demand = pd.DataFrame(values, index, list("abc"))
    sound(DemandForecaster(LEVELS).fit(demand).predict(24), demand)


@settings(max_examples=10)
@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3))
def test_each_series_may_come_in_its_own_unit(factors):
    demand = weekly(12)
    plain = DemandForecaster(LEVELS).fit(demand).predict(24)
    scaled = DemandForecaster(LEVELS).fit(demand * np.array(factors)).predict(24)
    assert np.allclose(scaled, plain * np.repeat(factors, 4), rtol=2e-2, atol=1e-9)


@settings(max_examples=10)
@given(st.permutations(range(3)))
def test_the_order_of_the_series_does_not_matter(order):
    demand = weekly(12)
    plain = DemandForecaster(LEVELS).fit(demand).predict(24)
    turned = DemandForecaster(LEVELS).fit(demand.iloc[:, list(order)]).predict(24)
    assert np.allclose(turned[plain.columns], plain, rtol=2e-2)


@settings(max_examples=10)
@given(st.integers(1, 52))
def test_moving_the_calendar_by_whole_weeks_changes_nothing(weeks):
    demand = weekly(12)
    moved = demand.set_axis(demand.index + pd.Timedelta(days=7 * weeks))
    plain = DemandForecaster(LEVELS).fit(demand).predict(24)
    assert np.array_equal(DemandForecaster(LEVELS).fit(moved).predict(24), plain)


def test_the_same_demand_gives_the_same_bytes():
    demand = weekly(28)
    first, second = (DemandForecaster(LEVELS).fit(demand).predict(168) for _ in range(2))
    assert first.to_numpy().tobytes() == second.to_numpy().tobytes()


def test_threads_of_linear_algebra_change_no_byte():
    demand = weekly(28, series=12)
    told = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            told.append(DemandForecaster(LEVELS).fit(demand).predict(168).to_numpy().tobytes())
    assert told[0] == told[1]


def test_parts_forecast_apart_give_the_bytes_of_the_whole():
    few = weekly(11, series=5)
    noise = np.random.default_rng(0).lognormal(0, 0.1, (len(few), 210))
    values = few.to_numpy()[:, np.arange(210) % 5] * noise
    demand = pd.DataFrame(values, few.index, [f"s{i}" for i in range(210)])
    whole = DemandForecaster(LEVELS).fit(demand).predict(30)
    sample = demand.iloc[:, training_series(demand.shape[1])]
    assert sample.shape[1] < demand.shape[1]
    learned = DemandForecaster(LEVELS).fit(sample).learned(30)
    for part in (1, 2, 3, 7, 50):
        for first in (0, 117, 210 - part):
            some = demand.iloc[:, first : first + part]
            told = DemandForecaster(LEVELS).fit(some, coefficients=learned).predict(30)
            assert told.to_numpy().tobytes() == whole[list(some.columns)].to_numpy().tobytes()


def test_the_future_changes_no_forecast():
    """What is known by then decides alone: a forecaster that saw other days leaves no trace."""
    demand, end = weekly(28), 24 * 21
    alone = DemandForecaster(LEVELS).fit(demand.iloc[:end].copy()).predict(24)
    forecaster = DemandForecaster(LEVELS)
    for spoil in (lambda v: v, lambda v: 7 * v, np.zeros_like):
        future = demand.copy()
        future.iloc[end:] = spoil(future.iloc[end:].to_numpy())
        forecaster.fit(future).predict(24)
        again = forecaster.fit(future.iloc[:end]).predict(24)
        assert again.to_numpy().tobytes() == alone.to_numpy().tobytes()


def test_a_nowcast_leaves_no_trace():
    demand, end = weekly(29), 24 * 28
    fitted = DemandForecaster(LEVELS).fit(demand.iloc[:end])
    early = fitted.nowcast(demand.iloc[end : end + 3])
    fitted.nowcast(9 * demand.iloc[end : end + 9])
    assert fitted.nowcast(demand.iloc[end : end + 3]).equals(early)


def test_fitting_does_not_change_what_was_handed_over():
    demand = weekly(12)
    demand.iloc[3:9] = np.nan
    before = demand.copy()
    forecaster = DemandForecaster(LEVELS).fit(demand)
    forecaster.predict(24)
    forecaster.explain()
    pd.testing.assert_frame_equal(demand, before)
