"""Month-end spend and spend anomalies: properties, short history, and real traces beside rivals."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting import SpendForecaster
from tests.data_traces import DATA, _file

DAYS_OF_MONTH = (1, 5, 10, 20)
WEEK = np.array([1.05, 1.1, 1.1, 1.08, 1.05, 0.82, 0.8])


def daily(values, start="2026-01-01"):
    index = pd.date_range(start, periods=len(values), freq="D", tz="UTC")
    return pd.Series(np.asarray(values, float), index=index)


def usual(days, start="2026-01-01", noise=0.02, seed=1):
    """Weekdays, a little growth and noise around 100 a day."""
    calendar = pd.date_range(start, periods=days, freq="D")
    random = np.random.default_rng(seed)
    shape = WEEK[calendar.day_of_week] * np.exp(0.001 * np.arange(days))
    return daily(100 * shape * np.exp(random.normal(0, noise, days)), start)


HISTORIES = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e6)), min_size=1, max_size=90).map(
    daily
)


@given(HISTORIES)
@settings(max_examples=30, deadline=None)
def test_whatever_was_spent_the_month_is_finite_ordered_and_not_below_what_is_spent(spend):
    fitted = SpendForecaster().fit(spend)
    end, path = fitted.month_end(), fitted.path()
    assert np.isfinite([end.low, end.mean, end.high]).all()
    assert end.spent <= end.low <= end.mean <= end.high
    assert path["mean"].iloc[-1] == pytest.approx(end.mean)
    assert path.index[-1].is_month_end
    assert (path["low"] <= path["high"]).all()
    assert path["mean"].is_monotonic_increasing
    assert end.rest <= 2.001 * len(path) * spend.max()


@given(HISTORIES, st.sampled_from([0.01, 100.0]))
@settings(max_examples=30, deadline=None)
def test_in_cents_the_forecast_is_the_same(spend, factor):
    one, other = SpendForecaster().fit(spend), SpendForecaster().fit(spend * factor)
    for name in ("low", "mean", "high"):
        expected = factor * getattr(one.month_end(), name)
        assert getattr(other.month_end(), name) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 1000), st.integers(60, 160))
@settings(max_examples=20, deadline=None)
def test_a_days_verdict_uses_that_day_and_earlier_ones(seed, cut):
    spend = usual(160, noise=0.06, seed=seed)
    spend.iloc[[70, 110, 150]] *= 1.5
    whole = SpendForecaster().fit(spend).anomalies()
    before = SpendForecaster().fit(spend.iloc[:cut]).anomalies()
    early = whole[whole["day"] < spend.index[cut - 1] + pd.Timedelta(days=1)]
    pd.testing.assert_frame_equal(before.reset_index(drop=True), early.reset_index(drop=True))


@pytest.mark.parametrize(
    ("spend", "problem"),
    [
        (daily([]), "at least one day"),
        (pd.Series([1.0, 2.0]), "DatetimeIndex"),
        (daily([1, 2, 3]).iloc[[0, 1, 1]], "duplicated day 2026-01-02"),
        (daily([1, 2, 3]).iloc[[0, 2]], "after 2026-01-01 the next day must come"),
        (daily([1, 2, 3]).iloc[::-1], "after 2026-01-03"),
        (daily([1, 2], "2026-01-01T06:00"), "no midnight"),
        (daily([1, np.nan]), "missing spend on 2026-01-02"),
        (daily([1, np.inf]), "missing spend on 2026-01-02"),
        (daily([1, -2]), "negative spend on 2026-01-02"),
    ],
)
def test_what_no_forecast_should_be_made_from_is_refused_by_day(spend, problem):
    with pytest.raises(ValueError, match=problem):
        SpendForecaster().fit(spend)


def test_with_more_history_the_interval_narrows_and_holds_the_truth():
    spend = usual(181)  # to the end of June
    widths = []
    for days in (1, 5, 21, 60, 151):
        end = SpendForecaster().fit(spend.iloc[151 - days : 151]).month_end()
        assert end.month == pd.Timestamp("2026-06-01", tz="UTC")
        assert end.low <= spend.iloc[151:].sum() <= end.high
        widths.append((end.high - end.low) / end.mean)
    assert widths[0] > 0.5
    assert widths[-1] < 0.2
    assert (np.diff(widths) < 1e-9).all()


def test_probability_of_an_overrun_agrees_with_the_quantiles():
    end = SpendForecaster().fit(usual(150)).month_end()
    for q in (0.05, 0.5, 0.9):
        assert end.probability_above(end.quantile(q)) == pytest.approx(1 - q)
    assert end.probability_above(end.spent - 1) == 1
    assert end.low == pytest.approx(end.quantile(0.05))


def test_nothing_spent_is_nothing_expected():
    fitted = SpendForecaster().fit(daily(np.zeros(40)))
    assert (fitted.month_end().low, fitted.month_end().high) == (0, 0)
    assert fitted.anomalies().empty


def test_days_before_the_first_bill_teach_nothing():
    spend = usual(120)
    padded = pd.concat([daily(np.zeros(30), "2025-12-02"), spend])
    assert SpendForecaster().fit(padded).month_end() == SpendForecaster().fit(spend).month_end()


def test_a_spike_is_found_and_a_shift_is_told_once():
    spend = usual(150)
    spend.iloc[100] *= 1.3
    spend.iloc[130:] *= 1.4
    found = SpendForecaster().fit(spend).anomalies()
    late = found[found["day"] >= spend.index[95]]
    assert list(late["day"]) == [spend.index[100], spend.index[130]]
    assert late["expected"].iloc[0] == pytest.approx(spend.iloc[100] / 1.3, rel=0.1)
    assert late["actual"].iloc[0] == spend.iloc[100]


def test_a_bill_that_never_moves_has_no_anomalies_but_a_real_one():
    spend = daily(np.full(90, 50.0))
    spend.iloc[60] += 0.01
    spend.iloc[80] += 5
    assert list(SpendForecaster().fit(spend).anomalies()["day"]) == [spend.index[80]]


def test_the_years_end_is_expected_and_own_holidays_can_be_given():
    calendar = pd.date_range("2025-07-01", "2026-12-31", freq="D")
    dip = {day.date(): 0.8 for day in calendar if (day.month, day.day) >= (12, 24)}
    low = np.array([dip.get(day.date(), 0.0) * (day.weekday() < 5) for day in calendar])
    spend = usual(len(calendar), "2025-07-01") * (1 - 0.27 * low)
    known, rest = spend[: pd.Timestamp("2026-12-19", tz="UTC")], spend["2026-12-01":].sum()
    off = {
        name: abs(SpendForecaster(holidays=days).fit(known).month_end().mean - rest)
        for name, days in (("none", {}), ("usual", None), ("own", dip))
    }
    assert off["usual"] < off["none"]
    assert off["own"] < off["none"]
    assert SpendForecaster(holidays={date(2026, 12, 25): 1.0}).get_params()["threshold"] == 2.8


# Real daily usage of three regions of a data warehouse, taken as spend.


def regions():
    rows = pd.read_csv(_file("shavedice*.csv.gz", DATA), parse_dates=["USAGE_HOUR"])
    table = rows.pivot_table(
        index="USAGE_HOUR", columns="REGION_NUM", values="NORM_USAGE", aggfunc="sum"
    )
    table = table.asfreq("h").fillna(0.0).resample("D").sum()
    index = pd.DatetimeIndex(table.index).tz_localize("UTC")
    return [daily(table[name].to_numpy(), index[0]) for name in table]


def reversed_in_time(spends):
    return [pd.Series(spend.to_numpy()[::-1].copy(), index=spend.index) for spend in spends]


def run_rate(past, spent, days):
    """Month to date's mean a day; on the first day the mean of the last 30."""
    return days * (spent if len(spent) else past.to_numpy()[-30:]).mean()


