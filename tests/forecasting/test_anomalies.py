import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import nab
from benchmarks.alarm_rules import RIVALS, ours
from forecasting.anomalies import detector, sources
from forecasting.anomalies.detector import (
    QUIET_SHARE,
    SENSITIVE,
    STEADY,
    WARM_UP,
    Detector,
    episodes,
)
from forecasting.anomalies.streams import Stream, usual, watch
from forecasting.telemetry import TelemetryError, synthetic
from forecasting.telemetry.synthetic_incident import with_incident
from stacks import load
from tests.data_traces import DATA

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = 144
START = pd.Timestamp("2026-10-01", tz="UTC")


def demand(days=14, noise=0.05, seed=1):
    """Ten-minute demand with a daily cycle."""
    time = np.arange(days * DAY)
    shape = 100 + 60 * np.sin(2 * np.pi * time / DAY)
    return shape * np.exp(np.random.default_rng(seed).normal(0, noise, len(time)))


def alarms(values, steps_a_day=DAY, threshold=STEADY, **options):
    detecting = Detector(steps_a_day, threshold=threshold, **options)
    return [e.start for e in episodes(detecting.scores(values), threshold, warm_up=3 * DAY)]


def stream(values, kind="load", app="camera"):
    index = pd.date_range(START, periods=len(values), freq="10min")
    return Stream(kind, app, "aws:us-east-1", pd.Series(values, index, dtype=float))


def planted(change, days=14, hours_before_end=6, hours=3):
    values = demand(days)
    start = len(values) - 6 * hours_before_end
    values[start : start + 6 * hours] = change(values[start : start + 6 * hours])
    return values, start


# --- the detector


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.just(math.nan), st.floats(-1e6, 1e6)), min_size=1, max_size=400))
def test_all_at_once_gives_the_same_bytes_as_one_by_one(values):
    online, at_once = Detector(24), Detector(24)
    one_by_one = np.array([online.update(value) for value in values])
    assert one_by_one.tobytes() == at_once.scores(values).tobytes()


def test_what_comes_later_changes_no_score():
    values = demand(10)
    whole = Detector(DAY).scores(values)
    for cut in (1, 500, 1000):
        assert Detector(DAY).scores(values[:cut]).tobytes() == whole[:cut].tobytes()


def test_what_comes_later_changes_no_alarm():
    scores = np.random.default_rng(3).uniform(0, 0.3, 3000)
    whole = [e.start for e in episodes(scores, 0.295)]
    assert len(whole) > 3
    for cut in range(500, 3000, 250):
        assert [e.start for e in episodes(scores[:cut], 0.295)] == [s for s in whole if s < cut]


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**20])
def test_the_unit_of_the_stream_does_not_matter(factor):
    values = demand(8)
    np.testing.assert_array_equal(
        Detector(DAY).scores(values), Detector(DAY).scores(factor * values)
    )


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e12])
def test_a_constant_stream_is_never_new(value):
    assert not Detector(DAY).scores(np.full(1000, value)).any()


def test_the_first_change_of_a_constant_stream_is_new():
    assert Detector(DAY).scores([1.0] * 500 + [1.1])[-1] > STEADY


def test_a_change_below_the_least_range_is_not_new():
    assert Detector(DAY, least_range=0.05).scores([0.0] * 500 + [0.001])[-1] < STEADY


def test_a_missing_value_has_no_score_and_is_not_zero():
    values = demand(8)
    gap = slice(1000, 1040)
    values[gap] = math.nan
    scores = Detector(DAY).scores(values)
    assert np.isnan(scores[gap]).all()
    assert not [start for start in alarms(values) if 1000 <= start < 1100]


def test_an_infinite_value_is_refused():
    with pytest.raises(ValueError, match="infinite"):
        Detector().update(math.inf)


def test_a_day_of_one_row_is_refused():
    with pytest.raises(ValueError, match="steps_a_day is 1"):
        Detector(1)


def test_spikes_at_the_start_do_not_hide_what_follows_them():
    values, start = planted(lambda stretch: 0 * stretch)
    values[:5] = 300
    assert start in alarms(values)


def test_nothing_is_an_alarm_while_it_warms_up():
    values = np.random.default_rng(0).lognormal(0, 3, WARM_UP)
    assert not Detector().scores(values).any()


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(detector, "MEMORY", 200)
    memory = detector.Memory(1, 0.0)
    for value in np.random.default_rng(0).normal(size=1000):
        memory.remember(value)
    assert len(memory._sorted) == len(memory._in_time) == 200
    assert list(memory._sorted) == sorted(memory._in_time)


