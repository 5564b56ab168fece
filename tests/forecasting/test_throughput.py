"""What a replica serves is learned from load and latency, and claims are held against it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.serving import Server, servers, telemetry
from forecasting.sizing.claims import claims, judge
from forecasting.sizing.throughput import Throughput, TooLittle, learn
from forecasting.telemetry import TelemetryError, synthetic
from forecasting.telemetry.samples import SERVING, Samples, read_samples
from forecasting.telemetry.synthetic_serving import serving_of
from stacks import Stack
from stacks.records import ServingSource
from tests.data_traces import DATA

STEP = pd.Timedelta("10min")
START = datetime(2026, 3, 2, tzinfo=UTC)
SLO_MS = 300.0


def service(
    limit_rps: float = 40.0, driven: float = 1.2, days: int = 14, seed: int = 0, noise: float = 0.05
) -> pd.DataFrame:
    """A queue that meets 300 ms at `limit_rps` a replica and was driven to `driven` times that."""
    random = np.random.default_rng(seed)
    times = pd.date_range(START, periods=144 * days, freq="10min")
    hour = times.hour.to_numpy() + times.minute.to_numpy() / 60
    share = 0.2 + 0.8 * np.exp(-0.5 * ((hour - 15) / 4) ** 2)
    load = driven * limit_rps * share * np.exp(random.normal(0, 0.05, len(times)))
    busy = np.minimum(0.8 * load / limit_rps, 0.99)
    latency = SLO_MS * (0.4 + 0.6 * busy / (1 - busy) / 4)
    replicas = random.integers(2, 6, len(times))
    return pd.DataFrame(
        {
            "time": times,
            "app": "camera",
            "location": "aws:us-east-1",
            "rps": load * replicas,
            "replicas": replicas,
            "latency_p95_ms": latency * np.exp(random.normal(0, noise, len(times))),
        }
    )


def samples_of(frame: pd.DataFrame) -> Samples:
    end = frame["time"].max() + STEP
    return Samples(frame, (), START, end.to_pydatetime(), STEP, "test", synthetic=True)


def claiming(stack: Stack, rps: float) -> Stack:
    """The camera app with this claim."""
    app = stack.apps["camera"]
    serving = app.serving.model_copy(update={"rps_per_replica": rps})
    return stack.model_copy(
        update={"apps": {"camera": app.model_copy(update={"serving": serving})}}
    )


def test_the_load_at_which_the_slo_is_met_lies_in_the_interval():
    learned = learn(service(limit_rps=40), SLO_MS, STEP)
    assert learned.high is not None
    assert learned.low <= 40 <= learned.high
    assert learned.estimate == pytest.approx(40, rel=0.03)
    assert learned.low > 0.9 * 40


def test_a_load_that_was_never_reached_is_not_claimed():
    learned = learn(service(limit_rps=40, driven=0.6), SLO_MS, STEP)
    assert learned.high is None
    assert learned.low <= learned.estimate <= learned.seen < 0.75 * 40
    assert learned.latency_at(40) == learned.latency_at(learned.seen)


def test_a_slo_that_is_kept_nowhere_has_no_safe_load():
    frame = service()
    learned = learn(frame.assign(latency_p95_ms=frame["latency_p95_ms"] + 1000), SLO_MS, STEP)
    assert (learned.low, learned.estimate) == (0, 0)


def test_stray_latencies_do_not_move_the_answer():
    frame = service()
    stray = frame.assign(latency_p95_ms=frame["latency_p95_ms"].mask(frame.index % 25 == 0, 60_000))
    plain, learned = learn(frame, SLO_MS, STEP), learn(stray, SLO_MS, STEP)
    assert learned.estimate == pytest.approx(plain.estimate, rel=0.03)


def test_equal_samples_give_equal_answers():
    first, second = (learn(service(), SLO_MS, STEP) for _ in range(2))
    assert (first.low, first.estimate, first.high) == (second.low, second.estimate, second.high)


def test_overload_says_nothing_of_lower_loads():
    """Latency far above the SLO is cut off: how far above does not matter."""
    frame = service(driven=1.2)
    worse = frame["latency_p95_ms"].where(frame["latency_p95_ms"] < 4 * SLO_MS, 1e7)
    assert learn(frame.assign(latency_p95_ms=worse), SLO_MS, STEP).estimate == pytest.approx(
        learn(frame, SLO_MS, STEP).estimate
    )


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda frame: frame.iloc[:90], "90 samples"),
        (lambda frame: frame.assign(replicas=0), "no sample has rps, replicas and latency"),
        (lambda frame: frame.assign(latency_p95_ms=np.nan), "no sample has rps"),
        (lambda frame: frame.assign(rps=0.01), "0 samples with 20 or more requests"),
    ],
)
def test_too_little_is_said_and_not_guessed(spoil, reason):
    with pytest.raises(TooLittle, match=reason):
        learn(spoil(service()), SLO_MS, STEP)


@settings(max_examples=25, deadline=None)
@given(
    limit=st.floats(0.5, 500),
    driven=st.floats(0.3, 2),
    noise=st.floats(0, 0.4),
    seed=st.integers(0, 9),
)
def test_the_safe_load_is_never_above_what_was_seen(limit, driven, noise, seed):
    frame = service(limit, driven, days=3, noise=noise, seed=seed)
    learned: Throughput = learn(frame, SLO_MS, STEP)
    loads, latencies = learned.latency_p95_ms
    assert 0 <= learned.low <= learned.seen <= (frame["rps"] / frame["replicas"]).max() * (1 + 1e-9)
    assert (np.diff(latencies) >= -1e-6 * latencies[:-1]).all()
    assert (np.diff(loads) > 0).all()
    if learned.high is not None:
        assert learned.low <= learned.high


def test_longer_requests_weigh_more():
    """At twice the tokens a replica serves half the requests, each in twice the time."""
    frame = service(limit_rps=40)
    times = np.where(frame.index // 144 % 2, 2.0, 1.0)
    frame = frame.assign(
        rps=frame["rps"] / times,
        latency_p95_ms=frame["latency_p95_ms"] * times,
        tokens_in=500 * times,
        tokens_out=100.0,
    )
    recent = frame[frame["time"] >= frame["time"].iloc[-1] - pd.Timedelta("7D")]
    mean = float(recent["tokens_in"].mean() / 500)
    learned = learn(frame, SLO_MS * mean, STEP)
    assert learned.token_shares == pytest.approx((1, 0))
    assert learned.estimate == pytest.approx(40 / mean, rel=0.05)


def test_the_utilisation_at_the_safe_load_is_told_where_it_is_measured():
    frame = service(limit_rps=40)
    assert learn(frame, SLO_MS, STEP).utilisation is None
    busy = frame.assign(utilisation=0.8 * frame["rps"] / frame["replicas"] / 40)
    assert learn(busy, SLO_MS, STEP).utilisation == pytest.approx(0.78, abs=0.04)


def test_verdicts_say_by_how_much_and_what_to_do(camera):
    driven, timid = samples_of(service(40)), samples_of(service(40, driven=0.6))

    def verdict(claim, samples=driven):
        return judge(claiming(camera, claim), samples)[0]

    assert verdict(39).word == "holds"
    too_high = verdict(46)
    assert too_high.word == "too high"
    assert "x the SLO at 46 rps; set it to 3" in too_high.detail
    too_low = verdict(20)
    assert too_low.word == "too low"
    assert "about 4" in too_low.detail
    assert too_low.spare_replicas == pytest.approx(9 * (1 - 20 / too_low.measured.low))
    assert verdict(40, timid).word == "too little known"
    assert "hardly ever above" in verdict(40, timid).detail
    assert verdict(18, timid).word == "too low"


def test_only_refuted_claims_become_findings_of_the_plan(camera):
    samples = samples_of(service(40))
    assert claims(claiming(camera, 39), samples) == ()
    (finding,) = claims(claiming(camera, 60), samples)
    assert (finding.kind, finding.app, finding.location) == ("claim", "camera", "aws:us-east-1")
    assert "rps_per_replica is too high" in finding.detail


def test_latencies_in_seconds_are_noticed(camera):
    frame = service(40)
    seconds = frame.assign(latency_p95_ms=frame["latency_p95_ms"] / 1000)
    (verdict,) = judge(camera, samples_of(seconds))
    assert verdict.word == "too little known"
    assert "seconds?" in verdict.detail


def test_a_service_without_samples_is_told(few):
    verdicts = judge(few, samples_of(service()))
    assert {verdict.word for verdict in verdicts} == {"too little known"}
    assert all("no samples" in verdict.detail for verdict in verdicts)


def test_synthetic_serving_shows_each_verdict(prod):
    demand = synthetic.generate(prod, days=28, end=START, seed=7)
    words = [verdict.word for verdict in judge(prod, samples_of(serving_of(prod, demand)))]
    assert {"holds", "too high", "too low"} <= set(words)


def test_samples_are_read_from_a_file_and_what_is_odd_is_named(tmp_path):
    frame = service(days=4)
    frame.loc[3, "latency_p95_ms"] = -1
    frame.to_csv(tmp_path / "serving.csv", index=False)
    source = ServingSource(path="serving.csv")
    samples = read_samples(source, SERVING, window_days=28, at=None, root=tmp_path)
    assert samples.step == STEP
    assert np.isnan(samples.of("camera", "aws:us-east-1")["latency_p95_ms"].iloc[3])
    assert [finding.kind for finding in samples.findings] == ["negative"]
    later = read_samples(
        source, SERVING, window_days=28, at=datetime(2026, 3, 9, tzinfo=UTC), root=tmp_path
    )
    assert "stale" in [finding.kind for finding in later.findings]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("replicas", "pods"), "s.csv:1: column replicas is missing"),
        (lambda text: text.replace(",2,", ",two,", 1), "replicas 'two' is no number"),
        (lambda _: "", "is empty; it needs the columns time, app, location, rps, replicas"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(tmp_path, spoil, message):
    text = service(days=2).assign(replicas=2).to_csv(index=False)
    (tmp_path / "s.csv").write_text(spoil(text))
    with pytest.raises(TelemetryError, match=message):
        read_samples(ServingSource(path="s.csv"), SERVING, window_days=28, at=None, root=tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either url and queries"),
        ({"path": "a.csv", "queries": {"rps": "x"}}, "belong to a url"),
        ({"url": "http://p:9090", "queries": {"rps": "x"}}, "replicas, latency_p95_ms is missing"),
    ],
)
def test_a_serving_source_says_all_that_it_needs(given, message):
    with pytest.raises(ValueError, match=message):
        ServingSource(**given)


@pytest.fixture(scope="module")
def measured_servers() -> dict[str, Server]:
    try:
        return servers(DATA)
    except FileNotFoundError as missing:
        pytest.skip(f"REAL TRACES NOT TESTED: {missing.filename} is absent")


@pytest.mark.slow
def test_measured_services_are_covered_where_the_rivals_are_far_off(measured_servers):
    """Rivals: the most load seen inside the SLO, and 70 % of the busy time."""
    errors = []
    for seed, server in enumerate(list(measured_servers.values())[::8]):
        slo = 2 * server.p95_ms(0.05 * server.busiest_rps())
        true = server.capacity_rps(slo)
        seen = telemetry(server, busiest_rps=1.1 * true, days=14, replicas=3, seed=seed, mix=0.2)
        learned = learn(seen, slo, STEP)
        assert learned.low < 1.02 * true < 1.04 * (learned.high or np.inf)
        load = seen["rps"] / seen["replicas"]
        rivals = (
            load[seen["latency_p95_ms"] <= slo].max(),
            (0.7 * load / seen["utilisation"]).median(),
        )
        errors.append([abs(answer / true - 1) for answer in (learned.estimate, *rivals)])
    ours, most_seen, by_utilisation = np.mean(errors, axis=0)
    assert ours < 0.6 * most_seen
    assert ours < 0.3 * by_utilisation