def four_weeks(past, _spent, days):
    """Weekday profile of four weeks at the level of the last."""
    weeks = past.to_numpy()[-28:].reshape(4, 7)
    return np.resize(weeks.mean(0), days).sum() * weeks[-1].mean() / weeks.mean()


def month_ends(spends, months=10):
    """For each day of the month: errors of ours and of the rivals; and how often the interval held."""
    errors: dict = {day: {"ours": [], "run rate": [], "four weeks": []} for day in DAYS_OF_MONTH}
    inside = []
    for spend in spends:
        starts = [i for i in range(150, len(spend) - 27) if spend.index[i].day == 1]
        whole = [i for i in starts if i + spend.index[i].days_in_month <= len(spend)][-months:]
        for start in whole:
            length = spend.index[start].days_in_month
            actual = spend.iloc[start : start + length].sum()
            for day in DAYS_OF_MONTH:
                past, spent = spend.iloc[: start + day - 1], spend.iloc[start : start + day - 1]
                end = SpendForecaster().fit(past).month_end()
                inside.append(end.low <= actual <= end.high)
                errors[day]["ours"].append(abs(end.mean / actual - 1))
                for name, rival in (("run rate", run_rate), ("four weeks", four_weeks)):
                    total = spent.sum() + rival(past, spent, length - day + 1)
                    errors[day][name].append(abs(total / actual - 1))
    means = {day: {k: float(np.mean(v)) for k, v in row.items()} for day, row in errors.items()}
    return means, float(np.mean(inside))


@pytest.mark.parametrize("turned", [False, True], ids=["growing", "shrinking"])
def test_on_real_months_the_error_is_below_the_run_rate_and_the_profile(turned):
    spends = reversed_in_time(regions()) if turned else regions()
    means, inside = month_ends(spends)
    rivals = {day: min(error["run rate"], error["four weeks"]) for day, error in means.items()}
    # Late in the reversed months, whose year ends in its first days, the profile comes as near.
    assert all(means[day]["ours"] < 1.02 * rivals[day] for day in DAYS_OF_MONTH), means
    assert sum(means[day]["ours"] / rivals[day] for day in DAYS_OF_MONTH) < 0.9 * len(means), means
    assert 0.84 <= inside <= 0.97


def test_on_real_days_more_spikes_are_found_than_by_a_weekday_rule_at_as_many_alarms():
    def rule(spend):
        """Robust score of the day over its weekday's mean of four weeks."""
        mean = pd.concat([spend.shift(7 * k) for k in (1, 2, 3, 4)], axis=1).mean(axis=1)
        error = np.log(spend / mean)
        return error / (1.4826 * error.abs().rolling(90, min_periods=28).median().shift(1))

    found = {"ours": 0, "rule": 0}
    for number, spend in enumerate(regions()):
        random = np.random.default_rng(number)
        days = np.arange(130, len(spend) - 3, 11) + random.integers(0, 3)
        spiked = spend.copy()
        spiked.iloc[days] *= 1.2
        ours = set(spend.index.get_indexer(SpendForecaster().fit(spiked).anomalies()["day"]))
        false = [day for day in ours if day >= 120 and day not in days and day - 1 not in days]
        assert len(false) <= 0.5 * (len(spend) - 120) / 30
        scores = rule(spiked).to_numpy()
        others = [i for i in range(120, len(spend)) if i not in days and i - 1 not in days]
        least = np.sort(np.nan_to_num(scores[others]))[::-1][len(false)]
        found["ours"] += len(ours & set(days.tolist()))
        found["rule"] += int((scores[days] > least).sum())
    assert found["ours"] > 1.15 * found["rule"]