def test_a_value_between_known_ones_is_new_and_an_old_extreme_is_not():
    memory = detector.Memory(2, 0.0)
    for value in (0.0, 1.0, 10.0):
        memory.remember(value)
    assert (memory.novelty(5.0), memory.novelty(10.0)) == (0.4, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: 0 * s, id="outage"),
        pytest.param(lambda s: 2.5 * s, id="surge"),
        pytest.param(lambda s: np.full(len(s), s[0]), id="frozen exporter"),
    ],
)
def test_an_incident_is_told_once_and_soon(change):
    values, start = planted(change)
    told = [row for row in alarms(values) if row >= start]
    assert len(told) == 1
    assert told[0] - start <= 16


def test_a_second_outage_is_told_too():
    values = demand(14)
    first, second = 1400, 1400 + 3 * DAY
    for start in (first, second):
        values[start : start + 12] = 0
    assert {first, second} <= set(alarms(values))
    assert second not in alarms(values, learned_after=1)


def test_what_stays_becomes_normal():
    values = demand(20)
    values[10 * DAY :] *= 2
    scores = Detector(DAY).scores(values)
    assert scores[10 * DAY] > STEADY
    assert (scores[-3 * DAY :] < STEADY).all()


def test_an_episode_ends_after_a_quiet_stretch_in_proportion_to_the_past():
    scores = np.zeros(2000)
    quiet = int(QUIET_SHARE * 1000)
    scores[[900, 930, 1000, 1100]] = [0.3, 0.9, 0.4, 0.5]
    assert quiet < 1000 - 930
    found = [(e.start, e.last, e.peak) for e in episodes(scores, 0.25)]
    assert found == [(900, 930, 0.9), (1000, 1000, 0.4), (1100, 1100, 0.5)]


def test_quiet_demand_raises_at_most_one_alarm_a_month_and_fewer_than_the_charts():
    month = [demand(37, noise, seed) for seed, noise in enumerate((0.03, 0.05, 0.1, 0.2))]

    def count(score):
        return sum(len(episodes(score(v, DAY), 1.0, warm_up=7 * DAY)) for v in month)

    mine = count(ours(STEADY, 64))
    assert mine <= len(month)
    assert all(mine < count(rival) for rival in (RIVALS["EWMA chart, 1 week"],))


# --- the streams of a portfolio


def test_what_moved_at_the_same_time_is_named_with_its_values():
    load, _ = planted(lambda s: 3 * s, hours_before_end=2, hours=2)
    latency, _ = planted(lambda s: 1.01 * s, hours_before_end=2, hours=2)
    errors = np.full(len(load), 0.002)
    errors[-12:] = 0.3
    watched = watch(
        [stream(load), stream(latency, "latency"), stream(errors, "errors"), stream(load, app="x")]
    )
    (found,) = [a for a in watched[0].anomalies if a.open]
    assert [(o.kind, o.value, o.usual) for o in found.moved_too] == [("errors", 0.3, 0.002)]
    assert found.since == stream(load).values.index[-12].to_pydatetime()
    assert found.usual is not None
    assert found.value > 2 * found.usual


def test_an_anomaly_that_is_over_is_not_open():
    values, start = planted(lambda s: 0 * s, hours_before_end=48, hours=2)
    (watched,) = watch([stream(values)])
    told = [a for a in watched.anomalies if a.since == watched.stream.values.index[start]]
    assert [a.open for a in told] == [False]


@pytest.mark.parametrize("values", [demand(6), [1.0], [math.nan] * 2000])
def test_a_stream_that_is_too_short_is_no_all_clear(values):
    (watched,) = watch([stream(values)])
    assert watched.too_short
    assert watched.anomalies == ()
    assert not watched.alarms_a_month


def test_the_usual_value_is_the_median_of_the_days_before():
    values = np.repeat(np.arange(1.0, 10.0), DAY)
    values[DAY] = math.nan
    made = stream(values)
    assert usual(made, 0) is None
    assert usual(made, 7 * DAY) == 4.5
    assert usual(made, 7 * DAY + 1) == 4.0


