"""Requests and limits follow what containers used, and memory never falls to where it kills."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.containers import krr, ours, replayed, vpa
from forecasting.sizing.containers import advise, within_node
from forecasting.telemetry import TelemetryError
from forecasting.telemetry.samples import USAGE, read_samples, usage_of
from forecasting.telemetry.synthetic_usage import KINDS, STEPS_A_DAY, cpu_cores, memory_gib
from stacks.records import Requests, UsageSource

START = datetime(2026, 3, 2, tzinfo=UTC)
HERE = "aws:us-east-1"
STANDS = Requests(cpu=2, memory_gib=8, memory_limit_gib=8)


def usage(kind: str = "cycle", days: int = 28, seed: int = 0, peak: float = 5.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    memory = memory_gib(kind, days, random)
    times = pd.date_range(START, periods=days * STEPS_A_DAY, freq="10min")
    cpu = cpu_cores(days, random)
    return pd.DataFrame(
        {
            "time": times,
            "cpu_cores": 1.5 * cpu / cpu.max(),
            "memory_gib": peak * memory / memory.max(),
            "oom_kills": 0,
        }
    )


@pytest.fixture(scope="module")
def app(prod):
    return prod.apps["camera"]


def advised(frame: pd.DataFrame, app, stands: Requests | None = STANDS) -> Requests | None:
    return advise(frame, app, HERE, stands, least_days=3).requests


def test_too_large_a_limit_comes_down_to_the_peak_and_a_margin(app):
    advice = advise(usage(), app, HERE, STANDS, least_days=3)
    assert advice.changed
    assert 5.0 * 1.2 <= advice.requests.memory_limit_gib < 8
    assert 5.0 <= advice.requests.memory_gib <= advice.requests.memory_limit_gib
    assert 0.8 <= advice.requests.cpu <= 1.5
    assert "5.00 GiB at most" in advice.reason


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    days=st.integers(1, 30),
    peak=st.floats(0.3, 9.0),
    seed=st.integers(0, 99),
    limit=st.floats(1, 12),
)
def test_the_limit_is_never_below_what_was_seen_where_the_node_has_it(
    prod, kind, days, peak, seed, limit
):
    stands = Requests(cpu=2, memory_gib=limit, memory_limit_gib=limit)
    frame = usage(kind, days, seed, peak)
    advice = advise(frame, prod.apps["camera"], HERE, stands, least_days=3)
    granted = advice.requests
    if advice.changed:
        assert granted.memory_limit_gib >= frame["memory_gib"].max()
        assert granted.memory_limit_gib <= 12.8
    again = advise(frame, prod.apps["camera"], HERE, granted, least_days=3)
    assert not again.changed
    assert again.requests == granted


def test_a_kill_raises_the_limit_by_half_at_once_and_once(app):
    frame = usage(days=1)
    frame.loc[100, "oom_kills"] = 1
    raised = advise(frame, app, HERE, STANDS, least_days=3)
    assert raised.changed
    assert raised.requests.memory_limit_gib == 12
    assert raised.requests.last_oom == frame["time"][100]
    assert "killed for lack of memory" in raised.reason
    assert not advise(frame, app, HERE, raised.requests, least_days=3).changed


def test_after_a_kill_memory_stays_up_until_it_is_out_of_the_window(app):
    frame = usage(days=28)
    killed = STANDS.model_copy(update={"memory_limit_gib": 12.0, "last_oom": frame["time"][100]})
    assert advised(frame, app, killed).memory_limit_gib == 12
    later = frame[frame["time"] > frame["time"][100]]
    assert advised(later, app, killed).memory_limit_gib < 8


def test_a_short_history_lowers_nothing(app):
    for days in (2, 10):
        stands = advise(usage(days=days), app, HERE, STANDS, least_days=3).requests
        assert stands.memory_limit_gib == 8


def test_a_short_history_may_raise(app):
    assert advised(usage(days=5, peak=7.9), app).memory_limit_gib >= 7.9 * 1.2 - 1e-9


def test_a_leak_is_met_before_it_kills(app):
    frame = usage(days=10)
    frame["memory_gib"] = 5 + 0.3 * np.arange(len(frame)) / STEPS_A_DAY
    advice = advise(frame, app, HERE, STANDS, least_days=3)
    assert advice.requests.memory_limit_gib >= 8 + 7 * 0.3


def test_what_people_wrote_stands_until_something_is_news(app):
    frame = usage(peak=6.4)
    frame["cpu_cores"] = app.serving.resources.cpu
    advice = advise(frame, app, HERE, None, least_days=3)
    assert (advice.requests, advice.changed) == (None, False)


def test_a_pod_fits_its_node_and_that_is_said(app):
    advice = advise(usage(peak=12.5), app, HERE, STANDS, least_days=3)
    assert advice.requests.memory_limit_gib == 12.8  # of the 16 GiB of a g6.xlarge
    assert "do not fit" in advice.reason
    wanted = Requests(cpu=30, memory_gib=30, memory_limit_gib=30)
    assert within_node(wanted, app, HERE).cpu == 3.4


def test_a_function_keeps_the_cpu_that_people_chose(prod):
    wanted = Requests(cpu=3, memory_gib=20, memory_limit_gib=20)
    moderation, search = prod.apps["moderation"], prod.apps["search"]
    assert within_node(wanted, moderation, HERE).memory_limit_gib == 10
    fitting = within_node(wanted, search, "gcp:europe-west4")
    assert (fitting.cpu, fitting.memory_limit_gib) == (2, 8)


@pytest.mark.slow
def test_fewer_kills_than_the_rules_in_use_at_little_more_memory():
    """Rivals: VPA's and KRR's rules, on the same containers."""
    kills, share, _ = np.mean(
        [[replayed(rule, i) for i in range(1, 32, 2)] for rule in (ours, vpa, krr)], axis=1
    ).T
    assert kills[0] < 0.5 * kills[1:].min()
    assert share[0] < 1.15 * share[1:].min()


def test_usage_is_that_of_the_busiest_replica_of_the_model_container(tmp_path):
    lines = ["time,app,location,container,cpu_cores,memory_gib,oom_kills"]
    for hour in range(3):
        for container, memory in (("model", 4), ("model", 6), ("proxy", 30)):
            lines.append(f"2026-03-02T0{hour}:00:00Z,camera,{HERE},{container},1,{memory},1")
    (tmp_path / "usage.csv").write_text("\n".join(lines))
    source = UsageSource(path="usage.csv")
    samples = read_samples(source, USAGE, window_days=28, at=None, root=tmp_path)
    found = usage_of(samples, "camera", HERE)
    assert found["memory_gib"].tolist() == [6, 6, 6]
    assert found["oom_kills"].tolist() == [2, 2, 2]


def test_usage_without_memory_is_refused(tmp_path):
    (tmp_path / "usage.csv").write_text("time,app,location,cpu_cores\n")
    with pytest.raises(TelemetryError, match="column memory_gib is missing"):
        read_samples(UsageSource(path="usage.csv"), USAGE, window_days=28, at=None, root=tmp_path)