def test_a_planted_incident_is_found_where_it_was_planted():
    stack = load(ROOT / "stacks" / "Pulumi.dev.yaml")
    end = pd.Timestamp("2026-11-24 12:00", tz="UTC").to_pydatetime()
    made = synthetic.generate(stack, days=14, end=end, seed=7)
    demand_, errors = with_incident(stack, made)
    app, place = demand_.attrs["incident"]

    def of_app(kind, table, column):
        wide = table[table["app"] == app].pivot(index="time", columns="location", values=column)
        return [Stream(kind, app, str(place), wide[place]) for place in wide]

    streams = of_app("load", demand_, "rps") + of_app("errors", errors, "errors")
    found = [a for one in watch(streams) for a in one.anomalies if a.open]
    assert {(a.kind, a.app, a.location) for a in found} == {
        (kind, app, place) for kind in ("load", "errors")
    }


def test_streams_come_from_a_file_of_times_and_values(tmp_path):
    file = tmp_path / "m.csv"
    file.write_text("time,value\n2026-01-01T00:00Z,1\n2026-01-01T00:05Z,\n2026-01-01T00:15Z,-3\n")
    (read,) = sources.read_file(file)
    assert (read.kind, read.step) == ("value", pd.Timedelta("5min"))
    np.testing.assert_array_equal(read.values, [1, math.nan, math.nan, -3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when,value\n1,2\n", "column time is missing; found when, value; the columns are"),
        ("time,value\nmonday,2\n", "row 1: time 'monday' cannot be read; write UTC such as"),
        (
            "time,value\n2026-01-01T00:00Z,1\n2026-01-01T01:00Z,many\n",
            "row 2: value 'many' cannot be read; write a number, or nothing where it is missing",
        ),
        ("time,value\n2026-01-01T00:00Z,1\n", "one point in time; export some days of it"),
        ("", "is no table: No columns to parse from file; give a CSV of time,value"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(TelemetryError, match=message) as error:
        sources.read_file(tmp_path / "m.csv")
    assert str(error.value).startswith(str(tmp_path / "m.csv"))
    assert "\n" not in str(error.value)


# --- the Numenta Anomaly Benchmark


def labelled(windows, length=1000):
    return nab.Stream("group", "name", np.zeros(length), windows, None, np.arange(length))


COSTS = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11}


@pytest.mark.parametrize(
    ("alarms_", "score"),
    [
        ((500, 700), 100.0),  # the first row of each window
        ((), 0.0),
        ((10,), 0.0),  # while learning
        ((500, 510, 520, 700), 100.0),  # a window counts once
        ((500, 700, 400), 100 * (4 - 0.11) / 4),  # a false alarm
        ((500,), 50.0),
    ],
)
def test_nab_scores_as_published(alarms_, score):
    tally = nab.tally(labelled(((500, 599), (700, 799))), alarms_)
    assert tally.score(COSTS) == pytest.approx(score)


def test_nab_rewards_early_alarms_and_forgives_those_just_after():
    windows = ((500, 599),)
    early, late, after, far = (
        nab.tally(labelled(windows), (row,)).score(COSTS) for row in (510, 590, 605, 900)
    )
    assert 100 > early > late > 0 > after > far


@pytest.mark.slow
def test_the_detector_beats_the_published_ones_with_a_threshold_fixed_beforehand():
    source = DATA / "nab_aws_artificial.tar.gz"
    if not source.exists():
        pytest.skip(f"NAB NOT SCORED: no {source}")
    streams, costs = nab.read(nab.files(source))
    score = ours(SENSITIVE, 1)
    scores = {s.name: nab.scored(s, score) for s in streams}

    def standard(threshold, prefix):
        tallies = {s.name: nab.tally_at(s, scores[s.name], threshold) for s in streams}
        return nab.total(streams, tallies, prefix).score(costs["standard"])

    assert standard(1.0, "") > 70.5  # Numenta HTM, threshold tuned, all 58 streams
    assert standard(1.0, "realAWS") > 63.9  # the trial, threshold tuned
    assert standard(1.0, "artificial") > 70.5
    # No luck of one threshold: with a third less or more it is still far above the random cut forest, 51.7.
    assert min(standard(0.7, ""), standard(1.3, "")) > 65


@pytest.mark.slow
@pytest.mark.parametrize("script", ["nab.py", "incidents.py"])
def test_the_benchmarks_say_so_where_there_is_no_data(script, tmp_path):
    copied = tmp_path / "checkout"
    copied.mkdir()
    for folder in ("benchmarks", "forecasting"):
        (copied / folder).symlink_to(ROOT / folder)
    text = (ROOT / "benchmarks" / script).read_text()
    (copied / script).write_text(text.replace("parent.parent\n", "parent\n", 1))
    done = subprocess.run(
        [sys.executable, copied / script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
